"""Recognition without alignment: convolution over time, a bidirectional GRU, CTC, greedy decoding."""

import torch
import torch.nn.functional as F
from start import compiled, fill, integers, normal
from torch import nn


class Recognizer(nn.Module):
    def __init__(self, features, symbols):
        super().__init__()
        self.conv = nn.Conv1d(features, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm1d(8)
        self.gru = nn.GRU(8, 6, batch_first=True, bidirectional=True)
        self.out = nn.Linear(12, symbols + 1)

    def forward(self, x):
        x = F.gelu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        x, _ = self.gru(x)
        return self.out(x).log_softmax(2).transpose(0, 1)


def greedy(log_probs):
    path = log_probs.argmax(2).t()
    return [[s for s in torch.unique_consecutive(row).tolist() if s != 0] for row in path]


def main():
    model = fill(Recognizer(5, 6))
    ctc = nn.CTCLoss(blank=0, zero_infinity=True)
    optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)

    def step(x, targets, input_lengths, target_lengths):
        optimizer.zero_grad()
        loss = ctc(model(x), targets, input_lengths, target_lengths)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(4):
        x = normal(3, 20, 5)
        targets = integers(6, 3, 4) + 1
        lengths = torch.full((3,), 10, dtype=torch.long), torch.tensor([4, 3, 2])
        record.append(step(x, targets, *lengths).item())
    model.eval()
    with torch.no_grad():
        record.append(sum(len(row) for row in greedy(model(x))))
    return record
