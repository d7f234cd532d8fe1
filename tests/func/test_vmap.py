"""vmap against loops over rows, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import func, nn
from pellucid.base.errors import ArgumentError, TraceError

RNG = np.random.default_rng(11)
X = RNG.standard_normal((4, 3))


def tensor(values: Any) -> Any:
    return pellucid.tensor(np.asarray(values))


def rows(function: Any, *arrays: np.ndarray) -> np.ndarray:
    """The definition: one row after the other."""
    found = [function(*(tensor(a[i]) for a in arrays)).numpy() for i in range(len(arrays[0]))]
    return np.stack(found)


BODIES: dict[str, Any] = {
    "reductions": lambda x: x.sum() * x.max() + x.std() + x.logsumexp(0) + x.norm(),
    "a loop": lambda x: pellucid.scan(lambda c, r: (c * r + r, c), x[0], x)[1],
    "branches": lambda x: pellucid.where(x > 0, x.exp(), x.sin()).cumsum(0),
    "places": lambda x: x[x.argsort()].flip(0),
    "writes": lambda x: pellucid.zeros(5, dtype=x.dtype).index_put((x.argsort(),), x),
    "scatter": lambda x: pellucid.zeros(4, dtype=x.dtype).scatter_add(0, x.argsort() + 1, x),
    "masks": lambda x: x.masked_fill(x > 0.1, 7.0).roll(1),
    "products": lambda x: pellucid.einsum("i,j->ij", x, x) @ x,
    "triangles": lambda x: pellucid.outer(x, x).tril().diagonal() + pellucid.outer(x, x).trace(),
    "top": lambda x: x.topk(2)[0].sum() - x.median(),
    "windows": lambda x: x.unfold(0, 2, 1).prod(1),
    "pooling": lambda x: nn.functional.max_pool1d(x.reshape(1, 3), 2, 1).sum(1),
    "interpolation": lambda x: nn.functional.interpolate(x.reshape(1, 1, 3), scale_factor=2)[0, 0],
    "embedding": lambda x: nn.functional.embedding(x.argsort(), tensor(X)).sum(0),
    "one hot": lambda x: nn.functional.one_hot(x.argsort(), 3) * x,
    "padding": lambda x: nn.functional.pad(x, (1, 2), value=0.5),
    "grad inside": lambda x: func.grad(lambda y: (y * y * x).sum())(x),
    "Python": lambda x: x * len(x.shape) + sum(i * v for i, v in enumerate(x)),
    "linear systems": lambda x: pellucid.linalg.solve(
        pellucid.outer(x, x) + 3 * pellucid.eye(3, dtype=x.dtype), x
    ),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", BODIES)
def test_rows_are_done_as_one_after_the_other(name: str, compiled: bool) -> None:
    body = BODIES[name]
    run = pellucid.vmap(body)
    run = pellucid.compile(run) if compiled else run
    assert_close(run(tensor(X)), rows(body, X), 1e-9, 1e-12)


def test_axes_of_arguments_and_results() -> None:
    x, y = RNG.standard_normal((2, 5, 3)), RNG.standard_normal((3, 2))
    run = pellucid.vmap(lambda a, b, s: (a.T @ b * s, b), in_dims=(-1, 0, None), out_dims=(1, -1))
    first, second = run(tensor(x), tensor(y), 2.0)
    expected = np.stack([x[:, :, i].T @ y[i] * 2 for i in range(3)], 1)
    assert_close(first, expected, 1e-12)
    assert_close(second, y.T)
    tree = pellucid.vmap(
        lambda d: {"s": d["a"][0] + d["b"]}, in_dims=({"a": (0, None), "b": 1},), out_dims={"s": 1}
    )({"a": (tensor(y), 3.0), "b": tensor(y.T)})
    assert_close(tree["s"], 2 * y.T)


def test_what_no_row_changes_is_shared() -> None:
    w = tensor(X)
    found = pellucid.vmap(lambda x: (x, w), out_dims=(0, None))(tensor(X))
    assert found[1] is not None and tuple(found[1].shape) == (4, 3)
    assert tuple(pellucid.vmap(lambda x: w)(tensor(X)).shape) == (4, 4, 3)


def test_nothing_is_done_for_no_rows() -> None:
    found = pellucid.vmap(lambda x: (x * x).sum())(pellucid.zeros(0, 3))
    assert tuple(found.shape) == (0,)


def test_mapped_arguments_are_changed_in_place() -> None:
    x = tensor(X)
    found = pellucid.vmap(lambda r: r.mul_(2).sum(), in_dims=1)(x)
    assert_close(x, 2 * X)
    assert_close(found, 2 * X.sum(0))
    with pytest.raises(RuntimeError, match="not possible"):
        total = tensor(np.zeros(3))
        pellucid.vmap(lambda r: total.add_(r))(x)
    count = tensor(0.0)
    pellucid.vmap(lambda r: r * count.add_(1.0))(x)
    assert float(count) == 1.0


REFUSED: list[tuple[Any, Any, str, type[Exception]]] = [
    (lambda x: x if x.sum() > 0 else -x, {}, "data-dependent control flow", RuntimeError),
    (lambda x: x * x[0].item(), {}, "item", RuntimeError),
    (lambda x: x + pellucid.randn(3), {}, "randomness error mode", RuntimeError),
    (lambda x: nn.functional.dropout(x), {}, "randomness", RuntimeError),
    (lambda x: 1.0, {}, "must only return Tensors, got type float", ValueError),
    (lambda x: (x, "text"), {}, "must only return Tensors, got type str", ValueError),
    (lambda x: x, {"out_dims": None}, "can not return a BatchedTensor", ValueError),
    (lambda x: (x, x), {"out_dims": (0,)}, "not compatible with the structure", ValueError),
    (lambda x: x, {"out_dims": 3}, "out_dims=3", ValueError),
    (lambda x: x, {"in_dims": 2}, "expected in_dim to satisfy", ValueError),
    (lambda x: x, {"in_dims": (0, 0)}, "not compatible with the structure", ValueError),
    (lambda x: x, {"in_dims": (None,)}, "at least one Tensor", ValueError),
    (lambda x: x, {"in_dims": "0"}, "expected `in_dims` to be int", ValueError),
    (lambda x: x, {"chunk_size": 0}, "chunk_size should be", ValueError),
    (lambda x: x, {"randomness": "some"}, "randomness", RuntimeError),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_cannot_be_is_refused(number: int) -> None:
    body, settings, text, kind = REFUSED[number]
    with pytest.raises(kind, match=text):
        pellucid.vmap(body, **settings)(tensor(X))


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="same size in the mapped dimension"):
        pellucid.vmap(lambda a, b: a)(tensor(X), tensor(X.T))
    with pytest.raises(ValueError, match="We cannot vmap over non-Tensor arguments"):
        pellucid.vmap(lambda a, b: a)(tensor(X), 2.0)
    with pytest.raises(ValueError, match="got no inputs"):
        pellucid.vmap(lambda: 1)()
    with pytest.raises(TraceError, match=r"vmap.*test_vmap\.py:\d+"):
        pellucid.vmap(lambda x: float(x.sum()))(tensor(X))


@pytest.mark.parametrize("compiled", [False, True])
def test_random_numbers_are_the_same_or_not(compiled: bool) -> None:
    def draw(randomness: str, **settings: Any) -> np.ndarray:
        run = pellucid.vmap(lambda x: x + pellucid.randn(3), randomness=randomness, **settings)
        run = pellucid.compile(run) if compiled else run
        pellucid.manual_seed(3)
        return np.asarray(run(pellucid.zeros(4, 3)).numpy())

    same = draw("same")
    assert (same == same[0]).all()
    assert (draw("same", chunk_size=3) == same).all()
    other = draw("different")
    assert len(np.unique(other)) == 12
    assert len(np.unique(draw("different", chunk_size=2))) == 12


def test_dropout_in_attention_is_drawn_for_each_row() -> None:
    q = tensor(RNG.standard_normal((3, 2, 5, 4)))

    def attend(x: Any) -> Any:
        return nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5)

    shared = q[:1].expand(3, 2, 5, 4)
    pellucid.manual_seed(1)
    same = pellucid.vmap(attend, randomness="same")(shared)
    assert_close(same[0], same[2])
    other = pellucid.vmap(attend, randomness="different")(shared)
    assert not np.allclose(other[0].numpy(), other[2].numpy())


def test_a_dropped_value_keeps_its_mean_for_each_row() -> None:
    run = pellucid.vmap(lambda x: nn.functional.dropout(x, 0.25), randomness="different")
    found = run(pellucid.ones(200, 50)).numpy()
    assert set(np.unique(found.round(4))) == {0.0, np.float32(1.3333)}
    assert abs(found.mean() - 1) < 0.03
    assert len({tuple(row) for row in found}) == 200


def test_functional_call_puts_the_model_back() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    own = {k: pellucid.ones_like(v) for k, v in model.named_parameters()}
    found = func.functional_call(model.eval(), own, (pellucid.tensor(X, dtype=pellucid.float32),))
    expected = (X.sum(1, keepdims=True) + 1).repeat(2, 1) / np.sqrt(1 + 1e-5) + 1
    assert_close(found, expected, 1e-5, 1e-5)
    for name, value in model.state_dict().items():
        assert_close(value, before[name])
    with pytest.raises(RuntimeError, match="unexpected key"):
        func.functional_call(model, {"other": own["0.weight"]}, (tensor(X),), strict=True)
    with pytest.raises(ValueError, match="multiple dictionaries"):
        func.functional_call(model, (own, own), (tensor(X),))


def test_a_compiled_step_with_other_parameters_stays_valid() -> None:
    model = nn.Linear(3, 2)
    run = pellucid.compile(lambda p, x: func.functional_call(model, p, (x,)))
    x = pellucid.ones(1, 3)
    for scale in (1.0, 2.0, 3.0):
        own = {"weight": pellucid.full((2, 3), scale), "bias": pellucid.zeros(2)}
        assert_close(run(own, x), np.full((1, 2), 3 * scale))
    assert len(next(iter(run._programs.values()))) == 1
    inner = pellucid.compile(model.forward)
    outer = nn.Sequential(model)
    plain = inner(x)
    outer[0].forward = inner
    own = {"0.weight": pellucid.zeros(2, 3), "0.bias": pellucid.ones(2)}
    assert_close(func.functional_call(outer, own, (x,)), np.ones((1, 2)))
    assert_close(inner(x), plain)


def test_tied_weights_are_one() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)
            self.b = nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Any) -> Any:
            return self.b(self.a(x))

    model, x = Tied(), pellucid.ones(1, 2)
    two = pellucid.full((2, 2), 2.0)
    assert_close(func.functional_call(model, {"a.weight": two}, (x,)), np.full((1, 2), 16.0))
    with pytest.raises(ValueError, match="tied"):
        func.functional_call(model, {"a.weight": two, "b.weight": two * 2}, (x,))
    free = func.functional_call(
        model, {"a.weight": two, "b.weight": two * 2}, (x,), tie_weights=False
    )
    assert_close(free, np.full((1, 2), 32.0))


def test_models_that_cannot_be_stacked() -> None:
    with pytest.raises(RuntimeError, match="at least one model"):
        func.stack_module_state([])
    with pytest.raises(RuntimeError, match="same class"):
        func.stack_module_state([nn.Linear(1, 1), nn.ReLU()])
    with pytest.raises(RuntimeError, match="training/eval"):
        func.stack_module_state([nn.Linear(1, 1), nn.Linear(1, 1).eval()])
    normed = func.replace_all_batch_norm_modules_(nn.Sequential(nn.BatchNorm1d(3)))
    assert normed[0].running_mean is None
    found = pellucid.vmap(normed)(pellucid.randn(5, 4, 3))
    assert abs(float(found.mean())) < 1e-6
    with pytest.raises(ArgumentError, match="remove"):
        func.functionalize(lambda x: x, remove="all")
    assert_close(func.functionalize(lambda x: x.add_(1))(tensor(X)), X + 1)


def test_second_derivatives_of_a_loop() -> None:
    lstm = nn.LSTM(3, 4, batch_first=True).double()
    x = tensor(RNG.standard_normal((2, 5, 3)))

    def loss(y: Any) -> Any:
        return (lstm(y)[0] ** 2).sum()

    forward = func.hessian(loss)(x)
    assert_close(forward, func.jacrev(func.grad(loss))(x), 1e-9, 1e-12)
    step = 1e-5
    slope = func.grad(loss)
    shift = pellucid.zeros_like(x)
    shift[1, 2, 0] = step
    expected = (slope(x + shift) - slope(x - shift)) / (2 * step)
    assert_close(forward[..., 1, 2, 0], expected, 1e-5, 1e-7)


def test_tensors_from_outside_have_values() -> None:
    chosen = pellucid.tensor([True, False, True])
    found = pellucid.vmap(lambda x: x[chosen] * chosen.sum().item())(tensor(X))
    assert_close(found, 2 * X[:, [0, 2]])
    total = tensor(np.zeros(3))

    def body(x: Any) -> Any:
        before = total * 1
        total.add_(1.0)
        return x + before + total

    assert_close(pellucid.vmap(body)(tensor(X)), X + 1)
    with pytest.raises(TraceError, match="not known"):
        pellucid.compile(pellucid.vmap(lambda x: x[chosen]))(tensor(X))
