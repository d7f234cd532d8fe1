"""Operands that are one number, or one row, spread over a shape: read like any other value.

The gradient of a plain sum is such a value: one constant for all elements.  A kernel that reads
it through a view must not take its neighbours for neighbours in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from backends.test_native_primitives import converted
from helpers import assert_close
from native_graphs import run
from pellucid import autograd, compile, nn, tensor
from pellucid.base.dtypes import as_dtype, float32, float64
from pellucid.graph.node import Graph, Node, Sample, Spec, constant, new_input
from pellucid.ops import PRIMITIVES, structure
from pellucid.ops.registry import apply
from pellucid.tensor.tensor import Tensor
from pellucid.transforms.differentiate import gradients

WAYS = ("one", "constant", "rows", "columns", "transposed")


def spread(array: np.ndarray, way: str) -> tuple[Node, Node | None, np.ndarray]:
    """A node of the array's shape whose elements repeat; its input, if it has one, and value."""
    dtype = as_dtype(array.dtype)
    if way == "transposed" and array.ndim > 1:
        source = np.ascontiguousarray(array.T)
        node = new_input(Spec(source.shape, dtype))
        axes = tuple(reversed(range(array.ndim)))
        return structure.transpose(node, axes), node, source
    kept = [1] * array.ndim
    if not kept:
        node = new_input(Spec((), dtype))
        return node, node, array
    if way == "rows":
        kept[-1] = array.shape[-1]
    if way == "columns":
        kept[:-1] = array.shape[:-1]
    source = array[tuple(slice(0, n) for n in kept)].copy()
    if way == "constant":
        return structure.broadcast_to(constant(source.reshape(())), array.shape), None, source
    node = new_input(Spec(source.shape, dtype))
    return structure.broadcast_to(node, array.shape), node, source


def variants(sample: Sample) -> Iterator[tuple[list[Node], list[Node], list[np.ndarray]]]:
    """Operands of the sample with some of them spread; the inputs and arrays of a graph."""
    arrays = [np.asarray(a) for a in sample.inputs]
    for way in WAYS:
        for chosen in (*((i,) for i in range(len(arrays))), tuple(range(len(arrays)))):
            operands: list[Node] = []
            inputs: list[Node] = []
            given: list[np.ndarray] = []
            for position, array in enumerate(arrays):
                if position in chosen and array.size:
                    operand, own, value = spread(array, way)
                else:
                    operand = own = new_input(Spec(array.shape, as_dtype(array.dtype)))
                    value = array
                operands.append(operand)
                if own is not None:
                    inputs.append(own)
                    given.append(value)
            if inputs:
                yield operands, inputs, given


def assert_native_agrees(graph: Graph, arrays: list[np.ndarray]) -> None:
    """Native results are the reference's; what cancels to 0 may keep roundings of its terms."""
    for position, (left, right) in enumerate(
        zip(run(graph, arrays), run(graph, arrays, "reference"), strict=True)
    ):
        tolerance = 1e-10 if right.dtype == np.float64 else 5e-5
        assert_close(left, right, tolerance, tolerance, f"output {position}")


@pytest.mark.parametrize(
    # Of the gradient of attention the result and the sums belong to the other operands; they are
    # spread with those below.
    "name",
    [n for n, p in PRIMITIVES.items() if p.family != "leaf" and n != "attention_gradient"],
)
def test_operands_that_repeat_elements(name: str) -> None:
    primitive = PRIMITIVES[name]
    inputs: list[Node] = []
    outputs: list[Node] = []
    arrays: list[np.ndarray] = []
    for sample in [converted(s, float32) for s in primitive.samples()][:2]:
        for operands, own, given in variants(sample):
            outputs.append(apply(primitive, *operands, **sample.params))
            inputs += own
            arrays += given
    if outputs:
        assert_native_agrees(Graph(tuple(inputs), tuple(outputs)), arrays)


@pytest.mark.parametrize("order", (1, 2))
@pytest.mark.parametrize("loss", ("sum", "mean"))
@pytest.mark.parametrize("name", [n for n, p in PRIMITIVES.items() if p.gradient is not None])
def test_gradients_of_plain_sums_and_means(name: str, loss: str, order: int) -> None:
    primitive = PRIMITIVES[name]
    inputs: list[Node] = []
    outputs: list[Node] = []
    arrays: list[np.ndarray] = []
    for sample in (converted(s, float64) for s in primitive.samples()):
        if order == 2 and not sample.second_order:
            continue
        given = [np.asarray(a) for a in sample.inputs]
        nodes = [new_input(Spec(a.shape, as_dtype(a.dtype))) for a in given]
        wrt = [n for n in nodes if n.dtype.is_floating_point]
        result = apply(primitive, *nodes, **sample.params) if nodes else None
        if result is None or not wrt or not result.dtype.is_floating_point or not result.size:
            continue
        found = [result]
        for _ in range(order):
            number = 1.0 if loss == "sum" else 1 / result.size
            fill = [constant(n.dtype.array(number)) for n in found]
            spreads = [structure.broadcast_to(c, n.shape) for c, n in zip(fill, found, strict=True)]
            found = gradients(found, wrt, spreads)
        inputs += nodes
        outputs += found
        arrays += given
    if outputs:
        assert_native_agrees(Graph(tuple(inputs), tuple(outputs)), arrays)


