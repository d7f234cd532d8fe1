"""Attention as a primitive: the scores of all queries and keys need never stand in memory.

The weights are softmax(scale · Q Kᵀ + mask).  Written out they take queries × keys numbers for
each head, and a product to make, two passes over memory to normalize and another product to use.
A kernel can do it for a block of queries and a block of keys at a time, with a running maximum
and sum, and the gradient can compute the scores again from the logarithm of that sum (Rabe and
Staats, 2021; Dao et al., 2022; Milakov and Gimelshein, 2018, for the running sum).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import as_dtype
from pellucid.base.errors import DTypeError, ShapeError
from pellucid.graph.node import Primitive, Sample, Spec
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.elementwise import add, div, exp, ge, le, mul, sub, where
from pellucid.ops.random import UNIFORM, random_uniform
from pellucid.ops.registry import (
    Value,
    apply,
    define,
    ramp,
    require_float,
    same_dtype,
    scalar,
    sum_to,
)
from pellucid.ops.rows import Rows, all_batched
from pellucid.ops.scan_body import row_by_row
from pellucid.ops.structure import broadcast_to, max_, reshape
from pellucid.ops.structure import sum as sum_

_REASON = (
    "measured: the scores need not be stored (memory linear in the positions), blocks that a "
    "causal mask hides are skipped, and queries, keys and values are read through strides"
)


def _check(q: Spec, k: Spec, v: Spec | None, mask: tuple[Spec, ...]) -> None:
    require_float("attention", q)
    same_dtype("attention", q, k, *([v] if v else []))
    fits = (
        len(q.shape) >= 2
        and q.shape[:-2] == k.shape[:-2]
        and q.shape[-1] == k.shape[-1]
        and (v is None or v.shape[:-1] == k.shape[:-1])
    )
    if not fits:
        shapes = ", ".join(str(s.shape) for s in (q, k, v) if s is not None)
        raise ShapeError(
            f"attention got queries, keys and values of shapes {shapes}",
            "they are (…, L, E), (…, S, E) and (…, S, V) with equal leading axes",
        )
    for spec in mask:
        scores = (*q.shape[:-1], k.shape[-2])
        if len(spec.shape) != len(scores) or any(
            m not in (1, n) for m, n in zip(spec.shape, scores, strict=True)
        ):
            raise ShapeError(
                f"attention got a mask of shape {spec.shape} for scores of shape {scores}",
                "give it as many axes, each of the same extent or 1",
            )
        if spec.dtype.kind != "bool" and spec.dtype is not q.dtype:
            raise DTypeError(
                f"attention got a mask of {spec.dtype.name} for {q.dtype.name}",
                "use bool (True takes part) or the type of the queries (added to the scores)",
            )


def split_extra(extra: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What follows q, k and v: the mask, if there is one, and the state that dropout draws from."""
    drawn = tuple(x for x in extra if str(x.dtype).endswith("int64"))
    return tuple(x for x in extra if not str(x.dtype).endswith("int64")), drawn


# ---- the meaning, in NumPy --------------------------------------------------------------------


def _scores(
    q: np.ndarray, k: np.ndarray, mask: tuple[np.ndarray, ...], scale: float, causal: bool
) -> np.ndarray:
    scores = np.matmul(q, np.swapaxes(k, -1, -2)) * q.dtype.type(scale)
    if causal:
        rows, columns = (np.arange(n) for n in scores.shape[-2:])
        scores = np.where(columns <= rows[:, None], scores, -np.inf)
    for given in mask:
        scores = np.where(given, scores, -np.inf) if given.dtype == bool else scores + given
    return np.asarray(scores, q.dtype)


