"""A discriminator with spectral normalization, hinge losses, transposed convolutions."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, normal
from torch.nn.utils import spectral_norm


def deterministic(module):
    """The same first vectors of the power iteration under every engine."""
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            if name.endswith(("_u", "_v")):
                buffer.copy_(F.normalize(torch.arange(1.0, buffer.numel() + 1), dim=0))
    return module


def main():
    generator = fill(
        nn.Sequential(
            nn.ConvTranspose2d(4, 6, 4, 1, 0, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(True),
            nn.ConvTranspose2d(6, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
    )
    discriminator = fill(
        nn.Sequential(
            spectral_norm(nn.Conv2d(1, 4, 4, 2, 1)),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            spectral_norm(nn.Linear(64, 1)),
        )
    )
    deterministic(discriminator)
    optim_gen = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.0, 0.9))
    optim_disc = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.0, 0.9))

    def step(data, z):
        optim_disc.zero_grad()
        optim_gen.zero_grad()
        real = F.relu(1.0 - discriminator(data)).mean()
        disc_loss = real + F.relu(1.0 + discriminator(generator(z))).mean()
        disc_loss.backward()
        optim_disc.step()
        optim_disc.zero_grad()
        optim_gen.zero_grad()
        gen_loss = -discriminator(generator(z)).mean()
        gen_loss.backward()
        optim_gen.step()
        return disc_loss, gen_loss

    step = compiled(step)
    record = []
    for _ in range(4):
        disc_loss, gen_loss = step(normal(4, 1, 8, 8), normal(4, 4, 1, 1))
        record += [disc_loss.item(), gen_loss.item()]
    return record
