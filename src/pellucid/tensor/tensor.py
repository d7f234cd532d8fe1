"""The tensor class: the mixins put together, with conversion, in-place changes and autograd."""

from __future__ import annotations

import builtins
import copy
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import (
    DType,
    DTypeLike,
    bfloat16,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from pellucid.base.errors import AutogradError, DTypeError, TraceError
from pellucid.base.shapes import Shape, Size, contiguous_strides, normalize_axis, size_of
from pellucid.ops import elementwise, structure
from pellucid.tensor import autograd, creation, inplace
from pellucid.tensor.arguments import Axes, Extents, Operand, TensorClass
from pellucid.tensor.assembling import AssemblingMethods
from pellucid.tensor.combining import CombiningMethods
from pellucid.tensor.complex import ComplexMethods
from pellucid.tensor.conversion import converted, destination
from pellucid.tensor.core import Record, TensorCore, initialize
from pellucid.tensor.device import Device, DeviceLike, check_device
from pellucid.tensor.hooks import HookHandle
from pellucid.tensor.interface import Tensor
from pellucid.tensor.layout import Layout, check_layout, contiguous_format, preserve_format
from pellucid.tensor.matrix_methods import MatrixMethods
from pellucid.tensor.parts import PartMethods
from pellucid.tensor.placing import PlacingMethods
from pellucid.tensor.products import ProductMethods
from pellucid.tensor.promotion import as_operand, rounded_once
from pellucid.tensor.random import RandomMethods
from pellucid.tensor.sharing import SharingMethods
from pellucid.tensor.short_time import ShortTimeMethods
from pellucid.tensor.signatures import present_as, takes_dim, with_numpy_names
from pellucid.tensor.special import SpecialMethods
from pellucid.tensor.state import Cell, state
from pellucid.tensor.statistics import StatisticsMethods
from pellucid.tensor.strided import StridedMethods, strides_of
from pellucid.tensor.tensor_types import TensorType, as_type, constructed, type_name
from pellucid.tensor.validity import changed
from pellucid.tensor.values import ValueMethods
from pellucid.tensor.vocabulary import CALLING_BACK, UNGUARDED, names_with


class _WholeTensor(
    ValueMethods,
    ComplexMethods,
    SpecialMethods,
    ProductMethods,
    StatisticsMethods,
    AssemblingMethods,
    CombiningMethods,
    RandomMethods,
    PartMethods,
    PlacingMethods,
    MatrixMethods,
    SharingMethods,
    ShortTimeMethods,
    StridedMethods,
):
    """An n-dimensional array whose operations can be recorded, differentiated and compiled.

    ``Tensor(2, 3)`` is a tensor of that size and of the default dtype (zeros here; its memory is
    uninitialized in PyTorch), ``Tensor([1, 2])`` one of these numbers, ``Tensor(x)`` shares a
    tensor.  Prefer :func:`pellucid.tensor`, which keeps the type of the data, and
    :func:`pellucid.zeros`.
    """

    __slots__ = ()

    __array_priority__ = 1000
    """Makes ``numpy_array * tensor`` a tensor: NumPy leaves the operation to us."""

    def __init__(
        self,
        *data: Any,
        size: Sequence[builtins.int] | None = None,
        device: DeviceLike | None = None,
    ) -> None:
        initialize(self, constructed("Tensor", None, data, size, device)._cell)

    # ---- facts -----------------------------------------------------------------------------

    @overload
    def size(self, dim: None = None) -> Size: ...
    @overload
    def size(self, dim: builtins.int) -> builtins.int: ...
    def size(self, dim: builtins.int | None = None) -> Size | builtins.int:
        """The shape, or with ``dim`` the extent of that axis."""
        if dim is None:
            return self.shape
        extents = self._cell.shape
        if not -len(extents) <= dim < len(extents):
            normalize_axis(dim, len(extents))
        return extents[dim]

    def dim(self) -> int:
        """Number of axes: 0 for a single number, 2 for a matrix."""
        return len(self._cell.shape)

    def numel(self) -> int:
        """Number of elements: the product of the extents."""
        return size_of(self._cell.shape)

    nelement = numel
    ndimension = dim

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.numel() * self.dtype.itemsize

    @overload
    def stride(self, dim: None = None) -> Shape: ...
    @overload
    def stride(self, dim: builtins.int) -> builtins.int: ...
    def stride(self, dim: builtins.int | None = None) -> Shape | builtins.int:
        """Elements of memory between neighbours along each axis (or one)."""
        strides = strides_of(self)
        return strides if dim is None else strides[dim]

    def is_contiguous(self, memory_format: object = None) -> builtins.bool:
        """Whether the elements lie in memory in the order of their axes, without gaps.

        Operations take any order.  A ``memory_format`` other than the usual one has no effect
        where it is asked for, and counts as kept here.
        """
        if memory_format not in (None, contiguous_format, preserve_format):
            return True
        wide = [i for i, n in enumerate(self.shape) if n != 1]
        expected = contiguous_strides(tuple(self.shape[i] for i in wide))
        return not self.numel() or tuple(self.stride()[i] for i in wide) == tuple(expected)

    def data_ptr(self) -> int:
        """Address of the first element in memory, an integer."""
        return self._cell.pointer

    const_data_ptr = data_ptr

    def is_distributed(self) -> builtins.bool:
        """Whether the tensor is spread over several machines: no."""
        return False

    def element_size(self) -> int:
        """Bytes of one element: 4 for float32."""
        return self.dtype.itemsize

    def is_floating_point(self) -> builtins.bool:
        """Whether the dtype is float32, float64, bfloat16 or float16."""
        return self.dtype.is_floating_point

    # ---- conversion ------------------------------------------------------------------------

    @overload
    def to(
        self,
        dtype: DType | builtins.type | np.dtype[Any],
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
    ) -> Tensor: ...
    @overload
    def to(
        self,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
    ) -> Tensor: ...
    @overload
    def to(
        self,
        other: Tensor,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
    ) -> Tensor: ...
    def to(
        self,
        *target: object,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        other: Tensor | None = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
        memory_format: object = None,
    ) -> Tensor:
        """The tensor in another dtype: ``to(dtype)``, ``to(device, dtype)`` or ``to(other)``.

        The tensor itself if nothing changes, unless ``copy``.  The only device is the CPU: any
        other raises a :class:`~pellucid.base.errors.DeviceError` (a ``RuntimeError``); a string
        always names a device.  ``non_blocking`` and ``memory_format`` have no effect.
        """
        if other is not None:
            target = (*target, other)
        wanted = destination(target, dtype, device, copy)
        result: Tensor = self if wanted.dtype is None else converted(self, wanted.dtype)
        return result.clone() if wanted.copy and result is self else result

    @overload
    def type(self, dtype: None = None, non_blocking: builtins.bool = False) -> str: ...
    @overload
    def type(
        self, dtype: DTypeLike | TensorType, non_blocking: builtins.bool = False
    ) -> Tensor: ...
    def type(
        self, dtype: DTypeLike | TensorType | None = None, non_blocking: builtins.bool = False
    ) -> Tensor | str:
        """The tensor in another dtype (itself if it has that already), or the name of its type.

        ``dtype`` is a dtype, a type such as ``pellucid.LongTensor``, or the name of one.  Without
        it the name that PyTorch has for the type, with which programs compare:
        ``"torch.FloatTensor"``.
        """
        if dtype is None:
            return type_name(self.dtype)
        if dtype is Tensor:  # the type of all
            dtype = get_default_dtype()
        return self.to(dtype=as_type(dtype))

    def float(self, memory_format: object = None) -> Tensor:
        """As float32; the tensor itself if it is that already."""
        return converted(self, float32)

    def double(self, memory_format: object = None) -> Tensor:
        """As float64; the tensor itself if it is that already."""
        return converted(self, float64)

    def bfloat16(self, memory_format: object = None) -> Tensor:
        """As bfloat16: the range of float32 with 8 bits of precision."""
        return converted(self, bfloat16)

    def half(self, memory_format: object = None) -> Tensor:
        """As float16: 11 bits of precision, up to 65504."""
        return converted(self, float16)

    def long(self, memory_format: object = None) -> Tensor:
        """As int64, the fraction cut off; what indices are."""
        return converted(self, int64)

    def int(self, memory_format: object = None) -> Tensor:
        """As int32, the fraction cut off."""
        return converted(self, int32)

    def short(self, memory_format: object = None) -> Tensor:
        """As int16: whole numbers from −32768 to 32767, the fraction cut off."""
        return converted(self, int16)

    def char(self, memory_format: object = None) -> Tensor:
        """As int8: whole numbers from −128 to 127, the fraction cut off."""
        return converted(self, int8)

    def byte(self, memory_format: object = None) -> Tensor:
        """As uint8: whole numbers from 0 to 255, the fraction cut off."""
        return converted(self, uint8)

    def bool(self, memory_format: object = None) -> Tensor:
        """As bool: True where the element is not zero."""
        return self.bool_()

    def type_as(self, other: TensorCore) -> Tensor:
        """In the dtype of ``other``; the tensor itself if it has that already."""
        return converted(self, other.dtype)

    def new_tensor(
        self,
        data: object,
        *,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: builtins.bool = False,
        pin_memory: builtins.bool = False,
    ) -> Tensor:
        """A copy of ``data`` in this tensor's dtype unless ``dtype`` is given."""
        check_device("cpu" if device is None else device)
        return creation.tensor(
            data, dtype=dtype or self.dtype, requires_grad=requires_grad, device="cpu"
        )

    def new_full(
        self,
        size: Sequence[builtins.int],
        fill_value: Operand,
        *,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: builtins.bool = False,
        layout: Layout | None = None,
        pin_memory: builtins.bool = False,
    ) -> Tensor:
        """``fill_value`` in the given size and this dtype."""
        check_device("cpu" if device is None else device)
        check_layout(layout)
        kind = dtype or self.dtype
        return creation.full(
            creation._shape_of((size,)),
            fill_value,
            dtype=kind,
            requires_grad=requires_grad,
            device="cpu",
        )

    def new_zeros(
        self,
        *shape: Extents,
        size: Extents | None = None,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: builtins.bool = False,
        layout: Layout | None = None,
        pin_memory: builtins.bool = False,
    ) -> Tensor:
        """Zeros of the given size, in this tensor's dtype unless ``dtype`` is given."""
        check_device("cpu" if device is None else device)
        check_layout(layout)
        return creation.zeros(
            *shape, size=size, dtype=dtype or self.dtype, requires_grad=requires_grad, device="cpu"
        )

    def new_ones(
        self,
        *shape: Extents,
        size: Extents | None = None,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: builtins.bool = False,
        layout: Layout | None = None,
        pin_memory: builtins.bool = False,
    ) -> Tensor:
        """Ones of the given size, in this tensor's dtype unless ``dtype`` is given."""
        check_device("cpu" if device is None else device)
        check_layout(layout)
        return creation.ones(
            *shape, size=size, dtype=dtype or self.dtype, requires_grad=requires_grad, device="cpu"
        )

    new_empty = new_zeros

    def new(
        self,
        *data: Any,
        size: Sequence[builtins.int] | None = None,
        device: DeviceLike | None = None,
    ) -> Tensor:
        """A tensor of this dtype: of a size (zeros), or from a sequence, an array or a tensor."""
        return constructed("new", self.dtype, data, size, device)

    def as_subclass(self, cls: builtins.type[TensorClass]) -> TensorClass:
        """The same storage and history as an object of ``cls``, a class derived from Tensor."""
        if not (isinstance(cls, builtins.type) and issubclass(cls, Tensor)):
            raise DTypeError(f"as_subclass got {cls!r}", "pass a class derived from Tensor")
        made = cls.__new__(cls)
        initialize(made, self._cell)
        made._requires_grad, made._record = self._requires_grad, self._record
        return made

    # ---- copies and history ----------------------------------------------------------------

    def detach(self) -> Tensor:
        """The same storage without history: gradients do not flow through."""
        if state.trace is not None and self.dtype.is_differentiable:
            return as_operand(state.trace.detached(self))
        return TensorCore.make(self._cell)

    def detach_(self) -> Tensor:
        """Forget the history in place; not for views, whose history is that of their base."""
        if self._view is not None and self.requires_grad:
            raise AutogradError("can't detach views in place", "use detach() instead")
        self._record = None
        self._requires_grad = False
        return self

    @property
    def data(self) -> Tensor:
        """The same storage without history; assigning lets the tensor show another's memory."""
        return self.detach()

    @data.setter
    def data(self, value: object) -> None:
        tensor = as_operand(value)
        if state.trace is not None:
            self.assign(elementwise.cast(tensor, self.dtype))
        else:
            self._cell.replace(tensor.array())

    def clone(self, *, memory_format: object = None) -> Tensor:
        """A copy with its own memory; gradients flow through."""
        return elementwise.copy(self)

    def retain_grad(self) -> None:
        """Collect the gradient here too, although this is not a leaf."""
        if not self._requires_grad:
            raise AutogradError(
                "retain_grad() was called on a tensor that does not require gradients",
                "set requires_grad=True on what it is computed from",
            )
        if self._record is not None:
            self._record.owner = weakref.ref(self)

    @property
    def retains_grad(self) -> builtins.bool:
        """Whether a tensor that is no leaf collects its gradient all the same."""
        return self._record is not None and self._record.owner is not None

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call ``hook(gradient)`` in backward; what it returns replaces the gradient.

        Returns a handle whose ``remove()`` takes the hook away again.
        """
        if not self._requires_grad:
            raise AutogradError(
                "a hook was registered on a tensor that does not require gradients",
                "set requires_grad=True on it, or on what it is computed from",
            )
        if self._record is not None:
            self._record.hooks = hooks = self._record.hooks or []
        else:
            self._hooks = hooks = self._hooks or []
        hooks.append(hook)
        changed(self)
        return HookHandle(hooks, hook, self)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call ``hook(tensor)`` in backward, after the gradient was added to ``tensor.grad``.

        For leaves; so an optimizer may step and forget each gradient as soon as it is there.
        Returns a handle whose ``remove()`` takes the hook away again.
        """
        if self._record is not None or not self._requires_grad:
            raise AutogradError(
                "a hook on the finished gradient was registered on a tensor that is no leaf or "
                "does not require gradients",
                "register it on a parameter, or use register_hook",
            )
        self._hooks = hooks = self._hooks or []
        after = autograd.AfterGradient(hook)
        hooks.append(after)
        changed(self)
        return HookHandle(hooks, after, self)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradients of this tensor to ``.grad`` of the leaves it depends on.

        With ``inputs`` only to theirs.  See :func:`pellucid.autograd.backward`.
        """
        autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    # ---- copies as Python objects ----------------------------------------------------------

    def __deepcopy__(self, memo: dict[builtins.int, Any]) -> Tensor:
        """A leaf of the same class with a copy of value and gradient; hooks stay behind."""
        if self._record is not None:
            raise AutogradError(
                "copy.deepcopy got a tensor that operations made", "use x.detach().clone()"
            )
        result = _rebuild(type(self), self.array().copy(), self._requires_grad)
        memo[id(self)] = result
        if isinstance(self._grad, TensorCore):
            result._grad = copy.deepcopy(self._grad, memo)
        return result

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickled as class, value and ``requires_grad``; history and gradient stay behind."""
        return _rebuild, (type(self), self.array(), self._requires_grad)

    # ---- changes in place ------------------------------------------------------------------

    def _update(self, value: Any) -> Tensor:
        """Become ``value``, the result of an operation in place; see :mod:`.inplace`.

        Raises :class:`~pellucid.base.errors.InPlaceError` if it is of a higher kind of number.
        """
        new = as_operand(value, self.dtype)
        inplace.check_result_type(new.dtype, self.dtype)
        inplace.change(self, self._fitted(new))
        return self

    def _fitted(self, value: Any) -> Any:
        """``value`` in the dtype and shape of this tensor."""
        new = converted(as_operand(value, self.dtype), self.dtype)
        same = tuple(new.shape) == tuple(self.shape)
        return new if same else structure.broadcast_to(new, self.shape)

    def _shadow(self) -> Tensor:
        """The value and history of now, as an operand of what replaces them."""
        return inplace.shadow_of(self)

    def copy_(self, source: Operand, non_blocking: builtins.bool = False) -> Tensor:
        """Overwrite with ``source``, broadcast and converted."""
        inplace.overwrite(self, self._fitted(source))
        return self

    def fill_(self, value: Operand) -> Tensor:
        """Overwrite every element with ``value``, converted."""
        view = self._view
        if view is not None and view.op is structure.BROADCAST:
            base: Any = view.owner()
            base.fill_(value)
            return self
        return self.copy_(value)

    def apply_(self, callable: Callable[[Any], object]) -> Tensor:
        """Overwrite every element with ``callable`` of it; slow, for values that are known."""
        return self._mapped(callable)

    def map_(self, tensor: Tensor, callable: Callable[[Any, Any], object]) -> Tensor:
        """Overwrite every element with ``callable`` of it and the one of ``tensor``."""
        return self._mapped(callable, tensor)

    def map2_(self, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], object]) -> Tensor:
        """Overwrite every element with ``callable`` of it and those of ``x`` and ``y``."""
        return self._mapped(callable, x, y)

    def _mapped(self, function: Callable[..., Any], *others: Any) -> Any:
        arrays = [t.dtype.numbers(t.array()) for t in (self, *map(as_operand, others))]
        lines = [np.broadcast_to(a, self.shape).reshape(-1).tolist() for a in arrays]
        results = [function(*elements) for elements in zip(*lines, strict=True)]
        values = np.asarray(results, arrays[0].dtype).reshape(self.shape)
        return self._update(creation.tensor(values))

    def fill_diagonal_(self, fill_value: Operand) -> Tensor:
        """Overwrite the elements whose indices are all equal."""
        inside = np.zeros(self.shape, np.bool_)
        np.fill_diagonal(inside, True)
        return self._update(self._shadow().masked_fill(as_operand(inside), fill_value))

    def _reshaped(self, change: Callable[[Any], Any]) -> Any:
        """Become ``change(self)``, which has these elements in another shape."""
        trace = state.trace
        if trace is None and self._record is None and self._requires_grad:
            raise AutogradError(
                "a leaf that requires gradients cannot change its shape in place",
                "use the form without underscore: it gives another tensor",
            )
        if trace is not None and not trace.resize(self._cell):
            raise TraceError(
                f"a tensor of shape {tuple(self.shape)} from outside changes its shape in a "
                f"compiled function{trace.where()}",
                "use the form without underscore: it gives another tensor",
            )
        self.follow()
        before: Any = _make(self._cell)
        before._requires_grad, before._record = self._requires_grad, self._record
        before._view = self._view
        value = change(before)
        if value is not before:
            if value._view is not None:
                value._view.kind = "plain" if self._view is None else self._view.kind
            self._cell, self._record, self._view = value._cell, value._record, value._view
        return self

    def unsqueeze_(self, dim: builtins.int) -> Tensor:
        """With a new axis of extent 1 at ``dim``, in place."""
        return self._reshaped(lambda x: x.unsqueeze(dim))

    def squeeze_(self, dim: Axes = None) -> Tensor:
        """Without axes of extent 1 (all of them, or those of ``dim``), in place."""
        return self._reshaped(lambda x: x.squeeze(dim))

    def transpose_(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged, in place."""
        return self._reshaped(lambda x: x.transpose(dim0, dim1))

    swapaxes_ = swapdims_ = transpose_

    def t_(self) -> Tensor:
        """The transposed matrix, in place; vectors and numbers stay."""
        return self._reshaped(lambda x: x.t())

    def zero_(self) -> Tensor:
        """Overwrite every element with zero; returns the tensor."""
        return self.fill_(0)

    def __iadd__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().add(other))

    def __isub__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().sub(other))

    def __imul__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().mul(other))

    def __itruediv__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().div(other))

    def __ifloordiv__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().floor_divide(other))

    def __imod__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().remainder(other))

    def __ipow__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().pow(other))

    def __iand__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().bitwise_and(other))

    def __ior__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().bitwise_or(other))

    def __ixor__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().bitwise_xor(other))

    def __ilshift__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().bitwise_left_shift(other))

    def __irshift__(self, other: Operand) -> Tensor:
        return self._update(self._shadow().bitwise_right_shift(other))


# The class has one name; to a type checker it is ``interface.pyi``, written from this one.
_WholeTensor.__name__ = _WholeTensor.__qualname__ = "Tensor"
if not TYPE_CHECKING:
    Tensor = _WholeTensor


def _in_place(name: str) -> Callable[..., Tensor]:
    """The in-place form ``name_`` of a method."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Tensor:
        result = getattr(self._shadow(), name)(*args, **kwargs)
        if result.dtype.kind == "bool":  # a comparison: 1 or 0 in the tensor's own type
            result = elementwise.cast(result, self.dtype)
        return self._update(result)

    plain = getattr(_WholeTensor, name)
    method.__name__ = f"{name}_"
    method.__qualname__ = f"Tensor.{name}_"
    said = inspect.cleandoc(plain.__doc__ or "")
    method.__doc__ = f"{said}\n\nIn place: overwrites the tensor with the result and returns it."
    present_as(method, plain, inspect.signature(plain).replace(return_annotation="Tensor"))
    return method


for _name in dir(_WholeTensor):
    if not _name.startswith("_") and takes_dim(inspect.getattr_static(_WholeTensor, _name)):
        setattr(_WholeTensor, _name, with_numpy_names(getattr(_WholeTensor, _name)))
for _name in names_with("in_place"):
    setattr(_WholeTensor, f"{_name}_", _in_place(_name))
for _name in names_with("rounded"):
    setattr(_WholeTensor, _name, rounded_once(getattr(_WholeTensor, _name)))


def _with_clear_errors() -> None:
    """Let the methods that users call raise errors of ours only; see :mod:`pellucid.base.boundary`.

    Not those of :data:`~pellucid.tensor.vocabulary.UNGUARDED`, which check all they are given, and
    not those that call the caller's own functions.
    """
    for name in dir(_WholeTensor):
        method = inspect.getattr_static(_WholeTensor, name)
        own = inspect.isfunction(method) and not hasattr(TensorCore, name)
        if own and not name.startswith("_") and name not in UNGUARDED | CALLING_BACK:
            setattr(_WholeTensor, name, clear(method))


_with_clear_errors()


def _rebuild(kind: Any, array: np.ndarray, requires_grad: builtins.bool) -> Any:
    """A leaf of class ``kind`` around ``array``."""
    tensor = kind.__new__(kind)
    initialize(tensor, Cell(array))
    tensor._requires_grad = requires_grad
    return tensor


_new_object = object.__new__


def _make(cell: Cell) -> Tensor:
    """A plain tensor around a cell, without history."""
    tensor = _new_object(Tensor)
    tensor._cell = cell  # as initialize() does, without a call for each result
    tensor._requires_grad = False
    tensor._grad = tensor._record = tensor._hooks = tensor._view = None
    return tensor


TensorCore.make = staticmethod(_make)

__all__ = ["Device", "HookHandle", "Record", "Tensor"]
