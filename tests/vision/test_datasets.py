"""Data sets of pictures, on files made here: read, fetched from a server of our own, refused."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.vision import datasets, transforms
from pellucid.vision.datasets import _download
from pellucid.vision.utils import make_grid, save_image

Image = pytest.importorskip("PIL.Image")


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def digits(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (rows, 28, 28)), generator.integers(0, 10, rows)


def write_mnist(folder: Path, *, packed: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": digits(7, 1), "t10k": digits(3, 2)}
    for part, (images, labels) in parts.items():
        for name, values in ((f"{part}-images-idx3", images), (f"{part}-labels-idx1", labels)):
            content = idx(values)
            path = folder / f"{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    return parts


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["MNIST/raw", "."])
def test_mnist_is_read_where_programs_put_it(tmp_path: Path, packed: bool, place: str) -> None:
    parts = write_mnist(
        tmp_path / "data" / place if place != "." else tmp_path / "data", packed=packed
    )
    train = datasets.MNIST(tmp_path / "data", transform=transforms.ToTensor())
    assert len(train) == 7 and train.data.shape == (7, 28, 28)
    picture, label = train[2]
    np.testing.assert_allclose(np.asarray(picture[0]) * 255, parts["train"][0][2], rtol=1e-6)
    assert label == parts["train"][1][2] and isinstance(label, int)
    test = datasets.MNIST(str(tmp_path / "data"), train=False, target_transform=lambda y: y + 1)
    plain, label = test[0]
    assert plain.mode == "L" and np.array_equal(np.asarray(plain), parts["t10k"][0][0])
    assert label == parts["t10k"][1][0] + 1 and test.class_to_idx["3 - three"] == 3
    assert "Number of datapoints: 7" in repr(train)


def test_the_real_digits() -> None:
    folder = os.environ.get("PELLUCID_TEST_DATA")
    if not folder:
        pytest.skip("PELLUCID_TEST_DATA is not set")
    data = datasets.MNIST(Path(folder) / "mnist")
    assert data.train_data is data.data and data.test_labels is data.targets  # older names
    assert len(data) == 60000 and data.targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert data[0][0].size == (28, 28)


def write_cifar(folder: Path, seed: int = 3) -> dict[str, np.ndarray]:
    base = folder / "cifar-10-batches-py"
    base.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    made = {}
    for name in [*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list]:
        rows = generator.integers(0, 256, (4, 3072), dtype=np.uint8)
        made[name] = rows
        batch = {"data": rows, "labels": [0, 1, 2, 3], "filenames": ["a", "b", "c", "d"]}
        (base / name).write_bytes(pickle.dumps(batch, 2))
    meta = {"label_names": ["plane", "car", "bird", "cat"], "num_vis": 3072}
    (base / "batches.meta").write_bytes(pickle.dumps(meta, 2))
    return made


def test_cifar_is_read_from_pickles_that_execute_nothing(tmp_path: Path) -> None:
    made = write_cifar(tmp_path)
    data = datasets.CIFAR10(tmp_path, transform=transforms.ToTensor())
    assert len(data) == 20 and data.data.shape == (20, 32, 32, 3)
    picture, label = data[5]
    expected = made["data_batch_2"][1].reshape(3, 32, 32) / 255
    np.testing.assert_allclose(np.asarray(picture), expected, rtol=1e-6)
    assert label == 1 and list(data.classes)[2] == "bird"

    class Bomb:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'executed'}",)

    bad = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    bad.write_bytes(pickle.dumps({"data": Bomb()}, 2))
    with pytest.raises(DataError, match="names (posix|nt).system"):
        datasets.CIFAR10(tmp_path)
    assert not (tmp_path / "executed").exists()
    bad.write_bytes(pickle.dumps({"data": np.zeros((2, 7), np.uint8), "labels": [1, 2]}, 2))
    with pytest.raises(DataError, match="no batch of CIFAR10"):
        datasets.CIFAR10(tmp_path)


def test_pictures_in_folders(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    made = {}
    for name in ("cat/1.png", "cat/deep/2.png", "dog/3.bmp", "dog/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            path.write_text("no picture")
            continue
        made[name] = generator.integers(0, 256, (5, 4, 3), dtype=np.uint8)
        Image.fromarray(made[name]).save(path)
    data = datasets.ImageFolder(tmp_path, transform=transforms.ToTensor())
    assert data.classes == ["cat", "dog"] and data.targets == [0, 0, 1]
    np.testing.assert_allclose(
        np.asarray(data[1][0]).transpose(1, 2, 0) * 255, made["cat/deep/2.png"], atol=1e-4
    )
    loader = pellucid.data.DataLoader(data, batch_size=3)
    pictures, labels = next(iter(loader))
    assert pictures.shape == (3, 3, 5, 4) and labels.tolist() == [0, 0, 1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="no file of the classes empty"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 3
    with pytest.raises(FileError, match="cannot be read"):
        datasets.ImageFolder(tmp_path / "gone")
    (tmp_path / "cat" / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1\.png cannot be read as a picture"):
        data[0]


def test_noise_is_the_same_at_every_look() -> None:
    data = datasets.FakeData(3, (3, 4, 5), 2, transforms.ToTensor())
    assert np.array_equal(np.asarray(data[1][0]), np.asarray(data[1][0]))
    assert data[0][0].shape == (3, 4, 5) and all(data[i][1] in (0, 1) for i in range(3))
    assert len(list(data)) == 3


def test_transforms_of_both_exclude_the_others() -> None:
    with pytest.raises(ArgumentError, match="either transforms or"):
        datasets.VisionDataset("x", transforms=lambda x, y: (x, y), transform=lambda x: x)


# ---- fetching -----------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server on this machine for the files in ``tmp_path / "served"``."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Says nothing."""

    answer = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), answer) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def test_what_is_missing_is_fetched_and_checked(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path / "served" / "mnist", packed=True)
    sums = {
        path.name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in (tmp_path / "served" / "mnist").iterdir()
    }
    monkeypatch.setattr(datasets.MNIST, "mirrors", (server + "gone/", server + "mnist/"))
    monkeypatch.setattr(datasets.MNIST, "resources", sums)
    with pytest.raises(FileError, match="MNIST is not in"):
        datasets.MNIST(tmp_path / "d")
    assert len(datasets.MNIST(tmp_path / "d", download=True)) == 7
    (tmp_path / "served" / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"other")
    with pytest.raises(DataError, match="another content than expected"):
        datasets.MNIST(tmp_path / "e", download=True)
    assert not list((tmp_path / "e" / "MNIST" / "raw").glob("*.part"))
    monkeypatch.setattr(datasets.MNIST, "mirrors", (server + "gone/",))
    with pytest.raises(FileError, match="could not be fetched"):
        datasets.MNIST(tmp_path / "f", download=True)


