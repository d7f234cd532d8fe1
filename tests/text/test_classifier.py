"""Texts sorted into classes: by words, by their order, in Chinese and in English."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, DataError
from pellucid.text import train_classifier
from pellucid.text.classifier import MODELS, Bag, Patterns, Reader, SmallTransformer


def reviews(count: int, seed: int) -> tuple[list[str], list[str]]:
    """ "not good" and "not bad", "不好吃" and "不难吃": the words alone do not tell."""
    rng = np.random.default_rng(seed)
    pairs = {"good": [("it was good", "not bad"), ("真好吃", "不难吃")],
             "bad": [("it was bad", "not good"), ("真难吃", "不好吃")]}  # fmt: skip
    texts, labels = [], []
    filler = ["the", "food", "today", "again", "送餐", "今天", "外卖"]
    for _ in range(count):
        label = ("good", "bad")[rng.integers(0, 2)]
        said = pairs[label][rng.integers(0, 2)][rng.integers(0, 2)]
        words = [*rng.choice(filler, rng.integers(0, 4)), said, *rng.choice(filler, 2)]
        texts.append(" ".join(words))
        labels.append(label)
    return texts, labels


@pytest.mark.parametrize("model", MODELS)
def test_B17_texts_in_two_languages_are_classified_by_more_than_their_words(model: str) -> None:
    made = train_classifier(*reviews(800, 0), model=model, epochs=6, learning_rate=0.01)
    texts, labels = reviews(200, 1)
    assert np.mean([a == b for a, b in zip(made.predict(texts), labels, strict=True)]) > 0.9
    chances = made.probabilities(["it was good", "不好吃"])
    assert np.allclose(chances.sum(1), 1) and made.classes == ("bad", "good")


@pytest.mark.parametrize("network", [Bag, Patterns, Reader, SmallTransformer])
def test_D34_padding_behind_a_text_changes_little(network: type) -> None:
    """Nothing but the biases of the padding is seen, and attention gives it nothing."""
    pellucid.manual_seed(0)
    model = network(9, 3).eval()
    ids = np.array([[3, 4, 5, 6, 7, 8]])
    longer = np.concatenate([ids, np.zeros((1, 5), np.int64)], 1)
    a, b = (model(pellucid.tensor(x)).detach().numpy() for x in (ids, longer))
    if network in (Bag, SmallTransformer):
        np.testing.assert_allclose(a, b, atol=1e-5)
    empty = model(pellucid.tensor(np.zeros((1, 6), np.int64))).detach().numpy()
    assert np.isfinite(empty).all()


def test_E12_opinions_about_deliveries(data_folder: Path) -> None:
    """Chinese reviews: far above the share of the larger class, in seconds."""
    path = data_folder / "text" / "waimai_10k.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    order = np.random.default_rng(0).permutation(len(rows))
    chosen = [rows[i] for i in order[:4000]]
    texts, labels = [r["review"] for r in chosen], [r["label"] for r in chosen]
    made = train_classifier(texts[:3000], labels[:3000], epochs=3)
    right = np.mean(
        [a == b for a, b in zip(made.predict(texts[3000:]), labels[3000:], strict=True)]
    )
    assert right > 0.82 > max(labels.count("0"), labels.count("1")) / len(labels)
    assert made.predict(["很好吃，送餐快，好评", "太慢了，难吃，差评"]) == ["1", "0"]


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="model='rnn'"):
        train_classifier(["a"] * 30, ["x"] * 30, model="rnn")
    with pytest.raises(DataError, match="3 texts and 2 labels"):
        train_classifier(["a"] * 3, ["x"] * 2)
    with pytest.raises(DataError, match="30 texts of 1 classes"):
        train_classifier(["a"] * 30, ["x"] * 30)
