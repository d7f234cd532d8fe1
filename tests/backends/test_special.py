"""The special functions against NumPy, SciPy and mpmath, over the whole range of each format."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from backends.native_loop import NUMPY_TYPES, NativeLoop
from pellucid.backends.cpu.special import SPECIAL

SEED = 20240611
BINARY = {"atan2", "fmod", "maximum", "minimum", "pow", "remainder"}
TYPES = ("float", "double")

Reference = Callable[..., np.ndarray]


def reference_sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


NUMPY_REFERENCES: dict[str, Reference] = {
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "pow": np.power,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": reference_sigmoid,
    "sin": np.sin,
    "sinh": np.sinh,
    "tan": np.tan,
    "tanh": np.tanh,
}
SCIPY_NAMES = {
    "erf": "erf",
    "erfc": "erfc",
    "erfinv": "erfinv",
    "lgamma": "gammaln",
    "digamma": "psi",
}
EXACT: dict[str, Reference] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "fmod": np.fmod,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "remainder": np.remainder,
    "round": np.rint,
    "sign": lambda x: np.where(np.isnan(x), x.dtype.type(0), np.sign(x)),
    "sqrt": np.sqrt,
    "trunc": np.trunc,
}
ANGLE_LIMIT = {"float": 1e5, "double": 1e9}

WIDE = re.compile("[yz]mm")
"""Registers of 256 and of 512 bits; a loop need not use both."""

_loops: dict[tuple[str, str, int], NativeLoop] = {}


def native(name: str, type_: str, lanes: int = 1) -> NativeLoop:
    key = (name, type_, lanes)
    if key not in _loops:
        count = 2 if name in BINARY else 1
        _loops[key] = NativeLoop(SPECIAL[name], [type_] * count, [type_], lanes)
    return _loops[key]


def stratified(type_: str, per_exponent: int, rng: np.random.Generator) -> np.ndarray:
    """Every exponent of both signs with random fractions (subnormals, ±∞ and NaN among them)."""
    fraction, exponents, word = (23, 256, np.uint32) if type_ == "float" else (52, 2048, np.uint64)
    bits = np.repeat(np.arange(exponents, dtype=word) << word(fraction), per_exponent)
    bits |= rng.integers(0, 1 << fraction, bits.size, dtype=word)
    sign = word(1) << word(fraction + (8 if type_ == "float" else 11))
    return np.concatenate([bits, bits | sign]).view(NUMPY_TYPES[type_])


def sample(name: str, type_: str, scale: int = 1) -> list[np.ndarray]:
    # Converting the signalling NaNs among the bit patterns raises a floating-point flag.
    with np.errstate(invalid="ignore", over="ignore"):
        return _sample(name, type_, scale)


def _sample(name: str, type_: str, scale: int) -> list[np.ndarray]:
    rng = np.random.default_rng(SEED)
    numpy_type = NUMPY_TYPES[type_]
    usual = [
        rng.uniform(-bound, bound, 20_000 * scale) for bound in (1, 2, 4, 10, 30, 90, 110, 750)
    ]
    points = [0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, math.inf, -math.inf, math.nan]
    everything = stratified(type_, (1200 if type_ == "float" else 60) * scale, rng)
    x = np.concatenate([everything, *usual, points]).astype(numpy_type)
    if name in ("sin", "cos", "tan"):
        x = x[~(np.abs(x) > ANGLE_LIMIT[type_])]
    if name not in BINARY:
        return [x]
    y = rng.permutation(x)
    if name == "pow":
        # Random exponents mostly over- and underflow: add pairs whose power is a usual number.
        x = np.concatenate([x, rng.lognormal(0, 0.1, 100_000), rng.uniform(0, 30, 50_000)])
        y = np.concatenate([y, rng.uniform(-700, 700, 100_000), rng.uniform(-30, 30, 50_000)])
    return [x.astype(numpy_type), y.astype(numpy_type)]


def stated_bound(name: str, type_: str) -> float:
    """The bound that the emitter's docstring states."""
    found = re.search(r"Error ≤ ([\d.]+) ulp, ([\d.]+) ulp", SPECIAL[name].__doc__ or "")
    assert found, f"{name} states no error bound"
    return float(found[1 if type_ == "float" else 2])


