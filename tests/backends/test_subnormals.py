"""Subnormal numbers in native code: 0 on every thread, and the caller's own mode left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from native_graphs import run
from pellucid import compile, nn, tensor
from pellucid.backends.cpu.engine import load_kernels
from pellucid.backends.cpu.runtime import NativeProgram, Region, Task
from pellucid.backends.cpu.runtime_ir import RUN_NAME, WORK_NAME, driver_kernels
from pellucid.backends.cpu.subnormals import can_flush_denormal
from pellucid.backends.cpu.target import host_target
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.dtypes import as_dtype, float32
from pellucid.base.errors import ArgumentError
from pellucid.graph.node import Graph, Spec, constant, new_input
from pellucid.ops import PRIMITIVES, elementwise
from pellucid.ops.registry import apply
from pellucid.tensor.tensor import Tensor
from pellucid.transforms.simplify import simplify

needs_mode = pytest.mark.skipif(not can_flush_denormal(), reason="this processor has no such mode")
pytestmark = needs_mode

KEEPS = frozenset("neg abs maximum minimum where copy detach cast".split())
"""Operations that choose or move a number, or change its sign: no arithmetic."""
OWN_VALUE = frozenset("remainder fmod log1p sin tan".split())
"""Operations that give a tiny operand back: they flush what they compute."""


@pytest.fixture(autouse=True)
def mode_and_threads() -> Iterator[None]:
    threads = get_num_threads()
    yield
    pellucid.set_flush_denormal(True)
    if get_num_threads() != threads:
        set_num_threads(threads)


def is_subnormal(array: np.ndarray) -> np.ndarray:
    size = np.abs(array)
    return (size > 0) & (size < np.finfo(array.dtype).tiny)


def flushed(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    return np.where(is_subnormal(array), np.copysign(0, array), array).astype(array.dtype)


ARITHMETIC = [
    name
    for name, primitive in PRIMITIVES.items()
    if primitive.family == "elementwise"
    and name != "conj"  # of complex numbers alone
    and name not in KEEPS | OWN_VALUE | {"digamma", "lgamma"}  # the last two have a pole at 0
    and not name.startswith("bitwise")
]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, np.float32) for name in ARITHMETIC]
    + [(name, np.float64) for name in ("add", "mul", "div", "sqrt", "exp", "log", "pow", "lt")],
)
def test_arithmetic_takes_and_gives_zeros(name: str, dtype: type) -> None:
    primitive = PRIMITIVES[name]
    sample = next(iter(primitive.samples()))
    tiny = np.finfo(dtype).tiny
    values = [tiny / 8, -tiny / 8, 0.99 * tiny, 0.0, tiny, -tiny, 1.0, -1.0, 0.5, 1e-20, -100, -740]
    grid = np.meshgrid(*[np.array(values, dtype)] * len(sample.inputs))
    arrays = [np.ascontiguousarray(a.ravel()) for a in grid]
    nodes = [new_input(Spec(a.shape, as_dtype(a.dtype))) for a in arrays]
    graph = Graph(tuple(nodes), (apply(primitive, *nodes, **sample.params),))
    (found,) = run(graph, arrays)
    (expected,) = run(graph, [flushed(a) for a in arrays], "reference")
    assert_close(found, flushed(expected), 1e-5 if dtype is np.float32 else 1e-11, 0)
    if found.dtype.kind == "f":
        assert not is_subnormal(found).any()


def scan_of_products(x: Tensor) -> Tensor:
    last, _ = pellucid.scan(lambda c, row: (c * 0.5 + row * 1e-20, c), x[0] * 0, x)
    return last


PROGRAMS: dict[str, Callable[[Tensor], Tensor]] = {
    "element by element": lambda x: x * 1e-20,
    "columns": lambda x: (x * 1e-20).sum(0),
    "rows": lambda x: (x * 1e-20).sum(1),
    "product": lambda x: x @ (x.t() * 1e-5),
    "affine": lambda x: nn.functional.linear(x, x * 1e-5),
    "softmax": lambda x: nn.functional.softmax(x * 1e20 * tensor([0.0, -95.0] * 32), -1),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x, x, x * 1e-20),
    "convolution": lambda x: nn.functional.conv1d(x[None], x[:8, None, :3].repeat(1, 64, 1) / 10),
    "running sum": lambda x: (x * 1e-20).cumsum(0),
    "scan": scan_of_products,
    "gradient": lambda x: pellucid.autograd.grad((x * 1e-10 * x).sum(), [x])[0] * 1e-10,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_every_kind_give_no_subnormal_numbers(name: str) -> None:
    x = tensor(np.full((64, 64), 1e-20, np.float32), requires_grad=True)
    found = compile(PROGRAMS[name])(x).detach().numpy()
    assert not is_subnormal(found).any()
    pellucid.set_flush_denormal(False)
    kept = compile(PROGRAMS[name])(x).detach().numpy()
    assert is_subnormal(kept).any()


def test_the_kernels_of_eager_mode_flush_as_well() -> None:
    x = tensor(np.full((300, 300), 1e-20, np.float32))
    assert not (x @ x).numpy().any()


SLOW_PRODUCT = """
define void @{name}(ptr %table, ptr %slots, i64 %begin, i64 %end) nounwind {{
entry:
  %here = alloca i64
  %here.int = ptrtoint ptr %here to i64
  %out.value = load i64, ptr %table
  %out = inttoptr i64 %out.value to ptr
  br label %head
head:
  %i = phi i64 [ %begin, %entry ], [ %i.next, %wait.done ]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %body, label %done
body:
  br label %wait
wait:
  %n = phi i64 [ 0, %body ], [ %n.next, %wait ]
  store volatile i64 %n, ptr %here
  %n.next = add i64 %n, 1
  %waits = icmp slt i64 %n.next, 400000
  br i1 %waits, label %wait, label %wait.done
wait.done:
  %at = mul i64 %i, 3
  %a.at = getelementptr i64, ptr %out, i64 %at
  %a = load volatile double, ptr %a.at
  %b.at = getelementptr i64, ptr %a.at, i64 1
  %b = load volatile double, ptr %b.at
  %product = fmul double %a, %b
  store volatile double %product, ptr %a.at
  %where = getelementptr i64, ptr %a.at, i64 2
  store i64 %here.int, ptr %where
  %i.next = add i64 %i, 1
  br label %head
done:
  ret void
}}
"""
"""A chunk waits, multiplies two numbers and notes where its thread's stack is."""


