"""Whether the end of a network and its loss belong together."""

from __future__ import annotations

from typing import Any

from pellucid.insight.finding import Finding
from pellucid.nn.ends import taken_by
from pellucid.nn.module import Module


def name_of(loss: Any) -> str:
    """A loss in a sentence."""
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "__name__", type(loss).__name__))


def check_head(path: str, layer: Module, loss: Any, units: int | None) -> list[Finding]:
    """What is wrong between the last layer, with ``units`` outputs if known, and the loss."""
    given, taken, name = layer.output_kind, taken_by(loss), name_of(loss)
    kind = type(layer).__name__
    if units == 1 and name in ("cross_entropy", "CrossEntropyLoss"):
        text = "one output is the only class there is, so its probability is always 1"
        advice = "Use two outputs, or binary_cross_entropy_with_logits."
        return [Finding("softmax over one unit", path, text, advice)]
    if taken == "scores" and given and not (given[0] == "l" and name[:3] in ("cro", "Cro")):
        text = f"{kind} gives {given}, and {name} applies its own to them again"
        other = "or use cross_entropy's other half: nn.LogSoftmax with nll_loss"
        if "binary" in name or "BCE" in name:
            other = "or keep it and use binary_cross_entropy"
        advice = f"Leave {kind} out: the loss contains it ({other})."
        return [Finding("doubled head", path, text, advice)]
    weighted = getattr(layer, "weight", None) is not None and not given
    if taken == "probabilities" and (weighted or given == "log-probabilities"):
        text = f"{kind} gives {given or 'any numbers'}, and {name} takes probabilities"
        advice = "End with nn.Sigmoid(), or use binary_cross_entropy_with_logits."
        return [Finding("missing head", path, text, advice)]
    if taken == "log-probabilities" and (weighted or given == "probabilities"):
        text = f"{kind} gives {given or 'any numbers'}, and {name} takes log-probabilities"
        advice = "End with nn.LogSoftmax(dim=1), or use cross_entropy without a last activation."
        return [Finding("missing head", path, text, advice)]
    if taken == "scores" and layer.silent_when_negative:
        text = f"{kind} gives no negative scores, and the units below it can die"
        return [Finding("activation on the scores", path, text, f"Leave the last {kind} out.")]
    return []
