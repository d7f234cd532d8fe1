"""Special functions beyond those that tensors have as methods (``pellucid.special``).

All are composed of elementary operations and Chebyshev series (:mod:`.special_series`; Clenshaw,
1962), computed in float64 and rounded once to the input's dtype; integers and bool become float32.
Where PyTorch defines no gradient, composites have one all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.dtypes import float64
from pellucid.ops import elementwise
from pellucid.tensor import special_series as series
from pellucid.tensor.arguments import Operand
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_float, as_operand, together

_where = elementwise.where


def _wide(function: Callable[[Any], Any], input: Operand) -> Tensor:
    """The function of the input in float64, in the input's dtype."""
    x: Any = as_float(as_operand(input))
    made: Tensor = elementwise.cast(function(elementwise.cast(x, float64)), x.dtype)
    return made


def _constant(value: float) -> Any:
    return as_operand(value, float64)


def _chebyshev_series(coefficients: Sequence[float], t: Any) -> Any:
    """Σ c_k T_k(t) for t in [−1, 1] by Clenshaw's recurrence."""
    after, last = _constant(0.0), _constant(0.0)
    double = t * 2
    for c in reversed(coefficients[1:]):
        after, last = double * after - last + c, after
    return t * after - last + coefficients[0]


# ---- the normal distribution ---------------------------------------------------------------------


def _scaled_tail(x: Any) -> Any:
    """e^(x²) erfc(x) for x ≥ 0."""
    t = 1 - 7.5 / (x + 3.75)  # (x − 3.75) / (x + 3.75), also for x = ∞
    return _chebyshev_series(series.ERFCX, t) / (1 + 2 * x)


