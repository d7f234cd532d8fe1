"""Operations that compiled programs call back in Python: values, errors, threads, kept plans."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from native_graphs import assert_native_is_reference, assert_same_bits_on_threads, run
from pellucid.backends.cpu import analysis
from pellucid.backends.cpu import plan as plans
from pellucid.backends.cpu.target import host_target
from pellucid.base.dtypes import DType, float64, int64
from pellucid.base.errors import CompilationError, GraphError, PellucidError
from pellucid.graph.node import Graph, Node, Primitive, Sample, Spec, new_input
from pellucid.ops import PRIMITIVES, indexing, structure
from pellucid.ops import elementwise as e
from pellucid.ops.contraction import matmul
from pellucid.ops.registry import define


class ShareError(PellucidError, LookupError):
    """What the operation of these tests raises."""


LARGEST = 1e3
seen: list[Any] = []
"""What the operation below was called with: the operand's flags and its settings."""


trouble: list[BaseException] = []
"""What its next call raises."""


def _parts(
    x: np.ndarray,
    names: tuple[str, ...],
    shift: float,
    dtype: DType,
    outputs: tuple[int, ...] | None = None,
) -> dict[int, np.ndarray]:
    """Sorted rows, their order and the largest of all, with ``shift`` added."""
    seen.append((x.flags.writeable, names, shift, dtype, outputs, threading.get_ident()))
    if trouble:
        raise trouble.pop()
    if np.abs(x).max(initial=0) > LARGEST:
        raise ShareError(f"parts got {np.abs(x).max():.0f}", "stay below a thousand")
    order = np.argsort(x, -1)
    found = {
        0: np.take_along_axis(x, order, -1) + x.dtype.type(shift),
        1: order.astype(dtype.numpy),
        2: np.asarray(x.max(initial=0) + shift, x.dtype),
    }
    return found if outputs is None else {k: found[k] for k in outputs}


def _infer(x: Spec, *, output: int, dtype: DType, names: tuple[str, ...], **_: Any) -> Spec:
    if "wrong" in names:
        return Spec((9, *x.shape), x.dtype)
    return (Spec(x.shape, x.dtype), Spec(x.shape, dtype), Spec((), x.dtype))[output]


def _rule(
    cotangents: Any, result: Any, inputs: Any, wanted: Any, pull: Any, **params: Any
) -> list[Any]:
    """Of the sorted rows alone: the cotangents go back to where they came from."""
    zero = e.mul(inputs[0], inputs[0].lift(np.zeros((), inputs[0].dtype.numpy)))
    return [indexing.scatter(zero, result(1), cotangents[0], -1, "add")]


@pytest.fixture(autouse=True, scope="module")
def parts() -> Iterator[Primitive]:
    """An operation with three results that is a host call, in the table while the tests run."""
    made = define(
        "test_parts",
        "test",
        "sorted rows, their order, the largest",
        infer=_infer,
        evaluate=lambda x, *, output, **params: _parts(x, **params)[output],
        gradient=_rule,
        samples=lambda: [Sample((np.zeros(2),))],
        reason="tests",
        results=_parts,
        host=True,
    )
    yield made
    del PRIMITIVES["test_parts"]


PARAMS = {"names": ("a", ("b", "c")), "shift": 0.5, "dtype": int64}


def applied(x: Any, **changed: Any) -> list[Any]:
    """The three results on nodes or tensors."""
    found: list[Any] = x.apply_results(
        PRIMITIVES["test_parts"], (x,), {**PARAMS, **changed}, (0, 1, 2)
    )
    return found


def between() -> tuple[Graph, list[np.ndarray]]:
    """Products and element-wise work before and behind two calls, one reading the other."""
    x, w = new_input(Spec((65, 40), float64)), new_input(Spec((40, 30), float64))
    rows, order, _ = applied(e.tanh(matmul(x, w)))
    again, _, most = applied(structure.transpose(rows, (1, 0)))
    outputs = (e.mul(again, most), order, matmul(rows, again))
    rng = np.random.default_rng(0)
    shapes = ((65, 40), (40, 30))
    return Graph((x, w), outputs), [rng.standard_normal(s) / 4 for s in shapes]


def test_results_go_where_kernels_read_them() -> None:
    assert_native_is_reference(*between())


