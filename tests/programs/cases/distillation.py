"""A small network taught by a larger one: soft targets by KLDivLoss, a frozen teacher, cosine
features."""

import torch
import torch.nn.functional as F
from start import compiled, fill, integers, normal
from torch import nn


def main():
    teacher = fill(nn.Sequential(nn.Linear(5, 20), nn.Hardswish(), nn.Linear(20, 4))).eval()
    student = fill(nn.Sequential(nn.Linear(5, 6), nn.PReLU(), nn.Linear(6, 4)))
    for p in teacher.parameters():
        p.requires_grad_(False)
    optimizer = torch.optim.RAdam(student.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=6)
    kl = nn.KLDivLoss(reduction="batchmean", log_target=True)
    cosine = nn.CosineEmbeddingLoss()
    T, alpha = 3.0, 0.7

    def step(x, y):
        optimizer.zero_grad()
        with torch.no_grad():
            soft = F.log_softmax(teacher(x) / T, dim=1)
        output = student(x)
        loss = alpha * T * T * kl(F.log_softmax(output / T, dim=1), soft)
        loss = loss + (1 - alpha) * F.cross_entropy(output, y)
        loss = loss + 0.1 * cosine(output, soft, torch.ones(x.size(0)))
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(5):
        record.append(step(normal(8, 5), integers(4, 8)).item())
        scheduler.step()
    return record + [optimizer.param_groups[0]["lr"]]
