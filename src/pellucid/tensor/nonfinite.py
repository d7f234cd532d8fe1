"""The first NaN or infinity: run operation by operation and look at every value.

Infinities are not always mistakes (a mask of −∞, a logarithm of 0 that is not chosen), so the
search follows what is not finite forwards: what is reported is where the values that reached
the result, a gradient or a parameter come from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import NonFiniteError, TraceError
from pellucid.graph.node import Primitive, current_layer
from pellucid.tensor.compile import CompiledFunction
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import user_line

SHOWN_ROWS = 8


@dataclass(frozen=True)
class OperandFacts:
    """Shape, dtype and range of the finite values of an operand, and how many are not finite."""

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    nonfinite: int

    def __str__(self) -> str:
        spec = f"{self.dtype}{list(self.shape)}"
        extent = (
            f"{self.low:.4g} to {self.high:.4g}" if self.low != self.high else f"{self.low:.4g}"
        )
        return f"{spec} {extent}{f', {self.nonfinite} not finite' if self.nonfinite else ''}"


@dataclass(frozen=True)
class FirstNonFinite:
    """Where NaN or infinity first appeared.

    ``value`` is ``NaN`` or ``infinity``; ``phase`` ``forward``, ``backward``, ``update``, or
    ``data`` and ``parameter`` if it was there before the step.  ``layer`` is the layer's path,
    ``operation`` the primitive (of the forward pass: in ``backward`` it is the one whose gradient
    it was), ``formula`` what was computed, ``line`` the user's ``file:line``; ``count`` of
    ``size`` elements, in these ``rows`` of the batch (None where that cannot be told), were not
    finite.  ``name`` is the argument's or parameter's, for ``data`` and ``parameter``.
    """

    value: str
    phase: str
    layer: str
    operation: str
    formula: str
    line: str
    count: int
    size: int
    rows: npt.NDArray[np.int64] | None
    operands: tuple[OperandFacts, ...]
    name: str = ""

    @property
    def place(self) -> str:
        """Phase, layer, operation and line in words."""
        if self.phase in ("data", "parameter"):
            return f"the {self.phase} ({self.name})" if self.name else f"the {self.phase}"
        words = [f"layer {self.layer!r}"] if self.layer else []
        kind = "gradient of " if self.phase == "backward" else ""
        words.append(f"{kind}operation {self.operation!r}: {self.formula}")
        if self.line:
            words.append(f"at {self.line}")
        phase = "the update" if self.phase == "update" else f"the {self.phase} pass"
        return f"{phase}, {', '.join(words)}"

    @property
    def cause(self) -> str:
        """Why the value is not finite, in words, as far as the operands tell; empty otherwise."""
        if self.phase == "data":
            return "the data hold it already"
        if self.phase == "parameter":
            return "the weights hold it already"
        if not self.operands:
            return ""
        first, last = self.operands[0], self.operands[-1]
        if any(operand.nonfinite for operand in self.operands):
            return "infinities that cancel each other" if self.value == "NaN" else ""
        known = _CAUSES.get(self.operation)
        told = "" if known is None else known(first, last, self.value)
        if self.phase == "backward":
            at_zero = any(o.low <= 0 <= o.high for o in self.operands)
            steep = at_zero and self.operation in ("sqrt", "pow", "log", "div", "norm", "abs")
            return f"the slope of {self.operation} at 0 is not finite" if steep else told
        largest = max(max(abs(o.low), abs(o.high)) for o in self.operands)
        if not told and self.value == "infinity" and largest > 1e4:
            return f"overflow: its operands reach {largest:.3g}, too much for {first.dtype}"
        return told

    @property
    def advice(self) -> str:
        """What usually helps."""
        if self.phase == "data":
            return "Correct or leave out these rows of the data."
        if self.phase == "parameter":
            return "Start from weights that are finite."
        found = next((a for names, a in _ADVICE if self.operation in names), "")
        return found or "Lower the learning rate, clip the gradients, or scale the inputs."

    @property
    def message(self) -> str:
        """All of it in one sentence."""
        text = f"{self.value} first appeared in {self.place}; {self.count} of {self.size} elements"
        if self.rows is not None and len(self.rows):
            shown = ", ".join(str(int(r)) for r in self.rows[:SHOWN_ROWS])
            more = f" and {len(self.rows) - SHOWN_ROWS} more" if len(self.rows) > SHOWN_ROWS else ""
            text += f", batch row{'s' if len(self.rows) > 1 else ''} {shown}{more}"
        if self.operands:
            text += f"; from {' and '.join(str(o) for o in self.operands)}"
        if self.cause and self.phase not in ("data", "parameter"):
            text += f": {self.cause}"
        return text

    def error(self) -> NonFiniteError:
        """The error to raise."""
        return NonFiniteError(self.message, self.advice)

    def __str__(self) -> str:
        return f"{self.message}\n  {self.advice}"


def _of_logarithm(first: OperandFacts, last: OperandFacts, value: str) -> str:
    if first.low < 0:
        return "logarithm of a negative number"
    return "logarithm of 0" if first.low == 0 else ""


def _of_division(first: OperandFacts, last: OperandFacts, value: str) -> str:
    if not last.low <= 0 <= last.high:
        return ""
    return "0 divided by 0" if value == "NaN" else "division by 0"


def _of_root(first: OperandFacts, last: OperandFacts, value: str) -> str:
    return "root of a negative number" if first.low < 0 and value == "NaN" else ""


def _of_exponential(first: OperandFacts, last: OperandFacts, value: str) -> str:
    return f"overflow: the exponential of {first.high:.4g}" if value == "infinity" else ""


_CAUSES: dict[str, Callable[[OperandFacts, OperandFacts, str], str]] = {
    **dict.fromkeys(("log", "log2", "log10"), _of_logarithm),
    **dict.fromkeys(("div", "remainder", "fmod"), _of_division),
    **dict.fromkeys(("sqrt", "rsqrt", "pow"), _of_root),
    **dict.fromkeys(("exp", "expm1", "sinh", "cosh"), _of_exponential),
}
"""Operation → why it gives what is not finite."""

_ADVICE = (
    (("log", "log2", "log10", "log1p"), "Keep the argument positive: log(x.clamp(min=1e-12))."),
    (("sqrt", "pow"), "Keep the argument above 0: sqrt(x + 1e-12)."),
    (("div", "remainder", "fmod"), "Keep the divisor away from 0: x / (y + 1e-12)."),
    (("exp", "expm1", "sinh", "cosh"), "Bound the argument, or use log_softmax or logsumexp."),
    (("acos", "asin", "atanh", "erfinv"), "Clamp the argument a little inside of -1 and 1."),
)


class _Search:
    """Watches operations and remembers where each value that is not finite comes from."""

    takes_units = False
    """It has to see every single operation."""

    def __init__(self, names: Mapping[int, tuple[str, str]], batch: int | None) -> None:
        self.names = names
        self.batch = batch
        self.origins: dict[int, tuple[Cell, FirstNonFinite, bool]] = {}
        """id(cell) → (cell, where it comes from, whether it was there before: an infinity)."""
        self.leaves: dict[int, tuple[TensorCore, Any]] = {}
        """Tensors that collect gradients, and the gradient they had."""
        self.saved: dict[int, tuple[Cell, np.ndarray, np.ndarray]] = {}
        self.lines: dict[int, tuple[Record, str]] = {}

    # ---- called by the tensors ---------------------------------------------------------------

    def operation(
        self,
        primitive: Primitive,
        inputs: Sequence[TensorCore],
        params: Mapping[str, Any],
        result: TensorCore,
    ) -> None:
        """``result`` was just computed."""
        for tensor in inputs:
            if tensor._requires_grad and tensor._record is None and id(tensor) not in self.leaves:
                self.leaves[id(tensor)] = (tensor, tensor._grad)
        record = result._record
        if record is not None:
            self.lines[id(record)] = (record, user_line())
        array = result._cell.array
        if array is None or array.dtype.kind not in "fc" or np.isfinite(array).all():
            return
        known = self._inherited(inputs, bool(np.isnan(array).any()))
        if known is None:
            known = (self._new(primitive, inputs, array), False)
        self.origins[id(result._cell)] = (result._cell, *known)

    def _inherited(
        self, inputs: Sequence[TensorCore], is_nan: bool
    ) -> tuple[FirstNonFinite, bool] | None:
        """The origin of an operand that is not finite, if that explains the result."""
        for tensor in inputs:
            array = tensor._cell.array
            if array is None or array.dtype.kind not in "fc" or np.isfinite(array).all():
                continue
            origin = self.origin_of(tensor)
            if origin is None:
                continue
            found, benign = origin
            # −∞ in a mask is meant; NaN made of it (−∞ − −∞) is not.
            if not benign or not is_nan:
                return found, benign
        return None

    def origin_of(self, tensor: TensorCore) -> tuple[FirstNonFinite, bool] | None:
        """Where the values of a tensor that are not finite come from; None if all are finite."""
        cell = tensor._cell
        array = cell.array
        if array is None or array.dtype.kind not in "fc" or np.isfinite(array).all():
            return None
        known = self.origins.get(id(cell))
        if known is not None:
            return known[1:]
        kind, name = self.names.get(id(cell), ("", ""))
        if not kind:
            kind = "parameter" if tensor._requires_grad else "data"
        count = int((~np.isfinite(array)).sum())
        rows = _rows(array, self.batch) if kind == "data" else None
        spec = f"{cell.dtype.name}{list(cell.shape)}"
        found = FirstNonFinite(
            kind_of_value(array), kind, "", "", "", "", count, array.size, rows, (),
            name or f"a {spec}",
        )  # fmt: skip
        benign = not name and kind == "data" and not np.isnan(array).any()
        self.origins[id(cell)] = (cell, found, benign)
        return found, benign

    def _new(
        self, primitive: Primitive, inputs: Sequence[TensorCore], array: np.ndarray
    ) -> FirstNonFinite:
        """This operation made it."""
        phase, record = _phase()
        if phase == "forward" and self._has_new_gradients():
            phase = "update"
        line = user_line()
        if record is not None:
            line = self.lines.get(id(record), (record, line))[1]
        operation = primitive.name if record is None else record.op.name
        formula = primitive.formula
        if record is not None:
            formula = f"{record.op.formula}, computing {primitive.formula}"
        return FirstNonFinite(
            kind_of_value(array),
            phase,
            current_layer(),
            operation,
            formula,
            line,
            int((~np.isfinite(array)).sum()),
            array.size,
            _rows(array, self.batch),
            tuple(facts_of(t._cell) for t in inputs if t._cell.array is not None),
        )

    def _has_new_gradients(self) -> bool:
        """Whether backward is over: what comes now changes gradients or parameters."""
        return any(t._grad is not None and t._grad is not g for t, g in self.leaves.values())

    def assignment(self, cell: Cell, value: TensorCore) -> None:
        """``cell`` is about to be overwritten."""
        array = cell.array
        if array is not None and id(cell) not in self.saved:
            self.saved[id(cell)] = (cell, array, array.copy())
        origin = self.origin_of(value)
        if origin is not None:
            self.origins[id(cell)] = (cell, *origin)
        else:
            self.origins.pop(id(cell), None)

    # ---- the end -----------------------------------------------------------------------------

    def found(self, result: Any) -> FirstNonFinite | None:
        """What reached the result, a gradient or a parameter, in this order."""
        leaves = [tensor for tensor, _ in self.leaves.values()]
        gradients = [t._grad for t in leaves if isinstance(t._grad, TensorCore)]
        for tensor in (*_tensors(result), *gradients, *leaves):
            origin = self.origin_of(tensor)
            if origin is not None:
                return origin[0]
        return None

    def restore(self) -> None:
        """Undo what the run assigned, and the gradients it left."""
        for cell, array, before in self.saved.values():
            if cell.array is array and array.flags.writeable:
                np.copyto(array, before)
                cell.changes[0] += 1
            else:
                cell.replace(before)
        for tensor, gradient in self.leaves.values():
            if tensor._grad is not gradient:
                tensor.grad = gradient if isinstance(gradient, TensorCore) else None


def find_first_nonfinite(
    function: Callable[..., Any],
    *args: Any,
    names: Mapping[str, TensorCore] | None = None,
    **kwargs: Any,
) -> FirstNonFinite | None:
    """Run a step eagerly, operation by operation, and tell where NaN or infinity comes from.

    ``function`` is a training step, a model or any function over tensors, compiled or not; the
    arguments are those of the failing call.  ``names`` gives parameters names for the report
    (``dict(model.named_parameters())``; a model's own are taken).  The first tensor among the
    arguments says how many rows the batch has.  Returns None if the result, all gradients and
    all parameters are finite.

    What the step changes in place, and the gradients it leaves, are as before when this returns.

    >>> import pellucid
    >>> found = find_first_nonfinite(lambda x: (x - 1.0).log().sum(), pellucid.ones(2) * 0.5)
    >>> found.value, found.phase, found.operation, found.count
    ('NaN', 'forward', 'log', 2)
    """
    if state.trace is not None:
        raise TraceError(
            "find_first_nonfinite() was called inside a compiled function",
            "call it from plain Python with the function's arguments",
        )
    while isinstance(function, CompiledFunction):
        function = function.function
    given = _tensors((args, kwargs))
    known = {id(t._cell): ("data", f"argument {i}") for i, t in enumerate(given)}
    if names is None and hasattr(function, "named_parameters"):
        names = dict(function.named_parameters())
    known.update({id(t._cell): ("parameter", name) for name, t in (names or {}).items()})
    batch = next((t.shape[0] for t in given if t.shape), None)
    search = _Search(known, batch)
    before, state.watcher = state.watcher, search
    try:
        result = function(*args, **kwargs)
        state.watcher = before
        return search.found(result)
    finally:
        state.watcher = before
        search.restore()


# ---- helpers -----------------------------------------------------------------------------------


def _phase() -> tuple[str, Record | None]:
    """Which part of a step runs now, and in backward the operation whose gradient is computed."""
    record: Record | None = None
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename.replace("\\", "/")
        if file.endswith("pellucid/transforms/differentiate.py"):
            if frame.f_code.co_name == "apply_rule":
                record = frame.f_locals["record"]
            elif frame.f_code.co_name == "reverse":
                return "backward", record
        if "/pellucid/optim/" in file:
            return "update", None
        frame = frame.f_back  # type: ignore[assignment]
    return "forward", None


def _tensors(tree: Any) -> list[TensorCore]:
    """All tensors of nested containers, in order; NumPy arrays as tensors that share memory."""
    if isinstance(tree, TensorCore):
        return [tree]
    if isinstance(tree, dict):
        return [t for value in tree.values() for t in _tensors(value)]
    if isinstance(tree, (list, tuple)):
        return [t for value in tree for t in _tensors(value)]
    return []


def kind_of_value(array: np.ndarray) -> str:
    """``NaN`` where there is one, else ``infinity``."""
    return "NaN" if bool(np.isnan(array).any()) else "infinity"


def _rows(array: np.ndarray, batch: int | None) -> npt.NDArray[np.int64] | None:
    """Rows of the batch in which an array with a line for each is not finite."""
    if batch is None or not array.ndim or array.shape[0] != batch:
        return None
    return np.flatnonzero(~np.isfinite(array.reshape(batch, -1)).all(axis=1))


def facts_of(cell: Cell) -> OperandFacts:
    """What is told of an operand."""
    array = np.asarray(cell.array)
    values = array[np.isfinite(array)] if array.dtype.kind in "fc" else array.reshape(-1)
    values = np.abs(values) if array.dtype.kind == "c" else values
    low, high = (float(values.min()), float(values.max())) if values.size else (np.nan, np.nan)
    return OperandFacts(tuple(array.shape), cell.dtype.name, low, high, array.size - values.size)
