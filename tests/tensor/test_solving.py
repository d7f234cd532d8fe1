"""Inverses, determinants, factors: against PyTorch, their definitions, and by differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import linalg
from pellucid.base.errors import ShapeError
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
        with pytest.raises(linalg.LinAlgError, match="singular: pivot 1 of its elimination is 0"):
            function(zero)
    with pytest.raises(linalg.LinAlgError, match="not positive definite .the leading minor of"):
        linalg.cholesky(-pellucid.eye(2))
    assert np.isnan(ours([[0.0, 1.0], [1.0, 0.0]]).logdet().item())


def test_errors_and_narrow_types() -> None:
    with pytest.raises(ShapeError, match=r"inv got a tensor of shape \(2, 3\)"):
        linalg.inv(pellucid.zeros(2, 3))
    with pytest.raises(ShapeError, match="as many rows"):
        linalg.solve(pellucid.eye(2), pellucid.zeros(3))
    half = pellucid.eye(2).bfloat16() * 4
    with pytest.raises(NotImplementedError, match="linalg.inv is not implemented for bfloat16"):
        half.inverse()
    with pytest.raises(RuntimeError, match="expected a floating point tensor and got int64"):
        pellucid.tensor([[2, 0], [0, 4]]).inverse()
    with pellucid.autocast("cpu", dtype=pellucid.bfloat16):  # float32 there, as in PyTorch
        assert half.inverse().tolist() == [[0.25, 0.0], [0.0, 0.25]]


def _matrices(rng: Any, count: int, n: int) -> np.ndarray:
    """Matrices of which one has rank n − 1 and one has rank n − 2 or less."""
    made = rng.standard_normal((count, n, n))
    made[0, :, 0] = made[0, :, 1] * 2
    made[1, :, 0] = 0
    made[1, :, 2:] = made[1, :, 1:2]
    return made


def _adjugates(matrices: np.ndarray) -> np.ndarray:
    """Transposed adjugates by minors."""
    n = matrices.shape[-1]
    found = np.empty_like(matrices)
    for i in range(n):
        for j in range(n):
            minor = np.delete(np.delete(matrices, i, -2), j, -1)
            found[:, i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return found


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_determinants_have_gradients_where_they_are_zero(n: int, compiled: bool, rng: Any) -> None:
    matrices = _matrices(rng, 5, n) if n > 2 else rng.standard_normal((5, n, n)) * [[[0.0]]]

    def run(a: Any) -> tuple[Any, Any]:
        value = linalg.det(a)
        return value, pellucid.autograd.grad(value.sum(), [a])[0]

    given = pellucid.tensor(matrices, requires_grad=True)
    value, slope = (pellucid.compile(run) if compiled else run)(given)
    assert_close(value, np.linalg.det(matrices), 1e-9, 1e-9)
    expected = _adjugates(matrices) if n > 1 else np.ones_like(matrices)
    assert_close(slope, expected, 1e-9, 1e-9)


COMPILED = {
    "inv": (linalg.inv, np.linalg.inv),
    "slogdet": (lambda a: linalg.slogdet(a)[1], lambda a: np.linalg.slogdet(a)[1]),
    "solve": (
        lambda a: linalg.solve(a, a[..., :2].detach().cos()),
        lambda a: np.linalg.solve(a, np.cos(a[..., :2])),
    ),
    "cholesky": (
        lambda a: linalg.cholesky(a @ a.mT + 1e-3 * pellucid.eye(4, dtype=a.dtype)),
        lambda a: np.linalg.cholesky(a @ np.swapaxes(a, -1, -2) + 1e-3 * np.eye(4)),
    ),
    "pinv": (lambda a: linalg.pinv(a[..., :3]), lambda a: np.linalg.pinv(a[..., :3])),
}


@pytest.mark.parametrize("name", COMPILED)
def test_in_a_compiled_function(name: str, rng: Any) -> None:
    function, definition = COMPILED[name]
    matrices = rng.standard_normal((3, 4, 4))

    def run(a: Any) -> tuple[Any, Any]:
        value = function(a)
        weights = pellucid.tensor(np.cos(np.arange(value.numel()))).reshape(value.shape)
        return value, pellucid.autograd.grad((value * weights).sum(), [a])[0]

    given = pellucid.tensor(matrices, requires_grad=True)
    value, slope = pellucid.compile(run)(given)
    assert_close(value, definition(matrices), 1e-8, 1e-8)
    assert_close(slope, run(given)[1], 1e-7, 1e-7)


@pytest.mark.parametrize("size", [0.0, 0.01, 3.0, 40.0])
def test_matrix_exp_in_a_compiled_function(size: float, rng: Any) -> None:
    turned = np.array([[0.0, -size], [size, 0.0]])
    expected = [[np.cos(size), -np.sin(size)], [np.sin(size), np.cos(size)]]
    assert_close(pellucid.compile(linalg.matrix_exp)(pellucid.tensor(turned)), expected, 1e-9, 1e-9)


def test_a_compiled_function_says_that_a_matrix_is_singular() -> None:
    inverse = pellucid.compile(linalg.inv)
    assert_close(inverse(pellucid.eye(2) * 4), np.eye(2) / 4)
    with pytest.raises(linalg.LinAlgError, match="singular: pivot 2 of its elimination is 0"):
        inverse(pellucid.ones(2, 2))
    with pytest.raises(linalg.LinAlgError, match="the leading minor of order 2 is not"):
        pellucid.compile(linalg.cholesky)(pellucid.tensor([[1.0, 2.0], [2.0, 1.0]]))


@pytest.mark.parametrize("compiled", [False, True])
def test_matrices_without_elements(compiled: bool) -> None:
    for shape, ones in (((0, 2, 2), (0,)), ((2, 0, 0), (2,))):
        for function in (linalg.det, linalg.inv, lambda a: linalg.slogdet(a)[1]):
            run = pellucid.compile(function) if compiled else function
            found = run(pellucid.zeros(*shape))
            assert tuple(found.shape) == (shape if function is linalg.inv else ones)
            if function is linalg.det:
                assert found.tolist() == [1.0] * ones[0]


def test_a_singular_matrix_has_a_logarithm_of_minus_infinity() -> None:
    a = pellucid.tensor([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 3.0]]], requires_grad=True)
    sign, size = linalg.slogdet(a)
    assert sign.tolist() == [0.0, 1.0]
    assert size.tolist() == [-np.inf, pytest.approx(np.log(6))]
    (slope,) = pellucid.autograd.grad(size.sum(), [a])
    assert np.isinf(slope[0].numpy()).all()
    assert_close(slope[1], [[0.5, 0.0], [0.0, 1 / 3]])


def test_the_pseudoinverse_of_a_matrix_of_less_rank_has_a_gradient(rng: Any) -> None:
    a = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    given = pellucid.tensor(a, requires_grad=True)
    (slope,) = pellucid.autograd.grad(linalg.pinv(given).sum(), [given])
    # Along changes that keep the rank, it is the derivative.
    left, right = rng.standard_normal(3), rng.standard_normal(2)
    change = np.outer(left, [1.0, 2.0]) + np.outer([1.0, 2.0, 3.0], right)
    ahead, behind = (np.linalg.pinv(a + s * 1e-6 * change, 1e-9).sum() for s in (1, -1))
    assert (slope.numpy() * change).sum() == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)
