"""Proximal policy optimization: what turned out better than expected becomes likelier, a little.

Schulman and others, "Proximal Policy Optimization Algorithms" (2017).  The gradient of the mean
reward is E[∇ log π(a|s) · A(s, a)] (policy gradient theorem), A the *advantage*: how much better
the action was than the state's value promised.  PPO takes several steps on the same episodes, and
so counts an action with ratio = π(a|s) / π_before(a|s), but not beyond 1 ± ``clip``:

    L = −min(ratio · A, clip(ratio, 1 − ε, 1 + ε) · A) + c_v (V(s) − R)² − c_e · entropy

Advantages are mixed from one-step errors δ = r + γ V(s') − V(s): A = Σ (γλ)ⁱ δᵢ (generalized
advantage estimation; Schulman and others, 2016).  After a *terminated* episode nothing follows;
after one that was merely *truncated* the value of the last state does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import pellucid
from pellucid import Tensor, nn, optim
from pellucid.rl.agent import Agent, Array, RewardScale, flat, linear
from pellucid.rl.networks import PolicyNetwork
from pellucid.rl.worlds import Played


@dataclass(frozen=True)
class PPOSettings:
    """How PPO learns; defaults are those of Stable-Baselines3."""

    copies: int = 1
    """Environments that are played side by side."""
    steps: int = 2048
    """Steps of each environment between two updates."""
    batch: int = 64
    """Steps in a gradient step."""
    epochs: int = 10
    """How often each step is learned from."""
    lr: float = 3e-4
    """The learning rate of Adam."""
    discount: float = 0.99
    """γ: what a reward is worth a step later."""
    trace: float = 0.95
    """λ of the advantages: 0 trusts the critic, 1 the rewards."""
    clip: float = 0.2
    """How far a probability may move in an update."""
    entropy: float = 0.0
    """What undecidedness is worth."""
    critic: float = 0.5
    """What the critic's error counts."""
    gradient: float = 0.5
    """The longest gradient."""
    decay: bool = False
    """Learning rate and clip fall to 0 in the course of learning."""
    widths: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers of actor and critic."""
    normalize: bool = False
    """States minus their mean, by their deviation, as seen so far."""
    scale_rewards: bool = False
    """Rewards by the deviation of their discounted sums."""


class Rollout(NamedTuple):
    """T · N steps to learn from, in a row."""

    inputs: Tensor
    actions: Tensor
    logs: Tensor
    """The logarithms of the probabilities that the actions had."""
    advantages: Tensor
    returns: Tensor


class OnPolicyAgent(Agent):
    """What PPO, A2C and REINFORCE are alike in: one network of actor and critic, one optimizer."""

    network: PolicyNetwork
    optimizer: Any
    rule = "adam"
    """The optimizer's name in stored states."""

    def _descend(self, loss: Tensor) -> None:
        """One update, along a gradient that is cut to the length in the settings."""
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient)
        self.optimizer.step()

    def _best(self, states: Tensor) -> Tensor:
        return self.network.best(self.network.normalizer(states))

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The actor and the critic, in one."""
        return {"network": self.network}

    @property
    def optimizers(self) -> dict[str, Any]:
        """The one for both."""
        return {self.rule: self.optimizer}


class PPO(OnPolicyAgent):
    """Learns by proximal policy optimization; numbered actions and arrays.

    >>> agent = PPO("CartPole-v1", PPOSettings(copies=8, steps=32, batch=256), seed=1)
    >>> agent.learn(512).steps
    512
    """

    algorithm = "ppo"

    def __init__(
        self, environment: Any, settings: PPOSettings | None = None, seed: int = 0
    ) -> None:
        super().__init__(environment, PPOSettings() if settings is None else settings, seed)

    def _build(self) -> None:
        s: PPOSettings = self.settings
        self.network, self._play, self._back, self._value = on_policy_parts(self)
        self.optimizer = optim.Adam(self.network.parameters(), s.lr, eps=1e-5)
        self._clip = pellucid.full((1,), s.clip)
        self._rewards = RewardScale(self.world.count, s.discount, s.scale_rewards)
        self._update = pellucid.compile(self._learn)

    def _round(self, limit: int) -> dict[str, float]:
        s: PPOSettings = self.settings
        if s.decay:
            share = self.steps / self.until
            self.optimizer.param_groups[0]["lr"] = linear(s.lr, 0.0, share)
            self._clip.fill_(linear(s.clip, 0.0, share))
        played = self._play(s.steps)
        self.tally.add(played)
        self.steps += played.rewards.size
        rollout, explained = self._rollout(played)
        rows = len(rollout.advantages)
        batch = min(s.batch, rows)
        for _ in range(s.epochs):
            order = self.random.permutation(rows)
            mixed = [part.numpy()[order] for part in rollout]
            told = self._epoch(mixed, rows, batch)
        self.network.normalizer.learn(flat(played.states))
        names = ("loss", "entropy", "kl", "clipped")
        figures = {name: float(part.mean()) for name, part in zip(names, told, strict=True)}
        return {**figures, "explained": explained}

    def _epoch(self, mixed: list[Array], rows: int, batch: int) -> tuple[Array, ...]:
        """All minibatches of an epoch in one native call; a smaller last one by itself."""
        full = rows // batch
        parts = [part[: full * batch].reshape(full, batch, *part.shape[1:]) for part in mixed]
        told: tuple[Tensor, ...] = self._update.many(full, *map(pellucid.from_numpy, parts))
        if rows % batch > 1:
            self._update(*(pellucid.from_numpy(part[full * batch :].copy()) for part in mixed))
        return tuple(part.numpy() for part in told)

    def _rollout(self, played: Played) -> tuple[Rollout, float]:
        """Advantages and returns, and how much of the returns' variance the critic explained."""
        s: PPOSettings = self.settings
        advantages, returns = self._back(played, self._rewards.scaled(played), s.trace)
        inputs, logs, _ = played.more
        spread = float(returns.var())
        explained = 1 - float(advantages.var()) / spread if spread > 1e-12 else float("nan")
        parts = (inputs, played.actions, logs, advantages, returns)
        return Rollout(*map(flat, parts)), explained

    def _learn(
        self, inputs: Tensor, actions: Tensor, before: Tensor, advantages: Tensor, returns: Tensor
    ) -> tuple[Tensor, ...]:
        s: PPOSettings = self.settings
        self.optimizer.zero_grad()
        logs, entropies = self.network.judge(inputs, actions)
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_ratio = logs - before
        ratio = log_ratio.exp()
        near = pellucid.minimum(pellucid.maximum(ratio, 1 - self._clip), 1 + self._clip)
        actor = -pellucid.minimum(ratio * advantages, near * advantages).mean()
        critic = ((self.network.value(inputs) - returns) ** 2).mean()
        entropy = entropies.mean()
        loss = actor + s.critic * critic - s.entropy * entropy
        self._descend(loss)
        with pellucid.no_grad():
            divergence = (ratio - 1 - log_ratio).mean()
            clipped = ((ratio - 1).abs() > self._clip).to(pellucid.float32).mean()
        return loss.detach(), entropy.detach(), divergence.detach(), clipped.detach()


