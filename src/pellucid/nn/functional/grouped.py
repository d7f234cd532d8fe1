"""Products of groups of rows, each with a matrix of its own: the layers of a mixture of experts."""

from __future__ import annotations

from typing import Any

from pellucid.base.dtypes import DTypeLike, as_dtype
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.functional.checks import need_tensor
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor


def grouped_mm(
    mat_a: Tensor,
    mat_b: Tensor,
    *,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: DTypeLike | None = None,
) -> Tensor:
    """Matrix products of groups that need not be equally large; ``offs`` (G,) says where each ends.

    Shapes: (M, K) · (G, K, N) → (M, N), groups of rows; (G, M, K) · (K, N) → (M, N), groups of
    columns; (M, K) · (K, N) → (G, M, N), the sum over K taken in groups; (G, M, K) · (G, K, N)
    → (G, M, N) without ``offs``.  ``offs`` are integers that do not fall; rows or columns beyond
    the last are 0.  ``bias`` broadcasts to the result; ``out_dtype`` is that of the operands.
    In a compiled function ``offs`` must be a list or a constant: the groups' sizes are shapes.
    Raises ``ShapeError`` and ``ArgumentError`` for what does not fit.
    """
    need_tensor("grouped_mm", mat_a)
    need_tensor("grouped_mm", mat_b)
    ranks = (mat_a.dim(), mat_b.dim())
    if not set(ranks) <= {2, 3} or (offs is None) != (ranks == (3, 3)):
        raise ShapeError(
            f"grouped_mm got shapes {tuple(mat_a.shape)} and {tuple(mat_b.shape)} "
            f"{'without' if offs is None else 'with'} offs",
            "each is a matrix or a stack of matrices; where one is a matrix offs cuts it",
        )
    if mat_a.shape[-1] != mat_b.shape[-2]:
        raise ShapeError(
            f"grouped_mm got shapes {tuple(mat_a.shape)} and {tuple(mat_b.shape)}",
            "the last axis of the first is the one before the last of the second",
        )
    if ranks == (3, 3):
        result = mat_a.matmul(mat_b)
    else:
        result = _jagged(mat_a, mat_b, _sizes(offs, mat_a, mat_b))
    if bias is not None:
        result = result + bias
    return result if out_dtype is None else result.to(as_dtype(out_dtype))


def _sizes(offs: Any, mat_a: Any, mat_b: Any) -> list[int]:
    """How many rows or columns each group has."""
    ends = [int(end) for end in (offs.tolist() if hasattr(offs, "tolist") else offs)]
    extent = mat_b.shape[1] if mat_a.dim() == 3 else mat_a.shape[0 if mat_b.dim() == 3 else 1]
    groups = next((m.shape[0] for m in (mat_a, mat_b) if m.dim() == 3), len(ends))
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if len(ends) != groups or min(sizes, default=0) < 0 or sum(sizes) > extent:
        raise ArgumentError(
            f"grouped_mm got offs={ends}",
            f"it needs {groups} ends that do not fall, the last at most {extent}",
        )
    return sizes


def _jagged(mat_a: Any, mat_b: Any, sizes: list[int]) -> Any:
    starts = [sum(sizes[:g]) for g in range(len(sizes))]
    if mat_a.dim() == mat_b.dim() == 2:
        return stack(
            [
                mat_a.narrow(1, start, size).matmul(mat_b.narrow(0, start, size))
                for start, size in zip(starts, sizes, strict=True)
            ]
        )
    axis = 0 if mat_a.dim() == 2 else 1
    cut, whole = (mat_a, mat_b) if axis == 0 else (mat_b, mat_a)
    parts = []
    for g, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        part, matrix = cut.narrow(axis, start, size), whole.select(0, g)
        parts.append(part.matmul(matrix) if axis == 0 else matrix.matmul(part))
    rest = cut.shape[axis] - sum(sizes)
    shape = (mat_a.shape[-2], mat_b.shape[-1])
    if rest:
        parts.append(mat_a.new_zeros(*(rest if i == axis else n for i, n in enumerate(shape))))
    return cat(parts, axis)
