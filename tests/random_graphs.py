"""A strategy of small random graphs over all kinds of primitives, for hypothesis.

Magnitudes are tracked so that values stay moderate; what jumps (comparisons, positions of
extremes) is only applied to inputs, whose values every backend reads alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from pellucid.base.dtypes import DType, float32, float64, int32, int64
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.ops import elementwise as e
from pellucid.ops import indexing, structure
from pellucid.ops.contraction import matmul
from pellucid.ops.random import random_uniform
from pellucid.ops.registry import scalar
from pellucid.transforms.differentiate import gradients

EXTENTS = (1, 1, 2, 3, 4, 5, 7, 8, 16, 17, 33, 70)
MOST_ELEMENTS = 6000
LARGEST = 20.0
"""Values that may grow beyond it are scaled down."""


@dataclass
class Case:
    """A graph with arrays for its inputs."""

    graph: Graph
    arrays: list[np.ndarray]


@dataclass
class Builder:
    """Grows a graph, asking ``draw`` for each choice."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    dtype: DType
    inputs: list[Node] = field(default_factory=list)
    arrays: list[np.ndarray] = field(default_factory=list)
    values: list[Node] = field(default_factory=list)
    bounds: dict[Node, float] = field(default_factory=dict)

    # ---- choices -----------------------------------------------------------------------------

    def integer(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def pick(self, options: Any) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def shape(self, low: int = 0, high: int = 4) -> tuple[int, ...]:
        result: tuple[int, ...] = ()
        for _ in range(self.integer(low, high)):
            extent = self.pick(EXTENTS)
            if math.prod(result) * extent <= MOST_ELEMENTS:
                result = (*result, extent)
        return result if len(result) >= low else (*result, *[1] * (low - len(result)))

    # ---- values ------------------------------------------------------------------------------

    def input(self, shape: tuple[int, ...]) -> Node:
        node = new_input(Spec(shape, self.dtype), f"in{len(self.inputs)}")
        rng = np.random.default_rng(len(self.inputs))
        self.inputs.append(node)
        self.arrays.append(rng.uniform(-2, 2, shape).astype(self.dtype.numpy))
        return self.keep(node, 2.0)

    def positions(self, shape: tuple[int, ...], extent: int) -> Node:
        dtype = self.pick((int64, int64, int32))
        node = new_input(Spec(shape, dtype), f"in{len(self.inputs)}")
        rng = np.random.default_rng(len(self.inputs))
        self.inputs.append(node)
        self.arrays.append(rng.integers(0, extent, shape).astype(dtype.numpy))
        return node

    def keep(self, node: Node, bound: float) -> Node:
        if bound > LARGEST:
            node, bound = e.mul(node, scalar(node, 2.0 / bound)), 2.0
        self.values.append(node)
        self.bounds[node] = bound
        return node

    def value(self) -> Node:
        # Recent values more often, so that chains become long.
        recent = min(len(self.values), 4)
        if self.integer(0, 2):
            return self.values[-self.integer(1, recent)]
        return self.pick(self.values)

    def like(self, shape: tuple[int, ...]) -> Node:
        """A value that broadcasts to ``shape``: a known one, or a new input."""
        fitting = [v for v in self.values if _fits(v.shape, shape)]
        if fitting and self.integer(0, 3):
            return fitting[-self.integer(1, min(len(fitting), 5))]
        drop = self.integer(0, len(shape))
        own = tuple(1 if self.integer(0, 3) == 0 else n for n in shape[drop:])
        return self.input(own)

    # ---- steps -------------------------------------------------------------------------------

    def unary(self) -> None:
        x = self.value()
        bound = self.bounds[x]
        positive = e.add(e.abs(x), scalar(x, 0.3))
        options: list[Callable[[], tuple[Node, float]]] = [
            lambda: (e.neg(x), bound),
            lambda: (e.abs(x), bound),
            lambda: (e.tanh(x), 1.0),
            lambda: (e.sigmoid(x), 1.0),
            lambda: (e.exp(e.minimum(x, scalar(x, 1.0))), 3.0),
            lambda: (e.sqrt(positive), bound),
            lambda: (e.log(positive), bound + 2),
            lambda: (e.sin(x), 1.0),
            lambda: (e.erf(x), 1.0),
            lambda: (e.mul(x, x), bound * bound),
            lambda: (e.maximum(x, scalar(x, 0.0)), bound),
            lambda: (e.copy(x), bound),
            lambda: (e.mul(x, scalar(x, -1.5)), 1.5 * bound),
            lambda: (
                (e.cast(e.cast(x, float64 if x.dtype is float32 else float32), x.dtype), bound)
                if self.dtype is float32
                else (e.copy(x), bound)
            ),
        ]
        self.keep(*self.pick(options)())

    def binary(self) -> None:
        x = self.value()
        y = self.like(x.shape)
        a, b = self.bounds[x], self.bounds[y]
        options: list[Callable[[], tuple[Node, float]]] = [
            lambda: (e.add(x, y), a + b),
            lambda: (e.sub(y, x), a + b),
            lambda: (e.mul(x, y), a * b),
            lambda: (e.div(x, e.add(e.abs(y), scalar(y, 0.7))), 2 * a),
            lambda: (e.maximum(x, y), max(a, b)),
            lambda: (e.minimum(x, y), max(a, b)),
            lambda: (e.where(e.lt(x, y), x, y), max(a, b)),
            lambda: (
                e.where(e.gt(self.pick(self.inputs_like(x)), scalar(x, 0.1)), x, y),
                max(a, b),
            ),
            lambda: (e.add(e.mul(x, y), x), a * b + a),
        ]
        self.keep(*self.pick(options)())

    def inputs_like(self, x: Node) -> list[Node]:
        found = [n for n in self.inputs if n.dtype is x.dtype and _fits(n.shape, x.shape)]
        return found or [self.input(x.shape)]

    def move(self) -> None:
        x = self.value()
        rank = len(x.shape)
        kind = self.pick(
            ("reshape", "transpose", "broadcast", "slice", "flip", "pad", "concatenate")
        )
        if kind == "reshape":
            self.keep(structure.reshape(x, self.regrouped(x.shape)), self.bounds[x])
        elif kind == "transpose":
            axes = self.draw(st.permutations(range(rank)))
            self.keep(structure.transpose(x, axes), self.bounds[x])
        elif kind == "broadcast":
            wide = tuple(self.pick((1, 2, 5)) if n == 1 else n for n in x.shape)
            target = (self.pick((2, 3)), *wide) if self.integer(0, 1) else wide
            if math.prod(target) <= MOST_ELEMENTS:
                self.keep(structure.broadcast_to(x, target), self.bounds[x])
        elif kind == "slice":
            start = [self.integer(0, max(n - 1, 0)) for n in x.shape]
            stop = [self.integer(min(a + 1, n), n) for a, n in zip(start, x.shape, strict=True)]
            step = [self.integer(1, 3) for _ in x.shape]
            self.keep(structure.slice_(x, start, stop, step), self.bounds[x])
        elif kind == "flip" and rank:
            self.keep(structure.flip(x, [self.integer(0, rank - 1)]), self.bounds[x])
        elif kind == "pad":
            low = [self.integer(-1 if n > 2 else 0, 2) for n in x.shape]
            high = [self.integer(-1 if n > 2 else 0, 2) for n in x.shape]
            between = [self.integer(0, 1) if math.prod(x.shape) < 800 else 0 for _ in x.shape]
            self.keep(structure.pad(x, low, high, between, 0.25), self.bounds[x] + 1)
        elif kind == "concatenate" and rank:
            axis = self.integer(0, rank - 1)
            other = self.draw(st.sampled_from([v for v in self.values if _joins(v, x, axis)]))
            self.keep(
                structure.concatenate([x, other, x], axis), max(self.bounds[x], self.bounds[other])
            )

    def regrouped(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape with two neighbours merged, an axis split, or axes of extent 1 added."""
        choice = self.integer(0, 3)
        if choice == 0 and len(shape) > 1:
            at = self.integer(0, len(shape) - 2)
            return (*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :])
        if choice == 1:
            for at, n in enumerate(shape):
                for d in (7, 4, 3, 2):
                    if n % d == 0 and n > d:
                        return (*shape[:at], n // d, d, *shape[at + 1 :])
        if choice == 2 and len(shape) > 1:
            size = math.prod(shape)
            for d in (10, 6, 4, 3, 2):
                if size % d == 0:
                    return (d, size // d)
        at = self.integer(0, len(shape))
        return (*shape[:at], 1, *shape[at:])

    def reduce(self) -> None:
        x = self.value()
        rank = len(x.shape)
        if not rank or not x.size:
            return
        axes = self.draw(st.sets(st.integers(0, rank - 1), min_size=1))
        count = math.prod(x.shape[a] for a in axes)
        keep = bool(self.integer(0, 1))
        kind = self.pick(("sum", "mean", "max", "min", "cumsum", "prod"))
        axes = tuple(sorted(axes))
        if kind in ("sum", "mean"):
            total = structure.sum(x, axes, keep)
            if kind == "mean":
                self.keep(e.mul(total, scalar(total, 1 / count)), self.bounds[x])
            else:
                self.keep(total, count * self.bounds[x])
        elif kind == "cumsum":
            self.keep(structure.cumsum(x, axes[0]), x.shape[axes[0]] * self.bounds[x])
        elif kind == "prod":
            near_one = e.add(e.mul(e.tanh(x), scalar(x, 0.1)), scalar(x, 1.0))
            self.keep(e.tanh(structure.prod(near_one, axes, keep)), 1.0)
        else:
            reduction = structure.max_ if kind == "max" else structure.min_
            self.keep(reduction(x, axes, keep), self.bounds[x])

    def product(self) -> None:
        x = self.value()
        if len(x.shape) < 2:
            return
        if self.integer(0, 1) and x.shape[-1] <= 33:
            other = self.input((x.shape[-1], self.pick((1, 2, 5, 16, 33))))
        elif self.integer(0, 1):
            y = self.like(x.shape)
            if len(y.shape) < 2 or y.shape[-1] != x.shape[-1]:
                return
            other = structure.transpose(
                y, (*range(len(y.shape) - 2), len(y.shape) - 1, len(y.shape) - 2)
            )
        else:
            other = self.input((*x.shape[:-2], x.shape[-1], self.pick((1, 3, 8))))
        if math.prod(x.shape[:-1]) * other.shape[-1] > 4 * MOST_ELEMENTS:
            return
        result = matmul(x, other)
        self.keep(
            result, max(x.shape[-1], 1) * self.bounds[x] * 2 * self.bounds.get(other, LARGEST)
        )

    def pattern(self) -> None:
        """softmax, log-softmax, layer norm, batch norm: what training steps are made of."""
        x = self.value()
        if not x.shape or not x.size:
            return
        axis = 0 if self.integer(0, 2) == 0 else len(x.shape) - 1
        kind = self.pick(("softmax", "log_softmax", "norm"))
        if kind == "norm":
            count = x.shape[axis]
            mean = e.mul(structure.sum(x, axis, True), scalar(x, 1 / count))
            centred = e.sub(x, mean)
            variance = e.mul(
                structure.sum(e.mul(centred, centred), axis, True), scalar(x, 1 / count)
            )
            self.keep(e.div(centred, e.sqrt(e.add(variance, scalar(x, 0.1)))), 4.0)
            if self.integer(0, 1):
                self.keep(variance, self.bounds[x] ** 2)
            return
        shifted = e.sub(x, structure.max_(x, axis, True))
        total = structure.sum(e.exp(shifted), axis, True)
        if kind == "softmax":
            self.keep(e.div(e.exp(shifted), total), 1.0)
        else:
            self.keep(e.sub(shifted, e.log(total)), 2 * self.bounds[x] + 5)

    def index(self) -> None:
        x = self.value()
        if not x.shape or not x.size:
            return
        axis = self.integer(0, len(x.shape) - 1)
        kind = self.pick(("take", "gather", "put", "scatter", "argmax", "pick", "random"))
        bound = self.bounds[x]
        if kind == "take":
            where = self.positions(self.pick(((), (3,), (2, 4), (0,))), x.shape[axis])
            if where.size * x.size // x.shape[axis] <= MOST_ELEMENTS:
                self.keep(indexing.take(x, where, axis), bound)
        elif kind == "gather":
            self.keep(indexing.gather(x, self.positions(x.shape, x.shape[axis]), axis), bound)
        elif kind == "pick":
            shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
            self.keep(indexing.gather(x, self.positions(shape, x.shape[axis]), axis), bound)
        elif kind == "put":
            where = self.positions((4,), x.shape[axis])
            added = self.input((*x.shape[:axis], 4, *x.shape[axis + 1 :]))
            self.keep(indexing.put(x, where, added, axis, self.pick(("add", "set"))), bound + 8)
        elif kind == "scatter":
            where = self.positions(x.shape, x.shape[axis])
            # Written values that meet at one place must be the same whatever the order.
            self.keep(
                indexing.scatter(x, where, self.input(x.shape), axis, "add"),
                bound + 2 * x.shape[axis],
            )
        elif kind == "argmax":
            source = self.pick(self.inputs_like(x))
            if source.shape:
                best = structure.argmax(source, self.integer(0, len(source.shape) - 1))
                self.keep(e.cast(best, self.dtype), 70.0)
        else:
            state = new_input(Spec((2,), int64), f"in{len(self.inputs)}")
            self.inputs.append(state)
            self.arrays.append(np.array([7, len(self.inputs)], np.int64))
            drawn = random_uniform(state, x.shape, self.dtype)
            mask = e.lt(drawn, scalar(x, 0.6))
            self.keep(e.where(mask, x, scalar(x, 0.0)), bound)

    def step(self) -> None:
        """One random addition."""
        menu = (self.unary, self.unary, self.binary, self.binary, self.move, self.move)
        self.pick((*menu, self.reduce, self.reduce, self.product, self.pattern, self.index))()


def _fits(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether ``own`` broadcasts to ``shape``."""
    if len(own) > len(shape):
        return False
    tail = shape[len(shape) - len(own) :]
    return all(a in (1, b) for a, b in zip(own, tail, strict=True))


def _joins(a: Node, b: Node, axis: int) -> bool:
    return len(a.shape) == len(b.shape) and all(
        m == n for i, (m, n) in enumerate(zip(a.shape, b.shape, strict=True)) if i != axis
    )


def _state_updates(b: Builder) -> tuple[list[Node], dict[int, int]]:
    """New values for some inputs, written over them; sometimes two states change places."""
    outputs: list[Node] = []
    aliases: dict[int, int] = {}
    states = [i for i, n in enumerate(b.inputs) if n.dtype is b.dtype and n.size]
    chosen = [states[b.integer(0, len(states) - 1)] for _ in range(b.integer(0, 3))]
    for position in dict.fromkeys(chosen):
        old = b.inputs[position]
        fitting = [v for v in b.values if _fits(v.shape, old.shape)]
        same = [v for v in b.values if v.shape == old.shape]
        kind = b.pick(("decay", "replace", "flip", "swap", "transpose"))
        new = e.add(e.mul(old, scalar(old, 0.9)), b.pick(fitting))
        if kind == "replace":
            new = b.pick(same)
        elif kind == "flip" and old.shape:
            new = structure.flip(old, [b.integer(0, len(old.shape) - 1)])
        elif kind == "transpose" and len(old.shape) == 2 and old.shape[0] == old.shape[1]:
            new = e.add(structure.transpose(old, (1, 0)), b.pick(fitting))
        elif kind == "swap":
            other = [
                i for i in states if b.inputs[i].shape == old.shape and i not in aliases.values()
            ]
            new = b.inputs[b.pick(other)] if other else old
        aliases[len(outputs)] = position
        outputs.append(new)
    return outputs, aliases


@st.composite
def graphs(draw: Callable[[st.SearchStrategy[Any]], Any], most_steps: int = 14) -> Case:
    """Graphs of up to ``most_steps`` additions, with gradients and state updates at times."""
    b = Builder(draw, draw(st.sampled_from((float64, float64, float32))))
    b.input(b.shape(0, 4))
    for _ in range(b.integer(1, most_steps)):
        b.step()
    results = [b.values[-b.integer(1, min(len(b.values), 6))] for _ in range(b.integer(1, 4))]
    if b.integer(0, 2) == 0:
        loss = structure.sum(e.tanh(results[0]))
        wanted = [n for n in b.inputs if n.dtype is b.dtype][:4]
        results += gradients([loss], wanted)
    updates, aliases = _state_updates(b)
    return Case(Graph(tuple(b.inputs), (*updates, *results), aliases), b.arrays)
