# Written by tools/write_stubs.py from the running package; do not edit.
# mypy: disable-error-code="override, misc"

import builtins
import numpy as np
from collections.abc import Callable as Callable
from collections.abc import Iterator as Iterator
from collections.abc import Sequence as Sequence
from pellucid.base.dtypes import DType as DType
from pellucid.base.dtypes import DTypeLike as DTypeLike
from pellucid.base.shapes import Shape as Shape
from pellucid.base.shapes import Size as Size
from pellucid.tensor.arguments import Axes as Axes
from pellucid.tensor.arguments import Extents as Extents
from pellucid.tensor.arguments import Index as Index
from pellucid.tensor.arguments import Operand as Operand
from pellucid.tensor.arguments import TensorClass as TensorClass
from pellucid.tensor.core import TensorCore as TensorCore
from pellucid.tensor.device import Device as Device
from pellucid.tensor.device import DeviceLike as DeviceLike
from pellucid.tensor.hooks import HookHandle as HookHandle
from pellucid.tensor.layout import Layout as Layout
from pellucid.tensor.random import Generator as Generator
from pellucid.tensor.results import Extremes as Extremes
from pellucid.tensor.results import Fraction as Fraction
from pellucid.tensor.results import Histogram as Histogram
from pellucid.tensor.results import OrthogonalTriangular as OrthogonalTriangular
from pellucid.tensor.results import Reflectors as Reflectors
from pellucid.tensor.results import SignLog as SignLog
from pellucid.tensor.results import SingularFactors as SingularFactors
from pellucid.tensor.results import TriangularSolution as TriangularSolution
from pellucid.tensor.results import ValuesIndices as ValuesIndices
from pellucid.tensor.tensor_types import TensorType as TensorType
from typing import Any as Any
from typing import Literal as Literal
from typing import Self as Self
from typing import overload as overload

