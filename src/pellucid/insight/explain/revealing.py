"""DeepLIFT's reveal-cancel rule: what raises a value and what lowers it, followed apart.

Every difference Δ from the reference is a pair, P ≥ 0 ≥ N with P + N = Δ, so that two inputs whose
effects cancel in a hidden unit are seen both.  (Shrikumar, Greenside and Kundaje, 2017, section
3.5.3.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.graph.node import Node, make_node
from pellucid.insight.explain.differences import NEAR, Multipliers
from pellucid.insight.explain.rules import Reading, Region, evaluated, gradient_of, nature_of
from pellucid.ops import elementwise, structure
from pellucid.ops.registry import scalar
from pellucid.transforms.differentiate import ordered_history

Pair = tuple[Any, Any]


class RevealCancel:
    """Multipliers of both parts of every difference.

    Activations have the rule of the paper, linear operations hand each part on by the sign of
    their weights; anything else has the rule that it has without it, for the whole difference.
    """

    def __init__(self, reading: Reading, inputs: Sequence[Node]) -> None:
        self.reading, self.whole = reading, Multipliers(reading, inputs)
        self.base = self.whole.base
        self._parts: dict[Node, Pair] = {}
        self._order: list[Node] = [
            n for n in ordered_history([reading.score], reading.record_of, id)
            if n in reading.depends
        ]  # fmt: skip

    def at_reference(self, node: Node) -> Node:
        """The node's value at the reference."""
        return self.whole.at_reference(node)

    def arrive(self, one: Node) -> list[Any]:
        """For each start the multiplier of its difference; None where nothing arrives."""
        for node in self._order:
            self._parts[node] = self._parts_of(node)
        found: dict[Node, Pair] = {self.reading.score: (one, one)}
        for node in reversed(self._order):
            record = self.reading.record_of(node)
            if record is None or node not in found:
                continue
            operands = list(record.inputs)
            for operand, pair in zip(operands, self._pull(record, node, found[node]), strict=True):
                if pair is not None and operand in self.reading.depends:
                    known = found.get(operand)
                    found[operand] = pair if known is None else _both(elementwise.add, known, pair)
        return [self._joined(n, found[n]) if n in found else None for n in self.reading.starts]

    def _joined(self, node: Node, pair: Pair) -> Any:
        """The multiplier of a difference of which one part is all."""
        rises = elementwise.gt(self.whole.difference(node), scalar(node, 0.0))
        return elementwise.where(rises, _like(pair[0], node), _like(pair[1], node))

    # ---- forwards ------------------------------------------------------------------------------

    def _parts_of(self, node: Node) -> Pair:
        record = self.reading.record_of(node)
        if isinstance(record, Region) and len(record.inputs) == 1:
            return self._revealed(node, record.inputs[0])
        if record is node and self.reading.is_linear(node):
            return self._carried(node)
        change = self.whole.difference(node)
        return _split(change)

    def _revealed(self, node: Node, root: Node) -> Pair:
        """Each part's mean effect, with the other part there and not."""
        start, (plus, minus) = self.at_reference(root), self._parts[root]

        def f(*added: Any) -> Node:
            value = start
            for part in added:
                value = elementwise.add(value, part)
            return evaluated(node, {root: value})

        none, high, low, all_ = f(), f(plus), f(minus), f(plus, minus)
        half = scalar(node, 0.5)

        def mean(a: Node, b: Node, c: Node, d: Node) -> Any:
            total = elementwise.add(elementwise.sub(a, b), elementwise.sub(c, d))
            return elementwise.mul(total, half)

        return mean(high, none, all_, low), mean(low, none, all_, high)

    def _carried(self, node: Node) -> Pair:
        """Both parts through a linear operation, by the sign of its weights where it has any."""
        if node.op.name == "detach":
            return self._parts[node.inputs[0]]
        weights = self._weights(node)
        if weights is not None:
            place = 1 - weights
            data = self._parts[node.inputs[place]]
            more, less = _split(self._factor(node, weights))
            plus = elementwise.add(
                self._with(node, place, data[0], more), self._with(node, place, data[1], less)
            )
            minus = elementwise.add(
                self._with(node, place, data[1], more), self._with(node, place, data[0], less)
            )
            return plus, minus
        return self._plain(node, 0), self._plain(node, 1)

    def _plain(self, node: Node, part: int) -> Any:
        """A linear operation without weights, of one part of each operand; a bias is left out."""
        inputs = []
        for place, n in enumerate(node.inputs):
            if n in self.reading.depends and n.dtype.is_differentiable:
                inputs.append(_like(self._parts[n][part ^ _turns(node, place)], n))
            elif n.dtype.is_differentiable and node.op.name != "where":
                inputs.append(structure.broadcast_to(scalar(n, 0.0), n.shape))
            elif n.dtype.is_differentiable:
                inputs.append(elementwise.mul(n, scalar(n, 0.0)))
            else:
                inputs.append(n)
        return make_node(node.op, inputs, node.settings)

    def _weights(self, node: Node) -> int | None:
        """The place of the operand that a linear operation multiplies by."""
        if nature_of(node.op) not in ("multilinear", "quotient"):
            return None
        return 1 if node.inputs[0] in self.reading.depends else 0

    def _factor(self, node: Node, place: int) -> Node:
        weights = node.inputs[place]
        if nature_of(node.op) == "quotient":
            return elementwise.div(scalar(weights, 1.0), weights)  # type: ignore[no-any-return]
        return weights

    def _with(self, node: Node, place: int, data: Any, weights: Any) -> Any:
        if nature_of(node.op) == "quotient":
            return elementwise.mul(data, weights)
        inputs = [data, weights] if place == 0 else [weights, data]
        return make_node(node.op, inputs, node.settings)

    # ---- backwards -----------------------------------------------------------------------------

    def _pull(self, record: Any, node: Node, pair: Pair) -> list[Pair | None]:
        if isinstance(record, Region) and len(record.inputs) == 1:
            own, above = self._parts[node], self._parts[record.inputs[0]]
            ratios = [_ratio(m, y, r) for m, y, r in zip(pair, own, above, strict=True)]
            return [(ratios[0], ratios[1])]
        if record is node and node.op.name == "detach":
            return [pair]
        if record is node and self.reading.is_linear(node):
            return self._linear(node, pair)
        single = self._joined(node, pair)
        return [None if m is None else (m, m) for m in self.whole.pull(record, single, node)]

    def _linear(self, node: Node, pair: Pair) -> list[Pair | None]:
        weights = self._weights(node)
        found: list[Pair | None] = [None] * len(node.inputs)
        if weights is None:
            parts = [gradient_of(node, m, node, *node.inputs) for m in pair]
            for place, n in enumerate(node.inputs):
                if n in self.reading.depends and parts[0][place] is not None:
                    turned = _turns(node, place)
                    found[place] = (parts[turned][place], parts[1 - turned][place])
            return found
        place = 1 - weights
        more, less = _split(self._factor(node, weights))
        through = [[self._back(node, place, m, w) for w in (more, less)] for m in pair]
        found[place] = (
            elementwise.add(through[0][0], through[1][1]),
            elementwise.add(through[1][0], through[0][1]),
        )
        return found

    def _back(self, node: Node, place: int, m: Any, weights: Any) -> Any:
        data = node.inputs[place]
        if nature_of(node.op) == "quotient":
            product = elementwise.mul(data, weights)
            return gradient_of(product, m, product, data, weights)[0]
        inputs = [data, weights] if place == 0 else [weights, data]
        return gradient_of(node, m, node, *inputs)[place]


def _turns(node: Node, place: int) -> int:
    """1 where an operation turns the sign of an operand, so that its parts change places."""
    return int(node.op.name == "neg" or (node.op.name == "sub" and place == 1))


def _split(x: Node) -> Pair:
    zero = scalar(x, 0.0)
    return elementwise.maximum(x, zero), elementwise.minimum(x, zero)


def _ratio(m: Any, change: Any, above: Any) -> Any:
    """m · change / above, 0 where there is nothing above."""
    near = elementwise.lt(elementwise.abs(above), scalar(above, NEAR * 1e-3))
    safe = elementwise.where(near, scalar(above, 1.0), above)
    ratio = elementwise.div(elementwise.mul(m, change), safe)
    return elementwise.where(near, scalar(ratio, 0.0), ratio)


def _both(function: Any, a: Pair, b: Pair) -> Pair:
    return function(a[0], b[0]), function(a[1], b[1])


def _like(value: Any, like: Node) -> Any:
    return structure.broadcast_to(value, like.shape)
