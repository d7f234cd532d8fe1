"""What a model that needs no network reaches on the same data.

A metric means something beside two others: always guessing the most frequent class (or the
mean), and a linear model.  A network that is no better than these is not worth its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.data.input_layout import plain_features, plain_width
from pellucid.data.sources import PreparedData
from pellucid.training.linear_models import (
    class_probabilities,
    logistic_regression,
    ridge,
    streamed_logistic_regression,
)
from pellucid.training.metrics import Metrics, metrics

# Up to so many numbers the linear model is fitted on all training rows; a model of more is
# fitted on a seeded sample of them, which is told, so that it does not take longer than training.
MAX_CELLS = 400_000_000
# Logistic regression of more than this takes a few passes over the rows in place of iterations
# that see all of them, each of which takes longer than an epoch of training.
STREAMED_CELLS = 10_000_000
MAX_ITERATIONS = 100

Model: TypeAlias = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Baseline:
    """A simple model: ``name`` for tables, ``description`` for reports, its metrics.

    ``predictions`` by part are what ``metrics`` takes.  ``note`` says where the model was not
    fitted on all training rows, and is empty otherwise.
    """

    name: str
    description: str
    validation: Metrics | None
    test: Metrics | None
    predictions: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, compare=False)
    note: str = ""


@dataclass(frozen=True)
class Baselines:
    """The two simple models; metrics are None where a part has no rows."""

    constant: Baseline
    linear: Baseline

    def best(self) -> Baseline:
        """The one with the better headline metric on the validation part."""
        if self.linear.validation is None or self.constant.validation is None:
            return self.linear
        better = self.linear.validation.better_than(self.constant.validation)
        return self.linear if better else self.constant


def baselines(prepared: PreparedData) -> Baselines:
    """Fits both simple models on the training part and measures them on the other two.

    The constant model predicts the training frequencies of the classes, or the training mean.
    The linear model is logistic regression (L2, C = 1; at most 100 iterations of L-BFGS, for more
    than 10 million numbers six passes of Adam) or ridge regression (alpha = 1) on the network's
    features, fitted on all training rows (up to 400 million numbers; what is more is told in
    ``note``).  Equal data and seed give equal metrics.
    """
    linear, description, note = _linear(prepared)
    shape = prepared.row_shape
    classes = prepared.task.kind != "regression"
    return Baselines(
        _baseline(
            prepared,
            "majority class" if classes else "mean",
            "the training frequency of each class" if classes else "the mean of the training part",
            _constant(prepared),
        ),
        _baseline(
            prepared,
            "logistic regression" if classes else "linear regression",
            description,
            lambda rows: linear(plain_features(shape, rows)),
            note,
        ),
    )


def _baseline(
    prepared: PreparedData, name: str, description: str, model: Model, note: str = ""
) -> Baseline:
    """The model measured on the validation and the test part."""
    predictions: dict[str, npt.NDArray[np.float64]] = {}
    figures: dict[str, Metrics | None] = {}
    for part, data in (("validation", prepared.validation), ("test", prepared.test)):
        figures[part] = None
        if len(data):
            predictions[part] = np.asarray(model(data.features), np.float64)
            figures[part] = metrics(prepared.task, data.raw_targets, predictions[part])
    return Baseline(name, description, figures["validation"], figures["test"], predictions, note)


def _constant(prepared: PreparedData) -> Model:
    task, targets = prepared.task, prepared.train.raw_targets
    if task.kind == "multiclass":
        row = np.bincount(targets, minlength=len(task.classes)) / len(targets)
    else:
        row = np.atleast_1d(targets.mean(axis=0, dtype=np.float64))
    return lambda features: np.tile(row, (len(features), 1))


def _linear(prepared: PreparedData) -> tuple[Model, str, str]:
    """A function from plain features to predictions, what it is, a note where it saw fewer rows."""
    features, targets = prepared.train.features, prepared.train.targets
    note = sample = ""
    most = max(1000, MAX_CELLS // plain_width(prepared.row_shape))
    if len(features) > most:
        generator = np.random.Generator(np.random.PCG64(prepared.seed))
        chosen = np.sort(generator.permutation(len(features))[:most])
        sample = f", on {most:,} of {len(features):,} training rows"
        name = "Linear" if prepared.task.kind == "regression" else "Logistic"
        note = (
            f"{name} regression was fitted on {most:,} of {len(features):,} training rows, "
            "the network on all."
        )
        features, targets = features[chosen], targets[chosen]
    features = plain_features(prepared.row_shape, features)
    task = prepared.task
    if task.kind == "regression":
        scaler = prepared.target_scaler
        if scaler is None:
            raise ArgumentError(
                "A regression task without a target scaler", "Prepare the data with load_source."
            )
        weights, bias = ridge(features, targets)
        return (
            lambda rows: scaler.inverse(rows @ weights + bias),
            "ridge regression on the same features (alpha 1)" + sample,
            note,
        )
    description = "logistic regression on the same features (L2, C = 1)" + sample
    if task.kind == "multilabel":
        models = [_logistic(features, targets[:, label], 2) for label in range(targets.shape[1])]
        return lambda rows: np.stack([m(rows)[:, 1] for m in models], axis=1), description, note
    model = _logistic(features, targets, len(task.classes))
    if task.kind == "binary":
        return lambda rows: model(rows)[:, 1], description, note
    return model, description, note


def _fit(
    features: npt.NDArray[np.float32], numbers: npt.NDArray[np.int64], classes: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights and intercepts of logistic regression on all of these rows."""
    if features.size > STREAMED_CELLS:
        return streamed_logistic_regression(features, numbers, classes)
    return logistic_regression(features, numbers, classes, iterations=MAX_ITERATIONS)


def _logistic(features: npt.NDArray[np.float32], targets: npt.NDArray[Any], classes: int) -> Model:
    """Class probabilities (rows, classes) as a function of features."""
    present = np.unique(targets).astype(np.int64)
    if present.size == 1:
        row = np.eye(classes)[present[0]]
        return lambda rows: np.tile(row, (len(rows), 1))
    numbers = np.searchsorted(present, targets.astype(np.int64))
    weights, bias = _fit(features, numbers, int(present.size))

    def probabilities(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        result = np.zeros((len(rows), classes))
        result[:, present] = class_probabilities(rows, weights, bias)
        return result

    return probabilities
