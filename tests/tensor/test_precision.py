"""Sums, spreads and running sums of float32 are exact to a few units of rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid

COUNT = 200_000
WAYS = ["eager", "compiled", "definition"]


def _run(function: Callable[[Any], Any], x: np.ndarray, way: str) -> np.ndarray:
    if way == "compiled":
        function = pellucid.compile(function)
    with pellucid.eager_kernels(way == "eager"):
        return np.asarray(function(pellucid.tensor(x)).numpy(), np.float64)


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


Case = tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray], float]
"""A function, its definition in float64, and the relative error that is allowed."""

SPREADS: dict[str, Case] = {
    "var": (lambda x: x.var(0), lambda x: x.var(0, ddof=1), 1e-6),
    "std": (lambda x: x.std(0), lambda x: x.std(0, ddof=1), 1e-6),
    "var_mean": (lambda x: x.var_mean(0)[0], lambda x: x.var(0, ddof=1), 1e-6),
    "population": (lambda x: x.var(0, correction=0), lambda x: x.var(0), 1e-6),
    "cov": (lambda x: x.t().cov(), lambda x: np.cov(x.T), 1e-4),
    "corrcoef": (lambda x: x.t().corrcoef(), lambda x: np.corrcoef(x.T), 1e-4),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mean", [0.0, 1e4, 1e6])
@pytest.mark.parametrize("name", SPREADS)
def test_a_large_mean_costs_no_digits(name: str, mean: float, way: str, rng: Any) -> None:
    x = (rng.standard_normal((64, 8)) + mean).astype(np.float32)
    function, definition, allowed = SPREADS[name]
    assert _error(_run(function, x, way), definition(x.astype(np.float64))) < allowed


def test_an_outlier_in_front_does_not_spoil_the_variance(rng: Any) -> None:
    x = rng.standard_normal(1000).astype(np.float32)
    x[0] = 3000
    assert _error(_run(lambda t: t.var(), x, "eager"), x.astype(np.float64).var(ddof=1)) < 1e-6


def _near_one(x: Any) -> Any:
    """Factors whose products neither overflow nor vanish; rounded to 12 digits, so exact."""
    return ((x - 0.75) * 2**11).round() * 2**-21 + 1


SUMS: dict[str, Case] = {
    "sum": (lambda x: x.sum(), np.sum, 1e-6),
    "sum of rows": (lambda x: x.reshape(-1, 2).sum(0), lambda x: x.reshape(-1, 2).sum(0), 1e-6),
    "sum of columns": (
        lambda x: x.reshape(2, -1).t().sum(0),
        lambda x: x.reshape(2, -1).sum(1),
        1e-6,
    ),
    "mean": (lambda x: x.reshape(-1, 10).mean(0), lambda x: x.reshape(-1, 10).mean(0), 1e-6),
    "norm": (
        lambda x: x.reshape(-1, 2).norm(2, 0),
        lambda x: np.linalg.norm(x.reshape(-1, 2), axis=0),
        1e-6,
    ),
    "cumsum": (lambda x: x.cumsum(0), np.cumsum, 2e-7),
    "cumsum of centred": (lambda x: (x - 0.5).cumsum(0), lambda x: np.cumsum(x - 0.5), 2e-7),
    "cumprod": (lambda x: _near_one(x).cumprod(0), lambda x: np.cumprod(_near_one(x)), 2e-7),
    "prod": (lambda x: _near_one(x).prod(), lambda x: np.prod(_near_one(x)), 2e-7),
    "logsumexp": (lambda x: x.logsumexp(0), lambda x: np.log(np.exp(x).sum()), 1e-6),
    "logcumsumexp": (lambda x: x.logcumsumexp(0), np.logaddexp.accumulate, 2e-7),
    "logcumsumexp over a wide range": (
        lambda x: (x * 512 - 256).logcumsumexp(0),
        lambda x: np.logaddexp.accumulate((x * 512 - 256).astype(np.float64)),
        2e-7,
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SUMS)
def test_long_sums_keep_their_digits(name: str, way: str, rng: Any) -> None:
    # Multiples of 2⁻²³, so that what is done before the sum is exact in float32.
    x = (rng.integers(1 << 22, 1 << 23, COUNT) / 2.0**23).astype(np.float32)
    function, definition, allowed = SUMS[name]
    assert _error(_run(function, x, way), definition(x.astype(np.float64))) < allowed


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp", "prod", "var"])
def test_gradients_of_them_agree_with_differences(name: str, rng: Any) -> None:
    x = rng.uniform(0.5, 1.5, (3, 5))
    weights = pellucid.tensor(np.cos(np.arange(15.0)).reshape(3, 5))

    def total(t: Any) -> Any:
        value = getattr(t, name)(1)
        return (value * (weights if value.shape == (3, 5) else weights.sum(1))).sum()

    given = pellucid.tensor(x, requires_grad=True)
    (slope,) = pellucid.autograd.grad(total(given), [given])
    for i, j in np.ndindex(3, 5):
        step = np.zeros_like(x)
        step[i, j] = 1e-6
        rise = total(pellucid.tensor(x + step)) - total(pellucid.tensor(x - step))
        assert slope[i, j].item() == pytest.approx(rise.item() / 2e-6, rel=1e-6, abs=1e-8)


def test_the_gradient_of_a_running_product_needs_memory_in_proportion() -> None:
    """200,000 elements, two of them 0: as a table of all pairs they would need 320 GB."""
    count, zero, other = 200_000, 120_000, 150_000
    x = np.random.default_rng(3).uniform(0.9999, 1.0001, count)
    x[[zero, other]] = 0.0
    weights = np.random.default_rng(4).normal(size=count)
    leaf = pellucid.tensor(x, requires_grad=True)
    (pellucid.cumprod(leaf, 0) * pellucid.tensor(weights)).sum().backward()
    # Before the first 0 by division; at the first 0 what follows it up to the second; then 0.
    before = np.cumprod(x[:zero])
    expected = np.zeros(count)
    expected[:zero] = np.cumsum((weights[:zero] * before)[::-1])[::-1] / x[:zero]
    between = np.concatenate([[1.0], np.cumprod(x[zero + 1 : other])])
    expected[zero] = before[-1] * (weights[zero:other] * between).sum()
    np.testing.assert_allclose(leaf.grad.numpy(), expected, rtol=1e-9, atol=1e-9)
