"""Forward-mode differentiation (Wengert, 1964): tangents that go along with the values.

One walk forwards over the recorded operations, each asked once for the tangent of its result from
those of its inputs.  As in :mod:`.differentiate` the walk does not care what records them: the
nodes of a graph, or the tape of tensors.

An operation's ``tangent`` is a function ``rule(tangents, output, *inputs, **params)`` with None
where an input has no tangent, or the name of a general rule; of an operation with several results
``rule(tangents, result, inputs, numbers, jacobian_vector, **params)``, which returns tangents by
number, or ``"reverse"`` or ``"zero"``:

================= ==============================================================================
``"linear"``      the operation itself, of the tangents; 0 where there is none
``"multilinear"`` the sum over the inputs of the operation with the tangent in that input's place
``"diagonal"``    element by element: the gradient rule, which multiplies by the same slopes
``"reverse"``     the transpose of the gradient rule, by differentiating it for its cotangent (or
                  those of several results)
``"zero"``        none: whole numbers, truth values, constants
================= ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pellucid.base.errors import AutogradError
from pellucid.graph.node import (
    Graph,
    Node,
    Primitive,
    Spec,
    layer_scope,
    make_node,
    new_input,
    placeholder,
)
from pellucid.graph.replay import replay
from pellucid.ops import elementwise, structure
from pellucid.ops.registry import Value, apply, scalar
from pellucid.transforms.differentiate import (
    Record,
    layer_of,
    ordered_history,
    vector_jacobian,
)

Tangents = Sequence[Value | None]


def forward(
    outputs: Sequence[Value],
    known: Mapping[int, Value],
    record_of: Callable[[Value], Record | None],
    key_of: Callable[[Value], int] = id,
    check: Callable[[Record, Value], None] | None = None,
) -> list[Value | None]:
    """Tangents of ``outputs``; None where none arrives.

    ``known`` are those that it starts from, by ``key_of`` their values; what these values came
    from is not looked at.  ``check(record, value)`` may refuse a record whose operands changed.
    """
    found: dict[int, Value | None] = dict(known)

    def recorded(value: Value) -> Record | None:
        return None if key_of(value) in known else record_of(value)

    joint: dict[Hashable, dict[int, Value]] = {}
    history = ordered_history(outputs, recorded, key_of)
    numbers: dict[Hashable, list[int]] = {}
    for value in history:
        record = recorded(value)
        if record is not None and record.op.results is not None:
            numbers.setdefault(record.group, []).append(record.settings["output"])
    for value in history:
        record = recorded(value)
        if record is None:
            continue
        given = [found.get(key_of(x)) for x in record.inputs]
        if all(t is None for t in given):
            continue
        if check is not None:
            check(record, value)
        with layer_scope(layer_of(record)):
            if record.op.results is None:
                found[key_of(value)] = tangent_of(
                    record.op, given, value, record.inputs, record.settings
                )
                continue
            group = record.group
            if group not in joint:
                joint[group] = _joint(record, given, numbers[group])
            found[key_of(value)] = joint[group].get(record.settings["output"])
    return [found.get(key_of(value)) for value in outputs]


def tangent_of(
    op: Primitive,
    tangents: Tangents,
    output: Value,
    inputs: Sequence[Value],
    params: Mapping[str, Any],
) -> Value | None:
    """The tangent of one application's result, by the operation's rule."""
    rule = op.tangent
    if rule is None:
        raise AutogradError(
            f"the operation {op.name!r} has no derivative in forward mode",
            "use reverse mode: func.vjp, func.grad or func.jacrev",
        )
    if callable(rule):
        found: Value | None = rule(tangents, output, *inputs, **params)
        return found
    return GENERAL[rule](op, tangents, output, inputs, params)


def _joint(record: Record, given: Tangents, numbers: Sequence[int]) -> dict[int, Value]:
    """Tangents of those results of one application of an operation with several."""
    settings = {k: v for k, v in record.settings.items() if k != "output"}
    rule = record.op.tangent
    if rule == "zero":
        return {}
    if rule == "reverse":
        return _joint_reverse(record, given, numbers, settings)
    if not callable(rule):
        raise AutogradError(
            f"the operation {record.op.name!r} has no derivative in forward mode",
            "use reverse mode: func.vjp, func.grad or func.jacrev",
        )
    found: dict[int, Value] = rule(
        given, record.result, record.inputs, numbers, jacobian_vector, **settings
    )
    return found


# ---- the general rules ------------------------------------------------------------------------


def _zeros(like: Value) -> Value:
    return structure.broadcast_to(scalar(like, 0), tuple(like.shape))


def _linear(
    op: Primitive,
    tangents: Tangents,
    output: Value,
    inputs: Sequence[Value],
    params: Mapping[str, Any],
) -> Value | None:
    if output.dtype.kind not in CONTINUOUS:
        return None
    operands = [
        t if t is not None else _zeros(x) if x.dtype.kind in CONTINUOUS else x
        for t, x in zip(tangents, inputs, strict=True)
    ]
    return apply(op, *operands, **params)


CONTINUOUS = ("float", "complex")
"""Kinds of numbers that have derivatives."""


def _multilinear(
    op: Primitive,
    tangents: Tangents,
    output: Value,
    inputs: Sequence[Value],
    params: Mapping[str, Any],
) -> Value | None:
    total: Value | None = None
    if output.dtype.kind not in CONTINUOUS:
        return None
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            operands = [*inputs[:position], tangent, *inputs[position + 1 :]]
            part = apply(op, *operands, **params)
            total = part if total is None else elementwise.accumulate(total, part)
    return total


def _diagonal(
    op: Primitive,
    tangents: Tangents,
    output: Value,
    inputs: Sequence[Value],
    params: Mapping[str, Any],
) -> Value | None:
    total: Value | None = None
    if op.gradient is None or output.dtype.kind not in CONTINUOUS:
        return None
    if any(x.dtype.kind == "complex" for x in (output, *inputs)):
        return _reverse(op, tangents, output, inputs, params)  # slopes there are conjugated
    shape = tuple(output.shape)
    whole = [structure.broadcast_to(x, shape) for x in inputs]
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            along = structure.broadcast_to(tangent, shape)
            part = op.gradient(along, output, *whole, **params)[position]
            if part is not None:
                total = part if total is None else elementwise.accumulate(total, part)
    return total


def _reverse(
    op: Primitive,
    tangents: Tangents,
    output: Value,
    inputs: Sequence[Value],
    params: Mapping[str, Any],
) -> Value | None:
    if op.gradient is None or output.dtype.kind not in CONTINUOUS:
        return None
    specs = tuple(Spec(tuple(x.shape), x.dtype) for x in (output, *inputs))
    present = tuple(t is not None for t in tangents)
    given, result = _transposed(op, specs, present, tuple(sorted(params.items())))
    if result is None:
        return None
    values = [output, *inputs, *(t for t in tangents if t is not None)]
    found: Value = replay([result], dict(zip(given, values, strict=True)), output)[0]
    return found


@lru_cache(maxsize=256)
def _transposed(
    op: Primitive, specs: tuple[Spec, ...], present: tuple[bool, ...], params: tuple[Any, ...]
) -> tuple[list[Node], Node | None]:
    """(output, inputs, tangents) and the tangent of the output as a graph of them.

    The gradient rule is linear in the cotangent u: ū ↦ (c₁(u), …).  Its derivative for u, applied
    to the tangents, is Σᵢ ∂y/∂xᵢ · tᵢ, wherever u is.
    """
    output, *inputs = (placeholder(spec, i) for i, spec in enumerate(specs))
    cotangent = placeholder(specs[0], len(specs))
    rule = op.gradient or (lambda *_, **__: [None] * len(inputs))
    parts = rule(cotangent, output, *inputs, **dict(params))
    tangents, pulled, along = [], [], []
    for number, (is_present, spec, part) in enumerate(zip(present, specs[1:], parts, strict=True)):
        if not is_present:
            continue
        tangents.append(placeholder(spec, len(specs) + 1 + number))
        if part is not None:
            pulled.append(part)
            along.append(tangents[-1])
    result = vector_jacobian(pulled, along, [cotangent])[0] if pulled else None
    if result is not None:
        zero = structure.broadcast_to(scalar(cotangent, 0), cotangent.shape)
        result = replay([result], {cotangent: zero}, cotangent)[0]
    return [output, *inputs, *tangents], result


def _joint_reverse(
    record: Record, given: Tangents, numbers: Sequence[int], params: Mapping[str, Any]
) -> dict[int, Value]:
    """As ``"reverse"``, of an operation with several results: all asked for are differentiated."""
    specs = tuple(Spec(tuple(x.shape), x.dtype) for x in record.inputs)
    present = tuple(t is not None for t in given)
    chosen = tuple(k for k in sorted(set(numbers)) if record.result(k).dtype.kind in CONTINUOUS)
    places, read, outputs = _transposed_results(
        record.op, specs, present, tuple(sorted(params.items())), chosen
    )
    values = [*record.inputs, *(t for t in given if t is not None)]
    known = dict(zip(places, values, strict=True))
    known |= {node: record.result(k) for k, node in read.items()}
    present_outputs = {k: node for k, node in outputs.items() if node is not None}
    found = replay(list(present_outputs.values()), known, record.inputs[0])
    return dict(zip(present_outputs, found, strict=True))


@lru_cache(maxsize=256)
def _transposed_results(
    op: Primitive,
    specs: tuple[Spec, ...],
    present: tuple[bool, ...],
    params: tuple[Any, ...],
    numbers: tuple[int, ...],
) -> tuple[list[Node], dict[int, Node], dict[int, Node | None]]:
    """(inputs and tangents, results that are read by number, tangents by number) as a graph."""
    inputs = [placeholder(spec, i) for i, spec in enumerate(specs)]
    settings = dict(params)
    read: dict[int, Node] = {}

    def result(number: int) -> Node:
        if number not in read:
            read[number] = make_node(op, inputs, {**settings, "output": number})
        return read[number]

    whole = {k: result(k) for k in numbers}
    cotangents = {k: placeholder(y.spec, len(specs) + k) for k, y in whole.items()}
    rule = op.gradient
    parts: Sequence[Node | None] = [None] * len(inputs)
    if rule is not None and cotangents:
        parts = rule(dict(cotangents), result, inputs, list(present), vector_jacobian, **settings)
    tangents, pulled, along = [], [], []
    first = len(specs) + 1 + max(numbers, default=0)
    for i, (is_present, spec, part) in enumerate(zip(present, specs, parts, strict=True)):
        if is_present:
            tangents.append(placeholder(spec, first + i))
            if part is not None:
                pulled.append(part)
                along.append(tangents[-1])
    wrt = list(cotangents.values())
    found = vector_jacobian(pulled, along, wrt) if pulled else [None] * len(wrt)
    zeros = {u: _zeros(u) for u in wrt}
    outputs = {
        k: None if y is None else replay([y], dict(zeros), y)[0]
        for k, y in zip(cotangents, found, strict=True)
    }
    return [*inputs, *tangents], read, outputs


def _joint_reverse(
    record: Record, tangents: Tangents, numbers: Sequence[int], params: Mapping[str, Any]
) -> dict[int, Value]:
    """The transpose of the joint rule of an operation with several results."""
    specs = tuple(Spec(tuple(x.shape), x.dtype) for x in record.inputs)
    present = tuple(t is not None for t in tangents)
    settings = tuple(sorted(params.items()))
    asked, given, wanted = _jointly_transposed(
        record.op, specs, present, tuple(sorted(set(numbers))), settings
    )
    values = [
        *record.inputs,
        *(record.result(k) for k in asked),
        *(t for t in tangents if t is not None),
    ]
    known = dict(zip(given, values, strict=True))
    found = replay(list(wanted.values()), known, record.inputs[0])
    return dict(zip(wanted, found, strict=True))


@lru_cache(maxsize=256)
def _jointly_transposed(
    op: Primitive,
    specs: tuple[Spec, ...],
    present: tuple[bool, ...],
    numbers: tuple[int, ...],
    params: tuple[Any, ...],
) -> tuple[tuple[int, ...], list[Node], dict[int, Node]]:
    """Which results the rule reads; (inputs, these results, tangents); the tangents of the results
    with these numbers as a graph of them."""
    settings, places = dict(params), iter(range(1 << 30))
    inputs = [placeholder(spec, next(places)) for spec in specs]
    asked: dict[int, Node] = {}

    def result(number: int) -> Node:
        if number not in asked:
            spec = op.infer(*specs, **settings, output=number)
            asked[number] = placeholder(spec, next(places))
        return asked[number]

    kinds = {k: op.infer(*specs, **settings, output=k) for k in numbers}
    cotangents = {
        k: placeholder(spec, next(places))
        for k, spec in kinds.items()
        if spec.dtype.kind in CONTINUOUS
    }
    rule = op.gradient or (lambda *_, **__: [None] * len(inputs))
    every = [True] * len(inputs)
    parts = rule(dict(cotangents), result, inputs, every, vector_jacobian, **settings)
    tangents, pulled, along = [], [], []
    for is_present, spec, part in zip(present, specs, parts, strict=True):
        if is_present:
            tangents.append(placeholder(spec, next(places)))
            if part is not None:
                pulled.append(part)
                along.append(tangents[-1])
    wrt = list(cotangents.values())
    found = vector_jacobian(pulled, along, wrt) if pulled and wrt else [None] * len(wrt)
    zeros = {c: structure.broadcast_to(scalar(c, 0), c.shape) for c in wrt}
    wanted = {
        k: replay([node], dict(zeros), node)[0]
        for k, node in zip(cotangents, found, strict=True)
        if node is not None
    }
    return tuple(asked), [*inputs, *asked.values(), *tangents], wanted


def _none(
    op: Primitive,
    tangents: Tangents,
    output: Value,
    inputs: Sequence[Value],
    params: Mapping[str, Any],
) -> Value | None:
    return None


GENERAL: Mapping[str, Callable[..., Value | None]] = {
    "linear": _linear,
    "multilinear": _multilinear,
    "diagonal": _diagonal,
    "reverse": _reverse,
    "zero": _none,
}
"""General rules by name."""


# ---- graphs -----------------------------------------------------------------------------------


def jacobian_vector(outputs: Sequence[Node], known: Mapping[Node, Node]) -> list[Node | None]:
    """Tangents of nodes, given those of some nodes below; None where none arrives."""
    start = {id(node): tangent for node, tangent in known.items()}
    return forward(outputs, start, lambda node: node if node.inputs else None)


def push_forward(graph: Graph, wrt: Sequence[int] | None = None) -> Graph:
    """The graph that gives a graph's outputs, then their tangents, from inputs and tangents.

    Its inputs are those of ``graph``, followed by a tangent for each of those in ``wrt`` (by
    default all that have derivatives).
    """
    chosen = [
        i
        for i, node in enumerate(graph.inputs)
        if (wrt is None or i in wrt) and node.dtype.kind in CONTINUOUS
    ]
    tangents = [new_input(graph.inputs[i].spec, f"tangent{i}") for i in chosen]
    known = {graph.inputs[i]: t for i, t in zip(chosen, tangents, strict=True)}
    found = [
        _zeros(y) if t is None else t
        for y, t in zip(graph.outputs, jacobian_vector(graph.outputs, known), strict=True)
    ]
    return Graph((*graph.inputs, *tangents), (*graph.outputs, *found))
