"""What the quality of a model rests on: columns are shuffled, one by one or in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError, ShapeError
from pellucid.insight.effects.columns import columns_of
from pellucid.insight.effects.drawing import draw_bars
from pellucid.insight.effects.levels import Ranked, strongest_likeness
from pellucid.insight.effects.scores import Score, class_numbers, measured_by
from pellucid.insight.effects.subject import Floats, subject_of
from pellucid.insight.effects.uncertainty import Interval, resampled_weights
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLOCK = 1 << 15
"""Rows that are asked for at once."""
ELEMENTS = 1 << 22
"""Numbers that they may hold."""
_DRAWS = 200
_LIKENESS = 0.8


@dataclass(frozen=True, eq=False)
class Importance:
    """The score that a model loses when columns are shuffled.

    ``features`` names the columns or groups, ``repeats`` (features, repeats) holds what each
    shuffle cost, ``means`` (features,) their means and ``interval`` where these lie if shuffles
    and rows had been others.  ``score`` is the model's own, by ``metric``.  It may be used as the
    array ``repeats``.
    """

    features: tuple[str, ...]
    repeats: Floats
    interval: Interval
    score: float
    metric: str
    rows: int
    verdict: Verdict

    @property
    def means(self) -> Floats:
        """The mean loss of each feature, (features,)."""
        return np.asarray(self.repeats.mean(axis=1))

    @property
    def deviations(self) -> Floats:
        """The deviation between shuffles, (features,)."""
        return np.asarray(self.repeats.std(axis=1))

    @property
    def order(self) -> list[int]:
        """Positions of the features, the most important first."""
        return [int(i) for i in np.argsort(-self.means, kind="stable")]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.repeats, dtype=dtype)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, place: Any) -> Any:
        return self.repeats[place]

    def __getattr__(self, name: str) -> Any:
        # What arrays can do: shape, mean, max, …
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"Importance has no attribute {name!r}")
        return getattr(self.repeats, name)

    def __str__(self) -> str:
        width = max(len(name) for name in self.features)
        lines = [f"{self.metric} {self.score:.4g} on {self.rows:,} rows; lost without:"]
        for i in self.order:
            low, high = self.interval.low[i], self.interval.high[i]
            lines.append(
                f"  {self.features[i]:<{width}}  {self.means[i]:+.4g}  ({low:+.4g} … {high:+.4g})"
            )
        return "\n".join([*lines, str(self.verdict)])

    def draw(self, path: Any = None, *, most: int = 20, ax: Axes | None = None) -> Axes:
        """The features as bars with their intervals, the most important at the top."""
        name = f"{self.metric} lost"
        return draw_bars(self.features, self.means, self.interval, name, path, most, ax)


def permutation_importance(
    model: Any,
    features: Any,
    targets: Any = None,
    score: Score = None,
    repeats: int = 5,
    seed: int = 0,
    *,
    groups: Mapping[str, Sequence[int | str]] | None = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    compile: bool = True,
) -> Importance:
    """How much worse the answers get when a column is shuffled, for each column or group.

    ``model`` is a network, a run, an estimator or a function of rows (``subject_of``),
    ``features`` its rows, of a run the raw columns: a category is one column.  ``targets`` (rows,)
    or (rows, outputs); None for a run whose data have the target column.  ``score`` is a name
    (``accuracy``, ``r2``, ``log_loss``, ``rmse``, ``mse``, ``mae``, ``roc_auc``), a function
    ``(targets, answers) → float`` that is higher for better answers, or None: accuracy for
    classes, R² for numbers.  The columns of one of ``groups`` are shuffled together, so that what
    they say alike is missed once; columns in no group stand alone.

    Returns the score lost with an interval over shuffles and rows (percentile bootstrap of the
    paired difference).  Near 0 means that the model does without the column, or has another one
    that says the same, which the verdict names.  (Breiman, "Random forests", 2001; Fisher, Rudin
    and Dominici, 2019.)  Raises ``NonFiniteError`` for answers or scores that are no numbers.
    """
    if repeats < 1:
        raise ArgumentError(f"repeats={repeats}", "Shuffle at least once.")
    subject = subject_of(model, compile=compile)
    columns = columns_of(subject, features, names)
    wanted = _targets_of(columns, targets)
    if len(columns) != len(wanted) or len(columns) < 2:
        raise ShapeError(
            f"permutation_importance got {len(columns)} rows and {len(wanted)} targets",
            "Give one target for each of at least 2 rows.",
        )
    wanted = class_numbers(subject, wanted)
    answers = subject.scores(columns.data)
    measure = measured_by(score, subject, wanted, answers)
    before = measure.once(wanted, answers)
    parts = _parts(columns, groups)
    draws = resampled_weights(len(columns), _DRAWS, seed + 1)
    own = measure.of(wanted, answers, draws)
    lost = np.empty((len(parts), repeats))
    drawn = np.empty((len(parts), _DRAWS))
    for place, repeat, found in _shuffled_answers(subject, columns, parts, repeats, seed):
        mine = slice(repeat, None, repeats)  # each draw of rows has one of the shuffles
        whole, drawn_of = measure.with_draws(wanted, found, draws[mine])
        lost[place, repeat] = before - whole
        drawn[place, mine] = own[mine] - drawn_of
    spread = _interval(drawn, level)
    return Importance(
        tuple(parts), lost, spread, before, measure.name, len(columns),
        _verdict(columns, parts, lost, spread, measure.name, before),
    )  # fmt: skip


def _shuffled_answers(
    subject: Any, columns: Any, parts: Mapping[str, list[str]], repeats: int, seed: int
) -> Iterator[tuple[int, int, Floats]]:
    """(number of the part, of the repeat, the answers (rows, outputs) with its columns shuffled);
    as many shuffles at once as make a block of rows."""
    count, random = len(columns), np.random.default_rng(seed)
    together = max(1, min(BLOCK // count, ELEMENTS // (count * max(1, len(columns.names)))))
    asked = [(place, repeat) for place in range(len(parts)) for repeat in range(repeats)]
    members = list(parts.values())
    for start in range(0, len(asked), together):
        block = asked[start : start + together]
        draws = [(members[place], random.permutation(count)) for place, _ in block]
        answers = subject.scores(columns.shuffled(draws).data)
        for number, (place, repeat) in enumerate(block):
            yield place, repeat, answers[number * count : (number + 1) * count]


def _interval(drawn: Floats, level: float) -> Interval:
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.nanquantile(drawn, ends, axis=1)
    return Interval(np.asarray(low), np.asarray(high), level)


def _targets_of(columns: Any, targets: Any) -> npt.NDArray[Any]:
    found = getattr(columns, "targets", None) if targets is None else targets
    if found is None:
        raise DataError(
            "permutation_importance got no targets",
            "Give the right answers; of a run, data with the target column in every row.",
        )
    return np.asarray(found.detach().numpy() if hasattr(found, "detach") else found)


def _parts(columns: Any, groups: Mapping[str, Sequence[int | str]] | None) -> dict[str, list[str]]:
    """The columns of each group by its name, and the others alone."""
    found = {name: [columns.name(c) for c in members] for name, members in (groups or {}).items()}
    if any(not members for members in found.values()):
        raise ArgumentError("A group has no columns", "Give at least one column for each group.")
    grouped = {name for members in found.values() for name in members}
    return found | {name: [name] for name in columns.names if name not in grouped}


def _verdict(
    columns: Any,
    parts: Mapping[str, list[str]],
    lost: Floats,
    spread: Interval,
    metric: str,
    before: float,
) -> Verdict:
    reasons = Reasons()
    if metric in ("r2", "accuracy", "roc_auc") and before <= {"roc_auc": 0.5}.get(metric, 0.0):
        reasons.add(f"the model itself is useless ({metric} {before:.3g})")
    largest = float(np.abs(lost.mean(axis=1)).max())
    ranked: Ranked = {}
    for name, members in parts.items():
        if len(parts) > 1 and len(members) == 1:
            other, strength = strongest_likeness(columns, members[0], set(members), ranked)
            if strength > _LIKENESS and other in parts:
                reasons.add(
                    f"{name} and {other} say nearly the same (correlation {strength:.2f}) and hide "
                    "each other: shuffle them as a group"
                )
                break
    told = int((spread.low > 0).sum())
    text = f"{told} of {len(parts)} losses are above 0 with their whole interval"
    if told or largest == 0:
        reasons.support(text)
    else:
        reasons.add(f"{text}: use more rows or more repeats")
    return reasons.verdict()
