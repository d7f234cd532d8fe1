"""Metrics over batches are scikit-learn's metrics of all rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.training import Trainer
from pellucid.training import streaming as s

theirs = pytest.importorskip("sklearn.metrics")


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores)
    return powers / powers.sum(1, keepdims=True)


Classes = Callable[[np.ndarray, np.ndarray, Any], float]
FOUR = range(4)
OF_CLASSES: dict[str, tuple[s.StreamedMetric, Classes]] = {
    "accuracy": (
        s.Accuracy(),
        lambda y, p, w: theirs.accuracy_score(y, p.argmax(1), sample_weight=w),
    ),
    "log loss": (
        s.LogLoss(),
        lambda y, p, w: theirs.log_loss(y, p, sample_weight=w, labels=FOUR),
    ),
    "top 2": (
        s.TopKAccuracy(2),
        lambda y, p, w: theirs.top_k_accuracy_score(y, p, k=2, sample_weight=w, labels=FOUR),
    ),
}
for _average in ("macro", "micro", "weighted"):
    for _kind, _their in [
        (s.Precision, theirs.precision_score), (s.Recall, theirs.recall_score),
        (s.F1, theirs.f1_score),
    ]:  # fmt: skip
        OF_CLASSES[f"{_kind.__name__} {_average}"] = (
            _kind(_average),
            lambda y, p, w, f=_their, a=_average: f(
                y, p.argmax(1), average=a, sample_weight=w, zero_division=0
            ),
        )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OF_CLASSES)
def test_classes(name: str, weighted: bool, rng: np.random.Generator) -> None:
    metric, expected = OF_CLASSES[name]
    y, p = rng.integers(0, 4, 200), softmax(rng.normal(size=(200, 4)) * 2)
    y[:60], p[:60] = 0, softmax(rng.normal(size=(60, 4)))  # a batch of one class
    w = rng.uniform(0, 2, 200) if weighted else None
    metric.reset()
    for at in (0, 60, 61, 150):
        until = {0: 60, 60: 61, 61: 150, 150: 200}[at]
        part = None if w is None else w[at:until]
        metric.update(pellucid.tensor(y[at:until]), pellucid.tensor(p[at:until]), part)
    assert metric.compute() == pytest.approx(expected(y, p, w), rel=1e-6)
    assert metric.rows == 200


def test_two_classes(rng: np.random.Generator) -> None:
    y, p = rng.integers(0, 2, 150), rng.uniform(size=150).round(1)
    guessed = (p > 0.5).astype(int)
    for metric, expected in [
        (s.ROCAUC(), theirs.roc_auc_score(y, p)),
        (s.LogLoss(), theirs.log_loss(y, p)),
        (s.Accuracy(), theirs.accuracy_score(y, guessed)),
        (s.F1("binary"), theirs.f1_score(y, guessed)),
        (s.Precision("binary"), theirs.precision_score(y, guessed)),
        (s.Recall("binary"), theirs.recall_score(y, guessed)),
    ]:
        for part in np.array_split(np.arange(150), 7):
            metric.update(y[part], p[part, None])
        assert metric.compute() == pytest.approx(expected, rel=1e-9)
    table = s.ConfusionMatrix()
    table.update(y, guessed)
    np.testing.assert_array_equal(table.matrix(), theirs.confusion_matrix(y, guessed))
    alone = s.ROCAUC()
    alone.update([1, 1], [0.5, 0.7])
    assert np.isnan(alone.compute())


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_numbers(outputs: int, weighted: bool, rng: np.random.Generator) -> None:
    """Also where targets lie far from 0."""
    y = rng.normal(size=(120, outputs)) + 1e6
    p = y + rng.normal(size=y.shape)
    w = rng.uniform(size=120) if weighted else None
    for metric, expected in [
        (s.MeanAbsoluteError(), theirs.mean_absolute_error),
        (s.MeanSquaredError(), theirs.mean_squared_error),
        (s.R2(), theirs.r2_score),
    ]:
        halves = [type(metric)(), metric]
        for part in np.array_split(np.arange(120), 5):
            which = halves[int(part[0] > 60)]
            which.update(y[part], p[part], None if w is None else w[part])
        again = type(metric)()
        again.load_state_dict(halves[0].state_dict())
        metric.merge(again)
        assert metric.compute() == pytest.approx(expected(y, p, sample_weight=w), rel=1e-6)
    root = s.RootMeanSquaredError()
    root.update(y, p, w)
    squared = theirs.mean_squared_error(y, p, sample_weight=w)
    assert root.compute() == pytest.approx(np.sqrt(squared), rel=1e-6)


def test_what_cannot_be_measured_is_told() -> None:
    with pytest.raises(ArgumentError, match="no rows"):
        s.Accuracy().compute()
    with pytest.raises(ArgumentError, match="one row of predictions"):
        s.Accuracy().update([1, 2], [1])
    with pytest.raises(ArgumentError, match="Weights of shape"):
        s.Accuracy().update([1, 2], [1, 2], [1.0])
    with pytest.raises(ArgumentError, match="average='mean'"):
        s.F1("mean")
    with pytest.raises(ArgumentError, match="cannot be merged"):
        s.Accuracy().merge(s.R2())


def test_one_can_be_the_metric_of_a_trainer(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 3, 60)
    made = Trainer(nn.Linear(4, 3), "cross_entropy", metric=s.F1(), compile=False)
    history = made.fit((x, y), (x, y), epochs=2)
    expected = theirs.f1_score(y, made.predict_class(x).numpy(), average="macro")
    assert history["metric"][history.best_epoch - 1] == pytest.approx(expected)


def test_A2_is_the_digit_there_on_images_never_seen() -> None:
    """One against the rest: the decision "an eight, or not" on a held-out fifth of the digits."""
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = (digits.data / 16).astype(np.float32), (digits.target == 8).astype(np.float32)[:, None]
    order = np.random.default_rng(0).permutation(len(x))
    train, held = order[: len(x) * 4 // 5], order[len(x) * 4 // 5 :]
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    made = Trainer(
        model,
        "binary_cross_entropy_with_logits",
        pellucid.optim.AdamW(model.parameters(), lr=0.003),
        class_weight="balanced",
    )
    made.fit((x[train], y[train]), epochs=30)
    guessed = made.predict_class(x[held]).numpy()
    assert theirs.accuracy_score(y[held, 0], guessed) > 0.97
    assert theirs.recall_score(y[held, 0], guessed) > 0.9  # better than "never an eight"
