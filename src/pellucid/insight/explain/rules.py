"""What each operation is to an explanation, and how a graph is read by rules instead of slopes.

Every primitive has an entry in :data:`NATURES`; a test fails when one lacks it.  Rules walk
backwards over a graph as gradients do, with another answer at each operation.  They see a function
of one value, element by element (an activation, however it is put together), as one *region*.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError, UnsupportedError
from pellucid.graph.evaluate import Interpreter
from pellucid.graph.node import Node, Primitive, Spec, make_node, new_input, topological
from pellucid.graph.replay import substitute
from pellucid.ops import structure
from pellucid.transforms.differentiate import Record, apply_rule, reverse

NATURES: dict[str, str] = {
    # linear in whatever real operands depend on the inputs
    **dict.fromkeys(
        "add sub neg copy conj detach after reshape transpose broadcast_to slice pad concatenate "
        "view_as_real view_as_complex sum cumsum take put gather scatter fft rfft irfft".split(),
        "linear",
    ),
    # linear in each operand
    **dict.fromkeys("mul matmul convolution".split(), "multilinear"),
    "div": "quotient",
    "cast": "linear",  # of numbers that are real before and after; else a step, see Reading
    "where": "choice",
    # functions of each element, or of a few side by side
    **dict.fromkeys(
        "abs sign sqrt exp expm1 log log1p log2 log10 sin cos tan asin acos atan sinh cosh tanh "
        "asinh acosh atanh sigmoid erf erfc erfinv lgamma digamma floor ceil trunc round pow atan2 "
        "fmod remainder floor_divide".split(),
        "elementwise",
    ),
    **dict.fromkeys("maximum minimum".split(), "choice"),
    # one of several elements
    **dict.fromkeys("max min window_max".split(), "largest"),
    "standardize": "standardize",
    "attention": "attention",
    # other smooth functions of many elements
    **dict.fromkeys(
        "prod cumprod logcumsumexp attention_log_sum attention_gradient".split(), "smooth"
    ),  # fmt: skip
    # whole numbers and truth values: what they decide is seen where they are used
    **dict.fromkeys(
        "eq ne lt le gt ge bitwise_and bitwise_or bitwise_xor bitwise_not argmax argmin argsort "
        "true_positions gcd lcm".split(),
        "whole",
    ),
    # no operands that could depend on an input
    **dict.fromkeys("random_uniform iota input constant".split(), "source"),
    "scan": "loop",  # read step by step
    # decompositions and what has no derivative: refused, never passed over
    **dict.fromkeys(
        "svd eigh eig qr qr_reflectors solve_triangular lu pivot_rows ldl ldl_solve in_pairs pinv "
        "frexp nextafter incomplete_gamma orthogonal_polynomial".split(),
        "refused",
    ),
}
"""Primitive → its nature; see the comments."""


_ORDERS = frozenset(("argmax", "argmin", "argsort"))
"""Operations that give positions of elements."""


@dataclass(frozen=True, eq=False)
class Region:
    """A function, element by element, of one value or of a few, seen as one operation.

    It is a record for the walk backwards: ``inputs`` are the values it is a function of.
    """

    node: Node
    inputs: tuple[Node, ...]

    @property
    def op(self) -> Primitive:
        """The last operation of the function."""
        return self.node.op

    @property
    def settings(self) -> Mapping[str, Any]:
        """The last operation's parameters."""
        return self.node.settings

    @property
    def group(self) -> Hashable:
        """None: it has one result."""
        return None

    @property
    def layer(self) -> str:
        """The layer that made it."""
        return self.node.origin.layer

    def result(self, number: int) -> Node:
        """Itself."""
        return self.node


