"""Networks of one shape that learn side by side, each as it would alone.

One network, the *template*, stands for all: its step, its validation and their programs are traced
and compiled once.  Each *member* has its own weights, averages of the optimizer, random state,
order of rows and numbers such as the learning rate; all members run in one native call in which
threads take whole members (:mod:`pellucid.tensor.crowd`), so that a small network fills a core and
stays in its caches.  Members that are done leave, and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.backends import CrowdExecutable
from pellucid.backends.cpu.threads import available_cpus, get_num_threads, set_num_threads
from pellucid.data.sources import PreparedData
from pellucid.tensor.crowd import Argument, Crowd, Part
from pellucid.tensor.random import default_generator, get_rng_state, set_rng_state
from pellucid.training.capture import named_tensors
from pellucid.training.config import TrainingConfig
from pellucid.training.history import EpochRecord
from pellucid.training.job import (
    RunResult,
    first_solution,
    headline_metrics,
    held_losses,
    is_better,
    part_rows,
)
from pellucid.training.linear_start import starts_linear
from pellucid.training.members import Array, Member, Rows, Template, in_blocks, sample_of

Watch = Callable[[int, EpochRecord], bool]
"""(number of the network, what an epoch gave) → whether the network is to stop there."""
SLICE_SECONDS = 0.2
"""A native call lasts about this long at most, where it has several steps."""


class Group:
    """Members that learn together.

    ``prepared`` holds the rows of each: the same object, or others with as many rows of equal
    shape.  ``watch`` is told every epoch, by the member's one of ``numbers``.  ``ended`` says
    between native calls why all are to end, by a status of ``History``, or nothing.
    """

    def __init__(
        self,
        template: Template,
        prepared: Sequence[PreparedData],
        configs: Sequence[TrainingConfig],
        numbers: Sequence[int] = (),
        *,
        watch: Watch | None = None,
        ended: Callable[[], str] | None = None,
    ) -> None:
        self.begun = time.perf_counter()
        self.watch, self.ended = watch, ended
        set_num_threads(configs[0].threads or available_cpus())
        before = get_rng_state()
        self.members = _members(prepared, configs, numbers or range(len(configs)))
        self.running = list(self.members)
        self.shared = all(p is prepared[0] for p in prepared)
        self.template = template
        set_rng_state(before)
        own = prepared[:1] if self.shared else prepared
        self.metrics = {id(data): headline_metrics(data) for data in own}
        self.weighted = prepared[0].train.weights is not None
        self._rate = 0.0
        self.place_of = {member: place for place, member in enumerate(self.members)}
        count = len(configs)
        self.lowest = np.full(count, np.inf)
        self.waited, self.best_epoch = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.patience = np.array([member.config.patience or 0 for member in self.members])
        self.epochs = np.array([member.epochs for member in self.members])
        self.noted: list[Future[list[int]]] = []
        self.crowd, self.best, self.kept = self._laid_out()
        self.lines = np.zeros((count, self.template.full, self.template.size), np.int64)
        self.rest = np.zeros((count, 1, self.template.ragged), np.int64)
        self.learning, self.measuring = self._learning_parts(), self._measuring_parts()
        for place, member in enumerate(self.members):
            self._read_numbers(place, member)
        self._load()
        self.compile_seconds = time.perf_counter() - self.begun

    # ---- memory ----------------------------------------------------------------------------

    def _laid_out(self) -> tuple[Crowd, Array, list[Any]]:
        """The members' own values, their best weights, and the tensors that these are of."""
        template, state = self.template, default_generator.state
        kept = [tensor for _, tensor in named_tensors(template.validated)]
        models = {id(m): m for m in (template.validated, template.model)}.values()
        own = [tensor for model in models for _, tensor in named_tensors(model)]
        data = [] if self.shared else list(template.data)
        crowd = Crowd(len(self.members), template.programs(), [*own, state, *data])
        for place, member in enumerate(self.members):
            for model in models:
                pairs = zip(named_tensors(model), member.start.values(), strict=True)
                for (_, tensor), values in pairs:
                    crowd.values(tensor)[place] = values
            crowd.values(state)[place] = member.random_state
            rows = part_rows(member.prepared, member.prepared.train) if data else ()
            for tensor, array in zip(data, rows, strict=True):
                crowd.values(tensor)[place] = array
        return crowd, crowd.memory[:, : crowd.extent(kept)].copy(), kept

    def _learning_parts(self) -> list[Part]:
        """The steps of an epoch."""
        count, lines = len(self.members), (self.lines, self.rest)
        return [
            Part(program, count, steps, [Argument(rows, True, True)])
            for (program, steps), rows in zip(self.template.steps, lines, strict=False)
        ]

    def _measuring_parts(self) -> list[Part]:
        """Scores and loss of the validation rows, and then perhaps of training rows."""
        every = self.members[:1] if self.shared else self.members
        held = [part_rows(m.prepared, m.prepared.validation) for m in every]
        trained = [sample_of(part_rows(m.prepared, m.prepared.train)) for m in every]
        both = zip(self.template.measures, (held, trained), strict=False)
        return [part for (score, loss), rows in both for part in self._measured(score, loss, rows)]

    def _measured(self, score: Any, loss: Any, rows: Sequence[Rows]) -> list[Part]:
        """The parts that make scores and loss of rows."""
        own, count = not self.shared, len(self.members)
        blocks = [in_blocks(one[0], score.argument_specs[0].shape[0]) for one in rows]
        features = np.stack(blocks) if own else blocks[0]
        scoring = Part(score, count, len(blocks[0]), [Argument(features, own, True)])
        made = scoring.results[0]
        scores = made.reshape(count, -1, *made.shape[3:])[:, : len(rows[0][0])]
        known = zip(*(one[1:] for one in rows), strict=True)
        arrays = [np.stack(parts) if own else parts[0] for parts in known]
        arguments = [Argument(scores, True), *(Argument(array, own) for array in arrays)]
        return [scoring, Part(loss, count, 1, arguments)]

    def _load(self) -> None:
        """The native programs for the members that run."""
        count = len(self.running)
        self.at = np.array([self.place_of[member] for member in self.running])
        by_epoch = [m.schedule is not None and not m.by_step for m in self.running]
        self.scheduled = np.flatnonzero(by_epoch).tolist()
        parts = [*self.learning, *self.measuring]
        self.whole: CrowdExecutable = self.crowd.load(parts, count)
        self.slice: CrowdExecutable | None = None

    # ---- numbers that differ ---------------------------------------------------------------

    def _read_numbers(self, place: int, member: Member, step: int | None = None) -> None:
        """The member's numbers as they are now, for all steps of an epoch or one of them."""
        self.template.take_numbers(member)
        if step is None:
            for part in (*self.learning, *self.measuring):
                part.read_hosts(place)
        else:
            part = self.learning[step >= self.template.full]
            part.read_hosts(place, step % self.template.full)

    def _read_ahead(self) -> None:
        """The numbers of every step of the next epoch, where schedules go by steps."""
        for place, member in enumerate(self.running):
            if member.by_step:
                for step in range(self.template.full + len(self.learning) - 1):
                    self._read_numbers(place, member, step)
                    member.schedule.step()

    def _advance(self, place: int, loss: float) -> None:
        """The schedule's step for the next epoch."""
        member = self.running[place]
        if getattr(member.schedule, "watches_metric", False):
            member.schedule.step(loss)
        else:
            member.schedule.step()
        self._read_numbers(place, member)

    # ---- training --------------------------------------------------------------------------

    def train(self) -> list[RunResult]:
        """All epochs of all members; their results in order."""
        self._measure_starts()
        epoch = 1
        orders = _orders(self.running, epoch)
        with ThreadPoolExecutor(1) as self.helper:
            while self.running:
                self._fill(orders)
                self._read_ahead()
                following = self.helper.submit(_orders, self.running, epoch + 1)
                before = time.perf_counter()
                ended = self._run_epoch()
                if ended:
                    self._let_go(np.zeros(len(self.running), bool), ended)
                    break
                seconds = time.perf_counter() - before
                orders = following.result()[self._close_epoch(epoch, seconds)]
                epoch += 1
        for note in self.noted:
            note.result()
        return [self._result(place, member) for place, member in enumerate(self.members)]

    def _measure_starts(self) -> None:
        """Losses of the validation rows before training, of members that begin as linear models."""
        if not self.measuring or not any(m.linear for m in self.members):
            return
        self.crowd.load(self.measuring[:1]).run()
        for place, member in enumerate(self.members):
            if member.linear:
                member.start_losses = held_losses(member.prepared, self._scores(place))

    def _scores(self, place: int | slice) -> Array:
        found: Array = self.measuring[1].arguments[0].array[place]
        return found

    def _fill(self, orders: npt.NDArray[np.int64]) -> None:
        """The rows of each step."""
        full, size, count = self.template.full, self.template.size, len(orders)
        self.lines[:count] = orders[:, : full * size].reshape(count, full, size)
        self.rest[:count, 0] = orders[:, full * size :]

    def _run_epoch(self) -> str:
        """An epoch of all that run; why it was ended before its time, empty if it was not."""
        ended, full = self.ended or (lambda: ""), self.template.full
        at = 0
        while full > 1 and at < full - 1 and self._seconds(full - at) > SLICE_SECONDS:
            if ended():
                return ended()
            at += self._run_slice(at, full)
        if ended():
            return ended()
        self._start_at(self.whole, at, full - at)
        before = time.perf_counter()
        self.whole.run()
        if not at:
            self._rate = max(self._rate, (time.perf_counter() - before) / len(self.running) / full)
        return ""

    def _seconds(self, steps: int) -> float:
        """About how long so many steps of all take, from a guess before the first."""
        count = len(self.running)
        if not self._rate:
            numbers = sum(int(t.numel()) for t in self.kept)
            return 6e-11 * numbers * self.template.size * steps * count
        return self._rate * steps * count

    def _run_slice(self, at: int, full: int) -> int:
        """Some steps of all; how many."""
        if self.slice is None:
            self.slice = self.crowd.load(self.learning[:1], len(self.running))
        each = self._rate * len(self.running)
        steps = max(1, min(full - 1 - at, int(SLICE_SECONDS / each))) if each else 1
        self._start_at(self.slice, at, steps)
        before = time.perf_counter()
        self.slice.run()
        self._rate = (time.perf_counter() - before) / len(self.running) / steps
        return steps

    def _start_at(self, program: CrowdExecutable, at: int, steps: int) -> None:
        """The full batches begin at a step of the epoch and are so many."""
        if self.slice is not None:
            self.crowd.begin(program, 0, self.learning[0], at, steps)

    # ---- after an epoch --------------------------------------------------------------------

    def _close_epoch(self, epoch: int, seconds: float) -> npt.NDArray[np.bool_]:
        """Notes what the epoch gave, keeps the best weights, and lets go of who is done; says who
        of those that ran goes on.  Early stopping is that of ``Fit``."""
        template, at, count = self.template, self.at, len(self.running)
        losses = np.zeros(count)
        for part, rows in zip(self.learning, (template.size, template.ragged), strict=False):
            losses += part.results[0][:count].astype(np.float64).sum(1) * rows
        losses /= template.rows
        measured = [part.results[0][:count, 0].astype(np.float64) for part in self.measuring[1::2]]
        finite = np.isfinite([losses, *measured]).all(0)
        better = finite & (measured[0] < self.lowest[at]) if measured else finite
        if measured:
            self.lowest[at[better]] = measured[0][better]
        self.best_epoch[at[better]] = epoch
        self.waited[at] = np.where(better, 0, self.waited[at] + 1)
        early = finite & (self.patience[at] > 0) & (self.waited[at] >= self.patience[at])
        goes_on = finite & ~early & (epoch < self.epochs[at])
        self._keep(np.flatnonzero(better))
        stopped = self._note(epoch, seconds, losses, measured, finite)
        for place in stopped:
            goes_on[place] = early[place] = False
            self.running[place].history.status = "stopped"
        for place in np.flatnonzero(early):
            self.running[place].history.status = "stopped early"
        for place in np.flatnonzero(~finite):
            self.running[place].fail(epoch)
        for place in self.scheduled:
            if goes_on[place]:
                self._advance(place, float(measured[0][place] if measured else losses[place]))
        if not goes_on.all():
            self._let_go(goes_on)
        return goes_on

    def _note(
        self,
        epoch: int,
        seconds: float,
        losses: Array,
        measured: Sequence[Array],
        finite: npt.NDArray[np.bool_],
    ) -> list[int]:
        """Writes the records, beside the next epoch where nobody waits for them; returns the places
        of the members that are to stop."""
        members = list(self.running)
        rates = [member.optimizer.param_groups[0]["lr"] for member in members]
        scores = self._scores(slice(len(members))).copy() if self.measuring else None
        now = time.perf_counter() - self.begun
        speed = self.template.rows / max(seconds, 1e-9)
        steps = epoch * (self.template.full + len(self.learning) - 1)
        none: list[Any] = [None] * len(members)
        held, trained = [*(one.tolist() for one in measured), none, none][:2]

        def write() -> list[int]:
            metrics, stopped = self._metrics(members, scores), []
            rows = zip(members, losses.tolist(), held, metrics, rates, trained, strict=True)
            for place, (member, loss, validation, metric, rate, train_loss) in enumerate(rows):
                if finite[place]:
                    record = EpochRecord(
                        epoch, loss, validation, metric, rate, steps, speed, now, train_loss
                    )
                    member.history.epochs.append(record)
                    member.history.steps = steps
                    if self.watch is not None and self.watch(member.number, record):
                        stopped.append(place)
            return stopped

        if self.watch is not None:
            return write()
        self.noted.append(self.helper.submit(write))
        return []

    def _metrics(self, members: Sequence[Member], scores: Array | None) -> list[float | None]:
        """The headline metric of each, None without validation rows or where rows have weights."""
        if scores is None or self.weighted:
            return [None] * len(members)
        if self.shared:
            found: list[float | None] = next(iter(self.metrics.values()))(scores)
            return found
        pairs = zip(members, scores, strict=True)
        return [self.metrics[id(m.prepared)](one[None])[0] for m, one in pairs]

    def _keep(self, better: npt.NDArray[np.int64]) -> None:
        """The weights at these places are the best of their members so far."""
        extent = self.best.shape[1]
        for place in better:
            self.best[self.at[place]] = self.crowd.memory[place, :extent]
            if self.running[place].start_losses is not None:
                self.running[place].best_scores = self._scores(place).copy()

    def _let_go(self, goes_on: npt.NDArray[np.bool_], status: str = "") -> None:
        """The members that go on move together."""
        kept = np.flatnonzero(goes_on).tolist()
        for target, source in enumerate(kept):
            if target != source:
                self.crowd.move(source, target)
                for part in (*self.learning, *self.measuring):
                    part.move(source, target)
        if status:
            for member in self.running:
                member.history.status = status
        self.running = [self.running[place] for place in kept]
        if kept:
            self._load()

    def _result(self, place: int, member: Member) -> RunResult:
        """A member with its best weights; with the first ones where training gained nothing."""
        history, config = member.history, member.config
        history.best_epoch = int(self.best_epoch[place])
        weights = self.crowd.read(self.best[place], self.kept)
        member.load(dict(zip(member.start, weights, strict=True)))
        history.compile_seconds = self.compile_seconds
        history.seconds = time.perf_counter() - self.begun
        task = member.prepared.task
        loss = config.loss_for(task.kind, task.loss)
        result = RunResult(member.prepared, config, member.model, history, loss, None, None)
        result.failure, result.threads = member.failure, get_num_threads()
        result.seconds["compilation"] = history.compile_seconds
        result.seconds["training"] = history.seconds - history.compile_seconds
        if member.start_losses is None or member.best_scores is None:
            return result
        if not is_better(member.start_losses, held_losses(member.prepared, member.best_scores)):
            member.load(member.start)
            history.best_epoch = 0
        return result


def _members(
    prepared: Sequence[PreparedData], configs: Sequence[TrainingConfig], numbers: Sequence[int]
) -> list[Member]:
    """The networks as they begin; the linear model of data is solved once."""
    solutions: dict[int, Any] = {}
    found = []
    for number, data, config in zip(numbers, prepared, configs, strict=True):
        if id(data) not in solutions and starts_linear(data, config):
            solutions[id(data)] = first_solution(data)
        found.append(Member(number, data, config, solutions.get(id(data))))
    return found


def _orders(members: Sequence[Member], epoch: int) -> npt.NDArray[np.int64]:
    """The orders of rows (members, rows)."""
    return np.stack([member.order(epoch) for member in members])
