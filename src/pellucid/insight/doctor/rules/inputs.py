"""Features as they enter the first weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.graph.node import Node
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import features_of, targets_of, task_of, trained
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.recording import Computation
from pellucid.insight.doctor.walks import affine_nodes, depends_on, operand_of

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]

LARGE = 8.0
"""Columns with a larger root mean square than this may be too large to start with."""


def entering(run: Computation) -> list[tuple[Node, Array]]:
    """What enters the first weights: node and values (rows, …), before any other weight."""
    parameters = set(run.parameters)
    weighted: set[Node] = set()
    found: list[tuple[Node, Array]] = []
    above = depends_on(run.nodes(), set(run.features))
    for node in affine_nodes(run, run.nodes_before_output()):
        operand = operand_of(node, parameters)
        if operand is None or operand not in above:
            continue
        if depends_on(run.nodes(), weighted, only=operand):
            weighted.add(node)
            continue
        weighted.add(node)
        found.append((operand, run.values[operand]))
    return found


def scale(case: Case) -> Found:
    """Columns that are large, or very unequal, where they enter the first weights."""
    run = trained(case)  # in evaluation, a normalization that has learned nothing yet does nothing
    if run is None:
        return
    raw = features_of(case.train)
    for operand, values in entering(run):
        if values.dtype.kind != "f" or values.ndim < 2 or not np.isfinite(values).all():
            continue
        if any(n.op.name in ("take", "standardize") for n in _shallow(operand)):
            continue
        same = next((a for a in raw if a.shape[1:] == values.shape[1:] and a.dtype.kind == "f"
                     and operand in run.features), None)  # fmt: skip
        yield from _scale(values if same is None else same, len(raw) == 1)
        return


def _shallow(node: Node) -> list[Node]:
    """The operations from the features to here, along first operands."""
    path = [node]
    while path[-1].inputs and len(path) < 12:
        path.append(path[-1].inputs[0])
    return path


def _scale(values: Array, single: bool) -> Found:
    wide = values.ndim > 2 or values.shape[1] > 512
    flat = values.reshape(len(values), -1).astype(np.float64)
    flat = flat[np.isfinite(flat).all(axis=1)][:5000]
    if not flat.size:
        return
    columns = flat.reshape(-1, 1) if wide else flat
    size = np.sqrt((columns**2).mean(axis=0))
    deviation, mean = columns.std(axis=0), columns.mean(axis=0)
    largest, at = float(size.max()), int(size.argmax())
    text = "Standardize each column with the training rows' mean and deviation (or divide by 255)."
    patch = remedies.standardized(text, f"largest root mean square {largest:.3g}")
    column = "features" if wide or len(size) == 1 else f"features {at}"
    varied = deviation[deviation > 0]
    ratio = float(varied.max() / np.quantile(varied, 0.25)) if len(varied) else 1.0
    evidence = [Evidence("largest root mean square of a column", largest, "about 1")]
    if not wide and len(varied) > 1:
        evidence.append(
            Evidence("largest deviation by that of the lower quarter", ratio, "below 100")
        )
    strength = _how_large(largest, ratio, wide)
    shifted = deviation > 0
    offset = float(np.max(np.abs(mean[shifted]) / deviation[shifted])) if shifted.any() else 0.0
    if offset > 20 and largest > 2:
        evidence.append(Evidence("largest mean of a column, in its deviations", offset, "about 0"))
        strength = max(strength, 0.75)
    if strength >= 0.3:
        yield Suspicion("INPUT_UNSCALED", Place(column=column), tuple(evidence), strength,
                        ("standardized_input",), (patch,))  # fmt: skip
    yield from _too_small(columns, patch)


def _how_large(largest: float, ratio: float, wide: bool) -> float:
    if largest > 60:
        return 0.93
    if largest > 25:
        return 0.85
    if largest > LARGE:
        unequal = 0.2 if ratio > 100 and not wide else 0.0
        return 0.4 + unequal + 0.2 * (largest - LARGE) / (25 - LARGE)
    if ratio > 1000 and not wide and largest > 3:
        return 0.6
    return 0.0


def _too_small(columns: Array, patch: Patch) -> Found:
    """Inputs that hardly differ: scaled twice."""
    deviation = float(columns.std(axis=0).max())
    top = float(np.abs(columns).max())
    if deviation >= 0.02 or deviation == 0 or top > 0.1:
        return
    byte = 0 < top <= 1.001 / 255 and columns.min() >= 0
    evidence = [
        Evidence("largest deviation of a column", deviation, "about 1"),
        Evidence("largest value", top, "1 or more"),
    ]
    if byte:
        evidence.append(Evidence("the largest value is at most 1/255: bytes divided by 255 twice"))
    strength = 0.95 if byte or deviation < 0.005 else 0.8
    place = Place(column="features")
    yield Suspicion("INPUT_DOUBLE_SCALED", place, tuple(evidence), strength,
                    ("standardized_input",), (patch,))  # fmt: skip


def subset_statistics(case: Case) -> Found:
    """Columns that were standardized with the statistics of a few rows."""
    for x in features_of(case.train):
        if x.ndim != 2 or x.dtype.kind != "f" or len(x) < 20 or x.shape[1] > 512:
            continue
        found = _prefix(x.astype(np.float64))
        if found is None:
            continue
        rows, kind = found
        flat = x.astype(np.float64)
        off = float(np.abs(np.log(np.maximum(flat.std(axis=0), 1e-9))).max())
        if kind == "standardized" and off < 0.15 and float(np.abs(flat.mean(axis=0)).max()) < 0.2:
            continue
        largest = float(np.abs(flat).max())
        evidence = (
            Evidence(f"the first {rows} of {len(x)} rows are exactly {kind}: the statistics come "
                     "from this share of the rows", rows / len(x), "1"),
            Evidence("largest value of all rows", largest),
        )  # fmt: skip
        text = "Take means and deviations of all training rows."
        patch = remedies.standardized(text, f"statistics of {rows} rows")
        yield Suspicion("STATS_SUBSET", Place(column="features"), evidence, 0.97, remedies=(patch,))


def _prefix(x: Array) -> tuple[int, str] | None:
    """How many first rows have mean 0 and deviation 1, or go from 0 to 1, in every column."""
    varied = x[:, x.std(axis=0) > 1e-9]
    if varied.shape[1] < 1 or len(x) < 4:
        return None
    count = np.arange(1, len(x) + 1)[:, None]
    mean = np.cumsum(varied, axis=0) / count
    square = np.cumsum(varied**2, axis=0) / count
    variance = np.maximum(square - mean**2, 0)
    limit = 0.8 * len(x)
    for divisor in (count, np.maximum(count - 1, 1)):
        deviation = np.sqrt(variance * count / divisor)
        good = (np.abs(mean) < 2e-3).all(axis=1) & (np.abs(deviation - 1) < 2e-3).all(axis=1)
        rows = np.flatnonzero(good[2:]) + 3
        if len(rows) and rows[0] <= limit:
            return int(rows[0]), "standardized"
    low, high = np.minimum.accumulate(varied, axis=0), np.maximum.accumulate(varied, axis=0)
    good = (np.abs(low) < 1e-6).all(axis=1) & (np.abs(high - 1) < 1e-6).all(axis=1)
    outside = np.asarray(((varied < -1e-3) | (varied > 1 + 1e-3)).any(axis=1))
    rows = np.flatnonzero(good[1:]) + 2
    if len(rows) and rows[0] <= limit and outside[rows[0] :].mean() > 0.02:
        return int(rows[0]), "scaled to 0 … 1"
    return None


def shape(case: Case) -> Found:
    """Rows of features and targets that do not belong together."""
    parts, y = features_of(case.train), targets_of(case.train)
    if y is None or not parts or not y.ndim:
        return
    x = parts[0]
    if len(x) == len(y) or task_of(case).kind == "none":
        return
    nested = len(x) == 1 and x.ndim > 2 and x.shape[1] == len(y)
    turned = x.ndim == 2 and x.shape[1] == len(y)
    evidence = (Evidence(f"features have shape {x.shape}, targets {y.shape}: rows of features",
                         float(len(x)), f"{len(y)}, as the targets have"),)  # fmt: skip
    text = "Give one target for each row of features."
    if nested:
        text = "Take the extra first axis away: the batch stands in another batch."
    if turned:
        text = "Transpose the features: rows stand in the second axis."
    yield Suspicion("DATA_SHAPE", Place(column="features"), evidence, 1.0,
                    remedies=(remedies.advice(text),))  # fmt: skip


RULES = (shape, scale, subset_statistics)
