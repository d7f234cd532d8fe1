"""Convolutions of integers: exact, wrapping around like every product of integers.

The primitive is for floating-point numbers, whose kernels are worth their code.  Integers are rare
here, and a product of their windows with the weights is all they need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pellucid.ops import structure
from pellucid.tensor.tensor import Tensor


def convolve(
    x: Any,
    weight: Any,
    stride: Sequence[int],
    low: Sequence[int],
    high: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """(N, C, d…) with (O, C / groups, k…) → (N, O, d′…), in the dtype of both."""
    kernel, rank = tuple(weight.shape[2:]), len(stride)
    x = structure.pad(x, (0, 0, *low), (0, 0, *high), fill=0)
    for i in range(rank):
        reach = dilation[i] * (kernel[i] - 1) + 1
        x = x.unfold(i + 2, reach, stride[i])[..., :: dilation[i]]  # (…, d′, …, k)
    n, channels, *rest = x.shape
    out = rest[:rank]
    x = x.reshape(n, groups, channels // groups, *rest)
    x = x.permute(0, 1, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
    rows = math.prod(kernel) * (channels // groups)
    x = x.reshape(n, groups, math.prod(out), rows)
    factors = weight.reshape(groups, weight.shape[0] // groups, rows)
    product: Tensor = x.matmul(factors.transpose(1, 2))  # (N, G, positions, O / G)
    return product.transpose(2, 3).reshape(n, weight.shape[0], *out)


def convolve_transposed(
    x: Any,
    weight: Any,
    stride: Sequence[int],
    low: Sequence[int],
    extents: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """(N, I, d…) with (I, O / groups, k…) → (N, O, *extents): zeros between, weights reversed."""
    rank, kernel = len(stride), tuple(weight.shape[2:])
    for i in range(rank):
        x = _with_zeros_between(x, i + 2, stride[i])
    before = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, low, strict=True)]
    after = [
        e + d * (k - 1) - n - b
        for e, d, k, n, b in zip(extents, dilation, kernel, x.shape[2:], before, strict=True)
    ]
    for i, (b, a) in enumerate(zip(before, after, strict=True), 2):  # less than nothing: cut off
        first, last = max(-b, 0), max(-a, 0)
        x = x.narrow(i, first, x.shape[i] - first - last)
    inputs, outputs = weight.shape[:2]
    turned = weight.flip(*range(2, 2 + rank)).reshape(groups, inputs // groups, outputs, *kernel)
    turned = turned.transpose(1, 2).reshape(groups * outputs, inputs // groups, *kernel)
    front, back = ([max(v, 0) for v in side] for side in (before, after))
    return convolve(x, turned, (1,) * rank, front, back, dilation, groups)


def _with_zeros_between(x: Any, axis: int, step: int) -> Any:
    """``step`` − 1 zeros after each element along an axis, but none after the last."""
    extent = x.shape[axis]
    if step == 1:
        return x
    wide = x.unsqueeze(axis + 1)
    none, more = [0] * wide.dim(), [0] * wide.dim()
    more[axis + 1] = step - 1
    wide = structure.pad(wide, none, more, fill=0)
    shape = (*x.shape[:axis], extent * step, *x.shape[axis + 1 :])
    return wide.reshape(*shape).narrow(axis, 0, (extent - 1) * step + 1)
