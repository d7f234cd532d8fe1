"""What differs between training and the other parts: distributions, classes, preparation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pellucid.data.columns import Column
from pellucid.insight.doctor.data.held_out import Codes, Floats, Numbers, Ridge
from pellucid.insight.doctor.data.material import Material
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch

_FEWEST = 20
_APART = 0.15
_SURE = 1e-6
_COLUMNS = 200
_SHUFFLE = Patch("setting", "Shuffle before the rows are split, or split by class (stratify).")


def labels_rule(data: Material) -> Iterator[Suspicion]:
    """MISSING_CLASS and SPLIT_UNSHUFFLED: classes or ranges of the parts."""
    if not data.has_parts or data.truth is None or data.task is None:
        return
    known = data.known
    first, other = data.truth[(data.part == 0) & known], data.truth[(data.part > 0) & known]
    if not len(first) or not len(other):
        return
    if data.is_classes:
        yield from _classes(first, other, data.task.class_names)
    elif data.task.kind == "regression":
        for number, name in enumerate(data.task.targets):
            apart, sure = kolmogorov(first[:, number], other[:, number])
            if apart > 0.3 and sure < _SURE:
                evidence = (
                    Evidence(f"largest distance of the distributions of {name}", apart, "near 0"),
                    Evidence("median in training", float(np.median(first[:, number]))),
                    Evidence("median elsewhere", float(np.median(other[:, number]))),
                )
                yield Suspicion(
                    "SPLIT_UNSHUFFLED", Place(column=name), evidence, 0.9, (), (_SHUFFLE,)
                )


def _classes(first: Numbers, other: Numbers, names: tuple[str, ...]) -> Iterator[Suspicion]:
    one, two = (np.bincount(part.astype(np.int64), minlength=len(names)) for part in (first, other))
    apart = float(np.abs(one / one.sum() - two / two.sum()).sum()) / 2
    sure = chi_square_tail(one, two)
    if apart > 0.15 and sure < _SURE:
        shown = [f"{n} {a / one.sum():.0%} / {b / two.sum():.0%}"
                 for n, a, b in zip(names, one, two, strict=True)]  # fmt: skip
        evidence = (
            Evidence("difference of the shares of the classes", apart, "near 0"),
            Evidence("training / others: " + ", ".join(shown[:6])),
        )
        yield Suspicion("SPLIT_UNSHUFFLED", Place(), evidence, 0.97, (), (_SHUFFLE,))
    absent = [names[c] for c in np.flatnonzero((one == 0) & (two > 0))]
    if absent:
        seen = Evidence(f"rows of class {absent[0]} in training", 0.0, "above 0")
        patch = Patch("data", f"Put rows of class {', '.join(absent[:5])} into training.")
        yield Suspicion("MISSING_CLASS", Place(), (seen,), 1.0, (), (patch, _SHUFFLE))


def kolmogorov(first: Numbers, other: Numbers) -> tuple[float, float]:
    """The largest distance of two distribution functions, and the chance of it where they are one
    (the two-sample test of Kolmogorov and Smirnov)."""
    first, other = np.sort(first[np.isfinite(first)]), np.sort(other[np.isfinite(other)])
    if len(first) < _FEWEST or len(other) < _FEWEST:
        return 0.0, 1.0
    both = np.concatenate([first, other])
    apart = float(np.abs(
        np.searchsorted(first, both, side="right") / len(first)
        - np.searchsorted(other, both, side="right") / len(other)
    ).max())  # fmt: skip
    size = np.sqrt(len(first) * len(other) / (len(first) + len(other)))
    return apart, float(min(1.0, 2 * np.exp(-2 * (apart * size) ** 2)))


def chi_square_tail(one: Codes, two: Codes) -> float:
    """About the chance of such counts (classes,) twice where the shares are one: the tail of χ²
    by Wilson and Hilferty's cube root (1931)."""
    both = one + two
    used = both > 0
    total = both.sum()
    square = 0.0
    for counts in (one, two):
        expected = both[used] * counts.sum() / total
        square += float((np.square(counts[used] - expected) / expected).sum())
    freedom = max(int(used.sum()) - 1, 1)
    spread = 2 / (9 * freedom)
    z = ((square / freedom) ** (1 / 3) - (1 - spread)) / np.sqrt(spread)
    return math.erfc(z / math.sqrt(2)) / 2


