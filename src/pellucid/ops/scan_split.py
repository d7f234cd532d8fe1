"""What a loop need not do step by step, taken out of its body.

before: each step multiplies its input by a weight; after: one product for all steps ahead of the
loop.  Three kinds of work leave: what depends on constants only (the transpose of a weight),
products of inputs with constants and what is added to them, and products that no carry waits for
(the output projection), which run on all steps' values at once behind the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pellucid.base.errors import GraphError
from pellucid.graph.node import INPUT, Node, Spec, make_node, new_input, topological
from pellucid.graph.replay import replay, substitute
from pellucid.ops import structure
from pellucid.ops.contraction import matmul
from pellucid.ops.registry import Value
from pellucid.ops.scan_body import Body, make_body, scan

HEAVY = frozenset(("matmul", "take"))
"""Operations worth doing for all steps at once."""
REDUCTIONS = frozenset(("sum", "prod", "max", "min"))
MOST_GROWTH = 8
"""A product of inputs leaves the loop unless it is so many times larger than they are."""


@dataclass(frozen=True)
class Split:
    """A loop in three parts.

    ``operands`` compute the inner loop's operands (its columns and constants, after the carries)
    from ``inputs``, the outer ones; ``results`` compute the outer outputs of each step from
    ``inputs`` and ``inner``, pairs of (number of an inner result, node that stands for it).
    """

    body: Body
    inputs: tuple[Node, ...]
    operands: tuple[Node, ...]
    inner: tuple[tuple[int, Node], ...]
    results: tuple[Node, ...]


def split_scan(
    body: Body,
    operands: Sequence[Value],
    length: int,
    reverse: bool,
    outputs: Sequence[int],
    extend: Callable[[Body], Body] | None = None,
) -> list[Value]:
    """Results of a loop, as :func:`pellucid.ops.scan_body.scan`, with all work that can leave it
    outside.  ``extend`` may add outputs to the body of what is left."""
    parts = split(body, length)
    n = body.carries
    carries, like = list(operands[:n]), operands[0]
    known = dict(zip(parts.inputs, operands[n:], strict=True))
    inside = replay(parts.operands, known, like)
    wanted = [parts.results[k - 2 * n] for k in outputs if k >= 2 * n]
    needed = set(topological(wanted))
    asked = [(k, node) for k, node in parts.inner if node in needed]
    numbers = [*(k for k in outputs if k < 2 * n), *(k for k, _ in asked)]
    loop = extend(parts.body) if extend else parts.body
    found = scan(loop, [*carries, *inside], length, reverse, numbers) if numbers else []
    first = len(numbers) - len(asked)
    known.update(zip((node for _, node in asked), found[first:], strict=True))
    stacked = iter(replay(wanted, known, like))
    direct = iter(found)
    return [next(stacked) if k >= 2 * n else next(direct) for k in outputs]


@lru_cache(maxsize=256)
def split(body: Body, length: int) -> Split:
    """How a loop of so many steps is taken apart."""
    return _Splitter(body, length).run()


class _Splitter:
    def __init__(self, body: Body, length: int) -> None:
        self.body, self.length = body, length
        n = body.carries
        self.columns = body.inputs[n : n + body.columns]
        self.constants = body.inputs[n + body.columns :]
        self.stacked = {x: new_input(Spec((length, *x.shape), x.dtype)) for x in self.columns}
        nodes = topological(body.outputs)
        carried, varying = set(body.inputs[:n]), set(self.columns)
        fixed = set(self.constants)
        for node in nodes:
            if any(i in carried for i in node.inputs) or node.op.family == "random":
                carried.add(node)
            elif any(i in varying for i in node.inputs):
                varying.add(node)
            elif any(i in fixed for i in node.inputs):
                fixed.add(node)
        self.varying, self.fixed = varying, fixed
        self.nodes = nodes
        self.before: dict[Node, Node] = {}
        """Node of the body → its values at all steps, computed ahead of the loop."""

    def run(self) -> Split:
        for node in self.nodes:
            if node in self.varying and node.op is not INPUT and self._is_worth_it(node):
                batched = self._batch(node, self._early)
                if batched is not None:
                    self.before[node] = batched
        body, results, inner_of = self._sink()
        return self._finish(body, results, inner_of)

    # ---- ahead of the loop ---------------------------------------------------------------------

    def _is_worth_it(self, node: Node) -> bool:
        """A heavy operation, or element-wise work on the result of one that makes it no larger."""
        if node.op.name in HEAVY:
            # An outer product of inputs would be larger than they are, and stored for all steps.
            grown = max(i.size for i in node.inputs if i in self.varying)
            return node.op.name == "take" or node.size <= MOST_GROWTH * grown
        if node.op.family != "elementwise":
            return False
        return any(i in self.before and i.size == node.size for i in node.inputs)

    def _early(self, node: Node) -> tuple[Node, bool] | None:
        """(value outside, whether it is stacked) of a node that depends on no carry."""
        if node in self.before:
            return self.before[node], True
        if node in self.stacked:
            return self.stacked[node], True
        if node in self.fixed or self._is_number(node):
            return node, False
        if node not in self.varying:
            return None
        batched = self._batch(node, self._early)
        return None if batched is None else (batched, True)

    def _is_number(self, node: Node) -> bool:
        return all(n.op is not INPUT for n in topological([node]))

    def _batch(
        self, node: Node, outside: Callable[[Node], tuple[Node, bool] | None]
    ) -> Node | None:
        """The operation for all steps at once, or None where there is no rule for that."""
        found = [outside(i) for i in node.inputs]
        operands = [f for f in found if f is not None]
        if len(operands) < len(found):
            return None
        return batch(node, operands, self.length)

    # ---- behind the loop -----------------------------------------------------------------------

    def _sink(self) -> tuple[list[Node], list[Node], dict[Node, Node]]:
        """(what each step puts out, outer outputs, value of a step → node for all its values)."""
        n = self.body.carries
        inside = set(topological(self.body.outputs[:n]))
        emitted: dict[Node, Node] = {}

        def emit(node: Node) -> Node:
            if node not in emitted:
                emitted[node] = new_input(Spec((self.length, *node.shape), node.dtype))
            return emitted[node]

        def late(node: Node) -> tuple[Node, bool] | None:
            early = self._early(node)
            if early is not None:
                return early
            stays = node in inside or not node.inputs
            batched = None if stays else self._batch(node, late)
            return emit(node) if batched is None else batched, True

        results = []
        for node in self.body.outputs[n:]:
            if node in self.before or node in self.stacked:
                results.append(self.before.get(node) or self.stacked[node])
            elif node not in inside and self._has_late_product(node, inside):
                results.append(self._stretched(late(node)))
            else:
                results.append(emit(node))
        return list(emitted), results, emitted

    def _stretched(self, found: tuple[Node, bool] | None) -> Node:
        """The values of all steps; what is the same in each is repeated."""
        if found is None:
            raise GraphError("an output of a body has no rule for all steps", "emit it instead")
        value, stacked = found
        return value if stacked else _repeated(value, self.length)

    def _has_late_product(self, node: Node, inside: set[Node]) -> bool:
        """Whether a product with a constant stands between the carries and an output."""
        stack, seen = [node], set()
        while stack:
            current = stack.pop()
            if current in seen or current in inside or current in self.before:
                continue
            seen.add(current)
            constant = [i for i in current.inputs if i in self.fixed]
            if current.op.name == "matmul" and constant:
                return True
            stack.extend(current.inputs)
        return False

    # ---- what is left --------------------------------------------------------------------------

    def _finish(self, emitted: list[Node], results: list[Node], stands: dict[Node, Node]) -> Split:
        body, n = self.body, self.body.carries
        outputs = [*body.outputs[:n], *emitted]
        known: dict[Node, Node] = {}
        columns: list[tuple[Node, Node]] = []
        for node, stacked in self.before.items():
            known[node] = new_input(node.spec)
            columns.append((known[node], stacked))
        columns += [(x, self.stacked[x]) for x in self.columns]
        constants = self._fixed_values(outputs, known)
        inside = substitute(outputs, known)
        used = set(topological(inside))
        columns = [c for c in columns if c[0] in used]
        constants = [c for c in constants if c[0] in used]
        inputs = [*body.inputs[:n], *(c for c, _ in columns), *(c for c, _ in constants)]
        inner = make_body(n, len(columns), inputs, inside)
        outer = (*(self.stacked[x] for x in self.columns), *self.constants)
        operands = tuple(value for _, value in (*columns, *constants))
        numbers = tuple((2 * n + j, stands[node]) for j, node in enumerate(emitted))
        return Split(inner, outer, operands, numbers, tuple(results))

    def _fixed_values(
        self, outputs: list[Node], known: dict[Node, Node]
    ) -> list[tuple[Node, Node]]:
        """(new constant, how it is computed) of what depends on constants only; fills ``known``."""
        result = [(c, c) for c in self.constants]

        def keep(node: Node) -> None:
            # A broadcast is read where it is needed; stored, it would only be larger.
            while node.op.name == "broadcast_to":
                node = node.inputs[0]
            if node.op is not INPUT and node in self.fixed and node not in known:
                known[node] = new_input(node.spec)
                result.append((known[node], node))

        stack, seen = list(outputs), set()
        while stack:
            node = stack.pop()
            if node in seen or node in known:
                continue
            seen.add(node)
            if node in self.fixed:
                keep(node)
            else:
                stack.extend(node.inputs)
        return result


# ---- one operation for all steps ---------------------------------------------------------------


def batch(node: Node, operands: Sequence[tuple[Node, bool]], length: int) -> Node | None:
    """``node`` applied to all steps: operands are (value, whether it has time as first axis).

    None where there is no rule.  The result has time as its first axis.
    """
    name, settings = node.op.name, node.settings
    if node.op.family == "elementwise":
        aligned = [_aligned(v, len(node.shape)) if s else v for v, s in operands]
        return make_node(node.op, aligned, settings)
    if name == "matmul":
        return _batched_product(node, operands)
    if name == "concatenate":
        parts = [v if s else _repeated(v, length) for v, s in operands]
        return make_node(node.op, parts, {"axis": settings["axis"] + 1})
    (value, stacked), *others = operands
    if name == "take":
        if stacked or settings["axis"] != 0:
            return None
        return make_node(node.op, [value, others[0][0]], settings)
    if not stacked or any(s for _, s in others):
        return None
    found: Node | None = None
    if name == "reshape":
        found = structure.reshape(value, (length, *node.shape))
    elif name == "transpose":
        found = structure.transpose(value, (0, *(a + 1 for a in settings["axes"])))
    elif name == "broadcast_to":
        found = structure.broadcast_to(_aligned(value, len(node.shape)), (length, *node.shape))
    elif name in REDUCTIONS:
        found = make_node(node.op, [value], {"axes": tuple(a + 1 for a in settings["axes"])})
    elif name == "slice":
        found = structure.slice_(
            value, (0, *settings["start"]), (length, *settings["stop"]), (1, *settings["step"])
        )
    elif name == "pad":
        changed = {k: (0, *settings[k]) for k in ("low", "high", "interior")}
        found = make_node(node.op, [value, others[0][0]], changed)
    return found


def _aligned(value: Node, rank: int) -> Node:
    """A stacked value of steps of lower rank with axes of 1 between time and the rest."""
    time, *rest = value.shape
    same: Node = structure.reshape(value, (time, *(1,) * (rank - len(rest)), *rest))
    return same


def _repeated(value: Node, length: int) -> Node:
    same: Node = structure.broadcast_to(value, (length, *value.shape))
    return same


def _batched_product(node: Node, operands: Sequence[tuple[Node, bool]]) -> Node:
    (a, a_stacked), (b, b_stacked) = operands
    if a_stacked and not b_stacked and len(b.shape) == 2:
        flat = structure.reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))  # (T·…·M, K)
        product: Node = structure.reshape(matmul(flat, b), (a.shape[0], *node.shape))
        return product
    rank = len(node.shape)
    left = _aligned(a, rank) if a_stacked else a
    right = _aligned(b, rank) if b_stacked else b
    whole: Node = matmul(left, right)
    return whole
