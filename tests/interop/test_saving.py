"""``save`` and ``load``: what was written comes back, PyTorch reads it, and PyTorch's files are
read without PyTorch."""

from __future__ import annotations

import argparse
import collections
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_same
from pellucid import nn
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DataError
from pellucid.interop.pytorch.writing import ALIGNMENT

DTYPES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
FORMATS = (True, False)


def checkpoint() -> dict[str, Any]:
    """What programs put into a checkpoint, and a step of training before."""
    pellucid.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = pellucid.optim.Adam(model.parameters(), lr=0.01)
    model(pellucid.randn(8, 3)).square().sum().backward()
    optimizer.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": 0.25,
        "args": argparse.Namespace(lr=0.01, name="x"),
        "history": [(1, 0.5), (2, None)],
        "rng": pellucid.get_rng_state(),
    }


def same(a: Any, b: Any) -> None:
    """Equal values, classes and shapes, through containers."""
    if isinstance(a, pellucid.Tensor):
        assert a.dtype is b.dtype and a.requires_grad == b.requires_grad
        assert_same(a.float(), b.float(), 0, 0)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert type(a) is type(b) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("archive", FORMATS)
def test_a_checkpoint_comes_back_and_training_goes_on_as_if_nothing_had_been(
    tmp_path: Path, archive: bool
) -> None:
    written = checkpoint()
    path = tmp_path / "last.pt"
    pellucid.save(written, path, _use_new_zipfile_serialization=archive)
    read = pellucid.load(path)
    same(written, read)
    results = []
    for state in (written, read):
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
        optimizer = pellucid.optim.Adam(model.parameters(), lr=0.5)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        pellucid.set_rng_state(state["rng"])
        for _ in range(3):
            optimizer.zero_grad()
            model(pellucid.randn(8, 3)).square().sum().backward()
            optimizer.step()
        results.append(as_array(model[3].weight))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("archive", FORMATS)
def test_shared_memory_is_written_once_and_shared_again(archive: bool) -> None:
    x = pellucid.arange(12.0).reshape(3, 4)
    apart = pellucid.arange(5)
    file = io.BytesIO()
    pellucid.save([x, x.t(), x[1], x[:, ::2], apart, x], file, None, 2, archive)
    file.seek(0)
    whole, turned, row, columns, other, again = pellucid.load(file)
    assert as_array(turned).tolist() == as_array(x.t()).tolist()
    whole[1, 2] = 77.0
    assert row[2] == 77 and turned[2, 1] == 77 and columns[1, 1] == 77 and again is whole
    assert as_array(other).tolist() == [0, 1, 2, 3, 4]
    if archive:
        stored = [n for n in zipfile.ZipFile(file).namelist() if "/data/" in n]
        assert [n.split("/")[-1] for n in stored] == ["0", "1"]


def test_a_part_of_a_large_tensor_makes_a_small_file() -> None:
    file = io.BytesIO()
    pellucid.save(pellucid.zeros(1 << 20)[:4], file)
    assert len(file.getvalue()) < 5000


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_and_awkward_shape_comes_back(name: str) -> None:
    dtype = getattr(pellucid, name)
    base = pellucid.tensor([[0, 1, 0], [2, 3, 1]]).to(dtype)
    tensors = [base, base[0, 1], base[:, :0], base.t(), base.flip(1), base[0:1].expand(4, 3)]
    file = io.BytesIO()
    pellucid.save(tensors, file)
    file.seek(0)
    for before, after in zip(tensors, pellucid.load(file), strict=True):
        assert after.dtype is dtype
        assert_same(before.float(), after.float(), 0, 0)


def test_storages_lie_at_multiples_and_can_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    pellucid.save({"a": pellucid.ones(3), "b": pellucid.arange(5)}, path)
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for entry in archive.infolist():
            file.seek(entry.header_offset + 26)
            name, extra = np.frombuffer(file.read(4), "<u2")
            assert (entry.header_offset + 30 + int(name) + int(extra)) % ALIGNMENT == 0
    before = path.read_bytes()
    mapped = pellucid.load(path, mmap=True)
    mapped["a"] += 1
    assert mapped["a"].tolist() == [2, 2, 2] and mapped["b"].tolist() == [0, 1, 2, 3, 4]
    assert path.read_bytes() == before


