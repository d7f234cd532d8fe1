"""Networks as scikit-learn estimators: the contract, and the data that people have."""

from __future__ import annotations

import os
import pickle
import pickletools
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from pellucid.base.errors import ArgumentError, DataError
from pellucid.estimators import NetClassifier, NetRegressor
from pellucid.tensor.random import get_rng_state

FEW = {"epochs": 12, "widths": (32,), "random_state": 0}


def table(rows: int = 240, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A frame with numbers, a category, a truth value and a date, some missing, and classes."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    colour = random.choice(["red", "green", "blue"], size=rows)
    known = random.random(rows) < 0.9
    score = size + np.where(colour == "red", 2.0, -1.0)
    frame = pd.DataFrame(
        {
            "size": np.where(known, size, np.nan),
            "colour": pd.Series(colour).where(random.random(rows) < 0.95, None),
            "sold": random.random(rows) < 0.5,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, rows), "D"),
        }
    )
    return frame, np.where(score > 0, "yes", "no")


CHECKED: list[Any] = [NetClassifier(epochs=60, widths=(16,))]
if os.environ.get("PELLUCID_TEST_SLOW"):  # minutes: regression too, and the default settings
    CHECKED += [NetRegressor(epochs=60, widths=(16,)), NetClassifier(), NetRegressor()]


@pytest.mark.parametrize("estimator", CHECKED)
def test_scikit_learns_whole_check_passes(estimator: Any) -> None:
    """``check_estimator`` raises at the first check that fails; no failure is expected.  The
    default settings take minutes: they are checked with PELLUCID_TEST_SLOW=1."""
    results = check_estimator(estimator, on_skip=None)
    skipped = {r["check_name"] for r in results if r["status"] != "passed"}
    assert len(results) > 50
    assert skipped <= {
        "check_array_api_input",
        "check_classifiers_multilabel_output_format_decision_function",
    }


def test_pipelines_searches_and_cross_validation() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), NetClassifier(**FEW))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.94
    net = NetClassifier(start="random", **FEW)
    search = GridSearchCV(net, {"learning_rate": [1e-5, 3e-3]}, cv=2)
    assert search.fit(X, y).best_params_["learning_rate"] == 3e-3


def test_equal_seeds_give_equal_bits_and_leave_the_generator_alone() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    before = get_rng_state().tolist()
    first, second = (NetClassifier(dropout=0.2, **FEW).fit(X, y) for _ in range(2))
    assert get_rng_state().tolist() == before
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = clone(first).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))
    assert first.n_iter_ == len(first.loss_curve_) == len(first.validation_loss_curve_)
    assert first.loss_curve_[-1] < first.loss_curve_[0]


def test_the_order_of_rows_does_not_matter() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(3).permutation(len(X))
    first = NetClassifier(**FEW).fit(X, y)
    second = NetClassifier(**FEW).fit(X[order], y[order])
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_frames_with_categories_dates_and_holes() -> None:
    frame, y = table()
    model = NetClassifier(epochs=60, random_state=0).fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    new, truth = table(seed=1)
    assert model.score(new, truth) > 0.85
    strange = new.assign(colour="violet", size=np.nan)
    assert model.predict_proba(strange).shape == (len(new), 2)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(new[["size", "colour", "day", "sold"]])


def test_polars_frames() -> None:
    (frame, y), (new, truth) = ((_polars(f), y) for f, y in (table(), table(seed=1)))
    model = NetClassifier(epochs=60, random_state=0).fit(frame, y)
    assert list(model.feature_names_in_) == frame.columns
    assert model.score(new, truth) > 0.85


def _polars(frame: pd.DataFrame) -> polars.DataFrame:
    return polars.DataFrame(
        {name: [None if pd.isna(v) else v for v in frame[name]] for name in frame.columns}
    )


def test_frames_that_a_transformer_gives() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler(), NetRegressor(**FEW)).set_output(transform="pandas")
    pipeline.fit(X, y)
    assert list(pipeline[-1].feature_names_in_) == list(X.columns)
    assert pipeline.score(X, y) > 0.4


def test_missing_numbers_are_filled_in_and_infinite_ones_refused() -> None:
    X, y = load_diabetes(return_X_y=True)
    holes = X.copy()
    holes[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    assert NetRegressor(**FEW).fit(holes, y).score(holes, y) > 0.3
    holes[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        NetRegressor(**FEW).fit(holes, y)


def test_images_are_seen_by_a_convolutional_network() -> None:
    digits = load_digits()
    model = NetClassifier(epochs=20, channels=(8, 16), shift=1, random_state=0)
    model.fit(digits.images[:1200], digits.target[:1200])
    assert model._networks[0].config.model == "cnn"
    assert model.score(digits.images[1200:], digits.target[1200:]) > 0.85
    with pytest.raises(DataError, match="fitted on images and is given numbers"):
        model.predict(digits.data[:3, :8])


def reviews(rows: int, seed: int) -> tuple[list[str], np.ndarray]:
    random = np.random.default_rng(seed)
    good, bad = ["tasty", "friendly", "很好吃"], ["cold", "slow", "太难吃"]
    neutral = ["the", "soup", "was", "we", "came", "table", "汤"]
    y = random.integers(0, 2, rows)
    texts = []
    for label in y:
        words = [*random.choice(neutral, 5), *random.choice(good if label else bad, 2)]
        texts.append(" ".join(random.permutation(words)))
    return texts, y


def test_texts_alone_and_through_scikit_learns_vectors() -> None:
    texts, y = reviews(200, 0)
    new, truth = reviews(100, 1)
    assert NetClassifier(**FEW).fit(texts, y).score(new, truth) > 0.95
    assert NetClassifier(**FEW).fit(pd.Series(texts), y).score(np.array(new), truth) > 0.95
    pipeline = make_pipeline(TfidfVectorizer(), NetClassifier(**FEW))
    assert pipeline.fit(texts, y).score(new, truth) > 0.95


def test_labels_and_several_columns_of_classes() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 4))
    labels = (X[:, :3] > 0).astype(int)
    model = NetClassifier(epochs=60, random_state=0).fit(X, labels)
    assert model.predict_proba(X).shape == (300, 3)
    assert (model.predict(X) == labels).mean() > 0.95
    columns = np.stack([np.where(X[:, 0] > 0, "a", "b"), np.digitize(X[:, 1], [-0.5, 0.5])], axis=1)
    several = NetClassifier(epochs=60, random_state=0).fit(X, columns)
    assert [list(c) for c in several.classes_] == [["a", "b"], ["0", "1", "2"]]
    assert [p.shape for p in several.predict_proba(X)] == [(300, 2), (300, 3)]
    assert (several.predict(X) == columns).mean() > 0.9


