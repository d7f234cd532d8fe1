"""word2vec on texts whose meanings are known: analogies, neighbours, the loss, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import set_num_threads
from pellucid.backends.cpu.threads import get_num_threads
from pellucid.base.errors import ArgumentError, DataError
from pellucid.text import train_word2vec, word_vectors
from pellucid.text.word_vectors import _Tree


def roles(seed: int = 0, sentences: int = 6000) -> list[list[str]]:
    """Ten trades of men and of women: each word stands among words of its trade and of its sex."""
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(sentences):
        trade, sex = rng.integers(0, 10), "mf"[rng.integers(0, 2)]
        around = [f"trade{trade}_{k}" for k in rng.integers(0, 3, 2)]
        around += [f"sex{sex}_{k}" for k in rng.integers(0, 3, 2)]
        rng.shuffle(around)
        texts.append([*around[:2], f"{sex}{trade}", *around[2:]])
    return texts


SETTINGS: dict[str, Any] = {
    "features": 16, "window": 2, "min_count": 2, "sample": 0.0, "epochs": 6, "seed": 1,
    "learning_rate": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(("model", "negative"), [
    ("skipgram", 5), ("cbow", 5), ("skipgram", 0), ("cbow", 0),
])  # fmt: skip
def test_D11_neighbours_and_analogies_of_a_text_whose_meanings_are_known(
    model: str, negative: int
) -> None:
    made = train_word2vec(roles(), model=model, negative=negative, **SETTINGS)
    assert made.losses == sorted(made.losses, reverse=True) or made.losses[-1] < made.losses[0]
    right = [
        made.analogy("m0", "f0", f"m{i}", 1)[0][0] == f"f{i}" for i in range(1, 10)
    ] + [made.analogy(f"m{i}", f"m{j}", f"f{i}", 1)[0][0] == f"f{j}"
         for i in range(10) for j in range(10) if i != j]  # fmt: skip
    assert np.mean(right) > 0.8
    near = {word for word, _ in made.most_similar("trade3_0", 2)}
    assert near == {"trade3_1", "trade3_2"}
    assert made["m1"].shape == (16,) and made.words_seen == 6 * 6000 * 5


def test_the_loss_is_that_of_the_definition() -> None:
    """At the start all scores are 0: each of 1 + K choices costs ln 2; and by hand afterwards."""
    begun = train_word2vec(roles(sentences=50), **{**SETTINGS, "epochs": 1, "learning_rate": 1e-9})
    # A noise word that is the right one does not count, so a little less than 6 ln 2.
    assert 0.9 * 6 * np.log(2) < begun.losses[0] <= 6 * np.log(2) + 1e-6
    tree = train_word2vec(
        roles(sentences=50), negative=0, **{**SETTINGS, "epochs": 1, "learning_rate": 1e-9}
    )
    counts = np.array([16.0, 8, 4, 2, 1])
    way = np.abs(_Tree(counts).signs).sum(1)
    assert way.tolist() == [1, 2, 3, 4, 4]  # Huffman: frequent words have short ways
    assert 4 * np.log(2) < tree.losses[0] < 7 * np.log(2)


def test_the_same_bits_on_any_number_of_threads() -> None:
    before, found = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            found.append([
                train_word2vec(
                    roles(sentences=300), model=model, negative=negative, batch_size=128, **SETTINGS
                ).vectors
                for model in ("skipgram", "cbow") for negative in (5, 0)
            ])  # fmt: skip
    finally:
        set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(*pair) for pair in zip(found[0], other, strict=True))


def step_by_hand(
    text: list[int], reach: list[int], noise: list[int], seen: Any, guessed: Any, rate: float
) -> tuple[Any, Any, float]:
    """One step of CBOW with a pool of noise words, word by word in float64."""
    pool, negative = len(noise), 5
    new_seen, new_guessed, loss = seen.copy(), guessed.copy(), 0.0
    visits = np.bincount(text, minlength=len(seen)) / len(text)
    drawn = visits**0.75 / (visits**0.75).sum()
    meant = len(text) * (visits + negative * drawn)
    for place, word in enumerate(text):
        near = [
            p for p in range(place - reach[place], place + reach[place] + 1)
            if p != place and 0 <= p < len(text)
        ]  # fmt: skip
        mean = seen[[text[p] for p in near]].mean(0)
        change = np.zeros_like(mean)
        told = [(word, 1.0, 1.0)] + [(n, 0.0, negative / pool) for n in noise if n != word]
        for other, label, weight in told:
            right = 1 / (1 + np.exp(-(2 * label - 1) * guessed[other] @ mean))
            loss -= weight * np.log(right)
            wrong = (2 * label - 1) * (1 - right) * weight * rate
            change += wrong * guessed[other]
            many = meant[other] + (0.0 if label else len(text) * negative / pool)
            new_guessed[other] += wrong / (1 + 0.25 * rate * many) * mean
        for p in near:
            new_seen[text[p]] += change
    return new_seen, new_guessed, loss / len(text)


def test_a_step_of_cbow_is_that_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables, changes and running loss of a step, from its own draws."""
    taken: dict[str, Any] = {}
    steps = word_vectors._Steps

    class Watched(steps):  # type: ignore[misc, valid-type]
        def run(self, batches: Any) -> Any:
            (batch,) = list(batches)
            taken["reach"], taken["noise"] = batch[2][0].ravel(), batch[4][0]
            rng = np.random.default_rng(3)
            self._guessed.copy_(rng.standard_normal(self._guessed.shape).astype(np.float32))
            taken["before"] = self._seen.numpy().copy(), self._guessed.numpy().copy()
            result = super().run(iter([batch]))
            taken["after"] = self._seen.numpy().copy(), self._guessed.numpy().copy()
            return result

    monkeypatch.setattr(word_vectors, "_Steps", Watched)
    words = [f"w{k}" for k in np.random.default_rng(0).integers(0, 9, 64)]
    made = train_word2vec(
        words, model="cbow", features=8, window=2, min_count=1, sample=0.0, epochs=1,
        learning_rate=0.1, batch_size=64,
    )  # fmt: skip
    ids = made.vocabulary.encode(words)
    seen, guessed, loss = step_by_hand(
        list(ids), taken["reach"], list(taken["noise"]),
        *(table.astype(np.float64) for table in taken["before"]), 0.1,
    )  # fmt: skip
    assert made.losses[0] == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(taken["after"][0], seen, atol=2e-5)
    np.testing.assert_allclose(taken["after"][1], guessed, atol=2e-5)


def test_frequent_words_are_left_out_and_texts_do_not_mix() -> None:
    texts = [["the", "a"] * 50, ["the", "b"] * 50]
    all_of_them = train_word2vec(texts, features=4, sample=0.0, epochs=1)
    some = train_word2vec(texts, features=4, sample=1e-2, epochs=1)
    assert all_of_them.words_seen == 200 > some.words_seen > 20
    assert all_of_them.vocabulary.tokens[0] == "the"
    flat = train_word2vec(["x", "y"] * 20, features=4, sample=0.0, epochs=1)
    assert flat.words_seen == 40


@pytest.mark.parametrize(("settings", "message"), [
    ({"model": "glove"}, "model='glove'"), ({"features": 0}, "features=0"),
    ({"negative": -1}, "negative=-1"), ({"window": 0}, "window=0"),
])  # fmt: skip
def test_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        train_word2vec([["a", "b"] * 9], **settings)
    with pytest.raises(DataError, match="0 words occur at least 5 times"):
        train_word2vec([["a", "b"]])
