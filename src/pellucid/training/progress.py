"""One progress bar for the whole run, drawn by the clock: training only notes its numbers.

``Trainer.fit`` draws it on standard error where that is a terminal, and in notebooks.
"""

from __future__ import annotations

import contextlib
import html
import math
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from pellucid.base.language import columns_of, translated
from pellucid.base.notebooks import is_notebook
from pellucid.training.history import Event

REFRESHES_PER_SECOND = 8
WINDOW_SECONDS = 4.0
SHORTEST_WINDOW_SECONDS, SHORTEST_AT_FIRST = 0.3, 3.0
"""A speed is told only when it was seen for so long; longer in the first epoch, whose last batch
may have to be compiled."""
LONG_SECONDS = 1.0
"""Validation that takes longer is left out of the speed, and counted apart in the time left."""
LINE_SECONDS = 20.0
BAR_WIDTH = 24


class Progress:
    """A callback of the Trainer that keeps the latest numbers, and draws them when asked."""

    def __init__(self, metric: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.metric_name, self._clock = metric, clock
        self.epochs = self.batches = self.rows = 0
        self.epoch, self.in_epoch = 1, 0
        self.steps = 0
        self.done = 0
        """Steps that another process did, where a run goes on."""
        self.loss: float | None = None
        self.train_loss: float | None = None
        self.validation_loss: float | None = None
        self.metric: float | None = None
        self.baseline: float | None = None
        self.lowest = math.inf
        self._epoch_seconds = 0.0
        """What an epoch takes besides its steps: validation, and what callbacks do."""
        self._last_steps: float | None = None
        self._past: deque[tuple[float, int]] = deque()
        self._shortest = SHORTEST_AT_FIRST

    def __call__(self, event: Event) -> None:
        """Note what happened; drawing is left to the clock."""
        facts = event.facts
        if event.kind == "steps":
            self.steps += facts["count"]
            self._last_steps = self._clock()
            self.loss, self.epoch, self.in_epoch = facts["loss"], event.epoch, facts["rows"]
        elif event.kind == "start":
            self.epochs, self.batches, self.rows = facts["epochs"], facts["batches"], facts["rows"]
            self.steps = self.done = event.step
            self.baseline = facts.get("baseline")
        elif event.kind == "epoch":
            record = facts["record"]
            if self._shortest == SHORTEST_AT_FIRST:
                self._past.clear()
                self._shortest = SHORTEST_WINDOW_SECONDS
            self.loss, self.metric = record.loss, record.metric
            self.train_loss, self.validation_loss = record.train_loss, record.validation_loss
            if self.validation_loss is not None:
                self.lowest = min(self.lowest, self.validation_loss)
            if self._last_steps is not None:
                self._epoch_seconds = self._clock() - self._last_steps
                if self._epoch_seconds < LONG_SECONDS:
                    self._epoch_seconds = 0.0  # it is seen in the speed
                else:
                    self._past.clear()

    @property
    def share(self) -> float:
        """How much of the longest possible run is done."""
        return min(1.0, self.steps / max(1, self.epochs * self.batches))

    def figures(self) -> str:
        """Epoch, loss, metric, speed and time left as text."""
        return "  ".join(self.parts())

    def parts(self) -> list[str]:
        """The same, piece by piece."""
        return [self._place(), *self._quality(), *self._speed()]

    def _place(self) -> str:
        place = f"epoch {self.epoch}/{self.epochs}" if self.epochs else "starting"
        return translated(place)

    def _quality(self) -> list[str]:
        parts = []
        if self.loss is not None:
            text = translated(f"loss {self.loss:.4g}")
            if self.train_loss is not None:
                text += " " + translated(f"({self.train_loss:.4g} eval)")
            parts.append(text)
        if self.validation_loss is not None:
            parts.append(translated(f"validation loss {self.validation_loss:.4g}"))
        if self.metric is not None:
            metric = f"validation {self.metric_name} {self.metric:.4g}"
            parts.append(translated(metric))
        if self.baseline is not None:
            parts.append(translated(f"baseline {self.baseline:.4g}"))
            if self.validation_loss is not None and self.lowest >= self.baseline:
                parts.append(translated("not better than the baseline yet"))
        return parts

    def _speed(self) -> list[str]:
        if self.steps == self.done:
            return [translated("compiling")] if self.epochs else []
        rate = self._rate()
        if not rate:
            return []
        rows = rate * self.rows / max(self.batches, 1)
        if not self.batches:
            return [translated(f"{rate:,.0f} steps/s")]
        steps = self.epochs * self.batches - self.steps
        left = steps / rate + math.ceil(steps / self.batches) * self._epoch_seconds
        return [translated(f"{rows:,.0f} rows/s"), translated(f"at most {_duration(left)} left")]

    def _rate(self) -> float:
        """Steps per second over the last seconds; 0 before it can be told."""
        now = self._clock()
        if self.steps > self.done:
            self._past.append((now, self.steps))
        while len(self._past) > 2 and now - self._past[0][0] > WINDOW_SECONDS:
            self._past.popleft()
        if not self._past or now - self._past[0][0] < self._shortest:
            return 0.0
        (start, before), (end, after) = self._past[0], self._past[-1]
        return (after - before) / (end - start)


@contextlib.contextmanager
def lines(progress: Progress) -> Iterator[None]:
    """Writes the numbers to standard error now and then while the block goes on."""
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


def bar(progress: Progress, width: int) -> str:
    """The bar and the numbers in one line of at most ``width`` columns."""
    parts, length = progress.parts(), BAR_WIDTH
    dropped = [-2, -1]  # the speed, then the time left; after these from the end
    while columns_of("  ".join(parts)) + length + 2 > width and (length > 8 or len(parts) > 1):
        if length > 8:
            length = 8
        else:
            parts.pop(dropped.pop(0) if dropped and len(parts) > 2 else -1)
    full = round(progress.share * length)
    return "  ".join(["━" * full + "╌" * (length - full), *parts])


class Bar:
    """Draws a :class:`Progress` several times a second, in a thread of its own, until it is closed.

    ``show`` is given the line.
    """

    def __init__(self, progress: Progress, show: Callable[[str], None], width: int) -> None:
        self._progress, self._show, self._width = progress, show, width
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self._thread.start()

    def _draw(self) -> None:
        while not self._over.wait(1 / REFRESHES_PER_SECOND):
            self._show(bar(self._progress, self._width))

    def close(self) -> None:
        """Draws for the last time."""
        self._over.set()
        self._thread.join()
        self._show(bar(self._progress, self._width))


def _terminal(line: str) -> None:
    """One line of the terminal, drawn over."""
    sys.stderr.write(f"\r{line}\x1b[K")
    sys.stderr.flush()


def _notebook() -> Callable[[str], None] | None:
    """What shows a line in the notebook that this program runs in, None elsewhere."""
    if not is_notebook():
        return None
    display = sys.modules["IPython"].display
    handle = display.display(display.HTML(""), display_id=True)

    def show(line: str) -> None:
        handle.update(display.HTML(f"<pre style='margin:0'>{html.escape(line)}</pre>"))

    return show


@contextlib.contextmanager
def drawn(wanted: bool | None, progress: Progress) -> Iterator[None]:
    """Draws the progress of a run while the block goes on: in a notebook, or on standard error.

    ``wanted`` False draws nothing; None draws only in a notebook and where standard error is a
    terminal; with True the numbers are written as lines now and then where it is none.
    """
    show = _notebook() if wanted is not False else None
    terminal = bool(getattr(sys.stderr, "isatty", lambda: False)())
    if wanted is False or (wanted is None and show is None and not terminal):
        yield
        return
    if show is None and not terminal:
        with lines(progress):
            yield
        return
    drawing = Bar(progress, show or _terminal, 200 if show else shutil.get_terminal_size().columns)
    try:
        yield
    finally:
        drawing.close()
        if show is None:
            sys.stderr.write("\n")
