"""Trains on a generated file that is larger than the memory allowed, and measures what it takes.

    python benchmarks/streaming.py                         # 6 GiB within 1.5 GiB
    python benchmarks/streaming.py --gib 0.2 --limit 400   # a quick look: 0.2 GiB within 400 MiB
    python benchmarks/streaming.py --format parquet        # the same table, as Parquet or arrow

The table has numbers, categories and a date, and a target that follows from them.  The training
runs in a process of its own, whose largest resident memory (as the system counts it, with that of
the process that reads Parquet or Arrow for it) is printed, with the times of reading and of the
epoch, and the test metric, which shows that it learned.  Needs three times the file's size of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS = 12
PROGRAM = """
import json, os, resource, sys, threading, time
from pathlib import Path
from pellucid.training.run import train
largest = 0.0  # of a child that reads, in MiB

def watch():
    global largest
    while True:
        for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for number in child.read_text().split():
                try:
                    lines = Path(f"/proc/{number}/status").read_text().splitlines()
                except OSError:
                    continue
                kib = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
                largest = max(largest, *(each / 1024 for each in kib), 0.0)
        time.sleep(0.1)

threading.Thread(target=watch, daemon=True).start()
start = time.perf_counter()
outcome = train(sys.argv[1], "y", output=sys.argv[2], epochs=1, batch_size=1024,
                loading={"memory": float(sys.argv[3])})
result = outcome.result
print(json.dumps({
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + largest,
    "data": result.seconds["data"], "training": result.seconds["training"],
    "rows": result.prepared.rows, "streamed": result.prepared.stream is not None,
    "r2": result.figures["test"].values["r2"],
    "linear": result.baselines.linear.test.values["r2"],
}))
"""


def generate(file: Path, size: int) -> None:
    """A table of about ``size`` bytes: twenty blocks of 100,000 rows, over and over."""
    kinds = np.array([f"kind {i}" for i in range(40)])
    with file.open("w") as stream:
        names = [f"x{i}" for i in range(COLUMNS)]
        stream.write(",".join([*names, "kind", "day", "y"]) + "\n")
        for seed in range(20):
            if stream.tell() >= size:
                return
            rng = np.random.default_rng(seed)
            x = rng.normal(size=(100_000, COLUMNS)).astype(np.float32)
            kind = rng.integers(0, len(kinds), len(x))
            days = np.datetime64("2015-01-01") + rng.integers(0, 3650, len(x))
            y = np.sin(2 * x[:, 0]) + x[:, 1] * (x[:, 2] > 0) + kind % 7 / 3
            columns = [np.char.mod("%.5f", column) for column in x.T]
            columns += [kinds[kind], days.astype(str), np.char.mod("%.5f", y)]
            stream.write("\n".join(map(",".join, zip(*columns, strict=True))) + "\n")
        stream.flush()
        blocks = file.read_text().partition("\n")[2]
        while stream.tell() < size:
            stream.write(blocks)


def as_frame(text: Path, kind: str) -> Path:
    """The table as a file of another kind, written piece by piece."""
    import polars

    file = text.with_suffix("." + kind)
    rows = polars.scan_csv(text)
    if kind == "parquet":
        rows.sink_parquet(file)
    else:
        rows.sink_ipc(file, compression="uncompressed")
    text.unlink()
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gib", type=float, default=6.0, help="size of the file")
    parser.add_argument("--limit", type=float, default=1536.0, help="MiB that may be resident")
    parser.add_argument("--memory", type=float, help="MiB for reading and shuffling [limit / 3]")
    parser.add_argument("--format", choices=("csv", "parquet", "arrow"), default="csv")
    parser.add_argument("--folder", type=Path, help="where the file is written [a temporary one]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        file = Path(folder) / "large.csv"
        start = time.perf_counter()
        generate(file, int(given.gib * 2**30))
        if given.format != "csv":
            file = as_frame(file, given.format)
        size = file.stat().st_size
        print(f"{size / 2**30:.2f} GiB written in {time.perf_counter() - start:.0f} s", flush=True)
        command = [sys.executable, "-c", PROGRAM, file, Path(folder) / "run"]
        done = subprocess.run(
            [*map(str, command), str(given.memory or given.limit / 3)],
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": folder},
        )
        if done.returncode:
            sys.exit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    speed = size / 2**20 / found["data"]
    print(f"peak memory      {found['peak']:,.0f} MiB, {size / 2**20 / found['peak']:.1f} × less")
    print(f"rows             {found['rows']:,}, streamed: {found['streamed']}")
    print(f"reading twice    {found['data']:.0f} s ({speed:.0f} MiB of the file a second)")
    print(f"one epoch        {found['training']:.0f} s")
    print(f"R² on test rows  {found['r2']:.4f} (linear model {found['linear']:.4f})")
    within = found["peak"] <= given.limit and found["streamed"]
    print("within the limit" if within else f"NOT within {given.limit:,.0f} MiB")
    sys.exit(not within)


if __name__ == "__main__":
    main()
