"""The rows behind stored predictions: columns of a table, pictures of those that were confused.

Columns are kept for up to :data:`MOST_ROWS` rows and :data:`MOST_COLUMNS` columns, so that a report
can show where a network errs and what moves its answers without the file that it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import Column, Table
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_list,
    json_object,
    json_text,
)
from pellucid.data.prepared import PreparedData
from pellucid.training.arrays_json import array_from_json, array_to_json

MOST_ROWS, MOST_COLUMNS = 5_000, 60
MOST_PAIRS, MOST_EXAMPLES = 12, 4
"""So many confused pairs of classes are shown by so many pictures each."""
_LONGEST = 200
_KINDS = ("number", "boolean", "time", "text")


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Columns as they stand in the source of some of the rows that were predicted:
    ``positions`` (n,) in the predictions, and a table of n rows without its targets."""

    positions: npt.NDArray[np.int64]
    table: Table


@dataclass(frozen=True, eq=False)
class Confused:
    """Pictures of rows that were taken for another class: ``positions`` (n,) in the predictions,
    ``features`` (n, pixels)."""

    positions: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]


# ---- columns -----------------------------------------------------------------------------------


def rows_record(prepared: PreparedData, kept: npt.NDArray[np.int64]) -> dict[str, Any] | None:
    """The record of the columns of the rows ``kept`` (positions in the shown part); None where the
    source is no table."""
    table, plan = prepared.shown_rows, prepared.preprocessor
    if table is None or isinstance(plan, ImagePreprocessor):
        return None
    if not len(kept) or int(kept[-1]) >= len(table):
        return None
    chosen = np.arange(len(kept))
    if len(kept) > MOST_ROWS:
        chosen = np.unique(np.linspace(0, len(kept) - 1, MOST_ROWS).astype(np.int64))
    used = set(plan.feature_columns)
    names = [name for name in table.columns if name in used]
    part = table.take(kept[chosen])
    return {
        "positions": array_to_json(chosen),
        "columns": [_column_to_json(part[name]) for name in names[:MOST_COLUMNS]],
    }


def _column_to_json(column: Column) -> dict[str, Any]:
    missing = column.missing
    if column.kind != "text":
        values = np.clip(np.where(missing, 0.0, column.values), -1e300, 1e300)
        categories: list[str] = []
    else:
        used, codes = np.unique(column.values[~missing], return_inverse=True)
        values = np.full(len(column), -1, np.int64)
        values[~missing] = codes
        categories = [column.categories[int(code)][:_LONGEST] for code in used]
    return {
        "name": column.name,
        "kind": column.kind,
        "values": array_to_json(values),
        "missing": array_to_json(np.flatnonzero(missing).astype(np.int64)),
        "categories": categories,
    }


def rows_from_json(record: Mapping[str, Any], name: str, count: int) -> StoredRows:
    """What :func:`rows_record` wrote about ``count`` predictions; ``RunFolderError`` for anything
    else."""
    positions = _positions(record["positions"], count)
    columns = [
        _column_from_json(value, len(positions))
        for value in json_list(record["columns"], "columns", MOST_COLUMNS)
    ]
    return StoredRows(positions, Table(name, {column.name: column for column in columns}))


def _column_from_json(value: object, rows: int) -> Column:
    given = json_object(value, "column", ("name", "kind", "values", "missing", "categories"))
    kind = json_text(given["kind"], "kind", _KINDS)
    listed = json_list(given["categories"], "categories", rows)
    categories = tuple(json_text(text, "category") for text in listed)
    values = array_from_json(given["values"], "values", "<i8" if kind == "text" else "<f8")
    missing = array_from_json(given["missing"], "missing", "<i8")
    if values.shape != (rows,):
        raise json_error("values", f"{rows} numbers", values.shape)
    if missing.ndim != 1 or len(missing) and not 0 <= missing.min() <= missing.max() < rows:
        raise json_error("missing", f"numbers below {rows}", missing.shape)
    if kind == "text" and rows and not -1 <= values.min() <= values.max() < len(categories):
        raise json_error("values", f"positions in {len(categories)} categories", values.max())
    if kind != "text":
        values[missing] = np.nan
    return Column(json_text(given["name"], "name"), kind, values, categories)  # type: ignore[arg-type]


def _positions(value: object, count: int) -> npt.NDArray[np.int64]:
    found = array_from_json(value, "positions", "<i8")
    if found.ndim != 1 or len(found) and not 0 <= found.min() <= found.max() < count:
        raise json_error("positions", f"numbers below {count}", found.shape)
    return found


# ---- pictures ----------------------------------------------------------------------------------


def confused_record(
    prepared: PreparedData, part: str, kept: npt.NDArray[np.int64], predicted: npt.NDArray[Any]
) -> dict[str, Any] | None:
    """The record of pictures that show the classes confused most often; None for tables, and where
    every row is right."""
    if prepared.image_shape is None or prepared.task.kind not in ("multiclass", "binary"):
        return None
    data = getattr(prepared, part)
    guessed = predicted.argmax(axis=1) if predicted.shape[1] > 1 else predicted[:, 0] > 0.5
    true = np.asarray(data.raw_targets).reshape(-1)[kept].astype(np.int64)
    pairs = true * len(prepared.task.classes) + guessed.astype(np.int64)[kept]
    wrong = np.flatnonzero(true != guessed[kept])
    found, counts = np.unique(pairs[wrong], return_counts=True)
    chosen: list[int] = []
    for pair in found[np.argsort(-counts, kind="stable")][:MOST_PAIRS].tolist():
        chosen += wrong[pairs[wrong] == pair][:MOST_EXAMPLES].tolist()
    if not chosen:
        return None
    positions = np.array(chosen, np.int64)
    features = np.asarray(data.features[kept[positions]], np.float32)
    return {"positions": array_to_json(positions), "features": array_to_json(features)}


def confused_from_json(record: Mapping[str, Any], count: int) -> Confused:
    """What :func:`confused_record` wrote about ``count`` predictions."""
    positions = _positions(record["positions"], count)
    features = array_from_json(record["features"], "features", "<f4")
    json_integer(len(positions), "positions", 0, MOST_PAIRS * MOST_EXAMPLES)
    if features.ndim != 2 or len(features) != len(positions):
        raise json_error("features", f"{len(positions)} rows", features.shape)
    return Confused(positions, features)
