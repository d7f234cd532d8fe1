"""Functions that make tensors from nothing or from data."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import (
    DType,
    DTypeLike,
    as_dtype,
    bfloat16,
    float64,
    get_default_dtype,
    int64,
    is_foreign_bfloat16,
    of_scalar,
    promote,
    uint8,
)
from pellucid.base.errors import (
    AllocationError,
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    DTypeUnsupportedError,
    ExchangeError,
    NumberRangeError,
    PellucidError,
    ShapeError,
)
from pellucid.graph.node import constant, make_node
from pellucid.ops import elementwise, structure
from pellucid.ops.indexing import IOTA
from pellucid.tensor.arguments import Extents, Operand
from pellucid.tensor.core import TensorCore, check_size, lift, no_memory
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.dlpack import to_array
from pellucid.tensor.interface import Tensor
from pellucid.tensor.layout import Layout, check_layout
from pellucid.tensor.out import takes_out
from pellucid.tensor.state import Cell, state


@clear
def tensor(
    data: object,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of ``data`` (numbers, nested lists, arrays, tensors).

    Floating-point Python numbers get the default dtype (float32), integers int64; arrays and
    tensors of other libraries (``__dlpack__``) keep their type.  Tensors of one element within
    lists count as numbers.  Raises ``DTypeError`` for what holds no numbers,
    ``ShapeError`` for rows of unequal lengths, ``NumberRangeError`` for numbers that the dtype
    cannot hold.
    """
    check_device(device)
    if isinstance(data, TensorCore):
        result = data.detach().clone()  # type: ignore[attr-defined]
        result = result if dtype is None else result.to(as_dtype(dtype))
    else:
        foreign = _foreign_array(data)
        data = data if foreign is None else foreign
        result = lift(_as_array(data, None if dtype is None else as_dtype(dtype)))
    return result.requires_grad_(requires_grad)


def _as_array(data: Any, dtype: DType | None) -> np.ndarray:
    if isinstance(data, (list, tuple)) and _holds_tensors(data):
        leaves: list[DType] = []
        data = _plain(data, leaves)
        dtype = dtype or functools.reduce(promote, leaves)
    if isinstance(data, np.ndarray) and data.dtype == bfloat16.numpy:
        return data.copy() if dtype in (None, bfloat16) else dtype.array(bfloat16.numbers(data))
    try:
        if dtype is uint8 or (dtype is not None and dtype.is_narrow):
            return dtype.array(data)
        array = np.array(data, dtype.numpy if dtype else None)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise _not_a_tensor(data, dtype, error) from error
    if dtype is not None:
        return array
    if array.dtype == object and _holds_large_numbers(array):
        raise NumberRangeError(
            "an integer is too large for int64", "use floats, or dtype=pellucid.float64"
        )
    if array.dtype == object or array.dtype.kind in "USMmV":
        kind = type(data).__name__ if array.ndim == 0 else str(array.dtype)
        raise DTypeError(f"cannot make a tensor of {kind} values", _hint_for(data))
    if isinstance(data, (np.ndarray, np.generic)):
        return array.astype(as_dtype(array.dtype).numpy, copy=False)
    return of_scalar(array.dtype.type(0)).array(array)


def _not_a_tensor(data: Any, dtype: DType | None, error: Exception) -> PellucidError:
    """The error for data that NumPy cannot make an array of."""
    kind = type(data).__name__
    if isinstance(error, OverflowError):
        return NumberRangeError(
            f"a number does not fit {dtype.name if dtype else 'int64'}: {error}",
            "use a wider dtype, or bring the numbers into its range first",
        )
    if isinstance(error, MemoryError):
        return AllocationError(f"there is no memory for a tensor of this {kind}", "use less data")
    if "inhomogeneous" in str(error) or "setting an array element" in str(error):
        return ShapeError(
            f"cannot make a tensor of {kind}: {error}",
            "rows must have equal lengths and hold numbers; see nn.utils.rnn.pad_sequence",
        )
    return DTypeError(f"cannot make a tensor of {kind}: {error}", _hint_for(data))


def _hint_for(data: Any) -> str:
    """What to do with data that are no numbers."""
    if hasattr(data, "toarray"):  # SciPy's sparse matrices
        return "sparse matrices are not supported: pass data.toarray()"
    if isinstance(data, (set, frozenset)) or hasattr(data, "keys"):
        return f"a {type(data).__name__} has no order of rows: pass a list, or one of its values"
    if hasattr(data, "__next__"):
        return "make a list of it first: tensor(list(data))"
    return "pass numbers: rows must have equal lengths and hold numbers"


