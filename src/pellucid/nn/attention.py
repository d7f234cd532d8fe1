"""Multi-head attention: several attentions side by side, each on a learned part of the features."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.nn import init
from pellucid.nn.functional.multihead import Heads, Masks
from pellucid.nn.linear import Linear, check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.creation import empty
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


class SDPBackend(enum.IntEnum):
    """Ways to compute scaled dot-product attention, as PyTorch names and numbers them."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(
    backends: SDPBackend | Iterable[SDPBackend], set_priority: bool = False
) -> Iterator[None]:
    """Inside the block these ways may be used for scaled dot-product attention.

    Here the one way is chosen by shapes and gives the same values, so that nothing changes.

    Raises :class:`ArgumentError` for what is no way, or for none at all.
    """
    if isinstance(backends, str) or not isinstance(backends, SDPBackend | Iterable):
        raise ArgumentTypeError(
            f"sdpa_kernel got a {type(backends).__name__}", "give an SDPBackend or a list of them"
        )
    given = [backends] if isinstance(backends, SDPBackend) else list(backends)
    if not given or not all(isinstance(one, SDPBackend) for one in given):
        raise ArgumentError(
            f"sdpa_kernel got backends={backends!r}", "give members of SDPBackend, at least one"
        )
    yield


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
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
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
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
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
        heads = Heads(
            "nn.MultiheadAttention",
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight),
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.batch_first,
        )
        masks = Masks(key_padding_mask, attn_mask, is_causal)
        drop = self.dropout if self.training else 0.0
        output, weights = heads.attend(query, key, value, masks, drop, need_weights, self.out_proj)
        if weights is not None and average_attn_weights:
            weights = weights.mean(-3)
        return output, weights

    def extra_repr(self) -> str:
        """Sizes."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}"
