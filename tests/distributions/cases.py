"""Distributions with parameters, for tests that walk over all of them.

A case builds the same distribution from our package or from PyTorch's: ``build(D, t)`` gets the
package and a function that makes a tensor of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Build = Callable[[Any, Callable[[Any], Any]], Any]


class Case(NamedTuple):
    """A distribution, and values to score beside those that are drawn from it."""

    name: str
    build: Build
    values: tuple[Any, ...] = ()


def _simple(name: str, *values: Any, **parameters: Any) -> Case:
    """Parameters that are lists become tensors, others stay."""

    def build(D: Any, t: Callable[[Any], Any]) -> Any:  # noqa: N803
        made = {k: t(v) if isinstance(v, list) else v for k, v in parameters.items()}
        return getattr(D, name)(**made)

    return Case(name, build, values)


def _nested(name: str, build: Build, *values: Any) -> Case:
    return Case(name, build, values)


WIDE = [1e-3, 0.3, 1.0, 2.5, 40.0, 1e4, 1e6]
SPREAD = [[0.2, 0.3, 0.5], [0.05, 0.05, 0.9]]
MATRIX = [[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.7]]
FACTOR = [[1.5, 0.0, 0.0], [0.2, 0.8, 0.0], [-0.3, 0.1, 0.6]]

CASES: list[Case] = [
    _simple("Bernoulli", [0.0, 1.0, 1.0, 0.0], probs=[0.0, 0.2, 0.5, 1.0]),
    _simple("Bernoulli", [0.0, 1.0, 1.0, 0.0], logits=[-100.0, -1.3, 0.0, 100.0]),
    _simple(
        "Beta",
        [1e-6, 0.2, 0.5, 0.9, 0.999],
        concentration1=[0.01, 0.5, 1.0, 3.0, 1e5],
        concentration0=[0.01, 2.0, 1.0, 0.5, 3e4],
    ),
    _simple("Binomial", [0.0, 3.0, 10.0], total_count=10, probs=[0.0, 0.3, 1.0]),
    _simple(
        "Binomial", [1.0, 3.0, 900.0], total_count=[2.0, 5.0, 1000.0], logits=[-100.0, 0.4, 2.0]
    ),
    _simple("Categorical", [2.0, 0.0], probs=SPREAD),
    _simple("Categorical", [1.0, 2.0], logits=[[0.0, -100.0, 100.0], [1.0, 2.0, 3.0]]),
    _simple("Cauchy", [-1e4, 0.0, 3.0], loc=[-1.0, 0.0, 2.0], scale=[1e-3, 1.0, 1e3]),
    _simple("Chi2", [1e-3, 0.5, 3.0, 60.0], df=[0.01, 1.0, 4.0, 50.0]),
    _simple("ContinuousBernoulli", [0.0, 0.3, 0.6, 1.0], probs=[0.001, 0.3, 0.5, 0.9]),
    _simple("ContinuousBernoulli", [0.0, 0.3, 0.6], logits=[-3.0, 0.0, 2.0]),
    _simple("Dirichlet", [0.1, 0.2, 0.7], concentration=[[0.5, 1.0, 2.0], [10.0, 1e4, 3.0]]),
    _simple("Dirichlet", concentration=[0.2, 0.4]),
    _simple("Exponential", [0.0, 1e-3, 2.0], rate=[1e-3, 1.0, 1e3]),
    _simple("FisherSnedecor", [0.1, 1.0, 5.0], df1=[0.5, 3.0, 50.0], df2=[1.0, 5.0, 30.0]),
    _simple("Gamma", [1e-5, 0.1, 1.0, 3.0, 50.0, 9e3, 1e6], concentration=WIDE, rate=1.0),
    _simple("Gamma", [0.5, 3.0], concentration=[2.0, 0.7], rate=[1e-3, 1e3]),
    _simple(
        "GeneralizedPareto",
        [1.2, 0.5, 2.0],
        loc=[0.0, 0.0, 1.0],
        scale=[1.0, 2.0, 0.5],
        concentration=[-0.5, 0.0, 0.4],
    ),
    _simple("Geometric", [0.0, 3.0, 50.0], probs=[1.0, 0.4, 1e-3]),
    _simple("Geometric", [0.0, 3.0, 50.0], logits=[3.0, 0.4, -5.0]),
    _simple("Gumbel", [-3.0, 0.9, 7.0], loc=[0.0, 1.0, -2.0], scale=[1.0, 0.1, 20.0]),
    _simple("HalfCauchy", [0.0, 0.5, 1e3], scale=[1.0, 0.1, 50.0]),
    _simple("HalfNormal", [0.0, 0.5, 30.0], scale=[1.0, 0.1, 50.0]),
    _nested(
        "Independent",
        lambda D, t: D.Independent(
            D.Normal(t([[0.0, 1.0], [2.0, 3.0]]), t([[1.0, 0.5], [2.0, 0.1]])), 1
        ),
    ),
    _nested("Independent", lambda D, t: D.Independent(D.Bernoulli(t([[0.3, 0.6]])), 2)),
    _simple("InverseGamma", [0.1, 1.0, 30.0], concentration=[0.5, 1.5, 4.0], rate=[1.0, 0.3, 20.0]),
    _simple(
        "Kumaraswamy",
        [0.1, 0.5, 0.95],
        concentration1=[0.5, 1.0, 3.0],
        concentration0=[0.7, 2.0, 5.0],
    ),
    _simple("LKJCholesky", dim=3, concentration=[0.5, 1.0, 4.0], validate_args=False),
    _simple("LKJCholesky", dim=2, concentration=[2.0], validate_args=False),
    _simple("Laplace", [-3.0, 0.0, 30.0], loc=[0.0, 1.0, -2.0], scale=[1.0, 0.1, 20.0]),
    _simple("LogNormal", [1e-3, 0.5, 30.0], loc=[0.0, 1.0, -2.0], scale=[1.0, 0.1, 2.0]),
    _simple("LogisticNormal", loc=[[0.0, 1.0], [-0.5, 2.0]], scale=[[1.0, 0.5], [2.0, 0.1]]),
    _nested(
        "LowRankMultivariateNormal",
        lambda D, t: D.LowRankMultivariateNormal(
            t([1.0, -1.0, 0.5]), t([[1.0, 0.2], [0.3, -1.0], [0.5, 0.1]]), t([0.5, 1.0, 2.0])
        ),
    ),
    _nested(
        "MixtureSameFamily",
        lambda D, t: D.MixtureSameFamily(
            D.Categorical(t([0.2, 0.3, 0.5])), D.Normal(t([-2.0, 0.0, 3.0]), t([1.0, 0.5, 2.0]))
        ),
        -1.0,
    ),
    _nested(
        "MixtureSameFamily",
        lambda D, t: D.MixtureSameFamily(
            D.Categorical(logits=t([[0.1, 0.4], [2.0, -1.0]])),
            D.Independent(
                D.Normal(t([[[-2.0, 0.0], [3.0, 1.0]]]), t([[[1.0, 0.5], [2.0, 1.5]]])), 1
            ).expand([2, 2]),
        ),
    ),
    _nested(
        "MixtureSameFamily",
        lambda D, t: D.MixtureSameFamily(D.Categorical(t([0.4, 0.6])), D.Poisson(t([1.0, 7.0]))),
        3.0,
    ),
    _simple("Multinomial", [1.0, 2.0, 2.0], total_count=5, probs=SPREAD),
    _simple("Multinomial", [0.0, 2.0, 1.0], total_count=3, logits=[1.0, 2.0, 0.3]),
    _simple("MultivariateNormal", loc=[1.0, 2.0, 3.0], covariance_matrix=MATRIX),
    _simple("MultivariateNormal", loc=[[1.0, 2.0, 3.0], [0.0, 0.0, 9.0]], precision_matrix=MATRIX),
    _simple("MultivariateNormal", loc=[1.0, 2.0, 3.0], scale_tril=FACTOR),
    _simple(
        "NegativeBinomial", [0.0, 3.0, 20.0], total_count=[1.0, 3.5, 20.0], probs=[0.1, 0.5, 0.9]
    ),
    _simple("NegativeBinomial", [0.0, 3.0], total_count=4.0, logits=[-1.0, 2.0]),
    _simple("Normal", [-4.0, 0.0, 50.0], loc=[-1.0, 0.0, 2.0], scale=[1.0, 1e-3, 1e3]),
    _simple("OneHotCategorical", [0.0, 1.0, 0.0], probs=SPREAD),
    _simple("OneHotCategorical", [0.0, 1.0, 0.0], logits=[0.3, -0.2, 1.0]),
    _simple("OneHotCategoricalStraightThrough", [0.0, 0.0, 1.0], probs=SPREAD),
    _simple("Pareto", [1.5, 2.0, 900.0], scale=[1.0, 1.5, 20.0], alpha=[0.5, 1.5, 3.0]),
    _simple("Poisson", [0.0, 3.0, 1e6], rate=[0.1, 5.0, 1e6]),
    _nested(
        "RelaxedBernoulli",
        lambda D, t: D.RelaxedBernoulli(t(0.7), t([0.1, 0.5, 0.9])),
        [0.01, 0.5, 0.99],
    ),
    _nested(
        "RelaxedBernoulli",
        lambda D, t: D.RelaxedBernoulli(t(2.0), logits=t([-1.0, 3.0])),
        [0.1, 0.8],
    ),
    _nested(
        "RelaxedOneHotCategorical",
        lambda D, t: D.RelaxedOneHotCategorical(t(0.7), t(SPREAD)),
        [0.2, 0.3, 0.5],
    ),
    _nested(
        "RelaxedOneHotCategorical",
        lambda D, t: D.RelaxedOneHotCategorical(t(1.5), logits=t([0.3, 0.1, 2.0])),
        [0.2, 0.3, 0.5],
    ),
    _simple(
        "StudentT",
        [-3.0, 0.0, 50.0, 1.0],
        df=[0.5, 1.5, 3.0, 1e5],
        loc=[0.0, 1.0, 2.0, 0.0],
        scale=[1.0, 0.1, 20.0, 1.0],
    ),
    _nested(
        "TransformedDistribution",
        lambda D, t: D.TransformedDistribution(
            D.Normal(t([0.3, -0.2]), t([0.5, 1.0])), [D.TanhTransform()]
        ),
        [0.2, -0.9],
    ),
    _nested(
        "TransformedDistribution",
        lambda D, t: D.TransformedDistribution(
            D.Uniform(t([0.0, 0.0]), t([1.0, 1.0])),
            [D.SigmoidTransform().inv, D.AffineTransform(t([1.0, 2.0]), t([3.0, -0.5]))],
        ),
        [0.2, 2.0],
    ),
    _simple("Uniform", [0.5, -1.0], low=[0.0, -2.0], high=[1.0, 5.0]),
    _simple(
        "VonMises",
        [-3.0, 0.0, 1.0, 0.5],
        loc=[0.0, 1.0, -2.0, 0.5],
        concentration=[1e-2, 1.0, 20.0, 1e4],
    ),
    _simple("Weibull", [0.1, 1.0, 30.0], scale=[1.0, 0.5, 20.0], concentration=[0.7, 1.0, 3.0]),
    _nested("Wishart", lambda D, t: D.Wishart(t([4.0, 7.5]), t(MATRIX))),
    _nested("Wishart", lambda D, t: D.Wishart(t(5.0), scale_tril=t(FACTOR))),
    _nested("Wishart", lambda D, t: D.Wishart(t(5.0), precision_matrix=t(MATRIX))),
]

IDS = [f"{case.name}-{i}" for i, case in enumerate(CASES)]
