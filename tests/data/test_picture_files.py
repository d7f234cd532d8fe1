"""Pictures of every make become arrays of one form; broken ones are told by name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.base.errors import DataError
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.picture_files import PictureForm, choose_form, read_picture, read_pictures
from pellucid.data.sources import load_for_prediction, load_source

FORM = PictureForm(8, 8, True)


def gradient(height: int = 8, width: int = 8) -> np.ndarray:
    """Brighter to the right, greener downwards."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)[None, :]
    picture[..., 1] = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
    return picture


def save(path: Path, image: Any, **settings: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **settings)
    return path


@pytest.mark.parametrize("ending", ["png", "webp", "bmp", "tif", "gif"])
def test_lossless_formats_keep_every_pixel(tmp_path: Path, ending: str) -> None:
    picture = gradient()
    settings = {"lossless": True} if ending == "webp" else {}
    found = read_picture(save(tmp_path / f"a.{ending}", picture, **settings), FORM)
    np.testing.assert_array_equal(found, picture)


def test_modes_become_colour_or_grey(tmp_path: Path) -> None:
    picture = gradient()
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    for mode in ("RGB", "RGBA", "P", "CMYK"):
        image = Image.fromarray(picture).convert(mode)
        path = save(tmp_path / f"{mode}.tif", image)
        expected = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(read_picture(path, FORM), expected)
    for mode, tolerance in (("L", 0), ("1", 255), ("LA", 0)):
        path = save(tmp_path / f"{mode}.png", Image.fromarray(grey).convert(mode))
        found = read_picture(path, PictureForm(8, 8, False))
        assert np.abs(found.astype(int) - grey).max() <= tolerance
        assert read_picture(path, FORM).shape == (8, 8, 3)
    wide = Image.fromarray(grey.astype(np.uint16) * 257)
    found = read_picture(save(tmp_path / "16.png", wide), PictureForm(8, 8, False))
    np.testing.assert_array_equal(found, grey)


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, 4:, 3] = 255
    found = read_picture(save(tmp_path / "a.png", picture), FORM)
    assert (found[:, :4] == 255).all() and (found[:, 4:] == 0).all()
    marked = Image.fromarray(gradient()).convert("P")
    path = save(tmp_path / "p.png", marked, transparency=marked.getpixel((0, 0)))
    assert (read_picture(path, FORM)[0, 0] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_pictures_upright(tmp_path: Path, orientation: int) -> None:
    """Pillow's own ``exif_transpose`` is the judge."""
    from PIL import ImageOps

    image = Image.fromarray(gradient(8, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", image, exif=exif)
    with Image.open(path) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    form = PictureForm(upright.shape[0], upright.shape[1], True)
    np.testing.assert_array_equal(read_picture(path, form), upright)
    assert choose_form([path], None, []) == form


def test_large_jpegs_are_scaled_as_from_the_whole_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    image = Image.fromarray(coarse).resize((640, 480), 2)
    path = save(tmp_path / "a.jpg", image, quality=95)
    found = read_picture(path, PictureForm(48, 64, True))
    whole = np.asarray(Image.open(path).resize((64, 48), 2))
    assert np.abs(found.astype(int) - whole).mean() < 1.5


def test_broken_files_are_told_by_name_and_cost_only_themselves(tmp_path: Path) -> None:
    good = save(tmp_path / "good.jpg", gradient(40, 40))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(good.read_bytes()[:300])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.webp").write_bytes(b"")
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "png")
    (tmp_path / "bomb.png").write_bytes(bomb.getvalue())
    paths = [good, cut, *(tmp_path / n for n in ("text.png", "empty.webp", "bomb.png", "gone.png"))]
    pictures, broken = read_pictures(paths, FORM)
    assert sorted(broken) == [1, 2, 3, 4, 5] and pictures[0].any()
    for place, message in broken.items():
        assert paths[place].name in message
    assert "400,000,000" in broken[4] or "20,000" in broken[4] or "pixels" in broken[4]


@pytest.mark.parametrize("seed", range(4))
def test_no_bytes_cause_anything_but_our_errors(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for ending in ("png", "jpg", "webp", "gif", "bmp", "tif"):
        path = save(tmp_path / f"a.{ending}", gradient(20, 30))
        data = bytearray(path.read_bytes())
        for _ in range(8):
            changed = bytearray(data)
            for place in rng.integers(0, len(data), 5):
                changed[place] = rng.integers(0, 256)
            path.write_bytes(changed)
            try:
                assert read_picture(path, FORM).shape == FORM.shape
            except DataError as error:
                assert str(path) in str(error)


# --- Folders -------------------------------------------------------------------------------------


def folder(root: Path, parts: tuple[str, ...] = ("",), each: int = 12) -> Path:
    rng = np.random.default_rng(3)
    for part in parts:
        for kind, level in (("dark", 40), ("light", 200)):
            for number in range(each):
                size = (int(rng.integers(20, 60)), int(rng.integers(20, 60)), 3)
                picture = (rng.normal(level, 10, size)).clip(0, 255).astype(np.uint8)
                save(root / part / kind / f"{number}.{['png', 'jpg'][number % 2]}", picture)
    return root


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    root = folder(tmp_path / "shades")
    (root / "dark" / "x.png").write_bytes(b"broken")
    (root / ".hidden").mkdir()
    data = load_source(root)
    assert data.task.classes == ("dark", "light") and data.rows == 24
    assert data.image_shape == (64, 64, 3) and data.name == "shades"
    notes = " ".join(map(str, data.notes))
    assert "1 picture of 25 left out" in notes and "x.png" in notes and "scaled to 64 × 64" in notes
    assert load_source(root, image_size=16).image_shape == (16, 16, 3)
    bright = data.train.features.mean(axis=1)
    assert bright[data.train.targets == 1].min() > bright[data.train.targets == 0].max()
    new = load_for_prediction(data.preprocessor, folder(tmp_path / "new") / "light", data.task)
    assert new.features.shape == (12, 64 * 64 * 3) and new.targets is None
    assert new.ids["file"] == sorted(new.ids["file"]) and len(new.ids["file"]) == 12
    (tmp_path / "new" / "light" / "x.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"1 picture of 13 cannot be read.*x\.png"):
        load_for_prediction(data.preprocessor, tmp_path / "new" / "light")


def test_parts_of_the_folder_stay_its_parts(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", ("train", "val", "test"), 6)
    data = load_source(root)
    assert [len(p) for p in (data.train, data.validation, data.test)] == [12, 12, 12]
    assert isinstance(data.preprocessor, ImagePreprocessor)
    seen = set(data.train.indices) | set(data.validation.indices) | set(data.test.indices)
    assert len(seen) == 36
    without = load_source(folder(tmp_path / "b", ("train", "test"), 12))
    assert len(without.test) == 24 and len(without.train) + len(without.validation) == 24
    assert len(without.validation) == 2


def test_a_column_of_paths(tmp_path: Path) -> None:
    folder(tmp_path / "pictures")
    rows = ["file,shade,weight"]
    for number in range(24):
        kind = ["dark", "light"][number % 2]
        ending = ["png", "jpg"][number // 2 % 2]
        rows.append(f"pictures/{kind}/{number // 2}.{ending},{kind},{number * 0.5}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    data = load_source(tmp_path / "t.csv", "shade", image_size=16, ignore="weight")
    assert data.image_shape == (16, 16, 3) and data.task.classes == ("dark", "light")
    new = load_for_prediction(data.preprocessor, tmp_path / "t.csv", data.task)
    np.testing.assert_array_equal(new.features[data.test.indices], data.test.features)
    assert new.targets is not None
    np.testing.assert_array_equal(new.targets, np.arange(24) % 2)
    weight = load_source(
        tmp_path / "t.csv", "weight", task="regression", image_size=16, ignore="shade"
    )
    assert weight.task.kind == "regression" and weight.target_scaler is not None


def test_arrays_of_pictures_with_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (40, 3, 10, 12)).astype(np.uint8)
    y = np.arange(40) % 2
    data = load_source((x, y))
    assert data.image_shape == (10, 12, 3)
    np.savez(tmp_path / "m.npz", x_train=x[:, 0], y_train=y, x_test=x[:10, 0], y_test=y[:10])
    stored = load_source(tmp_path / "m.npz")
    assert stored.image_shape == (10, 12) and len(stored.test) == 10
    assert "data set's own" in stored.notes[0]
    new = load_for_prediction(stored.preprocessor, tmp_path / "m.npz", stored.task)
    np.testing.assert_array_equal(new.features, stored.test.features)
