"""One recurrent network reads a sequence, another writes one: "16+75" becomes "91".

Sutskever, Vinyals and Le, "Sequence to Sequence Learning with Neural Networks" (2014); Cho and
others, "Learning Phrase Representations using RNN Encoder-Decoder" (2014), for the peeking
decoder; Luong, Pham and Manning, "Effective Approaches to Attention-based Neural Machine
Translation" (2015), for the attention (dot products, mixed in after the decoder); Bahdanau, Cho
and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate" (2015), for the
attention by a small network, mixed in before it.
"""

from __future__ import annotations

import math

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

VIEWS = ("state", "peek", "attention", "bahdanau")
_ATTENDING = ("attention", "bahdanau")


class Seq2Seq(nn.Module):
    """An encoder and a decoder of LSTM (or GRU) layers over one vocabulary.

    ``view`` is what the decoder sees of the source.  "state": the encoder's last state, with
    which it begins; everything it knows has to fit in there.  "peek": the encoder's last output
    beside the input and beside the output of each step, too.  "attention": a mixture of the
    encoder's outputs, chosen anew at each step by dot products with the decoder's output (Luong).
    "bahdanau": a mixture chosen by vᵀ tanh(W s + U o) from the state s before the step, which the
    step takes in beside its input.

    Source ids (B, S) and the target's first ids (B, T), int64 → scores (B, T, tokens) for the
    token after each.  ``lengths`` (B,) says how many ids of each source are real; those after
    them are not read and get no attention.  Reading the source backwards
    (``source.flip(1)``) brings its first tokens nearer to the target's and makes training
    easier.  Weights start as N(0, 1/√inputs), biases at 0, embeddings as N(0, 0.01).

    >>> import pellucid
    >>> model = Seq2Seq(tokens=13, view="attention")
    >>> source = pellucid.zeros(5, 7, dtype=pellucid.int64)
    >>> model(source, source[:, :4]).shape
    pellucid.Size([5, 4, 13])
    """

    def __init__(
        self,
        tokens: int,
        features: int = 16,
        hidden: int = 128,
        cell: str = "LSTM",
        view: str = "state",
    ) -> None:
        super().__init__()
        if view not in VIEWS or cell not in ("LSTM", "GRU", "RNN"):
            raise ArgumentError(
                f"Seq2Seq got cell={cell!r}, view={view!r}",
                "cells are LSTM, GRU and RNN; views are " + ", ".join(VIEWS),
            )
        self.view = view
        layer = getattr(nn, cell)
        self.source_embedding = nn.Embedding(tokens, features)
        self.target_embedding = nn.Embedding(tokens, features)
        peeked = hidden if view in ("peek", "bahdanau") else 0
        self.encoder = layer(features, hidden, batch_first=True)
        self.decoder = layer(features + peeked, hidden, batch_first=True)
        self.scores = nn.Linear(hidden if view == "state" else 2 * hidden, tokens)
        if view == "bahdanau":
            self.of_state = nn.Linear(hidden, hidden, bias=False)
            self.of_output = nn.Linear(hidden, hidden, bias=False)
            self.energy = nn.Linear(hidden, 1, bias=False)
        self._initialize()

    def _initialize(self) -> None:
        """Matrices N(0, 1/√inputs), biases 0, embeddings N(0, 0.01).

        With PyTorch's smaller uniform matrices the textbook task (sums of three digits) takes
        several times as many epochs.
        """
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                nn.init.zeros_(parameter)
            elif "embedding" in name:
                nn.init.normal_(parameter, 0.0, 0.01)
            else:
                nn.init.normal_(parameter, 0.0, 1 / math.sqrt(parameter.shape[1]))

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Outputs (B, S, hidden) for each source token, and the state at the end."""
        x = self.source_embedding(source)
        if lengths is None:
            outputs, state = self.encoder(x)
            return outputs, state
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, state = self.encoder(packed)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])
        return padded, state

    def decode(
        self, target: Tensor, state: Tensor, outputs: Tensor, last: Tensor, hidden: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Scores (B, T, tokens) after each of ``target`` (B, T), and the state after the last.

        ``outputs`` (B, S, hidden) of the encoder, ``last`` (B, hidden) the one at the end,
        ``hidden`` bool (B, 1, S), True at padding, or None.
        """
        y = self.target_embedding(target)
        if self.view == "bahdanau":
            mixed, state, _ = self._decode_by_steps(y, state, outputs, hidden)
            return self.scores(mixed), state
        seen = last.unsqueeze(1).expand(-1, y.shape[1], -1)  # (B, T, hidden)
        if self.view == "peek":
            y = pellucid.cat([y, seen], -1)
        y, state = self.decoder(y, state)  # (B, T, hidden)
        if self.view == "peek":
            y = pellucid.cat([y, seen], -1)
        if self.view == "attention":
            y = pellucid.cat([y, self.weights(y, outputs, hidden) @ outputs], -1)
        return self.scores(y), state

    def _decode_by_steps(
        self, y: Tensor, state: Tensor, outputs: Tensor, hidden: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs beside what was looked at (B, T, 2 · hidden), the state after the last, and how
        much was looked at what (B, T, S): each step looks before it writes."""
        known = self.of_output(outputs)  # (B, S, hidden)
        written, looked = [], []
        for step in range(y.shape[1]):
            before = state[0][-1] if isinstance(state, tuple) else state[-1]
            energies = self.energy((self.of_state(before).unsqueeze(1) + known).tanh())
            products = energies.transpose(1, 2)  # (B, 1, S)
            if hidden is not None:
                products = products.masked_fill(hidden, -math.inf)
            weights = products.softmax(-1)
            mixture = weights @ outputs  # (B, 1, hidden)
            here = pellucid.cat([y.narrow(1, step, 1), mixture], -1)
            out, state = self.decoder(here, state)
            written.append(pellucid.cat([out, mixture], -1))
            looked.append(weights)
        return pellucid.cat(written, 1), state, pellucid.cat(looked, 1)

    def weights(self, y: Tensor, outputs: Tensor, hidden: Tensor | None) -> Tensor:
        """How much each target position (B, T, hidden) looks at each source position: (B, T, S),
        at least 0, every row's sum 1, exactly 0 at padding."""
        products = y @ outputs.transpose(1, 2)
        if hidden is not None:
            products = products.masked_fill(hidden, -math.inf)
        return products.softmax(-1)

    def begin(
        self, source: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """What the decoder starts from: state, outputs, last output, padding."""
        outputs, state = self.encode(source, lengths)
        last = state[0][-1] if isinstance(state, tuple) else state[-1]
        if lengths is None:
            return state, outputs, last, None
        places = pellucid.arange(source.shape[1])
        return state, outputs, last, (places >= lengths.unsqueeze(1)).unsqueeze(1)

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores (B, T, tokens) of the tokens after each of ``target`` (B, T)."""
        return self.decode(target, *self.begin(source, lengths))[0]

    def loss(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Mean cross-entropy, in nats, of ``target`` (B, T) from its second token on; targets of
        −100 do not count."""
        scores = self(source, target[:, :-1].clamp(min=0), lengths)
        return F.cross_entropy(scores.flatten(0, 1), target[:, 1:].flatten())

    def translate(
        self, source: Tensor, start: int, length: int, lengths: Tensor | None = None
    ) -> Tensor:
        """The likeliest tokens (B, length) after the id ``start``, each chosen in its turn."""
        with pellucid.no_grad():
            state, outputs, last, hidden = self.begin(source, lengths)
            token = pellucid.full((source.shape[0], 1), start, dtype=source.dtype)
            written = []
            for _ in range(length):
                scores, state = self.decode(token, state, outputs, last, hidden)
                token = scores.argmax(-1)
                written.append(token)
        return pellucid.cat(written, 1)

    def attention(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """How much each of ``target`` (B, T) looks at each source position: (B, T, S), every row's
        sum 1, ready to be drawn as a heat map.

        Raises ``ArgumentError`` for a network without attention.
        """
        if self.view not in _ATTENDING:
            raise ArgumentError(
                f"this Seq2Seq has view={self.view!r}, a network without attention",
                'there are maps for Seq2Seq(..., view="attention") and view="bahdanau" only',
            )
        with pellucid.no_grad():
            state, outputs, _, hidden = self.begin(source, lengths)
            y = self.target_embedding(target)
            if self.view == "bahdanau":
                return self._decode_by_steps(y, state, outputs, hidden)[2]
            y, _ = self.decoder(y, state)
            return self.weights(y, outputs, hidden)
