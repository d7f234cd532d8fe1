"""An actor, which chooses, and a critic, which says how good the situation is.

Barto, Sutton and Anderson (1983); as networks with shared layers: Mnih and others, "Asynchronous
Methods for Deep Reinforcement Learning" (2016).  How they are trained is in
``pellucid.rl.actor_critic``.
"""

from __future__ import annotations

import pellucid.nn.functional as F
from pellucid import Tensor, nn


class ActorCritic(nn.Module):
    """States (N, states) → logits of the actions (N, actions) and the value (N,) of each state.

    >>> import pellucid
    >>> [part.shape for part in ActorCritic(4, 2)(pellucid.zeros(3, 4))]
    [pellucid.Size([3, 2]), pellucid.Size([3])]
    """

    def __init__(self, states: int, actions: int, hidden: int = 128) -> None:
        super().__init__()
        self.body = nn.Linear(states, hidden)
        self.actor = nn.Linear(hidden, actions)
        self.critic = nn.Linear(hidden, 1)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """(N, states) → (N, actions) and (N,)."""
        h = F.relu(self.body(states))
        return self.actor(h), self.critic(h).squeeze(-1)
