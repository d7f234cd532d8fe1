"""How the benchmarks measure: cores, turns, memory, processes of their own, tables.

A contestant is anything with ``run(turns)``: so many steps, one after the other, finished when it
returns the last loss.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHILD_SECONDS = 240


class Skipped(Exception):
    """A contestant cannot take part; the text says why."""


def use_cores(count: int) -> int:
    """Bind this process and its children to ``count`` processors, of different cores where that
    can be; returns how many it got.  It is how the number of XLA's threads is set."""
    if not hasattr(os, "sched_setaffinity"):
        return min(count, os.cpu_count() or 1)
    allowed = sorted(os.sched_getaffinity(0))
    cores: dict[str, int] = {}
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.setdefault(siblings.read_text() if siblings.exists() else str(cpu), cpu)
    first = list(cores.values())
    chosen = (first + [cpu for cpu in allowed if cpu not in first])[:count]
    os.sched_setaffinity(0, chosen)
    return len(chosen)


def need_cxx() -> None:
    """torch.compile generates C++; leave it out where nothing can compile that."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++")):
        raise Skipped("torch.compile needs a C++ compiler, and there is none")


# ---- memory -------------------------------------------------------------------------------------


def resident(what: str = "VmRSS") -> float:
    """Resident memory of this process in MB: now (``VmRSS``) or at its highest (``VmHWM``);
    NaN where the system does not tell."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith(what + ":"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return float("nan")


def forget_highest() -> None:
    """Start measuring the highest resident memory anew (Linux)."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


# ---- in a process of its own --------------------------------------------------------------------

IMPORTS = {
    "ours": "import pellucid, pellucid.nn, pellucid.optim, pellucid.backends.cpu.engine",
    "PyTorch eager": "import torch",
    "torch.compile": "import torch",
    "JAX jit": "import jax, jax.numpy",
}
USED_ONCE = {
    "ours": "pellucid.compile(lambda a: a @ a)(pellucid.ones(4, 4))",
    "PyTorch eager": "torch.ones(4, 4) @ torch.ones(4, 4)",
    "torch.compile": "torch.ones(4, 4) @ torch.ones(4, 4)",
    "JAX jit": "jax.jit(lambda a: a @ a)(jax.numpy.ones((4, 4)))",
}


def first_alone(name: str, build: Callable[[], Any], more: int = 10) -> dict[str, Any]:
    """``first``: seconds from the built model to the end of its first step, the library imported;
    ``losses`` of that step and ``more`` steps later.  For a process of its own."""
    exec(IMPORTS[name])
    contestant = build()
    start = time.perf_counter()
    losses = [contestant.run(1)]
    first = time.perf_counter() - start
    if more:
        losses.append(contestant.run(more))
    return {"first": first, "losses": losses}


def memory_alone(name: str, build: Callable[[], Any], more: int = 20) -> dict[str, Any]:
    """``memory``: MB at the highest moment of later steps, parameters and batches included, above
    the library that was imported and used once; ``process``: MB of the whole process at its
    highest moment.  For a process of its own."""
    names: dict[str, Any] = {}
    exec(IMPORTS[name], names)
    exec(USED_ONCE[name], names)
    before = resident()
    contestant = build()
    contestant.run(1)
    highest = resident("VmHWM")
    forget_highest()
    contestant.run(more)
    later = resident("VmHWM")
    return {"memory": later - before, "process": max(highest, later)}


def in_own_process(command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """What a command prints as JSON in its last line, or under ``skipped`` why it did not."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=CHILD_SECONDS,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired:
        return {"skipped": f"took longer than {CHILD_SECONDS} s"}
    if done.returncode:
        return {"skipped": (done.stderr.strip().splitlines() or ["it crashed"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def other_losses(found: Mapping[str, Mapping[str, Any]], relative: float = 2e-3) -> dict[str, str]:
    """Who trains to other losses than ours, and to which."""
    own = found["ours"]["losses"]
    differences = {}
    for name, other in found.items():
        for mine, theirs in zip(own, other.get("losses", own), strict=True):
            if not math.isclose(mine, theirs, rel_tol=relative, abs_tol=relative / 10):
                text = f"{name} trains to loss {theirs:.6f} where ours has {mine:.6f}"
                differences.setdefault(name, text)
    return differences


def check_losses(found: Mapping[str, Mapping[str, Any]], relative: float = 2e-3) -> None:
    """Everyone computes the same thing, or the comparison means nothing."""
    for difference in other_losses(found, relative).values():
        raise SystemExit(difference)


# ---- alternating --------------------------------------------------------------------------------


def in_turns(
    contestants: Mapping[str, Any],
    rounds: int,
    slice_seconds: float,
    most: int = 2000,
    warm_seconds: float = 0.1,
    seconds: float = math.inf,
) -> dict[str, float]:
    """Median seconds of a step of each contestant that has run before, measured alternately.

    Each time: a pause, because idle workers of the one before still spin for a while; warming up,
    because processors and our own workers fall asleep in a pause; then steps for about
    ``slice_seconds``, at most ``most`` of them.  It ends after ``rounds``, or, from the third round
    on, when ``seconds`` are over.
    """
    turns: dict[str, int] = {}
    warming: dict[str, int] = {}
    for name, contestant in contestants.items():
        once = _seconds_of_a_step(contestant)
        turns[name] = max(1, min(most, round(slice_seconds / once)))
        warming[name] = max(1, min(most, math.ceil(warm_seconds / once)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    begin = time.perf_counter()
    for turn in range(rounds):
        if turn >= 3 and time.perf_counter() - begin > seconds:
            break
        for name, contestant in contestants.items():
            time.sleep(0.05)
            contestant.run(warming[name])
            start = time.perf_counter()
            contestant.run(turns[name])
            times[name].append((time.perf_counter() - start) / turns[name])
    return {name: statistics.median(found) for name, found in times.items()}


def _seconds_of_a_step(contestant: Any) -> float:
    """About how long a step takes; long steps are not repeated for it."""
    for turns in (1, 10):
        start = time.perf_counter()
        contestant.run(turns)
        once = (time.perf_counter() - start) / turns
        if once > 0.05:
            break
    return once


# ---- tables -------------------------------------------------------------------------------------


def milliseconds(value: float) -> str:
    """A number of milliseconds with three digits, or "-" for NaN."""
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def table(head: list[str], rows: list[list[str]], markdown: bool) -> str:
    """Cells as text: aligned columns, or Markdown."""
    if markdown:
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in [head, *rows]
    )


def write_between(path: Path, what: str, content: str) -> None:
    """Replace what stands between ``<!-- what -->`` and ``<!-- end of what -->`` of a document."""
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {what} -->\n", f"<!-- end of {what} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"{path} has no place for the table between {begin.strip()} and {end}")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    path.write_text(before + begin + content + end + after, encoding="utf-8")


def pair(make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The same network in both libraries: (ours, theirs)."""
    import torch

    import pellucid
    from pellucid import nn

    torch.manual_seed(0)
    theirs, ours = make(torch.nn).eval(), make(nn).eval()
    ours.load_state_dict({k: pellucid.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    return ours, theirs


def shortest(job: Callable[[], Any], seconds: float) -> float:
    """The shortest time of as many runs as fit, in milliseconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest value."""
    import numpy as np

    a = np.asarray(ours)
    b = theirs.detach().numpy() if hasattr(theirs, "detach") else np.asarray(theirs)
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))
