"""Docstrings are written for reading in an editor; here they become reStructuredText.

Formulas in them are plain text with signs that reStructuredText would take for markup: ``|x|``,
``a * b``, ``add_``.  They are escaped everywhere but in code, roles, directives and examples.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_KEPT = re.compile(
    r"``[^`]+``"  # code
    r"|:[a-z:]+:`[^`]+`"  # a role
    r"|`[^`]+`_?"  # a name
    r"|\*[A-Z][^*|]*[\w.)?!]\*(?!\w)"  # the title of a work
    r"|\*\*[^*]+\*\*"
)
_ENDS = "'\")]}>-/:.,;!?\\’”»"
"""What may follow markup directly."""
_SPECIAL = re.compile(r"[\\|*]|(?<=\w)_(?!\w)")


def escaped(text: str) -> str:
    """The text with all that is not code, role, name or title escaped."""
    parts: list[str] = []
    end = 0
    for kept in _KEPT.finditer(text):
        parts.append(_SPECIAL.sub(r"\\\g<0>", text[end : kept.start()]))
        # Markup must stand apart: an escaped space joins it with what it touches.
        before, after = text[: kept.start()][-1:], text[kept.end() :][:1]
        parts.append(("\\ " if before.isalnum() else "") + kept.group())
        parts.append("\\ " if after and not (after.isspace() or after in _ENDS) else "")
        end = kept.end()
    return "".join(parts) + _SPECIAL.sub(r"\\\g<0>", text[end:])


def as_restructured_text(lines: list[str]) -> list[str]:
    """The docstring's lines: examples and directives as they are, the rest escaped."""
    result: list[str] = []
    plain: list[str] = []  # lines of text that wait to be escaped together: code may span two
    indent: int | None = None  # of the directive or literal block that is being passed
    example = False

    def settle() -> None:
        if plain:
            result.extend(escaped("\n".join(plain)).split("\n"))
            plain.clear()

    for line in lines:
        width = len(line) - len(line.lstrip())
        if indent is not None and line.strip() and width <= indent:
            indent = None
        if not line.strip():
            example = False
        elif line.lstrip().startswith(">>>") and not example:
            if plain and plain[-1].strip():
                plain.append("")
            example = True
        if indent is None and not example:
            directive = line.lstrip().startswith(".. ")
            if directive or line.rstrip().endswith("::"):
                indent = width
            if not directive:
                plain.append(line)
                continue
        settle()
        result.append(line)
    settle()
    return result


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_restructured_text(lines)


def _skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Methods that scikit-learn makes for its own purposes are none of ours."""
    return True if (getattr(obj, "__module__", None) or "").startswith("sklearn") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Before Napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
