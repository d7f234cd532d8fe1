"""Search for good settings: at random or over a grid, judged by validation rows.

>>> space = {"lr": LogUniform(1e-4, 1e-1), "width": Choice(16, 32, 64)}
>>> found = search(build, space, train, validation, trials=20)                 # doctest: +SKIP
>>> found.best.settings                                                        # doctest: +SKIP
{'lr': 0.0213, 'width': 32}
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, NonFiniteError
from pellucid.data.sources import PreparedData
from pellucid.tensor.random import manual_seed
from pellucid.training.network import target_array

Settings = dict[str, Any]
Build = Callable[[Settings], Any]


@dataclass(frozen=True)
class LogUniform:
    """Numbers between ``low`` and ``high`` whose logarithm is evenly spread: for learning rates
    and penalties, where 0.001 and 0.01 differ as much as 0.01 and 0.1."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ArgumentError(f"{self} is empty", "Use 0 < low < high.")

    def draw(self, random: np.random.Generator) -> float:
        """One number."""
        return math.exp(random.uniform(math.log(self.low), math.log(self.high)))


@dataclass(frozen=True)
class Uniform:
    """Numbers evenly spread between ``low`` and ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ArgumentError(f"{self} is empty", "Use low < high.")

    def draw(self, random: np.random.Generator) -> float:
        """One number."""
        return float(random.uniform(self.low, self.high))


class Choice:
    """One of some values, all equally likely."""

    def __init__(self, *values: Any) -> None:
        if not values:
            raise ArgumentError("Choice got no values", "Name at least one.")
        self.values = values

    def draw(self, random: np.random.Generator) -> Any:
        """One of the values."""
        return self.values[int(random.integers(len(self.values)))]

    def __repr__(self) -> str:
        return f"Choice{self.values}"


@dataclass(frozen=True)
class Trial:
    """One set of settings: ``loss`` is the lowest validation loss, reached in ``epoch``; infinite
    where training did not stay finite.  ``seed`` repeats it."""

    settings: Settings
    loss: float
    metric: float | None
    epoch: int
    seed: int


@dataclass(frozen=True)
class SearchResult:
    """The trials from the best to the worst."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial with the lowest validation loss."""
        return self.trials[0]


def search(
    build: Build,
    space: Mapping[str, Any],
    train: Any,
    validation: Any = None,
    *,
    trials: int = 20,
    seed: int = 0,
    test: Any = None,
    **fit: Any,
) -> SearchResult:
    """Random search (Bergstra and Bengio, 2012): settings drawn from ``space``, judged by
    validation loss.

    ``build(settings)`` makes an untrained ``Trainer``.  ``space`` maps names to ``LogUniform``,
    ``Uniform``, ``Choice`` or a list of values.  ``train`` and ``validation`` are what
    ``Trainer.fit`` takes, and ``fit`` its other arguments (epochs, batch_size, patience);
    ``train`` may also be a whole ``PreparedData``, whose two parts are then used.  Trial i starts
    from seed ``seed`` + i, so equal arguments give equal trials.

    The test set has no place here: settings chosen by it would make its metrics look too good.
    ``ArgumentError`` for a test set, for validation rows that are the training or test rows, and
    for settings of a kind that is not known.
    """
    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
        raise ArgumentError(f"search got trials={trials!r}", "Give a whole number from 1 up.")
    kinds = {name: _kind(name, values) for name, values in _named(space).items()}
    random = np.random.default_rng(seed)
    drawn = [{name: kind.draw(random) for name, kind in kinds.items()} for _ in range(trials)]
    return _run(build, drawn, _rows(train, validation, test), seed, fit)


def grid_search(
    build: Build,
    space: Mapping[str, Sequence[Any]],
    train: Any,
    validation: Any = None,
    *,
    seed: int = 0,
    test: Any = None,
    **fit: Any,
) -> SearchResult:
    """All combinations of the listed values, each tried once; arguments as for ``search``."""
    kinds = {name: _kind(name, values) for name, values in _named(space).items()}
    for name, kind in kinds.items():
        if not isinstance(kind, Choice):
            raise ArgumentError(
                f"grid_search got {kind} for {name!r}", "List the values, or use search."
            )
    listed = itertools.product(*(kind.values for kind in kinds.values()))
    drawn = [dict(zip(kinds, values, strict=True)) for values in listed]
    return _run(build, drawn, _rows(train, validation, test), seed, fit)


def _named(space: Mapping[str, Any]) -> Mapping[str, Any]:
    if not space:
        raise ArgumentError("The space to search is empty", "Name at least one setting.")
    return space


def _kind(name: str, values: Any) -> Any:
    if hasattr(values, "draw"):
        return values
    if isinstance(values, Sequence) and not isinstance(values, str):
        return Choice(*values)
    raise ArgumentError(
        f"The values of {name!r} are {values!r}", "Use LogUniform, Uniform, Choice or a list."
    )


def _rows(train: Any, validation: Any, test: Any) -> tuple[Any, Any]:
    """Training and validation rows, after a look that nothing else slips in."""
    later = "Choose by validation rows; look at the test set once, with the chosen settings."
    if test is not None:
        raise ArgumentError("search got a test set", later)
    if isinstance(train, PreparedData):
        if validation is not None and validation is not train.validation:
            which = "test" if validation is train.test else "other"
            raise ArgumentError(f"search got {which} rows of the prepared data to choose by", later)
        kind = train.task.kind
        parts = (train.train, train.validation)
        train, validation = ((p.features, target_array(kind, p.targets)) for p in parts)
    if validation is None:
        raise ArgumentError("search got no validation rows", "Give (features, targets).")
    if _same(train, validation):
        raise ArgumentError(
            "search got the training rows as validation rows",
            "Keep some rows apart: pellucid.data.splits.split_indices does.",
        )
    return train, validation


def _same(train: Any, validation: Any) -> bool:
    if train is validation:
        return True
    if not (isinstance(train, tuple | list) and isinstance(validation, tuple | list)):
        return False
    return train[0] is validation[0]


def _run(
    build: Build, drawn: Sequence[Settings], rows: tuple[Any, Any], seed: int, fit: Settings
) -> SearchResult:
    trials = []
    for number, settings in enumerate(drawn):
        manual_seed(seed + number)
        trainer = build(dict(settings))
        try:
            trainer.fit(*rows, **fit)
        except NonFiniteError:
            trials.append(Trial(settings, math.inf, None, 0, seed + number))
            continue
        best = trainer.history.epochs[trainer.history.best_epoch - 1]
        loss = float(best.validation_loss)
        trials.append(Trial(settings, loss, best.metric, best.epoch, seed + number))
    return SearchResult(tuple(sorted(trials, key=lambda trial: trial.loss)))
