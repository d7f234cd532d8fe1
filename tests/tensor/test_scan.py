"""The loop over time: against NumPy loops, hand-unrolled loops, and its promises about errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid as pl
from helpers import assert_close
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError


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
