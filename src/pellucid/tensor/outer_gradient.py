"""Gradients through a compiled function, for a backward pass that runs outside of it.

``loss(compiled(x)).backward()``: when a function is traced and its results depend on something
that requires gradients, the gradient of the results is traced as well, from cotangents that are
not known yet.  What of it does not depend on the cotangents belongs to the forward program, which
stores the values that the rest needs; the rest is a second program, made when a backward pass
first comes by (the partition of Chen and others, "Training Deep Nets with Sublinear Memory Cost",
2016, with moves and cheap arithmetic done again instead of stored).

On the tape the whole function is one operation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pellucid import backends
from pellucid.base.errors import AutogradError, GraphError
from pellucid.graph.node import CONSTANT, INPUT, Graph, Node, Primitive, make_node, new_input
from pellucid.tensor.autograd import key_of, set_grad_enabled
from pellucid.tensor.core import Record, TensorCore, changed_since
from pellucid.tensor.native import NativeFunction
from pellucid.tensor.rematerialize import release
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import Trace
from pellucid.transforms.differentiate import apply_rule, reverse

CHEAP = frozenset(
    "add sub mul neg maximum minimum where cast detach copy equal not_equal less less_equal "
    "greater greater_equal logical_and logical_or logical_not abs sign".split()
)
"""Element-wise operations that are done again in backward where their operands are at hand."""


class Runner(Protocol):
    """What is asked of the program that a call ran."""

    cells: list[Cell]
    """The state that it reads, in the order of its inputs."""


@dataclass(frozen=True)
class Place:
    """Where the backward program finds a value of the forward one."""

    kind: str
    """``"argument"``, ``"cell"``, ``"result"`` or ``"saved"``."""
    number: int


class OuterGradient:
    """How gradients come from the results of a traced function to what it was applied to.

    ``results`` are the symbolic results, ``arguments`` the symbolic arguments.  ``saved`` are the
    nodes that the forward program has to give as well.
    """

    def __init__(
        self,
        trace: Trace,
        results: Sequence[TensorCore],
        wanted: Sequence[int],
        arguments: Sequence[TensorCore],
        backend: str,
    ) -> None:
        self._trace = trace
        self._results = list(results)
        self._wanted = list(wanted)
        self._backend = backend
        self._lock = threading.Lock()
        self._programs: dict[frozenset[int], _Backward] = {}
        self.positions = [i for i, t in enumerate(arguments) if t._requires_grad]
        """Arguments that require gradients."""
        leaves = {id(t): t for t in trace.leaves.values() if t._requires_grad}
        leaves |= {id(t): t for t in results if t._requires_grad and t._cell.array is not None}
        self.leaves = list(leaves.values())
        """Tensors of the world outside that require gradients."""
        self._sources = [*(arguments[i] for i in self.positions), *self.leaves]
        self._own = {id(arguments[i]) for i in self.positions}
        self._cotangents = {
            k: TensorCore.make(
                Cell(None, node=new_input(trace.node_of(results[k]._cell).spec), trace=trace)
            )
            for k in wanted
        }
        self._places = self._available()
        self.saved: list[Node] = []
        self._refused: dict[int, AutogradError] = {}
        """Results → why they have no gradient, which is told to whoever asks for it."""
        self._first = self._of_all(frozenset(wanted))
        gradients = self._first[1]
        self._save(gradients)
        read = _topological([n for n in gradients if n is not None], self._places)
        self._places = {n: self._places[n] for n in read if n in self._places}

    # ---- tracing the gradient ----------------------------------------------------------------

    def _of_all(self, wanted: frozenset[int]) -> tuple[frozenset[int], list[Node | None]]:
        """The gradient of all results that have one together; why the others have none is kept."""
        try:
            return wanted, self._gradients(wanted)
        except AutogradError:
            for k in sorted(wanted):
                try:
                    self._gradients(frozenset((k,)))
                except AutogradError as error:
                    self._refused[k] = error
        rest = wanted.difference(self._refused)
        return rest, self._gradients(rest) if rest else [None] * len(self._sources)

    def _gradients(self, present: frozenset[int]) -> list[Node | None]:
        """The cotangents of all sources from those of these results."""
        trace = self._trace
        stops = {key_of(t) for t in self._sources}

        def record_of(tensor: TensorCore) -> Record | None:
            return None if key_of(tensor) in stops else tensor._record

        def visit(tensor: TensorCore, cotangent: Any) -> Any:
            record = record_of(tensor)
            if record is not None or id(tensor) in self._own:
                for hook in (tensor._hooks if record is None else record.hooks) or ():
                    replaced = hook(cotangent)
                    cotangent = cotangent if replaced is None else replaced
            trace.cotangent = trace.node_of(cotangent._cell)
            return cotangent

        def pulled(record: Record, cotangent: Any, value: Any) -> Sequence[Any]:
            record.check_unchanged(value)
            return apply_rule(record, cotangent, value)

        before = (state.trace, trace.cotangent, trace.watched, state.autocast)
        state.trace, trace.watched, state.autocast = trace, {}, None
        order = sorted(present)
        try:
            with set_grad_enabled(False):
                found = reverse(
                    [self._results[k] for k in order],
                    [self._cotangents[k] for k in order],
                    record_of,
                    key_of,
                    visit,
                    lambda t: t._requires_grad,
                    None,
                    pulled,
                )
            parts = [found.get(key_of(t), (None, None))[1] for t in self._sources]
            return [None if p is None else trace.node_of(p._cell) for p in parts]
        finally:
            state.trace, trace.cotangent, trace.watched, state.autocast = before
            release()

    # ---- what is stored ----------------------------------------------------------------------

    def _available(self) -> dict[Node, Place]:
        """Values that exist after the forward program without being stored for this."""
        trace = self._trace
        changed = {cell for cell, _ in trace.changed_cells()}
        written = {position for position, _ in trace.changed_arguments()}
        places = {
            node: Place("cell", i)
            for i, (cell, node) in enumerate(trace.cells.items())
            if cell not in changed
        }
        places |= {
            node: Place("argument", i)
            for i, node in enumerate(trace.argument_nodes)
            if i not in written
        }
        for k, result in enumerate(self._results):
            places.setdefault(trace.node_of(result._cell), Place("result", k))
        return places

    def _save(self, gradients: Sequence[Node | None]) -> None:
        """Find the values to store: those of the forward program that the gradient reads."""
        cotangents = {t._cell.node for t in self._cotangents.values()}
        free: dict[Node, bool] = {}
        depends: dict[Node, bool] = {}
        outputs = [n for n in gradients if n is not None]
        # The whole history once, to tell what depends on the cotangents.
        for node in _topological(outputs, ()):
            depends[node] = node in cotangents or any(depends[n] for n in node.inputs)
            free[node] = node in self._places or node.op is CONSTANT or self._is_cheap(node, free)
        for node in outputs:
            if not depends[node]:
                self._need(node, free)
        for node, is_later in depends.items():
            if is_later:
                for operand in node.inputs:
                    if not depends[operand]:
                        self._need(operand, free)

    @staticmethod
    def _is_cheap(node: Node, free: Mapping[Node, bool]) -> bool:
        cheap = node.op.name in CHEAP or node.op.family == "movement" or node.op.name == "iota"
        return cheap and node.op is not INPUT and all(free[n] for n in node.inputs)

    def _need(self, node: Node, free: Mapping[Node, bool]) -> None:
        """The backward program needs a value: store it, or what a move of it shows."""
        while (
            node.op.family == "movement"
            and len(node.inputs) == 1
            and node.inputs[0].size <= node.size
            and node not in self._places
        ):
            node = node.inputs[0]
        if not free[node] and node not in self._places:
            self._places[node] = Place("saved", len(self.saved))
            self.saved.append(node)

    # ---- running -----------------------------------------------------------------------------

    def attach(
        self, made: Sequence[TensorCore], leaves: Sequence[TensorCore], program: Runner
    ) -> None:
        """Put a call on the tape: ``made`` are its results and stored values."""
        operands = [*(leaves[i] for i in self.positions), *self.leaves]
        count = len(self._results)
        groups = {
            "argument": leaves,
            "result": made,
            "saved": made[count:],
        }

        def cell_at(place: Place) -> Cell:
            if place.kind == "cell":
                return program.cells[place.number]
            return groups[place.kind][place.number]._cell

        held = {node: cell_at(place) for node, place in self._places.items()}
        ages = {node: cell.age for node, cell in held.items()}
        cells = {k: t._cell for k, t in enumerate(made[:count])}
        op = self._operation(held, ages)
        for k in self._wanted:
            tensor = made[k]
            tensor._requires_grad = True
            tensor._record = Record(op, operands, {"output": k}, tensor._cell)
            tensor._record.join(cells)

    def _operation(self, held: dict[Node, Cell], ages: dict[Node, tuple[int, int]]) -> Primitive:
        """One call as an operation, whose gradient rule runs the backward program."""

        def gradient(
            cotangents: Mapping[int, Any],
            result: Callable[[int], Any],
            inputs: Sequence[Any],
            wanted: Sequence[bool],
            vector_jacobian: Callable[..., Any],
        ) -> list[Any]:
            _check_plain_backward()
            for k in sorted(cotangents):
                if k in self._refused:
                    raise AutogradError(self._refused[k].message, self._refused[k].hint)
            backward = self._backward(frozenset(cotangents))
            for node in backward.leaves:
                if held[node].age != ages[node]:
                    raise changed_since(held[node], Record(op, (), {}, held[node]))
            cells = [held[node] for node in backward.leaves]
            cells += [cotangents[k]._cell for k in sorted(cotangents)]
            found = backward(cells)
            return [part if need else None for part, need in zip(found, wanted, strict=True)]

        op = Primitive(
            "compiled function", "custom", "", _nothing, _nothing, gradient, tuple, "", _nothing
        )
        return op

    def _backward(self, present: frozenset[int]) -> _Backward:
        """The program for cotangents of these results."""
        with self._lock:
            found = self._programs.get(present)
            if found is None:
                known, gradients = self._first
                if present != known:
                    gradients = self._gradients(present)
                cotangents = [self._cotangents[k]._cell.node for k in sorted(present)]
                found = _Backward(gradients, self._places, cotangents, self._backend)
                self._programs[present] = found
            return found


class _Backward:
    """The backward program: from stored values and cotangents to cotangents of the sources."""

    def __init__(
        self,
        gradients: Sequence[Node | None],
        places: Mapping[Node, Place],
        cotangents: Sequence[Node | None],
        backend: str,
    ) -> None:
        outputs = [n for n in gradients if n is not None]
        order = _topological(outputs, places)
        self.leaves = [n for n in order if n in places]
        """Values of the forward program that it reads."""
        new = {n: new_input(n.spec) for n in self.leaves}
        given = [n for n in cotangents if n is not None]
        new |= {n: new_input(n.spec) for n in given}
        inputs = [*(new[n] for n in self.leaves), *(new[n] for n in given)]
        for node in order:
            if node not in new:
                if node.op is INPUT:
                    raise GraphError(
                        f"the gradient of a compiled function reads {node}, which was not stored",
                        "this is a defect of Pellucid; please report it with the function",
                    )
                operands = [new[n] for n in node.inputs]
                same = node.op is CONSTANT or tuple(operands) == node.inputs
                new[node] = node if same else make_node(node.op, operands, node.settings)
        self._places = []
        made: list[Node] = []
        for gradient in gradients:
            self._places.append(None if gradient is None else len(made))
            if gradient is not None:
                made.append(new[gradient])
        graph = Graph(tuple(inputs), tuple(made))
        native = backend == "cpu"
        self._run: Callable[[Sequence[int]], list[np.ndarray]] = (
            NativeFunction(graph) if native else _BoundFunction(graph, backend)
        )
        self._dtypes = [n.dtype for n in made]

    def __call__(self, cells: Sequence[Cell]) -> list[Any]:
        """The cotangents, None where none arrives."""
        arrays = [np.ascontiguousarray(TensorCore.make(cell).array()) for cell in cells]
        found = self._run([int(a.__array_interface__["data"][0]) for a in arrays])
        return [
            None if at is None else TensorCore.make(Cell(found[at], self._dtypes[at]))
            for at in self._places
        ]


class _BoundFunction:
    """A graph as a function of arrays on any backend."""

    def __init__(self, graph: Graph, backend: str) -> None:
        self._graph = graph
        self._executable = backends.load(graph, backend)
        self._lock = threading.Lock()

    def __call__(self, addresses: Sequence[int]) -> list[np.ndarray]:
        outputs = [np.empty(n.shape, n.dtype.numpy) for n in self._graph.outputs]
        with self._lock:
            for position, address in enumerate(addresses):
                self._executable.bind_input(position, address)
            for position, output in enumerate(outputs):
                self._executable.bind_output(position, output.ctypes.data)
            self._executable.run()
        return outputs


def outer_gradient(
    trace: Trace, results: Sequence[TensorCore], arguments: Sequence[TensorCore], backend: str
) -> OuterGradient | None:
    """How gradients flow through the results of a trace; None if none does.

    A result whose history the function itself has walked with ``backward()`` has none left, as a
    loss that a training step returns; a leaf that the function made itself never had one.
    """
    wanted = [
        k
        for k, t in enumerate(results)
        if t._requires_grad
        and not _is_consumed(t, trace.consumed)
        and not trace.made_leaf(t, arguments)
    ]
    return OuterGradient(trace, results, wanted, arguments, backend) if wanted else None


def _is_consumed(tensor: TensorCore, consumed: Mapping[int, object]) -> bool:
    """Whether a backward pass of the trace went through anything that a tensor depends on."""
    if not consumed:
        return False
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        record = stack.pop()._record
        if record is None or id(record) in seen:
            continue
        if id(record) in consumed:
            return True
        seen.add(id(record))
        stack.extend(record.inputs)
    return False


def _check_plain_backward() -> None:
    if state.trace is not None:
        raise AutogradError(
            "a compiled function's backward ran through another compiled function that was called "
            "outside of it",
            "call that function inside as well",
        )
    if state.grad_enabled:
        raise AutogradError(
            "a second derivative through a compiled function was asked for (create_graph=True)",
            "take both derivatives inside of it, pellucid.compile(lambda x: grad(grad(...))), or "
            "call the function itself, which is not compiled: compiled.function",
        )


def _nothing(*operands: Any, **params: Any) -> Any:
    raise AutogradError("a compiled function has no definition as a primitive", "call it")


def _topological(outputs: Sequence[Node], stops: Any) -> list[Node]:
    """The nodes that ``outputs`` need, operands first; not what those in ``stops`` need."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(n, False) for n in reversed(outputs)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            order.append(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        stack.append((node, True))
        if node not in stops:
            stack.extend((n, False) for n in reversed(node.inputs) if n not in seen)
    return order
