"""Where NaN or infinity first appeared: a step is repeated eagerly and its values are looked at
one operation after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.tensor.autograd import enable_grad
from pellucid.tensor.random import default_generator
from pellucid.training.snapshots import is_finite


@dataclass(frozen=True)
class Origin:
    """The first value that was not finite.

    ``value`` is ``NaN`` or ``infinity``, ``layer`` the layer's path (empty for the loss and the
    data), ``operation`` the primitive, ``phase`` where in the step it happened, ``rows`` the
    positions in the batch that show it (None where it cannot be told), ``advice`` a sentence.
    """

    value: str
    phase: str
    layer: str = ""
    operation: str = ""
    rows: npt.NDArray[np.int64] | None = None
    advice: str = ""

    @property
    def place(self) -> str:
        """Phase, layer and operation in words."""
        where = f"layer {self.layer!r}" if self.layer else ""
        what = f"operation {self.operation!r}" if self.operation else ""
        inside = ", ".join(part for part in (where, what) if part)
        return f"{self.phase} ({inside})" if inside else self.phase


SMALLER = "Lower the learning rate, or clip gradients (clip_norm)."


def find_origin(trainer: Any, features: Any, targets: Any) -> Origin:
    """Repeats the step of ``trainer`` on a batch from the weights of now and returns where the
    first value that is not finite comes from.  The step changes the weights."""
    trainer.model.train()
    found = find_in_forward(trainer, features, targets)
    if found is not None:
        return found
    with enable_grad():
        loss = trainer.loss(trainer.model(features), targets)
        return _backward(trainer, loss, int(features.shape[0]))


def find_in_forward(trainer: Any, features: Any, targets: Any) -> Origin | None:
    """The first value of the data, the forward pass or the loss that is not finite, if any."""
    for what, tensor in (("the features", features), ("the targets", targets)):
        array = tensor.detach().numpy()
        if not is_finite(array):
            rows = _rows(array, len(array))
            return Origin(_kind(array), what, rows=rows, advice="Correct these rows.")
    state = default_generator.get_state()
    with enable_grad():
        loss = trainer.loss(trainer.model(features), targets)
    # The same dropout masks again for whoever repeats the step.
    default_generator.set_state(state)
    for tensor in _values(loss):
        array = tensor.detach().numpy()
        if not is_finite(array):
            record = tensor._record
            phase = "the forward pass" if record.layer else "the loss"
            rows = _rows(array, int(features.shape[0]))
            return Origin(_kind(array), phase, record.layer, record.op.name, rows, SMALLER)
    return None


def _backward(trainer: Any, loss: Any, count: int) -> Origin:
    """The forward pass was finite: look at the gradients, then at the update."""
    found: list[Origin] = []
    values = list(_values(loss))
    # The gradient of a value comes from the rules of the operations that used the value.
    users = {id(i._record): v._record for v in values for i in v._record.inputs if i._record}

    def watch(tensor: Any) -> Any:
        user = users.get(id(tensor._record), tensor._record)

        def hook(gradient: Any) -> None:
            array = gradient.detach().numpy()
            if not found and not is_finite(array):
                name, rows = f"gradient of {user.op.name}", _rows(array, count)
                kind = _kind(array)
                found.append(Origin(kind, "the backward pass", user.layer, name, rows, SMALLER))

        return tensor.register_hook(hook)

    handles = [watch(tensor) for tensor in values]
    trainer.optimizer.zero_grad()
    loss.backward()
    for handle in handles:
        handle.remove()
    if found:
        return found[0]
    names = [(name, p) for name, p in trainer.model.named_parameters()]
    for name, parameter in names:
        gradient = parameter.grad
        if gradient is not None and not is_finite(gradient.detach().numpy()):
            kind = _kind(gradient.detach().numpy())
            return Origin(kind, "the backward pass", name, "gradient", None, SMALLER)
    trainer.optimizer.step()
    for name, parameter in names:
        if not is_finite(parameter.detach().numpy()):
            kind = _kind(parameter.detach().numpy())
            update = type(trainer.optimizer).__name__
            return Origin(kind, "the update", name, update, None, SMALLER)
    return Origin("NaN or infinity", "the step", advice=SMALLER)


def _values(output: Any) -> Iterator[Any]:
    """Every tensor on the tape of ``output`` that an operation made, operands first."""
    done: set[int] = set()
    stack: list[tuple[Any, bool]] = [(output, False)]
    while stack:
        tensor, ready = stack.pop()
        record = tensor._record
        if record is None:
            continue
        if ready:
            yield tensor
        elif id(record) not in done:
            done.add(id(record))
            stack.append((tensor, True))
            stack.extend((operand, False) for operand in reversed(record.inputs))


def _kind(array: npt.NDArray[Any]) -> str:
    return "NaN" if bool(np.isnan(array).any()) else "infinity"


def _rows(array: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64] | None:
    """Positions in the batch where an array with one line for each row is not finite."""
    if array.ndim == 0 or array.shape[0] != count:
        return None
    bad = ~np.isfinite(array.reshape(count, -1)).all(axis=1)
    return np.flatnonzero(bad)
