"""Element-wise primitives: the same scalar function at every position.

Inputs broadcast against each other by NumPy's rule and must have one dtype (floor 6 converts).
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable

import numpy as np

from pellucid.base.dtypes import DType, as_dtype, bool_, float32, float64, int32
from pellucid.base.errors import DTypeError, DTypeUnsupportedError
from pellucid.base.shapes import Shape, broadcast_shapes
from pellucid.graph.node import Primitive, Sample, Spec
from pellucid.ops.registry import (
    PRIMITIVES,
    Value,
    apply,
    define,
    ramp,
    require_float,
    same_dtype,
    scalar,
    sum_to,
)

_NATIVE = "a single machine operation, or a special function that the backend writes out"


# ---- shape and dtype rules ------------------------------------------------------------------


def _infer_float(name: str) -> Callable[[Spec], Spec]:
    def infer(x: Spec) -> Spec:
        require_float(name, x)
        return x

    return infer


def _infer_number(name: str) -> Callable[..., Spec]:
    def infer(*specs: Spec) -> Spec:
        dtype = same_dtype(name, *specs)
        if dtype is bool_:
            raise DTypeError(f"{name} is not defined for bool", "convert with .int() or .float()")
        return Spec(broadcast_shapes(*(s.shape for s in specs)), dtype)

    return infer


def _infer_any(name: str) -> Callable[..., Spec]:
    def infer(*specs: Spec) -> Spec:
        return Spec(broadcast_shapes(*(s.shape for s in specs)), same_dtype(name, *specs))

    return infer


def _infer_binary_float(name: str) -> Callable[[Spec, Spec], Spec]:
    def infer(x: Spec, y: Spec) -> Spec:
        require_float(name, x)
        return Spec(broadcast_shapes(x.shape, y.shape), same_dtype(name, x, y))

    return infer


def _infer_compare(name: str) -> Callable[[Spec, Spec], Spec]:
    def infer(x: Spec, y: Spec) -> Spec:
        same_dtype(name, x, y)
        return Spec(broadcast_shapes(x.shape, y.shape), bool_)

    return infer


def _infer_bits(name: str) -> Callable[..., Spec]:
    def infer(*specs: Spec) -> Spec:
        dtype = same_dtype(name, *specs)
        if dtype.is_floating_point:
            raise DTypeUnsupportedError(
                f"{name} needs integers or bool and got {dtype.name}", "compare first"
            )
        return Spec(broadcast_shapes(*(s.shape for s in specs)), dtype)

    return infer


# ---- building the table ---------------------------------------------------------------------


def _samples_unary(low: float, high: float) -> Callable[[], Iterable[Sample]]:
    def samples() -> Iterable[Sample]:
        yield Sample((ramp(3, 5, low=low, high=high),))
        yield Sample((ramp(1, low=low, high=high).reshape(()),))
        yield Sample((ramp(2, 0, 3),))
        yield Sample((ramp(33, low=low, high=high),))

    return samples


def _samples_binary(
    low: float = -2.0, high: float = 2.0, low2: float | None = None, high2: float | None = None
) -> Callable[[], Iterable[Sample]]:
    second = (low if low2 is None else low2, high if high2 is None else high2)

    def samples() -> Iterable[Sample]:
        for left, right in (((3, 5), (3, 5)), ((4, 1, 3), (2, 1)), ((7,), ()), ((0, 3), (3,))):
            y = ramp(*right, low=second[0], high=second[1])[...] + 0.0291
            yield Sample((ramp(*left, low=low, high=high), y))

    return samples


def _integers(*shapes: Shape) -> Callable[[], Iterable[Sample]]:
    def samples() -> Iterable[Sample]:
        yield Sample(tuple(np.arange(math.prod(s)).reshape(s) % 5 - 2 for s in shapes))
        yield Sample(tuple(np.arange(math.prod(s)).reshape(s) % 3 == 1 for s in shapes))

    return samples


def _unary(
    name: str,
    formula: str,
    evaluate: Callable[[np.ndarray], np.ndarray],
    gradient: Callable[[Value, Value, Value], Value] | None,
    low: float = -2.0,
    high: float = 2.0,
    infer: Callable[..., Spec] | None = None,
    tangent: str = "diagonal",
) -> Primitive:
    """A unary primitive; ``gradient(cotangent, output, input)`` gives the input's cotangent."""
    rule = None if gradient is None else (lambda g, y, x: (gradient(g, y, x),))
    return define(
        name,
        "elementwise",
        formula,
        infer=infer or _infer_float(name),
        evaluate=evaluate,
        gradient=rule,
        samples=_samples_unary(low, high),
        reason=_NATIVE,
        tangent="zero" if gradient is None else tangent,
        batch="elementwise",
    )


