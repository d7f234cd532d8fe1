"""Factors of complex matrices: products, and gradients against PyTorch, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid

SHAPES = [(3, 3), (4, 2), (2, 4), (2, 3, 3)]


def _complex(*shape: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("run", [lambda f: f, pellucid.compile], ids=["eager", "compiled"])
def test_factors_multiply_to_the_matrix(run: Any, shape: tuple[int, ...]) -> None:
    a = _complex(*shape)
    x = pellucid.tensor(a)
    u, s, vh = run(lambda x: pellucid.linalg.svd(x, full_matrices=False))(x)
    assert s.dtype is pellucid.float64
    assert np.allclose((u.numpy() * s.numpy()[..., None, :]) @ vh.numpy(), a)
    q, r = run(pellucid.linalg.qr)(x)
    assert np.allclose(q.numpy() @ r.numpy(), a) and np.allclose(np.tril(r.numpy(), -1), 0)
    p, lower, upper = run(pellucid.linalg.lu)(x)
    assert np.allclose(p.numpy() @ lower.numpy() @ upper.numpy(), a)
    inverse = run(pellucid.linalg.pinv)(x).numpy()
    assert np.allclose(inverse, np.linalg.pinv(a))
    if shape[-1] == shape[-2]:
        even = a + np.swapaxes(a, -1, -2).conj()
        values, vectors = run(pellucid.linalg.eigh)(pellucid.tensor(even))
        assert np.allclose(values.numpy(), np.linalg.eigvalsh(even))
        assert np.allclose(even @ vectors.numpy(), vectors.numpy() * values.numpy()[..., None, :])
    ranks = pellucid.linalg.matrix_rank(x)
    assert (ranks.numpy() == min(shape[-2:])).all()


def _of_svd(m: Any, x: Any, w: Any, v: Any) -> Any:
    left, sizes, right = m.linalg.svd(x, full_matrices=False)
    return (((left * v.exp().unsqueeze(-2)) @ right) * w).real.sum() + sizes.sum()


def _of_eigh(m: Any, x: Any, w: Any, v: Any) -> Any:
    values, vectors = m.linalg.eigh(x @ x.mH)
    product = (vectors * v.unsqueeze(-2)) @ vectors.mH @ x
    return (product * w).real.sum() + values.square().sum()


def _of_qr(m: Any, x: Any, w: Any, v: Any) -> Any:
    q, r = m.linalg.qr(x)
    return q.real.sum() + 2 * q.imag.sum() - r.real.sum() + (r * r).imag.sum()


def _of_lu(m: Any, x: Any, w: Any, v: Any) -> Any:
    _, lower, upper = m.linalg.lu(x)
    return lower.real.sum() + 2 * lower.imag.sum() + (upper * upper).imag.sum()


def _of_pinv(m: Any, x: Any, w: Any, v: Any) -> Any:
    return (m.linalg.pinv(x).mT * w).real.sum()


@pytest.mark.parity
@pytest.mark.parametrize("function", [_of_svd, _of_eigh, _of_qr, _of_lu, _of_pinv])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_pytorchs(function: Callable[..., Any], shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    if function is _of_eigh and shape[-2] > shape[-1]:
        shape = (*shape[:-2], shape[-1], shape[-2])  # no equal eigenvalues
    a, w = _complex(*shape, seed=1), _complex(*shape, seed=2)
    v = _complex(*shape[:-2], min(shape[-2:]), seed=3)
    theirs = torch.tensor(a, requires_grad=True)
    function(torch, theirs, torch.tensor(w), torch.tensor(v)).backward()

    def step(x: Any) -> Any:
        found = function(pellucid, x, pellucid.tensor(w), pellucid.tensor(v))
        return pellucid.grad(found, x)[0]

    for run in (step, pellucid.compile(step)):
        found = run(pellucid.tensor(a, requires_grad=True))
        assert np.allclose(found.numpy(), theirs.grad.numpy(), rtol=1e-8, atol=1e-9)


@pytest.mark.parity
@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_solutions_by_factors(adjoint: bool, left: bool) -> None:
    torch = pytest.importorskip("torch")
    a, b = _complex(3, 3), _complex(3, 2) if left else _complex(2, 3)
    theirs, ours = (
        m.linalg.lu_solve(*m.linalg.lu_factor(m.tensor(a)), m.tensor(b), left=left, adjoint=adjoint)
        for m in (torch, pellucid)
    )
    assert np.allclose(ours.numpy(), theirs.resolve_conj().numpy())


@pytest.mark.parity
def test_reflections() -> None:
    torch = pytest.importorskip("torch")
    a, tau, b = _complex(4, 2), _complex(2, seed=4) / 3, _complex(4, 3)
    for transpose in (False, True):
        theirs, ours = (
            m.ormqr(m.tensor(a), m.tensor(tau), m.tensor(b), True, transpose)
            for m in (torch, pellucid)
        )
        assert np.allclose(ours.numpy(), theirs.resolve_conj().numpy())
    theirs, ours = (
        m.linalg.householder_product(m.tensor(a), m.tensor(tau)) for m in (torch, pellucid)
    )
    assert np.allclose(ours.numpy(), theirs.resolve_conj().numpy())


@pytest.mark.parity
@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("extent", [1, 3, 8])
def test_indefinite_systems(extent: int, hermitian: bool) -> None:
    torch = pytest.importorskip("torch")
    a, b = _complex(2, extent, extent, seed=7), _complex(2, extent, 2, seed=8)
    a = a + np.swapaxes(a.conj() if hermitian else a, -1, -2)
    a[1][range(extent), range(extent)] = 0  # blocks of extent 2

    def solved(m: Any, x: Any, y: Any) -> Any:
        held, pivots = m.linalg.ldl_factor(x, hermitian=hermitian)
        return held.tril(), pivots, m.linalg.ldl_solve(held, pivots, y, hermitian=hermitian)

    if extent == 1:
        a[1] = 1.5
    theirs = solved(torch, torch.tensor(a), torch.tensor(b))
    arguments = (pellucid.tensor(a), pellucid.tensor(b))
    for run in (lambda f: f, pellucid.compile):
        mine = run(lambda x, y: solved(pellucid, x, y))(*arguments)
        for x, y in zip(mine, theirs, strict=True):
            assert np.allclose(x.numpy(), y.numpy(), atol=1e-10)
    assert np.allclose(a @ mine[2].numpy(), b)


@pytest.mark.parity
def test_what_goes_with_factors() -> None:
    torch = pytest.importorskip("torch")
    a, b = _complex(5, 3, seed=9), _complex(5, 2, seed=10)
    for x, y in zip(pellucid.geqrf(pellucid.tensor(a)), torch.geqrf(torch.tensor(a)), strict=True):
        assert np.allclose(x.numpy(), y.numpy())
    for driver in ("gelsy", "gels", "gelsd", "gelss"):
        theirs, ours = (
            m.linalg.lstsq(m.tensor(a), m.tensor(b), driver=driver) for m in (torch, pellucid)
        )
        for x, y in zip(ours, theirs, strict=True):
            assert str(x.dtype).rpartition(".")[2] == str(y.dtype).rpartition(".")[2]
            assert x.shape == tuple(y.shape) and np.allclose(x.numpy(), y.numpy())
    sizes = np.linalg.svd(a, compute_uv=False)
    assert np.allclose(pellucid.norm(pellucid.tensor(a), "nuc").numpy(), sizes.sum())
    assert np.allclose(pellucid.tensor(a).norm("nuc", (0, 1)).numpy(), sizes.sum())


def test_parts_of_low_rank() -> None:
    a = _complex(6, 4)
    u, s, v = pellucid.svd_lowrank(pellucid.tensor(a), q=4)
    assert np.allclose((u.numpy() * s.numpy()) @ v.numpy().conj().T, a)
    u, s, v = pellucid.svd(pellucid.tensor(a))
    assert np.allclose((u.numpy() * s.numpy()) @ v.numpy().conj().T, a)
