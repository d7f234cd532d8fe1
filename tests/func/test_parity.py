"""Transformations of functions against ``torch.func``: one text, two libraries, eager and compiled.

A case is written once with the library and its ``func`` as arguments; it returns a function and
its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.func
from helpers import as_array, assert_close
from pellucid.nn import functional as pellucid_functional

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of PyTorch's own parts
    pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning"),
]

Case = tuple[Callable[..., Any], tuple[Any, ...]]
RNG = np.random.default_rng(7)
X = RNG.standard_normal((4, 3)).astype(np.float32)
W = RNG.standard_normal((3, 3)).astype(np.float32)
IMAGES = RNG.standard_normal((5, 2, 6, 6)).astype(np.float32)
SEQUENCES = RNG.standard_normal((3, 4, 8)).astype(np.float32)


def tensor(m: Any, array: np.ndarray) -> Any:
    return m.tensor(array.tolist())


def filled(m: Any, module: Any, seed: int = 1) -> Any:
    """The module with parameters that both libraries have."""
    rng = np.random.default_rng(seed)
    with m.no_grad():
        for parameter in module.parameters():
            values = 0.4 * rng.standard_normal(tuple(parameter.shape))
            parameter.copy_(m.tensor(values.astype(np.float32).tolist()))
    return module


def wave(m: Any) -> Callable[[Any], Any]:
    return lambda x: (x.sin() * x.cos()).sum() + (x * x).prod()


def layer(m: Any, w: Any) -> Callable[[Any], Any]:
    return lambda x: (x @ w).tanh()


def changed_in_place(x: Any) -> Any:
    y = x * 2
    y.mul_(x)
    y[0] = y[1] * 3
    y[:, 1].add_(x[:, 0])
    return (y * y).sum()


def row_changed_in_place(x: Any) -> Any:
    y = x * 2
    y.mul_(x)
    y[0] = y[1] * 3
    return (y * y).sum()


NESTED: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "grad": lambda m, F, x, w: F.grad(wave(m))(x),
    "grad of grad": lambda m, F, x, w: F.grad(lambda y: F.grad(wave(m))(y).sin().sum())(x),
    "vmap of grad": lambda m, F, x, w: F.vmap(F.grad(wave(m)))(x),
    "grad of vmap": lambda m, F, x, w: F.grad(lambda y: F.vmap(wave(m))(y).sum())(x),
    "vmap of vmap": lambda m, F, x, w: F.vmap(F.vmap(lambda a: a * a.exp()), 1, 1)(x),
    "jvp": lambda m, F, x, w: F.jvp(layer(m, w), (x,), (x * 2,)),
    "vjp": lambda m, F, x, w: F.vjp(layer(m, w), x)[1](x),
    "vmap of a vjp's function": lambda m, F, x, w: F.vmap(F.vjp(layer(m, w), x)[1])(
        m.stack([x, x * 2])
    ),
    "jvp of vmap": lambda m, F, x, w: F.jvp(F.vmap(wave(m)), (x,), (x,)),
    "vmap of jvp": lambda m, F, x, w: F.vmap(lambda y: F.jvp(wave(m), (y,), (y.cos(),)))(x),
    "jvp of grad": lambda m, F, x, w: F.jvp(F.grad(wave(m)), (x,), (x,)),
    "grad of jvp": lambda m, F, x, w: F.grad(lambda y: F.jvp(wave(m), (y,), (y * y,))[1])(x),
    "jvp of jvp": lambda m, F, x, w: F.jvp(
        lambda y: F.jvp(wave(m), (y,), (y,))[1], (x,), (x.sin(),)
    ),
    "jacrev": lambda m, F, x, w: F.jacrev(layer(m, w))(x),
    "jacrev in chunks": lambda m, F, x, w: F.jacrev(layer(m, w), chunk_size=5)(x),
    "jacfwd": lambda m, F, x, w: F.jacfwd(layer(m, w))(x),
    "jacrev of two": lambda m, F, x, w: F.jacrev(
        lambda a, b: {"s": a @ b, "p": (a.sum(),)}, argnums=(0, 1)
    )(x, w),
    "jacfwd of two": lambda m, F, x, w: F.jacfwd(
        lambda a, b: {"s": a @ b, "p": (a.sum(),)}, argnums=(1, 0)
    )(x, w),
    "hessian": lambda m, F, x, w: F.hessian(wave(m))(x),
    "hessian of two": lambda m, F, x, w: F.hessian(
        lambda a, b: (a @ b).sin().sum(), argnums=(0, 1)
    )(x, w),
    "jacrev of jacfwd": lambda m, F, x, w: F.jacrev(F.jacfwd(wave(m)))(x),
    "jacfwd of jacfwd": lambda m, F, x, w: F.jacfwd(F.jacfwd(wave(m)))(x),
    "vmap of hessian": lambda m, F, x, w: F.vmap(F.hessian(wave(m)))(x),
    "vmap of jacrev of vmap": lambda m, F, x, w: F.vmap(
        F.jacrev(lambda r: F.vmap(lambda a: a**3)(r).sum() * r)
    )(x),
    "trees": lambda m, F, x, w: F.grad(
        lambda p, y: (p["a"][0] * y).sum() + p["b"].sum(), argnums=(0, 1)
    )({"a": (x,), "b": w}, x),
    "aux": lambda m, F, x, w: F.grad_and_value(
        lambda y: ((y * y).sum(), {"half": y / 2}), has_aux=True
    )(x),
    "jvp with aux": lambda m, F, x, w: F.jvp(lambda y: (y * y, y.sin()), (x,), (x,), has_aux=True),
    "unused": lambda m, F, x, w: F.grad(lambda a, b: a.sum(), argnums=(0, 1))(x, w),
    "unused output": lambda m, F, x, w: F.jvp(lambda a: (a * 2, w), (x,), (x,)),
    "confusion": lambda m, F, x, w: F.grad(
        lambda a: (a * F.grad(lambda b: (a * b).sum())(a)).sum()
    )(x),
    "confusion forward": lambda m, F, x, w: F.jvp(
        lambda a: a * F.jvp(lambda b: a * b, (w,), (w.sin(),))[1], (w,), (w,)
    )[1],
    "in place": lambda m, F, x, w: F.grad(changed_in_place)(x),
    "in place, forward": lambda m, F, x, w: F.jvp(changed_in_place, (x,), (x,)),
    "in place, hessian": lambda m, F, x, w: F.hessian(changed_in_place)(x),
    "in place, vmap": lambda m, F, x, w: F.vmap(F.grad(row_changed_in_place))(x),
    "in place, jvp of vmap": lambda m, F, x, w: F.jvp(
        F.vmap(F.grad(row_changed_in_place)), (x,), (x,)
    ),
    "inner no_grad": lambda m, F, x, w: F.grad(lambda y: (detached(m, y) * y).sum())(x),
    "inner detach under vmap": lambda m, F, x, w: F.vmap(F.grad(lambda y: (y.detach() * y).sum()))(
        x
    ),
    "sorting": lambda m, F, x, w: F.vmap(F.grad(lambda y: (y.sort()[0] * w[0]).sum()))(x),
    "indexing": lambda m, F, x, w: F.vmap(lambda y, i: y[i] * w[i], (0, 0))(
        x, m.tensor([2, 0, 1, 1])
    ),
    "gather": lambda m, F, x, w: F.vmap(lambda y: y.gather(0, y.argsort()))(x),
    "where": lambda m, F, x, w: F.vmap(lambda y: m.where(y > 0, y, w))(x),
    "einsum": lambda m, F, x, w: F.vmap(lambda y: m.einsum("i,ij,j->", y, w, y))(x),
    "in_dims": lambda m, F, x, w: F.vmap(
        lambda d, y: d["a"] @ y, in_dims=({"a": 1}, None), out_dims=0
    )({"a": x}, tensor(m, X[:, 0])),
    "out_dims": lambda m, F, x, w: F.vmap(lambda y: (y, {"b": m.outer(y, y)}), out_dims=(1, -1))(x),
    "chunks": lambda m, F, x, w: F.vmap(lambda y: m.outer(y, y), out_dims=1, chunk_size=3)(x),
    "cumulative": lambda m, F, x, w: F.jvp(
        lambda y: y.cumsum(1) * y.cumprod(1) + y.logcumsumexp(0), (x,), (x,)
    ),
    "extremes": lambda m, F, x, w: F.jvp(lambda y: (y.amax(1), y.amin(0)), (x,), (x,)),
    "softmax": lambda m, F, x, w: F.hessian(lambda y: (y.softmax(1) * x).sum())(x),
}


def detached(m: Any, x: Any) -> Any:
    with m.no_grad():
        return x * 2


def flat(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in flat(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in flat(part)]
    return [tree]


def check(case: Callable[[Any, Any], Case], rtol: float = 2e-4, atol: float = 2e-5) -> None:
    """Values, and whether they have a history, are PyTorch's; compiled values are the same."""
    run, args = case(torch, torch.func)
    expected = flat(run(*args))
    run, args = case(pellucid, pellucid.func)
    found = flat(run(*args))
    compiled = flat(pellucid.compile(run)(*args))
    assert len(found) == len(compiled) == len(expected)
    for position, (a, b, c) in enumerate(zip(found, compiled, expected, strict=True)):
        assert_close(a, as_array(c), rtol, atol, what=f"result {position}")
        assert_close(b, as_array(c), rtol, atol, what=f"compiled result {position}")
        assert bool(a.requires_grad) == bool(c.requires_grad), f"history of result {position}"


