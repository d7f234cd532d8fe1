"""Draws follow their distributions, and move with the parameters as they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from distributions.cases import CASES, IDS, Case
from helpers import as_array
from pellucid import distributions as D
from pellucid.tensor import sampling

COUNT = 4000
RARE = 1e-4
"""A test fails by chance once in so many seeds."""


def _tensor(values: Any) -> Any:
    return pellucid.tensor(values, dtype=pellucid.float64)


def _scipy() -> Any:
    return pytest.importorskip("scipy.stats")


@pytest.fixture(autouse=True)
def seeded(rng: np.random.Generator) -> None:
    """Other draws with another PELLUCID_TEST_SEED, which a failure prints."""
    pellucid.manual_seed(int(rng.integers(1 << 31)))


def continuous(stats: Any) -> list[tuple[str, Any, Any]]:
    t = _tensor
    return [
        ("Beta", D.Beta(t(0.5), t(2.0)), stats.beta(0.5, 2.0)),
        ("Beta", D.Beta(t(30.0), t(0.2)), stats.beta(30.0, 0.2)),
        ("Cauchy", D.Cauchy(t(1.0), t(2.0)), stats.cauchy(1.0, 2.0)),
        ("Chi2", D.Chi2(t(3.0)), stats.chi2(3.0)),
        ("Exponential", D.Exponential(t(3.0)), stats.expon(scale=1 / 3)),
        ("FisherSnedecor", D.FisherSnedecor(t(3.0), t(7.0)), stats.f(3.0, 7.0)),
        ("Gamma", D.Gamma(t(0.3), t(2.0)), stats.gamma(0.3, scale=0.5)),
        ("Gamma", D.Gamma(t(1e5), t(1.0)), stats.gamma(1e5)),
        ("GeneralizedPareto", D.GeneralizedPareto(t(1.0), t(2.0), t(0.3)),
         stats.genpareto(0.3, 1.0, 2.0)),
        ("GeneralizedPareto", D.GeneralizedPareto(t(1.0), t(2.0), t(0.0)), stats.expon(1.0, 2.0)),
        ("Gumbel", D.Gumbel(t(1.0), t(2.0)), stats.gumbel_r(1.0, 2.0)),
        ("HalfCauchy", D.HalfCauchy(t(2.0)), stats.halfcauchy(0, 2.0)),
        ("HalfNormal", D.HalfNormal(t(2.0)), stats.halfnorm(0, 2.0)),
        ("InverseGamma", D.InverseGamma(t(3.0), t(2.0)), stats.invgamma(3.0, scale=2.0)),
        ("Laplace", D.Laplace(t(1.0), t(2.0)), stats.laplace(1.0, 2.0)),
        ("LogNormal", D.LogNormal(t(1.0), t(0.5)), stats.lognorm(0.5, scale=np.e)),
        ("Normal", D.Normal(t(1.0), t(2.0)), stats.norm(1.0, 2.0)),
        ("Pareto", D.Pareto(t(2.0), t(3.0)), stats.pareto(3.0, scale=2.0)),
        ("StudentT", D.StudentT(t(3.0), t(1.0), t(2.0)), stats.t(3.0, 1.0, 2.0)),
        ("Uniform", D.Uniform(t(-1.0), t(2.0)), stats.uniform(-1.0, 3.0)),
        ("VonMises", D.VonMises(t(0.0), t(0.05)), stats.vonmises(0.05)),
        ("VonMises", D.VonMises(t(0.0), t(4.0)), stats.vonmises(4.0)),
        ("VonMises", D.VonMises(t(0.0), t(1e4)), stats.vonmises(1e4)),
        ("Weibull", D.Weibull(t(2.0), t(1.5)), stats.weibull_min(1.5, scale=2.0)),
    ]  # fmt: skip


@pytest.mark.parametrize("k", range(24))
def test_continuous_draws(k: int) -> None:
    stats = _scipy()
    name, ours, reference = continuous(stats)[k]
    drawn = as_array(ours.sample((COUNT,)))
    assert stats.kstest(drawn, reference.cdf).pvalue > RARE, name
    place = as_array(ours.sample((5,)))
    assert np.allclose(as_array(ours.log_prob(_tensor(place))), reference.logpdf(place), 1e-8)


def discrete(stats: Any) -> list[tuple[Any, Any]]:
    t = _tensor
    return [
        (D.Bernoulli(t(0.3)), stats.bernoulli(0.3)),
        (D.Binomial(12, t(0.3)), stats.binom(12, 0.3)),
        (D.Binomial(300, t(0.4)), stats.binom(300, 0.4)),
        (D.Binomial(300, t(0.98)), stats.binom(300, 0.98)),
        (D.Categorical(t([0.1, 0.0, 0.6, 0.3])), stats.rv_discrete(
            values=(range(4), [0.1, 0.0, 0.6, 0.3]))),
        (D.Geometric(t(0.2)), stats.geom(0.2, loc=-1)),
        (D.NegativeBinomial(t(3.5), t(0.6)), stats.nbinom(3.5, 0.4)),
        (D.Poisson(t(0.4)), stats.poisson(0.4)),
        (D.Poisson(t(9.9)), stats.poisson(9.9)),
        (D.Poisson(t(10.1)), stats.poisson(10.1)),
        (D.Poisson(t(5e3)), stats.poisson(5e3)),
    ]  # fmt: skip


@pytest.mark.parametrize("k", range(11))
def test_discrete_draws(k: int) -> None:
    stats = _scipy()
    ours, reference = discrete(stats)[k]
    drawn = as_array(ours.sample((COUNT,)))
    assert (drawn == drawn.round()).all()
    marks = np.unique(reference.ppf(np.linspace(0.001, 0.999, 25)))
    edges = np.concatenate([[-np.inf], marks + 0.5, [np.inf]])
    expected = np.diff(reference.cdf(edges)) * COUNT
    found = np.histogram(drawn, np.nan_to_num(edges, posinf=1e18, neginf=-1e18))[0]
    many = expected > 5
    groups = [np.append(x[many], x[~many].sum()) for x in (found, expected)]
    if groups[1][-1] == 0:
        groups = [g[:-1] for g in groups]
    assert stats.chisquare(groups[0], groups[1] * COUNT / groups[1].sum()).pvalue > RARE


VECTORS = [c for c in CASES if c.name in (
    "Dirichlet LogisticNormal LowRankMultivariateNormal Multinomial MultivariateNormal Wishart "
    "OneHotCategorical MixtureSameFamily").split()]  # fmt: skip


@pytest.mark.parametrize("case", VECTORS, ids=lambda c: c.name)
def test_moments_of_vectors(case: Case) -> None:
    ours = case.build(D, _tensor)
    drawn = as_array(ours.sample((COUNT,)))
    try:
        mean, spread = as_array(ours.mean), as_array(ours.variance)
    except NotImplementedError:
        assert np.allclose(drawn.sum(-1), 1)
        return
    error = np.abs(drawn.mean(0) - mean) / np.sqrt(spread / COUNT + 1e-300)
    assert error.max() < 5
    assert np.allclose(drawn.var(0), spread, rtol=0.35, atol=1e-6)


def test_correlation_matrices() -> None:
    """Their entries follow a beta distribution.  (Lewandowski, Kurowicka and Joe, 2009.)"""
    stats = _scipy()
    factor = D.LKJCholesky(4, _tensor(1.5)).sample((COUNT,))
    matrices = as_array(factor @ factor.mT)
    assert np.allclose(np.diagonal(matrices, axis1=-2, axis2=-1), 1)
    side = 1.5 + 4 / 2 - 1
    for i, j in ((1, 0), (3, 2)):
        share = (matrices[:, i, j] + 1) / 2
        assert stats.kstest(share, stats.beta(side, side).cdf).pvalue > RARE


# ---- gradients of draws -------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 0.9, 1.0, 3.0, 100.0, 1e6])
def test_gamma_draws_keep_their_place(alpha: float) -> None:
    """Against numerical differentiation of the inverse distribution function."""
    special = pytest.importorskip("scipy.special")
    a = pellucid.full((50,), alpha, dtype=pellucid.float64).requires_grad_()
    x = sampling.standard_gamma(a)
    x.sum().backward()
    place, lower = special.gammainc(alpha, as_array(x)), special.gammaincc(alpha, as_array(x))
    step = alpha * 1e-4
    ends = [
        np.where(place < 0.5, special.gammaincinv(b, place), special.gammainccinv(b, lower))
        for b in (alpha + step, alpha - step)
    ]
    good = as_array(x) > 1e-290
    numeric = (ends[0] - ends[1]) / (2 * step)
    assert np.allclose(as_array(a.grad)[good], numeric[good], rtol=1e-4)


@pytest.mark.parametrize("a,b", [(0.1, 0.3), (1.0, 1.0), (2.0, 5.0), (40.0, 0.7), (1e4, 3e4)])
def test_beta_draws_keep_their_place(a: float, b: float) -> None:
    special = pytest.importorskip("scipy.special")
    leaves = [pellucid.full((40,), v, dtype=pellucid.float64).requires_grad_() for v in (a, b)]
    x = D.Beta(*leaves).rsample()
    x.sum().backward()
    place = special.betainc(a, b, as_array(x))
    good = (as_array(x) > 1e-12) & (as_array(x) < 1 - 1e-6)
    for k, leaf in enumerate(leaves):
        step = (a, b)[k] * 1e-4
        ends = [
            special.betaincinv(a + s * step * (k == 0), b + s * step * (k == 1), place)
            for s in (1, -1)
        ]
        numeric = (ends[0] - ends[1]) / (2 * step)
        assert np.allclose(as_array(leaf.grad)[good], numeric[good], rtol=2e-4, atol=1e-12)


@pytest.mark.parametrize("name", ["Dirichlet", "StudentT", "Gamma"])
def test_gradients_of_expectations(name: str) -> None:
    """d/dθ E f(x) from draws is that of the closed form, within its spread."""
    t = pellucid.tensor([0.6, 2.0, 5.0], dtype=pellucid.float64).requires_grad_()
    wide = t.expand((20_000, 3))
    if name == "Dirichlet":
        x = D.Dirichlet(wide).rsample()
        exact = (t / t.sum()).square() + D.Dirichlet(t).variance
    elif name == "Gamma":
        x = D.Gamma(wide, 2.0).rsample()
        exact = t * (t + 1) / 4
    else:
        x = D.StudentT(wide + 4).rsample()
        exact = (t + 4) / (t + 2)
    weights = _tensor([1.0, -0.5, 2.0])
    (found,) = pellucid.autograd.grad((x.square() * weights).sum(-1).mean(), [t])
    (wanted,) = pellucid.autograd.grad((exact * weights).sum(), [t])
    assert np.allclose(as_array(found), as_array(wanted), rtol=0.15, atol=0.03)


def test_second_derivatives_of_draws_say_that_they_are_unknown() -> None:
    a = _tensor(2.0).requires_grad_()
    (first,) = pellucid.autograd.grad(sampling.standard_gamma(a), [a], create_graph=True)
    with pytest.raises(ValueError, match="second derivative of gamma"):
        first.backward()


# ---- eager and compiled -------------------------------------------------------------------------

QUICK = ("Beta-2 Binomial-4 Categorical-6 Dirichlet-11 LowRankMultivariateNormal-32 Multinomial-36 "
         "MixtureSameFamily-34 MultivariateNormal-38 Normal-43 Poisson-48 StudentT-53 "
         "TransformedDistribution-54 VonMises-57 Wishart-59").split()  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_compiled_draws_are_those_of_eager_ones(name: str) -> None:
    """The same seed, the same numbers, scores and gradients; new ones at each call."""
    case = CASES[IDS.index(name)]
    leaves: list[Any] = []

    def collect(values: Any) -> Any:
        leaves.append(_tensor(values).requires_grad_())
        return leaves[-1]

    case.build(D, collect)

    def step(*given: Any) -> tuple[Any, ...]:
        rest = iter(given)
        ours = case.build(D, lambda _: next(rest))
        drawn = ours.sample((2,))
        results = [drawn, ours.log_prob(drawn)]
        if ours.has_rsample:
            moved = ours.rsample((2,))
            slopes = pellucid.autograd.grad(moved.square().sum(), list(given), allow_unused=True)
            results += [moved, *(s for s in slopes if s is not None)]
        return tuple(results)

    compiled = pellucid.compile(step)
    pellucid.manual_seed(11)
    first = compiled(*leaves)
    second = compiled(*leaves)
    pellucid.manual_seed(11)
    for a, b in zip(first, step(*leaves), strict=True):
        assert np.allclose(as_array(a), as_array(b), rtol=1e-7, equal_nan=True)
    assert not np.array_equal(as_array(first[0]), as_array(second[0]))


def test_the_distribution_function_of_gamma_compiled(rng: np.random.Generator) -> None:
    special = pytest.importorskip("scipy.special")
    a = 10 ** rng.uniform(-3, 5, 300)
    x = np.maximum(special.gammaincinv(a, rng.random(300)), 1e-290)
    share = pellucid.compile(lambda p, q: D.Gamma(p, 1.0).cdf(q))
    assert np.allclose(as_array(share(_tensor(a), _tensor(x))), special.gammainc(a, x), 1e-7, 1e-12)


def test_no_round_too_few() -> None:
    """Of many proposals all but the stated share are accepted within the rounds."""
    for alpha in (1.0, 1.3):
        x = as_array(sampling.standard_gamma(pellucid.full((100_000,), alpha)))
        assert (x > 0).all() and np.isfinite(x).all()


# ---- the public functions -----------------------------------------------------------------------


def test_poisson_and_binomial() -> None:
    rates = pellucid.tensor([[0.0, 3.0], [20.0, 1e4]])
    counts = pellucid.poisson(rates)
    assert counts.shape == rates.shape and counts.dtype is rates.dtype
    assert counts[0, 0].item() == 0 and abs(counts[1, 1].item() - 1e4) < 700
    successes = pellucid.binomial(pellucid.tensor([5.0, 100.0]), pellucid.tensor([[1.0], [0.0]]))
    assert successes.tolist() == [[5.0, 100.0], [0.0, 0.0]]
    generator = pellucid.Generator().manual_seed(3)
    again = pellucid.Generator().manual_seed(3)
    both = [pellucid.poisson(rates, generator=g).tolist() for g in (generator, again)]
    assert both[0] == both[1]


def test_wrong_rates_and_counts() -> None:
    with pytest.raises(RuntimeError, match="poisson got a rate of -1"):
        pellucid.poisson(pellucid.tensor([-1.0]))
    with pytest.raises(RuntimeError, match="poisson got rates of int64"):
        pellucid.poisson(pellucid.tensor([1]))
    with pytest.raises(RuntimeError, match="binomial got a count of -2"):
        pellucid.binomial(pellucid.tensor([-2.0]), pellucid.tensor([0.5]))
    with pytest.raises(RuntimeError, match="binomial got probabilities from 0.5 to 2"):
        pellucid.binomial(pellucid.tensor([2.0, 2.0]), pellucid.tensor([0.5, 2.0]))
    with pytest.raises(RuntimeError, match="binomial got counts of int64"):
        pellucid.binomial(pellucid.tensor([2]), pellucid.tensor([0.5]))
