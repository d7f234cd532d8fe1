"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.base.boundary import clear
from pellucid.base.errors import ShapeError
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor


@clear
def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters flattened and joined in order: a vector with all their elements."""
    return cat([p.reshape(-1) for p in parameters])


@clear
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the elements of a vector into the parameters, in order; undoes the joining."""
    listed = list(parameters)
    count = sum(p.numel() for p in listed)
    if tuple(vec.shape) != (count,):
        raise ShapeError(
            f"vector_to_parameters got shape {tuple(vec.shape)} for {count} elements",
            "they must agree",
        )
    start = 0
    with no_grad():
        for parameter in listed:
            parameter.copy_(
                vec.detach().narrow(0, start, parameter.numel()).reshape(parameter.shape)
            )
            start += parameter.numel()
