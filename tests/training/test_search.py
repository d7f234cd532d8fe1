"""Searching for settings looks at validation rows only."""

from __future__ import annotations

import math
import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, FileError
from pellucid.data.sources import load_source
from pellucid.training.history import StopTraining
from pellucid.training.search import (
    Choice,
    LogUniform,
    SearchResult,
    Uniform,
    Whole,
    grid_search,
    search,
    search_objective,
)
from pellucid.training.trainer import Trainer


def build(settings: dict[str, Any]) -> Trainer:
    width = settings.get("width", 8)
    model = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2))
    optimizer = optim.Adam(model.parameters(), lr=settings["lr"])
    return Trainer(model, "cross_entropy", optimizer, compile=False)


def bowl(settings: dict[str, Any], seed: int, tell: Any) -> tuple[float, float | None, int]:
    """A training whose loss is (log₁₀ lr + 2)² + (0 for relu, 1 for tanh)."""
    loss = (math.log10(settings["lr"]) + 2) ** 2 + (settings["activation"] == "tanh")
    for epoch in range(1, 11):
        tell(epoch, loss + 1 / epoch)
    return loss, None, 10


BOWL = {"lr": LogUniform(1e-5, 1.0), "activation": Choice("relu", "tanh"), "idle": Whole(1, 9)}


def _drawn(space: dict[str, Any], count: int) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []

    def objective(settings: dict[str, Any], seed: int, tell: Any) -> tuple[float, None, int]:
        seen.append(settings)
        return 0.0, None, 1

    search_objective(objective, space, trials=count, sampler="random")
    return seen


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any]:
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    return (x[:150], y[:150]), (x[150:], y[150:])


def test_C21_a_grid_tries_every_combination_and_keeps_the_best(rows: tuple[Any, Any]) -> None:
    found = grid_search(build, {"lr": [1e-5, 0.03], "width": [4, 8]}, *rows, epochs=4)
    tried = {(trial.settings["lr"], trial.settings["width"]) for trial in found.trials}
    assert tried == {(1e-5, 4), (1e-5, 8), (0.03, 4), (0.03, 8)}
    assert found.best.settings["lr"] == 0.03
    losses = [trial.loss for trial in found.trials]
    assert losses == sorted(losses)


def test_C21_draws_are_even_in_the_logarithm_and_repeat(rows: tuple[Any, Any]) -> None:
    seen = _drawn({"a": LogUniform(1e-4, 1e-1), "b": Uniform(2, 4), "c": Whole(1, 4)}, 800)
    a, b, c = (np.array([settings[name] for settings in seen]) for name in "abc")
    assert a.min() >= 1e-4 and a.max() <= 1e-1
    assert np.mean(np.log10(a) < -2.5) == pytest.approx(0.5, abs=0.06)
    assert np.mean(b) == pytest.approx(3, abs=0.08)
    assert np.bincount(c).tolist()[1:] == pytest.approx([200] * 4, abs=50)
    space = {"lr": LogUniform(1e-4, 1e-1), "width": Choice(4, 8)}
    first = search(build, space, *rows, trials=3, seed=5, epochs=2)
    assert first == search(build, space, *rows, trials=3, seed=5, epochs=2)


def test_C22_the_test_part_is_refused(rows: tuple[Any, Any]) -> None:
    with pytest.raises(ArgumentError, match="search got a test set"):
        search(build, {"lr": [0.1]}, *rows, test=rows[1])
    with pytest.raises(ArgumentError, match="no validation rows"):
        search(build, {"lr": [0.1]}, rows[0])
    with pytest.raises(ArgumentError, match="training rows as validation rows"):
        grid_search(build, {"lr": [0.1]}, rows[0], rows[0])
    prepared = load_source({"a": np.arange(40.0), "y": ["p", "n"] * 20}, "y")
    with pytest.raises(ArgumentError, match="test rows of the prepared data"):
        search(build, {"lr": [0.1]}, prepared, prepared.test)


