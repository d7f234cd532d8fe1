"""The encoder-decoder Transformer on sums and dates written as text."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.models.encoder_decoder import EncoderDecoder


def read(folder: Path, name: str, rows: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Source and target ids of lines such as ``16+75  _91  ``, and the letters."""
    file = folder / "sequence" / name
    if not file.exists():
        pytest.skip(f"{file} does not exist")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        text = [line.rstrip("\n") for _, line in zip(range(rows), lines, strict=False)]
    letters = sorted(set("".join(text)))
    ids = np.array([[letters.index(c) for c in line] for line in text])
    cut = text[0].index("_")
    return ids[:, :cut], ids[:, cut:], letters


def train(model: Any, source: np.ndarray, target: np.ndarray, steps: int) -> list[float]:
    optimizer = optim.Adam(model.parameters(), lr=2e-3)

    @pellucid.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = model.loss(x, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = []
    for i in range(steps):
        rows = np.arange(i * 64, i * 64 + 64) % len(source)
        losses.append(float(step(pellucid.tensor(source[rows]), pellucid.tensor(target[rows]))))
    return losses


def test_D19_encoder_and_decoder_learn_to_add(data_folder: Path) -> None:
    """A few hundred steps do not yet add without mistakes, but far better than by chance."""
    source, target, letters = read(data_folder, "addition.txt.gz", 20_000)
    model = EncoderDecoder(len(letters), features=64, heads=4, layers=1)
    losses = train(model, source, target, 450)
    assert losses[0] > 2 and np.mean(losses[-10:]) < 1.35
    unseen = pellucid.tensor(source[-200:])
    written = model.translate(unseen, letters.index("_"), 4).numpy()
    assert (written[:, 0] == target[-200:, 1]).mean() > 0.5  # the first digit; by chance 0.1


def test_D21_attention_to_a_date_can_be_drawn(data_folder: Path) -> None:
    source, target, letters = read(data_folder, "date.txt.gz", 3_000)
    model = EncoderDecoder(len(letters), features=32, heads=2, layers=2)
    losses = train(model, source, target, 40)
    assert losses[-1] < losses[0] / 2
    x, y = pellucid.tensor(source[:3]), pellucid.tensor(target[:3])
    maps = model.attention(x, y)
    assert len(maps) == 2
    for weights in (w.numpy() for w in maps):
        assert weights.shape == (3, target.shape[1], source.shape[1])
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)


def test_writing_step_by_step_gives_the_scores_of_the_whole(rng) -> None:
    model = EncoderDecoder(9, features=16, heads=2, layers=2)
    x = pellucid.tensor(rng.integers(0, 9, (3, 6)))
    written = model.translate(x, 4, 5)
    fed = pellucid.cat([pellucid.full((3, 1), 4, dtype=pellucid.int64), written], 1)
    assert_close(model(x, fed[:, :-1]).argmax(-1), written)
    assert model.training


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="layers=0"):
        EncoderDecoder(4, layers=0)
    one = pellucid.zeros(3, dtype=pellucid.int64)
    with pytest.raises(ShapeError, match=r"ids of shape \(3,\)"):
        EncoderDecoder(4, 8, 2, 1)(one, one)
    long = pellucid.zeros(1, 5, dtype=pellucid.int64)
    with pytest.raises(ShapeError, match="5 tokens and has 4 positions"):
        EncoderDecoder(4, 8, 2, 1, longest=4)(long, long)


def test_positions_are_those_of_the_layer() -> None:
    table = EncoderDecoder(4, 7, 1, 1, longest=50).positions
    assert_close(table, nn.SinusoidalPositions(7, 50).weight, 1e-6, 1e-7)
