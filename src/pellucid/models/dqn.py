"""A deep Q-network: how much reward to expect after each action.

Mnih and others, "Human-level control through deep reinforcement learning" (2015).  How it is
trained is in ``pellucid.rl.dqn``.
"""

from __future__ import annotations

from pellucid import Tensor, nn


class DQN(nn.Module):
    """Two hidden layers with ReLU; states (N, states) → a value (N, actions) for each action.

    >>> import pellucid
    >>> DQN(4, 2)(pellucid.zeros(3, 4)).shape
    pellucid.Size([3, 2])
    """

    def __init__(self, states: int, actions: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(states, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, actions),
        )

    def forward(self, states: Tensor) -> Tensor:
        """(N, states) → (N, actions)."""
        return self.layers(states)
