"""What the doctor's watch costs: training steps without one, once more without, light and full.

    python benchmarks/watching.py [--only mnist,cnn,lstm,gpt256] [--threads 2] [--seconds 20]
        [--markdown] [--trainer]

The floor: a step that is not looked at tells the watch of one call (a few microseconds of Python);
what looking costs is bounded by its share of the time (1 % light, 4 % full), whatever it looks at,
so that the goals are 2 % and 5 %.  The step itself is the same program in all of them.

"ours" is the compiled step called from Python once a step; "again" is the same once more, built
anew: its difference is what this measurement does not see.  All take turns in one process, in
blocks of about half a second in an order that changes; the figures are sums over all blocks, looks
included.  The time that other contestants run does not count for the watch's budget.  What is spent
before the first block (the looks at the first steps) is told apart.  ``--trainer`` measures whole
fits.
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

BLOCK = 0.5
VARIANTS = ("ours", "again", "light", "full")
HEAD = ["network", "ms a step", "again", "light", "full", "looks (light, full)", "at the start, s"]


class Watched:
    """A step under a watch, or under none; the watch's clock stands while others run."""

    def __init__(self, build: Callable[[], Any], level: str) -> None:
        self.contestant = build()
        self.watch: Any = None
        if level in ("light", "full"):
            from pellucid.insight.doctor.watching import Watch

            self.watch = Watch(level=level)
            self.contestant.step.follower = self.watch
        start = time.perf_counter()
        self.contestant.run(30)
        self.first = time.perf_counter() - start
        self._stopped = time.perf_counter()

    def run(self, turns: int) -> float:
        """So many steps; the seconds that they took."""
        time.sleep(0.05)  # idle workers of the one before spin for a while
        self.contestant.step.follower = None
        self.contestant.run(max(1, turns // 10))
        self.contestant.step.follower = self.watch
        if self.watch is not None:
            now = time.perf_counter()
            self.watch.schedule.pause(now - self._stopped)
            self.watch._began = now
        start = time.perf_counter()
        self.contestant.run(turns)
        self._stopped = time.perf_counter()
        return self._stopped - start


def builders(threads: int) -> dict[str, Callable[[], Any]]:
    """Name → what builds a contestant."""
    found: dict[str, Callable[[], Any]] = {"mnist": lambda: Plain(WORKLOADS["mnist"], threads)}
    for name in ("cnn", "lstm", "gpt256"):
        network = whole.NETWORKS[name]
        found[name] = lambda network=network: whole.Ours(network, network.sizes, threads)
    return found


def measure(build: Callable[[], Any], seconds: float) -> list[str]:
    """The line of the table for one network."""
    made = {name: Watched(build, name) for name in VARIANTS}
    once = min(made["ours"].run(5) for _ in range(3)) / 5
    turns = max(1, round(BLOCK / once))
    blocks = max(3, round(seconds / (BLOCK * len(VARIANTS))))
    order = random.Random(0)
    ratios: dict[str, list[float]] = {name: [] for name in VARIANTS}
    sums = dict.fromkeys(VARIANTS, 0.0)
    for _ in range(blocks):
        names = list(VARIANTS)
        order.shuffle(names)
        took = {name: made[name].run(turns) for name in names}
        for name in VARIANTS:
            sums[name] += took[name]
            ratios[name].append(took[name] / took["ours"] - 1)
    line = [f"{1e3 * sums['ours'] / (blocks * turns):.3f}"]
    for name in VARIANTS[1:]:
        error = statistics.stdev(ratios[name]) / math.sqrt(blocks)
        line.append(f"{100 * (sums[name] / sums['ours'] - 1):+.1f} ± {100 * error:.1f} %")
    looks = [made[name].watch.schedule.looks for name in ("light", "full")]
    starts = [made[name].first - made["again"].first for name in ("light", "full")]
    line.append(", ".join(map(str, looks)))
    line.append(", ".join(f"{value:.2f}" for value in starts))
    trouble = [made[name].watch.trouble for name in ("light", "full")]
    if any(trouble):
        raise SystemExit(f"the watch ended before its time: {trouble}")
    return line


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
