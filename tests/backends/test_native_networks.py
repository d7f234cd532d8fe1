"""Convolutional networks as one program, against the reference: what is fused, split, reordered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from native_graphs import assert_native_is_reference
from pellucid import nn
from pellucid.backends.cpu.convolution import StridedProduct
from pellucid.backends.cpu.threads import available_cpus, set_num_threads
from pellucid.backends.cpu.visiting import plan_visit
from pellucid.base.dtypes import float32
from pellucid.compiler.passes import prepare
from pellucid.graph.node import Graph, Spec, new_input
from pellucid.ops import structure
from pellucid.ops.convolution import convolution
from pellucid.ops.elementwise import mul
from pellucid.transforms.differentiate import gradients


def block(stride: int, groups: int) -> Any:
    """Convolution, batch norm, ReLU, twice, around a shortcut."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(8, 16, 3, stride, 1, groups=groups, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(16), nn.BatchNorm2d(16)
            self.second = nn.Conv2d(16, 16, 3, 1, 1, groups=2 * groups, bias=False)
            self.shortcut = nn.Conv2d(8, 16, 1, stride)

        def forward(self, x: Any) -> Any:
            y = self.bn1(self.first(x)).relu()
            return (self.bn2(self.second(y)) + self.shortcut(x)).relu()

    return Block()


def gradients_of(model: Any, x: Any, backend: str) -> list[np.ndarray]:
    """The loss, the gradients of the input and of all parameters, and the running statistics."""
    state = {k: v.detach().numpy().copy() for k, v in model.state_dict().items()}

    @pellucid.compile(backend=backend)
    def step(x: Any) -> Any:
        y = model(x)
        # Something uneven: of y² alone, normalization leaves no gradient but rounding.
        loss = (y * pellucid.arange(y.numel()).reshape(y.shape).to(y.dtype).sin()).sum()
        return loss, *pellucid.autograd.grad(loss, [x, *model.parameters()])

    found = [t.detach().numpy().copy() for t in step(x)]
    found += [b.numpy().copy() for b in model.buffers()]
    model.load_state_dict(state)
    return found


