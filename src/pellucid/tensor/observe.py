"""Watching values while they are computed, eagerly or in a compiled program.

While a program is traced, the statistics of what is watched become hidden outputs of it.  They
are bound to the columns of a ring of rows, one row a step, that the native program fills by
itself; Python reads it when it is asked for records.  Outside of a program the same operations
run at once and fill the same rings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.graph.node import layer_scope
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import TensorCore
from pellucid.tensor.state import guard, state, watch
from pellucid.tensor.validity import changed
from pellucid.transforms.observe import check_statistics, measures, statistics_from

KINDS = ("output", "gradient", "parameter", "parameter_gradient")
"""What can be watched: outputs of layers, the loss's gradient to them, parameters, gradients."""

UNLIMITED = 1 << 62


class Column(NamedTuple):
    """A place in a row: of what kind and name of value, which measure, in how many numbers."""

    kind: str
    name: str
    measure: str
    size: int


class Layout(NamedTuple):
    """The columns of a row, and whether the model was in training mode."""

    training: bool
    columns: tuple[Column, ...]


class Ring:
    """The newest rows of one layout: ``data`` float64 [capacity, width]."""

    def __init__(self, layout: Layout, capacity: int) -> None:
        self.layout = layout
        self.capacity = capacity
        self.offsets = np.cumsum([0, *(c.size for c in layout.columns)]).tolist()
        self.data = np.zeros((capacity, self.offsets[-1]))
        self.steps = np.full(capacity, -1, np.int64)
        self.row = 0
        """The row that the next step fills."""

    def address(self, row: int, column: int) -> int:
        """Address of a column's first number in a row."""
        place: int = row * self.offsets[-1] + self.offsets[column]
        return int(self.data.ctypes.data) + 8 * place

    def filled(self, first_step: int, count: int) -> None:
        """``count`` rows from :attr:`row` on were written by the steps from ``first_step`` on."""
        end = self.row + count
        if count == 1:
            self.steps[self.row] = first_step
        else:
            self.steps[self.row : end] = np.arange(first_step, first_step + count)
        self.row = 0 if end == self.capacity else end

    def record(self, row: int) -> dict[str, Any]:
        """A row as nested dictionaries: kind → name → statistic → value."""
        record: dict[str, Any] = {
            "step": int(self.steps[row]),
            "training": self.layout.training,
        }
        raw: dict[tuple[str, str], dict[str, npt.NDArray[np.float64]]] = {}
        for place, column in enumerate(self.layout.columns):
            start = self.offsets[place]
            values = self.data[row, start : start + column.size]
            raw.setdefault((column.kind, column.name), {})[column.measure] = values
        for (kind, name), found in raw.items():
            record.setdefault(kind, {})[name] = statistics_from(found)
        return record


