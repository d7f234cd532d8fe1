"""What values a computation can give: its last activation, and the range of its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid.graph.node import CONSTANT, INPUT, Node, constant_value, topological

MOVES = frozenset(
    "reshape transpose broadcast_to slice copy cast detach take gather window_max after "
    "concatenate pad max min put".split()
)
"""Operations whose results are among their operand's values."""

SHAPING = frozenset("reshape transpose broadcast_to copy cast detach slice after".split())
"""Operations that only move what they get."""

INF = math.inf
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Ending:
    """The end of a network.

    ``kind`` is ``softmax``, ``log-softmax``, ``sigmoid``, ``tanh``, ``relu`` (no values below 0) or
    ``linear`` (any number), else ``bounded``; ``low`` to ``high`` is what can come out at all;
    ``axis`` is that of a softmax, counted from the front, and ``extent`` its length; ``layer`` and
    ``line`` are where it is computed; ``before`` is the node that it is applied to.
    """

    kind: str
    low: float = -INF
    high: float = INF
    axis: int | None = None
    extent: int = 0
    layer: str = ""
    line: str = ""
    before: Node | None = None


def behind(node: Node) -> Node:
    """The node whose values this one only moves."""
    while node.op.name in SHAPING and node.inputs:
        node = node.inputs[0]
    return node


def softmax_axis(node: Node) -> tuple[int, Node] | None:
    """The axis of a softmax and what it is applied to, where the node is one: e ÷ Σ e for an e that
    is an exponential (or a number that is not negative)."""
    if node.op.name != "div":
        return None
    top, bottom = behind(node.inputs[0]), behind(node.inputs[1])
    while bottom.op.name in ("add", "where", "mul") and bottom.inputs:  # a guard against 0
        larger = [n for n in bottom.inputs if n.size > 1]
        if len(larger) != 1:
            break
        bottom = behind(larger[0])
    if bottom.op.name != "sum" or behind(bottom.inputs[0]) is not top:
        return None
    axes = bottom.settings["axes"]
    if len(axes) != 1 or top.op.name != "exp":
        return None
    return int(axes[0]), _shifted(top.inputs[0])


def _shifted(node: Node) -> Node:
    """What the largest value was subtracted from."""
    if node.op.name == "sub" and behind(node.inputs[1]).op.name == "max":
        return node.inputs[0]
    return node


def log_softmax_axis(node: Node) -> tuple[int, Node] | None:
    """The axis of a log-softmax and what it is applied to: z − log Σ exp z, or the log of a
    softmax."""
    if node.op.name == "log":
        inner = behind(node.inputs[0])
        if inner.op.name in ("add", "where") and inner.inputs:
            inner = behind(next((n for n in inner.inputs if n.op.name == "div"), inner))
        return softmax_axis(inner)
    if node.op.name != "sub":
        return None
    log = behind(node.inputs[1])
    if log.op.name == "add":  # log Σ exp(z − m) + m
        log = next((behind(n) for n in log.inputs if behind(n).op.name == "log"), log)
    if log.op.name != "log":
        return None
    total = behind(log.inputs[0])
    if total.op.name != "sum" or behind(total.inputs[0]).op.name != "exp":
        return None
    axes = total.settings["axes"]
    return (int(axes[0]), _shifted(node.inputs[0])) if len(axes) == 1 else None


def log_sum_axis(node: Node) -> tuple[int, Node] | None:
    """The axis of log Σ exp z and z itself, where the node is one."""
    if node.op.name != "log" or behind(node.inputs[0]).op.name != "sum":
        return None
    total = behind(node.inputs[0])
    top, axes = behind(total.inputs[0]), total.settings["axes"]
    if top.op.name != "exp" or len(axes) != 1:
        return None
    return int(axes[0]), _shifted(top.inputs[0])


def axis_below(node: Node, axis: int, below: Node) -> int | None:
    """The axis of ``below`` that an axis of ``node``, which only moves it, is."""
    while node is not below:
        if node.op.name not in SHAPING or not node.inputs:
            return None
        inner = node.inputs[0]
        if node.op.name == "transpose":
            axis = int(node.settings["axes"][axis])
        elif node.op.name == "reshape":
            found = _same_axis(node.shape, axis, inner.shape)
            if found is None:
                return None
            axis = found
        elif len(inner.shape) != len(node.shape):
            return None
        node = inner
    return axis


def _same_axis(shape: tuple[int, ...], axis: int, other: tuple[int, ...]) -> int | None:
    """The axis of another shape of the same elements that has the same length and step."""
    step = math.prod(shape[axis + 1 :])
    for place, extent in enumerate(other):
        if extent == shape[axis] and math.prod(other[place + 1 :]) == step:
            return place
    return None


def ending_of(output: Node) -> Ending:
    """What the output of a network is."""
    node = behind(output)
    layer, line = node.origin.layer, node.origin.line
    soft = softmax_axis(node)
    if soft is not None:
        return Ending("softmax", 0, 1, soft[0], node.shape[soft[0]], layer, line, soft[1])
    log = log_softmax_axis(node)
    if log is not None:
        return Ending("log-softmax", -INF, 0, log[0], node.shape[log[0]], layer, line, log[1])
    low, high = bounds_of(node)
    kind = "bounded"
    if node.op.name == "scan":
        kind, low, high = "linear", -INF, INF
    elif (low, high) == (-INF, INF):
        kind = "linear"
    elif (low, high) == (0, 1):
        kind = "sigmoid"
    elif (low, high) == (-1, 1):
        kind = "tanh"
    elif low == 0 and high == INF:
        kind = "relu"
    before = node.inputs[0] if node.inputs and kind != "linear" else None
    return Ending(kind, low, high, None, 0, layer, line, before)


