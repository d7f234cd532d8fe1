"""Eliminations in NumPy, which hands out no triangular solver and no LU factors of LAPACK's.

All functions take stacks of matrices, (…, m, n), and treat them together: Python's loops run over
columns, in blocks whose far part is one matrix product.  (Golub and Van Loan, 2013, chapter 3.)
"""

from __future__ import annotations

import math

import numpy as np

BLOCK = 32
"""Columns that are eliminated one by one before the rest is brought up to date by a product."""


def substituted(a: np.ndarray, b: np.ndarray, upper: bool, unit: bool) -> np.ndarray:
    """X with A X = B for triangular A: (…, n, n), (…, n, k) → (…, n, k).

    The other triangle is not read, and with ``unit`` neither is the diagonal, which counts as 1.
    A zero on the diagonal gives infinities and NaN.
    """
    n = a.shape[-1]
    x = np.array(b, order="C")
    blocks = range(0, n, BLOCK)
    for start in reversed(blocks) if upper else blocks:
        stop = min(start + BLOCK, n)
        known = slice(stop, n) if upper else slice(0, start)
        x[..., start:stop, :] -= a[..., start:stop, known] @ x[..., known, :]
        for i in range(stop - 1, start - 1, -1) if upper else range(start, stop):
            near = slice(i + 1, stop) if upper else slice(start, i)
            row = x[..., i, :]
            if near.start < near.stop:
                row -= (a[..., i : i + 1, near] @ x[..., near, :])[..., 0, :]
            if not unit:
                row /= a[..., i, i, None]
    return x


def _sizes(a: np.ndarray) -> np.ndarray:
    """|x|, or |Re x| + |Im x|, by which LAPACK chooses pivots."""
    return np.asarray(np.abs(a.real) + np.abs(a.imag) if np.iscomplexobj(a) else np.abs(a))


