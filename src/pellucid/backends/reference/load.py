"""The reference backend as an executable: NumPy, operation by operation."""

from __future__ import annotations

import numpy as np

from pellucid.backends import array_at
from pellucid.backends.reference.evaluate import evaluate
from pellucid.graph.node import Graph, Node


class ReferenceExecutable:
    """Runs a graph by its definition; see :class:`pellucid.backends.Executable`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.pointers = [0] * (len(graph.inputs) + len(graph.outputs))
        self._strides = list(self.pointers)

    def bind_input(self, position: int, address: int, stride: int = 0) -> None:
        """Address and stride of an input."""
        self.pointers[position] = address
        self._strides[position] = stride

    def bind_output(self, position: int, address: int, stride: int = 0) -> None:
        """Address and stride of an output."""
        self.bind_input(len(self.graph.inputs) + position, address, stride)

    def run(self, steps: int = 1) -> None:
        """Evaluate ``steps`` times, writing each step's outputs before the next reads them."""
        for step in range(steps):
            inputs = [self._view(n, i, step) for i, n in enumerate(self.graph.inputs)]
            values = [np.array(v) for v in evaluate(self.graph, inputs)]
            for position, value in enumerate(values):
                place = self.graph.aliases.get(position, len(inputs) + position)
                self._view(self.graph.outputs[position], place, step)[...] = value
        moved = [p + s * steps for p, s in zip(self.pointers, self._strides, strict=True)]
        self.pointers[:] = moved

    def _view(self, node: Node, place: int, step: int) -> np.ndarray:
        """The array of an input or output at one step."""
        if not node.size:
            return np.empty(node.shape, node.dtype.numpy)
        address = self.pointers[place] + self._strides[place] * step
        return array_at(address, node.shape, node.dtype.numpy)


def load(graph: Graph) -> ReferenceExecutable:
    """The graph as an executable of this backend."""
    return ReferenceExecutable(graph)
