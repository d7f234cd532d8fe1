"""The tensor that a module counts among its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, DTypeError
from pellucid.base.shapes import Size
from pellucid.tensor.core import initialize
from pellucid.tensor.creation import empty, from_numpy, tensor
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is learned: assigned to a module, it appears in ``module.parameters()``.

    ``data`` is a tensor (its memory is shared, as in PyTorch) or an array or list of numbers
    (copied); ``requires_grad`` is True by default and needs a floating-point dtype.  What
    operations make of a parameter is a plain tensor.
    """

    __slots__ = ()

    def __init__(self, data: object = None, requires_grad: bool = True) -> None:
        source = empty(0) if data is None else data if isinstance(data, Tensor) else tensor(data)
        initialize(self, source._cell)
        if requires_grad:
            self.requires_grad_(True)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)


class UninitializedParameter(Parameter):
    """A parameter whose shape is told later, by :meth:`materialize`; it has no values until then.

    For modules that learn their sizes from the first input.  ``dtype`` is float32 by default.
    Asking for its shape raises :class:`ArgumentError`.
    """

    __slots__ = ()

    def __init__(
        self,
        requires_grad: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__(empty(0, dtype=dtype), requires_grad)

    @property
    def shape(self) -> Size:
        """Not known yet: raises :class:`ArgumentError`."""
        raise _unknown_shape()

    def materialize(
        self,
        shape: Sequence[int],
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        """Become a :class:`Parameter` of this shape, whose values are to be set."""
        check_device(device)
        self._cell.replace(empty(*shape, dtype=dtype or self.dtype).array())
        self.__class__ = Parameter  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<UninitializedParameter>"


def is_lazy(param: object) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, (UninitializedParameter, UninitializedBuffer))


def _unknown_shape() -> ArgumentError:
    return ArgumentError(
        "the shape of an uninitialized parameter or buffer was asked for",
        "call materialize(shape) first, or call the module once on a batch",
    )


class Buffer(Tensor):
    """A tensor that is state but not learned: assigned to a module, it is one of its buffers.

    ``data`` is a tensor (its memory is shared) or an array or list of numbers (copied), by
    default an empty tensor; ``persistent=False`` keeps it out of ``state_dict``.
    """

    __slots__ = ("persistent",)

    def __init__(self, data: object = None, *, persistent: bool = True) -> None:
        source = empty(0) if data is None else data if isinstance(data, Tensor) else tensor(data)
        initialize(self, source._cell)
        self.persistent = persistent

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        copied: Any = Tensor.__deepcopy__(self, memo)
        copied.persistent = self.persistent
        made: Tensor = copied
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _buffer, (self.detach(), self.persistent)


class UninitializedBuffer(Buffer):
    """A buffer whose shape is told later; see :class:`UninitializedParameter`."""

    __slots__ = ()

    def __init__(
        self,
        requires_grad: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        persistent: bool = True,
    ) -> None:
        check_device(device)
        super().__init__(empty(0, dtype=dtype), persistent=persistent)
        self.requires_grad_(requires_grad)

    @property
    def shape(self) -> Size:
        """Not known yet: raises :class:`ArgumentError`."""
        raise _unknown_shape()

    def materialize(
        self,
        shape: Sequence[int],
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        """Become a :class:`Buffer` of this shape, whose values are to be set."""
        check_device(device)
        self._cell.replace(empty(*shape, dtype=dtype or self.dtype).array())
        self.__class__ = Buffer  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<UninitializedBuffer>"


def _buffer(data: Any, persistent: bool) -> Buffer:
    """What a pickled buffer is made from again."""
    return Buffer(data, persistent=persistent)


def as_values(name: str, value: Any) -> Tensor:
    """``value`` as a plain tensor: ours, an array, or any tensor that turns into a NumPy array.

    Raises :class:`DTypeError` with ``name`` for anything else.
    """
    if isinstance(value, Tensor):
        return value.detach()
    if hasattr(value, "detach"):
        value = value.detach()
    if hasattr(value, "__array__"):
        array = value.__array__()
        # A copy where the array cannot be shared: read-only, or float16, which becomes float32.
        shared = array.flags.writeable and array.dtype != np.float16
        return from_numpy(array) if shared else tensor(array)
    if isinstance(value, (int, float, list, tuple)):
        return tensor(value)
    raise DTypeError(
        f"{name!r} is a {type(value).__name__}", "state dictionaries hold tensors or NumPy arrays"
    )