def _binary(
    name: str,
    formula: str,
    evaluate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    gradient: Callable[[Value, Value, Value, Value], tuple[Value | None, Value | None]] | None,
    infer: Callable[..., Spec],
    samples: Callable[[], Iterable[Sample]] | None = None,
    tangent: str = "diagonal",
) -> Primitive:
    """A binary primitive whose cotangents are summed back over broadcast axes."""

    def rule(g: Value, out: Value, x: Value, y: Value) -> tuple[Value | None, Value | None]:
        gx, gy = gradient(g, out, x, y)  # type: ignore[misc]
        return (
            None if gx is None else sum_to(gx, x.shape),
            None if gy is None else sum_to(gy, y.shape),
        )

    return define(
        name,
        "elementwise",
        formula,
        infer=infer,
        evaluate=evaluate,
        gradient=None if gradient is None else rule,
        samples=samples or _samples_binary(),
        reason=_NATIVE,
        tangent="zero" if gradient is None else tangent,
        batch="elementwise",
    )


# ---- arithmetic -----------------------------------------------------------------------------

NEGATIVE = _unary(
    "neg", "-x", np.negative, lambda g, y, x: neg(g), infer=_infer_number("neg"), tangent="linear"
)
ABSOLUTE = _unary("abs", "|x|", np.abs, lambda g, y, x: mul(g, sign(x)), infer=_infer_number("abs"))


def _sign(x: np.ndarray) -> np.ndarray:
    """−1, 0 or 1; 0 for NaN, too."""
    return np.asarray(np.where(x != x, 0, np.sign(x)), x.dtype)


SIGN = _unary("sign", "sign(x)", _sign, lambda g, y, x: _flat(g, y, x), infer=_infer_number("sign"))
ADD = _binary(
    "add", "x + y", np.add, lambda g, o, x, y: (g, g), _infer_number("add"), tangent="linear"
)
SUBTRACT = _binary(
    "sub",
    "x - y",
    np.subtract,
    lambda g, o, x, y: (g, neg(g)),
    _infer_number("sub"),
    tangent="linear",
)
MULTIPLY = _binary(
    "mul",
    "x * y",
    np.multiply,
    lambda g, o, x, y: (mul(g, y), mul(g, x)),
    _infer_number("mul"),
    tangent="multilinear",
)
DIVIDE = _binary(
    "div",
    "x / y",
    np.divide,
    # Not from the result, which may be changed in place; in a graph this is the result's node.
    lambda g, o, x, y: (div(g, y), neg(div(mul(g, div(x, y)), y))),
    _infer_binary_float("div"),
    _samples_binary(low2=0.5, high2=3.0),
)