@pytest.mark.parametrize("threads", range(1, 9))
def test_every_thread_flushes(threads: int) -> None:
    name = "slow_product_for_tests"
    address = load_kernels({name: SLOW_PRODUCT.format(name=name)}, host_target())[name]
    set_num_threads(threads)
    chunks = 16 * threads
    records = np.zeros((chunks, 3))
    program = NativeProgram(1, [Region([Task(address, [0], chunks)], parallel=True)])
    program.table[0] = records.ctypes.data
    stacks: set[int] = set()
    for flushes in (True, False) * 4:
        pellucid.set_flush_denormal(flushes)
        records[:, 0], records[:, 1] = 1e-200, 1e-110
        program.run()
        expected = 0.0 if flushes else 1e-200 * 1e-110
        assert records[:, 0].tolist() == [expected] * chunks
        stacks |= set((records[:, 2].view(np.int64) >> 20).tolist())
        if len(stacks) >= threads:  # megabytes of stack in which somebody computed
            break
    assert stacks


def test_the_caller_computes_as_before() -> None:
    def product() -> float:
        return float((np.full(3, 1e-200) * np.full(3, 1e-120))[0])

    before = product()
    assert before > 0
    for flushes in (True, False):
        pellucid.set_flush_denormal(flushes)
        compile(lambda x: (x * 2).sum())(pellucid.ones(300_000))
        assert product() == before
    assert 5e-324 / 2 == 0.0 and 1e-310 / 2 > 0


@pytest.mark.parametrize("flushes", (True, False))
def test_what_is_computed_beforehand_is_what_would_be_computed(flushes: bool) -> None:
    pellucid.set_flush_denormal(flushes)
    x = new_input(Spec((), float32))
    small, smaller = (constant(np.array(v, np.float32)) for v in (1e-30, 1e-10))
    known = elementwise.mul(elementwise.mul(small, smaller), x)
    a, b = new_input(Spec((), float32)), new_input(Spec((), float32))
    given = elementwise.mul(elementwise.mul(a, b), x)
    arrays = [np.array(v, np.float32) for v in (1e20, 1e-30, 1e-10)]
    (left,) = run(Graph((x,), (known,)), arrays[:1])
    (right,) = run(Graph((x, a, b), (given,)), arrays)
    assert left == right
    assert (left == 0) == flushes


def test_folding_leaves_subnormal_numbers_to_the_program() -> None:
    small = constant(np.array(1e-30, np.float32))
    product = elementwise.mul(small, constant(np.array(1e-10, np.float32)))
    assert simplify(Graph((), (product,))).outputs[0] is product
    normal = elementwise.mul(small, constant(np.array(2.0, np.float32)))
    assert simplify(Graph((), (normal,))).outputs[0].op.name == "constant"


def test_the_return_value_and_a_wrong_mode() -> None:
    assert pellucid.set_flush_denormal(True) is True
    assert pellucid.set_flush_denormal(False) is True
    for wrong in (1, None, "on"):
        with pytest.raises(ArgumentError, match="takes True or False"):
            pellucid.set_flush_denormal(wrong)  # type: ignore[arg-type]


def test_drivers_of_other_processors() -> None:
    arm = driver_kernels("aarch64")
    assert "set.fpcr" in arm[RUN_NAME] and f"or i64 %control.before, {1 << 24}" in arm[RUN_NAME]
    assert "set.fpcr" in arm[WORK_NAME]
    other = driver_kernels("riscv64")
    assert "fpcr" not in other[RUN_NAME] and "mxcsr" not in other[RUN_NAME]
