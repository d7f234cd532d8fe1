"""What writes the kernels of a cluster: its text, its operands, the work it does.

A kernel's text contains no names and no addresses, so that equal clusters (the layers of a deep
network) are written once, by what :func:`describe` says they compute.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pellucid.backends.cpu.attention_kernel import write_attention
from pellucid.backends.cpu.columns import emit_columns
from pellucid.backends.cpu.contraction import (
    Block,
    emit_blocks,
    emit_contraction,
    emit_packing,
)
from pellucid.backends.cpu.contraction_plan import (
    packed_bytes,
    plan_blocks,
    plan_contraction,
    plan_packing,
)
from pellucid.backends.cpu.contraction_spec import Contraction, ContractionPlan
from pellucid.backends.cpu.convolution import StridedProduct, emit_strided, plan_strided
from pellucid.backends.cpu.elements import METADATA
from pellucid.backends.cpu.engine import (
    PLAIN,
)
from pellucid.backends.cpu.ir import Function, module_text
from pellucid.backends.cpu.kernel import Kernel
from pellucid.backends.cpu.loops import emit_epilogue, emit_rows
from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.operands import Operand, Operands
from pellucid.backends.cpu.patches import emit_patches
from pellucid.backends.cpu.serial import emit_serial
from pellucid.backends.cpu.strands import in_blocks
from pellucid.backends.cpu.target import Target
from pellucid.base.caches import register_cache
from pellucid.base.shapes import size_of
from pellucid.compiler.clusters import Cluster, Fusion
from pellucid.compiler.views import (
    View,
    attention_views,
    contiguous,
    flat_base,
    is_narrow_product,
    matrix_view,
    merge_axes,
)
from pellucid.graph.node import INPUT, Graph, Node


@dataclass(frozen=True)
class KernelUse:
    """One kernel of the program: its name, text and operands, and the cluster it computes."""

    name: str
    kernel: Kernel
    cluster: Cluster

    @property
    def flop(self) -> int:
        """Floating-point operations, counted for matrix products."""
        return self.kernel.flop


def emit_cluster(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int = 0
) -> list[KernelUse]:
    """The kernels that compute a cluster, to be run one after the other.

    Equal clusters (the layers of a deep network) are written once.  With ``blocks`` the last kernel
    has so many chunks, one for each block of rows; before it may come one that packs weights.
    """
    if cluster.kind == "assembly" or all(a.size == 0 for a in cluster.anchors):
        return []
    key, nodes = describe(cluster, fusion, stored)
    key = (key, blocks)
    known = _written.get((key, target, costs_of(target)))
    if known is None:
        kernels = WRITERS[cluster.kind](cluster, fusion, stored, target, blocks)
        place = {node: i for i, node in enumerate(nodes)}
        order = [[place.get(o, o) for o in k.operands] for k in kernels]  # type: ignore[arg-type]
        known = (kernels, order)
        _written[(key, target, costs_of(target))] = known
        while len(_written) > WRITTEN_LIMIT:
            _written.pop(next(iter(_written)), None)
    uses = []
    for kernel, numbers in zip(*known, strict=True):
        operands = tuple(nodes[o] if isinstance(o, int) else o for o in numbers)
        uses.append(_named(replace(kernel, operands=operands), cluster))
    return uses


WRITTEN_LIMIT = 4096


_written: dict[object, tuple[list[Kernel], list[list[int | Operand]]]] = {}
"""Kernels written in this process, by what they compute."""
register_cache("texts of kernels", _written.clear)


def describe(cluster: Cluster, fusion: Fusion, stored: set[Node]) -> tuple[object, list[Node]]:
    """What a cluster computes, without names: equal for clusters that need the same kernel.

    Also the nodes, in the order in which the description numbers them.
    """
    members = set(cluster.anchors)
    number: dict[Node, int] = {}
    entries: list[object] = []
    for anchor in cluster.anchors:
        stack: list[tuple[Node, bool]] = [(anchor, False)]
        while stack:
            node, ready = stack.pop()
            if node in number:
                continue
            leaf = node.op is INPUT or (node in fusion.anchors and node not in members)
            if leaf or ready or not node.inputs:
                settings = () if node.op is INPUT or leaf else node.params
                inputs = () if leaf else tuple(number[n] for n in node.inputs)
                number[node] = len(number)
                name = "" if leaf else node.op.name
                entries.append(
                    (
                        name,
                        settings,
                        node.shape,
                        node.dtype,
                        inputs,
                        node in members,
                        node in stored,
                    )
                )
            else:
                stack.append((node, True))
                stack.extend((n, False) for n in reversed(node.inputs))
    # What a product reads through views may lie beyond values that are stored for others.
    views: list[object] = []
    for node in cluster.anchors:
        for view in views_of(node, fusion):
            if view.base not in number:
                number[view.base] = len(number)
            views.append((number[view.base], view.base.dtype, view.offset, view.strides))
    after = cluster.epilogue
    domain = (
        cluster.kind,
        cluster.rows,
        cluster.inner,
        cluster.flexible,
        after and after.full_rows,
        tuple((p.offset, p.strides) for p in map(fusion.placed.get, cluster.anchors) if p),
        tuple(views),
        tuple(_is_updated(base, fusion.graph) for base in _second_factors(cluster)),
    )
    return (domain, tuple(entries), tuple(number[a] for a in cluster.anchors)), list(number)


def _second_factors(cluster: Cluster) -> list[Node]:
    """What the products of a cluster multiply with."""
    return [matrix_view(a, 1).base for a in cluster.anchors if a.op.name == "matmul"]


def views_of(node: Node, fusion: Fusion) -> list[View]:
    """How a product or an attention reads its operands, wherever they were placed."""
    if node.op.family == "attention":
        return [
            View(v.base, *_placed(fusion, v)) if v.base in fusion.placed else v
            for v in attention_views(node)
        ]
    if node.op.name != "matmul":
        return []
    found = (matrix_view(node, i) for i in (0, 1))
    return [View(v.base, v.offset, (*v.batch, v.row, v.column)) for v in found]


def _placed(fusion: Fusion, view: View) -> tuple[int, tuple[int, ...]]:
    """Offset and strides of a placed value, read as it is."""
    place = fusion.placed[view.base]
    return place.offset, place.strides


def _write_product(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target
) -> list[Kernel]:
    node = cluster.anchors[0]
    views = [matrix_view(node, 0), matrix_view(node, 1)]
    rows, columns = node.shape[-2:]
    spec = contraction_of(node, fusion.placed.get(node) or contiguous(node))
    spec = replace(spec, updated=_is_updated(views[1].base, fusion.graph))
    after = cluster.epilogue
    full_rows = after is not None and after.full_rows
    plan = plan_contraction(spec, target, full_rows)
    own: list[Operand] = [views[0].base, views[1].base, node]
    if plan.scratch_bytes:
        own.append(("scratch", plan.scratch_bytes))
    operands = Operands({node: 2}, len(own))

    def epilogue(function: Function, block: Block) -> None:
        if after is not None:
            emit_epilogue(
                function, block, rows, after, fusion, stored, operands, costs_of(target).loops
            )

    functions = emit_contraction("KERNEL", spec, target, epilogue if after else None, full_rows)
    extra = [o for o, place in operands.order.items() if place >= len(own)]
    kernels = []
    for part, function in zip(plan.kernels, functions, strict=True):
        function.name = "KERNEL"
        cost = part.flop / costs_of(target).products.flop_per_nanosecond
        # Loops (of an epilogue, of the sum of a split product) want LLVM's passes, tiles do not.
        loops = after is not None or bool(part.suffix)
        text = ("" if loops else PLAIN) + module_text([function], METADATA if loops else "")
        how = "" if part.suffix else arithmetic_of(plan)
        kernels.append(Kernel(text, (*own, *extra), part.chunks, cost, part.flop, how))
    return kernels


def _is_updated(value: Node, graph: Graph) -> bool:
    """Whether a value is state that the program changes."""
    return any(graph.inputs[source] is value for source in graph.aliases.values())


def _write_blocks(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    """The product of a strand's body: a kernel that packs the weights, and that of an iteration."""
    node, after = cluster.anchors[0], cluster.epilogue
    whole = contraction_of(node, fusion.placed.get(node) or contiguous(node))
    plan = plan_blocks(in_blocks(whole, blocks), target)
    costs = costs_of(target).products
    packing = plan_packing(plan, costs)
    packed: Operand = ("scratch", packed_bytes(plan))
    own: list[Operand] = [matrix_view(node, 0).base, packed, node]
    operands = Operands({node: 2}, len(own))

    def epilogue(function: Function, block: Block) -> None:
        if after is not None:
            emit_epilogue(
                function,
                block,
                plan.spec.rows,
                after,
                fusion,
                stored,
                operands,
                costs_of(target).loops,
            )

    function = emit_blocks("KERNEL", plan, epilogue if after else None)
    extra = [o for o, place in operands.order.items() if place >= len(own)]
    text = ("" if after else PLAIN) + module_text([function], METADATA if after else "")
    cost = whole.flop / costs.flop_per_nanosecond
    turn = Kernel(text, (*own, *extra), blocks, cost, whole.flop)
    text = PLAIN + module_text([emit_packing("KERNEL", packing)], "")
    (part,) = packing.kernels
    cost = costs.packing_nanoseconds * whole.depth * whole.columns
    return [Kernel(text, (matrix_view(node, 1).base, packed), part.chunks, cost), turn]


