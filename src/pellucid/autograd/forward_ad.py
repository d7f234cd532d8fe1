"""Forward mode by hand: ``torch.autograd.forward_ad``.

Inside a level, a *dual* tensor carries a tangent; what is computed from it has the tangent that
the chain rule gives.

>>> import pellucid
>>> from pellucid.autograd import forward_ad
>>> with forward_ad.dual_level():
...     x = forward_ad.make_dual(pellucid.tensor(2.0), pellucid.tensor(1.0))
...     print(forward_ad.unpack_dual(x * x).tangent)
tensor(4.)

A dual tensor counts as one that requires a gradient, for its tangent goes along the history of
operations; so nothing arrives through :func:`pellucid.no_grad`.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, NamedTuple

from pellucid.base.errors import ArgumentError, AutogradError, ShapeError
from pellucid.ops.elementwise import cast
from pellucid.tensor.autograd import key_of, set_grad_enabled
from pellucid.tensor.core import TensorCore
from pellucid.tensor.differentials import pushed, reaches_others, recording, variable
from pellucid.tensor.interface import Tensor

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]


class UnpackedDualTensor(NamedTuple):
    """A dual tensor taken apart; ``tangent`` is None where there is none."""

    primal: Any
    tangent: Any


class _Level:
    """The dual tensors of one level, kept alive as long as it lasts."""

    def __init__(self) -> None:
        self.tensors: list[TensorCore] = []
        self.tangents: dict[int, Any] = {}
        self.mode = recording(forwards=True)
        self.mode.__enter__()


class _Levels(threading.local):
    level: _Level | None = None


_levels = _Levels()


def enter_dual_level() -> int:
    """Begin a level and return its number; there is one at a time."""
    if _levels.level is not None:
        raise AutogradError(
            "Nested forward mode AD is not supported at the moment",
            "leave the level first, or nest func.jvp",
        )
    _levels.level = _Level()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: its tensors have no tangents any more."""
    if _levels.level is None or level not in (None, 0):
        raise AutogradError(
            "Trying to exit a forward AD level that was not the last one that was created. Dual "
            "level must be a positive number.",
            "call enter_dual_level() first, or use dual_level()",
        )
    mode, _levels.level = _levels.level.mode, None
    mode.__exit__(None, None, None)


class dual_level:  # noqa: N801  (PyTorch's name)
    """Context manager of a level; see the module."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        exit_dual_level()


def make_dual(tensor: TensorCore, tangent: TensorCore, *, level: int | None = None) -> Tensor:
    """A tensor with the value of ``tensor`` and this tangent, of its shape and dtype.

    Raises where there is no level, or the tangent does not fit.
    """
    current = _levels.level
    if current is None:
        raise AutogradError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first.",
            "write: with forward_ad.dual_level():",
        )
    if not tensor.dtype.is_differentiable:
        raise ArgumentError(
            f"Expected primal to be floating point or complex, but got: {tensor.dtype.name}",
            "convert it with .float()",
        )
    if tuple(tensor.shape) != tuple(tangent.shape):
        raise ShapeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the "
            f"given forward gradient is of size {list(tangent.shape)}.",
            "both need the same shape",
        )
    if tensor.dtype is not tangent.dtype:
        tangent = cast(tangent, tensor.dtype)
    with set_grad_enabled(True):
        dual = variable(tensor)
    current.tensors.append(dual)
    current.tangents[key_of(dual)] = tangent
    return dual


def unpack_dual(tensor: TensorCore, *, level: int | None = None) -> UnpackedDualTensor:
    """A tensor's value, and its tangent in the current level (None outside of one)."""
    current = _levels.level
    if current is None or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    own = set(current.tangents)
    keeps = any(t._record is not None for t in current.tensors) or reaches_others([tensor], own)
    recorded = keeps or any(t.requires_grad for t in current.tangents.values())
    with set_grad_enabled(recorded):
        tangent = pushed([tensor], current.tangents)[0]
    primal = tensor if keeps else TensorCore.make(tensor._cell)
    return UnpackedDualTensor(primal, tangent)


def __dir__() -> list[str]:
    return sorted(__all__)
