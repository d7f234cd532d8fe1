"""``pellucid doctor``: the machine as Pellucid sees it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from pellucid.backends.cpu.cache import cache_state
from pellucid.backends.cpu.target import host_target, measure_bandwidth, measure_peak
from pellucid.backends.cpu.threads import available_cpus, get_num_threads
from pellucid.cli.reporting import fact
from pellucid.training.saved_model import software_versions

# Instruction sets that decide how kernels look; a processor lists a hundred others.
_TELLING = (
    "sse4.2",
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512vl",
    "avx512bf16",
    "avx512fp16",
    "amx-tile",
    "neon",
    "sve",
    "sve2",
    "bf16",
)


def doctor() -> None:
    """Prints processor, threads, measured limits, versions and the state of the code cache."""
    target = host_target()
    fact("Processor", f"{processor_name()} ({target.triple}, LLVM: {target.cpu})")
    found = [name for name in _TELLING if target.has(name)]
    fact("Features", ", ".join(found) or "none of those that matter")
    fact(
        "Vectors",
        f"{target.vector_bytes * 8} bits ({target.lanes('float32')} × float32), "
        f"{target.vector_registers} registers",
    )
    pairs = target.pair_product
    fact(
        "bfloat16",
        f"products by {pairs}, pairs accumulated in float32"
        if pairs
        else "no instruction for products: rounded operands are multiplied as float32",
    )
    sizes = (("L1", target.l1_bytes), ("L2", target.l2_bytes), ("L3", target.l3_bytes))
    fact("Caches", ", ".join(f"{name} {_size(count)}" for name, count in sizes))
    cpus, threads = available_cpus(), get_num_threads()
    fact("Threads", f"{threads} in use, {cpus} available to this process, {os.cpu_count()} in all")
    one = measure_peak(1)
    every = measure_peak(threads) if threads > 1 else one
    fact("Peak", f"{one:,.0f} GFLOP/s float32 on one thread, {every:,.0f} on {threads} (measured)")
    one = measure_bandwidth(1)
    every = measure_bandwidth(threads) if threads > 1 else one
    fact("Memory", f"{one:,.1f} GB/s on one thread, {every:,.1f} on {threads} (measured copy)")
    versions = software_versions()
    fact("Versions", ", ".join(f"{name} {text}" for name, text in versions.items()))
    state = cache_state()
    if state.path is None:
        fact("Cache", "off")
    else:
        fact(
            "Cache",
            f"{state.path}: {state.entries:,} kernels, "
            f"{_size(state.bytes)} of {_size(state.limit)}",
        )


def processor_name() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.lower().startswith(("model name", "hardware")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _size(count: int) -> str:
    if count <= 0:
        return "unknown"
    size, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.4g} {units[0]}"
