"""Losses of regression and classification.

``reduction`` says what is made of the single losses: ``"mean"`` (default), ``"sum"``, or
``"none"`` to keep them.  "Mean squared error" in texts may be any of these: look at the
reduction.  ``size_average`` and ``reduce`` are the older words for it; they warn and win.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.nn.functional.activation import log1p_exp, logsigmoid
from pellucid.nn.functional.checks import check_values, demanded, has_values, need_tensor
from pellucid.nn.functional.common import linear
from pellucid.nn.functional.hints import classes_hint, pair_hint
from pellucid.tensor.eager import rows, unit
from pellucid.tensor.functions import where
from pellucid.tensor.promotion import rounded_once
from pellucid.tensor.tensor import Tensor


def reduced(loss: Any, reduction: str) -> Tensor:
    """The single losses averaged, summed or kept."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    check_reduction(reduction)
    return loss


def chosen_reduction(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """``reduction``, or what the older pair of arguments in its place says, with a warning.

    ``reduce=False`` is "none"; else ``size_average=False`` is "sum", otherwise "mean".
    """
    if size_average is None and reduce is None:
        return reduction
    meant = "none" if reduce is not None and not reduce else "mean"
    if meant == "mean" and size_average is not None and not size_average:
        meant = "sum"
    warnings.warn(
        f"size_average and reduce are deprecated, use reduction={meant!r} instead", stacklevel=3
    )
    return meant


def check_reduction(reduction: str) -> None:
    """Raise for anything but none, mean and sum."""
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"there is no reduction {reduction!r}", 'use "mean", "sum" or "none"')


def need_broadcast(name: str, *tensors: Any) -> None:
    """Raise unless the shapes of all fit each other; the second is called the target."""
    for position, tensor in enumerate(tensors):
        need_tensor(name if position == 0 else f"{name}'s target", tensor)
    try:
        broadcast_shapes(*(tuple(t.shape) for t in tensors))
    except ShapeError:
        listed = [tuple(t.shape) for t in tensors]
        if len(listed) > 2:
            raise ShapeError(
                f"{name} got tensors of shapes {', '.join(map(str, listed))}",
                "all need the same shape: take them from the same batch",
            ) from None
        raise _not_alike(name, *listed) from None


def _not_alike(name: str, input: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"{name} got an input of shape {input} and a target of shape {target}",
        pair_hint(input, target),
    )


def warn_about_shapes(name: str, input: Any, target: Any) -> None:
    """Raise where the shapes do not fit, warn where they fit only by broadcasting."""
    need_tensor(name, input)
    need_tensor(f"{name}'s target", target)
    if tuple(input.shape) != tuple(target.shape):
        need_broadcast(name, input, target)
        warnings.warn(
            f"{name}: the input has shape {tuple(input.shape)} and the target "
            f"{tuple(target.shape)}. They are broadcast, which is rarely meant; reshape one, for "
            "example with squeeze(-1)",
            stacklevel=3,
        )


def same_shapes(name: str, input: Any, target: Any) -> None:
    """Raise unless both are tensors of one shape."""
    need_tensor(name, input)
    need_tensor(f"{name}'s target", target)
    if tuple(input.shape) != tuple(target.shape):
        raise _not_alike(name, tuple(input.shape), tuple(target.shape))


# ---- regression -----------------------------------------------------------------------------


@rounded_once
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|x − y|; the gradient is 0 where they are equal (a subgradient)."""
    reduction = chosen_reduction(reduction, size_average, reduce)
    warn_about_shapes("l1_loss", input, target)
    loss = (input - target).abs()
    return _weighted(loss, weight, reduction)


@rounded_once
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(x − y)².  ``reduction="sum"`` is Σ(x − y)², ``"mean"`` divides by the number of elements."""
    reduction = chosen_reduction(reduction, size_average, reduce)
    warn_about_shapes("mse_loss", input, target)
    difference = input - target
    return _weighted(difference * difference, weight, reduction)


