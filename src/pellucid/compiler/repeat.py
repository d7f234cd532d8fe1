"""Loops in the compiler: made smaller, and laid out as steps around a body of their own.

A loop's body is a graph and goes through the same passes, fusion and schedule as any other.  Its
carries lie in the rows of their history, so that handing one on copies nothing: a step reads row
t and writes row t + 1.  A carry whose history nobody wants is updated in place.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from pellucid.base.shapes import contiguous_strides
from pellucid.compiler.views import View, contiguous, view_of
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    Spec,
    inheriting,
    make_node,
    topological,
)
from pellucid.graph.replay import substitute
from pellucid.ops import structure
from pellucid.ops.scan_body import Body, history_rows, make_body, rows

ALIGNMENT = 64
"""Bytes; each carry of a loop's workspace starts at a cache line."""


def is_loop(node: Node) -> bool:
    """Whether the node is a result of a loop."""
    return node.op.name == "scan"


def loop_calls_host(node: Node) -> bool:
    """Whether the node is a result of a loop with an operation that is called back in Python."""
    return is_loop(node) and _calls_host(node.settings["body"])


@functools.lru_cache(maxsize=256)
def _calls_host(body: Body) -> bool:
    return any(n.op.host or loop_calls_host(n) for n in topological(body.outputs))


# ---- smaller loops -----------------------------------------------------------------------------


def tidy_loops(graph: Graph) -> Graph:
    """Loops without results, carries, columns and constants that nobody needs.

    A last carry whose history is kept is read from there; equal results are one.
    """
    nodes = graph.nodes()
    groups: dict[Hashable, list[Node]] = {}
    for node in nodes:
        if is_loop(node):
            groups.setdefault(node.group, []).append(node)
    if not groups:
        return graph
    replaced: dict[Node, Node] = {}
    with inheriting() as inherit:
        for node in nodes:
            if node in replaced:
                continue
            if node.op in (INPUT, CONSTANT):
                replaced[node] = node
                continue
            inherit(node)
            operands = [replaced[n] for n in node.inputs]
            if is_loop(node):
                members = groups[node.group]
                numbers = [m.settings["output"] for m in members]
                found = _tidied(node, operands, numbers)
                replaced.update(zip(members, found, strict=True))
            else:
                same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
                replaced[node] = node if same else make_node(node.op, operands, node.settings)
    return Graph(graph.inputs, tuple(replaced[n] for n in graph.outputs), graph.aliases)


def _tidied(node: Node, operands: list[Node], numbers: Sequence[int]) -> list[Node]:
    """The results of a loop, by number, from one that does no more than they need."""
    settings = node.settings
    body: Body = settings["body"]
    length, reverse = settings["length"], settings["reverse"]
    n = body.carries
    outputs, kept_inputs = _without_repetitions(body, operands)
    chosen = _needed_outputs(outputs, body, numbers)
    carries = [k for k in chosen if k < n]
    steps = list(dict.fromkeys(outputs[k] for k in chosen if k >= n))
    used = set(topological([*(outputs[k] for k in carries), *steps]))
    columns = [i for i in kept_inputs if n <= i < n + body.columns and body.inputs[i] in used]
    constants = [i for i in kept_inputs if i >= n + body.columns and body.inputs[i] in used]
    places = [*carries, *columns, *constants]
    small = make_body(
        len(carries),
        len(columns),
        [body.inputs[i] for i in places],
        [*(outputs[k] for k in carries), *steps],
    )
    own = [operands[i] for i in places] or [operands[0]]
    params = {"body": small, "length": length, "reverse": reverse}

    def result(number: int) -> Node:
        return make_node(node.op, own, {**params, "output": number})

    _, _, last = history_rows(reverse, length)
    found: list[Node] = []
    for number in numbers:
        if number >= 2 * n:
            found.append(result(2 * len(carries) + steps.index(outputs[number - n])))
        elif number >= n:
            found.append(result(len(carries) + carries.index(number - n)))
        elif n + number in numbers:
            row = rows(result(len(carries) + carries.index(number)), last, 1)
            found.append(structure.reshape(row, body.inputs[number].shape))
        else:
            found.append(result(carries.index(number)))
    return found


