"""Learning from rewards: what its course says, as findings.

The judging of a course is that of ``pellucid.rl.health``; a course, or the reasons that it gave,
stands in ``case.notes["rewards"]``.  An agent's are ``agent.why_not()``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Evidence, Finding, Place, Suspicion
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.report import Report
from pellucid.insight.doctor.rules import Rule

_STRENGTH = {
    "REWARD_SCALE": 0.98,
    "TERMINATION": 0.97,
    "Q_OVERESTIMATE": 0.97,
    "ENTROPY_COLLAPSE": 0.97,
    "EXPLORATION_DEAD": 0.97,
    "LR_HIGH": 0.7,
    "UNKNOWN": 0.4,
}


def rewards(case: Case) -> Iterator[Suspicion]:
    """REWARD_SCALE, ENTROPY_COLLAPSE, Q_OVERESTIMATE, TERMINATION, EXPLORATION_DEAD: what an agent
    that does not learn says of itself."""
    yield from suspicions_of(case.notes.get("rewards", ()))


def suspicions_of(reasons: Iterable[Any]) -> Iterator[Suspicion]:
    """Reasons of ``pellucid.rl`` as suspicions."""
    for reason in reasons:
        evidence = (Evidence(reason.text.rstrip("."), reason.value, reason.expected),)
        kind = "setting" if reason.setting else "code"
        patch = Patch(kind, reason.remedy, reason.setting)
        yield Suspicion(
            reason.cause, Place(setting=reason.setting), evidence,
            _STRENGTH.get(reason.cause, 0.5), (), (patch,),
        )  # fmt: skip


def examine_agent(agent: Any) -> Report:
    """Examines an agent that has learned (or a run's, as ``pellucid.rl.load_agent`` gives it with
    ``resume``): why it does not earn more, if it does not.  An agent that learns gives an empty
    report.

    Raises ``ArgumentError`` for anything without ``why_not``.
    """
    began = time.perf_counter()
    if not hasattr(agent, "why_not"):
        raise ArgumentError(
            f"An agent was expected, {type(agent).__name__} was received",
            "Give an agent of pellucid.rl; of a loop of your own, examine_rewards(reasons).",
        )
    return examine_rewards(agent.why_not(), time.perf_counter() - began)


def examine_rewards(reasons: Sequence[Any], seconds: float = 0.0) -> Report:
    """The report on reasons that ``pellucid.rl.find_reasons`` gave for a course."""
    found = sorted(suspicions_of(reasons), key=lambda suspicion: -suspicion.strength)
    findings = [
        Finding(s.cause, s.place, s.evidence, s.strength, remedies=s.remedies) for s in found
    ]
    return Report(findings, task="rewards", phase="after", seconds=seconds)


RULES: tuple[Rule, ...] = (rewards,)
