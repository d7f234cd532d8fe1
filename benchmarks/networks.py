"""Whole networks: our compiled step against PyTorch and JAX, and the machine's limit.

    python benchmarks/networks.py [--only cnn,lstm] [--markdown] [--quick] [--threads 2]
        [--rounds 15] [--seconds 20] [--without "torch.compile"] [--explain]
        [--write docs/performance.md]

Training steps (forward, backward, update) and predictions in float32.  The networks are written
once for both libraries (``networks_source.py``); ours is the compiled step, called from Python
once a step; PyTorch runs eagerly with its fused optimizer, with channels_last where there are
images, and with torch.compile; JAX (``networks_jax.py``) jits the whole step.  All begin with the
same weights, see the same batches, and have their losses compared before any time is taken.  Then
they take turns in one process; the figures are medians over the rounds.  First steps and memory are
measured in processes of their own.  The limit is the number of multiplications and additions,
counted by hand, divided by the multiply-add peak measured in this run.  What is not installed is
left out.  ``--quick`` only shows that everything works: small networks, few rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networks_source as source
import numpy as np
from measuring import (
    Skipped,
    first_alone,
    in_own_process,
    in_turns,
    memory_alone,
    milliseconds,
    need_cxx,
    other_losses,
    table,
    use_cores,
    write_between,
)

BATCHES = 4
"""Different batches that the steps take turns with."""


@dataclass(frozen=True)
class Network:
    """A network, what is done with it, and how far ahead it is meant to be."""

    name: str
    what: str
    build: Callable[..., source.Task]
    batches: Callable[..., tuple[np.ndarray, ...]]
    """``(count, **sizes)`` to arrays with ``count`` batches each."""
    flop: Callable[..., int]
    sizes: dict[str, int]
    small: dict[str, int]
    """Sizes for a quick look."""
    goals: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    """How many times faster than the best of PyTorch, than JAX, and which share of the peak."""
    images: bool = False
    """Whether PyTorch may prefer channels_last."""
    half: bool = False
    """Whether products are computed in bfloat16."""
    unit: str = "ms a step"

    @property
    def predicts(self) -> bool:
        """Whether it is a prediction and not a training step."""
        return self.name.startswith("predict")

    @property
    def writes(self) -> bool:
        """Whether a turn writes a whole text, each token after the one before."""
        return self.name == "predict-gpt"

    def given(self, sizes: dict[str, int]) -> list[tuple[np.ndarray, ...]]:
        """The batches."""
        return list(zip(*self.batches(BATCHES, **sizes), strict=True))


def _image_batches(channels: int) -> Callable[..., tuple[np.ndarray, ...]]:
    def batches(count: int, batch: int, side: int, **_: int) -> tuple[np.ndarray, ...]:
        return source.images(count, batch, channels, side, 10)

    return batches


def _single(batches: Callable[..., tuple[np.ndarray, ...]]) -> Callable[..., Any]:
    return lambda count, **sizes: batches(count, **sizes)[:1]


def _text_batches(rows: str, columns: str, tokens: str) -> Callable[..., tuple[np.ndarray, ...]]:
    def batches(count: int, **sizes: int) -> tuple[np.ndarray, ...]:
        return source.text(count, (sizes[rows], sizes[columns]), sizes[tokens])

    return batches


def _vectors(count: int, inputs: int, batch: int, **_: int) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(1)
    return (random.standard_normal((count, batch, inputs)).astype(np.float32),)


def _no_batches(count: int, **_: int) -> tuple[np.ndarray, ...]:
    return ()


def half(build: Callable[..., source.Task]) -> Callable[..., source.Task]:
    """The same network with its products in bfloat16, the weights in float32."""

    def build_half(lib: Any, **sizes: int) -> source.Task:
        task = build(lib, **sizes)
        whole = task.loss

        def loss(*batch: Any) -> Any:
            with lib.autocast("cpu", dtype=lib.bfloat16):
                return whole(*batch)

        task.loss = loss
        return task

    return build_half


CNN = {"batch": 64, "side": 28, "filters": 32, "hidden": 128}
SMALL_CNN = {"batch": 3, "side": 8, "filters": 2, "hidden": 8}
GPT256 = {"layers": 6, "heads": 8, "width": 256, "context": 256, "tokens": 65}
SMALL_GPT = {"layers": 2, "heads": 2, "width": 8, "context": 6, "tokens": 11}

NETWORKS = {
    network.name: network
    for network in (
        Network(
            "cnn",
            "conv 1→32→64 3×3 at 28×28, max-pool, 12544-128-10, batch 64, Adam",
            source.build_cnn,
            _image_batches(1),
            source.cnn_flop,
            CNN,
            SMALL_CNN,
            (2.2, 4, 0.55),
            images=True,
        ),
        Network(
            "lstm",
            "10,000 words, 2×LSTM 200, batch 20, T 35, SGD",
            source.build_lstm,
            _text_batches("length", "batch", "words"),
            source.lstm_flop,
            {"words": 10_000, "features": 200, "length": 35, "batch": 20},
            {"words": 13, "features": 6, "length": 5, "batch": 3},
            (1.8, 2.5, 0.55),
        ),
        Network(
            "nanogpt",
            "4 layers, 4 heads, D 128, T 64, V 65, batch 12, AdamW",
            source.build_gpt,
            _text_batches("batch", "context", "tokens"),
            source.gpt_flop,
            {"layers": 4, "heads": 4, "width": 128, "context": 64, "tokens": 65, "batch": 12},
            SMALL_GPT | {"batch": 3},
            (2.2, 4, 0.55),
        ),
        Network(
            "gpt256",
            "6 layers, 8 heads, D 256, T 256, V 65, batch 8, AdamW",
            source.build_gpt,
            _text_batches("batch", "context", "tokens"),
            source.gpt_flop,
            GPT256 | {"batch": 8},
            SMALL_GPT | {"batch": 3},
            (2, 4, 0.6),
        ),
        Network(
            "resnet18",
            "ResNet-18, 32×32, batch 64, SGD with momentum",
            source.build_resnet,
            _image_batches(3),
            source.resnet_flop,
            {"batch": 64, "side": 32, "width": 64},
            {"batch": 16, "side": 16, "width": 4},
            (1.1, 2, 0.75),
            images=True,
        ),
        Network(
            "depthwise",
            "10 separable blocks 32→256, 32×32, batch 64, SGD with momentum",
            source.build_depthwise,
            _image_batches(3),
            source.depthwise_flop,
            {"batch": 64, "side": 32, "width": 32},
            {"batch": 16, "side": 16, "width": 4},
            (1.8, 2, math.nan),
            images=True,
        ),
        Network(
            "gru",
            "64→2×GRU 256, batch 32, T 50, SGD",
            source.build_gru,
            source.gru_batches,
            source.gru_flop,
            {"inputs": 64, "features": 256, "length": 50, "batch": 32},
            {"inputs": 3, "features": 5, "length": 4, "batch": 2},
            (1.9, 2, 0.45),
        ),
        Network(
            "encdec",
            "Transformer D 256, 4+4 layers, 8 heads, T 128, V 1000, batch 16, SGD with momentum",
            source.build_encdec,
            _text_batches("batch", "length", "tokens"),
            source.encdec_flop,
            {"tokens": 1000, "width": 256, "heads": 8, "layers": 4, "length": 128, "batch": 16},
            {"tokens": 11, "width": 8, "heads": 2, "layers": 2, "length": 5, "batch": 3},
            (2, 3, 0.55),
        ),
        Network(
            "dqn",
            "Q-learning 4-128-128-2, batch 32, Huber, Adam, target network",
            source.build_dqn,
            source.dqn_batches,
            source.dqn_flop,
            {"states": 4, "hidden": 128, "actions": 2, "batch": 32},
            {"states": 4, "hidden": 8, "actions": 2, "batch": 3},
            (15, 3, math.nan),
        ),
        Network(
            "predict-cnn",
            "the cnn, one image",
            source.predict_cnn,
            _single(_image_batches(1)),
            source.cnn_forward_flop,
            CNN | {"batch": 1},
            SMALL_CNN | {"batch": 1},
            (2, 2, math.nan),
            images=True,
        ),
        Network(
            "predict-mlp",
            "784-256-128-10, one image",
            source.predict_mlp,
            _vectors,
            source.predict_mlp_flop,
            {"inputs": 784, "first": 256, "second": 128, "batch": 1},
            {"inputs": 9, "first": 8, "second": 7, "batch": 1},
            (2, 2, math.nan),
        ),
        Network(
            "predict-gpt",
            "a token by the gpt256, keys and values kept, mean over 256",
            source.predict_gpt,
            _no_batches,
            source.predict_gpt_flop,
            GPT256,
            SMALL_GPT,
            (2, 2, math.nan),
            unit="ms a token",
        ),
        Network(
            "gpt256-bfloat16",
            "gpt256 with products in bfloat16",
            half(source.build_gpt),
            _text_batches("batch", "context", "tokens"),
            source.gpt_flop,
            GPT256 | {"batch": 8},
            SMALL_GPT | {"batch": 3},
            half=True,
        ),
    )
}
HALF_GOAL = 1.5
"""How many times faster than in float32 gpt256 is meant to be in bfloat16."""


# ---- contestants --------------------------------------------------------------------------------


def need_half() -> None:
    """bfloat16 pays only where the processor multiplies it."""
    from pellucid.backends.cpu.target import host_target

    if not host_target().pair_product:
        raise Skipped("this processor has no such instructions for bfloat16: vdpbf16ps, bfdot")


class Stepping:
    """What ours and PyTorch's contestants share: the loop around the step."""

    step: Callable[..., Any]
    batches: list[tuple[Any, ...]]
    lib: Any

    def start(self, network: Network, sizes: dict[str, int]) -> None:
        """Whether it writes texts, and how long."""
        self.writes, self.predicts = network.writes, network.predicts
        if self.writes:
            self.positions = [self.lib.tensor([i]) for i in range(sizes["context"])]
            self.first = self.lib.zeros(1, 1, dtype=self.lib.int64)

    def run(self, turns: int) -> float:
        """So many steps, or texts; the last loss, or the mean of squares of the last scores."""
        step, batches, count = self.step, self.batches, len(self.batches)
        with self.lib.inference_mode() if self.predicts else contextlib.nullcontext():
            for turn in range(turns):
                if self.writes:
                    ids = self.first
                    for position in self.positions:
                        ids, last = step(ids, position)
                        ids.item()
                else:
                    last = step(*batches[turn % count])
            return float((last * last).mean() if self.predicts else last)


