"""Attention and the Transformer give PyTorch's values, gradients, keys and initial values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import pellucid  # noqa: E402
import pellucid.nn.functional as F  # noqa: E402, N812
from helpers import assert_close  # noqa: E402
from nn.parity import compare  # noqa: E402
from pellucid import nn  # noqa: E402

TF = torch.nn.functional
pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:.*(nested_tensor|mismatched.*attn_mask).*:UserWarning"),
]


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def both(function: Any, *arrays: Any, **options: Any) -> None:
    """The functional of both libraries; arrays among the options are masks."""

    def given(library: Any) -> dict[str, Any]:
        return {
            k: library.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()
        }

    compare(
        lambda *x: getattr(F, function)(*x, **given(pellucid)),
        lambda *x: getattr(TF, function)(*x, **given(torch)),
        arrays,
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("shapes", [
    ((2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 7)),
    ((3, 4, 6), (3, 4, 6), (3, 4, 6)),
    ((1, 1), (1, 1), (1, 1)),
    ((2, 1, 8), (2, 9, 8), (2, 9, 3)),
])  # fmt: skip
@pytest.mark.parametrize("mask", ["none", "bool", "float", "causal", "rows"])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_function(shapes: tuple, mask: str, scale: float | None, rng) -> None:
    queries, keys = shapes[0][-2], shapes[1][-2]
    options: dict[str, Any] = {"scale": scale}
    if mask == "causal":
        options["is_causal"] = True
    if mask == "bool":
        options["attn_mask"] = rng.random((queries, keys)) < 0.7
    if mask == "rows":
        options["attn_mask"] = np.zeros((queries, keys), bool)
    if mask == "float":
        options["attn_mask"] = normal(rng, queries, keys)
    both("scaled_dot_product_attention", *(normal(rng, *s) for s in shapes), **options)


@pytest.mark.parametrize("heads", [(4, 2), (4, 1), (3, 3)])
@pytest.mark.parametrize("causal", [True, False])
def test_grouped_heads(heads: tuple, causal: bool, rng) -> None:
    q = normal(rng, 2, heads[0], 5, 4)
    k, v = (normal(rng, 2, heads[1], 5, 4) for _ in range(2))
    both("scaled_dot_product_attention", q, k, v, is_causal=causal, enable_gqa=True)


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    """The layer of both libraries with PyTorch's values; keys and shapes must agree."""
    theirs = getattr(torch.nn, name)(**options)
    ours = getattr(nn, name)(**options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) * 0.1
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def same_gradients(ours: Any, theirs: Any) -> None:
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        if b.grad is not None:
            assert_close(a.grad, b.grad, 2e-3, 2e-5, name)


OPTIONS = [
    {},
    {"bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True},
    {"kdim": 5, "vdim": 7},
    {"kdim": 8, "vdim": 7, "batch_first": True, "bias": False},
    {"batch_first": True},
]
MASKS = ["none", "padding", "bool", "float", "heads", "both", "causal"]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("weights", ["average", "heads", "none"])
def test_multihead_attention(options: dict, masks: str, weights: str, rng) -> None:
    if masks == "causal" and weights == "none" and str(options).count("add_"):
        pytest.skip("PyTorch then hides the added keys, though only with need_weights=False")
    n, length, keys = 2, 4, 4 if masks == "causal" else 6
    ours, theirs = pair("MultiheadAttention", embed_dim=8, num_heads=2, **options)
    sizes = [(length, n, 8), (keys, n, ours.kdim), (keys, n, ours.vdim)]
    if options.get("batch_first"):
        sizes = [(b, a, c) for a, b, c in sizes]
    arrays = [normal(rng, *s) for s in sizes]
    given: dict[str, Any] = {}
    if masks in ("padding", "both"):
        given["key_padding_mask"] = np.arange(keys) >= np.array([[keys], [3]])
    if masks in ("bool", "both"):
        given["attn_mask"] = np.triu(np.ones((length, keys), bool), 2)
    if masks == "float":
        given["attn_mask"] = normal(rng, length, keys)
    if masks == "heads":
        given["attn_mask"] = normal(rng, n * 2, length, keys)
    if masks == "causal":
        given |= {"attn_mask": np.triu(np.ones((length, keys), bool), 1), "is_causal": True}
    plain = {"need_weights": weights != "none", "average_attn_weights": weights == "average"}
    found = []
    for layer, library in ((ours, pellucid), (theirs, torch)):
        tensors = [library.tensor(a, requires_grad=True) for a in arrays]
        extra = {k: library.tensor(v) if not isinstance(v, bool) else v for k, v in given.items()}
        output, shown = layer(*tensors, **extra, **plain)
        loss = (output * output).sum()
        loss = loss if shown is None else loss + (shown * shown).sum()
        loss.backward()
        found.append([output, shown, *(t.grad for t in tensors)])
    for position, (a, b) in enumerate(zip(*found, strict=True)):
        assert (a is None) == (b is None)
        if b is not None:
            assert_close(a, b, 2e-4, 1e-5, f"result {position}")
    same_gradients(ours, theirs)


@pytest.mark.parametrize("need_weights", [True, False])
def test_without_a_batch_and_length_one(need_weights: bool, rng) -> None:
    ours, theirs = pair("MultiheadAttention", embed_dim=8, num_heads=4)
    for shape in ((3, 8), (1, 8), (1, 1, 8)):
        x = normal(rng, *shape)
        mine = ours(*[pellucid.tensor(x)] * 3, need_weights=need_weights)
        other = theirs(*[torch.tensor(x)] * 3, need_weights=need_weights)
        assert_close(mine[0], other[0], 1e-4, 1e-6)
        if need_weights:
            assert_close(mine[1], other[1], 1e-4, 1e-6)


@pytest.mark.parametrize("need_weights", [True, False])
def test_fully_masked_rows(need_weights: bool, rng) -> None:
    ours, theirs = pair("MultiheadAttention", embed_dim=4, num_heads=2)
    x, mask = normal(rng, 3, 2, 4), np.array([[True] * 3, [False] * 3, [False, True, True]])
    mine = ours(*[pellucid.tensor(x)] * 3, None, need_weights, pellucid.tensor(mask))
    other = theirs(*[torch.tensor(x)] * 3, None, need_weights, torch.tensor(mask))
    assert_close(mine[0], other[0], 1e-4, 1e-6)


@pytest.mark.parametrize(
    ("first", "batch_first", "bias"), list(itertools.product([True, False], repeat=3))
)
@pytest.mark.parametrize("activation", ["relu", "gelu", "function"])
def test_layers(first: bool, batch_first: bool, bias: bool, activation: str, rng) -> None:
    options = {
        "d_model": 8, "nhead": 2, "dim_feedforward": 12, "dropout": 0.0, "bias": bias,
        "batch_first": batch_first, "norm_first": first, "layer_norm_eps": 1e-4,
    }  # fmt: skip
    if activation != "function":
        options["activation"] = activation
    x, memory = normal(rng, 3, 3, 8), normal(rng, *((3, 5, 8) if batch_first else (5, 3, 8)))
    mask = np.triu(np.ones((3, 3), bool), 1)
    padding = np.arange(5) >= np.array([[5], [4], [2]])
    for name in ("TransformerEncoderLayer", "TransformerDecoderLayer"):
        own = {"activation": lambda t: t.sigmoid()} if activation == "function" else {}
        ours, theirs = pair(name, **options, **own)
        found = []
        for layer, library in ((ours, pellucid), (theirs, torch)):
            a, b = (library.tensor(t, requires_grad=True) for t in (x, memory))
            m, p = library.tensor(mask), library.tensor(padding)
            decoder = "Decoder" in name
            y = layer(a, b, m, memory_key_padding_mask=p) if decoder else layer(a, m)
            (y * y * y).sum().backward()
            found.append([y, a.grad, *([b.grad] if decoder else [])])
        for position, (a, b) in enumerate(zip(*found, strict=True)):
            assert_close(a, b, 2e-3, 1e-4, f"{name}, result {position}")
        same_gradients(ours, theirs)


@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer(batch_first: bool, rng) -> None:
    sizes = {"d_model": 8, "nhead": 2, "num_encoder_layers": 2, "num_decoder_layers": 2}
    ours, theirs = pair(
        "Transformer", **sizes, dim_feedforward=12, dropout=0.0, batch_first=batch_first
    )
    shapes = [(2, 6, 8), (2, 4, 8)] if batch_first else [(6, 2, 8), (4, 2, 8)]
    src, tgt = (normal(rng, *s) for s in shapes)
    found = []
    for model, library in ((ours, pellucid), (theirs, torch)):
        mask = library.nn.Transformer.generate_square_subsequent_mask(4)
        y = model(library.tensor(src), library.tensor(tgt), tgt_mask=mask, tgt_is_causal=True)
        (y * y * y).sum().backward()
        found.append(y)
    assert_close(*found, 1e-4, 1e-5)
    same_gradients(ours, theirs)


def test_initial_values_have_the_same_distribution() -> None:
    for name, options in (
        ("MultiheadAttention", {"embed_dim": 64, "num_heads": 4, "add_bias_kv": True}),
        ("MultiheadAttention", {"embed_dim": 64, "num_heads": 4, "kdim": 32, "vdim": 100}),
        ("TransformerEncoderLayer", {"d_model": 64, "nhead": 4}),
        ("Transformer", {"d_model": 32, "nhead": 2, "num_encoder_layers": 1,
                         "num_decoder_layers": 1, "dim_feedforward": 64}),
    ):  # fmt: skip
        ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
        for (key, a), (_, b) in zip(
            ours.named_parameters(), theirs.named_parameters(), strict=True
        ):
            a, b = a.detach().numpy().ravel(), b.detach().numpy().ravel()
            error = 6 * b.std() / np.sqrt(b.size) + 1e-7
            assert abs(a.std() - b.std()) < error and abs(a.mean() - b.mean()) < 1.5 * error, key


def test_the_subsequent_mask() -> None:
    ours = nn.Transformer.generate_square_subsequent_mask(5)
    assert_close(ours, torch.nn.Transformer.generate_square_subsequent_mask(5))