def _without_repetitions(body: Body, operands: Sequence[Node]) -> tuple[list[Node], list[int]]:
    """The body's outputs with equal columns and constants as one, numbers as numbers; and which
    inputs are left."""
    known: dict[Node, Node] = {}
    first: dict[tuple[bool, Node], Node] = {}
    kept = list(range(body.carries))
    for i in range(body.carries, len(body.inputs)):
        is_column = i < body.carries + body.columns
        place, operand = body.inputs[i], operands[i]
        if not is_column and operand.op is CONSTANT and operand.size == 1:
            known[place] = operand
        elif (is_column, operand) in first:
            known[place] = first[(is_column, operand)]
        else:
            first[(is_column, operand)] = place
            kept.append(i)
    return substitute(body.outputs, known), kept


def _needed_outputs(outputs: Sequence[Node], body: Body, numbers: Iterable[int]) -> list[int]:
    """Positions among the body's outputs that the results need: a carry needs what it reads."""
    n = body.carries
    place = {node: k for k, node in enumerate(body.inputs[:n])}
    chosen: set[int] = set()
    waiting = [k if k < n else k - n for k in numbers]
    while waiting:
        k = waiting.pop()
        if k in chosen:
            continue
        chosen.add(k)
        waiting.extend(place[node] for node in topological([outputs[k]]) if node in place)
    return sorted(chosen)


def single_step(node: Node) -> Node | None:
    """A loop of one step → the step."""
    if not is_loop(node) or node.settings["length"] != 1:
        return None
    settings = node.settings
    body: Body = settings["body"]
    n, output = body.carries, settings["output"]
    end = n + body.columns
    columns = [structure.reshape(c, c.shape[1:]) for c in node.inputs[n:end]]
    known = zip(body.inputs, (*node.inputs[:n], *columns, *node.inputs[end:]), strict=True)
    (value,) = substitute([body.outputs[output if output < n else output - n]], dict(known))
    if output < n:
        return value
    row: Node = structure.reshape(value, (1, *value.shape))
    if output >= 2 * n:
        return row
    start = node.inputs[output - n]
    both = [structure.reshape(start, (1, *start.shape)), row]
    pair: Node = structure.concatenate(both[::-1] if settings["reverse"] else both, 0)
    return pair


# ---- loops in memory ---------------------------------------------------------------------------


def operand_view(node: Node, position: int) -> View:
    """How a loop reads an operand: rows of a column may lie apart, all else is contiguous."""
    body: Body = node.settings["body"]
    operand = node.inputs[position]
    is_column = body.carries <= position < body.carries + body.columns
    view = view_of(operand)
    if view is None:
        return contiguous(operand)
    own = contiguous_strides(operand.shape)
    checked = list(zip(operand.shape, view.strides, own, strict=True))[int(is_column) :]
    fits = all(extent == 1 or stride == step for extent, stride, step in checked)
    return view if fits else contiguous(operand)


@dataclass(frozen=True)
class LoopLayout:
    """A loop's results and the carries that have no history, in a workspace behind the body's.

    ``members`` are the results that exist, by number; ``states`` the offsets in the workspace of
    carries that neither a history nor a last value holds.
    """

    node: Node
    members: dict[int, Node]
    states: dict[int, int]
    workspace: int

    @property
    def body(self) -> Body:
        """The step."""
        found: Body = self.node.settings["body"]
        return found

    @property
    def histories(self) -> frozenset[int]:
        """Carries that are kept after every step."""
        n = self.body.carries
        return frozenset(k for k in range(n) if n + k in self.members)

    @property
    def copied_out(self) -> list[int]:
        """Carries whose last value is wanted beside their history (before tidying)."""
        return [k for k in sorted(self.histories) if k in self.members]


def body_graph(body: Body, histories: frozenset[int]) -> Graph:
    """The graph of a step; carries without history are written over the old ones."""
    aliases = {k: k for k in range(body.carries) if k not in histories}
    return Graph(body.inputs, body.outputs, aliases)


def layout_of(members: Sequence[Node], arena_bytes: int) -> LoopLayout:
    """Where a loop's carries live, when its body needs an arena of so many bytes."""
    node = members[0]
    body: Body = node.settings["body"]
    known = {m.settings["output"]: m for m in members}
    offset, states = _aligned(arena_bytes), {}
    for k in range(body.carries):
        if k not in known and body.carries + k not in known:
            states[k] = offset
            offset = _aligned(offset + bytes_of(body.inputs[k].spec))
    return LoopLayout(node, known, states, offset)


def bytes_of(spec: Spec) -> int:
    """Bytes of a value."""
    return math.prod(spec.shape) * spec.dtype.itemsize


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
