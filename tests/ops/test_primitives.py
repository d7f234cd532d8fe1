"""Every primitive against its own definition: the table is walked, nothing is left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from helpers import assert_close
from pellucid.base.dtypes import ALL, as_dtype, float32, float64, int64
from pellucid.base.errors import DTypeError
from pellucid.graph.node import Primitive, Sample, Spec
from pellucid.ops import PRIMITIVES
from pellucid.ops.registry import apply
from pellucid.tensor.core import lift
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck
from pellucid.tensor.reads import rule_reads
from scan_bodies import retyped

CASES = [
    pytest.param(primitive, sample, id=f"{name}-{number}")
    for name, primitive in PRIMITIVES.items()
    for number, sample in enumerate(primitive.samples())
]


def is_real(array: np.ndarray) -> bool:
    return array.dtype.kind == "f"


def infer(primitive: Primitive, sample: Sample) -> Spec:
    specs = [Spec(np.shape(a), as_dtype(np.asarray(a).dtype)) for a in sample.inputs]
    return primitive.infer(*specs, **sample.params)


def converted(sample: Sample, dtype: Any) -> Sample:
    """The sample with its real inputs in another element type."""
    fits = dtype.is_floating_point
    inputs = tuple(
        (a if fits else np.nan_to_num(a)).astype(dtype.numpy) if is_real(a) else a
        for a in map(np.asarray, sample.inputs)
    )
    return Sample(inputs, retyped(sample.params, inputs, dtype), sample.second_order)


def differentiable_here(primitive: Primitive, sample: Sample) -> bool:
    if any(np.isnan(a).any() for a in sample.inputs if is_real(np.asarray(a))):
        return False
    return (
        any(is_real(np.asarray(a)) for a in sample.inputs)
        and infer(primitive, sample).dtype is float64
    )


REAL = [case for case in CASES if any(map(is_real, map(np.asarray, case.values[1].inputs)))]
DIFFERENTIABLE = [
    case
    for case in CASES
    if case.values[0].gradient is not None and differentiable_here(*case.values)
]


def leaves(sample: Sample) -> list[Any]:
    return [
        lift(np.array(a)).requires_grad_() if is_real(np.asarray(a)) else lift(np.asarray(a))
        for a in sample.inputs
    ]


def reads_no_value(primitive: Primitive, sample: Sample) -> bool:
    """Whether no value of the operation is needed for its gradients."""
    if primitive.family == "movement":
        return True
    inputs = leaves(sample)
    value = apply(primitive, *inputs, **sample.params)
    positions = range(len(inputs) + 1)
    return rule_reads(primitive, sample.params, inputs, value, positions) is None


VALUE_FREE_CASES = [case for case in DIFFERENTIABLE if reads_no_value(*case.values)]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_is_complete(name: str) -> None:
    primitive = PRIMITIVES[name]
    assert primitive.name == name
    assert primitive.formula.strip(), f"{name} has no formula"
    assert primitive.reason.strip(), f"{name} does not say why it is a primitive"
    assert primitive.family.strip(), f"{name} belongs to no family"
    assert list(primitive.samples()), f"{name} has no samples"


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_the_rule_of_shapes_and_dtypes_tells_what_comes(
    primitive: Primitive, sample: Sample, dtype: Any
) -> None:
    case = converted(sample, dtype)
    try:
        spec = infer(primitive, case)
    except DTypeError as error:
        assert dtype not in (float32, float64) or not any(map(is_real, sample.inputs)), error
        return
    with np.errstate(all="ignore"):
        found = np.asarray(primitive.evaluate(*case.inputs, **case.params))
    assert found.shape == spec.shape
    assert found.dtype == spec.dtype.numpy


@pytest.mark.parametrize(("primitive", "sample"), REAL)
def test_single_precision_agrees_with_double(primitive: Primitive, sample: Sample) -> None:
    wide = primitive.evaluate(*sample.inputs, **sample.params)
    narrow = primitive.evaluate(*converted(sample, float32).inputs, **sample.params)
    assert_close(narrow, wide, rtol=3e-5, atol=3e-6)


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_memory_order_does_not_matter(primitive: Primitive, sample: Sample) -> None:
    expected = primitive.evaluate(*sample.inputs, **sample.params)
    turned = [np.asfortranarray(a) if a.ndim else a for a in map(np.asarray, sample.inputs)]
    assert_close(primitive.evaluate(*turned, **sample.params), expected, rtol=1e-12, atol=1e-13)
    spread = []
    for array in map(np.asarray, sample.inputs):
        wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
        view = wide[(*(slice(None, None, 2) for _ in array.shape), ...)]
        view[...] = array
        spread.append(view)
    assert_close(primitive.evaluate(*spread, **sample.params), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_inputs_are_left_as_they_were(primitive: Primitive, sample: Sample) -> None:
    before = [np.array(a) for a in sample.inputs]
    primitive.evaluate(*sample.inputs, **sample.params)
    for array, copy in zip(sample.inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(("primitive", "sample"), DIFFERENTIABLE)
def test_gradient_equals_difference_quotient(primitive: Primitive, sample: Sample) -> None:
    assert gradcheck(lambda *x: apply(primitive, *x, **sample.params), leaves(sample), rtol=1e-6)


@pytest.mark.parametrize(("primitive", "sample"), DIFFERENTIABLE)
def test_second_order_gradient(primitive: Primitive, sample: Sample) -> None:
    if not sample.second_order:
        pytest.skip("not twice differentiable here")
    assert gradgradcheck(
        lambda *x: apply(primitive, *x, **sample.params), leaves(sample), rtol=1e-5
    )


@pytest.mark.parametrize(("primitive", "sample"), VALUE_FREE_CASES)
def test_operations_called_value_free_read_no_value(primitive: Primitive, sample: Sample) -> None:
    """backward does not check their inputs for changes, so the values must not matter."""
    found = []
    for poison in (False, True):
        inputs = leaves(sample)
        result = apply(primitive, *inputs, **sample.params)
        if poison:
            for tensor in inputs:
                if tensor.requires_grad:
                    tensor.array()[...] = math.nan
        (result * lift(np.cos(np.arange(result.numel())).reshape(result.shape))).sum().backward()
        gradients = [t.grad for t in inputs if t.requires_grad]
        found.append([None if g is None else g.array() for g in gradients])
    for clean, poisoned in zip(*found, strict=True):
        np.testing.assert_array_equal(clean, poisoned)


SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e300, -1e300, 5e-324, 0.5, -2.5]
)
NUMPY_UNARY = {
    "neg": np.negative, "abs": np.abs, "sqrt": np.sqrt, "exp": np.exp,
    "sign": lambda x: np.where(np.isnan(x), 0, np.sign(x)),  # as PyTorch
    "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "log2": np.log2, "log10": np.log10,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "floor": np.floor, "ceil": np.ceil,
    "trunc": np.trunc, "round": np.rint, "copy": np.array,
    "detach": np.array,
}  # fmt: skip
NUMPY_BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "floor_divide": np.floor_divide, "remainder": np.remainder, "fmod": np.fmod,
    "maximum": np.maximum, "minimum": np.minimum, "pow": np.power, "atan2": np.arctan2,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal,
}  # fmt: skip


@pytest.mark.parametrize("name", NUMPY_UNARY)
def test_unary_special_values_are_numpys(name: str) -> None:
    with np.errstate(all="ignore"):
        expected = NUMPY_UNARY[name](SPECIAL)
    np.testing.assert_array_equal(PRIMITIVES[name].evaluate(SPECIAL), expected)


@pytest.mark.parametrize("name", NUMPY_BINARY)
def test_binary_special_values_are_numpys(name: str) -> None:
    x, y = SPECIAL[:, None], SPECIAL[None, :]
    with np.errstate(all="ignore"):
        expected = NUMPY_BINARY[name](x, y)
    np.testing.assert_array_equal(PRIMITIVES[name].evaluate(x, y), expected)


@pytest.mark.parametrize(
    ("name", "function"), [("sum", np.sum), ("prod", np.prod), ("max", np.max), ("min", np.min)]
)
def test_reductions_carry_nan_and_infinity(name: str, function: Any) -> None:
    table = np.array(
        [[1.0, np.nan, 2.0], [np.inf, 1.0, 2.0], [np.inf, -np.inf, 0.0], [-0.0, 0.0, -1.0]]
    )
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            PRIMITIVES[name].evaluate(table, axes=(1,)), function(table, axis=1)
        )


def test_sum_of_nothing_is_zero_and_product_one() -> None:
    empty = np.zeros((0, 3))
    np.testing.assert_array_equal(PRIMITIVES["sum"].evaluate(empty, axes=(0,)), np.zeros(3))
    np.testing.assert_array_equal(PRIMITIVES["prod"].evaluate(empty, axes=(0,)), np.ones(3))


def test_special_functions_have_their_known_values() -> None:
    # Abramowitz and Stegun (1964), tables 6.1, 6.3 and 7.1.
    values = {
        "erf": {0.5: 0.5204998778, 1.0: 0.8427007929, np.inf: 1.0},
        "erfc": {2.0: 0.004677734981, 5.0: 1.5374597944e-12},
        "lgamma": {0.5: math.log(math.pi) / 2, 5.0: math.log(24), 1.0: 0.0, -1.0: np.inf},
        "digamma": {1.0: -0.5772156649015329, 0.5: -1.9635100260214235, -0.5: 0.03648997397857652},
        "erfinv": {0.0: 0.0, 0.5: 0.4769362762044699, -0.999: -2.326753765513525, 1.0: np.inf},
        "sigmoid": {0.0: 0.5, 1000.0: 1.0, -1000.0: 0.0, 2.0: 0.8807970779778823},
    }
    for name, table in values.items():
        found = PRIMITIVES[name].evaluate(np.array(list(table)))
        np.testing.assert_allclose(
            found, list(table.values()), rtol=2e-10, atol=1e-15, err_msg=name
        )


def test_erfinv_inverts_erf_to_the_tails() -> None:
    x = np.concatenate([np.linspace(-4, 4, 81), np.array([1e-12, 1e-300])])
    back = PRIMITIVES["erfinv"].evaluate(PRIMITIVES["erf"].evaluate(x))
    inner = np.abs(x) < 3
    np.testing.assert_allclose(back[inner], x[inner], rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(back, x, rtol=1e-6)


def test_int64_is_what_integer_sums_come_in() -> None:
    assert infer(PRIMITIVES["sum"], Sample((np.ones(3, np.uint8),), {"axes": (0,)})).dtype is int64
    total = PRIMITIVES["sum"].evaluate(np.full(1000, 255, np.uint8), axes=(0,))
    assert total == 255_000
