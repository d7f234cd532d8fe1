"""What all distributions share: broadcasting of parameters, probabilities and their logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import numpy as np

from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.nn.functional.activation import log1p_exp
from pellucid.tensor.autograd import enable_grad
from pellucid.tensor.core import lift
from pellucid.tensor.creation import tensor
from pellucid.tensor.functions import promote_types
from pellucid.tensor.limits import finfo
from pellucid.tensor.linalg import cholesky, solve
from pellucid.tensor.random import rand, randn
from pellucid.tensor.shaping import broadcast_tensors
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor

euler_constant = 0.57721566490153286060
"""Euler's constant γ."""

Value = TypeVar("Value")
Shape = tuple[int, ...]

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]


def broadcast_all(*values: Tensor | float) -> tuple[Tensor, ...]:
    """Tensors and Python numbers as tensors of one common shape.

    Numbers become tensors of the first tensor's dtype, of the default dtype if there is none.
    Raises ``ArgumentTypeError`` (a ``ValueError``) for anything else.

    >>> [t.shape for t in broadcast_all(0.0, pellucid.ones(3))]
    [pellucid.Size([3]), pellucid.Size([3])]
    """
    dtype = None
    plain = False
    for value in values:
        if isinstance(value, Tensor):
            dtype = dtype or value.dtype
        elif isinstance(value, (int, float, np.number)):
            plain = True
        else:
            raise ArgumentTypeError(
                f"a parameter of a distribution is a {type(value).__name__}",
                "parameters are tensors or numbers",
            )
    if plain:
        values = tuple(v if isinstance(v, Tensor) else _number(v, dtype) for v in values)
    first = values[0]
    shapes = {v.shape for v in values if isinstance(v, Tensor)}
    if len(shapes) == 1 and isinstance(first, Tensor):
        return tuple(v for v in values if isinstance(v, Tensor))
    return broadcast_tensors(*(v for v in values if isinstance(v, Tensor)))


def _number(value: Any, dtype: Any) -> Tensor:
    if dtype is None or not dtype.is_floating_point:
        return tensor(float(value)) if dtype is None else tensor(value, dtype=dtype)
    return tensor(float(value), dtype=dtype)


def standard_normal(shape: Shape, like: Tensor) -> Tensor:
    """Normal numbers of this shape in the dtype of ``like``."""
    return randn(shape, dtype=like.dtype)


def uniform(shape: Shape, like: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) of this shape in the dtype of ``like``."""
    return rand(shape, dtype=like.dtype)


def sum_rightmost(value: Any, dims: int) -> Tensor:
    """Sum over the last ``dims`` axes."""
    if dims == 0:
        return value
    return value.reshape((*value.shape[:-dims], -1)).sum(-1)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities: the sigmoid if ``is_binary``, else the softmax along the last axis."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """``probs`` kept within [ε, 1 − ε], ε the dtype's distance from 1 to the next number."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """ln p, or ln(p / (1 − p)) if ``is_binary``, of clamped probabilities, so that it is finite."""
    clamped = clamp_probs(probs)
    if is_binary:
        return clamped.log() - (-clamped).log1p()
    return clamped.log()