def test_parameters_requires_grad_and_metadata_are_kept() -> None:
    model = nn.BatchNorm1d(2)
    frozen = nn.Parameter(pellucid.ones(2), requires_grad=False)
    leaf = pellucid.ones(2, requires_grad=True)
    file = io.BytesIO()
    pellucid.save([frozen, leaf, model.state_dict(), pellucid.bfloat16], file)
    file.seek(0)
    parameter, tensor, state, dtype = pellucid.load(file)
    assert isinstance(parameter, nn.Parameter) and not parameter.requires_grad
    assert type(tensor) is pellucid.Tensor and tensor.requires_grad
    assert dtype is pellucid.bfloat16
    assert list(state) == list(model.state_dict())


def test_what_stood_there_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    pellucid.save(1, path)
    with pytest.raises(ArgumentTypeError, match="cannot be written to a file"):
        pellucid.save({"f": lambda: 0}, path)
    assert pellucid.load(path) == 1 and [p.name for p in tmp_path.iterdir()] == ["a.pt"]


class Net(nn.Module):
    """A model of a program."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
        self.register_buffer("seen", pellucid.zeros(1))
        self.activation = nn.functional.relu

    def forward(self, x: Any) -> Any:
        return self.activation(self.inner(x)) + self.seen


def test_a_whole_model_is_read_only_when_asked_for() -> None:
    model = Net()
    file = io.BytesIO()
    pellucid.save(model, file)
    file.seek(0)
    with pytest.raises(DataError, match=r"names .*Net, which is not on the list .* executed"):
        pellucid.load(file)
    file.seek(0)
    read = pellucid.load(file, weights_only=False)
    x = pellucid.randn(4, 2)
    assert_same(read(x), model(x), 0, 0)
    read(x).sum().backward()
    assert [n for n, _ in read.named_parameters()] == ["inner.0.weight", "inner.0.bias"]


class Settings:
    """A class of a program that is no module."""

    def __init__(self, rate: float) -> None:
        self.rate = rate


def test_a_class_of_the_program_needs_its_word() -> None:
    file = io.BytesIO()
    pellucid.save(Settings(0.5), file)
    file.seek(0)
    with pytest.raises(DataError, match="add_safe_globals"):
        pellucid.load(file)
    with pellucid.serialization.safe_globals([Settings]):
        file.seek(0)
        assert pellucid.load(file).rate == 0.5
        assert Settings in pellucid.serialization.get_safe_globals()
    assert Settings not in pellucid.serialization.get_safe_globals()


def test_places_that_are_not_there_are_refused_and_functions_are_asked() -> None:
    file = io.BytesIO()
    pellucid.save([pellucid.ones(2), pellucid.arange(3)], file)
    asked: list[str] = []
    file.seek(0)
    pellucid.load(file, map_location=lambda storage, where: asked.append(where))
    assert asked == ["cpu", "cpu"]
    for place in ("cuda", {"cpu": "cuda:1"}):
        file.seek(0)
        with pytest.raises(RuntimeError, match="cuda"):
            pellucid.load(file, map_location=place)
    for place in ("cpu", pellucid.device("cpu"), {"cuda:0": "cpu"}):
        file.seek(0)
        assert pellucid.load(file, map_location=place)[1].tolist() == [0, 1, 2]


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(ArgumentTypeError, match="got a int as the file"):
        pellucid.save(1, 3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="got a list as the file"):
        pellucid.load([])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="give the path"):
        pellucid.load(io.BytesIO(), mmap=True)
    with pytest.raises(ArgumentError, match="pickle_protocol=9"):
        pellucid.save(1, io.BytesIO(), pickle_protocol=9)
    with pytest.raises(TypeError, match="unexpected keyword argument 'shuffle'"):
        pellucid.load(io.BytesIO(), shuffle=True)  # type: ignore[call-arg]
    with pytest.raises(FileNotFoundError):
        pellucid.load("no such file.pt")


# ---- PyTorch ------------------------------------------------------------------------------------


def torch_objects(torch: Any) -> dict[str, Any]:
    """What PyTorch's files hold, with what is odd about them."""
    x = torch.arange(12.0).reshape(3, 4)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    every = {name: torch.tensor([0, 1, 3]).to(getattr(torch, name)) for name in DTYPES}
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "every": every,
        "x": x,
        "turned": x.t(),
        "row": x[1],
        "stretched": torch.ones(3).expand(2, 3),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": [1, 2.5, None, True, "text", b"bytes", 1 + 2j, {3}, (4,), 2**70],
        "array": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::2],
        "number": np.float64(1.5),
        "counts": collections.Counter("aab"),
        "lists": collections.defaultdict(list, {"a": [1]}),
        "args": argparse.Namespace(lr=0.1),
    }


def as_plain(value: Any) -> Any:
    """Tensors of either library as (dtype, shape, values), so that structures compare."""
    if hasattr(value, "detach"):
        dtype = str(value.dtype).split(".")[-1]
        wide = value.detach().double() if dtype in ("bfloat16", "float16") else value.detach()
        return dtype, tuple(value.shape), wide.numpy().tolist(), bool(value.requires_grad)
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return value


