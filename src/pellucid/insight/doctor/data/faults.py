"""What is wrong with single columns: constant, missing, mixed, far values, scales."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import Column
from pellucid.data.number_text import take_apart
from pellucid.data.resemblance import is_group_name
from pellucid.insight.doctor.data.columns import homogeneous, is_prose
from pellucid.insight.doctor.data.held_out import Codes, Numbers
from pellucid.insight.doctor.data.leaks import identifiers
from pellucid.insight.doctor.data.material import Material
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch

_FAR = 5.0
_FEWEST = 20
_MOSTLY_EMPTY = 0.9
_SENTINELS = {-9.0, -99.0, -999.0, -9999.0, -1.0, 99.0, 999.0, 9999.0, 99999.0, -99999.0, -1e6, 1e6}
_MOST_COLUMNS = 20
"""So many columns are told one by one; more of them share a fault that has one reason."""


def _rows(data: Material, places: Codes) -> tuple[int, ...]:
    return tuple(data.lines[places].tolist())


def constant_rule(data: Material) -> Iterator[Suspicion]:
    """COLUMN_CONSTANT; cells of a grid (the edges of pictures) may be."""
    if len(data) < _FEWEST or homogeneous(data.features):
        return
    for column in data.features.columns.values():
        rows = data.learned if len(data.learned) else np.arange(len(data))
        present = column.values[rows][~column.missing[rows]]
        if len(present) and (present == present[0]).all() and not column.missing[rows].any():
            value = column.text(int(rows[0]))
            text = f"Leave column {column.name!r} out."
            evidence = (Evidence(f"all {len(rows):,} rows hold {value}"),)
            patch = Patch("data", text, "ignore", None, column.name)
            yield Suspicion(
                "COLUMN_CONSTANT", Place(column=column.name), evidence, 0.9, (), (patch,)
            )


# ---- missing -----------------------------------------------------------------------------------


def missing_rule(data: Material) -> Iterator[Suspicion]:
    """DATA_MISSING: NaN and infinity in arrays, columns without values, numbers that stand for
    missing ones."""
    told = 0
    for column in data.features.columns.values():
        suspicion = _missing(data, column) or _stand_in(data, column)
        if suspicion is not None and told < _MOST_COLUMNS:
            told += 1
            yield suspicion


def _missing(data: Material, column: Column) -> Suspicion | None:
    gone = column.missing.copy()
    if column.kind == "number":
        gone |= np.isinf(column.values)
    share = float(gone.mean()) if len(column) else 0.0
    strays = any(_tells_of_strays(note, column.name) for note in data.table.notes)
    nobody_fills = data.in_memory and column.kind == "number" and not strays
    infinite = column.kind == "number" and bool(np.isinf(column.values).any())
    apart = _share_apart(data, gone)
    if not (share >= _MOSTLY_EMPTY or (share > 0 and nobody_fills) or infinite or apart):
        return None
    evidence = [Evidence("share of rows without a finite value", share, "0")]
    if apart:
        evidence.append(Evidence("share in training", float(gone[data.part == 0].mean())))
        evidence.append(Evidence("share elsewhere", float(gone[data.part > 0].mean()), "as there"))
    text = (
        f"Leave column {column.name!r} out."
        if share >= _MOSTLY_EMPTY
        else "Fill them in (the median of training, with a column that says where), or leave the "
        "rows out."
    )
    place = Place(column=column.name, rows=_rows(data, np.flatnonzero(gone)))
    strength = 1.0 if nobody_fills or infinite else 0.8
    return Suspicion("DATA_MISSING", place, tuple(evidence), strength, (), (Patch("data", text),))


def _share_apart(data: Material, gone: npt.NDArray[np.bool_]) -> bool:
    """Whether values are missing much oftener in one part than in another."""
    if not data.has_parts:
        return False
    first, other = gone[data.part == 0], gone[data.part > 0]
    both = float(gone.mean())
    error = np.sqrt(max(both * (1 - both), 1e-9) * (1 / len(first) + 1 / len(other)))
    apart = abs(float(first.mean()) - float(other.mean()))
    return bool(apart > 0.15 and apart > 5 * error)


def _stand_in(data: Material, column: Column) -> Suspicion | None:
    """A number such as -999 that many rows share, far from all others."""
    if column.kind != "number":
        return None
    values = column.values[np.isfinite(column.values)]
    if len(values) < _FEWEST:
        return None
    for value in (float(values.min()), float(values.max())):
        rest = values[values != value]
        count = len(values) - len(rest)
        if value not in _SENTINELS or count < 3 or len(rest) < 10:
            continue
        low, high = float(rest.min()), float(rest.max())
        away = low - value if value < low else value - high
        if away <= max(high - low, 1e-12) * (0.5 if abs(value) > 10 else 5.0):
            continue
        rows = np.flatnonzero(column.values == value)
        evidence = (
            Evidence(f"rows that hold {value:g}", count),
            Evidence(f"all others are from {low:g} to {high:g}"),
        )
        text = f"Read {value:g} in column {column.name!r} as missing."
        patch = Patch("data", text, "missing_values", None, f"{value:g}")
        place = Place(column=column.name, rows=_rows(data, rows))
        return Suspicion("DATA_MISSING", place, evidence, 0.9, (), (patch,))
    return None


# ---- mixed -------------------------------------------------------------------------------------


def mixed_rule(data: Material) -> Iterator[Suspicion]:
    """DATA_MIXED: numbers among texts, texts among numbers, one category in several writings."""
    for column in data.features.columns.values():
        if column.name in identifiers(data):
            continue
        found = _several_writings(data, column) or _numbers_among(data, column)
        if found is None:
            found = _texts_among(data, column)
        if found is not None:
            yield found


def _several_writings(data: Material, column: Column) -> Suspicion | None:
    if column.kind != "text" or is_prose(column) or len(column.categories) > 2000:
        return None
    groups: dict[str, list[int]] = {}
    for code, text in enumerate(column.categories):
        groups.setdefault(" ".join(text.casefold().split()), []).append(code)
    counts = column.counts()
    several = [[c for c in codes if counts[c]] for codes in groups.values()]
    several = [codes for codes in several if len(codes) > 1]
    distinct = int((counts > 0).sum())
    # A column of names may hold two that differ in a capital.
    if not several or distinct > 0.3 * len(column):
        return None
    rare = [c for codes in several for c in sorted(codes, key=lambda c: -int(counts[c]))[1:]]
    shown = "; ".join(
        " = ".join(repr(column.categories[c]) for c in codes) for codes in several[:3]
    )
    rows = np.flatnonzero(np.isin(column.values, rare))
    evidence = (Evidence(f"categories that differ in capitals or blanks only ({shown})",
                         float(len(several)), "0"),)  # fmt: skip
    patch = Patch("data", f"Write each category of column {column.name!r} in one way.")
    place = Place(column=column.name, rows=_rows(data, rows))
    return Suspicion("DATA_MIXED", place, evidence, 0.9, (), (patch,))


def _numbers_among(data: Material, column: Column) -> Suspicion | None:
    """A column of text most of whose values are numbers, or some of them."""
    if column.kind != "text" or is_prose(column):
        return None
    counts = column.counts()
    total = int(counts.sum())
    numeric = np.array([_is_number(text) for text in column.categories], np.bool_)
    share = float(counts[numeric].sum()) / max(total, 1) if len(numeric) else 0.0
    # Codes such as "1" and "A1" are texts; numbers with many different values are numbers.
    if not 0.3 <= share < 1 or int((counts[numeric] > 0).sum()) < 10 or total < _FEWEST:
        return None
    others = np.flatnonzero(~numeric & (counts > 0))
    shown = ", ".join(repr(column.categories[c]) for c in others[:3])
    rows = np.flatnonzero(np.isin(column.values, others))
    evidence = (Evidence(f"share of values that are numbers; others are {shown}", share, "0 or 1"),)
    text = f"Correct column {column.name!r}, or say that these values are missing."
    patch = Patch("data", text, "missing_values", None, column.categories[int(others[0])])
    place = Place(column=column.name, rows=_rows(data, rows))
    return Suspicion("DATA_MIXED", place, evidence, 0.85, (), (patch,))


def _is_number(text: str) -> bool:
    return take_apart(text) is not None


def _texts_among(data: Material, column: Column) -> Suspicion | None:
    """Texts in a column of numbers, which were read as missing."""
    note = next((n for n in data.table.notes if _tells_of_strays(n, column.name)), "")
    if not note or column.kind == "text":
        return None
    rows = np.flatnonzero(column.missing)
    shown = note.partition("(")[2].partition(" in ")[0]
    evidence = (Evidence(f"texts in a column of {column.kind}s, read as missing: {shown}",
                         float(len(rows)), "0"),)  # fmt: skip
    patch = Patch("data", f"Correct column {column.name!r}; these values count as missing.")
    place = Place(column=column.name, rows=_rows(data, rows))
    return Suspicion("DATA_MIXED", place, evidence, 0.8, (), (patch,))


def _tells_of_strays(note: str, name: str) -> bool:
    """Whether reading told that values of a column are of another kind."""
    return note.startswith(f"Column {name!r}: ") and re.search(r" (is|are) no \w", note) is not None


# ---- far values --------------------------------------------------------------------------------


def outlier_rule(data: Material) -> Iterator[Suspicion]:
    """DATA_OUTLIERS: values far beyond where the column's tail ends, also on a scale of logs."""
    if len(data) < _FEWEST or homogeneous(data.features):
        return
    names = data.task.targets if data.task is not None and not data.is_classes else ()
    told = 0
    for column in (*data.features.columns.values(), *(data.table[n] for n in names)):
        if column.kind != "number":
            continue
        rows = far_values(column.values)
        if not len(rows) or told >= _MOST_COLUMNS:
            continue
        told += 1
        finite = column.values[np.isfinite(column.values)]
        middle = float(np.median(finite))
        low, high = (float(q) for q in np.quantile(finite, (0.05, 0.95)))
        worst = float(column.values[rows[0]])
        evidence = (
            Evidence(f"the farthest of {len(rows)} values", worst,
                     f"nine in ten from {low:.4g} to {high:.4g}, median {middle:.4g}"),
        )  # fmt: skip
        patch = Patch(
            "data", f"Look at these rows of column {column.name!r}: correct them, or limit values."
        )
        place = Place(column=column.name, rows=_rows(data, rows))
        yield Suspicion("DATA_OUTLIERS", place, evidence, 0.8, (), (patch,))


def far_values(values: Numbers) -> Codes:
    """Rows whose value is beyond five times the distance from the median to the 95th (5th)
    percentile, and is so for the logarithm too where all values are positive; the farthest first.
    Never more than one in a hundred rows, or two: more of them are a tail."""
    finite = np.isfinite(values)
    present = values[finite]
    if len(present) < _FEWEST or len(np.unique(present)) < 10:
        return np.zeros(0, np.int64)
    far = _beyond(present)
    if (present > 0).mean() > 0.97:
        logs = np.log(np.where(present > 0, present, present[present > 0].min()))
        far = np.minimum(far, np.where(present > 0, _beyond(logs), far))
    rows = np.flatnonzero(finite)[far > _FAR]
    sizes = far[far > _FAR]
    if len(rows) > max(2, 0.01 * len(present)):
        return np.zeros(0, np.int64)
    return np.asarray(rows[np.argsort(-sizes, kind="stable")], np.int64)


def _beyond(values: Numbers) -> Numbers:
    """Distances from the median in units of that to the 95th or 5th percentile."""
    low, middle, high = (float(q) for q in np.quantile(values, (0.05, 0.5, 0.95)))
    # A tail to one side is no measure of the other, but half of it is the least.
    above = max(high - middle, 0.5 * (middle - low))
    below = max(middle - low, 0.5 * (high - middle))
    if above <= 0 or below <= 0:
        return np.zeros(len(values))
    return np.where(values > middle, (values - middle) / above, (middle - values) / below)