def test_archives_stay_in_their_folder(tmp_path: Path) -> None:
    for name, kind in (("../out", None), ("/out", None), ("a/../../out", None), ("l", "link")):
        archive = tmp_path / "a.tar.gz"
        with tarfile.open(archive, "w:gz") as made:
            entry = tarfile.TarInfo(name)
            if kind:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            made.addfile(entry, io.BytesIO())
        with pytest.raises(DataError, match="no file within its folder"):
            _download.unpack(archive, tmp_path / "in")
    assert not (tmp_path / "out").exists()
    archive.write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be unpacked"):
        _download.unpack(archive, tmp_path / "in")


# ---- grids --------------------------------------------------------------------------------------


def test_a_grid_holds_every_picture_in_its_place(tmp_path: Path) -> None:
    pictures = pellucid.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3) / 4
    grid = np.asarray(make_grid(pictures, nrow=3, padding=1, pad_value=0.5))
    assert grid.shape == (3, 2 * 3 + 1, 3 * 4 + 1)
    expected = np.full((7, 13), 0.5)
    for number in range(5):
        top, left = number // 3 * 3 + 1, number % 3 * 4 + 1
        expected[top : top + 2, left : left + 3] = number / 4
    expected[4:6, 9:12] = 0.5
    np.testing.assert_array_equal(grid, np.stack([expected] * 3))
    scaled = make_grid(pictures * 8 - 3, normalize=True)
    assert float(scaled.max()) == 1 and float(scaled.min()) == 0
    save_image(pictures, tmp_path / "g.png", nrow=3, padding=1, pad_value=0.5)
    stored = np.asarray(Image.open(tmp_path / "g.png"))
    assert np.abs(stored.transpose(2, 0, 1) / 255 - grid).max() < 0.003
