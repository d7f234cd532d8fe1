"""Helpers of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_array(value: Any) -> np.ndarray:
    """A tensor (ours or PyTorch's), array or number as a NumPy array."""
    if hasattr(value, "detach"):
        value = value.detach()
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def assert_close(
    actual: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-8, what: str = "value"
) -> None:
    """Same shape and |actual − expected| ≤ atol + rtol · |expected|; NaN equals NaN.

    The failure says how large the largest error is, and where.
    """
    left, right = as_array(actual), as_array(expected)
    if left.shape != right.shape:
        raise AssertionError(f"{what}: shape {left.shape}, expected {right.shape}")
    if left.dtype == np.bool_ or right.dtype == np.bool_:
        left, right = left.astype(np.int64), right.astype(np.int64)
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in (left, right)]
    good = np.isclose(*wide, rtol=rtol, atol=atol, equal_nan=True)
    if good.all():
        return
    with np.errstate(invalid="ignore"):
        error = np.abs(wide[0] - wide[1]).astype(np.float64)
    worst = np.unravel_index(
        np.argmax(np.where(good, -1.0, np.nan_to_num(error, nan=np.inf))), error.shape
    )
    place = tuple(int(i) for i in worst)
    raise AssertionError(
        f"{what}: {int((~good).sum())} of {good.size} elements differ; the largest error "
        f"{error[worst]:.6g} is at {place}: {left[worst]!r}, expected {right[worst]!r} "
        f"(rtol={rtol}, atol={atol})"
    )


def assert_same(
    actual: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-6, what: str = "value"
) -> None:
    """:func:`assert_close`, and the same element type."""
    left, right = as_array(actual), as_array(expected)
    if left.dtype != right.dtype:
        raise AssertionError(f"{what}: dtype {left.dtype}, expected {right.dtype}")
    assert_close(left, right, rtol, atol, what)
