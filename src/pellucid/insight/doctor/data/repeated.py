"""Rows that are there twice: leaks where the copies are in different parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pellucid.data.text_files import TEXT
from pellucid.insight.doctor.data.columns import is_prose
from pellucid.insight.doctor.data.copies import Copies, exact_copies, merged, near_copies
from pellucid.insight.doctor.data.labels import columns_of
from pellucid.insight.doctor.data.leaks import identifiers, without
from pellucid.insight.doctor.data.material import PARTS, Material
from pellucid.insight.doctor.data.picture_copies import picture_copies
from pellucid.insight.doctor.data.text_copies import text_copies
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch

_FEWEST = 10
_COARSE = 3.0
_NEAR_SHARE = 5e-4


def find_copies(data: Material) -> Copies:
    """Equal and nearly equal rows, between parts or, where nothing says parts, among all rows."""
    part = data.part if data.has_parts else np.full(len(data), -1, np.int8)
    if data.pictures is not None:
        return picture_copies(data.pictures, part)
    table = without(data.features, set(identifiers(data)))
    prose = [c for c in table.columns.values() if is_prose(c)]
    if prose and len(prose) == len(table.columns):
        return merged(*(text_copies(c.texts(), part) for c in prose))
    exact = exact_copies(table, part)
    if exact.chance > max(_COARSE, _NEAR_SHARE * len(data)):
        return exact  # in so coarse a table, rows are near each other by chance
    return merged(exact, near_copies(columns_of(data), part))


def copies_rule(data: Material) -> Iterator[Suspicion]:
    """DATA_LEAK for copies in different parts, DATA_DUPLICATES where nothing says parts."""
    if len(data) < _FEWEST or not (len(data.features.columns) or data.pictures is not None):
        return
    if data.task is None and list(data.features.columns) == [TEXT]:
        return  # the lines of one text
    found = find_copies(data)
    near = len(found) - int(found.exact.sum())
    least = max(3.0, _NEAR_SHARE * len(data)) if data.has_parts else max(3.0, 2e-3 * len(data))
    if not len(found) or not found.is_copying or (near == len(found) and near < least):
        return
    if not data.has_parts and found.exact.all() and not _enough(found, len(data)):
        return
    yield _suspicion(data, found)


def _enough(found: Copies, rows: int) -> bool:
    """Whether equal rows of one file are worth a word."""
    return len(found) >= max(1, 1e-4 * rows)


def _suspicion(data: Material, found: Copies) -> Suspicion:
    exact = int(found.exact.sum())
    across = data.has_parts
    evidence = [
        Evidence("rows of other parts that are equal to a training row" if across
                 else "rows that are equal to an earlier one", float(exact), "0"),
        Evidence("rows that are nearly equal to one", float(len(found) - exact), "0"),
    ]  # fmt: skip
    if across:
        share = len(found) / max(int((data.part > 0).sum()), 1)
        evidence.append(Evidence("their share of the other parts", share, "0"))
    if found.chance >= 0.5:
        evidence.append(Evidence("equal pairs that coarse values explain", found.chance))
    evidence.append(Evidence("the first: " + "; ".join(_pairs(data, found))))
    order = np.concatenate([np.flatnonzero(found.exact), np.flatnonzero(~found.exact)])
    rows = found.rows[order]
    files = tuple(data.files[row] for row in rows) if data.files else ()
    place = Place(rows=tuple(data.lines[rows].tolist()), files=files,
                  part=_part(data, found))  # fmt: skip
    text = (
        "Take these rows out of the part that is measured, and split without copies."
        if across
        else "Keep one of each, before the rows are split."
    )
    cause = "DATA_LEAK" if across else "DATA_DUPLICATES"
    return Suspicion(cause, place, tuple(evidence), 0.97, (), (Patch("data", text),))


def _part(data: Material, found: Copies) -> str:
    names = {data.part_name(int(row)) for row in found.rows}
    return names.pop() if len(names) == 1 else ""


def _pairs(data: Material, found: Copies) -> list[str]:
    """The first pairs in words: how the user counts them."""
    shown = []
    for row, twin, exact in zip(
        found.rows[:3].tolist(), found.twins[:3].tolist(), found.exact[:3].tolist(), strict=True
    ):
        first, second = (_named(data, place) for place in (row, twin))
        shown.append(f"{first} {'=' if exact else '≈'} {second}")
    return shown


def _named(data: Material, row: int) -> str:
    if data.files:
        return data.files[row]
    number = int(data.part[row])
    part = f"{PARTS[number]} " if data.has_parts and number >= 0 else ""
    return f"{part}{int(data.lines[row])}"
