"""Columns of a table that name pictures, which are read beside the other columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.base.errors import DataError
from pellucid.data.columns import Column, NamedPictures, Table, text_column
from pellucid.data.picture_files import PictureForm, choose_form, read_pictures
from pellucid.data.picture_sources import check_memory, resolved

_SHOWN = 5


def with_pictures(
    table: Table, base: Path | None, names: Sequence[str], side: int | None = None
) -> Table:
    """The table with the pictures that the columns ``names`` name, relative to the folder ``base``.

    They are scaled to ``side`` × ``side``, or as ``choose_form`` says; the notes of the table tell
    that, and which pictures are missing.  Raises ``DataError`` where they need too much memory.
    """
    columns, notes = dict(table.columns), list(table.notes)
    for name in names:
        column, own = columns[name], [f"Column {name!r} names pictures: a network sees them."]
        form = choose_form([resolved(text, base) for text in column.categories], side, own)
        columns[name], read = _read(column, base, form)
        notes += [*own, *read]
    return replace(table, columns=columns, notes=tuple(notes))


def with_known_pictures(table: Table, base: Path | None, forms: Mapping[str, PictureForm]) -> Table:
    """The table with the pictures that the columns of ``forms`` name, in these forms.

    What cannot be read is told in the notes.  Raises ``DataError`` where a column names pictures of
    which not one can be read.
    """
    columns, notes = dict(table.columns), list(table.notes)
    for name, form in forms.items():
        column = columns.get(name)
        if column is None or column.pictures is not None:
            continue
        if column.kind != "text":
            column = text_column(name, column.texts())
        columns[name], read = _read(column, base, form)
        notes += read
    return replace(table, columns=columns, notes=tuple(notes))


def _read(column: Column, base: Path | None, form: PictureForm) -> tuple[Column, list[str]]:
    """A column of names with the pictures of those that its rows have, and notes about others."""
    check_memory(len(column), form)
    used = np.unique(column.values[column.values >= 0])
    names = [column.categories[code] for code in used]
    images, broken = read_pictures([resolved(name, base) for name in names], form)
    if names and len(broken) == len(names):
        raise DataError(
            f"Column {column.name!r}: none of its pictures can be read: {_listed(broken)}",
            "Paths are relative to the folder of the file: keep them together, or mend the files.",
        )
    readable = np.ones(len(names), np.bool_)
    readable[list(broken)] = False
    places = np.full(len(column.categories) + 1, -1, np.int64)  # the last one is for no name
    places[used] = np.where(readable, np.arange(len(names)), -1)
    found = NamedPictures(images, places)
    notes = []
    absent = int((places[column.values] < 0).sum())
    if absent:
        why = f": {_listed(broken)}" if broken else ""
        notes.append(
            f"Column {column.name!r}: {absent:,} of {len(column):,} rows without a picture that "
            f"can be read, the mean of the training pixels stands in for it{why}."
        )
    return replace(column, pictures=found), notes


def _listed(broken: Mapping[int, str]) -> str:
    more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    return "; ".join(list(broken.values())[:_SHOWN]) + more


def rebased(table: Table, base: Path | None, names: Sequence[str]) -> Table:
    """The table with paths in the columns ``names`` that hold wherever they are read from."""
    columns = dict(table.columns)
    for name in names:
        texts = columns[name].texts()
        paths = [None if text is None else str(resolved(text, base).absolute()) for text in texts]
        columns[name] = text_column(name, paths)
    return replace(table, columns=columns)
