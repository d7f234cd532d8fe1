"""Singular value decompositions by NumPy's LAPACK, with the signs that PyTorch's has.

Any column of U may change its sign (its phase) if the row of Vᴴ does, too.  Which one comes out is
decided by how a matrix is reduced before the iteration begins, and there libraries differ in two
ranges of shapes.  Programs that move from one to the other, and stored results, stay comparable
where the reduction is the same: in float64 signs agree, in float32 mostly, as PyTorch iterates with
32 bits and NumPy with 64.  Of complex matrices both reduce alike.
"""

from __future__ import annotations

import numpy as np

Factors = tuple[np.ndarray, np.ndarray, np.ndarray]


def singular_factors(a: np.ndarray, full: bool) -> Factors:
    """U, S, Vᴴ of a stack of matrices (…, m, n): A = U diag(S) Vᴴ; square U and Vᴴ if ``full``."""
    m, n = a.shape[-2:]
    if a.dtype.kind != "c" and 1 < n < m and (n * 3) // 2 <= m < _limit(n):
        found = _of_triangle(a.astype(np.float64), full)
    elif a.dtype.kind != "c" and 1 < m < n and _limit(m) <= n < 20 * m:
        found = _of_rows(a.astype(np.float64), full)
    else:
        u, s, vh = np.linalg.svd(a, full)
        return u, s, vh
    u, s, vh = (part.astype(a.dtype, copy=False) for part in found)
    return u, s, vh


def _limit(k: int) -> int:
    """So many times k and more, and NumPy's LAPACK makes a triangle of the matrix first."""
    return (k * 11) // 6


def _of_triangle(a: np.ndarray, full: bool) -> Factors:
    """A = Q R = (Q U') S Vᵀ, of a tall matrix."""
    n = a.shape[-1]
    q, r = np.linalg.qr(a, "complete" if full else "reduced")
    u, s, vh = np.linalg.svd(r[..., :n, :])
    return _put(q, u, 1), s, vh


def _of_rows(a: np.ndarray, full: bool) -> Factors:
    """A = L Qᵀ = U S (V'ᵀ Qᵀ), of a wide matrix whose reduction begins with a row.

    A column of zeros beside L says so; of two rows, a rotation of them is that reduction.
    """
    m = a.shape[-2]
    q, r = np.linalg.qr(np.swapaxes(a, -1, -2), "complete" if full else "reduced")
    lower = np.swapaxes(r[..., :m, :], -1, -2)
    if m > 2:
        wide = np.concatenate([lower, np.zeros_like(lower[..., :1])], -1)
        u, s, vh = np.linalg.svd(wide, False)
        return u, s, _put(np.swapaxes(q, -1, -2), vh[..., :m], 0)
    turn = _rotation(lower)
    u, s, vh = np.linalg.svd(np.triu(turn @ lower))
    return np.swapaxes(turn, -1, -2) @ u, s, _put(np.swapaxes(q, -1, -2), vh, 0)


def _rotation(lower: np.ndarray) -> np.ndarray:
    """(…, 2, 2): what makes the second row of a lower triangle begin with 0."""
    f, g = lower[..., 0, 0], lower[..., 1, 0]
    length = np.copysign(np.hypot(f, g), f)
    safe = np.where(length == 0, 1, length)
    cosine, sine = np.where(length == 0, 1, f / safe), g / safe
    return np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2)


def _put(outer: np.ndarray, inner: np.ndarray, axis: int) -> np.ndarray:
    """``outer`` with its first columns (axis 1) or rows (axis 0) multiplied by ``inner``."""
    k = inner.shape[-1]
    if axis:
        return np.concatenate([outer[..., :k] @ inner, outer[..., k:]], -1)
    return np.concatenate([inner @ outer[..., :k, :], outer[..., k:, :]], -2)
