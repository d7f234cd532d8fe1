"""Columns that know the target, and rows that belong together in different parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from pellucid.data.columns import Column, Table
from pellucid.data.leaks import find_leaks, find_row_counters
from pellucid.data.resemblance import is_group_name
from pellucid.data.tasks import distinct_values
from pellucid.insight.doctor.data.columns import feature_columns, is_prose
from pellucid.insight.doctor.data.held_out import Codes, Numbers, held_out_classes, held_out_numbers
from pellucid.insight.doctor.data.material import Material
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch

_NEARLY = 0.995
_MUCH_BETTER = 4.0
_FEWEST = 30
_MOST_ROWS = 4000
_CODE = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-.*|[0-9a-fA-F]{12,}|[A-Z]{1,4}[-_]?\d{3,}")
_TOGETHER = 0.3


def identifiers(data: Material) -> dict[str, str]:
    """Columns that name or count the rows, with a sentence about each (kept with the data)."""
    if "identifiers" not in data.notes:
        data.notes["identifiers"] = _identifiers(data)
    known: dict[str, str] = data.notes["identifiers"]
    return known


def _identifiers(data: Material) -> dict[str, str]:
    features = data.features
    found = find_row_counters(features, np.arange(len(features)))
    for column in features.columns.values():
        if column.name in found or len(column) < 20 or bool(column.missing.mean() > 0.05):
            continue
        distinct = len(np.unique(column.values[~column.missing]))
        if distinct < int((~column.missing).sum()):
            continue
        if column.kind == "text" and not is_prose(column):
            found[column.name] = f"Column {column.name!r} has another text in each row"
        elif column.kind == "number" and column.whole_numbers() and _counts(column):
            found[column.name] = f"Column {column.name!r} counts the rows"
    return {name: text for name, text in found.items() if not _is_text_to_learn(features[name])}


def _counts(column: Column) -> bool:
    steps = np.diff(np.sort(column.values))
    return bool((steps == 1).all())


def _is_text_to_learn(column: Column) -> bool:
    """Whether a column of different texts is one to learn from: words, not codes."""
    if column.kind != "text":
        return False
    sample = column.categories[:: max(1, len(column.categories) // 100)]
    coded = sum(_CODE.fullmatch(text) is not None for text in sample)
    return is_prose(column) or (len(sample) > 0 and coded < 0.5 * len(sample))


def identifier_rule(data: Material) -> Iterator[Suspicion]:
    """COLUMN_IDENTIFIER, or DATA_LEAK where the numbers tell the target."""
    for name, sentence in identifiers(data).items():
        patch = (Patch("data", f"Leave column {name!r} out.", "ignore", None, name),)
        told = _alone(data, data.features[name])
        if told is not None and told[0] > max(0.6, 1 - 0.5 * (1 - told[1])):
            evidence = (
                Evidence(sentence),
                Evidence("its order alone foretells the target", told[0], f"about {told[1]:.2f}"),
            )
            yield Suspicion("DATA_LEAK", Place(column=name), evidence, 0.9, (), patch)
        else:
            yield Suspicion(
                "COLUMN_IDENTIFIER", Place(column=name), (Evidence(sentence),), 0.9, (), patch
            )


def column_leak_rule(data: Material) -> Iterator[Suspicion]:
    """DATA_LEAK: a column that is the target again, exactly or nearly."""
    if data.task is None or data.truth is None or len(data.learned) < 10:
        return
    rows = data.learned
    table, truth = data.table.take(rows), data.truth[rows]
    exact = find_leaks(table, truth, data.task)
    others = [n for n in data.features.columns if n not in exact]
    for name, sentence in exact.items():
        if others:
            yield _leak(name, (Evidence(sentence),), 1.0)
    if others and len(rows) >= _FEWEST and data.task.kind != "multilabel":
        yield from _nearly(data, [n for n in others if n not in identifiers(data)])


def _leak(name: str, evidence: tuple[Evidence, ...], strength: float) -> Suspicion:
    text = f"Leave column {name!r} out, unless it is known when a prediction is needed."
    patch = Patch("data", text, "ignore", None, name)
    return Suspicion("DATA_LEAK", Place(column=name), evidence, strength, (), (patch,))


def _nearly(data: Material, names: list[str]) -> Iterator[Suspicion]:
    """Columns from which alone the target can be read where all others together cannot."""
    found = {}
    for name in names:
        told = _alone(data, data.features[name])
        if told is not None and told[0] >= _NEARLY:
            found[name] = told
    rest = [name for name in names if name not in found]
    if not found or not rest:
        return
    reached = _together(data, rest)
    what = "left-out accuracy" if data.is_classes else "left-out R²"
    for name, (skill, _) in found.items():
        # One row may go wrong by chance, and is more than none.
        least = 1.0 / min(len(data.learned), _MOST_ROWS)
        if 1 - reached > _MUCH_BETTER * max(1 - skill, least) and reached < _NEARLY:
            evidence = (
                Evidence(f"{what} of column {name!r} alone", skill, "below that of all columns"),
                Evidence(f"{what} of all other columns together", reached),
            )
            yield _leak(name, evidence, 0.9)


def _alone(data: Material, column: Column) -> tuple[float, float] | None:
    """How well a column alone foretells the target of rows that it has not seen, and what no
    column at all reaches: accuracy for classes, R² for numbers.  Neighbours in the column's order
    answer; where it has few values, rows of the same value."""
    if data.truth is None or data.task is None or is_prose(column):
        return None
    rows = data.learned
    if len(rows) > _MOST_ROWS:
        rows = np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False)
    values = column.values[rows].astype(np.float64)
    values = np.where(column.missing[rows], np.inf, values)
    truth = data.truth[rows]
    if data.is_classes:
        shares = np.bincount(truth) / len(truth)
        answers = _neighbours_say(values, np.eye(len(shares))[truth])
        return float((answers.argmax(axis=1) == truth).mean()), float(shares.max())
    if data.task.kind != "regression":
        return None
    answers = _neighbours_say(values, truth)
    total = np.square(truth - truth.mean(axis=0)).sum(axis=0)
    left = np.square(truth - answers).sum(axis=0)
    return float((1 - left / np.maximum(total, 1e-30)).max()), 0.0


def _neighbours_say(values: Numbers, truth: Numbers) -> Numbers:
    """The mean target of the rows of equal value without the row's own, and where there are fewer
    than three such rows that of the two on each side."""
    order = np.argsort(values, kind="stable")
    ordered, answers = values[order], truth[order]
    _, place, counts = np.unique(ordered, return_inverse=True, return_counts=True)
    place = place.reshape(-1)
    sums = np.zeros((len(counts), truth.shape[1]))
    np.add.at(sums, place, answers)
    same = (sums[place] - answers) / np.maximum(counts[place] - 1, 1)[:, None]
    padded = np.pad(answers, ((2, 2), (0, 0)), mode="reflect")
    count = len(answers)
    beside = (padded[1 : count + 1] + padded[3 : count + 3]) / 2
    found = np.empty_like(truth, np.float64)
    found[order] = np.where((counts[place] >= 4)[:, None], same, beside)
    return found


def _together(data: Material, names: list[str]) -> float:
    """The left-out accuracy or R² of columns together."""
    rows = data.learned
    if len(rows) > _MOST_ROWS // 2:
        rows = np.random.default_rng(0).choice(rows, _MOST_ROWS // 2, replace=False)
    table = data.features.take(rows)
    columns = feature_columns(table.without(set(table.columns) - set(names)))[0]
    truth = data.answers[rows]
    if not columns.shape[1]:
        return 0.0
    if data.is_classes:
        found = held_out_classes(columns, truth, int(data.answers.max()) + 1)
        return float((found.probabilities.argmax(axis=1) == truth).mean())
    _, answers = held_out_numbers(columns, truth)
    total = np.square(truth - truth.mean(axis=0)).sum(axis=0)
    return float((1 - np.square(truth - answers).sum(axis=0) / np.maximum(total, 1e-30)).max())


# ---- rows that belong together -----------------------------------------------------------------


def group_rule(data: Material) -> Iterator[Suspicion]:
    """DATA_LEAK: rows of one group (a person, a device) in training and validation."""
    if data.truth is None or data.task is None:
        return
    for column in data.features.columns.values():
        if column.kind not in ("text", "number") or len(column) < 20:
            continue
        if column.kind == "number" and not column.whole_numbers():
            continue
        distinct, codes = distinct_values(column)
        if not 5 <= len(distinct) <= 0.5 * len(column) or not is_group_name(column.name):
            continue
        alike = _alike_within(codes[data.known], data.truth[data.known], data.is_classes)
        if alike < _TOGETHER:
            continue
        yield from _groups(data, column.name, codes, len(distinct), alike)


def _groups(
    data: Material, name: str, codes: Codes, count: int, alike: float
) -> Iterator[Suspicion]:
    evidence = [Evidence(f"how alike targets are within {count} groups", alike, "near 0")]
    rows: Codes = np.zeros(0, np.int64)
    strength = 0.6
    if data.has_parts:
        seen = np.unique(codes[(data.part == 0) & (codes >= 0)])
        rows = np.flatnonzero((data.part > 0) & np.isin(codes, seen))
        share = len(rows) / max(int((data.part > 0).sum()), 1)
        if share < 0.05:
            return
        evidence.append(Evidence("share of other rows whose group is in training", share, "0"))
        strength = 0.95
    patch = Patch("setting", f"Keep groups together: cut by column {name!r}.", "group", None, name)
    place = Place(column=name, rows=tuple(data.lines[rows].tolist()))
    yield Suspicion("DATA_LEAK", place, tuple(evidence), strength, (), (patch,))


def _alike_within(codes: Codes, truth: Numbers, is_classes: bool) -> float:
    """The intraclass correlation of targets within groups (Fisher, 1925): 0 where groups are as
    different within as between, 1 where a group has one target."""
    values = np.eye(int(truth.max()) + 1)[truth] if is_classes else truth.astype(np.float64)
    present = codes >= 0
    codes, values = codes[present], values[present]
    counts = np.bincount(codes)
    kept = counts[codes] >= 2
    codes, values = np.unique(codes[kept], return_inverse=True)[1].reshape(-1), values[kept]
    counts = np.bincount(codes)
    if len(counts) < 3 or len(codes) <= len(counts):
        return 0.0
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, codes, values)
    means = sums / counts[:, None]
    within = np.square(values - means[codes]).sum() / (len(codes) - len(counts))
    middle = values.mean(axis=0)
    between = (counts[:, None] * np.square(means - middle)).sum() / (len(counts) - 1)
    size = len(codes) / len(counts)
    return float((between - within) / max(between + (size - 1) * within, 1e-30))


def time_rule(data: Material) -> Iterator[Suspicion]:
    """DATA_LEAK: validation rows between training rows of a target that changes slowly in time."""
    if data.truth is None or data.task is None or data.task.kind == "multilabel":
        return
    times = [c for c in data.features.columns.values() if c.kind == "time"]
    for column in times[:2]:
        rows = np.flatnonzero(~column.missing & data.known)
        rows = rows[np.argsort(column.values[rows], kind="stable")]
        carried = _carried_on(data, rows)
        if carried < max(0.6, 4 / np.sqrt(max(len(rows), 1))):
            continue
        evidence = [Evidence("autocorrelation of the target in the order of time", carried, "0")]
        strength = 0.5
        early: Codes = np.zeros(0, np.int64)
        if data.has_parts:
            last = column.values[(data.part == 0) & ~column.missing].max()
            later = (data.part > 0) & ~column.missing
            early = np.flatnonzero(later & (column.values < last))
            share = len(early) / max(int(later.sum()), 1)
            if share < 0.05:
                return
            evidence.append(Evidence("share of other rows before the last of training", share, "0"))
            strength = 0.95
        text = f"Test on the last rows: order them by column {column.name!r}."
        patch = Patch("setting", text, "time", None, column.name)
        place = Place(column=column.name, rows=tuple(data.lines[early].tolist()))
        yield Suspicion("DATA_LEAK", place, tuple(evidence), strength, (), (patch,))


def _carried_on(data: Material, rows: Codes) -> float:
    values = np.asarray(data.answers[rows], np.float64).reshape(len(rows), -1)[:, 0]
    if data.is_classes and len(rows):
        values = (values == np.bincount(values.astype(np.int64)).argmax()).astype(np.float64)
    middle = values - values.mean() if len(values) else values
    total = float((middle**2).sum())
    if len(values) < 40 or total <= 0 or np.count_nonzero(np.diff(values)) < 10:
        return 0.0
    return float((middle[:-1] * middle[1:]).sum() / total)


def without(table: Table, names: set[str]) -> Table:
    """The table without columns, unless nothing would be left."""
    left = table.without(names)
    return left if left.columns else table
