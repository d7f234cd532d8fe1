"""A graph as a native program: passes, fusion, kernels, schedule, memory, addresses."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.backends.cpu.attention_kernel import write_attention
from pellucid.backends.cpu.contraction import (
    Block,
    emit_blocks,
    emit_contraction,
    emit_packing,
)
from pellucid.backends.cpu.contraction_plan import (
    Contraction,
    ContractionPlan,
    packed_bytes,
    plan_blocks,
    plan_contraction,
    plan_packing,
)
from pellucid.backends.cpu.convolution import StridedProduct, emit_strided, plan_strided
from pellucid.backends.cpu.elements import METADATA, Operand, Operands
from pellucid.backends.cpu.engine import (
    PLAIN,
    EarlyCompilation,
    KernelAddress,
    find_kernels,
    kernel_keys,
    load_kernels,
)
from pellucid.backends.cpu.explain import explain
from pellucid.backends.cpu.ir import Function, module_text
from pellucid.backends.cpu.loops import Kernel, emit_columns, emit_epilogue, emit_rows, needs_memory
from pellucid.backends.cpu.patches import emit_patches
from pellucid.backends.cpu.plan import (
    LoopPlan,
    Plan,
    RegionPlan,
    StrandPlan,
    TaskPlan,
    find_plan,
    keep_plan,
    plan_key,
)
from pellucid.backends.cpu.repeat import (
    ChainUse,
    LoopUse,
    copy_cluster,
    loop_use,
    plan_loop,
    region_plan,
)
from pellucid.backends.cpu.runtime import Loop, Move, NativeProgram, Region, Strand, Task
from pellucid.backends.cpu.serial import EMITTERS
from pellucid.backends.cpu.slots import Slots, Table
from pellucid.backends.cpu.strands import blocks_of, in_blocks
from pellucid.backends.cpu.target import Target, host_target
from pellucid.base.caches import register_cache
from pellucid.base.errors import ArgumentError
from pellucid.base.shapes import size_of
from pellucid.compiler import index
from pellucid.compiler.chains import find_chains
from pellucid.compiler.clusters import Cluster, Fusion, fuse
from pellucid.compiler.explain import Explanation
from pellucid.compiler.passes import prepare
from pellucid.compiler.repeat import body_graph
from pellucid.compiler.schedule import Schedule, schedule, stored_values
from pellucid.compiler.views import (
    View,
    attention_views,
    contiguous,
    flat_base,
    is_narrow_product,
    matrix_view,
    merge_axes,
)
from pellucid.graph.node import INPUT, Graph, Node, Spec, unshared
from pellucid.ops.elementwise import COPY
from pellucid.ops.registry import apply
from pellucid.ops.scan_body import Body

FLOP_PER_NANOSECOND = 80
"""What one core is expected to do in a matrix product; only for estimates."""
PACKING_COST = 0.1
"""Nanoseconds to pack an element of a matrix."""


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
    known = _written.get((key, target))
    if known is None:
        kernels = _write(cluster, fusion, stored, target, blocks)
        place = {node: i for i, node in enumerate(nodes)}
        order = [[place.get(o, o) for o in k.operands] for k in kernels]  # type: ignore[arg-type]
        known = (kernels, order)
        _written[(key, target)] = known
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


def _write(
    cluster: Cluster, fusion: Fusion, stored: set[Node], target: Target, blocks: int
) -> list[Kernel]:
    if blocks and cluster.kind == "product":
        return _write_blocks(cluster, fusion, stored, target, blocks)
    if cluster.kind == "product" and cluster.anchors[0].op.name == "strided_product":
        return [_write_strided(cluster, fusion, stored, target)]
    if cluster.kind == "product":
        return _write_product(cluster, fusion, stored, target)
    if cluster.kind == "attention":
        return [write_attention(cluster, fusion, views_of, target)]
    if cluster.kind == "patches":
        return [emit_patches(cluster.anchors[0], target)]
    if cluster.kind == "rows":
        return [emit_rows(cluster, fusion, stored, blocks)]
    if cluster.kind == "columns":
        return [emit_columns(cluster, fusion, stored, blocks)]
    return [EMITTERS[cluster.anchors[0].op.name](cluster.anchors[0])]


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
            emit_epilogue(function, block, rows, after, fusion, stored, operands)

    functions = emit_contraction("KERNEL", spec, target, epilogue if after else None, full_rows)
    extra = [o for o, place in operands.order.items() if place >= len(own)]
    kernels = []
    for part, function in zip(plan.kernels, functions, strict=True):
        function.name = "KERNEL"
        cost = part.flop / FLOP_PER_NANOSECOND
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
    """The product of a strand's body: a kernel that packs the weights, and that of a turn."""
    node, after = cluster.anchors[0], cluster.epilogue
    whole = contraction_of(node, fusion.placed.get(node) or contiguous(node))
    plan = plan_blocks(in_blocks(whole, blocks), target)
    packing = plan_packing(plan)
    packed: Operand = ("scratch", packed_bytes(plan))
    own: list[Operand] = [matrix_view(node, 0).base, packed, node]
    operands = Operands({node: 2}, len(own))

    def epilogue(function: Function, block: Block) -> None:
        if after is not None:
            emit_epilogue(function, block, plan.spec.rows, after, fusion, stored, operands)

    function = emit_blocks("KERNEL", plan, epilogue if after else None)
    extra = [o for o, place in operands.order.items() if place >= len(own)]
    text = ("" if after else PLAIN) + module_text([function], METADATA if after else "")
    cost = whole.flop / FLOP_PER_NANOSECOND
    turn = Kernel(text, (*own, *extra), blocks, cost, whole.flop)
    text = PLAIN + module_text([emit_packing("KERNEL", packing)], "")
    (part,) = packing.kernels
    cost = PACKING_COST * whole.depth * whole.columns
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
            emit_epilogue(function, block, spec.height, after, fusion, stored, operands)

    function = emit_strided("KERNEL", spec, plan, epilogue if after else None)
    extra = [o for o, place in operands.order.items() if place >= len(own)]
    text = ("" if after else PLAIN) + module_text([function], METADATA if after else "")
    cost = spec.flop / FLOP_PER_NANOSECOND
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