FLOOR_DIVIDE = _binary(
    "floor_divide",
    "floor(x / y)",
    np.floor_divide,
    None,
    _infer_number("floor_divide"),
    _samples_binary(low2=0.5, high2=3.0),
)
REMAINDER = _binary(
    "remainder",
    "x - floor(x / y) * y",
    np.remainder,
    lambda g, o, x, y: (g, neg(mul(g, floor(div(x, y))))),
    _infer_number("remainder"),
    _samples_binary(low2=0.5, high2=3.0),
)
FMOD = _binary(
    "fmod",
    "x - trunc(x / y) * y",
    np.fmod,
    lambda g, o, x, y: (g, neg(mul(g, trunc(div(x, y))))),
    _infer_number("fmod"),
    _samples_binary(low2=0.5, high2=3.0),
)
MAXIMUM = _binary(
    "maximum",
    "max(x, y)",
    np.maximum,
    lambda g, o, x, y: _share_ties(g, x, y, lt(x, y), lt(y, x)),
    _infer_any("maximum"),
)
MINIMUM = _binary(
    "minimum",
    "min(x, y)",
    np.minimum,
    lambda g, o, x, y: _share_ties(g, x, y, lt(y, x), lt(x, y)),
    _infer_any("minimum"),
)


def _share_ties(g: Value, x: Value, y: Value, x_lost: Value, y_lost: Value) -> tuple[Value, Value]:
    """The side that was taken gets the cotangent; at a tie each side gets half, and beside a NaN
    both get it (as PyTorch)."""
    zero, tie = scalar(g, 0.0), eq(x, y)
    shared = where(tie, mul(g, scalar(g, 0.5)), g)
    return where(x_lost, zero, shared), where(y_lost, zero, shared)


# ---- powers, exponentials, logarithms -------------------------------------------------------

SQUARE_ROOT = _unary(
    "sqrt", "sqrt(x)", np.sqrt, lambda g, y, x: div(mul(g, scalar(g, 0.5)), y), 0.2, 3.0
)
EXP = _unary("exp", "e^x", np.exp, lambda g, y, x: mul(g, y))
EXPM1 = _unary("expm1", "e^x - 1", np.expm1, lambda g, y, x: mul(g, add(y, scalar(y, 1.0))))
LOG = _unary("log", "ln(x)", np.log, lambda g, y, x: div(g, x), 0.2, 3.0)
LOG1P = _unary(
    "log1p", "ln(1 + x)", np.log1p, lambda g, y, x: div(g, add(x, scalar(x, 1.0))), -0.6, 3.0
)
LOG2 = _unary(
    "log2", "log2(x)", np.log2, lambda g, y, x: div(g, mul(x, scalar(x, math.log(2)))), 0.2, 3.0
)
LOG10 = _unary(
    "log10", "log10(x)", np.log10, lambda g, y, x: div(g, mul(x, scalar(x, math.log(10)))), 0.2, 3.0
)


def _power_gradient(g: Value, out: Value, x: Value, y: Value) -> tuple[Value, Value]:
    one, zero = scalar(x, 1.0), scalar(x, 0.0)
    # y * x^(y-1), with 0 where y = 0 so that 0^-1 does not make NaN out of nothing.
    gx = where(eq(y, zero), zero, mul(g, mul(y, pow(x, sub(y, one)))))
    # x^y * ln(x); at x = 0 with y >= 0 the limit is 0.
    limit = logical_and_(eq(x, zero), ge(y, zero))
    gy = mul(g, where(limit, zero, mul(out, log(where(limit, one, x)))))
    return gx, gy


POWER = _binary(
    "pow",
    "x^y",
    np.power,
    _power_gradient,
    _infer_binary_float("pow"),
    _samples_binary(0.3, 2.5, -2, 2),
)

# ---- trigonometric and hyperbolic -----------------------------------------------------------

