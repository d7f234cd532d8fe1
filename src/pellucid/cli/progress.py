"""One progress bar for the whole run, drawn by the clock: training only notes its figures."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from pellucid.training.history import Event

REFRESHES_PER_SECOND = 8
WINDOW_SECONDS = 4.0
LINE_SECONDS = 20.0


class Progress:
    """A callback of the Trainer that keeps the latest figures, and draws them when asked."""

    def __init__(self, metric: str) -> None:
        self.metric_name = metric
        self.epochs = self.batches = self.rows = 0
        self.epoch, self.in_epoch = 1, 0
        self.steps = 0
        self.loss: float | None = None
        self.metric: float | None = None
        self._past: deque[tuple[float, int]] = deque()

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
            self.loss, self.metric = record.loss, record.metric

    @property
    def share(self) -> float:
        """How much of the longest possible run is done."""
        return min(1.0, self.steps / max(1, self.epochs * self.batches))

    def figures(self) -> str:
        """Epoch, loss, metric, speed and time left as text."""
        parts = [f"epoch {self.epoch}/{self.epochs}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4g}")
        if self.metric is not None:
            parts.append(f"validation {self.metric_name} {self.metric:.4g}")
        rate = self._rate()
        if not self.steps:
            parts.append("compiling")
        elif rate:
            rows = rate * self.rows / max(self.batches, 1)
            left = (self.epochs * self.batches - self.steps) / rate
            parts.append(f"{rows:,.0f} rows/s")
            parts.append(f"at most {_duration(left)} left")
        return "  ".join(parts)

    def _rate(self) -> float:
        """Steps per second over the last seconds; 0 before it can be told."""
        now = time.perf_counter()
        if self.steps:
            self._past.append((now, self.steps))
        while len(self._past) > 2 and now - self._past[0][0] > WINDOW_SECONDS:
            self._past.popleft()
        if len(self._past) < 2:
            return 0.0
        (start, before), (end, after) = self._past[0], self._past[-1]
        return (after - before) / max(end - start, 1e-9)

    def __rich__(self) -> Any:
        """The bar and the figures as they are now."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        line = Table.grid(padding=(0, 2))
        line.add_row(ProgressBar(total=1.0, completed=self.share, width=24), self.figures())
        return line


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
    file), the figures are written as a line now and then."""
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
        get_renderable=progress.__rich__,
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
    ):
        yield
