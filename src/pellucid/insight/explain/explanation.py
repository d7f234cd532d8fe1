"""What every method returns: values, what they should sum to, how certain they are, a verdict."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from pellucid.base.errors import ArgumentError, OutOfRangeError
from pellucid.insight.explain import drawing, quality
from pellucid.insight.explain.verdicts import Check, Verdict, Z

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

GAP = 0.05
"""Share of the difference to be explained that the values may miss."""
ERROR = 0.25
"""Sampling error, as a share of the values' own size, up to which they are told apart."""

KINDS = ("contribution", "slope", "map")


@dataclass(eq=False, repr=False)
class Explanation(NDArrayOperatorsMixin):
    """Which inputs a score rests on, and how far that can be trusted.

    ``values`` has one array for each input, shaped like it; an explanation of one input may be
    used as its array: ``np.abs(e)``, ``e[0]``, ``e.shape``, ``e - other``.

    Args:
        method: the method's name, as ``"integrated_gradients"``.
        values: one array for each input.
        names: names of the inputs.
        inputs: the inputs themselves, as arrays.
        target: position of the explained score among each row's outputs in one line, or words.
        output: float64 (rows,), the explained scores.
        baseline: arrays shaped as ``inputs``, or what else the values are measured against.
        baseline_output: float64 (rows,), the scores there.
        kind: ``"contribution"``: the values share out ``output - baseline_output``; ``"slope"``:
            they are derivatives; ``"map"``: they only say where it matters.
        is_complete: whether the method promises that the values sum to that difference.
        standard_error: as ``values``, of values that were sampled.
        seeds: the seeds that random numbers came from.
        settings: the method's settings.
        labels: names of the elements along the last axis of the first input: columns, tokens.
        checks: name → :class:`Check`, filled by :meth:`check`.
    """

    method: str
    values: tuple[Array, ...]
    names: tuple[str, ...] = ("input",)
    inputs: tuple[Array, ...] | None = None
    target: Any = None
    output: Floats | None = None
    baseline: Any = None
    baseline_output: Floats | None = None
    kind: str = "map"
    is_complete: bool = False
    standard_error: tuple[Array, ...] | None = None
    seeds: tuple[int, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    labels: Sequence[str] | None = None
    checks: dict[str, Check] = field(default_factory=dict)
    forward: Any = None
    """The model and its inputs, a :class:`.Forward`, for checks."""
    again: Callable[..., Explanation] | None = None
    """The same explanation with other settings: ``again(model=…, inputs=…, seed=…)``."""
    varies: frozenset[str] = frozenset()
    """Names of the settings that ``again`` takes."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ArgumentError(
                f"an explanation got kind={self.kind!r}", f"use one of {', '.join(KINDS)}"
            )
        self.values = tuple(np.asarray(v) for v in self.values)
        if len(self.names) != len(self.values):
            self.names = tuple(f"input {k}" for k in range(len(self.values)))

    # ---- as an array -------------------------------------------------------------------------

    @property
    def array(self) -> Array:
        """The values of the only input."""
        if len(self.values) != 1:
            raise ArgumentError(
                f"this explanation is of {len(self.values)} inputs: {', '.join(self.names)}",
                "take one of .values",
            )
        return self.values[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = np.asarray(self.array, dtype)
        return found.copy() if copy else found

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        given = [x.array if isinstance(x, Explanation) else x for x in inputs]
        return getattr(ufunc, method)(*given, **kwargs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the only input's values."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """Number of axes of the only input's values."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the only input's values."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.values[0])

    def __getitem__(self, key: Any) -> Any:
        return self.array[key]

    def __iter__(self) -> Any:
        return iter(self.array)

    def tolist(self) -> list[Any]:
        """The only input's values as lists."""
        return list(self.array.tolist())

    def __getattr__(self, name: str) -> Any:
        # What arrays can do: sum, mean, max, astype, reshape, …
        if name.startswith("_") or "values" not in self.__dict__:
            raise AttributeError(name)
        if not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.array, name)

    # ---- error -------------------------------------------------------------------------------

    @property
    def totals(self) -> Floats:
        """The sum of all values of each row, float64 (rows,)."""
        parts = [v.reshape(len(v), -1).sum(1, dtype=np.float64) for v in self.values]
        return np.asarray(np.sum(parts, axis=0))

    @property
    def gap(self) -> Floats | None:
        """What the values miss: output − baseline output − their sum, (rows,).

        None where the method does not promise to sum up.
        """
        if not self.is_complete or self.output is None or self.baseline_output is None:
            return None
        return np.asarray(self.output - self.baseline_output - self.totals)

    @property
    def relative_gap(self) -> float | None:
        """The largest ``|gap|`` of the rows, as a share of what was to be explained.

        A row whose score hardly differs from the baseline's is measured by the size of its values.
        """
        gap = self.gap
        if gap is None or self.output is None or self.baseline_output is None:
            return None
        sizes = np.sum(
            [np.abs(v).reshape(len(v), -1).sum(1, dtype=np.float64) for v in self.values], axis=0
        )
        rounding = 1e-4 * (np.abs(self.output) + np.abs(self.baseline_output))
        difference = np.abs(self.output - self.baseline_output)
        whole = np.maximum(np.maximum(difference, 0.1 * sizes), rounding)
        return float((np.abs(gap) / np.where(whole > 0, whole, 1)).max())

    @property
    def interval(self) -> tuple[tuple[Array, Array], ...] | None:
        """(low, high) of each input's values, 95 %, by their sampling error; None without one."""
        if self.standard_error is None:
            return None
        return tuple(
            (v - Z * e, v + Z * e) for v, e in zip(self.values, self.standard_error, strict=True)
        )

    def check(self, *names: str, seed: int = 0, **settings: Any) -> Explanation:
        """Test the explanation against the model, and keep the results in :attr:`checks`.

        Without names the tests that need nothing but the model's answers; see
        :mod:`pellucid.insight.explain.quality` for all.  Returns itself.
        """
        quality.check(self, names, seed, **settings)
        return self

    def verdict(self) -> Verdict:
        """Trust or do not trust, because …: a plain sentence.

        Trusted is what passed at least one test against the model and failed none.  Where none was
        made and the model is known, :meth:`check` is called first.
        """
        if self.forward is not None and not any(c.faithful for c in self.checks.values()):
            self.check()
        against, towards = self._own_reasons()
        tested = False
        for check in self.checks.values():
            if check.passed is not None:
                (towards if check.passed else against).append(check.text)
                tested = tested or (check.faithful and check.passed)
        if against:
            return Verdict(False, against)
        if not tested:
            return Verdict(False, ["it was never tested against the model", *towards])
        return Verdict(True, towards)

    def _own_reasons(self) -> tuple[list[str], list[str]]:
        """Reasons against and for it that lie in the values themselves."""
        against: list[str] = []
        towards: list[str] = []
        if not all(np.isfinite(v).all() for v in self.values):
            return ["some of its values are not finite"], []
        if not any(v.any() for v in self.values):
            return ["all of its values are 0: it says nothing"], []
        gap = self.relative_gap
        if gap is not None:
            text = f"its values miss {gap:.1%} of the difference that they should sum to"
            (against if gap > GAP else towards).append(text)
        if self.standard_error is not None:
            share = self._error_share()
            text = f"its sampling error is {share:.0%} of the size of its values"
            (against if share > ERROR else towards).append(text)
        return against, towards

    def _error_share(self) -> float:
        errors = np.concatenate([np.ravel(e) for e in self.standard_error or ()])
        values = np.concatenate([np.ravel(v) for v in self.values])
        size = float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))
        return float(np.sqrt(np.mean(errors.astype(np.float64) ** 2))) / size if size else np.inf

    # ---- showing -----------------------------------------------------------------------------

    def __repr__(self) -> str:
        shapes = ", ".join(str(v.shape) for v in self.values)
        gap = self.relative_gap
        told = "" if gap is None else f", gap {gap:.2g}"
        return f"Explanation({self.method}, values {shapes}{told})"

    def to_json(self, **settings: Any) -> str:
        """Everything but the model as JSON text; ``settings`` go to ``json.dumps``.

        Values that are not finite become null.
        """
        found = {
            "method": self.method,
            "kind": self.kind,
            "names": list(self.names),
            "labels": None if self.labels is None else list(self.labels),
            "target": _plain(self.target),
            "values": [_plain(v) for v in self.values],
            "inputs": None if self.inputs is None else [_plain(v) for v in self.inputs],
            "output": _plain(self.output),
            "baseline": _plain(self.baseline),
            "baseline_output": _plain(self.baseline_output),
            "gap": _plain(self.gap),
            "relative_gap": _plain(self.relative_gap),
            "standard_error": _plain(self.standard_error),
            "seeds": list(self.seeds),
            "settings": {k: _plain(v) for k, v in self.settings.items()},
            "checks": {
                name: {
                    "passed": c.passed,
                    "value": _plain(c.value),
                    "limit": _plain(c.limit),
                    "text": c.text,
                }
                for name, c in self.checks.items()
            },
        }
        verdict = self.verdict()
        found["verdict"] = {"trusted": verdict.trusted, "text": str(verdict)}
        return json.dumps(found, allow_nan=False, **settings)

    def strongest(self, row: int = 0, count: int = 10) -> list[tuple[str, float, float | None]]:
        """The largest values of a row: (name, value, standard error or None), by size."""
        self._checked_row(row)
        found: list[tuple[str, float, float | None]] = []
        for place, values in enumerate(self.values):
            flat = values[row].reshape(-1)
            errors = None if self.standard_error is None else self.standard_error[place][row]
            for index in np.argsort(-np.abs(flat), kind="stable")[:count]:
                error = None if errors is None else float(errors.reshape(-1)[index])
                name = self._name_of(place, int(index), values.shape[1:])
                found.append((name, float(flat[index]), error))
        return sorted(found, key=lambda entry: -abs(entry[1]))[:count]

    def _name_of(self, place: int, index: int, shape: tuple[int, ...]) -> str:
        where = tuple(int(i) for i in np.unravel_index(index, shape)) if shape else ()
        if self.labels is not None and place == 0 and where and where[-1] < len(self.labels):
            label = str(self.labels[where[-1]])
            return label if len(where) == 1 else f"{label} {where[:-1]}"
        own = self.names[place] if len(self.names) > 1 else ""
        told = str(where[0]) if len(where) == 1 else str(where) if where else ""
        return f"{own} {told}".strip() or self.names[place]

    def _checked_row(self, row: int) -> None:
        rows = len(self.values[0])
        if not -rows <= row < rows:
            raise OutOfRangeError(f"row {row} of {rows} explained rows", f"use 0 to {rows - 1}")

    def _repr_html_(self) -> str:
        """A table of the strongest values of the first rows, and the verdict, for notebooks."""
        lines = [f"<p><b>{html.escape(self.method)}</b>: {html.escape(self.verdict())}</p>"]
        for row in range(min(len(self), 3)):
            found = self.strongest(row, 8)
            largest = max((abs(v) for _, v, _ in found), default=0.0) or 1.0
            cells = "".join(_html_line(name, value, error, largest) for name, value, error in found)
            score = "" if self.output is None else f", score {self.output[row]:.4g}"
            lines.append(f"<table><caption>row {row}{score}</caption>{cells}</table>")
        return "".join(lines)

    def draw(self, ax: Axes | None = None, path: Any = None, row: int = 0, count: int = 12) -> Axes:
        """One row as a picture: bars of the strongest values, or a map where the input is one.

        Two axes, or three with channels in front, are drawn as a map over the input, red for and
        blue against the score; anything else as bars with intervals.  Into ``ax``, the file
        ``path`` (SVG or PNG), or a new figure.
        """
        self._checked_row(row)
        return drawing.draw(self, ax, path, row, count)


def _html_line(name: str, value: float, error: float | None, largest: float) -> str:
    told = f"{value:+.4g}" + ("" if error is None else f" ± {Z * error:.2g}")
    colour = "#c53030" if value > 0 else "#2b6cb0"
    bar = (
        f'<div style="background:{colour};height:0.8em;width:{100 * abs(value) / largest:.0f}px">'
        "</div>"
    )
    return f"<tr><td>{html.escape(name)}</td><td>{told}</td><td>{bar}</td></tr>"


def _plain(value: Any) -> Any:
    """A value as JSON has it; numbers that are not finite as null."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if hasattr(value, "detach") or isinstance(value, np.ndarray):
        return _plain(
            np.asarray(value.detach().numpy() if hasattr(value, "detach") else value).tolist()
        )
    return str(value)
