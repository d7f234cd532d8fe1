"""The primitives of linear algebra that LAPACK computes: factors of matrices, triangular systems.

All take stacks of matrices, (…, m, n).  They have no native code: compiled programs call NumPy.
Gradients are written with the factors themselves, so that those of every order exist.  Where
singular values, or eigenvalues, are equal, the factors are no differentiable functions, and what is
divided by the difference is infinite or NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from pellucid.base.dtypes import DType, int32, int64
from pellucid.base.errors import AutogradError, LinAlgError, ShapeError
from pellucid.graph.node import Primitive, Sample, Spec
from pellucid.ops import elementwise as e
from pellucid.ops import indexing, structure
from pellucid.ops.complex import conj, real
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.elimination import (
    factored,
    rows_of,
    substituted,
    symmetric_factored,
    symmetric_solved,
)
from pellucid.ops.registry import (
    PRIMITIVES,
    Value,
    apply,
    define,
    ramp,
    require_float,
    same_dtype,
)
from pellucid.ops.singular_factors import singular_factors

Cotangents = Mapping[int, Value]
Result = Callable[[int], Value]

NONFINITE = "the matrix has entries that are infinite or NaN"


# ---- parts of matrices ---------------------------------------------------------------------------


def check(name: str, a: Spec, square: bool = False, or_complex: bool = False) -> None:
    """Raise unless these are (square) matrices of a type that ``name`` is there for."""
    if not (or_complex and a.dtype.is_complex):
        require_float(name, a)
    if len(a.shape) < 2 or (square and a.shape[-1] != a.shape[-2]):
        kind = "square matrices (…, n, n)" if square else "matrices (…, m, n)"
        raise ShapeError(f"{name} got a tensor of shape {tuple(a.shape)}", f"it needs {kind}")


def _part(x: Value, rows: slice | None = None, columns: slice | None = None) -> Value:
    """Some rows and columns of each matrix; the bounds are given and positive."""
    start, stop = [0] * len(x.shape), list(x.shape)
    for axis, chosen in ((-2, rows), (-1, columns)):
        if chosen is not None:
            start[axis], stop[axis] = chosen.start, chosen.stop
    return structure.slice_(x, start, stop, [1] * len(start))


def _row(x: Value) -> Value:
    """(…, n) → (…, 1, n): a factor for each column."""
    return structure.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def _column(x: Value) -> Value:
    """(…, n) → (…, n, 1): a factor for each row."""
    return structure.reshape(x, (*x.shape, 1))


def _unit(like: Value) -> Value:
    """The identity of the extent of square matrices."""
    return like.lift(np.eye(like.shape[-1], dtype=like.dtype.numpy))


def _masked(x: Value, mask: np.ndarray) -> Value:
    return e.where(x.lift(mask), x, x.lift(np.zeros((), x.dtype.numpy)))


def tril(x: Value, diagonal: int = 0) -> Value:
    """The lower triangle up to a diagonal, zeros above."""
    m, n = x.shape[-2:]
    return _masked(x, np.tri(m, n, diagonal, dtype=bool))


def triu(x: Value, diagonal: int = 0) -> Value:
    """The upper triangle from a diagonal on, zeros below."""
    m, n = x.shape[-2:]
    return _masked(x, ~np.tri(m, n, diagonal - 1, dtype=bool))


def _diagonal_matrix(x: Value) -> Value:
    """(…, n) → (…, n, n) with zeros beside the diagonal, whatever x is."""
    shape = (*x.shape, x.shape[-1])
    return _masked(structure.broadcast_to(_row(x), shape), np.eye(x.shape[-1], dtype=bool))


def _differences(x: Value) -> Value:
    """E[i, j] = x[j] − x[i], and 1 on the diagonal."""
    gaps = e.sub(_row(x), _column(x))
    return e.add(gaps, _unit(gaps))


def adjoint(x: Value) -> Value:
    """Each matrix transposed, its elements conjugated."""
    return conj(swap(x)) if x.dtype.is_complex else swap(x)


def _skew(x: Value) -> Value:
    return e.sub(x, adjoint(x))


def _beside_diagonal(x: Value) -> Value:
    return _masked(x, ~np.eye(x.shape[-1], dtype=bool))


def _real_part(x: Value) -> Value:
    return e.cast(real(x), x.dtype) if x.dtype.is_complex else x


def _own_elements(x: Value) -> Value:
    """The diagonals of square matrices: (…, n, n) → (…, n)."""
    return structure.sum(e.mul(x, _unit(x)), len(x.shape) - 2)


def _sum(*parts: Value | None) -> Value:
    there = [part for part in parts if part is not None]
    total = there[0]
    for part in there[1:]:
        total = e.add(total, part)
    return total


# ---- LAPACK by NumPy -----------------------------------------------------------------------------


def _computed(
    name: str, function: Callable[..., Any], *arrays: np.ndarray
) -> tuple[np.ndarray, ...]:
    """What NumPy gives; raises :class:`LinAlgError` with the first matrix for which it fails."""
    try:
        found = function(*arrays)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            f"linalg.{name}: {_where(function, *arrays)}the iteration did not converge", HINTS[name]
        ) from None
    return (found,) if isinstance(found, np.ndarray) else tuple(map(np.asarray, found))


HINTS = {
    "svd": "look for what made them: too large a step, a division by 0",
    "eig": "look for what made them: too large a step, a division by 0",
    "eigh": "scale the matrix, or use float64",
}


def _where(function: Callable[..., Any], *arrays: np.ndarray) -> str:
    """Which matrix of a stack is the first that fails, in words; empty for a single matrix."""
    first = arrays[0]
    if first.ndim == 2:
        return ""
    flat = [np.reshape(a, (-1, *a.shape[-2:])) for a in arrays if a.shape[:-2] == first.shape[:-2]]
    for number, one in enumerate(zip(*flat, strict=True)):
        try:
            function(*one)
        except np.linalg.LinAlgError:
            return f"(Batch element {number}): "
    return ""


def _wanted(
    found: Mapping[int, np.ndarray], outputs: tuple[int, ...] | None
) -> dict[int, np.ndarray]:
    return {k: v for k, v in found.items() if outputs is None or k in outputs}


def _require_finite(name: str, a: np.ndarray) -> None:
    finite = np.isfinite(a).all((-2, -1))
    if not finite.all():
        number = int(np.argmin(np.reshape(finite, -1)))
        where = f"(Batch element {number}): " if a.ndim > 2 else ""
        raise LinAlgError(f"linalg.{name}: {where}{NONFINITE}", HINTS[name])


# ---- singular values -----------------------------------------------------------------------------


def _in_stacks(name: str) -> Callable[..., list[tuple[Value, bool]]]:
    """The rule for many rows: they are one more leading axis of the matrices."""

    def rule(
        inputs: Sequence[Value],
        batched: Sequence[bool],
        rows: Any,
        numbers: Sequence[int],
        batch: Any,
        **params: Any,
    ) -> list[tuple[Value, bool]]:
        a = inputs[0]
        found = a.apply_results(PRIMITIVES[name], (a,), params, tuple(numbers))
        return [(value, True) for value in found]

    return rule


def _infer_svd(a: Spec, *, full: bool, output: int) -> Spec:
    check("svd", a, or_complex=True)
    *batch, m, n = a.shape
    k = min(m, n)
    shapes = ((m, m if full else k), (k,), (n if full else k, n))
    return Spec((*batch, *shapes[output]), a.dtype.to_real() if output == 1 else a.dtype)


def svd_of(
    a: np.ndarray, *, full: bool, outputs: tuple[int, ...] | None = None
) -> dict[int, np.ndarray]:
    """U, S and Vᴴ of arrays by their numbers: those asked for, or all."""
    _require_finite("svd", a)
    if outputs == (1,):
        return {1: _computed("svd", lambda x: np.linalg.svd(x, False, False), a)[0]}
    found = _computed("svd", lambda x: singular_factors(x, full), a)
    return _wanted(dict(enumerate(found)), outputs)


def _svd_gradient(
    cotangents: Cotangents,
    result: Result,
    inputs: Sequence[Value],
    wanted: Sequence[bool],
    pull: Any,
    *,
    full: bool,
) -> list[Value]:
    """Of A = U S Vᴴ (Townsend, 2016); of the full U and V the columns beyond S carry nothing.

    Of complex matrices the result is that of functions which do not depend on the phases of the
    columns of U and V.  (Wan and Zhang, 2019.)
    """
    dtype = inputs[0].dtype
    u, s, vh = (e.cast(result(k), dtype) for k in range(3))
    (*_, m, n), k = inputs[0].shape, s.shape[-1]
    gu, gs, gvh = (cotangents.get(k) for k in range(3))
    gs = None if gs is None else e.cast(gs, dtype)
    if full:
        u, vh = _part(u, None, slice(0, k)), _part(vh, slice(0, k))
        gu = None if gu is None else _part(gu, None, slice(0, k))
        gvh = None if gvh is None else _part(gvh, slice(0, k))
    turned_u = None if gu is None else _skew(matmul(adjoint(u), gu))
    turned_v = None if gvh is None else _skew(matmul(vh, adjoint(gvh)))
    if turned_u is not None and dtype.is_complex:
        phases = e.div(_own_elements(turned_u), e.add(s, s))
        gs = _sum(gs, phases)
    both = [
        *([] if turned_u is None else [e.mul(turned_u, _row(s))]),
        *([] if turned_v is None else [e.mul(_column(s), turned_v)]),
    ]
    inner = _sum(
        _beside_diagonal(e.div(_sum(*both), _differences(e.mul(s, s)))) if both else None,
        None if gs is None else _diagonal_matrix(gs),
    )
    if gu is not None and m > k:
        beside = e.div(gu, _row(s))
        beside = e.sub(beside, matmul(u, matmul(adjoint(u), beside)))
        return [matmul(e.add(matmul(u, inner), beside), vh)]
    if gvh is not None and n > k:
        beside = e.div(gvh, _column(s))
        beside = e.sub(beside, matmul(matmul(beside, adjoint(vh)), vh))
        return [matmul(u, e.add(matmul(inner, vh), beside))]
    return [matmul(matmul(u, inner), vh)]


def _samples_of(*shapes: tuple[int, ...], count: int, **params: Any) -> Iterable[Sample]:
    for shape in shapes:
        for output in range(count):
            yield Sample((ramp(*shape),), {**params, "output": output})


def _svd_samples() -> Iterable[Sample]:
    yield from _samples_of((3, 3), (4, 2), (2, 2, 3), count=3, full=False)
    yield Sample((ramp(4, 2),), {"full": True, "output": 1})
    yield Sample((ramp(0, 2),), {"full": False, "output": 1})


SVD = define(
    "svd",
    "factors",
    "A = U diag(S) Vh, U and Vh unitary, S ≥ 0 descending",
    infer=_infer_svd,
    evaluate=lambda a, *, full, output: svd_of(a, full=full, outputs=(output,))[output],
    gradient=_svd_gradient,
    samples=_svd_samples,
    reason="an iteration until convergence, which LAPACK has",
    results=svd_of,
    host=True,
    tangent="reverse",
    batch=_in_stacks("svd"),
)


# ---- eigenvalues of symmetric matrices -----------------------------------------------------------


def _infer_eigh(a: Spec, *, upper: bool, output: int) -> Spec:
    check("eigh", a, square=True, or_complex=True)
    return Spec(a.shape[:-1], a.dtype.to_real()) if output == 0 else a


def eigh_of(
    a: np.ndarray, *, upper: bool, outputs: tuple[int, ...] | None = None
) -> dict[int, np.ndarray]:
    """Eigenvalues and eigenvectors of arrays by their numbers: those asked for, or both."""
    triangle: Literal["L", "U"] = "U" if upper else "L"
    bad = ~np.isfinite(a).all((-2, -1))
    even = (a + a.swapaxes(-1, -2).conj()) / 2
    if bad.any():
        even = np.where(bad[..., None, None], 0, even).astype(a.dtype)
    if outputs == (0,):
        found = _computed("eigh", lambda x: np.linalg.eigvalsh(x, triangle), even)
    else:
        found = _computed("eigh", lambda x: np.linalg.eigh(x, triangle), even)
    for part in found if bad.any() else ():
        part[bad] = np.nan
    return _wanted(dict(enumerate(found)), outputs)


def _eigh_gradient(
    cotangents: Cotangents,
    result: Result,
    inputs: Sequence[Value],
    wanted: Sequence[bool],
    pull: Any,
    *,
    upper: bool,
) -> list[Value]:
    """V (skew(Vᴴ V̄) / 2E + diag L̄) Vᴴ with E[i, j] = l[j] − l[i]  (Magnus, 1985)."""
    vectors = result(1)
    values = e.cast(result(0), vectors.dtype)
    gl, gv = cotangents.get(0), cotangents.get(1)
    inner = None if gl is None else _diagonal_matrix(e.cast(gl, vectors.dtype))
    if gv is not None:
        turned = e.mul(_skew(matmul(adjoint(vectors), gv)), gv.lift(gv.dtype.array(0.5)))
        inner = _sum(_beside_diagonal(e.div(turned, _differences(values))), inner)
    return [matmul(matmul(vectors, inner), adjoint(vectors))]


EIGH = define(
    "eigh",
    "factors",
    "(A + Aᴴ)/2 = V diag(L) Vᴴ, V unitary, L ascending; LAPACK reads the lower or upper half",
    infer=_infer_eigh,
    evaluate=lambda a, *, upper, output: eigh_of(a, upper=upper, outputs=(output,))[output],
    gradient=_eigh_gradient,
    samples=lambda: [
        *_samples_of((3, 3), (2, 2, 2), count=2, upper=False),
        *_samples_of((3, 3), count=2, upper=True),
    ],
    reason="an iteration until convergence, which LAPACK has",
    results=eigh_of,
    host=True,
    tangent="reverse",
    batch=_in_stacks("eigh"),
)


# ---- eigenvalues of any matrices -----------------------------------------------------------------


def _infer_eig(a: Spec, *, output: int) -> Spec:
    if not a.dtype.is_differentiable or a.dtype.is_narrow:
        require_float("eig", a)
    if len(a.shape) < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"eig got a tensor of shape {tuple(a.shape)}", "it needs square matrices (…, n, n)"
        )
    return Spec(a.shape[:-1] if output == 0 else a.shape, a.dtype.to_complex())


def _eig(a: np.ndarray, *, outputs: tuple[int, ...] | None = None) -> dict[int, np.ndarray]:
    _require_finite("eig", a)
    kind = np.complex64 if a.dtype in (np.float32, np.complex64) else np.complex128
    if outputs == (0,):
        return {0: _computed("eig", np.linalg.eigvals, a)[0].astype(kind)}
    values, vectors = _computed("eig", np.linalg.eig, a)
    found = {0: values.astype(kind), 1: vectors.astype(kind)}
    if outputs is None or 2 in outputs:
        try:
            inverse: Any = np.linalg.inv
            found[2] = inverse(found[1])
        except np.linalg.LinAlgError:  # too few directions: there is no gradient
            found[2] = np.full_like(found[1], np.nan)
    return _wanted(found, outputs)


def _eig_gradient(
    cotangents: Cotangents,
    result: Result,
    inputs: Sequence[Value],
    wanted: Sequence[bool],
    pull: Any,
) -> list[Value]:
    """V⁻ᴴ ((Vᴴ V̄ − Vᴴ V Re diag(Vᴴ V̄)) / Ē + diag L̄) Vᴴ with E[i, j] = l[j] − l[i]: the columns
    of V have length 1.  (Boeddeker, Hanebrink et al., 2017.)"""
    values, vectors, inverse = (result(k) for k in range(3))
    turned, back = adjoint(vectors), adjoint(inverse)
    gl, gv, gw = (cotangents.get(k) for k in range(3))
    if gw is not None:  # of the inverse, which higher derivatives read
        gv = _sum(gv, e.neg(matmul(back, matmul(gw, back))))
    inner = None if gl is None else _diagonal_matrix(gl)
    if gv is not None:
        moved = matmul(turned, gv)
        kept = _real_part(_own_elements(moved))
        moved = e.sub(moved, e.mul(matmul(turned, vectors), _row(kept)))
        inner = _sum(e.div(moved, conj(_differences(values))), inner)
    found = matmul(matmul(back, inner), turned)
    return [found if inputs[0].dtype.is_complex else real(found)]


EIG = define(
    "eig",
    "factors",
    "A = V diag(L) V^-1, complex, the columns of V of length 1; and V^-1",
    infer=_infer_eig,
    evaluate=lambda a, *, output: _eig(a, outputs=(output,))[output],
    gradient=_eig_gradient,
    samples=lambda: [
        Sample((0.2 * ramp(3, 3) + np.diag([1.0, 2.5, -1.0]),), {"output": k}) for k in range(3)
    ],
    reason="an iteration until convergence, which LAPACK has",
    results=_eig,
    host=True,
    tangent="reverse",
    batch="leading",
)


# ---- orthogonal and upper triangular -------------------------------------------------------------


def _infer_qr(a: Spec, *, complete: bool, output: int) -> Spec:
    check("qr", a, or_complex=True)
    *batch, m, n = a.shape
    k = m if complete else min(m, n)
    return Spec((*batch, m, k) if output == 0 else (*batch, k, n), a.dtype)


def _qr(
    a: np.ndarray, *, complete: bool, outputs: tuple[int, ...] | None = None
) -> dict[int, np.ndarray]:
    if outputs == (1,) and not complete:
        return {1: np.asarray(np.linalg.qr(a, "r"))}
    found = np.linalg.qr(a, "complete" if complete else "reduced")
    return _wanted(dict(enumerate(found)), outputs)


def _qr_gradient(
    cotangents: Cotangents,
    result: Result,
    inputs: Sequence[Value],
    wanted: Sequence[bool],
    pull: Any,
    *,
    complete: bool,
) -> list[Value]:
    """(Q̄ + Q sym(M)) R⁻ᴴ with M = R R̄ᴴ − Q̄ᴴ Q, sym copying the lower triangle to the upper one;
    of a wide A = (A₁ A₂), R = (R₁ Qᴴ A₂).  (Roberts and Roberts, 2020.)"""
    a, q, r = inputs[0], result(0), result(1)
    m, n = a.shape[-2:]
    gq, gr = cotangents.get(0), cotangents.get(1)
    if complete and m > n:
        raise AutogradError(
            "the columns of Q beyond those of A have no derivative: linalg.qr was asked for "
            f'mode="complete" of matrices with {m} rows and {n} columns',
            'use mode="reduced"',
        )
    beside = None
    if m < n:
        right = _part(a, None, slice(m, n))
        if gr is not None:
            moved = _part(gr, None, slice(m, n))
            beside = matmul(q, moved)
            gq = _sum(gq, matmul(right, adjoint(moved)))
            gr = _part(gr, None, slice(0, m))
        else:
            beside = e.mul(right, right.lift(right.dtype.array(0)))
        r = _part(r, None, slice(0, m))
    first = None if gr is None else matmul(r, adjoint(gr))
    second = None if gq is None else e.neg(matmul(adjoint(gq), q))
    mixed = _sum(first, second)
    below = tril(mixed, -1)
    even = e.add(e.add(below, adjoint(below)), _diagonal_matrix(_real_part(_own_elements(mixed))))
    right_side = _sum(gq, matmul(q, even))
    found = adjoint(solve_triangular(r, adjoint(right_side), upper=True))
    return [found if beside is None else structure.concatenate([found, beside], len(a.shape) - 1)]


def _qr_samples() -> Iterable[Sample]:
    yield from _samples_of((3, 3), (4, 2), (2, 2, 3), count=2, complete=False)
    yield from _samples_of((2, 4), count=2, complete=True)


QR = define(
    "qr",
    "factors",
    "A = Q R, Q unitary, R upper triangular",
    infer=_infer_qr,
    evaluate=lambda a, *, complete, output: _qr(a, complete=complete, outputs=(output,))[output],
    gradient=_qr_gradient,
    samples=_qr_samples,
    reason="reflections one after the other, which LAPACK has in blocks",
    results=_qr,
    host=True,
    tangent="reverse",
    batch=_in_stacks("qr"),
)


def _infer_reflectors(a: Spec, *, output: int) -> Spec:
    check("geqrf", a, or_complex=True)
    return a if output == 0 else Spec((*a.shape[:-2], min(a.shape[-2:])), a.dtype)


def _reflectors(a: np.ndarray, *, outputs: tuple[int, ...] | None = None) -> dict[int, np.ndarray]:
    turned, scales = np.linalg.qr(a, "raw")
    return _wanted({0: turned.swapaxes(-1, -2), 1: scales}, outputs)


REFLECTORS = define(
    "qr_reflectors",
    "factors",
    "R above the diagonal, below it the vectors v of the reflections 1 − τ v vᵀ whose product is Q",
    infer=_infer_reflectors,
    evaluate=lambda a, *, output: _reflectors(a, outputs=(output,))[output],
    gradient=None,
    samples=lambda: _samples_of((3, 3), (4, 2), (2, 2, 3), count=2),
    reason="the form in which LAPACK keeps Q, which ormqr and householder_product take",
    results=_reflectors,
    host=True,
    tangent="zero",
    batch=_in_stacks("qr_reflectors"),
)


# ---- triangular systems --------------------------------------------------------------------------


def _infer_triangular(a: Spec, b: Spec, *, upper: bool, unit: bool) -> Spec:
    same_dtype("solve_triangular", a, b)
    check("solve_triangular", a, square=True, or_complex=True)
    if len(b.shape) != len(a.shape) or b.shape[:-1] != a.shape[:-1]:
        raise ShapeError(
            f"solve_triangular got matrices {tuple(a.shape)} and right sides {tuple(b.shape)}",
            "the right sides have as many rows as the matrices",
        )
    return b


def _triangular_gradient(
    g: Value, x: Value, a: Value, b: Value, *, upper: bool, unit: bool
) -> tuple[Value, Value]:
    back = solve_triangular(adjoint(a), g, not upper, unit)
    whole = e.neg(matmul(back, adjoint(x)))
    return (triu(whole, int(unit)) if upper else tril(whole, -int(unit))), back


def _triangular_samples() -> Iterable[Sample]:
    a = ramp(2, 3, 3) + 3 * np.eye(3)
    for upper in (False, True):
        yield Sample((a, ramp(2, 3, 2)), {"upper": upper, "unit": False})
        yield Sample((ramp(2, 2), ramp(2, 3)), {"upper": upper, "unit": True})
    yield Sample((a[:, :0, :0], ramp(2, 0, 2)), {"upper": True, "unit": False})


TRIANGULAR = define(
    "solve_triangular",
    "factors",
    "X with A X = B, A triangular",
    infer=_infer_triangular,
    evaluate=substituted,
    gradient=_triangular_gradient,
    samples=_triangular_samples,
    reason="each row of the result needs those before it",
    host=True,
    tangent="reverse",
    batch="leading",
)


def solve_triangular(a: Value, b: Value, upper: bool, unit: bool = False) -> Value:
    """X with A X = B, of A only a triangle (without its diagonal if ``unit``) being read.

    Shapes: (…, n, n) and (…, n, k), the leading axes the same, give (…, n, k).
    """
    return apply(TRIANGULAR, a, b, upper=upper, unit=unit)


# ---- lower and upper triangular ------------------------------------------------------------------


def _infer_lu(a: Spec, *, output: int) -> Spec:
    check("lu", a, or_complex=True)
    *batch, m, n = a.shape
    shapes: tuple[tuple[tuple[int, ...], DType], ...] = (
        ((m, n), a.dtype),
        ((min(m, n),), int32),
        ((m,), int64),
    )
    return Spec((*batch, *shapes[output][0]), shapes[output][1])


def _lu(a: np.ndarray, *, outputs: tuple[int, ...] | None = None) -> dict[int, np.ndarray]:
    return _wanted(dict(enumerate(factored(a))), outputs)


def _lu_gradient(
    cotangents: Cotangents,
    result: Result,
    inputs: Sequence[Value],
    wanted: Sequence[bool],
    pull: Any,
) -> list[Value | None]:
    """L⁻ᵀ (tril(Lᵀ L̄, −1) + triu(Ū Uᵀ)) U⁻ᵀ, the rows put back; what lies below or beside the
    square part is a triangular system."""
    a, g = inputs[0], cotangents.get(0)
    if g is None:
        return [None]
    lu, rows = result(0), result(2)
    m, n = a.shape[-2:]
    k = min(m, n)
    square = _part(lu, slice(0, k), slice(0, k))
    lower, upper = e.add(tril(square, -1), _unit(square)), triu(square)
    inner = _part(g, slice(0, k), slice(0, k))
    gl, gu = tril(inner, -1), triu(inner)
    rest = None
    if m > n:
        below, own = (_part(x, slice(k, m)) for x in (lu, g))
        rest = adjoint(solve_triangular(square, adjoint(own), upper=True))
        gu = e.sub(gu, triu(matmul(adjoint(below), rest)))
    elif n > m:
        beside, own = (_part(x, None, slice(k, n)) for x in (lu, g))
        rest = solve_triangular(adjoint(square), own, upper=True, unit=True)
        gl = e.sub(gl, tril(matmul(rest, adjoint(beside)), -1))
    middle = e.add(tril(matmul(adjoint(lower), gl), -1), triu(matmul(gu, adjoint(upper))))
    left = solve_triangular(adjoint(square), middle, upper=True, unit=True)
    found = adjoint(solve_triangular(square, adjoint(left), upper=True))
    if rest is not None:
        found = structure.concatenate([found, rest], len(a.shape) - (2 if m > n else 1))
    place = structure.broadcast_to(_column(rows), found.shape)
    empty = e.mul(found, found.lift(found.dtype.array(0)))
    return [indexing.scatter(empty, place, found, len(a.shape) - 2, "write")]


LU = define(
    "lu",
    "factors",
    "A[rows] = L U, L with ones on its diagonal and U in one array; the pivots; the rows",
    infer=_infer_lu,
    evaluate=lambda a, *, output: _lu(a, outputs=(output,))[output],
    gradient=_lu_gradient,
    samples=lambda: _samples_of((3, 3), (4, 2), (2, 2, 3), count=3),
    reason="each column needs those before it, and the order of rows follows from values",
    results=_lu,
    host=True,
    tangent="reverse",
    batch=_in_stacks("lu"),
)


def _infer_rows(pivots: Spec, *, extent: int) -> Spec:
    return Spec((*pivots.shape[:-1], extent), int64)


PIVOT_ROWS = define(
    "pivot_rows",
    "factors",
    "the order in which the exchanges i ↔ pivots[i] − 1, one after the other, leave the rows",
    infer=_infer_rows,
    evaluate=lambda pivots, *, extent: rows_of(pivots, extent),
    gradient=None,
    samples=lambda: [
        Sample((np.array([[3, 2, 4], [1, 3, 3]], np.int32),), {"extent": 4}),
        Sample((np.array([2], np.int32),), {"extent": 2}),
    ],
    reason="each exchange needs those before it",
    host=True,
    tangent="zero",
    batch="leading",
)


# ---- symmetric, indefinite -----------------------------------------------------------------------


def _infer_ldl(a: Spec, *, hermitian: bool, output: int) -> Spec:
    check("ldl_factor", a, square=True, or_complex=True)
    return (a, Spec(a.shape[:-1], int32), Spec(a.shape[:-2], int32))[output]


def _ldl(
    a: np.ndarray, *, hermitian: bool, outputs: tuple[int, ...] | None = None
) -> dict[int, np.ndarray]:
    return _wanted(dict(enumerate(symmetric_factored(a, hermitian))), outputs)


LDL = define(
    "ldl",
    "factors",
    "A = L D Lᵀ (Lᴴ), D of blocks of extent 1 and 2, in one array; pivots; the first zero block",
    infer=_infer_ldl,
    evaluate=lambda a, *, hermitian, output: _ldl(a, hermitian=hermitian, outputs=(output,))[
        output
    ],
    gradient=None,
    samples=lambda: _samples_of((3, 3), (2, 2, 2), count=3, hermitian=False),
    reason="each column needs those before it, and the order of rows follows from values",
    results=_ldl,
    host=True,
    tangent="zero",
    batch=_in_stacks("ldl"),
)


def _infer_ldl_solve(ld: Spec, pivots: Spec, b: Spec, *, hermitian: bool) -> Spec:
    same_dtype("ldl_solve", ld, b)
    check("ldl_solve", ld, square=True, or_complex=True)
    return b


LDL_SOLVE = define(
    "ldl_solve",
    "factors",
    "X with L D Lᵀ X = B, or L D Lᴴ X = B",
    infer=_infer_ldl_solve,
    evaluate=symmetric_solved,
    gradient=None,
    samples=lambda: [
        Sample(
            (ramp(3, 3) + 3 * np.eye(3), np.array([1, 2, 3], np.int32), ramp(3, 2)),
            {"hermitian": False},
        ),
        Sample(
            (ramp(2, 2, 2), np.array([[-2, -2], [1, 2]], np.int32), ramp(2, 2, 1)),
            {"hermitian": False},
        ),
    ],
    reason="each row of the result needs those before it",
    host=True,
    tangent="zero",
    batch="leading",
)


def results_of(primitive: Primitive, a: Value, count: int, **params: Any) -> list[Value]:
    """The first ``count`` results of a factorization."""
    found: list[Value] = a.apply_results(primitive, (a,), params, tuple(range(count)))
    return found
