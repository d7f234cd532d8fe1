"""Values that are dropped after the forward pass and computed again when backward needs them
(Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).

The tape of a checkpointed function stays; only the values of its intermediate tensors go.
Whoever reads one of them gets it again:

- eagerly, the whole function runs a second time, from the state (random numbers, running
  statistics, …) that it met the first time, and its results fill the tensors again, until
  another function's are needed;
- while tracing, the nodes are made a second time from inputs that wait for the gradient, so the
  program neither keeps the first ones nor computes the second ones too early.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from pellucid.base.errors import AutogradError
from pellucid.graph.node import CONSTANT, INPUT, Node, Primitive, make_node
from pellucid.ops import elementwise
from pellucid.ops.ordering import after
from pellucid.tensor.core import TensorCore
from pellucid.tensor.state import Cell, eager_kernels, state
from pellucid.tensor.tracing import Tracing
from pellucid.tensor.trees import flatten, map_tensors

Contexts = Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]]


def plain_contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Nothing special around the forward pass or around the recomputation."""
    return nullcontext(), nullcontext()


class _Held(threading.local):
    """The function whose values are there again, per thread: one at a time."""

    segment: EagerSegment | None = None


_held = _Held()


def release() -> None:
    """Drop the values that were computed again for a backward pass."""
    if _held.segment is not None:
        _held.segment.drop()
        _held.segment = None


class _Watcher:
    """Sees every operation of one run, and keeps what the run overwrites as it was before.

    ``outer`` is the watcher that was there; it goes on seeing everything.
    """

    def __init__(self, outer: Any, keep: Callable[[Cell], bool], takes_units: bool) -> None:
        self.outer = outer
        self.keep = keep
        self.takes_units = takes_units
        """Whether functions that run as one kernel may be seen as one operation."""
        self.made: list[Cell] = []
        self.own: set[int] = set()
        self.before: dict[Cell, np.ndarray] = {}

    def operation(
        self,
        primitive: Primitive,
        inputs: Sequence[TensorCore],
        params: Mapping[str, Any],
        result: TensorCore,
    ) -> None:
        """``result`` was just computed."""
        self.made.append(result._cell)
        self.own.add(id(result._cell))
        if self.outer is not None:
            self.outer.operation(primitive, inputs, params, result)

    def assignment(self, cell: Cell, value: TensorCore) -> None:
        """``cell`` is about to hold ``value``."""
        root = cell
        while root.base is not None:
            root = root.base
        if id(root) not in self.own and root not in self.before and root.array is not None:
            if self.keep(root):
                self.before[root] = np.array(root.array)
        if self.outer is not None:
            self.outer.assignment(cell, value)


class EagerSegment:
    """One call of a checkpointed function: how to run it again, and what that fills."""

    def __init__(
        self, run: Callable[[], Any], contexts: Contexts, skip: Cell | None, check: bool
    ) -> None:
        self._run = run
        self._context = nullcontext()  # type: AbstractContextManager[Any]
        self._contexts = contexts
        self._skip = skip
        self._check = check
        self._units = self._kernels = True
        self._cells: list[weakref.ref[Cell] | None] = []
        self._specs: list[tuple[Any, ...]] = []
        self._before: list[tuple[weakref.ref[Cell], np.ndarray]] = []
        self._ages: list[tuple[Cell, tuple[int, int]]] = []

    def forward(self, inputs: Sequence[TensorCore]) -> Any:
        """Run the first time, and drop what only the tape holds."""
        self._ages = [(t._cell, t._cell.age) for t in inputs]
        first, self._context = self._contexts()
        # The second run has to do the same operations.
        self._units = state.watcher is None or state.watcher.takes_units
        self._kernels = state.eager_kernels
        with first:
            result, watcher = self._watched(state.watcher)
        kept: list[TensorCore] = []
        flatten(result, kept)
        # A result is its maker's and the caller's; an input may have been handed through.
        visible = {id(t._cell) for t in (*kept, *inputs)}
        visible |= {id(cell) for cell in watcher.before}
        self._before = [(weakref.ref(c), array) for c, array in watcher.before.items()]
        for cell in watcher.made:
            self._cells.append(None if id(cell) in visible else weakref.ref(cell))
            self._specs.append((cell.shape, cell.dtype))
        del watcher
        self.drop()
        return result

    def _watched(self, outer: Any) -> tuple[Any, _Watcher]:
        """Run, seeing every operation."""
        watcher = _Watcher(outer, lambda cell: cell is not self._skip, self._units)
        before, state.watcher = state.watcher, watcher
        try:
            return self._run(), watcher
        finally:
            state.watcher = before

    def drop(self) -> None:
        """Forget the values of the intermediate tensors that are still alive."""
        for reference in self._cells:
            cell = reference() if reference is not None else None
            if cell is not None and cell.array is not None:
                cell.array = None
                cell._pointer = 0
                cell.recipe = self

    def restore(self, cell: Cell) -> np.ndarray:
        """The value of one intermediate tensor, after computing all of them again."""
        release()
        for known, age in self._ages:
            if known.age != age:
                raise AutogradError(
                    f"an argument of shape {tuple(known.shape)} of a checkpointed function was "
                    "modified in place before backward computed the function again",
                    "call backward() before changing it, or pass a copy: x.clone()",
                )
        made = self._again()
        _held.segment = self
        for reference, source in zip(self._cells, made, strict=True):
            target = reference() if reference is not None else None
            if target is not None and target.array is None:
                target.array = source.array if source.array is not None else _value(source)
        if cell.array is None:
            raise AutogradError(
                f"a checkpointed tensor of shape {tuple(cell.shape)} did not come out again",
                "keep a copy of what is to be used outside of the function: x.clone()",
            )
        return cell.array

    def _again(self) -> list[Cell]:
        """Cells of a second run, made from the state that the first one met."""
        pairs = [(reference(), array) for reference, array in self._before]
        old = [(cell, array) for cell, array in pairs if cell is not None]
        now = [(cell, np.array(cell.array), cell.changes[0]) for cell, _ in old]
        enabled, state.grad_enabled = state.grad_enabled, True
        for cell, array in old:
            _write(cell, array)
        try:
            with self._context, eager_kernels(self._kernels):
                _, watcher = self._watched(None)
        finally:
            state.grad_enabled = enabled
            for cell, array, changes in now:
                _write(cell, array)
                cell.changes[0] = changes
        specs = [(cell.shape, cell.dtype) for cell in watcher.made]
        if specs != self._specs and (self._check or len(specs) != len(self._specs)):
            raise AutogradError(
                f"a checkpointed function did {_difference(self._specs, specs)}",
                "it must do the same each time it is called with the same arguments: let it not "
                "depend on anything that changes between forward and backward",
            )
        return watcher.made


