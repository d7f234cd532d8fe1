"""Slopes of the score at many points, in compiled programs: what all gradient methods ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.explain.forward import Forward, plain
from pellucid.insight.explain.graphs import ModelGraph, graph_of
from pellucid.insight.explain.starts import Layer, all_floating, axis_of_rows, start_nodes
from pellucid.ops.registry import scalar
from pellucid.ops.rows import stretched
from pellucid.tensor.autograd import enable_grad, grad, no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor
from pellucid.transforms.differentiate import vector_jacobian

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def slopes_at(forward: Forward, points: Sequence[Array], copies: int = 1) -> list[Array]:
    """∂ score / ∂ input at points (rows · copies, …) of inputs of floating-point types."""
    light = forward.light()

    def slopes(tensors: Any, places: Any, extra: Any) -> Any:
        return _by_tape(light, tensors, places, extra)

    run = forward.kept("slopes", lambda: slopes)
    total = forward.rows * copies
    size = min(forward.batch_size, total)
    places = forward.repeated_places(copies)
    extra = forward.repeated(copies)
    found = [np.empty(p.shape, p.dtype) for p in points]
    with forward.looking():
        for start in range(0, total, size):
            stop = min(start + size, total)
            whole = start == 0 and stop == total
            lines = slice(None) if whole else np.minimum(np.arange(start, start + size), total - 1)
            part = [as_tensor(p[lines]) for p in points]
            spot = None if places is None else as_tensor(places[lines])
            rest = [as_tensor(e[lines]) if moves else e for e, moves in extra]
            for array, slope in zip(found, run(part, spot, rest), strict=True):
                array[start:stop] = plain(slope)[: stop - start]
    return found


def _by_tape(light: Forward, tensors: Sequence[Any], places: Any, extra: Any) -> Any:
    """Gradients by the tape, which knows gradients that users wrote themselves."""
    with enable_grad():
        leaves = [t.detach().clone().requires_grad_() for t in tensors]
        score = light.score(leaves, places, extra)
        if not score.requires_grad:
            return tuple(t * 0 for t in tensors)
        return grad(score.sum(), leaves, materialize_grads=True)


def widened(tensor: Tensor, copies: int) -> Tensor:
    """(copies · rows, …) of (rows, …): all rows, one copy after the other."""
    shape = tuple(tensor.shape)
    return tensor.unsqueeze(0).expand(copies, *shape).reshape(copies * shape[0], *shape[1:])


def _wide_extra(light: Forward, extra: Sequence[Any], rows: int, copies: int) -> list[Any]:
    return [
        widened(e, copies) if isinstance(e, Tensor) and e.dim() and e.shape[0] == rows else e
        for e in extra
    ]


class PathAverage:
    """Averages of slopes on the way from baselines to inputs, with what lies at both ends.

    ``slopes`` are weighted means of ∂ score / ∂ value, ``there`` and ``here`` the values at the
    baseline and at the input: a list of arrays for each input, or for the layer.
    """

    def __init__(
        self, slopes: list[list[Array]], there: list[list[Array]], here: list[list[Array]]
    ) -> None:
        self.slopes, self.there, self.here = slopes, there, here


def path_average(
    forward: Forward,
    baselines: Sequence[Array],
    alphas: Floats,
    weights: Floats,
    layer: Layer | None = None,
    through: bool = False,
    batch_size: int | None = None,
) -> PathAverage:
    """The weighted mean of slopes at points ``baseline + alpha (input − baseline)``.

    Of a layer, points lie between what it makes of both; with ``through`` they lie between the
    inputs, and only the slopes are those of the layer.
    """
    light = forward.light()
    tape = layer is None and all_floating(forward)

    def average(t: Any, b: Any, a: Any, w: Any, p: Any, e: Any) -> Any:
        if tape:
            return _straight_by_tape(light, t, b, a, w, p, e)
        return _straight(light, layer, through, t, b, a, w, p, e)

    run = forward.kept(("path", layer, through), lambda: average)
    size = max(1, (batch_size or forward.batch_size) // forward.rows)
    steps = len(alphas)
    size = min(size, steps)
    kind = np.float64 if all(t.dtype.name == "float64" for t in forward.tensors) else np.float32
    places = None if forward.places is None else as_tensor(forward.places)
    starts = [as_tensor(b) for b in baselines]
    sums: list[Array] = []
    ends: Any = None
    with forward.looking(), no_grad():
        for first in range(0, steps, size):
            lines = np.arange(first, first + size)
            inside = lines < steps
            lines = np.minimum(lines, steps - 1)
            a = as_tensor(alphas[lines].astype(kind))
            w = as_tensor((weights[lines] * inside).astype(kind))
            found = run(list(forward.tensors), starts, a, w, places, list(forward.extra))
            slopes = [[np.array(plain(s)) for s in group] for group in found[0]]
            ends = found[1:]
            flat = [s for group in slopes for s in group]
            sums = flat if not sums else [x + y for x, y in zip(sums, flat, strict=True)]
    there, here = ([[np.array(plain(s)) for s in group] for group in end] for end in ends)
    whole = iter(sums)
    return PathAverage([[next(whole) for _ in group] for group in here], there, here)


def _straight_by_tape(
    light: Forward, tensors: Any, starts: Any, a: Any, w: Any, places: Any, extra: Any
) -> Any:
    """Of inputs themselves: slopes at points between, gathered with their weights."""
    copies, rows = a.shape[0], tensors[0].shape[0]
    points = [_between(b, t, a, 0) for b, t in zip(starts, tensors, strict=True)]
    wide_places = None if places is None else widened(places, copies)
    slopes = _by_tape(light, points, wide_places, _wide_extra(light, extra, rows, copies))
    return (
        [[_gather(s, w, copies, 0)] for s in slopes],
        [[b] for b in starts],
        [[t] for t in tensors],
    )


def _between(start: Any, end: Any, a: Any, axis: int) -> Any:
    """Points on the way with the copies along ``axis``, in front of the rows."""
    shape = list(start.shape)
    steps = a.reshape(*(1,) * axis, a.shape[0], *(1,) * (len(shape) - axis))
    points = start.unsqueeze(axis) + steps.to(start.dtype) * (end - start).unsqueeze(axis)
    shape[axis] *= a.shape[0]
    return points.reshape(*shape)


def _gather(slopes: Any, w: Any, copies: int, axis: int) -> Any:
    """The weighted sum over the copies."""
    shape = list(slopes.shape)
    apart = slopes.reshape(*shape[:axis], copies, shape[axis] // copies, *shape[axis + 1 :])
    weights = w.to(slopes.dtype).reshape(*(1,) * axis, copies, *(1,) * (len(shape) - axis))
    return (apart * weights).sum(axis)


def nodes_of(forward: Forward, graph: ModelGraph, layer: Layer | None) -> list[list[Any]]:
    """The nodes whose slopes are asked for: a layer's, or those where each input begins."""
    return start_nodes(forward, graph) if layer is None else [layer.nodes(graph)]