class Observation:
    """What is watched, with which statistics, and the records of it; made by ``model.observe``.

    Records are dictionaries ``{"step": 12, "training": True, "output": {"0": {"mean": 0.1, …},
    …}, "gradient": …, "parameter": …, "parameter_gradient": …}``; the newest ``capacity`` are
    kept.  A step is one run of a compiled function that calls the model, or one call of the model
    outside of one.  A layer that is called several times in a step has further entries ``name#2``,
    ``name#3``; one with several outputs ``name[0]``, ``name[1]``.  Parameters are seen before the
    step's update, their gradients as ``backward()`` makes them, before clipping.
    """

    def __init__(
        self,
        of: Sequence[str],
        statistics: Sequence[str],
        every: int,
        capacity: int,
        bins: int,
    ) -> None:
        for kind in of:
            if kind not in KINDS:
                raise ArgumentError(
                    f"{kind!r} cannot be observed", f"choose from {', '.join(KINDS)}"
                )
        for name, number in (("every", every), ("capacity", capacity)):
            if number < 1:
                raise ArgumentError(f"observe() got {name}={number}", "it must be at least 1")
        if bins < 2:
            raise ArgumentError(f"observe() got bins={bins}", "a histogram needs at least 2")
        self.of = frozenset(of)
        self.statistics = check_statistics(statistics)
        self.every = every
        self.capacity = capacity
        self.bins = bins
        self.steps = 0
        """Steps so far, recorded or not."""
        self._rings: dict[Layout, Ring] = {}
        self._open: dict[Column, npt.NDArray[np.float64]] | None = None
        """Values of the step that runs eagerly now."""
        self._open_training = True
        self._undo: list[Callable[[], None]] = []

    # ---- which steps -------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether the next step is recorded."""
        return self.steps % self.every == 0

    @property
    def span(self) -> int:
        """So many steps from now on are alike, all recorded or none."""
        if self.every == 1:
            return UNLIMITED
        return 1 if self.due else self.every - self.steps % self.every

    def advance(self, count: int) -> None:
        """``count`` steps are done."""
        before = self.due
        self.steps += count
        if self.due != before:
            changed(self)

    def begin(self, training: bool) -> None:
        """The model is called: outside of a program a new step begins."""
        if _program() is not None:
            self._traced()
            return
        self._close()
        if self.due:
            self._open, self._open_training = {}, training
        self.advance(1)

    def _traced(self) -> list[Any]:
        """What the running trace has seen for this observation."""
        trace = _program()
        if self not in trace.watched:
            trace.watched[self] = []
            watch(self)
            guard(lambda: self.due, "whether an observation records")
        found: list[Any] = trace.watched[self]
        return found

    @property
    def recording(self) -> bool:
        """Whether values that are seen now are to be recorded."""
        return self.due if _program() is not None else self._open is not None

    # ---- values ------------------------------------------------------------------------------

    def see(
        self,
        kind: str,
        name: str,
        value: Any,
        training: bool,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        """Record the statistics of a tensor; all but non-empty float tensors are passed over.

        A value inside the body of a loop is recorded as all of its steps together.
        """
        if not self.recording or not value.dtype.is_floating_point or 0 in value.shape:
            return
        body: Any = state.trace
        if body is not None and body.is_body:
            if body.holds(value):
                body.seen.append((lambda v: self.see(kind, name, v, training, bounds), value))
            else:
                with body.outside():
                    self.see(kind, name, value, training, bounds)
            return
        name = self._unused(kind, name)
        with no_grad(), layer_scope(name):
            found = measures(value.detach(), self.statistics, bounds, self.bins)
        for measure, result in found.items():
            column = Column(kind, name, measure, result.numel())
            if state.trace is not None:
                self._traced().append((training, column, result))
            elif self._open is not None:
                self._open[column] = result.array().reshape(-1)

    def has_seen(self, kind: str, name: str) -> bool:
        """Whether a value of this name was already recorded in this step."""
        if _program() is not None:
            known = (column for _, column, _ in self._traced())
        else:
            known = (column for column in self._open or {})
        return any(c.kind == kind and c.name == name for c in known)

    def _unused(self, kind: str, name: str) -> str:
        candidate, turn = name, 1
        while self.has_seen(kind, candidate):
            turn += 1
            candidate = f"{name}#{turn}"
        return candidate

    def see_gradient(
        self, kind: str, name: str, value: TensorCore, training: bool
    ) -> Callable[[], None] | None:
        """Record the gradient to a tensor when backward reaches it.

        Returns what takes the hook away again, None where no gradient will flow.
        """
        if not value.requires_grad:
            return None

        def hook(gradient: Any) -> None:
            if state.trace is None or self in state.trace.watched:
                self.see(kind, name, gradient, training)

        hook.__dict__["only_looks"] = True
        record = value._record
        holder: Any = value if record is None else record
        attribute = "_hooks" if record is None else "hooks"
        hooks = getattr(holder, attribute) or []
        setattr(holder, attribute, hooks)
        hooks.append(hook)
        return lambda: hooks.remove(hook) if hook in hooks else None

    # ---- records -----------------------------------------------------------------------------

    def ring(self, layout: Layout) -> Ring:
        """The ring for rows of a layout."""
        if layout not in self._rings:
            self._rings[layout] = Ring(layout, self.capacity)
        return self._rings[layout]

    def _close(self) -> None:
        """Write the eager step's values into their ring."""
        seen, self._open = self._open, None
        if not seen:
            return
        self._forget(self.steps - 1)
        ring = self.ring(Layout(self._open_training, tuple(seen)))
        ring.data[ring.row] = np.concatenate(list(seen.values()))
        ring.filled(self.steps - 1, 1)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The recorded steps, oldest first, at most ``capacity``."""
        self._flush()
        rows = [
            (r.steps[i], r, i) for r in self._rings.values() for i in np.flatnonzero(r.steps >= 0)
        ]
        rows.sort(key=lambda entry: int(entry[0]))
        return [ring.record(int(row)) for _, ring, row in rows[-self.capacity :]]

    def latest(self) -> dict[str, Any]:
        """The newest record; raises :class:`ArgumentError` as long as there is none."""
        self._flush()
        newest = max(
            (ring for ring in self._rings.values()), key=lambda r: int(r.steps.max()), default=None
        )
        if newest is None or newest.steps.max() < 0:
            raise ArgumentError(
                "nothing was recorded yet", "run a step of the observed model first"
            )
        return newest.record(int(newest.steps.argmax()))

    def _flush(self) -> None:
        """Make the values of the running eager step readable; backward may still add to it."""
        if not self._open:
            return
        seen = dict(self._open)
        ring = self.ring(Layout(self._open_training, tuple(seen)))
        same = np.flatnonzero(ring.steps == self.steps - 1)
        self._forget(self.steps - 1)
        row = int(same[0]) if len(same) else ring.row
        ring.data[row] = np.concatenate(list(seen.values()))
        ring.steps[row] = self.steps - 1

    def _forget(self, step: int) -> None:
        """Drop what a step left in any ring."""
        for ring in self._rings.values():
            ring.steps[ring.steps == step] = -1

    def clear(self) -> None:
        """Forget the records; watching goes on."""
        self._open = None
        for ring in self._rings.values():
            ring.steps[:] = -1

    # ---- the end -----------------------------------------------------------------------------

    def on_remove(self, undo: Callable[[], None]) -> None:
        """Call ``undo`` when the observation is removed."""
        self._undo.append(undo)

    def remove(self) -> None:
        """Stop watching; records stay.  A second time does nothing."""
        self._close()
        undo, self._undo = self._undo, []
        for step in undo:
            step()
        if undo:
            changed(self)

    def __enter__(self) -> Observation:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        rows = sum(int((r.steps >= 0).sum()) for r in self._rings.values())
        state_ = "" if self._undo else ", removed"
        return f"<observation: {self.steps} steps, {min(rows, self.capacity)} records{state_}>"


def _program() -> Any:
    """The trace of the program that is being made, around all bodies of loops; None if none is."""
    trace: Any = state.trace
    while trace is not None and trace.is_body:
        trace = trace.outer
    return trace


class Binding:
    """The hidden outputs of one program and the ring they are written to."""

    def __init__(self, observation: Observation, seen: Sequence[tuple[bool, Column, int]]) -> None:
        self.observation = observation
        self.positions = [position for _, _, position in seen]
        self.ring: Ring | None = None
        if seen:
            training = all(flag for flag, _, _ in seen)
            self.ring = observation.ring(Layout(training, tuple(column for _, column, _ in seen)))
        self._bound = -1
        """The row that the program's pointers stand at."""

    @property
    def span(self) -> int:
        """So many steps may run in one native call."""
        room = UNLIMITED if self.ring is None else self.ring.capacity - self.ring.row
        return min(self.observation.span, room)

    def before(self, executable: Any) -> None:
        """Let the program write to the ring's next rows."""
        ring = self.ring
        if ring is None or self._bound == ring.row:
            return
        stride = 8 * ring.offsets[-1]
        for column, position in enumerate(self.positions):
            executable.bind_output(position, ring.address(ring.row, column), stride)
        self._bound = ring.row

    def after(self, steps: int) -> None:
        """The program ran so many steps and moved its pointers along."""
        if self.ring is not None:
            self._bound += steps
            self.ring.filled(self.observation.steps, steps)
        self.observation.advance(steps)
