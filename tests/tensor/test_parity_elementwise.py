"""Element-wise functions, comparisons and choices: values, dtypes and gradients as PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tensor.parity import parity

pytestmark = pytest.mark.parity

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.5, 1e30, -1e30])
EVERYWHERE = (
    "abs neg sign exp expm1 sin cos tanh sigmoid atan sinh cosh asinh erf erfc floor ceil "
    "round trunc frac square relu exp2 deg2rad rad2deg absolute positive sinc"
).split()
POSITIVE = "sqrt log log2 log10 log1p rsqrt reciprocal lgamma digamma".split()
INSIDE = "asin acos atanh erfinv logit tan".split()


def grid(dtype: str, low: float, high: float) -> np.ndarray:
    return (np.linspace(low, high, 23).astype(dtype) + np.asarray(0.0123, dtype)).reshape(23)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EVERYWHERE)
def test_functions_defined_everywhere(name: str, dtype: str) -> None:
    parity(lambda _, x: getattr(x, name)(), grid(dtype, -3, 3), what=name)
    parity(lambda m, x: getattr(m, name)(x), grid(dtype, -3, 3), what=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", POSITIVE)
def test_functions_of_positive_numbers(name: str, dtype: str) -> None:
    parity(
        lambda _, x: getattr(x, name)(),
        grid(dtype, 0.1, 5),
        rtol=1e-4 if dtype == "float32" else 1e-9,
        what=name,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", INSIDE)
def test_functions_between_zero_and_one(name: str, dtype: str) -> None:
    parity(
        lambda _, x: getattr(x, name)(),
        grid(dtype, 0.05, 0.9),
        what=name,
        rtol=1e-4 if dtype == "float32" else 1e-9,
    )


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in [*EVERYWHERE, *POSITIVE, *INSIDE]
        if n not in ("sign", "digamma", "sinc", "tan", "sin", "cos", "lgamma")
    ],
)
def test_special_values(name: str) -> None:
    parity(lambda _, x: getattr(x, name)(), SPECIAL, gradients=False, what=name)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "signbit", "isposinf", "isneginf"])
def test_kinds_of_numbers(name: str) -> None:
    parity(lambda m, x: getattr(m, name)(x), SPECIAL, gradients=False)


def test_nan_to_num() -> None:
    parity(lambda _, x: x.nan_to_num(), SPECIAL)
    parity(lambda _, x: x.nan_to_num(1.5, posinf=7.0, neginf=-7.0), SPECIAL)


BINARY: dict[str, Any] = {
    "add alpha": lambda m, x, y: x.add(y, alpha=2.5),
    "sub alpha": lambda m, x, y: m.sub(x, y, alpha=2),
    "div floor": lambda m, x, y: m.div(x, y, rounding_mode="floor").detach(),
    "div trunc": lambda m, x, y: m.div(x, y, rounding_mode="trunc").detach(),
    "maximum": lambda m, x, y: m.maximum(x, y),
    "minimum": lambda m, x, y: m.minimum(x, y),
    "fmax": lambda m, x, y: m.fmax(x, y),
    "fmin": lambda m, x, y: m.fmin(x, y),
    "max of two": lambda m, x, y: m.max(x, y),
    "atan2": lambda m, x, y: m.atan2(x, y),
    "hypot": lambda m, x, y: m.hypot(x, y),
    "xlogy": lambda m, x, y: m.xlogy(x, y.abs()),
    "remainder": lambda m, x, y: m.remainder(x, y),
    "fmod": lambda m, x, y: m.fmod(x, y),
    "lerp": lambda m, x, y: m.lerp(x, y, 0.3),
    "lerp by tensor": lambda m, x, y: m.lerp(x, y, x.sigmoid()),
    "addcmul": lambda m, x, y: m.addcmul(x, x, y, value=0.5),
    "addcdiv": lambda m, x, y: m.addcdiv(x, x, y, value=0.5),
    "logaddexp": lambda m, x, y: m.logaddexp(x, y),
    "logaddexp2": lambda m, x, y: m.logaddexp2(x, y),
    "pow": lambda m, x, y: m.pow(x.abs() + 0.1, y),
    "number to the power": lambda m, x, y: 2.5**x,
    "float_power": lambda m, x, y: m.float_power(x.abs() + 0.1, y),
    "where": lambda m, x, y: m.where(x > y, x, y),
    "where number": lambda m, x, y: m.where(x > y, x, 0.0),
    "clamp by tensors": lambda m, x, y: m.clamp(x, min=y),
    "copysign": lambda m, x, y: m.copysign(x, y),
    "heaviside": lambda m, x, y: m.heaviside(x.detach(), y.detach()),
    "squared difference": lambda m, x, y: (x - y) ** 2,
    "multiply": lambda m, x, y: m.multiply(x, y),
    "subtract": lambda m, x, y: m.subtract(x, y),
    "divide": lambda m, x, y: m.true_divide(x, y),
    "dist": lambda m, x, y: m.dist(x, y),
    "dist 1": lambda m, x, y: m.dist(x, y, 1),
    "rsub": lambda m, x, y: m.rsub(x, y),
    "ldexp": lambda m, x, y: m.ldexp(x, m.tensor([3])),
}


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two(name: str, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)) + 0.05
    parity(BINARY[name], x, y, what=name, rtol=1e-9)
    parity(BINARY[name], x.astype("f4"), y.astype("f4"), what=name, rtol=1e-4)


@pytest.mark.parametrize("name", [n for n in BINARY if "dist" not in n])
def test_functions_of_two_broadcast(name: str, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((4, 1, 3)), rng.standard_normal((2, 1)) + 0.05
    parity(BINARY[name], x, y, what=name, rtol=1e-9)


@pytest.mark.parametrize(
    "exponent", [-3, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 9, 2.0, -1.0]
)
def test_powers_by_numbers(exponent: float) -> None:
    parity(lambda _, x: x**exponent, np.array([0.5, 1.0, 2.0, 3.25]), rtol=1e-9)
    parity(lambda _, x: x**exponent, np.array([0.5, 1.0, 2.0, 3.25], "f4"), rtol=1e-4)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5, 10, 2.0, 0.5, -1.0])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_powers_of_integers(exponent: float, dtype: str) -> None:
    parity(lambda _, x: x**exponent, np.array([1, 2, 3], dtype), gradients=False)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, 1.5])
def test_powers_at_zero(exponent: float) -> None:
    parity(lambda _, x: x**exponent, np.array([0.0, 2.0]))


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64"])
@pytest.mark.parametrize("mode", [None, "floor", "trunc"])
def test_division_of_negative_numbers(dtype: str, mode: Any) -> None:
    x, y = np.array([7, -7, 7, -7, 6, -6], dtype), np.array([2, 2, -2, -2, 3, 3], dtype)
    parity(lambda m, x, y: m.div(x, y, rounding_mode=mode), x, y, gradients=False)
    parity(lambda _, x, y: (x // y, x % y, x.fmod(y)), x, y, gradients=False)


def test_clamp_at_and_outside_its_bounds() -> None:
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    parity(lambda _, x: x.clamp(-1, 1), x)
    parity(lambda _, x: x.clamp(min=0.5), x)
    parity(lambda _, x: x.clamp(max=0.5), x)
    parity(lambda m, x: m.clip(x, -1.0, 1.0), x)
    parity(lambda _, x: x.clamp_min(0.0), x)
    parity(lambda _, x: x.clamp_max(0.0), x)
    parity(lambda _, x: x.clamp(1, 5), np.array([0, 3, 9]), gradients=False)


def test_masked_fill_and_bits() -> None:
    x = np.arange(6.0).reshape(2, 3)
    parity(lambda m, x: x.masked_fill(x > 2, -1.0), x)
    parity(lambda m, x: x.masked_fill(x > 2, -math.inf), x)
    parity(
        lambda _, x, y: (x & y, x | y, x ^ y, ~x),
        np.array([5, 3, 0]),
        np.array([6, 1, 7]),
        gradients=False,
    )
    boolean = np.array([True, False, True])
    parity(lambda _, x: (~x, x & True, x.logical_not(), x.logical_xor(x)), boolean, gradients=False)
    parity(
        lambda m, x: (
            m.bitwise_and(x, 3),
            m.bitwise_or(x, 3),
            m.bitwise_xor(x, 3),
            m.bitwise_not(x),
        ),
        np.array([5, 3, 0]),
        gradients=False,
    )


@pytest.mark.parametrize(
    "name",
    [
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "greater",
        "less",
        "not_equal",
        "greater_equal",
        "less_equal",
    ],
)
def test_comparisons_with_nan_and_infinity(name: str) -> None:
    parity(
        lambda m, x, y: getattr(m, name)(x, y), SPECIAL[:, None], SPECIAL[None, :], gradients=False
    )


def test_closeness() -> None:
    x = np.array([1.0, 1.0 + 1e-6, 1.0 + 1e-3, np.nan, np.inf, -np.inf])
    parity(lambda m, x, y: m.isclose(x, y), x[:, None], x[None, :], gradients=False)
    parity(
        lambda m, x, y: m.isclose(x, y, equal_nan=True, rtol=1e-2),
        x[:, None],
        x[None, :],
        gradients=False,
    )
    parity(lambda m, x: m.allclose(x, x), x, gradients=False)
    parity(lambda m, x: m.equal(x, x), x[:3], gradients=False)


def test_the_sigmoid_stays_in_its_range() -> None:
    """σ(0) = 1/2, no overflow at ±1000, σ′ = σ(1 − σ) with its largest value 1/4 at 0."""
    parity(lambda _, x: x.sigmoid(), np.array([0.0, 1000.0, -1000.0, 10.0, -10.0]))