@takes_out
def erfcx(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """e^(x²) erfc(x), which neither vanishes nor overflows for large x, element by element.

    By a Chebyshev series in (x − 3.75) / (x + 3.75) (Schonfelder, 1978); for x < 0 as
    2 e^(x²) − erfcx(−x).
    """

    def formula(x: Any) -> Any:
        below = x.lt(0)
        tail = _scaled_tail(_where(below, -x, x))
        square = _where(below, x, _constant(0.0)).square()
        return _where(below, 2 * square.exp() - tail, tail)

    return _wide(formula, input)


@takes_out
def ndtr(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The normal distribution function Φ(x) = ½ erfc(−x / √2), element by element."""
    return _wide(lambda x: (x * -math.sqrt(0.5)).erfc() / 2, input)


def _log_normal(x: Any) -> Any:
    low = x.lt(-1.0)
    far = _where(low, -x, _constant(1.0))
    tail = (_scaled_tail(far * math.sqrt(0.5)) / 2).log() - far.square() / 2
    near = _where(low, _constant(0.0), x)
    return _where(low, tail, (-(near * math.sqrt(0.5)).erfc() / 2).log1p())


@takes_out
def log_ndtr(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """ln Φ(x), also where Φ(x) is too small for a number, element by element."""
    return _wide(_log_normal, input)


@takes_out
def ndtri(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The inverse of Φ: the x with Φ(x) = p; −∞ for 0, ∞ for 1, NaN outside of [0, 1].

    By the inverse error function, and where p or 1 − p is small by Newton's method on ln Φ.
    """

    def formula(p: Any) -> Any:
        fixed = p.detach()
        upper = fixed.gt(0.5)
        tail = _where(upper, 1 - fixed, fixed)
        inner = tail.gt(0).logical_and(tail.le(0.5))
        safe = _where(inner, tail, _constant(0.25))
        target = safe.log()
        x = -(-2 * target - (_constant(4.0) - 2 * target).log() * 0.8).clamp(min=0.0).sqrt()
        for _ in range(6):
            slope = math.sqrt(2 / math.pi) / _scaled_tail(-x * math.sqrt(0.5))
            x = x - (_log_normal(x) - target) / slope
        x = _where(upper, -x, x)
        ends = _where(fixed.eq(0), _constant(-math.inf), _constant(math.nan))
        x = _where(inner, x, _where(fixed.eq(1), _constant(math.inf), ends)).detach()
        rough = (2 * _where(inner, p, _constant(0.5)) - 1).erfinv() * math.sqrt(2)
        x = _where(inner.logical_and(tail.gt(0.1)), rough.detach(), x)
        return x + _nothing(rough, x)  # whose slopes are right

    return _wide(formula, input)


def _nothing(x: Any, value: Any) -> Any:
    """0 with the gradient of ``x``, where it and the value are finite."""
    fixed = x.detach()
    return _where(fixed.isfinite().logical_and(value.isfinite()), x - fixed, _constant(0.0))


# ---- entropies and products with logarithms ------------------------------------------------------


@takes_out
def entr(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """−x ln x, 0 at 0 and −∞ below, element by element."""

    def formula(x: Any) -> Any:
        positive = x.gt(0)
        safe = _where(positive, x, _constant(1.0))
        ends = _where(x.eq(0), _constant(0.0), _constant(-math.inf))
        return _where(positive, -x * safe.log(), _where(x.isnan(), x, ends))

    return _wide(formula, input)


@takes_out
def xlog1py(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """x ln(1 + y), 0 where x is 0 and y no NaN; shapes broadcast."""
    first, second = (as_float(t) for t in together(input, other))
    x, y = (elementwise.cast(t, float64) for t in (first, second))
    zero = x.eq(0).logical_and(y.isnan().logical_not())
    safe = _where(zero.logical_and(y.le(-1)), _constant(0.0), y)
    found = _where(zero, (x - x.detach()) * safe.log1p(), x * safe.log1p())
    made: Tensor = elementwise.cast(found, first.dtype)
    return made


# ---- Hurwitz's zeta function ---------------------------------------------------------------------

_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_TERMS = 12


@takes_out
def zeta(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """ζ(x, q) = Σ_{k≥0} (k + q)^−x for x > 1; shapes broadcast.

    ∞ for x = 1 and for q = 0, −1, −2, …; NaN for x < 1, and for other q < 0 unless x is whole.  By
    Euler's and Maclaurin's formula behind the twelfth term.  (Abramowitz and Stegun, 1964, 23.2.)
    """
    x, q = (as_float(t) for t in together(input, other))
    kind = x.dtype
    s, start = (elementwise.cast(t, float64) for t in (x, q))
    whole = start.eq(start.floor())
    pole = s.eq(1).logical_or(start.le(0).logical_and(whole))
    broken = start.lt(0).logical_and(s.eq(s.floor()).logical_not())
    wrong = s.lt(1).logical_or(broken.logical_and(pole.logical_not()))
    usual = pole.logical_or(wrong).logical_not()
    s = _where(usual.logical_or(s.isnan()), s, _constant(2.0))
    z = _where(usual.logical_or(start.isnan()), start, _constant(1.0))
    # Terms at negative q are summed one by one until q is positive.
    total = _negative_terms(s, z)
    z = _where(z.lt(0), z - z.detach().floor(), z)
    for _ in range(_TERMS):
        total, z = total + z.pow(-s), z + 1
    last = z.pow(-s)
    tail = last * z / (s - 1) + last / 2
    factor, power = s / 2, last / z
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        tail = tail + power * factor * bernoulli
        factor = factor * (s + (2 * k - 1)) * (s + 2 * k) / ((2 * k + 1) * (2 * k + 2))
        power = power / z.square()
    tail = _where(last.eq(0), _constant(0.0), tail)
    found = _where(pole, _constant(math.inf), total + tail)
    found = _where(wrong, _constant(math.nan), found)
    made: Tensor = elementwise.cast(found, kind)
    return made


_NEGATIVE = 32
"""So many terms at negative q at most; below that NaN."""


def _negative_terms(s: Any, q: Any) -> Any:
    """Σ (q + k)^−s over all q + k < 0, for whole s."""
    total = _constant(0.0)
    odd = s.remainder(2.0).eq(1)
    for k in range(_NEGATIVE):
        place = q + k
        below = place.lt(0)
        size = _where(below, -place, _constant(1.0)).pow(-s)
        total = total + _where(below, _where(odd, -size, size), _constant(0.0))
    return _where(q.lt(-float(_NEGATIVE)), _constant(math.nan), total)


# ---- Bessel functions ----------------------------------------------------------------------------


def _scaled_i(order: int, x: Any) -> Any:
    """e^−x I(x) for x ≥ 0."""
    near_series, far_series = (
        (series.I0_NEAR, series.I0_FAR) if order == 0 else (series.I1_NEAR, series.I1_FAR)
    )
    small, large = x.clamp(max=8.0), x.clamp(min=8.0)
    near = _chebyshev_series(near_series, small / 4 - 1)
    far = _chebyshev_series(far_series, 16 / large - 1) / large.sqrt()
    return _where(x.le(8.0), near * small if order else near, far)


def _size(x: Any) -> Any:
    return _where(x.lt(0), -x, x)  # |x| with a second derivative at 0


@takes_out
def i0e(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """e^−|x| I₀(x), the scaled modified Bessel function of order 0, element by element."""
    return _wide(lambda x: _scaled_i(0, _size(x)), input)


@takes_out
def i1e(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """e^−|x| I₁(x), the scaled modified Bessel function of order 1, element by element."""
    return _wide(lambda x: _odd(x, _scaled_i(1, _size(x))), input)


@takes_out
def i1(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """I₁(x) = 1/π ∫₀^π e^(x cos t) cos t dt, the modified Bessel function of order 1."""
    return _wide(lambda x: _odd(x, _scaled_i(1, _size(x)) * _size(x).exp()), input)


def _odd(x: Any, value: Any) -> Any:
    return _where(x.lt(0), -value, value)


@takes_out
def modified_bessel_i0(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """I₀(x), the modified Bessel function of the first kind of order 0, element by element."""
    return _wide(lambda x: _scaled_i(0, _size(x)) * _size(x).exp(), input)


@takes_out
def modified_bessel_i1(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """I₁(x), the modified Bessel function of the first kind of order 1, element by element."""
    return i1(input)


def _first_kind(order: int, x: Any) -> Any:
    """J(x) for x from 0 to 8."""
    t = x.square() / 32 - 1
    if order == 0:
        return _chebyshev_series(series.J0_NEAR, t)
    return _chebyshev_series(series.J1_NEAR, t) * x


def _waves(order: int, x: Any) -> tuple[Any, Any]:
    """J(x) and Y(x) for x from 8 on: √(2/πx) (P cos u ∓ Q sin u), u = x − (2·order + 1) π/4."""
    even, odd = (series.P0_FAR, series.Q0_FAR) if order == 0 else (series.P1_FAR, series.Q1_FAR)
    t = 128 / x.square() - 1
    p, q = _chebyshev_series(even, t), _chebyshev_series(odd, t) / x
    sine, cosine = x.sin(), x.cos()
    first, second = (cosine + sine, sine - cosine)  # √2 times cos and sin of x − π/4
    if order == 1:
        first, second = second, -first
    scale = (x * math.pi).sqrt()
    return (p * first - q * second) / scale, (p * second + q * first) / scale


def _bessel_j(order: int, x: Any) -> Any:
    size = _size(x)
    far, _ = _waves(order, size.clamp(8.0, 1e300))
    found = _where(size.le(8.0), _first_kind(order, size.clamp(max=8.0)), far)
    found = _where(size.isinf(), _constant(0.0), found)
    return _where(x.isnan(), x, _odd(x, found) if order else found)


@takes_out
def bessel_j0(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """J₀(x), the Bessel function of the first kind of order 0, element by element.

    From |x| = 8 on by the amplitudes P and Q of Hankel's expansion as series in 64/x².  (Abramowitz
    and Stegun, 1964, 9.2.)
    """
    return _wide(lambda x: _bessel_j(0, x), input)


@takes_out
def bessel_j1(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """J₁(x), the Bessel function of the first kind of order 1; see :func:`bessel_j0`."""
    return _wide(lambda x: _bessel_j(1, x), input)


def _bessel_y(order: int, x: Any) -> Any:
    positive = x.gt(0)
    safe = _where(positive, x, _constant(1.0))
    small = safe.clamp(max=8.0)
    t = small.square() / 32 - 1
    near = small.log() * (2 / math.pi) * _first_kind(order, small)
    if order == 0:
        near = near + _chebyshev_series(series.Y0_NEAR, t)
    else:
        near = near + _chebyshev_series(series.Y1_NEAR, t) * small - (2 / math.pi) / small
    _, far = _waves(order, safe.clamp(8.0, 1e300))
    found = _where(safe.le(8.0), near, far)
    found = _where(safe.isinf(), _constant(0.0), found)
    ends = _where(x.eq(0), _constant(-math.inf), _constant(math.nan))
    return _where(positive, found, ends)


@takes_out
def bessel_y0(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Y₀(x), the Bessel function of the second kind of order 0; −∞ at 0, NaN below."""
    return _wide(lambda x: _bessel_y(0, x), input)


@takes_out
def bessel_y1(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Y₁(x), the Bessel function of the second kind of order 1; −∞ at 0, NaN below."""
    return _wide(lambda x: _bessel_y(1, x), input)


def _bessel_k(order: int, x: Any, scaled: bool) -> Any:
    """K(x), or e^x K(x)."""
    positive = x.gt(0)
    safe = _where(positive, x, _constant(1.0))
    small, large = safe.clamp(max=2.0), safe.clamp(min=2.0)
    square = small.square()
    first = _scaled_i(order, small) * small.exp()
    if order == 0:
        near = _chebyshev_series(series.K0_NEAR, square / 2 - 1) - small.log() * first
    else:
        smooth = _chebyshev_series(series.K1_NEAR, square / 2 - 1)
        near = small.log() * first + smooth * small + 1 / small
    far_series = series.K0_FAR if order == 0 else series.K1_FAR
    far = _chebyshev_series(far_series, 4 / large - 1) / large.sqrt()
    if scaled:
        near = near * small.exp()
    else:
        far = far * (-large).exp()
    found = _where(safe.le(2.0), near, far)
    ends = _where(x.eq(0), _constant(math.inf), _constant(math.nan))
    return _where(positive, found, ends)


@takes_out
def modified_bessel_k0(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """K₀(x), the modified Bessel function of the second kind of order 0; ∞ at 0, NaN below."""
    return _wide(lambda x: _bessel_k(0, x, False), input)


@takes_out
def modified_bessel_k1(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """K₁(x), the modified Bessel function of the second kind of order 1; ∞ at 0, NaN below."""
    return _wide(lambda x: _bessel_k(1, x, False), input)


@takes_out
def scaled_modified_bessel_k0(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """e^x K₀(x), element by element; ∞ at 0, NaN below."""
    return _wide(lambda x: _bessel_k(0, x, True), input)


@takes_out
def scaled_modified_bessel_k1(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """e^x K₁(x), element by element; ∞ at 0, NaN below."""
    return _wide(lambda x: _bessel_k(1, x, True), input)


@takes_out
def spherical_bessel_j0(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """sin(x) / x, 1 at 0 and 0 at infinity: the spherical Bessel function of order 0."""

    def formula(x: Any) -> Any:
        usual = x.eq(0).logical_or(x.isinf()).logical_not()
        safe = _where(usual, x, _constant(1.0))
        ends = _where(x.eq(0), _constant(1.0), _constant(0.0))
        return _where(usual, safe.sin() / safe, ends)

    return _wide(formula, input)


@takes_out
def airy_ai(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Airy's function Ai(x), which solves y'' = x y and vanishes for large x.

    By series from −6 to 0 and from 0 to 2.5, beyond these in 1/ζ, ζ = ⅔ |x|^1.5, around the
    asymptotic forms.  (Abramowitz and Stegun, 1964, 10.4.)
    """

    def formula(x: Any) -> Any:
        left = _chebyshev_series(series.AIRY_LEFT, x.clamp(-6.0, 0.0) / 3 + 1)
        right = _chebyshev_series(series.AIRY_RIGHT, x.clamp(0.0, 2.5) / 1.25 - 1)
        edge, most = 2 * 2.5**1.5 / 3, 1e5
        large = x.clamp(2.5, most)
        zeta = large * large.sqrt() * (2 / 3)
        far = _chebyshev_series(series.AIRY_FAR, 2 * edge / zeta - 1) * (-zeta).exp()
        far = far / (2 * math.sqrt(math.pi) * large.sqrt().sqrt())
        found = _where(x.le(0), left, _where(x.le(2.5), right, far))
        found = _where(x.lt(-6.0), _airy_waves((-x).clamp(6.0, 1e200)), found)
        found = _where(x.isinf(), _constant(0.0), found)
        return _where(x.isnan(), x, found)

    return _wide(formula, input)


def _airy_waves(z: Any) -> Any:
    """Ai(−z) for z from 6 on."""
    edge = 2 * 6**1.5 / 3
    zeta = z * z.sqrt() * (2 / 3)
    t = 2 * (edge / zeta).square() - 1
    p = _chebyshev_series(series.AIRY_P, t)
    q = _chebyshev_series(series.AIRY_Q, t) / zeta
    sine, cosine = zeta.sin(), zeta.cos()
    scale = z.sqrt().sqrt() * math.sqrt(2 * math.pi)
    return (p * (cosine + sine) + q * (sine - cosine)) / scale
