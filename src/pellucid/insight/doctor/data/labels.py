"""What is wrong with targets: wrong, misaligned, scaled, unequal or equal labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pellucid.data.columns import Column
from pellucid.data.tasks import Task
from pellucid.insight.doctor.data.alignment import misaligned_classes, misaligned_numbers
from pellucid.insight.doctor.data.columns import feature_columns, picture_columns
from pellucid.insight.doctor.data.held_out import Codes, Floats, HeldOut, Numbers, held_out_classes
from pellucid.insight.doctor.data.label_errors import (
    FEWEST_ROWS,
    LabelErrors,
    far_targets,
    label_errors,
)
from pellucid.insight.doctor.data.leaks import identifiers, without
from pellucid.insight.doctor.data.material import Material
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch

MOST_ROWS = 30_000
_RARE = 0.1
_MOST_LABELS = 8
_NICE = (1.0, 0.5, 0.25, 0.2, 0.1, 0.05, 0.01, 2.0, 5.0, 10.0)


def columns_of(data: Material) -> Floats:
    """The columns by which rows are compared (kept with the data)."""
    if "columns" not in data.notes:
        if data.pictures is not None:
            data.notes["columns"] = picture_columns(data.pictures)
        else:
            kept = without(data.features, set(identifiers(data)))
            data.notes["columns"] = feature_columns(kept)[0]
    found: Floats = data.notes["columns"]
    return found


def target_rule(data: Material) -> Iterator[Suspicion]:
    """SINGLE_CLASS_LABELS, and LABEL_SCALED: class numbers that are no whole numbers."""
    if data.constant:
        column = data.table[data.constant]
        value = column.text(int(np.flatnonzero(~column.missing)[0]))
        told = Evidence(f"all {len(column):,} labels are {value}")
        patch = Patch("data", "Choose another target, or add rows of other classes.")
        place = Place(column=data.constant)
        yield Suspicion("SINGLE_CLASS_LABELS", place, (told,), 1.0, (), (patch,))
    if data.task is None or data.task.kind != "regression":
        return
    for name in data.task.targets:
        step = scaled_classes(data.table[name])
        if step is not None:
            distinct = len(np.unique(data.table[name].values))
            evidence = (
                Evidence(f"{distinct} values, all this far apart", step, "1"),
                Evidence("rows for each value", len(data) / distinct),
            )
            patch = Patch("data", "Scale the inputs alone; leave class numbers whole.")
            yield Suspicion("LABEL_SCALED", Place(column=name), evidence, 0.9, (), (patch,))


def scaled_classes(column: Column) -> float | None:
    """The step between few values that are equally far apart and no whole numbers, as class
    numbers are once they are scaled; None for other numbers (half stars, tenths)."""
    if column.kind != "number" or len(column) < 30:
        return None
    values = np.unique(column.values[np.isfinite(column.values)])
    if not 3 <= len(values) <= 20 or len(column) < 10 * len(values):
        return None
    steps = np.diff(values)
    step = float(steps.min())
    multiples = steps / step
    even = bool((np.abs(multiples - np.round(multiples)) < 1e-3).all()) and multiples.max() < 5
    nice = any(abs(step - n) < 1e-6 * n for n in _NICE)
    return step if even and not nice else None


def rows_judged(data: Material) -> Codes:
    """The rows whose labels are judged: those with a target, at most 30,000, drawn."""
    rows = np.flatnonzero(data.known)
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
    return rows


def label_rule(data: Material) -> Iterator[Suspicion]:
    """LABEL_MISALIGNED, LABEL_NOISE and IMBALANCE, from left-out answers."""
    if data.task is None or data.truth is None:
        return
    rows = rows_judged(data)
    columns = columns_of(data)[rows]
    if len(rows) < FEWEST_ROWS or not columns.shape[1]:
        return
    truth = data.truth[rows]
    if data.is_classes:
        yield from _classes(data, data.task, rows, columns, truth)
    elif data.task.kind == "multilabel":
        for number, name in enumerate(data.task.targets[:_MOST_LABELS]):
            labels = truth[:, number].astype(np.int64)
            if 5 <= labels.sum() <= len(labels) - 5:
                found = label_errors(held_out_classes(columns, labels, 2).probabilities, labels)
                yield from _noise(data, rows, found, ("no", "yes"), name)
    else:
        misaligned = list(misaligned_numbers(data, columns, truth))
        yield from misaligned
        far, sizes = far_targets(columns, truth)
        if not misaligned and len(far) and len(far) <= max(2, 0.25 * len(rows)):
            yield _far(data, rows[far], sizes[far])


def _far(data: Material, rows: Codes, sizes: Numbers) -> Suspicion:
    evidence = (
        Evidence("targets far from what the other rows say", float(len(rows)), "0"),
        Evidence(
            "the farthest, in units of what nine in ten stay below", float(sizes[0]), "1 to 3"
        ),
    )
    patch = Patch("data", "Look at these targets: correct them, or leave the rows out.")
    names = data.task.targets if data.task is not None else ()
    place = Place(column=", ".join(names), rows=tuple(data.lines[rows].tolist()))
    return Suspicion("LABEL_NOISE", place, evidence, 0.8, ("label_errors",), (patch,))


def _classes(
    data: Material, task: Task, rows: Codes, columns: Floats, labels: Codes
) -> Iterator[Suspicion]:
    names = task.class_names
    found = held_out_classes(columns, labels, len(names))
    misaligned = list(misaligned_classes(data, rows, labels, found))
    yield from misaligned
    if misaligned:
        return
    errors = label_errors(found.probabilities, labels)
    noise = list(_noise(data, rows, errors, names, task.targets[0]))
    yield from noise
    if not noise:
        yield from _imbalance(data, labels, found, names)


def _noise(
    data: Material, rows: Codes, errors: LabelErrors, names: tuple[str, ...], column: str
) -> Iterator[Suspicion]:
    if not errors.is_noise:
        return
    worst = errors.order[: errors.count]
    given = _given(data, rows[worst[:3]], column)
    pairs = [
        f"{names[int(errors.suggested[row])]} rather than {names[label]}"
        for row, label in zip(worst[:3], given, strict=True)
    ]
    evidence = (
        Evidence("labels that are probably wrong", float(errors.count), "0"),
        Evidence("share of rows whose label the other rows contradict", errors.wrong),
        Evidence("the same among rows far from all borders", errors.sure, "0"),
        Evidence("the first: " + "; ".join(pairs)),
    )
    patch = Patch("data", "Look at these rows, the most doubtful first; relabel or drop them.")
    files = tuple(data.files[row] for row in rows[worst]) if data.files else ()
    place = Place(column=column, rows=tuple(data.lines[rows[worst]].tolist()), files=files)
    strength = 0.95 if errors.count >= 10 else 0.8
    yield Suspicion("LABEL_NOISE", place, evidence, strength, ("label_errors",), (patch,))


def _given(data: Material, rows: Codes, column: str) -> list[int]:
    if data.is_classes or data.task is None:
        return [int(label) for label in data.answers[rows]]
    place = data.task.targets.index(column)
    return [int(label) for label in data.answers[rows, place]]


def _imbalance(
    data: Material, labels: Codes, found: HeldOut, names: tuple[str, ...]
) -> Iterator[Suspicion]:
    """A rare class that is hardly ever answered; one that is learned is no trouble."""
    counts = np.bincount(labels, minlength=len(names))
    answers = found.probabilities.argmax(axis=1)
    for rare in np.flatnonzero((counts > 0) & (counts < _RARE * counts.max())):
        recall = float((answers[labels == rare] == rare).mean())
        if counts[rare] < 5 or recall >= 0.2:
            continue
        evidence = (
            Evidence(f"rows of class {names[rare]}", float(counts[rare]),
                     f"of {len(labels):,}, the commonest has {counts.max():,}"),
            Evidence("share of them that is recognized, left out", recall, "above 0.5"),
        )  # fmt: skip
        patch = Patch("setting", "Weight the classes.", "class_weight", "none", "balanced")
        more = Patch("data", f"Collect more rows of class {names[rare]}.")
        place = Place(column=data.task.targets[0] if data.task is not None else "")
        yield Suspicion("IMBALANCE", place, evidence, 0.85, (), (patch, more))
