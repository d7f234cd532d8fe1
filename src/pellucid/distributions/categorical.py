"""The categorical distribution: one of several classes."""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.dtypes import int64
from pellucid.base.errors import ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Shape, Size
from pellucid.distributions.utils import (
    exactly_one,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import arange, full
from pellucid.tensor.limits import finfo
from pellucid.tensor.random import draw_positions
from pellucid.tensor.tensor import Tensor

__all__ = ["Categorical"]


class Categorical(Distribution):
    """0 … n − 1 with the probabilities ``probs`` (…, n), or softmax of ``logits`` (…, n).

    ``probs`` are weights: they are divided by their sum.  ``logits`` become ln p.

    >>> Categorical(logits=pellucid.zeros(4)).entropy()
    tensor(1.3863)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        exactly_one(probs, logits, names="`probs` or `logits`")
        given = probs if probs is not None else logits
        name = "probs" if probs is not None else "logits"
        if given is None or given.dim() < 1:
            raise ShapeError(
                f"`{name}` parameter must be at least one-dimensional.", "give (…, classes)"
            )
        if probs is not None:
            self.probs = probs / probs.sum(-1, True)
        else:
            self.logits = given.log_softmax(-1)
        self._num_events = given.shape[-1]
        super().__init__(tuple(given.shape)[:-1], validate_args=validate_args)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    def expand(self, batch_shape: Size, _instance: Any = None) -> Categorical:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._expanded(Categorical, batch_shape, _instance, ("probs", "logits"))
        new._num_events = self._num_events
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """0 … n − 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Tensor:
        """ln p."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Tensor:
        """e^logits."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Shape:
        """The shape of the parameter, (…, n)."""
        return self._param.size()

    @property
    def mean(self) -> Tensor:
        """NaN: classes have no mean."""
        return full(self._extended_shape(), math.nan, dtype=self._param.dtype)

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        """NaN: classes have no variance."""
        return full(self._extended_shape(), math.nan, dtype=self._param.dtype)

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            return draw_positions(self.probs, self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        logits = self.logits
        place, batch = value.to(int64), tuple(logits.shape)[:-1]
        if tuple(value.shape) != batch:
            shape = broadcast_shapes(tuple(value.shape), batch)
            place = place.expand(shape)
            logits = logits.expand((*shape, self._num_events))
        return logits.gather(-1, place.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """−Σ p ln p."""
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values along a new first axis; without ``expand`` the batch axes have extent 1."""
        values = arange(self._num_events, dtype=int64)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values
