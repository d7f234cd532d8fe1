"""Native convolutions against their definition: values and both gradients, over awkward options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from native_graphs import assert_native_is_reference, assert_same_bits_on_threads
from pellucid import nn
from pellucid.backends.cpu.convolution import StridedProduct, plan_strided
from pellucid.backends.cpu.target import host_target
from pellucid.base.dtypes import as_dtype
from pellucid.compiler.passes import PASSES, convolutions_as_products
from pellucid.graph.node import Graph, Spec, new_input
from pellucid.ops.convolution import convolution
from pellucid.ops.elementwise import maximum, mul
from pellucid.ops.registry import scalar
from pellucid.transforms.differentiate import gradients

CASES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 9, 8), (5, 3, 3, 3), {"low": (1, 1), "high": (1, 1)}),
    ((2, 3, 9, 8), (37, 3, 3, 3), {"low": (1, 0), "high": (0, 2)}),
    ((3, 40, 6, 6), (24, 40, 3, 3), {"low": (1, 1), "high": (1, 1)}),
    ((2, 8, 9, 10), (6, 8, 3, 2), {"stride": (2, 3), "low": (1, 0), "high": (1, 1)}),
    ((2, 4, 9, 10), (6, 4, 3, 3), {"dilation": (2, 3), "low": (2, 3), "high": (2, 3)}),
    ((2, 5, 7, 7), (9, 5, 1, 1), {}),
    ((2, 5, 7, 7), (9, 5, 1, 1), {"stride": (2, 2)}),
    ((2, 6, 5, 5), (8, 3, 3, 3), {"groups": 2, "low": (1, 1), "high": (1, 1)}),
    ((2, 6, 7, 6), (6, 1, 3, 3), {"groups": 6, "low": (1, 1), "high": (1, 1)}),
    ((2, 6, 7, 6), (6, 1, 3, 3), {"groups": 6, "stride": (2, 2), "dilation": (1, 2)}),
    ((2, 3, 5, 6), (12, 1, 2, 2), {"groups": 3}),
    ((2, 4, 8, 8), (6, 4, 3, 3), {"stride": (2, 2), "low": (1, 1), "high": (1, 1)}),
    ((2, 4, 9, 7), (6, 4, 3, 3), {"stride": (2, 2), "low": (1, 1), "high": (1, 1)}),
    ((2, 4, 9, 8), (6, 4, 2, 2), {"stride": (3, 4), "low": (1, 0), "high": (0, 1)}),
    ((1, 3, 13, 12), (5, 3, 3, 4), {"stride": (3, 2), "dilation": (2, 2), "low": (2, 1)}),
    ((1, 3, 17, 15), (5, 3, 3, 3), {"stride": (4, 6), "dilation": (6, 4)}),
    ((2, 4, 7, 8), (6, 4, 3, 3), {"stride": (2, 2), "low": (-1, 2), "high": (2, -1)}),
    ((2, 6, 8, 7), (6, 1, 5, 3), {"groups": 6, "stride": (2, 3), "low": (2, 1)}),
    ((2, 6, 8, 8), (12, 1, 3, 3), {"groups": 6, "stride": (2, 2), "low": (1, 1)}),
    ((2, 4, 1, 1), (6, 4, 1, 1), {}),
    ((2, 4, 1, 1), (6, 4, 3, 3), {"low": (1, 1), "high": (1, 1)}),
    ((2, 4, 1, 1), (4, 1, 3, 3), {"groups": 4, "low": (1, 1), "high": (1, 1)}),
    ((0, 4, 6, 6), (6, 4, 3, 3), {"stride": (2, 2), "low": (1, 1), "high": (1, 1)}),
    ((0, 4, 6, 6), (4, 1, 3, 3), {"groups": 4, "low": (1, 1), "high": (1, 1)}),
    ((3, 20, 6, 6), (70, 20, 1, 1), {"stride": (2, 2)}),
    ((2, 3, 5, 6), (4, 3, 2, 2), {"low": (-1, 0), "high": (1, -2)}),
    ((1, 2, 4, 4), (3, 2, 2, 2), {"low": (5, 6), "high": (0, 4), "stride": (7, 3)}),
    ((2, 3, 5, 6), (4, 3, 5, 6), {}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((0, 3, 5, 6), (4, 3, 2, 2), {}),
    ((2, 3, 40), (5, 3, 7), {"stride": (2,), "low": (3,), "high": (3,)}),
    ((2, 4, 2000), (3, 4, 5), {}),
    ((2, 3, 4, 5, 3), (4, 3, 2, 3, 2), {"low": (1, 0, 1), "high": (0, 0, 1)}),
]


def settings(rank: int, given: dict[str, Any]) -> dict[str, Any]:
    ones, none = (1,) * rank, (0,) * rank
    plain = {"stride": ones, "low": none, "high": none, "dilation": ones, "groups": 1}
    return {**plain, **given}


def graph_of(x: np.ndarray, w: np.ndarray, given: dict[str, Any]) -> Graph:
    """relu(convolution), and its derivatives for both inputs under a cotangent."""
    nodes = [new_input(Spec(a.shape, as_dtype(a.dtype))) for a in (x, w)]
    y = convolution(*nodes, **settings(x.ndim - 2, given))
    y = maximum(y, scalar(y, 0.0))
    cotangent = new_input(Spec(y.shape, y.dtype))
    found = gradients([mul(y, y)], nodes, [cotangent])
    return Graph((*nodes, cotangent), (y, *found))


def arrays_of(graph: Graph, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=n.shape).astype(n.dtype.numpy) for n in graph.inputs]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "weight", "given"), CASES)
def test_values_and_gradients(
    shape: tuple[int, ...], weight: tuple[int, ...], given: dict[str, Any], dtype: Any, rng
) -> None:
    graph = graph_of(np.zeros(shape, dtype), np.zeros(weight, dtype), given)
    assert_native_is_reference(graph, arrays_of(graph, rng))


def test_each_product_runs_in_one_kernel_with_what_follows() -> None:
    layer = nn.Conv2d(8, 16, 3, padding=1)
    step = pellucid.compile(lambda x: F.relu(layer(x)))
    with pellucid.no_grad():
        x = pellucid.randn(4, 8, 12, 12)
        expected = F.relu(layer(x))
        np.testing.assert_allclose(step(x).numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(16, 8, 14, 14), (8, 64, 4, 4)])
def test_bits_do_not_depend_on_threads(shape: tuple[int, ...], rng) -> None:
    weight = np.zeros((24, shape[1], 3, 3), np.float32)
    graph = graph_of(np.zeros(shape, np.float32), weight, {"low": (1, 1), "high": (1, 1)})
    arrays = arrays_of(graph, rng)
    assert_same_bits_on_threads(graph, arrays, (1, 2))


@pytest.mark.parametrize("rows", [((7, 100), (5, 3)), ((3, 1),)])
@pytest.mark.parametrize("depth", [((9, 40), (4, 1)), ((5000, 1),), ((3, 9000), (2000, 2))])
@pytest.mark.parametrize("columns", [1, 9, 16, 40])
def test_plans_cover_everything(rows: Any, depth: Any, columns: int) -> None:
    spec = StridedProduct("float32", (), rows, depth, columns)
    plan = plan_strided(spec, host_target())
    for extent, chunks, size in (
        (spec.height, plan.row_chunks, plan.chunk_rows),
        (columns, plan.column_chunks, plan.chunk_columns),
    ):
        assert chunks * size >= extent > (chunks - 1) * size
    assert plan.chunks == plan.row_chunks * plan.column_chunks
    assert plan.chunk_columns % plan.panel == 0
    assert plan.chunk_rows % plan.tile_rows == 0
    below = 1
    for extent, _ in depth[plan.level + 1 :]:
        below *= extent
    assert plan.block * below * plan.panel * 4 <= 256 << 10


def test_the_pass_leaves_no_convolution() -> None:
    assert convolutions_as_products in PASSES
    graph = graph_of(np.zeros((2, 3, 5, 5), np.float32), np.zeros((4, 3, 3, 3), np.float32), {})
    names = {n.op.name for n in convolutions_as_products(graph).nodes()}
    assert "convolution" not in names
    assert names & {"strided_product", "matmul"}