SIN = _unary("sin", "sin(x)", np.sin, lambda g, y, x: mul(g, cos(x)))
COS = _unary("cos", "cos(x)", np.cos, lambda g, y, x: neg(mul(g, sin(x))))
TAN = _unary("tan", "tan(x)", np.tan, lambda g, y, x: mul(g, add(mul(y, y), scalar(y, 1.0))), -1, 1)
ASIN = _unary(
    "asin", "arcsin(x)", np.arcsin, lambda g, y, x: div(g, sqrt(_one_minus_square(x))), -0.9, 0.9
)
ACOS = _unary(
    "acos",
    "arccos(x)",
    np.arccos,
    lambda g, y, x: neg(div(g, sqrt(_one_minus_square(x)))),
    -0.9,
    0.9,
)
ATAN = _unary(
    "atan", "arctan(x)", np.arctan, lambda g, y, x: div(g, add(mul(x, x), scalar(x, 1.0)))
)
SINH = _unary("sinh", "sinh(x)", np.sinh, lambda g, y, x: mul(g, cosh(x)))
COSH = _unary("cosh", "cosh(x)", np.cosh, lambda g, y, x: mul(g, sinh(x)))
TANH = _unary("tanh", "tanh(x)", np.tanh, lambda g, y, x: mul(g, _one_minus_square(y)))
ASINH = _unary(
    "asinh", "arsinh(x)", np.arcsinh, lambda g, y, x: div(g, sqrt(add(mul(x, x), scalar(x, 1.0))))
)
ACOSH = _unary(
    "acosh",
    "arcosh(x)",
    np.arccosh,
    lambda g, y, x: div(g, sqrt(sub(mul(x, x), scalar(x, 1.0)))),
    1.2,
    3.0,
)
ATANH = _unary(
    "atanh", "artanh(x)", np.arctanh, lambda g, y, x: div(g, _one_minus_square(x)), -0.8, 0.8
)
ATAN2 = _binary(
    "atan2",
    "angle of the point (y, x) [first input: y]",
    np.arctan2,
    lambda g, o, x, y: _atan2_gradient(g, x, y),
    _infer_binary_float("atan2"),
)


def _atan2_gradient(g: Value, x: Value, y: Value) -> tuple[Value, Value]:
    """g · (y, −x) / (x² + y²); at the origin, which has no angle, 0."""
    square = add(mul(x, x), mul(y, y))
    square = where(eq(square, scalar(x, 0.0)), scalar(x, 1.0), square)
    return div(mul(g, y), square), neg(div(mul(g, x), square))


def _one_minus_square(x: Value) -> Value:
    return sub(scalar(x, 1.0), mul(x, x))


# ---- other special functions ----------------------------------------------------------------


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x) without overflow in either tail."""
    decay = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + decay), decay / (1 + decay)), x.dtype)


def _by_element(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A NumPy function from one of Python's math module, in double precision inside."""
    ufunc = np.frompyfunc(function, 1, 1)

    def evaluate(x: np.ndarray) -> np.ndarray:
        return np.asarray(ufunc(x.astype(np.float64)), np.float64).astype(x.dtype)

    return evaluate


def _lgamma(x: float) -> float:
    if math.isnan(x):
        return x
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    try:
        return math.lgamma(x)
    except OverflowError:
        return math.inf


def _digamma(x: float) -> float:
    """d/dx ln Γ(x) by reflection, upward recurrence and the asymptotic series (Bernardo, 1976)."""
    if math.isnan(x) or x == -math.inf or (x < 0 and x == math.floor(x)):
        return math.nan
    if x == 0:
        return math.copysign(math.inf, -x)
    if x == math.inf:
        return x
    if x < 0:
        fraction = x - math.floor(x)
        return _digamma(1 - x) - math.pi / math.tan(math.pi * fraction)
    result = 0.0
    while x < 10:
        result -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    series = inverse * (
        1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132)))
    )
    return result + math.log(x) - 0.5 / x - series


def _erfinv(x: float) -> float:
    """Inverse of erf: Winitzki's (2008) starting value, then Newton steps.

    They aim at erf(y) = |x| near 0 and at erfc(y) = 1 - |x| in the tail, where each is accurate.
    """
    size = math.fabs(x)
    if not size <= 1:
        return math.nan
    if size == 1:
        return math.copysign(math.inf, x)
    w = -math.log1p(-size * size)
    a = 2 / (math.pi * 0.147) - w / 2
    y = math.sqrt(math.sqrt(a * a + w / 0.147) - a) if w > 0.5 else size * math.sqrt(math.pi) / 2
    for _ in range(6):
        error = math.erfc(y) - (1 - size) if size > 0.5 else size - math.erf(y)
        y += error * math.sqrt(math.pi) / 2 * math.exp(y * y)
    return math.copysign(y, x)


