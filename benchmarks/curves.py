"""Time of a step against the size of what is trained: ours and PyTorch's eager mode, as pictures.

    python benchmarks/curves.py [--only batch,attention,lstm,depth,threads] [--quick]
        [--rounds 5] [--threads 2] [--pictures docs/images]

Training steps in float32, forward, backward and update; medians over alternating rounds.
``batch``: an MLP 784-256-128-10 with Adam, 1 to 4096 images.  ``attention``: a Transformer block of
width 128 with 4 heads over 32 to 4096 positions, 4096 positions a batch.  ``lstm``: an LSTM of
width 128 over 32 to 4096 positions, batch 8.  ``depth``: 2 to 100 layers of width 256, batch 64,
SGD.  ``threads``: networks of different sizes on one thread and on several.  Dashed: the
multiplications and additions divided by the peak measured in this run.  With ``--pictures`` each
curve is also drawn, as an SVG file, into that folder.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networks_source as source
import numpy as np
from measuring import Skipped, check_losses, in_turns, milliseconds, table, use_cores
from networks import CONTESTANTS, NETWORKS, Network

PEERS = ("ours", "PyTorch eager")


@dataclass(frozen=True)
class Curve:
    """Networks in a row, and what changes from one to the next."""

    title: str
    axis: str
    points: tuple[int, ...]
    quick: tuple[int, ...]
    network: Callable[[int], Network]
    """The network at a point; its ``sizes`` are what is measured."""


def network(
    name: str,
    build: Callable[..., source.Task],
    batches: Callable[..., tuple[np.ndarray, ...]],
    flop: Callable[..., int],
    **sizes: int,
) -> Network:
    """A network that appears in no table."""
    return Network(name, name, build, batches, flop, sizes, sizes)


MLP = [784, 256, 128, 10]


def vectors(count: int, batch: int, inputs: int = MLP[0], **_: int) -> tuple[np.ndarray, ...]:
    """Noise (count, batch, inputs) and classes (count, batch)."""
    random = np.random.default_rng(1)
    x = random.standard_normal((count, batch, inputs)).astype(np.float32)
    return x, random.integers(0, 10, (count, batch))


def layers_of(lib: Any, widths: list[int]) -> Any:
    """Linear layers with ReLU between them."""
    layers: list[Any] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        layers += [lib.nn.Linear(inputs, outputs), lib.nn.ReLU()]
    return lib.nn.Sequential(*layers[:-1])


def layers_flop(batch: int, widths: list[int]) -> int:
    """Forward pass times three; what comes in needs no gradient."""
    sizes = [i * o for i, o in zip(widths, widths[1:], strict=False)]
    return 2 * batch * (3 * sum(sizes) - sizes[0])


def build_mlp(lib: Any, batch: int) -> source.Task:
    """Adam, cross-entropy; at this rate no unit dies, whose averages would shrink to subnormal
    numbers, on which processors are slow."""
    model = layers_of(lib, MLP)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-7, fused=True)
    return source.classification(lib, model, optimizer)


def mlp_flop(batch: int) -> int:
    """Three layers."""
    return layers_flop(batch, MLP)


def build_deep(lib: Any, batch: int, inputs: int, depth: int) -> source.Task:
    """SGD, cross-entropy, ``depth`` layers."""
    model = layers_of(lib, [inputs] * depth + [10])
    optimizer = lib.optim.SGD(model.parameters(), lr=1e-3, fused=True)
    return source.classification(lib, model, optimizer)


def deep_flop(batch: int, inputs: int, depth: int) -> int:
    """``depth`` layers."""
    return layers_flop(batch, [inputs] * depth + [10])


def build_block(lib: Any, length: int, rows: int, width: int, heads: int) -> source.Task:
    """One Transformer block (norm first) that shall give back its input; SGD."""
    nn, functional = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.packed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            n, t, e = x.shape
            q, k, v = (
                p.reshape(n, t, heads, -1).transpose(1, 2)
                for p in self.packed(self.norm1(x)).split(e, 2)
            )
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(n, t, e))
            return x + self.outer(functional.gelu(self.inner(self.norm2(x))))

    model = Block()

    def loss(x: Any) -> Any:
        return functional.mse_loss(model(x), x)

    return source.Task(model, lib.optim.SGD(model.parameters(), lr=1e-3, fused=True), loss)


def block_batches(
    count: int, length: int, rows: int, width: int, heads: int
) -> tuple[np.ndarray, ...]:
    """Noise (count, rows / length, length, width)."""
    random = np.random.default_rng(1)
    shape = (count, max(1, rows // length), length, width)
    return (random.standard_normal(shape).astype(np.float32),)


def block_flop(length: int, rows: int, width: int, heads: int) -> int:
    """Twelve width² products and the attention, of which the causal mask needs half; three times,
    less the gradient of what comes in, which the norm's weights need all the same."""
    rows = max(rows, length)
    return 3 * (2 * rows * 12 * width * width + 2 * 2 * rows * length * width // 2)


def build_lstm(lib: Any, length: int, batch: int, width: int) -> source.Task:
    """One LSTM layer, time first, that shall follow its input; SGD."""
    functional = lib.nn.functional
    model = lib.nn.LSTM(width, width)

    def loss(x: Any) -> Any:
        return functional.mse_loss(model(x)[0], x)

    return source.Task(model, lib.optim.SGD(model.parameters(), lr=1e-2, fused=True), loss)


def lstm_batches(count: int, length: int, batch: int, width: int) -> tuple[np.ndarray, ...]:
    """Noise (count, length, batch, width)."""
    random = np.random.default_rng(1)
    return (random.standard_normal((count, length, batch, width)).astype(np.float32),)


def lstm_flop(length: int, batch: int, width: int) -> int:
    """Four gates over input and state, times three, but the input needs no gradient."""
    product = 2 * length * batch * width * 4 * width
    return 3 * 2 * product - product


def with_batch(n: int) -> Network:
    """The MLP with ``n`` images a step."""
    return network("mlp", build_mlp, vectors, mlp_flop, batch=n)


def with_positions(n: int) -> Network:
    """The block with ``n`` positions a sequence."""
    return network(
        "block", build_block, block_batches, block_flop, length=n, rows=4096, width=128, heads=4
    )


def with_times(n: int) -> Network:
    """The LSTM over ``n`` positions."""
    return network("lstm", build_lstm, lstm_batches, lstm_flop, length=n, batch=8, width=128)


def with_layers(n: int) -> Network:
    """``n`` layers."""
    return network("deep", build_deep, vectors, deep_flop, batch=64, inputs=256, depth=n)


LENGTHS = tuple(2**i for i in range(5, 13))
CURVES = {
    "batch": Curve(
        "MLP 784-256-128-10, Adam", "batch", tuple(2**i for i in range(13)), (1, 4), with_batch
    ),
    "attention": Curve(
        "Transformer block, width 128, 4096 positions a batch",
        "sequence length",
        LENGTHS,
        (16, 32),
        with_positions,
    ),
    "lstm": Curve("LSTM, width 128, batch 8", "sequence length", LENGTHS, (2, 4), with_times),
    "depth": Curve(
        "Linear layers of width 256, batch 64, SGD",
        "layers",
        (2, 3, 5, 10, 20, 35, 50, 75, 100),
        (2, 3),
        with_layers,
    ),
}
THREADED = {
    "DQN step": NETWORKS["dqn"],
    "MLP, batch 64": with_batch(64),
    "MLP, batch 1024": with_batch(1024),
    "nanogpt": NETWORKS["nanogpt"],
    "cnn": NETWORKS["cnn"],
}
"""Networks measured on one thread and on several, from small to large."""


def point(one: Network, threads: int, rounds: int, quick: bool) -> dict[str, float]:
    """Milliseconds of a step by contestant, where there is PyTorch of both."""
    able: dict[str, Any] = {}
    losses: dict[str, dict[str, Any]] = {}
    for name in PEERS:
        try:
            able[name] = CONTESTANTS[name](one, one.sizes, threads)
        except Skipped as reason:
            print(f"without {name}: {reason}", file=sys.stderr)
            continue
        losses[name] = {"losses": [able[name].run(1), able[name].run(1)]}
    check_losses(losses)
    seconds = (0.005, 0.005) if quick else (0.06, 0.1)
    times = in_turns(able, rounds, seconds[0], warm_seconds=seconds[1], seconds=3)
    return {name: 1e3 * t for name, t in times.items()}


def along(curve: Curve, threads: int, rounds: int, quick: bool, peak: float) -> dict[str, Any]:
    """Milliseconds by contestant and the limit, along a curve."""
    points = curve.quick if quick else curve.points
    found: dict[str, Any] = {"points": points}
    for n in points:
        one = curve.network(n)
        for name, t in point(one, threads, rounds, quick).items():
            found.setdefault(name, []).append(t)
        found.setdefault("limit", []).append(one.flop(**one.sizes) / peak / 1e6)
    return found


def scaling(threads: int, rounds: int, quick: bool) -> dict[str, dict[str, tuple[float, float]]]:
    """For each network and contestant milliseconds on one thread and on ``threads``."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name in list(THREADED)[: 2 if quick else None]:
        alone, together = (point(THREADED[name], n, rounds, quick) for n in (1, threads))
        found[name] = {peer: (alone[peer], together[peer]) for peer in alone}
    return found


def axes_for(title: str, **settings: Any) -> tuple[Any, Any]:
    """An empty picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.6, 3.6), layout="constrained")
    axes.set(title=title, **settings)
    axes.grid(True, alpha=0.3)
    return figure, axes


