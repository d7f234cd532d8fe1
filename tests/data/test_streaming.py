"""Files larger than the memory: read in pieces, shuffled on the disk, learned from like others."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

import pellucid
from pellucid import Trainer, nn
from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.data import frame_pieces
from pellucid.data.frame_pieces import FramePieces
from pellucid.data.frames import frame_kind
from pellucid.data.large_files import predict_large
from pellucid.data.sources import load_for_prediction, load_source
from pellucid.data.streaming import ShuffledRows, Sizes, TextPieces, hashes, parts_of
from pellucid.data.tables import as_table, read_table
from pellucid.training import Checkpoints
from pellucid.training.history import Event
from pellucid.training.run import train
from pellucid.training.stored_run import restore


def lines(rows: int, seed: int = 0) -> list[str]:
    """A quantity that follows from two numbers and a category, with quoted line ends in places."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, rows)).round(6)
    kind = rng.integers(0, 3, rows)
    y = (2 * x - z + kind).round(6)
    texts = np.where(np.arange(rows) % 50 == 7, '"a\n""b"""', '"c, d"')
    return [f"{a},{b},k{c},{t},{d}" for a, b, c, t, d in zip(x, z, kind, texts, y, strict=True)]


def write(folder: Path, rows: int = 20_000, seed: int = 0) -> Path:
    file = folder / "large.csv"
    file.write_text("x,z,kind,text,y\n" + "\n".join(lines(rows, seed)) + "\n")
    return file


@pytest.mark.parametrize("size", [1000, 4097, 100_000])
@pytest.mark.parametrize("packed", [False, True])
def test_pieces_are_whole_records_and_nothing_is_lost(
    tmp_path: Path, size: int, packed: bool
) -> None:
    file = write(tmp_path, 1000)
    text = file.read_text()
    if packed:
        file.write_bytes(gzip.compress(file.read_bytes()))
    pieces = list(TextPieces(file, "auto", size))
    assert "".join(piece for _, piece in pieces) == text
    for line, piece in pieces:
        assert piece.count('"') % 2 == 0 and piece.endswith("\n")
        assert "\n".join(text.split("\n")[line - 1 :]).startswith(piece)
    assert max(len(piece) for _, piece in pieces) < size + 200


def test_parts_follow_from_the_cells_alone() -> None:
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=5000), "b": rng.choice(["x", "y", "z"], 5000)}
    table = as_table(columns)
    parts = parts_of(table, (0.7, 0.1, 0.2), 3, None)
    assert np.abs(np.bincount(parts) / 5000 - [0.7, 0.1, 0.2]).max() < 0.02
    order = rng.permutation(5000)
    np.testing.assert_array_equal(
        parts_of(table.take(order), (0.7, 0.1, 0.2), 3, None), parts[order]
    )
    grouped = parts_of(table, (0.4, 0.3, 0.3), 1, "b")
    assert all(len(set(grouped[table["b"].values == code])) == 1 for code in range(3))
    bits = np.unpackbits(hashes([table["a"]], 0).view(np.uint8)).reshape(5000, 64)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.04


def test_every_row_comes_once_an_epoch_in_an_order_that_mixes_the_whole_file() -> None:
    rows = 20_000
    sizes = Sizes(piece=1, sample=1, mixed=40_000)
    stored = ShuffledRows(1, 1, sizes, rows, whole_numbers=True, seed=4)
    for start in range(0, rows, 1000):
        numbers = np.arange(start, start + 1000)
        stored.add(numbers[:, None].astype(np.float32), numbers)
    stored.flush()
    assert len(stored.counts) == 8
    orders = []
    for _ in range(2):
        features, targets = zip(*stored, strict=True)
        assert {len(batch) for batch in features[:-1]} == {64}
        order = np.concatenate(targets)
        np.testing.assert_array_equal(np.concatenate(features)[:, 0], order)
        np.testing.assert_array_equal(np.sort(order), np.arange(rows))
        orders.append(order)
        # In every tenth of the epoch the rows are from everywhere: the mean of 2,000 draws.
        for tenth in np.split(order, 10):
            assert abs(tenth.mean() - rows / 2) < 5 * rows / np.sqrt(12 * 2000)
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(*orders)[0, 1]) < 0.03
    folder = stored.folder
    del stored
    assert not folder.exists()


