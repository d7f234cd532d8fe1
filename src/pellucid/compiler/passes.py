"""Graph rewrites that prepare a graph for kernels.

:data:`PASSES` lists them in order; each is Graph → Graph and can be switched off by name.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection

from pellucid.base.dtypes import bfloat16
from pellucid.compiler.clusters import MOST_SIDE_BY_SIDE, REDUCTIONS, reduction_axes
from pellucid.compiler.convolution import (
    drop_round_trip,
    lower_convolution,
    sink_channel_move,
    sink_into_sum,
    sink_through_moves,
)
from pellucid.compiler.joining import join_in_place, narrow_parts
from pellucid.compiler.machine import DEFAULT, Machine
from pellucid.compiler.phases import split_phases
from pellucid.compiler.placement import assemble_in_place
from pellucid.compiler.repeat import single_step, tidy_loops
from pellucid.compiler.sparse import is_zero, write_rows_alone
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    inheriting,
    make_node,
    with_operands,
)
from pellucid.ops import elementwise, structure
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.indexing import IOTA
from pellucid.ops.normalization import standardize_formula
from pellucid.ops.pooling import window_max_formula
from pellucid.ops.registry import scalar
from pellucid.transforms.simplify import settling_once, simplify, views_after


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
            current = node if same else with_operands(node, operands)
            better = rule(current)
            replaced[node] = current if better is None else better
    if all(replaced[n] is n for n in graph.outputs):
        return graph
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
    if not covers or index.shape[axis] != 1 or not is_zero(x):
        return None
    places = make_node(IOTA, (), {"shape": x.shape, "axis": axis, "dtype": index.dtype})
    chosen: Node = elementwise.where(elementwise.eq(places, index), values, scalar(values, 0))
    return chosen


def _one_hot_parts(node: Node) -> tuple[Node, int] | None:
    """(value, axis) of where(position along axis = index, value, 0), else None."""
    if node.op.name != "where" or not is_zero(node.inputs[2]) or node.inputs[0].op.name != "eq":
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


def _parts(count: int, least: int, most: int) -> int:
    """The largest divisor of ``count`` up to ``most`` that leaves parts of ``least``."""
    best = 1
    for parts in range(2, most + 1):
        if count % parts == 0 and count // parts >= least:
            best = parts
    return best


def _split(node: Node, machine: Machine) -> Node | None:
    if node.op.name not in REDUCTIONS or node.op.name.startswith("arg"):
        return None
    source, axes = node.inputs[0].shape, reduction_axes(node)
    total, reduced = math.prod(source), math.prod(source[a] for a in axes)
    if node.size > 4096 or total < machine.long_reduction:
        return None
    axis, together = axes[0], 1
    if len(source) - 1 not in axes:  # sums of whole rows
        if total < 4 * machine.long_reduction or reduced < 64:
            return None
        # Reduced axes side by side count as one.
        while together < len(axes) and axes[together] == axis + together:
            together += 1
        place = max(1, math.prod(source[axis + together :]))
        least, most = max(2, -(-machine.part_elements // place)), machine.most_row_parts
    elif reduced < machine.long_reduction // 8 or total // max(node.size, 1) < 512:
        return None
    elif node.size >= machine.enough_rows and reduced <= machine.longest_row:
        return None
    else:
        least, most = 64, machine.most_parts
    extent = math.prod(source[axis : axis + together])
    parts = _parts(extent, least, most)
    if parts == 1:
        return None
    split = (*source[:axis], parts, extent // parts, *source[axis + together :])
    x = structure.reshape(node.inputs[0], split)  # axes -> (parts, rest)
    inner = (axis + 1, *(a + 2 - together for a in axes[together:]))
    partial = make_node(node.op, [x], {"axes": inner})
    return make_node(node.op, [partial], {"axes": (axis,)})


def split_long_reductions(graph: Graph, machine: Machine = DEFAULT) -> Graph:
    """sum over n → sum over parts of sums over n/parts, so that threads can share the work.

    The cut follows from the shape alone, and with it the order of additions.
    """
    return rewrite(graph, functools.partial(_split, machine=machine))


def _formula(node: Node) -> Node | None:
    result: Node | None = None
    if node.op.name == "standardize":
        settings = node.settings
        result = standardize_formula(node.inputs[0], settings["axes"], settings["eps"])
    elif node.op.name == "window_max":
        result = window_max_formula(node.inputs[0], node.settings["axes"])
    return result


def as_formulas(graph: Graph) -> Graph:
    """standardize(x) → (x − mean) · 1/√(var + ε), window_max(x) → comparisons.

    The sums of the former are shared with those of its gradient.
    """
    return rewrite(graph, _formula)


MOST_FACTORS = 64
"""A product is taken apart into so many factors at most: a chain may be as long as a program."""


def _factors(node: Node) -> list[Node]:
    """The factors of a product of any number, −x counting as −1 · x.

    A product of very many is one factor beyond the first :data:`MOST_FACTORS`.
    """
    found: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if len(found) + len(stack) >= MOST_FACTORS or current.op.name not in ("mul", "neg"):
            found.append(current)
            continue
        if current.op.name == "neg":
            found.append(scalar(current, -1.0))
        stack.extend(reversed(current.inputs))
    return found


def _factored(node: Node) -> Node | None:
    if node.op.name != "sum" or node.dtype.kind != "float":
        return None
    source, axes = node.inputs[0], node.settings["axes"]
    if source.op.name not in ("mul", "neg") or math.prod(source.shape[a] for a in axes) < 2:
        return None

    def stays(factor: Node) -> bool:
        lead = len(source.shape) - len(factor.shape)
        return all(a < lead or factor.shape[a - lead] == 1 for a in axes)

    factors = _factors(source)
    fixed, moving = [f for f in factors if stays(f)], [f for f in factors if not stays(f)]
    if not fixed or not moving:
        return None
    inside = functools.reduce(elementwise.mul, moving)
    if inside.shape != source.shape:
        inside = structure.broadcast_to(inside, source.shape)
    total: Node = structure.sum(inside, axes)
    kept = tuple(n for a, n in enumerate(source.shape) if a not in axes)
    for factor in fixed:
        lead = len(source.shape) - len(factor.shape)
        shape = [factor.shape[a - lead] if a >= lead else 1 for a in range(len(source.shape))]
        rest = tuple(n for a, n in enumerate(shape) if a not in axes)
        total = elementwise.mul(total, structure.reshape(factor, rest))
    return total if total.shape == kept else None


def factors_before_sums(graph: Graph) -> Graph:
    """sum(x · c) → sum(x) · c for factors that the sum does not run over.

    The sums that a normalization needs for its input's gradient are then the ones that the
    gradients of its scale and shift need anyway.
    """
    return simplify(rewrite(graph, _factored))


def _sum_of_nothing(node: Node) -> Node | None:
    if node.op.name not in ("sum", "prod") or node.inputs[0].size or not node.size:
        return None
    neutral = scalar(node, 0 if node.op.name == "sum" else 1)
    filled: Node = structure.broadcast_to(neutral, node.shape)
    return filled


def fill_empty_reductions(graph: Graph) -> Graph:
    """Sums over no elements → 0, products → 1: no kernel has to think of loops without
    iterations."""
    return rewrite(graph, _sum_of_nothing)


def unroll_single_steps(graph: Graph) -> Graph:
    """A loop of one step → the step."""
    return simplify(rewrite(graph, single_step))


def _sink(node: Node) -> Node | None:
    return (
        sink_channel_move(node)
        or sink_through_moves(node)
        or sink_into_sum(node)
        or drop_round_trip(node)
        or views_after(node)
    )


def _in_parts(node: Node) -> Node | None:
    if node.op.name != "concatenate" or len(node.inputs) <= MOST_SIDE_BY_SIDE:
        return None
    axis, row = node.settings["axis"], list(node.inputs)
    while len(row) > 1:
        groups = [row[i : i + MOST_SIDE_BY_SIDE] for i in range(0, len(row), MOST_SIDE_BY_SIDE)]
        row = [g[0] if len(g) == 1 else structure.concatenate(g, axis) for g in groups]
    return row[0]


def split_wide_concatenations(graph: Graph) -> Graph:
    """concatenate(x₁ … xₙ) → concatenations of a few, of a few, …

    An element asks each part whether it lies there, so that n parts in one loop would cost n times
    the work and n² times the compilation.
    """
    return rewrite(graph, _in_parts)


def convolutions_as_products(graph: Graph, machine: Machine = DEFAULT) -> Graph:
    """convolution(x, w) → a product over a strided view of x, channels last.

    The moves to and from channels last sink through element-wise work and meet: simplify ends
    them.
    """
    lowered = rewrite(
        rewrite(graph, split_phases), functools.partial(lower_convolution, machine=machine)
    )
    if lowered.outputs == graph.outputs:
        return graph
    met = simplify(rewrite(simplify(lowered), drop_round_trip))
    sunk = rewrite(met, _sink)
    return simplify(sunk)


def join_narrow_parts(graph: Graph) -> Graph:
    """A sum of padded parts in bfloat16 → the parts, joined.

    Rounding after each addition, as sums of narrow values are made, would hide from later passes
    that zeros are added: the gradient of packed queries, keys and values is such a sum.
    """
    if not any(n.dtype is bfloat16 for n in graph.nodes()):
        return graph
    return simplify(rewrite(graph, narrow_parts))


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    as_formulas,
    simplify,
    unroll_single_steps,
    tidy_loops,
    convolutions_as_products,
    factors_before_sums,
    fill_empty_reductions,
    transpose_products,
    plain_products,
    scatter_as_choice,
    write_rows_alone,
    split_wide_concatenations,
    split_long_reductions,
    join_narrow_parts,
    assemble_in_place,
    join_in_place,
)
"""The rewrites in their order."""

TUNED: dict[str, Callable[[Graph, Machine], Graph]] = {
    "convolutions_as_products": convolutions_as_products,
    "split_long_reductions": split_long_reductions,
}
"""Those that weigh work against memory, and are told the machine."""


def prepare(graph: Graph, machine: Machine = DEFAULT, without: Collection[str] = ()) -> Graph:
    """The graph after all passes but those named in ``without``."""
    with settling_once():
        for step in PASSES:
            name = step.__name__
            if name not in without:
                graph = TUNED[name](graph, machine) if name in TUNED else step(graph)
    return graph
