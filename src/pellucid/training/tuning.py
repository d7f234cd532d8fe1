"""Search for the settings of a training job: which are tried, and how each is judged.

>>> found = tune(prepared, TrainingConfig(), trials=50, minutes=10)            # doctest: +SKIP
>>> found.best.settings                                                        # doctest: +SKIP
{'learning_rate': 0.0031, 'widths': (256, 128), 'dropout': 0.2, ...}
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pellucid.base.errors import NonFiniteError
from pellucid.data.sources import PreparedData
from pellucid.training.averaging import train_model
from pellucid.training.config import TrainingConfig
from pellucid.training.ensembles import train_networks
from pellucid.training.history import Event
from pellucid.training.job import RunResult
from pellucid.training.pooled import Curve
from pellucid.training.search import (
    Choice,
    LogUniform,
    SearchResult,
    Uniform,
    outcome_of,
    search_objective,
    telling,
)

BATCHES = (16, 32, 64, 128, 256)
LEAST_UPDATES = 4
"""Batches are tried up to the size that leaves so many updates in an epoch."""


def default_space(
    prepared: PreparedData, config: TrainingConfig, fixed: Collection[str] = ()
) -> dict[str, Any]:
    """What is tried for these data: name of a setting → its values, without those ``fixed``.

    Learning rate, weight decay, dropout, width and depth, activation, schedule and batch size; of
    a convolutional network also its channels, and how its images are turned and mixed; what else
    may change depends on what they show.
    """
    rows = prepared.training_rows
    batches = [size for size in BATCHES if size * LEAST_UPDATES <= rows] or [BATCHES[0]]
    space: dict[str, Any] = {
        "learning_rate": LogUniform(1e-4, 3e-2),
        "l2": LogUniform(1e-5, 1.0),
        "dropout": Uniform(0.0, 0.5),
        "widths": Choice((32,), (128,), (64, 32), (128, 64), (256, 128), (256, 256, 128)),
        "activation": Choice("relu", "gelu", "tanh"),
        "schedule": Choice("constant", "cosine"),
        "batch_size": Choice(*batches),
    }
    if config.model == "cnn":
        most = max(1, min(prepared.row_shape[:2]).bit_length() - 1)
        channels = [c[-most:] for c in ((16, 32, 64), (24, 48, 96), (32, 64, 128))]
        space["widths"] = Choice((), (64,), (128, 64))
        space["channels"] = Choice(*channels)
        space["rotate"] = Choice(0.0, 10.0)
        space["mixup"] = Choice(0.0, 0.2)
        del space["schedule"]  # that of images, one cycle, ends the search's question
    return {name: values for name, values in space.items() if name not in fixed}


def tune(
    prepared: PreparedData,
    config: TrainingConfig,
    space: dict[str, Any] | None = None,
    *,
    processes: int = 1,
    prune: bool = True,
    callbacks: Callable[[], list[Callable[[Event], None]]] = list,
    **options: Any,
) -> SearchResult:
    """Trains with settings from ``space`` (or :func:`default_space`) in place of those of
    ``config``, and ranks them by the lowest validation loss.

    Trials that are proposed at random are trained together where their networks have one shape.
    The test part is not looked at.  ``options`` are those of ``search``: trials, minutes, sampler,
    storage, name, told.  ``callbacks()`` are further callbacks of each training.
    """
    kinds = space if space is not None else default_space(prepared, config)

    def objective(
        settings: dict[str, Any], seed: int, tell: Callable[[int, float], None]
    ) -> tuple[float, float | None, int]:
        threads = config.threads if processes == 1 else 1
        tried = dataclasses.replace(config, **settings, seed=seed, threads=threads)
        result = train_model(prepared, tried, [telling(tell), *callbacks()])
        if result.failure is not None:
            raise result.failure
        return outcome_of(result.history)

    def together(pairs: Sequence[tuple[dict[str, Any], int]]) -> list[Curve]:
        threads = config.threads if processes == 1 else 1
        configs = [
            dataclasses.replace(config, **settings, seed=seed, threads=threads)
            for settings, seed in pairs
        ]
        return [_curve(r) for r in train_networks(prepared, configs, repeat_failures=False)]

    pooled = None if callbacks() or config.ensemble > 1 else together
    return search_objective(
        objective,
        kinds,
        processes=processes,
        prune=prune,
        seed=config.seed,
        together=pooled,
        **options,
    )


def _curve(result: RunResult) -> Curve:
    """What a training gave, for the search."""
    history, failure = result.history, result.failure
    if failure is not None and not isinstance(failure, NonFiniteError):
        raise failure
    losses = tuple(float(record.validation_loss or 0.0) for record in history)
    metrics = tuple(record.metric for record in history)
    if failure is not None:
        return Curve(losses, metrics, math.inf, None, 0)
    return Curve(losses, metrics, *outcome_of(history))
