"""Training and validation rows beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.facts import features_of, targets_of, task_of
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.fitness import simple_fitness
from pellucid.insight.doctor.rules.labels import (
    class_numbers,
    lost_by_a_filter,
    numbers_in,
)

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]

OTHERS_KNOW = 0.97
"""Where the other columns know so much of the target, one that knows all is no leak."""


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


def told_by_a_column(case: Case) -> Found:
    """A column that is the target again, scaled or with a little noise, where the other columns
    together do not tell it."""
    parts, y, numbers = features_of(case.train), targets_of(case.train), class_numbers(case)
    if y is None or len(parts) != 1 or parts[0].ndim != 2 or parts[0].dtype.kind not in "fiu":
        return
    x = parts[0].astype(np.float64)
    if not 2 <= x.shape[1] <= 500 or len(x) < 60 or y.size != len(x) or len(y) != len(x):
        return
    labels = y.reshape(-1).astype(np.float64) if numbers is None else numbers
    if len(labels) != len(x) or task_of(case).kind in ("none", "reconstruction"):
        return
    with np.errstate(all="ignore"):
        known = _correlations(x, labels) if numbers is None else _apart(x, labels)
    told = np.flatnonzero(known > (0.9995 if numbers is None else 1.0))
    if not 1 <= len(told) <= 3:
        return
    rest = np.delete(x, told, axis=1)
    reached = _told_by_others(rest, labels, numbers is not None) if rest.shape[1] else 0.0
    if reached > OTHERS_KNOW:
        return
    what = "correlation with the target" if numbers is None else (
        "distance of the nearest classes in it, by ten deviations within a class"
    )  # fmt: skip
    evidence = (
        Evidence(f"column {told[0]} of the features: {what}", float(known[told[0]]), "below 1"),
        Evidence("what the other columns together know of rows that were left out, 1 for all",
                 reached, "nearly as much"),
    )  # fmt: skip
    text = f"Leave column {told[0]} out, unless it is known when a prediction is needed."
    place = Place(column=f"features {', '.join(map(str, told))}")
    yield Suspicion("DATA_LEAK", place, evidence, 0.9, remedies=(remedies.advice(text),))


def _correlations(x: Array, y: Array) -> Array:
    a, b = x - x.mean(axis=0), y - y.mean()
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum())
    return np.asarray(np.where(size > 0, np.abs(b @ a) / np.maximum(size, 1e-300), 0.0))


def _apart(x: Array, labels: Array) -> Array:
    """For each column, the smallest distance of two classes' means by ten times the largest
    deviation within a class."""
    classes = np.unique(labels)
    if len(classes) < 2 or len(classes) > 50:
        return np.zeros(x.shape[1])
    groups = [x[labels == c] for c in classes]
    means = np.sort(np.stack([g.mean(axis=0) for g in groups]), axis=0)
    within = np.stack([g.std(axis=0) for g in groups]).max(axis=0)
    nearest = np.diff(means, axis=0).min(axis=0)
    return np.asarray(np.where(nearest > 0, nearest / np.maximum(10 * within, 1e-12), 0.0))


def _told_by_others(x: Array, labels: Array, classes: bool) -> float:
    found = simple_fitness(np.asarray(x, np.float32), labels if classes else labels[:, None])
    return max(found.values(), default=0.0)


def batches_of_one_class(case: Case) -> Found:
    """Batches with far fewer classes than all of them together: rows that come sorted."""
    numbers, bench = class_numbers(case), case.bench
    begun = case.phase != "before" or case.notes.get("early")
    if numbers is None or not begun or not isinstance(bench, ModelBench):
        return
    found = [targets_of(Rows(b[0], b[1], 0)) for b in bench.batches]
    listed = [numbers_in(y, task_of(case).kind) for y in found]
    groups = [y for y in listed if y is not None and len(y) >= 8]
    if len(groups) < 4:
        return
    shares = np.unique(numbers, return_counts=True)[1] / len(numbers)
    size = float(np.mean([len(y) for y in groups]))
    expected = float((1 - (1 - shares) ** size).sum())
    seen = float(np.mean([len(np.unique(y)) for y in groups]))
    if seen > max(1.01, 0.45 * expected) or expected < 1.8:
        return
    evidence = (Evidence("classes in a batch", seen, f"about {expected:.2g}, by chance"),)
    patch = remedies.setting("Shuffle the rows: they come sorted by class.", "shuffle", False, True)
    place = Place(setting="shuffle", line=case.line)
    yield Suspicion("SPLIT_UNSHUFFLED", place, evidence, 0.9, remedies=(patch,))


RULES = (
    other_classes,
    other_range,
    ordered_rows,
    other_preparation,
    shared_rows,
    told_by_a_column,
    batches_of_one_class,
)
