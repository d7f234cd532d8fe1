"""One training step of convolutional networks, ours compiled against PyTorch, measured in turns.

    python benchmarks/images.py [--only cnn,resnet18,separable,inference] [--rounds 9]
        [--threads 2] [--compile] [--explain]

``cnn``: 28×28, convolutions 1 → 32 → 64, max pooling, 12544-128-10, batch 64, Adam.
``resnet18``: the ResNet-18 for 32×32 images, batch 64, SGD with momentum.
``separable``: depthwise-separable convolutions as in MobileNet (Howard et al., 2017), 32×32, batch
64, SGD with momentum.  ``inference``: the cnn on one image.

The networks are written once, in the language both libraries share, and built from either; both
start from the same weights and their losses are compared.  PyTorch runs plainly and with
channels_last (with ``--compile`` also through torch.compile), and the fastest counts.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

BATCH = 64
Step = Callable[[], Any]


def cnn(nn: Any) -> Any:
    """Two convolutions and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12544, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def resnet18(nn: Any) -> Any:
    """ResNet-18 (He et al., 2016) with the stem for small images: 3×3, stride 1, no pooling."""

    class Block(nn.Module):  # type: ignore[misc]
        """Two convolutions around a shortcut."""

        def __init__(self, inside: int, outside: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outside)
            self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outside)
            self.relu = nn.ReLU()
            self.shortcut = nn.Sequential()
            if stride != 1 or inside != outside:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
                )

        def forward(self, x: Any) -> Any:
            y = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    blocks, inside = [], 64
    for outside, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Block(inside, outside, stride), Block(outside, outside, 1)]
        inside = outside
    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def separable(nn: Any) -> Any:
    """Depthwise 3×3 and pointwise 1×1 convolutions, each with batch norm and ReLU."""

    def unit(inside: int, outside: int, stride: int) -> list[Any]:
        return [
            nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False),
            nn.BatchNorm2d(inside),
            nn.ReLU(),
            nn.Conv2d(inside, outside, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
        ]

    layers = [nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    inside = 32
    for outside, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        layers += unit(inside, outside, stride)
        inside = outside
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


NETWORKS = {"cnn": cnn, "resnet18": resnet18, "separable": separable, "inference": cnn}
GOALS = {"cnn": (2.2, 0.55), "resnet18": (1.1, 0.75), "separable": (1.8, 0), "inference": (2, 0)}
"""How many times faster than PyTorch each is meant to be, and its share of the peak."""


def images(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A batch of pictures and classes."""
    random = np.random.default_rng(0)
    shape = {"cnn": (BATCH, 1, 28, 28), "inference": (1, 1, 28, 28)}.get(name, (BATCH, 3, 32, 32))
    return random.normal(size=shape).astype(np.float32), random.integers(0, 10, shape[0])


def our_model(name: str) -> Any:
    """The network here, the same at each call."""
    import pellucid

    pellucid.manual_seed(0)
    return NETWORKS[name](pellucid.nn)


def ours(name: str, threads: int) -> tuple[Step, Any]:
    """A step, and the compiled function with its arguments."""
    import pellucid
    import pellucid.nn.functional as F  # noqa: N812
    from pellucid import optim

    pellucid.set_num_threads(threads)
    model = our_model(name)
    x, y = map(pellucid.from_numpy, images(name))
    if name == "inference":
        model.eval()
        predict = pellucid.compile(lambda image: model(image))

        def infer() -> Any:
            with pellucid.no_grad():
                return predict(x).sum()

        return infer, (predict, (x,))
    if name == "cnn":
        optimizer: Any = optim.Adam(model.parameters(), lr=1e-3)
    else:
        optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    @pellucid.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return lambda: step(x, y), (step, (x, y))


def theirs(name: str, threads: int, last: bool, compiled: bool) -> Step:
    """The same in PyTorch."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    torch.set_num_threads(threads)
    layout = torch.channels_last if last else torch.contiguous_format
    model = NETWORKS[name](torch.nn).to(memory_format=layout)
    state = {k: torch.tensor(v.detach().numpy()) for k, v in our_model(name).state_dict().items()}
    model.load_state_dict(state)
    x, y = map(torch.from_numpy, images(name))
    x = x.to(memory_format=layout)
    forward = torch.compile(model) if compiled else model
    if name == "inference":
        model.eval()

        def infer() -> Any:
            with torch.no_grad():
                return forward(x).sum()

        return infer
    if name == "cnn":
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)

    def step() -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def flop(name: str) -> float:
    """Multiplications and additions of convolutions and linear layers in one step.

    Forward, weight gradient and input gradient take the same; the first layer has no input
    gradient.
    """
    import pellucid
    from pellucid import nn

    model, found = our_model(name), []

    def count(layer: Any, inputs: Any, output: Any) -> None:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            found.append(2 * output.numel() * math.prod(layer.weight.shape[1:]))

    for layer in model.modules():
        layer.register_forward_hook(count)
    model.eval()
    with pellucid.no_grad():
        image = pellucid.from_numpy(images(name)[0][:1])
        model(image)
    total = sum(found) if name == "inference" else 3 * sum(found) - found[0]
    return float(total * len(images(name)[1]))


def in_turns(steps: dict[str, Step], rounds: int, seconds: float = 0.15) -> dict[str, float]:
    """Median milliseconds of each step, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            time.sleep(0.02)  # idle workers of the one before still spin for a while
            step()
            start, count = time.perf_counter(), 0
            while count < 1 or time.perf_counter() - start < seconds:
                last = step()
                count += 1
            float(last)
            if turn:
                times[name].append((time.perf_counter() - start) / count * 1e3)
    return {name: statistics.median(found) for name, found in times.items()}


def contestants(name: str, threads: int, compiled: bool) -> dict[str, Step]:
    """All of them but ours, by name."""
    kinds = {"eager": (False, False), "channels_last": (True, False)}
    if compiled:
        kinds["torch.compile"] = (False, True)
    return {kind: theirs(name, threads, *how) for kind, how in kinds.items()}


def memory(name: str, kind: str, threads: int) -> None:
    """Print the highest resident memory of a process that runs some steps, in MB."""
    step = (
        ours(name, threads)[0] if kind == "ours" else theirs(name, threads, kind[0] == "c", False)
    )
    for _ in range(5):
        float(step())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def report(name: str, options: argparse.Namespace) -> None:
    """Measure one network and print its line."""
    from pellucid.backends.cpu.target import measure_peak

    start = time.perf_counter()
    own, (program, arguments) = ours(name, options.threads)
    first = [float(own())]
    spent = time.perf_counter() - start
    steps = {"ours": own}
    if not options.alone:
        steps |= contestants(name, options.threads, options.compile)
    for other in [k for k in steps if k != "ours"]:
        loss = float(steps[other]())
        if not math.isclose(loss, first[0], rel_tol=2e-3, abs_tol=1e-4):
            raise SystemExit(f"{other} has loss {loss:.6f} where ours is {first[0]:.6f}")
    times = in_turns(steps, options.rounds)
    limit = flop(name) / measure_peak(options.threads) / 1e6
    mine = times["ours"]
    text = ", ".join(f"{kind} {value:.2f}" for kind, value in times.items())
    print(f"{name}: {flop(name) / 1e9:.2f} GFLOP, limit {limit:.2f} ms; ms a step: {text}")
    best = min((v for k, v in times.items() if k != "ours"), default=math.nan)
    print(
        f"  {best / mine:.2f} times the best PyTorch (goal {GOALS[name][0]}), {limit / mine:.0%} "
        f"of the peak (goal {GOALS[name][1]:.0%}); built and first step in {spent:.2f} s"
    )
    if options.memory:
        for kind in ("ours", "eager", "channels_last"):
            command = [sys.executable, __file__, "--child", name, kind]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"  memory of the process, {kind}: {float(done.stdout.split()[-1]):.0f} MB")
    if options.explain:
        with __import__("pellucid").no_grad() if name == "inference" else _nothing():
            print(program.explain())


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()


def main() -> None:
    """Print a line or two for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(NETWORKS), help="networks, with commas")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--memory", action="store_true", help="highest memory of each")
    parser.add_argument("--explain", action="store_true", help="what our program became")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    if options.child:
        memory(*options.child, options.threads)
        return
    for name in options.only.split(","):
        report(name, options)


if __name__ == "__main__":
    main()