@pytest.mark.parity
@pytest.mark.parametrize("archive", FORMATS)
@pytest.mark.parametrize("mmap", [None, True])
def test_what_pytorch_wrote_is_read(tmp_path: Path, archive: bool, mmap: bool | None) -> None:
    torch = pytest.importorskip("torch")
    if mmap and not archive:
        pytest.skip("the old format cannot be mapped")
    written = torch_objects(torch)
    path = tmp_path / "a.pt"
    torch.save(written, path, _use_new_zipfile_serialization=archive)
    read = pellucid.load(path, mmap=mmap)
    assert as_plain(read) == as_plain(written)
    assert read["model"]._metadata == written["model"]._metadata
    assert isinstance(read["parameter"], nn.Parameter) and type(read["lists"]["b"]) is list
    read["x"][1, 0] = 77.0
    assert read["row"][0] == 77 and read["turned"][0, 1] == 77


@pytest.mark.parity
@pytest.mark.parametrize("archive", FORMATS)
def test_pytorch_reads_what_was_written(tmp_path: Path, archive: bool) -> None:
    torch = pytest.importorskip("torch")
    x = pellucid.arange(12.0).reshape(3, 4)
    written = checkpoint() | {"x": x, "turned": x.t(), "row": x[1], "dtype": pellucid.float16}
    written["every"] = {
        name: pellucid.tensor([0, 1, 3]).to(getattr(pellucid, name)) for name in DTYPES
    }
    written["size"] = x.shape
    del written["args"]  # PyTorch asks for add_safe_globals
    path = tmp_path / "a.pt"
    pellucid.save(written, path, _use_new_zipfile_serialization=archive)
    read = torch.load(path, weights_only=True)
    assert read.pop("dtype") is torch.float16 and written.pop("dtype")
    assert as_plain(read) == as_plain(written)
    assert read["x"].untyped_storage().data_ptr() == read["row"].untyped_storage().data_ptr()
    layers = torch.nn
    twin = layers.Sequential(
        layers.Linear(3, 4), layers.BatchNorm1d(4), layers.ReLU(), layers.Linear(4, 2)
    )
    twin.load_state_dict(read["model"])
    torch.optim.Adam(twin.parameters()).load_state_dict(read["optimizer"])
    if archive:
        mapped = torch.load(path, weights_only=True, mmap=True)
        assert mapped["x"].tolist() == written["x"].tolist()


@pytest.mark.parity
def test_numbers_with_the_highest_byte_first_are_turned(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path, other = tmp_path / "a.pt", tmp_path / "b.pt"
    torch.save({"a": torch.tensor([1.5, -2.0]), "b": torch.tensor([1, 258])}, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith("byteorder"):
                content = b"big"
            elif entry.filename.endswith("/data/0"):
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            elif entry.filename.endswith("/data/1"):
                content = np.frombuffer(content, "<i8").astype(">i8").tobytes()
            new.writestr(entry.filename, content)
    read = pellucid.load(other)
    assert read["a"].tolist() == [1.5, -2.0] and read["b"].tolist() == [1, 258]


@pytest.mark.parity
def test_layers_of_pytorch_become_ours() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    layers = torch.nn
    models = [
        (layers.Sequential(layers.Conv2d(3, 4, 3, padding=1), layers.BatchNorm2d(4)), (2, 3, 5, 5)),
        (layers.LSTM(3, 4, num_layers=2, batch_first=True), (2, 5, 3)),
        (layers.TransformerEncoderLayer(8, 2, 16, dropout=0.0), (5, 2, 8)),
        (layers.Sequential(layers.Flatten(), layers.Linear(6, 2), layers.Softmax(-1)), (2, 2, 3)),
    ]
    for model, shape in models:
        file = io.BytesIO()
        torch.save(model.eval(), file)
        file.seek(0)
        read = pellucid.load(file, weights_only=False)
        x = torch.randn(shape)
        expected, found = model(x), read(pellucid.tensor(x.numpy()))
        if isinstance(expected, tuple):
            expected, found = expected[0], found[0]
        assert_same(found, expected, 1e-4, 1e-5)


def test_reading_needs_neither_pytorch_nor_the_native_compiler(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    pellucid.save({"a": pellucid.ones(2)}, path)
    code = (
        "import sys, pellucid; t = pellucid.load(sys.argv[1])['a']; print(t.tolist(), "
        "[m for m in ('torch', 'llvmlite', 'safetensors') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[1.0, 1.0] []"
