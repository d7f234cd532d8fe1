"""Scaling by native code: Pillow's bilinear filter is the judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.data.augmentation import RandomFlip
from pellucid.data.picture_batches import PictureBatches, random_part
from pellucid.data.picture_files import PictureForm, decoded, read_picture
from pellucid.data.resampling import as_numbers, resample, taps

SIZES = [
    ((375, 500), (224, 224)),
    ((188, 250), (128, 128)),
    ((20, 30), (64, 61)),
    ((8, 9), (8, 9)),
    ((5, 900), (7, 3)),
    ((1, 1), (4, 4)),
]


@pytest.mark.parametrize(("shape", "size"), SIZES)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_scaling_is_pillows_within_one(
    shape: tuple[int, int], size: tuple[int, int], channels: tuple[int, ...],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    picture = rng.integers(0, 256, (*shape, *channels)).astype(np.uint8)
    height, width = shape
    for box in (None, (width * 0.1, height * 0.2, width * 0.7, height * 0.9)):
        whole = (0, 0, width, height)
        wanted = Image.fromarray(picture).resize(size[::-1], 2, box=box or whole)
        found = resample(picture, size, box)
        assert found.shape == (*size, *channels)
        assert np.abs(found.astype(int) - np.asarray(wanted)).max() <= 1
        np.testing.assert_array_equal(resample(picture, size, box, mirrored=True), found[:, ::-1])


def test_white_stays_white_and_weights_sum_to_one() -> None:
    for extent, wanted in ((500, 224), (7, 90), (3, 1)):
        assert (resample(np.full((extent, extent), 255, np.uint8), (wanted, wanted)) == 255).all()
        start, weights = taps(0.0, float(extent), extent, wanted)
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
        assert start.min() >= 0 and (start + weights.shape[1]).max() <= extent


@pytest.mark.parametrize("shape", [(3, 7, 9), (2, 5, 33, 3), (1, 64, 64, 3), (2, 1, 1, 3)])
def test_bytes_become_numbers_channels_first(
    shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    pictures = rng.integers(0, 256, shape).astype(np.uint8)
    channels = shape[3] if len(shape) == 4 else 1
    factor, offset = rng.normal(size=(2, channels)).astype(np.float32)
    found = np.empty((shape[0], channels, *shape[1:3]), np.float32)
    as_numbers(pictures, factor, offset, found)
    expected = pictures.reshape(*shape[:3], channels) * factor.astype(np.float64) + offset
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), atol=1e-3)


# --- Photographs ---------------------------------------------------------------------------------


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(12):
        coarse = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((400, 300), 3)
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        picture.save(folder / f"{number}.jpg", quality=92)
    return tmp_path


def test_quick_decoding_is_that_of_the_whole_picture(photographs: Path) -> None:
    """At a half of the size, and by the quicker method: below two levels on average, rarely ten."""
    for path in sorted(photographs.rglob("*.jpg"))[:4]:
        with Image.open(path) as image:
            whole = image.convert("RGB")
        for side in (64, 120, 224, 300):
            found = read_picture(path, PictureForm(side, side, True)).astype(int)
            error = np.abs(found - np.asarray(whole.resize((side, side), 2)))
            assert error.mean() < 2 and np.quantile(error, 0.999) < 12
    with Image.open(path) as image:
        exact = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_picture(path, PictureForm(300, 400, True)), exact)
    assert decoded(path, PictureForm(30, 30, True)).shape[0] < 150
    assert decoded(path, PictureForm(30, 30, True), least=0.1).shape == (300, 400, 3)


def test_random_parts_have_the_areas_and_shapes_asked_for() -> None:
    rng = np.random.default_rng(0)
    areas, ratios, places = [], [], []
    for _ in range(2000):
        left, upper, right, lower = random_part(rng.random(22), 300, 400, 0.2, 0.6)
        assert 0 <= left < right <= 400 and 0 <= upper < lower <= 300
        areas.append((right - left) * (lower - upper) / 120_000)
        ratios.append((right - left) / (lower - upper))
        places.append((left / (400 - (right - left)), upper / (300 - (lower - upper) or 1)))
    assert (
        0.19 < min(areas) < 0.22 and 0.58 < max(areas) < 0.61 and abs(np.mean(areas) - 0.4) < 0.02
    )
    assert 0.73 < min(ratios) and max(ratios) < 1.36
    np.testing.assert_allclose(np.mean(places, axis=0), 0.5, atol=0.03)
    # Nothing fits into a strip: the largest part of an allowed shape, in the middle.
    assert random_part(rng.random(22), 10, 900, 0.9, 1.0) == (443, 0, 456, 10)


@pytest.mark.parametrize("crop", [None, (0.1, 0.8)])
def test_batches_do_not_depend_on_threads_or_on_what_is_in_memory(
    photographs: Path, crop: tuple[float, float] | None
) -> None:
    passes = []
    for workers, cache in ((1, False), (3, True)):
        batches = PictureBatches(
            photographs, side=48, batch_size=5, workers=workers, cache=cache, crop=crop, seed=2,
            changes=RandomFlip(), mean=0.5, std=(0.2, 0.3, 0.4),
        )  # fmt: skip
        passes.append([x.numpy().copy() for _ in range(2) for x, _ in batches])
    for one, other in zip(*passes, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(np.sort(passes[0][0].ravel()), np.sort(passes[0][3].ravel()))


def test_half_of_the_pictures_are_mirrored(photographs: Path) -> None:
    paths = sorted(photographs.rglob("*.jpg"))
    batches = PictureBatches(
        paths, np.arange(12), side=32, shuffle=False, changes=RandomFlip(), seed=1
    )
    plain = np.concatenate([x.numpy() for x, _ in PictureBatches(
        paths, np.arange(12), side=32, shuffle=False)])  # fmt: skip
    count = 0
    for _ in range(6):
        found = np.concatenate([x.numpy() for x, _ in batches])
        same = (found == plain).all(axis=(1, 2, 3))
        np.testing.assert_array_equal(found[~same], plain[~same][..., ::-1])
        count += int((~same).sum())
    assert 22 < count < 50
