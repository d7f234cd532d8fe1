"""Batches: features, targets and perhaps weights, with features in the form that a model takes.

Features are a tensor, several in a tuple (``model(*features)``), or named ones in a dictionary
(``model(**features)``); targets likewise go to the loss as they are.  A batch is ``(features,
targets)`` or ``(features, targets, weights)``, weights being one number for each row.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor

Batch = tuple[Any, ...]


T = TypeVar("T")


def mapped(value: T, function: Callable[[Any], Any]) -> T:
    """``function`` of each tensor in a tuple, dictionary or alone."""
    made: Any
    if isinstance(value, tuple):
        made = tuple(mapped(part, function) for part in value)
    elif isinstance(value, dict):
        made = {name: mapped(part, function) for name, part in value.items()}
    else:
        made = function(value)
    found: T = made
    return found


def chosen(batch: Batch, rows: Any) -> Batch:
    """These rows (int64 positions) of each tensor."""
    return mapped(batch, functools.partial(_select, rows=rows))


def _select(tensor: Tensor, rows: Any) -> Tensor:
    return tensor.index_select(0, rows)


def leaves(value: Any) -> Iterator[Any]:
    """Each tensor in a tuple, dictionary or alone."""
    if isinstance(value, tuple):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    else:
        yield value


def rows_in(batch: Batch) -> int:
    """The rows of a batch."""
    return int(next(leaves(batch)).shape[0])


def joined(batches: list[Batch]) -> Batch:
    """All rows of several batches of one structure."""
    if len(batches) == 1:
        return batches[0]
    parts = [list(leaves(batch)) for batch in batches]
    whole = iter([cat(list(column)) for column in zip(*parts, strict=True)])
    return mapped(batches[0], lambda part: next(whole))


def applied(model: Any, features: Any) -> Tensor:
    """The model's answer to features in any form."""
    if isinstance(features, dict):
        answer: Tensor = model(**features)
    else:
        answer = model(*features) if isinstance(features, tuple) else model(features)
    return answer


def tensors(parts: Iterable[Any]) -> Batch:
    """Arrays and numbers, also in tuples and dictionaries, as tensors without gradients."""
    return tuple(_tensors(part) for part in parts)


def _tensors(value: Any) -> object:
    if isinstance(value, tuple):
        return tensors(value)
    if isinstance(value, Mapping) and not hasattr(value, "to_numpy"):
        return {str(name): _tensors(part) for name, part in value.items()}
    return as_tensor(value).detach()


def arrays_of(value: T) -> T:
    """Tensors in tuples and dictionaries, or alone, as arrays."""
    return mapped(value, _array)


def _array(value: Any) -> npt.NDArray[Any]:
    return value.detach().array() if isinstance(value, Tensor) else np.asarray(value)


def loader_batch(batch: Any) -> Batch:
    """What a loader gave, as a batch; ``DataError`` for anything else.  A list of tensors, into
    which loaders make the tuples of a data set, is a tuple."""
    if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
        raise DataError(
            "A batch is not a pair (features, targets), nor (features, targets, weights)",
            "Let the data set return pairs, or the loader's collate_fn make them.",
        )
    several = [
        tuple(part) if isinstance(part, list) and part and isinstance(part[0], Tensor) else part
        for part in batch
    ]
    return tensors(several)


def same_rows(batch: Batch) -> Batch:
    """The batch, if all tensors in it have the same number of rows; else ``DataError``."""
    shapes = [tuple(part.shape) for part in leaves(batch)]
    if all(shapes) and len({shape[0] for shape in shapes}) == 1:
        return batch
    if len(shapes) == 2:
        raise DataError(
            f"Features of shape {shapes[0]} and targets of shape {shapes[1]} do not have the same "
            "number of rows",
            "Give one target for each row of features.",
        )
    raise DataError(
        f"Features, targets and weights of shapes {', '.join(map(str, shapes))} do not have the "
        "same number of rows",
        "Give one target, and one weight, for each row of features.",
    )
