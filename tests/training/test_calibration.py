"""What a trained network knows of how sure it may be: it holds on rows that it has never seen."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from conftest import SEED
from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.cli import use
from pellucid.data.preprocessing import TargetScaler
from pellucid.data.sources import load_source
from pellucid.data.tasks import Task
from pellucid.estimators import NetClassifier, NetRegressor
from pellucid.insight.report import render_report
from pellucid.training.calibration import MOST_SCORES, Calibration, calibrate
from pellucid.training.config import TrainingConfig
from pellucid.training.inference import Scorer
from pellucid.training.job import measure, train_network
from pellucid.training.metrics import row_losses
from pellucid.training.network import predictions_of
from pellucid.training.run import train
from pellucid.training.run_folder import load_model
from pellucid.training.stored_run import read_run
from pellucid.training.trust import ConformalScores, reliability

BINARY = Task("binary", ("y",), (0, 1), "")
MULTICLASS = Task("multiclass", ("y",), (0, 1, 2, 3), "")
MULTILABEL = Task("multilabel", ("a", "b", "c"), ("a", "b", "c"), "")
REGRESSION = Task("regression", ("u", "v"), (), "")


def drawn(task: Task, rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (rows, units), and targets drawn by the probabilities that they stand for."""
    scores = rng.normal(size=(rows, task.output_units)) * 2
    if task.kind == "regression":
        return scores, scores + rng.standard_t(3, size=scores.shape) * [1, 5]
    p = predictions_of(task, scores, None)
    if task.kind == "multiclass":
        return scores, (rng.random((rows, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    truth = (rng.random(p.shape) < p).astype(np.int64)
    return scores, truth[:, 0] if task.kind == "binary" else truth


def covered(task: Task, known: Calibration, scores: np.ndarray, y: np.ndarray, level: float) -> Any:
    """Shares of rows (for each output) whose truth is where it is said to be, and mean sizes."""
    p = predictions_of(task, scores, None, known.temperature)
    if task.kind == "regression":
        low, high = known.intervals(p, level)
        return ((low <= y) & (y <= high)).mean(axis=0), (high - low).mean(axis=0)
    sets = known.sets(task, p, level)
    own = np.take_along_axis(sets, y[..., None], axis=-1)[..., 0]
    return own.mean(axis=0), sets.sum(axis=-1).mean(axis=0)


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL, REGRESSION], ids=lambda t: t.kind)
@pytest.mark.parametrize("level", [0.7, 0.9])
def test_sets_and_intervals_hold_what_they_promise(task: Task, level: float) -> None:
    """150 draws of 40 rows held out and 100 new ones, of a network that is too sure by two."""
    rng = np.random.default_rng(SEED)
    shares, sizes = [], []
    for _ in range(150):
        scores, y = drawn(task, rng, 140)
        too_sure = scores * (1 if task.kind == "regression" else 2)
        known = calibrate(task, too_sure[:40], y[:40])
        assert known is not None
        share, size = covered(task, known, too_sure[40:], y[40:], level)
        shares.append(share)
        sizes.append(size)
    mean, error = np.mean(shares, axis=0), np.std(shares, axis=0) / math.sqrt(150)
    assert np.all(mean >= level - 4 * error - 0.005), (mean, error)
    assert np.all(mean <= 1)
    if task.kind in ("regression", "multiclass"):
        assert np.all(mean <= level + 0.06 + 4 * error), mean
    assert np.all(np.isfinite(sizes))


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL], ids=lambda t: t.kind)
def test_the_temperature_lowers_the_loss_of_new_rows(task: Task) -> None:
    rng = np.random.default_rng(SEED)
    scores, y = drawn(task, rng, 6000)
    for factor in (3.0, 0.4):
        known = calibrate(task, scores[:2000] * factor, y[:2000])
        assert known is not None
        assert known.temperature == pytest.approx(factor, rel=0.12)
        both = [
            log_loss_of(task, y[2000:], predictions_of(task, scores[2000:] * factor, None, t))
            for t in (1.0, known.temperature)
        ]
        assert both[1] < both[0] - 0.01


