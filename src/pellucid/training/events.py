"""What a training job tells its listeners while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.data.sources import PreparedData
from pellucid.training.config import TrainingConfig
from pellucid.training.history import Event
from pellucid.training.job import RunResult
from pellucid.training.leftovers import Leftover


@dataclass(frozen=True)
class JobEvent:
    """Something that happened in a job; the classes below, in this order."""


@dataclass(frozen=True)
class LeftBehind(JobEvent):
    """Folders of killed runs lie where this run will be written; see ``leftovers``."""

    found: tuple[Leftover, ...]


@dataclass(frozen=True)
class Resumed:
    """A run that goes on: where it was, and the steps that were done (0: it begins anew)."""

    folder: Path
    steps: int


@dataclass(frozen=True, eq=False)
class DataLoaded(JobEvent):
    """The data are read, checked, split and preprocessed; training begins, or goes on."""

    prepared: PreparedData
    config: TrainingConfig
    seconds: float
    resumed: Resumed | None = None


@dataclass(frozen=True)
class TrainerEvent(JobEvent):
    """An event of the Trainer: steps, epochs, a best epoch (see ``history.Event``)."""

    event: Event


@dataclass(frozen=True, eq=False)
class Trained(JobEvent):
    """The training is over, and its weights are on the disk where there is room for them."""

    result: RunResult


@dataclass(frozen=True, eq=False)
class Examined(JobEvent):
    """What the doctor says of the training: his ``Report``, empty where nothing is wrong."""

    report: Any


@dataclass(frozen=True, eq=False)
class Measured(JobEvent):
    """Metrics of all parts and of the simple models are known."""

    result: RunResult


@dataclass(frozen=True)
class Problem(JobEvent):
    """Something beside the training went wrong; the job goes on.  May come at any time.

    ``code`` is the exit code that a command should end with for it, 0 for what is only told.
    """

    message: str
    hint: str = ""
    code: int = 0


@dataclass(frozen=True)
class Written(JobEvent):
    """The run folder is in its place; ``complete`` where nothing is missing in it."""

    folder: Path
    complete: bool


Listener = Callable[[JobEvent], None]
"""Called with every event, in the thread of the job.  An error in it ends the listener, not the
job."""
