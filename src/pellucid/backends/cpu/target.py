"""What a kernel needs to know about the processor it is generated for.

A :class:`Target` holds LLVM's names for the machine together with the numbers that shape kernels:
vector width, vector registers, cache sizes.  :func:`host_target` reads them from the machine the
process runs on, :func:`named_target` gives a few fixed ones for cross checks, and
:func:`measure_peak` and :func:`measure_bandwidth` measure what the machine can do at best.

The environment variable ``PELLUCID_CPU`` (``sse2``, ``avx``, ``avx2``, ``avx512``, ``neon``)
restricts the host to that instruction set.  It never adds instructions the machine lacks.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import pathlib
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import llvmlite.binding as llvm
import numpy as np

from pellucid.backends.cpu.ir import BITS, Function, module_text, vector
from pellucid.base.errors import ArgumentError

ENVIRONMENT_VARIABLE = "PELLUCID_CPU"

# Instruction sets in rising order, each with the feature prefixes that the sets below it lack.
_X86_LEVELS = ("sse2", "avx", "avx2", "avx512")
_X86_ABOVE = {
    "avx512": (),
    "avx2": ("avx512", "avx10", "amx"),
    "avx": ("avx512", "avx10", "amx", "avx2", "avxifma", "avxneconvert", "avxvnni"),
    "sse2": ("avx", "amx", "fma", "f16c", "vaes", "vpclmulqdq", "xop", "sse3", "ssse3", "sse4"),
}


@dataclass(frozen=True)
class Target:
    """A processor to generate code for.

    ``features`` is LLVM's comma-separated list (``"+avx2,+fma,-avx512f"``); sizes are in bytes.
    ``vector_bytes`` and ``vector_registers`` describe the widest vectors that the features allow.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    vector_registers: int
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    emulate_pairs: bool = False
    """Products of bfloat16 run as on a processor with an instruction for them, in plain
    arithmetic: slower, for tests."""

    @property
    def pair_product(self) -> str:
        """The instruction that multiplies pairs of bfloat16 and adds them up in float32.

        ``vdpbf16ps`` (AVX512-BF16), ``bfdot`` (Armv8.6), or empty.
        """
        if self.emulate_pairs:
            return "emulated"
        if self.has("avx512bf16") and self.has("avx512vl"):
            return "vdpbf16ps"
        arm = self.triple.split("-")[0] in ("aarch64", "arm64")
        return "bfdot" if arm and self.has("bf16") else ""

    def lanes(self, dtype: str) -> int:
        """Elements of ``dtype`` (``"float32"``, ``"int64"``, ``"bool"``, …) in one vector."""
        size = 1 if dtype == "bool" else np.dtype(dtype).itemsize
        return max(1, self.vector_bytes // size)

    def has(self, feature: str) -> bool:
        """Whether the features switch ``feature`` on by name (``has("fma")``)."""
        return f"+{feature}" in self.features.split(",")

    def key(self) -> str:
        """Short text that is equal for two targets exactly when their kernels may be shared."""
        numbers = (
            self.vector_bytes,
            self.vector_registers,
            self.l1_bytes,
            self.l2_bytes,
            self.l3_bytes,
            self.emulate_pairs,
        )
        parts = "|".join([self.triple, self.cpu, self.features, *map(str, numbers)])
        return f"{self.cpu}-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"


# ---- finding out about a machine -------------------------------------------------------------


@functools.cache
def host_target() -> Target:
    """The processor this process runs on, restricted by ``PELLUCID_CPU`` if that is set.

    The answer is computed once per process.  Raises :class:`ArgumentError` if ``PELLUCID_CPU``
    names no known instruction set.
    """
    limit = os.environ.get(ENVIRONMENT_VARIABLE, "").strip().lower()
    return _target_of(
        llvm.get_process_triple(), llvm.get_host_cpu_name(), _host_features(), limit, _caches()
    )


_NAMED = {
    "x86-64-sse2": ("x86_64-unknown-linux-gnu", "x86-64", "+sse2"),
    "x86-64-avx2": ("x86_64-unknown-linux-gnu", "x86-64-v3", "+avx,+avx2,+fma,+f16c"),
    "x86-64-avx512": (
        "x86_64-unknown-linux-gnu",
        "x86-64-v4",
        "+avx,+avx2,+fma,+f16c,+avx512f,+avx512vl,+avx512bw,+avx512dq,-prefer-256-bit",
    ),
    "x86-64-avx512bf16": (
        "x86_64-unknown-linux-gnu",
        "x86-64-v4",
        "+avx,+avx2,+fma,+f16c,+avx512f,+avx512vl,+avx512bw,+avx512dq,+avx512bf16,-prefer-256-bit",
    ),
    "aarch64-neon": ("aarch64-unknown-linux-gnu", "generic", "+neon"),
    "aarch64-bf16": ("aarch64-unknown-linux-gnu", "generic", "+neon,+bf16"),
}


def named_target(name: str) -> Target:
    """A fixed target for cross checks, with 32 KiB, 1 MiB and 16 MiB of cache.

    ``name`` is ``"x86-64-sse2"``, ``"x86-64-avx2"``, ``"x86-64-avx512"``, ``"aarch64-neon"`` or,
    with instructions for bfloat16, ``"x86-64-avx512bf16"`` and ``"aarch64-bf16"``; any other
    raises :class:`ArgumentError`.
    """
    if name not in _NAMED:
        raise ArgumentError(f"There is no target called {name!r}.", f"Use one of {sorted(_NAMED)}.")
    triple, cpu, features = _NAMED[name]
    switched = {f[1:]: f[0] == "+" for f in features.split(",")}
    return _target_of(triple, cpu, switched, "", (32 << 10, 1 << 20, 16 << 20))


def _target_of(
    triple: str, cpu: str, features: dict[str, bool], limit: str, caches: tuple[int, int, int]
) -> Target:
    if limit:
        features = _restricted(features, limit)
    flags = ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))
    architecture = triple.split("-")[0]
    width, registers = 16, 16
    if architecture in ("aarch64", "arm64"):
        registers = 32
    elif features.get("avx512f") and features.get("avx512vl"):
        width, registers = 64, 32
    elif features.get("avx"):
        width = 32
    return Target(triple, cpu, flags, width, registers, *caches)


