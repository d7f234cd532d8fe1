"""Answers about rows of a table, shared out among its columns as they stand in the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, OutOfRangeError
from pellucid.insight.effects.columns import (
    ArrayColumns,
    Columns,
    FrameColumns,
    RunColumns,
    columns_of,
)
from pellucid.insight.effects.subject import Subject, Target, subject_of
from pellucid.insight.explain.covering import feature_ablation
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.grouped import GroupedExplanation
from pellucid.insight.explain.local_lines import lime
from pellucid.insight.explain.shapley import exact_shapley, kernel_shap, shapley_sampling
from pellucid.tensor.creation import as_tensor

METHODS: dict[str, Callable[..., Any]] = {
    "exact_shapley": exact_shapley,
    "kernel_shap": kernel_shap,
    "shapley_sampling": shapley_sampling,
    "feature_ablation": feature_ablation,
    "lime": lime,
}
"""Methods for columns by name."""
BACKGROUND = 100
"""Rows that stand for absent columns, of data with more."""
_ANSWERS = 500_000
"""So many answers exact values may take where nobody chose a method."""


def explain_rows(
    model: Any,
    data: Any,
    rows: int | Sequence[int] = 0,
    target: Target = None,
    *,
    method: str = "auto",
    background: Any = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    compile: bool = True,
    **settings: Any,
) -> GroupedExplanation:
    """Why a model says what it says of rows of a table: a share for each column.

    ``model`` is a run (its folder, or what ``pellucid.train`` returned), an estimator, a network or
    a function of rows (``subject_of``); ``data`` its rows: a file or frame for a run, a frame or an
    array (rows, columns).  A category is one column, whatever the model makes of it.  ``rows`` are
    positions in the data.  ``target`` is the output: a class by its name or position, None for the
    predicted one (of each row).  ``method`` is ``exact_shapley``, ``kernel_shap``,
    ``shapley_sampling``, ``feature_ablation``, ``lime`` or ``auto``: exact values where they take
    at most half a million answers, else ``kernel_shap``.  Absent columns take the values of the
    rows of ``background`` (data of the same form), by default 100 rows drawn from the data.

    Returns an explanation whose ``shares`` (rows, columns) belong to ``players.names``, with
    ``cells`` as they stand in the data.
    """
    subject = subject_of(model, compile=compile)
    columns = columns_of(subject, data, names)
    chosen = np.atleast_1d(np.asarray(rows, np.int64))
    if not len(chosen) or chosen.min() < -len(columns) or chosen.max() >= len(columns):
        raise OutOfRangeError(
            f"Rows {chosen.tolist()} of {len(columns)}", f"Use 0 to {len(columns) - 1}."
        )
    asked = columns.take(chosen % len(columns))
    others = columns if background is None else columns_of(subject, background, names)
    random = np.random.default_rng(seed)
    if len(others) > BACKGROUND and background is None:
        others = others.take(np.sort(random.choice(len(others), BACKGROUND, replace=False)))
    form = _form(subject, asked, others)
    places = _positions(subject, asked, target)
    kind = _method(method, len(columns.names), len(others))
    if kind != "exact_shapley" and kind != "feature_ablation":
        settings = {"seed": seed, **settings}
    found = METHODS[kind](
        form.model, form.inputs, target=places, background=form.background, groups=form.labels,
        names=columns.names, compile=compile, **settings,
    )  # fmt: skip
    found.cells = [[_text(asked, row, name) for name in columns.names] for row in range(len(asked))]
    found.settings["outputs"] = [subject.name_of(int(place)) for place in places]
    return found  # type: ignore[no-any-return]


def _method(method: str, columns: int, backgrounds: int) -> str:
    if method == "auto":
        fits = columns <= 15 and (1 << columns) * backgrounds <= _ANSWERS
        return "exact_shapley" if fits else "kernel_shap"
    if method not in METHODS:
        raise ArgumentError(f"method={method!r}", f"Use auto or one of {', '.join(METHODS)}.")
    return method


def _positions(subject: Subject, asked: Columns, target: Target) -> npt.NDArray[np.int64]:
    """The output of each row that is explained."""
    answers = subject.scores(asked.data)
    place = subject.position(target, answers.shape[1])
    if place is not None:
        return np.full(len(answers), place, np.int64)
    return np.asarray(answers.argmax(axis=1), np.int64)


class _Form:
    """Rows as arrays that can be mixed, and a model that takes the mixtures."""

    def __init__(self, model: Any, inputs: Any, background: Any, labels: Any) -> None:
        self.model, self.inputs, self.background, self.labels = model, inputs, background, labels


def _form(subject: Subject, asked: Columns, others: Columns) -> _Form:
    if isinstance(asked, ArrayColumns) and isinstance(others, ArrayColumns):
        model = subject.module or _asking(subject, lambda rows: rows)
        given = asked.array, others.array
        if subject.module is not None:
            given = given[0].astype(np.float32), given[1].astype(np.float32)
        return _Form(model, *given, None)
    if isinstance(asked, RunColumns) and isinstance(others, RunColumns):
        labels = np.empty(asked.features.shape[1], np.int64)
        for player, name in enumerate(asked.names):
            labels[asked.places[name]] = player
        model = _asking(subject, lambda rows: rows)
        return _Form(model, asked.features, others.features, labels)
    if isinstance(asked, FrameColumns) and isinstance(others, FrameColumns):
        return _by_position(subject, asked, others)
    raise ArgumentError(
        f"The data are {type(asked).__name__} and the background {type(others).__name__}",
        "Give both in the same form.",
    )


def _asking(subject: Subject, rows_of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The subject as a function of tensors."""
    return lambda rows: as_tensor(subject.scores(rows_of(plain(rows))))


def _by_position(subject: Subject, asked: FrameColumns, others: FrameColumns) -> _Form:
    """A frame's cells as positions of rows, those of the background after the asked ones, so that
    cells of any type can be mixed."""
    cells = {
        name: np.concatenate([asked.values(name), others.values(name)]) for name in asked.names
    }

    def frame_of(places: npt.NDArray[Any]) -> Any:
        base = asked.take(np.zeros(len(places), np.int64))
        for column, name in enumerate(asked.names):
            base = base.with_values(name, cells[name][places[:, column].astype(np.int64)])
        return base.data

    width = len(asked.names)
    inputs = np.repeat(np.arange(len(asked))[:, None], width, axis=1)
    background = np.repeat(len(asked) + np.arange(len(others))[:, None], width, axis=1)
    return _Form(_asking(subject, frame_of), inputs, background, None)


def _text(columns: Columns, row: int, name: str) -> str:
    if isinstance(columns, RunColumns):
        return columns.cell(row, name)
    value = columns.values(name)[row]
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return "" if value is None else str(value)