def test_a_trial_that_ends_in_nan_comes_last(rows: tuple[Any, Any]) -> None:
    def wild(settings: dict[str, Any]) -> Trainer:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        sgd = optim.SGD(model.parameters(), lr=settings["lr"])
        return Trainer(model, "mse_loss", sgd, compile=False)

    pairs = [(x, y[:, None].astype(np.float32)) for x, y in rows]
    found = grid_search(wild, {"lr": [1e6, 0.01]}, *pairs, epochs=20)
    assert found.best.settings["lr"] == 0.01 and found.trials[-1].loss == math.inf


def test_senseless_searches_are_refused(rows: tuple[Any, Any]) -> None:
    with pytest.raises(ArgumentError, match="trials=0"):
        search(build, {"lr": [0.1]}, *rows, trials=0)
    with pytest.raises(ArgumentError, match="space to search is empty"):
        grid_search(build, {}, *rows)
    with pytest.raises(ArgumentError, match="low < high"):
        LogUniform(0, 1)
    with pytest.raises(ArgumentError, match="List the values"):
        grid_search(build, {"lr": LogUniform(0.1, 1)}, *rows)
    with pytest.raises(ArgumentError, match="Choice got no values"):
        Choice()


def test_C21_proposals_come_near_what_was_good() -> None:
    """The tree-structured Parzen estimator finds the bottom of a bowl that chance misses."""

    def distance(sampler: str) -> float:
        trials = search_objective(bowl, BOWL, trials=60, sampler=sampler, seed=1).trials
        return float(np.median([abs(math.log10(t.settings["lr"]) + 2) for t in trials]))

    assert distance("tpe") < 0.6 * distance("random")


def test_what_mattered_is_told() -> None:
    found = search_objective(bowl, BOWL, trials=60, sampler="random", seed=2)
    shares = found.importances()
    assert sum(shares.values()) == pytest.approx(1.0)
    assert list(shares)[0] == "lr" and shares["idle"] < 0.2
    table = str(found).splitlines()
    assert table[0].split() == ["rank", "loss", "metric", "epoch", "lr", "activation", "idle"]
    assert table[1].split()[:2] == ["1", f"{found.best.loss:.4g}"] and len(table) == 11


def test_hopeless_trials_are_ended_early() -> None:
    epochs: list[int] = []

    def slow(settings: dict[str, Any], seed: int, tell: Any) -> tuple[float, None, int]:
        for epoch in range(1, 21):
            epochs.append(epoch)
            try:
                tell(epoch, settings["x"] + 1 / epoch)
            except StopTraining:
                return settings["x"] + 1 / epoch, None, epoch
        return settings["x"] + 1 / 20, None, 20

    found = search_objective(slow, {"x": Uniform(0, 1)}, trials=30, prune=True, sampler="random")
    ended = [t for t in found.trials if t.pruned]
    assert len(ended) > 5 and all(t.epoch < 20 for t in ended) and len(epochs) < 30 * 20
    assert not found.best.pruned and found.trials[-1].pruned
    assert found.best.settings["x"] == min(t.settings["x"] for t in found.trials)


def test_training_is_ended_early_and_the_network_keeps_its_best_weights(
    rows: tuple[Any, Any],
) -> None:
    found = search(
        build,
        {"lr": LogUniform(1e-6, 0.1)},
        *rows,
        trials=14,
        sampler="random",
        prune=True,
        epochs=12,
    )
    assert any(t.pruned for t in found.trials) and not found.best.pruned


def test_tuples_are_values_and_survive_the_storage(tmp_path: Path) -> None:
    space = {"widths": Choice((), (8,), (16, 8)), "none": Choice(None)}

    def objective(settings: dict[str, Any], seed: int, tell: Any) -> tuple[float, None, int]:
        assert isinstance(settings["widths"], tuple) and settings["none"] is None
        return float(len(settings["widths"])), None, 1

    journal = tmp_path / "deep" / "trials.journal"
    found = search_objective(objective, space, sampler="grid", trials=3, storage=journal)
    assert [t.settings["widths"] for t in found.trials] == [(), (8,), (16, 8)]
    again = search_objective(objective, space, sampler="grid", trials=3, storage=journal)
    assert again == found  # nothing was left to do


