"""``compile(model)`` with loss and backward outside: the same gradients as without ``compile``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, AutogradError, TraceError
from pellucid.tensor.compile import CompiledFunction


def programs(function: CompiledFunction) -> int:
    return sum(len(known) for known in function._programs.values())


def numbers(*shape: int, seed: int = 0) -> Any:
    values = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return pl.tensor(values.astype(np.float32))


class First(nn.Module):
    """A recurrent layer's outputs alone."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]


def with_dropout() -> nn.Module:
    # No bias before a normalization: its gradient is 0, and what is computed for it rounding.
    return nn.Sequential(
        nn.Linear(4, 8, bias=False),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(8, 3),
        nn.Softmax(1),
    )


MODELS: list[tuple[Callable[[], nn.Module], tuple[int, ...]]] = [
    (with_dropout, (6, 4)),
    (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1, bias=False),
            nn.BatchNorm2d(3),
            nn.GELU(),
            nn.MaxPool2d(2),
        ),
        (2, 2, 6, 6),
    ),
    (lambda: First(nn.LSTM(4, 5, batch_first=True)), (2, 6, 4)),
    (lambda: nn.Embedding(7, 4), (3, 5)),
]


def trained(
    make: Callable[[], nn.Module], shape: tuple[int, ...], wrap: Callable[[nn.Module], Any]
) -> list[Any]:
    """Losses, gradients of parameters and of inputs, and buffers, of three passes."""
    pl.manual_seed(5)
    model = make()
    before = nn.Linear(shape[-1], shape[-1])
    function = wrap(model)
    found: list[Any] = []
    for turn in range(3):
        x = numbers(*shape, seed=turn)
        if isinstance(model, nn.Embedding):
            y = function((x.abs() * 2).long().clamp(0, 6))
            loss = (y * y).sum()
        else:
            x.requires_grad_()
            # Two calls before one backward, one with a history before it.
            loss = (function(before(x)) ** 2).sum() + (function(x) ** 3).mean()
        loss.backward()
        found += [loss.detach(), x.grad]
    found += [p.grad for p in (*model.parameters(), *before.parameters())]
    return [None if t is None else t.numpy().copy() for t in (*found, *model.buffers())]


