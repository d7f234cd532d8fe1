"""Fourier transforms as matrix products, for programs that are compiled.

A transform of n = n₁ n₂ elements is n₂ transforms of n₁, a multiplication by roots of unity, and n₁
transforms of n₂ (Cooley and Tukey, 1965; Bailey, 1990); short ones are products with the matrix of
the transform, which the compiler's matrix products are good at.  Long prime factors become a
convolution of composite length (Bluestein, 1970).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from pellucid.compiler.complex_parts import Parts, product
from pellucid.graph.node import Node, constant
from pellucid.ops import elementwise, structure
from pellucid.ops.contraction import matmul

SHORT = 32
"""Transforms of up to so many elements are one product; longer ones are split if they can be."""
LONGEST_PRIME = 256
"""A transform whose length has no factor up to SHORT is one product up to this length."""


@functools.lru_cache(maxsize=64)
def _roots(n: int, rows: int, columns: int, sign: int) -> np.ndarray:
    """e^(± 2πi j k / n) for j < rows and k < columns, exact to the last digit of float64."""
    steps = np.outer(np.arange(rows, dtype=np.int64), np.arange(columns, dtype=np.int64)) % n
    turned: np.ndarray = np.exp(sign * 2j * np.pi * np.arange(n) / n)[steps]
    return turned


def _constant(values: np.ndarray, like: Node) -> Parts:
    """A complex table as two constants of the precision of ``like``."""
    kind = like.dtype.numpy
    return Parts(*(constant(np.ascontiguousarray(p, kind)) for p in (values.real, values.imag)))


def _from_left(matrix: Parts, x: Parts) -> Parts:
    """Matrix (m, n) times x (..., n, r) → (..., m, r)."""
    return product(matrix, x, matmul)


def _split(n: int) -> int:
    """The largest factor of n that is at most SHORT; 1 if there is none."""
    return max((f for f in range(2, SHORT + 1) if n % f == 0), default=1)


def _column(x: Parts, n: int, sign: int) -> Parts:
    """The transform along the last axis but one: (..., n, r) → (..., n, r)."""
    first = _split(n)
    if n == 1:
        return x
    if n <= SHORT or (first == 1 and n <= LONGEST_PRIME):
        return _from_left(_constant(_roots(n, n, n, sign), x.re), x)
    if first == 1:
        return _bluestein(x, n, sign)
    second = n // first
    *lead, _, width = x.re.shape
    # Element j = second · j₁ + j₂; frequency k = k₁ + first · k₂.
    rows = x.each(lambda p: structure.reshape(p, (*lead, first, second * width)))
    inner = _column(rows, first, sign)
    inner = inner.each(lambda p: structure.reshape(p, (*lead, first, second, width)))
    turn = _roots(n, first, second, sign).reshape(first, second, 1)  # (k₁, j₂) -> (k₁, j₂, 1)
    outer = _column(product(inner, _constant(turn, x.re)), second, sign)  # (..., k₁, k₂, r)
    rank = len(lead)
    order = (*range(rank), rank + 1, rank, rank + 2)
    moved = outer.each(lambda p: structure.transpose(p, order))
    return moved.each(lambda p: structure.reshape(p, (*lead, n, width)))


def _bluestein(x: Parts, n: int, sign: int) -> Parts:
    """j k = ½ (j² + k² − (k − j)²) makes a convolution of the sum: with a chirp, of length ≥ 2n."""
    size = 1 << (2 * n - 2).bit_length()
    squares = np.arange(n, dtype=np.int64) ** 2 % (2 * n)
    chirp = np.exp(sign * 1j * np.pi * squares / n)
    line = np.zeros(size, np.complex128)
    line[:n] = chirp.conj()
    line[size - n + 1 :] = chirp[1:][::-1].conj()
    turned = product(x, _constant(chirp[:, None], x.re))
    rank = len(x.re.shape)
    none, high = [0] * rank, [size - n if i == rank - 2 else 0 for i in range(rank)]
    spectrum = _column(turned.each(lambda p: structure.pad(p, none, high)), size, -1)
    weights = np.fft.fft(line) / size
    back = _column(product(spectrum, _constant(weights[:, None], x.re)), size, 1)
    stop = [n if i == rank - 2 else extent for i, extent in enumerate(back.re.shape)]
    kept = back.each(lambda p: structure.slice_(p, none, stop, [1] * rank))
    return product(kept, _constant(chirp[:, None], x.re))


def _along(x: Parts, axis: int, change: Callable[[Parts], Parts]) -> Parts:
    """``change`` of (rows, n, columns), the array cut at ``axis``."""
    shape = x.re.shape
    before, after = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    cut = x.each(lambda p: structure.reshape(p, (before, shape[axis], after)))
    changed = change(cut)
    extent = changed.re.shape[1]
    return changed.each(lambda p: structure.reshape(p, (*shape[:axis], extent, *shape[axis + 1 :])))


def _times(x: Parts, scale: float) -> Parts:
    if scale == 1:
        return x
    return x.each(lambda p: elementwise.mul(p, constant(np.asarray(scale, p.dtype.numpy))))


def fft(x: Parts, axes: tuple[int, ...], inverse: bool, scale: float) -> Parts:
    """The transform along ``axes``; see ``ops.fourier``."""
    sign = 1 if inverse else -1
    for axis in axes:
        x = _along(x, axis, lambda cut: _column(cut, cut.re.shape[1], sign))
    return _times(x, scale)


def rfft(x: Node, axis: int, scale: float) -> Parts:
    """Half of the spectrum of a real value."""
    n = x.shape[axis]
    half = n // 2 + 1

    def change(cut: Parts) -> Parts:
        if n <= 2 * SHORT:
            return _from_left(_constant(_roots(n, half, n, -1), cut.re), cut)
        whole = _column(cut, n, -1)
        stop = [half if i == 1 else extent for i, extent in enumerate(whole.re.shape)]
        return whole.each(lambda p: structure.slice_(p, [0] * 3, stop, [1] * 3))

    return _times(_along(Parts(x), axis, change), scale)


def irfft(x: Parts, axis: int, n: int, scale: float) -> Node:
    """The real value with this half of a spectrum: Re Σ_k w_k X_k e^(2πijk/n)."""
    half = n // 2 + 1
    weights = np.full(half, 2.0)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0

    def change(cut: Parts) -> Parts:
        if n <= 2 * SHORT:
            matrix = _constant(_roots(n, n, half, 1) * weights, cut.re)
            found = matmul(matrix.re, cut.re)
            if cut.im is not None:
                found = elementwise.sub(found, matmul(matrix.imaginary(), cut.im))
            return Parts(found)
        table = constant(weights[:, None].astype(cut.re.dtype.numpy))
        whole = cut.each(
            lambda p: structure.pad(elementwise.mul(p, table), [0] * 3, [0, n - half, 0])
        )
        return Parts(_column(whole, n, 1).re)

    return _times(_along(x, axis, change), scale).re
