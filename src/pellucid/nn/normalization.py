"""Layers that standardize their input and then scale and shift it.

Batch norm behaves differently in training (the batch's own mean and variance) and evaluation
(running averages of them); the others do the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn import init
from pellucid.nn.functional.channels import instance_norm, local_response_norm
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.common import batch_norm, group_norm, layer_norm, rms_norm
from pellucid.nn.functional.hints import batch_norm_hint, rank_hint
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import lift
from pellucid.tensor.creation import empty, ones, zeros
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


class _Affine(Module):
    """A layer whose result is scaled by γ (``weight``) and shifted by β (``bias``)."""

    def _register(self, shape: Any, dtype: Any, *, weight: bool, bias: bool) -> None:
        """Make γ and β, or empty places for them."""
        for name, wanted in (("weight", weight), ("bias", weight and bias)):
            self.register_parameter(name, Parameter(empty(shape, dtype=dtype)) if wanted else None)

    def reset_parameters(self) -> None:
        """γ = 1, β = 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class _BatchNorm(_Affine):
    """Batch normalization over all axes but the channels' (axis 1)."""

    ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        check_device(device)
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._register(num_features, dtype, weight=affine, bias=bias)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", lift(np.array(0)) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batches seen."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """γ = 1, β = 0, and the running statistics reset."""
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """The standardized input, of the same shape."""
        need_tensor(type(self).__name__, input)
        if input.dim() not in self.ranks:
            raise ShapeError(
                f"{type(self).__name__} got an input with {input.dim()} axes, shape "
                f"{tuple(input.shape)}",
                batch_norm_hint(
                    tuple(input.shape), type(self).__name__, self.ranks, self.num_features
                ),
            )
        if input.shape[1] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__} expects {self.num_features} channels on axis 1 and got "
                f"shape {tuple(input.shape)}",
                batch_norm_hint(
                    tuple(input.shape), type(self).__name__, self.ranks, self.num_features
                ),
            )
        share: Any = self.momentum
        if self.training and self.num_batches_tracked is not None:
            with no_grad():
                self.num_batches_tracked.add_(1)
                if share is None:  # the plain average of all batches so far
                    share = 1.0 / self.num_batches_tracked.to(self.running_mean.dtype)
        use_batch = self.training or self.running_mean is None
        return batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            use_batch,
            share,
            self.eps,
        )

    def extra_repr(self) -> str:
        """Sizes and settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """(x − mean) / √(var + ε) · γ + β for each channel, over the batch.

    Behaves differently after ``eval()``: in training mean and var (divided by n) are the
    batch's, and the running ones move by ``momentum`` m (0.1) towards them,
    r ← (1 − m) r + m · batch, with the variance divided by n − 1; in evaluation the running
    ones are used, so a sample's result does not depend on the others.  ``momentum=None``
    averages all batches.  ``affine`` learns γ (starts at 1) and, with ``bias``, β (0);
    ``track_running_stats=False`` uses the batch always.
    Shapes: (N, C) or (N, C, L) → the same, C = ``num_features``.  (Ioffe and Szegedy, 2015.)
    """

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """:class:`BatchNorm1d` for images: (N, C, H, W) → the same."""

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """:class:`BatchNorm1d` for volumes: (N, C, D, H, W) → the same."""

    ranks = (5,)


def _extents(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


class LayerNorm(_Affine):
    """(x − mean) / √(var + ε) · γ + β over the last axes, for each sample by itself.

    ``normalized_shape``: the extents of those axes (or one number); ``eps`` 1e-5;
    ``elementwise_affine`` learns γ (starts at 1) and, with ``bias``, β (0), both of that shape.
    The same in training and evaluation.
    Shapes: (…, *normalized_shape) → the same.  (Ba, Kiros and Hinton, 2016.)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        self.normalized_shape = _extents(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._register(self.normalized_shape, dtype, weight=elementwise_affine, bias=bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """The standardized input, of the same shape."""
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Sizes and settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / √(mean(x²) + ε) · γ over the last axes: layer norm without centring.

    ``eps`` is by default the rounding unit of the input's dtype.
    Shapes: (…, *normalized_shape) → the same.  (Zhang and Sennrich, 2019.)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        self.normalized_shape = _extents(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        value = Parameter(empty(self.normalized_shape, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """γ = 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """The scaled input, of the same shape."""
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Sizes and settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(_Affine):
    """Layer norm over each of ``num_groups`` groups of channels; γ and β (``bias``) per channel.

    Shapes: (N, C, *) → the same, C divisible by ``num_groups``.  (Wu and He, 2018.)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        check_device(device)
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(
                f"nn.GroupNorm got {num_groups} groups for {num_channels} channels",
                "num_channels must be divisible by num_groups",
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._register(num_channels, dtype, weight=affine, bias=bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """The standardized input, of the same shape."""
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Sizes and settings."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class _InstanceNorm(_BatchNorm):
    """Instance normalization: :class:`_BatchNorm`'s parts, statistics of each sample."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        check_device(device)
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        """The standardized input, of the same shape."""
        name, rank = type(self).__name__, self.ranks[0]
        need_tensor(name, input)
        if input.dim() not in (rank - 1, rank):
            raise ShapeError(
                f"{name} got an input with {input.dim()} axes, shape {tuple(input.shape)}",
                rank_hint(tuple(input.shape), rank - 2, self.num_features),
            )
        batch = input if input.dim() == rank else input.unsqueeze(0)
        if batch.shape[1] != self.num_features and (self.affine or self.track_running_stats):
            raise ShapeError(
                f"{name} expects {self.num_features} channels and got shape {tuple(input.shape)}",
                batch_norm_hint(tuple(input.shape), name, (rank - 1, rank), self.num_features),
            )
        result = instance_norm(
            batch,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result if input.dim() == rank else result.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """(x − mean) / √(var + ε) · γ + β for each channel of each sample, over its positions.

    ``affine`` (False) learns γ and, with ``bias``, β; ``track_running_stats`` (False) keeps
    running statistics and uses them in evaluation.
    Shapes: (N, C, L) or (C, L) → the same, C = ``num_features``.  (Ulyanov et al., 2016.)
    """

    ranks = (3,)


class InstanceNorm2d(_InstanceNorm):
    """:class:`InstanceNorm1d` for images: (N, C, H, W) or (C, H, W) → the same."""

    ranks = (4,)


class InstanceNorm3d(_InstanceNorm):
    """:class:`InstanceNorm1d` for volumes: (N, C, D, H, W) or (C, D, H, W) → the same."""

    ranks = (5,)


class LocalResponseNorm(Module):
    """x / (k + α mean(x²))^β, the mean over ``size`` neighbouring channels.

    α = 1e-4, β = 0.75, k = 1.  Shape: (N, C, *) → the same.  (Krizhevsky et al., 2012.)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """The scaled input, of the same shape."""
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Settings."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
