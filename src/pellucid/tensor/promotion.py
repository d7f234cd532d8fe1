"""How operands of different kinds meet: tensors of other dtypes, Python numbers, arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.dtypes import (
    DType,
    as_dtype,
    bool_,
    float32,
    int64,
    of_scalar,
    promote,
    with_scalar,
)
from pellucid.base.errors import DTypeError
from pellucid.ops import elementwise
from pellucid.tensor.core import TensorCore, lift

NUMBERS = (int, float, bool, np.number, np.bool_)


def as_operand(value: Any, dtype: DType | None = None) -> Any:
    """``value`` as a tensor: tensors stay, numbers and arrays become constants."""
    if isinstance(value, TensorCore):
        return value
    if isinstance(value, NUMBERS):
        return lift(np.asarray(value, (dtype or of_scalar(value)).numpy))
    if isinstance(value, np.ndarray):
        return lift(value)
    raise DTypeError(
        f"expected a tensor or a number and got {type(value).__name__}",
        "wrap it: pellucid.tensor(value)",
    )


def common_dtype(values: list[Any]) -> DType:
    """The dtype in which tensors and numbers combine.

    Tensors (and arrays) with axes decide first; 0-dimensional tensors, then Python numbers, only
    count when they are of a higher kind (bool < integer < float).
    """
    held = [v for v in values if isinstance(v, (TensorCore, np.ndarray))]
    with_axes = [as_dtype(v.dtype) for v in held if v.shape != ()]
    without = [as_dtype(v.dtype) for v in held if v.shape == ()]
    numbers = [of_scalar(v) for v in values if isinstance(v, NUMBERS)]
    result: DType | None = None
    for group in (with_axes, without, numbers):
        if not group:
            continue
        merged = group[0]
        for dtype in group[1:]:
            merged = promote(merged, dtype)
        result = merged if result is None else with_scalar(result, merged)
    return result or float32


def together(*values: Any, dtype: DType | None = None) -> list[Any]:
    """All ``values`` as tensors of one dtype (``dtype``, or the one they combine in)."""
    if dtype is None:
        first = values[0]
        if len(values) == 2 and isinstance(first, TensorCore):
            own, second = first._cell.dtype, values[1]
            if isinstance(second, TensorCore):
                if second._cell.dtype is own:
                    return [first, second]
            elif second.__class__ is float:
                if own.kind == "float":
                    return [first, lift(np.asarray(second, own.numpy))]
            elif second.__class__ is int and own.kind != "bool":
                return [first, lift(np.asarray(second, own.numpy))]
        kinds = [v._cell.dtype if isinstance(v, TensorCore) else None for v in values]
        if kinds[0] is not None and kinds.count(kinds[0]) == len(kinds):
            return list(values)
    target = dtype or common_dtype(list(values))
    return [elementwise.cast(as_operand(v, target), target) for v in values]


def as_float(value: Any) -> Any:
    """``value`` as a float tensor; integers and bool become float32."""
    tensor = as_operand(value)
    return tensor if tensor.dtype.is_floating_point else elementwise.cast(tensor, float32)


def as_number(value: Any) -> Any:
    """``value`` as a tensor of numbers; bool becomes int64."""
    tensor = as_operand(value)
    return elementwise.cast(tensor, int64) if tensor.dtype is bool_ else tensor
