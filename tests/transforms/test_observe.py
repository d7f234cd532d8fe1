"""Statistics as operations of a graph: values against NumPy, on both backends and eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.dtypes import as_dtype
from pellucid.base.errors import ArgumentError
from pellucid.graph.node import Spec, new_input
from pellucid.transforms.observe import (
    STATISTICS,
    Histogram,
    check_statistics,
    measures,
    row_axes,
    statistics_from,
)

SHAPES = [(), (1,), (7,), (100,), (5, 3), (64, 10), (33, 257), (4, 3, 8, 8), (2, 1, 70), (70, 1000)]


def definition(x: np.ndarray, bounds: tuple[float, float]) -> dict[str, float]:
    """The statistics as NumPy has them, in float64."""
    wide = x.astype(np.float64)
    low, high = bounds
    margin = 0.01 * (high - low)
    return {
        "mean": wide.mean(),
        "std": wide.std(),
        "min": wide.min(),
        "max": wide.max(),
        "norm": np.sqrt((wide**2).sum()),
        "zero_fraction": (wide == 0).mean(),
        "saturated_fraction": ((wide <= low + margin) | (wide >= high - margin)).mean(),
        "nonfinite_fraction": (~np.isfinite(wide)).mean(),
    }


def eager(x: np.ndarray, **settings: Any) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in measures(pellucid.tensor(x), **settings).items()}


def compiled(backend: str) -> Callable[..., dict[str, np.ndarray]]:
    def run(x: np.ndarray, **settings: Any) -> dict[str, np.ndarray]:
        step = pellucid.compile(lambda t: measures(t, **settings), backend=backend)
        return {k: v.numpy() for k, v in step(pellucid.tensor(x)).items()}

    return run


WAYS = {"eager": eager, "reference": compiled("reference"), "native": compiled("cpu")}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[..., dict[str, np.ndarray]]:
    return WAYS[request.param]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_statistics_are_those_of_numpy(
    way: Any, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator
) -> None:
    x = np.asarray(rng.normal(0.3, 0.5, shape)).astype(dtype)
    x = np.where(rng.random(shape) < 0.2, 0, x).astype(dtype)
    found = statistics_from(way(x, statistics=STATISTICS[:8], bounds=(-1, 1)))
    expected = definition(x, (-1, 1))
    assert list(found) == list(expected)
    tolerance = 3e-6 if dtype == np.float32 else 1e-13
    for name, value in expected.items():
        scale = float(np.abs(x).max())
        assert found[name] == pytest.approx(value, rel=tolerance, abs=tolerance * scale), name


@pytest.mark.parametrize("bad", [[np.nan], [np.inf], [np.inf, -np.inf], [np.nan, np.inf, 0.0]])
def test_what_is_not_finite_shows_as_in_numpy(way: Any, bad: list[float]) -> None:
    x = np.linspace(-1, 1, 96).reshape(2, 48).astype(np.float32)
    x.reshape(-1)[5 : 5 + len(bad)] = bad
    names = ("mean", "min", "max", "norm", "nonfinite_fraction")
    found = statistics_from(way(x, statistics=names))
    with np.errstate(invalid="ignore"):
        expected = definition(x, (0, 1))
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)


def test_a_large_mean_does_not_drown_the_deviation(way: Any, rng: np.random.Generator) -> None:
    x = (1000 + rng.normal(size=(64, 512))).astype(np.float32)
    found = statistics_from(way(x, statistics=["std"]))
    assert found["std"] == pytest.approx(x.astype(np.float64).std(), rel=1e-4)


def test_rows_that_differ_add_to_the_deviation(way: Any) -> None:
    x = np.repeat(np.arange(10, dtype=np.float32), 50).reshape(10, 50)
    found = statistics_from(way(x, statistics=["std", "mean"]))
    assert found["mean"] == 4.5
    assert found["std"] == pytest.approx(np.arange(10).std(), rel=1e-7)


@pytest.mark.parametrize("shape", [(40,), (6, 50), (3, 4, 5)])
@pytest.mark.parametrize("bins", [2, 7, 32])
def test_histogram(way: Any, shape: tuple[int, ...], bins: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=shape).astype(np.float32)
    histogram = statistics_from(way(x, statistics=["histogram"], bins=bins))["histogram"]
    assert isinstance(histogram, Histogram)
    assert (histogram.low, histogram.high) == (x.min(), x.max())
    shares = (np.arange(1, bins) / bins).astype(np.float32)
    edges = [-np.inf, *(x.min() + (x.max() - x.min()) * shares), np.inf]
    expected = [((x >= a) & (x < b)).sum() for a, b in zip(edges, edges[1:], strict=False)]
    assert histogram.counts.tolist() == expected
    # NumPy's own edges are the same but for rounding.
    assert np.abs(histogram.counts - np.histogram(x, bins)[0]).sum() <= 2
    np.testing.assert_allclose(histogram.edges, np.histogram(x, bins)[1], rtol=1e-5, atol=1e-6)


def test_the_histogram_counts_finite_values_only(way: Any) -> None:
    x = np.array([0, 1, 2, 3, np.nan, np.inf, -np.inf, 4], np.float32)
    histogram: Any = statistics_from(way(x, statistics=["histogram"], bins=4))["histogram"]
    assert (histogram.low, histogram.high) == (0, 4)
    assert histogram.counts.tolist() == [1, 1, 1, 2]


def test_histograms_of_one_value_and_of_none(way: Any) -> None:
    same: Any = statistics_from(way(np.full(9, 2.5, np.float32), statistics=["histogram"], bins=3))
    assert same["histogram"].counts.tolist() == [0, 9, 0]
    none: Any = statistics_from(
        way(np.full(9, np.nan, np.float32), statistics=["histogram"], bins=3)
    )
    assert none["histogram"].counts.tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(), (3,), (20,), (2, 3), (5, 4, 6), (3, 1, 50)])
def test_the_slice_is_the_first_elements(way: Any, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    found: Any = statistics_from(way(x, statistics=["slice"]))["slice"]
    assert found.tolist() == x.reshape(-1)[:8].tolist()


def test_without_bounds_nothing_saturates() -> None:
    assert "saturated_fraction" not in measures(pellucid.ones(3), STATISTICS)


def test_nodes_and_tensors_are_treated_alike() -> None:
    node = new_input(Spec((4, 50), as_dtype(np.float32)))
    found = measures(node, STATISTICS, (0, 1))
    expected = measures(pellucid.ones(4, 50), STATISTICS, (0, 1))
    assert {k: (v.shape, v.dtype) for k, v in found.items()} == {
        k: (v.shape, v.dtype) for k, v in expected.items()
    }


def test_rows_are_long_enough() -> None:
    assert row_axes((64, 256)) == (1,)
    assert row_axes((64, 32, 28, 28)) == (2, 3)
    assert row_axes((64, 10)) == (0, 1)
    assert row_axes((3, 2)) == (0, 1)
    assert row_axes(()) == ()


def test_unknown_statistics_are_refused() -> None:
    assert check_statistics(["min", "max", "min"]) == ("min", "max")
    with pytest.raises(ArgumentError, match=r"no statistic 'median'\n  choose from mean, std"):
        check_statistics(["median"])
