"""The Trainer: epochs of native steps, early stopping, best weights, and a clear end.

>>> from pellucid import nn, Trainer
>>> trainer = Trainer(nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)), "cross_entropy")
>>> history = trainer.fit((x, y), (x_validation, y_validation), epochs=20)  # doctest: +SKIP
>>> trainer.predict_class(x_new)  # doctest: +SKIP
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import optim
from pellucid.base.errors import ArgumentError, DataError, NonFiniteError
from pellucid.data.dataset import is_tensor_rows, tensors_of
from pellucid.nn import functional
from pellucid.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.nonfinite import FirstNonFinite
from pellucid.tensor.shaping import cat
from pellucid.training.history import Callback, EpochRecord, Event, History
from pellucid.training.inference import Scorer, one_half
from pellucid.training.interrupts import Interrupts
from pellucid.training.nonfinite import advice_for, find_in_validation, find_origin
from pellucid.training.snapshots import Snapshot, Weights
from pellucid.training.stepping import ArraySteps, BatchSteps, Learner

Metric = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]

# A safety copy may take this share of the time; the steps since the last one can be repeated.
_SNAPSHOT_SHARE = 0.01
_SNAPSHOT_SECONDS = 0.2
_KEPT_BATCH_BYTES = 256 * 2**20


class Trainer:
    """Trains ``model`` to make ``loss(model(features), targets)`` small.

    ``loss`` is a function of (scores, targets) that returns one number, a loss module, or a name
    in ``pellucid.nn.functional``.  ``optimizer`` is AdamW with learning rate 0.001 unless given.
    ``schedule`` is advanced once an epoch (a plateau schedule with the validation loss).
    ``metric(scores, targets)`` (arrays) is measured on validation data after each epoch.
    ``clip_norm`` above 0 shortens longer gradients to it.  ``accumulate`` batches make one update:
    that of one large batch, with the memory of a small one.  ``ema_decay`` above 0 keeps a moving
    average of the weights (a ← d·a + (1 − d)·w after each update); validation and the choice of
    the best epoch use it, and it is what the model holds in the end.  ``callbacks`` are called
    with every ``Event``.  ``compile=False`` runs steps in Python, operation by operation.  ``seed``
    decides the order of rows: equal seeds give equal bits, on any number of threads.
    """

    def __init__(
        self,
        model: Any,
        loss: Callable[[Any, Any], Any] | str,
        optimizer: Any = None,
        *,
        schedule: Any = None,
        metric: Metric | None = None,
        clip_norm: float = 0.0,
        accumulate: int = 1,
        ema_decay: float = 0.0,
        callbacks: Sequence[Callback] = (),
        compile: bool = True,
        seed: int = 0,
    ) -> None:
        if isinstance(loss, str):
            found = getattr(functional, loss, None)
            if found is None:
                raise ArgumentError(
                    f"There is no loss {loss!r} in pellucid.nn.functional",
                    "Use a name such as cross_entropy, or pass a function.",
                )
            loss = found
        self.model = model
        self.loss: Any = loss
        self.optimizer = (
            optim.AdamW(model.parameters(), lr=1e-3) if optimizer is None else optimizer
        )
        self.schedule = schedule
        self.metric = metric
        self.clip_norm = float(clip_norm)
        _check_whole("accumulate", accumulate, 1)
        if not 0.0 <= ema_decay < 1.0:
            raise ArgumentError(f"ema_decay={ema_decay!r}", "Give a number from 0 to below 1.")
        self.accumulate = int(accumulate)
        self.ema_decay = float(ema_decay)
        self.average: Any = None
        self.callbacks = list(callbacks)
        self.compile = compile
        self.seed = seed
        self.scorer = Scorer(model, compile=compile)
        self.history = History()
        self._epoch = 0
        self._steps: ArraySteps | BatchSteps | None = None
        self._names: npt.NDArray[np.int64] | None = None

    # ---- training --------------------------------------------------------------------------

    def fit(
        self,
        train: Any,
        validation: Any = None,
        *,
        epochs: int = 10,
        batch_size: int = 64,
        shuffle: bool = True,
        patience: int = 0,
        min_delta: float = 0.0,
        row_numbers: npt.NDArray[np.int64] | None = None,
    ) -> History:
        """Trains for at most ``epochs`` passes over ``train`` and returns the history.

        ``train`` is a pair (features, targets) of arrays or tensors with one row each, a
        ``TensorDataset``, or anything that gives batches (features, targets) each time it is
        iterated over, such as a ``DataLoader``; ``batch_size`` and ``shuffle`` are for the
        former.  A last batch that is not full is a step of its own.  ``validation`` is a pair or
        ``TensorDataset``; with it the weights of the epoch with the lowest validation loss are
        restored at the end, and ``patience`` > 0 stops after so many epochs in which that loss
        did not fall by more than ``min_delta``.  ``row_numbers`` name the training rows in
        messages.

        Ctrl-C ends the run after the current slice with what was learned (status
        ``interrupted``).  Raises ``NonFiniteError`` when the loss or a weight becomes NaN or
        infinite, with the last good weights in the model and ``history.status`` ``not finite``.
        """
        _check_fit(epochs, batch_size, patience, validation)
        arrays = _pair(train)
        checked = None if validation is None else _require_pair(validation)
        self.average = None
        if self.ema_decay:
            update = get_ema_multi_avg_fn(self.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=update)
            self.scorer = Scorer(self.average.module, compile=self.compile)
        learner = Learner(
            self.model, self.loss, self.optimizer, self.clip_norm, self._report, self.average
        )
        self.history = History()
        self._names = row_numbers
        several = self.accumulate > 1
        if arrays is None:
            self._steps = BatchSteps(learner, self.compile, several)
            source: Any = _Batches(train, self.accumulate)
        else:
            part = batch_size if several else 0
            self._steps = ArraySteps(learner, arrays[0], arrays[1], self.compile, part)
            source = _Rows(arrays, batch_size * self.accumulate, shuffle, self.seed)
        if not self.model.training:  # layers that were frozen on purpose stay so
            self.model.train()
        self._emit("start", epochs=epochs, rows=source.rows, batches=source.batches)
        try:
            with Interrupts() as interrupts:
                _Fit(self, source, checked, interrupts).run(epochs, patience, min_delta)
        finally:
            self._finish()
        self._emit("stop", status=self.history.status)
        return self.history

    def _finish(self) -> None:
        """The average becomes the model's weights; collected gradients go."""
        if self.accumulate > 1:
            self.optimizer.zero_grad()
        if self.average is None:
            return
        if self.history.status != "not finite":
            self.model.load_state_dict(self.average.module.state_dict())
        self.scorer = Scorer(self.model, compile=self.compile)

    # ---- afterwards ------------------------------------------------------------------------

    def predict(self, features: Any) -> Any:
        """Scores (rows, outputs): the model's output in evaluation mode, before sigmoid or
        softmax."""
        return as_tensor(self.scorer(features))

    def predict_class(self, features: Any) -> Any:
        """Class numbers int64 (rows,): the largest score of each row; with a single output 1
        where the probability is above one half, be it that the network gives a score, or the
        probability itself (a sigmoid as last layer, or a loss that takes probabilities)."""
        scores = self.scorer(features)
        if scores.ndim != 2:
            raise ArgumentError(
                f"predict_class needs scores (rows, outputs), the model gives {scores.shape}",
                "Use predict.",
            )
        if scores.shape[1] == 1:
            half = one_half(self.model, self.loss, features)
            return as_tensor((scores[:, 0] > half).astype(np.int64))
        return as_tensor(scores.argmax(axis=1).astype(np.int64))

    def evaluate(self, data: Any) -> dict[str, float]:
        """Loss and, if there is one, metric on (features, targets)."""
        features, targets = _require_pair(data)
        loss, metric = self._measure(features, targets)
        return {"loss": loss} if metric is None else {"loss": loss, "metric": metric}

    def _measure(self, features: Any, targets: Any) -> tuple[float, float | None]:
        scores = self.scorer(features)
        with no_grad():
            loss = float(self.loss(as_tensor(scores), targets).item())
        if self.metric is None or not np.isfinite(scores).all():
            return loss, None
        return loss, float(self.metric(scores, targets.detach().numpy()))

    # ---- events ----------------------------------------------------------------------------

    def _report(self, kind: str, traced: bool) -> None:
        if self.callbacks:
            self._emit(kind, traced=traced)

    def _emit(self, kind: str, **facts: Any) -> None:
        event = Event(kind, self.history.steps, self._epoch, facts)
        for callback in self.callbacks:
            callback(event)


