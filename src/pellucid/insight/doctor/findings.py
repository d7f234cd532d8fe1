"""What the doctor says: findings with their evidence, probes and remedies."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pellucid.insight.doctor.causes import CAUSES
from pellucid.insight.doctor.patches import Patch


@dataclass(frozen=True)
class Place:
    """Where a cause lies: a layer's path, a setting's name, a column, a source line, rows.

    Rows are counted as the user counts them: lines of a file of text (the header is line 1), rows
    from 1 in other files, positions from 0 in memory; ``part`` is the part that they are counted
    in where parts have sources of their own, ``files`` names those of pictures.
    """

    layer: str = ""
    setting: str = ""
    column: str = ""
    line: str = ""
    rows: tuple[int, ...] = ()
    part: str = ""
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"layer {self.layer}" if self.layer else "", self.setting]
        parts += [f"column {self.column}"] if self.column else []
        parts += [self.line]
        shown = self.files or self.rows
        if shown:
            listed = ", ".join(map(str, shown[:5]))
            what = "files" if self.files else "rows"
            part = f"{self.part} " if self.part else ""
            parts.append(f"{part}{what} {listed}{' …' if len(shown) > 5 else ''}")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Evidence:
    """A measurement against what a healthy training has: ``text`` says what was measured,
    ``value`` is the number (None where there is none) and ``expected`` what it should be."""

    text: str
    value: float | None = None
    expected: str = ""

    def __str__(self) -> str:
        number = "" if self.value is None else f": {self.value:.4g}"
        return f"{self.text}{number}" + (f" (expected {self.expected})" if self.expected else "")


@dataclass(frozen=True)
class ProbeResult:
    """An experiment: its ``name``, the ``question`` that it answers, the ``numbers`` it gave, and
    whether they confirm the cause (None where they do not tell)."""

    name: str
    question: str
    numbers: dict[str, float]
    confirms: bool | None
    text: str = ""


@dataclass
class Suspicion:
    """What a rule has noticed: a cause, and how likely it is from this evidence alone.

    ``strength`` is a probability, 0 to 1; 1 is certain (a fact of graph, settings or data), and
    needs no probe.  ``probes`` name the experiments that can confirm it.
    """

    cause: str
    place: Place
    evidence: tuple[Evidence, ...]
    strength: float
    probes: tuple[str, ...] = ()
    remedies: tuple[Patch, ...] = ()
    results: list[ProbeResult] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """A cause that the report names.

    ``symptoms`` are findings that it explains, ``confidence`` a probability after the probes,
    ``remedies`` patches in the order in which to try them, ``unchanged`` what they leave alone.
    """

    cause: str
    place: Place
    evidence: tuple[Evidence, ...]
    confidence: float
    probes: tuple[ProbeResult, ...] = ()
    remedies: tuple[Patch, ...] = ()
    symptoms: tuple[Finding, ...] = ()
    unchanged: str = ""
    step: int | None = None
    """The step at which it was first seen; None before the first."""

    @property
    def title(self) -> str:
        """The cause in words."""
        return CAUSES[self.cause].title

    @property
    def remedy(self) -> str:
        """What to do first, in words."""
        return self.remedies[0].text if self.remedies else ""

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "cause": self.cause,
            "title": self.title,
            "place": asdict(self.place),
            "evidence": [asdict(item) for item in self.evidence],
            "confidence": self.confidence,
            "probes": [asdict(result) for result in self.probes],
            "remedies": [patch.to_json() for patch in self.remedies],
            "symptoms": [finding.to_json() for finding in self.symptoms],
            "unchanged": self.unchanged,
            "step": self.step,
        }

    def __str__(self) -> str:
        place = str(self.place)
        lines = [f"{self.title} ({self.cause})" + (f" in {place}" if place else "")]
        lines += [f"  {item}" for item in self.evidence]
        lines += [f"  tried: {result.text or result.question}" for result in self.probes]
        lines += [f"  follows from it: {s.title}" for s in self.symptoms]
        lines += [f"  do: {self.remedy}"] if self.remedy else []
        return "\n".join(lines)
