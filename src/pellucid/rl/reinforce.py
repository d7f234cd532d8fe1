"""REINFORCE: whole episodes are played, then each action becomes likelier by what was earned after.

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning" (1992): ∇J = E[Σ ∇ log π(a|s) · (G − b(s))], G the discounted rewards from the step on.  A
*baseline* b(s), here a critic that learns the mean of G, leaves the gradient's mean as it is and
takes out most of its variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import pellucid
from pellucid import Tensor, optim
from pellucid.rl.agent import Array, flat
from pellucid.rl.ppo import OnPolicyAgent, on_policy_parts
from pellucid.rl.worlds import Played, joined


@dataclass(frozen=True)
class REINFORCESettings:
    """How REINFORCE learns."""

    copies: int = 8
    """Episodes that are played side by side, then learned from."""
    lr: float = 3e-3
    """The learning rate of Adam."""
    discount: float = 0.98
    """γ: what a reward is worth a step later."""
    baseline: bool = True
    """Subtract what the critic expects."""
    entropy: float = 0.0
    """What undecidedness is worth."""
    gradient: float = 1.0
    """The longest gradient."""
    widths: tuple[int, ...] = (64,)
    """Widths of the hidden layers of actor and critic."""
    normalize: bool = False
    """States minus their mean, by their deviation, as seen so far."""


class REINFORCE(OnPolicyAgent):
    """Learns by REINFORCE with a baseline; numbered actions and arrays.

    >>> REINFORCE("CartPole-v0").learn(100).steps >= 100
    True
    """

    algorithm = "reinforce"

    def __init__(
        self, environment: Any, settings: REINFORCESettings | None = None, seed: int = 0
    ) -> None:
        super().__init__(environment, REINFORCESettings() if settings is None else settings, seed)

    def _build(self) -> None:
        s: REINFORCESettings = self.settings
        self.network, self._play, self._back, _ = on_policy_parts(self)
        self.optimizer = optim.Adam(self.network.parameters(), s.lr)
        self._update = pellucid.compile(self._learn)

    def _round(self, limit: int) -> dict[str, float]:
        pieces, whole = self._episodes()
        self.tally.add(pieces)
        self.steps += int(whole.sum())
        returns, carry = np.zeros_like(pieces.rewards), np.zeros(self.world.count, np.float32)
        for step in reversed(range(len(returns))):
            going = 1 - pieces.done[step]
            carry = pieces.rewards[step] + self.settings.discount * carry * going
            returns[step] = carry
        # Rows of equal number for one program: what is behind an episode's end counts nothing.
        room = 1 << (returns.size - 1).bit_length()
        parts = [
            pellucid.from_numpy(_filled(part, room))
            for part in (pieces.more[0], pieces.actions, returns, whole.astype(np.float32))
        ]
        loss, entropy = self._update(*parts)
        self.network.normalizer.learn(flat(pieces.states))
        return {"loss": float(loss.item()), "entropy": float(entropy.item())}

    def _episodes(self) -> tuple[Played, Array]:
        """Steps until each environment has ended an episode, and which of them belong to it."""
        played = [self._play(16)]
        while not _all_ended(played):
            played.append(self._play(16 * len(played)))
        pieces = joined(played)
        ended = np.cumsum(pieces.done, 0) - pieces.done  # episodes that ended before the step
        return pieces, ended == 0

    def _learn(
        self, inputs: Tensor, actions: Tensor, returns: Tensor, counts: Tensor
    ) -> tuple[Tensor, Tensor]:
        s: REINFORCESettings = self.settings
        self.optimizer.zero_grad()
        total = counts.sum()

        def mean(values: Tensor) -> Tensor:
            return (values * counts).sum() / total

        expected = self.network.value(inputs)
        better = (returns - expected).detach() if s.baseline else returns
        centre = mean(better)
        spread = (mean((better - centre) ** 2) + 1e-8).sqrt()
        logs, entropies = self.network.judge(inputs, actions)
        entropy = mean(entropies)
        loss = -mean(logs * better / spread) - s.entropy * entropy
        loss = loss + 0.5 * mean((expected - returns) ** 2) / (mean(returns**2) + 1e-8)
        self._descend(loss)
        return loss.detach(), entropy.detach()


def _all_ended(played: list[Played]) -> bool:
    return bool(np.maximum.reduce([part.done.max(0) for part in played]).all())


def _filled(array: Array, rows: int) -> Array:
    """(T, N, …) → (rows, …), zeros behind."""
    made = np.zeros((rows, *array.shape[2:]), array.dtype)
    made[: array.shape[0] * array.shape[1]] = array.reshape(-1, *array.shape[2:])
    return made
