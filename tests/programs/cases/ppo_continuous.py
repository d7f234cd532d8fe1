"""Proximal policy optimization with normal actions: ratios, clipping, minibatches, an approximate
KL."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from start import compiled, fill, normal, permutation
from torch.distributions.normal import Normal


def layer_init(layer, std=np.sqrt(2), bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self, obs, act):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(obs, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), std=1.0)
        )
        self.actor_mean = nn.Sequential(
            layer_init(nn.Linear(obs, 16)), nn.Tanh(), layer_init(nn.Linear(16, act), std=0.01)
        )
        self.actor_logstd = nn.Parameter(torch.zeros(1, act))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None):
        action_mean = self.actor_mean(x)
        action_logstd = self.actor_logstd.expand_as(action_mean)
        probs = Normal(action_mean, torch.exp(action_logstd))
        if action is None:
            action = probs.sample()
        return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)


def main():
    agent = fill(Agent(5, 2))
    optimizer = optim.Adam(agent.parameters(), lr=1e-2, eps=1e-5)
    b_obs, b_actions, b_returns = normal(32, 5), normal(32, 2), normal(32)
    with torch.no_grad():
        _, b_logprobs, _, b_values = agent.get_action_and_value(b_obs, b_actions)
        b_values = b_values.view(-1)
        b_advantages = b_returns - b_values
        assert agent.get_action_and_value(b_obs)[0].shape == (32, 2)

    def update(obs, actions, logprobs, advantages, returns, values):
        _, newlogprob, entropy, newvalue = agent.get_action_and_value(obs, actions)
        logratio = newlogprob - logprobs
        ratio = logratio.exp()
        with torch.no_grad():
            approx_kl = ((ratio - 1) - logratio).mean()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        pg_loss1 = -advantages * ratio
        pg_loss2 = -advantages * torch.clamp(ratio, 1 - 0.2, 1 + 0.2)
        pg_loss = torch.max(pg_loss1, pg_loss2).mean()
        newvalue = newvalue.view(-1)
        v_clipped = values + torch.clamp(newvalue - values, -0.2, 0.2)
        v_loss = 0.5 * torch.max((newvalue - returns) ** 2, (v_clipped - returns) ** 2).mean()
        loss = pg_loss - 0.01 * entropy.mean() + v_loss * 0.5
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
        optimizer.step()
        return loss, approx_kl

    update = compiled(update)
    record = []
    for epoch in range(3):
        b_inds = permutation(32).numpy()
        for start in range(0, 32, 16):
            mb = b_inds[start : start + 16]
            columns = (b_obs, b_actions, b_logprobs, b_advantages, b_returns, b_values)
            loss, kl = update(*(column[mb] for column in columns))
            record += [loss.item(), kl.item()]
    return record
