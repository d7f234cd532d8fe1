"""What compiled programs say about themselves: layers, lines, work, times, memory."""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.compiler.explain import BufferFacts, Explanation, KernelFacts


@pytest.fixture(scope="module")
def step() -> Any:
    """A compiled training step of the network for MNIST, called once."""
    model = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    optimizer = optim.Adam(model.parameters())

    @pellucid.compile
    def training_step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    training_step.model = model
    training_step(pellucid.ones(64, 784), pellucid.zeros(64, dtype=pellucid.int64))
    return training_step


@pytest.fixture(scope="module")
def explained(step: Any) -> Explanation:
    found: Explanation = step.explain(calls=3)
    return found


def test_every_product_of_the_step_is_there_with_its_work(explained: Explanation) -> None:
    products = [k for k in explained.kernels if "matmul" in k.operations]
    sizes = ((784, 256), (256, 128), (128, 10))
    # forward, weight gradient, and the data gradient of all but the first layer: 2·M·N·K each
    expected = sum(2 * 64 * i * o * 2 for i, o in sizes) + sum(2 * 64 * i * o for i, o in sizes[1:])
    assert expected <= sum(k.flop for k in products) < 1.02 * expected
    assert {layer for k in products for layer in k.layers} >= {"0", "2", "4"}
    assert explained.flop > expected


def test_kernels_name_the_layers_the_optimizer_and_the_users_lines(explained: Explanation) -> None:
    layers = {layer for k in explained.kernels for layer in k.layers}
    assert {"0", "1", "2", "3", "4", "Adam"} <= layers
    source, first = inspect.getsourcelines(step)
    model_line = first + next(i for i, text in enumerate(source) if "model(x)" in text)
    update_line = first + next(i for i, text in enumerate(source) if "optimizer.step" in text)
    lines = {line.rsplit("/", 1)[-1] for k in explained.kernels for line in k.lines}
    assert {f"test_explain.py:{model_line}", f"test_explain.py:{update_line}"} <= lines


def test_the_update_moves_every_parameter_with_its_slots(explained: Explanation) -> None:
    updates = [k for k in explained.kernels if "Adam" in k.layers and k.chunks > 1]
    weights = 784 * 256
    largest = max(updates, key=lambda k: k.written_bytes)
    assert largest.written_bytes >= 3 * 4 * weights, "parameter and two moments"
    assert largest.read_bytes >= 4 * weights


def test_times_are_measured_and_shares_add_up(explained: Explanation) -> None:
    assert explained.calls == 3
    assert explained.seconds is not None and explained.seconds > 0
    assert all(k.seconds is not None and k.seconds >= 0 for k in explained.kernels)
    assert sum(explained.share(k) or 0 for k in explained.kernels) == pytest.approx(1)


def test_measuring_changes_nothing(step: Any) -> None:
    before = {n: p.detach().numpy().copy() for n, p in step.model.named_parameters()}
    pointers = list(step.executable.pointers)
    step.explain(calls=5)
    for name, parameter in step.model.named_parameters():
        assert np.array_equal(parameter.detach().numpy(), before[name])
    assert list(step.executable.pointers) == pointers


def test_without_calls_nothing_is_measured(step: Any) -> None:
    explained = step.explain(calls=0)
    assert explained.seconds is None
    assert all(k.seconds is None for k in explained.kernels)
    assert "one run takes" not in str(explained)
    assert explained.share(explained.kernels[0]) is None


def test_the_memory_plan_holds_what_is_alive(explained: Explanation) -> None:
    assert len(explained.live_bytes) == explained.steps
    assert max(explained.live_bytes) <= explained.arena_bytes
    assert all(0 <= b.first <= b.last <= explained.steps for b in explained.buffers)
    assert all(b.offset + b.size <= explained.arena_bytes for b in explained.buffers)
    for i, a in enumerate(explained.buffers):
        for b in explained.buffers[:i]:
            together = a.first <= b.last and b.first <= a.last
            apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
            assert apart or not together, (a, b)
    parameters = 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10
    assert explained.input_bytes >= 4 * (3 * parameters + 64 * 784)
    assert explained.output_bytes == 4


def test_the_table_fits_a_terminal(explained: Explanation) -> None:
    text = str(explained)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "matmul" in text and "Adam" in text and "test_explain.py:" in text
    assert f"{len(explained.kernels)} kernels in {explained.regions} regions" in text
    assert "FLOP/s" in text and "intermediate values" in text


def test_the_picture_is_well_formed_and_complete(explained: Explanation) -> None:
    root = ElementTree.fromstring(explained.to_svg())
    boxes = root.findall("{http://www.w3.org/2000/svg}rect")
    assert len(boxes) == 1 + len(explained.kernels) + len(explained.buffers)
    tips = [box.findtext("{http://www.w3.org/2000/svg}title") or "" for box in boxes]
    assert any("matmul" in tip for tip in tips)


def test_names_in_the_picture_are_escaped() -> None:
    kernel = KernelFacts("k", 0, ("add",), ("<script>",), ("a&b.py:1",), 1, 4, 4, 1, 1e-6)
    explained = Explanation((kernel,), (BufferFacts("<x>", 0, 64, 0, 0),), 1, 1, 64, 4, 4, 1)
    ElementTree.fromstring(explained.to_svg())
    assert "<script>" not in explained.to_svg()


def test_figures_in_words() -> None:
    kernels = (
        KernelFacts("a", 0, ("matmul", "cast"), ("fc",), (), 2_500_000, 1 << 20, 1 << 10, 4, 1e-3),
        KernelFacts("b", 0, ("mul", "mul", "add"), (), ("/x/y/train.py:7",), 999, 100, 24, 1, 5e-7),
    )
    buffers = (BufferFacts("v", 0, 1 << 20, 0, 1), BufferFacts("w", 1 << 20, 1 << 19, 1, 3))
    explained = Explanation(kernels, buffers, 1, 4, 3 << 19, 0, 4, 2, 1.1e-3, 10)
    lines = str(explained).splitlines()
    assert lines[1].split() == "0 1 ms 100 % 2.5 M 2.5 G 1 MiB 4 fc matmul".split()
    assert lines[2].split() == "500 ns 0 % 999 2 G 124 B 1 mul×2 add (train.py:7)".split()
    assert "one run takes 1.1 ms (mean of 10), 2.27 GFLOP/s" in lines
    assert explained.live_bytes == (1 << 20, 3 << 19, 1 << 19, 1 << 19)
    assert "live intermediate values over the 4 steps, at most 1.5 MiB" in lines


def test_what_cannot_be_explained_says_why() -> None:
    with pytest.raises(ArgumentError, match="nothing has been compiled yet\n  call the function"):
        pellucid.compile(lambda x: x).explain()
    reference = pellucid.compile(lambda x: x + 1, backend="reference")
    reference(pellucid.ones(2))
    with pytest.raises(ArgumentError, match="the reference backend has no programs to explain"):
        reference.explain()
