"""Advantage actor-critic: actions that turned out better than expected become likelier.

Mnih and others, "Asynchronous Methods for Deep Reinforcement Learning" (2016), in its synchronous
form (A2C): several copies of the environment are played at once, a few steps each, then one
update follows from all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.rl.environments import Environment

Array = npt.NDArray[np.float32]


class A2CLoss(NamedTuple):
    """The loss that is minimized, and its three parts, each a mean over the steps."""

    total: Tensor
    actor: Tensor
    """−log π(a|s) · (R − V(s)); the advantage in brackets gets no gradient."""
    critic: Tensor
    """(R − V(s))²."""
    entropy: Tensor
    """−Σ π log π, in nats: how undecided the actor is."""


def a2c_loss(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    returns: Tensor,
    critic_weight: float = 0.5,
    entropy_weight: float = 0.01,
) -> A2CLoss:
    """actor + critic_weight · critic − entropy_weight · entropy.

    Shapes: logits (N, actions), values (N,), actions int64 (N,), returns (N,), the discounted
    rewards after each step.
    """
    policy = pellucid.distributions.Categorical(logits=logits)
    advantage = (returns - values).detach()
    actor = -(policy.log_prob(actions) * advantage).mean()
    critic = F.mse_loss(values, returns)
    entropy = policy.entropy().mean()
    total = actor + critic_weight * critic - entropy_weight * entropy
    return A2CLoss(total, actor, critic, entropy)


def discounted_returns(
    rewards: Array, follows: Array, terminated: Array, done: Array, discount: float
) -> Array:
    """R = r + γ · (what follows), from the last of T steps back; all (T, N).

    After a step that ends an episode (``done``), and after the last one, what follows is the
    critic's value ``follows`` of the state that was reached, or 0 where it ``terminated``;
    otherwise it is the next step's R.
    """
    returns = np.zeros_like(rewards)
    after = follows[-1]
    for step in reversed(range(len(rewards))):
        after = np.where(done[step] > 0, follows[step], after)
        after = rewards[step] + discount * after * (1 - terminated[step])
        returns[step] = after
    return returns


def train_a2c(
    environments: Sequence[Environment],
    network: nn.Module,
    optimizer: Any,
    *,
    updates: int = 1000,
    steps: int = 32,
    discount: float = 0.99,
    critic_weight: float = 0.5,
    entropy_weight: float = 0.01,
    clip_norm: float = 0.5,
    seed: int = 0,
    enough: Callable[[list[float]], bool] | None = None,
) -> list[float]:
    """Plays all ``environments`` for ``steps`` steps, updates once, and so on; returns the sums of
    rewards of all episodes in the order in which they ended.

    ``network`` maps states (N, states) to logits (N, actions) and values (N,), as
    ``pellucid.models.ActorCritic`` does.  The update is one native call; gradients are cut to
    norm ``clip_norm``.  ``enough`` sees the sums so far after each update and may end the training.
    """
    if not environments or steps < 1:
        raise ArgumentError(
            f"train_a2c got {len(environments)} environments, steps={steps}",
            "give at least one of both",
        )
    player = _Player(environments, network, seed)

    @pellucid.compile
    def update(states: Tensor, actions: Tensor, returns: Tensor) -> Tensor:
        optimizer.zero_grad()
        logits, values = network(states)
        loss = a2c_loss(logits, values, actions, returns, critic_weight, entropy_weight)
        loss.total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
        optimizer.step()
        return loss.total.detach()

    for _ in range(updates):
        states, actions, returns = player.play(steps, discount)
        update(*(pellucid.from_numpy(part) for part in (states, actions, returns)))
        if enough is not None and enough(player.sums):
            break
    return player.sums


class _Player:
    """Copies of an environment that are played step by step, and the sums of their rewards."""

    def __init__(self, environments: Sequence[Environment], network: nn.Module, seed: int) -> None:
        self.environments = environments
        self.random = np.random.default_rng(seed)
        self.states = np.stack([e.reset(seed + i) for i, e in enumerate(environments)])
        self.totals = [0.0] * len(environments)
        self.sums: list[float] = []
        self.answer = pellucid.compile(lambda states: network(states))

    def play(self, steps: int, discount: float) -> tuple[Array, Any, Array]:
        """States (T·N, states), actions and returns (T·N,) of the next steps of all copies."""
        count = len(self.environments)
        states = np.zeros((steps, *self.states.shape), np.float32)
        actions = np.zeros((steps, count), np.int64)
        rewards, terminated, done = (np.zeros((steps, count), np.float32) for _ in range(3))
        reached = np.zeros_like(states)
        for step in range(steps):
            states[step] = self.states
            logits = self._asked(self.states)[0]
            # The largest of logits plus Gumbel noise is a draw from their softmax.
            actions[step] = (logits + self.random.gumbel(size=logits.shape)).argmax(1)
            for i, environment in enumerate(self.environments):
                answer = environment.step(int(actions[step, i]))
                reached[step, i] = answer.state
                rewards[step, i], terminated[step, i] = answer.reward, answer.terminated
                done[step, i] = answer.done
                self._count(i, answer.reward, answer.done)
                self.states[i] = environment.reset() if answer.done else answer.state
        follows = self._asked(reached.reshape(-1, states.shape[-1]))[1].reshape(steps, count)
        returns = discounted_returns(rewards, follows, terminated, done, discount)
        return states.reshape(-1, states.shape[-1]), actions.reshape(-1), returns.reshape(-1)

    def _asked(self, states: Array) -> tuple[Array, Array]:
        with pellucid.no_grad():
            logits, values = self.answer(pellucid.from_numpy(states))
        return logits.numpy(), values.numpy()

    def _count(self, i: int, reward: float, done: bool) -> None:
        self.totals[i] += reward
        if done:
            self.sums.append(self.totals[i])
            self.totals[i] = 0.0
