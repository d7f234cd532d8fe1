"""Reading tables from files: CSV with any separator, JSON, Excel, Parquet, Arrow, NumPy, text.

``read_table`` decides by content; a file's name decides only where several readings are possible.
Text is read as text first; the type of a column follows from all of its values, so it cannot
change in the last line.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.data.array_files import columns_of_arrays, is_array_file, read_arrays
from pellucid.data.cells import CellRules, read_columns
from pellucid.data.columns import Column, Table, as_table, check_column_names, nearest_names
from pellucid.data.csv_text import SEPARATORS, Layout, has_separator, lay_out, records_of
from pellucid.data.encodings import AUTO, decode
from pellucid.data.files import MEMORY_SHARE, available_memory, read_bytes, unpack_gzip
from pellucid.data.frames import frame_kind, read_frame
from pellucid.data.json_lines import is_json, json_columns
from pellucid.data.readings import MISSING_NUMBERS, MISSING_TEXTS, Reading, is_date_format
from pellucid.data.text_files import is_lines, lines_table

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
    encoding: str = AUTO,
    text_columns: Collection[str] = (),
    date_formats: Mapping[str, str] | None = None,
    header: bool | None = None,
    decimal: str = "",
    missing_values: Sequence[str] = (),
    keep_texts: Sequence[str] = (),
    readings: Mapping[str, Reading] | None = None,
    targets: Collection[str] = (),
    used: Collection[str] | None = None,
    sheet: str = "",
) -> Table:
    """Reads a table: CSV, JSON lines, a JSON array of objects, lines of text (all of them also
    gzipped), Excel, OpenDocument, Parquet, Arrow, Feather, ``.npy`` or ``.npz``.

    ``separator`` is found out unless given: comma, semicolon, tab, bar, rarer ones such as ``^``
    or ``||``, and ``" "`` for any number of blanks.  ``encoding`` is found out unless given:
    UTF-8, or what the characters show, which is told.  ``sheet`` names the sheet of a
    spreadsheet.  ``text_columns`` stay text even where they look like numbers or dates.
    ``date_formats`` gives the format of columns in which it is known, such as ``{"born":
    "%d/%m/%Y"}``; they are read in that format or stay text.  ``header`` says whether the first
    line holds the column names; unless given it does, and a first line of numbers is an error.

    In texts, empty cells and NA, N/A, NaN, NULL are missing values, with ``missing_values`` as
    further ones and except ``keep_texts`` (and NA among other codes of capitals); a column is
    boolean when it holds only true and false, yes and no, or their like in other languages, a
    number or a time when nine in ten of its values are (the others are missing then; codes with
    leading zeros stay text), otherwise text.
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
    formats = dict(date_formats or {})
    _check_settings(formats, decimal)
    texts = tuple(missing_values), tuple(keep_texts)
    rules = CellRules(
        text_columns, formats, readings or {}, decimal, *texts, targets, separator or ",", used
    )
    notes: list[str] = []
    if kind := frame_kind(data):
        frame = read_frame(
            file, data, kind, fingerprint, texts=text_columns, sheet=sheet, header=header
        )
        return recognized(frame, rules)
    if is_array_file(data):
        columns = columns_of_arrays(read_arrays(file, data), str(file))
        return recognized(_typed(file, columns, fingerprint, notes), rules)
    text = _text_of(file, data, encoding, notes)
    if separator is None and is_json(text, file):
        columns = json_columns(text, file)
        return recognized(_typed(file, columns, fingerprint, notes), rules)
    if separator is None and is_lines(text, file) and not has_separator(text):
        return lines_table(text, file, fingerprint, notes)
    return table_of_text(file, text, rules, separator, header, notes, fingerprint)


def table_of_text(
    file: Path,
    text: str,
    rules: CellRules,
    separator: str | None,
    header: bool | None,
    notes: list[str],
    fingerprint: str = "",
) -> Table:
    """The table in a text of cells with separators."""
    layout = lay_out(file, text, separator, header, notes)
    _check_layout(file, layout, (*rules.text_columns, *rules.date_formats))
    rules = replace(rules, separator=layout.separator)
    found, how, more = read_columns(layout.header, _parse(layout), layout.lines, rules)
    return Table(str(file), found, layout.lines, (*notes, *more), fingerprint, how)


def _typed(file: Path, columns: list[Column], fingerprint: str, notes: list[str]) -> Table:
    check_column_names([column.name for column in columns], str(file))
    return Table(str(file), {c.name: c for c in columns}, None, tuple(notes), fingerprint)


def recognized(table: Table, rules: CellRules) -> Table:
    """The table with its columns of text read as cells of a CSV file are: numbers, dates and truth
    values that are written as text become such."""
    texts = [c for c in table.columns.values() if c.kind == "text" and c.name not in table.readings]
    if not texts:
        return table
    with needs("train", "Reading tables"):
        import polars

    cells = []
    for column in texts:
        # JSON can hold halves of characters, which no text of Polars may.
        texts_of = [text.encode("utf-8", "replace").decode() for text in column.categories]
        words = np.array([*texts_of, None], dtype=object)
        cells.append(polars.Series(words[column.values].tolist(), dtype=polars.String))
    lines = np.arange(1, len(table) + 1) if table.lines is None else table.lines
    rules = replace(rules, where="row" if table.lines is None else "line")
    found, readings, notes = read_columns([c.name for c in texts], cells, lines, rules)
    return replace(
        table,
        columns={name: found.get(name, column) for name, column in table.columns.items()},
        notes=(*table.notes, *notes),
        readings={**table.readings, **readings},
    )


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
    back = dict(layout.restore)
    try:
        frame = polars.read_csv(
            io.BytesIO(layout.body.encode()),
            separator=layout.separator,
            has_header=layout.named,
            infer_schema=False,
        )
        frame = frame.filter(~polars.all_horizontal(polars.all().is_null()))
        if frame.width == width and frame.height == rows:
            return [_restored(cells, back) for cells in frame.get_columns()]
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException):
        pass
    # Quotes that two parsers read differently, or rows of empty cells: the scan's parser decides.
    cells: list[list[str]] = [[] for _ in range(width)]
    records = (record for record in records_of(layout.body, layout.separator) if record)
    for position, record in enumerate(records):
        if position or not layout.named:
            for column, cell in zip(cells, record, strict=False):
                column.append(cell)
    return [_restored(polars.Series(values, dtype=polars.String), back) for values in cells]


def _restored(cells: Any, back: Mapping[str, str]) -> Any:
    """Cells with what stood in the file in place of its stand-ins."""
    return cells.str.replace_many(list(back), list(back.values())) if back else cells


def with_notes(table: Table, notes: Sequence[str]) -> Table:
    """The table with more notes."""
    return replace(table, notes=(*table.notes, *notes))
