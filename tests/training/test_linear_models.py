"""The linear models against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from pellucid.training.linear_models import (
    class_probabilities,
    logistic_regression,
    minimize,
    ridge,
)


@pytest.mark.parametrize(("rows", "width"), [(60, 5), (12, 30), (7, 7)])
def test_ridge_regression(rows: int, width: int, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(rows, width)) + 3, rng.normal(size=(rows, 2))
    weights, bias = ridge(x, y, 0.7)
    expected = Ridge(alpha=0.7).fit(x, y)
    np.testing.assert_allclose(weights, expected.coef_.T, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(bias, expected.intercept_, rtol=1e-7)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("c", [1.0, 0.01])
def test_logistic_regression(classes: int, c: float, rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 6))
    scores = x @ rng.normal(size=(6, classes)) + rng.gumbel(size=(300, classes))
    labels = scores.argmax(1)
    weights, bias = logistic_regression(x, labels, classes, c=c, iterations=500, tolerance=1e-8)
    expected = LogisticRegression(C=c, max_iter=5000, tol=1e-9).fit(x, labels)
    found = class_probabilities(x, weights, bias)
    np.testing.assert_allclose(found, expected.predict_proba(x), atol=2e-5)
    np.testing.assert_allclose(found.sum(1), 1)


def test_separable_classes_and_huge_features_stay_finite() -> None:
    x = np.array([[-1e4], [-2.0], [2.0], [1e4]])
    weights, bias = logistic_regression(x, np.array([0, 0, 1, 1]), 2)
    found = class_probabilities(x, weights, bias)
    assert np.isfinite(found).all() and (found.argmax(1) == [0, 0, 1, 1]).all()


def test_the_minimizer_finds_the_bottom_of_a_narrow_valley(rng: np.random.Generator) -> None:
    scales = np.logspace(0, 4, 12)
    goal = rng.normal(size=12)

    def bowl(place: np.ndarray) -> tuple[float, np.ndarray]:
        return float((scales * (place - goal) ** 2).sum() / 2), scales * (place - goal)

    np.testing.assert_allclose(minimize(bowl, np.zeros(12), 300, 1e-9), goal, atol=1e-5)
    assert (minimize(bowl, goal, 10, 1e-9) == goal).all()
