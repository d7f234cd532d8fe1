"""Tensor types by their older names: ``FloatTensor(2, 3)``, ``x.type(LongTensor)``.

Before there were dtypes, each element type had a class.  Programs still use them to make tensors
(:func:`constructed`), to convert, and in ``isinstance``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base import dtypes
from pellucid.base.dtypes import DType, get_default_dtype
from pellucid.base.errors import ArgumentTypeError
from pellucid.base.shapes import Size
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import tensor, zeros
from pellucid.tensor.defaults import set_default_dtype
from pellucid.tensor.device import DeviceLike, absent, check_device
from pellucid.tensor.interface import Tensor


def constructed(
    name: str, dtype: DType | None, given: tuple[Any, ...], size: Any, device: DeviceLike | None
) -> Tensor:
    """What ``Tensor(...)`` and its older kin make of their arguments; ``dtype`` None: of any.

    Whole numbers are a size (zeros here, uninitialized memory in PyTorch), so is a
    :class:`~pellucid.Size`; a sequence or an array are data; a tensor is shared as it is.
    """
    check_device(device)
    kind = dtype or get_default_dtype()
    if size is not None:
        given = (Size(size),)
    if not given:
        return zeros(0, dtype=kind)
    first = given[0]
    if len(given) > 1 or _is_extent(first):
        return zeros(*given, dtype=kind)
    if isinstance(first, Size):
        return zeros(first, dtype=kind)
    if isinstance(first, TensorCore):
        if dtype is not None and first.dtype is not dtype:
            raise ArgumentTypeError(
                f"{name} got a tensor of {first.dtype.name}", f"convert it: x.to({dtype!r})"
            )
        return first.detach()  # type: ignore[attr-defined]
    if isinstance(first, (str, bytes)) or not hasattr(first, "__len__"):
        raise ArgumentTypeError(
            f"{name} got a {type(first).__name__}",
            "pass extents (whole numbers), a sequence of numbers, an array or a tensor; for the "
            "tensor of one number use pellucid.tensor(number)",
        )
    return _data(first, kind)


def _is_extent(value: object) -> bool:
    """Whether a value is a whole number, which a constructor takes for the extent of an axis."""
    if isinstance(value, np.ndarray):
        return value.shape == () and value.dtype.kind in "iu"
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _data(values: Any, kind: DType) -> Tensor:
    """Data as a tensor of that type, fractions cut off where it holds whole numbers."""
    if isinstance(values, range):
        values = list(values)
    return tensor(values).to(kind) if kind.kind != "float" else tensor(values, dtype=kind)


class TensorType(type):
    """The class of tensor types: they make tensors and recognize those of their dtype.

    ``dtype`` is the element type, ``name`` PyTorch's name of the type, such as
    ``"torch.FloatTensor"``.
    """

    dtype: DType
    is_cuda = False
    is_sparse = False

    @property
    def name(cls) -> str:
        """The type's name as ``x.type()`` gives it."""
        return f"torch.{'cuda.' if cls.is_cuda else ''}{cls.__name__}"

    def __call__(cls, *data: Any, size: Any = None, device: DeviceLike | None = None) -> Any:
        """A tensor of this type: of a size (zeros), from data, or a tensor itself."""
        if cls.is_cuda:
            raise no_such_type(cls.name)
        return constructed(cls.__name__, cls.dtype, data, size, device)

    def __instancecheck__(cls, instance: object) -> bool:
        return not cls.is_cuda and isinstance(instance, TensorCore) and instance.dtype is cls.dtype


def no_such_type(name: str) -> ArgumentTypeError:
    """The error for the use of a type whose tensors live on another device."""
    return ArgumentTypeError(
        f"type {name} is not available: only the CPU exists here", "use a type without cuda"
    )


class FloatTensor(metaclass=TensorType):
    """Tensors of float32, as a type: ``FloatTensor(2, 3)``, ``FloatTensor([1, 2])``."""

    dtype = dtypes.float32


class DoubleTensor(metaclass=TensorType):
    """Tensors of float64, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.float64


class HalfTensor(metaclass=TensorType):
    """Tensors of float16, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.float16


class BFloat16Tensor(metaclass=TensorType):
    """Tensors of bfloat16, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.bfloat16


class LongTensor(metaclass=TensorType):
    """Tensors of int64, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.int64


class IntTensor(metaclass=TensorType):
    """Tensors of int32, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.int32


class ShortTensor(metaclass=TensorType):
    """Tensors of int16, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.int16


class CharTensor(metaclass=TensorType):
    """Tensors of int8, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.int8


class ByteTensor(metaclass=TensorType):
    """Tensors of uint8, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.uint8


class BoolTensor(metaclass=TensorType):
    """Tensors of bool, as a type; used like :class:`FloatTensor`."""

    dtype = dtypes.bool_


_TYPES = (
    FloatTensor, DoubleTensor, HalfTensor, BFloat16Tensor, LongTensor, IntTensor, ShortTensor,
    CharTensor, ByteTensor, BoolTensor,
)  # fmt: skip
_OF_DTYPE: dict[DType, TensorType] = {kind.dtype: kind for kind in _TYPES}
_OF_NAME: dict[str, TensorType] = {kind.__name__: kind for kind in _TYPES}


def type_of_absent(name: str) -> TensorType:
    """The type ``name`` of tensors on a graphics processor: it can be named, not used."""
    own = {
        "dtype": _OF_NAME[name].dtype,
        "is_cuda": True,
        "__module__": "pellucid.cuda",
        "__doc__": f"As :class:`pellucid.{name}` on a graphics processor; there is none.",
    }
    return TensorType(name, (), own)


def type_name(dtype: DType) -> str:
    """PyTorch's name for the type of tensors of ``dtype``: ``"torch.FloatTensor"``."""
    known = _OF_DTYPE.get(dtype)
    return f"torch.{dtype.name}" if known is None else known.name


def dtype_of_type(value: object) -> DType | None:
    """The dtype that a tensor type or its name stands for; None for what is neither.

    Names are ``"torch.FloatTensor"`` and ``"pellucid.FloatTensor"``.  Raises
    :class:`~pellucid.base.errors.DeviceError` for types on a graphics processor.
    """
    if isinstance(value, TensorType):
        if value.is_cuda:
            raise absent("cuda")
        return value.dtype
    if isinstance(value, str):
        package, _, rest = value.partition(".")
        if package in ("torch", "pellucid") and rest.removeprefix("cuda.") in _OF_NAME:
            if rest.startswith("cuda."):
                raise absent("cuda")
            return _OF_NAME[rest].dtype
    return None


def set_default_tensor_type(t: TensorType | str) -> None:
    """Set the default dtype by a type: ``set_default_tensor_type(DoubleTensor)``.

    An older form of :func:`pellucid.set_default_dtype`.  Raises ``ArgumentTypeError`` (a
    ``TypeError``) for types of whole numbers and for those on a graphics processor.
    """
    named = t.name if isinstance(t, TensorType) else str(t)
    if ".cuda." in named:
        raise no_such_type(named)
    kind = dtype_of_type(t)
    if kind is None:
        raise ArgumentTypeError(f"there is no type of tensors {t!r}", "use pellucid.FloatTensor")
    set_default_dtype(kind)


def as_type(value: Any) -> DType:
    """The dtype named by a tensor type, its name, or a dtype."""
    found = dtype_of_type(value)
    if found is None and isinstance(value, str) and value.endswith("Tensor"):
        raise ArgumentTypeError(f"there is no type of tensors {value!r}", 'use "torch.FloatTensor"')
    return dtypes.as_dtype(value) if found is None else found
