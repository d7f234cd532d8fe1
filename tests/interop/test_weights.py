"""Weights from any kind of file, in shards, and what is said about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_same
from pellucid import nn
from pellucid.base.errors import ArgumentError, DataError
from pellucid.insight.weights import facts_of
from pellucid.interop import load_weights, save_file, save_sharded

pytest.importorskip("safetensors")


def weights() -> dict[str, pellucid.Tensor]:
    return {
        "a": pellucid.arange(6.0).reshape(2, 3),
        "b": pellucid.tensor([1, 2]),
        "c": pellucid.tensor([1.5, -2.0]).bfloat16(),
    }


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("kind", ["safetensors", "pt", "bin", "npz"])
def test_the_same_tensors_from_every_kind_of_file(tmp_path: Path, kind: str, mmap: bool) -> None:
    written = weights()
    path = tmp_path / f"w.{kind}"
    if kind == "safetensors":
        save_file(written, path)
    elif kind == "npz":
        del written["c"]
        np.savez_compressed(path, **{name: as_array(t) for name, t in written.items()})
    else:
        pellucid.save(written, path)
    read = load_weights(path, mmap=mmap)
    assert list(read) == list(written)
    for name, tensor in written.items():
        assert read[name].dtype is tensor.dtype
        assert_same(read[name].float(), tensor.float(), 0, 0)
    before = path.read_bytes()
    read["a"] += 1
    assert read["a"][0, 0] == 1 and path.read_bytes() == before


def test_nested_containers_and_whole_models_give_the_names_of_state_dicts(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.BatchNorm1d(3)))
    path = tmp_path / "m.pt"
    pellucid.save({"model": model.state_dict(), "steps": [pellucid.ones(1)]}, path)
    assert list(load_weights(path)) == [f"model.{n}" for n in model.state_dict()] + ["steps.0"]
    pellucid.save(model, path)
    assert set(load_weights(path)) == set(model.state_dict())
    assert load_weights(path)["1.0.running_var"].tolist() == [1, 1, 1]


def test_shards_are_no_larger_than_asked_for_and_come_back(tmp_path: Path) -> None:
    written = {str(i): pellucid.full((10 * i,), float(i)) for i in range(1, 6)}
    index = save_sharded(written, tmp_path / "m", 320, {"note": "x"})
    shards = json.loads(index.read_text())["weight_map"]
    assert shards["1"] == shards["2"] == "model-00001-of-00003.safetensors"
    sizes: dict[str, int] = {}
    for name, shard in shards.items():
        sizes[shard] = sizes.get(shard, 0) + written[name].numel() * 4
    assert max(sizes.values()) <= 320 and len(sizes) == 3
    for place in (index, tmp_path / "m"):
        read = load_weights(place, mmap=True)
        assert list(read) == list(written)
        assert all(read[n].tolist() == written[n].tolist() for n in written)
    for size in (0, "5 parsecs", "-1GB", True):
        with pytest.raises(ArgumentError, match="max_shard_size"):
            save_sharded(written, tmp_path / "n", size)


def test_the_names_of_other_libraries_shards_work(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    library.save_file({"x": np.ones(2, np.float32)}, tmp_path / "model-1.safetensors")
    text = json.dumps({"metadata": {}, "weight_map": {"x": "model-1.safetensors"}})
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert load_weights(tmp_path)["x"].tolist() == [1, 1]
    text = json.dumps({"weight_map": {"y": "model-1.safetensors"}})
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(DataError, match="holds 'y', which it does not"):
        load_weights(tmp_path)


def test_figures_are_those_of_numpy(rng: np.random.Generator) -> None:
    for shape in ((5,), (7, 300), (3, 5, 7)):
        values = (rng.normal(size=shape) + 1e4).astype(np.float32)
        values.flat[0] = 0.0
        facts = facts_of("x", pellucid.tensor(values))
        wide = values.astype(np.float64)
        found = (facts.mean, facts.std, facts.low, facts.high, facts.zeros)
        expected = (wide.mean(), wide.std(), wide.min(), wide.max(), (wide == 0).mean())
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    x = pellucid.arange(1000.0).reshape(1, 20, 50).transpose(1, 2)
    whole = facts_of("x", x)
    monkeypatch.setattr("pellucid.insight.weights._BLOCK", 64)
    parts = facts_of("x", x)
    assert (parts.mean, parts.low, parts.high) == (whole.mean, whole.low, whole.high)
    assert parts.std == pytest.approx(np.arange(1000).std(), rel=1e-14)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: pellucid.tensor([1.0, float("nan"), float("nan")]), ["2 NaN"]),
        (lambda: pellucid.tensor([1.0, -float("inf")]), ["1 infinite"]),
        (lambda: pellucid.zeros(2, 2), ["all zero"]),
        (lambda: pellucid.ones(2, 2), ["all equal"]),
        (lambda: pellucid.zeros(4), []),
        (lambda: pellucid.eye(4)[:3] * 2, []),
        (lambda: pellucid.tensor([[0.0, 0.0], [1.0, 2.0]]), ["1 of 2 rows are zero"]),
        (lambda: pellucid.tensor([[-3e5, 1.0], [1.0, 2.0]]), ["values up to 3.0e+05"]),
        (lambda: pellucid.tensor([[7, 7], [7, 7]]), []),
        (lambda: pellucid.zeros(0, 3), []),
    ],
)
def test_what_looks_wrong_is_said(value: Callable[[], Any], words: list[str]) -> None:
    assert list(facts_of("x", value()).suspicious) == words


def test_a_stretched_tensor_is_looked_at_once() -> None:
    facts = facts_of("x", pellucid.tensor([1.0, 3.0]).expand(1 << 40, 2))
    assert facts.count == 1 << 41 and facts.mean == 2 and facts.suspicious == ()