@pytest.mark.parametrize("name", NESTED)
def test_transformations_nest(name: str) -> None:
    body = NESTED[name]
    check(lambda m, F: (lambda x, w: body(m, F, x, w), (tensor(m, X), tensor(m, W))))


@pytest.mark.parametrize("name", ["vmap of grad", "jvp", "jacrev", "grad of vmap", "in place"])
def test_results_have_the_history_of_what_is_outside(name: str) -> None:
    body = NESTED[name]

    def case(m: Any, F: Any) -> Case:
        x, w = tensor(m, X).requires_grad_(), tensor(m, W).requires_grad_()

        def run(x: Any, w: Any) -> Any:
            total = sum((leaf * leaf).sum() for leaf in flat(body(m, F, x, w)))
            return m.autograd.grad(total, (x, w), allow_unused=True)[0]

        return run, (x, w)

    check(case)


def functional(m: Any) -> Any:
    return pellucid_functional if m is pellucid else torch.nn.functional


def convolutional(m: Any) -> Any:
    nn = m.nn
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 2, groups=2),
        nn.GELU(),
        nn.Flatten(),
        nn.LayerNorm(24),
        nn.Dropout(0.5),
        nn.Linear(24, 3),
    )
    return filled(m, net.eval())


def test_gradients_of_each_example() -> None:
    def case(m: Any, F: Any) -> Case:
        net = convolutional(m)
        parameters = {k: p.detach() for k, p in net.named_parameters()}
        buffers = dict(net.named_buffers())

        def loss(p: Any, x: Any, y: Any) -> Any:
            out = F.functional_call(net, (p, buffers), (x.unsqueeze(0),))
            return functional(m).cross_entropy(out, y.unsqueeze(0))

        def run(p: Any, x: Any, y: Any) -> Any:
            return F.vmap(F.grad(loss), in_dims=(None, 0, 0))(p, x, y)

        return run, (parameters, tensor(m, IMAGES), m.tensor([0, 2, 1, 1, 0]))

    check(case)


