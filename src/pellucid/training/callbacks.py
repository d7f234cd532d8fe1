"""Callbacks: what a program does at the turns of a training.

A callback is anything that is called with an ``Event``.  ``Callback`` is a class with a method for
each turn; a subclass defines those that it wants:

>>> from pellucid.training import Callback
>>> class GoodEnough(Callback):
...     def on_epoch_end(self, trainer, record):
...         if record.loss < 0.01:
...             trainer.stop()

One that remembers something between steps gives it in ``state_dict`` and takes it back in
``load_state_dict``: it is saved in checkpoints, and ``Trainer.resume`` gives it back.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pellucid.base.errors import ArgumentError
from pellucid.training.files import explained
from pellucid.training.history import EpochRecord, Event
from pellucid.utils.tensorboard import SummaryWriter


class Callback:
    """Methods for the turns of a training; all of them do nothing here.

    Any of them may call ``trainer.stop()`` or raise ``StopTraining`` to end the run: it ends after
    the step (or the slice of steps) that runs, with the best weights.
    """

    def __call__(self, event: Event) -> None:
        """Calls the method for the event."""
        trainer, facts = event.trainer, event.facts
        if event.kind == "start":
            self.on_fit_start(trainer, facts["epochs"], facts["rows"], facts["batches"])
        elif event.kind == "steps":
            self.on_steps_end(trainer, facts["count"], facts["loss"], facts["rows"])
        elif event.kind == "epoch":
            self.on_epoch_end(trainer, facts["record"])
        elif event.kind == "best":
            self.on_best(trainer, facts["record"])
        elif event.kind == "stop":
            self.on_fit_end(trainer, facts["status"])

    def on_fit_start(self, trainer: Any, epochs: int, rows: int, batches: int) -> None:
        """Before the first step: at most so many ``epochs``, ``rows`` and ``batches`` in each, 0
        where it is not known."""

    def on_steps_end(self, trainer: Any, count: int, loss: float, rows: int) -> None:
        """``count`` steps are done (several of them where steps are short, about ten times a
        second), the last with ``loss``; ``rows`` of this epoch so far."""

    def on_epoch_end(self, trainer: Any, record: EpochRecord) -> None:
        """An epoch is over and validated."""

    def on_best(self, trainer: Any, record: EpochRecord) -> None:
        """The validation loss is the lowest so far; after ``on_epoch_end``."""

    def on_fit_end(self, trainer: Any, status: str) -> None:
        """The run is over; ``status`` as in the history."""


class EarlyStopping(Callback):
    """Ends the run after ``patience`` epochs without a better ``monitor``: a field of the epochs'
    records, such as ``"metric"``, ``"loss"`` or ``"validation_loss"``.

    Better is lower (``mode="min"``) or higher (``"max"``) by more than ``min_delta``.  The weights
    that stay are those of the lowest validation loss, as always.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        mode: str = "min",
        min_delta: float = 0.0,
    ) -> None:
        if monitor not in EpochRecord.__dataclass_fields__:
            names = ", ".join(EpochRecord.__dataclass_fields__)
            raise ArgumentError(f"monitor={monitor!r}", f"Give one of {names}.")
        if mode not in ("min", "max") or patience < 1:
            raise ArgumentError(
                f"mode={mode!r}, patience={patience!r}", "Give min or max, and epochs from 1 up."
            )
        self.monitor, self.patience = monitor, patience
        self.mode, self.min_delta = mode, min_delta
        self.best, self.waited = math.inf, 0

    def on_fit_start(self, trainer: Any, epochs: int, rows: int, batches: int) -> None:
        """A run that is new begins to count anew."""
        if not trainer.history.steps:
            self.best, self.waited = math.inf, 0

    def on_epoch_end(self, trainer: Any, record: EpochRecord) -> None:
        """Counts, and ends the run."""
        value = getattr(record, self.monitor)
        if value is None:
            return
        value = value if self.mode == "min" else -value
        if value < self.best - self.min_delta or self.best == math.inf:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            trainer.stop()

    def state_dict(self) -> dict[str, Any]:
        """The best value (its negative for ``"max"``) and the epochs since."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on counting."""
        self.best, self.waited = float(state["best"]), int(state["waited"])


