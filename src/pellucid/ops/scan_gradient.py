"""The reverse derivative of a loop: a loop that runs the other way.

Its carries are the cotangents of the forward carries; its body is the vector-Jacobian product of
the forward body.  It reads the carries that the forward loop went through, and costly values of
its steps that :func:`with_residuals` made outputs of the forward loop; what is cheap is computed
again.  The cotangent of a constant is a sum over all steps: where a step contributes a matrix
product, its factors are put out and one product over all steps is formed behind the loop (a
weight's gradient is never added up step by step).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.base.caches import register_cache
from pellucid.base.dtypes import DType
from pellucid.base.shapes import Shape
from pellucid.graph.node import CONSTANT, INPUT, Node, Spec, make_node, new_input, topological
from pellucid.graph.replay import order_above, replay, substitute
from pellucid.ops import elementwise, structure
from pellucid.ops.contraction import matmul
from pellucid.ops.registry import Value
from pellucid.ops.scan_body import Body, history_rows, make_body, rows
from pellucid.ops.scan_split import split_scan

VectorJacobian = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], list[Node | None]]
"""(outputs, their cotangents, inputs) → cotangents of the inputs."""

SAVED = frozenset(
    "matmul convolution scan take exp expm1 log log1p log2 log10 pow sin cos tan asin acos atan "
    "atan2 sinh cosh tanh asinh acosh atanh sigmoid erf erfc erfinv lgamma digamma sum prod max "
    "min argmax argmin argsort cumsum cumprod".split()
)
"""Operations whose values the forward loop keeps for the reverse one, if that needs them."""
MOST_STACKED = 1 << 22
"""A contribution to a constant's cotangent that no product explains is kept for all steps up to
so many elements, and added up step by step beyond."""


@dataclass(frozen=True)
class ReverseLoop:
    """The reverse loop of a body for given cotangents.

    ``live`` are the carries whose cotangents it carries, after which come ``totals``, sums for
    constants; ``columns`` say what is passed in: ("cotangent", output), ("before", carry),
    ("column", number) or ("result", output).  Each step puts out the cotangents of ``into`` (the
    forward columns), then the values that ``sums`` need: expressions of the cotangents of
    ``onto`` (the forward constants) over ``pieces``, pairs of (source, node).
    """

    body: Body
    live: tuple[int, ...]
    totals: tuple[Spec, ...]
    columns: tuple[tuple[str, int], ...]
    into: tuple[int, ...]
    onto: tuple[int, ...]
    sums: tuple[Node, ...]
    pieces: tuple[tuple[tuple[str, int], Node], ...]


def scan_gradient(
    cotangents: Mapping[int, Value],
    result: Callable[[int], Value],
    inputs: Sequence[Value],
    wanted: Sequence[bool],
    vjp: VectorJacobian,
    *,
    body: Body,
    length: int,
    reverse: bool,
) -> list[Value | None]:
    """Cotangents of a loop's operands from those of its results; see ``Primitive.results``.

    ``result(k)`` is result k of the same loop.  Operands that are not ``wanted`` get None.
    """
    n, like = body.carries, inputs[0]
    loop = _derived(body, length, frozenset(cotangents), tuple(wanted), vjp)
    before, after, _ = history_rows(reverse, length)

    def column(kind: str, number: int) -> Value:
        if kind == "before":
            return rows(result(n + number), before, length)
        if kind == "column":
            return inputs[n + number]
        value = cotangents[number] if kind == "cotangent" else result(number)
        return rows(value, after, length) if number < 2 * n else value

    starts = [
        cotangents[k] if k in cotangents else _zeros(like, *body.inputs[k].spec) for k in loop.live
    ]
    columns = [column(*source) for source in loop.columns]
    constants = list(inputs[n + body.columns :])
    operands = [*starts, *(_zeros(like, *spec) for spec in loop.totals), *columns, *constants]
    carried = len(loop.live) + len(loop.totals)
    numbers = [*range(carried), *range(2 * carried, carried + len(loop.body.outputs))]
    found: list[Value | None] = [None] * len(inputs)
    values = split_scan(loop.body, operands, length, not reverse, numbers) if numbers else []
    emitted = values[carried:]
    for place, k in enumerate(loop.live):
        found[k] = values[place]
    first_row = length if reverse else 0
    for k in range(n):
        if n + k in cotangents:
            row = rows(cotangents[n + k], first_row, 1)
            own = structure.reshape(row, body.inputs[k].shape)
            known = found[k]
            found[k] = own if known is None else elementwise.accumulate(known, own)
    for place, j in enumerate(loop.into):
        found[n + j] = emitted[place]
    sources = {"total": values[len(loop.live) :], "emitted": emitted, "column": columns}
    sources["constant"] = constants
    known_pieces = {node: sources[kind][i] for (kind, i), node in loop.pieces}
    sums = replay(loop.sums, known_pieces, like)
    for i, total in zip(loop.onto, sums, strict=True):
        found[n + body.columns + i] = total
    return [v if w else None for v, w in zip(found, wanted, strict=True)]


def _zeros(like: Value, shape: Shape, dtype: DType) -> Value:
    return structure.broadcast_to(like.lift(np.asarray(0, dtype.numpy)), shape)


# ---- the reverse body --------------------------------------------------------------------------

_known: dict[Any, ReverseLoop] = {}
register_cache("reverse loops", _known.clear)
KNOWN_LIMIT = 256


def _derived(
    body: Body, length: int, given: frozenset[int], wanted: tuple[bool, ...], vjp: VectorJacobian
) -> ReverseLoop:
    """The reverse loop, made once for equal questions."""
    key = (body, length, given, wanted)
    loop = _known.get(key)
    if loop is None:
        loop = _known[key] = _Derivation(body, length, given, wanted, vjp).loop()
        while len(_known) > KNOWN_LIMIT:
            _known.pop(next(iter(_known)), None)
    return loop


class _Derivation:
    """The vector-Jacobian product of a body, and what it reads."""

    def __init__(
        self,
        body: Body,
        length: int,
        given: frozenset[int],
        wanted: tuple[bool, ...],
        vjp: VectorJacobian,
    ) -> None:
        self.body, self.length, self.given, self.wanted = body, length, given, wanted
        n = self.n = body.carries
        self.constants = body.inputs[n + body.columns :]
        self.given_rows = {o: new_input(body.outputs[o - n].spec) for o in sorted(given) if o >= n}
        self._differentiate(vjp)

    def _differentiate(self, vjp: VectorJacobian) -> None:
        """Cotangents of the body's inputs; carries become live until no more do."""
        body, n = self.body, self.n
        live = {k for k in range(n) if k in self.given}
        self.carried: dict[int, Node] = {}
        while True:
            for k in sorted(live - set(self.carried)):
                self.carried[k] = new_input(body.outputs[k].spec)
            outputs, seeds = [], []
            for k in range(len(body.outputs)):
                row = self.given_rows.get(n + k)
                parts = [p for p in (self.carried.get(k), row) if p is not None]
                if parts:
                    outputs.append(body.outputs[k])
                    seeds.append(parts[0] if len(parts) == 1 else elementwise.accumulate(*parts))
            self.found = vjp(outputs, seeds, body.inputs)
            reached = {k for k in range(n) if self.found[k] is not None}
            if reached <= live:
                break
            live |= reached
        self.live = tuple(sorted(live))
        self.carried = {k: self.carried[k] for k in self.live}

    def roots(self) -> tuple[list[Node], list[int], list[int]]:
        """Cotangents of the live carries, of the wanted columns, of the wanted constants."""
        n, columns = self.n, self.body.columns
        roots = []
        for k in self.live:
            spec = self.body.inputs[k].spec
            known = self.found[k]
            roots.append(_zeros(self.body.inputs[k], *spec) if known is None else known)
        chosen = [i for i, g in enumerate(self.found) if g is not None and self.wanted[i]]
        into = [i - n for i in chosen if n <= i < n + columns]
        onto = [i - n - columns for i in chosen if i >= n + columns]
        places = [*(n + j for j in into), *(n + columns + i for i in onto)]
        roots += [g for g in (self.found[p] for p in places) if g is not None]
        return roots, into, onto

    def loop(self) -> ReverseLoop:
        """The reverse loop."""
        body, n = self.body, self.n
        roots, into, onto = self.roots()
        cuts: dict[Node, Node] = {}
        sources: dict[Node, tuple[str, int]] = {}
        for k, node in enumerate(body.outputs):
            if node.op not in (INPUT, CONSTANT) and node not in cuts:
                cuts[node] = new_input(node.spec)
                sources[cuts[node]] = ("result", n + k)
        for o, row in self.given_rows.items():
            sources[row] = ("cotangent", o)
        sources |= {node: ("before", k) for k, node in enumerate(body.inputs[:n])}
        sources |= {x: ("column", j) for j, x in enumerate(body.inputs[n : n + body.columns])}
        roots = substitute(roots, cuts)
        first, last = len(self.live), len(self.live) + len(into)
        sums = _Sums(self.length, set(sources), set(self.carried.values()), roots[first:last])
        totals = [sums.over_time(root) for root in roots[last:]]
        return self._assemble(roots[:first], into, onto, sums, totals, sources)

    def _assemble(
        self,
        carried: list[Node],
        into: list[int],
        onto: list[int],
        sums: _Sums,
        totals: list[Node],
        sources: dict[Node, tuple[str, int]],
    ) -> ReverseLoop:
        added = [elementwise.accumulate(place, value) for place, value in sums.added]
        outputs = [*carried, *added, *sums.emitted]
        used = set(topological(outputs)) | set(sums.stacked)
        columns = [node for node in sources if node in used]
        carries = [*self.carried.values(), *(place for place, _ in sums.added)]
        inputs = [*carries, *columns, *self.constants]
        pieces: list[tuple[tuple[str, int], Node]] = []
        pieces += [(("total", i), node) for i, node in enumerate(sums.total_nodes)]
        pieces += [(("emitted", i), node) for i, node in enumerate(sums.emitted_nodes)]
        pieces += [(("column", columns.index(c)), node) for c, node in sums.stacked.items()]
        pieces += [(("constant", i), node) for i, node in enumerate(self.constants)]
        return ReverseLoop(
            make_body(len(carries), len(columns), inputs, outputs),
            self.live,
            tuple(place.spec for place, _ in sums.added),
            tuple(sources[c] for c in columns),
            tuple(into),
            tuple(onto),
            tuple(totals),
            tuple(pieces),
        )


