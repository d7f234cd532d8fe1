"""Run folders: whole or absent, exact when read again, and refused when they are not ours."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, FileError, RunFolderError
from pellucid.data.sources import load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.files import write_file
from pellucid.training.network import build_mlp, parameter_shapes
from pellucid.training.run_folder import (
    FILES,
    MODEL,
    RECORDS,
    REPORT,
    REPORT_DATA,
    SETTINGS,
    WEIGHTS,
    RunWriter,
    default_target,
    load_run,
    read_records,
    weights_from_bytes,
    weights_to_bytes,
)
from pellucid.training.saved_model import SavedModel, describe_run, parse_json


@pytest.fixture(scope="module")
def saved() -> SavedModel:
    """A run on a small table."""
    generator = np.random.default_rng(5)
    table = {
        "size": generator.normal(size=60),
        "colour": generator.choice(["red", "green"], 60),
        "kind": generator.choice(["a", "b", "c"], 60),
    }
    prepared = load_source(table, "kind", task="classification")
    return describe_run(prepared, TrainingConfig(widths=(5,)), "finished", {"test": {"f1": 0.5}})


@pytest.fixture
def run(tmp_path: Path, saved: SavedModel, rng: np.random.Generator) -> Path:
    """A finished run folder with random weights."""
    with RunWriter(tmp_path / "run") as writer:
        writer.record("epoch", loss=0.5, value=np.float32(2), bad=float("nan"))
        writer.write(WEIGHTS, weights_to_bytes(random_weights(saved, rng)))
        writer.write(MODEL, json.dumps(saved.to_json()))
        writer.write(REPORT, "<html></html>")
        return writer.finish()


def random_weights(saved: SavedModel, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {n: rng.normal(size=s).astype(np.float32) for n, s in saved.shapes.items()}


# ---- written and read --------------------------------------------------------------------------


def test_everything_comes_back(run: Path, saved: SavedModel, rng: np.random.Generator) -> None:
    expected = random_weights(saved, rng)
    (run / WEIGHTS).write_bytes(weights_to_bytes(expected))
    model, weights = load_run(run)
    assert model.task == saved.task and model.config == saved.config
    assert model.preprocessor == saved.preprocessor and model.fingerprint == saved.fingerprint
    assert list(weights) == list(expected)
    for name, array in expected.items():
        assert weights[name].dtype == np.float32
        np.testing.assert_array_equal(weights[name], array)
    assert sorted(p.name for p in run.iterdir()) == sorted(set(FILES) - {SETTINGS, REPORT_DATA})
    assert read_records(run)[0]["value"] == 2.0 and read_records(run)[0]["bad"] == "nan"


def test_weights_are_readable_by_the_safetensors_library(rng: np.random.Generator) -> None:
    library = pytest.importorskip("safetensors.numpy")
    weights = {
        "0.weight": rng.normal(size=(3, 2)).astype(np.float32),
        "0.bias": np.ones(3, np.float32),
    }
    content = weights_to_bytes(weights)
    for name, array in library.load(content).items():
        np.testing.assert_array_equal(array, weights[name])
    theirs = library.save(weights)
    shapes = {name: array.shape for name, array in weights.items()}
    for name, array in weights_from_bytes(theirs, shapes).items():
        np.testing.assert_array_equal(array, weights[name])


@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("widths", [(), (7,), (5, 4, 3)])
def test_declared_shapes_are_those_of_the_network(
    activation: str, dropout: float, widths: tuple[int, ...]
) -> None:
    config = TrainingConfig(widths=widths, activation=activation, dropout=dropout)
    built = {n: tuple(p.shape) for n, p in build_mlp(6, config, 2).named_parameters()}
    assert parameter_shapes(6, config, 2) == built


def test_nothing_appears_before_the_end_and_nothing_stays_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunWriter(tmp_path / "run") as writer:
        writer.write(MODEL, "{}")
        assert not (tmp_path / "run").exists()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_overwritten(run: Path) -> None:
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    with pytest.raises(FileError, match="exists already; nothing was changed"):
        RunWriter(run)
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before


def test_a_run_is_replaced_when_asked(run: Path) -> None:
    with RunWriter(run, overwrite=True) as writer:
        writer.write(MODEL, '{"new": 1}')
        writer.finish()
    assert (run / MODEL).read_text() == '{"new": 1}' and not (run / WEIGHTS).exists()
    assert [p.name for p in run.parent.iterdir()] == ["run"]


def test_other_folders_are_never_replaced(tmp_path: Path, run: Path) -> None:
    mine = tmp_path / "documents"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    with pytest.raises(FileError, match="not a run folder: it holds letter.txt"):
        RunWriter(mine, overwrite=True)
    (run / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="it holds notes.txt"):
        RunWriter(run, overwrite=True)
    link = tmp_path / "link"
    link.symlink_to(mine)
    with pytest.raises(FileError, match="not a run folder"):
        RunWriter(link, overwrite=True)
    assert (mine / "letter.txt").read_text() == "dear"


def test_names_of_runs_stay_inside_their_folder() -> None:
    path = default_target("../../etc/pass wd\x00", "runs")
    assert path.parent == Path("runs") and ".." not in path.name and "/" not in path.name


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "read-only for you"),
    ],
)
def test_a_full_disk_or_read_only_folder_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, text: str
) -> None:
    target = tmp_path / "model.json"
    target.write_text("old")

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileError, match=text):
        write_file(target, b"new")
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["model.json"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        RunWriter(tmp_path / "file" / "run")


def test_only_the_files_of_a_run_are_written(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run") as writer:
        with pytest.raises(ArgumentError, match="no file of a run"):
            writer.write("../evil", b"")


# ---- damaged and hostile folders ---------------------------------------------------------------


def test_missing_parts_are_told(tmp_path: Path, run: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        load_run(tmp_path / "nothing")
    with pytest.raises(FileError, match="is a file, not a run folder"):
        load_run(run / MODEL)
    (run / WEIGHTS).unlink()
    with pytest.raises(RunFolderError, match="holds no weights.safetensors"):
        load_run(run)


def change(run: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    data = json.loads((run / MODEL).read_text())
    edit(data)
    (run / MODEL).write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda d: d.update(version=3), "format version 3, this Pellucid knows 2"),
        (lambda d: d.update(format="other"), "format: expected one of pellucid-run"),
        (lambda d: d.pop("task"), "expected the keys"),
        (lambda d: d.update(extra=1), "expected the keys"),
        (lambda d: d.update(inputs=10**9), "inputs: expected a whole number"),
        (lambda d: d.update(inputs=7), "inputs: expected 3|inputs: expected 2"),
        (lambda d: d.update(seed=99), "seed: expected 0"),
        (lambda d: d["config"].update(widths=[65536] * 500), "architecture|bytes of weights"),
        (lambda d: d["config"].update(activation="eval"), "activation='eval'"),
        (lambda d: d["architecture"].update({"0.weight": [1, 1]}), "architecture: expected"),
        (lambda d: d["task"].update(kind="magic"), "task kind"),
        (lambda d: d["task"].update(classes=["a"]), "classes of a multiclass"),
        (lambda d: d["preprocessing"].update(kind="pickle"), "preprocessing"),
        (lambda d: d.update(target_scaler={"mean": [0], "std": [1]}), "target_scaler"),
        (lambda d: d.update(status="perfect"), "status: expected one of"),
        (lambda d: d.update(name="x" * 20_000), "name: expected a text"),
        (lambda d: d.update(rows={"all": -1}), "rows"),
        (lambda d: d.update(figures={"test": {"f1": "high"}}), "figures test: expected a number"),
    ],
)
def test_a_changed_description_is_refused(
    run: Path, edit: Callable[[dict[str, Any]], Any], text: str
) -> None:
    change(run, edit)
    with pytest.raises(RunFolderError, match=text):
        load_run(run)


def test_consistent_but_huge_architectures_are_refused_before_memory_is_taken(run: Path) -> None:
    def huge(data: dict[str, Any]) -> None:
        data["config"]["widths"] = [65536] * 4
        config = TrainingConfig.from_json(data["config"])
        shapes = parameter_shapes(data["inputs"], config, 3)
        data["architecture"] = {name: list(shape) for name, shape in shapes.items()}

    change(run, huge)
    with pytest.raises(RunFolderError, match="bytes of weights|bytes"):
        load_run(run)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", "not readable JSON"),
        (b"\xff\xfe", "not readable JSON"),
        (b"[" * 200_000, "not readable JSON"),
        (b'{"a": NaN}', "NaN, which is no number"),
        (b'{"a": 1, "a": 2}', "a key twice"),
        (b"9" * 10_000, "not readable JSON"),
        (b"null", "expected an object"),
    ],
)
def test_json_that_is_none_is_refused(run: Path, content: bytes, text: str) -> None:
    (run / MODEL).write_bytes(content)
    with pytest.raises(RunFolderError, match=text):
        load_run(run)


def test_numbers_of_any_size_are_parsed_without_a_crash() -> None:
    assert parse_json(b"1e999", "x") == float("inf")


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def with_header(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda h: h["0.weight"].update(shape=[10**6, 10**6]), "invalid shape"),
        (lambda h: h["0.weight"].update(dtype="F64"), "invalid shape, data type"),
        (lambda h: h["0.weight"].update(dtype="I32"), "0.weight: expected F32 of shape"),
        (lambda h: h["0.weight"].update(dtype="U32"), "0.weight: expected F32 of shape"),
        (lambda h: h["0.weight"].update(shape=h["0.weight"]["shape"][::-1]), "0.weight: expected"),
        (lambda h: h["0.weight"].update(data_offsets=[0, 10**12]), "invalid"),
        (lambda h: h["0.weight"].update(data_offsets=[-4, 0]), "invalid value: integer `-4`"),
        (lambda h: h["0.bias"].update(data_offsets=[0, 20]), "invalid offset"),
        (lambda h: h.pop("0.bias"), "invalid offset"),
        (lambda h: h.update({"../../evil": h["0.bias"]}), "invalid offset"),
        (lambda h: h.update({"../../evil": h.pop("0.bias")}), "the tensors"),
    ],
)
def test_a_hostile_weights_header_is_refused(
    run: Path, edit: Callable[[dict[str, Any]], Any], text: str
) -> None:
    header, data = header_of((run / WEIGHTS).read_bytes())
    edit(header)
    (run / WEIGHTS).write_bytes(with_header(header, data))
    with pytest.raises(RunFolderError, match=text):
        load_run(run)


def test_weights_of_the_wrong_size_are_refused(run: Path) -> None:
    content = (run / WEIGHTS).read_bytes()
    for damaged in (b"", content[:4], content[:-4], content + b"\0" * 8):
        (run / WEIGHTS).write_bytes(damaged)
        with pytest.raises(RunFolderError, match="weights.safetensors"):
            load_run(run)
    (run / WEIGHTS).write_bytes(struct.pack("<Q", 2**63) + content[8:])
    with pytest.raises(RunFolderError, match="header too large"):
        load_run(run)
    with open(run / WEIGHTS, "wb") as file:
        file.truncate(2**36)  # sparse: takes no room
    with pytest.raises(RunFolderError, match="bytes, at most"):
        load_run(run)


def test_weights_that_are_not_finite_are_refused(run: Path, saved: SavedModel) -> None:
    for bad in (np.nan, np.inf):
        weights = {name: np.zeros(shape, np.float32) for name, shape in saved.shapes.items()}
        weights["2.bias"][1] = bad
        (run / WEIGHTS).write_bytes(weights_to_bytes(weights))
        with pytest.raises(RunFolderError, match="2.bias holds NaN or infinite weights"):
            load_run(run)


def test_links_pipes_and_folders_in_place_of_files_are_refused(run: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes((run / MODEL).read_bytes())
    (run / MODEL).unlink()
    (run / MODEL).symlink_to(secret)
    with pytest.raises(RunFolderError, match="is a link"):
        load_run(run)
    (run / MODEL).unlink()
    os.mkfifo(run / MODEL)
    with pytest.raises(RunFolderError, match="not a plain file"):
        load_run(run)
    (run / MODEL).unlink()
    (run / MODEL).mkdir()
    with pytest.raises(RunFolderError, match="not a plain file|cannot be opened"):
        load_run(run)


def test_records_that_are_damaged_are_refused(run: Path) -> None:
    (run / RECORDS).write_text('{"event": 1}\n[1]\n')
    with pytest.raises(RunFolderError, match="no object"):
        read_records(run)