def _restricted(features: dict[str, bool], limit: str) -> dict[str, bool]:
    """``features`` with everything above the instruction set ``limit`` switched off."""
    if limit == "neon":
        return {name: on and not name.startswith(("sve", "sme")) for name, on in features.items()}
    if limit not in _X86_LEVELS:
        raise ArgumentError(
            f"{ENVIRONMENT_VARIABLE} names an unknown instruction set: {limit!r}.",
            f"Unset it, or set it to one of {[*_X86_LEVELS, 'neon']}.",
        )
    above = _X86_ABOVE[limit]
    return {name: on and not name.startswith(above) for name, on in features.items()}


def _host_features() -> dict[str, bool]:
    try:
        return dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot ask this kind of processor; keep to its baseline.
        return {}


def _caches() -> tuple[int, int, int]:
    """Data caches of the first core in bytes: level 1, 2 and 3.

    Linux tells through ``/sys``, macOS through ``sysctl``; elsewhere, and for a level that is not
    reported, sizes that nearly every processor of the last ten years has.
    """
    found = {1: 32 << 10, 2: 512 << 10, 3: 8 << 20}
    system = platform.system()
    if system == "Linux":
        found.update(_caches_from_sys(pathlib.Path("/sys/devices/system/cpu/cpu0/cache")))
    elif system == "Darwin":
        names = {1: "hw.perflevel0.l1dcachesize", 2: "hw.perflevel0.l2cachesize"}
        plain = {1: "hw.l1dcachesize", 2: "hw.l2cachesize", 3: "hw.l3cachesize"}
        for level, name in [*plain.items(), *names.items()]:
            size = _sysctl(name)
            if size > 0:
                found[level] = size
    return found[1], found[2], max(found[3], found[2])


def _caches_from_sys(folder: pathlib.Path) -> dict[int, int]:
    """Sizes by level as Linux lists them, instruction caches left out."""
    sizes: dict[int, int] = {}
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    for index in sorted(folder.glob("index*")):
        try:
            if (index / "type").read_text().strip() == "Instruction":
                continue
            text = (index / "size").read_text().strip()
            level = int((index / "level").read_text())
            size = int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)
        except (OSError, ValueError, IndexError):  # a container may hide or mangle these files
            continue
        if size > 0:
            sizes[level] = size
    return {level: size for level, size in sizes.items() if level in (1, 2, 3)}


