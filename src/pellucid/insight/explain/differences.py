"""Differences from a reference, followed back through every operation (DeepLIFT)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import UnsupportedError
from pellucid.graph.node import Node, make_node, new_input
from pellucid.graph.replay import replay
from pellucid.insight.explain.formulas import attention_formula
from pellucid.insight.explain.rules import (
    Reading,
    Region,
    evaluated,
    extreme_of,
    gradient_of,
    nature_of,
    place_of,
    pulled,
    slope_inside,
)
from pellucid.ops import elementwise, structure
from pellucid.ops.normalization import standardize_formula
from pellucid.ops.registry import scalar, sum_to

Array = npt.NDArray[Any]

NEAR = 1e-6
"""Differences below this are too small to divide by: the slope is taken instead."""


class Multipliers:
    """Rules of DeepLIFT: multipliers m with Σ m Δx = Δscore at every operation.

    ``reference`` gives for each node the same node at the reference.
    """

    def __init__(self, reading: Reading, inputs: Sequence[Node]) -> None:
        if reading.stopped:
            raise UnsupportedError(
                f"DeepLIFT cannot follow {', '.join(sorted(reading.stopped))}: the score depends "
                "on the inputs by positions alone",
                "use a method that asks the model, such as feature_ablation or kernel_shap",
            )
        self.reading = reading
        self.base = [new_input(n.spec, "baseline") for n in inputs]
        self.reference: dict[Node, Node] = dict(zip(inputs, self.base, strict=True))
        replay([reading.score, *reading.starts], self.reference, reading.score)

    def at_reference(self, node: Node) -> Node:
        """The node's value at the reference."""
        return self.reference.get(node, node)

    def difference(self, node: Node) -> Node:
        """Its value less that at the reference."""
        found: Node = elementwise.sub(node, self.at_reference(node))
        return found

    def pull(self, record: Any, m: Node, node: Node) -> Sequence[Any]:
        """Multipliers of an operation's operands from that of its result."""
        if isinstance(record, Region):
            roots = record.inputs
            return [self._rescaled(node, roots[0], m)] if len(roots) == 1 else self._shared(
                node, roots, m
            )  # fmt: skip
        if node.op.name == "detach":  # a constant to gradients, not to the score
            return [m]
        if self.reading.is_linear(node):
            return self._kept(node, pulled(node, m, node))
        if self.reading.chooses(node):
            return self._sorted(node, m)
        nature = nature_of(node.op)
        if nature == "multilinear":
            return self._kept(node, self._averaged(node, m))
        if nature == "quotient":
            return self._quotient(node, m)
        if nature == "largest":
            return [self._largest(node, m)]
        if nature == "standardize":
            return self._opened(node, standardize_formula(node.inputs[0], **node.settings), m)
        if nature == "attention":
            return self._opened(node, attention_formula(node), m)
        if nature in ("whole", "source"):
            return [None] * len(node.inputs)
        return self._kept(node, self._along(node, m))

    def _kept(self, node: Node, parts: Sequence[Any]) -> list[Any]:
        kept = self.reading.depends
        return [p if n in kept else None for n, p in zip(node.inputs, parts, strict=True)]

    def _rescaled(self, node: Node, root: Node, m: Node) -> Node:
        """Δy / Δx; the slope where Δx is hardly anything."""
        change = self.difference(root)
        near = elementwise.lt(elementwise.abs(change), scalar(change, NEAR))
        safe = elementwise.where(near, scalar(change, 1.0), change)
        ratio = elementwise.mul(m, elementwise.div(self.difference(node), safe))
        slope = slope_inside(node, [root], m)[0]
        slope = scalar(change, 0.0) if slope is None else slope
        found: Node = elementwise.where(near, _like(slope, change), _like(ratio, change))
        return found

    def _shared(self, node: Node, roots: Sequence[Node], m: Node) -> list[Any]:
        """A function of a few values: their Shapley values for Δy, divided by their Δ; the larger
        (smaller) of two by the rule for largest elements."""
        extreme = extreme_of(node, roots)
        if extreme:
            return self._larger(node, roots, m, extreme)
        if len(roots) > 4:
            return [elementwise.mul(g, scalar(node, 1.0)) for g in slope_inside(node, roots, m)]
        answers: dict[tuple[bool, ...], Node] = {}
        for here in itertools.product((False, True), repeat=len(roots)):
            known = {r: r if h else self.at_reference(r) for r, h in zip(roots, here, strict=True)}
            answers[here] = evaluated(node, known)
        slopes = slope_inside(node, roots, m)
        found = []
        for place, root in enumerate(roots):
            total: Any = None
            for here, value in answers.items():
                if here[place]:
                    continue
                size, count = sum(here), len(roots)
                weight = math.factorial(size) * math.factorial(count - size - 1)
                with_it = answers[*here[:place], True, *here[place + 1 :]]
                part = elementwise.mul(
                    elementwise.sub(with_it, value), scalar(value, weight / math.factorial(count))
                )
                total = part if total is None else elementwise.add(total, part)
            found.append(self._divided(total, root, m, slopes[place]))
        return found

    def _larger(self, node: Node, roots: Sequence[Node], m: Node, extreme: str) -> list[Any]:
        y0 = self.at_reference(node)
        crossed = (elementwise.minimum if extreme == "min" else elementwise.maximum)(node, y0)
        gain = elementwise.mul(m, elementwise.sub(crossed, y0))
        loss = elementwise.mul(m, elementwise.sub(node, crossed))
        now = slope_inside(node, roots, gain)
        before = slope_inside(y0, [self.at_reference(r) for r in roots], loss)
        one, slopes = scalar(m, 1.0), slope_inside(node, roots, m)
        found = []
        for root, here, there, slope in zip(roots, now, before, slopes, strict=True):
            parts = [p for p in (here, there) if p is not None]
            change = elementwise.add(*parts) if len(parts) == 2 else parts[0]
            found.append(self._divided(change, root, one, slope))
        return found

    def _divided(self, change: Node, root: Node, m: Node, slope: Any) -> Any:
        """m · change / Δroot, summed to the root's shape."""
        from_here = elementwise.sub(root, self.at_reference(root))
        near = elementwise.lt(elementwise.abs(from_here), scalar(from_here, NEAR))
        safe = elementwise.where(near, scalar(from_here, 1.0), from_here)
        total = sum_to(elementwise.mul(m, change), root.shape)
        ratio = elementwise.div(total, safe)
        slope = scalar(root, 0.0) if slope is None else slope
        return elementwise.where(near, _like(slope, root), _like(ratio, root))

    def _averaged(self, node: Node, m: Node) -> list[Any]:
        """A product: each factor by the mean of the other at both ends, exact for two."""
        means = []
        for n in node.inputs:
            if n in self.reading.depends:
                total = elementwise.add(n, self.at_reference(n))
                n = elementwise.mul(total, scalar(n, 0.5))
            means.append(n)
        return list(gradient_of(node, m, node, *means))

    def _quotient(self, node: Node, m: Node) -> list[Any]:
        """a / b as a · (1 / b), of which the second factor is a function of b."""
        a, b = node.inputs
        b0, a0 = self.at_reference(b), self.at_reference(a)
        one = scalar(b, 1.0)
        inverse, inverse0 = elementwise.div(one, b), elementwise.div(one, b0)
        half = scalar(a, 0.5)
        mean_inverse = elementwise.mul(elementwise.add(inverse, inverse0), half)
        mean_a = elementwise.mul(elementwise.add(a, a0), half)
        to_a = elementwise.mul(m, mean_inverse) if a in self.reading.depends else None
        to_b = None
        if b in self.reading.depends:
            slope = elementwise.neg(elementwise.mul(inverse, inverse0))
            to_b = elementwise.mul(elementwise.mul(m, mean_a), slope)
        return [
            None if to_a is None else sum_to(to_a, a.shape),
            None if to_b is None else sum_to(to_b, b.shape),
        ]

    def _largest(self, node: Node, m: Node) -> Node:
        """The largest element: what it gained belongs to the element that is largest now, what the
        old one lost to the element that was (as SHAP and Captum do for pooling)."""
        x = node.inputs[0]
        x0, y0 = self.at_reference(x), self.at_reference(node)
        pick = elementwise.minimum if node.op.name == "min" else elementwise.maximum
        crossed = pick(node, y0)
        gain = elementwise.mul(m, elementwise.sub(crossed, y0))
        loss = elementwise.mul(m, elementwise.sub(node, crossed))
        parts = elementwise.add(
            gradient_of(node, gain, node, x)[0],
            gradient_of(node, loss, y0, x0)[0],
        )
        change = elementwise.sub(x, x0)
        near = elementwise.lt(elementwise.abs(change), scalar(change, NEAR))
        safe = elementwise.where(near, scalar(change, 1.0), change)
        slope = gradient_of(node, m, node, x)[0]
        found: Node = elementwise.where(near, slope, elementwise.div(parts, safe))
        return found

    def _sorted(self, node: Node, m: Node, steps: int = 16) -> list[Any]:
        """Elements in an order of their own: each has the places that it held on the straight way,
        and what differs from the whole along the axis is shared out by the size of the changes."""
        x = self.reading.sorted_by_itself(node)
        if x is None:
            raise UnsupportedError(
                f"DeepLIFT has no rule for {node.op.name!r} where it reads at positions that "
                f"depend on other inputs than what it reads{place_of(node)}",
                "use a method that asks the model, such as feature_ablation or kernel_shap",
            )
        change, m = self.difference(x), _like(m, node)
        total: Any = None
        for step in range(steps):
            way = elementwise.mul(change, scalar(x, (step + 0.5) / steps))
            here = elementwise.add(self.at_reference(x), way)
            moved = evaluated(node, {x: here})
            part = gradient_of(moved, m, moved, *moved.inputs)[0]
            total = part if total is None else elementwise.add(total, part)
        total = elementwise.mul(total, scalar(x, 1 / steps))
        axis = (node.settings["axis"],)
        wanted = structure.sum(elementwise.mul(m, self.difference(node)), axis, keepdims=True)
        found = structure.sum(elementwise.mul(total, change), axis, keepdims=True)
        sizes = structure.sum(elementwise.abs(change), axis, keepdims=True)
        rest = elementwise.div(
            elementwise.sub(wanted, found), elementwise.maximum(sizes, scalar(x, NEAR))
        )
        spread = elementwise.mul(elementwise.sign(change), _like(rest, x))
        return [elementwise.add(total, spread), None]

    def _opened(self, node: Node, formula: Node, m: Node) -> list[Any]:
        """An operation by the rules of the operations that it stands for."""
        roots = tuple(dict.fromkeys(n for n in node.inputs if n in self.reading.depends))
        inner = Multipliers.__new__(Multipliers)
        inner.reading, inner.base = Reading(formula, roots), []
        inner.reference = {n: self.at_reference(n) for n in roots}
        replay([formula], inner.reference, formula)
        found = dict(zip(roots, inner.reading.walk(inner.pull, m), strict=True))
        return [found.get(n) if n in self.reading.depends else None for n in node.inputs]

    def _along(self, node: Node, m: Node, steps: int = 8) -> list[Any]:
        """Any other smooth operation: its slopes, averaged on the straight way."""
        if node.op.gradient is None or node.op.results is not None:
            raise UnsupportedError(
                f"DeepLIFT has no rule for {node.op.name!r}", "use another method"
            )
        points, weights = np.polynomial.legendre.leggauss(steps)
        sums: list[Any] = [None] * len(node.inputs)
        for point, weight in zip((1 + points) / 2, weights / 2, strict=True):
            inputs = []
            for n in node.inputs:
                if n in self.reading.depends and n.dtype.is_differentiable:
                    change = elementwise.mul(self.difference(n), scalar(n, float(point)))
                    n = elementwise.add(self.at_reference(n), change)
                inputs.append(n)
            value = make_node(node.op, inputs, node.settings)
            for place, part in enumerate(pulled(value, m, value)):
                if part is not None:
                    scaled = elementwise.mul(part, scalar(part, float(weight)))
                    known = sums[place]
                    sums[place] = scaled if known is None else elementwise.add(known, scaled)
        return sums


def _like(value: Any, like: Node) -> Any:
    return structure.broadcast_to(value, like.shape)
