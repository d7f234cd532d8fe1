"""Targets: labels and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.data.label_errors import find_label_errors
from pellucid.insight.doctor.facts import (
    end_of,
    evaluated,
    features_of,
    is_plain,
    taken_of,
    targets_of,
    task_of,
    trained,
    units_of,
)
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.neighbours import (
    Agreement,
    agreement,
    columns_of,
    contradicted,
    shifted_agreement,
)
from pellucid.insight.doctor.task import FEW_VALUES
from pellucid.insight.doctor.views import views

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]

TARGETS = Place(column="targets")
NOISY_ROWS, MOST_NOISY_ROWS = 150, 500
DOUBTFUL_Z = 4.5
"""Neighbours that agree by more deviations than this are no matter of chance."""
LEAST_NOISE = 0.08
"""Fewer wrong labels than this share do no harm that one can see."""


def class_numbers(case: Case) -> Array | None:
    """The class of each row (n,), where every row has one."""
    y, task = targets_of(case.train), task_of(case)
    return numbers_in(y, task.kind)


def numbers_in(y: Array | None, kind: str) -> Array | None:
    """The class of each row of these targets."""
    if y is None or not y.size or kind in ("multi-hot", "soft labels", "sequence of classes"):
        return None
    if kind == "one-hot":
        return np.asarray(y.argmax(axis=1))
    if kind in ("class index", "binary", "signed binary") and y.size == len(y):
        flat = y.reshape(-1)
        return flat[flat >= -1].astype(np.int64)
    return None


def one_value(case: Case) -> Found:
    """Nothing to tell apart."""
    y, task = targets_of(case.train), task_of(case)
    if (
        not is_plain(case)
        or y is None
        or len(y) < 8
        or y.dtype.kind not in "biuf"
        or task.kind == "none"
    ):
        return
    numbers = class_numbers(case)
    values = y if numbers is None else numbers
    if not bool((values == values.reshape(-1)[0]).all()):
        return
    value = float(values.reshape(-1)[0])
    evidence = Evidence(
        f"the targets of all {len(y)} rows are {value:g}; different values", 1.0, "2 or more"
    )
    text = "Look at how the labels were read, cast or cut: all information in them is lost."
    yield Suspicion(
        "SINGLE_CLASS_LABELS", TARGETS, (evidence,), 1.0, remedies=(remedies.advice(text),)
    )


def not_finite(case: Case) -> Found:
    """NaN or infinity in features or targets."""
    parts = [("features", a) for a in features_of(case.train)]
    y = targets_of(case.train)
    parts += [] if y is None else [("targets", y)]
    for name, array in parts:
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        bad = ~np.isfinite(array.reshape(len(array), -1))
        rows = tuple(int(i) for i in np.flatnonzero(bad.any(axis=1))[:20])
        columns = np.flatnonzero(bad.any(axis=0))
        column = f"{name} {int(columns[0])}" if len(columns) == 1 else name
        evidence = Evidence(f"values of the {name} that are NaN or infinite", float(bad.sum()), "0")
        text = "Fill, correct or leave out these rows before training."
        yield Suspicion("NUMERIC", Place(column=column, rows=rows), (evidence,), 1.0,
                        remedies=(remedies.advice(text),))  # fmt: skip


def scaled_labels(case: Case) -> Found:
    """Class numbers that are no whole numbers any more."""
    y, task, taken, end = targets_of(case.train), task_of(case), taken_of(case), end_of(case)
    if y is None or y.dtype.kind != "f" or y.size != len(y) or task.whole or len(y) < 20:
        return
    values, counts = np.unique(y[np.isfinite(y)], return_counts=True)
    if not 2 <= len(values) <= FEW_VALUES or len(y) < 5 * len(values):
        return
    classes = taken.kind in ("scores", "probabilities", "log-probabilities")
    run = trained(case)
    refused = run is not None and run.phase == "loss" and taken.kind == ""
    steps = np.diff(values)
    even = bool(np.allclose(steps, steps[0], rtol=0.02))
    odd = even and len(values) <= 12 and not np.allclose(values * 20, np.round(values * 20))
    classes = classes or refused or end is not None and end.kind in ("softmax", "sigmoid")
    if not classes and not (odd and len(y) >= 20 * len(values)):
        return
    within = 0 <= values[0] and values[-1] <= 1 and taken.form == "sigmoid" and len(values) > 2
    if within and not even:
        return
    strength = (0.97 if classes else 0.8) if even else 0.75
    shown = ", ".join(f"{v:.4g}" for v in values[:4])
    evidence = (
        Evidence(f"the targets are {shown}{' …' if len(values) > 4 else ''}: different values",
                 float(len(values)), "whole numbers from 0"),
        Evidence("distance between neighbouring values", float(steps[0]), "1"),
    )  # fmt: skip
    text = "Scale the features only, and leave the labels as they are: whole numbers from 0."
    order = np.argsort(values)

    def restored(array: Array) -> Array:
        near = np.abs(array.reshape(-1, 1) - values.reshape(1, -1)).argmin(axis=1)
        made: Array = order[near].astype(np.int64 if taken.form == "softmax" else array.dtype)
        return made.reshape(array.shape)

    patch = remedies.targets(text, "scaled", "class numbers", restored)
    yield Suspicion("LABEL_SCALED", TARGETS, evidence, strength, remedies=(patch,))


def missing_class(case: Case) -> Found:
    """Classes that training rows do not have."""
    numbers, task, units = class_numbers(case), task_of(case), units_of(case)
    if numbers is None or task.kind == "signed binary" or len(numbers) < 20:
        return
    seen = set(np.unique(numbers).tolist())
    held = numbers_in(targets_of(case.validation), task.kind)
    if held is not None:
        lost = [int(c) for c in np.unique(held) if c >= 0 and c not in seen]
        share = float(np.isin(held, lost).mean()) if lost else 0.0
        if lost:
            yield _lost(
                lost, Evidence("share of validation rows of these classes", share, "0"), 0.95
            )
            return
    count = task.classes if task.kind == "one-hot" else max(seen) + 1
    gaps = [c for c in range(int(count)) if c not in seen]
    if gaps and len(gaps) < len(seen) and len(numbers) >= 30 * count and len(seen) > 1:
        yield _lost(gaps, Evidence("training rows of these classes", 0.0, "some"), 0.8)
        return
    several = taken_of(case).form == "softmax" and 2 <= len(seen) < units <= 2 * len(seen)
    if several and task.kind == "class index" and len(numbers) >= 50 * units:
        last = [c for c in range(units) if c not in seen]
        yield _lost(last, Evidence("training rows of these classes", 0.0, "some"), 0.65)


def _lost(classes: list[int], evidence: Evidence, strength: float) -> Suspicion:
    shown = ", ".join(map(str, classes[:6])) + (" …" if len(classes) > 6 else "")
    evidences = (Evidence(f"no training row has class {shown}"), evidence)
    text = "Split so that each class is in every part (stratify), or leave the class out."
    return Suspicion("MISSING_CLASS", Place(column=f"targets, class {shown}"), evidences, strength,
                     remedies=(remedies.advice(text),))  # fmt: skip


def imbalance(case: Case) -> Found:
    """Classes of very unequal size; whether that hurts is seen only after training."""
    numbers = class_numbers(case)
    if (
        not is_plain(case)
        or numbers is None
        or len(numbers) < 50
        or case.settings.get("class_weight") is not None
    ):
        return
    counts = np.unique(numbers, return_counts=True)[1]
    if len(counts) < 2:
        return
    shares = counts / counts.sum()
    entropy = _entropy(shares)
    filtered = lost_by_a_filter(case, numbers)
    if entropy >= 0.5 and filtered is None:
        return
    evidence: tuple[Evidence, ...] = (
        Evidence("entropy of the classes, 1 where they are equal", entropy, "0.5 or more"),
        Evidence("share of the rarest class", float(shares.min())),
    )
    text = "Use class_weight='balanced', or draw rare rows more often; judge by recall per class."
    weights = remedies.setting(text, "class_weight", None, "balanced")
    strength = 0.55 if entropy > 0.15 else 0.62
    if filtered is not None:
        strength = 0.93
        evidence = (*evidence, Evidence("its share of the validation rows", filtered))
    yield Suspicion("IMBALANCE", TARGETS, evidence, strength, remedies=(weights,))


def _entropy(shares: Array) -> float:
    """The entropy of shares, 1 where all are equal."""
    known = shares[shares > 0]
    return float(-(known * np.log(known)).sum() / np.log(max(len(shares), 2)))


def lost_by_a_filter(case: Case, numbers: Array) -> float | None:
    """The share that a class has in validation rows, where it was nearly lost in training rows and
    the others keep their proportions."""
    held = numbers_in(targets_of(case.validation), task_of(case).kind)
    if held is None or len(held) < 30:
        return None
    classes = np.unique(np.concatenate([numbers, held]))
    first = np.array([(numbers == c).mean() for c in classes])
    second = np.array([(held == c).mean() for c in classes])
    rare = np.flatnonzero((first < 0.2 * second) & (first > 0))
    if len(rare) != 1 or _entropy(second) < 0.6:
        return None
    left = np.delete(first, rare), np.delete(second, rare)
    a, b = (part / part.sum() for part in left)
    return float(second[rare[0]]) if np.abs(a - b).sum() < 0.25 else None


def misaligned(case: Case) -> Found:
    """Labels that have nothing to do with the features of their rows."""
    numbers, parts = class_numbers(case), features_of(case.train)
    y, task = targets_of(case.train), task_of(case)
    if (
        not is_plain(case)
        or y is None
        or len(parts) != 1
        or parts[0].dtype.kind not in "fiu"
        or len(y) < 120
    ):
        return
    if task.kind in ("sequence of classes", "reconstruction", "none") or y.dtype.kind not in "biuf":
        return
    labels = numbers if numbers is not None else y.reshape(len(y), -1).astype(np.float64)
    if labels.ndim > 1 and labels.shape[1] > 1:
        yield from _misaligned_columns(parts[0], labels)
        return
    labels = labels.reshape(-1)
    if len(labels) != len(parts[0]) or len(np.unique(labels)) < 2:
        return
    measured = agreement(parts[0], labels, numbers is not None)
    if measured is None or measured.z > DOUBTFUL_Z:
        return
    held = _held_agreement(case, numbers is not None)
    # Rows of which as many would agree by far are at odds with the validation rows.
    far = held is not None and measured.z < 0.45 * held.z * np.sqrt(measured.rows / held.rows)
    if measured.z > (2.5 if parts[0].ndim == 2 else 3.0) and not far:
        return
    shift = shifted_agreement(parts[0], labels, numbers is not None)
    evidence = [
        Evidence(f"{measured.what}, of {measured.rows} rows", measured.value,
                 f"above {measured.chance:.3g}, that of labels in random order")
    ]  # fmt: skip
    strength = (0.72 if parts[0].ndim == 2 else 0.8) if measured.separable else 0.45
    if shift is not None:
        name, value = shift
        evidence.append(Evidence(f"the same with labels {name}", value))
        strength = 0.98
    elif held is not None and far:
        text = "the same of the validation rows, in deviations above chance"
        evidence.append(Evidence(text, held.z))
        strength = 0.96
    text = "Shuffle features and labels with the same order; look where one is sorted or cut alone."
    yield Suspicion("LABEL_MISALIGNED", TARGETS, tuple(evidence), strength,
                    ("shuffled_input", "neighbours"), (remedies.advice(text),))  # fmt: skip


def _held_agreement(case: Case, classes: bool) -> Agreement | None:
    """How the validation rows' labels agree with their features, where they do by far."""
    parts, y = features_of(case.validation), targets_of(case.validation)
    numbers = numbers_in(y, task_of(case).kind) if classes else y
    if numbers is None or len(parts) != 1 or len(parts[0]) < 80 or numbers.size != len(parts[0]):
        return None
    found = agreement(parts[0], numbers.reshape(-1).astype(np.float64), classes)
    return None if found is None or found.z < 5 else found


