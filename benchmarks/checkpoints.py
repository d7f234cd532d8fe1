"""What checkpoints cost: the same training without and with them, in turns.

    python benchmarks/checkpoints.py [--seconds 10] [--rounds 3] [--threads 2] [--only mlp,cnn]

``waiting`` is the time in which the training did nothing but copy its state, or wait for a file, as
a share of the run; ``at the end`` is how long the last state took after the last step, beside that;
``longer`` is how much longer the whole run took, median of pairs.  ``mlp``: 784-2048-2048-10 with
AdamW, 5.8 million weights, 89 MB of state with the best weights; ``cnn``: two convolutions with
batch normalization on 28x28 images, 0.4 million weights.  States are written as often as the share
of half a percent of the time allows, which is more often than every 30 seconds, the default: what
that costs is less.  ``--every 30`` measures it, in runs of some minutes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from typing import Any

import numpy as np
from measuring import table, use_cores

import pellucid
from pellucid import nn, optim
from pellucid.backends.cpu.threads import set_num_threads
from pellucid.training import Checkpoints, Trainer
from pellucid.training import trainer as trainer_module
from pellucid.training.checkpoints import Writer


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10)
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


MODELS = {"mlp": mlp, "cnn": cnn}
writers: list[Writer] = []


class Watched(Writer):
    """A writer that is kept, to be asked how long the training waited."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        writers.append(self)
        self.last = 0.0

    def wait(self) -> None:
        before = self.seconds
        super().wait()
        self.last = self.seconds - before


def run(name: str, steps: int, checkpoint: Checkpoints | None) -> float:
    """Seconds of a training of so many steps, after the program has been made."""
    pellucid.manual_seed(0)
    model = MODELS[name]()
    generator = np.random.default_rng(0)
    x = generator.normal(size=(8192, 784)).astype(np.float32)
    y = generator.integers(0, 10, 8192)
    trainer = Trainer(
        model, "cross_entropy", optim.AdamW(model.parameters()), checkpoint=checkpoint
    )
    begun = [0.0]

    def look(event: Any) -> None:
        if event.kind == "steps":
            begun[0] = begun[0] or time.perf_counter()
            if event.step >= steps:
                trainer.stop()

    trainer.callbacks.append(look)
    trainer.fit((x, y), (x[:256], y[:256]), epochs=10**6, batch_size=128)
    return time.perf_counter() - begun[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--every", type=float, default=0.001, help="seconds between states")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default=",".join(MODELS))
    options = parser.parse_args()
    set_num_threads(use_cores(options.threads))
    trainer_module.Writer = Watched  # type: ignore[misc]
    lines = []
    for name in options.only.split(","):
        speed = 400 / run(name, 400, None)
        steps = int(speed * options.seconds)
        waiting, longer, ends, counts = [], [], [], []
        for _ in range(options.rounds):
            without = run(name, steps, None)
            with tempfile.TemporaryDirectory() as folder:
                given = run(name, steps, Checkpoints(folder, every_seconds=options.every))
            writer = writers.pop()
            waiting.append((writer.seconds - writer.last) / given)
            ends.append(writer.last)
            longer.append(given / without - 1)
            counts.append(writer.written)
        lines.append([
            name, f"{without:.1f} s", str(statistics.median_low(counts)),
            f"{statistics.median(waiting):.2%}", f"{statistics.median(ends):.2f} s",
            f"{statistics.median(longer):+.2%}",
        ])  # fmt: skip
    head = ["network", "a run", "states", "waiting", "at the end", "longer"]
    print(table(head, lines, markdown=False))


if __name__ == "__main__":
    main()
