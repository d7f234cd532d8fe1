"""What a new table holds that training did not: said before its predictions are believed."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pellucid.data.columns import Column, Table, number_text
from pellucid.data.preprocessing import TEXT_KINDS, ColumnPlan, Preprocessor, kind_of

_SHOWN = 5
_WORDS = {"number": "numbers", "boolean": "true and false", "time": "dates", "text": "text"}


def remarks(preprocessor: Preprocessor, table: Table, targets: Collection[str]) -> list[str]:
    """Sentences with counts about unknown categories, empty cells that are filled in, columns of
    another kind, in another order, and columns that are not used."""
    notes: list[str] = []
    for plan in preprocessor.plans:
        if plan.column in table.columns:
            column = table.columns[plan.column]
            notes += [note for note in (_kind(plan, column), _unknown(plan, column)) if note]
            if note := _empty(plan, column):
                notes.append(note)
    planned = [plan.column for plan in preprocessor.plans]
    if preprocessor.readings or preprocessor.unused:
        known = {*planned, *preprocessor.unused, *targets}
        if more := [name for name in table.columns if name not in known]:
            shown = _listed(more)
            one = "1 column" if len(more) == 1 else f"{len(more)} columns"
            is_used = "is" if len(more) == 1 else "are"
            notes.append(f"{one} that training did not have {is_used} not used: {shown}.")
    here = [name for name in table.columns if name in set(planned)]
    if here != planned:
        notes.append("The columns are in another order than in training: names decide, not places.")
    return notes


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _kind(plan: ColumnPlan, column: Column) -> str:
    """A column that holds values of another kind and can be read all the same."""
    wanted = kind_of(plan)
    if column.kind == wanted or bool(column.missing.all()):
        return ""
    return (
        f"Column {column.name!r} holds {_WORDS[column.kind]} here and held {_WORDS[wanted]} in "
        f"training: all {len(column):,} values are read as {_WORDS[wanted]}."
    )


def _unknown(plan: ColumnPlan, column: Column) -> str:
    """Categories that have no feature of their own."""
    listed = plan.kind in ("category", "embedding")
    if not listed or column.kind != "text" or not plan.categories:
        return ""
    known = set(plan.categories)
    counts = {
        text: int(count)
        for text, count in zip(column.categories, column.counts(), strict=True)
        if count and text not in known
    }
    if not counts:
        return ""
    order = sorted(counts, key=lambda text: -counts[text])
    shown = ", ".join(f"{text!r} ({counts[text]:,})" for text in order[:_SHOWN])
    shown += f" and {len(order) - _SHOWN} more" if len(order) > _SHOWN else ""
    other = plan.other or plan.kind == "embedding"
    how = "as another category" if other else "as none of its categories"
    by_letters = {text.strip().lower(): text for text in plan.categories}
    alike = [text for text in order if text.strip().lower() in by_letters]
    hint = ""
    if alike:
        meant = by_letters[alike[0].strip().lower()]
        hint = f" Training had {meant!r}: write {alike[0]!r} like that if it is the same."
    # With a place for others, rare categories of training are there too.
    what = "are among the rare or unseen" if other else "were not among the"
    return (
        f"Column {column.name!r}: {sum(counts.values()):,} of {len(column):,} values {what} "
        f"categories of training and are taken {how}: {shown}.{hint}"
    )


def _empty(plan: ColumnPlan, column: Column) -> str:
    """Empty cells, and what they are replaced by."""
    empty = int(column.missing.sum())
    if not empty or plan.kind == "picture":  # whoever reads pictures tells which there are not
        return ""
    is_are = "is" if empty == 1 else "are"
    first = f"Column {column.name!r}: {empty:,} of {len(column):,} values {is_are} missing"
    seen = "" if plan.indicator else ", and none was in training"
    if plan.kind in TEXT_KINDS:
        return "" if plan.indicator else f"{first}{seen}: taken as none of its categories."
    if not plan.scales:
        return ""
    fill = plan.scales[0].fill
    if plan.kind == "time":
        return f"{first}{seen}: the median of training stands in for them."
    if plan.kind == "boolean":
        by = f"the more frequent value, {'True' if fill else 'False'}"
    else:
        by = f"the median of training, {number_text(float(np.float64(f'{fill:.6g}')))}"
    return f"{first}{seen}: {by}, stands in for them."
