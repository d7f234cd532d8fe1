"""Where the time of a stretch of program goes: operations, compiled programs, parts of one's own.

>>> import pellucid
>>> from pellucid.profiler import ProfilerActivity, profile, record_function
>>> x = pellucid.rand(64, 64)
>>> with profile(activities=[ProfilerActivity.CPU]) as prof:
...     with record_function("product"):
...         y = (x @ x).relu()
>>> text = prof.key_averages().table(sort_by="cpu_time_total", row_limit=5)

Times are wall-clock microseconds by ``time.perf_counter_ns`` on the thread that profiles.  What a
compiled program does inside is told by ``step.explain()``.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pellucid.base.errors import ArgumentError
from pellucid.tensor import autograd, eager
from pellucid.tensor.compile import CompiledFunction
from pellucid.tensor.core import TensorCore

_Function = TypeVar("_Function", bound=Callable[..., Any])


class ProfilerActivity(Enum):
    """What is profiled: the CPU, whatever else is named."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What the profiler does at a step of a :func:`schedule`."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class FunctionEvent:
    """One call: its name, start and time in microseconds, and the shapes of its tensors."""

    def __init__(self, name: str, start_us: float, shapes: list[tuple[int, ...]]) -> None:
        self.name = self.key = name
        self.start_us = start_us
        self.input_shapes = shapes
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0
        self.depth = 0


class FunctionEventAvg:
    """All calls of one name: how many, and their times in microseconds."""

    def __init__(self, key: str, shapes: list[tuple[int, ...]]) -> None:
        self.key = key
        self.input_shapes = shapes
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0

    @property
    def cpu_time(self) -> float:
        """The mean of a call in microseconds."""
        return self.cpu_time_total / max(self.count, 1)


_SORTS = {
    "cpu_time": lambda e: e.cpu_time,
    "cpu_time_total": lambda e: e.cpu_time_total,
    "self_cpu_time_total": lambda e: e.self_cpu_time_total,
    "count": lambda e: e.count,
}


