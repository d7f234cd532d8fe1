"""Ensembles: several networks of one shape, trained side by side, whose predictions are averaged.

Networks that begin with other weights and see the rows in other orders make other mistakes; the
mean of their probabilities is usually better, and better calibrated, than that of one
(Lakshminarayanan and others, "Simple and scalable predictive uncertainty estimation using deep
ensembles", 2017).
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.sources import PreparedData
from pellucid.data.tasks import Task
from pellucid.tensor.autograd import no_grad
from pellucid.training.capture import named_tensors
from pellucid.training.checkpoints import Checkpoints, warn
from pellucid.training.config import TrainingConfig
from pellucid.training.ensembles import train_networks
from pellucid.training.history import Callback, EpochRecord, Event, History, StopTraining
from pellucid.training.inference import Scorer
from pellucid.training.interrupts import Interrupts
from pellucid.training.job import RunResult, look_inside, train_network, untrained_network
from pellucid.training.network import Averaged, predictions_of

Weights = Mapping[str, npt.NDArray[Any]]


def train_model(
    prepared: PreparedData,
    config: TrainingConfig,
    callbacks: Sequence[Callback] = (),
    interrupts: Interrupts | None = None,
    *,
    checkpoint: Checkpoints | None = None,
    report: Callable[[Exception], None] = warn,
    watch: bool = True,
    weights: Weights | None = None,
    profile: bool = False,
    doctor: float = 0.0,
) -> RunResult:
    """Trains what ``config`` describes: a network, as ``train_network`` does it, or an ensemble.

    The networks of an ensemble have seeds one after the other, from ``config.seed`` on; each is
    trained as it is alone, with its own early stopping, and small ones side by side.  The history
    tells the means over the networks, each of which stays where it ended.  States of the run are
    not saved.  Raises as ``train_network``, and ``ArgumentError`` for ``weights``, which would be
    those of all.
    """
    if config.ensemble == 1:
        return train_network(
            prepared,
            config,
            callbacks,
            interrupts,
            checkpoint=checkpoint,
            report=report,
            watch=watch,
            weights=weights,
            profile=profile,
            doctor=doctor,
        )
    if weights is not None:
        raise ArgumentError(
            phrase("Weights to begin with, and ", Setting("ensemble", config.ensemble)),
            "Networks that begin alike stay alike: begin anew, or train one.",
        )
    if profile:
        raise ArgumentError(
            phrase("A profile of layers, and ", Setting("ensemble", config.ensemble)),
            "It is that of one network: leave one of the two out.",
        )
    training = _Training(prepared, config.for_rows(prepared.training_rows), callbacks, interrupts)
    return training.run(watch)


class _Training:
    """The training of one ensemble."""

    def __init__(
        self,
        prepared: PreparedData,
        config: TrainingConfig,
        callbacks: Sequence[Callback],
        interrupts: Interrupts | None,
    ) -> None:
        self.prepared, self.config = prepared, config
        self.callbacks, self.interrupts = callbacks, interrupts
        self.begun = time.monotonic()
        self.stopped = False
        self.records: list[list[EpochRecord]] = [[] for _ in range(config.ensemble)]
        self.told = 0

    def run(self, look: bool) -> RunResult:
        """All networks, and the network of their means."""
        config, prepared = self.config, self.prepared
        problems: list[Exception] = []
        with contextlib.nullcontext() if self.interrupts is None else self.interrupts.raising():
            model, _ = untrained_network(prepared, config)
            before = look_inside(model, prepared, problems) if look else None
        found = self._networks()
        with no_grad():
            for network, result in zip(model.networks, found, strict=True):
                pairs = zip(named_tensors(network), named_tensors(result.model), strict=True)
                for (_, target), (_, source) in pairs:
                    np.copyto(target.detach().numpy(), source.detach().numpy())
        after = look_inside(model, prepared, problems) if look else None
        history = mean_history([result.history for result in found])
        self._tell(len(history), [result.history.epochs for result in found])
        made = RunResult(prepared, config, model, history, found[0].loss_name, before, after)
        made.failure = next((r.failure for r in found if r.failure is not None), None)
        made.threads, made.problems, made.seconds = found[0].threads, problems, found[0].seconds
        emit_end(self.callbacks, made)
        return made

    def _networks(self) -> list[RunResult]:
        """The results of the networks one by one."""
        config = self.config
        settings = [
            dataclasses.replace(config, ensemble=1, max_minutes=0.0, seed=config.seed + number)
            for number in range(config.ensemble)
        ]
        emit_start(self.callbacks, self.prepared, config)
        return train_networks(
            self.prepared,
            settings,
            watch=self._watch if self.callbacks else None,
            ended=self._ended,
            train_losses=bool(self.callbacks),
        )

    def _ended(self) -> str:
        if self.interrupts is not None and self.interrupts.requested:
            return "interrupted"
        minutes = self.config.max_minutes
        if minutes and time.monotonic() - self.begun > 60 * minutes:
            return "out of time"
        return "stopped" if self.stopped else ""

    def _watch(self, number: int, record: EpochRecord) -> bool:
        """Notes an epoch of a network, and tells the epoch before it: those who are not so far
        then have ended, where all learn together."""
        self.records[number].append(record)
        if record.epoch > self.told + 1 and all(self.records):
            self._tell(record.epoch - 1, self.records)
        return False

    def _tell(self, until: int, records: Sequence[Sequence[EpochRecord]]) -> None:
        """Tells the means of epochs that have not been told yet."""
        if not self.callbacks:
            return
        known = [one for one in records if one]
        for epoch in range(self.told + 1, until + 1):
            self.stopped |= emit(self.callbacks, epoch_event(_mean_record(known, epoch)))
        self.told = max(self.told, until)


def spread(
    network: Any,
    task: Task,
    features: npt.NDArray[Any],
    scaler: Any = None,
    temperature: float = 1.0,
) -> npt.NDArray[np.float64] | None:
    """How far the networks of an ensemble lie apart on rows (rows, units): the deviation (divisor
    n - 1) of their predictions, probabilities or numbers in the data's units, of each unit; of
    several classes that of the likeliest one alone.  None for a single network."""
    if not isinstance(network, Averaged):
        return None
    scorers = [Scorer(one) for one in network.networks]
    values = np.stack(
        [predictions_of(task, scorer(features), scaler, temperature) for scorer in scorers]
    )
    found: npt.NDArray[np.float64] = np.asarray(values.std(0, ddof=1), np.float64)
    if task.kind != "multiclass":
        return found
    likeliest = values.mean(0).argmax(1)
    chosen: npt.NDArray[np.float64] = found[np.arange(len(found)), likeliest][:, None]
    return chosen


def mean_history(histories: Sequence[History]) -> History:
    """Means over the epochs of several trainings, each of which stays where it ended.

    ``best_epoch`` is the median of theirs, ``status`` theirs if it is one, else ``finished``.
    """
    found = History(metric_name=histories[0].metric_name)
    lists = [history.epochs for history in histories if history.epochs]
    for epoch in range(1, max(map(len, lists), default=0) + 1):
        found.epochs.append(_mean_record(lists, epoch))
    statuses = {history.status for history in histories}
    found.status = statuses.pop() if len(statuses) == 1 else "finished"
    found.best_epoch = round(float(np.median([history.best_epoch for history in histories])))
    found.steps = max(history.steps for history in histories)
    found.seconds = max(history.seconds for history in histories)
    found.compile_seconds = max(history.compile_seconds for history in histories)
    return found


def _mean_record(lists: Sequence[Sequence[EpochRecord]], epoch: int) -> EpochRecord:
    """The means of an epoch, in which those that ended before stay where they were."""
    records = [records[min(epoch, len(records)) - 1] for records in lists]
    last = max(records, key=lambda record: record.epoch)
    means: dict[str, Any] = {}
    for name in ("loss", "validation_loss", "metric", "train_loss", "learning_rate"):
        values = [getattr(record, name) for record in records]
        known = [value for value in values if value is not None]
        means[name] = float(np.mean(known)) if len(known) == len(values) else None
    return dataclasses.replace(last, epoch=epoch, **means)


# ---- telling -----------------------------------------------------------------------------------


def emit_start(
    callbacks: Sequence[Callback], prepared: PreparedData, config: TrainingConfig
) -> None:
    """Tells that a training begins."""
    rows, size = prepared.training_rows, config.batch_size
    facts = {"epochs": config.for_rows(rows).epochs, "rows": rows, "batches": -(-rows // size)}
    emit(callbacks, Event("start", 0, 0, facts))


def epoch_event(record: EpochRecord) -> Event:
    """That an epoch is over."""
    return Event("epoch", record.steps, record.epoch, {"record": record})


def emit_end(callbacks: Sequence[Callback], result: RunResult) -> None:
    """Tells that a training is over."""
    steps, epochs = result.history.steps, len(result.history)
    emit(callbacks, Event("stop", steps, epochs, {"status": result.history.status}))


def emit(callbacks: Sequence[Callback], event: Event) -> bool:
    """Tells the callbacks; whether one asks for the end."""
    stopped = False
    for callback in callbacks:
        try:
            callback(event)
        except StopTraining:
            stopped = True
    return stopped
