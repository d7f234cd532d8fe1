"""Files of the safetensors format: the format's own library is the judge, every dtype is read or
refused by its name, and no damage ends in anything but a DataError."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, DataError
from pellucid.interop.safetensors import load_arrays, load_file, load_metadata, save_file

library = pytest.importorskip("safetensors")


def packed(header: object, data: bytes = b"") -> bytes:
    """A file from a header (JSON text, or values) and the bytes of its tensors."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[Any], start: int, stop: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    return path


# ---- dtypes ------------------------------------------------------------------------------------

LACKING = {
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "U32": 4,
    "U64": 8,
}
"""Dtypes of the format that Pellucid has not, and their bytes an element."""


@pytest.mark.parametrize("dtype", LACKING)
def test_a_dtype_we_lack_is_refused_by_name_and_the_rest_is_read(
    tmp_path: Path, dtype: str
) -> None:
    values = np.array([1.5, -2.0], np.float32)
    size = LACKING[dtype] * 3
    header = {
        "__metadata__": {"note": "ok"},
        "a": entry("F32", [2], 0, 8),
        "odd": entry(dtype, [3], 8, 8 + size),
        "b": entry("I64", [], 8 + size, 16 + size),
    }
    content = packed(header, values.tobytes() + bytes(size) + struct.pack("<q", -7))
    library.deserialize(content)  # valid, says the format's own reader
    found = load_file(written(tmp_path, content))
    np.testing.assert_array_equal(found["a"].numpy(), values)
    assert found["b"].item() == -7 and found["b"].dtype is pellucid.int64
    assert list(found) == ["a", "b", "odd"] and len(found) == 3 and "odd" in found
    assert load_metadata(tmp_path / "x.safetensors") == {"note": "ok"}
    holder = pellucid.nn.Module()
    holder.odd = pellucid.nn.Parameter(pellucid.zeros(3))  # type: ignore[assignment]
    text = rf"The tensor 'odd' of .*x\.safetensors has the dtype {dtype}, which Pellucid has not"
    for use in (
        lambda: found["odd"],
        lambda: found.get("odd"),
        lambda: found.pop("odd"),
        lambda: list(found.items()),
        lambda: list(found.values()),
        lambda: dict(found),
        lambda: {**found},
        lambda: holder.load_state_dict(found),
    ):
        with pytest.raises(DataError, match=text):
            use()
    assert found.unreadable == {"odd": dtype}  # type: ignore[attr-defined]
    del found["odd"]
    assert set(dict(found)) == {"a", "b"} and "odd" not in found
    with pytest.raises(KeyError):
        found["odd"]


@pytest.mark.parity
def test_what_pytorch_writes_is_read_bit_by_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    """Every dtype that both have, float16 and bfloat16 with all their 65,536 patterns."""
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("safetensors.torch")
    patterns = np.arange(65536, dtype=np.uint16)
    tensors = {
        "half": torch.from_numpy(patterns.view(np.float16).copy()),
        "brain": torch.from_numpy(patterns.view(np.int16).copy()).view(torch.bfloat16),
        "single": torch.from_numpy(rng.normal(size=(3, 4)).astype(np.float32)),
        "double": torch.from_numpy(rng.normal(size=(2, 1, 2))),
        "bool": torch.tensor([True, False, True]),
        "none": torch.zeros(0, 5),
        "one": torch.tensor(3.5),
    }
    for name in ("int8", "int16", "int32", "int64", "uint8"):
        tensors[name] = torch.tensor([[1, 2], [3, 127]], dtype=getattr(torch, name))
    theirs.save_file(tensors, tmp_path / "x.safetensors")
    found = load_file(tmp_path / "x.safetensors")
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        expected = tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.dim() else None
        assert str(found[name].dtype).split(".")[-1] == str(tensor.dtype).split(".")[-1]
        assert tuple(found[name].shape) == tuple(tensor.shape)
        if expected is not None:
            assert found[name].array().tobytes() == expected, name
    save_file(found, tmp_path / "y.safetensors")
    again = theirs.load_file(tmp_path / "y.safetensors")
    for name, tensor in tensors.items():
        if tensor.dim():
            assert torch.equal(again[name].view(torch.uint8), tensor.view(torch.uint8)), name


