"""Pooling, padding, resizing, folding, instance norm, bags and CTC, against PyTorch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

import torch.nn.functional as TF  # noqa: E402, N812

import pellucid  # noqa: E402
import pellucid.nn.functional as F  # noqa: E402, N812
from helpers import assert_close, assert_same  # noqa: E402
from nn.parity import compare  # noqa: E402
from pellucid import nn  # noqa: E402

pytestmark = pytest.mark.parity


def ties(*shape: int) -> np.ndarray:
    """Few different values, so that windows hold equal maxima."""
    return np.random.default_rng(5).integers(-3, 4, shape).astype(np.float32)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(6).normal(size=shape).astype(np.float32)


def same(name: str, arrays: list, *args: Any, tolerance: float = 2e-5, **options: Any) -> None:
    compare(
        lambda *x: getattr(F, name)(*x, *args, **options),
        lambda *x: getattr(TF, name)(*x, *args, **options),
        arrays,
        rtol=tolerance,
        atol=tolerance,
    )


POOLS = list(
    itertools.product([2, 3, (3, 2)], [None, 1, (3, 1)], [0, 1], [1, 2], [False, True])
)  # kernel, stride, padding, dilation, ceil_mode


@pytest.mark.parametrize(("k", "s", "p", "d", "c"), POOLS)
def test_max_pool(k: Any, s: Any, p: int, d: int, c: bool) -> None:
    """The gradient belongs to the first of equal maxima; positions agree."""
    options = {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": c}
    same("max_pool2d", [ties(2, 3, 7, 8)], **options)
    x = ties(3, 7, 8)
    mine = F.max_pool2d(pellucid.tensor(x), return_indices=True, **options)[1]
    assert_same(mine, TF.max_pool2d(torch.tensor(x), return_indices=True, **options)[1])


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("divisor", [None, 3])
@pytest.mark.parametrize(("k", "s", "p", "c"), [v[:3] + v[4:] for v in POOLS if v[3] == 1])
def test_avg_pool(k: Any, s: Any, p: int, c: bool, include: bool, divisor: int | None) -> None:
    same("avg_pool2d", [normal(2, 3, 7, 8)], k, s, p, c, include, divisor)


def test_pools_of_signals_and_volumes() -> None:
    for x, n in ((ties(2, 3, 9), 1), (ties(2, 3, 5, 6, 7), 3)):
        same(f"max_pool{n}d", [x], 3, 2, 1)
        same(f"avg_pool{n}d", [x], 3, 2, 1)
        same(f"adaptive_max_pool{n}d", [x], 2)
        same(f"adaptive_avg_pool{n}d", [x], 4)
        same(f"lp_pool{n}d", [abs(x) + 1], 2.0, 2)


def test_nan_is_a_maximum() -> None:
    x = np.array([[[1, np.nan, 0, 2, 1, 3]]], np.float32)
    assert_same(F.max_pool1d(pellucid.tensor(x), 3), TF.max_pool1d(torch.tensor(x), 3))


@pytest.mark.parametrize("size", [1, 2, 3, (4, None), (5, 7), (9, 11)])
def test_adaptive_pool(size: Any) -> None:
    same("adaptive_avg_pool2d", [normal(2, 3, 6, 8)], size)
    same("adaptive_max_pool2d", [ties(2, 3, 6, 8)], size)
    x = ties(2, 6, 8)
    mine = F.adaptive_max_pool2d(pellucid.tensor(x), size, True)[1]
    assert_same(mine, TF.adaptive_max_pool2d(torch.tensor(x), size, True)[1])


def test_unpool() -> None:
    y, places = TF.max_pool2d(torch.tensor(normal(2, 3, 7, 9)), 2, return_indices=True)
    compare(
        lambda v: F.max_unpool2d(v, pellucid.tensor(places.numpy()), 2, output_size=(7, 9)),
        lambda v: TF.max_unpool2d(v, places, 2, output_size=(7, 9)),
        [y.numpy()],
    )


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "constant"])
@pytest.mark.parametrize("amounts", [(1, 2), (3, 0), (-1, 2), (2, -1)])
def test_pad(mode: str, amounts: tuple) -> None:
    same("pad", [normal(2, 3, 6)], amounts, mode)
    same("pad", [normal(2, 3, 5, 6)], (*amounts, 1, 1), mode)
    same("pad", [normal(2, 3, 5, 5, 6)], (*amounts, 1, 1, 0, 2), mode)


@pytest.mark.parametrize(
    ("k", "s", "p", "d"), list(itertools.product([2, (3, 2)], [1, (3, 1)], [0, 1], [1, 2]))
)
def test_unfold_and_fold(k: Any, s: Any, p: int, d: int) -> None:
    options = {"kernel_size": k, "stride": s, "padding": p, "dilation": d}
    same("unfold", [normal(2, 3, 7, 8)], **options)
    columns = TF.unfold(torch.zeros(2, 3, 7, 8), **options).shape
    same("fold", [normal(*columns)], (7, 8), **options)


SIZES = [
    {"size": (3, 4)},
    {"size": (13, 9)},
    {"size": 1},
    {"size": (5, 7)},
    {"scale_factor": 2},
    {"scale_factor": (1.7, 0.6)},
    {"scale_factor": 2.3, "recompute_scale_factor": True},
]


@pytest.mark.parametrize("options", SIZES, ids=str)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
def test_interpolate(mode: str, options: dict) -> None:
    for corners in (None, True) if mode.startswith("bi") else (None,):
        same("interpolate", [normal(2, 3, 5, 7)], mode=mode, align_corners=corners, **options)


def test_interpolate_signals_and_volumes() -> None:
    same("interpolate", [normal(2, 3, 7)], scale_factor=3, mode="linear")
    same("interpolate", [normal(2, 3, 3, 5, 4)], scale_factor=2, mode="trilinear")


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("outside", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, outside: str, corners: bool) -> None:
    options = {"mode": mode, "padding_mode": outside, "align_corners": corners}
    same("grid_sample", [normal(2, 3, 5, 7), normal(2, 4, 6, 2)], tolerance=1e-4, **options)
    if mode != "bicubic":
        same("grid_sample", [normal(1, 2, 4, 5, 3), normal(1, 4, 3, 2, 3)], tolerance=1e-4,
             **options)  # fmt: skip
    same("affine_grid", [normal(2, 2, 3)], (2, 1, 4, 5), corners)
    same("affine_grid", [normal(2, 3, 4)], (2, 1, 3, 4, 5), corners)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("blank", [0, 4])
@pytest.mark.parametrize("joined", [False, True])
def test_ctc(reduction: str, zero_infinity: bool, blank: int, joined: bool, rng) -> None:
    """Different lengths, an empty target, a repeated label, one that cannot be aligned."""
    targets = rng.integers(0, 4, (4, 4)) + (blank == 0)
    targets[0] = 1
    inputs, lengths = np.array([5, 8, 7, 8]), np.array([4 if zero_infinity else 2, 3, 0, 4])
    if joined:
        targets = np.concatenate([row[:n] for row, n in zip(targets, lengths, strict=True)])

    def loss(library: Any, functional: Any) -> Any:
        given = [library.tensor(v) for v in (targets, inputs, lengths)]
        return lambda x: functional.ctc_loss(
            x.log_softmax(-1), *given, blank, reduction, zero_infinity
        )

    compare(loss(pellucid, F), loss(torch, TF), [normal(8, 4, 5)], rtol=1e-4, atol=1e-5)


def test_ctc_of_a_target_that_does_not_fit_is_infinite() -> None:
    x = pellucid.tensor(normal(2, 1, 3)).log_softmax(-1)
    loss = F.ctc_loss(x, pellucid.tensor([[1, 1]]), [2], [2])
    assert loss.item() == float("inf")


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("last", [False, True])
def test_embedding_bag(mode: str, padding_idx: int | None, last: bool) -> None:
    ids, starts = np.array([1, 2, 2, 0, 6, 5, 2, 1]), np.array([0, 3, 3, 5, 8][: 5 if last else 4])

    def bags(library: Any, functional: Any, ids: Any, starts: Any) -> Any:
        places = None if starts is None else library.tensor(starts)
        return lambda w: functional.embedding_bag(
            library.tensor(ids), w, places, mode=mode, padding_idx=padding_idx,
            include_last_offset=last and starts is not None,
        )  # fmt: skip

    for given, at in ((ids, starts), (ids.reshape(2, 4), None)):
        compare(bags(pellucid, F, given, at), bags(torch, TF, given, at), [normal(7, 3)])


LAYERS = [
    ("MaxPool1d(2)", (2, 4, 9)),
    ("MaxPool2d(3, 2, 1, ceil_mode=True)", (2, 4, 8, 9)),
    ("MaxPool3d(2)", (1, 4, 4, 4, 4)),
    ("AvgPool1d(2)", (2, 4, 9)),
    ("AvgPool2d(3, 2, 1, count_include_pad=False)", (2, 4, 8, 9)),
    ("AvgPool3d(2)", (1, 4, 4, 4, 4)),
    ("AdaptiveAvgPool2d((2, None))", (2, 4, 8, 9)),
    ("AdaptiveMaxPool2d(3)", (2, 4, 8, 9)),
    ("ZeroPad2d(1)", (2, 4, 5, 6)),
    ("ConstantPad1d((1, 2), 3.5)", (2, 4, 5)),
    ("ReflectionPad2d((1, 2, 0, 1))", (2, 4, 5, 6)),
    ("ReplicationPad3d(1)", (1, 4, 2, 3, 3)),
    ("CircularPad2d(2)", (2, 4, 5, 6)),
    ("Upsample(scale_factor=2)", (2, 4, 3, 5)),
    ("Upsample(size=(7, 4), mode='bilinear')", (2, 4, 3, 5)),
    ("Upsample(scale_factor=2, mode='bicubic')", (1, 4, 3, 5)),
    ("UpsamplingNearest2d(scale_factor=2)", (2, 4, 3, 5)),
    ("UpsamplingBilinear2d(scale_factor=2)", (2, 4, 3, 5)),
    ("PixelShuffle(2)", (2, 4, 3, 5)),
    ("PixelUnshuffle(2)", (2, 4, 6, 4)),
    ("ChannelShuffle(2)", (2, 4, 3, 5)),
    ("Unfold(3, padding=1, stride=2)", (2, 4, 5, 6)),
    ("Fold((4, 5), 2)", (2, 8, 12)),
    ("InstanceNorm1d(4)", (2, 4, 5)),
    ("InstanceNorm2d(4, affine=True, track_running_stats=True)", (2, 4, 5, 6)),
    ("InstanceNorm3d(4, affine=True)", (2, 4, 2, 3, 4)),
    ("LocalResponseNorm(3, alpha=0.1)", (2, 4, 5, 6)),
]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(("text", "shape"), LAYERS)
def test_layer(text: str, shape: tuple, train: bool) -> None:
    """Text, state, output, gradients and buffers are PyTorch's."""
    theirs = eval("nn." + text, {"nn": torch.nn}).train(train)
    ours = eval("nn." + text, {"nn": nn}).train(train)
    if "Norm" not in text:
        assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    compare(ours, theirs, [normal(*shape)], rtol=1e-4, atol=1e-5)
    for (name, a), (_, b) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        if name != "num_batches_tracked":
            assert_same(a, b, 1e-5, 1e-6, f"buffer {name}")


@pytest.mark.parametrize(("text", "shape"), LAYERS)
def test_compiled_layer(text: str, shape: tuple) -> None:
    """A compiled call and its gradient are those of the eager one."""
    layer = eval("nn." + text, {"nn": nn})
    state = {name: value.clone() for name, value in layer.state_dict().items()}

    def run(x: Any) -> tuple:
        y = layer(x)
        return y, *pellucid.grad((y * y).sum(), [x])

    x = pellucid.tensor(normal(*shape), requires_grad=True)
    expected = [v.detach().numpy().copy() for v in run(x)]
    layer.load_state_dict(state)
    for a, b in zip(pellucid.compile(run)(x), expected, strict=True):
        assert_close(a, b, 1e-4, 1e-5)
