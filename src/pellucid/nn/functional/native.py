"""PyTorch's names for what stands behind its layers, with their statistics as further results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.base.boundary import clear
from pellucid.base.errors import ArgumentError
from pellucid.nn.functional.common import batch_norm, group_norm, layer_norm
from pellucid.nn.functional.padding import pad as padded
from pellucid.nn.functional.resizing import grid_sample
from pellucid.tensor.creation import ones_like, zeros
from pellucid.tensor.out import takes_out
from pellucid.tensor.random import rand_like
from pellucid.tensor.tensor import Tensor

_MODES = ("bilinear", "nearest", "bicubic")
_BORDERS = ("zeros", "border", "reflection")


@clear
def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """``nn.functional.pad`` with a constant: pairs of numbers, for the last axis first."""
    return padded(input, pad, "constant", value)


@clear
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """``nn.functional.grid_sample`` with numbers for its modes.

    ``interpolation_mode``: 0 bilinear, 1 nearest, 2 bicubic; ``padding_mode``: 0 zeros, 1 border,
    2 reflection.
    """
    if interpolation_mode not in (0, 1, 2) or padding_mode not in (0, 1, 2):
        raise ArgumentError(
            f"grid_sampler got the modes {interpolation_mode} and {padding_mode}", "use 0, 1 or 2"
        )
    modes = _MODES[interpolation_mode], _BORDERS[padding_mode]
    return grid_sample(input, grid, *modes, align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def _statistics(x: Tensor, axes: Sequence[int], eps: float) -> tuple[Any, Any]:
    """Mean and 1 / √(variance + ε), axes kept."""
    wide = x.float() if x.dtype.is_narrow else x
    variance = wide.var(axes, correction=0, keepdim=True)
    found = wide.mean(axes, keepdim=True), (variance + eps).rsqrt()
    return tuple(t.to(x.dtype) for t in found)  # type: ignore[return-value]


@clear
def native_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """(``layer_norm``, mean, 1 / standard deviation); the normalized axes have extent 1 there."""
    shape = list(normalized_shape)
    axes = list(range(input.dim() - len(shape), input.dim()))
    return layer_norm(input, shape, weight, bias, eps), *_statistics(input, axes, eps)


@clear
def native_group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,  # noqa: N803
    C: int,  # noqa: N803
    HxW: int,  # noqa: N803
    group: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """(``group_norm``, mean, 1 / standard deviation), the last two of shape (N, group)."""
    mean, scale = _statistics(input.reshape(N, group, C // group * HxW), [2], eps)
    return group_norm(input, group, weight, bias, eps), mean.squeeze(2), scale.squeeze(2)


@takes_out
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    *,
    out: tuple[Tensor, Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(``batch_norm``, the batch's mean, 1 / standard deviation), the last two (C,).

    Outside of training these are empty.
    """
    mean_so_far: Any = running_mean
    variance_so_far: Any = running_var
    made = batch_norm(input, mean_so_far, variance_so_far, weight, bias, training, momentum, eps)
    if not training:
        return made, zeros(0, dtype=input.dtype), zeros(0, dtype=input.dtype)
    axes = [0, *range(2, input.dim())]
    mean, scale = _statistics(input, axes, eps)
    return made, mean.reshape(-1), scale.reshape(-1)


@clear
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """(dropped out, mask): elements 0 with probability p, the others by 1 / (1 − p) in training."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"native_dropout got p={p}", "a probability is from 0 to 1")
    if not train:
        return input.clone(), ones_like(input).bool()
    mask = rand_like(input.detach()).ge(p)
    return input * mask.to(input.dtype) * (0.0 if p == 1 else 1 / (1 - p)), mask


__all__ = [
    "constant_pad_nd",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "native_batch_norm",
    "native_dropout",
    "native_group_norm",
    "native_layer_norm",
]
