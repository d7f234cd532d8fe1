"""Initializers: bounds, moments, and what they do to signals and to learning."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from nn.training import train_on_xor
from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError

init = nn.init


def filled(name: str, *shape: int, **options) -> np.ndarray:
    tensor = pellucid.empty(*shape)
    assert getattr(init, name)(tensor, **options) is tensor
    return tensor.numpy().astype(np.float64)


def check_moments(values: np.ndarray, mean: float, std: float) -> None:
    """Mean and variance within four standard errors of the sample."""
    n = values.size
    assert abs(values.mean() - mean) < 4 * std / math.sqrt(n)
    kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
    assert abs(values.var() - std**2) < 4 * std**2 * math.sqrt((kurtosis - 1) / n)


def xor_net(act: type[nn.Module], fill) -> nn.Sequential:
    """2-4-1 with weights filled and biases 0."""
    net = nn.Sequential(nn.Linear(2, 4), act(), nn.Linear(4, 1))
    for layer in (net[0], net[2]):
        fill(layer.weight)
        init.zeros_(layer.bias)
    return net


def spread(net: nn.Sequential) -> float:
    """Largest difference between the incoming weights of two hidden neurons."""
    weight = net[0].weight.detach().numpy()
    return float((weight.max(0) - weight.min(0)).max())


def std_by_layer(act, fill, layers: int = 5, width: int = 100) -> list[float]:
    """Deviation of the activations of each layer, for 1000 standard normal inputs."""
    x = pellucid.randn(1000, width)
    result = []
    for _ in range(layers):
        x = act(F.linear(x, fill(pellucid.empty(width, width))))
        result.append(x.numpy().std())
    return result


def test_B19_initialization_decides_whether_signals_survive() -> None:
    small = std_by_layer(F.relu, lambda w: init.normal_(w, 0, 0.01))
    xavier = std_by_layer(F.relu, init.xavier_normal_)
    he = std_by_layer(F.relu, init.kaiming_normal_)
    assert small[-1] < 1e-4 < xavier[-1] < 0.4 < he[-1]


@pytest.mark.parametrize("act", [nn.Tanh, nn.ReLU, nn.Sigmoid])
def test_B20_zero_weights_never_learn_xor(act: type[nn.Module]) -> None:
    net = xor_net(act, init.zeros_)
    loss, _ = train_on_xor(net, steps=100)
    assert loss == pytest.approx(math.log(2), abs=1e-6) and round(loss, 4) == 0.6931
    assert spread(net) == 0
    assert all((p == 0).all().item() for p in net.parameters())


def test_B21_zeros_are_for_biases() -> None:
    layer = nn.Linear(3, 4)
    assert init.zeros_(layer.bias) is layer.bias and layer.bias.requires_grad
    assert layer.bias.tolist() == [0] * 4
    assert "for biases" in init.zeros_.__doc__


def test_B22_ones_act_as_one_hidden_unit() -> None:
    net = xor_net(nn.Tanh, init.ones_)
    loss, _ = train_on_xor(net, steps=1000)
    assert loss == pytest.approx(0.4812, abs=5e-5)
    assert spread(net) == 0


def test_B23_any_constant_acts_as_one_hidden_unit() -> None:
    net = xor_net(nn.Tanh, lambda w: init.constant_(w, 0.54))
    loss, _ = train_on_xor(net, steps=1000)
    assert loss == pytest.approx(0.4813, abs=5e-5)
    assert spread(net) == 0


def test_B24_small_random_weights_separate_the_neurons() -> None:
    pellucid.manual_seed(2)
    net = xor_net(nn.Tanh, lambda w: init.normal_(w, 0, 0.5))
    loss, correct = train_on_xor(net, steps=800)
    assert spread(net) > 0.1 and correct == 4 and loss < 0.1


def test_B25_uniform_bounds_and_moments() -> None:
    values = filled("uniform_", 100, 100)
    assert values.min() >= 0 and values.max() < 1
    check_moments(values, 0.5, math.sqrt(1 / 12))
    values = filled("uniform_", 100, 100, a=-3, b=1)
    assert values.min() >= -3 and values.max() <= 1
    check_moments(values, -1, 4 / math.sqrt(12))


def test_B26_normal_moments() -> None:
    check_moments(filled("normal_", 100, 100), 0, 1)
    check_moments(filled("normal_", 100, 100, mean=4, std=2), 4, 2)
    assert "should be small" in init.normal_.__doc__


@pytest.mark.parametrize("gain", [1.0, 5 / 3])
def test_B27_xavier_keeps_the_variance(gain: float) -> None:
    std = gain * math.sqrt(2 / (80 + 120))
    check_moments(filled("xavier_normal_", 120, 80, gain=gain), 0, std)
    values = filled("xavier_uniform_", 120, 80, gain=gain)
    check_moments(values, 0, std)
    bound = gain * math.sqrt(6 / 200)
    assert 0.999 * bound < np.abs(values).max() <= bound * (1 + 1e-6)


def test_B27_xavier_keeps_tanh_alive() -> None:
    by_layer = std_by_layer(F.tanh, init.xavier_normal_)
    assert by_layer[0] == pytest.approx(0.63, abs=0.02)
    assert by_layer[-1] == pytest.approx(0.31, abs=0.03)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 80), ("fan_out", 120)])
@pytest.mark.parametrize("slope", [0, 0.3])
def test_B28_kaiming_moments(mode: str, fan: int, slope: float) -> None:
    std = math.sqrt(2 / (1 + slope**2) / fan)
    check_moments(filled("kaiming_normal_", 120, 80, a=slope, mode=mode), 0, std)
    values = filled("kaiming_uniform_", 120, 80, a=slope, mode=mode)
    check_moments(values, 0, std)
    bound = math.sqrt(3) * std
    assert 0.999 * bound < np.abs(values).max() <= bound * (1 + 1e-6)


def test_B28_kaiming_keeps_relu_alive() -> None:
    kept = std_by_layer(F.relu, lambda w: init.kaiming_normal_(w, nonlinearity="relu"))
    assert all(0.7 < s < 1.1 for s in kept)
    collapsed = std_by_layer(F.relu, lambda w: init.normal_(w, 0, 0.01))
    assert collapsed[-1] < 1e-4


def test_fans_of_convolutions_count_the_kernel() -> None:
    values = filled("kaiming_normal_", 64, 16, 3, 3)
    check_moments(values, 0, math.sqrt(2 / (16 * 9)))
    check_moments(filled("xavier_normal_", 64, 16, 3, 3), 0, math.sqrt(2 / (80 * 9)))


def test_truncated_normal_stays_inside() -> None:
    values = filled("trunc_normal_", 100, 100, mean=1, std=2, a=0, b=2)
    assert values.min() >= 0 and values.max() <= 2
    check_moments(values, 1, 0.5676)  # variance of N(1, 2²) cut to [0, 2]: 0.3222
    wide = filled("trunc_normal_", 100, 100, a=-8, b=8)
    check_moments(wide, 0, 1)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal_rows_or_columns(shape: tuple) -> None:
    matrix = filled("orthogonal_", *shape, gain=2.0).reshape(shape[0], -1)
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    assert_close(small @ small.T, 4 * np.eye(len(small)), 1e-5, 1e-5)


def test_sparse_and_identity() -> None:
    values = filled("sparse_", 50, 20, sparsity=0.3, std=0.5)
    assert ((values == 0).sum(0) == 15).all()
    check_moments(values[values != 0], 0, 0.5)
    assert filled("eye_", 2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    kernel = filled("dirac_", 2, 2, 3)
    assert kernel.tolist() == [[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0]]]


def test_initializers_draw_from_the_given_generator() -> None:
    def draw() -> np.ndarray:
        return filled("normal_", 10, generator=pellucid.Generator().manual_seed(4))

    assert_close(draw(), draw(), 0, 0)
    assert (draw() != filled("normal_", 10)).any()


def test_initializers_explain_what_they_need() -> None:
    bias = pellucid.empty(3)
    with pytest.raises(ShapeError, match=r"not defined for shape \(3,\)"):
        init.xavier_uniform_(bias)
    with pytest.raises(ArgumentError, match="no mode 'fan'"):
        init.kaiming_normal_(pellucid.empty(2, 2), mode="fan")
    with pytest.raises(ArgumentError, match="nonlinearity 'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(ArgumentError, match="slope 'x'"):
        init.calculate_gain("leaky_relu", "x")
    with pytest.raises(ShapeError, match="eye_ got shape"):
        init.eye_(bias)
    with pytest.raises(ShapeError, match="dirac_ got shape"):
        init.dirac_(bias)
    with pytest.raises(ArgumentError, match="groups=2 for 3"):
        init.dirac_(pellucid.empty(3, 1, 1), groups=2)
    with pytest.raises(ShapeError, match="orthogonal_ got shape"):
        init.orthogonal_(bias)
    with pytest.raises(ShapeError, match="sparse_ got shape"):
        init.sparse_(bias, 0.1)
    with pytest.raises(ArgumentError, match="sparsity=2"):
        init.sparse_(pellucid.empty(2, 2), 2)
    with pytest.raises(ArgumentError, match="a=1, b=0"):
        init.trunc_normal_(bias, a=1, b=0)
