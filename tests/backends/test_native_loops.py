"""Native loops against their definition: random bodies, lengths, directions, threads, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from native_graphs import (
    assert_native_is_reference,
    assert_same_bits_on_threads,
    forget_plans,
    run,
)
from pellucid.backends.cpu.load import CpuExecutable
from pellucid.backends.cpu.plan import describe_graph
from pellucid.backends.cpu.repeat import LoopUse
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.dtypes import float32, float64, int64
from pellucid.compiler import passes
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.ops import elementwise, structure
from pellucid.ops.contraction import matmul
from pellucid.ops.scan import Body, make_body, scan
from pellucid.ops.scan_body import rows
from pellucid.transforms.differentiate import gradients

LENGTHS = (1, 2, 7, 50)


class RandomBody:
    """A body of random operations, its operands, and all of its results in a graph."""

    def __init__(self, seed: int, length: int, reverse: bool, rows: int = 0) -> None:
        self.rng = np.random.default_rng([seed, length, reverse])
        # Long recurrences may be chaotic: roundings grow from step to step.
        self.dtype = float64 if seed % 3 == 0 or length > 7 else float32
        batch, width = (int(self.rng.integers(1, 6)) for _ in range(2))
        if rows:
            batch, width = rows, int(self.rng.integers(3, 40))
        self.shape = (batch, width)
        carries = [self._input(self.shape) for _ in range(int(self.rng.integers(0, 4)))]
        columns = [self._input(self.shape) for _ in range(int(self.rng.integers(0, 3)))]
        constants = [self._input((width, width)), self._input((width,))]
        values = [*carries, *columns, constants[1]]
        for _ in range(int(self.rng.integers(1, 7))):
            values.append(self._operation(values, constants[0]))
        pick = [v for v in values if v.shape == self.shape] or [
            structure.broadcast_to(values[-1], self.shape)
        ]
        outputs = [elementwise.tanh(self._one(pick)) for _ in carries]
        outputs += [self._one(values) for _ in range(int(self.rng.integers(0, 3)))]
        if not outputs:
            outputs = [self._one(values)]
        inputs = [*carries, *columns, *constants]
        self.body = make_body(len(carries), len(columns), inputs, outputs)
        self.length, self.reverse = length, reverse

    def _input(self, shape: tuple[int, ...]) -> Node:
        return new_input(Spec(shape, self.dtype))

    def _one(self, values: list[Node]) -> Node:
        return values[int(self.rng.integers(len(values)))]

    def _operation(self, values: list[Node], weight: Node) -> Node:
        a, b = self._one(values), self._one(values)
        kind = int(self.rng.integers(6))
        if kind == 0 and len(a.shape) == 2:
            return matmul(a, weight)
        if kind == 1 and len(a.shape) == 2:
            return structure.broadcast_to(structure.sum(a, (1,), keepdims=True), self.shape)
        if kind == 2:
            return elementwise.sigmoid(a)
        if kind == 3 and len(a.shape) == 2:
            return structure.flip(a, (1,))
        return (elementwise.mul if kind == 4 else elementwise.add)(a, b)

    def graph(self) -> tuple[Graph, list[np.ndarray]]:
        """Every result of the loop, and arrays for its operands."""
        body, n = self.body, self.body.carries
        operands = []
        for position, node in enumerate(body.inputs):
            stacked = n <= position < n + body.columns
            operands.append(self._input((self.length, *node.shape) if stacked else node.shape))
        numbers = list(range(n + len(body.outputs)))
        results = scan(body, operands, self.length, self.reverse, numbers)
        arrays = [(0.7 * self.rng.standard_normal(o.shape)).astype(o.dtype.numpy) for o in operands]
        return Graph(tuple(operands), tuple(results)), arrays


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("seed", range(8))
def test_random_bodies(seed: int, length: int) -> None:
    graph, arrays = RandomBody(seed, length, (seed + length) % 2 == 0).graph()
    assert_native_is_reference(graph, arrays)
    chosen = graph.outputs[:: 1 + seed % 3]
    assert_native_is_reference(Graph(graph.inputs, tuple(chosen)), arrays)


@pytest.mark.parametrize("seed", range(6))
def test_gradients_of_random_bodies(seed: int) -> None:
    for length, reverse in ((1, False), (5, False), (6, True)):
        graph, arrays = RandomBody(seed, length, reverse).graph()
        total: Any = None
        for output in graph.outputs:
            part = structure.sum(elementwise.sin(output))
            total = part if total is None else elementwise.add(total, part)
        found = gradients([total], graph.inputs)
        assert_native_is_reference(Graph(graph.inputs, tuple(found)), arrays)


def recurrence(batch: int, width: int, length: int) -> tuple[Graph, list[np.ndarray]]:
    """A tanh network over ``length`` steps, and its gradient to everything."""
    h, x = (new_input(Spec((batch, width), float32)) for _ in range(2))
    w = new_input(Spec((width, width), float32))
    after = elementwise.tanh(elementwise.add(x, matmul(h, w)))
    body = make_body(1, 1, [h, x, w], [after])
    first, xs, u = (
        new_input(Spec(s, float32))
        for s in ((batch, width), (length, batch, width), (width, width))
    )
    history = scan(body, [first, xs, u], length, False, [1])[0]
    loss = structure.sum(elementwise.mul(history, history))
    grads = gradients([loss], [first, xs, u])
    rng = np.random.default_rng(0)
    arrays = [
        (rng.standard_normal(n.shape) / width**0.5).astype(np.float32) for n in (first, xs, u)
    ]
    return Graph((first, xs, u), (history, *grads)), arrays


def test_bits_do_not_depend_on_threads() -> None:
    graph, arrays = recurrence(20, 160, 9)
    assert_same_bits_on_threads(graph, arrays)


def blocks_of(graph: Graph) -> list[int]:
    """Into how many blocks of rows each loop of a program is cut."""
    parts = CpuExecutable(graph).analysis.parts
    return [part.inner.blocks for part in parts if isinstance(part, LoopUse)]


def test_random_bodies_in_blocks_of_rows() -> None:
    cut = 0
    for seed in range(24):
        rows, length = (8, 10, 21, 32)[seed % 4], (2, 7)[seed % 2]
        graph, arrays = RandomBody(100 + seed, length, seed % 3 == 0, rows).graph()
        assert_native_is_reference(graph, arrays)
        assert_native_is_reference(Graph(graph.inputs, graph.outputs[:: 1 + seed % 2]), arrays)
        cut += sum(n > 1 for n in blocks_of(graph))
    assert cut >= 5, "too few of the random bodies are cut"


@pytest.mark.parametrize(("rows", "width"), [(8, 5), (20, 200), (32, 33), (21, 16), (64, 24)])
def test_a_recurrence_is_cut_into_blocks_of_rows(rows: int, width: int) -> None:
    graph, arrays = recurrence(rows, width, 6)
    assert_native_is_reference(graph, arrays)
    counts = blocks_of(graph)
    assert len(counts) == 2 and all(n > 1 and rows % n == 0 for n in counts)
    inside = [
        u for uses, turns in CpuExecutable(graph).analysis.turns() if turns == 6 for u in uses
    ]
    assert {u.kernel.chunks for u in inside} == set(counts)


def test_rows_that_need_each_other_are_not_cut() -> None:
    def is_cut(mix: Any) -> bool:
        h, x, w = (new_input(Spec(s, float32)) for s in ((16, 8), (16, 8), (8, 8)))
        after = elementwise.tanh(elementwise.add(x, mix(matmul(h, w))))
        step = make_body(1, 1, [h, x, w], [after])
        first, xs, u = (new_input(Spec(s, float32)) for s in ((16, 8), (5, 16, 8), (8, 8)))
        graph = Graph((first, xs, u), (scan(step, [first, xs, u], 5, False, [1])[0],))
        rng = np.random.default_rng(3)
        arrays = [rng.standard_normal(n.shape).astype("f4") / 3 for n in graph.inputs]
        assert_native_is_reference(graph, arrays)
        return blocks_of(graph) != [0]

    assert is_cut(lambda y: y)
    assert is_cut(lambda y: structure.flip(y, (1,)))
    assert is_cut(lambda y: structure.reshape(structure.reshape(y, (8, 16)), (16, 8)))
    mixing = [
        lambda y: structure.flip(y, (0,)),
        lambda y: structure.broadcast_to(structure.sum(y, (0,), keepdims=True), (16, 8)),
        lambda y: structure.reshape(structure.transpose(y, (1, 0)), (16, 8)),
    ]
    assert not any(is_cut(mix) for mix in mixing)


def test_values_of_different_width_keep_their_own_memory_in_blocks() -> None:
    # Were memory reused between them, a block at a later kernel would write over rows that another
    # block has yet to read.
    h, x = (new_input(Spec((64, 8), float32)) for _ in range(2))
    u, v, w = (new_input(Spec(s, float32)) for s in ((8, 160), (160, 24), (24, 8)))
    wide = elementwise.tanh(matmul(h, u))
    narrow = elementwise.sigmoid(matmul(wide, v))
    after = elementwise.tanh(elementwise.add(x, matmul(narrow, w)))
    body = make_body(1, 1, [h, x, u, v, w], [after])
    operands = [
        new_input(Spec(s, float32)) for s in ((64, 8), (30, 64, 8), (8, 160), (160, 24), (24, 8))
    ]
    graph = Graph(tuple(operands), (scan(body, operands, 30, False, [1])[0],))
    rng = np.random.default_rng(5)
    arrays = [rng.standard_normal(n.shape).astype("f4") / 3 for n in operands]
    assert blocks_of(graph)[0] > 1
    before, found = get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            set_num_threads(threads)
            found += [run(graph, arrays)[0] for _ in range(3)]
    finally:
        set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    assert_native_is_reference(graph, arrays)


def independent_turns(length: int, reverse: bool) -> tuple[Graph, list[np.ndarray]]:
    """softmax(x[t]·W)·(y[t] + b): no turn needs another."""
    x, y = (new_input(Spec(s, float32)) for s in ((17, 40), (17, 23)))
    w, b = (new_input(Spec(s, float32)) for s in ((40, 23), (23,)))
    z = matmul(x, w)
    e = elementwise.exp(z)
    out = elementwise.mul(e, elementwise.add(y, b))
    total = structure.sum(out, (0,))
    body = make_body(0, 2, [x, y, w, b], [out, total])
    specs = [(length, 17, 40), (length, 17, 23), (40, 23), (23,)]
    given = [new_input(Spec(s, float32)) for s in specs]
    found = scan(body, given, length, reverse, [0, 1])
    rng = np.random.default_rng(length)
    arrays = [(0.2 * rng.standard_normal(n.shape)).astype(np.float32) for n in given]
    return Graph(tuple(given), tuple(found)), arrays


@pytest.mark.parametrize(("length", "shares"), [(2, 0), (7, 7), (12, 12), (34, 0), (64, 16)])
@pytest.mark.parametrize("reverse", (False, True))
def test_turns_that_do_not_need_each_other_are_tasks(
    length: int, shares: int, reverse: bool
) -> None:
    graph, arrays = independent_turns(length, reverse)
    assert_native_is_reference(graph, arrays)
    parts = CpuExecutable(graph).analysis.parts
    (loop,) = (part for part in parts if isinstance(part, LoopUse))
    assert loop.shares == shares
    assert_same_bits_on_threads(graph, arrays)


def test_the_program_does_not_grow_with_the_number_of_steps() -> None:
    short, long = (CpuExecutable(recurrence(3, 8, n)[0]) for n in (4, 4096))
    # A sum over many steps may be cut into parts, which a kernel of its own adds.
    assert len(long.region_uses) <= len(short.region_uses) + 2
    assert len(long.graph.nodes()) <= len(short.graph.nodes()) + 2


def test_a_step_hands_its_carry_on_without_copying_it() -> None:
    executable = CpuExecutable(recurrence(20, 64, 12)[0])
    inside = [uses for uses, turns in executable.analysis.turns() if turns == 12]
    assert [u.cluster.kind for uses in inside for u in uses].count("product") == 2
    assert not any("copy" in u.name for uses in inside for u in uses)


def test_a_carry_without_history_is_updated_in_place() -> None:
    total, x = (new_input(Spec((300,), float32)) for _ in range(2))
    body = make_body(1, 1, [total, x], [elementwise.add(total, x)])
    first, xs = new_input(Spec((300,), float32)), new_input(Spec((40, 300), float32))
    graph = Graph((first, xs), (scan(body, [first, xs], 40, False, [0])[0],))
    executable = CpuExecutable(graph)
    assert executable.arena_bytes < 2 * 300 * 4
    rng = np.random.default_rng(1)
    assert_native_is_reference(graph, [rng.random(300, "f4"), rng.random((40, 300), "f4")])


def test_a_loop_in_a_loop_that_reads_slices_and_counts() -> None:
    c, u = (new_input(Spec((3,), float32)) for _ in range(2))
    inner = make_body(1, 1, [c, u], [elementwise.add(elementwise.mul(c, u), u), c])
    h, n = new_input(Spec((3,), float32)), new_input(Spec((), int64))
    x = new_input(Spec((4, 3), float32))
    last, outs = scan(inner, [h, x], 4, True, [0, 2])
    count = elementwise.add(n, n.lift(np.asarray(2)))
    body = make_body(2, 1, [h, n, x], [elementwise.tanh(last), count, outs, count])
    first, start = new_input(Spec((3,), float32)), new_input(Spec((), int64))
    wide = new_input(Spec((9, 4, 3), float32))
    results = scan(body, [first, start, rows(wide, 2, 5)], 5, False, [0, 1, 2, 3, 4, 5])
    rng = np.random.default_rng(2)
    arrays = [
        rng.random(3, "f4"),
        np.asarray(7),
        rng.random((9, 4, 3), "f4"),
    ]
    assert_native_is_reference(Graph((first, start, wide), tuple(results)), arrays)


@pytest.mark.parametrize("name", ["tidy_loops", "unroll_single_steps", "simplify"])
def test_each_pass_may_be_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_plans(monkeypatch)
    kept = tuple(p for p in passes.PASSES if p.__name__ != name)
    monkeypatch.setattr(passes, "PASSES", kept)
    for seed in range(4):
        for length in (1, 3):
            graph, arrays = RandomBody(seed, length, seed % 2 == 0).graph()
            assert_native_is_reference(graph, arrays)


def test_loops_are_told_apart_by_what_their_bodies_compute() -> None:
    texts = set()
    x = new_input(Spec((), float32))
    for make in (elementwise.sin, elementwise.cos, elementwise.sin):
        body: Body = make_body(1, 0, [x], [make(x)])
        start = new_input(Spec((), float32))
        texts.add(describe_graph(Graph((start,), tuple(scan(body, [start], 3, False, [0])))))
    assert len(texts) == 2


def test_equal_loops_and_equal_results_are_one() -> None:
    h, x, y = (new_input(Spec((2,), float32)) for _ in range(3))
    out = elementwise.mul(h, y)
    body = make_body(1, 2, [h, x, y], [elementwise.add(h, x), out, out, x])
    first, xs = new_input(Spec((2,), float32)), new_input(Spec((5, 2), float32))
    results = scan(body, [first, xs, xs], 5, False, [2, 3])
    tidy = passes.tidy_loops(Graph((first, xs), tuple(results)))
    assert tidy.outputs[0] is tidy.outputs[1]
    small: Body = tidy.outputs[0].settings["body"]
    assert (small.carries, small.columns, small.constants, len(small.outputs)) == (1, 1, 0, 2)


def test_packed_gates_are_written_part_by_part() -> None:
    z, g = new_input(Spec((6, 40), float32)), new_input(Spec((6, 10), float32))
    w = new_input(Spec((40, 10), float32))
    parts = [structure.slice_(z, (0, 10 * k), (6, 10 * (k + 1)), (1, 1)) for k in range(4)]
    product = elementwise.mul(elementwise.sigmoid(parts[0]), elementwise.tanh(parts[1]))
    total = elementwise.mul(elementwise.add(product, parts[2]), elementwise.sin(parts[3]))
    (back,) = gradients([total], [z], [g])
    joined = structure.concatenate([parts[1], g, elementwise.exp(parts[1])], 1)
    outputs = (matmul(back, w), back, joined, matmul(joined, structure.transpose(joined, (1, 0))))
    graph = Graph((z, g, w), outputs)
    rng = np.random.default_rng(5)
    assert_native_is_reference(graph, [rng.standard_normal(n.shape, "f4") for n in graph.inputs])
    stores = [u for uses in CpuExecutable(graph).region_uses for u in uses]
    assert not any(a.op.name == "pad" for u in stores for a in u.cluster.anchors)


def test_parts_of_parts_are_computed_where_they_lie() -> None:
    z, g = new_input(Spec((5, 36), float32)), new_input(Spec((5, 12), float32))
    w = new_input(Spec((36, 4), float32))

    def part(x: Node, start: int, stop: int) -> Node:
        piece: Node = structure.slice_(x, (0, start), (5, stop), (1, 1))
        return piece

    gates = elementwise.sigmoid(part(z, 0, 24))
    new = elementwise.tanh(elementwise.mul(part(gates, 0, 12), part(z, 24, 36)))
    total = elementwise.add(new, elementwise.mul(part(gates, 12, 24), g))
    (back,) = gradients([total], [z], [g])
    graph = Graph((z, g, w), (matmul(back, w), back))
    rng = np.random.default_rng(6)
    assert_native_is_reference(graph, [rng.standard_normal(n.shape, "f4") for n in graph.inputs])
    joined = passes.prepare(graph).outputs[1]
    assert joined.op.name == "assembly" and len(joined.inputs) == 3
