"""Over-fitting and what helps: weight decay, dropout, more data; and a search for settings.

    python examples/images/overfitting.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are learned.  The
experiments are those of chapter 6 of "Deep Learning from Scratch" (Saitoh, 2016): a network of
seven layers that sees a few hundred images learns them by heart.
"""

import sys

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.data.digit_images import digit_images
from pellucid.models import mlp
from pellucid.training.search import LogUniform, search


def accuracy(scores, targets):
    """Share of rows whose largest score is that of the right class."""
    return float((scores.argmax(axis=1) == targets).mean())


def flat(part, rows=None):
    """Images as rows of pixels, and their classes."""
    images, classes = part
    return images[:rows].reshape(len(images[:rows]), -1), classes[:rows]


def network(pixels, dropout=0.0):
    """Six hidden layers of 100 units; He's weights in all layers."""
    model = mlp(pixels, (100,) * 6, 10, dropout=dropout)
    nn.init.kaiming_normal_(model[-1].weight, nonlinearity="relu")
    return model


def decayed(model, rate, decay):
    """Plain gradient descent; the penalty ½·decay·Σw² counts weights and no biases."""
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases}]
    return optim.SGD(groups, lr=rate)


def learned(train, test, images=300, epochs=201, decay=0.0, dropout=0.0):
    """Accuracy on the images that were learned from, and on new ones."""
    few, new = flat(train, images), flat(test)
    pellucid.manual_seed(0)
    model = network(few[0].shape[1], dropout)
    optimizer = decayed(model, 0.01, decay)
    trainer = Trainer(model, "cross_entropy", optimizer, metric=accuracy)
    trainer.fit(few, epochs=epochs, batch_size=100)
    return trainer.evaluate(few)["metric"], trainer.evaluate(new)["metric"]


def by_data(train, test, sizes, steps=600):
    """Test accuracy of one network after equally many steps on so many images."""
    new, found = flat(test), []
    for size in sizes:
        few = flat(train, size)
        pellucid.manual_seed(0)
        model = mlp(few[0].shape[1], (64,), 10)
        optimizer = optim.Adam(model.parameters(), lr=3e-3)
        trainer = Trainer(model, "cross_entropy", optimizer, metric=accuracy)
        batch = min(100, len(few[0]))
        trainer.fit(few, epochs=-(-steps * batch // len(few[0])), batch_size=batch)
        found.append(trainer.evaluate(new)["metric"])
    return found


def settings(train, trials=100, epochs=50):
    """Learning rate and weight decay by chance: 400 images to learn from, 100 to choose by."""
    known, held = flat(train, 500), slice(400, 500)

    def build(chosen):
        model = network(known[0].shape[1])
        optimizer = decayed(model, chosen["rate"], chosen["decay"])
        return Trainer(model, "cross_entropy", optimizer, metric=accuracy)

    space = {"rate": LogUniform(1e-6, 1e-2), "decay": LogUniform(1e-8, 1e-4)}
    parts = [tuple(values[rows] for values in known) for rows in (slice(400), held)]
    return search(build, space, *parts, trials=trials, sampler="random", epochs=epochs)


def main(source="digits", epochs=201, trials=20):
    """Run all; return what each experiment found."""
    train, test = digit_images(source)
    found = {
        "nothing": learned(train, test, epochs=epochs),
        "weight decay 0.1": learned(train, test, epochs=epochs, decay=0.1),
        "dropout 0.2": learned(train, test, epochs=3 * epochs // 2, dropout=0.2),
    }
    print("300 images          known    new    gap")
    for name, (known, new) in found.items():
        print(f"{name:18s}  {known:.3f}  {new:.3f}  {known - new:.3f}")
    sizes = [size for size in (100, 300, 1000, 10_000, 60_000) if size <= len(train[0])]
    curve = by_data(train, test, sizes)
    shown = (f"{size}: {right:.3f}" for size, right in zip(sizes, curve, strict=True))
    print("images → accuracy on new ones:", *shown)
    ranked = settings(train, trials)
    print(ranked)
    return found, curve, ranked


if __name__ == "__main__":
    main(*sys.argv[1:2])
