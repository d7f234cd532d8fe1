"""Mixing by Fourier transforms: FNet's layer, a spectral filter with complex weights, a spectrogram
as a loss."""

import torch
from start import compiled, fill, normal
from torch import nn


class FNetBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = self.norm1(x + torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real)
        return self.norm2(x + self.ff(x))


class SpectralFilter(nn.Module):
    def __init__(self, length, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(length // 2 + 1, dim, 2) * 0.02)

    def forward(self, x):
        n = x.shape[1]
        spectrum = torch.fft.rfft(x, dim=1, norm="ortho")
        spectrum = spectrum * torch.view_as_complex(self.weight)
        return torch.fft.irfft(spectrum, n=n, dim=1, norm="ortho")


def main():
    model = fill(nn.Sequential(FNetBlock(6), SpectralFilter(8, 6), nn.Linear(6, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    window = torch.hann_window(8)

    def spectrogram(x):
        return torch.stft(x, 8, 4, window=window, return_complex=True).abs()

    def step(x, y):
        optimizer.zero_grad()
        output = model(x).squeeze(-1)
        loss = (output - y).pow(2).mean()
        loss = loss + 0.1 * (spectrogram(output) - spectrogram(y)).abs().mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(normal(3, 8, 6), normal(3, 8)).item() for _ in range(4)]
