"""Layers joined with the normalization behind them; modules made without first values."""

from __future__ import annotations

from typing import Any

import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.nn import utils


def _trained(norm: Any, x: Any) -> Any:
    """A normalization that has seen data."""
    with pellucid.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    for _ in range(3):
        norm(x)
    return norm.eval()


@pytest.mark.parametrize(
    ("layer", "norm", "shape", "transpose"),
    [
        (nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), (5, 3, 6, 6), False),
        (nn.Conv1d(3, 4, 2, bias=False), nn.BatchNorm1d(4), (5, 3, 6), False),
        (nn.ConvTranspose2d(3, 4, 2), nn.BatchNorm2d(4), (5, 3, 6, 6), True),
    ],
)
def test_a_convolution_and_its_normalization(
    layer: Any, norm: Any, shape: tuple[int, ...], transpose: bool
) -> None:
    x = pellucid.randn(*shape)
    _trained(norm, layer(x).detach())
    with pytest.raises(ArgumentError, match="eval"):
        utils.fuse_conv_bn_eval(layer, norm, transpose)
    layer.eval()
    fused = utils.fuse_conv_bn_eval(layer, norm, transpose)
    assert_close(fused(x), norm(layer(x)), 1e-4, 1e-5)
    assert fused is not layer and isinstance(fused.bias, nn.Parameter)


def test_a_linear_layer_and_its_normalization() -> None:
    layer, x = nn.Linear(3, 4), pellucid.randn(5, 3)
    norm = _trained(nn.BatchNorm1d(4), layer(x).detach())
    fused = utils.fuse_linear_bn_eval(layer.eval(), norm)
    assert_close(fused(x), norm(layer(x)), 1e-4, 1e-5)
    with pytest.raises(ArgumentError, match="must be equal"):
        utils.fuse_linear_bn_eval(layer, nn.BatchNorm1d(3).eval())


def test_skipping_first_values_uses_no_random_numbers() -> None:
    pellucid.manual_seed(5)
    expected = pellucid.rand(3)
    pellucid.manual_seed(5)
    layer = utils.skip_init(nn.Linear, 4, 2)
    assert isinstance(layer, nn.Linear) and layer.weight.shape == (2, 4)
    assert_close(pellucid.rand(3), expected)
    with pytest.raises(ArgumentTypeError, match="class of modules"):
        utils.skip_init(int)  # type: ignore[type-var]
    with pytest.raises(ArgumentError, match="takes no device"):
        utils.skip_init(nn.Sequential)


def test_old_names() -> None:
    layer = nn.Linear(2, 2)
    layer(pellucid.ones(1, 2)).sum().backward()
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        utils.clip_grad.clip_grad_norm(layer.parameters(), 0.1)
    total = utils.get_total_norm([p.grad for p in layer.parameters()])
    assert_close(total, 0.1, 1e-4)
    assert utils.convert_conv2d_weight_memory_format(layer, None) is layer


def test_calling_a_module_with_other_parameters() -> None:
    layer = nn.Linear(2, 1, bias=False)
    other = {"weight": pellucid.tensor([[1.0, 2.0]], requires_grad=True)}
    result = utils.stateless.functional_call(layer, other, pellucid.ones(1, 2))
    assert result.tolist() == [[3]]
    result.sum().backward()
    assert other["weight"].grad.tolist() == [[1, 1]] and layer.weight.grad is None
