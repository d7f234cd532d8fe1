"""Actor-critic on a made-up world: Categorical, returns, an advantage, an entropy bonus."""

from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, integers, normal
from torch.distributions import Categorical

SavedAction = namedtuple("SavedAction", ["log_prob", "value"])


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 16)
        self.action_head = nn.Linear(16, 3)
        self.value_head = nn.Linear(16, 1)

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def returns_of(rewards, gamma=0.9):
    R, returns = 0.0, []
    for r in rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    return (returns - returns.mean()) / (returns.std() + 1e-5)


def main():
    model = fill(Policy())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)

    def finish_episode(states, actions, returns):
        optimizer.zero_grad()
        probs, values = model(states)
        m = Categorical(probs)
        advantage = returns - values.squeeze(-1).detach()
        policy_loss = -(m.log_prob(actions) * advantage).sum()
        value_loss = F.smooth_l1_loss(values.squeeze(-1), returns, reduction="sum")
        loss = policy_loss + value_loss - 0.01 * m.entropy().sum()
        loss.backward()
        optimizer.step()
        return loss

    finish_episode = compiled(finish_episode)
    record = []
    for episode in range(5):
        states = normal(8, 4)
        actions = integers(3, 8)
        rewards = [float(a) for a in actions]
        record.append(finish_episode(states, actions, returns_of(rewards)).item())
    with torch.no_grad():
        saved = SavedAction(*model(normal(4)))
        assert Categorical(saved.log_prob).sample().item() in (0, 1, 2)
    return record
