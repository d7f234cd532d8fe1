"""How operands of different kinds meet: tensors of other dtypes, Python numbers, arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from pellucid.base.dtypes import (
    RANK,
    DType,
    as_dtype,
    bool_,
    float32,
    float64,
    get_default_dtype,
    int64,
    of_scalar,
    promote,
    with_scalar,
)
from pellucid.base.errors import DTypeError, NumberRangeError
from pellucid.ops import elementwise
from pellucid.tensor.core import TensorCore, lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.state import state

Function = TypeVar("Function", bound=Callable[..., Any])

NUMBERS = (int, float, bool, complex, np.number, np.bool_)


def as_operand(value: object, dtype: DType | None = None) -> Tensor:
    """``value`` as a tensor: tensors stay, numbers and arrays become constants."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, NUMBERS):
        kind = dtype or of_scalar(value)
        # A number meets narrow values in float32: it is not rounded before the result is.
        try:
            return lift(np.asarray(value, np.float32 if kind.is_narrow else kind.numpy))
        except TypeError:  # a complex number among real ones
            raise NumberRangeError(
                f"value {value} cannot be converted to type {kind.name} without overflow: it is "
                "complex",
                "take its real part, or convert the tensor first: x.to(complex64)",
            ) from None
        except OverflowError:
            return lift(_wrapped(value, kind))
    if isinstance(value, np.ndarray):
        return lift(value)
    raise DTypeError(
        f"expected a tensor or a number and got {type(value).__name__}",
        "wrap it: pellucid.tensor(value)",
    )


def _wrapped(value: Any, kind: DType) -> np.ndarray:
    """A whole number outside of the range of an integer dtype, as its last bits say."""
    number = float(value)
    if kind.kind != "int" or not -(2.0**63) <= number < 2.0**63:
        raise NumberRangeError(
            f"the number {value} cannot be converted to {kind.name} without overflow",
            "convert the tensor first: x.double()",
        )
    return np.asarray(int(value), np.int64).astype(kind.numpy)


def as_source(values: Any, dtype: DType) -> Any:
    """Values to be written into a tensor of ``dtype``, converted.

    Raises :class:`~pellucid.base.errors.DTypeError` for a tensor of a higher kind of number, such
    as fractions for places that hold whole numbers.
    """
    source = as_operand(values, dtype)
    if RANK[source.dtype.kind] > RANK[dtype.kind]:
        raise DTypeError(
            f"values of {source.dtype.name} were to be written into a tensor of {dtype.name}",
            f"convert them first: values.to({dtype.name})",
        )
    return elementwise.cast(source, dtype)


def common_dtype(values: list[Any]) -> DType:
    """The dtype in which tensors and numbers combine.

    Tensors (and arrays) with axes decide first; 0-dimensional tensors, then Python numbers, only
    count when they are of a higher kind (bool < integer < float < complex).
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
    return result or get_default_dtype()


def together(*values: Any, dtype: DType | None = None) -> list[Tensor]:
    """All ``values`` as tensors of one dtype (``dtype``, or the one they combine in)."""
    if dtype is None:
        first = values[0]
        if len(values) == 2 and isinstance(first, Tensor):
            own, second = first._cell.dtype, values[1]
            if isinstance(second, Tensor):
                if second._cell.dtype is own:
                    return [first, second]
            elif second.__class__ is float:
                if own.kind == "float":
                    return [first, as_operand(second, own)]
            elif second.__class__ is int and own.kind != "bool":
                return [first, as_operand(second, own)]
        kinds = [v._cell.dtype if isinstance(v, TensorCore) else None for v in values]
        if kinds[0] is not None and kinds.count(kinds[0]) == len(kinds):
            return list(values)
    target = dtype or common_dtype(list(values))
    if target.is_narrow:
        return [
            as_operand(v, target)
            if isinstance(v, NUMBERS)
            else elementwise.cast(as_operand(v), target)
            for v in values
        ]
    return [elementwise.cast(as_operand(v, target), target) for v in values]


def as_float(value: object) -> Tensor:
    """``value`` as a float or complex tensor; integers and bool get the default dtype."""
    tensor = as_operand(value)
    if tensor.dtype.is_differentiable:
        return tensor
    return elementwise.cast(tensor, get_default_dtype())


def as_number(value: object) -> Tensor:
    """``value`` as a tensor of numbers; bool becomes int64."""
    tensor = as_operand(value)
    return elementwise.cast(tensor, int64) if tensor.dtype is bool_ else tensor


def rounded_once(function: Function) -> Function:
    """Let a function of several steps take a narrow tensor (bfloat16, float16) as its first
    argument: all of it is computed in float32, and only the result is rounded.

    While autocasting the result stays float32.  Changes in place are made step by step.
    """
    names = list(inspect.signature(function).parameters)
    place = names.index("inplace") if "inplace" in names else None

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else kwargs.get(names[0])
        if not isinstance(first, TensorCore) or not first._cell.dtype.is_narrow:
            return function(*args, **kwargs)
        if kwargs.get("dtype") is not None:  # the caller says in which type
            return function(*args, **kwargs)
        if place is not None and (kwargs.get("inplace") or (len(args) > place and args[place])):
            return function(*args, **kwargs)
        wide = elementwise.cast(first, float32)
        if args:
            result = function(wide, *args[1:], **kwargs)
        else:
            result = function(**{**kwargs, names[0]: wide})
        return result if state.autocast is not None else _rounded(result, first.dtype)

    return run  # type: ignore[return-value]


def narrow_product(function: Function) -> Function:
    """Let a product of its tensor arguments take narrow ones, and take part in autocasting.

    The operands are narrow, all that is done with them is done in float32, and the result is
    rounded once.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        dtype = state.autocast
        if dtype is None:
            first = args[0] if args else next(iter(kwargs.values()), None)
            if not isinstance(first, TensorCore) or not first._cell.dtype.is_narrow:
                return function(*args, **kwargs)
            dtype = first._cell.dtype
        elif all(v._cell.dtype is float64 for v in args if isinstance(v, TensorCore)):
            return function(*args, **kwargs)
        args = tuple(_operand_of(v, state.autocast) for v in args)
        kwargs = {name: _operand_of(v, state.autocast) for name, v in kwargs.items()}
        before, state.autocast = state.autocast, None
        try:
            return _rounded(function(*args, **kwargs), dtype)
        finally:
            state.autocast = before

    return run  # type: ignore[return-value]


def _operand_of(value: Any, autocast: DType | None) -> Any:
    """A narrow tensor in float32, rounded before if that is what autocasting asks for."""
    if not isinstance(value, TensorCore):
        return value
    kind = value._cell.dtype
    if autocast is not None and kind is float32:
        return elementwise.cast(elementwise.cast(value, autocast), float32)
    return elementwise.cast(value, float32) if kind.is_narrow else value


def _rounded(result: Any, dtype: DType) -> Any:
    """float32 results in the narrow type."""
    if isinstance(result, tuple):
        parts = [_rounded(part, dtype) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    if isinstance(result, TensorCore) and result.dtype is float32:
        return elementwise.cast(result, dtype)
    return result
