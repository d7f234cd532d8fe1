"""A network that solves an equation: second derivatives by autograd.grad, in a loss."""

import math

import torch
from start import compiled, fill, uniform
from torch import nn


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True, retain_graph=True)[0]


def main():
    net = fill(
        nn.Sequential(nn.Linear(2, 10), nn.Tanh(), nn.Linear(10, 10), nn.Tanh(), nn.Linear(10, 1))
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)

    def step(x, t):
        x = x.clone().requires_grad_(True)
        t = t.clone().requires_grad_(True)
        u = net(torch.cat([x, t], 1))
        residual = derivative(u, t) - 0.1 * derivative(derivative(u, x), x)
        start = net(torch.cat([x, torch.zeros_like(t)], 1)) - torch.sin(math.pi * x)
        loss = residual.pow(2).mean() + start.pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(uniform(12, 1), uniform(12, 1)).item() for _ in range(5)]
