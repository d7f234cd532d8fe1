"""Negative sampling: the loss by its definition, its gradients, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.tensor.gradcheck import gradcheck


def test_B52_the_loss_asks_about_the_right_class_and_a_few_wrong_ones(
    rng: np.random.Generator,
) -> None:
    hidden, weight = rng.normal(size=(4, 3)), rng.normal(size=(10, 3))
    targets, negatives = rng.integers(0, 10, 4), rng.integers(0, 10, (4, 5))
    expected = [
        np.logaddexp(0, -hidden[i] @ weight[targets[i]])
        + sum(np.logaddexp(0, hidden[i] @ weight[k]) for k in negatives[i])
        for i in range(4)
    ]
    arguments = [pellucid.tensor(a) for a in (hidden, weight, targets, negatives)]
    assert_close(F.negative_sampling_loss(*arguments, reduction="none"), expected, 1e-12)
    assert_close(F.negative_sampling_loss(*arguments, reduction="sum"), sum(expected), 1e-12)
    assert_close(F.negative_sampling_loss(*arguments), np.mean(expected), 1e-12)
    compiled = pellucid.compile(F.negative_sampling_loss)
    assert_close(compiled(*arguments), np.mean(expected), 1e-6)
    tensors = [t.requires_grad_() for t in arguments[:2]]
    assert gradcheck(lambda h, w: F.negative_sampling_loss(h, w, *arguments[2:]), tensors)


def test_B52_only_classes_that_were_drawn_get_a_gradient() -> None:
    """Six of 10,000 for each row; compiled, the work does not grow with the number of classes."""
    work = {}
    for classes in (1_000, 10_000):
        weight = pellucid.randn(classes, 16, requires_grad=True)
        hidden = pellucid.randn(8, 16)
        targets = pellucid.randint(0, classes, (8,))
        negatives = pellucid.randint(0, classes, (8, 5))
        F.negative_sampling_loss(hidden, weight, targets, negatives).backward()
        touched = np.flatnonzero(weight.grad.numpy().any(1))
        drawn = {*targets.tolist(), *negatives.reshape(-1).tolist()}
        assert set(touched.tolist()) == drawn
        for name, loss in (
            ("all", lambda h, w, t, n: F.cross_entropy(h @ w.T, t)),
            ("some", F.negative_sampling_loss),
        ):
            step = pellucid.compile(loss)
            with pellucid.no_grad():
                step(hidden, weight, targets, negatives)
            work[name, classes] = step.explain(calls=0).flop
    assert work["all", 10_000] > 9 * work["all", 1_000]
    assert work["some", 10_000] == work["some", 1_000] < work["all", 1_000] / 10


def test_large_scores_stay_finite() -> None:
    hidden = pellucid.tensor([[1000.0]], requires_grad=True)
    weight = pellucid.tensor([[1.0], [-1.0]])
    right, wrong = pellucid.tensor([0]), pellucid.tensor([[1]])
    assert F.negative_sampling_loss(hidden, weight, right, wrong).item() == 0
    loss = F.negative_sampling_loss(hidden, weight, wrong[0], right.unsqueeze(1))
    loss.backward()
    assert loss.item() == 2000 and hidden.grad.item() == 2


def test_B52_words_that_belong_together_are_learned_among_many(rng: np.random.Generator) -> None:
    """1,000 words in pairs: 2i is always followed by 2i + 1.  Trained on six scores for each
    word, the right one of 1,000 becomes the largest."""
    words = 1_000
    into, out = nn.Embedding(words, 24), nn.Embedding(words, 24)
    parameters = [*into.parameters(), *out.parameters()]
    optimizer = optim.Adam(parameters, lr=0.02)
    sampler = F.NegativeSampler(np.ones(words))

    @pellucid.compile
    def step(first: pellucid.Tensor, second: pellucid.Tensor, others: pellucid.Tensor):
        optimizer.zero_grad()
        loss = F.negative_sampling_loss(into(first), out.weight, second, others)
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = []
    for _ in range(500):
        first = rng.integers(0, words // 2, 250) * 2
        others = sampler.draw(250, 5, rng)
        pair = pellucid.tensor(first), pellucid.tensor(first + 1)
        losses.append(float(step(*pair, others)))
    assert losses[0] > 4 and np.mean(losses[-10:]) < 0.5
    even = np.arange(0, words, 2)
    with pellucid.no_grad():
        scores = (into(pellucid.tensor(even)) @ out.weight.T).numpy()
    assert (scores.argmax(1) == even + 1).mean() > 0.9


def test_rare_classes_are_drawn_a_little_more_often_than_they_occur(
    rng: np.random.Generator,
) -> None:
    sampler = F.NegativeSampler([81, 16, 1, 0])
    np.testing.assert_allclose(sampler.chances, np.array([27, 8, 1, 0]) / 36)
    drawn = sampler.draw(2_000, 10, rng)
    assert drawn.shape == (2_000, 10) and drawn.dtype == pellucid.int64
    shares = np.bincount(drawn.numpy().ravel(), minlength=4) / 20_000
    np.testing.assert_allclose(shares, sampler.chances, atol=0.015)
    assert shares[3] == 0


def test_errors_say_what_does_not_fit() -> None:
    hidden, weight = pellucid.zeros(4, 3), pellucid.zeros(9, 3)
    right, wrong = pellucid.zeros(4, dtype=pellucid.int64), pellucid.zeros(4, 2).long()
    for bad in (
        (hidden, pellucid.zeros(9, 2), right, wrong),
        (hidden, weight, right[:3], wrong),
        (hidden, weight, right, wrong[:3]),
        (hidden[0], weight, right, wrong),
    ):
        with pytest.raises(ShapeError, match=r"got hidden \(.*\n.*\(N, K\)"):
            F.negative_sampling_loss(*bad)
    with pytest.raises(ArgumentError, match="reduction='average'"):
        F.negative_sampling_loss(hidden, weight, right, wrong, reduction="average")
    for counts in ([], [[1.0]], [-1.0, 2.0], [0.0, 0.0]):
        with pytest.raises(ArgumentError, match="NegativeSampler got counts"):
            F.NegativeSampler(counts)
