"""Functions without native code: of whole numbers, of the parts of fractions, and positions.

Compiled programs call NumPy for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import bfloat16, bool_, float16, int32, int64
from pellucid.base.errors import DTypeError, ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.graph.node import Primitive, Sample, Spec
from pellucid.ops import elementwise as e
from pellucid.ops.incomplete_gamma import incomplete_gamma
from pellucid.ops.registry import Value, define, ramp, require_float, same_dtype, sum_to

# ---- whole numbers -------------------------------------------------------------------------------


def _infer_whole(name: str) -> Callable[[Spec, Spec], Spec]:
    def infer(a: Spec, b: Spec) -> Spec:
        dtype = same_dtype(name, a, b)
        if dtype.kind != "int":
            raise DTypeError(f"{name} got {dtype.name}", "it is for integers")
        return Spec(broadcast_shapes(a.shape, b.shape), dtype)

    return infer


def _of_whole_numbers(name: str, formula: str, meaning: Callable[..., Any]) -> Primitive:
    return define(
        name,
        "host",
        formula,
        infer=_infer_whole(name),
        evaluate=lambda a, b: np.asarray(meaning(a, b)),
        gradient=None,
        samples=lambda: [
            Sample((np.array([[12, -18, 0], [7, 64, 1]]), np.array([8, 12, 5]))),
            Sample((np.array([12, 30], np.int32), np.array(9, np.int32))),
        ],
        reason="as many steps as the numbers ask for",
        host=True,
        tangent="zero",
        batch="elementwise",
    )


GCD = _of_whole_numbers("gcd", "the greatest common divisor, at least 0", np.gcd)
LCM = _of_whole_numbers("lcm", "the least common multiple, at least 0", np.lcm)


# ---- the parts of a fraction ---------------------------------------------------------------------


def _infer_frexp(x: Spec, *, output: int) -> Spec:
    require_float("frexp", x)
    return Spec(x.shape, int32 if output == 1 else x.dtype)


def _frexp(x: np.ndarray, *, outputs: tuple[int, ...] | None = None) -> dict[int, np.ndarray]:
    mantissa, exponent = (np.asarray(part) for part in np.frexp(x))
    exponent = np.where(np.isfinite(mantissa), exponent, 0).astype(np.int32)
    slope = np.ldexp(np.ones_like(x), -exponent)
    found = {0: mantissa, 1: exponent, 2: slope}
    return {k: v for k, v in found.items() if outputs is None or k in outputs}


def _frexp_gradient(
    cotangents: Mapping[int, Value],
    result: Callable[[int], Value],
    inputs: Sequence[Value],
    wanted: Sequence[bool],
    pull: Any,
) -> list[Value | None]:
    g = cotangents.get(0)
    return [None if g is None else e.mul(g, result(2))]


def _frexp_rows(
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Any,
    numbers: Sequence[int],
    batch: Any,
) -> list[tuple[Value, bool]]:
    made = inputs[0].apply_results(FREXP, tuple(inputs), {}, tuple(numbers))
    return [(value, batched[0]) for value in made]


FREXP = define(
    "frexp",
    "host",
    "m with x = m · 2^e and 1/2 <= |m| < 1; e; and 2^-e, the slope of m",
    infer=_infer_frexp,
    evaluate=lambda x, *, output: _frexp(x, outputs=(output,))[output],
    gradient=_frexp_gradient,
    samples=lambda: [Sample((ramp(3, 5),), {"output": k}) for k in range(3)],
    reason="reads the bits of a number",
    results=_frexp,
    host=True,
    tangent="reverse",
    batch=_frexp_rows,
)


# ---- neighbours ----------------------------------------------------------------------------------


def _infer_neighbour(a: Spec, b: Spec, *, kind: str) -> Spec:
    require_float("nextafter", a)
    return Spec(broadcast_shapes(a.shape, b.shape), same_dtype("nextafter", a, b))


def _neighbour(a: np.ndarray, b: np.ndarray, *, kind: str) -> np.ndarray:
    if kind == "float16":
        return np.asarray(np.nextafter(float16.array(a), float16.array(b)), a.dtype)
    return _next_bfloat16(a, b) if kind == "bfloat16" else np.asarray(np.nextafter(a, b))


def _next_bfloat16(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The bfloat16 numbers next to ``a`` towards ``b``: neighbours differ by one as integers."""
    first, second = np.broadcast_arrays(a, b)
    bits = bfloat16.array(first).view(np.uint16).astype(np.int32)
    place = np.where(bits & 0x8000, -(bits & 0x7FFF), bits)
    moved = place + np.sign(np.nan_to_num(second - first, posinf=1, neginf=-1)).astype(np.int32)
    found = np.where(moved < 0, -moved | 0x8000, moved).astype(np.uint16).view(bfloat16.numpy)
    settled = np.isnan(first) | np.isnan(second) | (first == second)
    either = np.where(np.isnan(first), first, second)
    return np.where(settled, either, bfloat16.numbers(found).reshape(first.shape))


