"""Attention of compiled programs, which stores no scores, against its definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.backends.cpu.runtime import get_num_threads, set_num_threads
from pellucid.nn import functional

Attend = Callable[..., Any]


def definition(q: Any, k: Any, v: Any, seen: Any = None, added: Any = None) -> np.ndarray:
    """softmax(q kᵀ / √E + added) v over the keys that are seen, in double precision."""
    q, k, v = (np.asarray(x.numpy(), np.float64) for x in (q, k, v))
    scores = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])
    if added is not None:
        scores = scores + added
    if seen is not None:
        scores = np.where(seen, scores, -np.inf)
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    grown = np.exp(scores - np.where(np.isfinite(largest), largest, 0.0))
    total = grown.sum(-1, keepdims=True)
    return np.asarray(grown / np.where(total > 0, total, 1.0) @ v)


def drawn(*shape: int, seed: int = 0, dtype: str = "float32") -> Any:
    return pellucid.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def with_gradients(attend: Attend, *inputs: Any) -> Any:
    """The result and the gradients of Σ result · weights, for inputs of floating point."""

    def both(*given: Any) -> Any:
        leaves = [x.detach().requires_grad_() for x in given]
        result = attend(*leaves)
        weights = pellucid.arange(result.numel(), dtype=result.dtype).reshape(*result.shape)
        total = (result * (weights * 0.7).sin()).sum()
        return (result.detach(), *pellucid.grad(total, leaves))

    return both


def compare(attend: Attend, *inputs: Any, tolerance: float = 2e-5) -> list[Any]:
    """Compiled against eager, results and gradients; gives the compiled ones."""
    both = with_gradients(attend, *inputs)
    compiled = pellucid.compile(both)
    found = compiled(*inputs)
    for a, b in zip(found, both(*inputs), strict=True):
        bound = tolerance * max(1.0, float(b.abs().max()))
        np.testing.assert_allclose(a.numpy(), b.numpy(), 0, bound)
    names = {op for k in compiled.explain().kernels for op in k.operations}
    assert {"attention", "attention_gradient"} <= names
    return list(found)


SHAPES = [
    (1, 1, 1, 1, 1, 1),
    (2, 3, 1, 7, 5, 5),
    (1, 2, 7, 1, 3, 9),
    (2, 1, 50, 47, 8, 8),
    (1, 2, 97, 130, 17, 12),
    (3, 1, 48, 96, 32, 32),
    (1, 1, 130, 49, 64, 80),
]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_attention_is_the_definition(shape: tuple[int, ...], causal: bool) -> None:
    n, h, queries, keys, width, values = shape
    q, k, v = drawn(n, h, queries, width), drawn(n, h, keys, width, seed=1), None
    v = drawn(n, h, keys, values, seed=2)
    found = compare(
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=causal), q, k, v
    )
    seen = np.tri(queries, keys, dtype=bool) if causal else None
    np.testing.assert_allclose(found[0].numpy(), definition(q, k, v, seen), 0, 3e-6)


def test_in_double_precision_gradients_are_the_numerical_ones() -> None:
    q, k, v = (drawn(2, n, 5, seed=n, dtype="float64") for n in (51, 53, 53))

    @pellucid.compile
    def loss(q: Any, k: Any, v: Any) -> Any:
        result = functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.9)
        return (result * result).sum()

    inputs = [q, k, v]
    compiled = pellucid.compile(
        lambda *given: pellucid.grad(
            loss(*(leaves := [x.detach().requires_grad_() for x in given])), leaves
        )
    )
    for position, gradient in enumerate(compiled(*inputs)):
        direction = drawn(*inputs[position].shape, seed=9, dtype="float64")
        ends = []
        for step in (1e-5, -1e-5):
            moved = list(inputs)
            moved[position] = inputs[position] + step * direction
            ends.append(float(loss(*moved)))
        assert float((gradient * direction).sum()) == pytest.approx(
            (ends[0] - ends[1]) / 2e-5, rel=1e-6
        )


@pytest.mark.parametrize("form", ["(L, S)", "(N, 1, 1, S)", "(N, H, L, S)", "(L, 1)"])
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_masks_of_every_form(form: str, kind: str) -> None:
    n, h, queries, keys = 2, 3, 50, 61
    shape = {"(L, S)": (queries, keys), "(N, 1, 1, S)": (n, 1, 1, keys), "(L, 1)": (queries, 1)}
    rng = np.random.default_rng(4)
    seen = rng.random(shape.get(form, (n, h, queries, keys))) < 0.6
    seen.reshape(-1)[:2] = False
    added = rng.standard_normal(seen.shape).astype("float32")
    mask = pellucid.tensor(seen if kind == "bool" else added)
    q, k, v = (drawn(n, h, s, 8, seed=i) for i, s in enumerate((queries, keys, keys)))
    found = compare(lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, mask), q, k, v)
    given = {"seen": seen} if kind == "bool" else {"added": added}
    np.testing.assert_allclose(found[0].numpy(), definition(q, k, v, **given), 0, 3e-6)


def test_queries_that_see_nothing_give_0_and_no_gradient() -> None:
    seen = np.ones((5, 70), bool)
    seen[[1, 4]] = False
    for mask in (seen, np.where(seen, 0.0, -np.inf).astype("float32")):
        q, k, v = (drawn(2, n, 6, seed=n) for n in (5, 70, 70))
        result, to_q, to_k, to_v = compare(
            lambda q, k, v, mask=mask: functional.scaled_dot_product_attention(
                q, k, v, pellucid.tensor(mask)
            ),
            q,
            k,
            v,
        )
        assert not result.numpy()[:, [1, 4]].any()
        assert not to_q.numpy()[:, [1, 4]].any()
        assert np.isfinite(to_k.numpy()).all() and np.isfinite(to_v.numpy()).all()


def test_grouped_heads_read_shared_keys_in_place() -> None:
    q, k, v = drawn(2, 6, 20, 8), drawn(2, 2, 30, 8, seed=1), drawn(2, 2, 30, 8, seed=2)
    mask = pellucid.tensor(np.random.default_rng(3).random((2, 6, 20, 30)) < 0.7)
    for given in (None, mask, mask[:, :1], mask[0, 0]):

        def attend(q: Any, k: Any, v: Any, given: Any = given) -> Any:
            return functional.scaled_dot_product_attention(q, k, v, given, enable_gqa=True)

        found = compare(attend, q, k, v)
        wide = [pellucid.tensor(np.repeat(x.numpy(), 3, 1)) for x in (k, v)]
        seen = None if given is None else given.numpy()
        np.testing.assert_allclose(found[0].numpy(), definition(q, *wide, seen), 0, 3e-6)


def test_bits_do_not_depend_on_threads() -> None:
    inputs = [drawn(2, 4, 130, 16, seed=i) for i in range(3)]
    both = pellucid.compile(
        with_gradients(
            lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True),
            *inputs,
        )
    )
    before = get_num_threads()
    try:
        set_num_threads(1)
        alone = [x.numpy().tobytes() for x in both(*inputs)]
        set_num_threads(2)
        assert alone == [x.numpy().tobytes() for x in both(*inputs)]
    finally:
        set_num_threads(before)


def test_memory_grows_with_positions_and_not_with_their_square() -> None:
    length, width = 4096, 8
    inputs = [drawn(1, 1, length, width, seed=i) for i in range(3)]
    both = pellucid.compile(
        with_gradients(
            lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True),
            *inputs,
        )
    )
    both(*inputs)
    # Operands, results and what the gradient keeps: far from 64 MiB of scores.
    assert both.explain().arena_bytes < 12 * length * width * 4


def test_second_derivatives_of_a_compiled_program() -> None:
    q, k, v = (drawn(1, 5, 3, seed=i, dtype="float64") for i in range(3))

    def twice(q: Any, k: Any, v: Any) -> Any:
        leaves = [x.detach().requires_grad_() for x in (q, k, v)]
        result = functional.scaled_dot_product_attention(*leaves, is_causal=True)
        first = pellucid.grad((result**2).sum(), leaves, create_graph=True)
        return pellucid.grad(sum((g**2).sum() for g in first), leaves)

    for a, b in zip(pellucid.compile(twice)(q, k, v), twice(q, k, v), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-9, 1e-12)


def test_not_a_number_spreads_to_its_rows_only() -> None:
    q, k, v = (drawn(1, 60, 4, seed=i) for i in range(3))
    broken = q.numpy().copy()
    broken[0, 7] = np.nan
    attend = pellucid.compile(
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    )
    with pellucid.no_grad():
        found = attend(pellucid.tensor(broken), k, v).numpy()
        whole = attend(q, k, v).numpy()
    whole[0, 7] = np.nan
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)


def test_layers_use_it_in_training_steps() -> None:
    pellucid.manual_seed(1)
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    x = drawn(2, 9, 16)
    hidden = pellucid.tensor(np.arange(9) >= np.asarray([[6], [9]]))

    def loss(x: Any) -> Any:
        leaf = x.detach().requires_grad_()
        result = layer(leaf, src_key_padding_mask=hidden).square().mean()
        return (result.detach(), *pellucid.grad(result, [leaf, *layer.parameters()]))

    compiled = pellucid.compile(loss)
    for a, b in zip(compiled(x), loss(x), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 2e-4, 2e-6)
    assert "attention" in {op for k in compiled.explain().kernels for op in k.operations}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_draws_the_same_weights_in_compiled_and_eager_programs(
    masked: bool, dtype: str
) -> None:
    shape, keys = (2, 3, 50, 8), 61
    q, k = drawn(*shape, dtype=dtype), drawn(2, 3, keys, 8, seed=1, dtype=dtype)
    v = drawn(2, 3, keys, 5, seed=2, dtype=dtype)
    mask = pellucid.tensor(np.random.default_rng(5).random((50, keys)) < 0.8) if masked else None
    both = with_gradients(
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, mask, 0.3), q, k, v
    )
    compiled = pellucid.compile(both)
    results = []
    for run in (compiled, both):
        pellucid.manual_seed(11)
        results.append([x.numpy() for _ in range(2) for x in run(q, k, v)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, 0, 3e-5 * max(1.0, np.abs(b).max()))
    assert not np.allclose(results[0][0], results[0][4])  # every step draws anew
    names = {op for kernel in compiled.explain().kernels for op in kernel.operations}
    assert "attention" in names and "random_uniform" not in names


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    q, k = pellucid.zeros(1, 200, 4), pellucid.zeros(1, 100, 4)
    v = pellucid.eye(100).unsqueeze(0)  # the result is the weights
    pellucid.manual_seed(2)
    attend = pellucid.compile(
        lambda: functional.scaled_dot_product_attention(q, k, v, dropout_p=0.25)
    )
    with pellucid.no_grad():
        weights = attend().numpy()
    assert abs((weights == 0).mean() - 0.25) < 0.02
    np.testing.assert_allclose(weights[weights > 0], 0.01 / 0.75, rtol=1e-5)


def test_attentions_that_differ_in_values_alone_are_kept_apart() -> None:
    q, k, v, w = (drawn(1, 9, 4, seed=i) for i in range(4))

    def attend(q: Any, k: Any, v: Any) -> Any:
        first = functional.scaled_dot_product_attention(q, k, v)
        return first + 2 * functional.scaled_dot_product_attention(q, k, v * w)

    compare(attend, q, k, v)