class EventList(list[Any]):
    """Events, with a table of them."""

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all of them together, in microseconds."""
        return float(sum(event.self_cpu_time_total for event in self))

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """A text table of averages, the largest ``sort_by`` first, of ``row_limit`` rows.

        ``sort_by`` is ``"cpu_time"``, ``"cpu_time_total"``, ``"self_cpu_time_total"`` or
        ``"count"``; names of other devices' times sort as those of the CPU.
        """
        rows: Iterable[Any] = self
        if sort_by is not None:
            key = sort_by.replace("cuda_", "cpu_").replace("device_", "cpu_")
            if key not in _SORTS:
                raise ArgumentError(f"table got sort_by={sort_by!r}", f"use {', '.join(_SORTS)}")
            rows = sorted(self, key=_SORTS[key], reverse=True)
        whole = self.self_cpu_time_total or 1.0
        listed = list(rows)[: None if row_limit < 0 else row_limit]
        names = [event.key[:max_name_column_width] for event in listed]
        width = max([len("Name"), *map(len, names)])
        titles = ("Self CPU %", "Self CPU", "CPU total", "CPU time avg", "# of Calls")
        lines = [f"{'Name':<{width}}  " + "  ".join(f"{t:>12}" for t in titles)]
        rule = "-" * len(lines[0])
        for name, event in zip(names, listed, strict=True):
            cells = (
                f"{event.self_cpu_time_total / whole:.2%}",
                _duration(event.self_cpu_time_total),
                _duration(event.cpu_time_total),
                _duration(event.cpu_time_total / max(getattr(event, "count", 1), 1)),
                str(getattr(event, "count", 1)),
            )
            lines.append(f"{name:<{width}}  " + "  ".join(f"{c:>12}" for c in cells))
        top = [header] if header else []
        last = f"Self CPU time total: {_duration(self.self_cpu_time_total)}"
        return "\n".join([*top, rule, lines[0], rule, *lines[1:], rule, last])

    def __str__(self) -> str:
        return self.table()


def _duration(microseconds: float) -> str:
    if microseconds >= 1e6:
        return f"{microseconds / 1e6:.3f}s"
    return f"{microseconds / 1e3:.3f}ms" if microseconds >= 1e3 else f"{microseconds:.3f}us"


class _Recorder:
    """Collects events of one thread, and knows which of them are running."""

    def __init__(self) -> None:
        self.events: list[FunctionEvent] = []
        self.thread = threading.get_ident()
        self._running: list[tuple[FunctionEvent, int, list[float]]] = []

    def begin(self, name: str, tensors: Iterable[Any] = ()) -> None:
        """A call starts."""
        shapes = [tuple(t._cell.shape) for t in tensors if isinstance(t, TensorCore)]
        now = time.perf_counter_ns()
        event = FunctionEvent(name, now / 1e3, shapes)
        event.depth = len(self._running)
        self.events.append(event)
        self._running.append((event, now, [0.0]))

    def end(self) -> None:
        """The call that started last returns."""
        now = time.perf_counter_ns()
        if not self._running:
            return
        event, start, inside = self._running.pop()
        event.cpu_time_total = (now - start) / 1e3
        event.self_cpu_time_total = event.cpu_time_total - inside[0]
        if self._running:
            self._running[-1][2][0] += event.cpu_time_total


_active: list[_Recorder] = []


def _recorder() -> _Recorder | None:
    found = _active[-1] if _active else None
    return found if found is not None and found.thread == threading.get_ident() else None


def _timed(function: Any, name_of: Callable[..., str], tensors_of: Callable[..., Any]) -> Any:
    """The function, with each call recorded while something is being profiled."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        recorder = _recorder()
        if recorder is None:
            return function(*args, **kwargs)
        recorder.begin(name_of(*args), tensors_of(*args))
        try:
            return function(*args, **kwargs)
        finally:
            recorder.end()

    return run


_PLACES: tuple[tuple[Any, str, Callable[..., str], Callable[..., Any]], ...] = (
    (TensorCore, "apply_primitive", lambda s, p, *_: str(p.name), lambda s, p, i, *_: i),
    (eager, "_run_unit", lambda op, *_: str(op.name), lambda op, w, f, g, args, *_: args),
    (
        CompiledFunction,
        "__call__",
        lambda f, *_: f"compiled {getattr(f, '__qualname__', 'function')}",
        lambda f, *args: args,
    ),
    (autograd, "_walk", lambda *_: "backward", lambda outputs, *_: outputs),
)
"""What is timed: the holder of a function, its name, and what to call and measure of a call."""
_originals: list[Any] = []


def _install() -> None:
    if not _originals:
        for owner, name, name_of, tensors_of in _PLACES:
            original = vars(owner)[name]
            _originals.append(original)
            setattr(owner, name, _timed(original, name_of, tensors_of))


def _uninstall() -> None:
    if not _active and _originals:
        for (owner, name, *_), original in zip(_PLACES, _originals, strict=True):
            setattr(owner, name, original)
        _originals.clear()


class record_function:  # noqa: N801  (PyTorch's name)
    """Context manager and decorator: the time inside is an event called ``name``."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._recorder: _Recorder | None = None

    def __enter__(self) -> record_function:
        self._recorder = _recorder()
        if self._recorder is not None:
            self._recorder.begin(self.name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._recorder is not None:
            self._recorder.end()

    def __call__(self, function: _Function) -> _Function:
        """As a decorator: every call of ``function`` is an event."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
    acc_events: bool = False,
) -> Callable[[int], ProfilerAction]:
    """Which steps are recorded: after ``skip_first`` and ``wait`` and ``warmup`` others,
    ``active`` ones, ``repeat`` times (0: always again)."""
    if wait < 0 or warmup < 0 or active < 1 or repeat < 0 or skip_first < 0:
        raise ArgumentError(
            f"schedule got wait={wait}, warmup={warmup}, active={active}", "active is at least 1"
        )
    period = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        place = step - skip_first
        if place < 0 or (repeat and place >= repeat * period):
            return ProfilerAction.NONE
        place %= period
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < period - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def _always(step: int) -> ProfilerAction:
    return ProfilerAction.RECORD


