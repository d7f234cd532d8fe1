"""Texts in files as tables with a column ``text``: a line a row, or a file a row.

A folder with a folder for each class holds a text in each file; a folder with a file for each
class (``good.txt``, ``bad.txt``) a text in each line.  Lines that begin with ``__label__X`` carry
their class, as fastText has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pellucid.base.errors import DataError
from pellucid.data.columns import Column, Table, fingerprint_of_columns, text_column
from pellucid.data.encodings import decode
from pellucid.data.files import read_bytes

ENDINGS = (".txt", ".text", ".md")
TEXT, LABEL = "text", "label"
_FASTTEXT = re.compile(r"__label__(\S+)\s+")


def is_lines(text: str, file: Path) -> bool:
    """Whether a text is a text a line, not a table: it says so by ``__label__`` or its name."""
    return text.startswith("__label__") or file.name.lower().endswith(ENDINGS)


def lines_table(text: str, file: Path, fingerprint: str, notes: list[str]) -> Table:
    """A row for each line that is not blank, in a column ``text`` and, where lines carry their
    class, a column ``label``."""
    pairs = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    numbers = np.array([number for number, _ in pairs], dtype=np.int64)
    lines = [line for _, line in pairs]
    columns = []
    if all(_FASTTEXT.match(line) for line in lines):
        columns.append(text_column(LABEL, [_FASTTEXT.match(line)[1] for line in lines]))  # type: ignore[index]
        lines = [_FASTTEXT.sub("", line, count=1) for line in lines]
        notes.append(f"{file.name}: each line is a text with its class (__label__).")
    else:
        notes.append(f"{file.name}: each line is taken for a text.")
    columns.append(text_column(TEXT, [line.strip() for line in lines]))
    return _table(str(file), columns, notes, fingerprint, numbers)


def text_folder(root: Path, encoding: str) -> Table | None:
    """The texts of a folder with a folder or a file for each class; None where there are none."""
    files = [path for path in sorted(root.iterdir()) if _is_text(path)]
    notes: list[str] = []
    if files:
        if len(files) < 2:
            return None
        rows = [(line, file.stem) for file in files for line in _lines(file, encoding, notes)]
        what = f"{len(files)} files, a class each, a text in each line"
    else:
        folders = [path for path in sorted(root.iterdir()) if path.is_dir()]
        found = [
            (file, folder.name)
            for folder in folders
            for file in sorted(folder.rglob("*"))
            if _is_text(file)
        ]
        if not found:
            return None
        rows = [(_whole(file, encoding, notes), name) for file, name in found]
        what = f"{len(found)} files in {len({name for _, name in found})} folders, a class each"
    notes = [f"{root.name} holds texts: {what}.", *dict.fromkeys(notes)]
    columns = [
        text_column(LABEL, [name for _, name in rows]),
        text_column(TEXT, [text for text, _ in rows]),
    ]
    return _table(str(root), columns, notes, fingerprint_of_columns(columns), None)


def _is_text(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ENDINGS) and path.name[0] != "."


def _whole(file: Path, encoding: str, notes: list[str]) -> str:
    return decode(read_bytes(file), file, encoding, notes).strip()


def _lines(file: Path, encoding: str, notes: list[str]) -> Iterator[str]:
    return (line for line in _whole(file, encoding, notes).splitlines() if line.strip())


def _table(
    name: str, columns: list[Column], notes: list[str], fingerprint: str, lines: object
) -> Table:
    if not len(columns[0]):
        raise DataError(f"{name} holds no text", "Give a file with a text in each line.")
    table = {column.name: column for column in columns}
    return Table(name, table, lines, tuple(notes), fingerprint)  # type: ignore[arg-type]
