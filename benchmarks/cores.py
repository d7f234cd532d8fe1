"""What it costs when one core reads what another has written.

    python benchmarks/cores.py [--rounds 30] [--markdown]

Two threads copy their halves of one array to another, over and over, one region of a native program
after the other.  "own": each thread reads the half that it wrote itself; "crossed": every second
time it reads the half that the other thread wrote, and overwrites what the other has read.  The
difference is the price of moving that much between the cores' caches; what is left of a copy of a
few kilobytes is the price of a region, a fork and a join.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from measuring import table, use_cores

import pellucid

SIZES = (512, 2048, 4096, 8192, 32768)
"""Floats that each thread copies."""
REGIONS, STEPS = 20, 100

COPY = """
define void @NAME(ptr %table, ptr %slots, i64 %begin, i64 %end) {
entry:
  %to.slot = getelementptr i32, ptr %slots, i64 1
  %from.n = load i32, ptr %slots
  %to.n = load i32, ptr %to.slot
  %from.at = getelementptr ptr, ptr %table, i32 %from.n
  %to.at = getelementptr ptr, ptr %table, i32 %to.n
  %from = load ptr, ptr %from.at
  %to = load ptr, ptr %to.at
  br label %chunk
chunk:
  %c = phi i64 [ %begin, %entry ], [ %c.next, %done ]
  %source = xor i64 %c, CROSSED
  %read = mul i64 %source, FLOATS
  %write = mul i64 %c, FLOATS
  br label %loop
loop:
  %i = phi i64 [ 0, %chunk ], [ %i.next, %loop ]
  %r = add i64 %read, %i
  %w = add i64 %write, %i
  %from.i = getelementptr float, ptr %from, i64 %r
  %to.i = getelementptr float, ptr %to, i64 %w
  %value = load <8 x float>, ptr %from.i, align 4
  store <8 x float> %value, ptr %to.i, align 4
  %i.next = add i64 %i, 8
  %more = icmp ult i64 %i.next, FLOATS
  br i1 %more, label %loop, label %done
done:
  %c.next = add i64 %c, 1
  %again = icmp ult i64 %c.next, %end
  br i1 %again, label %chunk, label %exit
exit:
  ret void
}
"""


def microseconds(floats: int, crossed: bool, rounds: int) -> float:
    """Median time of a region in which each of two threads copies ``floats`` numbers."""
    from pellucid.backends.cpu.engine import load_kernels
    from pellucid.backends.cpu.runtime import NativeProgram, Region, Task
    from pellucid.backends.cpu.target import host_target

    texts = {
        name: COPY.replace("NAME", name).replace("FLOATS", str(floats)).replace("CROSSED", swap)
        for name, swap in (
            (f"there_{floats}_{crossed:d}", str(int(crossed))),
            (f"back_{floats}", "0"),
        )
    }
    there, back = load_kernels(texts, host_target()).values()
    pair = [Region([Task(there, (0, 1), 2)], True), Region([Task(back, (1, 0), 2)], True)]
    program = NativeProgram(2, pair * (REGIONS // 2))
    buffers = [np.zeros(2 * floats, np.float32) for _ in range(2)]
    program.table[:] = [buffer.ctypes.data for buffer in buffers]
    program.run(STEPS)
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        program.run(STEPS)
        found.append((time.perf_counter() - start) / STEPS / REGIONS)
    return 1e6 * statistics.median(found)


def measure(rounds: int, sizes: tuple[int, ...] = SIZES) -> list[list[str]]:
    """One line a size: KiB of each thread, µs of a region, own and crossed, µs of the move."""
    lines = []
    for floats in sizes:
        own, crossed = (microseconds(floats, c, rounds) for c in (False, True))
        moved = 2 * (crossed - own)  # only every second region reads across
        lines.append([f"{floats / 256:g}", f"{own:.2f}", f"{crossed:.2f}", f"{moved:.2f}"])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    pellucid.set_num_threads(use_cores(2))
    titles = ["KiB a thread", "own, µs", "crossed, µs", "moving it, µs"]
    print(table(titles, measure(given.rounds), given.markdown))


if __name__ == "__main__":
    main()