SIGMOID = _unary(
    "sigmoid", "1 / (1 + e^-x)", _sigmoid, lambda g, y, x: mul(g, mul(y, sub(scalar(y, 1.0), y)))
)
ERF = _unary(
    "erf",
    "2/sqrt(pi) * integral of e^(-t^2) from 0 to x",
    _by_element(math.erf),
    lambda g, y, x: mul(g, mul(scalar(x, 2 / math.sqrt(math.pi)), exp(neg(mul(x, x))))),
)
ERFC = _unary(
    "erfc",
    "1 - erf(x)",
    _by_element(math.erfc),
    lambda g, y, x: mul(g, mul(scalar(x, -2 / math.sqrt(math.pi)), exp(neg(mul(x, x))))),
)
ERFINV = _unary(
    "erfinv",
    "the y with erf(y) = x",
    _by_element(_erfinv),
    lambda g, y, x: mul(g, mul(scalar(x, math.sqrt(math.pi) / 2), exp(mul(erfinv(x), erfinv(x))))),
    -0.9,
    0.9,
)
LGAMMA = _unary(
    "lgamma", "ln |Gamma(x)|", _by_element(_lgamma), lambda g, y, x: mul(g, digamma(x)), 0.3, 4.0
)
DIGAMMA = _unary(
    "digamma",
    "derivative of ln Gamma(x)",
    _by_element(_digamma),
    lambda g, y, x: mul(g, trigamma(x)),
    0.3,
    4.0,
)


def trigamma(x: Value) -> Value:
    """The second derivative of ln Γ(x), composed, so that it has derivatives itself.

    Ten steps of the recurrence ψ'(x) = ψ'(x + 1) + 1/x², the asymptotic series from there, and
    reflection below 1/2 (Abramowitz and Stegun, 1964, 6.4).
    """
    one, quarter = scalar(x, 1.0), scalar(x, 0.25)
    below = lt(x, scalar(x, 0.5))
    z = where(below, sub(one, x), x)
    total = scalar(x, 0.0)
    for _ in range(10):
        total = add(total, div(one, mul(z, z)))
        z = add(z, one)
    inverse = div(one, z)
    square = mul(inverse, inverse)
    series = scalar(x, -1 / 30)
    for coefficient in (1 / 42, -1 / 30, 1 / 6):
        series = add(mul(series, square), scalar(x, coefficient))
    tail = mul(add(add(one, mul(inverse, scalar(x, 0.5))), mul(square, series)), inverse)
    total = add(total, tail)
    turn = sin(mul(where(below, x, quarter), scalar(x, math.pi)))  # no pole in the other branch
    reflected = sub(div(scalar(x, math.pi**2), mul(turn, turn)), total)
    return where(below, reflected, total)


# ---- rounding -------------------------------------------------------------------------------


def _flat(g: Value, y: Value, x: Value) -> Value:
    """Zeros: the derivative of a staircase wherever it has one."""
    zero = scalar(x, 0.0)
    return apply(PRIMITIVES["broadcast_to"], zero, shape=tuple(x.shape)) if x.shape else zero


FLOOR = _unary("floor", "largest integer <= x", np.floor, _flat)
CEIL = _unary("ceil", "smallest integer >= x", np.ceil, _flat)
TRUNC = _unary("trunc", "x without its fraction", np.trunc, _flat)
ROUND = _unary("round", "nearest integer, ties to even", np.rint, _flat)

# ---- comparison, logic, choice --------------------------------------------------------------

