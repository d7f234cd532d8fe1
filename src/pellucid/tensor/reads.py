"""Which values a gradient rule reads, found by asking the rule itself on symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.base.errors import PellucidError
from pellucid.graph.node import Node, Primitive, Spec, new_input, topological


def rule_reads(
    op: Primitive,
    settings: Mapping[str, Any],
    inputs: Sequence[Any],
    value: Any,
    positions: Sequence[int],
) -> int | None:
    """The first of ``positions`` that the gradients of ``inputs`` which need one are made of.

    Positions count the inputs, then the value.  A rule that computes something on the way to a
    gradient nobody wants does not read it.  None if none is read.
    """
    if op.gradient is None:
        return None
    if op.results is not None:  # its rule is asked for all results at once: takes all inputs
        return next((i for i in positions if i < len(inputs)), None)
    symbols = [new_input(Spec(tuple(t.shape), t.dtype)) for t in (*inputs, value)]
    cotangent = new_input(Spec(tuple(value.shape), value.dtype))
    try:
        parts = op.gradient(cotangent, symbols[-1], *symbols[:-1], **settings)
    except PellucidError:  # a rule that looks at numbers reads them
        return positions[0]
    wanted = [
        part
        for part, tensor in zip(parts, inputs, strict=True)
        if isinstance(part, Node) and tensor._requires_grad
    ]
    read = set(topological(wanted))
    return next((i for i in positions if symbols[i] in read), None)
