"""Inverses, determinants, factors: against PyTorch, their definitions, and by differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import linalg
from pellucid.base.errors import ArgumentError, ShapeError
from tensor.parity import ours, parity

SHAPES = [(1, 1), (3, 3), (2, 4, 4), (2, 1, 2, 2), (0, 2, 2)]


def matrices(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Well-conditioned square matrices."""
    return np.random.default_rng(seed).normal(size=shape) + 2 * np.eye(shape[-1])


def positive(a: Any) -> Any:
    """Symmetric positive definite matrices."""
    return a @ a.swapaxes(-1, -2) + 0.5


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_against_pytorch(shape: tuple[int, ...], dtype: str) -> None:
    a = matrices(shape).astype(dtype)
    b = np.random.default_rng(1).normal(size=(*shape[:-1], 3)).astype(dtype)
    rtol = 2e-4 if dtype == "float32" else 1e-9
    for name in ("inverse", "det", "matrix_exp"):
        parity(lambda m, a, name=name: getattr(a, name)(), a, rtol=rtol, what=name)
        parity(lambda m, a, name=name: getattr(m, name)(a), a, rtol=rtol, what=name)
    parity(lambda m, a: a.slogdet()[1], a, rtol=rtol, what="slogdet")
    parity(lambda m, a: a.slogdet()[0], a, rtol=rtol, what="sign", gradients=False)
    parity(lambda m, a: (a @ a.mT).logdet(), a, rtol=rtol, what="logdet")
    parity(lambda m, a, b: m.linalg.solve(a, b), a, b, rtol=rtol, what="solve")
    parity(lambda m, a: m.linalg.matrix_power(a, -2), a, rtol=rtol, what="power")
    for upper in (False, True):

        def factor(m: Any, a: Any, upper: bool = upper) -> Any:
            return m.linalg.cholesky(a @ a.mT + m.eye(shape[-1], dtype=a.dtype), upper=upper)

        def of_a_factor(m: Any, a: Any, b: Any, upper: bool = upper) -> Any:
            half = a.triu() if upper else a.tril()
            return half.cholesky_inverse(upper=upper), b.cholesky_solve(half, upper=upper)

        parity(factor, a, rtol=rtol, what="cholesky")
        parity(of_a_factor, a, b, rtol=rtol, what="of a factor")


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated:UserWarning")
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("unitriangular", [False, True])
def test_triangular_systems(upper: bool, transpose: bool, unitriangular: bool) -> None:
    a, b = matrices((3, 3)), np.random.default_rng(2).normal(size=(3, 2))
    parity(lambda m, a, b: b.triangular_solve(a, upper, transpose, unitriangular)[0], a, b)


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4), (3, 3)])
def test_pseudoinverse(shape: tuple[int, ...]) -> None:
    a = np.random.default_rng(3).normal(size=shape)
    parity(lambda m, a: a.pinverse(), a, rtol=1e-8)
    parity(lambda m, a: m.linalg.pinv(a), a, rtol=1e-8, gradients=False)
    flat = np.outer([1.0, 2.0], [3.0, 4.0, 5.0])
    assert_close(ours(flat).pinverse(), np.linalg.pinv(flat), 1e-12, 1e-12)


def test_definitions() -> None:
    a = ours(matrices((2, 4, 4)))
    one = np.broadcast_to(np.eye(4), (2, 4, 4))
    assert_close(a @ a.inverse(), one, 0, 1e-12)
    b = ours(np.random.default_rng(5).normal(size=4))
    assert_close(a[0] @ linalg.solve(a[0], b), b, 0, 1e-12)
    lower = linalg.cholesky(positive(a))
    assert_close(lower @ lower.mT, positive(a), 1e-12, 1e-12)
    assert not lower.triu(1).any()
    turn = ours([[0.0, -2.5], [2.5, 0.0]]).double()
    assert_close(
        turn.matrix_exp(), [[np.cos(2.5), -np.sin(2.5)], [np.sin(2.5), np.cos(2.5)]], 1e-13, 1e-13
    )
    assert_close(ours([[1e3, 0.0], [0.0, -1e3]]).double().matrix_exp(), [[np.inf, 0], [0, 0]], 0, 0)


def test_first_and_second_derivatives_by_differences() -> None:
    a = ours(matrices((2, 3, 3), 7), True)
    b = ours(np.random.default_rng(8).normal(size=(2, 3, 2)), True)
    functions = {
        "inv": lambda a, b: linalg.inv(a),
        "det": lambda a, b: linalg.det(a),
        "slogdet": lambda a, b: linalg.slogdet(a).logabsdet,
        "solve": linalg.solve,
        "cholesky": lambda a, b: linalg.cholesky(positive(a)),
        "pinv": lambda a, b: linalg.pinv(b),
        "matrix_exp": lambda a, b: linalg.matrix_exp(a * 0.3),
    }
    for name, function in functions.items():
        assert pellucid.gradcheck(function, [a, b]), name
        assert pellucid.gradgradcheck(function, [a, b]), name


def test_singular_matrices() -> None:
    singular = ours([[1.0, 2.0], [2.0, 4.0]])
    assert singular.det().item() == pytest.approx(0, abs=1e-6)
    zero = pellucid.zeros(2, 2)
    assert zero.slogdet().logabsdet.item() == -np.inf and zero.slogdet().sign.item() == 0
    for function in (linalg.inv, lambda a: linalg.solve(a, pellucid.ones(2))):
        with pytest.raises(ArgumentError, match="got a matrix for which there is no result"):
            function(zero)
    with pytest.raises(ArgumentError, match="cholesky got a matrix"):
        linalg.cholesky(-pellucid.eye(2))
    assert np.isnan(ours([[0.0, 1.0], [1.0, 0.0]]).logdet().item())


def test_errors_and_narrow_types() -> None:
    with pytest.raises(ShapeError, match=r"inv got a tensor of shape \(2, 3\)"):
        linalg.inv(pellucid.zeros(2, 3))
    with pytest.raises(ShapeError, match="as many rows"):
        linalg.solve(pellucid.eye(2), pellucid.zeros(3))
    half = pellucid.eye(2).bfloat16() * 4
    assert half.inverse().dtype is pellucid.bfloat16
    assert half.inverse().float().tolist() == [[0.25, 0.0], [0.0, 0.25]]
    assert pellucid.tensor([[2, 0], [0, 4]]).inverse().tolist() == [[0.5, 0.0], [0.0, 0.25]]
    with pytest.raises(pellucid.PellucidError, match="not known while the program is being"):
        pellucid.compile(linalg.inv)(pellucid.eye(2))
