"""Multi-head attention: several attentions side by side, each on a learned part of the features."""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn import init
from pellucid.nn.functional.attention import (
    causal_mask,
    masked_scores,
    scaled_dot_product_attention,
)
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.common import dropout, linear
from pellucid.nn.linear import Linear, check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.creation import empty, zeros
from pellucid.tensor.functions import where
from pellucid.tensor.shaping import cat


class MultiheadAttention(Module):
    """Concatenated heads softmax(Qᵢ Kᵢᵀ / √d) Vᵢ, projected: Q, K, V are affine in the inputs.

    ``embed_dim`` E is divided among ``num_heads`` H, d = E / H.  ``kdim`` and ``vdim`` are the
    features of key and value (E).  ``dropout`` acts on the weights in training.
    ``add_bias_kv`` appends a learned key and value to every sequence, ``add_zero_attn`` zeros.
    ``batch_first`` has batches on axis 0: (N, L, E) instead of (L, N, E).

    Parameters: ``in_proj_weight`` (3E, E), rows for Q, K and V (or ``q_proj_weight`` (E, E),
    ``k_proj_weight`` (E, kdim), ``v_proj_weight`` (E, vdim) where the sizes differ),
    ``in_proj_bias`` (3E,), ``out_proj`` a linear layer, ``bias_k``, ``bias_v`` (1, 1, E).
    Xavier-uniform weights, biases 0, ``out_proj.weight`` as in ``nn.Linear``.
    (Vaswani et al., 2017.)
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes("nn.MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise ArgumentError(
                f"nn.MultiheadAttention got embed_dim={embed_dim}, num_heads={num_heads}",
                "embed_dim must be a positive multiple of num_heads",
            )
        if not 0 <= dropout <= 1:
            raise ArgumentError(
                f"nn.MultiheadAttention got dropout={dropout}", "it is a probability: from 0 to 1"
            )
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        same = self._qkv_same_embed_dim
        sizes = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
        for name, size in sizes.items():
            weight = None if same else Parameter(empty(embed_dim, size, dtype=dtype))
            self.register_parameter(f"{name}_proj_weight", weight)
        packed = Parameter(empty(3 * embed_dim, embed_dim, dtype=dtype)) if same else None
        self.register_parameter("in_proj_weight", packed)
        self.register_parameter(
            "in_proj_bias", Parameter(empty(3 * embed_dim, dtype=dtype)) if bias else None
        )
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, dtype=dtype)
        for name in ("bias_k", "bias_v"):
            extra = Parameter(empty(1, 1, embed_dim, dtype=dtype)) if add_bias_kv else None
            self.register_parameter(name, extra)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw the projections again; biases are 0."""
        for weight in (
            self.in_proj_weight,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
        ):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """(output, weights): query (L, N, E), key (S, N, kdim), value (S, N, vdim) → (L, N, E).

        With ``batch_first`` N comes first; without a batch the axis N is left out everywhere.
        ``key_padding_mask`` (N, S) and ``attn_mask`` (L, S) or (N·H, L, S) are bool, True where
        a key may *not* be looked at, or floating point, added to the scores.  ``is_causal`` lets
        query i look at keys 0 … i; an ``attn_mask`` beside it counts as saying the same.  Keys
        of ``add_bias_kv`` and ``add_zero_attn`` are never masked.

        ``weights`` is None with ``need_weights=False``, else (N, L, S), the average over heads,
        or (N, H, L, S) with ``average_attn_weights=False``: from 0 to 1, each row's sum 1 (before
        dropout).  A query all of whose keys are masked gets NaN with ``need_weights=True`` (it
        has no weights), and without weights the output 0 before ``out_proj``, as in PyTorch.
        """
        query, key, value, batched = self._batch_first(query, key, value)
        self._check(query, key, value)
        q, k, v = self._projected(query, key, value)
        extra = (self.bias_k is not None) + self.add_zero_attn
        lengths = (query.shape[0], query.shape[1], key.shape[1])
        mask = self._merged_mask(
            key_padding_mask, attn_mask, is_causal, lengths, extra, query.dtype, batched
        )
        alone = is_causal and mask is None
        k, v = self._extended(k, v)
        drop = self.dropout if self.training else 0.0
        if need_weights:
            scores = q.matmul(k.transpose(-2, -1)) * (1 / math.sqrt(self.head_dim))
            weights = masked_scores(scores, mask, alone).softmax(-1)  # (N, H, L, S)
            weights = dropout(weights, drop, training=drop > 0)
            mixed = weights.matmul(v)
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            mixed, weights = scaled_dot_product_attention(q, k, v, mask, drop, alone), None
        # (N, H, L, d) -> (N, L, H·d)
        joined = mixed.transpose(1, 2).reshape(*query.shape[:2], self.embed_dim)
        output = self.out_proj(joined)
        if not batched:
            return output.squeeze(0), None if weights is None else weights.squeeze(0)
        return (output if self.batch_first else output.transpose(0, 1)), weights

    def _batch_first(self, query: Any, key: Any, value: Any) -> tuple[Any, Any, Any, bool]:
        """The inputs as (N, L, E), and whether they had a batch."""
        found: list[Any] = []
        for name, tensor in (("query", query), ("key", key), ("value", value)):
            need_tensor("nn.MultiheadAttention", tensor)
            if tensor.dim() not in (2, 3) or tensor.dim() != query.dim():
                raise ShapeError(
                    f"nn.MultiheadAttention got a {name} of shape {tuple(tensor.shape)} beside a "
                    f"query of shape {tuple(query.shape)}",
                    "all need 3 axes, or all 2 (no batch)",
                )
            same = next((f for t, f in zip((query, key), found, strict=False) if t is tensor), None)
            if same is None:
                batched = tensor if self.batch_first else tensor.transpose(0, 1)
                same = batched if tensor.dim() == 3 else tensor.unsqueeze(0)
            found.append(same)
        return found[0], found[1], found[2], query.dim() == 3

    def _check(self, query: Any, key: Any, value: Any) -> None:
        order = "(N, S, features)" if self.batch_first else "(S, N, features)"
        for name, tensor, width in (
            ("query", query, self.embed_dim),
            ("key", key, self.kdim),
            ("value", value, self.vdim),
        ):
            if tensor.shape[-1] != width:
                raise ShapeError(
                    f"nn.MultiheadAttention expects {width} features in the {name} and got "
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
                    f"nn.MultiheadAttention got a {name} of {tensor.dtype.name}",
                    "it needs floating-point vectors: ids become vectors with nn.Embedding",
                )
        if key.shape[:2] != value.shape[:2] or key.shape[0] != query.shape[0]:
            shapes = [tuple(t.shape[:2]) for t in (query, key, value)]
            raise ShapeError(
                "nn.MultiheadAttention got (batch, length) of query, key, value "
                f"{shapes[0]}, {shapes[1]}, {shapes[2]}",
                f"batches must agree, and the lengths of key and value; inputs are {order}, "
                f"batch_first={self.batch_first}",
            )

    def _projected(self, query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
        """Q (N, H, L, d), K and V (N, H, S, d)."""
        size, bias = self.embed_dim, self.in_proj_bias
        if self.in_proj_weight is not None and query is key and key is value:
            packed = linear(query, self.in_proj_weight, bias)  # (N, L, 3E)
            q, k, v = (packed.narrow(-1, i * size, size) for i in range(3))
            return self._heads(q), self._heads(k), self._heads(v)
        weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        if self.in_proj_weight is not None:
            weights = tuple(self.in_proj_weight.narrow(0, i * size, size) for i in range(3))
        parts = [None if bias is None else bias.narrow(0, i * size, size) for i in range(3)]
        inputs = (query, key, value)
        q, k, v = (
            self._heads(linear(x, w, b)) for x, w, b in zip(inputs, weights, parts, strict=True)
        )
        return q, k, v

    def _heads(self, x: Any) -> Any:
        """(N, L, E) -> (N, H, L, d)."""
        return x.reshape(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)

    def _extended(self, k: Any, v: Any) -> tuple[Any, Any]:
        """The learned key and value, and zeros, after the others."""
        if self.bias_k is None and not self.add_zero_attn:
            return k, v
        one = (k.shape[0], self.num_heads, 1, self.head_dim)
        keys, values = [k], [v]
        if self.bias_k is not None:
            for found, extra in ((keys, self.bias_k), (values, self.bias_v)):
                found.append(extra.reshape(1, self.num_heads, 1, self.head_dim).expand(*one))
        if self.add_zero_attn:
            nothing = zeros(*one, dtype=k.dtype)
            keys.append(nothing)
            values.append(nothing)
        return cat(keys, 2), cat(values, 2)

    def _merged_mask(
        self,
        key_padding_mask: Any,
        attn_mask: Any,
        is_causal: bool,
        lengths: tuple[int, int, int],
        extra: int,
        dtype: Any,
        batched: bool,
    ) -> Any:
        """One mask that broadcasts to (N, H, L, S + extra), True where allowed, or None.

        None, too, for a causal mask alone, which is cheaper to compute than to read.
        """
        batch, queries, keys = lengths
        masks = []
        if key_padding_mask is not None:
            wanted = (batch, keys) if batched else (keys,)
            _check_mask("key_padding_mask", key_padding_mask, [wanted])
            masks.append(key_padding_mask.reshape(batch, 1, 1, keys))
        if attn_mask is not None and not is_causal:
            per_head = (batch * self.num_heads, queries, keys)
            _check_mask("attn_mask", attn_mask, [(queries, keys), per_head])
            four = (batch, self.num_heads, queries, keys) if attn_mask.dim() == 3 else None
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

    def extra_repr(self) -> str:
        """Sizes."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}"


def _append(mask: Any, extra: int, dtype: Any) -> Any:
    """The mask with keys at the end that everything may look at."""
    free = zeros(*mask.shape[:-1], extra, dtype=dtype)
    return cat([mask, free.logical_not() if dtype.kind == "bool" else free], -1)


def _check_mask(name: str, mask: Any, shapes: list[tuple[int, ...]]) -> None:
    need_tensor("nn.MultiheadAttention", mask)
    if tuple(mask.shape) not in shapes:
        raise ShapeError(
            f"nn.MultiheadAttention got a {name} of shape {tuple(mask.shape)}",
            "it must be " + " or ".join(map(str, shapes)),
        )
    if mask.dtype.kind not in ("bool", "float"):
        raise DTypeError(
            f"nn.MultiheadAttention got a {name} of {mask.dtype.name}",
            "use bool (True is masked) or floating point (added to the scores)",
        )
