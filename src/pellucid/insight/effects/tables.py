"""Answers about rows of a table, shared out among its columns as they stand in the data."""

from __future__ import annotations

import dataclasses
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
from pellucid.insight.effects.subject import Floats, Subject, Target, subject_of
from pellucid.insight.explain.covering import feature_ablation
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.gradients import input_x_gradient, saliency, smooth_grad
from pellucid.insight.explain.grouped import GroupedExplanation
from pellucid.insight.explain.guided import guided_backprop
from pellucid.insight.explain.integrated import integrated_gradients
from pellucid.insight.explain.lifting import deep_lift
from pellucid.insight.explain.local_lines import lime
from pellucid.insight.explain.players import players_of
from pellucid.insight.explain.relevance import lrp
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
DRAWN = ("kernel_shap", "shapley_sampling", "lime")
"""Those of them that draw samples."""
GRADIENTS: dict[str, Callable[..., Any]] = {
    "saliency": saliency,
    "input_x_gradient": input_x_gradient,
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated_gradients,
    "deep_lift": deep_lift,
    "lrp": lrp,
    "guided_backprop": guided_backprop,
}
"""Methods for networks by name, which look inside."""
BACKGROUND = 100
"""Rows that stand for absent columns, of data with more."""
_ANSWERS = 1_000_000
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
    at most a million answers, else ``kernel_shap``.  Absent columns take the values of the
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
    if len(others) == 1 and background is None:
        form.background = _typical(others, form.background)
    places = positions_of(subject, asked.data, target)
    kind = chosen_method(method, len(columns.names), len(form.background))
    if kind in METHODS:
        settings = {"seed": seed, **settings} if kind in DRAWN else settings
        found: GroupedExplanation = METHODS[kind](
            form.model, form.inputs, target=places, background=form.background,
            groups=form.labels, names=columns.names, compile=compile, **settings,
        )  # fmt: skip
    else:
        found = _by_gradient(subject, kind, form, places, columns.names, settings)
    found.cells = [[_text(asked, row, name) for name in columns.names] for row in range(len(asked))]
    found.settings["outputs"] = [subject.name_of(int(place)) for place in places]
    return found


def _typical(others: Columns, background: Any) -> Any:
    """What stands for absent columns where there is no other row."""
    if not isinstance(others, RunColumns):
        raise ArgumentError(
            "There is no row but the one that is explained",
            "Give a background: rows whose values stand for absent ones.",
        )
    return np.zeros_like(background)  # training means of numbers, categories that are unknown


def _by_gradient(
    subject: Subject,
    method: str,
    form: _Form,
    places: npt.NDArray[np.int64],
    names: Sequence[str],
    settings: dict[str, Any],
) -> GroupedExplanation:
    """A method for networks, whose values are summed over what a column becomes."""
    return summed_over_players(
        method, network_of(subject, method), form.inputs, places, form.labels, names, settings
    )


def network_of(subject: Subject, method: str) -> Any:
    """The network behind a subject, for methods that look into it."""
    if subject.module is None:
        raise ArgumentError(
            f"method={method!r} looks into a network, and there is none",
            f"Use auto or one of {', '.join(METHODS)}.",
        )
    return subject.module


def summed_over_players(
    method: str,
    network: Any,
    inputs: Any,
    places: npt.NDArray[np.int64],
    groups: Any,
    names: Sequence[str] | None,
    settings: dict[str, Any],
) -> GroupedExplanation:
    """The values of any method of ``pellucid.insight.explain`` that takes (model, inputs, target),
    summed over each player's elements: of the network's scores, before their softmax."""
    one = places if _width(network, inputs) > 1 else None  # two classes may be one score
    found = GRADIENTS[method](network, inputs, one, **settings)
    values = np.asarray(found.values[0], np.float64)
    if one is None:
        values = values * np.where(places == 0, -1.0, 1.0).reshape(-1, *[1] * (values.ndim - 1))
    if values.shape != np.shape(inputs):
        raise ArgumentError(
            f"method={method!r} gives values {values.shape} for inputs {np.shape(inputs)}",
            "Use one whose values belong to the inputs, such as integrated_gradients.",
        )
    players = players_of([np.asarray(inputs)], groups, ("input",), names)
    flat = players.labels[0].reshape(-1)
    errors = None
    if found.standard_error is not None:
        squares = np.asarray(found.standard_error[0], np.float64).reshape(len(values), -1) ** 2
        errors = np.sqrt(_summed(squares, flat, players.count))
    return GroupedExplanation(
        **{item.name: getattr(found, item.name) for item in dataclasses.fields(found)},
        shares=_summed(values.reshape(len(values), -1), flat, players.count),
        share_errors=errors,
        players=players,
    )


def _width(network: Any, inputs: Any) -> int:
    """The scores of a row."""
    answers = subject_of(network).scores(np.asarray(inputs)[:1])
    return int(answers.shape[1])


def _summed(values: Floats, labels: Any, count: int) -> Floats:
    return np.stack([np.bincount(labels, row, count) for row in values])


def chosen_method(method: str, players: int, backgrounds: int) -> str:
    """The name of a method; for ``auto`` exact values where they are not too many."""
    if method == "auto":
        fits = players <= 15 and (1 << players) * backgrounds <= _ANSWERS
        return "exact_shapley" if fits else "kernel_shap"
    if method not in METHODS and method not in GRADIENTS:
        known = ", ".join((*METHODS, *GRADIENTS))
        raise ArgumentError(f"method={method!r}", f"Use auto or one of {known}.")
    return method


def positions_of(subject: Subject, rows: Any, target: Target) -> npt.NDArray[np.int64]:
    """The output of each row that is explained: the one asked for, or the largest."""
    answers = subject.scores(rows)
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
