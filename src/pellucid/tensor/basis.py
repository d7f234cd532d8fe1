"""The unit vectors of several tensors taken as one vector, and what belongs to each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.ops import structure
from pellucid.tensor.core import TensorCore, check_size, lift


def unit_vectors(tensors: Sequence[TensorCore]) -> list[Any]:
    """For tensors of together N elements, an (N, shape...) each: row i is 1 at element i."""
    sizes = [math.prod(t.shape) for t in tensors]
    total, first = sum(sizes), 0
    found = []
    for tensor, size in zip(tensors, sizes, strict=True):
        check_size((total, *tensor.shape), tensor.dtype)
        rows = np.zeros((total, size), tensor.dtype.numpy)
        rows[np.arange(first, first + size), np.arange(size)] = tensor.dtype.array(1.0)
        found.append(lift(rows.reshape(total, *tensor.shape)))
        first += size
    return found


def row_parts(rows: Any, tensors: Sequence[TensorCore]) -> list[Any]:
    """(N, ...) cut into the rows that belong to each of the tensors."""
    found, first = [], 0
    for tensor in tensors:
        size = math.prod(tensor.shape)
        shape = tuple(rows.shape)
        start = [first, *(0,) * (len(shape) - 1)]
        stop = [first + size, *shape[1:]]
        found.append(structure.slice_(rows, start, stop, [1] * len(shape)))
        first += size
    return found
