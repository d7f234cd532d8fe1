"""The nearest rows that a model answers otherwise: what would have had to be different."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.effects.columns import Columns, columns_of
from pellucid.insight.effects.levels import is_ordered
from pellucid.insight.effects.subject import Floats, Subject, Target, subject_of
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.verdicts import Verdict

Wanted = Target | tuple[float, float] | Callable[[Floats], Any]
_SOURCES = 2000
_HALVINGS = 20
_SHAKES = 200


@dataclass(frozen=True)
class Change:
    """A column that is different: its value now, and the one that changes the answer."""

    column: str
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = (
            f"{v:.4g}" if isinstance(v, float) else str(v) for v in (self.before, self.after)
        )
        return f"{self.column}: {before} → {after}"


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A row near the one that was asked about, with another answer.

    ``changes`` are the columns that differ, ``row`` the whole row in the form of the data,
    ``answer`` (outputs,) what the model says of it.  ``distance`` is the mean over the columns of
    |change| / spread of the column for numbers and of 0 or 1 for categories (Gower, 1971).
    ``robust`` is the share of rows a tenth of a spread around it that keep the new answer.
    """

    changes: tuple[Change, ...]
    row: Any
    answer: Floats
    distance: float
    robust: float


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """Counterfactuals of one row, the nearest first; ``before`` (outputs,) is the model's answer
    to the row itself."""

    before: Floats
    found: tuple[Counterfactual, ...]
    verdict: Verdict

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, place: int) -> Counterfactual:
        return self.found[place]

    def __str__(self) -> str:
        lines = ["; ".join(map(str, one.changes)) for one in self.found]
        return "\n".join([*lines, str(self.verdict)])


def counterfactuals(
    model: Any,
    data: Any,
    row: int,
    wanted: Wanted = None,
    *,
    rows: Any = None,
    change: Sequence[int | str] | None = None,
    keep: Sequence[int | str] = (),
    count: int = 3,
    names: Sequence[str] | None = None,
    seed: int = 0,
    compile: bool = True,
) -> Counterfactuals:
    """The nearest rows with another answer, in which few columns differ.

    ``row`` is a position in ``rows``, by default in ``data``, which also show which values occur: a
    category takes one of its values, a number one between those of the data.  Only the columns
    ``change`` may differ, by default all but ``keep``.  ``wanted`` is the class the answer should
    be (a position or a name), by default any other one; for numbers (low, high), between which the
    answer should lie; or a function of answers (n, outputs) → bool (n,).

    Rows of the data that have the wanted answer, and mixtures of them with the row, give the first
    candidates; then each column goes back to its own value as long as the answer stays, those
    that cost most first, and numbers go back as far as they can (halving).  Every candidate of
    a round is answered in one batch.  Raises ``ArgumentError`` where nothing in the data, put
    into the columns that may differ, gives the answer.  (Wachter, Mittelstadt and Russell,
    "Counterfactual explanations without opening the black box", 2017; Keane and Smyth, 2020.)
    """
    subject = subject_of(model, compile=compile)
    columns = columns_of(subject, data, names)
    asked = columns if rows is None else columns_of(subject, rows, names)
    if not -len(asked) <= row < len(asked):
        raise ShapeError(f"Row {row} of {len(asked)}", f"Give 0 to {len(asked) - 1}.")
    one = asked.take(np.array([row % len(asked)]))
    before = subject.scores(one.data)[0]
    suits = _suits(subject, wanted, before)
    fixed = {columns.name(c) for c in keep}
    free = [columns.name(c) for c in change] if change is not None else list(columns.names)
    free = [name for name in free if name not in fixed]
    if not free or count < 1:
        raise ArgumentError("No column may change", "Allow at least one with change.")
    search = _Search(subject, columns, one, free, suits, np.random.default_rng(seed))
    found = search.best(count)
    return Counterfactuals(before, tuple(found), _verdict(found, columns, search))