# ---- scales ------------------------------------------------------------------------------------


def scale_rule(data: Material) -> Iterator[Suspicion]:
    """INPUT_UNSCALED and INPUT_DOUBLE_SCALED, for numbers that nobody scales further."""
    if data.pictures is not None:
        yield from _pictures_scale(data, data.pictures)
        return
    columns = [
        c
        for c in data.features.columns.values()
        if c.kind == "number" and not (c.whole_numbers() and is_group_name(c.name))
    ]
    if not columns or len(data) < _FEWEST:
        return
    rows = data.learned if len(data.learned) else np.arange(len(data))
    values = np.stack([c.values[rows] for c in columns], axis=1)
    values = np.where(np.isfinite(values), values, 0.0)
    names = [c.name for c in columns]
    yield from unscaled(values, names, certain=data.prepared)
    yield from scaled_twice(values)


def unscaled(values: Numbers, names: list[str], *, certain: bool) -> Iterator[Suspicion]:
    """INPUT_UNSCALED for (rows, columns) that enter a network: columns of other scale than those
    beside them that are standardized, and where it is ``certain`` that nobody scales them,
    columns far from unit scale."""
    means, spreads = values.mean(axis=0), values.std(axis=0)
    used = spreads > 0
    standard = used & (np.abs(means) < 0.1) & (np.abs(spreads - 1) < 0.1)
    sizes = np.sqrt(means**2 + spreads**2)
    large = used & (sizes > 20)
    if standard.sum() >= max(2, 0.3 * used.sum()) and large.any():
        strength, beside = 0.95, "mean 0 and deviation 1, as the others"
    elif certain and (sizes.max(initial=0) > 20 or _ratio(spreads[used]) > 100):
        large = used & (sizes > max(5.0, 5 * float(np.median(sizes[used]))))
        large = large if large.any() else used & (sizes > 20)
        strength, beside = 0.95, "near 1"
    else:
        return
    worst = np.argsort(-sizes * large)[: int(large.sum())]
    evidence = tuple(
        Evidence(f"size (root mean square) of column {names[c]}", float(sizes[c]), beside)
        for c in worst[:3]
    )
    patch = Patch("data", "Standardize the inputs with mean and deviation of the training rows.")
    column = ", ".join(names[c] for c in worst[:3])
    yield Suspicion("INPUT_UNSCALED", Place(column=column), evidence, strength,
                    ("standardized_input",), (patch,))  # fmt: skip


