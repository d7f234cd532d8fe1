"""Files made to harm: nothing is executed, memory stays bounded, the answer is a DataError."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import DataError
from pellucid.interop.pytorch.reading import MAGIC, PROTOCOL
from pellucid.interop.weights import load_weights

MOST = 24 << 20
"""Bytes that reading a small hostile file may take at the peak."""


def archive(pickled: bytes, storages: dict[str, bytes] | None = None, **entries: bytes) -> bytes:
    """A file in the zip format."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a/data.pkl", pickled)
        for key, content in (storages or {}).items():
            made.writestr(f"a/data/{key}", content)
        for name, content in entries.items():
            made.writestr(f"a/{name}", content)
    return file.getvalue()


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(count: int, key: str = "0", kind: str = "FloatStorage") -> bytes:
    """A reference to a storage."""
    texts = [b"X" + struct.pack("<I", len(t)) + t for t in (b"storage", key.encode(), b"cpu")]
    return b"(" + texts[0] + named("torch", kind) + texts[1] + texts[2] + number(count) + b"tQ"


def tensor(
    count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...], **more: Any
) -> bytes:
    """A pickle of one tensor."""
    arguments = storage(count, **more) + number(offset) + numbers(size) + numbers(stride) + b"\x89"
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    return b"\x80\x02" + rebuild + b"(" + arguments + b"}tR."


def refused(content: bytes, match: str, **options: Any) -> None:
    """``content`` is refused with a text like ``match``, in bounded memory: an object of Python
    takes up to some fifty times the bytes of its opcode."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=match):
            pellucid.load(io.BytesIO(content), **options)
        assert tracemalloc.get_traced_memory()[1] < MOST + 64 * len(content)
    finally:
        tracemalloc.stop()


class Bomb:
    """Pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("weights_only", [True, False, None])
@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_calls_are_refused_by_name(tmp_path: Path, weights_only: bool, protocol: int) -> None:
    mark = tmp_path / "executed"
    bombs = {
        "posix.system|nt.system": Bomb(os.system, f"touch {mark}"),
        "builtins.eval|__builtin__.eval": Bomb(eval, f"open({str(mark)!r}, 'w')"),
        "builtins.exec|__builtin__.exec": Bomb(exec, f"open({str(mark)!r}, 'w')"),
        "builtins.getattr|__builtin__.getattr": Bomb(getattr, "text", "upper"),
        "builtins.open|_io.open|io.open": Bomb(open, str(mark), "w"),
        "subprocess.Popen|commands.Popen": Bomb(subprocess.Popen, ["touch", str(mark)]),
        "pellucid.serialization.load": Bomb(pellucid.load, "x"),
    }
    for name, bomb in bombs.items():
        pickled = pickle.dumps({"weights": bomb}, protocol)
        match = f"names ({name}), which is not on the list|it calls load"
        refused(archive(pickled), match, weights_only=weights_only)
        rows = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True})]
        refused(b"".join(rows) + pickled, match, weights_only=weights_only)
        with pytest.raises(DataError):
            (tmp_path / "a.pt").write_bytes(archive(pickle.dumps(bomb, protocol))[:-30])
            load_weights(tmp_path / "a.pt")
    assert not mark.exists()


def test_the_pickle_that_is_shown_whatever_it_names_executes_nothing(tmp_path: Path) -> None:
    """``pellucid weights`` looks into files with unknown classes."""
    mark = tmp_path / "executed"
    path = tmp_path / "a.pt"
    bomb = Bomb(os.system, f"touch {mark}")
    path.write_bytes(archive(pickle.dumps({"a": bomb, "b": np.ones(2)}, 2)))
    assert load_weights(path)["b"].tolist() == [1, 1]
    assert not mark.exists()


