"""Changed pictures: same shape, same labels, same seed same pictures, and less over-fitting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.data.augmentation import (
    AddNoise,
    AugmentedBatches,
    CutMix,
    Cutout,
    Mixup,
    RandomAffine,
    RandomColour,
    RandomCrop,
    RandomFlip,
    soft_labels,
)
from pellucid.models import mlp
from pellucid.training.trainer import Trainer


class Fixed(np.random.Generator):
    """A generator that always draws the upper end."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, low=0.0, high=1.0, size=None):
        return np.full(size, high)


@pytest.mark.parametrize(
    ("degrees", "factor", "shift"), [(30, 1.0, 0.0), (0, 1.3, 0.0), (0, 1.0, 0.2), (17, 0.8, 0.1)]
)
def test_A26_turning_scaling_and_shifting_agree_with_scipy(
    degrees: float, factor: float, shift: float, rng: np.random.Generator
) -> None:
    images = rng.uniform(size=(3, 9, 12)).astype(np.float32)
    changed = RandomAffine(degrees, (factor, factor), shift)(images, Fixed())
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
    middle = np.array([4.0, 5.5])
    offset = middle - matrix @ (middle + shift * np.array([9, 12]))
    for before, after in zip(images, changed, strict=True):
        wide = np.pad(before.astype(np.float64), 1)  # outside is 0, and fades over one pixel
        expected = ndimage.affine_transform(
            wide, matrix, offset + 1 - matrix @ [1, 1], order=1, mode="constant"
        )
        np.testing.assert_allclose(after, expected[1:-1, 1:-1], atol=1e-5)


