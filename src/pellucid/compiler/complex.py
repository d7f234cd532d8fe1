"""Graphs of complex numbers as graphs of real ones, which is what kernels compute.

A complex input (…) is the same memory read as real numbers (…, 2); so is an output.  Between them
each complex value is two nodes (:mod:`.complex_parts`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from pellucid.base.dtypes import bool_
from pellucid.base.errors import TraceError
from pellucid.compiler import spectra
from pellucid.compiler.complex_parts import (
    FUNCTIONS,
    Parts,
    div,
    number,
    power,
    product,
    size_of,
)
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    Spec,
    constant,
    constant_value,
    inheriting,
    make_node,
    new_input,
    with_operands,
)
from pellucid.ops import elementwise, structure
from pellucid.ops.contraction import matmul
from pellucid.ops.pairs import IN_PAIRS
from pellucid.ops.scan_body import Body, make_body

Value = Node | Parts
"""A real value as it is, or a complex one in parts."""

PARTED = frozenset(
    "reshape transpose broadcast_to slice pad concatenate take put gather scatter copy detach "
    "after index_put_ where add sub neg sum cumsum".split()
)
"""Operations that do to a complex value what they do to its parts."""


def is_complex(graph: Graph) -> bool:
    """Whether some value of a graph, or of a loop in it, is complex."""
    return any(
        node.dtype.is_complex or (node.op.name == "scan" and _has_complex(node.settings["body"]))
        for node in (*graph.inputs, *graph.nodes())
    )


def _has_complex(body: Body) -> bool:
    return is_complex(Graph(body.inputs, body.outputs))


def real_graph(graph: Graph) -> Graph:
    """The graph without complex values; inputs and outputs keep their places and their memory.

    Raises ``TraceError`` for an operation that has no form in parts.
    """
    if not is_complex(graph):
        return graph
    values: dict[Node, Value] = {}
    inputs = []
    for node in graph.inputs:
        if node.dtype.is_complex:
            name = node.settings.get("name", "")
            pairs = new_input(Spec((*node.shape, 2), node.dtype.to_real()), name)
            inputs.append(pairs)
            values[node] = _from_pairs(pairs)
        else:
            inputs.append(node)
            values[node] = node
    with inheriting() as inherit:
        for node in graph.nodes():
            if node not in values:
                inherit(node)
                values[node] = _lowered(node, [values[n] for n in node.inputs])
    outputs = tuple(_as_pairs(values[node]) for node in graph.outputs)
    return Graph(tuple(inputs), outputs, graph.aliases)


def _lowered(node: Node, operands: Sequence[Value]) -> Value:
    """A node of the graph applied to what its operands have become."""
    if node.op is CONSTANT:
        return _constant(node) if node.dtype.is_complex else node
    if node.op is INPUT:
        return node
    if node.op.name == "scan" and _has_complex(node.settings["body"]):
        return _scan(node, operands)
    if not node.dtype.is_complex and not any(isinstance(v, Parts) for v in operands):
        same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
        plain = [v for v in operands if isinstance(v, Node)]
        return node if same else with_operands(node, plain)
    special = _RULES.get(node.op.name)
    if special is not None:
        return special(node, *operands)
    if node.op.name in FUNCTIONS and isinstance(operands[0], Parts):
        return FUNCTIONS[node.op.name](operands[0])
    if node.op.name in PARTED:
        return _parted(node, operands)
    if node.op.host:
        return _hosted(node, operands)
    raise TraceError(
        f"{node.op.name} of complex numbers{_place(node)} cannot be compiled",
        "compute this part outside of the compiled function, or write it with real numbers",
    )


def _hosted(node: Node, operands: Sequence[Value]) -> Value:
    """A host operation, called on pairs."""
    settings = {k: v for k, v in node.settings.items() if k != "output"}
    params = {
        "name": node.op.name,
        "params": tuple(sorted(settings.items())),
        "complexes": tuple(isinstance(v, Parts) for v in operands),
        "output": node.settings.get("output", 0),
    }
    found = make_node(IN_PAIRS, [_as_pairs(v) for v in operands], params)
    return _from_pairs(found) if node.dtype.is_complex else found


def _place(node: Node) -> str:
    return f" ({node.origin.line})" if node.origin.line else ""


def _constant(node: Node) -> Parts:
    array = constant_value(node)
    re, im = np.array(array.real), np.array(array.imag)
    return Parts(constant(re), constant(im) if im.any() else None)


def _parted(node: Node, operands: Sequence[Value]) -> Parts:
    """The operation applied to the real parts, and to the imaginary parts."""
    parts = [v for v in operands if isinstance(v, Parts)]
    re = [v.re if isinstance(v, Parts) else v for v in operands]
    real = make_node(node.op, re, node.settings)
    if all(v.im is None for v in parts):
        return Parts(real)
    im = [v.imaginary() if isinstance(v, Parts) else v for v in operands]
    return Parts(real, make_node(node.op, im, node.settings))


# ---- pairs ----------------------------------------------------------------------------------


def _last(x: Node, position: int) -> Node:
    """x[..., position]."""
    rank = len(x.shape)
    start = [0] * (rank - 1) + [position]
    stop = [*x.shape[:-1], position + 1]
    found: Node = structure.reshape(structure.slice_(x, start, stop, [1] * rank), x.shape[:-1])
    return found


def _from_pairs(pairs: Node) -> Parts:
    """(…, 2) as parts; where the pairs were just put together, the parts they were made of."""
    name, rank = pairs.op.name, len(pairs.shape)
    if name == "concatenate" and pairs.settings["axis"] == rank - 1 and len(pairs.inputs) == 2:
        re, im = (structure.reshape(part, pairs.shape[:-1]) for part in pairs.inputs)
        return Parts(re, im)
    if name == "pad" and pairs.inputs[0].shape[-1:] == (1,):
        low, high = pairs.settings["low"], pairs.settings["high"]
        alone = not any((*low[:-1], *high[:-1], *pairs.settings["interior"]))
        fill = pairs.inputs[1]
        if alone and fill.op is CONSTANT and not constant_value(fill).any():
            part = structure.reshape(pairs.inputs[0], pairs.shape[:-1])
            zeros = structure.broadcast_to(number(part, 0.0), part.shape)
            return Parts(zeros, part) if low[-1] else Parts(part)
    return Parts(_last(pairs, 0), _last(pairs, 1))


def _as_pairs(value: Value) -> Node:
    """Parts as (…, 2); a real value as it is."""
    if isinstance(value, Node):
        return value
    shape = (*value.re.shape, 1)
    both = [structure.reshape(part, shape) for part in (value.re, value.imaginary())]
    found: Node = structure.concatenate(both, len(shape) - 1)
    return found


# ---- the operations -------------------------------------------------------------------------


def _cast(node: Node, x: Value) -> Value:
    if not isinstance(x, Parts):
        return Parts(elementwise.cast(x, node.dtype.to_real()))
    if node.dtype.is_complex:
        return x.each(lambda part: elementwise.cast(part, node.dtype.to_real()))
    if node.dtype is not bool_:
        real: Node = elementwise.cast(x.re, node.dtype)
        return real
    return _differ(x, Parts(number(x.re, 0.0)))


def _differ(a: Parts, b: Parts) -> Node:
    found: Node = elementwise.ne(a.re, b.re)
    if a.im is None and b.im is None:
        return found
    found = elementwise.logical_or_(found, elementwise.ne(a.imaginary(), b.imaginary()))
    return found


def _conj(node: Node, x: Parts) -> Parts:
    return Parts(x.re, None if x.im is None else elementwise.neg(x.im))


def _convolution(node: Node, x: Parts, w: Parts) -> Parts:
    return product(x, w, lambda a, b: make_node(node.op, [a, b], node.settings))


def _halves(x: Parts, axis: int, count: int) -> tuple[Parts, Parts, Parts | None]:
    """First half, second half and the odd element left over, along an axis."""

    def cut(start: int, stop: int) -> Parts:
        low = [start if i == axis else 0 for i in range(len(x.re.shape))]
        high = [stop if i == axis else n for i, n in enumerate(x.re.shape)]
        return x.each(lambda p: structure.slice_(p, low, high, [1] * len(low)))

    half = count // 2
    return cut(0, half), cut(half, 2 * half), cut(2 * half, count) if count % 2 else None


def _prod(node: Node, x: Parts) -> Parts:
    """Products of halves, until one element is left along each axis."""
    for axis in node.settings["axes"]:
        if x.re.shape[axis] == 0:
            shape = [1 if i == axis else n for i, n in enumerate(x.re.shape)]
            x = Parts(structure.broadcast_to(number(x.re, 1.0), shape))
        rest: Parts | None = None
        while x.re.shape[axis] > 1:
            first, second, odd = _halves(x, axis, x.re.shape[axis])
            x = product(first, second)
            rest = odd if rest is None else rest if odd is None else product(rest, odd)
        x = x if rest is None else product(x, rest)
    return x.each(lambda p: structure.reshape(p, node.shape))


def _cumprod(node: Node, x: Parts) -> Parts:
    """Every element times the product of all before, by doubling (Hillis and Steele, 1986)."""
    axis, step, shape = node.settings["axis"], 1, node.shape
    x = Parts(x.re, x.imaginary())
    none, ones = [0] * len(shape), [1] * len(shape)
    while step < shape[axis]:
        high = [n - step if i == axis else n for i, n in enumerate(shape)]
        low = [step if i == axis else 0 for i in range(len(shape))]
        parts = (
            structure.pad(structure.slice_(p, none, high, ones), low, none, fill=fill)
            for p, fill in zip(x, (1.0, 0.0), strict=True)
        )
        x = product(x, Parts(*parts))
        step *= 2
    return x


@functools.lru_cache(maxsize=64)
def _real_body(body: Body) -> Body:
    """A step whose complex carries, columns, constants and results are pairs."""
    graph = real_graph(Graph(body.inputs, body.outputs))
    return make_body(body.carries, body.columns, graph.inputs, graph.outputs)


def _scan(node: Node, operands: Sequence[Value]) -> Value:
    settings = node.settings
    settings["body"] = _real_body(settings["body"])
    found = make_node(node.op, [_as_pairs(v) for v in operands], settings)
    return _from_pairs(found) if node.dtype.is_complex else found


def _view_as_complex(node: Node, x: Node) -> Parts:
    return _from_pairs(x)


def _view_as_real(node: Node, x: Parts) -> Node:
    return _as_pairs(x)


_RULES: dict[str, Callable[..., Value]] = {
    "cast": _cast,
    "conj": _conj,
    "abs": lambda node, x: size_of(x),
    "mul": lambda node, a, b: product(a, b),
    "div": lambda node, a, b: div(a, b),
    "pow": lambda node, a, b: power(a, b),
    "eq": lambda node, a, b: elementwise.logical_not_(_differ(a, b)),
    "ne": lambda node, a, b: _differ(a, b),
    "matmul": lambda node, a, b: product(a, b, matmul),
    "convolution": _convolution,
    "prod": _prod,
    "cumprod": _cumprod,
    "view_as_real": _view_as_real,
    "view_as_complex": _view_as_complex,
    "fft": lambda node, x: spectra.fft(x, **node.settings),
    "rfft": lambda node, x: spectra.rfft(x, **node.settings),
    "irfft": lambda node, x: spectra.irfft(x, **node.settings),
}
"""Name of an operation → what it is of parts."""