# ---- ranges --------------------------------------------------------------------------------------


def bounds_of(node: Node) -> Bounds:
    """Between which numbers the values of a node lie, whatever inputs and parameters are."""
    known: dict[Node, Bounds] = {}
    for current in topological([node]):
        known[current] = _bounds(current, [known[n] for n in current.inputs])
    return known[node]


def _bounds(node: Node, given: list[Bounds]) -> Bounds:
    name = node.op.name
    if node.op is CONSTANT:
        value = constant_value(node)
        if value.dtype.kind not in "biuf" or not value.size:
            return -INF, INF
        return float(value.min()), float(value.max())
    if node.op is INPUT:
        return -INF, INF
    if softmax_axis(node) is not None:
        return 0.0, 1.0
    if log_softmax_axis(node) is not None:
        return -INF, 0.0
    if name in MOVES:
        return min(g[0] for g in given), max(g[1] for g in given)
    if name in _FIXED:
        return _FIXED[name]
    rule = _RULES.get(name)
    if rule is None:
        return -INF, INF
    with np.errstate(all="ignore"):
        low, high = rule(node, given)
    return (-INF if math.isnan(low) else low), (INF if math.isnan(high) else high)


_FIXED: dict[str, Bounds] = {
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "erf": (-1, 1),
    "sin": (-1, 1),
    "cos": (-1, 1),
    "random_uniform": (0, 1),
    "atan": (-math.pi / 2, math.pi / 2),
}
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "logical_not", "logical_and", "logical_or"):
    _FIXED[_name] = (0, 1)


def _corners(first: Bounds, second: Bounds) -> Bounds:
    products = [0.0 if 0 in (a, b) else a * b for a in first for b in second]
    return min(products), max(products)


def _where(node: Node, given: list[Bounds]) -> Bounds:
    """A choice; where(x ≤ c, …, x) and the like cut a range off."""
    mask, first, second = node.inputs
    (a, b), (c, d) = given[1], given[2]
    if mask.op.name in ("lt", "le", "gt", "ge") and mask.inputs[1].op is CONSTANT:
        limit = float(constant_value(mask.inputs[1]).reshape(-1)[0])
        below = mask.op.name in ("lt", "le")
        subject = mask.inputs[0]
        if subject is second:
            c, d = (max(c, limit), d) if below else (c, min(d, limit))
        if subject is first:
            a, b = (a, min(b, limit)) if below else (max(a, limit), b)
        first_exp = behind(first)
        if first_exp.op.name == "mul" and subject in first_exp.inputs:
            a, b = -INF, INF  # a leaky slope
    return min(a, c), max(b, d)


def _sum(node: Node, given: list[Bounds]) -> Bounds:
    (low, high) = given[0]
    count = max(1, node.inputs[0].size // max(1, node.size))
    return low * count if low else 0.0, high * count if high else 0.0


def _mul(node: Node, given: list[Bounds]) -> Bounds:
    if node.inputs[0] is node.inputs[1]:
        low, high = given[0]
        largest = max(abs(low), abs(high))
        return 0.0 if low <= 0 <= high else min(low * low, high * high), largest * largest
    return _corners(*given)


def _div(node: Node, given: list[Bounds]) -> Bounds:
    low, high = given[1]
    if low <= 0 <= high:
        return (0.0, INF) if low >= 0 and given[0][0] >= 0 else (-INF, INF)
    return _corners(given[0], (_inverse(high), _inverse(low)))


def _inverse(value: float) -> float:
    return 1 / value if abs(value) < INF else 0.0


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else INF


def _safe_log(value: float) -> float:
    return math.log(value) if 0 < value < INF else (INF if value > 0 else -INF)


def _abs(node: Node, given: list[Bounds]) -> Bounds:
    low, high = given[0]
    return 0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))


_RULES: dict[str, Callable[[Node, list[Bounds]], Bounds]] = {
    "add": lambda n, g: (g[0][0] + g[1][0], g[0][1] + g[1][1]),
    "sub": lambda n, g: (g[0][0] - g[1][1], g[0][1] - g[1][0]),
    "neg": lambda n, g: (-g[0][1], -g[0][0]),
    "mul": _mul,
    "div": _div,
    "exp": lambda n, g: (_exp(g[0][0]), _exp(g[0][1])),
    "expm1": lambda n, g: (_exp(g[0][0]) - 1, _exp(g[0][1]) - 1),
    "log": lambda n, g: (_safe_log(g[0][0]), _safe_log(g[0][1])),
    "log1p": lambda n, g: (_safe_log(1 + g[0][0]), _safe_log(1 + g[0][1])),
    "sqrt": lambda n, g: (
        0.0 if g[0][0] <= 0 else math.sqrt(g[0][0]),
        INF if g[0][1] == INF else math.sqrt(max(0.0, g[0][1])),
    ),  # fmt: skip
    "abs": _abs,
    "where": _where,
    "sum": _sum,
    "maximum": lambda n, g: (max(g[0][0], g[1][0]), max(g[0][1], g[1][1])),
    "minimum": lambda n, g: (min(g[0][0], g[1][0]), min(g[0][1], g[1][1])),
}
