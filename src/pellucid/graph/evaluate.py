"""What graphs mean: evaluated operation by operation with NumPy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.graph.node import INPUT, Node, consumers, topological


class Interpreter:
    """Evaluates the same nodes again and again for other values of the inputs."""

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        nodes = topological(outputs)
        self._uses = {node: len(users) for node, users in consumers(nodes).items()}
        for output in outputs:
            self._uses[output] += 1
        self._nodes = [node for node in nodes if node.op is not INPUT]
        # Looked up once: for small arrays this costs as much as the arithmetic.
        self._calls = {
            node: (getattr(node.op.evaluate, "__wrapped__", node.op.evaluate), node.settings)
            for node in self._nodes
            if node.op.results is None
        }
        self._members: dict[Hashable, list[Node]] = {}
        for node in self._nodes:
            if node.op.results is not None:
                self._members.setdefault(node.group, []).append(node)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for these values of the inputs; others are dropped after their last use."""
        with np.errstate(all="ignore"):
            return self._run(arrays)

    def _run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        values = dict(zip(self.inputs, arrays, strict=True))
        left = dict(self._uses)
        for node in self._nodes:
            try:
                if node.op.results is None:
                    call, settings = self._calls[node]
                    result = call(*[values[n] for n in node.inputs], **settings)
                    values[node] = np.asarray(result, node.dtype.numpy)
                elif node not in values:
                    self._evaluate_group(self._members[node.group], values)
            except PellucidError as error:
                raise error.located(node.origin.text) from None
            for operand in node.inputs:
                left[operand] -= 1
                if left[operand] == 0:
                    del values[operand]
        return [values[n] for n in self.outputs]

    def _evaluate_group(self, members: list[Node], values: dict[Node, np.ndarray]) -> None:
        """Results of one application, computed together."""
        first = members[0]
        params = first.settings
        del params["output"]
        numbers = tuple(node.settings["output"] for node in members)
        if first.op.results is not None:
            found = first.op.results(*[values[n] for n in first.inputs], outputs=numbers, **params)
            values.update({node: found[k] for node, k in zip(members, numbers, strict=True)})


def evaluate_node(node: Node, operands: Sequence[np.ndarray]) -> np.ndarray:
    """Value of one node from those of its operands, of exactly the dtype the node declares."""
    result = node.op.evaluate(*operands, **node.settings)
    return np.asarray(result, node.dtype.numpy)
