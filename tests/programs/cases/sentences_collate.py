"""A data set of sentences of different lengths, a collate function, a packed LSTM."""

import torch
import torch.nn as nn
from start import fill, integers
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset


class Sentences(Dataset):
    def __init__(self, count):
        self.lengths = [3 + i % 5 for i in range(count)]
        self.rows = [integers(20, length) + 1 for length in self.lengths]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return {"tokens": self.rows[i], "label": int(self.rows[i].sum() % 3)}


def collate(batch):
    batch = sorted(batch, key=lambda row: -len(row["tokens"]))
    tokens = pad_sequence([row["tokens"] for row in batch], batch_first=True)
    lengths = torch.tensor([len(row["tokens"]) for row in batch])
    return tokens, lengths, torch.tensor([row["label"] for row in batch])


class Classifier(nn.Module):
    def __init__(self, vocab, emb=8, hidden=12, classes=3):
        super().__init__()
        self.embedding = nn.Embedding(vocab, emb, padding_idx=0)
        self.lstm = nn.LSTM(emb, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True)
        output, (h, c) = self.lstm(packed)
        padded, _ = pad_packed_sequence(output, batch_first=True)
        pooled = padded.sum(1) / lengths.unsqueeze(1)
        return self.head(pooled + torch.cat([h[0], h[1]], dim=1))


def main():
    loader = DataLoader(Sentences(15), batch_size=6, collate_fn=collate, drop_last=False)
    model = fill(Classifier(22))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()

    def step(tokens, lengths, labels):
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(tokens, lengths), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    record = []
    for _ in range(3):
        for tokens, lengths, labels in loader:
            record.append(step(tokens, lengths, labels).item())
    return record
