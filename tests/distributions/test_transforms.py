"""Transforms, constraints and what links them, against PyTorch and against numerical Jacobians."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_close
from pellucid import distributions
from pellucid.distributions import constraints, transforms, utils
from pellucid.distributions.constraint_registry import ConstraintRegistry, biject_to, transform_to

Make = Callable[[Any, Any], Any]

TRANSFORMS: list[tuple[str, Make, tuple[int, ...]]] = [
    # (name, (D, t) → transform, shape of x)
    ("abs", lambda D, t: D.AbsTransform(), (3,)),
    ("affine", lambda D, t: D.AffineTransform(t([1.0, -1.0, 0.0]), t([2.0, -0.5, 3.0])), (2, 3)),
    ("affine of numbers", lambda D, t: D.AffineTransform(1.0, -2.0), (2, 3)),
    ("affine vectors", lambda D, t: D.AffineTransform(t([1.0, 2.0, 0.0]), 2.0, 1), (2, 3)),
    ("cat", lambda D, t: D.CatTransform([D.ExpTransform(), D.AffineTransform(0.0, 3.0)], 1, [2, 1]),
     (2, 3)),
    ("cat with events", lambda D, t: D.CatTransform(
        [D.AffineTransform(0.0, 3.0, 1), D.AffineTransform(1.0, 2.0, 1)], -1, [2, 1]), (2, 3)),
    ("compose", lambda D, t: D.ComposeTransform(
        [D.TanhTransform(), D.AffineTransform(0.5, 0.5), D.SigmoidTransform()]), (4,)),
    ("correlations", lambda D, t: D.CorrCholeskyTransform(), (2, 6)),
    ("distribution function", lambda D, t: D.CumulativeDistributionTransform(
        D.Normal(t(0.5), t(2.0))), (4,)),
    ("exp", lambda D, t: D.ExpTransform(), (3,)),
    ("independent", lambda D, t: D.IndependentTransform(D.ExpTransform(), 1), (2, 3)),
    ("inverse", lambda D, t: D.SigmoidTransform().inv.inv, (3,)),
    ("lower factor", lambda D, t: D.LowerCholeskyTransform(), (2, 3, 3)),
    ("positive definite", lambda D, t: D.PositiveDefiniteTransform(), (2, 3, 3)),
    ("power", lambda D, t: D.ComposeTransform([D.ExpTransform(), D.PowerTransform(t(2.5))]), (3,)),
    ("reshape", lambda D, t: D.ReshapeTransform((2, 3), (6,)), (4, 2, 3)),
    ("sigmoid", lambda D, t: D.SigmoidTransform(), (3,)),
    ("softmax", lambda D, t: D.SoftmaxTransform(), (2, 3)),
    ("softplus", lambda D, t: D.SoftplusTransform(), (3,)),
    ("stack", lambda D, t: D.StackTransform([D.ExpTransform(), D.TanhTransform()], 1), (3, 2)),
    ("stick breaking", lambda D, t: D.StickBreakingTransform(), (2, 3)),
    ("tanh", lambda D, t: D.TanhTransform(), (3,)),
    ("nothing", lambda D, t: D.identity_transform, (3,)),
]  # fmt: skip


def _tensor(values: Any) -> Any:
    return pellucid.tensor(values, dtype=pellucid.float64)


@pytest.mark.parity
@pytest.mark.parametrize("name,make,shape", TRANSFORMS, ids=[t[0] for t in TRANSFORMS])
def test_transforms(name: str, make: Make, shape: tuple[int, ...], rng: Any) -> None:
    torch = pytest.importorskip("torch")
    ours = make(distributions, _tensor)
    theirs = make(torch.distributions, lambda v: torch.tensor(v, dtype=torch.float64))
    array = rng.standard_normal(shape)
    x, want_x = _tensor(array).requires_grad_(), torch.tensor(array).requires_grad_()
    y, want_y = ours(x), theirs(want_x)
    assert_close(y, want_y, 1e-12, 1e-12)
    assert tuple(ours.forward_shape(shape)) == tuple(theirs.forward_shape(shape)) == y.shape
    assert tuple(ours.inverse_shape(y.shape)) == tuple(theirs.inverse_shape(tuple(y.shape)))
    assert ours.bijective == theirs.bijective
    assert ours.domain.event_dim == theirs.domain.event_dim
    assert ours.codomain.event_dim == theirs.codomain.event_dim
    assert_close(ours.inv(y), theirs.inv(want_y), 1e-9, 1e-9)
    assert as_array(ours.codomain.check(y)).all()
    slope, want_slope = (
        library.autograd.grad(v.square().sum(), [u])[0]
        for library, v, u in ((pellucid, y, x), (torch, want_y, want_x))
    )
    assert_close(slope, want_slope, 1e-9, 1e-9)
    if ours.bijective:
        found = ours.log_abs_det_jacobian(x, y)
        assert_close(found, theirs.log_abs_det_jacobian(want_x, want_y), 1e-9, 1e-9)


SCALAR = "affine compose exp power sigmoid softplus tanh".split()


@pytest.mark.parametrize("name", SCALAR)
def test_jacobians_are_derivatives(name: str, rng: Any) -> None:
    make, shape = next((t[1], t[2]) for t in TRANSFORMS if t[0] == name)
    ours = make(distributions, _tensor)
    x = _tensor(rng.standard_normal(shape)).requires_grad_()
    y = ours(x)
    (slope,) = pellucid.autograd.grad(y.sum(), [x])
    assert_close(ours.log_abs_det_jacobian(x, y), slope.abs().log(), 1e-9, 1e-9)
    sign = ours.sign
    assert (np.sign(as_array(slope)) == (as_array(sign) if hasattr(sign, "shape") else sign)).all()


def test_a_cache_keeps_the_last_pair() -> None:
    t = transforms.TanhTransform(cache_size=1)
    x = pellucid.tensor([20.0])
    assert t.inv(t(x)) is x and t(x) is t(x)
    assert t.inv.inv is t and transforms.TanhTransform().with_cache() == t
    with pytest.raises(ValueError, match="cache_size=2"):
        transforms.ExpTransform(cache_size=2)
    again = pickle.loads(pickle.dumps(t))
    assert again == t and as_array(again(x)) == as_array(t(x))


def test_a_trace_leaves_no_marks() -> None:
    """Transforms made outside keep their pairs in a compiled function, and it is traced once."""
    squash = transforms.TanhTransform(cache_size=1)
    affine = transforms.ComposeTransform([transforms.AffineTransform(1.0, 2.0)])
    traces = []

    @pellucid.compile
    def step(mean: Any) -> tuple[Any, Any]:
        traces.append(1)
        policy = distributions.TransformedDistribution(
            distributions.Normal(mean, 1.0), [affine, squash]
        )
        action = policy.rsample()
        return action, policy.log_prob(action)

    for scale in (1.0, 1.0, 20.0):  # of the last, tanh is 1 and has an inverse in the cache alone
        action, score = step(pellucid.full((3,), scale))
        assert score.isfinite().all()
    assert action.eq(1).all() and len(traces) == 1
    assert squash._cached_x_y == (None, None) and squash._inv is None
    x = pellucid.tensor([0.5])
    assert squash.inv(squash(x)) is x


def test_wrong_uses() -> None:
    with pytest.raises(ValueError, match="different numbers of elements"):
        transforms.ReshapeTransform((2, 3), (5,))
    with pytest.raises(ValueError, match="Shape mismatch"):
        transforms.ReshapeTransform((2, 3), (6,))(pellucid.zeros(3, 2))
    with pytest.raises(ValueError, match="Too few dimensions"):
        transforms.IndependentTransform(transforms.ExpTransform(), 2)(pellucid.zeros(2))
    with pytest.raises(ValueError, match="not a flattened"):
        transforms.CorrCholeskyTransform().forward_shape((4,))
    with pytest.raises(NotImplementedError):
        transforms.SoftmaxTransform().log_abs_det_jacobian(None, None)
    with pytest.raises(NotImplementedError):
        transforms.AbsTransform().sign  # noqa: B018
    with pytest.raises(ValueError, match="list of transforms"):
        transforms.StackTransform(["exp"])
    with pytest.raises(ValueError, match="a length for each"):
        transforms.CatTransform([transforms.ExpTransform()], 0, [1, 2])


CONSTRAINTS: list[tuple[Make, Any]] = [
    # ((constraints, t) → constraint, values)
    (lambda c, t: c.boolean, [0.0, 1.0, 2.0, 0.5]),
    (lambda c, t: c.one_hot, [[0.0, 1.0], [1.0, 1.0], [0.5, 0.5], [0.0, 0.0]]),
    (lambda c, t: c.integer_interval(1, 3), [0.0, 1.0, 2.5, 3.0, 4.0]),
    (lambda c, t: c.nonnegative_integer, [-1.0, 0.0, 0.5, 3.0]),
    (lambda c, t: c.positive_integer, [-1.0, 0.0, 1.5, 3.0]),
    (lambda c, t: c.real, [1.0, float("nan"), float("inf")]),
    (lambda c, t: c.real_vector, [[1.0, 2.0], [float("nan"), 1.0]]),
    (lambda c, t: c.positive, [-1.0, 0.0, 2.0]),
    (lambda c, t: c.nonnegative, [-1.0, 0.0, 2.0]),
    (lambda c, t: c.greater_than(t([0.0, 1.0])), [0.5, 0.5]),
    (lambda c, t: c.greater_than_eq(1.0), [0.5, 1.0]),
    (lambda c, t: c.less_than(1.0), [0.5, 1.0]),
    (lambda c, t: c.unit_interval, [-0.1, 0.0, 1.0, 1.1]),
    (lambda c, t: c.interval(-1.0, 2.0), [-1.0, 2.0, 3.0]),
    (lambda c, t: c.half_open_interval(-1.0, 2.0), [-1.0, 2.0, 3.0]),
    (lambda c, t: c.simplex, [[0.5, 0.5], [0.5, 0.6], [-0.1, 1.1]]),
    (lambda c, t: c.multinomial(3), [[1.0, 2.0], [2.0, 2.0], [-1.0, 2.0]]),
    (lambda c, t: c.lower_triangular, [[[1.0, 0.0], [2.0, -1.0]], [[1.0, 1.0], [0.0, 1.0]]]),
    (lambda c, t: c.lower_cholesky, [[[1.0, 0.0], [2.0, -1.0]], [[1.0, 0.0], [0.5, 1.0]]]),
    (lambda c, t: c.corr_cholesky, [[[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [0.5, 0.5]]]),
    (lambda c, t: c.square, [[1.0, 2.0]]),
    (lambda c, t: c.symmetric, [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 2.0], [2.1, 1.0]]]),
    (lambda c, t: c.positive_semidefinite, [[[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]]),
    (lambda c, t: c.positive_definite, [[[1.0, 0.9], [0.9, 1.0]], [[1.0, 2.0], [2.0, 1.0]]]),
    (lambda c, t: c.independent(c.positive, 1), [[1.0, 2.0], [1.0, -2.0]]),
    (lambda c, t: c.cat([c.positive, c.boolean], -1, [1, 2]), [[1.0, 1.0, 0.5], [-1.0, 0.0, 1.0]]),
    (lambda c, t: c.stack([c.positive, c.boolean], -1), [[1.0, 1.0], [-1.0, 0.5]]),
    (lambda c, t: c.MixtureSameFamilyConstraint(c.greater_than(t([0.0, 1.0]))), [0.5, 1.5, -1.0]),
]  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("k", range(len(CONSTRAINTS)))
def test_constraints(k: int) -> None:
    torch = pytest.importorskip("torch")
    make, values = CONSTRAINTS[k]
    ours = make(constraints, _tensor)
    theirs = make(torch.distributions.constraints, lambda v: torch.tensor(v, dtype=torch.float64))
    found = ours.check(_tensor(values))
    wanted = theirs.check(torch.tensor(values, dtype=torch.float64))
    assert as_array(found).tolist() == wanted.tolist() and found.dtype is pellucid.bool
    assert type(ours).__name__ == type(theirs).__name__
    assert (ours.event_dim, ours.is_discrete) == (theirs.event_dim, theirs.is_discrete)
    if "tensor" not in repr(theirs):
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("registry", [biject_to, transform_to], ids=["biject_to", "transform_to"])
@pytest.mark.parametrize("k", range(5, len(CONSTRAINTS) - 1))
def test_registered_transforms_lead_into_the_set(registry: Any, k: int, rng: Any) -> None:
    constraint = CONSTRAINTS[k][0](constraints, _tensor)
    try:
        t = registry(constraint)
    except NotImplementedError:
        assert constraint.is_discrete or "ri" in type(constraint).__name__.lower() or (
            registry is biject_to) or constraint is constraints.square  # fmt: skip
        return
    shape = t.inverse_shape({0: (2,), 1: (4, 2), 2: (4, 3, 3)}[constraint.event_dim])
    y = t(_tensor(rng.standard_normal(shape)))
    assert as_array(constraint.check(y)).all()
    assert_close(t(t.inv(y)), y, 1e-8, 1e-8)


def test_a_registry_of_ones_own() -> None:
    registry = ConstraintRegistry()
    registry.register(constraints.positive, lambda _: transforms.SoftplusTransform())
    assert registry(constraints.greater_than(3.0)) == transforms.SoftplusTransform()

    @registry.register(constraints.simplex)
    def _simplex(_: Any) -> transforms.Transform:
        return transforms.SoftmaxTransform()

    assert isinstance(registry(constraints.simplex), transforms.SoftmaxTransform)
    with pytest.raises(NotImplementedError, match="Cannot transform _Boolean"):
        registry(constraints.boolean)
    with pytest.raises(TypeError, match="give a subclass of Constraint"):
        registry.register(int, None or (lambda _: transforms.ExpTransform()))


def test_dependent_constraints() -> None:
    assert constraints.is_dependent(distributions.Uniform.support)
    assert distributions.Uniform.support.event_dim == 0
    assert not constraints.is_dependent(distributions.Normal.support)
    with pytest.raises(ValueError):
        constraints.dependent.check(pellucid.zeros(2))
    with pytest.raises(NotImplementedError):
        constraints.dependent.is_discrete  # noqa: B018


def test_utilities() -> None:
    a, b = utils.broadcast_all(1, pellucid.zeros(2, dtype=pellucid.float64))
    assert a.dtype is b.dtype is pellucid.float64 and a.shape == b.shape == (2,)
    with pytest.raises(ValueError):
        utils.broadcast_all("one", 2.0)
    probs = pellucid.tensor([0.0, 0.25, 1.0])
    assert utils.probs_to_logits(probs, True).isfinite().all()
    assert_close(utils.logits_to_probs(utils.probs_to_logits(probs, True), True), probs, 1e-6, 2e-7)
    for diag in (-1, 0, 1):
        matrix = _tensor(np.arange(1.0, 17.0).reshape(4, 4))
        vector = utils.tril_matrix_to_vec(matrix, diag)
        assert_close(utils.vec_to_tril_matrix(vector, diag), np.tril(as_array(matrix), diag))
    with pytest.raises(ValueError):
        utils.vec_to_tril_matrix(pellucid.zeros(4))
