"""One call of ``Trainer.fit``: epochs, validation, early stopping, and every way it can end."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError, NonFiniteError
from pellucid.base.phrases import phrase
from pellucid.tensor.nonfinite import FirstNonFinite
from pellucid.training.batches import Batch
from pellucid.training.capture import capture, history_of, parts_of, restore_random
from pellucid.training.checkpoints import Writer
from pellucid.training.doctoring import FitRecord
from pellucid.training.history import EpochRecord, History
from pellucid.training.interrupts import Interrupted, Interrupts
from pellucid.training.nonfinite import advice_for, find_in_validation, find_origin
from pellucid.training.rows import Rows, Source
from pellucid.training.run_state import RunState
from pellucid.training.snapshots import Snapshot, Weights

# A safety copy may take this share of the time; the steps since the last one can be repeated.
_SNAPSHOT_SHARE = 0.01
_SNAPSHOT_SECONDS = 0.2
_KEPT_BATCH_BYTES = 256 * 2**20
SAMPLE_ROWS = 512
"""Training rows on which the loss is measured in evaluation mode."""

INTERVALS = ("epoch", "step", "fraction")
"""How often a schedule is advanced: once an epoch, once a step, or each step with the epochs done
so far as a number with a fraction."""


class Subject(Protocol):
    """What is fitted: the Trainer, as a fit sees it."""

    model: Any
    loss: Any
    optimizer: Any
    clip_norm: float
    average: Any
    schedule: Any
    history: History
    epoch: int
    callbacks: list[Any]

    @property
    def validated(self) -> Any:
        """The model that is measured and whose best weights are kept: the average, or the model."""

    @property
    def listened(self) -> bool:
        """Whether anybody wants to be told of steps."""

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked for the end of the run."""

    def emit(self, kind: str, **facts: Any) -> None:
        """Tell the callbacks."""

    def measure_all(
        self, features: Any, targets: Any, weights: Any = None, *, metric: bool = True
    ) -> tuple[float, float | None, dict[str, float]]:
        """Loss, metric where it is asked for, and further metrics by name, on all rows."""


@dataclass
class Position:
    """Where a run stands: ``steps`` of ``epoch`` (from 1) are done.

    ``rows`` and ``total`` are the rows and the sum of their losses in this epoch so far; ``lowest``
    is the lowest validation loss, ``waited`` the epochs since; ``due`` says that the schedule has
    not been told yet that an epoch is over.
    """

    epoch: int = 1
    steps: int = 0
    rows: int = 0
    total: float = 0.0
    lowest: float = math.inf
    waited: int = 0
    due: bool = False

    def next_epoch(self) -> None:
        """The epoch is over."""
        self.epoch, self.steps, self.rows, self.total = self.epoch + 1, 0, 0, 0.0


