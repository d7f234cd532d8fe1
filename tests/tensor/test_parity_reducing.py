"""Reductions, running sums, sorting, statistics: values, positions, gradients as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensor.parity import both_raise, parity

pytestmark = pytest.mark.parity

AXES: list[Any] = [None, 0, 1, -1, (0, 1), (0, 2), (-1, 0), ()]


@pytest.fixture
def cube(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((3, 4, 5))


@pytest.mark.parametrize(
    "name",
    [
        "sum",
        "mean",
        "std",
        "var",
        "amax",
        "amin",
        "logsumexp",
        "nansum",
        "nanmean",
        "var_mean",
        "std_mean",
    ],
)
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("axes", AXES, ids=str)
def test_reductions_over_every_choice_of_axes(
    name: str, axes: Any, keepdim: bool, cube: np.ndarray
) -> None:
    if axes is None and name == "logsumexp":
        axes = (0, 1, 2)
    if axes == () and name in ("var", "std", "logsumexp", "var_mean", "std_mean"):
        pytest.skip("PyTorch's gradient counts no element there")
    if axes is None and keepdim and name in ("sum", "mean", "nansum", "nanmean"):
        pytest.skip("PyTorch wants axes with keepdim")
    parity(lambda m, x: getattr(m, name)(x, axes, keepdim=keepdim), cube, what=name)
    parity(
        lambda m, x: getattr(m, name)(x, dim=axes, keepdim=keepdim),
        cube.astype("f4"),
        what=name,
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    "name",
    [
        "prod",
        "argmax",
        "argmin",
        "max",
        "min",
        "median",
        "all",
        "any",
        "cumsum",
        "cumprod",
        "sort",
        "argsort",
        "cummax",
        "cummin",
        "logcumsumexp",
        "mode",
    ],
)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_one_axis(name: str, axis: int, cube: np.ndarray) -> None:
    parity(lambda _, x: getattr(x, name)(axis), cube, what=name)
    parity(lambda m, x: getattr(m, name)(x, dim=axis), cube, what=name)
    if name not in ("cumsum", "cumprod", "sort", "argsort", "cummax", "cummin", "logcumsumexp"):
        parity(lambda _, x: getattr(x, name)(axis, keepdim=True), cube, what=name)


@pytest.mark.parametrize(
    "name",
    [
        "sum",
        "prod",
        "max",
        "min",
        "argmax",
        "argmin",
        "median",
        "all",
        "any",
        "count_nonzero",
        "norm",
        "std",
        "var",
    ],
)
def test_of_all_elements(name: str, cube: np.ndarray) -> None:
    parity(lambda _, x: getattr(x, name)(), cube, what=name)


def test_variance_in_all_spellings(cube: np.ndarray) -> None:
    parity(
        lambda _, x: (
            x.var(0, False),
            x.var(0, True, True),
            x.var(1, correction=0),
            x.var(unbiased=False),
        ),
        cube,
    )
    parity(
        lambda _, x: (x.std(0, False), x.std(False), x.std((0, 1), unbiased=True, keepdim=True)),
        cube,
    )
    parity(lambda _, x: (x.sum(axis=1), x.mean(axis=0, keepdims=True), x.argmax(axis=1)), cube)


def test_axis_is_dim_wherever_there_is_one(cube: np.ndarray) -> None:
    """Also in functions that neither reduce nor are methods, and in the same call in place."""
    parity(lambda lib, x: (lib.stack([x, x], axis=1), lib.cat([x, x], axis=-1)), cube)
    parity(lambda lib, x: (*lib.chunk(x, 2, axis=1), *lib.unbind(x, axis=0)), cube)
    parity(lambda lib, x: (*lib.topk(x, 2, axis=0), *x.topk(1, axis=-1)), cube)
    parity(lambda lib, x: (lib.diff(x, axis=1), x.select(axis=0, index=1)), cube)
    parity(lambda lib, x: x.gather(axis=1, index=lib.zeros_like(x).long()), cube)
    parity(lambda lib, x: x.clone().cumsum_(axis=1), cube)


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, float("inf"), float("-inf"), "fro"])
@pytest.mark.parametrize("axes", [None, 0, (0, 2)], ids=str)
def test_norms(p: Any, axes: Any, cube: np.ndarray) -> None:
    parity(lambda _, x: x.norm(p, axes) if axes is not None else x.norm(p), cube)
    if p != "fro":
        parity(lambda m, x: m.linalg.vector_norm(x, p, axes), cube)


@pytest.mark.parametrize("ord", ["fro", 1, -1, float("inf"), float("-inf")])
def test_matrix_norms(ord: Any, cube: np.ndarray) -> None:
    parity(lambda m, x: m.linalg.matrix_norm(x, ord), cube)
    parity(lambda m, x: m.linalg.matrix_norm(x, ord, (0, 2), True), cube)
    parity(lambda m, x: m.linalg.norm(x[0], ord), cube)


def test_norm_of_zeros_has_a_gradient_without_nan() -> None:
    parity(lambda _, x: x.norm(), np.zeros(3))
    parity(lambda _, x: x.norm(dim=1), np.array([[0.0, 0.0], [3.0, 4.0]]))


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [0, 1, 3, 4])
def test_topk_and_kth(k: int, largest: bool, cube: np.ndarray) -> None:
    parity(lambda _, x: x.topk(k, 1, largest), cube)
    if k:
        parity(lambda _, x: x.kthvalue(k, 1), cube)
        parity(lambda _, x: x.kthvalue(k, 1, True), cube)


@pytest.mark.parametrize("descending", [False, True])
def test_stable_order_of_equal_elements(descending: bool) -> None:
    x = np.array([[2.0, 1.0, 2.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]])
    parity(lambda m, x: m.sort(x, dim=1, descending=descending, stable=True), x)
    parity(lambda m, x: m.argsort(x, dim=1, descending=descending, stable=True), x)


def test_extremes_of_nan() -> None:
    x = np.array([[1.0, np.nan, 3.0], [2.0, 5.0, -1.0]])
    parity(
        lambda _, x: (x.amax(1), x.amin(1), x.argmax(1), x.argmin(1), x.max(1), x.min(1)),
        x,
        gradients=False,
    )
    parity(
        lambda _, x: (x.max(), x.min(), x.sort(1).values, x.cummax(1), x.cummin(1)),
        x,
        gradients=False,
    )
    parity(lambda _, x: (x.nansum(1), x.nanmean(1), x.nansum()), x)


def test_ties_share_the_gradient_of_amax_and_give_max_the_first() -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    parity(lambda _, x: (x.amax(1), x.amin(0)), x)
    parity(lambda _, x: x.max(), x)


def test_cumulative_products_with_zeros() -> None:
    parity(lambda _, x: x.cumprod(1), np.array([[1.0, 0.0, 2.0, 3.0], [0.0, 1.0, 0.0, 2.0]]))
    parity(lambda _, x: x.prod(1), np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [1.0, 2.0, 3.0]]))
    parity(lambda _, x: x.prod(), np.array([[1.0, 0.0], [2.0, 3.0]]))


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "nearest", "midpoint"])
def test_quantiles(interpolation: str, cube: np.ndarray) -> None:
    for q in (0.0, 0.25, 0.5, 0.9, 1.0):
        parity(lambda _, x, q=q: x.quantile(q, interpolation=interpolation), cube)
        parity(lambda _, x, q=q: x.quantile(q, 1, True, interpolation=interpolation), cube)
    parity(
        lambda m, x: x.quantile(
            m.tensor([0.1, 0.7], dtype=m.float64), 2, interpolation=interpolation
        ),
        cube,
    )
    parity(lambda m, x: x.quantile(0.5, 0), np.array([[1.0, np.nan], [2.0, 3.0]]), gradients=False)


def test_differences_and_renorm(cube: np.ndarray) -> None:
    parity(lambda _, x: (x.diff(), x.diff(2, 0), x.diff(dim=1, prepend=x[:, :1])), cube)
    parity(lambda _, x: (x.renorm(2, 0, 1.0), x.renorm(1, 1, 100.0)), cube)
    parity(lambda _, x: (x[0].cov(), x[0].corrcoef(), x[0].cov(correction=0)), cube)
    parity(lambda _, x: x.aminmax(dim=1), cube)


def test_counts_and_distinct_elements() -> None:
    x = np.array([3, 1, 2, 3, 3, 0, 1])
    parity(lambda m, x: (x.bincount(), x.bincount(minlength=9)), x)
    parity(lambda m, x: m.bincount(x, m.tensor([0.5, 1, 2, 3, 4, 5, 6])), x)
    parity(lambda m, x: (x.unique(), m.unique(x, return_inverse=True, return_counts=True)), x)
    parity(lambda m, x: m.unique_consecutive(x, return_inverse=True, return_counts=True), x)
    parity(lambda m, x: m.unique(x, dim=0), np.array([[1, 2], [0, 1], [1, 2]]))
    parity(lambda m, x: (m.histc(x, 4, 0, 3), m.histc(x, 5)), x.astype("f4"))
    parity(
        lambda m, x: (
            m.isin(x, m.tensor([1, 2])),
            x.argwhere(),
            x.nonzero(),
            x.nonzero(as_tuple=True),
        ),
        x,
    )


@pytest.mark.parametrize("right", [False, True])
def test_places_among_boundaries(right: bool) -> None:
    edges, x = np.array([1.0, 3.0, 5.0]), np.array([[0.0, 1.0, 2.0], [3.0, 5.0, 9.0]])
    parity(
        lambda m, e, x: (m.bucketize(x, e, right=right), m.searchsorted(e, x, right=right)),
        edges,
        x,
        gradients=False,
    )
    rows = np.array([[1.0, 3.0, 5.0], [0.0, 4.0, 8.0]])
    parity(lambda m, e, x: m.searchsorted(e, x, right=right), rows, x, gradients=False)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmaxes(axis: int, cube: np.ndarray) -> None:
    parity(lambda m, x: (x.softmax(axis), m.log_softmax(x, dim=axis)), cube * 10)
    parity(lambda m, x: (m.softmax(x, axis), x.log_softmax(axis)), cube.astype("f4"), rtol=1e-4)


def test_logsumexp_at_its_limits() -> None:
    x = np.array([[1000.0, 1000.0], [-1000.0, -1000.0], [-np.inf, 0.0], [-np.inf, -np.inf]])
    parity(lambda _, x: x.logsumexp(1), x, gradients=False)


def test_nothing_to_reduce() -> None:
    empty = np.zeros((0, 3))
    parity(
        lambda _, x: (x.sum(), x.sum(0), x.prod(0), x.any(), x.all(), x.all(0), x.mean(1)), empty
    )
    parity(lambda _, x: (x.amax(1), x.cumsum(0), x.sort(0), x.softmax(1)), empty)
    both_raise(lambda _, x: x.amax(0), empty)
    both_raise(lambda _, x: x.max(), empty)
    both_raise(lambda _, x: x.argmax(0), empty)


def test_scalars() -> None:
    x = np.array(2.5)
    parity(
        lambda _, x: (
            x.sum(0),
            x.mean(-1),
            x.amax(0),
            x.max(0),
            x.softmax(0),
            x.cumsum(0),
            x.sort(),
            x.argmax(),
            x.topk(1),
            x.median(),
            x.norm(),
        ),
        x,
    )


def test_axes_that_do_not_exist(cube: np.ndarray) -> None:
    both_raise(lambda _, x: x.sum(3), cube)
    both_raise(lambda _, x: x.sum((0, 0)), cube)
    both_raise(lambda _, x: x.topk(9, 0), cube)
    both_raise(lambda _, x: x.kthvalue(9, 0), cube)
    both_raise(lambda _, x: x.quantile(1.5), cube)
