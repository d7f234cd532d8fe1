"""Remedies as objects that can be tried, shown as a difference, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Patch:
    """One change that may help.

    ``kind`` says of what: ``setting`` (``name`` from ``old`` to ``new``), ``layer`` (the layer at
    the path ``name`` is replaced), ``data`` (rows are changed before they are learned from),
    ``loss``, or ``code`` (only the user can do it).  ``text`` is the advice in words.  ``apply``
    changes a trial (a copy of the program), None where nothing can be tried by itself.
    """

    kind: str
    text: str
    name: str = ""
    old: Any = None
    new: Any = None
    apply: Callable[[Any], None] | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """What is stored: without functions, so that a patch from a file tries nothing."""
        return {**self.__dict__, "apply": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Patch:
        return self

    def diff(self) -> str:
        """The change as two lines, the old one with ``-`` and the new one with ``+``."""
        if not self.name:
            return f"+ {self.text}"
        return f"- {self.name} = {self.old}\n+ {self.name} = {self.new}"

    def to_json(self) -> dict[str, Any]:
        """The patch as JSON values, without its function."""
        shown = {k: v if isinstance(v, (int, float, str, bool)) or v is None else str(v)
                 for k, v in (("old", self.old), ("new", self.new))}  # fmt: skip
        return {"kind": self.kind, "text": self.text, "name": self.name, **shown}
