"""From one sequence to another, learned from pairs: sums and dates, spellings, short translations.

>>> model, history = train_sequences([("1+1", "2"), ("2+3", "5")] * 50)   # doctest: +SKIP
>>> model.translate(["1+1"])                                              # doctest: +SKIP
['2']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.sequences import pad_sequences
from pellucid.models import EncoderDecoder, Seq2Seq
from pellucid.models.beam_search import beam_search
from pellucid.nn.modes import evaluation
from pellucid.tensor.autograd import no_grad
from pellucid.text.settings import SequenceConfig
from pellucid.text.tokenizer import END, PAD, START, Tokenizer
from pellucid.training.checkpoints import Checkpoints
from pellucid.training.history import Callback, History
from pellucid.training.inference import Scorer
from pellucid.training.trainer import Trainer

Pair = tuple[str, str]
Ids = npt.NDArray[np.int64]
_VIEWS = {"luong": "attention", "bahdanau": "bahdanau", "peek": "peek", "none": "state"}
IGNORED = -100
_BLOCK = 512


def build_network(config: SequenceConfig, tokens: int, longest: int) -> nn.Module:
    """The network of the settings, with first weights; ``longest`` is the longest sequence."""
    if config.model == "transformer":
        return EncoderDecoder(
            tokens, config.features, config.heads, config.layers, 4 * config.features,
            config.dropout, longest,
        )  # fmt: skip
    return Seq2Seq(
        tokens, config.features, config.hidden, config.model.upper(), _VIEWS[config.attention]
    )


class _Scores(nn.Module):
    """The network as the Trainer calls it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, source: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        """Scores (B, T, tokens)."""
        found: Tensor = self.network(source, target, lengths)
        return found


def mean_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats of targets (B, T), −100 left out, from scores (B, T, tokens)."""
    return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def share_exact(scores: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    """The share of rows of which every token is the likeliest: (B, T, tokens) and (B, T).

    The scores are those after the right tokens, and yet this is the share of rows that are written
    without a fault when each token is chosen in its turn: up to the first fault both are the same.
    """
    right = (scores.argmax(-1) == targets) | (targets == IGNORED)
    return float(right.all(1).mean())


@dataclass(eq=False)
class PairParts:
    """Pairs cut at random into parts to learn from, to watch, and to test; no source is twice."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    dropped: int
    """Pairs left out, because their source was there before."""

    @classmethod
    def of(cls, pairs: Sequence[Pair], config: SequenceConfig) -> PairParts:
        """Cuts by the shares of the settings."""
        first: dict[str, str] = {}
        for source, target in pairs:
            first.setdefault(source, target)
        kept = list(first.items())
        order = np.random.default_rng(config.seed).permutation(len(kept))
        chosen = [kept[place] for place in order]
        until = int(len(kept) * config.train_share)
        last = len(kept) - int(len(kept) * config.test_share)
        parts = cls(chosen[:until], chosen[until:last], chosen[last:], len(pairs) - len(kept))
        if not parts.train or not parts.validation:
            raise DataError(f"there are {len(kept)} different pairs", "Give more pairs.")
        return parts