def _weighted(loss: Any, weight: Any, reduction: str) -> Any:
    """With weights the mean is Σ w·loss / Σ w."""
    if weight is None:
        return reduced(loss, reduction)
    total = reduced(loss * weight, "sum" if reduction == "mean" else reduction)
    return total / weight.expand_as(loss).sum() if reduction == "mean" else total


@rounded_once
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """½ d² for |d| < δ, else δ (|d| − ½ δ), with d = x − y.  (Huber, 1964.)

    With ``weight`` the mean is that of w · loss, as in PyTorch; the other weighted losses divide
    by Σ w.
    """
    if delta <= 0:
        raise ArgumentError(f"huber_loss got delta={delta}", "use a positive delta")
    warn_about_shapes("huber_loss", input, target)
    difference = input - target
    size = difference.abs()
    near = size < delta
    inner = where(near, difference, 0.0)  # an infinite difference has no slope there, not even NaN
    loss = where(near, inner * inner * 0.5, (size - 0.5 * delta) * delta)
    return reduced(loss if weight is None else loss * weight, reduction)


@rounded_once
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """½ d² / β for |d| < β, else |d| − ½ β, with d = x − y; β = 0 is L1.  (Girshick, 2015.)"""
    reduction = chosen_reduction(reduction, size_average, reduce)
    if beta < 0:
        raise ArgumentError(f"smooth_l1_loss got beta={beta}", "use a value of at least 0")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    warn_about_shapes("smooth_l1_loss", input, target)
    difference = input - target
    size = difference.abs()
    near = size < beta
    inner = where(near, difference, 0.0)  # an infinite difference has no slope there, not even NaN
    loss = where(near, inner * inner * (0.5 / beta), size - 0.5 * beta)
    return reduced(loss, reduction)


@rounded_once
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """−ln of the Poisson probability of counts y, without terms that do not depend on x.

    e^x − y x when x is the log of the rate, else x − y ln(x + ε).  ``full`` adds Stirling's
    y ln y − y + ½ ln(2π y) where y > 1.
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    need_broadcast("poisson_nll_loss", input, target)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        count = where(target > 1, target, 1.0)
        stirling = count * count.log() - count + (count * (2 * math.pi)).log() * 0.5
        loss = loss + where(target > 1, stirling, 0.0)
    return reduced(loss, reduction)


def _stretches(part: Any, whole: Any) -> bool:
    """Whether ``part`` broadcasts to the shape of ``whole``."""
    own, wanted = tuple(part.shape), tuple(whole.shape)
    return len(own) == len(wanted) and all(n in (1, w) for n, w in zip(own, wanted, strict=True))


@rounded_once
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """½ (ln v + (x − y)² / v) with v = max(var, ε); ``full`` adds ½ ln 2π.

    ``var`` has the input's shape, or 1 on (or lacks) the last axis.  (Nix and Weigend, 1994.)
    """
    if isinstance(var, (int, float)):
        var = input.detach() * 0 + var
    if tuple(var.shape) != tuple(input.shape):
        if tuple(input.shape[:-1]) == tuple(var.shape):
            var = var.unsqueeze(-1)
        elif not _stretches(var, input):
            raise ShapeError(
                f"gaussian_nll_loss got a variance of shape {tuple(var.shape)} for inputs of shape "
                f"{tuple(input.shape)}",
                "give one for each element, or one for each row",
            )
    need_broadcast("gaussian_nll_loss", input, target)
    if has_values(var) and var.dtype.numbers(var.array()).min() < 0:
        raise ArgumentError(
            "gaussian_nll_loss got a negative variance", "use exp or softplus on it"
        )
    # As in PyTorch the gradient passes a clamped variance, so that it can grow again.
    safe = var + (var.clamp(min=eps) - var).detach()
    difference = input - target
    loss = (safe.log() + difference * difference / safe) * 0.5
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@rounded_once
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """y (ln y − x), x the log of the model's probabilities, y the true ones (0 ln 0 = 0).

    ``reduction="batchmean"`` sums and divides by the batch size: the divergence of Kullback and
    Leibler (1951).  ``"mean"`` divides by the number of elements instead.  With ``log_target``
    the target is ln y.
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    need_broadcast("kl_div", input, target)
    loss = target.exp() * (target - input) if log_target else target.xlogy(target) - target * input
    if reduction == "batchmean":
        return loss.sum() / loss.shape[0] if loss.dim() else loss
    return reduced(loss, reduction)


