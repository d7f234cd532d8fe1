"""Contrastive learning of two views: NT-Xent with masks by boolean indexing, LARS-like scaling."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, normal, uniform


def info_nce(features, temperature=0.5, n_views=2):
    batch = features.shape[0] // n_views
    labels = torch.cat([torch.arange(batch) for _ in range(n_views)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
    features = F.normalize(features, dim=1)
    similarity = torch.matmul(features, features.T)
    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels.masked_fill(mask, 0.0)
    logits = (similarity / temperature).masked_fill(mask, -1e9)
    positives = (logits * labels).sum(1)
    return (torch.logsumexp(logits, dim=1) - positives).mean()


def main():
    encoder = fill(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((1, 1)),
            nn.Flatten(),
            nn.Linear(6, 8, bias=False),
        )
    )
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1, momentum=0.9)

    def step(first, second):
        optimizer.zero_grad()
        loss = info_nce(encoder(torch.cat([first, second], dim=0)))
        loss.backward()
        with torch.no_grad():
            for p in encoder.parameters():
                p.grad.mul_((p.norm() + 1e-3) / (p.grad.norm() + 1e-3))
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(4):
        x = uniform(6, 3, 9, 9)
        record.append(step(x + 0.05 * normal(6, 3, 9, 9), torch.flip(x, dims=[3])).item())
    return record
