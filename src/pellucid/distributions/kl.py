"""Divergences of two distributions, KL(p ‖ q) = E_p ln p − ln q, where they have a closed form."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

from pellucid.base.errors import ArgumentTypeError, ShapeError, UnsupportedError
from pellucid.distributions.bernoulli import Bernoulli
from pellucid.distributions.beta import Beta
from pellucid.distributions.binomial import Binomial
from pellucid.distributions.categorical import Categorical
from pellucid.distributions.cauchy import Cauchy
from pellucid.distributions.continuous_bernoulli import ContinuousBernoulli
from pellucid.distributions.dirichlet import Dirichlet
from pellucid.distributions.distribution import Distribution
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.exponential import Exponential
from pellucid.distributions.gamma import Gamma
from pellucid.distributions.geometric import Geometric
from pellucid.distributions.gumbel import Gumbel
from pellucid.distributions.half_normal import HalfNormal
from pellucid.distributions.independent import Independent
from pellucid.distributions.laplace import Laplace
from pellucid.distributions.lowrank_multivariate_normal import (
    LowRankMultivariateNormal,
    low_rank_distance,
    low_rank_log_det,
)
from pellucid.distributions.multivariate_normal import MultivariateNormal
from pellucid.distributions.normal import Normal
from pellucid.distributions.one_hot_categorical import OneHotCategorical
from pellucid.distributions.pareto import Pareto
from pellucid.distributions.poisson import Poisson
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.uniform import Uniform
from pellucid.distributions.utils import (
    euler_constant,
    log_diagonal,
    mahalanobis,
    narrow,
    softplus,
    solve_lower,
    sum_rightmost,
    xlogx,
)
from pellucid.tensor.autograd import enable_grad, grad
from pellucid.tensor.creation import full_like
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["kl_divergence", "register_kl"]

Formula = Callable[[Any, Any], Any]

_formulas: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Formula], Formula]:
    """Decorator that enters a function of p and q as their divergence, for subclasses, too.

    Of several entries that fit, the one with the nearest class of p is taken, then that with the
    nearest class of q; where the other order would take another, a ``RuntimeWarning`` says so.
    Raises ``ArgumentTypeError`` for anything but subclasses of ``Distribution``. ::

        @register_kl(Normal, MyDistribution)
        def _kl(p, q): ...
    """
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise ArgumentTypeError(f"register_kl got {kind!r}", "give subclasses of Distribution")

    def enter(formula: Formula) -> Formula:
        _formulas[type_p, type_q] = formula
        _found.cache_clear()
        return formula

    return enter


@functools.lru_cache(maxsize=1024)
def _found(type_p: Any, type_q: Any) -> Formula | None:
    """The formula of the nearest pair of classes."""
    order_p, order_q = type_p.__mro__, type_q.__mro__
    fitting = [(p, q) for p, q in _formulas if p in order_p and q in order_q]
    if not fitting:
        return None
    first = min(fitting, key=lambda pair: (order_p.index(pair[0]), order_q.index(pair[1])))
    other = min(fitting, key=lambda pair: (order_q.index(pair[1]), order_p.index(pair[0])))
    if _formulas[first] is not _formulas[other]:
        names = [f"{p.__name__}, {q.__name__}" for p, q in (first, other)]
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please register_kl("
            f"{names[0]}) or ({names[1]}) for exactly these",
            RuntimeWarning,
            stacklevel=3,
        )
    return _formulas[first]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """E_p (ln p − ln q), in nats, of shape batch_shape.

    Raises ``UnsupportedError`` (a ``NotImplementedError``) for pairs without a formula.

    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
    tensor(0.5000)
    """
    kinds: Any = type(p), type(q)
    formula = _found(*kinds)
    if formula is None:
        raise UnsupportedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}",
            "register one with register_kl, or average p.log_prob − q.log_prob over samples",
        )
    return formula(p, q)


def _in_double(formula: Formula) -> Formula:
    """A formula of differences of ln Γ, computed in float64."""

    @functools.wraps(formula)
    def wrapped(p: Any, q: Any) -> Any:
        kinds = _Wide(p), _Wide(q)
        return narrow(formula(*kinds), kinds[0].like, kinds[1].like)

    return wrapped


class _Wide:
    """A distribution whose tensors are read in float64."""

    def __init__(self, distribution: Any) -> None:
        self._distribution = distribution
        self.like: Any = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._distribution, name)
        if isinstance(value, Tensor):
            self.like = value
            return value.double()
        return value


# ---- of one family ------------------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    one = where(p.probs.eq(0), 0.0, where(q.probs.eq(0), math.inf, one))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return one + where(p.probs.eq(1), 0.0, where(q.probs.eq(1), math.inf, zero))


@register_kl(Beta, Beta)
@_in_double
def _beta(p: Any, q: Any) -> Any:
    total, other = p.concentration1 + p.concentration0, q.concentration1 + q.concentration0
    constant = q.concentration1.lgamma() + q.concentration0.lgamma() + total.lgamma()
    constant = constant - p.concentration1.lgamma() - p.concentration0.lgamma() - other.lgamma()
    first = (p.concentration1 - q.concentration1) * p.concentration1.digamma()
    second = (p.concentration0 - q.concentration0) * p.concentration0.digamma()
    return constant + first + second + (other - total) * total.digamma()


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Any:
    """∞ where p has more trials than q; for fewer there is no closed form."""
    fewer = p.total_count.lt(q.total_count)
    if p._same_count is None or q._same_count is None:
        unknown = bool(fewer.array().any())
    else:
        unknown = p._same_count < q._same_count
    if unknown:
        raise UnsupportedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented",
            "there is no closed form",
        )
    own = (p.logits - q.logits) * p.probs + (-p.probs).log1p() - (-q.probs).log1p()
    return where(p.total_count.gt(q.total_count), math.inf, p.total_count * own)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    own = p.probs * (p.logits - q.logits)
    own = where(q.probs.eq(0), math.inf, own)
    return where(p.probs.eq(0), 0.0, own).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_categorical(p: Any, q: Any) -> Any:
    return _categorical(p._categorical, q._categorical)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Any:
    """(Chyzak and Nielsen, 2019.)"""
    top = (p.scale + q.scale).square() + (p.loc - q.loc).square()
    return top.log() - (4 * p.scale * q.scale).log()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Any:
    own = p.mean * (p.logits - q.logits) + p._log_norm() + (-p.probs).log1p()
    return own - q._log_norm() - (-q.probs).log1p()


@register_kl(Dirichlet, Dirichlet)
@_in_double
def _dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    constant = a.sum(-1).lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    slopes = a.digamma() - a.sum(-1, True).digamma()
    return constant + ((a - b) * slopes).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: Any, q: Any) -> Any:
    """F(θ_q) − F(θ_p) − (θ_q − θ_p) · ∇F(θ_p), for two of one class."""
    if type(p) is not type(q):
        raise UnsupportedError(
            "The cross KL-divergence between different exponential families cannot be computed "
            f"using Bregman divergences: {type(p).__name__} and {type(q).__name__}",
            "register a formula with register_kl",
        )
    with enable_grad():
        own = [t if t.requires_grad else t.detach().requires_grad_() for t in p._natural_params]
        start = p._log_normalizer(*own)
        slopes = grad(start.sum(), own, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - start
    for before, after, slope in zip(own, q._natural_params, slopes, strict=True):
        result = result - sum_rightmost((after - before) * slope, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
@_in_double
def _gamma(p: Any, q: Any) -> Any:
    ratio = p.rate / q.rate
    found = q.concentration * ratio.log() + q.concentration.lgamma() - p.concentration.lgamma()
    found = found + (p.concentration - q.concentration) * p.concentration.digamma()
    return found + p.concentration * (1 / ratio - 1)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Any:
    ratio, start, gap = p.scale / q.scale, q.loc / q.scale, p.loc / q.scale
    tail = (start - gap + (1 + ratio).lgamma()).exp() - (1 + euler_constant)
    return -ratio.log() - start + gap + ratio * euler_constant + tail


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Any:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    ratio, gap = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + gap / q.scale + ratio * (-gap / p.scale).exp() - 1


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    spread = (p.scale / q.scale).square()
    gap = ((p.loc - q.loc) / q.scale).square()
    return 0.5 * (spread + gap - 1 - spread.log())


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Any:
    ratio, order = p.scale / q.scale, q.alpha / p.alpha
    found = q.alpha * ratio.log() - order.log() + order - 1
    return where(p.support.lower_bound.lt(q.support.lower_bound), math.inf, found)


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    """That of the bases, for the same transforms."""
    if p.transforms != q.transforms:
        raise UnsupportedError(
            "the divergence of distributions with different transforms was asked for",
            "only that of equal transforms is known",
        )
    if p.event_shape != q.event_shape:
        raise UnsupportedError(
            f"the distributions have events of shape {p.event_shape} and {q.event_shape}",
            "both have values of one shape",
        )
    extra = len(p.event_shape) - len(p.base_dist.event_shape)
    base: Any = kl_divergence(p.base_dist, q.base_dist)
    return sum_rightmost(base, extra) if extra > 0 else base


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return where(q.low.gt(p.low).logical_or(q.high.lt(p.high)), math.inf, found)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise UnsupportedError(
            "the distributions take different numbers of batch axes as one value",
            "give both the same reinterpreted_batch_ndims",
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# ---- vectors ------------------------------------------------------------------------------------


def _same_events(p: Any, q: Any) -> int:
    if p.event_shape != q.event_shape:
        raise ShapeError(
            f"KL-divergence between two vectors of {p.event_shape} and {q.event_shape}",
            "both have values of one shape",
        )
    return int(p.event_shape[0])


def _size(matrix: Any) -> Any:
    """Σ of all squares: tr(A Aᵀ)."""
    return matrix.square().sum(-1).sum(-1)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Any:
    n = _same_events(p, q)
    outer, inner = q._unbroadcasted_scale_tril, p._unbroadcasted_scale_tril
    half = log_diagonal(outer) - log_diagonal(inner)
    spread = _size(solve_lower(outer, inner))
    return half + 0.5 * (spread + mahalanobis(outer, q.loc - p.loc) - n)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _low_rank(p: Any, q: Any) -> Any:
    n = _same_events(p, q)
    diagonal, factor = q._unbroadcasted_cov_diag, q._unbroadcasted_cov_factor
    inner = q._capacitance_tril
    size = low_rank_log_det(diagonal, inner)
    size = size - low_rank_log_det(p._unbroadcasted_cov_diag, p._capacitance_tril)
    distance = low_rank_distance(factor, diagonal, q.loc - p.loc, inner)
    scaled = solve_lower(inner, factor.mT / diagonal.unsqueeze(-2))  # of (W Wᵀ + D)⁻¹
    own, wide_part = p._unbroadcasted_cov_diag, p._unbroadcasted_cov_factor
    spread = (own / diagonal).sum(-1) + _size(wide_part * diagonal.rsqrt().unsqueeze(-1))
    spread = spread - _size(scaled * own.sqrt().unsqueeze(-2)) - _size(scaled @ wide_part)
    return 0.5 * (size + spread + distance - n)


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _full_low_rank(p: Any, q: Any) -> Any:
    n = _same_events(p, q)
    diagonal, factor = q._unbroadcasted_cov_diag, q._unbroadcasted_cov_factor
    inner, own = q._capacitance_tril, p._unbroadcasted_scale_tril
    size = low_rank_log_det(diagonal, inner) - 2 * log_diagonal(own)
    distance = low_rank_distance(factor, diagonal, q.loc - p.loc, inner)
    scaled = solve_lower(inner, factor.mT / diagonal.unsqueeze(-2))
    spread = _size(own * diagonal.rsqrt().unsqueeze(-1)) - _size(scaled @ own)
    return 0.5 * (size + spread + distance - n)


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _low_rank_full(p: Any, q: Any) -> Any:
    n = _same_events(p, q)
    outer = q._unbroadcasted_scale_tril
    size = 2 * log_diagonal(outer)
    size = size - low_rank_log_det(p._unbroadcasted_cov_diag, p._capacitance_tril)
    spread = _size(solve_lower(outer, p._unbroadcasted_cov_factor))
    spread = spread + _size(solve_lower(outer, p._unbroadcasted_cov_diag.sqrt().diag_embed()))
    return 0.5 * (size + spread + mahalanobis(outer, q.loc - p.loc) - n)


# ---- of different families ----------------------------------------------------------------------


def _first_parameter(p: Any) -> Any:
    return p.__dict__.get(next(iter(p.arg_constraints)), p.mean)


@register_kl(Beta, Pareto)
@register_kl(ContinuousBernoulli, Pareto)
@register_kl(Exponential, Beta)
@register_kl(Exponential, ContinuousBernoulli)
@register_kl(Exponential, Pareto)
@register_kl(Exponential, Uniform)
@register_kl(Gamma, Beta)
@register_kl(Gamma, ContinuousBernoulli)
@register_kl(Gamma, Pareto)
@register_kl(Gamma, Uniform)
@register_kl(Gumbel, Beta)
@register_kl(Gumbel, ContinuousBernoulli)
@register_kl(Gumbel, Exponential)
@register_kl(Gumbel, Gamma)
@register_kl(Gumbel, Pareto)
@register_kl(Gumbel, Uniform)
@register_kl(Laplace, Beta)
@register_kl(Laplace, ContinuousBernoulli)
@register_kl(Laplace, Exponential)
@register_kl(Laplace, Gamma)
@register_kl(Laplace, Pareto)
@register_kl(Laplace, Uniform)
@register_kl(Normal, Beta)
@register_kl(Normal, ContinuousBernoulli)
@register_kl(Normal, Exponential)
@register_kl(Normal, Gamma)
@register_kl(Normal, Pareto)
@register_kl(Normal, Uniform)
@register_kl(Pareto, Beta)
@register_kl(Pareto, ContinuousBernoulli)
@register_kl(Pareto, Uniform)
@register_kl(Poisson, Bernoulli)
@register_kl(Poisson, Binomial)
def _infinite(p: Any, q: Any) -> Any:
    """∞: p has values where q has none."""
    return full_like(_first_parameter(p), math.inf)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous_bernoulli(p: Any, q: Any) -> Any:
    own = -p.entropy() - p.mean * q.logits
    return own - (-q.probs).log1p() - q._log_norm()


@register_kl(Beta, Exponential)
def _beta_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Any:
    total = p.concentration1 + p.concentration0
    logs = p.concentration1.digamma() - total.digamma()
    found = -p.entropy() + q.concentration.lgamma() - q.concentration * q.rate.log()
    return found - (q.concentration - 1) * logs + q.rate * p.mean


def _against_normal(p: Any, q: Any) -> Any:
    """−H(p) − E ln q for q normal: the first two moments say all."""
    spread = p.variance + (p.mean - q.loc).square()
    constant = (q.scale.square() * (2 * math.pi)).log() / 2
    return -p.entropy() + constant + spread / (2 * q.scale.square())


@register_kl(Beta, Normal)
@register_kl(ContinuousBernoulli, Normal)
@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Uniform, Normal)
def _any_normal(p: Any, q: Any) -> Any:
    return _against_normal(p, q)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    """∞ where p has no variance."""
    return where(p.alpha.le(2), math.inf, _against_normal(p, q))


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Any:
    found = -p.entropy() + (q.high - q.low).log()
    return where(q.low.gt(0).logical_or(q.high.lt(1)), math.inf, found)


@register_kl(ContinuousBernoulli, Exponential)
def _continuous_bernoulli_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: Any, q: Any) -> Any:
    found = -p.entropy() + (q.high - q.low).log()
    return where(q.low.gt(0).logical_or(q.high.lt(1)), math.inf, found)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    found = ratio + q.concentration.lgamma() + q.concentration * (euler_constant - ratio.log())
    return found - (1 + euler_constant)


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Any:
    product, start = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 + product.reciprocal() - start + start.exp() * product / (product + 1)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Any:
    product, start = p.rate * q.scale, q.loc / q.scale
    tail = start.exp() * (1 + product.reciprocal()).pow(-p.concentration)
    found = (p.concentration - 1) * p.concentration.digamma() - p.concentration.lgamma()
    return found - p.concentration + product.log() + p.concentration / product - start + tail


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Any:
    mean, spread, start = p.loc / q.scale, (p.scale / q.scale).square(), q.loc / q.scale
    tail = (-mean + 0.5 * spread + start).exp()
    return mean - start + tail - 0.5 * (1 + math.log(2 * math.pi)) - 0.5 * spread.log()


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    gap = p.loc - q.loc
    z = gap / p.scale
    near = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z.square()).exp()
    distance = near + gap * (math.sqrt(0.5) * z).erf()
    ratio = p.scale / q.scale
    return -ratio.log() + distance / q.scale - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    product = p.scale * q.rate
    found = (p.alpha / product).log() - p.alpha.reciprocal() + p.alpha * product / (p.alpha - 1) - 1
    return where(p.alpha.le(1), math.inf, found)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    logs = p.scale.log() + p.alpha.reciprocal()
    found = p.alpha.log() - logs + q.concentration.lgamma() - q.concentration * q.rate.log()
    found = found + (1 - q.concentration) * logs + q.rate * p.alpha * p.scale / (p.alpha - 1) - 1
    return where(p.alpha.le(1), math.inf, found)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    width = p.high - p.low
    first = (q.concentration1 - 1) * (xlogx(p.high) - xlogx(p.low) - width) / width
    last = xlogx(1 - p.high) - xlogx(1 - p.low) + width
    last = (q.concentration0 - 1) * last / width
    constant = q.concentration1.lgamma() + q.concentration0.lgamma()
    constant = constant - (q.concentration1 + q.concentration0).lgamma()
    found = constant - width.log() - first + last
    return where(p.high.gt(1).logical_or(p.low.lt(0)), math.inf, found)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Any:
    found = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_norm()
    return where(p.high.ge(1).logical_or(p.low.le(0)), math.inf, found)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    found = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return where(p.low.lt(0), math.inf, found)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    width = p.high - p.low
    found = -width.log() + q.concentration.lgamma() - q.concentration * q.rate.log()
    found = found + (1 - q.concentration) * (xlogx(p.high) - xlogx(p.low) - width) / width
    return where(p.low.lt(0), math.inf, found + q.rate * (p.high + p.low) / 2)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Any:
    width = (p.high - p.low) / q.scale
    high, low = (q.loc - p.high) / q.scale, (q.loc - p.low) / q.scale
    return (low.exp() - high.exp()) / width - 0.5 * (high + low) - width.log()


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    width = p.high - p.low
    logs = (xlogx(p.high) - xlogx(p.low) - width) / width
    found = logs * (q.alpha + 1) - width.log() - q.alpha.log() - q.alpha * q.scale.log()
    return where(p.low.lt(q.support.lower_bound), math.inf, found)
