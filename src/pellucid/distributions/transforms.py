"""Maps between spaces with the logarithm of their Jacobian's determinant.

``y = t(x)``, ``x = t.inv(y)``, ``t.log_abs_det_jacobian(x, y)``.  ``domain`` and ``codomain`` say
where x and y lie, ``bijective`` whether the inverse is a true one, ``sign`` whether a map of single
numbers rises or falls.  ``cache_size=1`` keeps the last pair, so that ``t.inv(t(x)) is x``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution
from pellucid.distributions.joint_transforms import (
    CatTransform,
    CorrCholeskyTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SoftmaxTransform,
    StackTransform,
    StickBreakingTransform,
)
from pellucid.distributions.transforming import (
    ComposeTransform,
    IndependentTransform,
    Shape,
    Transform,
    identity_transform,
    inner_sigmoid,
    need_axes,
    with_axes,
)
from pellucid.distributions.utils import softplus, sum_rightmost
from pellucid.tensor.core import lift
from pellucid.tensor.limits import finfo
from pellucid.tensor.tensor import Tensor

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]


class ReshapeTransform(Transform):
    """The last axes in another shape: (…, *in_shape) → (…, *out_shape); no volume changes.

    Raises ``ShapeError`` for shapes of different numbers of elements.
    """

    bijective = True

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0):
        self.in_shape: Shape = tuple(in_shape)
        self.out_shape: Shape = tuple(out_shape)
        if math.prod(self.in_shape) != math.prod(self.out_shape):
            raise ShapeError(
                f"in_shape, out_shape have different numbers of elements: {self.in_shape}, "
                f"{self.out_shape}",
                "both hold the same elements",
            )
        super().__init__(cache_size=cache_size)

    @constraints.dependent_property
    def domain(self) -> constraints.Constraint:
        """All numbers, with the axes of ``in_shape``."""
        return constraints.independent(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self) -> constraints.Constraint:
        """All numbers, with the axes of ``out_shape``."""
        return constraints.independent(constraints.real, len(self.out_shape))

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the cache."""
        if self._cache_size == cache_size:
            return self
        return ReshapeTransform(self.in_shape, self.out_shape, cache_size=cache_size)

    def _batch(self, shape: Any, event: Shape) -> Shape:
        need_axes(shape, len(event))
        cut = len(shape) - len(event)
        if tuple(shape[cut:]) != event:
            raise ShapeError(
                f"Shape mismatch: expected {tuple(shape[cut:])} but got {event}",
                "the last axes are those that are reshaped",
            )
        return tuple(shape[:cut])

    def _call(self, x: Any) -> Any:
        return x.reshape(self._batch(x.shape, self.in_shape) + self.out_shape)

    def _inverse(self, y: Any) -> Any:
        return y.reshape(self._batch(y.shape, self.out_shape) + self.in_shape)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """0, of the batch's shape."""
        shape = self._batch(x.shape, self.in_shape)
        return lift(np.zeros(shape, x.dtype.numpy))

    def forward_shape(self, shape: Any) -> Shape:
        """``in_shape`` at the end exchanged for ``out_shape``."""
        return self._batch(shape, self.in_shape) + self.out_shape

    def inverse_shape(self, shape: Any) -> Shape:
        """``out_shape`` at the end exchanged for ``in_shape``."""
        return self._batch(shape, self.out_shape) + self.in_shape


class ExpTransform(Transform):
    """y = e^x."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = +1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExpTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """x."""
        return x


class PowerTransform(Transform):
    """y = x^exponent of positive numbers."""

    domain = constraints.positive
    codomain = constraints.positive
    bijective = True

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.exponent = exponent

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the cache."""
        if self._cache_size == cache_size:
            return self
        return PowerTransform(self.exponent, cache_size=cache_size)

    @property
    def sign(self) -> int | Tensor:
        """The exponent's sign."""
        return self.exponent.sign() if isinstance(self.exponent, Tensor) else _sign(self.exponent)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PowerTransform) and _same(self.exponent, other.exponent)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return x.pow(self.exponent)

    def _inverse(self, y: Any) -> Any:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """ln |exponent · y / x|."""
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Any) -> Shape:
        """Broadcast with the exponent."""
        return broadcast_shapes(tuple(shape), tuple(getattr(self.exponent, "shape", ())))

    inverse_shape = forward_shape


