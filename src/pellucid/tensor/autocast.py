"""Mixed precision: matrix products in bfloat16 or float16, everything that adds up in float32.

Weights stay in float32.  Operands of products (linear layers, convolutions, attention) are rounded
to the narrow type, products are accumulated in float32 and their result is rounded; softmax,
normalization and losses are computed in float32.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pellucid.base.dtypes import DType, DTypeLike, as_dtype, bfloat16, float16
from pellucid.base.errors import ArgumentTypeError
from pellucid.tensor.device import Device
from pellucid.tensor.state import state

Function = TypeVar("Function", bound=Callable[..., Any])


class autocast:  # noqa: N801  (PyTorch's name)
    """Inside, matrix products of float32 tensors are computed from ``dtype`` operands.

    ``with pellucid.autocast("cpu", dtype=pellucid.bfloat16): loss = model(x)``, or as a decorator.
    Their results are of ``dtype``; what is computed from these together with float32 tensors is
    float32.  ``enabled=False`` switches it off within.  ``backward()`` uses the dtypes of the
    forward pass and is called outside, as in PyTorch.  ``cache_enabled`` is accepted.

    ``dtype`` is bfloat16 by default.  For a device that does not exist here the mode changes
    nothing; for "cuda" it says so by a warning unless ``enabled=False``, as PyTorch does without
    CUDA.  So it does for a dtype that is not narrow.
    """

    def __init__(
        self,
        device_type: str = "cpu",
        dtype: DTypeLike | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ArgumentTypeError(
                f"autocast got device_type={device_type!r}", 'name the kind of device: "cpu"'
            )
        place = Device(device_type).type
        self.device = place
        self.fast_dtype = get_autocast_dtype(place) if dtype is None else as_dtype(dtype)
        if enabled and place == "cuda":
            warnings.warn(
                "autocast was asked for on 'cuda', but only the CPU exists here: it is switched "
                'off. Use autocast("cpu")',
                stacklevel=_outside(type(self)),
            )
            enabled = False
        elif enabled and place == "cpu" and not self.fast_dtype.is_narrow:
            warnings.warn(
                f"autocast got dtype={self.fast_dtype.name} and is switched off: products are "
                "computed in bfloat16 or float16",
                stacklevel=_outside(type(self)),
            )
            enabled = False
        self._enabled = enabled
        self._before: list[DType | None] = []

    def __enter__(self) -> autocast:
        self._before.append(state.autocast)
        if self.device == "cpu":
            _set(self.fast_dtype if self._enabled else None)
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


def _outside(kind: type) -> int:
    """How far above the constructor the caller is: subclasses have one of their own."""
    return 2 if kind is autocast else 3


def is_autocast_enabled(device_type: str = "cpu") -> bool:
    """Whether matrix products are being computed in a narrow type on that kind of device."""
    return device_type == "cpu" and state.autocast is not None


def get_autocast_dtype(device_type: str = "cpu") -> DType:
    """The type they are computed in; while there is none, the one that would be used.

    That is bfloat16 on the CPU, and PyTorch's choice for other devices: float16.
    """
    if Device(device_type).type == "cpu":
        return state.autocast or bfloat16
    return bfloat16 if device_type in ("xla", "hpu") else float16


def is_autocast_available(device_type: str) -> bool:
    """Whether there is autocasting for that kind of device: for "cpu"."""
    return Device(device_type).type == "cpu"


def clear_autocast_cache() -> None:
    """Forget converted weights; none are kept."""


def is_autocast_cache_enabled() -> bool:
    """Whether converted weights are kept within a mode: compiled steps share them anyway."""
    return True
