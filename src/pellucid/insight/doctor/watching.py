"""Watching a training loop of one's own, from outside and without changing a bit of it.

A watch is told of calls of modules, of backward passes and of optimizers' steps
(:class:`pellucid.tensor.state.Follower`).  Most steps cost it a few comparisons; on a schedule with
a budget of time, steps are remembered so that they can be repeated (:mod:`.steps`), and statistics
of layers are taken (``model.observe``).
"""

from __future__ import annotations

import functools
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.base.waiting import Begun, begin, passed
from pellucid.insight.doctor.adversaries import made_and_real
from pellucid.insight.doctor.births import birth_of, birth_of_gradient
from pellucid.insight.doctor.by_hand import UpdatesByHand
from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.compiled_steps import CompiledStep, moved_tracks, statistics_of
from pellucid.insight.doctor.findings import Finding
from pellucid.insight.doctor.judging import judged, merged
from pellucid.insight.doctor.moments import Moment
from pellucid.insight.doctor.observing import glance, newest_record, norm_of, parameter_statistics
from pellucid.insight.doctor.report import Report
from pellucid.insight.doctor.schedule import Schedule
from pellucid.insight.doctor.steps import NotRepeatable, StepRecorder
from pellucid.insight.doctor.tracks import Track, stands
from pellucid.nn.module import Module
from pellucid.tensor.core import TensorCore
from pellucid.tensor.state import concrete, state
from pellucid.tensor.trees import flatten

SHARES = {"light": 0.01, "full": 0.04}
"""Level → share of the time that looking may take."""
CREDITS = {"light": 0.1, "full": 0.3}
"""Seconds that looking may take before any time has passed."""
_REPORTS = (10, 30, 100, 300, 1000, 3000, 10_000)
"""Steps after which what is known is judged while the loop runs, where time allows."""

MOST_UNSEEN = 32
"""So many compiled steps in a row are only counted."""
FEWEST_WAITS = 8
SHORTEST_WAIT = 0.005
"""Seconds before a step's first call that are worth a word."""
_LONGEST = 20
"""So many steps of one optimizer may come before another's."""

Listener = Callable[[Finding], None]
"""Called with each finding, once, when it is first made."""


def watch(
    model: Any = None,
    optimizer: Any = None,
    loss: Any = None,
    *,
    level: str = "light",
    validation: Any = None,
    on_finding: Listener | None = None,
) -> Watch:
    """Watches a training loop; ``watch.report()`` says what is wrong with it.

    ``model`` is a module or several in a list (those of a GAN), or None: modules are found by
    their calls.  ``optimizer`` likewise.  ``loss`` is the function of (outputs, targets), module or
    name, where it should not be found out: by itself the watch takes what ``backward()`` is called
    on, the inputs of the model, and the values that the loss compares its outputs with.
    ``level`` is ``"light"`` (at most about 1 % of the time) or ``"full"`` (4 %).  ``validation`` is
    a pair (features, targets).  ``on_finding`` is called with each finding when it is first made.

    Weights, random numbers and outputs of the program are, bit by bit, those without a watch.

    >>> watch = doctor.watch(model, optimizer)                     # doctest: +SKIP
    >>> for x, y in batches:                                       # doctest: +SKIP
    ...     with watch.step():
    ...         optimizer.zero_grad()
    ...         loss(model(x), y).backward()
    ...         optimizer.step()
    >>> print(watch.report())                                      # doctest: +SKIP

    Without ``with watch.step()`` a step ends with the optimizer's.  ``watch.close()``, or the end
    of ``with doctor.watch(…) as watch:``, ends it.  Raises ``ArgumentError`` for an unknown level
    and for what is no module or optimizer.
    """
    made = Watch(_listed(model), _listed(optimizer), loss, level, validation, on_finding)
    made.open()
    return made


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


Event = TypeVar("Event", bound=Callable[..., None])


def _harmless(event: Event) -> Event:
    """An error of the watch ends the watch, not the program: it is kept in ``trouble``."""

    @functools.wraps(event)
    def told(self: Watch, *args: Any, **kwargs: Any) -> None:
        if self.trouble is not None:
            return
        try:
            event(self, *args, **kwargs)
        except Exception as error:
            self.trouble = error
            self._end_look()

    return cast(Event, told)