class Analysis:
    """Everything between a graph and its plan: rewritten graph, clusters, schedule, kernels."""

    def __init__(
        self,
        graph: Graph,
        target: Target,
        varying: int | None = None,
        written: Callable[[str, str], None] = lambda name, text: None,
    ) -> None:
        """``written`` is called with the name and text of each kernel, as soon as it is written."""
        self.graph = _with_copies(prepare(graph))
        self.fusion = fuse(self.graph)
        self.blocks = 0
        """Of a loop's body: into how many blocks of rows it is cut, if threads need not meet."""
        if varying is not None:
            self.blocks = blocks_of(self.fusion, varying, target)
        extra: set[Node] = set()
        for cluster in self.fusion.clusters:
            extra |= needs_memory(cluster, self.fusion)
        stored = stored_values(self.fusion, extra)
        analyse = functools.partial(_analysis_of_body, target)
        copy_kernel = functools.partial(_copy_kernel, target)
        loops = {
            id(c): loop_use(c, analyse, copy_kernel)
            for c in self.fusion.clusters
            if c.kind == "loop"
        }
        workspaces = {key: loop.workspace for key, loop in loops.items()}
        self.chains = find_chains(self.fusion) if varying is None else []
        self.schedule: Schedule = schedule(
            self.fusion, stored, workspaces, bool(self.blocks), self.chains
        )
        self.parts: list[list[KernelUse | ChainUse] | LoopUse] = []
        """Kernels that run side by side, and loops, in their order."""
        self.packing: list[KernelUse] = []
        """What runs once, before a loop that is cut into blocks."""
        for step in self.schedule.steps:
            self.parts += self._kernels_of_step(step, stored, target, written)
            self.parts += [loops[id(c)] for c in step if c.kind == "loop"]
        index.forget()

    def _kernels_of_step(
        self,
        step: Sequence[Cluster],
        stored: set[Node],
        target: Target,
        written: Callable[[str, str], None],
    ) -> list[list[KernelUse | ChainUse]]:
        """Regions for the clusters of a step that are not loops: their first kernels and chains
        side by side, then their second kernels, …"""
        chain_of = {id(c): chain for chain in self.chains for c in chain.clusters}
        uses: list[list[KernelUse]] = []
        chained: dict[int, list[KernelUse]] = {}
        for cluster in step:
            if cluster.kind == "loop":
                continue
            chain = chain_of.get(id(cluster))
            blocks = self.blocks if chain is None else chain.blocks
            found = emit_cluster(cluster, self.fusion, stored, target, blocks)
            for use in found:
                written(use.name, text_of(use))
            if chain is None:
                uses.append(found)
            else:
                chained.setdefault(id(chain), []).extend(found)
        if self.blocks:
            self.packing += [u for found in uses for u in found[:-1]]
            uses = [found[-1:] for found in uses]
        regions: list[list[KernelUse | ChainUse]] = [
            [u[turn] for u in uses if turn < len(u)]
            for turn in range(max((len(u) for u in uses), default=0))
        ]
        here = [c for c in self.chains if id(c) in chained]
        if here:
            chains = [ChainUse.of(c, chained[id(c)], stored) for c in here]
            regions[:1] = [[*chains, *(regions[0] if regions else [])]]
        return regions

    def turns(self) -> list[tuple[list[KernelUse], int]]:
        """The kernels of each region, those of loops among them, and how often it runs."""
        found: list[tuple[list[KernelUse], int]] = []
        for part in self.parts:
            if isinstance(part, LoopUse):
                found.extend(part.turns())
                continue
            flat = [u.uses if isinstance(u, ChainUse) else (u,) for u in part]
            found.append((list(itertools.chain.from_iterable(flat)), 1))
        return found

    @property
    def region_uses(self) -> list[list[KernelUse]]:
        """The kernels of each region, those of loops among them."""
        return [uses for uses, _ in self.turns()]

    def inner_anchors(self) -> set[Node]:
        """Anchors of the bodies of all loops."""
        found: set[Node] = set()
        for part in self.parts:
            if isinstance(part, LoopUse):
                found |= part.inner.fusion.anchors | part.inner.inner_anchors()
        return found

    def texts(self) -> dict[str, str]:
        """Kernel name → module text."""
        flat = [use for uses in self.region_uses for use in uses]
        return {use.name: text_of(use) for use in flat}

    def region_plans(self, slots: Slots) -> list[RegionPlan | LoopPlan]:
        """The regions as data, for a program whose table ``slots`` number."""
        regions: list[RegionPlan | LoopPlan] = []
        for uses in self.parts:
            if isinstance(uses, LoopUse):
                regions += plan_loop(uses, slots)
                continue
            regions.append(region_plan(uses, slots))
        return regions

    def indexing(self) -> set[str]:
        """Operations that read or write where data say."""
        found = {n.op.name for n in self.graph.nodes() if n.op.family == "indexing"}
        return found.union(*(p.inner.indexing() for p in self.parts if isinstance(p, LoopUse)))

    def plan(self, keys: dict[str, bytes]) -> Plan:
        """The program as data; ``keys`` are those of its kernels in the code cache."""
        inputs, outputs = len(self.graph.inputs), len(self.graph.outputs)
        table = Table(inputs + outputs)
        slots = Slots(table, self.schedule, range(inputs), range(inputs, inputs + outputs))
        regions = tuple(self.region_plans(slots))
        return Plan(
            inputs,
            outputs,
            self.schedule.arena_bytes,
            tuple(table.entries),
            tuple(table.constants),
            regions,
            keys,
            tuple(sorted(self.indexing())),
        )


