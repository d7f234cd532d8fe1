"""The reference backend as an executable: NumPy, operation by operation."""

from __future__ import annotations

import numpy as np

from pellucid.backends import array_at
from pellucid.backends.reference.evaluate import evaluate
from pellucid.graph.node import Graph


class ReferenceExecutable:
    """Runs a graph by its definition; see :class:`pellucid.backends.Executable`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._inputs = [(0, 0)] * len(graph.inputs)
        self._outputs = [(0, 0)] * len(graph.outputs)

    def bind_input(self, position: int, address: int, stride: int = 0) -> None:
        """Address and stride of an input."""
        self._inputs[position] = (address, stride)

    def bind_output(self, position: int, address: int, stride: int = 0) -> None:
        """Address and stride of an output."""
        self._outputs[position] = (address, stride)

    def run(self, steps: int = 1) -> None:
        """Evaluate ``steps`` times, writing each step's outputs before the next reads them."""
        for step in range(steps):
            inputs = [self._view(n, *self._inputs[i], step) for i, n in enumerate(self.graph.inputs)]
            values = [np.array(v) for v in evaluate(self.graph, inputs)]
            for position, value in enumerate(values):
                source = self.graph.aliases.get(position)
                place = self._outputs[position] if source is None else self._inputs[source]
                self._view(self.graph.outputs[position], *place, step)[...] = value

    @staticmethod
    def _view(node, address: int, stride: int, step: int) -> np.ndarray:  # type: ignore[no-untyped-def]
        if not node.size:
            return np.empty(node.shape, node.dtype.numpy)
        return array_at(address + stride * step, node.shape, node.dtype.numpy)


def load(graph: Graph) -> ReferenceExecutable:
    """The graph as an executable of this backend."""
    return ReferenceExecutable(graph)