def on_policy_parts(agent: Agent) -> tuple[PolicyNetwork, Any, Any, Any]:
    """What PPO, A2C and REINFORCE share: the network, the player that keeps normalized states,
    logarithms of probabilities and values, the advantages from what was played, and the critic."""
    s, world = agent.settings, agent.world
    network = PolicyNetwork(
        world.states, world.actions, world.bounds, s.widths, agent.generator, nn.Tanh, s.normalize
    )

    def choose(states: Tensor) -> tuple[Tensor, ...]:
        inputs = network.normalizer(states)
        actions, logs = network.draw(inputs)
        return actions, inputs, logs, network.value(inputs)

    carry = pellucid.zeros(world.count)

    def back(error: Tensor, keep: Tensor) -> Tensor:
        carry.copy_(error + keep * carry)
        return carry.clone()

    stepped = pellucid.compile(back)
    value = pellucid.compile(lambda states: network.value(network.normalizer(states)))

    def advantages(played: Played, rewards: Array, trace: float) -> tuple[Array, Array]:
        """Advantages and returns (T, N)."""
        with pellucid.no_grad():
            follows = value(flat(played.reached)).numpy().reshape(rewards.shape)
        values = played.more[2]
        errors = rewards + s.discount * follows * (1 - played.terminated) - values
        keep = (s.discount * trace) * (1 - played.done)
        carry.zero_()
        reverse = [np.ascontiguousarray(part[::-1], np.float32) for part in (errors, keep)]
        found = stepped.many(len(errors), *map(pellucid.from_numpy, reverse)).numpy()[::-1]
        return found, found + values

    return network, world.player(choose), advantages, value