def arithmetic_of(plan: ContractionPlan) -> str:
    """How a product of bfloat16 operands is computed, in words; empty for others."""
    if not plan.spec.narrow:
        return ""
    return f"bfloat16 pairs by {plan.pairs}" if plan.pairs else "bfloat16 widened to float32"


def contraction_of(node: Node, result: View) -> Contraction:
    """The product that a matmul node asks for, with its result written to ``result``."""
    a, b = matrix_view(node, 0), matrix_view(node, 1)
    batch, (rows, columns) = node.shape[:-2], node.shape[-2:]
    merged = merge_axes(batch, a.batch, b.batch, result.strides[:-2]) or [(1, (0, 0, 0))]
    axes = [(extent, *(s[0], s[1], s[2])) for extent, s in merged]
    _, *inner = axes[-1]
    return Contraction(
        node.dtype.name,
        size_of(batch),
        rows,
        columns,
        node.inputs[0].shape[-1],
        (inner[0], a.row, a.column),
        (inner[1], b.row, b.column),
        (inner[2], result.strides[-2]),
        outer=tuple(axes[:-1]),
        offsets=(a.offset, b.offset, result.offset),
        narrow=(a.base.dtype.name, b.base.dtype.name) if is_narrow_product(node) else None,
    )


def _write_strided(cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target) -> Kernel:
    """The kernel of a product over a strided view, with what follows on its result."""
    node, after = cluster.anchors[0], cluster.epilogue
    spec = StridedProduct.of(node)
    plan = plan_strided(spec, target, after is not None and after.full_rows)
    own: list[Operand] = [flat_base(node.inputs[0]), flat_base(node.inputs[1]), node]
    operands = Operands({node: 2}, len(own))

    def epilogue(function: Function, block: Block) -> None:
        if after is not None:
            emit_epilogue(
                function,
                block,
                spec.height,
                after,
                fusion,
                stored,
                operands,
                costs_of(target).loops,
            )

    function = emit_strided("KERNEL", spec, plan, epilogue if after else None)
    extra = [o for o, place in operands.order.items() if place >= len(own)]
    text = ("" if after else PLAIN) + module_text([function], METADATA if after else "")
    cost = spec.flop / costs_of(target).products.flop_per_nanosecond
    return Kernel(text, (*own, *extra), plan.chunks, cost, spec.flop)


