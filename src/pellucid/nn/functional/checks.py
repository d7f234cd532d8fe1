"""What the functions ask of their arguments before they compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.base.errors import DTypeError, PellucidError, ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.nn.locating import place_now, tell
from pellucid.tensor import late
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor


def need_tensor(name: str, input: Any) -> None:
    """Raise unless ``input`` is a tensor; arrays and lists are not converted silently."""
    if not isinstance(input, Tensor):
        hint = "pass a tensor: pellucid.tensor(data)"
        if isinstance(input, tuple) and any(isinstance(part, Tensor) for part in input):
            hint = (
                "pass one of its tensors: recurrent layers return (output, state), attention "
                "(output, weights); output is the first"
            )
        raise DTypeError(f"{name} got a {type(input).__name__} as input", hint)


def as_broadcast(name: str, first: Any, second: Any) -> tuple[Any, Any]:
    """Two tensors stretched to the shape they broadcast to."""
    need_tensor(name, first)
    need_tensor(name, second)
    if tuple(first.shape) == tuple(second.shape):
        return first, second
    try:
        shape = broadcast_shapes(tuple(first.shape), tuple(second.shape))
    except ShapeError:
        raise ShapeError(
            f"{name} got inputs of shapes {tuple(first.shape)} and {tuple(second.shape)}",
            "both need the same shape, or extents of 1 where they differ; "
            "the last axis holds the features",
        ) from None
    return first.expand(*shape), second.expand(*shape)


def check_values(check: Callable[..., object], *tensors: Any) -> None:
    """``check(*arrays)`` on the values of tensors; in a compiled program when it met a bad one.

    Then too, the error tells the layer and the line that asked for the check.
    """
    late.check_values(_located(check), *tensors)


def demanded(
    value: Any,
    good: Callable[[], Any],
    check: Callable[..., object],
    *tensors: Any,
    otherwise: PellucidError,
) -> Any:
    """``value``, of which ``check(*arrays)`` says what is wrong unless all of ``good()`` is true.

    See :func:`pellucid.tensor.late.demanded`; a compiled program names the layer and the line.
    """
    return late.demanded(value, good, _located(check), *tensors, otherwise=otherwise)


def _located(check: Callable[..., object]) -> Callable[..., object]:
    """A check that tells, if it is deferred, the layer and the line that asked for it."""
    place = place_now() if is_tracing() else None
    if place is None:
        return check

    def located(*arrays: Any) -> None:
        try:
            check(*arrays)
        except PellucidError as error:
            tell(error, place)
            raise

    return located


def has_values(tensor: Any) -> bool:
    """Whether there are elements that can be looked at: not empty, and no program being traced."""
    return not is_tracing() and tensor.numel() > 0
