"""Tracing: running Python once on symbolic tensors to get a graph.

A tensor is a cell.  While tracing, the first read of a concrete cell makes it an input of the
program bound to that cell; an assignment rebinds the cell to a node; at the end every rebound
cell is an output written in place over the input.  Nothing concrete silently becomes a constant.
"""

from __future__ import annotations

import functools
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pellucid.base.dtypes import float64
from pellucid.base.errors import AutogradError, TraceError
from pellucid.base.notebooks import cell_of
from pellucid.base.shapes import Shape, contiguous_strides
from pellucid.graph.evaluate import Interpreter
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Node,
    Primitive,
    Spec,
    constant_value,
    make_node,
    new_input,
    topological,
)
from pellucid.ops.elementwise import DETACH
from pellucid.ops.views import (
    VIEWS,
    Strides,
    is_stretched,
    put_back,
    stretched,
    strides_of_view,
)
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.state import Cell, concrete

_OWN_FOLDER = str(Path(__file__).resolve().parents[1])


_is_own: dict[str, bool] = {}
"""File of code → whether it belongs to this package."""


def is_own_file(file: str) -> bool:
    """Whether code of this file belongs to this package (or to Python's import machinery)."""
    own = _is_own.get(file)
    if own is None:
        own = _is_own[file] = file.startswith((_OWN_FOLDER, "<frozen"))
    return own


def _library_folders() -> tuple[str, ...]:
    """Where Python's own modules and installed commands are; installed packages are known by
    their folder's name."""
    paths = [Path(sysconfig.get_paths()[name]) for name in ("stdlib", "platstdlib", "scripts")]
    return tuple({str(form) for path in paths for form in (path, path.resolve())})


@functools.lru_cache(maxsize=4096)
def is_user_file(file: str) -> bool:
    """Whether code of this file is the user's: not ours, Python's, or an installed package's."""
    if is_own_file(file):
        return False
    parts = file.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    return not file.startswith(_library_folders())


def user_line() -> str:
    """``file:line`` of the innermost frame of the user's own code, empty if there is none; a
    notebook's cell is named as there."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if is_user_file(file):
            return f"{cell_of(file) or file}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


class FusedGradient:
    """Stands in ``.grad`` for a gradient that a compiled step used up without storing it."""

    def __init__(self, keep: Callable[[], None]) -> None:
        self.keep = keep

    def __call__(self) -> Any:
        """Raises, and sees to it that the next calls store the gradient."""
        self.keep()
        raise AutogradError(
            "this gradient was fused into the compiled step's update and not stored",
            "it will be from the next call on: it is compiled again with gradients as outputs "
            "(or compile with keep_gradients=True)",
        )


@dataclass
class GradientChange:
    """What a trace leaves in one tensor's ``.grad``."""

    tensor: TensorCore
    value: Any
    """A symbolic tensor, or None."""
    accumulates: bool
    """Whether the gradient from before the call was read."""
    before: Any = None
    """That gradient, if there was one."""

    def replaces(self) -> bool:
        """Whether a new gradient takes the place of one from before the call that it depends on."""
        tensors = isinstance(self.before, TensorCore) and isinstance(self.value, TensorCore)
        return tensors and self.value is not self.before


class Guard(NamedTuple):
    """A condition of a program's validity: ``read()`` gives ``value``."""

    read: Callable[[], object]
    value: object
    name: str
    """What is read, for people."""

    def holds(self) -> bool:
        """Whether it is still so."""
        return self.read() == self.value


@dataclass(frozen=True)
class View:
    """How a cell shows elements of its base."""

    base: Cell
    primitive: Primitive
    params: Mapping[str, Any]
    is_detached: bool = False
    """Whether no gradient flows through it; see :mod:`.scan_trace`."""

    def of(self, base: Node) -> Node:
        """What the view shows of a base's value."""
        node = application(self.primitive, [base], self.params)
        return make_node(DETACH, [node], {}) if self.is_detached else node

    def put_back(self, base: Node, value: Node) -> Node:
        """The base with ``value`` where the view shows it."""
        result: Node = put_back(self.primitive.name, self.params, base, value)
        return result


def application(primitive: Primitive, nodes: Sequence[Node], params: Mapping[str, Any]) -> Node:
    """The node of ``primitive`` applied to nodes, composed where graphs do not have it."""
    rule = VIEWS.get(primitive.name)
    if rule is not None and rule.compose is not None:
        composed: Node = rule.compose(*nodes, **params)
        return composed
    return make_node(primitive, nodes, params)