class Watch:
    """Follows a loop; see :func:`watch`."""

    def __init__(
        self,
        models: Sequence[Any] = (),
        optimizers: Sequence[Any] = (),
        loss: Any = None,
        level: str = "light",
        validation: Any = None,
        on_finding: Listener | None = None,
    ) -> None:
        if level not in SHARES:
            raise ArgumentError(f"level={level!r}", f"Choose from {', '.join(SHARES)}.")
        for model in models:
            if not isinstance(model, Module):
                raise ArgumentError(
                    f"watch got a {type(model).__name__} as a model", "Give a module."
                )
        for optimizer in optimizers:
            if not hasattr(optimizer, "param_groups"):
                raise ArgumentError(
                    f"watch got a {type(optimizer).__name__} as an optimizer", "Give an optimizer."
                )
        self.models: list[Any] = list(models)
        self.optimizers = list(optimizers)
        self.loss = loss
        self.level = level
        self.validation = validation
        self.listeners = [] if on_finding is None else [on_finding]
        self.tracks: list[Track] = [Track(each) for each in optimizers]
        self.schedule = Schedule(SHARES[level], CREDITS[level])
        self.findings: list[Finding] = []
        """Findings that were made while the loop ran, as they were told."""
        self.failure: Any = None
        """Where the first value that is not finite came from."""
        self.trouble: Exception | None = None
        """What ended the watch before its time."""
        self.steps = 0
        self.holds_updates = False
        self._finds_all = not optimizers
        self._by_hand = False
        self._inside = 0
        self._order: list[Track] = []
        """Tracks in the order of their first steps."""
        self._since = 0
        self._due = True
        self._recorder: StepRecorder | None = None
        self._observations: list[tuple[Any, Any]] = []
        self._value = 0.0
        self._outputs: tuple[list[Any], list[Any]] = ([], [])
        """What ``backward()`` was called on last, with its cotangents."""
        self._is_pending = False
        """Whether there were gradients that no optimizer has followed yet."""
        self._began = time.perf_counter()
        self._last_calls: list[tuple[Any, Any, Any]] = []
        self._weights: list[tuple[Track, list[np.ndarray]]] = []
        self._by_hand_made = UpdatesByHand()
        self._judged = 0
        self._judging = 0.0
        self._initial: Moment | None = None
        """Everything before the first compiled step."""
        self._unseen = 0
        """Compiled steps since the last that was more than counted."""
        self._compiled: dict[int, CompiledStep] = {}
        self._before: Any = None
        self._is_open = False
        self._rested: Begun | None = None
        """When the last step ended; None where something else was run since."""
        self._gap = 0.0
        """How long the step that runs waited before its first call."""
        self._worked = 0.0
        """Time of the processor when it had waited."""
        self._waits: deque[tuple[float, float]] = deque(maxlen=200)
        """Of steps that nobody looked at, how long they waited, and then worked."""

    # ---- beginning and end ---------------------------------------------------------------------

    def open(self) -> None:
        """Follow what happens on this thread from now on."""
        if self._is_open:
            return
        self._before, state.follower = state.follower, self
        self._is_open = True
        self._began = time.perf_counter()

    def close(self) -> None:
        """Follow no more; the report can still be had."""
        if not self._is_open:
            return
        self._end_look()
        if state.follower is self:
            state.follower = self._before
        self._is_open = False

    def __enter__(self) -> Watch:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def step(self) -> Iterator[Watch]:
        """A training step: what is inside is one, whatever it calls."""
        self._by_hand = True
        self._inside += 1
        self._waited()
        try:
            yield self
        finally:
            self._inside -= 1
            self._end_step()

    # ---- what the loop does (Follower) ---------------------------------------------------------

    @_harmless
    def entered(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is called that no other module calls."""
        if state.trace is not None:
            if self._finds_all:
                self._find(function)
            return
        if not state.grad_enabled:
            if not self._inside and not self._last_calls:
                self._rested, self._gap = None, 0.0  # it measures or acts in between
            if self._recorder is not None:
                self._recorder.entered(args, kwargs)
            return
        self._end_without_optimizer()
        if self._finds_all:
            self._find(function)
        if not self._last_calls and not self._inside:
            self._waited()
        if self._due and self._recorder is None:
            self._begin_look()
        if self._recorder is not None:
            self._recorder.entered(args, kwargs)
        self._last_calls.append((function, args, kwargs))

    def _waited(self) -> None:
        """A step begins."""
        if self._rested is not None and not self._gap:
            self._gap = passed(self._rested)
            self._worked = time.thread_time()

    @_harmless
    def called(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """The call is over."""
        if self._recorder is not None and state.trace is None:
            self._recorder.called(function, args, kwargs, result)

    @_harmless
    def backward(self, outputs: Sequence[Any], cotangents: Sequence[Any]) -> None:
        """Gradients of these tensors are about to be computed."""
        if state.trace is not None:
            return
        if not self._last_calls:
            self._end_without_optimizer()
        if self._due and self._recorder is None:
            self._begin_look()
        for track in self.tracks:
            track.look_at_gradients()
        value = 0.0
        for output, cotangent in zip(outputs, cotangents, strict=True):
            array = output._cell.array
            if array is None:
                return
            value += float(array.sum() if cotangent is None else (array * cotangent.array()).sum())
        self._value += value
        self._is_pending = True
        self._outputs = (list(outputs), list(cotangents))
        if not math.isfinite(value) and self.failure is None:
            self.failure = birth_of(outputs, self._last_calls, self.names(), self.steps)
        if self._recorder is not None:
            try:
                self._recorder.backward(outputs, cotangents)
            except NotRepeatable:
                self._drop_recorder()

    @_harmless
    def differentiated(self) -> None:
        """They have been computed."""
        if self._recorder is None or self._order or state.trace is not None:
            return
        known = self.tracks[0].parameters if self.tracks else []
        self._by_hand_made.begin(known or self._recorder.leaves())

    @_harmless
    def ran(
        self,
        function: Any,
        program: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        steps: int = 0,
    ) -> None:
        """A compiled function ran: a training step, or one whose result has a history."""
        known = self._compiled.get(id(function))
        if known is not None and not steps and self._is_like_the_last(known, program):
            loss = getattr(result, "_cell", None)
            value = math.nan if loss is None or loss.shape else float(loss.array)
            if value - value == 0.0:  # finite
                known.calls.append((args, kwargs))
                known.tracks[0].losses.append(value)
                known.tracks[0].steps += 1
                self._unseen += 1
                return
        if program.outer is not None:
            self._last_calls.append((function, args, kwargs))
            if self._recorder is not None:
                self._recorder.called(function, args, kwargs, result)
            return
        if known is None:
            known = CompiledStep(function, moved_tracks(program, self.tracks))
            known.safety = self._initial
            self._compiled[id(function)] = known
        if known.tracks:
            self._compiled_step(known, program, args, kwargs, result, steps)

    def _is_like_the_last(self, step: CompiledStep, program: Any) -> bool:
        """Whether nothing needs to be done about a step but to count it."""
        at = self.schedule.steps + self._unseen + 1
        return (
            at < self.schedule.next_step and self._unseen < MOST_UNSEEN and step.is_plain(program)
        )

    def _compiled_step(
        self, step: CompiledStep, program: Any, args: Any, kwargs: Any, result: Any, steps: int
    ) -> None:
        losses = step.losses(result, steps)
        count = len(losses)
        if not steps:
            step.calls.append((args, kwargs))
        never_reset = step.reads_gradients(program) and _stands_in(step.tracks)
        for track in step.tracks:
            track.fresh, track.backwards = not never_reset, 1
            track.most_backwards = max(track.most_backwards, 1)
            track.losses.extend(losses[:-1].tolist())
            track.steps += count - 1
            track.stepped(float(losses[-1]))
            if track.model is None:
                track.model = self._model_of(track)
        if self.failure is None and not np.isfinite(losses).all() and step.loss_at >= 0:
            named = {n: p for model in self.models for n, p in model.named_parameters()}
            self.failure = step.birth(self.models, self._used(), named)
        step.protect(self.models, self._used())
        now = time.perf_counter()
        count, self._unseen = count + self._unseen, 0
        self.steps += count
        self.schedule.stepped(now - self._began, False, count)
        if step.waits_for_update:
            self._add_updates(step, steps <= 1)
        elif self.schedule.steps >= self.schedule.next_step:
            rows = self.schedule.rows_to_look_at(_rows_in(args, kwargs, steps))
            if self.schedule.is_due:
                self._look_at(step, program, args, kwargs, steps, rows)
        self._judge_in_time()
        self._began = time.perf_counter()

    def _used(self) -> list[Any]:
        return [track.optimizer for track in self.tracks if track.optimizer is not None]

    def _add_updates(self, step: CompiledStep, is_single: bool) -> None:
        """How far the step that was just made went; many in one call are not one."""
        began = time.perf_counter()
        found = step.updates(self.names()) if is_single else step.drop_weights()
        for track in step.tracks:
            if track.records:
                track.records[-1]["update"] = found
        self.schedule.spent += time.perf_counter() - began

    def _look_at(
        self, step: CompiledStep, program: Any, args: Any, kwargs: Any, steps: int, rows: int
    ) -> None:
        """Keep the batch of a compiled step, and take its statistics: by a program that computes
        them with the step where there is one, else of some rows."""
        began = time.perf_counter()
        given = step.keep(args, kwargs, steps)
        if given is not None:
            used = self._used()
            records = step.statistics(given, self.models, used, self.schedule, program)
            if not records:
                seen, records = statistics_of(given, self.models, used, rows)
                if seen is None:
                    self.schedule.share = 0.0  # it cannot be run as Python
            for track in step.tracks:
                found = next((dict(r) for model, r in records if model is track.model), {})
                if found:
                    losses = track.losses[-1]
                    track.record({**found, "step": track.steps - 1, "loss": losses, "update": {}})
            step.take_weights()
        self.schedule.looked(time.perf_counter() - began)

    # ---- optimizers ----------------------------------------------------------------------------

    @_harmless
    def updating(self, optimizer: Any) -> None:
        """An optimizer is about to make a step."""
        track = self._track(optimizer)
        if state.trace is not None and self._initial is None:
            with concrete():
                self._initial = Moment(self.models, self._used(), with_gradients=False)
        if track is None or state.trace is not None:
            return
        track.look_before_step(self._is_pending)
        if self.failure is None and not track.has_finite_gradients(self.level == "full"):
            named = {n: p for model in self.models for n, p in model.named_parameters()}
            self.failure = birth_of_gradient(*self._outputs, named)
        self._outputs = ([], [])
        if self._recorder is None:
            return
        with_gradient = [p for p in track.parameters if isinstance(p._grad, TensorCore)]
        self._weights.append((track, [np.array(p.detach().array()) for p in with_gradient]))

    @_harmless
    def updated(self, optimizer: Any) -> None:
        """It has made it."""
        if state.trace is not None:
            return
        track = self._track(optimizer)
        if track is None:
            return
        track.stepped(self._value)
        track.span = [*track.span[:1], self.steps] if track.span else [self.steps, self.steps]
        self._value, self._is_pending = 0.0, False
        if track.model is None:
            track.model = self._model_of(track)
        if track.model is not None and not track.model.training:
            track.evaluating += 1
        if self._recorder is not None:
            self._remember(track)
        if not self._inside and self._ends_step(track):
            self._end_step()

    def _track(self, optimizer: Any) -> Track | None:
        for track in self.tracks:
            if track.optimizer is optimizer:
                return track
        if not self._finds_all:
            return None
        self.tracks.append(Track(optimizer))
        self.tracks[-1].look_at_gradients()
        self.tracks[-1].fresh = True
        self.optimizers.append(optimizer)
        return self.tracks[-1]

    def _ends_step(self, track: Track) -> bool:
        """Whether an optimizer's step is the last in a step of the loop: it is that of the
        optimizer that was the last to make its first one."""
        if track not in self._order:
            self._order.append(track)
        self._since += 1
        if self._since > _LONGEST * len(self._order):  # the last one is used no more
            self._order = [track]
        if track is not self._order[-1]:
            return False
        self._since = 0
        return True

    def _model_of(self, track: Track) -> Any:
        """The module that holds what an optimizer changes: the largest share of it."""
        mine = {id(parameter) for parameter in track.parameters}
        best, most = None, 0
        for model in self.models:
            held = [id(p) for p in model.parameters()]
            count = len(mine.intersection(held))
            if count > most or (
                count == most
                and best is not None
                and count
                and len(held) < len(list(best.parameters()))
            ):
                best, most = model, count
        return best

    def _find(self, function: Any) -> None:
        """A module that was not known before."""
        if isinstance(function, Module) and not any(function is m for m in self.models):
            if any(True for _ in function.parameters()):
                self.models.append(function)
                for track in self.tracks:
                    track.model = self._model_of(track)

    # ---- looking at a step ---------------------------------------------------------------------

    def _begin_look(self) -> None:
        self._recorder = StepRecorder()
        for model in self.models:
            self._observations.append((model, glance(model)))
        self._recorder.begin()

    def _drop_recorder(self) -> None:
        if self._recorder is not None:
            self._recorder.end()
            self._recorder = None

    def _remember(self, track: Track) -> None:
        """A step that is looked at was made: keep it, and how far the weights went."""
        recorder = self._recorder
        if recorder is None:
            return
        step = recorder.finished()
        if step.outputs and not recorder.is_too_large:
            track.remember(step)
            call = step.main_call(track.model)
            shape = None if call is None else step.shape_of(call)
            track.rows += shape[0] if shape else 0
        record = self._statistics(track)
        record["step"] = track.steps - 1
        record["loss"] = track.losses[-1]
        record["update"] = self._updates(track)
        if track.most_backwards == 1 and not track.kept:
            track.see_clipping(record)
        track.record(record)

    def _statistics(self, track: Track) -> dict[str, Any]:
        """The newest record of the model that has gradients; of parameters without a model, what
        NumPy says."""
        model = track.model
        for observed, seen in self._observations:
            if observed is model and (found := newest_record(seen)):
                return found
        return parameter_statistics(track.parameters, self.names())

    def _updates(self, track: Track) -> dict[str, dict[str, float]]:
        """Name → norm of the change, and its ratio to the norm of what was changed."""
        names = self.names()
        found = {}
        for known, before in self._weights:
            if known is not track:
                continue
            moved = [p for p in track.parameters if isinstance(p._grad, TensorCore)]
            for number, (parameter, old) in enumerate(zip(moved, before, strict=False)):
                change = norm_of(parameter.detach().array() - old)
                ratio = change / max(norm_of(old), 1e-12)
                name = names.get(id(parameter), f"parameter {number}")
                found[name] = {"norm": change, "ratio": ratio}
        self._weights = [entry for entry in self._weights if entry[0] is not track]
        return found

    def _end_look(self) -> None:
        self._drop_recorder()
        for _, seen in self._observations:
            seen.remove()
        self._observations, self._weights = [], []

    def _end_step(self) -> None:
        """A step of the loop is over."""
        if self._is_pending and not self._order:
            self._without_optimizer()
        looked = self._recorder is not None or bool(self._observations)
        if looked:
            self._end_look()
        self._last_calls.clear()
        self.steps += 1
        now = time.perf_counter()
        if self._gap and not looked:
            # What other programs take of the processor is no time of the step's.
            self._waits.append((self._gap, time.thread_time() - self._worked))
        self.schedule.stepped(now - self._began, looked)
        self._began = now
        self._due = self.schedule.is_due
        self._judge_in_time()
        self._gap, self._rested = 0.0, begin()

    def wait_share(self) -> float | None:
        """The share of the time that steps wait before their first call, by medians; None where
        that is not known, or too short to matter."""
        if len(self._waits) < FEWEST_WAITS:
            return None
        gap, work = (float(np.median(part)) for part in zip(*self._waits, strict=True))
        return gap / (gap + work) if gap >= SHORTEST_WAIT else None

    def _end_without_optimizer(self) -> None:
        """Where nothing but backward passes tells of steps, the next one begins after them."""
        if self._is_pending and not self._order and not self._inside and not self.optimizers:
            self._end_step()

    def _without_optimizer(self) -> None:
        """Gradients that no optimizer follows: the program changes its parameters itself."""
        if not self.tracks:
            self.tracks.append(Track(None, self.models[0] if self.models else None))
        track = self.tracks[0]
        track.stepped(self._value)
        self._value, self._is_pending = 0.0, False
        self._by_hand_made.end()
        if self._recorder is not None:
            self._remember(track)

    # ---- what is known -------------------------------------------------------------------------

    def names(self) -> dict[int, str]:
        """id of a parameter → its name; with the class of its model in front where there are
        several models."""
        found: dict[int, str] = {}
        for model in self.models:
            for name, parameter in model.named_parameters():
                found.setdefault(id(parameter), name)
        return found

    def cases(self) -> list[Case]:
        """What is known of the training of each optimizer."""
        for step in self._compiled.values():
            step.expand(self.models, self._used())
        tracks = [track for track in self.tracks if track.steps] or self.tracks[:1]
        if any(track.optimizer is not None for track in tracks):  # who asks for gradients inside
            tracks = [track for track in tracks if track.optimizer is not None]
        tracks = [t for t in tracks if not any(t.ends_before(other) for other in tracks)]
        if not tracks and self.models:
            tracks = [Track(None, self.models[0])]
        # Several optimizers, each after a backward pass of its own: networks against each other.
        against = len(tracks) > 1 and min(track.most_backwards for track in tracks) > 1
        rows = made_and_real(tracks) if against else None
        cases: list[Case] = []
        for track in tracks:
            if track.model is None:
                track.model = self._model_of(track)
            others = [model for model in self.models if model is not track.model]
            case = track.case(self.names(), others, self.loss)
            case.notes["against another"] = against
            case.notes["wait share"] = self.wait_share()
            if rows is not None and not cases:
                case.notes["made"], case.notes["real"] = rows
            case.failure = self.failure
            case.notes["step cosine"] = None if self._order else self._by_hand_made.cosine
            if self.trouble is not None:
                case.notes["trouble"] = self.trouble
            case.validation = self._validation()
            cases.append(case)
        return cases

    def case(self) -> Case:
        """What is known of the training, of the first optimizer where there are several."""
        found = self.cases()
        return found[0] if found else Case()

    def _validation(self) -> Rows | None:
        if self.validation is None:
            return None
        features, targets = self.validation
        return Rows(features, targets, len(features))

    def report(self, seconds: float = 10.0) -> Report:
        """What is wrong with the training so far; experiments may take so many seconds."""
        before, state.follower = state.follower, None
        try:
            cases = self.cases()
            for case in cases:
                case.phase = "after" if case.step else "before"
            return merged([judged(case, seconds / max(1, len(cases))) for case in cases])
        finally:
            state.follower = before

    def _judge_in_time(self) -> None:
        """Judge what is known after some steps, as long as time allows, and tell what is new."""
        if not self.listeners or self._judged >= len(_REPORTS):
            return
        if self.steps < _REPORTS[self._judged] or self._judging > self.schedule.left:
            return
        self._judged += 1
        began = time.perf_counter()
        before, state.follower = state.follower, None
        try:
            report = merged([judged(case, 0.5) for case in self.cases()])
        finally:
            state.follower = before
        self._judging = time.perf_counter() - began
        self.schedule.spent += self._judging
        self._began = time.perf_counter()
        self.tell(report)

    def tell(self, report: Report) -> None:
        """Tell the listeners what they have not been told."""
        known = {(finding.cause, str(finding.place)) for finding in self.findings}
        for finding in report:
            if (finding.cause, str(finding.place)) not in known:
                self.findings.append(finding)
                for listener in self.listeners:
                    listener(finding)

    def __repr__(self) -> str:
        looked = f"{self.schedule.looks} of {self.steps + self._unseen} steps looked at"
        return f"<watch: {looked}, {self.schedule.spent:.3g} s>"


def _stands_in(tracks: Sequence[Track]) -> bool:
    """Whether gradients stand in the parameters after a step that read those of before."""
    return any(stands(p) for track in tracks for p in track.parameters[:4])


def _rows_in(args: Any, kwargs: Any, steps: int) -> int:
    """The rows of a step's arguments."""
    leaves: list[TensorCore] = []
    flatten((args, kwargs), leaves)
    shapes = [leaf._cell.shape[bool(steps) :] for leaf in leaves]
    return next((int(shape[0]) for shape in shapes if shape), 1)
