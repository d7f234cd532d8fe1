"""Errors, dropout of channels, and compiled CTC and bags; needs no PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError


def ones(*shape: int) -> Any:
    return pellucid.ones(*shape)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.MaxPool2d(5)(ones(1, 2, 3, 8)), "a window of 5 does not fit on an axis of 3"),
        (lambda: nn.MaxPool2d(2)(ones(3, 4)), r"it needs \(N, C, H, W\) or \(C, H, W\)"),
        (lambda: nn.ReflectionPad1d(4)(ones(1, 2, 4)), "amounts of at most 3"),
        (lambda: nn.PixelShuffle(2)(ones(1, 3, 2, 2)), r"it needs \(…, C · 4, H, W\)"),
        (lambda: nn.Fold((4, 5), 2)(ones(1, 8, 7)), r"it needs \(N, C · 4, 12\)"),
        (lambda: nn.InstanceNorm2d(3)(ones(2, 3, 1, 1)), "a single value has no variance"),
        (lambda: nn.Upsample(size=3, mode="bilinear")(ones(1, 2, 3)), r"use mode=.linear."),
        (lambda: nn.EmbeddingBag(4, 2)(ones(3).long()), "without offsets"),
    ],
)
def test_shape_errors_say_what_fits(call: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        call()


def test_argument_errors() -> None:
    with pytest.raises(ArgumentError, match="at most half a window"):
        F.max_pool1d(ones(1, 1, 8), 2, padding=2)
    with pytest.raises(ArgumentError, match="pass one of them"):
        F.interpolate(ones(1, 1, 8))
    with pytest.raises(ArgumentError, match='need mode="sum"'):
        F.embedding_bag(ones(1, 2).long(), ones(3, 2), per_sample_weights=ones(1, 2))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Dropout1d(0.4), (50, 40, 3)),
        (nn.Dropout2d(0.4), (50, 40, 2, 3)),
        (nn.Dropout3d(0.4), (50, 40, 2, 1, 3)),
        (nn.FeatureAlphaDropout(0.4), (50, 40, 3)),
    ],
)
def test_dropout_of_channels(layer: Any, shape: tuple) -> None:
    """All positions of a channel share one fate, drawn with probability p; eager as compiled."""
    pellucid.manual_seed(3)
    y = layer(ones(*shape))
    flat = y.numpy().reshape(50, 40, -1)
    assert (flat == flat[:, :, :1]).all()
    assert abs((flat[:, :, 0] == flat.min()).mean() - 0.4) < 0.06
    pellucid.manual_seed(3)
    assert_close(pellucid.compile(lambda x: layer(x))(ones(*shape)), y, 1e-6, 1e-6)
    assert (layer.eval()(ones(*shape)).numpy() == 1).all()


def test_compiled_ctc(rng) -> None:
    def run(x: Any, targets: Any, inputs: Any, lengths: Any) -> tuple:
        loss = F.ctc_loss(x.log_softmax(-1), targets, inputs, lengths)
        return loss, *pellucid.grad(loss, [x])

    x = pellucid.tensor(rng.normal(size=(6, 2, 4)).astype(np.float32), requires_grad=True)
    given = [pellucid.tensor(v) for v in ([[1, 1], [3, 2]], [6, 5], [2, 1])]
    for a, b in zip(pellucid.compile(run)(x, *given), run(x, *given), strict=True):
        assert_close(a, b, 1e-4, 1e-5)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_compiled_bags(mode: str) -> None:
    table = nn.EmbeddingBag(6, 3, mode=mode, padding_idx=1)

    def run(ids: Any, starts: Any) -> tuple:
        y = table(ids, starts)
        return y, *pellucid.grad(y.square().sum(), [table.weight])

    given = [pellucid.tensor([0, 1, 5, 5, 2]), pellucid.tensor([0, 2, 2])]
    for a, b in zip(pellucid.compile(run)(*given), run(*given), strict=True):
        assert_close(a, b, 1e-5, 1e-6)
