"""A loop's tangents, and a loop for many rows at once: both are loops again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.graph.node import Node, Spec, new_input
from pellucid.ops.registry import Value, scalar
from pellucid.ops.rows import Rows, all_batched, moved, stretched
from pellucid.ops.scan_body import Body, make_body, scan

_CONTINUOUS = ("float", "complex")


def scan_tangent(
    tangents: Sequence[Value | None],
    result: Callable[[int], Value],
    inputs: Sequence[Value],
    numbers: Sequence[int],
    jacobian_vector: Callable[..., list[Node | None]],
    *,
    body: Body,
    length: int,
    reverse: bool,
) -> dict[int, Value]:
    """Tangents of results, by number: the loop whose carries have tangents beside them.

    Carries start with a tangent of 0 where there is none; columns and constants without one are
    left alone.
    """
    n, m = body.carries, body.columns
    chosen = [
        i
        for i, node in enumerate(body.inputs)
        if node.dtype.kind in _CONTINUOUS and (i < n or tangents[i] is not None)
    ]
    places = {i: new_input(body.inputs[i].spec) for i in chosen}
    found = jacobian_vector(body.outputs, {body.inputs[i]: t for i, t in places.items()})
    carried = [i for i in chosen if i < n]
    wanted = [k - 2 * n for k in numbers if k >= 2 * n and found[k - n] is not None]

    def cut(first: int, last: int) -> list[int]:
        return [i for i in chosen if first <= i < last]

    columns, constants = cut(n, n + m), cut(n + m, len(body.inputs))
    order: list[Node] = [*body.inputs[:n], *(places[i] for i in carried)]
    order += [*body.inputs[n : n + m], *(places[i] for i in columns)]
    order += [*body.inputs[n + m :], *(places[i] for i in constants)]
    outputs = [*body.outputs[:n], *(_or_zeros(found[i], body.outputs[i]) for i in carried)]
    outputs += [t for t in (found[n + j] for j in wanted) if t is not None]
    total = n + len(carried)
    whole = make_body(total, m + len(columns), order, outputs)
    operands = [*inputs[:n], *(_or_zeros(tangents[i], inputs[i]) for i in carried)]
    operands += [*inputs[n : n + m], *(tangents[i] for i in columns)]
    operands += [*inputs[n + m :], *(tangents[i] for i in constants)]
    places_of: dict[int, int] = {}
    for k in numbers:
        if k < 2 * n and k % n in carried:
            places_of[k] = (total if k >= n else 0) + n + carried.index(k % n)
        elif k >= 2 * n and k - 2 * n in wanted:
            places_of[k] = 2 * total + wanted.index(k - 2 * n)
    made = scan(whole, operands, length, reverse, list(places_of.values())) if places_of else []
    return dict(zip(places_of, made, strict=True))


def _or_zeros(tangent: Value | None, like: Value) -> Value:
    return stretched(scalar(like, 0), like.shape) if tangent is None else tangent


def scan_batch(
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    numbers: Sequence[int],
    batch: Callable[..., list[tuple[Node, bool]]],
    *,
    body: Body,
    length: int,
    reverse: bool,
) -> list[tuple[Value, bool]]:
    """Results by number, and whether they are another in each row.

    A carry that is the same for all rows at first becomes one that is not as soon as a step makes
    it so; which ones do is found by batching the body until nothing changes.
    """
    n, m = body.carries, body.columns
    flags = list(batched)
    while True:
        places = [
            new_input(Spec((rows.count, *node.shape), node.dtype)) if flag else node
            for node, flag in zip(body.inputs, flags, strict=True)
        ]
        known = dict(zip(body.inputs, zip(places, flags, strict=True), strict=True))
        found = batch(body.outputs, known, rows, body.outputs[0])
        late = [k for k in range(n) if found[k][1] and not flags[k]]
        if not late:
            break
        for k in late:
            flags[k] = True
    outputs = [
        stretched(node, (rows.count, *node.shape)) if k < n and flags[k] and not flag else node
        for k, (node, flag) in enumerate(found)
    ]
    operands = all_batched(
        inputs[:n], [b or not f for b, f in zip(batched, flags, strict=True)][:n], rows
    )
    operands += [
        moved(x, 0, 1) if f else x for x, f in zip(inputs[n : n + m], flags[n:], strict=False)
    ]
    operands += list(inputs[n + m :])
    made = scan(make_body(n, m, places, outputs), operands, length, reverse, numbers)
    varies = [*flags[:n], *flags[:n], *(flag for _, flag in found[n:])]
    return [
        (moved(value, 1, 0) if varies[k] and k >= n else value, varies[k])
        for k, value in zip(numbers, made, strict=True)
    ]
