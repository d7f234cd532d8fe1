"""The commands from the outside: a run, its use, and what is said about it."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.training.run_folder import FILES, read_records

Command = Callable[..., Any]


def write_table(path: Path, rows: int = 150, seed: int = 4) -> Path:
    """A table with numbers, a category with holes, and a class that depends on them."""
    generator = np.random.default_rng(seed)
    size, colour = generator.normal(size=rows), generator.choice(["red", "green", ""], rows)
    kind = np.where(size + (colour == "red") > 0.3, "large", "small")
    lines = ["size,colour,kind"]
    lines += [f"{s:.4f},{c},{k}" for s, c, k in zip(size, colour, kind, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def trained(command: Command, tmp_path: Path) -> Path:
    """A run folder made by the command line."""
    table = write_table(tmp_path / "table.csv")
    outcome = command(
        "train", table, "--target", "kind", "-o", "run", "--epochs", 12, "--eager", "-q"
    )
    assert outcome.code == 0, outcome.err
    return tmp_path / "run"


def test_digits_are_trained_natively_and_everything_is_written(
    command: Command, tmp_path: Path
) -> None:
    outcome = command("train", "digits", "-o", "run", "--epochs", 6, "--layers", 2, "--width", 32,
                      "--model", "mlp")  # fmt: skip
    assert outcome.code == 0, outcome.err
    text = outcome.out
    assert "multi-class, so softmax and cross-entropy" in text
    assert "64 → 32 → 32 → 10, ReLU, output: softmax" in text
    assert "majority class" in text and "logistic regression" in text
    assert "train  validation" in text and "test" in text
    assert "The network is" in text
    files = sorted(p.name for p in (tmp_path / "run").iterdir())
    assert files == sorted(FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    events = [record["event"] for record in read_records(tmp_path / "run")]
    assert events.count("epoch") == 6 and events[0] == "start" and "metrics" in events
    model = json.loads((tmp_path / "run" / "model.json").read_text())
    assert {"seed", "fingerprint", "versions", "preprocessing", "config", "task"} <= set(model)


def test_a_cnn_is_trained_summarized_and_predicts(command: Command, tmp_path: Path) -> None:
    outcome = command("train", "digits", "--model", "cnn", "--channels", "4,8", "--width", 16,
                      "-o", "run", "--epochs", 2, "-q")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "8×8 → 4 of 4×4 → 8 of 2×2 → 16 → 16 → 10" not in outcome.out
    assert "8×8 → 4 of 4×4 → 8 of 2×2 → 16 → 10, ReLU, output: softmax" in outcome.out
    assert "What the convolutions see" in (tmp_path / "run" / "report.html").read_text()
    outcome = command("summary", "run")
    assert outcome.code == 0 and "Conv2d" in outcome.out
    outcome = command("evaluate", "run", "digits")
    assert outcome.code == 0, outcome.err
    outcome = command("predict", "run", "digits")
    assert outcome.code == 0 and len(outcome.out.splitlines()) == 1798


def test_a_cnn_for_a_table_is_refused(command: Command, tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv")
    outcome = command("train", table, "-t", "kind", "--model", "cnn", "-o", "run")
    assert outcome.code == 2 and "is for images" in outcome.err and "mlp" in outcome.err
    assert not (tmp_path / "run").exists()


def test_the_folder_has_a_name_of_its_own_unless_given(command: Command, tmp_path: Path) -> None:
    table = write_table(tmp_path / "my table.csv")
    outcome = command("train", table, "-t", "kind", "--epochs", 2, "--eager", "-q")
    assert outcome.code == 0, outcome.err
    assert len(list((tmp_path / "runs").glob("my-table-2*"))) == 1


def test_predictions_agree_with_the_figures(command: Command, trained: Path) -> None:
    table = trained.parent / "table.csv"
    outcome = command("predict", trained, table)
    assert outcome.code == 0
    rows = list(csv.DictReader(outcome.out.splitlines()))
    truth = [row["kind"] for row in csv.DictReader(table.read_text().splitlines())]
    share = np.mean([r["predicted kind"] == t for r, t in zip(rows, truth, strict=True)])
    both = [float(r["probability of large"]) + float(r["probability of small"]) for r in rows]
    np.testing.assert_allclose(both, 1, atol=1e-5)
    evaluated = command("evaluate", trained, table)
    assert f"{share:.4g}" in evaluated.out and "these are the data of the training" in evaluated.out
    assert "large" in evaluated.out and "precision" in evaluated.out


def test_intervals_are_sets_of_classes(command: Command, trained: Path) -> None:
    """In every form of output, and refused where they cannot be given."""
    plain = command("predict", trained, "table.csv")
    found = command("predict", trained, "table.csv", "--interval", "0.9")
    lines = list(csv.DictReader(io.StringIO(found.out)))
    assert found.code == 0 and len(lines) == 150
    members = [line["set of kind"].split("|") for line in lines]
    assert all(line["predicted kind"] in m for line, m in zip(lines, members, strict=True))
    assert len(next(csv.reader(io.StringIO(plain.out)))) == len(lines[0]) - 1
    rows = [json.loads(line) for line in command(
        "predict", trained, "table.csv", "--interval", "0.9", "--json"
    ).out.splitlines()]  # fmt: skip
    assert [row["set of kind"] for row in rows] == members
    wrong = command("predict", trained, "table.csv", "--interval", "90")
    assert wrong.code == 2 and "Give a share between 0 and 1" in wrong.err
    sure = command("predict", trained, "table.csv", "--interval", "0.99")
    assert sure.code == 2 and "cannot be promised: only 23 rows" in sure.err
    model = json.loads((trained / "model.json").read_text())
    (trained / "model.json").write_text(json.dumps({**model, "calibration": None}))
    none = command("predict", trained, "table.csv", "--interval", "0.9")
    (trained / "model.json").write_text(json.dumps(model))
    assert none.code == 5 and "does not know how far off it was" in none.err


def test_predictions_are_written_once(command: Command, trained: Path) -> None:
    table, out = trained.parent / "table.csv", trained.parent / "out.csv"
    assert command("predict", trained, table, "-o", out).code == 0
    before = out.read_text()
    assert len(before.splitlines()) == 151
    outcome = command("predict", trained, table, "-o", out)
    assert outcome.code == 4 and "nothing was changed" in outcome.err
    assert command("predict", trained, table, "-o", out, "--overwrite").code == 0
    assert out.read_text() == before
    assert command("predict", trained, table, "-o", "out.xlsx").code == 2
    parquet = trained.parent / "out.parquet"
    assert command("predict", trained, table, "-o", parquet).code == 0
    import polars

    assert polars.read_parquet(parquet).height == 150


def test_new_rows_without_a_target_are_predicted(command: Command, trained: Path) -> None:
    new = trained.parent / "new.csv"
    new.write_text("colour,size,extra\npurple,3.0,1\n,-3.0,2\n")
    outcome = command("predict", trained, new)
    assert [line.split(",")[1] for line in outcome.out.splitlines()[1:]] == ["large", "small"]
    outcome = command("evaluate", trained, new)
    assert outcome.code == 3 and "no values of the target 'kind'" in outcome.err
    new.write_text("colour\nred\n")
    outcome = command("predict", trained, new)
    assert outcome.code == 3 and "no column 'size', which the network was trained on" in outcome.err


def test_a_summary_shows_layers_and_figures(command: Command, trained: Path) -> None:
    outcome = command("summary", trained)
    assert outcome.code == 0
    assert "parameters" in outcome.out and "logistic regression" in outcome.out
    assert (
        "6 → 128 → 64 → 1, ReLU, output: sigmoid" in outcome.out or "→ 128 → 64 → 1" in outcome.out
    )


def test_the_machine_is_told(command: Command) -> None:
    outcome = command("machine")
    assert outcome.code == 0
    for name in ("Processor", "Features", "Threads", "Peak", "Memory", "Versions", "Cache"):
        assert f"{name} " in outcome.out
    assert "GFLOP/s" in outcome.out and "GB/s" in outcome.out
    facts = json.loads(command("machine", "--json").out)
    assert facts["peak_gflops"]["one_thread"] > 0 and facts["threads"]["available"] >= 1
    assert facts["versions"]["numpy"] == np.__version__


def test_the_same_seed_writes_the_same_weights(command: Command, tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv")
    contents = []
    for name, threads in (("one", 1), ("two", 2)):
        outcome = command(
            "train", table, "-t", "kind", "-o", name, "--threads", threads, "--epochs", 4, "-q"
        )
        assert outcome.code == 0, outcome.err
        contents.append((tmp_path / name / "weights.safetensors").read_bytes())
    assert contents[0] == contents[1]


def test_training_that_ends_in_nan_keeps_the_good_weights_and_says_where(
    command: Command, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "table.csv")
    outcome = command(
        "train", table, "-t", "size", "-o", "run", "--optimizer", "sgd", "--lr", 900, "--eager",
        "--momentum", 0.99, "--start", "random",
    )  # fmt: skip
    assert outcome.code == 6
    assert "appeared in" in outcome.err and "layer" in outcome.err
    assert json.loads((tmp_path / "run" / "model.json").read_text())["status"] == "not finite"
    assert command("summary", tmp_path / "run").code == 0


def test_parquet_files_and_several_targets(command: Command, tmp_path: Path) -> None:
    import polars

    generator = np.random.default_rng(2)
    x = generator.normal(size=(80, 2))
    table = {"a": x[:, 0], "b": x[:, 1], "u": (x[:, 0] > 0) * 1, "v": (x[:, 1] > 0) * 1}
    polars.DataFrame(table).write_parquet(tmp_path / "t.parquet")
    outcome = command(
        "train", "t.parquet", "-t", "u", "-t", "v", "-o", "run", "--epochs", 3, "--eager", "-q"
    )
    assert outcome.code == 0, outcome.err
    assert "multi-label, so a sigmoid for each label" in outcome.out
    assert "output: sigmoid per label" in outcome.out
    rows = list(csv.DictReader(command("predict", "run", "t.parquet").out.splitlines()))
    assert list(rows[0]) == [
        "row", "predicted u", "probability of u", "predicted v", "probability of v",
    ]  # fmt: skip


def test_a_folder_of_idx_files_is_trained_and_used(command: Command, tmp_path: Path) -> None:
    """Its own test files are the test part; ``evaluate`` reads them too."""
    generator = np.random.default_rng(3)
    folder = tmp_path / "images"
    folder.mkdir()
    for part, rows in (("train", 120), ("t10k", 30)):
        labels = generator.integers(0, 2, rows).astype(np.uint8)
        images = generator.integers(0, 90, (rows, 4, 4)).astype(np.uint8)
        images[labels == 1, :2] += 150
        head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        head = b"\0\0\x08\x01" + rows.to_bytes(4, "big")
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    outcome = command("train", "images", "-o", "run", "--epochs", 8, "--lr", 0.01, "--eager", "-q")
    assert outcome.code == 0, outcome.err
    assert "training / validation / test 110 / 10 / 30" in outcome.out
    evaluated = command("evaluate", "run", "images")
    assert evaluated.code == 0 and "30 rows" in evaluated.out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "images: label" in page


def test_progress_tells_epoch_loss_speed_and_time_left() -> None:
    from rich.console import Console

    from pellucid.cli.progress import Progress
    from pellucid.training.history import EpochRecord, Event

    now = 0.0
    progress = Progress("accuracy", clock=lambda: now)
    assert progress.figures() == "starting"
    progress(Event("start", 0, 0, {"epochs": 10, "rows": 640, "batches": 10}))
    assert progress.figures() == "epoch 1/10  compiling"
    progress(Event("steps", 5, 1, {"count": 5, "loss": 0.75, "rows": 320}))
    assert progress.figures() == "epoch 1/10  loss 0.75"
    now = 60.0  # the last batch of the first epoch is compiled: no speed to go by
    record = EpochRecord(1, 0.5, 0.4, 0.875, 0.001, 10, 1e4, 1.0)
    progress(Event("steps", 10, 1, {"count": 5, "loss": 0.7, "rows": 640}))
    progress(Event("epoch", 10, 1, {"record": record}))
    quality = "loss 0.5  validation loss 0.4  validation accuracy 0.875"
    assert progress.figures() == f"epoch 1/10  {quality}"
    assert progress.share == pytest.approx(0.1)
    now = 62.0  # ten batches of 64 rows in two seconds; eighty are left
    progress(Event("steps", 20, 2, {"count": 10, "loss": 0.5, "rows": 640}))
    text = f"epoch 2/10  {quality}  320 rows/s  at most 16 s left"
    assert progress.figures() == text

    def lines(width: int) -> list[str]:
        console = Console(width=width)
        with console.capture() as shown:
            console.print(progress)
        return [line.strip(" ━╸╺-") for line in shown.get().splitlines()]

    assert lines(140) == [text]
    assert lines(80) == [
        "epoch 2/10  320 rows/s  at most 16 s left",
        quality,
    ]


def test_help_names_every_command_and_setting(command: Command) -> None:
    outcome = command("--help")
    for name in (
        "train",
        "search",
        "predict",
        "evaluate",
        "summary",
        "runs",
        "machine",
        "Exit codes",
    ):
        assert name in outcome.out
    outcome = command("train", "--help")
    for option in ("--target", "--layers", "--width", "--activation", "--initialization", "--loss",
                   "--optimizer", "--learning-rate", "--batch-size", "--epochs", "--l1", "--l2",
                   "--dropout", "--patience", "--seed", "--threads"):  # fmt: skip
        assert option in outcome.out
    assert command("--version").out.startswith("pellucid ")


def test_a_good_learning_rate_is_found_without_a_picture(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = command("train", "digits", "--find-lr")
    assert outcome.code == 0 and "Found       --learning-rate 0.0" in outcome.out
    assert "needs the package matplotlib" in outcome.err and "Written" not in outcome.out


def test_a_good_learning_rate_is_found_and_drawn(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outcome = command("train", "digits", "--find-lr")
    assert outcome.code == 0 and "Found       --learning-rate 0.0" in outcome.out
    assert "<svg" in (tmp_path / "digits-learning-rates.svg").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["digits-learning-rates.svg"]
    again = command("train", "digits", "--find-lr")
    assert again.code == 4 and "exists already" in again.err
