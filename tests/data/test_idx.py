"""Reading idx files, true and lying."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import DataError, FileError
from pellucid.data.idx import IDX_TYPES, read_idx, read_mnist_folder


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(IDX_TYPES[code]).tobytes()


def images(n: int) -> np.ndarray:
    return (np.arange(n * 6) % 256).reshape(n, 2, 3).astype(np.uint8)


def write_folder(folder: Path, train: int = 8, labels: int | None = None, test: int = 0) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(idx_bytes(images(train)))
    own = np.arange(train if labels is None else labels) % 2
    (folder / "train-labels.idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(own)))
    if test:
        (folder / "t10k-images.idx3-ubyte").write_bytes(idx_bytes(images(test)))
        (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(test) % 2))


@pytest.mark.parametrize("code", sorted(IDX_TYPES))
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_is_read(tmp_path: Path, code: int, packed: bool) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    data = idx_bytes(array, code)
    (tmp_path / "x").write_bytes(gzip.compress(data) if packed else data)
    received = read_idx(tmp_path / "x")
    np.testing.assert_array_equal(received, array)
    assert received.dtype == IDX_TYPES[code].newbyteorder("=") and received.dtype.isnative


BAD = {
    "magic": (b"\x01\x02\x08\x01" + b"\0" * 8, "is not an idx file: it begins with 01 02 08 01"),
    "type": (b"\0\0\x0a\x01" + b"\0" * 8, "is not an idx file"),
    "empty": (b"", "is not an idx file: it begins with nothing"),
    "rank": (b"\0\0\x08\x00" + b"\0" * 8, "declares 0 dimensions"),
    "header": (b"\0\0\x08\x03\0\0\0\x01", r"ends inside its idx header \(8 bytes\)"),
    "short": (idx_bytes(images(4))[:-1], r"declares shape \(4, 2, 3\), 24 bytes .* holds 23"),
    "long": (idx_bytes(images(4)) + b"\0", r"24 bytes of values; the file holds more"),
    "lie": (
        b"\0\0\x08\x03" + b"\xff\xff\xff\xff" * 3 + b"\0" * 10,
        r"declares shape \(4294967295, 4294967295, 4294967295\), \d+ bytes .* holds 10\n",
    ),
    "gzip lie": (
        gzip.compress(b"\0\0\x08\x01\xff\xff\xff\xff" + b"\0" * 10),
        r"declares shape \(4294967295,\)",
    ),
    "gzip short": (gzip.compress(idx_bytes(images(4))[:-1]), "24 bytes of values.* holds 23"),
    "gzip cut": (gzip.compress(idx_bytes(images(4)))[:-6], "is a truncated gzip file"),
    "gzip damage": (gzip.compress(idx_bytes(images(4)))[:-8] + b"\xff" * 8, "damaged gzip"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_idx_is_met_by_a_clear_error(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(tmp_path / "x")
    assert caught.value.hint


def test_a_lying_header_allocates_nothing(tmp_path: Path) -> None:
    head = b"\0\0\x08\x02" + struct.pack(">2I", 1 << 15, 1 << 15)
    for name, data in (("plain", head), ("packed", gzip.compress(head + b"\0" * 2_000_000))):
        (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        with pytest.raises(DataError, match="1073741824 bytes"):
            read_idx(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20_000_000


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_cause_anything_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.mktemp("idx") / "x"
    file.write_bytes(b"\0\0" + data)
    try:
        read_idx(file)
    except DataError:
        pass


def test_folder_names_with_dash_or_dot_packed_or_not(tmp_path: Path) -> None:
    write_folder(tmp_path, 8, test=4)
    folder = read_mnist_folder(tmp_path)
    assert folder.train_images.shape == (8, 2, 3) and folder.train_labels.dtype == np.int64
    assert folder.test_images is not None and folder.test_images.shape == (4, 2, 3)
    assert folder.test_labels is not None and folder.test_labels.tolist() == [0, 1, 0, 1]


def test_folder_without_test_files(tmp_path: Path) -> None:
    write_folder(tmp_path)
    assert read_mnist_folder(tmp_path).test_images is None


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="holds no file of train images\n.*train-images-idx3-ubyte"):
        read_mnist_folder(tmp_path)
    with pytest.raises(FileError, match="There is no folder"):
        read_mnist_folder(tmp_path / "none")
    write_folder(tmp_path, 8, labels=7)
    with pytest.raises(DataError, match="holds 8 images, train-labels.* 7 labels\n.*belong"):
        read_mnist_folder(tmp_path)
    write_folder(tmp_path, 8)
    (tmp_path / "other-train-images-idx3-ubyte").write_bytes(idx_bytes(images(2)))
    with pytest.raises(DataError, match="holds two files of train images"):
        read_mnist_folder(tmp_path)


def test_test_images_of_another_shape(tmp_path: Path) -> None:
    write_folder(tmp_path, 8, test=4)
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx_bytes(images(4).reshape(4, 3, 2)))
    with pytest.raises(DataError, match=r"training images have shape \(2, 3\), the test images"):
        read_mnist_folder(tmp_path)


def test_real_mnist_has_its_published_content(real_data: Callable[[str], Path]) -> None:
    file = real_data("mnist/train-images-idx3-ubyte.gz")
    digest = hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest()
    assert digest == "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    folder = read_mnist_folder(file.parent)
    assert folder.train_images.shape == (60_000, 28, 28)
    assert folder.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert folder.test_labels is not None and len(folder.test_labels) == 10_000