class Fit:
    """One call of ``Trainer.fit``.

    ``settings`` are what a run that goes on must have in common with the one that was saved.
    ``writer`` saves states of the run.  After ``max_seconds`` it ends with the batch that runs.
    """

    def __init__(
        self,
        subject: Subject,
        source: Source,
        validation: Batch | None,
        interrupts: Interrupts,
        *,
        interval: str = "epoch",
        epochs_before: int = 0,
        settings: dict[str, Any] | None = None,
        writer: Writer | None = None,
        max_seconds: float = math.inf,
    ) -> None:
        self.subject = subject
        self.source = source
        self.validation = validation
        self.interrupts = interrupts
        self.interval = interval
        self.epochs_before = epochs_before
        self.settings = settings or {}
        self.writer = writer
        self.max_seconds = max_seconds
        self.position = Position()
        self.busy = False
        """Whether a step is half done."""
        self._begun = time.perf_counter()
        self.history = subject.history
        self.best = Weights(subject.validated)
        self.safety = Snapshot(subject.model, subject.optimizer, subject.average)
        self.record: FitRecord | None = None
        """What is told to the doctor."""
        self.replay: list[_Replay] = []
        self.replay_bytes = 0
        self.snapshot_at = -math.inf
        self.snapshot_cost = 0.0

    def run(self, epochs: int, patience: int, min_delta: float) -> None:
        """All epochs, then the best weights."""
        history = self.history
        self._begun = time.perf_counter() - history.seconds
        compiled = history.compile_seconds
        if self.writer is not None:
            self.writer.begin(history.steps, len(history))
        try:
            self._epochs(epochs, patience, min_delta)
            early = history.status in ("interrupted", "stopped", "out of time")
            if self.writer is not None and (early or self.writer.settings.at_end):
                self._save(last=True)
        except Interrupted:
            # A second signal, in the middle of a step: parts of it may be done, others not.
            history.status = "interrupted"
            if history.steps and not self._has_best():
                self.safety.restore()
        except BaseException as error:
            if not isinstance(error, NonFiniteError):
                history.status = "failed"
                if self._has_best():
                    self.best.restore()
            raise
        finally:
            history.seconds = time.perf_counter() - self._begun
            history.compile_seconds = compiled + self.source.compile_seconds
            if self.writer is not None:
                self.writer.wait()
        if self._has_best():
            self.best.restore()

    def _has_best(self) -> bool:
        return self.validation is not None and self.history.best_epoch > 0

    def _epochs(self, epochs: int, patience: int, min_delta: float) -> None:
        history, position = self.history, self.position
        if position.due:
            self._advance(history.epochs[-1])
        while position.epoch <= epochs:
            if patience and position.waited >= patience:
                history.status = "stopped early"
                return
            self.subject.epoch = position.epoch
            record = self._epoch()
            if record is None:
                history.status = self._ended()
                return
            self._close_epoch(record, min_delta)
            if self._ended():
                history.status = self._ended()
                return
            self._advance(record)
            self._save()
        if patience and position.waited >= patience:
            history.status = "stopped early"

    def _close_epoch(self, record: EpochRecord, min_delta: float) -> None:
        """An epoch is over: note it, and tell the callbacks."""
        history, position, loss = self.history, self.position, record.validation_loss
        history.epochs.append(record)
        position.next_epoch()
        position.due = True
        better = loss is not None and (
            loss < position.lowest - min_delta or position.lowest == math.inf
        )
        if loss is None or better:
            history.best_epoch = record.epoch
        if better and loss is not None:
            position.lowest, position.waited = loss, 0
            self.best.take()
        elif loss is not None:
            position.waited += 1
        if self.record is not None:
            self.record.epoch(record)
        self.subject.emit("epoch", record=record)
        if better:
            self.subject.emit("best", record=record, model=self.subject.validated)

    def _ended(self) -> str:
        """Why the run ends before its time, empty where it does not."""
        if self.interrupts.requested:
            return "interrupted"
        if self.subject.stopping:
            return "stopped"
        return "out of time" if self._left() <= 0 else ""

    def _left(self) -> float:
        """Seconds of the time budget that are left."""
        return self.max_seconds - (time.perf_counter() - self._begun)

    def _epoch(self) -> EpochRecord | None:
        """One pass over the training rows, or what is left of it; None when it was ended."""
        position, epoch, seen = self.position, self.position.epoch, 0
        begun, before = time.perf_counter(), self.source.compile_seconds
        by_step = self.interval != "epoch" and self.subject.schedule is not None
        units = self.source.units(self.epochs_before + epoch, by_step, position.steps)
        for unit, count in units:
            if self._ended():
                return None
            self.source.hurry(self._left())
            self._protect(unit)
            self.busy = True
            with self.interrupts.second_raises():
                losses = self.source.run(unit)
            if not np.isfinite(losses).all():
                self._fail()
            self.busy = False
            if self.record is not None:
                self._note(self.record, unit, losses)
            seen += count * len(losses)
            self._count(losses, count)
            if by_step:
                self._advance_step(epoch, position.steps)
            if self.subject.listened:
                facts = {"count": len(losses), "loss": float(losses[-1]), "rows": position.rows}
                self.subject.emit("steps", **facts)
            self._save()
        if not position.rows:
            raise DataError("There are no training rows", "Give at least one batch.")
        now = time.perf_counter()
        spent = now - begun - (self.source.compile_seconds - before)
        loss, metric, train_loss = None, None, None
        further: dict[str, float] = {}
        some = self.source.some_rows(SAMPLE_ROWS)
        if self.validation is not None:
            with self.interrupts.second_raises():
                loss, metric, found = self.subject.measure_all(*self.validation)
                if some is not None:
                    train_loss, _, further = self.subject.measure_all(*some, metric=False)
                further |= {f"validation_{name}": value for name, value in found.items()}
            if not math.isfinite(loss):
                self._fail_validation(self.validation)
        return EpochRecord(
            epoch=epoch,
            loss=position.total / position.rows,
            validation_loss=loss,
            metric=metric,
            learning_rate=float(self.subject.optimizer.param_groups[0]["lr"]),
            steps=self.history.steps,
            rows_per_second=seen / max(spent, 1e-9),
            seconds=time.perf_counter() - self._begun,
            train_loss=train_loss,
            metrics=further,
        )

    def _note(self, record: FitRecord, unit: Any, losses: npt.NDArray[Any]) -> None:
        """Tell the doctor of some steps."""
        record.ran(unit, losses)
        self.source.one_by_one(record.wants_single)

    def _count(self, losses: npt.NDArray[Any], count: int) -> None:
        """So many steps are done, on ``count`` rows each."""
        position = self.position
        # Added one by one, so that the sum does not depend on how many steps one call does.
        terms = np.concatenate([[position.total], losses.astype(np.float64) * count])
        position.total = float(np.cumsum(terms)[-1])
        position.rows += count * len(losses)
        position.steps += len(losses)
        self.history.steps += len(losses)

    # ---- the state of the run --------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Where the run stands, for :meth:`go_on`."""
        if self.busy:
            raise ArgumentError(
                "The state of a run was asked for in the middle of a step",
                'Ask for it in a callback for "steps", "epoch" or "best".',
            )
        self.history.seconds = time.perf_counter() - self._begun
        before = {"epochs_before": self.epochs_before}
        return {"position": asdict(self.position), **before, "settings": dict(self.settings)}

    def best_arrays(self) -> dict[str, npt.NDArray[Any]] | None:
        """The best weights so far by name, None where there are none."""
        return self.best.arrays() if self._has_best() else None

    def go_on(self, state: RunState) -> None:
        """Begin where the run of ``state`` stood.  ``ArgumentError`` where it is another run."""
        fit = state["fit"]
        differing = {
            name: (value, self.settings.get(name))
            for name, value in fit["settings"].items()
            if value != self.settings.get(name)
        }
        if differing:
            shown = ", ".join(f"{n} was {a!r} and is {b!r}" for n, (a, b) in differing.items())
            raise ArgumentError(
                f"The run that was saved is another one: {shown}",
                "Go on with the data and settings of then, or begin a new run in another folder.",
            )
        self.source.go_on(state["source"])
        self.position = Position(**fit["position"])
        self.epochs_before = int(fit["epochs_before"])
        vars(self.history).update(vars(history_of(state["history"])))
        self.history.status = "finished"
        best = state["best"]
        if best is not None:
            self.best.put(best)
        restore_random(state["random"])

    def _save(self, last: bool = False) -> None:
        """Have the state of the run written where it is time for it."""
        writer, steps, epochs = self.writer, self.history.steps, len(self.history)
        if writer is None:
            return
        if not (last or writer.due(steps, epochs)):
            writer.prepare(self._room)
            return
        writer.save(lambda spare: capture(self.subject, self, spare), steps, epochs)

    def _room(self) -> RunState:
        """Memory for the state, with the best weights that there will be."""
        parts = parts_of(self.subject, self)
        if parts["best"] is None and self.validation is not None:
            parts["best"] = self.best.arrays()
        return RunState.room_for(parts)

    # ---- the schedule ----------------------------------------------------------------------

    def _advance(self, record: EpochRecord) -> None:
        """The schedule's step for the next epoch."""
        self.position.due = False
        schedule = self.subject.schedule
        if schedule is None or self.interval != "epoch":
            return
        if getattr(schedule, "watches_metric", False):
            loss = record.validation_loss
            schedule.step(record.loss if loss is None else loss)
        else:
            schedule.step()

    def _advance_step(self, epoch: int, steps: int) -> None:
        """The schedule's step after a training step; ``steps`` of this epoch are done."""
        schedule = self.subject.schedule
        if self.interval == "step":
            schedule.step()
        else:
            batches = self.source.batches
            done = self.epochs_before + epoch - 1
            schedule.step(done + min(1.0, steps / batches) if batches else done)

    # ---- NaN and infinity ------------------------------------------------------------------

    def _protect(self, unit: Any) -> None:
        """Take a safety copy when it costs little, and remember what happened since."""
        now = time.perf_counter()
        wait = max(_SNAPSHOT_SECONDS, self.snapshot_cost / _SNAPSHOT_SHARE)
        if now - self.snapshot_at >= wait or self.replay_bytes > _KEPT_BATCH_BYTES:
            if not self.safety.take():
                self._fail()
            self.replay, self.replay_bytes = [], 0
            self.snapshot_at = time.perf_counter()
            self.snapshot_cost = self.snapshot_at - now
        self.replay.append(_Replay(self.history.steps, self.subject, unit))
        self.replay_bytes += self.source.bytes_of(unit)

    def _fail_validation(self, validation: Batch) -> None:
        """The loss on validation data is not finite: because of a weight, or of the data."""
        if not self.safety.weights.finite():
            self._fail()
        self.history.status = "not finite"
        subject = self.subject
        origin = find_in_validation(subject, validation)
        if self.record is not None:
            self.record.failure = origin
        where = f", first in {origin.place}" if origin else ""
        if origin is not None and origin.rows is not None and len(origin.rows):
            shown = ", ".join(str(int(row)) for row in origin.rows[:10])
            where += f"; validation rows {shown}" + (" and more" if len(origin.rows) > 10 else "")
        if self.history.best_epoch:
            self.best.restore()
        subject.emit("stop", status="not finite")
        raise NonFiniteError(
            f"{origin.value if origin else 'NaN or infinity'} appeared in the validation loss "
            f"after step {self.history.steps} (epoch {subject.epoch}){where}",
            phrase(advice_for(origin), " The best weights so far are kept."),
        )

    def _fail(self) -> None:
        """Find the step where it began, restore the weights before it, and raise."""
        self.history.status = "not finite"
        subject = self.subject
        self.safety.restore()
        last_good = Snapshot(subject.model, subject.optimizer, subject.average)
        for replay in self.replay:
            replay.set_rates(subject)
            for offset, batch in enumerate(self.source.batches_of(replay.unit)):
                last_good.take()
                loss = self.source.repeat(batch)
                if math.isfinite(loss) and last_good.weights.finite():
                    continue
                last_good.restore()
                origin = find_origin(subject, self.source.tensors(batch))
                if self.record is not None:
                    self.record.failure = origin
                last_good.restore()
                self.history.steps, subject.epoch = replay.step + offset, replay.epoch
                subject.emit("stop", status="not finite")
                rows = self.source.rows_of(batch)
                raise _failure(origin, replay.step + offset, subject.epoch, rows)
        self.safety.restore()
        raise NonFiniteError(
            f"The loss became NaN or infinite before step {self.history.steps + 1}, and did not "
            "when the steps were repeated",
            "Some part of the training is not reproducible; the last good weights are kept.",
        )


