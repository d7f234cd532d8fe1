"""The pseudoinverse of matrices, from their singular values."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.graph.node import Sample, Spec
from pellucid.ops import elementwise as e
from pellucid.ops.contraction import matmul
from pellucid.ops.factoring import adjoint, check, eigh_of, svd_of
from pellucid.ops.registry import Value, define, ramp


def _infer_pinv(a: Spec, atol: Spec, rtol: Spec, *, hermitian: bool) -> Spec:
    check("pinv", a, square=hermitian, or_complex=True)
    if not atol.shape == rtol.shape == a.shape[:-2]:
        raise ShapeError(
            f"pinv got matrices {tuple(a.shape)} and tolerances {atol.shape} and {rtol.shape}",
            "there is one of each for each matrix",
        )
    return Spec((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)


def _pinv(a: np.ndarray, atol: np.ndarray, rtol: np.ndarray, *, hermitian: bool) -> np.ndarray:
    if not a.size:
        return np.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    if hermitian:
        lower = np.tril(a)
        found = eigh_of(lower + np.tril(lower, -1).swapaxes(-1, -2).conj(), upper=False)
        sizes, left = found[0], found[1]
        right = left.swapaxes(-1, -2).conj()
    else:
        found = svd_of(a, full=False)
        left, sizes, right = found[0], found[1], found[2]
    most = np.abs(sizes).max(-1)
    least = np.maximum(atol, rtol * most)[..., None]
    counts = np.abs(sizes) > least
    inverses = np.where(counts, 1 / np.where(counts, sizes, 1), 0)
    turned = left.swapaxes(-1, -2).conj()
    found_inverse = (right.swapaxes(-1, -2).conj() * inverses[..., None, :]) @ turned
    return np.asarray(found_inverse, a.dtype)


def _pinv_gradient(
    g: Value, p: Value, a: Value, atol: Value, rtol: Value, *, hermitian: bool
) -> tuple[Value, None, None]:
    """−Pᴴ P̄ Pᴴ + (1 − A P) P̄ᴴ P Pᴴ + Pᴴ P P̄ᴴ (1 − P A)  (Golub and Pereyra, 1973)."""
    turned, back = adjoint(p), adjoint(g)
    m, n = a.shape[-2:]
    plain = matmul(turned, matmul(g, turned))
    if m <= n:  # products of the smaller matrices
        first = matmul(back, matmul(p, turned))
        first = e.sub(first, matmul(a, matmul(p, first)))
        second = matmul(turned, matmul(p, back))
        second = e.sub(second, matmul(matmul(second, p), a))
    else:
        first = matmul(matmul(back, p), turned)
        first = e.sub(first, matmul(a, matmul(p, first)))
        second = matmul(matmul(turned, p), back)
        second = e.sub(second, matmul(matmul(second, p), a))
    return e.sub(e.add(first, second), plain), None, None


def _pinv_samples() -> Iterable[Sample]:
    none, some = np.asarray(0.0), np.asarray(1e-6)
    for shape in ((3, 3), (4, 2)):
        yield Sample((ramp(*shape), none, some), {"hermitian": False})
    yield Sample((ramp(2, 2, 3), np.zeros(2), np.full(2, 1e-6)), {"hermitian": False})


PINV = define(
    "pinv",
    "factors",
    "V diag(1/S where S > max(atol, rtol · S[0]), else 0) Uᵀ for A = U diag(S) Vᵀ",
    infer=_infer_pinv,
    evaluate=_pinv,
    gradient=_pinv_gradient,
    samples=_pinv_samples,
    reason="its gradient exists where those of the factors it is made of do not: equal singular "
    "values, and zeros",
    host=True,
    tangent="reverse",
    batch="leading",
)
