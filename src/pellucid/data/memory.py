"""Data in memory as tables or pictures: frames, arrays, rows of generators, data sets, loaders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.data.array_files import columns_of_arrays
from pellucid.data.columns import (
    Column,
    Table,
    array_column,
    as_table,
    check_column_names,
    fingerprint_of_columns,
)
from pellucid.data.json_lines import columns_of_records
from pellucid.data.picture_sources import LABEL, Pictures, fingerprint_of, pixel_maximum
from pellucid.tensor.tensor import Tensor
from pellucid.utils.data.dataloader import DataLoader
from pellucid.utils.data.dataset import Dataset, IterableDataset

_FORMS = (
    "Give a data frame, a dict from column names to arrays, an array (rows, columns), a pair "
    "(features, targets), rows as dicts or as pairs, or a data set of such rows."
)


def from_memory(data: object) -> Table | Pictures:
    """What ``data`` is: a table, or pictures with labels.

    Takes what ``as_table`` takes, and objects with Arrow's ``__arrow_c_stream__`` (pyarrow,
    DuckDB); arrays and tensors (rows, columns) or of pictures; a pair (features, targets) of
    arrays; and rows one after the other, from a list, a generator, a ``Dataset``, an
    ``IterableDataset`` or a ``DataLoader``.  A row is a dict from names to values, or a pair
    (features, target) of which the target gets the name ``label``; features are numbers, a text,
    or a picture (height, width), (height, width, channels) or (channels, height, width).
    """
    if isinstance(data, Pictures):
        return data
    if isinstance(data, Table | Mapping) or is_frame(data):
        return as_table(data)
    if hasattr(data, "__arrow_c_stream__"):
        with needs("train", "Reading tables"):
            import polars

        return as_table(polars.DataFrame(data))
    if isinstance(data, np.ndarray | Tensor):
        return _of_array(_array(data))
    if isinstance(data, tuple) and len(data) == 2 and _are_arrays(data):
        return _of_pair(_array(data[0]), _array(data[1]))
    if isinstance(data, DataLoader):
        return _of_batches(data)
    if isinstance(data, Dataset) and not isinstance(data, IterableDataset):
        rows = (data[place] for place in range(len(data)))  # type: ignore[arg-type]
        return _of_rows(rows)
    if isinstance(data, Iterable) and not isinstance(data, str | bytes):
        return _of_rows(iter(data))
    raise ArgumentError(f"A table was expected, {type(data).__name__} was received", _FORMS)


def is_frame(data: object) -> bool:
    """Whether ``data`` is a data frame of Polars or pandas."""
    return type(data).__module__.partition(".")[0] in ("polars", "pandas")


def _are_arrays(pair: Sequence[object]) -> bool:
    return all(isinstance(part, np.ndarray | Tensor) or is_frame(part) for part in pair)


def _array(value: object) -> npt.NDArray[Any]:
    if isinstance(value, Tensor):
        return np.asarray(value.detach().numpy())
    return np.asarray(value)


def _table(columns: list[Column]) -> Table:
    check_column_names([column.name for column in columns], "the table")
    fingerprint = fingerprint_of_columns(columns)
    return Table("the table", {c.name: c for c in columns}, fingerprint=fingerprint)


def _of_array(array: npt.NDArray[Any]) -> Table | Pictures:
    if array.ndim > 2:
        part = np.full(len(array), -1, np.int8)
        images = _channels_last(array)
        return Pictures("array", images, None, part, pixel_maximum(array), fingerprint_of(array))
    return _table(columns_of_arrays({"": array}, "the array"))


def _of_pair(features: npt.NDArray[Any], targets: npt.NDArray[Any]) -> Table | Pictures:
    if len(features) != len(targets):
        raise DataError(
            f"{len(features)} rows of features and {len(targets)} targets do not fit together",
            "Give one target for each row.",
        )
    if features.ndim > 2:
        images, labels = _channels_last(features), array_column(LABEL, targets.reshape(-1))
        part = np.full(len(images), -1, np.int8)
        fingerprint = fingerprint_of(features, targets)
        return Pictures("pictures", images, labels, part, pixel_maximum(images), fingerprint)
    if features.ndim == 1:
        columns = [array_column("text" if features.dtype.kind in "OSU" else "x", features)]
    else:
        columns = columns_of_arrays({"x": features}, "the features")
    return _table([*columns, *columns_of_arrays({LABEL: targets}, "the targets")])


def _channels_last(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, channels, height, width) with 1, 3 or 4 channels as (n, height, width, channels)."""
    if images.ndim == 4 and images.shape[1] in (1, 3, 4) and images.shape[3] not in (1, 3, 4):
        images = np.moveaxis(images, 1, 3)
    return images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images


def _of_batches(loader: Iterable[Any]) -> Table | Pictures:
    batches = list(loader)
    pairs = [batch for batch in batches if isinstance(batch, list | tuple) and len(batch) == 2]
    if not batches or len(pairs) != len(batches):
        raise DataError("The loader does not give pairs (features, targets)", _FORMS)
    features, targets = (
        np.concatenate([np.atleast_1d(_array(pair[side])) for pair in pairs]) for side in (0, 1)
    )
    return _of_pair(features, targets)


def _of_rows(rows: Iterator[Any]) -> Table | Pictures:
    """Rows that are dicts, or pairs of features and target."""
    first = next(rows, None)
    if first is None:
        raise DataError("The data give no rows", _FORMS)
    if isinstance(first, Mapping):
        return _table(columns_of_records(_all(first, rows), "the data"))
    if not isinstance(first, tuple | list) or len(first) != 2:
        raise ArgumentError(f"A row of the data is a {type(first).__name__}", _FORMS)
    features: list[Any] = []
    targets: list[Any] = []
    for number, row in enumerate(_all(first, rows), 1):
        if not isinstance(row, tuple | list) or len(row) != 2:
            raise DataError(f"Row {number} of the data is no pair (features, target)", _FORMS)
        features.append(row[0] if isinstance(row[0], str) else _array(row[0]))
        targets.append(_plain(row[1]))
    if isinstance(features[0], str):
        return _table([array_column("text", features), array_column(LABEL, targets)])
    shapes = {np.shape(row) for row in features}
    if len(shapes) > 1:
        low, *_, high = sorted(shapes)
        raise DataError(
            f"Rows of the data have different shapes: {low} and {high}",
            "Give every row features of one shape.",
        )
    return _of_pair(np.stack(features), np.array(targets))


def _plain(target: object) -> Any:
    """A target as Python has it: a number or a text; several numbers as an array."""
    if isinstance(target, str | bool | int | float):
        return target
    array = _array(target)
    return array.item() if array.size == 1 else array.reshape(-1)


def _all(first: Any, rows: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rows
