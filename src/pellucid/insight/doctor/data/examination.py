"""All that data alone can tell, as a report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pellucid.base.errors import DataError, PellucidError
from pellucid.data.encodings import AUTO
from pellucid.insight.doctor.causes import CAUSES
from pellucid.insight.doctor.data.faults import (
    constant_rule,
    missing_rule,
    mixed_rule,
    outlier_rule,
    scale_rule,
)
from pellucid.insight.doctor.data.labels import label_rule, target_rule
from pellucid.insight.doctor.data.leaks import (
    column_leak_rule,
    group_rule,
    identifier_rule,
    time_rule,
)
from pellucid.insight.doctor.data.material import Material, material_of
from pellucid.insight.doctor.data.parts import features_rule, labels_rule
from pellucid.insight.doctor.data.repeated import copies_rule
from pellucid.insight.doctor.findings import Evidence, Finding, Place, Suspicion
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.report import Report
from pellucid.training.job import one_blas_thread

RULES: tuple[Callable[[Material], Iterator[Suspicion]], ...] = (
    target_rule,
    column_leak_rule,
    copies_rule,
    group_rule,
    time_rule,
    identifier_rule,
    labels_rule,
    features_rule,
    scale_rule,
    label_rule,
    missing_rule,
    mixed_rule,
    outlier_rule,
    constant_rule,
)
"""What is looked at, the gravest first."""

_MANY = 20_000
UNCHANGED = "The data stay as they are; only you can change them."


def examine_data(
    data: object,
    target: Sequence[str] | str = (),
    *,
    validation: object = None,
    test: object = None,
    split: str | None = None,
    task: str | None = None,
    ignore: Collection[str] | str = (),
    text_columns: Collection[str] | str = (),
    image_size: int | None = None,
    separator: str | None = None,
    encoding: str = AUTO,
    prepared: bool = False,
) -> Report:
    """Examines data before anything is learned from them.

    ``data`` is what ``pellucid train`` takes: a file (CSV, JSON lines, Excel, Parquet, Arrow,
    NumPy), a folder of pictures or texts, a data frame, a dict of columns, an array, a pair
    (features, targets) of arrays, a data set or loader.  ``target`` names the columns to predict;
    a pair, pictures and texts need none.  ``validation`` and ``test`` are sources of these parts,
    or ``split`` names a column that says the part of each row.  ``prepared`` says that the numbers
    are what enters the network, so that their scale is judged too.

    Looked for are columns that know the target, identifiers, rows of one group or time in several
    parts; equal and nearly equal rows, pictures and texts; wrong, misaligned, scaled and unequal
    labels; constant columns, missing values, mixed kinds, values far from all others; parts that
    differ; inputs that are not scaled, or twice.  Each finding names the rows to look at
    (``finding.place.rows``, counted as ``report.facts["rows are counted"]`` says).

    Raises as ``load_source`` where the data cannot be read.
    """
    began = time.perf_counter()
    shape = _turned(data)
    if shape is not None:
        return Report([shape], phase="before", seconds=time.perf_counter() - began)
    made = material_of(
        data, target, validation=validation, test=test, split=split, task=task, ignore=ignore,
        text_columns=text_columns, image_size=image_size, separator=separator, encoding=encoding,
        prepared=prepared,
    )  # fmt: skip
    report = examine_material(made)
    report.seconds = time.perf_counter() - began
    return report


def _turned(data: object) -> Finding | None:
    """DATA_SHAPE: a pair whose features have rows where there should be columns."""
    if not (isinstance(data, tuple) and len(data) == 2):
        return None
    shapes = [tuple(getattr(part, "shape", ())) for part in data]
    if not shapes[0] or not shapes[1] or len(shapes[0]) < 2 or shapes[0][0] == shapes[1][0]:
        return None
    count = int(shapes[1][0])
    if count not in shapes[0][1:]:
        return None
    axis = shapes[0].index(count)
    evidence = (Evidence(f"features have shape {shapes[0]}, targets {shapes[1]}"),)
    patch = Patch("code", f"Move axis {axis} of the features to the front: a row for each target.")
    return Finding("DATA_SHAPE", Place(), evidence, 1.0, remedies=(patch,))


def examine_material(data: Material) -> Report:
    """The report on data that have been read."""
    if not len(data):
        raise DataError(f"{data.name} has no rows", "Give data with rows.")
    suspicions: list[Suspicion] = []
    with np.errstate(all="ignore"), _threads(len(data)):
        for rule in RULES:
            suspicions.extend(rule(data))
    task = "" if data.task is None else data.task.kind
    report = Report(ranked(suspicions), task=task, phase="before")
    report.facts = facts_of(data)
    return report


def _threads(rows: int) -> contextlib.AbstractContextManager[object]:
    """One thread for the small matrices of few rows, where there is a way to ask for that."""
    if rows < _MANY:
        with contextlib.suppress(PellucidError):
            return one_blas_thread()
    return contextlib.nullcontext()


def facts_of(data: Material) -> dict[str, object]:
    """What is worth knowing of healthy data too."""
    facts: dict[str, object] = {
        "data": data.name,
        "rows": len(data),
        "columns": len(data.features.columns) if data.pictures is None else 0,
        "rows are counted": "names of files" if data.files else data.counted,
    }
    if data.pictures is not None:
        facts["pictures"] = "×".join(map(str, data.pictures.shape[1:]))
    if data.has_parts:
        counts = [int((data.part == number).sum()) for number in range(3)]
        facts["training, validation, test"] = counts
    if data.task is not None and data.truth is not None:
        facts["target"] = ", ".join(data.task.targets)
        if data.is_classes:
            counts = np.bincount(data.truth[data.known], minlength=len(data.task.classes)).tolist()
            facts["classes"] = dict(zip(data.task.class_names, counts, strict=True))
            facts["always the commonest class"] = max(counts) / max(sum(counts), 1)
    return facts


def ranked(suspicions: Sequence[Suspicion]) -> list[Finding]:
    """Findings, the gravest first; what a stronger one explains is its symptom."""
    codes = {s.cause for s in suspicions if s.strength >= 0.5}
    explained: dict[str, str] = {}
    for cause in codes:
        for other in CAUSES[cause].explains:
            if other in codes and other != cause and cause not in CAUSES[other].explains:
                explained.setdefault(other, cause)
    order = sorted(range(len(suspicions)), key=lambda n: (-round(suspicions[n].strength, 1), n))
    findings = [_finding(suspicions[n]) for n in order if suspicions[n].cause not in explained]
    for suspicion in suspicions:
        root = explained.get(suspicion.cause)
        for number, finding in enumerate(findings):
            if finding.cause == root:
                symptoms = (*finding.symptoms, _finding(suspicion))
                findings[number] = replace(finding, symptoms=symptoms)
                break
    return findings


def _finding(suspicion: Suspicion) -> Finding:
    return Finding(
        suspicion.cause, suspicion.place, suspicion.evidence, suspicion.strength,
        tuple(suspicion.results), suspicion.remedies, unchanged=UNCHANGED,
    )  # fmt: skip
