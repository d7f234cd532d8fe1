"""CSV text: its separator, the line of column names, and a check of every record."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Rows, check_column_names
from pellucid.data.number_text import take_apart

SEPARATORS = (",", ";", "\t", "|")
# Looked at where none of the usual ones cuts the rows alike.
RARE_SEPARATORS = ("\x01", "\x1f", "^", "~", ":", "¦", "§")
_STAND_IN = "\x1f"  # ASCII's own separator of cells, for what no parser takes
_BLANKS = re.compile(r'"(?:[^"]|"")*"|[^ \t]+')
_SNIFFED_ROWS = 50
_SNIFFED_CHARACTERS = 1_000_000
_field_limit = threading.Lock()


# --- The first lines ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """What a scan of a CSV text found out.

    ``header`` are the column names, ``lines`` the line of the file where each row begins,
    ``body`` the text from the line of names on (from the first row on where there is none, and
    ``named`` is False), ``cells`` the number of cells in each line of the file, which may be one
    more than there are names where every line ends in a separator.  ``restore`` maps characters
    of the cells to what stands for them in the file, ``written`` is the separator as the file has
    it.
    """

    header: list[str]
    lines: Rows
    body: str
    separator: str
    named: bool
    cells: int
    restore: Mapping[str, str] = field(default_factory=dict)
    written: str = ","


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
        if separator not in SEPARATORS:
            notes.append(f"{file.name}: cells are separated by {_shown(separator)}.")
    written = separator
    text, separator, restore = _plain_form(file, text, separator, notes)
    widths, lines, names = _widths(file, text, separator, first)
    if not names:
        raise DataError(f"{file} has no column names", "Give a first line with column names.")
    named = header is not False
    if named and _has_row_names(names, widths):
        text, names = _name_rows(text, names, separator, notes, file)
        widths[0] = len(names)
    if named:
        names = [name.strip() for name in names]
        _check_header(file, names, header, notes)
        start = int(lines[0])
        widths, lines = widths[1:], lines[1:]
    else:
        names = [f"column {position + 1}" for position in range(len(names))]
        start = int(lines[0])
    cells = _check_widths(file, names, widths, lines, separator, start, text)
    return Layout(names, lines, text, separator, named, cells, restore, written)


def _shown(separator: str) -> str:
    return "blanks" if separator == " " else repr(separator)


def _plain_form(
    file: Path, text: str, separator: str, notes: list[str]
) -> tuple[str, str, dict[str, str]]:
    """The text with one ASCII character between cells and double quotes around them, that
    character, and what to put back into the cells."""
    if not separator or re.search(r'["\n\w]', separator):
        raise ArgumentError(
            f"separator={separator!r} cannot separate cells",
            "Give a sign such as ';', '\\t' or '||', or a blank for any number of blanks.",
        )
    restore: dict[str, str] = {}
    if separator == " ":
        text = "\n".join(_STAND_IN.join(_BLANKS.findall(line)) for line in text.split("\n"))
        separator = _STAND_IN
    elif len(separator) > 1 or ord(separator) > 127:
        restore[_STAND_IN] = separator
        text, separator = text.replace(separator, _STAND_IN), _STAND_IN
    if _has_single_quotes(text, separator):
        notes.append(f"{file.name}: cells are quoted by single quotes.")
        text = text.translate({ord("'"): '"', ord('"'): "'"})
        restore |= {"'": '"', '"': "'"}
    elif '\\"' in text and _has_escapes(text, separator):
        notes.append(f'{file.name}: quotes inside cells are written as \\" .')
        text = text.replace('\\"', '""')
    return text, separator, restore


def _head(text: str) -> str:
    """The first lines, to find out how they are written."""
    return "\n".join(text[:_SNIFFED_CHARACTERS].split("\n")[: _SNIFFED_ROWS + 1])


def _has_single_quotes(text: str, separator: str) -> bool:
    """Whether cells are quoted by ' and separators stand inside of some: then only that reading
    gives every line as many cells."""
    cut = re.escape(separator)
    if not re.search(rf"(?:^|{cut})'[^'\n]*{cut}[^'\n]*'(?:{cut}|$)", _head(text), re.M):
        return False
    swapped = _head(text).translate({ord("'"): '"', ord('"'): "'"})
    return _agreement(swapped, separator) == 1.0 > _agreement(_head(text), separator)


def _has_escapes(text: str, separator: str) -> bool:
    """Whether reading \\" as a quote inside a cell makes the lines alike that were not."""
    escaped = _agreement(_head(text).replace('\\"', '""'), separator)
    return escaped > _agreement(_head(text), separator)