def _misaligned_columns(features: Array, labels: Array) -> Found:
    """The same for targets of several columns: none of them has to do with the features."""
    if len(labels) != len(features):
        return
    chosen = [c for c in range(labels.shape[1]) if labels[:, c].std() > 0][:6]
    found = [agreement(features, labels[:, c], classes=False) for c in chosen]
    known = [m for m in found if m is not None]
    if not known or max(m.z for m in known) > 2.8:
        return
    best = max(known, key=lambda m: m.z)
    evidence = (Evidence(f"{best.what}, best of {len(known)} columns", best.value,
                         f"above {best.chance:.3g}, that of labels in random order"),)  # fmt: skip
    text = "Shuffle features and labels with the same order; look where one is sorted or cut alone."
    strength = 0.72 if best.separable else 0.45
    yield Suspicion("LABEL_MISALIGNED", TARGETS, evidence, strength,
                    ("unseen_rows", "shuffled_input"), (remedies.advice(text),))  # fmt: skip


def noisy(case: Case) -> Found:
    """Labels that the other rows contradict as often far from all borders as near them.  Of two
    classes, chance may be as much as that: what is asked may not follow from what is known."""
    numbers, parts = class_numbers(case), features_of(case.train)
    begun = case.phase != "before" or case.notes.get("early")
    if not begun or numbers is None or len(parts) != 1:
        return
    count, classes = len(numbers), int(numbers.max()) + 1 if len(numbers) else 0
    if count != len(parts[0]) or count < NOISY_ROWS or not 3 <= classes <= 50 or numbers.min() < 0:
        return
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_NOISY_ROWS)).astype(np.int64))
    given = numbers[chosen]
    best, least = None, 1.0
    for view in views(parts[0][chosen]):
        columns = columns_of(view)
        missed = 1.0 if columns is None else contradicted(columns, given)
        if missed < least:
            best, least = columns, missed
    if best is None or least < LEAST_NOISE:
        return
    found = find_label_errors(best, given, classes)
    chance = 1 - float(np.bincount(given).max()) / len(given)
    if not found.is_noise or not LEAST_NOISE < found.wrong < 0.75 * chance:
        return
    rows = tuple(int(chosen[i]) for i in found.order[: min(found.count, 20)])
    evidence = (
        Evidence("labels that are probably wrong, by the rows that were looked at",
                 float(found.count), "0"),
        Evidence("share of rows whose label the other rows contradict", found.wrong),
        Evidence("the same among rows far from all borders", found.sure, "0"),
    )  # fmt: skip
    text = "Look at the rows that are listed, the most doubtful first; relabel or drop them."
    place = Place(column="targets", rows=rows)
    yield Suspicion("LABEL_NOISE", place, evidence, 0.8, remedies=(remedies.advice(text),))


