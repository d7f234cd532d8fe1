"""Systems for images: the networks and experiments of the courses, on MNIST.

The recipes are the programs of ``examples/images``.  References: "Deep Learning from Scratch"
(Saitoh, 2016; chapter and printed figure), its second volume (2018), where nothing else is named.
"""

from __future__ import annotations

import importlib.util
import tempfile
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


def convolutional(kind: str, printed: float, epochs: int) -> Any:
    def measure(quick: bool) -> Figure:
        import pellucid
        from pellucid import models

        train, test = few(3000) if quick else mnist()
        pellucid.manual_seed(0)
        found = recipe("images/convolutions").learned(
            getattr(models, kind)(), train, test, 2 if quick else epochs, falling=True
        )
        return Figure(f"{found[-1]:.2%} after {len(found)} epochs", found[-1] > printed - 0.0005)

    return measure


def locality(quick: bool) -> Figure:
    parts = few(2000) if quick else few(10_000, 10_000)
    found = recipe("images/convolutions").locality(*parts, 3 if quick else 6, 2e-3, 50)
    dense, local = found["dense"], found["convolutional"]
    text = "; ".join(f"{n} {a:.3f} → {b:.3f}" for n, (a, b) in found.items())
    same = abs(dense[0] - dense[1]) < 0.005
    return Figure(text, same and local[0] - local[1] > 0.015 and local[0] > dense[0])


# ---- without answers -----------------------------------------------------------------------------


def rows(quick: bool) -> Any:
    """Images as rows of pixels: known ones and new ones."""
    train, test = few(2000) if quick else mnist()
    return train[0].reshape(-1, 784), test[0].reshape(-1, 784)


def compression(quick: bool) -> Figure:
    found, _ = recipe("images/autoencoders").compression(*rows(quick), 16, 2 if quick else 15)
    return Figure(f"{found[1]:.4f}; components {found[0]:.4f}", found[1] < 0.6 * found[0])


def denoising(quick: bool) -> Figure:
    program = recipe("images/autoencoders")
    dirty, projected, cleaned = program.denoising(*rows(quick), 64, 1 if quick else 5, 1)[0]
    text = f"{cleaned:.4f}; noisy {dirty:.4f}, projection {projected:.4f}"
    return Figure(text, cleaned < 0.6 * projected)


def anomalies(quick: bool) -> Figure:
    program = recipe("images/autoencoders")
    parts = few(2000) if quick else mnist()
    unknown = (0,) if quick else (0, 2, 5, 8)
    found = {str(n): program.anomalies(*parts, 8, 2 if quick else 8, n)[0] for n in unknown}
    return Figure(listed(found), min(found.values()) > 0.75)


def variational(latent: int, reference: float) -> Any:
    def measure(quick: bool) -> Figure:
        program, (known, new) = recipe("images/vae"), rows(quick)
        model = program.learned(known, 400, latent, 1 if quick else 10, 128)
        error, divergence = program.nats(model, new)
        text = f"{error + divergence:.1f} = {error:.1f} + {divergence:.1f}"
        return Figure(text, error + divergence < 1.01 * reference)

    return measure


def adversarial(quick: bool) -> Figure:
    import pellucid

    program, (train, _) = recipe("images/dcgan"), few(2000) if quick else mnist()
    pellucid.manual_seed(0)
    generator, _ = program.train(train[0], 1 if quick else 5, 32)
    drawn = program.made(generator, 1000).numpy()
    found = program.mode_coverage((program.framed(train[0]) + 1) / 2, drawn)
    dense = recipe("images/dense")
    judge = dense.mlp(784, (100,), 10)
    dense.learn(judge, dense.optim.Adam(judge.parameters()), *train, 300 if quick else 3000, 100)
    with pellucid.no_grad():
        named = judge(pellucid.from_numpy(drawn[:, :, 2:-2, 2:-2].reshape(-1, 784).copy()))
    shares = np.bincount(named.numpy().argmax(1), minlength=10) / len(drawn)
    text = f"{(shares > 0.03).sum()} of 10 digits; {found}"
    return Figure(text, not found.collapsed and bool((shares > 0.03).all()))


def groups(quick: bool) -> Figure:
    from sklearn.cluster import KMeans

    from pellucid.models import kmeans

    points, classes = rows(quick)[0][:5000], mnist()[0][1][:5000]
    ours = kmeans(points[: len(points)], 10, starts=4)
    theirs = KMeans(10, n_init=4, random_state=0).fit(points)
    share = recipe("images/clusters").purity(ours.labels, classes[: len(points)])
    ratio = ours.spread / theirs.inertia_
    return Figure(f"{ratio:.4f} of scikit-learn's; purity {share:.3f}", ratio < 1.01)


def maps(quick: bool) -> Figure:
    program, count = recipe("images/clusters"), 500 if quick else 2500
    points, classes = rows(quick)[0][:count], mnist()[0][1][:count]
    found = {n: program.neighbour(p, classes) for n, p in program.maps(points).items()}
    return Figure(listed(found), min(found["t-SNE"], found["UMAP"]) > 0.9)


# ---- other data ----------------------------------------------------------------------------------


def tuning(quick: bool) -> Figure:
    source = "digits" if quick else data_folder("mnist")
    found = recipe("images/fine_tuning").main(source, seeds=1 if quick else 3)
    nothing, head, slowly = found.values()
    return Figure(listed(found), min(head, slowly) > nothing + 0.1)


def colours(quick: bool) -> Figure:
    with tempfile.TemporaryDirectory() as place:
        right, share = recipe("images/shapes").main(place, 60 if quick else 200)
    return Figure(f"{right:.1%}; looked at {share:.0%}", right > 0.97 and share > 0.8)


def sine(quick: bool) -> Figure:
    found = recipe("noisy_sine").main(10 if quick else 100)
    return Figure(listed(found, 6), max(found["RNN"], found["LSTM"]) < 0.0005)


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
    System(
        "SimpleConvNet",
        "test 98.96 %, 20 epochs (ch. 7)",
        convolutional("SimpleConvNet", 0.9896, 20),
    ),
    System(
        "DeepConvNet", "test 99.38 %, 20 epochs (ch. 8)", convolutional("DeepConvNet", 0.9938, 12)
    ),
    System("shuffled pixels", "dense equal, convolutional lower", locality),
    System("autoencoder, 16 numbers", "below principal components", compression),
    System("denoising autoencoder", "below every projection", denoising),
    System("anomalies: a digit never seen", "area above one half", anomalies),
    System("VAE, 2 numbers", "−ELBO 153.3 (PyTorch, measured)", variational(2, 153.3)),
    System("VAE, 20 numbers", "−ELBO 105.5 (PyTorch, measured)", variational(20, 105.5)),
    System("DCGAN", "all digits, no collapse", adversarial),
    System("k-means", "scikit-learn's spread", groups),
    System("maps of digits", "t-SNE keeps digits apart", maps),
    System("fine-tuning, 20 images", "above a new network", tuning),
    System(
        "colour pictures in a folder", "shapes told apart, and looked at (chance 50 %)", colours
    ),
    System("noisy sine, RNN and LSTM", "cosine below the noise, .00083 (volume 3)", sine),
]
