"""The same network with usual first weights, run on the same rows: what its signals would be.

Whether weights are too large or too small follows from no fixed number: a normalization layer
makes their scale irrelevant, and depth multiplies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.graph.node import Node
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.ends import ending_of
from pellucid.insight.doctor.facts import modules_of, sample_of, trained
from pellucid.insight.doctor.recording import Computation, record
from pellucid.insight.doctor.untouched import untouched
from pellucid.insight.doctor.walks import affine_nodes, operand_of, units_first, weight_of
from pellucid.tensor.core import lift

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Weight:
    """A weight beside a usual start: ``ratio`` of their deviations."""

    name: str
    ratio: float
    is_last: bool


@dataclass(frozen=True)
class Reference:
    """The network beside itself with usual first weights; all are ratios.

    ``output`` is that of the outputs' size, ``signal`` the largest of a layer's, ``lowest`` the
    smallest, ``saturated`` how much larger what enters sigmoids and tanh is, ``loss`` that of the
    losses, ``gradients`` those of the parameters by name.
    """

    weights: list[Weight]
    output: float
    signal: float
    lowest: float
    saturated: float
    loss: float | None
    gradients: dict[str, float]
    run: Computation


def reference_of(case: Case) -> Reference | None:
    """The comparison, made once; None where there are no weights."""
    if "reference" not in case.notes:
        case.notes["reference"] = _compare(case)
    found: Reference | None = case.notes["reference"]
    return found


def _compare(case: Case) -> Reference | None:
    run, sample = trained(case), sample_of(case)
    if run is None or run.output is None or sample is None:
        return None
    usual = usual_deviations(run)
    if not usual:
        return None
    rng = np.random.default_rng(0)
    with untouched(*modules_of(case)):
        parameters = dict(case.model.named_parameters())
        for name, deviation in usual.items():
            array = parameters[name].detach().array()
            drawn = rng.normal(0, deviation, array.shape).astype(array.dtype)
            parameters[name].detach().assign(lift(drawn))
            bias = parameters.get(f"{name.rpartition('.')[0]}.bias".lstrip("."))
            if bias is not None and bias.dim() == 1:
                bias.detach().assign(lift(np.zeros_like(bias.detach().array())))
        other = record(case.model, sample.features, sample.targets, case.loss)
    first, second = _signals(run), _signals(other)
    if len(first) != len(second) or other.output is None:
        return None
    deviations = {n: _size(run.values[w]) for n, w in _named(run).items() if n in usual}
    last = [n for n in usual][-1]
    weights = [Weight(n, deviations[n] / usual[n], n == last) for n in usual if n in deviations]
    ratios = [a / b for a, b in zip(first, second, strict=True) if b > 0]
    hidden = ratios[:-1] or ratios
    losses = (run.loss_value, other.loss_value)
    loss = losses[0] / losses[1] if losses[0] is not None and losses[1] else None
    return Reference(
        weights,
        _size(run.values[run.output]) / max(_size(other.values[other.output]), 1e-12),
        max(hidden, default=1.0),
        min(hidden, default=1.0),
        _before_flat(run) / max(_before_flat(other), 1e-12),
        loss,
        {n: _size(g) / max(_size(other.gradients[n]), 1e-30)
         for n, g in run.gradients.items() if n in other.gradients},
        other,
    )  # fmt: skip


def usual_deviations(run: Computation) -> dict[str, float]:
    """Parameter name → deviation of He's start (before a ReLU) or LeCun's, by its fan-in."""
    parameters = set(run.parameters)
    nodes = run.nodes_before_output()
    found: dict[str, float] = {}
    rectified = _rectified(run)
    for node in affine_nodes(run, nodes):
        weight = weight_of(node, parameters)
        if weight is None or len(weight.shape) < 2:
            continue
        units = weight.shape[0] if units_first(node, weight) else weight.shape[-1]
        inputs = max(1, weight.size // max(units, 1))
        gain = 2.0 if node in rectified else 1.0
        found.setdefault(run.parameters[weight], float(np.sqrt(gain / inputs)))
    return found


def _rectified(run: Computation) -> set[Node]:
    """Weighted operations whose results have the negative ones cut off."""
    parameters = set(run.parameters)
    nodes = run.nodes_before_output()
    weighted = affine_nodes(run, nodes)
    found: set[Node] = set()
    for node in weighted:
        operand = operand_of(node, parameters)
        if operand is not None and ending_of(operand).kind == "relu":
            before = set(_above(operand, set(weighted)))
            found |= before
    return found


def _above(node: Node, weighted: set[Node]) -> list[Node]:
    """The nearest weighted operations that a value comes from."""
    found, waiting, seen = [], [node], {node}
    while waiting:
        current = waiting.pop()
        if current in weighted:
            found.append(current)
            continue
        for operand in current.inputs:
            if operand not in seen:
                seen.add(operand)
                waiting.append(operand)
    return found


def _named(run: Computation) -> dict[str, Node]:
    return {name: node for node, name in run.parameters.items()}


def _signals(run: Computation) -> list[float]:
    """The size of what each weighted operation gives, in order; after biases it is hardly else."""
    return [_size(run.values[n]) for n in affine_nodes(run, run.nodes_before_output())]


def _before_flat(run: Computation) -> float:
    """The largest mean size of what enters a sigmoid or tanh."""
    sizes = [
        _size(run.values[n.inputs[0]])
        for n in run.nodes_before_output()
        if n.op.name in ("sigmoid", "tanh")
    ]
    return max(sizes, default=1.0)


def _size(array: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.size else 0.0
    return found if np.isfinite(found) else 1e30
