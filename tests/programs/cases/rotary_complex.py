"""Rotary embeddings in their original form: polar, view_as_complex, view_as_real; RMSNorm, SwiGLU."""

import torch
import torch.nn.functional as F
from start import compiled, fill, integers
from torch import nn


def precompute_freqs_cis(dim, end, theta=10000.0):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: (dim // 2)].float() / dim))
    freqs = torch.outer(torch.arange(end, dtype=torch.float32), freqs)
    return torch.polar(torch.ones_like(freqs), freqs)


def apply_rotary_emb(xq, xk, freqs_cis):
    xq_ = torch.view_as_complex(xq.float().reshape(*xq.shape[:-1], -1, 2))
    xk_ = torch.view_as_complex(xk.float().reshape(*xk.shape[:-1], -1, 2))
    freqs_cis = freqs_cis.view(1, xq_.shape[1], 1, xq_.shape[-1])
    xq_out = torch.view_as_real(xq_ * freqs_cis).flatten(3)
    xk_out = torch.view_as_real(xk_ * freqs_cis).flatten(3)
    return xq_out.type_as(xq), xk_out.type_as(xk)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        output = x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + self.eps)
        return output.type_as(x) * self.weight


class Llama(nn.Module):
    def __init__(self, vocab=12, dim=8, heads=2):
        super().__init__()
        self.tok = nn.Embedding(vocab, dim)
        self.heads = heads
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(dim, dim, bias=False) for _ in range(4))
        self.w1, self.w3 = nn.Linear(dim, 16, bias=False), nn.Linear(dim, 16, bias=False)
        self.w2 = nn.Linear(16, dim, bias=False)
        self.norm1, self.norm2, self.norm = RMSNorm(dim), RMSNorm(dim), RMSNorm(dim)
        self.out = nn.Linear(dim, vocab, bias=False)
        self.freqs_cis = precompute_freqs_cis(dim // heads, 16)

    def forward(self, tokens):
        b, n = tokens.shape
        h = self.tok(tokens)
        x = self.norm1(h)
        q, k, v = (w(x).view(b, n, self.heads, -1) for w in (self.wq, self.wk, self.wv))
        q, k = apply_rotary_emb(q, k, self.freqs_cis[:n])
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.wo(y.transpose(1, 2).reshape(b, n, -1))
        x = self.norm2(h)
        h = h + self.w2(F.silu(self.w1(x)) * self.w3(x))
        return self.out(self.norm(h))


def main():
    model = fill(Llama())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def step(tokens):
        optimizer.zero_grad()
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(integers(12, 4, 9)).item() for _ in range(4)]
