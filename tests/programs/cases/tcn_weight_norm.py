"""A temporal convolutional network: causal dilated convolutions, weight normalization, the adding
problem."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, permutation, uniform
from torch.nn.utils import weight_norm


class Chomp1d(nn.Module):
    def __init__(self, chomp_size):
        super().__init__()
        self.chomp_size = chomp_size

    def forward(self, x):
        return x[:, :, : -self.chomp_size].contiguous()


class TemporalBlock(nn.Module):
    def __init__(self, n_inputs, n_outputs, kernel_size, dilation):
        super().__init__()
        padding = (kernel_size - 1) * dilation
        conv = lambda n: weight_norm(  # noqa: E731
            nn.Conv1d(n, n_outputs, kernel_size, padding=padding, dilation=dilation)
        )
        self.conv1, self.conv2 = conv(n_inputs), conv(n_outputs)
        self.net = nn.Sequential(
            self.conv1, Chomp1d(padding), nn.ReLU(), self.conv2, Chomp1d(padding), nn.ReLU()
        )
        self.downsample = nn.Conv1d(n_inputs, n_outputs, 1) if n_inputs != n_outputs else None

    def forward(self, x):
        res = x if self.downsample is None else self.downsample(x)
        return F.relu(self.net(x) + res)


class TCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.tcn = nn.Sequential(*(TemporalBlock(2 if i == 0 else 6, 6, 3, 2**i) for i in range(3)))
        self.linear = nn.Linear(6, 1)

    def forward(self, x):
        return self.linear(self.tcn(x)[:, :, -1])


def adding(count, length):
    values, marks = uniform(count, length), torch.zeros(count, length)
    for i in range(count):
        chosen = permutation(length)[:2]
        marks[i, chosen] = 1
    target = (values * marks).sum(1, keepdim=True)
    return torch.stack([values, marks], 1), target


def main():
    model = fill(TCN())
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = [step(*adding(5, 20)).item() for _ in range(5)]
    names = [name for name, _ in model.named_parameters()]
    assert "tcn.0.conv1.weight_g" in names and "tcn.0.conv1.weight_v" in names
    return record
