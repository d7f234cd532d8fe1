"""How distributions behave: checks, errors, what they print, shapes, subclasses."""

from __future__ import annotations

import copy
import importlib
import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
from distributions.cases import CASES, IDS, Case
from helpers import as_array, assert_close
from pellucid import distributions as D

t = pellucid.tensor


@pytest.fixture
def default() -> Iterator[None]:
    """Puts the default of the checks back."""
    yield
    D.Distribution.set_default_validate_args(True)


WRONG = [
    (lambda: D.Bernoulli(t([1.5])), "probs"),
    (lambda: D.Bernoulli(logits=t([math.nan])), "logits"),
    (lambda: D.Beta(t([-1.0]), 1.0), "concentration1"),
    (lambda: D.Binomial(-1, t([0.5])), "total_count"),
    (lambda: D.Categorical(t([-1.0, 2.0])), "probs"),
    (lambda: D.Categorical(logits=t([[math.nan, 1.0]])), "logits"),
    (lambda: D.Dirichlet(t([0.0, 1.0])), "concentration"),
    (lambda: D.Gamma(0.0, 1.0), "concentration"),
    (lambda: D.Geometric(0.0), "to be positive"),
    (lambda: D.Normal(0.0, -1.0), "scale"),
    (lambda: D.Normal(math.nan, 1.0), "loc"),
    (lambda: D.MultivariateNormal(pellucid.zeros(2), t([[1.0, 2.0], [2.0, 1.0]])), "covariance"),
    (lambda: D.MultivariateNormal(pellucid.zeros(2), scale_tril=t([[1.0, 2.0], [2.0, 1.0]])),
     "scale_tril"),
    (lambda: D.NegativeBinomial(1.0, t([1.0])), "probs"),
    (lambda: D.Poisson(-1.0), "rate"),
    (lambda: D.StudentT(0.0), "df"),
    (lambda: D.Uniform(1.0, 1.0), "low"),
    (lambda: D.VonMises(t(0.0), t(0.0)), "concentration"),
    (lambda: D.Wishart(t(1.0), pellucid.eye(3)), "df"),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(WRONG)))
def test_wrong_parameters(k: int) -> None:
    make, word = WRONG[k]
    with pytest.raises(ValueError, match=word):
        make()


OUTSIDE = [
    (lambda: D.Bernoulli(0.5), 2.0),
    (lambda: D.Beta(1.0, 1.0), 1.5),
    (lambda: D.Binomial(3, t(0.5)), 3.5),
    (lambda: D.Categorical(pellucid.ones(3)), 3),
    (lambda: D.Exponential(1.0), -1.0),
    (lambda: D.Gamma(1.0, 1.0), -1.0),
    (lambda: D.Normal(0.0, 1.0), math.nan),
    (lambda: D.OneHotCategorical(pellucid.ones(2)), [1.0, 1.0]),
    (lambda: D.Poisson(1.0), 0.5),
    (lambda: D.Uniform(0.0, 1.0), 2.0),
    (lambda: D.Dirichlet(pellucid.ones(2)), [0.5, 0.6]),
    (lambda: D.LogNormal(0.0, 1.0), -1.0),
    (lambda: D.HalfNormal(1.0), -1.0),
    (lambda: D.Independent(D.Exponential(pellucid.ones(2)), 1), [1.0, -1.0]),
    (lambda: D.Multinomial(3, pellucid.ones(2)), [2.0, 2.0]),
    (lambda: D.MixtureSameFamily(
        D.Categorical(pellucid.ones(2)), D.Exponential(pellucid.ones(2))), -1.0),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(OUTSIDE)))
def test_values_outside_of_the_support(k: int) -> None:
    make, value = OUTSIDE[k]
    with pytest.raises(ValueError, match="within the support"):
        make().log_prob(t(value))