def log_loss_of(task: Task, y: np.ndarray, p: np.ndarray) -> float:
    if task.kind == "multilabel":
        return float(np.mean([log_loss(y[:, i], p[:, i]) for i in range(3)]))
    return float(log_loss(y, p))


def test_a_few_right_rows_do_not_ask_for_certainty() -> None:
    """20 rows that are all right with probability 0.9: the likelihood alone would say 1.0000."""
    scores = np.full((20, 1), math.log(9.0))
    known = calibrate(BINARY, scores, np.ones(20, np.int64))
    assert known is not None
    p = predictions_of(BINARY, scores[:1], None, known.temperature)[0, 0]
    assert 0.9 <= p < 0.97


def test_a_network_that_is_right_about_itself_is_left_alone() -> None:
    """A temperature is seldom found, and costs next to nothing."""
    rng = np.random.default_rng(SEED)
    found, losses = [], []
    for _ in range(100):
        scores, y = drawn(BINARY, rng, 560)
        known = calibrate(BINARY, scores[:60], y[:60])
        assert known is not None
        found.append(known.temperature)
        both = [
            row_losses(BINARY, y[60:], predictions_of(BINARY, scores[60:], None, t)).mean()
            for t in (1.0, known.temperature)
        ]
        losses.append(both[1] - both[0])
    assert np.mean(np.array(found) != 1) < 0.25
    assert np.mean(losses) < 0.006


def test_a_temperature_that_lowers_nothing_is_left_out() -> None:
    """Right rows as sure as can be: smoothing alone would make them less sure."""
    scores = np.full((50, 1), 20.0)
    known = calibrate(BINARY, scores, np.ones(50, np.int64))
    assert known is not None and known.temperature == 1.0


def test_weights_count_rows() -> None:
    rng = np.random.default_rng(SEED)
    scores, y = drawn(MULTICLASS, rng, 400)
    counts = rng.integers(1, 4, 400)
    listed = np.repeat(np.arange(400), counts)
    by_weight = calibrate(MULTICLASS, scores * 2, y, None, counts.astype(np.float64))
    by_rows = calibrate(MULTICLASS, scores[listed] * 2, y[listed])
    assert by_weight is not None and by_rows is not None
    # Copies of rows are no new evidence: the smoothing is that of fewer rows.
    assert by_weight.temperature == pytest.approx(by_rows.temperature, rel=0.05)
    assert by_weight.scores[0].rows == pytest.approx(counts.sum() ** 2 / np.square(counts).sum())
    again = calibrate(MULTICLASS, scores * 2, y, None, counts * 0.01)
    assert again is not None
    assert again.temperature == pytest.approx(by_weight.temperature, rel=1e-6)
    np.testing.assert_allclose(again.scores[0].shares, by_weight.scores[0].shares, rtol=1e-12)


def test_few_kept_scores_promise_no_more_than_all() -> None:
    rng = np.random.default_rng(SEED)
    values = np.abs(rng.standard_t(2, size=12_345))
    kept, whole = ConformalScores.of(values, None, MOST_SCORES), ConformalScores.of(values)
    assert len(kept.values) == MOST_SCORES and kept.rows == whole.rows == 12_345
    for level in np.linspace(0.01, 0.99, 50):
        inside = (values <= kept.limit(level)).mean()
        assert level <= inside <= level + 1.5 / MOST_SCORES
        assert kept.limit(level) >= whole.limit(level)


