"""An autoencoder: learns to describe its input by a few numbers, without being told which."""

from __future__ import annotations

import pellucid
from pellucid import Tensor, nn, no_grad
from pellucid.base.errors import ShapeError


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


def reconstruction_error(model: nn.Module, x: Tensor, batch: int = 1000) -> Tensor:
    """The mean squared difference between each input and what ``model`` makes of it: (N, …) → (N,).

    What a model has learned to make again it makes well; a large error says that something is
    unlike all it has seen.  Computed in evaluation mode, without gradients, ``batch`` rows at a
    time.  A model that returns a tuple, as ``VAE`` does, is taken by the sigmoid of its first part.
    """
    training = model.training
    model.eval()
    try:
        with no_grad():
            parts = [_errors(model, x[i : i + batch]) for i in range(0, len(x), batch)]
    finally:
        model.train(training)
    return pellucid.cat(parts) if parts else pellucid.zeros(0)


def _errors(model: nn.Module, x: Tensor) -> Tensor:
    made = model(x)
    if isinstance(made, tuple):
        made = made[0].sigmoid()
    if made.shape != x.shape:
        raise ShapeError(
            f"the model makes {tuple(made.shape)} of inputs {tuple(x.shape)}",
            "Use a model that returns what it was given, such as an autoencoder.",
        )
    error: Tensor = ((made - x) ** 2).flatten(1).mean(1)
    return error
