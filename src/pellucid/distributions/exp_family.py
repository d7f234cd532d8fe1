"""Distributions whose density is exp(θ · t(x) − F(θ) + k(x))."""

from __future__ import annotations

from typing import Any

from pellucid.distributions.distribution import Distribution
from pellucid.tensor.autograd import enable_grad, grad
from pellucid.tensor.tensor import Tensor

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Base of exponential families: natural parameters θ, log normalizer F, carrier measure k.

    A family gives ``_natural_params``, ``_log_normalizer(*params)`` and ``_mean_carrier_measure``,
    E k(x), and gets its entropy and divergences by the derivative of F, which is the mean of t(x).
    (Nielsen and Nock, "Entropies and Cross-Entropies of Exponential Families", 2010.)
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """F(θ) − θ · ∇F(θ) − E k(x)."""
        result: Any = -self._mean_carrier_measure
        with enable_grad():
            params = [
                p if p.requires_grad else p.detach().requires_grad_() for p in self._natural_params
            ]
            normalizer = self._log_normalizer(*params)
            slopes = grad(normalizer.sum(), params, create_graph=True)
        result = result + normalizer
        for param, slope in zip(params, slopes, strict=True):
            own = (param * slope).reshape((*self._batch_shape, -1)).sum(-1)
            result = result - own
        return result
