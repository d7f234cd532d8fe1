"""Dense networks and digits: activation, optimizer, first weights, batch normalization.

    python examples/images/dense.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are learned.  The
experiments are those of chapters 4 to 6 of "Deep Learning from Scratch" (Saitoh, 2016).
"""

import sys

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim
from pellucid.data.digit_images import digit_images
from pellucid.models import mlp

FOUR_LAYERS = (100,) * 4


def learn(model, optimizer, images, classes, steps, batch):
    """So many steps on batches drawn at random; the loss of each step (steps,)."""
    x = pellucid.from_numpy(images.reshape(len(images), -1))
    y = pellucid.from_numpy(classes)

    @pellucid.compile
    def step(rows):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        return loss.detach()

    rows = np.random.default_rng(4).integers(0, len(images), (steps, batch))
    return step.many(steps, pellucid.from_numpy(rows)).numpy()


def accuracy(model, images, classes):
    """Share of images whose class is found."""
    with pellucid.no_grad():
        scores = model(pellucid.from_numpy(images.reshape(len(images), -1)))
    return float((scores.numpy().argmax(1) == classes).mean())


def start(model, deviation=None):
    """Weights from N(0, deviation²), by default of variance 1/inputs; biases 0."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, deviation or layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
    return model


def two_layers(train, test, activation="relu", steps=10_000):
    """Chapters 4 and 5: 50 hidden units, plain gradient descent; the test accuracy."""
    model = start(mlp(train[0][0].size, (50,), 10, activation), 0.01)
    learn(model, optim.SGD(model.parameters(), lr=0.1), *train, steps, 100)
    return accuracy(model, *test)


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.01),
    "momentum": lambda p: optim.SGD(p, lr=0.01, momentum=0.9),
    "AdaGrad": lambda p: optim.Adagrad(p, lr=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.001),
}


def optimizers(train, steps=2000):
    """Chapter 6: the loss that each optimizer ends with, mean of the last 100 steps."""
    found = {}
    for name, make in OPTIMIZERS.items():
        pellucid.manual_seed(0)
        model = mlp(train[0][0].size, FOUR_LAYERS, 10)
        found[name] = learn(model, make(model.parameters()), *train, steps, 128)[-100:].mean()
    return found


def initializations(train, steps=2000):
    """Chapter 6: the same network with SGD, from three kinds of first weights."""
    found = {}
    for name in ("0.01", "1/√inputs", "He"):
        pellucid.manual_seed(0)
        model = mlp(train[0][0].size, FOUR_LAYERS, 10)  # He's weights
        if name != "He":
            start(model, 0.01 if name == "0.01" else None)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        found[name] = learn(model, optimizer, *train, steps, 128)[-100:].mean()
    return found


def normalization(train, scales, steps=200):
    """Chapter 6: accuracy on the 1000 training images without and with batch normalization, for
    each deviation of the first weights.  Measured with the statistics of the images at hand."""
    images, classes = train[0][:1000], train[1][:1000]
    found = []
    for deviation in scales:
        pair = []
        for normalized in (False, True):
            layers, before = [], images[0].size
            for _ in range(5):
                layers.append(nn.Linear(before, 100))
                layers += [nn.BatchNorm1d(100)] * normalized + [nn.ReLU()]
                before = 100
            pellucid.manual_seed(0)
            model = start(nn.Sequential(*layers, nn.Linear(100, 10)), float(deviation))
            learn(model, optim.SGD(model.parameters(), lr=0.01), images, classes, steps, 100)
            pair.append(accuracy(model, images, classes))
        found.append(tuple(pair))
    return found


def main(source="digits", steps=2000):
    """Run all; return what each experiment found."""
    train, test = digit_images(source)
    nets = {name: two_layers(train, test, name, 5 * steps) for name in ("sigmoid", "relu")}
    losses, starts = optimizers(train, steps), initializations(train, steps)
    scales = np.logspace(0, -4, 16)
    pairs = normalization(train, scales, steps // 10)
    print("50 hidden units, test accuracy: ", {n: round(a, 4) for n, a in nets.items()})
    print(f"loss after {steps} steps by optimizer and by first weights:")
    print("  " + ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))
    print("  " + ", ".join(f"{name} {loss:.3f}" for name, loss in starts.items()))
    print("deviation of the first weights, accuracy without and with batch normalization:")
    for deviation, (plain, normalized) in zip(scales, pairs, strict=True):
        print(f"  {deviation:8.5f}   {plain:.3f}   {normalized:.3f}")
    return nets, losses, starts, pairs


if __name__ == "__main__":
    main(*sys.argv[1:2])
