"""Recommendations: EmbeddingBag with offsets and weights, factors and biases, averages of weights."""

import torch
from start import compiled, fill, integers, normal, uniform
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel


class Recommender(nn.Module):
    def __init__(self, users, items, tags, dim=4):
        super().__init__()
        self.user, self.item = nn.Embedding(users, dim), nn.Embedding(items, dim)
        self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
        self.tags = nn.EmbeddingBag(tags, dim, mode="sum")
        self.mlp = nn.Sequential(nn.Linear(3 * dim, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, user, item, tags, offsets, weights):
        u, i = self.user(user), self.item(item)
        t = self.tags(tags, offsets, per_sample_weights=weights)
        dot = (u * i).sum(1, keepdim=True)
        out = dot + self.user_bias(user) + self.item_bias(item)
        return (out + self.mlp(torch.cat([u, i, t], dim=-1))).squeeze(1)


def main():
    model = fill(Recommender(8, 9, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    averaged = AveragedModel(model)
    schedule = SWALR(optimizer, swa_lr=0.02, anneal_epochs=2)
    criterion = nn.HuberLoss(delta=0.5)
    offsets = torch.tensor([0, 2, 5, 5, 9])

    def step(user, item, tags, weights, rating):
        optimizer.zero_grad()
        loss = criterion(model(user, item, tags, offsets, weights), rating)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(5):
        batch = integers(8, 5), integers(9, 5), integers(10, 11), uniform(11), normal(5)
        record.append(step(*batch).item())
        averaged.update_parameters(model)
        schedule.step()
    user, item, tags, weights, rating = batch
    with torch.no_grad():
        record.append(criterion(averaged(user, item, tags, offsets, weights), rating).item())
    return record
