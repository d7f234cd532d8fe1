"""Layers as functions: affine maps, dropout, embeddings, normalization, distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import float32, float64
from pellucid.base.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from pellucid.nn.functional.checks import as_broadcast, check_values, demanded, need_tensor
from pellucid.nn.functional.hints import bilinear_hint, group_hint, last_axes_hint, linear_hint
from pellucid.ops.normalization import mean_over, standardize, variance_over
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import from_numpy, zeros
from pellucid.tensor.eager import elements, products, rows, unit
from pellucid.tensor.functions import where
from pellucid.tensor.general import General
from pellucid.tensor.general_normalization import general_batch_norm
from pellucid.tensor.norms import distances
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import narrow_product, rounded_once
from pellucid.tensor.random import rand_like
from pellucid.tensor.tensor import Tensor

# ---- affine maps ----------------------------------------------------------------------------


@takes_out
@narrow_product
@unit(products(1 << 20, columns=0))
def linear(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """y = x Wᵀ + b, an affine map.

    Shapes: input (…, in), weight (out, in), bias (out,) → (…, out).
    """
    need_tensor("linear", input)
    if not input.shape or input.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            f"linear expects {weight.shape[-1]} features on the last axis and got an input of "
            f"shape {tuple(input.shape)}",
            linear_hint(tuple(input.shape), weight.shape[-1], weight.shape[0]),
        )
    product = input.matmul(weight.t() if weight.dim() == 2 else weight)
    return product if bias is None else product + bias


@narrow_product
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_o = x₁ᵀ W_o x₂ + b_o.

    Shapes: (…, in1), (…, in2), weight (out, in1, in2), bias (out,) → (…, out).
    """
    need_tensor("bilinear", input1)
    need_tensor("bilinear", input2)
    out, in1, in2 = weight.shape
    first, second = tuple(input1.shape), tuple(input2.shape)
    if first[-1:] != (in1,) or second[-1:] != (in2,) or first[:-1] != second[:-1]:
        raise ShapeError(
            f"bilinear expects {in1} and {in2} features and got shapes {first} and {second}",
            bilinear_hint(first, second, tuple(weight.shape)),
        )
    flat = weight.permute(1, 0, 2).reshape(in1, out * in2)  # (out, in1, in2) -> (in1, out·in2)
    left = input1.matmul(flat).reshape(*input1.shape[:-1], out, in2)
    result = (left * input2.unsqueeze(-2)).sum(-1).to(left.dtype)
    return result if bias is None else result + bias


# ---- dropout --------------------------------------------------------------------------------


def check_probability(name: str, p: float) -> None:
    """Raise unless p is from 0 to 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name} got p={p}", "p is a probability: from 0 to 1")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability p, else x / (1 − p), so that the mean stays x.

    Outside of training the input itself.  (Srivastava et al., 2014, in the inverted form.)
    """
    check_probability("dropout", p)
    if not training or p == 0:
        return input
    scale = 0.0 if p == 1 else 1.0 / (1.0 - p)
    drawn = rand_like(input)
    if inplace:
        return input._update(_dropped(input._shadow(), drawn, p, scale))
    return _dropped(input, drawn, p, scale)


