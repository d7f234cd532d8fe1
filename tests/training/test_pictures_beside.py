"""Tables with a column of pictures beside other columns: one network learns from both."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError, DataError, RunFolderError
from pellucid.data.input_layout import InputLayout, Lookup, Picture, plain_features, plain_width
from pellucid.data.large_files import predict_large
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.sources import load_for_prediction, load_source
from pellucid.insight.report import render_report
from pellucid.nn import functional
from pellucid.training.augmenting import augmentation_of
from pellucid.training.config import TrainingConfig
from pellucid.training.inference import Scorer
from pellucid.training.network import (
    Lookups,
    build_network,
    describe_layers,
    kept_tensors,
    parameter_shapes,
    predictions_of,
)
from pellucid.training.run import train
from pellucid.training.stored_run import restore

Image = pytest.importorskip("PIL.Image")
LAYOUT = InputLayout(2, [Lookup(2, 1, 4, 3)], [Picture(3, (4, 6)), Picture(27, (4, 4, 3))])
CONFIG = TrainingConfig(channels=(5,), normalization="none", widths=(8,))


def rows(seed: int = 0, count: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(count, 75)).astype(np.float32)
    found[:, 2] = rng.integers(0, 4, count)
    return found


def table(root: Path, count: int, seed: int = 0, side: int = 8) -> Path:
    """The class is whether exactly one of two things holds: the picture is light, the number is
    above 0.  Pictures are grey, in colour and with transparency in turn."""
    rng = np.random.default_rng(seed)
    (root / "photos").mkdir(parents=True, exist_ok=True)
    lines = ["number,photo,kind,y"]
    for row in range(count):
        light, number = rng.random() < 0.5, rng.normal()
        pixels = rng.integers(0, 60, (side, side, 3), dtype=np.uint8) + np.uint8(120 * light)
        picture = Image.fromarray(pixels).convert(("RGB", "L", "RGBA")[row % 3])
        picture.save(root / "photos" / f"{row}.png")
        kind = "abc"[rng.integers(3)]
        lines.append(f"{number:.4f},photos/{row}.png,{kind},{'ny'[light ^ (number > 0)]}")
    (root / "t.csv").write_text("\n".join(lines) + "\n")
    return root / "t.csv"


@pytest.mark.parametrize("compiled", [False, True])
def test_pixels_are_convolved_and_averaged_beside_the_rest(compiled: bool) -> None:
    layer = Lookups(LAYOUT, CONFIG)
    x = rows()
    expected = [x[:, :2], layer.tables[0].weight.detach().numpy()[x[:, 2].astype(int)]]
    for picture, reader in zip(LAYOUT.pictures, layer.pictures, strict=True):
        own = x[:, picture.start : picture.start + picture.pixels]
        weight, bias = (parameter.detach() for parameter in reader.parameters())
        images = own.reshape(6, 4, -1, picture.channels).transpose(0, 3, 1, 2)
        seen = functional.conv2d(pellucid.tensor(images.copy()), weight, bias, padding=1).numpy()
        high, wide = seen.shape[2] // 2, seen.shape[3] // 2
        pooled = seen.clip(0).reshape(6, 5, high, 2, wide, 2).max((3, 5))
        expected.append(pooled.mean((2, 3)))
    call = pellucid.compile(lambda t: layer(t)) if compiled else layer
    assert_close(call(pellucid.tensor(x)), np.concatenate(expected, 1), 1e-5, 1e-5)


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("activation", ["relu", "prelu"])
def test_the_shapes_are_known_without_building(normalization: str, activation: str) -> None:
    config = dataclasses.replace(
        CONFIG, channels=(3, 4), normalization=normalization, activation=activation
    )
    built = build_network(LAYOUT, config, 3)
    shapes = {name: tuple(tensor.shape) for name, tensor in kept_tensors(built).items()}
    assert parameter_shapes(LAYOUT, config, 3) == shapes
    assert built(pellucid.tensor(rows())).shape == (6, 3)


def test_a_linear_model_sees_fields_of_a_picture() -> None:
    layout = InputLayout(1, [], [Picture(1, (16, 12, 3))])
    x = np.random.default_rng(0).normal(size=(5, 1 + 16 * 12 * 3)).astype(np.float32)
    plain = plain_features(layout, x)
    assert plain.shape == (5, plain_width(layout)) == (5, 1 + 3 * 64)
    images = x[:, 1:].reshape(5, 16, 12, 3)
    np.testing.assert_allclose(plain[:, 1], images[:, :2, :1, 0].mean((1, 2)), rtol=1e-5)
    last = images[:, 14:, 10:, 2].mean((1, 2))
    np.testing.assert_allclose(plain[:, -1], last, rtol=1e-5, atol=1e-6)
    assert plain_features(LAYOUT, rows()).shape == (6, plain_width(LAYOUT))


def test_both_together_tell_more_than_each_alone(tmp_path: Path) -> None:
    source = table(tmp_path, 420)
    both = train(source, "y", output=tmp_path / "both", epochs=40, seed=1)
    result, prepared = both.result, both.result.prepared
    accuracy = result.figures["test"].values["accuracy"]
    alone = [
        train(source, "y", output=tmp_path / name, loading={"ignore": left}, epochs=3, seed=1)
        for name, left in (("picture", ["number", "kind"]), ("number", ["photo"]))
    ]
    others = [one.result.figures["test"].values["accuracy"] for one in alone]
    assert accuracy > 0.85 and max(others) < 0.7, (accuracy, others)
    assert prepared.image_shape is None and alone[0].result.prepared.image_shape == (8, 8, 3)
    notes = " ".join(map(str, prepared.notes))
    assert "'photo' names pictures: a network sees them" in notes and "8 × 8, colour" in notes
    described = describe_layers(prepared.row_shape, result.config, prepared.task)
    assert described.startswith("4 + 16-32-64 channels of 8×8×3 pixels → 128")

    saved, network = restore(both.folder)
    new = load_for_prediction(saved.preprocessor, source, saved.task)
    np.testing.assert_array_equal(new.features[prepared.test.indices], prepared.test.features)
    scores = Scorer(network)(new.features)[prepared.test.indices]
    again = predictions_of(saved.task, scores, None, saved.calibration.temperature)
    np.testing.assert_allclose(again, result.predictions["test"], atol=1e-6)
    page = render_report(both.folder)
    assert "Filters of the first layer" in page and "photos/" in page


def test_pixels_are_scaled_as_those_of_training_and_rows_keep_their_order(tmp_path: Path) -> None:
    source = table(tmp_path, 60)
    data = load_source(source, "y", image_size=4)
    assert isinstance(data.preprocessor, Preprocessor)
    layout = data.row_shape
    assert isinstance(layout, InputLayout) and layout.pictures == (Picture(4, (4, 4, 3)),)
    pixels = data.train.features[:, 4:]
    assert abs(pixels.mean()) < 1e-4 and abs(pixels.std() - 1) < 1e-3
    bright = np.array(
        [np.asarray(Image.open(tmp_path / f"photos/{i}.png").convert("RGB")).mean()
         for i in data.train.indices]
    )  # fmt: skip
    assert np.corrcoef(bright, pixels.mean(1))[0, 1] > 0.99
    stored = Preprocessor.from_json(data.preprocessor.to_json())
    assert stored == data.preprocessor and stored.row_shape.pictures == layout.pictures
    turned = tmp_path / "turned.csv"
    lines = source.read_text().splitlines()
    turned.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    first, second = (load_for_prediction(stored, file) for file in (source, turned))
    np.testing.assert_array_equal(first.features, second.features[::-1])


def test_missing_and_damaged_pictures_are_told_and_stand_for_the_mean(tmp_path: Path) -> None:
    source = table(tmp_path, 60)
    lines = source.read_text().splitlines()
    lines[1] = lines[1].replace("photos/0.png", "")
    (tmp_path / "photos" / "1.png").write_bytes(b"broken")
    (tmp_path / "photos" / "2.png").unlink()
    source.write_text("\n".join(lines) + "\n")
    data = load_source(source, "y")
    (note,) = [note for note in map(str, data.notes) if "without a picture" in note]
    assert "3 of 60 rows" in note and "1.png" in note and "2.png" in note
    new = load_for_prediction(data.preprocessor, source, data.task)
    assert not new.features[:3, 4:].any() and new.features[3:, 4:].any(1).all()
    assert any("3 of 60 rows without a picture" in str(note) for note in new.notes)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "t.csv").write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    with pytest.raises(DataError, match="none of its pictures can be read") as error:
        load_for_prediction(data.preprocessor, elsewhere / "t.csv")
    assert "relative to the folder" in str(error.value)


def test_parts_of_their_own_lie_in_their_own_folders(tmp_path: Path) -> None:
    first, second = table(tmp_path / "a", 60), table(tmp_path / "b", 20, seed=1)
    data = load_source(first, "y", test=second)
    assert len(data.test) == 20
    new = load_for_prediction(data.preprocessor, second)
    np.testing.assert_array_equal(new.features, data.test.features)
    grouped = load_source(first, "y", group="kind")
    assert isinstance(grouped.row_shape, InputLayout) and len(grouped.row_shape.pictures) == 1


def test_identifiers_beside_pictures_leave_a_network_for_images(tmp_path: Path) -> None:
    source = table(tmp_path, 60)
    lines = source.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    named = ["id,photo,y", *(f"{i},{c[1]},{c[3]}" for i, c in enumerate(cells[1:]))]
    source.write_text("\n".join(named) + "\n")
    data = load_source(source, "y")
    assert data.image_shape == (8, 8, 3) and "not used: 'id'" in " ".join(map(str, data.notes))
    as_text = load_source(table(tmp_path, 60), "y", text_columns=["photo"])
    assert not isinstance(as_text.row_shape, InputLayout)


def test_memory_and_width_are_guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = table(tmp_path, 12)
    with pytest.raises(DataError, match="at most 1,000,000 are possible"):
        load_source(source, "y", image_size=600)
    monkeypatch.setattr("pellucid.data.picture_sources.available_memory", lambda: 10_000)
    with pytest.raises(DataError, match="GiB are available"):
        load_source(source, "y")


def test_files_from_strangers_are_checked(tmp_path: Path) -> None:
    data = load_source(table(tmp_path, 30), "y")
    plain = data.preprocessor.to_json()
    place = [c["kind"] for c in plain["columns"]].index("picture")
    for change in (
        {"kind": "category"},
        {"picture": None},
        {"picture": {**plain["columns"][place]["picture"], "shape": [9]}},
        {"picture": {**plain["columns"][place]["picture"], "shape": [9, 9, 4]}},
        {"picture": {**plain["columns"][place]["picture"], "shape": [60_000, 60_000]}},
        {"categories": ["a"]},
    ):
        columns = [dict(column) for column in plain["columns"]]
        columns[place] |= change
        with pytest.raises(RunFolderError):
            Preprocessor.from_json({**plain, "columns": columns})


def test_pictures_beside_change_in_training_as_images_do() -> None:
    x = pellucid.tensor(rows(1, 64))
    config = dataclasses.replace(CONFIG, flip="horizontal")
    change = augmentation_of(LAYOUT, config, (0.0, 0.0))
    assert change is not None
    pellucid.manual_seed(0)
    changed, share = change(x)
    assert share is None
    old, new = x.numpy(), changed.numpy()
    np.testing.assert_array_equal(new[:, :3], old[:, :3])
    for start, shape in ((3, (4, 6)), (27, (4, 4, 3))):
        end = start + int(np.prod(shape))
        was = old[:, start:end].reshape(-1, *shape)
        now = new[:, start:end].reshape(-1, *shape)
        same = (now == was).reshape(64, -1).all(1)
        mirrored = (now == was[:, :, ::-1]).reshape(64, -1).all(1)
        assert (same ^ mirrored).all() and 10 < same.sum() < 54
    mixed = augmentation_of(LAYOUT, dataclasses.replace(CONFIG, mixup=1.0, colour=0.2), (0.0, 0.0))
    assert mixed is not None
    blended, share = mixed(x)
    assert blended.shape == x.shape and share is not None
    with pytest.raises(ArgumentError, match="have nothing beside them"):
        augmentation_of(LAYOUT, dataclasses.replace(CONFIG, cutmix=1.0))


def test_estimators_take_frames_with_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    pandas = pytest.importorskip("pandas")
    from pellucid.estimators import NetClassifier

    monkeypatch.chdir(tmp_path)
    frame = pandas.read_csv(table(tmp_path, 90)).drop(columns="y")
    light = np.array(
        [np.asarray(Image.open(name).convert("L")).mean() > 90 for name in frame.photo]
    )
    model = NetClassifier(epochs=8, random_state=0).fit(frame, light)
    assert model.score(frame, light) > 0.9
    assert model.score(frame[::-1], light[::-1]) == model.score(frame, light)


def test_a_large_file_names_pictures_that_are_read_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty pictures, each in a hundred rows: the class is whether exactly one of two holds."""
    lines = table(tmp_path, 60).read_text().splitlines()
    rng, rows = np.random.default_rng(0), [lines[0]]
    for _ in range(6000):
        number, photo, kind, label = lines[rng.integers(1, 61)].split(",")
        light = (label == "y") ^ (float(number) > 0)
        number = f"{rng.normal():.4f}"
        rows.append(f"{number},{photo},{kind},{'ny'[light ^ (float(number) > 0)]}")
    file = tmp_path / "large.csv"
    file.write_text("\n".join(rows) + "\n")
    monkeypatch.setattr("pellucid.data.large_files.picture_rows", lambda sizes, pixels: 700)
    monkeypatch.setattr("pellucid.data.sources.picture_rows", lambda sizes, pixels: 2000)
    outcome = train(
        file, "y", output=tmp_path / "run", loading={"memory": 0.5}, epochs=4, threads=1,
        channels=(4, 8), widths=(16,),
    )  # fmt: skip
    prepared = outcome.result.prepared
    assert prepared.stream is not None and prepared.rows == 6000
    assert isinstance(prepared.row_shape, InputLayout) and len(prepared.row_shape.pictures) == 1
    assert any("of a sample of 2,000 of 6,000 rows" in str(note) for note in prepared.notes)
    features, _ = next(iter(prepared.stream))
    known = {row.tobytes() for row in prepared.train.features[:, -192:].astype(np.float32)}
    assert all(row.tobytes() in known for row in features[:, -192:])  # the same sixty pictures
    assert outcome.result.figures["test"].values["accuracy"] > 0.9
    pieces = list(predict_large(prepared.preprocessor, file, memory=0.5))
    assert [len(piece.features) for piece in pieces][:2] == [700, 700]
    whole = np.concatenate([piece.features for piece in pieces])
    np.testing.assert_array_equal(whole, load_for_prediction(prepared.preprocessor, file).features)
