"""Docstrings are written for reading in an editor; here they become reStructuredText.

Formulas in them are plain text with signs that reStructuredText would take for markup: ``|x|``,
``a * b``, ``add_``.  They are escaped everywhere but in code, roles, directives and examples.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_KEPT = re.compile(
    r"``.+?``"  # code
    r"|:[a-z:]+:`[^`]+`"  # a role
    r"|`[^`]+`_?"  # a name
    r"|\*[A-Z][^*|]+\*"  # the title of a work
    r"|\*\*[^*]+\*\*"
)
_SPECIAL = re.compile(r"[\\|*]|(?<=\w)_(?!\w)")


def escaped(line: str) -> str:
    """The line with its plain text escaped."""
    parts: list[str] = []
    end = 0
    for kept in _KEPT.finditer(line):
        parts += [_SPECIAL.sub(r"\\\g<0>", line[end : kept.start()]), kept.group()]
        end = kept.end()
    return "".join(parts) + _SPECIAL.sub(r"\\\g<0>", line[end:])


def as_restructured_text(lines: list[str]) -> list[str]:
    """The docstring's lines: examples and directives as they are, the rest escaped."""
    result: list[str] = []
    indent: int | None = None  # of the directive or literal block that is being passed
    example = False
    for line in lines:
        width = len(line) - len(line.lstrip())
        if indent is not None and line.strip() and width <= indent:
            indent = None
        if not line.strip():
            example = False
        elif line.lstrip().startswith(">>>"):
            if result and result[-1].strip() and not example:
                result.append("")
            example = True
        if indent is None and not example:
            if line.lstrip().startswith(".. ") or line.rstrip().endswith("::"):
                indent = width
            else:
                line = escaped(line)
        result.append(line)
    return result


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_restructured_text(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Before Napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