class _Sums:
    """Sums over all steps, as expressions over values stacked along time.

    ``stacked`` (input of the body → its node outside), ``emitted`` and ``added`` collect what the
    loop must provide: columns, values it puts out, values it adds up.
    """

    def __init__(
        self, length: int, columns: set[Node], carried: set[Node], emitted: Sequence[Node]
    ) -> None:
        self.length = length
        self.inputs = columns
        self.varying = columns | carried
        self.stacked: dict[Node, Node] = {}
        self.emitted = list(emitted)
        self.emitted_nodes = [self._over_all(node) for node in emitted]
        self.added: list[tuple[Node, Node]] = []
        self.total_nodes: list[Node] = []
        self._totals: dict[Node, Node] = {}

    def over_time(self, value: Node) -> Node:
        """Σ over the steps of ``value``."""
        for node in topological([value]):
            if any(i in self.varying for i in node.inputs):
                self.varying.add(node)
        return self._total(value)

    def _total(self, value: Node) -> Node:
        known = self._totals.get(value)
        if known is None:
            known = self._totals[value] = self._rule(value)
        return known

    def _rule(self, value: Node) -> Node:
        name = value.op.name
        if value not in self.varying:
            steps = value.lift(np.asarray(self.length, value.dtype.numpy))
            return _node(elementwise.mul(value, steps))
        changing = [i for i in value.inputs if i in self.varying]
        if name == "matmul" and len(changing) == 2:
            return self._product(*value.inputs)
        if name in ("add", "sub") and value.inputs[0].shape == value.inputs[1].shape:
            return make_node(value.op, [self._total(i) for i in value.inputs], value.settings)
        if name == "sum":
            axes = (0, *(a + 1 for a in value.settings["axes"]))
            source = value.inputs[0]
            if self._is_kept(source):
                return _node(structure.sum(self._stack(source), axes))
        linear = name in ("reshape", "transpose", "broadcast_to", "neg", "slice", "sum")
        scaled = name in ("mul", "matmul") or (
            name in ("div", "pad") and changing[0] is value.inputs[0]
        )
        if linear or (scaled and len(changing) == 1 and value.dtype.kind == "float"):
            if self._leads_to_product(value):
                inside = [self._total(i) if i in self.varying else i for i in value.inputs]
                return make_node(value.op, inside, value.settings)
        if self._is_kept(value):
            return _node(structure.sum(self._stack(value), (0,)))
        return self._added(value)

    def _leads_to_product(self, value: Node) -> bool:
        """Whether it is worth to sum below a linear operation: over a product, or fewer values."""
        source = value
        while len(source.inputs) >= 1 and source.op.name != "matmul":
            changing = [i for i in source.inputs if i in self.varying]
            if len(changing) != 1:
                break
            source = changing[0]
        return source.op.name == "matmul" or value.op.name in ("reshape", "transpose", "neg")

    def _is_kept(self, value: Node) -> bool:
        """Whether all steps' values may stay in memory."""
        there = value in self.inputs or value in self.emitted
        return there or value.size * self.length <= MOST_STACKED

    def _stack(self, value: Node) -> Node:
        """Outer node of all steps' values."""
        if value in self.inputs:
            if value not in self.stacked:
                self.stacked[value] = self._over_all(value)
            return self.stacked[value]
        if value not in self.emitted:
            self.emitted.append(value)
            self.emitted_nodes.append(self._over_all(value))
        return self.emitted_nodes[self.emitted.index(value)]

    def _over_all(self, value: Node) -> Node:
        return new_input(Spec((self.length, *value.shape), value.dtype))

    def _added(self, value: Node) -> Node:
        """Outer node of a sum that the loop forms step by step."""
        self.added.append((new_input(value.spec), value))
        self.total_nodes.append(new_input(value.spec))
        return self.total_nodes[-1]

    def _product(self, a: Node, b: Node) -> Node:
        """Σ A·B as one product with time as part of the sum: (M, T·K) by (T·K, N)."""
        if a.shape[:-2] != b.shape[:-2]:
            shared = matmul(a, b).shape[:-2]
            a = structure.broadcast_to(a, (*shared, *a.shape[-2:]))
            b = structure.broadcast_to(b, (*shared, *b.shape[-2:]))
            self.varying |= {a, b}
        return _node(matmul(self._factor(a, True), self._factor(b, False)))

    def _factor(self, value: Node, is_left: bool) -> Node:
        """A factor with time before the summed axis: (..., M, T·K) or (..., T·K, N).

        It is stacked as (T, ..., K, M or N), so that without batch axes no element moves.
        """
        rank = len(value.shape)
        swapped = (*range(rank - 2), rank - 1, rank - 2)
        if is_left:
            turned = value.op.name == "transpose" and value.settings["axes"] == swapped
            tall = value.inputs[0] if turned else structure.transpose(value, swapped)
            self.varying.add(tall)
        else:
            tall = value
        stacked = self._stack(tall)  # (T, ..., K, N)
        *lead, depth, width = tall.shape
        moved = (
            structure.transpose(stacked, (*range(1, rank - 1), 0, rank - 1, rank))
            if lead
            else stacked
        )
        flat = structure.reshape(moved, (*lead, self.length * depth, width))
        if not is_left:
            return _node(flat)
        return _node(structure.transpose(flat, swapped))


