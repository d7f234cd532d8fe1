"""One step of a loop over time, as a graph that equal steps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.base.errors import GraphError
from pellucid.graph.node import Node, Primitive, Spec, make_node, new_input, placeholder
from pellucid.graph.replay import substitute
from pellucid.ops import structure
from pellucid.ops.registry import PRIMITIVES, Value
from pellucid.ops.rows import Rows


@dataclass(frozen=True)
class Body:
    """One step of a loop: inputs are carries, slices of the columns, constants; outputs are the
    next carries and what the step puts out.

    Equal steps are equal: their nodes are interned, and inputs are named by position.
    """

    carries: int
    columns: int
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]

    def __repr__(self) -> str:
        specs = ", ".join(str(n.spec) for n in self.inputs)
        return f"Body({self.carries} carries, {self.columns} columns; {specs})"

    @property
    def constants(self) -> int:
        """Number of inputs that are the same in every step."""
        return len(self.inputs) - self.carries - self.columns

    def spec_of(self, output: int, length: int) -> Spec:
        """Shape and dtype of a result of the scan."""
        if output < self.carries:
            return self.outputs[output].spec
        if output < 2 * self.carries:
            shape, dtype = self.outputs[output - self.carries].spec
            return Spec((length + 1, *shape), dtype)
        shape, dtype = self.outputs[output - self.carries].spec
        return Spec((length, *shape), dtype)


def make_body(carries: int, columns: int, inputs: Sequence[Node], outputs: Sequence[Node]) -> Body:
    """The body of a step from the inputs (carries, columns, constants) and outputs (carries,
    then whatever the step puts out) of its graph.

    Raises :class:`~pellucid.base.errors.GraphError` if a carry does not keep its spec.
    """
    places = [placeholder(node.spec, i) for i, node in enumerate(inputs)]
    named = substitute(outputs, dict(zip(inputs, places, strict=True)))
    for k in range(carries):
        if named[k].spec != places[k].spec:
            raise GraphError(
                f"carry {k} of a scan is {places[k].spec} before a step and {named[k].spec} "
                "after it",
                "a carry must keep its shape and dtype",
            )
    return Body(carries, columns, tuple(places), tuple(named))


def history_rows(body_reverse: bool, length: int) -> tuple[int, int, int]:
    """(first row of the carries before each step, of those after it, row of the last carry)."""
    return (1, 0, 0) if body_reverse else (0, 1, length)


def scan(
    body: Body, operands: Sequence[Value], length: int, reverse: bool, outputs: Sequence[int]
) -> list[Value]:
    """Results of a loop by number (see :mod:`pellucid.ops.scan`).

    ``operands`` are carries, columns, constants; they tell whether nodes or tensors come out.
    """
    params: Mapping[str, Any] = {"body": body, "length": length, "reverse": reverse}
    found: list[Value] = operands[0].apply_results(PRIMITIVES["scan"], operands, params, outputs)
    return found


def rows(stacked: Value, first: int, count: int) -> Value:
    """``count`` rows of the first axis, from ``first`` on."""
    shape = tuple(stacked.shape)
    stop = (first + count, *shape[1:])
    return structure.slice_(stacked, (first, *(0,) * (len(shape) - 1)), stop, (1,) * len(shape))


def row_by_row(
    op: Primitive,
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    params: Mapping[str, Any],
) -> Value:
    """``op`` for one row after the other: a loop over time whose steps are the rows."""
    specs = [Spec(tuple(x.shape)[b:], x.dtype) for x, b in zip(inputs, batched, strict=True)]
    places = [new_input(spec) for spec in specs]
    one = make_node(op, places, params)
    first = [i for i, b in enumerate(batched) if b]
    order = [*first, *(i for i, b in enumerate(batched) if not b)]
    body = make_body(0, len(first), [places[i] for i in order], [one])
    return scan(body, [inputs[i] for i in order], rows.count, False, [0])[0]
