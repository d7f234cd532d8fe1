"""The birth of a value that is not finite, in a loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.moments import undone
from pellucid.nn.module import Module
from pellucid.tensor.autograd import backward, key_of
from pellucid.tensor.core import Record
from pellucid.tensor.nonfinite import (
    FirstNonFinite,
    facts_of,
    find_first_nonfinite,
    kind_of_value,
)
from pellucid.tensor.state import state
from pellucid.transforms.differentiate import ordered_history


def birth_of(
    outputs: Sequence[Any],
    calls: Sequence[tuple[Any, Any, Any]],
    names: dict[int, str],
    step: int,
) -> FirstNonFinite | None:
    """Where the value of ``outputs`` that is not finite came from.

    ``calls`` are the calls of modules in this step with their arguments, which are made again,
    operation by operation; what lies behind them is read from the tape.  None where everything on
    the way is finite.
    """
    before, state.follower = state.follower, None
    watcher, state.watcher = state.watcher, None
    try:
        for function, args, kwargs in calls:
            models = [function] if isinstance(function, Module) else []
            with suppress(PellucidError), undone(models, []):
                found = find_first_nonfinite(function, *args, **kwargs)
                if found is not None:
                    return found
        return _on_tape(outputs, names)
    finally:
        state.follower, state.watcher = before, watcher


def birth_of_gradient(
    outputs: Sequence[Any], cotangents: Sequence[Any], names: dict[str, Any]
) -> FirstNonFinite | None:
    """Where a gradient that is not finite came from, although the loss was: the backward pass from
    ``outputs`` is made once more, operation by operation, before anything has been updated."""

    history = list(ordered_history(list(outputs), _record_of, key_of))
    leaves = [(t, t._grad) for t in history if t._record is None and t._requires_grad]

    def again() -> list[Any]:
        for tensor in history:
            if tensor._record is not None:
                tensor._record.spent = False
        for leaf, _ in leaves:
            leaf._grad = None
        backward(list(outputs), list(cotangents))
        return [leaf._grad for leaf, _ in leaves]

    before, state.follower = state.follower, None
    watcher, state.watcher = state.watcher, None
    try:
        with suppress(PellucidError):
            found = find_first_nonfinite(again, names=names)
            # The line that is known is that of the update, not of the operation.
            return None if found is None else replace(found, line="")
        return None
    finally:
        state.follower, state.watcher = before, watcher
        for leaf, gradient in leaves:
            leaf._grad = gradient


def _record_of(tensor: Any) -> Record | None:
    found: Record | None = tensor._record
    return found


def _on_tape(outputs: Sequence[Any], names: dict[int, str]) -> FirstNonFinite | None:
    """The first recorded operation whose operands are finite and whose result is not."""
    history = list(ordered_history(list(outputs), _record_of, key_of))
    for tensor in history:
        array = tensor._cell.array
        if array is None or array.dtype.kind not in "fc" or np.isfinite(array).all():
            continue
        record = tensor._record
        if record is None:
            kind = "parameter" if tensor._requires_grad else "data"
            name = names.get(id(tensor), "")
            return FirstNonFinite(
                kind_of_value(array), kind, "", "", "", "",
                int((~np.isfinite(array)).sum()), array.size, None, (), name,
            )  # fmt: skip
        operands = [t for t in record.inputs if t._cell.array is not None]
        if all(_is_finite(t._cell.array) for t in operands):
            rows = _rows(array)
            return FirstNonFinite(
                kind_of_value(array), "forward", record.layer, record.op.name, record.op.formula,
                record.line, int((~np.isfinite(array)).sum()), array.size, rows,
                tuple(facts_of(t._cell) for t in operands),
            )  # fmt: skip
    return None


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _rows(array: np.ndarray) -> Any:
    if not array.ndim or len(array) < 2:
        return None
    return np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
