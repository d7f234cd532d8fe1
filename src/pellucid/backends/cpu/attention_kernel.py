"""The kernel of an attention cluster: from nodes and their views to :class:`Attention`."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.backends.cpu.attention import (
    BACKWARD,
    FORWARD,
    emit_attention,
    emit_attention_gradient,
)
from pellucid.backends.cpu.attention_plan import Attention, Rows
from pellucid.backends.cpu.engine import PLAIN
from pellucid.backends.cpu.ir import module_text
from pellucid.backends.cpu.kernel import Kernel
from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.operands import Operand
from pellucid.backends.cpu.target import Target
from pellucid.base.shapes import contiguous_strides
from pellucid.compiler.clusters import Cluster, Fusion
from pellucid.compiler.views import ATTENTION_READS, View, contiguous, merge_axes
from pellucid.graph.node import Node
from pellucid.ops.attention import split_extra

Views = Callable[[Node, Fusion], list[View]]


def write_attention(cluster: Cluster, fusion: Fusion, views_of: Views, target: Target) -> Kernel:
    """The kernel that computes all anchors of an attention cluster."""
    node = cluster.anchors[0]
    backward = node.op.name == "attention_gradient"
    found = _operands(cluster, fusion, views_of)
    names = [n for n in (BACKWARD if backward else FORWARD) if n in found]
    q, k = (shape for shape, _ in (found["q"], found["k"]))
    value = found.get("v", found["q"])[0][-1]
    lead = len(q) - 2
    batch = q[:-2]
    steps = [
        [0] * lead
        if name == "state"
        else [
            0 if n == 1 else s
            for n, s in zip(found[name][0][:lead], found[name][1].strides[:lead], strict=True)
        ]
        for name in names
    ]
    axes = merge_axes(batch, *(tuple(s) for s in steps)) or [(1, (0,) * len(names))]
    places = []
    for i, name in enumerate(names):
        shape, view = found[name]
        strides = tuple(own[i] for _, own in axes)
        if name == "state":
            places.append((name, Rows(view.offset, strides, 0)))
            continue
        tail = [0 if n == 1 else s for n, s in zip(shape[lead:], view.strides[lead:], strict=True)]
        row, column = (tail[0], 1) if name in ("log_sum", "delta") else (tail[0], tail[1])
        # A row of one element can count as contiguous; a mask may repeat one element.
        column = column if name == "mask" else 1
        places.append((name, Rows(view.offset, strides, row, column)))
    spec = Attention(
        node.dtype.name,
        tuple(n for n, _ in axes),
        q[-2],
        k[-2],
        q[-1],
        value,
        float(node.settings["scale"]),
        node.settings["causal"],
        tuple(places),
        _mask_kind(node),
        float(node.settings.get("dropout", 0.0)),
    )
    operands: list[Operand] = [
        ("scratch", spec.matrices * spec.queries * spec.itemsize)
        if name == "delta"
        else found[name][1].base
        for name in names
    ]
    function, plan = (emit_attention_gradient if backward else emit_attention)(spec, target)
    products = len({*names} & {"dq", "dk", "dv"}) + 2 if backward else 2
    flop = products * spec.pairs * (spec.width + value)
    text = PLAIN + module_text([function])
    speed = costs_of(target).attention.flop_per_nanosecond
    return Kernel(text, tuple(operands), plan.chunks, flop / speed, flop)


def _mask_kind(node: Node) -> str:
    mask, _ = split_extra(node.inputs[len(ATTENTION_READS[node.op.name]) :])
    return "" if not mask else ("bool" if mask[0].dtype.kind == "bool" else "float")


def _operands(
    cluster: Cluster, fusion: Fusion, views_of: Views
) -> dict[str, tuple[tuple[int, ...], View]]:
    """Shape and view of everything that the kernel reads and writes, by name."""
    found: dict[str, tuple[tuple[int, ...], View]] = {}
    for anchor in cluster.anchors:
        reads = ATTENTION_READS[anchor.op.name]
        mask, drawn = split_extra(anchor.inputs[len(reads) :])
        names = (*reads, *["mask"] * len(mask), *["state"] * len(drawn))
        for name, operand, view in zip(names, anchor.inputs, views_of(anchor, fusion), strict=True):
            found[name] = (operand.shape, view)
        place = fusion.placed.get(anchor)
        view = contiguous(anchor) if place is None else View(anchor, place.offset, place.strides)
        result = {"attention": "out", "attention_log_sum": "log_sum"}.get(anchor.op.name)
        if result is None:
            result = ("dq", "dk", "dv")[anchor.settings["wrt"]]
        found[result] = (anchor.shape, view)
    if "g" in found:
        shape = found["q"][0][:-1]
        view = View(found["q"][1].base, 0, contiguous_strides(shape))
        found["delta"] = (shape, view)
    return found
