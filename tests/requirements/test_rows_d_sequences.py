"""Text D, the rows about recurrent networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn, optim
from pellucid.models import Seq2Seq, mlp
from pellucid.nn.utils import clip_grad_norm_
from requirements.fitting import accuracy, train

LOGISTIC = F.binary_cross_entropy_with_logits


def which_came_first(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of six letters as one-hot rows (2·rows, 6, 5): did letter 0 come before letter 1?

    Every sequence occurs with these two letters in either order.
    """
    letters = rng.integers(2, 5, (rows, 6))
    places = np.sort(np.argsort(rng.random((rows, 6)), 1)[:, :2], 1)
    both = []
    for first, second in ((0, 1), (1, 0)):
        ordered = letters.copy()
        np.put_along_axis(ordered, places, np.array([[first, second]]), 1)
        both.append(ordered)
    answers = np.repeat([[1.0], [0.0]], rows, 0)
    return np.eye(5, dtype=np.float32)[np.concatenate(both)], answers.astype(np.float32)


class LastState(nn.Module):
    """The state after the last step decides."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.score = nn.Linear(8, 1)

    def forward(self, x: Any) -> Any:
        return self.score(self.recurrent(x)[0][:, -1])


def test_D16_a_recurrent_network_knows_the_order(rng) -> None:
    """A network that sees which letters there are, but not in which order, cannot do better than
    chance; an RNN with as few units finds the answer."""
    x, y = which_came_first(rng, 128)
    unseen, answers = which_came_first(rng, 128)
    bag = mlp(5, (16,), 1)
    train(bag, LOGISTIC, x.sum(1), y, optim.Adam(bag.parameters(), lr=0.02), 200)
    assert accuracy(bag, unseen.sum(1), answers) == 0.5
    rnn = LastState(nn.RNN(5, 8, batch_first=True))
    losses = train(rnn, LOGISTIC, x, y, optim.Adam(rnn.parameters(), lr=0.02), 200)
    assert losses[-1] < 0.1 and accuracy(rnn, unseen, answers) > 0.95


def gradient_by_steps_back(gain: float, steps: int) -> np.ndarray:
    """Norm of ∂h_T/∂h_0 · u for T = 1 … steps, of an RNN around h = 0 whose W_hh is ``gain`` times
    a rotation."""
    rnn = nn.RNN(1, 4, bias=False, dtype=pellucid.float64)
    with pellucid.no_grad():
        nn.init.orthogonal_(rnn.weight_hh_l0, gain=gain)
    norms = []
    for count in range(1, steps + 1):
        h = pellucid.zeros(1, 4, dtype=pellucid.float64, requires_grad=True)
        output, _ = rnn(pellucid.zeros(count, 1, dtype=pellucid.float64), h)
        output[-1].sum().backward()
        norms.append(h.grad.norm().item())
    return np.array(norms)


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.5])
def test_D17_gradients_shrink_or_grow_with_every_step_back(gain: float) -> None:
    """tanh has slope 1 at 0, so each step multiplies the gradient by W_hhᵀ alone."""
    assert_close(gradient_by_steps_back(gain, 20), 2 * gain ** np.arange(1, 21), 1e-9)


def test_D17_the_products_of_the_textbook() -> None:
    """dh ← dh Whᵀ, twenty times, from a seeded 3×3 matrix: the norms grow by about the largest
    eigenvalue, and with half the matrix they vanish."""
    drawn = np.random.RandomState(3).randn(3, 3)
    for scale, grows in ((1.0, True), (0.5, False)):
        weight = pellucid.tensor(drawn * scale)
        h = pellucid.ones(2, 3, dtype=pellucid.float64, requires_grad=True)
        state, norms, expected = h, [], np.ones((2, 3))
        for _ in range(20):
            state = state @ weight
            (slope,) = pellucid.grad(state.sum(), [h], retain_graph=True)
            expected = expected @ (drawn * scale).T
            norms.append(slope.norm().item() / np.sqrt(2))
            assert norms[-1] == pytest.approx(np.linalg.norm(expected) / np.sqrt(2), rel=1e-9)
        assert (norms[-1] > 100 * norms[0]) if grows else (norms[-1] < norms[0] / 1000)
        largest = abs(np.linalg.eigvals(drawn * scale)).max()
        assert norms[-1] / norms[-2] == pytest.approx(largest, rel=0.01)


def test_D17_clipping_by_the_global_norm_keeps_the_direction() -> None:
    rnn = nn.RNN(1, 4, bias=False)
    with pellucid.no_grad():
        nn.init.orthogonal_(rnn.weight_hh_l0, gain=3.0)
    h = pellucid.full((1, 4), 1e-6)
    (rnn(pellucid.zeros(11, 1), h)[0][-1].sum() * 1e6).backward()
    before = [p.grad.numpy().copy() for p in rnn.parameters()]
    size = np.sqrt(sum((g**2).sum() for g in before))
    assert size > 1e3
    assert clip_grad_norm_(rnn.parameters(), 0.25).item() == pytest.approx(size, rel=1e-5)
    for p, g in zip(rnn.parameters(), before, strict=True):
        assert_close(p.grad, g * (0.25 / size), 1e-4, 1e-9)


def test_D18_the_cell_stays_inside_and_h_goes_out(rng) -> None:
    """The output is h alone, which is bounded; c is not, and reaches later outputs only through
    the LSTM's own steps; the layer above gets h."""
    lstm = nn.LSTM(3, 4, 2)
    with pellucid.no_grad():
        for name in ("bias_ih_l0", "bias_ih_l1"):
            getattr(lstm, name)[:12] = 3.0  # open gates, new values near 1: c counts steps
    x = pellucid.tensor(rng.normal(size=(30, 2, 3)).astype(np.float32))
    output, (h, c) = lstm(x)
    assert_close(output[-1], h[-1])
    assert (output.abs() < 1).all().item() and c.abs().max().item() > 5
    later = [lstm(x[20:], state)[0] for state in ((h, c), (h, c * 0))]
    assert (later[0] - later[1]).abs().max().item() > 1e-3
    lower, upper = nn.LSTM(3, 4), nn.LSTM(4, 4)
    for layer, number in ((lower, 0), (upper, 1)):
        kept = {k: v for k, v in lstm.state_dict().items() if k.endswith(str(number))}
        layer.load_state_dict({k[:-1] + "0": v for k, v in kept.items()})
    assert_close(upper(lower(x)[0])[0], output, 1e-5, 1e-6)


