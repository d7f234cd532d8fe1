"""A masked language model: an encoder of Transformer layers, masked positions, padding, AdamW with
groups, a warm-up."""

import math

import torch
from start import compiled, fill, integers, uniform
from torch import nn

PAD, MASK = 0, 1


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=32):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[: x.size(0)]


class Bert(nn.Module):
    def __init__(self, vocab, d_model=16, heads=2, layers=2):
        super().__init__()
        self.d_model = d_model
        self.embed = nn.Embedding(vocab, d_model, padding_idx=PAD)
        self.position = PositionalEncoding(d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, heads, dim_feedforward=32, dropout=0.0, activation="gelu", norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Linear(d_model, d_model), nn.GELU(), nn.LayerNorm(d_model))
        self.bias = nn.Parameter(torch.zeros(vocab))

    def forward(self, tokens):
        x = self.position(self.embed(tokens).transpose(0, 1) * math.sqrt(self.d_model))
        x = self.encoder(x, src_key_padding_mask=tokens == PAD)
        return self.head(x).transpose(0, 1) @ self.embed.weight.t() + self.bias


def main():
    model = fill(Bert(20))
    decay = [p for n, p in model.named_parameters() if p.dim() > 1]
    others = [p for n, p in model.named_parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=1e-2
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 3))
    criterion = nn.CrossEntropyLoss(ignore_index=-100)

    def step(tokens, targets):
        optimizer.zero_grad()
        loss = criterion(model(tokens).reshape(-1, 20), targets.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(4):
        tokens = integers(18, 4, 9) + 2
        tokens[0, 7:] = PAD
        chosen = (uniform(4, 9) < 0.3) & (tokens != PAD)
        chosen[:, 0] = True
        targets = torch.where(chosen, tokens, torch.full_like(tokens, -100))
        inputs = tokens.masked_fill(chosen, MASK)
        record.append(step(inputs, targets).item())
        schedule.step()
    return record