def _sign(number: float) -> int:
    return int(number > 0) - int(number < 0)


def _same(a: Any, b: Any) -> bool:
    """Whether two parameters, tensors or numbers, are equal in every element."""
    found = a == b
    return bool(found.array().all()) if isinstance(found, Tensor) else bool(found)


class SigmoidTransform(Transform):
    """y = 1 / (1 + e^−x), kept inside (0, 1)."""

    domain = constraints.real
    codomain = constraints.unit_interval
    bijective = True
    sign = +1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SigmoidTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return inner_sigmoid(x)

    def _inverse(self, y: Any) -> Any:
        limits = finfo(y.dtype)
        inner = y.clamp(min=limits.tiny, max=1.0 - limits.eps)
        return inner.log() - (-inner).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """ln σ(x) + ln σ(−x)."""
        return -softplus(-x) - softplus(x)


class SoftplusTransform(Transform):
    """y = ln(1 + e^x)."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = +1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftplusTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return softplus(x)

    def _inverse(self, y: Any) -> Any:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """ln σ(x)."""
        return -softplus(-x)


class TanhTransform(Transform):
    """y = tanh x.  Near ±1 the inverse loses digits: use ``cache_size=1``."""

    domain = constraints.real
    codomain = constraints.interval(-1.0, 1.0)
    bijective = True
    sign = +1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TanhTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """ln(1 − tanh² x) = 2 (ln 2 − x − ln(1 + e^−2x)), which does not cancel."""
        return (math.log(2.0) - x - softplus(x * -2.0)) * 2.0


class AbsTransform(Transform):
    """y = |x|; its inverse takes the positive one of both."""

    domain = constraints.real
    codomain = constraints.positive

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbsTransform)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return x.abs()

    def _inverse(self, y: Any) -> Any:
        return y


class AffineTransform(Transform):
    """y = loc + scale · x; the last ``event_dim`` axes are one value."""

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.loc = loc
        self.scale = scale
        self._event_dim = event_dim

    @property
    def event_dim(self) -> int:
        """Axes of one value."""
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> constraints.Constraint:
        """All numbers."""
        return with_axes(constraints.real, self.event_dim)

    codomain = domain

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the cache."""
        if self._cache_size == cache_size:
            return self
        return AffineTransform(self.loc, self.scale, self.event_dim, cache_size=cache_size)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AffineTransform)
            and _same(self.loc, other.loc)
            and _same(self.scale, other.scale)
        )

    __hash__ = object.__hash__

    @property
    def sign(self) -> int | Tensor:
        """The scale's sign."""
        return self.scale.sign() if isinstance(self.scale, Tensor) else _sign(self.scale)

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """ln |scale|, once for each element of one value."""
        shape = tuple(x.shape)
        if isinstance(self.scale, Tensor):
            own = self.scale.abs().log()
        else:
            own = lift(np.full((), math.log(abs(self.scale)), x.dtype.numpy))
        own = own.expand(broadcast_shapes(tuple(own.shape), shape[-1:] if own.shape else ()))
        if self.event_dim:
            own = sum_rightmost(own.expand(shape), self.event_dim)
            shape = shape[: -self.event_dim]
        return own.expand(shape)

    def forward_shape(self, shape: Any) -> Shape:
        """Broadcast with loc and scale."""
        parts = (tuple(getattr(p, "shape", ())) for p in (self.loc, self.scale))
        return broadcast_shapes(tuple(shape), *parts)

    inverse_shape = forward_shape


class CumulativeDistributionTransform(Transform):
    """y = F(x), F the distribution function of ``distribution``; its inverse is ``icdf``.

    Behind a multivariate normal distribution it makes a copula.
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = +1

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> constraints.Constraint:
        """The distribution's support."""
        return self.distribution.support

    def _call(self, x: Any) -> Any:
        return self.distribution.cdf(x)

    def _inverse(self, y: Any) -> Any:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """The logarithm of the density at x."""
        return self.distribution.log_prob(x)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the cache."""
        if self._cache_size == cache_size:
            return self
        return CumulativeDistributionTransform(self.distribution, cache_size=cache_size)
