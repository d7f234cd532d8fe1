"""What a model that needs no network reaches on the same data.

A figure means something beside two others: always guessing the most frequent class (or the
mean), and a linear model.  A network that is no better than these is not worth its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.data.sources import Part, PreparedData
from pellucid.training.linear_models import class_probabilities, logistic_regression, ridge
from pellucid.training.metrics import Metrics, metrics

# A linear model of more cells than this is fitted on a seeded sample of the training rows, so
# that the comparison does not take longer than the training.
MAX_CELLS = 4_000_000
MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Baseline:
    """A simple model: ``name`` for tables, ``description`` for reports, its figures."""

    name: str
    description: str
    validation: Metrics | None
    test: Metrics | None


@dataclass(frozen=True)
class Baselines:
    """The two simple models; figures are None where a part has no rows."""

    constant: Baseline
    linear: Baseline

    def best(self) -> Baseline:
        """The one with the better headline figure on the validation part."""
        if self.linear.validation is None or self.constant.validation is None:
            return self.linear
        better = self.linear.validation.better_than(self.constant.validation)
        return self.linear if better else self.constant


def baselines(prepared: PreparedData) -> Baselines:
    """Fits both simple models on the training part and measures them on the other two.

    The constant model predicts the training frequencies of the classes, or the training mean.
    The linear model is logistic regression (L2, C = 1, L-BFGS, at most 100 iterations) or ridge
    regression (alpha = 1) on the network's features.  Equal data and seed give equal figures.
    """
    constant = _constant(prepared)
    linear, description = _linear(prepared)
    classes = prepared.task.kind != "regression"
    return Baselines(
        Baseline(
            "majority class" if classes else "mean",
            "the training frequency of each class" if classes else "the mean of the training part",
            _measure(prepared, prepared.validation, constant),
            _measure(prepared, prepared.test, constant),
        ),
        Baseline(
            "logistic regression" if classes else "linear regression",
            description,
            _measure(prepared, prepared.validation, linear),
            _measure(prepared, prepared.test, linear),
        ),
    )


def _measure(prepared: PreparedData, part: Part, model: Any) -> Metrics | None:
    if not len(part):
        return None
    return metrics(prepared.task, part.raw_targets, model(part.features))


def _constant(prepared: PreparedData) -> Any:
    task, targets = prepared.task, prepared.train.raw_targets
    if task.kind == "multiclass":
        row = np.bincount(targets, minlength=len(task.classes)) / len(targets)
    else:
        row = np.atleast_1d(targets.mean(axis=0, dtype=np.float64))
    return lambda features: np.tile(row, (len(features), 1))


def _linear(prepared: PreparedData) -> tuple[Any, str]:
    """A function from features to predictions, and what it is."""
    features, targets = prepared.train.features, prepared.train.targets
    sample = ""
    most = max(1000, MAX_CELLS // features.shape[1])
    if len(features) > most:
        generator = np.random.Generator(np.random.PCG64(prepared.seed))
        chosen = np.sort(generator.permutation(len(features))[:most])
        sample = f", on {most} of {len(features)} training rows"
        features, targets = features[chosen], targets[chosen]
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
        )
    description = "logistic regression on the same features (L2, C = 1)" + sample
    if task.kind == "multilabel":
        models = [_logistic(features, targets[:, label], 2) for label in range(targets.shape[1])]
        return lambda rows: np.stack([m(rows)[:, 1] for m in models], axis=1), description
    model = _logistic(features, targets, len(task.classes))
    if task.kind == "binary":
        return lambda rows: model(rows)[:, 1], description
    return model, description


def _logistic(features: npt.NDArray[np.float32], targets: npt.NDArray[Any], classes: int) -> Any:
    """Class probabilities (rows, classes) as a function of features."""
    present = np.unique(targets).astype(np.int64)
    if present.size == 1:
        row = np.eye(classes)[present[0]]
        return lambda rows: np.tile(row, (len(rows), 1))
    numbers = np.searchsorted(present, targets.astype(np.int64))
    weights, bias = logistic_regression(features, numbers, present.size, iterations=MAX_ITERATIONS)

    def probabilities(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        result = np.zeros((len(rows), classes))
        result[:, present] = class_probabilities(rows, weights, bias)
        return result

    return probabilities