@pytest.mark.parametrize("shared", [True, False])
def test_an_ensemble_is_one_computation(shared: bool) -> None:
    def case(m: Any, F: Any) -> Case:
        nets = [filled(m, convolutional(m), seed) for seed in range(3)]
        parameters, buffers = F.stack_module_state(nets)
        images = tensor(m, IMAGES)
        data = images if shared else m.stack([images, images * 2, images + 1])

        def one(p: Any, b: Any, x: Any) -> Any:
            return F.functional_call(nets[0], (p, b), (x,))

        def run(p: Any, b: Any, x: Any) -> Any:
            out = F.vmap(one, in_dims=(0, 0, None if shared else 0))(p, b, x)
            return out.detach(), m.autograd.grad((out * out).sum(), list(p.values()))

        return run, (parameters, buffers, data)

    check(case, 1e-3, 1e-3)


def test_learning_to_learn() -> None:
    """MAML (Finn et al., 2017): gradients through two steps of gradient descent, over tasks."""

    def case(m: Any, F: Any) -> Case:
        nn = m.nn
        net = filled(m, nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)))
        parameters = dict(net.named_parameters())
        xs = tensor(m, np.random.default_rng(5).standard_normal((4, 6, 3)).astype(np.float32))

        def loss(p: Any, x: Any, y: Any) -> Any:
            return ((F.functional_call(net, p, (x,)) - y) ** 2).mean()

        def task(x: Any, y: Any, p: Any) -> Any:
            for _ in range(2):
                slopes = F.grad(loss)(p, x, y)
                p = {name: p[name] - 0.1 * slopes[name] for name in p}
            return loss(p, x, y)

        def run(xs: Any) -> Any:
            ys = xs.sum(-1, keepdim=True).sin()
            total = F.vmap(task, in_dims=(0, 0, None))(xs, ys, parameters).mean()
            return total.detach(), m.autograd.grad(total, list(parameters.values()))

        return run, (xs,)

    check(case)