@dataclass(eq=False)
class SequenceModel:
    """A network, the tokenizer of both sides, and its settings."""

    network: nn.Module
    tokenizer: Tokenizer
    config: SequenceConfig
    longest: int
    """Tokens of the longest sequence there was."""
    written: int
    """Tokens that it writes at most, the end included: those of the longest target."""

    def translate(self, sources: Sequence[str], beams: int = 1) -> list[str]:
        """What the network writes for each source: each token the likeliest in its turn, or with
        ``beams`` the likeliest of the sequences that so many beginnings lead to."""
        if beams < 1:
            raise ArgumentError(f"translate got beams={beams}", "Use at least 1.")
        found: list[str] = []
        for at in range(0, len(sources), _BLOCK):
            found += self._translate(sources[at : at + _BLOCK], beams)
        return found

    def _translate(self, sources: Sequence[str], beams: int) -> list[str]:
        ids, lengths = self.encode_sources(sources)
        start, end = self.tokenizer.id_of(START), self.tokenizer.id_of(END)
        with evaluation(self.network), no_grad():
            if beams == 1:
                network: Any = self.network
                given = (pellucid.tensor(ids), start, self.written, pellucid.tensor(lengths))
                written = network.translate(*given).numpy()
            else:
                written, _ = beam_search(
                    lambda rows, begun: self._next(ids[rows], begun, lengths[rows]),
                    len(ids), start, end, self.written, beams,
                )  # fmt: skip
        texts = []
        for row in written.tolist():
            kept = row[: row.index(end)] if end in row else row
            texts.append(self.tokenizer.decode(kept))
        return texts

    def _next(self, ids: Ids, begun: Ids, lengths: Ids) -> npt.NDArray[Any]:
        """ln P (rows, tokens) of the token after ``begun``."""
        given = (pellucid.tensor(part) for part in (ids, begun, lengths))
        found: npt.NDArray[Any] = self.network(*given)[:, -1].log_softmax(-1).numpy()
        return found

    def exact_match(self, pairs: Sequence[Pair], beams: int = 1) -> float:
        """The share of pairs whose source becomes exactly the target."""
        if not pairs:
            raise ArgumentError("exact_match got no pairs", "Give at least one.")
        written = self.translate([source for source, _ in pairs], beams)
        return float(np.mean([w == t for w, (_, t) in zip(written, pairs, strict=True)]))

    def alignment(
        self, source: str, target: str | None = None
    ) -> tuple[npt.NDArray[np.float32], list[str], list[str]]:
        """How much each token of the target (unless given, the network's own) looks at each token
        of the source: (target tokens, source tokens), rows sum to 1; and both sides' tokens.

        Of a transformer the mean over heads and decoder layers.  ``pellucid.insight.alignment``
        draws it.  Raises ``ArgumentError`` for a network without attention.
        """
        written = self.translate([source])[0] if target is None else target
        ids, lengths = self.encode_sources([source])
        wanted = self.tokenizer.encode(written, ends=True)
        network: Any = self.network
        with evaluation(self.network), no_grad():
            maps = network.attention(
                pellucid.tensor(ids), pellucid.tensor(wanted[None, :-1]), pellucid.tensor(lengths)
            )
        if isinstance(maps, list):
            maps = pellucid.stack(maps).mean(0)
        weights = np.array(maps.numpy()[0])
        names = self.tokenizer.split(source)
        if self.config.reverse:
            weights = weights[:, ::-1]
        return np.ascontiguousarray(weights), names, [*self.tokenizer.split(written), END]

    def encode_sources(self, sources: Sequence[str]) -> tuple[Ids, Ids]:
        """Ids (n, S) of sources, read backwards where the settings say so, and their lengths."""
        rows = [self.tokenizer.encode(source).tolist() for source in sources]
        empty = next((place for place, row in enumerate(rows) if not row), None)
        if empty is not None:
            raise DataError(f"source {empty} is empty", "Give at least one token.")
        if self.config.model == "transformer":
            most = max(map(len, rows), default=0)
            if most > self.longest:
                raise DataError(
                    f"a source has {most} tokens, those of the training had up to {self.longest}",
                    "Give shorter ones, or train with longer ones.",
                )
        if self.config.reverse:
            rows = [row[::-1] for row in rows]
        ids, mask = pad_sequences(rows, None, self.tokenizer.id_of(PAD))
        return ids, mask.sum(1)

    def rows(
        self, pairs: Sequence[Pair], width: int | None = None
    ) -> tuple[tuple[Ids, Ids, Ids], Ids]:
        """((source, target before, lengths), target after) of pairs, ready for a Trainer."""
        ids, lengths = self.encode_sources([source for source, _ in pairs])
        if width is not None and ids.shape[1] < width:
            filler = np.full((len(ids), width - ids.shape[1]), self.tokenizer.id_of(PAD))
            ids = np.concatenate([ids, filler], 1)
        encoded = [self.tokenizer.encode(t, ends=True).tolist() for _, t in pairs]
        before, mask = pad_sequences([row[:-1] for row in encoded], None, self.tokenizer.id_of(PAD))
        after, _ = pad_sequences([row[1:] for row in encoded], None, IGNORED)
        return (ids, before, lengths), after


def train_sequences(
    pairs: Sequence[Pair],
    config: SequenceConfig | None = None,
    *,
    checkpoint: Checkpoints | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
    **settings: Any,
) -> tuple[SequenceModel, History]:
    """Trains a network on pairs (source, target); the one that was best on validation pairs, and
    the history, whose metric is the share of exact matches.

    ``settings`` are fields of :class:`SequenceConfig`: ``attention="bahdanau", epochs=10``.
    """
    if config is None:
        config = SequenceConfig.suited(**settings)
    parts = PairParts.of(pairs, config)
    model = new_model(parts, config)
    _, fit = prepare(model, parts, checkpoint, callbacks)
    return model, fit(progress)


def new_model(parts: PairParts, config: SequenceConfig) -> SequenceModel:
    """A network with first weights and the tokenizer of the training pairs."""
    texts = [text for pair in parts.train for text in pair]
    tokenizer = Tokenizer.fit(texts, config.level, size=config.vocabulary or None)
    every = [pair for part in (parts.train, parts.validation, parts.test) for pair in part]
    sources, targets = (max(len(tokenizer.split(p[side])) for p in every) for side in (0, 1))
    longest = max(sources, targets + 1)
    pellucid.manual_seed(config.seed)
    network = build_network(config, len(tokenizer), longest)
    return SequenceModel(network, tokenizer, config, longest, targets + 1)


def prepare(
    model: SequenceModel,
    parts: PairParts,
    checkpoint: Checkpoints | None = None,
    callbacks: Sequence[Callback] = (),
) -> tuple[Trainer, Callable[[bool | None], History]]:
    """A Trainer for the model, and the function that runs it."""
    config = model.config
    train, held = model.rows(parts.train), model.rows(parts.validation)
    wrapped = _Scores(model.network)
    listed = list(model.network.parameters())
    optimizer = optim.AdamW(
        listed, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.99)
    )
    steps = config.epochs * -(-len(parts.train) // config.batch_size)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps, pct_start=0.2
    )
    trainer = Trainer(
        wrapped,
        mean_loss,
        optimizer,
        schedule=schedule,
        metric=share_exact,
        clip_norm=config.clip_norm,
        callbacks=callbacks,
        seed=config.seed,
        checkpoint=checkpoint,
    )
    trainer.scorer = Scorer(wrapped, block=_BLOCK)

    def fit(progress: bool | None = None) -> History:
        return trainer.fit(
            train,
            held,
            epochs=config.epochs,
            batch_size=config.batch_size,
            patience=config.patience,
            max_minutes=config.max_minutes,
            progress=progress,
        )

    return trainer, fit
