"""Products of bfloat16 operands against NumPy's definition on the rounded numbers.

Each case runs twice on this processor: as it multiplies here, and with pairs of bfloat16 taken
apart in plain arithmetic, which executes the packing, the tiles and the odd depths of processors
that have an instruction for pairs.  For those the code is compiled and read.
"""

from __future__ import annotations

import dataclasses
import re

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt
import pytest

from native_products import CANARY, FORMS, SEED, SHAPES, Product, bias_and_relu, strides
from pellucid.backends.cpu.contraction import Contraction, emit_contraction, plan_contraction
from pellucid.backends.cpu.contraction_spec import ContractionPlan
from pellucid.backends.cpu.ir import module_text
from pellucid.backends.cpu.target import Target, host_target, named_target, target_machine
from pellucid.base.dtypes import bfloat16
from pellucid.base.errors import ArgumentError

Array = npt.NDArray[np.generic]
EMULATING = dataclasses.replace(host_target(), emulate_pairs=True)
PLAIN = dataclasses.replace(
    host_target(), features=host_target().features.replace("+avx512bf16", "-avx512bf16")
)
STORED = [("float32", "float32"), ("bfloat16", "float32"), ("bfloat16", "bfloat16")]


def rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The nearest bfloat16 numbers, exactly."""
    return bfloat16.numbers(bfloat16.array(values)).astype(np.float64)


def held(values: npt.NDArray[np.float32], kind: str) -> Array:
    """Numbers as they lie in memory, at an odd place in a larger buffer."""
    stored = bfloat16.array(values).view(np.uint16) if kind == "bfloat16" else values
    buffer = np.empty(stored.size + 64, stored.dtype)
    view = buffer[33 : 33 + stored.size].reshape(stored.shape)
    view[...] = stored
    return view


def made(
    shape: tuple[int, int, int], form: str, kinds: tuple[str, str], batch: int = 1
) -> tuple[list[Array], list[npt.NDArray[np.float64]]]:
    """A as (batch, m, k) and B as (batch, k, n), as in memory and as numbers."""
    rows, columns, depth = shape
    generator = np.random.default_rng([SEED, *shape])
    shapes = [(batch, rows, depth), (batch, depth, columns)]
    arrays, numbers = [], []
    for letter, kind, extents in zip(form, kinds, shapes, strict=True):
        turned = extents if letter == "N" else (extents[0], extents[2], extents[1])
        values = generator.standard_normal(turned).astype(np.float32)
        stored, exact = held(values, kind), rounded(values)
        arrays.append(stored if letter == "N" else stored.swapaxes(1, 2))
        numbers.append(exact if letter == "N" else exact.swapaxes(1, 2))
    return arrays, numbers


def specified(
    a: Array, b: Array, c: Array, kinds: tuple[str, str], accumulate: bool = False
) -> Contraction:
    one, two = strides(a), strides(b)
    return Contraction(
        "float32",
        a.shape[0],
        a.shape[1],
        b.shape[2],
        a.shape[2],
        (one[0], one[1], one[2]),
        (two[0], two[1], two[2]),
        (strides(c)[0], strides(c)[1]),
        accumulate,
        narrow=kinds,
    )


def check(
    arrays: list[Array],
    numbers: list[npt.NDArray[np.float64]],
    kinds: tuple[str, str],
    target: Target,
    accumulate: bool = False,
) -> Product:
    (a, b), (x, y) = arrays, numbers
    buffer = np.full(a.shape[0] * a.shape[1] * b.shape[2] + 64, CANARY, np.float32)
    c = buffer[33:-31].reshape(a.shape[0], a.shape[1], b.shape[2])
    c[...] = 0.5
    product = Product(specified(a, b, c, kinds, accumulate), target)
    product.run([a, b, c])  # type: ignore[list-item]
    bound = np.finfo(np.float32).eps * (4 + a.shape[2] ** 0.5) * (np.abs(x) @ np.abs(y) + 1)
    assert np.all(np.abs(c - (x @ y + (0.5 if accumulate else 0))) <= bound)
    borders = np.r_[buffer[:33], buffer[-31:]]
    np.testing.assert_array_equal(borders, np.full_like(borders, CANARY))
    return product


@pytest.mark.parametrize("target", [PLAIN, EMULATING], ids=["plain", "pairs"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [*SHAPES, (70, 90, 1301), (10, 33, 9001)], ids=str)
def test_shapes_and_forms(shape: tuple[int, int, int], form: str, target: Target) -> None:
    kinds = STORED[sum(shape) % 3]
    product = check(*made(shape, form, kinds), kinds, target, sum(shape) % 2 == 0)
    assert product.plan.pairs == target.pair_product


@pytest.mark.parametrize("target", [PLAIN, EMULATING], ids=["plain", "pairs"])
@pytest.mark.parametrize("depth", [1, 2, 3, 16, 33, 130])
def test_odd_depths_and_kinds_of_storage(depth: int, target: Target) -> None:
    for number, (rows, columns) in enumerate(((1, 1), (1, 40), (2, 600), (31, 29))):
        for form in FORMS:
            kinds = STORED[(number + depth) % 3]
            check(*made((rows, columns, depth), form, kinds, 2), kinds, target)


@pytest.mark.parametrize("target", [PLAIN, EMULATING], ids=["plain", "pairs"])
def test_operands_with_steps_of_their_own(target: Target) -> None:
    """Every second element, repeated rows, heads inside of rows."""
    kinds = ("bfloat16", "float32")
    generator = np.random.default_rng(SEED)
    wide = generator.standard_normal((19, 3, 41)).astype(np.float32)
    tall = generator.standard_normal((41, 3, 23)).astype(np.float32)
    a, x = held(wide, kinds[0]).transpose(1, 0, 2), rounded(wide).transpose(1, 0, 2)
    b, y = held(tall, kinds[1]).transpose(1, 0, 2), rounded(tall).transpose(1, 0, 2)
    check([a, b], [x, y], kinds, target)
    check([a[:, :, ::2], b[:, ::2]], [x[:, :, ::2], y[:, ::2]], kinds, target)
    check([a, b[:, :, ::3]], [x, y[:, :, ::3]], kinds, target)
    same = [np.broadcast_to(v[:1], v.shape) for v in (a, x)]
    check([same[0], b], [same[1], y], kinds, target)
    column = [np.broadcast_to(v[:, :, :1], v.shape) for v in (b, y)]
    check([a, column[0]], [x, column[1]], kinds, target)


@pytest.mark.parametrize("target", [PLAIN, EMULATING], ids=["plain", "pairs"])
def test_epilogue_works_on_finished_blocks(target: Target) -> None:
    kinds = ("float32", "bfloat16")
    (a, b), (x, y) = made((45, 64, 37), "NN", kinds)
    c, bias = np.zeros((1, 45, 64), np.float32), np.linspace(-1, 1, 64, dtype=np.float32)
    spec = specified(a, b, c, kinds)
    first = plan_contraction(spec, target).epilogue_operand
    product = Product(spec, target, lambda f, block: bias_and_relu(f, block, first, 64))
    product.run([a, b, c, bias])  # type: ignore[list-item]
    np.testing.assert_allclose(c, np.maximum(x @ y + bias, 0), atol=1e-4)


@pytest.mark.parametrize("target", [PLAIN, EMULATING], ids=["plain", "pairs"])
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_nan_infinity_and_ties(target: Target, kind: str) -> None:
    tie = 1 + 2.0**-8  # half way between two bfloat16 numbers
    values = np.array([np.nan, np.inf, -np.inf, tie, 3 * tie - 2, 3.3e38, 1e-39, 0], np.float32)
    if kind == "bfloat16":
        values = bfloat16.numbers(bfloat16.array(values))
    identity = np.eye(8, dtype=np.float32)
    kinds = (kind, "float32")
    arrays = [held(values.reshape(1, 8, 1), kind), held(np.ones((1, 1, 9), np.float32), "float32")]
    c = np.zeros((1, 8, 9), np.float32)
    Product(specified(*arrays, c, kinds), target).run([*arrays, c])  # type: ignore[arg-type]
    expected = rounded(values)[:, None] * np.ones(9)
    np.testing.assert_array_equal(c[0], expected.astype(np.float32))
    assert identity.shape == (8, 8)


def test_only_float32_results_have_narrow_operands() -> None:
    with pytest.raises(ArgumentError, match="float64 is to read"):
        Contraction(
            "float64", 1, 2, 2, 2, (0, 2, 1), (0, 2, 1), (0, 2), narrow=("bfloat16", "bfloat16")
        )
    with pytest.raises(ArgumentError, match="float16 as narrow"):
        Contraction(
            "float32", 1, 2, 2, 2, (0, 2, 1), (0, 2, 1), (0, 2), narrow=("bfloat16", "float16")
        )


# ---- processors with an instruction for pairs ---------------------------------------------------


def assembly(spec: Contraction, target: Target) -> tuple[ContractionPlan, str]:
    functions = emit_contraction("product", spec, target)
    machine = target_machine(target)
    module = llvm.parse_assembly(module_text(functions[:1]))
    module.triple, module.data_layout = target.triple, str(machine.target_data)
    module.verify()
    return plan_contraction(spec, target), machine.emit_assembly(module)


def loops(code: str) -> list[list[str]]:
    """The instructions of each innermost loop: a block that jumps back to its own label."""
    found = []
    for block in re.split(r"\n(?=\.L\w+:)", code):
        label = re.match(r"(\.L\w+):", block)
        lines = [line.strip() for line in block.splitlines()[1:] if line.startswith("\t")]
        jumps = [line for line in lines if line.startswith(("j", "b.", "b\t", "cb", "tb"))]
        if label and any(line.endswith(label[1]) for line in jumps):
            found.append(lines)
    return found


@pytest.mark.parametrize(
    ("name", "instruction", "spill"),
    [
        ("x86-64-avx512bf16", "vdpbf16ps", r"zmm\d+.*\(%r[sb]p"),
        ("aarch64-bf16", "bfdot", r"q\d+, \[sp"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kinds", STORED, ids=str)
def test_pairs_are_multiplied_by_the_instruction(
    name: str, instruction: str, spill: str, form: str, kinds: tuple[str, str]
) -> None:
    target = named_target(name)
    (a, b), _ = made((256, 384, 250), form, kinds)
    c = np.zeros((1, 256, 384), np.float32)
    plan, code = assembly(specified(a, b, c, kinds), target)
    assert plan.pairs == instruction
    products = [loop for loop in loops(code) if any(instruction in line for line in loop)]
    assert products
    tile = plan.rows.tile * (plan.columns.tile // plan.lanes)
    counts = [sum(instruction in line for line in loop) for loop in products]
    assert tile * plan.unroll in counts
    for loop in products:
        assert not any("fma" in line or "fmla" in line for line in loop)
        assert not any(re.search(spill, line) for line in loop), "\n".join(loop)


@pytest.mark.parametrize("name", ["x86-64-avx512bf16", "aarch64-bf16"])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 100, 71), (8, 8, 257), (9, 3, 30), (2, 999, 64)], ids=str
)
def test_awkward_shapes_compile_for_the_instruction(name: str, shape: tuple[int, int, int]) -> None:
    target = named_target(name)
    for form in FORMS:
        for kinds in STORED:
            (a, b), _ = made(shape, form, kinds)
            c = np.zeros((1, *shape[:2]), np.float32)
            plan, code = assembly(specified(a, b, c, kinds), target)
            assert plan.pairs in code


def test_which_targets_multiply_pairs() -> None:
    names = ("x86-64-avx2", "x86-64-avx512", "aarch64-neon")
    assert [named_target(n).pair_product for n in names] == ["", "", ""]
    assert named_target("x86-64-avx512bf16").pair_product == "vdpbf16ps"
    assert named_target("aarch64-bf16").pair_product == "bfdot"
    assert EMULATING.pair_product == "emulated" and EMULATING.key() != PLAIN.key()
