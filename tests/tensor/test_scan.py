"""The loop over time: against NumPy loops, hand-unrolled loops, and its promises about errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid as pl
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, AutogradError, DTypeError, ShapeError, TraceError


def numbers(*shape: int, seed: int = 0) -> Any:
    values = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return pl.tensor(values.astype(np.float32))


# ---- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", (1, 2, 7))
@pytest.mark.parametrize("reverse", (False, True))
def test_a_recurrent_cell_against_numpy(steps: int, reverse: bool) -> None:
    x, h, w = numbers(steps, 3, 4), numbers(3, 5, seed=1), numbers(9, 5, seed=2)

    def cell(h: Any, x: Any) -> Any:
        h = pl.cat([x, h], 1).matmul(w).tanh()
        return h, h.sum(1)

    last, sums = pl.scan(cell, h, x, reverse=reverse)
    state, expected = h.numpy(), np.zeros((steps, 3), np.float32)
    for t in reversed(range(steps)) if reverse else range(steps):
        state = np.tanh(np.concatenate([x.numpy()[t], state], 1) @ w.numpy())
        expected[t] = state.sum(1)
    assert_close(last, state, 1e-5, 1e-6)
    assert_close(sums, expected, 1e-5, 1e-5)


def test_trees_of_carries_inputs_and_outputs() -> None:
    def body(carry: Any, x: Any) -> Any:
        total, seen = carry["total"] + x[0], carry["parts"][0] + 1
        return {"total": total, "parts": [seen]}, (total * x[1]["scale"], None, [seen])

    start = {"total": pl.zeros(2), "parts": [pl.tensor(0)]}
    a, b = numbers(4, 2), numbers(4, seed=3)
    final, (scaled, nothing, (seen,)) = pl.scan(body, start, (a, {"scale": b}))
    sums = np.cumsum(a.numpy(), 0)
    assert_close(final["total"], sums[-1], 1e-6, 1e-6)
    assert final["parts"][0].item() == 4 and nothing is None
    assert_close(scaled, sums * b.numpy()[:, None], 1e-5, 1e-6)
    assert seen.numpy().tolist() == [1, 2, 3, 4]


def test_without_inputs_and_without_outputs() -> None:
    final, ys = pl.scan(lambda c, x: (c * 2 if x is None else c, None), pl.ones(3), length=5)
    assert_close(final, np.full(3, 32.0))
    assert ys is None
    final, ys = pl.scan(lambda c, x: ((), x * 2), (), numbers(4, 2))
    assert final == ()
    assert_close(ys, numbers(4, 2).numpy() * 2)


def test_numpy_arrays_are_taken_as_tensors() -> None:
    final, _ = pl.scan(lambda c, x: (c + x, None), np.zeros(2), np.ones((3, 2)))
    assert_close(final, np.full(2, 3.0))


# ---- gradients -------------------------------------------------------------------------------


def unrolled(body: Any, carry: Any, xs: Any, steps: int, reverse: bool = False) -> Any:
    """The same loop written by hand."""
    ys = [None] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        carry, ys[t] = body(carry, xs[t])
    return carry, pl.stack(ys)


@pytest.mark.parametrize("reverse", (False, True))
def test_gradients_of_inputs_carry_and_captured_tensors(reverse: bool) -> None:
    def leaves() -> list[Any]:
        shapes = ((6, 2, 3), (2, 4), (3, 4), (4, 4))
        return [numbers(*s, seed=i).requires_grad_() for i, s in enumerate(shapes)]

    def loss(make: Any, x: Any, h: Any, w: Any, u: Any) -> Any:
        def cell(h: Any, x: Any) -> Any:
            h = (x.matmul(w) + h.matmul(u)).tanh()
            return h, h * h

        final, ys = make(cell, h, x)
        return final.sum() + (ys * ys).mean()

    ours, theirs = leaves(), leaves()
    loss(lambda b, h, x: pl.scan(b, h, x, reverse=reverse), *ours).backward()
    loss(lambda b, h, x: unrolled(b, h, x, 6, reverse), *theirs).backward()
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a.grad, b.grad, 1e-4, 1e-5)


def test_compiled_equals_eager() -> None:
    w = numbers(4, 4).requires_grad_()

    def run(x: Any, h: Any) -> Any:
        return pl.scan(lambda h, x: ((h.matmul(w) + x).tanh(), h), h, x)

    x, h = numbers(5, 2, 4, seed=1), numbers(2, 4, seed=2)
    expected, found = run(x, h), pl.compile(run)(x, h)
    assert_close(found[0], expected[0], 1e-5, 1e-6)
    assert_close(found[1], expected[1], 1e-5, 1e-6)


# ---- errors ----------------------------------------------------------------------------------


def keep(carry: Any, x: Any) -> Any:
    return carry, x


def test_wrong_lengths() -> None:
    zero = pl.zeros(2)
    with pytest.raises(ShapeError, match=r"unequal lengths \[3, 4\]"):
        pl.scan(keep, zero, (pl.zeros(3, 2), pl.zeros(4, 2)))
    with pytest.raises(ShapeError, match="inputs of 3 steps was given length=4"):
        pl.scan(keep, zero, pl.zeros(3, 2), length=4)
    with pytest.raises(ShapeError, match="a scan over 0 steps has no result"):
        pl.scan(keep, zero, pl.zeros(0, 2))
    with pytest.raises(ShapeError, match="a scan over -1 steps"):
        pl.scan(keep, zero, length=-1)
    with pytest.raises(ArgumentError, match="neither inputs nor a length"):
        pl.scan(keep, zero)
    with pytest.raises(ArgumentError, match="the length of a scan is 2.5"):
        pl.scan(keep, zero, length=2.5)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="input 1 of a scan has no axes"):
        pl.scan(keep, zero, [pl.zeros(3), pl.tensor(1.0)])


def test_a_carry_that_changes() -> None:
    with pytest.raises(ShapeError, match=r"shape \(2,\) before a step and \(1, 2\) after it"):
        pl.scan(lambda c, x: (c[None], None), pl.zeros(2), length=2)
    with pytest.raises(DTypeError, match="is int64 before a step and float32 after"):
        pl.scan(lambda c, x: (c * 0.5, None), pl.tensor(1), length=2)
    with pytest.raises(ArgumentError, match="in another tree"):
        pl.scan(lambda c, x: ([c], None), pl.zeros(2), length=2)


def test_a_body_that_returns_no_pair() -> None:
    with pytest.raises(ArgumentError, match="returned Tensor instead of a pair"):
        pl.scan(lambda c, x: c, pl.zeros(2), length=2)  # type: ignore[arg-type,return-value]
    with pytest.raises(ArgumentError, match="returned 3 values instead of a pair"):
        pl.scan(lambda c, x: (c, c, c), pl.zeros(2), length=2)  # type: ignore[arg-type]


def test_leaves_that_are_no_tensors() -> None:
    with pytest.raises(ArgumentError, match="the initial carry holds 1.0, a float"):
        pl.scan(keep, 1.0, length=2)
    with pytest.raises(ArgumentError, match="the output of the body of a scan holds 'text'"):
        pl.scan(lambda c, x: (c, "text"), pl.zeros(2), length=2)


def test_python_that_needs_a_value() -> None:
    with pytest.raises(TraceError, match="the body of a scan runs once for all steps"):
        pl.scan(lambda c, x: (c if c.sum() > 0 else -c, None), pl.zeros(2), length=2)


def test_gradients_collected_inside_of_the_loop() -> None:
    w = pl.ones(2).requires_grad_()

    def body(carry: Any, x: Any) -> Any:
        (carry * w).sum().backward()
        return carry, None

    with pytest.raises(AutogradError, match="the body of a scan uses .grad of a tensor"):
        pl.scan(body, pl.zeros(2), length=2)


# ---- what the body may do --------------------------------------------------------------------


BACKENDS = ("eager", "reference", "cpu")


def running(function: Any, backend: str) -> Any:
    return function if backend == "eager" else pl.compile(function, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_random_numbers_differ_from_step_to_step(backend: str) -> None:
    def noise() -> Any:
        return pl.scan(lambda c, x: (c, pl.rand(5)), pl.zeros(1), length=4)[1]

    pl.manual_seed(3)
    expected = [pl.rand(5).numpy() for _ in range(4)]
    after = pl.get_rng_state()
    pl.manual_seed(3)
    found = running(noise, backend)()
    assert_close(found, np.stack(expected), 0, 0)
    assert pl.equal(pl.get_rng_state(), after)


@pytest.mark.parametrize("backend", BACKENDS)
def test_dropout_in_the_body_has_the_gradient_of_its_own_mask(backend: str) -> None:
    w = pl.ones(6).requires_grad_()

    def step(x: Any) -> Any:
        def body(h: Any, x: Any) -> Any:
            kept = nn.functional.dropout(x * w, 0.5)
            return h + kept, kept

        last, kept = pl.scan(body, pl.zeros(6), x)
        (grad,) = pl.grad(last.sum(), [w])
        return kept, grad

    pl.manual_seed(0)
    kept, grad = (t.detach() for t in running(step, backend)(pl.ones(9, 6)))
    assert len({tuple(row) for row in kept.numpy()}) > 1
    assert_close(grad, kept.numpy().sum(0), 1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_state_outside_that_the_body_changes(backend: str) -> None:
    mean = pl.zeros(3)

    def step(x: Any) -> Any:
        def body(carry: Any, x: Any) -> Any:
            with pl.no_grad():
                mean.mul_(0.5).add_(0.5 * x)
            return carry + mean, None

        return pl.scan(body, pl.zeros(3), x)[0]

    x = numbers(4, 3)
    value, total = np.zeros(3, np.float32), np.zeros(3, np.float32)
    for row in x.numpy():
        value = 0.5 * value + 0.5 * row
        total = total + value
    assert_close(running(step, backend)(x), total, 1e-5, 1e-6)
    assert_close(mean, value, 1e-5, 1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_detach_and_no_grad_stop_the_gradient(backend: str) -> None:
    def gradient(change: Any) -> Any:
        w = numbers(3, 3, seed=4).requires_grad_()

        def step(x: Any, h: Any) -> Any:
            def body(h: Any, x: Any) -> Any:
                return ((x + change(h)).matmul(w)).tanh(), h

            last, _ = pl.scan(body, h, x)
            return pl.grad(last.sum(), [w])[0]

        return running(step, backend)(numbers(4, 2, 3), numbers(2, 3, seed=1))

    def silent(h: Any) -> Any:
        with pl.no_grad():
            return h * 1

    whole = gradient(lambda h: h)
    for change in (lambda h: h.detach(), silent, lambda h: h.data):
        found = gradient(change)
        assert not np.allclose(found.numpy(), whole.numpy())
        assert_close(found, gradient(lambda h: h.detach()), 1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_views_of_captured_tensors_and_changes_in_place(backend: str) -> None:
    w = numbers(3, 4, seed=2).requires_grad_()

    def step(x: Any, h: Any) -> Any:
        def body(h: Any, x: Any) -> Any:
            h = h.clone()
            h[:, 0] = x
            return h.matmul(w.t()[:3]) + w[0, :3], h

        last, hs = pl.scan(body, h, x)
        return last, hs, pl.grad(last.sum() + hs.sum(), [w])[0]

    def plain(x: Any, h: Any) -> Any:
        hs = []
        for t in range(x.shape[0]):
            h = h.clone()
            h[:, 0] = x[t]
            hs.append(h)
            h = h.matmul(w.t()[:3]) + w[0, :3]
        return h, pl.stack(hs), pl.grad(h.sum() + pl.stack(hs).sum(), [w])[0]

    x, h = numbers(4, 2), numbers(2, 3, seed=1)
    for found, expected in zip(running(step, backend)(x, h), plain(x, h), strict=True):
        assert_close(found, expected, 1e-4, 1e-5)


def test_second_order_through_a_loop_and_an_inner_loop() -> None:
    def wide(*shape: int) -> Any:
        return pl.tensor(np.random.default_rng([7, *shape]).standard_normal(shape)).requires_grad_()

    def outer(x: Any, h: Any, w: Any) -> Any:
        def inner(c: Any, u: Any) -> Any:
            return (c * u + c.matmul(w)).tanh(), c.sum(0)

        def body(h: Any, x: Any) -> Any:
            h, sums = pl.scan(inner, h, x)
            return h, sums * h[0]

        return pl.scan(body, h, x, reverse=True)

    leaves = [wide(2, 3, 2, 2), wide(2, 2), wide(2, 2)]
    assert pl.gradcheck(outer, leaves)
    assert pl.gradgradcheck(outer, leaves)


@pytest.mark.parametrize("backend", BACKENDS)
def test_products_that_can_leave_the_loop(backend: str) -> None:
    shapes = ((5, 2), (2, 4), (7, 3), (3, 4), (4, 4), (4, 6), (4,), (2, 4))

    def step(make: Any, ids: Any, h: Any, *weights: Any) -> Any:
        table, w, u, out, b, memory = weights

        def cell(h: Any, i: Any) -> Any:
            x = table[i]  # (2, 3)
            h = (x.matmul(w) + b + h.matmul(u)).tanh() * memory.exp()
            return h, (h * 2).matmul(out).sigmoid()

        return make(cell, h, ids)

    leaves = [pl.tensor(np.random.default_rng(0).integers(0, 7, (5, 2)))]
    leaves += [numbers(*s, seed=i).requires_grad_() for i, s in enumerate(shapes[1:])]
    results = []
    for make in (pl.scan, lambda b, h, x: unrolled(b, h, x, 5)):

        def whole(ids: Any, h: Any, make: Any = make) -> Any:
            last, y = step(make, ids, h, *leaves[2:])
            return last, y, pl.grad((y * y).sum() + last.sum(), leaves[2:])

        last, y, grads = running(whole, backend)(leaves[0], leaves[1].detach())
        results.append([last, y, *grads])
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, 1e-4, 1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reverse", (False, True))
def test_a_cell_trains_in_a_compiled_step(backend: str, reverse: bool) -> None:
    def train(make: Any) -> Any:
        pl.manual_seed(0)
        cell, head = nn.Linear(7, 4), nn.Linear(4, 1)
        optimizer = optim.SGD([*cell.parameters(), *head.parameters()], lr=0.1, momentum=0.9)

        def body(h: Any, x: Any) -> Any:
            h = cell(pl.cat([x, h], 1)).tanh()
            return h, head(h)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            _, guess = make(body, pl.zeros(2, 4), x)
            loss = ((guess - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = running(step, backend if make is pl.scan else "eager")
        x, y = numbers(6, 2, 3), numbers(6, 2, 1, seed=1)
        losses = [run(x, y).item() for _ in range(5)]
        return losses, [p.detach().numpy() for p in (*cell.parameters(), *head.parameters())]

    losses, weights = train(lambda b, h, x: unrolled(b, h, x, 6))
    assert losses[-1] < losses[0]
    found = train(pl.scan)
    assert_close(np.array(found[0]), np.array(losses), 1e-4)
    for a, b in zip(found[1], weights, strict=True):
        assert_close(a, b, 1e-4, 1e-5)


@pytest.mark.parametrize("backend", ("eager", "cpu"))
def test_an_output_that_is_the_same_in_every_step(backend: str) -> None:
    x, w, z = numbers(4, 2, seed=1), numbers(3, 3, seed=2), numbers(2, 3, seed=3)

    def loop(x: Any, w: Any, z: Any) -> Any:
        return pl.scan(lambda c, x: (c + x, (z @ w, z)), pl.zeros(2), x)[1]

    product, same = (loop if backend == "eager" else pl.compile(loop))(x, w, z)
    assert product.shape == same.shape == (4, 2, 3)
    for row in range(4):
        assert_close(product[row], z.numpy() @ w.numpy(), 1e-5, 1e-6)
        assert_close(same[row], z.numpy(), 0, 0)
