"""Text D, the rows about words, word vectors and language models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import optim
from pellucid.models import LSTMLanguageModel
from pellucid.text import (
    CBOW,
    BigramModel,
    Noise,
    SkipGram,
    Vocabulary,
    analogy,
    co_occurrence,
    cosine,
    most_similar,
    ngram_overlap,
    perplexity,
    ppmi,
    reduced,
    split_words,
    windows,
)

SENTENCE = split_words("You say goodbye and I say hello.")
WORDS = Vocabulary(SENTENCE)
COUNTS = co_occurrence(WORDS.encode(SENTENCE), len(WORDS), window=1)


def test_D9_words_by_the_company_they_keep() -> None:
    """Co-occurrences by counting pairs, and the golden figures of their surprise."""
    expected = np.zeros((7, 7), int)
    for left, right in zip(SENTENCE, SENTENCE[1:], strict=False):
        expected[WORDS.ids[left], WORDS.ids[right]] += 1
        expected[WORDS.ids[right], WORDS.ids[left]] += 1
    np.testing.assert_array_equal(COUNTS, expected)
    surprise = ppmi(COUNTS)
    at = WORDS.ids
    assert surprise[at["you"], at["say"]] == pytest.approx(1.8074, abs=5e-5)
    assert surprise[at["hello"], at["."]] == pytest.approx(2.8074, abs=5e-5)
    assert surprise[at["you"], at["hello"]] == 0
    np.testing.assert_array_equal(surprise, surprise.T)
    wide = co_occurrence([0, 1, 2, 0], 3, window=2)
    assert wide.tolist() == [[0, 2, 2], [2, 0, 1], [2, 1, 0]]


def test_D10_similar_words_point_the_same_way(rng) -> None:
    at = WORDS.ids
    assert cosine(COUNTS[at["you"]], COUNTS[at["i"]]) == pytest.approx(0.70711, abs=5e-6)
    assert cosine([1, 2], [-2, -4]) == pytest.approx(-1) and cosine([1, 0], [0, 3]) == 0
    assert cosine([0, 0], [1, 1]) == 0
    found = most_similar("you", WORDS, COUNTS, 3)
    assert {word for word, _ in found} == {"goodbye", "i", "hello"}
    for x, y in rng.normal(size=(50, 2, 4)):
        assert -1 <= cosine(x, y) <= 1 and cosine(x, y) == pytest.approx(cosine(3 * y, x))
    short = reduced(ppmi(COUNTS), 2)
    assert short.shape == (7, 2)
    assert_close(short.T @ short, np.eye(2), 1e-9, 1e-12)


PEOPLE = "king man prince boy queen woman princess girl"
"""Four men and four women, two of each young; royal and not."""


def small_world(rng: np.random.Generator, sentences: int) -> list[str]:
    """Sentences in which words of one kind stand in the same places."""
    verbs, things = ["sees", "likes", "has"], ["tea", "bread", "milk"]
    animals = ["cat", "dog", "cow"]
    words = []
    for _ in range(sentences):
        subject = rng.choice(PEOPLE.split() if rng.random() < 0.5 else animals)
        words += ["the", str(subject), str(rng.choice(verbs)), str(rng.choice(things)), "."]
    return words


@pytest.mark.parametrize("kind", [CBOW, SkipGram])
def test_D11_word2vec_puts_exchangeable_words_together(kind: Any, rng) -> None:
    """After a few hundred steps of negative sampling, the words nearest to "tea" are the others
    that stand in its place."""
    text = small_world(rng, 600)
    words = Vocabulary(text)
    ids = words.encode(text)
    contexts, targets = windows(ids, 1)
    noise = Noise(ids, len(words))
    model = kind(len(words), 12)
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @pellucid.compile
    def step(near: Any, middle: Any, wrong: Any) -> Any:
        optimizer.zero_grad()
        loss = model.loss(near, middle, wrong)
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = []
    width = 5 if kind is CBOW else 10
    for _ in range(250):
        rows = rng.integers(0, len(targets), 128)
        batch = contexts[rows], targets[rows], noise.draw(128, width, rng)
        losses.append(float(step(*(pellucid.tensor(a) for a in batch))))
    assert np.mean(losses[-20:]) < 0.75 * losses[0]
    near = [word for word, _ in most_similar("tea", words, model.vectors, 2)]
    assert set(near) == {"bread", "milk"}


def test_D11_negative_sampling_by_its_formula(rng) -> None:
    model = CBOW(6, 4)
    contexts, targets, noise = (rng.integers(0, 6, s) for s in ((3, 2), (3,), (3, 5)))
    seen, guessed = (t.weight.detach().numpy() for t in (model.seen, model.guessed))
    expected = 0.0
    for around, word, wrong in zip(contexts, targets, noise, strict=True):
        hidden = seen[around].mean(0)
        expected -= math.log(1 / (1 + math.exp(-hidden @ guessed[word])))
        expected -= sum(math.log(1 / (1 + math.exp(hidden @ guessed[w]))) for w in wrong)
    found = model.loss(*(pellucid.tensor(a) for a in (contexts, targets, noise)))
    assert found.item() == pytest.approx(expected / 3, rel=1e-5)
    plain = model.loss(pellucid.tensor(contexts), pellucid.tensor(targets))
    assert plain.item() == pytest.approx(math.log(6), abs=0.1)


def test_D11_noise_prefers_rare_words_a_little() -> None:
    """Powers ¾ of 0.7, 0.29 and 0.01 are the textbook's 0.642, 0.331 and 0.027."""
    noise = Noise(np.repeat([0, 1, 2], [70, 29, 1]), 3)
    assert_close(noise.probabilities, [0.64196878, 0.33150408, 0.02652714], 1e-7)


