"""Cross-validation: k networks, each tested on the part of the rows that the others learn from.

Every row is a test row once, so that a small table is measured on all of its rows, and the spread
of the folds says how far one figure can be trusted.  Rows of one group stay together; rows in an
order are always tested by networks that saw earlier ones only (``pellucid.data.cuts``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.phrases import Setting
from pellucid.data.columns import Table
from pellucid.data.memory import from_memory, is_frame
from pellucid.data.picture_sources import LABEL
from pellucid.training.config import TrainingConfig
from pellucid.training.events import Listener
from pellucid.training.run import Job, Outcome, Report
from pellucid.training.run_folder import default_target
from pellucid.training.showing import metric_name, table_html
from pellucid.training.side_by_side import SideBySide


@dataclass(frozen=True, eq=False)
class Folds:
    """What k networks reached.

    ``outcomes`` are their runs in the order of the folds.  ``figures`` holds, by model (the
    ``network`` and the simple models beside it) and metric, the values on the test rows (folds,).
    """

    outcomes: tuple[Outcome, ...]
    figures: Mapping[str, Mapping[str, npt.NDArray[np.float64]]]

    def summary(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Mean and standard deviation (divisor k - 1) by model and metric."""
        return {
            model: {name: (float(v.mean()), _deviation(v)) for name, v in values.items()}
            for model, values in self.figures.items()
        }

    def _repr_html_(self) -> str:
        """Mean and standard deviation in a notebook, a column for each model."""
        found = self.summary()
        names = dict.fromkeys(name for figures in found.values() for name in figures)
        rows = [
            [metric_name(name), *(_spread(f.get(name)) for f in found.values())] for name in names
        ]
        title = f"{len(self.outcomes)} folds: mean ± standard deviation"
        return table_html(["", *found], rows, title)


def _spread(found: tuple[float, float] | None) -> str:
    return "–" if found is None else f"{found[0]:.4g} ± {found[1]:.2g}"


def _deviation(values: npt.NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def cross_validate(
    source: object,
    targets: Sequence[str] | str = (),
    config: TrainingConfig | None = None,
    *,
    folds: int = 5,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    loading: Mapping[str, Any] | None = None,
    listeners: Iterable[Listener] = (),
    report: Report | None = None,
    word: Callable[[Setting], str] = str,
    settings_text: str = "",
    **settings: Any,
) -> Folds:
    """Trains ``folds`` networks; run ``fold-1`` … are written into the folder ``output``.

    The arguments are those of ``pellucid.training.run.train`` and ``Job``.  What is learned from
    data (encodings, scales, when to stop) is learned in every fold anew from its training rows.
    Small networks of one shape are trained together, each as it is alone.  Stops after a fold that
    was interrupted, and those that were trained with it.  Raises as ``train``, and
    ``ArgumentError`` for fewer than two folds.

    >>> cross_validate("table.csv", "kind", folds=5).summary()["network"]    # doctest: +SKIP
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ArgumentError(f"folds={folds!r}", "Give a whole number from 2 up.")
    if config is not None:
        config = TrainingConfig(**{**vars(config), **settings})
    named = isinstance(source, str | os.PathLike)
    if not named:
        paired = not isinstance(source, Mapping | Table) and not is_frame(source)
        source = from_memory(source)  # rows of a generator come only once
        if not targets and paired and isinstance(source, Table):
            targets = LABEL
    name = Path(str(source)).stem if named else "table"
    place = Path(os.path.abspath(default_target(name) if output is None else output))
    jobs = [
        Job(
            source,
            targets,
            config,
            output=place / f"fold-{number}",
            overwrite=overwrite,
            loading={**(loading or {}), "fold": (number, folds)},
            listeners=listeners,
            report=report,
            word=word,
            settings_text=settings_text,
            settings=settings,
        )
        for number in range(1, folds + 1)
    ]
    together = SideBySide()
    together.join(jobs)
    outcomes: list[Outcome] = []
    for number, job in enumerate(jobs):
        interrupted = any(outcome.signal for outcome in outcomes)
        if not interrupted or together.is_trained(number):
            outcomes.append(job.run())
    return Folds(tuple(outcomes), _figures(outcomes))


def _figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """The test metrics by model and name."""
    found: dict[str, dict[str, list[float]]] = {}
    for outcome in outcomes:
        result = outcome.result
        models = {"network": result.figures.get("test")}
        if result.baselines is not None:
            for simple in (result.baselines.constant, result.baselines.linear):
                models[simple.name] = simple.test
        for model, measured in models.items():
            for name, value in (measured.values if measured is not None else {}).items():
                found.setdefault(model, {}).setdefault(name, []).append(value)
    return {
        model: {name: np.array(listed) for name, listed in values.items()}
        for model, values in found.items()
    }