def _ratio(spreads: Numbers) -> float:
    return float(spreads.max() / spreads.min()) if len(spreads) else 1.0


def scaled_twice(values: Numbers) -> Iterator[Suspicion]:
    """INPUT_DOUBLE_SCALED: bytes divided by 255 twice, or columns that hardly differ from 0."""
    top = float(np.abs(values).max(initial=0))
    if not 0 < top <= 0.02:
        return
    steps = values[:1000] * 255.0**2
    bytes_twice = bool((np.abs(steps - np.round(steps)) < 0.02).all())
    evidence = (
        Evidence("greatest magnitude of the inputs", top, "near 1"),
        Evidence("standard deviation of the inputs", float(values.std()), "0.1 to 1"),
    )
    how = "bytes divided by 255 twice" if bytes_twice else "inputs scaled more than once"
    patch = Patch("data", "Scale the inputs once.")
    yield Suspicion("INPUT_DOUBLE_SCALED", Place(), (*evidence, Evidence(how)),
                    0.98 if bytes_twice else 0.8, ("standardized_input",), (patch,))  # fmt: skip


def _pictures_scale(data: Material, pictures: npt.NDArray[Any]) -> Iterator[Suspicion]:
    plain = pictures[:: max(1, len(pictures) // 500)]
    flat = np.asarray(plain, np.float64).reshape(len(plain), -1)
    if plain.dtype.kind == "f":
        yield from scaled_twice(flat)
        if data.prepared and float(np.abs(flat).max(initial=0)) > 20:
            yield from unscaled(flat.reshape(-1, 1), ["pixels"], certain=True)
    blank = pictures.reshape(len(pictures), -1)
    blank_rows = np.flatnonzero((blank == blank[:, :1]).all(axis=1))
    if len(blank_rows) and len(blank_rows) < 0.5 * len(blank):
        files = tuple(data.files[row] for row in blank_rows) if data.files else ()
        evidence = (Evidence("pictures of one colour", float(len(blank_rows)), "0"),)
        patch = Patch("data", "Look at these pictures; leave out what is broken.")
        place = Place(rows=_rows(data, blank_rows), files=files)
        yield Suspicion("DATA_OUTLIERS", place, evidence, 0.9, (), (patch,))
