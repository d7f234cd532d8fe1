"""What both estimators share: settings, checks of the input, fit, partial_fit and what is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pellucid.backends.cpu.threads import get_num_threads
from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.data.tasks import Task
from pellucid.estimators.fitted import Examples, FittedNetwork
from pellucid.estimators.inputs import AnyPreprocessor, Input, read_input
from pellucid.estimators.rows import distinct_rows
from pellucid.training.config import TrainingConfig

with needs("sklearn", "pellucid.estimators"):
    from sklearn.base import BaseEstimator
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils import check_random_state
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        validate_data,
    )

# Weights of classes become weights of rows here, as scikit-learn has it.
_SETTINGS = frozenset(item.name for item in dataclasses.fields(TrainingConfig)) - {"class_weight"}


class NetEstimator(BaseEstimator):  # type: ignore[misc]
    """The base of :class:`NetClassifier` and :class:`NetRegressor`."""

    _preprocessor: AnyPreprocessor
    _networks: list[FittedNetwork]

    def __init__(
        self,
        *,
        widths: Sequence[int] | None = None,
        activation: str = "relu",
        dropout: float = 0.0,
        model: str = "auto",
        text: str = "bag",
        channels: Sequence[int] | None = None,
        normalization: str | None = None,
        initialization: str = "he_normal",
        start: str = "auto",
        loss: str = "auto",
        l1: float = 0.0,
        l2: float | None = None,
        optimizer: str = "adamw",
        learning_rate: float | None = None,
        momentum: float = 0.9,
        schedule: str | None = None,
        clip_norm: float = 0.0,
        ema_decay: float = 0.0,
        ensemble: int = 1,
        batch_size: int | None = None,
        accumulate: int = 1,
        epochs: int | None = None,
        patience: int | None = None,
        shift: int | None = None,
        validation_fraction: float = 0.15,
        warm_start: bool = False,
        random_state: Any = None,
        compile: bool = True,
    ) -> None:
        self.widths = widths
        self.activation = activation
        self.dropout = dropout
        self.model = model
        self.text = text
        self.channels = channels
        self.normalization = normalization
        self.initialization = initialization
        self.start = start
        self.loss = loss
        self.l1 = l1
        self.l2 = l2
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.ema_decay = ema_decay
        self.ensemble = ensemble
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.epochs = epochs
        self.patience = patience
        self.shift = shift
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.compile = compile

    # ---- what the two kinds say themselves ---------------------------------------------------

    def _read_targets(self, y: Any, known: Any = None) -> tuple[list[Task], list[Any]]:
        """The tasks, one for each network, and their targets as numbers; notes the classes."""
        raise NotImplementedError

    def _row_weights(self, y: Any, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The weights of rows with those of their classes in them."""
        return weights

    # ---- learning ----------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from the rows of ``X`` and their targets ``y``.

        ``X``: numbers (rows, features) as array, sparse matrix or frame, NaN where missing; frames
        with categories, truth values and dates; images (rows, height, width) or (rows, height,
        width, channels); or texts (rows,).  ``y``: (rows,) or (rows, outputs).  ``sample_weight``
        (rows,): a row of weight 2 counts as two rows.

        Equal rows count as one with the sum of their weights, and the order of the rows does not
        matter.
        """
        given, numbers, weights = self._read(X, y, sample_weight, reset=True)
        tasks, targets = self._read_targets(numbers)
        weights = self._row_weights(numbers, weights)
        again = bool(self.warm_start) and hasattr(self, "_networks")
        rows, sums, given = self._distinct(given, targets, weights)
        if not again:
            self._preprocessor = given.preprocessor(str(self.text))
        features = given.features(self._preprocessor)
        old = self._networks if again else []
        self._networks = []
        for position, (task, column) in enumerate(zip(tasks, targets, strict=True)):
            network = self._new_network(task, given)
            if again:
                _check_same(old[position].task, task)
                network.arrays, network.scaler = old[position].arrays, old[position].scaler
            if task.classes and len(task.classes) == 1:
                self._networks.append(network)
                continue
            examples = Examples(features, column[rows], sums)
            network.fit(examples, float(self.validation_fraction))
            self._networks.append(network)
        self._note_history()
        return self

    def _distinct(
        self, given: Input, targets: Sequence[Any], weights: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], Input]:
        """Positions of the distinct rows, their weights, and the rows themselves."""
        rows, sums = distinct_rows(weights, *given.values(), *targets)
        return rows, sums, given.take(rows)

    def _partial(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> Self:
        first = not hasattr(self, "_networks")
        given, numbers, weights = self._read(X, y, sample_weight, reset=first)
        known = classes if first else self._known()
        tasks, targets = self._read_targets(numbers, known)
        weights = self._row_weights(numbers, weights)
        rows, sums, given = self._distinct(given, targets, weights)
        if first:
            self._preprocessor = given.preprocessor(str(self.text))
            self._networks = [self._new_network(task, given) for task in tasks]
        features = given.features(self._preprocessor)
        for network, column in zip(self._networks, targets, strict=True):
            if len(network.task.classes) != 1:
                network.learn(Examples(features, column[rows], sums))
        self._note_history()
        return self

    def _known(self) -> Any:
        """What earlier calls of partial_fit know of the targets."""
        return None

    def _read(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Input, npt.NDArray[Any], npt.NDArray[np.float64]]:
        """X, y and the weights, checked."""
        if not 0.0 <= self.validation_fraction < 1.0:
            raise ArgumentError(
                f"validation_fraction={self.validation_fraction!r}",
                "Give a share from 0 (nothing is held out, no early stopping) to below 1.",
            )
        numbers = validate_data(self, y=y, reset=False, multi_output=True)
        if hasattr(numbers, "toarray"):
            numbers = numbers.toarray()
        given = read_input(self, X, reset=reset)
        if len(given) != len(numbers):
            raise ArgumentError(
                f"X has {len(given)} rows and y has {len(numbers)}", "Give a target for each row."
            )
        if len(given) < 2:
            raise DataError(
                f"There is nothing to learn from 1 sample (n_samples={len(given)})",
                "Give at least two rows.",
            )
        weights = _check_sample_weight(
            sample_weight, np.empty((len(given), 1)), dtype=np.float64, ensure_non_negative=True
        )
        return given, numbers, np.asarray(weights, np.float64)

    def _new_network(self, task: Task, given: Input) -> FittedNetwork:
        """A network for a task, with the settings of now."""
        shape = self._preprocessor.row_shape
        settings = {n: v for n, v in self.get_params().items() if n in _SETTINGS and v is not None}
        if settings["model"] == "auto":
            del settings["model"]
        settings["seed"] = int(check_random_state(self.random_state).randint(2**31 - 1))
        settings["threads"] = get_num_threads()
        config = TrainingConfig.suited_to(shape, **settings)
        return FittedNetwork(task, config, self._preprocessor)

    def _note_history(self) -> None:
        """``n_iter_`` and the curves: those of the network that trained longest."""
        longest = max((n.history for n in self._networks), key=len)
        self.n_iter_ = max(1, len(longest))
        self.loss_curve_ = [record.loss for record in longest]
        self.validation_loss_curve_ = [
            record.validation_loss for record in longest if record.validation_loss is not None
        ]
        self.best_iter_ = longest.best_epoch

    # ---- afterwards --------------------------------------------------------------------------

    def _predictions(self, X: Any) -> list[npt.NDArray[np.float64]]:
        """What each network says of the rows: (rows, units)."""
        check_is_fitted(self, "_networks")
        given = read_input(self, X, reset=False)
        features = given.features(self._preprocessor)
        return [
            np.ones((len(features), 1)) if len(n.task.classes) == 1 else n.predict(features)
            for n in self._networks
        ]

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is something to predict with."""
        return hasattr(self, "_networks")

    def __sklearn_tags__(self) -> Any:
        """What kinds of data are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags


def _check_same(old: Task, new: Task) -> None:
    if old.kind != new.kind or old.classes != new.classes or old.targets != new.targets:
        raise ArgumentError(
            f"warm_start goes on with a network for {old.kind} ({', '.join(old.class_names[:8])}) "
            f"and y asks for {new.kind} ({', '.join(new.class_names[:8])})",
            "Give the same classes or targets as before, or set warm_start=False.",
        )
