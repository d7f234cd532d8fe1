"""Generated matrix products against NumPy's definition in double precision."""

from __future__ import annotations

import ctypes
import dataclasses
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from native_products import CANARY, FORMS, SEED, SHAPES, Product, bias_and_relu, strides
from pellucid.backends.cpu.contraction import (
    Block,
    Contraction,
    ContractionPlan,
    emit_contraction,
    plan_contraction,
)
from pellucid.backends.cpu.engine import compile_kernel
from pellucid.backends.cpu.ir import Function, module_text
from pellucid.backends.cpu.target import Target, host_target, named_target
from pellucid.base.errors import ArgumentError

Array = npt.NDArray[np.floating]


def guarded(
    shape: Sequence[int], dtype: str, generator: np.random.Generator
) -> tuple[Array, Array]:
    """A random array of odd alignment inside a buffer of canaries; returns buffer and view."""
    size = int(np.prod(shape))
    buffer = np.full(size + 64, CANARY, dtype)
    view = buffer[33 : 33 + size].reshape(shape)
    view[...] = generator.standard_normal(shape)
    return buffer, view


def specification(a: Array, b: Array, c: Array, accumulate: bool = False) -> Contraction:
    """The contraction of (batch, m, k) and (batch, k, n) views."""
    batch, rows, depth = a.shape
    first, second, third = strides(a)
    one, two, three = strides(b)
    return Contraction(
        str(c.dtype),
        batch,
        rows,
        b.shape[2],
        depth,
        (first, second, third),
        (one, two, three),
        (strides(c)[0], strides(c)[1]),
        accumulate,
    )


def tolerance(a: Array, b: Array) -> Array:
    """Bound of the rounding error of each sum: ε · √K · (|A|·|B|), with some room."""
    epsilon = float(np.finfo(a.dtype).eps)
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    return epsilon * (4 + a.shape[2] ** 0.5) * magnitude + epsilon * 8


def check(
    a: Array,
    b: Array,
    accumulate: bool = False,
    target: Target | None = None,
    full_rows: bool = False,
) -> Product:
    """Compare with NumPy, in one call and in single chunks in another order; guard C's borders."""
    generator = np.random.default_rng(SEED)
    shape = (a.shape[0], a.shape[1], b.shape[2])
    buffer, c = guarded(shape, str(a.dtype), generator)
    before = buffer.copy()
    old = c.copy()
    product = Product(specification(a, b, c, accumulate), target, full_rows=full_rows)
    expected = a.astype(np.float64) @ b.astype(np.float64) + (old if accumulate else 0.0)
    product.run([a, b, c])
    assert np.all(np.abs(c - expected) <= tolerance(a, b)), np.abs(c - expected).max()
    whole = buffer.copy()
    buffer[...] = before
    shuffle = random.Random(SEED)
    product.run([a, b, c], lambda count: shuffle.sample(range(count), count))
    np.testing.assert_array_equal(buffer, whole)
    borders = np.r_[buffer[:33], buffer[33 + c.size :]]
    np.testing.assert_array_equal(borders, np.full_like(borders, CANARY))
    return product


def operands(
    rows: int, columns: int, depth: int, form: str, dtype: str = "float32", batch: int = 1
) -> tuple[Array, Array]:
    """A as (batch, m, k) and B as (batch, k, n), stored transposed where ``form`` has a T."""
    generator = np.random.default_rng([SEED, rows, columns, depth])
    a_shape = (batch, rows, depth) if form[0] == "N" else (batch, depth, rows)
    b_shape = (batch, depth, columns) if form[1] == "N" else (batch, columns, depth)
    a, b = (guarded(shape, dtype, generator)[1] for shape in (a_shape, b_shape))
    return a if form[0] == "N" else a.swapaxes(1, 2), b if form[1] == "N" else b.swapaxes(1, 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_and_forms(shape: tuple[int, int, int], form: str) -> None:
    check(*operands(*shape, form), accumulate=sum(shape) % 2 == 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(37, 51, 67), (1, 9, 40), (7, 3, 5)], ids=str)
