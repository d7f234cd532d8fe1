"""Reading tables from files: CSV with any common separator, plain or gzipped, and Parquet.

``read_table`` decides by content, not by the file's name.  A CSV file is read as text first; the
type of a column follows from all of its values, so it cannot change in the last line.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.data.columns import (
    Column,
    Rows,
    Table,
    as_table,
    check_column_names,
    encode_text,
    nearest_names,
)

__all__ = ["as_table", "read_bytes", "read_table", "unpack_gzip"]

SEPARATORS = (",", ";", "\t", "|")
MISSING_TEXTS = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")
# In a column that otherwise holds numbers, these too mean "no value".
MISSING_NUMBERS = (*MISSING_TEXTS, "?", "-", "--", ".", "None", "none", "na", "unknown")
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y年%m月%d日",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
)
_SNIFFED_ROWS = 50
_SNIFFED_CHARACTERS = 1_000_000


def read_table(
    path: str | os.PathLike[str],
    *,
    separator: str | None = None,
    encoding: str = "utf-8",
    text_columns: Collection[str] = (),
    date_formats: Mapping[str, str] | None = None,
) -> Table:
    """Reads a CSV file (also gzipped) or a Parquet file.

    ``separator`` is found among comma, semicolon, tab and bar unless given.  ``encoding`` is
    UTF-8, with or without a byte-order mark, unless another name is given.  ``text_columns``
    stay text even where they look like numbers or dates.  ``date_formats`` gives the format of
    columns in which it is known, such as ``{"born": "%d/%m/%Y"}``; they are read in that format
    or stay text.

    In CSV, empty cells and NA, N/A, NaN, NULL are missing values; a column is boolean when it
    holds only true and false, a number when all its values are numbers (codes with leading zeros
    stay text), a time when all its values are dates of one format, otherwise text.

    Raises ``FileError`` when the file is missing, a folder, or may not be read, and
    ``DataError`` when its content cannot be used: empty, header only, ragged rows, wrong
    encoding, truncated, two columns of one name, damaged Parquet.
    """
    file = Path(path)
    data = read_bytes(file)
    fingerprint = hashlib.sha256(data).hexdigest()
    if data[:4] == b"PAR1":
        return _read_parquet(file, data, fingerprint)
    if data[:2] == b"\x1f\x8b":
        data = unpack_gzip(data, file)
    if not data.strip():
        raise DataError(
            f"{file} is empty ({len(data)} bytes)",
            "Give a file with a line of column names and a line for each row.",
        )
    text = _decode(data, file, encoding)
    formats = dict(date_formats or {})
    return _read_csv(file, text, separator, text_columns, formats, fingerprint)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file, with a ``FileError`` that says what is in the way."""
    file = Path(path)
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise FileError(f"There is no file {file}", _hint_for_missing(file)) from None
    except IsADirectoryError:
        raise FileError(
            f"{file} is a folder, a file was expected", "Name one file inside it."
        ) from None
    except PermissionError:
        raise FileError(
            f"{file} may not be read (permission denied)",
            "Change the file's permissions, or copy it to a place that you may read.",
        ) from None
    except (OSError, ValueError) as error:
        raise FileError(
            f"{str(file)!r} cannot be read: {error}", "Check the path and the disk."
        ) from None


def _hint_for_missing(file: Path) -> str:
    try:
        names = sorted(entry.name for entry in file.parent.iterdir())
    except OSError:
        return f"There is no folder {file.parent} either; check the path."
    return f"In {file.parent}: " + nearest_names(file.name, names)


def unpack_gzip(data: bytes, file: Path) -> bytes:
    """Unpacks gzip; ``DataError`` where it is truncated or damaged."""
    try:
        return gzip.decompress(data)
    except EOFError:
        raise DataError(
            f"{file} is a truncated gzip file: it ends after {len(data)} bytes, "
            "before its end marker",
            "Download or copy the file again.",
        ) from None
    except (OSError, zlib.error) as error:
        raise DataError(
            f"{file} is a damaged gzip file: {error}", "Download or copy the file again."
        ) from None


# --- Text --------------------------------------------------------------------------------------


