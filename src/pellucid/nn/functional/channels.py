"""Normalization and dropout of whole channels, and bags of embeddings."""

from __future__ import annotations

import math
import warnings
from typing import Any

from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn.functional.checks import check_values, need_tensor
from pellucid.nn.functional.common import batch_norm, check_probability, embedding
from pellucid.ops import structure
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import arange, zeros
from pellucid.tensor.functions import where
from pellucid.tensor.promotion import rounded_once
from pellucid.tensor.random import rand
from pellucid.tensor.tensor import Tensor

# ---- normalization --------------------------------------------------------------------------


@rounded_once
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + ε) · γ + β for each channel of each sample.

    With ``use_input_stats`` mean and var are those of the channel itself, and running statistics,
    where given, move by ``momentum`` towards their mean over the batch; else the running ones are
    used.  Shapes: (N, C, *) → the same, the others (C,).  (Ulyanov et al., 2016.)
    """
    need_tensor("instance_norm", input)
    if input.dim() < 3:
        raise ShapeError(
            f"instance_norm got an input of shape {tuple(input.shape)}",
            "it needs (N, C, *) with at least one axis of positions",
        )
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ArgumentError(
                "instance_norm got use_input_stats=False without running statistics",
                "pass running_mean and running_var",
            )
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    n, c, *rest = input.shape
    count = math.prod(rest)
    if count == 1:
        raise ShapeError(
            f"instance_norm got an input of shape {tuple(input.shape)}: one value per channel",
            "a single value has no variance: use larger images, or eval() with running statistics",
        )
    flat = input.reshape(n, c, count)
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    variance = (centred * centred).mean(2, keepdim=True)
    for running, current in (
        (running_mean, mean),
        (running_var, variance * (count / max(count - 1, 1))),
    ):
        if running is not None:
            with no_grad():
                batch = current.detach().mean(0).reshape(c)
                running.copy_(running * (1 - momentum) + batch * momentum)
    result = (centred * (variance + eps).rsqrt()).reshape(n, c, *rest)
    extents = (1, c, *[1] * len(rest))
    result = result if weight is None else result * weight.reshape(extents)
    return result if bias is None else result + bias.reshape(extents)


@rounded_once
def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + α mean(x²))^β, the mean over ``size`` neighbouring channels (0 beyond the ends).

    Shape: (N, C, *) → the same.  (Krizhevsky et al., 2012.)
    """
    need_tensor("local_response_norm", input)
    if input.dim() < 3 or size < 1:
        raise ShapeError(
            f"local_response_norm got size={size} and an input of shape {tuple(input.shape)}",
            "it needs (N, C, *) with at least one axis of positions, and a size of at least 1",
        )
    if not input.numel():
        return input
    rest = [0] * (input.dim() - 2)
    square = structure.pad(
        input * input, [0, size // 2, *rest], [0, (size - 1) // 2, *rest], fill=0.0
    )
    total = square.narrow(1, 0, input.shape[1])
    for i in range(1, size):
        total = total + square.narrow(1, i, input.shape[1])
    return input / (total / size * alpha + k).pow(beta)


# ---- dropout --------------------------------------------------------------------------------


def _kept(input: Any, p: float, lead: int) -> Any:
    """1 for channels that stay, 0 for dropped ones, over the first ``lead`` axes."""
    shape = (*input.shape[:lead], *[1] * (input.dim() - lead))
    return (rand(shape, dtype=input.dtype) >= p).to(input.dtype)


def _channel_dropout(
    name: str, input: Any, p: float, training: bool, inplace: bool, lead: int
) -> Any:
    check_probability(name, p)
    if not training or p == 0:
        return input
    mask = _kept(input, p, lead) * (0.0 if p == 1 else 1.0 / (1.0 - p))
    return input._update(input._shadow() * mask) if inplace else input * mask


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels 0 with probability p, the others / (1 − p).  Shapes: (N, C, L) or (C, L)."""
    _need_rank("dropout1d", input, (2, 3))
    return _channel_dropout("dropout1d", input, p, training, inplace, input.dim() - 1)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels 0 with probability p, the others / (1 − p).  Shape: (N, C, H, W).

    Neighbouring pixels are alike, so dropping single ones would change little.  A tensor with
    three axes is taken as (N, C, L), as in PyTorch.  (Tompson et al., 2015.)
    """
    need_tensor("dropout2d", input)
    if input.dim() < 2:
        _need_rank("dropout2d", input, (4,))
    if input.dim() == 3:
        warnings.warn(
            "dropout2d got 3 axes and takes them as (N, C, L); for one image (C, H, W) add the "
            "batch axis with unsqueeze(0), for signals use dropout1d",
            stacklevel=2,
        )
    elif input.dim() != 4:
        _warn_about_rank("dropout2d", input, "(N, C, H, W)")
    return _channel_dropout("dropout2d", input, p, training, inplace, 2)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels 0 with probability p.  Shapes: (N, C, D, H, W) or (C, D, H, W)."""
    need_tensor("dropout3d", input)
    if input.dim() < 1:
        _need_rank("dropout3d", input, (4, 5))
    if input.dim() not in (4, 5):
        _warn_about_rank("dropout3d", input, "(N, C, D, H, W) or (C, D, H, W)")
    lead = 2 if input.dim() == 5 else 1
    return _channel_dropout("dropout3d", input, p, training, inplace, lead)


def _warn_about_rank(name: str, input: Any, wanted: str) -> None:
    """Other inputs are taken, as in PyTorch, though whole channels can hardly be meant."""
    warnings.warn(
        f"{name} got an input of shape {tuple(input.shape)} and drops along its first axes; it is "
        f"for {wanted}: use nn.Dropout for single elements",
        stacklevel=3,
    )


def _need_rank(name: str, input: Any, ranks: tuple[int, ...]) -> None:
    need_tensor(name, input)
    if input.dim() not in ranks:
        raise ShapeError(
            f"{name} got an input of shape {tuple(input.shape)}",
            f"it needs {' or '.join(map(str, ranks))} axes, channels before the positions",
        )


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Alpha dropout of whole channels: (N, C, *) → the same.  (Klambauer et al., 2017.)"""
    need_tensor("feature_alpha_dropout", input)
    check_probability("feature_alpha_dropout", p)
    if not training or p == 0:
        return input
    if input.dim() < 2:
        raise ShapeError(
            f"feature_alpha_dropout got an input of shape {tuple(input.shape)}",
            "it needs (N, C, *)",
        )
    kept = _kept(input, p, 2)
    low = -1.7580993408473766  # −λα of SELU
    scale = 0.0 if p == 1 else 1.0 / math.sqrt((1 - p) * (1 + p * low * low))
    shift = -scale * p * low

    def drop(x: Any) -> Any:
        return (x * kept + (1 - kept) * low) * scale + shift

    return input._update(drop(input._shadow())) if inplace else drop(input)


# ---- bags of embeddings ---------------------------------------------------------------------


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of the rows of ``weight`` at the ids of each bag.

    Shapes: ``input`` (B, n), a bag a row, or (n,) with ``offsets`` (B,), the place where each bag
    starts (and, with ``include_last_offset``, one more for the end); ``weight`` (V, D) → (B, D).
    ``per_sample_weights``, like ``input``, scale rows of mode "sum".  Ids equal to
    ``padding_idx`` do not count; empty bags give 0.  Mode "max" of bags given by offsets needs
    memory for B · n · D numbers.
    """
    need_tensor("embedding_bag", input)
    _check_bag(input, offsets, mode, per_sample_weights)
    rows = weight.shape[0]
    if offsets is not None and offsets.shape[0] <= include_last_offset:
        return weight.narrow(0, 0, 0)  # no bag
    found = embedding(
        input.reshape(-1), weight, None, max_norm, norm_type, scale_grad_by_freq, sparse
    )
    pad = None if padding_idx is None else padding_idx % rows
    counted = zeros(input.numel(), dtype=weight.dtype) + 1
    if pad is not None:
        counted = input.reshape(-1).ne(pad).to(weight.dtype)
    if per_sample_weights is not None:
        found = found * per_sample_weights.reshape(-1).unsqueeze(-1)
    if pad is not None and mode != "max":
        found = where(counted.unsqueeze(-1) > 0, found, 0.0)
    if offsets is None:
        shape = tuple(input.shape)
        rows_of = found.reshape(*shape, weight.shape[1])  # (B, n, D)
        if mode == "max":
            return _bag_maximum(rows_of, counted.reshape(*shape) > 0)
        total, count = rows_of.sum(1), counted.reshape(*shape).sum(1)
    else:
        bags = offsets.shape[0] - (1 if include_last_offset else 0)
        starts = offsets.narrow(0, 0, bags).long()
        place = arange(input.shape[0]).unsqueeze(-1)
        bag = (place >= starts).long().sum(1) - 1  # (n,): the last bag that has begun
        if mode == "max":
            wide = found.unsqueeze(0).expand(bags, *found.shape)
            inside = bag.eq(arange(bags).unsqueeze(-1)).logical_and(counted > 0)
            return _bag_maximum(wide, inside)
        total = zeros(bags, weight.shape[1], dtype=weight.dtype).index_add(0, bag, found)
        count = zeros(bags, dtype=weight.dtype).index_add(0, bag, counted)
    return total if mode == "sum" else total / count.clamp(min=1).unsqueeze(-1)


def _check_bag(input: Any, offsets: Any, mode: str, per_sample_weights: Any) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(f"embedding_bag got mode={mode!r}", 'use "sum", "mean" or "max"')
    if input.dim() not in (1, 2) or (input.dim() == 2) != (offsets is None):
        given = "without" if offsets is None else "with"
        raise ShapeError(
            f"embedding_bag got an input of shape {tuple(input.shape)} {given} offsets",
            "ids are (B, n) without offsets, or (n,) with offsets (B,), the place where each bag "
            "starts" + ("; for one bag: input.unsqueeze(0)" if input.dim() == 1 else ""),
        )
    if offsets is not None:
        _check_offsets(input, offsets)
    if per_sample_weights is None:
        return
    if mode != "sum":
        raise ArgumentError(
            f"embedding_bag got per_sample_weights with mode={mode!r}", 'they need mode="sum"'
        )
    if tuple(per_sample_weights.shape) != tuple(input.shape):
        raise ShapeError(
            f"embedding_bag got ids of shape {tuple(input.shape)} and per_sample_weights of shape "
            f"{tuple(per_sample_weights.shape)}",
            "both need the same shape",
        )


def _check_offsets(input: Any, offsets: Any) -> None:
    if offsets.dtype.kind != "int":
        raise DTypeError(
            f"embedding_bag got offsets of {offsets.dtype.name}", "they are integers: use .long()"
        )
    if offsets.dim() != 1:
        raise ShapeError(
            f"embedding_bag got offsets of shape {tuple(offsets.shape)}",
            "they are (B,): the place where each bag starts",
        )
    count = input.shape[0]

    def check(places: Any) -> None:
        first, last = int(places[0]), int(places.max())
        if first != 0 or last > count:
            raise ArgumentError(
                f"embedding_bag got offsets from {first} to {last} for {count} ids",
                f"the first bag starts at 0, the others at most at {count}",
            )

    check_values(check, offsets)


def _bag_maximum(rows: Any, inside: Any) -> Any:
    """The largest of rows (B, n, D) where ``inside`` (B, n) holds, 0 for none: (B, D)."""
    if rows.shape[1] == 0:
        return rows.sum(1)
    shown = where(inside.unsqueeze(-1), rows.detach(), -math.inf)
    winner = shown.argmax(1, keepdim=True)
    best = rows.gather(1, winner).squeeze(1)
    return where(inside.any(1).unsqueeze(-1), best, 0.0)