class lazy_property(Generic[Value]):  # noqa: N801
    """A property that is computed when it is first asked for and kept from then on.

    While a program is traced it is not kept: the value is a symbol of that program.
    """

    def __init__(self, wrapped: Callable[[Any], Value]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__
        self.__name__ = wrapped.__name__

    @overload
    def __get__(self, instance: None, owner: Any = None) -> lazy_property[Value]: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> Value: ...
    def __get__(self, instance: object | None, owner: Any = None) -> Value | lazy_property[Value]:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        if not is_tracing():
            setattr(instance, self.__name__, value)
        return value


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangle (…, n, n) of matrices up to diagonal ``diag``, row by row, as (…, k).

    Raises ``ArgumentTypeError`` unless −n ≤ diag < n.
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ArgumentTypeError(
            f"tril_matrix_to_vec got diag={diag} for matrices of {n} columns",
            f"use one from {-n} to {n - 1}",
        )
    places = np.flatnonzero(np.tril(np.ones((n, n), bool), diag))
    return mat.reshape((*mat.shape[:-2], n * n)).index_select(-1, lift(places))


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The lower-triangular matrices (…, n, n) whose triangle up to ``diag`` is ``vec`` (…, k).

    Raises ``ArgumentTypeError`` where no n fits.
    """
    k = vec.shape[-1]
    n = round(
        (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * k + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    )
    where_to = np.tril(np.ones((n, n), bool), diag) if n > 0 else np.zeros((0, 0), bool)
    if where_to.sum() != k:
        raise ArgumentTypeError(
            f"a vector of {k} elements is no triangle up to diagonal {diag}",
            "for diag = 0 it has n (n + 1) / 2 elements",
        )
    source = np.where(where_to, np.cumsum(where_to).reshape(n, n) - 1, 0)
    spread = vec.index_select(-1, lift(source.reshape(-1)))
    return spread.reshape((*vec.shape[:-1], n, n)) * lift(where_to.astype(vec.dtype.numpy))


def softplus(x: Tensor) -> Tensor:
    """ln(1 + e^x), exact to rounding."""
    return log1p_exp(x)


def solve_lower(factor: Tensor, right: Tensor) -> Tensor:
    """X with L X = B for lower-triangular L (…, n, n) and B (…, n, k); batches broadcast."""
    return solve(factor.tril(), right)


def mahalanobis(factor: Tensor, difference: Tensor) -> Tensor:
    """|L⁻¹ d|² for factors (…, n, n) and vectors (…, n); batches broadcast."""
    return solve_lower(factor, difference.unsqueeze(-1)).squeeze(-1).square().sum(-1)


def log_diagonal(factor: Tensor) -> Tensor:
    """Σ ln Lᵢᵢ, half of ln det(L Lᵀ): (…, n, n) → (…)."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def precision_to_scale_tril(precision: Tensor) -> Tensor:
    """The factor L of the covariance P⁻¹ = L Lᵀ: that of the mirrored P, inverted."""
    lower = precision.flip((-2, -1)).cholesky().flip((-2, -1)).mT  # Uᵀ with P = U Uᵀ
    return solve_lower(lower, lift(np.eye(precision.shape[-1], dtype=precision.dtype.numpy)))


def inverse_of_factor(factor: Tensor) -> Tensor:
    """(L Lᵀ)⁻¹ for lower-triangular L (…, n, n)."""
    half = solve_lower(factor, lift(np.eye(factor.shape[-1], dtype=factor.dtype.numpy)))
    return half.mT @ half


def factor_of(name: str, matrix: Tensor) -> Tensor:
    """L with covariance L Lᵀ of the matrix that was given under one of the three names."""
    if name == "scale_tril":
        return matrix
    return cholesky(matrix) if name == "covariance_matrix" else precision_to_scale_tril(matrix)


def xlogx(x: Tensor) -> Tensor:
    """x ln x, 0 at 0."""
    return x.xlogy(x)


def wide(*tensors: Tensor) -> tuple[Any, ...]:
    """Tensors in float64: differences of large logarithms of Γ lose most digits in float32."""
    return tuple(t.double() for t in tensors)


def narrow(result: Any, *like: Tensor) -> Tensor:
    """A result in the dtype in which these combine."""
    dtype = like[0].dtype
    for other in like[1:]:
        if other.dtype is not dtype and other.dtype.is_floating_point:
            dtype = promote_types(dtype, other.dtype) if dtype.is_floating_point else other.dtype
    return result.to(dtype)


def log_multigamma(a: Any, p: int) -> Tensor:
    """ln Γ_p(a) = p (p − 1)/4 ln π + Σ_{j<p} ln Γ(a − j/2)."""
    halves = lift(np.arange(p) / 2).to(a.dtype)
    return (a.unsqueeze(-1) - halves).lgamma().sum(-1) + p * (p - 1) / 4 * math.log(math.pi)


def binary_cross_entropy(logits: Any, target: Any) -> Tensor:
    """−t ln σ(x) − (1 − t) ln σ(−x), shapes broadcast."""
    return (1 - target) * logits + softplus(-logits)


def exactly_one(*values: Any, names: str) -> None:
    """Raise ``ArgumentError`` unless one of the values is given."""
    if sum(v is not None for v in values) != 1:
        raise ArgumentError(
            f"Either {names} must be specified, but not both."
            if len(values) == 2
            else f"Exactly one of {names} must be specified.",
            "give one of them",
        )