@unit(elements(1 << 14))
def _dropped(input: Any, drawn: Any, p: float, scale: float) -> Any:
    """x · scale where the number drawn in [0, 1) is at least p, else 0."""
    return input * ((drawn >= p).to(input.dtype) * scale)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for SELU networks: dropped elements become −λα, then mean and variance are restored.

    (Klambauer et al., 2017.)
    """
    check_probability("alpha_dropout", p)
    if not training or p == 0:
        return input
    low = -1.7580993408473766  # −λα of SELU
    scale = 0.0 if p == 1 else 1.0 / math.sqrt((1 - p) * (1 + p * low * low))
    shift = -scale * p * low
    kept = (rand_like(input) >= p).to(input.dtype)

    def drop(x: Any) -> Any:
        return (x * kept + (1 - kept) * low) * scale + shift

    return input._update(drop(input._shadow())) if inplace else drop(input)


# ---- embeddings -----------------------------------------------------------------------------


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of ``weight`` at the ids in ``input``; gradients of repeated ids add up.

    Shapes: input (*) integers, weight (V, D) → (*, D).  The row ``padding_idx`` gets no
    gradient.  ``max_norm`` rescales, in place, looked-up rows whose norm is larger.
    ``scale_grad_by_freq`` divides each row's gradient by how often its id occurs.  ``sparse`` is
    accepted: the gradient is a dense tensor all the same, with zeros in rows not looked up.
    """
    need_tensor("embedding", input)
    if input.dtype.kind != "int":
        raise DTypeError(
            f"embedding got ids of {input.dtype.name}",
            "ids are integers: convert with .long(); for features use nn.Linear",
        )
    if weight.dim() != 2:
        raise ShapeError(
            f"embedding got a table of shape {tuple(weight.shape)}: 'weight' must be 2-D",
            "give (V, D): a row for each id",
        )
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ArgumentError(
            f"embedding got padding_idx={padding_idx} for {rows} rows", f"use {-rows} to {rows - 1}"
        )
    ids = input.reshape(-1).long()

    def check(found: np.ndarray) -> None:
        low, high = int(found.min()), int(found.max())
        if low < 0 or high >= rows:
            raise OutOfRangeError(
                f"embedding got the id {low if low < 0 else high} for {rows} rows",
                f"ids are 0 to {rows - 1}: check num_embeddings"
                + (f" (at least {high + 1} for these ids)" if high >= rows else ""),
            )

    check_values(check, input)
    if max_norm is not None:
        _renormalize(weight, ids, max_norm, norm_type)
    found = weight.index_select(0, ids)  # (n, D)
    if scale_grad_by_freq:
        count = zeros(rows, dtype=weight.dtype).index_add(
            0, ids, zeros(ids.shape[0], dtype=weight.dtype) + 1
        )
        shared = found / count.index_select(0, ids).unsqueeze(-1)
        found = found.detach() + (shared - shared.detach())
    if padding_idx is not None:
        found = where(ids.eq(padding_idx % rows).unsqueeze(-1), found.detach(), found)
    return found.reshape(*input.shape, weight.shape[1])


def _renormalize(weight: Any, ids: Any, max_norm: float, norm_type: float) -> None:
    """Scale rows of ``weight`` that occur in ``ids`` and are longer than ``max_norm``, in place."""
    with no_grad():
        ones = zeros(ids.shape[0], dtype=weight.dtype) + 1
        used = zeros(weight.shape[0], dtype=weight.dtype).index_add(0, ids, ones) > 0
        size = weight.detach().norm(norm_type, 1)
        factor = where(used.logical_and(size > max_norm), max_norm / (size + 1e-7), 1.0)
        weight.copy_(weight.detach() * factor.unsqueeze(-1))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 with a 1 at each class id: (*) → (*, num_classes); −1 takes the largest id + 1.

    Raises ``DTypeError`` for ids that are no integers, ``OutOfRangeError`` for one outside of
    0 … num_classes − 1.
    """
    need_tensor("one_hot", tensor)
    if tensor.dtype.kind != "int":
        raise DTypeError(
            f"one_hot got class ids of {tensor.dtype.name}", "they are integers: use .long()"
        )
    if num_classes < 1 and num_classes != -1 and tensor.numel():
        raise ArgumentError(f"one_hot got num_classes={num_classes}", "use 1 or more, or -1")
    if num_classes == -1:
        if not tensor.numel():
            raise ArgumentError(
                "one_hot got no class ids and no num_classes", "say how many classes there are"
            )
        num_classes = max(int(tensor.array().max()) + 1, 1)

    def check(ids: np.ndarray) -> None:
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= num_classes:
            raise OutOfRangeError(
                f"one_hot got the class id {low if low < 0 else high} for {num_classes} classes",
                f"class ids are 0 to {num_classes - 1}"
                if low < 0 < num_classes
                else f"use num_classes={high + 1} or more",
            )

    found = tensor.one_hot(num_classes)
    return demanded(
        found,
        lambda: tensor.ge(0).logical_and(tensor.lt(num_classes)),
        check,
        tensor,
        otherwise=OutOfRangeError(
            f"one_hot got a class id outside of 0 to {num_classes - 1}", "look at num_classes"
        ),
    )


# ---- normalization --------------------------------------------------------------------------


@rounded_once
@unit(rows(1 << 14))
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + ε) · γ + β over the last axes, for each sample by itself.

    Shapes: input (…, *normalized_shape), weight and bias normalized_shape → input's.
    (Ba, Kiros and Hinton, 2016.)
    """
    axes = _last_axes("layer_norm", input, normalized_shape)
    result = standardize(input, tuple(axes), eps)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