def _agreement(head: str, separator: str) -> float:
    """The share of records with as many cells as the first one; 0 for broken quotes."""
    try:
        records = [r for r in _reader(head, separator, strict=True) if r]
    except csv.Error:
        return 0.0
    return sum(len(r) == len(records[0]) for r in records) / len(records) if records else 0.0


def _has_row_names(names: list[str], widths: Rows) -> bool:
    """Whether every row has one cell more than there are names, as R's ``write.table`` makes it
    (a name for each column but that of the row names)."""
    return 1 < len(names) and len(widths) > 1 and bool(np.all(widths[1:] == len(names) + 1))


def _name_rows(
    text: str, names: list[str], separator: str, notes: list[str], file: Path
) -> tuple[str, list[str]]:
    """The text with a name for the first column, unless each line only ends in a separator."""
    if _last_cells_empty(text, separator):
        return text, names
    notes.append(f"{file.name}: the first cell of each line has no name: taken as a row's name.")
    return f"row name{separator}{text}", ["row name", *names]


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
    """The separator that cuts the first rows into the same number of cells as the header; rare
    ones and blanks where the usual ones do not."""
    head = _head(text)
    best, score = _best_separator(head, SEPARATORS)
    if score[0] < 0.9:
        rare, rare_score = _best_separator(head, RARE_SEPARATORS)
        if rare_score[0] >= 0.9:
            best, score = rare, rare_score
        elif _cut_by_blanks(head):
            return " "
    lines = [line for line in head.split("\n") if line]
    doubled = all(line.count(best) == 2 * line.count(2 * best) for line in lines)
    return 2 * best if doubled and score[1] > 2 else best


def has_separator(text: str) -> bool:
    """Whether one of the usual separators cuts nearly all of the first rows alike."""
    return _best_separator(_head(text), SEPARATORS)[1][0] >= 0.9


def _best_separator(head: str, separators: Sequence[str]) -> tuple[str, tuple[float, int]]:
    best, best_score = ",", (0.0, 0)
    for separator in separators:
        plain = separator if len(separator) == 1 and ord(separator) < 128 else _STAND_IN
        try:
            records = [r for r in _reader(head.replace(separator, plain), plain) if r]
        except csv.Error:
            continue
        width = len(records[0]) if records else 0
        if width < 2:
            continue
        agreeing = sum(len(record) == width for record in records) / len(records)
        if (named := sum(len(r) == width + 1 for r in records[1:])) == len(records) - 1 > 1:
            agreeing = named / len(records)  # a column of row names without a name
        score = (round(agreeing, 1), width)
        if score > best_score:
            best, best_score = separator, score
    return best, best_score


def _cut_by_blanks(head: str) -> bool:
    """Whether blanks cut several lines into at least two cells each, the same number in all (one
    more where rows have names), and nearly all of the cells below the first line are numbers."""
    lines = [cells for line in head.split("\n")[:-1] or [head] if (cells := _BLANKS.findall(line))]
    if len(lines) < 3 or len(lines[1]) < 2 or len({len(cells) for cells in lines[1:]}) != 1:
        return False
    if len(lines[0]) not in (len(lines[1]), len(lines[1]) - 1):
        return False
    below = [cell.strip('"') for cells in lines[1:] for cell in cells]
    return sum(take_apart(cell) is not None for cell in below) >= 0.5 * len(below)


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