def test_what_cannot_be_promised_is_told() -> None:
    known = calibrate(REGRESSION, np.zeros((19, 2)), np.arange(38.0).reshape(19, 2))
    assert known is not None
    low, high = known.intervals(np.zeros((1, 2)), 0.95)
    assert high.tolist() == [[36.0, 37.0]] and (low == -high).all()
    with pytest.raises(ArgumentError, match=r"only 19 rows were held out"):
        known.intervals(np.zeros((1, 2)), 0.96)
    for wrong in (0, 1, 1.5, float("nan"), "0.9", True):
        with pytest.raises(ArgumentError, match="coverage="):
            known.limits(wrong)  # type: ignore[arg-type]
    assert calibrate(REGRESSION, np.full((5, 2), np.nan), np.zeros((5, 2))) is None
    assert calibrate(BINARY, np.zeros((0, 1)), np.zeros(0)) is None


def test_the_file_gives_back_what_was_written() -> None:
    rng = np.random.default_rng(SEED)
    for task in (BINARY, MULTILABEL, REGRESSION):
        scores, y = drawn(task, rng, 500)
        known = calibrate(task, scores, y)
        assert known is not None
        again = Calibration.from_json(json.loads(json.dumps(known.to_json())))
        assert again.to_json() == known.to_json()
        assert again.limits(0.8).tolist() == known.limits(0.8).tolist()
    good = {"values": [1.0], "shares": [1.0], "rows": 1.0}
    for wrong in (
        {"temperature": 0.0, "scores": [good]},
        {"temperature": 1.0, "scores": [{**good, "values": []}]},
        {"temperature": 1.0, "scores": [{**good, "values": [2.0, 1.0], "shares": [0.5, 1.0]}]},
        {"temperature": 1.0, "scores": [{**good, "rows": -1}]},
        {"temperature": 1.0},
        [],
    ):
        with pytest.raises(RunFolderError):
            Calibration.from_json(wrong)


# ---- trained networks ------------------------------------------------------------------------


def friedman(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    x = rng.random((rows, 5))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3]
    return x, y + rng.normal(size=rows)


def test_intervals_of_estimators_hold_over_seeds() -> None:
    """Rows held out have told when to stop, too, and the network was trained on them afterwards."""
    shares = []
    for seed in range(8):
        rng = np.random.default_rng([SEED, seed])
        x, y = friedman(rng, 900)
        model = NetRegressor(random_state=seed, widths=(16,), epochs=30).fit(x[:400], y[:400])
        low, high = model.predict_interval(x[400:]).T
        shares.append(((low <= y[400:]) & (y[400:] <= high)).mean())
        assert (low < high).all()
    # Of 60 rows held out the coverage of one fit has a deviation of 4 %.
    assert 0.9 - 0.04 < np.mean(shares) < 0.97, shares


def test_sets_of_estimators_hold_over_seeds() -> None:
    shares, sizes, gains = [], [], []
    for seed in range(8):
        rng = np.random.default_rng([SEED, seed])
        centers = rng.normal(size=(3, 4))
        y = rng.integers(0, 3, 900)
        x = centers[y] + rng.normal(size=(900, 4))
        names = np.array(["a", "b", "c"])[y]
        model = NetClassifier(random_state=seed, widths=(16,), epochs=60)
        model.fit(x[:400], names[:400])
        sets = model.predict_set(x[400:], coverage=0.9)
        assert sets.shape == (500, 3) and sets.dtype == np.bool_ and sets.any(axis=1).all()
        assert sets[np.arange(500), model.predict_proba(x[400:]).argmax(axis=1)].all()
        shares.append(sets[np.arange(500), y[400:]].mean())
        sizes.append(sets.sum(axis=1).mean())
        after = log_loss(y[400:], model.predict_proba(x[400:]))
        model._networks[0].calibration = dataclasses.replace(
            model._networks[0].calibrated(), temperature=1.0
        )
        gains.append(log_loss(y[400:], model.predict_proba(x[400:])) - after)
    assert 0.86 < np.mean(shares) < 0.98, shares
    assert np.mean(sizes) < 2
    assert np.mean(gains) > -0.002, gains  # where nothing is to be gained, nothing is lost


