"""Layers without ``compile``: forward and backward, ours against PyTorch's eager mode.

    python benchmarks/eager.py [--only linear,conv] [--threads 2] [--rounds 15] [--markdown]

Each row is one layer at a size that occurs in the workloads of ``steps.py`` and of the larger
networks; one call is the layer applied to an input that requires gradients (where the layer is not
the first of its network) and ``backward`` with a fixed cotangent, or one optimizer step.  Both take
turns in one process, warmed up; the figures are medians over the rounds in microseconds.  "no
kernels" is ours with ``set_eager_kernels(False)``, where every operation is its NumPy definition.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import pellucid

WARM_SECONDS = 0.15
ROUND_SECONDS = 0.02
PAUSE_SECONDS = 0.02
"""Between contestants: the worker threads of some spin for a while after their work."""


@dataclass(frozen=True)
class Row:
    """One line of the table: ``build(library)`` gives the call to measure."""

    group: str
    name: str
    build: Callable[[Any], Callable[[], Any]]


def _numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _tensor(library: Any, array: np.ndarray, grad: bool = False) -> Any:
    made = library.from_numpy(array.copy())
    return made.requires_grad_() if grad else made


def _layer(
    group: str, name: str, make: Callable[[Any], Any], shape: tuple[int, ...], first: bool = False
) -> Row:
    """A module on an input of ``shape``; ``first`` layers need no gradient of their input."""

    def build(library: Any) -> Callable[[], Any]:
        library.manual_seed(0)
        module = make(library)
        x = _tensor(library, _numbers(shape), not first)
        out = module(x)
        out = out[0] if isinstance(out, tuple) else out
        cotangent = _tensor(library, _numbers(tuple(out.shape), 1))
        leaves = [*module.parameters(), x]

        def call() -> Any:
            for leaf in leaves:
                leaf.grad = None
            result = module(x)
            result = result[0] if isinstance(result, tuple) else result
            result.backward(cotangent)
            return leaves[0].grad

        return call

    return Row(group, name, build)


def _linear(rows: int, inputs: int, outputs: int, first: bool = False) -> Row:
    return _layer(
        "linear",
        f"linear {rows}x{inputs}->{outputs}",
        lambda library: library.nn.Linear(inputs, outputs),
        (rows, inputs),
        first,
    )


def _convolution(
    batch: int, channels: int, filters: int, size: int, stride: int = 1, kernel: int = 3
) -> Row:
    return _layer(
        "conv",
        f"conv {kernel}x{kernel} {batch}x{channels}x{size}x{size}->{filters}"
        + (f" /{stride}" if stride > 1 else ""),
        lambda library: library.nn.Conv2d(
            channels, filters, kernel, stride, kernel // 2, bias=channels == 1 or size == 28
        ),
        (batch, channels, size, size),
        channels in (1, 3),
    )


def _attention(batch: int, heads: int, length: int, width: int, causal: bool = True) -> Row:
    def build(library: Any) -> Callable[[], Any]:
        shape = (batch, heads, length, width)
        inputs = [_tensor(library, _numbers(shape, i), True) for i in range(3)]
        cotangent = _tensor(library, _numbers(shape, 3))

        def call() -> Any:
            for leaf in inputs:
                leaf.grad = None
            result = library.nn.functional.scaled_dot_product_attention(*inputs, is_causal=causal)
            result.backward(cotangent)
            return inputs[0].grad

        return call

    return Row("attention", f"attention {batch}x{heads}x{length}x{width}", build)


def _function(name: str, shape: tuple[int, ...], function: Callable[[Any, Any], Any]) -> Row:
    """An element-wise or row function of one tensor."""

    def build(library: Any) -> Callable[[], Any]:
        x = _tensor(library, _numbers(shape), True)
        cotangent = _tensor(library, _numbers(tuple(function(library, x).shape), 1))

        def call() -> Any:
            x.grad = None
            function(library, x).backward(cotangent)
            return x.grad

        return call

    return Row("functions", f"{name} {'x'.join(map(str, shape))}", build)


def _cross_entropy(rows: int, classes: int) -> Row:
    def build(library: Any) -> Callable[[], Any]:
        x = _tensor(library, _numbers((rows, classes)), True)
        ids = np.random.default_rng(0).integers(0, classes, rows)
        target = library.from_numpy(ids)

        def call() -> Any:
            x.grad = None
            library.nn.functional.cross_entropy(x, target).backward()
            return x.grad

        return call

    return Row("loss", f"cross-entropy {rows}x{classes}", build)


def _update(name: str, optimizer: str, shapes: list[tuple[int, ...]], **settings: Any) -> Row:
    def build(library: Any) -> Callable[[], Any]:
        parameters = [_tensor(library, _numbers(s, i), True) for i, s in enumerate(shapes)]
        for i, parameter in enumerate(parameters):
            parameter.grad = _tensor(library, _numbers(tuple(parameter.shape), 100 + i))
        made = getattr(library.optim, optimizer)(parameters, lr=1e-5, **settings)

        def call() -> Any:
            made.step()
            return parameters[0]

        return call

    return Row("optimizer", f"{optimizer} step, {name}", build)


def _mlp(*widths: int) -> list[tuple[int, ...]]:
    pairs = list(zip(widths, widths[1:], strict=False))
    return [shape for i, o in pairs for shape in ((o, i), (o,))]


def _rows() -> Iterator[Row]:
    yield _linear(64, 784, 256, first=True)
    yield _linear(64, 256, 128)
    yield _linear(256, 1024, 2048, first=True)
    yield _linear(256, 2048, 2048)
    yield _linear(64, 12544, 128)
    yield _linear(768, 128, 512)
    yield _linear(2048, 256, 1024)
    yield _linear(700, 200, 10000)
    yield _convolution(64, 1, 32, 28)
    yield _convolution(64, 32, 64, 28)
    yield _convolution(64, 3, 64, 32)
    yield _convolution(64, 64, 64, 32)
    yield _convolution(64, 64, 128, 32, stride=2)
    yield _convolution(64, 128, 128, 16)
    yield _convolution(64, 256, 256, 8)
    yield _convolution(64, 512, 512, 4)
    yield _convolution(64, 64, 128, 32, stride=2, kernel=1)
    yield _layer("conv", "max-pool 64x64x28x28", lambda m: m.nn.MaxPool2d(2), (64, 64, 28, 28))
    if hasattr(pellucid.nn, "LSTM"):
        yield _layer("rnn", "LSTM 35x20x200", lambda m: m.nn.LSTM(200, 200, 2), (35, 20, 200))
    if hasattr(pellucid.nn, "GRU"):
        yield _layer("rnn", "GRU 50x32x64->256", lambda m: m.nn.GRU(64, 256, 2), (50, 32, 64))
    yield _attention(12, 4, 64, 32)
    yield _attention(8, 8, 256, 32)
    yield _layer("norm", "layer norm 768x128", lambda m: m.nn.LayerNorm(128), (768, 128))
    yield _layer("norm", "layer norm 2048x256", lambda m: m.nn.LayerNorm(256), (2048, 256))
    yield _layer("norm", "batch norm 64x64x32x32", lambda m: m.nn.BatchNorm2d(64), (64, 64, 32, 32))
    yield _function("gelu", (768, 512), lambda m, x: m.nn.functional.gelu(x))
    yield _function("relu", (64, 64, 32, 32), lambda m, x: m.nn.functional.relu(x))
    yield _function("softmax", (2048, 256), lambda m, x: m.softmax(x, -1))
    yield _function("tanh", (2048, 256), lambda m, x: m.tanh(x))
    yield _function("x * sigmoid(x)", (2048, 256), lambda m, x: x * m.sigmoid(x))
    yield _layer(
        "functions", "dropout 2048x256", lambda m: m.nn.Sequential(m.nn.Dropout(0.1)), (2048, 256)
    )
    yield _cross_entropy(64, 10)
    yield _cross_entropy(700, 10000)
    yield _update("mnist", "Adam", _mlp(784, 256, 128, 10), **{})
    yield _update("mlpbig", "Adam", _mlp(1024, 2048, 2048, 1000))
    yield _update("40 of 128x128", "SGD", [(128, 128)] * 40, momentum=0.9)


def seconds_of(call: Callable[[], Any], least: float) -> float:
    """Mean duration of calls made for at least so many seconds."""
    count, start = 0, time.perf_counter()
    while True:
        call()
        count += 1
        spent = time.perf_counter() - start
        if spent >= least:
            return spent / count


def _difference(ours: Any, theirs: Any) -> float:
    """Largest difference relative to the largest element."""
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    return float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-30))


def measure(row: Row, torch: Any, rounds: int) -> tuple[float, float, float]:
    """Median microseconds of ours, ours without kernels, and PyTorch, taking turns."""
    calls = {"ours": row.build(pellucid), "plain": row.build(pellucid)}
    if torch is not None:
        calls["torch"] = row.build(torch)
    found: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            time.sleep(PAUSE_SECONDS)
            call()
            if name == "plain":
                if turn > 3:
                    continue
                with pellucid.eager_kernels(False):
                    spent = seconds_of(call, ROUND_SECONDS if turn else 0.0)
            else:
                spent = seconds_of(call, ROUND_SECONDS if turn else WARM_SECONDS)
            if turn:
                found[name].append(spent * 1e6)
    middle = {name: statistics.median(times) for name, times in found.items()}
    return middle["ours"], middle["plain"], middle.get("torch", float("nan"))


def main() -> None:
    """Measure the chosen rows and print them as they come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="groups or words of names, separated by commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    pellucid.set_num_threads(arguments.threads)
    try:
        import torch
    except ImportError:
        torch = None
    else:
        torch.set_num_threads(arguments.threads)
    wanted = [w for w in arguments.only.split(",") if w]
    line = (
        "| {} | {} | {} | {} | {} |" if arguments.markdown else "{:36} {:>10} {:>10} {:>10} {:>9}"
    )
    print(line.format("µs a call", "ours", "no kernels", "PyTorch", "ours / it"))
    if arguments.markdown:
        print(line.format("---", *["---:"] * 4))
    for row in _rows():
        if wanted and not any(w == row.group or w in row.name for w in wanted):
            continue
        ours, plain, theirs = measure(row, torch, arguments.rounds)
        figures = [f"{ours:.0f}", f"{plain:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"]
        print(line.format(row.name, *figures), flush=True)


if __name__ == "__main__":
    main()