def test_A26_a_quarter_turn_and_no_change_are_exact(rng: np.random.Generator) -> None:
    images = rng.uniform(size=(2, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(RandomAffine()(images, rng), images)
    turned = RandomAffine(90)(images, Fixed())
    np.testing.assert_allclose(turned, np.rot90(images, -1, (2, 3)), atol=1e-6)
    mirrored = RandomFlip(1.0)(images, rng)
    np.testing.assert_array_equal(mirrored, images[..., ::-1])
    noisy = AddNoise(0.5)(np.zeros((50, 8, 8), np.float32), rng)
    assert noisy.dtype == np.float32 and abs(noisy.std() - 0.5) < 0.02


def test_A26_shapes_labels_and_seeds_are_kept(rng: np.random.Generator) -> None:
    images = rng.uniform(size=(23, 36)).astype(np.float32)
    images[:, 0] = labels = np.arange(23)  # AddNoise(0) keeps the mark by which we know them
    batches = AugmentedBatches(images, labels, AddNoise(0.0), 5, seed=3, shape=(6, 6))
    assert len(batches) == 5
    seen = [(x.numpy(), y.numpy()) for x, y in batches]
    assert [x.shape for x, _ in seen] == [(5, 36)] * 4 + [(3, 36)]
    for x, y in seen:
        np.testing.assert_array_equal(x[:, 0], y)
    assert sorted(np.concatenate([y for _, y in seen])) == list(range(23))

    def passes(seed: int) -> list[bytes]:
        changes = [RandomAffine(20, (0.8, 1.2), 0.1), RandomFlip()]
        made = AugmentedBatches(images, labels, changes, 23, seed, (6, 6))
        return [x.numpy().tobytes() for _ in range(2) for x, _ in made]

    assert passes(1) == passes(1) and passes(1)[0] != passes(1)[1] and passes(1) != passes(2)


def test_A26_changed_pictures_narrow_the_gap() -> None:
    """100 digits learned by heart, or seen a little shifted each time."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    few, new = (images[:100], labels[:100]), (images[100:], labels[100:])
    right = []
    for changes in ([], [RandomAffine(12, (0.9, 1.1), 0.12)]):
        pellucid.manual_seed(1)
        model = mlp(64, (64,), 10)
        trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=5e-3))
        trainer.fit(AugmentedBatches(*few, changes, 25, 0, (8, 8)), epochs=120)
        right.append([(trainer.predict_class(x).numpy() == y).mean() for x, y in (few, new)])
    (plain, plain_new), (changed, changed_new) = right
    assert plain == 1.0 and changed > 0.97
    assert changed_new > plain_new + 0.02


def test_mistakes_are_explained() -> None:
    images, labels = np.zeros((4, 6, 6), np.float32), np.zeros(4)
    with pytest.raises(ArgumentError, match="Use degrees 0 … 180"):
        RandomAffine(scale=(0.0, 1.0))
    with pytest.raises(ShapeError, match="one label for each"):
        AugmentedBatches(images, labels[:3], AddNoise(0.1))
    with pytest.raises(ShapeError, match=r"RandomFlip got .* no pictures\n.*Give shape=\(height"):
        next(iter(AugmentedBatches(images.reshape(4, 36), labels, RandomFlip())))
    with pytest.raises(ArgumentError, match="batch_size=0"):
        AugmentedBatches(images, labels, AddNoise(0.1), 0)


def test_A26_crops_and_mirrors_move_whole_pixels(rng: np.random.Generator) -> None:
    images = rng.uniform(1, 2, size=(40, 3, 9, 7)).astype(np.float32)
    cropped = RandomCrop(2)(images, rng)
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    places = set()
    for before, after in zip(padded, cropped, strict=True):
        fits = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(before[:, y : y + 9, x : x + 7], after)
        ]
        assert len(fits) == 1
        places.add(fits[0])
    assert len(places) > 10
    np.testing.assert_array_equal(RandomFlip(1.0, vertical=True)(images, rng), images[..., ::-1, :])
    np.testing.assert_array_equal(RandomCrop(1)(images[:, 0], rng).shape, (40, 9, 7))


def test_A26_cutout_removes_one_square(rng: np.random.Generator) -> None:
    images = np.ones((300, 2, 12, 16), np.float32)
    holes = 1 - Cutout(0.5)(images, rng)
    np.testing.assert_array_equal(holes[:, 0], holes[:, 1])
    for hole in holes[:, 0]:
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert len(rows) <= 7 and len(columns) <= 7  # half of 12, up to a pixel by rounding
        assert hole.sum() == len(rows) * len(columns)
    # Every pixel is as likely within the hole as its distance from the border allows.
    assert abs(holes[:, 0, 6, 8].mean() - 36 / 192) < 0.09


def test_A26_light_changes_by_the_stated_factors(rng: np.random.Generator) -> None:
    images = rng.uniform(size=(500, 3, 4, 4)).astype(np.float32)
    bright = RandomColour(0.3, 0, 0)(images, rng) / images
    factors = bright.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(bright, factors[:, None, None, None] * np.ones_like(images), 1e-4)
    assert 0.7 <= factors.min() < 0.72 and 1.28 < factors.max() <= 1.3001
    contrast = RandomColour(0, 0.5, 0)(images, rng)
    means = images.mean(axis=(1, 2, 3)), contrast.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means[0], means[1], atol=1e-6)
    colour = RandomColour(0, 0, 0.5)(images, rng)
    np.testing.assert_allclose(colour.mean(axis=1), images.mean(axis=1), atol=1e-6)
    same = RandomColour(0, 0, 0)(images, rng)
    np.testing.assert_allclose(same, images, atol=1e-6)


def test_A26_mixup_mixes_rows_and_labels_by_one_share(rng: np.random.Generator) -> None:
    rows = np.eye(64, dtype=np.float32)  # each row tells what it is made of
    labels = soft_labels(np.arange(64) % 4)
    mixed, answers = Mixup(0.4)(rows, labels, rng)
    np.testing.assert_allclose(mixed @ labels, answers, atol=1e-6)
    np.testing.assert_allclose(mixed.sum(1), 1, atol=1e-6)
    assert ((mixed > 0).sum(1) <= 2).all() and ((mixed > 1e-3).sum(1) == 2).any()


def test_A26_cutmix_mixes_labels_by_the_area(rng: np.random.Generator) -> None:
    images = np.broadcast_to(np.arange(50, dtype=np.float32)[:, None, None, None], (50, 2, 8, 8))
    labels = np.eye(50, dtype=np.float32)
    mixed, answers = CutMix(1.0)(images, labels, rng)
    for row in range(50):
        shares = np.bincount(mixed[row, 0].astype(int).ravel(), minlength=50) / 64
        np.testing.assert_allclose(answers[row], shares, atol=1e-6)
        np.testing.assert_array_equal(mixed[row, 0], mixed[row, 1])
    assert (answers.max(1) < 1).mean() > 0.5


def test_A26_tables_and_mixed_labels_train(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    batches = AugmentedBatches(x, y, AddNoise(0.1), 50, mix=Mixup(0.4))
    features, labels = next(iter(batches))
    assert features.shape == (50, 5) and labels.shape == (50, 2)
    model = nn.Linear(5, 2)
    Trainer(model, "cross_entropy", optim.AdamW(model.parameters(), lr=0.05)).fit(batches, epochs=8)
    guessed = model(pellucid.tensor(x)).argmax(1).numpy()
    assert (guessed == y).mean() > 0.95
    for wrong in (
        lambda: Mixup(0),
        lambda: Cutout(2),
        lambda: RandomCrop(0),
        lambda: RandomColour(1),
    ):
        with pytest.raises(ArgumentError):
            wrong()
