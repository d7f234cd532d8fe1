"""Distributions of transformed values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.base.errors import ArgumentTypeError, ShapeError
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.independent import Independent
from pellucid.distributions.transforms import ComposeTransform, Transform
from pellucid.distributions.utils import sum_rightmost
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of t(x), x drawn from ``base_distribution``, t one or several transforms.

    ln p(y) = ln p_base(x) − ln |det dy/dx| with x = t⁻¹(y). ::

        policy = TransformedDistribution(Normal(mean, std), [TanhTransform(cache_size=1)])
    """

    arg_constraints: Any = {}

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.transforms = _listed(transforms)
        shape = base_distribution.batch_shape + base_distribution.event_shape
        events = len(base_distribution.event_shape)
        whole = ComposeTransform(self.transforms)
        if len(shape) < whole.domain.event_dim:
            raise ShapeError(
                "base_distribution needs to have shape with size at least "
                f"{whole.domain.event_dim}, but got {shape}.",
                "the transforms take so many axes as one value",
            )
        after = whole.forward_shape(shape)
        before = whole.inverse_shape(after)
        if shape != before:
            base_distribution = base_distribution.expand(before[: len(before) - events])
        more = whole.domain.event_dim - events
        if more > 0:
            base_distribution = Independent(base_distribution, more)
        self.base_dist: Any = base_distribution
        change = whole.codomain.event_dim - whole.domain.event_dim
        cut = len(after) - max(whole.codomain.event_dim, events + change)
        super().__init__(after[:cut], after[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> TransformedDistribution:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(TransformedDistribution, _instance)
        new.transforms = self.transforms
        shape: Any = tuple(batch_shape) + self.event_shape
        for t in reversed(self.transforms):
            shape = t.inverse_shape(shape)
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> constraints.Constraint:
        """Where the last transform leads."""
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        more = len(self.event_shape) - found.event_dim
        return constraints.independent(found, more) if more > 0 else found

    @property
    def has_rsample(self) -> bool:
        """Whether the base has it."""
        return self.base_dist.has_rsample

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            return self._carried(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        return self._carried(self.base_dist.rsample(sample_shape))

    def _carried(self, x: Any) -> Any:
        for t in self.transforms:
            x = t(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        """ln p_base(x) − ln |det dy/dx| at x = t⁻¹(value)."""
        if self._validate_args:
            self._validate_sample(value)
        events, found, y = len(self.event_shape), None, value
        for t in reversed(self.transforms):
            x = t.inv(y)
            events += t.domain.event_dim - t.codomain.event_dim
            change = sum_rightmost(t.log_abs_det_jacobian(x, y), events - t.domain.event_dim)
            found = -change if found is None else found - change
            y = x
        own = sum_rightmost(self.base_dist.log_prob(y), events - len(self.base_dist.event_shape))
        return own if found is None else found + own

    def _turned(self, share: Any) -> Any:
        """A share, counted from the other end where the transforms fall."""
        sign: Any = 1
        for t in self.transforms:
            sign = sign * t.sign
        return share if isinstance(sign, int) and sign == 1 else sign * (share - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        """That of the base at t⁻¹(value), or 1 minus it where t falls."""
        for t in reversed(self.transforms):
            value = t.inv(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        """t of the base's."""
        return self._carried(self.base_dist.icdf(self._turned(value)))


def _listed(transforms: Any) -> list[Transform]:
    found = [transforms] if isinstance(transforms, Transform) else transforms
    if not isinstance(found, (list, tuple)) or not all(isinstance(t, Transform) for t in found):
        raise ArgumentTypeError(
            f"transforms must be a Transform or a list of Transforms, but was {transforms}",
            "give [TanhTransform()], for example",
        )
    return list(found)