def test_D11_analogies_are_differences() -> None:
    """In vectors whose axes are royalty, sex and age, b − a + c leads to the fourth word."""
    vectors = np.array([[r, s, a] for s in (1, -1) for a in (1, -1) for r in (1, -1)], float)
    words = Vocabulary(PEOPLE.split())
    assert analogy("man", "king", "woman", words, vectors, 1)[0][0] == "queen"
    assert analogy("king", "prince", "queen", words, vectors, 1)[0][0] == "princess"


def text_model(rng: np.random.Generator, tokens: int) -> tuple[Any, np.ndarray]:
    return LSTMLanguageModel(tokens, features=8, layers=1), rng.integers(0, tokens, (7, 3))


def test_D12_the_probability_of_a_text_is_the_product_of_its_steps(rng) -> None:
    model, text = text_model(rng, 9)
    total = np.zeros(3)
    for end in range(1, 7):  # P(word | all words before), each from a pass of its own
        scores, _ = model(pellucid.tensor(text[:end]))
        shares = scores[-1].softmax(-1).detach().numpy()
        assert_close(shares.sum(-1), np.ones(3, np.float32), 1e-6)
        total += np.log(shares[np.arange(3), text[end]])
    assert_close(model.log_probability(pellucid.tensor(text)), total.astype(np.float32), 1e-5)


def test_D12_all_texts_together_have_probability_1() -> None:
    model = LSTMLanguageModel(3, features=8, layers=1)
    texts = np.stack(np.meshgrid(0, *[range(3)] * 4, indexing="ij")).reshape(5, -1)
    assert texts.shape == (5, 81)
    assert model.log_probability(pellucid.tensor(texts)).exp().sum().item() == pytest.approx(1)


def test_D13_new_texts_are_not_recited(rng) -> None:
    """Samples consist of known words in known pairs, but not of known sentences."""
    text = small_world(rng, 60)
    words = Vocabulary(text)
    columns = words.encode(text)[: 290 // 10 * 10].reshape(10, -1).T  # (29, 10): ten parts
    model = LSTMLanguageModel(len(words), features=24, layers=1)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @pellucid.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss, _ = model.loss(x, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    for i in range(150):
        start = i * 7 % 20
        x, y = (pellucid.tensor(columns[start + k : start + k + 8]) for k in (0, 1))
        loss = step(x, y)
    assert perplexity(float(loss)) < 4
    begin = pellucid.tensor(words.encode(["the"])[:, None])
    made = words.decode(model.generate(begin, 200)[:, 0].numpy())
    assert ngram_overlap(made, text, 1) == 1 and ngram_overlap(made, text, 2) > 0.8
    assert ngram_overlap(made, text, 8) < 0.5
    assert ngram_overlap(text[20:60], text, 8) == 1


def test_D14_perplexity_counts_the_choices_that_are_left() -> None:
    """exp(mean cross-entropy): exactly V for a model that takes V words for equally likely."""
    model = LSTMLanguageModel(50, features=8)
    with pellucid.no_grad():
        for p in model.parameters():
            p.zero_()
    ids = pellucid.tensor(np.arange(12).reshape(4, 3))
    loss, _ = model.loss(ids, ids)
    assert perplexity(loss.item()) == pytest.approx(50, rel=1e-6)
    assert perplexity(0.0) == 1
    assert BigramModel(np.arange(50), 50, smoothing=1e12).perplexity([3, 1, 4]) == (
        pytest.approx(50)
    )
    assert BigramModel([0, 1] * 5, 2).perplexity([0, 1, 0]) == 1


def test_D15_the_next_state_depends_on_the_present_one_alone(rng) -> None:
    """A bigram model forgets everything but the present; in what it draws, the share of each next
    word is the same whatever came before."""
    chain = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.3, 0.3, 0.4]])
    text = [0]
    for _ in range(20_000):
        text.append(int(rng.choice(3, p=chain[text[-1]])))
    model = BigramModel(text, 3)
    assert_close(model.probabilities, chain, atol=0.02)
    assert_close(model.probabilities.sum(1), np.ones(3), 1e-12)
    made = model.generate(0, 20_000, seed=1)
    for before in range(3):
        next_after = made[2:][(made[:-2] == before) & (made[1:-1] == 1)]
        shares = np.bincount(next_after, minlength=3) / len(next_after)
        assert_close(shares, model.probabilities[1], atol=0.04)
    assert model.log_probability([0, 1, 2]) == pytest.approx(
        math.log(model.probabilities[0, 1] * model.probabilities[1, 2])
    )
