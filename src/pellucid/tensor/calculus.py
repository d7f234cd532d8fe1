"""Slopes and integrals of sampled functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.base.boundary import clear
from pellucid.base.dtypes import bool_, uint8
from pellucid.base.errors import ArgumentError, AxisError, DTypeError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_float, as_operand
from pellucid.tensor.shaping import cat


def _along(values: Any, axis: int, rank: int) -> Any:
    """A vector as the values along one of ``rank`` axes."""
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])


@clear
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1
) -> Tensor:
    """The integral of samples ``y`` along ``dim`` up to each of them, by the trapezoidal rule.

    ``x`` holds their places, otherwise they stand ``dx`` apart.  Shape (…, n, …) → (…, n − 1, …).
    """
    axis = normalize_axis(dim, len(y.shape))
    extent = y.shape[axis]
    pairs = y.narrow(axis, 1, extent - 1) + y.narrow(axis, 0, extent - 1) if extent else y
    if x is None:
        return (pairs * (dx / 2)).cumsum(axis)
    if len(x.shape) == 1:
        steps = _along(x.diff(), axis, len(y.shape))
    else:
        steps = x.diff(dim=axis - len(y.shape))
    return (pairs * steps / 2).cumsum(axis - len(y.shape))


def _spacings(spacing: Any, axes: list[int]) -> list[Any]:
    """What is given about each axis: a distance, or a tensor of places."""
    if isinstance(spacing, (list, tuple)):
        listed = list(spacing)
        if len(listed) != len(axes):
            raise ArgumentError(
                f"gradient got {len(listed)} spacings for {len(axes)} axes", "give one for each"
            )
        return listed
    return [1 if spacing is None else spacing] * len(axes)


def _slope(x: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    """Second-order differences along one axis, of given order at the ends."""
    extent, rank = x.shape[axis], len(x.shape)
    if extent < edge_order + 1:
        raise ShapeError(
            f"gradient got {extent} samples along axis {axis}, shape {tuple(x.shape)}",
            f"edge_order={edge_order} needs {edge_order + 1}",
        )
    if isinstance(spacing, Tensor):
        if len(spacing.shape) != 1 or spacing.shape[0] != extent:
            raise ShapeError(
                f"gradient got places of shape {tuple(spacing.shape)} for {extent} samples",
                "give a vector with one for each",
            )
        steps: Any = _along(as_float(spacing).diff(), axis, rank)
    else:
        kind = x.dtype
        if kind.is_narrow:
            return _slope(x.float(), axis, spacing, edge_order).to(kind)
        steps = as_operand(float(spacing), as_float(x).dtype)
        steps = steps.reshape([1] * rank).expand(
            [extent - 1 if i == axis else 1 for i in range(rank)]
        )
    rises = as_float(x).narrow(axis, 1, extent - 1) - as_float(x).narrow(axis, 0, extent - 1)
    slopes = rises / steps  # of the panels
    if extent == 2:
        return cat([slopes, slopes], axis)
    count = extent - 2
    before, after = slopes.narrow(axis, 0, count), slopes.narrow(axis, 1, count)
    left, right = steps.narrow(axis, 0, count), steps.narrow(axis, 1, count)
    inner = (before * right + after * left) / (left + right)
    first, last = slopes.narrow(axis, 0, 1), slopes.narrow(axis, extent - 2, 1)
    if edge_order == 2:  # the parabola through three samples
        share = left.narrow(axis, 0, 1) / (left.narrow(axis, 0, 1) + right.narrow(axis, 0, 1))
        first = first - (slopes.narrow(axis, 1, 1) - first) * share
        near, far = right.narrow(axis, count - 1, 1), left.narrow(axis, count - 1, 1)
        last = last + (last - slopes.narrow(axis, extent - 3, 1)) * (near / (near + far))
    return cat([first, inner, last], axis)


@clear
def gradient(
    input: Tensor,
    *,
    spacing: float | Sequence[Any] | None = None,
    dim: int | Sequence[int] | None = None,
    edge_order: int = 1,
) -> tuple[Tensor, ...]:
    """Slopes of a sampled function along axes ``dim`` (all by default), each shaped like it.

    Inside by central differences of second order, (f(x + r) l² + f(x)(r² − l²) − f(x − l) r²) /
    (l r (l + r)) for neighbours l and r away; at the ends by one-sided differences of
    ``edge_order`` 1 or 2.  ``spacing`` is the distance of samples (1 by default), one for each
    axis, or vectors with the places of the samples.  (Fornberg, 1988.)  Raises ``ShapeError`` for
    axes of too few samples, ``ArgumentError`` for other orders and numbers of spacings,
    ``AxisError`` for an axis named twice, ``DTypeError`` for uint8 and bool.
    """
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient got edge_order={edge_order}", "use 1 or 2")
    if input.dtype in (uint8, bool_):
        raise DTypeError(f"gradient got {input.dtype.name}", "differences need signs: x.float()")
    rank = len(input.shape)
    if dim is None:
        axes = list(range(rank))
    else:
        listed = [dim] if isinstance(dim, int) else list(dim)
        axes = [normalize_axis(d, rank) for d in listed]
    if len(set(axes)) < len(axes):
        raise AxisError(
            f"gradient got dim={dim}: a dim appears multiple times in the list of dims",
            "name each axis once",
        )
    given = _spacings(spacing, axes)
    return tuple(
        _slope(input, axis, space, edge_order) for axis, space in zip(axes, given, strict=True)
    )
