"""Walks through a recorded graph: weighted operations, what depends on what."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.graph.node import Node
from pellucid.insight.doctor.ends import behind
from pellucid.insight.doctor.recording import Computation

Array = npt.NDArray[Any]

AFFINE = ("matmul", "convolution")


def depends_on(
    nodes: Iterable[Node], sources: Collection[Node], only: Node | None = None
) -> set[Node]:
    """The nodes that need one of the sources, the sources among them; with ``only`` that node
    alone, if it does."""
    found = set(sources)
    for node in nodes:
        if any(n in found for n in node.inputs):
            found.add(node)
    if only is not None:
        return {only} & found
    return found


def leaf_of(node: Node, parameters: Collection[Node]) -> Node | None:
    """The parameter that a node only moves (or scales by a number), None where it is none."""
    node = behind(node)
    return node if node in parameters else None


def weight_of(node: Node, parameters: Collection[Node]) -> Node | None:
    """The parameter that a weighted operation multiplies with."""
    for operand in node.inputs:
        found = leaf_of(operand, parameters)
        if found is not None:
            return found
    return None


def operand_of(node: Node, parameters: Collection[Node]) -> Node | None:
    """What a weighted operation multiplies with its weight."""
    for operand in node.inputs[:2]:
        if leaf_of(operand, parameters) is None:
            return operand
    return None


def affine_nodes(run: Computation, nodes: Iterable[Node]) -> list[Node]:
    """Products and convolutions with a parameter, in the order in which they are computed."""
    parameters = set(run.parameters)
    return [
        node for node in nodes if node.op.name in AFFINE and weight_of(node, parameters) is not None
    ]


def units_first(node: Node, weight: Node) -> bool:
    """Whether the units of a weighted operation lie along the first axis of its parameter: as
    nn.Linear and convolutions hold them, and not as ``x @ weight`` does."""
    if node.op.name == "convolution":
        return True
    turned = 0
    is_right = leaf_of(node.inputs[0], {weight}) is None
    operand = node.inputs[1] if is_right else node.inputs[0]
    while operand is not weight and operand.inputs:
        if operand.op.name == "transpose":
            turned += 1
        operand = operand.inputs[0]
    return bool(turned % 2) == is_right


def rows_of_units(array: Array, first: bool) -> Array:
    """A parameter (or its gradient) as (units, inputs)."""
    flat = array.reshape(array.shape[0], -1) if first else array.reshape(-1, array.shape[-1]).T
    return flat.astype(np.float64)


def is_mask(node: Node) -> bool:
    """Whether a node compares random numbers with a constant and goes on as numbers."""
    if node.op.name not in ("ge", "gt", "lt", "le") or not node.inputs:
        return False
    return any(n.op.name == "random_uniform" for n in node.inputs)