class Tensor(TensorCore):
    """An n-dimensional array whose operations can be recorded, differentiated and compiled.
    
    ``Tensor(2, 3)`` is a tensor of that size and of the default dtype (zeros here; its memory is
    uninitialized in PyTorch), ``Tensor([1, 2])`` one of these numbers, ``Tensor(x)`` shares a
    tensor.  Prefer :func:`pellucid.tensor`, which keeps the type of the data, and
    :func:`pellucid.zeros`.
    """

    @property
    def H(self) -> Tensor:
        """The matrix transposed and conjugated."""
        ...

    @property
    def T(self) -> Tensor:
        """All axes in reverse order."""
        ...

    def __abs__(self) -> Tensor:
        ...

    def __add__(self, other: Operand) -> Tensor:
        ...

    def __and__(self, other: Operand) -> Tensor:
        ...

    def __array__(
        self,
        dtype: DTypeLike | None = None,
        copy: builtins.bool | None = None,
    ) -> np.ndarray:
        ...

    @property
    def __array_interface__(self) -> builtins.dict[builtins.str, Any]:
        """NumPy's description of the memory: ``data`` holds an array that keeps it alive."""
        ...

    __array_priority__: builtins.int

    def __array_wrap__(
        self,
        array: np.ndarray,
        context: builtins.object = None,
        return_scalar: builtins.bool = False,
    ) -> Tensor | np.ndarray:
        """What a NumPy function made of a tensor is a tensor again, if there is its dtype."""
        ...

    def __arrow_c_stream__(self, requested_schema: builtins.object = None) -> builtins.object:
        """A vector as a column, a matrix as a table, for Polars and other readers of Arrow.

        Written by Polars or PyArrow, whichever is loaded (the one that asks is).  Raises
        ``ExchangeError`` for other numbers of axes, and where neither is loaded.
        """
        ...

    def __bool__(self) -> builtins.bool:
        ...

    def __ceil__(self) -> builtins.int:
        ...

    def __complex__(self) -> builtins.complex:
        ...

    def __copy__(self) -> Self:
        """A leaf of the same class around the same memory; hooks and gradient stay behind."""
        ...

    def __deepcopy__(self, memo: builtins.dict[builtins.int, Any]) -> Tensor:
        """A leaf of the same class with a copy of value and gradient; hooks stay behind."""
        ...

    def __divmod__(self, other: Operand) -> builtins.tuple[Tensor, Tensor]:
        ...

    def __dlpack__(
        self,
        *,
        stream: builtins.object = None,
        max_version: builtins.tuple[builtins.int, builtins.int] | None = None,
        dl_device: builtins.tuple[builtins.int, builtins.int] | None = None,
        copy: builtins.bool | None = None,
    ) -> builtins.object:
        """A capsule with the memory, for ``from_dlpack`` of other libraries.

        Raises ``ExchangeError`` (a ``BufferError``) for tensors that require gradients, for a
        stream, and for other devices than the CPU.
        """
        ...

    def __dlpack_device__(self) -> builtins.tuple[builtins.int, builtins.int]:
        ...

    def __eq__(self, other: builtins.object) -> Tensor:
        ...

    def __float__(self) -> builtins.float:
        ...

    def __floor__(self) -> builtins.int:
        ...

    def __floordiv__(self, other: Operand) -> Tensor:
        ...

    def __format__(self, spec: builtins.str) -> builtins.str:
        ...

    def __ge__(self, other: Operand) -> Tensor:
        """self ≥ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def __getitem__(self, key: Index) -> Tensor:
        ...

    def __gt__(self, other: Operand) -> Tensor:
        """self > other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def __hash__(self) -> builtins.int:
        ...

    def __iadd__(self, other: Operand) -> Tensor:
        ...

    def __iand__(self, other: Operand) -> Tensor:
        ...

    def __ifloordiv__(self, other: Operand) -> Tensor:
        ...

    def __ilshift__(self, other: Operand) -> Tensor:
        ...

    def __imod__(self, other: Operand) -> Tensor:
        ...

    def __imul__(self, other: Operand) -> Tensor:
        ...

    def __index__(self) -> builtins.int:
        ...

    def __init__(
        self,
        *data: Any,
        size: Sequence[builtins.int] | None = None,
        device: DeviceLike | None = None,
    ) -> None:
        ...

    def __int__(self) -> builtins.int:
        ...

    def __invert__(self) -> Tensor:
        ...

    def __ior__(self, other: Operand) -> Tensor:
        ...

    def __ipow__(self, other: Operand) -> Tensor:
        ...

    def __irshift__(self, other: Operand) -> Tensor:
        ...

    def __isub__(self, other: Operand) -> Tensor:
        ...

    def __iter__(self) -> Iterator[Tensor]:
        ...

    def __itruediv__(self, other: Operand) -> Tensor:
        ...

    def __ixor__(self, other: Operand) -> Tensor:
        ...

    def __le__(self, other: Operand) -> Tensor:
        """self ≤ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def __len__(self) -> builtins.int:
        ...

    def __lshift__(self, other: Operand) -> Tensor:
        ...

    def __lt__(self, other: Operand) -> Tensor:
        """self < other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def __matmul__(self, other: Tensor | np.ndarray) -> Tensor:
        ...

    def __mod__(self, other: Operand) -> Tensor:
        ...

    def __mul__(self, other: Operand) -> Tensor:
        ...

    def __ne__(self, other: builtins.object) -> Tensor:
        ...

    def __neg__(self) -> Tensor:
        ...

    def __or__(self, other: Operand) -> Tensor:
        ...

    def __pos__(self) -> Tensor:
        ...

    def __pow__(self, other: Operand) -> Tensor:
        ...

    def __radd__(self, other: Operand) -> Tensor:
        ...

    def __rand__(self, other: Operand) -> Tensor:
        ...

    def __rdiv__(self, other: Operand) -> Tensor:
        ...

    def __rdivmod__(self, other: Operand) -> builtins.tuple[Tensor, Tensor]:
        ...

    def __repr__(self) -> builtins.str:
        ...

    def __rfloordiv__(self, other: Operand) -> Tensor:
        ...

    def __rlshift__(self, other: Operand) -> Tensor:
        ...

    def __rmatmul__(self, other: Tensor | np.ndarray) -> Tensor:
        ...

    def __rmod__(self, other: Operand) -> Tensor:
        ...

    def __rmul__(self, other: Operand) -> Tensor:
        ...

    def __ror__(self, other: Operand) -> Tensor:
        ...

    def __round__(self, ndigits: builtins.int | None = None) -> Tensor:
        ...

    def __rpow__(self, other: Operand) -> Tensor:
        ...

    def __rrshift__(self, other: Operand) -> Tensor:
        ...

    def __rshift__(self, other: Operand) -> Tensor:
        ...

    def __rsub__(self, other: Operand) -> Tensor:
        ...

    def __rtruediv__(self, other: Operand) -> Tensor:
        ...

    def __rxor__(self, other: Operand) -> Tensor:
        ...

    def __setitem__(self, key: Index, value: Operand) -> None:
        ...

    def __sub__(self, other: Operand) -> Tensor:
        ...

    def __truediv__(self, other: Operand) -> Tensor:
        ...

    def __trunc__(self) -> builtins.int:
        ...

    def __xor__(self, other: Operand) -> Tensor:
        ...

    def _shadow(self) -> Tensor:
        """The value and history of now, as an operand of what replaces them."""
        ...

    def _update(self, value: Any) -> Tensor:
        """Become ``value``, the result of an operation in place; see :mod:`.inplace`.

        Raises :class:`~pellucid.base.errors.InPlaceError` if it is of a higher kind of number.
        """
        ...

    def _with(
        self,
        entries: builtins.list[Any],
        value: Any,
        mode: builtins.str = 'set',
    ) -> Tensor:
        """A copy whose elements at a key are ``value``, through positions in flat order."""
        ...

    def abs(self) -> Tensor:
        """|x|, element by element. Shape and dtype stay."""
        ...

    def abs_(self) -> Tensor:
        """|x|, element by element. Shape and dtype stay.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def absolute(self) -> Tensor:
        """|x|, element by element. Shape and dtype stay."""
        ...

    def absolute_(self) -> Tensor:
        """|x|, element by element. Shape and dtype stay.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def acos(self) -> Tensor:
        """arccos x, element by element. Shape stays; integers become float32."""
        ...

    def acos_(self) -> Tensor:
        """arccos x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def acosh(self) -> Tensor:
        """arcosh x, element by element. Shape stays; integers become float32."""
        ...

    def acosh_(self) -> Tensor:
        """arcosh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def add(self, other: Operand, *older: Operand, alpha: builtins.float = 1) -> Tensor:
        """self + alpha · other, element by element; shapes broadcast, dtypes are promoted."""
        ...

    def add_(self, other: Operand, *older: Operand, alpha: builtins.float = 1) -> Tensor:
        """self + alpha · other, element by element; shapes broadcast, dtypes are promoted.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def addbmm(
        self,
        batch1: Tensor,
        batch2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · Σ over the batch of batch1 @ batch2."""
        ...

    def addbmm_(
        self,
        batch1: Tensor,
        batch2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · Σ over the batch of batch1 @ batch2.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def addcdiv(
        self,
        tensor1: Tensor,
        tensor2: Tensor,
        *older: Tensor,
        value: builtins.float = 1,
    ) -> Tensor:
        """self + value · tensor1 / tensor2, element by element; shapes broadcast."""
        ...

    def addcdiv_(
        self,
        tensor1: Tensor,
        tensor2: Tensor,
        *older: Tensor,
        value: builtins.float = 1,
    ) -> Tensor:
        """self + value · tensor1 / tensor2, element by element; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def addcmul(
        self,
        tensor1: Tensor,
        tensor2: Tensor,
        *older: Tensor,
        value: builtins.float = 1,
    ) -> Tensor:
        """self + value · tensor1 · tensor2, element by element; shapes broadcast."""
        ...

    def addcmul_(
        self,
        tensor1: Tensor,
        tensor2: Tensor,
        *older: Tensor,
        value: builtins.float = 1,
    ) -> Tensor:
        """self + value · tensor1 · tensor2, element by element; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def addmm(
        self,
        mat1: Tensor,
        mat2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · (mat1 @ mat2); ``self`` broadcasts."""
        ...

    def addmm_(
        self,
        mat1: Tensor,
        mat2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · (mat1 @ mat2); ``self`` broadcasts.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def addmv(
        self,
        mat: Tensor,
        vec: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · (mat @ vec): (n) or broadcast to it, (n, m), (m) → (n)."""
        ...

    def addmv_(
        self,
        mat: Tensor,
        vec: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · (mat @ vec): (n) or broadcast to it, (n, m), (m) → (n).

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def addr(
        self,
        vec1: Tensor,
        vec2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · outer(vec1, vec2)."""
        ...

    def addr_(
        self,
        vec1: Tensor,
        vec2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · outer(vec1, vec2).

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def adjoint(self) -> Tensor:
        """The last two axes exchanged, and conjugated: Aᴴ of each matrix."""
        ...

    def all(self, dim: Axes = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether every element over ``dim`` is nonzero (true for none); dtype as :meth:`any`."""
        ...

    def allclose(
        self,
        other: Operand,
        rtol: builtins.float = ...,
        atol: builtins.float = ...,
        equal_nan: builtins.bool = False,
    ) -> builtins.bool:
        """Whether every element :meth:`isclose` to the other's: a Python bool."""
        ...

    def amax(self, dim: Axes = None, keepdim: builtins.bool = False) -> Tensor:
        """Largest element over ``dim``; equal ones share the gradient evenly."""
        ...

    def amin(self, dim: Axes = None, keepdim: builtins.bool = False) -> Tensor:
        """Smallest element over ``dim``; equal ones share the gradient evenly."""
        ...

    def aminmax(
        self,
        *,
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
    ) -> Extremes:
        """(smallest, largest) over ``dim`` (all axes by default)."""
        ...

    def angle(self) -> Tensor:
        """The angle φ in (−π, π] of |z| e^iφ; of real numbers 0 or, if negative, π; NaN for NaN."""
        ...

    def any(self, dim: Axes = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether any element over ``dim`` is nonzero: bool, of uint8 as uint8."""
        ...

    def apply_(self, callable: Callable[[Any], builtins.object]) -> Tensor:
        """Overwrite every element with ``callable`` of it; slow, for values that are known."""
        ...

    def arccos(self) -> Tensor:
        """arccos x, element by element. Shape stays; integers become float32."""
        ...

    def arccos_(self) -> Tensor:
        """arccos x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def arccosh(self) -> Tensor:
        """arcosh x, element by element. Shape stays; integers become float32."""
        ...

    def arccosh_(self) -> Tensor:
        """arcosh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def arcsin(self) -> Tensor:
        """arcsin x, element by element. Shape stays; integers become float32."""
        ...

    def arcsin_(self) -> Tensor:
        """arcsin x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def arcsinh(self) -> Tensor:
        """arsinh x, element by element. Shape stays; integers become float32."""
        ...

    def arcsinh_(self) -> Tensor:
        """arsinh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def arctan(self) -> Tensor:
        """arctan x, element by element. Shape stays; integers become float32."""
        ...

    def arctan2(self, other: Operand) -> Tensor:
        """Angle of the point (x = other, y = self) in (−π, π]."""
        ...

    def arctan2_(self, other: Operand) -> Tensor:
        """Angle of the point (x = other, y = self) in (−π, π].

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def arctan_(self) -> Tensor:
        """arctan x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def arctanh(self) -> Tensor:
        """artanh x, element by element. Shape stays; integers become float32."""
        ...

    def arctanh_(self) -> Tensor:
        """artanh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def argmax(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the first largest element, in the flattened tensor or along ``dim``."""
        ...

    def argmin(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the first smallest element, in the flattened tensor or along ``dim``."""
        ...

    def argsort(
        self,
        dim: builtins.int = -1,
        descending: builtins.bool = False,
        stable: builtins.bool = True,
    ) -> Tensor:
        """Positions that sort along ``dim``; equal elements keep their order."""
        ...

    def argwhere(self) -> Tensor:
        """Positions of the nonzero elements: (count, axes); values must be known."""
        ...

    def as_strided(
        self,
        size: Sequence[builtins.int],
        stride: Sequence[builtins.int],
        storage_offset: builtins.int | None = None,
    ) -> Tensor:
        """A view in which neighbours along axis i are ``stride[i]`` elements of memory apart.

        ``storage_offset`` is where in the memory of the tensor (or of what it is a view of) it
        begins, by default where the tensor does.  Elements may be shown more than once; their
        gradients add up, and such a view cannot be written.  Raises ``ShapeError`` where it would
        leave the memory, ``ArgumentError`` for negative numbers.

        >>> import pellucid
        >>> pellucid.arange(6).as_strided((4, 3), (1, 1))
        tensor([[0, 1, 2],
                [1, 2, 3],
                [2, 3, 4],
                [3, 4, 5]])
        """
        ...

    def as_strided_(
        self,
        size: Sequence[builtins.int],
        stride: Sequence[builtins.int],
        storage_offset: builtins.int | None = None,
    ) -> Tensor:
        """:meth:`as_strided` in place: the tensor itself shows its memory so; returns it.

        Raises ``AutogradError`` for tensors that require gradients, and ``TraceError`` inside of
        ``compile`` for tensors from outside that are no arguments.  A call that changes the shape
        of an argument runs eagerly.
        """
        ...

    def as_strided_scatter(
        self,
        src: Tensor,
        size: Sequence[builtins.int],
        stride: Sequence[builtins.int],
        storage_offset: builtins.int | None = None,
    ) -> Tensor:
        """A copy with ``src`` in the places that :meth:`as_strided` shows; shape as before."""
        ...

    def as_subclass(self, cls: builtins.type[TensorClass]) -> TensorClass:
        """The same storage and history as an object of ``cls``, a class derived from Tensor."""
        ...

    def asin(self) -> Tensor:
        """arcsin x, element by element. Shape stays; integers become float32."""
        ...

    def asin_(self) -> Tensor:
        """arcsin x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def asinh(self) -> Tensor:
        """arsinh x, element by element. Shape stays; integers become float32."""
        ...

    def asinh_(self) -> Tensor:
        """arsinh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def atan(self) -> Tensor:
        """arctan x, element by element. Shape stays; integers become float32."""
        ...

    def atan2(self, other: Operand) -> Tensor:
        """Angle of the point (x = other, y = self) in (−π, π]."""
        ...

    def atan2_(self, other: Operand) -> Tensor:
        """Angle of the point (x = other, y = self) in (−π, π].

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def atan_(self) -> Tensor:
        """arctan x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def atanh(self) -> Tensor:
        """artanh x, element by element. Shape stays; integers become float32."""
        ...

    def atanh_(self) -> Tensor:
        """artanh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

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
        ...

    def baddbmm(
        self,
        batch1: Tensor,
        batch2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · (batch1 @ batch2), matrix by matrix."""
        ...

    def baddbmm_(
        self,
        batch1: Tensor,
        batch2: Tensor,
        *older: Tensor,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """beta · self + alpha · (batch1 @ batch2), matrix by matrix.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def bernoulli(self, *, generator: Generator | None = None) -> Tensor:
        """1 with the tensor's elements as probabilities, else 0; see :func:`pellucid.bernoulli`."""
        ...

    def bernoulli_(
        self,
        p: builtins.float = ...,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Overwrite with 1 (with probability ``p``) or 0, drawn from ``generator``."""
        ...

    def bfloat16(self, memory_format: builtins.object = None) -> Tensor:
        """As bfloat16: the range of float32 with 8 bits of precision."""
        ...

    def bincount(self, weights: Tensor | None = None, minlength: builtins.int = 0) -> Tensor:
        """How often 0, 1, 2, … occur (or the sums of their ``weights``); values must be known."""
        ...

    def bitwise_and(self, other: Operand) -> Tensor:
        """Bits set in both, element by element; for integers and bool, shapes broadcast."""
        ...

    def bitwise_and_(self, other: Operand) -> Tensor:
        """Bits set in both, element by element; for integers and bool, shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def bitwise_left_shift(self, other: Operand) -> Tensor:
        """self · 2^other, for integers; 0 where all bits leave.  ``self << other``."""
        ...

    def bitwise_left_shift_(self, other: Operand) -> Tensor:
        """self · 2^other, for integers; 0 where all bits leave.  ``self << other``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def bitwise_not(self) -> Tensor:
        """Every bit turned; for integers and bool, where it is logical not."""
        ...

    def bitwise_not_(self) -> Tensor:
        """Every bit turned; for integers and bool, where it is logical not.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def bitwise_or(self, other: Operand) -> Tensor:
        """Bits set in at least one; integers and bool."""
        ...

    def bitwise_or_(self, other: Operand) -> Tensor:
        """Bits set in at least one; integers and bool.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def bitwise_right_shift(self, other: Operand) -> Tensor:
        """⌊self / 2^other⌋, for integers; 0 or −1 where all bits leave.  ``self >> other``."""
        ...

    def bitwise_right_shift_(self, other: Operand) -> Tensor:
        """⌊self / 2^other⌋, for integers; 0 or −1 where all bits leave.  ``self >> other``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def bitwise_xor(self, other: Operand) -> Tensor:
        """Bits set in exactly one; integers and bool."""
        ...

    def bitwise_xor_(self, other: Operand) -> Tensor:
        """Bits set in exactly one; integers and bool.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def bmm(self, mat2: Tensor) -> Tensor:
        """The products of two batches of matrices: (B, M, K) · (B, K, N) → (B, M, N)."""
        ...

    def bool(self, memory_format: builtins.object = None) -> Tensor:
        """As bool: True where the element is not zero."""
        ...

    def bool_(self) -> Tensor:
        """As bool: True where the element is not zero; bool tensors stay."""
        ...

    def broadcast_to(self, shape: Sequence[builtins.int]) -> Tensor:
        """Stretched to ``shape`` by NumPy's rule, without a copy."""
        ...

    def bucketize(
        self,
        boundaries: Tensor,
        *,
        out_int32: builtins.bool = False,
        right: builtins.bool = False,
    ) -> Tensor:
        """Number of the interval between ``boundaries`` (ascending) each element falls in.

        boundaries[i − 1] < x ≤ boundaries[i] gives i; with ``right``, the left end counts in.
        """
        ...

    def byte(self, memory_format: builtins.object = None) -> Tensor:
        """As uint8: whole numbers from 0 to 255, the fraction cut off."""
        ...

    def cauchy_(
        self,
        median: builtins.float = ...,
        sigma: builtins.float = ...,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Overwrite with draws of density σ / (π (σ² + (x − median)²))."""
        ...

    def cdouble(self, memory_format: builtins.object = None) -> Tensor:
        """As complex128; the tensor itself if it is that already."""
        ...

    def ceil(self) -> Tensor:
        """The smallest integer ≥ x, element by element; shape and dtype stay."""
        ...

    def ceil_(self) -> Tensor:
        """The smallest integer ≥ x, element by element; shape and dtype stay.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def cfloat(self, memory_format: builtins.object = None) -> Tensor:
        """As complex64; the tensor itself if it is that already."""
        ...

    def char(self, memory_format: builtins.object = None) -> Tensor:
        """As int8: whole numbers from −128 to 127, the fraction cut off."""
        ...

    def cholesky(self, upper: builtins.bool = False) -> Tensor:
        """The factor L of a symmetric positive definite matrix L Lᵀ, or Lᵀ with ``upper``."""
        ...

    def cholesky_inverse(self, upper: builtins.bool = False) -> Tensor:
        """The inverse of the matrix whose Cholesky factor this is."""
        ...

    def cholesky_solve(self, input2: Tensor, upper: builtins.bool = False) -> Tensor:
        """X with A X = self, A the matrix whose Cholesky factor ``input2`` is."""
        ...

    def chunk(self, chunks: builtins.int, dim: builtins.int = 0) -> builtins.tuple[Tensor, ...]:
        """At most ``chunks`` pieces of equal size (the last may be smaller)."""
        ...

    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """min(max(x, min), max), NaN where one of them is.

        The gradient is 1 inside and at the bounds, 0 outside.
        """
        ...

    def clamp_(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """min(max(x, min), max), NaN where one of them is.

        The gradient is 1 inside and at the bounds, 0 outside.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def clamp_max(self, max: Operand) -> Tensor:
        """min(x, max), element by element; ``max`` broadcasts."""
        ...

    def clamp_max_(self, max: Operand) -> Tensor:
        """min(x, max), element by element; ``max`` broadcasts.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def clamp_min(self, min: Operand) -> Tensor:
        """max(x, min), element by element; ``min`` broadcasts."""
        ...

    def clamp_min_(self, min: Operand) -> Tensor:
        """max(x, min), element by element; ``min`` broadcasts.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """min(max(x, min), max), NaN where one of them is.

        The gradient is 1 inside and at the bounds, 0 outside.
        """
        ...

    def clip_(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """min(max(x, min), max), NaN where one of them is.

        The gradient is 1 inside and at the bounds, 0 outside.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def clone(self, *, memory_format: builtins.object = None) -> Tensor:
        """A copy with its own memory; gradients flow through."""
        ...

    def coalesce(self) -> Tensor:
        """A sparse tensor with one entry a place; this one is dense: ``ArgumentError``."""
        ...

    def conj(self) -> Tensor:
        """The conjugate re − i im, in memory of its own; of a real tensor itself."""
        ...

    def conj_physical(self) -> Tensor:
        """The conjugate re − i im, in memory of its own; of a real tensor itself."""
        ...

    def conj_physical_(self) -> Tensor:
        """The conjugate re − i im, in memory of its own; of a real tensor itself.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def const_data_ptr(self) -> builtins.int:
        """Address of the first element in memory, an integer."""
        ...

    def contiguous(self, memory_format: builtins.object = None) -> Tensor:
        """The tensor itself if its elements lie in C order in memory, else a copy in which they do.

        Within a compiled function that decides only about sharing memory: layouts are the
        compiler's business.
        """
        ...

    def copy_(self, source: Operand, non_blocking: builtins.bool = False) -> Tensor:
        """Overwrite with ``source``, broadcast and converted."""
        ...

    def copysign(self, other: Operand) -> Tensor:
        """|self| with the sign of ``other``; a zero's sign counts too."""
        ...

    def copysign_(self, other: Operand) -> Tensor:
        """|self| with the sign of ``other``; a zero's sign counts too.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def corrcoef(self) -> Tensor:
        """Pearson's correlation coefficients of the rows, or their parts, in [−1, 1]."""
        ...

    def cos(self) -> Tensor:
        """cos x, element by element. Shape stays; integers become float32."""
        ...

    def cos_(self) -> Tensor:
        """cos x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def cosh(self) -> Tensor:
        """cosh x, element by element. Shape stays; integers become float32."""
        ...

    def cosh_(self) -> Tensor:
        """cosh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def count_nonzero(self, dim: Axes = None) -> Tensor:
        """Number of nonzero elements over ``dim`` (int64)."""
        ...

    def cov(
        self,
        *,
        correction: builtins.int = 1,
        fweights: Tensor | None = None,
        aweights: Tensor | None = None,
    ) -> Tensor:
        """Covariances of the rows (variables) over the columns (observations).

        (V, N) → (V, V); of one variable, (N,) or (1, N), its variance as a number, shape ().
        ``fweights`` (N,), integers, say how often each observation was made, ``aweights`` (N,) how
        much it counts.  With w their product, divided by Σw − correction · Σ(w · a) / Σw.
        """
        ...

    def cpu(self, memory_format: builtins.object = None) -> Tensor:
        """The tensor itself: every tensor lives on the CPU."""
        ...

    def cross(self, other: Tensor, dim: builtins.int | None = None) -> Tensor:
        """The vector product along ``dim``, by default the first axis of extent 3."""
        ...

    def cuda(
        self,
        device: DeviceLike | None = None,
        non_blocking: builtins.bool = False,
    ) -> Tensor:
        """Raises :class:`~pellucid.base.errors.DeviceError`: tensors live on the CPU."""
        ...

    def cummax(self, dim: builtins.int) -> ValuesIndices:
        """(largest so far, its last position) along ``dim``."""
        ...

    def cummin(self, dim: builtins.int) -> ValuesIndices:
        """(smallest so far, its last position) along ``dim``."""
        ...

    def cumprod(self, dim: builtins.int, *, dtype: DTypeLike | None = None) -> Tensor:
        """Running product along ``dim``: y_i = x_1 · … · x_i; the shape stays."""
        ...

    def cumprod_(self, dim: builtins.int, *, dtype: DTypeLike | None = None) -> Tensor:
        """Running product along ``dim``: y_i = x_1 · … · x_i; the shape stays.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def cumsum(self, dim: builtins.int, *, dtype: DTypeLike | None = None) -> Tensor:
        """Running sum along ``dim``: y_i = x_1 + … + x_i; the shape stays."""
        ...

    def cumsum_(self, dim: builtins.int, *, dtype: DTypeLike | None = None) -> Tensor:
        """Running sum along ``dim``: y_i = x_1 + … + x_i; the shape stays.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    @property
    def data(self) -> Tensor:
        """The same storage without history; assigning lets the tensor show another's memory."""
        ...
    @data.setter
    def data(self, value: builtins.object) -> None:
        ...

    def data_ptr(self) -> builtins.int:
        """Address of the first element in memory, an integer."""
        ...

    def deg2rad(self) -> Tensor:
        """Degrees as radians: x · π / 180, element by element."""
        ...

    def deg2rad_(self) -> Tensor:
        """Degrees as radians: x · π / 180, element by element.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def dense_dim(self) -> builtins.int:
        """Number of axes without indices: all."""
        ...

    def det(self) -> Tensor:
        """The determinant of square matrices: (…, n, n) → (…)."""
        ...

    def detach(self) -> Tensor:
        """The same storage without history: gradients do not flow through."""
        ...

    def detach_(self) -> Tensor:
        """Forget the history in place; not for views, whose history is that of their base."""
        ...

    @property
    def device(self) -> Device:
        """Where the tensor lives: the CPU."""
        ...

    def diag(self, diagonal: builtins.int = 0) -> Tensor:
        """A matrix's diagonal, or a vector as the diagonal of a square matrix."""
        ...

    def diag_embed(
        self,
        offset: builtins.int = 0,
        dim1: builtins.int = -2,
        dim2: builtins.int = -1,
    ) -> Tensor:
        """The last axis as a diagonal of new axes ``dim1`` and ``dim2``, zeros around it."""
        ...

    def diagflat(self, offset: builtins.int = 0) -> Tensor:
        """All elements as the diagonal of a square matrix."""
        ...

    def diagonal(
        self,
        offset: builtins.int = 0,
        dim1: builtins.int = 0,
        dim2: builtins.int = 1,
    ) -> Tensor:
        """Elements on a diagonal of axes ``dim1`` and ``dim2``, as a last axis."""
        ...

    def diagonal_scatter(
        self,
        src: Tensor,
        offset: builtins.int = 0,
        dim1: builtins.int = 0,
        dim2: builtins.int = 1,
    ) -> Tensor:
        """A copy with ``src`` on the ``offset``-th diagonal of axes ``dim1`` and ``dim2``."""
        ...

    def diff(
        self,
        n: builtins.int = 1,
        dim: builtins.int = -1,
        prepend: Tensor | None = None,
        append: Tensor | None = None,
    ) -> Tensor:
        """x[i + 1] − x[i] along ``dim``, ``n`` times; ``prepend``/``append`` are joined first."""
        ...

    def digamma(self) -> Tensor:
        """the derivative of ln Γ(x), element by element. Shape stays; integers become float32."""
        ...

    def digamma_(self) -> Tensor:
        """the derivative of ln Γ(x), element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def dim(self) -> builtins.int:
        """Number of axes: 0 for a single number, 2 for a matrix."""
        ...

    def dist(self, other: Operand, p: builtins.float = 2) -> Tensor:
        """The p-norm of self − other over all elements, one number."""
        ...

    def div(self, other: Operand, *, rounding_mode: builtins.str | None = None) -> Tensor:
        """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

        Without rounding the result is floating point also for integers.
        """
        ...

    def div_(self, other: Operand, *, rounding_mode: builtins.str | None = None) -> Tensor:
        """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

        Without rounding the result is floating point also for integers.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def divide(self, other: Operand, *, rounding_mode: builtins.str | None = None) -> Tensor:
        """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

        Without rounding the result is floating point also for integers.
        """
        ...

    def divide_(self, other: Operand, *, rounding_mode: builtins.str | None = None) -> Tensor:
        """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

        Without rounding the result is floating point also for integers.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def dot(self, other: Tensor) -> Tensor:
        """Sum of the products of two vectors of equal length."""
        ...

    def double(self, memory_format: builtins.object = None) -> Tensor:
        """As float64; the tensor itself if it is that already."""
        ...

    def dsplit(
        self,
        sections: builtins.int | Sequence[builtins.int],
    ) -> builtins.tuple[Tensor, ...]:
        """Parts along axis 2: equal ones, or cut at these positions."""
        ...

    def element_size(self) -> builtins.int:
        """Bytes of one element: 4 for float32."""
        ...

    def eq(self, other: Operand) -> Tensor:
        """self = other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def eq_(self, other: Operand) -> Tensor:
        """self = other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def equal(self, other: Tensor) -> builtins.bool:
        """Whether both have the same shape and elements."""
        ...

    def erf(self) -> Tensor:
        """the error function, element by element. Shape stays; integers become float32."""
        ...

    def erf_(self) -> Tensor:
        """the error function, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def erfc(self) -> Tensor:
        """1 − erf(x), accurate for large x, element by element. Shape stays; integers become float32."""
        ...

    def erfc_(self) -> Tensor:
        """1 − erf(x), accurate for large x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def erfinv(self) -> Tensor:
        """the inverse of erf, element by element. Shape stays; integers become float32."""
        ...

    def erfinv_(self) -> Tensor:
        """the inverse of erf, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def exp(self) -> Tensor:
        """e^x, element by element. Shape stays; integers become float32."""
        ...

    def exp2(self) -> Tensor:
        """2^x, element by element; integers become float32."""
        ...

    def exp2_(self) -> Tensor:
        """2^x, element by element; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def exp_(self) -> Tensor:
        """e^x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def expand(self, *sizes: Extents) -> Tensor:
        """Stretched to ``sizes``; −1 keeps an extent, new axes come in front."""
        ...

    def expand_as(self, other: Tensor) -> Tensor:
        """Stretched to the shape of ``other``, without a copy."""
        ...

    def expm1(self) -> Tensor:
        """e^x − 1, accurate near 0, element by element. Shape stays; integers become float32."""
        ...

    def expm1_(self) -> Tensor:
        """e^x − 1, accurate near 0, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def exponential_(
        self,
        lambd: builtins.float = ...,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Overwrite with exponentially distributed values of rate ``lambd``."""
        ...

    def fill_(self, value: Operand) -> Tensor:
        """Overwrite every element with ``value``, converted."""
        ...

    def fill_diagonal_(self, fill_value: Operand) -> Tensor:
        """Overwrite the elements whose indices are all equal."""
        ...

    def fix(self) -> Tensor:
        """x without its fraction, rounded towards zero; shape and dtype stay."""
        ...

    def fix_(self) -> Tensor:
        """x without its fraction, rounded towards zero; shape and dtype stay.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def flatten(self, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
        """Axes ``start_dim`` to ``end_dim`` merged into one."""
        ...

    def flip(self, *axes: Extents, dims: Axes = None) -> Tensor:
        """Read backwards along each of ``dims``; the shape stays."""
        ...

    def fliplr(self) -> Tensor:
        """Axis 1 read backwards: the columns of a matrix in reverse order."""
        ...

    def flipud(self) -> Tensor:
        """Axis 0 read backwards: the rows of a matrix in reverse order."""
        ...

    def float(self, memory_format: builtins.object = None) -> Tensor:
        """As float32; the tensor itself if it is that already."""
        ...

    def float_power(self, exponent: Operand) -> Tensor:
        """self ^ exponent, computed in float64, or complex128, whatever came."""
        ...

    def float_power_(self, exponent: Operand) -> Tensor:
        """self ^ exponent, computed in float64, or complex128, whatever came.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def floor(self) -> Tensor:
        """The largest integer ≤ x, element by element; shape and dtype stay."""
        ...

    def floor_(self) -> Tensor:
        """The largest integer ≤ x, element by element; shape and dtype stay.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def floor_divide(self, other: Operand) -> Tensor:
        """floor(self / other), element by element; shapes broadcast."""
        ...

    def floor_divide_(self, other: Operand) -> Tensor:
        """floor(self / other), element by element; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def fmax(self, other: Operand) -> Tensor:
        """The larger of each pair; a NaN loses against a number.  Ties give self the gradient."""
        ...

    def fmin(self, other: Operand) -> Tensor:
        """The smaller of each pair; a NaN loses against a number.  Ties give self the gradient."""
        ...

    def fmod(self, other: Operand) -> Tensor:
        """self − trunc(self / other) · other: the sign of the dividend, as C's fmod."""
        ...

    def fmod_(self, other: Operand) -> Tensor:
        """self − trunc(self / other) · other: the sign of the dividend, as C's fmod.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def frac(self) -> Tensor:
        """The fraction with the sign of x: x − trunc(x)."""
        ...

    def frac_(self) -> Tensor:
        """The fraction with the sign of x: x − trunc(x).

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def frexp(self) -> Fraction:
        """(m, e) with x = m · 2^e and ½ ≤ |m| < 1, e int32; 0, ∞ and NaN have e = 0.

        The gradient of m is that of x / 2^e.
        """
        ...

    def gather(self, dim: builtins.int, index: Tensor) -> Tensor:
        """y[i][j] = x[index[i][j]][j] for dim 0, and likewise for other axes.

        A number counts as a vector of one element, for the tensor and the index.
        """
        ...

    def gcd(self, other: Operand) -> Tensor:
        """The greatest common divisor of integers, 0 or more."""
        ...

    def gcd_(self, other: Operand) -> Tensor:
        """The greatest common divisor of integers, 0 or more.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def ge(self, other: Operand) -> Tensor:
        """self ≥ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def ge_(self, other: Operand) -> Tensor:
        """self ≥ other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def geometric_(self, p: builtins.float, *, generator: Generator | None = None) -> Tensor:
        """Overwrite with the number of the first success, which has probability p each time."""
        ...

    def geqrf(self) -> Reflectors:
        """QR as LAPACK keeps it: (a, tau); see ``geqrf``."""
        ...

    def ger(self, other: Tensor) -> Tensor:
        """All products of two vectors' elements: (N,), (M,) → (N, M)."""
        ...

    def get_device(self) -> builtins.int:
        """-1: tensors live on the CPU."""
        ...

    @property
    def grad(self) -> Tensor | None:
        """Gradient collected by ``backward()``, or None."""
        ...
    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        ...

    def greater(self, other: Operand) -> Tensor:
        """self > other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def greater_(self, other: Operand) -> Tensor:
        """self > other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def greater_equal(self, other: Operand) -> Tensor:
        """self ≥ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def greater_equal_(self, other: Operand) -> Tensor:
        """self ≥ other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def gt(self, other: Operand) -> Tensor:
        """self > other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def gt_(self, other: Operand) -> Tensor:
        """self > other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def half(self, memory_format: builtins.object = None) -> Tensor:
        """As float16: 11 bits of precision, up to 65504."""
        ...

    def hardshrink(self, lambd: builtins.float = ...) -> Tensor:
        """x where |x| > λ, else 0, element by element."""
        ...

    def heaviside(self, values: Operand) -> Tensor:
        """0 where self < 0 or NaN, 1 where it is > 0, ``values`` at 0."""
        ...

    def heaviside_(self, values: Operand) -> Tensor:
        """0 where self < 0 or NaN, 1 where it is > 0, ``values`` at 0.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def histc(
        self,
        bins: builtins.int = 100,
        min: builtins.float = 0,
        max: builtins.float = 0,
    ) -> Tensor:
        """Counts in ``bins`` equal parts of [min, max] (of the data's range when both are 0)."""
        ...

    def histogram(
        self,
        bins: builtins.int | Tensor,
        *,
        range: builtins.tuple[builtins.float, builtins.float] | None = None,
        weight: Tensor | None = None,
        density: builtins.bool = False,
    ) -> Histogram:
        """(counts, edges) of ``bins`` equal parts of ``range``, or of parts between given edges.

        ``range`` is (low, high), by default the data's.  ``weight``, shaped like the tensor, adds
        weights instead of ones; ``density`` scales so that the integral is 1.  Both results have
        the tensor's dtype.
        """
        ...

    def hsplit(
        self,
        sections: builtins.int | Sequence[builtins.int],
    ) -> builtins.tuple[Tensor, ...]:
        """Parts along axis 1 (along axis 0 of a vector): equal ones, or cut at these positions."""
        ...

    def hypot(self, other: Operand) -> Tensor:
        """√(self² + other²), without overflow in between."""
        ...

    def hypot_(self, other: Operand) -> Tensor:
        """√(self² + other²), without overflow in between.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def i0(self) -> Tensor:
        """I₀(x) = 1/π ∫₀^π e^(x cos t) dt, the modified Bessel function of order 0.

        Relative error up to 3e-14 in float64.  By Chebyshev series of e^−|x| I₀ in |x| up to 8
        and of √|x| e^−|x| I₀ in 1/|x| beyond (Clenshaw, 1962).
        """
        ...

    def i0_(self) -> Tensor:
        """I₀(x) = 1/π ∫₀^π e^(x cos t) dt, the modified Bessel function of order 0.

        Relative error up to 3e-14 in float64.  By Chebyshev series of e^−|x| I₀ in |x| up to 8
        and of √|x| e^−|x| I₀ in 1/|x| beyond (Clenshaw, 1962).

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def igamma(self, other: Operand) -> Tensor:
        """P(a, x) = 1/Γ(a) ∫₀^x t^(a−1) e^−t dt for a = self, x = ``other``; from 0 to 1.

        The gradient goes to x alone.
        """
        ...

    def igamma_(self, other: Operand) -> Tensor:
        """P(a, x) = 1/Γ(a) ∫₀^x t^(a−1) e^−t dt for a = self, x = ``other``; from 0 to 1.

        The gradient goes to x alone.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def igammac(self, other: Operand) -> Tensor:
        """Q(a, x) = 1 − P(a, x), accurate where it is small; see :meth:`igamma`."""
        ...

    def igammac_(self, other: Operand) -> Tensor:
        """Q(a, x) = 1 − P(a, x), accurate where it is small; see :meth:`igamma`.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    @property
    def imag(self) -> Tensor:
        """The imaginary part, a view of the same memory.

        Raises ``DTypeUnsupportedError`` (a ``RuntimeError``) for a real tensor.
        """
        ...
    @imag.setter
    def imag(self, value: Operand) -> None:
        ...

    def index_add(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        *,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """A copy with ``alpha · source`` added to the slices at ``index`` along ``dim``."""
        ...

    def index_add_(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        *,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """A copy with ``alpha · source`` added to the slices at ``index`` along ``dim``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def index_copy(self, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
        """A copy in which the slices at ``index`` along ``dim`` are ``source``."""
        ...

    def index_copy_(self, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
        """A copy in which the slices at ``index`` along ``dim`` are ``source``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def index_fill(self, dim: builtins.int, index: Tensor, value: builtins.float) -> Tensor:
        """A copy in which the slices at ``index`` along ``dim`` are ``value``."""
        ...

    def index_fill_(self, dim: builtins.int, index: Tensor, value: builtins.float) -> Tensor:
        """A copy in which the slices at ``index`` along ``dim`` are ``value``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def index_put(
        self,
        indices: Sequence[Tensor],
        values: Operand,
        accumulate: builtins.bool = False,
    ) -> Tensor:
        """A copy with ``values`` written (or added) at ``self[indices]``."""
        ...

    def index_put_(
        self,
        indices: Sequence[Tensor],
        values: Operand,
        accumulate: builtins.bool = False,
    ) -> Tensor:
        """A copy with ``values`` written (or added) at ``self[indices]``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def index_reduce(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """A copy with the slices of ``source`` combined at ``index`` along ``dim``.

        ``reduce``: "prod", "mean", "amax" or "amin"; see :meth:`scatter_reduce`.
        """
        ...

    def index_reduce_(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """A copy with the slices of ``source`` combined at ``index`` along ``dim``.

        ``reduce``: "prod", "mean", "amax" or "amin"; see :meth:`scatter_reduce`.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def index_select(self, dim: builtins.int, index: Tensor) -> Tensor:
        """The slices of the tensor at ``index`` along ``dim``."""
        ...

    def indices(self) -> Tensor:
        """The places of a sparse tensor; this one is dense and raises ``ArgumentError``."""
        ...

    def inner(self, other: Tensor) -> Tensor:
        """Sums of products over the last axis of both: (..., K), (..., K) → (..., ...)."""
        ...

    def int(self, memory_format: builtins.object = None) -> Tensor:
        """As int32, the fraction cut off."""
        ...

    def inverse(self) -> Tensor:
        """The inverse of square matrices (…, n, n); see ``linalg.inv``."""
        ...

    def is_coalesced(self) -> builtins.bool:
        """Whether each place has one entry; this tensor is dense: ``ArgumentError``."""
        ...

    def is_complex(self) -> builtins.bool:
        """Whether the dtype is complex64 or complex128."""
        ...

    def is_conj(self) -> builtins.bool:
        """Whether a conjugation is pending: no."""
        ...

    def is_contiguous(self, memory_format: builtins.object = None) -> builtins.bool:
        """Whether the elements lie in memory in the order of their axes, without gaps.

        Operations take any order.  A ``memory_format`` other than the usual one has no effect
        where it is asked for, and counts as kept here.
        """
        ...

    is_cpu: builtins.bool

    is_cuda: builtins.bool

    def is_distributed(self) -> builtins.bool:
        """Whether the tensor is spread over several machines: no."""
        ...

    def is_floating_point(self) -> builtins.bool:
        """Whether the dtype is float32, float64, bfloat16 or float16."""
        ...

    def is_inference(self) -> builtins.bool:
        """False: tensors made in inference mode can be used like any others."""
        ...

    is_ipu: builtins.bool

    is_maia: builtins.bool

    is_meta: builtins.bool

    is_mkldnn: builtins.bool

    is_mps: builtins.bool

    is_mtia: builtins.bool

    def is_neg(self) -> builtins.bool:
        """Whether a change of sign is pending: no."""
        ...

    is_nested: builtins.bool

    def is_nonzero(self) -> builtins.bool:
        """Whether the single element of the tensor is not zero."""
        ...

    def is_pinned(self, device: DeviceLike | None = None) -> builtins.bool:
        """Whether its memory is held in place for another device: no."""
        ...

    is_quantized: builtins.bool

    def is_same_size(self, other: Tensor) -> builtins.bool:
        """Whether both tensors have the same shape."""
        ...

    def is_shared(self) -> builtins.bool:
        """Whether other processes can see the tensor's memory: after :meth:`share_memory_`, and
        for batches that the workers of a loader have made.
        """
        ...

    def is_signed(self) -> builtins.bool:
        """Whether the dtype has negative numbers: all but uint8 and bool."""
        ...

    is_sparse: builtins.bool

    is_sparse_csr: builtins.bool

    is_vulkan: builtins.bool

    is_xla: builtins.bool

    is_xpu: builtins.bool

    def isclose(
        self,
        other: Operand,
        rtol: builtins.float = ...,
        atol: builtins.float = ...,
        equal_nan: builtins.bool = False,
    ) -> Tensor:
        """|self − other| ≤ atol + rtol · |other|, element by element, as a bool tensor."""
        ...

    def isfinite(self) -> Tensor:
        """True where the element is neither infinite nor NaN."""
        ...

    def isin(self, test_elements: Operand, *, invert: builtins.bool = False) -> Tensor:
        """True where the element occurs in ``test_elements`` (false there with ``invert``)."""
        ...

    def isinf(self) -> Tensor:
        """True where the element is +∞ or −∞, or a part of it, as a bool tensor."""
        ...

    def isnan(self) -> Tensor:
        """True where the element is not a number, as a bool tensor."""
        ...

    def isneginf(self) -> Tensor:
        """True where the element is −∞, as a bool tensor."""
        ...

    def isposinf(self) -> Tensor:
        """True where the element is +∞, as a bool tensor."""
        ...

    def isreal(self) -> Tensor:
        """True where the imaginary part is 0: everywhere in a real tensor."""
        ...

    def istft(
        self,
        n_fft: builtins.int,
        hop_length: builtins.int | None = None,
        win_length: builtins.int | None = None,
        window: Tensor | None = None,
        center: builtins.bool = True,
        normalized: builtins.bool = False,
        onesided: builtins.bool | None = None,
        length: builtins.int | None = None,
        return_complex: builtins.bool = False,
    ) -> Tensor:
        """The signal of these spectra: (B?, frequencies, frames) → (B?, L); inverse of ``stft``.

        Σ_t w · frame_t / Σ_t w², which is the signal whose spectra come closest to the given ones.
        ``length`` cuts the signal, or continues it by zeros; with ``center`` the n_fft // 2
        samples that were added at both ends go.  ``return_complex`` gives complex samples, for
        spectra that are not one-sided.  Raises ``ArgumentError`` (a ``RuntimeError``) where the
        windows leave a gap.  (Griffin and Lim, 1984.)
        """
        ...

    def item(self) -> builtins.bool | builtins.int | builtins.float:
        """The single element as a Python number, a ``complex`` one if the tensor is."""
        ...

    @property
    def itemsize(self) -> builtins.int:
        """Bytes of one element."""
        ...

    def kron(self, other: Tensor) -> Tensor:
        """Every element times the whole of ``other``, as blocks."""
        ...

    def kthvalue(
        self,
        k: builtins.int,
        dim: builtins.int = -1,
        keepdim: builtins.bool = False,
    ) -> ValuesIndices:
        """The k-th smallest (k counts from 1) along ``dim``: (value, position)."""
        ...

    @property
    def layout(self) -> Layout:
        """How the elements lie in memory: :data:`pellucid.strided`, for tensors are dense."""
        ...

    def lcm(self, other: Operand) -> Tensor:
        """The least common multiple of integers, 0 or more."""
        ...

    def lcm_(self, other: Operand) -> Tensor:
        """The least common multiple of integers, 0 or more.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def ldexp(self, other: Operand) -> Tensor:
        """self · 2^other, element by element; shapes broadcast."""
        ...

    def ldexp_(self, other: Operand) -> Tensor:
        """self · 2^other, element by element; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def le(self, other: Operand) -> Tensor:
        """self ≤ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def le_(self, other: Operand) -> Tensor:
        """self ≤ other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def lerp(self, end: Tensor, weight: Operand) -> Tensor:
        """self + weight · (end − self): from self (weight 0) to ``end`` (weight 1).

        From a weight of ½ on computed from the other end, which is reached exactly.
        """
        ...

    def lerp_(self, end: Tensor, weight: Operand) -> Tensor:
        """self + weight · (end − self): from self (weight 0) to ``end`` (weight 1).

        From a weight of ½ on computed from the other end, which is reached exactly.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def less(self, other: Operand) -> Tensor:
        """self < other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def less_(self, other: Operand) -> Tensor:
        """self < other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def less_equal(self, other: Operand) -> Tensor:
        """self ≤ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def less_equal_(self, other: Operand) -> Tensor:
        """self ≤ other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def lgamma(self) -> Tensor:
        """ln |Γ(x)|, element by element. Shape stays; integers become float32."""
        ...

    def lgamma_(self) -> Tensor:
        """ln |Γ(x)|, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def log(self) -> Tensor:
        """ln x, element by element. Shape stays; integers become float32."""
        ...

    def log10(self) -> Tensor:
        """log₁₀ x, element by element. Shape stays; integers become float32."""
        ...

    def log10_(self) -> Tensor:
        """log₁₀ x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def log1p(self) -> Tensor:
        """ln(1 + x), accurate near 0, element by element. Shape stays; integers become float32."""
        ...

    def log1p_(self) -> Tensor:
        """ln(1 + x), accurate near 0, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def log2(self) -> Tensor:
        """log₂ x, element by element. Shape stays; integers become float32."""
        ...

    def log2_(self) -> Tensor:
        """log₂ x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def log_(self) -> Tensor:
        """ln x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def log_normal_(
        self,
        mean: builtins.float = ...,
        std: builtins.float = ...,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Overwrite with e^z, z normal with this mean and standard deviation."""
        ...

    def log_softmax(self, dim: builtins.int, dtype: DTypeLike | None = None) -> Tensor:
        """x − ln Σ e^x along ``dim``, stable for any finite input."""
        ...

    def logaddexp(self, other: Operand) -> Tensor:
        """ln(e^self + e^other), element by element, without overflow."""
        ...

    def logaddexp2(self, other: Operand) -> Tensor:
        """log₂(2^self + 2^other) without overflow."""
        ...

    def logcumsumexp(self, dim: builtins.int) -> Tensor:
        """ln Σ_{j≤i} e^{x_j} along ``dim``, without overflow or underflow anywhere on the way."""
        ...

    def logdet(self) -> Tensor:
        """ln det of square matrices, NaN where that is negative: (…, n, n) → (…)."""
        ...

    def logical_and(self, other: Operand) -> Tensor:
        """True where both are nonzero, as a bool tensor; shapes broadcast."""
        ...

    def logical_and_(self, other: Operand) -> Tensor:
        """True where both are nonzero, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def logical_not(self) -> Tensor:
        """True where the element is zero, as a bool tensor."""
        ...

    def logical_not_(self) -> Tensor:
        """True where the element is zero, as a bool tensor.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def logical_or(self, other: Operand) -> Tensor:
        """True where at least one is nonzero, as a bool tensor; shapes broadcast."""
        ...

    def logical_or_(self, other: Operand) -> Tensor:
        """True where at least one is nonzero, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def logical_xor(self, other: Operand) -> Tensor:
        """True where exactly one is nonzero, as a bool tensor; shapes broadcast."""
        ...

    def logical_xor_(self, other: Operand) -> Tensor:
        """True where exactly one is nonzero, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def logit(self, eps: builtins.float | None = None) -> Tensor:
        """ln(x / (1 − x)), the inverse of the sigmoid; ``eps`` clamps x to [eps, 1 − eps]."""
        ...

    def logit_(self, eps: builtins.float | None = None) -> Tensor:
        """ln(x / (1 − x)), the inverse of the sigmoid; ``eps`` clamps x to [eps, 1 − eps].

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def logsumexp(self, dim: Axes, keepdim: builtins.bool = False) -> Tensor:
        """ln Σ e^x without overflow: m + ln Σ e^(x − m) with m the largest element."""
        ...

    def long(self, memory_format: builtins.object = None) -> Tensor:
        """As int64, the fraction cut off; what indices are."""
        ...

    def lt(self, other: Operand) -> Tensor:
        """self < other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def lt_(self, other: Operand) -> Tensor:
        """self < other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def lu(
        self,
        pivot: builtins.bool = True,
        get_infos: builtins.bool = False,
    ) -> builtins.tuple[Tensor, ...]:
        """(LU, pivots), and with ``get_infos`` info; see ``linalg.lu_factor_ex``."""
        ...

    def lu_solve(self, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
        """X with A X = self, A given by what ``linalg.lu_factor`` returns of it."""
        ...

    @property
    def mH(self) -> Tensor:
        """The last two axes exchanged, and conjugated: Aᴴ of each matrix."""
        ...

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        ...

    def map2_(
        self,
        x: Tensor,
        y: Tensor,
        callable: Callable[[Any, Any, Any], builtins.object],
    ) -> Tensor:
        """Overwrite every element with ``callable`` of it and those of ``x`` and ``y``."""
        ...

    def map_(self, tensor: Tensor, callable: Callable[[Any, Any], builtins.object]) -> Tensor:
        """Overwrite every element with ``callable`` of it and the one of ``tensor``."""
        ...

    def masked_fill(self, mask: Tensor, value: Operand) -> Tensor:
        """``value`` where ``mask`` is true, else self."""
        ...

    def masked_fill_(self, mask: Tensor, value: Operand) -> Tensor:
        """``value`` where ``mask`` is true, else self.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """A copy in which the elements where ``mask`` is true come, in order, from ``source``."""
        ...

    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Tensor:
        """A copy in which the elements where ``mask`` is true come, in order, from ``source``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def masked_select(self, mask: Tensor) -> Tensor:
        """The elements where ``mask`` is true, in a line; the mask's values must be known."""
        ...

    def matmul(self, other: Tensor | np.ndarray) -> Tensor:
        """Matrix product; vectors count as a row on the left and a column on the right.

        Shapes: (..., M, K) · (..., K, N) → (..., M, N); (K,) · (K,) → (); leading axes broadcast.
        """
        ...

    def matrix_exp(self) -> Tensor:
        """e^A = Σ Aᵏ / k! of square matrices (…, n, n)."""
        ...

    def matrix_power(self, n: builtins.int) -> Tensor:
        """Square matrices (…, n, n) multiplied ``n`` times with themselves."""
        ...

    @overload
    def max(self) -> Tensor:
        """Without ``dim`` the largest element; with it (values, positions) along the axis.

        Another tensor as ``dim`` gives :meth:`maximum`.
        """
        ...
    @overload
    def max(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesIndices:
        """Without ``dim`` the largest element; with it (values, positions) along the axis.

        Another tensor as ``dim`` gives :meth:`maximum`.
        """
        ...
    @overload
    def max(self, dim: Tensor) -> Tensor:
        """Without ``dim`` the largest element; with it (values, positions) along the axis.

        Another tensor as ``dim`` gives :meth:`maximum`.
        """
        ...

    def maximum(self, other: Operand) -> Tensor:
        """The larger of each pair; NaN if one is. At ties each side gets half the gradient."""
        ...

    def mean(
        self,
        dim: Axes = None,
        keepdim: builtins.bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """Sum divided by the number of elements; NaN for none.

        Raises ``DTypeError`` for integers and bool where no ``dtype`` is given.
        """
        ...

    @overload
    def median(self) -> Tensor:
        """The lower median: of all elements, or (values, positions) along ``dim``.

        NaN where there is one, and where there is no element (in whole numbers what NaN becomes);
        see :meth:`nanmedian`.
        """
        ...
    @overload
    def median(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesIndices:
        """The lower median: of all elements, or (values, positions) along ``dim``.

        NaN where there is one, and where there is no element (in whole numbers what NaN becomes);
        see :meth:`nanmedian`.
        """
        ...

    @overload
    def min(self) -> Tensor:
        """Without ``dim`` the smallest element; with it (values, positions) along the axis."""
        ...
    @overload
    def min(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesIndices:
        """Without ``dim`` the smallest element; with it (values, positions) along the axis."""
        ...
    @overload
    def min(self, dim: Tensor) -> Tensor:
        """Without ``dim`` the smallest element; with it (values, positions) along the axis."""
        ...

    def minimum(self, other: Operand) -> Tensor:
        """The smaller of each pair; NaN if one is. At ties each side gets half the gradient."""
        ...

    def mm(self, mat2: Tensor) -> Tensor:
        """The product of two matrices: (M, K) · (K, N) → (M, N); nothing broadcasts."""
        ...

    def mode(self, dim: builtins.int = -1, keepdim: builtins.bool = False) -> ValuesIndices:
        """(most frequent element, its last position) along ``dim``; of several the smallest."""
        ...

    def moveaxis(
        self,
        source: builtins.int | Sequence[builtins.int],
        destination: builtins.int | Sequence[builtins.int],
    ) -> Tensor:
        """Axes ``source`` moved to places ``destination``, the others in their order."""
        ...

    def movedim(
        self,
        source: builtins.int | Sequence[builtins.int],
        destination: builtins.int | Sequence[builtins.int],
    ) -> Tensor:
        """Axes ``source`` moved to places ``destination``, the others in their order."""
        ...

    def msort(self) -> Tensor:
        """Sorted along the first axis, smallest first."""
        ...

    def mul(self, other: Operand) -> Tensor:
        """self · other, element by element; shapes broadcast."""
        ...

    def mul_(self, other: Operand) -> Tensor:
        """self · other, element by element; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def multinomial(
        self,
        num_samples: builtins.int,
        replacement: builtins.bool = False,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Positions drawn in proportion to these weights, see :func:`pellucid.multinomial`."""
        ...

    def multiply(self, other: Operand) -> Tensor:
        """self · other, element by element; shapes broadcast."""
        ...

    def multiply_(self, other: Operand) -> Tensor:
        """self · other, element by element; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def mv(self, vec: Tensor) -> Tensor:
        """The product of a matrix and a vector: (M, K) · (K,) → (M,)."""
        ...

    def mvlgamma(self, p: builtins.int) -> Tensor:
        """ln Γ_p(x) = p(p − 1)/4 · ln π + Σ_{j<p} ln Γ(x − j/2)."""
        ...

    def mvlgamma_(self, p: builtins.int) -> Tensor:
        """ln Γ_p(x) = p(p − 1)/4 · ln π + Σ_{j<p} ln Γ(x − j/2).

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    @property
    def name(self) -> builtins.str | None:
        """A name that was given to it: None."""
        ...

    def nan_to_num(
        self,
        nan: builtins.float = ...,
        posinf: builtins.float | None = None,
        neginf: builtins.float | None = None,
    ) -> Tensor:
        """Finite numbers only: NaN → ``nan``, +∞ and −∞ → the largest and smallest by default."""
        ...

    def nan_to_num_(
        self,
        nan: builtins.float = ...,
        posinf: builtins.float | None = None,
        neginf: builtins.float | None = None,
    ) -> Tensor:
        """Finite numbers only: NaN → ``nan``, +∞ and −∞ → the largest and smallest by default.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def nanmean(
        self,
        dim: Axes = None,
        keepdim: builtins.bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """Mean over ``dim`` of the elements that are numbers; NaN where there is none."""
        ...

    @overload
    def nanmedian(self) -> Tensor:
        """:meth:`median` of the elements that are numbers; NaN where there is none."""
        ...
    @overload
    def nanmedian(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesIndices:
        """:meth:`median` of the elements that are numbers; NaN where there is none."""
        ...

    def nanquantile(
        self,
        q: Tensor | builtins.float | Sequence[builtins.float],
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
        *,
        interpolation: builtins.str = 'linear',
    ) -> Tensor:
        """:meth:`quantile` of the elements that are numbers; NaN where there is none."""
        ...

    def nansum(
        self,
        dim: Axes = None,
        keepdim: builtins.bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """Sum over ``dim`` (all axes by default), NaN counted as 0."""
        ...

    def narrow(
        self,
        dim: builtins.int,
        start: builtins.int | Tensor,
        length: builtins.int,
    ) -> Tensor:
        """``length`` elements from ``start`` along ``dim``.

        ``start`` may be an integer tensor of one element, in compiled programs of any value.
        """
        ...

    def narrow_copy(
        self,
        dim: builtins.int,
        start: builtins.int,
        length: builtins.int,
    ) -> Tensor:
        """As :meth:`narrow`, in memory of its own."""
        ...

    @property
    def nbytes(self) -> builtins.int:
        """Bytes of all elements."""
        ...

    def ndimension(self) -> builtins.int:
        """Number of axes: 0 for a single number, 2 for a matrix."""
        ...

    def ne(self, other: Operand) -> Tensor:
        """self ≠ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def ne_(self, other: Operand) -> Tensor:
        """self ≠ other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def neg(self) -> Tensor:
        """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool."""
        ...

    def neg_(self) -> Tensor:
        """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def negative(self) -> Tensor:
        """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool."""
        ...

    def negative_(self) -> Tensor:
        """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def nelement(self) -> builtins.int:
        """Number of elements: the product of the extents."""
        ...

    def new(
        self,
        *data: Any,
        size: Sequence[builtins.int] | None = None,
        device: DeviceLike | None = None,
    ) -> Tensor:
        """A tensor of this dtype: of a size (zeros), or from a sequence, an array or a tensor."""
        ...

    def new_empty(
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
        ...

    def new_empty_strided(
        self,
        size: Sequence[builtins.int],
        stride: Sequence[builtins.int],
        *,
        dtype: Any = None,
        device: Any = None,
    ) -> Tensor:
        """A tensor of this dtype whose neighbours are ``stride[i]`` elements of memory apart.

        Its values are not to be relied on.
        """
        ...

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
        ...

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
        ...

    def new_tensor(
        self,
        data: builtins.object,
        *,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: builtins.bool = False,
        pin_memory: builtins.bool = False,
    ) -> Tensor:
        """A copy of ``data`` in this tensor's dtype unless ``dtype`` is given."""
        ...

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
        ...

    def nextafter(self, other: Operand) -> Tensor:
        """The number next to self in the direction of ``other``.

        The gradient goes to self, whole: the next number moves as it does.
        """
        ...

    def nextafter_(self, other: Operand) -> Tensor:
        """The number next to self in the direction of ``other``.

        The gradient goes to self, whole: the next number moves as it does.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    @overload
    def nonzero(self, as_tuple: Literal[False] = False) -> Tensor:
        """Positions of the nonzero elements: (count, axes), or a tuple of one vector per axis."""
        ...
    @overload
    def nonzero(self, as_tuple: Literal[True]) -> builtins.tuple[Tensor, ...]:
        """Positions of the nonzero elements: (count, axes), or a tuple of one vector per axis."""
        ...

    def nonzero_static(self, *, size: builtins.int, fill_value: builtins.int = -1) -> Tensor:
        """The first ``size`` positions of nonzero elements: (size, axes), filled up if fewer."""
        ...

    def norm(
        self,
        p: builtins.float | builtins.str = 2,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """(Σ|x|^p)^(1/p); p = inf, −inf: largest, smallest |x|; p = 0: number of nonzeros;
        "fro": p = 2; "nuc", over two axes: sum of the singular values.

        The gradient where the norm is 0, and for p < 1 that of elements that are 0, is 0 (a
        subgradient).
        """
        ...

    def normal_(
        self,
        mean: builtins.float = ...,
        std: builtins.float = ...,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Overwrite with normally distributed values; complex ones have the variance std²."""
        ...

    def not_equal(self, other: Operand) -> Tensor:
        """self ≠ other, element by element, as a bool tensor; shapes broadcast."""
        ...

    def not_equal_(self, other: Operand) -> Tensor:
        """self ≠ other, element by element, as a bool tensor; shapes broadcast.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def numel(self) -> builtins.int:
        """Number of elements: the product of the extents."""
        ...

    def numpy(self, *, force: builtins.bool = False) -> np.ndarray:
        """The value as a NumPy array that shares memory with the tensor."""
        ...

    def one_hot(self, num_classes: builtins.int) -> Tensor:
        """int64 with a 1 at each class id and 0 elsewhere, on a new last axis."""
        ...

    def orgqr(self, input2: Tensor) -> Tensor:
        """Q of what ``geqrf`` gives, ``input2`` being tau; see ``linalg.householder_product``."""
        ...

    def ormqr(
        self,
        input2: Tensor,
        input3: Tensor,
        left: builtins.bool = True,
        transpose: builtins.bool = False,
    ) -> Tensor:
        """Q · input3 (or input3 · Q) for the Q of what ``geqrf`` gives; see ``ormqr``."""
        ...

    def outer(self, other: Tensor) -> Tensor:
        """All products of two vectors' elements: (N,), (M,) → (N, M)."""
        ...

    @property
    def output_nr(self) -> builtins.int:
        """Which of the results of its operation it is; 0 for the first, and for leaves."""
        ...

    def permute(self, *dims: Extents) -> Tensor:
        """Axis i of the result is axis ``dims[i]``."""
        ...

    def pin_memory(self, device: DeviceLike | None = None) -> Tensor:
        """The tensor itself: its memory is that of the only device."""
        ...

    def pinverse(self, rcond: builtins.float = ...) -> Tensor:
        """The pseudoinverse: (…, m, n) → (…, n, m); see ``linalg.pinv``."""
        ...

    def polygamma(self, n: builtins.int) -> Tensor:
        """The n-th derivative of ψ(x) = d/dx ln Γ(x): (−1)^(n+1) n! Σ_{k≥0} (x + k)^−(n+1).

        At the poles −∞ for even n, ∞ for odd ones.  For n ≥ 2 by Euler's and Maclaurin's formula
        from the 32nd term on, for x < ½ by reflection, in float64.  (Abramowitz and Stegun,
        1964, 6.4.)
        """
        ...

    def polygamma_(self, n: builtins.int) -> Tensor:
        """The n-th derivative of ψ(x) = d/dx ln Γ(x): (−1)^(n+1) n! Σ_{k≥0} (x + k)^−(n+1).

        At the poles −∞ for even n, ∞ for odd ones.  For n ≥ 2 by Euler's and Maclaurin's formula
        from the 32nd term on, for x < ½ by reflection, in float64.  (Abramowitz and Stegun,
        1964, 6.4.)

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def positive(self) -> Tensor:
        """The tensor itself: +x."""
        ...

    def pow(self, exponent: Operand) -> Tensor:
        """self ^ exponent; small whole exponents become products."""
        ...

    def pow_(self, exponent: Operand) -> Tensor:
        """self ^ exponent; small whole exponents become products.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def prelu(self, weight: Tensor) -> Tensor:
        """x where positive, else weight · x; one weight, or one for each entry of axis 1."""
        ...

    def prod(
        self,
        dim: Axes = None,
        keepdim: builtins.bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """Product over ``dim`` (all axes by default)."""
        ...

    def put(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
        """A copy with ``source`` written (or added) at positions of the flattened tensor.

        ``index`` and ``source`` have equally many elements; negative positions count from the
        back.
        """
        ...

    def put_(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
        """A copy with ``source`` written (or added) at positions of the flattened tensor.

        ``index`` and ``source`` have equally many elements; negative positions count from the
        back.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def qr(self, some: builtins.bool = True) -> OrthogonalTriangular:
        """A = Q R of matrices (…, m, n); see ``linalg.qr``, whose mode is "reduced" with ``some``
        and otherwise "complete".
        """
        ...

    def quantile(
        self,
        q: Tensor | builtins.float | Sequence[builtins.float],
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
        *,
        interpolation: builtins.str = 'linear',
    ) -> Tensor:
        """The q-quantiles (0 ≤ q ≤ 1) along ``dim``, by default of all elements.

        ``q`` is a number, or a vector whose axis comes first in the result.  Between two
        elements ``interpolation`` takes "linear", "lower", "higher", "nearest" or "midpoint".
        Where there is a NaN the result is NaN.
        """
        ...

    def rad2deg(self) -> Tensor:
        """Radians as degrees: x · 180 / π, element by element."""
        ...

    def rad2deg_(self) -> Tensor:
        """Radians as degrees: x · 180 / π, element by element.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def random_(
        self,
        low: builtins.int = 0,
        high: builtins.int | None = None,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Overwrite with integers evenly in [low, high); ``random_(high)`` starts at 0.

        Without bounds: all integers up to the largest of the dtype, or up to which a float has
        all integers (2²⁴ in float32).
        """
        ...

    def ravel(self) -> Tensor:
        """All elements in one line, in the order of their indices."""
        ...

    @property
    def real(self) -> Tensor:
        """The real part, a view of the same memory; of a real tensor itself."""
        ...
    @real.setter
    def real(self, value: Operand) -> None:
        ...

    def reciprocal(self) -> Tensor:
        """1 / x, element by element; integers become float32."""
        ...

    def reciprocal_(self) -> Tensor:
        """1 / x, element by element; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call ``hook(gradient)`` in backward; what it returns replaces the gradient.

        Returns a handle whose ``remove()`` takes the hook away again.
        """
        ...

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call ``hook(tensor)`` in backward, after the gradient was added to ``tensor.grad``.

        For leaves; so an optimizer may step and forget each gradient as soon as it is there.
        Returns a handle whose ``remove()`` takes the hook away again.
        """
        ...

    def relu(self) -> Tensor:
        """max(0, x), NaN for NaN; the gradient at 0 is 0."""
        ...

    def relu_(self) -> Tensor:
        """max(0, x), NaN for NaN; the gradient at 0 is 0.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def remainder(self, other: Operand) -> Tensor:
        """self − floor(self / other) · other: the sign of the divisor, as Python's %."""
        ...

    def remainder_(self, other: Operand) -> Tensor:
        """self − floor(self / other) · other: the sign of the divisor, as Python's %.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def renorm(self, p: builtins.float, dim: builtins.int, maxnorm: builtins.float) -> Tensor:
        """Slices along ``dim`` scaled down to a p-norm of at most ``maxnorm``."""
        ...

    def renorm_(self, p: builtins.float, dim: builtins.int, maxnorm: builtins.float) -> Tensor:
        """Slices along ``dim`` scaled down to a p-norm of at most ``maxnorm``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def repeat(self, *repeats: Extents) -> Tensor:
        """Tiled ``repeats[i]`` times along axis i (new axes in front)."""
        ...

    def repeat_interleave(
        self,
        repeats: builtins.int | Tensor,
        dim: builtins.int | None = None,
        *,
        output_size: builtins.int | None = None,
    ) -> Tensor:
        """Each element repeated ``repeats`` times in place along ``dim`` (flattened by default).

        ``repeats`` is a number, or a vector with one for each element.  ``output_size`` is the sum
        of them; compiled programs need it, where the vector's values are not known.
        """
        ...

    def reshape(self, *shape: Extents) -> Tensor:
        """The same elements in the same order under ``shape``; one extent may be −1."""
        ...

    def reshape_as(self, other: Tensor) -> Tensor:
        """The same elements in the same order under the shape of ``other``."""
        ...

    def resize_(self, *sizes: Extents, memory_format: builtins.object = None) -> Tensor:
        """Another shape in place, of the same elements in their order; returns the tensor.

        What is new of a larger shape is 0.  Raises ``AutogradError`` for tensors that require
        gradients, and ``TraceError`` inside of ``compile`` for tensors from outside that are no
        arguments.  A call that changes the shape of an argument runs eagerly.
        """
        ...

    def resize_as_(self, other: Tensor, *, memory_format: builtins.object = None) -> Tensor:
        """The shape of ``other``, in place; see :meth:`resize_`."""
        ...

    def resolve_conj(self) -> Tensor:
        """The tensor itself: no conjugation is ever pending."""
        ...

    def resolve_neg(self) -> Tensor:
        """The tensor itself: no change of sign is ever pending."""
        ...

    def retain_grad(self) -> None:
        """Collect the gradient here too, although this is not a leaf."""
        ...

    @property
    def retains_grad(self) -> builtins.bool:
        """Whether a tensor that is no leaf collects its gradient all the same."""
        ...

    def roll(
        self,
        shifts: builtins.int | Sequence[builtins.int],
        dims: builtins.int | Sequence[builtins.int] | None = None,
    ) -> Tensor:
        """Shifted by ``shifts`` along ``dims``; what falls out comes in on the other side."""
        ...

    def rot90(self, k: builtins.int = 1, dims: Sequence[builtins.int] = ...) -> Tensor:
        """Turned by k quarter turns from axis ``dims[0]`` towards ``dims[1]``."""
        ...

    def round(self, *, decimals: builtins.int = 0) -> Tensor:
        """x rounded to ``decimals`` places, ties to the even neighbour."""
        ...

    def round_(self, *, decimals: builtins.int = 0) -> Tensor:
        """x rounded to ``decimals`` places, ties to the even neighbour.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def rsqrt(self) -> Tensor:
        """1 / √x, element by element; integers become float32."""
        ...

    def rsqrt_(self) -> Tensor:
        """1 / √x, element by element; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def rsub(self, other: Operand, *, alpha: builtins.float = 1) -> Tensor:
        """other − alpha · self, element by element; shapes broadcast."""
        ...

    def scatter(
        self,
        dim: builtins.int,
        index: Tensor,
        src: Operand | None = None,
        *,
        reduce: builtins.str | None = None,
        value: builtins.float | None = None,
    ) -> Tensor:
        """A copy with ``src`` (or the number ``value``) written at ``index`` along ``dim``.

        ``reduce="add"`` adds it to what is there, ``"multiply"`` multiplies.
        """
        ...

    def scatter_(
        self,
        dim: builtins.int,
        index: Tensor,
        src: Operand | None = None,
        *,
        reduce: builtins.str | None = None,
        value: builtins.float | None = None,
    ) -> Tensor:
        """A copy with ``src`` (or the number ``value``) written at ``index`` along ``dim``.

        ``reduce="add"`` adds it to what is there, ``"multiply"`` multiplies.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def scatter_add(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """A copy with ``src`` added at ``index`` along ``dim``."""
        ...

    def scatter_add_(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """A copy with ``src`` added at ``index`` along ``dim``.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def scatter_reduce(
        self,
        dim: builtins.int,
        index: Tensor,
        src: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """A copy with ``src`` combined at ``index`` along ``dim``.

        ``reduce``: "sum", "mean", "prod", "amax" or "amin", of them and (``include_self``) what
        was there.  Places that are not hit stay.  Of equal extremes each gets an equal share of
        the gradient.  Shapes: ``index`` and at least so much of ``src`` like self, ``dim`` aside.
        """
        ...

    def scatter_reduce_(
        self,
        dim: builtins.int,
        index: Tensor,
        src: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """A copy with ``src`` combined at ``index`` along ``dim``.

        ``reduce``: "sum", "mean", "prod", "amax" or "amin", of them and (``include_self``) what
        was there.  Places that are not hit stay.  Of equal extremes each gets an equal share of
        the gradient.  Shapes: ``index`` and at least so much of ``src`` like self, ``dim`` aside.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def select(self, dim: builtins.int, index: builtins.int) -> Tensor:
        """The slice at ``index`` along ``dim``, without that axis."""
        ...

    def select_scatter(self, src: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
        """A copy with ``src`` in place of the entry ``index`` along ``dim``."""
        ...

    def sgn(self) -> Tensor:
        """sign(x): −1, 0 or 1, element by element; z / |z| of complex numbers, 0 for 0."""
        ...

    def sgn_(self) -> Tensor:
        """sign(x): −1, 0 or 1, element by element; z / |z| of complex numbers, 0 for 0.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def share_memory_(self) -> Tensor:
        """Move the values to shared memory, in place; returns the tensor.

        Processes that get the tensor afterwards, by fork or through ``multiprocessing``, see and
        write the same values; gradients stay each process's own.  Tensors with the same storage
        (``detach()``, a parameter made of it) move with it; views made before show the old
        memory, and a view itself cannot be moved (``InPlaceError``): share the tensor it shows.
        Raises ``UnsupportedError`` on Windows.
        """
        ...

    def short(self, memory_format: builtins.object = None) -> Tensor:
        """As int16: whole numbers from −32768 to 32767, the fraction cut off."""
        ...

    def sigmoid(self) -> Tensor:
        """1 / (1 + e^−x), element by element. Shape stays; integers become float32."""
        ...

    def sigmoid_(self) -> Tensor:
        """1 / (1 + e^−x), element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def sign(self) -> Tensor:
        """sign(x): −1, 0 or 1, element by element. Shape and dtype stay."""
        ...

    def sign_(self) -> Tensor:
        """sign(x): −1, 0 or 1, element by element. Shape and dtype stay.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def signbit(self) -> Tensor:
        """True where the sign bit is set: x < 0 or x = −0."""
        ...

    def sin(self) -> Tensor:
        """sin x, element by element. Shape stays; integers become float32."""
        ...

    def sin_(self) -> Tensor:
        """sin x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def sinc(self) -> Tensor:
        """sin(πx) / (πx), 1 at 0; integers become float32."""
        ...

    def sinc_(self) -> Tensor:
        """sin(πx) / (πx), 1 at 0; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def sinh(self) -> Tensor:
        """sinh x, element by element. Shape stays; integers become float32."""
        ...

    def sinh_(self) -> Tensor:
        """sinh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    @overload
    def size(self, dim: None = None) -> Size:
        """The shape, or with ``dim`` the extent of that axis."""
        ...
    @overload
    def size(self, dim: builtins.int) -> builtins.int:
        """The shape, or with ``dim`` the extent of that axis."""
        ...

    def slice_scatter(
        self,
        src: Tensor,
        dim: builtins.int = 0,
        start: builtins.int | None = None,
        end: builtins.int | None = None,
        step: builtins.int = 1,
    ) -> Tensor:
        """A copy with ``src`` in place of ``self[start:end:step]`` along ``dim``."""
        ...

    def slogdet(self) -> SignLog:
        """(sign, ln |det|) of square matrices: (…, n, n) → (…)."""
        ...

    def softmax(self, dim: builtins.int, dtype: DTypeLike | None = None) -> Tensor:
        """e^x / Σ e^x along ``dim``, shifted by the largest element so that nothing overflows."""
        ...

    def sort(
        self,
        dim: builtins.int = -1,
        descending: builtins.bool = False,
        stable: builtins.bool = True,
    ) -> ValuesIndices:
        """(values, positions) sorted along ``dim``; NaN counts as largest."""
        ...

    def sparse_dim(self) -> builtins.int:
        """Number of axes that have indices: 0, for the tensor is dense."""
        ...

    def sparse_mask(self, mask: Tensor) -> Tensor:
        """The elements at the places of the sparse tensor ``mask``, a sparse tensor."""
        ...

    def split(
        self,
        split_size: builtins.int | Sequence[builtins.int],
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """Pieces of ``split_size`` (the last may be smaller), or of the sizes in a list."""
        ...

    def split_with_sizes(
        self,
        split_sizes: Sequence[builtins.int],
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """Parts of these extents along ``dim``, which must add up to its extent."""
        ...

    def sqrt(self) -> Tensor:
        """√x, element by element. Shape stays; integers become float32."""
        ...

    def sqrt_(self) -> Tensor:
        """√x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def square(self) -> Tensor:
        """x², element by element; shape and dtype stay, but bool becomes int64."""
        ...

    def square_(self) -> Tensor:
        """x², element by element; shape and dtype stay, but bool becomes int64.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def squeeze(self, dim: builtins.int | Sequence[builtins.int] | None = None) -> Tensor:
        """Without axes of extent 1: all of them, or those of ``dim`` that have extent 1."""
        ...

    def squeeze_(self, dim: Axes = None) -> Tensor:
        """Without axes of extent 1 (all of them, or those of ``dim``), in place."""
        ...

    def std(
        self,
        dim: Axes = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = 1,
    ) -> Tensor:
        """√var.  The gradient where all elements are equal is 0 (a subgradient)."""
        ...

    def std_mean(
        self,
        dim: Axes = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = 1,
    ) -> builtins.tuple[Tensor, Tensor]:
        """(standard deviation, mean) over ``dim``, as :meth:`std` and :meth:`mean` give them."""
        ...

    def stft(
        self,
        n_fft: builtins.int,
        hop_length: builtins.int | None = None,
        win_length: builtins.int | None = None,
        window: Tensor | None = None,
        center: builtins.bool = True,
        pad_mode: builtins.str = 'reflect',
        normalized: builtins.bool = False,
        onesided: builtins.bool | None = None,
        return_complex: builtins.bool | None = None,
        align_to_window: builtins.bool | None = None,
    ) -> Tensor:
        """Spectra of the frames of a signal: (B?, L) → (B?, frequencies, frames), complex.

        X[k, t] = Σ_n w[n] x[t · hop_length + n] e^(−2πikn / n_fft), times n_fft^(−½) if
        ``normalized``.  ``window`` has ``win_length`` (n_fft) samples, set in the middle of a
        frame; None means ones, with a warning.  ``hop_length`` is n_fft // 4 by default.  With
        ``center`` frames are centred at their time: the signal is continued by n_fft // 2 samples
        at both ends, "reflect"ed or by another mode of ``pad``.  Otherwise ``align_to_window``
        lets the first window, not the first frame, begin with the signal.

        ``onesided`` gives the n_fft // 2 + 1 frequencies that a real signal needs (the default
        for one), else n_fft.  ``return_complex`` must be given for real input; False gives real
        and imaginary parts as a last axis.  Raises ``ArgumentError`` (a ``RuntimeError``) for
        lengths that do not fit each other.  (Allen and Rabiner, 1977.)
        """
        ...

    def storage_offset(self) -> builtins.int:
        """How many elements of the memory lie before the first element of this view."""
        ...

    @overload
    def stride(self, dim: None = None) -> Shape:
        """Elements of memory between neighbours along each axis (or one)."""
        ...
    @overload
    def stride(self, dim: builtins.int) -> builtins.int:
        """Elements of memory between neighbours along each axis (or one)."""
        ...

    def sub(self, other: Operand, *older: Operand, alpha: builtins.float = 1) -> Tensor:
        """self − alpha · other, element by element; shapes broadcast, dtypes are promoted."""
        ...

    def sub_(self, other: Operand, *older: Operand, alpha: builtins.float = 1) -> Tensor:
        """self − alpha · other, element by element; shapes broadcast, dtypes are promoted.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def subtract(self, other: Operand, *older: Operand, alpha: builtins.float = 1) -> Tensor:
        """self − alpha · other, element by element; shapes broadcast, dtypes are promoted."""
        ...

    def subtract_(self, other: Operand, *older: Operand, alpha: builtins.float = 1) -> Tensor:
        """self − alpha · other, element by element; shapes broadcast, dtypes are promoted.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def sum(
        self,
        dim: Axes = None,
        keepdim: builtins.bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """Sum over ``dim`` (all axes by default). Integers and bool sum to int64."""
        ...

    def sum_to_size(self, *size: Extents) -> Tensor:
        """Summed over the axes along which ``size`` would be stretched to this shape."""
        ...

    def svd(
        self,
        some: builtins.bool = True,
        compute_uv: builtins.bool = True,
    ) -> SingularFactors:
        """A = U diag(S) Vᴴ of matrices (…, m, n) as (U, S, V); see ``linalg.svd``.

        ``some`` leaves out the columns beyond min(m, n); without ``compute_uv`` U and V are 0.
        """
        ...

    def swapaxes(
        self,
        dim0: builtins.int | Sequence[builtins.int],
        dim1: builtins.int | None = None,
    ) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged; or, as in NumPy, all axes in a given order."""
        ...

    def swapaxes_(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged, in place."""
        ...

    def swapdims(
        self,
        dim0: builtins.int | Sequence[builtins.int],
        dim1: builtins.int | None = None,
    ) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged; or, as in NumPy, all axes in a given order."""
        ...

    def swapdims_(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged, in place."""
        ...

    def t(self) -> Tensor:
        """The transposed matrix; vectors and scalars stay."""
        ...

    def t_(self) -> Tensor:
        """The transposed matrix, in place; vectors and numbers stay."""
        ...

    def take(self, index: Tensor) -> Tensor:
        """Elements at positions of the flattened tensor (negative: from the back)."""
        ...

    def take_along_dim(self, indices: Tensor, dim: builtins.int | None = None) -> Tensor:
        """:meth:`gather` whose other axes broadcast; without ``dim`` from the flattened tensor."""
        ...

    def tan(self) -> Tensor:
        """tan x, element by element. Shape stays; integers become float32."""
        ...

    def tan_(self) -> Tensor:
        """tan x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def tanh(self) -> Tensor:
        """tanh x, element by element. Shape stays; integers become float32."""
        ...

    def tanh_(self) -> Tensor:
        """tanh x, element by element. Shape stays; integers become float32.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def tensor_split(
        self,
        indices_or_sections: builtins.int | Sequence[builtins.int] | Tensor,
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """In n parts whose sizes differ by at most one, or cut at the given positions."""
        ...

    def tile(self, *dims: Extents) -> Tensor:
        """:meth:`repeat` that fills up missing counts with ones in front."""
        ...

    @overload
    def to(
        self,
        dtype: DType | builtins.type | np.dtype[Any],
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
    ) -> Tensor:
        """The tensor in another dtype: ``to(dtype)``, ``to(device, dtype)`` or ``to(other)``.

        The tensor itself if nothing changes, unless ``copy``.  The only device is the CPU: any
        other raises a :class:`~pellucid.base.errors.DeviceError` (a ``RuntimeError``); a string
        always names a device.  ``non_blocking`` and ``memory_format`` have no effect.
        """
        ...
    @overload
    def to(
        self,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
    ) -> Tensor:
        """The tensor in another dtype: ``to(dtype)``, ``to(device, dtype)`` or ``to(other)``.

        The tensor itself if nothing changes, unless ``copy``.  The only device is the CPU: any
        other raises a :class:`~pellucid.base.errors.DeviceError` (a ``RuntimeError``); a string
        always names a device.  ``non_blocking`` and ``memory_format`` have no effect.
        """
        ...
    @overload
    def to(
        self,
        other: Tensor,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
    ) -> Tensor:
        """The tensor in another dtype: ``to(dtype)``, ``to(device, dtype)`` or ``to(other)``.

        The tensor itself if nothing changes, unless ``copy``.  The only device is the CPU: any
        other raises a :class:`~pellucid.base.errors.DeviceError` (a ``RuntimeError``); a string
        always names a device.  ``non_blocking`` and ``memory_format`` have no effect.
        """
        ...

    def to_dense(
        self,
        dtype: DTypeLike | None = None,
        *,
        masked_grad: builtins.bool | None = None,
    ) -> Tensor:
        """The tensor itself, for it is dense; in another dtype if one is given."""
        ...

    def to_sparse(
        self,
        sparse_dim: builtins.int | None = None,
        *,
        layout: Layout | None = None,
        blocksize: builtins.object = None,
        dense_dim: builtins.int | None = None,
    ) -> Tensor:
        """The elements that are not zero, as a sparse tensor; ``sparse_dim`` axes get indices.

        See :func:`pellucid.sparse_coo_tensor`; ``layout`` may be ``sparse_csr`` or ``sparse_csc``.
        """
        ...

    def to_sparse_coo(self) -> Tensor:
        """The elements that are not zero, as a sparse tensor with indices of all axes."""
        ...

    def to_sparse_csc(self, dense_dim: builtins.int | None = None) -> Tensor:
        """The elements of a matrix that are not zero, column by column."""
        ...

    def to_sparse_csr(self, dense_dim: builtins.int | None = None) -> Tensor:
        """The elements of a matrix that are not zero, row by row."""
        ...

    def tolist(self) -> Any:
        """Nested lists of Python numbers; a single number for a tensor without axes."""
        ...

    def topk(
        self,
        k: builtins.int,
        dim: builtins.int = -1,
        largest: builtins.bool = True,
        sorted: builtins.bool = True,
    ) -> ValuesIndices:
        """The ``k`` largest (or smallest) along ``dim``, in order: (values, positions)."""
        ...

    def trace(self) -> Tensor:
        """Sum of a matrix's diagonal: Σ x_ii, a tensor without axes."""
        ...

    def transpose(
        self,
        dim0: builtins.int | Sequence[builtins.int],
        dim1: builtins.int | None = None,
    ) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged; or, as in NumPy, all axes in a given order."""
        ...

    def transpose_(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged, in place."""
        ...

    def triangular_solve(
        self,
        A: Tensor,
        upper: builtins.bool = True,
        transpose: builtins.bool = False,
        unitriangular: builtins.bool = False,
    ) -> TriangularSolution:
        """(X, A) with A X = self, of A only the ``upper`` or lower triangle being read.

        ``transpose`` takes Aᵀ, ``unitriangular`` ones on the diagonal.  The leading axes broadcast.
        """
        ...

    def tril(self, diagonal: builtins.int = 0) -> Tensor:
        """Zeros above the ``diagonal``-th diagonal of the last two axes."""
        ...

    def tril_(self, diagonal: builtins.int = 0) -> Tensor:
        """Zeros above the ``diagonal``-th diagonal of the last two axes.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def triu(self, diagonal: builtins.int = 0) -> Tensor:
        """Zeros below the ``diagonal``-th diagonal of the last two axes."""
        ...

    def triu_(self, diagonal: builtins.int = 0) -> Tensor:
        """Zeros below the ``diagonal``-th diagonal of the last two axes.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def true_divide(
        self,
        other: Operand,
        *,
        rounding_mode: builtins.str | None = None,
    ) -> Tensor:
        """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

        Without rounding the result is floating point also for integers.
        """
        ...

    def true_divide_(
        self,
        other: Operand,
        *,
        rounding_mode: builtins.str | None = None,
    ) -> Tensor:
        """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

        Without rounding the result is floating point also for integers.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def trunc(self) -> Tensor:
        """x without its fraction, rounded towards zero; shape and dtype stay."""
        ...

    def trunc_(self) -> Tensor:
        """x without its fraction, rounded towards zero; shape and dtype stay.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    @overload
    def type(self, dtype: None = None, non_blocking: builtins.bool = False) -> builtins.str:
        """The tensor in another dtype (itself if it has that already), or the name of its type.

        ``dtype`` is a dtype, a type such as ``pellucid.LongTensor``, or the name of one.  Without
        it the name that PyTorch has for the type, with which programs compare:
        ``"torch.FloatTensor"``.
        """
        ...
    @overload
    def type(
        self,
        dtype: DTypeLike | TensorType,
        non_blocking: builtins.bool = False,
    ) -> Tensor:
        """The tensor in another dtype (itself if it has that already), or the name of its type.

        ``dtype`` is a dtype, a type such as ``pellucid.LongTensor``, or the name of one.  Without
        it the name that PyTorch has for the type, with which programs compare:
        ``"torch.FloatTensor"``.
        """
        ...

    def type_as(self, other: Tensor) -> Tensor:
        """In the dtype of ``other``; the tensor itself if it has that already."""
        ...

    def unbind(self, dim: builtins.int = 0) -> builtins.tuple[Tensor, ...]:
        """The slices along ``dim``, each without that axis."""
        ...

    def unflatten(self, dim: builtins.int, sizes: Sequence[builtins.int]) -> Tensor:
        """Axis ``dim`` split into axes of extents ``sizes`` (one may be −1)."""
        ...

    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:
        """Windows of ``size`` elements every ``step`` along an axis; the window is the last axis.

        Shape: (A..., N, B...) → (A..., (N − size) // step + 1, B..., size).
        """
        ...

    def uniform_(
        self,
        a: builtins.float = ...,
        b: builtins.float = ...,
        *,
        generator: Generator | None = None,
    ) -> Tensor:
        """Overwrite with values evenly distributed in [a, b), both parts of complex ones."""
        ...

    @overload
    def unique(
        self,
        sorted: builtins.bool = True,
        return_inverse: Literal[False] = False,
        return_counts: Literal[False] = False,
        dim: builtins.int | None = None,
    ) -> Tensor:
        """The distinct elements in order (or slices along ``dim``); values must be known.

        With ``return_inverse`` also the place of each element among them, with
        ``return_counts`` also how often each comes.
        """
        ...
    @overload
    def unique(
        self,
        sorted: builtins.bool = True,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        dim: builtins.int | None = None,
    ) -> builtins.tuple[Tensor, ...]:
        """The distinct elements in order (or slices along ``dim``); values must be known.

        With ``return_inverse`` also the place of each element among them, with
        ``return_counts`` also how often each comes.
        """
        ...

    @overload
    def unique_consecutive(
        self,
        return_inverse: Literal[False] = False,
        return_counts: Literal[False] = False,
        dim: builtins.int | None = None,
    ) -> Tensor:
        """The flattened elements (or slices along ``dim``) without repeated neighbours.

        Values must be known; the other results as in :meth:`unique`.
        """
        ...
    @overload
    def unique_consecutive(
        self,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        dim: builtins.int | None = None,
    ) -> builtins.tuple[Tensor, ...]:
        """The flattened elements (or slices along ``dim``) without repeated neighbours.

        Values must be known; the other results as in :meth:`unique`.
        """
        ...

    def unsafe_chunk(
        self,
        chunks: builtins.int,
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """As :meth:`chunk`, under the name that PyTorch also has."""
        ...

    def unsafe_split(
        self,
        split_size: builtins.int,
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """As :meth:`split`, under the name that PyTorch also has."""
        ...

    def unsafe_split_with_sizes(
        self,
        split_sizes: Sequence[builtins.int],
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """As :meth:`split_with_sizes`, under the name that PyTorch also has."""
        ...

    def unsqueeze(self, dim: builtins.int) -> Tensor:
        """With a new axis of extent 1 at position ``dim`` of the result."""
        ...

    def unsqueeze_(self, dim: builtins.int) -> Tensor:
        """With a new axis of extent 1 at ``dim``, in place."""
        ...

    def values(self) -> Tensor:
        """The values of a sparse tensor; this one is dense and raises ``ArgumentError``."""
        ...

    def var(
        self,
        dim: Axes = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = 1,
    ) -> Tensor:
        """Σ|x − mean|² / (n − correction) over ``dim``; ``correction=0`` is the population's."""
        ...

    def var_mean(
        self,
        dim: Axes = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = 1,
    ) -> builtins.tuple[Tensor, Tensor]:
        """(variance, mean) over ``dim``, as :meth:`var` and :meth:`mean` give them."""
        ...

    def vdot(self, other: Tensor) -> Tensor:
        """Sum of the products of two vectors of equal length, the first one conjugated."""
        ...

    def view(self, *shape: Extents) -> Tensor:
        """The same elements in the same order under ``shape``; one extent may be −1."""
        ...

    def view_as(self, other: Tensor) -> Tensor:
        """The same elements in the same order under the shape of ``other``."""
        ...

    def vsplit(
        self,
        sections: builtins.int | Sequence[builtins.int],
    ) -> builtins.tuple[Tensor, ...]:
        """Parts along axis 0: equal ones, or cut at these positions."""
        ...

    def where(self, condition: Tensor, other: Operand) -> Tensor:
        """self where ``condition`` holds, else ``other``; all three broadcast."""
        ...

    def xlogy(self, other: Operand) -> Tensor:
        """self · ln(other), element by element, with 0 · ln(0) = 0."""
        ...

    def xlogy_(self, other: Operand) -> Tensor:
        """self · ln(other), element by element, with 0 · ln(0) = 0.

        In place: overwrites the tensor with the result and returns it.
        """
        ...

    def xpu(
        self,
        device: DeviceLike | None = None,
        non_blocking: builtins.bool = False,
    ) -> Tensor:
        """Raises :class:`~pellucid.base.errors.DeviceError`: tensors live on the CPU."""
        ...

    def zero_(self) -> Tensor:
        """Overwrite every element with zero; returns the tensor."""
        ...
