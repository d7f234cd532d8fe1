"""Tables in memory: named columns of numbers, truth values, times and text.

A column keeps its values in one NumPy array whatever file or data frame it came from, so that
everything after reading needs NumPy alone.  Text is dictionary-encoded: every distinct text is
stored once, and a row holds its number.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.data.readings import Kind, Reading

Rows: TypeAlias = npt.NDArray[np.int64]

SECONDS_PER_DAY = 86_400.0


def nearest_names(name: str, names: Iterable[str]) -> str:
    """Ends an error message: the names most like ``name``, or all names when there are few."""
    known = list(names)
    by_lower = {candidate.lower(): candidate for candidate in reversed(known)}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(repr(by_lower[match]) for match in close) + "?"
    shown = ", ".join(repr(candidate) for candidate in known[:20])
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    return f"There are {shown}{more}." if known else "There are none."


@dataclass(frozen=True, eq=False)
class NamedPictures:
    """The pictures that the categories of a column of text name.

    ``images`` is uint8 (pictures, height, width) or (pictures, height, width, 3); ``places``
    (categories + 1,) says which of them a category names, -1 where it cannot be read; the last
    entry is that of a row without a name.
    """

    images: npt.NDArray[np.uint8]
    places: Rows


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    ``values`` has one entry a row:

    - ``number``: float64, NaN where missing; infinities are kept.
    - ``boolean``: float64, 1 for true, 0 for false, NaN where missing.
    - ``time``: float64, seconds since 1970-01-01 00:00 UTC, NaN where missing.
    - ``text``: int64, positions in ``categories`` (sorted, distinct), -1 where missing.

    ``date_format`` is how the times of a CSV file were written, empty otherwise.  ``pictures`` are
    those that a column of text names, where they have been read.
    """

    name: str
    kind: Kind
    values: npt.NDArray[Any]
    categories: tuple[str, ...] = ()
    date_format: str = ""
    pictures: NamedPictures | None = None

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @cached_property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Bool array (rows,): true where the row has no value."""
        if self.kind == "text":
            return np.asarray(self.values < 0)
        return np.asarray(np.isnan(self.values))

    def take(self, rows: npt.NDArray[Any]) -> Column:
        """The column with only ``rows`` (positions or a mask), in that order."""
        return replace(self, values=self.values[rows])

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each category of a text column occurs: int64 (categories,)."""
        present = self.values[self.values >= 0]
        return np.bincount(present, minlength=len(self.categories)).astype(np.int64)

    def whole_numbers(self) -> bool:
        """True where every number that is present is finite and has no fraction."""
        present = self.values[~self.missing]
        return bool(np.all(np.isfinite(present)) and np.all(present == np.floor(present)))

    def texts(self) -> list[str | None]:
        """Every row as text, None where missing; whole numbers carry no decimal point."""
        return [self.text(row) for row in range(len(self))]

    def text(self, row: int) -> str | None:
        """One row as text, None where missing."""
        if bool(self.missing[row]):
            return None
        value = self.values[row]
        if self.kind == "text":
            return self.categories[int(value)]
        if self.kind == "boolean":
            return "True" if value else "False"
        if self.kind == "time":
            seconds = np.datetime64(int(np.floor(value)), "s")
            return str(seconds.astype("datetime64[D]") if value % SECONDS_PER_DAY == 0 else seconds)
        return number_text(float(value))


def number_text(value: float) -> str:
    """A number as people write it: ``3`` for 3.0, ``0.25`` for 0.25."""
    return str(int(value)) if np.isfinite(value) and value == int(value) else repr(value)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length with a name for messages.

    ``lines`` holds the line of the file where each row begins (int64, 1 is the header), or None
    for tables that came from memory.  ``notes`` are sentences for the user about how the table
    was read.  ``fingerprint`` is the SHA-256 of the file's bytes, or of the columns' content.
    ``readings`` says how the cells of a CSV file were read, by column.
    """

    name: str
    columns: Mapping[str, Column]
    lines: Rows | None = None
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    readings: Mapping[str, Reading] = field(default_factory=dict)
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            sizes = ", ".join(f"{name!r} {len(column)}" for name, column in self.columns.items())
            raise DataError(
                f"The columns of {self.name} have different lengths: {sizes}",
                "Give every column one entry for each row.",
            )
        object.__setattr__(self, "rows", lengths.pop() if lengths else 0)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            parts = [part.strip() for part in name.split(",")]
            several = len(parts) > 1 and all(part in self.columns for part in parts)
            raise DataError(
                f"{self.name} has no column named {name!r}",
                f"Name several columns one by one: {', '.join(map(repr, parts))} "
                "(on the command line each with an option of its own)."
                if several
                else nearest_names(name, self.columns),
            )
        return self.columns[name]

    def take(self, rows: npt.NDArray[Any]) -> Table:
        """The table with only ``rows`` (positions or a mask), in that order."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        lines = None if self.lines is None else self.lines[rows]
        return replace(self, columns=columns, lines=lines)

    def without(self, names: Iterable[str]) -> Table:
        """The table without the columns ``names``."""
        left_out = set(names)
        columns = {name: c for name, c in self.columns.items() if name not in left_out}
        return replace(self, columns=columns)

    def place(self, row: int) -> str:
        """Where a row is, for messages: its line in the file, or its position counted from 1."""
        return f"row {row + 1}" if self.lines is None else f"line {int(self.lines[row])}"