def _normalized(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights, 0 in rows that are −∞ throughout, and the logarithm of each row's sum."""
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    grown = np.exp(scores - np.where(largest > -np.inf, largest, scores.dtype.type(0)))
    total = grown.sum(-1, keepdims=True)
    divisor = np.where(total == 0, scores.dtype.type(1), total)
    log_sum = np.where(total == 0, -np.inf, largest + np.log(divisor))
    return grown / divisor, log_sum[..., 0]


def _evaluate(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *extra: np.ndarray,
    scale: float,
    causal: bool,
    dropout: float = 0.0,
) -> np.ndarray:
    mask, drawn = split_extra(extra)
    weights = _normalized(_scores(q, k, mask, scale, causal))[0]
    return np.asarray(np.matmul(_kept(weights, drawn, dropout), v))


def _kept(weights: np.ndarray, drawn: tuple[np.ndarray, ...], dropout: float) -> np.ndarray:
    """Weights with each 0 with probability ``dropout``, the others grown to keep the mean."""
    if not drawn:
        return weights
    kind = as_dtype(weights.dtype.name)
    numbers = UNIFORM.evaluate(drawn[0], shape=weights.shape, dtype=kind, lane=0)
    factor = weights.dtype.type(0.0 if dropout == 1 else 1 / (1 - dropout))
    hit = numbers < weights.dtype.type(dropout)
    return np.asarray(np.where(hit, weights.dtype.type(0), weights * factor))


def _evaluate_log_sum(
    q: np.ndarray, k: np.ndarray, *mask: np.ndarray, scale: float, causal: bool
) -> np.ndarray:
    return np.asarray(_normalized(_scores(q, k, mask, scale, causal))[1], q.dtype)


def _evaluate_gradient(
    g: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    result: np.ndarray,
    log_sum: np.ndarray,
    *extra: np.ndarray,
    scale: float,
    causal: bool,
    wrt: int,
    dropout: float = 0.0,
) -> np.ndarray:
    mask, drawn = split_extra(extra)
    weights = _normalized(_scores(q, k, mask, scale, causal))[0]
    if wrt == 2:
        return np.asarray(np.matmul(np.swapaxes(_kept(weights, drawn, dropout), -1, -2), g))
    to_weights = _kept(np.matmul(g, np.swapaxes(v, -1, -2)), drawn, dropout)
    mean = (weights * to_weights).sum(-1, keepdims=True)
    to_scores = weights * (to_weights - mean) * q.dtype.type(scale)
    if wrt == 0:
        return np.asarray(np.matmul(to_scores, k))
    return np.asarray(np.matmul(np.swapaxes(to_scores, -1, -2), q))


# ---- the same, composed of other operations ---------------------------------------------------


def _weights(q: Value, k: Value, mask: tuple[Value, ...], scale: float, causal: bool) -> Value:
    """The weights (…, L, S) as composed operations: for derivatives of derivatives."""
    scores = mul(matmul(q, swap(k)), scalar(q, scale))
    minus_infinity, zero = scalar(q, -math.inf), scalar(q, 0.0)
    if causal:
        rows, columns = scores.shape[-2:]
        seen = le(q.lift(np.arange(columns)), q.lift(np.arange(rows)[:, None]))
        scores = where(seen, scores, minus_infinity)
    for given in mask:
        if given.dtype.kind == "bool":
            scores = where(given, scores, minus_infinity)
        else:
            scores = add(scores, given)
    if not scores.shape[-1]:
        return scores
    axis = len(scores.shape) - 1
    largest = max_(scores, axis, True)
    hidden = le(largest, minus_infinity)
    grown = exp(sub(scores, where(hidden, zero, largest)))
    total = sum_(grown, axis, True)
    return div(grown, where(hidden, scalar(q, 1.0), total))


def _dropped(x: Value, drawn: tuple[Value, ...], dropout: float) -> Value:
    """``x`` (…, L, S) times what dropout makes of the weights: 0 or 1 / (1 − dropout)."""
    if not drawn:
        return x
    numbers = random_uniform(drawn[0], tuple(x.shape), x.dtype)
    factor = scalar(x, 0.0 if dropout == 1 else 1 / (1 - dropout))
    return where(ge(numbers, scalar(x, dropout)), mul(x, factor), scalar(x, 0.0))


def _centred(weights: Value, x: Value) -> Value:
    """weights ∘ (x − Σ weights ∘ x over each row): the derivative of the softmax."""
    return mul(weights, sub(x, _row_sum(mul(weights, x))))


def _row_sum(x: Value) -> Value:
    return sum_(x, len(x.shape) - 1, True)


def _gradient(
    g: Value,
    y: Value,
    q: Value,
    k: Value,
    v: Value,
    *extra: Value,
    scale: float,
    causal: bool,
    dropout: float = 0.0,
) -> tuple[Value | None, ...]:
    mask, drawn = split_extra(extra)
    settings: dict[str, Any] = {"scale": scale, "causal": causal}
    settings |= {"dropout": dropout} if drawn else {}
    log_sum = attention_log_sum(q, k, *mask, scale=scale, causal=causal)
    first = [
        apply(ATTENTION_GRADIENT, g, q, k, v, y, log_sum, *extra, **settings, wrt=wrt)
        for wrt in range(3)
    ]
    if not mask or mask[0].dtype.kind == "bool":
        return (*first, *[None] * len(extra))
    weights = _weights(q, k, mask, scale, causal)
    to_weights = _dropped(matmul(g, swap(v)), drawn, dropout)
    to_mask = sum_to(_centred(weights, to_weights), tuple(mask[0].shape))
    return (*first, to_mask, *[None] * len(drawn))


def _log_sum_gradient(
    g: Value, y: Value, q: Value, k: Value, *mask: Value, scale: float, causal: bool
) -> tuple[Value | None, ...]:
    weights = _weights(q, k, mask, scale, causal)
    to_scores = mul(weights, reshape(g, (*g.shape, 1)))
    scaled = mul(to_scores, scalar(q, scale))
    to_mask = [None if m.dtype.kind == "bool" else sum_to(to_scores, tuple(m.shape)) for m in mask]
    return (matmul(scaled, k), matmul(swap(scaled), q), *to_mask)


def _second_gradient(
    u: Value,
    y: Value,
    g: Value,
    q: Value,
    k: Value,
    v: Value,
    result: Value,
    log_sum: Value,
    *extra: Value,
    scale: float,
    causal: bool,
    wrt: int,
    dropout: float = 0.0,
) -> tuple[Value | None, ...]:
    """Derivatives of a gradient; what the forward pass kept counts as a function of q, k, v."""
    mask, drawn = split_extra(extra)
    factor = scalar(q, scale)
    weights = _weights(q, k, mask, scale, causal)
    to_weights = _dropped(matmul(g, swap(v)), drawn, dropout)
    mean = _row_sum(mul(weights, to_weights))
    to_q: Value | None = None
    to_k: Value | None = None
    if wrt == 2:
        along = _dropped(matmul(g, swap(u)), drawn, dropout)  # cotangent of the weights
        to_g, to_v = matmul(_dropped(weights, drawn, dropout), u), None
    else:
        to_scores = mul(mul(weights, sub(to_weights, mean)), factor)
        if wrt == 0:
            x = mul(matmul(u, swap(k)), factor)
            to_k = matmul(swap(to_scores), u)
        else:
            x = mul(matmul(q, swap(u)), factor)
            to_q = matmul(to_scores, u)
        inner = _row_sum(mul(x, weights))
        along = sub(mul(x, sub(to_weights, mean)), mul(inner, to_weights))
        through = _dropped(mul(weights, sub(x, inner)), drawn, dropout)  # of g · v
        to_g, to_v = matmul(through, v), matmul(swap(through), g)
    to_scores = _centred(weights, along)
    scaled = mul(to_scores, factor)
    more_q, more_k = matmul(scaled, k), matmul(swap(scaled), q)
    to_mask = [None if m.dtype.kind == "bool" else sum_to(to_scores, tuple(m.shape)) for m in mask]
    return (
        to_g,
        more_q if to_q is None else add(to_q, more_q),
        more_k if to_k is None else add(to_k, more_k),
        to_v,
        None,
        None,
        *to_mask,
        *[None] * len(drawn),
    )


# ---- tangents, and many rows at once ----------------------------------------------------------


def _to_weights(tangents: Sequence[Value | None], q: Value, k: Value, scale: float) -> Value | None:
    """The tangent of the scores, from those of q, k and the mask."""
    to_q, to_k, *to_mask = tangents
    parts = [] if to_q is None else [matmul(to_q, swap(k))]
    parts += [] if to_k is None else [matmul(q, swap(to_k))]
    parts = [mul(part, scalar(q, scale)) for part in parts]
    parts += [part for part in to_mask if part is not None]
    total: Value | None = None
    for part in parts:
        total = part if total is None else add(total, part)
    return total


def _tangent(
    tangents: Sequence[Value | None],
    y: Value,
    q: Value,
    k: Value,
    v: Value,
    *extra: Value,
    scale: float,
    causal: bool,
    dropout: float = 0.0,
) -> Value | None:
    mask, drawn = split_extra(extra)
    weights = _weights(q, k, mask, scale, causal)
    of_mask = tangents[3 : 3 + len(mask)]
    to_scores = _to_weights([*tangents[:2], *of_mask], q, k, scale)
    result: Value | None = None
    if to_scores is not None:
        result = matmul(_dropped(_centred(weights, to_scores), drawn, dropout), v)
    if tangents[2] is not None:
        part = matmul(_dropped(weights, drawn, dropout), tangents[2])
        result = part if result is None else add(result, part)
    return result


def _log_sum_tangent(
    tangents: Sequence[Value | None],
    y: Value,
    q: Value,
    k: Value,
    *mask: Value,
    scale: float,
    causal: bool,
) -> Value | None:
    to_scores = _to_weights(tangents, q, k, scale)
    if to_scores is None:
        return None
    weights = _weights(q, k, mask, scale, causal)
    return sum_(mul(weights, to_scores), len(weights.shape) - 1)


def _batch(inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, **params: Any) -> Value:
    return _in_rows(ATTENTION, 3, inputs, batched, rows, params)


def _batch_log_sum(
    inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, **params: Any
) -> Value:
    return _in_rows(ATTENTION_LOG_SUM, 2, inputs, batched, rows, params)


def _batch_gradient(
    inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, **params: Any
) -> Value:
    return _in_rows(ATTENTION_GRADIENT, 6, inputs, batched, rows, params)


def _in_rows(
    op: Primitive,
    count: int,
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    params: dict[str, Any],
) -> Value:
    """Rows are one more leading axis; after ``count`` operands come the mask and the state.

    The numbers of dropout follow the place of a weight among all: rows that share a draw have
    their own, and where they are to have the same, one row is done after the other.
    """
    mask, drawn = split_extra(inputs[count:])
    if drawn:
        rows.check_random("dropout")
        if rows.randomness == "same" or batched[-1]:
            return row_by_row(op, inputs, batched, rows, params)
    whole = all_batched(inputs[:count], batched[:count], rows)
    seen = [
        m if b else reshape(m, (1, *m.shape))
        for m, b in zip(mask, batched[count : count + len(mask)], strict=True)
    ]
    return apply(op, *whole, *seen, *drawn, **params)


# ---- samples ----------------------------------------------------------------------------------


def _cases() -> Iterable[tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], bool]]:
    yield (ramp(4, 3), ramp(5, 3), ramp(5, 2)), (), False
    yield (ramp(2, 5, 4), ramp(2, 5, 4), ramp(2, 5, 4)), (), True
    seen = np.asarray([[[1, 0, 1, 1], [0, 1, 1, 0]], [[1, 1, 1, 1], [0, 0, 0, 1]]]) > 0
    yield (ramp(2, 2, 3), ramp(2, 4, 3), ramp(2, 4, 3)), (seen,), False
    yield (ramp(1, 2, 3, 2), ramp(1, 2, 4, 2), ramp(1, 2, 4, 5)), (ramp(1, 1, 3, 4),), False
    yield (ramp(3, 1), ramp(1, 1), ramp(1, 1)), (), True


def _samples() -> Iterable[Sample]:
    for inputs, mask, causal in _cases():
        yield Sample((*inputs, *mask), {"scale": 0.7, "causal": causal})
    inputs, _, causal = next(iter(_cases()))
    state = np.asarray([5, 2])
    yield Sample((*inputs, state), {"scale": 0.7, "causal": causal, "dropout": 0.4})
    # The second query of the first matrix may look at nothing.
    seen = np.asarray([[[True], [False]], [[True], [True]]])
    inputs = (ramp(2, 2, 3), ramp(2, 4, 3), ramp(2, 4, 3))
    yield Sample((*inputs, seen), {"scale": 0.7, "causal": False})


def _log_sum_samples() -> Iterable[Sample]:
    for (q, k, _), mask, causal in _cases():
        yield Sample((q, k, *mask), {"scale": 0.7, "causal": causal})


def _gradient_samples() -> Iterable[Sample]:
    for (q, k, v), mask, causal in _cases():
        settings: dict[str, Any] = {"scale": 0.7, "causal": causal}
        g = ramp(*q.shape[:-1], v.shape[-1])
        kept = _evaluate(q, k, v, *mask, **settings), _evaluate_log_sum(q, k, *mask, **settings)
        for wrt in range(3):
            yield Sample((g, q, k, v, *kept, *mask), {**settings, "wrt": wrt})
    (q, k, v), _, causal = next(iter(_cases()))
    settings, state = {"scale": 0.7, "causal": causal, "dropout": 0.4}, np.asarray([5, 2])
    result = _evaluate(q, k, v, state, **settings)
    log_sum = _evaluate_log_sum(q, k, scale=0.7, causal=causal)
    for wrt in range(3):
        given = (ramp(*result.shape), q, k, v, result, log_sum, state)
        yield Sample(given, {**settings, "wrt": wrt})


# ---- the primitives ---------------------------------------------------------------------------


def _infer(
    q: Spec, k: Spec, v: Spec, *extra: Spec, scale: float, causal: bool, dropout: float = 0.0
) -> Spec:
    _check(q, k, v, split_extra(extra)[0])
    return Spec((*q.shape[:-1], v.shape[-1]), q.dtype)


def _infer_log_sum(q: Spec, k: Spec, *mask: Spec, scale: float, causal: bool) -> Spec:
    _check(q, k, None, mask)
    return Spec(q.shape[:-1], q.dtype)


def _infer_gradient(
    g: Spec,
    q: Spec,
    k: Spec,
    v: Spec,
    result: Spec,
    log_sum: Spec,
    *extra: Spec,
    scale: float,
    causal: bool,
    wrt: int,
    dropout: float = 0.0,
) -> Spec:
    _check(q, k, v, split_extra(extra)[0])
    return (q, k, v)[wrt]


ATTENTION = define(
    "attention",
    "attention",
    "y = softmax(scale * q @ k.T + mask) @ v; rows without any key are 0",
    infer=_infer,
    evaluate=_evaluate,
    gradient=_gradient,
    samples=_samples,
    reason=_REASON,
    tangent=_tangent,
    batch=_batch,
)
ATTENTION_LOG_SUM = define(
    "attention_log_sum",
    "attention",
    "y = log(sum over keys of exp(scale * q @ k.T + mask))",
    infer=_infer_log_sum,
    evaluate=_evaluate_log_sum,
    gradient=_log_sum_gradient,
    samples=_log_sum_samples,
    reason="the kernel of attention knows it; the gradient finds the weights again with it",
    tangent=_log_sum_tangent,
    batch=_batch_log_sum,
)
ATTENTION_GRADIENT = define(
    "attention_gradient",
    "attention",
    "cotangent of q (wrt 0), k (1) or v (2) for the cotangent g of attention(q, k, v)",
    infer=_infer_gradient,
    evaluate=_evaluate_gradient,
    gradient=_second_gradient,
    samples=_gradient_samples,
    reason=_REASON,
    tangent="reverse",
    batch=_batch_gradient,
)


