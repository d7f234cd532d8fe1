"""What parts of a network are worth: switch them off and measure what is lost, with its interval.

Parts are whole layers, units (channels) of layers, heads of attention, and columns of the input.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ArgumentTypeError, NonFiniteError, ShapeError
from pellucid.insight.effects.columns import columns_of
from pellucid.insight.effects.drawing import draw_bars
from pellucid.insight.effects.levels import is_ordered
from pellucid.insight.effects.scores import Measured, Score, measured_by
from pellucid.insight.effects.subject import (
    Floats,
    Subject,
    as_rows,
    block_of,
    row_count,
    subject_of,
)
from pellucid.insight.effects.uncertainty import Interval, checked_level, resampled_weights
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.verdicts import Verdict
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.creation import as_tensor
from pellucid.training.batches import applied

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("layers", "units", "heads", "features")
FILLS = ("mean", "zero", "skip")
_DRAWS = 200
_ROWS = 1024


@dataclass(frozen=True, order=True)
class Part:
    """Something that can be switched off: a layer's path in the model, or a column; ``index`` is
    the unit or head in it, -1 for all of it."""

    place: str
    index: int = -1

    def __str__(self) -> str:
        return self.place if self.index < 0 else f"{self.place}[{self.index}]"


@dataclass(frozen=True, eq=False)
class Ablation:
    """What a model loses without each of its parts.

    ``lost`` (parts,) is the score with everything less the score without the part, ``interval``
    where that lies if the rows had been others (bootstrap of the paired difference).  ``fill`` says
    what stood in the part's place.
    """

    kind: str
    parts: tuple[Part, ...]
    lost: Floats
    interval: Interval
    score: float
    metric: str
    rows: int
    fill: str
    verdict: Verdict

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def order(self) -> list[int]:
        """Positions of the parts, the most important first."""
        return [int(i) for i in np.argsort(-self.lost, kind="stable")]

    def spare(self, tolerance: float = 0.0) -> list[Part]:
        """The parts without which, one at a time, the score falls by at most ``tolerance`` with
        the whole interval; least missed first."""
        found = np.flatnonzero(self.interval.high <= tolerance)
        return [self.parts[i] for i in found[np.argsort(self.lost[found], kind="stable")]]

    def __str__(self) -> str:
        lines = [f"{self.metric} {self.score:.4g} on {self.rows:,} rows; lost without:"]
        for i in self.order[:20]:
            low, high = self.interval.low[i], self.interval.high[i]
            lines.append(f"  {self.parts[i]}  {self.lost[i]:+.4g}  ({low:+.4g} … {high:+.4g})")
        if len(self.parts) > 20:
            lines.append(f"  and {len(self.parts) - 20} more")
        return "\n".join([*lines, str(self.verdict)])

    def draw(self, path: Any = None, *, most: int = 20, ax: Axes | None = None) -> Axes:
        """The parts as bars with their intervals, the most important at the top."""
        names = [str(part) for part in self.parts]
        return draw_bars(names, self.lost, self.interval, f"{self.metric} lost", path, most, ax)


def ablate(
    model: Any,
    data: Any,
    targets: Any,
    kind: str = "layers",
    *,
    score: Score = None,
    layers: Sequence[str] | None = None,
    fill: str = "mean",
    level: float = 0.95,
    seed: int = 0,
    compile: bool = True,
) -> Ablation:
    """The score that a network loses when parts of it are switched off, one at a time.

    ``model`` is a ``Module`` (with ``kind="features"`` anything that :func:`subject_of` takes),
    ``data`` and ``targets`` the rows to measure on: arrays, or several inputs in a tuple or
    dictionary.  ``kind`` is ``"layers"`` (modules without modules inside, or those that ``layers``
    names, blocks too), ``"units"`` (the outputs of linear, convolutional and recurrent layers, the
    last one excepted; of ``layers`` where it is given), ``"heads"`` (of ``MultiheadAttention``) or
    ``"features"`` (columns).  What stands in the place of a part: ``fill="mean"`` its mean output
    over the rows, which takes all it says and leaves the scale, ``"zero"``, or ``"skip"`` the
    input of a layer whose output has the same shape.  Heads are always filled with zeros.

    ``score`` is as for :func:`permutation_importance`; a function gets the answers in the model's
    own shape.  Every part runs in one compiled program, whose masks change.  The model is as before
    afterwards.
    """
    if kind not in KINDS or fill not in FILLS:
        raise ArgumentError(
            f"kind={kind!r}, fill={fill!r}",
            f"Use a kind among {', '.join(KINDS)} and a fill among {', '.join(FILLS)}.",
        )
    subject = subject_of(model, compile=compile)
    wanted = plain(targets)
    if kind == "features":
        return _without_columns(subject, data, wanted, score, level, seed)
    if subject.module is None or subject.preprocessor is not None:
        raise ArgumentTypeError(
            f"kind={kind!r} looks inside of a network and was given {type(model).__name__}",
            "Give the Module itself, and its features as they go in.",
        )
    rows = as_rows(data)
    if row_count(rows) != len(wanted):
        raise ShapeError(
            f"{row_count(rows)} rows and {len(wanted)} targets", "Give a target for each row."
        )
    switches = Switches(subject.module, rows, kind, layers, fill, compile)
    with switches.installed():
        found = Measuring(subject, wanted, score, switches.answers(None), level, seed)
        for part in switches.parts:
            found.add(switches.answers(part))
    return found.ablation(kind, switches.parts, fill if kind != "heads" else "zero")


class Measuring:
    """What is lost, part by part."""

    def __init__(
        self, subject: Subject, targets: Any, score: Score, whole: Any, level: float, seed: int
    ) -> None:
        self.targets, self.level = targets, level
        self.shape, flat = whole.shape, _flat(whole)
        measure = measured_by(_shaped_score(score, whole.shape), subject, targets, flat)
        self.measure: Measured = measure
        self.before = measure.once(targets, flat)
        self.draws = resampled_weights(len(flat), _DRAWS, seed)
        self.own = measure.of(targets, flat, self.draws)
        self.lost: list[float] = []
        self.drawn: list[Floats] = []

    def add(self, answers: Any) -> None:
        """The answers without the next part."""
        flat = _flat(answers)
        self.lost.append(self.before - self.measure.once(self.targets, flat))
        self.drawn.append(self.own - self.measure.of(self.targets, flat, self.draws))

    def interval(self) -> Interval:
        """Where the losses lie if the rows had been others."""
        ends = [(1 - checked_level(self.level)) / 2, (1 + self.level) / 2]
        low, high = np.nanquantile(np.array(self.drawn), ends, axis=1)
        return Interval(np.asarray(low), np.asarray(high), self.level)

    def ablation(self, kind: str, parts: Sequence[Part], fill: str) -> Ablation:
        """The result."""
        spread = self.interval()
        low, high = spread.low, spread.high
        reasons = Reasons()
        told = int(((low > 0) | (high < 0)).sum())
        text = f"{told} of {len(parts)} losses differ from 0 with their whole interval"
        if told:
            reasons.support(text)
        else:
            reasons.add(f"{text}: use more rows")
        return Ablation(
            kind, tuple(parts), np.array(self.lost), spread, self.before,
            self.measure.name, len(self.targets), fill, reasons.verdict(),
        )  # fmt: skip


def _flat(answers: Any) -> Floats:
    found = np.asarray(answers, np.float64).reshape(len(answers), -1)
    if not np.isfinite(found).all():
        raise NonFiniteError(
            "The model gives NaN or infinity", "Look at the features and the weights of the model."
        )
    return found


def _shaped_score(score: Score, shape: tuple[int, ...]) -> Score:
    """A function of the user's gets answers in the model's own shape."""
    if not callable(score):
        return score

    @functools.wraps(score)
    def shaped(targets: Any, answers: Any) -> float:
        return float(score(targets, np.asarray(answers).reshape(-1, *shape[1:])))

    return shaped


def _without_columns(
    subject: Subject, data: Any, targets: Any, score: Score, level: float, seed: int
) -> Ablation:
    columns = columns_of(subject, data)
    found = Measuring(subject, targets, score, subject.scores(columns.data), level, seed)
    for name in columns.names:
        values = columns.values(name)
        if is_ordered(columns, name) and len(set(values.tolist())) > 2:
            neutral: Any = np.nanmean(values.astype(np.float64))
        else:
            kinds, counts = np.unique(values.astype(str), return_counts=True)
            commonest = kinds[counts.argmax()]
            neutral = values[np.argmax(values.astype(str) == commonest)]
        fixed = np.full(len(columns), neutral, object if values.dtype == object else None)
        found.add(subject.scores(columns.with_values(name, fixed).data))
    return found.ablation("features", [Part(name) for name in columns.names], "mean")


# ---- switches ----------------------------------------------------------------------------------


class Switches:
    """Hooks that switch parts of a module off, and the program that runs with them."""

    def __init__(
        self,
        model: Module,
        rows: Any,
        kind: str,
        layers: Sequence[str] | None,
        fill: str,
        compile: bool,
    ) -> None:
        self.model, self.kind, self.fill = model, kind, fill
        self.rows = rows
        self.modules = _chosen_modules(model, kind, layers)
        self.keep: dict[str, Any] = {}
        self.fills: dict[str, Any] = {}
        self.axes: dict[str, int] = {}
        self._now: dict[str, Any] = {}
        self._program = compile_function(self._run) if compile else self._run
        self.parts: list[Part] = []

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Hooks for the time of the measurement."""
        if self.kind == "heads":
            self.parts = [Part(n, h) for n, m in self.modules.items() for h in range(m.num_heads)]
            yield
            return
        self._look()
        handles = [
            module.register_forward_hook(functools.partial(self._switch, name))
            for name, module in self.modules.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _look(self) -> None:
        """The means and the shapes of the outputs, and with them the parts."""
        sums: dict[str, Any] = {}
        order: list[str] = []
        alike: set[str] = set()

        def note(name: str, module: Module, args: Any, output: Any) -> None:
            value = plain(_first(output)).astype(np.float64)
            if name not in sums:
                order.append(name)
            sums[name] = sums.get(name, 0.0) + value.sum(axis=0, keepdims=True)
            if args and hasattr(args[0], "shape") and tuple(args[0].shape) == value.shape:
                alike.add(name)

        handles = [
            module.register_forward_hook(functools.partial(note, name))
            for name, module in self.modules.items()
        ]
        count = row_count(self.rows)
        try:
            with evaluation(self.model), no_grad():
                for start in range(0, count, _ROWS):
                    part = block_of(self.rows, slice(start, start + _ROWS))
                    applied(self.model, part)
        finally:
            for handle in handles:
                handle.remove()
        if self.kind == "units" and len(order) > 1:
            order = order[:-1]  # the units of the last layer are the answers
        if self.fill == "skip":
            order = [name for name in order if name in alike]
        self.modules = {name: self.modules[name] for name in order}
        self._prepare({name: sums[name] / count for name in order})

    def _prepare(self, means: dict[str, Any]) -> None:
        for name, mean in means.items():
            axis = _unit_axis(self.modules[name], mean) if self.kind == "units" else 0
            self.axes[name] = axis
            size = mean.shape[axis] if axis else 1
            shape = [1] * mean.ndim
            shape[axis] = size
            self.keep[name] = np.ones(shape, np.float32)
            value = mean if self.fill == "mean" else np.zeros_like(mean)
            self.fills[name] = value.astype(np.float32)
            units = range(size) if self.kind == "units" else [-1]
            self.parts += [Part(name, unit) for unit in units]

    def _switch(self, name: str, module: Module, args: Any, output: Any) -> Any:
        if name not in self._now:
            return None
        keep, fill = self._now[name]
        first = _first(output)
        other = args[0] if self.fill == "skip" else fill.to(first.dtype)
        mixed = first * keep.to(first.dtype) + other * (1 - keep.to(first.dtype))
        return (mixed, *output[1:]) if isinstance(output, tuple) else mixed

    def _run(self, rows: Any, keep: dict[str, Any], fills: dict[str, Any]) -> Any:
        self._now = {name: (keep[name], fills[name]) for name in keep}
        try:
            return applied(self.model, rows)
        finally:
            self._now = {}

    def answers(self, part: Part | None, also: Sequence[Part] = ()) -> npt.NDArray[Any]:
        """The model's answers with a part, and ``also`` others, switched off."""
        off = ([] if part is None else [part]) + list(also)
        if self.kind == "heads":
            with _without_heads(self.modules, off):
                return self._asked({})
        keep = {name: mask.copy() for name, mask in self.keep.items()}
        for one in off:
            place: list[Any] = [slice(None)] * keep[one.place].ndim
            if one.index >= 0:
                place[self.axes[one.place]] = one.index
            keep[one.place][tuple(place)] = 0
        return self._asked(keep)

    def _asked(self, keep: dict[str, Any]) -> npt.NDArray[Any]:
        masks = {name: as_tensor(mask) for name, mask in keep.items()}
        fills = {name: as_tensor(self.fills[name]) for name in keep}
        count = row_count(self.rows)
        size = min(_ROWS, count)
        found = []
        with evaluation(self.model), no_grad():
            for start in range(0, count, size):
                lines = np.minimum(np.arange(start, start + size), count - 1)
                part = block_of(self.rows, lines)
                answer = plain(self._program(part, masks, fills))
                found.append(np.array(answer[: min(size, count - start)]))
        return np.concatenate(found)


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _chosen_modules(model: Module, kind: str, layers: Sequence[str] | None) -> dict[str, Module]:
    known = dict(model.named_modules())
    suits: Callable[[Module], bool]
    if kind == "heads":
        suits = _has_heads
    elif kind == "units":
        suits = _has_units
    else:
        suits = _is_leaf
    if layers is None:
        found = {name: m for name, m in known.items() if name and suits(m)}
    else:
        missing = [name for name in layers if name not in known]
        if missing:
            raise ArgumentError(
                f"The model has no layer {missing[0]!r}",
                f"It has {', '.join(name for name in known if name)}.",
            )
        found = {name: known[name] for name in layers}
    wrong = [n for n, m in found.items() if kind == "heads" and not _has_heads(m)]
    if not found or wrong:
        raise ArgumentError(
            f"The model has no {kind} to switch off" + (f" in {wrong[0]}" if wrong else ""),
            "Choose another kind, or name the layers.",
        )
    return found


def _is_leaf(module: Module) -> bool:
    return next(module.children(), None) is None


def _has_units(module: Module) -> bool:
    weight = getattr(module, "weight", None)
    single = weight is not None and weight.dim() >= 2 and hasattr(module, "bias")
    return _is_leaf(module) and (single or hasattr(module, "hidden_size"))


def _has_heads(module: Module) -> bool:
    return hasattr(module, "num_heads") and hasattr(module, "out_proj")


def _unit_axis(module: Module, mean: Any) -> int:
    """The axis of a layer's units: the last, or the second of convolutions."""
    return 1 if hasattr(module, "kernel_size") and mean.ndim > 2 else mean.ndim - 1


@contextmanager
def _without_heads(modules: dict[str, Module], off: Sequence[Part]) -> Iterator[None]:
    """Heads are silent where the output projection ignores their features."""
    before: dict[str, Any] = {}
    try:
        for part in off:
            layer: Any = modules[part.place]
            weight = layer.out_proj.weight
            before.setdefault(part.place, np.array(weight.detach().numpy()))
            size = weight.shape[1] // layer.num_heads
            changed = np.array(weight.detach().numpy())
            changed[:, part.index * size : (part.index + 1) * size] = 0
            with no_grad():
                weight.copy_(as_tensor(changed))
        yield
    finally:
        for name, values in before.items():
            owner: Any = modules[name]
            with no_grad():
                owner.out_proj.weight.copy_(as_tensor(values))
