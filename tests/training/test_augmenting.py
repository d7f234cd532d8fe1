"""Training rows that change in each step: what the changes are, and that nothing else changes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import pellucid
from helpers import assert_close
from pellucid import Trainer, nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.data.input_layout import InputLayout, Lookup
from pellucid.data.sources import load_source
from pellucid.training import augmenting
from pellucid.training.augmenting import augmentation_of
from pellucid.training.config import TrainingConfig
from pellucid.training.job import train_network
from pellucid.training.run import Job, train

SHAPE = (6, 8, 3)


def changed(
    rows: np.ndarray,
    shape: Any = SHAPE,
    compiled: bool = False,
    black: float = 0.0,
    **settings: Any,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows after the changes, and the shares that they keep."""
    augment = augmentation_of(shape, TrainingConfig(**settings), black)
    assert augment is not None
    pellucid.manual_seed(3)
    call = pellucid.compile(augment) if compiled else augment
    found, share = call(pellucid.tensor(rows.reshape(len(rows), -1)))
    return found.numpy().reshape(rows.shape), None if share is None else share.numpy()


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(40, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("flip", ["horizontal", "vertical", "both"])
def test_flips(images: np.ndarray, flip: str, compiled: bool) -> None:
    found, _ = changed(images, flip=flip, compiled=compiled)
    steps = {"horizontal": (1, -1), "vertical": (-1, 1), "both": (-1, -1)}[flip]
    forms = {(a, b) for a in (1, steps[0]) for b in (1, steps[1])}
    seen = set()
    for before, after in zip(images, found, strict=True):
        fitting = [(a, b) for a, b in forms if np.array_equal(before[::a, ::b], after)]
        assert len(fitting) == 1
        seen.add(fitting[0])
    assert seen == forms


def fixed(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """The next uniform draws are these."""
    left = list(values)
    monkeypatch.setattr(
        augmenting, "_uniform", lambda count, low, high: pellucid.full((count,), left.pop(0))
    )


@pytest.mark.parametrize(("degrees", "factor"), [(30.0, 1.0), (0.0, 1.3), (-17.0, 0.8)])
def test_turning_and_scaling_agree_with_scipy(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch, degrees: float, factor: float
) -> None:
    fixed(monkeypatch, degrees, factor)
    found, _ = changed(images, rotate=90.0, scale=0.5)
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
    middle = np.array([2.5, 3.5])
    for before, after in zip(images[:5], found[:5], strict=True):
        for channel in range(3):
            expected = ndimage.affine_transform(
                before[..., channel], matrix, middle - matrix @ middle, order=1, mode="nearest"
            )
            assert_close(after[..., channel], expected, atol=1e-4)


def test_crops_fill_the_image(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    # angle, factor; area a quarter, undistorted; the middle as far down and right as it can be
    fixed(monkeypatch, 0.0, 1.0, 0.25, 0.0, 1.0, 1.0)
    found, _ = changed(images, crop=0.2)
    for before, after in zip(images[:5], found[:5], strict=True):
        y, x = np.mgrid[:6, :8]
        places = [(y + 0.5) / 2 + 2.5, (x + 0.5) / 2 + 3.5]
        for channel in range(3):
            expected = ndimage.map_coordinates(
                before[..., channel], places, order=1, mode="nearest"
            )
            assert_close(after[..., channel], expected, atol=1e-5)


@pytest.mark.parametrize("crop", [0.05, 0.5, 0.95])
def test_crops_stay_inside(crop: float) -> None:
    augment = augmentation_of(SHAPE, TrainingConfig(crop=crop))
    assert augment is not None
    tall, wide, down, right = (part.numpy() for part in augment._window(500))
    assert (np.abs(down) + tall <= 1 + 1e-6).all() and (np.abs(right) + wide <= 1 + 1e-6).all()
    inner = (tall < 1) & (wide < 1)
    assert (tall * wide)[inner].min() >= crop * 0.999 and (tall * wide).max() <= 1 + 1e-6
    assert ((tall / wide) >= 0.75 * 0.999).all() and ((tall / wide) <= 4 / 3 * 1.001).all()


def test_colour_is_brightness_contrast_and_saturation(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed(monkeypatch, 1.2, 0.7, 1.5)
    found, _ = changed(images, colour=0.5, black=-2.0)
    light = -2 + (images + 2) * 1.2
    mean = light.mean(axis=(1, 2, 3), keepdims=True)
    light = mean + (light - mean) * 0.7
    grey = light.mean(axis=3, keepdims=True)
    assert_close(found, grey + (light - grey) * 1.5, atol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_cutout_and_noise(images: np.ndarray, compiled: bool) -> None:
    found, _ = changed(images, cutout=0.5, compiled=compiled)
    holes = (found == 0).all(axis=3)
    np.testing.assert_array_equal(found[~holes], images[~holes])
    assert holes.sum(axis=(1, 2)).max() == 9 and 0 < holes.mean() < 9 / 48
    noisy, _ = changed(images, noise=0.3, compiled=compiled)
    assert abs((noisy - images).std() - 0.3) < 0.01


@pytest.mark.parametrize("compiled", [False, True])
def test_mixup_and_cutmix(images: np.ndarray, compiled: bool) -> None:
    other = np.roll(images, 1, axis=0)
    found, share = changed(images, mixup=0.4, compiled=compiled)
    assert share is not None
    kept = share[:, None, None, None]
    assert_close(found, kept * images + (1 - kept) * other, atol=1e-5)
    found, share = changed(images, cutmix=1.0, compiled=compiled)
    assert share is not None
    own = (found == images).all(axis=3)
    assert ((found == other).all(axis=3) | own).all()
    assert_close(share, own.mean(axis=(1, 2)), atol=1e-6)


def test_with_both_a_coin_chooses(images: np.ndarray) -> None:
    other = np.roll(images, 1, axis=0)
    found, _ = changed(images, cutmix=1.0, mixup=5.0)
    mixed = ~((found == images) | (found == other)).all(axis=(1, 2, 3))
    assert 5 < mixed.sum() < 35


def test_shares_are_beta() -> None:
    draws = augmenting._beta(0.4, 40_000).numpy()
    assert abs(draws.mean() - 0.5) < 0.01 and abs(draws.var() - 1 / (4 * 1.8)) < 0.003


def test_codes_of_tables_come_from_either_row(rng: np.random.Generator) -> None:
    layout = InputLayout(2, [Lookup(2, 1, 9, 3), Lookup(3, 3, 50, 4)])
    rows = rng.integers(1, 9, (60, 6)).astype(np.float32)
    other = np.roll(rows, 1, axis=0)
    found, share = changed(rows, layout, mixup=1.0, noise=0.0)
    assert share is not None
    kept = share[:, None]
    assert_close(found[:, :2], kept * rows[:, :2] + (1 - kept) * other[:, :2], atol=1e-5)
    for columns in (slice(2, 3), slice(3, 6)):
        own = (found[:, columns] == rows[:, columns]).all(1)
        assert (own | (found[:, columns] == other[:, columns]).all(1)).all()
        assert 10 < own.sum() < 58
    noisy, _ = changed(rows, layout, noise=0.5)
    np.testing.assert_array_equal(noisy[:, 2:], rows[:, 2:])
    assert (noisy[:, :2] != rows[:, :2]).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_loss_of_mixed_rows_is_that_against_both_targets(
    rng: np.random.Generator, weighted: bool, accumulate: int
) -> None:
    x = rng.normal(size=(8, 4)).astype(np.float32)
    y, w = rng.integers(0, 3, 8), rng.uniform(0.5, 2, 8).astype(np.float32)
    share = np.linspace(0.1, 0.9, 8 // accumulate).astype(np.float32)
    kept = pellucid.tensor(share)
    model = nn.Linear(4, 3)
    scores = x.astype(np.float64) @ model.weight.detach().numpy().T + model.bias.detach().numpy()
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    weights = w if weighted else np.ones(8)
    total = size = 0.0
    for part in np.split(np.arange(8), accumulate):
        other = np.roll(part, 1)
        own, rest = weights[part] * share, weights[other] * (1 - share)
        total -= (own * logs[part, y[part]] + rest * logs[part, y[other]]).sum()
        size += (own + rest).sum()
    trainer = Trainer(
        model, "cross_entropy", optim.SGD(model.parameters(), lr=0.1),
        augment=lambda rows: (rows, kept), accumulate=accumulate,
    )  # fmt: skip
    data = (x, y, w) if weighted else (x, y)
    history = trainer.fit(data, batch_size=8 // accumulate, shuffle=False, epochs=1)
    assert_close(history["loss"][0], total / size, rtol=1e-5)


def test_only_training_rows_change() -> None:
    model = nn.Linear(2, 1)
    trainer = Trainer(
        model, "mse_loss", optim.SGD(model.parameters(), lr=0.0), augment=lambda x: (x * 0, None)
    )
    x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    plain = model(pellucid.tensor(x)).detach().numpy()
    history = trainer.fit((x, y), (x, y), epochs=1)
    bias = float(model.bias.detach().numpy()[0])
    assert_close(history["loss"][0], bias**2, rtol=1e-5)
    assert_close(history["validation_loss"][0], float((plain**2).mean()), rtol=1e-5)
    assert_close(trainer.predict(x), plain)


EVERYTHING = {
    "flip": "both", "rotate": 15.0, "scale": 0.1, "crop": 0.7, "colour": 0.2, "cutout": 0.3,
    "mixup": 0.3, "cutmix": 1.0, "noise": 0.1, "shift": 1,
}  # fmt: skip


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_compiled_steps_are_those_of_numpy(model: str) -> None:
    data = load_source("digits")
    given = {"channels": (4, 6), "widths": (16,), "epochs": 2, "batch_size": 300, "patience": 0}
    losses = []
    for compiled in (True, False):
        config = TrainingConfig(model=model, compile=compiled, **given, **EVERYTHING)  # type: ignore[arg-type]
        losses.append(train_network(data, config, watch=False).history["loss"])
    assert_close(losses[0], losses[1], rtol=1e-3)


def test_a_run_goes_on_with_the_same_changes(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 4, "channels": (4,), "widths": (8,), **EVERYTHING}
    whole = train("digits", output=tmp_path / "whole", **settings)
    job = Job("digits", output=tmp_path / "part", settings=settings)
    seen = []

    def stop(event: Any) -> None:
        inner = getattr(event, "event", None)
        if inner is not None and inner.kind == "epoch":
            seen.append(1)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    job.listeners.append(stop)
    part = job.run()
    assert len(part.result.history) < 4
    again = train(output=None, resume=part.folder)
    for name, values in whole.result.weights.items():
        np.testing.assert_array_equal(values, again.result.weights[name])
    assert whole.result.config.rotate == 15.0


@pytest.mark.parametrize("name", ["flip", "rotate", "scale", "crop", "colour", "cutout", "cutmix"])
def test_changes_of_images_are_refused_for_tables(name: str) -> None:
    config = TrainingConfig(**{name: EVERYTHING[name]})  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=f"{name}=.* is for images"):
        augmentation_of((7,), config)
    assert augmentation_of((7,), TrainingConfig()) is None


def test_a_table_with_noise_and_mixup_still_learns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4))
    y = np.where(x[:, 0] + x[:, 1] > 0, "yes", "no")
    result = train(
        {**{f"x{i}": x[:, i] for i in range(4)}, "y": y}, "y", output=tmp_path / "run",
        epochs=30, mixup=0.4, noise=0.1,
    ).result  # fmt: skip
    assert result.figures["test"].values["accuracy"] > 0.93