@pytest.mark.parametrize(("make", "shape"), MODELS)
def test_gradients_are_those_of_eager(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    expected = trained(make, shape, lambda model: model)
    found = trained(make, shape, pl.compile)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert_close(one, other, 2e-4, 2e-5)


def test_a_training_loop_around_a_compiled_model() -> None:
    weights = []
    for compiled in (False, True):
        pl.manual_seed(0)
        model = with_dropout()
        function = pl.compile(model) if compiled else model
        optimizer = pl.optim.SGD(model.parameters(), lr=0.1)
        target = pl.tensor([0, 1, 2, 0, 1, 2])
        for turn in range(6):
            function.train(turn % 3 != 2)
            loss = nn.functional.nll_loss((function(numbers(6, 4, seed=turn)) + 1e-6).log(), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        weights.append([t.detach().numpy().copy() for t in model.state_dict().values()])
        if compiled:
            assert programs(function) == 2  # training and evaluation
    for one, other in zip(*weights, strict=True):
        assert_close(one, other, 1e-3, 1e-4)


def test_against_pytorch_s_numbers_by_hand() -> None:
    layer = nn.Linear(2, 1)
    with pl.no_grad():
        layer.weight.copy_(pl.tensor([[2.0, -1.0]]))
        layer.bias.copy_(pl.tensor([0.5]))
    x = pl.tensor([[1.0, 3.0]], requires_grad=True)
    y = pl.compile(layer)(x)
    assert y.requires_grad and y.item() == -0.5
    (y * y).sum().backward()  # d/dW = 2 y x, d/db = 2 y, d/dx = 2 y W
    assert layer.weight.grad.tolist() == [[-1.0, -3.0]]
    assert layer.bias.grad.tolist() == [-1.0] and x.grad.tolist() == [[-2.0, 1.0]]


def structured(batch: dict[str, Any]) -> dict[str, Any]:
    x = batch["x"]
    return {"twice": x * 2, "parts": (x.exp(), x.detach() + 1, 3), "same": x}


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_results_in_dictionaries_and_tuples(backend: str) -> None:
    compiled = pl.compile(structured, backend=backend)
    for used in (("twice",), ("parts",), ("same", "twice"), ("twice", "parts", "same")):
        gradients = []
        for function in (structured, compiled):
            x = numbers(4).requires_grad_()
            found = function({"x": x})
            assert not found["parts"][1].requires_grad and found["parts"][2] == 3
            terms = [found[k][0] if k == "parts" else found[k] for k in used]
            sum((t * t).sum() for t in terms).backward()
            gradients.append(x.grad)
        assert_close(gradients[1], gradients[0], 1e-5, 1e-6)
    assert programs(compiled) == 1


def test_a_result_without_a_cotangent_adds_nothing() -> None:
    compiled = pl.compile(lambda x: (x.sqrt(), x * 3))  # the root's slope at 0 is infinite
    x = pl.zeros(2, requires_grad=True)
    compiled(x)[1].sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_backward_twice_and_retain_graph() -> None:
    x = numbers(3).requires_grad_()
    y = pl.compile(lambda x: (x**3).sum())(x)
    y.backward(retain_graph=True)
    y.backward()
    assert_close(x.grad, 2 * 3 * x.detach().numpy() ** 2, 1e-5)


def test_grad_and_hooks_outside_and_inside() -> None:
    w = numbers(3).requires_grad_()

    def function(x: Any) -> Any:
        h = x * w
        h.register_hook(lambda g: g * 10)
        return h.tanh()

    compiled = pl.compile(function)
    x = numbers(3, seed=1).requires_grad_()
    x.register_hook(lambda g: g + 1)
    for out in (function(x), compiled(x)):
        found = pl.autograd.grad(out.sum(), [x, w])
        slope = 10 * (1 - np.tanh(x.detach().numpy() * w.detach().numpy()) ** 2)
        assert_close(found[0], slope * w.detach().numpy() + 1, 1e-4, 1e-5)
        assert_close(found[1], slope * x.detach().numpy(), 1e-4, 1e-5)


def test_captured_tensors_with_a_history() -> None:
    w = numbers(3).requires_grad_()
    h = w * 2
    pl.compile(lambda x: (x * h).sum())(pl.ones(3)).backward()
    assert w.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_new_leaf_at_each_call_needs_no_new_program() -> None:
    compiled = pl.compile(lambda x: (x * x).sum())
    for seed in range(4):
        x = numbers(3, seed=seed).requires_grad_()
        compiled(x).backward()
        assert_close(x.grad, 2 * x.detach().numpy(), 1e-6)
    assert programs(compiled) == 1


def test_without_gradients_nothing_is_stored() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    compiled = pl.compile(model)
    with pl.no_grad():
        assert not compiled(numbers(3, 4)).requires_grad
    assert compiled._recent is not None and compiled._recent.outer is None
    plain = pl.compile(model.requires_grad_(False))
    assert not plain(numbers(3, 4)).requires_grad
    assert plain._recent is not None and plain._recent.outer is None
    assert plain._recent.single is not None


def test_freezing_parts_between_calls() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    compiled = pl.compile(model)
    x = numbers(2, 3)
    compiled(x).sum().backward()
    model.zero_grad()
    model[0].requires_grad_(False)
    compiled(x).sum().backward()
    assert model[0].weight.grad is None
    assert_close(model[1].bias.grad, [2.0])


def test_a_value_that_was_changed_before_backward_is_noticed() -> None:
    layer = nn.Linear(2, 1)
    y = pl.compile(layer)(pl.ones(1, 2, requires_grad=True))
    with pl.no_grad():
        layer.weight.mul_(2)
    with pytest.raises(AutogradError, match="needs for its gradient was modified in place"):
        y.sum().backward()


def test_running_statistics_do_not_disturb_the_backward_of_an_earlier_call() -> None:
    layer = nn.BatchNorm1d(2)
    x = [numbers(5, 2, seed=i).requires_grad_() for i in range(2)]
    compiled = pl.compile(layer)
    outs = [compiled(part) for part in x]
    for out in outs:
        (out**3).sum().backward()
    expected = [numbers(5, 2, seed=i).requires_grad_() for i in range(2)]
    again = nn.BatchNorm1d(2)
    for part in expected:
        (again(part) ** 3).sum().backward()
    for one, other in zip(x, expected, strict=True):
        assert_close(one.grad, other.grad, 1e-3, 1e-4)
    assert_close(layer.running_var, again.running_var, 1e-5)
    assert layer.num_batches_tracked.item() == 2


def test_second_derivatives_are_refused_outside_and_work_inside() -> None:
    x = numbers(3).requires_grad_()
    y = pl.compile(lambda x: (x**3).sum())(x)
    with pytest.raises(AutogradError, match="second derivative through a compiled function"):
        pl.autograd.grad(y, x, create_graph=True)

    def curvature(x: Any) -> Any:
        (slope,) = pl.autograd.grad((x**3).sum(), x, create_graph=True)
        return slope

    slope = pl.compile(curvature)(x)
    (second,) = pl.autograd.grad(slope.sum(), x)
    assert_close(second, 6 * x.detach().numpy(), 1e-5)


def test_backward_inside_reaches_no_history_outside() -> None:
    h = pl.ones(2, requires_grad=True) * 2

    def step(h: Any) -> Any:
        loss = (h * h).sum()
        loss.backward()
        return loss

    with pytest.raises(AutogradError, match="reached an argument of shape .* has a history"):
        pl.compile(step)(h)


def test_observed_gradients_do_not_stand_in_the_way() -> None:
    model = nn.Linear(3, 2)
    x = numbers(4, 3)
    with model.observe(of=["output", "gradient"]) as observation:
        pl.compile(model)(x).sum().backward()
        assert "output" in observation.latest()
    assert_close(model.bias.grad, [4.0, 4.0])


# ---- keywords, recursion -----------------------------------------------------------------------


def test_pytorch_s_keywords() -> None:
    def double(x: Any) -> Any:
        return x * 2

    for options in (
        {"fullgraph": True},
        {"dynamic": False},
        {"dynamic": None},
        {"mode": "default"},
        {"mode": "reduce-overhead"},
        {"options": {}},
        {"dynamic": True},
        {"options": {"triton.cudagraphs": True}},
        {"backend": "inductor"},
    ):
        assert pl.compile(double, **options)(pl.ones(1)).item() == 2.0
    assert pl.compile(double, disable=True) is pl.compile(double, backend="eager") is double
    assert pl.compile(mode="max-autotune")(double)(pl.ones(1)).item() == 2.0
    with pytest.raises(ArgumentError, match="mode='fast'"):
        pl.compile(double, mode="fast")
    with pytest.raises(ArgumentError, match="compile got a int"):
        pl.compile(3)


def test_recursion() -> None:
    def power(x: Any, n: int) -> Any:
        return x if n == 1 else x * compiled(x, n - 1)

    compiled = pl.compile(power)
    assert compiled(pl.full((1,), 2.0), 10).item() == 1024.0

    def endless(x: Any) -> Any:
        return again(x + 1)

    again = pl.compile(endless)
    with pytest.raises(TraceError, match="endless calls itself, or others in turn, too deeply"):
        again(pl.ones(1))
    assert compiled(pl.full((1,), 2.0), 3).item() == 8.0


# ---- gradients that a step used up ---------------------------------------------------------------


@pytest.mark.parametrize("change", ["double", "half", "float64", "zeros", "optimizer"])
def test_what_reads_gradients_after_a_fused_step(change: str) -> None:
    model = nn.Linear(3, 2)
    optimizer = pl.optim.SGD(model.parameters(), lr=0.1)

    @pl.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    step(pl.ones(4, 3))
    if change == "zeros":
        model.zero_grad(set_to_none=False)
        assert model.weight.grad.tolist() == [[0.0] * 3] * 2
    elif change == "optimizer":
        optimizer.zero_grad(set_to_none=False)
        assert model.bias.grad.tolist() == [0.0, 0.0]
    else:
        kind = {"double": pl.float64, "half": pl.float16, "float64": pl.float64}[change]
        model.to(kind) if change == "float64" else getattr(model, change)()
        assert model.weight.dtype is kind and model.weight.grad is None
        assert step(pl.ones(4, 3, dtype=kind)).dtype is kind


def test_a_result_without_gradient_leaves_those_of_the_others() -> None:
    def function(x: Any) -> Any:
        y = x * 1
        lost = y.abs()  # its gradient needs what is changed next
        y.view(-1).add_(1)
        return lost, y.square().sum()

    for run in (function, pl.compile(function)):
        x = pl.tensor([3.0, -2.0], requires_grad=True)
        lost, loss = run(x)
        loss.backward()
        assert x.grad.tolist() == [8.0, -2.0]
        with pytest.raises(AutogradError, match="abs needs for its gradient was modified in place"):
            lost.sum().backward()
        lost, loss = run(x)
        with pytest.raises(AutogradError, match="abs needs for its gradient was modified in place"):
            (lost.sum() + loss).backward()