def _suits(subject: Subject, wanted: Wanted, before: Floats) -> Callable[[Floats], Any]:
    if callable(wanted):
        return wanted
    if isinstance(wanted, tuple):
        low, high = (float(end) for end in wanted)
        return lambda answers: (answers[:, 0] >= low) & (answers[:, 0] <= high)
    if subject.task == "regression" or (len(before) == 1 and wanted is None):
        if subject.task == "regression":
            raise ArgumentError(
                "The model predicts numbers, and another number is always near",
                "Say which answer is wanted: wanted=(low, high).",
            )
        middle = 0.0 if subject.module is not None else 0.5
        now = bool(before[0] > middle)
        return lambda answers: (answers[:, 0] > middle) != now
    own = int(before.argmax())
    place = subject.position(wanted, len(before))
    if place is None:
        return lambda answers: answers.argmax(axis=1) != own
    if place == own:
        raise ArgumentError(
            f"The answer is {subject.name_of(own)} already", "Ask for another one with wanted."
        )
    return lambda answers: answers.argmax(axis=1) == place


class _Search:
    """Candidates as values by column, each answered by the model."""

    def __init__(
        self,
        subject: Subject,
        columns: Columns,
        one: Columns,
        free: list[str],
        suits: Callable[[Floats], Any],
        random: Any,
    ) -> None:
        self.subject, self.columns, self.one, self.free = subject, columns, one, free
        self.suits, self.random = suits, random
        self.own = {name: one.values(name)[0] for name in free}
        self.ordered = {name: is_ordered(columns, name) for name in free}
        self.spread = {name: _spread(columns.values(name)) for name in free if self.ordered[name]}

    def rows(self, candidates: list[dict[str, Any]]) -> Columns:
        """The candidates as rows for the model."""
        made = self.one.take(np.zeros(len(candidates), np.int64))
        for name in self.free:
            before = made.values(name)
            values = [candidate[name] for candidate in candidates]
            kind = object if not self.ordered[name] else np.float64
            filled = np.empty(len(values), kind)
            filled[:] = values
            if any(not _same(a, b) for a, b in zip(values, before, strict=True)):
                made = made.with_values(name, filled)
        return made

    def good(self, candidates: list[dict[str, Any]]) -> npt.NDArray[np.bool_]:
        """Which candidates have the wanted answer."""
        if not candidates:
            return np.zeros(0, np.bool_)
        answers = self.subject.scores(self.rows(candidates).data)
        return np.asarray(self.suits(answers), np.bool_).reshape(len(candidates))

    def cost(self, name: str, value: Any) -> float:
        """How far a value is from the row's own."""
        if _same(value, self.own[name]):
            return 0.0
        if not self.ordered[name]:
            return 1.0
        distance = abs(float(value) - float(self.own[name])) / self.spread[name]
        return distance if np.isfinite(distance) else 1.0

    def distance(self, candidate: dict[str, Any]) -> float:
        """The mean cost over all columns of the data."""
        return sum(self.cost(n, v) for n, v in candidate.items()) / len(self.columns.names)

    def best(self, count: int) -> list[Counterfactual]:
        """The nearest candidates with the wanted answer, unlike each other."""
        sources = self._sources()
        if not sources:
            raise ArgumentError(
                f"No values of the data in {', '.join(self.free[:8])} give the wanted answer",
                "Allow more columns to change, or give more data.",
            )
        found: list[dict[str, Any]] = []
        for source in self._varied(sources, 4 * count):
            candidate = self._shortened(self._simplified(source))
            if not any(_alike(candidate, other) for other in found):
                found.append(candidate)
        found.sort(key=lambda c: (self.distance(c), len(self._changed(c))))
        kept: dict[Any, dict[str, Any]] = {}
        for candidate in found:  # of those that differ in numbers alone the nearest
            key = [(n, None if self.ordered[n] else candidate[n]) for n in self._changed(candidate)]
            kept.setdefault(tuple(key), candidate)
        return [self._finished(candidate) for candidate in list(kept.values())[:count]]

    def _varied(self, sources: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
        """The nearest sources, at most three that change the same columns."""
        seen: dict[Any, int] = {}
        kept = []
        for source in sources:
            key = tuple(self._changed(source))
            seen[key] = seen.get(key, 0) + 1
            if seen[key] <= 3:
                kept.append(source)
        return kept[:most]

    def _sources(self) -> list[dict[str, Any]]:
        """Candidates that have the wanted answer, nearest first: single columns set to values of
        the data, and all free columns of rows of the data."""
        candidates: list[dict[str, Any]] = []
        values = {name: self.columns.values(name) for name in self.free}
        for name in self.free:
            candidates += [{**self.own, name: v} for v in self._values(values[name], name)]
        places = np.arange(len(self.columns))
        if len(places) > _SOURCES:
            places = self.random.choice(places, _SOURCES, replace=False)
        candidates += [{n: _item(values[n][i]) for n in self.free} for i in places]
        good = self.good(candidates)
        found = [c for c, is_good in zip(candidates, good, strict=True) if is_good]
        return sorted(found, key=self.distance)

    def _values(self, values: Any, name: str) -> list[Any]:
        if not self.ordered[name]:
            return sorted({v for v in values.tolist() if v is not None}, key=str)[:200]
        present = np.unique(values[np.isfinite(values.astype(np.float64))])
        if len(present) > 50:
            present = np.quantile(present, np.linspace(0, 1, 50), method="nearest")
        return [_item(v) for v in present]

    def _simplified(self, candidate: dict[str, Any]) -> dict[str, Any]:
        """Columns go back to their own value, the dearest that can go first."""
        while True:
            order = sorted(self._changed(candidate), key=lambda n: -self.cost(n, candidate[n]))
            trials = [{**candidate, name: self.own[name]} for name in order]
            good = np.flatnonzero(self.good(trials)) if len(order) > 1 else np.zeros(0, int)
            if not len(good):
                return candidate
            candidate = trials[int(good[0])]

    def _shortened(self, candidate: dict[str, Any]) -> dict[str, Any]:
        """Numbers go back as far as the answer lets them."""
        whole = {name: _are_whole(self.columns.values(name)) for name in self.spread}
        for name in sorted(self._changed(candidate), key=lambda n: -self.cost(n, candidate[n])):
            if not self.ordered[name] or not np.isfinite(float(self.own[name])):
                continue
            start, end = float(self.own[name]), float(candidate[name])
            shares = np.linspace(0, 1, _HALVINGS + 1)[1:]  # the last is where it is now
            for _ in range(3):
                points = start + (end - start) * shares
                points = np.round(points) if whole[name] else points
                good = self.good([{**candidate, name: float(p)} for p in points])
                first = int(np.argmax(good)) if good.any() else len(points) - 1
                below = start if first == 0 else float(points[first - 1])
                if not good.any() or whole[name]:
                    end = float(points[first]) if good.any() else end
                    break
                start, end = below, float(points[first])
            candidate = {**candidate, name: end}
        return candidate

    def _changed(self, candidate: dict[str, Any]) -> list[str]:
        return [name for name in self.free if not _same(candidate[name], self.own[name])]

    def _finished(self, candidate: dict[str, Any]) -> Counterfactual:
        row = self.rows([candidate])
        answer = self.subject.scores(row.data)[0]
        changes = tuple(
            Change(name, _item(self.own[name]), _item(candidate[name]))
            for name in self._changed(candidate)
        )
        shaken = [
            {
                name: value + 0.1 * self.spread[name] * float(self.random.uniform(-1, 1))
                if self.ordered[name] and np.isfinite(float(value))
                else value
                for name, value in candidate.items()
            }
            for _ in range(_SHAKES)
        ]
        robust = float(self.good(shaken).mean()) if self.spread else 1.0
        return Counterfactual(changes, row.data, answer, self.distance(candidate), robust)


def _verdict(found: Sequence[Counterfactual], columns: Columns, search: _Search) -> Verdict:
    reasons = Reasons()
    first = found[0]
    text = f"the nearest one changes {len(first.changes)} of {len(columns.names)} columns"
    if first.robust < 0.35:
        reasons.add(
            f"{text}, and only {first.robust:.0%} of the rows just around it keep the new answer"
        )
    else:
        reasons.support(
            f"{text}, and {first.robust:.0%} of the rows just around it keep the answer"
        )
    return reasons.verdict()


def _spread(values: npt.NDArray[Any]) -> float:
    """The middle half of the values' width, or their deviation, or 1."""
    present = values[np.isfinite(values.astype(np.float64))].astype(np.float64)
    if not len(present):
        return 1.0
    low, high = np.quantile(present, [0.25, 0.75])
    return float(high - low) or float(present.std()) or 1.0


def _are_whole(values: npt.NDArray[Any]) -> bool:
    present = values[np.isfinite(values.astype(np.float64))].astype(np.float64)
    return bool(len(present)) and bool((present == np.round(present)).all())


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    return bool(a == b) or (a != a and b != b)  # NaN is where there is no value


def _alike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return all(_same(a[name], b[name]) for name in a)
