"""What the shape and dtype rules say when inputs do not fit: what came, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.base.dtypes import as_dtype, bool_, float32, float64, int32, int64
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.graph.node import Spec
from pellucid.ops import PRIMITIVES, structure
from pellucid.tensor.core import lift


def spec(*shape: int, dtype: Any = float32) -> Spec:
    return Spec(shape, dtype)


M, INT, BOOL = spec(3, 4), spec(3, 4, dtype=int64), spec(3, 4, dtype=bool_)
SHAPE_ERRORS: list[tuple[str, tuple[Spec, ...], dict[str, Any], str]] = [
    (
        "add",
        (M, spec(3)),
        {},
        r"shapes \(3, 4\) and \(3,\) do not broadcast: axis -1 has extents 3 and 4",
    ),
    ("where", (BOOL, spec(2), spec(2)), {}, r"do not broadcast"),
    (
        "reshape",
        (M,),
        {"shape": (5, 2)},
        r"cannot reshape \(3, 4\) \(12 elements\) to \(5, 2\) \(10 elements\)",
    ),
    ("reshape", (M,), {"shape": (5, -1)}, r"cannot reshape \(3, 4\) \(12 elements\) to \(5, -1\)"),
    ("transpose", (M,), {"axes": (0, 0)}, r"\(0, 0\) does not name each axis of \(3, 4\) once"),
    ("broadcast_to", (M,), {"shape": (3, 5)}, r"\(3, 4\) and \(3, 5\) do not broadcast"),
    ("broadcast_to", (M,), {"shape": (4,)}, r"\(3, 4\) does not broadcast to \(4,\)"),
    (
        "pad",
        (M, spec(1)),
        {"low": (0, 0), "high": (0, 0), "interior": (0, 0)},
        r"pad needs one number to fill with and got shape \(1,\)",
    ),
    (
        "pad",
        (M, spec()),
        {"low": (-4, 0), "high": (0, 0), "interior": (0, 0)},
        r"padding \(-4, 0\), \(0, 0\) takes more than \(3, 4\) has",
    ),
    (
        "concatenate",
        (M, spec(2, 5)),
        {"axis": 0},
        r"cat along axis 0: tensor 1 has shape \(2, 5\), tensor 0 has \(3, 4\)",
    ),
    ("concatenate", (M, spec(3)), {"axis": 0}, r"tensor 1 has shape \(3,\)"),
    ("max", (spec(0, 3),), {"axes": (0,)}, r"max over axis 0 of \(0, 3\): there is no element"),
    ("min", (spec(0, 3),), {"axes": (0,)}, r"min over axis 0 of \(0, 3\): there is no element"),
    ("argmax", (spec(3, 0),), {"axis": 1}, r"argmax over axis 1"),
    ("argmin", (spec(3, 0),), {"axis": 1}, r"argmin over axis 1"),
    (
        "matmul",
        (M, spec(3, 2)),
        {},
        r"matmul got shapes \(3, 4\) and \(3, 2\): the last extent of the first \(4\) must equal .*"
        r"second \(3\)",
    ),
    ("matmul", (spec(4), spec(4)), {}, r"last but one of the second \(none\)"),
    ("matmul", (spec(2, 3, 4), spec(3, 4, 5)), {}, r"do not broadcast"),
    (
        "put",
        (M, spec(2, dtype=int64), spec(2, 5)),
        {"axis": 0, "mode": "add"},
        r"put needs values of shape \(2, 4\) and got \(2, 5\)",
    ),
    (
        "gather",
        (M, spec(2, dtype=int64)),
        {"axis": 0},
        r"gather along axis 0 got a tensor of shape \(3, 4\) and an index of shape \(2,\)",
    ),
    ("gather", (M, spec(2, 5, dtype=int64)), {"axis": 0}, r"no larger extent off the axis"),
    (
        "scatter",
        (M, spec(2, 5, dtype=int64), spec(2, 5)),
        {"axis": 0, "mode": "add"},
        r"scatter along axis 0",
    ),
    (
        "scatter",
        (M, spec(2, 4, dtype=int64), spec(2, 3)),
        {"axis": 0, "mode": "set"},
        r"index of shape \(2, 4\) and values of shape \(2, 3\)",
    ),
    (
        "random_uniform",
        (spec(3, dtype=int64),),
        {"shape": (2,), "dtype": float32, "lane": 0},
        r"random_uniform needs a state int64\[2\] and got int64\[3\]",
    ),
]
DTYPE_ERRORS: list[tuple[str, tuple[Spec, ...], dict[str, Any], str]] = [
    ("add", (M, INT), {}, r"add got inputs of different types: float32, int64"),
    ("mul", (BOOL, BOOL), {}, r"mul is not defined for bool"),
    ("neg", (BOOL,), {}, r"neg is not defined for bool"),
    ("exp", (INT,), {}, r"exp needs floating-point input and got int64"),
    ("div", (INT, INT), {}, r"div needs floating-point input and got int64"),
    ("pow", (INT, INT), {}, r"pow needs floating-point input and got int64"),
    ("atan2", (M, spec(3, 4, dtype=float64)), {}, r"atan2 got inputs of different types"),
    ("eq", (M, INT), {}, r"eq got inputs of different types"),
    ("maximum", (M, INT), {}, r"maximum got inputs of different types"),
    ("where", (M, M, M), {}, r"where needs a bool condition and got float32"),
    ("where", (BOOL, M, INT), {}, r"where got inputs of different types: float32, int64"),
    (
        "pad",
        (M, spec(dtype=int64)),
        {"low": (0, 0), "high": (0, 0), "interior": (0, 0)},
        r"pad got inputs of different types",
    ),
    ("concatenate", (M, INT), {"axis": 0}, r"concatenate got|cat got inputs of different types"),
    (
        "matmul",
        (BOOL, spec(4, 2, dtype=bool_)),
        {},
        r"matmul needs floating-point input and got bool",
    ),
    ("matmul", (M, spec(4, 2, dtype=int64)), {}, r"matmul got inputs of different types"),
    ("take", (M, spec(2)), {"axis": 0}, r"take needs integer positions and got float32"),
    (
        "put",
        (M, spec(2), spec(2, 4)),
        {"axis": 0, "mode": "add"},
        r"put needs integer positions and got float32",
    ),
    (
        "put",
        (M, spec(2, dtype=int64), spec(2, 4, dtype=int64)),
        {"axis": 0, "mode": "add"},
        r"put got inputs of different types",
    ),
    ("gather", (M, M), {"axis": 0}, r"gather needs integer positions and got float32"),
    (
        "scatter",
        (M, M, M),
        {"axis": 0, "mode": "set"},
        r"scatter needs integer positions and got float32",
    ),
    (
        "scatter",
        (M, INT, INT),
        {"axis": 0, "mode": "set"},
        r"scatter got inputs of different types",
    ),
]


@pytest.mark.parametrize(("name", "specs", "params", "text"), SHAPE_ERRORS)
def test_shapes_that_do_not_fit(name: str, specs: Any, params: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        PRIMITIVES[name].infer(*specs, **params)


@pytest.mark.parametrize(("name", "specs", "params", "text"), DTYPE_ERRORS)
def test_dtypes_that_do_not_fit(name: str, specs: Any, params: Any, text: str) -> None:
    with pytest.raises(DTypeError, match=text):
        PRIMITIVES[name].infer(*specs, **params)


@pytest.mark.parametrize("name", ["and", "or", "xor", "logical_and", "logical_or", "logical_xor"])
def test_bits_of_floats_do_not_exist(name: str) -> None:
    if name not in PRIMITIVES:
        return
    with pytest.raises(DTypeError, match="needs integers or bool and got float32"):
        PRIMITIVES[name].infer(M, M)


def test_two_unknown_extents() -> None:
    with pytest.raises(ArgumentError, match=r"cannot reshape to \(-1, -1\)\n.*at most one -1"):
        PRIMITIVES["reshape"].infer(M, shape=(-1, -1))


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("take", (np.zeros(3), np.array([0, 3]))),
        ("take", (np.zeros(3), np.array([-1]))),
        ("put", (np.zeros(3), np.array([3]), np.zeros(1))),
        ("gather", (np.zeros(3), np.array([3]))),
        ("scatter", (np.zeros(3), np.array([-1]), np.zeros(1))),
    ],
)
def test_positions_outside_an_axis(name: str, inputs: Any) -> None:
    params = {"axis": 0} | ({"mode": "add"} if name in ("put", "scatter") else {})
    with pytest.raises(
        ArgumentError, match=rf"{name} got position -?\d along an axis of extent 3\n.*0 to 2"
    ):
        PRIMITIVES[name].evaluate(*inputs, **params)


def test_axes_that_do_not_exist() -> None:
    x = lift(np.zeros((2, 3), np.float32))
    with pytest.raises(
        ShapeError, match="axis 2 does not exist in a tensor with 2 dimensions\n.*-2 to 1"
    ):
        structure.sum(x, 2)
    with pytest.raises(ShapeError, match=r"an axis is named twice in \(0, -2\)"):
        structure.sum(x, (0, -2))
    with pytest.raises(ArgumentError, match="cat got no tensors"):
        structure.concatenate([], 0)


def test_element_types_that_do_not_exist() -> None:
    for unknown in ("uint16", np.dtype("complex256"), object, "nonsense"):
        with pytest.raises(
            DTypeError, match="there is no element type .*\n.*use one of: bool, uint8"
        ):
            as_dtype(unknown)
    with pytest.raises(DTypeError, match="no complex numbers of 16 bits a part"):
        as_dtype("complex32")
    assert as_dtype("long") is int64 and as_dtype(np.int32) is int32 and as_dtype(float) is float64
