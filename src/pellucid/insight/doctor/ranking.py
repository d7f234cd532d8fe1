"""From suspicions to few findings: one root cause with its symptoms, or nothing.

Each suspicion is a probability.  Probes change the odds; causes that explain others take them as
their symptoms (the table in :mod:`.causes`); what is left and likely enough is said, most likely
first, at most three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.causes import CAUSES
from pellucid.insight.doctor.clock import Deadline, within
from pellucid.insight.doctor.findings import Evidence, Finding, Place, ProbeResult, Suspicion
from pellucid.insight.doctor.patches import Patch

Probe = Callable[[Case, Suspicion], ProbeResult]

MOST = 3
"""Findings in a report."""
MOST_REMEDIES = 3
"""Of a finding."""
SAID = 0.6
"""A cause less likely than this is not named first."""
LIKELIEST = 0.35
"""Of a training that is demonstrably sick, the likeliest cause is named from here on."""
DECIDED = 0.8
"""Beside a cause that is as likely as this, others are no alternatives."""
LEFT_OPEN = 0.4
"""An alternative to a less certain one is at least so likely."""
SAID_BESIDE = 0.7
"""Nor beside another, where it is less likely than this."""
CERTAIN = 0.97
"""From here on no probe is needed."""
CONFIRMED, REFUTED = 6.0, 1 / 8
"""Factors of the odds after a probe."""
LEAST_TO_EXPLAIN = 0.5
"""A cause has to be this likely to take others as its symptoms."""
FACTS = ("LOSS_REDUCTION", "INPUT_UNSCALED", "TARGET_UNSCALED", "INIT_SCALE", "SATURATION")
"""Causes that are seen for certain, and of which only the harm is in doubt: a symptom that they
explain speaks for it."""
LIFTED = 0.7
"""By how much of its own probability such a symptom closes the gap to certainty."""

ORDER = (
    "SINGLE_CLASS_LABELS", "DATA_SHAPE", "LABEL_SCALED", "LABEL_MISALIGNED", "BROADCAST",
    "SOFTMAX_SINGLE_UNIT", "AXIS_WRONG", "DOUBLE_SOFTMAX", "LOGITS_PROBS", "OUT_UNITS",
    "LOSS_WRONG", "ACT_OUT", "GRAD_SIGN", "LR_NEGATIVE", "GRAD_NOT_RESET", "INPUT_UNSCALED",
    "INPUT_DOUBLE_SCALED", "TARGET_UNSCALED", "INIT_SYMMETRIC", "INIT_SCALE",
)  # fmt: skip
"""Of equally likely causes, those that come first in the program come first in the report."""


def rank(
    case: Case,
    suspicions: Iterable[Suspicion],
    probes: Mapping[str, Probe] | None = None,
    *,
    seconds: float = 2.0,
    sick: Evidence | None = None,
) -> list[Finding]:
    """The findings that follow from suspicions, most likely root cause first.

    ``probes`` by name are asked for those that are not certain, likeliest first, while there is
    a bench and ``seconds`` are left.  ``sick`` is evidence that the training is demonstrably sick:
    where no cause is likely enough, the answer is then ``UNKNOWN`` with it.
    """
    gathered = _gathered(suspicions)
    _try(case, gathered, probes or {}, within(seconds))
    likely = {code: (found, confidence_of(found)) for code, found in gathered.items()}
    _lift(likely)
    roots = _roots(likely)
    named = _named(roots, likely, case)
    if not named and sick is not None:
        named = _named(roots, likely, case, LIKELIEST)[:1]
    if sick is not None:
        named += _alternatives(named, roots, likely, case)
    if not named and sick is not None:
        named = [Finding("UNKNOWN", Place(), (sick,), 1.0, step=case.step or None)]
    return named


def _gathered(suspicions: Iterable[Suspicion]) -> dict[str, Suspicion]:
    """One suspicion for each cause: the strongest, with the evidence of all."""
    by_cause: dict[str, list[Suspicion]] = {}
    for suspicion in suspicions:
        by_cause.setdefault(suspicion.cause, []).append(suspicion)
    return {code: _together(found) for code, found in by_cause.items()}


def _together(found: list[Suspicion]) -> Suspicion:
    first, *others = sorted(found, key=lambda s: -s.strength)
    if not others:
        return first
    doubt = math.prod(1 - s.strength * (1.0 if s is first else 0.5) for s in found)
    evidence = dict.fromkeys(e for s in (first, *others) for e in s.evidence)
    probes = dict.fromkeys(p for s in (first, *others) for p in s.probes)
    patches = _distinct([*first.remedies, *(p for s in others for p in s.remedies)])
    results = [r for s in (first, *others) for r in s.results]
    return Suspicion(
        first.cause, first.place, tuple(evidence)[:4], max(first.strength, 1 - doubt),
        tuple(probes), tuple(patches), results,
    )  # fmt: skip


def _distinct(patches: Iterable[Patch]) -> list[Patch]:
    """The first three that change different things, or one thing in ways that are told apart."""
    kept: dict[tuple[str, str, str], Patch] = {}
    for patch in patches:
        told = "" if patch.kind == "setting" else patch.text
        kept.setdefault((patch.kind, patch.name, told), patch)
    return list(kept.values())[:MOST_REMEDIES]


def confidence_of(suspicion: Suspicion) -> float:
    """The probability of a cause after its probes."""
    p = min(max(suspicion.strength, 1e-4), 1.0)
    if p >= 1.0:
        return 1.0
    odds = p / (1 - p)
    for result in suspicion.results:
        if result.confirms is not None:
            odds *= CONFIRMED if result.confirms else REFUTED
    return odds / (1 + odds)


def _try(
    case: Case, gathered: Mapping[str, Suspicion], probes: Mapping[str, Probe], until: Deadline
) -> None:
    """Asks the probes for suspicions that could be named and are not certain."""
    if case.bench is None:
        return
    case.notes["until"] = until
    # Before the first step there is little time: only for what would not be said without a probe.
    most = SAID if case.phase == "before" else CERTAIN
    least = 0.3 if case.phase == "before" else 0.2
    asked = [s for s in gathered.values() if least <= s.strength < most and not s.results]
    for suspicion in sorted(asked, key=lambda s: -s.strength):
        for name in suspicion.probes:
            if name not in probes or until.is_over:
                continue
            suspicion.results.append(probes[name](case, suspicion))
            if confidence_of(suspicion) < 0.2 or confidence_of(suspicion) >= CERTAIN:
                break


def _lift(likely: dict[str, tuple[Suspicion, float]]) -> None:
    """Harm that is seen makes a fact that explains it likelier."""
    for code in FACTS:
        if code not in likely or likely[code][1] < 0.4:
            continue
        symptoms = [q for c, (_, q) in likely.items() if c in CAUSES[code].explains]
        most = max(symptoms, default=0.0)
        if most >= SAID:
            found, p = likely[code]
            likely[code] = found, p + (1 - p) * LIFTED * most


def _roots(likely: Mapping[str, tuple[Suspicion, float]]) -> dict[str, list[str]]:
    """Causes that no other explains → the causes that they explain.

    A cause explains another if it is about as likely, and of two that explain each other the
    likelier is the root.
    """
    owner: dict[str, str] = {}
    for code, (_, p) in likely.items():
        for other, (_, q) in likely.items():
            if other == code or code not in CAUSES[other].explains:
                continue
            mutual = other in CAUSES[code].explains
            far = p - (0.35 if other in FACTS else 0.25)  # a fact explains what is surer, too
            if q < LEAST_TO_EXPLAIN or q < far or mutual and (q, other) < (p, code):
                continue
            if code not in owner or q > likely[owner[code]][1]:
                owner[code] = other
    roots: dict[str, list[str]] = {code: [] for code in likely if code not in owner}
    for code in owner:
        top = _top(code, owner)
        roots.setdefault(top, []).append(code)
    return roots


def _top(code: str, owner: Mapping[str, str]) -> str:
    seen = {code}
    while code in owner and owner[code] not in seen:
        code = owner[code]
        seen.add(code)
    return code


def _named(
    roots: Mapping[str, list[str]],
    likely: Mapping[str, tuple[Suspicion, float]],
    case: Case,
    first: float = SAID,
) -> list[Finding]:
    """The findings; the first one is at least ``first`` likely."""

    def turn(code: str) -> tuple[float, int]:
        place = ORDER.index(code) if code in ORDER else len(ORDER)
        return (-round(likely[code][1], 1), place)

    found: list[Finding] = []
    for code in sorted(roots, key=turn):
        least = SAID_BESIDE if found else first
        if likely[code][1] < least or len(found) == MOST:
            continue
        symptoms = [finding_of(*likely[c], case) for c in roots[code] if c in likely]
        found.append(finding_of(*likely[code], case, symptoms))
    return found


def _alternatives(
    named: list[Finding],
    roots: Mapping[str, list[str]],
    likely: Mapping[str, tuple[Suspicion, float]],
    case: Case,
) -> list[Finding]:
    """What the evidence leaves open beside an uncertain first cause of a sick training: the next
    likeliest causes, unless an experiment spoke against them."""
    if not named or named[0].confidence >= DECIDED:
        return []
    known = {finding.cause for finding in named}
    left = [c for c in roots if c not in known and likely[c][1] >= LEFT_OPEN]
    left = [c for c in left if not any(r.confirms is False for r in likely[c][0].results)]
    left.sort(key=lambda code: -likely[code][1])
    return [finding_of(*likely[code], case) for code in left[: MOST - len(named)]]


def finding_of(
    suspicion: Suspicion, confidence: float, case: Case, symptoms: list[Finding] | None = None
) -> Finding:
    """A suspicion as a finding."""
    patches = suspicion.remedies
    return Finding(
        suspicion.cause,
        suspicion.place,
        suspicion.evidence,
        confidence,
        tuple(suspicion.results),
        patches,
        tuple(symptoms or ()),
        _unchanged(patches[0].kind) if patches else "",
        case.step if case.phase != "before" else None,
    )


_LEFT_ALONE = {
    "setting": "network, loss and data stay as they are",
    "layer": "loss, optimizer and data stay as they are",
    "loss": "network, optimizer and data stay as they are",
    "data": "network, loss and optimizer stay as they are",
    "code": "nothing is changed by itself: the program is yours",
}


def _unchanged(kind: str) -> str:
    return _LEFT_ALONE.get(kind, "")