@dataclass
class Reading:
    """A graph as rules see it: what depends on the inputs, and which operations are one.

    ``score`` is the node the walk begins at, ``starts`` where it ends.
    """

    score: Node
    starts: tuple[Node, ...]
    softmax_is_one: bool = False
    """Whether softmax and its logarithm count as functions of their argument."""
    depends: set[Node] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    """Names of operations behind which nothing real depends on the inputs, though they do."""
    _chains: dict[Node, list[Node]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.depends = set(self.starts)
        for node in topological([self.score]):
            if node in self.depends or not any(n in self.depends for n in node.inputs):
                continue
            self.depends.add(node)
            nature = nature_of(node.op)
            if nature in ("refused", "loop"):
                raise UnsupportedError(
                    f"no rule is known for the operation {node.op.name!r}{place_of(node)}",
                    "use a method by gradients, such as integrated_gradients",
                )
        self.stopped = {n.op.name for n in self.depends if n.op.name in _ORDERS} and self._lost()

    def _lost(self) -> set[str]:
        """Operations that give positions, but for those that a value is ordered by its own."""
        nodes = [n for n in topological([self.score]) if n in self.depends]
        sorting: set[Node] = set()
        for node in nodes:
            root = self.sorted_by_itself(node)
            if root is not None:
                sorting |= above_until(node.inputs[1], [root]) - {root}
        readers: dict[Node, list[Node]] = {}
        for node in nodes:
            for n in node.inputs:
                readers.setdefault(n, []).append(node)
        return {
            n.op.name
            for n in nodes
            if n.op.name in _ORDERS
            and not (
                n in sorting and all(r in sorting or self.chooses(r) for r in readers.get(n, ()))
            )
        }

    def chooses(self, node: Node) -> bool:
        """Whether an operation reads elements at positions that depend on the inputs."""
        return nature_of(node.op) == "linear" and any(
            n in self.depends and not n.dtype.is_differentiable for n in node.inputs[1:]
        )

    def sorted_by_itself(self, node: Node) -> Node | None:
        """The value whose elements an operation puts in an order that depends on this value alone
        (sort, top-k, median); None for any other operation."""
        if node.op.name != "gather" or not self.chooses(node):
            return None
        value, index = node.inputs
        stack, known = [index], set()
        while stack:
            above = stack.pop()
            if above is value or above not in self.depends or above in known:
                continue
            if above in self.starts:
                return None
            known.add(above)
            stack.extend(above.inputs)
        same = all(
            a == b
            for k, (a, b) in enumerate(zip(value.shape, index.shape, strict=True))
            if k != node.settings["axis"]
        )
        return value if same and value in self.depends else None

    def data(self, node: Node) -> list[Node]:
        """The real operands of an operation that depend on the inputs."""
        return [n for n in node.inputs if n in self.depends and n.dtype.is_differentiable]

    def record_of(self, node: Node) -> Record | None:
        """How the walk goes on from a node: not at all, through an operation, or a region."""
        if node in self.starts or node not in self.depends or not node.inputs:
            return None
        if self.softmax_is_one:
            argument = softmax_argument(node)
            if argument is not None and argument in self.depends:
                return Region(node, (argument,))
        roots = self.roots(node)
        return node if roots is None else Region(node, roots)

    def roots(self, node: Node) -> tuple[Node, ...] | None:
        """What an element-wise function that is not linear is a function of; None for others."""
        if node.op.family != "elementwise" or self.is_linear(node):
            return None
        found = _unique(self._real_roots(node))
        if len(found) <= 1:
            return tuple(found) or None
        common = self._common([self.chain(n) for n in found])
        if common:
            real = [n for n in common if n.dtype.is_differentiable]
            if real:
                return (real[0],)
        if nature_of(node.op) in ("multilinear", "quotient"):
            return None
        return tuple(found)

    def _real_roots(self, node: Node) -> list[Node]:
        """The nearest real values above a node: those that truth values were made of as well."""
        found = []
        for n in node.inputs:
            if n not in self.depends:
                continue
            if n.dtype.is_differentiable:
                found.append(n)
            elif n.op.family == "elementwise" and n not in self.starts:
                found += self._real_roots(n)
        return found

    def chain(self, node: Node) -> list[Node]:
        """Nodes of which ``node`` is a function element by element, itself first."""
        known = self._chains.get(node)
        if known is not None:
            return known
        found = [node]
        if node.op.family == "elementwise" and node not in self.starts:
            above = [n for n in node.inputs if n in self.depends]
            if above and all(n.shape == node.shape for n in above):
                found += self._common([self.chain(n) for n in _unique(above)])
        self._chains[node] = found
        return found

    def _common(self, chains: Sequence[Sequence[Node]]) -> list[Node]:
        """The part of the first chain from the first node on that all have."""
        others = [set(chain) for chain in chains[1:]]
        for place, node in enumerate(chains[0]):
            if all(node in chain for chain in others):
                return list(chains[0][place:])
        return []

    def is_linear(self, node: Node) -> bool:
        """Whether an operation is linear in the operands that depend on the inputs."""
        nature, data = nature_of(node.op), self.data(node)
        if nature == "linear":
            return len(data) > 0 and not self.chooses(node)
        if nature == "multilinear":
            return len([n for n in node.inputs if n in self.depends]) == 1
        if nature == "quotient":
            return node.inputs[1] not in self.depends and len(data) == 1
        if node.op.name == "where":
            return node.inputs[0] not in self.depends
        return False

    def walk(self, pull: Callable[[Any, Any, Any], Sequence[Any]], cotangent: Node) -> list[Any]:
        """What arrives at each of ``starts`` when ``pull`` answers for every operation."""
        found = reverse(
            [self.score],
            [cotangent],
            self.record_of,
            needs=lambda node: node in self.depends,
            pull=pull,
        )
        return [found[id(n)][1] if id(n) in found else None for n in self.starts]


def nature_of(op: Primitive) -> str:
    """An operation's nature; refused where it has none."""
    return NATURES.get(op.name, "refused")


def pulled(record: Any, cotangent: Node, node: Node) -> list[Any]:
    """The operation's own gradient rule; of a region that of what is inside."""
    if isinstance(record, Region):
        return slope_inside(node, record.inputs, cotangent)
    return list(apply_rule(record, cotangent, node))


def gradient_of(node: Node, cotangent: Node, value: Node, *inputs: Node) -> list[Any]:
    """The gradient rule of a node's operation, at other values."""
    if node.op.gradient is None:
        return [None] * len(inputs)
    return list(node.op.gradient(cotangent, value, *inputs, **node.settings))


def slope_inside(node: Node, roots: Sequence[Node], cotangent: Node) -> list[Any]:
    """Gradients of a node to nodes above it, as if nothing else led there."""
    inside = above_until(node, roots)

    def record_of(value: Node) -> Any:
        return value if value in inside and value not in roots and value.inputs else None

    found = reverse([node], [cotangent], record_of, needs=lambda n: n in inside or n in roots)
    return [found[id(n)][1] if id(n) in found else None for n in roots]


def above_until(node: Node, roots: Sequence[Node]) -> set[Node]:
    """The nodes between a node and its roots, it and they included."""
    ends, found, stack = set(roots), set(roots), [node]
    while stack:
        value = stack.pop()
        if value not in found:
            found.add(value)
            stack.extend(n for n in value.inputs if n not in ends)
    return found


def evaluated(node: Node, known: Mapping[Node, Node]) -> Node:
    """A node with others in place of some above it."""
    found: Node = substitute([node], dict(known))[0]
    return found


def _unique(nodes: Iterable[Node]) -> list[Node]:
    return list(dict.fromkeys(nodes))


def place_of(node: Node) -> str:
    """Where an operation was written, for a message."""
    return f" at {node.origin.text}" if node.origin.text else ""


# ---- what a region is ----------------------------------------------------------------------------


def is_relu(node: Node, roots: Sequence[Node]) -> bool:
    """Whether a function of one value is max(x, 0), however it is written: it is tried out."""
    points = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    found = _tried(node, roots, [points]) if len(roots) == 1 else None
    return found is not None and np.array_equal(found, np.maximum(points, 0))


def extreme_of(node: Node, roots: Sequence[Node]) -> str:
    """``"max"`` or ``"min"`` where a function of two values is the larger or the smaller one,
    however it is written; else nothing."""
    a, b = np.array([-3.0, 1.5, 0.5, 2.0]), np.array([1.0, -2.0, 0.75, 2.0])
    found = _tried(node, roots, [a, b]) if len(roots) == 2 else None
    if found is None:
        return ""
    if np.array_equal(found, np.maximum(a, b)):
        return "max"
    return "min" if np.array_equal(found, np.minimum(a, b)) else ""


def _tried(node: Node, roots: Sequence[Node], points: Sequence[np.ndarray]) -> np.ndarray | None:
    """A function's values at points; None where it has weights of its own."""
    kinds = [n.dtype for n in roots]
    stand_ins = [new_input(Spec(p.shape, k)) for p, k in zip(points, kinds, strict=True)]
    given = [p.astype(k.numpy) for p, k in zip(points, kinds, strict=True)]
    try:
        tried = evaluated(node, dict(zip(roots, stand_ins, strict=True)))
        return Interpreter(tuple(stand_ins), (tried,)).run(given)[0]
    except (PellucidError, KeyError):
        return None


# ---- softmax -----------------------------------------------------------------------------------


def softmax_argument(node: Node) -> Node | None:
    """x where a node is softmax(x) or log_softmax(x) along an axis, as they are composed; else
    None."""
    if node.op.name == "div":
        top = node.inputs[0]
        if top.op.name == "exp" and _is_sum_of(node.inputs[1], top):
            return _unshifted(top.inputs[0])
    if node.op.name == "sub" and node.inputs[1].op.name == "log":
        inner = _through_moves(node.inputs[1].inputs[0])
        if inner.op.name == "sum" and inner.inputs[0].op.name == "exp":
            if inner.inputs[0].inputs[0] is node.inputs[0]:
                return _unshifted(node.inputs[0])
    return None


def is_softmax(node: Node) -> bool:
    """Whether a node holds weights from softmax, perhaps moved about."""
    source = _through_moves(node)
    return source.op.name == "div" and softmax_argument(source) is not None


def _is_sum_of(node: Node, parts: Node) -> bool:
    inner = _through_moves(node)
    return inner.op.name == "sum" and inner.inputs[0] is parts


def _unshifted(node: Node) -> Node:
    """x of x − max(x)."""
    if node.op.name == "sub":
        inner = node.inputs[1]
        while inner.op.name in ("reshape", "broadcast_to", "detach", "where", "copy"):
            inner = inner.inputs[-1] if inner.op.name == "where" else inner.inputs[0]
        if inner.op.name == "max":
            return node.inputs[0]
    return node


MOVES = ("reshape", "broadcast_to", "transpose", "copy", "slice")


def _through_moves(node: Node) -> Node:
    while node.op.name in MOVES:
        node = node.inputs[0]
    return node


# ---- loops -------------------------------------------------------------------------------------


def unrolled(outputs: Sequence[Node]) -> list[Node]:
    """The same nodes with every loop over time written out step by step."""
    known: dict[Node, Node] = {}
    steps: dict[Hashable, dict[int, Node]] = {}
    for node in topological(outputs):
        operands = [known[n] for n in node.inputs]
        if node.op.name != "scan":
            same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
            known[node] = node if same else make_node(node.op, operands, node.settings)
            continue
        group = node.group
        if group not in steps:
            steps[group] = {}
        known[node] = _written_out(node, operands, steps[group])
    return [known[n] for n in outputs]


def _written_out(node: Node, operands: Sequence[Node], made: dict[int, Node]) -> Node:
    """One result of a loop; all results of the loop are made once."""
    settings = node.settings
    if not made:
        body, length, backwards = settings["body"], settings["length"], settings["reverse"]
        n = body.carries
        carry = list(operands[:n])
        columns, constants = operands[n : n + body.columns], operands[n + body.columns :]
        history: list[list[Node]] = [[c] for c in carry]
        outs: list[list[Node]] = [[] for _ in body.outputs[n:]]
        for t in range(length - 1, -1, -1) if backwards else range(length):
            given = [*carry, *(_row(c, t) for c in columns), *constants]
            values = substitute(body.outputs, dict(zip(body.inputs, given, strict=True)))
            values = unrolled(values)
            carry = values[:n]
            for rows, value in zip(history, carry, strict=True):
                rows.append(value)
            for rows, value in zip(outs, values[n:], strict=True):
                rows.append(value)
        for k in range(n):
            made[k] = carry[k]
            made[n + k] = _stacked(history[k][::-1] if backwards else history[k])
        for k, rows in enumerate(outs):
            made[2 * n + k] = _stacked(rows[::-1] if backwards else rows)
    return made[settings["output"]]


def _row(stacked: Node, t: int) -> Node:
    shape = stacked.shape
    part = structure.slice_(
        stacked, (t, *(0,) * (len(shape) - 1)), (t + 1, *shape[1:]), (1,) * len(shape)
    )
    found: Node = structure.reshape(part, shape[1:])
    return found


def _stacked(rows: Sequence[Node]) -> Node:
    parts = [structure.reshape(r, (1, *r.shape)) for r in rows]
    found: Node = parts[0] if len(parts) == 1 else structure.concatenate(parts, 0)
    return found