# ---- two classes, several labels ------------------------------------------------------------


def _bounded_log(x: Any) -> Any:
    """max(ln x, −100), a constant to gradients."""
    return x.detach().log().clamp(min=-100.0)


def _bernoulli_loss(p: Any, y: Any) -> Any:
    """−(y ln p + (1 − y) ln(1 − p)), its slope in p being (p − y) / max(p (1 − p), 1e-12).

    The slope is taken in the middle between p and its own value, so that the second derivative is
    right, too.
    """
    fixed = p.detach()
    middle = (p + fixed) * 0.5
    slope = (middle - y) / (middle * (1 - middle)).clamp(min=1e-12)
    return (p - fixed) * slope - (y * _bounded_log(p) + (1 - y) * _bounded_log(1 - p))


@rounded_once
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """−(y ln p + (1 − y) ln(1 − p)) for probabilities p, such as a sigmoid's output.

    The logarithms are not below −100, so p = 0 and p = 1 give finite losses and gradients.
    :func:`binary_cross_entropy_with_logits` is more exact and faster.
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    same_shapes("binary_cross_entropy", input, target)
    loss = _bernoulli_loss(input, target)
    loss = reduced(loss if weight is None else loss * weight, reduction)
    return demanded(
        loss,
        lambda: _is_share(input).logical_and(_is_share(target)),
        _check_shares,
        input.detach(),
        target,
        otherwise=ArgumentError(
            "binary_cross_entropy got probabilities or targets outside of 0 to 1", SHARES_HINT
        ),
    )


SHARES_HINT = "they must be between 0 and 1: apply sigmoid, or use binary_cross_entropy_with_logits"


def _is_share(x: Any) -> Any:
    """True where a number lies in [0, 1]; not for NaN."""
    return x.ge(0).logical_and(x.le(1))


def _check_shares(input: np.ndarray, target: np.ndarray) -> None:
    """Raise for probabilities or targets of :func:`binary_cross_entropy` outside of [0, 1]."""
    for what, values in (("probabilities", input), ("targets", target)):
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):
            hint = SHARES_HINT if what == "probabilities" else "they are shares: 0 to 1"
            raise ArgumentError(f"binary_cross_entropy got {what} from {low:g} to {high:g}", hint)


@rounded_once
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of σ(x): (1 − y) x + ln(1 + e^−x), stable for any x.

    Its gradient is σ(x) − y.  ``pos_weight`` c multiplies the positive part:
    (1 − y) x + (1 + (c − 1) y) ln(1 + e^−x).  Targets in [0, 1], in the input's shape.
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    same_shapes("binary_cross_entropy_with_logits", input, target)
    tail = log1p_exp(-input)
    if pos_weight is not None:
        tail = tail * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input + tail
    return reduced(loss if weight is None else loss * weight, reduction)


@rounded_once
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy with logits, averaged over the classes (last axis): (N, C) → (N,)."""
    reduction = chosen_reduction(reduction, size_average, reduce)
    warn_about_shapes("multilabel_soft_margin_loss", input, target)
    if not input.shape:
        raise ShapeError("multilabel_soft_margin_loss got a single number", "it needs (N, C)")
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    loss = loss if weight is None else loss * weight
    return reduced(loss.mean(-1), reduction)


# ---- one of several classes -----------------------------------------------------------------


def as_class_ids(name: str, target: Tensor) -> Tensor:
    """``target`` as int64; raises for anything but integers."""
    need_tensor(f"{name}'s target", target)
    if target.dtype.kind != "int":
        raise DTypeError(
            f"{name} got targets of {target.dtype.name}",
            "class ids are integers: convert with .long()",
        )
    return target if target.dtype is int64 else target.long()


