"""Variational autoencoder: learns to draw images like those it has seen.

Kingma and Welling, "Auto-Encoding Variational Bayes" (2013).  Layers have the names of PyTorch's
example.
"""

from __future__ import annotations

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError


class VAE(nn.Module):
    """Squeezes each image into a cloud of ``latent`` numbers and draws it again from a point of it.

    Images (N, pixels), values from 0 to 1, → logits of the pixels (N, pixels), mean and logarithm
    of the variance of the cloud (N, latent).  A new image is ``decode`` of normal numbers.

    >>> model = VAE(pixels=64, hidden=32, latent=2)
    >>> [part.shape for part in model(pellucid.zeros(5, 64))]
    [pellucid.Size([5, 64]), pellucid.Size([5, 2]), pellucid.Size([5, 2])]
    """

    def __init__(self, pixels: int = 784, hidden: int = 400, latent: int = 20) -> None:
        super().__init__()
        self.latent = latent
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, each (N, latent), of images (N, pixels)."""
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z: Tensor) -> Tensor:
        """Logits of the pixels (N, pixels); their sigmoid is the image.  ``z`` is (N, latent)."""
        return self.fc4(F.relu(self.fc3(z)))

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, mean and logarithm of the variance; ``noise`` as in ``reparametrize``."""
        mean, log_variance = self.encode(x)
        return self.decode(reparametrize(mean, log_variance, noise)), mean, log_variance

    def manifold(self, count: int = 15) -> Tensor:
        """What the decoder draws over the plane of its first two numbers, the others being 0:
        pixels from 0 to 1 (count², pixels), line by line from the top left.

        Along each axis the places divide the standard normal distribution into ``count`` equal
        shares, so that they lie where images do.
        """
        if count < 1 or self.latent < 2:
            raise ArgumentError(
                f"manifold({count}) of {self.latent} latent numbers",
                "Use a count from 1 up, and a model with at least 2 latent numbers.",
            )
        with pellucid.no_grad():
            shares = (pellucid.arange(count) + 0.5) / count
            places = pellucid.special.ndtri(shares)
            z = pellucid.zeros(count**2, self.latent)
            z[:, 0] = places.repeat(count)
            z[:, 1] = -places.repeat_interleave(count)
            return self.decode(z).sigmoid()


def reparametrize(mean: Tensor, log_variance: Tensor, noise: Tensor | None = None) -> Tensor:
    """A point of the cloud: mean + exp(½ log variance) · noise.

    The chance is in ``noise`` (standard normal numbers of the shape of ``mean``, drawn unless
    given), so mean and variance have gradients.  exp(½ log variance) is the standard deviation;
    exp(log variance), often seen in its place, would be the variance.
    """
    noise = pellucid.randn_like(mean) if noise is None else noise
    return mean + pellucid.exp(0.5 * log_variance) * noise


def negative_elbo(
    logits: Tensor, x: Tensor, mean: Tensor, log_variance: Tensor
) -> tuple[Tensor, Tensor]:
    """Reconstruction error and divergence, in nats for each image; their sum is minimized.

    The error is the cross-entropy of the pixels ``x`` (N, pixels), summed over an image.  The
    divergence of the cloud from a standard normal one is
    KL = −½ Σ (1 + log σ² − μ² − σ²).  Minus their sum is a lower bound of log p(x) (the ELBO).
    """
    rows = x.shape[0]
    error = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / rows
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum() / rows
    return error, divergence
