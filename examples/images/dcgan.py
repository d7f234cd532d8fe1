"""Digits that nobody wrote: a DCGAN, and whether it makes all kinds of digits or only a few.

    python examples/images/dcgan.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are learned.  Writes
generated.png.
"""

import sys
from pathlib import Path

import numpy as np

import pellucid
from pellucid import optim
from pellucid.data.digit_images import digit_images
from pellucid.models import Discriminator, Generator, gan_step, mode_coverage
from pellucid.vision.utils import save_image

LATENT = 62


def framed(images):
    """Values from −1 to 1, with a border that makes the size a power of 2: 28 → 32."""
    size = images.shape[-1]
    border = (2 ** int(np.ceil(np.log2(size))) - size) // 2
    return np.pad(2 * images - 1, ((0, 0), (0, 0), (border,) * 2, (border,) * 2), mode="edge")


def train(images, epochs, features, batch=128, rate=2e-4):
    """The generator after so many epochs, and the losses (steps, 2)."""
    real = pellucid.from_numpy(framed(images))
    generator = Generator(LATENT, features, 1, real.shape[-1])
    discriminator = Discriminator(features, 1, real.shape[-1])
    optimizers = [
        optim.Adam(model.parameters(), lr=rate, betas=(0.5, 0.999))
        for model in (generator, discriminator)
    ]

    @pellucid.compile
    def step(rows):
        noise = pellucid.randn(batch, LATENT, 1, 1)
        return pellucid.stack(gan_step(generator, discriminator, *optimizers, real[rows], noise))

    random, losses = np.random.default_rng(0), []
    steps = len(images) // batch
    for _ in range(epochs):
        rows = random.permutation(len(images))[: steps * batch].reshape(steps, batch)
        losses.append(step.many(steps, pellucid.from_numpy(rows)).numpy())
    return generator, np.concatenate(losses)


def made(generator, count):
    """So many images (count, 1, size, size) with values from 0 to 1."""
    generator.eval()
    with pellucid.no_grad():
        images = generator(pellucid.randn(count, LATENT, 1, 1))
    generator.train()
    return (images + 1) / 2


def main(source="digits", folder=".", epochs=None):
    """Train, draw; return how various the generated images are beside the real ones."""
    pellucid.manual_seed(0)
    (images, _), _ = digit_images(source)
    small = images.shape[-1] == 8
    generator, losses = train(images, epochs or (80 if small else 5), 32, 50 if small else 128)
    drawn = made(generator, 1000)
    save_image(drawn[:100], Path(folder) / "generated.png", nrow=10)
    found = mode_coverage((framed(images) + 1) / 2, drawn.numpy())
    end = losses[-50:].mean(0)
    print(f"losses: discriminator {end[0]:.2f}, generator {end[1]:.2f}; {found}")
    return found


if __name__ == "__main__":
    main(*sys.argv[1:2])
