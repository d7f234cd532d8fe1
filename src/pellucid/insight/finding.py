"""What a diagnosis says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that was noticed.

    ``what`` names it (``zero weights``, ``overfitting`` …), ``where`` is a layer's path or empty,
    ``evidence`` the measurements it rests on, ``remedy`` what to do.
    """

    what: str
    where: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        place = f" in {self.where}" if self.where else ""
        return f"{self.what}{place}: {self.evidence}\n  {self.remedy}"
