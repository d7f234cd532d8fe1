"""Parity with PyTorch of the layers and functions that few networks use."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_same
from nn.parity import compare
from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError

# ---- fractional max pooling -----------------------------------------------------------------

FRACTIONAL: list[tuple[tuple[int, ...], Any, dict[str, Any]]] = [
    ((2, 3, 11, 7), (2, 3), {"output_size": (6, 4)}),
    ((3, 9, 8), 2, {"output_size": (1, 7)}),
    ((1, 1, 4, 4), 4, {"output_size": 1}),
    ((2, 2, 20, 13), 3, {"output_ratio": (0.7, 0.5)}),
    ((2, 2, 7, 9, 6), (2, 3, 2), {"output_size": (4, 5, 4)}),
    ((2, 5, 6, 7), 2, {"output_ratio": (0.5, 0.6, 0.7)}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "kernel", "extents"), FRACTIONAL)
def test_fractional_max_pooling(
    shape: tuple[int, ...], kernel: Any, extents: dict[str, Any], dtype: str
) -> None:
    rng = np.random.default_rng(len(shape))
    count = 3 if len(shape) == 5 or len(extents.get("output_ratio", ())) == 3 else 2
    x = rng.integers(0, 9, shape).astype(dtype)  # with many equal maxima
    lead = shape[:-count] if len(shape) == count + 2 else (1, *shape[:-count])
    samples = rng.random((*lead, count)).astype(dtype)
    name = f"fractional_max_pool{count}d"
    settings = {"_random_samples": samples, **extents}

    def call(library: Any, functions: Any) -> Any:
        given = {**settings, "_random_samples": library.tensor(samples)}
        return lambda x: getattr(functions, name)(x, kernel, **given)

    compare(call(pellucid, F), call(torch, torch.nn.functional), [x])
    given = {**settings, "_random_samples": pellucid.tensor(samples), "return_indices": True}
    found = getattr(F, name)(pellucid.tensor(x), kernel, **given)
    given["_random_samples"] = torch.tensor(samples)
    expected = getattr(torch.nn.functional, name)(torch.tensor(x), kernel, **given)
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b, 0, 0)


def test_fractional_max_pooling_as_a_layer(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 10, 8)).astype(np.float32)
    samples = rng.random((2, 3, 2)).astype(np.float32)
    theirs = torch.nn.FractionalMaxPool2d(
        2, output_ratio=0.6, _random_samples=torch.tensor(samples)
    )
    ours = nn.FractionalMaxPool2d(2, output_ratio=0.6, _random_samples=pellucid.tensor(samples))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert_same(ours(pellucid.tensor(x)), theirs(torch.tensor(x)), 0, 0)
    volume = pellucid.tensor(rng.normal(size=(2, 3, 6, 7, 8)).astype(np.float32))
    places, indices = nn.FractionalMaxPool3d(2, (3, 4, 5), return_indices=True)(volume)
    assert places.shape == indices.shape == (2, 3, 3, 4, 5)
    assert (volume.flatten(2).gather(2, indices.flatten(2)) == places.flatten(2)).all()


def test_random_windows_differ_from_call_to_call_and_are_compiled(rng: Any) -> None:
    layer = nn.FractionalMaxPool2d(2, output_size=9)
    x = pellucid.tensor(rng.normal(size=(4, 8, 16, 16)).astype(np.float32))
    assert not pellucid.equal(layer(x), layer(x))
    compiled = pellucid.compile(lambda x: layer(x))
    pellucid.manual_seed(3)
    expected = layer(x)
    pellucid.manual_seed(3)
    assert pellucid.equal(compiled(x), expected)


def test_errors_of_fractional_max_pooling() -> None:
    with pytest.raises(ArgumentError, match="pass one of them"):
        nn.FractionalMaxPool2d(2)
    with pytest.raises(ArgumentError, match="output_ratio=1.5"):
        nn.FractionalMaxPool3d(2, output_ratio=1.5)
    x = pellucid.zeros(1, 1, 4, 4)
    with pytest.raises(ShapeError, match="4 windows of 2 elements .* need an axis of 5"):
        F.fractional_max_pool2d(x, 2, 4)
    with pytest.raises(ShapeError, match=r"here \(1, 1, 2\)"):
        F.fractional_max_pool2d(x, 2, 3, _random_samples=pellucid.zeros(1, 2, 2))


# ---- interpolation with a filter ------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("align_corners", [None, False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((2, 3, 13, 9), {"size": (5, 4)}),
        ((1, 2, 7, 5), {"size": (15, 11)}),
        ((2, 1, 16, 16), {"scale_factor": 0.37}),
        ((1, 1, 8, 9), {"scale_factor": (2.3, 0.6)}),
        ((1, 2, 10, 10), {"scale_factor": 0.45, "recompute_scale_factor": True}),
        ((1, 1, 1, 3), {"size": (3, 1)}),
        ((1, 1, 8, 9), {"size": (8, 9)}),
    ],
)
def test_antialias(
    shape: tuple[int, ...], settings: dict[str, Any], mode: str, align_corners: Any, dtype: str
) -> None:
    x = np.random.default_rng(4).normal(size=shape).astype(dtype)
    settings = {**settings, "mode": mode, "align_corners": align_corners, "antialias": True}
    compare(
        lambda x: F.interpolate(x, **settings),
        lambda x: torch.nn.functional.interpolate(x, **settings),
        [x],
        rtol=3e-6 if dtype == "float32" else 1e-12,
        atol=3e-6 if dtype == "float32" else 1e-12,
    )


def test_antialias_keeps_means_and_is_for_two_modes() -> None:
    x = pellucid.rand(1, 1, 12, 12)
    small = F.interpolate(x, size=(3, 3), mode="bilinear", antialias=True)
    assert small.mean().item() == pytest.approx(x.mean().item(), abs=0.05)
    with pytest.raises(ArgumentError, match="antialias=True with mode='nearest'"):
        F.interpolate(x, size=(3, 3), antialias=True)


# ---- other functions ------------------------------------------------------------------------


@pytest.mark.parametrize("pad", [0, 2])
def test_conv_tbc(pad: int, rng: np.random.Generator) -> None:
    arrays = [rng.normal(size=s).astype(np.float32) for s in ((7, 2, 3), (3, 3, 5), (5,))]
    compare(lambda *a: F.conv_tbc(*a, pad=pad), lambda *a: torch.conv_tbc(*a, pad=pad), arrays)
    with pytest.raises(ShapeError, match=r"give an input \(T, N, C\)"):
        F.conv_tbc(pellucid.zeros(7, 2, 4), pellucid.zeros(3, 3, 5), pellucid.zeros(5))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("out", "settings"),
    [
        ((), {}),
        ((), {"reduction": "sum", "label_smoothing": 0.1}),
        ((), {"reduction": "none", "ignore_index": 2}),
        ((2, 3), {}),
    ],
)
def test_linear_cross_entropy(
    out: tuple[int, ...], settings: dict[str, Any], bias: bool, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(6, 4)).astype(np.float32)
    ids = rng.integers(0, 5, (6, *out))
    weight = rng.normal(size=(5, *out, 4)).astype(np.float32)
    shift = rng.normal(size=(5, *out)).astype(np.float32)

    def loss(functions: Any) -> Any:
        return lambda x, w, y, b: functions.linear_cross_entropy(
            x, w, y, linear_bias=b if bias else None, **settings
        )

    compare(loss(F), loss(torch.nn.functional), [x, weight, ids, shift])


def test_linear_cross_entropy_of_probabilities_and_one_sample(rng: np.random.Generator) -> None:
    share = rng.dirichlet(np.ones(5), 3).astype(np.float32)
    arrays = [rng.normal(size=s).astype(np.float32) for s in ((3, 4), (5, 4))]
    compare(
        F.linear_cross_entropy, torch.nn.functional.linear_cross_entropy, [*arrays, share],
        frozen=[2],
    )  # fmt: skip
    single = [arrays[0][0], arrays[1], np.asarray(2)]
    compare(F.linear_cross_entropy, torch.nn.functional.linear_cross_entropy, single)


def test_the_layer_of_linear_cross_entropy(rng: np.random.Generator) -> None:
    settings = {"out_features": (2,), "bias": True, "label_smoothing": 0.2}
    theirs = torch.nn.LinearCrossEntropyLoss(4, 5, **settings, weight=torch.arange(5.0))
    ours = nn.LinearCrossEntropyLoss(4, 5, **settings, weight=pellucid.arange(5.0))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: pellucid.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    x, ids = rng.normal(size=(6, 4)).astype(np.float32), rng.integers(0, 5, (6, 2))
    value = ours(pellucid.tensor(x), pellucid.tensor(ids))
    assert_same(value, theirs(torch.tensor(x), torch.tensor(ids)), 2e-6, 0)
    with pytest.raises(ShapeError, match=r"give an input \(N, I\)"):
        ours(pellucid.zeros(6, 3), pellucid.tensor(ids))
    assert_same(  # options of a kernel that is not here change nothing
        F.linear_cross_entropy(
            pellucid.zeros(2, 3),
            pellucid.zeros(4, 3),
            pellucid.zeros(2).long(),
            options=torch.nn.LinearCrossEntropyOptions(),
        ),
        np.float32(np.log(4)),
        1e-6,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("shapes", "ends"),
    [
        (((12, 8), (3, 8, 16)), [2, 2, 12]),
        (((3, 8, 16), (16, 24)), [2, 8, 24]),
        (((8, 16), (16, 8)), [4, 4, 12]),
        (((3, 4, 8), (3, 8, 16)), None),
    ],
)
def test_grouped_products(
    shapes: Any, ends: list[int] | None, dtype: str, rng: np.random.Generator
) -> None:
    arrays = [rng.normal(size=s).astype(np.float32) for s in shapes]

    def product(library: Any, functions: Any) -> Any:
        offs = None if ends is None else library.tensor(ends, dtype=library.int32)
        narrow = getattr(library, dtype)
        return lambda a, b: functions.grouped_mm(a.to(narrow), b.to(narrow), offs=offs).float()

    with torch.no_grad():  # PyTorch has gradients for some strides only
        expected = product(torch, torch.nn.functional)(*map(torch.tensor, arrays))
    tolerance = 1e-5 if dtype == "float32" else 1e-2
    found = product(pellucid, F)(*map(pellucid.tensor, arrays))
    assert_same(found, expected, tolerance, tolerance)


def test_gradients_and_errors_of_grouped_products(rng: np.random.Generator) -> None:
    a, b = (pellucid.tensor(rng.normal(size=s), requires_grad=True) for s in ((5, 3), (2, 3, 4)))
    bias = pellucid.tensor(rng.normal(size=4), requires_grad=True)
    ends = pellucid.tensor([2, 4])
    assert pellucid.gradcheck(lambda a, b, c: F.grouped_mm(a, b, offs=ends, bias=c), [a, b, bias])
    found = F.grouped_mm(a, b, offs=[2, 4])
    assert_same(found[:2], a[:2].matmul(b[0]), 1e-12, 0)
    assert found[4].tolist() == [0.0] * 4
    step = pellucid.compile(lambda a, b: F.grouped_mm(a, b, offs=[2, 4]))
    assert_same(step(a, b), found, 1e-12, 1e-12)
    with pytest.raises(ArgumentError, match=r"offs=\[4, 2\]"):
        F.grouped_mm(a, b, offs=[4, 2])
    with pytest.raises(ShapeError, match="without offs"):
        F.grouped_mm(a, b)


# ---- multi-head attention as a function -----------------------------------------------------


def attention_arrays(rng: np.random.Generator, separate: bool, kdim: int) -> dict[str, Any]:
    shapes: dict[str, tuple[int, ...]] = {
        "query": (5, 2, 8), "key": (4, 2, kdim), "value": (4, 2, kdim),
        "in_proj_bias": (24,), "out_proj_weight": (8, 8), "out_proj_bias": (8,),
    }  # fmt: skip
    if separate:
        shapes |= {"q_proj_weight": (8, 8), "k_proj_weight": (8, kdim), "v_proj_weight": (8, kdim)}
    else:
        shapes["in_proj_weight"] = (24, 8)
    return {name: rng.normal(size=s) for name, s in shapes.items()}


def compare_attention(arrays: dict[str, Any], settings: dict[str, Any], frozen: Any = ()) -> None:
    """Output, weights and all gradients; unnamed parts are None."""
    names = list(arrays)

    def call(functions: Any, weights_too: bool) -> Any:
        def function(*tensors: Any) -> Any:
            given = {
                "in_proj_weight": None, "bias_k": None, "bias_v": None, "add_zero_attn": False,
                "embed_dim_to_check": 8, "num_heads": 2, "dropout_p": 0.0,
                **settings, **dict(zip(names, tensors, strict=True)),
            }  # fmt: skip
            output, weights = functions.multi_head_attention_forward(**given)
            return weights if weights_too else output

        return function

    values = list(arrays.values())
    places = [names.index(n) for n in frozen]
    theirs = torch.nn.functional
    compare(call(F, False), call(theirs, False), values, frozen=places, rtol=1e-9, atol=1e-11)
    if settings.get("need_weights", True):
        compare(call(F, True), call(theirs, True), values, frozen=places, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"need_weights": False},
        {"average_attn_weights": False},
        {"add_zero_attn": True},
        {"dropout_p": 0.5, "training": False},
    ],
)
@pytest.mark.parametrize("separate", [False, True])
def test_multi_head_attention_forward(
    separate: bool, settings: dict[str, Any], rng: np.random.Generator
) -> None:
    arrays = attention_arrays(rng, separate, 6 if separate else 8)
    compare_attention(arrays, {**settings, "use_separate_proj_weight": separate})


def test_multi_head_attention_forward_with_masks_and_further_keys(rng: np.random.Generator) -> None:
    arrays = attention_arrays(rng, False, 8)
    arrays["key_padding_mask"] = np.asarray([[False, False, True, False], [False] * 4])
    arrays["attn_mask"] = np.triu(np.ones((5, 4), bool), 2)
    arrays["bias_k"], arrays["bias_v"] = rng.normal(size=(2, 1, 1, 8))
    compare_attention(arrays, {"add_zero_attn": True})
    arrays["attn_mask"] = rng.normal(size=(4, 5, 4))
    del arrays["key_padding_mask"]
    compare_attention(arrays, {}, frozen=["attn_mask"])


def test_multi_head_attention_forward_with_static_keys(rng: np.random.Generator) -> None:
    arrays = attention_arrays(rng, False, 8)
    arrays["static_k"] = rng.normal(size=(4, 4, 4))
    arrays["static_v"] = rng.normal(size=(4, 4, 4))
    compare_attention(arrays, {"need_weights": False})
    arrays["static_v"] = arrays["static_v"][:, :, :3]
    with pytest.raises(ShapeError, match=r"static_v of shape \(4, 4, 3\)"):
        compare_attention(arrays, {})


def test_a_query_of_another_width_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ShapeError, match="last axis is embed_dim_to_check"):
        compare_attention(attention_arrays(rng, False, 8), {"embed_dim_to_check": 6})


# ---- buffers as tensors ---------------------------------------------------------------------


def test_buffers_are_registered_by_assignment() -> None:
    def build(library: Any) -> Any:
        module = library.nn.Module()
        module.scale = library.nn.Buffer(library.ones(2))
        module.cache = library.nn.Buffer(library.zeros(3), persistent=False)
        return module

    ours, theirs = build(pellucid), build(torch)
    for module in (ours, theirs):
        assert [name for name, _ in module.named_buffers()] == ["scale", "cache"]
        assert list(module.state_dict()) == ["scale"]
        assert not list(module.parameters())
    assert (ours.scale + 1).tolist() == [2.0, 2.0]
    ours.scale = nn.Parameter(pellucid.ones(2))
    assert [name for name, _ in ours.named_buffers()] == ["cache"]
    for again in (copy.deepcopy(ours.cache), pickle.loads(pickle.dumps(ours.cache))):
        assert isinstance(again, nn.Buffer) and not again.persistent
        assert again.tolist() == [0.0] * 3
