"""Remedies with proof: patched against unpatched trainings, kept only where they are better.

>>> found = doctor.examine(model, (x, y), loss="cross_entropy", optimizer=adam)  # doctest: +SKIP
>>> treatment = found.treat()                                                    # doctest: +SKIP
>>> print(treatment); print(treatment.diff)                                      # doctest: +SKIP
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.arms import Arm, Curve, Program
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Finding
from pellucid.insight.doctor.general_remedies import best_rate, general_remedies, steps_made
from pellucid.insight.doctor.lasting import LEAST, LongCheck, check
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.remedies import learning_rate
from pellucid.insight.doctor.sequential import evidence_of
from pellucid.insight.doctor.trying import redraw
from pellucid.insight.pictures.treatments import draw_treatment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST_SEEDS = 3
MOST_SEEDS = 8
SHARE = 8
"""A short training has an eighth of the steps of the whole one, …"""
TINY = 400
"""Steps that may be made in any case, a matter of a second: programs of fewer than 200 steps could
show nothing within twice as many."""
FEWEST_STEPS = 20
USUAL_STEPS = 400
"""… which is taken to have so many where it has not been run."""
FOR_CHECK = 0.35
"""The share of the budget that trials leave for a long training with what they kept."""
GOOD = 0.98
"""Who reaches this needs no further patch."""


@dataclass
class PatchTrial:
    """One patch against the program without it, on the same seeds.

    ``pairs`` are the scores (unpatched, patched) at the end of each pair of trainings, ``evidence``
    is that of :func:`.sequential.evidence_of`, ``needed`` what it had to reach; ``kept`` says
    whether the patch stays, ``reason`` why or why not.
    """

    cause: str
    patch: Patch
    pairs: list[tuple[float, float]] = field(default_factory=list)
    evidence: float = 1.0
    needed: float = math.inf
    kept: bool = False
    reason: str = ""
    unpatched: list[Curve] = field(default_factory=list)
    patched: list[Curve] = field(default_factory=list)

    @property
    def gain(self) -> float:
        """The mean difference of the scores; 0 without pairs."""
        return float(np.mean([b - a for a, b in self.pairs])) if self.pairs else 0.0

    def to_json(self) -> dict[str, Any]:
        """The trial as JSON values."""
        return {
            "cause": self.cause,
            "patch": self.patch.to_json(),
            "pairs": [list(pair) for pair in self.pairs],
            "evidence": self.evidence,
            "needed": self.needed,
            "gain": self.gain,
            "kept": self.kept,
            "reason": self.reason,
            "curves": {"unpatched": self.unpatched, "patched": self.patched},
        }


@dataclass
class Treatment:
    """What :func:`treat` found: its ``trials`` in order, and the ``program`` with the patches that
    were kept, ready to be trained (copies: the model that was examined is as it was); one that had
    learned nothing begins anew.

    ``steps`` were made in all, of a ``budget`` of so many; ``score`` says what the curves show.
    ``check`` is what a long training with the kept patches has shown, None where the budget did not
    allow one; patches that did not stay better in it are taken back.
    """

    trials: list[PatchTrial]
    program: Case
    steps: int
    budget: int
    score: str
    seconds: float = 0.0
    check: LongCheck | None = None

    @property
    def kept(self) -> list[Patch]:
        """The patches that made it better, in the order in which they were put in."""
        return [trial.patch for trial in self.trials if trial.kept]

    @property
    def curves(self) -> dict[str, dict[str, list[Curve]]]:
        """Text of a patch → ``unpatched`` and ``patched`` → for each seed [(step, score), …]."""
        return {
            trial.patch.text: {"unpatched": trial.unpatched, "patched": trial.patched}
            for trial in self.trials
        }

    @property
    def diff(self) -> str:
        """The patches that were kept as a difference of settings or of code; empty for none."""
        return "\n".join(patch.diff() for patch in self.kept)

    def to_json(self) -> dict[str, Any]:
        """The treatment as JSON values."""
        return {
            "trials": [trial.to_json() for trial in self.trials],
            "kept": [patch.to_json() for patch in self.kept],
            "diff": self.diff,
            "steps": self.steps,
            "budget": self.budget,
            "score": self.score,
            "seconds": self.seconds,
            "check": None if self.check is None else self.check.to_json(),
        }

    def draw(self, path: str | os.PathLike[str] | None = None) -> Axes:
        """Both curves of each trial: every seed thin, their mean thick.  Saved where ``path`` says.
        Needs matplotlib."""
        return draw_treatment(self, path)

    def __str__(self) -> str:
        if not self.trials:
            return "There is no patch that can be tried by itself."
        lines = []
        for trial in self.trials:
            verdict = "kept" if trial.kept else "taken back"
            lines.append(f"{trial.cause}: {trial.patch.text}")
            if trial.pairs:
                before, after = np.mean(trial.pairs, axis=0)
                shown = f"{before:.3g} without, {after:.3g} with it, {len(trial.pairs)} seeds"
                lines.append(f"  {self.score}: {shown}")
            lines.append(f"  {verdict}: {trial.reason}")
        if self.check is not None:
            lines.append(f"  {self.check.reason}")
        return "\n".join(lines)


def treat(
    report: Any,
    *,
    trials: int = 3,
    budget: float = 2.0,
    error: float = 0.05,
    seeds: int = MOST_SEEDS,
    steps: int | None = None,
) -> Treatment:
    """Tries the remedies of a report's findings and keeps those that help.

    Each of at most ``trials`` patches, in the order of the findings, is put into a copy of the
    program, which trains beside one without it: from the same weights (those of now; of a program
    that has learned nothing, a fresh start), the same rows and the same random numbers, on up to
    ``seeds`` seeds.  A short training has an eighth of the program's steps, 20 to 40 at
    the least (or ``steps``), all together at most ``budget`` times as many as it has (400 of
    programs with fewer than 200).  Compared is the share learned at the end, on validation rows
    (training rows where there are none): how good the answers are (:mod:`.fitness`, which a change
    of the loss or of a scale does not change), and how much of the loss of answers that ignore the
    features is gone.  Where no finding's patch helps a program that has learned nothing, patches
    that experiments speak for are tried.

    A patch is kept if, after at least 3 pairs, a sequential t test says that it is better.  Looking
    after every pair is accounted for: the chance that any patch of a treatment is kept whose
    true mean improvement is 0 is at most ``error``, for differences that are normal, as
    :func:`.sequential.evidence_of` has to reach trials / (2·error); half of its errors are on the
    other side.  Otherwise the patch is taken back, and the next one is tried without it.  What was
    kept is then trained as long as the whole training takes, or as the budget allows: patches that
    are not better at that length, too, are taken back (:mod:`.lasting`).  Nothing of the program
    that was examined changes.

    ``report`` is a :class:`.report.Report` with a case.  Raises ``ArgumentError`` for one without,
    and where the case has no model, loss or rows.
    """
    begun = time.perf_counter()
    case = getattr(report, "case", None)
    if not isinstance(case, Case) or None in (case.model, case.loss, case.train):
        raise ArgumentError(
            "The report knows no model, loss and rows to try patches on",
            "Treat the report of an examination that was given all three.",
        )
    if trials < 1 or seeds < FEWEST_SEEDS or budget <= 0 or not 0 < error < 1:
        raise ArgumentError(
            f"trials={trials}, seeds={seeds}, budget={budget}, error={error}",
            f"Give trials from 1, seeds from {FEWEST_SEEDS}, budget above 0, error within 0 and 1.",
        )
    program = Program(case)
    whole = max(case.step, program.planned_steps) or USUAL_STEPS
    length = steps or max(FEWEST_STEPS, min(2 * FEWEST_STEPS, whole // 2), whole // SHARE)
    most = max(int(budget * whole), TINY)
    reserved = min(whole, int(FOR_CHECK * most))
    work = _Work(program, length, most, seeds, trials / (2 * error), reserved)
    found = []
    if program.is_redrawn:  # it takes no steps that the trials do not take, too
        anew = work.begun_anew(next((f.cause for f in report), "UNKNOWN"))
        found += [anew] if anew.kept else []
    for cause, patch in _patches(report, trials - len(found), work):
        found.append(work.tried(cause, patch))
    if program.fresh and not work.kept:
        found += _in_general(case, trials - len(found), work)
    checked = work.checked(found, whole)
    return Treatment(
        found, program.patched(work.kept, 0), work.steps, most, program.score,
        time.perf_counter() - begun, checked,
    )  # fmt: skip


def _patches(report: Any, trials: int, work: _Work) -> Iterable[tuple[str, Patch]]:
    """The patches to try: the first of each finding, then the second ones …; none of a finding
    that has one already which was kept, and none once the program is good."""
    findings = list(report)
    depth = max((len(_remedies(finding)) for finding in findings), default=0)
    number, mended = 0, set()
    for place in range(depth):
        for finding in findings:
            if number == trials or work.is_good or work.is_spent:
                return
            if finding.cause in mended or place >= len(_remedies(finding)):
                continue
            patch = _remedies(finding)[place]
            if patch.apply is None or not work.program.can_try(patch):
                continue
            number += 1
            before = len(work.kept)
            yield finding.cause, patch
            if len(work.kept) > before:
                mended.add(finding.cause)


def _redrawn(trial: Case) -> None:
    redraw(trial.model)


def _remedies(finding: Finding) -> tuple[Patch, ...]:
    """A finding's remedies; of learning rates first the one that did best in the probe."""
    tried = next((p for p in finding.probes if p.name == "learning_rate" and p.confirms), None)
    rates = [patch for patch in finding.remedies if patch.name == "lr"]
    if tried is None or not rates:
        return finding.remedies
    made = learning_rate(rates[0].text, float(rates[0].old), best_rate(tried))
    return (made, *(patch for patch in finding.remedies if patch.name != "lr"))