class _Fit:
    """One call of ``Trainer.fit``."""

    def __init__(
        self, trainer: Trainer, source: Any, validation: Any, interrupts: Interrupts
    ) -> None:
        self.trainer = trainer
        self.source = source
        self.validation = validation
        self.interrupts = interrupts
        self.steps: Any = trainer._steps
        self.history = trainer.history
        self.best = Weights(trainer.scorer.model)
        self.safety = Snapshot(trainer.model, trainer.optimizer, trainer.average)
        self.replay: list[tuple[int, int, Any]] = []
        self.replay_bytes = 0
        self.snapshot_at = -math.inf
        self.snapshot_cost = 0.0

    def run(self, epochs: int, patience: int, min_delta: float) -> None:
        """All epochs, then the best weights."""
        history, start = self.history, time.perf_counter()
        lowest, waited = math.inf, 0
        try:
            for epoch in range(1, epochs + 1):
                self.trainer._epoch = epoch
                record = self._epoch(epoch, start)
                if record is None:
                    history.status = "interrupted"
                    break
                history.epochs.append(record)
                self.trainer._emit("epoch", record=record)
                if record.validation_loss is None:
                    history.best_epoch = epoch
                elif record.validation_loss < lowest - min_delta or lowest == math.inf:
                    lowest, waited, history.best_epoch = record.validation_loss, 0, epoch
                    self.best.take()
                    self.trainer._emit("best", record=record, model=self.trainer.scorer.model)
                else:
                    waited += 1
                if self.interrupts.requested:
                    history.status = "interrupted"
                    break
                if patience and waited >= patience:
                    history.status = "stopped early"
                    break
                self._advance(record)
        finally:
            history.seconds = time.perf_counter() - start
            history.compile_seconds = self.steps.compile_seconds
        if self.validation is not None and history.best_epoch:
            self.best.restore()

    def _epoch(self, epoch: int, start: float) -> EpochRecord | None:
        """One pass over the training rows; None when it was interrupted."""
        begun, total, rows = time.perf_counter(), 0.0, 0
        before = self.steps.compile_seconds
        for unit, count in self.source.slices(epoch, self.steps):
            if self.interrupts.requested:
                return None
            self._protect(unit)
            losses = self.source.run(self.steps, unit)
            if not np.isfinite(losses).all():
                self._fail()
            total += float(losses.sum(dtype=np.float64)) * count
            rows += count * len(losses)
            self.history.steps += len(losses)
            if self.trainer.callbacks:
                facts = {"count": len(losses), "loss": float(losses[-1]), "rows": rows}
                self.trainer._emit("steps", **facts)
        if not rows:
            raise DataError("There are no training rows", "Give at least one batch.")
        now = time.perf_counter()
        spent = now - begun - (self.steps.compile_seconds - before)
        loss, metric = None, None
        if self.validation is not None:
            loss, metric = self.trainer._measure(*self.validation)
            if not math.isfinite(loss):
                self._fail_validation()
        return EpochRecord(
            epoch=epoch,
            loss=total / rows,
            validation_loss=loss,
            metric=metric,
            learning_rate=float(self.trainer.optimizer.param_groups[0]["lr"]),
            steps=self.history.steps,
            rows_per_second=rows / max(spent, 1e-9),
            seconds=time.perf_counter() - start,
        )

    def _advance(self, record: EpochRecord) -> None:
        """The schedule's step for the next epoch."""
        schedule = self.trainer.schedule
        if schedule is None:
            return
        if hasattr(schedule, "is_better") or type(schedule).__name__ == "ReduceLROnPlateau":
            loss = record.validation_loss
            schedule.step(record.loss if loss is None else loss)
        else:
            schedule.step()

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
        self.replay.append((self.history.steps, self.trainer._epoch, unit))
        self.replay_bytes += self.source.bytes_of(unit)

    def _fail_validation(self) -> None:
        """The loss on validation data is not finite: because of a weight, or of the data."""
        if not self.safety.weights.finite():
            self._fail()
        self.history.status = "not finite"
        trainer = self.trainer
        origin = find_in_validation(trainer, *self.validation)
        where = f", first in {origin.place}" if origin else ""
        if origin is not None and origin.rows is not None and len(origin.rows):
            shown = ", ".join(str(int(row)) for row in origin.rows[:10])
            where += f"; validation rows {shown}" + (" and more" if len(origin.rows) > 10 else "")
        if self.history.best_epoch:
            self.best.restore()
        trainer._emit("stop", status="not finite")
        raise NonFiniteError(
            f"{origin.value if origin else 'NaN or infinity'} appeared in the validation loss "
            f"after step {self.history.steps} (epoch {trainer._epoch}){where}",
            f"{advice_for(origin)} The best weights so far are kept.",
        )

    def _fail(self) -> None:
        """Find the step where it began, restore the weights before it, and raise."""
        self.history.status = "not finite"
        trainer = self.trainer
        self.safety.restore()
        last_good = Snapshot(trainer.model, trainer.optimizer, trainer.average)
        for first, epoch, unit in self.replay:
            for offset, batch in enumerate(self.source.batches_of(unit)):
                last_good.take()
                loss = self.steps.batch(batch)
                if math.isfinite(loss) and last_good.weights.finite():
                    continue
                last_good.restore()
                origin = find_origin(trainer, *self.source.tensors(batch))
                last_good.restore()
                self.history.steps, trainer._epoch = first + offset, epoch
                trainer._emit("stop", status="not finite")
                raise _failure(origin, first + offset, trainer, self.source.rows_of(batch))
        self.safety.restore()
        raise NonFiniteError(
            f"The loss became NaN or infinite before step {self.history.steps + 1}, and did not "
            "when the steps were repeated",
            "Some part of the training is not reproducible; the last good weights are kept.",
        )


