"""Denoising diffusion on small pictures: a schedule of betas, sinusoidal times, noise predicted, one
step of sampling back."""

import math

import torch
import torch.nn.functional as F
from start import compiled, fill, integers, normal, uniform
from torch import nn


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        half_dim = self.dim // 2
        emb = math.log(10000) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=x.device) * -emb)
        emb = x[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(8), nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8)
        )
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.GroupNorm(4, 8)
        self.second = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x, t):
        h = self.first(x) + self.time_mlp(t)[:, :, None, None]
        return self.second(F.silu(self.norm(h)))


def extract(a, t, x_shape):
    out = a.gather(-1, t)
    return out.reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


def main():
    betas = torch.linspace(0.0001, 0.02, 20)
    alphas = 1.0 - betas
    alphas_cumprod = torch.cumprod(alphas, dim=0)
    alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
    posterior_variance = betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod)
    model = fill(Denoiser())
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)

    def p_losses(x_start, t, noise):
        optimizer.zero_grad()
        x_noisy = (
            extract(alphas_cumprod.sqrt(), t, x_start.shape) * x_start
            + extract((1.0 - alphas_cumprod).sqrt(), t, x_start.shape) * noise
        )
        loss = F.smooth_l1_loss(noise, model(x_noisy, t))
        loss.backward()
        optimizer.step()
        return loss

    p_losses = compiled(p_losses)
    record = []
    for _ in range(4):
        x = uniform(5, 1, 6, 6) * 2 - 1
        record.append(p_losses(x, integers(20, 5), normal(5, 1, 6, 6)).item())
    with torch.no_grad():
        t = torch.full((5,), 7, dtype=torch.long)
        mean = (1 / alphas[7].sqrt()) * (
            x - betas[7] / (1 - alphas_cumprod[7]).sqrt() * model(x, t)
        )
        sample = mean + extract(posterior_variance, t, x.shape).sqrt() * normal(5, 1, 6, 6)
    return record + [sample.mean().item(), sample.std().item()]