def test_a_transformer_and_a_recurrent_network() -> None:
    def case(m: Any, F: Any) -> Case:
        nn = m.nn
        attention = filled(m, nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True))
        recurrent = filled(m, nn.LSTM(8, 5, batch_first=True))
        first = {k: p.detach() for k, p in attention.named_parameters()}
        second = {k: p.detach() for k, p in recurrent.named_parameters()}

        def one(p: Any, x: Any) -> Any:
            return (F.functional_call(attention, p, (x.unsqueeze(0),)) ** 2).mean()

        def other(p: Any, x: Any) -> Any:
            return (F.functional_call(recurrent, p, (x.unsqueeze(0),))[0] ** 2).mean()

        def run(x: Any) -> Any:
            return F.vmap(F.grad(one), (None, 0))(first, x), F.vmap(F.grad(other), (None, 0))(
                second, x
            )

        return run, (tensor(m, SEQUENCES),)

    check(case)


def test_statistics_of_a_batch_in_each_model() -> None:
    """Running statistics that differ from row to row are changed where they came from."""

    def case(m: Any, F: Any) -> Case:
        nets = [m.nn.BatchNorm1d(3) for _ in range(2)]
        parameters, buffers = F.stack_module_state(nets)

        def run(x: Any) -> Any:
            own = {k: b.clone() for k, b in buffers.items()}
            out = F.vmap(lambda p, b, y: F.functional_call(nets[0], (p, b), (y,)))(
                parameters, own, x
            )
            return out, own["running_mean"], own["running_var"]

        return run, (m.stack([tensor(m, X), tensor(m, X) * 3]),)

    check(case)


@pytest.mark.parametrize(
    ("pattern", "lengths"),
    [
        ("a b c -> c a b", {}),
        ("a b c -> (a b) c", {}),
        ("a b (c d) -> a d b c", {"c": 2}),
        ("a ... -> ... a", {}),
        ("... (c d) -> d ... c", {"d": 3}),
        ("a b c -> a 1 (c b)", {}),
        ("a b c -> a b () c", {}),
        ("a (b e) c -> (a c) (e b)", {"b": 3, "e": 1}),
    ],
)
def test_axes_are_rearranged(pattern: str, lengths: dict[str, int]) -> None:
    x = np.arange(2 * 3 * 6.0).reshape(2, 3, 6)
    found = pellucid.func.rearrange(pellucid.tensor(x), pattern, **lengths)
    assert_close(found, torch.func.rearrange(torch.tensor(x), pattern, **lengths))
    several = pellucid.func.rearrange([pellucid.tensor(part) for part in x], pattern, **lengths)
    assert_close(several, found)


@pytest.mark.parametrize(
    ("pattern", "lengths"),
    [
        ("a b -> b a", {}),
        ("a b c", {}),
        ("a b c -> a b", {}),
        ("a b (c d) -> a b c d", {}),
        ("a b (c d) -> a b c d", {"c": 4}),
        ("a (b c -> a b c", {}),
        ("a b c -> a b c", {"d": 1}),
        ("a b ? -> a b ?", {}),
    ],
)
def test_patterns_that_make_no_sense(pattern: str, lengths: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="rearrange|axis|axes|parentheses|extents"):
        pellucid.func.rearrange(pellucid.zeros(2, 3, 6), pattern, **lengths)
