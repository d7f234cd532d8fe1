"""How long a statement takes, as programs measure it with ``torch.utils.benchmark``.

>>> timer = Timer("x * 2", globals={"x": 3})
>>> timer.timeit(100).mean > 0
True
"""

from __future__ import annotations

import statistics
import sys
import textwrap
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.errors import ArgumentError

__all__ = ["Measurement", "Timer"]

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


@dataclass
class Measurement:
    """Times of a statement: ``raw_times`` in seconds, each for ``number_per_run`` runs of it."""

    number_per_run: int
    raw_times: list[float]
    title: str = ""

    @property
    def times(self) -> list[float]:
        """Seconds for one run of the statement, for each measurement."""
        return [time / self.number_per_run for time in self.raw_times]

    @property
    def mean(self) -> float:
        """Their mean."""
        return statistics.fmean(self.times)

    @property
    def median(self) -> float:
        """Their median."""
        return statistics.median(self.times)

    @property
    def iqr(self) -> float:
        """The distance of their quartiles, 0 for one measurement."""
        if len(self.raw_times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    def __repr__(self) -> str:
        factor, unit = next((u for u in _UNITS if self.median >= u[0]), _UNITS[-1])
        many = len(self.raw_times)
        measured = "1 measurement" if many == 1 else f"median of {many} measurements"
        head = f"{self.title}: " if self.title else ""
        return (
            f"{head}{self.median / factor:.2f} {unit} ({measured}, {self.number_per_run} runs each)"
        )


def _unindented(text: str) -> str:
    """Statements as they stand in a triple-quoted text."""
    return textwrap.dedent(text).strip()


class Timer:
    """Measures a statement.

    ``stmt`` is Python's text, ``setup`` runs once before it, ``globals`` are the names that both
    see, ``timer`` gives seconds.  While it is measured as many threads work as ``num_threads``
    says (1, as in PyTorch).  ``label``, ``sub_label``, ``description`` and ``env`` name the
    measurement.
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timeit.default_timer,
        globals: Mapping[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: str = "python",
    ) -> None:
        if str(language).rpartition(".")[2].lower() not in ("python", "py") or global_setup:
            raise ArgumentError(
                f"Timer got language={language!r} and global_setup={global_setup!r}",
                "statements are Python here, without a global_setup",
            )
        names = dict(globals or {})
        if "torch" in sys.modules:  # statements may use it without being given it
            names.setdefault("torch", sys.modules["torch"])
        self._timer = timeit.Timer(_unindented(stmt), _unindented(setup), timer, names)
        self._threads = num_threads
        self._title = ", ".join(t for t in (label or stmt, sub_label, description, env) if t)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One measurement of ``number`` runs, after one that does not count."""
        return self._measured(number, [self._run(number, warm=True)])

    def repeat(self, repeat: int = 5, number: int = 1_000_000) -> list[Measurement]:
        """``repeat`` times what :meth:`timeit` gives."""
        return [self.timeit(number) for _ in range(repeat)]

    def blocked_autorange(
        self, callback: Callable[[int, float], object] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Measurements of as many runs as take a hundredth of ``min_run_time`` seconds, until they
        sum to that; ``callback(number, seconds)`` hears of each."""
        number = 1
        while (took := self._run(number, warm=number == 1)) < min_run_time / 100:
            number *= 10 if took < min_run_time / 1000 else 2
        times: list[float] = []
        while sum(times) < min_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
        return self._measured(number, times)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], object] | None = None,
    ) -> Measurement:
        """As :meth:`blocked_autorange`, longer and longer until the distance of the quartiles is
        under ``threshold`` of the median, or ``max_run_time`` seconds are reached."""
        while True:
            found = self.blocked_autorange(callback, min_run_time)
            steady = len(found.raw_times) > 3 and found.iqr < threshold * found.median
            if steady or min_run_time >= max_run_time:
                return found
            min_run_time = min(4 * min_run_time, max_run_time)

    def _measured(self, number: int, times: list[float]) -> Measurement:
        return Measurement(number, times, self._title)

    def _run(self, number: int, warm: bool = False) -> float:
        before = get_num_threads()
        set_num_threads(self._threads)
        try:
            if warm:
                self._timer.timeit(1)
            return self._timer.timeit(number)
        finally:
            set_num_threads(before)
