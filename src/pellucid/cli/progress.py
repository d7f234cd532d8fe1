"""One progress bar for the whole run, drawn by the clock: training only notes its numbers."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from pellucid.base.language import columns_of, translated
from pellucid.training.history import Event

REFRESHES_PER_SECOND = 8
WINDOW_SECONDS = 4.0
SHORTEST_WINDOW_SECONDS, SHORTEST_AT_FIRST = 0.3, 3.0
"""A speed is told only when it was seen for so long; longer in the first epoch, whose last batch
may have to be compiled."""
LINE_SECONDS = 20.0
BAR_WIDTH = 24


class Progress:
    """A callback of the Trainer that keeps the latest numbers, and draws them when asked."""

    def __init__(self, metric: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.metric_name, self._clock = metric, clock
        self.epochs = self.batches = self.rows = 0
        self.epoch, self.in_epoch = 1, 0
        self.steps = 0
        self.loss: float | None = None
        self.metric: float | None = None
        self._past: deque[tuple[float, int]] = deque()
        self._shortest = SHORTEST_AT_FIRST

    def __call__(self, event: Event) -> None:
        """Note what happened; drawing is left to the clock."""
        facts = event.facts
        if event.kind == "steps":
            self.steps += facts["count"]
            self.loss, self.epoch, self.in_epoch = facts["loss"], event.epoch, facts["rows"]
        elif event.kind == "start":
            self.epochs, self.batches, self.rows = facts["epochs"], facts["batches"], facts["rows"]
        elif event.kind == "epoch":
            record = facts["record"]
            if self._shortest == SHORTEST_AT_FIRST:
                self._past.clear()
                self._shortest = SHORTEST_WINDOW_SECONDS
            self.loss, self.metric = record.loss, record.metric

    @property
    def share(self) -> float:
        """How much of the longest possible run is done."""
        return min(1.0, self.steps / max(1, self.epochs * self.batches))

    def figures(self) -> str:
        """Epoch, loss, metric, speed and time left as text."""
        return "  ".join([self._place(), *self._quality(), *self._speed()])

    def _place(self) -> str:
        place = f"epoch {self.epoch}/{self.epochs}" if self.epochs else "starting"
        return translated(place)

    def _quality(self) -> list[str]:
        parts = []
        if self.loss is not None:
            parts.append(translated(f"loss {self.loss:.4g}"))
        if self.metric is not None:
            metric = f"validation {self.metric_name} {self.metric:.4g}"
            parts.append(translated(metric))
        return parts

    def _speed(self) -> list[str]:
        if not self.steps:
            return [translated("compiling")] if self.epochs else []
        rate = self._rate()
        if not rate:
            return []
        rows = rate * self.rows / max(self.batches, 1)
        left = (self.epochs * self.batches - self.steps) / rate
        return [translated(f"{rows:,.0f} rows/s"), translated(f"at most {_duration(left)} left")]

    def _rate(self) -> float:
        """Steps per second over the last seconds; 0 before it can be told."""
        now = self._clock()
        if self.steps:
            self._past.append((now, self.steps))
        while len(self._past) > 2 and now - self._past[0][0] > WINDOW_SECONDS:
            self._past.popleft()
        if not self._past or now - self._past[0][0] < self._shortest:
            return 0.0
        (start, before), (end, after) = self._past[0], self._past[-1]
        return (after - before) / (end - start)

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """The bar and the numbers as they are now: in one line if they fit, else in two."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        rows = [[self._place(), *self._quality(), *self._speed()]]
        if BAR_WIDTH + 2 + columns_of("  ".join(rows[0])) > options.max_width:
            rows = [[self._place(), *self._speed()], self._quality()]
        grid = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=1.0, completed=self.share, width=BAR_WIDTH)
        lead: tuple[ProgressBar | str, ...] = (bar, "")
        for first, row in zip(lead, rows, strict=False):
            grid.add_row(first, "  ".join(row))
        yield grid


@contextlib.contextmanager
def _lines(progress: Progress) -> Iterator[None]:
    over = threading.Event()

    def write() -> None:
        while not over.wait(LINE_SECONDS):
            print(progress.figures(), file=sys.stderr, flush=True)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


@contextlib.contextmanager
def shown(progress: Progress, quiet: bool) -> Iterator[None]:
    """Draws the bar on standard error while the block runs; where that is no terminal (a log
    file), the numbers are written as a line now and then."""
    if quiet:
        yield
        return
    if not sys.stderr.isatty():
        with _lines(progress):
            yield
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(
        console=console,
        get_renderable=lambda: progress,
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
    ):
        yield
