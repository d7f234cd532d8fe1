"""What single decisions cost: the activation, rows one by one or in a batch, many classes.

    python benchmarks/parts.py [--repeats 30] [--markdown]

Compiled programs on two cores, the shortest of the repeats, which are interleaved.  Three tables:
each activation forward and backward on 1024×1024 numbers; 256 rows through 784-128-10 in a batch
and in a loop; the loss of 64 rows with 10,000 classes, all of them scored (softmax) and six of them
(negative sampling).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from measuring import table, use_cores

import pellucid
import pellucid.nn.functional as F
from pellucid.models import mlp

ACTIVATIONS = ("relu", "leaky_relu", "sigmoid", "tanh", "gelu")


def shortest(jobs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Seconds of each job: the least of the repeats, after one run to compile."""
    for job in jobs.values():
        job()
    found = dict.fromkeys(jobs, float("inf"))
    for _ in range(repeats):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            found[name] = min(found[name], time.perf_counter() - start)
    return found


def activation_jobs(size: int) -> dict[str, Callable[[], Any]]:
    """Forward and backward of each activation on size×size numbers."""
    x, weights = pellucid.randn(size, size).requires_grad_(), pellucid.randn(size, size)

    def job(name: str) -> Callable[[], Any]:
        function = getattr(F, name)

        @pellucid.compile
        def both(values: Any, wanted: Any) -> Any:
            result = function(values)
            return result.detach(), pellucid.grad((result * wanted).sum(), values)[0]

        return lambda: both(x, weights)

    return {name: job(name) for name in ACTIVATIONS}


def batch_jobs(rows: int) -> dict[str, Callable[[], Any]]:
    """The same rows through 784-128-10, together and one by one."""
    model, x = mlp(784, (128,), 10), pellucid.randn(rows, 784)
    forward = pellucid.compile(lambda values: model(values))
    single = [x[i : i + 1].clone() for i in range(rows)]

    def together() -> Any:
        with pellucid.no_grad():
            return forward(x)

    def looped() -> Any:
        with pellucid.no_grad():
            return [forward(row) for row in single]

    return {"one batch": together, "a loop over rows": looped}


def class_jobs(classes: int) -> dict[str, Callable[[], Any]]:
    """Loss and gradients of 64 rows of width 100, with all classes and with six of them."""
    table_of_classes = pellucid.randn(classes, 100).requires_grad_()
    hidden, target = pellucid.randn(64, 100), pellucid.randint(0, classes, (64,))
    others = pellucid.randint(0, classes, (64, 5))

    @pellucid.compile
    def full(h: Any, y: Any) -> Any:
        loss = F.cross_entropy(h @ table_of_classes.T, y)
        return pellucid.grad(loss, table_of_classes)[0]

    @pellucid.compile
    def sampled(h: Any, y: Any, wrong: Any) -> Any:
        # Only the rows that were drawn are differentiated, not the whole table.
        rows = table_of_classes.detach()[pellucid.cat([y, wrong.reshape(-1)])].requires_grad_()
        places = pellucid.arange(len(y) * 6)
        loss = F.negative_sampling_loss(h, rows, places[: len(y)], places[len(y) :].reshape(-1, 5))
        return pellucid.grad(loss, rows)[0]

    return {
        f"softmax over {classes:,}": lambda: full(hidden, target),
        "one class and five others": lambda: sampled(hidden, target, others),
    }


def measure(
    repeats: int, size: int = 1024, rows: int = 256, classes: int = 10_000
) -> list[list[str]]:
    """One line a job: group, job, milliseconds, and how many times the group's first."""
    lines = []
    groups = {
        "activation": activation_jobs(size),
        "rows": batch_jobs(rows),
        "classes": class_jobs(classes),
    }
    for group, jobs in groups.items():
        found = shortest(jobs, repeats)
        first = next(iter(found.values()))
        lines += [[group, n, f"{1e3 * s:.3f}", f"{s / first:.2f}"] for n, s in found.items()]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    threads = use_cores(2)
    pellucid.set_num_threads(threads)
    titles = ["group", "job", "ms", "times the first"]
    print(table(titles, measure(given.repeats), given.markdown))


if __name__ == "__main__":
    main()
