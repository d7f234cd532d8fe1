"""Functions that make tensors from nothing or from data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import DType, as_dtype, float32, int64, of_scalar
from pellucid.base.errors import ArgumentError, DTypeError
from pellucid.graph.node import constant, make_node
from pellucid.ops import elementwise, structure
from pellucid.ops.indexing import IOTA
from pellucid.tensor.core import TensorCore, lift
from pellucid.tensor.state import Cell, state


def tensor(data: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Any:
    """A new tensor with a copy of ``data`` (numbers, nested lists, arrays, tensors).

    Floating-point Python numbers become float32, integers int64; arrays keep their type.
    """
    if isinstance(data, TensorCore):
        result = data.detach().clone()  # type: ignore[attr-defined]
        result = result if dtype is None else result.to(as_dtype(dtype))
    else:
        result = lift(_as_array(data, None if dtype is None else as_dtype(dtype)))
    return result.requires_grad_(requires_grad)


def _as_array(data: Any, dtype: DType | None) -> np.ndarray:
    if isinstance(data, (list, tuple)) and _holds_tensors(data):
        data = _plain(data)
    try:
        if dtype is not None and dtype.is_narrow:
            return dtype.array(data)
        array = np.array(data, dtype.numpy if dtype else None)
    except (ValueError, TypeError) as error:
        raise DTypeError(
            f"cannot make a tensor of {type(data).__name__}: {error}",
            "rows must have equal lengths and hold numbers",
        ) from error
    if dtype is not None:
        return array
    if array.dtype == object or array.dtype.kind in "USMmVc":
        raise DTypeError(f"cannot make a tensor of {array.dtype} values", "pass numbers")
    if isinstance(data, (np.ndarray, np.generic)):
        return array.astype(as_dtype(array.dtype).numpy, copy=False)
    return array.astype(
        of_scalar(array.dtype.type(0)).numpy if array.dtype.kind != "f" else np.float32
    )


def _holds_tensors(data: Any) -> bool:
    return any(
        isinstance(d, TensorCore) or (isinstance(d, (list, tuple)) and _holds_tensors(d))
        for d in data
    )


def _plain(data: Any) -> Any:
    if isinstance(data, TensorCore):
        return data.array().tolist()
    return [_plain(d) for d in data] if isinstance(data, (list, tuple)) else data


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """``data`` as a tensor, sharing memory with a NumPy array where possible."""
    if isinstance(data, TensorCore):
        return data if dtype is None else data.to(as_dtype(dtype))  # type: ignore[attr-defined]
    if isinstance(data, np.ndarray) and dtype is None:
        return from_numpy(data)
    return tensor(data, dtype=dtype)


def from_numpy(array: np.ndarray) -> Any:
    """A tensor that shares memory with ``array``."""
    as_dtype(array.dtype)
    if state.trace is None:
        return TensorCore.make(Cell(array))
    return lift(array)


def _shape_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    listed = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = tuple(int(e) for e in listed)
    if any(e < 0 for e in shape):
        raise ArgumentError(
            f"a tensor cannot have the shape {shape}", "extents must not be negative"
        )
    return shape


def full(
    size: Sequence[int],
    fill_value: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Any:
    """A tensor of shape ``size`` with every element ``fill_value``."""
    shape = _shape_of((tuple(size),))
    if isinstance(fill_value, TensorCore):
        return elementwise.copy(structure.broadcast_to(fill_value, shape))
    kind = as_dtype(dtype) if dtype is not None else of_scalar(fill_value)
    if state.trace is None:
        made = np.full(shape, kind.array(fill_value), kind.numpy)
        return lift(made).requires_grad_(requires_grad)
    # One number spread over the shape, with memory of its own all the same: no view of it.
    spread = structure.broadcast_to(constant(np.asarray(kind.array(fill_value))), shape)
    filled: TensorCore = TensorCore.make(Cell(None, node=spread, trace=state.trace))
    return filled.requires_grad_(requires_grad)


def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Any:
    """Zeros, float32 by default."""
    return full(_shape_of(size), 0, dtype=dtype or float32, requires_grad=requires_grad)


def ones(*size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Any:
    """Ones, float32 by default."""
    return full(_shape_of(size), 1, dtype=dtype or float32, requires_grad=requires_grad)


empty = zeros


def zeros_like(
    input: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    memory_format: Any = None,
) -> Any:
    """Zeros in the shape and dtype of ``input``."""
    return full(input.shape, 0, dtype=dtype or input.dtype, requires_grad=requires_grad)


def ones_like(
    input: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    memory_format: Any = None,
) -> Any:
    """Ones in the shape and dtype of ``input``."""
    return full(input.shape, 1, dtype=dtype or input.dtype, requires_grad=requires_grad)


empty_like = zeros_like


def full_like(
    input: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    memory_format: Any = None,
) -> Any:
    """``fill_value`` in the shape and dtype of ``input``."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Any:
    """The identity matrix (n, m), m = n by default."""
    return lift(as_dtype(dtype or float32).array(np.eye(n, m))).requires_grad_(requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Any:
    """start, start + step, … up to but without ``end``; int64 for integers, else float32."""
    first, last = (0, start) if end is None else (start, end)
    if step == 0:
        raise ArgumentError("arange got step 0", "use a nonzero step")
    if (last - first) * step < 0:
        raise ArgumentError(
            f"arange from {first} to {last} never arrives with step {step}",
            "give the step the sign of end - start",
        )
    whole = all(isinstance(v, (int, np.integer)) for v in (first, last, step))
    kind = as_dtype(dtype) if dtype is not None else int64 if whole else float32
    count = max(0, math.ceil((last - first) / step))
    if state.trace is not None and kind is int64 and whole:
        node = make_node(IOTA, (), {"shape": (count,), "axis": 0, "dtype": int64})
        line = TensorCore.make(Cell(None, node=node, trace=state.trace))
        return line * step + first if (first, step) != (0, 1) else line
    wide: np.ndarray = np.arange(count, dtype=np.float64 if kind.kind == "float" else np.int64)
    return lift(kind.array(wide * step + first)).requires_grad_(requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Any:
    """``steps`` evenly spaced values from ``start`` to ``end``, both included."""
    values = as_dtype(dtype or float32).array(np.linspace(float(start), float(end), steps))
    return lift(values).requires_grad_(requires_grad)


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Any:
    """base^x for ``steps`` evenly spaced x from ``start`` to ``end``."""
    values = as_dtype(dtype or float32).array(base ** np.linspace(start, end, steps))
    return lift(values).requires_grad_(requires_grad)
