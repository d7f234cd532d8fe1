"""Walks backwards over a model's graph by rules, in compiled programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.explain.forward import Forward, plain
from pellucid.insight.explain.graphs import graph_of
from pellucid.insight.explain.rules import Reading
from pellucid.insight.explain.slopes import nodes_of
from pellucid.insight.explain.starts import Layer, gathered
from pellucid.ops import structure
from pellucid.ops.registry import scalar
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor

Array = npt.NDArray[Any]


@dataclass
class Walked:
    """What arrived, and the values, where each input (or the layer) begins: lists of arrays."""

    arrived: list[list[Array]]
    here: list[list[Array]]


def walked(
    forward: Forward,
    key: Any,
    rules: Callable[[Reading], Any],
    layer: Layer | None = None,
    softmax_is_one: bool = False,
) -> Walked:
    """The walk from the score to the inputs (the layer) by ``rules(reading).pull``."""
    light = forward.light()

    def walk(tensors: Any, places: Any, extra: Any) -> Any:
        asked = [] if layer is None else [layer.module]
        graph = graph_of(light, tensors, places, extra, asked).written_out()
        groups = nodes_of(light, graph, layer)
        flat = tuple(n for group in groups for n in group)
        reading = Reading(graph.score, flat, softmax_is_one)
        one = structure.broadcast_to(scalar(graph.score, 1.0), graph.score.shape)
        arrived = [
            structure.broadcast_to(scalar(n, 0.0), n.shape) if m is None else m
            for n, m in zip(flat, reading.walk(rules(reading).pull, one), strict=True)
        ]
        values = graph.compute([*arrived, *flat], dict(zip(graph.inputs, tensors, strict=True)))
        count = len(flat)
        return grouped(values[:count], groups), grouped(values[count:], groups)

    run = forward.kept((key, layer), lambda: walk)
    parts: list[Walked] = []
    for lines in batches(forward):
        part = forward if len(lines) == forward.rows else forward.of_rows(lines)
        places = None if part.places is None else as_tensor(part.places)
        with forward.looking(), no_grad():
            arrived, here = run(list(part.tensors), places, list(part.extra))
        parts.append(Walked(as_arrays(arrived), as_arrays(here)))
    if len(parts) == 1:
        return parts[0]
    return Walked(joined([p.arrived for p in parts]), joined([p.here for p in parts]))


def batches(forward: Forward) -> list[npt.NDArray[np.int64]]:
    """The rows in parts of the batch size."""
    size = forward.batch_size
    return [np.arange(k, min(k + size, forward.rows)) for k in range(0, forward.rows, size)]


def grouped(values: Sequence[Any], groups: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Values in one line, in groups of these sizes."""
    found = iter(values)
    return [[next(found) for _ in group] for group in groups]


def as_arrays(groups: Sequence[Sequence[Any]]) -> list[list[Array]]:
    """Groups of tensors as arrays of their own."""
    return [[np.array(plain(t)) for t in group] for group in groups]


def joined(parts: Sequence[Sequence[Sequence[Array]]]) -> list[list[Array]]:
    """The same groups for all rows, from those for some."""
    return [
        [np.concatenate(columns) for columns in zip(*groups, strict=True)]
        for groups in zip(*parts, strict=True)
    ]


def in_inputs(forward: Forward, found: Sequence[Sequence[Array]]) -> list[Array]:
    """Values where inputs begin, in the shapes of the inputs."""
    return [
        gathered(parts, tuple(t.shape), t.dtype.is_floating_point)
        for t, parts in zip(forward.tensors, found, strict=True)
    ]
