"""Signals and gradients inside the network: vanishing, exploding, dead, saturated, drifting.

They are measured in the order of use and compared with what a fresh start of the same network has
on the same rows.  A net that learns is healthy, whatever its units do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.base.errors import PellucidError
from pellucid.insight.diagnosis import DeadUnits, dead_units
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.probes.ends import replace
from pellucid.insight.doctor.standing import quiet, standing_of, trend
from pellucid.insight.doctor.trying import batches_of, fixed_rows, redraw
from pellucid.tensor.random import manual_seed
from pellucid.tensor.tensor import Tensor

Found = Iterator[Suspicion]

FEWEST_LAYERS = 3
VANISHED = 1e-3
"""The gradient of the first layer as a share of that of the last one, each by its weights."""
DEAD_ROWS = 4096
MOSTLY = 0.7
"""Share of a layer's units that must be dead, or saturated, to explain why nothing is learned."""
DEEP = 5
NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm")
AGAINST_VANISHING = (
    "Put normalization between the layers, use ReLU with He's start, or residual connections."
)
GROWN = 10.0
"""A gradient so many times as long as its own running median has exploded."""


class Layer(NamedTuple):
    """A weight matrix in the order of use: the root mean squares of it and of its gradient."""

    name: str
    weight: float
    gradient: float


class Flow(NamedTuple):
    """The weight matrices in the order of use, and the record they come from."""

    layers: tuple[Layer, ...]
    record: dict[str, Any]

    @property
    def decay(self) -> float | None:
        """The gradient of the first matrix as a share of that of the last, None for few."""
        if len(self.layers) < FEWEST_LAYERS:
            return None
        first, last = self.layers[0].gradient, self.layers[-1].gradient
        return first / last if last > 0 else None


def flow_of(case: Case, fresh: bool = False) -> Flow | None:
    """The flow as it is now, or in a ``fresh`` start; measured once."""
    key = f"flow, {'fresh' if fresh else 'now'}"
    if key not in case.notes:
        case.notes[key] = _measured(case, fresh)
    known: Flow | None = case.notes[key]
    return known


def _measured(case: Case, fresh: bool) -> Flow | None:
    bench = case.bench
    if not isinstance(bench, ModelBench):
        return None if fresh or not case.records else _from_record(case, case.records[-1])
    try:
        with bench.trial(), np.errstate(all="ignore"):
            if fresh:
                manual_seed(0)
                redraw(bench.model)
            return _from_record(case, bench.observed(batches_of(case)[-1]))
    except PellucidError:
        return None


def _from_record(case: Case, record: dict[str, Any]) -> Flow | None:
    gradients, weights = record.get("parameter_gradient", {}), record.get("parameter", {})
    model = getattr(case.bench, "model", None) or case.model
    if model is None:
        return None
    named = model.named_parameters()
    sizes = {name: p.numel() for name, p in named if p.dim() > 1 and p.requires_grad}
    found = [
        Layer(
            name,
            float(weights[name].get("norm", math.nan)) / math.sqrt(sizes[name]),
            float(gradients.get(name, {}).get("norm", 0.0)) / math.sqrt(sizes[name]),
        )
        for name in weights
        if name in sizes
    ]
    return Flow(tuple(found), record)


# ---- gradients over depth ------------------------------------------------------------------------


