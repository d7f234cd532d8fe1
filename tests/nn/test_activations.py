"""Activations against their formulas in NumPy, difference quotients, and what texts say of them."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-softplus(-x))


ERF = np.vectorize(math.erf)

FORMULAS = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.maximum(x, 0) + 0.01 * np.minimum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    ),
    "celu": lambda x: np.maximum(x, 0) + np.minimum(0, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2,
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "hardshrink": lambda x: x * (np.abs(x) > 0.5),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "logsigmoid": lambda x: -softplus(-x),
    "tanhshrink": lambda x: x - np.tanh(x),
}
SOFTMAX_FAMILY = ("softmax", "softmin", "log_softmax")
STABLE = {
    "softmax": lambda x: np.exp(x - np.logaddexp.reduce(x)),
    "softmin": lambda x: np.exp(-x - np.logaddexp.reduce(-x)),
    "log_softmax": lambda x: x - np.logaddexp.reduce(x),
    "glu": lambda x: x[:3] * sigmoid(x[3:]),
}


def away_from_kinks() -> np.ndarray:
    """Points that keep at least 0.01 from the corners of all functions above."""
    x = np.linspace(-7.03, 7.11, 41)
    corners = np.array([-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6])
    return x[np.abs(x[:, None] - corners).min(1) > 0.01]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_equals_its_formula(name: str, dtype: type) -> None:
    x = away_from_kinks()
    y = getattr(F, name)(pellucid.tensor(x.astype(dtype)))
    assert y.numpy().dtype == dtype
    tolerance = 1e-6 if dtype is np.float32 else 2e-9
    assert_close(y, FORMULAS[name](x), tolerance, tolerance)


@pytest.mark.parametrize("name", [*FORMULAS, *SOFTMAX_FAMILY])
def test_B31_B39_D40_gradients_equal_difference_quotients(name: str) -> None:
    """First and second derivatives, away from kinks, in float64."""
    x = pellucid.tensor(away_from_kinks(), requires_grad=True)
    options = {"dim": -1} if name in SOFTMAX_FAMILY else {}
    assert gradcheck(lambda x: getattr(F, name)(x, **options), (x,))
    assert gradgradcheck(lambda x: getattr(F, name)(x, **options), (x,))


def test_other_gradients_equal_difference_quotients(rng) -> None:
    x = pellucid.tensor(rng.normal(size=(3, 4)), requires_grad=True)
    slope = pellucid.tensor([0.1, 0.2, 0.3, 0.4], dtype=pellucid.float64, requires_grad=True)
    assert gradcheck(F.glu, (x,))
    assert gradcheck(F.prelu, (x, slope))
    assert gradcheck(lambda x: F.gelu(x, approximate="tanh"), (x,))
    assert gradcheck(lambda x: F.celu(x, 0.3), (x,))
    assert gradcheck(lambda x: F.softplus(x, 2.0), (x,))
    assert gradcheck(lambda x: F.normalize(x), (x,))


def slope_at(name: str, point: float) -> float:
    x = pellucid.tensor([point], dtype=pellucid.float64, requires_grad=True)
    getattr(F, name)(x).sum().backward()
    return x.grad.item()


def test_B31_slopes_at_the_kinks_are_documented() -> None:
    assert slope_at("relu", 0.0) == 0 and slope_at("relu6", 6.0) == 0
    assert slope_at("leaky_relu", 0.0) == 0.01 and slope_at("elu", 0.0) == 1
    assert slope_at("hardtanh", 1.0) == 0 and slope_at("hardtanh", -1.0) == 0
    assert "0 for ReLU at 0" in (inspect.unwrap(F.relu).__globals__["__doc__"] or "")


@pytest.mark.parametrize("name", [*FORMULAS, *SOFTMAX_FAMILY, "glu"])
@pytest.mark.parametrize("dtype", [pellucid.float32, pellucid.float64])
def test_values_and_gradients_stay_right_at_a_thousand(name: str, dtype) -> None:
    """Against formulas that do not overflow; slopes by differences of 2⁻⁸, exact in float64."""
    points = np.array([-1000.0, -100.0, 0.25, 1.25, 100.0, 1000.0])
    x = pellucid.tensor(points, dtype=dtype, requires_grad=True)
    y = getattr(F, name)(x, **({"dim": -1} if name in SOFTMAX_FAMILY else {}))
    weights = np.arange(1.0, 1 + y.numel())
    (y * pellucid.tensor(weights, dtype=dtype)).sum().backward()
    formula = {**FORMULAS, **STABLE}[name]
    tolerance = 1e-6 if dtype is pellucid.float32 else 1e-9
    assert_close(y, formula(points), tolerance, tolerance)
    around = np.eye(6) * 2.0**-8
    slopes = [
        weights @ (formula(points + step) - formula(points - step)) / 2**-7 for step in around
    ]
    assert_close(x.grad, np.array(slopes), 1e-4, 1e-4)


# ---- sigmoid -----------------------------------------------------------------------------------


def test_A6_sigmoid_maps_into_0_1_without_overflow() -> None:
    y = F.sigmoid(pellucid.tensor([-1000.0, -5.0, 0.0, 5.0, 1000.0])).numpy()
    assert y[2] == 0.5 and (np.diff(y) > 0).all() and y.min() >= 0 and y.max() <= 1


def test_B32_documentation_warns_of_sigmoid_in_hidden_layers() -> None:
    assert "vanishes" in F.sigmoid.__doc__ and "hidden layers" in F.sigmoid.__doc__


def test_B33_sigmoid_derivative_is_its_own_product() -> None:
    x = pellucid.linspace(-6, 6, 101, dtype=pellucid.float64).requires_grad_()
    s = F.sigmoid(x)
    s.sum().backward()
    assert_close(x.grad, s * (1 - s), 1e-12)
    assert x.grad.max().item() == slope_at("sigmoid", 0.0) == 0.25


def test_B34_sigmoid_gradients_vanish() -> None:
    assert slope_at("sigmoid", 10.0) == pytest.approx(4.54e-5, rel=1e-3)
    x = pellucid.tensor([0.3], dtype=pellucid.float64, requires_grad=True)
    y = x
    for _ in range(10):
        y = F.sigmoid(y)
    y.sum().backward()
    assert 0 < x.grad.item() <= 0.25**10 <= 9.54e-7


def test_B35_sigmoid_loses_differences_of_large_inputs() -> None:
    y = F.sigmoid(pellucid.tensor([10.0, 20.0], dtype=pellucid.float64))
    assert 0 < (y[1] - y[0]).item() < 5e-5


def test_B38_tanh_is_odd_and_centred(rng) -> None:
    x = pellucid.tensor(rng.normal(size=10_000))
    assert_close(F.tanh(-x), -F.tanh(x), 1e-15)
    assert F.tanh(pellucid.tensor(0.0)).item() == 0
    assert abs(F.tanh(x).mean().item()) < 0.03 and abs(F.sigmoid(x).mean().item() - 0.5) < 0.03


def test_B40_tanh_gradients_vanish_too() -> None:
    assert 0 <= slope_at("tanh", 10.0) < 1e-8


# ---- ReLU and its kin --------------------------------------------------------------------------


def operations_behind(y) -> set[str]:
    """Names of the operations on the tape of ``y``."""
    found, waiting = set(), [y]
    while waiting:
        record = waiting.pop().grad_fn
        if record is not None:
            found.add(record.op.name)
            waiting.extend(record.inputs)
    return found


def test_B36_B41_relu_is_one_comparison_and_sigmoid_is_not() -> None:
    x = pellucid.ones(3, requires_grad=True)
    assert operations_behind(F.relu(x)) == {"where"}
    assert "sigmoid" in operations_behind(F.sigmoid(x))


def test_B42_relu_slope_is_0_or_1() -> None:
    x = pellucid.tensor([-3.0, -1e-30, 0.0, 1e-30, 3.0], requires_grad=True)
    F.relu(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 0, 1, 1]


def test_B43_relu_silences_half_of_centred_inputs(rng) -> None:
    y = F.relu(pellucid.tensor(rng.normal(size=10_000)))
    assert 0.47 < (y == 0).float().mean().item() < 0.53


def test_B44_a_large_negative_bias_kills_units(rng) -> None:
    layer = nn.Linear(5, 8)
    nn.init.constant_(layer.bias, -1000.0)
    seen = []
    act = nn.ReLU()
    act.register_forward_hook(lambda m, args, out: seen.append((out == 0).all(0)))
    act(layer(pellucid.tensor(rng.normal(size=(64, 5)).astype(np.float32)))).sum().backward()
    assert seen[0].all().item() and layer.weight.grad.abs().max().item() == 0


def test_B45_leaky_relu_lets_dead_units_recover() -> None:
    assert nn.LeakyReLU().negative_slope == 0.01 and slope_at("leaky_relu", -2.0) == 0.01
    x = pellucid.tensor([-2.0], requires_grad=True)
    F.leaky_relu(x, 0.2).sum().backward()
    assert x.grad.item() == pytest.approx(0.2)

    def output_after_training(act: nn.Module) -> float:
        layer = nn.Linear(1, 1)
        nn.init.ones_(layer.weight)
        nn.init.constant_(layer.bias, -3.0)
        for _ in range(300):
            loss = (act(layer(pellucid.ones(1, 1))) - 1).square().sum()
            layer.zero_grad()
            loss.backward()
            with pellucid.no_grad():
                for p in layer.parameters():
                    p -= 0.3 * p.grad
        return act(layer(pellucid.ones(1, 1))).item()

    assert output_after_training(nn.ReLU()) == 0
    assert output_after_training(nn.LeakyReLU(0.1)) == pytest.approx(1, abs=0.01)


def test_B46_documentation_names_negative_activations() -> None:
    assert "negative activations" in F.leaky_relu.__doc__


def test_A7_relu_keeps_gradients_alive_through_twenty_layers() -> None:
    def first_gradient(act: type[nn.Module], initialize) -> float:
        pellucid.manual_seed(1)
        layers = [m for _ in range(20) for m in (nn.Linear(32, 32), act())]
        for layer in layers[::2]:
            initialize(layer.weight)
        nn.Sequential(*layers)(pellucid.randn(64, 32)).square().mean().backward()
        return layers[0].weight.grad.norm().item()

    relu = first_gradient(nn.ReLU, nn.init.kaiming_normal_)
    assert relu > 1e6 * first_gradient(nn.Sigmoid, nn.init.xavier_normal_)


def test_D40_gelu_has_an_exact_and_a_tanh_form() -> None:
    x = np.linspace(-4, 4, 33)
    exact = F.gelu(pellucid.tensor(x)).numpy()
    close = F.gelu(pellucid.tensor(x), approximate="tanh").numpy()
    assert_close(
        close, 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), 1e-12
    )
    assert 0 < np.abs(exact - close).max() < 1e-3
    with pytest.raises(ArgumentError, match="approximate='fast'"):
        F.gelu(pellucid.tensor(x), approximate="fast")


def test_E3_the_three_classic_activations() -> None:
    x = pellucid.tensor([-1.0, 0.0, 2.0])
    assert_close(nn.Sigmoid()(x), [0.26894142, 0.5, 0.88079708])
    assert_close(nn.Tanh()(x), [-0.76159416, 0, 0.96402758])
    assert nn.ReLU()(x).tolist() == [0, 0, 2]


# ---- softmax -----------------------------------------------------------------------------------


def test_B47_softmax_rows_sum_to_one(rng) -> None:
    x = pellucid.tensor(rng.normal(size=(5, 7)).astype(np.float32) * 10)
    for dim in (0, 1):
        p = nn.Softmax(dim=dim)(x)
        assert_close(p.sum(dim), np.ones(p.sum(dim).shape), 1e-6)
        assert (p >= 0).all().item()


def test_B48_softmax_brings_out_the_largest() -> None:
    row = np.array([1.0, 2.0, 6.0])
    p = F.softmax(pellucid.tensor(row), dim=0).numpy()
    assert p.argmax() == 2 and p[2] > 0.97 > row[2] / row.sum()
    assert_close(p, np.exp(row) / np.exp(row).sum(), 1e-12)


def test_B50_softmax_alone_has_a_gradient(rng) -> None:
    x = pellucid.tensor(rng.normal(size=(3, 4)), requires_grad=True)
    assert gradcheck(lambda x: F.softmax(x, dim=1), (x,))
    p = F.softmax(x, dim=1)
    (first,) = pellucid.grad(p[0, 1], x)
    q = p.detach().numpy()[0]
    assert_close(first[0], q[1] * ((np.arange(4) == 1) - q), 1e-9)


def test_B51_softmax_does_not_overflow() -> None:
    p = F.softmax(pellucid.tensor([1000.0, 1001.0, 1002.0]), dim=0)
    assert_close(p, [0.0900, 0.2447, 0.6652], 0, 5e-5)
    shifted = F.softmax(pellucid.tensor([0.0, 1.0, 2.0]), dim=0)
    assert_close(p, shifted, 1e-6)
    assert_close(F.log_softmax(pellucid.tensor([1000.0, 1001.0, 1002.0]), 0).exp(), p, 1e-5)


def test_B53_misuse_of_softmax_is_explained() -> None:
    x = pellucid.ones(2, 3)
    with pytest.raises(
        ArgumentError, match=r"got a tensor where it takes the axis\n.*F.softmax\(x"
    ):
        nn.Softmax(x)
    with pytest.raises(ArgumentError, match=r"F.log_softmax\(x, dim=-1\)"):
        nn.LogSoftmax(x)
    with pytest.warns(UserWarning, match=r"2 axes is normalized along axis 1.*softmax\(x, dim=-1"):
        F.softmax(x)
    with pytest.raises(ArgumentError, match=r"nn.Softmax\(dim=-1\) for the last axis"):
        nn.Softmax("last")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="log_softmax got dim='last'"):
        F.log_softmax(x, "last")
    with pytest.raises(DTypeError, match="softmax got a list as input"):
        F.softmax([1.0, 2.0], dim=0)
    with pytest.raises(DTypeError, match="the activation got a ndarray"):
        nn.ReLU()(np.ones(3))


# ---- the others --------------------------------------------------------------------------------


def test_rrelu_slopes_are_random_only_in_training() -> None:
    layer = nn.RReLU(0.2, 0.4)
    x = -pellucid.ones(2000)
    slopes = -layer(x).numpy()
    assert 0.2 <= slopes.min() < 0.21 and 0.39 < slopes.max() <= 0.4
    assert_close(layer.eval()(x), np.full(2000, -0.3), 1e-6)


def test_gumbel_softmax_draws_classes() -> None:
    logits = pellucid.tensor([[0.0, math.log(3.0)]]).expand(4000, 2).clone().requires_grad_()
    drawn = F.gumbel_softmax(logits, hard=True)
    assert set(np.unique(drawn.detach().numpy())) == {0.0, 1.0}
    assert 0.72 < drawn[:, 1].mean().item() < 0.78
    drawn[:, 0].sum().backward()
    assert logits.grad.abs().sum().item() > 0
    assert_close(F.gumbel_softmax(logits).sum(-1), np.ones(4000), 1e-5)


def test_in_place_forms_write_over_their_input() -> None:
    x = pellucid.tensor([-1.0, 2.0])
    assert F.relu(x, inplace=True) is x and x.tolist() == [0, 2]
    start = pellucid.tensor([-1.0, 2.0], requires_grad=True)
    y = start * 3
    assert nn.LeakyReLU(0.5, inplace=True)(y) is y
    y.sum().backward()
    assert start.grad.tolist() == [1.5, 3]


def test_settings_that_make_no_sense() -> None:
    x = pellucid.ones(3)
    with pytest.raises(ArgumentError, match="min_val=2"):
        F.hardtanh(x, 2, 1)
    with pytest.raises(ArgumentError, match="Hardtanh got min_val=2"):
        nn.Hardtanh(2, 1)
    with pytest.raises(ArgumentError, match="alpha=0"):
        F.celu(x, 0)
    with pytest.raises(ArgumentError, match="lambd=-1"):
        F.softshrink(x, -1)
    with pytest.raises(ShapeError, match="glu got extent 3"):
        F.glu(x)
    with pytest.raises(ShapeError, match="2 slopes for 3 channels"):
        F.prelu(x, pellucid.ones(2))
    with pytest.raises(ArgumentError, match="GELU got approximate"):
        nn.GELU("fast")
