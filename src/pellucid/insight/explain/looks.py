"""What attention looks at: its weights, rolled out over the layers, or as a flow through them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, OutOfRangeError
from pellucid.graph.node import Node, topological
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.formulas import attention_weights
from pellucid.insight.explain.forward import Forward, Inputs, Model, plain
from pellucid.insight.explain.graphs import graph_of
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.rules import is_softmax
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def attention_maps(
    model: Model, inputs: Inputs, target: Any = None, additional_forward_args: Any = ()
) -> list[Array]:
    """The weights of every attention that the model computes, in their order.

    Each is (rows, heads, queries, keys), or (rows, queries, keys) of attention without heads; the
    weights of a query sum to 1.  They are found among the model's operations, whatever layer they
    belong to, also where the layer itself never forms them.  Raises ``ArgumentError`` for a model
    without attention.
    """
    return _maps(Forward(model, inputs, target, additional_forward_args))


def _maps(forward: Forward) -> list[Array]:
    light = forward.light()

    def look(tensors: Any, places: Any, extra: Any) -> Any:
        graph = graph_of(light, tensors, places, extra)
        found = [w for w in map(_weights, topological([graph.score])) if w is not None]
        if not found:
            return ()
        known = dict(zip(graph.inputs, tensors, strict=True))
        return tuple(graph.compute(found, known))

    run = forward.kept("attention", lambda: look)
    places = None if forward.places is None else as_tensor(forward.places)
    with forward.looking(), no_grad():
        found = run(list(forward.tensors), places, list(forward.extra))
    if not found:
        raise ArgumentError("the model computes no attention", "give a model with attention")
    return [_by_heads(np.array(plain(w)), forward.rows) for w in found]


def _weights(node: Node) -> Node | None:
    """The weights of an attention that a node is the result of."""
    if node.op.name == "attention":
        return attention_weights(node)
    if node.op.name == "matmul" and is_softmax(node.inputs[0]):
        weights: Node = node.inputs[0]
        return weights
    return None


def _by_heads(weights: Array, rows: int) -> Array:
    """Rows and heads apart where a layer has put them into one axis."""
    if weights.ndim == 3 and len(weights) != rows and len(weights) % rows == 0:
        return weights.reshape(rows, -1, *weights.shape[1:])
    return weights


def _square(maps: Sequence[Array]) -> list[Floats]:
    """Means over heads with the way around the attention: (A + 1) / 2 for each layer."""
    found: list[Floats] = []
    for weights in maps:
        mean = weights.mean(1) if weights.ndim == 4 else weights
        if mean.shape[-1] != mean.shape[-2] or (found and mean.shape != found[0].shape):
            raise ArgumentError(
                f"attention from {mean.shape[-2]} to {mean.shape[-1]} positions cannot be followed "
                "through the layers",
                "give a model whose attention is all among the same positions",
            )
        found.append((np.asarray(mean, np.float64) + np.eye(mean.shape[-1])) / 2)
    return found


def _told(name: str, forward: Forward, whole: Floats, position: int | None) -> Explanation:
    length = whole.shape[-1]
    if position is None:
        values = whole.mean(1)
    elif -length <= position < length:
        values = whole[:, position]
    else:
        raise OutOfRangeError(f"position={position} of {length}", f"use 0 to {length - 1}")
    return forward.explanation(name, (values,), kind="map", settings={"position": position})


@method
def attention_rollout(
    model: Model,
    inputs: Inputs,
    position: int | None = None,
    target: Any = None,
    additional_forward_args: Any = (),
) -> Explanation:
    """How much each input position is mixed into a position at the end: (rows, positions).

    The product over the layers of (A + 1) / 2, A the mean of the heads and 1 the residual way
    around it.  ``position`` is the one that the answer is read from (0 for a class token, −1 for
    the last); None for the mean of all.  Attention tells what is looked at, not what it is worth:
    the verdict says whether the score falls with it.  (Abnar and Zuidema, 2020.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    layers = _square(_maps(forward))
    whole = layers[0]
    for following in layers[1:]:
        whole = following @ whole
    return _told("attention_rollout", forward, whole, position)


@method
def attention_flow(
    model: Model,
    inputs: Inputs,
    position: int | None = None,
    target: Any = None,
    additional_forward_args: Any = (),
) -> Explanation:
    """The largest flow from a position at the end to each input position: (rows, positions).

    The weights (A + 1) / 2 of the layers are capacities of pipes between positions of layers that
    follow one another.  Arguments as of :func:`attention_rollout`.  (Abnar and Zuidema, 2020; the
    flow by Edmonds and Karp, 1972.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    layers = _square(_maps(forward))
    length = layers[0].shape[-1]
    asked = range(length) if position is None else [position % length]
    whole = np.zeros((forward.rows, length, length))
    for row in range(forward.rows):
        capacities = [layer[row] for layer in layers]
        for start in asked:
            for end in range(length):
                whole[row, start, end] = largest_flow(capacities, start, end)
    return _told("attention_flow", forward, whole, position)


def largest_flow(capacities: Sequence[Floats], start: int, end: int) -> float:
    """The largest flow from position ``start`` behind the last layer to ``end`` before the first.

    ``capacities`` has for each layer, first one first, (outputs, inputs).
    """
    left = [np.array(c) for c in capacities]
    back = [np.zeros_like(c) for c in capacities]
    source, sink = (len(left), start), (0, end)
    total = 0.0
    while True:
        came = _shortest(left, back, source, sink)
        if came is None:
            return total
        way = [sink]
        while way[-1] != source:
            way.append(came[way[-1]])
        way.reverse()
        steps = list(zip(way[:-1], way[1:], strict=True))
        amount = min(_room(left, back, a, b) for a, b in steps)
        for (upper, i), (lower, j) in steps:
            if lower < upper:
                left[lower][i, j] -= amount
                back[lower][i, j] += amount
            else:
                left[upper][j, i] += amount
                back[upper][j, i] -= amount
        total += amount


Place = tuple[int, int]


def _room(left: Sequence[Floats], back: Sequence[Floats], a: Place, b: Place) -> float:
    if b[0] < a[0]:
        return float(left[b[0]][a[1], b[1]])
    return float(back[a[0]][b[1], a[1]])


def _shortest(
    left: Sequence[Floats], back: Sequence[Floats], source: Place, sink: Place
) -> dict[Place, Place] | None:
    """Where each place was reached from, on a shortest way with room; None without one."""
    came = {source: source}
    waiting = deque([source])
    while waiting:
        place = waiting.popleft()
        level, i = place
        following: list[Place] = []
        if level > 0:
            following += [(level - 1, int(j)) for j in np.flatnonzero(left[level - 1][i] > 1e-12)]
        if level < len(left):
            rows = np.flatnonzero(back[level][:, i] > 1e-12)
            following += [(level + 1, int(j)) for j in rows]
        for other in following:
            if other not in came:
                came[other] = place
                if other == sink:
                    return came
                waiting.append(other)
    return None
