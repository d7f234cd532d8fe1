"""Factors of matrices and what is made of them: their definitions, NumPy, PyTorch, differences.

Signs of singular vectors and of eigenvectors are LAPACK's and differ from one build to another, so
that values and gradients are compared through functions which they do not change; one test compares
signs of singular vectors, where the builds are those whose signs are known to agree.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import linalg
from pellucid.base.errors import ArgumentError, AutogradError, DTypeError, ShapeError
from tensor.parity import ours, parity

SHAPES = [(3, 3), (5, 3), (3, 5), (2, 4, 3), (2, 1, 3, 3), (0, 3, 3), (3, 0), (0, 2), (1, 1)]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def even(a: np.ndarray) -> np.ndarray:
    return a + a.swapaxes(-1, -2)


def compiled_too(function: Callable[..., Any], *arrays: Any, rtol: float = 1e-9) -> list[Any]:
    """The results in eager mode, after comparing those of the compiled function."""
    tensors = [ours(a) for a in arrays]
    eager, compiled = function(*tensors), pellucid.compile(function)(*tensors)
    left, right = (r if isinstance(r, tuple) else (r,) for r in (eager, compiled))
    for a, b in zip(left, right, strict=True):
        assert a.dtype is b.dtype
        assert_close(b, a, rtol, 1e-11)
    return list(left)


def is_unit(a: Any) -> None:
    assert_close(a, np.broadcast_to(np.eye(a.shape[-1]), tuple(a.shape)), 0, 1e-12)


# ---- definitions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES, (6, 4), (2, 7, 5), (2, 2, 9), (3, 8), (2, 4, 7)])
def test_singular_values(shape: tuple[int, ...], full: bool) -> None:
    a = numbers(*shape)
    u, s, vh = compiled_too(lambda x: linalg.svd(x, full_matrices=full), a)
    m, n, k = *shape[-2:], min(shape[-2:])
    assert u.shape[-2:] == (m, m if full else k) and vh.shape[-2:] == (n if full else k, n)
    is_unit(u.mT @ u), is_unit(vh @ vh.mT)
    assert_close((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a, 1e-12, 1e-12)
    assert_close(s, np.linalg.svd(a, compute_uv=False), 1e-12, 1e-12)
    (values,) = compiled_too(linalg.svdvals, a)
    assert_close(values, s, 1e-12, 1e-12)
    u2, s2, v2 = ours(a).svd(some=not full)
    assert_close(u2, u, 0, 0), assert_close(v2.mT, vh, 0, 0), assert_close(s2, s, 0, 0)
    empty = pellucid.svd(ours(a), compute_uv=False)
    assert not empty.U.any() and empty.U.shape[-1] == m and empty.V.shape[-1] == n


@pytest.mark.parametrize("triangle", ["L", "U"])
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[-1] == s[-2]])
def test_eigenvalues_of_symmetric_matrices(shape: tuple[int, ...], triangle: str) -> None:
    a = numbers(*shape)  # only one triangle is read
    half = np.tril(a) if triangle == "L" else np.triu(a).swapaxes(-1, -2)
    whole = half + np.tril(half, -1).swapaxes(-1, -2)
    values, vectors = compiled_too(lambda x: linalg.eigh(x, UPLO=triangle), a)
    is_unit(vectors.mT @ vectors)
    assert_close((vectors * values.unsqueeze(-2)) @ vectors.mT, whole, 1e-12, 1e-12)
    (alone,) = compiled_too(lambda x: linalg.eigvalsh(x, triangle), a)
    assert_close(alone, np.linalg.eigvalsh(whole), 1e-12, 1e-12)
    assert_close(alone, values, 1e-12, 1e-12)


@pytest.mark.parametrize("kind", [np.float64, np.complex128, np.float32])
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[-1] == s[-2]])
def test_eigenvalues_of_any_matrices(shape: tuple[int, ...], kind: Any) -> None:
    a = numbers(*shape).astype(kind)
    if kind is np.complex128:
        a = a + 1j * numbers(*shape, seed=1)
    rtol = 1e-4 if kind is np.float32 else 1e-10
    values, vectors = compiled_too(lambda x: linalg.eig(x), a, rtol=rtol)
    assert values.dtype is (pellucid.complex64 if kind is np.float32 else pellucid.complex128)
    found = vectors.numpy()
    known = np.sort_complex(np.linalg.eigvals(a).astype(values.numpy().dtype))
    atol = 1e-5 if rtol > 1e-5 else 1e-11
    assert_close(a @ found, found * values.numpy()[..., None, :], rtol, atol)
    assert_close((np.abs(found) ** 2).sum(-2), np.ones(values.shape), rtol)
    (alone,) = compiled_too(linalg.eigvals, a, rtol=rtol)
    assert_close(np.sort_complex(alone.numpy()), known, rtol, atol)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(2, 5), (2, 3, 8), (6, 4), (5, 2)])
def test_singular_vectors_of_matrices_without_full_rank(shape: tuple[int, ...], full: bool) -> None:
    ones = np.ones(shape)
    first = np.zeros(shape)
    first[..., 0, 0] = -1
    for a in (np.zeros(shape), ones, first, ones * np.arange(shape[-2])[:, None]):
        u, s, vh = linalg.svd(ours(a), full_matrices=full)
        k = s.shape[-1]
        is_unit(u.mT @ u), is_unit(vh @ vh.mT)
        assert_close((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a, 1e-12, 1e-12)


@pytest.mark.parity
def test_signs_of_singular_vectors_are_those_of_pytorch() -> None:
    torch = importlib.import_module("torch")
    built: Any = np.show_config(mode="dicts")
    if not torch.backends.mkl.is_available() or "openblas" not in str(built):
        pytest.skip("signs are known to agree for MKL there and OpenBLAS here")
    shapes = [(3, 5), (2, 3), (2, 40), (4, 70), (3, 60), (4, 3), (7, 5), (2, 8, 12), (30, 20)]
    for shape in [*shapes, (3, 3), (9, 4), (4, 5), (20, 45)]:
        a = numbers(*shape)
        mine = linalg.svd(ours(a), full_matrices=False)
        theirs = torch.linalg.svd(torch.tensor(a), full_matrices=False)
        for x, y in zip(mine, theirs, strict=True):
            assert_close(x, y, 1e-8, 1e-8, f"factors of {shape}")
        u, _, vh = linalg.svd(ours(a.astype(np.complex128)), full_matrices=False)
        exact = torch.linalg.svd(torch.tensor(a.astype(np.complex128)), full_matrices=False)
        assert_close(u, exact[0], 1e-8, 1e-8), assert_close(vh, exact[2], 1e-8, 1e-8)


@pytest.mark.parity
@pytest.mark.parametrize("kind", [np.float64, np.complex128])
def test_gradients_of_eigenvalues_as_in_pytorch(kind: Any) -> None:
    torch = pytest.importorskip("torch")
    a = numbers(2, 3, 3).astype(kind)
    a = a if kind is np.float64 else a + 1j * numbers(2, 3, 3, seed=1)

    def both(m: Any, x: Any, grad: Any) -> list[Any]:
        values, vectors = m.linalg.eig(x)
        total = (vectors.abs() * values.abs().unsqueeze(-2)).sum() + m.linalg.eigvals(x).abs().sum()
        (slope,) = grad(total, [x], create_graph=True)
        (curve,) = grad((slope.abs() ** 2).sum(), [x])
        return [slope, curve]

    ours_ = both(pellucid, ours(a, True), pellucid.autograd.grad)
    theirs = both(torch, torch.tensor(a, requires_grad=True), torch.autograd.grad)
    for left, right in zip(ours_, theirs, strict=True):
        assert_close(left, right, 1e-8, 1e-10)

    def step(x: Any) -> Any:
        x = x.detach().requires_grad_()
        (slope,) = pellucid.autograd.grad(linalg.eigvals(x).abs().sum(), [x])
        return slope

    compiled_too(step, a)
    with pytest.raises(linalg.LinAlgError, match="infinite or NaN"):
        linalg.eig(ours(np.full((2, 2), np.nan)))


@pytest.mark.parametrize("mode", ["reduced", "complete", "r"])
@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal_and_triangular(shape: tuple[int, ...], mode: Any) -> None:
    a = numbers(*shape)
    q, r = compiled_too(lambda x: linalg.qr(x, mode), a)
    assert not r.tril(-1).any()
    expected = np.linalg.qr(a, mode)
    if mode == "r":
        assert tuple(q.shape) == (0,)
        assert_close(r, expected, 1e-12, 1e-12)
        return
    is_unit(q.mT @ q)
    assert_close(q @ r, a, 1e-12, 1e-12)
    assert tuple(q.shape) == expected[0].shape and tuple(r.shape) == expected[1].shape


@pytest.mark.parametrize("shape", SHAPES)
def test_reflections_multiply_to_q(shape: tuple[int, ...]) -> None:
    a = numbers(*shape)
    packed, tau = compiled_too(pellucid.geqrf, a)
    m, n = shape[-2:]
    q, r = linalg.qr(ours(a), "complete")
    assert_close(packed.triu(), r, 1e-12, 1e-12)
    b = numbers(*shape[:-2], m, 2)
    for transpose in (False, True):
        turned = q.mT if transpose else q
        (left,) = compiled_too(
            lambda p, t, x, tr=transpose: pellucid.ormqr(p, t, x, True, tr),
            packed.numpy(), tau.numpy(), b,
        )  # fmt: skip
        assert_close(left, turned @ ours(b), 1e-12, 1e-12)
        right = pellucid.ormqr(packed, tau, ours(b).mT, left=False, transpose=transpose)
        assert_close(right, ours(b).mT @ turned, 1e-12, 1e-12)
    if m >= n:
        assert_close(linalg.householder_product(packed, tau), q[..., :n], 1e-12, 1e-12)
        assert_close(packed.orgqr(tau), q[..., :n], 1e-12, 1e-12)
    if m >= n > 1:  # fewer reflections, and none (tau = 0), are products of fewer
        some = tau[..., : n - 1] * ours([1.0] * (n - 2) + [0.0]).double()
        found = linalg.householder_product(packed, some)
        vectors = packed.tril(-1) + pellucid.eye(m, n, dtype=pellucid.float64)
        expected = pellucid.eye(m, dtype=pellucid.float64)
        for i in range(n - 1):
            v = vectors[..., :, i : i + 1]
            expected = expected - (expected @ v) * some[..., i, None, None] @ v.mT
        assert_close(found, expected[..., :n], 1e-12, 1e-12)


@pytest.mark.parametrize("shape", [*SHAPES, (70, 40), (40, 70)])
def test_lower_and_upper(shape: tuple[int, ...]) -> None:
    a = numbers(*shape)
    p, lower, upper = compiled_too(linalg.lu, a)
    assert_close(p @ lower @ upper, a, 1e-12, 1e-12)
    assert not lower.triu(1).any() and not upper.tril(-1).any()
    assert (lower.diagonal(0, -2, -1) == 1).all() and (lower.abs() <= 1).all()
    assert (p.sum(-1) == 1).all() and (p.sum(-2) == 1).all()
    packed, pivots, info = compiled_too(linalg.lu_factor_ex, a)
    assert pivots.dtype is pellucid.int32 and not info.any()
    for found, known in zip(pellucid.lu_unpack(packed, pivots), (p, lower, upper), strict=True):
        assert_close(found, known, 0, 0)
    no_data, no_pivots = (
        pellucid.lu_unpack(packed, pivots, *f) for f in ((False, True), (True, False))
    )
    assert tuple(no_data.L.shape) == (0,) and tuple(no_pivots.P.shape) == (0,)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_systems_by_factors(left: bool, adjoint: bool) -> None:
    a, b = numbers(3, 1, 5, 5), numbers(2, 5, 2)
    b = b if left else b.swapaxes(-1, -2)

    def solved(a: Any, b: Any) -> Any:
        return linalg.lu_solve(*linalg.lu_factor(a), b, left=left, adjoint=adjoint)

    (x,) = compiled_too(solved, a, b)
    turned = a.swapaxes(-1, -2) if adjoint else a
    back = turned @ x.numpy() if left else x.numpy() @ turned
    assert_close(back, np.broadcast_to(b, back.shape), 1e-11, 1e-11)
    tensors = [ours(t, True) for t in (a[:1], b[:1])]
    assert pellucid.gradcheck(solved, tensors) and pellucid.gradgradcheck(solved, tensors)


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (2, 5, 5), (33, 33), (0, 2, 2), (2, 0, 0)])
def test_symmetric_indefinite_systems(shape: tuple[int, ...]) -> None:
    scipy = pytest.importorskip("scipy.linalg")
    a, b = even(numbers(*shape)), numbers(*shape[:-1], 2)
    packed, pivots, info = compiled_too(linalg.ldl_factor_ex, a)
    assert pivots.dtype is pellucid.int32 and info.dtype is pellucid.int32 and not info.any()
    (x,) = compiled_too(linalg.ldl_solve, packed.numpy(), pivots.numpy(), b)
    assert_close(a @ x.numpy(), b, 1e-9, 1e-10)
    if len(shape) == 2:
        _, blocks, _ = scipy.ldl(a)
        inside = np.linalg.eigvalsh(blocks)
        sizes = np.tril(packed.numpy())
        found = np.diag(np.diag(sizes))
        for k in np.flatnonzero(pivots.numpy() < 0)[::2]:
            found[k + 1, k] = found[k, k + 1] = sizes[k + 1, k]
        assert_close(np.linalg.eigvalsh(found), inside, 1e-9, 1e-9)


def test_a_zero_block_is_told() -> None:
    a = pellucid.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert linalg.ldl_factor_ex(a).info.item() == 1
    with pytest.raises(linalg.LinAlgError, match=r"D\[1,1\] is zero"):
        linalg.ldl_factor_ex(a, check_errors=True)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_systems(left: bool, upper: bool, unit: bool) -> None:
    scipy = pytest.importorskip("scipy.linalg")
    a, b = numbers(40, 40) + 9 * np.eye(40), numbers(40, 3)
    b = b if left else b.T

    def solved(a: Any, b: Any) -> Any:
        return linalg.solve_triangular(a, b, upper=upper, left=left, unitriangular=unit)

    (x,) = compiled_too(solved, a / 9, b)
    one, two = (a / 9, b) if left else (a.T / 9, b.T)
    known = scipy.solve_triangular(one, two, lower=upper != left, unit_diagonal=unit)
    assert_close(x, known if left else known.T, 1e-8, 1e-8)
    some = [ours(t, True) for t in (numbers(2, 1, 3, 3) + 2 * np.eye(3), numbers(2, 3, 3))]
    assert pellucid.gradcheck(solved, some) and pellucid.gradgradcheck(solved, some)


# ---- pseudoinverses, ranks, least squares --------------------------------------------------------


def low_rank(*shape: int, rank: int = 2, seed: int = 0) -> np.ndarray:
    return numbers(*shape[:-1], rank, seed=seed) @ numbers(*shape[:-2], rank, shape[-1], seed=seed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 5, 4), (0, 3), (3, 0), (2, 0, 2)])
def test_pseudoinverses_of_any_rank(shape: tuple[int, ...], dtype: Any) -> None:
    rtol = 1e-4 if dtype is np.float32 else 1e-10
    for a in (numbers(*shape), low_rank(*shape), np.zeros(shape)):
        a = a.astype(dtype)
        (found,) = compiled_too(linalg.pinv, a, rtol=rtol)
        limit = np.finfo(dtype).eps * max(shape[-2:])
        assert_close(found, np.linalg.pinv(a, rcond=limit), rtol, 1e-6 if rtol > 1e-5 else 1e-11)
        (rank,) = compiled_too(linalg.matrix_rank, a)
        assert rank.tolist() == np.linalg.matrix_rank(a).tolist()


def test_tolerances() -> None:
    a = np.diag([4.0, 2.0, 1e-3])
    kept = [
        ({}, 3), ({"rtol": 1e-2}, 2), ({"atol": 1e-2}, 2), ({"atol": 3.0}, 1), ({"rtol": 0.6}, 1),
        ({"atol": 1e-2, "rtol": 0.6}, 1), ({"atol": 0.0}, 3), ({"rtol": ours(0.6)}, 1),
    ]  # fmt: skip
    for settings, count in kept:
        expected = np.diag([1 / x if i < count else 0 for i, x in enumerate(np.diag(a))])
        for hermitian in (False, True):
            found = linalg.pinv(ours(a), hermitian=hermitian, **settings)
            assert_close(found, expected, 1e-12, 1e-12, str(settings))
            rank = linalg.matrix_rank(ours(a), hermitian=hermitian, **settings)
            assert rank.item() == count, settings
    assert linalg.matrix_rank(ours(a), 1e-2).item() == 2  # tol, the old name
    assert_close(ours(a).pinverse(0.6), np.diag([0.25, 0, 0]))
    many = linalg.matrix_rank(ours(np.stack([a, a])), atol=ours([1e-2, 3.0]))
    assert many.tolist() == [2, 1]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4)])
def test_gradients_of_pseudoinverses_keep_the_rank(shape: tuple[int, ...], rank: int) -> None:
    left, right = numbers(*shape[:-1], rank), numbers(*shape[:-2], rank, shape[-1], seed=1)
    factors = [ours(f, True) for f in (left, right)]

    def function(a: Any, b: Any) -> Any:
        return linalg.pinv(a @ b, rtol=1e-9)

    assert pellucid.gradcheck(function, factors) and pellucid.gradgradcheck(function, factors)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4), (2, 6, 3)])
def test_least_squares(shape: tuple[int, ...], driver: str | None) -> None:
    a, b = numbers(*shape), numbers(*shape[:-1], 2, seed=1)
    if shape == (6, 3) and driver != "gels":
        a[:, 2] = a[:, 0]  # of rank 2
    solution, residuals, rank, sizes = compiled_too(
        lambda a, b: linalg.lstsq(a, b, driver=driver), a, b
    )[:4] if not (shape == (6, 3) and driver in ("gelsd", "gelss")) else list(
        linalg.lstsq(ours(a), ours(b), driver=driver)
    )  # fmt: skip
    for place in np.ndindex(shape[:-2]):
        known, _, _, own = np.linalg.lstsq(a[place], b[place], rcond=None)
        assert_close(solution[place], known, 1e-9, 1e-9)
        if sizes.shape[-1]:
            assert_close(sizes[place], own, 1e-9, 1e-9)
    full = shape[-2] > shape[-1] and shape != (6, 3)
    if full and driver in ("gels", "gelsd", "gelss"):
        assert_close(residuals, ((a @ solution.numpy() - b) ** 2).sum(-2), 1e-9)
    if driver != "gels":
        assert rank.tolist() == np.linalg.matrix_rank(a).tolist()
    vectors = linalg.lstsq(ours(a), ours(b[..., 0]), driver=driver).solution
    assert_close(vectors, solution[..., 0], 1e-9, 1e-9)


def test_condition_numbers() -> None:
    a = numbers(3, 4, 4)
    for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"):
        (found,) = compiled_too(lambda x, p=p: linalg.cond(x, p), a, rtol=1e-7)
        assert_close(found, [np.linalg.cond(m, p) for m in a], 1e-9)
    both = np.stack([np.eye(2), np.ones((2, 2))])
    assert compiled_too(lambda x: linalg.cond(x, 1), both)[0].tolist() == [1, np.inf]


def test_few_parts_of_a_matrix() -> None:
    a = low_rank(30, 20, rank=4)
    sizes = np.linalg.svd(a, compute_uv=False)
    for x in (a, a.T, np.stack([a, 2 * a])):
        u, s, v = pellucid.svd_lowrank(ours(x), 6)
        assert_close((u * s.unsqueeze(-2)) @ v.mT, x, 1e-9, 1e-9)
        is_unit(u[..., :4].mT @ u[..., :4])
    assert_close(s[0, :4], sizes[:4], 1e-9)
    u, s, v = pellucid.pca_lowrank(ours(a), 4)
    centred = a - a.mean(0)
    assert_close(s, np.linalg.svd(centred, compute_uv=False)[:4], 1e-9, 1e-9)
    assert_close((u * s) @ v.mT, centred, 1e-9, 1e-9)
    mean = np.broadcast_to(a.mean(0), a.shape)
    u, s, v = pellucid.svd_lowrank(ours(a), 4, M=ours(mean))
    assert_close((u * s) @ v.mT, centred, 1e-9, 1e-9)


@pytest.mark.parametrize("largest", [True, False])
def test_generalized_eigenvalues(largest: bool) -> None:
    scipy = pytest.importorskip("scipy.linalg")
    a, b = even(numbers(9, 9)), np.eye(9) + low_rank(9, 9, rank=9) @ low_rank(9, 9, rank=9).T
    values, vectors = pellucid.lobpcg(ours(a), 2, ours(b), largest=largest)
    known = scipy.eigvalsh(a, b)
    assert_close(values, known[::-1][:2] if largest else known[:2], 1e-9)
    assert_close(a @ vectors.numpy(), b @ vectors.numpy() * values.numpy(), 1e-8, 1e-8)
    with pytest.raises(ArgumentError, match="three times as many rows"):
        pellucid.lobpcg(ours(a), 4)


# ---- norms and the rest --------------------------------------------------------------------------


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_norms_of_matrices(ord: Any) -> None:
    a = numbers(3, 4, 2)
    (found,) = compiled_too(lambda x: linalg.matrix_norm(x, ord), a)
    assert_close(found, [np.linalg.norm(m, ord) for m in a], 1e-12)
    (kept,) = compiled_too(lambda x: linalg.matrix_norm(x, ord, (2, 0), keepdim=True), a)
    expected = [np.linalg.norm(a[:, i].T, ord) for i in range(4)]
    assert_close(kept, np.reshape(expected, (1, 4, 1)), 1e-12)
    parity(lambda m, x: m.linalg.norm(x[0], ord), a)
    parity(lambda m, x: m.linalg.norm(x, ord, (0, 1)), a)
    assert (
        linalg.matrix_norm(ours(a).float(), ord, dtype=pellucid.float64).dtype is pellucid.float64
    )


def test_nuclear_norms() -> None:
    a = numbers(3, 4)
    expected = np.linalg.norm(a, "nuc")
    for found in (
        pellucid.nuclear_norm(ours(a)),
        ours(a).norm("nuc"),
        pellucid.norm(ours(a), "nuc"),
    ):
        assert_close(found, expected, 1e-12)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 2.5, 3, np.inf])
def test_norms_have_no_slope_at_zero(p: float, compiled: bool) -> None:
    """A row of zeros, or a pair of equal rows, adds nothing to the gradient: no NaN."""
    functional = pellucid.nn.functional
    rows = np.array([[0.0, 0.0], [1.0, -2.0], [1.0, -2.0]])
    functions: list[Callable[[Any], Any]] = [
        lambda x: linalg.vector_norm(x, p, dim=1),
        lambda x: x.norm(p, 1),
        lambda x: pellucid.cdist(x, x, p),
        lambda x: functional.pdist(x, p),
        lambda x: functional.pairwise_distance(x, x.detach(), p, eps=0.0),
        lambda x: pellucid.dist(x, x.detach(), p),
        lambda x: pellucid.renorm(x, p, 0, 0.5),
        lambda x: functional.normalize(x, p),
    ]
    for number, function in enumerate(functions):
        run = pellucid.compile(function) if compiled else function
        x = ours(rows, True)
        run(x).sum().backward()
        assert np.isfinite(x.grad.numpy()).all(), number
        if number in (0, 1):
            assert x.grad[0].tolist() == [0.0, 0.0], number
        if number in (4, 5):
            assert not x.grad.any(), number


def test_powers_of_vectors() -> None:
    x = numbers(2, 3)
    (found,) = compiled_too(linalg.vander, x)
    assert_close(found, [np.vander(row, increasing=True) for row in x], 1e-12)
    assert linalg.vander(pellucid.tensor([2, 3, 4])).tolist() == [[1, 2, 4], [1, 3, 9], [1, 4, 16]]
    assert linalg.vander(pellucid.tensor([2, 3]), N=4).tolist() == [[1, 2, 4, 8], [1, 3, 9, 27]]
    assert pellucid.vander(pellucid.tensor([2, 3, 4])).tolist() == [
        [4, 2, 1],
        [9, 3, 1],
        [16, 4, 1],
    ]
    parity(lambda m, x: m.linalg.vander(x, N=5), x)
    parity(lambda m, x: (m.vander(x[0], 4), m.vander(x[1], 2, True)), x, gradients=False)
    with pytest.raises(ArgumentError, match="N must be greater than 1|must be greater than 1"):
        linalg.vander(pellucid.ones(3), N=1)


def test_inverses_of_tensors() -> None:
    a = numbers(4, 6, 8, 3)
    inverse = linalg.tensorinv(ours(a), ind=2)
    assert_close(inverse, np.linalg.tensorinv(a), 1e-8, 1e-8)
    b = numbers(4, 6)
    assert_close(linalg.tensorsolve(ours(a), ours(b)), np.linalg.tensorsolve(a, b), 1e-8, 1e-8)
    moved = np.moveaxis(a, 1, 3)
    found = linalg.tensorsolve(ours(moved), ours(b), dims=(1, 2))
    assert tuple(found.shape) == tuple(np.linalg.tensorsolve(moved, b, axes=(1, 2)).shape)
    with pytest.raises(ShapeError, match="must have as many elements"):
        linalg.tensorinv(pellucid.ones(2, 3))


def test_products() -> None:
    a, b, c = numbers(3, 4), numbers(4, 5), numbers(5, 2)
    assert_close(pellucid.chain_matmul(ours(a), ours(b), ours(c)), a @ b @ c, 1e-12)
    parity(lambda m, x, y: m.linalg.vecdot(x, y, dim=0), numbers(3, 4), numbers(3, 1))
    parity(lambda m, x, y: m.linalg.cross(x, y), numbers(2, 3), numbers(1, 3))
    parity(lambda m, x: m.linalg.diagonal(x, offset=1), numbers(2, 3, 4))
    parity(lambda m, x, y: m.linalg.matmul(x, y), a, b)
    with pytest.raises(ShapeError, match="same number of dimensions"):
        linalg.cross(pellucid.ones(3), pellucid.ones(2, 3))


# ---- gradients -----------------------------------------------------------------------------------


def steady(name: str) -> Callable[[Any, Any], Any]:
    """A function of the factors that signs of vectors do not change."""
    return {
        "svd": lambda m, a: (lambda u, s, v: (u * u @ (s.sin().unsqueeze(-1) * v * v)))(
            *m.linalg.svd(a, full_matrices=False)
        ),
        "full svd": lambda m, a: (lambda u, s, v: s.exp().sum(-1) + u[..., 0, :2].abs().sum(-1))(
            *m.linalg.svd(a)
        ),
        "svdvals": lambda m, a: m.linalg.svdvals(a).sin(),
        "vectors": lambda m, a: m.linalg.svd(a, full_matrices=False)[0].abs(),
        "other vectors": lambda m, a: m.linalg.svd(a, full_matrices=False)[2].abs(),
        "eigh": lambda m, a: (lambda w, v: v.abs() * w.sin().unsqueeze(-2))(
            *m.linalg.eigh(a @ a.mT + a[..., :1, :1])
        ),
        "eigvalsh": lambda m, a: m.linalg.eigvalsh(a @ a.mT).log1p(),
        "qr": lambda m, a: m.linalg.qr(a),
        "lu": lambda m, a: m.linalg.lu(a)[1:],
        "lu_factor": lambda m, a: m.linalg.lu_factor(a)[0],
        "pinv": lambda m, a: m.linalg.pinv(a),
        "lstsq": lambda m, a: m.linalg.lstsq(a, a.sin()[..., :2])[0],
        "householder": lambda m, a: m.linalg.householder_product(
            a[..., : min(a.shape[-2:])], a[..., 0, : min(a.shape[-2:])].sin()
        ),
        "nuc": lambda m, a: m.linalg.matrix_norm(a, "nuc"),
        "cond": lambda m, a: m.linalg.cond(a),
    }[name]  # fmt: skip


NAMES = (
    "svd,full svd,svdvals,vectors,other vectors,eigh,eigvalsh,qr,lu,lu_factor,pinv,lstsq,"
    "householder,nuc,cond"
).split(",")


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (2, 3, 4)])
def test_gradients_as_in_pytorch(name: str, shape: tuple[int, ...]) -> None:
    if name == "eigvalsh" and shape == (5, 3):
        return  # of rank 3: eigenvalues 0 of either sign
    if name == "eigh" and shape == (5, 3):
        return  # equal eigenvalues
    parity(steady(name), numbers(*shape, seed=3), rtol=1e-7, what=name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 3)])
def test_gradients_by_differences(name: str, shape: tuple[int, ...]) -> None:
    if name in ("eigh", "eigvalsh") and shape == (4, 3):
        shape = (3, 3)
    a = ours(numbers(*shape, seed=5), True)
    function = steady(name)

    def both(a: Any) -> Any:
        found = function(pellucid, a)
        return found if not isinstance(found, tuple) else sum(part.sin().sum() for part in found)

    assert pellucid.gradcheck(both, [a]), name
    assert pellucid.gradgradcheck(both, [a], rtol=1e-4), name


@pytest.mark.parametrize("name", NAMES)
def test_compiled_gradients_are_those_of_eager_mode(name: str) -> None:
    function = steady(name)

    def step(a: Any) -> Any:
        a = a.detach().requires_grad_()
        found = function(pellucid, a)
        parts = found if isinstance(found, tuple) else (found,)
        total = sum(part.sin().sum() for part in parts)
        (slope,) = pellucid.autograd.grad(total, [a], create_graph=True)
        (curve,) = pellucid.autograd.grad((slope * slope).sum(), [a])
        return slope.detach(), curve

    compiled_too(step, numbers(2, 3, 3, seed=7), rtol=1e-6)


def test_a_triangle_has_the_gradient_of_the_symmetric_matrix() -> None:
    for triangle in "LU":
        parity(lambda m, a, t=triangle: m.linalg.eigvalsh(a, UPLO=t).sin(), numbers(4, 4))


def test_equal_singular_values() -> None:
    """Their sum has a slope; what depends on the vectors has none that is finite."""
    a = pellucid.eye(3, dtype=pellucid.float64).requires_grad_()
    linalg.svdvals(a).sum().backward()
    assert_close(a.grad, np.eye(3), 1e-12, 1e-12)
    u, _, _ = linalg.svd(a)
    (slope,) = pellucid.autograd.grad(
        (u * numbers(3, 3)).sum() if False else (u @ ours(numbers(3, 3))).sum(), [a]
    )
    assert not np.isfinite(slope.numpy()).all()


def test_q_of_more_columns_has_no_gradient() -> None:
    a = pellucid.randn(4, 2, requires_grad=True)
    with pytest.raises(AutogradError, match='mode="complete"'):
        linalg.qr(a, mode="complete").Q.sum().backward()


# ---- errors --------------------------------------------------------------------------------------


def test_linalg_is_a_module_with_an_error_of_its_own() -> None:
    assert importlib.import_module("pellucid.linalg") is linalg
    assert issubclass(linalg.LinAlgError, RuntimeError)


BAD = np.stack([np.eye(3), np.ones((3, 3))])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("function", "text"),
    [
        (linalg.inv, "linalg.inv: .Batch element 1.: the input matrix is singular: pivot 2"),
        (lambda a: linalg.solve(a, a), "linalg.solve: .Batch element 1.: .* singular: pivot 2"),
        (lambda a: linalg.inv_ex(a, check_errors=True), "linalg.inv_ex: .Batch element 1."),
        (lambda a: linalg.cholesky(a - 0.6), "linalg.cholesky: .Batch element 0.: .*order 2"),
        (linalg.lu_factor, r"linalg.lu_factor: .Batch element 1.: U\[2,2\] is zero"),
        (lambda a: linalg.svd(a / (a - 1)), "linalg.svd: .Batch element 0.: .*infinite or NaN"),
        (lambda a: linalg.pinv(a / (a - 1)), "linalg.svd: .Batch element 0.: .*infinite or NaN"),
    ],
)
def test_the_matrix_that_fails_is_named(function: Any, text: str, compiled: bool) -> None:
    run = pellucid.compile(function) if compiled else function
    for _ in range(2):
        with pytest.raises(linalg.LinAlgError, match=text):
            run(ours(BAD))


def test_what_fails_without_an_error_says_so() -> None:
    for run in (lambda f: f, pellucid.compile):
        inverse, info = run(lambda a: linalg.inv_ex(a))(ours(BAD))
        assert info.tolist() == [0, 2] and info.dtype is pellucid.int32
        assert_close(inverse[0], np.eye(3))
        found, info = run(lambda a: linalg.solve_ex(a, a[..., :1]))(ours(BAD))
        assert info.tolist() == [0, 2] and np.isnan(found[1].numpy()).any()
        lower, info = run(lambda a: linalg.cholesky_ex(a))(ours(BAD - 0.6))
        assert info[0].item() == 2
        lower, info = run(lambda a: linalg.cholesky_ex(a, upper=True))(ours(BAD[:1] * 4))
        assert info.tolist() == [0] and lower[0].tolist() == (2 * np.eye(3)).tolist()
        assert run(lambda a: linalg.lu_factor_ex(a).info)(ours(BAD)).tolist() == [0, 2]


def test_what_is_no_matrix_is_refused() -> None:
    names = "svd svdvals eigh eigvalsh qr lu lu_factor inv pinv cholesky det slogdet matrix_exp"
    for name in names.split():
        function: Any = getattr(linalg, name)
        with pytest.raises(ShapeError, match=r"at least 2 dimensions|square matrices"):
            function(pellucid.ones(3))
        with pytest.raises(DTypeError, match="expected a floating point tensor and got int64"):
            function(pellucid.ones(2, 2, dtype=pellucid.int64))
        if name not in ("matrix_exp",):
            with pytest.raises(NotImplementedError, match="is not implemented for float16"):
                function(pellucid.ones(2, 2).half())
    with pytest.raises(ShapeError, match="3 by 2"):
        linalg.eigh(pellucid.ones(3, 2))
    with pytest.raises(ArgumentError, match="UPLO"):
        linalg.eigh(pellucid.eye(2), "X")
    with pytest.raises(ArgumentError, match="mode"):
        linalg.qr(pellucid.eye(2), "raw")
    with pytest.raises(NotImplementedError, match="without pivoting"):
        linalg.lu(pellucid.eye(2), pivot=False)
    with pytest.raises(DTypeError, match="different types"):
        linalg.solve(pellucid.eye(2), pellucid.ones(2, dtype=pellucid.float64))
    with pytest.raises(ArgumentError, match="gels, gelsy, gelsd or gelss"):
        linalg.lstsq(pellucid.eye(2), pellucid.eye(2), driver="qr")


# ---- in training ---------------------------------------------------------------------------------


def trained(make: Callable[[], tuple[Any, Any]], steps: int = 4) -> list[list[float]]:
    """Losses of a training step, eagerly and compiled."""
    found = []
    for run in (lambda f: f, pellucid.compile):
        pellucid.manual_seed(0)
        step, data = make()
        compiled = run(step)
        found.append([compiled(data).item() for _ in range(steps)])
    return found


def test_whitening_in_a_training_step() -> None:
    """Batch whitening by the inverse square root of the covariance (ZCA)."""

    def make() -> tuple[Any, Any]:
        layer = pellucid.nn.Linear(6, 4)
        optimizer = pellucid.optim.SGD(layer.parameters(), lr=0.05)

        def step(x: Any) -> Any:
            centred = layer(x) - layer(x).mean(0)
            values, vectors = linalg.eigh(centred.mT @ centred / len(x) + 1e-3 * pellucid.eye(4))
            white = centred @ (vectors * values.rsqrt()) @ vectors.mT
            loss = (white - x[:, :4]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step, ours(numbers(32, 6).astype(np.float32))

    eager, compiled = trained(make)
    assert_close(compiled, eager, 1e-4)
    assert eager[-1] < eager[0]


def test_orthogonal_regularization_in_a_training_step() -> None:
    """The spectral norm of WᵀW − 1 as a penalty, and the weight put back onto Q of its QR."""

    def make() -> tuple[Any, Any]:
        weight = ours(numbers(8, 4).astype(np.float32), True)
        optimizer = pellucid.optim.Adam([weight], lr=0.02)

        def step(x: Any) -> Any:
            gap = weight.mT @ weight - pellucid.eye(4)
            loss = (x @ weight).square().mean() + linalg.matrix_norm(gap, 2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with pellucid.no_grad():
                weight.copy_(0.5 * weight + 0.5 * linalg.qr(weight).Q)
            return loss.detach()

        return step, ours(numbers(16, 8).astype(np.float32))

    eager, compiled = trained(make)
    assert_close(compiled, eager, 1e-4)
    assert eager[-1] < eager[0]


def test_main_components_and_initial_factors() -> None:
    data = low_rank(60, 10, rank=3).astype(np.float32) + 5
    _, sizes, components = pellucid.pca_lowrank(ours(data), 3)
    centred = data - data.mean(0)
    assert_close(sizes, np.linalg.svd(centred, compute_uv=False)[:3], 1e-3)
    assert_close(centred @ components.numpy() @ components.numpy().T, centred, 1e-3, 1e-3)
    weight = ours(numbers(8, 6).astype(np.float32))  # LoRA's factors from the main parts (PiSSA)
    u, s, vh = linalg.svd(weight, full_matrices=False)
    b, a = u[:, :2] * s[:2].sqrt(), s[:2].sqrt().unsqueeze(-1) * vh[:2]
    rest = np.linalg.svd((weight - b @ a).numpy(), compute_uv=False)
    assert_close(rest[:4], s[2:], 1e-4, 1e-5)


def test_a_step_that_fails_leaves_the_weights() -> None:
    weight = pellucid.ones(3, 3, requires_grad=True)
    optimizer = pellucid.optim.SGD([weight], lr=0.1, momentum=0.9)

    @pellucid.compile
    def step(x: Any) -> Any:
        loss = linalg.svdvals(x * weight).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    step(ours(numbers(3, 3).astype(np.float32)))
    before = weight.detach().clone()
    with pytest.raises(linalg.LinAlgError, match="infinite or NaN, in .*test_factors.py"):
        step(pellucid.full((3, 3), float("nan")))
    assert_close(weight, before, 0, 0)
