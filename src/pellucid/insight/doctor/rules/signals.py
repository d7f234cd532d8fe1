"""Signals and gradients at the start, against those of a usual start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.graph.node import Node
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.ends import behind
from pellucid.insight.doctor.facts import layer_name, trained
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.recording import Computation
from pellucid.insight.doctor.reference import reference_of
from pellucid.insight.doctor.walks import affine_nodes, depends_on, weight_of

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]

FLAT = {"sigmoid": 6.0, "tanh": 3.1}
"""Beyond this the slope is below a hundredth of the largest."""


def first_nonfinite(case: Case) -> Found:
    """NaN or infinity in the very first pass: the operation that made it."""
    run = trained(case)
    if run is None or run.output is None:
        return
    ends = [n for n in (run.loss, run.output) if n is not None]
    bad_gradient = any(not np.isfinite(g).all() for g in run.gradients.values())
    if all(np.isfinite(run.values[n]).all() for n in ends if run.values[n].dtype.kind == "f"):
        if bad_gradient:
            name = next(n for n, g in run.gradients.items() if not np.isfinite(g).all())
            bad = float((~np.isfinite(run.gradients[name])).sum())
            text = f"gradients of {name} that are NaN or infinite, though the loss is finite"
            evidence = Evidence(text, bad, "0")
            text = "Look for sqrt or a norm at 0, or 0 · ∞ behind where(): add a small number."
            place = Place(layer=name.rpartition(".")[0])
            if run.output_gradient is not None and _is_bad(run.output_gradient):
                line = "" if run.loss is None else run.loss.origin.line
                place = Place(setting="loss", line=line)
            yield Suspicion("NUMERIC", place, (evidence,), 0.95,
                            remedies=(remedies.advice(text),))  # fmt: skip
        return
    for node in run.nodes():
        made = run.values[node]
        if made.dtype.kind != "f" or np.isfinite(made).all() or not node.inputs:
            continue
        if any(_is_bad(run.values[n]) for n in node.inputs):
            continue
        if node.op.name in ("where", "pad") or (node.op.name == "log" and np.isneginf(made).all()):
            continue
        yield _made(case, run, node)
        return


def _is_bad(array: Array) -> bool:
    return array.dtype.kind == "f" and not np.isfinite(array).all()


def _made(case: Case, run: Computation, node: Node) -> Suspicion:
    made = run.values[node]
    operand = run.values[node.inputs[-1 if node.op.name == "div" else 0]]
    low = float(operand.min()) if operand.size else 0.0
    kind = "NaN" if np.isnan(made).any() else "infinite"
    evidence = (
        Evidence(f"values of the operation {node.op.name!r} that are {kind}",
                 float((~np.isfinite(made)).sum()), "0"),
        Evidence("smallest operand", low),
        Evidence("largest operand", float(operand.max()) if operand.size else 0.0),
    )  # fmt: skip
    text = {
        "log": "Use log_softmax or a loss that takes scores; else log(x.clamp(min=1e-12)).",
        "div": "Keep the divisor away from 0: x / (y + 1e-12).",
        "exp": "Use logsumexp, log_softmax or softmax, or bound the argument.",
    }.get(node.op.name, "Bound the values before this operation.")
    place = Place(layer=layer_name(case, node.origin.layer), line=node.origin.line)
    return Suspicion("NUMERIC", place, evidence, 0.97, remedies=(remedies.advice(text),))


def gradient_slope(case: Case) -> Found:
    """Gradients that shrink or grow by far from the last layer to the first."""
    run = trained(case)
    if run is None or run.output is None:
        return
    sizes = _relative_gradients(run)
    if len(sizes) < 3:
        return
    values = np.array([v for _, v in sizes])
    if not values.any() or not np.isfinite(values).all():
        return
    first, last = float(values[0]), float(np.median(values[-2:]))
    if first <= 0 or last <= 0:
        return
    ratio = first / last
    slope = float(np.polyfit(np.arange(len(values)), np.log(np.maximum(values, 1e-30)), 1)[0])
    evidence = (
        Evidence(f"gradient of {sizes[0][0]} by that of the last layers, each by its weights",
                 ratio, "0.01 to 100"),
        Evidence("change of its logarithm from layer to layer", slope, "about 0"),
    )  # fmt: skip
    if ratio < 1e-3:
        text = "Use He's start, ReLU or GELU, normalization layers or residual connections."
        strength = 0.85 if ratio < 1e-5 else 0.66 if ratio < 1e-4 else 0.45
        yield _flow("VANISHING", sizes[0][0], evidence, strength, ("redrawn", "normalized"), text)
    elif ratio > 3e2:
        text = "Use a usual start (He, Glorot), normalization layers, or clip_norm=1."
        strength = 0.8 if ratio > 1e4 else 0.6 if ratio > 1e3 else 0.4
        yield _flow("EXPLODING", sizes[0][0], evidence, strength, ("redrawn", "normalized"), text)


def _flow(
    cause: str,
    name: str,
    evidence: tuple[Evidence, ...],
    strength: float,
    probes: tuple[str, ...],
    text: str,
) -> Suspicion:
    clip = remedies.setting(text, "clip_norm", None, 1.0)
    patch = clip if cause == "EXPLODING" else remedies.advice(text)
    place = Place(layer=name.rpartition(".")[0], setting=name)
    return Suspicion(cause, place, evidence, strength, probes, (patch,))


def _relative_gradients(run: Computation) -> list[tuple[str, float]]:
    """Name and ‖gradient‖ ÷ ‖weight‖ of each weight, in the order of use."""
    parameters = set(run.parameters)
    found: dict[str, float] = {}
    for node in affine_nodes(run, run.nodes_before_output()):
        weight = weight_of(node, parameters)
        if weight is None or run.parameters[weight] in found:
            continue
        name = run.parameters[weight]
        gradient = run.gradients.get(name)
        size = float(np.linalg.norm(run.values[weight].astype(np.float64)))
        if gradient is not None and size > 0:
            found[name] = float(np.linalg.norm(gradient.astype(np.float64))) / size
    return list(found.items())


def silent_units(case: Case) -> Found:
    """Units that are 0 for every row already at the start."""
    run = trained(case)
    if run is None or run.output is None:
        return
    reference = reference_of(case)
    worst: tuple[float, Node] | None = None
    for node in _rectifiers(run):
        values = run.values[node]
        units = 1 if values.ndim >= 4 else values.ndim - 1
        spoke = (values != 0).any(axis=tuple(a for a in range(values.ndim) if a != units))
        share = float((~spoke).mean())
        if worst is None or share > worst[0]:
            worst = (share, node)
    if worst is None or worst[0] < 0.6:
        return
    share, node = worst
    usual = _usual_share(reference.run) if reference is not None else 0.0
    if share < usual + 0.3:
        return
    evidence = (
        Evidence("share of units whose output is 0 for every row", share, f"about {usual:.2g}"),
    )
    text = "Start biases at 0 and weights as He does, scale the inputs, or use LeakyReLU."
    place = Place(layer=layer_name(case, node.origin.layer), line=node.origin.line)
    strength = 0.85 if share > 0.9 else 0.5
    yield Suspicion("DEAD_RELU", place, evidence, strength, ("redrawn",),
                    (remedies.initialize(text, _weight_paths(run)),))  # fmt: skip


def _weight_paths(run: Computation) -> tuple[str, ...]:
    names = [n for n, _ in _relative_gradients(run)]
    return tuple(dict.fromkeys(n.rpartition(".")[0] for n in names))


def _rectifiers(run: Computation) -> list[Node]:
    """Results that are where(x ≤ 0, 0, x), or max(x, 0), in the network's own part."""
    found = []
    above = depends_on(run.nodes(), set(run.features))
    for node in run.nodes_before_output():
        if node.op.name != "where" or node not in above or len(node.shape) < 2:
            continue
        mask, chosen, x = node.inputs
        if mask.op.name == "le" and mask.inputs[0] is x and chosen.op.name == "constant":
            found.append(node)
    return found