@pytest.mark.parity
def test_float8_of_pytorch_does_not_keep_the_weights_beside_it_from_being_read(
    tmp_path: Path,
) -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("safetensors.torch")
    if not hasattr(torch, "float8_e4m3fn"):
        pytest.skip("this PyTorch has no float8")
    weights = torch.arange(6.0).reshape(2, 3)
    narrow = weights.to(torch.float8_e4m3fn)
    theirs.save_file({"w": weights, "scale": narrow}, tmp_path / "x.safetensors")
    found = load_file(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(found["w"].numpy(), weights.numpy())
    with pytest.raises(DataError, match="'scale' .* F8_E4M3"):
        found["scale"]


def test_any_byte_but_zero_is_true(tmp_path: Path) -> None:
    content = packed({"a": entry("BOOL", [3], 0, 3)}, b"\x00\x01\x07")
    assert load_file(written(tmp_path, content))["a"].tolist() == [False, True, True]


def test_tensors_that_were_read_can_be_written_to(tmp_path: Path) -> None:
    save_file({"a": pellucid.ones(3)}, tmp_path / "x.safetensors")
    found = load_file(tmp_path / "x.safetensors")["a"]
    found.add_(1)
    assert found.tolist() == [2, 2, 2]


# ---- files that are damaged --------------------------------------------------------------------

GOOD = entry("F32", [1], 0, 4)
WORD = b"1234"
DAMAGED: dict[str, bytes] = {
    "nothing": b"",
    "half a length": b"123",
    "a length of all memory": struct.pack("<Q", 2**63),
    "a header longer than the file": struct.pack("<Q", 100) + b"{}",
    "nested lists": packed(b"[" * 100_000),
    "nested objects": packed(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "a nested entry": packed(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "no object": packed([1]),
    "null": packed(None),
    "bytes that are no text": packed(b'{"\xff": {}}'),
    "a name twice": packed(b'{"a":' + json.dumps(GOOD).encode() + b',"a":'
                           + json.dumps(GOOD).encode() + b"}", WORD),
    "a field twice": packed(b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],'
                            b'"data_offsets":[0,4]}}', WORD),
    "tensors that overlap": packed({"a": GOOD, "b": GOOD}, WORD),
    "bytes behind the last tensor": packed({"a": GOOD}, WORD + b"5"),
    "a hole": packed({"a": GOOD, "b": entry("F32", [1], 8, 12)}, WORD * 3),
    "bytes that are missing": packed({"a": GOOD}, WORD[:3]),
    "half an extent": packed({"a": entry("F32", [2.7], 0, 4)}, WORD),
    "an extent as text": packed({"a": entry("F32", ["1"], 0, 4)}, WORD),
    "an extent below zero": packed({"a": entry("F32", [-1], 0, 4)}, WORD),
    "an extent without end": packed(b'{"a":{"dtype":"F32","shape":[Infinity],'
                                    b'"data_offsets":[0,4]}}', WORD),
    "70 axes": packed({"a": entry("F32", [1] * 70, 0, 4)}, WORD),
    "more axes than can be": packed({"a": entry("U16", [1] * 70, 0, 2)}, WORD[:2]),
    "no element of too many": packed({"a": entry("F32", [0, 2**62], 0, 0)}),
    "no element of far too many": packed({"a": entry("F32", [0, 2**64 - 1, 2**64 - 1], 0, 0)}),
    "a product that overflows": packed({"a": entry("F32", [2**33, 2**33], 0, 4)}, WORD),
    "offsets the wrong way": packed({"a": entry("F32", [1], 4, 0)}, WORD),
    "offsets below zero": packed({"a": entry("F32", [1], -4, 0)}, WORD),
    "a dtype of nobody": packed({"a": entry("F99", [1], 0, 4)}, WORD),
    "no dtype": packed({"a": {"shape": [1], "data_offsets": [0, 4]}}, WORD),
    "texts that are a number": packed({"__metadata__": 3.5}),
    "a text that is a number": packed({"__metadata__": {"a": 1}}),
    "a text twice": packed(b'{"__metadata__":{"a":"1","a":"2"}}'),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_a_data_error(tmp_path: Path, what: str) -> None:
    path = written(tmp_path, DAMAGED[what])
    for read in (load_file, load_metadata, lambda p: load_arrays(p.read_bytes(), str(p))):
        with pytest.raises(DataError, match=r"x\.safetensors is no safetensors file"):
            read(path)


def test_a_large_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", 2**34))
        file.truncate(2**35)  # sparse: takes no room
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="is no safetensors file"):
            load_file(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_folders_pipes_and_missing_files(tmp_path: Path) -> None:
    import os

    with pytest.raises(DataError, match="folder or a device"):
        load_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_file(tmp_path / "nothing")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataError, match="folder or a device"):
            load_file(tmp_path / "pipe")


def test_three_thousand_damaged_files_are_read_or_refused(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Changed, cut, doubled and inserted bytes: what the format's own reader refuses is a DataError
    here; what it takes is read with the values it gives, or refused."""
    tensors = {
        "w": pellucid.tensor(rng.normal(size=(3, 2)).astype(np.float32)),
        "b": pellucid.tensor(rng.normal(size=5)).bfloat16(),
        "n": pellucid.tensor([1, 2, 3]),
    }
    good = tmp_path / "good.safetensors"
    save_file(tensors, good, {"k": "v"})
    content = good.read_bytes()
    path = tmp_path / "x.safetensors"
    accepted = 0
    for _ in range(3000):
        damaged = bytearray(content)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, max(1, min(len(damaged), 330))))
            kind = int(rng.integers(5))
            if kind <= 1:
                damaged[at : at + 1] = bytes([int(rng.integers(256))])
            elif kind == 2:
                damaged[at : at + 1] = bytes(rng.choice(list(b'0123456789,:[]{}"-.eE')))
            elif kind == 3:
                del damaged[at : at + int(rng.integers(1, 9))]
            else:
                damaged[at:at] = damaged[at : at + int(rng.integers(1, 9))]
        path.write_bytes(damaged)
        try:
            expected = dict(library.deserialize(bytes(damaged)))
        except library.SafetensorError:
            expected = None
        try:
            found = load_file(path)
            accepted += 1
        except DataError:
            continue
        assert expected is not None, bytes(damaged)
        assert set(found) == set(expected)
        for name in set(found) - set(getattr(found, "unreadable", {})):
            if found[name].dtype is not pellucid.bool:
                assert found[name].array().tobytes() == bytes(expected[name]["data"])
    assert accepted > 20


# ---- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensors", "metadata", "text"),
    [
        ({"__metadata__": pellucid.ones(1)}, None, "cannot be the name of a tensor"),
        ({3: pellucid.ones(1)}, None, "3 cannot be the name of a tensor"),
        ({"a": pellucid.ones(1)}, {"epoch": 3}, "metadata holds 'epoch': 3"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_before_a_file_is_made(
    tmp_path: Path, tensors: Any, metadata: Any, text: str
) -> None:
    with pytest.raises(ArgumentError, match=text):
        save_file(tensors, tmp_path / "x.safetensors", metadata)
    assert list(tmp_path.iterdir()) == []