F = nn.functional
COMPOSITES = {
    "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v), [(2, 1, 3, 4)] * 3),
    "causal attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        [(2, 5, 4)] * 3,
    ),
    "masked attention": (
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        [(2, 3, 4), (2, 5, 4), (2, 5, 6), (2, 3, 5)],
    ),
    "attention with queries as mask": (
        lambda q: F.scaled_dot_product_attention(q, q, q, attn_mask=q),
        [(2, 4, 4)],
    ),
    "linear": (F.linear, [(5, 3), (4, 3), (4,)]),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1), [(2, 3, 6, 5), (4, 3, 3, 3), (4,)]),
    "strided conv2d": (lambda x, w: F.conv2d(x, w, stride=2), [(2, 3, 9, 7), (4, 3, 3, 3)]),
    "wide conv2d": (
        lambda x, w: F.conv2d(x, w, padding=1),
        [(2, 16, 12, 12), (16, 16, 3, 3)],
    ),
    "grouped conv2d": (
        lambda x, w: F.conv2d(x, w, groups=2, dilation=2),
        [(2, 4, 9, 7), (6, 2, 3, 3)],
    ),
    "conv_transpose2d": (
        lambda x, w: F.conv_transpose2d(x, w, stride=2),
        [(2, 3, 4, 5), (3, 4, 3, 3)],
    ),
    "conv1d": (F.conv1d, [(2, 3, 9), (4, 3, 3)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), [(2, 3, 6, 8)]),
    "overlapping max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), [(2, 3, 7, 8)]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), [(2, 3, 6, 8)]),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (6,), w, b), [(5, 6), (6,), (6,)]),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        [(5, 3, 4), (3,), (3,)],
    ),
    "softmax": (lambda x: F.softmax(x, -1), [(5, 7)]),
    "log_softmax": (lambda x: F.log_softmax(x, 0), [(5, 7)]),
    "logsumexp": (lambda x: x.logsumexp(1), [(5, 7)]),
    "cumsum": (lambda x: x.cumsum(0), [(5, 7)]),
    "cumprod": (lambda x: x.cumprod(1), [(5, 4)]),
    "sort": (lambda x: x.sort(1).values, [(5, 7)]),
    "median": (lambda x: x.median(1).values, [(5, 7)]),
    "bilinear": (F.bilinear, [(5, 3), (5, 4), (2, 3, 4), (2,)]),
    "outer": (lambda a, b: a[:, None] * b, [(5,), (4,)]),
    "matmul of vectors": (lambda a, b: a @ b, [(5, 4), (4,)]),
    "batched matmul": (lambda a, b: a @ b, [(3, 5, 4), (4, 6)]),
    "matmul of expanded": (lambda a: a.expand(4, 5) @ a.t().expand(5, 6), [(1, 5)]),
    "attention of expanded": (
        lambda a: F.scaled_dot_product_attention(
            a.expand(2, 3, 4), a.expand(2, 5, 4), a.expand(2, 5, 4)
        ),
        [(2, 1, 1)],
    ),
    "expanded": (lambda x: x.expand(5, 3, 4), [(3, 1)]),
    "var": (lambda x: x.var(0), [(5, 3)]),
}


@pytest.mark.parametrize("loss", ("sum", "mean", "weighted", "first column"))
@pytest.mark.parametrize("name", COMPOSITES)
def test_compiled_gradients_are_those_of_eager_and_of_differences(name: str, loss: str) -> None:
    function, shapes = COMPOSITES[name]
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=shape) for shape in shapes]

    def total(*xs: Tensor) -> Tensor:
        y = function(*xs)
        if loss == "weighted":
            places = np.linspace(-1, 1, max(y.numel(), 2))[: y.numel()].reshape(y.shape)
            return (y * tensor(places, dtype=y.dtype)).sum()
        if loss == "first column":
            return y[..., 0].sum()
        return y.sum() if loss == "sum" else y.mean()

    def slopes(*xs: Tensor) -> tuple[Tensor, ...]:
        return tuple(autograd.grad(total(*xs), list(xs)))

    for dtype, rtol in ((float32, 2e-4), (float64, 1e-9)):
        leaves = [tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
        eager, compiled = slopes(*leaves), compile(slopes)(*leaves)
        for position, (mine, theirs) in enumerate(zip(compiled, eager, strict=True)):
            assert_close(mine, theirs, rtol, rtol / 10, f"{dtype.name} gradient {position}")
    # A central difference along one random direction, in float64.
    direction = [rng.normal(size=shape) for shape in shapes]
    step = 1e-6
    ends = [
        total(*(tensor(a + s * d, dtype=float64) for a, d in zip(arrays, direction, strict=True)))
        for s in (step, -step)
    ]
    along = (ends[0].item() - ends[1].item()) / (2 * step)
    found = sum(float((g.numpy() * d).sum()) for g, d in zip(compiled, direction, strict=True))
    assert_close(found, along, 1e-6, 1e-7, "slope along a direction")
