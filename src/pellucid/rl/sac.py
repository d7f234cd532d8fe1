"""Soft actor-critic: earn much and stay undecided, for actions that are arrays.

Haarnoja and others, "Soft Actor-Critic Algorithms and Applications" (2018).  The value of a state
counts the entropy of what may be done there: with the lower of two critics Q₁, Q₂ and their slower
copies Q',

    wanted = r + γ (min Q'(s', a') − α log π(a'|s')),   a' drawn from π
    critics:  (Q₁(s, a) − wanted)² + (Q₂(s, a) − wanted)²
    actor:    α log π(a|s) − min Q(s, a),               a drawn from π, gradient through the draw
    α:        −log α · (log π(a|s) + H),                to the entropy H = −(parts of an action)
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pellucid
from pellucid import Tensor, nn, optim
from pellucid.rl.dqn import soft_update
from pellucid.rl.networks import SquashedActor, TwinCritics
from pellucid.rl.off_policy import OffPolicyAgent


@dataclass(frozen=True)
class SACSettings:
    """How SAC learns; defaults are those of Stable-Baselines3."""

    copies: int = 1
    """Environments that are played side by side."""
    every: int = 1
    """Steps of each environment between two updates."""
    updates: int = 1
    """Gradient steps in an update."""
    batch: int = 256
    """Steps in a gradient step."""
    lr: float = 3e-4
    """The learning rate of Adam, for actor, critics and α."""
    discount: float = 0.99
    """γ: what a reward is worth a step later."""
    memory: int = 1_000_000
    """Steps that are kept."""
    warmup: int = 100
    """Steps with any actions, before the first update."""
    soft: float = 0.005
    """The share by which the slower critics follow in each gradient step."""
    widths: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of actor and critics."""
    normalize: bool = False
    """States minus their mean, by their deviation, as seen so far."""


class SAC(OffPolicyAgent):
    """Learns by soft actor-critic; actions that are arrays.

    >>> SAC("Pendulum-v1", SACSettings(widths=(16, 16), batch=16)).learn(120).steps
    120
    """

    algorithm = "sac"

    def __init__(
        self, environment: Any, settings: SACSettings | None = None, seed: int = 0
    ) -> None:
        super().__init__(environment, SACSettings() if settings is None else settings, seed)

    def _build(self) -> None:
        s, world = self.settings, self.world
        sizes = (world.states, world.actions, s.widths, self.generator)
        self.actor = SquashedActor(*sizes)
        self.critics = TwinCritics(*sizes)
        self.targets = copy.deepcopy(self.critics)
        self.targets.requires_grad_(False)
        self.log_alpha = nn.Parameter(pellucid.zeros(1))
        self._actor_step = optim.Adam(self.actor.parameters(), s.lr)
        self._critic_step = optim.Adam(self.critics.parameters(), s.lr)
        self._alpha_step = optim.Adam([self.log_alpha], s.lr)
        self._remember()

    def _choose(self, states: Tensor) -> tuple[Tensor, ...]:
        return (self.actor.draw(self.normalizer(states))[0],)

    def _learn(self) -> tuple[Tensor, ...]:
        s: SACSettings = self.settings
        batch = self.memory.draw(s.batch)
        inputs, later = self.normalizer(batch.states), self.normalizer(batch.reached)
        alpha = self.log_alpha.detach().exp()
        with pellucid.no_grad():
            actions, logs = self.actor.draw(later)
            follows = pellucid.minimum(*self.targets(later, actions)) - alpha * logs
            wanted = batch.rewards + batch.follow * follows
        first, second = self.critics(inputs, batch.actions)
        loss = 0.5 * (((first - wanted) ** 2).mean() + ((second - wanted) ** 2).mean())
        self._critic_step.zero_grad()
        loss.backward()
        self._critic_step.step()

        actions, logs = self.actor.draw(inputs)
        worth = pellucid.minimum(*self.critics(inputs, actions))
        self._actor_step.zero_grad()
        (alpha * logs - worth).mean().backward()
        self._actor_step.step()

        apart = logs.detach() - self.world.actions
        self._alpha_step.zero_grad()
        (-(self.log_alpha * apart).mean()).backward()
        self._alpha_step.step()
        soft_update(self.targets, self.critics, s.soft)
        return loss.detach(), worth.detach().mean(), alpha.detach()

    def _best(self, states: Tensor) -> Tensor:
        return self.actor.best(self.normalizer(states))

    def _kept(self) -> dict[str, Tensor]:
        return {**super()._kept(), "log_alpha": self.log_alpha}

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Actor, critics, their slower copies, and what normalizes states."""
        return {
            "actor": self.actor,
            "critics": self.critics,
            "targets": self.targets,
            "normalizer": self.normalizer,
        }

    @property
    def optimizers(self) -> dict[str, Any]:
        """Adam for each."""
        return {
            "actor": self._actor_step,
            "critics": self._critic_step,
            "alpha": self._alpha_step,
        }
