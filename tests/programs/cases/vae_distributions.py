"""A variational autoencoder with distributions: a normal posterior, a Bernoulli likelihood."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, normal, uniform
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence


class VAE(nn.Module):
    def __init__(self, features=12, hidden=16, latent=3):
        super().__init__()
        self.fc1 = nn.Linear(features, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, features)
        self.register_buffer("loc", torch.zeros(latent))
        self.register_buffer("scale", torch.ones(latent))

    def encode(self, x):
        h = F.softplus(self.fc1(x))
        return Independent(Normal(self.fc21(h), torch.exp(0.5 * self.fc22(h))), 1)

    def decode(self, z):
        return Independent(Bernoulli(logits=self.fc4(torch.tanh(self.fc3(z)))), 1)

    def forward(self, x, eps):
        posterior = self.encode(x)
        z = posterior.base_dist.loc + eps * posterior.base_dist.scale
        prior = Independent(Normal(self.loc, self.scale).expand(z.shape), 1)
        log_likelihood = self.decode(z).log_prob(x)
        kl = kl_divergence(posterior, prior)
        return -(log_likelihood - kl).mean(), kl.mean()


def main():
    model = fill(VAE())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    data = (uniform(24, 12) > 0.5).float()

    def step(x, eps):
        optimizer.zero_grad()
        loss, kl = model(x, eps)
        loss.backward()
        optimizer.step()
        return loss, kl

    step = compiled(step)
    record = []
    for i in range(4):
        loss, kl = step(data[6 * i : 6 * i + 6], normal(6, 3))
        record += [loss.item(), kl.item()]
    with torch.no_grad():
        sample = model.encode(data).rsample()
        assert sample.shape == (24, 3) and torch.isfinite(sample).all()
    return record
