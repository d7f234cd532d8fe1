"""Doing again what nodes say, on other values: nodes, or tensors of floor 6."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Node,
    constant_value,
    inheriting,
    layer_scope,
)


def order_above(outputs: Iterable[Node], known: Any) -> list[Node]:
    """Nodes that the outputs need and that are not ``known``, operands first; iterative."""
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(n, False) for n in reversed(list(outputs))]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in done and node not in known:
            done.add(node)
            stack.append((node, True))
            stack.extend((n, False) for n in reversed(node.inputs))
    return order


def replay(outputs: Sequence[Node], known: dict[Node, Any], like: Any) -> list[Any]:
    """The outputs computed again, with the values that are ``known`` in place of their nodes.

    ``like`` is any value of the world to compute in.  ``known`` takes up all that is computed.
    An input that is not known stays itself, which only makes sense among nodes.
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
                known[node] = node
                continue
            inherit(node)
            with layer_scope(node.origin.layer):
                if node.op is CONSTANT:
                    known[node] = like.lift(constant_value(node))
                elif node.op.results is None:
                    operands = [known[n] for n in node.inputs]
                    known[node] = like.apply_primitive(node.op, operands, node.settings)
                else:
                    _replay_group(groups[node.group], known, like)
    return [known[n] for n in outputs]


def _replay_group(members: list[Node], known: dict[Node, Any], like: Any) -> None:
    """All results of one application at once."""
    first = members[0]
    params = first.settings
    numbers = [node.settings["output"] for node in members]
    del params["output"]
    operands = [known[n] for n in first.inputs]
    found = like.apply_results(first.op, operands, params, numbers)
    known.update(zip(members, found, strict=True))


def substitute(outputs: Sequence[Node], known: dict[Node, Node]) -> list[Node]:
    """The outputs with the keys of ``known`` replaced by its values."""
    if not outputs:
        return []
    return replay(outputs, dict(known), outputs[0])
