"""A mixture density network: MixtureSameFamily as the likelihood, quantiles by sampling."""

import torch
from start import compiled, fill, normal
from torch import distributions as D
from torch import nn


class MDN(nn.Module):
    def __init__(self, components=3):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 12), nn.Tanh())
        self.logits = nn.Linear(12, components)
        self.means = nn.Linear(12, components)
        self.log_scales = nn.Linear(12, components)

    def forward(self, x):
        h = self.body(x)
        return D.MixtureSameFamily(
            D.Categorical(logits=self.logits(h)),
            D.Normal(self.means(h), self.log_scales(h).clamp(-5, 5).exp()),
        )


def main():
    model = fill(MDN())
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.02)

    def step(x, y):
        optimizer.zero_grad()
        loss = -model(x).log_prob(y).mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(5):
        y = normal(16)
        x = (y + 0.3 * torch.sin(5 * y) + 0.05 * normal(16)).unsqueeze(1)
        record.append(step(x, y).item())
    with torch.no_grad():
        mixture = model(torch.zeros(1, 1))
        record += [mixture.mean.item(), mixture.variance.item()]
        assert mixture.sample((7,)).shape == (7, 1)
    return record