def _usual_share(run: Computation) -> float:
    shares = []
    for node in _rectifiers(run):
        values = run.values[node]
        units = 1 if values.ndim >= 4 else values.ndim - 1
        spoke = (values != 0).any(axis=tuple(a for a in range(values.ndim) if a != units))
        shares.append(float((~spoke).mean()))
    return max(shares, default=0.0)


def saturated(case: Case) -> Found:
    """Hidden sigmoids and tanh at their flat ends."""
    run = trained(case)
    if run is None or run.output is None:
        return
    end = behind(run.output)
    worst: tuple[float, Node] | None = None
    for node in run.nodes_before_output():
        if node.op.name not in FLAT or node is end:
            continue
        values = run.values[node.inputs[0]]
        share = float((np.abs(values) > FLAT[node.op.name]).mean())
        if worst is None or share > worst[0]:
            worst = (share, node)
    if worst is None or worst[0] < 0.4:
        return
    share, node = worst
    what = f"share of the {node.op.name} units whose slope is below a hundredth of the largest"
    evidence = (Evidence(what, share, "below 0.1"),)
    text = "Standardize the inputs, use Glorot's start, or a normalization layer before it."
    place = Place(layer=layer_name(case, node.origin.layer), line=node.origin.line)
    strength = 0.8 if share > 0.6 else 0.6
    yield Suspicion("SATURATION", place, evidence, strength, ("standardized_input", "redrawn"),
                    (remedies.advice(text),))  # fmt: skip


RULES = (first_nonfinite, gradient_slope, silent_units, saturated)
