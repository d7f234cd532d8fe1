"""Reading tables from files: CSV with any common separator, plain or gzipped, and Parquet.

``read_table`` decides by content, not by the file's name.  A CSV file is read as text first; the
type of a column follows from all of its values, so it cannot change in the last line.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.data.cells import CellRules, read_columns
from pellucid.data.columns import Table, as_table, nearest_names
from pellucid.data.csv_text import SEPARATORS, Layout, decode, lay_out, records_of
from pellucid.data.files import MEMORY_SHARE, available_memory, read_bytes, unpack_gzip
from pellucid.data.parquet import read_parquet
from pellucid.data.readings import MISSING_NUMBERS, MISSING_TEXTS, Reading, is_date_format

__all__ = [
    "MISSING_NUMBERS",
    "MISSING_TEXTS",
    "SEPARATORS",
    "as_table",
    "read_bytes",
    "read_table",
    "unpack_gzip",
]


def read_table(
    path: str | os.PathLike[str],
    *,
    separator: str | None = None,
    encoding: str = "utf-8",
    text_columns: Collection[str] = (),
    date_formats: Mapping[str, str] | None = None,
    header: bool | None = None,
    decimal: str = "",
    missing_values: Sequence[str] = (),
    keep_texts: Sequence[str] = (),
    readings: Mapping[str, Reading] | None = None,
    targets: Collection[str] = (),
    used: Collection[str] | None = None,
) -> Table:
    """Reads a CSV file (also gzipped) or a Parquet file.

    ``separator`` is found among comma, semicolon, tab and bar unless given.  ``encoding`` is
    UTF-8, with or without a byte-order mark, unless another name is given.  ``text_columns``
    stay text even where they look like numbers or dates.  ``date_formats`` gives the format of
    columns in which it is known, such as ``{"born": "%d/%m/%Y"}``; they are read in that format
    or stay text.  ``header`` says whether the first line holds the column names; unless given it
    does, and a first line of numbers is an error.

    In CSV, empty cells and NA, N/A, NaN, NULL are missing values, with ``missing_values`` as
    further ones and except ``keep_texts`` (and NA among other codes of capitals); a column is
    boolean when it holds only true and false, a number or a time when nine in ten of its values
    are (the others are missing then; codes with leading zeros stay text), otherwise text.
    Numbers may have thousands separators, a currency, a unit, a percent sign or parentheses.
    ``decimal`` is their decimal sign where it is known; else it follows from the whole file.
    Whatever is not the only reading is said in ``Table.notes``.

    ``readings`` are those of training (``Table.readings``): they decide where the file itself
    does not.  In ``targets`` a text among at most 20 different numbers is a class, not a slip.
    Where ``used`` is given, nothing is told about other columns.

    Raises ``FileError`` when the file is missing, a folder, or may not be read, and
    ``DataError`` when its content cannot be used: empty, header only, ragged rows, wrong
    encoding, truncated, larger than the memory, two columns of one name, damaged Parquet.
    """
    file = Path(path)
    data = read_bytes(file)
    fingerprint = hashlib.sha256(data).hexdigest()
    if data[:4] == b"PAR1":
        return read_parquet(file, data, fingerprint)
    formats = dict(date_formats or {})
    _check_settings(formats, decimal)
    notes: list[str] = []
    text = _text_of(file, data, encoding, notes)
    layout = lay_out(file, text, separator, header, notes)
    _check_layout(file, layout, (*text_columns, *formats))
    texts = tuple(missing_values), tuple(keep_texts)
    rules = CellRules(
        text_columns, formats, readings or {}, decimal, *texts, targets, layout.separator, used
    )
    columns, found, more = read_columns(layout.header, _parse(layout), layout.lines, rules)
    return Table(str(file), columns, layout.lines, (*notes, *more), fingerprint, found)


def _text_of(file: Path, data: bytes, encoding: str, notes: list[str]) -> str:
    """The text of a CSV file that is neither empty nor too large."""
    if data[:2] == b"\x1f\x8b":
        data = unpack_gzip(data, file)
    elif len(data) > max(64 * 2**20, available_memory() * 2 // MEMORY_SHARE):
        raise DataError(
            f"{file} has {len(data) / 2**20:,.0f} MiB, too many for the "
            f"{available_memory() / 2**20:,.0f} MiB of memory available",
            "Give fewer rows, or write the table as Parquet, which takes less.",
        )
    text = decode(data, file, encoding, notes)
    if not text.strip():
        raise DataError(
            f"{file} is empty ({len(data)} bytes)",
            "Give a file with a line of column names and a line for each row.",
        )
    return text


def _check_layout(file: Path, layout: Layout, named: Collection[str]) -> None:
    """``DataError`` where there are no rows, or no column of one of these names."""
    if not layout.lines.size:
        names = ", ".join(repr(name) for name in layout.header[:10])
        raise DataError(
            f"{file} has a header ({names}) and no rows",
            "Give a file with at least one line below the column names.",
        )
    for name in named:
        if name not in layout.header:
            hint = nearest_names(name, layout.header)
            raise DataError(f"{file} has no column named {name!r}", hint)


def _check_settings(formats: Mapping[str, str], decimal: str) -> None:
    if decimal not in ("", ".", ","):
        raise ArgumentError(
            f"decimal={decimal!r} is no decimal sign", "Give '.' or ',', or leave it out."
        )
    for name, date_format in formats.items():
        if not is_date_format(date_format):
            raise ArgumentError(
                f"{date_format!r} is no date format (of column {name!r})",
                "Write it with codes such as %d/%m/%Y or %Y-%m-%d %H:%M.",
            )


def _parse(layout: Layout) -> list[Any]:
    """The cells as polars series of strings; a missing cell is null."""
    with needs("train", "Reading tables"):
        import polars

    width, rows = len(layout.header), layout.lines.size
    try:
        frame = polars.read_csv(
            io.BytesIO(layout.body.encode()),
            separator=layout.separator,
            has_header=layout.named,
            infer_schema=False,
        )
        frame = frame.filter(~polars.all_horizontal(polars.all().is_null()))
        if frame.width == width and frame.height == rows:
            return list(frame.get_columns())
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException):
        pass
    # Quotes that two parsers read differently, or rows of empty cells: the scan's parser decides.
    cells: list[list[str]] = [[] for _ in range(width)]
    records = (record for record in records_of(layout.body, layout.separator) if record)
    for position, record in enumerate(records):
        if position or not layout.named:
            for column, cell in zip(cells, record, strict=False):
                column.append(cell)
    return [polars.Series(values, dtype=polars.String) for values in cells]


def with_notes(table: Table, notes: Sequence[str]) -> Table:
    """The table with more notes."""
    return replace(table, notes=(*table.notes, *notes))
