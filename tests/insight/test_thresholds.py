"""Curves over thresholds against scikit-learn, intervals of shares against their definition."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.insight.thresholds import (
    area,
    average_precision,
    f1_by_threshold,
    gain_curve,
    precision_recall_curve,
    roc_curve,
    wilson,
)

metrics = pytest.importorskip("sklearn.metrics")

SEEDS = range(6)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers and scores with many ties, of one to eighty rows of each class."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(2, 80))
    true = rng.integers(0, 2, rows)
    true[:2] = 0, 1
    return true, np.round(rng.normal(true * rng.uniform(0, 2)), int(rng.integers(0, 3)))


@pytest.mark.parametrize("seed", SEEDS)
def test_areas_are_those_of_scikit_learn(seed: int) -> None:
    true, scores = drawn(seed)
    assert area(*roc_curve(true, scores)) == pytest.approx(metrics.roc_auc_score(true, scores))
    recall, precision, _ = precision_recall_curve(true, scores)
    expected = metrics.average_precision_score(true, scores)
    assert average_precision(recall, precision) == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_points_are_those_of_the_answers_at_each_threshold(seed: int) -> None:
    true, scores = drawn(seed)
    recall, precision, thresholds = precision_recall_curve(true, scores)
    again, f1 = f1_by_threshold(true, scores)
    looked, found = gain_curve(true, scores)
    np.testing.assert_array_equal(thresholds, again)
    for place, threshold in enumerate(thresholds):
        answer = scores >= threshold
        hits = int((answer & (true == 1)).sum())
        assert recall[place] == pytest.approx(hits / true.sum())
        assert precision[place] == pytest.approx(hits / answer.sum())
        assert f1[place] == pytest.approx(metrics.f1_score(true, answer))
        assert looked[place + 1] == pytest.approx(answer.mean())
        assert found[place + 1] == pytest.approx(recall[place])


def test_curves_need_rows_of_both_classes_and_finite_scores() -> None:
    with pytest.raises(ArgumentError, match="All rows are of one class"):
        roc_curve([1, 1], [0.2, 0.3])
    with pytest.raises(ArgumentError, match="scores that are not finite"):
        roc_curve([1, 0], [0.2, np.nan])


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (3, 10), (10, 10), (81, 263)])
def test_the_interval_of_a_share_ends_where_its_score_test_does(hits: int, rows: int) -> None:
    """At each end, (share - end) / sqrt(end (1 - end) / rows) is 1.96."""
    for end in wilson(hits, rows):
        if 1e-9 < end < 1 - 1e-9:
            z = abs(hits / rows - end) / np.sqrt(end * (1 - end) / rows)
            assert z == pytest.approx(1.959964, rel=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)