def padding(case: Case) -> Found:
    """Padded positions that the loss counts as if they had a class."""
    y, task, run = targets_of(case.train), task_of(case), trained(case)
    if y is None or task.kind != "sequence of classes" or y.ndim != 2 or y.shape[1] < 4:
        return
    value = int(np.bincount(np.clip(y[:, -1], 0, None).astype(np.int64)).argmax())
    ends = y == value
    run_length = np.cumprod(ends[:, ::-1], axis=1).sum(axis=1)
    share = float(run_length.sum() / y.size)
    rows = float((run_length >= 2).mean())
    varied = len(np.unique(run_length)) > 2
    if share < 0.15 or rows < 0.3 or not varied or run is None or run.output_gradient is None:
        return
    counted = _counted(run.output_gradient, run.values[run.targets[0]], value)
    if not counted:
        return
    evidence = (
        Evidence(f"share of the targets that are {value} at the end of rows", share),
        Evidence(
            "gradient of the loss at these positions, as a share of that elsewhere", counted, "0"
        ),
    )
    text = f"Leave them out of the loss: ignore_index={value}, or −100 in their place."
    pad = remedies.targets(text, str(value), "-100", lambda a: _masked(a, value))
    yield Suspicion("LABEL_PADDING", TARGETS, evidence, 0.9, remedies=(pad,))


