"""The table of primitives, and how one is applied.

``apply`` asks its first input what application means: a node builds a node, a tensor computes
or records.  The gradient rules are written with these functions and so work on both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from pellucid.base.dtypes import DType
from pellucid.base.errors import DTypeError
from pellucid.base.shapes import Shape
from pellucid.graph.node import Primitive, Sample, Spec

PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name."""

Result = TypeVar("Result")

Value = Any
"""A node or a tensor: whatever satisfies :class:`pellucid.graph.node.Applicable`."""


def define(
    name: str,
    family: str,
    formula: str,
    *,
    infer: Callable[..., Spec],
    evaluate: Callable[..., np.ndarray],
    gradient: Callable[..., Sequence[Any]] | None,
    samples: Callable[[], Iterable[Sample]],
    reason: str,
    results: Callable[..., dict[int, np.ndarray]] | None = None,
    host: bool = False,
    tangent: str | Callable[..., Any] | None = None,
    batch: str | Callable[..., Any] | None = None,
) -> Primitive:
    """Make a primitive and enter it into the table.

    With ``host`` nothing else is needed: compiled programs call ``results`` or ``evaluate``.
    """
    meaning = evaluate if family == "movement" else _quiet(evaluate)
    several = None if results is None else _quiet(results)
    primitive = Primitive(
        name,
        family,
        formula,
        infer,
        meaning,
        gradient,
        samples,
        reason,
        several,
        host,
        tangent=tangent,
        batch=batch,
    )
    PRIMITIVES[name] = primitive
    return primitive


def _quiet(evaluate: Callable[..., Result]) -> Callable[..., Result]:
    """IEEE results (inf, NaN) are answers, not events: NumPy's warnings about them are off."""

    def quiet(*arrays: np.ndarray, **params: Any) -> Result:
        with np.errstate(all="ignore"):
            return evaluate(*arrays, **params)

    # For whoever evaluates many operations and turns the warnings off once.
    quiet.__wrapped__ = evaluate  # type: ignore[attr-defined]
    return quiet


def apply(primitive: Primitive, *inputs: Value, **params: Any) -> Value:
    """``primitive`` applied to nodes or tensors."""
    return inputs[0].apply_primitive(primitive, inputs, params)


def scalar(like: Value, number: float | int | bool, dtype: DType | None = None) -> Value:
    """A 0-dimensional constant in the world (nodes or tensors) and dtype of ``like``."""
    return like.lift((dtype or like.dtype).array(number))


def sum_to(x: Value, shape: Shape) -> Value:
    """``x`` summed over the axes along which ``shape`` was broadcast to get x's shape.

    It stands here, by name and not by import, because every element-wise gradient needs it and
    the file of the reductions needs the element-wise operations.
    """
    if tuple(x.shape) == tuple(shape):
        return x
    lead = len(x.shape) - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i for i, extent in enumerate(shape) if extent == 1 and x.shape[lead + i] != 1
    )
    total = apply(PRIMITIVES["sum"], x, axes=axes) if axes else x
    same = tuple(total.shape) == tuple(shape)
    return total if same else apply(PRIMITIVES["reshape"], total, shape=tuple(shape))


def same_dtype(name: str, *specs: Spec) -> DType:
    """The one dtype that all inputs of ``name`` have; raises when they differ."""
    first = specs[0].dtype
    for spec in specs:
        if spec.dtype is not first:
            listed = ", ".join(s.dtype.name for s in specs)
            raise DTypeError(
                f"{name} got inputs of different types: {listed}", "convert one with .to()"
            )
    return first


def require_float(name: str, spec: Spec) -> None:
    """Raise unless the input is of a floating-point type."""
    if not spec.dtype.is_floating_point:
        raise DTypeError(
            f"{name} needs floating-point input and got {spec.dtype.name}",
            "convert with .float() or .double()",
        )


def ramp(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Evenly spaced values in a shuffled, fixed order: distinct, never exactly at 0 or ±1."""
    count = int(np.prod(shape, dtype=int))
    values = np.linspace(low, high, count) + 0.0137 if count > 1 else np.full(count, 0.37 + low / 9)
    order = np.argsort((np.arange(count) * 0.6180339887) % 1.0)
    return np.asarray(values[order].reshape(shape))  # (count,) -> shape
