"""Element types and how they combine.

A :class:`DType` names an element type as PyTorch does.  Promotion follows PyTorch, not NumPy:
a float type always wins over an integer type and keeps its width (``int64 + float32`` is
``float32``), and Python numbers never widen a tensor of the same kind.

The *narrow* types, bfloat16 and float16, are forms of storage: 16 bits an element in memory.
Arithmetic on them is done in float32 and its result rounded to the nearest narrow value, ties to
even.  NumPy has no bfloat16, so its 16 bits are held as a field of that name, which no NumPy
function can mistake for a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from pellucid.base.errors import DTypeError


@dataclass(frozen=True, eq=False)
class DType:
    """An element type: name, NumPy dtype and kind (``bool``, ``int``, ``float``, ``complex``)."""

    name: str
    numpy: np.dtype[np.generic]
    kind: str
    is_narrow: bool = False
    """True for bfloat16 and float16, which are computed with in float32."""
    is_differentiable: bool = field(init=False)
    """True for floating-point and complex types: values of them may have gradients."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_differentiable", self.kind in ("float", "complex"))

    @property
    def is_floating_point(self) -> bool:
        """True for float32, float64, bfloat16 and float16."""
        return self.kind == "float"

    @property
    def is_complex(self) -> bool:
        """True for complex64 and complex128."""
        return self.kind == "complex"

    def to_real(self) -> DType:
        """The type of the real part of a complex number; of any other type itself."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    def to_complex(self) -> DType:
        """The complex type of this precision: complex128 for float64, else complex64."""
        return complex128 if self.name in ("float64", "complex128") else complex64

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """NumPy's dtype, so that ``np.dtype(pellucid.float32)`` and NumPy's ``dtype=`` work."""
        if self is bfloat16:
            raise DTypeError("NumPy has no bfloat16", "use float32, which holds all its values")
        return self.numpy

    def array(self, values: object) -> np.ndarray:
        """Numbers as a new array of this type, rounded where they have to be.

        Negative numbers down to −255 become uint8 as 256 more.
        """
        if self is uint8:
            return _as_bytes(values)
        if self is not bfloat16:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.array(values, self.numpy)
        wide = np.array(values, np.float32, order="C")
        bits = wide.view(np.uint32)
        # Round to nearest, ties to even; NaN keeps its upper bits and stays a NaN.
        rounded = bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
        quiet = bits | np.uint32(0x400000)
        kept = np.where(np.isnan(wide), quiet, rounded) >> np.uint32(16)
        return kept.astype(np.uint16).view(self.numpy).reshape(wide.shape)

    def numbers(self, array: np.ndarray) -> np.ndarray:
        """An array of this type as numbers that NumPy can compute with: float32 if narrow."""
        if self is float16:
            with np.errstate(invalid="ignore"):
                return array.astype(np.float32)
        if self is not bfloat16:
            return array
        bits = np.ascontiguousarray(array).view(np.uint16).astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32).reshape(array.shape)

    def __repr__(self) -> str:
        return f"pellucid.{self.name}"

    def __reduce__(self) -> str:
        return "bool_" if self.name == "bool" else self.name


def _as_bytes(values: object) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            return np.array(values, np.uint8)
        except OverflowError:
            wide = np.array(values, np.int64)
            if wide.max() > 255 or wide.min() < -255:
                raise
            return wide.astype(np.uint8)


float32 = DType("float32", np.dtype(np.float32), "float")
float64 = DType("float64", np.dtype(np.float64), "float")
bfloat16 = DType("bfloat16", np.dtype([("bfloat16", np.uint16)]), "float", True)
float16 = DType("float16", np.dtype(np.float16), "float", True)
int8 = DType("int8", np.dtype(np.int8), "int")
int16 = DType("int16", np.dtype(np.int16), "int")
int32 = DType("int32", np.dtype(np.int32), "int")
int64 = DType("int64", np.dtype(np.int64), "int")
uint8 = DType("uint8", np.dtype(np.uint8), "int")
bool_ = DType("bool", np.dtype(np.bool_), "bool")
complex64 = DType("complex64", np.dtype(np.complex64), "complex")
complex128 = DType("complex128", np.dtype(np.complex128), "complex")

ALL = (bool_, uint8, int8, int16, int32, int64, float32, float64)
"""The real types that are computed with."""
NARROW = (bfloat16, float16)
COMPLEX = (complex64, complex128)
_EVERY = (*ALL, *NARROW, *COMPLEX)
_BY_NUMPY = {d.numpy: d for d in _EVERY}
_BY_NAME = {d.name: d for d in _EVERY} | {
    "half": float16,
    "float": float32,
    "double": float64,
    "long": int64,
    "int": int32,
    "cfloat": complex64,
    "cdouble": complex128,
}
_BY_PYTHON: dict[object, DType] = {
    float: float64,
    int: int64,
    bool: bool_,
    complex: complex128,
}
_default = float32

DTypeLike: TypeAlias = DType | np.dtype[Any] | type | str
"""What names an element type: a :class:`DType`, one of NumPy's, a Python type or a name."""