def _counted(gradient: Array, y: Array, value: int) -> float:
    """How much the loss asks of positions with padding, beside the others."""
    if y.ndim != 2 or gradient.ndim != 3:
        return 0.0
    axis = 2 if gradient.shape[:2] == y.shape else 1
    size = np.abs(gradient).sum(axis=axis)
    if size.shape != y.shape:
        return 0.0
    tail = np.cumprod((y == value)[:, ::-1], axis=1)[:, ::-1].astype(bool)
    if not tail.any() or tail.all():
        return 0.0
    return float(size[tail].mean() / max(float(size[~tail].mean()), 1e-12))


def _masked(array: Array, value: int) -> Array:
    tail = np.cumprod((array == value)[:, ::-1], axis=1)[:, ::-1].astype(bool)
    return np.where(tail, -100, array)


def unscaled(case: Case) -> Found:
    """Numbers to learn that are far from unit scale."""
    y, task, taken = targets_of(case.train), task_of(case), taken_of(case)
    run = evaluated(case)
    if y is None or task.asks_for_classes or y.dtype.kind not in "iuf" or taken.kind != "values":
        return
    if task.kind in ("none", "reconstruction") or run is None or run.answer is None:
        return
    columns = y.reshape(len(y), -1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        size = float(np.sqrt(np.nanmean(columns**2, axis=0)).max())
    out = float(np.sqrt(np.mean(np.square(run.answer, dtype=np.float64))))
    evidence = (
        Evidence("root mean square of the targets", size, "about 1"),
        Evidence("root mean square of the outputs at the start", out),
    )
    text = "Standardize the targets (and undo it in the answers)."
    patch = remedies.standardized_targets(text, f"root mean square {size:.3g}")
    if size > 10 and size > 10 * out:
        strength = 0.9 if size > 100 else 0.5 + 0.3 * np.log10(size / 10)
        yield Suspicion("TARGET_UNSCALED", TARGETS, evidence, float(strength),
                        ("standardized_targets",), (patch,))  # fmt: skip
    elif size < 0.01 and out > 20 * size:
        yield Suspicion(
            "TARGET_UNSCALED", TARGETS, evidence, 0.7, ("standardized_targets",), (patch,)
        )


RULES = (
    one_value,
    not_finite,
    scaled_labels,
    missing_class,
    imbalance,
    misaligned,
    noisy,
    padding,
    unscaled,
)
