"""Functions with derivatives of their own under vmap and in forward mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import func
from pellucid.autograd import Function
from pellucid.base.errors import AutogradError

X = np.random.default_rng(3).standard_normal((4, 3))
W = np.asarray([1.0, -2.0, 3.0])


class Square(Function):
    """k · x², with derivatives that are wrong on purpose, so that only they can have been used."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Any, k: float) -> Any:
        return x * x * k, x.argmax()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, ctx.k = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(x, output[0])
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Any, _: Any) -> Any:
        x, _y = ctx.saved_tensors
        return 3 * g * x * ctx.k, None

    @staticmethod
    def jvp(ctx: Any, t: Any, _: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 5 * t * x * ctx.k, None


class Product(Function):
    """x · w with a rule of its own for many rows."""

    @staticmethod
    def forward(x: Any, w: Any) -> Any:
        return x * w

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, w = ctx.saved_tensors
        return g * w * 7, g * x if ctx.needs_input_grad[1] else None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], x: Any, w: Any) -> Any:
        assert info.batch_size == 4 and in_dims == (0, None)
        return Product.apply(x, w.expand(x.shape)), 0


def total(x: Any) -> Any:
    return Square.apply(x, 2.0)[0].sum()


def one(x: Any) -> Any:
    return Square.apply(x.reshape(1), 2.0)[0].sum()


CASES: dict[str, tuple[Any, Any]] = {
    "grad": (lambda x: func.grad(total)(x), 6 * X),
    "vmap": (lambda x: func.vmap(total)(x), 2 * (X * X).sum(1)),
    "results": (lambda x: func.vmap(lambda r: Square.apply(r, 2.0)[1])(x), X.argmax(1)),
    "vmap of grad": (lambda x: func.vmap(func.grad(total))(x), 6 * X),
    "grad of vmap": (lambda x: func.grad(lambda y: func.vmap(total)(y).sum())(x), 6 * X),
    "twice": (lambda x: func.vmap(func.vmap(one))(x), 2 * X * X),
    "grad of twice": (lambda x: func.grad(lambda y: func.vmap(func.vmap(one))(y).sum())(x), 6 * X),
    "jvp": (lambda x: func.jvp(total, (x,), (x,))[1], 10 * (X * X).sum()),
    "vmap of jvp": (
        lambda x: func.vmap(lambda y: func.jvp(total, (y,), (y,))[1])(x),
        10 * (X * X).sum(1),
    ),
    "jvp of vmap": (
        lambda x: func.jvp(func.vmap(total), (x,), (x,))[1],
        10 * (X * X).sum(1),
    ),
    "jacfwd": (lambda x: func.jacfwd(lambda y: Square.apply(y, 2.0)[0])(x[0]), np.diag(10 * X[0])),
    "jacrev": (lambda x: func.jacrev(lambda y: Square.apply(y, 2.0)[0])(x[0]), np.diag(6 * X[0])),
    "own rule": (
        lambda x: func.vmap(Product.apply, (0, None))(x, pellucid.tensor(W)),
        X * W,
    ),
    "grad of own rule": (
        lambda x: func.grad(lambda w: func.vmap(Product.apply, (0, None))(x, w).sum())(
            pellucid.tensor(W)
        ),
        X.sum(0),
    ),
    "other grad of own rule": (
        lambda x: func.grad(
            lambda y: func.vmap(Product.apply, (0, None))(y, pellucid.tensor(W)).sum()
        )(x),
        np.broadcast_to(7 * W, X.shape),
    ),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_what_is_written_by_hand_counts(name: str, compiled: bool) -> None:
    run, expected = CASES[name]
    run = pellucid.compile(run) if compiled else run
    assert_close(run(pellucid.tensor(X)), np.asarray(expected), 1e-9)


class Old(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


class Bare(Function):
    @staticmethod
    def forward(x: Any) -> Any:
        return x * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass


class Both(Product):
    generate_vmap_rule = True


def test_what_a_function_lacks_is_said() -> None:
    x = pellucid.tensor(X)
    with pytest.raises(RuntimeError, match="must override the setup_context"):
        func.vmap(Old.apply)(x)
    with pytest.raises(RuntimeError, match="does not have vmap support"):
        func.vmap(Bare.apply)(x)
    with pytest.raises(RuntimeError, match="both generate_vmap_rule"):
        func.vmap(Both.apply, (0, None))(x, pellucid.tensor(W))
    with pytest.raises(AutogradError, match="must implement the jvp function"):
        func.jvp(Old.apply, (x,), (x,))
    assert_close(func.grad(lambda y: Old.apply(y).sum())(x), np.full_like(X, 2.0))


def test_a_loop_says_that_it_does_not_know_a_derivative_of_your_own() -> None:
    def body(carry: Any, x: Any) -> Any:
        return carry + Old.apply(x), carry

    plain = pellucid.tensor([1.0, 2.0])
    assert float(pellucid.scan(body, pellucid.zeros(()), plain)[0]) == 6.0
    with pytest.raises(RuntimeError, match=r"body of a scan applies Old.*does not know"):
        pellucid.scan(body, pellucid.zeros(()), plain.requires_grad_())