def features_rule(data: Material) -> Iterator[Suspicion]:
    """TRAIN_TEST_PREP_MISMATCH where columns are those of training times one number plus another,
    DATA_DRIFT where they are spread in another way."""
    if not data.has_parts:
        return
    moved: list[tuple[float, str, Evidence]] = []
    scaled: list[tuple[str, float, float]] = []
    compared = 0
    for name, first, other in _compared(data):
        compared += 1
        apart, sure = kolmogorov(first, other)
        if apart < _APART or sure > _SURE / 10:
            continue
        change = other_scale(first, other)
        if change is not None:
            scaled.append((name, *change))
        told = Evidence(f"largest distance of the distributions of {name}", apart, "near 0")
        moved.append((apart, name, told))
    for name, apart in _categories(data):
        told = Evidence(f"difference of the shares of the categories of {name}", apart, "near 0")
        moved.append((apart, name, told))
    if scaled and len(scaled) >= max(1, 0.5 * compared):
        yield _prepared_apart(scaled, compared)
    elif moved:
        moved.sort(key=lambda entry: -entry[0])
        evidence = tuple(told for _, _, told in moved[:3])
        patch = Patch("data", "Find out what changed between the parts; shuffle, or collect anew.")
        column = ", ".join(name for _, name, _ in moved[:3])
        yield Suspicion("DATA_DRIFT", Place(column=column), evidence, 0.85, (), (patch,))


def _compared(data: Material) -> Iterator[tuple[str, Numbers, Numbers]]:
    first, other = data.part == 0, data.part > 0
    if data.pictures is not None:
        for name, values in picture_figures(data.pictures).items():
            yield name, values[first], values[other]
        return
    columns = [c for c in data.features.columns.values() if c.kind in ("number", "boolean")]
    chosen = np.linspace(0, len(columns) - 1, min(len(columns), _COLUMNS)).astype(int)
    for number in np.unique(chosen) if columns else ():
        column = columns[number]
        if not _counts_up(column):
            yield column.name, column.values[first], column.values[other]


def picture_figures(pictures: Floats) -> dict[str, Numbers]:
    """Brightness and contrast of each picture, in which other preparation shows."""
    flat = pictures.reshape(len(pictures), -1)
    return {
        "brightness": flat.mean(axis=1, dtype=np.float64),
        "contrast": flat.std(axis=1, dtype=np.float64),
    }


def _counts_up(column: Column) -> bool:
    """Whether values only rise from row to row: a number of the row, or a time."""
    present = column.values[~column.missing]
    return len(present) > 1 and bool((np.diff(present) > 0).all())


def _categories(data: Material) -> Iterator[tuple[str, float]]:
    for column in data.features.columns.values():
        if column.kind != "text" or not 2 <= len(column.categories) <= 100:
            continue
        one, two = (
            np.bincount(values[values >= 0], minlength=len(column.categories))
            for values in (column.values[data.part == 0], column.values[data.part > 0])
        )
        if min(one.sum(), two.sum()) < _FEWEST:
            continue
        apart = float(np.abs(one / one.sum() - two / two.sum()).sum()) / 2
        if apart > _APART and chi_square_tail(one, two) < _SURE:
            yield column.name, apart


def other_scale(first: Numbers, other: Numbers) -> tuple[float, float] | None:
    """By what (factor, offset in deviations) another column is one of training, where its
    quantiles say so: they lie on a line that is not the diagonal."""
    at = np.linspace(0.02, 0.98, 25)
    one, two = np.nanquantile(first, at), np.nanquantile(other, at)
    spread = float(one.std())
    if spread == 0 or float(two.std()) == 0:
        return None
    slope, start = np.polyfit(one, two, 1)
    left = float(np.square(two - slope * one - start).mean()) / float(two.var())
    offset = abs(float(two.mean() - one.mean())) / spread
    factor = float(slope)
    if left > 0.03 or factor <= 0:
        return None
    return (factor, offset) if not 0.5 < factor < 2 or offset > 3 else None


def _prepared_apart(scaled: list[tuple[str, float, float]], compared: int) -> Suspicion:
    scaled.sort(key=lambda entry: -abs(np.log(entry[1])))
    name, factor, offset = scaled[0]
    evidence = (
        Evidence(f"columns of another scale or place, of {compared}", float(len(scaled)), "0"),
        Evidence(f"column {name}: elsewhere it is that of training times", factor, "1"),
        Evidence("and moved by so many deviations", offset, "0"),
    )
    patch = Patch("data", "Prepare all parts with what was learned from the training rows.")
    column = ", ".join(entry[0] for entry in scaled[:3])
    return Suspicion("TRAIN_TEST_PREP_MISMATCH", Place(column=column), evidence, 0.95, (), (patch,))


def told_apart(rows: Floats, part: Floats) -> float:
    """The share of pairs of a training and another row of which a linear model says rightly which
    is which (the area under its curve): 0.5 where the parts are alike."""
    answers = Ridge.of(rows).best(np.asarray(part > 0, np.float32)[:, None])[2][:, 0]
    order = np.argsort(answers, kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    later = part > 0
    count = int(later.sum())
    wins = ranks[later].sum() - count * (count + 1) / 2
    return float(wins / max(count * (len(part) - count), 1))
