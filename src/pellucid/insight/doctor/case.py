"""What is known of a training, in one object that rules and probes read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Rows(NamedTuple):
    """Features and targets of some rows, as the model gets them (tensors, or several in a tuple or
    a dictionary); ``number`` is how many rows the part has, of which these are a sample."""

    features: Any
    targets: Any
    number: int


@dataclass
class Case:
    """A training as far as it is known.

    Whatever is not known is None or empty, and rules that need it are silent.  ``loss`` is a
    function, module or name; ``settings`` holds what was asked for (``batch_size``, ``epochs``,
    ``shuffle``, ``clip_norm``, ``accumulate``, ``ema_decay``, ``class_weight``, ``augment``,
    ``schedule``, ``patience``); ``losses`` is the loss of each step in training mode, ``records``
    the statistics of sampled steps (as ``model.observe`` gives them), ``history`` the epochs
    (dictionaries of ``loss``, ``train_loss``, ``validation_loss``, ``metric`` …), ``failure``
    the first non-finite value, if any.  ``bench`` is what probes experiment with.
    """

    model: Any = None
    loss: Any = None
    optimizer: Any = None
    train: Rows | None = None
    validation: Rows | None = None
    metric: Callable[[Any, Any], float] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    phase: str = "before"
    step: int = 0
    losses: list[float] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    failure: Any = None
    line: str = ""
    """The user's line that trains, as ``file:number``."""
    bench: Any = None
    notes: dict[str, Any] = field(default_factory=dict)
    """What one rule has measured and others read (expected moments, the task, …)."""
