"""Convolutional networks on digits: a simple one, a deep one, and what happens when the pixels of
all images are shuffled in the same way.

    python examples/images/convolutions.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are learned.  The
networks are those of chapters 7 and 8 of "Deep Learning from Scratch" (Saitoh, 2016).
"""

import sys

import numpy as np

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.data.digit_images import digit_images
from pellucid.models import DeepConvNet, SimpleConvNet, mlp


def accuracy(scores, targets):
    """Share of images whose largest score is that of the right class."""
    return float((scores.argmax(axis=1) == targets).mean())


def learned(model, train, test, epochs, rate=1e-3, batch=100, every=1, falling=False):
    """Test accuracy after each epoch, or ``every`` so many, with Adam.

    ``falling`` lets the learning rate go to 0 along a cosine, which adds a tenth of a percent on
    MNIST.
    """
    found = []

    def measure(event):
        if event.kind == "epoch" and event.epoch % every == 0:
            found.append(event.trainer.evaluate(test)["metric"])

    optimizer = optim.Adam(model.parameters(), lr=rate)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs) if falling else None
    trainer = Trainer(
        model,
        "cross_entropy",
        optimizer,
        schedule=schedule,
        metric=accuracy,
        callbacks=[measure],
    )
    trainer.fit(train, epochs=epochs, batch_size=batch)
    return found


def shuffled(part, seed=3):
    """The same images with one fixed order of pixels for all of them, and that order."""
    images, classes = part
    order = np.random.default_rng(seed).permutation(images[0].size)
    return (images.reshape(len(images), -1)[:, order].reshape(images.shape), classes), order


def locality(train, test, epochs, rate=3e-3, batch=20):
    """Test accuracy on images as they are and shuffled, for a dense and a convolutional network.

    With its first weights in the same new order, the dense network computes the same sums, so that
    the order of pixels means nothing to it.  The convolutional one loses what it knew before it
    saw an image: which pixels are neighbours.
    """
    size = train[0].shape[-1]
    (mixed, order), (mixed_test, _) = shuffled(train), shuffled(test)
    found = {"dense": [], "convolutional": []}
    for parts in ((train, test), (mixed, mixed_test)):
        pellucid.manual_seed(0)
        layers = mlp(size**2, (64,), 10)
        if parts[0] is mixed:
            with pellucid.no_grad():
                layers[0].weight.copy_(layers[0].weight[:, pellucid.from_numpy(order)])
        dense = nn.Sequential(nn.Flatten(), *layers)
        found["dense"].append(learned(dense, *parts, epochs, rate, batch, epochs)[-1])
        pellucid.manual_seed(0)
        found["convolutional"].append(
            learned(DeepConvNet(size=size), *parts, epochs, rate, batch, epochs)[-1]
        )
    return found


def main(source="digits", epochs=20):
    """Run all; return the test accuracies."""
    train, test = digit_images(source)
    size = train[0].shape[-1]
    found = {}
    for kind in (SimpleConvNet, DeepConvNet):
        pellucid.manual_seed(0)
        found[kind.__name__] = learned(kind(size=size), train, test, epochs, falling=True)
        print(f"{kind.__name__:14s} test accuracy {found[kind.__name__][-1]:.4f}")
    few = (train[0][:300], train[1][:300])
    for name, (plain, mixed) in locality(few, test, 30).items():
        print(f"{name:14s} pixels in order {plain:.4f}, shuffled {mixed:.4f}")
        found[name] = [plain, mixed]
    return found


if __name__ == "__main__":
    main(*sys.argv[1:2])