EQUAL = _binary("eq", "x = y", np.equal, None, _infer_compare("eq"))
NOT_EQUAL = _binary("ne", "x != y", np.not_equal, None, _infer_compare("ne"))
LESS = _binary("lt", "x < y", np.less, None, _infer_compare("lt"))
LESS_EQUAL = _binary("le", "x <= y", np.less_equal, None, _infer_compare("le"))
GREATER = _binary("gt", "x > y", np.greater, None, _infer_compare("gt"))
GREATER_EQUAL = _binary("ge", "x >= y", np.greater_equal, None, _infer_compare("ge"))
AND = _binary(
    "bitwise_and",
    "x and y",
    np.bitwise_and,
    None,
    _infer_bits("bitwise_and"),
    _integers((4, 3), (3,)),
)
OR = _binary(
    "bitwise_or", "x or y", np.bitwise_or, None, _infer_bits("bitwise_or"), _integers((4, 3), (3,))
)
XOR = _binary(
    "bitwise_xor",
    "x xor y",
    np.bitwise_xor,
    None,
    _infer_bits("bitwise_xor"),
    _integers((4, 3), (3,)),
)
NOT = define(
    "bitwise_not",
    "elementwise",
    "not x",
    infer=_infer_bits("bitwise_not"),
    evaluate=np.invert,
    gradient=None,
    samples=_integers((4, 3)),
    reason=_NATIVE,
    tangent="zero",
    batch="elementwise",
)


def _infer_where(condition: Spec, x: Spec, y: Spec) -> Spec:
    if condition.dtype is not bool_:
        raise DTypeError(
            f"where needs a bool condition and got {condition.dtype.name}", "compare first: x > 0"
        )
    return Spec(broadcast_shapes(condition.shape, x.shape, y.shape), same_dtype("where", x, y))


def _where_gradient(
    g: Value, out: Value, condition: Value, x: Value, y: Value
) -> tuple[None, Value, Value]:
    zero = scalar(g, 0.0)
    return (
        None,
        sum_to(where(condition, g, zero), x.shape),
        sum_to(where(condition, zero, g), y.shape),
    )


def _where_samples() -> Iterable[Sample]:
    yield Sample((np.arange(15).reshape(3, 5) % 3 == 0, ramp(3, 5), ramp(5)))
    yield Sample((np.asarray(True), ramp(2, 3), ramp(2, 3) + 1))


WHERE = define(
    "where",
    "elementwise",
    "x where the condition holds, else y",
    infer=_infer_where,
    evaluate=np.where,
    gradient=_where_gradient,
    samples=_where_samples,
    reason=_NATIVE,
    tangent="linear",
    batch="elementwise",
)


def _infer_cast(x: Spec, *, dtype: DType) -> Spec:
    return Spec(x.shape, dtype)


def _evaluate_cast(x: np.ndarray, *, dtype: DType) -> np.ndarray:
    source = as_dtype(x.dtype)
    numbers = source.numbers(x) if source.is_narrow else x
    if dtype.is_narrow:
        return dtype.array(numbers)
    if source.kind == "float" and dtype.kind == "int":
        return _whole_numbers(numbers, dtype.numpy)
    return numbers.astype(dtype.numpy)


def _whole_numbers(numbers: np.ndarray, to: np.dtype) -> np.ndarray:
    """Without fractions; out of range of int32 (or of int64, for that) the lowest number of it.

    So do x86 processors; NumPy leaves it to the processor, and others saturate.
    """
    wide = to if to.itemsize > 4 else np.dtype(np.int32)
    lowest = np.iinfo(wide).min
    with np.errstate(invalid="ignore"):
        found = numbers.astype(wide)
        if not _IS_X86:
            found = np.where(numbers < -float(lowest), found, lowest).astype(wide)
    return found.astype(to, copy=False)


_IS_X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _cast_samples() -> Iterable[Sample]:
    yield Sample((ramp(3, 4),), {"dtype": float64})
    yield Sample((ramp(3, 4),), {"dtype": int32})
    yield Sample((ramp(3, 4),), {"dtype": bool_})


def _cast_gradient(g: Value, out: Value, x: Value, *, dtype: DType) -> tuple[Value | None]:
    both = dtype.is_floating_point and x.dtype.is_floating_point
    return (cast(g, x.dtype) if both else None,)


