"""All distributions against PyTorch's: shapes, moments, scores and gradients."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import pellucid
from distributions.cases import CASES, IDS, Case
from helpers import as_array, assert_close
from pellucid import distributions

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

RTOL, ATOL = 1e-10, 1e-10
OURS_IS_FINER = {
    "VonMises": 1e-3,
    "Multinomial": 1e-7,
    "Wishart": 1e-7,
    "Gamma": 1e-9,
    "Chi2": 1e-9,
    "Dirichlet": 1e-8,
    "Poisson": 1e-9,
}
"""Where PyTorch computes by a series of few digits, or in float32; see test_against_scipy."""

MOMENTS = "mean mode variance stddev".split()

NOT_COMPARED = {
    # (name, what): why PyTorch's number is not the reference
    ("Kumaraswamy", "mode"): "NaN there for b of 1 or more, where (a - 1) / (a b - 1) is a number",
}


class Side:
    """One case in one library, with its parameters as leaves that hold the numbers of ``dtype``."""

    def __init__(self, case: Case, library: Any, dtype: str, rounded: str) -> None:
        self.library, self.dtype = library, getattr(library, dtype)
        self.leaves: list[Any] = []

        def make(values: Any) -> Any:
            leaf = library.tensor(np.asarray(values, rounded).tolist(), dtype=self.dtype)
            self.leaves.append(leaf.requires_grad_())
            return leaf

        self.of = case.build(library.distributions, make)

    def ask(self, question: Any, value: Any) -> Any:
        given = None if value is None else self.library.tensor(value).to(self.dtype)
        return question(self.of, given)

    def gradients(self, result: Any) -> list[np.ndarray]:
        """Of a weighted sum of a result, by the leaves."""
        weights = np.random.default_rng(0).random(tuple(result.shape))
        total = (result * self.library.from_numpy(weights).to(result.dtype)).sum()
        grad = self.library.autograd.grad
        found = grad(total, self.leaves, allow_unused=True, retain_graph=True)
        zero = [self.library.zeros_like(leaf) for leaf in self.leaves]
        arrays = [as_array(z if g is None else g) for z, g in zip(zero, found, strict=True)]
        # PyTorch sometimes has a gradient above the diagonal of a factor, where nothing is read.
        return [np.tril(a) if a.ndim > 1 and a.shape[-1] == a.shape[-2] else a for a in arrays]


class Twins:
    """One case of ours, of PyTorch, and of PyTorch in float64.

    In float32 a number is right if it is PyTorch's or the rounded one: where large logarithms of
    gamma functions are subtracted, PyTorch's float32 has few digits.
    """

    def __init__(self, case: Case, dtype: str = "float64") -> None:
        self.ours = Side(case, pellucid, dtype, dtype)
        self.theirs = [Side(case, torch, kind, dtype) for kind in dict.fromkeys((dtype, "float64"))]

    def compare(
        self,
        name: str,
        question: Any,
        rtol: float,
        atol: float,
        grads: bool = True,
        value: np.ndarray | None = None,
    ) -> bool:
        """The answers of both, and their gradients; False if PyTorch has none."""
        wanted = []
        for side in self.theirs:
            try:
                wanted.append((side, side.ask(question, value)))
            except (NotImplementedError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and "did not match" not in str(error):
                    if not isinstance(error, NotImplementedError):
                        raise
        if not wanted:
            return False
        have = self.ours.ask(question, value)
        _one_fits(have, [w for _, w in wanted], rtol, atol, name)
        if grads and wanted[0][1].requires_grad and all(w.isfinite().all() for _, w in wanted):
            found = self.ours.gradients(have)
            lists = [side.gradients(w) for side, w in wanted]
            for i, own in enumerate(found):
                options = [listed[i] for listed in lists]
                _one_fits(own, options, rtol * 10, atol * 10, f"{name}'s gradient {i}")
        return True


def _one_fits(have: Any, options: list[Any], rtol: float, atol: float, what: str) -> None:
    """Each element is close to that of one of the options; NaN in one of them allows anything."""
    own = as_array(have)
    wanted = [as_array(option) for option in options]
    assert own.shape == wanted[0].shape, f"{what}: {own.shape}, expected {wanted[0].shape}"
    good = np.zeros(own.shape, bool)
    for want in wanted:
        good |= np.isclose(own.astype(float), want.astype(float), rtol, atol, equal_nan=True)
        if "gradient" in what:
            good |= np.isnan(want)
    if not good.all():
        assert_close(own.astype(float), wanted[-1].astype(float), rtol, atol, what)


def _values(case: Case, twins: Twins, dtype: str) -> list[np.ndarray]:
    """Values to score: those of the case, and some that PyTorch drew."""
    torch.manual_seed(3)
    kind = {"float64": np.float64, "float32": np.float32}[dtype]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Wishart draws that are called singular
        drawn = as_array(twins.theirs[-1].of.sample((4,))).astype(np.float64)
    return [np.asarray(v, kind) for v in (*case.values, drawn)]


@pytest.mark.parametrize("dtype,rtol,atol", [("float64", RTOL, ATOL), ("float32", 1e-5, 2e-6)])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_all_methods(case: Case, dtype: str, rtol: float, atol: float) -> None:
    rtol = max(rtol, OURS_IS_FINER.get(case.name, 0.0))
    twins = Twins(case, dtype)
    ours, theirs = twins.ours.of, twins.theirs[0].of
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    assert ours.has_rsample == theirs.has_rsample
    assert ours.has_enumerate_support == theirs.has_enumerate_support
    assert type(ours.support).__name__ == type(theirs.support).__name__
    assert ours.support.event_dim == theirs.support.event_dim
    assert ours.support.is_discrete == theirs.support.is_discrete
    assert set(ours.arg_constraints) == set(theirs.arg_constraints)
    for name in MOMENTS:
        if (case.name, name) not in NOT_COMPARED:
            twins.compare(name, lambda d, _, n=name: getattr(d, n), rtol, atol)
    twins.compare("entropy", lambda d, _: d.entropy(), rtol, max(atol, 2 * rtol))
    twins.compare("perplexity", lambda d, _: d.perplexity(), rtol * 100, atol)
    twins.compare("support", lambda d, _: d.enumerate_support(), 0, 0, False)
    for value in _values(case, twins, dtype):
        _compare_scores(twins, value, rtol, atol)


def _compare_scores(twins: Twins, value: np.ndarray, rtol: float, atol: float) -> None:
    twins.compare("log_prob", lambda d, v: d.log_prob(v), rtol, atol, value=value)
    if twins.compare("cdf", lambda d, v: d.cdf(v), rtol, atol, False, value):
        batch = tuple(twins.ours.of.batch_shape)
        share = np.linspace(0.01, 0.99, max(1, int(np.prod(batch)))).reshape(batch)
        share = share.astype(value.dtype)
        twins.compare("icdf", lambda d, v: d.icdf(v), rtol, atol, value=share)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_expanded(case: Case) -> None:
    rtol = max(RTOL, OURS_IS_FINER.get(case.name, 0.0))
    twins = Twins(case)
    batch = (2, 5, *twins.ours.of.batch_shape)
    for side in (twins.ours, *twins.theirs):
        side.of = side.of.expand(batch)
    ours, theirs = twins.ours.of, twins.theirs[0].of
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape) == batch
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    value = _values(case, twins, "float64")[-1]
    assert tuple(ours.sample((4,)).shape) == value.shape
    twins.compare("log_prob", lambda d, v: d.log_prob(v), rtol, ATOL, value=value)
    twins.compare("mean", lambda d, _: d.mean, rtol, ATOL)
    if case.name != "Multinomial":  # PyTorch's fails once expanded
        twins.compare("entropy", lambda d, _: d.entropy(), rtol, ATOL)


def test_every_name_that_pytorch_has() -> None:
    assert set(torch.distributions.__all__) <= set(distributions.__all__)
    covered = {case.name for case in CASES}
    families = {
        n
        for n in torch.distributions.__all__
        if isinstance(getattr(torch.distributions, n), type)
        and issubclass(getattr(torch.distributions, n), torch.distributions.Distribution)
    }
    assert families - covered == {"Distribution", "ExponentialFamily"}
