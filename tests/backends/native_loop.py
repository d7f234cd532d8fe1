"""A short compiler for tests: one emitter in a loop over NumPy arrays."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

import llvmlite.binding as llvm
import numpy as np

from pellucid.backends.cpu.ir import Function, Value, module_text, scalar_of, vector

NUMPY_TYPES = {
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "i32": np.dtype(np.uint32),
    "i64": np.dtype(np.uint64),
}

Body = Callable[..., "Value | tuple[Value, ...]"]


@functools.cache
def host_machine() -> llvm.TargetMachine:
    """Code generator for this machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )


def loop_text(body: Body, inputs: Sequence[str], outputs: Sequence[str], lanes: int = 1) -> str:
    """Module with ``kernel(inputs…, outputs…, count)``, ``lanes`` elements per turn."""
    names = [*(f"in{i}" for i in range(len(inputs))), *(f"out{i}" for i in range(len(outputs)))]
    f = Function("kernel", [*(("ptr noalias", name) for name in names), ("i64", "count")])
    with f.loop(0, f.argument("count"), lanes) as loop:
        loaded = [
            f.load(vector(lanes, type_), f.gep(f.argument(name), loop.index, type_))
            for name, type_ in zip(names[: len(inputs)], inputs, strict=True)
        ]
        results = body(f, *loaded)
        results = (results,) if isinstance(results, Value) else results
        for name, type_, value in zip(names[len(inputs) :], outputs, results, strict=True):
            assert scalar_of(value.type) == type_
            f.store(value, f.gep(f.argument(name), loop.index, type_))
    f.ret()
    return module_text([f])


class NativeLoop:
    """The compiled loop; calling it gives the output arrays."""

    def __init__(
        self, body: Body, inputs: Sequence[str], outputs: Sequence[str], lanes: int = 1
    ) -> None:
        self.outputs = [NUMPY_TYPES[type_] for type_ in outputs]
        self.inputs = [NUMPY_TYPES[type_] for type_ in inputs]
        self.lanes = lanes
        module = llvm.parse_assembly(loop_text(body, inputs, outputs, lanes))
        module.verify()
        machine = host_machine()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        llvm.create_pass_builder(machine, options).getModulePassManager().run(
            module, llvm.create_pass_builder(machine, options)
        )
        self.optimized = str(module)
        self.assembly = machine.emit_assembly(module)
        # The engine owns its own machine.
        owned = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
        )
        self.engine = llvm.create_mcjit_compiler(module, owned)
        self.engine.finalize_object()
        count = len(inputs) + len(outputs)
        prototype = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * count), ctypes.c_int64)
        self.function = prototype(self.engine.get_function_address("kernel"))

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        kept = [np.ascontiguousarray(a, t) for a, t in zip(arrays, self.inputs, strict=True)]
        count = kept[0].size
        assert count % self.lanes == 0
        results = [np.empty(kept[0].shape, t) for t in self.outputs]
        self.function(*(a.ctypes.data for a in (*kept, *results)), count)
        return tuple(results)
