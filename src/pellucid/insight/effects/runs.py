"""Why a trained run says what it says of a row of a file: of a table, of pictures, of text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError, OutOfRangeError
from pellucid.data.columns import Table, text_column
from pellucid.data.encodings import AUTO
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.sources import PredictionData, load_for_prediction
from pellucid.insight.effects.columns import RunColumns
from pellucid.insight.effects.subject import Subject, Target, subject_of
from pellucid.insight.effects.tables import (
    DRAWN,
    METHODS,
    chosen_method,
    explain_rows,
    network_of,
    positions_of,
    summed_over_players,
)
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.grouped import GroupedExplanation
from pellucid.insight.explain.players import players_of
from pellucid.tensor.creation import as_tensor

MOST_WORDS = 60
"""Words that are players of their own; longer texts are cut into as many stretches."""
MOST_PIXELS = 100
"""Pixels of a picture that are players of their own; of larger ones patches are."""
_PATCHES = 40
_SAMPLES = 600
_OF_PICTURES = 8192
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, eq=False)
class RowExplanation:
    """Why a run says what it says of one row.

    ``kind`` is ``table``, ``image`` or ``text``; ``output`` names the explained output, ``answer``
    and ``base`` are its value for the row and without knowing it, in the unit of the predictions
    (``probability`` says whether they are probabilities).  ``found`` is the explanation, of
    columns, regions or words; ``words`` one for each column of prose beside it.
    """

    kind: str
    row: int
    task: str
    target: str
    output: str
    predicted: str
    answer: float
    base: float | None
    probability: bool
    background: str
    found: GroupedExplanation
    words: dict[str, GroupedExplanation]
    picture: Any = None


def explain_run(
    run: Any,
    data: Any,
    row: int = 0,
    target: Target = None,
    *,
    method: str = "auto",
    background: Any = None,
    encoding: str = AUTO,
    seed: int = 0,
) -> RowExplanation:
    """Why a run (a folder, or what ``pellucid.train`` returned) says what it says of a row.

    ``data`` is what the run predicts: a file, a frame, pictures.  Of a table the columns share the
    answer out, and the words of each column of prose; of a picture its pixels (up to 100) or about
    40 patches.  ``method`` is as for :func:`explain_rows`; ``background`` are rows whose values
    stand for absent columns, by default those of the data (a picture's are grey: the mean pixel of
    training; words that are absent are left out).
    """
    subject = subject_of(run)
    if subject.preprocessor is None:
        raise ArgumentError("explain_run takes a trained run", "Use explain_rows for other models.")
    found = load_for_prediction(subject.preprocessor, data, subject.saved_task, encoding=encoding)
    count = len(found.features)
    if not -count <= row < count:
        raise OutOfRangeError(f"Row {row} of {count}", f"Use 0 to {count - 1}.")
    row %= count
    if isinstance(subject.preprocessor, ImagePreprocessor):
        return _picture(subject, found, row, target, method, seed)
    return _table(subject, found, row, target, method, background, encoding, seed)


def _facts(subject: Subject, features: Any, target: Target) -> dict[str, Any]:
    answers = subject.scores(features)[0]
    place = int(positions_of(subject, features, target)[0])
    task = subject.saved_task
    is_number = subject.task == "regression"
    best = int(answers.argmax())
    return {
        "task": task.kind,
        "target": ", ".join(map(str, task.targets)),
        "output": subject.name_of(place),
        "predicted": f"{answers[place]:.4g}" if is_number else subject.name_of(best),
        "answer": float(answers[place]),
        "probability": not is_number,
    }


def _table(
    subject: Subject,
    found: PredictionData,
    row: int,
    target: Target,
    method: str,
    background: Any,
    encoding: str,
    seed: int,
) -> RowExplanation:
    preprocessor, table = subject.preprocessor, found.table
    if table is None:
        raise DataError("The data hold no table", "Give the columns of the training data.")
    columns = RunColumns.of(found.features, table, preprocessor)
    others: Any = None
    if background is not None:
        given = load_for_prediction(preprocessor, background, encoding=encoding)
        if given.table is None:
            raise DataError("The background holds no table", "Give the columns of the data.")
        others = RunColumns.of(given.features, given.table, preprocessor)
    shares = explain_rows(
        subject, columns, row, target, method=method, background=others, seed=seed
    )
    facts = _facts(subject, found.features[row : row + 1], target)
    count = len(columns) if others is None else len(others)
    told = "rows" if count > 1 else "means"
    words = {
        plan.column: _words(subject, table, plan.column, row, target, seed)
        for plan in preprocessor.plans
        if plan.kind == "prose" and table[plan.column].text(row)
    }
    base = None if shares.baseline_output is None else float(shares.baseline_output[0])
    base = base if shares.method in METHODS else None
    return RowExplanation(
        kind="text" if len(columns.names) == 1 and words else "table", row=row, base=base,
        background=told, found=shares, words=words, **facts,
    )  # fmt: skip


def _words(
    subject: Subject, table: Table, column: str, row: int, target: Target, seed: int
) -> GroupedExplanation:
    """The words of a text as players: those that are absent are left out of it."""
    preprocessor: Preprocessor = subject.preprocessor
    text = table[column].text(row) or ""
    spans = [match.span() for match in _WORD.finditer(text)]
    if not spans:
        spans = [(0, len(text))]
    if len(spans) == 1 and len(text) > 8:  # written without blanks: characters
        spans = [(i, i + 1) for i in range(len(text))]
    stretches = np.array_split(np.arange(len(spans)), min(len(spans), MOST_WORDS))
    pieces = [text[spans[part[0]][0] : spans[part[-1]][1]] for part in stretches]
    glue = " " if len(spans) > 1 and spans[0][1] < spans[1][0] else ""
    one = {name: table[name].take(np.array([row])) for name in table.columns}

    def answers(present: Any) -> Any:
        masks = plain(present) > 0
        texts: list[str | None] = [
            glue.join(piece for piece, there in zip(pieces, line, strict=True) if there) or None
            for line in masks
        ]
        copies = np.zeros(len(texts), np.int64)
        changed = {name: cells.take(copies) for name, cells in one.items()}
        changed[column] = text_column(column, texts)
        return as_tensor(subject.scores(preprocessor.transform(Table(table.name, changed))))

    there = np.ones((1, len(pieces)), np.float32)
    features = preprocessor.transform(Table(table.name, one))
    places = positions_of(subject, features, target)
    kind = chosen_method("auto", len(pieces), 64)
    extra = {"samples": max(_SAMPLES, 4 * len(pieces)), "seed": seed} if kind in DRAWN else {}
    found: GroupedExplanation = METHODS[kind](
        answers, there, target=places, names=pieces, compile=False, **extra
    )
    return found


def _picture(
    subject: Subject, found: PredictionData, row: int, target: Target, method: str, seed: int
) -> RowExplanation:
    shape = subject.preprocessor.shape
    features = found.features[row : row + 1]
    picture = features.reshape(1, *shape) if len(shape) == 3 else features.reshape(1, *shape, 1)
    first = np.ascontiguousarray(picture.transpose(0, 3, 1, 2))  # (1, channels, height, width)
    small = shape[0] * shape[1] <= MOST_PIXELS
    groups = "pixels" if small else ("segments", _PATCHES)
    places = positions_of(subject, features, target)
    players = players_of([first], groups, ("picture",))
    labels = players.labels[0][0][0]  # (height, width), of the first channel
    flat = np.broadcast_to(labels[..., None], picture.shape[1:]).reshape(1, -1)
    names = [_region(labels == i) for i in range(players.count)]
    kind = chosen_method("kernel_shap" if method == "auto" else method, players.count, 1)
    if kind in METHODS:

        def answers(rows: Any) -> Any:
            return as_tensor(subject.scores(plain(rows)))

        extra = {"seed": seed} if kind in DRAWN else {}
        if kind == "kernel_shap":
            extra["samples"] = _OF_PICTURES
        shares = METHODS[kind](
            answers, features, target=places, groups=flat, names=names, compile=False, **extra
        )
    else:
        network = network_of(subject, kind)
        shares = summed_over_players(kind, network, features, places, flat, names, {})
    facts = _facts(subject, features, target)
    base = float(shares.baseline_output[0]) if kind in METHODS else None
    scaled = (picture[0] * subject.preprocessor.std + subject.preprocessor.mean).clip(0, 1)
    return RowExplanation(
        kind="image", row=row, base=base, background="grey", found=shares, words={},
        picture=(scaled, labels), **facts,
    )  # fmt: skip


def _region(inside: npt.NDArray[np.bool_]) -> str:
    """Where a region lies: its lines and columns of pixels."""
    lines, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    ends = [f"{a[0]}" if a[0] == a[-1] else f"{a[0]}-{a[-1]}" for a in (lines, columns)]
    return f"y {ends[0]}, x {ends[1]}"
