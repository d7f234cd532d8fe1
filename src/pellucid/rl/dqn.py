"""Loss and step of deep Q-learning, for programs that play by themselves; ``DQN`` is an agent.

Mnih and others, "Human-level control through deep reinforcement learning" (2015): replayed steps,
and a second, slower network for the values that are learned from.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.rl.environments import State
from pellucid.rl.policies import epsilon_greedy


class Batch(NamedTuple):
    """Steps to learn from, as tensors."""

    states: Tensor
    """float32 (N, states)."""
    actions: Tensor
    """int64 (N,)."""
    rewards: Tensor
    """float32 (N,)."""
    next_states: Tensor
    """float32 (N, states)."""
    terminated: Tensor
    """float32 (N,): 1 where nothing more can be earned from the next state."""


def td_loss(
    network: nn.Module,
    target: nn.Module,
    states: Tensor,
    actions: Tensor,
    rewards: Tensor,
    next_states: Tensor,
    terminated: Tensor,
    discount: float = 0.99,
    double: bool = False,
) -> Tensor:
    """Mean Huber loss between Q(s, a) and r + γ maxₐ' Q'(s', a'), Q' by the ``target`` network.

    Shapes as in ``Batch``; from a terminated state nothing follows.  With ``double`` the network
    chooses a' and the target values it, which does not overestimate (van Hasselt, Guez and
    Silver, 2015).  The second part gets no gradient.
    """
    values = network(states).gather(1, actions.unsqueeze(1)).squeeze(1)  # (N, A) -> (N,)
    with pellucid.no_grad():
        follows = target(next_states)  # (N, A)
        if double:
            best = network(next_states).argmax(1, keepdim=True)
            follows = follows.gather(1, best).squeeze(1)
        else:
            follows = follows.amax(1)
        wanted = rewards + discount * (1 - terminated) * follows
    return F.smooth_l1_loss(values, wanted)


def soft_update(target: nn.Module, network: nn.Module, rate: float) -> None:
    """Moves the target's parameters towards the network's: t ← t + rate · (p − t).

    Rate 1 copies them.  (Lillicrap and others, 2015.)
    """
    with pellucid.no_grad():
        for slow, fast in zip(target.parameters(), network.parameters(), strict=True):
            slow.lerp_(fast, rate)


class DQNLearner:
    """A network, its slower copy, and the compiled step that learns from a batch.

    ``soft`` above 0 moves the copy a little in each step, inside the compiled program; with 0
    call ``copy_target`` now and then.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: Any,
        discount: float = 0.99,
        soft: float = 0.0,
        double: bool = False,
    ) -> None:
        if not 0 <= discount <= 1 or not 0 <= soft <= 1:
            raise ArgumentError(
                f"DQNLearner got discount={discount}, soft={soft}", "use numbers from 0 to 1"
            )
        self.network, self.optimizer = network, optimizer
        self.discount, self.soft, self.double = discount, soft, double
        self.target = copy.deepcopy(network)
        self.target.requires_grad_(False)
        self._step = pellucid.compile(self._learn)
        self._values = pellucid.compile(lambda states: network(states))

    def learn(self, batch: Batch) -> Tensor:
        """One step on a batch, one native call; the loss before it."""
        return self._step(*batch)

    def values(self, states: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What the network expects of each action: (N, states) → (N, actions)."""
        with pellucid.no_grad():
            found: npt.NDArray[np.float32] = self._values(pellucid.from_numpy(states)).numpy()
        return found

    def act(self, state: State, epsilon: float, random: np.random.Generator) -> int:
        """An ε-greedy action."""
        if epsilon and random.random() < epsilon:  # the network need not be asked
            return epsilon_greedy(np.zeros(self._actions(state)), 1.0, random)
        return int(self.values(state[None])[0].argmax())

    def copy_target(self) -> None:
        """Makes the slower network equal to the network."""
        soft_update(self.target, self.network, 1.0)

    def _actions(self, state: State) -> int:
        if not hasattr(self, "_count"):
            self._count: int = self.values(state[None]).shape[1]
        return self._count

    def _learn(
        self, states: Tensor, actions: Tensor, rewards: Tensor, later: Tensor, ended: Tensor
    ) -> Tensor:
        self.optimizer.zero_grad()
        batch = (states, actions, rewards, later, ended)
        loss = td_loss(self.network, self.target, *batch, self.discount, self.double)
        loss.backward()
        self.optimizer.step()
        if self.soft:
            soft_update(self.target, self.network, self.soft)
        return loss.detach()
