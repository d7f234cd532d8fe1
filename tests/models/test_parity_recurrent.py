"""The recurrent models beside their PyTorch twins, made from the same text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

import pellucid  # noqa: E402
from helpers import assert_close  # noqa: E402
from models.twins import (  # noqa: E402
    compare_gradients,
    compare_state,
    load_both_ways,
    train_both,
    twin_of,
)
from pellucid.models import lstm_language_model, seq2seq  # noqa: E402

pytestmark = pytest.mark.parity

BOTH = (pellucid, torch)


def sgd(library: Any, model: Any) -> Any:
    return library.optim.SGD(model.parameters(), lr=0.5)


def test_language_model(rng: np.random.Generator) -> None:
    """Two parts of a text, the state of the first going on into the second; tied weights."""
    twin = twin_of(lstm_language_model)
    models = [m.LSTMLanguageModel(words=11, features=6) for m in (lstm_language_model, twin)]
    ours, theirs = models
    load_both_ways(ours, theirs)
    assert ours.scores.weight is ours.embedding.weight
    assert len(list(ours.parameters())) == len(list(theirs.parameters())) == 10
    text = rng.integers(0, 11, (9, 3))
    losses = []
    for library, model in zip(BOTH, models, strict=True):
        state, total = None, 0.0
        for begin in (0, 4):
            part = [library.tensor(text[begin + i : begin + i + 4]) for i in (0, 1)]
            loss, state = model.loss(*part, state)
            loss.backward()
            total += float(loss.detach())
        losses.append((total, *state, model.log_probability(library.tensor(text))))
    for a, b in zip(*losses, strict=True):
        assert_close(a, b, 1e-4, 1e-6)
    compare_gradients(ours, theirs, 1e-3, 1e-4)

    def loss(library: Any, model: Any) -> Any:
        return model.loss(library.tensor(text[:3]), library.tensor(text[1:4]))[0]

    found, expected = train_both(ours, theirs, loss, sgd, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    compare_state(ours, theirs, 1e-4, 1e-5)


@pytest.mark.parametrize("lengths", [None, [3, 1, 2, 3]])
@pytest.mark.parametrize("view", seq2seq.VIEWS)
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_encoder_and_decoder(cell: str, view: str, lengths: Any, rng: np.random.Generator) -> None:
    twin = twin_of(seq2seq)
    ours, theirs = (m.Seq2Seq(9, 5, 6, cell, view) for m in (seq2seq, twin))
    load_both_ways(ours, theirs)
    source, target = rng.integers(0, 9, (4, 3)), rng.integers(0, 9, (4, 4))
    target[1, 2:] = -100

    def given(library: Any) -> list[Any]:
        return [library.tensor(a) for a in (source, target)]

    def counts(library: Any) -> Any:
        return None if lengths is None else library.tensor(lengths)

    def loss(library: Any, model: Any) -> Any:
        return model.loss(*given(library), counts(library))

    for library, model in zip(BOTH, (ours, theirs), strict=True):
        loss(library, model).backward()
    compare_gradients(ours, theirs, 1e-3, 1e-4)
    fed = [np.maximum(target, 0)[:, :3], source]
    results = [
        (
            model(library.tensor(source), library.tensor(fed[0]), counts(library)),
            model.translate(library.tensor(source), 0, 3, counts(library)),
            *([model.attention(*map(library.tensor, (source, fed[0])), counts(library))]
              if view == "attention" else []),
        )
        for library, model in zip(BOTH, (ours, theirs), strict=True)
    ]  # fmt: skip
    for a, b in zip(*results, strict=True):
        assert_close(a, b, 1e-4, 1e-5)


def test_a_compiled_step_with_lengths_trains_as_pytorch(rng: np.random.Generator) -> None:
    ours, theirs = (m.Seq2Seq(7, 4, 5, "GRU", "attention") for m in (seq2seq, twin_of(seq2seq)))
    load_both_ways(ours, theirs)
    source, target, lengths = rng.integers(0, 7, (4, 3)), rng.integers(0, 7, (4, 3)), [3, 1, 2, 2]

    def loss(library: Any, model: Any) -> Any:
        return model.loss(*(library.tensor(a) for a in (source, target, np.array(lengths))))

    found, expected = train_both(ours, theirs, loss, sgd, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    compare_state(ours, theirs, 1e-3, 1e-4)
