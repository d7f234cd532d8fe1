"""The base of all distributions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.base.boundary import ClearlyMade
from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from pellucid.distributions import constraints
from pellucid.distributions.utils import lazy_property
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor

__all__ = ["Distribution"]

Shape = tuple[int, ...]
Size = Sequence[int]


class Distribution(ClearlyMade):
    """A probability distribution, or a batch of them.

    ``batch_shape`` is the shape over which parameters vary, ``event_shape`` that of one value; a
    sample has shape sample_shape + batch_shape + event_shape, a ``log_prob`` the shape without
    event_shape.  Parameters are checked against ``arg_constraints`` when the distribution is made
    and values against ``support`` when they are scored, unless ``validate_args=False`` or
    :meth:`set_default_validate_args` says otherwise; in a function that is being compiled the
    values are not known, and only shapes are checked.
    """

    has_rsample: Any = False
    has_enumerate_support: Any = False
    _validate_args: bool = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether parameters and values are checked from now on where nothing else is said.

        By default they are, unless Python runs with ``-O``.
        """
        if value not in (True, False):
            raise ArgumentError(
                f"set_default_validate_args got {value!r}", "it takes True or False"
            )
        Distribution._validate_args = bool(value)

    def __init__(
        self,
        batch_shape: Size = (),
        event_shape: Size = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape: Shape = tuple(batch_shape)
        self._event_shape: Shape = tuple(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args and not is_tracing():
            self._check_parameters()

    def _check_parameters(self) -> None:
        try:
            listed = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} defines no arg_constraints: its parameters are not checked; set "
                "arg_constraints = {} or pass validate_args=False",
                stacklevel=4,
            )
            return
        for name, constraint in listed.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(
                getattr(type(self), name, None), lazy_property
            ):
                continue  # it follows from others
            value = getattr(self, name)
            if not _all_good(constraint, value):
                raise ArgumentError(
                    f"Expected parameter {name} ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                    f"{constraint!r}, but found invalid values:\n{value}",
                    "mend the values, or pass validate_args=False",
                )

    def expand(self, batch_shape: Size, _instance: Any = None) -> Distribution:
        """The distribution with its parameters expanded to ``batch_shape``; nothing is copied."""
        raise NotImplementedError

    def _expanded(
        self, cls: type[Distribution], batch_shape: Size, instance: Any, names: Sequence[str]
    ) -> Any:
        """:meth:`expand` of a class whose parameters are its attributes ``names``, where set."""
        new = self._get_checked_instance(cls, instance)
        batch = tuple(batch_shape)
        for name in names:
            if name in self.__dict__:
                value = self.__dict__[name]
                event = tuple(value.shape)[len(self._batch_shape) :]
                setattr(new, name, value.expand(batch + event))
        Distribution.__init__(new, batch, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def batch_shape(self) -> Shape:
        """The shape over which the parameters vary."""
        return self._batch_shape

    @property
    def event_shape(self) -> Shape:
        """The shape of one value."""
        return self._event_shape

    @property
    def arg_constraints(self) -> Mapping[str, constraints.Constraint]:
        """What the parameters have to satisfy, by name."""
        raise NotImplementedError

    @property
    def support(self) -> constraints.Constraint:
        """The set of values."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean, of shape batch_shape + event_shape."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The value of highest density or probability."""
        raise UnsupportedError(
            f"{type(self).__name__} does not implement mode", "use mean or draw samples"
        )

    @property
    def variance(self) -> Tensor:
        """The variance, of shape batch_shape + event_shape."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation √variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Values of shape sample_shape + batch_shape + event_shape, without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Values as :meth:`sample` gives them, with a gradient for the parameters."""
        raise UnsupportedError(
            f"{type(self).__name__} has no rsample",
            "use sample and log_prob (the score function), or a relaxed distribution",
        )

    def sample_n(self, n: int) -> Tensor:
        """``sample((n,))``, under a name that is kept for older programs."""
        warnings.warn(
            "sample_n(n) is deprecated: use sample((n,))", category=FutureWarning, stacklevel=2
        )
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density or probability at ``value``."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to ``value``."""
        raise UnsupportedError(
            f"{type(self).__name__} has no cdf", "it has no closed form; draw samples"
        )

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is ``value``, the inverse of :meth:`cdf`."""
        raise UnsupportedError(
            f"{type(self).__name__} has no icdf", "it has no closed form; draw samples"
        )

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution along a new first axis.

        The shape is (count,) + batch_shape + event_shape; with ``expand=False`` the batch axes
        have extent 1.  Batches are enumerated in step.
        """
        raise UnsupportedError(
            f"{type(self).__name__} cannot enumerate its support", "its values cannot be listed"
        )

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        raise UnsupportedError(
            f"{type(self).__name__} has no entropy", "average −log_prob over samples"
        )

    def perplexity(self) -> Tensor:
        """e^entropy."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Size = ()) -> Shape:
        """The shape of samples."""
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def _validate_sample(self, value: Any) -> None:
        """Raise unless ``value`` fits the shapes and lies in the support."""
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(
                f"The value argument to log_prob must be a Tensor, and is a {type(value).__name__}",
                "wrap it: pellucid.tensor(value)",
            )
        shape, event = tuple(value.shape), self._event_shape
        if shape[len(shape) - len(event) :] != event:
            raise ShapeError(
                f"The right-most size of value must match event_shape: {shape} vs {event}.",
                "one value has the shape event_shape",
            )
        expected = self._batch_shape + event
        for have, want in zip(reversed(shape), reversed(expected), strict=False):
            if have != 1 and want != 1 and have != want:
                raise ShapeError(
                    f"Value is not broadcastable with batch_shape+event_shape: {shape} vs "
                    f"{expected}.",
                    "the last axes are those of the batch and of one value",
                )
        if not is_tracing():
            self._check_support(value)

    def _check_support(self, value: Tensor) -> None:
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} defines no support: values are not checked; pass "
                "validate_args=False",
                stacklevel=5,
            )
            return
        if not _all_good(support, value):
            raise ArgumentError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"to be within the support ({support!r}) of the distribution {self!r}, but found "
                f"invalid values:\n{value}",
                "mend the values, or pass validate_args=False",
            )

    def _get_checked_instance(self, cls: type[Distribution], _instance: Any = None) -> Any:
        if _instance is None and type(self).__init__ is not cls.__init__:
            raise UnsupportedError(
                f"{type(self).__name__} is a subclass of {cls.__name__} with an __init__ of its "
                "own and without expand",
                "define expand, too",
            )
        return type(self).__new__(type(self)) if _instance is None else _instance

    def __repr__(self) -> str:
        shown = []
        for name in self.arg_constraints:
            if name in self.__dict__:
                value = self.__dict__[name]
                short = value.numel() == 1 and not is_tracing()
                shown.append(f"{name}: {value if short else tuple(value.shape)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _all_good(constraint: Any, value: Any) -> bool:
    """Whether all values lie in a set."""
    if isinstance(constraint, constraints.independent) and value.dim() >= constraint.event_dim:
        return _all_good(constraint.base_constraint, value)  # whichever axes belong together
    return bool(constraint.check(value).array().all())
