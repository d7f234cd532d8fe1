"""Convolution layers: eager equals compiled, derivatives, learning, errors."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck

LAYERS = [
    (lambda: nn.Conv1d(3, 4, 3, stride=2, padding=1), (2, 3, 9)),
    (lambda: nn.Conv2d(2, 6, 3, padding=1, groups=2), (2, 2, 6, 5)),
    (lambda: nn.Conv2d(4, 4, 3, padding="same", groups=4), (2, 4, 6, 5)),
    (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (2, 2, 5, 5)),
    (lambda: nn.Conv3d(2, 3, 2, dilation=2), (1, 2, 4, 4, 3)),
    (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1), (2, 3, 4, 3)),
]


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_compiled_equals_eager(make, shape, rng) -> None:
    layer = make()
    x = pellucid.tensor(rng.normal(size=shape).astype(np.float32), requires_grad=True)

    def step(image):
        out = layer(image).tanh()
        return (out, *pellucid.autograd.grad((out * out).sum(), [*layer.parameters(), image]))

    for found, expected in zip(pellucid.compile(step)(x), step(x), strict=True):
        assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("make", "shape"), LAYERS[:2] + LAYERS[-1:])
def test_derivatives_to_second_order(make, shape, rng) -> None:
    layer = make().double()
    x = pellucid.tensor(rng.normal(size=(1, *shape[1:])), requires_grad=True)
    assert gradcheck(lambda a: layer(a).tanh(), (x,))
    assert gradgradcheck(lambda a: layer(a).tanh(), (x,))


def test_a_network_learns_the_orientation_of_bars(rng) -> None:
    pictures = np.zeros((32, 1, 8, 8), np.float32)
    labels = np.arange(32) % 2
    for i, label in enumerate(labels):
        line = rng.integers(8)
        pictures[i, 0, line if label else slice(None), slice(None) if label else line] = 1
    pellucid.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(72, 2),
    )  # fmt: skip
    optimizer = pellucid.optim.Adam(net.parameters(), lr=0.01)

    @pellucid.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = pellucid.tensor(pictures), pellucid.tensor(labels)
    losses = [float(step(x, y)) for _ in range(60)]
    assert losses[-1] < 0.05 < losses[0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels must be a multiple of groups"),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), "'same' means stride 1"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), '"same", "valid" or numbers'),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "kernel_size"),
        (lambda: nn.Conv2d(3, 4, 0), "at least 1"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "use one of zeros, reflect"),
        (lambda: nn.ConvTranspose1d(3, 4, 3, padding_mode="reflect"), "use one of zeros"),
    ],
)
def test_wrong_settings(make, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        make()


def test_wrong_inputs() -> None:
    with pytest.raises(ShapeError, match="expects 3 channels on axis 1"):
        nn.Conv2d(3, 4, 3)(pellucid.zeros(2, 8, 8, 3))
    with pytest.raises(ShapeError, match="unsqueeze"):
        nn.Conv2d(3, 4, 3)(pellucid.zeros(8, 8))
    with pytest.raises(ShapeError, match="larger input"):
        nn.Conv2d(3, 4, 3)(pellucid.zeros(1, 3, 2, 2))
    with pytest.raises(ArgumentError, match="smaller than stride"):
        nn.ConvTranspose2d(3, 4, 3, output_padding=1)(pellucid.zeros(1, 3, 2, 2))
    with pytest.raises(ArgumentError, match="ask for extents from"):
        nn.ConvTranspose2d(3, 4, 3, stride=2)(pellucid.zeros(1, 3, 2, 2), output_size=(9, 9))
    with pytest.raises(ShapeError, match="amounts of at most 1 here"):
        nn.Conv1d(1, 1, 3, padding=2, padding_mode="reflect")(pellucid.zeros(1, 1, 2))
