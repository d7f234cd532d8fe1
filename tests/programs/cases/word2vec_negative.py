"""Skip-gram with negative sampling: two tables, a batched product, logsigmoid, sparse habits."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, integers


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.center = nn.Embedding(vocab_size, dim)
        self.context = nn.Embedding(vocab_size, dim)

    def forward(self, center, context, negatives):
        v = self.center(center)
        u = self.context(context)
        positive = F.logsigmoid(torch.sum(v * u, dim=1))
        scores = torch.bmm(self.context(negatives), v.unsqueeze(2)).squeeze(2)
        negative = F.logsigmoid(-scores).sum(1)
        return -(positive + negative).mean()


def pairs(corpus, window):
    for i, center in enumerate(corpus):
        for j in range(max(0, i - window), min(len(corpus), i + window + 1)):
            if i != j:
                yield center, corpus[j]


def main():
    corpus = integers(15, 30).tolist()
    examples = np.array(list(pairs(corpus, 2)))
    model = fill(SkipGram(15, 6))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def step(center, context, negatives):
        loss = model(center, context, negatives)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for begin in range(0, 96, 24):
        batch = torch.LongTensor(examples[begin : begin + 24])
        record.append(step(batch[:, 0], batch[:, 1], integers(15, 24, 4)).item())
    with torch.no_grad():
        table = F.normalize(model.center.weight, dim=1)
        record.append((table @ table.t()).topk(3).values.sum().item())
    return record
