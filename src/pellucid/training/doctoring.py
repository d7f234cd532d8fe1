"""What a fit leaves for the doctor, who stands above and is found by name.

Noting losses and which batches were learned from costs next to nothing.  The doctor himself is
loaded when the run has lasted long enough for his looks to stay within their share of the time,
at once for ``doctor="full"``, and when he is asked for a report.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.tensor.nonfinite import FirstNonFinite
from pellucid.tensor.trace import user_line
from pellucid.training.batches import Batch
from pellucid.training.history import EpochRecord
from pellucid.training.rows import Source

LEVELS = ("light", "full")
LATE_SECONDS = 8.0
"""After so long the doctor is loaded for the light watch; loading takes about a hundredth of it."""
KEPT_FIRST, KEPT_LAST = 2, 4
MOST_BYTES = 64 * 2**20
SAMPLE_ROWS = 2048
SHORTEST_WAIT = 0.005
"""Seconds of waiting for a batch that are worth a word."""
_DOCTOR = "pellucid.insight.doctor.fits"


def level_of(doctor: bool | str) -> str:
    """``light``, ``full``, or nothing; ``ArgumentError`` for another word."""
    if isinstance(doctor, bool):
        return "light" if doctor else ""
    if doctor not in LEVELS:
        raise ArgumentError(f"doctor={doctor!r}", f"Give True, False, or one of {LEVELS}.")
    return doctor


class Treated(Protocol):
    """What a treatment was, ``pellucid.insight.doctor.treating.Treatment``: the patches that were
    ``kept``."""

    kept: list[Any]

    def to_json(self) -> dict[str, Any]:
        """The treatment as JSON values."""


class Examination(Protocol):
    """What the doctor returns, who stands above: ``pellucid.doctor.Report``."""

    findings: list[Any]
    facts: dict[str, Any]
    seconds: float

    @property
    def is_healthy(self) -> bool:
        """Whether nothing was found."""

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...

    def treat(self, **settings: Any) -> Treated:
        """Tries the remedies, and keeps those that help."""

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""


def doctor_of_fits() -> ModuleType:
    """The doctor's module for trainings of the Trainer."""
    return importlib.import_module(_DOCTOR)


def first_weights(parameters: Mapping[Any, Any]) -> dict[Any, npt.NDArray[Any]]:
    """Copies of parameters before a training, by which a start is judged later on; none where they
    take more than ``MOST_BYTES``."""
    # The arrays themselves: a program that is being traced has them already.
    held = ((key, p._cell.array) for key, p in parameters.items())
    arrays = {key: array for key, array in held if array is not None}
    if sum(array.nbytes for array in arrays.values()) > MOST_BYTES:
        return {}
    return {key: np.array(array) for key, array in arrays.items()}


class FitFollower(Protocol):
    """Who follows all fits of a program."""

    def fit_begins(self, record: FitRecord) -> None:
        """Before the first step of a fit."""

    def fit_ran(self, record: FitRecord) -> None:
        """Some of its steps are done."""

    def fit_ended(self, record: FitRecord) -> None:
        """It is over."""


_followers: list[FitFollower] = []
"""Who follows the fits of this process now, the outermost first."""


@contextmanager
def following_fits(follower: FitFollower) -> Iterator[None]:
    """Inside, ``follower`` is told of every fit that has a record."""
    _followers.append(follower)
    try:
        yield
    finally:
        _followers.remove(follower)


