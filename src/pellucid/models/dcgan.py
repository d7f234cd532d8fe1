"""DCGAN: one network draws images, another tells them from real ones, and each learns from the
other.

Goodfellow and others, "Generative Adversarial Nets" (2014); Radford, Metz and Chintala,
"Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks"
(2015).  Layers have the names of PyTorch's example.
"""

from __future__ import annotations

from typing import Any

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError


def _doublings(size: int) -> int:
    """How often 4 doubles until it is ``size``."""
    count = max(size, 1).bit_length() - 3
    if count < 1 or size != 4 * 2**count:
        raise ArgumentError(f"an image of size {size}", "use 8, 16, 32, 64 or a higher power of 2")
    return count


def initialize_weights(module: nn.Module) -> None:
    """The paper's initial values, for ``model.apply``: convolutions from N(0, 0.02²), scales of
    batch norm from N(1, 0.02²), shifts 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Generator(nn.Module):
    """Noise (N, latent, 1, 1) → images (N, channels, size, size) with values from −1 to 1.

    A transposed convolution makes 4×4 places, each further one doubles them and halves the
    channels, down to ``features`` before the last.  ``size`` is a power of 2 from 8.

    >>> Generator(latent=10, features=4, channels=1, size=16)(pellucid.zeros(2, 10, 1, 1)).shape
    pellucid.Size([2, 1, 16, 16])
    """

    def __init__(
        self, latent: int = 100, features: int = 64, channels: int = 3, size: int = 64
    ) -> None:
        super().__init__()
        width = features * 2 ** (_doublings(size) - 1)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, width, 4, 1, 0, bias=False)]
        for _ in range(_doublings(size) - 1):
            layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False)]
            width //= 2
        layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
        layers += [nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(initialize_weights)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent, 1, 1) → (N, channels, size, size)."""
        return self.main(noise)


class Discriminator(nn.Module):
    """Images (N, channels, size, size) → a logit (N,) for each: positive means real.

    >>> Discriminator(features=4, channels=1, size=16)(pellucid.zeros(2, 1, 16, 16)).shape
    pellucid.Size([2])
    """

    def __init__(self, features: int = 64, channels: int = 3, size: int = 64) -> None:
        super().__init__()
        layers = [nn.Conv2d(channels, features, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
        for _ in range(_doublings(size) - 1):
            layers += [nn.Conv2d(features, 2 * features, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(2 * features), nn.LeakyReLU(0.2, True)]
            features *= 2
        layers += [nn.Conv2d(features, 1, 4, 1, 0, bias=False)]
        self.main = nn.Sequential(*layers)
        self.apply(initialize_weights)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, size, size) → (N,)."""
        return self.main(images).flatten()


def gan_step(
    generator: nn.Module,
    discriminator: nn.Module,
    generator_optimizer: Any,
    discriminator_optimizer: Any,
    real: Tensor,
    noise: Tensor,
) -> tuple[Tensor, Tensor]:
    """One step of each network; returns the discriminator's and the generator's loss before it.

    First the discriminator learns that ``real`` (N, C, H, W) is real and what the generator makes
    of ``noise`` (N, latent, 1, 1) is not; ``detach`` keeps this from the generator.  Then the
    generator learns to make the new discriminator say "real".  The paper's optimizer for both is
    Adam with learning rate 0.0002 and betas (0.5, 0.999).  May be compiled as a whole.
    """
    discriminator_optimizer.zero_grad()
    fake = generator(noise)
    on_real, on_fake = discriminator(real), discriminator(fake.detach())
    loss = F.binary_cross_entropy_with_logits(on_real, pellucid.ones_like(on_real))
    loss = loss + F.binary_cross_entropy_with_logits(on_fake, pellucid.zeros_like(on_fake))
    loss.backward()
    discriminator_optimizer.step()

    generator_optimizer.zero_grad()
    scores = discriminator(fake)
    generator_loss = F.binary_cross_entropy_with_logits(scores, pellucid.ones_like(scores))
    generator_loss.backward()
    generator_optimizer.step()
    return loss.detach(), generator_loss.detach()
