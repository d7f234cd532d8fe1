"""Gradient clipping.

``foreach``, a choice among PyTorch's kernels, is accepted and has no effect.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

from pellucid.base.boundary import clear
from pellucid.base.errors import ArgumentError, NonFiniteError
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import tensor
from pellucid.tensor.shaping import stack
from pellucid.tensor.tensor import Tensor


def _listed(tensors: Any) -> list[Any]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


@clear
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all ``tensors`` together, a 0-dimensional tensor.

    (Σ|x|^p)^(1/p); the largest |x| for ``norm_type=inf``.  0 for no tensors.
    """
    listed = _listed(tensors)
    if not listed:
        return tensor(0.0)
    norms = stack([t.norm(norm_type) for t in listed])
    total = norms.norm(norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise NonFiniteError(
            f"the total norm of the gradients is {total.item()}",
            "look for NaN or infinity in the loss, or lower the learning rate",
        )
    return total


@clear
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale the gradients in place by min(1, max_norm / (total_norm + 1e-6))."""
    factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
    with no_grad():
        for parameter in _listed(parameters):
            if parameter.grad is not None:
                parameter.grad.mul_(factor)


@clear
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients in place so that their norm together is at most ``max_norm``.

    The direction stays.  Returns the norm before.  (Pascanu, Mikolov and Bengio, 2013.)
    """
    listed = _listed(parameters)
    with no_grad():
        total = get_total_norm(
            [p.grad for p in listed if p.grad is not None], norm_type, error_if_nonfinite
        )
        clip_grads_with_norm_(listed, max_norm, total)
    return total


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of :func:`clip_grad_norm_`, with a ``FutureWarning``."""
    warnings.warn("clip_grad_norm is called clip_grad_norm_ now", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)


@clear
def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Cut every element of the gradients, in place, to [−clip_value, clip_value]."""
    if clip_value < 0:
        raise ArgumentError(f"clip_grad_value_ got {clip_value}", "use a value of at least 0")
    with no_grad():
        for parameter in _listed(parameters):
            if parameter.grad is not None:
                parameter.grad.clamp_(-clip_value, clip_value)