def test_a_large_file_is_learned_from_in_pieces(tmp_path: Path) -> None:
    file = write(tmp_path)
    whole = load_source(file, "y", ignore="text")
    outcome = train(
        file, "y", output=tmp_path / "run", epochs=3, loading={"memory": 4.0, "ignore": ["text"]}
    )
    prepared = outcome.result.prepared
    assert outcome.complete and prepared.stream is not None and whole.stream is None
    assert prepared.rows == 20_000 and prepared.fingerprint == whole.fingerprint
    assert abs(prepared.stream.rows - 14_000) < 400
    assert prepared.feature_names == whole.feature_names
    assert any("read in pieces" in note for note in prepared.notes)
    test = outcome.result.figures["test"]
    assert test.values["r2"] > 0.99 and test.rows > 200
    saved, _ = restore(outcome.folder)
    assert saved.rows["train"] == prepared.stream.rows and saved.rows["all"] == 20_000
    # No row that is measured is learned from.
    learned = {row.tobytes() for batch, _ in prepared.stream for row in batch}
    for part in (prepared.validation, prepared.test):
        assert len(part) and not any(row.tobytes() in learned for row in part.features)


def test_json_lines_and_groups(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "t.jsonl"
    rows = [
        {"who": f"p{i // 5}", "x": float(rng.normal()), "y": ["a", "b"][i % 2]} for i in range(5000)
    ]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    data = load_source(file, "y", group="who", memory=1)
    assert data.stream is not None and data.feature_names == ("x",)
    assert data.rows == 5000 and set(np.concatenate([t for _, t in data.stream]).ravel()) == {0, 1}


def test_what_pieces_do_not_allow_and_damage_late_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, 40_000)
    for given, name in (({"in_order": True}, "in_order"), ({"fold": (1, 3)}, "fold"),
                        ({"test": str(file)}, "test")):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"in pieces, which {name}=.* does not allow"):
            load_source(file, "y", memory=1, **given)
    with pytest.raises(DataError, match="no column named 'w'"):
        load_source(file, "w", memory=1)
    cut = file.read_text().split("\n")
    cut[-900] = "1,2"  # in a piece, but in no window of the sample
    file.write_text("\n".join(cut))
    monkeypatch.setattr(
        "pellucid.data.large_files.window", lambda t, *rest: "\n".join(t.split("\n")[:40]) + "\n"
    )
    with pytest.raises(DataError, match=r"ragged rows: .*lines are counted from line \d+ on"):
        load_source(file, "y", memory=1)


# --- Parquet and Arrow ---------------------------------------------------------------------------

WRITERS: dict[str, Callable[[polars.DataFrame, Path], object]] = {
    "parquet": lambda frame, path: frame.write_parquet(path, row_group_size=3000),
    "arrow": lambda frame, path: frame.write_ipc(path, compression="zstd"),
}


