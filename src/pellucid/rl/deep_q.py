"""Deep Q-learning: a network learns what each action is worth, Q(s, a) = r + γ maxₐ' Q(s', a').

Mnih and others, "Human-level control through deep reinforcement learning" (2015): steps are kept
and replayed in mixed order, and the values that follow come from a slower copy of the network.
Its improvements are settings:

- ``double``: the network chooses a', the copy values it (van Hasselt, Guez and Silver, 2016).
- ``dueling``: value of the state and advantage of the action apart (Wang and others, 2016).
- ``priority``: surprising steps are replayed more often (Schaul and others, 2016).
- ``horizon`` n: n rewards before the value that follows (Sutton, 1988).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.rl.agent import Agent, flat, linear
from pellucid.rl.dqn import soft_update
from pellucid.rl.memory import Memory
from pellucid.rl.networks import QNetwork


@dataclass(frozen=True)
class DQNSettings:
    """How DQN learns; defaults are those of Stable-Baselines3, with double Q-learning."""

    copies: int = 1
    """Environments that are played side by side."""
    every: int = 4
    """Steps of each environment between two updates."""
    updates: int = 1
    """Gradient steps in an update."""
    batch: int = 32
    """Steps in a gradient step."""
    lr: float = 1e-4
    """The learning rate of Adam."""
    discount: float = 0.99
    """γ: what a reward is worth a step later."""
    memory: int = 1_000_000
    """Steps that are kept."""
    warmup: int = 100
    """Steps before the first update."""
    target: int = 10_000
    """Steps after which the slower network becomes equal to the network."""
    soft: float = 0.0
    """Above 0: the slower network follows by this share in each update instead."""
    explore_share: float = 0.1
    """The share of learning in which ε falls."""
    explore_least: float = 0.05
    """ε, the chance of any action, from there on; it begins at 1."""
    gradient: float = 10.0
    """The longest gradient."""
    double: bool = True
    """The network chooses, the slower one values."""
    dueling: bool = False
    """Value and advantage apart."""
    priority: float = 0.0
    """α: how much likelier surprising steps are replayed; 0: all alike."""
    horizon: int = 1
    """Rewards before the value that follows."""
    widths: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""
    normalize: bool = False
    """States minus their mean, by their deviation, as seen so far."""


class DQN(Agent):
    """Learns by deep Q-learning; numbered actions.

    >>> DQN("CartPole-v1").learn(1000).steps
    1000
    """

    algorithm = "dqn"

    def __init__(
        self, environment: Any, settings: DQNSettings | None = None, seed: int = 0
    ) -> None:
        super().__init__(environment, DQNSettings() if settings is None else settings, seed)

    def _build(self) -> None:
        s, world = self.settings, self.world
        if world.bounds is not None:
            raise ArgumentError(
                "DQN needs numbered actions", "use ppo, sac or td3 for actions that are arrays"
            )
        self.network = QNetwork(
            world.states, world.actions, s.widths, self.generator, s.dueling, s.normalize
        )
        self.target = copy.deepcopy(self.network)
        self.target.requires_grad_(False)
        self.optimizer = optim.Adam(self.network.parameters(), s.lr)
        self.memory = Memory(
            s.memory, world.count, world.states, None, self.generator,
            discount=s.discount, horizon=s.horizon, priority=s.priority,
        )  # fmt: skip
        self.epsilon = pellucid.ones(1)
        self._play = world.player(self._choose)
        self._update = pellucid.compile(self._learn)

    def _choose(self, states: Tensor) -> tuple[Tensor, ...]:
        """ε-greedy actions."""
        best = self.network(self.network.normalizer(states)).argmax(1)
        count = self.world.actions
        drawn = pellucid.rand(states.shape[0], generator=self.generator)
        # The same number says whether to explore, and where to.
        tried = (drawn / self.epsilon.clamp(min=1e-12) * count).to(pellucid.int64)
        return (pellucid.where(drawn < self.epsilon, tried.clamp(max=count - 1), best),)

    def _round(self, limit: int) -> dict[str, float]:
        s: DQNSettings = self.settings
        told: list[tuple[Tensor, Tensor]] = []
        end = self.steps + min(limit, max(1000, s.every * self.world.count))
        while self.steps < end:
            self.epsilon.numpy()[0] = self.exploration()
            played = self._play(s.every)
            self.tally.add(played)
            self.memory.add(played)
            before = self.steps
            self.steps += played.rewards.size
            if s.normalize:
                self.network.normalizer.learn(flat(played.states))
            if self.steps > s.warmup and len(self.memory) > s.horizon * self.world.count:
                told.append(self._update.many(s.updates))
            if not s.soft and self.steps // s.target > before // s.target:
                soft_update(self.target, self.network, 1.0)
        self.memory.beta.fill_(linear(0.4, 1.0, self.steps / max(self.until, 1)))
        if not told:
            return {"epsilon": self.exploration()}
        losses, values = (np.array([float(p.numpy().mean()) for p in x]) for x in zip(*told))  # noqa: B905
        return {
            "loss": float(losses.mean()),
            "value": float(values.mean()),
            "epsilon": self.exploration(),
        }

    def exploration(self) -> float:
        """ε now: from 1 down to ``explore_least`` in the first share of learning."""
        s: DQNSettings = self.settings
        reach = s.explore_share * max(self.until, 1)
        return linear(1.0, s.explore_least, self.steps / reach if reach else 1.0)

    def _learn(self) -> tuple[Tensor, Tensor]:
        s: DQNSettings = self.settings
        batch = self.memory.draw(s.batch)
        inputs = self.network.normalizer(batch.states)
        later = self.network.normalizer(batch.reached)
        self.optimizer.zero_grad()
        values = self.network(inputs).gather(1, batch.actions.unsqueeze(1)).squeeze(1)
        with pellucid.no_grad():
            follows = self.target(later)
            if s.double:
                best = self.network(later).argmax(1, keepdim=True)
                follows = follows.gather(1, best).squeeze(1)
            else:
                follows = follows.amax(1)
            wanted = batch.rewards + batch.follow * follows
        errors = F.smooth_l1_loss(values, wanted, reduction="none")
        loss = (batch.weights * errors).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), s.gradient)
        self.optimizer.step()
        if s.soft:
            soft_update(self.target, self.network, s.soft)
        self.memory.learn(batch.rows, (wanted - values).detach())
        return loss.detach(), values.detach().mean()

    def _best(self, states: Tensor) -> Tensor:
        return self.network(self.network.normalizer(states)).argmax(1)

    def values(self, states: Tensor) -> Tensor:
        """What each action is worth: (N, states) → (N, actions)."""
        return self.network(self.network.normalizer(states))

    def _kept(self) -> dict[str, Tensor]:
        return self.memory.tensors()

    def _restored(self) -> None:
        self.memory.restored()

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The network and its slower copy."""
        return {"network": self.network, "target": self.target}

    @property
    def optimizers(self) -> dict[str, Any]:
        """Adam."""
        return {"adam": self.optimizer}
