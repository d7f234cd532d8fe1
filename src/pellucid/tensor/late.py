"""Checks of values: at once where they are known, else when a compiled program met a bad position.

A class id or the id of a row is known in eager mode, and an operation says at once what is wrong
with it.  While a program is traced it is a symbol.  Kernels keep positions in range and set a
flag; only then the deferred checks are made, on the values of that call, so that the message is
the same and the usual call pays nothing.  A value that is no position, such as a probability, gets
one made of it, which is out of range where the value is wrong (:func:`demanded`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError, OutOfRangeError, PellucidError
from pellucid.graph.evaluate import evaluate_node
from pellucid.graph.node import INPUT, Graph, Node, topological
from pellucid.ops import elementwise, indexing, structure
from pellucid.tensor.core import lift
from pellucid.tensor.state import state


class Late(NamedTuple):
    """A check that waits for the values of these nodes."""

    nodes: tuple[Node, ...]
    check: Callable[..., object]
    otherwise: PellucidError | None = None
    """What to say when the values are not known any more, since the program changed its state."""


def check_values(
    check: Callable[..., object], *tensors: Any, otherwise: PellucidError | None = None
) -> None:
    """``check(*arrays)``, which raises where values are wrong; not for empty tensors.

    The arrays of narrow types are in float32.

    In a traced function it is called only if the program met a position out of range.
    """
    trace = state.trace
    if trace is not None:
        nodes = tuple(trace.node_of(t._cell) for t in tensors)
        trace.late.append(Late(nodes, check, otherwise))
    elif all(tensor.numel() for tensor in tensors):
        check(*(tensor.dtype.numbers(tensor.array()) for tensor in tensors))


def demanded(
    value: Any,
    good: Callable[[], Any],
    check: Callable[..., object],
    *tensors: Any,
    otherwise: PellucidError,
) -> Any:
    """``value``; ``check(*arrays)`` raises where not all of ``good()``, a bool tensor, is true.

    A compiled program says so after its call, with the text of ``otherwise`` where the values that
    were wrong are gone by then.
    """
    trace = state.trace
    if trace is None:
        check_values(check, *tensors)
        return value
    wrong = structure.sum(elementwise.cast(elementwise.logical_not_(good()), int64))
    place = elementwise.cast(elementwise.gt(wrong, lift(np.asarray(0))), int64)
    place = elementwise.mul(place, lift(np.asarray(2)))  # 0, or one behind the last
    nothing = indexing.take(lift(np.arange(2).astype(value.dtype.numpy)), place, 0)
    otherwise = otherwise.located(trace.node_of(nothing._cell).origin.text)
    check_values(check, *tensors, otherwise=otherwise)
    return elementwise.add(value, nothing)


def explanation(late: Sequence[Late], known: dict[Node, np.ndarray]) -> PellucidError | None:
    """What the first deferred check that fails says about these inputs."""
    unknown = None
    for nodes, check, otherwise in late:
        try:
            arrays = [_value(node, known) for node in nodes]
        except ArgumentError:  # another position out of range on the way to it
            continue
        try:
            found = [array for array in arrays if array is not None]
            if len(found) < len(nodes):
                unknown = unknown or otherwise
            elif all(array.size for array in found):
                check(*(n.dtype.numbers(a) for n, a in zip(nodes, found, strict=True)))
        except PellucidError as error:
            return error
    return unknown


def with_places(error: OutOfRangeError, graph: Graph) -> OutOfRangeError:
    """The error with the layers and lines of all operations that look positions up."""
    places = [n.origin.text for n in graph.nodes() if n.op.family == "indexing"]
    return error.located(" or ".join(filter(None, dict.fromkeys(places))))


def _value(node: Node, known: dict[Node, np.ndarray]) -> np.ndarray | None:
    """The value of a node; None if it depends on an input that is not known any more."""
    values = dict(known)
    for part in topological([node]):
        if part in values:
            continue
        if part.op is INPUT or (part.op.results is not None and not part.op.host):
            return None
        values[part] = evaluate_node(part, [values[n] for n in part.inputs])
    return values[node]
