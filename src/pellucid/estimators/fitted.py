"""A trained network as arrays: what an estimator keeps, copies and pickles."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.preprocessing import TargetScaler
from pellucid.data.sources import Part, PreparedData
from pellucid.data.splits import split_indices
from pellucid.data.tasks import Task
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import get_rng_state, manual_seed, set_rng_state
from pellucid.training.averaging import train_model
from pellucid.training.calibration import Calibration, calibrate
from pellucid.training.config import TrainingConfig
from pellucid.training.history import History
from pellucid.training.inference import Scorer
from pellucid.training.job import (
    part_rows,
    run_trainer,
    untrained_network,
)
from pellucid.training.network import build_network, predictions_of

LEAST_ROWS = 20
"""With fewer distinct rows none are held out, and training runs its full length."""
_BLOCK = 256
_NONE: npt.NDArray[np.int64] = np.empty(0, np.int64)


@dataclasses.dataclass(frozen=True)
class Examples:
    """Rows to learn from: float32 features (rows, features), targets as ``Part.raw_targets``, and
    weights (rows,)."""

    features: npt.NDArray[np.float32]
    targets: npt.NDArray[Any]
    weights: npt.NDArray[np.float64]

    def take(self, rows: npt.NDArray[np.int64], scaler: TargetScaler | None) -> Part:
        """These rows as a part of prepared data."""
        targets, weights = self.targets[rows], self.weights[rows]
        alike = not len(self.weights) or bool((self.weights == self.weights[0]).all())
        return Part(
            self.features[rows],
            targets if scaler is None else scaler.transform(targets),
            targets,
            rows,
            None if alike and self.weights[0] == 1 else weights,
        )


class FittedNetwork:
    """A network for one task: settings and weights (``arrays``, by their state-dict names).

    Pickles and copies hold these alone; programs and the state of training are made anew from
    them.  ``slots`` holds the optimizer's state where :meth:`learn` has been called.
    """

    def __init__(self, task: Task, config: TrainingConfig, preprocessor: Any) -> None:
        self.task, self.config, self.preprocessor = task, config, preprocessor
        self.scaler: TargetScaler | None = None
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        self.calibration: Calibration | None = None
        self.slots: dict[str, Any] | None = None
        self.history = History()
        self.scorer: Scorer | None = None
        self.trainer: Any = None

    def __getstate__(self) -> dict[str, Any]:
        slots = self.slots if self.trainer is None else _as_arrays(self.trainer.optimizer)
        return {**self.__dict__, "scorer": None, "trainer": None, "slots": slots}

    # ---- learning --------------------------------------------------------------------------

    def fit(self, examples: Examples, held_out: float) -> None:
        """Trains until the loss on the rows held out (a share ``held_out``) stops falling, then
        once more on all rows, for as many epochs as were best; goes on from ``arrays`` where there
        are some."""
        config, seed = self.config, self.config.seed
        train, validation = np.arange(len(examples.features)), _NONE
        if held_out and len(train) >= LEAST_ROWS:
            classes = self.task.kind in ("binary", "multiclass")
            shares = (1.0 - held_out, held_out, 0.0)
            stratify = examples.targets if classes else None
            train, validation, _ = split_indices(len(train), shares, seed, stratify)
        if not len(validation):
            config = dataclasses.replace(config, patience=0)
        if self.task.kind == "regression" and self.scaler is None:
            self.scaler = TargetScaler.fit(examples.targets[train])
        prepared = self._prepared(*(examples.take(r, self.scaler) for r in (train, validation)))
        self.scorer = self.trainer = self.slots = None
        weights = self.arrays or None
        with own_random_numbers():
            self._train(prepared, config, weights)
            self.calibration = None
            if not len(validation):
                return
            if weights is None:  # otherwise an earlier fit has seen these rows
                self._calibrate(prepared.validation)
            everything = np.arange(len(examples.features))
            parts = (examples.take(rows, self.scaler) for rows in (everything, _NONE))
            prepared, history = self._prepared(*parts), self.history
            if history.best_epoch:
                epochs = dataclasses.replace(config, epochs=history.best_epoch, patience=0)
                self._train(prepared, epochs, weights)
            else:
                self._keep(untrained_network(prepared, config, weights)[0])
            self.history = history

    def _train(self, prepared: PreparedData, config: TrainingConfig, weights: Any) -> None:
        result = train_model(prepared, config, watch=False, weights=weights)
        if result.failure is not None:
            raise result.failure
        self.history = result.history
        self._keep(result.model)

    def _calibrate(self, held: Part) -> None:
        """Learns from the rows held out how sure the network may be and how far off it is.  They
        judge the network that has not seen them; the one on all rows is at least as good."""
        scores = self._scorer()(held.features)
        self.calibration = calibrate(self.task, scores, held.raw_targets, self.scaler, held.weights)
        self.scorer = None

    def _keep(self, model: Any) -> None:
        """The model's weights as arrays."""
        state = model.state_dict()
        self.arrays = {name: np.array(value.detach().numpy()) for name, value in state.items()}

    def learn(self, examples: Examples) -> None:
        """One pass over these rows, with the optimizer as the last call left it."""
        if self.config.ensemble > 1:
            raise ArgumentError(
                f"partial_fit with ensemble={self.config.ensemble}",
                "Networks of an ensemble are trained by fit; use ensemble=1 to go on row by row.",
            )
        if self.task.kind == "regression" and self.scaler is None:
            self.scaler = TargetScaler.fit(examples.targets)
        rows = np.arange(len(examples.features))
        part = examples.take(rows, self.scaler)
        if part.weights is None:  # one form of targets for all calls, and so one program
            part = dataclasses.replace(part, weights=np.ones(len(rows)))
        prepared = self._prepared(part, examples.take(_NONE, self.scaler))
        config = dataclasses.replace(self.config, patience=0, epochs=1)
        with own_random_numbers():
            if self.trainer is None:
                manual_seed(config.seed)
                self.trainer = run_trainer(prepared, config, self._network())
                self.trainer.epochs_trained = len(self.history)
                if self.slots is not None:
                    self.trainer.optimizer.load_state_dict(_as_tensors(self.slots))
            manual_seed(config.seed + 1 + len(self.history))  # for dropout
            data = part_rows(prepared, part)
            self.trainer.fit(data, epochs=1, batch_size=config.batch_size, progress=False)
        self.history.epochs.extend(self.trainer.history.epochs)
        self._keep(self.trainer.model)
        self.scorer = self.calibration = None

    def _prepared(self, train: Part, validation: Part) -> PreparedData:
        none = Part(train.features[:0], train.targets[:0], train.raw_targets[:0], _NONE)
        shape = self.preprocessor.row_shape
        return PreparedData(
            name="X",
            task=self.task,
            train=train,
            validation=validation,
            test=none,
            preprocessor=self.preprocessor,
            target_scaler=self.scaler,
            feature_names=(),
            image_shape=shape if len(shape) > 1 else None,
            notes=(),
            fingerprint="",
            rows=len(train) + len(validation),
            rows_dropped=0,
            seed=self.config.seed,
        )

    def _network(self) -> Any:
        """The network with the weights of ``arrays``, or fresh ones."""
        model = build_network(
            self.preprocessor.row_shape, self.config, self.task.output_units, self.task.kind
        )
        if self.arrays:
            model.load_state_dict({name: as_tensor(v) for name, v in self.arrays.items()})
        return model

    # ---- afterwards ------------------------------------------------------------------------

    def predict(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities, or numbers in the units of the data: (rows, units).

        Rows are scored in blocks of one size, so that a row's result does not depend on how many
        come with it.
        """
        temperature = 1.0 if self.calibration is None else self.calibration.temperature
        return predictions_of(self.task, self._scorer()(features), self.scaler, temperature)

    def calibrated(self) -> Calibration:
        """What is known from the rows held out; ``DataError`` where none were."""
        if self.calibration is None:
            raise DataError(
                "No rows were held out to tell how far off the network is",
                f"Fit on at least {LEAST_ROWS} different rows with validation_fraction above 0, "
                "without partial_fit or warm_start afterwards.",
            )
        return self.calibration

    def _scorer(self) -> Scorer:
        if self.scorer is None:
            with own_random_numbers():
                model = self._network()
            self.scorer = Scorer(model, compile=self.config.compile, block=_BLOCK)
        return self.scorer


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Leaves the default generator as it was."""
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)


def _as_arrays(optimizer: Any) -> dict[str, Any]:
    """An optimizer's state with arrays for tensors."""
    found: dict[str, Any] = _mapped(optimizer.state_dict(), "detach", lambda t: t.numpy().copy())
    return found


def _as_tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _mapped(state, "shape", lambda a: as_tensor(np.array(a)))
    return found


def _mapped(value: Any, mark: str, convert: Any) -> Any:
    """The tree with ``convert`` applied to leaves that have the attribute ``mark``."""
    if isinstance(value, Mapping):
        return {name: _mapped(part, mark, convert) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(part, mark, convert) for part in value)
    return convert(value) if hasattr(value, mark) else value
