"""Matrix products, Einstein sums and their relatives: values and gradients as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers import assert_close
from tensor.parity import both_raise, ours, parity

pytestmark = pytest.mark.parity

SHAPES = [
    ((3,), (3,)),
    ((3, 4), (4,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((4, 0, 3), (3, 2)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize(("left", "right"), SHAPES, ids=str)
def test_every_pair_of_shapes(left: Any, right: Any, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal(left), rng.standard_normal(right)
    parity(lambda m, x, y: (x @ y, m.matmul(x, y)), x, y)
    parity(lambda _, x, y: x @ y, x.astype("f4"), y.astype("f4"), rtol=1e-4)


def test_products_of_integers() -> None:
    x = np.arange(6).reshape(2, 3)
    parity(lambda _, x: x @ x.t(), x)


def test_shapes_that_do_not_fit() -> None:
    both_raise(lambda _, x: x @ x, np.zeros((2, 3)))
    both_raise(lambda _, x: x @ x.sum(), np.zeros((2, 3)))
    both_raise(lambda _, x: x[0].dot(x[0, :2]), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"matmul got shapes \(2, 3\) and \(2, 3\)"):
        ours(np.zeros((2, 3))) @ ours(np.zeros((2, 3)))


def test_relatives_of_the_product(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    c, v, w = rng.standard_normal((3, 2)), rng.standard_normal(4), rng.standard_normal(3)
    parity(lambda m, a, b: (a.mm(b), m.mm(a, b)), a, b)
    parity(lambda m, a, v: (a.mv(v), m.mv(a, v), v.dot(v), m.dot(v, v)), a, v)
    parity(lambda m, v, w: (m.outer(v, w), v.ger(w), m.inner(v, v)), v, w)
    parity(lambda m, a, v: m.inner(a, v), a, v)
    parity(lambda m, c, a, b: (m.addmm(c, a, b), c.addmm(a, b, beta=0.5, alpha=2)), c, a, b)
    parity(lambda m, w, a, v: (m.addmv(w, a, v), w.addmv(a, v, alpha=3)), w, a, v)
    parity(lambda m, c, w, v: m.addr(m.outer(w, v), w, v, beta=2), c, w, v)
    batches = rng.standard_normal((5, 3, 4)), rng.standard_normal((5, 4, 2))
    parity(lambda m, a, b: (a.bmm(b), m.bmm(a, b)), *batches)
    parity(lambda m, c, a, b: (m.baddbmm(c, a, b, beta=0.5), m.addbmm(c, a, b)), c, *batches)
    parity(lambda m, a, b: m.kron(a, b), a, b)
    parity(lambda m, a: (m.matrix_power(a @ a.t(), 3), (a @ a.t()).matrix_power(1)), a)
    parity(lambda m, a, b, c: m.linalg.multi_dot([a, b, c.t(), a]), a, b, c)
    parity(lambda m, x, y: m.linalg.vecdot(x, y), a, a + 1)


def test_vector_products_and_distances(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    parity(lambda m, x, y: (m.cross(x, y, dim=1), m.linalg.cross(x, y), x.cross(y, 1)), x, y)
    parity(lambda m, x, y: m.cross(x.t(), y.t(), dim=0), x, y)
    for p in (1.0, 2.0, 3.0, float("inf")):
        parity(lambda m, x, y, p=p: m.cdist(x, y[:4], p), x, y, rtol=1e-7)
    parity(lambda m, x, y: m.cdist(x.reshape(1, 5, 3), y.reshape(5, 1, 3)), x, y)


def test_the_trace_of_a_product_does_not_depend_on_the_order(rng: np.random.Generator) -> None:
    a, b = ours(rng.standard_normal((4, 6))), ours(rng.standard_normal((6, 4)))
    assert_close((a @ b).trace(), (b @ a).trace(), rtol=1e-12)


EQUATIONS = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,jk": [(2, 3), (3, 4)],
    "ij,ij->": [(2, 3), (2, 3)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "ij->j": [(2, 3)],
    "ba": [(2, 3)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "iij->j": [(3, 3, 2)],
    "i,j->ij": [(2,), (3,)],
    "i,i->": [(3,), (3,)],
    "bij,bjk->bik": [(4, 2, 3), (4, 3, 5)],
    "bhqd,bhkd->bhqk": [(2, 3, 4, 5), (2, 3, 6, 5)],
    "bhqk,bhkd->bqhd": [(2, 3, 4, 6), (2, 3, 6, 5)],
    "...ij,...jk->...ik": [(2, 3, 4), (2, 4, 5)],
    "...ij,jk": [(2, 3, 4), (4, 5)],
    "b...,b...->...": [(2, 3, 4), (2, 3, 4)],
    "i...->...": [(2, 3)],
    "ij,jk,kl->il": [(2, 3), (3, 4), (4, 5)],
    "ij,jk,kl,lm->mi": [(2, 3), (3, 4), (4, 5), (5, 2)],
    "a,b,c->abc": [(2,), (3,), (4,)],
    "ij,ik,il->jkl": [(2, 3), (2, 4), (2, 5)],
    "bn,anm,bm->ba": [(2, 5), (3, 5, 4), (2, 4)],
    "i , j -> i j": [(2,), (3,)],
    "ij,j->ij": [(2, 3), (3,)],
    "abc,cd->abd": [(2, 3, 4), (4, 5)],
    "...,...->...": [(2, 3), (3,)],
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einstein_sums(equation: str, rng: np.random.Generator) -> None:
    arrays = [rng.standard_normal(s) for s in EQUATIONS[equation]]
    parity(lambda m, *x: m.einsum(equation, *x), *arrays)
    parity(lambda m, *x: m.einsum(equation, list(x)), *arrays, gradients=False)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("ij->ij", [(2, 3, 4)]),
        ("ij,jk->ik", [(2, 3)]),
        ("ij->k", [(2, 3)]),
        ("ij->ii", [(2, 3)]),
    ],
)
def test_equations_that_do_not_fit(equation: str, shapes: Any) -> None:
    both_raise(lambda m, *x: m.einsum(equation, *x), *[np.zeros(s) for s in shapes])


def test_tensordot(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 3, 4)), rng.standard_normal((3, 4, 5))
    parity(lambda m, x, y: (m.tensordot(x, y, 2), m.tensordot(x, y, dims=([1, 2], [0, 1]))), x, y)
    parity(lambda m, x, y: (m.tensordot(x, y, 0), m.tensordot(x, y, ([2], [1]))), x, y)
