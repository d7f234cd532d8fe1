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
    look_inside,
    part_rows,
)
from pellucid.training.linear_start import starts_linear
from pellucid.training.members import Array, Member, Rows, Template, in_blocks, sample_of
from pellucid.training.orders import orders_of

Watch = Callable[[int, EpochRecord], bool]
"""(number of the network, what an epoch gave) → whether the network is to stop there."""
SLICE_SECONDS = 0.2
"""A native call lasts about this long at most, where it has several steps."""
MOST_ROUNDS = 16
"""Epochs of a native call."""
MOST_BYTES = 1 << 28
"""Memory for the orders of rows and the scores of such a call."""


class Group:
    """Members that learn together.

    ``prepared`` holds the rows of each: the same object, or others with as many rows of equal
    shape.  ``watch`` is told every epoch, by the member's one of ``numbers``.  ``ended`` says
    between native calls why all are to end, by a status of ``History``, or nothing.  ``look`` takes
    pictures of the inside before and after.
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
        look: bool = False,
    ) -> None:
        self.begun = time.perf_counter()
        self.watch, self.ended = watch, ended
        set_num_threads(configs[0].threads or available_cpus())
        before = get_rng_state()
        self.look = look
        self.members = _members(prepared, configs, numbers or range(len(configs)), look)
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
        self.weights: dict[Member, list[Array]] = {}
        self.has_linear = False
        self.rounds = self._most_rounds()
        self.crowd = self._laid_out()
        shape = (count, self.rounds)
        self.lines = np.zeros((*shape, self.template.full, self.template.size), np.int64)
        self.rest = np.zeros((*shape, 1, self.template.ragged), np.int64)
        self.learning, self.measuring = self._learning_parts(), self._measuring_parts()
        for place, member in enumerate(self.members):
            self._read_numbers(place, slice(None), member)
        self._load()
        self.compile_seconds = time.perf_counter() - self.begun

    def _most_rounds(self) -> int:
        """How many epochs a native call may have: where nobody has to look between them, and the
        scores of all have room."""
        schedules = [m.config.schedule for m in self.members]
        if self.watch is not None or self.template.keep is None or "plateau" in schedules:
            return 1
        scores = 4 * sum(
            int(np.prod(score.result_specs[0].shape)) for score, _ in self.template.measures
        )
        orders = 8 * self.template.rows
        room = MOST_BYTES // (len(self.members) * (scores + orders))
        return int(max(1, min(MOST_ROUNDS, room, *self.epochs)))

    # ---- memory ----------------------------------------------------------------------------

    def _laid_out(self) -> Crowd:
        """The members' own values."""
        template, state = self.template, default_generator.state
        models = {id(m): m for m in (template.validated, template.model)}.values()
        own = [tensor for model in models for _, tensor in named_tensors(model)]
        data = [] if self.shared else list(template.data)
        extra = [state, template.lowest, template.waited, template.patience, *template.best]
        crowd = Crowd(len(self.members), template.programs(), [*own, *extra, *data])
        for place, member in enumerate(self.members):
            for model in models:
                pairs = zip(named_tensors(model), member.start.values(), strict=True)
                for (_, tensor), values in pairs:
                    crowd.values(tensor)[place] = values
            for tensor, values in zip(template.best, member.start.values(), strict=True):
                crowd.values(tensor)[place] = values
            crowd.values(state)[place] = member.random_state
            rows = part_rows(member.prepared, member.prepared.train) if data else ()
            for tensor, array in zip(data, rows, strict=True):
                crowd.values(tensor)[place] = array
        crowd.values(template.patience)[:] = self.patience
        return crowd

    def _learning_parts(self) -> list[Part]:
        """The steps of an epoch."""
        count, lines = len(self.members), (self.lines, self.rest)
        return [
            Part(program, count, self.rounds, steps, [Argument(rows, "mrs")])
            for (program, steps), rows in zip(self.template.steps, lines, strict=False)
        ]

    def _measuring_parts(self) -> list[Part]:
        """Scores and loss of the validation rows, and then perhaps of training rows; last what
        keeps the best weights."""
        every = self.members[:1] if self.shared else self.members
        held = [part_rows(m.prepared, m.prepared.validation) for m in every]
        trained = [sample_of(part_rows(m.prepared, m.prepared.train)) for m in every]
        both = zip(self.template.measures, (held, trained), strict=False)
        found = [part for two, rows in both for part in self._measured(two, rows)]
        if self.template.keep is not None:
            losses = [Argument(found[1].results[0][:, :, 0], "mr")]
            found.append(Part(self.template.keep, len(self.members), self.rounds, 1, losses))
        return found

    def _measured(self, programs: Any, rows: Sequence[Rows]) -> list[Part]:
        """The parts that make scores and loss of rows."""
        (score, loss), count, own = programs, len(self.members), "" if self.shared else "m"
        blocks = [in_blocks(one[0], score.argument_specs[0].shape[0]) for one in rows]
        features = np.stack(blocks) if own else blocks[0]
        steps = len(blocks[0])
        scoring = Part(score, count, self.rounds, steps, [Argument(features, own + "s")])
        made = scoring.results[0]
        scores = made.reshape(count, self.rounds, -1, *made.shape[4:])[:, :, : len(rows[0][0])]
        known = zip(*(one[1:] for one in rows), strict=True)
        arrays = [np.stack(parts) if own else parts[0] for parts in known]
        arguments = [Argument(scores, "mr"), *(Argument(array, own) for array in arrays)]
        return [scoring, Part(loss, count, self.rounds, 1, arguments)]

    def _load(self) -> None:
        """The native programs for the members that run."""
        count = len(self.running)
        self.at = np.array([self.place_of[member] for member in self.running])
        self.scheduled = [p for p, m in enumerate(self.running) if m.schedule is not None]
        self._losses = self.measuring[1::2][: len(self.template.measures)]
        parts = [*self.learning, *self.measuring]
        self.whole: CrowdExecutable = self.crowd.load(parts, count)
        self.slice: CrowdExecutable | None = None

    # ---- numbers that differ ---------------------------------------------------------------

    def _read_numbers(self, place: int, at: int | slice, member: Member) -> None:
        """The member's numbers as they are now, for all steps of a round, or of all rounds."""
        self.template.take_numbers(member)
        for part in (*self.learning, *self.measuring):
            part.read_hosts(place, at)

    def _read_ahead(self, rounds: int) -> None:
        """The numbers of the next epochs, of members whose schedules change them."""
        for place in self.scheduled:
            member = self.running[place]
            member.rates = []
            for at in range(rounds):
                if member.by_step:
                    self._read_steps(place, at, member)
                    member.rates.append(member.rate)
                    continue
                self._read_numbers(place, at, member)
                member.rates.append(member.rate)
                if not member.by_loss:
                    member.schedule.step()

    def _read_steps(self, place: int, at: int, member: Member) -> None:
        """The numbers of each step of an epoch, and the schedule's after them."""
        for step in range(self.template.full + len(self.learning) - 1):
            self.template.take_numbers(member)
            part = self.learning[step >= self.template.full]
            part.read_hosts(place, at, step % self.template.full)
            member.schedule.step()

    # ---- training --------------------------------------------------------------------------

    def train(self) -> list[RunResult]:
        """All epochs of all members; their results in order."""
        self._measure_starts()
        epoch = 1
        rounds = self._next_rounds(epoch)
        orders = _orders(self.running, epoch, rounds)
        with ThreadPoolExecutor(1) as self.helper:
            while self.running:
                self._fill(orders)
                self._read_ahead(rounds)
                before = time.perf_counter()
                after = self._next_rounds(epoch + rounds)
                following = self.helper.submit(_orders, self.running, epoch + rounds, after)
                ended = self._run_rounds(rounds)
                if ended:
                    self._let_go(np.zeros(len(self.running), bool), ended)
                    break
                seconds = (time.perf_counter() - before) / rounds
                goes_on = self._close_rounds(epoch, rounds, seconds)
                orders, epoch, rounds = following.result()[goes_on], epoch + rounds, after
                if rounds > self._left(epoch):
                    rounds = self._left(epoch)
                    orders = orders[:, :rounds]
        for note in self.noted:
            note.result()
        return [self._result(place, member) for place, member in enumerate(self.members)]

    def _left(self, epoch: int) -> int:
        """Epochs from this one on that all who run still have."""
        return max(1, int(self.epochs[self.at].min()) - epoch + 1) if self.running else 1

    def _next_rounds(self, epoch: int) -> int:
        """How many epochs the next native call has: it is not to be long, and whoever stops early
        in it should not have done much in vain."""
        at = self.at
        patience = self.patience[at] > 0
        until = (self.patience[at] - self.waited[at])[patience].min(initial=self.rounds)
        each = self._seconds(self.template.full)
        fitting = int(SLICE_SECONDS / each) if each else 1
        return max(1, min(self.rounds, self._left(epoch), fitting, max(4, int(until))))

    def _measure_starts(self) -> None:
        """Losses of the validation rows before training, of members that begin as linear models."""
        if not self.measuring or not any(m.linear for m in self.members):
            return
        self.has_linear = True
        self.crowd.load(self.measuring[:1]).run()
        for place, member in enumerate(self.members):
            if member.linear:
                member.start_losses = held_losses(member.prepared, self._scores(place))

    def _scores(self, place: int | slice, at: int = 0) -> Array:
        """The scores of validation rows after a round."""
        found: Array = self.measuring[1].arguments[0].array[place, at]
        return found

    def _fill(self, orders: npt.NDArray[np.int64]) -> None:
        """The rows of each step, from orders (members, rounds, rows)."""
        full, size, (count, rounds, _) = self.template.full, self.template.size, orders.shape
        shape = (count, rounds, full, size)
        self.lines[:count, :rounds] = orders[:, :, : full * size].reshape(shape)
        self.rest[:count, :rounds, 0] = orders[:, :, full * size :]

    def _run_rounds(self, rounds: int) -> str:
        """So many epochs of all that run; why they were ended before their time, empty if not."""
        ended, full = self.ended or (lambda: ""), self.template.full
        at = 0
        while rounds == 1 and at < full - 1 and self._seconds(full - at) > SLICE_SECONDS:
            if ended():
                return ended()
            at += self._run_slice(at, full)
        if ended():
            return ended()
        self._start_at(self.whole, at, full - at)
        self.whole.set_rounds(rounds)
        before = time.perf_counter()
        self.whole.run()
        if not at:
            steps = len(self.running) * full * rounds
            self._rate = (time.perf_counter() - before) / steps
        return ""

    def _seconds(self, steps: int) -> float:
        """About how long so many steps of all take, from a guess before the first."""
        count = len(self.running)
        if not self._rate:
            numbers = sum(int(t.numel()) for t in self.template.kept)
            return 6e-11 * float(numbers * self.template.size * steps * count)
        return float(self._rate * steps * count)

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

    # ---- after some epochs -----------------------------------------------------------------

    def _close_rounds(self, epoch: int, rounds: int, seconds: float) -> npt.NDArray[np.bool_]:
        """Notes what the epochs from this one on gave, and lets go of who is done; says who of
        those that ran goes on."""
        goes_on = np.ones(len(self.running), bool)
        for at in range(rounds):
            goes_on &= self._close_epoch(epoch + at, at, seconds, goes_on)
        if not goes_on.all():
            self._let_go(goes_on)
        return goes_on

    def _close_epoch(
        self, epoch: int, at: int, seconds: float, runs: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Notes what an epoch gave; says who goes on.  Early stopping is that of ``Fit``."""
        template, places, count = self.template, self.at, len(self.running)
        losses = np.zeros(count)
        for part, rows in zip(self.learning, (template.size, template.ragged), strict=False):
            losses += part.results[0][:count, at].astype(np.float64).sum(1) * rows
        losses /= template.rows
        measured = [part.results[0][:count, at, 0].astype(np.float64) for part in self._losses]
        finite = np.isfinite([losses, *measured]).all(0)
        better = runs & finite
        if measured:
            better &= measured[0] < self.lowest[places]
            self.lowest[places[better]] = measured[0][better]
        self.best_epoch[places[better]] = epoch
        self.waited[places] = np.where(better, 0, self.waited[places] + 1)
        patience = self.patience[places]
        early = runs & finite & (patience > 0) & (self.waited[places] >= patience)
        goes_on = runs & finite & ~early & (epoch < self.epochs[places])
        for place in np.flatnonzero(better).tolist() if self.has_linear else ():
            if self.running[place].start_losses is not None:
                self.running[place].best_scores = self._scores(place, at).copy()
        stopped = self._note(epoch, at, seconds, losses, measured, runs & finite)
        for place in stopped:
            goes_on[place] = early[place] = False
            self.running[place].history.status = "stopped"
        for place in np.flatnonzero(early).tolist():
            self.running[place].history.status = "stopped early"
        for place in np.flatnonzero(runs & ~finite).tolist():
            self.running[place].fail(epoch)
        for place in self.scheduled:
            if goes_on[place] and self.running[place].by_loss:
                watched = measured[0] if measured else losses
                self.running[place].schedule.step(float(watched[place]))
        found: npt.NDArray[np.bool_] = goes_on
        return found

    def _note(
        self,
        epoch: int,
        at: int,
        seconds: float,
        losses: Array,
        measured: Sequence[Array],
        wanted: npt.NDArray[np.bool_],
    ) -> list[int]:
        """Writes the records, beside the next epochs where nobody waits for them; returns the
        places of the members that are to stop."""
        members = list(self.running)
        rates = [m.rates[at if len(m.rates) > 1 else 0] for m in members]
        scores = self._scores(slice(len(members)), at).copy() if self.measuring else None
        now = time.perf_counter() - self.begun
        speed = self.template.rows / max(seconds, 1e-9)
        steps = epoch * (self.template.full + len(self.learning) - 1)
        none: list[Any] = [None] * len(members)
        held, trained = [*(one.tolist() for one in measured), none, none][:2]

        def write() -> list[int]:
            metrics, stopped = self._metrics(members, scores), []
            rows = zip(members, losses.tolist(), held, metrics, rates, trained, strict=True)
            for place, (member, loss, validation, metric, rate, train_loss) in enumerate(rows):
                if wanted[place]:
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

    def _let_go(self, goes_on: npt.NDArray[np.bool_], status: str = "") -> None:
        """The members that go on move together."""
        kept = np.flatnonzero(goes_on).tolist()
        tensors = self.template.kept if self.template.keep is None else self.template.best
        for place in np.flatnonzero(~goes_on).tolist():
            found = [np.array(self.crowd.values(t)[place]) for t in tensors]
            self.weights[self.running[place]] = found
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
        member.load(dict(zip(member.start, self.weights[member], strict=True)))
        history.compile_seconds = self.compile_seconds
        history.seconds = time.perf_counter() - self.begun
        task = member.prepared.task
        loss = config.loss_for(task.kind, task.loss)
        before, problems = member.before, member.problems
        result = RunResult(member.prepared, config, member.model, history, loss, before, None)
        result.problems = problems
        result.failure, result.threads = member.failure, get_num_threads()
        result.seconds["compilation"] = history.compile_seconds
        result.seconds["training"] = history.seconds - history.compile_seconds
        if member.start_losses is not None and member.best_scores is not None:
            losses = held_losses(member.prepared, member.best_scores)
            if not is_better(member.start_losses, losses):
                member.load(member.start)
                history.best_epoch = 0
        if self.look:
            result.after = look_inside(member.model, member.prepared, problems)
        return result


def _members(
    prepared: Sequence[PreparedData],
    configs: Sequence[TrainingConfig],
    numbers: Sequence[int],
    look: bool,
) -> list[Member]:
    """The networks as they begin; the linear model of data is solved once."""
    solutions: dict[int, Any] = {}
    found = []
    for number, data, config in zip(numbers, prepared, configs, strict=True):
        if id(data) not in solutions and starts_linear(data, config):
            solutions[id(data)] = first_solution(data)
        found.append(Member(number, data, config, solutions.get(id(data)), look))
    return found


def _orders(members: Sequence[Member], epoch: int, rounds: int) -> npt.NDArray[np.int64]:
    """The orders of rows (members, rounds, rows) in the epochs from this one on."""
    epochs = range(epoch, epoch + rounds)
    return orders_of([m.config.seed for m in members], epochs, len(members[0].prepared.train))
