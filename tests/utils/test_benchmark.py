"""Times of statements: with a clock of the test's own."""

from __future__ import annotations

import pytest

import pellucid
from pellucid.utils.benchmark import Measurement, Timer


class Clock:
    """Each run of the statement takes ``step`` seconds."""

    def __init__(self, step: float) -> None:
        self.now, self.step, self.runs = 0.0, step, 0
        self.threads: set[int] = set()

    def __call__(self) -> float:
        return self.now

    def work(self) -> None:
        self.now += self.step
        self.runs += 1
        self.threads.add(pellucid.get_num_threads())


def timer(step: float) -> tuple[Clock, Timer]:
    clock = Clock(step)
    return clock, Timer("work()", globals={"work": clock.work}, timer=clock, label="work")


def test_the_time_of_one_run() -> None:
    before = pellucid.get_num_threads()
    clock, measured = timer(0.25)
    found = measured.timeit(8)
    assert found.mean == found.median == 0.25 and found.times == [0.25]
    assert clock.runs == 9 and clock.threads == {1}  # one that does not count
    assert pellucid.get_num_threads() == before
    assert "work" in repr(found) and "250.00 ms" in repr(found)
    assert [one.mean for one in measured.repeat(3, 4)] == [0.25] * 3


def test_measured_until_it_was_long_enough() -> None:
    heard: list[tuple[int, float]] = []
    _, measured = timer(2.0**-13)
    found = measured.blocked_autorange(lambda *what: heard.append(what), min_run_time=0.25)
    assert sum(found.raw_times) >= 0.25 and found.median == 2.0**-13 and found.iqr == 0
    assert heard == [(found.number_per_run, time) for time in found.raw_times]
    assert len(measured.adaptive_autorange(max_run_time=1.0).raw_times) > 3


def test_quartiles_and_units() -> None:
    found = Measurement(2, [2e-6, 4e-6, 6e-6, 8e-6, 10e-6])
    assert found.median == pytest.approx(3e-6) and found.mean == pytest.approx(3e-6)
    assert found.iqr == pytest.approx(2e-6) and "3.00 us" in repr(found)


def test_statements_are_python() -> None:
    with pytest.raises(ValueError, match="statements are Python"):
        Timer("x;", language="c++")
