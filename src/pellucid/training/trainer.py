"""The Trainer: epochs of native steps, early stopping, best weights, and a clear end.

>>> from pellucid import nn, Trainer
>>> trainer = Trainer(nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)), "cross_entropy")
>>> trainer
Trainer(Sequential of 22 parameters, loss=cross_entropy, optimizer=AdamW(lr=0.001))
>>> history = trainer.fit((x, y), (x_validation, y_validation), epochs=20)  # doctest: +SKIP
>>> trainer.predict_class(x_new)  # doctest: +SKIP
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError, FileError
from pellucid.nn import functional
from pellucid.nn.ends import last_layer
from pellucid.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.training.batches import Batch, arrays_of, same_rows, tensors
from pellucid.training.capture import capture, fill, restore
from pellucid.training.checkpoints import (
    Checkpoints,
    Writer,
    as_checkpoints,
    load_state,
    states_in,
    warn,
)
from pellucid.training.config import nearest_option
from pellucid.training.doctoring import Examination, FitRecord, doctor_of_fits, level_of
from pellucid.training.fitting import Fit, check_length, interval_of
from pellucid.training.history import Callback, EpochRecord, Event, History, StopTraining
from pellucid.training.inference import Scorer, one_half
from pellucid.training.interrupts import Interrupts
from pellucid.training.naive import baseline_loss
from pellucid.training.profiling import LayerProfile, check_profile, profile_of
from pellucid.training.profiling import profile as profile_steps
from pellucid.training.progress import Progress, drawn
from pellucid.training.rows import ArrayRows, LoaderBatches, Source
from pellucid.training.run_state import RunState
from pellucid.training.stepping import ArraySteps, BatchSteps, Learner
from pellucid.training.trials import (
    DryRun,
    LearningRates,
    OneBatch,
    dry_run,
    find_lr,
    overfit_one_batch,
)
from pellucid.training.weighting import (
    ClassWeight,
    class_numbers,
    class_weights,
    focal_loss,
    pinball_loss,
    row_loss,
)
from pellucid.utils.data.dataloader import DataLoader
from pellucid.utils.data.dataset import Dataset, IterableDataset, is_tensor_rows, tensors_of

Metric = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "poisson_nll_loss",
    "kl_div",
    "soft_margin_loss",
    "hinge_embedding_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "focal_loss",
    "pinball_loss",
)
"""Names of losses: functions of ``pellucid.nn.functional`` that take (scores, targets), and the
last two of ``training.weighting``."""

Augment = Callable[[Any], tuple[Any, Any]]
"""Features → changed features, and None or the share of itself that each row keeps."""

Rows: TypeAlias = npt.ArrayLike | Tensor
"""Rows as a tensor, an array or nested lists."""


class Trainer:
    """Trains ``model`` to make ``loss(model(features), targets)`` small.

    ``loss`` is a function of (scores, targets) that returns one number, a loss module, or one of
    the names in ``LOSSES``.  ``optimizer`` is AdamW with learning rate 0.001 unless given.
    ``schedule`` is advanced as its class says (``interval``): once an epoch (a plateau schedule
    with the validation loss), after every step (OneCycleLR, CyclicLR), or after every step with
    the epochs done so far (CosineAnnealingWarmRestarts, whose ``T_0`` counts epochs);
    ``schedule_interval`` "epoch" or "step" says otherwise.  With a schedule of steps, every step
    is a native call of its own.
    ``metric(scores, targets)`` (arrays) is measured on validation data after each epoch.
    ``metrics`` are further ones by name, such as ``{"auc": ROCAUC()}`` of ``training.streaming``:
    measured after each epoch on validation data and on up to 512 training rows (rows in memory), in
    evaluation mode, for ``history["validation_auc"]`` and ``history["auc"]``.
    ``clip_norm`` above 0 shortens longer gradients to it.  ``accumulate`` batches make one update:
    that of one large batch, with the memory of a small one.  ``ema_decay`` above 0 keeps a moving
    average of the weights (a ← d·a + (1 − d)·w after each update); validation and the choice of
    the best epoch use it, and it is what the model holds in the end.  ``callbacks`` are called
    with every ``Event``; one that raises ``StopTraining`` ends the run, as ``stop()`` does; any
    other error of a callback ends ``fit`` with that error and with the best weights so far in the
    model.  ``compile=False`` runs steps in Python, operation by operation.  ``seed``
    decides the order of rows: equal seeds give equal bits, on any number of threads.

    ``class_weight`` makes rows of some classes count more: ``"balanced"`` all classes the same, or
    a number for each class; with weights w of rows and classes the loss is Σ w·l / Σ w, as is that
    on validation data.  ``keep_gradients`` leaves the gradients of the last step in ``p.grad``
    for callbacks, also where steps are compiled.

    ``augment(features)`` changes the rows of each step, in training only, and is compiled with it:
    it returns the changed features and None, or, where it has mixed each row with the one before
    it in the batch, the share (rows,) that a row keeps of itself; the loss is then that against
    both targets, by these shares.

    ``doctor`` watches: True lightly, for less than a hundredth of the time and, before the run has
    lasted long enough for that, without a look; ``"full"`` from the first step on, for less than a
    twentieth; False not at all.  No bit of the training changes by it.  What is found is told as
    ``finding`` events and stands in ``history.findings``; ``report()`` says all there is to say.

    A second ``fit`` goes on where the first one ended: weights, the optimizer's state, schedule
    and order of rows.  Without validation data (whose best weights are restored at the end) and
    without ``ema_decay``, ``fit`` of 2 epochs twice is ``fit`` of 4, bit by bit.

    ``checkpoint`` names a folder for states of the run (or gives :class:`Checkpoints`, which say
    how often and how many): after ``resume()`` the same ``fit`` goes on where a run was killed, in
    the middle of an epoch, and ends with the bits of one that was not.

    >>> trainer = Trainer(model, "cross_entropy", checkpoint="states")  # doctest: +SKIP
    >>> trainer.resume()  # False where there is nothing to go on from   # doctest: +SKIP
    >>> trainer.fit(train, validation, epochs=100)                       # doctest: +SKIP

    A Trainer can be copied (``copy.deepcopy``) and pickled, also after ``fit``, if its parts can:
    a loss or callback given as a ``lambda`` cannot be pickled.  Programs are not part of it; a
    copy compiles anew.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Any, Any], Tensor] | str,
        optimizer: optim.Optimizer | None = None,
        *,
        schedule: optim.lr_scheduler.LRScheduler | None = None,
        schedule_interval: str | None = None,
        metric: Metric | None = None,
        metrics: Mapping[str, Metric] | None = None,
        clip_norm: float = 0.0,
        accumulate: int = 1,
        ema_decay: float = 0.0,
        callbacks: Sequence[Callback] = (),
        compile: bool = True,
        seed: int = 0,
        checkpoint: Checkpoints | str | os.PathLike[str] | None = None,
        class_weight: ClassWeight = None,
        keep_gradients: bool = False,
        augment: Augment | None = None,
        profile: bool = False,
        doctor: bool | str = True,
    ) -> None:
        self.model = model
        self.loss: Any = _loss(loss)
        self.optimizer = (
            optim.AdamW(model.parameters(), lr=1e-3) if optimizer is None else optimizer
        )
        self.schedule = schedule
        self.schedule_interval = schedule_interval
        if schedule is not None:
            interval_of(schedule, schedule_interval)
        self.metric = metric
        self.metrics = _named_metrics(metrics)
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
        self.checkpoint = as_checkpoints(checkpoint)
        self.class_weight = class_weight
        self.class_weights: Tensor | None = None
        """The weight of each class (classes,) in the run, None without."""
        self.keep_gradients = keep_gradients
        self.augment = augment
        self.profiling = profile
        if profile:
            check_profile(compile)
        self.layer_profile: LayerProfile | None = None
        """Where the time of the last fit's steps went, with ``profile=True``."""
        self.doctor = level_of(doctor)
        self.fitted: FitRecord | None = None
        """What the last fit left for the doctor."""
        self.scorer = Scorer(model, compile=compile)
        self.history = History()
        self.epoch = 0
        """The epoch of this fit, from 1."""
        self.epochs_trained = 0
        """Whole epochs of all fits."""
        self._stopping = False
        self._fit: Fit | None = None
        self._shown: Progress | None = None
        self._pending: RunState | None = None
        """The state that the next fit goes on from."""
        self.report_problem: Callable[[Exception], None] = warn
        """Told where a checkpoint cannot be written; a warning unless it is replaced."""
        self._owned: Path | None = None
        """The folder whose checkpoints are of this run."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fit": None, "_shown": None, "fitted": None}

    def __repr__(self) -> str:
        count = sum(int(p.numel()) for p in self.model.parameters())
        loss = getattr(self.loss, "__name__", type(self.loss).__name__)
        rates = sorted({float(group["lr"]) for group in self.optimizer.param_groups})
        shown = ", ".join(f"{rate:g}" for rate in rates)
        parts = [
            f"{type(self.model).__name__} of {count:,} parameters",
            f"loss={loss}",
            f"optimizer={type(self.optimizer).__name__}(lr={shown})",
        ]
        if self.schedule is not None:
            parts.append(f"schedule={type(self.schedule).__name__}")
        if self.epochs_trained:
            parts.append(f"{self.epochs_trained} epochs trained")
        return f"Trainer({', '.join(parts)})"

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
        sample_weight: npt.ArrayLike | Tensor | None = None,
        steps_per_epoch: int = 0,
        max_minutes: float = 0.0,
        progress: bool | None = None,
    ) -> History:
        """Trains for at most ``epochs`` passes over ``train`` and returns the history.

        ``train`` is a pair (features, targets) of arrays or tensors with one row each, or has their
        weights as a third (as ``sample_weight`` gives them); a ``TensorDataset``, or a data set of
        rows; or anything that gives batches (features, targets) or (features, targets, weights)
        each time it is iterated over, such as a ``DataLoader``, or a generator function.  Features
        may be several: in a tuple, ``model(*features)``, or named ones in a dictionary,
        ``model(**features)``.  ``batch_size`` and ``shuffle`` are for rows, not for batches.  A
        last batch that is not full is a step of its own.  ``steps_per_epoch`` ends an epoch of
        batches after so many steps; generators that are walked once, or never end, go on where
        they were in the next.

        ``validation`` is a pair, with weights or without, or a ``TensorDataset``; with it the
        weights of the epoch with the lowest validation loss are restored at the end, and
        ``patience`` > 0 stops after so many epochs in which that loss did not fall by more than
        ``min_delta``.  ``max_minutes`` > 0 ends the run with the batch in which the time is over
        (status ``out of time``).  ``row_numbers`` name the training rows in messages.

        A bar shows how far the run is: in notebooks, and on standard error where that is a
        terminal; ``progress=False`` shows none, True writes lines now and then where there is no
        terminal.  It tells the loss of the last steps (after an epoch its running mean, and the
        loss in evaluation mode), the validation loss beside the baseline, which is the loss of the
        best answer that does not look at the features, and the time left with validation.

        Ctrl-C ends the run after the current slice with what was learned (status
        ``interrupted``).  Raises ``NonFiniteError`` when the loss or a weight becomes NaN or
        infinite, with the last good weights in the model and ``history.status`` ``not finite``.
        """
        _check_fit(epochs, batch_size, patience, validation)
        if not 0 <= max_minutes < math.inf:
            raise ArgumentError(f"max_minutes={max_minutes!r}", "Give a number from 0 (no end) up.")
        pair = None if validation is None else _require_pair(validation)
        pending, self._pending = self._pending, None
        self._begin_average()
        self.history, self.epoch, self._stopping = History(), 0, False
        if sample_weight is not None:
            train = (*_two(train), sample_weight)
        source = self._source(train, batch_size, shuffle, row_numbers, steps_per_epoch)
        interval = interval_of(self.schedule, self.schedule_interval)
        settings = {
            "rows": source.rows,
            "batches": source.batches,
            "batch_size": batch_size,
            "shuffle": shuffle,
            "accumulate": self.accumulate,
            "seed": self.seed,
        }
        self.history.metric_name = _metric_name(self.metric)
        writer = self._writer()
        with Interrupts() as interrupts:
            before = self.epochs_trained
            fit = Fit(
                self, source, pair, interrupts, interval=interval, epochs_before=before,
                settings=settings, writer=writer, max_seconds=max_minutes * 60 or math.inf,
            )  # fmt: skip
            self.fitted = fit.record = None
            if self.doctor:
                asked = {**settings, "epochs": epochs, "patience": patience}
                self.fitted = fit.record = FitRecord(self, self.doctor, source, pair, asked)
            if pending is not None:
                fit.go_on(pending)
                if self.average is not None:
                    fill(self.average, pending["average"])
            steps = epochs * source.batches - self.history.steps
            check_length(self.schedule, interval, steps if source.batches else 0)
            self._run(fit, epochs, patience, min_delta, progress)
            if self.profiling and self.history.steps:
                self.layer_profile = profile_of(self, source)
        self.emit("stop", status=self.history.status)
        return self.history

    def _run(
        self, fit: Fit, epochs: int, patience: int, min_delta: float, progress: bool | None
    ) -> None:
        """Runs a fit that is ready."""
        if not self.model.training:  # layers that were frozen on purpose stay so
            self.model.train()
        source = fit.source
        self._fit, shown = fit, Progress(self.history.metric_name)
        self._shown = None if progress is False else shown
        try:
            with drawn(progress, shown):
                baseline = self._baseline(fit)
                facts = {"rows": source.rows, "batches": source.batches, "baseline": baseline}
                self.emit("start", epochs=epochs, **facts)
                if fit.record is not None:
                    fit.record.begin()
                fit.run(epochs, patience, min_delta)
        finally:
            self._fit = self._shown = None
            self._finish(fit.epochs_before)
            if fit.record is not None:
                fit.record.end()

    def _baseline(self, fit: Fit) -> float | None:
        """The validation loss of the best answer that does not look at the features."""
        if fit.validation is None or not isinstance(fit.source, ArrayRows):
            return None
        if self.class_weights is not None or len(fit.validation) > 2:
            return None
        targets, held = fit.source.arrays[1], fit.validation[1]
        last = last_layer(self.model, None)
        units = getattr(last, "out_features", 0)
        if not units and hasattr(targets, "shape"):
            units = int(targets.max().item()) + 1 if not targets.dtype.is_differentiable else 1
        return baseline_loss(self.loss, targets, held, int(units))

    def _begin_average(self) -> None:
        """A new average, where there is to be one."""
        self.average = None
        if self.ema_decay:
            update = get_ema_multi_avg_fn(self.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=update)
            self.scorer = Scorer(self.average.module, compile=self.compile)

    def _writer(self) -> Writer | None:
        """What saves states; ``FileError`` where the folder holds those of another run."""
        if self.checkpoint is None:
            return None
        folder = self.checkpoint.place.absolute()
        if folder != self._owned and states_in(folder):
            raise FileError(
                f"{self.checkpoint.place} holds checkpoints of another run; nothing was changed",
                "Go on from them by resume() before fit, or choose another folder.",
            )
        writer = Writer(self.checkpoint, self.report_problem)
        self._owned = folder
        return writer

    def report(self, seconds: float = 10.0) -> Examination:
        """What is wrong with the last fit, and what helps: the doctor's ``Report``, empty where
        nothing is.  Experiments, all of which are taken back, may take so many ``seconds``.

        >>> print(trainer.report())  # doctest: +SKIP
        """
        found: Examination = doctor_of_fits().report_of_fit(self, self.fitted, seconds)
        return found

    # ---- saving and going on ---------------------------------------------------------------

    def run_state(self) -> RunState:
        """A copy of everything that training goes on from: between runs, and in a callback for
        ``steps``, ``epoch`` or ``best`` of one that goes on.

        ``resume(state)`` of this Trainer, or of one that was made in the same way, goes on from
        there; several can go on from one state.
        """
        return capture(self, self._fit)

    def resume(self, source: RunState | str | os.PathLike[str] | None = None) -> bool:
        """Puts everything into the state of a run; the next ``fit`` goes on in it.

        ``source`` is a state, its file, or a folder with checkpoints, of which the last whole one
        is taken; unless given, the folder of ``checkpoint``, and where there are none there,
        nothing is changed and the answer is False.  The Trainer is made, and ``fit`` is called, as
        they were then: with the same network, optimizer, schedule, data and batches; ``epochs``,
        which counts from the beginning of that run, and ``patience`` may be others.  The weights
        in the end are those of a run that was never interrupted, bit by bit, on any number of
        threads.

        Random numbers of Pellucid, Python and NumPy go on from the state as well.  Loaders are
        asked once more for the batches of the epoch that were learned from.

        Raises ``ArgumentError`` where the state is that of another model or Trainer, ``FileError``
        and ``DataError`` where it cannot be read.
        """
        if source is None:
            if self.checkpoint is None:
                raise ArgumentError(
                    "resume() was told no place", "Give a folder, or checkpoint=… to the Trainer."
                )
            source = self.checkpoint.place
            if not states_in(source):
                return False
        if isinstance(source, RunState):
            state = source
        else:
            state, path = load_state(source)
            self._owned = path.parent.absolute()
        restore(self, state)
        self._pending = None if state["fit"] is None else state.copy()
        return True

    def _source(
        self,
        train: Any,
        batch_size: int,
        shuffle: bool,
        names: npt.NDArray[np.int64] | None,
        steps_per_epoch: int = 0,
        report: Callable[[str, bool], None] | None = None,
    ) -> Source:
        """The training rows with the steps that learn from them."""
        arrays = _batch(train)
        targets = None if arrays is None else arrays[1]
        self.class_weights = class_weights(self.class_weight, targets)
        learner = Learner(
            self.model,
            self.loss,
            self.optimizer,
            self.clip_norm,
            report or self._report,
            self.average,
            self.class_weights,
            self.augment,
        )
        several = self.accumulate > 1
        if arrays is None:
            steps = BatchSteps(learner, self.compile, several, self.keep_gradients)
            return LoaderBatches(
                _loader(train, batch_size, shuffle), steps, self.accumulate, steps_per_epoch
            )
        part = batch_size if several else 0
        array_steps = ArraySteps(learner, arrays, self.compile, part, self.keep_gradients)
        size = batch_size * self.accumulate
        return ArrayRows(arrays, array_steps, size, shuffle, self.seed, names)

    def stop(self) -> None:
        """Ends the run after the step (or the slice of steps, about a tenth of a second) that
        runs: the best weights are restored and the status is ``stopped``.  May be called from a
        callback or from another thread."""
        self._stopping = True

    @property
    def listened(self) -> bool:
        """Whether callbacks, or a bar, are told of steps."""
        return bool(self.callbacks) or self._shown is not None

    @property
    def stopping(self) -> bool:
        """Whether the run has been asked to end."""
        return self._stopping

    @property
    def validated(self) -> nn.Module:
        """The model that is measured and kept: the average where there is one."""
        return self.model if self.average is None else self.average.module

    def _finish(self, epochs_before: int) -> None:
        """The average becomes the model's weights; collected gradients go."""
        self.epochs_trained = epochs_before + len(self.history)
        if self.accumulate > 1:
            self.optimizer.zero_grad()
        if self.average is None:
            return
        if self.history.status != "not finite":
            self.model.load_state_dict(self.average.module.state_dict())
        self.scorer = Scorer(self.model, compile=self.compile)

    # ---- trials ----------------------------------------------------------------------------

    def find_lr(
        self,
        train: Any,
        *,
        low: float = 1e-7,
        high: float = 10.0,
        steps: int = 100,
        batch_size: int = 64,
        shuffle: bool = True,
    ) -> LearningRates:
        """A trial with a learning rate that rises from ``low`` to ``high`` over ``steps`` steps,
        evenly in its logarithm: where the loss falls fastest is a good learning rate.

        ``train`` is what ``fit`` takes.  Groups of parameters keep the shares of their rates.  The
        trial ends where the loss is four times its lowest.  Nothing changes by it: weights,
        optimizer and random numbers are afterwards those of before, bit by bit.  (Smith,
        "Cyclical learning rates for training neural networks", 2017.)
        """
        return find_lr(
            self, train, low=low, high=high, steps=steps, batch_size=batch_size, shuffle=shuffle
        )

    def overfit_one_batch(
        self, train: Any, *, steps: int = 200, batch_size: int = 32, threshold: float | None = None
    ) -> OneBatch:
        """Whether the network can learn one batch by heart, as everything that is wired up can:
        the loss falls to ``threshold`` (unless given, a twentieth of the first) within ``steps``
        steps.  Nothing changes by it."""
        return overfit_one_batch(
            self, train, steps=steps, batch_size=batch_size, threshold=threshold
        )

    def dry_run(self, train: Any, validation: Any = None, *, batch_size: int = 64) -> DryRun:
        """Two steps on one batch and one validation: shapes that do not fit, and parameters that
        no gradient reaches, are told in seconds.  Nothing changes by it."""
        held = None if validation is None else _require_pair(validation)
        return dry_run(self, train, held, batch_size=batch_size)

    def profile(self, train: Any, *, batch_size: int = 64, calls: int = 20) -> LayerProfile:
        """Where the time of a step goes, layer by layer, forward and backward: a table of seconds,
        shares and arithmetic, from ``calls`` runs of the compiled step.  Nothing changes by it.

        ``train`` is what ``fit`` takes.  ``Trainer(profile=True)`` measures the steps of each fit
        when it is over, for ``trainer.layer_profile``.  Raises ``ArgumentError`` with
        ``compile=False``.

        >>> print(trainer.profile((x, y)))  # doctest: +SKIP
        """
        check_profile(self.compile)
        return profile_steps(self, train, batch_size=batch_size, calls=calls)

    # ---- afterwards ------------------------------------------------------------------------

    def predict(self, features: Rows) -> Tensor:
        """Scores (rows, outputs): the model's output in evaluation mode, before sigmoid or
        softmax."""
        return as_tensor(self.scorer(features))

    def predict_class(self, features: Rows) -> Tensor:
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
        """Loss and, where there are some, metrics on (features, targets), or with weights as a
        third."""
        loss, metric, further = self.measure_all(*_require_pair(data))
        own = {} if metric is None else {"metric": metric}
        return {"loss": loss, **own, **further}

    def top_losses(
        self, data: Any, k: int = 9
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Positions of the ``k`` rows of (features, targets) with the largest loss, and these
        losses, the largest first: (k,) each, fewer of fewer rows.

        These rows are worth a look: wrong labels, rare cases, and what the network has not
        understood are among them.  (fastai's ``top_losses``; Howard and Gugger, 2020.)
        """
        features, targets = _require_pair(data)[:2]
        _check_whole("k", k, 1)
        scores = as_tensor(self.scorer(features))
        with no_grad():
            losses = row_loss(self.loss)(scores, targets).numpy().astype(np.float64)
        order = np.argsort(-losses, kind="stable")[:k]
        return order, losses[order]

    def measure(
        self, features: Any, targets: Any, weights: Any = None
    ) -> tuple[float, float | None]:
        """Loss and metric (None without one) on tensors of features and targets; rows, and their
        classes, count in the loss by their weights."""
        loss, scores = self._measured(features, targets, weights)
        if self.metric is None or not np.isfinite(scores).all():
            return loss, None
        return loss, float(self.metric(scores, arrays_of(targets)))

    def measure_all(
        self, features: Any, targets: Any, weights: Any = None, *, metric: bool = True
    ) -> tuple[float, float | None, dict[str, float]]:
        """As ``measure``, and the further metrics by name; without ``metric`` the other is None."""
        loss, scores = self._measured(features, targets, weights)
        if not np.isfinite(scores).all():
            return loss, None, {}
        wanted = arrays_of(targets)
        own = float(self.metric(scores, wanted)) if metric and self.metric is not None else None
        return loss, own, {n: float(one(scores, wanted)) for n, one in self.metrics.items()}

    def _measured(
        self, features: Any, targets: Any, weights: Any
    ) -> tuple[float, npt.NDArray[Any]]:
        """The loss, and the scores."""
        scores = self.scorer(features)
        with no_grad():
            loss = float(self.loss_of_scores(as_tensor(scores), targets, weights).item())
        return loss, scores

    def loss_of_scores(self, scores: Tensor, targets: Any, weights: Any = None) -> Tensor:
        """The loss by scores that the model has given; rows, and their classes, count by their
        weights."""
        if self.class_weights is not None:
            own = self.class_weights.index_select(0, class_numbers(targets))
            weights = own if weights is None else own * weights.reshape(-1)
        if weights is None:
            found: Tensor = self.loss(scores, targets)
            return found
        each, w = row_loss(self.loss)(scores, targets), weights.reshape(-1)
        mean: Tensor = (each * w).sum() / w.sum().clamp(min=1e-12)
        return mean

    # ---- events ----------------------------------------------------------------------------

    def _report(self, kind: str, traced: bool) -> None:
        if self.callbacks:
            self.emit(kind, traced=traced)

    def emit(self, kind: str, **facts: Any) -> None:
        """Tells the callbacks what happened."""
        event = Event(kind, self.history.steps, self.epoch, facts, self)
        if self._shown is not None:
            self._shown(event)
        for callback in self.callbacks:
            try:
                callback(event)
            except StopTraining:
                self._stopping = True


def _named_metrics(given: Mapping[str, Metric] | None) -> dict[str, Metric]:
    """The further metrics by name; ``ArgumentError`` for names that something else has."""
    for name, metric in (given or {}).items():
        known = name in EpochRecord.__dataclass_fields__ or str(name).startswith("validation_")
        if not isinstance(name, str) or not name or known or not callable(metric):
            raise ArgumentError(
                f"metrics={{{name!r}: {metric!r}}}",
                "Give functions of (scores, targets), or metrics of training.streaming, by names "
                "that no other figure of an epoch has.",
            )
    return dict(given or {})


def _metric_name(metric: Metric | None) -> str:
    """What a metric is called beside its figures: the name of the function, if it has one."""
    name = getattr(metric, "__name__", "metric").strip("_")
    return name.replace("_", " ") if name.isidentifier() else "metric"


def _loss(loss: Any) -> Any:
    """The loss function; ``ArgumentError`` for what is none."""
    if isinstance(loss, str):
        if loss not in LOSSES:
            hint = nearest_option("loss", loss, LOSSES).hint
            raise ArgumentError(f"There is no loss {loss!r}", f"{hint} A function does as well.")
        own = {"focal_loss": focal_loss, "pinball_loss": pinball_loss}
        return own[loss] if loss in own else getattr(functional, loss)
    if not callable(loss):
        raise ArgumentError(
            f"loss={loss!r} is no function",
            "Give a function of (scores, targets), a loss module, or a name: " + ", ".join(LOSSES),
        )
    return loss


def _batch(data: Any) -> Batch | None:
    """All rows as tensors, (features, targets) or (features, targets, weights), or None where the
    data come in batches."""
    if is_tensor_rows(data):
        return same_rows(tensors(tensors_of(data)))
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        return None
    if isinstance(data, list) and isinstance(data[0], tuple):
        return None  # a list of batches
    return same_rows(tensors(data))


def _two(train: Any) -> tuple[Any, Any]:
    """Features and targets that come as a pair."""
    found = _batch(train)
    if found is None or len(found) != 2:
        raise ArgumentError(
            "sample_weight was given with data that are no pair (features, targets)",
            "Let batches hold the weights of their rows as a third.",
        )
    return found[0], found[1]


def _loader(train: Any, batch_size: int, shuffle: bool) -> Any:
    """What gives batches: the loader itself, or one for a data set of rows."""
    rows: Any = train
    if isinstance(train, IterableDataset):
        return DataLoader(rows, batch_size=batch_size)
    if isinstance(train, Dataset):
        return DataLoader(rows, batch_size=batch_size, shuffle=shuffle)
    if not hasattr(train, "__iter__") and not callable(train) and not hasattr(train, "__getitem__"):
        raise ArgumentError(
            f"Training data of type {type(train).__name__} cannot be used",
            "Give a pair (features, targets), a data set, a loader, or a generator.",
        )
    return train


def _require_pair(data: Any) -> Batch:
    found = _batch(data)
    if found is None:
        raise ArgumentError(
            f"Validation data of type {type(data).__name__} cannot be used",
            "Give a pair (features, targets) or a TensorDataset.",
        )
    return found


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