def _failure(
    origin: FirstNonFinite | None,
    step: int,
    trainer: Trainer,
    rows: npt.NDArray[np.int64] | None,
) -> NonFiniteError:
    """The error that says where it began."""
    value = origin.value if origin else "NaN or infinity"
    place = origin.place if origin else "a place that the eager step does not show"
    text = f"{value} appeared in step {step + 1} (epoch {trainer._epoch}), first in {place}"
    if rows is not None:
        names = rows if trainer._names is None else trainer._names[rows]
        inside = origin.rows if origin is not None else None
        guilty = names if inside is None or not len(inside) else names[inside]
        shown = ", ".join(str(int(n)) for n in guilty[:10])
        more = f" and {len(guilty) - 10} more" if len(guilty) > 10 else ""
        what = "rows of the batch" if guilty is names else "row" + "s" * (len(guilty) > 1)
        text += f"; {what}: {shown}{more}"
    if origin is not None and origin.operands:
        text += f"; computed from {' and '.join(str(o) for o in origin.operands)}"
    return NonFiniteError(text, f"{advice_for(origin)} The weights before this step are kept.")


# ---- where rows come from --------------------------------------------------------------------


class _Rows:
    """Rows of arrays in memory, in a new order each epoch."""

    def __init__(self, arrays: tuple[Any, Any], size: int, shuffle: bool, seed: int) -> None:
        self.features, self.targets = arrays
        self.rows = int(self.features.shape[0])
        self.size = min(size, self.rows)
        self.batches = -(-self.rows // self.size) if self.rows else 0
        self.shuffle = shuffle
        self._seed = seed

    def slices(self, epoch: int, steps: ArraySteps) -> Iterable[tuple[Any, int]]:
        """(rows of some steps, batch size), full batches first."""
        if self.shuffle:
            # A generator for each epoch: any epoch's order can be had without those before it.
            # NumPy's, because drawing the order must not take longer than a short epoch's steps.
            generator = np.random.Generator(np.random.PCG64([self._seed, epoch]))
            order = generator.permutation(self.rows)
        else:
            order = np.arange(self.rows, dtype=np.int64)
        full = self.rows // self.size
        lines = order[: full * self.size].reshape(full, self.size)
        at = 0
        while at < full:
            until = min(full, at + steps.slice_steps)
            yield lines[at:until], self.size
            at = until
        if full * self.size < self.rows:
            yield order[None, full * self.size :], self.rows - full * self.size

    def run(self, steps: ArraySteps, unit: Any) -> npt.NDArray[Any]:
        return steps.timed(unit)

    def batches_of(self, unit: Any) -> Any:
        return unit

    def tensors(self, batch: Any) -> tuple[Any, Any]:
        rows = as_tensor(np.ascontiguousarray(batch))
        return self.features.index_select(0, rows), self.targets.index_select(0, rows)

    def rows_of(self, batch: Any) -> npt.NDArray[np.int64] | None:
        return np.asarray(batch)

    def bytes_of(self, unit: Any) -> int:
        return 0  # a view of the epoch's order


class _Batches:
    """Batches (features, targets) from a loader, ``several`` in each step."""

    def __init__(self, loader: Any, several: int = 1) -> None:
        self.loader = loader
        self.several = several
        try:
            self.batches = len(loader)
            self.rows = self.batches * int(getattr(loader, "batch_size", 1))
        except TypeError:
            self.batches = self.rows = 0

    def slices(self, epoch: int, steps: BatchSteps) -> Iterable[tuple[Any, int]]:
        """(the batches of one step, their rows)."""
        group: list[tuple[Any, Any]] = []
        for pair in self._pairs():
            group.append(pair)
            if len(group) == self.several:
                yield group, _count(group)
                group = []
        if group:
            yield group, _count(group)

    def _pairs(self) -> Iterable[tuple[Any, Any]]:
        for batch in self.loader:
            if not isinstance(batch, list | tuple) or len(batch) != 2:
                raise DataError(
                    "A batch is not a pair (features, targets)",
                    "Let the data set return pairs, or the loader's collate_fn make them.",
                )
            yield as_tensor(batch[0]), as_tensor(batch[1])

    def run(self, steps: BatchSteps, unit: Any) -> npt.NDArray[Any]:
        return np.array([steps.batch(unit)])

    def batches_of(self, unit: Any) -> Any:
        return [unit]

    def tensors(self, batch: Any) -> tuple[Any, Any]:
        if len(batch) == 1:
            return (batch[0][0], batch[0][1])
        return cat([pair[0] for pair in batch]), cat([pair[1] for pair in batch])

    def rows_of(self, batch: Any) -> npt.NDArray[np.int64] | None:
        return None

    def bytes_of(self, unit: Any) -> int:
        return sum(int(features.nbytes + targets.nbytes) for features, targets in unit)


def _count(batches: list[tuple[Any, Any]]) -> int:
    """Rows of all batches."""
    return sum(int(features.shape[0]) for features, _ in batches)


def _pair(data: Any) -> tuple[Any, Any] | None:
    """(features, targets) as tensors, or None where the data come in batches."""
    if is_tensor_rows(data):
        data = tensors_of(data)
    elif not isinstance(data, tuple | list) or len(data) != 2:
        return None
    features, targets = (as_tensor(part).detach() for part in data)
    if not features.shape or not targets.shape or features.shape[0] != targets.shape[0]:
        raise DataError(
            f"Features of shape {tuple(features.shape)} and targets of shape "
            f"{tuple(targets.shape)} do not have the same number of rows",
            "Give one target for each row of features.",
        )
    return features, targets


def _require_pair(data: Any) -> tuple[Any, Any]:
    pair = _pair(data)
    if pair is None:
        raise ArgumentError(
            f"Validation data of type {type(data).__name__} cannot be used",
            "Give a pair (features, targets) or a TensorDataset.",
        )
    return pair


def _check_whole(name: str, value: Any, low: int) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low:
        raise ArgumentError(f"{name}={value!r}", f"Give a whole number from {low} up.")


def _check_fit(epochs: int, batch_size: int, patience: int, validation: Any) -> None:
    for name, value, low in (
        ("epochs", epochs, 1),
        ("batch_size", batch_size, 1),
        ("patience", patience, 0),
    ):
        _check_whole(name, value, low)
    if patience and validation is None:
        raise ArgumentError(
            f"patience={patience} without validation data",
            "Early stopping watches the validation loss: pass validation, or patience=0.",
        )