def test_what_the_errors_say() -> None:
    with pytest.raises(ValueError) as caught:
        D.Normal(0.0, t([1.0, -1.0]))
    text = str(caught.value)
    assert "Expected parameter scale (Tensor of shape (2,)) of distribution Normal(" in text
    assert "constraint GreaterThan(lower_bound=0.0), but found invalid values" in text
    for both in ({}, {"probs": t([1.0]), "logits": t([1.0])}):
        with pytest.raises(ValueError, match="Either `probs` or `logits`"):
            D.Categorical(**both)
    with pytest.raises(ValueError, match="at least one-dimensional"):
        D.Categorical(t(1.0))
    with pytest.raises(ValueError, match="Exactly one of covariance_matrix"):
        D.MultivariateNormal(pellucid.zeros(2))
    with pytest.raises(ValueError, match="must be a Tensor"):
        D.Normal(0.0, 1.0).log_prob(0.5)
    with pytest.raises(ValueError, match="right-most size"):
        D.Dirichlet(pellucid.ones(3)).log_prob(pellucid.ones(2))
    with pytest.raises(ValueError, match="not broadcastable"):
        D.Normal(pellucid.zeros(3), 1.0).log_prob(pellucid.zeros(2))
    with pytest.raises(ValueError, match="reinterpreted_batch_ndims"):
        D.Independent(D.Normal(0.0, 1.0), 1)
    with pytest.raises(ValueError, match="needs to be an instance"):
        D.MixtureSameFamily(D.Normal(0.0, 1.0), D.Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="does not equal"):
        D.MixtureSameFamily(D.Categorical(pellucid.ones(3)), D.Normal(pellucid.zeros(2), 1.0))
    with pytest.raises(ValueError, match="list of Transforms"):
        D.TransformedDistribution(D.Normal(0.0, 1.0), ["exp"])
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        D.LKJCholesky(1)


def test_what_does_not_exist() -> None:
    for ask in (
        lambda: D.Poisson(1.0).entropy(),
        lambda: D.Poisson(1.0).cdf(t(1.0)),
        lambda: D.Categorical(pellucid.ones(2)).rsample(),
        lambda: D.Normal(0.0, 1.0).enumerate_support(),
        lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), D.ExpTransform()).mode,
        lambda: D.Independent(D.Bernoulli(pellucid.ones(2)), 1).enumerate_support(),
        lambda: D.Binomial(t([1, 2]), t([0.5, 0.5])).entropy(),
        lambda: D.Multinomial(t([1, 2]), pellucid.ones(2)),
    ):
        with pytest.raises(NotImplementedError):
            ask()


def test_checks_can_be_switched_off(default: None) -> None:
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    assert D.Uniform(0.0, 1.0, validate_args=False).log_prob(t(2.0)).item() == -math.inf
    D.Distribution.set_default_validate_args(False)
    assert D.Normal(0.0, -1.0).expand((2,)).scale.tolist() == [-1, -1]
    with pytest.raises(ValueError):
        D.Normal(0.0, -1.0, validate_args=True)
    with pytest.raises(ValueError, match="True or False"):
        D.Distribution.set_default_validate_args(2)


def test_what_they_print() -> None:
    assert repr(D.Normal(0.0, 1.0)) == "Normal(loc: 0.0, scale: 1.0)"
    assert repr(D.Categorical(pellucid.ones(3))) == "Categorical(probs: (3,))"
    assert repr(D.Independent(D.Normal(pellucid.zeros(2), 1.0), 1)) == (
        "Independent(Normal(loc: (2,), scale: (2,)), 1)"
    )
    assert repr(D.Uniform(0.0, 1.0)) == "Uniform(low: 0.0, high: 1.0)"
    assert (
        repr(D.ComposeTransform([D.ExpTransform()])) == "ComposeTransform(\n    ExpTransform()\n)"
    )


def test_shapes_and_dtypes_of_numbers() -> None:
    assert D.Normal(0, 1).loc.dtype is pellucid.float32
    assert D.Normal(0, t(1.0, dtype=pellucid.float64)).loc.dtype is pellucid.float64
    assert D.Normal(pellucid.zeros(3, 1), pellucid.ones(2)).batch_shape == (3, 2)
    assert D.Normal(0.0, 1.0).sample().shape == ()
    assert D.Normal(0.0, 1.0).sample((2, 3)).shape == (2, 3)
    assert D.Categorical(pellucid.ones(2, 3)).sample((4,)).dtype is pellucid.int64
    with pytest.warns(FutureWarning, match="sample_n"):
        assert D.Normal(0.0, 1.0).sample_n(3).shape == (3,)


def test_samples_have_no_history_and_rsamples_do() -> None:
    loc = t([0.5]).requires_grad_()
    assert not D.Normal(loc, 1.0).sample().requires_grad
    D.Normal(loc, 1.0).rsample((3,)).sum().backward()
    assert loc.grad.tolist() == [3.0]
    probs = t([0.2, 0.8]).requires_grad_()
    (D.OneHotCategoricalStraightThrough(probs).rsample() * t([1.0, 3.0])).sum().backward()
    assert probs.grad.abs().sum() > 0


