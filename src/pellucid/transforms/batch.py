"""Batching: the same graph for many rows at once (as ``jax.vmap``, Bradbury et al., 2018).

Each operation is replaced by one that does it for all rows, by its ``batch`` rule: a function
``rule(inputs, batched, rows, **params)`` (see :mod:`pellucid.ops.rows`), or the name of a general
rule.  What no row makes different is computed once.  Values may be nodes, which gives a graph, or
tensors: then the rows are computed, recorded or traced as any other operations.  Of an operation
with several results it is ``rule(inputs, batched, rows, numbers, batch, **params)``, which returns
pairs of a value and whether it has rows, or ``"leading"``.

================= ==============================================================================
``"elementwise"`` operands that broadcast against each other
``"leading"``     every operand gets the axis of rows; axes in the settings move up by one
``"loop"``        one row after the other, in a loop (``scan``) over the rows
================= ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from pellucid.base.errors import GraphError
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    Primitive,
    Spec,
    constant_value,
    inheriting,
    layer_scope,
    new_input,
)
from pellucid.graph.replay import order_above
from pellucid.ops.registry import Value, apply
from pellucid.ops.rows import Rows, aligned, all_batched, shifted, stretched
from pellucid.ops.scan_body import row_by_row

Flagged = tuple[Value, bool]
"""A value, and whether it has the axis of rows in front."""


def batch(
    outputs: Sequence[Node], known: dict[Node, Flagged], rows: Rows, like: Value
) -> list[Flagged]:
    """The outputs for all rows, from the values of ``known`` nodes, in the world of ``like``.

    ``known`` takes up all that is computed.
    """
    order = order_above(outputs, known)
    groups: dict[Hashable, list[Node]] = {}
    for node in order:
        if node.op.results is not None:
            groups.setdefault(node.group, []).append(node)
    with inheriting() as inherit:
        for node in order:
            if node in known:
                continue
            if node.op is INPUT or (node.op is CONSTANT and isinstance(like, Node)):
                known[node] = node, False
                continue
            inherit(node)
            with layer_scope(node.origin.layer):
                if node.op is CONSTANT:
                    known[node] = like.lift(constant_value(node)), False
                elif node.op.results is None:
                    known[node] = _applied(node, known, rows, like)
                else:
                    _apply_group(groups[node.group], known, rows, like)
    return [known[n] for n in outputs]


def _applied(node: Node, known: Mapping[Node, Flagged], rows: Rows, like: Value) -> Flagged:
    inputs = [known[n][0] for n in node.inputs]
    batched = [known[n][1] for n in node.inputs]
    drawn = rows.randomness != "same" and draws(node)
    if not any(batched) and not drawn:
        return like.apply_primitive(node.op, inputs, node.settings), False
    return batched_application(node.op, inputs, batched, rows, node.settings), True


def draws(node: Node) -> bool:
    """Whether an operation makes random numbers from a generator's state."""
    return node.op.family == "random" or bool(node.settings.get("dropout"))


def batched_application(
    op: Primitive,
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    params: Mapping[str, Any],
) -> Value:
    """``op`` for all rows, by its rule; the result has the axis of rows in front."""
    rule = op.batch
    if rule is None:
        raise GraphError(
            f"the operation {op.name!r} has no rule for many rows", "give its definition one"
        )
    if callable(rule):
        return rule(inputs, batched, rows, **params)
    return GENERAL[rule](op, inputs, batched, rows, params)


def _apply_group(members: list[Node], known: dict[Node, Flagged], rows: Rows, like: Value) -> None:
    """All results of one application at once."""
    first = members[0]
    numbers = [node.settings["output"] for node in members]
    params = {k: v for k, v in first.settings.items() if k != "output"}
    inputs = [known[n][0] for n in first.inputs]
    batched = [known[n][1] for n in first.inputs]
    rule = first.op.batch
    if callable(rule) and (any(batched) or first.op.family in ("custom", "loop")):
        found = rule(inputs, batched, rows, numbers, batch, **params)
    elif any(batched) and rule == "leading":
        whole = all_batched(inputs, batched, rows)
        made = like.apply_results(first.op, whole, shifted(params, rows), numbers)
        found = [(value, True) for value in made]
    elif any(batched):
        raise GraphError(f"{first.op.name!r} has no rule for many rows", "give it one")
    else:
        made = like.apply_results(first.op, inputs, params, numbers)
        found = [(value, False) for value in made]
    known.update(zip(members, found, strict=True))


# ---- the general rules ------------------------------------------------------------------------


def _elementwise(
    op: Primitive,
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    params: Mapping[str, Any],
) -> Value:
    return apply(op, *aligned(inputs, batched), **params)


def _leading(
    op: Primitive,
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    params: Mapping[str, Any],
) -> Value:
    return apply(op, *all_batched(inputs, batched, rows), **shifted(params, rows))


GENERAL: Mapping[str, Callable[..., Value]] = {
    "elementwise": _elementwise,
    "leading": _leading,
    "loop": row_by_row,
}
"""General rules by name."""


# ---- graphs -----------------------------------------------------------------------------------


def batch_graph(
    graph: Graph, count: int, which: Sequence[bool] | None = None, randomness: str = "error"
) -> Graph:
    """The graph that does ``graph`` for ``count`` rows: all outputs have rows in front.

    ``which`` says for each input whether it is another in each row (by default all are).
    """
    flags = [True] * len(graph.inputs) if which is None else list(which)
    inputs = [
        new_input(Spec((count, *node.shape), node.dtype)) if flag else node
        for node, flag in zip(graph.inputs, flags, strict=True)
    ]
    known: dict[Node, Flagged] = {
        node: (new, flag) for node, new, flag in zip(graph.inputs, inputs, flags, strict=True)
    }
    like = inputs[0] if inputs else graph.outputs[0]
    found = batch(graph.outputs, known, Rows(count, randomness), like)
    outputs = [y if flag else stretched(y, (count, *y.shape)) for y, flag in found]
    return Graph(tuple(inputs), tuple(outputs))