def save(figure: Any, axes: Any, path: Path) -> None:
    """Write the picture; the same figures give the same file."""
    from matplotlib import pyplot

    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyplot.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


STYLES = {"ours": ("o-", "#1f6f8b"), "PyTorch eager": ("s-", "#e07a3f"), "limit": ("--", "#888")}


def draw(curve: Curve, found: dict[str, Any], path: Path) -> None:
    """Time along the curve, both axes logarithmic."""
    figure, axes = axes_for(
        curve.title, xscale="log", yscale="log", xlabel=curve.axis, ylabel="ms a step"
    )
    for name, (style, colour) in STYLES.items():
        if name in found:
            axes.plot(found["points"], found[name], style, color=colour, label=name, markersize=4)
    axes.set_xticks(found["points"], [str(n) for n in found["points"]], fontsize=7)
    axes.minorticks_off()
    save(figure, axes, path)


def draw_threads(
    found: dict[str, dict[str, tuple[float, float]]], threads: int, path: Path
) -> None:
    """How much faster each network is on several threads."""
    figure, axes = axes_for(f"{threads} threads against one", ylabel="times as fast")
    places = np.arange(len(found))
    for i, peer in enumerate(PEERS):
        ratios = [a / b for a, b in (times.get(peer, (np.nan, 1.0)) for times in found.values())]
        axes.bar(places + 0.38 * i - 0.19, ratios, 0.36, label=peer, color=STYLES[peer][1])
    axes.axhline(1, color="#888", linestyle="--", linewidth=1)
    axes.set_xticks(places, list(found), fontsize=7)
    save(figure, axes, path)


