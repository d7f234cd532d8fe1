"""DeepLIFT, and its mean over the rows of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.explain.baselines import background_of, several
from pellucid.insight.explain.differences import Multipliers
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model
from pellucid.insight.explain.graphs import graph_of
from pellucid.insight.explain.integrated import averaged, mean_of, mean_output
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.revealing import RevealCancel
from pellucid.insight.explain.rules import Reading
from pellucid.insight.explain.slopes import nodes_of
from pellucid.insight.explain.starts import Layer
from pellucid.insight.explain.walks import as_arrays, batches, grouped, in_inputs, joined
from pellucid.ops import structure
from pellucid.ops.registry import scalar
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor

Array = npt.NDArray[Any]

RULES = ("rescale", "reveal_cancel")


def _differences(
    light: Forward,
    layer: Layer | None,
    reveal: bool,
    tensors: Any,
    starts: Any,
    places: Any,
    extra: Any,
) -> Any:
    """Multipliers, and the values at both ends, where each input (the layer) begins."""
    asked = [] if layer is None else [layer.module]
    graph = graph_of(light, tensors, places, extra, asked).written_out()
    groups = nodes_of(light, graph, layer)
    flat = tuple(n for group in groups for n in group)
    reading = Reading(graph.score, flat)
    one = structure.broadcast_to(scalar(graph.score, 1.0), graph.score.shape)
    rules: Multipliers | RevealCancel
    if reveal:
        rules = RevealCancel(reading, graph.inputs)
        arrived = rules.arrive(one)
    else:
        rules = Multipliers(reading, graph.inputs)
        arrived = reading.walk(rules.pull, one)
    found = [
        structure.broadcast_to(scalar(n, 0.0), n.shape) if m is None else m
        for n, m in zip(flat, arrived, strict=True)
    ]
    wanted = [*found, *flat, *(rules.at_reference(n) for n in flat)]
    known = dict(zip([*graph.inputs, *rules.base], [*tensors, *starts], strict=True))
    values = graph.compute(wanted, known)
    count = len(flat)
    parts = values[:count], values[count : 2 * count], values[2 * count :]
    return [grouped(part, groups) for part in parts]


def multiplied(
    forward: Forward,
    baseline: Sequence[Array],
    layer: Layer | None = None,
    multiply: bool = True,
    rule: str = "rescale",
) -> list[list[Array]]:
    """m (x − x′) for each input (the layer), a list of arrays each."""
    if rule not in RULES:
        raise ArgumentError(f"deep_lift got rule={rule!r}", f"use one of {', '.join(RULES)}")
    light, reveal = forward.light(), rule == "reveal_cancel"

    def differences(t: Any, b: Any, p: Any, e: Any) -> Any:
        return _differences(light, layer, reveal, t, b, p, e)

    run = forward.kept(("deep_lift", layer, reveal), lambda: differences)
    parts: list[list[list[Array]]] = []
    for lines in batches(forward):
        part = forward if len(lines) == forward.rows else forward.of_rows(lines)
        places = None if part.places is None else as_tensor(part.places)
        starts = [as_tensor(b[lines]) for b in baseline]
        with forward.looking(), no_grad():
            found = run(list(part.tensors), starts, places, list(part.extra))
        parts.append(
            [
                [s * (h - t) if multiply else s for s, h, t in zip(a, b, c, strict=True)]
                for a, b, c in zip(*map(as_arrays, found), strict=True)
            ]
        )
    return parts[0] if len(parts) == 1 else joined(parts)


@method
def deep_lift(
    model: Model,
    inputs: Inputs,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    *,
    rule: str = "rescale",
    multiply_by_inputs: bool = True,
    seed: int = 0,
) -> Explanation:
    """Shares of score(x) − score(x′), by multipliers Δy / Δx at every operation: DeepLIFT.

    Arguments as in :func:`.integrated_gradients`; ``baselines`` is the reference x′.  Activations,
    however they are put together, have the rescale rule, or with ``rule="reveal_cancel"`` the one
    that follows apart what raises a value and what lowers it.  Products have the mean of both
    ends, largest elements the rule for pooling, softmax, normalization and attention the rules of
    what they are made of; loops are followed step by step.  The values sum to the difference up to
    rounding.
    (Shrikumar, Greenside and Kundaje, 2017.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    listed = several(forward, baselines, seed)
    found = [
        in_inputs(forward, multiplied(forward, b, multiply=multiply_by_inputs, rule=rule))
        for b in listed
    ]
    values, errors = averaged(found)
    return forward.explanation(
        "deep_lift",
        values,
        kind="contribution" if multiply_by_inputs else "slope",
        is_complete=multiply_by_inputs,
        baseline=listed[0] if len(listed) == 1 else tuple(listed),
        baseline_output=np.mean([forward(*b) for b in listed], axis=0),
        standard_error=errors,
        seeds=(seed,),
    )


@method
def deep_lift_shap(
    model: Model,
    inputs: Inputs,
    baselines: Any,
    target: Any = None,
    additional_forward_args: Any = (),
) -> Explanation:
    """:func:`deep_lift` averaged over rows of data as references: an estimate of SHAP values.

    ``baselines`` (count, …) are rows of data.  The values sum to score(x) − mean score(baselines);
    ``standard_error`` says how they would differ with other rows.  (Lundberg and Lee, 2017.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    background = background_of(forward, baselines)
    count, rows = len(background[0]), forward.rows
    wide = forward.of_rows(np.repeat(np.arange(rows), count))
    tiled = [np.tile(b, (rows, *(1,) * (b.ndim - 1))) for b in background]
    found = in_inputs(wide, multiplied(wide, tiled))
    apart = [v.reshape(rows, count, *v.shape[1:]).astype(np.float64) for v in found]
    errors = tuple(a.std(1, ddof=1) / np.sqrt(count) for a in apart) if count > 1 else None
    return forward.explanation(
        "deep_lift_shap",
        [a.mean(1) for a in apart],
        kind="contribution",
        is_complete=True,
        baseline=mean_of(forward, background),
        baseline_output=mean_output(forward, background),
        standard_error=errors,
    )
