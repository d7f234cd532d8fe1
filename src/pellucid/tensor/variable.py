"""The older name for tensors that take part in gradients."""

from __future__ import annotations

import warnings
from typing import Any

from pellucid.base.errors import ArgumentTypeError
from pellucid.tensor.tensor import Tensor


class _VariableType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor)

    def __call__(
        cls,
        data: Tensor | None = None,
        requires_grad: bool = False,
        volatile: object = None,
        *,
        name: str | None = None,
    ) -> Any:
        """The tensor as a leaf; see :class:`Variable`."""
        if volatile is not None:
            warnings.warn(
                "volatile has no effect; use `with pellucid.no_grad():` instead", stacklevel=2
            )
        if data is None:
            data = Tensor()
        if not isinstance(data, Tensor):
            raise ArgumentTypeError(
                f"Variable got a {type(data).__name__}", "pass a tensor: pellucid.tensor(data)"
            )
        return data.detach().requires_grad_(requires_grad)


class Variable(metaclass=_VariableType):
    """``Variable(tensor, requires_grad=False)``: the tensor, which needs no wrapping any more.

    A leaf that shares the tensor's memory; every tensor is an instance.
    ``volatile`` warns and has no effect.  Raises ``ArgumentTypeError`` for what is no tensor.
    """
