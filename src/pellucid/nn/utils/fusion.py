"""A layer and the batch normalization behind it as one layer, for evaluation."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from pellucid.base.boundary import clear
from pellucid.base.errors import ArgumentError
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.creation import ones_like, zeros_like
from pellucid.tensor.tensor import Tensor

Layer = TypeVar("Layer", bound=Module)


def _fused(
    weight: Tensor, bias: Tensor | None, statistics: tuple[Any, ...], axis: int
) -> tuple[Parameter, Parameter]:
    """γ (Wx + b − μ) / √(σ² + ε) + β as a weight and a bias."""
    mean, variance, eps, gamma, beta = statistics
    bias = zeros_like(mean) if bias is None else bias
    gamma = ones_like(mean) if gamma is None else gamma
    beta = zeros_like(mean) if beta is None else beta
    factor = gamma * (variance + eps).rsqrt()
    shape = [-1 if i == axis else 1 for i in range(weight.dim())]
    new_weight = (weight * factor.reshape(shape)).to(weight.dtype)
    new_bias = ((bias - mean) * factor + beta).to(bias.dtype)
    return (
        Parameter(new_weight.detach(), bool(weight.requires_grad)),
        Parameter(new_bias.detach(), bool(bias.requires_grad)),
    )


@clear
def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution that does a batch normalization's work as well.

    Of the normalization: running mean and variance, ε, γ, β.  ``transpose`` is for transposed
    convolutions, whose outputs are axis 1 of the weight.
    """
    return _fused(conv_w, conv_b, (bn_rm, bn_rv, bn_eps, bn_w, bn_b), 1 if transpose else 0)


@clear
def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear layer that does a batch normalization's work as well."""
    return _fused(linear_w, linear_b, (bn_rm, bn_rv, bn_eps, bn_w, bn_b), 0)


def _joined(function: str, layer: Layer, bn: Any, axis: int) -> Layer:
    if layer.training or bn.training:
        raise ArgumentError(
            f"{function} got layers in training mode",
            "the batch's statistics are not fixed there: call .eval() first",
        )
    if bn.running_mean is None or bn.running_var is None:
        raise ArgumentError(
            f"{function} got a normalization without running statistics",
            "it must have been made with track_running_stats=True",
        )
    made: Any = copy.deepcopy(layer)
    statistics = (bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    made.weight, made.bias = _fused(made.weight, made.bias, statistics, axis)
    return made  # type: ignore[no-any-return]


@clear
def fuse_conv_bn_eval(conv: Layer, bn: Module, transpose: bool = False) -> Layer:
    """A new convolution that gives what ``bn(conv(x))`` gives in evaluation mode.

    Raises ``ArgumentError`` in training mode, or without running statistics.
    """
    return _joined("fuse_conv_bn_eval", conv, bn, 1 if transpose else 0)


@clear
def fuse_linear_bn_eval(linear: Layer, bn: Module) -> Layer:
    """A new linear layer that gives what ``bn(linear(x))`` gives in evaluation mode.

    Raises ``ArgumentError`` in training mode, without running statistics, and where the numbers of
    features differ.
    """
    features, own = getattr(bn, "num_features", None), getattr(linear, "out_features", None)
    if own != features and features != 1:
        raise ArgumentError(
            f"fuse_linear_bn_eval got {own} outputs and {features} normalized features",
            "they must be equal",
        )
    return _joined("fuse_linear_bn_eval", linear, bn, 0)
