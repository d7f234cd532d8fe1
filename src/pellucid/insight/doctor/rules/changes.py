"""Augmentation: whether changed rows still show what their label says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import features_of
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.gathering import some
from pellucid.insight.doctor.rules.labels import class_numbers
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import TensorCore
from pellucid.training.capture import random_state, restore_random

ROWS = 256


def augmentation(case: Case) -> Iterator[Suspicion]:
    """Changed rows that have little to do with the rows that they were made from."""
    augment, rows = case.settings.get("augment"), case.train
    if augment is None or rows is None or not isinstance(rows.features, TensorCore):
        return
    sample = some(rows, ROWS)
    before = features_of(sample)[0].astype(np.float64).reshape(len(features_of(sample)[0]), -1)
    random = random_state()
    try:
        with no_grad():
            made = augment(sample.features)
            changed = made[0] if isinstance(made, tuple) else made
            after = changed.detach().array().astype(np.float64).reshape(len(before), -1)
    except (PellucidError, TypeError, ValueError, AttributeError):
        return
    finally:
        restore_random(random)
    if after.shape != before.shape or len(before) < 20 or not np.isfinite(after).all():
        return
    kept = _kept(before, after)
    agreement, chance = _own_label(case, before, after)
    if kept > 0.35 or (agreement is not None and agreement > 0.5 * (1 + chance)):
        return
    evidence = [
        Evidence("share of the spread of the rows that survives the change", kept, "most of it")
    ]
    if agreement is not None:
        evidence.append(
            Evidence("share of changed rows whose nearest original has their class", agreement,
                     f"far above {chance:.2g}, that of chance")
        )  # fmt: skip
    strength = 0.85 if kept < 0.15 else 0.68
    text = "Soften the augmentation: a person should still see the answer in a changed row."
    patch = remedies.setting(text, "augment", "as given", None)
    place = Place(setting="augment")
    yield Suspicion("AUGMENT", place, tuple(evidence), strength, ("unaugmented",), (patch,))


def _kept(before: np.ndarray, after: np.ndarray) -> float:
    """The squared correlation of changed with original rows, each less the mean row."""
    a, b = before - before.mean(axis=0), after - after.mean(axis=0)
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / size) ** 2 if size > 0 else 0.0


def _own_label(case: Case, before: np.ndarray, after: np.ndarray) -> tuple[float | None, float]:
    """How often the nearest original of a changed row, itself left out, has its class."""
    numbers = class_numbers(case)
    if numbers is None or case.train is None or len(numbers) < len(before):
        return None, 0.0
    chosen = np.unique(np.linspace(0, len(numbers) - 1, len(before)).astype(np.int64))
    if len(chosen) != len(before):
        return None, 0.0
    labels = numbers[chosen]
    distance = (after**2).sum(1)[:, None] + (before**2).sum(1)[None, :] - 2 * after @ before.T
    np.fill_diagonal(distance, np.inf)
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float((labels[distance.argmin(axis=1)] == labels).mean()), float((shares**2).sum())


RULES = (augmentation,)
