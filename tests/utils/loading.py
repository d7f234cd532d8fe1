"""Data sets for the tests of loaders; here, because spawned processes import them by name."""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import pellucid
from pellucid.utils.data import Dataset, IterableDataset, get_worker_info


class Rows(Dataset[Any]):
    """Row i: a float32 matrix filled with i, i, and a text."""

    def __init__(self, rows: int = 23, size: int = 64) -> None:
        self.rows, self.size = rows, size

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> tuple[pellucid.Tensor, int, str]:
        return pellucid.full((self.size, self.size), float(index)), index, f"row {index}"


class Draws(Rows):
    """Random numbers of all three kinds, and the worker's seed."""

    def __getitem__(self, index: int) -> Any:
        drawn = random.random(), np.random.rand(), pellucid.rand(()).item()
        info = get_worker_info()
        return index, *drawn, -1 if info is None else info.seed


class Fails(Rows):
    """Row 5 raises what it was told to."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(12, 2)
        self.error = error

    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise self.error
        return index


class Kills(Rows):
    """Row 5 ends its process."""

    def __init__(self, number: int) -> None:
        super().__init__(12, 2)
        self.number = number

    def __getitem__(self, index: int) -> Any:
        if index == 5:
            if self.number == 0:
                sys.exit(3)
            os.kill(os.getpid(), self.number)
        return index


class Slow(Rows):
    """Row 0 takes ``seconds``."""

    def __init__(self, rows: int, seconds: float) -> None:
        super().__init__(rows, 2)
        self.seconds = seconds

    def __getitem__(self, index: int) -> Any:
        if index == 0:
            time.sleep(self.seconds)
        return index


class Process(Rows):
    """The process that fetched each row."""

    def __getitem__(self, index: int) -> Any:
        return index, os.getpid()


class Shards(IterableDataset[int]):
    """0 … n − 1, every worker its share."""

    def __init__(self, rows: int, divided: bool = True, length: int | None = None) -> None:
        self.rows, self.divided, self.length = rows, divided, length
        if length is not None:
            self.__class__ = ShardsWithLength

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        if info is None or not self.divided:
            return iter(range(self.rows))
        return iter(range(info.id, self.rows, info.num_workers))


class ShardsWithLength(Shards):
    """The same with a length."""

    def __len__(self) -> int:
        return int(self.length or 0)


class Heavy(Rows):
    """Each row computes natively: a product worth several threads, and a compiled function."""

    def __getitem__(self, index: int) -> Any:
        x = pellucid.full((200, 200), 1.0 + index)
        return (x @ x).sum() + compiled(x)


@pellucid.compile
def compiled(x: pellucid.Tensor) -> pellucid.Tensor:
    """A compiled function of the test process."""
    return (x.exp().log() * x).mean()


class Long(Rows):
    """Rows that fill pipes: long texts, no arrays."""

    def __getitem__(self, index: int) -> str:
        return chr(97 + index % 26) * 300_000


class NotSendable(Rows):
    """Rows that pickle refuses."""

    def __getitem__(self, index: int) -> Any:
        return lambda: index


def same(rows: list[Any]) -> list[Any]:
    """A collate function that can be sent."""
    return rows


def seed_of_worker(number: int) -> None:
    """A worker_init_fn as programs write it."""
    seed = pellucid.initial_seed() % 2**32
    np.random.seed(seed + 7)
    random.seed(seed + 7)


def refuse(number: int) -> None:
    """A worker_init_fn that fails."""
    raise ValueError(f"worker {number} will not begin")


class Imports(Rows):
    """Row i imports a module and compiles a function."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(len(names), 2)
        self.names = names

    def __getitem__(self, index: int) -> int:
        importlib.import_module(self.names[index])
        found = pellucid.compile(lambda x: (x + index).sum())(pellucid.ones(50, 50))
        return round(found.item() / 2500) - 1
