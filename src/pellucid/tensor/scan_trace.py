"""Tracing one step of a loop: the body's Python runs once, on tensors without values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import AutogradError
from pellucid.graph.node import CONSTANT, Node, Primitive, Spec, make_node, new_input
from pellucid.ops.elementwise import DETACH
from pellucid.tensor.core import TensorCore
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import Trace, application, user_line
from pellucid.tensor.tracing import Tracing


class BodyTrace(Trace):
    """One step being recorded.

    A tensor from outside becomes a constant of the loop when it is first read.  One that the body
    changes in place (the state of a random generator, running statistics) becomes a carry, so
    that every step continues from the last one's value.
    """

    is_body = True

    def __init__(self, outer: Tracing | None) -> None:
        super().__init__()
        self.outer = outer
        self.grad_enabled = state.grad_enabled
        self.captured: dict[tuple[Cell, int, bool], tuple[TensorCore, Node]] = {}
        """Tensors from outside, told apart by storage and history → their node."""
        self.sources: dict[Cell, Node] = {}
        """Storage from outside → the node that it was first read as."""
        self.functions: list[str] = []
        """Names of the user's Functions that were applied, whose derivatives a graph drops."""
        self.seen: list[tuple[Callable[[Any], None], TensorCore]] = []
        """What is to be shown a value of all steps, and that value in this one."""

    def run(self, body: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The body's result on symbolic arguments."""
        before, state.trace = state.trace, self
        try:
            return body(*arguments, **named)
        finally:
            state.trace = before
            self.give_back()

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Work that belongs to the trace around the loop, or to none."""
        before, state.trace = state.trace, self.outer
        try:
            yield
        finally:
            state.trace = before

    def constant(self, cell: Cell) -> np.ndarray | None:
        """The value of a cell where it follows from constants alone, else None."""
        if cell.trace is self or cell in self.current or cell in self.views or self.outer is None:
            return super().constant(cell)
        return self.outer.constant(cell)

    def holds(self, tensor: TensorCore) -> bool:
        """Whether a tensor has another value in each step."""
        cell = tensor._cell
        return cell.trace is self or cell in self.current or cell in self.views

    # ---- reading -----------------------------------------------------------------------------

    def node_of(self, cell: Cell) -> Node:
        """The node that a cell holds at this point of the step."""
        if cell.trace is self or cell in self.current or cell in self.views:
            return super().node_of(cell)
        if cell not in self.sources:
            made: TensorCore = TensorCore.make(cell)
            return self.node_of_tensor(made)
        return self.sources[cell]

    def node_of_tensor(self, tensor: TensorCore) -> Node:
        """The node of a tensor; a constant of the loop if it comes from outside."""
        cell = tensor._cell
        if self.holds(tensor):
            return self.node_of(cell)
        node = cell.node
        if node is not None and node.op is CONSTANT and not tensor._requires_grad:
            if cell.trace is None or cell not in cell.trace.current:
                return node
        key = (cell, id(tensor._record), tensor._requires_grad)
        known = self.captured.get(key)
        if known is None:
            known = self.captured[key] = (tensor, new_input(Spec(cell.shape, cell.dtype)))
            self.sources.setdefault(cell, known[1])
        return known[1]

    def apply(
        self, primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
    ) -> TensorCore:
        """A symbolic tensor for ``primitive`` applied to ``inputs``."""
        nodes = [self.node_of_tensor(t) for t in inputs]
        node = application(primitive, nodes, params)
        hidden = self.grad_enabled and not state.grad_enabled
        hidden = hidden and node.dtype.is_differentiable
        if hidden:
            node = make_node(DETACH, [node], {})
        if nodes and nodes[0] is self.node_of(inputs[0]._cell):
            cell = self.cell_for(node, primitive, inputs, params, hidden)
        else:
            cell = Cell(None, node=node, trace=self)
        made: TensorCore = TensorCore.make(cell)
        return made

    def detached(self, tensor: TensorCore) -> TensorCore:
        """A tensor through which no gradient flows."""
        node = self.node_of_tensor(tensor)
        made: TensorCore = TensorCore.make(
            Cell(None, node=make_node(DETACH, [node], {}), trace=self)
        )
        return made

    # ---- the world outside -------------------------------------------------------------------

    def changed_outside(self) -> list[tuple[Cell, Node, Node]]:
        """Storage from outside that the step changes: (cell, node before, node after)."""
        return [
            (cell, self.sources[cell], node)
            for cell, node in self.current.items()
            if cell in self.sources and self.sources[cell] is not node
        ]

    def read_grad(self, tensor: TensorCore) -> Any:
        """Raises: gradients are collected outside of the loop."""
        raise AutogradError(
            f"the body of a scan uses .grad of a tensor of shape {tuple(tensor.shape)}",
            "call backward() on results of the scan, or use pellucid.grad inside of it",
        )

    def write_grad(self, tensor: TensorCore, value: Any) -> None:
        """Raises, as :meth:`read_grad`."""
        self.read_grad(tensor)

    def host_value(self, read: Callable[[], float]) -> Any:
        """The outer program's input, or the number itself where none is traced."""
        return read() if self.outer is None else self.outer.host_value(read)

    def guard(self, read: Callable[[], object], name: str = "") -> None:
        """A condition of the outer program."""
        if self.outer is not None:
            self.outer.guard(read, name)

    def watch(self, subject: object) -> None:
        """Something that the outer program depends on."""
        if self.outer is not None:
            self.outer.watch(subject)

    def where(self) -> str:
        """For messages: the user's line in the body."""
        line = user_line()
        return f", because the body of a scan runs once for all steps{f', at {line}' * bool(line)}"
