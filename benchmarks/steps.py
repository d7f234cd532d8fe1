"""One training step: ours against PyTorch, torch.compile and JAX, and the machine's limit.

    python benchmarks/steps.py [--quick] [--markdown] [--only tiny,mnist] [--threads 2]
        [--write docs/performance.md]

Four multi-layer perceptrons, float32, cross-entropy, Adam; forward, backward and update.  "ours"
is the compiled step called from Python once a step; "ours, many" runs many steps in one native
call, as the Trainer does.  All take turns in one process, warmed up; the figures are medians over
the rounds.  First calls and memory are measured in a process of its own for each.  All begin with
the same weights and batches, and their losses are compared.  The limit is the number of floating
point operations divided by the multiply-add peak that was measured in this run on the same number
of threads.  What is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contestants import CONTESTANTS, WORKLOADS, Workload
from measuring import (
    IMPORTS,
    Skipped,
    check_losses,
    first_alone,
    in_own_process,
    in_turns,
    memory_alone,
    milliseconds,
    table,
    use_cores,
    write_between,
)

GOALS = {"tiny": (20, 3), "tab": (6, 4), "mnist": (3, 2.5), "mlpbig": (2, 1.3)}
"""How many times faster than the best of PyTorch, and than JAX, each step is meant to be."""
PYTORCH = ("PyTorch eager", "torch.compile")


# ---- in a process of its own --------------------------------------------------------------------


def measure_alone(
    name: str, workload: Workload, threads: int, environment: dict[str, str]
) -> dict[str, Any]:
    """First call and memory of one contestant, or the reason why it is left out."""
    command = [sys.executable, __file__, "--only", workload.name, "--threads", str(threads)]
    found: dict[str, Any] = {}
    for what in ("first", "memory"):
        if what == "memory":  # what was cached by the first process must not help the second
            environment = {
                key: value.replace("empty", "again") for key, value in environment.items()
            }
        found |= in_own_process([*command, "--child", name, what], environment)
        if "skipped" in found:
            break
    return found


def child(name: str, what: str, workload: Workload, threads: int) -> None:
    """What the process of its own does."""
    try:
        measure = first_alone if what == "first" else memory_alone
        found = measure(name, lambda: CONTESTANTS[name](workload, threads))
    except (Skipped, ImportError) as reason:
        found = {"skipped": str(reason)}
    print(json.dumps(found))


def all_alone(workload: Workload, threads: int, scratch: Path) -> dict[str, dict[str, Any]]:
    """First calls and memory of all; ours with an empty and then with a full code cache."""
    torch = {"TORCHINDUCTOR_CACHE_DIR": str(scratch / f"torch-{workload.name}")}
    empty, full = (
        {"PELLUCID_CACHE": str(scratch / f"{x}-{workload.name}")} for x in ("empty", "full")
    )
    found = {name: measure_alone(name, workload, threads, empty | torch) for name in IMPORTS}
    measure_alone("ours", workload, threads, full)
    found["ours, full cache"] = measure_alone("ours", workload, threads, full)
    for name in ("ours", "ours, full cache"):
        if "skipped" in found[name]:
            raise SystemExit(f"{name} could not run {workload.name}: {found[name]['skipped']}")
    check_losses(found)
    return found


# ---- the table ----------------------------------------------------------------------------------


def speed_row(workload: Workload, times: dict[str, float], peak: float) -> list[str]:
    """The cells of one workload in the table of speed; "a / b" is once a step / many."""
    limit = workload.flop / peak / 1e6
    torch = min((times[name] for name in PYTORCH if name in times), default=math.nan)
    jax = times.get("JAX jit", math.nan)
    own = times["ours"], times["ours, many"]
    shape = f"{'-'.join(map(str, workload.widths))}, batch {workload.batch}"
    cells = [
        f"{workload.name}: {shape}",
        *(milliseconds(times.get(n, math.nan)) for n in CONTESTANTS),
    ]
    cells += [milliseconds(limit), " / ".join(f"{limit / t:.0%}" for t in own)]
    return cells + [_ratios(other, own) for other in (torch, jax)]


def first_row(workload: Workload, found: dict[str, dict[str, Any]]) -> list[str]:
    """The cells of one workload in the table of first calls."""
    return [
        workload.name,
        *(f"{found[n]['first']:.2f}" if "first" in found[n] else "-" for n in ALONE),
    ]


def memory_row(workload: Workload, found: dict[str, dict[str, Any]]) -> list[str]:
    """The cells of one workload in the table of memory."""
    return [
        workload.name,
        *(
            f"{found[n]['memory']:.0f} / {found[n]['process']:.0f}" if "memory" in found[n] else "-"
            for n in ALONE
        ),
    ]


def _ratios(other: float, own: tuple[float, float]) -> str:
    """How many times our time another's is, for both ways to call ours."""
    return "-" if math.isnan(other) else " / ".join(f"{other / time:.1f}×" for time in own)


