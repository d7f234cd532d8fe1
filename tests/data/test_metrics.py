"""Figures against scikit-learn's, and the simple models that results stand beside."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pellucid.base.errors import ArgumentError
from pellucid.data.sources import load_source
from pellucid.data.tasks import Task
from pellucid.training.baselines import baselines
from pellucid.training.metrics import metrics, roc_auc

BINARY = Task("binary", ("y",), ("no", "yes"), "")
THREE = Task("multiclass", ("y",), ("a", "b", "c"), "")
LABELS = Task("multilabel", ("p", "q", "r"), ("p", "q", "r"), "")
NUMBERS = Task("regression", ("u", "v"), (), "")

cases = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**31)
sizes = st.integers(2, 60)


@cases
@given(seeds, sizes)
def test_binary_metrics_are_scikit_learns(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    targets, scores = generator.integers(0, 2, n), generator.integers(0, 11, n) / 10
    result = metrics(BINARY, targets, scores[:, None])
    guess = (scores > 0.5).astype(int)
    assert result["accuracy"] == pytest.approx(reference.accuracy_score(targets, guess))
    assert result["log_loss"] == pytest.approx(
        reference.log_loss(targets, np.stack([1 - scores, scores], axis=1), labels=[0, 1])
    )
    assert result["macro_f1"] == pytest.approx(
        reference.f1_score(targets, guess, average="macro", zero_division=0)
    )
    if 0 < targets.sum() < n:
        assert result["roc_auc"] == pytest.approx(reference.roc_auc_score(targets, scores))
        assert roc_auc(targets, scores) == result["roc_auc"]
    else:
        assert "roc_auc" not in result.values


@cases
@given(seeds, sizes)
def test_multiclass_metrics_are_scikit_learns(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    targets, scores = generator.integers(0, 3, n), generator.dirichlet(np.ones(3), n)
    result = metrics(THREE, targets, scores)
    guess = scores.argmax(axis=1)
    assert result["accuracy"] == pytest.approx(reference.accuracy_score(targets, guess))
    assert result["log_loss"] == pytest.approx(
        reference.log_loss(targets, scores, labels=[0, 1, 2])
    )
    assert result["macro_f1"] == pytest.approx(
        reference.f1_score(targets, guess, average="macro", zero_division=0)
    )
    table = reference.confusion_matrix(targets, guess, labels=[0, 1, 2])
    assert np.array_equal(result.confusion, table)
    rows = reference.precision_recall_fscore_support(
        targets, guess, labels=[0, 1, 2], zero_division=0
    )
    own = [(c.precision, c.recall, c.f1, c.support) for c in result.per_class]
    np.testing.assert_allclose(np.array(own).T, rows)
    assert [c.name for c in result.per_class] == ["a", "b", "c"]
    json.dumps(result.to_json(), allow_nan=False)


@cases
@given(seeds, sizes)
def test_multilabel_metrics_are_scikit_learns(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2, (n, 3)).astype(np.float32)
    scores = generator.random((n, 3))
    result = metrics(LABELS, targets, scores)
    guess = scores > 0.5
    assert result["subset_accuracy"] == pytest.approx(reference.accuracy_score(targets, guess))
    for average in ("micro", "macro"):
        assert result[f"{average}_f1"] == pytest.approx(
            reference.f1_score(targets, guess, average=average, zero_division=0)
        )
    losses = [reference.log_loss(targets[:, k], scores[:, k], labels=[0, 1]) for k in range(3)]
    assert result["log_loss"] == pytest.approx(np.mean(losses), rel=1e-6)


@cases
@given(seeds, sizes)
def test_regression_metrics_are_scikit_learns(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    targets, guess = generator.normal(size=(2, n, 2))
    result = metrics(NUMBERS, targets, guess)
    assert result["mae"] == pytest.approx(reference.mean_absolute_error(targets, guess))
    assert result["rmse"] ** 2 == pytest.approx(reference.mean_squared_error(targets, guess))
    assert result["r2"] == pytest.approx(reference.r2_score(targets, guess))
    assert "r2" not in metrics(NUMBERS, np.ones((2, 2)), np.zeros((2, 2))).values


def test_certain_mistakes_have_a_finite_log_loss() -> None:
    assert metrics(BINARY, [1, 0], [0.0, 1.0])["log_loss"] == pytest.approx(-np.log(2.0**-52))


def test_headlines_compare_in_the_right_direction() -> None:
    good, bad = metrics(BINARY, [0, 1], [0.1, 0.9]), metrics(BINARY, [0, 1], [0.9, 0.9])
    assert good.better_than(bad) and not bad.better_than(good) and not good.better_than(good)
    near = metrics(NUMBERS, np.zeros((2, 2)), np.full((2, 2), 0.1))
    far = metrics(NUMBERS, np.zeros((2, 2)), np.ones((2, 2)))
    assert near.better_than(far) and near.headline == "rmse"


def test_senseless_predictions() -> None:
    with pytest.raises(ArgumentError, match="no rows"):
        metrics(BINARY, [], [])
    with pytest.raises(ArgumentError, match=r"targets of shape \(2,\) and predictions of shape"):
        metrics(THREE, [0, 1], [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ArgumentError, match="hold NaN or infinity"):
        metrics(BINARY, [0, 1], [np.nan, 0.5])
    with pytest.raises(ArgumentError, match="between 0 and 1; received -3 to 2\n.*Apply sigmoid"):
        metrics(BINARY, [0, 1], [-3.0, 2.0])
    with pytest.raises(ArgumentError, match="Class numbers lie between 0 and 2; received 0 to 3"):
        metrics(THREE, [0, 3], np.full((2, 3), 1 / 3))


# --- Simple models -----------------------------------------------------------------------------


def problem(rows: int = 240) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(5)
    x, z = generator.normal(size=(2, rows))
    noise = generator.normal(size=rows) * 0.3
    return {
        "x": x,
        "z": z,
        "two": np.where(x + noise > 0.5, "yes", "no"),
        "three": np.select([x + noise < -0.5, x + noise < 0.5], ["low", "middle"], "high"),
        "number": 3 * x - 2 * z + noise,
        "flag": (z + noise > 0).astype(int),
    }


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        ("two", "binary"),
        ("three", "multiclass"),
        ("number", "regression"),
        (["two", "flag"], "multilabel"),
    ],
)
def test_simple_models_of_every_task(targets: str | list[str], kind: str) -> None:
    columns = problem()
    named = {targets} if isinstance(targets, str) else set(targets)
    others = {"two", "three", "number", "flag"} - named
    data = load_source(columns, targets, ignore=others)
    assert data.task.kind == kind
    result = baselines(data)
    assert result.best() is result.linear
    assert result.constant.test is not None and result.linear.test is not None
    assert result.linear.test.better_than(result.constant.test)
    assert result == baselines(data)
    if kind in ("binary", "multiclass"):
        counts = np.bincount(data.train.targets)
        expected = np.mean(data.test.targets == counts.argmax())
        assert result.constant.test["accuracy"] == pytest.approx(expected)
    if kind == "regression":
        mean = data.train.raw_targets.mean()
        assert result.constant.test["mae"] == pytest.approx(
            np.abs(data.test.raw_targets - mean).mean()
        )
        assert result.linear.test["r2"] > 0.95


def test_the_linear_model_of_many_cells_takes_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.training.baselines.MAX_CELLS", 1)
    rows = 2400
    data = load_source({k: v for k, v in problem(rows).items() if k in ("x", "z", "two")}, "two")
    linear = baselines(data).linear
    assert "on 1,000 of 1,680 training rows" in linear.description
    assert linear.note == (
        "Logistic regression was fitted on 1,000 of 1,680 training rows, the network on all."
    )


def test_the_linear_model_is_fitted_on_all_rows() -> None:
    """The last rows decide: without them the slope would be another."""
    rows = 3000
    x = np.linspace(-1, 1, rows)
    data = load_source({"x": x, "y": np.where(x > 0.5, "b", "a")}, "y")
    linear = baselines(data).linear
    assert linear.note == "" and "training rows" not in linear.description
    assert linear.test is not None and linear.test["accuracy"] > 0.97


def test_parts_without_rows_have_no_metrics() -> None:
    columns = {k: v for k, v in problem().items() if k in ("x", "two")}
    data = load_source(columns, "two", fractions=(1, 0, 0))
    result = baselines(data)
    assert result.linear.test is None and result.best() is result.linear
