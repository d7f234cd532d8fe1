"""Changed pictures: same shape, same labels, same seed same pictures, and less over-fitting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

import pellucid
from pellucid import optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.data.augmentation import AddNoise, AugmentedBatches, RandomAffine, RandomFlip
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
    with pytest.raises(ShapeError, match=r"Give shape=\(height, width\)"):
        AugmentedBatches(images.reshape(4, 36), labels, AddNoise(0.1))
    with pytest.raises(ArgumentError, match="batch_size=0"):
        AugmentedBatches(images, labels, AddNoise(0.1), 0)
