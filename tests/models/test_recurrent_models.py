"""The recurrent models on generated data: they learn natively, write, and keep their promises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from models.learning import fit
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.models import LSTMLanguageModel, Seq2Seq
from pellucid.text import perplexity

SYMBOLS = "0123456789+_ "


def sums(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """ "3+48 " read backwards, and "_51 ", as ids (rows, 5) and (rows, 4)."""
    source, target = [], []
    for a, b in rng.integers(0, 50, (rows, 2)):
        source.append([SYMBOLS.index(c) for c in f"{a}+{b}".ljust(5)[::-1]])
        target.append([SYMBOLS.index(c) for c in f"_{a + b}".ljust(4)])
    return np.array(source), np.array(target)


def test_D19_a_peeking_decoder_learns_to_add(rng) -> None:
    """One LSTM reads the sum as text, another writes the answer; after a few hundred steps most
    digits of unseen sums are right, and all are as good as right to within a little."""
    model = Seq2Seq(len(SYMBOLS), features=16, hidden=64, view="peek")
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    losses = fit(model, model.loss, optimizer, sums(rng, 5_120), epochs=10, batch=128)
    assert losses[0] > 1.2 and losses[-1] < 0.6
    source, target = sums(np.random.default_rng(77), 300)
    written = model.translate(pellucid.tensor(source), SYMBOLS.index("_"), 3).numpy()
    assert (written == target[:, 1:]).mean() > 0.7
    numbers = [("".join(SYMBOLS[i] for i in ids)).split("_") for ids in target]
    wanted = np.array([int(n[1]) for n in numbers])
    found = np.array([_number(ids) for ids in written])
    assert np.median(abs(found - wanted)) <= 5


def _number(ids: np.ndarray) -> float:
    digits = "".join(SYMBOLS[i] for i in ids).strip()
    return float(digits) if digits.isdigit() else math.inf


def test_D21_attention_of_a_recurrent_decoder_points_at_the_source(rng) -> None:
    """Copying: what the decoder looks at while it writes is near what it writes."""
    source = rng.integers(1, 9, (2_560, 6))
    target = np.concatenate([np.zeros((len(source), 1), np.int64), source], 1)
    model = Seq2Seq(9, features=16, hidden=32, cell="GRU", view="attention")
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    losses = fit(model, model.loss, optimizer, (source, target), epochs=8, batch=64)
    assert losses[-1] < 0.2
    x, y = pellucid.tensor(source[:100]), pellucid.tensor(target[:100, :-1])
    weights = model.attention(x, y).numpy()  # (100, 6, 6)
    assert (weights >= 0).all()
    assert_close(weights.sum(-1), np.ones((100, 6), np.float32), 1e-5)
    shares = [weights[:, t, max(0, t - 1) : t + 2].sum(-1).mean() for t in range(6)]
    assert np.mean(shares) > 0.6  # by chance 0.44


def test_D34_padding_gets_no_attention_and_changes_nothing(rng) -> None:
    model = Seq2Seq(9, features=8, hidden=8, view="attention")
    x, y = (pellucid.tensor(rng.integers(0, 9, (2, n))) for n in (5, 4))
    lengths = pellucid.tensor([5, 3])
    weights = model.attention(x, y, lengths).numpy()
    assert (weights[1, :, 3:] == 0).all() and (weights[0] > 0).all()
    other = x.clone()
    other[1, 3:] = 7
    assert_close(model(other, y, lengths), model(x, y, lengths))
    assert_close(model(x[1:, :3], y[1:]), model(x, y, lengths)[1:], 1e-5, 1e-6)


def markov_text(rng: np.random.Generator, length: int) -> tuple[np.ndarray, float]:
    """Letters of which each is followed by one of two, 3 : 1; and the entropy in nats."""
    text, follow = [0], rng.permutation(8)
    for choice in rng.random(length - 1) < 0.75:
        text.append(int(follow[text[-1]]) if choice else (text[-1] + 3) % 8)
    return np.array(text), -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))


def test_language_model_learns_a_text_part_by_part(rng) -> None:
    """Truncated back-propagation over a text with a known entropy: perplexity comes near to it,
    and the state that was handed on is that of reading the whole text at once."""
    text, entropy = markov_text(rng, 16 * 121)
    columns = text.reshape(16, 121).T  # (121, 16): sixteen parts side by side
    model = LSTMLanguageModel(8, features=24, layers=2)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @pellucid.compile
    def step(x: Any, y: Any, h: Any, c: Any) -> Any:
        optimizer.zero_grad()
        loss, (h, c) = model.loss(x, y, (h, c))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        return loss.detach(), h, c

    means = []
    for _ in range(8):
        h = c = pellucid.zeros(2, 16, 24)
        losses = []
        for start in range(0, 120, 8):
            x, y = (pellucid.tensor(columns[start + k : start + k + 8]) for k in (0, 1))
            loss, h, c = step(x, y, h, c)
            losses.append(float(loss))
        means.append(np.mean(losses))
    assert means[0] > 1.3
    assert perplexity(entropy) - 0.1 < perplexity(means[-1]) < 1.3 * perplexity(entropy)
    with pellucid.no_grad():
        whole, _ = model(pellucid.tensor(columns[:24]))
        state, parts = None, []
        for start in (0, 8, 16):
            scores, state = model(pellucid.tensor(columns[start : start + 8]), state)
            parts.append(scores)
    assert_close(pellucid.cat(parts), whole, 1e-5, 1e-5)


def test_language_model_writes_without_skipped_words(rng) -> None:
    model = LSTMLanguageModel(9, features=8, dropout=0.5)
    start = pellucid.tensor(rng.integers(0, 9, (3, 4)))
    made = model.generate(start, 50, skip=(0, 5)).numpy()
    assert made.shape == (50, 4) and not np.isin(made, (0, 5)).any() and model.training


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="view='all'(.|\n)*state, peek, attention"):
        Seq2Seq(4, view="all")
    with pytest.raises(ArgumentError, match="cell='CNN'"):
        Seq2Seq(4, cell="CNN")
