"""Rows as columns that can be read, exchanged and set: arrays, frames, and the raw columns of runs.

A column is one feature, whatever it becomes inside of a model: a category stays one, though the
network sees it as many numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NamingError, OutOfRangeError, ShapeError
from pellucid.data.columns import Column, Table, nearest_names, text_column
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.sources import load_for_prediction
from pellucid.insight.effects.subject import Subject, as_rows

Places = npt.NDArray[np.int64]
Values = npt.NDArray[Any]


class Columns:
    """Rows whose columns have names.  ``data`` is what the model takes."""

    names: tuple[str, ...]

    @property
    def data(self) -> object:
        """The rows in the form that the model takes."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def values(self, name: str) -> Values:
        """A column as it was given, (rows,): numbers, NaN where missing, or texts."""
        raise NotImplementedError

    def is_number(self, name: str) -> bool:
        """Whether the values of a column have an order and differences."""
        return self.values(name).dtype.kind in "biuf"

    def take(self, rows: Places) -> Self:
        """Only these rows, in this order."""
        raise NotImplementedError

    def with_values(self, name: str, values: Values) -> Self:
        """With a column set to ``values`` (rows,)."""
        raise NotImplementedError

    def shuffled(self, draws: Sequence[tuple[Sequence[str], Places]]) -> Self:
        """All rows once for each of ``draws``, one after the other: with the columns that it names
        taken from its rows."""
        count = len(self)
        made = self.take(np.tile(np.arange(count), len(draws)))
        sources: dict[str, Places] = {}
        for place, (names, rows) in enumerate(draws):
            for name in names:
                found = sources.setdefault(name, np.tile(np.arange(count), len(draws)))
                found[place * count : (place + 1) * count] = rows
        for name, rows in sources.items():
            made = made.with_values(name, self.values(name)[rows])
        return made

    def with_rows(self, names: Sequence[str], rows: Places) -> Self:
        """With the columns ``names`` taken from other rows: row i gets those of row ``rows[i]``."""
        made = self
        for name in names:
            made = made.with_values(name, self.values(name)[rows])
        return made

    def name(self, column: int | str) -> str:
        """The name of a column that is given by its name or its position."""
        if isinstance(column, str):
            if column not in self.names:
                raise NamingError(
                    f"There is no column {column!r}", nearest_names(column, self.names)
                )
            return column
        if not -len(self.names) <= column < len(self.names):
            raise OutOfRangeError(
                f"Column {column} of {len(self.names)}", f"Use 0 to {len(self.names) - 1}."
            )
        return self.names[column]


@dataclasses.dataclass(frozen=True, eq=False)
class ArrayColumns(Columns):
    """An array (rows, columns)."""

    array: Values
    names: tuple[str, ...]

    @property
    def data(self) -> object:
        """The rows in the form that the model takes."""
        return self.array

    def __len__(self) -> int:
        return len(self.array)

    def values(self, name: str) -> Values:
        """A column as it was given, (rows,)."""
        return np.asarray(self.array[:, self.names.index(name)])

    def take(self, rows: Places) -> Self:
        """Only these rows, in this order."""
        return dataclasses.replace(self, array=self.array[rows])

    def shuffled(self, draws: Sequence[tuple[Sequence[str], Places]]) -> Self:
        """All rows once for each of ``draws``, with the columns that it names taken from its
        rows."""
        count = len(self)
        made = np.tile(self.array, (len(draws), 1))
        for place, (names, rows) in enumerate(draws):
            part = made[place * count : (place + 1) * count]
            for name in names:
                column = self.names.index(name)
                part[:, column] = self.array[rows, column]
        return dataclasses.replace(self, array=made)

    def with_values(self, name: str, values: Values) -> Self:
        """With a column set to ``values`` (rows,)."""
        made = self.array.copy()
        made[:, self.names.index(name)] = values
        return dataclasses.replace(self, array=made)

    def with_rows(self, names: Sequence[str], rows: Places) -> Self:
        """With the columns ``names`` taken from other rows."""
        made = self.array.copy()
        places = np.array([self.names.index(name) for name in names], np.int64)
        made[:, places] = self.array[np.ix_(rows, places)]
        return dataclasses.replace(self, array=made)


@dataclasses.dataclass(frozen=True, eq=False)
class FrameColumns(Columns):
    """A frame of pandas or polars; a column keeps its dtype."""

    frame: Any
    names: tuple[str, ...]

    @property
    def data(self) -> object:
        """The rows in the form that the model takes."""
        return self.frame

    def __len__(self) -> int:
        return len(self.frame)

    def values(self, name: str) -> Values:
        """A column as it was given, (rows,)."""
        found = self.frame[name]
        return np.asarray(found.to_numpy())

    def is_number(self, name: str) -> bool:
        """Whether the values have an order and differences."""
        kind = self.values(name).dtype.kind
        return kind in "biufmM"

    def take(self, rows: Places) -> Self:
        """Only these rows, in this order."""
        chosen = self.frame.iloc[rows] if hasattr(self.frame, "iloc") else self.frame[rows]
        return dataclasses.replace(self, frame=chosen)

    def with_values(self, name: str, values: Values) -> Self:
        """With a column set to ``values`` (rows,)."""
        before = self.frame[name]
        if hasattr(self.frame, "assign"):
            column = type(before)(list(values), index=self.frame.index)
            whole = before.dtype.kind in "iu" and not _are_whole(column)
            made = column if whole else column.astype(before.dtype)
            return dataclasses.replace(self, frame=self.frame.assign(**{name: made}))
        column = type(before)(name, list(values), strict=False)
        kept = column if column.dtype.is_float() else column.cast(before.dtype)
        return dataclasses.replace(self, frame=self.frame.with_columns(kept))


