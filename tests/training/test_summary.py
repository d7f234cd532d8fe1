"""The summary of a model: counts that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.training.summary import summary


def test_B15_weights_and_biases_are_counted() -> None:
    """784-50-10: 784·50 + 50 + 50·10 + 10 = 39,760."""
    model = nn.Sequential(nn.Linear(784, 50), nn.Sigmoid(), nn.Linear(50, 10))
    found = summary(model, (1, 784))
    assert found.parameters == 39_760
    assert [layer.parameters for layer in found.layers] == [784 * 50 + 50, 0, 50 * 10 + 10]
    assert "39,760" in str(found)


@pytest.mark.parametrize("rows", [1, 64])
def test_D31_parameters_do_not_depend_on_the_input(rows: int) -> None:
    """Input sizes are shown, and are no parameters."""
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    found = summary(model, (rows, 6))
    assert found.parameters == 6 * 4 + 4 + 4 * 2 + 2
    assert found.input == (rows, 6)
    assert [layer.output for layer in found.layers] == [(rows, 4), (rows, 4), (rows, 2)]


@pytest.mark.parametrize("length", [3, 11])
def test_D31_parameters_do_not_depend_on_the_length_of_sequences(length: int) -> None:
    """A longer text is more work for the same weights."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 6)
            self.lstm = nn.LSTM(6, 5, batch_first=True)
            self.head = nn.Linear(5, 2)

        def forward(self, ids: pellucid.Tensor) -> pellucid.Tensor:
            return self.head(self.lstm(self.embedding(ids))[0][:, -1])

    found = summary(Reader(), pellucid.zeros(4, length, dtype=pellucid.int64))
    counts = {layer.path: layer.parameters for layer in found.layers}
    lstm = 4 * (5 * 6 + 5 * 5 + 2 * 5)
    assert counts == {"embedding": 20 * 6, "lstm": lstm, "head": 5 * 2 + 2}
    assert found.parameters == 120 + lstm + 12 and found.input == (4, length)
    work = {layer.path: layer.flop for layer in found.layers}
    assert work["lstm"] == 2 * 4 * length * 4 * (5 * 6 + 5 * 5)


def test_E16_work_memory_and_time_are_told() -> None:
    model = nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 5))
    found = summary(model, pellucid.zeros(8, 30))
    assert found.flop == 2 * 8 * (30 * 20 + 20 * 5)
    assert found.bytes == 4 * ((30 * 20 + 20 + 20 * 5 + 5) + 8 * (20 + 20 + 5))
    assert all(layer.seconds > 0 for layer in found.layers)


def test_shared_layers_are_counted_once_and_hooks_are_removed() -> None:
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.Tanh(), shared).train()
    found = summary(model, np.zeros((2, 4), np.float32))
    assert len(found.layers) == 3 and found.parameters == 20
    assert sum(layer.parameters for layer in found.layers) == 20
    assert not shared._forward_hooks and model.training


def test_frozen_parameters_are_told_apart() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    found = summary(model, (1, 3))
    assert (found.parameters, found.trainable) == (11, 3)


def test_recurrent_layers_use_their_matrices_for_every_step() -> None:
    net = nn.Sequential(nn.LSTM(3, 4, num_layers=2, bidirectional=True))
    found = pellucid.summary(net, (5, 2, 3)).layers[0]
    matrices = 2 * (16 * 3 + 16 * 4) + 2 * (16 * 8 + 16 * 4)
    assert found.flop == 2 * matrices * 5 * 2 and found.output == (5, 2, 8)
    assert found.parameters == matrices + 8 * 16
