"""How soon a deep network trains without ``compile``: its first steps, ours against PyTorch's.

    python benchmarks/first_step.py [--only mobilenet_v2,resnet18,vgg11] [--threads 2]
                                    [--repeats 3] [--markdown]

Each network (CIFAR form, batch 32, SGD with momentum) takes in a fresh process with an empty cache:
its first step, its second, the fifth, and the first with another batch size; the figures are
medians over the processes in milliseconds.  "cpu" is what all threads of the process worked in the
first step; "kernels" are those that were compiled for it, and those for the other batch size.  The
models are built before, and so are the data.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measuring import in_own_process, table, use_cores

BATCH, OTHER = 32, 23


# ---- networks --------------------------------------------------------------------------------


def mobilenet_v2(lib: Any) -> Any:
    """Inverted residuals with depthwise convolutions (Sandler et al., 2018)."""
    nn = lib.nn

    def normed(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Any:
        convolution = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        return [convolution, nn.BatchNorm2d(outputs)]

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int, stride: int, factor: int) -> None:
            super().__init__()
            wide = inputs * factor
            layers = [] if factor == 1 else [*normed(inputs, wide, 1), nn.ReLU6()]
            layers += [*normed(wide, wide, 3, stride, wide), nn.ReLU6()]
            self.layers = nn.Sequential(*layers, *normed(wide, outputs, 1))
            self.adds = stride == 1 and inputs == outputs

        def forward(self, x: Any) -> Any:
            return x + self.layers(x) if self.adds else self.layers(x)

    stages = (
        *((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)),
        *((6, 160, 3, 2), (6, 320, 1, 1)),
    )
    layers, width = [*normed(3, 32, 3), nn.ReLU6()], 32
    for factor, outputs, count, stride in stages:
        for number in range(count):
            layers.append(Block(width, outputs, stride if number == 0 else 1, factor))
            width = outputs
    layers += [*normed(width, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, 10))


def resnet18(lib: Any) -> Any:
    """Basic residual blocks (He et al., 2016)."""
    nn = lib.nn

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
            self.shortcut = (
                nn.Identity()
                if stride == 1 and inputs == outputs
                else nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )
            )

        def forward(self, x: Any) -> Any:
            return (self.layers(x) + self.shortcut(x)).relu()

    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    width = 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(width, outputs, stride), Block(outputs, outputs, 1)]
        width = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    return nn.Sequential(*layers)


def vgg11(lib: Any) -> Any:
    """Eight 3 × 3 convolutions with batch norm (Simonyan and Zisserman, 2015)."""
    nn = lib.nn
    layers, width = [], 3
    for outputs in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        if not outputs:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(width, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        width = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "mobilenet_v2": mobilenet_v2,
    "resnet18": resnet18,
    "vgg11": vgg11,
}


# ---- one process -----------------------------------------------------------------------------


def compiled() -> int:
    """Kernels that this process's cache holds; plans are no kernels."""
    folder = Path(os.environ["PELLUCID_CACHE"])
    return sum(_is_kernel(file) for file in folder.rglob("*") if file.is_file())


def _is_kernel(file: Path) -> bool:
    return b"\x7fELF" in (head := file.read_bytes()[:256]) or b"\xcf\xfa\xed\xfe" in head


def child(name: str, library: str, threads: int) -> dict[str, Any]:
    """Times of the steps of one network, in this process."""
    lib = importlib.import_module(library)
    lib.set_num_threads(threads)
    lib.manual_seed(0)
    model = NETWORKS[name](lib)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    images = np.random.default_rng(0).standard_normal((BATCH, 3, 32, 32)).astype(np.float32)
    classes = np.arange(BATCH) % 10

    def step(batch: int) -> dict[str, float]:
        before = compiled()
        clock, worked = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        logits = model(lib.from_numpy(images[:batch]))
        loss = lib.nn.functional.cross_entropy(logits, lib.from_numpy(classes[:batch]))
        loss.backward()
        optimizer.step()
        value = loss.item()
        return {
            "seconds": time.perf_counter() - clock,
            "cpu": time.process_time() - worked,
            "kernels": compiled() - before,
            "loss": value,
        }

    steps = [step(BATCH) for _ in range(5)]
    return {"first": steps[0], "second": steps[1], "fifth": steps[4], "other": step(OTHER)}


# ---- the table -------------------------------------------------------------------------------


def measured(name: str, library: str, threads: int, repeats: int) -> dict[str, dict[str, float]]:
    """Medians over fresh processes with empty caches."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as empty:
            command = [sys.executable, __file__, "--child", name, library, str(threads)]
            found.append(in_own_process(command, {"PELLUCID_CACHE": empty}))
            if "skipped" in found[-1]:
                raise SystemExit(f"{name}, {library}: {found[-1]['skipped']}")
    return {
        turn: {
            what: statistics.median(f[turn][what] for f in found)
            for what in ("seconds", "cpu", "kernels", "loss")
        }
        for turn in ("first", "second", "fifth", "other")
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(NETWORKS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, library, threads = options.child
        print(json.dumps(child(name, library, int(threads))))
        return
    from pellucid.backends.cpu.target import measure_peak

    threads = use_cores(options.threads)
    peak = statistics.median(measure_peak(threads) for _ in range(3))
    print(f"{threads} threads, measured peak {peak:.0f} GFLOP/s (float32)")
    rows = []
    for name in options.only.split(","):
        found = {
            library: measured(name, library, threads, options.repeats)
            for library in ("pellucid", "torch")
        }
        theirs = found["torch"]["first"]["seconds"]
        for library, turns in found.items():
            first = turns["first"]["seconds"]
            times = [turns[turn]["seconds"] for turn in ("first", "second", "fifth", "other")]
            own = library == "pellucid"
            kernels = [f"{turns[turn]['kernels']:.0f}" for turn in ("first", "other")]
            rows.append(
                [
                    f"{name}, {library}",
                    *(f"{1e3 * t:.0f}" for t in times),
                    f"{1e3 * turns['first']['cpu']:.0f}",
                    *(kernels if own else ["-", "-"]),
                    f"{first / theirs:.2f}",
                ]
            )
    head = ["ms", "first", "second", "fifth", "other batch", "cpu of first", "kernels"]
    print(table([*head, "for other batch", "first / PyTorch"], rows, options.markdown))


if __name__ == "__main__":
    main()