class LambdaCallback(Callback):
    """Functions as a callback: ``LambdaCallback(on_epoch_end=lambda trainer, record: …)``."""

    def __init__(
        self,
        on_fit_start: Callable[[Any, int, int, int], None] | None = None,
        on_steps_end: Callable[[Any, int, float, int], None] | None = None,
        on_epoch_end: Callable[[Any, EpochRecord], None] | None = None,
        on_best: Callable[[Any, EpochRecord], None] | None = None,
        on_fit_end: Callable[[Any, str], None] | None = None,
    ) -> None:
        given = {
            "on_fit_start": on_fit_start,
            "on_steps_end": on_steps_end,
            "on_epoch_end": on_epoch_end,
            "on_best": on_best,
            "on_fit_end": on_fit_end,
        }
        for name, function in given.items():
            if function is not None:
                setattr(self, name, function)


class _FileLogger(Callback):
    """Writes a line for each epoch, and adds to what is there where a run goes on."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def on_fit_start(self, trainer: Any, epochs: int, rows: int, batches: int) -> None:
        """A new file for a new run."""
        if not trainer.history.steps or not self.path.exists():
            with explained(self.path), open(self.path, "w", newline="") as file:
                self._head(file, trainer)

    def _head(self, file: IO[str], trainer: Any) -> None:
        """What stands above the lines."""

    def _add(self, write: Callable[[IO[str]], Any]) -> None:
        with explained(self.path), open(self.path, "a", newline="") as file:
            write(file)


class JSONLogger(_FileLogger):
    """One JSON object a line: each epoch's record, and at the end ``{"status": …}``."""

    def on_epoch_end(self, trainer: Any, record: EpochRecord) -> None:
        """Adds a line."""
        values = {
            name: str(v) if isinstance(v, float) and not math.isfinite(v) else v
            for name, v in record.to_json().items()
        }
        self._add(lambda file: file.write(json.dumps(values) + "\n"))

    def on_fit_end(self, trainer: Any, status: str) -> None:
        """Adds the last line."""
        self._add(lambda file: file.write(json.dumps({"status": status}) + "\n"))


class CSVLogger(_FileLogger):
    """A table with a row for each epoch, empty where something was not measured."""

    def _head(self, file: IO[str], trainer: Any) -> None:
        csv.writer(file).writerow(self._names(trainer))

    def _names(self, trainer: Any) -> list[str]:
        own = [name for name in EpochRecord.__dataclass_fields__ if name != "metrics"]
        return own + [name for one in trainer.metrics for name in (one, f"validation_{one}")]

    def on_epoch_end(self, trainer: Any, record: EpochRecord) -> None:
        """Adds a row."""
        values = record.to_json()
        row = [values.get(name) for name in self._names(trainer)]
        self._add(lambda file: csv.writer(file).writerow(row))


class TensorBoardLogger(Callback):
    """Curves for TensorBoard in ``folder``: the loss of steps about ten times a second, and each
    epoch's record.  Needs the extra ``tensorboard``."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = folder
        self._writer: SummaryWriter | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_writer": None}

    def on_fit_start(self, trainer: Any, epochs: int, rows: int, batches: int) -> None:
        """Opens the records."""
        self._writer = SummaryWriter(os.fspath(self.folder))

    def on_steps_end(self, trainer: Any, count: int, loss: float, rows: int) -> None:
        """The loss of the last step."""
        if self._writer is not None:
            self._writer.add_scalar("steps/loss", loss, trainer.history.steps)

    def on_epoch_end(self, trainer: Any, record: EpochRecord) -> None:
        """All that is known of the epoch."""
        for name, value in record.to_json().items():
            if self._writer is not None and value is not None and name != "epoch":
                self._writer.add_scalar(f"epochs/{name}", value, record.epoch)

    def on_fit_end(self, trainer: Any, status: str) -> None:
        """Closes the records."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