def test_double_precision(shape: tuple[int, int, int], form: str) -> None:
    check(*operands(*shape, form, "float64", batch=2))


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)], ids=str)
@pytest.mark.parametrize("accumulate", [False, True])
def test_empty_extents(shape: tuple[int, int, int], accumulate: bool) -> None:
    check(*operands(*shape, "NN"), accumulate=accumulate)


def test_empty_batch_has_no_chunks() -> None:
    product = check(*operands(3, 4, 5, "NN", batch=0))
    assert product.plan.kernels[0].chunks == 0


def test_empty_depth_gives_zeros_even_over_nan() -> None:
    a, b = np.zeros((1, 5, 0), np.float32), np.zeros((1, 0, 19), np.float32)
    c = np.full((1, 5, 19), np.nan, np.float32)
    Product(specification(a, b, c)).run([a, b, c])
    np.testing.assert_array_equal(c, np.zeros_like(c))


@pytest.mark.parametrize("form", FORMS)
def test_many_blocks_of_depth_and_chunks(form: str) -> None:
    product = check(*operands(150, 200, 611, form), accumulate=form == "NT")
    assert product.plan.kernels[0].chunks > 1


def avx2_plan(a: Array, b: Array) -> ContractionPlan:
    """The plan for one fixed machine, so that what it decides can be tested on any."""
    c = np.zeros((a.shape[0], a.shape[1], b.shape[2]), a.dtype)
    return plan_contraction(specification(a, b, c), named_target("x86-64-avx2"))


def test_power_of_two_steps_are_packed() -> None:
    a, b = operands(1024, 160, 40, "TN")
    check(a, b)
    assert avx2_plan(a, b).pack_a == "lines"
    assert avx2_plan(*operands(1000, 160, 40, "TN")).pack_a == "none"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(10, 33, 9001), (5, 1, 400003)], ids=str)
def test_long_sums_are_split(shape: tuple[int, int, int], form: str) -> None:
    a, b = operands(*shape, form)
    check(a, b, accumulate=form == "TN")
    plan = avx2_plan(a, b)
    assert plan.splits > 1
    assert plan.scratch_bytes == plan.splits * shape[0] * shape[1] * 4
    assert [k.suffix for k in plan.kernels] == ["", "_sum"]


def test_batch_with_broadcast_operand() -> None:
    a, b = operands(17, 23, 9, "NN", batch=4)
    check(np.broadcast_to(a[:1], a.shape), b)
    check(a, np.broadcast_to(b[:1], b.shape))


def test_broadcast_inside_an_operand() -> None:
    a, b = operands(9, 12, 31, "NN", batch=2)
    check(np.broadcast_to(a[:, :1], a.shape), b)
    check(a, np.broadcast_to(b[:, :, :1], b.shape))
    check(np.broadcast_to(a[:, :, :1], a.shape), np.broadcast_to(b[:, :1], b.shape))


def test_heads_of_attention() -> None:
    """(batch, time, head, feature) seen as one product per head, Q·Kᵀ and P·V."""
    generator = np.random.default_rng(SEED)
    q, k = (generator.standard_normal((19, 3, 20)).astype(np.float32) for _ in range(2))
    heads_q, heads_k = q.transpose(1, 0, 2), k.transpose(1, 0, 2)
    check(heads_q, heads_k.transpose(0, 2, 1))
    check(generator.standard_normal((3, 19, 19)).astype(np.float32), heads_k)


def test_many_small_products_share_chunks() -> None:
    product = check(*operands(6, 5, 4, "NN", batch=500))
    assert product.plan.kernels[0].chunks < 500


