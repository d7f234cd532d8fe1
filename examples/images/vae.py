"""A variational autoencoder: what lies between one digit and another.

    python examples/images/vae.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are learned.  Writes
manifold.png: what the decoder draws at 15×15 places of the plane that the images were laid out on.
"""

import sys
from pathlib import Path

import pellucid
from pellucid import Trainer, optim
from pellucid.data.digit_images import digit_images
from pellucid.models import VAE, negative_elbo
from pellucid.vision.utils import save_image


def loss(outputs, images):
    """−ELBO: reconstruction error plus divergence, nats an image."""
    logits, mean, log_variance = outputs
    error, divergence = negative_elbo(logits, images, mean, log_variance)
    return error + divergence


def learned(images, hidden, latent, epochs, batch=100):
    """The model after so many epochs with Adam."""
    pellucid.manual_seed(0)
    model = VAE(images.shape[1], hidden, latent)
    trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=1e-3))
    trainer.fit((images, images), epochs=epochs, batch_size=batch)
    return model


def nats(model, images):
    """Error and divergence on images, in nats for each."""
    model.eval()
    with pellucid.no_grad():
        x = pellucid.from_numpy(images)
        logits, mean, log_variance = model(x)
        return [float(part) for part in negative_elbo(logits, x, mean, log_variance)]


def main(source="digits", folder=".", epochs=None):
    """Train, draw; return reconstruction error and divergence on new images."""
    train, test = digit_images(source)
    known, new = (part[0].reshape(len(part[0]), -1) for part in (train, test))
    small = len(known) < 10_000
    model = learned(known, 128 if small else 400, 2, epochs or (100 if small else 10))
    error, divergence = nats(model, new)
    print(f"−ELBO of new images {error + divergence:.2f} nats: "
          f"error {error:.2f} + divergence {divergence:.2f}")  # fmt: skip
    pictures = model.manifold(15).reshape(-1, 1, *train[0].shape[2:])
    save_image(pictures, Path(folder) / "manifold.png", nrow=15, padding=1)
    return error, divergence


if __name__ == "__main__":
    main(*sys.argv[1:2])
