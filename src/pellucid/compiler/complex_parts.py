"""Arithmetic on complex numbers that are two nodes: a real part and an imaginary part.

Kernels know real numbers only.  A number known to be real has no imaginary part at all, so that a
product with it takes two multiplications.  The formulas are those of Kahan ("Branch Cuts for
Complex Elementary Functions", 1987) where a plain one would overflow or lose digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from pellucid.graph.node import Node
from pellucid.ops import elementwise as e
from pellucid.ops import structure
from pellucid.ops.registry import scalar


class Parts(NamedTuple):
    """A complex value as real nodes; no ``im`` stands for zeros."""

    re: Node
    im: Node | None = None

    def imaginary(self) -> Node:
        """The imaginary part as a node."""
        if self.im is not None:
            return self.im
        zeros: Node = structure.broadcast_to(scalar(self.re, 0.0), self.re.shape)
        return zeros

    def each(self, function: Callable[[Node], Node]) -> Parts:
        """A function that is linear, applied to both parts."""
        return Parts(function(self.re), None if self.im is None else function(self.im))


def number(like: Node, value: float) -> Node:
    """A constant of the type of ``like``."""
    found: Node = scalar(like, value)
    return found


def add(a: Parts, b: Parts) -> Parts:
    """a + b."""
    if a.im is None and b.im is None:
        return Parts(e.add(a.re, b.re))
    return Parts(e.add(a.re, b.re), e.add(a.imaginary(), b.imaginary()))


def sub(a: Parts, b: Parts) -> Parts:
    """a − b."""
    if a.im is None and b.im is None:
        return Parts(e.sub(a.re, b.re))
    return Parts(e.sub(a.re, b.re), e.sub(a.imaginary(), b.imaginary()))


def product(a: Parts, b: Parts, times: Callable[[Node, Node], Node] = e.mul) -> Parts:
    """A bilinear product of complex values by one of real ones."""
    if a.im is None:
        return b.each(lambda part: times(a.re, part))
    if b.im is None:
        return a.each(lambda part: times(part, b.re))
    return Parts(
        e.sub(times(a.re, b.re), times(a.im, b.im)), e.add(times(a.re, b.im), times(a.im, b.re))
    )


def div(a: Parts, b: Parts) -> Parts:
    """a / b, the divisor scaled by its larger part (Smith, 1962)."""
    if b.im is None:
        return a.each(lambda part: e.div(part, b.re))
    size = e.maximum(e.abs(b.re), e.abs(b.im))
    re, im = e.div(b.re, size), e.div(b.im, size)
    square = e.mul(e.add(e.mul(re, re), e.mul(im, im)), size)
    turned = product(a, Parts(re, e.neg(im)))
    return turned.each(lambda part: e.div(part, square))


def size_of(a: Parts) -> Node:
    """|a|, by the ratio of the smaller part to the larger, which neither over- nor underflows."""
    first: Node = e.abs(a.re)
    if a.im is None:
        return first
    second = e.abs(a.im)
    large, small = e.maximum(first, second), e.minimum(first, second)
    plain = e.logical_or_(e.eq(large, number(large, 0.0)), e.eq(large, number(large, math.inf)))
    ratio = e.div(small, e.where(plain, number(large, 1.0), large))
    found = e.mul(large, e.sqrt(e.add(e.mul(ratio, ratio), number(ratio, 1.0))))
    chosen: Node = e.where(plain, large, found)
    return chosen


def angle(a: Parts) -> Node:
    """The angle of a in (−π, π]."""
    found: Node = e.atan2(a.imaginary(), a.re)
    return found


def exp(a: Parts) -> Parts:
    """e^a."""
    grown = e.exp(a.re)
    if a.im is None:
        return Parts(grown)
    return Parts(e.mul(grown, e.cos(a.im)), e.mul(grown, e.sin(a.im)))


def log(a: Parts) -> Parts:
    """ln a."""
    return Parts(e.log(size_of(a)), angle(a))


def scaled(a: Parts, factor: float) -> Parts:
    """a times a number."""
    return a.each(lambda part: e.mul(part, number(part, factor)))


def plus(a: Parts, value: float) -> Parts:
    """a + a real number."""
    return Parts(e.add(a.re, number(a.re, value)), a.im)


def times_i(a: Parts) -> Parts:
    """i · a."""
    return Parts(e.neg(a.imaginary()), a.re)


def sqrt(a: Parts) -> Parts:
    """√a with a real part of at least 0."""
    im = a.imaginary()
    zero = number(im, 0.0)
    half = e.sqrt(e.mul(e.add(size_of(a), e.abs(a.re)), number(im, 0.5)))
    other = e.div(im, e.where(e.eq(half, zero), number(im, 1.0), e.add(half, half)))
    right = e.ge(a.re, zero)
    # The sign of a zero says from which side of the cut the number comes.
    below = e.logical_or_(e.lt(im, zero), e.lt(e.div(number(im, 1.0), im), zero))
    signed = e.where(below, e.neg(half), half)
    return Parts(e.where(right, half, e.abs(other)), e.where(right, other, signed))


def _mixed(f: e.Function, g: e.Function, p: e.Function, q: e.Function) -> Callable[[Parts], Parts]:
    """f(re) g(im) + i p(re) q(im)."""

    def found(a: Parts) -> Parts:
        im = a.imaginary()
        return Parts(e.mul(f(a.re), g(im)), e.mul(p(a.re), q(im)))

    return found


def _minus_sin(x: Node) -> Node:
    found: Node = e.neg(e.sin(x))
    return found


def tanh(a: Parts) -> Parts:
    """tanh a, from tanh re and tan im."""
    t, u = e.tanh(a.re), e.tan(a.imaginary())
    one = number(t, 1.0)
    tt, uu = e.mul(t, t), e.mul(u, u)
    below = e.add(one, e.mul(tt, uu))
    return Parts(e.div(e.mul(t, e.add(one, uu)), below), e.div(e.mul(u, e.sub(one, tt)), below))


def sigmoid(a: Parts) -> Parts:
    """½ + ½ tanh ½a."""
    return plus(scaled(tanh(scaled(a, 0.5)), 0.5), 0.5)


def expm1(a: Parts) -> Parts:
    """e^a − 1 = expm1 re · cos im − 2 sin² ½im + i e^re sin im."""
    im = a.imaginary()
    half = e.sin(e.mul(im, number(im, 0.5)))
    re = e.sub(e.mul(e.expm1(a.re), e.cos(im)), e.mul(e.mul(half, half), number(im, 2.0)))
    return Parts(re, e.mul(e.exp(a.re), e.sin(im)))


def log1p(a: Parts) -> Parts:
    """ln (1 + a), with ½ log1p(2 re + re² + im²) as real part, but where that loses digits."""
    im = a.imaginary()
    inner = e.add(e.mul(a.re, e.add(a.re, number(im, 2.0))), e.mul(im, im))
    moved = plus(Parts(a.re, im), 1.0)
    near = e.le(e.abs(inner), number(im, 0.5))
    small = e.mul(e.log1p(e.where(near, inner, number(im, 0.0))), number(im, 0.5))
    return Parts(e.where(near, small, e.log(size_of(moved))), angle(moved))


def power(a: Parts, b: Parts) -> Parts:
    """a^b = e^(b ln a); of 0, 1 for b = 0 and else 0."""
    nothing = e.eq(size_of(a), number(a.re, 0.0))
    safe = Parts(e.where(nothing, number(a.re, 1.0), a.re), a.im)
    found = exp(product(b, log(safe)))
    none = e.eq(size_of(b), number(b.re, 0.0))
    at_zero = e.where(none, number(a.re, 1.0), number(a.re, 0.0))
    return Parts(
        e.where(nothing, at_zero, found.re),
        e.where(nothing, number(a.re, 0.0), found.imaginary()),
    )


def asinh(a: Parts) -> Parts:
    """ln (a + √(a² + 1)) by angles: re from asinh, im from atan2 of √(1 ± ia)."""
    turned = asin(times_i(a))
    return Parts(turned.imaginary(), e.neg(turned.re))


def asin(a: Parts) -> Parts:
    """arcsin a (Kahan): re = atan(re / Re(u v)), im = asinh(Im(ū v)), u, v = √(1 − a), √(1 + a)."""
    u, v = sqrt(plus(scaled(a, -1.0), 1.0)), sqrt(plus(a, 1.0))
    both, conjugate = product(u, v), product(Parts(u.re, e.neg(u.imaginary())), v)
    return Parts(e.atan2(a.re, both.re), e.asinh(conjugate.imaginary()))


def acos(a: Parts) -> Parts:
    """arccos a (Kahan): re = 2 atan(Re u / Re v), im = asinh(Im(v̄ u))."""
    u, v = sqrt(plus(scaled(a, -1.0), 1.0)), sqrt(plus(a, 1.0))
    conjugate = product(Parts(v.re, e.neg(v.imaginary())), u)
    turn = e.mul(e.atan2(u.re, v.re), number(u.re, 2.0))
    return Parts(turn, e.asinh(conjugate.imaginary()))


def acosh(a: Parts) -> Parts:
    """arcosh a (Kahan), u, v = √(a − 1), √(a + 1): re = asinh(Re ūv), im = 2 atan(Im u / Re v)."""
    u, v = sqrt(plus(a, -1.0)), sqrt(plus(a, 1.0))
    conjugate = product(Parts(u.re, e.neg(u.imaginary())), v)
    return Parts(e.asinh(conjugate.re), e.mul(e.atan2(u.imaginary(), v.re), number(u.re, 2.0)))


def atanh(a: Parts) -> Parts:
    """½ ln((1 + a) / (1 − a)) as ½ (log1p(a) − log1p(−a))."""
    return scaled(sub(log1p(a), log1p(scaled(a, -1.0))), 0.5)


def atan(a: Parts) -> Parts:
    """−i artanh(i a)."""
    turned = atanh(times_i(a))
    return Parts(turned.imaginary(), e.neg(turned.re))


def tan(a: Parts) -> Parts:
    """−i tanh(i a)."""
    turned = tanh(times_i(a))
    return Parts(turned.imaginary(), e.neg(turned.re))


FUNCTIONS: dict[str, Callable[[Parts], Parts]] = {
    "exp": exp,
    "log": log,
    "log1p": log1p,
    "log2": lambda a: scaled(log(a), 1 / math.log(2)),
    "log10": lambda a: scaled(log(a), 1 / math.log(10)),
    "expm1": expm1,
    "sqrt": sqrt,
    "sin": _mixed(e.sin, e.cosh, e.cos, e.sinh),
    "cos": _mixed(e.cos, e.cosh, _minus_sin, e.sinh),
    "sinh": _mixed(e.sinh, e.cos, e.cosh, e.sin),
    "cosh": _mixed(e.cosh, e.cos, e.sinh, e.sin),
    "tan": tan,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "asinh": asinh,
    "acosh": acosh,
    "atanh": atanh,
}
"""Element-wise functions of one complex number by name."""