def _are_whole(column: Any) -> bool:
    values = np.asarray(column.to_numpy(), np.float64)
    return bool(np.isfinite(values).all() and (values == np.round(values)).all())


@dataclasses.dataclass(frozen=True, eq=False)
class RunColumns(Columns):
    """The raw columns of a run's table beside the features (rows, features) that its preprocessor
    makes of them; ``places`` says which features belong to a column."""

    features: npt.NDArray[np.float32]
    columns: Mapping[str, Column]
    preprocessor: Preprocessor
    names: tuple[str, ...]
    places: Mapping[str, Places]
    targets: Values | None = None

    @classmethod
    def of(
        cls, features: Any, table: Table, preprocessor: Preprocessor, targets: Any = None
    ) -> RunColumns:
        """Those of a table."""
        owners = np.array(preprocessor.feature_columns)
        names = tuple(name for name in table.columns if name in set(owners.tolist()))
        places = {name: np.flatnonzero(owners == name) for name in names}
        columns = {name: table[name] for name in names}
        return cls(features, columns, preprocessor, names, places, targets)

    @property
    def data(self) -> object:
        """The rows in the form that the model takes."""
        return self.features

    def __len__(self) -> int:
        return len(self.features)

    def values(self, name: str) -> Values:
        """A column as it was given, (rows,)."""
        column = self.columns[name]
        return column.values if column.kind != "text" else np.array(column.texts(), object)

    def is_number(self, name: str) -> bool:
        """Whether the values have an order and differences."""
        return self.columns[name].kind != "text"

    def take(self, rows: Places) -> Self:
        """Only these rows, in this order."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        targets = None if self.targets is None else self.targets[rows]
        return dataclasses.replace(
            self, features=self.features[rows], columns=columns, targets=targets
        )

    def with_values(self, name: str, values: Values) -> Self:
        """With a column set to ``values`` (rows,)."""
        before = self.columns[name]
        if before.kind == "text":
            column = text_column(name, [None if v is None else str(v) for v in values])
            column = dataclasses.replace(column, pictures=before.pictures)
        else:
            column = dataclasses.replace(before, values=np.asarray(values, np.float64))
        plan = next(plan for plan in self.preprocessor.plans if plan.column == name)
        alone = dataclasses.replace(self.preprocessor, plans=(plan,))
        made = self.features.copy()
        made[:, self.places[name]] = alone.transform(Table("the data", {name: column}))
        return dataclasses.replace(self, features=made, columns={**self.columns, name: column})

    def with_rows(self, names: Sequence[str], rows: Places) -> Self:
        """With the columns ``names`` taken from other rows."""
        made = self.features.copy()
        places = np.concatenate([self.places[name] for name in names])
        made[:, places] = self.features[np.ix_(rows, places)]
        columns = dict(self.columns)
        for name in names:
            columns[name] = columns[name].take(rows)
        return dataclasses.replace(self, features=made, columns=columns)

    def cell(self, row: int, name: str) -> str:
        """A cell as it stands in the data; empty where it is missing."""
        return self.columns[name].text(row) or ""


def columns_of(subject: Subject, data: Any, names: Sequence[str] | None = None) -> Columns:
    """``data`` as columns: an array (rows, columns), a frame of pandas or polars, or for a run
    whatever ``pellucid.predict`` takes; ``names`` are those of an array's columns."""
    if isinstance(data, Columns):
        return data
    if isinstance(subject.preprocessor, ImagePreprocessor):
        raise ArgumentError(
            "The run was trained on images, which have no columns",
            "Explain them by regions: feature_ablation, lime, or integrated_gradients.",
        )
    if subject.preprocessor is not None:
        found = load_for_prediction(subject.preprocessor, data, subject.saved_task)
        if found.table is None:
            raise ArgumentError("The data hold no table", "Give the columns of the training data.")
        targets = found.targets if found.present.all() else None
        return RunColumns.of(found.features, found.table, subject.preprocessor, targets)
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return FrameColumns(data, tuple(str(name) for name in data.columns))
    array = np.asarray(as_rows(data))
    if array.ndim != 2 or not len(array):
        raise ShapeError(
            f"Data of shape {array.shape} have no columns",
            "Give an array (rows, columns), or a frame.",
        )
    given = tuple(names) if names is not None else tuple(f"x{i}" for i in range(array.shape[1]))
    if len(given) != array.shape[1]:
        raise ShapeError(
            f"{len(given)} names for {array.shape[1]} columns", "Give one name for each column."
        )
    return ArrayColumns(array, given)
