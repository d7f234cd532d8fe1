"""Operations with a derivative of one's own, against PyTorch and numerical gradients."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.autograd import Function, grad, gradcheck, gradgradcheck, once_differentiable
from pellucid.base.errors import ArgumentError, AutogradError, ShapeError


def tensor(values: Any, dtype: Any = pellucid.float64) -> Any:
    return pellucid.tensor(values, dtype=dtype, requires_grad=True)


def definitions(library: Any, base: Any) -> dict[str, Any]:
    """The same functions for either library: the text of a PyTorch program, import changed."""

    class Round(base):
        """Straight through."""

        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, g):
            return g

    class Reverse(base):
        """The gradient turned around and scaled; an argument that is no tensor, a keyword."""

        @staticmethod
        def forward(ctx, x, scale, shift=0.0):
            ctx.scale = scale
            return x * 1.0 + shift

        @staticmethod
        def backward(ctx, g):
            return -ctx.scale * g, None, None

    class SinCos(base):
        """Two results, both saved, of two arguments."""

        @staticmethod
        def forward(ctx, x, y):
            s, c = library.sin(x) * y, library.cos(x)
            ctx.save_for_backward(x, y, c)
            return s, c

        @staticmethod
        def backward(ctx, gs, gc):
            x, y, c = ctx.saved_tensors
            return gs * c * y - gc * library.sin(x), gs * library.sin(x)

    class Largest(base):
        """A result without gradient; the context filled afterwards."""

        @staticmethod
        def forward(x):
            return x.max(1)

        @staticmethod
        def setup_context(ctx, inputs, output):
            (x,) = inputs
            values, places = output
            ctx.mark_non_differentiable(places)
            ctx.save_for_backward(places)
            ctx.width = x.shape[1]

        @staticmethod
        def backward(ctx, g, of_places):
            (places,) = ctx.saved_tensors
            columns = library.arange(ctx.width)
            return library.where(columns == places.unsqueeze(1), g.unsqueeze(1), 0.0)

    return {"round": Round, "reverse": Reverse, "sincos": SinCos, "largest": Largest}


OURS = definitions(pellucid, Function)


@pytest.mark.parity
def test_the_same_program_in_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    theirs = definitions(torch, torch.autograd.Function)
    a, b = rng.normal(size=(2, 4, 5))

    def run(library: Any, found: dict[str, Any]) -> list[np.ndarray]:
        x = library.tensor(a, dtype=library.float64, requires_grad=True)
        y = library.tensor(b, dtype=library.float64, requires_grad=True)
        s, c = found["sincos"].apply(found["round"].apply(x * 3.0), y)
        values = found["largest"].apply(x)
        best = values[0]
        loss = (s * y).sum() + (c * c * x).sum() + (best * best).sum()
        loss = loss + found["reverse"].apply(x, 0.5, shift=2.0).pow(2).sum()
        loss.backward()
        second = found["sincos"].apply(x, y)[1].sum()
        (first,) = library.autograd.grad(second, x, create_graph=True)
        (twice,) = library.autograd.grad(first.pow(2).sum(), x)
        arrays = [loss, x.grad, y.grad, first, twice]
        return [np.asarray(t.detach().numpy()) for t in arrays]

    for found, expected in zip(run(pellucid, OURS), run(torch, theirs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_derivatives_to_second_order(rng: np.random.Generator) -> None:
    x, y = (tensor(a) for a in rng.normal(size=(2, 3, 4)))
    assert gradcheck(OURS["sincos"].apply, (x, y))
    assert gradgradcheck(OURS["sincos"].apply, (x, y))


def test_compiled_is_eager(rng: np.random.Generator) -> None:
    layer = nn.Linear(4, 4)
    inputs = pellucid.tensor(rng.normal(size=(8, 4)).astype(np.float32))

    def step(x: Any) -> Any:
        layer.zero_grad()
        s, c = OURS["sincos"].apply(layer(x), OURS["round"].apply(x * 2.0))
        ((s + c) ** 2).sum().backward()
        return layer.weight.grad

    expected = step(inputs).numpy().copy()
    found = pellucid.compile(step)
    for _ in range(2):
        np.testing.assert_allclose(found(inputs).numpy(), expected, rtol=1e-5, atol=1e-5)


def test_results_that_nothing_depends_on() -> None:
    seen: list[Any] = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x, materialize):
            ctx.set_materialize_grads(materialize)
            return x * 2.0, x * 3.0

        @staticmethod
        def backward(ctx, a, b):
            seen.append(b)
            return a * 2.0, None

    for materialize in (True, False):
        x = tensor([1.0, 2.0])
        Two.apply(x, materialize)[0].sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), [2.0, 2.0])
    np.testing.assert_array_equal(seen[0].numpy(), [0.0, 0.0])
    assert seen[1] is None


def test_what_is_recorded() -> None:
    x = tensor([1.4])
    y = OURS["round"].apply(x)
    assert y.requires_grad and "Round" in repr(y) and y.item() == 1.0
    assert not OURS["round"].apply(x.detach()).requires_grad
    with pellucid.no_grad():
        assert not OURS["round"].apply(x).requires_grad
    needs: list[tuple[bool, ...]] = []

    class Needs(Function):
        @staticmethod
        def forward(ctx, x, y, n):
            needs.append(ctx.needs_input_grad)
            return x

        @staticmethod
        def backward(ctx, g):
            return g, None, None

    same = Needs.apply(x, x.detach(), 3)
    assert needs == [(True, False, False)]
    assert same is not x and not same.is_leaf and x.is_leaf
    same.sum().backward()
    assert x.grad.item() == 1.0


def test_once_differentiable() -> None:
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return 2.0 * ctx.saved_tensors[0] * g

    x = tensor([3.0])
    (first,) = grad(Square.apply(x), x, create_graph=True)
    assert first.item() == 6.0 and not first.requires_grad


def test_memory_goes_with_the_results() -> None:
    x = tensor(np.ones(3))
    s, c = OURS["sincos"].apply(x, x)
    (s.sum() + c.sum()).backward()
    kept = weakref.ref(s)
    gc.disable()
    try:
        del s, c
        assert kept() is None
    finally:
        gc.enable()


class Bad(Function):
    """Returns whatever it is told to."""

    @staticmethod
    def forward(ctx, x, answer):
        ctx.answer = answer
        ctx.save_for_backward(x, None)
        return x * 1.0

    @staticmethod
    def backward(ctx, g):
        return ctx.answer(g, ctx.saved_tensors)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (lambda g, s: g, AutogradError, "Bad.backward returned 1 gradients for 2 arguments"),
        (lambda g, s: (g, None, g), AutogradError, "returned 3 gradients for 2 arguments"),
        (lambda g, s: (g, g), AutogradError, "a gradient for argument 1, a function"),
        (lambda g, s: (1.0, None), AutogradError, "returned a float for argument 0"),
        (lambda g, s: (g.sum(), None), ShapeError, r"shape \(\) for argument 0 of shape \(2,\)"),
    ],
)
def test_wrong_gradients(answer: Any, error: type, text: str) -> None:
    y = Bad.apply(tensor([1.0, 2.0]), answer)
    with pytest.raises(error, match=text):
        y.sum().backward()


def test_misuse() -> None:
    x = tensor([1.0, 2.0])
    base = tensor([1.0, 2.0])
    changed = base * 1.0
    y = Bad.apply(changed, lambda g, s: (g, None))
    with pellucid.no_grad():
        changed.add_(1.0)
    with pytest.raises(AutogradError, match="that Bad needs for its gradient was modified"):
        y.sum().backward()

    class Number(Function):
        @staticmethod
        def forward(ctx, x):
            return 3.0

    with pytest.raises(AutogradError, match="Number.forward returned float"):
        Number.apply(x)

    class Saves(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3.0)

    with pytest.raises(ArgumentError, match="save_for_backward got a float"):
        Saves.apply(x)

    class InPlace(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)

    with pytest.raises(AutogradError, match="cannot change its arguments in place"):
        InPlace.apply(x)

    class NoBackward(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

    with pytest.raises(AutogradError, match="write a static method backward"):
        NoBackward.apply(x).sum().backward()
    with pytest.raises(AutogradError, match="write a static method forward"):
        Function.apply(x)
