"""The birth of a NaN in a backward pass: ``detect_anomaly``, as in PyTorch.

While it is on, each operation that is recorded remembers the user's line, and what its gradient
rule gives is looked at.  Compiled functions run as the Python they are, so that they are found out
in the same way.  :func:`pellucid.insight.find_first_nonfinite` looks at values forwards as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np

from pellucid.base.errors import AutogradError
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.state import state
from pellucid.tensor.trace import user_line


def _check(record: Record, parts: Sequence[TensorCore | None]) -> None:
    """Raise if a gradient rule gave NaN."""
    if state.trace is not None:
        return
    for number, (tensor, part) in enumerate(zip(record.inputs, parts, strict=True)):
        array = None if part is None or not tensor._requires_grad else part.array()
        if array is None or array.dtype.kind not in "fc" or not np.isnan(array).any():
            continue
        where = f", in layer {record.layer!r}" if record.layer else ""
        where += f", recorded at {record.line}" if record.line else ""
        count = int(np.isnan(array).sum())
        raise AutogradError(
            f"Function {record.name()!r} returned nan values in its {number}th output: {count} of "
            f"{array.size} elements of the gradient of {record.op.name}{where}",
            "keep its operand inside of where the derivative exists: see "
            "pellucid.insight.find_first_nonfinite for the values of the forward pass",
        )


def is_anomaly_enabled() -> bool:
    """Whether operations remember where they were recorded, and gradients may be looked at."""
    return state.recorded_line is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether a gradient that is NaN raises."""
    return state.anomaly is not None


class set_detect_anomaly:  # noqa: N801  (PyTorch's name)
    """Switch the search for NaN in backward passes on or off; also a context manager.

    Raises ``AutogradError``, a ``RuntimeError``, in the backward pass at the first gradient rule
    that gives NaN, with the operation, the layer and the line of the forward pass.  It costs time:
    everything is looked at, and compiled functions do not run compiled.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = (state.recorded_line, state.anomaly, state.inline)
        state.recorded_line = user_line if mode else None
        state.anomaly = _check if mode and check_nan else None
        state.inline = bool(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state.recorded_line, state.anomaly, state.inline = self._before


class detect_anomaly:  # noqa: N801  (PyTorch's name)
    """Context manager: inside, a backward pass raises at the first gradient that is NaN.

    The forward pass must be inside, too, for its lines to be known.  With ``check_nan=False``
    lines are remembered and nothing is looked at.

    >>> import pellucid
    >>> x = pellucid.zeros(2, requires_grad=True)
    >>> with pellucid.autograd.detect_anomaly():
    ...     try:
    ...         (x.sqrt() * 0.0).sum().backward()
    ...     except RuntimeError as error:
    ...         print(str(error).split(":")[0])
    Function 'SqrtBackward0' returned nan values in its 0th output
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan

    def __enter__(self) -> None:
        self._mode: Any = set_detect_anomaly(True, self._check_nan)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mode.__exit__(kind, error, trace)
