"""Losses that ask for a margin between scores or distances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.nn.functional.activation import log1p_exp
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.common import pairwise_distance
from pellucid.nn.functional.hints import classes_hint
from pellucid.nn.functional.loss import (
    as_class_ids,
    chosen_reduction,
    need_broadcast,
    need_class_ids,
    reduced,
    same_shapes,
    warn_about_shapes,
)
from pellucid.tensor.creation import zeros_like
from pellucid.tensor.functions import where
from pellucid.tensor.promotion import rounded_once
from pellucid.tensor.tensor import Tensor


def _same_ranks(name: str, *tensors: Any) -> None:
    """Raise unless all have the same number of axes, and shapes that broadcast."""
    for tensor in tensors:
        need_tensor(name, tensor)
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if len({len(shape) for shape in shapes}) > 1:
        raise ShapeError(
            f"{name} got tensors of shapes {', '.join(map(str, shapes))}",
            "all need the same number of axes: use squeeze or unsqueeze",
        )
    need_broadcast(name, *tensors)


@rounded_once
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """ln(1 + e^(−y x)) for y = ±1, stable for any x."""
    reduction = chosen_reduction(reduction, size_average, reduce)
    warn_about_shapes("soft_margin_loss", input, target)
    if broadcast_shapes(tuple(input.shape), tuple(target.shape)) != tuple(input.shape):
        same_shapes("soft_margin_loss", input, target)
    return reduced(log1p_exp(-target * input), reduction)


@rounded_once
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where y = 1, max(0, margin − x) where y = −1; x is a distance of two samples."""
    reduction = chosen_reduction(reduction, size_average, reduce)
    need_broadcast("hinge_embedding_loss", input, target)
    far = where(target.ne(1), (margin - input).clamp(min=0), 0.0)
    near = where(target.ne(-1), input, 0.0)
    return reduced(far + near, reduction)


@rounded_once
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, −y (x₁ − x₂) + margin): y = 1 wants the first larger, y = −1 the second."""
    reduction = chosen_reduction(reduction, size_average, reduce)
    _same_ranks("margin_ranking_loss", input1, input2, target)
    return reduced((-target * (input1 - input2) + margin).clamp(min=0), reduction)


@rounded_once
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 − cos(x₁, x₂) where y = 1, max(0, cos − margin) where y = −1.

    Shapes: inputs (N, D) with target (N,), or (D,) with target ().
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    need_broadcast("cosine_embedding_loss", input1, input2)
    need_tensor("cosine_embedding_loss's target", target)
    if not input1.shape or len(input1.shape) != len(input2.shape):
        raise ShapeError(
            f"cosine_embedding_loss got inputs of shapes {tuple(input1.shape)} and "
            f"{tuple(input2.shape)}",
            "both are (N, D), or both (D,)",
        )
    rows = broadcast_shapes(tuple(input1.shape), tuple(input2.shape))[:-1]
    if len(target.shape) != len(rows) or any(
        n not in (1, m) for n, m in zip(target.shape, rows, strict=True)
    ):
        raise ShapeError(
            f"cosine_embedding_loss got a target of shape {tuple(target.shape)} for inputs of "
            f"shape {tuple(input1.shape)}",
            f"one target, 1 or -1, for each row: {rows}",
        )
    tiny = 1e-12
    squares = ((input1 * input1).sum(-1) + tiny) * ((input2 * input2).sum(-1) + tiny)
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    alike = where(target.eq(1), 1 - cosine, 0.0)
    different = where(target.eq(-1), (cosine - margin).clamp(min=0), 0.0)
    return reduced(alike + different, reduction)


@rounded_once
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) − d(a, n) + margin) with d the p-norm of the difference.

    ``swap`` uses d(p, n) instead of d(a, n) where it is smaller.  Shapes (N, D) or (D,).
    (Balntas et al., 2016.)
    """

    reduction = chosen_reduction(reduction, size_average, reduce)

    def distance(x: Any, y: Any) -> Any:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=distance,
        margin=margin,
        swap=swap,
        reduction=reduction,
    )


@rounded_once
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """:func:`triplet_margin_loss` with any distance; by default the Euclidean one."""
    if margin <= 0:
        raise ArgumentError(f"the triplet loss got margin={margin}", "use a positive margin")
    _same_ranks("the triplet loss", anchor, positive, negative)
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((near - far + margin).clamp(min=0), reduction)


@rounded_once
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ_{j ≠ y} w[y] max(0, margin − x[y] + x[j])^p / C.

    Shapes: (N, C) with class ids (N,), or (C,) with ().  (Crammer and Singer, 2001.)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss got p={p}", "use 1 or 2")
    need_tensor("multi_margin_loss", input)
    ids = as_class_ids("multi_margin_loss", target)
    if len(input.shape) < 2:  # the scores of one sample; a number is one score
        input = input.reshape(-1)
        ids = ids.reshape(()) if ids.numel() == 1 else ids
    if len(input.shape) not in (1, 2) or tuple(ids.shape) != tuple(input.shape[:-1]):
        raise ShapeError(
            f"multi_margin_loss got class ids of shape {tuple(ids.shape)} for scores of shape "
            f"{tuple(input.shape)}",
            classes_hint(tuple(input.shape), tuple(ids.shape)),
        )
    classes = input.shape[-1]
    if classes == 0 or (weight is not None and tuple(weight.shape) != (classes,)):
        raise ShapeError(
            f"multi_margin_loss got scores of shape {tuple(input.shape)}"
            + ("" if weight is None else f" and weights of shape {tuple(weight.shape)}"),
            "it needs at least one class, and a weight for each",
        )
    need_class_ids("multi_margin_loss", ids, classes)
    place = ids.unsqueeze(-1)
    gap = (margin - input.gather(-1, place) + input).relu()  # (N, C); slope 0 at 0
    gap = gap if p == 1 else gap * gap
    if weight is not None:
        gap = gap * weight.index_select(0, ids.reshape(-1)).reshape(*place.shape)
    other = ids.one_hot(input.shape[-1]).eq(0)
    return reduced(where(other, gap, 0.0).sum(-1) * (1.0 / input.shape[-1]), reduction)


@rounded_once
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ_{j true, i not true} max(0, 1 − (x[y_j] − x[i])) / C.

    Shapes: (N, C) or (C,) both; each row of the target lists class ids, ended by −1.
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    same_shapes("multilabel_margin_loss", input, target)
    if not input.shape:
        input, target = input.reshape(1), target.reshape(1)
    ids = as_class_ids("multilabel_margin_loss", target)
    need_class_ids("multilabel_margin_loss", ids, input.shape[-1], -1)
    listed = ids.eq(-1).long().cumsum(-1).eq(0)  # before the first −1
    safe = where(listed, ids, 0)
    is_true = zeros_like(input.detach()).scatter_add(-1, safe, listed.to(input.dtype)) > 0
    score = input.gather(-1, safe)  # (N, J): scores of the true classes
    gap = (1 - (score.unsqueeze(-1) - input.unsqueeze(-2))).relu()  # (N, J, C); slope 0 at 0
    counted = listed.unsqueeze(-1).logical_and(is_true.logical_not().unsqueeze(-2))
    loss = where(counted, gap, 0.0).sum((-2, -1)) * (1.0 / input.shape[-1])
    return reduced(loss, reduction)
