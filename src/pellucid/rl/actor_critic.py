"""The loss of actor and critic, for programs that play by themselves; ``A2C`` is the agent.
Actions that turned out better than expected become likelier.

Mnih and others, "Asynchronous Methods for Deep Reinforcement Learning" (2016), in its synchronous
form (A2C): several copies of the environment are played at once, a few steps each, then one
update follows from all of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor

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