def test_lazy_parameters_are_kept_outside_of_traces_only() -> None:
    ours = D.Bernoulli(t([0.25]))
    score = pellucid.compile(lambda v: ours.log_prob(v))
    assert_close(score(t([1.0])), np.log([0.25]), 1e-5)
    assert "logits" not in ours.__dict__
    assert ours.logits is ours.logits
    assert_close(ours.log_prob(t([0.0])), np.log([0.75]), 1e-5)


def test_subclasses_with_an_init_of_their_own_say_that_they_need_expand() -> None:
    class Mine(D.Normal):
        def __init__(self) -> None:
            super().__init__(0.0, 1.0)

    with pytest.raises(NotImplementedError, match="expand"):
        Mine().expand((2,))

    class Plain(D.Normal):
        pass

    assert type(Plain(0.0, 1.0).expand((2,))) is Plain


def test_a_distribution_of_ones_own() -> None:
    class Triangle(D.Distribution):
        arg_constraints = {"width": D.constraints.positive}
        support = D.constraints.real

        def __init__(self, width: Any, validate_args: Any = None) -> None:
            self.width = width
            super().__init__(width.shape, validate_args=validate_args)

        def log_prob(self, value: Any) -> Any:
            self._validate_sample(value)
            return (1 - (value / self.width).abs()).clamp(min=0).log() - self.width.log()

        def rsample(self, sample_shape: Any = ()) -> Any:
            u = pellucid.rand(2, *self._extended_shape(sample_shape))
            return (u[0] - u[1]) * self.width

    ours = Triangle(t([1.0, 2.0]))
    assert ours.sample((5,)).shape == (5, 2)
    assert_close(D.Independent(ours, 1).log_prob(pellucid.zeros(2)), np.log(0.5), 1e-5)
    with pytest.raises(ValueError, match="width"):
        Triangle(t([-1.0]))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_copies_and_pickles(case: Case) -> None:
    ours = case.build(D, lambda v: t(v, dtype=pellucid.float64))
    value = ours.sample((2,))
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert_close(other.log_prob(value), ours.log_prob(value), 0, 0)


MODULES = """bernoulli beta binomial categorical cauchy chi2 constraint_registry constraints
continuous_bernoulli dirichlet distribution exp_family exponential fishersnedecor gamma
generalized_pareto geometric gumbel half_cauchy half_normal independent inverse_gamma kl kumaraswamy
laplace lkj_cholesky log_normal logistic_normal lowrank_multivariate_normal mixture_same_family
multinomial multivariate_normal negative_binomial normal one_hot_categorical pareto poisson
relaxed_bernoulli relaxed_categorical studentT transformed_distribution transforms uniform utils
von_mises weibull wishart""".split()


@pytest.mark.parametrize("name", MODULES)
def test_modules_have_pytorchs_paths(name: str) -> None:
    ours = importlib.import_module(f"pellucid.distributions.{name}")
    assert getattr(D, name) is ours
    try:
        theirs = importlib.import_module(f"torch.distributions.{name}")
    except ImportError:
        return
    for public in getattr(theirs, "__all__", ()):
        assert hasattr(ours, public), f"{name}.{public}"


def test_against_scipy_where_digits_are_few() -> None:
    stats = pytest.importorskip("scipy.stats")
    special = pytest.importorskip("scipy.special")
    k = np.array([1e-3, 0.5, 7.9, 8.1, 700.0, 1e6])
    ours = D.VonMises(t(0.3, dtype=pellucid.float64), t(k))
    ratio = special.ive(1, k) / special.ive(0, k)
    assert_close(ours.variance, 1 - ratio, 1e-9, 1e-15)
    x = np.linspace(-2, 2, 6)
    wanted = k * np.cos(x - 0.3) - np.log(2 * np.pi * special.ive(0, k)) - k
    assert_close(ours.log_prob(t(x)), wanted, 1e-10, 1e-9)
    tail = D.Normal(t(0.0, dtype=pellucid.float64), 1.0).cdf(t(-30.0, dtype=pellucid.float64))
    assert_close(tail, np.float64(stats.norm.cdf(-30.0)), 1e-10, 0)
    count = D.Multinomial(5, t([0.2, 0.3, 0.5], dtype=pellucid.float64))
    assert_close(
        count.entropy(), np.float64(stats.multinomial(5, [0.2, 0.3, 0.5]).entropy()), 1e-10
    )
    a, b = 1e6, 3e5
    small = D.Beta(t(a), t(b)).log_prob(t(0.77))
    wanted = stats.beta(a, b).logpdf(float(np.float32(0.77)))
    assert_close(small, np.float32(wanted), 1e-5)
    assert as_array(small).dtype == np.float32