def _decode(data: bytes, file: Path, encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise ArgumentError(
            f"There is no text encoding named {encoding!r}",
            "Common ones are utf-8, gb18030, big5, shift_jis, cp1252 and utf-16.",
        ) from None
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(
            f"{file} is a spreadsheet or a zip archive, not a CSV file",
            "Save the sheet as CSV (UTF-8), or unpack the archive.",
        )
    try:
        text = data.decode("utf-8-sig" if codec == "utf-8" else codec)
    except UnicodeDecodeError as error:
        raise _encoding_error(data, file, codec, error) from None
    if "\0" in text:
        position = text.index("\0")
        raise DataError(
            f"{file} is not a text file: a zero byte at position {position}",
            'If it is UTF-16, read it with encoding="utf-16"; otherwise give CSV or Parquet.',
        )
    return text


def _encoding_error(data: bytes, file: Path, codec: str, error: UnicodeDecodeError) -> DataError:
    line = data.count(b"\n", 0, error.start) + 1
    message = (
        f"{file} is not {codec.upper()}: byte 0x{data[error.start]:02x} "
        f"at position {error.start} (line {line})"
    )
    guess = _guess_encoding(data)
    return DataError(
        message,
        f"It may be {guess}. Save the file as UTF-8 "
        f"(iconv -f {guess} -t UTF-8 {file.name} > new.csv), "
        f'or read it with encoding="{guess}".',
    )


def _guess_encoding(data: bytes) -> str:
    """The encoding that people with such a file most often have; a guess, said to be one."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return "cp1252"
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in text)
    others = sum(character > "\x7f" for character in text) - chinese
    return "gb18030" if chinese > others else "cp1252"


# --- CSV ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """What a scan of a CSV text found out: header and the line where each record begins."""

    header: list[str]
    lines: Rows


def _read_csv(
    file: Path,
    text: str,
    separator: str | None,
    text_columns: Collection[str],
    date_formats: Mapping[str, str],
    fingerprint: str,
) -> Table:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if separator is None:
        separator = _sniff_separator(text)
    elif len(separator) != 1 or separator in '"\r\n' or ord(separator) > 127:
        raise ArgumentError(
            f"separator={separator!r} cannot separate cells",
            "Give one ASCII character, such as ';'.",
        )
    layout = _scan(file, text, separator)
    if not layout.lines.size:
        names = ", ".join(repr(name) for name in layout.header[:10])
        raise DataError(
            f"{file} has a header ({names}) and no rows",
            "Give a file with at least one line below the column names.",
        )
    frame = _parse(text, separator, layout)
    for name in text_columns:
        if name not in layout.header:
            raise DataError(
                f"{file} has no column named {name!r}", nearest_names(name, layout.header)
            )
    notes: list[str] = []
    columns: dict[str, Column] = {}
    for name, series in zip(layout.header, frame, strict=True):
        if name in text_columns:
            columns[name] = encode_text(name, _without(series.str.strip_chars(), MISSING_TEXTS))
        else:
            formats = (date_formats[name],) if name in date_formats else DATE_FORMATS
            columns[name] = _typed(name, series, separator, formats, notes)
    return Table(str(file), columns, layout.lines, tuple(notes), fingerprint)


def _sniff_separator(text: str) -> str:
    """The separator that cuts the first rows into the same number of cells as the header."""
    head = "\n".join(text[:_SNIFFED_CHARACTERS].split("\n")[: _SNIFFED_ROWS + 1])
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        try:
            records = [r for r in csv.reader(io.StringIO(head), delimiter=separator) if r]
        except csv.Error:
            continue
        width = len(records[0]) if records else 0
        if width < 2:
            continue
        agreeing = sum(len(record) == width for record in records) / len(records)
        score = (round(agreeing, 1), width)
        if score > best_score:
            best, best_score = separator, score
    return best


def _scan(file: Path, text: str, separator: str) -> _Layout:
    """Checks that all records have as many cells as the header, and finds their lines."""
    records = _quoted_widths(file, text, separator) if '"' in text else None
    if records is None:
        widths, lines, header = _plain_widths(text, separator)
    else:
        widths, lines, header = records
    if not header:
        raise DataError(f"{file} has no column names", "Give a first line with column names.")
    header = [name.strip() for name in header]
    _check_header(file, header)
    wrong = np.flatnonzero(widths != len(header))
    if wrong.size:
        first = int(wrong[0])
        more = f" ({wrong.size} lines differ)" if wrong.size > 1 else ""
        raise DataError(
            f"{file} has ragged rows: line {int(lines[first])} has {int(widths[first])} cells, "
            f"the header has {len(header)}{more}",
            f"Cells are separated by {separator!r}. Quote cells that contain it, "
            "and give every line the same number of cells.",
        )
    return _Layout(header, lines)


def _plain_widths(text: str, separator: str) -> tuple[Rows, Rows, list[str]]:
    """Cells in each line and its number, for text without quotes, by counting characters."""
    raw = np.frombuffer(text.encode(), dtype=np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    if not raw.size or raw[-1] != ord("\n"):
        ends = np.append(ends, raw.size)
    starts = np.concatenate(([0], ends[:-1] + 1))
    cuts = np.flatnonzero(raw == ord(separator))
    separators = np.searchsorted(cuts, ends) - np.searchsorted(cuts, starts)
    filled = np.flatnonzero(ends > starts)
    header = raw[starts[filled[0]] : ends[filled[0]]].tobytes().decode()
    rows = filled[1:]
    return separators[rows] + 1, rows + 1, header.split(separator)


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Records of a quoted CSV text with the line where each begins; blank lines left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    for record in reader:
        if record:
            yield line, record
        line = reader.line_num + 1


def _quoted_widths(file: Path, text: str, separator: str) -> tuple[Rows, Rows, list[str]]:
    """The same as ``_plain_widths`` for text with quoted cells."""
    header: list[str] = []
    widths: list[int] = []
    lines: list[int] = []
    line = 0
    try:
        for line, record in _records(text, separator):
            if not header:
                header = record
                continue
            widths.append(len(record))
            lines.append(line)
    except csv.Error as error:
        raise DataError(
            f"{file} has broken quotes after line {line}: {error}",
            "Close every quoted cell, and write a quote inside a quoted cell twice.",
        ) from None
    return np.array(widths, dtype=np.int64), np.array(lines, dtype=np.int64), header


def _check_header(file: Path, header: list[str]) -> None:
    for position, name in enumerate(header):
        if not name:
            header[position] = f"unnamed {position + 1}"
    check_column_names(header, str(file))
    numbers = [_number(name) for name in header]
    if any(number is None for number in numbers):
        return
    steps = [
        later - earlier  # type: ignore[operator]
        for earlier, later in zip(numbers, numbers[1:], strict=False)
    ]
    if numbers[0] not in (0.0, 1.0) or any(step != 1.0 for step in steps):
        raise DataError(
            f"{file} has no column names: its first line holds only numbers "
            f"({', '.join(header[:6])}{', …' if len(header) > 6 else ''})",
            "Add a first line with a name for each column.",
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _parse(text: str, separator: str, layout: _Layout) -> list[Any]:
    """The cells as polars series of strings; a missing cell is null."""
    import polars

    width, rows = len(layout.header), layout.lines.size
    try:
        frame = polars.read_csv(
            io.BytesIO(text.encode()),
            separator=separator,
            has_header=True,
            infer_schema=False,
        )
        frame = frame.filter(~polars.all_horizontal(polars.all().is_null()))
        if frame.width == width and frame.height == rows:
            return list(frame.get_columns())
    except polars.exceptions.PolarsError:
        pass
    # Quotes that two parsers read differently, or rows of empty cells: the scan's parser decides.
    cells: list[list[str]] = [[] for _ in range(width)]
    records = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for record in [record for record in records if record][1:]:
        for column, cell in zip(cells, record, strict=True):
            column.append(cell)
    return [polars.Series(values, dtype=polars.String) for values in cells]


def _typed(
    name: str, series: Any, separator: str, date_formats: Sequence[str], notes: list[str]
) -> Column:
    """A column with the type that all of its cells share."""
    import polars

    stripped = series.str.strip_chars()
    cells = _without(stripped, MISSING_TEXTS)
    if cells.null_count() == len(cells):
        return Column(name, "number", np.full(len(cells), np.nan))
    numeric = _without(stripped, MISSING_NUMBERS)
    numbers = _numbers(numeric, separator)
    if numbers is not None:
        if numeric.null_count() > cells.null_count():
            markers = cells.filter(numeric.is_null() & cells.is_not_null()).unique().sort()
            shown = ", ".join(repr(marker) for marker in markers.to_list())
            notes.append(f"Column {name!r}: {shown} was read as a missing number.")
        return Column(name, "number", numbers)
    text = encode_text(name, cells)
    if {category.lower() for category in text.categories} <= {"true", "false"}:
        truth = np.array([float(c.lower() == "true") for c in text.categories] + [np.nan])
        return Column(name, "boolean", truth[text.values])
    found = _category_times(name, polars.Series(text.categories), date_formats, notes)
    if found is None:
        return text
    times, date_format = found
    return Column(name, "time", np.append(times, np.nan)[text.values], date_format=date_format)


def _without(series: Any, markers: Sequence[str]) -> Any:
    """The series with null in place of the markers."""
    import polars

    return series.set(series.is_in(list(markers)), None).cast(polars.String)


_LEADING_ZERO = r"^[+-]?0\d"
_DECIMAL_COMMA = r"^[+-]?\d+(,\d+)?([eE][+-]?\d+)?$"


def _numbers(cells: Any, separator: str) -> npt.NDArray[np.float64] | None:
    """The cells as float64 with NaN for null, or None when one of them is not a number."""
    import polars

    present = cells.drop_nulls()
    if not len(present) or present.str.contains(_LEADING_ZERO).any():
        return None
    if separator != "," and present.str.contains(_DECIMAL_COMMA).all():
        cells = cells.str.replace(",", ".", literal=True)
    numbers = cells.cast(polars.Float64, strict=False)
    if numbers.null_count() > cells.null_count():
        return None
    return np.array(numbers.fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _category_times(
    name: str, categories: Any, date_formats: Sequence[str], notes: list[str]
) -> tuple[npt.NDArray[np.float64], str] | None:
    """The categories as seconds and their format, or None when they are not dates of one."""
    import polars

    if categories[0][:1] not in tuple("0123456789"):
        return None
    without_zone = categories.str.strip_suffix("Z")
    fitting: list[tuple[str, Any]] = []
    for date_format in date_formats:
        times = without_zone.str.to_datetime(date_format, strict=False, time_unit="us")
        if times.null_count() == 0:
            fitting.append((date_format, times))
    if not fitting:
        return None
    if [date_format for date_format, _ in fitting] == ["%m/%d/%Y", "%d/%m/%Y"]:
        notes.append(f"Column {name!r}: dates such as {categories[0]} were read as month/day/year.")
    date_format, times = fitting[0]
    return times.cast(polars.Int64).to_numpy().astype(np.float64) / 1e6, date_format


# --- Parquet -----------------------------------------------------------------------------------


def _read_parquet(file: Path, data: bytes, fingerprint: str) -> Table:
    import polars

    # The footer's length stands in the last 8 bytes; a truncated file lacks them.
    footer = int.from_bytes(data[-8:-4], "little") if len(data) >= 12 else 0
    if len(data) < 12 or data[-4:] != b"PAR1" or footer > len(data) - 12:
        raise DataError(
            f"{file} is a damaged Parquet file: its end marker is missing "
            f"({len(data)} bytes, probably truncated)",
            "Write or copy the file again.",
        )
    try:
        frame = polars.read_parquet(io.BytesIO(data))
    except (Exception, polars.exceptions.PanicException) as error:
        raise DataError(
            f"{file} is a damaged Parquet file: {str(error).splitlines()[0][:200]}",
            "Write or copy the file again.",
        ) from None
    if not frame.width or not frame.height:
        raise DataError(
            f"{file} has {frame.width} columns and {frame.height} rows",
            "Give a table with at least one row.",
        )
    table = as_table(frame, str(file))
    return Table(table.name, table.columns, None, (), fingerprint)
