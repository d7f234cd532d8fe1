"""Trainings of the Trainer under the doctor: looks within a share of the time, and the report."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.findings import Finding
from pellucid.insight.doctor.judging import judged
from pellucid.insight.doctor.moments import undone
from pellucid.insight.doctor.observed_steps import ObservedStep, Statistics
from pellucid.insight.doctor.observing import glance, newest_record, norm_of
from pellucid.insight.doctor.report import Report
from pellucid.insight.doctor.schedule import Schedule
from pellucid.insight.doctor.tracks import MOST_RECORDS
from pellucid.nn.modes import training
from pellucid.tensor.state import eager_kernels
from pellucid.tensor.trees import map_tensors
from pellucid.training.batches import joined
from pellucid.training.doctoring import FitRecord
from pellucid.training.history import EpochRecord
from pellucid.training.stepping import Learner

SHARES = {"light": 0.008, "full": 0.035}
"""Level → share of the time that looking may take."""
CREDITS = {"light": 0.05, "full": 0.3}
REPORT_AT = (10, 100, 1000, 10_000, 100_000)
"""Steps after which what is known is judged while the training runs, where time allows."""
AT_END = 0.02
"""Share of a fit's time that the judgement at its end may take."""
JUDGEMENT = 0.5
"""Seconds that a judgement is expected to take before there was one."""


