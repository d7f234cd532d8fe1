"""The native program explained: facts of its kernels, and their times."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.backends.cpu.analysis import Analysis
from pellucid.backends.cpu.plan import HostPlan
from pellucid.backends.cpu.runtime import Item, NativeProgram, Region, get_num_threads, in_order
from pellucid.backends.cpu.writing import KernelUse
from pellucid.compiler.explain import (
    BufferFacts,
    Explanation,
    KernelFacts,
    computed_nodes,
    flop_of,
    layers_of,
    lines_of,
    parts_of,
)
from pellucid.graph.node import Graph, Node


def explain(
    analysis: Analysis,
    program: NativeProgram,
    regions: Sequence[Item],
    inputs: Sequence[np.ndarray] | None,
    calls: int,
) -> Explanation:
    """Facts of a program; with ``inputs``, arrays that it may overwrite, also its times.

    Kernels are timed one after the other, each with the threads that the program uses, ``calls``
    times after a first run; ``seconds`` of the whole is the program itself, ``calls`` times.
    """
    graph, turns = analysis.graph, analysis.turns()
    uses = [(i, use, count) for i, (step, count) in enumerate(turns) for use in step]
    times: list[float | None] = [None] * len(uses)
    total, alone = None, program.alone
    if inputs is not None and calls > 0:
        measured, total, alone = _measure(graph, program, regions, inputs, calls)
        times = list(measured)
    kernels = [
        _facts(analysis, number, use, count, seconds)
        for (number, use, count), seconds in zip(uses, times, strict=True)
    ]
    schedule = analysis.schedule
    buffers = [
        BufferFacts(_label(node), schedule.places[node].number, _bytes_of(node), first, last)
        for node, (first, last) in schedule.lifetimes.items()
    ]
    own = [n for i, n in enumerate(graph.outputs) if i not in graph.aliases]
    return Explanation(
        tuple(kernels),
        tuple(buffers),
        len(turns),
        len(schedule.steps),
        schedule.arena_bytes,
        sum(_bytes_of(n) for n in graph.inputs),
        sum(_bytes_of(n) for n in own),
        1 if alone else get_num_threads(),
        total,
        calls if total is not None else 0,
    )


def _facts(
    analysis: Analysis, region: int, use: KernelUse, turns: int, seconds: float | None
) -> KernelFacts:
    anchors = analysis.fusion.anchors | analysis.inner_anchors()
    nodes = computed_nodes(use.cluster, anchors)
    written = set(use.cluster.anchors)
    operands = {o for o in use.kernel.operands if isinstance(o, Node)}
    is_product = use.cluster.kind in ("product", "attention")
    return KernelFacts(
        use.name,
        region,
        tuple(n.op.name for n in nodes),
        layers_of(nodes),
        lines_of(nodes),
        turns * (use.flop if is_product else flop_of(nodes)),
        turns * sum(_bytes_of(n) for n in operands - written),
        turns * sum(_bytes_of(n) for n in operands & written),
        use.kernel.chunks,
        None if seconds is None else turns * seconds,
        turns,
        use.kernel.arithmetic,
        use.cluster.kind == "host",
        parts_of(nodes),
    )


def _label(node: Node) -> str:
    layer = f"{node.origin.layer}: " if node.origin.layer else ""
    return f"{layer}{node.op.name} {node.spec}"


def _bytes_of(node: Node) -> int:
    return node.size * node.dtype.itemsize


def _measure(
    graph: Graph,
    program: NativeProgram,
    regions: Sequence[Item],
    inputs: Sequence[np.ndarray],
    calls: int,
) -> tuple[list[float], float, bool]:
    """Mean seconds of each kernel, and of the whole program, on these inputs; and whether it runs
    on one thread because that is faster."""
    table = np.array(program.table)
    kept = _bind(graph, inputs, table)
    whole = NativeProgram(len(table), regions, tries_threads=True)
    whole.table[:] = table
    whole.run()
    whole.settle()
    apart: list[Item] = []
    for item in in_order(regions):
        if isinstance(item, Region):
            parallel = item.parallel and not whole.alone
            apart += [Region([task], parallel) for task in item.kernels()]
        elif isinstance(item, HostPlan):
            apart.append(item)
    single = NativeProgram(len(table), apart)
    single.table[:] = whole.table  # loops have set the entries that they move
    single.run()
    start = time.perf_counter()
    whole.run(calls)
    total = (time.perf_counter() - start) / calls
    single.enable_profile()
    single.run(calls)
    seconds = [float(s) / calls for s in single.profile()]
    single.enable_profile(False)
    kept.clear()
    return seconds, total, whole.alone


def _bind(graph: Graph, inputs: Sequence[np.ndarray], table: np.ndarray) -> list[Any]:
    """Point the table to these inputs and to new memory for outputs; what must be kept alive."""
    kept: list[Any] = []
    for position, array in enumerate(inputs):
        held = np.ascontiguousarray(array)
        kept.append(held)
        table[position] = held.ctypes.data
    for position, node in enumerate(graph.outputs):
        if position not in graph.aliases:
            held = np.empty(node.shape, node.dtype.numpy)
            kept.append(held)
            table[len(inputs) + position] = held.ctypes.data
    return kept
