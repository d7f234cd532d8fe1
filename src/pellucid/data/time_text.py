"""Dates and times as people write them, read by one format for a whole column.

A format is named by its codes (``%d/%m/%y %H:%M``).  Two-digit years are 1970 … 2069, as POSIX
has them; a year is never below 1000.  Times of day are times of 1970-01-01, months their first
day, and zones are taken off to UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.extras import needs
from pellucid.data.number_text import STRAY_SHARE

Seconds = npt.NDArray[np.float64]

_MONTHS = ("%Y-%m", "%Y/%m", "%Y年%m月", "%b %Y")
# In the order of preference where several formats read all cells.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y",
    "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%y", "%d-%m-%y",
    "%y-%m-%d", "%y/%m/%d", "%b %d %Y", "%b %d, %Y", "%d %b %Y", "%d. %b %Y", "%d-%b-%Y",
    "%d/%b/%Y", "%d-%b-%y", "%d %b %y", "%a, %d %b %Y", "%Y%m%d", *_MONTHS,
)  # fmt: skip
_CLOCKS = ("%H:%M", "%H:%M:%S%.f", "%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I:%M:%S%p")
_CODES = {
    "%Y": r"[12]\d{3}", "%y": r"\d{2}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%b": r"[A-Za-z]{3,9}",
    "%a": r"[A-Za-z]{3}", "%H": r"\d{1,2}", "%I": r"\d{1,2}", "%M": r"\d{2}", "%S": r"\d{2}",
    "%.f": r"(?:[.,]\d{1,9})?", "%p": r"[AaPp][Mm]", "%z": r"[+-]\d{2}:?\d{2}",
}  # fmt: skip
_EXAMPLES = {
    "%Y": "2020", "%y": "20", "%m": "01", "%d": "31", "%b": "Jan", "%a": "Fri", "%H": "13",
    "%I": "01", "%M": "45", "%S": "00", "%.f": "", "%p": "PM", "%z": "+02:00", "%B": "January",
}  # fmt: skip
_CODE = re.compile(r"%\.f|%[A-Za-z]")
_ORDERS = {"%m/%d": "month/day", "%d/%m": "day/month", "%m-%d": "month/day", "%d-%m": "day/month"}
_SNIFFED = 200


@dataclass(frozen=True)
class TimeRule:
    """The format of a column: which cells it reads, and what else would have read them.

    ``others`` are formats that read as many cells in another way; ``order`` is ``month/day`` or
    ``day/month`` for formats with that choice.
    """

    date_format: str
    seconds: Seconds
    others: tuple[str, ...]

    @property
    def order(self) -> str:
        """The order of day and month, where the format leaves a choice."""
        return day_order(self.date_format)


def day_order(date_format: str) -> str:
    """``month/day`` or ``day/month`` for formats of digits that end in the year."""
    return _ORDERS.get(date_format[:5], "")


def example_of(date_format: str) -> str:
    """How the 31st of January 2020, 13:45, looks in a format."""
    return _CODE.sub(lambda code: _EXAMPLES.get(code[0], code[0]), date_format)


@cache
def all_formats() -> tuple[str, ...]:
    """Every format that is tried: dates alone first, then with a clock, then with a zone."""
    made = [*_DATES, *_CLOCKS]
    for zone in ("", "%z"):
        for clock in _CLOCKS:
            for date in _DATES[: -len(_MONTHS)]:
                made += [date + glue + clock + zone for glue in (" ", "T")]
    return (*made, "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S%z")


@cache
def _pattern(date_format: str) -> str:
    """What texts of a format look like, for polars and Python alike."""
    # Without separators every part has its full length.
    shapes = {c: p.replace("{1,2}", "{2}") for c, p in _CODES.items()}
    shapes = shapes if date_format.startswith("%Y%m%d") else _CODES
    parts, at = [], 0
    for code in _CODE.finditer(date_format):
        parts.append(re.escape(date_format[at : code.start()]).replace(r"\ ", " +"))
        blank = " ?" if code[0] == "%z" else ""
        parts.append(blank + shapes.get(code[0], r"\S+"))
        at = code.end()
    return "^" + "".join(parts) + re.escape(date_format[at:]) + "$"


def _seconds(cells: Any, date_format: str) -> Seconds:
    """Texts (a polars series) as seconds since 1970 UTC, NaN where they are not of the format."""
    with needs("train", "Reading tables"):
        import polars

    text = cells.set(~cells.str.contains(_pattern(date_format)), None)
    wanted = date_format
    text = text.str.replace_all(r" +", " ").str.replace(r" ([+-]\d{2}:?\d{2})$", "$1")
    if "%.f" in wanted:
        text = text.str.replace(r"(\d),(\d{1,9})($|[+-])", "$1.$2$3")
    if "%b" in wanted:
        text = text.str.replace(r"([A-Za-z]{3})[A-Za-z]+", "$1")
    if not any(code in wanted for code in ("%Y", "%y")):
        text, wanted = "1970-01-01 " + text, "%Y-%m-%d " + wanted
    elif "%d" not in wanted and "%j" not in wanted:
        text, wanted = text + " 01", wanted + " %d"
    if "%H" not in wanted and "%I" not in wanted:
        text, wanted = text + " 00:00", wanted + " %H:%M"
    try:
        times = text.str.to_datetime(wanted, strict=False, time_unit="us")
    except polars.exceptions.PolarsError:
        return np.full(len(cells), np.nan)
    micros = times.cast(polars.Int64).cast(polars.Float64).fill_null(float("nan"))
    return np.array(micros.to_numpy(), dtype=np.float64) / 1e6


def decide_times(
    texts: Sequence[str],
    counts: Sequence[int],
    formats: Sequence[str] = (),
    order: str = "",
    wanted: float = STRAY_SHARE,
) -> TimeRule | None:
    """How a column of these distinct texts is to be read as times, or None where fewer than
    the share ``wanted`` of its cells are times of one format.

    ``formats`` are tried first and win where they read as much as another (a format of training,
    or one that the user names); ``order`` (``month/day`` or ``day/month``) decides for formats
    that read as much as each other.
    """
    with needs("train", "Reading tables"):
        import polars

    likely = _likely(texts[:: max(1, len(texts) // _SNIFFED)], formats)
    if not likely:
        return None
    cells = polars.Series(list(texts), dtype=polars.String)
    weights = np.array(counts, dtype=np.float64)
    read = [
        (f, seconds, float(weights[~np.isnan(seconds)].sum()))
        for f in likely
        for seconds in (_seconds(cells, f),)
    ]
    most = max(weight for _, _, weight in read)
    if most < wanted * weights.sum() or most <= 0:
        return None
    best = [(f, seconds) for f, seconds, weight in read if weight == most]
    best.sort(
        key=lambda pair: (
            pair[0] not in formats,
            bool(order) and day_order(pair[0]) != order and bool(day_order(pair[0])),
        )
    )
    date_format, seconds = best[0]
    others = tuple(f for f, other in best[1:] if not np.array_equal(other, seconds, equal_nan=True))
    return TimeRule(date_format, seconds, () if date_format in formats else others)


def _likely(sample: Sequence[str], formats: Sequence[str]) -> list[str]:
    """Formats that at least half of a sample look like; their separators find candidates."""
    shapes = {_skeleton(text) for text in sample}
    known = [f for shape in shapes for f in _by_skeleton().get(shape, ())]
    candidates = sorted(dict.fromkeys(known), key=all_formats().index)
    found = []
    for date_format in dict.fromkeys((*formats, *candidates)):
        pattern = re.compile(_pattern(date_format))
        if sum(bool(pattern.match(text)) for text in sample) * 2 >= len(sample):
            found.append(date_format)
    return found


def _skeleton(text: str) -> str:
    """What is left of a text without letters, digits and blanks."""
    return re.sub(r"[0-9A-Za-z ]+", "", text)


@cache
def _by_skeleton() -> dict[str, tuple[str, ...]]:
    """The formats by the separators that their texts have."""
    found: dict[str, list[str]] = {}
    for date_format in all_formats():
        made = {_skeleton(_CODE.sub("", date_format.replace("%.f", "").replace("%z", "")))}
        if "%.f" in date_format:
            made |= {one + sign for one in made for sign in ".,"}
        if "%z" in date_format:
            made = {one + zone for one in made for zone in ("+", "-", "+:", "-:")}
        for one in made:
            found.setdefault(one, []).append(date_format)
    return {shape: tuple(formats) for shape, formats in found.items()}
