"""Maps between spaces with the logarithm of their Jacobian's determinant.

``y = t(x)``, ``x = t.inv(y)``, ``t.log_abs_det_jacobian(x, y)``.  ``domain`` and ``codomain`` say
where x and y lie, ``bijective`` whether the inverse is a true one, ``sign`` whether a map of single
numbers rises or falls.  ``cache_size=1`` keeps the last pair, so that ``t.inv(t(x)) is x``.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from pellucid.base.shapes import broadcast_shapes
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution
from pellucid.distributions.utils import (
    lazy_property,
    softplus,
    sum_rightmost,
    tril_matrix_to_vec,
    vec_to_tril_matrix,
)
from pellucid.nn.functional.padding import pad
from pellucid.tensor.core import lift
from pellucid.tensor.creation import zeros_like
from pellucid.tensor.limits import finfo
from pellucid.tensor.linalg import cholesky
from pellucid.tensor.shaping import cat, stack
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

Shape = tuple[int, ...]


class Transform:
    """Base of all transforms: a class gives ``_call``, ``_inverse`` and ``log_abs_det_jacobian``.

    With ``cache_size=1`` the last x and y are kept: for inverses that are costly or lose digits.
    Raises ``ArgumentError`` for any other size than 0 and 1.
    """

    bijective: Any = False
    domain: Any
    codomain: Any

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ArgumentError(f"a transform got cache_size={cache_size}", "use 0 or 1")
        self._cache_size = cache_size
        self._inv: Any = None
        self._cached_x_y: tuple[Any, Any] = (None, None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_inv": None, "_cached_x_y": (None, None)}

    @property
    def event_dim(self) -> int:
        """Axes of one value, where domain and codomain have as many."""
        if self.domain.event_dim == self.codomain.event_dim:
            return int(self.domain.event_dim)
        raise ArgumentError(
            f"the event_dim of {self!r} was asked for, whose domain and codomain differ in it",
            "ask .domain.event_dim or .codomain.event_dim",
        )

    @property
    def inv(self) -> Transform:
        """The inverse transform; its inverse is this one."""
        if self._inv is None:
            self._inv = _InverseTransform(self)
        return self._inv  # type: ignore[no-any-return]

    @property
    def sign(self) -> Any:
        """1 where the map rises, −1 where it falls."""
        raise UnsupportedError(
            f"{type(self).__name__} has no sign", "maps of single numbers that rise or fall have one"
        )

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same transform with another size of its cache."""
        if self._cache_size == cache_size:
            return self
        if type(self).__init__ is Transform.__init__:
            return type(self)(cache_size=cache_size)
        raise UnsupportedError(
            f"{type(self).__name__} does not define with_cache", "make it with cache_size"
        )

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __call__(self, x: Any) -> Any:
        """y = t(x)."""
        if self._cache_size == 0:
            return self._call(x)
        known, y = self._cached_x_y
        if x is not known:
            y = self._call(x)
            self._cached_x_y = x, y
        return y

    def _inv_call(self, y: Any) -> Any:
        if self._cache_size == 0:
            return self._inverse(y)
        x, known = self._cached_x_y
        if y is not known:
            x = self._inverse(y)
            self._cached_x_y = x, y
        return x

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise UnsupportedError(f"{type(self).__name__} has no inverse", "it cannot be turned around")

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """ln |det dy/dx|, without the axes of one value."""
        raise UnsupportedError(
            f"{type(self).__name__} has no log_abs_det_jacobian", "it is not one to one"
        )

    def __repr__(self) -> str:
        return type(self).__name__ + "()"

    def forward_shape(self, shape: Any) -> Any:
        """The shape of t(x) for x of this shape."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of t.inv(y) for y of this shape."""
        return shape


class _InverseTransform(Transform):
    """A transform turned around."""

    def __init__(self, transform: Transform) -> None:
        super().__init__(cache_size=transform._cache_size)
        self._inv = transform

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Any:
        return self._inv.codomain

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Any:
        return self._inv.domain

    @property
    def bijective(self) -> Any:
        return self._inv.bijective

    @property
    def sign(self) -> Any:
        return self._inv.sign

    @property
    def inv(self) -> Transform:
        return self._inv  # type: ignore[no-any-return]

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self.inv.with_cache(cache_size).inv

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _InverseTransform) and bool(self._inv == other._inv)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inv!r})"

    def __call__(self, x: Any) -> Any:
        return self._inv._inv_call(x)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._inv.forward_shape(shape)


def _with_axes(base: Any, event_dim: int) -> Any:
    """A constraint whose values have at least this many axes."""
    more = event_dim - base.event_dim
    return constraints.independent(base, more) if more > 0 else base