@functools.lru_cache(maxsize=64)
def _analysis_of_body(target: Target, body: Body, histories: frozenset[int]) -> Analysis:
    """How the body of a loop runs; loops with equal bodies share it."""
    return Analysis(body_graph(body, histories), target, body.carries + body.columns)


@functools.lru_cache(maxsize=256)
def _copy_kernel(target: Target, spec: Spec) -> KernelUse:
    """The kernel that copies a value."""
    cluster, fusion, copied = copy_cluster(spec)
    return emit_cluster(cluster, fusion, {copied}, target)[0]


class CpuExecutable:
    """A graph compiled for a processor; see :class:`pellucid.backends.Executable`.

    Intermediate values live in memory of its own, or, with ``own_memory=False``, where
    :meth:`place` says, so that programs that never run at the same time can share it.
    """

    def __init__(self, graph: Graph, target: Target | None = None, own_memory: bool = True) -> None:
        self.target = target or host_target()
        self._source = graph
        key = plan_key(graph, self.target)
        plan = find_plan(key)
        addresses = None if plan is None else find_kernels(plan.kernels, self.target)
        if plan is None or addresses is None:
            texts, addresses = self._compile()
            plan = self.analysis.plan(kernel_keys(texts, self.target))
            keep_plan(key, plan)
        self.plan = plan
        self._inputs = plan.inputs
        self._error = np.zeros(1, np.int64)
        self._build(addresses)
        self._memory: np.ndarray | None = None
        self.placed = 0
        """Where intermediate values are now."""
        if own_memory:
            self._memory = _aligned(self.memory_bytes)
            self.place(int(self._memory.ctypes.data))

    def _compile(self) -> tuple[dict[str, str], dict[str, KernelAddress]]:
        """Texts and addresses of all kernels, written on this thread and compiled on others."""
        early = EarlyCompilation(self.target)
        try:
            self.analysis = Analysis(self._source, self.target, written=early.add)
        finally:
            early.close()
        texts = self.analysis.texts()
        return texts, load_kernels(texts, self.target)

    @functools.cached_property
    def analysis(self) -> Analysis:
        """How the plan came about; made again when the plan itself came from the cache."""
        return Analysis(self._source, self.target)

    @property
    def graph(self) -> Graph:
        """The graph after all rewrites."""
        return self.analysis.graph

    @property
    def fusion(self) -> Fusion:
        """Which operations are computed together."""
        return self.analysis.fusion

    @property
    def schedule(self) -> Schedule:
        """When each cluster runs and where values live."""
        return self.analysis.schedule

    @property
    def region_uses(self) -> list[list[KernelUse]]:
        """The kernels of each region."""
        return self.analysis.region_uses

    # ---- building ----------------------------------------------------------------------------

    def _build(self, addresses: Mapping[str, int]) -> None:
        """The native program: regions of kernels, and the table of addresses."""
        plan = self.plan
        self.regions = [_region(r, addresses) for r in plan.regions]
        fixed = plan.inputs + plan.outputs
        moving = [(i, 0) for i in range(fixed)]
        self.program = NativeProgram(
            fixed + len(plan.slots), self.regions, moving, tries_threads=True
        )
        self._table = self.program.table
        offset = _whole_lines(plan.arena_bytes)
        self._moving: list[tuple[int, int]] = []
        """Entries of the table that point into :meth:`place`'s memory, and where."""
        for number, (kind, value) in enumerate(plan.slots, fixed):
            if kind == "arena":
                self._moving.append((number, value))
            elif kind == "scratch":
                self._moving.append((number, offset))
                offset += _whole_lines(value)
            else:
                self._table[number] = self._address(kind, value)
        self.memory_bytes = offset
        """Bytes that intermediate values and scratch space need."""
        self.pointers: memoryview = memoryview(self._table.data)
        self._strides = [0] * fixed
        self._checks_positions = ("error", 0) in plan.slots

    def _address(self, kind: str, value: int) -> int:
        """What stands in a table entry that does not point into intermediate memory."""
        if kind in ("size", "moving"):
            return value
        array = self._error if kind == "error" else self.plan.constants[value]
        return int(array.ctypes.data)

    def place(self, address: int) -> None:
        """Put intermediate values into the ``memory_bytes`` bytes at an address.

        The address is a multiple of 64; the caller keeps the memory alive while the program runs.
        """
        self.placed = address
        for number, offset in self._moving:
            self._table[number] = address + offset

    # ---- running -----------------------------------------------------------------------------

    def bind_input(self, position: int, address: int, stride: int = 0) -> None:
        """Address of an input, and bytes to move on after each step."""
        self._table[position] = address
        if self._strides[position] != stride:
            self._strides[position] = stride
            self.program.set_stride(position, stride)

    def bind_output(self, position: int, address: int, stride: int = 0) -> None:
        """Address of an output, and bytes to move on after each step."""
        self.bind_input(self._inputs + position, address, stride)

    def run(self, steps: int = 1) -> None:
        """Run the program; raises if an index operation met a position out of range."""
        self.program.run(steps)
        if self._checks_positions and self._error[0]:
            self._error[0] = 0
            raise ArgumentError(
                f"a position is out of range in {' or '.join(self.plan.indexing)} "
                "of a compiled program",
                "check class ids and indices: they must lie in [0, extent)",
            )

    def explain(self, inputs: Sequence[np.ndarray] | None = None, calls: int = 20) -> Explanation:
        """What the program is made of; with ``inputs``, which it may overwrite, also its times."""
        return explain(self, inputs, calls)

    def __repr__(self) -> str:
        kernels = sum(len(uses) for uses in self.region_uses)
        regions = len(self.region_uses)
        return f"<native program: {regions} regions, {kernels} kernels, {self.arena_bytes} bytes>"

    @property
    def arena_bytes(self) -> int:
        """Bytes of memory for intermediate values."""
        return self.plan.arena_bytes


