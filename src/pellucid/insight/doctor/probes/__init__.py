"""Probes: experiments on a case's bench, each of which leaves everything as it was.

A probe is a function ``(case, suspicion) -> ProbeResult``; ``PROBES`` holds them by name.
"""

from __future__ import annotations

from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.clock import within
from pellucid.insight.doctor.findings import ProbeResult, Suspicion
from pellucid.insight.doctor.probes import ends, inputs, layers, steps
from pellucid.insight.doctor.probes.asking import Probe

PROBES: dict[str, Probe] = {
    "learning_rate": steps.learning_rate,
    "gradient_sign": steps.gradient_sign,
    "reset_gradients": steps.reset_gradients,
    "other_optimizer": steps.other_optimizer,
    "redrawn": steps.redrawn,
    "larger_batch": steps.larger_batch,
    "one_batch": steps.one_batch,
    "longer": steps.longer,
    "shuffled_input": inputs.shuffled_input,
    "zero_input": inputs.zero_input,
    "standardized_input": inputs.standardized_input,
    "standardized_targets": inputs.standardized_targets,
    "unaugmented": inputs.unaugmented,
    "row_mixing": inputs.row_mixing,
    "linear_probe": inputs.linear_probe,
    "neighbours": inputs.neighbours,
    "unseen_rows": inputs.unseen_rows,
    "batch_doubled": ends.batch_doubled,
    "perfect_prediction": ends.perfect_prediction,
    "other_output": ends.other_output,
    "other_loss": ends.other_loss,
    "mode_gap": layers.mode_gap,
    "repeated_evaluation": layers.repeated_evaluation,
    "unregularized": layers.unregularized,
    "normalized": layers.normalized,
    "other_activation": layers.other_activation,
}
"""Name → probe."""


def run(name: str, case: Case, suspicion: Suspicion, seconds: float = 2.0) -> ProbeResult:
    """One probe, which begins no further part after so many ``seconds``; ``ArgumentError`` for
    an unknown name."""
    if name not in PROBES:
        raise ArgumentError(f"There is no probe {name!r}", f"Choose from {', '.join(PROBES)}.")
    before = case.notes.get("until")
    case.notes["until"] = within(seconds)
    try:
        return PROBES[name](case, suspicion)
    finally:
        case.notes["until"] = before
