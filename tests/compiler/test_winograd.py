"""Convolutions by patches: the identity, its operation, when it is used, rounding errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from native_graphs import assert_equal_outputs, assert_same_bits_on_threads, run
from pellucid.backends.cpu.load import CpuExecutable
from pellucid.backends.cpu.repeat import LoopUse
from pellucid.base.dtypes import as_dtype, float32
from pellucid.compiler.passes import prepare
from pellucid.compiler.winograd import (
    KERNEL,
    OF_KERNEL,
    OF_PATCH,
    OF_RESULT,
    PATCH,
    SQUARE,
    patch_transform,
)
from pellucid.graph.node import Graph, Spec, new_input
from pellucid.ops.convolution import convolution
from pellucid.transforms.differentiate import gradients


def test_the_identity(rng: np.random.Generator) -> None:
    """Y = Aᵀ [(Bᵀ D B) ∘ (G W Gᵀ)] A, and dW = Gᵀ [(Bᵀ D B) ∘ (A dY Aᵀ)] G."""
    b, g, a = (np.array(m) for m in (OF_PATCH, OF_KERNEL, OF_RESULT))
    patch, kernel = rng.normal(size=(PATCH, PATCH)), rng.normal(size=(KERNEL, KERNEL))
    y = a @ ((b @ patch @ b.T) * (g @ kernel @ g.T)) @ a.T
    places = range(SQUARE)
    windows = [[patch[i : i + KERNEL, j : j + KERNEL] for j in places] for i in places]
    expected = np.array([[np.sum(w * kernel) for w in row] for row in windows])
    np.testing.assert_allclose(y, expected, atol=1e-12)
    dy = rng.normal(size=(SQUARE, SQUARE))
    dw = g.T @ ((b @ patch @ b.T) * (a.T @ dy @ a)) @ g
    expected = sum(dy[i, j] * windows[i][j] for i in places for j in places)
    np.testing.assert_allclose(dw, expected, atol=1e-12)


def test_factors_of_pictures_are_exact_in_float32() -> None:
    for matrix in (OF_PATCH, OF_RESULT):
        exact = np.array(matrix)
        np.testing.assert_array_equal(exact, exact.astype(np.float32))


@pytest.mark.parametrize("columns", [1, 3, 8, 21, 2500])
@pytest.mark.parametrize("matrix", [OF_PATCH, OF_KERNEL, OF_RESULT, ((0.5, -2.0), (0.5, 2.0))])
def test_the_operation_natively(columns: int, matrix: Any, rng: np.random.Generator) -> None:
    results, terms = len(matrix), len(matrix[0])
    images, high, wide = 2, 3, 2
    line = (wide + terms) * columns
    picture = (high + terms) * line
    x = new_input(Spec((images, picture + 7), float32))
    plane = (images * high * wide + 1) * columns
    y = patch_transform(
        x,
        matrix,
        [
            (images, picture + 7, high * wide * columns),
            (high, line, wide * columns),
            (wide, columns, columns),
        ],
        (line, columns),
        (results * plane, plane),
        columns,
        (results**2, plane // columns, columns),
        offset=5,
    )
    graph = Graph((x,), (y,))
    array = rng.normal(size=x.shape).astype(np.float32)
    found, expected = (run(graph, [array], name)[0] for name in ("cpu", "reference"))
    written = images * high * wide
    np.testing.assert_allclose(found[:, :written], expected[:, :written], rtol=1e-4, atol=1e-4)
    one = array.reshape(-1)[5 : 5 + picture].reshape(high + terms, wide + terms, columns)
    by_hand = np.einsum(
        "ik,klc,jl->ijc", np.array(matrix), one[:terms, :terms].astype(np.float64), matrix
    )
    first = found[:, 0].reshape(results, results, columns)  # (q·q, columns) -> (q, q, columns)
    np.testing.assert_allclose(first, by_hand, rtol=1e-4, atol=1e-4)


def graph_of(shape: Any, filters: int, low: Any, high: Any, dtype: type = np.float32) -> Graph:
    """A convolution of 3 × 3 and its derivatives for the picture and the weights."""
    kind = as_dtype(np.dtype(dtype))
    x, w = new_input(Spec(shape, kind)), new_input(Spec((filters, shape[1], 3, 3), kind))
    ones = (1, 1)
    y = convolution(x, w, stride=ones, low=low, high=high, dilation=ones, groups=1)
    cotangent = new_input(Spec(y.shape, y.dtype))
    return Graph((x, w, cotangent), (y, *gradients([y], [x, w], [cotangent])))


def patches(graph: Graph) -> int:
    """How many transforms of patches a program has, those in loops among them."""
    found = 0
    for uses, _ in CpuExecutable(graph).analysis.turns():
        found += sum(u.cluster.kind == "patches" for u in uses)
    return found


CASES = [
    ((4, 32, 28, 28), 64, (1, 1), (1, 1)),
    ((5, 24, 13, 30), 19, (0, 2), (1, 0)),
    ((2, 16, 16, 16), 16, (0, 0), (0, 0)),
    ((3, 17, 20, 11), 40, (2, 2), (2, 2)),
    ((2, 40, 14, 15), 33, (-1, 1), (1, -2)),
    ((1, 64, 21, 22), 48, (1, 1), (1, 1)),
]


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case: Any, rng: np.random.Generator) -> None:
    """All errors stay below some units in the last place of the results' size."""
    graph = graph_of(*case)
    assert patches(graph) >= 3, "not computed by patches"
    arrays = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    exact = run(
        graph_of(*case, dtype=np.float64), [a.astype(np.float64) for a in arrays], "reference"
    )
    for found, expected in zip(run(graph, arrays, "cpu"), exact, strict=True):
        size = np.sqrt(np.mean(expected**2))
        error = np.abs(found - expected)
        assert np.sqrt(np.mean(error**2)) < 3e-6 * size
        assert error.max() < 4e-5 * size