def _region(plan: RegionPlan | LoopPlan, addresses: Mapping[str, int]) -> Region | Loop:
    """A region or loop with the addresses of its kernels."""
    if isinstance(plan, LoopPlan):
        inner = [_region(r, addresses) for r in plan.regions]
        return Loop(plan.count, [Move(*m) for m in plan.moves], inner)
    return Region([_task(t, addresses) for t in plan.tasks], plan.parallel)


def _task(plan: TaskPlan | StrandPlan, addresses: Mapping[str, int]) -> Task | Strand:
    """A task with the addresses of its kernels."""
    if isinstance(plan, TaskPlan):
        return Task(addresses[plan.kernel], plan.slots, plan.chunks, plan.cost)
    tasks = [Task(addresses[t.kernel], t.slots, t.chunks, t.cost) for t in plan.tasks]
    shifts = None if plan.shifts is None else dict(plan.shifts)
    steps, local = dict(plan.steps), dict(plan.local)
    return Strand(plan.count, tasks, steps, plan.chunks, plan.cost, shifts, local)


def _with_copies(graph: Graph) -> Graph:
    """Outputs that no kernel would write (inputs, constants, repetitions) become copies."""
    outputs, seen = [], set()
    for position, node in enumerate(graph.outputs):
        source = graph.aliases.get(position)
        stays = source is not None and node is graph.inputs[source]
        if not stays and (node in seen or not node.inputs):
            node = unshared(apply(COPY, node))
        seen.add(node)
        outputs.append(node)
    return Graph(graph.inputs, tuple(outputs), graph.aliases)


def _whole_lines(size: int) -> int:
    """Bytes rounded up to whole cache lines."""
    return -(-size // 64) * 64


def _aligned(size: int) -> np.ndarray:
    """Bytes that start at a cache line."""
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + max(size, 1)]


def load(graph: Graph) -> CpuExecutable:
    """The graph as a native program for this processor."""
    return CpuExecutable(graph)
