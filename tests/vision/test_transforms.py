"""Transforms of pictures: tensors against Pillow, which does the same by other code, and against
NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from pellucid.vision import transforms as T
from pellucid.vision.transforms import functional as F

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def array(rng: np.random.Generator) -> np.ndarray:
    """A colour picture (3, 13, 17), uint8."""
    return rng.integers(0, 256, (3, 13, 17), dtype=np.uint8)


def image(array: np.ndarray) -> Any:
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


MODES = T.InterpolationMode
FOUR = [[0, 0], [16, 0], [16, 12], [0, 12]]

SAME_AS_PILLOW: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    # a change; the largest difference of uint8 values, and the share that may differ more
    "hflip": (F.hflip, 0, 0),
    "vflip": (F.vflip, 0, 0),
    "crop": (lambda x: F.crop(x, 2, 3, 5, 6), 0, 0),
    "crop outside": (lambda x: F.crop(x, -2, 3, 8, 20), 0, 0),
    "center_crop": (lambda x: F.center_crop(x, [8, 9]), 0, 0),
    "center_crop of less": (lambda x: F.center_crop(x, [21, 9]), 0, 0),
    "five_crop": (lambda x: F.five_crop(x, [5, 6])[3], 0, 0),
    "ten_crop": (lambda x: F.ten_crop(x, 5)[8], 0, 0),
    "pad": (lambda x: F.pad(x, [1, 2, 3, 4], fill=7), 0, 0),
    "pad edge": (lambda x: F.pad(x, [1, 2, 3, 4], padding_mode="edge"), 0, 0),
    "pad reflect": (lambda x: F.pad(x, [1, 2], padding_mode="reflect"), 0, 0),
    "pad symmetric": (lambda x: F.pad(x, 3, padding_mode="symmetric"), 0, 0),
    "pad negative": (lambda x: F.pad(x, [-1, 2, 3, -2]), 0, 0),
    "resize smaller": (lambda x: F.resize(x, [9, 5]), 1, 0),
    "resize larger": (lambda x: F.resize(x, [20, 40]), 1, 0),
    "resize bicubic": (lambda x: F.resize(x, 7, MODES.BICUBIC), 1, 0),
    "resize nearest": (lambda x: F.resize(x, [26, 34], MODES.NEAREST), 0, 0),
    "rotate a quarter": (lambda x: F.rotate(x, 90, expand=True), 0, 0),
    "rotate": (lambda x: F.rotate(x, 30, MODES.BILINEAR), 1, 0.2),  # the edge is cut otherwise
    "rotate with fill": (lambda x: F.rotate(x, -77, center=[3, 4], fill=9), 0, 0.02),
    "affine": (lambda x: F.affine(x, 20, [2, -1], 1.2, [10.0, 5.0]), 0, 0.02),
    "affine with center": (lambda x: F.affine(x, -50, [0, 3], 0.7, 0.0, center=[2, 3]), 0, 0.02),
    "perspective": (
        lambda x: F.perspective(x, FOUR, [[1, 2], [14, 1], [15, 10], [2, 12]], MODES.NEAREST),
        0,
        0.02,
    ),
    "brightness": (lambda x: F.adjust_brightness(x, 1.7), 1, 0),
    "contrast": (lambda x: F.adjust_contrast(x, 0.5), 1, 0),
    "saturation": (lambda x: F.adjust_saturation(x, 1.5), 2, 0),
    "sharpness": (lambda x: F.adjust_sharpness(x, 1.5), 2, 0),
    "gamma": (lambda x: F.adjust_gamma(x, 2.2, 1.1), 1, 0),
    "grey": (F.rgb_to_grayscale, 1, 0),
    "three greys": (lambda x: F.rgb_to_grayscale(x, 3), 1, 0),
    "invert": (F.invert, 0, 0),
    "posterize": (lambda x: F.posterize(x, 3), 0, 0),
    "solarize": (lambda x: F.solarize(x, 100), 0, 0),
    "autocontrast": (F.autocontrast, 1, 0),
    "equalize": (lambda x: F.equalize(F.resize(x, [26, 34], MODES.NEAREST)), 0, 0),
    "blur": (lambda x: F.gaussian_blur(x, [3, 5]), 0, 0),
    "erase": (lambda x: F.erase(x, 2, 3, 4, 5, 7), 0, 0),
}


@pytest.mark.parametrize("name", SAME_AS_PILLOW)
def test_tensors_are_changed_as_pillow_changes_images(name: str, array: np.ndarray) -> None:
    change, most, share = SAME_AS_PILLOW[name]
    by_pillow = np.asarray(F.pil_to_tensor(change(image(array)))).astype(int)
    found = change(pellucid.tensor(array))
    assert found.dtype is pellucid.uint8
    ours = np.asarray(found).astype(int)
    assert ours.shape == by_pillow.shape
    assert (np.abs(ours - by_pillow) > most).mean() <= share
    assert not np.array_equal(ours, array)


@pytest.mark.parametrize("name", [n for n in SAME_AS_PILLOW if n not in ("equalize", "posterize")])
def test_floats_and_batches_are_changed_as_bytes_are(name: str, array: np.ndarray) -> None:
    change = SAME_AS_PILLOW[name][0]
    whole = np.asarray(change(pellucid.tensor(array))).astype(float)
    batch = np.stack([array[:, ::-1], array])
    assert np.array_equal(np.asarray(change(pellucid.tensor(batch)))[1], whole)
    if name in ("solarize", "pad", "erase", "rotate with fill"):  # numbers are those of bytes
        return
    floats = np.asarray(change(pellucid.tensor(array).float() / 255)) * 255
    assert np.abs(floats - whole).max() <= 1.6


def test_hue_turns_the_circle(array: np.ndarray) -> None:
    red = pellucid.tensor([[[200]], [[0]], [[0]]], dtype=pellucid.uint8)
    assert F.adjust_hue(red, 1 / 3).flatten().tolist() == [0, 200, 0]
    assert F.adjust_hue(red, -1 / 3).flatten().tolist() == [0, 0, 200]
    same = np.asarray(F.adjust_hue(pellucid.tensor(array), 0.0)).astype(int)
    assert np.abs(same - array).max() <= 1
    turned = np.asarray(F.pil_to_tensor(F.adjust_hue(image(array), 0.25))).astype(int)
    ours = np.asarray(F.adjust_hue(pellucid.tensor(array), 0.25)).astype(int)
    assert np.abs(turned - ours).mean() < 4  # Pillow's hues are bytes


def test_from_pillow_and_back(array: np.ndarray) -> None:
    colour = image(array)
    for mode in ("RGB", "L", "RGBA", "LA", "1", "I", "F"):
        picture = colour.convert(mode)
        tensor = T.ToTensor()(picture)
        expected = np.asarray(picture).astype(float) / (255 if mode not in "1IF" else 1)
        expected = expected[:, :, None] if expected.ndim == 2 else expected
        np.testing.assert_allclose(np.asarray(tensor), expected.transpose(2, 0, 1), rtol=1e-6)
        if mode in ("RGB", "L", "RGBA", "LA"):
            back = T.ToPILImage()(tensor)
            assert back.mode == mode and np.array_equal(np.asarray(back), np.asarray(picture))
    assert np.array_equal(np.asarray(T.ToTensor()(array.transpose(1, 2, 0))) * 255, array)
    assert T.ToPILImage("YCbCr")(pellucid.tensor(array)).mode == "YCbCr"


def test_dtypes_keep_black_and_white(array: np.ndarray) -> None:
    x = pellucid.tensor(array)
    floats = F.convert_image_dtype(x, pellucid.float32)
    np.testing.assert_allclose(np.asarray(floats), array / 255, rtol=1e-6)
    for dtype in (pellucid.int16, pellucid.int32):
        wide = F.convert_image_dtype(x, dtype)
        assert np.array_equal(np.asarray(F.convert_image_dtype(wide, pellucid.uint8)), array)
        assert wide.max() <= 2 ** (8 * dtype.itemsize - 1) - 1
    assert np.array_equal(np.asarray(F.convert_image_dtype(floats, pellucid.uint8)), array)


def test_normalize_is_its_formula(array: np.ndarray) -> None:
    x = pellucid.tensor(array).float()
    mean, std = [1.0, 2.0, 3.0], [0.5, 2.0, 4.0]
    expected = (array - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    np.testing.assert_allclose(np.asarray(T.Normalize(mean, std)(x)), expected, rtol=1e-6)
    T.Normalize(mean, std, inplace=True)(x)
    np.testing.assert_allclose(np.asarray(x), expected, rtol=1e-6)


def test_sizes_keep_proportions(array: np.ndarray) -> None:
    x = pellucid.tensor(array)
    assert F.resize(x, 26).shape == (3, 26, 34)
    assert F.resize(x.transpose(1, 2), 26).shape == (3, 34, 26)
    assert F.resize(x, 10, max_size=12).shape == (3, 9, 12)
    assert F.get_image_size(x) == [17, 13] and F.get_dimensions(image(array)) == [3, 13, 17]


# ---- at random ----------------------------------------------------------------------------------


def test_the_seed_decides(array: np.ndarray) -> None:
    change = T.Compose(
        [
            T.RandomResizedCrop(8),
            T.RandomHorizontalFlip(),
            T.ColorJitter(0.4, 0.4, 0.4, 0.1),
            T.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 5),
            T.RandomPerspective(p=1.0),
            T.RandAugment(),
            T.TrivialAugmentWide(),
            T.GaussianBlur(3),
            T.RandomErasing(p=1.0),
        ]
    )
    x = pellucid.tensor(array)
    made = []
    for seed in (1, 1, 2):
        pellucid.manual_seed(seed)
        made.append(np.asarray(change(x)))
    assert np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2])
    assert made[0].shape == (3, 8, 8)


@pytest.mark.parametrize("make", [T.RandomHorizontalFlip, T.RandomVerticalFlip, T.RandomGrayscale])
def test_chances_are_what_they_say(make: Any, array: np.ndarray) -> None:
    pellucid.manual_seed(4)
    x = pellucid.tensor(array)
    changed = [not bool((make(p=0.3)(x) == x).all()) for _ in range(400)]
    assert abs(np.mean(changed) - 0.3) < 0.08
    assert not bool((make(p=1.0)(x) == x).all()) and bool((make(p=0.0)(x) == x).all())


def test_every_place_of_a_crop_is_met_alike() -> None:
    pellucid.manual_seed(5)
    x = pellucid.arange(5).expand(1, 5, 5)
    lefts = [int(T.RandomCrop(3)(x)[0, 0, 0]) for _ in range(600)]
    counts = np.bincount(lefts, minlength=3)
    assert counts.min() > 150 and len(counts) == 3
    assert T.RandomCrop(7, pad_if_needed=True)(x).shape == (1, 7, 7)
    assert T.RandomCrop(5, padding=2)(x).shape == (1, 5, 5)


def test_a_random_part_has_a_share_of_the_area() -> None:
    pellucid.manual_seed(6)
    x = pellucid.zeros(1, 100, 200)
    for _ in range(50):
        _, _, height, width = T.RandomResizedCrop.get_params(x, (0.2, 0.4), (0.5, 2.0))
        assert 0.19 <= height * width / 20000 <= 0.41 and 0.48 <= width / height <= 2.1


def test_erasing_replaces_a_rectangle() -> None:
    pellucid.manual_seed(7)
    x = pellucid.ones(3, 20, 20)
    made = T.RandomErasing(p=1.0, scale=(0.1, 0.2), value=[2.0, 3.0, 4.0])(x)
    changed = np.asarray(made != 1)
    assert 0.05 < changed[0].mean() < 0.25 and changed.any(1).any(1).all()
    assert sorted(set(np.asarray(made).flatten().tolist())) == [1, 2, 3, 4]
    assert bool((x == 1).all())


# ---- pictures among other things ----------------------------------------------------------------


def test_v2_changes_the_picture_and_leaves_the_rest(array: np.ndarray) -> None:
    change = T.v2.Compose(
        [T.v2.ToImage(), T.v2.RandomHorizontalFlip(1.0), T.v2.ToDtype(pellucid.float32, scale=True)]
    )
    picture, label = change(image(array), 3)
    assert label == 3
    np.testing.assert_allclose(np.asarray(picture), array[:, :, ::-1] / 255, rtol=1e-6)
    row = change({"picture": image(array), "target": [1, pellucid.ones(2, 2)]})
    assert row["target"][0] == 1 and bool((row["target"][1] == 1).all())
    assert row["picture"].shape == (3, 13, 17)
    alone = change(image(array))
    np.testing.assert_array_equal(np.asarray(alone), np.asarray(picture))
    pair = T.v2.RandomRotation(90)(image(array), image(array))
    assert np.array_equal(np.asarray(pair[0]), np.asarray(pair[1]))


@pytest.mark.parametrize("kind", [T.v2.MixUp, T.v2.CutMix])
def test_mixed_batches_keep_what_they_are_mixed_of(kind: Any) -> None:
    pellucid.manual_seed(8)
    x = pellucid.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 10, 10)
    mixed, labels = kind(num_classes=4)(x, pellucid.arange(4))
    assert labels.shape == (4, 4)
    np.testing.assert_allclose(np.asarray(labels.sum(1)), 1, rtol=1e-6)
    expected = np.asarray(labels) @ np.arange(4.0)
    np.testing.assert_allclose(np.asarray(mixed.mean((1, 2, 3))), expected, rtol=1e-5)


# ---- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda x: F.to_tensor([1]), ArgumentTypeError, "to_tensor got a list"),
        (lambda x: F.normalize(x, [0.5] * 3, [0.5] * 3), DTypeError, "normalize got uint8"),
        (lambda x: F.normalize(x.float(), [0.0], [0.0]), ArgumentError, "deviations are larger"),
        (lambda x: F.resize(x, 0), ArgumentError, "from 1 on"),
        (lambda x: F.resize(x, [3, 4], max_size=5), ArgumentError, "both sides"),
        (lambda x: F.resize(x, 5, "sharp"), ArgumentError, "no interpolation 'sharp'"),
        (lambda x: F.pad(x, 1, padding_mode="wrap"), ArgumentError, "padding_mode 'wrap'"),
        (lambda x: F.pad(x, 20, padding_mode="reflect"), ShapeError, "cannot be mirrored"),
        (lambda x: F.hflip("x"), ArgumentTypeError, "hflip got a str"),
        (lambda x: F.adjust_hue(x, 2), ArgumentError, "from -0.5 to 0.5"),
        (lambda x: F.adjust_brightness(x, -1), ArgumentError, "factors are from 0 on"),
        (lambda x: F.gaussian_blur(x, 4), ArgumentError, "odd numbers"),
        (lambda x: T.RandomCrop(50)(x), ShapeError, "does not fit into a picture of 13×17"),
        (lambda x: F.five_crop(x, 50), ShapeError, "does not fit"),
        (lambda x: T.RandomHorizontalFlip(2), ArgumentError, "probability"),
        (lambda x: T.ToPILImage("RGB")(x[:1]), ArgumentError, "does not fit a picture with 1"),
        (lambda x: T.RandomErasing(value="black"), ArgumentError, "value is 'black'"),
        (lambda x: T.v2.MixUp()(x, pellucid.arange(3)), ArgumentError, "no num_classes"),
        (lambda x: T.Lambda(3), ArgumentTypeError, "Lambda got a int"),
    ],
)
def test_what_cannot_be_is_said(
    change: Callable[[Any], Any], error: type[Exception], text: str, array: np.ndarray
) -> None:
    with pytest.raises(error, match=text):
        change(pellucid.tensor(array))


def test_transforms_say_what_they_are() -> None:
    change = T.Compose([T.Resize(5), T.ToTensor(), T.Normalize((0.5,), (0.5,))])
    assert repr(change).splitlines()[2] == "    ToTensor()"
    assert "Normalize(mean=(0.5,), std=(0.5,)" in repr(change)