@rounded_once
@unit(rows(1 << 14))
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / √(mean(x²) + ε) · γ over the last axes; ε is the dtype's rounding unit by default.

    Shapes: input (…, *normalized_shape), weight normalized_shape → input's.
    (Zhang and Sennrich, 2019.)
    """
    axes = _last_axes("rms_norm", input, normalized_shape)
    if eps is None:
        eps = 2.0**-52 if input.dtype is float64 else 2.0**-23
    result = input * ((input * input).mean(axes, keepdim=True) + eps).rsqrt()
    return result if weight is None else result * weight


def _last_axes(name: str, input: Any, normalized_shape: Sequence[int]) -> list[int]:
    need_tensor(name, input)
    wanted = tuple(normalized_shape)
    if not wanted or tuple(input.shape[-len(wanted) :]) != wanted:
        raise ShapeError(
            f"{name} normalizes the axes {wanted} and got an input of shape {tuple(input.shape)}",
            last_axes_hint(name, tuple(input.shape), wanted),
        )
    return list(range(input.dim() - len(wanted), input.dim()))


@rounded_once
@unit(rows(1 << 14))
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer norm over groups of channels.  Shape: (N, C, *) → (N, C, *).  (Wu and He, 2018.)"""
    need_tensor("group_norm", input)
    shape, channels = tuple(input.shape), None if weight is None else weight.shape[0]
    if len(shape) < 2 or shape[1] % num_groups or channels not in (None, shape[1]):
        known = "" if channels is None else f" and {channels} channels"
        raise ShapeError(
            f"group_norm got num_groups={num_groups}{known} for an input of shape {shape}",
            group_hint(shape, num_groups, channels),
        )
    # (N, C, *) -> (N, G, C/G·*)
    grouped = input.reshape(shape[0], num_groups, math.prod(shape[1:]) // num_groups)
    result = standardize(grouped, (2,), eps).reshape(*input.shape)
    extents = (1, -1, *[1] * (input.dim() - 2))
    result = result if weight is None else result * weight.reshape(extents)
    return result if bias is None else result + bias.reshape(extents)


@rounded_once
def batch_norm(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + ε) · γ + β for each channel (axis 1).

    In training mean and var are those of the batch (over all other axes), and the running
    statistics, where given, move towards them: r ← (1 − m) r + m · batch, with the unbiased
    variance.  Outside of training the running statistics are used.
    Shapes: input (N, C) or (N, C, *), the others (C,) → input's.  (Ioffe and Szegedy, 2015.)
    """
    need_tensor("batch_norm", input)
    if not eps > 0:
        raise ArgumentError(f"batch_norm eps must be positive, but got {eps}", "use 1e-5")
    axes = [0, *range(2, input.dim())]
    if training or running_mean is None:
        count = math.prod(input.shape[a] for a in axes)
        if training and count == 1:
            raise ShapeError(
                f"batch norm got {count} value per channel, input shape {tuple(input.shape)}",
                "a variance needs at least 2: use a larger batch in training (drop_last=True "
                "drops a last batch of 1), or eval() for single samples",
            )
        if count == 0:  # nothing to normalize, and nothing to learn from
            return _scaled(input, weight, bias)
        result, mean, variance = _normalized_batch(input, weight, bias, eps)
        if training and running_mean is not None:
            with no_grad():
                _move(running_mean, mean, momentum)
                _move(running_var, variance * (count / (count - 1)), momentum)
        return result
    return _normalized_by(input, running_mean, running_var, weight, bias, eps)


def _general_batch(input: Any, weight: Any, bias: Any, eps: float) -> General | None:
    """How :func:`_normalized_batch` runs without a kernel made for this shape, if it does."""
    dtype, shape = input.dtype, tuple(input.shape)
    vectors = [t for t in (weight, bias) if t is not None]
    if dtype not in (float32, float64) or len(shape) < 3:
        return None
    if any(t.dtype is not dtype or tuple(t.shape) != shape[1:2] for t in vectors):
        return None
    return general_batch_norm(shape, dtype.numpy, [weight is not None, bias is not None], eps)


@unit(rows(1 << 14), _general_batch)
def _normalized_batch(input: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """Normalized by mean and variance of the batch, and these, (C,) and without history."""
    axes, seen = (0, *range(2, input.dim())), input.detach()
    result = _scaled(standardize(input, axes, eps), weight, bias)
    return result, mean_over(seen, axes).reshape(-1), variance_over(seen, axes).reshape(-1)


@unit(elements(1 << 14))
def _normalized_by(input: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Normalized by given statistics (C,)."""
    extents = _channel_shape(input)
    scale = (var + eps).rsqrt()
    return _scaled((input - mean.reshape(extents)) * scale.reshape(extents), weight, bias)


def _channel_shape(x: Any) -> tuple[int, ...]:
    """The shape in which a value for each channel (axis 1; of a vector, axis 0) broadcasts."""
    return (1, -1, *[1] * (x.dim() - 2)) if x.dim() > 1 else (-1,)


def _scaled(x: Any, weight: Any, bias: Any) -> Any:
    """γ x + β with a γ and β, or None, for each channel (axis 1)."""
    extents = _channel_shape(x)
    x = x if weight is None else x * weight.reshape(extents)
    return x if bias is None else x + bias.reshape(extents)


def _move(running: Any, batch: Any, momentum: Any) -> None:
    running.copy_(running * (1 - momentum) + batch * momentum)


@takes_out
@rounded_once
def normalize(
    input: Tensor,
    p: float = 2.0,
    dim: int = 1,
    eps: float = 1e-12,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """x / max(‖x‖_p, ε) along ``dim``."""
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)


# ---- distances ------------------------------------------------------------------------------


@rounded_once
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁·x₂ / (max(‖x₁‖, ε) max(‖x₂‖, ε)) along ``dim``.  Shapes broadcast; ``dim`` disappears."""
    x1, x2 = as_broadcast("cosine_similarity", x1, x2)
    first = x1 / x1.norm(2, dim, keepdim=True).clamp(min=eps)
    second = x2 / x2.norm(2, dim, keepdim=True).clamp(min=eps)
    return (first * second).sum(dim)


@rounded_once
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x₁ − x₂ + ε‖_p over the last axis.  Shapes: (N, D) or (D,) → (N,) or ()."""
    x1, x2 = as_broadcast("pairwise_distance", x1, x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Distances between all pairs of rows i < j, in the order (0, 1), (0, 2), …, (1, 2), ….

    Shapes: input (N, D) → (N·(N − 1)/2,).  ‖x_i − x_j‖_p.
    """
    need_tensor("pdist", input)
    if len(input.shape) != 2:
        raise ShapeError(
            f"pdist expects a matrix (rows, features) and got shape {tuple(input.shape)}",
            "make one row of each point",
        )
    if p < 0:
        raise ArgumentError(f"pdist got p={p}", "use 0 or more")
    first, second = np.triu_indices(int(input.shape[0]), 1)
    rows = [input.index_select(0, from_numpy(i.astype(np.int64))) for i in (first, second)]
    return distances(rows[0] - rows[1], p)