def test_D18_the_cell_carries_gradients_far_back() -> None:
    """Through open forget gates the gradient of c passes a hundred steps; through tanh it dies."""
    lstm, rnn = nn.LSTM(1, 4), nn.RNN(1, 4)
    with pellucid.no_grad():
        lstm.bias_ih_l0[4:8] = 6.0
    h, c, plain = (pellucid.zeros(1, 1, 4, requires_grad=True) for _ in range(3))
    x = pellucid.zeros(100, 1, 1)
    lstm(x, (h, c))[1][1].sum().backward()
    rnn(x, plain)[1].sum().backward()
    assert c.grad.norm().item() > 1 and plain.grad.norm().item() < 1e-4


def test_D20_one_vector_is_too_narrow_for_long_sequences(rng) -> None:
    """Writing a sequence backwards: with the encoder's last state alone, accuracy falls as the
    sequences grow; with attention over all of the encoder's outputs it does not."""
    longest, right = 8, {}
    for view in ("state", "attention"):
        pellucid.manual_seed(1)
        drawn = np.random.default_rng(0)
        model = Seq2Seq(10, features=16, hidden=32, cell="GRU", view=view)
        optimizer = optim.Adam(model.parameters(), lr=5e-3)

        @pellucid.compile
        def step(x: Any, y: Any, n: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = model.loss(x, y, n)
            loss.backward()
            optimizer.step()
            return loss.detach()

        for _ in range(400):
            step(*(pellucid.tensor(a) for a in backwards(drawn, 64, longest)))
        right[view] = []
        for length in (2, 8):
            source = drawn.integers(1, 10, (200, length))
            written = model.translate(pellucid.tensor(source), 0, length).numpy()
            right[view].append((written == source[:, ::-1]).mean())
    assert right["state"][0] > 0.95 and right["state"][1] < 0.8
    assert min(right["attention"]) > 0.95


def backwards(
    rng: np.random.Generator, rows: int, longest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sequences of ids 1 to 9, a 0 followed by their reverse, and their lengths; −100 is no
    target."""
    lengths = rng.integers(1, longest + 1, rows)
    source = rng.integers(1, 10, (rows, longest))
    target = np.full((rows, longest + 1), -100)
    target[:, 0] = 0
    for ids, wanted, length in zip(source, target, lengths, strict=True):
        ids[length:] = 0
        wanted[1 : length + 1] = ids[:length][::-1]
    return source, target, lengths
