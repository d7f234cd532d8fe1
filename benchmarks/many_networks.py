"""Many small networks as one program: so many configurations beside one.

    python benchmarks/many_networks.py [--networks 64] [--epochs 60] [--repeats 3]

A table of 569 rows and 30 features (scikit-learn's breast cancer data), the default network
30 → 128 → 64 → 1, batches of 64.  The configurations differ in learning rate, weight decay and
seed, and with ``--dropout`` in dropout as well.  "job" is a whole training as ``train_network``
does it, validation and compilation from the code cache included; "step" is one update, of one
network or of all.  "steps at the peak" is what the multiplications and additions of all networks
take at the measured peak of the processor, in the same run.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

import numpy as np
from measuring import table


def configurations(count: int, epochs: int, dropout: bool) -> list[Any]:
    from pellucid.training.config import TrainingConfig

    random = np.random.default_rng(0)
    rates, decays = 10 ** random.uniform(-4, -2, count), 10 ** random.uniform(-3, 0.5, count)
    drops = random.uniform(0, 0.3, count) if dropout else np.zeros(count)
    base = TrainingConfig(epochs=epochs, patience=0, start="random")
    return [
        dataclasses.replace(
            base,
            seed=i,
            learning_rate=float(rates[i]),
            l2=float(decays[i]),
            dropout=float(drops[i]),
        )
        for i in range(count)
    ]


def best(job: Any, repeats: int) -> float:
    """The shortest of some times, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dropout", action="store_true")
    options = parser.parse_args()

    from sklearn.datasets import load_breast_cancer

    import pellucid
    from pellucid.backends.cpu.target import measure_peak
    from pellucid.data.sources import load_source
    from pellucid.training.ensembles import train_networks
    from pellucid.training.job import train_network

    X, y = load_breast_cancer(return_X_y=True)
    source = {f"x{i}": X[:, i] for i in range(X.shape[1])} | {"y": y}
    prepared = load_source(source, "y", keep_leaks=True)
    configs = configurations(options.networks, options.epochs, options.dropout)
    train_network(prepared, configs[0], watch=False)
    train_networks(prepared, configs)
    one = best(lambda: train_network(prepared, configs[0], watch=False), options.repeats)
    many = best(lambda: train_networks(prepared, configs), options.repeats)
    steps = options.epochs * -(-len(prepared.train) // 64)
    single = train_network(prepared, configs[0], watch=False).history
    together = train_networks(prepared, configs)[0].history
    step_one, step_many = ((h.seconds - h.compile_seconds) / steps for h in (single, together))
    features = prepared.train.features.shape[1]
    flop = 64 * (4 * features * 128 + 6 * 128 * 64 + 6 * 64)
    rate = flop / step_one
    rows = [
        ["job", f"{one:.3f} s", f"{many:.3f} s", f"{many / one:.1f}"],
        [
            "step, with validation",
            f"{step_one * 1e6:.0f} µs",
            f"{step_many * 1e6:.0f} µs",
            f"{step_many / step_one:.1f}",
        ],
        ["GFLOP/s", f"{rate / 1e9:.1f}", f"{options.networks * flop / step_many / 1e9:.1f}", ""],
    ]
    peak = measure_peak(pellucid.get_num_threads())
    floor = options.networks * flop / (1e9 * peak)
    rows.append(["steps at the peak", "", f"{floor * 1e6:.0f} µs", f"{floor / step_one:.1f}"])
    head = ["", "one network", f"{options.networks} networks", "ratio"]
    threads = pellucid.get_num_threads()
    print(f"{threads} threads, {steps} updates, measured peak {peak:.0f} GFLOP/s (float32)")
    print(table(head, rows, False))


if __name__ == "__main__":
    main()
