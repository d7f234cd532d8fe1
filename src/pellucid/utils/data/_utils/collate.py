"""Rows into one batch: what a loader does unless it is given a ``collate_fn``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import OutOfRangeError, RowsError, RowTypeError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import as_tensor, tensor
from pellucid.tensor.shaping import stack

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

Kind = type | tuple[type, ...]
CollateMap = Mapping[Kind, Callable[..., Any]]


def collate(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Rows into one batch, the leaves by the functions in ``collate_fn_map``.

    That maps a type, or a tuple of types, to ``function(rows, collate_fn_map=…)``.  The type of
    the first row decides; an exact match goes before a base class.  Mappings and sequences are
    collated entry by entry and keep their type where it can be made of its entries.

    Raises ``RowsError`` (a ``RuntimeError`` and ``ValueError``) for rows that do not fit
    together and ``RowTypeError`` (a ``TypeError``) for types that have no function.
    """
    if not len(batch):
        raise OutOfRangeError("A batch of no rows was to be made", "Give at least one row.")
    first = batch[0]
    function = _function_for(type(first), collate_fn_map)
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return _collate_mappings(batch, collate_fn_map)
    if isinstance(first, Sequence):
        return _collate_sequences(batch, collate_fn_map)
    found = first.dtype if isinstance(first, np.ndarray | np.generic) else type(first).__name__
    raise RowTypeError(
        f"Rows of type {found} cannot be put into a batch: it must contain tensors, numpy "
        "arrays, numbers, dicts or lists",
        "Return such rows from the data set, or pass collate_fn.",
    )


def _function_for(kind: type, known: CollateMap | None) -> Callable[..., Any] | None:
    if not known:
        return None
    if kind in known:
        return known[kind]
    return next((f for wanted, f in known.items() if issubclass(kind, wanted)), None)


def _collate_mappings(rows: Sequence[Any], known: CollateMap | None) -> Any:
    first = rows[0]
    for row in rows:
        for key in first:
            if key not in row:
                raise _missing_key(key, row)
    parts = {key: collate([row[key] for row in rows], collate_fn_map=known) for key in first}
    try:
        if isinstance(first, MutableMapping):  # keeps what a subclass has beside its entries
            made = copy.copy(first)
            made.update(parts)
            return made
        return type(first)(parts)
    except TypeError:
        return parts


class MissingKeyError(RowsError, KeyError):
    """A row of a batch lacks a key that the first one has."""


def _missing_key(key: Any, row: Mapping[Any, Any]) -> MissingKeyError:
    return MissingKeyError(
        f"A row of the batch has the keys {list(row)} and lacks {key!r}, which the first row has",
        "Give all rows the same keys, or pass collate_fn.",
    )


def _collate_sequences(rows: Sequence[Any], known: CollateMap | None) -> Any:
    first = rows[0]
    if len({len(row) for row in rows}) > 1:
        raise RowsError(
            "Rows of one batch have different numbers of entries: each element in list of batch "
            "should be of equal size",
            "Give all rows the same entries, or pass collate_fn.",
        )
    columns = [collate(column, collate_fn_map=known) for column in zip(*rows, strict=True)]
    if hasattr(first, "_fields"):  # a named tuple
        return type(first)(*columns)
    if isinstance(first, tuple):  # a list, as PyTorch has it
        return columns
    try:
        if isinstance(first, MutableSequence):
            made = copy.copy(first)
            for place, column in enumerate(columns):
                made[place] = column
            return made
        return type(first)(columns)
    except TypeError:
        return columns


def _tensors(rows: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    for place, row in enumerate(rows):
        if not isinstance(row, TensorCore):
            raise RowTypeError(
                f"Row {place} of a batch of tensors is a {type(row).__name__}",
                "Give all rows one type, or pass collate_fn.",
            )
    shapes = {tuple(row.shape) for row in rows}
    if len(shapes) > 1:
        raise RowsError(
            f"Rows of one batch have different shapes: {sorted(shapes)}; stack expects each "
            "tensor to be equal size",
            "Bring them to one shape in the data set, or pass collate_fn.",
        )
    return stack(list(rows))


def _arrays(rows: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    if rows[0].dtype.kind in "SUOMm" or rows[0].dtype.kind == "V" and rows[0].dtype.names is None:
        raise RowTypeError(
            f"Rows of type {rows[0].dtype} cannot be put into a batch: it must contain tensors, "
            "numpy arrays, numbers, dicts or lists",
            "Turn them into numbers in the data set, or pass collate_fn.",
        )
    return collate([as_tensor(np.asarray(row)) for row in rows], collate_fn_map=collate_fn_map)


def _array_numbers(rows: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    return _tensors([as_tensor(np.asarray(row)) for row in rows])


def _floats(rows: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    return _numbers(rows, dtype="float64")


def _whole(rows: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    return _numbers(rows)


def _numbers(rows: Sequence[Any], dtype: str | None = None) -> Any:
    for row in rows:
        if not isinstance(row, int | float | np.generic):
            raise RowTypeError(
                f"A batch of numbers has a {type(row).__name__} among its rows",
                "Give all rows one type, or pass collate_fn.",
            )
    return tensor(list(rows), dtype=dtype)


def _texts(rows: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    return rows


default_collate_fn_map: dict[Kind, Callable[..., Any]] = {
    TensorCore: _tensors,
    np.ndarray: _arrays,
    (np.bool_, np.number): _array_numbers,
    float: _floats,
    int: _whole,
    str: _texts,
    bytes: _texts,
}
"""Type of a leaf → what makes a batch of it.  Programs may add types of their own."""


def default_collate(batch: Sequence[Any]) -> Any:
    """Rows into one batch, with the rows as new first axis.

    Tensors and arrays are stacked; Python's numbers become a tensor (int64, float64 or bool, as
    in PyTorch); texts stay a list; mappings, tuples and lists are collated entry by entry
    (tuples become lists, named tuples stay what they are).  Types in
    ``default_collate_fn_map`` go by that.

    Raises ``RowsError`` for rows that do not fit together, ``RowTypeError`` for other types.

    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def default_convert(data: Any) -> Any:
    """NumPy's arrays and numbers in a row as tensors, everything else as it is.

    What a loader does to each row where batches are not its business (``batch_size=None``).
    """
    if isinstance(data, TensorCore):
        return data
    if isinstance(data, np.ndarray | np.bool_ | np.number):
        has_numbers = np.asarray(data).dtype.kind in "biufc"
        return as_tensor(np.asarray(data)) if has_numbers else data
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(entry) for entry in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _rebuilt(data, [default_convert(entry) for entry in data])
    return data


def _rebuilt(before: Any, entries: Any) -> Any:
    """The entries in a container of the same type, where that takes them."""
    try:
        return type(before)(entries)
    except TypeError:
        return entries
