"""Programs made from kept plans: the same values, and never the plan of another graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from native_graphs import assert_native_is_reference, run
from pellucid.backends.cpu import analysis, executable, machine
from pellucid.backends.cpu import plan as plans
from pellucid.backends.cpu.contraction import Contraction, plan_contraction
from pellucid.backends.cpu.target import host_target, named_target
from pellucid.base.dtypes import float32, float64, int64
from pellucid.compiler.machine import Machine
from pellucid.graph.node import Graph, Node, Spec, constant, new_input
from pellucid.ops import elementwise as e
from pellucid.ops import indexing, structure
from pellucid.ops.contraction import matmul
from pellucid.ops.registry import scalar


def mixed() -> tuple[Graph, list[np.ndarray]]:
    x, w = new_input(Spec((9, 7), float64)), new_input(Spec((7, 5), float64))
    index = new_input(Spec((4,), int64))
    table = constant(np.arange(45.0).reshape(9, 5))
    total = e.add(matmul(x, w), table)
    outputs = (
        e.sub(w, scalar(w, 0.1)),
        e.div(e.exp(total), structure.sum(e.exp(total), 1, True)),
        indexing.take(total, index, 0),
        structure.argsort(x, 1),
        structure.broadcast_to(scalar(x, 3.0), (2, 2)),
    )
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((9, 7)) / 9,
        rng.standard_normal((7, 5)) / 9,
        np.array([0, 8, 3, 3]),
    ]
    return Graph((x, w, index), outputs, {0: 1}), arrays


def test_a_kept_plan_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, arrays = mixed()
    first = run(graph, arrays)
    again, _ = mixed()  # other nodes, same graph
    assert plans.plan_key(graph, host_target()) == plans.plan_key(again, host_target())
    monkeypatch.setattr(plans, "_known", {})  # as in a new process, with the plan on disk
    monkeypatch.setattr(analysis, "prepare", lambda *_: pytest.fail("the plan was not found"))
    for left, right in zip(first, run(again, arrays), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_plan_made_for_another_machine_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, _ = mixed()
    before = plans.plan_key(graph, host_target())
    other = Machine(long_reduction=1 << 10)
    monkeypatch.setattr(plans, "machine_of", lambda target: other)
    assert plans.plan_key(graph, host_target()) != before


def test_a_damaged_plan_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, arrays = mixed()
    run(graph, arrays)  # its kernels are loaded: only plans are read below
    for damage in (b"", b"{}", b"[1]", b"\xff\xfe", b'{"inputs": "x"}'):
        monkeypatch.setattr(plans, "_known", {})
        monkeypatch.setattr(plans.cache, "read_object", lambda key, d=damage: d)
        monkeypatch.setattr(plans.cache, "write_object", lambda key, content: True)
        monkeypatch.setattr(executable, "find_kernels", lambda kernels, target: None)
        assert_native_is_reference(graph, arrays)


def variants() -> dict[str, Graph]:
    """Graphs that differ in one thing each."""

    def build(
        number: float = 2.0,
        axis: int = 0,
        dtype: Any = float32,
        extent: int = 6,
        swapped: bool = False,
        repeated: bool = False,
        aliases: Any = None,
        outputs: int = 1,
    ) -> Graph:
        x, y = (new_input(Spec((extent, 6), dtype)) for _ in range(2))
        left, right = (y, x) if swapped else (x, x if repeated else y)
        result: Node = e.sub(e.mul(left, scalar(x, number)), structure.cumsum(right, axis))
        return Graph((x, y), (result, e.neg(result))[:outputs], aliases or {})

    return {
        "plain": build(),
        "number": build(number=3.0),
        "sign of zero": build(number=0.0),
        "negative zero": build(number=-0.0),
        "axis": build(axis=1),
        "dtype": build(dtype=float64),
        "extent": build(extent=5),
        "swapped": build(swapped=True),
        "repeated": build(repeated=True),
        "alias": build(aliases={0: 0}),
        "other alias": build(aliases={0: 1}),
        "two outputs": build(outputs=2),
    }


def test_different_graphs_have_different_plans() -> None:
    keys = {name: plans.plan_key(graph, host_target()) for name, graph in variants().items()}
    assert len(set(keys.values())) == len(keys)
    for graph in variants().values():
        rng = np.random.default_rng(1)
        arrays = [rng.standard_normal(n.shape).astype(n.dtype.numpy) for n in graph.inputs]
        assert_native_is_reference(graph, arrays)


def test_a_plan_made_with_other_costs_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, _ = mixed()
    before = plans.plan_key(graph, host_target())
    other = machine.Costs(machine.ProductCosts(chunk_cycles=1_000))
    monkeypatch.setitem(machine.COSTS_BY_TARGET, host_target().key(), other)
    assert plans.plan_key(graph, host_target()) != before


def test_chunks_follow_the_costs_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    target = named_target("x86-64-avx2")
    strides = (128 * 128, 128, 1)
    spec = Contraction("float32", 1, 128, 128, 128, strides, strides, strides[:2])
    usual = plan_contraction(spec, target).kernels[0].chunks
    # 128³ multiply-adds, 16 in a cycle, are 131,072 cycles.
    for cycles, most in ((131_073, 1), (60_000, 2), (10_000, 13)):
        costs = machine.ProductCosts(chunk_cycles=cycles, small_chunk_cycles=1 << 40)
        monkeypatch.setitem(machine.COSTS_BY_TARGET, target.key(), machine.Costs(costs))
        chunks = plan_contraction(spec, target).kernels[0].chunks
        assert most / 2 < chunks <= most
    monkeypatch.delitem(machine.COSTS_BY_TARGET, target.key())
    assert plan_contraction(spec, target).kernels[0].chunks == usual


def chunks_of(graph: Graph) -> list[int]:
    found = analysis.Analysis(graph, host_target())
    return [u.kernel.chunks for uses in found.region_uses for u in uses]


def test_loops_follow_the_costs_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    x, tall = new_input(Spec((96, 100), float32)), new_input(Spec((100, 512), float32))
    rows = Graph((x,), (structure.sum(e.exp(x), (1,)),))
    columns = Graph((tall,), (structure.sum(tall, (0,)),))
    assert chunks_of(columns) == [2]  # 256 columns each
    usual = chunks_of(rows)
    costs = machine.Costs(loops=machine.LoopCosts(chunk_nanoseconds=1.0, column_block=64))
    monkeypatch.setitem(machine.COSTS_BY_TARGET, host_target().key(), costs)
    assert chunks_of(rows) == [96] > usual  # a row each
    assert chunks_of(columns) == [8]