class ComposeTransform(Transform):
    """Several transforms, one after the other: t(x) = parts[-1](… parts[0](x))."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.parts = [p.with_cache(cache_size) for p in parts] if cache_size else list(parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = object.__hash__

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Any:
        """Where x lies, with as many axes as any of the parts needs."""
        if not self.parts:
            return constraints.real
        axes = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            axes = max(
                axes + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim
            )
        return _with_axes(self.parts[0].domain, axes)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Any:
        """Where y lies, with as many axes as any of the parts needs."""
        if not self.parts:
            return constraints.real
        axes = self.parts[0].domain.event_dim
        for part in self.parts:
            axes = max(
                axes + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim
            )
        return _with_axes(self.parts[-1].codomain, axes)

    @property
    def bijective(self) -> Any:
        """Whether all parts are."""
        return all(p.bijective for p in self.parts)

    @property
    def sign(self) -> Any:
        """The product of the parts' signs."""
        return functools.reduce(operator.mul, (p.sign for p in self.parts), 1)

    @property
    def inv(self) -> Transform:
        """The parts' inverses, last one first."""
        if self._inv is None:
            self._inv = ComposeTransform([p.inv for p in reversed(self.parts)])
            self._inv._inv = self
        return self._inv  # type: ignore[no-any-return]

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the parts' caches."""
        if self._cache_size == cache_size:
            return self
        return ComposeTransform(self.parts, cache_size=cache_size)

    def __call__(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """The sum over the parts."""
        if not self.parts:
            return zeros_like(x)
        points = [x]
        for part in self.parts[:-1]:
            points.append(part(points[-1]))
        points.append(y)
        total, axes = None, self.domain.event_dim
        for part, before, after in zip(self.parts, points, points[1:], strict=False):
            own = part.log_abs_det_jacobian(before, after)
            own = sum_rightmost(own, axes - part.domain.event_dim)
            total = own if total is None else total + own
            axes += part.codomain.event_dim - part.domain.event_dim
        return total

    def forward_shape(self, shape: Any) -> Any:
        """The shape behind all parts."""
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """The shape in front of all parts."""
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        inside = ",\n    ".join(repr(p) for p in self.parts)
        return f"{type(self).__name__}(\n    {inside}\n)"


identity_transform = ComposeTransform([])
"""y = x."""


class IndependentTransform(Transform):
    """Another transform, with ``reinterpreted_batch_ndims`` more axes counted to one value."""

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size=cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the cache."""
        if self._cache_size == cache_size:
            return self
        return IndependentTransform(
            self.base_transform, self.reinterpreted_batch_ndims, cache_size=cache_size
        )

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Any:
        """The base's domain with more axes."""
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> Any:
        """The base's codomain with more axes."""
        return constraints.independent(
            self.base_transform.codomain, self.reinterpreted_batch_ndims
        )

    @property
    def bijective(self) -> Any:
        """Whether the base is."""
        return self.base_transform.bijective

    @property
    def sign(self) -> Any:
        """The base's sign."""
        return self.base_transform.sign

    def _call(self, x: Any) -> Any:
        _need_axes(x.shape, self.domain.event_dim)
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        _need_axes(y.shape, self.codomain.event_dim)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """The base's, summed over the additional axes."""
        own = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(own, self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        inside = f"{self.base_transform!r}, {self.reinterpreted_batch_ndims}"
        return f"{type(self).__name__}({inside})"

    def forward_shape(self, shape: Any) -> Any:
        """The base's."""
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        """The base's."""
        return self.base_transform.inverse_shape(shape)


def _need_axes(shape: Any, count: int) -> None:
    if len(shape) < count:
        raise ShapeError(
            f"Too few dimensions on input: shape {tuple(shape)}", f"{count} or more are needed"
        )


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
    def domain(self) -> Any:
        """All numbers, with the axes of ``in_shape``."""
        return constraints.independent(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self) -> Any:
        """All numbers, with the axes of ``out_shape``."""
        return constraints.independent(constraints.real, len(self.out_shape))

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the cache."""
        if self._cache_size == cache_size:
            return self
        return ReshapeTransform(self.in_shape, self.out_shape, cache_size=cache_size)

    def _batch(self, shape: Any, event: Shape) -> Shape:
        _need_axes(shape, len(event))
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

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """0, of the batch's shape."""
        shape = self._batch(x.shape, self.in_shape)
        return lift(np.zeros(shape, x.dtype.numpy))

    def forward_shape(self, shape: Any) -> Any:
        """``in_shape`` at the end exchanged for ``out_shape``."""
        return self._batch(shape, self.in_shape) + self.out_shape

    def inverse_shape(self, shape: Any) -> Any:
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

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
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
    def sign(self) -> Any:
        """The exponent's sign."""
        return self.exponent.sign() if isinstance(self.exponent, Tensor) else _sign(self.exponent)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PowerTransform) and _same(self.exponent, other.exponent)

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        return x.pow(self.exponent)

    def _inverse(self, y: Any) -> Any:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """ln |exponent · y / x|."""
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Any) -> Any:
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
        return _inner_sigmoid(x)

    def _inverse(self, y: Any) -> Any:
        limits = finfo(y.dtype)
        inner = y.clamp(min=limits.tiny, max=1.0 - limits.eps)
        return inner.log() - (-inner).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """ln σ(x) + ln σ(−x)."""
        return -softplus(-x) - softplus(x)


