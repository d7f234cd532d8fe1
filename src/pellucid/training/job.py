"""The main job: from prepared data to a trained network and its metrics."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.backends.cpu.threads import available_cpus, get_num_threads, set_num_threads
from pellucid.base.errors import ArgumentError, DataError, NonFiniteError
from pellucid.base.extras import needs
from pellucid.base.phrases import Setting, phrase
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.sources import Part, PreparedData
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import manual_seed
from pellucid.training.augmenting import Augmentation, augmentation_of
from pellucid.training.baselines import Baselines, baselines
from pellucid.training.calibration import Calibration, calibrate
from pellucid.training.checkpoints import Checkpoints, warn
from pellucid.training.config import DEFAULT_EPOCHS, TrainingConfig
from pellucid.training.doctoring import Examination
from pellucid.training.from_run import begin_from_run
from pellucid.training.history import Callback, History
from pellucid.training.inference import Scorer
from pellucid.training.interrupts import Interrupts
from pellucid.training.linear_start import linear_solution, start_at_linear, starts_linear
from pellucid.training.metrics import HEADLINES, Metrics, metrics, row_losses
from pellucid.training.network import (
    Averaged,
    build_loss,
    build_network,
    build_optimizer,
    build_schedule,
    kept_tensors,
    predictions_of,
    target_array,
)
from pellucid.training.observe import Observation, observe
from pellucid.training.profiling import LayerProfile, check_profile
from pellucid.training.saved_model import PARTS, SavedModel, describe_run
from pellucid.training.showing import run_html
from pellucid.training.trainer import Trainer
from pellucid.training.trials import LearningRates
from pellucid.training.verdict import Comparison, compare, describe


@dataclass(eq=False)
class RunResult:
    """A trained network with everything that is known about it.

    ``figures`` (the metrics) and ``predictions`` (probabilities, or numbers in the data's units)
    are by part.
    ``before`` and ``after`` are the distributions inside the network before and after training.
    ``seconds`` says where the time went.  ``failure`` is the error that ended the training, if
    one did; the network then has the last good weights (NaN, infinity) or the best so far.
    ``single`` says by part what the networks of an ensemble reach one by one: mean and deviation
    of the headline metric.
    ``problems`` are errors that cost nothing but a part of the report.  ``calibration`` is what the
    validation rows say of the network, ``profile`` where the time of a step goes.
    """

    prepared: PreparedData
    config: TrainingConfig
    model: Any
    history: History
    loss_name: str
    before: Observation | None
    after: Observation | None
    figures: dict[str, Metrics] = field(default_factory=dict)
    predictions: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    baselines: Baselines | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    failure: Exception | None = None
    problems: list[Exception] = field(default_factory=list)
    threads: int = 1
    scorer: Scorer | None = None
    calibration: Calibration | None = None
    profile: LayerProfile | None = None
    examination: Examination | None = None
    """What the doctor says of the training (``Report``), None where he was not asked."""
    single: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Parameters and running figures by their state-dict names."""
        return {n: np.array(t.detach().numpy()) for n, t in kept_tensors(self.model).items()}

    def parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(int(p.numel()) for p in self.model.parameters())

    def _repr_html_(self) -> str:
        """Verdict, metrics and curves in a notebook."""
        title = f"{self.prepared.name}: {', '.join(self.prepared.task.targets)}"
        figures, problems = self.saved_model().figures, [str(p) for p in self.problems]
        return run_html(title, self.verdict()[1], figures, self.history, problems)

    def saved_model(self) -> SavedModel:
        """What model.json holds."""
        figures = {part: dict(m.values) for part, m in self.figures.items()}
        for part, (mean, deviation) in self.single.items():
            headline = self.figures[part].headline
            figures[f"one network, {part}"] = {headline: mean, "deviation": deviation}
        if self.baselines is not None:
            for simple in (self.baselines.constant, self.baselines.linear):
                for part in ("validation", "test"):
                    measured = getattr(simple, part)
                    if measured is not None:
                        figures[f"{simple.name}, {part}"] = dict(measured.values)
        status = self.history.status
        return describe_run(self.prepared, self.config, status, figures, self.calibration)

    def comparison(self) -> tuple[Comparison, str] | None:
        """How the network compares with the better of the simple models on the test part
        (validation where there is none), and that model's name; None without either."""
        part = "test" if "test" in self.figures else "validation"
        if self.baselines is None or part not in self.figures:
            return None
        simple = max(
            (self.baselines.constant, self.baselines.linear),
            key=lambda b: _goodness(getattr(b, part)),
        )
        targets = getattr(self.prepared, part).raw_targets
        own, other = self.predictions[part], simple.predictions[part]
        return compare(self.prepared.task, targets, own, other), simple.name

    def verdict(self) -> tuple[bool, str]:
        """Whether the network is better than the better of the simple models, and a sentence.

        Three answers: better, worse, and no difference seen; see ``training.verdict``.
        """
        if self.baselines is None or not self.figures:
            return False, "The network was not compared with simple models."
        compared = self.comparison()
        if compared is None:
            return False, "There are no rows to compare the network with simple models on."
        comparison, name = compared
        part = "test" if "test" in self.figures else "validation"
        measured = getattr(
            self.baselines.linear
            if name == self.baselines.linear.name
            else self.baselines.constant,
            part,
        )
        text = describe(
            comparison,
            name,
            self.figures[part].values[comparison.metric],
            measured.values[comparison.metric],
            part,
        )
        note = self.baselines.linear.note
        return comparison.answer == "better", f"{text} {note}".strip()


def _goodness(figures: Metrics) -> float:
    value = figures.values[figures.headline]
    return -value if figures.headline == "rmse" else value


def check_settings(prepared: PreparedData, config: TrainingConfig) -> None:
    """Raises where these settings cannot be used on these data."""
    _check_validation(prepared, config)
    _check_classes(prepared, config)


def _check_validation(prepared: PreparedData, config: TrainingConfig) -> None:
    """``DataError`` for early stopping without validation rows."""
    if config.patience and not len(prepared.validation):
        raise DataError(
            "There are no validation rows, which early stopping watches",
            phrase(
                "Give validation a share (",
                Setting("fractions"),
                "), or switch early stopping off (",
                Setting("patience", 0),
                ").",
            ),
        )


def _check_classes(prepared: PreparedData, config: TrainingConfig) -> None:
    """``ArgumentError`` for weights of classes where rows have not one class each."""
    if config.class_weight != "none" and prepared.task.kind not in ("binary", "multiclass"):
        raise ArgumentError(
            phrase(
                Setting("class_weight", config.class_weight), f" in a {prepared.task.kind} task"
            ),
            "Only rows with one class each can be balanced: leave this out.",
        )


def find_learning_rate(prepared: PreparedData, config: TrainingConfig) -> LearningRates:
    """A trial of learning rates (``Trainer.find_lr``) for the network that ``config`` describes."""
    config = config.for_rows(prepared.training_rows)
    _check_classes(prepared, config)
    set_num_threads(config.threads or available_cpus())
    model, _ = untrained_network(prepared, config)
    rows = part_rows(prepared, prepared.train)
    return run_trainer(prepared, config, model).find_lr(rows, batch_size=config.batch_size)


def train_network(
    prepared: PreparedData,
    config: TrainingConfig,
    callbacks: Sequence[Callback] = (),
    interrupts: Interrupts | None = None,
    *,
    checkpoint: Checkpoints | None = None,
    report: Callable[[Exception], None] = warn,
    watch: bool = True,
    weights: Mapping[str, npt.NDArray[Any]] | None = None,
    profile: bool = False,
    doctor: float = 0.0,
) -> RunResult:
    """Builds the network that ``config`` describes and trains it; ``measure`` adds the metrics.

    States of the run are saved as ``checkpoint`` says, and where there are some already, the run
    goes on from the last of them; ``report`` is told where one cannot be written.
    ``watch=False`` leaves out the pictures of the inside before and after.  ``weights`` by their
    state-dict names are what the network begins with, instead of fresh ones.  ``profile`` measures
    the layers in a step when the training is over.  ``doctor`` above 0 has the training examined,
    with experiments of so many seconds (``examination`` of the result).

    NaN or infinity ends the training, not the job: the result then holds the error and the last
    good weights.  So does any other error once there have been steps.  A signal while the network
    is built raises in ``interrupts``; later it ends the training.  Raises ``DataError`` when there
    are no validation rows for early stopping.
    """
    config = config.for_rows(prepared.training_rows)
    check_settings(prepared, config)
    if profile:
        check_profile(config.compile)
    task = prepared.task
    problems: list[Exception] = []
    loss_name = config.loss_for(task.kind, task.loss)
    with contextlib.nullcontext() if interrupts is None else interrupts.raising():
        set_num_threads(config.threads or available_cpus())
        model, linear = untrained_network(prepared, config, weights)
        before = look_inside(model, prepared, problems) if watch else None
        trainer = run_trainer(prepared, config, model, callbacks)
        trainer.checkpoint, trainer.report_problem = checkpoint, report
        trainer.profiling = profile
        trainer.doctor = "light" if doctor else ""
    failure = _fit(trainer, prepared, config, keep_start=linear)
    trainer.history.metric_name = HEADLINES[task.kind]
    after = look_inside(model, prepared, problems) if watch else None
    result = RunResult(prepared, config, model, trainer.history, loss_name, before, after)
    result.failure, result.threads = failure, get_num_threads()
    result.problems = problems
    result.seconds["compilation"] = trainer.history.compile_seconds
    result.seconds["training"] = trainer.history.seconds - trainer.history.compile_seconds
    result.scorer = trainer.scorer
    result.profile = trainer.layer_profile
    if doctor and trainer.history.steps and trainer.history.status != "interrupted":
        result.examination = examined(trainer, doctor, problems)
    return result


def examined(trainer: Trainer, seconds: float, problems: list[Exception]) -> Examination | None:
    """What the doctor says of a training that is over; no examination is worth a run."""
    start = time.perf_counter()
    try:
        report = trainer.report(seconds)
    except Exception as error:
        problems.append(error)
        return None
    report.seconds = time.perf_counter() - start
    return report


def untrained_network(
    prepared: PreparedData,
    config: TrainingConfig,
    weights: Mapping[str, npt.NDArray[Any]] | None = None,
    solution: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
) -> tuple[Any, bool]:
    """The network with which a run begins, and whether it begins as the linear model; seeds the
    default generator.  ``solution`` is that of ``first_solution``, where it is known already."""
    manual_seed(config.seed)
    task = prepared.task
    model = build_network(prepared.row_shape, config, task.output_units, task.kind)
    if config.base and weights is None:
        for network in model.networks if isinstance(model, Averaged) else (model,):
            begin_from_run(network, prepared, replace(config, ensemble=1))
        return model, False
    if weights is not None:
        model.load_state_dict({name: as_tensor(value) for name, value in weights.items()})
        return model, False
    linear = starts_linear(prepared, config)
    if linear:
        found = first_solution(prepared) if solution is None else solution
        with one_blas_thread():
            for network in model.networks if isinstance(model, Averaged) else (model,):
                start_at_linear(network, *found, config.activation)
    return model, linear


def first_solution(
    prepared: PreparedData,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights and intercepts of the linear model with which networks begin."""
    with one_blas_thread():
        return linear_solution(prepared)


def run_trainer(
    prepared: PreparedData, config: TrainingConfig, model: Any, callbacks: Sequence[Callback] = ()
) -> Trainer:
    """The Trainer of ``model`` that ``config`` describes."""
    optimizer = build_optimizer(model, config)
    return Trainer(
        model,
        build_loss(config.loss_for(prepared.task.kind, prepared.task.loss)),
        optimizer,
        schedule=build_schedule(optimizer, config, prepared.training_rows),
        schedule_interval="step" if config.warmup or config.schedule == "one_cycle" else None,
        metric=headline_metric(prepared) if prepared.train.weights is None else None,
        clip_norm=config.clip_norm,
        accumulate=config.accumulate,
        ema_decay=config.ema_decay,
        callbacks=callbacks,
        compile=config.compile,
        seed=config.seed,
        class_weight=None if config.class_weight == "none" else config.class_weight,
        augment=augmentation(prepared, config),
    )


def augmentation(prepared: PreparedData, config: TrainingConfig) -> Augmentation | None:
    """What happens to training rows in each step; ``ArgumentError`` where it does not fit them."""
    preprocessor = prepared.preprocessor
    black: float | tuple[float, ...] = 0.0
    if isinstance(preprocessor, ImagePreprocessor):
        black = -preprocessor.mean / preprocessor.std
    elif isinstance(preprocessor, Preprocessor):
        scales = [plan.picture for plan in preprocessor.ordered if plan.picture is not None]
        black = tuple(-scale.mean / scale.std for scale in scales)
    return augmentation_of(prepared.row_shape, config, black)


def look_inside(
    model: Any, prepared: PreparedData, problems: list[Exception]
) -> Observation | None:
    """What the inside looks like; no picture of it is worth a run."""
    try:
        part = prepared.validation if len(prepared.validation) else prepared.train
        return observe(model, part.features)
    except Exception as error:
        problems.append(error)
        return None


def _fit(
    trainer: Trainer, prepared: PreparedData, config: TrainingConfig, *, keep_start: bool = False
) -> Exception | None:
    """Trains, and where no epoch was better than the start (``keep_start``), goes back to it."""
    train, validation = prepared.train, prepared.validation
    held = None
    if len(validation):
        held = part_rows(prepared, validation)
    start = _Start(trainer, prepared) if keep_start and held is not None else None
    if trainer.checkpoint is not None:
        trainer.resume()
    rows: Any = prepared.stream
    if rows is None:
        rows = part_rows(prepared, train)
    else:
        rows.batch_size = config.batch_size
    try:
        trainer.fit(
            rows,
            held,
            epochs=config.epochs or DEFAULT_EPOCHS,
            batch_size=config.batch_size,
            patience=config.patience or 0,
            row_numbers=train.indices,
            max_minutes=config.max_minutes,
            progress=False,
        )
    except NonFiniteError as error:
        return error
    except Exception as error:
        if not trainer.history.steps:
            raise
        return error
    if start is not None:
        start.keep_unless_worse()
    return None


def part_rows(prepared: PreparedData, part: Part) -> tuple[npt.NDArray[Any], ...]:
    """Features, targets and, where rows count differently, weights of mean 1, as ``Trainer.fit``
    takes them."""
    targets = target_array(prepared.task.kind, part.targets)
    if part.weights is None:
        return part.features, targets
    weights = np.asarray(part.weights / part.weights.mean(), np.float32)
    return part.features, targets, weights


class _Start:
    """The weights before training, which stay where training has not made them better.

    Better means: the loss on the validation rows is lower by more than one standard error of the
    rows' differences (the rule by which Breiman and others, "Classification and Regression
    Trees", 1984, take the simpler of two models).
    """

    def __init__(self, trainer: Trainer, prepared: PreparedData) -> None:
        self.trainer, self.prepared = trainer, prepared
        self.weights = [np.array(p.detach().numpy()) for p in trainer.model.parameters()]
        self.losses = self._losses()

    def _losses(self) -> npt.NDArray[np.float64]:
        return held_losses(self.prepared, self.trainer.scorer(self.prepared.validation.features))

    def keep_unless_worse(self) -> None:
        """Goes back to the start where training gained nothing that can be told from chance."""
        if is_better(self.losses, self._losses()):
            return
        with no_grad():
            for parameter, values in zip(
                self.trainer.model.parameters(), self.weights, strict=True
            ):
                np.copyto(parameter.detach().numpy(), values)
        self.trainer.history.best_epoch = 0


def held_losses(prepared: PreparedData, scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The loss of each validation row, times its weight, by the scores (rows, outputs)."""
    part, task = prepared.validation, prepared.task
    losses = row_losses(task, part.targets, predictions_of(task, scores, None))
    return losses if part.weights is None else losses * part.weights / part.weights.mean()


def is_better(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> bool:
    """Whether losses of rows fell by more than one standard error of their differences."""
    gain = before - after
    error = float(gain.std()) / math.sqrt(max(1.0, len(gain) - 1.0))
    return float(gain.mean()) > error


def headline_metrics(prepared: PreparedData) -> Callable[[Any], list[float | None]]:
    """:func:`headline_metric` for the scores (networks, rows, outputs) of several networks: a list,
    with None for a network whose scores are not all finite."""
    task, raw, one = prepared.task, prepared.validation.raw_targets, headline_metric(prepared)

    def measure(scores: npt.NDArray[Any]) -> list[float | None]:
        finite = np.isfinite(scores).all(axis=(1, 2))
        if task.kind in ("binary", "multiclass"):
            predictions = predictions_of(task, scores, None)
            binary = task.kind == "binary"
            guessed = predictions[..., 0] > 0.5 if binary else predictions.argmax(-1)
            found = (guessed == raw).mean(1).tolist()
        else:
            found = [one(s, None) if f else None for s, f in zip(scores, finite, strict=True)]
        return [value if f else None for value, f in zip(found, finite, strict=True)]

    return measure


def headline_metric(prepared: PreparedData) -> Callable[[Any, Any], float]:
    """The headline metric of (scores, targets) on the validation part, in the data's units."""
    task, raw = prepared.task, prepared.validation.raw_targets

    def measure(scores: npt.NDArray[Any], targets: object) -> float:
        predictions = predictions_of(task, scores, prepared.target_scaler)
        if task.kind in ("binary", "multiclass"):
            guessed = predictions[:, 0] > 0.5 if task.kind == "binary" else predictions.argmax(1)
            return float((guessed == raw).mean())
        return metrics(task, raw, predictions).values[HEADLINES[task.kind]]

    return measure


def measure(result: RunResult) -> None:
    """Adds what the validation rows say of the network (``Calibration``), predictions and metrics
    of all parts, and the simple models beside them."""
    start = time.perf_counter()
    scorer = result.scorer or Scorer(result.model, compile=result.config.compile)
    prepared = result.prepared
    task, scaler, held = prepared.task, prepared.target_scaler, prepared.validation
    known: dict[str, npt.NDArray[Any]] = {}
    if len(held):
        known["validation"] = scores = scorer(held.features)
        result.calibration = calibrate(task, scores, held.raw_targets, scaler, held.weights)
    temperature = 1.0 if result.calibration is None else result.calibration.temperature
    for name in PARTS:
        part: Part = getattr(prepared, name)
        if not len(part):
            continue
        scores = known[name] if name in known else scorer(part.features)
        predictions = predictions_of(task, scores, scaler, temperature)
        if not np.isfinite(predictions).all():
            continue  # weights so large that some scores overflow; there is nothing to measure
        result.predictions[name] = predictions
        result.figures[name] = metrics(task, part.raw_targets, predictions)
        if isinstance(result.model, Averaged):
            result.single[name] = _one_by_one(result, part)
    result.seconds["evaluation"] = time.perf_counter() - start
    start = time.perf_counter()
    with one_blas_thread():
        result.baselines = baselines(prepared)
    result.seconds["baselines"] = time.perf_counter() - start


def _one_by_one(result: RunResult, part: Part) -> tuple[float, float]:
    """Mean and deviation (divisor n - 1) of the headline metric of an ensemble's networks."""
    task, scaler = result.prepared.task, result.prepared.target_scaler
    found = []
    for network in result.model.networks:
        scores = Scorer(network, compile=False)(part.features)
        measured = metrics(task, part.raw_targets, predictions_of(task, scores, scaler))
        found.append(measured.values[measured.headline])
    return float(np.mean(found)), float(np.std(found, ddof=1))


def one_blas_thread() -> contextlib.AbstractContextManager[object]:
    """On small matrices the threads of NumPy's BLAS wait for each other: one is up to a hundred
    times faster on a busy machine."""
    with needs("train", "A training job"):
        from threadpoolctl import threadpool_limits

    single: contextlib.AbstractContextManager[object] = threadpool_limits(1)
    return single
