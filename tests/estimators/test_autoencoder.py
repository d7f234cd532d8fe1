"""Estimators without targets: codes and rows made of them, new rows, strange rows."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from pellucid.base.errors import ArgumentError, DataError
from pellucid.estimators import AnomalyDetector, NetAutoencoder
from pellucid.tensor.random import get_rng_state


def ring(rows: int, seed: int = 0) -> np.ndarray:
    """A circle in a plane of five dimensions, which one number describes but no straight line."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, 2 * np.pi, rows)
    plane = np.random.default_rng(1).normal(size=(2, 5))
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return 10 + circle @ plane + 0.01 * random.normal(size=(rows, 5))


@pytest.mark.parametrize("kind", [NetAutoencoder, AnomalyDetector])
def test_scikit_learns_whole_check_passes(kind: Any) -> None:
    results = check_estimator(kind(epochs=8, widths=(8,)), on_skip=None)
    left = {r["check_name"] for r in results if r["status"] != "passed"}
    assert len(results) > 40 and left <= {"check_array_api_input"}


def test_two_numbers_hold_the_ring_and_lead_back_to_it() -> None:
    rows = ring(600)
    before = get_rng_state().tolist()
    model = NetAutoencoder(latent=2, epochs=60, learning_rate=3e-3, random_state=0).fit(rows)
    assert get_rng_state().tolist() == before
    new = ring(200, seed=5)
    again = model.inverse_transform(model.transform(new))
    assert np.abs(again - new).mean() < 0.1 * np.abs(new - new.mean(0)).mean()
    scaled = (new - rows.mean(0)) / rows.std(0)
    errors = np.square((again - new) / rows.std(0)).mean(axis=1)
    assert np.allclose(model.reconstruction_error(new), errors, rtol=1e-3, atol=1e-5)
    assert np.square(scaled).mean() > 20 * errors.mean()
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.transform(new), model.transform(new))
    again_fitted = clone(model).fit(rows)
    assert np.array_equal(again_fitted.transform(new), model.transform(new))
    frame = model.set_output(transform="pandas").transform(new[:3])
    assert list(frame.columns) == ["netautoencoder0", "netautoencoder1"]


def test_two_bent_dimensions_hold_more_of_digits_than_two_straight_ones() -> None:
    X, y = load_digits(return_X_y=True)
    model = NetAutoencoder(latent=2, widths=(64,), epochs=30, learning_rate=3e-3, random_state=0)
    pipeline = make_pipeline(model, LogisticRegression(max_iter=500)).fit(X[:1300], y[:1300])
    straight = make_pipeline(PCA(2), LogisticRegression(max_iter=500)).fit(X[:1300], y[:1300])
    assert pipeline.score(X[1300:], y[1300:]) > straight.score(X[1300:], y[1300:]) + 0.03


def test_a_variational_one_draws_rows_like_the_data() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(1500, 2)) @ np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]]) + 5
    settings = {"variational": True, "beta": 0.1, "epochs": 40, "learning_rate": 3e-3}
    model = NetAutoencoder(latent=2, widths=(32,), random_state=0, **settings).fit(rows)
    drawn = model.sample(2000, random_state=1)
    assert drawn.mean(0) == pytest.approx(rows.mean(0), abs=0.4)
    assert drawn.std(0) == pytest.approx(rows.std(0), rel=0.25)
    found, expected = np.corrcoef(drawn.T), np.corrcoef(rows.T)
    assert np.abs(found - expected).max() < 0.2
    assert np.abs(model.transform(rows).mean(0)).max() < 0.3  # near the standard normal one
    with pytest.raises(ArgumentError, match="variational=True"):
        NetAutoencoder(epochs=1, random_state=0).fit(rows).sample()


def test_what_is_unlike_the_rest_is_found() -> None:
    rows = ring(600)
    random = np.random.default_rng(3)
    strange = rows.mean(0) + rows.std(0) * random.normal(size=(60, 5))  # like it column by column
    detector = AnomalyDetector(latent=2, epochs=60, learning_rate=3e-3, contamination=0.05)
    detector.set_params(random_state=0).fit(rows)
    both = np.concatenate([ring(60, seed=7), strange])
    truth = np.repeat([1, -1], 60)
    assert roc_auc_score(truth, detector.score_samples(both)) > 0.97
    assert (detector.predict(rows) == -1).mean() == pytest.approx(0.05, abs=0.01)
    assert (detector.predict(strange) == -1).mean() > 0.9
    scores = detector.decision_function(both)
    assert np.array_equal(detector.predict(both), np.where(scores < 0, -1, 1))
    assert np.allclose(scores, detector.score_samples(both) - detector.offset_)


def test_what_does_not_fit_is_refused() -> None:
    rows = ring(30)
    for settings in ({"latent": 0}, {"epochs": 1.5}, {"activation": "x"}):
        with pytest.raises(ArgumentError, match=next(iter(settings))):
            NetAutoencoder(**settings).fit(rows)
    with pytest.raises(ArgumentError, match="contamination=0.9"):
        AnomalyDetector(contamination=0.9).fit(rows)
    model = NetAutoencoder(epochs=1, random_state=0).fit(rows)
    with pytest.raises(DataError, match="got 3 numbers a row"):
        model.inverse_transform(np.zeros((2, 3)))
