"""Mixed precision: matrix products in bfloat16 or float16, everything that adds up in float32.

Weights stay in float32.  Operands of products (linear layers, convolutions, attention) are rounded
to the narrow type, products are accumulated in float32 and their result is rounded; softmax,
normalization and losses are computed in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pellucid.base.dtypes import DType, DTypeLike, as_dtype, bfloat16
from pellucid.base.errors import ArgumentError, DTypeError
from pellucid.tensor.state import state

Function = TypeVar("Function", bound=Callable[..., Any])


class autocast:  # noqa: N801  (PyTorch's name)
    """Inside, matrix products of float32 tensors are computed from ``dtype`` operands.

    ``with pellucid.autocast("cpu", dtype=pellucid.bfloat16): loss = model(x)``, or as a decorator.
    Their results are of ``dtype``; what is computed from these together with float32 tensors is
    float32.  ``enabled=False`` switches it off within.  ``backward()`` uses the dtypes of the
    forward pass and is called outside, as in PyTorch.  ``cache_enabled`` is accepted.
    """

    def __init__(
        self,
        device_type: str = "cpu",
        dtype: DTypeLike | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if device_type != "cpu":
            raise ArgumentError(
                f"autocast got device_type={device_type!r}", 'tensors live on "cpu"'
            )
        kind = bfloat16 if dtype is None else as_dtype(dtype)
        if not kind.is_narrow:
            raise DTypeError(
                f"autocast got dtype={kind.name}", "use pellucid.bfloat16 or pellucid.float16"
            )
        self._dtype = kind if enabled else None
        self._before: list[DType | None] = []

    def __enter__(self) -> autocast:
        self._before.append(state.autocast)
        _set(self._dtype)
        return self

    def __exit__(self, *_: object) -> None:
        _set(self._before.pop())

    def __call__(self, function: Function) -> Function:
        """As a decorator: every call of ``function`` runs inside."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast(Function, wrapped)


def _set(dtype: DType | None) -> None:
    state.autocast = dtype


def is_autocast_enabled(device_type: str = "cpu") -> bool:
    """Whether matrix products are being computed in a narrow type."""
    return state.autocast is not None


def get_autocast_dtype(device_type: str = "cpu") -> DType:
    """The type they are computed in; bfloat16 while there is none."""
    return state.autocast or bfloat16