def test_only_results_that_are_wanted_are_asked_for_and_once() -> None:
    x = new_input(Spec((4, 5), float64))
    rows, order, _ = applied(x)
    seen.clear()
    run(Graph((x,), (rows, order)), [np.arange(20.0).reshape(4, 5)])
    # Operands are not for writing, and settings are those of the graph.
    assert [s[:5] for s in seen] == [(False, ("a", ("b", "c")), 0.5, int64, (0, 1))]


def test_a_call_runs_on_the_calling_thread_and_bits_do_not_depend_on_threads() -> None:
    seen.clear()
    assert_same_bits_on_threads(*between())
    assert {s[5] for s in seen} == {threading.get_ident()}


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
def test_empty_operands(shape: tuple[int, ...]) -> None:
    x = new_input(Spec(shape, float64))
    assert_native_is_reference(Graph((x,), tuple(applied(e.exp(x)))), [np.ones(shape)])


def test_a_kept_plan_finds_the_operation_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, arrays = between()
    first = run(graph, arrays)
    monkeypatch.setattr(plans, "_known", {})  # as in a new process, with the plan on disk
    monkeypatch.setattr(analysis, "prepare", lambda *_: pytest.fail("the plan was not found"))
    seen.clear()
    for left, right in zip(first, run(between()[0], arrays), strict=True):
        np.testing.assert_array_equal(left, right)
    assert {s[1:4] for s in seen} == {(("a", ("b", "c")), 0.5, int64)}


def test_settings_tell_plans_apart() -> None:
    x = new_input(Spec((3,), float64))
    for shift in (0.5, 1.5, float("inf")):
        (found,) = run(Graph((x,), (applied(x, shift=shift)[0],)), [np.array([3.0, 1, 2])])
        np.testing.assert_array_equal(found, np.array([1.0, 2, 3]) + shift)
    with pytest.raises(CompilationError, match="a setting of a host operation is a frozenset"):
        run(Graph((x,), (applied(x, names=frozenset((1,)))[0],)), [np.ones(3)])


def test_a_result_that_breaks_the_shape_rule_is_an_error() -> None:
    x = new_input(Spec((3,), float64))
    with pytest.raises(GraphError, match="a result of shape \\(3,\\) where its shape rule says"):
        run(Graph((x,), (applied(x, names=("wrong",))[0],)), [np.ones(3)])


# ---- in programs ---------------------------------------------------------------------------------


def tensor(*shape: int, seed: int = 0) -> Any:
    return pellucid.tensor(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_an_error_names_the_line_and_leaves_the_state_alone(backend: str) -> None:
    weight, count = tensor(4, 3), pellucid.zeros(())
    before = weight.clone()

    def step(x: Any) -> Any:
        weight.mul_(2)  # independent of the call: would be ready before it
        count.add_(1)
        rows, _, most = applied(x * 3)
        weight.add_(rows)
        checked, _, _ = applied(weight * 1)  # of the new value: written over the old one later
        return checked.sum() + most

    compiled = pellucid.compile(step, backend=backend)
    good, bad = tensor(4, 3, seed=1), pellucid.full((4, 3), 1e4, dtype=pellucid.float64)
    with pytest.raises(ShareError, match="parts got 30000, in .*test_host_calls.py:\\d+\n  stay"):
        compiled(bad)
    assert_close(weight, before)
    assert count.item() == 0
    first = compiled(good)
    assert count.item() == 1
    with pytest.raises(LookupError):
        compiled(bad)
    assert count.item() == 1
    expected = 2 * before.numpy() + np.sort(3 * good.numpy(), -1) + 0.5
    assert_close(weight, expected)
    assert_close(first, np.sum(expected + 0.5) + 3 * good.numpy().max() + 0.5)


def test_many_steps_stop_at_the_one_that_fails() -> None:
    total = pellucid.zeros(3, dtype=pellucid.float64)

    @pellucid.compile
    def step(x: Any) -> Any:
        rows, _, _ = applied(x)
        total.add_(rows)
        return rows.sum()

    xs = np.arange(15.0).reshape(5, 3)
    step(pellucid.tensor(xs[0]))
    total.zero_()
    assert_close(step.many(5, pellucid.tensor(xs)), xs.sum(1) + 1.5)
    assert_close(total, xs.sum(0) + 2.5)
    total.zero_()
    bad = xs.copy()
    bad[3] = 1e5
    with pytest.raises(ShareError, match="parts got 100000"):
        step.many(5, pellucid.tensor(bad))
    assert_close(total, xs[:3].sum(0) + 1.5)
    total.zero_()
    assert_close(step(pellucid.tensor(xs[1])), xs[1].sum() + 1.5)  # bound to fresh memory again
    assert_close(total, xs[1] + 0.5)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError("none left")])