class FitRecord:
    """A fit as it is told to the doctor.

    ``losses`` are those of all steps, ``batches`` some that were learned from (tensors), ``rows``
    a sample of the training rows with ``number``, how many there are, ``failure`` where a value
    that is not finite came from.
    """

    def __init__(
        self,
        trainer: Any,
        level: str,
        source: Source,
        validation: Any,
        settings: Mapping[str, Any],
    ) -> None:
        self.trainer = trainer
        self.level = level
        self.source: Source | None = source
        self.validation = validation
        self.settings = dict(settings)
        self.line = user_line()
        self.failure: FirstNonFinite | None = None
        self.steps_done = 0
        self.first_weights = first_weights(dict(trainer.model.named_parameters()))
        """Name → value of each parameter before the first step; empty where they are too large."""
        self.number = source.rows
        self.doctor: Any = None
        """What looks at steps, once it is loaded."""
        self.trouble: Exception | None = None
        """What ended the watch before its time."""
        self.wants_single = False
        """Whether the next call should do one step alone."""
        self.wait_share: float | None = None
        self._losses: list[npt.NDArray[Any]] = []
        self._first: list[Any] = []
        self._last: deque[Any] = deque(maxlen=KEPT_LAST)
        self._begun, self._worked = time.perf_counter(), time.thread_time()
        self._late = 0.0 if level == "full" or _DOCTOR in sys.modules else LATE_SECONDS
        self._kept: tuple[list[Any], Any] | None = None

    @property
    def losses(self) -> npt.NDArray[np.float64]:
        """The loss of each step so far."""
        chunks = [chunk.reshape(-1) for chunk in self._losses]
        return np.concatenate(chunks).astype(np.float64) if chunks else np.zeros(0)

    # ---- while it runs -------------------------------------------------------------------------

    def begin(self) -> None:
        """Before the first step."""
        for follower in _followers:
            follower.fit_begins(self)
        self._load()

    def ran(self, unit: Any, losses: npt.NDArray[Any]) -> None:
        """Some steps are done."""
        self._losses.append(losses)
        self.steps_done += len(losses)
        if len(self._first) < KEPT_FIRST:
            self._first.append(unit)
        else:
            self._last.append(unit)
        self._load()
        self._tell(lambda doctor: doctor.ran(unit, losses))
        for follower in _followers:
            follower.fit_ran(self)

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is over."""
        self._tell(lambda doctor: doctor.epoch(record))

    def end(self) -> None:
        """The fit is over: keep copies of what is needed, and let go of the data."""
        if self.failure is None:
            self._tell(lambda doctor: doctor.end())
        self._kept = (self.batches(), self.rows())
        self.wait_share = self.waiting()
        self.source = None
        self._first, self._last = [], deque()
        for follower in _followers:
            follower.fit_ended(self)

    def _load(self) -> None:
        is_time = time.perf_counter() - self._begun >= self._late
        if self.doctor is None and is_time and self.trouble is None:
            self.doctor = doctor_of_fits().FitDoctor(self)

    def _tell(self, event: Callable[[Any], None]) -> None:
        """An error of the doctor's ends his watch, not the training."""
        if self.doctor is None or self.trouble is not None:
            return
        try:
            event(self.doctor)
        except Exception as error:
            self.trouble = error
            self.wants_single = False
        fresh, self.doctor.fresh = self.doctor.fresh, []
        for finding in fresh:
            self.trainer.emit("finding", finding=finding)

    def waiting(self) -> float | None:
        """The share of the time so far, without that of compiling, that batches were waited for;
        None where that is not known, or too short to matter."""
        waited = float(getattr(self.source, "waited", 0.0))
        if self.source is None or waited < SHORTEST_WAIT * max(self.steps_done, 8):
            return self.wait_share
        # What other programs take of the processor is no time of the steps'.
        worked = max(time.thread_time() - self._worked - self.source.compile_seconds, 0.0)
        return waited / (waited + worked)

    # ---- what was learned from -----------------------------------------------------------------

    def batches(self) -> list[Any]:
        """(features, targets) or with weights, of some steps, the newest last."""
        if self._kept is not None:
            return self._kept[0]
        found: list[Any] = []
        held = 0
        for unit in (*self._first, *self._last):
            if self.source is None or held > MOST_BYTES:
                break
            held += self.source.bytes_of(unit)
            found.append(self.source.tensors(next(iter(self.source.batches_of(unit)))))
        return found

    def rows(self) -> Batch | None:
        """A sample of the training rows as a batch, None where rows come once."""
        found: Batch | None = None
        if self._kept is not None:
            found = self._kept[1]
        elif self.source is not None:
            found = self.source.some_rows(SAMPLE_ROWS)
        return found
        return found