def test_rows_of_c_may_lie_apart() -> None:
    a, b = operands(9, 20, 50, "NT")
    wide = np.full((1, 9, 33), CANARY, np.float32)
    c = wide[:, :, 5:25]
    Product(specification(a, b, c)).run([a, b, c])
    assert np.all(np.abs(c - a.astype(np.float64) @ b) <= tolerance(a, b))
    untouched = np.delete(wide, np.s_[5:25], axis=2)
    np.testing.assert_array_equal(untouched, np.full_like(untouched, CANARY))


def test_operands_are_not_read_past_their_ends() -> None:
    """Both operands end at the end of a page behind which nothing may be read."""
    libc = pytest.importorskip("ctypes").CDLL(None)
    if not hasattr(libc, "mprotect"):
        pytest.skip("needs mprotect")
    import mmap

    page = mmap.PAGESIZE
    for rows, columns, depth in ((5, 3, 7), (13, 19, 21), (30, 41, 33)):
        for form in FORMS:
            a, b = operands(rows, columns, depth, form)
            holders, views = [], []
            for array in (a, b, np.zeros((1, rows, columns), np.float32)):
                stored = np.ascontiguousarray(array if array.flags.c_contiguous else array.mT)
                size = -(-stored.nbytes // page) * page
                memory = mmap.mmap(-1, size + page)
                raw = np.frombuffer(memory, np.uint8)
                libc.mprotect(ctypes.c_void_p(raw.ctypes.data + size), page, 0)
                view = raw[size - stored.nbytes : size].view(np.float32).reshape(stored.shape)
                view[...] = stored
                views.append(view if array.flags.c_contiguous else view.mT)
                holders.append((memory, raw.ctypes.data + size))
            Product(specification(*views)).run(views)
            assert np.all(np.abs(views[2] - a.astype(np.float64) @ b) <= tolerance(a, b))
            for _, address in holders:
                libc.mprotect(ctypes.c_void_p(address), page, 3)


@pytest.mark.parametrize("form", ["NN", "NT", "TN"])
def test_whole_rows_on_demand(form: str) -> None:
    product = check(*operands(100, 300, 80, form), full_rows=True)
    plan = product.plan
    assert plan.columns.chunks == 1
    assert all(
        columns == range(300)
        for chunk in range(plan.kernels[0].chunks)
        for _, _, columns in plan.blocks(chunk)
    )


@pytest.mark.parametrize("shape", [(63, 255, 400), (700, 90, 50), (1, 999, 800), (90, 1, 7)])
def test_blocks_cover_c_exactly_once(shape: tuple[int, int, int]) -> None:
    a, b = operands(*shape, "NT", batch=2)
    c = np.zeros((2, *shape[:2]), np.float32)
    plan = plan_contraction(specification(a, b, c), host_target())
    count = np.zeros(c.shape, int)
    for chunk in range(plan.kernels[0].chunks):
        for batch, rows, columns in plan.blocks(chunk):
            count[batch, rows.start : rows.stop, columns.start : columns.stop] += 1
    np.testing.assert_array_equal(count, plan.splits)


@pytest.mark.parametrize("batch", [*range(1, 17), 20, 24, 32, 40, 48, 64])
def test_forward_product_and_gradient_cut_the_weights_alike(batch: int) -> None:
    """Each half of the chunks belongs to one half of the rows of W, in y = x·Wᵀ and in dW."""
    out, inputs = 256, 784
    forward = Contraction(
        "float32",
        1,
        batch,
        out,
        inputs,
        (0, inputs, 1),
        (0, 1, inputs),
        (0, out),
        updated=True,
    )
    gradient = Contraction(
        "float32", 1, out, inputs, batch, (0, 1, out), (0, inputs, 1), (0, inputs)
    )
    borders = []
    for spec, side in ((forward, 2), (gradient, 1)):
        plan = plan_contraction(spec, named_target("x86-64-avx2"))
        count = plan.kernels[0].chunks
        assert count % 2 == 0
        halves = [
            {w for c in half for block in plan.blocks(c) for w in block[side]}
            for half in (range(count // 2), range(count // 2, count))
        ]
        assert halves[0].isdisjoint(halves[1])
        borders.append(max(halves[0]))
    assert abs(borders[0] - borders[1]) < 8


@pytest.mark.parametrize("shape", [(64, 256, 200), (65, 1, 30), (3, 50, 64), (10, 33, 9001)])
@pytest.mark.parametrize("full_rows", [False, True])
def test_epilogue_sees_each_element_once(shape: tuple[int, int, int], full_rows: bool) -> None:
    rows, columns, _ = shape
    a, b = operands(*shape, "NT")
    bias = np.random.default_rng(SEED).standard_normal(columns).astype(np.float32) + 0.5
    c = np.full((1, rows, columns), np.nan, np.float32)
    spec = specification(a, b, c)
    first = plan_contraction(spec, host_target(), full_rows).epilogue_operand
    blocks: list[Block] = []

    def epilogue(f: Function, block: Block) -> None:
        blocks.append(block)
        bias_and_relu(f, block, first, columns)

    Product(spec, None, epilogue, full_rows).run([a, b, c, bias])
    expected = np.maximum(a.astype(np.float64) @ b + bias, 0.0)
    assert np.all(np.abs(c - expected) <= tolerance(a, b) + 1e-6)
    assert all(block.full_rows for block in blocks) or not full_rows


def test_text_is_canonical() -> None:
    a, b = operands(37, 51, 67, "NT")
    spec = specification(a, b, np.zeros((1, 37, 51), np.float32))
    texts = [
        module_text(emit_contraction("k", dataclasses.replace(spec), host_target()))
        for _ in range(2)
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ["x86-64-sse2", "x86-64-avx2", "x86-64-avx512", "aarch64-neon"])
@pytest.mark.parametrize("form", FORMS)
def test_compiles_for_every_target(name: str, form: str) -> None:
    target = named_target(name)
    for shape, dtype in (((37, 51, 67), "float32"), ((3, 70, 90), "float64")):
        a, b = operands(*shape, form, dtype)
        spec = specification(a, b, np.zeros((1, *shape[:2]), dtype))
        for function in emit_contraction("k", spec, target):
            code = compile_kernel("k", module_text([function]), target)
            assert len(code) > 500
            # A fused multiply-add without the instruction would be a call into the C library.
            assert b"fmaf\0" not in code and b"\0fma\0" not in code


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(37, 51, 67), (4, 30, 40)], ids=str)
def test_runs_on_the_oldest_instruction_set(
    shape: tuple[int, int, int], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not host_target().triple.startswith("x86_64"):
        pytest.skip("SSE2 is a level of x86-64")
    monkeypatch.setenv("PELLUCID_CPU", "sse2")
    check(*operands(*shape, form), target=host_target.__wrapped__())


def test_not_a_number_and_infinity_pass_through() -> None:
    a, b = operands(7, 20, 40, "NT")
    a[0, 2, 5], a[0, 4, 0] = np.nan, np.inf
    c = np.zeros((1, 7, 20), np.float32)
    Product(specification(a, b, c)).run([a, b, c])
    assert np.isnan(c[0, 2]).all()
    assert np.isinf(c[0, 4]).all()
    assert np.isfinite(np.delete(c[0], [2, 4], axis=0)).all()


def test_wrong_specifications_are_refused() -> None:
    good = Contraction("float32", 1, 2, 3, 4, (8, 4, 1), (12, 3, 1), (6, 3))
    with pytest.raises(ArgumentError, match="float32 or float64, not for 'int32'"):
        dataclasses.replace(good, dtype="int32")
    with pytest.raises(ArgumentError, match=r"are \(1, -2, 3, 4\)[\s\S]*None may be negative"):
        dataclasses.replace(good, rows=-2)


def test_flop_counts_a_multiplication_and_an_addition() -> None:
    spec = Contraction("float32", 5, 2, 3, 4, (8, 4, 1), (12, 3, 1), (6, 3))
    assert spec.flop == 5 * 2 * 3 * 4 * 2
    assert plan_contraction(spec, host_target()).flop == spec.flop