def check_ulps(
    name: str, got: np.ndarray, exact: np.ndarray, arguments: list[np.ndarray], bound: float
) -> None:
    """Error in ulps of the rounded result ≤ bound; same NaNs, same infinities."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        largest = np.finfo(got.dtype).max
        ulp = np.spacing(np.minimum(np.abs(rounded), largest)).astype(exact.dtype)
        error = np.abs(got.astype(exact.dtype) - exact) / ulp
        finite = np.isfinite(rounded) & np.isfinite(got)
        error = np.where(finite, error, np.where(rounded == got, 0.0, np.inf))
        error = np.where(np.isnan(rounded) & np.isnan(got), 0.0, error)
    worst = int(np.argmax(error))
    where = [float(a[worst]) for a in arguments]
    message = f"{name}{where}: got {got[worst]!r}, exact {exact[worst]!r}, error {error[worst]} ulp"
    assert error[worst] <= bound, message


def float_reference(name: str, arguments: list[np.ndarray]) -> np.ndarray:
    function = NUMPY_REFERENCES.get(name)
    if function is None:
        scipy_special = pytest.importorskip("scipy.special")
        function = getattr(scipy_special, SCIPY_NAMES[name])
    with np.errstate(all="ignore"):
        return function(*(a.astype(np.float64) for a in arguments))


def test_every_function_has_a_reference() -> None:
    assert set(SPECIAL) == set(NUMPY_REFERENCES) | set(SCIPY_NAMES) | set(EXACT)


@pytest.mark.parametrize("name", sorted(set(NUMPY_REFERENCES) | set(SCIPY_NAMES)))
def test_float_error_over_all_exponents(name: str) -> None:
    arguments = sample(name, "float")
    exact = float_reference(name, arguments)
    if name == "lgamma":
        # SciPy gives -inf at -inf; C, Python and PyTorch give +inf.
        exact = np.where(arguments[0] == -math.inf, math.inf, exact)
    (got,) = native(name, "float")(*arguments)
    if name in SCIPY_NAMES and name.endswith("gamma"):
        negative = arguments[0] < 0
        check_ulps(name, got[~negative], exact[~negative], [arguments[0][~negative]], 1.0)
        # Zeros between the poles and (digamma) lost fractions limit what can be asked for.
        keep = negative & (np.abs(arguments[0]) < 1e6) & (np.abs(exact) < 1e30)
        np.testing.assert_allclose(got[keep], exact[keep], rtol=1.2e-7, atol=1e-9)
        assert np.array_equal(np.isnan(got), np.isnan(exact))
    else:
        check_ulps(name, got, exact, arguments, stated_bound(name, "float"))


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="needs a wider long double")
@pytest.mark.parametrize("name", sorted(NUMPY_REFERENCES))
def test_double_error_over_all_exponents(name: str) -> None:
    arguments = sample(name, "double")
    with np.errstate(all="ignore"):
        exact = NUMPY_REFERENCES[name](*(a.astype(np.longdouble) for a in arguments))
    (got,) = native(name, "double")(*arguments)
    check_ulps(name, got, exact, arguments, stated_bound(name, "double"))


def mpmath_error(
    name: str, exact: Callable[..., object], arguments: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(error in ulps, exact values) of the double function, against 40 digits."""
    mpmath = pytest.importorskip("mpmath")
    (got,) = native(name, "double")(*arguments)
    with mpmath.workdps(40):
        values = [exact(*(mpmath.mpf(float(v)) for v in row)) for row in zip(*arguments)]  # noqa: B905
        errors = [
            float(abs(mpmath.mpf(float(g)) - v) / mpmath.mpf(float(np.spacing(abs(float(v))))))
            for g, v in zip(got, values, strict=True)
        ]
    return np.array(errors), np.array([float(v) for v in values])


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv", "exp", "log", "log1p", "pow"])
def test_double_error_against_mpmath(name: str) -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(SEED)
    near_one = 1 - 10.0 ** -rng.uniform(0, 15.9, 300)
    arguments = {
        "erf": [np.concatenate([rng.uniform(-6, 6, 600), 10.0 ** rng.uniform(-300, 0, 100)])],
        "erfc": [rng.uniform(-6, 27.2, 700)],
        "erfinv": [np.concatenate([rng.uniform(-1, 1, 300), near_one, -near_one])],
        "exp": [rng.uniform(-745, 709, 700)],
        "log": [np.concatenate([rng.lognormal(0, 1, 400), 10.0 ** rng.uniform(-320, 308, 300)])],
        "log1p": [np.concatenate([rng.uniform(-1, 3, 400), 10.0 ** rng.uniform(-20, 300, 300)])],
        "pow": [rng.lognormal(0, 3, 700), rng.uniform(-60, 60, 700)],
    }[name]
    function = {"pow": mpmath.power}.get(name) or getattr(mpmath, name)
    errors, _ = mpmath_error(name, function, arguments)
    worst = int(np.argmax(errors))
    assert errors[worst] <= stated_bound(name, "double"), [a[worst] for a in arguments]


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_double_gamma_functions_against_mpmath(name: str) -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(SEED)
    x = np.concatenate(
        [rng.uniform(-20, 20, 500), rng.uniform(0.8, 2.4, 300), 10.0 ** rng.uniform(-99, 30, 200)]
    )
    function = {"lgamma": lambda v: mpmath.log(abs(mpmath.gamma(v))), "digamma": mpmath.digamma}
    if name == "lgamma":
        x = x[x < 1e5]
    errors, values = mpmath_error(name, function[name], [x])
    absolute = errors * np.spacing(np.abs(values))
    scale = np.where(x > 0, np.abs(values), np.maximum(np.abs(values), 0.2))
    worst = int(np.argmax(absolute / scale))
    assert absolute[worst] <= 1e-13 * scale[worst], f"{name}({x[worst]})"


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", sorted(EXACT))
def test_exact_functions_equal_numpy(name: str, type_: str) -> None:
    arguments = sample(name, type_)
    with np.errstate(all="ignore"):
        expected = EXACT[name](*arguments)
    (got,) = native(name, type_)(*arguments)
    np.testing.assert_array_equal(got, expected)


INTERESTING = [
    *(0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 1e-3, 1e10, 3e38, 16777215.0, 16777216.0),
    *(1e-40, math.inf, math.nan),
]
PAIRS = np.array(
    list(itertools.product([s * v for v in INTERESTING for s in (1, -1)], repeat=2)), np.float64
)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", ["pow", "atan2", "fmod", "remainder"])
def test_special_cases_of_binary_functions(name: str, type_: str) -> None:
    x, y = (PAIRS[:, i].astype(NUMPY_TYPES[type_]) for i in range(2))
    with np.errstate(all="ignore"):
        expected = (NUMPY_REFERENCES | EXACT)[name](x, y)
    (got,) = native(name, type_)(x, y)
    tolerance = 1e-6 if type_ == "float" else 1e-14
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=0)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(expected)[number])


INF, NAN = math.inf, math.nan
SPECIAL_CASES = {
    "acos": [(1, 0.0), (1.1, NAN), (-1.1, NAN), (INF, NAN)],
    "acosh": [(1, 0.0), (0.9, NAN), (-1, NAN), (-1e30, NAN), (INF, INF), (-INF, NAN)],
    "asin": [(0.0, 0.0), (-0.0, -0.0), (1.1, NAN), (-INF, NAN)],
    "asinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)],
    "atan": [(0.0, 0.0), (-0.0, -0.0), (INF, math.pi / 2), (-INF, -math.pi / 2)],
    "atanh": [(0.0, 0.0), (-0.0, -0.0), (1, INF), (-1, -INF), (1.1, NAN)],
    "cos": [(0.0, 1.0), (INF, NAN), (-INF, NAN)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF)],
    "digamma": [(0.0, -INF), (-0.0, INF), (-1, NAN), (-5, NAN), (INF, INF), (-INF, NAN)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1)],
    "erfc": [(0.0, 1), (INF, 0.0), (-INF, 2)],
    "erfinv": [(0.0, 0.0), (-0.0, -0.0), (1, INF), (-1, -INF), (1.5, NAN), (-INF, NAN)],
    "exp": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0.0), (1000, INF), (-1000, 0.0)],
    "exp2": [(0.0, 1), (3, 8), (-2, 0.25), (INF, INF), (-INF, 0.0), (2000, INF), (-2000, 0.0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1)],
    "lgamma": [(1, 0.0), (2, 0.0), (0.0, INF), (-0.0, INF), (-3, INF), (INF, INF), (-INF, INF)],
    "log": [(1, 0.0), (0.0, -INF), (-0.0, -INF), (-1, NAN), (INF, INF), (-INF, NAN)],
    "log10": [(1, 0.0), (1000, 3), (0.0, -INF), (-1, NAN), (INF, INF)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1, -INF), (-2, NAN), (INF, INF), (-INF, NAN)],
    "log2": [(1, 0.0), (8, 3), (0.125, -3), (0.0, -INF), (-1, NAN), (INF, INF)],
    "rsqrt": [(4, 0.5), (0.0, INF), (-1, NAN), (INF, 0.0)],
    "sigmoid": [(0.0, 0.5), (INF, 1), (-INF, 0.0), (1000, 1), (-1000, 0.0)],
    "sign": [(0.0, 0), (-0.0, 0), (3, 1), (-INF, -1)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)],
    "sqrt": [(-0.0, -0.0), (-1, NAN), (INF, INF)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1)],
}


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", sorted(SPECIAL_CASES))
def test_special_cases(name: str, type_: str) -> None:
    of_nan = 0 if name == "sign" else NAN
    x, expected = np.array([*SPECIAL_CASES[name], (NAN, of_nan)], NUMPY_TYPES[type_]).T
    (got,) = native(name, type_)(x)
    tolerance = 4 * float(np.finfo(got.dtype).eps)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=0, err_msg=str(x))
    if name not in ("lgamma", "sign"):
        number = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(expected)[number])