NETWORKS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "residual": (lambda: block(1, 1), (3, 8, 9, 10)),
    "residual, stride 2": (lambda: block(2, 1), (3, 8, 9, 10)),
    "grouped, stride 3": (lambda: block(3, 4), (2, 8, 11, 7)),
    "depthwise with multiplier, stride 2": (lambda: block(2, 8), (3, 8, 8, 9)),
    "pooled": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
        ),
        (4, 3, 8, 12),
    ),
    "overlapping pools": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2, 1)
        ),
        (2, 3, 11, 9),
    ),
    "up and down": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 8, 4, 2, 1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(8, 3, 4, 2, 1),
            nn.InstanceNorm2d(3, affine=True),
        ),
        (2, 2, 8, 10),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_as_the_reference_does(name: str) -> None:
    pellucid.manual_seed(0)
    make, shape = NETWORKS[name]
    # In double precision, as biases before a batch norm have no gradient but rounding.
    model = make().double()
    x = pellucid.randn(*shape, dtype=pellucid.float64, requires_grad=True)
    native, plain = (gradients_of(model, x, backend) for backend in ("cpu", "reference"))
    assert len(native) == len(plain) > 2
    for a, b in zip(native, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def test_bits_of_a_network_do_not_depend_on_threads() -> None:
    pellucid.manual_seed(0)
    model = nn.Sequential(block(2, 1), nn.MaxPool2d(2))
    x = pellucid.randn(16, 8, 24, 24, requires_grad=True)
    found = []
    try:
        for count in (1, 2):
            set_num_threads(count)
            found.append(gradients_of(model, x, "cpu"))
    finally:
        set_num_threads(available_cpus())
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def backward_graph(
    shape: tuple[int, ...], weight: tuple[int, ...], stride: int, low: int, groups: int = 1
) -> Graph:
    """The gradient of a convolution for its input, from the cotangent and the weights."""
    x, w = (new_input(Spec(s, float32)) for s in (shape, weight))
    settings = {"stride": (stride,) * 2, "low": (low,) * 2, "high": (low,) * 2}
    y = convolution(x, w, **settings, dilation=(1, 1), groups=groups)
    g = new_input(Spec(y.shape, float32))
    return Graph((x, w, g), (gradients([y], [x], [g])[0],))


@pytest.mark.parametrize("stride", [2, 3])
def test_strided_gradients_multiply_no_zeros(stride: int) -> None:
    side, channels, filters = 4 * stride, 8, 16
    graph = backward_graph((2, channels, side, side), (filters, channels, 3, 3), stride, 1)
    products = [n for n in prepare(graph).nodes() if n.op.family == "contraction"]
    flop = 0
    for node in products:
        if node.op.name == "matmul":
            flop += 2 * node.size * node.inputs[0].shape[-1]
        else:
            flop += StridedProduct.of(node).flop
    assert flop == 2 * (2 * 4 * 4) * 9 * channels * filters


def test_one_frame_serves_both_gradients_of_a_depthwise_convolution() -> None:
    x, w = new_input(Spec((2, 8, 6, 6), float32)), new_input(Spec((8, 1, 3, 3), float32))
    settings: dict[str, Any] = {
        "stride": (1, 1), "low": (1, 1), "high": (1, 1), "dilation": (1, 1), "groups": 8,
    }  # fmt: skip
    y = convolution(x, w, **settings)
    y = convolution(mul(y, y), w, **settings)
    g = new_input(Spec(y.shape, float32))
    graph = Graph((x, w, g), (y, gradients([y], [w], [g])[0]))
    frames = [n for n in prepare(graph).nodes() if n.op.name == "pad"]
    assert len(frames) == 4, "x, its square's convolution and their two cotangents"


TURNED = [
    ((64, 48, 3, 3), (2, 3, 1, 0)),
    ((3, 3, 40, 64), (3, 2, 0, 1)),
    ((64, 256), (1, 0)),
    ((100, 330), (1, 0)),
    ((40, 48, 16), (2, 1, 0)),
    ((16, 14, 13, 32), (0, 3, 1, 2)),
]


@pytest.mark.parametrize(("shape", "axes"), TURNED)
def test_transposed_reads(shape: tuple[int, ...], axes: tuple[int, ...], rng) -> None:
    x = new_input(Spec(shape, float32))
    turned = structure.transpose(x, axes)
    other = new_input(Spec(turned.shape, float32))
    flat = structure.reshape(turned, (turned.shape[0], turned.size // turned.shape[0]))
    graph = Graph((x, other), (mul(turned, other), flat))
    assert_native_is_reference(graph, [rng.normal(size=n.shape).astype("f") for n in graph.inputs])


@pytest.mark.parametrize("inner", [9, 64])
def test_every_row_is_visited_once(inner: int) -> None:
    shape, axes = ((3, 3, 64, 32), (3, 2, 0, 1)) if inner == 9 else ((64, 256), (1, 0))
    x = new_input(Spec(shape, float32))
    node = structure.transpose(x, axes)
    visit = plan_visit([node], node.shape[-1] if inner == 64 else inner, {x})
    assert visit is not None
    rows = np.zeros(1, np.int64)
    for extent, step in visit.axes:
        rows = (rows[:, None] + np.arange(extent) * step).reshape(-1)
    np.testing.assert_array_equal(np.sort(rows), np.arange(node.size // visit.inner))


def test_equal_maxima_give_the_gradient_to_the_first() -> None:
    x = pellucid.tensor([[[[1.0, 1.0, 0.0, 5.0], [1.0, 0.0, 5.0, 5.0]]]], requires_grad=True)
    expected = np.array([[[[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]]])

    def slope(x: Any) -> Any:
        return pellucid.autograd.grad(F.max_pool2d(x, 2).sum(), [x])[0]

    np.testing.assert_array_equal(slope(x).numpy(), expected)
    np.testing.assert_array_equal(pellucid.compile(slope)(x).numpy(), expected)


@pytest.mark.parametrize("layer", [lambda x: F.max_pool2d(x, 2), lambda x: F.max_pool1d(x[0], 2)])
def test_nan_in_a_window_is_seen(layer: Any) -> None:
    x = pellucid.tensor([[[[1.0, float("nan"), 2.0, 3.0], [4.0, 0.0, 1.0, 2.0]]]])
    for result in (layer(x), pellucid.compile(layer)(x)):
        seen = np.isnan(result.numpy())
        assert seen.any() and not seen.all()
