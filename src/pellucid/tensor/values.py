"""How tensors meet Python and other libraries: as numbers, text, arrays and shared memory."""

from __future__ import annotations

import builtins
import math
import sys
from typing import Any, Self, cast

import numpy as np

from pellucid.base.dtypes import DTypeLike, as_dtype, bfloat16
from pellucid.base.errors import (
    AutogradError,
    DTypeError,
    ExchangeError,
    MissingAttributeError,
    NumberRangeError,
    ScalarError,
    ShapeError,
)
from pellucid.base.shapes import size_of
from pellucid.tensor.arguments import Operand
from pellucid.tensor.core import TensorCore, initialize, lift
from pellucid.tensor.dlpack import CPU, to_capsule
from pellucid.tensor.interface import Tensor
from pellucid.tensor.printing import tensor_html, tensor_text


class ValueMethods(TensorCore):
    """Mixed into :class:`pellucid.Tensor`."""

    __slots__ = ()

    # ---- numbers ---------------------------------------------------------------------------

    def item(self) -> builtins.bool | int | float:
        """The single element as a Python number, a ``complex`` one if the tensor is."""
        if size_of(self.shape) != 1:
            raise ShapeError(
                f"item() needs exactly one element and got shape {tuple(self.shape)}",
                "index or reduce it first",
            )
        found: builtins.bool | int | float = self.dtype.numbers(self.array()).item()
        return found

    def _number(self, kind: str) -> Any:
        """The single element, for a conversion to Python's ``kind``."""
        if size_of(self.shape) != 1:
            raise ShapeError(
                f"only a tensor with one element converts to {kind}, and this one has shape "
                f"{tuple(self.shape)}",
                "index or reduce it first, or convert all elements with .tolist()",
            )
        found: Any = self.item()
        if isinstance(found, complex) and kind != "a complex number":
            if found.imag:
                raise NumberRangeError(
                    f"{found} is not {kind}: its imaginary part is not 0", "use x.real or x.abs()"
                )
            return found.real
        return found

    def __bool__(self) -> builtins.bool:
        count = size_of(self.shape)
        if count != 1:
            many = "more than one element" if count else "no elements"
            raise ShapeError(
                f"the truth value of a tensor with {many} is ambiguous (shape {tuple(self.shape)})",
                "say which is meant: x.any(), x.all(), x.numel() > 0, or pellucid.where",
            )
        return builtins.bool(self.item())

    def __float__(self) -> float:
        return float(self._number("a float"))

    def __int__(self) -> int:
        return int(self._number("an int"))

    def __complex__(self) -> complex:
        return complex(self._number("a complex number"))

    def __index__(self) -> int:
        if self.dtype.is_differentiable:
            raise DTypeError(
                f"a {self.dtype.kind} tensor cannot be an index", "convert with .long()"
            )
        if size_of(self.shape) != 1:
            raise ScalarError(
                f"a tensor of shape {tuple(self.shape)} was used as one index",
                "take one of its elements; tensors are indexed by all of them",
            )
        return int(self._number("an int"))

    def __trunc__(self) -> int:
        return math.trunc(self._number("an int"))

    def __floor__(self) -> int:
        return math.floor(self._number("an int"))

    def __ceil__(self) -> int:
        return math.ceil(self._number("an int"))

    def __round__(self, ndigits: int | None = None) -> Tensor:
        rounded: Tensor = cast(Any, self).round(decimals=ndigits or 0)
        return rounded

    def __divmod__(self, other: Operand) -> tuple[Tensor, Tensor]:
        x = cast(Any, self)
        return x // other, x % other

    def __rdivmod__(self, other: Operand) -> tuple[Tensor, Tensor]:
        x = cast(Any, self)
        return other // x, other % x

    # ---- text ------------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.shape:
            raise ScalarError("a 0-dimensional tensor has no length", "use .item() or .numel()")
        return self.shape[0]

    def __repr__(self) -> str:
        return tensor_text(self)

    def __format__(self, spec: str) -> str:
        if not self.shape:
            return format(self.item(), spec)
        if spec:
            raise ScalarError(
                f"the format {spec!r} was asked of a tensor of shape {tuple(self.shape)}",
                "format its elements, x.tolist(), or see pellucid.set_printoptions",
            )
        return repr(self)

    def _repr_html_(self) -> str:
        """The tensor in a notebook: a table of its facts above its elements."""
        return tensor_html(self)

    # ---- copies ----------------------------------------------------------------------------

    def __copy__(self) -> Self:
        """A leaf of the same class around the same memory; hooks and gradient stay behind."""
        made = type(self).__new__(type(self))
        initialize(made, self._cell)
        made._requires_grad = self._requires_grad
        return made

    def tolist(self) -> Any:
        """Nested lists of Python numbers; a single number for a tensor without axes."""
        return self.dtype.numbers(self.array()).tolist()

    # ---- arrays ----------------------------------------------------------------------------

    def numpy(self, *, force: builtins.bool = False) -> np.ndarray:
        """The value as a NumPy array that shares memory with the tensor."""
        if self._requires_grad and not force:
            raise AutogradError(
                "numpy() was called on a tensor that requires gradients", "use x.detach().numpy()"
            )
        if self.dtype is bfloat16:
            raise DTypeError("NumPy has no bfloat16", "convert first: x.float().numpy()")
        return self.array()

    def __array__(
        self, dtype: DTypeLike | None = None, copy: builtins.bool | None = None
    ) -> np.ndarray:
        array = self.numpy()
        wanted = array.dtype if dtype is None else np.dtype(cast(Any, dtype))
        if array.dtype == wanted:
            return array.copy() if copy else array
        if copy is False:
            raise DTypeError(
                f"an array of {wanted} was asked of a tensor of {self.dtype.name} without a copy",
                "allow the copy: np.asarray(x, dtype)",
            )
        return array.astype(wanted)

    def __array_wrap__(
        self, array: np.ndarray, context: object = None, return_scalar: builtins.bool = False
    ) -> Tensor | np.ndarray:
        """What a NumPy function made of a tensor is a tensor again, if there is its dtype."""
        try:
            as_dtype(array.dtype)
        except DTypeError:
            return array
        made: Tensor = lift(np.asarray(array))
        return made

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """NumPy's description of the memory: ``data`` holds an array that keeps it alive."""
        if self._requires_grad or self.dtype is bfloat16:
            raise MissingAttributeError(
                "NumPy has no description of this memory", "see Tensor.numpy for what to do"
            )
        array = self.array()
        found = dict(array.__array_interface__)
        owner: np.ndarray = array
        while not owner.flags.c_contiguous and isinstance(owner.base, np.ndarray):
            owner = owner.base
        if not owner.flags.c_contiguous:
            raise MissingAttributeError(
                "the memory is not in one piece", "use x.contiguous(), or np.asarray(x)"
            )
        # An address alone would dangle as soon as the tensor gets other memory.
        found["offset"] = found["data"][0] - owner.__array_interface__["data"][0]
        found["data"] = owner
        return found

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A vector as a column, a matrix as a table, for Polars and other readers of Arrow.

        Written by Polars or PyArrow, whichever is loaded (the one that asks is).  Raises
        ``ExchangeError`` for other numbers of axes, and where neither is loaded.
        """
        values = self.numpy()
        polars, arrow = sys.modules.get("polars"), sys.modules.get("pyarrow")
        if values.ndim not in (1, 2) or (polars is None and arrow is None):
            raise ExchangeError(
                f"a tensor of shape {tuple(self.shape)} was asked for as a table of Arrow",
                "give a vector or a matrix, with Polars or PyArrow loaded",
            )
        made: Any
        if polars is not None:
            made = (polars.Series if values.ndim == 1 else polars.DataFrame)(values)
        elif arrow is not None and values.ndim == 1:
            made = arrow.chunked_array([arrow.array(values)])
        elif arrow is not None:
            made = arrow.table({f"column_{i}": values[:, i] for i in range(values.shape[1])})
        return made.__arrow_c_stream__(requested_schema)

    # ---- shared memory ---------------------------------------------------------------------

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: builtins.bool | None = None,
    ) -> object:
        """A capsule with the memory, for ``from_dlpack`` of other libraries.

        Raises ``ExchangeError`` (a ``BufferError``) for tensors that require gradients, for a
        stream, and for other devices than the CPU.
        """
        if self._requires_grad:
            raise ExchangeError(
                "a tensor that requires gradients cannot be exported", "use x.detach()"
            )
        if stream not in (None, -1) or (dl_device is not None and tuple(dl_device) != CPU):
            raise ExchangeError(
                f"__dlpack__ got stream={stream!r}, dl_device={dl_device!r}",
                "tensors live on the CPU, device (1, 0), which has no streams",
            )
        return to_capsule(self.array(), self.dtype, max_version, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU
