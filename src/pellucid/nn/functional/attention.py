"""Attention as a function: each query looks at all keys and takes a mixture of their values."""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.common import check_probability, dropout
from pellucid.ops.attention import attention
from pellucid.tensor.creation import arange
from pellucid.tensor.eager import rows, unit
from pellucid.tensor.functions import where
from pellucid.tensor.promotion import narrow_product, rounded_once
from pellucid.tensor.random import default_generator
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor


def causal_mask(queries: int, keys: int) -> Tensor:
    """bool (queries, keys): True where key position ≤ query position, both counted from 0."""
    return arange(keys) <= arange(queries).unsqueeze(1)


def masked_scores(scores: Tensor, attn_mask: Tensor | None, is_causal: bool) -> Tensor:
    """Scores (…, L, S) with −∞ where a bool mask is False, or a float mask added."""
    if is_causal:
        scores = where(causal_mask(*scores.shape[-2:]), scores, -math.inf)
    if attn_mask is None:
        return scores
    need_tensor("attention", attn_mask)
    if attn_mask.dtype.kind == "bool":
        return where(attn_mask, scores, -math.inf)
    if attn_mask.dtype.kind != "float":
        raise DTypeError(
            f"attention got a mask of {attn_mask.dtype.name}",
            "use bool (True takes part) or floating point (added to the scores)",
        )
    return scores + attn_mask.to(scores.dtype)


@rounded_once
def safe_softmax(scores: Tensor) -> Tensor:
    """Softmax over the last axis; rows that are −∞ throughout become 0, with gradient 0."""
    if 0 in scores.shape:
        return scores
    largest = scores.amax(-1, keepdim=True).detach()
    grown = (scores - where(largest > -math.inf, largest, 0.0)).exp()
    total = grown.sum(-1, keepdim=True)
    return grown / where(total > 0, total, 1.0)


