"""What a transform is, and transforms that are made of others."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

from pellucid.base.boundary import ClearlyMade
from pellucid.base.errors import ArgumentError, ShapeError, UnsupportedError
from pellucid.distributions import constraints
from pellucid.distributions.utils import sum_rightmost
from pellucid.tensor.creation import zeros_like
from pellucid.tensor.limits import finfo
from pellucid.tensor.state import is_tracing, state
from pellucid.tensor.tensor import Tensor

Shape = tuple[int, ...]


class Transform(ClearlyMade):
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
        if self._inv is not None:
            return self._inv
        made = _InverseTransform(self)
        if not is_tracing():  # a trace leaves no marks on what is outside of it
            self._inv = made
        return made

    @property
    def sign(self) -> int | Tensor:
        """1 where the map rises, −1 where it falls."""
        raise UnsupportedError(
            f"{type(self).__name__} has no sign",
            "maps of single numbers that rise or fall have one",
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
        known, y = self._last()
        if x is not known:
            y = self._call(x)
            self._keep(x, y)
        return y

    def _inv_call(self, y: Any) -> Any:
        if self._cache_size == 0:
            return self._inverse(y)
        x, known = self._last()
        if y is not known:
            x = self._inverse(y)
            self._keep(x, y)
        return x

    def _last(self) -> tuple[Any, Any]:
        """The last pair; that of a trace is the trace's, so that it stays valid afterwards."""
        if state.trace is None:
            return self._cached_x_y
        _, x, y = state.trace.kept.get((Transform, id(self)), (self, None, None))
        return x, y

    def _keep(self, x: Any, y: Any) -> None:
        if state.trace is None:
            self._cached_x_y = x, y
        else:
            state.trace.kept[Transform, id(self)] = self, x, y

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise UnsupportedError(
            f"{type(self).__name__} has no inverse", "it cannot be turned around"
        )

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """ln |det dy/dx|, without the axes of one value."""
        raise UnsupportedError(
            f"{type(self).__name__} has no log_abs_det_jacobian", "it is not one to one"
        )

    def __repr__(self) -> str:
        return type(self).__name__ + "()"

    def forward_shape(self, shape: Any) -> Shape:
        """The shape of t(x) for x of this shape."""
        return shape

    def inverse_shape(self, shape: Any) -> Shape:
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
    def domain(self) -> constraints.Constraint:
        return self._inv.codomain

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> constraints.Constraint:
        return self._inv.domain

    @property
    def bijective(self) -> bool:
        return self._inv.bijective

    @property
    def sign(self) -> int | Tensor:
        return self._inv.sign

    @property
    def inv(self) -> Transform:
        return self._inv

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self.inv.with_cache(cache_size).inv

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _InverseTransform) and bool(self._inv == other._inv)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inv!r})"

    def __call__(self, x: Any) -> Any:
        return self._inv._inv_call(x)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Shape:
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Shape:
        return self._inv.forward_shape(shape)


def with_axes(base: constraints.Constraint, event_dim: int) -> constraints.Constraint:
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
    def domain(self) -> constraints.Constraint:
        """Where x lies, with as many axes as any of the parts needs."""
        if not self.parts:
            return constraints.real
        axes = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            axes = max(
                axes + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim
            )
        return with_axes(self.parts[0].domain, axes)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> constraints.Constraint:
        """Where y lies, with as many axes as any of the parts needs."""
        if not self.parts:
            return constraints.real
        axes = self.parts[0].domain.event_dim
        for part in self.parts:
            axes = max(
                axes + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim
            )
        return with_axes(self.parts[-1].codomain, axes)

    @property
    def bijective(self) -> bool:
        """Whether all parts are."""
        return all(p.bijective for p in self.parts)

    @property
    def sign(self) -> int | Tensor:
        """The product of the parts' signs."""
        return functools.reduce(operator.mul, (p.sign for p in self.parts), 1)

    @property
    def inv(self) -> Transform:
        """The parts' inverses, last one first."""
        if self._inv is not None:
            return self._inv
        made = ComposeTransform([p.inv for p in reversed(self.parts)])
        made._inv = self
        if not is_tracing():
            self._inv = made
        return made

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another size of the parts' caches."""
        if self._cache_size == cache_size:
            return self
        return ComposeTransform(self.parts, cache_size=cache_size)

    def __call__(self, x: Any) -> Any:
        """y, through all parts."""
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """The sum over the parts."""
        if not self.parts:
            return zeros_like(x)
        points = [x]
        for part in self.parts[:-1]:
            points.append(part(points[-1]))
        points.append(y)
        total: Any = None
        axes = self.domain.event_dim
        for part, before, after in zip(self.parts, points, points[1:], strict=False):
            own = part.log_abs_det_jacobian(before, after)
            own = sum_rightmost(own, axes - part.domain.event_dim)
            total = own if total is None else total + own
            axes += part.codomain.event_dim - part.domain.event_dim
        return total

    def forward_shape(self, shape: Any) -> Shape:
        """The shape behind all parts."""
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Shape:
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
    def domain(self) -> constraints.Constraint:
        """The base's domain with more axes."""
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> constraints.Constraint:
        """The base's codomain with more axes."""
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self) -> bool:
        """Whether the base is."""
        return self.base_transform.bijective

    @property
    def sign(self) -> int | Tensor:
        """The base's sign."""
        return self.base_transform.sign

    def _call(self, x: Any) -> Any:
        need_axes(x.shape, self.domain.event_dim)
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        need_axes(y.shape, self.codomain.event_dim)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """The base's, summed over the additional axes."""
        own = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(own, self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        inside = f"{self.base_transform!r}, {self.reinterpreted_batch_ndims}"
        return f"{type(self).__name__}({inside})"

    def forward_shape(self, shape: Any) -> Shape:
        """The base's."""
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Shape:
        """The base's."""
        return self.base_transform.inverse_shape(shape)


def need_axes(shape: Any, count: int) -> None:
    """Raise ``ShapeError`` for fewer axes than one value has."""
    if len(shape) < count:
        raise ShapeError(
            f"Too few dimensions on input: shape {tuple(shape)}", f"{count} or more are needed"
        )


def inner_sigmoid(x: Any) -> Tensor:
    """σ(x), kept inside (0, 1)."""
    limits = finfo(x.dtype)
    return x.sigmoid().clamp(min=limits.tiny, max=1.0 - limits.eps)