def report_threads(options: argparse.Namespace, threads: int) -> str:
    """The table of :func:`scaling`; the picture, if one is wanted."""
    found = scaling(threads, options.rounds, options.quick)
    rows = [
        [name, peer, milliseconds(a), milliseconds(b), f"{a / b:.2f}×"]
        for name, times in found.items()
        for peer, (a, b) in times.items()
    ]
    if options.pictures is not None:
        draw_threads(found, threads, options.pictures / "curve-threads.svg")
    return table(["ms a step", "", "1 thread", f"{threads} threads", "×"], rows, options.markdown)


def report(name: str, options: argparse.Namespace, threads: int, peak: float) -> str:
    """The numbers of a curve as a table; the picture, if one is wanted."""
    if name == "threads":
        return report_threads(options, threads)
    curve = CURVES[name]
    found = along(curve, threads, options.rounds, options.quick, peak)
    names = [n for n in found if n != "points"]
    rows = [
        [str(n), *(milliseconds(found[name][i]) for name in names)]
        + ([f"{found['PyTorch eager'][i] / found['ours'][i]:.2f}×"] if len(names) == 3 else ["-"])
        for i, n in enumerate(found["points"])
    ]
    if options.pictures is not None:
        draw(curve, found, options.pictures / f"curve-{name}.svg")
    lines = table([curve.axis, *names, "× PyTorch"], rows, options.markdown)
    return f"{curve.title}, ms a step\n\n{lines}"


def main(arguments: list[str] | None = None) -> None:
    """Print the tables, draw the pictures."""
    known = [*CURVES, "threads"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(known), help="curves, with commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="only to see whether all works")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--pictures", type=Path, help="a folder for the pictures")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.only.split(",") if name not in known]
    if unknown:
        parser.error(f"there is no curve {unknown[0]!r}; there are {', '.join(known)}")
    from pellucid.backends.cpu.target import measure_peak

    threads = use_cores(options.threads)
    peak = statistics.median(measure_peak(threads) for _ in range(3))
    print(f"{threads} threads, measured peak {peak:.0f} GFLOP/s (float32)")
    for name in options.only.split(","):
        print("\n" + report(name, options, threads, peak), flush=True)


if __name__ == "__main__":
    main()
