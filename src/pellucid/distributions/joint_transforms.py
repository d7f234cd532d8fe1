"""Transforms of vectors and matrices, whose parts depend on each other, and of parts by turns."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentTypeError, ShapeError
from pellucid.distributions import constraints
from pellucid.distributions.transforming import Shape, Transform, inner_sigmoid, need_axes
from pellucid.distributions.utils import (
    softplus,
    sum_rightmost,
    tril_matrix_to_vec,
    vec_to_tril_matrix,
)
from pellucid.nn.functional.padding import pad
from pellucid.tensor.core import lift
from pellucid.tensor.limits import finfo
from pellucid.tensor.linalg import cholesky
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor


class CorrCholeskyTransform(Transform):
    """Vectors of n (n − 1) / 2 numbers to Cholesky factors of n × n correlation matrices.

    z = tanh x, row by row below the diagonal, are partial correlations: each is the share of what
    is left of its row's length, √(1 − Σ y²), and the diagonal takes the rest.  (Lewandowski,
    Kurowicka and Joe, 2009; Stan's reference manual, "Cholesky factors of correlation matrices".)
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x: Any) -> Any:
        eps = finfo(x.dtype).eps
        partial = x.tanh().clamp(min=-1 + eps, max=1 - eps)
        lower: Any = vec_to_tril_matrix(partial, diag=-1)
        left = (1 - lower * lower).sqrt().cumprod(-1)
        lower = lower + lift(np.eye(lower.shape[-1], dtype=x.dtype.numpy))
        return lower * pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        left = 1 - (y * y).cumsum(-1)
        before: Any = tril_matrix_to_vec(pad(left[..., :-1], [1, 0], value=1), diag=-1)
        own: Any = tril_matrix_to_vec(y, diag=-1)
        share = own / before.sqrt()
        return (share.log1p() - share.neg().log1p()) / 2

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Tensor:
        """½ Σ ln(what was left of the rows) + Σ ln(1 − tanh² x)."""
        left: Any = 1 - (y * y).cumsum(-1)
        rows = tril_matrix_to_vec(left, -2).log().sum(-1) / 2
        return rows - ((x + softplus(x * -2) - math.log(2.0)) * 2).sum(-1)

    def forward_shape(self, shape: Any) -> Shape:
        """(…, k) → (…, n, n)."""
        need_axes(shape, 1)
        n = round((0.25 + 2 * shape[-1]) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != shape[-1]:
            raise ShapeError(
                f"Input is not a flattened lower-diagonal number: {shape[-1]}",
                "it is n (n - 1) / 2 for some n",
            )
        return (*shape[:-1], n, n)

    def inverse_shape(self, shape: Any) -> Shape:
        """(…, n, n) → (…, n (n − 1) / 2)."""
        need_axes(shape, 2)
        if shape[-2] != shape[-1]:
            raise ShapeError(f"Input is not square: {tuple(shape)}", "give (…, n, n)")
        return (*shape[:-2], shape[-1] * (shape[-1] - 1) // 2)


class SoftmaxTransform(Transform):
    """y = softmax(x) along the last axis, up to a constant in x: not one to one."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftmaxTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return x.softmax(-1)

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def forward_shape(self, shape: Any) -> Shape:
        """The same."""
        need_axes(shape, 1)
        return shape

    inverse_shape = forward_shape


class StickBreakingTransform(Transform):
    """Vectors of n numbers to the simplex of n + 1 parts, one to one.

    Each number says, through a sigmoid, which share of what is left of a stick is broken off; they
    are shifted so that 0 gives equal parts.  (Stan's reference manual, "Unit simplex".)
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StickBreakingTransform)

    __hash__ = object.__hash__

    def _shift(self, count: int, like: Any) -> Any:
        """ln n, ln(n − 1), …, ln 1."""
        return lift(np.log(np.arange(count, 0, -1.0)).astype(like.dtype.numpy))

    def _call(self, x: Any) -> Any:
        share = inner_sigmoid(x - self._shift(x.shape[-1], x))
        left = (1 - share).cumprod(-1)
        return pad(share, [0, 1], value=1) * pad(left, [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        parts = y[..., :-1]
        left = (1 - parts.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return parts.log() - left.log() + self._shift(parts.shape[-1], y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """Σ (ln σ(−x) + ln y) over the shifted x and all parts but the last."""
        shifted = x - self._shift(x.shape[-1], x)
        return (y[..., :-1].log() - softplus(shifted)).sum(-1)

    def forward_shape(self, shape: Any) -> Shape:
        """(…, n) → (…, n + 1)."""
        need_axes(shape, 1)
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Any) -> Shape:
        """(…, n + 1) → (…, n)."""
        need_axes(shape, 1)
        return (*shape[:-1], shape[-1] - 1)


class LowerCholeskyTransform(Transform):
    """Square matrices to lower-triangular ones with e^diagonal as diagonal."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LowerCholeskyTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Any) -> Any:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Transform):
    """Square matrices to positive definite ones, L Lᵀ with L of :class:`LowerCholeskyTransform`."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PositiveDefiniteTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT

    def _inverse(self, y: Any) -> Any:
        return LowerCholeskyTransform().inv(cholesky(y))


class _Several(Transform):
    """Several transforms side by side along an axis."""

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int) -> None:
        if not all(isinstance(t, Transform) for t in tseq):
            raise ArgumentTypeError(
                f"{type(self).__name__} got {list(tseq)!r}", "give a list of transforms"
            )
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.dim = dim

    @property
    def bijective(self) -> bool:
        """Whether all of them are."""
        return all(t.bijective for t in self.transforms)

    def _extent(self) -> int:
        return len(self.transforms)

    def _check(self, *values: Any) -> None:
        for value in values:
            if not -len(value.shape) <= self.dim < len(value.shape):
                raise ShapeError(
                    f"{type(self).__name__} along axis {self.dim} got shape {tuple(value.shape)}",
                    "the value needs that axis",
                )
            if value.shape[self.dim] != self._extent():
                raise ShapeError(
                    f"{type(self).__name__} got {value.shape[self.dim]} elements along axis "
                    f"{self.dim}",
                    f"its parts take {self._extent()}",
                )


class CatTransform(_Several):
    """Transforms of parts of these ``lengths`` (1 each by default) along axis ``dim``."""

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise ArgumentTypeError(
                f"CatTransform got {len(self.transforms)} transforms and {len(self.lengths)} "
                "lengths",
                "give a length for each",
            )

    @property
    def event_dim(self) -> int:
        """The most axes that one of them takes for one value."""
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self) -> int:
        """Elements along the axis."""
        return sum(self.lengths)

    def _extent(self) -> int:
        return self.length

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the caches."""
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _parts(self, value: Any) -> list[Any]:
        self._check(value)
        starts = [sum(self.lengths[:i]) for i in range(len(self.lengths))]
        return [
            value.narrow(self.dim, start, length)
            for start, length in zip(starts, self.lengths, strict=True)
        ]

    def _call(self, x: Any) -> Any:
        parts = zip(self.transforms, self._parts(x), strict=True)
        return cat([t(part) for t, part in parts], self.dim)

    def _inverse(self, y: Any) -> Any:
        parts = zip(self.transforms, self._parts(y), strict=True)
        return cat([t.inv(part) for t, part in parts], self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """Those of the parts side by side, or added where the axis belongs to one value."""
        found = []
        for t, before, after in zip(self.transforms, self._parts(x), self._parts(y), strict=True):
            own = t.log_abs_det_jacobian(before, after)
            found.append(sum_rightmost(own, self.event_dim - t.event_dim))
        dim = (self.dim - len(x.shape) if self.dim >= 0 else self.dim) + self.event_dim
        return cat(found, dim) if dim < 0 else functools.reduce(operator.add, found)

    @constraints.dependent_property
    def domain(self) -> constraints.Constraint:
        """The parts' domains side by side."""
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> constraints.Constraint:
        """The parts' codomains side by side."""
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_Several):
    """A transform for each position along axis ``dim``."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the caches."""
        if self._cache_size == cache_size:
            return self
        return StackTransform(self.transforms, self.dim, cache_size)

    def _slices(self, value: Any) -> list[Any]:
        self._check(value)
        return [value.select(self.dim, i) for i in range(len(self.transforms))]

    def _call(self, x: Any) -> Any:
        slices = zip(self.transforms, self._slices(x), strict=True)
        return stack([t(part) for t, part in slices], self.dim)

    def _inverse(self, y: Any) -> Any:
        slices = zip(self.transforms, self._slices(y), strict=True)
        return stack([t.inv(part) for t, part in slices], self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """Those of the slices, stacked."""
        pairs = zip(self.transforms, self._slices(x), self._slices(y), strict=True)
        return stack([t.log_abs_det_jacobian(a, b) for t, a, b in pairs], self.dim)

    @constraints.dependent_property
    def domain(self) -> constraints.Constraint:
        """The slices' domains."""
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> constraints.Constraint:
        """The slices' codomains."""
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
