"""``pellucid machine``: the machine as Pellucid sees it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from pellucid.backends.cpu.cache import cache_state
from pellucid.backends.cpu.target import host_target, measure_bandwidth, measure_peak
from pellucid.backends.cpu.threads import available_cpus, get_num_threads
from pellucid.base.language import Shown, translated
from pellucid.cli.reporting import fact, say_json
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


def show(as_json: bool) -> None:
    """Prints what :func:`facts` finds."""
    found = facts()
    if as_json:
        say_json(found)
        return
    processor, threads = found["processor"], found["threads"]
    fact("Processor", f"{processor['name']} ({processor['triple']}, LLVM: {processor['cpu']})")
    features = Shown(", ".join(processor["features"]))
    fact("Features", features or "none of those that matter")
    fact(
        "Vectors",
        f"{processor['vector_bits']} bits ({processor['lanes_float32']} × float32), "
        f"{processor['vector_registers']} registers",
    )
    pairs = processor["bfloat16_products"]
    fact(
        "bfloat16",
        f"products by {pairs}, pairs accumulated in float32"
        if pairs
        else "no instruction for products: rounded operands are multiplied as float32",
    )
    caches = (f"{name} {_size(n)}" for name, n in found["caches_bytes"].items())
    fact("Caches", Shown(", ".join(caches)))
    fact(
        "Threads",
        f"{threads['in_use']} in use, {threads['available']} available to this process, "
        f"{threads['all']} in all",
    )
    one, every = found["peak_gflops"].values()
    count = threads["in_use"]
    fact("Peak", f"{one:,.0f} GFLOP/s float32 on one thread, {every:,.0f} on {count} (measured)")
    one, every = found["memory_gbps"].values()
    fact("Memory", f"{one:,.1f} GB/s on one thread, {every:,.1f} on {count} (measured copy)")
    versions = (f"{name} {translated(text)}" for name, text in found["versions"].items())
    fact("Versions", Shown(", ".join(versions)))
    cache = found["cache"]
    if cache is None:
        fact("Cache", "off")
    else:
        used, limit = _size(cache["bytes"]), _size(cache["limit_bytes"])
        fact("Cache", f"{cache['path']}: {cache['kernels']:,} kernels, {used} of {limit}")


def facts() -> dict[str, Any]:
    """Processor, threads, measured limits, versions and the state of the code cache."""
    target = host_target()
    threads = get_num_threads()
    limits = {
        name: {
            "one_thread": (one := measure(1)),
            "threads": measure(threads) if threads > 1 else one,
        }
        for name, measure in (("peak_gflops", measure_peak), ("memory_gbps", measure_bandwidth))
    }
    state = cache_state()
    return {
        "processor": {
            "name": processor_name(),
            "triple": target.triple,
            "cpu": target.cpu,
            "features": [name for name in _TELLING if target.has(name)],
            "vector_bits": target.vector_bytes * 8,
            "lanes_float32": target.lanes("float32"),
            "vector_registers": target.vector_registers,
            "bfloat16_products": target.pair_product,
        },
        "caches_bytes": {"L1": target.l1_bytes, "L2": target.l2_bytes, "L3": target.l3_bytes},
        "threads": {"in_use": threads, "available": available_cpus(), "all": os.cpu_count()},
        **limits,
        "versions": software_versions(),
        "cache": None
        if state.path is None
        else {
            "path": str(state.path),
            "kernels": state.entries,
            "bytes": state.bytes,
            "limit_bytes": state.limit,
        },
    }


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
        return translated("unknown")
    size, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.4g} {units[0]}"
