"""Marks for a profiler of graphics processors: accepted, and seen by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def mark(msg: str) -> None:
    """A moment with a name."""


def range_push(msg: str) -> int:
    """A stretch of time with a name begins; returns how many others it is in."""
    return 0


def range_pop() -> int:
    """The stretch that began last ends."""
    return 0


@contextmanager
def range(msg: str, *args: object, **kwargs: object) -> Iterator[None]:
    """Context manager: a stretch of time with a name."""
    yield
