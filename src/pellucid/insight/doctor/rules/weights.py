"""The first weights: equal units, and scales against those of a usual start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.graph.node import Node
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import evaluated, trained
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.reference import Reference, reference_of
from pellucid.insight.doctor.walks import affine_nodes, rows_of_units, units_first, weight_of

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]

START = "Start from He's (ReLU) or Glorot's (tanh, sigmoid) weights; zeros are for biases."


def symmetric(case: Case) -> Found:
    """Units that start equal and get equal gradients, so that they stay equal."""
    run = trained(case)
    if run is None or run.output is None:
        return
    worst: tuple[float, str, Array, Array] | None = None
    for name, node, weight in _weights(case):
        if name not in run.gradients or _is_last(case, node):
            continue
        first = units_first(node, weight)
        matrix = rows_of_units(run.values[weight], first)
        slopes = rows_of_units(run.gradients[name], first)
        share = _equal_share(matrix, slopes, _bias(case, name))
        if share >= 0.2 and (worst is None or share > worst[0]):
            worst = (share, name, matrix, slopes)
    if worst is None:
        return
    share, name, matrix, slopes = worst
    path = name.rpartition(".")[0]
    evidence = (
        Evidence(f"share of the {len(matrix)} units with the weights and the gradients of another",
                 share, "0"),
        Evidence("largest gradient of these weights", float(np.abs(slopes).max())),
    )  # fmt: skip
    paths = tuple(n.rpartition(".")[0] for n, _, _ in _weights(case))
    patch = remedies.initialize(START, tuple(dict.fromkeys(paths)))
    yield Suspicion(
        "INIT_SYMMETRIC", Place(layer=path, setting=name), evidence, 0.97, remedies=(patch,)
    )


def _equal_share(matrix: Array, slopes: Array, bias: Array | None) -> float:
    """The share of units that have the weights, bias and gradient of another one."""
    if len(matrix) < 2:
        return 0.0
    whole = [matrix]
    if bias is not None and bias.shape == (len(matrix),):
        whole.append(bias[:, None].astype(np.float64))
    both = np.concatenate(whole, axis=1)
    size = max(float(np.abs(both).max()), 1e-12)
    steep = max(float(np.abs(slopes).max()), 1e-20)
    alike = np.concatenate([np.round(both / size, 4), np.round(slopes / steep, 3)], axis=1)
    alike += 0.0  # −0 and 0 are equal
    counts = np.unique(alike, axis=0, return_counts=True)[1]
    if not np.abs(slopes).any() and len(np.unique(np.round(both / size, 4), axis=0)) == len(both):
        return 0.0
    return float(counts[counts > 1].sum() / len(matrix))


def _bias(case: Case, name: str) -> Array | None:
    owner = name.rpartition(".")[0]
    bias = f"{owner}.bias" if owner else "bias"
    found = dict(case.model.named_parameters()).get(bias)
    return None if found is None else np.asarray(found.detach().array())


def _weights(case: Case) -> list[tuple[str, Node, Node]]:
    """Name, operation and parameter of each weight that multiplies something."""
    run = trained(case)
    if run is None:
        return []
    found: dict[str, tuple[str, Node, Node]] = {}
    for node in affine_nodes(run, run.nodes_before_output()):
        weight = weight_of(node, set(run.parameters))
        if weight is not None:
            found.setdefault(run.parameters[weight], (run.parameters[weight], node, weight))
    return list(found.values())


def _is_last(case: Case, node: Node) -> bool:
    """Whether no other weight follows."""
    run = trained(case)
    if run is None:
        return True
    after = {node}
    weighted = set(affine_nodes(run, run.nodes_before_output()))
    for other in run.nodes_before_output():
        if any(n in after for n in other.inputs):
            after.add(other)
            if other in weighted and other is not node:
                return False
            if other.op.name == "scan":
                return False
    return True


def recurrent(case: Case) -> Found:
    """Weights from step to step that let what they carry grow, or vanish at once."""
    run = trained(case)
    if run is None or run.output is None or not any(n.op.name == "scan" for n in run.nodes()):
        return
    for name, parameter in case.model.named_parameters():
        if "weight_hh" not in name or parameter.dim() != 2:
            continue
        array = parameter.detach().array().astype(np.float64)
        size = array.shape[1]
        if array.shape[0] % size or size < 2 or not np.isfinite(array).all():
            continue
        blocks = array.reshape(-1, size, size)
        radius = max(float(np.abs(np.linalg.eigvals(b)).max()) for b in blocks)
        gated = len(blocks) > 1
        if radius < (3.0 if gated else 1.6):
            continue
        what = "largest factor by which the weights from step to step multiply a state"
        evidence = (Evidence(what, radius, "about 1 at most"),)
        text = "Start them orthogonal (nn.init.orthogonal_), and use clip_norm=1."
        patch = remedies.initialize(text, (name.rpartition(".")[0],), "tanh")
        place = Place(layer=name.rpartition(".")[0], setting=name)
        yield Suspicion("INIT_SCALE", place, evidence, 0.9, ("redrawn",), (patch,))
        return


def scale(case: Case) -> Found:
    """Weights far larger or smaller than a usual start, where signals feel it."""
    reference = reference_of(case)
    if reference is None:
        return
    large = [w for w in reference.weights if w.ratio > 2.2]
    small = [w for w in reference.weights if w.ratio < 0.12 and not w.is_last and w.ratio > 0]
    if large:
        yield from _large(case, reference, max(large, key=lambda w: w.ratio))
    elif small:
        yield from _small(case, reference, min(small, key=lambda w: w.ratio))


def _large(case: Case, reference: Reference, worst: Any) -> Found:
    effect = max(reference.output, reference.signal, reference.saturated)
    evidence = [
        Evidence(f"deviation of the weights {worst.name} by that of a usual start", worst.ratio,
                 "0.25 to 4"),
        Evidence("outputs by those of a usual start", reference.output, "about 1"),
    ]  # fmt: skip
    if reference.loss is not None:
        evidence.append(Evidence("loss by that of a usual start", reference.loss, "about 1"))
    if effect < 5 and (reference.loss or 0) < 3 or worst.ratio < 2.8 and effect < 30:
        return
    strength = 0.9 if worst.ratio > 6 or effect > 30 else 0.7
    yield _scaled(reference, worst, evidence, strength)


def _small(case: Case, reference: Reference, worst: Any) -> Found:
    flow = float(np.median(list(reference.gradients.values()) or [1.0]))
    if reference.lowest > 0.15 or flow > 0.005:
        return
    evidence = [
        Evidence(f"deviation of the weights {worst.name} by that of a usual start", worst.ratio,
                 "0.25 to 4"),
        Evidence("smallest signal of a layer by that of a usual start", reference.lowest, "1"),
        Evidence("gradients by those of a usual start (median)", flow, "1"),
    ]  # fmt: skip
    strength = 0.88 if flow < 5e-4 else 0.7
    yield _scaled(reference, worst, evidence, strength)


def _scaled(
    reference: Reference, worst: Any, evidence: list[Evidence], strength: float
) -> Suspicion:
    paths = tuple(dict.fromkeys(w.name.rpartition(".")[0] for w in reference.weights))
    patch = remedies.initialize(START, paths)
    place = Place(layer=worst.name.rpartition(".")[0], setting=worst.name)
    return Suspicion("INIT_SCALE", place, tuple(evidence), strength, ("redrawn",), (patch,))


def not_finite(case: Case) -> Found:
    """Weights that are NaN or infinite before anything is learned."""
    if evaluated(case) is None:
        return
    for name, parameter in case.model.named_parameters():
        array = parameter.detach().array()
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        bad = float((~np.isfinite(array)).sum())
        evidence = Evidence(f"numbers of {name} that are NaN or infinite", bad, "0")
        place = Place(layer=name.rpartition(".")[0], setting=name)
        text = "Load good weights, or start again with a smaller learning rate."
        yield Suspicion("NUMERIC", place, (evidence,), 1.0, remedies=(remedies.advice(text),))


RULES = (not_finite, symmetric, recurrent, scale)
