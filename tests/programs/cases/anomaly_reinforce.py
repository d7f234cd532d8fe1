"""REINFORCE with Bernoulli and one-hot actions, detect_anomaly switched on, a baseline network."""

import torch
import torch.nn as nn
from start import fill, integers, normal, uniform
from torch.distributions import Bernoulli, OneHotCategorical


def main():
    policy = fill(nn.Sequential(nn.Linear(4, 12), nn.Softsign(), nn.Linear(12, 3)))
    gate = fill(nn.Linear(4, 1))
    baseline = fill(nn.Linear(4, 1))
    params = [*policy.parameters(), *gate.parameters(), *baseline.parameters()]
    optimizer = torch.optim.Rprop(params, lr=0.01)
    record = []
    with torch.autograd.set_detect_anomaly(True):
        for _ in range(4):
            state = normal(10, 4)
            action = torch.nn.functional.one_hot(integers(3, 10), 3).float()
            use = (uniform(10, 1) > 0.5).float()
            reward = uniform(10)
            logits = policy(state)
            value = baseline(state).squeeze(1)
            advantage = (reward - value).detach()
            log_prob = OneHotCategorical(logits=logits).log_prob(action)
            log_prob = log_prob + Bernoulli(logits=gate(state)).log_prob(use).squeeze(1)
            loss = -(log_prob * advantage).mean() + (reward - value).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            record.append(loss.item())
    return record
