"""Networks that begin with the layers of a run: what is taken, frozen and slowed, and that it
helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, PellucidError
from pellucid.training.config import TrainingConfig
from pellucid.training.run import train
from pellucid.training.run_folder import load_run

SMALL: dict[str, Any] = {"epochs": 2, "channels": (8, 16), "threads": 1}


def pictures(classes: list[int], rows: int, seed: int = 0) -> dict[str, Any]:
    """Digits of scikit-learn of these classes."""
    from sklearn.datasets import load_digits

    found = load_digits()
    kept = np.flatnonzero(np.isin(found.target, classes))
    chosen = np.random.default_rng(seed).permutation(kept)[:rows]
    names = np.array([f"digit {k}" for k in range(10)])
    return {"X": found.images[chosen], "y": names[found.target[chosen]]}


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that tells the digits 0 to 5 apart."""
    root = tmp_path_factory.mktemp("base")
    source = saved(root / "first.npz", **pictures([0, 1, 2, 3, 4, 5], 900))
    return train(source, output=root / "run", model="cnn", **{**SMALL, "epochs": 25}).folder


def test_layers_are_taken_and_the_last_is_new_where_classes_differ(
    base: Path, tmp_path: Path
) -> None:
    source = saved(tmp_path / "second.npz", **pictures([6, 7, 8, 9], 60))
    outcome = train(
        source, output=tmp_path / "run", base=str(base), freeze="body", epochs=3, threads=1
    )
    before, after = load_run(base)[1], load_run(outcome.folder)[1]
    config = outcome.result.config
    assert (config.model, config.channels, config.normalization) == ("cnn", (8, 16), "batch")
    *body, weight, bias = list(after)
    head = weight.rpartition(".")[0]
    assert head == bias.rpartition(".")[0] and after[weight].shape[0] == 4
    for name in after:
        if not name.startswith(head + "."):  # means and deviations among them
            np.testing.assert_array_equal(after[name], before[name])


def test_few_pictures_are_enough_with_what_others_taught(base: Path, tmp_path: Path) -> None:
    source = saved(tmp_path / "second.npz", **pictures([6, 7, 8, 9], 700))
    settings: dict[str, Any] = {"epochs": 15, "threads": 1, "fractions": (0.06, 0.04, 0.9)}
    settings |= {"model": "cnn", "channels": (8, 16)}
    tuned = train(source, output=tmp_path / "tuned", base=str(base), freeze="half", **settings)
    fresh = train(source, output=tmp_path / "fresh", **settings)
    right = [one.result.figures["test"].values["accuracy"] for one in (tuned, fresh)]
    assert right[0] > right[1] + 0.1


def test_the_same_task_takes_all_and_slow_layers_move_less(base: Path, tmp_path: Path) -> None:
    source = saved(tmp_path / "more.npz", **pictures([0, 1, 2, 3, 4, 5], 300, seed=1))
    moved = {}
    for share in (1.0, 0.01):
        outcome = train(
            source, output=tmp_path / f"run{share}", base=str(base), taken_rate=share,
            optimizer="sgd", learning_rate=0.01, schedule="constant", l2=0.0, shift=2, epochs=1,
            threads=1,
        )  # fmt: skip
        before, after = load_run(base)[1], load_run(outcome.folder)[1]
        assert list(before) == list(after)
        weights = [n for n in after if n.endswith("weight")]
        moved[share] = sum(float(np.abs(after[n] - before[n]).sum()) for n in weights)
    assert 0 < moved[0.01] < 0.05 * moved[1.0]


def table(path: Path, rows: int, names: tuple[str, str], rule: Any, seed: int) -> str:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((rows, 2))
    lines = [",".join((*names, "y"))]
    lines += [f"{a:.4f},{b:.4f},{rule(a, b)}" for a, b in values]
    path.write_text("\n".join(lines))
    return str(path)


def test_columns_that_mean_something_else_are_read_by_a_new_layer(tmp_path: Path) -> None:
    def rule(a: float, b: float) -> str:
        return "yes" if a * b > 0 else "no"

    first = table(tmp_path / "a.csv", 300, ("p", "q"), rule, 0)
    run = train(first, "y", output=tmp_path / "first", widths=(16, 16), epochs=3, threads=1)
    before = load_run(run.folder)[1]
    for names, taken in ((("p", "q"), True), (("p", "r"), False)):
        second = table(tmp_path / "b.csv", 120, names, rule, 1)
        outcome = train(
            second, "y", output=tmp_path / names[1], base=str(run.folder), freeze="half",
            epochs=1, threads=1,
        )  # fmt: skip
        after = load_run(outcome.folder)[1]
        assert np.array_equal(after["0.weight"], before["0.weight"]) is taken
        if not taken:  # then the first of the taken is the second layer
            np.testing.assert_array_equal(after["2.weight"], before["2.weight"])


def test_an_ensemble_and_a_resumed_run_begin_there_too(base: Path, tmp_path: Path) -> None:
    source = saved(tmp_path / "second.npz", **pictures([6, 7, 8, 9], 60))
    outcome = train(
        source, output=tmp_path / "many", base=str(base), freeze="body", ensemble=2, epochs=1,
        threads=1,
    )  # fmt: skip
    before, after = load_run(base)[1], load_run(outcome.folder)[1]
    first = next(iter(before))
    for number in range(2):
        np.testing.assert_array_equal(after[f"networks.{number}.{first}"], before[first])
    again = train(
        source, output=tmp_path / "again", base=str(tmp_path / "many"), freeze="body", epochs=1,
        threads=1,
    )  # fmt: skip
    np.testing.assert_array_equal(load_run(again.folder)[1][first], before[first])


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="freeze='body' is about layers that are taken"):
        TrainingConfig(freeze="body")
    with pytest.raises(ArgumentError, match="taken_rate=0.5 is about layers"):
        TrainingConfig(taken_rate=0.5)
    with pytest.raises(ArgumentError, match="is unknown"):
        TrainingConfig(base="x", freeze="all")
    with pytest.raises(PellucidError, match="does not exist"):
        train("digits", output=tmp_path / "run", base=str(tmp_path / "nothing"))
    assert not (tmp_path / "run").exists()
