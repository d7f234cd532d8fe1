"""Reverse-mode differentiation (Linnainmaa, 1970).

One walk backwards over the recorded operations, each asked once for the cotangents of its
inputs.  The walk does not care what records them: a graph's nodes record themselves, tensors of
floor 6 hang records on a tape; so eager and compiled programs share this one algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from pellucid.base.errors import AutogradError
from pellucid.graph.node import Graph, Node, Primitive, backward_scope, layer_scope
from pellucid.ops import elementwise, structure
from pellucid.ops.complex import conj
from pellucid.ops.registry import scalar

Value = Any


class Record(Protocol):
    """How a value came about."""

    @property
    def op(self) -> Primitive:
        """The operation that made it."""

    @property
    def inputs(self) -> Sequence[Value]:
        """What the operation was applied to."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The operation's parameters."""

    @property
    def group(self) -> Hashable:
        """The same for all results of one application of an operation with several."""

    def result(self, number: int) -> Value:
        """Another result of the same application."""


@backward_scope()
def reverse(
    outputs: Sequence[Value],
    cotangents: Sequence[Value],
    record_of: Callable[[Value], Record | None],
    key_of: Callable[[Value], int] = id,
    visit: Callable[[Value, Value], Value] | None = None,
    needs: Callable[[Value], bool] | None = None,
    wanted: Callable[[Value], bool] | None = None,
    pull: Callable[[Any, Value, Value], Sequence[Value | None]] | None = None,
    check: Callable[[Any, Sequence[Value | None]], None] | None = None,
) -> dict[int, tuple[Value, Value]]:
    """Cotangents of everything that ``outputs`` depend on.

    ``record_of(value)`` is None where the history ends.  ``visit(value, cotangent)`` may replace
    a complete cotangent before it flows on (gradient hooks); ``needs(value)`` says whether
    a cotangent is computed at all; ``wanted(value)`` whether it is kept once it has flowed on
    (by default all are).  ``pull(record, cotangent, value)`` may stand in for the gradient rule
    of the recorded operation; ``check(record, cotangents)`` is shown what each rule gave.  Returns
    key → (value, cotangent).
    """
    found: dict[int, tuple[Value, Value]] = {}
    pull = pull or apply_rule
    for output, cotangent in zip(outputs, cotangents, strict=True):
        _accumulate(found, key_of(output), output, cotangent)
    history = ordered_history(outputs, record_of, key_of)
    groups = _groups(history, record_of)
    for value in reversed(history):
        key = key_of(value)
        if key in found and visit is not None:
            found[key] = (value, visit(value, found[key][1]))
        record = record_of(value)
        if record is None:
            continue
        members = [value] if record.op.results is None else groups[record.group]
        if record.op.results is not None:
            # Whoever uses one of the results comes after the first of them.
            parts = (
                _joint_rule(members, found, record_of, key_of, needs)
                if value is members[0]
                else None
            )
        else:
            parts = None
            if key in found:
                with layer_scope(layer_of(record)):
                    parts = pull(record, found[key][1], value)
        if parts is None:
            continue
        if check is not None:
            check(record, parts)
        for member in members:
            if wanted is not None and not wanted(member):
                found.pop(key_of(member), None)
        for operand, part in zip(record.inputs, parts, strict=True):
            if part is not None and (needs is None or needs(operand)):
                _accumulate(found, key_of(operand), operand, part)
    return found


def _groups(
    history: Sequence[Value], record_of: Callable[[Value], Record | None]
) -> dict[Hashable, list[Value]]:
    """Results of operations with several, together, in the order of the history."""
    groups: dict[Hashable, list[Value]] = {}
    for value in history:
        record = record_of(value)
        if record is not None and record.op.results is not None:
            groups.setdefault(record.group, []).append(value)
    return groups


def _joint_rule(
    members: Sequence[Value],
    found: Mapping[int, tuple[Value, Value]],
    record_of: Callable[[Value], Record | None],
    key_of: Callable[[Value], int],
    needs: Callable[[Value], bool] | None,
) -> Sequence[Value | None] | None:
    """The rule of an operation with several results, asked once for all their cotangents."""
    cotangents: dict[int, Value] = {}
    record = record_of(members[0])
    for value in members:
        own = record_of(value)
        if own is not None and key_of(value) in found:
            number, part = own.settings["output"], found[key_of(value)][1]
            known = cotangents.get(number)
            cotangents[number] = part if known is None else elementwise.accumulate(known, part)
    if record is None or record.op.gradient is None or not cotangents:
        return None
    settings = {k: v for k, v in record.settings.items() if k != "output"}
    wanted = [x.dtype.is_differentiable and (needs is None or needs(x)) for x in record.inputs]
    with layer_scope(layer_of(record)):
        return record.op.gradient(
            cotangents, record.result, record.inputs, wanted, vector_jacobian, **settings
        )


