"""``pellucid.autograd``: functional derivatives, dual tensors, anomalies, hooks on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_close
from pellucid import nn
from pellucid.autograd import forward_ad, functional, graph

X, Y = np.random.default_rng(5).standard_normal((2, 3))


def tensor(values: Any, requires_grad: bool = False) -> Any:
    return pellucid.tensor(np.asarray(values), requires_grad=requires_grad)


# ---- functional, against PyTorch --------------------------------------------------------------

MODES: list[dict[str, Any]] = [{}, {"vectorize": True}, {"create_graph": True}]
CALLS: dict[str, Any] = {
    "jacobian": lambda F, x, y, **how: F.jacobian(lambda a: a * a.sum(), x, **how),
    "jacobian of two": lambda F, x, y, **how: F.jacobian(
        lambda a, b: (a * b, b.sum()), (x, y), **how
    ),
    "jacobian in a tuple": lambda F, x, y, **how: F.jacobian(lambda a: (a * 2,), (x,), **how),
    "hessian": lambda F, x, y, **how: F.hessian(lambda a: (a**3).sum(), x, **how),
    "hessian of two": lambda F, x, y, **how: F.hessian(
        lambda a, b: (a * a).sum() * b.sum() + b[0], (x, y), **how
    ),
}
PRODUCTS: dict[str, Any] = {
    "vjp": lambda F, x, y, **how: F.vjp(lambda a: a * a.sum(), x, y, **how),
    "vjp of two": lambda F, x, y, **how: F.vjp(lambda a, b: (a * 2).sum(), (x, y), **how),
    "jvp": lambda F, x, y, **how: F.jvp(lambda a: a * a.sum(), x, y, **how),
    "jvp of two": lambda F, x, y, **how: F.jvp(
        lambda a, b: (a * b, b.sum()), (x, y), (y, x), **how
    ),
    "vhp": lambda F, x, y, **how: F.vhp(lambda a: (a**3).sum(), x, y, **how),
    "hvp": lambda F, x, y, **how: F.hvp(lambda a: (a**3).sum() * a[0], x, y, **how),
    "hvp of two": lambda F, x, y, **how: F.hvp(
        lambda a, b: (a**3).sum() * b.sum(), (x, y), (y, x), **how
    ),
}


def flat(tree: Any) -> list[Any]:
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in flat(part)]
    return [tree]


def same(ours: Any, theirs: Any) -> None:
    assert isinstance(ours, tuple) == isinstance(theirs, tuple)
    if isinstance(ours, tuple):
        assert len(ours) == len(theirs)
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert_close(a, as_array(b), 1e-9, 1e-12)
        assert bool(a.requires_grad) == bool(b.requires_grad)


@pytest.mark.parity
@pytest.mark.parametrize("how", MODES, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_jacobians_and_hessians_are_nested_as_in_pytorch(name: str, how: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    call = CALLS[name]
    graph_wanted = bool(how)
    given = tensor(X, graph_wanted), tensor(Y, graph_wanted)
    others = [torch.tensor(v, requires_grad=graph_wanted) for v in (X, Y)]
    same(call(functional, *given, **how), call(torch.autograd.functional, *others, **how))


@pytest.mark.parity
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_those_of_pytorch(name: str, create_graph: bool) -> None:
    torch = pytest.importorskip("torch")
    call, how = PRODUCTS[name], {"create_graph": create_graph}
    given = tensor(X, create_graph), tensor(Y)
    others = torch.tensor(X, requires_grad=create_graph), torch.tensor(Y)
    ours, theirs = call(functional, *given, **how), call(torch.autograd.functional, *others, **how)
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert_close(a, as_array(b), 1e-9, 1e-12)
    if create_graph and name != "vjp of two":  # whose product is constant
        found = pellucid.autograd.grad(flat(ours)[1].sum(), given[0], allow_unused=True)[0]
        wanted = torch.autograd.grad(flat(theirs)[1].sum(), others[0], allow_unused=True)[0]
        if wanted is not None and found is not None:
            assert_close(found, as_array(wanted), 1e-9, 1e-12)


def test_forward_mode_gives_the_same_jacobian() -> None:
    def f(a: Any, b: Any) -> Any:
        return (a * b).sin(), a.sum() * b

    plain = functional.jacobian(f, (tensor(X), tensor(Y)))
    how = {"vectorize": True, "strategy": "forward-mode"}
    for a, b in zip(
        flat(plain), flat(functional.jacobian(f, (tensor(X), tensor(Y)), **how)), strict=True
    ):
        assert_close(a, b, 1e-12)
    second = functional.hessian(
        lambda a: (a**3).sum(),
        tensor(X),
        vectorize=True,
        outer_jacobian_strategy="forward-mode",
    )
    assert_close(second, np.diag(6 * X), 1e-12)


@pytest.mark.parametrize(
    ("call", "text", "kind"),
    [
        (lambda x: functional.jacobian(lambda a: a, [x]), "must be either a Tensor", TypeError),
        (lambda x: functional.jacobian(lambda a: 3.0, x), "outputs of the user", TypeError),
        (
            lambda x: functional.jacobian(lambda a, b: a * 2, (x, x.clone()), strict=True),
            "Output 0 .* independent of input 1",
            RuntimeError,
        ),
        (
            lambda x: functional.jacobian(lambda a: x * 2, x, strict=True),
            "Output 0 .* does not require gradients",
            RuntimeError,
        ),
        (
            lambda x: functional.jacobian(lambda a: a, x, strategy="forward-mode"),
            "only implemented for `vectorize=True`",
            NotImplementedError,
        ),
        (
            lambda x: functional.jacobian(lambda a: a, x, strict=True, vectorize=True),
            "not supported together",
            RuntimeError,
        ),
        (lambda x: functional.hessian(lambda a: a, x), "single element", RuntimeError),
        (
            lambda x: functional.hessian(lambda a: a.sum(), x, strict=True),
            "twice differentiable",
            RuntimeError,
        ),
        (lambda x: functional.vjp(lambda a: a, x), "can only be None", RuntimeError),
        (lambda x: functional.vjp(lambda a: a, x, x[:2]), "invalid size", RuntimeError),
        (lambda x: functional.jvp(lambda a: a, x, (x, x)), "single Tensor", RuntimeError),
        (
            lambda x: functional.vjp(lambda a, b: a.sum(), (x, x.clone()), strict=True),
            "independent of input 1",
            RuntimeError,
        ),
    ],
)
def test_what_has_no_derivative_is_said(call: Any, text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=text):
        call(tensor(X))


def test_gradients_in_rows() -> None:
    x = tensor(X, True)
    y = x * x.sum()
    expected = np.outer(np.ones(3), X) + X.sum() * np.eye(3)
    (found,) = pellucid.autograd.grad(
        y, x, pellucid.eye(3, dtype=x.dtype), is_grads_batched=True, retain_graph=True
    )
    assert_close(found, expected.T, 1e-12)
    assert not found.requires_grad
    z = tensor(Y, True)
    found = pellucid.autograd.grad(
        y,
        (x, z),
        pellucid.eye(3, dtype=x.dtype),
        is_grads_batched=True,
        allow_unused=True,
        retain_graph=True,
    )
    assert found[1] is None
    with pytest.raises(RuntimeError, match="first dimension of each grad_output"):
        pellucid.autograd.grad(y, x, pellucid.ones(2, 2), is_grads_batched=True)
    with pytest.raises(RuntimeError, match="implicitly created only for scalar"):
        pellucid.autograd.grad(y, x, is_grads_batched=True)


# ---- dual tensors -----------------------------------------------------------------------------


def test_a_dual_tensor_carries_its_tangent() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4))
    x, t = pellucid.randn(5, 3), pellucid.randn(5, 3)
    expected = pellucid.func.jvp(model, (x,), (t,))
    with forward_ad.dual_level():
        value, tangent = forward_ad.unpack_dual(model(forward_ad.make_dual(x, t)))
        assert forward_ad.unpack_dual(x).tangent is None
    assert_close(value, expected[0])
    assert_close(tangent, expected[1])


def test_dual_tensors_have_a_level() -> None:
    x = tensor(X)
    with pytest.raises(RuntimeError, match="no level exists"):
        forward_ad.make_dual(x, x)
    with forward_ad.dual_level():
        with pytest.raises(RuntimeError, match="Nested"):
            forward_ad.enter_dual_level()
        with pytest.raises(RuntimeError, match="different size"):
            forward_ad.make_dual(x, x[:2])
        with pytest.raises(ValueError, match="floating point"):
            forward_ad.make_dual(x.long(), x)
        y = forward_ad.make_dual(x, x) * 2
    assert forward_ad.unpack_dual(y).tangent is None
    with pytest.raises(RuntimeError, match="positive"):
        forward_ad.exit_dual_level()


def test_a_tangent_has_a_gradient() -> None:
    x = tensor(X, True)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(forward_ad.make_dual(x, tensor(Y)) ** 3).tangent
    tangent.sum().backward()
    assert_close(x.grad, 6 * X * Y, 1e-12)


# ---- anomalies --------------------------------------------------------------------------------


class Root(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.sqrt() * 0.0


@pytest.mark.parametrize("compiled", [False, True])
def test_the_birth_of_a_nan_in_backward_is_named(compiled: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Identity(), Root())
    with pellucid.no_grad():
        model[0].weight.zero_()
        model[0].bias.zero_()
    run = pellucid.compile(model) if compiled else model
    x = pellucid.ones(2, 3)
    run(x).sum().backward()  # without the search: NaN and no word
    assert np.isnan(model[0].bias.grad.numpy()).all()
    line = r"SqrtBackward0' returned nan values in its 0th output.*layer '2'.*package\.py:\d+"
    with pellucid.autograd.detect_anomaly(), pytest.raises(RuntimeError, match=line):
        run(x).sum().backward()
    with pellucid.autograd.detect_anomaly(check_nan=False):
        assert pellucid.is_anomaly_enabled() and not pellucid.is_anomaly_check_nan_enabled()
        run(x).sum().backward()
    assert not pellucid.is_anomaly_enabled()
    with pellucid.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError, match="nan"):
        run(x).sum().backward()
    run(x).sum().backward()


def test_what_nobody_asks_for_may_be_nan() -> None:
    x = tensor([4.0], True)
    with pellucid.autograd.detect_anomaly():
        (x / tensor([1.0])).sum().backward()
        ((x * 0) * tensor([np.inf])).detach()
    assert_close(x.grad, [1.0])


# ---- the tape ---------------------------------------------------------------------------------


def test_values_on_the_tape_go_through_the_hooks() -> None:
    packed: list[Any] = []

    def pack(value: Any) -> Any:
        packed.append(value.numpy().copy())
        return len(packed) - 1

    def unpack(number: int) -> Any:
        return pellucid.from_numpy(packed[number])

    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(8, 3))
    x, y = pellucid.randn(3, 1, 4, 4), pellucid.tensor([0, 2, 1])

    def loss() -> Any:
        return nn.functional.cross_entropy(model(x), y)

    loss().backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    with graph.saved_tensors_hooks(pack, unpack):
        value = loss()
    count = len(packed)
    assert count > 5
    value.backward()
    assert len(packed) == count
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        assert_close(parameter.grad, gradient, 1e-4, 1e-6)


def test_what_is_unpacked_is_what_counts() -> None:
    x = tensor(X, True)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t * 10):
        y = x.exp().sum()
    y.backward()
    assert_close(x.grad, 10 * np.exp(X), 1e-12)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: "text"):
        y = x.exp().sum()
    with pytest.raises(TypeError, match="unpack_hook"):
        y.backward()
    with graph.save_on_cpu(pin_memory=True):
        (slope,) = pellucid.autograd.grad((x**3).sum(), x, create_graph=True)
    assert_close(pellucid.autograd.grad(slope.sum(), x)[0], 6 * X, 1e-12)
    off = graph.disable_saved_tensors_hooks("not here")
    with off, pytest.raises(RuntimeError, match="not here"):
        graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()


def test_nodes_name_what_made_them() -> None:
    x, w = tensor(X, True), tensor(Y)
    y = (x.exp() * w).sum()
    node = y.grad_fn
    assert isinstance(node, graph.Node) and node.name() == "SumBackward0"
    ((product, place),) = node.next_functions
    assert product.name() == "MulBackward0" and place == 0
    first, second = product.next_functions
    assert first[0].name() == "ExpBackward0" and second == (None, 0)
    ((leaf, _),) = first[0].next_functions
    assert leaf.name() == "AccumulateGrad" and leaf.variable is x and leaf.next_functions == ()


def test_a_dual_number_has_one_dtype() -> None:
    primal = pellucid.tensor([1.0, 2.0], dtype=pellucid.float64)
    with forward_ad.dual_level():
        made = forward_ad.make_dual(primal, pellucid.tensor([3.0, 4.0]))
        found = forward_ad.unpack_dual(made * made).tangent
    assert found.dtype is pellucid.float64
    assert_close(found, np.array([6.0, 16.0]))
