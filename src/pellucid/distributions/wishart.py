"""The Wishart distribution of covariance matrices."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.distributions import constraints
from pellucid.distributions.chi2 import Chi2
from pellucid.distributions.distribution import Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import (
    exactly_one,
    factor_of,
    inverse_of_factor,
    lazy_property,
    log_diagonal,
    log_multigamma,
    narrow,
    solve_lower,
    standard_normal,
    wide,
)
from pellucid.tensor.core import lift
from pellucid.tensor.creation import tensor
from pellucid.tensor.functions import where
from pellucid.tensor.linalg import cholesky
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor

__all__ = ["Wishart"]


class Wishart(ExponentialFamily):
    """The sum X (…, n, n) of ``df`` outer products of normal vectors of covariance V.

    det(X)^((df − n − 1)/2) e^(−½ tr V⁻¹X) / (2^(df n/2) det(V)^(df/2) Γ_n(df/2)); df may be any
    number above n − 1.  V is given as ``covariance_matrix``, as ``precision_matrix`` V⁻¹ or by its
    factor ``scale_tril``.  Drawn as L A Aᵀ Lᵀ with Bartlett's triangular A.  (Wishart, 1928;
    Bartlett, 1933.)
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        df: Tensor | float,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        names = "covariance_matrix or precision_matrix or scale_tril"
        exactly_one(covariance_matrix, precision_matrix, scale_tril, names=names)
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        name, matrix = next((k, m) for k, m in given.items() if m is not None)
        if matrix.dim() < 2:
            raise ShapeError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions",
                "give (…, n, n)",
            )
        own = df if isinstance(df, Tensor) else tensor(float(df), dtype=matrix.dtype)
        batch = broadcast_shapes(tuple(own.shape), tuple(matrix.shape)[:-2])
        event = tuple(matrix.shape)[-2:]
        self.df = own.expand(batch)
        if not is_tracing() and self.df.numel() and self.df.array().min() <= event[-1] - 1:
            raise ArgumentError(
                f"Value of df={df} expected to be greater than ndim - 1 = {event[-1] - 1}.",
                "fewer degrees of freedom give singular matrices",
            )
        setattr(self, name, matrix.expand(batch + event))
        super().__init__(batch, event, validate_args=validate_args)
        if not is_tracing() and self.df.numel() and self.df.array().min() < event[-1]:
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for "
                "ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        self._unbroadcasted_scale_tril = factor_of(name, matrix)
        steps = lift(np.arange(event[-1])).to(self.df.dtype)
        self._dist_chi2 = Chi2(self.df.unsqueeze(-1) - steps, validate_args=False)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Wishart:
        """The distribution with its parameters expanded to ``batch_shape``."""
        names = ("df", "covariance_matrix", "precision_matrix", "scale_tril")
        new = self._expanded(Wishart, batch_shape, _instance, names)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        new._dist_chi2 = self._dist_chi2.expand((*batch_shape, self._event_shape[-1]))
        return new

    @property
    def arg_constraints(self) -> Mapping[str, constraints.Constraint]:
        """V is positive definite and df above n − 1."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def _shape(self) -> tuple[int, ...]:
        return self._batch_shape + self._event_shape

    @lazy_property
    def scale_tril(self) -> Tensor:
        """L with V = L Lᵀ."""
        return self._unbroadcasted_scale_tril.expand(self._shape())

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """V."""
        factor = self._unbroadcasted_scale_tril
        return (factor @ factor.mT).expand(self._shape())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """V⁻¹."""
        return inverse_of_factor(self._unbroadcasted_scale_tril).expand(self._shape())

    @property
    def mean(self) -> Tensor:
        """df V."""
        return self._df() * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        """(df − n − 1) V, NaN where that is not positive."""
        factor = self._df() - self._event_shape[-1] - 1
        return where(factor.gt(0), factor, math.nan) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        """The variance."""
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._df() * (v.square() + outer)

    def _df(self) -> Tensor:
        return self.df.unsqueeze(-1).unsqueeze(-1)

    def rsample(self, sample_shape: Size = (), max_try_correction: int | None = None) -> Tensor:
        """Draws with gradients; ``max_try_correction`` is accepted and has no effect."""
        diagonal = self._dist_chi2.rsample(sample_shape).sqrt().diag_embed()
        noise = standard_normal(self._extended_shape(sample_shape), self.df).tril(-1)
        factor = self._unbroadcasted_scale_tril @ (noise + diagonal)
        return factor @ factor.mT

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        df, lower, x = wide(self.df, self._unbroadcasted_scale_tril, value)
        n = self._event_shape[-1]
        size = 2 * log_diagonal(cholesky(x))
        inside = solve_lower(lower, solve_lower(lower, x).mT)  # L⁻¹ X L⁻ᵀ
        trace = inside.diagonal(dim1=-2, dim2=-1).sum(-1)
        constant = df * n / 2 * math.log(2) + df * log_diagonal(lower) + log_multigamma(df / 2, n)
        found = (df - n - 1) / 2 * size - trace / 2 - constant
        return narrow(found, self.df, value)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        df, lower = wide(self.df, self._unbroadcasted_scale_tril)
        n = self._event_shape[-1]
        found = (n + 1) * log_diagonal(lower) + n * (n + 1) / 2 * math.log(2)
        found = found + log_multigamma(df / 2, n) + df * n / 2
        digammas = ((df / 2).unsqueeze(-1) - lift(np.arange(n) / 2)).digamma().sum(-1)
        found = found - (df - n - 1) / 2 * digammas
        return narrow(found, self.df)

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        return -0.5 * self.precision_matrix, 0.5 * (self.df - self._event_shape[-1] - 1)

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        n = self._event_shape[-1]
        half = y + (n + 1) / 2
        size = 2 * log_diagonal(cholesky(-2 * x))
        return half * (n * math.log(2) - size) + log_multigamma(half, n)
