"""What operations with several results return: named tuples, as in PyTorch."""

from __future__ import annotations

from typing import NamedTuple

from pellucid.tensor.interface import Tensor


class ValuesIndices(NamedTuple):
    """Elements and their positions along the axis (int64)."""

    values: Tensor
    indices: Tensor


class Extremes(NamedTuple):
    """Smallest and largest elements."""

    min: Tensor
    max: Tensor


class Histogram(NamedTuple):
    """Counts of the parts, and the edges between them."""

    hist: Tensor
    bin_edges: Tensor


class Fraction(NamedTuple):
    """A floating-point number in two parts: mantissa · 2^exponent."""

    mantissa: Tensor
    exponent: Tensor


class SignLog(NamedTuple):
    """A determinant as its sign and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor
