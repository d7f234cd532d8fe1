"""Generated matrix products, ready to run on arrays, for several tests."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pellucid.backends.cpu.contraction import (
    Block,
    Contraction,
    ContractionPlan,
    Epilogue,
    emit_contraction,
    operand,
    plan_contraction,
)
from pellucid.backends.cpu.engine import PLAIN, load_kernels
from pellucid.backends.cpu.ir import Function, module_text
from pellucid.backends.cpu.target import Target, host_target

Array = npt.NDArray[np.floating]
SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2)
CANARY = 1024.5  # exact in both formats, and no sum of the test data
SEED = 20240917
FORMS = ("NN", "NT", "TN", "TT")
SHAPES = [
    (1, 1, 1),
    (32, 8, 2),
    (32, 2, 8),
    (1, 100, 70),
    (2, 40, 33),
    (13, 1, 50),
    (5, 7, 130),
    (64, 10, 128),
    (37, 51, 67),
    (63, 255, 301),
    (130, 70, 20),
]


class Product:
    """A compiled contraction that can be run on arrays, chunk by chunk if wished."""

    def __init__(
        self,
        spec: Contraction,
        target: Target | None = None,
        epilogue: Epilogue | None = None,
        full_rows: bool = False,
    ) -> None:
        target = target or host_target()
        self.plan: ContractionPlan = plan_contraction(spec, target, full_rows)
        functions = emit_contraction("product", spec, target, epilogue, full_rows)
        texts = {f.name: module_text([f]) for f in functions}
        if epilogue is None:
            texts["product"] = PLAIN + texts["product"]  # as it is in programs
        addresses = load_kernels(texts, target)
        self.kernels = [SIGNATURE(addresses["product" + k.suffix]) for k in self.plan.kernels]

    def run(
        self,
        arrays: Sequence[Array],
        order: Callable[[int], Sequence[int]] | None = None,
    ) -> None:
        scratch = np.full(self.plan.scratch_bytes, 0xFF, np.uint8)  # NaN if read before written
        operands = [*arrays[:3], *([scratch] if scratch.size else []), *arrays[3:]]
        assert len(operands) - len(arrays[3:]) == self.plan.epilogue_operand
        table = (ctypes.c_void_p * len(operands))(*(o.ctypes.data for o in operands))
        slots = (ctypes.c_int32 * len(operands))(*range(len(operands)))
        for kernel, part in zip(self.kernels, self.plan.kernels, strict=True):
            chunks = (
                [(0, part.chunks)] if order is None else [(c, c + 1) for c in order(part.chunks)]
            )
            for begin, end in chunks:
                kernel(ctypes.addressof(table), ctypes.addressof(slots), begin, end)


def strides(array: Array) -> tuple[int, ...]:
    return tuple(s // array.itemsize for s in array.strides)


def bias_and_relu(f: Function, block: Block, first: int, columns: int) -> None:
    """c[m, n] = max(c[m, n] + bias[n], 0) over a block, as a plain scalar loop."""
    c, bias = operand(f, 2), operand(f, first)
    with (
        f.loop(block.row_begin, block.row_end, hint="m") as m,
        f.loop(block.column_begin, block.column_end, hint="n") as n,
    ):
        row = f.binary("add", f.binary("mul", m.index, f.i64(columns)), n.index)
        where = f.gep(c, row, "float")
        total = f.fadd(f.load("float", where), f.load("float", f.gep(bias, n.index, "float")))
        f.store(f.intrinsic("llvm.maximum", "float", total, f.constant("float", 0.0)), where)
