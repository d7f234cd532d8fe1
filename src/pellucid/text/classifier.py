"""Texts sorted into classes, Chinese and English: four small networks over their tokens.

============  ==================================================================================
bag           the mean of the vectors of all tokens and of pairs of neighbours (Joulin and others,
              "Bag of Tricks for Efficient Text Classification", 2016)
cnn           patterns of two to four tokens anywhere, the strongest of each (Kim, "Convolutional
              Neural Networks for Sentence Classification", 2014)
lstm          read in both directions, the outputs mixed by attention (Yang and others,
              "Hierarchical Attention Networks for Document Classification", 2016)
transformer   two layers of self-attention, the mean of their outputs (Vaswani et al., 2017)
============  ==================================================================================

>>> model = train_classifier(["很好吃", "太慢了"] * 50, ["1", "0"] * 50)  # doctest: +SKIP
>>> model.predict(["好吃"])                                              # doctest: +SKIP
['1']
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError, DataError
from pellucid.models.encoder_decoder import sinusoids
from pellucid.text.tokenizer import LEVELS, PAD, UNKNOWN, Tokenizer
from pellucid.training.inference import Scorer
from pellucid.training.trainer import Trainer

Ids = npt.NDArray[np.int64]
MODELS = ("bag", "cnn", "lstm", "transformer")
_PAIRS = 1 << 15


class Bag(nn.Module):
    """Ids (B, T), 0 being padding → scores (B, classes)."""

    def __init__(self, tokens: int, classes: int, features: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        self.single = nn.Embedding(tokens, features, padding_idx=0)
        self.pairs = nn.Embedding(_PAIRS, features, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(features, classes)
        for table in (self.single, self.pairs):
            nn.init.normal_(table.weight, 0.0, 0.1)

    def forward(self, ids: Tensor) -> Tensor:
        """The scores (B, classes)."""
        left, right = ids[:, :-1], ids[:, 1:]
        there = (left > 0) & (right > 0)
        # Pairs share groups, by a hash of both ids (Weinberger and others, 2009).
        group = (left * 31_337 + right * 7_919) % (_PAIRS - 1) + 1
        group = pellucid.where(there, group, 0)
        real = (ids > 0).float()
        total = (self.single(ids) * real.unsqueeze(-1)).sum(1)
        total = total + (self.pairs(group) * there.float().unsqueeze(-1)).sum(1)
        count = real.sum(1) + there.float().sum(1)
        return self.scores(self.dropout(total / count.clamp(min=1).unsqueeze(1)))


class Patterns(nn.Module):
    """Convolutions of widths 2, 3 and 4 and the maximum over places: (B, T) → (B, classes)."""

    def __init__(
        self, tokens: int, classes: int, features: int = 64, filters: int = 64, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, features, padding_idx=0)
        nn.init.normal_(self.embedding.weight, 0.0, 0.3)
        self.convolutions = nn.ModuleList([nn.Conv1d(features, filters, k) for k in (2, 3, 4)])
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(3 * filters, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """The scores (B, classes)."""
        x = self.embedding(ids) * (ids > 0).float().unsqueeze(-1)  # (B, T, features)
        x = self.dropout(x).transpose(1, 2)
        found = [F.relu(layer(x)).amax(2) for layer in self.convolutions]
        return self.scores(self.dropout(pellucid.cat(found, 1)))


class Reader(nn.Module):
    """An LSTM in both directions and attention over its outputs: (B, T) → (B, classes)."""

    def __init__(
        self, tokens: int, classes: int, features: int = 64, hidden: int = 64, dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, features, padding_idx=0)
        nn.init.normal_(self.embedding.weight, 0.0, 0.3)
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.view = nn.Linear(2 * hidden, hidden)
        self.weight = nn.Linear(hidden, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(2 * hidden, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """The scores (B, classes)."""
        outputs, _ = self.lstm(self.dropout(self.embedding(ids)))
        mixed = (self.attention(ids, outputs).unsqueeze(1) @ outputs).squeeze(1)
        return self.scores(self.dropout(mixed))

    def attention(self, ids: Tensor, outputs: Tensor) -> Tensor:
        """How much each place counts, (B, T): rows sum to 1, padding has 0."""
        energies = self.weight(self.view(outputs).tanh()).squeeze(-1)
        # The first place stays, so that a text without a known token has a sum.
        empty = (ids == 0) & (pellucid.arange(ids.shape[1]) > 0)
        return energies.masked_fill(empty, -math.inf).softmax(-1)


class SmallTransformer(nn.Module):
    """Two encoder layers and the mean of their outputs: (B, T) → (B, classes)."""

    def __init__(
        self, tokens: int, classes: int, features: int = 64, heads: int = 4, longest: int = 512,
        dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = nn.Embedding(tokens, features, padding_idx=0)
        nn.init.normal_(self.embedding.weight, 0.0, 1 / math.sqrt(features))
        self.register_buffer("positions", sinusoids(features, longest), persistent=False)
        layer = nn.TransformerEncoderLayer(
            features, heads, 2 * features, dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(features, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """The scores (B, classes)."""
        x = self.embedding(ids) * math.sqrt(self.embedding.embedding_dim)
        x = self.dropout(x + self.positions[: ids.shape[1]])
        real = ((ids > 0) | (pellucid.arange(ids.shape[1]) == 0)).float().unsqueeze(-1)
        x = self.encoder(x, src_key_padding_mask=real.squeeze(-1) == 0)
        return self.scores(self.dropout((x * real).sum(1) / real.sum(1)))


@dataclass(eq=False)
class TextClassifier:
    """A network, the tokenizer of its texts, and the names of the classes."""

    network: nn.Module
    tokenizer: Tokenizer
    classes: tuple[str, ...]
    length: int
    """Tokens of a text that are read, at most."""

    def ids(self, texts: Sequence[str]) -> Ids:
        """Ids (n, length); ``<pad>`` is 0."""
        found, _ = self.tokenizer.encode_all(texts, self.length)
        return found

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """P of each class, (n, classes)."""
        if not len(texts):
            return np.zeros((0, len(self.classes)))
        scores = Scorer(self.network, block=256)(self.ids(texts)).astype(np.float64)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        found: npt.NDArray[np.float64] = shares / shares.sum(1, keepdims=True)
        return found

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest class of each text."""
        return [self.classes[place] for place in self.probabilities(texts).argmax(1)]


