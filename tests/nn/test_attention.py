"""Attention and positions against their definitions, eager and compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import as_array, assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def definition(q: np.ndarray, k: np.ndarray, v: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """One query after the other, over the keys it may look at."""
    result = np.zeros((*q.shape[:-1], v.shape[-1]))
    for place in np.ndindex(*q.shape[:-1]):
        keys = np.flatnonzero(allowed[place[-1]])
        if keys.size == 0:
            continue
        scores = np.exp(k[place[:-1]][keys] @ q[place] / math.sqrt(q.shape[-1]))
        result[place] = scores / scores.sum() @ v[place[:-1]][keys]
    return result


MASKS = {
    "everything": np.ones((4, 5), bool),
    "causal": np.tril(np.ones((4, 5), bool)),
    "one row nothing": np.arange(4)[:, None] + np.arange(5) * 0 != 2,
    "random": np.random.default_rng(3).random((4, 5)) < 0.6,
}


@pytest.mark.parametrize("name", MASKS)
def test_attention_is_a_mixture_of_values(name: str, rng) -> None:
    q, k, v = normal(rng, 2, 3, 4, 6), normal(rng, 2, 3, 5, 6), normal(rng, 2, 3, 5, 7)
    expected = definition(q, k, v, MASKS[name])
    tensors = [pellucid.tensor(a) for a in (q, k, v)]
    options: dict[str, Any] = {"attn_mask": pellucid.tensor(MASKS[name])}
    if name == "causal":
        options = {"is_causal": True}
    for backend in (None, "reference", "cpu"):

        def run(*arguments: Any) -> Any:
            return F.scaled_dot_product_attention(*arguments, **options)

        function = run if backend is None else pellucid.compile(run, backend=backend)
        assert_close(function(*tensors), expected, 1e-5, 1e-6, f"{backend}")


def test_a_query_without_keys_gets_zero_and_gives_no_gradient(rng) -> None:
    q = pellucid.tensor(normal(rng, 1, 3, 4), requires_grad=True)
    k = pellucid.tensor(normal(rng, 1, 2, 4), requires_grad=True)
    mask = pellucid.tensor([[True, False], [False, False], [True, True]])
    y = F.scaled_dot_product_attention(q, k, k, mask)
    assert (y[0, 1] == 0).all().item()
    y.square().sum().backward()
    assert (q.grad[0, 1] == 0).all().item()
    assert np.isfinite(as_array(q.grad)).all() and np.isfinite(as_array(k.grad)).all()


def test_multihead_attention_of_a_query_without_keys_is_as_documented(rng) -> None:
    layer = nn.MultiheadAttention(4, 2)
    x = pellucid.tensor(normal(rng, 3, 1, 4))
    nothing = pellucid.tensor([[True] * 3, [False] * 3, [False] * 3])
    output, weights = layer(x, x, x, attn_mask=nothing)
    assert output[0].isnan().all().item() and weights[0, 0].isnan().all().item()
    assert not output[1:].isnan().any().item()
    output, weights = layer(x, x, x, attn_mask=nothing, need_weights=False)
    assert weights is None
    assert_close(output[0, 0], layer.out_proj.bias)


def test_derivatives_to_second_order(rng) -> None:
    def attend(q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    arguments = [pellucid.tensor(rng.normal(size=(2, 3, 2)), requires_grad=True) for _ in range(3)]
    assert pellucid.gradcheck(attend, arguments)
    assert pellucid.gradgradcheck(attend, arguments)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_compiled_layer(backend: str, need_weights: bool, batch_first: bool, rng) -> None:
    layer = nn.MultiheadAttention(12, 3, batch_first=batch_first)
    parameters = list(layer.parameters())

    def run(x: Any) -> tuple:
        y, weights = layer(x, x, x, is_causal=True, need_weights=need_weights)
        slopes = pellucid.grad(y.square().sum(), [x, *parameters])
        return (y, *slopes) if weights is None else (y, weights, *slopes)

    x = pellucid.tensor(normal(rng, 5, 4, 12), requires_grad=True)
    compiled = pellucid.compile(run, backend=backend)
    for position, (a, b) in enumerate(zip(compiled(x), run(x), strict=True)):
        assert_close(a, b, 2e-5, 2e-5, f"result {position}")


def test_weights_can_be_shown(rng) -> None:
    """Every row of the exported weights is a distribution over the keys."""
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x, y = pellucid.tensor(normal(rng, 3, 4, 8)), pellucid.tensor(normal(rng, 3, 6, 8))
    for average, shape in ((True, (3, 4, 6)), (False, (3, 2, 4, 6))):
        weights = layer(x, y, y, average_attn_weights=average)[1].detach().numpy()
        assert weights.shape == shape and (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)


def test_dropout_acts_in_training_only(rng) -> None:
    layer = nn.MultiheadAttention(8, 2, dropout=0.5)
    x = pellucid.tensor(normal(rng, 6, 2, 8))
    first = layer(x, x, x)[0].detach().numpy().copy()
    assert not np.allclose(first, as_array(layer(x, x, x)[0]))
    layer.eval()
    assert_close(layer(x, x, x)[0], layer(x, x, x)[0])


# ---- positions -------------------------------------------------------------------------------


def test_sinusoidal_positions_follow_the_formula() -> None:
    layer = nn.SinusoidalPositions(6, max_len=50)
    y = layer(pellucid.zeros(1, 50, 6)).numpy()[0]
    for t in (0, 1, 7, 49):
        for i in range(3):
            angle = t / 10000 ** (2 * i / 6)
            np.testing.assert_allclose(y[t, 2 * i : 2 * i + 2], [math.sin(angle), math.cos(angle)],
                                       atol=1e-6)  # fmt: skip
    assert not layer.state_dict()
    assert_close(layer(pellucid.zeros(3, 6), start=7), y[7:10])
    assert nn.SinusoidalPositions(5, 4)(pellucid.zeros(4, 5)).shape == (4, 5)


def test_learned_positions_are_added_along_the_sequence() -> None:
    layer = nn.LearnedPositions(4, 10, batch_first=False)
    y = layer(pellucid.zeros(5, 2, 4))
    assert_close(y[:, 0], layer.weight[:5])
    assert_close(y[:, 1], layer.weight[:5])
    with pytest.raises(ShapeError, match="positions 8 to 12 and knows 0 to 9"):
        layer(pellucid.zeros(5, 2, 4), start=8)


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_products_depend_on_the_distance_alone(interleaved: bool, rng) -> None:
    layer = nn.RotaryPositions(8, 64, interleaved=interleaved)
    q, k = pellucid.tensor(normal(rng, 1, 8)), pellucid.tensor(normal(rng, 1, 8))
    near = [(layer(q, s + 5) * layer(k, s)).sum().item() for s in (0, 3, 40)]
    np.testing.assert_allclose(near, near[0], rtol=1e-4, atol=1e-5)
    assert_close(layer(q, 9).norm(), q.norm(), 1e-5)
    assert_close(layer(q), q)


def test_rotary_pairs_are_complex_numbers_turned(rng) -> None:
    x = normal(rng, 2, 5, 6)
    turned = x[..., 0::2] + 1j * x[..., 1::2]
    turned = turned * np.exp(1j * np.arange(5)[:, None] / 10000 ** (np.arange(0, 6, 2) / 6))
    y = nn.RotaryPositions(6)(pellucid.tensor(x)).numpy()
    np.testing.assert_allclose(y[..., 0::2], turned.real, atol=1e-5)
    np.testing.assert_allclose(y[..., 1::2], turned.imag, atol=1e-5)
    halves = nn.RotaryPositions(6, interleaved=False)
    apart = np.concatenate([x[..., 0::2], x[..., 1::2]], -1)
    y = halves(pellucid.tensor(apart)).numpy()
    np.testing.assert_allclose(y[..., :3], turned.real, atol=1e-5)


# ---- errors ----------------------------------------------------------------------------------


def test_errors_name_shapes_and_the_fix() -> None:
    z, attend = pellucid.zeros, F.scaled_dot_product_attention
    with pytest.raises(ShapeError, match=r"\(2, 3, 4\), \(2, 3, 5\).*\n.*same last extent"):
        attend(z(2, 3, 4), z(2, 3, 5), z(2, 3, 5))
    with pytest.raises(ShapeError, match="same number of positions"):
        attend(z(3, 4), z(5, 4), z(6, 4))
    with pytest.raises(ArgumentError, match="attn_mask and is_causal=True"):
        attend(z(3, 4), z(3, 4), z(3, 4), z(3, 3), is_causal=True)
    with pytest.raises(ShapeError, match=r"mask of shape \(2, 3\) for scores of shape \(3, 3\)"):
        attend(z(3, 4), z(3, 4), z(3, 4), z(2, 3))
    with pytest.raises(DTypeError, match="mask of int64"):
        attend(z(3, 4), z(3, 4), z(3, 4), z(3, 3).long())
    with pytest.raises(ShapeError, match="multiple of theirs"):
        attend(z(1, 3, 2, 4), z(1, 2, 2, 4), z(1, 2, 2, 4), enable_gqa=True)
    with pytest.raises(ArgumentError, match=r"embed_dim=10, num_heads=4"):
        nn.MultiheadAttention(10, 4)
    with pytest.raises(ArgumentError, match="dropout=1.5"):
        nn.MultiheadAttention(4, 2, dropout=1.5)
    layer = nn.MultiheadAttention(4, 2)
    with pytest.raises(ShapeError, match="expects 4 features in the key and got 5"):
        layer(z(3, 1, 4), z(3, 1, 5), z(3, 1, 4))
    with pytest.raises(ShapeError, match=r"\(2, 3\), \(1, 3\)(.|\n)*batch_first=False"):
        layer(z(3, 2, 4), z(3, 1, 4), z(3, 1, 4))
    with pytest.raises(ShapeError, match=r"key_padding_mask of shape \(3, 2\)(.|\n)*\(2, 3\)"):
        layer(*[z(3, 2, 4)] * 3, key_padding_mask=z(3, 2))
    with pytest.raises(ShapeError, match="all need 3 axes"):
        layer(z(3, 2, 4), z(3, 4), z(3, 4))
    with pytest.raises(ArgumentError, match="head_dim=3"):
        nn.RotaryPositions(3)