def _straight(
    light: Forward,
    layer: Layer | None,
    through: bool,
    tensors: Any,
    starts: Any,
    a: Any,
    w: Any,
    places: Any,
    extra: Any,
) -> Any:
    """Of a layer, or of what whole numbers are looked up as: points between its values."""
    copies, rows = a.shape[0], tensors[0].shape[0]
    asked = [] if layer is None else [layer.module]
    near = graph_of(light, tensors, places, extra, asked)
    ends = nodes_of(light, near, layer)
    there = _computed(near, ends, starts)
    here = _computed(near, ends, tensors)
    wide_places = None if places is None else widened(places, copies)
    rest = _wide_extra(light, extra, rows, copies)
    wide = graph_of(light, [widened(t, copies) for t in tensors], wide_places, rest, asked)
    wanted = nodes_of(light, wide, layer)
    axes = [
        [axis_of_rows(n.shape, m.shape) for n, m in zip(x, y, strict=True)]
        for x, y in zip(ends, wanted, strict=True)
    ]
    known = dict(zip(wide.inputs, [widened(t, copies) for t in tensors], strict=True))
    moving = start_nodes(light, wide) if through else wanted
    low = _computed(near, start_nodes(light, near), starts) if through else there
    high = _computed(near, start_nodes(light, near), tensors) if through else here
    for group, b, t in zip(moving, low, high, strict=True):
        for node, x, y in zip(group, b, t, strict=True):
            known[node] = _between(x, y, a, axis_of_rows(x.shape, node.shape))
    slopes = iter(slopes_of(wide, [n for group in wanted for n in group], known))
    found = [[_gather(next(slopes), w, copies, axis) for axis in group] for group in axes]
    return found, there, here


