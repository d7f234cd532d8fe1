"""TD3: an actor that chooses one action, and two critics of which the lower one is believed.

Fujimoto, van Hoof and Meger, "Addressing Function Approximation Error in Actor-Critic Methods"
(2018), on DDPG (Lillicrap and others, 2016):

    a' = slower actor(s') + noise, cut        values of neighbouring actions are alike
    wanted = r + γ min Q'(s', a')             the lower one does not promise too much
    critics: (Q₁ − wanted)² + (Q₂ − wanted)²  in every step
    actor:   −Q₁(s, actor(s))                 in every ``delay``-th step, as do the slower copies
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pellucid
from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.rl.dqn import soft_update
from pellucid.rl.networks import PlainActor, TwinCritics
from pellucid.rl.off_policy import OffPolicyAgent


@dataclass(frozen=True)
class TD3Settings:
    """How TD3 learns; defaults are those of Stable-Baselines3."""

    copies: int = 1
    """Environments that are played side by side."""
    every: int = 2
    """Steps of each environment between two updates."""
    updates: int = 2
    """Gradient steps of the critics in an update, a multiple of ``delay``."""
    delay: int = 2
    """Gradient steps of the critics for one of the actor."""
    batch: int = 256
    """Steps in a gradient step."""
    lr: float = 1e-3
    """The learning rate of Adam, for actor and critics."""
    discount: float = 0.99
    """γ: what a reward is worth a step later."""
    memory: int = 1_000_000
    """Steps that are kept."""
    warmup: int = 100
    """Steps with any actions, before the first update."""
    soft: float = 0.005
    """The share by which the slower networks follow."""
    noise: float = 0.1
    """Deviation of the noise that explores, where actions are from −1 to 1."""
    smoothing: float = 0.2
    """Deviation of the noise on the slower actor's actions."""
    smoothing_most: float = 0.5
    """Where that noise is cut."""
    widths: tuple[int, ...] = (400, 300)
    """Widths of the hidden layers of actor and critics."""
    normalize: bool = False
    """States minus their mean, by their deviation, as seen so far."""


class TD3(OffPolicyAgent):
    """Learns by twin delayed deterministic policy gradients; actions that are arrays.

    >>> TD3("Pendulum-v1", TD3Settings(widths=(16, 16), batch=16)).learn(120).steps
    120
    """

    algorithm = "td3"

    def __init__(
        self, environment: Any, settings: TD3Settings | None = None, seed: int = 0
    ) -> None:
        super().__init__(environment, TD3Settings() if settings is None else settings, seed)

    def _build(self) -> None:
        s, world = self.settings, self.world
        if s.delay < 1 or s.updates % s.delay:
            raise ArgumentError(
                f"delay={s.delay} with updates={s.updates}", "use a multiple of delay for updates"
            )
        sizes = (world.states, world.actions, s.widths, self.generator)
        self.actor = PlainActor(*sizes)
        self.critics = TwinCritics(*sizes)
        self.slow_actor, self.slow_critics = copy.deepcopy(self.actor), copy.deepcopy(self.critics)
        for network in (self.slow_actor, self.slow_critics):
            network.requires_grad_(False)
        self._actor_step = optim.Adam(self.actor.parameters(), s.lr)
        self._critic_step = optim.Adam(self.critics.parameters(), s.lr)
        self._remember()

    def _choose(self, states: Tensor) -> tuple[Tensor, ...]:
        actions = self.actor.best(self.normalizer(states))
        noise = pellucid.randn(*actions.shape, generator=self.generator)
        return ((actions + self.settings.noise * noise).clamp(-1, 1),)

    def _learn(self) -> tuple[Tensor, ...]:
        """``delay`` steps of the critics, one of the actor."""
        for _ in range(self.settings.delay):
            inputs, loss = self._criticize()
        worth = self.critics(inputs, self.actor.best(inputs))[0].mean()
        self._actor_step.zero_grad()
        (-worth).backward()
        self._actor_step.step()
        soft_update(self.slow_critics, self.critics, self.settings.soft)
        soft_update(self.slow_actor, self.actor, self.settings.soft)
        return loss.detach(), worth.detach()

    def _criticize(self) -> tuple[Tensor, Tensor]:
        s: TD3Settings = self.settings
        batch = self.memory.draw(s.batch)
        inputs, later = self.normalizer(batch.states), self.normalizer(batch.reached)
        with pellucid.no_grad():
            noise = s.smoothing * pellucid.randn(*batch.actions.shape, generator=self.generator)
            noise = noise.clamp(-s.smoothing_most, s.smoothing_most)
            actions = (self.slow_actor.best(later) + noise).clamp(-1, 1)
            follows = pellucid.minimum(*self.slow_critics(later, actions))
            wanted = batch.rewards + batch.follow * follows
        first, second = self.critics(inputs, batch.actions)
        loss = ((first - wanted) ** 2).mean() + ((second - wanted) ** 2).mean()
        self._critic_step.zero_grad()
        loss.backward()
        self._critic_step.step()
        return inputs, loss

    def _gradient_steps(self) -> int:
        s: TD3Settings = self.settings
        return s.updates // s.delay

    def _best(self, states: Tensor) -> Tensor:
        return self.actor.best(self.normalizer(states))

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Actor and critics, their slower copies, and what normalizes states."""
        return {
            "actor": self.actor,
            "critics": self.critics,
            "slow_actor": self.slow_actor,
            "slow_critics": self.slow_critics,
            "normalizer": self.normalizer,
        }

    @property
    def optimizers(self) -> dict[str, Any]:
        """Adam for both."""
        return {"actor": self._actor_step, "critics": self._critic_step}