def test_a_search_that_was_killed_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "trials.journal"
    code = f"""
import os, signal, sys
sys.path[:0] = {sys.path!r}
from training.test_search import bowl, BOWL
from pellucid.training.search import search_objective
count = 0
def mortal(settings, seed, tell):
    global count
    count += 1
    if count == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return bowl(settings, seed, tell)
search_objective(mortal, BOWL, trials=9, storage={str(journal)!r})
"""
    ended = subprocess.run([sys.executable, "-c", code], timeout=120)
    assert ended.returncode == -signal.SIGKILL
    made: list[int] = []

    def counted(settings: dict[str, Any], seed: int, tell: Any) -> tuple[float, float | None, int]:
        made.append(seed)
        return bowl(settings, seed, tell)

    found = search_objective(counted, BOWL, trials=9, storage=journal)
    assert len(found.trials) == 9 and len(made) == 6


def test_processes_share_the_trials() -> None:
    pids = multiprocessing.get_context("fork").SimpleQueue()

    def objective(settings: dict[str, Any], seed: int, tell: Any) -> tuple[float, None, int]:
        pids.put((os.getpid(), pellucid.get_num_threads()))
        time.sleep(0.15)
        return settings["x"], None, 1

    before = pellucid.get_num_threads()
    found = search_objective(objective, {"x": Uniform(0, 1)}, trials=10, processes=2)
    assert len(found.trials) >= 10 and pellucid.get_num_threads() == before
    seen = set()
    while not pids.empty():
        seen.add(pids.get())
    assert len({pid for pid, _ in seen}) == 2 and {threads for _, threads in seen} == {1}


def test_no_trial_begins_after_the_time() -> None:
    def objective(settings: dict[str, Any], seed: int, tell: Any) -> tuple[float, None, int]:
        time.sleep(0.1)
        return settings["x"], None, 1

    start = time.perf_counter()
    found = search_objective(objective, {"x": Uniform(0, 1)}, trials=10_000, minutes=0.02)
    assert 3 <= len(found.trials) <= 13 and time.perf_counter() - start < 4


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database server that lives for one test."""
    programs = [shutil.which(name) for name in ("initdb", "postgres")]
    if None in programs:
        pytest.skip("there is no PostgreSQL")
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # sockets have short paths
    owner: dict[str, Any] = {}
    if os.getuid() == 0:  # which PostgreSQL refuses
        account = pwd.getpwnam("nobody")
        os.chown(folder, account.pw_uid, account.pw_gid)
        owner = {"user": account.pw_uid, "group": account.pw_gid}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    data = str(folder / "data")
    initdb, postgres = map(str, programs)
    made = subprocess.run(
        [initdb, "-D", data, "-U", "pellucid", "-A", "trust", "--no-sync"], **quiet, **owner
    )
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip("PostgreSQL cannot be started by this account")
    listening = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
    server = subprocess.Popen([postgres, "-D", data, "-F", *listening], **quiet, **owner)
    try:
        for _ in range(100):
            if (folder / ".s.PGSQL.5432").exists():
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg://pellucid@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_database_keeps_the_trials(postgresql: str) -> None:
    found = search_objective(bowl, BOWL, trials=6, storage=postgresql, processes=2, name="shared")
    again = search_objective(bowl, BOWL, trials=6, storage=postgresql, name="shared")
    assert len(found.trials) >= 6 and again == found


def test_a_place_that_cannot_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be stored at nonsense://"):
        search_objective(bowl, BOWL, storage="nonsense://here")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be stored at"):
        search_objective(bowl, BOWL, storage=tmp_path / "file" / "trials.journal")
    with pytest.raises(ArgumentError, match="sampler='best'"):
        search_objective(bowl, BOWL, sampler="best")
    with pytest.raises(ArgumentError, match="The grid got LogUniform"):
        search_objective(bowl, BOWL, sampler="grid")
    with pytest.raises(ArgumentError, match="minutes=0"):
        search_objective(bowl, BOWL, minutes=0)
    with pytest.raises(ArgumentError, match="processes=-1"):
        search_objective(bowl, BOWL, processes=-1)


def test_results_are_ranked_with_whole_trials_first() -> None:
    found = search_objective(bowl, BOWL, trials=12, sampler="random")
    assert isinstance(found, SearchResult)
    assert [t.loss for t in found.trials] == sorted(t.loss for t in found.trials)