def _classes_last(name: str, input: Any) -> Any:
    """(N, C, d…) → (N, d…, C); (C,) stays."""
    need_tensor(name, input)
    if not input.shape:
        raise ShapeError(f"{name} got a 0-dimensional input", "it needs an axis of classes")
    return input if input.dim() <= 2 else input.movedim(1, -1)


def _check_classes(
    name: str, input: Any, scores: Any, target: Any, ignore_index: int, weight: Any
) -> None:
    """Targets must fit the scores; their values are checked where they are known."""
    classes = scores.shape[-1]
    if tuple(scores.shape[:-1]) != tuple(target.shape):
        raise ShapeError(
            f"{name} got scores of shape {tuple(input.shape)} and class ids of shape "
            f"{tuple(target.shape)}",
            classes_hint(tuple(input.shape), tuple(target.shape)),
        )
    _check_weight(name, weight, classes)
    need_class_ids(name, target, classes, ignore_index)


def _check_weight(name: str, weight: Any, classes: int) -> None:
    if classes == 0:
        raise ShapeError(f"{name} got scores of 0 classes", "look at the last layer's size")
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ShapeError(
            f"{name} got weights of shape {tuple(weight.shape)} for {classes} classes",
            f"give one weight for each class: ({classes},)",
        )


def need_class_ids(name: str, target: Any, classes: int, ignore_index: int | None = None) -> None:
    """Raise for ids outside of 0 … classes − 1."""

    def check(ids: Any) -> None:
        wrong = ids[((ids < 0) | (ids >= classes)) & (ids != ignore_index)]
        if not wrong.size:
            return
        first = int(wrong.flat[0])
        hint = f"class ids are 0 to {classes - 1}"
        if ignore_index is not None:
            hint += f" (or ignore_index={ignore_index})"
        if ids.min() > 0 and ids.max() == classes:
            hint += "; these count from 1: use target - 1"
        elif first >= classes:
            hint += f"; for {int(ids.max()) + 1} classes make the last layer that wide"
        raise OutOfRangeError(f"{name} got the class id {first} for {classes} classes", hint)

    check_values(check, target)


def _picked(values: Any, ids: Any) -> Any:
    """values[…, ids[…]]: one value of the last axis for each position."""
    return values.gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def _class_weights(weight: Any, ids: Any, valid: Any, dtype: Any) -> Any:
    """The weight of each position: that of its class, 0 where it is ignored."""
    if weight is None:
        return valid.to(dtype)
    found = weight.index_select(0, ids.reshape(-1)).reshape(*ids.shape)
    return where(valid, found, 0.0)


def _averaged(loss: Any, weights: Any, reduction: str) -> Any:
    """Σ loss / Σ weights for the mean; ``loss`` is weighted already."""
    if reduction == "mean":
        return loss.sum() / weights.sum()
    return reduced(loss, reduction)