NEXTAFTER = define(
    "nextafter",
    "host",
    "the number next to a in the direction of b, of the operands' type or a narrower kind",
    infer=_infer_neighbour,
    evaluate=_neighbour,
    gradient=lambda g, y, a, b, *, kind: (sum_to(g, a.shape), None),
    samples=lambda: [
        Sample((np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([2.0, -9.0])), {"kind": ""})
    ],
    reason="reads the bits of a number",
    host=True,
    tangent="reverse",
    batch="elementwise",
)


# ---- incomplete gamma functions ------------------------------------------------------------------


def _infer_incomplete(a: Spec, x: Spec, *, upper: bool) -> Spec:
    require_float("incomplete_gamma", a)
    return Spec(broadcast_shapes(a.shape, x.shape), same_dtype("incomplete_gamma", a, x))


INCOMPLETE_GAMMA = define(
    "incomplete_gamma",
    "host",
    "P(a, x) = 1/Gamma(a) * integral of t^(a-1) e^-t from 0 to x; upper: 1 - P",
    infer=_infer_incomplete,
    evaluate=lambda a, x, *, upper: np.asarray(incomplete_gamma(a, x)[int(upper)], a.dtype),
    gradient=None,
    samples=lambda: [
        Sample((ramp(3, 4, low=0.2, high=3.0), ramp(4, low=0.1, high=4.0)), {"upper": upper})
        for upper in (False, True)
    ],
    reason="series and fractions of as many terms as the slowest element needs",
    host=True,
    tangent="zero",  # whoever calls it adds the derivative in x
    batch="elementwise",
)


# ---- positions -----------------------------------------------------------------------------------


def _infer_positions(mask: Spec, *, size: int, fill: int, exact: bool) -> Spec:
    if mask.dtype is not bool_:
        raise DTypeError(f"true_positions got {mask.dtype.name}", "compare first")
    return Spec((size, len(mask.shape)), int64)


def _positions(mask: np.ndarray, *, size: int, fill: int, exact: bool) -> np.ndarray:
    found = np.stack(np.nonzero(mask), 1) if mask.ndim else np.zeros((int(mask), 0), np.int64)
    if exact and len(found) != size:
        raise ShapeError(
            f"{size} values do not fit the {len(found)} elements that a mask selects",
            "give as many values as the mask has places, or one for all",
        )
    places = np.full((size, mask.ndim), fill, np.int64)
    places[: len(found)] = found[:size]
    return places


TRUE_POSITIONS = define(
    "true_positions",
    "host",
    "the first ``size`` positions where a mask is true, filled up if there are fewer; with "
    "``exact`` there have to be as many",
    infer=_infer_positions,
    evaluate=_positions,
    gradient=None,
    samples=lambda: [
        Sample((ramp(3, 4) > 0,), {"size": size, "fill": -1, "exact": False}) for size in (0, 4, 20)
    ],
    reason="a place depends on all elements before it",
    host=True,
    tangent="zero",
    batch="loop",
)
