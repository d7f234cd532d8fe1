"""Looking for good settings: a grid, or draws at random; judged on validation rows only."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.data.sources import PreparedData
from pellucid.training.config import TrainingConfig
from pellucid.training.job import train_network


@dataclass(frozen=True)
class Trial:
    """One set of settings with the lowest validation loss that it reached, and in which epoch."""

    config: TrainingConfig
    validation_loss: float
    metric: float | None
    epoch: int


@dataclass(frozen=True)
class SearchResult:
    """All trials, best first; ``best`` is the settings to train with."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> TrainingConfig:
        """The settings with the lowest validation loss."""
        return self.trials[0].config


@dataclass(frozen=True)
class LogUniform:
    """A number whose logarithm is evenly distributed between ``low`` and ``high``: the right
    way to draw learning rates and penalties, which act by their order of magnitude (Bergstra and
    Bengio, "Random Search for Hyper-Parameter Optimization", 2012)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ArgumentError(
                f"LogUniform({self.low}, {self.high})", "Give 0 < low < high, such as (1e-4, 1e-1)."
            )

    def draw(self, generator: np.random.Generator) -> float:
        """One number."""
        return float(np.exp(generator.uniform(math.log(self.low), math.log(self.high))))


def grid_search(
    prepared: PreparedData,
    choices: Mapping[str, Sequence[Any]],
    *,
    base: TrainingConfig | None = None,
    judge: str = "validation",
) -> SearchResult:
    """Trains with every combination of ``choices`` (setting → values) on top of ``base``.

    The test part is for one look at the end: ``judge="test"`` is refused with ``ArgumentError``,
    and so are unknown settings and data without validation rows.
    """
    names = list(choices)
    combinations = itertools.product(*(choices[name] for name in names))
    settings = [dict(zip(names, values, strict=True)) for values in combinations]
    return _search(prepared, settings, base, judge)


def random_search(
    prepared: PreparedData,
    choices: Mapping[str, LogUniform | Sequence[Any]],
    trials: int,
    *,
    base: TrainingConfig | None = None,
    judge: str = "validation",
    seed: int = 0,
) -> SearchResult:
    """Trains ``trials`` times with settings drawn from ``choices``: ``LogUniform`` ranges or lists
    of values.  Otherwise as ``grid_search``; equal seeds draw equal settings."""
    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
        raise ArgumentError(f"trials={trials!r}", "Give a whole number from 1 up.")
    generator = np.random.Generator(np.random.PCG64(seed))

    def draw(choice: LogUniform | Sequence[Any]) -> Any:
        if isinstance(choice, LogUniform):
            return choice.draw(generator)
        return choice[int(generator.integers(len(choice)))]

    settings = [{name: draw(choice) for name, choice in choices.items()} for _ in range(trials)]
    return _search(prepared, settings, base, judge)


def _search(
    prepared: PreparedData,
    settings: Iterable[Mapping[str, Any]],
    base: TrainingConfig | None,
    judge: str,
) -> SearchResult:
    if judge != "validation":
        raise ArgumentError(
            f"Settings cannot be chosen by the {judge} part",
            "Choose by validation rows; the test part then says how good the choice really is.",
        )
    if not len(prepared.validation):
        raise ArgumentError(
            "There are no validation rows to choose settings by", "Give validation a share."
        )
    start = base or TrainingConfig()
    configs = [_changed(start, given) for given in settings]
    if not configs:
        raise ArgumentError("There are no settings to try", "Give each setting a value.")
    trials = [_try(prepared, config) for config in configs]
    return SearchResult(tuple(sorted(trials, key=lambda trial: trial.validation_loss)))


def _changed(base: TrainingConfig, given: Mapping[str, Any]) -> TrainingConfig:
    change: Callable[..., TrainingConfig] = replace
    unknown = sorted(set(given) - set(base.to_json()))
    if unknown:
        raise ArgumentError(
            f"There is no setting {unknown[0]!r}", "Settings: " + ", ".join(base.to_json()) + "."
        )
    return change(base, **given)


def _try(prepared: PreparedData, config: TrainingConfig) -> Trial:
    """A trial that ends in NaN counts with what it had reached before."""
    best = train_network(prepared, config).history.best
    if best is None or best.validation_loss is None:
        return Trial(config, math.inf, None, 0)
    return Trial(config, best.validation_loss, best.metric, best.epoch)
