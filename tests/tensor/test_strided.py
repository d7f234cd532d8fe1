"""Tensors as lines of memory, against NumPy's and PyTorch's; copies of views; slopes, integrals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    AutogradError,
    AxisError,
    DTypeError,
    InPlaceError,
    ShapeError,
    TraceError,
)

CASES: list[tuple[tuple[int, ...], tuple[int, ...], int]] = [
    ((2, 2), (1, 2), 0),
    ((2, 2), (1, 2), 1),
    ((4, 3), (1, 1), 2),
    ((3,), (0,), 4),
    ((0, 2), (5, 5), 1),
    ((), (), 7),
]


@pytest.mark.parametrize(("size", "stride", "offset"), CASES)
def test_reading_with_gradient(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> None:
    """Eager, compiled, and the gradient, which adds up where elements are shown repeatedly."""
    data = np.arange(12.0).reshape(3, 4)
    places = (
        offset
        + sum(
            (np.arange(n).reshape([-1 if i == a else 1 for i in range(len(size))]) * s)
            for a, (n, s) in enumerate(zip(size, stride, strict=True))
        )
        + np.zeros(size, np.int64)
    )
    x = pellucid.tensor(data, requires_grad=True)
    found = x.as_strided(size, stride, offset)
    assert_close(found, data.reshape(-1)[places])
    compiled = pellucid.compile(lambda t: pellucid.as_strided(t, size, stride, offset) + 0)
    assert_close(compiled(pellucid.tensor(data)), data.reshape(-1)[places])
    weights = np.arange(1.0, found.numel() + 1).reshape(size)
    (found * pellucid.tensor(weights)).sum().backward()
    expected = np.zeros(12)
    np.add.at(expected, places.reshape(-1), weights.reshape(-1))
    assert_close(x.grad, expected.reshape(3, 4))


def test_views_show_the_memory_of_their_base() -> None:
    base = pellucid.arange(12.0).reshape(3, 4)
    turned = base.t()[1:]
    assert turned.stride() == (1, 4) and turned.storage_offset() == 1
    assert turned.as_strided((2,), (4,)).tolist() == [1, 5]
    assert turned.as_strided((2,), (4,), 0).tolist() == [0, 4]
    turned.as_strided((2,), (4,)).zero_()
    assert base[:, 1].tolist() == [0, 0, 9]

    @pellucid.compile
    def traced(t: Any) -> Any:
        t = t + 0
        part = t.t()[1:]
        part.as_strided((2,), (4,)).zero_()
        return t, part.as_strided((3,), (4,))

    whole, part = traced(pellucid.arange(12.0).reshape(3, 4))
    assert whole[:, 1].tolist() == [0, 0, 9] and part.tolist() == [0, 0, 9]


def test_writing_with_history() -> None:
    leaf = pellucid.arange(6.0).requires_grad_()
    x = leaf * 2
    x.as_strided((3,), (2,)).mul_(10)
    x.sum().backward()
    assert leaf.grad.tolist() == [20, 2, 20, 2, 20, 2]
    with pytest.raises(InPlaceError):
        (leaf * 2).as_strided((2, 2), (1, 1)).zero_()


def test_scattering() -> None:
    x = pellucid.zeros(3, 3, requires_grad=True)
    src = pellucid.ones(2, 2, requires_grad=True)
    made = pellucid.as_strided_scatter(x, src, (2, 2), (1, 2), 1)
    assert made.tolist() == [[0, 1, 1], [1, 1, 0], [0, 0, 0]]
    (made * pellucid.arange(9.0).reshape(3, 3)).sum().backward()
    assert src.grad.tolist() == [[1, 3], [2, 4]]
    assert x.grad.tolist() == [[0, 0, 0], [0, 0, 5], [6, 7, 8]]
    with pytest.raises(ShapeError, match="must be equal"):
        x.as_strided_scatter(src, (2, 3), (1, 1))


def test_refusals() -> None:
    x = pellucid.arange(6.0)
    with pytest.raises(ShapeError, match="out of bounds"):
        x.as_strided((2, 3), (3, 2))
    with pytest.raises(ShapeError, match="one for each"):
        x.as_strided((2, 3), (3,))
    with pytest.raises(ArgumentError, match="from 0 up"):
        x.as_strided((2,), (-1,))
    with pytest.raises(AutogradError, match="cannot resize"):
        pellucid.ones(2, requires_grad=True).resize_(3)
    with pytest.raises(TraceError, match="from outside"):
        pellucid.compile(lambda t: (x.resize_(2), t)[1])(pellucid.ones(1))


def test_resizing() -> None:
    x = pellucid.arange(6.0)
    assert x.resize_(2, 2) is x and x.tolist() == [[0, 1], [2, 3]]
    assert x.resize_(5).tolist()[:4] == [0, 1, 2, 3]
    assert pellucid.resize_as_(x, pellucid.ones(2, 1)).shape == (2, 1)
    y = pellucid.arange(6.0)
    assert y.as_strided_((2, 2), (3, 1)).tolist() == [[0, 1], [3, 4]]
    assert pellucid.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert pellucid.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)


def test_other_shapes_in_place_in_compiled_functions() -> None:
    def inside(t: Any) -> tuple[Any, ...]:
        less, more, shown = t * 2, t + 1, t * 1
        less.resize_(2, 2)
        more.resize_(9)
        shown.as_strided_((2, 2), (3, 1))
        shown[0, 0] = 7
        return less, more, shown

    x = pellucid.arange(6.0)
    for mine, theirs in zip(pellucid.compile(inside)(x), inside(x), strict=True):
        assert mine.tolist() == theirs.tolist()

    @pellucid.compile
    def argument(t: Any) -> Any:
        return t.resize_(2, 2) + 1

    for _ in range(2):  # the caller's tensor gets the shape
        y = pellucid.arange(6.0)
        assert argument(y).tolist() == [[1, 2], [3, 4]] and y.tolist() == [[0, 1], [2, 3]]

    turned = pellucid.compile(lambda t: t.unsqueeze_(0).t_() * 2)
    z = pellucid.arange(2.0)
    assert turned(z).tolist() == [[0], [2]] and z.shape == (2, 1)


COPIES: list[tuple[str, tuple[Any, ...]]] = [
    ("alias_copy", ()),
    ("as_strided_copy", ((2, 2), (1, 2))),
    ("detach_copy", ()),
    ("diagonal_copy", (1,)),
    ("expand_copy", ((2, 4, 4),)),
    ("narrow_copy", (1, 1, 2)),
    ("permute_copy", ((1, 0),)),
    ("select_copy", (0, 1)),
    ("slice_copy", (1, 1, 3)),
    ("split_copy", (2,)),
    ("split_with_sizes_copy", ([1, 3],)),
    ("squeeze_copy", ()),
    ("t_copy", ()),
    ("transpose_copy", (0, 1)),
    ("unbind_copy", ()),
    ("unfold_copy", (0, 2, 1)),
    ("unsqueeze_copy", (0,)),
    ("view_copy", ((2, 8),)),
]


@pytest.mark.parity
@pytest.mark.parametrize(("name", "args"), COPIES, ids=[c[0] for c in COPIES])
def test_copies_of_views(name: str, args: tuple[Any, ...]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    data = np.arange(16.0).reshape(4, 4)
    x = pellucid.tensor(data)
    found, expected = (
        getattr(pellucid, name)(x, *args),
        getattr(torch, name)(torch.tensor(data), *args),
    )
    several = isinstance(found, tuple)
    pairs = zip(found, expected, strict=True) if several else [(found, expected)]
    for a, b in pairs:
        assert_close(a, b)
    x.fill_(-1)
    first = found[0] if several else found
    assert float(first.max()) > -1


@pytest.mark.parametrize("order", [1, 2])
def test_gradient_is_numpys(order: int) -> None:
    data = np.random.default_rng(3).normal(size=(4, 5))
    places = np.array([0.0, 0.5, 1.5, 3.0, 3.2])
    x = pellucid.tensor(data)
    for spacing, numpys in ((None, ()), (0.5, (0.5,)), ((2.0, 0.5), (2.0, 0.5))):
        found = pellucid.gradient(x, spacing=spacing, edge_order=order)
        for a, b in zip(found, np.gradient(data, *numpys, edge_order=order), strict=True):
            assert_close(a, b, 1e-12, 1e-13)
    found = pellucid.gradient(x, spacing=[pellucid.tensor(places)], dim=1, edge_order=order)
    assert_close(found[0], np.gradient(data, places, axis=1, edge_order=order), 1e-12, 1e-13)
    with pytest.raises(ArgumentError, match="1 or 2"):
        pellucid.gradient(x, edge_order=3)
    with pytest.raises(ShapeError, match="needs"):
        pellucid.gradient(x[:1], dim=0)
    for dtype in (pellucid.bfloat16, pellucid.float16):
        for spacing in (None, 2, 0.5):
            narrow = pellucid.gradient(x.to(dtype), spacing=spacing, dim=1, edge_order=order)[0]
            wide = pellucid.gradient(x.to(dtype).double(), spacing=spacing, dim=1, edge_order=order)
            assert narrow.dtype is dtype
            assert_close(narrow.double(), wide[0], 1e-2, 1e-2)
    with pytest.raises(AxisError, match="appears multiple times"):
        pellucid.gradient(x, dim=(1, -1))
    for dtype in (pellucid.uint8, pellucid.bool):
        with pytest.raises(DTypeError, match=f"gradient got {dtype.name}"):
            pellucid.gradient(x.to(dtype))


def test_running_integral() -> None:
    y, x = np.random.default_rng(5).normal(size=(2, 3, 6))
    integrate = pytest.importorskip("scipy.integrate")
    for dim in (0, 1, -1):
        expected = integrate.cumulative_trapezoid(y, x, axis=dim)
        found = pellucid.cumulative_trapezoid(pellucid.tensor(y), pellucid.tensor(x), dim=dim)
        assert_close(found, expected, 1e-12, 1e-13)
    found = pellucid.cumulative_trapezoid(pellucid.tensor(y), dx=0.5)
    assert_close(found, integrate.cumulative_trapezoid(y, dx=0.5), 1e-12, 1e-13)
    assert pellucid.trapz is pellucid.trapezoid


def test_positions_in_a_shape() -> None:
    places = np.arange(24).reshape(4, 6)
    found = pellucid.unravel_index(pellucid.tensor(places), (2, 3, 4))
    for a, b in zip(found, np.unravel_index(places, (2, 3, 4)), strict=True):
        assert_close(a, b)
    with pytest.raises(ArgumentTypeError, match="integers"):
        pellucid.unravel_index(pellucid.ones(2), (2, 3))
    with pytest.raises(ArgumentError, match="from 0 up"):
        pellucid.unravel_index(pellucid.tensor([1]), (2, -3))


def test_histogram_of_points() -> None:
    points = np.random.default_rng(7).normal(size=(50, 2))
    for density in (False, True):
        hist, edges = pellucid.histogramdd(pellucid.tensor(points), [3, 4], density=density)
        expected, lines = np.histogramdd(points, [3, 4], density=density)
        assert_close(hist, expected, 1e-12)
        for a, b in zip(edges, lines, strict=True):
            assert_close(a, b, 1e-12)


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
def test_segments(reduce: str) -> None:
    data, lengths = np.arange(1.0, 6.0), [2, 0, 3]
    empty = {"sum": 0, "mean": np.nan, "max": -np.inf, "min": np.inf, "prod": 1}[reduce]
    expected = [getattr(data[:2], reduce)(), empty, getattr(data[2:], reduce)()]
    x = pellucid.tensor(data, requires_grad=True)
    found = pellucid.segment_reduce(x, reduce, lengths=pellucid.tensor(lengths))
    assert_close(found, np.array(expected))
    by_offsets = pellucid.segment_reduce(x, reduce, offsets=pellucid.tensor([0, 2, 2, 5]))
    assert_close(by_offsets, found)
    found[2].backward()
    assert (x.grad[:2] == 0).all() and float(x.grad[2:].abs().sum()) > 0
    run = pellucid.compile(lambda t, n: pellucid.segment_reduce(t, reduce, lengths=n))
    assert_close(run(pellucid.tensor(data), pellucid.tensor(lengths)), np.array(expected))
    with pytest.raises(ArgumentError, match="their sum is the extent"):
        pellucid.segment_reduce(x, reduce, lengths=pellucid.tensor([1, 2]))


def test_filling() -> None:
    x = pellucid.ones(2, 2, requires_grad=True)
    value = pellucid.tensor(3.0, requires_grad=True)
    made = pellucid.fill(x, value)
    made.sum().backward()
    assert made.tolist() == [[3, 3], [3, 3]] and value.grad == 4
    assert pellucid.zero_(pellucid.ones(2)).tolist() == [0, 0]
    assert pellucid.fill_(pellucid.ones(2), 5).tolist() == [5, 5]


@pytest.mark.parity
def test_native_names() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    data = np.random.default_rng(1).normal(size=(2, 4, 3)).astype(np.float32)
    for name, args in (
        ("native_layer_norm", ((3,), None, None, 1e-5)),
        ("native_group_norm", (None, None, 2, 4, 3, 2, 1e-5)),
        ("native_batch_norm", (None, None, None, None, True, 0.1, 1e-5)),
        ("constant_pad_nd", ((1, 2), 0.5)),
    ):
        found = getattr(pellucid, name)(pellucid.tensor(data), *args)
        expected = getattr(torch, name)(torch.tensor(data), *args)
        pairs = (
            zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
        )
        for a, b in pairs:
            assert_close(a, b, 1e-5, 1e-6, name)
    dropped, mask = pellucid.native_dropout(pellucid.ones(1000), 0.25, True)
    assert 650 < int(mask.sum()) < 850
    assert_close(dropped, mask.float() / 0.75)


def test_further_names() -> None:
    a, b, c = pellucid.ones(2, 3), pellucid.ones(3, 4), pellucid.ones(4, 1)
    assert pellucid.chain_matmul(a, b, c).tolist() == [[12], [12]]
    assert pellucid.chain_matmul(a) is a
    assert pellucid.can_cast(pellucid.int64, pellucid.float32)
    assert not pellucid.can_cast(pellucid.float32, pellucid.int64)
    assert pellucid.row_stack((pellucid.ones(2), pellucid.zeros(2))).tolist() == [[1, 1], [0, 0]]
    x = pellucid.tensor([-1.0, 4.0])
    assert pellucid.abs_(x) is x and pellucid.sqrt_(x).tolist() == [1, 2]