@rounded_once
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """−x[y] for log-probabilities x: (N, C, d…) and class ids y (N, d…).

    The mean is weighted by the classes' ``weight`` (C,); positions with ``ignore_index`` count
    neither above nor below.
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    scores = _classes_last("nll_loss", input)
    ids = as_class_ids("nll_loss", target)
    _check_classes("nll_loss", input, scores, ids, ignore_index, weight)
    valid = ids.ne(ignore_index)
    safe = where(valid, ids, 0)
    weights = _class_weights(weight, safe, valid, scores.dtype)
    return _averaged(-_picked(scores, safe) * weights, weights, reduction)


@rounded_once
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """−ln softmax(x)[y] from raw scores (logits) x; do not apply softmax before it.

    Shapes: x (N, C, d…) or (C,); y class ids (N, d…), or probabilities in the shape of x.
    The gradient of the mean is (softmax(x) − y) / N.  ``weight`` (C,) weighs the classes and the
    mean, positions with ``ignore_index`` do not count, ``label_smoothing`` ε moves the share
    ε of each target evenly to all C classes (Szegedy et al., 2016).
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ArgumentError(f"cross_entropy got label_smoothing={label_smoothing}", "use 0 to 1")
    scores = _classes_last("cross_entropy", input)
    need_tensor("cross_entropy's target", target)
    if target.dtype.is_floating_point and tuple(target.shape) != tuple(scores.shape[:-1]):
        same_shapes("cross_entropy with probabilities", input, target)
        if ignore_index >= 0:
            raise ArgumentError(
                f"cross_entropy got ignore_index={ignore_index} with probabilities: ignore_index "
                "is not supported for floating point target",
                "leave it out, or give class ids",
            )
        share = _classes_last("cross_entropy", target)
        _check_weight("cross_entropy", weight, scores.shape[-1])
        return _soft_cross_entropy(scores, share, weight, reduction, label_smoothing)
    ids = as_class_ids("cross_entropy", target)
    _check_classes("cross_entropy", input, scores, ids, ignore_index, weight)
    check_reduction(reduction)
    return _class_cross_entropy(scores, ids, weight, ignore_index, reduction, label_smoothing)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: object = None,
) -> Tensor:
    """:func:`cross_entropy` of the scores x Wᵀ + b: a language model's last layer and its loss.

    Shapes: input x (N, I) or (I,), ``linear_weight`` (C, d…, I), ``linear_bias`` (C, d…), target
    ids (N, d…) or probabilities (N, C, d…); the other arguments as in :func:`cross_entropy`,
    ``ignore_index`` None meaning −100.  ``options`` say how PyTorch's kernel divides the work and
    in which precision it adds up; here the compiler decides, and they change nothing.

    Raises ``ShapeError`` where features or the bias do not fit.
    """
    need_tensor("linear_cross_entropy", input)
    shape, extents = tuple(linear_weight.shape), tuple(linear_weight.shape[:-1])
    fits = len(shape) >= 2 and input.dim() in (1, 2) and input.shape[-1] == shape[-1]
    if not fits or (len(extents) > 1 and input.dim() == 1):
        raise ShapeError(
            f"linear_cross_entropy got an input of shape {tuple(input.shape)} and a weight of "
            f"shape {shape}",
            "give an input (N, I), or (I,), and a weight (C, I); or (N, I) and (C, d…, I)"
            + (
                f"; here I is {shape[-1]} and the input has {input.shape[-1]}"
                if input.shape
                else ""
            ),
        )
    if linear_bias is not None and tuple(linear_bias.shape) != extents:
        raise ShapeError(
            f"linear_cross_entropy got a bias of shape {tuple(linear_bias.shape)}",
            f"it has the shape of the scores of a sample, {extents}",
        )
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    scores = linear(input, linear_weight.reshape(-1, shape[-1]), bias)
    scores = scores.reshape(*input.shape[:-1], *extents)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        scores,
        target,
        weight,
        ignore_index=ignored,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


@unit(rows(1 << 14))
def _class_cross_entropy(
    scores: Any, ids: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    """Cross-entropy of scores (…, C) with class ids (…) that are known to fit."""
    valid = ids.ne(ignore_index)
    safe = where(valid, ids, 0)
    weights = _class_weights(weight, safe, valid, scores.dtype)
    # ln Σ e^(x − m) − (x[y] − m): picks from the scores themselves, so no table of
    # log-probabilities has to exist.
    largest = scores.amax(-1, keepdim=True).detach()
    shifted = scores - largest
    log_sum = shifted.exp().sum(-1).log()
    loss = (log_sum - (_picked(scores, safe) - largest.squeeze(-1))) * weights
    if label_smoothing:
        by_class = shifted - log_sum.unsqueeze(-1)
        even = -(by_class if weight is None else by_class * weight).sum(-1)
        even = where(valid, even, 0.0) * (label_smoothing / scores.shape[-1])
        loss = loss * (1 - label_smoothing) + even
    return _averaged(loss, weights, reduction)


@unit(rows(1 << 14))
def _soft_cross_entropy(
    scores: Any, share: Any, weight: Any, reduction: str, smoothing: float
) -> Any:
    """−Σ_c w_c y_c ln softmax(x)_c; the mean divides by the number of positions."""
    if smoothing:
        share = share * (1 - smoothing) + smoothing / scores.shape[-1]
    loss = scores.log_softmax(-1) * share
    return reduced(-(loss if weight is None else loss * weight).sum(-1), reduction)