def attention(
    q: Value,
    k: Value,
    v: Value,
    *mask: Value,
    scale: float,
    causal: bool = False,
    dropout: float = 0.0,
    state: Value | None = None,
) -> Value:
    """softmax(scale · q kᵀ + mask) v, where no scores are stored.

    Shapes: q (…, L, E), k (…, S, E), v (…, S, V) → (…, L, V); leading axes that differ are
    stretched.  A mask has as many axes as the scores (…, L, S), each full or 1: bool, True where a
    query looks at a key, or added to the scores.  ``causal``: query i looks at keys 0 … i.
    A query that looks at no key gives 0.  With ``dropout`` each weight is 0 with that probability,
    by the numbers that :func:`random_uniform` draws from ``state``, and the others are grown.
    """
    q, k, v = _stretched(q, k, v)
    settings: dict[str, Any] = {"scale": float(scale), "causal": bool(causal)}
    if dropout and state is not None:
        return apply(ATTENTION, q, k, v, *mask, state, **settings, dropout=float(dropout))
    return apply(ATTENTION, q, k, v, *mask, **settings)


def attention_log_sum(
    q: Value, k: Value, *mask: Value, scale: float, causal: bool = False
) -> Value:
    """ln Σ exp(scale · q kᵀ + mask) over the keys, (…, L): −∞ for a query that looks at none."""
    return apply(ATTENTION_LOG_SUM, q, k, *mask, scale=float(scale), causal=bool(causal))


def _stretched(*values: Value) -> list[Value]:
    """The values with their leading axes broadcast against each other."""
    lead = np.broadcast_shapes(*(tuple(x.shape[:-2]) for x in values))
    return [broadcast_to(x, (*lead, *x.shape[-2:])) for x in values]