class _Replay:
    """A unit that was run, and all that is needed to run it again."""

    def __init__(self, step: int, subject: Subject, unit: Any) -> None:
        self.step, self.epoch, self.unit = step, subject.epoch, unit
        # What a schedule may have changed since.
        self._rates = [
            {name: group[name] for name in ("lr", "momentum", "betas") if name in group}
            for group in subject.optimizer.param_groups
        ]

    def set_rates(self, subject: Subject) -> None:
        """The learning rates and momenta of then."""
        for group, rates in zip(subject.optimizer.param_groups, self._rates, strict=True):
            for name, value in rates.items():
                if group[name] != value:
                    group[name] = value


def interval_of(schedule: Any, asked: str | None) -> str:
    """How often ``schedule`` is advanced: ``asked``, or what its class says (``interval``)."""
    if asked is None:
        return str(getattr(schedule, "interval", "epoch"))
    if asked not in ("epoch", "step"):
        raise ArgumentError(
            f"schedule_interval={asked!r}", 'Give "epoch" or "step", or leave it out.'
        )
    return asked


def check_length(schedule: Any, interval: str, steps: int) -> None:
    """``ArgumentError`` where a schedule ends before so many training steps; 0: not known."""
    total = getattr(schedule, "total_steps", None)
    done = getattr(schedule, "last_epoch", 0)
    if interval != "step" or not isinstance(total, int) or done + steps <= total:
        return
    raise ArgumentError(
        f"{type(schedule).__name__} was made for total_steps={total}"
        + (f", of which {done} are done" if done else "")
        + f"; this run has up to {steps} steps",
        f"Make it with total_steps={done + steps} (epochs · batches of an epoch).",
    )


def _failure(
    origin: FirstNonFinite | None, step: int, epoch: int, rows: Rows | None
) -> NonFiniteError:
    """The error that says where it began; ``rows`` are the names of the batch's rows."""
    value = origin.value if origin else "NaN or infinity"
    place = origin.place if origin else "a place that the eager step does not show"
    text = f"{value} appeared in step {step + 1} (epoch {epoch}), first in {place}"
    if rows is not None:
        text += _guilty_rows(rows, origin.rows if origin is not None else None)
    if origin is not None and origin.operands:
        text += f"; computed from {' and '.join(str(o) for o in origin.operands)}"
    return NonFiniteError(
        text, phrase(advice_for(origin), " The weights before this step are kept.")
    )


def _guilty_rows(rows: Rows, inside: npt.NDArray[Any] | None) -> str:
    known = inside is not None and len(inside) > 0
    guilty = rows[inside] if known else rows
    shown = ", ".join(str(int(n)) for n in guilty[:10])
    more = f" and {len(guilty) - 10} more" if len(guilty) > 10 else ""
    what = "row" + "s" * (len(guilty) > 1) if known else "rows of the batch"
    return f"; {what}: {shown}{more}"
