"""Rules: each looks at a case and gives suspicions; one file for each thing that is looked at.

A rule is a function ``(case) -> Iterable[Suspicion]`` that is silent where what it needs is not
known.  Each file lists its rules in ``RULES``; ``FILES`` says which files are asked in which phase.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable

from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Suspicion

Rule = Callable[[Case], Iterable[Suspicion]]

FILES: dict[str, tuple[str, ...]] = {
    "before": ("labels", "inputs", "parts", "ending", "structure", "weights", "signals",
               "modes", "measure", "optimizer", "changes", "first_steps"),
    "during": ("course", "flow", "fit"),
    "after": ("course", "flow", "fit", "rewards"),
}  # fmt: skip
"""Phase → files of rules that are asked in it, in this order; what is seen before the first step
holds in the later phases as well."""


OF_A_START = ("weights", "signals")
"""Files of rules that judge first weights: of trained ones they would say what is not so."""


def rules_of(phase: str, start: bool = True) -> list[Rule]:
    """The rules of one phase, in order; without those that judge a start, unless it is one."""
    names = [name for name in FILES[phase] if start or name not in OF_A_START]
    return [rule for name in names for rule in _listed(name)]


def _listed(name: str) -> tuple[Rule, ...]:
    found: tuple[Rule, ...] = importlib.import_module(f"{__name__}.{name}").RULES
    return found