def frame(rows: int = 30_000) -> polars.DataFrame:
    """Numbers, a date, categories as text and as a dictionary, missing cells, and a part."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, rows))
    kind = rng.integers(0, 3, rows)
    day = np.datetime64("2020-01-01") + (np.arange(rows) * 7919 % rows) // 20
    made = polars.DataFrame(
        {
            "id": np.arange(rows), "x": x, "z": np.where(np.arange(rows) % 97, z, np.nan),
            "kind": [f"k{c}" for c in kind], "group": [f"g{i // 9}" for i in range(rows)],
            "day": day, "part": np.array(["train", "val", "test"])[rng.integers(0, 3, rows)],
            "y": 2 * x + kind,
        }
    )  # fmt: skip
    pieces = [made[at : at + 2500].with_columns(polars.col("kind").cast(polars.Categorical))
              for at in range(0, rows, 2500)]  # fmt: skip
    return polars.concat(pieces, rechunk=False)


@pytest.mark.parametrize("ending", list(WRITERS))
def test_pieces_of_frames_are_the_rows_of_the_file(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"t.{ending}"
    WRITERS[ending](frame(), file)
    whole = read_table(file)
    pieces = FramePieces(file, frame_kind(file.read_bytes()), 100_000)
    found = list(pieces)
    assert pieces.rows == 30_000 and 256 <= pieces.piece < 5_000
    assert max(len(piece[0]) for piece in found) <= pieces.piece
    for place, name in enumerate(whole.columns):
        parts = [piece[place] for piece in found]
        assert {part.name for part in parts} == {name}
        if parts[0].kind == "text":
            assert [t for part in parts for t in part.texts()] == whole[name].texts()
        else:
            values = np.concatenate([part.values for part in parts])
            np.testing.assert_array_equal(values, whole[name].values)


def test_arrow_streams_that_are_too_large_are_told_to_be_files(tmp_path: Path) -> None:
    file = tmp_path / "t.arrows"
    frame(3000).write_ipc_stream(file)
    pieces = FramePieces(file, frame_kind(file.read_bytes()), 10_000)
    with pytest.raises(DataError, match=r"t.arrows is an Arrow stream.*\n.*write_ipc"):
        list(pieces)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_large_frame_is_learned_from_in_pieces(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"t.{ending}"
    WRITERS[ending](frame(), file)
    loading = {"memory": 1.0, "ignore": ["id", "group", "part", "day"]}
    outcome = train(
        file, "y", output=tmp_path / "run", epochs=1, widths=(8,), start="random",
        learning_rate=0.01, loading=loading,
    )  # fmt: skip
    prepared = outcome.result.prepared
    assert outcome.complete and prepared.stream is not None and prepared.rows == 30_000
    assert abs(prepared.stream.rows - 21_000) < 500
    assert outcome.result.figures["test"].values["r2"] > 0.95
    whole = load_source(file, "y", ignore=loading["ignore"])
    assert prepared.fingerprint == whole.fingerprint
    assert prepared.feature_names == whole.feature_names
    # Predictions in pieces are those of the whole file, with identifiers as they are written.
    new = load_for_prediction(prepared.preprocessor, file, ids=["id"])
    parts = list(predict_large(prepared.preprocessor, file, ids=["id"], memory=1.0))
    assert len(parts) > 1
    np.testing.assert_array_equal(np.concatenate([p.features for p in parts]), new.features)
    assert [row for p in parts for row in p.ids["id"]] == new.ids["id"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_time_and_parts_of_a_column_in_pieces(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"t.{ending}"
    table = frame()
    if ending == "csv":
        table.write_csv(file)
    else:
        table.write_parquet(file)
    common = {"memory": 1.0, "ignore": ["id", "group"]}
    data = load_source(file, "y", time="day", **common)  # type: ignore[arg-type]
    assert data.stream is not None
    place = data.feature_names.index("day (days)")
    learned = np.concatenate([rows[:, place] for rows, _ in data.stream])
    held, tested = data.validation.features[:, place], data.test.features[:, place]
    assert learned.max() < held.min() and held.max() < tested.min()
    assert abs(len(learned) / 30_000 - 0.7) < 0.03 and len(tested) > 100
    assert "its 'day': validation and test are the last rows" in " ".join(data.notes)
    data = load_source(file, "y", split="part", **common)  # type: ignore[arg-type]
    assert data.stream is not None
    parts = table["part"].to_list()
    assert data.stream.rows == parts.count("train") and len(data.validation) > 100
    assert not any("part" in name for name in data.feature_names)
    grouped = load_source(file, "y", group="group", memory=1.0, ignore=["id"])
    assert grouped.stream is not None and abs(grouped.stream.rows - 21_000) < 1_000
    with pytest.raises(DataError, match="holds text, which has no order in time"):
        load_source(file, "y", time="kind", **common)  # type: ignore[arg-type]


def test_a_column_that_names_no_validation_rows_leaves_some_for_it(tmp_path: Path) -> None:
    table = frame().with_columns(polars.col("part") == "test")
    table.write_parquet(tmp_path / "t.parquet")
    data = load_source(tmp_path / "t.parquet", "y", split="part", ignore=["id"], memory=1.0)
    training = table.height - int(table["part"].sum())
    assert data.stream is not None
    assert abs(data.stream.rows / training - 11 / 12) < 0.02 and len(data.validation) > 20


@pytest.mark.parametrize("ending", list(WRITERS))
def test_damaged_frames_are_errors_in_pieces_too(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"t.{ending}"
    WRITERS[ending](frame(6000), file)
    content = file.read_bytes()
    kind = frame_kind(content)
    rng = np.random.default_rng(0)
    for number in range(4):
        broken = bytearray(content)
        if number == 0:
            broken = broken[: len(broken) // 2]
        for place in rng.integers(8, len(broken), 30 * number):
            broken[place] = rng.integers(0, 256)
        file.write_bytes(broken)
        try:
            assert sum(len(piece[0]) for piece in FramePieces(file, kind, 10_000)) <= 6000
        except DataError as error:
            assert str(file) in str(error)
        else:
            assert number


# What a child writes, in a process that stands in for it.
TALKING = """
import sys, time
out = sys.stdout.buffer
def number(n): out.write(n.to_bytes(8, "little")); out.flush()
def beats(count, computed):
    for turn in range(count):
        time.sleep(0.02)
        number(2**64 - 2)
        number(int(1e6 * computed * (turn + 1)))