def train_classifier(
    texts: Sequence[str],
    labels: Sequence[Any],
    *,
    model: str = "bag",
    level: str = "word",
    chinese: str = "characters",
    epochs: int = 8,
    batch_size: int = 64,
    learning_rate: float = 0.0,
    max_length: int = 256,
    min_count: int = 2,
    seed: int = 0,
    progress: bool | None = False,
) -> TextClassifier:
    """A network that says which class a text is of, learned from texts with their ``labels``.

    ``model`` is one of the networks at the top of this file.  A tenth of the texts is watched: the
    weights of the epoch that was best on them are kept.  Tokens are those of ``Tokenizer``, in
    small letters; rarer ones than ``min_count`` are unknown.  Texts longer than ``max_length``
    tokens, or than 98 of 100 others, are cut.
    """
    if model not in MODELS or level not in LEVELS:
        raise ArgumentError(
            f"train_classifier got model={model!r}, level={level!r}",
            f"Models: {', '.join(MODELS)}; levels: {', '.join(LEVELS)}.",
        )
    if len(texts) != len(labels):
        raise DataError(f"{len(texts)} texts and {len(labels)} labels", "Give one for each.")
    names = [str(label) for label in labels]
    classes = tuple(sorted(set(names)))
    if len(classes) < 2 or len(texts) < 20:
        raise DataError(
            f"{len(texts)} texts of {len(classes)} classes", "Give 20 or more, of two classes."
        )
    order = np.random.default_rng(seed).permutation(len(texts))
    held, kept = order[: len(order) // 10], order[len(order) // 10 :]
    chosen = [texts[i] for i in kept]
    tokenizer = Tokenizer.fit(
        chosen, level, min_count=min_count, lower=True, chinese=chinese, special=(PAD, UNKNOWN)
    )
    lengths = [len(tokenizer.split(text)) for text in chosen]
    length = int(min(max_length, max(4, np.quantile(lengths, 0.98))))
    pellucid.manual_seed(seed)
    kinds: dict[str, Any] = {
        "bag": Bag, "cnn": Patterns, "lstm": Reader, "transformer": SmallTransformer,
    }  # fmt: skip
    network = kinds[model](len(tokenizer), len(classes))
    made = TextClassifier(network, tokenizer, classes, length)
    place = {name: number for number, name in enumerate(classes)}
    targets = np.array([place[name] for name in names], np.int64)
    rate = learning_rate or {"bag": 0.005, "transformer": 0.001}.get(model, 0.002)
    optimizer = optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    steps = epochs * -(-len(kept) // batch_size)
    trainer = Trainer(
        network,
        "cross_entropy",
        optimizer,
        schedule=optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2),
        clip_norm=1.0,
        seed=seed,
    )
    data, watched = ((made.ids([texts[i] for i in rows]), targets[rows]) for rows in (kept, held))
    trainer.fit(data, watched, epochs=epochs, batch_size=batch_size, progress=progress)
    return made
