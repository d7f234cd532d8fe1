"""What the end of a network gives and what a loss takes: scores, probabilities or their logs.

Losses say what they take (``input_kind``), layers what they give (``output_kind``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.nn import functional
from pellucid.nn.containers import Sequential
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor

TAKEN: dict[Callable[..., Any], str] = {
    functional.cross_entropy: "scores",
    functional.binary_cross_entropy_with_logits: "scores",
    functional.multilabel_soft_margin_loss: "scores",
    functional.binary_cross_entropy: "probabilities",
    functional.nll_loss: "log-probabilities",
    functional.kl_div: "log-probabilities",
}
"""Loss function → what its first argument has to be."""


def taken_by(loss: object) -> str:
    """What a loss (function, module, or name in ``nn.functional``) takes; "" where unknown."""
    if isinstance(loss, str):
        loss = getattr(functional, loss, None)
    if isinstance(loss, Module):
        return str(getattr(loss, "input_kind", ""))
    return next((kind for known, kind in TAKEN.items() if known is loss), "")


def last_layer(model: Module, rows: Tensor | None = None) -> Module | None:
    """The layer whose result is the network's, or None where no layer's is.

    The last one of nested ``nn.Sequential``; of other networks the one that a run of ``rows``, in
    evaluation mode, shows.
    """
    while isinstance(model, Sequential) and len(model):
        model = model[len(model) - 1]
    if next(model.children(), None) is None:
        return model
    if rows is None:
        return None
    made: list[tuple[Tensor, Module]] = []
    handles = [
        layer.register_forward_hook(lambda layer, args, output: made.append((output, layer)))
        for layer in model.modules()
        if next(layer.children(), None) is None
    ]
    try:
        with evaluation(model), no_grad():
            result = model(rows)
    finally:
        for handle in handles:
            handle.remove()
    return next((layer for output, layer in reversed(made) if output is result), None)