def factored(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(LU, pivots, rows) by partial pivoting: (…, m, n) → (…, m, n), (…, k), (…, m), k = min(m, n).

    L (unit diagonal, which is not stored) and U share one array; ``A[rows] = L U``.  Step i has
    exchanged rows i and ``pivots[i] − 1``, as LAPACK counts.  A column of zeros is left alone.
    """
    *batch, m, n = a.shape
    count, least = math.prod(batch), min(m, n)
    lu = np.array(a, order="C").reshape(count, m, n)
    pivots = np.zeros((count, least), np.int32)
    rows = np.tile(np.arange(m), (count, 1))
    each = np.arange(count)
    for start in range(0, least, BLOCK):
        stop = min(start + BLOCK, least)
        for k in range(start, stop):
            chosen = k + _sizes(lu[:, k:, k]).argmax(-1)
            pivots[:, k] = chosen + 1
            for array in (lu, rows):
                array[each, k], array[each, chosen] = array[each, chosen], array[each, k].copy()
            pivot = lu[:, k, k, None]
            lu[:, k + 1 :, k] /= np.where(pivot == 0, 1, pivot)
            lu[:, k + 1 :, k + 1 : stop] -= lu[:, k + 1 :, k, None] * lu[:, k, None, k + 1 : stop]
        if stop < n:
            top = substituted(lu[:, start:stop, start:stop], lu[:, start:stop, stop:], False, True)
            lu[:, start:stop, stop:] = top
            lu[:, stop:, stop:] -= lu[:, stop:, start:stop] @ top
    return lu.reshape(a.shape), pivots.reshape(*batch, least), rows.reshape(*batch, m)


def rows_of(pivots: np.ndarray, extent: int) -> np.ndarray:
    """The order in which exchanges of rows leave ``extent`` rows: (…, k) → (…, extent)."""
    *batch, steps = pivots.shape
    flat = np.asarray(pivots, np.int64).reshape(math.prod(batch), steps)
    rows = np.tile(np.arange(extent), (len(flat), 1))
    each = np.arange(len(flat))
    for k in range(steps):
        chosen = flat[:, k] - 1
        rows[each, k], rows[each, chosen] = rows[each, chosen], rows[each, k].copy()
    return rows.reshape(*batch, extent)


# ---- symmetric, indefinite -----------------------------------------------------------------------

ALPHA = (1 + 17**0.5) / 8
"""How large a pivot on the diagonal must be, relative to its column (Bunch and Kaufman, 1977)."""


def symmetric_factored(
    a: np.ndarray, hermitian: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(LD, pivots, info) with A = L D Lᵀ by diagonal pivoting; only the lower triangle is read.

    If ``hermitian``, A = L D Lᴴ, and the diagonal counts as real.

    (…, n, n) → (…, n, n), (…, n), (…).  D has blocks of extent 1 and 2; it and L (unit diagonal)
    share the lower triangle, above which are zeros.  A positive pivot says that these two rows and
    columns were exchanged, two equal negative ones belong to a block of extent 2.  ``info`` counts
    from 1 the first block that is zero, 0 if none is.  (Bunch and Kaufman, 1977.)
    """
    *batch, n, _ = a.shape
    flat = np.tril(a).reshape(math.prod(batch), n, n)
    if hermitian:
        flat[:, range(n), range(n)] = flat[:, range(n), range(n)].real
    pivots = np.zeros((len(flat), n), np.int32)
    info = np.zeros(len(flat), np.int32)
    for i in range(len(flat)):
        info[i] = _symmetric_steps(flat[i], pivots[i], hermitian)
    return flat.reshape(a.shape), pivots.reshape(*batch, n), info.reshape(batch)


def _turned(a: np.ndarray, hermitian: bool) -> np.ndarray:
    """Aᵀ, or Aᴴ."""
    return np.asarray(a.T.conj() if hermitian else a.T)


def _symmetric_steps(a: np.ndarray, pivots: np.ndarray, hermitian: bool) -> int:
    """One matrix, in place; the first zero block, from 1 on."""
    n, k, info = len(a), 0, 0
    while k < n:
        step, chosen = _symmetric_pivot(a, k)
        if step == 0:
            info, step, chosen = info or k + 1, 1, k
        elif chosen != k + step - 1:
            _exchange(a, k, k + step - 1, chosen, hermitian)
        if step == 1:
            pivots[k] = chosen + 1
            if k + 1 < n and a[k, k] != 0:
                column = a[k + 1 :, k : k + 1].copy()
                a[k + 1 :, k + 1 :] -= np.tril(column @ (_turned(column, hermitian) / a[k, k]))
                a[k + 1 :, k] /= a[k, k]
        else:
            pivots[k] = pivots[k + 1] = -(chosen + 1)
            if k + 2 < n:
                block = _whole(a[k : k + 2, k : k + 2], hermitian)
                columns = a[k + 2 :, k : k + 2].copy()
                scaled = columns @ np.linalg.inv(block)
                a[k + 2 :, k + 2 :] -= np.tril(scaled @ _turned(columns, hermitian))
                a[k + 2 :, k : k + 2] = scaled
        if hermitian:
            a[range(n), range(n)] = a.diagonal().real
        k += step
    return info


def _whole(a: np.ndarray, hermitian: bool) -> np.ndarray:
    """The symmetric matrix of a lower triangle."""
    lower = np.tril(a)
    return np.asarray(lower + _turned(np.tril(lower, -1), hermitian))


def _symmetric_pivot(a: np.ndarray, k: int) -> tuple[int, int]:
    """Extent of the next block (0: the column is zero) and the row that comes into it."""
    own = float(_sizes(a[k, k]))
    if k + 1 == len(a):
        return int(own != 0), k
    below = _sizes(a[k + 1 :, k])
    largest = below.max()
    if max(own, largest) == 0 or np.isnan(own):
        return 0, k
    row = k + 1 + int(below.argmax())
    if own >= ALPHA * largest:
        return 1, k
    others = _sizes(np.concatenate([a[row, k:row], a[row + 1 :, row]])).max()
    if own >= ALPHA * largest * (largest / others):
        return 1, k
    if _sizes(a[row, row]) >= ALPHA * others:
        return 1, row
    return 2, row


def _exchange(a: np.ndarray, k: int, first: int, second: int, hermitian: bool) -> None:
    """Rows and columns exchanged in the lower triangle, from column k on."""
    whole = _whole(a[k:, k:], hermitian)
    i, j = first - k, second - k
    whole[[i, j]] = whole[[j, i]]
    whole[:, [i, j]] = whole[:, [j, i]]
    inside = np.tril_indices(len(whole))
    a[k:, k:][inside] = whole[inside]


def symmetric_solved(
    ld: np.ndarray, pivots: np.ndarray, b: np.ndarray, *, hermitian: bool = False
) -> np.ndarray:
    """X with A X = B from what :func:`symmetric_factored` gives: (…, n, k) → (…, n, k)."""
    *batch, n, _ = ld.shape
    count = math.prod(batch)
    x = np.array(b, order="C").reshape(count, *b.shape[-2:])
    each = zip(ld.reshape(count, n, n), pivots.reshape(count, n), x, strict=True)
    for one, own, found in each:
        _solve_one(one, own, found, hermitian)
    return x.reshape(b.shape)


def _pair_solved(block: np.ndarray, x: np.ndarray) -> np.ndarray:
    """X with B X = Y for a symmetric 2 × 2 matrix, by Cramer's rule; infinite where B is
    singular, as LAPACK's is."""
    (a, b), (c, d) = block
    both: np.ndarray = np.stack([d * x[0] - b * x[1], a * x[1] - c * x[0]])
    return np.asarray(both / (a * d - b * c))


def _solve_one(ld: np.ndarray, pivots: np.ndarray, x: np.ndarray, hermitian: bool) -> None:
    starts, k = [], 0
    while k < len(ld):
        starts.append(k)
        k += 1 if pivots[k] > 0 else 2
    for k in starts:  # D⁻¹ L⁻¹, with the exchanges on the way
        step = 1 if pivots[k] > 0 else 2
        last, chosen = k + step - 1, abs(int(pivots[k])) - 1
        x[[last, chosen]] = x[[chosen, last]]
        x[k + step :] -= ld[k + step :, k : k + step] @ x[k : k + step]
        block = _whole(ld[k : k + step, k : k + step], hermitian)
        x[k : k + step] = x[k] / block[0, 0] if step == 1 else _pair_solved(block, x[k : k + 2])
    for k in reversed(starts):
        step = 1 if pivots[k] > 0 else 2
        last, chosen = k + step - 1, abs(int(pivots[k])) - 1
        x[k : k + step] -= _turned(ld[k + step :, k : k + step], hermitian) @ x[k + step :]
        x[[last, chosen]] = x[[chosen, last]]