@narrow_product
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(Q Kᵀ · scale + mask) V, with scale 1/√E by default.  (Vaswani et al., 2017.)

    Shapes: query (…, L, E), key (…, S, E), value (…, S, Ev) → (…, L, Ev); leading axes broadcast.
    ``attn_mask`` broadcasts to (…, L, S): bool, True where a query may look at a key, or floating
    point, added to the scores.  ``is_causal`` lets query i look at keys 0 … i; it excludes
    ``attn_mask``.  A query that may look at nothing gets 0, and gives no gradient.
    ``dropout_p`` drops weights (always: pass 0 in evaluation).  With ``enable_gqa`` the heads
    (axis −3) of key and value may be fewer: each serves query heads / key heads successive heads
    of the query.  (Ainslie et al., 2023.)
    Raises ``ShapeError`` where the shapes do not fit, ``ArgumentError`` for two masks.
    """
    for tensor in (query, key, value):
        need_tensor("scaled_dot_product_attention", tensor)
    if attn_mask is not None and is_causal:
        raise ArgumentError(
            "scaled_dot_product_attention got attn_mask and is_causal=True", "give one of them"
        )
    if enable_gqa:
        return _grouped(query, key, value, attn_mask, dropout_p, is_causal, scale)
    _check_shapes(query, key, value, attn_mask)
    factor = 1 / math.sqrt(max(1, query.shape[-1])) if scale is None else scale
    if dropout_p == 0:
        return _attended(query, key, value, attn_mask, is_causal, factor)
    check_probability("dropout", dropout_p)
    if _worth_a_kernel(query, key, value, attn_mask):
        mask = () if attn_mask is None else (_full_rank(attn_mask, query.dim()),)
        settings: dict[str, Any] = {"scale": factor, "causal": is_causal}
        state = default_generator.draw()
        return attention(query, key, value, *mask, **settings, dropout=dropout_p, state=state)
    weights = _weights(query, key, attn_mask, is_causal, factor)
    return dropout(weights, dropout_p).matmul(value)


@unit(rows(1 << 13))
def _attended(
    query: Any, key: Any, value: Any, attn_mask: Any, is_causal: bool, factor: float
) -> Any:
    """Attention without dropout; shapes fit."""
    if _worth_a_kernel(query, key, value, attn_mask):
        mask = () if attn_mask is None else (_full_rank(attn_mask, query.dim()),)
        return attention(query, key, value, *mask, scale=factor, causal=is_causal)
    return _weights(query, key, attn_mask, is_causal, factor).matmul(value)


def _weights(query: Any, key: Any, attn_mask: Any, is_causal: bool, factor: float) -> Any:
    """(…, L, S): how much each query takes of each value."""
    scores = query.matmul(key.transpose(-2, -1)) * factor  # (…, L, S)
    if attn_mask is None and key.shape[-2]:
        # Every query sees a key: nothing can be masked throughout.
        return masked_scores(scores, None, is_causal).softmax(-1)
    return safe_softmax(masked_scores(scores, attn_mask, is_causal))


MOST_FEATURES = 256
"""Widest heads that the kernel of attention keeps in the nearest caches."""


def _worth_a_kernel(query: Any, key: Any, value: Any, attn_mask: Any) -> bool:
    """Whether attention is one operation of a compiled program, which stores no scores."""
    if not is_tracing() or query.dtype.kind != "float":
        return False
    if not query.dtype is key.dtype is value.dtype or query.dtype.itemsize not in (4, 8):
        return False
    if max(query.shape[-1], value.shape[-1]) * query.dtype.itemsize > 4 * MOST_FEATURES:
        return False
    if min(*query.shape, *key.shape, *value.shape) < 1:
        return False
    return attn_mask is None or not attn_mask.requires_grad


def _full_rank(mask: Any, rank: int) -> Any:
    """The mask with as many axes as the scores."""
    return mask.reshape(*(1,) * (rank - mask.dim()), *mask.shape)


def _grouped(
    query: Any, key: Any, value: Any, attn_mask: Any, dropout_p: float, causal: bool, scale: Any
) -> Any:
    """Attention in which each key and value head serves several successive query heads.

    The query's heads become two axes, (…, G, H / G, L, E), and the others' are stretched along the
    second, which copies nothing in a compiled program.
    """
    key, value = _shared_heads(query, key), _shared_heads(query, value)
    *lead, heads, length, width = query.shape
    groups, times = key.shape[-4], key.shape[-3]
    if attn_mask is not None and getattr(attn_mask, "dim", int)() >= 3:
        own = tuple(attn_mask.shape)
        split = (groups, times) if own[-3] == heads else (1, own[-3])
        if own[-3] in (1, heads):
            attn_mask = attn_mask.reshape(*own[:-3], *split, *own[-2:])
    parts = query.reshape(*lead, groups, times, length, width)
    mixed = scaled_dot_product_attention(parts, key, value, attn_mask, dropout_p, causal, scale)
    return mixed.reshape(*lead, heads, length, value.shape[-1])


def _shared_heads(query: Any, shared: Any) -> Any:
    """(…, G, S, E) → (…, G, H / G, S, E): each of G heads repeated H / G times."""
    if query.dim() < 3 or shared.dim() < 3 or query.shape[-3] % max(1, shared.shape[-3]):
        raise ShapeError(
            f"enable_gqa got a query of shape {tuple(query.shape)} and a key or value of shape "
            f"{tuple(shared.shape)}",
            "the heads (axis -3) of the query must be a multiple of theirs",
        )
    *lead, groups, length, width = shared.shape
    times = query.shape[-3] // max(1, groups)
    return shared.unsqueeze(-3).expand(*lead, groups, times, length, width)


def _check_shapes(query: Any, key: Any, value: Any, attn_mask: Any) -> None:
    shapes = tuple(query.shape), tuple(key.shape), tuple(value.shape)
    if min(map(len, shapes)) < 2 or shapes[0][-1] != shapes[1][-1]:
        raise ShapeError(
            f"scaled_dot_product_attention got query, key, value of shapes {shapes[0]}, "
            f"{shapes[1]}, {shapes[2]}",
            "query and key must have the same last extent E: (…, L, E) and (…, S, E)",
        )
    if shapes[1][-2] != shapes[2][-2]:
        raise ShapeError(
            f"scaled_dot_product_attention got a key of shape {shapes[1]} and a value of shape "
            f"{shapes[2]}",
            "they must have the same number of positions S (axis -2)",
        )
    if attn_mask is None or not hasattr(attn_mask, "shape"):
        return
    wanted = (*shapes[0][:-1], shapes[1][-2])
    mask = tuple(attn_mask.shape)
    fits = all(m in (1, w) for m, w in zip(mask[-2:], wanted[-2:][-len(mask[-2:]) :], strict=True))
    if not fits:
        raise ShapeError(
            f"attention got a mask of shape {mask} for scores of shape {wanted}",
            "the mask must broadcast to (…, queries, keys)",
        )
