"""Autoencoders: few numbers instead of many pixels, noise taken away, and images that are unlike
all that was learned.

    python examples/images/autoencoders.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are learned.  Writes
reconstructions.png (images, principal components, autoencoder), denoised.png (noisy, cleaned) and
anomalies.png (the images that are made worst).
"""

import sys
from pathlib import Path

import numpy as np

import pellucid
from pellucid import Trainer, optim
from pellucid.data.digit_images import digit_images
from pellucid.models import Autoencoder, principal_components, reconstruction_error
from pellucid.vision.utils import save_image


def flat(images):
    """Images as rows of pixels (N, pixels)."""
    return images.reshape(len(images), -1)


def learned(images, targets, latent, epochs, hidden=128, rate=3e-3):
    """An autoencoder that makes ``targets`` of ``images``."""
    pellucid.manual_seed(0)
    model = Autoencoder(images.shape[1], latent, hidden)
    trainer = Trainer(model, "mse_loss", optim.Adam(model.parameters(), lr=rate))
    trainer.fit((images, targets), epochs=epochs, batch_size=50)
    return model


def made(model, images):
    """What the model makes of images."""
    with pellucid.no_grad():
        return model(pellucid.from_numpy(images)).numpy()


def compression(known, new, latent, epochs):
    """Mean squared error on new images of principal components and of an autoencoder, both with
    ``latent`` numbers an image, and what both make of the images."""
    linear = principal_components(known, latent)
    by_lines = linear.inverse(linear.transform(new)).astype(np.float32)
    by_network = made(learned(known, known, latent, epochs), new)
    return [((found - new) ** 2).mean() for found in (by_lines, by_network)], (by_lines, by_network)


def noisy(images, deviation=0.4, seed=1):
    """Images with normal noise on each pixel."""
    noise = np.random.default_rng(seed).normal(0, deviation, images.shape)
    return (images + noise).astype(np.float32)


def denoising(known, new, latent, epochs, copies=4):
    """Mean squared error of noisy images, of the best of all projections on principal components,
    and of an autoencoder that learned to take noise away; the noisy and the cleaned images.
    (Vincent and others, 2008.)"""
    many = np.concatenate([noisy(known, seed=2 + i) for i in range(copies)])
    model = learned(many, np.tile(known, (copies, 1)), latent, epochs, 256)
    dirty = noisy(new)
    cleaned = made(model, dirty)
    directions = principal_components(known, min(known.shape)).directions
    mean, projected = known.mean(0), []
    for count in range(1, len(directions), 3):
        part = directions[:count]
        projected.append(((((dirty - mean) @ part.T) @ part + mean - new) ** 2).mean())
    return [((dirty - new) ** 2).mean(), min(projected), ((cleaned - new) ** 2).mean()], (
        dirty,
        cleaned,
    )


def anomalies(train, test, latent, epochs, unknown=0):
    """An autoencoder that never saw one digit: how surely its error tells that digit from the
    others, as the chance that an unknown image has the larger error (area under the curve)."""
    model = learned(flat(train[0][train[1] != unknown]), flat(train[0][train[1] != unknown]),
                    latent, epochs)  # fmt: skip
    errors = reconstruction_error(model, pellucid.from_numpy(flat(test[0]))).numpy()
    strange, usual = errors[test[1] == unknown], errors[test[1] != unknown]
    area = (strange[:, None] > usual).mean() + 0.5 * (strange[:, None] == usual).mean()
    return float(area), errors


def main(source="digits", folder=".", epochs=None):
    """Run all, draw; return the errors, and the area under the curve."""
    train, test = digit_images(source)
    known, new = flat(train[0]), flat(test[0])
    small = len(known) < 10_000
    latent, epochs = (3, epochs or 60) if small else (16, epochs or 10)
    shape = (-1, 1, *train[0].shape[2:])
    place = Path(folder)

    def draw(name, *rows):
        first = np.concatenate([row[:10] for row in rows]).reshape(shape).clip(0, 1)
        save_image(pellucid.from_numpy(first), place / name, nrow=10)

    found, kinds = compression(known, new, latent, epochs)
    draw("reconstructions.png", new, *kinds)
    print(f"{latent} numbers an image: error of principal components {found[0]:.4f}, "
          f"of an autoencoder {found[1]:.4f}")  # fmt: skip
    cleaned, kinds = denoising(known, new, 4 * latent, max(1, epochs // 2))
    draw("denoised.png", *kinds)
    print(f"noise: error {cleaned[0]:.4f}, after the best projection {cleaned[1]:.4f}, "
          f"after the autoencoder {cleaned[2]:.4f}")  # fmt: skip
    area, errors = anomalies(train, test, latent, epochs)
    draw("anomalies.png", new[np.argsort(-errors)])
    print(f"a digit that was never seen has the larger error in {area:.1%} of all pairs")
    return found, cleaned, area


if __name__ == "__main__":
    main(*sys.argv[1:2])