"""


def talking(monkeypatch: pytest.MonkeyPatch, program: str) -> FramePieces:
    """Pieces of a child that says what ``program`` writes; limits are a thousandth."""
    command = [sys.executable, "-S", "-c", TALKING + program]
    monkeypatch.setattr(frame_pieces, "child_command", lambda *_: command)
    monkeypatch.setattr(frame_pieces, "_BEAT_SECONDS", 0.02)
    monkeypatch.setattr(frame_pieces, "_SILENT_SECONDS", 0.4)
    monkeypatch.setattr(frame_pieces, "_COMPUTED_SECONDS", 20.0)
    return FramePieces(Path("t.arrow"), "arrow", 10_000)


def test_a_reader_that_computes_may_take_as_long_as_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # More than twice the time after which one that does nothing is ended.
    program = "beats(50, 0.02); head = b'[7, 3]'; number(len(head)); out.write(head); number(0)"
    pieces = talking(monkeypatch, program)
    assert list(pieces) == [] and (pieces.rows, pieces.piece) == (7, 3)


@pytest.mark.parametrize(
    ("program", "error", "said"),
    [
        ("beats(500, 0.0)", FileError, "neither computed nor sent any rows"),
        ("time.sleep(10)", FileError, "t.arrow was not read to its end: for 0 seconds"),
        ("beats(500, 4.0)", DataError, "more than 20 seconds of computing"),
        ("import os; os.kill(os.getpid(), 9)", FileError, "ended from outside .SIGKILL.*memory"),
        ("import os; os.kill(os.getpid(), 6)", DataError, "damaged Arrow file.*signal 6"),
        ("number(5)", DataError, "damaged Arrow file.*status 0"),
    ],
)
def test_what_happened_to_a_reader_is_told(
    monkeypatch: pytest.MonkeyPatch, program: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        list(talking(monkeypatch, program))


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")
def test_a_stopped_reader_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beats lie between the rows; a reader that is stopped for a while loses none."""
    monkeypatch.setattr(frame_pieces, "_BEAT_SECONDS", 0.001)
    started: list[subprocess.Popen[bytes]] = []

    class Known(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Known)
    file = tmp_path / "t.arrow"
    frame(20_000).write_ipc(file)
    pieces = iter(FramePieces(file, "arrow", 400_000))
    found = [next(pieces)]
    for _ in range(5):  # it writes the next piece, which is larger than a pipe
        time.sleep(0.02)
        started[0].send_signal(signal.SIGSTOP)
        time.sleep(0.02)
        started[0].send_signal(signal.SIGCONT)
    found += pieces
    numbers = [column.values for columns in found for column in columns if column.name == "x"]
    assert len(numbers) > 3
    np.testing.assert_array_equal(np.concatenate(numbers), polars.read_ipc(file)["x"].to_numpy())


PROGRAM = """
import resource, sys
from pellucid.training import Checkpoints
from pellucid.training.history import Event
from pellucid.training.run import train
outcome = train(sys.argv[1], "y", output=sys.argv[2], epochs=1, batch_size=1024, start="random",
                widths=(16,), loading={"memory": 32.0, "ignore": ["text"]})
assert outcome.complete and outcome.result.prepared.rows == int(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    block = "\n".join(lines(40_000)) + "\n"
    for number, times in enumerate((4, 32)):
        file = tmp_path / f"{number}.csv"
        file.write_text("x,z,kind,text,y\n" + block * times)
        command = [sys.executable, "-c", PROGRAM, file, tmp_path / str(number), 40_000 * times]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, env=dict(os.environ)
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    # Read as a whole the second file takes about 350 MiB more than the first.
    assert peaks[1] - peaks[0] < 120, peaks


def test_a_run_goes_on_in_the_middle_of_a_pass(tmp_path: Path) -> None:
    """Weights as if the training had never been cut, though the rows lie in files made anew."""
    file = write(tmp_path, 4000)

    def trained(stop_after: int, folder: Path) -> dict[str, np.ndarray]:
        data = load_source(file, "y", ignore="text", memory=1)
        assert data.stream is not None
        pellucid.manual_seed(0)
        model = nn.Linear(len(data.feature_names), 1)
        trainer = Trainer(model, "mse_loss", checkpoint=Checkpoints(folder))

        def stop(event: Event) -> None:
            if stop_after and event.step == stop_after:
                trainer.stop()

        trainer.callbacks.append(stop)
        trainer.resume()
        trainer.fit(data.stream, epochs=2)
        return {name: np.array(p.detach().numpy()) for name, p in model.named_parameters()}

    whole = trained(0, tmp_path / "whole")
    trained(13, tmp_path / "cut")
    again = trained(0, tmp_path / "cut")
    for name, values in whole.items():
        np.testing.assert_array_equal(values, again[name])
