"""Experiments of the first book (深度学习入门 / Deep Learning from Scratch), by the programs of
``examples/images``: on the 8×8 digits that every machine has, and on MNIST where it is given.

The printed figures come from other random numbers; a test allows the difference that these make
and holds the order of what is compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from examples.programs import load
from pellucid.data.digit_images import Labelled, digit_images
from pellucid.models import DeepConvNet, SimpleConvNet

Parts = tuple[Labelled, Labelled]
dense, overfitting, convolutions = (
    load(f"images/{name}") for name in ("dense", "overfitting", "convolutions")
)


@pytest.fixture(scope="module")
def digits() -> Parts:
    return digit_images()


@pytest.fixture(scope="module")
def mnist(data_folder: Path) -> Parts:
    return digit_images(data_folder / "mnist")


def first(part: Labelled, rows: int) -> Labelled:
    return part[0][:rows], part[1][:rows]


# ---- chapters 4 and 5 ----------------------------------------------------------------------------


def test_two_layers_on_digits(digits: Parts) -> None:
    assert min(dense.two_layers(*digits, name, 4000) for name in ("sigmoid", "relu")) > 0.95


@pytest.mark.parametrize(
    ("activation", "printed"), [("sigmoid", 0.9465), ("relu", 0.969)], ids=["ch4", "ch5"]
)
def test_two_layers_on_mnist(mnist: Parts, activation: str, printed: float) -> None:
    assert dense.two_layers(*mnist, activation) == pytest.approx(printed, abs=0.006)


# ---- chapter 6 -----------------------------------------------------------------------------------


def test_D48_B19_optimizers_compared_on_digits(digits: Parts) -> None:
    found = dense.optimizers(digits[0], 600)
    assert found["SGD"] > 5 * max(found["momentum"], found["AdaGrad"], found["Adam"]), found


def test_D48_B19_optimizers_compared_on_mnist(mnist: Parts) -> None:
    found = dense.optimizers(mnist[0])
    assert max(found, key=lambda name: found[name]) == "SGD"
    printed = {"SGD": 0.150, "momentum": 0.050, "AdaGrad": 0.016, "Adam": 0.032}
    for name, value in printed.items():
        assert value / 3 < found[name] < 3 * value + 0.05, found


def test_B19_initializations_compared_on_digits(digits: Parts) -> None:
    """From deviation 0.01 nothing is learned; 1/√inputs works, and He's weights work better."""
    nothing, own, he = dense.initializations(digits[0], 1000).values()
    assert nothing > 2.29 and 1.2 * he < own < 1.0, (nothing, own, he)


def test_B19_initializations_compared_on_mnist(mnist: Parts) -> None:
    nothing, own, he = dense.initializations(mnist[0]).values()
    assert nothing > 2.29 and he < own < 0.6 and he == pytest.approx(0.286, abs=0.1)


def check_normalization(train: Labelled) -> None:
    """Scales #3, #8 and #13 of 16: without it only the first learns, and learns better there."""
    scales = np.logspace(0, -4, 16)[[2, 7, 12]]
    good, small, tiny = dense.normalization(train, scales)
    assert good[0] > good[1] > 0.5, (good, small, tiny)
    assert small[0] < 0.2 and small[1] > 0.95 and tiny[0] < 0.2 and tiny[1] > 0.6, (small, tiny)


def test_batch_normalization_forgives_the_start_on_digits(digits: Parts) -> None:
    check_normalization(digits[0])


def test_batch_normalization_forgives_the_start_on_mnist(mnist: Parts) -> None:
    check_normalization(mnist[0])


def test_A24_A29_A30_weight_decay_and_dropout_narrow_the_gap_on_digits(digits: Parts) -> None:
    """Images that were learned by heart are all right, new ones are not; weight decay and dropout
    bring the two closer."""
    known, new = overfitting.learned(*digits)
    assert known == 1.0 and known - new > 0.05, (known, new)
    for settings in ({"decay": 0.1}, {"dropout": 0.2}):
        known_, new_ = overfitting.learned(*digits, **settings)
        assert known_ < 1.0 and known_ - new_ < 0.8 * (known - new), (settings, known_, new_)


def test_A24_A29_weight_decay_narrows_the_gap_on_mnist(mnist: Parts) -> None:
    plain = overfitting.learned(*mnist)
    decayed = overfitting.learned(*mnist, decay=0.1)
    dropped = overfitting.learned(*mnist, epochs=301, dropout=0.2)
    assert plain[0] == 1.0 and plain[0] - plain[1] > 0.18, plain
    assert decayed == pytest.approx((0.927, 0.721), abs=0.06), decayed
    assert dropped[1] > 0.54, dropped
    assert decayed[0] - decayed[1] < plain[0] - plain[1]
    assert dropped[0] < 1.0


def check_more_data(found: list[float], start: float, end: float) -> None:
    assert found == sorted(found) and found[0] < start and found[-1] > end, found
    assert found[-1] - found[0] > 0.04, found


def test_E18_E15_more_images_make_a_better_network_on_digits(digits: Parts) -> None:
    check_more_data(overfitting.by_data(*digits, (50, 200, 1500), 300), 0.9, 0.95)


def test_E18_E15_more_images_make_a_better_network_on_mnist(mnist: Parts) -> None:
    check_more_data(overfitting.by_data(*mnist, (100, 1000, 10_000, 60_000)), 0.8, 0.95)


def test_C21_C22_a_search_finds_the_learning_rate(digits: Parts) -> None:
    """Of rates from 10⁻⁶ to 10⁻² the three best are the large ones."""
    pytest.importorskip("optuna")
    found = overfitting.settings(digits[0], trials=8, epochs=20)
    rates = [trial.settings["rate"] for trial in found.trials]
    assert min(rates[:2]) > max(rates[2:]) and (found.best.metric or 0) > 0.5, found


# ---- chapters 7 and 8 ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "parameters"), [(SimpleConvNet, 433_890), (DeepConvNet, 0)])
def test_E13_convolutional_networks_recognize_new_digits(
    digits: Parts, kind: Any, parameters: int
) -> None:
    model = kind(size=8)
    assert convolutions.learned(model, *digits, 12, 3e-3, 50, 12)[-1] > 0.93
    if parameters:
        assert sum(p.numel() for p in kind().parameters()) == parameters
    with pytest.raises(pellucid.base.errors.ArgumentError, match="images of size 3"):
        kind(size=3)


def check_locality(found: dict[str, list[float]], loss: float) -> None:
    plain, mixed = found["dense"]
    assert abs(plain - mixed) < 0.005 and plain > 0.8, found
    plain_, mixed_ = found["convolutional"]
    assert plain_ - mixed_ > loss and plain_ > plain - 0.005 and mixed_ < mixed, found


def test_B16_shuffled_pixels_are_the_same_to_an_mlp_and_harder_for_a_cnn(digits: Parts) -> None:
    train, test = digits
    rest = (np.concatenate([train[0][300:], test[0]]), np.concatenate([train[1][300:], test[1]]))
    check_locality(convolutions.locality(first(train, 300), rest, 30), 0.03)


def test_B16_shuffled_pixels_on_mnist(mnist: Parts) -> None:
    parts = first(mnist[0], 1500), first(mnist[1], 2000)
    check_locality(convolutions.locality(*parts, 4, 2e-3, 50), 0.05)
