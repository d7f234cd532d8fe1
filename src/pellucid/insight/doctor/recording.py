"""What a network and its loss compute for some rows: the graph, and the value of every node.

The program runs operation by operation and is watched, so that it does not matter whether a
softmax is a layer, a function or written by hand, and Python may decide by values.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import PellucidError
from pellucid.graph.evaluate import Interpreter
from pellucid.graph.node import (
    Node,
    Primitive,
    Spec,
    constant,
    new_input,
    set_line_source,
    topological,
    with_operands,
)
from pellucid.nn.modes import evaluation
from pellucid.nn.modes import training as training_mode
from pellucid.nn.module import Module
from pellucid.tensor.autograd import enable_grad, grad
from pellucid.tensor.core import TensorCore
from pellucid.tensor.state import Cell, eager_kernels, state
from pellucid.tensor.trace import application, user_line
from pellucid.training.batches import applied, leaves

Array = npt.NDArray[Any]


class Recorder:
    """A watcher that keeps each operation as a node and its result as an array."""

    takes_units = False
    """It has to see every single operation."""

    def __init__(self) -> None:
        self.values: dict[Node, Array] = {}
        self.assigned: set[int] = set()
        """ids of the cells that were written in place."""
        self._nodes: dict[int, tuple[Cell, Node]] = {}

    def node_of(self, tensor: TensorCore, name: str = "") -> Node:
        """The node of a tensor; an input where it is not known how it came about."""
        cell = tensor._cell
        found = self._nodes.get(id(cell))
        if found is not None:
            return found[1]
        array = tensor.array()
        plain = not array.ndim and not tensor._requires_grad and not name
        node = constant(array) if plain else new_input(Spec(cell.shape, cell.dtype), name)
        self._keep(cell, node, array)
        return node

    def known(self, tensor: TensorCore) -> Node | None:
        """The node of a tensor, if it took part."""
        found = self._nodes.get(id(tensor._cell))
        return None if found is None else found[1]

    def _keep(self, cell: Cell, node: Node, array: Array) -> None:
        self._nodes[id(cell)] = (cell, node)
        self.values.setdefault(node, array)

    def operation(
        self,
        primitive: Primitive,
        inputs: Sequence[TensorCore],
        params: Mapping[str, Any],
        result: TensorCore,
    ) -> None:
        """An operation was done."""
        node = application(primitive, [self.node_of(t) for t in inputs], params)
        self._keep(result._cell, node, result.array())

    def assignment(self, cell: Cell, value: TensorCore) -> None:
        """A value is about to be overwritten: what was kept of it has to be a copy, and views of
        the same memory are not known any more."""
        self.assigned.add(id(cell))
        family = [(i, c, n) for i, (c, n) in self._nodes.items() if c.changes is cell.changes]
        for number, _, node in family:
            self.values[node] = np.array(self.values[node])
            del self._nodes[number]
        known = self.known(value)
        if known is not None:
            self._nodes[id(cell)] = (cell, known)


@dataclass
class Computation:
    """A run of some rows: nodes with their values, and the gradients of the loss.

    ``output`` is the node of the first tensor that the model returned, ``loss`` that of the loss
    (None without one); ``gradients`` are those of the parameters by name, ``output_gradient`` that
    of the output.  ``error`` is what the model (``phase`` "model") or the loss ("loss") raised.
    """

    values: dict[Node, Array]
    features: list[Node] = field(default_factory=list)
    targets: list[Node] = field(default_factory=list)
    parameters: dict[Node, str] = field(default_factory=dict)
    output: Node | None = None
    loss: Node | None = None
    outputs: Any = None
    gradients: dict[str, Array] = field(default_factory=dict)
    output_gradient: Array | None = None
    assigned: set[int] = field(default_factory=set)
    error: PellucidError | None = None
    phase: str = ""

    @property
    def answer(self) -> Array | None:
        """The value of the output."""
        return None if self.output is None else self.values[self.output]

    @property
    def loss_value(self) -> float | None:
        """The loss, if it is one number."""
        if self.loss is None or self.loss.size != 1:
            return None
        return float(self.values[self.loss].reshape(()))

    def nodes(self) -> list[Node]:
        """All nodes that loss and output need, operands first."""
        return topological([n for n in (self.output, self.loss) if n is not None])

    def nodes_before_output(self) -> list[Node]:
        """The nodes that the output needs, itself among them."""
        return [] if self.output is None else topological([self.output])

    def losses(self, answers: Sequence[Array], zeros: Collection[Node] = ()) -> list[float]:
        """The loss that the same targets would have with other outputs (its sum, if it is one for
        each row); NaN where it cannot be computed for them.  ``zeros`` are taken to be 0."""
        made = (_substituted(self, answer, zeros) for answer in answers)
        return [float("nan") if m is None else float(m.astype(np.float64).sum()) for m in made]


def _substituted(run: Computation, answer: Array, zeros: Collection[Node]) -> Array | None:
    """The value of the loss with another output: nodes above the output are not computed."""
    output, loss = run.output, run.loss
    if output is None or loss is None:
        return None
    stand_in = new_input(output.spec, "output")
    mapped: dict[Node, Node] = {output: stand_in}
    given: dict[Node, Array] = {stand_in: np.asarray(answer, output.dtype.numpy)}
    depends = {output}
    for node in zeros:
        if node is not output:
            mapped[node] = stand_in_of = new_input(node.spec, "zero")
            given[stand_in_of] = np.zeros(node.shape, node.dtype.numpy)
            depends.add(node)
    for node in topological([loss]):
        if node in mapped:
            continue
        if not any(n in depends for n in node.inputs):
            twin = new_input(node.spec, "known") if node.op.name != "constant" else node
            if twin is not node:
                given[twin] = run.values[node]
            mapped[node] = twin
        else:
            depends.add(node)
            mapped[node] = with_operands(node, [mapped[n] for n in node.inputs])
    inputs = [n for n in given if n in set(topological([mapped[loss]]))]
    try:
        return Interpreter(inputs, [mapped[loss]]).run([given[n] for n in inputs])[0]
    except (PellucidError, KeyError):
        return None


def record(
    model: Module,
    features: Any,
    targets: Any = None,
    loss: Any = None,
    *,
    training: bool = True,
    compiled: bool = False,
) -> Computation:
    """Runs the model, and the loss where there is one, and keeps what they compute.

    ``features`` and ``targets`` are tensors, or several in tuples and dictionaries.  The caller
    sees to it that what the run changes is put back (:func:`.untouched.untouched`).  ``compiled``
    lets heavy operations run natively: worth their compilation for large networks alone.
    """
    seen = Recorder()
    run = Computation(seen.values, assigned=seen.assigned)
    run.features = [seen.node_of(t, "features") for t in leaves(features)]
    run.targets = [] if targets is None else [seen.node_of(t, "targets") for t in leaves(targets)]
    run.parameters = {seen.node_of(p, name): name for name, p in model.named_parameters()}
    before, state.watcher = state.watcher, seen
    set_line_source(user_line)
    first: Any = None
    value: Any = None
    try:
        mode = training_mode(model) if training else evaluation(model)
        kernels = eager_kernels(compiled)
        with mode, enable_grad(), kernels, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is for the rules to tell
            run.phase = "model"
            outputs = applied(model, features)
            first = next((t for t in _tensors(outputs)), None)
            run.phase = "loss"
            if loss is not None and targets is not None and first is not None:
                value = loss(outputs, targets)
            run.phase = ""
    except PellucidError as error:
        run.error = error
    finally:
        state.watcher = before
        set_line_source(None)
    if first is not None:
        run.output, run.outputs = seen.node_of(first), outputs
    if isinstance(value, TensorCore):
        run.loss = seen.node_of(value)
        _differentiate(run, model, first, value)
    return run


def _differentiate(run: Computation, model: Module, first: Any, value: Any) -> None:
    """Gradients of the loss, without leaving any in ``.grad``."""
    if not value._requires_grad:
        return
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    asked = [p for _, p in named]
    with_output = first._requires_grad
    try:
        total = value if value.dim() == 0 else value.sum()
        found = grad(total, [*asked, *([first] if with_output else [])], allow_unused=True)
    except PellucidError as error:
        run.error, run.phase = error, "backward"
        return
    if with_output and found[-1] is not None:
        run.output_gradient = np.array(found[-1].detach().array())
    for (name, _), gradient in zip(named, found, strict=False):
        if gradient is not None:
            run.gradients[name] = np.asarray(gradient.detach().array())


def _tensors(tree: Any) -> list[Any]:
    if isinstance(tree, TensorCore):
        return [tree]
    if isinstance(tree, dict):
        return [t for value in tree.values() for t in _tensors(value)]
    if isinstance(tree, (list, tuple)):
        return [t for value in tree for t in _tensors(value)]
    return []
