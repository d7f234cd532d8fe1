"""The primitive that says when, not what: a value that must not be computed too early."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.graph.node import Sample, Spec
from pellucid.ops.registry import Value, apply, define, ramp
from pellucid.ops.rows import Rows, all_batched


def _infer(x: Spec, awaited: Spec) -> Spec:
    return x


def _tangent(tangents: Sequence[Value | None], y: Value, x: Value, awaited: Value) -> Value | None:
    return None if tangents[0] is None else after(tangents[0], awaited)


def _batch(inputs: Sequence[Value], batched: Sequence[bool], rows: Rows) -> Value:
    return after(all_batched(inputs[:1], batched[:1], rows)[0], inputs[1])


AFTER = define(
    "after",
    "ordering",
    "x, to be used only once the second value is there",
    infer=_infer,
    evaluate=lambda x, awaited: x,
    gradient=lambda g, y, x, awaited: (g, None),
    samples=lambda: [
        Sample((ramp(3, 4), np.asarray([1, 2]))),
        Sample((ramp(1).reshape(()), np.asarray([True, False]))),
        Sample((np.asarray([3, -1]), np.asarray(7))),
    ],
    reason="equal operations are one node of the graph; what is computed again later must differ",
    tangent=_tangent,
    batch=_batch,
)


def after(x: Value, awaited: Value) -> Value:
    """``x`` itself; what is computed from it waits for ``awaited`` and is no part of what is
    computed from ``x`` directly.

    Checkpointing starts its second computation here, so that the first one need not be kept.
    """
    return apply(AFTER, x, awaited)