def joined(first: Table, second: Table) -> Table:
    """The rows of ``first`` and then those of ``second``, which has all of its columns.

    Columns are matched by name; one that is text in either is text in both.
    """
    columns = {}
    for name, column in first.columns.items():
        other = second[name]
        if column.kind == other.kind != "text":
            values = np.concatenate([column.values, other.values])
            columns[name] = replace(column, values=values)
        elif {column.kind, other.kind} == {"number", "boolean"}:
            values = np.concatenate([column.values, other.values])
            columns[name] = Column(name, "number", values)
        elif bool(other.missing.all()) and column.kind != "text":
            values = np.append(column.values, np.full(len(other), np.nan))
            columns[name] = replace(column, values=values)
        else:
            columns[name] = text_column(name, [*column.texts(), *other.texts()])
    return replace(first, columns=columns, lines=None, notes=(*first.notes, *second.notes))


def text_column(name: str, texts: Sequence[str | None]) -> Column:
    """A text column from a list of texts, None where missing."""
    categories = sorted({text for text in texts if text is not None})
    position = {text: code for code, text in enumerate(categories)}
    codes = [-1 if text is None else position[text] for text in texts]
    return Column(name, "text", np.array(codes, dtype=np.int64), tuple(categories))


def as_table(data: object, name: str = "the table") -> Table:
    """A table from data in memory.

    ``data`` is a polars or pandas data frame, a mapping from column names to one-dimensional
    arrays or lists, or a ``Table`` (returned as it is).  Numbers become float64; None, NaN, NaT
    and null count as missing; dates and times become seconds; everything else becomes text.

    Raises ``DataError`` for nested columns, two columns of one name, columns of different
    length, and ``ArgumentError`` for anything that is not a table.
    """
    if isinstance(data, Table):
        return data
    package = type(data).__module__.partition(".")[0]
    if package == "polars" and hasattr(data, "collect"):
        data = data.collect()
    if package in ("polars", "pandas") and hasattr(data, "columns"):
        frame: Any = data
        names = [str(column) for column in frame.columns]
        check_column_names(names, name)
        if package == "polars":
            columns = [_polars_column(series) for series in frame.get_columns()]
        else:
            columns = [
                array_column(label, frame.iloc[:, position].to_numpy())
                for position, label in enumerate(names)
            ]
    elif isinstance(data, Mapping):
        names = [str(label) for label in data]
        check_column_names(names, name)
        columns = [
            array_column(label, values) for label, values in zip(names, data.values(), strict=True)
        ]
    else:
        raise ArgumentError(
            f"A table was expected, {type(data).__name__} was received",
            "Give a polars or pandas data frame, or a dict from column names to arrays.",
        )
    table = {column.name: column for column in columns}
    return Table(name, table, fingerprint=fingerprint_of_columns(columns))


