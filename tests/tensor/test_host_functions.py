"""Functions that compiled programs call NumPy for: against definitions, eager and compiled."""

from __future__ import annotations

from math import gcd, lcm
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ShapeError

EAGER_AND_COMPILED = pytest.mark.parametrize(
    "run", [lambda f: f, pellucid.compile], ids=["eager", "compiled"]
)


@EAGER_AND_COMPILED
def test_divisors_and_multiples_of_whole_numbers(run: Any) -> None:
    a, b = pellucid.tensor([12, -18, 0, 7]), pellucid.tensor([[8], [12]])
    step = run(lambda a, b: (pellucid.gcd(a, b), pellucid.lcm(a, b)))
    for _ in range(2):
        found = [t.tolist() for t in step(a, b)]
        lines = [12, -18, 0, 7]
        assert found[0] == [[gcd(x, y) for x in lines] for y in (8, 12)]
        assert found[1] == [[lcm(x, y) for x in lines] for y in (8, 12)]


@EAGER_AND_COMPILED
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_parts_of_a_number_and_the_slope_of_the_first(run: Any, dtype: str) -> None:
    kind = getattr(pellucid, dtype)
    values = [3.0, -0.625, 0.0, 96.0, float("inf"), 1.0]
    x = pellucid.tensor(values, dtype=kind, requires_grad=True)

    def step(x: Any) -> Any:
        mantissa, exponent = pellucid.frexp(x)
        return mantissa, exponent, pellucid.grad(mantissa.sum(), x)[0]

    mantissa, exponent, slope = run(step)(x)
    wanted = [np.frexp(v) for v in values]
    assert mantissa.float().tolist() == [float(m) for m, _ in wanted]
    assert exponent.tolist() == [int(e) if np.isfinite(m) else 0 for m, e in wanted]
    finite = np.isfinite(values)
    assert np.array_equal(slope.float().numpy()[finite], 2.0 ** -exponent.numpy()[finite])
    assert exponent.dtype is pellucid.int32 and mantissa.dtype is kind


@EAGER_AND_COMPILED
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_the_next_number_and_its_gradient(run: Any, dtype: str) -> None:
    kind = getattr(pellucid, dtype)
    digits = {"float32": 23, "float64": 52, "bfloat16": 7, "float16": 10}[dtype]
    x = pellucid.tensor([1.0, 1.0, 1.0, -1.0], dtype=kind, requires_grad=True)
    y = pellucid.tensor([2.0, 0.0, 1.0, 0.0], dtype=kind)

    def step(x: Any, y: Any) -> Any:
        found = pellucid.nextafter(x, y)
        return found, pellucid.grad(found.sum(), x)[0]

    found, slope = run(step)(x, y)
    unit = 2.0**-digits
    assert found.double().tolist() == [1 + unit, 1 - unit / 2, 1.0, -1 + unit / 2]
    assert slope.double().tolist() == [1.0] * 4


@EAGER_AND_COMPILED
def test_incomplete_gamma_functions_of_whole_orders(run: Any) -> None:
    """Q(n, x) = e^−x Σ_{k<n} x^k / k!."""
    x = pellucid.tensor([0.5, 2.0, 7.0], dtype=pellucid.float64, requires_grad=True)
    order = pellucid.tensor(3.0, dtype=pellucid.float64)

    def step(a: Any, x: Any) -> Any:
        low, high = pellucid.igamma(a, x), pellucid.igammac(a, x)
        return low, high, pellucid.grad(low.sum(), x)[0]

    low, high, slope = (t.detach().numpy() for t in run(step)(order, x))
    at = x.detach().numpy()
    wanted = np.exp(-at) * (1 + at + at**2 / 2)
    assert np.allclose(high, wanted, rtol=1e-13) and np.allclose(low, 1 - wanted, rtol=1e-12)
    assert np.allclose(slope, at**2 * np.exp(-at) / 2, rtol=1e-12)


