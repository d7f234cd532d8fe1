"""Reasons for and against trusting a result, as they are found."""

from __future__ import annotations

from dataclasses import dataclass, field

from pellucid.insight.explain.verdicts import Verdict


@dataclass
class Reasons:
    """Reasons that are collected."""

    against: list[str] = field(default_factory=list)
    towards: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        """One more against it."""
        self.against.append(reason)

    def support(self, reason: str) -> None:
        """One more for it."""
        self.towards.append(reason)

    def verdict(self) -> Verdict:
        """What they come to: no trust where anything speaks against it."""
        return Verdict(not self.against, self.against or self.towards)
