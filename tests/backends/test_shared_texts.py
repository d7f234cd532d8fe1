"""Kernels of other extents share one text, and compute the same as the definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from native_graphs import assert_native_is_reference
from pellucid.backends.cpu.load import CpuExecutable
from pellucid.backends.cpu.operands import NumberTable
from pellucid.backends.cpu.run_time_numbers import DIVISIBLE
from pellucid.base.dtypes import DType, float32, float64
from pellucid.graph.node import Graph, Spec, constant, new_input
from pellucid.ops import elementwise, structure


def normalized(shape: tuple[int, ...], dtype: DType = float32) -> Graph:
    """What a batch norm does without its scale: (x − mean) · factor and the mean, by channels."""
    x, factor = new_input(Spec(shape, dtype)), new_input(Spec(shape[-1:], dtype))
    axes = tuple(range(len(shape) - 1))
    count = np.asarray(1 / np.prod(shape[:-1]), dtype.numpy)
    mean = elementwise.mul(structure.sum(x, axes), constant(count))
    centred = elementwise.sub(x, structure.broadcast_to(mean, shape))
    return Graph((x, factor), (elementwise.mul(centred, factor), mean))


def framed(shape: tuple[int, int, int, int]) -> Graph:
    """A picture turned, in a frame of zeros: rows are found by quotients and remainders."""
    x = new_input(Spec(shape, float32))
    turned = structure.transpose(elementwise.exp(x), (2, 0, 1, 3))
    return Graph((x,), (structure.pad(turned, (0, 1, 1, 0), (0, 1, 2, 0)),))


def names(graph: Graph) -> list[str]:
    """The kernels of a graph."""
    return [use.name for uses in CpuExecutable(graph).region_uses for use in uses]


def check(graph: Graph, seed: int = 5) -> None:
    """Native code against the definition."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(n.shape).astype(n.dtype.numpy) for n in graph.inputs]
    assert_native_is_reference(graph, arrays)


@pytest.mark.parametrize("make", [normalized, framed])
def test_stages_of_a_network_share_their_kernels(make: Callable[..., Graph]) -> None:
    stages = [make(shape) for shape in ((12, 16, 20, 64), (10, 16, 24, 128), (8, 20, 24, 256))]
    first, second, third = map(names, stages)
    assert first == second == third
    for graph in stages:
        check(graph)


def test_numbers_of_one_stage_do_not_reach_another() -> None:
    tables = []
    for shape in ((12, 16, 20, 64), (10, 16, 24, 128)):
        uses = [u for uses in CpuExecutable(normalized(shape)).region_uses for u in uses]
        tables.append([o for u in uses for o in u.kernel.operands if isinstance(o, NumberTable)])
    assert tables[0] and all(a != b for a, b in zip(*tables, strict=True))


def test_short_rows_keep_their_numbers() -> None:
    uses = [u for uses in CpuExecutable(framed((7, 5, 6, 24))).region_uses for u in uses]
    assert not any(isinstance(o, NumberTable) for u in uses for o in u.kernel.operands)
    check(framed((7, 5, 6, 24)))


@pytest.mark.parametrize("seed", range(8))
def test_random_extents(seed: int) -> None:
    rng = np.random.default_rng([seed, 77])
    n, h, w = (int(rng.integers(1, 40)) for _ in range(3))
    channels = int(rng.choice([64, 65, 72, 96, 100, 192, 257, 320]))
    check(framed((n, h, w, channels)), seed)
    check(normalized((n, h, w, channels), (float32, float64)[seed % 2]), seed)


def test_quotients_are_exact() -> None:
    """The formula of ``quotient`` over its whole range, where it is most likely to fail."""
    rng = np.random.default_rng(3)
    divisors = [3, 5, 7, 641, 2**31 - 1, 2**31 + 1, DIVISIBLE - 1, *range(6, 40)]
    divisors += [int(d) for d in rng.integers(3, DIVISIBLE, 500)]
    for divisor in divisors:
        factor = (1 << 64) // divisor + 1
        assert factor < 1 << 63
        last = (DIVISIBLE - 1) // divisor
        wholes = {1, 2, last, int(rng.integers(1, last + 1))}
        values = {w * divisor + d for w in wholes for d in (-1, 0, 1)} | {0, DIVISIBLE - 1}
        for value in values:
            if 0 <= value < DIVISIBLE:
                assert value * factor >> 64 == value // divisor, (value, divisor)
