"""Pictures in files as batches: the right pixels with their labels, in an order of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import Trainer, nn, optim
from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.augmentation import Mixup, RandomFlip
from pellucid.data.picture_batches import PictureBatches
from pellucid.data.picture_files import read_picture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pictures whose colour is their class, and whose brightness tells them apart."""
    for kind, name in enumerate(("blue", "red")):
        (tmp_path / name).mkdir()
        for number in range(15):
            picture = np.zeros((20, 30, 3), np.uint8)
            picture[..., 0 if kind else 2] = 50 + 10 * number
            Image.fromarray(picture).save(tmp_path / name / f"{number:02}.png")
    return tmp_path


@pytest.mark.parametrize(("workers", "cache"), [(1, False), (3, True), (2, False)])
def test_every_picture_comes_once_with_its_label(root: Path, workers: int, cache: bool) -> None:
    batches = PictureBatches(root, side=8, batch_size=7, workers=workers, cache=cache, seed=5)
    assert batches.classes == ("blue", "red") and len(batches) == 5
    passes = [[(x.numpy(), y.numpy()) for x, y in batches] for _ in range(2)]
    for seen in passes:
        assert [len(x) for x, _ in seen] == [7, 7, 7, 7, 2]
        x, y = (np.concatenate([pair[side] for pair in seen]) for side in (0, 1))
        assert x.shape == (30, 3, 8, 8) and x.dtype == np.float32
        for picture, label in zip(x, y, strict=True):
            assert picture[0 if label else 2].max() > 0.15 and not picture[2 if label else 0].any()
        brightness = np.sort(x.max(axis=(1, 2, 3)) * 255)
        np.testing.assert_allclose(brightness, np.repeat(50 + 10 * np.arange(15), 2), atol=1e-3)
    assert not np.array_equal(passes[0][0][1], passes[1][0][1])
    again = PictureBatches(root, side=8, batch_size=7, workers=2, seed=5)
    for (x, y), (u, v) in zip(passes[0], again, strict=True):
        np.testing.assert_array_equal(x, u.numpy())
        np.testing.assert_array_equal(y, v.numpy())


def test_scales_changes_and_files_with_numbers(root: Path) -> None:
    paths = sorted((root / "red").iterdir())
    numbers = np.linspace(0, 1, 15)
    batches = PictureBatches(
        paths, numbers, side=6, shuffle=False, mean=(0.5, 0, 0), std=0.25, changes=RandomFlip(1.0)
    )
    x, y = next(iter(batches))
    pixels = np.stack([read_picture(path, batches.form) for path in paths]) / np.float32(255)
    expected = (pixels.transpose(0, 3, 1, 2) - np.array([0.5, 0, 0]).reshape(3, 1, 1)) / 0.25
    np.testing.assert_allclose(x.numpy(), expected[..., ::-1], atol=1e-5)
    np.testing.assert_allclose(y.numpy(), numbers, atol=1e-7)
    _, soft = next(iter(PictureBatches(root, mix=Mixup(0.2))))
    assert soft.shape == (30, 2)
    np.testing.assert_allclose(soft.numpy().sum(1), 1, atol=1e-6)


def test_a_trainer_learns_from_them(root: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    trainer = Trainer(model, "cross_entropy", optim.AdamW(model.parameters(), lr=0.01))
    history = trainer.fit(PictureBatches(root, side=8, batch_size=10), epochs=15)
    assert history["loss"][-1] < 0.2 * history["loss"][0]


def test_broken_files_and_wrong_arguments(root: Path) -> None:
    (root / "red" / "05.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"05\.png is no picture"):
        list(PictureBatches(root, side=8))
    with pytest.raises(ArgumentError, match="1 files and 0 labels"):
        PictureBatches([root / "red" / "01.png"])
    with pytest.raises(DataError, match="holds no pictures in folders"):
        PictureBatches(root / "red")
    with pytest.raises(ArgumentError, match="batch_size=0"):
        PictureBatches(root, batch_size=0)
