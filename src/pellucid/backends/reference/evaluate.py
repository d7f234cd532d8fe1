"""The definition: a graph evaluated operation by operation with NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.base.errors import GraphError
from pellucid.graph.node import INPUT, Graph, Node, consumers


def evaluate(graph: Graph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Values of the graph's outputs for these values of its inputs.

    Arrays are checked against the inputs' shapes and dtypes.  Intermediate values are dropped
    after their last use.
    """
    if len(inputs) != len(graph.inputs):
        raise GraphError(
            f"the graph has {len(graph.inputs)} inputs and got {len(inputs)} arrays",
            "pass one for each",
        )
    values: dict[Node, np.ndarray] = {}
    for node, array in zip(graph.inputs, inputs, strict=True):
        if tuple(array.shape) != node.shape or array.dtype != node.dtype.numpy:
            raise GraphError(
                f"input {node.spec} got an array {array.dtype}{list(array.shape)}",
                "shapes and dtypes must agree",
            )
        values[node] = array
    nodes = graph.nodes()
    left = {node: len(users) for node, users in consumers(nodes).items()}
    for output in graph.outputs:
        left[output] += 1
    for node in nodes:
        if node.op is not INPUT:
            values[node] = evaluate_node(node, [values[n] for n in node.inputs])
        for operand in node.inputs:
            left[operand] -= 1
            if left[operand] == 0:
                del values[operand]
    return [values[n] for n in graph.outputs]


def evaluate_node(node: Node, operands: Sequence[np.ndarray]) -> np.ndarray:
    """Value of one node from those of its operands, of exactly the dtype the node declares."""
    result = node.op.evaluate(*operands, **node.settings)
    return np.asarray(result, node.dtype.numpy)
