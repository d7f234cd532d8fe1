"""Functions that tests run in processes of their own; spawned ones import them by name."""

from __future__ import annotations

import os
import time
from typing import Any

import pellucid
from pellucid import nn, optim


def add_rank(rank: int, total: Any) -> None:
    """Adds to one element of a shared tensor."""
    total[rank] += rank + 1


def answer(mail: Any, back: Any, seen: Any) -> None:
    """Takes a shared tensor and another from a queue, changes both and sends them back."""
    shared, own = mail.get()
    with pellucid.no_grad():
        shared.add_(1)
    back.put((shared, own + 1, shared.is_shared(), own.is_shared()))
    seen.wait(60)


def learn(rank: int, model: Any) -> None:
    """Some steps of training on shared weights, compiled in one process."""
    optimizer = optim.SGD(model.parameters(), lr=0.5)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        loss.backward()
        optimizer.step()
        return loss

    run = pellucid.compile(step) if rank else step
    for _ in range(30):
        run(pellucid.rand(16, 2))


def fail(rank: int) -> None:
    """Process 1 raises, process 2 is killed where it is alone, the others sleep."""
    if rank == 1:
        raise LookupError("nothing found")
    if rank == 2:
        os.abort()
    time.sleep(60)


def square(x: Any) -> Any:
    """For a pool."""
    return x * x
