"""A mixture of experts: top-k gates, a load-balancing loss, experts as batched matrices."""

import torch
import torch.nn.functional as F
from start import compiled, fill, normal
from torch import nn


class MoE(nn.Module):
    def __init__(self, dim, experts, k):
        super().__init__()
        self.gate = nn.Linear(dim, experts, bias=False)
        self.w1 = nn.Parameter(torch.empty(experts, dim, 2 * dim))
        self.w2 = nn.Parameter(torch.empty(experts, 2 * dim, dim))
        self.k = k

    def forward(self, x):
        scores = F.softmax(self.gate(x), dim=-1)
        top, index = scores.topk(self.k, dim=-1)
        top = top / top.sum(-1, keepdim=True)
        mask = torch.zeros_like(scores).scatter(-1, index, top)
        hidden = F.gelu(torch.einsum("bd,edh->beh", x, self.w1))
        out = torch.einsum("beh,ehd->bed", hidden, self.w2)
        balance = (scores.mean(0) * (mask > 0).float().mean(0)).sum() * scores.size(-1)
        return torch.einsum("bed,be->bd", out, mask), balance


def main():
    model = fill(MoE(6, 4, 2))
    head = fill(nn.Linear(6, 1))
    params = list(model.parameters()) + list(head.parameters())
    optimizer = torch.optim.Adafactor(params, lr=0.02)

    def step(x, y):
        optimizer.zero_grad()
        out, balance = model(x)
        loss = F.mse_loss(head(out).squeeze(-1), y) + 0.01 * balance
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(normal(9, 6), normal(9)).item() for _ in range(4)]
