"""What is explained: a model of any kind as a function from rows to finite scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    NonFiniteError,
    ShapeError,
)
from pellucid.insight.explain.forward import plain, position
from pellucid.insight.explain.programs import kept
from pellucid.nn.module import Module
from pellucid.tensor.creation import as_tensor
from pellucid.training.batches import leaves, mapped
from pellucid.training.calibration import both_classes
from pellucid.training.inference import Scorer, block_for
from pellucid.training.job import RunResult
from pellucid.training.network import predictions_of
from pellucid.training.stored_run import StoredRun, restore

T = TypeVar("T")
LARGE = 8192
"""Rows that go through a network at once where there are many."""
Floats = npt.NDArray[np.float64]

Target = int | str | tuple[int, ...] | None
"""Which score is explained: its position among the model's outputs (with several axes a tuple), its
name (a class), or None for all of them."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model as explanations see it.

    ``scores(rows)``: rows as the model takes them → float64 (rows, outputs), all finite.
    ``shape`` is that of one row's answer, ``outputs`` the names of the scores where they have
    some, ``module`` the network where it is one, ``task`` the kind of task where it is known,
    ``preprocessor`` what turns a run's table into features and ``saved_task`` what a run predicts.
    """

    predict: Callable[[Any], Any]
    module: Module | None = None
    outputs: tuple[str, ...] = ()
    task: str = ""
    preprocessor: Any = None
    saved_task: Any = None
    compile: bool = True
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def scores(self, rows: Any) -> Floats:
        """The model's answers (rows, outputs).  Raises ``NonFiniteError`` for NaN and infinity,
        with the row."""
        count = row_count(rows)
        found = plain(self.predict(rows))
        if found.ndim == 0 or len(found) != count:
            raise ShapeError(
                f"The model gave answers of shape {found.shape} for {count} rows",
                "Let it give one answer, or several, for each row.",
            )
        answers = np.asarray(found, np.float64)
        self.shapes[:] = [answers.shape[1:]]
        flat = answers.reshape(count, -1)
        if not np.isfinite(flat).all():
            row = int(np.argmin(np.isfinite(flat).all(axis=1)))
            raise NonFiniteError(
                f"The model gives NaN or infinity (first for row {row} of what it was asked)",
                "There is nothing to explain before that is mended: look at the features and at "
                "the weights (pellucid.insight.find_first_nonfinite).",
            )
        return flat

    def position(self, target: Target, width: int) -> int | None:
        """The place of ``target`` among ``width`` scores of a row; None for all of them."""
        if target is None:
            return None
        if isinstance(target, str):
            if target not in self.outputs:
                known = ", ".join(self.outputs) or f"positions from 0 to {width - 1}"
                raise ArgumentError(f"There is no output {target!r}", f"Choose among {known}.")
            return self.outputs.index(target)
        return position(target, self.shapes[0] if self.shapes else (width,))

    def name_of(self, output: int) -> str:
        """The name of an output, or its number."""
        return self.outputs[output] if output < len(self.outputs) else f"output {output}"


def row_count(rows: Any) -> int:
    """The number of rows of arrays, tables, frames, or several of them."""
    if hasattr(rows, "__len__") and not isinstance(rows, tuple | dict):
        return len(rows)
    return len(next(leaves(rows)))


def block_of(rows: T, at: Any) -> T:
    """The rows ``at`` (a slice or positions) of arrays, as tensors."""
    return mapped(mapped(rows, itemgetter(at)), as_tensor)


def subject_of(model: Any, *, compile: bool = True) -> Subject:
    """What a model is, as a function from rows to scores.

    ``model`` is a network (its scores in evaluation mode, compiled unless ``compile=False``); a
    trained run: its folder, what ``pellucid.train`` returned or ``read_run`` read (probabilities,
    or numbers in the units of the data, of its table's raw columns); an estimator with
    ``predict_proba`` or ``predict``; or a function of rows.
    """
    if isinstance(model, Subject):
        return model
    if isinstance(model, Module):
        return Subject(_in_blocks(model, compile), model, compile=compile)
    if isinstance(model, RunResult | StoredRun | str | os.PathLike):
        return _run_subject(model, compile)
    if hasattr(model, "predict_proba"):
        names = getattr(model, "classes_", ())
        outputs = tuple(map(str, names)) if _are_names(names) else ()
        return Subject(model.predict_proba, None, outputs, "classes")
    if hasattr(model, "predict"):
        return Subject(model.predict, None, (), "regression")
    if callable(model):
        return Subject(model)
    raise ArgumentTypeError(
        f"There is no way to ask {type(model).__name__} for an answer",
        "Give a network, a run, an estimator with predict, or a function of rows.",
    )


def _in_blocks(model: Module, compile: bool) -> Callable[[Any], Any]:
    """The scores of a network: few rows in one size of block, which the first call decides, many
    in a larger one; programs of each size are kept for the next explanation."""
    known: list[Scorer] = []

    def scorer(block: int) -> Scorer:
        key = ("scores", compile, block)
        found: Scorer = kept(model, key, lambda: Scorer(model, compile=compile, block=block))
        return found

    def ask(rows: Any) -> Any:
        count = row_count(rows)
        if count >= 2 * LARGE:
            return scorer(LARGE)(rows)
        if not known:
            known.append(scorer(block_for(count)))
        return known[0](rows)

    return ask


def _are_names(names: Any) -> bool:
    return bool(len(names)) and not isinstance(names[0], np.ndarray | list)


def _run_subject(run: Any, compile: bool) -> Subject:
    """A trained run: features of its preprocessor in, predictions in the user's terms out."""
    if isinstance(run, str | os.PathLike):
        saved, network = restore(run)
    elif isinstance(run, RunResult):
        saved, network = run.saved_model(), run.model
    else:
        if run.model is None:
            raise ArgumentError(
                f"The run {run.folder} has no weights that can be read", "Train it again."
            )
        saved, network = run.saved, run.model
    task, scorer = saved.task, Scorer(network, compile=compile and saved.config.compile)
    temperature = 1.0 if saved.calibration is None else saved.calibration.temperature

    def predict(features: Any) -> Floats:
        values = predictions_of(task, scorer(features), saved.target_scaler, temperature)
        return both_classes(task, values) if task.kind in ("binary", "multiclass") else values

    names: Sequence[str] = task.targets if task.kind == "regression" else task.class_names
    kind = "regression" if task.kind == "regression" else "classes"
    kind = "labels" if task.kind == "multilabel" else kind
    outputs = tuple(map(str, names))
    return Subject(predict, network, outputs, kind, saved.preprocessor, task, compile)


def as_rows(data: T) -> T:
    """Tensors and lists as arrays; tables, frames and functions' own forms as they are."""
    made: Any = data
    if isinstance(data, tuple | dict):
        made = mapped(data, as_rows)
    elif hasattr(data, "detach"):
        made = plain(data)
    elif isinstance(data, list):
        made = np.asarray(data)
    found: T = made
    return found