class Ours(Stepping):
    """Pellucid's compiled step, called from Python once a step."""

    def __init__(self, network: Network, sizes: dict[str, int], threads: int) -> None:
        from pellucid.backends.cpu.engine import load_kernels  # noqa: F401 (loads LLVM)

        self.lib = lib = source.library("pellucid")
        lib.set_num_threads(threads)
        if network.half and not hasattr(lib, "autocast"):
            raise Skipped("pellucid has no bfloat16 compute")
        try:
            task = network.build(lib, **sizes)
        except AttributeError as missing:
            raise Skipped(f"pellucid lacks something: {missing}") from missing
        shapes = {name: tuple(value.shape) for name, value in task.model.state_dict().items()}
        self.state = source.starting_values(shapes)
        task.model.load_state_dict(self.state)
        self.step = lib.compile(task.step())
        self.batches = [tuple(map(lib.tensor, batch)) for batch in network.given(sizes)]
        self.start(network, sizes)


class TorchEager(Stepping):
    """PyTorch, operation by operation, with its fused optimizer."""

    last = False
    growing = True

    def __init__(self, network: Network, sizes: dict[str, int], threads: int) -> None:
        try:
            self.lib = torch = source.library("torch")
        except ImportError:
            raise Skipped("PyTorch is not installed") from None
        torch.set_num_threads(threads)
        options = {"growing": self.growing} if network.writes else {}
        task = network.build(torch, **sizes, **options)
        shapes = {name: tuple(value.shape) for name, value in task.model.state_dict().items()}
        state = source.starting_values(shapes)
        task.model.load_state_dict({n: torch.from_numpy(v) for n, v in state.items()})
        self.batches = [tuple(map(torch.from_numpy, batch)) for batch in network.given(sizes)]
        if self.last:
            task.model.to(memory_format=torch.channels_last)
            self.batches = [
                (batch[0].contiguous(memory_format=torch.channels_last), *batch[1:])
                for batch in self.batches
            ]
        self.step = task.step(self.wrap)
        self.start(network, sizes)

    def wrap(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        """The function that gives the loss of a batch."""
        return loss


class TorchLast(TorchEager):
    """PyTorch with images as (N, H, W, C) in memory."""

    last = True

    def __init__(self, network: Network, sizes: dict[str, int], threads: int) -> None:
        if not network.images:
            raise Skipped("")
        super().__init__(network, sizes, threads)


class TorchCompile(TorchEager):
    """PyTorch with forward and backward compiled by torch.compile, and its fused optimizer."""

    growing = False

    def wrap(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        """The compiled function."""
        need_cxx()
        return self.lib.compile(loss)


def jax_contestant(network: Network, sizes: dict[str, int], threads: int) -> Any:
    """The jitted step, with the weights of our model."""
    try:
        import networks_jax
    except ImportError:
        raise Skipped("JAX is not installed") from None
    state = Ours(network, sizes, threads).state
    found = networks_jax.contestant(network.name, sizes, state, network.given(sizes))
    if found is None:
        raise Skipped("")
    return found


COMPILED = "torch.compile"
CONTESTANTS: dict[str, Callable[[Network, dict[str, int], int], Any]] = {
    "ours": Ours,
    "PyTorch eager": TorchEager,
    "channels_last": TorchLast,
    COMPILED: TorchCompile,
    "JAX jit": jax_contestant,
}
PYTORCH = ("PyTorch eager", "channels_last", COMPILED)


# ---- measuring ----------------------------------------------------------------------------------


def meet(
    network: Network, sizes: dict[str, int], threads: int, without: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The contestants that could be built and ran, and why others could not.

    Stops if PyTorch or JAX train to other losses than ours.  What torch.compile made is left out
    where it disagrees with PyTorch itself.
    """
    able: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    losses: dict[str, dict[str, Any]] = {}
    for name, build in CONTESTANTS.items():
        if name in without:
            continue
        try:
            if network.half:
                need_half()
            contestant = build(network, sizes, threads)
            losses[name] = {"losses": [contestant.run(1), contestant.run(1)]}
            able[name] = contestant
        except Skipped as reason:
            left_out[name] = str(reason)
    if "ours" in able:
        differences = other_losses(losses, 2e-2 if network.half else 2e-3)
        if COMPILED in differences:
            left_out[COMPILED] = differences.pop(COMPILED)
            del able[COMPILED]
        for difference in differences.values():
            raise SystemExit(difference)
    return able, {name: reason for name, reason in left_out.items() if reason}


def alone(network: Network, threads: int, scratch: Path) -> dict[str, dict[str, Any]]:
    """First step of ours with an empty and with a full code cache; memory of ours and PyTorch."""
    command = [sys.executable, __file__, "--only", network.name, "--threads", str(threads)]

    def child(name: str, what: str, cache: str) -> dict[str, Any]:
        environment = {"PELLUCID_CACHE": str(scratch / f"{network.name}-{cache}")}
        return in_own_process([*command, "--child", name, what], environment)

    return {
        "empty cache": child("ours", "first", "one"),
        "full cache": child("ours", "first", "one"),
        "ours": child("ours", "memory", "another"),
        "PyTorch eager": child("PyTorch eager", "memory", "another"),
    }


def child(name: str, what: str, network: Network, threads: int) -> None:
    """What the process of its own does."""

    def build() -> Any:
        return CONTESTANTS[name](network, network.sizes, threads)

    try:
        found = first_alone(name, build, 0) if what == "first" else memory_alone(name, build, 3)
    except (Skipped, ImportError) as reason:
        found = {"skipped": str(reason)}
    print(json.dumps(found))


@dataclass
class Report:
    """What was measured, as rows of two tables."""

    threads: int
    peak: float = 0.0
    speed: list[list[str]] = field(default_factory=list)
    alone: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def conditions(self) -> str:
        """Under which conditions, in a sentence."""
        return f"{self.threads} threads, measured peak {self.peak:.0f} GFLOP/s (float32)"

    def text(self, markdown: bool) -> str:
        """All of it."""
        parts = [self.conditions(), table(SPEED_HEAD, self.speed, markdown)]
        if self.alone:
            parts.append(table(ALONE_HEAD, self.alone, markdown))
        return "\n\n".join(parts + ["\n".join(self.notes)])


SPEED_HEAD = ["ms a step", *CONTESTANTS, "limit", "of the peak", "× PyTorch", "× JAX"]
ALONE_HEAD = [
    "first step, s; memory, MB",
    "ours, empty cache",
    "ours, full cache",
    "memory of ours",
    "memory of PyTorch",
]


def speed_row(
    network: Network, sizes: dict[str, int], times: dict[str, float], peak: float
) -> list[str]:
    """The cells of one network in the table of speed: milliseconds by contestant, then the limit
    and the ratios, each with its goal in parentheses."""
    limit = network.flop(**sizes) / peak / 1e6
    own = times.get("ours", math.nan)
    torch = min((times[name] for name in PYTORCH if name in times), default=math.nan)
    jax = times.get("JAX jit", math.nan)
    unit = "" if network.unit == SPEED_HEAD[0] else f" ({network.unit})"
    cells = [f"{network.name}: {network.what}{unit}"]
    cells += [milliseconds(times.get(name, math.nan)) for name in CONTESTANTS]
    ahead, ahead_jax, share = network.goals
    return [
        *cells,
        milliseconds(limit),
        _with_goal(limit / own, share, ".0%", ""),
        _with_goal(torch / own, ahead, ".2f", "×"),
        _with_goal(jax / own, ahead_jax, ".2f", "×"),
    ]


def _with_goal(value: float, goal: float, form: str, unit: str) -> str:
    if math.isnan(value):
        return "-"
    aim = "" if math.isnan(goal) else f" ({format(goal, '.0%' if '%' in form else 'g')}{unit})"
    return format(value, form) + unit + aim


def alone_row(network: Network, found: dict[str, dict[str, Any]]) -> list[str]:
    """The cells of one network in the table of first steps and memory."""
    parts = (("empty cache", "first"), ("full cache", "first"))
    seconds = [found[name].get(what, math.nan) for name, what in parts]
    memory = [found[name].get("memory", math.nan) for name in ("ours", "PyTorch eager")]
    return [
        network.name,
        *("-" if math.isnan(s) else f"{s:.2f}" for s in seconds),
        *("-" if math.isnan(m) else f"{m:.0f}" for m in memory),
    ]


def compare(options: argparse.Namespace) -> Report:
    """Measure the networks named."""
    from pellucid.backends.cpu.target import measure_peak

    report = Report(use_cores(options.threads))
    rows: list[tuple[Network, dict[str, int], dict[str, float]]] = []
    peaks = [measure_peak(report.threads)]
    with tempfile.TemporaryDirectory() as scratch:
        for network in (NETWORKS[name] for name in options.only):
            sizes = network.small if options.quick else network.sizes
            able, left_out = meet(network, sizes, report.threads, options.without)
            report.notes += [f"{network.name} without {n}: {why}" for n, why in left_out.items()]
            if options.quick:
                times = in_turns(able, 2, 0.005, 20, 0.005)
            else:
                times = in_turns(able, options.rounds, 0.1, seconds=options.seconds)
            if options.explain and "ours" in able:
                print(able["ours"].step.explain())
            per = 1e3 / (sizes["context"] if network.writes else 1)
            rows.append((network, sizes, {name: per * t for name, t in times.items()}))
            _tell(network, rows[-1][2])
            if not (options.quick or options.speed or network.half):
                found = alone(network, report.threads, Path(scratch))
                report.alone.append(alone_row(network, found))
            peaks.append(measure_peak(report.threads))
    report.peak = max(peaks)
    report.speed = [speed_row(*row, report.peak) for row in rows]
    report.notes += _text_speed({network.name: times for network, _, times in rows})
    return report


def _tell(network: Network, times: dict[str, float]) -> None:
    """A line for those who wait."""
    text = ", ".join(f"{name} {milliseconds(t)}" for name, t in times.items())
    print(f"{network.name}: {text}", file=sys.stderr, flush=True)


def _text_speed(times: dict[str, dict[str, float]]) -> list[str]:
    """What the table does not say: tokens a second, and bfloat16 against float32."""
    notes = []
    if texts := times.get("predict-gpt"):
        speeds = ", ".join(f"{name} {1e3 / t:.0f}" for name, t in texts.items())
        notes.append(f"predict-gpt, tokens a second: {speeds}")
    whole, part = (times.get(n, {}).get("ours") for n in ("gpt256", "gpt256-bfloat16"))
    if whole and part:
        notes.append(f"bfloat16: {whole / part:.2f}× our float32 (goal {HALF_GOAL:g}×)")
    return notes


def write_into(path: Path, report: Report) -> None:
    """Replace what stands between the markers of a document by the new table."""
    content = f"{table(SPEED_HEAD, report.speed, True)}\n\n{report.conditions()}\n"
    write_between(path, "network table", content)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(NETWORKS), help="networks, with commas")
    parser.add_argument("--without", default="", help="contestants to leave out, with commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--seconds", type=float, default=20, help="after which no new round begins; 3 at least"
    )
    parser.add_argument("--quick", action="store_true", help="only to see whether all works")
    parser.add_argument("--speed", action="store_true", help="no first steps, no memory")
    parser.add_argument("--explain", action="store_true", help="what our program became")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument(
        "--write", type=Path, nargs="*", default=[], help="documents to put the table of speed into"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for name, known in (("only", NETWORKS), ("without", CONTESTANTS)):
        found = [n for n in getattr(options, name).split(",") if n]
        setattr(options, name, found)
        unknown = [n for n in found if n not in known]
        if unknown:
            parser.error(f"--{name} got {unknown[0]!r}; there are {', '.join(known)}")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    options = parsed(arguments)
    if options.child:
        child(*options.child, NETWORKS[options.only[0]], options.threads)
        return
    report = compare(options)
    print(report.text(options.markdown))
    for path in options.write:
        write_into(path, report)


if __name__ == "__main__":
    main()
