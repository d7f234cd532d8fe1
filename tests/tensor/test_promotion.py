"""How element types combine: the whole grid, against PyTorch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tensor.parity import parity

pytestmark = pytest.mark.parity

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
PAIRS = list(itertools.product(DTYPES, DTYPES))
OPERATORS: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "sub": lambda x, y: x - y,
    "truediv": lambda x, y: x / y,
    "floordiv": lambda x, y: x // y,
    "mod": lambda x, y: x % y,
    "pow": lambda x, y: x**y,
    "lt": lambda x, y: x < y,
    "ge": lambda x, y: x >= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
}


def values(dtype: str, shift: int = 0) -> np.ndarray:
    listed = np.array([1, 2, 3, 1, 5, 2])
    return np.roll(listed, shift).astype(dtype)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_tensor_with_tensor(operator: str, first: str, second: str) -> None:
    function = OPERATORS[operator]
    if "bool" == first == second and operator in ("floordiv", "mod", "pow"):
        pytest.skip("PyTorch has no such operation on two bool tensors")
    if operator == "sub" and "bool" in (first, second):
        pytest.skip("PyTorch refuses to subtract with bool")
    parity(lambda _, x, y: function(x, y), values(first), values(second, 2), gradients=False)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("number", [True, 2, 2.5], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_tensor_with_number(operator: str, number: Any, dtype: str, side: str) -> None:
    if dtype == "bool" and isinstance(number, bool) and operator in ("floordiv", "mod", "pow"):
        pytest.skip("PyTorch has no such operation on bool")
    if operator == "sub" and (dtype == "bool" or isinstance(number, bool)):
        pytest.skip("PyTorch refuses to subtract with bool")
    function = OPERATORS[operator]
    if side == "left":
        parity(lambda _, x: function(number, x), values(dtype), gradients=False)
    else:
        parity(lambda _, x: function(x, number), values(dtype), gradients=False)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_scalars_in_tensors_only_raise_the_kind(first: str, second: str) -> None:
    if first == second == "bool":
        pytest.skip("added above")
    parity(lambda _, x, y: (x + y, y * x), values(first), np.array(2, second), gradients=False)
    parity(lambda _, x, y: x + y, np.array(3, first), np.array(2, second), gradients=False)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_joining_and_choosing_promote_too(first: str, second: str) -> None:
    x, y = values(first), values(second, 1)
    parity(lambda m, x, y: m.cat([x, y]), x, y, gradients=False)
    parity(lambda m, x, y: m.where(x > 1, x, y), x, y, gradients=False)
    parity(lambda m, x, y: m.maximum(x, y), x, y, gradients=False)
    parity(
        lambda m, x, y: (
            m.promote_types(x.dtype, y.dtype) == x.to(m.promote_types(x.dtype, y.dtype)).dtype
        ),
        x,
        y,
        gradients=False,
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions_have_pytorchs_dtypes(dtype: str) -> None:
    x = values(dtype).reshape(2, 3)
    always_bool = () if dtype == "uint8" else ("all", "any")  # PyTorch keeps uint8 there
    for name in ("sum", "prod", "amax", "amin", "count_nonzero", *always_bool):
        parity(lambda _, x, n=name: getattr(x, n)(dim=1), x, gradients=False, what=name)
    parity(lambda _, x: x.cumsum(1), x, gradients=False)
    if dtype != "bool":
        parity(lambda _, x: x.argmax(1), x, gradients=False)
    if dtype.startswith("float"):
        parity(lambda _, x: (x.mean(), x.var(), x.std(1), x.norm()), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["exp", "sqrt", "sin", "sigmoid", "log1p", "tanh", "erf", "reciprocal", "rsqrt"]
)
def test_float_functions_of_integers(name: str, dtype: str) -> None:
    parity(lambda _, x: getattr(x, name)(), values(dtype), gradients=False)


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_conversion(source: str, target: str) -> None:
    x = np.array([0, 1, 2, 100]).astype(source)
    if source.startswith("float"):
        x = x + np.array([0.0, 0.5, 0.999, 0.25], source)
    parity(lambda m, x: x.to(getattr(m, target)), x, gradients=False)
