"""Mixtures of distributions of one family."""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import ArgumentTypeError, ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.distributions import constraints
from pellucid.distributions.categorical import Categorical
from pellucid.distributions.distribution import Distribution, Size
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """Σₖ wₖ pₖ(x): a component is drawn, and a value from it.

    ``mixture_distribution`` is a categorical distribution over the components, which are the last
    batch axis of ``component_distribution``. ::

        weights = Categorical(pellucid.ones(5))
        mixture = MixtureSameFamily(weights, Normal(means, deviations))    # both (5,)
    """

    arg_constraints: Any = {}
    has_rsample = False

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        if not isinstance(mixture_distribution, Categorical):
            raise ArgumentTypeError(
                "The Mixture distribution needs to be an instance of "
                "pellucid.distributions.Categorical",
                f"it is a {type(mixture_distribution).__name__}",
            )
        if not isinstance(component_distribution, Distribution):
            raise ArgumentTypeError(
                "The Component distribution needs to be an instance of "
                "pellucid.distributions.Distribution",
                f"it is a {type(component_distribution).__name__}",
            )
        weights, parts = mixture_distribution.batch_shape, component_distribution.batch_shape
        _check_fit(weights, parts[:-1])
        count, found = mixture_distribution.param_shape[-1], parts[-1] if parts else 0
        if found != count:
            raise ShapeError(
                f"`mixture_distribution component` ({count}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({found})",
                "the last batch axis of the components is the mixture's",
            )
        self._num_component = found
        event = component_distribution.event_shape
        self._event_ndims = len(event)
        super().__init__(parts[:-1], event, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> MixtureSameFamily:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        batch = tuple(batch_shape)
        new._component_distribution = self._component_distribution.expand(
            (*batch, self._num_component)
        )
        new._mixture_distribution = self._mixture_distribution.expand(batch)
        new._num_component, new._event_ndims = self._num_component, self._event_ndims
        Distribution.__init__(new, batch, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """That of the components."""
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """The distribution over the components."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    def _weights(self) -> Tensor:
        """The components' probabilities, with an axis for each of a value's."""
        probs = self._mixture_distribution.probs
        return probs.reshape((*probs.shape, *[1] * self._event_ndims))

    @property
    def mean(self) -> Tensor:
        """Σₖ wₖ meanₖ."""
        return (self._weights() * self._component_distribution.mean).sum(-1 - self._event_ndims)

    @property
    def variance(self) -> Tensor:
        """The mean of the variances and the variance of the means."""
        weights, axis = self._weights(), -1 - self._event_ndims
        inside = (weights * self._component_distribution.variance).sum(axis)
        off = self._component_distribution.mean - self.mean.unsqueeze(axis)
        return inside + (weights * off.square()).sum(axis)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to ``value``."""
        parts = self._component_distribution.cdf(self._padded(value))
        return (parts * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        parts = self._component_distribution.log_prob(self._padded(value))
        weights = self._mixture_distribution.logits.log_softmax(-1)
        return (parts + weights).logsumexp(-1)

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            chosen = self._mixture_distribution.sample(sample_shape)
            values = self._component_distribution.sample(sample_shape)
            axis = len(tuple(sample_shape)) + len(self._batch_shape)
            shape = tuple(values.shape)
            place = chosen.expand(shape[:axis])
            place = place.reshape((*shape[:axis], 1, *[1] * self._event_ndims))
            place = place.expand((*shape[:axis], 1, *self._event_shape))
            return values.gather(axis, place).squeeze(axis)

    def _padded(self, value: Any) -> Any:
        return value.unsqueeze(-1 - self._event_ndims)

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self._mixture_distribution},\n  "
            f"{self._component_distribution})"
        )


def _check_fit(weights: tuple[int, ...], parts: tuple[int, ...]) -> None:
    fits = len(weights) <= len(parts) or not weights
    if fits:
        try:
            broadcast_shapes(weights, parts)
        except ShapeError:
            fits = False
    if not fits:
        raise ShapeError(
            f"`mixture_distribution.batch_shape` ({weights}) is not compatible with "
            f"`component_distribution.batch_shape` ({parts})",
            "they broadcast, up to the components' last axis",
        )
