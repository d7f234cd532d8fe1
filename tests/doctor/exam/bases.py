"""Healthy programs of our own, from which the sick ones are made.

Each learns what it is asked in a few seconds at most; the smallest score that counts as learned
stands beside it in ``BASES``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from doctor.exam import data
from doctor.exam.recipe import Recipe, chain, hidden
from pellucid import Tensor, nn
from pellucid.nn import functional as F


class Base(NamedTuple):
    """A healthy program: its recipe for a seed, and the score that it must reach."""

    make: Callable[[int], Recipe]
    enough: float


# ---- networks


def dense(recipe: Recipe) -> nn.Module:
    """Linear layers with an activation between them."""
    width, layers = recipe.data.train[0].shape[1], []
    for number in range(1, recipe.depth + 1):
        layers += [(f"fc{number}", nn.Linear(width, recipe.width))]
        layers += hidden(recipe, number, recipe.width)
        width = recipe.width
    return chain(recipe, *layers, ("out", nn.Linear(width, recipe.outputs)))


def convolutional(recipe: Recipe) -> nn.Module:
    """Two convolutions with pooling, and a linear layer."""
    size, k = recipe.data.train[0].shape[-1], recipe.kernel
    layers: list[tuple[str, nn.Module]] = []
    channels = recipe.data.train[0].shape[1]
    for number, wide in ((1, 8), (2, 16)):
        layers += [(f"conv{number}", nn.Conv2d(channels, wide, k, padding=k // 2))]
        layers += [*hidden(recipe, number, wide), (f"pool{number}", nn.MaxPool2d(2))]
        channels, size = wide, size // 2
    layers += [("flat", nn.Flatten()), ("out", nn.Linear(channels * size * size, recipe.outputs))]
    return chain(recipe, *layers)


class Recurrent(nn.Module):
    """A recurrent layer, and a linear layer on its last output."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        kind = getattr(nn, recipe.recurrent)
        self.rnn = kind(recipe.data.train[0].shape[-1], recipe.width, recipe.depth,
                        batch_first=recipe.batch_first)  # fmt: skip
        self.head = chain(recipe, ("out", nn.Linear(recipe.width, recipe.outputs)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


class Attentive(nn.Module):
    """An embedding, Transformer layers, and a linear layer on the mean over places."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, recipe.width)
        layer = nn.TransformerEncoderLayer(
            recipe.width, 2, 2 * recipe.width, dropout=0.0, batch_first=recipe.batch_first
        )
        self.encoder = nn.TransformerEncoder(layer, recipe.depth)
        self.head = chain(recipe, ("out", nn.Linear(recipe.width, recipe.outputs)))
        self.each = recipe.kind == "tokens"

    def forward(self, tokens: Tensor) -> Tensor:
        seen = self.encoder(self.embedding(tokens))
        return self.head(seen if self.each else seen.mean(1))


def tagging_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy over places; those of -100 do not count."""
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), targets.reshape(-1))


# ---- programs


def _classes(draw: Callable[[int], Any], network: Any, outputs: int, **knobs: Any) -> Any:
    return lambda seed: Recipe("classes", draw(seed), network, outputs, F.cross_entropy, **knobs)


def _numbers(draw: Callable[[int], Any], network: Any, outputs: int, **knobs: Any) -> Any:
    return lambda seed: Recipe("numbers", draw(seed), network, outputs, F.mse_loss, **knobs)


def _labels(draw: Callable[[int], Any], network: Any, outputs: int, **knobs: Any) -> Any:
    loss = F.binary_cross_entropy_with_logits
    return lambda seed: Recipe("labels", draw(seed), network, outputs, loss, **knobs)


def _binary(draw: Callable[[int], Any], network: Any, **knobs: Any) -> Any:
    def make(seed: int) -> Recipe:
        parts = draw(seed)
        parts.change(targets=lambda y: data.single(y)[:, None])
        loss = F.binary_cross_entropy_with_logits
        return Recipe("binary", parts, network, 1, loss, **knobs)

    return make


def _tokens(seed: int) -> Recipe:
    return Recipe("tokens", data.tagging(seed), Attentive, 4, tagging_loss, width=16, depth=1,
                  rate=0.005, epochs=6)  # fmt: skip


_SMALL = {"width": 16, "depth": 1}
BASES: dict[str, Base] = {
    "blobs": Base(_classes(data.blobs, dense, 3), 0.8),
    "circles": Base(_classes(data.circles, dense, 2), 0.9),
    "digits": Base(_classes(data.digits, dense, 10, rate=0.005), 0.85),
    "moons": Base(_binary(data.moons, dense), 0.9),
    "friedman": Base(_numbers(data.friedman, dense, 1), 0.8),
    "curve": Base(_numbers(data.wave_curve, dense, 1), 0.9),
    "tags": Base(_labels(data.tags, dense, 4), 0.8),
    "digits_cnn": Base(_classes(lambda s: _pictures(data.digits(s)), convolutional, 10), 0.85),
    "strokes": Base(_classes(data.strokes, convolutional, 3, epochs=15), 0.9),
    "spots": Base(_numbers(data.spots, convolutional, 2, epochs=15), 0.9),
    "shapes": Base(_labels(data.shapes, convolutional, 3, epochs=15), 0.85),
    "series": Base(_classes(data.series, Recurrent, 3, **_SMALL, epochs=30), 0.75),
    "summing": Base(_numbers(data.running_mean, Recurrent, 1, **_SMALL), 0.85),
    "tones": Base(_labels(data.tones, Recurrent, 3, **_SMALL, rate=0.02, epochs=40), 0.75),
    "majority": Base(_classes(data.majority, Attentive, 3, **_SMALL, rate=0.003, epochs=8), 0.75),
    "tally": Base(_numbers(data.tally, Attentive, 1, **_SMALL, rate=0.003, epochs=25), 0.85),
    "present": Base(_labels(data.present, Attentive, 4, **_SMALL, rate=0.005, epochs=8), 0.85),
    "tagging": Base(_tokens, 0.9),
}


def _pictures(parts: Any) -> Any:
    parts.change(features=lambda x: x.reshape(-1, 1, 8, 8))
    return parts