def _holds_large_numbers(array: np.ndarray) -> bool:
    """Whether an array is one of objects only because some integers are beyond 64 bits."""
    return array.size > 0 and all(type(v) is int for v in array.ravel().tolist())


def _foreign_array(data: Any) -> np.ndarray | None:
    """The memory of another library's tensor or of its bfloat16 array; None for other data."""
    if isinstance(data, (np.ndarray, np.generic)):
        if data.dtype not in _PLAIN and is_foreign_bfloat16(data.dtype):
            return np.asarray(data).view(np.uint16).view(bfloat16.numpy)
        return None
    if isinstance(data, _PYTHON) or not hasattr(data, "__dlpack__"):
        return None
    if getattr(data, "requires_grad", False) and hasattr(data, "detach"):
        data = data.detach()
    try:
        array, _ = to_array(data)
    except ExchangeError:
        return None  # np.array() may still find a way, or say why not
    return array


_PYTHON = (list, tuple, int, float, complex, str)
_PLAIN = frozenset(np.dtype(c) for c in "?bBhilqefdHILQO")


def _holds_tensors(data: Any) -> bool:
    return any(
        isinstance(d, TensorCore) or (isinstance(d, (list, tuple)) and _holds_tensors(d))
        for d in data
    )


def _plain(data: Any, leaves: list[DType]) -> Any:
    """Nested lists with tensors as lists of numbers; ``leaves`` collects the dtypes of these.

    A tensor of one element counts as a number, whatever its axes.
    """
    if isinstance(data, TensorCore):
        if math.prod(data.shape) != 1:
            raise ShapeError(
                "only one element tensors can be converted to Python scalars, and a list holds one "
                f"of shape {tuple(data.shape)}",
                "join tensors with pellucid.stack(list) or pellucid.cat(list)",
            )
        leaves.append(data.dtype)
        return data.dtype.numbers(data.array()).item()
    if isinstance(data, (list, tuple)):
        return [_plain(d, leaves) for d in data]
    leaves.append(as_dtype(data.dtype) if isinstance(data, np.ndarray) else of_scalar(data))
    return data


