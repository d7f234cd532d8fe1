"""Gradients and values where rules go wrong most easily: kinks, zeros, duplicates, odd steps."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from helpers import assert_close
from pellucid.base.dtypes import float64
from pellucid.graph.node import Spec
from pellucid.ops import PRIMITIVES, elementwise, indexing, structure
from pellucid.tensor.core import lift
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck


def leaf(values: Any) -> Any:
    return lift(np.array(values, np.float64)).requires_grad_()


def gradient_of(function: Any, *inputs: Any) -> list[np.ndarray]:
    tensors = [leaf(x) for x in inputs]
    function(*tensors).sum().backward()
    return [t.grad.array() for t in tensors]


def test_slices_with_every_start_stop_and_step() -> None:
    x = np.arange(5.0)
    primitive = PRIMITIVES["slice"]
    for step in (-3, -2, -1, 1, 2, 3):
        starts = range(6) if step > 0 else range(5)
        stops = range(6) if step > 0 else range(-1, 5)
        for start, stop in itertools.product(starts, stops):
            expected = np.array([x[i] for i in range(start, stop, step)])
            params = {"start": (start,), "stop": (stop,), "step": (step,)}
            found = primitive.evaluate(x, **params)
            assert_close(found, expected, what=str(params))
            assert primitive.infer(Spec((5,), float64), **params).shape == expected.shape
            weights = np.arange(1.0, len(expected) + 1)
            tensor = leaf(x)
            (
                structure.slice_(tensor, *((v,) for v in (start, stop, step))) * lift(weights)
            ).sum().backward()
            wanted = np.zeros(5)
            wanted[list(range(start, stop, step))] = weights
            assert_close(tensor.grad, wanted, what=f"gradient of {params}")


def reference_pad(x: np.ndarray, low: int, high: int, interior: int, fill: float) -> np.ndarray:
    spread: list[float] = []
    for i, value in enumerate(x):
        spread += [value] + ([fill] * interior if i < len(x) - 1 else [])
    framed = [fill] * max(low, 0) + spread + [fill] * max(high, 0)
    return np.array(framed[max(-low, 0) : len(framed) - max(-high, 0)])


@pytest.mark.parametrize("extent", [0, 1, 2, 4])
def test_pads_with_negative_and_interior_amounts(extent: int) -> None:
    x = np.arange(1.0, extent + 1)
    for low, high, interior in itertools.product((-3, -1, 0, 2), (-2, -1, 0, 1), (0, 1, 2)):
        whole = extent + max(extent - 1, 0) * interior
        if low + high + whole < 0 or whole + min(low, 0) < 0 or whole + min(high, 0) < 0:
            continue
        expected = reference_pad(x, low, high, interior, -7.0)
        params = {"low": (low,), "high": (high,), "interior": (interior,)}
        found = PRIMITIVES["pad"].evaluate(x, np.asarray(-7.0), **params)
        assert_close(found, expected, what=str(params))
        assert gradcheck(
            lambda x, fill, p=params: structure.pad(x, p["low"], p["high"], p["interior"], fill),
            [leaf(x), leaf(-7.0)],
        ), params


@pytest.mark.parametrize("zeros", [[], [1], [0, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize(
    "function", [lambda x: structure.prod(x), lambda x: structure.cumprod(x, 0)]
)
def test_products_with_zeros_have_exact_gradients(zeros: list[int], function: Any) -> None:
    x = np.array([1.5, -2.0, 0.5, 3.0])
    x[zeros] = 0.0
    assert gradcheck(function, leaf(x))
    assert gradgradcheck(function, leaf(x))


def test_product_over_several_axes_with_a_zero() -> None:
    x = np.arange(12.0).reshape(2, 3, 2) / 5
    assert gradcheck(lambda x: structure.prod(x, (0, 2)), leaf(x))


def test_power_at_zero() -> None:
    base, exponent = gradient_of(elementwise.pow, [0.0, 0.0, 0.0, 2.0], [2.0, 1.0, 0.0, 0.0])
    assert_close(base, [0.0, 1.0, 0.0, 0.0])
    assert_close(exponent, [0.0, 0.0, 0.0, math.log(2.0)])
    assert PRIMITIVES["pow"].evaluate(np.zeros(1), np.zeros(1)) == 1.0


def test_power_of_a_negative_base_and_whole_exponent() -> None:
    base, _ = gradient_of(elementwise.pow, [-2.0, -3.0], [3.0, 2.0])
    assert_close(base, [12.0, -6.0])


@pytest.mark.parametrize("function", [structure.max_, structure.min_])
def test_extremes_share_their_gradient_among_ties(function: Any) -> None:
    assert_close(gradient_of(function, [2.0, 2.0, 2.0, 2.0])[0], [0.25] * 4)
    row = np.array([[1.0, 5.0, 5.0], [5.0, 1.0, 1.0]])
    if function is structure.min_:
        row = -row
    found = gradient_of(lambda x: function(x, 1), row)[0]
    assert_close(found, [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize("function", [elementwise.maximum, elementwise.minimum])
def test_maximum_and_minimum_halve_at_ties(function: Any) -> None:
    left, right = gradient_of(function, [1.0, 2.0, 3.0], [1.0, 5.0, 0.0])
    assert left[0] == right[0] == 0.5
    assert_close(left + right, np.ones(3))


def test_absolute_value_has_gradient_zero_at_zero() -> None:
    assert_close(gradient_of(elementwise.abs, [-2.0, 0.0, 3.0])[0], [-1.0, 0.0, 1.0])


NAN_ROWS = [
    [2.0, 1.0, 2.0, 1.0],
    [np.nan, 1.0, np.nan, 3.0, -np.inf, np.inf],
    [0.0, -0.0, 0.0],
    [np.nan, np.nan],
    [],
]


@pytest.mark.parametrize("row", NAN_ROWS, ids=str)
def test_descending_order_is_stable_and_puts_nan_first(row: list[float]) -> None:
    x = np.array(row)
    found = PRIMITIVES["argsort"].evaluate(x, axis=0, descending=True)
    key = [(not math.isnan(v), -v if not math.isnan(v) else 0.0, i) for i, v in enumerate(row)]
    assert found.tolist() == [k[2] for k in sorted(key)]


@pytest.mark.parametrize("row", NAN_ROWS, ids=str)
def test_ascending_order_is_numpys_stable_one(row: list[float]) -> None:
    x = np.array(row)
    found = PRIMITIVES["argsort"].evaluate(x, axis=0, descending=False)
    np.testing.assert_array_equal(found, np.argsort(x, kind="stable"))


def test_of_several_writes_to_one_place_the_last_stays_and_gets_the_gradient() -> None:
    index = lift(np.array([2, 0, 2, 2]))
    x, values = [1.0, 2.0, 3.0], [10.0, 20.0, 30.0, 40.0]
    found = PRIMITIVES["put"].evaluate(
        np.array(x), index.array(), np.array(values), axis=0, mode="set"
    )
    assert_close(found, [20.0, 2.0, 40.0])
    gx, gv = gradient_of(
        lambda x, v: indexing.put(x, index, v, 0, "set") * lift(np.array([1.0, 10.0, 100.0])),
        x,
        values,
    )
    assert_close(gx, [0.0, 10.0, 0.0])
    assert_close(gv, [0.0, 1.0, 0.0, 100.0])
    gx, gv = gradient_of(
        lambda x, v: indexing.scatter(x, index, v, 0, "set") * lift(np.array([1.0, 10.0, 100.0])),
        x,
        values,
    )
    assert_close(gx, [0.0, 10.0, 0.0])
    assert_close(gv, [0.0, 1.0, 0.0, 100.0])


@pytest.mark.parametrize("mode", ["set", "add"])
@pytest.mark.parametrize("axis", [0, 1])
def test_put_and_scatter_with_duplicates_pass_the_numerical_check(
    mode: str, axis: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((4, 3))
    index = lift(np.array([[2, 0], [2, 2]]) if axis == 0 else np.array([[1, 1], [0, 1]]))
    shape = [4, 3]
    shape[axis : axis + 1] = [2, 2]
    inputs = [leaf(x), leaf(rng.standard_normal(shape))]
    assert gradcheck(lambda x, v: indexing.put(x, index, v, axis, mode), inputs)
    assert gradgradcheck(lambda x, v: indexing.put(x, index, v, axis, mode) ** 2, inputs)
    inputs = [leaf(x), leaf(rng.standard_normal((2, 2)))]
    assert gradcheck(lambda x, v: indexing.scatter(x, index, v, axis, mode), inputs)
    assert gradgradcheck(lambda x, v: indexing.scatter(x, index, v, axis, mode) ** 2, inputs)


def test_additions_to_one_place_add_up() -> None:
    found = PRIMITIVES["put"].evaluate(
        np.zeros(3), np.array([1, 1, 1]), np.array([1.0, 2.0, 4.0]), axis=0, mode="add"
    )
    assert_close(found, [0.0, 7.0, 0.0])


@pytest.mark.parametrize("x", [0.3, 2.0, 7.5, -0.5, -2.3])
def test_trigamma_is_the_derivative_of_digamma(x: float) -> None:
    step = 1e-5
    high, low = (PRIMITIVES["digamma"].evaluate(np.array([x + s])) for s in (step, -step))
    found = elementwise.trigamma(lift(np.array([x]))).array()
    assert_close(found, (high - low) / (2 * step), rtol=1e-7)


def test_trigamma_at_one_is_a_sixth_of_pi_squared() -> None:
    assert_close(elementwise.trigamma(lift(np.array([1.0]))), [math.pi**2 / 6], rtol=1e-12)


def test_broadcast_gradients_sum_over_every_stretched_axis() -> None:
    gx, gy = gradient_of(elementwise.mul, np.ones((2, 1, 3)), np.full((4, 1), 2.0))
    assert_close(gx, np.full((2, 1, 3), 8.0))
    assert_close(gy, np.full((4, 1), 6.0))
