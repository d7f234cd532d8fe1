"""A bound on the weights of each unit, kept after every update."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor


def max_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    dim: int = 0,
) -> None:
    """Scales, in place, each slice along ``dim`` whose norm is above ``max_norm`` down to it.

    With ``dim`` 0 these are the weights of one output unit (or of one channel of a convolution).
    Call it after ``optimizer.step()``, also inside a compiled step; Keras' ``MaxNorm`` constraint.
    Raises ``ArgumentError`` for a bound that is not positive, ``ShapeError`` for tensors without
    the axis.

    (Srebro, Rennie and Jaakkola, 2004; with dropout: Srivastava et al., 2014.)

    >>> import pellucid
    >>> weight = pellucid.tensor([[3.0, 4.0], [0.3, 0.4]])
    >>> max_norm_(weight, 1.0)
    >>> weight
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if not max_norm > 0:
        raise ArgumentError(f"max_norm_ got max_norm={max_norm!r}", "give a positive number")
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    with no_grad():
        for parameter in listed:
            if not -parameter.dim() <= dim < parameter.dim():
                raise ShapeError(
                    f"max_norm_ got dim={dim} for a tensor of shape {tuple(parameter.shape)}",
                    "pass weights that have this axis, without biases",
                )
            axes = [axis for axis in range(parameter.dim()) if axis != dim % parameter.dim()]
            norms = parameter.norm(norm_type, axes, keepdim=True) if axes else parameter.abs()
            parameter.mul_(max_norm / norms.clamp(min=max_norm))
