"""Sets in which parameters and values of distributions lie: ``constraint.check(value)``.

``boolean``, ``one_hot``, ``nonnegative_integer``, ``positive_integer``,
``integer_interval(lower, upper)``, ``real``, ``real_vector``, ``positive``, ``nonnegative``,
``greater_than(bound)``, ``greater_than_eq(bound)``, ``less_than(bound)``, ``unit_interval``,
``interval(lower, upper)``, ``half_open_interval(lower, upper)``, ``simplex``,
``multinomial(count)``, ``lower_triangular``, ``lower_cholesky``, ``corr_cholesky``, ``square``,
``symmetric``, ``positive_semidefinite``, ``positive_definite``, ``independent(base, dims)``,
``cat(parts, dim, lengths)``, ``stack(parts, dim)`` and ``dependent``, for what depends on other
parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentTypeError, OutOfRangeError, ShapeError, UnsupportedError
from pellucid.tensor.core import lift
from pellucid.tensor.limits import finfo
from pellucid.tensor.shaping import cat as joined
from pellucid.tensor.shaping import stack as stacked
from pellucid.tensor.tensor import Tensor

__all__ = [
    "Constraint",
    "MixtureSameFamilyConstraint",
    "boolean",
    "cat",
    "corr_cholesky",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "lower_triangular",
    "multinomial",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "positive_integer",
    "positive_semidefinite",
    "real",
    "real_vector",
    "simplex",
    "square",
    "stack",
    "symmetric",
    "unit_interval",
]


class Constraint:
    """A set of values.  ``event_dim`` counts the last axes that together are one value."""

    is_discrete: Any = False
    event_dim: Any = 0

    def check(self, value: Any) -> Tensor:
        """A bool tensor without the last ``event_dim`` axes: whether each value lies in the set."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.__class__.__name__.lstrip("_") + "()"


class _Dependent(Constraint):
    """Stands for a set that depends on other parameters and cannot be checked alone."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented):
        self._is_discrete = is_discrete
        self._event_dim = event_dim

    def _static(self, name: str, value: Any) -> Any:
        if value is NotImplemented:
            raise UnsupportedError(
                f"{name} of a dependent constraint is not known without an instance",
                "ask the constraint of a distribution that was made, or state it",
            )
        return value

    @property
    def is_discrete(self) -> bool:
        """Whether the set is discrete, where that was stated."""
        return bool(self._static("is_discrete", self._is_discrete))

    @property
    def event_dim(self) -> int:
        """How many axes are one value, where that was stated."""
        return int(self._static("event_dim", self._event_dim))

    def __call__(
        self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented
    ) -> _Dependent:
        """The same with its static facts stated."""
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, value: Any) -> Tensor:
        """Raises: there is nothing to check against."""
        raise ArgumentTypeError(
            "a dependent constraint was asked to check a value",
            "ask the constraint of a distribution that was made",
        )


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


class _DependentProperty(property, _Dependent):
    """A property that is a dependent constraint of the class and a true one of an instance.

    As a decorator with or without ``is_discrete`` and ``event_dim``, for ``support`` and
    ``arg_constraints`` of distributions::

        @constraints.dependent_property(is_discrete=False, event_dim=0)
        def support(self):
            return constraints.interval(self.low, self.high)
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        *,
        is_discrete: Any = NotImplemented,
        event_dim: Any = NotImplemented,
    ) -> None:
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(
        self, fn: Any = None, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented
    ) -> _DependentProperty:
        """The property of ``fn``, with the facts that were stated."""
        return _DependentProperty(
            fn,
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )


class _IndependentConstraint(Constraint):
    """A set whose last ``reinterpreted_batch_ndims`` batch axes belong to one value."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        if not isinstance(base_constraint, Constraint) or not (
            isinstance(reinterpreted_batch_ndims, int) and reinterpreted_batch_ndims >= 0
        ):
            raise ArgumentTypeError(
                f"independent got {base_constraint!r} and {reinterpreted_batch_ndims!r}",
                "give a constraint and a number of axes, 0 or more",
            )
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> bool:
        """Whether the base is discrete."""
        return bool(self.base_constraint.is_discrete)

    @property
    def event_dim(self) -> int:
        """Axes of the base and the reinterpreted ones."""
        return int(self.base_constraint.event_dim) + self.reinterpreted_batch_ndims

    def check(self, value: Any) -> Tensor:
        """Whether all parts of a value lie in the base."""
        found = self.base_constraint.check(value)
        count = self.reinterpreted_batch_ndims
        if len(found.shape) < count:
            raise ShapeError(
                f"a value of shape {tuple(value.shape)} was checked against {self!r}",
                f"it needs at least {self.event_dim} axes",
            )
        return found if count == 0 else found.reshape((*found.shape[:-count], -1)).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """The set of a mixture: where every component has its values in ``base_constraint``."""

    def __init__(self, base_constraint: Constraint) -> None:
        if not isinstance(base_constraint, Constraint):
            raise ArgumentTypeError(
                f"MixtureSameFamilyConstraint got {base_constraint!r}", "give a constraint"
            )
        self.base_constraint = base_constraint

    @property
    def is_discrete(self) -> bool:
        """Whether the base is discrete."""
        return bool(self.base_constraint.is_discrete)

    @property
    def event_dim(self) -> int:
        """Axes of one value."""
        return int(self.base_constraint.event_dim)

    def check(self, value: Any) -> Tensor:
        """Whether a value lies in the set of each component."""
        found = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        count = len(found.shape) - (len(value.shape) - self.event_dim)
        return found.reshape((*found.shape[: len(found.shape) - count], -1)).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value: Any) -> Tensor:
        return value.eq(0).logical_or(value.eq(1))


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value: Any) -> Tensor:
        flags = value.eq(0).logical_or(value.eq(1)).all(-1)
        return flags.logical_and(value.sum(-1).eq(1))


def _is_whole(value: Any) -> bool:
    """Whether a tensor can hold whole numbers only."""
    return value.dtype.kind != "float"


def _whole(value: Any) -> Any:
    return (value % 1).eq(0)


class _IntegerInterval(Constraint):
    is_discrete = True

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Any) -> Tensor:
        inside = value.ge(self.lower_bound).logical_and(value.le(self.upper_bound))
        return inside if _is_whole(value) else _whole(value).logical_and(inside)

    def __repr__(self) -> str:
        return f"IntegerInterval(lower_bound={self.lower_bound}, upper_bound={self.upper_bound})"


class _IntegerLessThan(Constraint):
    is_discrete = True

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Tensor:
        inside = value.le(self.upper_bound)
        return inside if _is_whole(value) else _whole(value).logical_and(inside)

    def __repr__(self) -> str:
        return f"IntegerLessThan(upper_bound={self.upper_bound})"


class _IntegerGreaterThan(Constraint):
    is_discrete = True

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Any) -> Tensor:
        inside = value.ge(self.lower_bound)
        return inside if _is_whole(value) else _whole(value).logical_and(inside)

    def __repr__(self) -> str:
        return f"IntegerGreaterThan(lower_bound={self.lower_bound})"


class _Real(Constraint):
    def check(self, value: Any) -> Tensor:
        return value.eq(value)


class _GreaterThan(Constraint):
    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Any) -> Tensor:
        return value.gt(self.lower_bound)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__[1:]}(lower_bound={self.lower_bound})"


class _GreaterThanEq(_GreaterThan):
    def check(self, value: Any) -> Tensor:
        return value.ge(self.lower_bound)


class _LessThan(Constraint):
    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Tensor:
        return value.lt(self.upper_bound)

    def __repr__(self) -> str:
        return f"LessThan(upper_bound={self.upper_bound})"


class _Interval(Constraint):
    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Any) -> Tensor:
        return value.ge(self.lower_bound).logical_and(value.le(self.upper_bound))

    def __repr__(self) -> str:
        bounds = f"lower_bound={self.lower_bound}, upper_bound={self.upper_bound}"
        return f"{self.__class__.__name__[1:]}({bounds})"


class _HalfOpenInterval(_Interval):
    def check(self, value: Any) -> Tensor:
        return value.ge(self.lower_bound).logical_and(value.lt(self.upper_bound))


class _Simplex(Constraint):
    event_dim = 1

    def check(self, value: Any) -> Tensor:
        return value.ge(0).all(-1).logical_and((value.sum(-1) - 1).abs().lt(1e-6))


class _Multinomial(Constraint):
    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Tensor:
        return value.ge(0).all(-1).logical_and(value.sum(-1).le(self.upper_bound))


def _all_of_matrix(flags: Any) -> Any:
    return flags.reshape((*flags.shape[:-2], -1)).all(-1)


class _LowerTriangular(Constraint):
    event_dim = 2

    def check(self, value: Any) -> Tensor:
        return _all_of_matrix(value.tril().eq(value))


class _LowerCholesky(_LowerTriangular):
    def check(self, value: Any) -> Tensor:
        positive_part = value.diagonal(dim1=-2, dim2=-1).gt(0).all(-1)
        return super().check(value).logical_and(positive_part)


class _CorrCholesky(_LowerCholesky):
    def check(self, value: Any) -> Tensor:
        slack = finfo(value.dtype).eps * value.shape[-1] * 10
        unit = (value.square().sum(-1).sqrt() - 1).abs().le(slack).all(-1)
        return unit.logical_and(super().check(value))


class _Square(Constraint):
    event_dim = 2

    def check(self, value: Any) -> Tensor:
        flags: Any = lift(np.full(value.shape[:-2], value.shape[-1] == value.shape[-2]))
        return flags


class _Symmetric(_Square):
    def check(self, value: Any) -> Tensor:
        if value.shape[-1] != value.shape[-2]:
            return super().check(value)
        gap = (value - value.mT).abs()
        return _all_of_matrix(gap.le(value.mT.abs() * 1e-5 + 1e-6))


class _PositiveSemidefinite(_Symmetric):
    strict = False

    def check(self, value: Any) -> Tensor:
        flags = super().check(value)
        array = value.dtype.numbers(value.array())
        if value.shape[-1] != value.shape[-2] or not flags.array().all():
            return flags
        found: Any = lift(np.asarray(self._holds(array)))
        return found

    def _holds(self, matrices: np.ndarray) -> Any:
        return (np.linalg.eigvalsh(matrices) >= 0).all(-1)


class _PositiveDefinite(_PositiveSemidefinite):
    def _holds(self, matrices: np.ndarray) -> Any:
        size = matrices.shape[-1]
        flat = matrices.reshape((-1, size, size))
        found = np.asarray([_has_factor(matrix) for matrix in flat], bool)
        return found.reshape(matrices.shape[:-2])


def _has_factor(matrix: np.ndarray) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _axis(dim: int, value: Any) -> int:
    if not -len(value.shape) <= dim < len(value.shape):
        raise OutOfRangeError(
            f"axis {dim} of a value of shape {tuple(value.shape)} was asked for",
            "the constraint was made for values with more axes",
        )
    return dim


class _Cat(Constraint):
    """Several sets side by side along an axis, as ``pellucid.cat`` puts values."""

    def __init__(
        self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None
    ) -> None:
        _check_parts("cat", cseq)
        self.cseq = list(cseq)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise ArgumentTypeError(
                f"cat got {len(self.cseq)} constraints and {len(self.lengths)} lengths",
                "give a length for each",
            )
        self.dim = dim

    @property
    def is_discrete(self) -> bool:
        """Whether any of the sets is discrete."""
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:
        """The most axes of any of the sets."""
        return max(int(c.event_dim) for c in self.cseq)

    def check(self, value: Any) -> Tensor:
        """Each part against its set, side by side again."""
        found, start, dim = [], 0, _axis(self.dim, value)
        for part, length in zip(self.cseq, self.lengths, strict=True):
            found.append(part.check(value.narrow(dim, start, length)))
            start += length
        return joined(found, dim)


class _Stack(Constraint):
    """Several sets along a new axis, as ``pellucid.stack`` puts values."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        _check_parts("stack", cseq)
        self.cseq = list(cseq)
        self.dim = dim

    @property
    def is_discrete(self) -> bool:
        """Whether any of the sets is discrete."""
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:
        """The most axes of any of the sets, with the new one where it belongs to a value."""
        most = max(int(c.event_dim) for c in self.cseq)
        return most + 1 if self.dim + most < 0 else most

    def check(self, value: Any) -> Tensor:
        """Each slice against its set, stacked again."""
        dim = _axis(self.dim, value)
        slices = [value.select(dim, i) for i in range(value.shape[dim])]
        return stacked([c.check(v) for c, v in zip(self.cseq, slices, strict=False)], dim)


def _check_parts(name: str, parts: Sequence[Any]) -> None:
    if not all(isinstance(part, Constraint) for part in parts):
        raise ArgumentTypeError(f"{name} got {list(parts)!r}", "give constraints")


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