def vector_jacobian(
    outputs: Sequence[Node], cotangents: Sequence[Node], wrt: Sequence[Node]
) -> list[Node | None]:
    """Cotangents of the nodes ``wrt`` from those of ``outputs``; None where none arrives."""
    found = reverse(outputs, cotangents, _node_record)
    return [found[id(node)][1] if id(node) in found else None for node in wrt]


def layer_of(record: Record) -> str:
    """Layer path of the forward operation: its gradient belongs to the same layer."""
    return record.origin.layer if isinstance(record, Node) else getattr(record, "layer", "")


def _accumulate(found: dict[int, tuple[Value, Value]], key: int, value: Value, part: Value) -> None:
    known = found.get(key)
    found[key] = (value, part if known is None else elementwise.accumulate(known[1], part))


def apply_rule(record: Record, cotangent: Value, value: Value) -> Sequence[Value | None]:
    """The operation's gradient rule applied; no cotangent where it has none."""
    op = record.op
    if op.is_holomorphic and value.dtype.is_complex:
        return pulled_back(op, cotangent, value, record.inputs, record.settings)
    if op.gradient is None:
        return [None] * len(record.inputs)
    return op.gradient(cotangent, value, *record.inputs, **record.settings)


def pulled_back(
    op: Primitive,
    cotangent: Value,
    value: Value,
    inputs: Sequence[Value],
    settings: Mapping[str, Any],
) -> Sequence[Value | None]:
    """The rule of real numbers applied to complex ones too: ḡ f'(z), conjugated, is g conj f'(z).

    Gradients are ∂L/∂Re z + i ∂L/∂Im z, so a step against them decreases a real L (PyTorch's
    convention; Brandwood, 1983).
    """
    if op.gradient is None:
        return [None] * len(inputs)
    if not (op.is_holomorphic and value.dtype.is_complex):
        return op.gradient(cotangent, value, *inputs, **settings)
    parts = op.gradient(conj(cotangent), value, *inputs, **settings)
    return [None if part is None else conj(part) for part in parts]


def ordered_history(
    outputs: Iterable[Value],
    record_of: Callable[[Value], Record | None],
    key_of: Callable[[Value], int],
) -> list[Value]:
    """Values in an order in which operands come first; iterative, so depth is no limit."""
    order: list[Value] = []
    done: set[int] = set()
    for output in outputs:
        stack: list[tuple[Value, bool]] = [(output, False)]
        while stack:
            value, ready = stack.pop()
            if ready:
                order.append(value)
                continue
            if key_of(value) in done:
                continue
            done.add(key_of(value))
            stack.append((value, True))
            record = record_of(value)
            if record is not None:
                stack.extend((operand, False) for operand in reversed(record.inputs))
    return order


def _node_record(node: Node) -> Node | None:
    return node if node.inputs else None


def gradients(
    outputs: Sequence[Node], wrt: Sequence[Node], cotangents: Sequence[Node] | None = None
) -> list[Node]:
    """Nodes of the gradient of ``outputs`` (by default scalars, with cotangent 1) to ``wrt``.

    An input that the outputs do not depend on gets zeros.
    """
    if cotangents is None:
        for output in outputs:
            if output.shape != ():
                raise AutogradError(
                    f"the gradient of a value of shape {output.shape} needs a cotangent",
                    "sum it to a scalar, or pass cotangents of its shape",
                )
        cotangents = [scalar(output, 1.0) for output in outputs]
    found = reverse(outputs, cotangents, _node_record)
    result = []
    for node in wrt:
        known = found.get(id(node))
        zero = structure.broadcast_to(node.lift(node.dtype.array(0)), node.shape)
        result.append(zero if known is None else known[1])
    return result


def differentiate(graph: Graph, wrt: Sequence[int] | None = None) -> Graph:
    """The graph that gives the gradients of a graph's (scalar) outputs to its inputs."""
    chosen = range(len(graph.inputs)) if wrt is None else wrt
    return Graph(graph.inputs, tuple(gradients(graph.outputs, [graph.inputs[i] for i in chosen])))