def _inner_sigmoid(x: Any) -> Any:
    limits = finfo(x.dtype)
    return x.sigmoid().clamp(min=limits.tiny, max=1.0 - limits.eps)


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

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
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

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
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

    def __init__(
        self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size=cache_size)
        self.loc = loc
        self.scale = scale
        self._event_dim = event_dim

    @property
    def event_dim(self) -> int:
        """Axes of one value."""
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Any:
        """All numbers."""
        return _with_axes(constraints.real, self.event_dim)

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
    def sign(self) -> Any:
        """The scale's sign."""
        return self.scale.sign() if isinstance(self.scale, Tensor) else _sign(self.scale)

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
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

    def forward_shape(self, shape: Any) -> Any:
        """Broadcast with loc and scale."""
        parts = (tuple(getattr(p, "shape", ())) for p in (self.loc, self.scale))
        return broadcast_shapes(tuple(shape), *parts)

    inverse_shape = forward_shape


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

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Any:
        """½ Σ ln(what was left of the rows) + Σ ln(1 − tanh² x)."""
        left: Any = 1 - (y * y).cumsum(-1)
        rows = tril_matrix_to_vec(left, -2).log().sum(-1) / 2
        return rows - ((x + softplus(x * -2) - math.log(2.0)) * 2).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        """(…, k) → (…, n, n)."""
        _need_axes(shape, 1)
        n = round((0.25 + 2 * shape[-1]) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != shape[-1]:
            raise ShapeError(
                f"Input is not a flattened lower-diagonal number: {shape[-1]}",
                "it is n (n - 1) / 2 for some n",
            )
        return (*shape[:-1], n, n)

    def inverse_shape(self, shape: Any) -> Any:
        """(…, n, n) → (…, n (n − 1) / 2)."""
        _need_axes(shape, 2)
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

    def forward_shape(self, shape: Any) -> Any:
        """The same."""
        _need_axes(shape, 1)
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
        share = _inner_sigmoid(x - self._shift(x.shape[-1], x))
        left = (1 - share).cumprod(-1)
        return pad(share, [0, 1], value=1) * pad(left, [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        parts = y[..., :-1]
        left = (1 - parts.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return parts.log() - left.log() + self._shift(parts.shape[-1], y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Σ (ln σ(−x) + ln y) over the shifted x and all parts but the last."""
        shifted = x - self._shift(x.shape[-1], x)
        return (y[..., :-1].log() - softplus(shifted)).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        """(…, n) → (…, n + 1)."""
        _need_axes(shape, 1)
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Any) -> Any:
        """(…, n + 1) → (…, n)."""
        _need_axes(shape, 1)
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
    def bijective(self) -> Any:
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

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Those of the parts side by side, or added where the axis belongs to one value."""
        found = []
        for t, before, after in zip(self.transforms, self._parts(x), self._parts(y), strict=True):
            own = t.log_abs_det_jacobian(before, after)
            found.append(sum_rightmost(own, self.event_dim - t.event_dim))
        dim = (self.dim - len(x.shape) if self.dim >= 0 else self.dim) + self.event_dim
        return cat(found, dim) if dim < 0 else functools.reduce(operator.add, found)

    @constraints.dependent_property
    def domain(self) -> Any:
        """The parts' domains side by side."""
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Any:
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

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Those of the slices, stacked."""
        pairs = zip(self.transforms, self._slices(x), self._slices(y), strict=True)
        return stack([t.log_abs_det_jacobian(a, b) for t, a, b in pairs], self.dim)

    @constraints.dependent_property
    def domain(self) -> Any:
        """The slices' domains."""
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Any:
        """The slices' codomains."""
        return constraints.stack([t.codomain for t in self.transforms], self.dim)


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
    def domain(self) -> Any:
        """The distribution's support."""
        return self.distribution.support

    def _call(self, x: Any) -> Any:
        return self.distribution.cdf(x)

    def _inverse(self, y: Any) -> Any:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """The logarithm of the density at x."""
        return self.distribution.log_prob(x)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the cache."""
        if self._cache_size == cache_size:
            return self
        return CumulativeDistributionTransform(self.distribution, cache_size=cache_size)