LYING = {
    "more elements than bytes": (tensor(1 << 40, 0, (2,), (1,)), "8 bytes for 1099511627776"),
    "a shape beyond the storage": (tensor(2, 0, (1 << 40,), (1,)), "needs 4398046511104 bytes"),
    "an offset beyond the storage": (tensor(2, 2, (1,), (1,)), "needs 12 bytes of a storage"),
    "strides beyond the storage": (tensor(2, 0, (2, 2), (1, 1 << 50)), "needs .* bytes"),
    "a negative offset": (tensor(2, -1, (1,), (1,)), "no numbers from 0 on"),
    "a negative stride": (tensor(2, 1, (2,), (-1,)), "no numbers from 0 on"),
    "a negative size": (tensor(2, 0, (-1,), (1,)), "no numbers from 0 on"),
    "sizes whose product overflows": (tensor(2, 0, (1 << 62, 4), (1, 1)), "needs .* bytes"),
    "sizes that no array has": (tensor(2, 0, (0, 1 << 62, 1 << 62), (1, 1, 1)), "no array can"),
    "more axes than an array has": (tensor(2, 0, (1,) * 70, (1,) * 70), "do not fit"),
    "shape and strides of two lengths": (tensor(2, 0, (1, 1), (1,)), "do not fit"),
    "a storage that is missing": (tensor(2, 0, (2,), (1,), key="1"), "'data/1' is missing"),
    "a storage outside of the folder": (tensor(2, 0, (2,), (1,), key="../0"), "has the key"),
    "a negative number of elements": (tensor(-2, 0, (2,), (1,)), "no kind or no size"),
    "a storage of an unknown kind": (
        tensor(2, 0, (2,), (1,), kind="QInt8Storage"),
        "names torch.QInt8Storage",
    ),
}


@pytest.mark.parametrize("what", LYING)
def test_sizes_are_checked_before_memory_is_taken(what: str) -> None:
    pickled, match = LYING[what]
    refused(archive(pickled, {"0": struct.pack("<2f", 1, 2)}), match)


def test_a_true_file_of_the_same_kind_is_read() -> None:
    good = archive(tensor(2, 0, (2, 1), (1, 5)), {"0": struct.pack("<2f", 1, 2)})
    assert pellucid.load(io.BytesIO(good)).tolist() == [[1], [2]]


PICKLES = {
    "a text that claims 4 GiB": b"\x80\x02X\xff\xff\xff\xff.",
    "bytes that claim 2 EiB": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 61) + b".",
    "a number that claims 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "no end": b"\x80\x02]q\x00",
    "nothing": b"",
    "an empty stack": b"\x80\x02.",
    "a missing mark": b"\x80\x02t.",
    "a missing memo": b"\x80\x02h\x07.",
    "a key that cannot be one": b"\x80\x02}]Ns.",
    "a call of a number": b"\x80\x02K\x01)R.",
    "an object of a number": b"\x80\x02K\x01)\x81.",
    "state for a list": b"\x80\x02]}b.",
    "an extension": b"\x80\x02\x82\x01.",
    "arguments that are none": b"\x80\x02" + named("collections", "OrderedDict") + b"K\x01R.",
    "a huge range as bytes": b"\x80\x02" + named("builtins", "bytes") + number(1 << 40) + b"\x85R.",
    "a decimal number without end": b"I" + b"9" * 10000 + b"\n.",
    "deep nesting": b"\x80\x02" + b"}" + b")" + b"\x85" * 300_000 + b"Ns.",
    "an object dtype": b"\x80\x02" + named("numpy", "dtype") + b"X\x01\x00\x00\x00O\x85R.",
    "a class by attribute": b"\x80\x04" + b"\x8c\x08builtins\x8c\x09eval.func\x93.",
    "a dunder": b"\x80\x04" + b"\x8c\x05torch\x8c\x09__class__\x93.",
}


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("what", PICKLES)
def test_pickles_that_break_the_rules(what: str, weights_only: bool) -> None:
    refused(archive(PICKLES[what]), "cannot be", weights_only=weights_only)


def test_containers_within_containers_do_not_multiply(tmp_path: Path) -> None:
    """Forty levels of "the one below, twice" would be 2⁴⁰ tensors."""
    level: Any = np.ones(2)
    for _ in range(40):
        level = [level, level]
    path = tmp_path / "a.pt"
    path.write_bytes(archive(pickle.dumps(level, 2)))
    assert len(load_weights(path)) < 100