class profile:  # noqa: N801  (PyTorch's name)
    """Context manager that records what runs inside; see the module's example.

    ``schedule`` says which steps count (:meth:`step` ends one), ``on_trace_ready(profile)`` is
    called after each stretch of them, and at the end.  The other keywords are PyTorch's;
    ``record_shapes`` is always on, memory, stacks and floating-point operations are not recorded.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], object] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: object = None,
        execution_trace_observer: object = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: object = None,
        enabled: bool = True,
        use_cpu: bool = True,
    ) -> None:
        self.activities = set(activities or (ProfilerActivity.CPU,))
        self.schedule = schedule or _always
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self._enabled = enabled
        self._recorder: _Recorder | None = None
        self._recorded: list[FunctionEvent] = []

    def _records(self) -> bool:
        action = self.schedule(self.step_num)
        return action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)

    def _resume(self) -> None:
        if self._enabled and self._recorder is None and self._records():
            self._recorder = _Recorder()
            _active.append(self._recorder)
            _install()

    def _pause(self) -> None:
        if self._recorder is not None:
            _active.remove(self._recorder)
            _uninstall()
            self._recorded, self._recorder = self._recorder.events, None

    def start(self) -> None:
        """Begin."""
        self._resume()

    def stop(self) -> None:
        """End, and hand over what was recorded."""
        if self._recorder is not None:
            self._pause()
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def step(self) -> None:
        """A step of the program is over."""
        saves = self.schedule(self.step_num) is ProfilerAction.RECORD_AND_SAVE
        if saves:
            self.stop()
        self.step_num += 1
        self._resume()

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def events(self) -> EventList:
        """All calls, in the order in which they began."""
        return EventList(self._recorded if self._recorder is None else self._recorder.events)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """Calls of one name (and with ``group_by_input_shape`` of equal shapes) together."""
        found: dict[Any, FunctionEventAvg] = {}
        for event in self.events():
            shapes = event.input_shapes if group_by_input_shape else []
            key = (event.name, *shapes)
            average = found.setdefault(key, FunctionEventAvg(event.name, shapes))
            average.count += 1
            average.cpu_time_total += event.cpu_time_total
            average.self_cpu_time_total += event.self_cpu_time_total
        return EventList(found.values())

    def export_chrome_trace(self, path: str | Path) -> None:
        """Write the calls as JSON that ``chrome://tracing`` and Perfetto show."""
        rows = [
            {
                "name": e.name,
                "ph": "X",
                "ts": e.start_us,
                "dur": e.cpu_time_total,
                "pid": 0,
                "tid": 0,
                "cat": "cpu_op",
            }
            for e in self.events()
        ]
        Path(path).write_text(json.dumps({"traceEvents": rows}), encoding="utf-8")

    def table(self, sort_by: str | None = None, row_limit: int = 100) -> str:
        """:meth:`EventList.table` of the averages."""
        return self.key_averages().table(sort_by, row_limit)

    def __str__(self) -> str:
        return self.table()


def tensorboard_trace_handler(
    dir_name: str | Path, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """For ``on_trace_ready``: write each trace into a folder, as TensorBoard's plug-in reads it."""

    def handler(prof: profile) -> None:
        folder = Path(dir_name)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{worker_name or 'worker'}.{time.time_ns() // 1_000_000}.pt.trace.json"
        prof.export_chrome_trace(folder / name)

    return handler


__all__ = [
    "EventList",
    "FunctionEvent",
    "FunctionEventAvg",
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "tensorboard_trace_handler",
]


def __dir__() -> list[str]:
    return sorted(__all__)
