"""Convolutions over spread-out inputs, without multiplying the zeros.

The gradient of a convolution with stride s, and a transposed convolution, read an input whose
elements were spread s apart with zeros between.  Which elements of the kernel meet elements that
are not zero depends only on the output position modulo s, its *phase*: each phase is a dense
convolution of the unspread input with every s-th element of the kernel.

before: s·s·k·k multiplications for each element of the input; after: k·k.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from pellucid.base.errors import CompilationError
from pellucid.graph.node import Node, make_node
from pellucid.ops import structure
from pellucid.ops.convolution import CONVOLUTION
from pellucid.ops.registry import scalar

MOST_PHASES = 64
"""Convolutions that one is split into at most."""


def _spread(node: Node) -> tuple[int, ...] | None:
    """Distances of the elements along the spatial axes, if the input is only spread out."""
    x = node.inputs[0]
    if x.op.name != "pad":
        return None
    settings = x.settings
    if any(settings["low"]) or any(settings["high"]) or any(settings["interior"][:2]):
        return None
    return tuple(gap + 1 for gap in settings["interior"][2:])


@dataclass(frozen=True)
class _Phase:
    """Along one axis: every ``step``-th kernel element from ``first`` on, and the convolution."""

    first: int
    step: int
    low: int
    high: int
    dilation: int


def _axis_phase(
    phase: int, spread: int, out: int, kernel: int, low: int, dilation: int, extent: int
) -> _Phase | None:
    """The convolution of one phase; None where no element of the kernel meets one of the input.

    Position p = s·i + phase meets kernel element k where phase + d·k − low is a multiple of s;
    the input's element is then i + (phase + d·k − low) / s.
    """
    shared = math.gcd(spread, dilation)
    step, apart = spread // shared, dilation // shared
    for first in range(min(step, kernel)):
        offset = phase + dilation * first - low
        if offset % spread == 0:
            before = -offset // spread
            elements, positions = -(-(kernel - first) // step), -(-(out - phase) // spread)
            after = positions - 1 + apart * (elements - 1) + 1 - extent - before
            return _Phase(first, step, before, after, apart)
    return None


def split_phases(node: Node) -> Node | None:
    """A convolution over a spread-out input as one convolution for each phase."""
    if node.op.name != "convolution" or not node.size or max(node.settings["stride"]) > 1:
        return None
    spread = _spread(node)
    if spread is None or max(spread) == 1 or math.prod(spread) > MOST_PHASES:
        return None
    x, w = node.inputs[0].inputs[0], node.inputs[1]
    rank, out = len(spread), node.shape[2:]
    if not x.size or any(n < s for n, s in zip(out, spread, strict=True)):
        return None
    axes = [
        [_axis_phase(phase, *axis) for phase in range(axis[0])]
        for axis in zip(
            spread,
            out,
            w.shape[2:],
            node.settings["low"],
            node.settings["dilation"],
            x.shape[2:],
            strict=True,
        )
    ]
    # One frame serves all phases.
    low = [max((p.low for p in axis if p is not None), default=0) for axis in axes]
    high = [max((p.high for p in axis if p is not None), default=0) for axis in axes]
    low, high = [max(a, 0) for a in low], [max(a, 0) for a in high]
    framed = structure.pad(x, (0, 0, *low), (0, 0, *high)) if any((*low, *high)) else x
    longest = [-(-n // s) for n, s in zip(out, spread, strict=True)]
    parts = []
    for choice in itertools.product(*axes):
        known = [p for p in choice if p is not None]
        if len(known) == rank:
            part = _phase(node, framed, w, known, low, high)
        else:
            part = structure.broadcast_to(scalar(x, 0.0), (*node.shape[:2], *longest))
        moved = structure.transpose(part, (0, *range(2, rank + 2), 1))  # (N, positions…, C)
        missing = [n - m for n, m in zip(longest, moved.shape[1:-1], strict=True)]
        if any(missing):
            moved = structure.pad(moved, (0,) * (rank + 2), (0, *missing, 0))
        parts.append(structure.reshape(moved, (1, *moved.shape)))
    return _woven(node, _node(structure.concatenate(parts, 0)), spread, longest)


def _node(value: object) -> Node:
    if not isinstance(value, Node):
        raise CompilationError(f"a graph holds a {type(value).__name__}", "report this")
    return value


def _woven(node: Node, parts: Node, spread: tuple[int, ...], longest: list[int]) -> Node:
    """(phases, N, positions…, C) → (N, C, out…)."""
    rank, batch, channels = len(spread), node.shape[0], node.shape[1]
    split = structure.reshape(parts, (*spread, batch, *longest, channels))
    order = [axis for i in range(rank) for axis in (rank + 1 + i, i)]
    woven = structure.transpose(split, (rank, *order, 2 * rank + 1))  # (N, position, phase, …, C)
    total = [n * s for n, s in zip(longest, spread, strict=True)]
    flat = structure.reshape(woven, (batch, *total, channels))
    out = (batch, *node.shape[2:], channels)
    kept = structure.slice_(flat, (0,) * len(out), out, (1,) * len(out))
    return _node(structure.transpose(kept, (0, rank + 1, *range(1, rank + 1))))


def _phase(
    node: Node, framed: Node, w: Node, axes: list[_Phase], low: list[int], high: list[int]
) -> Node:
    """The output positions of one phase."""
    rank, settings = len(axes), node.settings
    start, step = (0, 0, *(p.first for p in axes)), (1, 1, *(p.step for p in axes))
    part = structure.slice_(w, start, w.shape, step)
    return make_node(
        CONVOLUTION,
        (framed, part),
        {
            "stride": (1,) * rank,
            "low": tuple(p.low - a for p, a in zip(axes, low, strict=True)),
            "high": tuple(p.high - a for p, a in zip(axes, high, strict=True)),
            "dilation": tuple(p.dilation for p in axes),
            "groups": settings["groups"],
        },
    )
