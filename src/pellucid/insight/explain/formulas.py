"""Attention in the operations that it stands for."""

from __future__ import annotations

import numpy as np

from pellucid.graph.node import Node
from pellucid.ops import elementwise, structure
from pellucid.ops.attention import split_extra
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.registry import scalar


def attention_formula(node: Node) -> Node:
    """Attention written with other operations: softmax(scale · q kᵀ + mask) v."""
    found: Node = matmul(attention_weights(node), node.inputs[2])
    return found


def attention_weights(node: Node) -> Node:
    """softmax(scale · q kᵀ + mask) of an attention."""
    q, k, _, *extra = node.inputs
    mask, _ = split_extra(extra)
    settings = node.settings
    scores = elementwise.mul(matmul(q, swap(k)), scalar(q, settings["scale"]))
    low = scalar(q, -1e30)
    if mask:
        if mask[0].dtype.is_differentiable:
            scores = elementwise.add(scores, mask[0])
        else:
            scores = elementwise.where(mask[0], scores, low)
    if settings["causal"]:
        rows, columns = scores.shape[-2:]
        seen = q.lift(np.tril(np.ones((rows, columns), np.bool_)))
        scores = elementwise.where(seen, scores, low)
    last = (len(scores.shape) - 1,)
    highest = elementwise.detach(structure.max_(scores, last, True))
    parts = elementwise.exp(elementwise.sub(scores, highest))
    found: Node = elementwise.div(parts, structure.sum(parts, last, True))
    return found