def test_every_kind_of_target_of_an_estimator_has_an_answer() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(200, 3))
    settings: dict[str, Any] = {"random_state": 0, "widths": (8,), "epochs": 5}
    two = NetRegressor(**settings).fit(x, np.stack([x[:, 0], 9 * x[:, 1]], axis=1))
    ends = two.predict_interval(x[:7], coverage=0.8)
    assert ends.shape == (7, 2, 2)
    np.testing.assert_allclose(ends.mean(axis=-1), two.predict(x[:7]))
    widths = np.ptp(ends, axis=-1)
    assert (widths[0] == widths).all() or np.allclose(widths, widths[0])
    assert NetRegressor(**settings).fit(x, x[:, 0]).predict_interval(x[:7]).shape == (7, 2)
    binary = NetClassifier(**settings).fit(x, x[:, 0] > 0)
    assert binary.predict_set(x[:7]).shape == (7, 2)
    labels = NetClassifier(**settings).fit(x, (x > 0).astype(int))
    assert labels.predict_set(x[:7]).shape == (7, 3, 2)
    chosen = labels.predict_set(x[:7])[np.arange(7)[:, None], np.arange(3), labels.predict(x[:7])]
    assert chosen.all()
    columns = np.stack([np.where(x[:, 0] > 0, "p", "n"), np.full(200, "only")], axis=1)
    several = NetClassifier(**settings).fit(x, columns).predict_set(x[:7])
    assert [one.shape for one in several] == [(7, 2), (7, 1)] and several[1].all()


def test_an_estimator_that_held_nothing_out_says_so() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(60, 2))
    settings: dict[str, Any] = {"random_state": 0, "widths": (4,), "epochs": 3}
    few = NetRegressor(**settings).fit(x[:15], x[:15, 0])
    none = NetRegressor(**settings, validation_fraction=0.0).fit(x, x[:, 0])
    later = NetRegressor(**settings).fit(x, x[:, 0]).partial_fit(x, x[:, 0])
    warm = NetRegressor(**settings, warm_start=True).fit(x, x[:, 0]).fit(x, x[:, 0])
    for model in (few, none, later, warm):
        with pytest.raises(ValueError, match="No rows were held out"):
            model.predict_interval(x)
    with pytest.raises(ArgumentError, match="only 9 rows"):
        NetRegressor(**settings).fit(x, x[:, 0]).predict_interval(x, coverage=0.99)


# ---- runs ------------------------------------------------------------------------------------


def table_of(path: Path, rows: int, seed: int) -> Path:
    rng = np.random.default_rng([SEED, seed])
    x = rng.normal(size=(rows, 3))
    kind = np.array(["low|flat", "mid", "high"])[
        np.digitize(x[:, 0] + rng.normal(size=rows), [-1, 1])
    ]
    lines = [
        f"{a},{b},{c},{k},{2 * a + b + e},{int(a + e > 0)},{int(b + e > 0)}"
        for (a, b, c), k, e in zip(x, kind, rng.normal(size=rows), strict=True)
    ]
    path.write_text("a,b,c,kind,price,red,new\n" + "\n".join(lines) + "\n")
    return path


SETTINGS: dict[str, Any] = {"widths": (64,), "epochs": 40, "patience": 0, "l2": 0.0}