def check_column_names(names: Sequence[str], source: str) -> None:
    """Raises ``DataError`` where two columns have one name."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names):
        if name in seen:
            raise DataError(
                f"{source} has two columns named {name!r}: columns {seen[name] + 1} "
                f"and {position + 1}",
                "Give every column a name of its own, or remove one of the two.",
            )
        seen[name] = position


def array_column(name: str, values: object) -> Column:
    """A column from a one-dimensional array or list of numbers, truth values, times or texts.

    Raises ``DataError`` for arrays of another rank and for values that are none of these.
    """
    array = np.asarray(values) if hasattr(values, "dtype") else _array_of(values)
    if array.ndim != 1:
        raise DataError(
            f"Column {name!r} has shape {array.shape}; a column has one value for each row",
            "Make one column of each feature.",
        )
    if array.dtype.kind == "b":
        return Column(name, "boolean", array.astype(np.float64))
    if array.dtype.kind in "iuf":
        return Column(name, "number", array.astype(np.float64))
    if array.dtype.kind == "M":
        seconds = array.astype("datetime64[us]").astype(np.int64) / 1e6
        return Column(name, "time", np.where(np.isnat(array), np.nan, seconds))
    if array.dtype.kind in "SU":
        return text_column(name, [str(text) for text in array.astype(str)])
    if array.dtype.kind == "O":
        return _object_column(name, list(array))
    raise DataError(
        f"Column {name!r} holds values of type {array.dtype}, which no network takes",
        "Use numbers, truth values, dates or text.",
    )


def _array_of(values: object) -> npt.NDArray[Any]:
    """Lists keep their elements' own types: NumPy would turn [1, 'a'] into two texts."""
    if not isinstance(values, Iterable):
        raise ArgumentError(
            f"A column of values was expected, {type(values).__name__} was received",
            "Give a list or an array with one entry for each row.",
        )
    elements = list(values)
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _object_column(name: str, values: list[object]) -> Column:
    """A column from Python objects: all truth values, all numbers, all times, or text."""
    present = [value for value in values if not _is_missing(value)]
    nested = next((v for v in present if isinstance(v, list | tuple | dict | np.ndarray)), None)
    if nested is not None:
        raise DataError(
            f"Column {name!r} holds nested values of type {type(nested).__name__}",
            "A column has one value for each row: split it into several columns.",
        )
    if present and all(isinstance(value, bool | np.bool_) for value in present):
        floats = [np.nan if _is_missing(value) else float(bool(value)) for value in values]
        return Column(name, "boolean", np.array(floats, dtype=np.float64))
    if all(isinstance(value, int | float | np.number) for value in present):
        numbers = [np.nan if _is_missing(value) else float(value) for value in values]  # type: ignore[arg-type]
        return Column(name, "number", np.array(numbers, dtype=np.float64))
    if all(hasattr(value, "isoformat") or isinstance(value, np.datetime64) for value in present):
        try:
            times = [np.datetime64("NaT") if _is_missing(v) else np.datetime64(v) for v in values]  # type: ignore[call-overload]
            return array_column(name, np.array(times, dtype="datetime64[us]"))
        except ValueError:
            pass
    return text_column(name, [None if _is_missing(value) else str(value) for value in values])


def _polars_column(series: Any) -> Column:
    """A column from a polars series."""
    with needs("train", "Reading tables"):
        import polars

    dtype, name = series.dtype, str(series.name)
    if dtype == polars.Boolean:
        return Column(name, "boolean", _floats(series.cast(polars.Int8)))
    if dtype == polars.Null or dtype.is_numeric():
        return Column(name, "number", _floats(series))
    if dtype in (polars.Date, polars.Datetime):
        micros = series.cast(polars.Datetime("us")).cast(polars.Int64)
        return Column(name, "time", _floats(micros) / 1e6)
    if dtype in (polars.Duration, polars.Time):
        unit = 1e9 if dtype == polars.Time else 1e6
        physical = series if dtype == polars.Time else series.cast(polars.Duration("us"))
        return Column(name, "number", _floats(physical.cast(polars.Int64)) / unit)
    if dtype in (polars.String, polars.Categorical, polars.Enum):
        return encode_text(name, series.cast(polars.String))
    raise DataError(
        f"Column {name!r} holds values of type {dtype}, which no network takes",
        "A column has one number, truth value, date or text for each row: split or remove it.",
    )


def _floats(series: Any) -> npt.NDArray[np.float64]:
    """A polars series as float64 with NaN for null."""
    with needs("train", "Reading tables"):
        import polars

    values = series.cast(polars.Float64).fill_null(float("nan")).to_numpy()
    return np.array(values, dtype=np.float64)


def encode_text(name: str, series: Any) -> Column:
    """A text column from a polars series of strings; null is missing."""
    with needs("train", "Reading tables"):
        import polars

    categories = series.drop_nulls().unique().sort().to_list()
    if not categories:
        return Column(name, "text", np.full(len(series), -1, dtype=np.int64))
    codes = series.cast(polars.Enum(categories)).to_physical().cast(polars.Int64).fill_null(-1)
    return Column(name, "text", np.array(codes.to_numpy(), dtype=np.int64), tuple(categories))


def fingerprint_of_columns(columns: Iterable[Column]) -> str:
    """SHA-256 (64 hexadecimal digits) over names, kinds, values and categories."""
    digest = hashlib.sha256()
    for column in columns:
        head = repr((column.name, column.kind, len(column), column.categories))
        digest.update(head.encode())
        digest.update(np.ascontiguousarray(column.values).tobytes())
    return digest.hexdigest()
