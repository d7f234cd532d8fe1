"""The columns of a spreadsheet: Excel's .xlsx, .xlsm, .xlsb and .xls, and OpenDocument's .ods.

A sheet is a page that people write on: there may be a title above the table, rows without cells in
it, and columns without a name.  What was taken for the table is told.
"""

from __future__ import annotations

import datetime
import io
from typing import Any

import numpy as np

from pellucid.base.errors import DataError
from pellucid.base.extras import needs
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Column, array_column, nearest_names, number_text

_LOOKED_AT = 50


def sheet_columns(data: bytes, sheet: str, header: bool | None, notes: list[str]) -> list[Column]:
    """The columns of one sheet of a spreadsheet, ``sheet`` or the first one that is not empty.

    A column holds numbers, truth values or times where all of its cells do; otherwise all of them
    are text, which is yet to be read.  Raises ``DataError`` where there is no such sheet, and
    where no sheet holds a table.
    """
    with needs("excel", "Reading spreadsheets"):
        from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    names = list(book.sheet_names)
    if sheet and sheet not in names:
        raise DataError(f"the table has no sheet named {sheet!r}", nearest_names(sheet, names))
    filled: list[tuple[str, list[list[Any]]]] = []
    for name in [sheet] if sheet else names:
        rows = _filled_rows(book.get_sheet_by_name(name).to_python())
        if len(rows) > 1:
            filled.append((name, rows))
    if not filled:
        raise DataError(
            "the table has no sheet with rows", "Give a sheet with column names and rows."
        )
    chosen, rows = filled[0]
    if len(filled) > 1:
        others = ", ".join(repr(name) for name, _ in filled[1:4])
        notes.append(
            phrase(f"Sheet {chosen!r} was read, not {others}. For another one, use ",
                   Setting("sheet", filled[1][0]), ".")
        )  # fmt: skip
    return _table(rows, header, notes)


def _filled_rows(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows that have a cell with something in it."""
    return [row for row in rows if any(not _is_empty(cell) for cell in row)]


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _count(row: list[Any]) -> int:
    return sum(not _is_empty(cell) for cell in row)


def _table(rows: list[list[Any]], header: bool | None, notes: list[str]) -> list[Column]:
    """The columns of the rows below the names."""
    usual = float(np.median([_count(row) for row in rows[:_LOOKED_AT]]))
    start = next(i for i, row in enumerate(rows) if _count(row) >= 0.8 * usual)
    if start:
        many = "1 row" if start == 1 else f"{start} rows"
        notes.append(f"{many} above the table skipped, the first one {_title(rows[0])!r}.")
    rows = rows[start:]
    width = max(map(len, rows))
    rows = [[*row, *[None] * (width - len(row))] for row in rows]
    if header is False:
        names = [f"column {place + 1}" for place in range(width)]
    else:
        names = [_name(cell, place) for place, cell in enumerate(rows[0])]
        rows = rows[1:]
    if not rows:
        raise DataError("the table has column names and no rows", "Add rows below the names.")
    cells = [[row[place] for row in rows] for place in range(width)]
    kept = [
        place
        for place in range(width)
        if any(not _is_empty(cell) for cell in cells[place]) or not names[place].startswith("unnam")
    ]
    return [_column(names[place], cells[place]) for place in kept]


def _title(row: list[Any]) -> str:
    return next(str(cell) for cell in row if not _is_empty(cell))[:60]


def _name(cell: object, place: int) -> str:
    if _is_empty(cell):
        return f"unnamed {place + 1}"
    return number_text(cell) if isinstance(cell, float) else str(cell).strip()


def _column(name: str, cells: list[Any]) -> Column:
    values = [None if _is_empty(cell) else cell for cell in cells]
    present = [value for value in values if value is not None]
    kinds = {_kind(value) for value in present}
    if kinds == {"span"}:
        values = [None if value is None else _seconds(value) for value in values]
    elif len(kinds) > 1 or kinds == {"text"}:
        values = [None if value is None else _text(value) for value in values]
    return array_column(name, values)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, datetime.date):  # of which datetime is one
        return "time"
    return "span" if isinstance(value, datetime.time | datetime.timedelta) else "text"


def _seconds(value: datetime.time | datetime.timedelta) -> float:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


def _text(value: object) -> str:
    """A cell as text that reads back as the same value."""
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, datetime.datetime):
        whole = value.time() == datetime.time()
        return str(value.date() if whole else value.replace(microsecond=0))
    return str(value)
