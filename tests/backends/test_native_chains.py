"""Chains of passes over the same images, against the reference and on any number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import pellucid
from native_graphs import assert_equal_outputs, forget_plans, run_executable
from pellucid import backends, nn
from pellucid.backends.cpu import analysis
from pellucid.backends.cpu.load import CpuExecutable
from pellucid.backends.cpu.repeat import ChainUse
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.dtypes import float64
from pellucid.compiler.chains import find_chains
from pellucid.compiler.clusters import fuse
from pellucid.compiler.machine import Machine
from pellucid.compiler.passes import prepare
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.ops import elementwise, structure

SMALL = Machine(chained=1 << 8, long_reduction=1 << 8, part_elements=1 << 6)


@pytest.fixture
def everything_large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small values are chained, and their sums cut, as large ones are."""
    forget_plans(monkeypatch)
    monkeypatch.setattr(analysis, "machine_of", lambda target: SMALL)
    threads = get_num_threads()
    yield
    set_num_threads(threads)


def separable(images: int, channels: int, side: int, stride: int) -> tuple[nn.Module, np.ndarray]:
    pellucid.manual_seed(images + channels)
    model = nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 1, bias=False),
        nn.BatchNorm2d(2 * channels),
        nn.ReLU(),
        nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels, bias=False),
        nn.BatchNorm2d(2 * channels),
    )
    x = np.random.default_rng(5).standard_normal((images, channels, side, side))
    return model.double(), x


def step_of(model: nn.Module, backend: str):  # type: ignore[no-untyped-def]
    def step(x: pellucid.Tensor) -> list[pellucid.Tensor]:
        model.zero_grad()
        y = model(x)
        loss = (y * y.detach().roll(1, 0) + y.square() * y.roll(1, 2)).mean()
        loss.backward()
        return [loss, *(p.grad for p in model.parameters())]

    return pellucid.compile(step, backend=backend, keep_gradients=True)


@pytest.mark.parametrize(
    ("images", "channels", "side", "stride"),
    [(16, 8, 8, 1), (48, 5, 7, 2)],
)
def test_network(
    everything_large: None, images: int, channels: int, side: int, stride: int
) -> None:
    found = []
    for backend in ("reference", "cpu"):
        model, x = separable(images, channels, side, stride)
        step = step_of(model, backend)
        found.append([np.array(t.numpy()) for t in step(pellucid.tensor(x))])
    for expected, value in zip(*found, strict=True):
        largest = float(np.abs(expected).max())
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-10 * largest)


def test_same_bits_on_any_number_of_threads(everything_large: None) -> None:
    results = []
    for threads in (1, 2, 5):
        set_num_threads(threads)
        model, x = separable(32, 16, 8, 1)
        step = step_of(model, "cpu")
        runs = [[t.numpy().tobytes() for t in step(pellucid.tensor(x))] for _ in range(6)]
        results.append(runs)
        chained = [u for part in step.executable.analysis.parts for u in _uses(part)]
        assert any(len(c.uses) > 2 and c.local for c in chained)
    assert all(r == results[0] for r in results)


def _uses(part: object) -> list[ChainUse]:
    return [u for u in part if isinstance(u, ChainUse)] if isinstance(part, list) else []


def framed_sums(images: int, rest: tuple[int, ...]) -> tuple[Graph, list[np.ndarray]]:
    """A frame around a product of three values, two windows of it, and sums of both."""
    x, y = (new_input(Spec((images, *rest, 6), float64)) for _ in range(2))
    a = elementwise.exp(elementwise.mul(x, y))
    low = (0, *(1,) * len(rest), 0)
    framed = structure.pad(a, low, low)
    total: Node | None = None
    for shift in (0, 1, 2):
        start = (0, *(shift,) * len(rest), 0)
        stop = (images, *(n + shift for n in rest), 6)
        window = structure.slice_(framed, start, stop, (1,) * (len(rest) + 2))
        total = window if total is None else elementwise.add(total, window)
    assert total is not None
    sums = structure.sum(total, tuple(range(len(rest) + 1)))
    centred = elementwise.sub(total, sums)
    again = structure.sum(elementwise.mul(centred, centred), tuple(range(len(rest) + 1)))
    graph = Graph((x, y), (total, sums, again))
    rng = np.random.default_rng(2)
    return graph, [rng.standard_normal(n.shape) for n in graph.inputs]


@pytest.mark.parametrize("images", [16, 24, 64, 256])
@pytest.mark.parametrize("rest", [(7,), (8, 9)])
def test_frames_and_sums(everything_large: None, images: int, rest: tuple[int, ...]) -> None:
    graph, arrays = framed_sums(images, rest)
    expected = run_executable(backends.load(graph, "reference"), graph, arrays)
    for threads in (1, 2):
        set_num_threads(threads)
        executable = CpuExecutable(graph)
        for _ in range(3):
            assert_equal_outputs(run_executable(executable, graph, arrays), expected, graph)


def test_a_chain_never_waits_for_itself(everything_large: None) -> None:
    graph, _ = framed_sums(32, (8, 9))
    fusion = fuse(prepare(graph, SMALL), SMALL)
    found = find_chains(fusion)
    assert found
    for chain in found:
        inside = set(map(id, chain.clusters))
        for cluster in chain.clusters:
            behind = [
                fusion.owner[r]
                for a in cluster.anchors
                for r in fusion.reads[a]
                if r in fusion.owner and id(fusion.owner[r]) not in inside
            ]
            seen: set[int] = set()
            while behind:
                current = behind.pop()
                assert id(current) not in inside
                if id(current) not in seen:
                    seen.add(id(current))
                    reads = (r for a in current.anchors for r in fusion.reads[a])
                    behind += [fusion.owner[r] for r in reads if r in fusion.owner]


def test_few_or_very_many_images_are_not_chained(everything_large: None) -> None:
    for images in (8, 15, 300):
        assert not find_chains(fuse(prepare(framed_sums(images, (8, 9))[0], SMALL), SMALL))