def test_archives_that_claim_more_than_they_are() -> None:
    pickled = tensor(2, 0, (2,), (1,))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a/data.pkl", pickled)
        made.writestr("a/data/0", b"\0" * (64 << 20))
    refused(file.getvalue(), "more bytes than the file has")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a/data.pkl", pickled)
    refused(file.getvalue(), "compressed or encrypted|more bytes")
    refused(archive(b"N.", {}, **{"constants.pkl": b""}), "TorchScript")
    refused(archive(b"N.", byteorder=b"middle"), "byte order")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("other/file.txt", "x")
    refused(file.getvalue(), "none that PyTorch's save writes")
    refused(b"ordinary text, no weights", "cannot be")
    refused(b"", "cannot be")


def test_the_old_format_claims_no_more_than_the_file() -> None:
    start = b"".join(pickle.dumps(p, 2) for p in (MAGIC, PROTOCOL, {"little_endian": True}))
    keys = pickle.dumps(["0"], 2)
    large = tensor(1 << 40, 0, (2,), (1,))
    refused(start + large + keys + struct.pack("<q", 1 << 40), "more bytes than the file has")
    small = tensor(2, 0, (2,), (1,))
    refused(start + small + keys + struct.pack("<q", 3) + b"\0" * 12, "another number")
    refused(start + small + keys + struct.pack("<q", 2) + b"\0" * 4, "ends within storage 0")
    refused(start + small + pickle.dumps(["1"], 2) + b"\0" * 16, "not those")
    other = b"".join(pickle.dumps(p, 2) for p in (MAGIC, 1, {}))
    refused(other, "version 1")


@pytest.mark.parametrize("old", [False, True])
def test_damage_of_every_byte_is_noticed_or_harmless(old: bool, rng: np.random.Generator) -> None:
    """Flipped, cut and joined files: a value or a DataError, nothing else."""
    file = io.BytesIO()
    value = {"a": pellucid.arange(6.0).reshape(2, 3), "n": np.arange(3), "c": [1, "x", None]}
    pellucid.save(value, file, None, 2, not old)
    whole = file.getvalue()
    outcomes = set()
    for turn in range(900):
        content = bytearray(whole)
        kind = turn % 3
        for _ in range(int(rng.integers(1, 4))):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
        if kind == 1:
            del content[int(rng.integers(len(content))) :]
        elif kind == 2:
            at, length = int(rng.integers(len(content))), int(rng.integers(1, 40))
            content[at:at] = content[int(rng.integers(len(content))) :][:length]
        try:
            pellucid.load(io.BytesIO(bytes(content)), weights_only=bool(turn % 2))
            outcomes.add("read")
        except DataError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_lists_of_shards_stay_in_their_folder(tmp_path: Path) -> None:
    pellucid.save({"w": pellucid.ones(2)}, tmp_path / "secret.bin")
    folder = tmp_path / "model"
    folder.mkdir()
    index = folder / "pytorch_model.bin.index.json"
    for shard in ("../secret.bin", str(tmp_path / "secret.bin"), "..", "", "a\\b"):
        index.write_text(json.dumps({"weight_map": {"w": shard}}))
        with pytest.raises(DataError, match="names the shard"):
            load_weights(folder)
    index.write_text('{"weight_map": {"w": "gone.bin"}}')
    with pytest.raises(DataError, match="gone.bin, which is not there"):
        load_weights(folder)
    for text in ("[" * 100000, "{}", '{"weight_map": 3}', "x"):
        index.write_text(text)
        with pytest.raises(DataError, match="no list of shards"):
            load_weights(folder)


def test_numpy_archives_claim_no_more_than_they_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"
        header += b" " * (117 - len(header)) + b"\n"
        made.writestr("w.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(DataError):
        load_weights(path)
    np.savez(path, w=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="cannot be read"):
        load_weights(path)
