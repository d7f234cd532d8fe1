"""The definition: a graph evaluated operation by operation with NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.base.errors import GraphError
from pellucid.graph.evaluate import Interpreter, evaluate_node
from pellucid.graph.node import Graph

__all__ = ["evaluate", "evaluate_node"]


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
    for node, array in zip(graph.inputs, inputs, strict=True):
        if tuple(array.shape) != node.shape or array.dtype != node.dtype.numpy:
            raise GraphError(
                f"input {node.spec} got an array {array.dtype}{list(array.shape)}",
                "shapes and dtypes must agree",
            )
    return Interpreter(graph.inputs, graph.outputs).run(inputs)
