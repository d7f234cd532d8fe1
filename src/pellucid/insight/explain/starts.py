"""Where values begin: the inputs themselves, what whole numbers are looked up as, or a layer.

Every method that follows slopes needs real numbers to start from.  Those are inputs of a
floating-point type; the first real numbers that inputs of another type lead to, such as the rows
of an embedding; or what a layer inside makes or is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.graph.node import Node, topological
from pellucid.insight.explain.forward import Forward
from pellucid.insight.explain.graphs import ModelGraph, graph_of
from pellucid.nn.module import Module

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """A layer inside the model whose results, or arguments, get the values."""

    module: Any
    of_inputs: bool = False

    def nodes(self, graph: ModelGraph, name: str = "the layer") -> list[Node]:
        """What it made (was given), among the nodes of a graph that was asked for this layer."""
        found = (graph.layer_inputs if self.of_inputs else graph.layers)[0]
        if not found:
            raise ArgumentError(
                f"{name} made no tensor: the model does not run it",
                "name a module that forward calls, and not by its own forward()",
            )
        known = set(topological([graph.score]))
        reached = [n for n in found if n in known and n.dtype.is_floating_point]
        if not reached:
            raise ArgumentError(
                f"the score does not depend on {name}", "name a layer that leads to the score"
            )
        # Called in a loop, a layer counts once, by what it makes last.
        return reached[-1:] if len(reached) > 1 and not self.of_inputs else reached


def layer_of(model: Any, layer: Any, of_inputs: bool = False) -> Layer:
    """A layer given as a module or by its path in the model."""
    if isinstance(layer, Module):
        return Layer(layer, of_inputs)
    modules = dict(model.named_modules()) if hasattr(model, "named_modules") else {}
    if layer not in modules:
        raise ArgumentError(
            f"the model has no layer {layer!r}",
            "choose one of: " + ", ".join(path for path in modules if path),
        )
    return Layer(modules[layer], of_inputs)


def start_nodes(forward: Forward, graph: ModelGraph) -> list[list[Node]]:
    """For each input the nodes that its values are computed at; none where no real number
    follows from it."""
    found = []
    for node in graph.inputs:
        if node.dtype.is_floating_point:
            found.append([node])
            continue
        above = {node}
        first = []
        for other in topological([graph.score]):
            if any(n in above for n in other.inputs):
                if other.dtype.is_floating_point:
                    first.append(other)
                else:
                    above.add(other)
        found.append([n for n in first if n.size % node.size == 0])
    if not any(found):
        raise ArgumentError(
            "no input leads to real numbers, so that the score has no slopes",
            "use a method that takes inputs away: feature_ablation, occlusion, kernel_shap",
        )
    return found


def all_floating(forward: Forward) -> bool:
    """Whether every input is of a floating-point type."""
    return all(t.dtype.is_floating_point for t in forward.tensors)


def gathered(values: Sequence[Array], shape: tuple[int, ...], floating: bool) -> Array:
    """Values at an input's start nodes in the shape of the input: those of what one number was
    looked up as are added up."""
    if not values:
        return np.zeros(shape)
    if floating:
        return values[0]
    parts = [v.reshape(*shape, -1).sum(-1) for v in values]
    return np.asarray(np.sum(parts, axis=0))


def axis_of_rows(shape: Sequence[int], wider: Sequence[int]) -> int:
    """The axis along which rows lie: where a shape of many copies differs."""
    for axis, (extent, wide) in enumerate(zip(shape, wider, strict=True)):
        if extent != wide:
            return axis
    if tuple(shape) == tuple(wider):
        return 0
    raise ShapeError(
        f"a layer's result {tuple(shape)} has no axis of rows", "name a layer that works by rows"
    )


__all__ = [
    "Layer",
    "all_floating",
    "axis_of_rows",
    "gathered",
    "graph_of",
    "layer_of",
    "start_nodes",
]