def vanishing(case: Case) -> Found:
    """Gradients that shrink from the last to the first layer, where nothing much is learned."""
    stands, flow = standing_of(case), flow_of(case)
    if stands is None or flow is None or not stands.poor or flow.decay is None:
        return
    decay = flow.decay
    slope = _log_slope(flow)
    if decay > VANISHED and not (slope is not None and slope > 0.5 and decay < 0.02):
        return
    first, last = flow.layers[0], flow.layers[-1]
    evidence = [
        Evidence(f"gradient of {first.name} as a share of that of {last.name}", decay,
                 "about 1, at least 0.001"),
    ]  # fmt: skip
    if slope is not None:
        evidence.append(Evidence("powers of ten that it grows by each layer", slope, "about 0"))
    yield Suspicion(
        "VANISHING", Place(layer=_layer_of(first.name)), tuple(evidence), 0.45,
        ("normalized", "other_activation"), _against_vanishing(case),
    )  # fmt: skip
    slow = _slow_activations(case)
    if slow:
        text = f"{len(slow)} hidden layers of {slow[0][1]}: their slope is small nearly everywhere"
        patch = with_relu(case, [path for path, _ in slow])
        yield Suspicion("ACT_HID", Place(layer=slow[0][0]), (Evidence(text), *evidence), 0.5,
                        ("other_activation",), (patch,))  # fmt: skip


def _log_slope(flow: Flow) -> float | None:
    values = [math.log10(layer.gradient) for layer in flow.layers if layer.gradient > 0]
    line = trend(values)
    return None if line is None or abs(line.slope) < 2 * line.error else line.slope


def _layer_of(parameter: str) -> str:
    return parameter.rpartition(".")[0]


def _slow_activations(case: Case) -> list[tuple[str, str]]:
    kinds = (nn.Sigmoid, nn.Tanh, nn.Softmax, nn.LogSoftmax, nn.Hardsigmoid, nn.LogSigmoid)
    if case.model is None:
        return []
    found = [(p, type(m).__name__) for p, m in case.model.named_modules() if isinstance(m, kinds)]
    outputs = list((flow_of(case) or Flow((), {})).record.get("output", {}))
    return [(path, name) for path, name in found if path and outputs[-1:] != [path]]


def _against_vanishing(case: Case) -> tuple[Patch, ...]:
    slow = [path for path, _ in _slow_activations(case)]
    return (*([with_relu(case, slow)] if slow else []), with_normalization(case))


def with_relu(case: Case, paths: list[str]) -> Patch:
    """ReLU in place of these layers, and He's start for the weights that it follows."""
    old = type(dict(case.model.named_modules())[paths[0]]).__name__

    def apply(trial: Case) -> None:
        for path in paths:
            replace(trial.model, path, nn.ReLU())
        for path, layer in trial.model.named_modules():
            if path in weighted:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    weighted = set(_weighted(case)[:-1])
    text = "Use ReLU in hidden layers, with He's start."
    return Patch("layer", text, "hidden activations", old, "ReLU", apply)


def with_normalization(case: Case) -> Patch:
    """Normalization behind every hidden linear or convolutional layer."""

    def apply(trial: Case) -> None:
        layers = dict(trial.model.named_modules())
        for path in paths:
            replace(trial.model, path, nn.Sequential(layers[path], _norm_for(layers[path])))

    paths = _weighted(case)[:-1]
    return Patch("layer", AGAINST_VANISHING, "normalization", "none", "behind each layer", apply)


def _norm_for(layer: Any) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return nn.BatchNorm2d(layer.out_channels)
    if isinstance(layer, nn.Conv1d):
        return nn.BatchNorm1d(layer.out_channels)
    return nn.LayerNorm(layer.out_features)


def _weighted(case: Case) -> list[str]:
    """Linear and convolutional layers in the order of use."""
    layers = dict(case.model.named_modules()) if case.model is not None else {}
    used = [_layer_of(layer.name) for layer in (flow_of(case) or Flow((), {})).layers]
    return [p for p in used if isinstance(layers.get(p), (nn.Linear, nn.Conv1d, nn.Conv2d))]


