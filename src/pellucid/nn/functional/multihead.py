"""Multi-head attention as a function: projections, masks and heads around plain attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pellucid.base.errors import DTypeError, ShapeError
from pellucid.nn.functional.attention import (
    causal_mask,
    masked_scores,
    scaled_dot_product_attention,
)
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.common import dropout, linear
from pellucid.tensor.creation import zeros
from pellucid.tensor.functions import where
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor


class Masks(NamedTuple):
    """What of the keys is not looked at: bool, True where not, or numbers added to the scores."""

    padding: Any = None
    """(N, S), or (S,) without a batch."""
    attention: Any = None
    """(L, S) or (N·H, L, S)."""
    causal: bool = False
    """Query i looks at keys 0 … i."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What a multi-head attention has learned, and how its heads look at a sequence.

    ``features`` E are divided among ``count`` H heads.  Either ``weight`` (3E, E) projects query,
    key and value, or the three ``weights`` (E, E), (E, kdim), (E, vdim) do; ``bias`` (3E,) or
    None.  ``bias_k`` and ``bias_v`` (1, 1, E), and zeros with ``add_zeros``, are a key and value
    more.  ``static_k`` and ``static_v`` (N·H, S, E / H) replace the projected ones.
    """

    name: str
    features: int
    count: int
    weight: Any
    weights: tuple[Any, Any, Any]
    bias: Any
    bias_k: Any = None
    bias_v: Any = None
    add_zeros: bool = False
    batch_first: bool = False
    static_k: Any = None
    static_v: Any = None

    @property
    def size(self) -> int:
        """Features of a head."""
        return self.features // self.count

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        masks: Masks,
        drop: float,
        need_weights: bool,
        project: Callable[[Any], Any],
    ) -> tuple[Tensor, Tensor | None]:
        """``project`` of the heads' mixtures side by side, and the weights or None.

        Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim) → (L, N, E) and
        (N, H, L, S); N first with ``batch_first``, and left out everywhere without a batch.
        ``drop`` is the probability with which weights are dropped.
        """
        query, key, value, batched = self._rows_first(query, key, value)
        self._check(query, key, value)
        q, k, v = self._projected(query, key, value)
        if self.static_k is not None:
            k = self._static("static_k", self.static_k, query.shape[0])
        if self.static_v is not None:
            v = self._static("static_v", self.static_v, query.shape[0])
        extra = (self.bias_k is not None) + self.add_zeros
        lengths = (query.shape[0], query.shape[1], k.shape[2])
        mask = self._merged_mask(masks, lengths, extra, query.dtype, batched)
        alone = masks.causal and mask is None
        k, v = self._extended(k, v)
        if need_weights:
            scores = q.matmul(k.transpose(-2, -1)) * (1 / math.sqrt(self.size))
            weights = masked_scores(scores, mask, alone).softmax(-1)  # (N, H, L, S)
            weights = dropout(weights, drop, training=drop > 0)
            mixed = weights.matmul(v)
        else:
            mixed, weights = scaled_dot_product_attention(q, k, v, mask, drop, alone), None
        # (N, H, L, d) -> (N, L, H·d)
        joined = mixed.transpose(1, 2).reshape(*query.shape[:2], self.features)
        output = project(joined)
        if not batched:
            return output.squeeze(0), None if weights is None else weights.squeeze(0)
        return (output if self.batch_first else output.transpose(0, 1)), weights

    def _rows_first(self, query: Any, key: Any, value: Any) -> tuple[Any, Any, Any, bool]:
        """The inputs as (N, L, E), and whether they had a batch."""
        found: list[Any] = []
        for name, tensor in (("query", query), ("key", key), ("value", value)):
            need_tensor(self.name, tensor)
            if tensor.dim() not in (2, 3) or tensor.dim() != query.dim():
                raise ShapeError(
                    f"{self.name} got a {name} of shape {tuple(tensor.shape)} beside a "
                    f"query of shape {tuple(query.shape)}",
                    "all need 3 axes, or all 2 (no batch)",
                )
            same = next((f for t, f in zip((query, key), found, strict=False) if t is tensor), None)
            if same is None:
                batched = tensor if self.batch_first else tensor.transpose(0, 1)
                same = batched if tensor.dim() == 3 else tensor.unsqueeze(0)
            found.append(same)
        return found[0], found[1], found[2], query.dim() == 3

    def _static(self, what: str, given: Any, batch: int) -> Any:
        """(N·H, S, d) -> (N, H, S, d)."""
        if given.dim() != 3 or (given.shape[0], given.shape[2]) != (batch * self.count, self.size):
            raise ShapeError(
                f"{self.name} got {what} of shape {tuple(given.shape)}",
                f"it is (N · heads, S, features of a head), here ({batch * self.count}, S, "
                f"{self.size})",
            )
        return given.reshape(batch, self.count, given.shape[1], self.size)

    def _check(self, query: Any, key: Any, value: Any) -> None:
        order = "(N, S, features)" if self.batch_first else "(S, N, features)"
        widths = (
            [self.features] * 2
            if self.weight is not None
            else [weight.shape[1] for weight in self.weights[1:]]
        )
        for name, tensor, width in (
            ("query", query, self.features),
            ("key", key, widths[0]),
            ("value", value, widths[1]),
        ):
            if tensor.shape[-1] != width:
                raise ShapeError(
                    f"{self.name} expects {width} features in the {name} and got "
                    f"{tensor.shape[-1]}",
                    f"inputs are {order}; "
                    + (
                        f"make the layer with embed_dim={tensor.shape[-1]}, or bring {name} to "
                        f"{width} features with nn.Linear({tensor.shape[-1]}, {width})"
                        if name == "query"
                        else f"make the layer with {name[0]}dim={tensor.shape[-1]}"
                    ),
                )
            if tensor.dtype.kind != "float":
                raise DTypeError(
                    f"{self.name} got a {name} of {tensor.dtype.name}",
                    "it needs floating-point vectors: ids become vectors with nn.Embedding",
                )
        if key.shape[:2] != value.shape[:2] or key.shape[0] != query.shape[0]:
            shapes = [tuple(t.shape[:2]) for t in (query, key, value)]
            raise ShapeError(
                f"{self.name} got (batch, length) of query, key, value "
                f"{shapes[0]}, {shapes[1]}, {shapes[2]}",
                f"batches must agree, and the lengths of key and value; inputs are {order}, "
                f"batch_first={self.batch_first}",
            )

    def _projected(self, query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
        """Q (N, H, L, d), K and V (N, H, S, d)."""
        size, bias = self.features, self.bias
        if self.weight is not None and query is key and key is value:
            packed = linear(query, self.weight, bias)  # (N, L, 3E)
            q, k, v = (packed.narrow(-1, i * size, size) for i in range(3))
            return self._heads(q), self._heads(k), self._heads(v)
        weights = self.weights
        if self.weight is not None:
            weights = tuple(self.weight.narrow(0, i * size, size) for i in range(3))
        parts = [None if bias is None else bias.narrow(0, i * size, size) for i in range(3)]
        inputs = (query, key, value)
        q, k, v = (
            self._heads(linear(x, w, b)) for x, w, b in zip(inputs, weights, parts, strict=True)
        )
        return q, k, v

    def _heads(self, x: Any) -> Any:
        """(N, L, E) -> (N, H, L, d)."""
        return x.reshape(*x.shape[:2], self.count, self.size).transpose(1, 2)

    def _extended(self, k: Any, v: Any) -> tuple[Any, Any]:
        """The learned key and value, and zeros, after the others."""
        if self.bias_k is None and not self.add_zeros:
            return k, v
        one = (k.shape[0], self.count, 1, self.size)
        keys, values = [k], [v]
        if self.bias_k is not None:
            for found, extra in ((keys, self.bias_k), (values, self.bias_v)):
                found.append(extra.reshape(1, self.count, 1, self.size).expand(*one))
        if self.add_zeros:
            nothing = zeros(*one, dtype=k.dtype)
            keys.append(nothing)
            values.append(nothing)
        return cat(keys, 2), cat(values, 2)

    def _merged_mask(
        self,
        given: Masks,
        lengths: tuple[int, int, int],
        extra: int,
        dtype: Any,
        batched: bool,
    ) -> Any:
        """One mask that broadcasts to (N, H, L, S + extra), True where allowed, or None.

        None, too, for a causal mask alone, which is cheaper to compute than to read.
        """
        batch, queries, keys = lengths
        key_padding_mask, attn_mask, is_causal = given
        masks = []
        if key_padding_mask is not None:
            wanted = (batch, keys) if batched else (keys,)
            _check_mask(self.name, "key_padding_mask", key_padding_mask, [wanted])
            masks.append(key_padding_mask.reshape(batch, 1, 1, keys))
        if attn_mask is not None and not is_causal:
            per_head = (batch * self.count, queries, keys)
            _check_mask(self.name, "attn_mask", attn_mask, [(queries, keys), per_head])
            four = (batch, self.count, queries, keys) if attn_mask.dim() == 3 else None
            masks.append(attn_mask if four is None else attn_mask.reshape(*four))
        if is_causal and (masks or extra):
            masks.append(causal_mask(queries, keys).logical_not())
        if not masks:
            return None
        if all(mask.dtype.kind == "bool" for mask in masks):
            blocked = masks[0] if len(masks) == 1 else masks[0].logical_or(masks[1])
            allowed = blocked.logical_not()
            return _append(allowed, extra, allowed.dtype) if extra else allowed
        total = None
        for mask in masks:
            added = where(mask, -math.inf, 0.0) if mask.dtype.kind == "bool" else mask
            total = added.to(dtype) if total is None else total + added.to(dtype)
        return _append(total, extra, dtype) if extra else total


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor,
    bias_k: Tensor,
    bias_v: Tensor,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What :class:`pellucid.nn.MultiheadAttention` computes, with its parameters as arguments.

    Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim) → (L, N, E) and weights
    (N, L, S), or (N, H, L, S) with ``average_attn_weights=False``, or None with
    ``need_weights=False``; N may be left out everywhere.  E is ``embed_dim_to_check``.
    ``in_proj_weight`` (3E, E), or with ``use_separate_proj_weight`` the three
    ``q_proj_weight`` (E, E), ``k_proj_weight`` (E, kdim), ``v_proj_weight`` (E, vdim);
    ``in_proj_bias`` (3E,) or None; ``bias_k``, ``bias_v`` (1, 1, E) or None, ``add_zero_attn``:
    a key and value more for every sequence; ``out_proj_weight`` (E, E), ``out_proj_bias`` (E,).
    ``static_k``, ``static_v`` (N · heads, S, E / heads) replace the projected keys and values.
    Masks are True (bool) where a key may not be looked at, or are added to the scores (float):
    ``key_padding_mask`` (N, S), ``attn_mask`` (L, S) or (N · heads, L, S); ``is_causal`` lets
    query i look at keys 0 … i.  Raises ``ShapeError`` and ``DTypeError`` for what does not fit.
    (Vaswani et al., 2017.)
    """
    name = "multi_head_attention_forward"
    if query.shape[-1] != embed_dim_to_check or embed_dim_to_check % num_heads:
        raise ShapeError(
            f"{name} got a query of shape {tuple(query.shape)} with embed_dim_to_check="
            f"{embed_dim_to_check} and num_heads={num_heads}",
            "the query's last axis is embed_dim_to_check, a multiple of num_heads",
        )
    heads = Heads(
        name,
        embed_dim_to_check,
        num_heads,
        None if use_separate_proj_weight else in_proj_weight,
        (q_proj_weight, k_proj_weight, v_proj_weight),
        in_proj_bias,
        bias_k,
        bias_v,
        add_zero_attn,
        static_k=static_k,
        static_v=static_v,
    )
    output, weights = heads.attend(
        query,
        key,
        value,
        Masks(key_padding_mask, attn_mask, is_causal),
        dropout_p if training else 0.0,
        need_weights,
        lambda joined: linear(joined, out_proj_weight, out_proj_bias),
    )
    if weights is not None and average_attn_weights:
        weights = weights.mean(-3)
    return output, weights


def _append(mask: Any, extra: int, dtype: Any) -> Any:
    """The mask with keys at the end that everything may look at."""
    free = zeros(*mask.shape[:-1], extra, dtype=dtype)
    return cat([mask, free.logical_not() if dtype.kind == "bool" else free], -1)


def _check_mask(owner: str, name: str, mask: Any, shapes: list[tuple[int, ...]]) -> None:
    need_tensor(owner, mask)
    if tuple(mask.shape) not in shapes:
        raise ShapeError(
            f"{owner} got a {name} of shape {tuple(mask.shape)}",
            "it must be " + " or ".join(map(str, shapes)),
        )
    if mask.dtype.kind not in ("bool", "float"):
        raise DTypeError(
            f"{owner} got a {name} of {mask.dtype.name}",
            "use bool (True is masked) or floating point (added to the scores)",
        )
