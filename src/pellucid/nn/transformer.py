"""The Transformer and its layers: attention and a small network on each position, alternately.

(Vaswani et al., 2017; with ``norm_first`` in the order of Xiong et al., 2020.)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn import init
from pellucid.nn.attention import MultiheadAttention
from pellucid.nn.containers import ModuleList
from pellucid.nn.dropout import Dropout
from pellucid.nn.functional.activation import gelu, relu
from pellucid.nn.linear import Linear
from pellucid.nn.module import Module
from pellucid.nn.normalization import LayerNorm
from pellucid.tensor.creation import zeros
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor

Activation = str | Callable[[Any], Any]


def _activation(given: Activation) -> Callable[[Any], Any]:
    """The function called ``relu`` or ``gelu``, or the function or module itself."""
    if not isinstance(given, str):
        return given
    named: dict[str, Callable[[Any], Any]] = {"relu": relu, "gelu": gelu}
    if given not in named:
        raise ArgumentError(
            f"a Transformer layer got activation={given!r}", 'use "relu", "gelu" or a function'
        )
    return named[given]


class _Layer(Module):
    """What encoder and decoder layers share: the network on each position, and the order."""

    attentions: tuple[str, ...]
    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        for name in self.attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, dtype=dtype)
        self.norm_first = norm_first
        count = len(self.attentions) + 1
        for number in range(1, count + 1):
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, dtype=dtype)
            setattr(self, f"norm{number}", norm)
        for number in range(1, count + 1):
            setattr(self, f"dropout{number}", Dropout(dropout))
        self.activation = _activation(activation)

    def _feed_forward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _residual(self, x: Tensor, number: int, part: Callable[[Tensor], Tensor]) -> Tensor:
        """x + part(norm(x)), or norm(x + part(x)), with the ``number``-th norm and dropout."""
        norm: Module = getattr(self, f"norm{number}")
        drop: Module = getattr(self, f"dropout{number}")
        if self.norm_first:
            return x + drop(part(norm(x)))
        return norm(x + drop(part(x)))


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a two-layer network on each position, each added to its input.

    x ← norm1(x + attention(x)); x ← norm2(x + W₂ a(W₁ x)), or with ``norm_first``
    x ← x + attention(norm1(x)) and so on, which trains deep stacks without a warm-up.
    Shapes: (L, N, d_model), with ``batch_first`` (N, L, d_model), or (L, d_model) → the same.
    ``dropout`` acts on attention weights, on hidden activations and on both results.
    (Vaswani et al., 2017.)
    """

    attentions = ("self_attn",)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The encoded sequence; masks are those of :class:`MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal
            )[0]

        x = self._residual(src, 1, attend)
        return self._residual(x, 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output, then a network on each position.

    Each is added to its input, with layer norm after (or with ``norm_first`` before) it.
    Shapes: target (T, N, d_model) and memory (S, N, d_model), N first with ``batch_first``, →
    the target's.  (Vaswani et al., 2017.)
    """

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoded sequence; masks are those of :class:`MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )[0]

        def look_up(x: Tensor) -> Tensor:
            return self.multihead_attn(
                x,
                memory,
                memory,
                memory_key_padding_mask,
                False,
                memory_mask,
                is_causal=memory_is_causal,
            )[0]

        x = self._residual(tgt, 1, attend)
        x = self._residual(x, 2, look_up)
        return self._residual(x, 3, self._feed_forward)


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class TransformerEncoder(Module):
    """``num_layers`` copies of an encoder layer one after the other, then ``norm`` if given.

    All copies start with the same values; draw them again for a start like the paper's.
    ``enable_nested_tensor`` and ``mask_check`` are accepted and change nothing.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The sequence through all layers; shapes and masks as for the layer."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """``num_layers`` copies of a decoder layer one after the other, then ``norm`` if given."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The target through all layers, each looking at ``memory``; masks as for the layer."""
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                bool(tgt_is_causal),
                memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encoder and decoder: a sequence in, a sequence out, the decoder looking at the encoder.

    Shapes: source (S, N, E), target (T, N, E) → (T, N, E), E = ``d_model``; N first with
    ``batch_first``.  Embedding, positions and the final linear layer are the user's.  Weights
    are Xavier-uniform.  ``custom_encoder`` and ``custom_decoder`` replace the parts.
    (Vaswani et al., 2017.)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        common = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        order = (batch_first, norm_first, bias, device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, dtype=dtype)

        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(*common, *order)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*common, *order)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm())
        self.encoder = custom_encoder
        self.decoder = custom_decoder
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Xavier-uniform for everything with at least 2 axes."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoded target; masks as in :class:`MultiheadAttention` (bool True is masked)."""
        axis = 0 if self.batch_first else 1
        if src.dim() == 3 and tgt.dim() == 3 and src.shape[axis] != tgt.shape[axis]:
            raise ShapeError(
                f"nn.Transformer got {src.shape[axis]} sources and {tgt.shape[axis]} targets, "
                f"shapes {tuple(src.shape)} and {tuple(tgt.shape)}",
                f"batches must agree; batch_first={self.batch_first}",
            )
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError(
                f"nn.Transformer expects {self.d_model} features and got shapes "
                f"{tuple(src.shape)} and {tuple(tgt.shape)}",
                f"use d_model={src.shape[-1]}, or bring both to {self.d_model} features: ids "
                f"become vectors with nn.Embedding(…, {self.d_model})",
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: DeviceLike | None = None, dtype: DTypeLike | None = None
    ) -> Tensor:
        """(sz, sz): 0 on and below the diagonal, −∞ above; query i looks at keys 0 … i."""
        check_device(device)
        above = zeros(sz, sz).logical_not().triu(1)
        return zeros(sz, sz, dtype=dtype).masked_fill(above, -math.inf)