@EAGER_AND_COMPILED
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (2,), (1, 2), (3, 2), (3, 1)])
def test_values_written_where_a_mask_says(run: Any, accumulate: bool, shape: tuple[int]) -> None:
    rng = np.random.default_rng(3)
    x, mask = rng.standard_normal((5, 2)), np.array([True, False, True, True, False])
    values = rng.standard_normal(shape)

    def step(x: Any, mask: Any, values: Any) -> Any:
        return x.index_put((mask,), values, accumulate)

    found = run(step)(*map(pellucid.tensor, (x, mask, values)))
    wanted = x.copy()
    wanted[mask] = wanted[mask] * accumulate + values
    assert np.allclose(found.numpy(), wanted, rtol=1e-15)


@EAGER_AND_COMPILED
def test_a_wrong_number_of_values_for_a_mask_is_refused(run: Any) -> None:
    def step(x: Any, mask: Any, values: Any) -> Any:
        y = x.clone()
        y[mask] = values
        return y

    x, values = pellucid.zeros(4), pellucid.tensor([1.0, 2.0])
    program = run(step)
    good = program(x, pellucid.tensor([True, False, True, False]), values)
    assert good.tolist() == [1.0, 0.0, 2.0, 0.0]
    with pytest.raises((ShapeError, ValueError), match="values|shape"):
        program(x, pellucid.tensor([True, True, True, False]), values)


@EAGER_AND_COMPILED
def test_positions_of_a_size_that_is_given(run: Any) -> None:
    x = pellucid.tensor([[0, 2], [3, 0]])
    for size, wanted in ((1, [[0, 1]]), (3, [[0, 1], [1, 0], [9, 9]])):
        found = run(lambda x, size=size: x.nonzero_static(size=size, fill_value=9))(x)
        assert found.tolist() == wanted


@EAGER_AND_COMPILED
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("density", [False, True])
def test_histograms_over_the_range_of_the_data(run: Any, weighted: bool, density: bool) -> None:
    rng = np.random.default_rng(5)
    x, weight = rng.standard_normal(50), rng.random(50)
    given = pellucid.tensor(weight) if weighted else None
    step = run(lambda x: pellucid.histogram(x, 7, weight=given, density=density))
    counts, edges = (t.numpy() for t in step(pellucid.tensor(x)))
    wanted = np.histogram(x, 7, weights=weight if weighted else None, density=density)
    assert np.allclose(counts, wanted[0]) and np.allclose(edges, wanted[1])
    if not (weighted or density):
        plain = run(lambda x: pellucid.histc(x, 7))(pellucid.tensor(x))
        assert np.array_equal(plain.numpy(), wanted[0])


@EAGER_AND_COMPILED
def test_histograms_of_points(run: Any) -> None:
    points = np.random.default_rng(6).random((40, 2))
    found = run(lambda p: pellucid.histogramdd(p, (3, 4), density=True))(pellucid.tensor(points))
    counts, edges = found
    wanted, lines = np.histogramdd(points, (3, 4), density=True)
    assert np.allclose(counts.numpy(), wanted)
    assert all(np.allclose(e.numpy(), line) for e, line in zip(edges, lines, strict=True))


def test_copies_of_views_write_into_out() -> None:
    x, out = pellucid.arange(6.0).reshape(2, 3), pellucid.zeros(3, 2)
    assert pellucid.transpose_copy(x, 0, 1, out=out) is out
    assert out.tolist() == x.T.tolist()
    parts = (pellucid.zeros(3), pellucid.zeros(3))
    pellucid.unbind_copy(x, out=parts)
    assert [p.tolist() for p in parts] == x.tolist()


@EAGER_AND_COMPILED
def test_orthogonal_polynomials_whose_degrees_are_arguments(run: Any) -> None:
    x, n = np.linspace(-0.9, 0.9, 5), np.array([0.0, 1.0, 2.0, 5.0, -1.0])
    wanted = np.where(n < 0, 0, np.cos(n * np.arccos(x)))
    found = run(pellucid.special.chebyshev_polynomial_t)(pellucid.tensor(x), pellucid.tensor(n))
    assert np.allclose(found.numpy(), wanted, rtol=1e-13)
    legendre = run(pellucid.special.legendre_polynomial_p)(pellucid.tensor(x), pellucid.tensor(n))
    for value, place, degree in zip(legendre.numpy(), x, n, strict=True):
        parts = np.eye(6)[int(degree)] if degree >= 0 else np.zeros(1)
        assert np.isclose(value, np.polynomial.legendre.legval(place, parts), rtol=1e-13)
