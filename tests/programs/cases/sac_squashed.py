"""Soft actor-critic's losses: a squashed normal policy, two critics, a learned temperature."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, normal, uniform
from torch.distributions import Normal

LOG_STD_MAX, LOG_STD_MIN = 0, -5


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 16)
        self.fc_mean, self.fc_logstd = nn.Linear(16, 2), nn.Linear(16, 2)
        self.register_buffer("action_scale", torch.tensor([2.0, 1.0]))

    def get_action(self, x, eps):
        x = F.relu(self.fc1(x))
        mean, log_std = self.fc_mean(x), torch.tanh(self.fc_logstd(x))
        log_std = LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (log_std + 1)
        normal = Normal(mean, log_std.exp())
        x_t = normal.mean + eps * normal.stddev
        y_t = torch.tanh(x_t)
        log_prob = normal.log_prob(x_t)
        log_prob -= torch.log(self.action_scale * (1 - y_t.pow(2)) + 1e-6)
        return y_t * self.action_scale, log_prob.sum(1, keepdim=True)


def main():
    actor = fill(Actor())
    critics = nn.ModuleList(
        [fill(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))) for _ in range(2)]
    )
    log_alpha = torch.zeros(1, requires_grad=True)
    q_optimizer = torch.optim.Adam(critics.parameters(), lr=3e-3)
    actor_optimizer = torch.optim.Adam(list(actor.parameters()), lr=3e-3)
    a_optimizer = torch.optim.Adam([log_alpha], lr=3e-3)

    def step(obs, action, target, eps):
        both = torch.cat([obs, action], 1)
        q_loss = sum(F.mse_loss(critic(both).view(-1), target) for critic in critics)
        q_optimizer.zero_grad()
        q_loss.backward()
        q_optimizer.step()

        pi, log_pi = actor.get_action(obs, eps)
        both = torch.cat([obs, pi], 1)
        min_q = torch.min(critics[0](both), critics[1](both))
        alpha = log_alpha.exp().detach()
        actor_loss = ((alpha * log_pi) - min_q).mean()
        actor_optimizer.zero_grad()
        actor_loss.backward()
        actor_optimizer.step()

        alpha_loss = (-log_alpha.exp() * (log_pi.detach() - 2.0)).mean()
        a_optimizer.zero_grad()
        alpha_loss.backward()
        a_optimizer.step()
        return q_loss, actor_loss, alpha_loss

    step = compiled(step)
    record = []
    for _ in range(3):
        values = step(normal(7, 3), uniform(7, 2), normal(7), normal(7, 2))
        record += [value.item() for value in values]
    return record
