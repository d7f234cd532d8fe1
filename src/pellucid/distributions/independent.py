"""Batch axes taken as parts of one value."""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import ShapeError, UnsupportedError
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import sum_rightmost
from pellucid.tensor.tensor import Tensor

__all__ = ["Independent"]


class Independent(Distribution):
    """``base_distribution`` with its last ``reinterpreted_batch_ndims`` batch axes as event axes.

    ``log_prob`` sums over them: a diagonal normal distribution is
    ``Independent(Normal(mean, std), 1)``.
    """

    arg_constraints: Any = {}

    def __init__(
        self,
        base_distribution: Any,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        batch, event = base_distribution.batch_shape, base_distribution.event_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ShapeError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {len(batch)}",
                "there are no more batch axes",
            )
        cut = len(batch) - reinterpreted_batch_ndims
        self.base_dist: Any = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        super().__init__(batch[:cut], batch[cut:] + event, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Independent:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(Independent, _instance)
        batch = tuple(batch_shape)
        axes = self.event_shape[: self.reinterpreted_batch_ndims]
        new.base_dist = self.base_dist.expand(batch + axes)
        new.reinterpreted_batch_ndims = self.reinterpreted_batch_ndims
        Distribution.__init__(new, batch, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def has_rsample(self) -> bool:
        """Whether the base has it."""
        return self.base_dist.has_rsample

    @property
    def has_enumerate_support(self) -> bool:
        """Whether the base has it and no axis was taken."""
        return self.reinterpreted_batch_ndims == 0 and self.base_dist.has_enumerate_support

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """The base's, with more axes."""
        found = self.base_dist.support
        count = self.reinterpreted_batch_ndims
        return constraints.independent(found, count) if count else found

    @property
    def mean(self) -> Tensor:
        """The mean, of the parameters' shape."""
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.base_dist.variance

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The base's, summed over the axes that were taken."""
        own = self.base_dist.log_prob(value)
        return sum_rightmost(own, self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        """The base's, summed over the axes that were taken."""
        own = self.base_dist.entropy()
        return sum_rightmost(own, self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values along a new first axis; without ``expand`` the batch axes have extent 1."""
        if self.reinterpreted_batch_ndims > 0:
            raise UnsupportedError(
                "Enumeration over cartesian product is not implemented",
                "enumerate the base's values and combine them with itertools.product",
            )
        return self.base_dist.enumerate_support(expand=expand)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"
