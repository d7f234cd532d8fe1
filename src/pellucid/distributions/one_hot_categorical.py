"""One of several classes, as a one-hot vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.distributions import constraints
from pellucid.distributions.categorical import Categorical
from pellucid.distributions.distribution import Distribution, Shape, Size
from pellucid.nn.functional.common import one_hot
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import lift
from pellucid.tensor.tensor import Tensor

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(Distribution):
    """Vectors (…, n) with a single 1, at the place that :class:`Categorical` would draw."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits)
        batch, event = self._categorical.batch_shape, self._categorical.param_shape[-1:]
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> OneHotCategorical:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(OneHotCategorical, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def _param(self) -> Tensor:
        return self._categorical._param

    @property
    def probs(self) -> Tensor:
        """p, (…, n)."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """ln p, (…, n)."""
        return self._categorical.logits

    @property
    def mean(self) -> Tensor:
        """p."""
        return self._categorical.probs

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        return one_hot(self._categorical.mode, self._event_shape[0]).to(self._param.dtype)

    @property
    def variance(self) -> Tensor:
        """p (1 − p)."""
        return self.probs * (1 - self.probs)

    @property
    def param_shape(self) -> Shape:
        """The shape of the parameter, (…, n)."""
        return self._categorical.param_shape

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            chosen = self._categorical.sample(sample_shape)
            return one_hot(chosen, self._event_shape[0]).to(self._param.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values along a new first axis; without ``expand`` the batch axes have extent 1."""
        n = self._event_shape[0]
        rows: Any = lift(np.eye(n, dtype=self._param.dtype.numpy))
        values = rows.view((n,) + (1,) * len(self._batch_shape) + (n,))
        if expand:
            values = values.expand((n, *self._batch_shape, n))
        return values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """One-hot draws through which gradients reach the probabilities as if they were these.

    (Bengio, Léonard and Courville, 2013.)
    """

    has_rsample = True

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """A draw plus probs − probs, of which one has the gradient."""
        probs = self._categorical.probs
        return self.sample(sample_shape) + (probs - probs.detach())