@dataclass
class Trace:
    """A program being recorded."""

    arguments: list[Cell] = field(default_factory=list)
    argument_nodes: list[Node] = field(default_factory=list)
    cells: dict[Cell, Node] = field(default_factory=dict)
    """Concrete cells that were read → their input node."""
    current: dict[Cell, Node] = field(default_factory=dict)
    """Cells whose value was assigned → the node it is now."""
    hosts: list[tuple[Node, Callable[[], float]]] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    subjects: list[object] = field(default_factory=list)
    """Objects after whose changes the guards and host values are read again."""
    gradients: dict[int, GradientChange] = field(default_factory=dict)
    views: dict[Cell, View] = field(default_factory=dict)
    """Cells that show elements of another cell → how; they have no value of their own."""
    strides: dict[Cell, Strides] = field(default_factory=dict)
    """Cells whose elements would not lie in C order outside of a trace → how they would lie."""
    inner: set[int] = field(default_factory=set)
    """Identities of arguments that require gradients and are no leaves outside."""
    resized: bool = False
    """Whether an argument got another shape in place, which its tensor outside would have to."""
    reshapes_arguments: bool = False
    """Whether an argument was reshaped: a view if its elements lie in C order, else a copy."""
    borrowed: dict[int, tuple[TensorCore, Record | None, bool]] = field(default_factory=dict)
    """Tensors from outside that got a history here, with the one to be given back at the end."""
    leaves: dict[int, TensorCore] = field(default_factory=dict)
    """Concrete tensors that took part: whether they require gradients decides what was recorded."""
    modules: dict[int, object] = field(default_factory=dict)
    """id → module whose settings and parts are guarded."""
    consumed: dict[int, object] = field(default_factory=dict)
    """id → record that a backward pass of the traced function itself has walked."""
    watched: dict[Any, list[tuple[bool, Any, TensorCore]]] = field(default_factory=dict)
    """Observation → (training mode, column, value) of what it saw; see :mod:`.observe`."""
    listeners: list[list[Cell]] = field(default_factory=list)
    """Lists that every new cell is added to; see :mod:`.rematerialize`."""
    late: list[Any] = field(default_factory=list)
    """Checks of values that wait until the program runs; see :mod:`.late`."""
    known: dict[Node, np.ndarray | None] = field(default_factory=dict)
    """Nodes whose value Python asked for → it, or None where it depends on inputs."""
    kept: dict[Any, Any] = field(default_factory=dict)
    """What objects outside remember only while this trace runs, by keys of their own."""
    is_body: ClassVar[bool] = False
    """Whether it records one step of a loop, whose program is another trace's."""
    cotangent: Node | None = None
    """During a backward pass, the last gradient that was complete."""

    # ---- reading -----------------------------------------------------------------------------

    def add_argument(self, spec: Spec, name: str) -> TensorCore:
        """A symbolic tensor for an argument of the traced function."""
        node = new_input(spec, name)
        cell = Cell(None, node=node, trace=self)
        self.arguments.append(cell)
        self.argument_nodes.append(node)
        made: TensorCore = TensorCore.make(cell)
        return made

    def node_of(self, cell: Cell) -> Node:
        """The node that a cell holds at this point of the trace.

        A view is derived from what its base is now, so that it shows every change of the base.
        """
        view = self.views.get(cell)
        if view is not None and view.base.trace in (None, self):
            return view.of(self.node_of(view.base))
        found = self.current.get(cell)
        if found is not None:
            return found
        if cell.array is None:
            if cell.trace is None and cell.recipe is not None:
                with concrete():
                    cell.array = cell.recipe.restore(cell)
                return self.node_of(cell)
            if cell.trace is not self or cell.node is None:
                raise TraceError(
                    "a tensor from inside a compiled function was kept and used after it ended",
                    "return it from the function instead",
                )
            return cell.node if cell.recipe is None else self._made_again(cell)
        found = self.cells.get(cell)
        if found is None:
            found = new_input(Spec(cell.shape, cell.dtype), f"state{len(self.cells)}")
            self.cells[cell] = found
        return found

    def _made_again(self, cell: Cell) -> Node:
        """The node of a cell whose value is not kept between forward and backward."""
        found: Node = cell.recipe.node_of(cell, cell.node)
        return found

    def constant(self, cell: Cell) -> np.ndarray | None:
        """The value of a cell where it follows from constants alone, else None."""
        root = cell
        while root in self.views:
            root = self.views[root].base
        if root.node is None or root.trace is not self or root.recipe is not None:
            return None
        node = self.node_of(cell)
        if node.op is CONSTANT:
            return constant_value(node)
        if node not in self.known:
            given = any(n.op is INPUT for n in topological((node,)))
            self.known[node] = None if given else Interpreter((), (node,)).run(())[0]
        return self.known[node]

    def holds(self, tensor: TensorCore) -> bool:
        """Whether a tensor's value belongs to this trace, not to one around it."""
        return True

    def knows(self, cell: Cell) -> bool:
        """Never: a program runs again with other values of what is concrete."""
        return False

    def has_changed(self, cell: Cell) -> bool:
        """Whether a concrete cell was assigned, so that its array is not its value here."""
        return cell in self.current

    def apply(
        self, primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
    ) -> TensorCore:
        """A symbolic tensor for ``primitive`` applied to ``inputs``."""
        node = application(primitive, [self.node_of(t._cell) for t in inputs], params)
        for tensor in inputs:
            if tensor._cell.array is not None and (tensor._record is None or tensor._requires_grad):
                self.leaves[id(tensor)] = tensor
        cell = self.cell_for(node, primitive, inputs, params)
        for made_cells in self.listeners:
            made_cells.append(cell)
        made: TensorCore = TensorCore.make(cell)
        return made

    def cell_for(
        self,
        node: Node,
        primitive: Primitive,
        inputs: Sequence[TensorCore],
        params: Mapping[str, Any],
        is_detached: bool = False,
    ) -> Cell:
        """The cell of a result: a view of the first input's wherever it would be one outside."""
        if primitive.name in VIEWS:
            base = inputs[0]._cell
            if primitive.name == "reshape" and self._is_argument(base):
                self.reshapes_arguments = True
            strides = strides_of_view(primitive, base.shape, self.strides_of(base), params)
            cell = Cell(None, node=node, trace=self, base=None if strides is None else base)
            if strides is not None:
                self.views[cell] = View(base, primitive, params, is_detached)
                self._lies(cell, strides)
            return cell
        cell = Cell(None, node=node, trace=self)
        if primitive.family == "elementwise" and self.strides:
            # NumPy and PyTorch keep the order in memory of the first operand that has one.
            like = next((t._cell for t in inputs if t._cell.shape == cell.shape), None)
            if like is not None and like in self.strides:
                self._lies(cell, dense_strides(cell.shape, self.strides[like]))
        return cell

    def made(self, cell: Cell) -> bool:
        """Whether a cell was made inside, so that nobody outside knows it."""
        return cell.trace is self and not self._is_argument(cell)

    def resize(self, cell: Cell) -> bool:
        """Whether the tensor that holds a cell may get another shape here: not one from outside."""
        if not self.made(cell):
            self.resized = self.resized or self._is_argument(cell)
            return self._is_argument(cell)
        return True

    def _is_argument(self, cell: Cell) -> bool:
        while cell in self.views:
            cell = self.views[cell].base
        return cell in self.arguments

    def strides_of(self, cell: Cell) -> Strides:
        """How the elements of a cell lie in memory, or would lie outside of the trace."""
        if cell.array is not None:
            size = cell.array.itemsize
            return tuple(s // size for s in cell.array.strides)
        return self.strides.get(cell) or contiguous_strides(cell.shape)

    def _lies(self, cell: Cell, strides: Strides) -> None:
        if strides != contiguous_strides(cell.shape):
            self.strides[cell] = strides

    def snapshot(self, tensor: TensorCore) -> Cell:
        """A cell that keeps what a tensor holds at this point of the trace."""
        now = tensor._cell
        cell = Cell(None, node=self.node_of_tensor(tensor), trace=self)
        cell.take_age(now)
        self._lies(cell, self.strides_of(now))
        for made_cells in self.listeners:
            made_cells.append(cell)
        return cell

    def node_of_tensor(self, tensor: TensorCore) -> Node:
        """The node that a tensor holds at this point of the trace."""
        return self.node_of(tensor._cell)

    def detached(self, tensor: TensorCore) -> TensorCore:
        """The same storage without history."""
        made: TensorCore = TensorCore.make(tensor._cell)
        return made

    # ---- writing -----------------------------------------------------------------------------

    def assign(self, cell: Cell, value: TensorCore) -> None:
        """The cell holds ``value`` from here on."""
        node = self.node_of(value._cell)
        if cell.array is not None:
            self.node_of(cell)
        if node.shape != cell.shape or node.dtype is not cell.dtype:
            raise TraceError(
                f"a tensor of {cell.dtype.name}{list(cell.shape)} cannot become "
                f"{node.spec} in place",
                "in-place changes keep shape and dtype",
            )
        cell.changes[0] += 1  # so that backward notices a value that it still needs
        view = self.views.get(cell)
        if view is None:
            self.current[cell] = node
            return
        if is_stretched(cell.shape, self.strides_of(cell)):
            raise stretched(cell.shape)
        base = self.node_of(view.base)
        changed = TensorCore.make(Cell(None, node=view.put_back(base, node), trace=self))
        self.assign(view.base, changed)

    def borrow(self, tensor: TensorCore) -> None:
        """A tensor is about to get another history; see :meth:`give_back`."""
        if tensor._cell.trace is not self:
            self.borrowed.setdefault(id(tensor), (tensor, tensor._record, tensor._requires_grad))

    def shown_argument(
        self, result: TensorCore, given: Sequence[TensorCore]
    ) -> tuple[int, bool, list[tuple[Primitive, Mapping[str, Any]]]] | None:
        """Which argument a result without history shows, whether it is that, and by which views."""
        views: list[tuple[Primitive, Mapping[str, Any]]] = []
        cell = result._cell
        while cell in self.views:
            view = self.views[cell]
            views.insert(0, (view.primitive, view.params))
            cell = view.base
        if result._requires_grad or cell not in self.arguments:
            return None
        is_itself = bool(views) or any(result is tensor for tensor in given)
        return self.arguments.index(cell), is_itself, views

    def rewritten(self, arguments: Sequence[TensorCore]) -> bool:
        """Whether an argument got a history, or a shape, that the caller's tensor would have to
        have.

        Not a history that a backward pass inside has gone through.
        """
        told = (t._record for t in arguments if t._record is not None)
        return self.resized or any(id(record) not in self.consumed for record in told)

    def give_back(self) -> None:
        """Tensors from outside have the history from before the trace again.

        A program changes their values; what it did is not recorded.
        """
        for tensor, record, requires_grad in self.borrowed.values():
            tensor._record, tensor._requires_grad = record, requires_grad
            if tensor._view is not None:
                tensor._view.rewrites = tensor._cell.changes[1]
        self.borrowed.clear()

    def made_leaf(self, tensor: TensorCore, arguments: Sequence[TensorCore]) -> bool:
        """Whether a tensor is a leaf that the function itself made, and no argument."""
        made = tensor._record is None and tensor._cell.trace is self
        return made and tensor._requires_grad and not any(tensor is a for a in arguments)

    def read_grad(self, tensor: TensorCore) -> Any:
        """``tensor.grad`` at this point of the trace."""
        change = self.gradients.get(id(tensor))
        if change is not None:
            return change.value
        found = tensor._grad
        if tensor._cell.trace is not self:  # a leaf of the program's own has none when it begins
            self.guard(lambda: kind_of_gradient(tensor._grad), "whether there is a gradient")
        if found is not None:
            if not isinstance(found, TensorCore):
                return found
            self.gradients[id(tensor)] = GradientChange(tensor, found, True, found)
        else:
            self.gradients[id(tensor)] = GradientChange(tensor, None, True)
        return found

    def write_grad(self, tensor: TensorCore, value: Any) -> None:
        """``tensor.grad = value`` at this point of the trace."""
        change = self.gradients.get(id(tensor))
        if change is None:
            self.gradients[id(tensor)] = GradientChange(tensor, value, False)
        else:
            change.value = value

    def host_value(self, read: Callable[[], float]) -> TensorCore:
        """An input whose value Python supplies before a step."""
        node = new_input(Spec((), float64), f"host{len(self.hosts)}")
        self.hosts.append((node, read))
        made: TensorCore = TensorCore.make(Cell(None, node=node, trace=self))
        return made

    def guard(self, read: Callable[[], object], name: str = "") -> None:
        """The program is only valid while ``read()`` gives what it gives now."""
        self.guards.append(Guard(read, read(), name))

    def watch(self, subject: object) -> None:
        """Guards and host values are read again after a change of ``subject``."""
        self.subjects.append(subject)

    # ---- the result --------------------------------------------------------------------------

    def where(self) -> str:
        """For messages: the user's line that is being traced."""
        line = user_line()
        return f" at {line}" if line else ""

    def changed_cells(self) -> list[tuple[Cell, Node]]:
        """Concrete cells and arguments with a new value, in the order of first assignment."""
        result = []
        for cell, node in self.current.items():
            source = self.cells.get(cell)
            if cell.array is not None and source is not None and node is not source:
                result.append((cell, node))
        return result

    def changed_arguments(self) -> list[tuple[int, Node]]:
        """Positions of arguments that were changed in place, with their new value."""
        return [
            (position, self.current[cell])
            for position, cell in enumerate(self.arguments)
            if cell in self.current and self.current[cell] is not self.argument_nodes[position]
        ]


def dense_strides(shape: Shape, like: Strides) -> Strides:
    """Strides without gaps whose axes follow each other in memory as those of ``like`` do."""
    result, step = [0] * len(shape), 1
    for axis in sorted(range(len(shape)), key=lambda i: (like[i], -i)):
        result[axis] = step
        step *= max(shape[axis], 1)
    return tuple(result)


def kind_of_gradient(grad: Any) -> str:
    """Whether a gradient is absent, stored or fused."""
    return "none" if grad is None else "stored" if isinstance(grad, TensorCore) else "fused"


def real_tensor(array: np.ndarray) -> Any:
    """A concrete tensor around ``array``, also while tracing."""
    with concrete():
        made: TensorCore = TensorCore.make(Cell(array))
        return made