def test_interrupts_and_other_errors_pass_through(error: BaseException) -> None:
    step = pellucid.compile(lambda x: applied(x)[0])
    step(tensor(3))
    trouble.append(error)
    with pytest.raises(type(error)):
        step(tensor(3))
    assert_close(step(tensor(3)), np.sort(tensor(3).numpy()) + 0.5)


def test_gradients_through_a_call_agree_with_eager() -> None:
    weight = tensor(6, 4).requires_grad_()

    def loss(x: Any) -> Any:
        weight.grad = None
        rows, _, _ = applied(x @ weight)
        value = (rows * pellucid.arange(4.0)).square().sum()
        value.backward()
        return value.detach(), weight.grad.clone()

    x = tensor(5, 6, seed=2)
    for left, right in zip(pellucid.compile(loss)(x), loss(x), strict=True):
        assert_close(left, right)


def test_in_a_loop_over_time() -> None:
    def body(carry: Any, x: Any) -> Any:
        rows, _, most = applied(carry + x)
        return rows * 0.5, most

    def loop(start: Any, xs: Any) -> Any:
        return pellucid.scan(body, start, xs)

    start, xs = tensor(4, 3), tensor(7, 4, 3, seed=3)
    last, most = pellucid.compile(loop)(start, xs)
    expected, found = start.numpy(), []
    for x in xs.numpy():
        found.append((expected + x).max() + 0.5)
        expected = 0.5 * (np.sort(expected + x, -1) + 0.5)
    assert_close(last, expected)
    assert_close(most, np.asarray(found))

    def mapped(xs: Any) -> Any:  # no carries: shares of the iterations would be tasks
        return pellucid.scan(lambda c, x: (c, applied(x)[0].exp()), (), xs)[1]

    wide = tensor(64, 30, seed=4)
    assert_close(pellucid.compile(mapped)(wide), np.exp(np.sort(wide.numpy(), -1) + 0.5))
    with pytest.raises(ShareError, match="in .*test_host_calls.py"):
        pellucid.compile(loop)(start, xs * 1e4)


def test_several_threads_run_programs_with_calls() -> None:
    step = pellucid.compile(lambda x: applied(x @ x.mT)[0] * 2)
    other = pellucid.compile(lambda x: applied(x.exp())[0].sum())
    inputs = [tensor(40, 40, seed=k) / 10 for k in range(4)]
    expected = [(step(x), other(x)) for x in inputs]
    wrong: list[Any] = []

    def work(k: int) -> None:
        for _ in range(20):
            for call, known in zip((step, other), expected[k], strict=True):
                if not np.array_equal(call(inputs[k]).numpy(), known.numpy()):
                    wrong.append(k)
            try:
                other(inputs[k] * 1e3)
                wrong.append(k)
            except ShareError:
                pass

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(t.is_alive() for t in threads)


def test_subnormal_numbers_are_numbers_in_a_call() -> None:
    tiny = np.full((2, 3), 1e-310)

    @pellucid.compile
    def step(x: Any) -> Any:
        rows, _, _ = applied(x, shift=0.0)
        return rows

    np.testing.assert_array_equal(step(pellucid.tensor(tiny)).numpy(), tiny)


def test_explain_says_what_python_computes() -> None:
    step = pellucid.compile(lambda x: applied(x.exp())[0].sum())
    step(tensor(8, 9))
    told = step.explain()
    assert "computed in Python: test_parts" in str(told)
    assert [k.operations for k in told.kernels if k.host] == [("test_parts",)]


def test_a_node_of_the_call_is_no_constant_to_be_folded() -> None:
    step = pellucid.compile(lambda x: x + applied(pellucid.full((3,), 1e9))[0])
    with pytest.raises(ShareError):  # at each call, as in eager mode
        step(pellucid.zeros(3))


def test_nodes_of_a_group_are_one_cluster() -> None:
    graph, _ = between()
    made = analysis.Analysis(graph, host_target())
    hosts = [c for c in made.fusion.clusters if c.kind == "host"]
    assert [len(c.anchors) for c in hosts] == [2, 2] and made.calls == [c.anchors[0] for c in hosts]
    assert all(isinstance(a, Node) for c in hosts for a in c.anchors)