def _named(kernel: Kernel, cluster: Cluster) -> KernelUse:
    """A readable, canonical name: what it does, and a hash of its text."""
    words = dict.fromkeys(a.op.name for a in cluster.anchors)
    readable = re.sub(r"[^a-z0-9_]", "", "_".join([cluster.kind, *list(words)[:5]]))
    digest = hashlib.sha256(kernel.text.encode()).hexdigest()[:16]
    return KernelUse(f"{readable}_{digest}", kernel, cluster)


def text_of(use: KernelUse) -> str:
    """A kernel's module text, with its name."""
    return use.kernel.text.replace("@KERNEL(", f"@{use.name}(")


def _write_any_product(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    if blocks:
        return _write_blocks(cluster, fusion, stored, target, blocks)
    if cluster.anchors[0].op.name == "strided_product":
        return [_write_strided(cluster, fusion, stored, target)]
    return _write_product(cluster, fusion, stored, target)


def _write_attention(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    return [write_attention(cluster, fusion, views_of, target)]


def _write_patches(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    return [emit_patches(cluster.anchors[0], target)]


def _write_rows(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    return [emit_rows(cluster, fusion, stored, costs_of(target).loops, blocks)]


def _write_columns(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    return [emit_columns(cluster, fusion, stored, costs_of(target).loops, blocks)]


def _write_serial(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    known = stored | fusion.anchors
    return [emit_serial(cluster.anchors[0], known, costs_of(target).loops)]


def _write_host(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    """No text: Python computes it, which takes some microseconds to reach."""
    first = cluster.anchors[0]
    size = max(n.size for n in (*first.inputs, *cluster.anchors))
    cost = HOST_NANOSECONDS + HOST_ELEMENT_NANOSECONDS * size
    return [Kernel("", (*first.inputs, *cluster.anchors), 1, cost)]


HOST_NANOSECONDS, HOST_ELEMENT_NANOSECONDS = 20_000.0, 10.0
"""About what a call of the host costs, and each element of its largest operand."""

Writer = Callable[[Cluster, Fusion, set[Node], Target, int], list[Kernel]]

WRITERS: dict[str, Writer] = {
    "product": _write_any_product,
    "attention": _write_attention,
    "patches": _write_patches,
    "rows": _write_rows,
    "columns": _write_columns,
    "serial": _write_serial,
    "host": _write_host,
}
"""Kind of cluster → what writes its kernels.  Loops and assemblies have none of their own."""
