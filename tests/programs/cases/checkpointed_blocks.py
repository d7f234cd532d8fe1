"""Deep blocks recomputed in the backward pass, stochastic depth that is off, layers as a list, a
scheduler that watches the loss."""

import torch
from start import compiled, fill, normal
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.Mish(), nn.Linear(2 * dim, dim))
        self.gamma = nn.Parameter(0.1 * torch.ones(dim))

    def forward(self, x):
        return x + self.gamma * self.mlp(self.norm(x))


class Deep(nn.Module):
    def __init__(self, dim=6, depth=4):
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
        self.tail = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, 2))

    def forward(self, x):
        for block in self.blocks:
            if self.training:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return checkpoint_sequential(self.tail, 2, x, use_reentrant=False)


def main():
    model = fill(Deep())
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)

    def step(x, y):
        optimizer.zero_grad()
        loss = (model(x) - y).abs().mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(4):
        loss = step(normal(6, 6), normal(6, 2))
        scheduler.step(loss.item())
        record.append(loss.item())
    model.eval()
    return record + [model(normal(2, 6)).sum().item(), optimizer.param_groups[0]["lr"]]
