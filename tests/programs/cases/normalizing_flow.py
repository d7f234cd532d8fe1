"""A flow of affine couplings under a normal base, and one made of torch.distributions' transforms."""

import torch
from start import compiled, fill, normal
from torch import nn
from torch.distributions import (
    AffineTransform,
    MultivariateNormal,
    Normal,
    SigmoidTransform,
    TransformedDistribution,
)


class Coupling(nn.Module):
    def __init__(self, dim, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(dim // 2, 8), nn.ReLU(), nn.Linear(8, dim))

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], dim=1), s.sum(dim=1)


def main():
    flow = fill(nn.ModuleList([Coupling(4, i % 2 == 1) for i in range(3)]))
    base = MultivariateNormal(torch.zeros(4), torch.eye(4))
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)

    def step(x):
        optimizer.zero_grad()
        log_det = torch.zeros(x.size(0))
        for layer in flow:
            x, ld = layer(x)
            log_det = log_det + ld
        loss = -(base.log_prob(x) + log_det).mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = [step(normal(10, 4) * torch.tensor([1.0, 2.0, 0.5, 1.0]) + 1).item() for _ in range(4)]
    loc, scale = torch.tensor(0.3, requires_grad=True), torch.tensor(1.7, requires_grad=True)
    logistic_normal = TransformedDistribution(
        Normal(0.0, 1.0), [AffineTransform(loc, scale), SigmoidTransform()]
    )
    value = logistic_normal.log_prob(torch.tensor([0.1, 0.5, 0.8])).sum()
    value.backward()
    return record + [value.item(), loc.grad.item(), scale.grad.item()]