def _sysctl(name: str) -> int:
    """An integer that macOS tells about itself, or 0."""
    try:
        ask = ctypes.CDLL(None).sysctlbyname
    except (AttributeError, OSError):
        return 0
    value, size = ctypes.c_int64(0), ctypes.c_size_t(8)
    failed = ask(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    return 0 if failed else value.value


# ---- LLVM's machine object, and what the machine can do at best ------------------------------


def target_machine(target: Target, level: int = 3) -> llvm.TargetMachine:
    """LLVM's code generator for ``target`` at optimization level ``level``, for MCJIT."""
    foreign = target.triple.split("-")[0] != llvm.get_process_triple().split("-")[0]
    if foreign:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    else:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=level,
        reloc="pic" if foreign else "default",
        codemodel="default" if foreign else "jitdefault",
        jit=not foreign,
    )


def measure_peak(threads: int = 1, seconds: float = 0.05) -> float:
    """Highest float32 rate of this machine's vector units in GFLOP/s, on ``threads`` threads.

    A loop of independent fused multiply-adds on registers alone; a multiply-add counts as two
    operations.  Each thread repeats short runs for ``seconds`` and keeps its best one; the answer
    is the sum.  Raises :class:`ArgumentError` unless ``threads`` is at least 1.
    """
    if threads < 1:
        raise ArgumentError(f"threads must be at least 1, got {threads}.", "Pass 1 or more.")
    target = host_target()
    lanes, chains = target.lanes("float32"), min(12, target.vector_registers - 3)
    module = llvm.parse_assembly(_peak_loop(lanes, chains))
    module.verify()
    engine = llvm.create_mcjit_compiler(module, target_machine(target))
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    kernel = signature(engine.get_function_address("peak"))
    turns = 100_000
    best = [0.0] * threads

    def work(index: int) -> None:
        out = np.zeros(lanes * chains, np.float32)
        stop = time.perf_counter() + seconds
        while (start := time.perf_counter()) < stop:
            kernel(out.ctypes.data, turns)
            taken = time.perf_counter() - start
            best[index] = max(best[index], 2.0 * lanes * chains * turns / taken / 1e9)

    _on_threads(threads, work)
    return sum(best)


def _peak_loop(lanes: int, chains: int) -> str:
    """IR of ``peak(out, turns)``: ``chains`` independent chains of multiply-adds."""
    f = Function("peak", [("ptr", "out"), ("i64", "turns")])
    type_ = vector(lanes, "float")
    half, one = f.constant(type_, 0.5), f.constant(type_, 1.0)
    with f.loop(0, f.argument("turns"), carried=[f.constant(type_, 0.0)] * chains) as loop:
        loop.next = [f.intrinsic("llvm.fmuladd", type_, v, half, one) for v in loop.values]
    for index, value in enumerate(loop.results):
        f.store(value, f.gep(f.argument("out"), index * lanes * BITS["float"] // 8))
    f.ret()
    return module_text([f])


def measure_bandwidth(threads: int = 1, seconds: float = 0.2) -> float:
    """Memory traffic of a large copy in GB/s (10⁹ bytes read plus written), on ``threads``.

    Each thread copies its own 64 MiB back and forth for ``seconds`` and keeps its best pass; the
    answer is the sum.  Raises :class:`ArgumentError` unless ``threads`` is at least 1.
    """
    if threads < 1:
        raise ArgumentError(f"threads must be at least 1, got {threads}.", "Pass 1 or more.")
    best = [0.0] * threads

    def work(index: int) -> None:
        source = np.ones(8 << 20, np.float64)
        result = np.zeros_like(source)
        stop = time.perf_counter() + seconds
        while (start := time.perf_counter()) < stop:
            np.copyto(result, source)  # releases the interpreter's lock
            taken = time.perf_counter() - start
            best[index] = max(best[index], 2.0 * source.nbytes / taken / 1e9)

    _on_threads(threads, work)
    return sum(best)


def _on_threads(count: int, work: Callable[[int], None]) -> None:
    """Run ``work(0) … work(count − 1)``, each on its own thread."""
    workers = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