def test_bits_do_not_depend_on_threads_or_on_what_ran_before(rng: np.random.Generator) -> None:
    graph = graph_of(*CASES[0])
    arrays = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    assert_same_bits_on_threads(graph, arrays, (1, 2, 3, 2))


def test_many_images_are_done_in_shares(rng: np.random.Generator) -> None:
    graph = graph_of((24, 32, 28, 28), 32, (1, 1), (1, 1))
    parts = CpuExecutable(graph).analysis.parts
    loops = [part for part in parts if isinstance(part, LoopUse)]
    assert len(loops) == 3
    assert {loop.shares for loop in loops} == {12, 6}
    arrays = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    some = [arrays[0][:6], arrays[1], arrays[2][:6]]
    whole, part = (
        run(g, a)
        for g, a in ((graph, arrays), (graph_of((6, 32, 28, 28), 32, (1, 1), (1, 1)), some))
    )
    np.testing.assert_allclose(whole[0][:6], part[0], rtol=1e-4, atol=1e-4)
    expected = run(graph, arrays, "reference")
    size = [np.sqrt(np.mean(e**2)) for e in expected]
    for found, e, s in zip(whole, expected, size, strict=True):
        np.testing.assert_allclose(found, e, rtol=0, atol=4e-5 * s)


@pytest.mark.parametrize(
    ("shape", "filters", "dtype"),
    [
        ((4, 3, 28, 28), 64, np.float32),  # transforms would cost more than they save
        ((1, 512, 4, 4), 512, np.float32),  # one patch: its weights would
        ((4, 32, 28, 28), 32, np.float64),  # rounding errors of float64 are asked for
    ],
)
def test_what_is_multiplied_directly(shape: Any, filters: int, dtype: type) -> None:
    assert patches(graph_of(shape, filters, (1, 1), (1, 1), dtype)) == 0


def test_strides_dilations_and_groups_are_multiplied_directly() -> None:
    for change in ({"stride": (2, 2)}, {"dilation": (2, 2)}, {"groups": 2}):
        given: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1), "groups": 1} | change
        x = new_input(Spec((4, 32, 28, 28), float32))
        w = new_input(Spec((64, 32 // given["groups"], 3, 3), float32))
        y = convolution(x, w, low=(1, 1), high=(1, 1), **given)
        assert "patch_transform" not in {n.op.name for n in prepare(Graph((x, w), (y,))).nodes()}


def test_not_a_number_stays_one(rng: np.random.Generator) -> None:
    """Every result of a patch with a NaN may be NaN, and those that read it are."""
    graph = graph_of(*CASES[0])
    arrays = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    arrays[0][0, 3, 10, 12] = np.nan
    found, expected = (run(graph, arrays, name)[0] for name in ("cpu", "reference"))
    assert np.isnan(found[np.isnan(expected)]).all()
    assert np.isfinite(found[1:]).all()
    assert np.isnan(found).sum() <= 4 * SQUARE**2 * 64


def test_equal_layers_share_their_kernels() -> None:
    x = new_input(Spec((8, 32, 16, 16), float32))
    weights = [new_input(Spec((32, 32, 3, 3), float32)) for _ in range(3)]
    y = x
    given: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1), "groups": 1}
    for w in weights:
        y = convolution(y, w, low=(1, 1), high=(1, 1), **given)
    graph = Graph((x, *weights), (y,))
    turns = CpuExecutable(graph).analysis.turns()
    names = [u.name for uses, _ in turns for u in uses if u.cluster.kind == "patches"]
    assert len(names) == 9 and len(set(names)) == 3
    arrays = [np.ones(n.shape, np.float32) / 17 for n in graph.inputs]
    assert_equal_outputs(run(graph, arrays), run(graph, arrays, "reference"), graph)
