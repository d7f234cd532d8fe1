"""Systems for images: the networks and experiments of the courses, on MNIST.

The recipes are the programs of ``examples/images``.  References: "Deep Learning from Scratch"
(Saitoh, 2016; chapter and printed figure), its second volume (2018), where nothing else is named.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from systems import Figure, System, data_folder

EXAMPLES = Path(__file__).parents[1] / "examples"


@cache
def recipe(name: str) -> ModuleType:
    """The program of that name in ``examples``."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, EXAMPLES / f"{name}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{EXAMPLES} has no program {name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def mnist() -> Any:
    """Images and classes to learn from, and to test on."""
    from pellucid.data.digit_images import digit_images

    return digit_images(data_folder("mnist"))


def few(rows: int, held: int = 1000) -> Any:
    """So many images of each part."""
    train, test = mnist()
    return (train[0][:rows], train[1][:rows]), (test[0][:held], test[1][:held])


def listed(found: Mapping[str, float], digits: int = 3) -> str:
    """Names with numbers."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in found.items())


# ---- dense networks ------------------------------------------------------------------------------


def two_layers(activation: str, printed: float) -> Any:
    def measure(quick: bool) -> Figure:
        train, test = mnist()
        steps = 1000 if quick else 10_000
        found = recipe("images/dense").two_layers(train, test, activation, steps)
        return Figure(f"{found:.4f}", found > printed - 0.006)

    return measure


def optimizers(quick: bool) -> Figure:
    found = recipe("images/dense").optimizers(mnist()[0], 300 if quick else 2000)
    worst = max(found, key=lambda name: found[name])
    return Figure(listed(found), worst == "SGD" and sum(found.values()) < 0.6)


def initializations(quick: bool) -> Figure:
    found = recipe("images/dense").initializations(mnist()[0], 300 if quick else 2000)
    nothing, own, he = found.values()
    return Figure(listed(found), bool(nothing > 2.29 and he < own < 0.6))


def normalization(quick: bool) -> Figure:
    scales = np.logspace(0, -4, 16)[7:8] if quick else np.logspace(0, -4, 16)
    pairs = recipe("images/dense").normalization(mnist()[0], scales)
    plain, normalized = pairs[0] if quick else pairs[7]
    ahead = sum(b > a for a, b in pairs)
    text = f"{normalized:.3f} with, {plain:.3f} without; ahead at {ahead} of {len(pairs)}"
    return Figure(text, normalized > 0.99 and plain < 0.2 and ahead >= 13)


def decay(quick: bool) -> Figure:
    learned = recipe("images/overfitting").learned
    known, new = learned(*mnist(), epochs=40 if quick else 201, decay=0.1)
    return Figure(f"{known:.3f} / {new:.3f}", known < 0.97 and new > 0.68)


def dropout(quick: bool) -> Figure:
    learned = recipe("images/overfitting").learned
    known, new = learned(*mnist(), epochs=40 if quick else 301, dropout=0.2)
    return Figure(f"{known:.3f} / {new:.3f}", known < 1.0 and new > 0.54)


def gap(quick: bool) -> Figure:
    known, new = recipe("images/overfitting").learned(*mnist(), epochs=40 if quick else 201)
    return Figure(f"{known:.3f} / {new:.3f}", known == 1.0 and known - new > 0.18)


def settings(quick: bool) -> Figure:
    found = recipe("images/overfitting").settings(mnist()[0], trials=5 if quick else 100)
    best = max((trial.metric for trial in found.trials if trial.metric is not None), default=0.0)
    rates = sorted(trial.settings["rate"] for trial in found.trials[:3])
    text = f"{best:.2f}; best three rates {rates[0]:.4f} to {rates[-1]:.4f}"
    return Figure(text, best >= 0.80 and rates[0] > 0.004)


def by_data(quick: bool) -> Figure:
    sizes = (100, 1000) if quick else (100, 1000, 10_000, 60_000)
    found = recipe("images/overfitting").by_data(*mnist(), sizes)
    text = ", ".join(f"{size:,}: {value:.3f}" for size, value in zip(sizes, found, strict=True))
    return Figure(text, found == sorted(found))


def spirals(quick: bool) -> Figure:
    loss, right = recipe("three_spirals").main(60 if quick else 300)
    return Figure(f"{loss:.3f}, {right:.1%} right", loss < 0.16)


# ---- convolutional networks ----------------------------------------------------------------------


def convolutional(kind: str, printed: float) -> Any:
    def measure(quick: bool) -> Figure:
        import pellucid
        from pellucid import models

        train, test = few(3000) if quick else mnist()
        pellucid.manual_seed(0)
        found = recipe("images/convolutions").learned(
            getattr(models, kind)(), train, test, 2 if quick else 20
        )
        end, tail = found[-1], statistics.mean(found[-5:])
        return Figure(f"{end:.2%} (last five epochs {tail:.2%})", end > printed - 0.0005)

    return measure


def locality(quick: bool) -> Figure:
    parts = few(2000) if quick else few(10_000, 10_000)
    found = recipe("images/convolutions").locality(*parts, 3 if quick else 6, 2e-3, 50)
    dense, local = found["dense"], found["convolutional"]
    text = "; ".join(f"{n} {a:.3f} → {b:.3f}" for n, (a, b) in found.items())
    same = abs(dense[0] - dense[1]) < 0.005
    return Figure(text, same and local[0] - local[1] > 0.015 and local[0] > dense[0])


SYSTEMS = [
    System("784-50-10, sigmoid", "test .9465 (ch. 4)", two_layers("sigmoid", 0.9465)),
    System("784-50-10, ReLU", "test .969 (ch. 5)", two_layers("relu", 0.969)),
    System(
        "optimizers",
        "loss of one batch: SGD .150, momentum .050, AdaGrad .016, Adam .032 (ch. 6)",
        optimizers,
    ),
    System(
        "first weights",
        "loss of one batch: 0.01 2.305, 1/√n .377, He .286 (ch. 6)",
        initializations,
    ),
    System(
        "batch normalization",
        "scale #8 of 16: 1.000 with, .116 without; ahead at 14 of 16 (ch. 6)",
        normalization,
    ),
    System("300 images, over-fitted", "known 1.000, gap (ch. 6)", gap),
    System("weight decay", "known .927 / new .721 (ch. 6)", decay),
    System("dropout", "known .67 / new .548 (ch. 6)", dropout),
    System("search for settings", "best .84, rates .008 to .010 (ch. 6)", settings),
    System("more data", "rises with 100 … 60,000 images", by_data),
    System("three spirals, 2-10-3", "loss .11 (volume 2, ch. 1)", spirals),
    System("SimpleConvNet", "test 98.96 % (ch. 7)", convolutional("SimpleConvNet", 0.9896)),
    System("DeepConvNet", "test 99.38 % (ch. 8)", convolutional("DeepConvNet", 0.9938)),
    System("shuffled pixels", "dense equal, convolutional lower", locality),
]
