"""Native code of gradients: first and second order of every primitive, on its samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.test_native_primitives import converted, values
from native_graphs import assert_native_is_reference
from pellucid.base.dtypes import as_dtype, float32, float64
from pellucid.graph.node import Graph, Node, Primitive, Sample, Spec, new_input
from pellucid.ops import PRIMITIVES
from pellucid.ops.registry import apply
from pellucid.transforms.differentiate import gradients


def gradient_graph(
    primitive: Primitive, sample: Sample, order: int
) -> tuple[Graph, list[np.ndarray]] | None:
    """The graph of the gradient (order 2: of its weighted sum's gradient)."""
    arrays = [np.asarray(a) for a in sample.inputs]
    nodes = [new_input(Spec(a.shape, as_dtype(a.dtype))) for a in arrays]
    wrt = [n for n in nodes if n.dtype.is_floating_point]
    if not wrt:
        return None
    result = apply(primitive, *nodes, **sample.params)
    if not result.dtype.is_floating_point:
        return None
    found: list[Node] = [result]
    inputs, given = list(nodes), list(arrays)
    for turn in range(order):
        weights = []
        for position, node in enumerate(found):
            weight = new_input(node.spec)
            weights.append(weight)
            inputs.append(weight)
            given.append(values(node.shape, node.dtype, 70 + 10 * turn + position))
        found = gradients(found, wrt, weights)
    return Graph(tuple(inputs), tuple(found)), given


@pytest.mark.parametrize(
    ("dtype", "order"),
    [(float32, 1), (float64, 1), (float64, 2)],
    ids=["single", "double", "second"],
)
@pytest.mark.parametrize("name", [n for n, p in PRIMITIVES.items() if p.gradient is not None])
def test_gradient_graphs(name: str, dtype: Any, order: int) -> None:
    primitive = PRIMITIVES[name]
    inputs: list[Node] = []
    outputs: list[Node] = []
    arrays: list[np.ndarray] = []
    for sample in primitive.samples():
        if order == 2 and not sample.second_order:
            continue
        made = gradient_graph(primitive, converted(sample, dtype), order)
        if made is None:
            continue
        inputs += made[0].inputs
        outputs += made[0].outputs
        arrays += made[1]
    if outputs:
        assert_native_is_reference(Graph(tuple(inputs), tuple(outputs)), arrays)