def exploding(case: Case) -> Found:
    """Gradients that grow towards the first layer, or far beyond what they were in this run."""
    stands, flow = standing_of(case), flow_of(case)
    if stands is None or not stands.poor:
        return
    clip = remedies.setting("Clip gradients.", "clip_norm", 0.0, 1.0)
    patches = (clip,) if not case.settings.get("clip_norm") else ()
    norms = recorded_norms(case)
    if len(norms) >= 8 and np.isfinite(norms).all():
        middle = float(np.median(norms))
        above = int((norms[-len(norms) // 2 :] > GROWN * middle).sum())
        if above >= 3:
            evidence = Evidence("gradient norm against its own median", float(norms.max() / middle),
                                f"below {GROWN:g}")  # fmt: skip
            yield Suspicion("EXPLODING", Place(), (evidence,), 0.5, ("learning_rate",), patches)
    if flow is None or flow.decay is None or not math.isfinite(flow.decay):
        return
    slope = _log_slope(flow)
    if flow.decay > 1 / VANISHED or (slope is not None and slope < -0.5 and flow.decay > 100):
        first = flow.layers[0]
        evidence = Evidence(f"gradient of {first.name} against that of {flow.layers[-1].name}",
                            flow.decay, "about 1, at most 1000")  # fmt: skip
        yield Suspicion(
            "EXPLODING", Place(layer=_layer_of(first.name)), (evidence,), 0.5,
            ("normalized", "redrawn"), patches,
        )  # fmt: skip


def recorded_norms(case: Case) -> npt.NDArray[np.float64]:
    """The norm of all gradients together at each recorded step."""
    found = []
    for record in case.records:
        listed = record.get("parameter_gradient", {}).values()
        squares = [float(entry.get("norm", math.nan)) ** 2 for entry in listed]
        if squares:
            found.append(math.sqrt(sum(squares)) if math.isfinite(sum(squares)) else math.inf)
    return np.asarray(found, np.float64)


# ---- units ---------------------------------------------------------------------------------------


def dead(case: Case) -> Found:
    """Units that give 0 for all rows, where nothing much is learned or a whole layer is dead, and
    whether they were born so or died."""
    stands = standing_of(case)
    if stands is None or not isinstance(case.bench, ModelBench) or not stands.poor:
        return
    layers = _dead_layers(case)
    worst = max(layers, key=lambda layer: layer.share, default=None)
    if worst is None or worst.share < MOSTLY:
        return
    born = _born_dead(case, worst.layer)
    evidence = [
        Evidence(f"share of the {worst.total} units of {worst.layer} that give 0 for each of "
                 f"{worst.rows} rows", worst.share, f"{born:.2g}, as in a fresh start"),
    ]  # fmt: skip
    cause = "so they were at the start" if born > MOSTLY else "they died while training"
    evidence.append(Evidence(f"{cause}{_push(case, worst.layer)}"))
    patches = []
    if worst.layer in _paths(case):
        leaky = nn.LeakyReLU(0.1)
        text = "Use LeakyReLU, whose units recover."
        patches.append(remedies.layer(text, worst.layer, case.model, leaky))
    if born < MOSTLY:
        rate = max((g.rate() for g in case.bench.optimizer.param_groups), default=0.0)
        text = "Lower the learning rate: steps have pushed the units below 0."
        patches.insert(0, remedies.learning_rate(text, rate, 0.1))
    strength = 0.75 if worst.share > 0.95 else 0.5
    yield Suspicion(
        "DEAD_RELU", Place(layer=worst.layer), tuple(evidence), strength, ("other_activation",),
        tuple(patches),
    )  # fmt: skip
    if born < MOSTLY:
        told = Evidence(f"units of {worst.layer} died while training", worst.share, f"{born:.2g}")
        place = Place(setting=f"lr={rate:g}", line=case.line)
        patch = remedies.learning_rate("Lower the learning rate.", rate, 0.1)
        yield Suspicion("LR_HIGH", place, (told,), 0.45, ("learning_rate",), (patch,))


def _paths(case: Case) -> set[str]:
    return {path for path, _ in case.model.named_modules()} if case.model is not None else set()


def _dead_layers(case: Case) -> list[DeadUnits]:
    if "dead units" not in case.notes:
        case.notes["dead units"] = _counted(case)
    known: list[DeadUnits] = case.notes["dead units"]
    return known


def _counted(case: Case) -> list[DeadUnits]:
    rows = case.train.features if case.train is not None else fixed_rows(case)[0]
    if not isinstance(rows, Tensor):
        return []
    bench = case.bench
    try:
        with bench.trial():
            return dead_units(bench.model, rows[:DEAD_ROWS])
    except PellucidError:
        return []


def _born_dead(case: Case, path: str) -> float:
    """The share of zeros in the first record of the run, else of dead units in a fresh start."""
    first = case.records[0].get("output", {}).get(path, {}) if case.records else {}
    if "zero_fraction" in first and int(case.records[0].get("step", 1)) == 0:
        return float(first["zero_fraction"])
    bench = case.bench
    with bench.trial():
        manual_seed(0)
        redraw(bench.model)
        return {layer.layer: layer.share for layer in _counted(case)}.get(path, 0.0)


def _push(case: Case, path: str) -> str:
    """What holds the units below 0: the biases before them, in words; "" where unknown."""
    before = [p for p in (flow_of(case) or Flow((), {})).record.get("output", {})]
    place = before.index(path) if path in before else 0
    if not place:
        return ""
    layer = dict(case.model.named_modules()).get(before[place - 1])
    bias = getattr(layer, "bias", None)
    if bias is None or not isinstance(bias, Tensor):
        return ""
    mean = float(bias.detach().mean().item())
    return f"; the biases of {before[place - 1]} are {mean:.3g} in the mean"


def saturated(case: Case) -> Found:
    """Units at the flat ends of sigmoid or tanh, where nothing much is learned."""
    stands, flow = standing_of(case), flow_of(case)
    if stands is None or flow is None or not stands.poor:
        return
    listed = [
        (path, float(entry.get("saturated_fraction", 0.0)))
        for path, entry in flow.record.get("output", {}).items()
    ]
    hidden = listed[:-1]
    if not hidden:
        return
    path, share = max(hidden, key=lambda pair: pair[1])
    if not share > 0.5:
        return
    fresh = flow_of(case, fresh=True)
    born = 0.0
    if fresh is not None:
        born = float(fresh.record.get("output", {}).get(path, {}).get("saturated_fraction", 0.0))
    text = f"share of the outputs of {path} at the ends of its range"
    evidence = (Evidence(text, share, f"{born:.2g}, as in a fresh start"),)
    patches = (
        remedies.standardized("Scale the inputs to mean 0 and deviation 1.", "as they are"),
        remedies.layer("Use ReLU in hidden layers.", path, case.model, nn.ReLU()),
    )
    strength = 0.5 if share > MOSTLY else 0.35
    yield Suspicion("SATURATION", Place(layer=path), evidence, strength,
                    ("standardized_input", "other_activation"), patches)  # fmt: skip


def drifting(case: Case) -> Found:
    """A deep network without normalization whose signals grow or shrink from layer to layer."""
    stands, flow = standing_of(case), flow_of(case)
    if stands is None or flow is None or not stands.poor or case.model is None:
        return
    if len(flow.layers) < DEEP or any(_is_norm(module) for module in case.model.modules()):
        return
    outputs = flow.record.get("output", {})
    weighted = [_layer_of(layer.name) for layer in flow.layers]
    spread = [float(outputs[path]["std"]) for path in weighted if path in outputs]
    spread = [value for value in spread if value > 0 and math.isfinite(value)]
    if len(spread) < DEEP - 1:
        return
    drift = spread[-2] / spread[0]
    if 0.1 < drift < 10:
        return
    text = f"deviation of outputs in layer {len(spread) - 1} against that of the first layer"
    evidence = (Evidence(text, drift, "about 1"),)
    patch = with_normalization(case)
    yield Suspicion(
        "NORM_MISSING", Place(layer=weighted[1]), evidence, 0.35, ("normalized",), (patch,)
    )


def _is_norm(module: Any) -> bool:
    return type(module).__name__.startswith(NORMS)


RULES = quiet(vanishing, exploding, dead, saturated, drifting)