SPEED_HEAD = ["ms a step", *CONTESTANTS, "limit", "share of limit", "× PyTorch", "× JAX"]
ALONE = ["ours", "ours, full cache", "PyTorch eager", "torch.compile", "JAX jit"]
FIRST_HEAD = ["first step, s", "ours, empty cache", *ALONE[1:]]
MEMORY_HEAD = ["memory, MB: above the library / whole process", *FIRST_HEAD[1:]]


@dataclass
class Report:
    """What was measured, as rows of three tables."""

    threads: int
    peak: float = 0.0
    speed: list[list[str]] = field(default_factory=list)
    first: list[list[str]] = field(default_factory=list)
    memory: list[list[str]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def conditions(self) -> str:
        """Under which conditions, in a sentence."""
        return f"{self.threads} threads, measured peak {self.peak:.0f} GFLOP/s (float32)"

    def text(self, markdown: bool) -> str:
        """All of it."""
        parts = [self.conditions()]
        for head, rows in ((SPEED_HEAD, self.speed), (FIRST_HEAD, self.first)):
            parts.append(table(head, rows, markdown))
        parts.append(table(MEMORY_HEAD, self.memory, markdown))
        goals = ", ".join(f"{name} {p:g}× / {j:g}×" for name, (p, j) in GOALS.items())
        parts.append(f"goals against PyTorch / JAX: {goals}")
        parts += [f"without {name}: {why}" for name, why in self.left_out.items()]
        return "\n\n".join(parts)


def compare(names: list[str], threads: int, quick: bool) -> Report:
    """Measure the workloads named."""
    from pellucid.backends.cpu.target import measure_peak

    rounds, slice_seconds = (3, 0.02) if quick else (15, 0.08)
    report = Report(use_cores(threads))
    peaks = [measure_peak(report.threads)]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for workload in (WORKLOADS[name] for name in names):
            found = all_alone(workload, report.threads, Path(scratch))
            report.left_out |= {n: f["skipped"] for n, f in found.items() if "skipped" in f}
            able = [n for n in CONTESTANTS if "skipped" not in found.get(n, {})]
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(scratch) / f"torch-{workload.name}")
            contestants = {name: CONTESTANTS[name](workload, report.threads) for name in able}
            for contestant in contestants.values():
                contestant.run(6)  # compiles
            most = min(2000, 2**28 // (4 * workload.batch * workload.widths[0]))
            times = in_turns(contestants, rounds, slice_seconds, most)
            rows.append((workload, {name: 1e3 * t for name, t in times.items()}))
            report.first.append(first_row(workload, found))
            report.memory.append(memory_row(workload, found))
            peaks.append(measure_peak(report.threads))
    report.peak = max(peaks)
    report.speed = [speed_row(workload, times, report.peak) for workload, times in rows]
    return report


def write_into(path: Path, report: Report) -> None:
    """Replace what stands between the markers of a document by the new table."""
    content = f"{table(SPEED_HEAD, report.speed, True)}\n\n{report.conditions()}\n"
    write_between(path, "speed table", content)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(WORKLOADS), help="workloads, with commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="few rounds; the figures are rough")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument(
        "--write", type=Path, nargs="*", default=[], help="documents to put the table of speed into"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.only.split(",") if name not in WORKLOADS]
    if unknown:
        parser.error(f"there is no workload {unknown[0]!r}; there are {', '.join(WORKLOADS)}")
    if options.child:
        child(*options.child, WORKLOADS[options.only], options.threads)
        return
    report = compare(options.only.split(","), options.threads, options.quick)
    print(report.text(options.markdown))
    for path in options.write:
        write_into(path, report)


if __name__ == "__main__":
    main()