def _in_general(case: Case, number: int, work: _Work) -> list[PatchTrial]:
    """Where nothing that was named has helped a program that has learned nothing: what the
    experiments say helps."""
    found: list[PatchTrial] = []
    before = steps_made(case)
    for cause, patch in general_remedies(case):
        made = steps_made(case)
        work.steps, before = work.steps + made - before, made
        if len(found) >= number or work.is_spent or work.is_good:
            break
        found.append(work.tried(cause, patch))
    return found


class _Work:
    """What has been tried so far, and what it has cost."""

    def __init__(
        self,
        program: Program,
        length: int,
        most: int,
        seeds: int,
        needed: float,
        reserved: int,
    ) -> None:
        self.program = program
        self.length = length
        self.budget = most
        self.reserved = reserved
        self.seeds = seeds
        self.needed = needed
        self.kept: list[Patch] = []
        self.steps = 0
        self.is_good = False
        self._base = Arm(program, [])

    @property
    def most(self) -> int:
        """The steps that trials may take: as soon as a patch is kept, not those of its check."""
        return self.budget - self.reserved * bool(self.kept)

    @property
    def is_spent(self) -> bool:
        """Whether the budget does not allow the smallest trial any more."""
        fresh = sum(seed not in self._base.curves for seed in range(FEWEST_SEEDS))
        return self.steps + (FEWEST_SEEDS + fresh) * self.length > self.most

    def tried(self, cause: str, patch: Patch) -> PatchTrial:
        """A patch on top of those that were kept, pair by pair."""
        trial = PatchTrial(cause, patch, needed=self.needed)
        arm = Arm(self.program, [*self.kept, patch])
        for seed in range(self.seeds):
            cost = self.length * (1 + (seed not in self._base.curves))
            if seed >= FEWEST_SEEDS and self.steps + cost > self.most:
                trial.reason = "the budget was spent before it was certain"
                break
            self._pair(trial, arm, seed)
            if len(trial.pairs) >= FEWEST_SEEDS and self._decided(trial):
                break
        if not trial.reason:
            trial.reason = f"not certain after {len(trial.pairs)} seeds"
        if trial.kept:
            self.kept.append(patch)
            self._base = arm
            self.is_good = min(b for _, b in trial.pairs) > GOOD and self.program.is_judged
        return trial

    def begun_anew(self, cause: str) -> PatchTrial:
        """Newly drawn weights, after a short training, against those of now."""
        now, text = self.program.now(), "Begin with newly drawn weights: each layer's own start."
        patch = Patch("layer", text, "weights", "as they were", "reset_parameters()", _redrawn)
        trial = PatchTrial(cause, patch, needed=self.needed)
        for seed in range(FEWEST_SEEDS):
            if seed not in self._base.curves:
                self.steps += self._base.run(seed, self.length)
            trial.patched.append(self._base.curves[seed])
            trial.unpatched.append([(0, now), (self.length, now)])
            trial.pairs.append((now, self._base.score(seed)))
        if self._decided(trial) and trial.kept:
            self.kept.append(patch)
            self.is_good = min(b for _, b in trial.pairs) > GOOD and self.program.is_judged
        return trial

    def checked(self, trials: Sequence[PatchTrial], whole: int) -> LongCheck | None:
        """A long training with what was kept; what does not stay better in it is taken back, the
        newest patch first and all where there is no time for another look."""
        first: LongCheck | None = None
        while self.kept:
            allowed = self.budget - self.steps
            found, made = check(self.program, self.kept, whole, self.length, allowed)
            self.steps += made
            first = first or found
            if first is None:
                return None
            if found is not None and found.lasts:
                return found
            kept = [trial for trial in trials if trial.kept]
            for trial in kept if found is None else kept[-1:]:
                trial.kept, trial.reason = False, (found or first).reason
                self.kept.remove(trial.patch)
        return first

    def _pair(self, trial: PatchTrial, arm: Arm, seed: int) -> None:
        for made, curves in ((self._base, trial.unpatched), (arm, trial.patched)):
            if seed not in made.curves:
                self.steps += made.run(seed, self.length)
            curves.append(made.curves[seed])
        trial.pairs.append((self._base.score(seed), arm.score(seed)))

    def _decided(self, trial: PatchTrial) -> bool:
        """Whether enough is known to keep the patch, or to take it back."""
        differences = [b - a for a, b in trial.pairs]
        trial.evidence = evidence_of(differences)
        if trial.gain <= 0 and len(trial.pairs) >= FEWEST_SEEDS:
            trial.reason = "it is not better"
            return True
        if trial.evidence < self.needed:
            return False
        if trial.gain <= LEAST:
            trial.reason = f"it is better by {trial.gain:.2g} only"
            return True
        trial.kept = True
        trial.reason = (
            f"better on {sum(d > 0 for d in differences)} of {len(differences)} seeds, evidence "
            f"{trial.evidence:.3g} of {trial.needed:.3g} needed"
        )
        return True
