"""Convolution layers against PyTorch over a grid of options: values, gradients, names, texts."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

import torch.nn.functional as TF  # noqa: E402, N812

import pellucid.nn.functional as F  # noqa: E402, N812
from helpers import assert_same  # noqa: E402
from nn.parity import compare  # noqa: E402
from pellucid import nn  # noqa: E402

pytestmark = pytest.mark.parity

LAYERS = [
    ("Conv1d(3, 4, 3)", (2, 3, 7)),
    ("Conv1d(3, 4, 3)", (3, 7)),
    ("Conv1d(4, 6, 5, stride=3, padding=4, dilation=2, groups=2, bias=False)", (2, 4, 11)),
    ("Conv1d(2, 3, 4, padding='same')", (2, 2, 9)),
    ("Conv1d(2, 3, 4, padding='valid', dilation=2)", (2, 2, 9)),
    ("Conv1d(2, 2, 2, stride=5)", (1, 2, 13)),
    ("Conv2d(3, 5, 3, padding=1)", (2, 3, 6, 5)),
    ("Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(0, 1))", (2, 3, 7, 5)),
    ("Conv2d(3, 5, 1)", (2, 3, 4, 5)),
    ("Conv2d(3, 5, 1, stride=2)", (2, 3, 5, 5)),
    ("Conv2d(4, 8, 3, padding=1, groups=4)", (2, 4, 5, 5)),
    ("Conv2d(4, 4, 3, padding=1, groups=4, stride=2, bias=False)", (2, 4, 7, 6)),
    ("Conv2d(4, 6, 3, padding=2, dilation=2, groups=2)", (1, 4, 6, 7)),
    ("Conv2d(2, 3, 3, padding=1, padding_mode='reflect')", (2, 2, 5, 4)),
    ("Conv2d(2, 3, 3, padding=(2, 1), padding_mode='circular', stride=2)", (2, 2, 5, 4)),
    ("Conv2d(2, 3, (4, 3), padding='same', padding_mode='replicate')", (2, 2, 5, 4)),
    ("Conv2d(2, 3, 5, padding=4, stride=6)", (1, 2, 4, 4)),
    ("Conv2d(3, 5, 3, padding=1)", (3, 6, 5)),
    ("Conv2d(3, 5, 3, padding=1)", (0, 3, 6, 5)),
    ("Conv2d(2, 20, 3)", (1, 2, 3, 3)),
    ("Conv3d(2, 3, 2, padding=1)", (1, 2, 3, 4, 3)),
    ("Conv3d(2, 4, (1, 2, 3), stride=(1, 2, 1), groups=2)", (2, 2, 2, 4, 4)),
    ("ConvTranspose1d(3, 4, 3)", (2, 3, 5)),
    ("ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)", (2, 4, 5)),
    ("ConvTranspose1d(2, 3, 2, stride=4)", (2, 3)),
    ("ConvTranspose2d(3, 5, 3, stride=2, padding=1, output_padding=1)", (2, 3, 4, 3)),
    ("ConvTranspose2d(3, 5, (2, 3), stride=(3, 1), padding=(0, 2), bias=False)", (2, 3, 4, 3)),
    ("ConvTranspose2d(4, 4, 3, groups=4, dilation=2)", (2, 4, 4, 3)),
    ("ConvTranspose2d(2, 3, 4, stride=2, padding=1)", (1, 2, 1, 1)),
    ("ConvTranspose2d(2, 3, 1, stride=5, padding=3)", (1, 2, 3, 3)),
    ("ConvTranspose3d(2, 3, 2, stride=2, output_padding=1)", (1, 2, 2, 2, 2)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize(("text", "shape"), LAYERS)
def test_layers(text: str, shape: tuple[int, ...], rng) -> None:
    torch.manual_seed(3)
    theirs = eval("nn." + text, {"nn": torch.nn})
    ours = eval("nn." + text, {"nn": nn})
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    x = rng.normal(size=shape).astype(np.float32)
    compare(ours, theirs, [x], rtol=1e-4, atol=1e-5)
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert_same(a.grad, b.grad, 1e-4, 1e-5, f"gradient of {name}")


def test_output_size_of_a_transposed_convolution(rng) -> None:
    x = rng.normal(size=(1, 2, 4, 4)).astype(np.float32)
    for size in ((7, 8), (8, 7)):
        theirs = torch.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
        ours = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
        ours.load_state_dict(theirs.state_dict())
        compare(
            lambda a, layer=ours, size=size: layer(a, output_size=size),
            lambda a, layer=theirs, size=size: layer(a, output_size=size),
            [x],
            rtol=1e-4,
            atol=1e-5,
        )


def test_functions_take_the_arguments_in_pytorchs_order(rng) -> None:
    x = rng.normal(size=(2, 4, 6, 6)).astype(np.float32)
    w = rng.normal(size=(4, 2, 3, 3)).astype(np.float32)
    b = rng.normal(size=4).astype(np.float32)
    compare(
        lambda *a: F.conv2d(*a, 2, 1, 2, 2),
        lambda *a: TF.conv2d(*a, 2, 1, 2, 2),
        [x, w, b],
        rtol=1e-4,
        atol=1e-5,
    )
    compare(
        lambda *a: F.conv_transpose2d(*a, 3, 1, 1, 2, 2),
        lambda *a: TF.conv_transpose2d(*a, 3, 1, 1, 2, 2),
        [x, w, b[:4]],
        rtol=1e-4,
        atol=1e-5,
    )


def test_first_weights_have_the_same_spread() -> None:
    ours = nn.Conv2d(16, 64, 3)
    theirs = torch.nn.Conv2d(16, 64, 3)
    pairs = ((ours.weight, theirs.weight), (ours.bias, theirs.bias))
    for a, b in ((x.detach(), y.detach()) for x, y in pairs):
        largest = float(b.abs().max())
        assert abs(float(a.abs().max()) - largest) < 0.06 * largest
        assert abs(float(a.std()) - float(b.std())) < 0.15 * float(b.std())
