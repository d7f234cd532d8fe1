"""How answers change with a column: partial dependence, individual curves, accumulated local
effects, and how far two columns act together; each with the interval that the rows leave open."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.effects.columns import Columns, columns_of
from pellucid.insight.effects.drawing import draw_effect
from pellucid.insight.effects.levels import is_ordered, levels_by_likeness, strongest_likeness
from pellucid.insight.effects.subject import Floats, Subject, Target, subject_of
from pellucid.insight.effects.uncertainty import Interval, resampled_weights
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLOCK = 1 << 15
"""Rows that are asked for at once."""
_DRAWS = 400
_LIKENESS = 0.7
Grid = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Effect:
    """How the answers of a model change with one column, or two.

    ``features`` names the columns, ``grid`` holds their values (points,) for each.  ``average``
    is (outputs, points), with two columns (outputs, points, points); ``interval`` says how far it
    may be off because it rests on ``rows`` rows.  ``individual`` (outputs, rows, points) holds the
    curve of each row, None where there are none.  ``verdict`` says whether to trust it.
    """

    method: str
    features: tuple[str, ...]
    grid: tuple[Grid, ...]
    average: Floats
    interval: Interval
    outputs: tuple[str, ...]
    rows: int
    verdict: Verdict
    individual: Floats | None = None

    def __str__(self) -> str:
        return f"{self.method} of {', '.join(self.features)} ({self.rows:,} rows): {self.verdict}"

    def draw(
        self, path: Any = None, *, output: int = 0, ax: Axes | None = None, rows: int = 0
    ) -> Axes:
        """The curve with its interval, thin lines for ``rows`` of the rows; see
        ``EffectDisplay``."""
        return draw_effect(self, path, output=output, ax=ax, rows=rows)


def partial_dependence(
    model: Any,
    data: Any,
    feature: int | str | Sequence[int | str],
    *,
    target: Target = None,
    grid_resolution: int = 100,
    percentiles: tuple[float, float] = (0.05, 0.95),
    grid: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    compile: bool = True,
) -> Effect:
    """The mean answer where a column has a value: PD(v) = 1/n Σ_i f(x_i with the column set to v),
    with the curve of each row (individual conditional expectation).

    ``model`` is anything that :func:`subject_of` takes, ``data`` the rows (rows, columns), a
    frame, or for a run whatever it predicts; ``feature`` is a column or a pair of columns.  The
    grid is as scikit-learn's: all values where there are fewer than ``grid_resolution``, else so
    many between the ``percentiles``; or ``grid``, for one column.  Returns an :class:`Effect` with
    the ``average`` (outputs, points), its interval over rows and ``individual`` (outputs, rows,
    points); with a pair of columns the average alone.

    The mean hides rows that differ, and combines values that never occur together where the
    columns depend on each other; the verdict looks at both.  (Friedman, "Greedy function
    approximation", 2001; Goldstein and others, "Peeking inside the black box", 2015.)
    """
    subject = subject_of(model, compile=compile)
    columns = columns_of(subject, data, names)
    given = [feature] if isinstance(feature, int | str) else list(feature)
    if not 1 <= len(given) <= 2 or (grid is not None and len(given) > 1):
        raise ArgumentError(
            f"partial_dependence got {len(given)} columns", "Give one, or two and no grid."
        )
    chosen = [columns.name(one) for one in given]
    if grid is not None:
        points = [np.asarray(grid)]
    else:
        points = [_grid(columns, name, grid_resolution, percentiles) for name in chosen]
    found = _answers(subject, columns, chosen, points, target)  # (outputs, rows, points…)
    spread = Interval.of_mean(found, axis=1, level=level)
    single = len(chosen) == 1
    return Effect(
        "partial dependence",
        tuple(chosen),
        tuple(points),
        found.mean(axis=1),
        spread,
        _output_names(subject, target, len(found)),
        len(columns),
        _dependence_verdict(columns, chosen, found, spread),
        found if single else None,
    )


def individual_conditional_expectation(
    model: Any, data: Any, feature: int | str, **settings: Any
) -> Effect:
    """The curve of each row, centred where the grid begins: f(x_i with v) − f(x_i with v_0).

    Arguments are those of :func:`partial_dependence`; ``average`` and interval are those of the
    centred curves, so that what differs between rows from the start does not blur what the column
    does.  (Goldstein and others, 2015, "c-ICE".)
    """
    plain = partial_dependence(model, data, feature, **settings)
    curves = plain.individual
    if curves is None:
        raise ArgumentError("Individual curves take one column", "Give one column.")
    centred = curves - curves[:, :, :1]
    spread = Interval.of_mean(centred, axis=1, level=plain.interval.level)
    return Effect(
        "individual conditional expectation", plain.features, plain.grid, centred.mean(axis=1),
        spread, plain.outputs, plain.rows, plain.verdict, centred,
    )  # fmt: skip


def accumulated_local_effects(
    model: Any,
    data: Any,
    feature: int | str,
    *,
    target: Target = None,
    bins: int = 20,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    seed: int = 0,
    compile: bool = True,
) -> Effect:
    """What the column alone does, without combinations of values that do not occur.

    Between the edges z_k of ``bins`` quantile bins, ALE(z_k) = Σ_{j ≤ k} mean over the rows in bin
    j of f(x with z_j) − f(x with z_{j−1}), shifted so that the mean over the rows is 0.  A
    category has a point for each of its values, in an order of likeness of the rows that have
    them; the step between two neighbours rests on the rows of both.  The interval is a bootstrap
    over rows, which costs no further answers of the model.  Arguments as for
    :func:`partial_dependence`.  (Apley and Zhu, "Visualizing the effects of predictor variables in
    black box supervised learning models", 2020.)
    """
    if bins < 1:
        raise ArgumentError(f"bins={bins}", "Use at least one bin.")
    subject = subject_of(model, compile=compile)
    columns = columns_of(subject, data, names)
    name = columns.name(feature)
    points, rows, steps, counts = _steps(columns, name, bins)
    if len(points) < 2:
        raise ArgumentError(
            f"Column {name!r} has a single value", "There is nothing to compare: leave it out."
        )
    low = _score_with(subject, columns, name, rows, points[steps], target)
    high = _score_with(subject, columns, name, rows, points[steps + 1], target)
    slopes = high - low  # (steps, outputs)
    average = _accumulate(slopes, steps, np.ones((1, len(rows))), counts[None])[0]
    weights = resampled_weights(len(columns), _DRAWS, seed)
    on_points = np.stack([weights[:, at].sum(axis=1) for at in _owners(columns, name, points)], 1)
    draws = _accumulate(slopes, steps, weights[:, rows], on_points)
    spread = Interval.around(average, draws.std(axis=0, ddof=1), level)
    outputs = _output_names(subject, target, len(average))
    verdict = _flat_verdict(average, spread, len(columns), np.bincount(steps))
    return Effect(
        "accumulated local effects", (name,), (points,), average, spread, outputs, len(columns),
        verdict,
    )  # fmt: skip


@dataclass(frozen=True)
class Interaction:
    """How much of the joint effect of two columns is more than the sum of both: ``strength`` (the
    H of Friedman and Popescu, 0 … 1) of each output with ``interval``."""

    features: tuple[str, str]
    strength: Floats
    interval: Interval
    outputs: tuple[str, ...]


def interaction(
    model: Any,
    data: Any,
    features: tuple[int | str, int | str],
    *,
    target: Target = None,
    rows: int = 64,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    seed: int = 0,
    compile: bool = True,
) -> Interaction:
    """How far two columns act together: H² = Σ_i (PD_ab(x_i) − PD_a(x_i) − PD_b(x_i))² / Σ_i
    PD_ab(x_i)², of centred partial dependences at ``rows`` rows drawn from the data.

    0 where the effects add up, 1 where one works through the other alone.  (Friedman and Popescu,
    "Predictive learning via rule ensembles", 2008.)
    """
    subject = subject_of(model, compile=compile)
    columns = columns_of(subject, data, names)
    a, b = (columns.name(one) for one in features)
    random = np.random.default_rng(seed)
    if len(columns) > rows:
        columns = columns.take(np.sort(random.choice(len(columns), rows, replace=False)))
    count = len(columns)
    tables = []
    for moved in ([a, b], [a], [b]):
        others = np.tile(np.arange(count), count)  # the rows whose other columns are kept
        sources = np.repeat(np.arange(count), count)
        found = _blocked(
            subject, columns, target, others, functools.partial(_moved, moved, sources)
        )
        tables.append(found.reshape(count, count, -1))
    weights = np.vstack([np.ones((1, count)), resampled_weights(count, _DRAWS, seed)])
    joint, first, second = (
        np.einsum("wm,imo->wio", weights, table) / weights.sum(axis=1)[:, None, None]
        for table in tables
    )
    joint, first, second = (
        one - np.einsum("wi,wio->wo", weights, one)[:, None] / count
        for one in (joint, first, second)
    )
    rest = np.einsum("wi,wio->wo", weights, (joint - first - second) ** 2)
    whole = np.einsum("wi,wio->wo", weights, joint**2)
    strength = np.sqrt(np.divide(rest, whole, out=np.zeros_like(rest), where=whole > 0))
    outputs = _output_names(subject, target, strength.shape[1])
    return Interaction((a, b), strength[0], Interval.of_draws(strength[1:], 0, level), outputs)


def _moved(names: list[str], sources: Any, columns: Columns, at: Any) -> Columns:
    """Rows ``at`` of the pairs, with some columns taken from their source row."""
    count = len(columns)
    made = columns.take(np.concatenate([at % count, sources[at]]))
    half = np.arange(len(at))
    return made.with_rows(names, np.concatenate([half + len(at), half])).take(half)


# ---- asking ------------------------------------------------------------------------------------


def _answers(
    subject: Subject, columns: Columns, names: list[str], points: list[Grid], target: Target
) -> Floats:
    """f for each row and each point of the grid: (outputs, rows, points…)."""
    count, sizes = len(columns), [len(one) for one in points]
    places = np.arange(math.prod(sizes) * count)
    index = np.unravel_index(places // count, sizes)

    def placed(rows: Columns, at: npt.NDArray[np.int64]) -> Columns:
        made = rows.take(at % count)
        for name, values, where in zip(names, points, index, strict=True):
            made = made.with_values(name, values[where[at]])
        return made

    found = _blocked(subject, columns, target, places, placed)
    shaped = found.reshape(*sizes, count, found.shape[1])
    return np.ascontiguousarray(np.moveaxis(shaped, (-1, -2), (0, 1)))


def _blocked(
    subject: Subject,
    columns: Columns,
    target: Target,
    places: npt.NDArray[np.int64],
    made: Callable[[Columns, npt.NDArray[np.int64]], Columns],
) -> Floats:
    """Scores of rows that are made block by block: (places, outputs that were asked for)."""
    parts = []
    for start in range(0, len(places), BLOCK):
        at = np.arange(start, min(start + BLOCK, len(places)))
        found = subject.scores(made(columns, at).data)
        parts.append(chosen_scores(subject, found, target))
    return np.concatenate(parts)


def chosen_scores(subject: Subject, found: Floats, target: Target) -> Floats:
    """The scores that were asked for, (rows, 1), or all of them."""
    place = subject.position(target, found.shape[1])
    return found if place is None else found[:, [place]]


def _score_with(
    subject: Subject, columns: Columns, name: str, rows: Any, values: Grid, target: Target
) -> Floats:
    return _blocked(
        subject, columns, target, rows, lambda c, at: c.take(rows[at]).with_values(name, values[at])
    )


def _output_names(subject: Subject, target: Target, count: int) -> tuple[str, ...]:
    if target is not None:
        return (target,) if isinstance(target, str) else (f"output {target}",)
    return tuple(subject.name_of(i) for i in range(count))


def _grid(columns: Columns, name: str, resolution: int, shares: tuple[float, float]) -> Grid:
    """The values at which a column is looked at."""
    low, high = shares
    if resolution < 2 or not 0 <= low < high <= 1:
        raise ArgumentError(
            f"grid_resolution={resolution}, percentiles={shares}",
            "Use at least 2 points, and shares of the rows that ascend from 0 to 1.",
        )
    values = columns.values(name)
    if not is_ordered(columns, name):
        return np.array(sorted({v for v in values.tolist() if v is not None}, key=str), object)
    present = np.unique(values[~np.isnan(values.astype(np.float64))])
    if len(present) < 2:
        raise ArgumentError(
            f"Column {name!r} has a single value", "There is nothing to compare: leave it out."
        )
    if len(present) < resolution:
        return present
    numbers = np.sort(values[~np.isnan(values.astype(np.float64))].astype(np.float64))
    ends = [_quantile(numbers, share) for share in (low, high)]
    if ends[0] == ends[1]:
        raise ArgumentError(
            f"Column {name!r} has one value between its {low:.0%} and {high:.0%}",
            "Give wider percentiles, or a grid.",
        )
    return np.linspace(ends[0], ends[1], resolution)


def _quantile(ascending: Floats, share: float) -> float:
    """The quantile between the rows whose plotting positions are (i − 0.4) / (n + 0.2), as
    scikit-learn's grids have it (Cunnane, "Unbiased plotting positions", 1978)."""
    count = len(ascending)
    place = count * share + 0.4 + 0.2 * share
    below = int(np.clip(place, 1, count - 1))
    part = float(np.clip(place - below, 0, 1))
    return float((1 - part) * ascending[below - 1] + part * ascending[below])


def _steps(
    columns: Columns, name: str, bins: int
) -> tuple[Grid, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Points, and for each (row, step between two points) that counts the row and the step; and
    how many rows lie at each point, for the shift to mean 0."""
    values = columns.values(name)
    if not is_ordered(columns, name):
        points = levels_by_likeness(columns, name)
        codes = _codes(values, points)
        up, down = np.flatnonzero(codes < len(points) - 1), np.flatnonzero(codes > 0)
        up = up[codes[up] >= 0]
        rows = np.concatenate([up, down])
        steps = np.concatenate([codes[up], codes[down] - 1])
        return points, rows, steps, np.bincount(codes[codes >= 0], minlength=len(points)) * 1.0
    numbers = values.astype(np.float64)
    rows = np.flatnonzero(np.isfinite(numbers))
    edges = np.unique(np.quantile(numbers[rows], np.linspace(0, 1, bins + 1), method="lower"))
    steps = np.clip(np.searchsorted(edges, numbers[rows], "left") - 1, 0, max(0, len(edges) - 2))
    inside = np.bincount(steps, minlength=max(1, len(edges) - 1)) / 2
    return edges, rows, steps, np.append(inside, 0) + np.append(0, inside)


def _codes(values: Any, points: Grid) -> npt.NDArray[np.int64]:
    place = {value: i for i, value in enumerate(points.tolist())}
    return np.array([place.get(v, -1) for v in values.tolist()], np.int64)


def _owners(columns: Columns, name: str, points: Grid) -> list[npt.NDArray[np.int64]]:
    """For each point the rows whose weight lies there: half of a bin at each of its ends."""
    values = columns.values(name)
    if not is_ordered(columns, name):
        codes = _codes(values, points)
        return [np.flatnonzero(codes == i) for i in range(len(points))]
    numbers = values.astype(np.float64)
    rows = np.flatnonzero(np.isfinite(numbers))
    steps = np.clip(np.searchsorted(points, numbers[rows], "left") - 1, 0, len(points) - 2)
    return [rows[(steps == i) | (steps == i - 1)] for i in range(len(points))]


def _accumulate(slopes: Floats, steps: Any, weights: Floats, at_points: Floats) -> Floats:
    """Curves of weighted steps: (draws, outputs, points), each with mean 0 over its rows."""
    count = int(steps.max()) + 1
    belongs = np.zeros((len(steps), count))
    belongs[np.arange(len(steps)), steps] = 1
    sizes = weights @ belongs  # (draws, steps)
    sums = np.einsum("ws,sk,so->wok", weights, belongs, slopes, optimize=True)
    whole = slopes.T @ belongs / belongs.sum(axis=0)  # where a sample has no row of a step
    means = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], whole)
    curve = np.concatenate([np.zeros((*means.shape[:2], 1)), means.cumsum(axis=-1)], axis=-1)
    shift = (curve * at_points[:, None]).sum(axis=-1) / at_points.sum(axis=-1)[:, None]
    return np.asarray(curve - shift[..., None])


# ---- trust -------------------------------------------------------------------------------------


def _dependence_verdict(
    columns: Columns, names: list[str], found: Floats, spread: Interval
) -> Verdict:
    """Rows that differ, values that do not occur together, and effects smaller than noise."""
    warned = Reasons()
    for name in names:
        other, strength = strongest_likeness(columns, name, set(names))
        if strength > _LIKENESS:
            warned.add(
                f"{name} goes with {other} (correlation {strength:.2f}), so that some of the rows "
                "that were asked for never occur: look at the accumulated local effects"
            )
    flat = found.reshape(len(found), len(columns), -1)
    centred = flat - flat.mean(axis=2, keepdims=True)
    own = (centred**2).mean()
    shared = (centred.mean(axis=1) ** 2).mean()
    if own > 0 and shared < 0.5 * own and len(columns) > 1:
        warned.add(
            f"rows differ: the mean curve is only {shared / own:.0%} of what the column does to "
            "single rows: look at the individual curves"
        )
    _warn_of_noise(warned, found.mean(axis=1), Interval.of_mean(centred, 1, spread.level))
    return warned.verdict()


def _flat_verdict(average: Floats, spread: Interval, rows: int, counts: Any) -> Verdict:
    warned = Reasons()
    if int(counts.min()) < 5:
        warned.add(f"a step rests on {int(counts.min())} rows: use fewer bins, or more rows")
    _warn_of_noise(warned, average, spread)
    return warned.verdict()


def _warn_of_noise(warned: Reasons, average: Floats, spread: Interval) -> None:
    flat = average.reshape(len(average), -1)
    radius = spread.radius.reshape(len(average), -1)
    size = np.ptp(flat, axis=1)
    scale = max(1.0, float(np.abs(flat).max()))
    if not (size > 1e-9 * scale).any():
        warned.add("the column changes nothing")
        return
    share = float((2 * radius.mean(axis=1) / np.where(size > 0, size, np.inf)).min())
    text = f"the interval over the rows is {share:.0%} as wide as the effect"
    if (size > 2 * radius.mean(axis=1)).any():
        warned.support(text)
    else:
        warned.add(f"{text}: use more rows")