@pytest.mark.parametrize("name", ["minimum", "maximum"])
def test_nan_wins_in_minimum_and_maximum(name: str) -> None:
    x = np.array([NAN, 1, NAN, INF, NAN])
    y = np.array([1, NAN, NAN, NAN, -INF])
    assert np.isnan(native(name, "double")(x, y)[0]).all()


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(
    "name", ["sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "tanh", "erf", "erfinv"]
)
def test_odd_functions_are_odd_to_the_bit(name: str, type_: str) -> None:
    (x,) = sample(name, type_)
    np.testing.assert_array_equal(native(name, type_)(-x)[0], -native(name, type_)(x)[0])


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", ["cos", "cosh"])
def test_even_functions_are_even_to_the_bit(name: str, type_: str) -> None:
    (x,) = sample(name, type_)
    np.testing.assert_array_equal(native(name, type_)(-x)[0], native(name, type_)(x)[0])


@pytest.mark.parametrize(
    "name", ["exp", "exp2", "expm1", "tanh", "sigmoid", "erf", "atan", "sinh", "asinh"]
)
def test_monotone_on_a_fine_grid(name: str) -> None:
    # The step is some ten ulps or more of x wherever the function is not flat.
    x = np.linspace(-20, 20, 400_001).astype(np.float32)[::4]
    (y,) = native(name, "float")(x)
    assert (np.diff(y) >= 0).all()


@pytest.mark.parametrize("type_", TYPES)
def test_exponential_underflows_gradually(type_: str) -> None:
    low, high = (-103.9, -87.4) if type_ == "float" else (-745.1, -708.5)
    x = np.linspace(low, high, 1000).astype(NUMPY_TYPES[type_])
    (got,) = native("exp", type_)(x)
    assert ((got > 0) & (got < np.finfo(got.dtype).tiny)).all()
    expected = np.exp(x.astype(np.longdouble)).astype(got.dtype)
    unit = np.finfo(got.dtype).smallest_subnormal
    assert (np.abs(got - expected) <= unit).all()


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_far_angles_stay_in_range(name: str) -> None:
    x = np.array([1e6, 1e8, -1e12, 1e20, -3e38, 3.4e38], np.float32)
    (got,) = native(name, "float")(x)
    assert (np.abs(got) <= 1).all()


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_scalars_and_vectors_give_the_same_bits(name: str, type_: str) -> None:
    arguments = [a[: a.size // 8 * 8 : 1][-4096:] for a in sample(name, type_)]
    word = np.uint32 if type_ == "float" else np.uint64
    (by_loop,) = native(name, type_)(*arguments)
    (by_vector,) = native(name, type_, lanes=8)(*arguments)
    number = ~np.isnan(by_loop)
    np.testing.assert_array_equal(np.isnan(by_vector), ~number)
    np.testing.assert_array_equal(by_vector.view(word)[number], by_loop.view(word)[number])
    # One element at a time: the scalar remainder of the vectorized loop.
    for i in range(0, 4096, 64):
        (single,) = native(name, type_)(*(a[i : i + 1] for a in arguments))
        assert np.array_equal(single, by_loop[i : i + 1], equal_nan=True)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_loop_vectorizes_and_calls_nothing(name: str, type_: str) -> None:
    loop = native(name, type_)
    # Some functions compute float in double.
    assert re.search(r"= \S.* <(4|8|16|32) x (float|double)>", loop.optimized) or re.search(
        r"<2 x double>", loop.optimized
    )
    declared = re.findall(r"^declare .*@([\w.]+)\(", loop.optimized, re.MULTILINE)
    assert all(symbol.startswith("llvm.") for symbol in declared)
    assert not re.search(r"^\s+(callq?|blr?)\s", loop.assembly, re.MULTILINE)
    if WIDE.search(native("sqrt", "float").assembly):
        assert WIDE.search(loop.assembly)