def _computed(graph: ModelGraph, groups: Any, tensors: Sequence[Any]) -> list[list[Any]]:
    """Values of groups of nodes from those of the inputs."""
    flat = graph.compute(
        [n for group in groups for n in group], dict(zip(graph.inputs, tensors, strict=True))
    )
    found = iter(flat)
    return [[next(found) for _ in group] for group in groups]


def slopes_of(graph: ModelGraph, nodes: Sequence[Any], known: Any) -> list[Any]:
    """∂ score / ∂ node, computed with the values that are known; zeros where none arrives."""
    graph.refuse_functions()
    one = stretched(scalar(graph.score, 1.0), graph.score.shape)
    slopes = vector_jacobian([graph.score], [one], nodes)
    wanted = [
        stretched(scalar(node, 0.0), node.shape) if slope is None else slope
        for slope, node in zip(slopes, nodes, strict=True)
    ]
    return graph.compute(wanted, known)


def through_points(
    forward: Forward, baselines: Sequence[Array], alphas: Floats, layer: Layer
) -> tuple[list[Array], list[Array]]:
    """A layer's slopes, and its values, at points between baselines and inputs: for each tensor
    (points, …) of its shape."""
    light = forward.light()

    def points(t: Any, b: Any, a: Any, p: Any, e: Any) -> Any:
        copies, rows = a.shape[0], t[0].shape[0]
        near = graph_of(light, t, p, e, [layer.module])
        ends = start_nodes(light, near)
        there, here = _computed(near, ends, b), _computed(near, ends, t)
        wide_inputs = [widened(x, copies) for x in t]
        wide_places = None if p is None else widened(p, copies)
        rest = _wide_extra(light, e, rows, copies)
        wide = graph_of(light, wide_inputs, wide_places, rest, [layer.module])
        known = dict(zip(wide.inputs, wide_inputs, strict=True))
        for group, low, high in zip(start_nodes(light, wide), there, here, strict=True):
            for node, x, y in zip(group, low, high, strict=True):
                known[node] = _between(x, y, a, axis_of_rows(x.shape, node.shape))
        nodes = layer.nodes(wide)
        shapes = [n.shape for n in layer.nodes(near)]
        axes = [axis_of_rows(s, n.shape) for s, n in zip(shapes, nodes, strict=True)]
        slopes = slopes_of(wide, nodes, known)
        values = wide.compute(nodes, known)
        return tuple(
            tuple(_apart(x, copies, axis) for x, axis in zip(part, axes, strict=True))
            for part in (slopes, values)
        )

    run = forward.kept(("points", layer), lambda: points)
    size = min(len(alphas), max(1, forward.batch_size // forward.rows))
    kind = np.float64 if all(t.dtype.name == "float64" for t in forward.tensors) else np.float32
    places = None if forward.places is None else as_tensor(forward.places)
    starts = [as_tensor(b) for b in baselines]
    parts: list[Any] = []
    with forward.looking(), no_grad():
        for first in range(0, len(alphas), size):
            lines = np.minimum(np.arange(first, first + size), len(alphas) - 1)
            a = as_tensor(alphas[lines].astype(kind))
            found = run(list(forward.tensors), starts, a, places, list(forward.extra))
            stop = min(size, len(alphas) - first)
            parts.append([[np.array(plain(x))[:stop] for x in group] for group in found])
    slopes, values = (
        [np.concatenate(columns) for columns in zip(*(p[k] for p in parts), strict=True)]
        for k in (0, 1)
    )
    return slopes, values


def _apart(tensor: Any, copies: int, axis: int) -> Any:
    """The copies along an axis of their own in front."""
    shape = list(tensor.shape)
    wide = tensor.reshape(*shape[:axis], copies, shape[axis] // copies, *shape[axis + 1 :])
    return wide.movedim(axis, 0)
