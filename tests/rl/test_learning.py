"""Networks that learn from rewards: the losses, the updates, and whole trainings."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import optim
from pellucid.base.errors import ArgumentError
from pellucid.models import DQN
from pellucid.rl import (
    DQNLearner,
    a2c_loss,
    soft_update,
    td_loss,
)
from pellucid.rl.actor_critic import discounted_returns


def batch(rng: np.random.Generator, rows: int = 6) -> list[np.ndarray]:
    """States, actions, rewards, next states and ends as arrays."""
    states, after = rng.normal(size=(2, rows, 4)).astype(np.float32)
    rewards = rng.normal(size=rows).astype(np.float32)
    ends = (rng.random(rows) < 0.3).astype(np.float32)
    return [states, rng.integers(0, 2, rows), rewards, after, ends]


@pytest.mark.parametrize("double", [False, True])
def test_the_loss_is_that_of_its_definition(double: bool, rng: np.random.Generator) -> None:
    network, target = DQN(4, 2, 8), DQN(4, 2, 8)
    arrays = batch(rng)
    states, actions, rewards, after, ends = arrays
    found = td_loss(network, target, *map(pellucid.tensor, arrays), 0.9, double)
    own, slow, next_own = (
        net(pellucid.tensor(x)).detach().numpy()
        for net, x in ((network, states), (target, after), (network, after))
    )
    errors = []
    for i in range(len(rewards)):
        best = next_own[i].argmax() if double else slow[i].argmax()
        wanted = rewards[i] + 0.9 * (1 - ends[i]) * slow[i, best]
        error = abs(own[i, actions[i]] - wanted)
        errors.append(0.5 * error**2 if error < 1 else error - 0.5)
    assert float(found) == pytest.approx(np.mean(errors), rel=1e-5)
    found.backward()
    assert all(p.grad is None for p in target.parameters())
    assert all(p.grad is not None for p in network.parameters())


def test_one_program_learns_and_moves_the_target(rng: np.random.Generator) -> None:
    """The compiled step equals the eager one, the slower network included."""
    network = DQN(4, 2, 8)
    twin = DQN(4, 2, 8)
    twin.load_state_dict(network.state_dict())
    learner = DQNLearner(network, optim.Adam(network.parameters(), 1e-2), 0.9, soft=0.1)
    other = DQNLearner(twin, optim.Adam(twin.parameters(), 1e-2), 0.9, soft=0.1)
    for step in range(4):
        tensors = [pellucid.tensor(a) for a in batch(rng)]
        a, b = learner._step(*tensors), other._learn(*tensors)
        assert_close(a, b, 1e-5, 1e-7, f"loss {step}")
    for left, right in ((network, twin), (learner.target, other.target)):
        for name, value in left.state_dict().items():
            assert_close(value, right.state_dict()[name], 1e-4, 1e-6, name)
    assert not np.allclose(
        learner.target.layers[0].weight.numpy(), network.layers[0].weight.detach().numpy()
    )
    learner.copy_target()
    assert pellucid.equal(learner.target.layers[0].weight, network.layers[0].weight.detach())
    before = float(learner._step(*tensors))  # the program still reads the copied target
    eager = td_loss(network, learner.target, *tensors, 0.9)
    assert np.isfinite(before) and float(eager) < before


def test_a_soft_update_goes_a_share_of_the_way() -> None:
    slow, fast = DQN(2, 2, 4), DQN(2, 2, 4)
    wanted = [
        0.75 * a.detach().numpy() + 0.25 * b.detach().numpy()
        for a, b in zip(slow.parameters(), fast.parameters(), strict=True)
    ]
    soft_update(slow, fast, 0.25)
    for parameter, array in zip(slow.parameters(), wanted, strict=True):
        assert_close(parameter, array, 1e-5, 1e-7)


def test_the_actor_critics_loss_is_that_of_its_definition(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(5, 3))
    values, returns = rng.normal(size=(2, 5))
    actions = rng.integers(0, 3, 5)
    mine = pellucid.tensor(logits, requires_grad=True)
    critic = pellucid.tensor(values, requires_grad=True)
    found = a2c_loss(mine, critic, pellucid.tensor(actions), pellucid.tensor(returns), 0.5, 0.1)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    picked = np.log(chances[np.arange(5), actions])
    parts = (
        -(picked * (returns - values)).mean(),
        ((returns - values) ** 2).mean(),
        -(chances * np.log(chances)).sum(1).mean(),
    )
    for a, b in zip(found[1:], parts, strict=True):
        assert float(a) == pytest.approx(b, rel=1e-6)
    assert float(found.total) == pytest.approx(parts[0] + 0.5 * parts[1] - 0.1 * parts[2])
    found.actor.backward()
    assert critic.grad is None  # the advantage is a weight, not a way to a lower loss
    one_hot = np.eye(3)[actions]
    expected = -(one_hot - chances) * (returns - values)[:, None] / 5
    assert_close(mine.grad, expected, 1e-6, 1e-9)


def test_returns_stop_at_ends_and_continue_over_limits() -> None:
    rewards = np.array([[1.0], [2.0], [4.0], [8.0]], np.float32)
    follows = np.array([[10.0], [100.0], [1000.0], [10000.0]], np.float32)
    none = np.zeros((4, 1), np.float32)
    second = np.array([[0.0], [1.0], [0.0], [0.0]], np.float32)

    def returns(terminated: np.ndarray, done: np.ndarray) -> list[float]:
        return discounted_returns(rewards, follows, terminated, done, 0.5)[:, 0].tolist()

    last = 8 + 0.5 * 10000
    third = 4 + 0.5 * last
    whole = [1 + 0.5 * (2 + 0.5 * third), 2 + 0.5 * third, third, last]
    assert returns(none, none) == whole
    assert returns(second, second) == [1 + 0.5 * 2, 2, third, last]
    broken_off = 2 + 0.5 * 100
    assert returns(none, second) == [1 + 0.5 * broken_off, broken_off, third, last]


def test_wrong_arguments_are_refused() -> None:
    network = DQN(4, 2)
    with pytest.raises(ArgumentError, match="discount=2"):
        DQNLearner(network, None, discount=2)
