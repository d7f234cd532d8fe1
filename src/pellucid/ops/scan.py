"""The loop over time: a body graph applied repeatedly, each step passing its carry to the next.

A :class:`Body` is a graph of one step; the primitive ``scan`` applies it ``length`` times.  Its
results are nodes of their own (see :class:`pellucid.graph.node.Primitive`), so a result that
nobody uses costs nothing:

==================  =====================================  =======================
output              value                                  shape
==================  =====================================  =======================
k                   carry k after the last step            that of the carry
carries + k         carry k between all steps              (length + 1, carry...)
2 · carries + j     the j-th output of every step          (length, output...)
==================  =====================================  =======================

In the second kind, row t + 1 is the carry after step t and row 0 the first carry; running in
reverse, row t is the carry after step t and the last row the first carry.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from pellucid.base.dtypes import float64, int64
from pellucid.base.errors import DTypeError, GraphError, ShapeError
from pellucid.graph.evaluate import Interpreter
from pellucid.graph.node import Sample, Spec, new_input
from pellucid.ops import elementwise
from pellucid.ops.contraction import matmul
from pellucid.ops.registry import define, ramp
from pellucid.ops.scan_body import Body, history_rows, make_body, scan
from pellucid.ops.scan_gradient import scan_gradient
from pellucid.ops.scan_rules import scan_batch, scan_tangent

__all__ = ["SCAN", "Body", "make_body", "scan"]


def _infer(*specs: Spec, body: Body, length: int, reverse: bool, output: int) -> Spec:
    if len(specs) != len(body.inputs):
        raise GraphError(
            f"a scan got {len(specs)} operands and its body has {len(body.inputs)} inputs",
            "pass the carries, the columns and the constants",
        )
    if length < 1:
        raise ShapeError(f"a scan over {length} steps has no result", "give at least one step")
    for position, (spec, node) in enumerate(zip(specs, body.inputs, strict=True)):
        stacked = body.carries <= position < body.carries + body.columns
        shape = (length, *node.shape) if stacked else node.shape
        if spec.shape != shape:
            raise ShapeError(
                f"operand {position} of a scan over {length} steps has shape {spec.shape}, "
                f"its body needs {shape}",
                "columns have time as their first axis",
            )
        if spec.dtype is not node.dtype:
            raise DTypeError(
                f"operand {position} of a scan is {spec.dtype.name}, its body was made for "
                f"{node.dtype.name}",
                "convert it with .to()",
            )
    return body.spec_of(output, length)


@lru_cache(maxsize=256)
def _interpreter(body: Body) -> Interpreter:
    return Interpreter(body.inputs, body.outputs)


def _results(
    *arrays: np.ndarray,
    body: Body,
    length: int,
    reverse: bool,
    outputs: tuple[int, ...] | None = None,
) -> dict[int, np.ndarray]:
    """The loop itself; all results if none are named."""
    n = body.carries
    if outputs is None:
        outputs = tuple(range(n + len(body.outputs)))
    carry = list(arrays[:n])
    columns, constants = arrays[n : n + body.columns], arrays[n + body.columns :]
    found = {}
    for k in outputs:
        if k >= n:
            shape, dtype = body.spec_of(k, length)
            found[k] = np.empty(shape, dtype.numpy)
    _, after, _ = history_rows(reverse, length)
    for k in outputs:
        if n <= k < 2 * n:
            found[k][length if reverse else 0] = carry[k - n]
    run = _interpreter(body).run
    for t in range(length - 1, -1, -1) if reverse else range(length):
        values = run([*carry, *(c[t] for c in columns), *constants])
        carry = values[:n]
        for k, stacked in found.items():
            stacked[t + after if k < 2 * n else t] = values[k - n]
    for k in outputs:
        if k < n:
            found[k] = np.array(carry[k])
    return found


def _evaluate(*arrays: np.ndarray, output: int, **params: Any) -> np.ndarray:
    return _results(*arrays, outputs=(output,), **params)[output]


def _tanh_body() -> Body:
    """h' = tanh(x·W + h·U), out: h'·h."""
    h, x, w, u = (new_input(Spec(s, float64)) for s in ((2, 3), (2, 4), (4, 3), (3, 3)))
    following = elementwise.tanh(elementwise.add(matmul(x, w), matmul(h, u)))
    return make_body(1, 1, [h, x, w, u], [following, elementwise.mul(following, h)])


def _two_carries_body() -> Body:
    """a' = a·b + x, b' = sin(a) − b/c, n' = n + m; out: a, n."""
    a, b, x, c = (new_input(Spec((3,), float64)) for _ in range(4))
    count, step = new_input(Spec((), int64)), new_input(Spec((), int64))
    first = elementwise.add(elementwise.mul(a, b), x)
    second = elementwise.sub(elementwise.sin(a), elementwise.div(b, c))
    third = elementwise.add(count, step)
    return make_body(3, 1, [a, b, count, x, c, step], [first, second, third, a, third])


def _samples() -> Iterable[Sample]:
    tanh = (ramp(2, 3), ramp(4, 2, 4), ramp(4, 3), 0.5 * ramp(3, 3))
    for reverse in (False, True):
        for output in (0, 1, 2):
            params = {"body": _tanh_body(), "length": 4, "reverse": reverse, "output": output}
            yield Sample(tanh, params)
    two = (ramp(3), ramp(3, low=-1.0), np.asarray(3), 0.3 * ramp(5, 3), ramp(3, low=3.0, high=4.0))
    for output in (0, 1, 2, 4, 6, 7):
        params = {"body": _two_carries_body(), "length": 5, "reverse": False, "output": output}
        yield Sample((*two, np.asarray(2)), params)


SCAN = define(
    "scan",
    "loop",
    "carry[t + 1], y[t] = body(carry[t], x[t], constants) for t = 0 … length - 1",
    infer=_infer,
    evaluate=_evaluate,
    gradient=scan_gradient,
    samples=_samples,
    reason="a loop whose length the program's size must not depend on",
    results=_results,
    tangent=scan_tangent,
    batch=scan_batch,
)
