"""A Transformer that turns one sequence of tokens into another, such as "16+75" into "91"."""

from __future__ import annotations

import math
from typing import Any

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.modes import evaluation


def sinusoids(features: int, longest: int) -> Tensor:
    """Positions as vectors (longest, features): sine and cosine of t / 10000^(2i / features)."""
    pairs = pellucid.arange(0, features, 2).double() / features
    angles = pellucid.arange(longest).double().unsqueeze(1) * 10000.0**-pairs
    both = pellucid.stack((angles.sin(), angles.cos()), 2)  # (longest, pairs, 2)
    return both.flatten(1)[:, :features].float()


class EncoderDecoder(nn.Module):
    """Tokens in, tokens out: the decoder writes one token after the other, and for each looks
    over all of the encoder's output.

    Source ids (N, S) and the target's first ids (N, T), int64 → scores (N, T, tokens) for the
    token after each.  ``lengths`` (N,) says how many ids of each source are real: the others get no
    attention.  Both share one embedding, scaled by √``features``, with sinusoidal
    positions added up to ``longest``.  (Sutskever, Vinyals and Le, 2014; Vaswani et al., 2017.)

    >>> import pellucid
    >>> model = EncoderDecoder(tokens=13, features=16, heads=2, layers=1)
    >>> source = pellucid.zeros(5, 7, dtype=pellucid.int64)
    >>> model(source, source[:, :4]).shape
    pellucid.Size([5, 4, 13])
    """

    def __init__(
        self,
        tokens: int,
        features: int = 64,
        heads: int = 4,
        layers: int = 2,
        hidden: int | None = None,
        dropout: float = 0.0,
        longest: int = 256,
    ) -> None:
        super().__init__()
        if layers < 1 or tokens < 1:
            raise ArgumentError(
                f"EncoderDecoder got tokens={tokens}, layers={layers}", "use at least 1 of both"
            )
        self.features = features
        self.embedding = nn.Embedding(tokens, features)
        nn.init.normal_(self.embedding.weight, 0.0, 1 / math.sqrt(features))
        self.register_buffer("positions", sinusoids(features, longest), persistent=False)
        self.transformer = nn.Transformer(
            features,
            heads,
            layers,
            layers,
            4 * features if hidden is None else hidden,
            dropout,
            batch_first=True,
            norm_first=True,
        )
        self.scores = nn.Linear(features, tokens)

    def _embedded(self, ids: Tensor) -> Tensor:
        """(N, T) → (N, T, features)."""
        if ids.dim() != 2:
            raise ShapeError(
                f"EncoderDecoder got ids of shape {tuple(ids.shape)}", "ids are (N, T): add a batch"
            )
        if ids.shape[1] > self.positions.shape[0]:
            raise ShapeError(
                f"EncoderDecoder got {ids.shape[1]} tokens and has {self.positions.shape[0]} "
                "positions",
                "make it with a larger longest, or shorten the sequence",
            )
        return self.embedding(ids) * math.sqrt(self.features) + self.positions[: ids.shape[1]]

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores (N, T, tokens) of the tokens after each of ``target`` (N, T)."""
        x, y, filled = self._embedded(source), self._embedded(target), _filled(source, lengths)
        written = self.transformer(
            x, y, tgt_mask=self._later(target), src_key_padding_mask=filled,
            memory_key_padding_mask=filled, tgt_is_causal=True,
        )  # fmt: skip
        return self.scores(written)

    def _later(self, target: Tensor) -> Tensor:
        """(T, T): −∞ where a position of ``target`` (N, T) must not look, 0 elsewhere."""
        return nn.Transformer.generate_square_subsequent_mask(target.shape[1])

    def loss(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Mean cross-entropy, in nats, of ``target`` (N, T) from its second token on."""
        scores = self(source, target.narrow(1, 0, target.shape[1] - 1), lengths)
        wanted = target.narrow(1, 1, target.shape[1] - 1).reshape(-1)
        return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), wanted)

    def translate(
        self, source: Tensor, start: int, length: int, lengths: Tensor | None = None
    ) -> Tensor:
        """The likeliest tokens (N, length) after the id ``start``, each chosen in its turn."""
        filled = _filled(source, lengths)
        with evaluation(self), pellucid.no_grad():
            memory = self.transformer.encoder(self._embedded(source), src_key_padding_mask=filled)
            ids = pellucid.full((source.shape[0], 1), start, dtype=source.dtype)
            for _ in range(length):
                y = self.transformer.decoder(
                    self._embedded(ids), memory, self._later(ids),
                    memory_key_padding_mask=filled, tgt_is_causal=True,
                )  # fmt: skip
                last = self.scores(y.select(1, y.shape[1] - 1))
                ids = pellucid.cat([ids, last.argmax(-1, keepdim=True)], 1)
        return ids.narrow(1, 1, length)

    def attention(
        self, source: Tensor, target: Tensor, lengths: Tensor | None = None
    ) -> list[Tensor]:
        """For each decoder layer how much each target position looks at each source position.

        Shapes: source (N, S), target (N, T) → each (N, T, S), the mean over heads: at least 0,
        every row's sum 1; ready to be drawn as a heat map.
        """
        found, filled = [], _filled(source, lengths)
        with evaluation(self), pellucid.no_grad():
            memory = self.transformer.encoder(self._embedded(source), src_key_padding_mask=filled)
            y, later = self._embedded(target), self._later(target)
            layers: list[Any] = list(self.transformer.decoder.layers)
            for layer in layers:
                own = layer.norm1(y)
                middle = y + layer.self_attn(own, own, own, None, False, later, is_causal=True)[0]
                looked = layer.multihead_attn(layer.norm2(middle), memory, memory, filled)[1]
                found.append(looked)
                y = layer(y, memory, later, memory_key_padding_mask=filled, tgt_is_causal=True)
        return found


def _filled(source: Tensor, lengths: Tensor | None) -> Tensor | None:
    """Where ``source`` (N, S) is padding: bool (N, S), or None where all of it is real."""
    if lengths is None:
        return None
    return pellucid.arange(source.shape[1]) >= lengths.unsqueeze(1)
