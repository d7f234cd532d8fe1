"""An autoencoder: learns to describe its input by a few numbers, without being told which."""

from __future__ import annotations

from pellucid import Tensor, nn


class Autoencoder(nn.Module):
    """Squeezes features to ``latent`` numbers and makes the features of them again.

    (N, features) → (N, features), to be compared with the input (``mse_loss``).  ``encode`` and
    ``decode`` are the halves.  With ``hidden=None`` both are one linear layer, and the best they
    can do is what principal components do; a hidden layer with ReLU bends the plane.
    (Hinton and Salakhutdinov, 2006.)

    >>> import pellucid
    >>> model = Autoencoder(features=64, latent=2)
    >>> model(pellucid.zeros(5, 64)).shape, model.encode(pellucid.zeros(5, 64)).shape
    (pellucid.Size([5, 64]), pellucid.Size([5, 2]))
    """

    def __init__(self, features: int, latent: int, hidden: int | None = 128) -> None:
        super().__init__()
        if hidden is None:
            self.encoder: nn.Module = nn.Linear(features, latent)
            self.decoder: nn.Module = nn.Linear(latent, features)
            return
        self.encoder = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, features)
        )

    def encode(self, x: Tensor) -> Tensor:
        """(N, features) → (N, latent)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(N, latent) → (N, features)."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features) → (N, features)."""
        return self.decode(self.encode(x))
