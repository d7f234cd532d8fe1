"""The matrix product, the one contraction that everything linear is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.base.shapes import Shape, broadcast_shapes
from pellucid.graph.node import Sample, Spec
from pellucid.ops.registry import Value, apply, define, ramp, require_float, same_dtype, sum_to
from pellucid.ops.rows import Rows, aligned
from pellucid.ops.structure import reshape, transpose


def mismatch(a: Shape, b: Shape, vectors: bool = False) -> ShapeError:
    """The error for factors of these shapes, with the likely fix; ``vectors`` may be factors."""
    rows = f"the last but one of the second ({b[-2] if len(b) > 1 else 'none'})"
    if vectors and len(b) == 1:
        rows = f"that of the second ({b[0]})"
    hint = "transpose one of them, or check the number of features"
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
        hint = "transpose the second: a @ b.transpose(-2, -1)"
    elif len(a) > 1 and len(b) > 1 and a[-2] == b[-2]:
        hint = "transpose the first: a.transpose(-2, -1) @ b"
    return ShapeError(
        f"matmul got shapes {a} and {b}: the last extent of the first "
        f"({a[-1] if a else 'none'}) must equal {rows}",
        hint,
    )


def _infer(a: Spec, b: Spec) -> Spec:
    dtype = same_dtype("matmul", a, b)
    if dtype.kind == "bool":
        require_float("matmul", a)
    if len(a.shape) < 2 or len(b.shape) < 2 or a.shape[-1] != b.shape[-2]:
        raise mismatch(a.shape, b.shape)
    return Spec((*broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), dtype)


def swap(x: Value) -> Value:
    """The last two axes exchanged: each matrix transposed."""
    rank = len(x.shape)
    return transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def _gradient(g: Value, y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    return sum_to(matmul(g, swap(b)), a.shape), sum_to(matmul(swap(a), g), b.shape)


def _samples() -> Iterable[Sample]:
    yield Sample((ramp(3, 4), ramp(4, 5)))
    yield Sample((ramp(2, 3, 4), ramp(2, 4, 2)))
    yield Sample((ramp(2, 1, 3, 4), ramp(3, 4, 2)))
    yield Sample((ramp(1, 7), ramp(7, 1)))
    yield Sample((ramp(3, 0), ramp(0, 2)))


def _batch(inputs: Sequence[Value], batched: Sequence[bool], rows: Rows) -> Value:
    """Rows times one matrix are the rows of one product; others are many products."""
    a, b = inputs
    if batched[1] or len(b.shape) > 2:
        return matmul(*aligned(inputs, batched))
    lead = tuple(a.shape[:-1])
    flat = matmul(reshape(a, (math.prod(lead), a.shape[-1])), b)
    return reshape(flat, (*lead, b.shape[-1]))


MATMUL = define(
    "matmul",
    "contraction",
    "c[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]",
    infer=_infer,
    evaluate=lambda a, b: np.matmul(a, b),
    gradient=_gradient,
    samples=_samples,
    reason="its speed depends on tiling that no composition of loops expresses",
    tangent="multilinear",
    batch=_batch,
)


def matmul(a: Value, b: Value) -> Value:
    """Matrix product of the last two axes; the axes before them broadcast.

    Shapes: (..., M, K) and (..., K, N) give (..., M, N).
    """
    return apply(MATMUL, a, b)
