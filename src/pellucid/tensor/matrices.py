"""What all functions of linear algebra ask of their matrices, and parts that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from pellucid.base.dtypes import float32, int32
from pellucid.base.errors import (
    ArgumentError,
    DTypeError,
    DTypeUnsupportedError,
    LinAlgError,
    ShapeError,
)
from pellucid.base.shapes import Shape, broadcast_shapes
from pellucid.ops import elementwise, structure
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.late import demanded
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.state import is_tracing, state


def as_matrices(name: str, value: Any, square: bool = False) -> Tensor:
    """The matrices (…, m, n) in float32 or float64.

    Raises ``ShapeError`` and ``DTypeError``: LAPACK has no other types.  While autocasting, narrow
    types become float32.
    """
    a = as_real(name, value)
    if len(a.shape) < 2:
        raise ShapeError(
            f"linalg.{name} got a tensor of shape {tuple(a.shape)}, and needs matrices: tensors of "
            "at least 2 dimensions",
            "give a tensor (…, m, n)",
        )
    if square and a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"linalg.{name} got a tensor of shape {tuple(a.shape)}, whose matrices are "
            f"{a.shape[-2]} by {a.shape[-1]}",
            "it needs square matrices (…, n, n)",
        )
    return a


def symmetric(name: str, value: Any, triangle: str) -> Tensor:
    """The symmetric matrices that one triangle says, "L" or "U"; the gradient is not cut."""
    a = as_matrices(name, value, square=True)
    if str(triangle).upper() not in ("L", "U"):
        raise ArgumentError(f"linalg.{name} got UPLO={triangle!r}", 'use "L" or "U"')
    still = a.detach()
    lower = still.tril() if str(triangle).upper() == "L" else still.triu().mH
    whole = lower + lower.tril(-1).mH
    return whole if not a.requires_grad else whole + (a - still)


def as_real(name: str, value: Any) -> Tensor:
    """A tensor of float32 or float64; see :func:`as_matrices`."""
    a = as_operand(value)
    if a.dtype.is_narrow:
        if state.autocast is not None:
            return cast(Tensor, elementwise.cast(a, float32))
        raise DTypeUnsupportedError(
            f"linalg.{name} is not implemented for {a.dtype.name}: low precision dtypes are not "
            "supported",
            "convert it with .float()",
        )
    if a.dtype.kind in ("bool", "int"):
        raise DTypeError(
            f"linalg.{name} expected a floating point tensor and got {a.dtype.name}",
            "convert it with .float() or .double()",
        )
    return a


def same_types(name: str, *tensors: Any) -> None:
    """Raise unless all have one dtype."""
    kinds = [t.dtype for t in tensors]
    if any(kind is not kinds[0] for kind in kinds):
        raise DTypeError(
            f"linalg.{name} got tensors of different types: {', '.join(k.name for k in kinds)}",
            "convert one with .to()",
        )


def batches_together(name: str, *tensors: Any) -> list[Any]:
    """The tensors with their leading axes (all but the last two) broadcast."""
    try:
        batch = broadcast_shapes(*(tuple(t.shape[:-2]) for t in tensors))
    except ShapeError as error:
        shapes = " and ".join(str(tuple(t.shape)) for t in tensors)
        raise ShapeError(f"linalg.{name} got {shapes}: {error.message}", error.hint) from None
    return [structure.broadcast_to(t, (*batch, *t.shape[-2:])) for t in tensors]


def unit_matrices(shape: Shape, like: Any) -> Tensor:
    """Identities (…, n, n) in the dtype of ``like``."""
    one = lift(np.eye(shape[-1], dtype=like.dtype.numpy))
    return cast(Tensor, structure.broadcast_to(one, tuple(shape)))


def count_from_one(bad: Any) -> Tensor:
    """The position, from 1 on, of the first that is true along the last axis; 0 if none (int32)."""
    if not bad.shape[-1]:
        return cast(Tensor, structure.sum(elementwise.cast(bad, int32), -1))
    first = structure.argmax(elementwise.cast(bad, int32), len(bad.shape) - 1) + 1
    return cast(Tensor, elementwise.cast(first * bad.any(-1), int32))


def required(
    name: str,
    value: Any,
    info: Any,
    what: Callable[[int], str],
    hint: str,
    again: tuple[Any, Callable[[np.ndarray], np.ndarray]] | None = None,
) -> Tensor:
    """``value``, if ``info`` is 0 everywhere; else :class:`LinAlgError` for the first matrix.

    ``what`` says in words what a number of ``info`` means, 0 being one that is not known.  A
    compiled program says it after its call, with the numbers that ``again`` finds: a tensor, and
    what computes info of its array by NumPy.
    """

    traced = is_tracing()

    def check(array: np.ndarray) -> None:
        orders = array if again is None or not traced else again[1](array)
        failed = np.flatnonzero(orders)
        if failed.size:
            where = f"(Batch element {failed[0]}): " if orders.ndim else ""
            order = int(orders.reshape(-1)[failed[0]])
            raise LinAlgError(f"linalg.{name}: {where}{what(order)}", hint)

    subject = again[0] if again is not None and traced else info
    otherwise = LinAlgError(f"linalg.{name}: {what(0)}", hint)
    return cast(Tensor, demanded(value, lambda: info.eq(0), check, subject, otherwise=otherwise))