def test_several_numbers() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3))
    Y = np.stack([X[:, 0] * 100 + 500, X[:, 1] - X[:, 2]], axis=1)
    model = NetRegressor(epochs=40, random_state=0).fit(X, Y)
    assert model.predict(X).shape == (200, 2)
    assert model.score(X, Y) > 0.99


def test_weights_of_classes_move_the_boundary() -> None:
    random = np.random.default_rng(0)
    y = (random.random(600) < 0.1).astype(int)
    X = random.normal(size=(600, 2)) + y[:, None]
    plain = NetClassifier(**FEW).fit(X, y)
    balanced = NetClassifier(class_weight="balanced", **FEW).fit(X, y)
    recall = [(m.predict(X)[y == 1] == 1).mean() for m in (plain, balanced)]
    assert recall[1] > recall[0] + 0.2
    with pytest.raises(ArgumentError, match="class_weight='heavy'"):
        NetClassifier(class_weight="heavy", **FEW).fit(X, y)


def test_the_linear_start_with_weights_is_scikit_learns_weighted_model() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    weights = np.random.default_rng(0).integers(1, 5, len(y)).astype(float)
    net = NetClassifier(epochs=1, learning_rate=1e-9, l2=0.0, validation_fraction=0.0)
    net.fit(X, y, sample_weight=weights)
    theirs = LogisticRegression(max_iter=1000, tol=1e-6).fit(X, y, sample_weight=weights)
    difference = np.abs(net.predict_proba(X) - theirs.predict_proba(X)).max()
    assert difference < 0.02


def test_partial_fit_goes_on_also_after_pickling() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = NetClassifier(start="random", dropout=0.1, **FEW)
    model.partial_fit(X[:100], y[:100], classes=[0, 1])
    scores = [model.score(X, y)]
    copied = pickle.loads(pickle.dumps(model))
    for learner in (model, copied):
        for _ in range(15):
            learner.partial_fit(X, y)
    scores.append(model.score(X, y))
    assert scores[1] > max(0.95, scores[0])
    assert model.n_iter_ == 16
    np.testing.assert_array_equal(model.predict_proba(X), copied.predict_proba(X))
    with pytest.raises(ArgumentError, match="not the same as on the last call"):
        model.partial_fit(X, y, classes=[0, 1, 2])


def test_warm_start_goes_on_from_the_weights() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    cold = NetClassifier(start="random", validation_fraction=0.0, **FEW)
    first = clone(cold).fit(X, y).loss_curve_[0]
    warm = clone(cold).set_params(warm_start=True).fit(X, y)
    assert warm.fit(X, y).loss_curve_[0] < 0.5 * first
    with pytest.raises(ArgumentError, match="warm_start goes on"):
        warm.fit(X, np.arange(len(y)) % 3)


def test_pickles_hold_arrays_and_no_programs() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = NetClassifier(**FEW).fit(X, y)
    wanted = model.predict_proba(X)
    data = pickle.dumps(model)
    assert len(data) < 200_000
    modules = {
        str(arg).split()[0] for op, arg, _ in pickletools.genops(data) if op.name == "GLOBAL"
    }
    strings = {str(arg) for op, arg, _ in pickletools.genops(data) if "UNICODE" in op.name}
    modules |= {s for s in strings if s.startswith("pellucid.")}
    forbidden = ("pellucid.nn", "pellucid.tensor", "pellucid.optim", "pellucid.backends")
    assert not [m for m in modules if m.startswith(forbidden)]
    np.testing.assert_array_equal(pickle.loads(data).predict_proba(X), wanted)


def test_the_message_without_scikit_learn_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try:\n    import pellucid.estimators\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert 'pip install "pellucid[sklearn]"' in done.stdout


def test_a_transformer_reads_a_list_of_texts() -> None:
    random = np.random.default_rng(0)
    texts, first = [], []
    for _ in range(300):
        names = ["anna", "ben"] if random.random() < 0.5 else ["ben", "anna"]
        fill = list(random.choice("at noon near the old bridge".split(), 4))
        texts.append(" ".join([names[0], *fill[:2], names[1], *fill[2:]]))
        first.append(names[0])
    model = NetClassifier(
        text="transformer",
        widths=(8,),
        epochs=12,
        learning_rate=3e-3,
        batch_size=16,
        random_state=0,
    ).fit(texts, first)
    assert model.score(texts[:100], first[:100]) > 0.95
    assert pickle.loads(pickle.dumps(model)).predict(["ben at the bridge anna"])[0] == "ben"
    with pytest.raises(DataError, match="fitted on texts and is given numbers"):
        model.predict([[1.0]])
    with pytest.raises(ArgumentError, match="'tree' is unknown"):
        NetClassifier(text="tree").fit(texts, first)
