"""Layers that behave differently in training and evaluation, and rows that influence each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.graph.node import Node
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.ends import softmax_axis
from pellucid.insight.doctor.facts import (
    evaluated,
    layer_name,
    modules_of,
    sample_of,
    trained,
)
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.gathering import picked
from pellucid.insight.doctor.recording import Computation, record
from pellucid.insight.doctor.untouched import untouched
from pellucid.insight.doctor.walks import depends_on, is_mask
from pellucid.nn.normalization import _BatchNorm, _InstanceNorm
from pellucid.training.batches import leaves

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]

MIXED_ROWS = 6


def dropout_always(case: Case) -> Found:
    """Dropout that is on when the model is measured."""
    run = evaluated(case)
    if run is None or run.output is None:
        return
    masks = [n for n in run.nodes_before_output() if is_mask(n)]
    if not masks:
        return
    node = masks[0]
    share = float((run.values[node] == 0).mean())
    place = Place(layer=layer_name(case, node.origin.layer), line=node.origin.line)
    evidence = (
        Evidence("random masks in evaluation mode", float(len(masks)), "0"),
        Evidence("share of values that they set to 0", share, "0"),
    )
    text = "Use nn.Dropout, or give F.dropout training=self.training."
    yield Suspicion("DROPOUT_MODE", place, evidence, 0.97, remedies=(remedies.advice(text),))


def frozen_modes(case: Case) -> Found:
    """Dropout or normalization that stays in evaluation mode while the model learns."""
    model = case.model
    if not isinstance(model, nn.Module) or case.phase == "after":
        return
    named = list(model.named_modules())
    off = (
        case.settings.get("trained_in_evaluation")
        or not model.training
        and any(layer.training for _, layer in named)
    )
    drops = [p for p, m in named if isinstance(m, nn.Dropout) and m.p > 0 and not m.training]
    if drops and (model.training or off):
        evidence = (Evidence("dropout layers in evaluation mode while the model learns",
                             float(len(drops)), "0"),)  # fmt: skip
        text = "Call model.train() before the training loop."
        yield Suspicion("DROPOUT_MODE", Place(layer=", ".join(drops)), evidence, 0.7,
                        remedies=(remedies.advice(text),))  # fmt: skip


def statistics(case: Case) -> Found:
    """Batch normalization whose running statistics are not made, or are made wrongly."""
    run = trained(case)
    if run is None or run.output is None:
        return
    used = {n.origin.layer for n in run.nodes_before_output() if n.op.name == "standardize"}
    for path, layer in case.model.named_modules():
        if not isinstance(layer, _BatchNorm) or isinstance(layer, _InstanceNorm):
            continue
        said = _statistics(layer, path, used, run) or _slow_statistics(case, layer)
        if said is None:
            continue
        text, value, expected, strength = said
        evidence = (Evidence(text, value, expected),)
        advice = "Use nn.BatchNorm with its defaults: track_running_stats=True, momentum=0.1."
        yield Suspicion("BN_MODE", Place(layer=path, setting="momentum"), evidence, strength,
                        ("mode_gap",), (remedies.advice(advice),))  # fmt: skip
        return


def _statistics(
    layer: Any, path: str, used: set[str], run: Computation
) -> tuple[str, float | None, str, float] | None:
    if not layer.track_running_stats or layer.running_mean is None:
        return "no running statistics are kept: answers depend on the other rows", None, "", 0.62
    momentum = layer.momentum
    if momentum is not None and momentum <= 1e-4:
        return "momentum of the running statistics", float(momentum), "0.1", 0.95
    if momentum is not None and momentum >= 0.95:
        text = "momentum of the running statistics, which keep little but the last batch"
        return text, float(momentum), "0.1", 0.75
    if path in used and id(layer.running_mean._cell) not in run.assigned:
        return "running statistics that a step has changed", 0.0, "1", 0.9
    return None


def _slow_statistics(case: Case, layer: Any) -> tuple[str, float | None, str, float] | None:
    """Running statistics that are still those of the start when the training ends."""
    epochs, size = case.settings.get("epochs"), case.settings.get("batch_size")
    if not epochs or not size or case.train is None or layer.momentum is None:
        return None
    steps = int(epochs) * max(1, case.train.number // int(size))
    share = 1 - (1 - layer.momentum) ** steps
    if share > 0.7 or layer.momentum > 0.02:
        return None
    text = (
        f"momentum {layer.momentum:g}: share of the running statistics that {steps} steps replace"
    )
    return text, share, "nearly 1", 0.85


def few_rows(case: Case) -> Found:
    """Batch normalization over a handful of rows."""
    size = case.settings.get("batch_size")
    if not isinstance(size, int) or size > 4 or not isinstance(case.model, nn.Module):
        return
    paths = [
        p
        for p, m in case.model.named_modules()
        if isinstance(m, _BatchNorm) and not isinstance(m, _InstanceNorm)
    ]
    if not paths:
        return
    evidence = (Evidence("rows of a batch that is normalized by its own statistics", float(size),
                         "16 or more"),)  # fmt: skip
    patch = remedies.setting("Use batches of 32 rows, or GroupNorm.", "batch_size", size, 32)
    strength = 0.85 if size <= 2 else 0.65
    yield Suspicion(
        "BATCH_SIZE", Place(setting="batch_size"), evidence, strength, ("mode_gap",), (patch,)
    )


def mixed_rows(case: Case) -> Found:
    """Answers that depend on the other rows of the batch, in evaluation mode."""
    run, sample = evaluated(case), sample_of(case)
    if run is None or run.output is None or sample is None:
        return
    if any(n.op.name == "random_uniform" for n in run.nodes_before_output()):
        return
    total = int(next(leaves(sample.features)).shape[0])
    if total < 4 or run.output.shape[:1] != (total,) or run.error is not None:
        return
    first = np.arange(min(MIXED_ROWS, total // 2))
    others = np.r_[np.arange(total - len(first) + 1, total), first[-1:]]
    with untouched(*modules_of(case)):
        made = [record(case.model, picked(sample, np.asarray(rows)).features, training=False)
                for rows in (first, others)]  # fmt: skip
    if any(m.output is None or m.error is not None for m in made):
        return
    a, b = (m.values[m.output][-1].astype(np.float64) for m in made if m.output is not None)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return
    answers = made[0].values[made[0].output]  # type: ignore[index]
    size = max(float(np.abs(answers).max()), 1e-6)
    apart = float(np.abs(a - b).max()) / size
    if apart < 1e-3:
        return
    yield _mixing(case, run, apart)


def _mixing(case: Case, run: Computation, apart: float) -> Suspicion:
    node, kind = _where_mixed(run)
    layer = layer_name(case, node.origin.layer) if node is not None else ""
    swapped = _steps_first(case)
    if swapped and kind != "statistics":
        kind, layer = "loop", f"{swapped}.batch_first"
    place = Place(layer=layer, line=node.origin.line if node is not None else "")
    evidence = [
        Evidence("change of a row's answer when only the other rows of the batch are changed, by "
                 "the largest answer", apart, "0")
    ]  # fmt: skip
    if node is not None:
        evidence.append(Evidence(f"operation {node.op.name!r} along the rows of the batch"))
    cause, text, strength = {
        "statistics": (
            "BN_MODE",
            "Use running statistics in evaluation mode (nn.BatchNorm).",
            0.85,
        ),
        "loop": ("DATA_SHAPE", "Give (steps, rows, features), or batch_first=True.", 0.9),
        "axis": ("AXIS_WRONG", "Reduce along the features (dim=1 or −1), not along the rows.", 0.9),
        "": ("AXIS_WRONG", "Keep the first axis for the rows of the batch.", 0.75),
    }[kind]
    return Suspicion(
        cause, place, tuple(evidence), strength, ("row_mixing",), (remedies.advice(text),)
    )


def _steps_first(case: Case) -> str:
    """The first layer that takes (steps, rows, features), by its path."""
    for path, layer in case.model.named_modules():
        if getattr(layer, "batch_first", None) is False:
            return str(path)
    return ""


def _where_mixed(run: Computation) -> tuple[Node | None, str]:
    """The operation that lets rows meet, and of which kind it is."""
    rows = run.output.shape[0] if run.output is not None else 0
    above = depends_on(run.nodes(), set(run.features))
    nodes = [n for n in run.nodes_before_output() if n in above]
    for node in nodes:
        if node.op.name == "scan":
            return node, "loop"
        if node.op.name == "standardize" and 0 in node.settings["axes"]:
            return node, "statistics"
        found = softmax_axis(node)
        if found is not None and found[0] == 0 and node.shape[0] == rows:
            return node, "axis"
    for node in nodes:
        axes = node.settings.get("axes", ()) if node.op.name in ("sum", "max", "min") else ()
        if 0 in tuple(axes) and node.inputs[0].shape[:1] == (rows,):
            return node, "axis"
    return None, ""


RULES = (dropout_always, frozen_modes, statistics, few_rows, mixed_rows)
