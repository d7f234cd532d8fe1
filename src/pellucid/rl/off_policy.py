"""What SAC and TD3 share: playing with a memory, a little at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

import pellucid
from pellucid import Tensor
from pellucid.base.errors import ArgumentError
from pellucid.rl.agent import Agent, flat
from pellucid.rl.memory import Memory
from pellucid.rl.networks import Normalizer


class OffPolicyAgent(Agent):
    """An agent for actions that are arrays, with a memory; its actions are from −1 to 1."""

    scaled = True

    def _remember(self) -> None:
        """Makes memory, normalizer and players."""
        s, world = self.settings, self.world
        if world.bounds is None:
            raise ArgumentError(
                f"{self.algorithm} needs actions that are arrays with bounds",
                "use ppo, dqn or a2c for numbered actions",
            )
        self.memory = Memory(
            s.memory, world.count, world.states, world.actions, self.generator, discount=s.discount
        )
        self.normalizer = Normalizer(world.states, s.normalize)
        self._try = world.player(self._anything, scale=True)
        self._play = world.player(self._choose, scale=True)
        self._update = pellucid.compile(self._learn)

    def _anything(self, states: Tensor) -> tuple[Tensor, ...]:
        shape = (states.shape[0], self.world.actions)
        return (2 * pellucid.rand(*shape, generator=self.generator) - 1,)

    def _choose(self, states: Tensor) -> tuple[Tensor, ...]:
        """Actions with the noise that explores."""
        raise NotImplementedError

    def _learn(self) -> tuple[Tensor, ...]:
        """One gradient step; the critics' loss, their mean value, and the entropy weight or 0."""
        raise NotImplementedError

    def _gradient_steps(self) -> int:
        """How often ``_learn`` runs in an update."""
        updates: int = self.settings.updates
        return updates

    def _round(self, limit: int) -> dict[str, float]:
        s: Any = self.settings
        told: list[tuple[Tensor, ...]] = []
        end = self.steps + min(limit, max(500, s.every * self.world.count))
        while self.steps < end:
            warm = self.steps >= s.warmup
            played = (self._play if warm else self._try)(s.every)
            self.tally.add(played)
            self.memory.add(played)
            self.steps += played.rewards.size
            if s.normalize:
                self.normalizer.learn(flat(played.states))
            if warm:
                told.append(self._update.many(self._gradient_steps()))
        if not told:
            return {}
        means = [np.mean([part.numpy().mean() for part in parts]) for parts in zip(*told)]  # noqa: B905
        return {name: float(m) for name, m in zip(("loss", "value", "alpha"), means, strict=False)}

    def _kept(self) -> dict[str, Tensor]:
        return self.memory.tensors()

    def _restored(self) -> None:
        self.memory.restored()
