"""Divergences: PyTorch's whole table, and against averages over draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_close
from pellucid import distributions
from pellucid.distributions import kl

PAIRS: dict[str, list[Any]] = {
    # family → two or three parameter sets: (D, t) → distribution
    "Bernoulli": [lambda D, t: D.Bernoulli(t([0.2, 0.0, 1.0])),
                  lambda D, t: D.Bernoulli(t([0.7, 0.3, 0.9]))],
    "Beta": [lambda D, t: D.Beta(t([0.5, 3.0, 1e4]), t([2.0, 1.0, 2e4])),
             lambda D, t: D.Beta(t([1.5, 2.0, 9e3]), t([0.3, 4.0, 1.9e4]))],
    "Binomial": [lambda D, t: D.Binomial(5, t([0.2, 0.6, 0.9])),
                 lambda D, t: D.Binomial(t([5.0, 3.0, 5.0]), t([0.5, 0.3, 0.95]))],
    "Categorical": [lambda D, t: D.Categorical(t([[0.2, 0.3, 0.5], [0.0, 0.4, 0.6]])),
                    lambda D, t: D.Categorical(t([[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])),
                    lambda D, t: D.Categorical(t([[0.0, 0.8, 0.2], [0.3, 0.3, 0.4]]))],
    "Cauchy": [lambda D, t: D.Cauchy(t([0.0, 1.0]), t([1.0, 3.0])),
               lambda D, t: D.Cauchy(t([2.0, -1.0]), t([0.5, 3.0]))],
    "ContinuousBernoulli": [lambda D, t: D.ContinuousBernoulli(t([0.2, 0.7, 0.5])),
                            lambda D, t: D.ContinuousBernoulli(t([0.6, 0.1, 0.3]))],
    "Dirichlet": [lambda D, t: D.Dirichlet(t([[0.5, 2.0, 1.0]])),
                  lambda D, t: D.Dirichlet(t([[3.0, 0.7, 2.0]]))],
    "Exponential": [lambda D, t: D.Exponential(t([0.5, 2.0, 5.0])),
                    lambda D, t: D.Exponential(t([3.0, 0.7, 5.5]))],
    "Gamma": [lambda D, t: D.Gamma(t([0.5, 2.0, 1e4]), t([1.0, 3.0, 1e2])),
              lambda D, t: D.Gamma(t([3.0, 0.7, 1.1e4]), t([0.5, 2.0, 1e2]))],
    "Geometric": [lambda D, t: D.Geometric(t([0.3, 0.8])),
                  lambda D, t: D.Geometric(t([0.6, 0.1]))],
    "Gumbel": [lambda D, t: D.Gumbel(t([0.0, 1.0, 0.3]), t([1.0, 0.5, 0.8])),
               lambda D, t: D.Gumbel(t([0.5, -1.0, 0.1]), t([2.0, 0.7, 0.9]))],
    "HalfNormal": [lambda D, t: D.HalfNormal(t([1.0, 2.0])),
                   lambda D, t: D.HalfNormal(t([0.5, 3.0]))],
    "Independent": [lambda D, t: D.Independent(D.Normal(t([[0.0, 1.0]]), t([[1.0, 2.0]])), 1),
                    lambda D, t: D.Independent(D.Normal(t([[1.0, 0.0]]), t([[2.0, 0.5]])), 1)],
    "Laplace": [lambda D, t: D.Laplace(t([0.0, 1.0, 0.2]), t([1.0, 0.5, 2.0])),
                lambda D, t: D.Laplace(t([0.5, -1.0, 0.3]), t([2.0, 0.7, 1.0]))],
    "LowRankMultivariateNormal": [
        lambda D, t: D.LowRankMultivariateNormal(
            t([0.0, 1.0, 2.0]), t([[1.0], [0.5], [-1.0]]), t([1.0, 2.0, 0.5])),
        lambda D, t: D.LowRankMultivariateNormal(
            t([1.0, 0.0, 2.0]), t([[0.3], [1.5], [0.2]]), t([0.7, 1.0, 1.5]))],
    "MultivariateNormal": [
        lambda D, t: D.MultivariateNormal(
            t([0.0, 1.0, 2.0]), t([[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.7]])),
        lambda D, t: D.MultivariateNormal(
            t([1.0, 0.0, 2.0]), t([[1.0, 0.1, 0.0], [0.1, 2.0, 0.4], [0.0, 0.4, 1.5]]))],
    "Normal": [lambda D, t: D.Normal(t([0.0, 1.0, 0.3]), t([1.0, 0.5, 1e-2])),
               lambda D, t: D.Normal(t([0.5, -1.0, 0.1]), t([2.0, 0.7, 1e2]))],
    "OneHotCategorical": [lambda D, t: D.OneHotCategorical(t([0.2, 0.3, 0.5])),
                          lambda D, t: D.OneHotCategorical(t([0.1, 0.8, 0.1]))],
    "Pareto": [lambda D, t: D.Pareto(t([1.0, 2.0, 0.5]), t([1.5, 3.0, 0.5])),
               lambda D, t: D.Pareto(t([0.5, 2.5, 0.3]), t([2.5, 1.0, 4.0]))],
    "Poisson": [lambda D, t: D.Poisson(t([0.5, 3.0, 1e3])),
                lambda D, t: D.Poisson(t([2.0, 3.5, 1.1e3]))],
    "TransformedDistribution": [
        lambda D, t: D.LogNormal(t([0.0, 1.0]), t([1.0, 0.5])),
        lambda D, t: D.LogNormal(t([0.5, -1.0]), t([2.0, 0.7]))],
    "Uniform": [lambda D, t: D.Uniform(t([0.1, 0.5, -1.0]), t([0.9, 3.0, 0.5])),
                lambda D, t: D.Uniform(t([0.0, 0.0, -2.0]), t([1.0, 4.0, 2.0])),
                lambda D, t: D.Uniform(t([0.2, -1.0, -2.0]), t([0.5, 4.0, 0.0]))],
}  # fmt: skip

TABLE = """Bernoulli-Bernoulli Bernoulli-Poisson Beta-Beta Beta-ContinuousBernoulli Beta-Exponential
Beta-Gamma Beta-Normal Beta-Pareto Beta-Uniform Binomial-Binomial Categorical-Categorical
Cauchy-Cauchy ContinuousBernoulli-ContinuousBernoulli ContinuousBernoulli-Exponential
ContinuousBernoulli-Normal ContinuousBernoulli-Pareto ContinuousBernoulli-Uniform
Dirichlet-Dirichlet Exponential-Beta Exponential-ContinuousBernoulli Exponential-Exponential
Exponential-Gamma Exponential-Gumbel Exponential-Normal Exponential-Pareto Exponential-Uniform
Gamma-Beta Gamma-ContinuousBernoulli Gamma-Exponential Gamma-Gamma Gamma-Gumbel Gamma-Normal
Gamma-Pareto Gamma-Uniform Geometric-Geometric Gumbel-Beta Gumbel-ContinuousBernoulli
Gumbel-Exponential Gumbel-Gamma Gumbel-Gumbel Gumbel-Normal Gumbel-Pareto Gumbel-Uniform
HalfNormal-HalfNormal Independent-Independent Laplace-Beta Laplace-ContinuousBernoulli
Laplace-Exponential Laplace-Gamma Laplace-Laplace Laplace-Normal Laplace-Pareto Laplace-Uniform
LowRankMultivariateNormal-LowRankMultivariateNormal LowRankMultivariateNormal-MultivariateNormal
MultivariateNormal-LowRankMultivariateNormal MultivariateNormal-MultivariateNormal Normal-Beta
Normal-ContinuousBernoulli Normal-Exponential Normal-Gamma Normal-Gumbel Normal-Laplace
Normal-Normal Normal-Pareto Normal-Uniform OneHotCategorical-OneHotCategorical Pareto-Beta
Pareto-ContinuousBernoulli Pareto-Exponential Pareto-Gamma Pareto-Normal Pareto-Pareto
Pareto-Uniform Poisson-Bernoulli Poisson-Binomial Poisson-Poisson
TransformedDistribution-TransformedDistribution Uniform-Beta Uniform-ContinuousBernoulli
Uniform-Exponential Uniform-Gamma Uniform-Gumbel Uniform-Normal Uniform-Pareto
Uniform-Uniform""".split()
"""All pairs that PyTorch registers, but those of exponential families in general."""


def _leaves(library: Any, builds: list[Any]) -> tuple[list[Any], list[Any]]:
    leaves: list[Any] = []

    def make(values: Any) -> Any:
        leaves.append(library.tensor(values, dtype=library.float64).requires_grad_())
        return leaves[-1]

    return [build(library.distributions, make) for build in builds], leaves


@pytest.mark.parity
@pytest.mark.parametrize("pair", TABLE)
def test_the_whole_table(pair: str) -> None:
    torch = pytest.importorskip("torch")
    p, q = pair.split("-")
    for builds in ([PAIRS[p][0], PAIRS[q][-1]], [PAIRS[p][-1], PAIRS[q][0]]):
        if pair == "Binomial-Binomial" and builds[1] is PAIRS[q][0]:
            continue  # fewer trials: there is no formula
        (ours, ours_leaves), (theirs, their_leaves) = (
            _leaves(m, builds) for m in (pellucid, torch)
        )
        have, want = kl.kl_divergence(*ours), torch.distributions.kl_divergence(*theirs)
        assert_close(have, want, 1e-9, 1e-9, pair)
        finite = want.isfinite()
        if not want.requires_grad or not finite.all():
            continue
        found = pellucid.autograd.grad(have.sum(), ours_leaves, allow_unused=True)
        wanted = torch.autograd.grad(want.sum(), their_leaves, allow_unused=True)
        for leaf, a, b in zip(their_leaves, found, wanted, strict=True):
            a = np.zeros(tuple(leaf.shape)) if a is None else as_array(a)
            b = np.zeros(tuple(leaf.shape)) if b is None else as_array(b)
            known = np.isfinite(b)
            assert_close(a[known], b[known], 1e-8, 1e-8, f"gradient of {pair}")


@pytest.mark.parity
def test_nothing_of_the_table_is_missing() -> None:
    torch = pytest.importorskip("torch")
    theirs = {f"{p.__name__}-{q.__name__}" for p, q in torch.distributions.kl._KL_REGISTRY}
    assert theirs - {"ExponentialFamily-ExponentialFamily"} == set(TABLE)
    ours = {f"{p.__name__}-{q.__name__}" for p, q in kl._formulas}
    assert theirs <= ours


SAMPLED = (
    "Beta-Gamma Exponential-Gumbel Gamma-Gumbel Normal-Laplace Pareto-Gamma Uniform-Gumbel".split()
)


@pytest.mark.parametrize("pair", SAMPLED)
def test_divergences_are_averages_over_draws(pair: str, rng: np.random.Generator) -> None:
    pellucid.manual_seed(int(rng.integers(1 << 31)))
    p, q = pair.split("-")
    (ours, other), _ = _leaves(pellucid, [PAIRS[p][0], PAIRS[q][0]])
    drawn = ours.sample((20_000,))
    found = as_array(ours.log_prob(drawn) - other.log_prob(drawn))
    wanted = as_array(kl.kl_divergence(ours, other))
    known = np.isfinite(wanted) & (wanted < 1e3)
    error = np.abs(found.mean(0) - wanted) / (found.std(0) / np.sqrt(len(found)) + 1e-12)
    assert (error[known] < 6).all()


def test_exponential_families_have_divergences_by_their_normalizers() -> None:
    t = lambda v: pellucid.tensor(v, dtype=pellucid.float64)  # noqa: E731
    families = [
        (distributions.Gamma(t(2.0), t(3.0)), distributions.Gamma(t(1.0), t(0.5))),
        (distributions.Beta(t(2.0), t(3.0)), distributions.Beta(t(1.0), t(0.5))),
        (distributions.Bernoulli(t(0.3)), distributions.Bernoulli(t(0.6))),
        (distributions.Exponential(t(0.3)), distributions.Exponential(t(0.6))),
        (distributions.Normal(t(0.3), t(2.0)), distributions.Normal(t(0.6), t(1.0))),
        (distributions.Dirichlet(t([0.3, 2.0])), distributions.Dirichlet(t([0.6, 1.0]))),
        (distributions.ContinuousBernoulli(t(0.3)), distributions.ContinuousBernoulli(t(0.8))),
    ]
    for p, q in families:
        general = kl._formulas[distributions.ExponentialFamily, distributions.ExponentialFamily]
        assert_close(general(p, q), kl.kl_divergence(p, q), 1e-9, 1e-9, type(p).__name__)
        if type(p) not in (distributions.Beta, distributions.Dirichlet):
            assert_close(distributions.ExponentialFamily.entropy(p), p.entropy(), 1e-9, 1e-9)


def test_own_formulas() -> None:
    class Mine(distributions.Normal):
        pass

    a, b = Mine(0.0, 1.0), Mine(1.0, 1.0)
    assert kl.kl_divergence(a, b).item() == 0.5

    @kl.register_kl(Mine, distributions.Normal)
    def _left(p: Any, q: Any) -> Any:
        return "left"

    assert kl.kl_divergence(a, b) == "left"

    @kl.register_kl(distributions.Normal, Mine)
    def _right(p: Any, q: Any) -> Any:
        return "right"

    with pytest.warns(RuntimeWarning, match="Ambiguous kl_divergence"):
        assert kl.kl_divergence(a, b) == "left"

    @kl.register_kl(Mine, Mine)
    def _both(p: Any, q: Any) -> Any:
        return "both"

    assert kl.kl_divergence(a, b) == "both"
    with pytest.raises(TypeError, match="subclasses of Distribution"):
        kl.register_kl(int, Mine)
    with pytest.raises(NotImplementedError, match="No KL"):
        kl.kl_divergence(distributions.Cauchy(0.0, 1.0), a)
    with pytest.raises(NotImplementedError, match="total_count"):
        kl.kl_divergence(
            distributions.Binomial(3, pellucid.tensor(0.5)),
            distributions.Binomial(5, pellucid.tensor(0.5)),
        )
