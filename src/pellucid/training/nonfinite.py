"""Where NaN or infinity in a run came from: the step is repeated eagerly and looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pellucid.base.phrases import Setting, phrase
from pellucid.nn.modes import evaluation
from pellucid.tensor.nonfinite import FirstNonFinite, find_first_nonfinite
from pellucid.training.batches import Batch, applied
from pellucid.training.stepping import Learner

SMALLER = phrase("Lower the learning rate, or clip gradients (", Setting("clip_norm"), ").")
_ARGUMENTS = {
    "argument 0": "the features",
    "argument 1": "the targets",
    "argument 2": "the weights of rows",
}


def find_origin(trainer: Any, batch: Batch) -> FirstNonFinite | None:
    """Repeats the step of ``trainer`` on a batch from the weights of now, operation by operation,
    and returns where the first value that is not finite comes from.  Weights, slots and gradients
    are as before afterwards."""
    if not trainer.model.training:
        trainer.model.train()
    step = Learner(
        trainer.model,
        trainer.loss,
        trainer.optimizer,
        trainer.clip_norm,
        lambda kind, traced: None,
        class_weights=trainer.class_weights,
        augment=trainer.augment,
    )
    return _find(trainer.model, step, batch)


def find_in_validation(trainer: Any, batch: Batch) -> FirstNonFinite | None:
    """The same for the loss on validation data."""
    with evaluation(trainer.model):
        return _find(
            trainer.model, lambda x, y: trainer.loss(applied(trainer.model, x), y), batch[:2]
        )


def _find(model: Any, function: Any, batch: Batch) -> FirstNonFinite | None:
    names = dict(model.named_parameters())
    found = find_first_nonfinite(function, *batch, names=names)
    if found is None or found.phase != "data":
        return found
    return replace(found, name=_ARGUMENTS.get(found.name, found.name))


def advice_for(found: FirstNonFinite | None) -> str:
    """What usually helps; a smaller learning rate where the finder has nothing better to say."""
    if found is None or found.phase == "update":
        return SMALLER
    return found.advice
