"""Models of counts against a plain dictionary of counts."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.text import NGramModel, Tokenizer, bits_per_character


def kneser_ney(text: list[int], tokens: int, order: int, before: list[int], token: int) -> float:
    """Interpolated Kneser-Ney by dictionaries, straight from the formula."""
    grams = [Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))
             for n in range(1, order + 1)]  # fmt: skip
    counts: list[Counter] = []
    for n in range(1, order + 1):
        if n == order:
            counts.append(grams[n - 1])
        else:  # after how many different tokens it stands
            counts.append(Counter(gram[1:] for gram in grams[n]))
    chance = 1 / tokens
    for n in range(1, order + 1):
        context = tuple(before[len(before) - n + 1 :]) if n > 1 else ()
        if len(context) < n - 1:
            break
        own = {gram[-1]: c for gram, c in counts[n - 1].items() if gram[:-1] == context}
        total = sum(own.values())
        once = sum(c == 1 for c in counts[n - 1].values())
        twice = sum(c == 2 for c in counts[n - 1].values())
        discount = once / (once + 2 * twice) if once and twice else 0.5
        if total:
            found = max(own.get(token, 0) - discount, 0) / total
            chance = found + discount * len(own) / total * chance
    return chance


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_the_formula(order: int, rng: np.random.Generator) -> None:
    text = rng.integers(0, 5, 60).tolist()
    model = NGramModel(text, 6, order)
    held = rng.integers(0, 6, 25).tolist()
    logs = model.log_probabilities(held)
    for place, token in enumerate(held):
        expected = kneser_ney(text, 6, order, held[:place], token)
        assert math.exp(logs[place]) == pytest.approx(expected, rel=1e-12)
        found = model.distribution(held[:place])
        assert found[token] == pytest.approx(expected, rel=1e-12)
        assert found.sum() == pytest.approx(1.0)
    assert model.perplexity(held) == pytest.approx(math.exp(-logs.mean()))


def test_texts_do_not_run_into_each_other() -> None:
    apart = NGramModel([[0, 1], [2, 3]], 4, 2)
    together = NGramModel([0, 1, 2, 3], 4, 2)
    assert apart.distribution([1])[2] < together.distribution([1])[2]


def test_longer_runs_say_more_on_shakespeare(data_folder: Path) -> None:
    text = (data_folder / "text" / "tinyshakespeare.txt").read_text(encoding="utf-8")
    tokenizer = Tokenizer.fit(text[:200_000], "char")
    train, held = tokenizer.encode(text[:200_000]), tokenizer.encode(text[200_000:210_000])
    found = [NGramModel(train, len(tokenizer), n).perplexity(held) for n in (1, 2, 3, 5)]
    assert found == sorted(found, reverse=True) and found[-1] < 6.5
    model = NGramModel(train, len(tokenizer), 5)
    made = model.generate(held[:5], 200, seed=3)
    assert made.tolist() == model.generate(held[:5], 200, seed=3).tolist()
    assert model.perplexity(made) < 10


def test_bits_and_errors() -> None:
    assert bits_per_character(8 * math.log(2), 4) == pytest.approx(2.0)
    for call, message in [
        (lambda: NGramModel([0, 3], 3), "ids from 0 to 3"),
        (lambda: NGramModel([0, 1], 3, order=0), "order=0"),
        (lambda: NGramModel([0], 3), "fewer than 2"),
        (lambda: NGramModel([[[0]]], 3), "shape"),
        (lambda: bits_per_character(1.0, 0), "characters=0"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            call()