def as_dtype(value: object) -> DType:
    """The :class:`DType` that ``value`` names.

    Accepts a :class:`DType`, a NumPy or PyTorch dtype, the bfloat16 of ml_dtypes, a name, or
    Python's ``float`` (float64), ``int`` (int64) and ``bool``.  Raises :class:`DTypeError` for
    element types that do not exist here.
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, np.dtype) and value in _BY_NUMPY:
        return _BY_NUMPY[value]
    if isinstance(value, type) and value in _BY_PYTHON:
        return _BY_PYTHON[value]
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]
    if is_foreign_dtype(value) and str(value).partition(".")[2] in _BY_NAME:
        return _BY_NAME[str(value).partition(".")[2]]
    if is_foreign_bfloat16(value):
        return bfloat16
    try:
        found = _BY_NUMPY.get(np.dtype(value).newbyteorder("="))  # type: ignore[call-overload]
    except (TypeError, ValueError):
        found = None
    if found is None:
        known = ", ".join(d.name for d in _EVERY)
        if str(value).rpartition(".")[2] in ("complex32", "chalf"):
            raise DTypeError("there are no complex numbers of 16 bits a part", "use complex64")
        raise DTypeError(f"there is no element type {value!r}", f"use one of: {known}")
    return found


def is_foreign_dtype(value: object) -> bool:
    """Whether ``value`` is a dtype of PyTorch, which need not be imported for the answer."""
    return type(value).__module__ == "torch" and type(value).__name__ == "dtype"


def is_foreign_bfloat16(value: object) -> bool:
    """Whether ``value`` is NumPy's view of another library's bfloat16 (ml_dtypes, JAX)."""
    return getattr(value, "name", getattr(value, "__name__", "")) == "bfloat16"


RANK = {"bool": 0, "int": 1, "float": 2, "complex": 3}
"""The kinds of numbers, each holding those before it."""


def promote(a: DType, b: DType) -> DType:
    """The type in which a value of ``a`` and a value of ``b`` are combined (PyTorch's lattice)."""
    if a is b:
        return a
    if a.kind == b.kind == "float":
        if a.is_narrow and b.is_narrow:
            return float32  # neither holds all values of the other
        return a if a.itemsize >= b.itemsize else b
    if "complex" in (a.kind, b.kind):
        wide = "float64" in (a.to_real().name, b.to_real().name)
        return complex128 if wide else complex64
    if "float" in (a.kind, b.kind):
        return a if a.kind == "float" else b
    if "bool" in (a.kind, b.kind):
        return b if a.kind == "bool" else a
    return as_dtype(np.promote_types(a.numpy, b.numpy))


def of_scalar(value: object) -> DType:
    """The type a bare Python number has before it meets a tensor."""
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, (complex, np.complexfloating)):
        return _default.to_complex()
    return int64 if isinstance(value, (int, np.integer)) else _default


def get_default_dtype() -> DType:
    """The dtype of numbers with a point where none is given: float32 unless another was set."""
    return _default


def set_default_dtype(dtype: DType) -> None:
    """Give numbers with a point this dtype from now on."""
    global _default
    _default = dtype


def with_scalar(tensor: DType, scalar: DType) -> DType:
    """The type of ``tensor (op) number``: the number only counts when it is of a higher kind.

    With a complex number a floating-point tensor becomes complex of its own precision.
    """
    if RANK[scalar.kind] <= RANK[tensor.kind]:
        return tensor
    return tensor.to_complex() if scalar.is_complex and tensor.kind == "float" else scalar