@pytest.mark.parametrize("targets", [["kind"], ["price"], ["price", "a"], ["red"], ["red", "new"]])
def test_a_run_predicts_what_it_promises(targets: list[str], tmp_path: Path) -> None:
    source, new = table_of(tmp_path / "t.csv", 400, 1), table_of(tmp_path / "new.csv", 300, 2)
    loading: dict[str, Any] = {
        "ignore": [n for n in ("kind", "price", "red", "new") if n not in targets]
    }
    if "price" in targets:
        loading["task"] = "regression"
    outcome = train(source, targets, output=tmp_path / "run", loading=loading, **SETTINGS)
    saved = load_model(outcome.folder)
    assert saved.calibration is not None
    assert outcome.result.calibration is not None
    assert saved.calibration.to_json() == outcome.result.calibration.to_json()
    _, data, values = use.predictions(outcome.folder, str(new), "auto", with_targets=True)
    columns = use.prediction_columns(saved, values, 0.9)
    for position, name in enumerate(targets):
        if saved.task.kind == "regression":
            truth = np.asarray(data.targets)[:, position]
            low, high = np.array(columns[f"low {name}"]), np.array(columns[f"high {name}"])
            share = ((low <= truth) & (truth <= high)).mean()
        else:
            truth = np.asarray(data.targets).reshape(300, -1)[:, position].astype(int)
            members = (0, 1) if saved.task.kind == "multilabel" else saved.task.class_names
            sets = columns[f"set of {name}"]
            share = np.mean([members[t] in found for t, found in zip(truth, sets, strict=True)])
            predicted = columns[f"predicted {name}"]
            assert all(p in found for p, found in zip(predicted, sets, strict=True))
        assert 0.8 < share <= 1, (name, share)
    again = use.prediction_columns(saved, values)
    assert {n: columns[n] for n in again} == again


def test_the_test_rows_decide_nothing() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(300, 3))
    y = np.where(x[:, 0] + 0.2 * rng.normal(size=300) > 0, "p", "n")
    found = []
    for spoil in (False, True):
        prepared = load_source({"a": x[:, 0], "b": x[:, 1], "y": y}, "y", seed=0)
        config = TrainingConfig(widths=(16,), epochs=40, patience=0, loss="focal_loss")
        result = train_network(prepared, config, watch=False)
        if spoil:
            flipped = 1 - prepared.test.raw_targets
            test = dataclasses.replace(prepared.test, raw_targets=flipped, targets=flipped)
            result.prepared = dataclasses.replace(prepared, test=test)
        measure(result)
        assert result.calibration is not None
        found.append(result.calibration.to_json())
    assert found[0] == found[1] and found[0]["temperature"] != 1


def test_the_scale_of_targets_is_that_of_intervals() -> None:
    scaler = TargetScaler.fit(np.array([[0.0], [2000.0]]))
    task = Task("regression", ("y",), (), "")
    scores, truth = np.zeros((30, 1)), scaler.inverse(np.linspace(-1, 1, 30)[:, None])
    known = calibrate(task, scores, truth, scaler)
    assert known is not None
    assert known.limits(0.9)[0] == pytest.approx(np.sort(np.abs(truth - 1000).ravel())[27])


def test_the_report_shows_reliability_before_and_after(tmp_path: Path) -> None:
    """The focal loss leaves networks that are not sure enough."""
    source = table_of(tmp_path / "t.csv", 600, 3)
    loading = {"ignore": ["price", "kind", "new"]}
    settings = {"widths": (16,), "epochs": 30, "loss": "focal_loss"}
    outcome = train(source, ["red"], output=tmp_path / "run", loading=loading, **settings)
    known = load_model(outcome.folder).calibration
    assert known is not None and known.temperature < 0.9
    run = read_run(outcome.folder)
    assert run.predictions is not None
    before = reliability(
        predictions_of(
            run.saved.task,
            Scorer(outcome.result.model)(outcome.result.prepared.test.features),
            None,
        ),
        run.predictions.true,
    )
    after = reliability(run.predictions.predicted, run.predictions.true)
    english, chinese = (render_report(run, language=name) for name in ("en", "zh"))
    said = f"calibration error {before.error:.1%} before, {after.error:.1%} after"
    assert said in english and "the network was not sure enough" in english
    assert "before calibration" in english and "Sets of classes" in english
    assert "网络不够自信" in chinese and "类别集合" in chinese
