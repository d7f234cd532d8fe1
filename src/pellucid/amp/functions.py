"""Decorators for gradients of one's own that are to work under autocasting."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from pellucid.base.dtypes import DTypeLike, as_dtype
from pellucid.ops import elementwise
from pellucid.tensor.autocast import autocast, is_autocast_enabled
from pellucid.tensor.core import TensorCore
from pellucid.tensor.state import state
from pellucid.tensor.trees import map_tensors

Function = TypeVar("Function", bound=Callable[..., Any])


def custom_fwd(
    fwd: Function | None = None, *, device_type: str = "cuda", cast_inputs: DTypeLike | None = None
) -> Callable[..., Any]:
    """Decorator for ``forward`` of an :class:`~pellucid.autograd.Function`.

    Without ``cast_inputs`` forward runs in the mode it is called in, which :func:`custom_bwd`
    takes up.  With it, while autocasting for ``device_type``, floating-point tensors are converted
    to that dtype and forward runs without autocasting.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    function = fwd

    @functools.wraps(function)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._autocast = state.autocast
        if cast_inputs is None or not is_autocast_enabled(device_type):
            return function(ctx, *args, **kwargs)
        ctx._autocast = None
        args, kwargs = map_tensors((args, kwargs), lambda t: _floats_as(t, cast_inputs))
        with autocast(device_type, enabled=False):
            return function(ctx, *args, **kwargs)

    return forward


def _floats_as(tensor: TensorCore, dtype: DTypeLike) -> TensorCore:
    kind = as_dtype(dtype)
    return elementwise.cast(tensor, kind) if tensor.dtype.is_floating_point else tensor


def custom_bwd(bwd: Function | None = None, *, device_type: str = "cuda") -> Callable[..., Any]:
    """Decorator for ``backward``: it runs in the mode of the forward pass, see
    :func:`custom_fwd`."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    function = bwd

    @functools.wraps(function)
    def backward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        before, state.autocast = state.autocast, getattr(ctx, "_autocast", None)
        try:
            return function(ctx, *args, **kwargs)
        finally:
            state.autocast = before

    return backward
