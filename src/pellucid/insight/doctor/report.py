"""The report of an examination: findings in order, and what was looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pellucid.insight.doctor.findings import Finding
from pellucid.insight.doctor.treating import Treatment, treat


@dataclass
class Report:
    """Findings, the most likely root cause first; empty where nothing is wrong.

    ``task`` is what the targets ask for, ``phase`` when it was made (``before``, ``during`` or
    ``after`` training), ``facts`` are figures worth printing beside them (the trivial predictor's
    loss, the loss at the start …), ``seconds`` what the examination took.
    """

    findings: list[Finding] = field(default_factory=list)
    task: str = ""
    phase: str = "before"
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    case: Any = field(default=None, repr=False, compare=False)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __getitem__(self, index: int) -> Finding:
        return self.findings[index]

    def treat(self, **settings: Any) -> Treatment:
        """Tries the remedies of the findings, patched against unpatched, and keeps those that
        help; settings as :func:`pellucid.insight.doctor.treating.treat` takes them."""
        return treat(self, **settings)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "task": self.task,
            "phase": self.phase,
            "healthy": self.is_healthy,
            "findings": [finding.to_json() for finding in self.findings],
            "facts": self.facts,
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        if self.is_healthy:
            return "Nothing is wrong as far as the doctor can see."
        return "\n\n".join(f"{n}. {finding}" for n, finding in enumerate(self.findings, 1))
