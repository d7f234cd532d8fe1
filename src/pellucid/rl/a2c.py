"""Advantage actor-critic: a few steps of several environments, then one update from all of them.

Mnih and others, "Asynchronous Methods for Deep Reinforcement Learning" (2016), in its synchronous
form.  The loss is that of ``a2c_loss``: −log π(a|s) · A + c_v (V(s) − R)² − c_e · entropy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pellucid
from pellucid import Tensor, optim
from pellucid.rl.agent import RewardScale, flat, linear
from pellucid.rl.ppo import OnPolicyAgent, on_policy_parts


@dataclass(frozen=True)
class A2CSettings:
    """How A2C learns; defaults are those of Stable-Baselines3."""

    copies: int = 8
    """Environments that are played side by side."""
    steps: int = 5
    """Steps of each environment between two updates."""
    lr: float = 7e-4
    """The learning rate of RMSprop."""
    discount: float = 0.99
    """γ: what a reward is worth a step later."""
    trace: float = 1.0
    """λ of the advantages: 0 trusts the critic, 1 the rewards."""
    entropy: float = 0.0
    """What undecidedness is worth."""
    critic: float = 0.5
    """What the critic's error counts."""
    gradient: float = 0.5
    """The longest gradient."""
    decay: bool = False
    """The learning rate falls to 0 in the course of learning."""
    widths: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers of actor and critic."""
    normalize: bool = False
    """States minus their mean, by their deviation, as seen so far."""
    scale_rewards: bool = False
    """Rewards by the deviation of their discounted sums."""


class A2C(OnPolicyAgent):
    """Learns by advantage actor-critic; numbered actions and arrays.

    >>> A2C("CartPole-v1").learn(400).steps
    400
    """

    algorithm = "a2c"
    rule = "rmsprop"

    def __init__(
        self, environment: Any, settings: A2CSettings | None = None, seed: int = 0
    ) -> None:
        super().__init__(environment, A2CSettings() if settings is None else settings, seed)

    def _build(self) -> None:
        s: A2CSettings = self.settings
        self.network, self._play, self._back, _ = on_policy_parts(self)
        self.optimizer = optim.RMSprop(self.network.parameters(), s.lr, alpha=0.99, eps=1e-5)
        self._rewards = RewardScale(self.world.count, s.discount, s.scale_rewards)
        self._update = pellucid.compile(self._learn)
        self._figures: dict[str, float] = {}

    def _round(self, limit: int) -> dict[str, float]:
        s: A2CSettings = self.settings
        if s.decay:
            lr = linear(s.lr, 0.0, self.steps / self.until)
            self.optimizer.param_groups[0]["lr"] = lr
        played = self._play(s.steps)
        self.tally.add(played)
        self.steps += played.rewards.size
        advantages, returns = self._back(played, self._rewards.scaled(played), s.trace)
        parts = (played.more[0], played.actions, advantages, returns)
        loss, entropy = self._update(*map(flat, parts))
        self.network.normalizer.learn(flat(played.states))
        if self.steps // 500 > (self.steps - played.rewards.size) // 500:
            self._figures = {"loss": float(loss.item()), "entropy": float(entropy.item())}
        return self._figures

    def _learn(
        self, inputs: Tensor, actions: Tensor, advantages: Tensor, returns: Tensor
    ) -> tuple[Tensor, Tensor]:
        s: A2CSettings = self.settings
        self.optimizer.zero_grad()
        logs, entropies = self.network.judge(inputs, actions)
        critic = ((self.network.value(inputs) - returns) ** 2).mean()
        entropy = entropies.mean()
        loss = -(logs * advantages).mean() + s.critic * critic - s.entropy * entropy
        self._descend(loss)
        return loss.detach(), entropy.detach()