CAST = define(
    "cast",
    "elementwise",
    "x as another element type",
    infer=_infer_cast,
    evaluate=_evaluate_cast,
    gradient=_cast_gradient,
    samples=_cast_samples,
    reason=_NATIVE,
    tangent="linear",
    batch="elementwise",
)


COPY = _unary(
    "copy",
    "x, in memory of its own",
    np.copy,
    lambda g, y, x: g,
    infer=lambda x: x,
    tangent="linear",
)
DETACH = _unary("detach", "x, a constant to gradients", np.copy, None, infer=lambda x: x)


# ---- the functions --------------------------------------------------------------------------


Function = Callable[..., Value]
"""Applies one primitive to nodes or tensors."""


def _function(primitive: Primitive) -> Function:
    """The function that applies a primitive; it carries the formula as its docstring."""

    def call(*inputs: Value) -> Value:
        return inputs[0].apply_primitive(primitive, inputs, {})

    call.__name__ = call.__qualname__ = primitive.name
    call.__doc__ = f"{primitive.formula}, element by element."
    return call


neg: Function = _function(NEGATIVE)
abs: Function = _function(ABSOLUTE)
sign: Function = _function(SIGN)
add: Function = _function(ADD)
sub: Function = _function(SUBTRACT)
mul: Function = _function(MULTIPLY)
div: Function = _function(DIVIDE)
floor_divide: Function = _function(FLOOR_DIVIDE)
remainder: Function = _function(REMAINDER)
fmod: Function = _function(FMOD)
maximum: Function = _function(MAXIMUM)
minimum: Function = _function(MINIMUM)
sqrt: Function = _function(SQUARE_ROOT)
exp: Function = _function(EXP)
expm1: Function = _function(EXPM1)
log: Function = _function(LOG)
log1p: Function = _function(LOG1P)
log2: Function = _function(LOG2)
log10: Function = _function(LOG10)
pow: Function = _function(POWER)
sin: Function = _function(SIN)
cos: Function = _function(COS)
tan: Function = _function(TAN)
asin: Function = _function(ASIN)
acos: Function = _function(ACOS)
atan: Function = _function(ATAN)
atan2: Function = _function(ATAN2)
sinh: Function = _function(SINH)
cosh: Function = _function(COSH)
tanh: Function = _function(TANH)
asinh: Function = _function(ASINH)
acosh: Function = _function(ACOSH)
atanh: Function = _function(ATANH)
sigmoid: Function = _function(SIGMOID)
erf: Function = _function(ERF)
erfc: Function = _function(ERFC)
erfinv: Function = _function(ERFINV)
lgamma: Function = _function(LGAMMA)
digamma: Function = _function(DIGAMMA)
floor: Function = _function(FLOOR)
ceil: Function = _function(CEIL)
trunc: Function = _function(TRUNC)
round: Function = _function(ROUND)
eq: Function = _function(EQUAL)
ne: Function = _function(NOT_EQUAL)
lt: Function = _function(LESS)
le: Function = _function(LESS_EQUAL)
gt: Function = _function(GREATER)
ge: Function = _function(GREATER_EQUAL)
logical_and_: Function = _function(AND)
logical_or_: Function = _function(OR)
logical_xor_: Function = _function(XOR)
logical_not_: Function = _function(NOT)
copy: Function = _function(COPY)
detach: Function = _function(DETACH)
where: Function = _function(WHERE)


def cast(x: Value, dtype: DType) -> Value:
    """``x`` with elements of ``dtype``; the same value when it already has it.

    A floating-point number loses its fraction as an integer.  What int32 cannot hold (for int64:
    what that cannot hold), NaN included, becomes its lowest number; narrower integers are the
    lowest bits of that int32.
    """
    return x if x.dtype is dtype else apply(CAST, x, dtype=dtype)


def accumulate(a: Value, b: Value) -> Value:
    """a + b of any float dtype: narrow values (bfloat16, float16) are added in float32.

    Tensors see to that by themselves; the values of a graph do not.
    """
    if not a.dtype.is_narrow:
        return add(a, b)
    return cast(add(cast(a, float32), cast(b, float32)), a.dtype)
