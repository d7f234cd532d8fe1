"""CSV text: its encoding, its separator, the line of column names, and a check of every record."""

from __future__ import annotations

import codecs
import csv
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Rows, check_column_names
from pellucid.data.number_text import take_apart

SEPARATORS = (",", ";", "\t", "|")
_SNIFFED_ROWS = 50
_SNIFFED_CHARACTERS = 1_000_000
_field_limit = threading.Lock()


# --- Encoding ----------------------------------------------------------------------------------


def decode(data: bytes, file: Path, encoding: str, notes: list[str]) -> str:
    """The text of a file; a byte-order mark of UTF-16 is followed, with a note.

    Raises ``ArgumentError`` for an unknown encoding, and ``DataError`` for bytes that are not of
    it, with the encoding that is likely, and for files that are not text.
    """
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise ArgumentError(
            f"There is no text encoding named {encoding!r}",
            "Common ones are utf-8, gb18030, big5, shift_jis, cp1252 and utf-16.",
        ) from None
    for start, what in _OTHER_FORMATS.items():
        if data.startswith(start):
            raise DataError(f"{file} is {what}, not a CSV file", _OTHER_HINTS[what])
    if codec == "utf-8" and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        codec = "utf-16"
        notes.append(f"{file.name} is UTF-16, by its byte-order mark.")
    try:
        text = data.decode("utf-8-sig" if codec == "utf-8" else codec)
    except UnicodeDecodeError as error:
        raise _encoding_error(data, file, codec, error) from None
    except (UnicodeError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{file} cannot be read as {encoding}: {error}", "Choose another encoding."
        ) from None
    if "\0" in text:
        raise DataError(
            f"{file} is not a text file: a zero byte at position {text.index(chr(0))}",
            phrase(
                "If it is UTF-16, read it with ",
                Setting("encoding", "utf-16"),
                "; otherwise give CSV or Parquet.",
            ),
        )
    return text.removeprefix("\ufeff")


_SHEET = "a spreadsheet or a zip archive"
_ARROW = "an Arrow or Feather file"
_SQLITE = "an SQLite database"
_OTHER_FORMATS = {
    b"PK\x03\x04": _SHEET,
    b"\xd0\xcf\x11\xe0": _SHEET,
    b"ARROW1": _ARROW,
    b"FEA1": _ARROW,
    b"SQLite format 3": _SQLITE,
}
_OTHER_HINTS = {
    _SHEET: "Save the sheet as CSV (UTF-8), or unpack the archive.",
    _ARROW: "Write it as Parquet (DataFrame.write_parquet), or give the data frame itself.",
    _SQLITE: "Write the table as CSV: sqlite3 -header -csv FILE 'select * from TABLE' > table.csv",
}


def _encoding_error(data: bytes, file: Path, codec: str, error: UnicodeDecodeError) -> DataError:
    line = data.count(b"\n", 0, error.start) + 1
    message = (
        f"{file} is not {codec.upper()}: byte 0x{data[error.start]:02x} "
        f"at position {error.start} (line {line})"
    )
    guess = _guess_encoding(data)
    return DataError(
        message,
        phrase(
            f"It may be {guess}. Save the file as UTF-8 "
            f"(iconv -f {guess} -t UTF-8 {file.name} > new.csv), or read it with ",
            Setting("encoding", guess),
            ".",
        ),
    )


