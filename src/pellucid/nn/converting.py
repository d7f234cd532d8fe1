"""Modules in other dtypes, on other devices, in other memory, as a program: in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from pellucid.base.dtypes import DType, DTypeLike, bfloat16, float16, float32, float64
from pellucid.base.errors import DTypeError
from pellucid.tensor.autograd import stored_gradient
from pellucid.tensor.compile import compile
from pellucid.tensor.conversion import destination
from pellucid.tensor.device import DeviceLike, absent, check_device
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.tensor_types import TensorType, as_type

Self = TypeVar("Self", bound="Convertible")


class Convertible:
    """What has parameters and buffers, and can be told to hold them otherwise."""

    if TYPE_CHECKING:

        def parameters(self, recurse: bool = True) -> Iterator[Any]:
            """The tensors that are learned."""

        def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
            """The tensors that are state."""

    def _convert(
        self: Self, dtype: DType, floats_only: bool = True, complex_too: bool = False
    ) -> Self:
        for value in [*self.parameters(), *self.buffers()]:
            known = value.dtype
            taken = known.is_differentiable if complex_too else known.is_floating_point
            if floats_only and not taken:
                continue
            if known is not dtype:
                gradient = stored_gradient(value)
                value.grad = None
                value.data = value.detach().to(dtype)
                value.grad = None if gradient is None else gradient.to(dtype)
        return self

    @overload
    def to(self: Self, dtype: DType | type | np.dtype[Any], non_blocking: bool = False) -> Self: ...
    @overload
    def to(
        self: Self,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        non_blocking: bool = False,
    ) -> Self: ...
    @overload
    def to(self: Self, tensor: Tensor, non_blocking: bool = False) -> Self: ...
    def to(
        self: Self,
        *target: object,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        tensor: Tensor | None = None,
        non_blocking: bool = False,
        memory_format: object = None,
    ) -> Self:
        """Floating-point and complex parameters and buffers in another dtype: the module itself.

        ``to(dtype)``, ``to(device, dtype)`` or ``to(tensor)``, as :meth:`Tensor.to`.  The only
        device is the CPU: any other raises a :class:`~pellucid.base.errors.DeviceError`.
        """
        if tensor is not None:
            target = (*target, tensor)
        wanted = destination(target, dtype, device).dtype
        if wanted is None:
            return self
        if not wanted.is_differentiable:
            raise DTypeError(
                f"a module cannot be converted to {wanted.name}", "use float32 or float64"
            )
        return self._convert(wanted, complex_too=True)

    def type(self: Self, dst_type: DTypeLike | TensorType) -> Self:
        """Parameters and buffers, whole numbers too, in another dtype, in place."""
        return self._convert(as_type(dst_type), floats_only=False)

    def to_empty(self: Self, *, device: DeviceLike | None, recurse: bool = True) -> Self:
        """The module itself on ``device``, the CPU; values need not stay, and do."""
        check_device(device)
        return self

    def share_memory(self: Self) -> Self:
        """Parameters and buffers in memory that other processes see: the module itself.

        See :meth:`Tensor.share_memory_`.
        """
        for value in [*self.parameters(), *self.buffers()]:
            value.share_memory_()
        return self

    def compile(self, **settings: Any) -> None:
        """Let calls of this module run as a native program: :func:`pellucid.compile`, in place.

        Keywords are those of :func:`pellucid.compile`.
        """
        whole: Any = self
        self.__dict__["_compiled_call"] = compile(whole, **settings)

    def float(self: Self) -> Self:
        """Floating-point parameters and buffers as float32."""
        return self._convert(float32)

    def double(self: Self) -> Self:
        """Floating-point parameters and buffers as float64."""
        return self._convert(float64)

    def bfloat16(self: Self) -> Self:
        """Floating-point parameters and buffers as bfloat16."""
        return self._convert(bfloat16)

    def half(self: Self) -> Self:
        """Floating-point parameters and buffers as float16."""
        return self._convert(float16)

    def cpu(self: Self) -> Self:
        """The module itself: it lives on the CPU."""
        return self

    def cuda(self: Self, device: DeviceLike | None = None) -> Self:
        """Raises :class:`~pellucid.base.errors.DeviceError`: modules live on the CPU."""
        raise absent("cuda" if device is None else device)

    def xpu(self: Self, device: DeviceLike | None = None) -> Self:
        """Raises :class:`~pellucid.base.errors.DeviceError`: modules live on the CPU."""
        raise absent("xpu" if device is None else device)
