"""The special functions against SciPy, their slopes numerically, and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import special

sp = pytest.importorskip("scipy.special", reason="SciPy is not installed: nothing to compare with")

REAL = np.concatenate(
    [np.linspace(-30, 30, 301), np.logspace(-8, 2.5, 60), -np.logspace(-8, 1.4, 60)]
)
POSITIVE = np.concatenate([np.linspace(0.02, 40, 200), np.logspace(-8, 2.8, 60)])
SHARE = np.concatenate(
    [np.linspace(0, 1, 201), np.logspace(-300, -1, 60), 1 - np.logspace(-14, -1)]
)

CASES: list[tuple[str, Callable[..., Any], np.ndarray, float]] = [
    ("ndtr", sp.ndtr, REAL, 1e-12),
    ("log_ndtr", sp.log_ndtr, REAL, 1e-12),
    ("ndtri", sp.ndtri, SHARE, 1e-12),
    ("erfcx", sp.erfcx, REAL, 1e-14),
    ("entr", sp.entr, REAL, 1e-15),
    ("i0e", sp.i0e, REAL, 1e-14),
    ("i1", sp.i1, REAL, 1e-14),
    ("i1e", sp.i1e, REAL, 1e-14),
    ("modified_bessel_i0", sp.i0, REAL, 1e-14),
    ("modified_bessel_i1", sp.i1, REAL, 1e-14),
    ("modified_bessel_k0", sp.k0, POSITIVE, 1e-13),
    ("modified_bessel_k1", sp.k1, POSITIVE, 1e-13),
    ("scaled_modified_bessel_k0", sp.k0e, POSITIVE, 1e-13),
    ("scaled_modified_bessel_k1", sp.k1e, POSITIVE, 1e-13),
    ("bessel_j0", sp.j0, REAL, 0),
    ("bessel_j1", sp.j1, REAL, 0),
    ("bessel_y0", sp.y0, POSITIVE, 1e-14),
    ("bessel_y1", sp.y1, POSITIVE, 1e-14),
    ("airy_ai", lambda x: sp.airy(x)[0], REAL, 1e-11),
    ("spherical_bessel_j0", lambda x: np.sinc(x / math.pi), REAL, 1e-14),
]


@pytest.mark.parametrize(("name", "expected", "x", "rtol"), CASES, ids=[c[0] for c in CASES])
def test_values_are_scipys(
    name: str, expected: Callable[..., Any], x: np.ndarray, rtol: float
) -> None:
    """Oscillating functions have an absolute error, of the size of their waves."""
    function = getattr(special, name)
    waves = name.startswith(("bessel", "spherical")) or name == "airy_ai"
    absolute = 1e-14 if waves else 1e-300
    assert_close(function(pellucid.tensor(x)), expected(x), rtol, absolute)
    short = x.astype(np.float32)
    with np.errstate(over="ignore"):
        rounded = expected(short.astype(np.float64)).astype(np.float32)
    found = function(pellucid.tensor(short))
    assert found.dtype is pellucid.float32
    assert_close(found, rounded, 2e-7, 1e-38 if not waves else 1e-8)
    ints = function(pellucid.tensor([1, 2]))
    assert_close(ints, expected(np.array([1.0, 2.0])), 1e-6, 1e-7)


def test_ends() -> None:
    inf, nan = math.inf, math.nan
    ends = pellucid.tensor([0.0, -1.0, inf, nan], dtype=pellucid.float64)
    for name, expected in {
        "bessel_y0": [-inf, nan, 0, nan],
        "bessel_y1": [-inf, nan, 0, nan],
        "modified_bessel_k0": [inf, nan, 0, nan],
        "modified_bessel_k1": [inf, nan, 0, nan],
        "ndtri": [-inf, nan, nan, nan],
        "entr": [0, -inf, -inf, nan],
    }.items():
        assert_close(getattr(special, name)(ends), np.array(expected), what=name)
    far = pellucid.tensor([inf, -inf, nan], dtype=pellucid.float64)
    for name, expected in {
        "ndtr": [1, 0, nan],
        "log_ndtr": [0, -inf, nan],
        "erfcx": [0, inf, nan],
        "bessel_j0": [0, 0, nan],
        "i0e": [0, 0, nan],
        "airy_ai": [0, 0, nan],
        "spherical_bessel_j0": [0, 0, nan],
    }.items():
        assert_close(getattr(special, name)(far), np.array(expected), what=name)
    assert special.ndtri(pellucid.tensor(1.0)) == inf


@pytest.mark.parametrize("s", [1.1, 2.0, 3.5, 10.0, 60.0])
def test_zeta(s: float) -> None:
    q = np.concatenate([np.linspace(0.01, 50, 200), np.logspace(0, 8, 30)])
    found = special.zeta(pellucid.tensor(s, dtype=pellucid.float64), pellucid.tensor(q))
    assert_close(found, sp.zeta(s, q), 1e-13, 1e-300)
    ends = pellucid.tensor([0.0, -1.0, -1.5], dtype=pellucid.float64)
    expected = [math.inf, math.inf, sp.zeta(s, -1.5) if s == round(s) else math.nan]
    found = special.zeta(pellucid.tensor(s, dtype=pellucid.float64), ends)
    assert_close(found, np.array(expected), 1e-13)
    assert special.zeta(1.0, 2.0) == math.inf and math.isnan(float(special.zeta(0.5, 2.0)))


POLYNOMIALS = {
    "chebyshev_polynomial_t": sp.eval_chebyt,
    "chebyshev_polynomial_u": sp.eval_chebyu,
    "hermite_polynomial_h": sp.eval_hermite,
    "hermite_polynomial_he": sp.eval_hermitenorm,
    "laguerre_polynomial_l": sp.eval_laguerre,
    "legendre_polynomial_p": sp.eval_legendre,
    "shifted_chebyshev_polynomial_t": sp.eval_sh_chebyt,
    "shifted_chebyshev_polynomial_u": sp.eval_sh_chebyu,
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials(name: str) -> None:
    x = np.linspace(-2, 2, 41)
    degrees = np.array([0, 1, 2, 5, 12])
    function, expected = getattr(special, name), POLYNOMIALS[name]
    wanted = expected(degrees[:, None], x)
    size = np.abs(wanted).max(1, keepdims=True)
    found = function(pellucid.tensor(x), pellucid.tensor(degrees).unsqueeze(1)).numpy()
    assert_close(found / size, wanted / size, 0, 1e-13)
    assert_close(function(pellucid.tensor(x), -1), np.zeros(41))
    compiled = pellucid.compile(lambda t: function(t, 5))
    assert_close(compiled(pellucid.tensor(x)), expected(5, x), 1e-12, 1e-12)


def test_polynomials_of_the_third_and_fourth_kind() -> None:
    """V_n = cos((n + ½)θ) / cos(θ/2), W_n = sin((n + ½)θ) / sin(θ/2), x = cos θ."""
    theta = np.linspace(0.1, 3.0, 30)
    x = pellucid.tensor(np.cos(theta))
    for n in (0, 1, 4, 9):
        third = np.cos((n + 0.5) * theta) / np.cos(theta / 2)
        fourth = np.sin((n + 0.5) * theta) / np.sin(theta / 2)
        assert_close(special.chebyshev_polynomial_v(x, n), third, 1e-12, 1e-12)
        assert_close(special.chebyshev_polynomial_w(x, n), fourth, 1e-12, 1e-12)
        half = (x + 1) / 2
        assert_close(special.shifted_chebyshev_polynomial_v(half, n), third, 1e-12, 1e-12)
        assert_close(special.shifted_chebyshev_polynomial_w(half, n), fourth, 1e-12, 1e-12)


@pytest.mark.parametrize(
    "name", "ndtr log_ndtr erfcx i0e i1 i1e bessel_j0 spherical_bessel_j0 airy_ai".split()
)
def test_slopes_numerically(name: str) -> None:
    x = pellucid.tensor(
        [-3.2, -1.5, -0.4, 0.3, 1.7, 5.5, 9.5], dtype=pellucid.float64, requires_grad=True
    )
    assert pellucid.gradcheck(getattr(special, name), (x,))
    assert pellucid.gradgradcheck(getattr(special, name), (x,))


@pytest.mark.parametrize("name", ["ndtri", "entr"])
def test_slopes_of_shares(name: str) -> None:
    p = pellucid.tensor([0.01, 0.2, 0.5, 0.7, 0.99], dtype=pellucid.float64, requires_grad=True)
    assert pellucid.gradcheck(getattr(special, name), (p,))
    assert pellucid.gradgradcheck(getattr(special, name), (p,))


def test_slopes_of_two_arguments() -> None:
    x = pellucid.tensor([0.5, 2.0, -1.5], dtype=pellucid.float64, requires_grad=True)
    y = pellucid.tensor([-0.5, 0.3, 4.0], dtype=pellucid.float64, requires_grad=True)
    assert pellucid.gradcheck(special.xlog1py, (x, y))
    q = pellucid.tensor([0.7, 2.0, 11.5], dtype=pellucid.float64, requires_grad=True)
    assert pellucid.gradcheck(lambda t: special.zeta(3.0, t), (q,))


def test_xlog1py_at_zero() -> None:
    x = pellucid.tensor([0.0, 0.0, 0.0, 2.0])
    y = pellucid.tensor([-1.0, 3.0, math.nan, 1.0])
    expected = sp.xlog1py(x.numpy(), y.numpy())
    assert_close(special.xlog1py(x, y), expected, 1e-6)
    x.requires_grad_()
    special.xlog1py(x[1:2], y[1:2]).sum().backward()
    assert_close(x.grad[1], np.log1p(3.0), 1e-6)


@pytest.mark.parametrize("name", [c[0] for c in CASES])
def test_compiled_is_eager(name: str) -> None:
    function = getattr(special, name)
    x = pellucid.tensor([0.1, 0.5, 0.9, 3.0, 12.0])
    x = x[:3] if name == "ndtri" else x
    assert_close(pellucid.compile(function)(x), function(x), 1e-6, 1e-7)


def test_second_names() -> None:
    x = pellucid.tensor([0.2, 0.7])
    assert_close(special.psi(x), sp.psi(x.numpy()), 1e-6)
    assert_close(special.gammaln(x), sp.gammaln(x.numpy()), 1e-6)
    assert_close(special.gammainc(x, x), sp.gammainc(x.numpy(), x.numpy()), 1e-6)
    assert_close(special.gammaincc(x, x), sp.gammaincc(x.numpy(), x.numpy()), 1e-6)
    assert_close(special.multigammaln(x + 3, 2)[0], sp.multigammaln(3.2, 2), 1e-6)
    assert_close(special.expit(x), sp.expit(x.numpy()), 1e-6)