def _guess_encoding(data: bytes) -> str:
    """The encoding that people with such a file most often have; a guess, said to be one."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return "cp1252"
    # Usual Chinese characters take two bytes above 0xA0; accented letters stand alone.
    paired = 2 * len(re.findall(rb"[\xa1-\xf7][\xa1-\xfe]", data[:_SNIFFED_CHARACTERS]))
    high = sum(byte >= 0x80 for byte in data[:_SNIFFED_CHARACTERS])
    return "gb18030" if paired >= 0.8 * high else "cp1252"


# --- The first lines ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """What a scan of a CSV text found out.

    ``header`` are the column names, ``lines`` the line of the file where each row begins,
    ``body`` the text from the line of names on (from the first row on where there is none, and
    ``named`` is False), ``cells`` the number of cells in each line of the file, which may be one
    more than there are names where every line ends in a separator.
    """

    header: list[str]
    lines: Rows
    body: str
    separator: str
    named: bool
    cells: int


def lay_out(
    file: Path, text: str, separator: str | None, header: bool | None, notes: list[str]
) -> Layout:
    """Finds separator and column names, and checks that every record has as many cells.

    ``separator`` and ``header`` (whether the first line holds the column names) are found out
    unless given.  Raises ``DataError`` for ragged rows, broken quotes, lines without names and
    duplicate names.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text, first, separator = _skip_preamble(file, text, separator, notes)
    if separator is None:
        separator = _sniff_separator(text)
    elif len(separator) != 1 or separator in '"\n' or ord(separator) > 127:
        raise ArgumentError(
            f"separator={separator!r} cannot separate cells",
            "Give one ASCII character, such as ';'.",
        )
    widths, lines, names = _widths(file, text, separator, first)
    if not names:
        raise DataError(f"{file} has no column names", "Give a first line with column names.")
    named = header is not False
    if named:
        names = [name.strip() for name in names]
        _check_header(file, names, header, notes)
        start = int(lines[0])
        widths, lines = widths[1:], lines[1:]
    else:
        names = [f"column {position + 1}" for position in range(len(names))]
        start = int(lines[0])
    cells = _check_widths(file, names, widths, lines, separator, start, text)
    return Layout(names, lines, text, separator, named, cells)


def _skip_preamble(
    file: Path, text: str, separator: str | None, notes: list[str]
) -> tuple[str, int, str | None]:
    """The text from the line of column names on, the number of that line, and the separator.

    Excel's line ``sep=;`` names the separator.  Lines that begin with ``#`` are comments, unless
    the last of them names the columns of the numbers below it, as NumPy's ``savetxt`` writes.
    """
    lines_before = 0
    found = re.match(r"\s*\n", text)
    if found is not None:
        lines_before += found[0].count("\n")
        text = text[found.end() :]
    declared = re.match(r'"?sep=(.)"?\n', text)
    if declared is not None and separator is None:
        separator, text, lines_before = declared[1], text[declared.end() :], lines_before + 1
    comments = re.match(r"(?:#[^\n]*\n\s*?)+", text)
    if comments is None:
        return text, lines_before + 1, separator
    marked = comments[0].rstrip("\n").split("\n")
    below = text[comments.end() :].partition("\n")[0]
    last = max(i for i, line in enumerate(marked) if line.startswith("#"))
    cut = separator or _sniff_separator(below + "\n")
    cells, names = below.split(cut), marked[last].lstrip("#").split(cut)
    numbers = sum(take_apart(cell.strip().strip('"')) is not None for cell in cells)
    names_numbers = sum(take_apart(name.strip()) is not None for name in names)
    if len(cells) == len(names) and numbers > names_numbers:
        head = marked[last].lstrip("#").strip()
        notes.append(f"{file.name}: line {lines_before + last + 1} ({head[:60]!r}) names columns.")
        rest = "\n" * (len(marked) - last - 1) + text[comments.end() :]
        skipped, text = last, f"{head}\n{rest}"
    elif len(cells) < 2 and len(names) > 1:
        return text, lines_before + 1, separator  # a name that begins with #
    else:
        skipped, text = len(marked), text[comments.end() :]
    count = sum(line.startswith("#") for line in marked[:skipped])
    if count:
        many = "1 line" if count == 1 else f"{count} lines"
        notes.append(f"{file.name}: {many} above the column names skipped as comments (#).")
    return text, lines_before + skipped + 1, separator


def _sniff_separator(text: str) -> str:
    """The separator that cuts the first rows into the same number of cells as the header."""
    head = "\n".join(text[:_SNIFFED_CHARACTERS].split("\n")[: _SNIFFED_ROWS + 1])
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        try:
            records = [r for r in _reader(head, separator) if r]
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


# --- Records -----------------------------------------------------------------------------------


def _reader(text: str, separator: str, *, strict: bool = False) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict)


def records_of(text: str, separator: str, *, strict: bool = False) -> Iterator[list[str]]:
    """Records of a CSV text by Python's parser, cells of any length; blank lines are empty."""
    with _field_limit:
        before = csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
        try:
            yield from _reader(text, separator, strict=strict)
        finally:
            csv.field_size_limit(before)


