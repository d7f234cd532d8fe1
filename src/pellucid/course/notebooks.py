"""A lesson as a notebook for Jupyter: its text, its program in cells, exercises with checks."""

from __future__ import annotations

import re
from typing import Any

from pellucid.course.lessons import SECTIONS, Block, Lesson, Text

__all__ = ["notebook"]


def notebook(lesson: Lesson, language: str) -> dict[str, Any]:
    """The notebook as plain data, as ``nbformat`` 4.5 writes it, without outputs.

    Blocks of the program are cells, what they print is left out (the cells print it); pictures
    that a cell shows itself are left out too.  Starters of exercises are cells, followed by one
    that checks the answer.
    """
    text = lesson.text(language)
    cells: list[dict[str, Any]] = []
    for piece, block in _pieces(text):
        shown = _prose(piece, lesson, language, drawn=bool(cells) and _draws(cells[-1]))
        if shown:
            cells.append(_cell("markdown", shown))
        if block is not None:
            cells.append(_cell("code", block.code.rstrip("\n")))
            if block.info == "starter":
                number = _number_before(text, block)
                check = f'from pellucid.course import check\n\ncheck("{number}");'
                cells.append(_cell("code", check))
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place:03}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _pieces(text: Text) -> list[tuple[str, Block | None]]:
    """The text cut at the blocks that become cells: what stands before each, and the block."""
    lines = text.source.splitlines()
    outputs = {output.line for _, output in text.program if output is not None}
    pieces: list[tuple[str, Block | None]] = []
    kept: list[str] = []
    at = 0
    for block in text.blocks:
        kept += lines[at : block.line - 2]
        at = block.end
        if block.language == "python" and block.info in ("", "starter"):
            pieces.append(("\n".join(kept), block))
            kept = []
        elif block.line not in outputs:
            first = f"```{block.language}"
            kept += [first, *lines[block.line - 1 : block.end - 1], "```"]
    return [*pieces, ("\n".join([*kept, *lines[at:]]), None)]


def _prose(piece: str, lesson: Lesson, language: str, *, drawn: bool) -> str:
    """A piece of the text for a cell: pictures by their place in the repository."""
    if drawn:  # the cell before shows the picture
        piece = re.sub(r"^!\[[^\]]*\]\(images/[^)]*\)\n*", "", piece.lstrip("\n"), count=1)
    piece = piece.replace("](images/", f"](../../{language}/images/")
    return re.sub(r"\n{3,}", "\n\n", piece).strip()


def _draws(cell: dict[str, Any]) -> bool:
    """Whether a cell shows the figure that it draws, as one of pyplot is shown."""
    source = "".join(cell["source"])
    return cell["cell_type"] == "code" and "plt." in source and ".savefig(" in source


def _number_before(text: Text, block: Block) -> str:
    """The number of the exercise whose starter this is."""
    before = "\n".join(text.source.splitlines()[: block.line])
    heading = SECTIONS[text.language][5]
    found = re.findall(r"^### (\d+\.\d+) ", before.partition(f"## {heading}")[2], re.M)
    return str(found[-1])


def _cell(kind: str, source: str) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": "", "metadata": {}}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    made["source"] = source.splitlines(keepends=True)
    return made
