"""The incomplete gamma functions P and Q, which are also the χ² and Poisson distributions."""

from __future__ import annotations

import numpy as np

from pellucid.ops.elementwise import ERFC, LGAMMA

_TINY = 1e-300
_LARGE = 1e5
_FIRST = (1 / 25515, -139 / 777600, 1 / 2835, 1 / 864, -2 / 135, 1 / 12, -1 / 3)
_SECOND = (1 / 4860, -77 / 77760, 1 / 378, -1 / 288, -1 / 540)
"""Power series of the first coefficients of the uniform expansion, highest power first."""


def incomplete_gamma(a: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P(a, x) = 1/Γ(a) ∫₀^x t^(a−1) e^−t dt and Q = 1 − P, in float64.

    By the power series below x = a + 1 and by the continued fraction above it, each for as many
    terms as the slowest element needs: some √a of them.  (Press et al., "Numerical Recipes",
    1992, 6.2.)  From a = 10⁵ on by an expansion in 1/a that is uniform in x.  (Temme, 1979.)
    NaN for negative arguments, and for both 0 or both infinite.
    """
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    usual = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    large = usual & (a >= _LARGE)
    series = usual & ~large & (x < a + 1)
    fraction = usual & ~large & ~series
    lower = np.full(a.shape, np.nan)
    upper = np.full(a.shape, np.nan)
    lower[series] = _series(a[series], x[series])
    upper[series] = 1 - lower[series]
    upper[fraction] = _fraction(a[fraction], x[fraction])
    lower[fraction] = 1 - upper[fraction]
    with np.errstate(all="ignore"):
        lower[large], upper[large] = _uniform(a[large], x[large])
    nothing = ((x == 0) & (a > 0)) | (np.isposinf(a) & (x >= 0) & np.isfinite(x))
    everything = ((a == 0) & (x > 0)) | (np.isposinf(x) & (a >= 0) & np.isfinite(a))
    for chosen, p in ((nothing, 0.0), (everything, 1.0)):
        lower[chosen], upper[chosen] = p, 1 - p
    return lower, upper


def _scale(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x^a e^−x / Γ(a)."""
    log_gamma = LGAMMA.evaluate(a)
    return np.asarray(np.exp(a * np.log(x) - x - log_gamma))


def _uniform(a: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P and Q = ½ erfc(∓η √(a/2)) ∓ R, with ½ η² = μ − ln(1 + μ), μ = (x − a)/a, η of μ's sign,

    and R = e^(−½ a η²) / √(2πa) · (c₀(η) + c₁(η)/a).  What is left out is below a^−2.5 / 1000.
    """
    mu = (x - a) / a
    small = np.abs(mu) < 0.05
    inner = np.where(small, mu, 0.0)
    half_square = np.zeros_like(mu)
    for k in range(14, 1, -1):  # without the digits that cancel
        half_square = half_square * inner + (-1.0) ** k / k
    outer = np.where(small, 1.0, mu)
    half_square = np.where(small, half_square * inner * inner, outer - np.log1p(outer))
    eta = np.sign(mu) * np.sqrt(2 * half_square)
    near = np.abs(eta) < 0.05
    inverse, shift = 1 / np.where(near, 1.0, eta), 1 / np.where(near, 1.0, mu)
    first = np.where(near, np.polyval(_FIRST, eta), shift - inverse)
    second = np.where(
        near,
        np.polyval(_SECOND, eta),
        inverse**3 - shift**3 - shift**2 - shift / 12,
    )
    rest = np.exp(-a * half_square) / np.sqrt(2 * np.pi * a) * (first + second / a)
    place = eta * np.sqrt(a / 2)
    return ERFC.evaluate(-place) / 2 - rest, ERFC.evaluate(place) / 2 + rest


def _series(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """P by Σ_{n≥0} x^n / (a (a + 1) … (a + n))."""
    term = 1 / a
    total, divisor = term.copy(), a.copy()
    while (term > total * 1e-17).any():
        divisor += 1
        term = term * x / divisor
        total += term
    return np.asarray(total * _scale(a, x))


def _fraction(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Q by the continued fraction 1/(x + 1 − a − 1·(1 − a)/(x + 3 − a − …)), from the front.

    (Lentz, 1976.)
    """
    b = x + 1 - a
    c = np.full(x.shape, 1 / _TINY)
    d = 1 / np.where(b == 0, _TINY, b)
    found = d.copy()
    moving, n = np.ones(x.shape, bool), 0
    while moving.any():
        n += 1
        step = -n * (n - a)
        b = b + 2
        d = step * d + b
        c = b + step / c
        d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
        c = np.where(np.abs(c) < _TINY, _TINY, c)
        factor = np.where(moving, c * d, 1)
        found *= factor
        moving &= np.abs(factor - 1) > 4e-16
    return np.asarray(found * _scale(a, x))