@clear
def as_tensor(
    data: object, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """``data`` as a tensor, sharing memory with a NumPy array where possible."""
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(as_dtype(dtype))
    foreign = data if isinstance(data, np.ndarray) else _foreign_array(data)
    if foreign is not None and (dtype is None or foreign.dtype == as_dtype(dtype).numpy):
        return from_numpy(foreign)
    return tensor(data, dtype=dtype)


@clear
def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares memory with ``array``.

    Memory that may only be read is copied when the tensor is first written.  Raises
    ``ArgumentTypeError`` for what is no array, ``DTypeError`` for element types without a dtype
    and for bytes in the order of other processors.
    """
    if not isinstance(array, np.ndarray):
        raise ArgumentTypeError(
            f"from_numpy got a {type(array).__name__}", "use pellucid.tensor, which takes any data"
        )
    as_dtype(array.dtype)
    if not array.dtype.isnative:
        raise DTypeError(
            f"the numbers of this array ({array.dtype}) are stored in another byte order",
            "convert first: array.astype(array.dtype.newbyteorder('='))",
        )
    if array.dtype not in _PLAIN and is_foreign_bfloat16(array.dtype):
        array = array.view(np.uint16).view(bfloat16.numpy)
    if state.trace is None:
        return TensorCore.make(Cell(array))
    return lift(array)


def from_dlpack(
    ext_tensor: object, *, device: DeviceLike | None = None, copy: bool | None = None
) -> Tensor:
    """A tensor that shares memory with another library's, by the DLPack protocol.

    ``ext_tensor`` is an array or tensor of any library with ``__dlpack__`` on the CPU, or a
    capsule.  ``copy=True`` gives the tensor memory of its own.  Raises ``ExchangeError`` (a
    ``BufferError``) for tensors that require gradients, live on another device, or have elements
    that no dtype describes.
    """
    check_device(device)
    array, _ = to_array(ext_tensor)
    return from_numpy(array.copy() if copy else array)


def _shape_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    listed = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    try:
        shape = tuple(operator.index(e) for e in listed)
    except TypeError:
        raise ArgumentTypeError(
            f"a tensor cannot have the shape {tuple(listed)}", "extents are whole numbers"
        ) from None
    if any(e < 0 for e in shape):
        raise ArgumentError(
            f"a tensor cannot have the shape {shape}", "extents must not be negative"
        )
    return shape


@takes_out
def full(
    size: Sequence[int],
    fill_value: Operand,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """A tensor of shape ``size`` with every element ``fill_value``."""
    check_device(device)
    check_layout(layout)
    shape = _shape_of((tuple(size),))
    if isinstance(fill_value, TensorCore):
        return elementwise.copy(structure.broadcast_to(fill_value, shape))
    kind = as_dtype(dtype) if dtype is not None else of_scalar(fill_value)
    if state.trace is None:
        made = _filled(shape, fill_value, kind)
        return lift(made).requires_grad_(requires_grad)
    # One number spread over the shape, with memory of its own all the same: no view of it.
    spread = structure.broadcast_to(constant(np.asarray(kind.array(fill_value))), shape)
    filled: Tensor = TensorCore.make(Cell(None, node=spread, trace=state.trace))
    return filled.requires_grad_(requires_grad)


def _filled(shape: tuple[int, ...], value: Any, kind: DType) -> np.ndarray:
    """An array of equal elements."""
    try:
        return np.full(shape, kind.array(value), kind.numpy)
    except (OverflowError, TypeError) as error:
        raise _not_a_tensor(value, kind, error) from error
    except (MemoryError, ValueError):  # ValueError: more bytes than addresses
        raise no_memory(shape, kind) from None


@takes_out
def zeros(
    *shape: Extents,
    size: Extents | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    memory_format: object = None,
    out: Tensor | None = None,
) -> Tensor:
    """Zeros, of the default dtype (float32) if none is given."""
    check_device(device)
    check_layout(layout)
    return full(
        _shape_of(shape if size is None else (size,)),
        0,
        dtype=dtype or get_default_dtype(),
        requires_grad=requires_grad,
        device="cpu",
    )


@takes_out
def ones(
    *shape: Extents,
    size: Extents | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Ones, of the default dtype (float32) if none is given."""
    check_device(device)
    check_layout(layout)
    return full(
        _shape_of(shape if size is None else (size,)),
        1,
        dtype=dtype or get_default_dtype(),
        requires_grad=requires_grad,
        device="cpu",
    )


empty = zeros


@clear
def zeros_like(
    input: Tensor,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    memory_format: object = None,
) -> Tensor:
    """Zeros in the shape and dtype of ``input``."""
    check_device(device)
    check_layout(layout)
    return full(
        input.shape, 0, dtype=dtype or input.dtype, requires_grad=requires_grad, device="cpu"
    )


@clear
def ones_like(
    input: Tensor,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    memory_format: object = None,
) -> Tensor:
    """Ones in the shape and dtype of ``input``."""
    check_device(device)
    check_layout(layout)
    return full(
        input.shape, 1, dtype=dtype or input.dtype, requires_grad=requires_grad, device="cpu"
    )


empty_like = zeros_like


@clear
def full_like(
    input: Tensor,
    fill_value: Operand,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    memory_format: object = None,
) -> Tensor:
    """``fill_value`` in the shape and dtype of ``input``."""
    check_device(device)
    check_layout(layout)
    return full(
        input.shape,
        fill_value,
        dtype=dtype or input.dtype,
        requires_grad=requires_grad,
        device="cpu",
    )


MOST_KNOWN = 1 << 42
"""More bytes than any memory has: refused before NumPy is asked for them."""


@takes_out
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The identity matrix (n, m), m = n by default."""
    check_device(device)
    check_layout(layout)
    _shape_of((n, n if m is None else m))
    kind = as_dtype(dtype or get_default_dtype())
    check_size((n, n if m is None else m), kind, MOST_KNOWN)
    return lift(kind.array(np.eye(n, m))).requires_grad_(requires_grad)


@takes_out
def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """start, start + step, … up to but without ``end``; int64 for integers, else the default dtype.

    Where fractions are given for an integer dtype, they are cut off before.
    """
    check_device(device)
    check_layout(layout)
    first, last = (0, start) if end is None else (start, end)
    if dtype is not None and as_dtype(dtype) is int64:
        first, last, step = (int(v) if math.isfinite(v) else v for v in (first, last, step))
    if step == 0:
        raise ArgumentError("arange got step 0", "use a nonzero step")
    if (last - first) * step < 0:
        raise ArgumentError(
            f"arange from {first} to {last} never arrives with step {step}",
            "give the step the sign of end - start",
        )
    if not math.isfinite((last - first) / step):
        raise ArgumentError(
            f"arange got the range from {first} to {last} in steps of {step}", "use finite numbers"
        )
    whole = all(isinstance(v, (int, np.integer)) for v in (first, last, step))
    kind = as_dtype(dtype) if dtype is not None else int64 if whole else get_default_dtype()
    count = max(0, math.ceil((last - first) / step))
    if kind.kind == "int":
        first, step = int(first), int(step)
    check_size((count,), kind, MOST_KNOWN)
    if state.trace is not None and kind is int64 and whole:
        node = make_node(IOTA, (), {"shape": (count,), "axis": 0, "dtype": int64})
        line = TensorCore.make(Cell(None, node=node, trace=state.trace))
        return line * step + first if (first, step) != (0, 1) else line
    if kind.is_complex:
        raise DTypeUnsupportedError("arange is not defined for complex numbers", "use linspace")
    wide: np.ndarray = np.arange(count, dtype=np.float64 if kind.kind == "float" else np.int64)
    return lift(kind.array(wide * step + first)).requires_grad_(requires_grad)


def _number(value: Any) -> complex:
    """A limit of a range as a number of Python; whole numbers and fractions as a float."""
    found = complex(value)
    return found if found.imag or of_scalar(value).is_complex else found.real


@takes_out
def linspace(
    start: complex,
    end: complex,
    steps: int,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """``steps`` evenly spaced values from ``start`` to ``end``, both included."""
    check_device(device)
    check_layout(layout)
    (steps,) = _shape_of((steps,))
    least = get_default_dtype()
    kind = as_dtype(dtype or promote(least, promote(of_scalar(start), of_scalar(end))))
    check_size((steps,), kind, MOST_KNOWN)
    if _is_traced(start) or _is_traced(end):
        return elementwise.cast(_spaced(start, end, steps), kind)
    values = kind.array(_line(_number(start), _number(end), steps, kind))
    return lift(values).requires_grad_(requires_grad)


def _line(start: complex, end: complex, steps: int, kind: DType) -> np.ndarray:
    """Evenly spaced numbers; for integers between the whole parts of the ends."""
    if kind.kind == "int":
        start, end = float(int(start.real)), float(int(end.real))
    return np.linspace(start, end, steps)


def _is_traced(value: Any) -> bool:
    """Whether a number is one that only a running program knows."""
    if not isinstance(value, TensorCore):
        return False
    if value.shape:
        raise ShapeError(
            f"the end of a range has shape {tuple(value.shape)}: only supports 0-dimensional start "
            "and end tensors",
            "give numbers, or tensors without axes",
        )
    return state.trace is not None and value._cell.array is None


def _spaced(start: Any, end: Any, steps: int) -> Any:
    """:func:`linspace` from ends that the program computes, in float64; from both sides."""
    first, last = (
        elementwise.cast(v, float64) if isinstance(v, TensorCore) else lift(np.asarray(v, float))
        for v in (start, end)
    )
    place = np.arange(steps) / max(steps - 1, 1)
    front, back = lift(place), lift(1 - place)
    return elementwise.add(elementwise.mul(first, back), elementwise.mul(last, front))


@takes_out
def logspace(
    start: complex,
    end: complex,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """base^x for ``steps`` evenly spaced x from ``start`` to ``end``."""
    check_device(device)
    check_layout(layout)
    (steps,) = _shape_of((steps,))
    least = get_default_dtype()
    kind = as_dtype(dtype or promote(least, promote(of_scalar(start), of_scalar(end))))
    check_size((steps,), kind, MOST_KNOWN)
    if _is_traced(start) or _is_traced(end):
        powers = elementwise.pow(lift(np.asarray(float(base))), _spaced(start, end, steps))
        return elementwise.cast(powers, kind)
    with np.errstate(all="ignore"):
        values = kind.array(base ** _line(_number(start), _number(end), steps, kind))
    return lift(values).requires_grad_(requires_grad)
