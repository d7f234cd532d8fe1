"""``pellucid search`` and files of options."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.cli.config_file import read_options, toml_text
from pellucid.data.sources import load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.search import Choice
from pellucid.training.tuning import default_space, tune


@pytest.fixture
def table(tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    a, b = random.normal(size=(2, 240))
    lines = [f"{x:.4f},{y:.4f},{'yes' if x * y > 0 else 'no'}" for x, y in zip(a, b, strict=True)]
    file = tmp_path / "signs.csv"
    file.write_text("a,b,equal\n" + "\n".join(lines) + "\n")
    return file


def test_a_search_from_the_first_trial_to_the_best_settings(
    command: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    asked = ("search", "signs.csv", "-t", "equal", "--epochs", 8, "--processes", 1, "--no-prune")
    outcome = command(*asked, "--trials", 5, "--activation", "tanh")
    assert outcome.code == 0, outcome.err
    assert "5 / 5" in outcome.out and "--learning-rate" in outcome.out
    assert "--activation" not in outcome.out.split("Searched")[1].splitlines()[0]
    folder = tmp_path / "searches" / "signs"
    with (folder / "leaderboard.csv").open() as file:
        ranked = list(csv.DictReader(file))
    losses = [float(row["validation loss"]) for row in ranked]
    assert len(ranked) == 5 and losses == sorted(losses)
    best = tomllib.loads((folder / "best.toml").read_text())
    assert best["source"] == "signs.csv" and best["activation"] == "tanh" and best["epochs"] == 8
    assert f"{best['learning-rate']:.3g}" == ranked[0]["learning_rate"]
    for name in ("importance.png", "settings.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")

    outcome = command(*asked, "--trials", 7, "--activation", "tanh")  # goes on
    assert outcome.code == 0 and "goes on" in outcome.out and "7 / 7" in outcome.out
    assert "5 / 7" not in outcome.out
    outcome = command(*asked, "--trials", 7, "--activation", "relu")
    assert outcome.code == 2 and "begun with other data or settings" in outcome.err
    outcome = command("train", "--config", folder / "best.toml", "-q", "-o", "run")
    assert outcome.code == 0, outcome.err
    model = json.loads((tmp_path / "run" / "model.json").read_text())
    assert model["config"]["learning_rate"] == best["learning-rate"]
    assert model["config"]["widths"] == best["width"]


def test_what_cannot_be_searched_is_told(command: Callable[..., Any], table: Path) -> None:
    outcome = command("search", "signs.csv", "-t", "equal", "--sampler", "grid")
    assert outcome.code == 2 and "needs lists of values" in outcome.err
    outcome = command("search", "signs.csv", "-t", "equal", "--trials", 0)
    assert outcome.code == 2 and "trials=0" in outcome.err
    outcome = command("search", "signs.csv", "-t", "equal", "-o", ".")
    assert outcome.code == 4 and "holds other files; nothing was changed" in outcome.err


def test_C22_the_test_part_decides_nothing(table: Path) -> None:
    """With other test rows the search is the same, bit by bit."""
    prepared = load_source(str(table), "equal", seed=1)
    config = TrainingConfig(epochs=3, compile=False, start="random")
    space = {"learning_rate": Choice(0.1, 0.001), "dropout": Choice(0.0, 0.4)}
    first = tune(prepared, config, space, trials=3)
    prepared.test.features[:] = 1e9
    prepared.test.targets[:] = 0
    assert tune(prepared, config, space, trials=3) == first


def test_the_space_fits_the_data(table: Path) -> None:
    prepared = load_source(str(table), "equal")
    space = default_space(prepared, TrainingConfig(), {"dropout"})
    assert "dropout" not in space and "channels" not in space
    assert space["batch_size"].values == (16, 32)  # 168 rows
    assert "channels" in default_space(prepared, TrainingConfig(model="cnn"))


# ---- files of options ------------------------------------------------------------------------


def test_C20_every_setting_of_a_run_comes_back_from_its_file(
    command: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    """What a run was told is written beside it, and a run from that file has equal weights."""
    options = ["--width", "9,5", "--eager", "--lr", 0.01, "--epochs", 3, "--missing-value", "-"]
    outcome = command("train", "signs.csv", "-t", "equal", *options, "-q", "-o", "first")
    assert outcome.code == 0, outcome.err
    text = (tmp_path / "first" / "settings.toml").read_text()
    assert tomllib.loads(text) == {
        "source": "signs.csv",
        "target": ["equal"],
        "missing-value": ["-"],
        "width": [9, 5],
        "learning-rate": 0.01,
        "epochs": 3,
        "eager": True,
    }
    assert command("train", "--config", "first/settings.toml", "-q", "-o", "second").code == 0
    first, second = (tmp_path / n / "weights.safetensors" for n in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    outcome = command("train", "--config", "first/settings.toml", "--epochs", 2, "-q", "-o", "c")
    assert outcome.code == 0
    assert json.loads((tmp_path / "c" / "model.json").read_text())["config"]["epochs"] == 2


def test_yaml_is_read_as_well(command: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("target: equal\nepochs: 2\nwidths: [4]\nheader: true\n")
    outcome = command("train", "signs.csv", "--config", "run.yaml", "-q", "-o", "run")
    assert outcome.code == 0, outcome.err
    config = json.loads((tmp_path / "run" / "model.json").read_text())["config"]
    assert config["epochs"] == 2 and config["widths"] == [4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epocs = 3", "sets epocs, which is no option of this command\nDid you mean epochs?"),
        ("epochs = ", "is no TOML: Invalid value"),
        ("overwrite = 3", "sets overwrite to 3\nWrite true or false."),
        ("config = 'x.toml'", "sets config, which is no option"),
        ("epochs = 'many'", "Invalid value for '--epochs'"),
    ],
)
def test_faulty_files_of_options(
    text: str, message: str, command: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text(text)
    outcome = command("train", "signs.csv", "-t", "equal", "--config", "run.toml", "-q")
    assert outcome.code == 2 and message in outcome.err
    assert not (tmp_path / "runs").exists()


def test_files_that_are_no_options(command: Callable[..., Any], tmp_path: Path) -> None:
    outcome = command("train", "--config", "gone.toml")
    assert outcome.code == 4 and "gone.toml: No such file" in outcome.err
    (tmp_path / "odd.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(ArgumentError, match="is no table of options"):
        read_options(tmp_path / "odd.yaml")


def test_texts_with_quotes_survive(tmp_path: Path) -> None:
    options = {"target": ['a "b" \\ c', "数"], "l2": 1e-05, "epochs": 3, "eager": True}
    (tmp_path / "a.toml").write_text(toml_text({**options, "left_out": None}))
    assert read_options(tmp_path / "a.toml") == options