def _difference(first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]) -> str:
    """Where two runs differ, in words."""
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return (
                f"otherwise when it was computed again: its operation {number} gave "
                f"{b[1].name}{list(b[0])} instead of {a[1].name}{list(a[0])}"
            )
    return f"{len(second)} operations when it was computed again, and {len(first)} before"


def _write(cell: Cell, array: np.ndarray) -> None:
    """Put a value into a cell's memory, unnoticed."""
    if cell.array is not None and cell.array.flags.writeable:
        np.copyto(cell.array, array)
    else:
        cell.replace(np.array(array))


def _value(cell: Cell) -> np.ndarray:
    """The array of a cell that a checkpoint inside of the run has dropped again."""
    found: np.ndarray = TensorCore.make(cell).array()
    return found


class TracedSegment:
    """The same in a program being traced: second nodes for the intermediate tensors."""

    def __init__(self, trace: Tracing, arguments: set[Node]) -> None:
        self._trace = trace
        self._arguments = arguments
        self._own: set[Node] = set()
        self._again: dict[Node, Node] = {}
        self._awaited: Node | None = None

    def close(self, made: Sequence[Cell], visible: set[int]) -> None:
        """From now on backward sees second nodes in all cells but the visible ones."""
        for cell in made:
            changed = self._trace.current.pop(cell, None)
            if changed is not None and cell not in self._trace.views:
                cell.node = changed
            if cell.node is not None:
                self._own.add(cell.node)
            if id(cell) not in visible:
                cell.recipe = self

    def node_of(self, cell: Cell, node: Node) -> Node:
        """What a dropped cell holds: during a backward pass, the node made again."""
        if self._trace.cotangent is None:
            return node
        if self._awaited is None:
            self._awaited = self._trace.cotangent
        stack = [node]
        while stack:
            current = stack[-1]
            missing = []
            if current in self._own and current not in self._arguments:
                missing = [n for n in current.inputs if n not in self._again]
            if missing:
                stack.extend(missing)
                continue
            self._again.setdefault(stack.pop(), self._second(current))
        return self._again[node]

    def _second(self, node: Node) -> Node:
        """The node made again from operands made again."""
        if node not in self._own:
            return node if node.op in (INPUT, CONSTANT) else self._held_up(node)
        if node in self._arguments:
            return self._held_up(node.inputs[0])
        operands = [self._again[n] for n in node.inputs]
        if node.op.family == "random":
            operands = [self._held_up(n) for n in operands]
        return make_node(node.op, operands, node.settings)

    def _held_up(self, node: Node) -> Node:
        """The node, to be used only once the first gradient is there."""
        held: Node = after(node, self._awaited)
        return held


def run_checkpointed(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    contexts: Contexts = plain_contexts,
    random_state: Cell | None = None,
    check: bool = True,
) -> Any:
    """``function(*args, **kwargs)``, its intermediate values computed again in backward.

    ``random_state`` is a cell that is not put back for the second run.
    """
    inputs: list[TensorCore] = []
    flatten((args, kwargs), inputs)
    if not state.grad_enabled:
        return function(*args, **kwargs)
    if state.trace is not None:
        return _run_traced(state.trace, function, args, kwargs, contexts)
    segment = EagerSegment(lambda: function(*args, **kwargs), contexts, random_state, check)
    return segment.forward(inputs)


def _run_traced(
    trace: Tracing,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    contexts: Contexts,
) -> Any:
    """The call inside a program that is being traced.

    The function works on copies of its arguments (which cost nothing), so that backward finds
    second nodes for the arguments, too.
    """
    copies: dict[int, tuple[TensorCore, TensorCore]] = {}

    def copy(tensor: TensorCore) -> Any:
        if id(tensor) not in copies:
            copies[id(tensor)] = (tensor, elementwise.copy(tensor))
        return copies[id(tensor)][1]

    made: list[Cell] = []
    index = len(trace.listeners)
    trace.listeners.append(made)
    try:
        args, kwargs = map_tensors((args, kwargs), copy)
        with contexts()[0]:
            result = function(*args, **kwargs)
    finally:
        del trace.listeners[index:]
    back = {id(copied): tensor for tensor, copied in copies.values()}
    result = map_tensors(result, lambda t: back.get(id(t), t))
    changed = [c.shape for _, c in copies.values() if trace.has_changed(c._cell)]
    if changed:
        raise AutogradError(
            f"an argument of shape {tuple(changed[0])} was changed in place by a checkpointed "
            "function",
            "change a copy: x.clone()",
        )
    kept: list[TensorCore] = []
    flatten(result, kept)
    arguments = {trace.node_of(copied._cell) for _, copied in copies.values()}
    TracedSegment(trace, arguments).close(made, {id(t._cell) for t in kept})
    return result