class FitDoctor:
    """Looks at a fit while it runs."""

    def __init__(self, record: FitRecord) -> None:
        self.record = record
        self.schedule = Schedule(SHARES[record.level], CREDITS[record.level])
        self.records: list[dict[str, Any]] = []
        self._began = time.perf_counter()
        self._weights: list[np.ndarray] | None = None
        self._judgement = JUDGEMENT if record.level == "light" else 0.0
        self._judged = 0
        self._told: set[tuple[str, str]] = set()
        self._statistics: Statistics | None = None
        self.fresh: list[Finding] = []
        """Findings that nobody has been told of yet."""

    def ran(self, unit: Any, losses: Any) -> None:
        """Some steps are done: look at what they did, where it is time for that."""
        now = time.perf_counter()
        self.schedule.stepped(now - self._began, False, len(losses))
        if self._weights is not None:
            self._measure_update(len(losses))
        elif self.schedule.steps >= self.schedule.next_step:
            rows = self.schedule.rows_to_look_at(int(self.record.settings["batch_size"]))
            if self.schedule.is_due:
                self._look(unit, rows)
        self._judge_in_time()
        self._began = time.perf_counter()

    def _look(self, unit: Any, rows: int) -> None:
        began = time.perf_counter()
        source = self.record.source
        if source is not None:
            batch = source.tensors(next(iter(source.batches_of(unit))))
            found = self._compiled(batch) or statistics_of(self.record.trainer, batch, rows)
            if found is None:
                self.schedule.share = 0.0
            else:
                loss = float(self.record._losses[-1][-1])
                step = self.record.steps_done - 1
                self.records.append({**found, "step": step, "loss": loss, "update": {}})
                if len(self.records) > MOST_RECORDS:
                    del self.records[MOST_RECORDS // 10 :: 2]
                self._weights = [np.array(p._cell.array) for p in self._parameters()]
                self.record.wants_single = True
        self.schedule.looked(time.perf_counter() - began)

    def _compiled(self, batch: Any) -> dict[str, Any]:
        """Statistics by a program that computes them with the step, where there is one."""
        trainer, source = self.record.trainer, self.record.source
        if source is None or not trainer.compile:
            return {}
        if self._statistics is None:
            learner = learner_of(trainer)
            observed = ObservedStep(learner.__call__, [trainer.model], [trainer.optimizer])
            self._statistics = Statistics(observed)
        with training(trainer.model):
            found = self._statistics.records(batch, {}, self.schedule, source.compile_seconds)
        return found[0][1] if found else {}

    def _parameters(self) -> list[Any]:
        return [p for g in self.record.trainer.optimizer.param_groups for p in g["params"]]

    def _measure_update(self, steps: int) -> None:
        before, self._weights = self._weights, None
        self.record.wants_single = False
        if steps != 1 or not self.records:
            return
        began = time.perf_counter()
        names = {id(p): name for name, p in self.record.trainer.model.named_parameters()}
        for parameter, old in zip(self._parameters(), before or (), strict=False):
            change = norm_of(parameter._cell.array - old)
            ratio = change / max(norm_of(old), 1e-12)
            name = names.get(id(parameter), "")
            self.records[-1]["update"][name] = {"norm": change, "ratio": ratio}
        self.schedule.spent += time.perf_counter() - began

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is over."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """The fit is over: judge it where that takes a small share of its time."""
        allowed = AT_END * self.schedule.elapsed
        if allowed > self._judgement or (self.record.level == "full" and not self._judged):
            self._judge("after", allowed)

    def _judge_in_time(self) -> None:
        if self._judged >= len(REPORT_AT) or self.record.steps_done < REPORT_AT[self._judged]:
            return
        if self._judgement > self.schedule.left:
            return
        self._judged += 1
        self._judge("during", min(0.3, max(0.0, self.schedule.left)))

    def _judge(self, phase: str, seconds: float) -> None:
        began = time.perf_counter()
        case = case_of_fit(self.record)
        case.phase = phase
        report = judged(case, seconds)
        self.record.trainer.history.findings = list(report)
        for finding in report:
            key = finding.cause, str(finding.place)
            if key not in self._told:
                self._told.add(key)
                self.fresh.append(finding)
        self._judgement = time.perf_counter() - began
        self.schedule.spent += self._judgement


def statistics_of(trainer: Any, batch: Any, rows: int) -> dict[str, Any] | None:
    """Statistics of layers and parameters on some rows of a batch, which leave nothing behind;
    None where they cannot be had."""
    model = trainer.model
    batch = tuple(map_tensors(part, partial(_first_rows, rows=rows)) for part in batch)
    learner = learner_of(trainer)
    seen = glance(model)
    try:
        with undone([model], []), eager_kernels(False):
            for parameter in learner.parameters:
                parameter.grad = None
            learner._loss(*batch, *([None] * (3 - len(batch))))[0].backward()
            return newest_record(seen)
    except PellucidError:
        return None
    finally:
        seen.remove()


def learner_of(trainer: Any) -> Learner:
    """What a step of the trainer's does, without the average of weights."""
    return Learner(
        trainer.model, trainer.loss, trainer.optimizer, trainer.clip_norm, _nobody,
        class_weights=trainer.class_weights, augment=trainer.augment,
    )  # fmt: skip


def _first_rows(tensor: Any, rows: int) -> object:
    return tensor[:rows]


def _nobody(kind: str, traced: bool) -> None:
    """Nobody is told of the parts of a step."""


def case_of_fit(record: FitRecord) -> Case:
    """What is known of a fit, while it runs or afterwards."""
    trainer = record.trainer
    history = trainer.history
    case = Case(
        model=trainer.model,
        loss=trainer.loss,
        optimizer=trainer.optimizer,
        train=_rows(record),
        validation=None if record.validation is None else _part(record.validation),
        metric=trainer.metric,
        settings=_settings(record),
        phase="during" if record.steps_done else "before",
        step=record.steps_done,
        losses=record.losses.tolist(),
        records=[] if record.doctor is None else list(record.doctor.records),
        history=[one.to_json() for one in history.epochs],
        failure=record.failure,
        line=record.line,
    )
    batches = record.batches()
    if batches:
        with training(trainer.model):
            case.bench = ModelBench(
                trainer.model, trainer.loss, trainer.optimizer, batches,
                augment=trainer.augment, clip_norm=trainer.clip_norm,
                class_weights=trainer.class_weights, compile=trainer.compile,
            )  # fmt: skip
    case.notes["status"] = history.status
    case.notes["wait share"] = record.waiting()
    if record.first_weights:
        case.notes["first weights"] = record.first_weights
    return case


def _part(batch: Any) -> Rows:
    features, targets = batch[0], batch[1]
    first = next(iter(_leaves(features)))
    return Rows(features, targets, int(first.shape[0]))


def _leaves(value: Any) -> list[Any]:
    found: list[Any] = []
    map_tensors(value, lambda tensor: found.append(tensor))
    return found


def _rows(record: FitRecord) -> Rows | None:
    batch = record.rows()
    if batch is None:
        batches = record.batches()
        shapes = [[tuple(t.shape[1:]) for t in _leaves(b)] for b in batches]
        same = [b for b, shape in zip(batches, shapes, strict=True) if shape == shapes[0]]
        batch = joined(same) if same else None
    if batch is None:
        return None
    return _part(batch)._replace(number=max(record.number, _part(batch).number))


def _settings(record: FitRecord) -> dict[str, Any]:
    trainer = record.trainer
    own = ("clip_norm", "accumulate", "ema_decay", "class_weight", "augment", "schedule")
    return {**record.settings, **{name: getattr(trainer, name) for name in own}}


def report_of_fit(trainer: Any, record: FitRecord | None, seconds: float) -> Report:
    """What is wrong with a Trainer's last fit (or with what it was made for, before the first)."""
    if record is None:
        case = Case(model=trainer.model, loss=trainer.loss, optimizer=trainer.optimizer)
        return judged(case, seconds)
    case = case_of_fit(record)
    case.phase = "after" if record.source is None else case.phase
    report = judged(case, seconds)
    trainer.history.findings = list(report)
    return report