def _node(value: Value) -> Node:
    """Of nodes, operations make nodes."""
    found: Node = value
    return found


# ---- what the forward loop keeps ---------------------------------------------------------------


def with_residuals(body: Body, length: int, vjp: VectorJacobian) -> Body:
    """The body with further outputs: costly values of a step that its derivative reads."""
    key = (body, length)
    found = _extended.get(key)
    if found is None:
        found = _extended[key] = _extend(body, length, vjp)
        while len(_extended) > KNOWN_LIMIT:
            _extended.pop(next(iter(_extended)), None)
    return found


_extended: dict[tuple[Body, int], Body] = {}
register_cache("extended bodies of loops", _extended.clear)


def _extend(body: Body, length: int, vjp: VectorJacobian) -> Body:
    n = body.carries
    real = [node.dtype.is_differentiable for node in body.outputs]
    given = frozenset(
        [k for k in range(n) if real[k]] + [n + k for k, is_real in enumerate(real) if is_real]
    )
    wanted = tuple(node.dtype.is_differentiable for node in body.inputs)
    roots, _, _ = _Derivation(body, length, given, wanted, vjp).roots()
    known = {node for node in body.outputs if node.op not in (INPUT, CONSTANT)}
    candidates = {
        node
        for node in topological(body.outputs)
        if node.op.name in SAVED and node not in known and node.dtype.is_differentiable
    }
    read = order_above(roots, known | candidates)
    hit = {i for node in (*read,) for i in node.inputs if i in candidates}
    hit |= {root for root in roots if root in candidates}
    residuals = [node for node in topological(body.outputs) if node in hit]
    if not residuals:
        return body
    return make_body(n, body.columns, body.inputs, [*body.outputs, *residuals])
