"""The order in which the rows of a data set are read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from pellucid.base.boundary import ClearlyMade
from pellucid.base.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.random import (
    Generator,
    default_generator,
    rand,
    randint,
    shuffle_rows,
)
from pellucid.tensor.state import concrete

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

Place = TypeVar("Place", covariant=True)
_AT_ONCE = 1 << 12
"""Positions drawn with replacement at once."""


def draw_seed(generator: Generator | None) -> int:
    """A seed from 0 up to 2⁵³, by one draw from ``generator`` (None: the default generator)."""
    with concrete():
        return int(randint(0, 1 << 53, (1,), generator=generator or default_generator).item())


def check_count(owner: str, name: str, value: object) -> int:
    """A whole number from 1 up, or ``ArgumentError``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(
            f"{owner} got {name}={value!r}: it should be a positive integer value",
            "Give a whole number from 1 up.",
        )
    return int(value)


def _check_flag(owner: str, name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ArgumentTypeError(
            f"{owner} got {name}={value!r}: it should be a boolean value", "Give True or False."
        )


def _own_source(generator: Generator | None) -> Generator:
    """The generator of one pass: the one given, or a new one seeded by the default one.

    So a pass takes one number from the default generator however many rows there are, and what
    else draws in between changes nothing.
    """
    return generator or Generator().manual_seed(draw_seed(None))


class Sampler(ClearlyMade, Generic[Place]):
    """Positions of rows in the order in which they are to be read: define ``__iter__``.

    ``__len__`` is optional; a loader with this sampler then has a length too.  ``data_source``
    is accepted and not used.
    """

    def __init__(self, data_source: Sized | None = None) -> None:
        del data_source

    def __iter__(self) -> Iterator[Place]:
        raise UnsupportedError(f"{type(self).__name__} defines no __iter__", "define it")


class SequentialSampler(Sampler[int]):
    """0, 1, … up to the number of rows."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All rows in random order, a new one for each pass.

    ``num_samples`` positions (default: as many as there are rows).  With ``replacement`` each is
    drawn from all rows; without, every row comes once before any comes again.  ``generator``:
    the default generator seeds each pass unless one is given.  Raises ``ArgumentError`` for a
    ``num_samples`` below 1, so for a data set without rows too.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        _check_flag("RandomSampler", "replacement", replacement)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        check_count("RandomSampler", "num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """Positions in one pass; follows the data set's length unless it was given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        rows, wanted, source = len(self.data_source), self.num_samples, _own_source(self.generator)
        for start in range(0, wanted, _AT_ONCE if self.replacement else max(rows, 1)):
            if self.replacement:
                count = min(_AT_ONCE, wanted - start)
                yield from _whole_numbers(rows, count, source)
            else:
                yield from itertools.islice(shuffle_rows(rows, source).tolist(), wanted - start)

    def __len__(self) -> int:
        return self.num_samples


def _whole_numbers(high: int, count: int, source: Generator) -> list[int]:
    with concrete():
        drawn: list[int] = randint(0, high, (count,), generator=source).array().tolist()
        return drawn


class SubsetRandomSampler(Sampler[int]):
    """These positions in random order, without repetition."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for place in shuffle_rows(len(self.indices), self.generator or default_generator).tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """``num_samples`` positions drawn with probabilities proportional to ``weights``.

    ``weights``: one number from 0 up for each row; they need not sum to 1.  Without
    ``replacement`` no position comes twice (Efraimidis and Spirakis, 2006).  Raises
    ``ArgumentError`` for weights that are none, and for more samples than can be drawn.
    """

    def __init__(
        self,
        weights: Sequence[float] | np.ndarray | TensorCore,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        self.num_samples = check_count("WeightedRandomSampler", "num_samples", num_samples)
        _check_flag("WeightedRandomSampler", "replacement", replacement)
        self.replacement = replacement
        self.generator = generator
        given: Any = weights.detach() if hasattr(weights, "detach") else weights
        numbers = given.array() if isinstance(given, TensorCore) else np.asarray(given)
        if isinstance(given, TensorCore):
            numbers = given.dtype.numbers(numbers)
        self.weights: np.ndarray = numbers.astype(np.float64)
        """float64 (rows,)."""
        if self.weights.ndim != 1:
            raise ArgumentError(
                f"WeightedRandomSampler got weights of shape {self.weights.shape}",
                "weights should be a 1d sequence: one number for each row.",
            )

    def _check_weights(self) -> None:
        weights = self.weights
        if not np.all(np.isfinite(weights) & (weights >= 0)) or not weights.any():
            raise ArgumentError(
                "WeightedRandomSampler got weights that are no probabilities",
                "Give finite numbers from 0 up, at least one of them above 0.",
            )
        possible = np.count_nonzero(weights)
        if not self.replacement and self.num_samples > possible:
            raise ArgumentError(
                f"WeightedRandomSampler cannot draw num_samples={self.num_samples} of "
                f"{possible} rows of positive weight without replacement",
                "Pass replacement=True, or draw fewer.",
            )

    def __iter__(self) -> Iterator[int]:
        self._check_weights()
        count = self.num_samples if self.replacement else self.weights.size
        with concrete():
            source = self.generator or default_generator
            uniform = rand(count, generator=source, dtype="float64").array()
        if self.replacement:
            ends = np.cumsum(self.weights)
            places = np.searchsorted(ends, uniform * ends[-1], side="right")
            # Rounding may put a draw at the very end, behind which there is no row of weight.
            places = places.clip(max=int(np.flatnonzero(self.weights)[-1]))
        else:
            with np.errstate(divide="ignore"):
                clock = -np.log1p(-uniform) / self.weights
            clock[self.weights == 0] = np.inf
            places = np.argsort(clock, kind="stable")[: self.num_samples]
        return iter(places.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The positions that another sampler gives, in lists of ``batch_size``.

    The last list may be shorter; ``drop_last`` leaves it out then.
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        self.batch_size = check_count("BatchSampler", "batch_size", batch_size)
        _check_flag("BatchSampler", "drop_last", drop_last)
        self.sampler = sampler
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        places = iter(self.sampler)
        while batch := list(itertools.islice(places, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        rows = len(self.sampler)  # type: ignore[arg-type]
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)
