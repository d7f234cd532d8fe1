"""What the doctor's watch costs: training steps without one, once more without, light and full.

    python benchmarks/watching.py [--only mnist,cnn,lstm,gpt256] [--threads 2] [--seconds 20]
        [--markdown] [--trainer]

The floor: a step that is not looked at tells the watch of one call (a few microseconds of Python);
what looking costs is bounded by its share of the time (1 % light, 4 % full), whatever it looks at,
so that the goals are 2 % and 5 %.  The step itself is the same program in all of them.

It is the same in memory, too: one network is built and trained, and the watches take turns at its
steps, call by call, in an order that changes from round to round.  "again" is no watch once more:
its figures are what this measurement does not see.  The clock of a watch stands while others run.
Every call is timed.  A cost has two parts: the calls that were looked at, each by what it takes
longer than the middle call, all of them counted, and the middle call itself against that without a
watch (medians, because other guests of the machine lengthen one call in ten); "±" is the standard
error of the second part, from its values in twenty parts of the time.  "by sums" is all time
together, in which such guests are seen as well.  What is spent before the first round (the looks at
the first steps) is told apart, and so is what making the program of statistics took, which counts
as a look.  ``--trainer`` measures whole fits.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import networks as whole
import numpy as np
from contestants import WORKLOADS
from contestants import Ours as Plain
from measuring import table, use_cores

PARTS = 20
VARIANTS = ("off", "again", "light", "full")
HEAD = [
    "network", "ms a step", "again", "light", "full", "by sums (again, light, full)",
    "looks (light, full)", "program (light, full)", "at the start, s",
]  # fmt: skip


class Watched:
    """A step with a watch, or with none, that takes its turn; its clock stands while others run."""

    def __init__(self, contestant: Any, level: str) -> None:
        self.contestant = contestant
        self.watch: Any = None
        if level in ("light", "full"):
            from pellucid.insight.doctor.watching import Watch

            self.watch = Watch(level=level)
            contestant.step.clear()  # it finds model and optimizer where they are traced
        self.times: list[float] = []
        """Seconds of each call."""
        self.looks: list[bool] = []
        """Whether it was looked at (or the one after a look, which measures the update)."""
        self._stopped = time.perf_counter()
        for turn in range(30):
            self.call(turn)
        self.first = sum(self.times)
        self.times, self.looks = [], []

    def call(self, turn: int) -> None:
        """One step, timed."""
        step, watch = self.contestant.step, self.watch
        pairs = getattr(self.contestant, "pairs", None) or self.contestant.batches
        given = pairs[turn % len(pairs)]
        if watch is not None:
            now = time.perf_counter()
            watch.schedule.pause(now - self._stopped)
            watch._began += now - self._stopped
        spent = 0.0 if watch is None else watch.schedule.spent
        step.follower = watch
        begun = time.perf_counter()
        step(*given)
        ended = time.perf_counter()
        step.follower = None
        self.times.append(ended - begun)
        self.looks.append(watch is not None and watch.schedule.spent != spent)
        self._stopped = time.perf_counter()

    def middle(self, part: slice = slice(None)) -> float:
        """The median of the calls that nobody looked at."""
        pairs = list(zip(self.times[part], self.looks[part], strict=True))
        return statistics.median([t for t, look in pairs if not look] or self.times[part])

    def looking(self) -> float:
        """What the looks took, as a share of all time without them."""
        middle = self.middle()
        extra = sum(t - middle for t, look in zip(self.times, self.looks, strict=True) if look)
        return extra / (middle * len(self.times))


def builders(threads: int) -> dict[str, Callable[[], Any]]:
    """Name → what builds a contestant."""
    found: dict[str, Callable[[], Any]] = {"mnist": lambda: Plain(WORKLOADS["mnist"], threads)}
    for name in ("cnn", "lstm", "gpt256"):
        network = whole.NETWORKS[name]
        found[name] = lambda network=network: whole.Ours(network, network.sizes, threads)
    return found


def measure(build: Callable[[], Any], seconds: float) -> list[str]:
    """The line of the table for one network."""
    contestant = build()
    contestant.run(3)
    made = {name: Watched(contestant, name) for name in VARIANTS}
    order = random.Random(0)
    turn, end = 0, time.perf_counter() + seconds
    while turn < PARTS or time.perf_counter() < end:
        names = list(VARIANTS)
        order.shuffle(names)
        for name in names:
            made[name].call(turn)
        turn += 1
    parts = [slice(turn * k // PARTS, turn * (k + 1) // PARTS) for k in range(PARTS)]
    off = made["off"]
    line = [f"{1e3 * off.middle():.3f}"]
    for name in VARIANTS[1:]:
        ratios = [made[name].middle(part) / off.middle(part) - 1 for part in parts]
        error = statistics.stdev(ratios) / math.sqrt(PARTS)
        cost = made[name].middle() / off.middle() - 1 + made[name].looking()
        line.append(f"{100 * cost:+.2f} ± {100 * error:.2f} %")
    sums = {name: sum(made[name].times) for name in VARIANTS}
    line.append(", ".join(f"{100 * (sums[n] / sums['off'] - 1):+.1f}" for n in VARIANTS[1:]) + " %")
    watches = [made[name].watch for name in ("light", "full")]
    line.append(", ".join(str(watch.schedule.looks) for watch in watches))
    line.append(", ".join(_program_of(watch) for watch in watches))
    starts = [made[name].first - made["again"].first for name in ("light", "full")]
    line.append(", ".join(f"{value:.2f}" for value in starts))
    trouble = [watch.trouble for watch in watches]
    if any(trouble):
        raise SystemExit(f"the watch ended before its time: {trouble}")
    return line


def _program_of(watch: Any) -> str:
    """What making the program of statistics took; "-" without one."""
    found = [s._statistics.seconds for s in watch._compiled.values() if s._statistics is not None]
    return f"{found[0]:.2f} s" if found and found[0] else "-"


def fits(seconds: float) -> list[list[str]]:
    """Whole fits of mnist's network by the Trainer, with and without the doctor."""
    import pellucid
    from pellucid import Trainer, nn, optim

    random_ = np.random.default_rng(0)
    x = random_.standard_normal((20_000, 784)).astype(np.float32)
    y = random_.integers(0, 10, 20_000)

    def fit(doctor: Any) -> float:
        pellucid.manual_seed(0)
        model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
        trainer = Trainer(
            model, "cross_entropy", optim.Adam(model.parameters(), lr=1e-3), doctor=doctor
        )
        start = time.perf_counter()
        trainer.fit((x, y), epochs=20, progress=False)
        return time.perf_counter() - start

    settings: dict[str, Any] = {"off": False, "again": False, "light": True, "full": "full"}
    fit(False)
    found: dict[str, list[float]] = {name: [] for name in settings}
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(found["off"]) < 2:
        for name, doctor in settings.items():
            found[name].append(fit(doctor))
    best = {name: min(times) for name, times in found.items()}
    line = [f"{best['off']:.2f} s"]
    line += [
        f"{100 * (best[name] / best['off'] - 1):+.1f} %" for name in ("again", "light", "full")
    ]
    return [["mnist by the Trainer", *line]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="mnist,cnn,lstm,gpt256", help="networks, with commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each network")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--trainer", action="store_true", help="whole fits of the Trainer")
    options = parser.parse_args()
    threads = use_cores(options.threads)
    if options.trainer:
        head = ["training", "off", "again", "light", "full"]
        print(table(head, fits(options.seconds), options.markdown))
        return
    known = builders(threads)
    rows = []
    for name in options.only.split(","):
        rows.append([name, *measure(known[name], options.seconds)])
        print(" | ".join(rows[-1]), flush=True)
    print()
    print(table(HEAD, rows, options.markdown))


if __name__ == "__main__":
    main()
