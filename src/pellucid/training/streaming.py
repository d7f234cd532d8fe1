"""Metrics over batches: the figure of all rows, in the memory of one batch.

>>> from pellucid.training.streaming import Accuracy
>>> accuracy = Accuracy()
>>> accuracy.update([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
>>> round(accuracy.compute(), 4)
0.6667

``update(targets, predictions, weights=None)`` takes in a batch, ``compute()`` gives the figure of
all rows so far, ``merge(other)`` takes in what another one has seen, ``reset()`` begins anew.  The
definitions are scikit-learn's (Pedregosa and others, 2011), weights of rows included, and a ratio
with a zero divisor is 0.  One can be the ``metric`` of a Trainer.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.tensor.tensor import Tensor
from pellucid.training.metrics import roc_auc

Numbers = npt.NDArray[Any]


class StreamedMetric:
    """The base of the metrics: sums that a batch is added to."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self.rows = 0
        """Rows taken in so far."""

    def update(self, targets: Any, predictions: Any, weights: Any = None) -> None:
        """Takes in a batch: targets (rows, …), predictions (rows, …), weights (rows,)."""
        wanted, given = _array(targets), _array(predictions)
        if wanted.ndim == 0 or given.ndim == 0 or len(wanted) != len(given):
            raise ArgumentError(
                f"Targets of shape {wanted.shape} and predictions of shape {given.shape}",
                "Give one row of predictions for each row of targets.",
            )
        w = np.ones(len(wanted)) if weights is None else _array(weights).astype(np.float64)
        if w.shape != (len(wanted),):
            raise ArgumentError(f"Weights of shape {w.shape}", "Give one number for each row.")
        self.rows += len(wanted)
        for name, value in self._batch(wanted, given, w).items():
            before = self._sums.get(name)
            self._sums[name] = value if before is None else _added(before, value)

    def __call__(self, predictions: Any, targets: Any) -> float:
        """The figure of these rows alone, as ``Trainer(metric=…)`` asks for it."""
        fresh = copy.copy(self)
        fresh.reset()
        fresh.update(targets, predictions)
        return fresh.compute()

    def compute(self) -> float:
        """The figure of all rows so far; ``ArgumentError`` where there are none."""
        if not self.rows:
            raise ArgumentError("There are no rows to compute a metric of", "Call update() first.")
        return float(self._figure(self._sums))

    def merge(self, other: StreamedMetric) -> None:
        """Takes in the rows that another metric of this kind has seen."""
        if type(other) is not type(self):
            raise ArgumentError(
                f"A {type(other).__name__} cannot be merged into a {type(self).__name__}",
                "Merge metrics of one kind.",
            )
        self.rows += other.rows
        for name, value in other._sums.items():
            self._sums[name] = _added(self._sums[name], value) if name in self._sums else value

    def reset(self) -> None:
        """Forgets all rows."""
        self._sums, self.rows = {}, 0

    def state_dict(self) -> dict[str, Any]:
        """The sums, to go on later."""
        return {"rows": self.rows, "sums": dict(self._sums)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from sums that :meth:`state_dict` gave."""
        self.rows, self._sums = int(state["rows"]), dict(state["sums"])

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        """What a batch adds."""
        raise NotImplementedError

    def _figure(self, sums: dict[str, Any]) -> float:
        """The figure from the sums."""
        raise NotImplementedError


def _array(value: Any) -> Numbers:
    found: Numbers = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
    return found


def _added(one: Any, other: Any) -> Any:
    """The sum; of two tables the larger extent, of two lists of arrays the longer list."""
    if isinstance(one, list):
        return one + other
    if isinstance(one, np.ndarray) and one.shape != other.shape:
        shape = tuple(max(a, b) for a, b in zip(one.shape, other.shape, strict=True))
        whole = np.zeros(shape)
        for part in (one, other):
            whole[tuple(slice(n) for n in part.shape)] += part
        return whole
    return one + other


def _classes(predictions: Numbers) -> Numbers:
    """The predicted class of each row: the largest of several scores, or whether one is above one
    half; class numbers as they are."""
    if predictions.ndim == 2 and predictions.shape[1] > 1:
        return np.asarray(predictions.argmax(1))
    flat = predictions.reshape(len(predictions))
    return flat.astype(np.int64) if flat.dtype.kind in "iub" else (flat > 0.5).astype(np.int64)


class Accuracy(StreamedMetric):
    """The share of rows whose class is right.

    Predictions are class numbers (rows,), the probability of class 1 (rows,) or (rows, 1), or
    scores (rows, classes), of which the largest counts.
    """

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        right = _classes(predictions) == targets.reshape(len(targets))
        return {"right": float(weights @ right), "all": float(weights.sum())}

    def _figure(self, sums: dict[str, Any]) -> float:
        return float(sums["right"] / sums["all"]) if sums["all"] else 0.0


class TopKAccuracy(StreamedMetric):
    """The share of rows whose class is among the ``k`` largest of the scores (rows, classes); of
    equal scores those of later classes count as larger, as scikit-learn has it."""

    def __init__(self, k: int = 5) -> None:
        super().__init__()
        if k < 1:
            raise ArgumentError(f"k={k!r}", "Give a whole number from 1 up.")
        self.k = k

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        best = np.argsort(predictions, axis=1, kind="stable")[:, ::-1][:, : self.k]
        right = (best == targets.reshape(-1, 1)).any(1)
        return {"right": float(weights @ right), "all": float(weights.sum())}

    def _figure(self, sums: dict[str, Any]) -> float:
        return float(sums["right"] / sums["all"]) if sums["all"] else 0.0


class ConfusionMatrix(StreamedMetric):
    """``matrix()[true, predicted]`` sums the weights of rows; ``compute()`` is the accuracy.

    ``average`` of the subclasses says how figures of classes become one: ``"macro"``, their mean;
    ``"micro"``, that of all rows together; ``"weighted"``, the mean by the rows of each class;
    ``"binary"``, that of class 1.
    """

    def __init__(self, average: str = "macro") -> None:
        super().__init__()
        if average not in ("macro", "micro", "weighted", "binary"):
            raise ArgumentError(f"average={average!r}", "Give macro, micro, weighted or binary.")
        self.average = average

    def matrix(self) -> npt.NDArray[np.float64]:
        """float64 (classes, classes)."""
        table: npt.NDArray[np.float64] = self._sums.get("table", np.zeros((0, 0)))
        return table

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        true, guessed = targets.reshape(-1).astype(np.int64), _classes(predictions)
        if len(true) and min(true.min(), guessed.min()) < 0:
            raise ArgumentError("Class numbers below 0", "Number the classes from 0.")
        units = predictions.shape[1] if predictions.ndim == 2 and predictions.shape[1] > 1 else 0
        size = max(units, *(int(part.max(initial=-1)) + 1 for part in (true, guessed)))
        table = np.bincount(true * size + guessed, weights, size * size).reshape(size, size)
        return {"table": table}

    def _figure(self, sums: dict[str, Any]) -> float:
        table = sums["table"]
        return _ratio(float(np.trace(table)), float(table.sum()))

    def _averaged(self, above: Numbers, below: Numbers, table: Numbers) -> float:
        """One figure of above / below for each class."""
        support = table.sum(1)
        if self.average == "micro":
            return _ratio(float(above.sum()), float(below.sum()))
        each = np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
        if self.average == "binary":
            return float(each[1]) if len(each) > 1 else 0.0
        occurring = support + table.sum(0) > 0
        shares = support if self.average == "weighted" else occurring.astype(np.float64)
        return _ratio(float(each @ shares), float(shares.sum()))


class Precision(ConfusionMatrix):
    """Right ones among those that were predicted to be of a class."""

    def _figure(self, sums: dict[str, Any]) -> float:
        table = sums["table"]
        return self._averaged(np.diagonal(table), table.sum(0), table)


class Recall(ConfusionMatrix):
    """Right ones among those that are of a class."""

    def _figure(self, sums: dict[str, Any]) -> float:
        table = sums["table"]
        return self._averaged(np.diagonal(table), table.sum(1), table)


class F1(ConfusionMatrix):
    """Twice the right ones over those predicted and those that are."""

    def _figure(self, sums: dict[str, Any]) -> float:
        table = sums["table"]
        return self._averaged(2 * np.diagonal(table), table.sum(0) + table.sum(1), table)


class LogLoss(StreamedMetric):
    """Mean of −log of the probability of the truth: probabilities (rows, classes), or that of class
    1 (rows,) or (rows, 1).  Probabilities are kept an epsilon of their dtype from 0 and 1."""

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        tiny = np.finfo(predictions.dtype if predictions.dtype.kind == "f" else np.float64).eps
        p = predictions.astype(np.float64)
        if p.ndim == 1 or p.shape[1] == 1:
            p = np.stack([1 - p.reshape(-1), p.reshape(-1)], 1)
        p = np.clip(p / p.sum(1, keepdims=True), tiny, 1 - tiny)
        each = -np.log(p[np.arange(len(p)), targets.reshape(-1).astype(np.int64)])
        return {"loss": float(weights @ each), "all": float(weights.sum())}

    def _figure(self, sums: dict[str, Any]) -> float:
        return _ratio(sums["loss"], sums["all"])


class ROCAUC(StreamedMetric):
    """The area under the ROC curve of class 1; scores (rows,) or (rows, 1), or of two classes.

    It depends on the order of all rows: scores and targets are kept.  NaN while only one class has
    been seen.  Rows have no weights here.
    """

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        if (weights != 1).any():
            raise ArgumentError("ROCAUC got weights of rows", "Leave them out.")
        two = predictions.ndim == 2 and predictions.shape[1] == 2
        scores = predictions[:, 1] if two else predictions.reshape(len(predictions))
        return {"targets": [targets.reshape(-1).copy()], "scores": [scores.astype(np.float64)]}

    def _figure(self, sums: dict[str, Any]) -> float:
        targets, scores = np.concatenate(sums["targets"]), np.concatenate(sums["scores"])
        if not 0 < (targets == 1).sum() < len(targets):
            return math.nan
        return roc_auc(targets, scores)


class MeanAbsoluteError(StreamedMetric):
    """Mean of |prediction − target| over rows and outputs."""

    power = 1

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        wanted = targets.reshape(len(targets), -1).astype(np.float64)
        errors = np.abs(predictions.reshape(wanted.shape).astype(np.float64) - wanted)
        return {
            "errors": float(weights @ (errors**self.power).mean(1)),
            "all": float(weights.sum()),
        }

    def _figure(self, sums: dict[str, Any]) -> float:
        return _ratio(sums["errors"], sums["all"])


class MeanSquaredError(MeanAbsoluteError):
    """Mean of (prediction − target)² over rows and outputs."""

    power = 2


class RootMeanSquaredError(MeanSquaredError):
    """Square root of the mean squared error of one output or of all together."""

    def _figure(self, sums: dict[str, Any]) -> float:
        return math.sqrt(super()._figure(sums))


class R2(StreamedMetric):
    """1 − squared errors / squared distances from the mean, averaged over outputs.

    Means and squares are merged batch by batch (Chan, Golub and LeVeque, 1979), so that targets far
    from 0 lose no digits.  An output without spread counts 1 where it is predicted exactly, else 0.
    """

    def _batch(self, targets: Numbers, predictions: Numbers, weights: Numbers) -> dict[str, Any]:
        wanted = targets.reshape(len(targets), -1).astype(np.float64)
        given = predictions.reshape(wanted.shape).astype(np.float64)
        total = weights.sum()
        mean = weights @ wanted / total if total else np.zeros(wanted.shape[1])
        spread = _Spread(float(total), mean, weights @ np.square(wanted - mean))
        return {"errors": weights @ np.square(given - wanted), "spread": spread}

    def _figure(self, sums: dict[str, Any]) -> float:
        errors, spread = sums["errors"], sums["spread"].squares
        each = 1 - np.divide(errors, spread, out=np.zeros(len(errors)), where=spread > 0)
        return float(np.where(spread > 0, each, np.where(errors > 0, 0.0, 1.0)).mean())

    def state_dict(self) -> dict[str, Any]:
        """The sums, to go on later."""
        sums = dict(self._sums)
        if "spread" in sums:
            sums["spread"] = tuple(vars(sums["spread"]).values())
        return {"rows": self.rows, "sums": sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from sums that :meth:`state_dict` gave."""
        super().load_state_dict(state)
        if "spread" in self._sums:
            self._sums["spread"] = _Spread(*self._sums["spread"])


class _Spread:
    """Weight, mean and squared distances from it, of rows that come in parts."""

    def __init__(self, total: float, mean: Numbers, squares: Numbers) -> None:
        self.total, self.mean, self.squares = total, mean, squares

    def __add__(self, other: _Spread) -> _Spread:
        total = self.total + other.total
        if not total:
            return self
        apart = other.mean - self.mean
        return _Spread(
            total,
            self.mean + apart * other.total / total,
            self.squares + other.squares + apart**2 * self.total * other.total / total,
        )


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0
