"""Graph rewrites that prepare a graph for kernels.

:data:`PASSES` lists them in order; each is Graph → Graph and can be switched off by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from pellucid.compiler.clusters import REDUCTIONS, reduction_axes
from pellucid.compiler.convolution import lower_convolution, sink_channel_move, sink_into_sum
from pellucid.compiler.placement import assemble_in_place
from pellucid.compiler.repeat import single_step, tidy_loops
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    constant_value,
    inheriting,
    make_node,
)
from pellucid.ops import elementwise, structure
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.indexing import IOTA
from pellucid.ops.registry import scalar
from pellucid.transforms.simplify import simplify

LONG_REDUCTION = 1 << 15
"""A reduction of so many elements into few results is cut into parts that run side by side."""
MOST_PARTS = 256


def rewrite(graph: Graph, rule: Callable[[Node], Node | None]) -> Graph:
    """The graph with ``rule`` applied once to every node, operands first."""
    replaced: dict[Node, Node] = {}
    with inheriting() as inherit:
        for node in graph.nodes():
            if node.op is INPUT or node.op is CONSTANT:
                replaced[node] = node
                continue
            inherit(node)
            operands = [replaced[n] for n in node.inputs]
            same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
            current = node if same else make_node(node.op, operands, node.settings)
            better = rule(current)
            replaced[node] = current if better is None else better
    return Graph(graph.inputs, tuple(replaced[n] for n in graph.outputs), graph.aliases)


def _transposed_product(node: Node) -> Node | None:
    if node.op.name != "transpose" or node.inputs[0].op.name != "matmul":
        return None
    rank = len(node.shape)
    axes = node.settings["axes"]
    if axes[-1] != rank - 2:
        return None
    a, b = node.inputs[0].inputs
    exchanged = {rank - 1: rank - 2, rank - 2: rank - 1}
    swapped: Node = matmul(swap(b), swap(a))
    moved: Node = structure.transpose(swapped, tuple(exchanged.get(i, i) for i in axes))
    return moved


def transpose_products(graph: Graph) -> Graph:
    """(A·B)ᵀ → Bᵀ·Aᵀ: the gradient of a weight comes out in the weight's own layout.

    Batch axes may move as well, as long as the last axis is one that the product makes contiguous.
    """
    return simplify(rewrite(graph, _transposed_product))


def _plain_product(node: Node) -> Node | None:
    """An integer product as multiplications and sums."""
    if node.op.name != "matmul":
        return None
    a, b = node.inputs
    if node.dtype.kind != "float":
        left = structure.reshape(a, (*a.shape, 1))  # (..., M, K, 1)
        right = structure.reshape(b, (*b.shape[:-2], 1, *b.shape[-2:]))  # (..., 1, K, N)
        total: Node = structure.sum(elementwise.mul(left, right), len(node.shape) - 1)
        same: Node = elementwise.cast(total, node.dtype)
        return same
    return None


def plain_products(graph: Graph) -> Graph:
    """Only products of floats are left: what the contraction kernel can do."""
    return rewrite(graph, _plain_product)


def _one_hot(node: Node) -> Node | None:
    if node.op.name != "scatter" or node.settings["mode"] != "add":
        return None
    x, index, values = node.inputs
    axis = node.settings["axis"]
    covers = all(
        i == n or d == axis for d, (i, n) in enumerate(zip(index.shape, x.shape, strict=True))
    )
    if not covers or index.shape[axis] != 1 or not _is_zero(x):
        return None
    places = make_node(IOTA, (), {"shape": x.shape, "axis": axis, "dtype": index.dtype})
    chosen: Node = elementwise.where(elementwise.eq(places, index), values, scalar(values, 0))
    return chosen


def _is_zero(node: Node) -> bool:
    while node.op.name in ("broadcast_to", "reshape"):
        node = node.inputs[0]
    return node.op is CONSTANT and node.size == 1 and not constant_value(node).any()


def _one_hot_parts(node: Node) -> tuple[Node, int] | None:
    """(value, axis) of where(position along axis = index, value, 0), else None."""
    if node.op.name != "where" or not _is_zero(node.inputs[2]) or node.inputs[0].op.name != "eq":
        return None
    places, index = node.inputs[0].inputs
    if places.op is not IOTA or len(index.shape) != len(node.shape):
        return None
    axis: int = places.settings["axis"]
    return (node.inputs[1], axis) if index.shape[axis] == 1 else None


def _through_one_hot(node: Node) -> Node | None:
    """−where(c, x, 0) → where(c, −x, 0), and the sum of a one-hot row → its one value."""
    if node.op.name not in ("neg", "sum") or node.dtype.kind != "float":
        return None
    choice = node.inputs[0]
    parts = _one_hot_parts(choice)
    if parts is None:
        return None
    value, axis = parts
    if node.op.name == "neg":
        negated: Node = elementwise.where(
            choice.inputs[0], elementwise.neg(value), choice.inputs[2]
        )
        return negated
    if reduction_axes(node) != (axis,) or (
        len(value.shape) == len(choice.shape) and value.shape[axis] != 1
    ):
        return None
    kept = tuple(1 if i == axis else n for i, n in enumerate(choice.shape))
    total: Node = structure.reshape(structure.broadcast_to(value, kept), node.shape)
    return total


def scatter_as_choice(graph: Graph) -> Graph:
    """One value scattered per row into zeros → where(position = index, value, 0), which fuses.

    It is the gradient of picking the target class in the cross-entropy.  The sum of such a row
    is its one value.
    """
    return simplify(rewrite(rewrite(graph, _one_hot), _through_one_hot))


def _parts(count: int) -> int:
    """The largest divisor of ``count`` up to :data:`MOST_PARTS` that leaves long enough parts."""
    best = 1
    for parts in range(2, MOST_PARTS + 1):
        if count % parts == 0 and count // parts >= 64:
            best = parts
    return best


def _split(node: Node) -> Node | None:
    if node.op.name not in REDUCTIONS or node.op.name.startswith("arg"):
        return None
    source, axes = node.inputs[0].shape, reduction_axes(node)
    if (
        math.prod(source[a] for a in axes) < LONG_REDUCTION // 8
        or math.prod(source) < LONG_REDUCTION
    ):
        return None
    if node.size > 4096 or math.prod(source) // max(node.size, 1) < 512:
        return None
    axis = axes[0]
    parts = _parts(source[axis])
    if parts == 1:
        return None
    split = (*source[:axis], parts, source[axis] // parts, *source[axis + 1 :])
    x = structure.reshape(node.inputs[0], split)  # axis -> (parts, rest)
    inner = tuple(a + 1 for a in axes)
    partial = make_node(node.op, [x], {"axes": inner})
    return make_node(node.op, [partial], {"axes": (axis,)})


def split_long_reductions(graph: Graph) -> Graph:
    """sum over n → sum over parts of sums over n/parts, so that threads can share the work.

    The cut follows from the shape alone, and with it the order of additions.
    """
    return rewrite(graph, _split)


def _sum_of_nothing(node: Node) -> Node | None:
    if node.op.name not in ("sum", "prod") or node.inputs[0].size or not node.size:
        return None
    neutral = scalar(node, 0 if node.op.name == "sum" else 1)
    filled: Node = structure.broadcast_to(neutral, node.shape)
    return filled


def fill_empty_reductions(graph: Graph) -> Graph:
    """Sums over no elements → 0, products → 1: no kernel has to think of loops without turns."""
    return rewrite(graph, _sum_of_nothing)


def unroll_single_steps(graph: Graph) -> Graph:
    """A loop of one step → the step."""
    return simplify(rewrite(graph, single_step))


def convolutions_as_products(graph: Graph) -> Graph:
    """convolution(x, w) → a product over a strided view of x, channels last.

    The moves to and from channels last sink through element-wise work and meet: simplify ends
    them.
    """
    lowered = rewrite(graph, lower_convolution)
    if lowered.outputs == graph.outputs:
        return graph
    sunk = rewrite(simplify(lowered), lambda n: sink_channel_move(n) or sink_into_sum(n))
    return simplify(sunk)


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    simplify,
    unroll_single_steps,
    tidy_loops,
    convolutions_as_products,
    fill_empty_reductions,
    transpose_products,
    plain_products,
    scatter_as_choice,
    split_long_reductions,
    assemble_in_place,
)
"""The rewrites in their order."""


def prepare(graph: Graph, without: Collection[str] = ()) -> Graph:
    """The graph after all passes but those named in ``without``."""
    for step in PASSES:
        if step.__name__ not in without:
            graph = step(graph)
    return graph
