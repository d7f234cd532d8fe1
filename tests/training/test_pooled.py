"""Trials of a search that are trained together: the same as one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data.sources import PreparedData, load_source
from pellucid.training import ensembles, tuning
from pellucid.training.config import TrainingConfig
from pellucid.training.search import Choice, LogUniform, SearchResult, Uniform
from pellucid.training.tuning import tune

pytest.importorskip("optuna")

SPACE: dict[str, Any] = {
    "learning_rate": LogUniform(1e-4, 1e-1),
    "l2": LogUniform(1e-4, 1.0),
    "dropout": Uniform(0.0, 0.5),
    "widths": Choice((8,), (8, 4)),
}
CONFIG = TrainingConfig(epochs=6, patience=0, start="random", threads=1)


@pytest.fixture(scope="module")
def table() -> PreparedData:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    return load_source({f"x{i}": x[:, i] for i in range(4)} | {"y": x[:, 0] * x[:, 1] > 0}, "y")


def one_by_one(monkeypatch: pytest.MonkeyPatch, *args: Any, **options: Any) -> SearchResult:
    """The search with further callbacks, which each training needs for itself."""
    return tune(*args, callbacks=lambda: [lambda event: None], **options)


def agree(together: SearchResult, apart: SearchResult) -> None:
    assert [t.settings for t in together.trials] == [t.settings for t in apart.trials]
    for field in ("seed", "pruned", "epoch"):
        found = [getattr(t, field) for t in together.trials]
        assert found == [getattr(t, field) for t in apart.trials], field
    losses = [[t.loss for t in found.trials] for found in (together, apart)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


@pytest.mark.parametrize("prune", [False, True])
def test_a_random_search_gives_what_trials_give_one_by_one(
    prune: bool, table: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"trials": 12, "sampler": "random", "prune": prune}
    groups: list[int] = []
    real = ensembles.groups_of

    def counted(*args: Any) -> list[list[int]]:
        found = real(*args)
        groups.extend(map(len, found))
        return found

    monkeypatch.setattr(ensembles, "groups_of", counted)
    together = tune(table, CONFIG, SPACE, **options)
    assert max(groups) > 3
    apart = one_by_one(monkeypatch, table, CONFIG, SPACE, **options)
    agree(together, apart)
    assert any(t.pruned for t in together.trials) == prune


def test_the_first_trials_of_tpe_are_trained_together(
    table: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = tune(table, CONFIG, SPACE, trials=13, prune=False)
    agree(together, one_by_one(monkeypatch, table, CONFIG, SPACE, trials=13, prune=False))


def test_a_search_goes_on_and_what_was_interrupted_is_made_again(
    table: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "trials.journal"
    options: dict[str, Any] = {"sampler": "random", "storage": storage, "prune": False}
    first = tune(table, CONFIG, SPACE, trials=3, **options)
    assert len(first.trials) == 3

    def interrupted(*args: Any, **others: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tuning, "train_networks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tune(table, CONFIG, SPACE, trials=8, **options)
    whole = tune(table, CONFIG, SPACE, trials=8, **options)
    assert len(whole.trials) == 8
    assert {t.seed for t in first.trials} < {t.seed for t in whole.trials}


def test_no_trial_begins_when_the_time_is_over(table: PreparedData) -> None:
    told: list[int] = []
    found = tune(
        table, CONFIG, SPACE, trials=10_000, minutes=0.02, sampler="random", prune=False,
        told=lambda result: told.append(len(result.trials)),
    )  # fmt: skip
    assert 8 <= len(found.trials) < 10_000
    assert told == list(range(1, len(found.trials) + 1))