def _widths(file: Path, text: str, separator: str, first: int) -> tuple[Rows, Rows, list[str]]:
    """Cells in each record, the line where it begins, and the cells of the first one."""
    if '"' in text:
        return _quoted_widths(file, text, separator, first)
    raw = np.frombuffer(text.encode(), dtype=np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    if not raw.size or raw[-1] != ord("\n"):
        ends = np.append(ends, raw.size)
    starts = np.concatenate(([0], ends[:-1] + 1))
    cuts = np.flatnonzero(raw == ord(separator))
    separators = np.searchsorted(cuts, ends) - np.searchsorted(cuts, starts)
    filled = np.flatnonzero(ends > starts)
    if not filled.size:
        return filled, filled, []
    names = raw[starts[filled[0]] : ends[filled[0]]].tobytes().decode()
    return separators[filled] + 1, filled + first, names.split(separator)


def _quoted_widths(
    file: Path, text: str, separator: str, first: int
) -> tuple[Rows, Rows, list[str]]:
    """The same as ``_widths`` for text with quoted cells."""
    names: list[str] = []
    widths: list[int] = []
    lines: list[int] = []
    line = last = first
    try:
        for record in records_of(text, separator, strict=True):
            if record:
                names = names or record
                widths.append(len(record))
                lines.append(line)
                last = line
            line += 1 + sum(cell.count("\n") for cell in record)
    except csv.Error as error:
        raise DataError(
            f"{file} has broken quotes after line {last}: {error}",
            "Close every quoted cell, and write a quote inside a quoted cell twice.",
        ) from None
    return np.array(widths, dtype=np.int64), np.array(lines, dtype=np.int64), names


def _check_widths(
    file: Path,
    names: list[str],
    widths: Rows,
    lines: Rows,
    separator: str,
    start: int,
    text: str,
) -> int:
    """The number of cells in each line, or ``DataError`` for ragged rows."""
    wrong = np.flatnonzero(widths != len(names))
    if not wrong.size:
        return len(names)
    if bool(np.all(widths == len(names) + 1)) and _last_cells_empty(text, separator):
        return len(names) + 1
    first = int(wrong[0])
    more = f" ({wrong.size} lines differ)" if wrong.size > 1 else ""
    shown = separator.join(names)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    raise DataError(
        f"{file} has ragged rows: line {int(lines[first])} has {int(widths[first])} cells, "
        f"the header has {len(names)}{more}",
        f"Line {start} ({shown!r}) is taken for the header, cells are separated by "
        f"{separator!r}. Remove what stands above the column names, quote cells that contain the "
        "separator, and give every line the same number of cells.",
    )


def _last_cells_empty(text: str, separator: str) -> bool:
    """Whether every line below the first ends in a separator."""
    below = text.partition("\n")[2]
    return not re.search(rf"[^{re.escape(separator)}\n][ \t]*(?:\n|\Z)", below) or not any(
        line.strip() and not line.rstrip(" ").endswith(separator) for line in below.split("\n")
    )


def _check_header(file: Path, names: list[str], header: bool | None, notes: list[str]) -> None:
    for position, name in enumerate(names):
        if not name:
            names[position] = f"unnamed {position + 1}"
    check_column_names(names, str(file))
    numbers = [_number(name) for name in names]
    if header or any(number is None for number in numbers):
        return
    found = [number for number in numbers if number is not None]
    counted = all(b - a == 1.0 for a, b in zip(found, found[1:], strict=False))
    if counted and found[0] in (0.0, 1.0):
        return
    shown = f"{', '.join(names[:6])}{', …' if len(names) > 6 else ''}"
    years = [n for n in found if n == int(n) and 1800 <= n <= 2200]
    if counted and len(years) == len(found) > 1:
        notes.append(
            phrase(
                f"{file.name}: the first line ({shown}) is taken for column names. If it is a "
                "row, use ",
                Setting("header", False),
                ".",
            )
        )
        return
    raise DataError(
        f"{file} has no column names: its first line holds only numbers ({shown})",
        phrase(
            "Add a first line with a name for each column; or use ",
            Setting("header", True),
            " to take this line for the names, or ",
            Setting("header", False),
            " to name them column 1, column 2, ….",
        ),
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
