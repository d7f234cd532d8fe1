"""Empty axes, 0-d values, NaN and infinities: compiled programs give what eager mode gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import autograd, compile, nn, tensor
from pellucid.base.dtypes import float32
from pellucid.base.errors import ArgumentError
from pellucid.tensor.tensor import Tensor

F = nn.functional
SEED = 20261130
SHAPES = ((), (1,), (5,), (3, 4), (2, 3, 4), (1, 1), (0,), (0, 3), (3, 0), (2, 0, 3))

ALONG: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x.relu(),
    "clamp": lambda x: x.clamp(-0.5, 0.7),
    "clamp from below": lambda x: x.clamp(min=0.1),
    "where": lambda x: pellucid.where(x > 0, x, x * 2),
    "maximum": lambda x: pellucid.maximum(x, x.flip(0) if x.ndim else x),
    "minimum": lambda x: pellucid.minimum(x, x.flip(0) if x.ndim else x),
    "sign": lambda x: x.sign(),
    "sum": lambda x: x.sum(-1),
    "mean": lambda x: x.mean(-1),
    "prod": lambda x: x.prod(0),
    "softmax": lambda x: F.softmax(x, -1),
    "cumsum": lambda x: x.cumsum(-1),
    "cumprod": lambda x: x.cumprod(0),
    "sort": lambda x: x.sort(-1).values,
    "gelu": lambda x: F.gelu(x),
    "softplus": lambda x: F.softplus(x),
    "product with itself": lambda x: x @ x.transpose(-1, -2) if x.ndim > 1 else x * x,
}
CHOOSING: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda x: x.max(-1).values,
    "min": lambda x: x.min(-1).values,
    "amax": lambda x: x.amax(0),
    "argmax": lambda x: x.argmax(-1),
    "argmin": lambda x: x.argmin(0),
    "max of all": lambda x: x.max(),
    "logsumexp": lambda x: x.logsumexp(-1),
}
"""Not over an axis without elements, where there is nothing to choose."""


def special_values(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Normal numbers among which are NaN, infinities, zeros of both signs and equal numbers."""
    array = np.asarray(rng.normal(size=shape).astype(np.float32))
    flat = array.reshape(-1)
    for value in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1.0):
        if flat.size and rng.random() < 0.3:
            flat[rng.integers(flat.size)] = value
    return array


@pytest.mark.parametrize("name", [*ALONG, *CHOOSING])
def test_special_values_and_empty_axes(name: str) -> None:
    function = (ALONG | CHOOSING)[name]
    rng = np.random.default_rng([SEED, len(name)])
    shapes = [s for s in SHAPES if name in ALONG or 0 not in s]
    arrays = [special_values(s, rng) for s in (*shapes, *shapes)]
    arguments = [tensor(a, dtype=float32, requires_grad=True) for a in arrays]

    def every(*xs: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(x) for x in xs)

    def slopes(*xs: Tensor) -> tuple[Tensor, ...]:
        total = sum((function(x).sum() for x in xs), start=tensor(0.0))
        return tuple(autograd.grad(total, list(xs)))

    for what in (every, slopes)[: 1 if name.startswith("arg") else 2]:
        for array, mine, theirs in zip(
            arrays, compile(what)(*arguments), what(*arguments), strict=True
        ):
            assert_close(mine, theirs, 2e-5, 1e-6, f"{name} of {array.tolist()} (seed {SEED})")


EMPTY: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "no depth": (lambda a, b: a @ b, [(3, 0), (0, 4)]),
    "no batch": (lambda a, b: a @ b, [(0, 3, 2), (0, 2, 4)]),
    "affine without features": (
        lambda x, w, b: F.linear(x, w, b).relu(),
        [(3, 0), (4, 0), (4,)],
    ),
    "convolution of nothing": (
        lambda x, w: F.conv2d(x, w, padding=1).relu(),
        [(0, 3, 5, 5), (4, 3, 3, 3)],
    ),
    "transposed convolution of nothing": (
        lambda x, w: F.conv_transpose2d(x, w, stride=2),
        [(0, 3, 5, 5), (3, 4, 3, 3)],
    ),
    "pooling of nothing": (lambda x: F.max_pool2d(x, 2), [(0, 3, 4, 4)]),
    "no queries": (F.scaled_dot_product_attention, [(2, 0, 4), (2, 3, 4), (2, 3, 5)]),
    "no keys": (F.scaled_dot_product_attention, [(2, 3, 4), (2, 0, 4), (2, 0, 5)]),
    "no rows": (lambda x, w: F.layer_norm(x, (4,), w), [(0, 4), (4,)]),
    "mean of no columns": (lambda x: x.mean(0), [(0, 40)]),
    "padding of nothing": (lambda x: F.pad(x, (1, 1), value=2.0), [(3, 0)]),
    "side by side with nothing": (lambda a, b: pellucid.cat([a, b], 0), [(0, 3), (2, 3)]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_operations_on_nothing(name: str) -> None:
    function, shapes = EMPTY[name]
    rng = np.random.default_rng(SEED)
    leaves = [tensor(rng.normal(size=s), dtype=float32, requires_grad=True) for s in shapes]

    def slopes(*xs: Tensor) -> tuple[Tensor, ...]:
        return tuple(autograd.grad(function(*xs).sum(), list(xs)))

    assert_close(compile(function)(*leaves), function(*leaves), 1e-5, 1e-6)
    for mine, theirs in zip(compile(slopes)(*leaves), slopes(*leaves), strict=True):
        assert_close(mine, theirs, 1e-5, 1e-6)


@pytest.mark.parametrize(
    "choose",
    (
        lambda x, i: x.index_select(1, i),
        lambda x, i: x.gather(1, i[None].expand(3, 2)),
        lambda x, i: F.relu(x.index_select(1, i)).sum(1),
    ),
    ids=("take", "gather", "reduced"),
)
def test_a_position_along_an_axis_without_elements_is_out_of_range(
    choose: Callable[[Tensor, Tensor], Tensor],
) -> None:
    x, places = pellucid.zeros(3, 0), tensor([0, 0])
    for call in (choose, compile(choose)):
        with pytest.raises(ArgumentError, match="position"):
            call(x, places)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_one_value_joined_with_itself(count: int) -> None:
    """Of one element each, the part that is meant is known before any loop begins."""
    values = np.linspace(0.5, 1.5, count)

    def slope(x: Tensor) -> tuple[Tensor, Tensor]:
        joined = pellucid.cat([x, x * 2, x], -1)
        first, second = joined.chunk(3, -1)[0], joined[..., -count:]
        loss = (first * second.sigmoid()).sum() + joined.abs().square().sum()
        return joined, pellucid.grad(loss, [x])[0]

    x = pellucid.tensor(values, requires_grad=True)
    joined, found = pellucid.compile(slope)(x)
    np.testing.assert_array_equal(joined.detach().numpy(), [*values, *(2 * values), *values])
    s = 1 / (1 + np.exp(-values))
    assert_close(found, s + values * s * (1 - s) + 12 * values, 1e-12)


def test_prelu_of_a_number_is_a_number() -> None:
    for run in (pellucid.nn.functional.prelu, pellucid.compile(pellucid.nn.functional.prelu)):
        found = run(pellucid.tensor(-2.0), pellucid.tensor([0.25]))
        assert tuple(found.shape) == () and found.item() == -0.5
