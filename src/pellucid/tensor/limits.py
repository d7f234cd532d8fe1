"""Constants, and the limits of the element types."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pellucid.base.dtypes import DType, DTypeLike, as_dtype, get_default_dtype
from pellucid.base.errors import DTypeError

pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
"""The numbers that the package offers by name."""


class FloatLimits(NamedTuple):
    """What a floating-point type can hold."""

    bits: int
    eps: float
    """Distance from 1 to the next larger number."""
    max: float
    min: float
    tiny: float
    """Smallest positive number with full precision."""
    dtype: DType

    @property
    def smallest_normal(self) -> float:
        """Another name for ``tiny``."""
        return self.tiny


class IntegerLimits(NamedTuple):
    """What an integer type can hold."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(dtype: DTypeLike | None = None) -> FloatLimits:
    """Limits of a floating-point type, by default of the default dtype
    (float32); of a complex one, those of its parts."""
    kind = as_dtype(dtype or get_default_dtype()).to_real()
    if not kind.is_floating_point:
        raise DTypeError(f"finfo got {kind.name}", "use iinfo for integers")
    found = np.finfo(kind.numpy.name)
    return FloatLimits(
        8 * kind.itemsize,
        float(found.eps),
        float(found.max),
        float(found.min),
        float(found.tiny),
        kind,
    )


def iinfo(dtype: DTypeLike) -> IntegerLimits:
    """Limits of an integer type."""
    kind = as_dtype(dtype)
    if kind.kind != "int":
        raise DTypeError(f"iinfo got {kind.name}", "use finfo for floating point")
    found = np.iinfo(kind.numpy.name)
    return IntegerLimits(8 * kind.itemsize, int(found.max), int(found.min), kind)
