"""Training and validation rows beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import features_of, targets_of, task_of
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.rules.labels import (
    class_numbers,
    lost_by_a_filter,
    numbers_in,
)

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]


def other_classes(case: Case) -> Found:
    """Validation rows with other labels than the training rows."""
    train = class_numbers(case)
    held = numbers_in(targets_of(case.validation), task_of(case).kind)
    if train is None or held is None or min(len(train), len(held)) < 20:
        return
    classes = np.unique(np.concatenate([train, held]))
    first = np.array([(train == c).mean() for c in classes])
    second = np.array([(held == c).mean() for c in classes])
    distance = float(np.abs(first - second).sum() / 2)
    noise = float(np.sqrt((first * (1 - first)).sum() * (1 / len(held) + 1 / len(train))))
    if distance < 0.25 or distance < 4 * noise or lost_by_a_filter(case, train) is not None:
        return
    evidence = (
        Evidence("share of rows with other classes than in the other part", distance,
                 f"about {noise:.2g}, by chance"),
    )  # fmt: skip
    strength = 0.97 if distance > 0.5 else 0.8
    yield _split(Place(column="targets of the validation rows"), evidence, strength)


def other_range(case: Case) -> Found:
    """Validation targets from another range of numbers."""
    y, held, task = targets_of(case.train), targets_of(case.validation), task_of(case)
    if y is None or held is None or task.asks_for_classes or task.kind == "none":
        return
    if min(len(y), len(held)) < 20 or y.dtype.kind not in "iuf" or y.size != len(y):
        return
    a, b = y.reshape(-1).astype(np.float64), held.reshape(-1).astype(np.float64)
    apart = abs(float(a.mean() - b.mean())) / max(float(a.std()), 1e-12)
    below = max(float((b < a.min()).mean()), float((b > a.max()).mean()))
    if apart < 1.0 and below < 0.3:
        return
    evidence = (
        Evidence("difference of the means of the targets, in their deviations", apart, "about 0"),
        Evidence("share of validation targets beyond all training targets", below, "0"),
    )
    place = Place(column="targets of the validation rows")
    yield _split(place, evidence, 0.9 if apart > 1.5 or below > 0.5 else 0.7)


def _split(place: Place, evidence: tuple[Evidence, ...], strength: float) -> Suspicion:
    text = "Shuffle the rows before they are split (stratify by class)."
    return Suspicion("SPLIT_UNSHUFFLED", place, evidence, strength,
                     remedies=(remedies.advice(text),))  # fmt: skip


def ordered_rows(case: Case) -> Found:
    """Rows sorted by class that are not shuffled."""
    numbers = class_numbers(case)
    if numbers is None or case.settings.get("shuffle") is not False or len(numbers) < 40:
        return
    size = int(case.settings.get("batch_size") or 32)
    classes, counts = np.unique(numbers, return_counts=True)
    if len(classes) < 2:
        return
    changes = float((np.diff(numbers) != 0).mean())
    expected = 1 - float(((counts / counts.sum()) ** 2).sum())
    if changes > 0.3 * expected or len(numbers) <= size:
        return
    whole = [len(np.unique(numbers[i : i + size])) == 1 for i in range(0, len(numbers), size)]
    evidence = (
        Evidence(
            "share of neighbouring rows with different classes", changes, f"about {expected:.2g}"
        ),
        Evidence("share of batches with a single class", float(np.mean(whole)), "0"),
    )
    patch = remedies.setting(
        "Use shuffle=True: the rows are sorted by class.", "shuffle", False, True
    )
    yield Suspicion("SPLIT_UNSHUFFLED", Place(setting="shuffle"), evidence, 0.85, remedies=(patch,))


def other_preparation(case: Case) -> Found:
    """Validation features of another scale or place than the training features."""
    pairs = zip(features_of(case.train), features_of(case.validation), strict=False)
    for x, held in pairs:
        if (
            x.dtype.kind not in "fiu"
            or x.shape[1:] != held.shape[1:]
            or min(len(x), len(held)) < 10
        ):
            continue
        if x.dtype.kind != "f" and held.dtype.kind != "f":
            continue  # numbers of words
        mean, deviation = _moments(x)
        held_mean, held_deviation = _moments(held)
        usable = (deviation > 1e-12) & (held_deviation > 0)
        if not usable.any():
            continue
        ratio = held_deviation[usable] / deviation[usable]
        typical = float(np.exp(np.median(np.log(ratio))))
        apart = np.abs(held_mean - mean)[usable] / deviation[usable]
        moved = float(np.median(apart))
        if 1 / 2.5 < typical < 2.5 and moved < 2.0:
            continue
        evidence = (
            Evidence("deviation of the validation columns against the training columns (median)",
                     typical, "about 1"),
            Evidence("distance of their means in training deviations (median)", moved, "about 0"),
        )  # fmt: skip
        far = typical > 5 or typical < 0.2 or moved > 4
        text = "Prepare validation rows by the training rows' means and deviations."
        place = Place(column="features of the validation rows")
        yield Suspicion("TRAIN_TEST_PREP_MISMATCH", place, evidence, 0.95 if far else 0.75,
                        remedies=(remedies.advice(text),))  # fmt: skip


def _moments(x: Array) -> tuple[Array, Array]:
    """Mean and deviation of each column; of images and sequences over all positions."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    if flat.shape[1] > 512 or x.ndim > 2:
        flat = flat.reshape(-1, 1)
    return flat.mean(axis=0), flat.std(axis=0)


def shared_rows(case: Case) -> Found:
    """Rows that stand in both parts."""
    train, held = features_of(case.train), features_of(case.validation)
    if not train or len(train) != len(held) or min(len(train[0]), len(held[0])) < 10:
        return
    first, second = _hashes(train), _hashes(held)
    if first is None or second is None or np.ptp(first) == 0:
        return
    both = np.isin(second, first)
    share = float(both.mean())
    twice = 1 - len(np.unique(first)) / len(first)
    if share < 0.02 + 2.5 * twice or both.sum() < 3:
        return
    rows = tuple(int(i) for i in np.flatnonzero(both)[:20])
    evidence = (
        Evidence("share of the validation rows that are training rows as well", share, "0"),
        Evidence("share of the training rows that stand there twice", float(twice)),
    )
    text = "Take these rows out of one part; split before rows are copied or augmented."
    strength = 0.97 if share > 0.1 + 5 * twice else 0.8
    yield Suspicion("DATA_LEAK", Place(column="validation rows", rows=rows), evidence, strength,
                    remedies=(remedies.advice(text),))  # fmt: skip


def _hashes(parts: list[Array]) -> Array | None:
    """A number for each row, equal for equal rows."""
    total: Array | None = None
    for array in parts:
        flat = np.ascontiguousarray(array.reshape(len(array), -1))
        if not flat.shape[1] or flat.dtype.kind not in "biuf":
            return None
        rng = np.random.default_rng(flat.shape[1])
        wide = flat.astype(np.float64)
        mixed = wide @ rng.normal(size=(flat.shape[1],)) + np.sin(wide) @ rng.normal(
            size=(flat.shape[1],)
        )
        total = mixed if total is None else total + np.pi * mixed
    return total


RULES = (other_classes, other_range, ordered_rows, other_preparation, shared_rows)
