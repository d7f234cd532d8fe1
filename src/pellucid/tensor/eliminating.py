"""Elimination and factors as loops of tensor operations, for matrices whose values are not known.

In compiled functions :mod:`pellucid.tensor.solving` cannot ask LAPACK.  These loops take one pivot
a step; compile time does not grow with the size.  Rows and columns are chosen by masks, so that
all matrices of a batch take their steps together.  (Golub and Van Loan, 2013, chapter 3.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.ops import elementwise, structure
from pellucid.tensor.core import lift
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.scan import scan


def _line(n: int) -> Any:
    return lift(np.arange(n, dtype=np.int64))


def _zero(like: Any) -> Any:
    return as_operand(0.0, like.dtype)


def _row(matrix: Any, mask: Any) -> Any:
    """The row (…, 1, m) that a mask (…, n, 1) names."""
    return elementwise.where(mask, matrix, _zero(matrix)).sum(-2, True)


def _column(matrix: Any, mask: Any) -> Any:
    """The column (…, n, 1) that a mask (…, 1, m) names."""
    return elementwise.where(mask, matrix, _zero(matrix)).sum(-1, True)


def _rows_exchanged(matrix: Any, first: Any, second: Any) -> Any:
    """Two rows, named by masks (…, n, 1), exchanged."""
    one, other = _row(matrix, first), _row(matrix, second)
    return elementwise.where(first, other, elementwise.where(second, one, matrix))


def _nonzero(pivot: Any) -> Any:
    """The pivot, or 1: where it is 0 all that is left is 0."""
    return pivot.masked_fill(pivot.eq(0), 1.0)


def pivots(a: Any) -> tuple[Any, Any]:
    """(sign of the exchanges, pivots) by complete pivoting: (…, n, n) → (…), (n, …).

    Their product is the determinant, with the right gradient also where it is 0: a pivot is only 0
    where everything that is left is.
    """
    n = a.shape[-1]
    rows, columns = _line(n).unsqueeze(-1), _line(n)

    def step(carry: tuple[Any, Any], k: Any) -> tuple[tuple[Any, Any], Any]:
        matrix, sign = carry
        left = rows.ge(k).logical_and(columns.ge(k))
        size = elementwise.where(left, matrix.detach().abs(), as_operand(-1.0, a.dtype.to_real()))
        place = structure.reshape(size, (*a.shape[:-2], n * n)).argmax(-1)
        row, column = place.floor_divide(n), place.remainder(n)
        moves = [elementwise.cast(t.ne(k), a.dtype) for t in (row, column)]
        sign = sign * (1 - 2 * moves[0]) * (1 - 2 * moves[1])
        row, column = (t.unsqueeze(-1).unsqueeze(-1) for t in (row, column))
        matrix = _rows_exchanged(matrix, rows.eq(k), rows.eq(row))
        matrix = _rows_exchanged(matrix.mT, rows.eq(k), rows.eq(column)).mT
        top, side = _row(matrix, rows.eq(k)), _column(matrix, columns.eq(k))
        pivot = _column(top, columns.eq(k))
        lower = elementwise.where(rows.gt(k), side / _nonzero(pivot), _zero(a))
        return (matrix - lower * top, sign), pivot.squeeze(-1).squeeze(-1)

    ones = structure.broadcast_to(as_operand(1.0, a.dtype), tuple(a.shape[:-2]))
    (_, sign), found = scan(step, (a, ones), _line(n))
    return sign, found


def inverse(a: Any) -> tuple[Any, Any]:
    """(A⁻¹, pivots) by Gauss and Jordan with partial pivoting: (…, n, n) → (…, n, n), (n, …).

    A pivot of 0 says that the matrix is singular; the inverse is then not one.
    """
    n = a.shape[-1]
    rows, columns = _line(n).unsqueeze(-1), _line(2 * n)
    unit = structure.broadcast_to(lift(np.eye(n, dtype=a.dtype.numpy)), tuple(a.shape))
    both = structure.concatenate([a, unit], len(a.shape) - 1)

    def step(matrix: Any, k: Any) -> tuple[Any, Any]:
        side = _column(matrix, columns.eq(k))
        size = elementwise.where(rows.ge(k), side.abs(), as_operand(-1.0, a.dtype.to_real()))
        row = size.squeeze(-1).argmax(-1).unsqueeze(-1).unsqueeze(-1)
        matrix = _rows_exchanged(matrix, rows.eq(k), rows.eq(row))
        top, side = _row(matrix, rows.eq(k)), _column(matrix, columns.eq(k))
        pivot = _column(top, columns.eq(k))
        top = top / _nonzero(pivot)
        matrix = elementwise.where(rows.eq(k), top, matrix - side * top)
        return matrix, pivot.squeeze(-1).squeeze(-1)

    reduced, found = scan(step, both, _line(n))
    return reduced.narrow(-1, n, n), found


def lower_factor(a: Any) -> tuple[Any, Any]:
    """(L, pivots) with L Lᴴ = A, column by column: (…, n, n) → (…, n, n), (n, …), which are real.

    A pivot that is not positive says that A is not positive definite.
    """
    n = a.shape[-1]
    rows, columns = _line(n).unsqueeze(-1), _line(n)

    def step(matrix: Any, k: Any) -> tuple[Any, tuple[Any, Any]]:
        side = _column(matrix, columns.eq(k))
        pivot = _row(side, rows.eq(k)).real
        column = elementwise.where(rows.ge(k), side / pivot.sqrt(), _zero(a))
        return matrix - column * column.mH, (column.squeeze(-1), pivot.squeeze(-1).squeeze(-1))

    _, (found, diagonal) = scan(step, a, _line(n))
    return found.movedim(0, -1), diagonal
