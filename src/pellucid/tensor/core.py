"""The tensor: a cell, a place on the tape, and the application of primitives.

The methods people call are in the mixins beside this file; :mod:`pellucid.tensor.tensor` puts
them together.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from pellucid.base.dtypes import DType, as_dtype, float32
from pellucid.base.errors import AllocationError, ArgumentTypeError, AutogradError, TraceError
from pellucid.base.shapes import Shape, size_of
from pellucid.graph.node import CONSTANT, Primitive, Spec, constant, constant_value, current_layer
from pellucid.ops import elementwise
from pellucid.tensor.state import Cell, state
from pellucid.tensor.validity import changed

VALUE_FREE = frozenset({"add", "sub", "neg", "sum", "cumsum", "copy", "cast"})
"""Operations, beside those that only move elements, whose gradient reads no input's value."""


HEAVY: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], bool]] = {}
"""Name of a primitive → whether these operands and settings are worth a native kernel."""


FORM_FREE = frozenset(
    "reshape transpose broadcast_to slice pad concatenate take gather copy detach cast after "
    "index_put_".split()
)
"""Operations that handle values of the narrow types as they are, without arithmetic."""


def narrowed(tensor: TensorCore, dtype: DType) -> Any:
    """A float32 tensor in the dtype of autocasting; others as they are."""
    return elementwise.cast(tensor, dtype) if tensor._cell.dtype is float32 else tensor


def in_float32(
    primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
) -> Any:
    """An operation on narrow values (bfloat16, float16): computed in float32, then rounded."""
    narrow = next(t._cell.dtype for t in inputs if t._cell.dtype.is_narrow)
    wide = [elementwise.cast(t, float32) if t._cell.dtype.is_narrow else t for t in inputs]
    before, state.autocast = state.autocast, None
    try:
        result = wide[0].apply_primitive(primitive, wide, params)
    finally:
        state.autocast = before
    return elementwise.cast(result, narrow) if result._cell.dtype is float32 else result


_TORCH_NAMES = {
    "broadcast_to": "expand",
    "cast": "to_copy",
    "concatenate": "cat",
    "copy": "clone",
    "matmul": "mm",
    "reshape": "view",
}
"""Operation → its name in PyTorch's gradients, where that is another."""


class Record:
    """An entry of the tape: the operation that made a tensor, and from what.

    It remembers the storage and history that each input had at that time, so that a tensor
    which is changed in place later does not change the past.
    """

    __slots__ = (
        "op",
        "settings",
        "layer",
        "hooks",
        "owner",
        "kernel",
        "result_age",
        "_tensors",
        "_cells",
        "_records",
        "_ages",
        "_results",
        "__weakref__",
    )

    hooks: list[Callable[[Any], Any]] | None
    owner: weakref.ref[TensorCore] | None
    """The tensor that collects its gradient although it is no leaf (retain_grad)."""

    kernel: Any
    """What computes value and gradient natively (:mod:`.eager`), or None."""
    result_age: tuple[int, int] | None
    """With a kernel: the age of the result, which the gradient may read."""

    def __init__(
        self,
        op: Primitive,
        inputs: Sequence[TensorCore],
        settings: Mapping[str, Any],
        kernel: Any = None,
        result: Cell | None = None,
    ) -> None:
        self.op = op
        self.kernel = kernel
        self.result_age = None if result is None else result.age
        self.settings = settings
        self.layer = current_layer()
        self.hooks = None
        self.owner = None
        self._tensors = tuple(inputs)
        self._cells = [t._cell for t in inputs]
        self._records = [t._record for t in inputs]
        self._ages = [cell.age for cell in self._cells]
        self._results: dict[int, Cell] | None = None

    def name(self) -> str:
        """The operation as PyTorch names its gradients: ``MulBackward0``."""
        name = _TORCH_NAMES.get(self.op.name, self.op.name)
        words = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
        return f"{words}Backward0"

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @property
    def group(self) -> Hashable:
        """The same for all results of one application; see ``Primitive.results``."""
        return id(self._results)

    def result(self, number: int) -> TensorCore:
        """Another result of the same application, with its history."""
        cells = {} if self._results is None else self._results
        settings = {**self.settings, "output": number}
        if number not in cells and state.trace is not None:
            cells[number] = state.trace.apply(self.op, self.inputs, settings)._cell
        made: TensorCore = TensorCore.make(cells[number])
        if made.dtype.kind == "float":
            made._requires_grad = True
            made._record = Record(self.op, self.inputs, settings)
            made._record._results = cells
        return made

    @property
    def inputs(self) -> tuple[TensorCore, ...]:
        """The inputs as they were when the operation was recorded."""
        position = 0
        for tensor in self._tensors:
            if (
                tensor._cell is not self._cells[position]
                or tensor._record is not self._records[position]
            ):
                return self._remembered()
            position += 1
        return self._tensors

    def _remembered(self) -> tuple[TensorCore, ...]:
        """The inputs, other tensors in place of those that have changed since."""
        found = []
        for tensor, cell, record in zip(self._tensors, self._cells, self._records, strict=True):
            if tensor._cell is not cell or tensor._record is not record:
                requires_grad = record is not None or (tensor._requires_grad and tensor.is_leaf)
                tensor = TensorCore.make(cell)
                tensor._record, tensor._requires_grad = record, requires_grad
            found.append(tensor)
        return tuple(found)

    def check_unchanged(self) -> None:
        """Raise if an input was overwritten since: its gradient rule would use the wrong value.

        A function of the user's looks at what it saved itself.
        """
        if self.op.family in ("movement", "custom") or self.op.name in VALUE_FREE:
            return
        for cell, age in zip(self._cells, self._ages, strict=True):
            if cell.age != age:
                raise changed_since(cell, self)


def changed_since(cell: Cell, record: Record) -> AutogradError:
    """The error for a value that was overwritten although the gradient reads it."""
    return AutogradError(
        f"a tensor of shape {tuple(cell.shape)} that {record.op.name}"
        f"{' in ' + record.layer if record.layer else ''} needs for its gradient was "
        "modified in place after the forward pass",
        "call backward() before changing it, or change a copy: x.clone()",
    )


class TensorCore:
    """What every tensor has: value or node, dtype, shape, gradient, history."""

    __slots__ = ("_cell", "_requires_grad", "_grad", "_record", "_hooks", "__weakref__")

    make: ClassVar[Callable[[Cell], Any]]
    """Makes a plain tensor around a cell; set by the class that puts the mixins together."""

    kernel_of: ClassVar[Callable[[Primitive, Sequence[TensorCore], Mapping[str, Any]], Any]]
    """The native kernel for an application of a primitive, or None; set by :mod:`.eager`."""

    run_results: ClassVar[Callable[..., dict[int, Cell] | None]]
    """Those results (None: all) of a primitive with several, by a native kernel if there is one."""

    _cell: Cell
    _requires_grad: bool
    _grad: Any
    _record: Record | None
    _hooks: list[Callable[[Any], Any]] | None

    # ---- application of primitives ---------------------------------------------------------

    def apply_primitive(
        self, primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
    ) -> Any:
        """The tensor ``primitive`` makes of ``inputs``, computed now or traced, and recorded."""
        if state.autocast is not None and primitive.family == "contraction":
            inputs = [narrowed(t, state.autocast) for t in inputs]
        if (
            inputs[0]._cell.dtype.is_narrow or inputs[-1]._cell.dtype.is_narrow
        ) and primitive.name not in FORM_FREE:
            return in_float32(primitive, inputs, params)
        trace = state.trace
        if primitive.results is not None:
            own = {k: v for k, v in params.items() if k != "output"}
            return self.apply_results(primitive, inputs, own, (params["output"],))[0]
        kernel = result = None
        if trace is None:
            is_heavy = HEAVY.get(primitive.name)
            if is_heavy is not None and state.eager_kernels and is_heavy(inputs, params):
                kernel = TensorCore.kernel_of(primitive, inputs, params)
                result = None if kernel is None else kernel.run(inputs)
            if result is None:
                result = TensorCore.make(_compute(primitive, inputs, params))
        else:
            result = trace.apply(primitive, inputs, params)
        if state.grad_enabled and primitive.gradient is not None and result.dtype.kind == "float":
            for tensor in inputs:
                if tensor._requires_grad:
                    result._requires_grad = True
                    made = None if kernel is None else result._cell
                    result._record = Record(primitive, inputs, params, kernel, made)
                    break
        if state.watcher is not None and trace is None:
            state.watcher.operation(primitive, inputs, params, result)
        return result

    def apply_results(
        self,
        primitive: Primitive,
        inputs: Sequence[TensorCore],
        params: Mapping[str, Any],
        outputs: Sequence[int],
    ) -> list[Any]:
        """Those results, by number, of a primitive with several, in one application.

        While it is recorded, all results are kept for the gradient.
        """
        recorded = state.grad_enabled and any(t._requires_grad for t in inputs)
        trace = state.trace
        settings = [{**params, "output": k} for k in outputs]
        cells: dict[int, Cell]
        if trace is None:
            cells = _compute_results(primitive, inputs, params, outputs, recorded)
        else:
            made = [trace.apply(primitive, inputs, s) for s in settings]
            cells = {k: t._cell for k, t in zip(outputs, made, strict=True)}
        tensors = [TensorCore.make(cells[k]) for k in outputs]
        for tensor, own in zip(tensors, settings, strict=True):
            if recorded and tensor.dtype.kind == "float":
                tensor._requires_grad = True
                tensor._record = Record(primitive, inputs, own)
                tensor._record._results = cells
            if state.watcher is not None and trace is None:
                state.watcher.operation(primitive, inputs, own, tensor)
        return tensors

    def lift(self, array: np.ndarray) -> Any:
        """A constant tensor; part of the program while tracing."""
        return lift(array)

    # ---- facts -----------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """Extents of the axes, a tuple."""
        return self._cell.shape

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self._cell.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._cell.shape)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it; gradients are collected in leaves."""
        return self._record is None

    @property
    def grad_fn(self) -> Record | None:
        """The recorded operation that made it, None for a leaf."""
        return self._record

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded for backward."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` in place and return the tensor; leaves of float dtype only."""
        if requires_grad and not self.dtype.is_floating_point:
            raise AutogradError(
                f"a tensor of {self.dtype.name} cannot require gradients", "convert with .float()"
            )
        if not requires_grad and self._record is not None:
            raise AutogradError("only leaves can stop requiring gradients", "use .detach()")
        if bool(requires_grad) != self._requires_grad:
            self._requires_grad = bool(requires_grad)
            changed(self)
        return self

    @property
    def grad(self) -> TensorCore | None:
        """Gradient collected by ``backward()``, or None."""
        trace = state.trace
        found = self._grad if trace is None else trace.read_grad(self)
        return found() if callable(found) and not isinstance(found, TensorCore) else found

    @grad.setter
    def grad(self, value: TensorCore | None) -> None:
        if value is not None and not isinstance(value, TensorCore):
            raise ArgumentTypeError(
                f"a {type(value).__name__} was assigned as a gradient", "assign a tensor or None"
            )
        if value is not None and tuple(value.shape) != tuple(self.shape):
            raise AutogradError(
                f"a gradient of shape {tuple(value.shape)} does not fit a tensor of shape "
                f"{tuple(self.shape)}",
                "gradients have the shape of their tensor",
            )
        if state.trace is None:
            before, self._grad = self._grad, value
            if before is not value:
                changed(self)
        else:
            state.trace.write_grad(self, value)

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    # ---- values ----------------------------------------------------------------------------

    def array(self) -> np.ndarray:
        """The value as a NumPy array that shares memory; raises while it is only traced."""
        cell = self._cell
        if state.trace is not None and cell.node is not None and cell.node.op is CONSTANT:
            return constant_value(cell.node)
        found = cell.array
        if found is None and cell.recipe is not None and state.trace is None:
            restored: np.ndarray = cell.recipe.restore(cell)
            return restored
        if found is None or state.trace is not None:
            raise TraceError(
                f"the value of a tensor of shape {tuple(self.shape)} is not known while the "
                f"program is being compiled{state.trace.where() if state.trace else ''}",
                "inside a compiled function use tensor operations such as pellucid.where instead "
                "of Python's if, and return what you want to print",
            )
        return found

    def assign(self, value: TensorCore) -> None:
        """Overwrite the value in place (shape and dtype stay); the tape is not touched."""
        cell = self._cell
        if state.trace is not None:
            state.trace.assign(cell, value)
            return
        if state.watcher is not None:
            state.watcher.assignment(cell, value)
        if cell.array is None:
            self.array()
        elif cell.array.flags.writeable:
            np.copyto(cell.array, value.array())
            cell.changes[0] += 1
        else:
            cell.replace(np.array(value.array(), order="C"))


def _compute(primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]) -> Cell:
    """Evaluate at once: the shape rule first, so that errors are ours, then NumPy."""
    spec = _result_spec(primitive, inputs, params)
    try:
        array = primitive.evaluate(*[t.array() for t in inputs], **params)
    except MemoryError:
        raise no_memory(spec.shape, spec.dtype) from None
    if array.__class__ is not np.ndarray or array.dtype != spec.dtype.numpy:
        array = np.asarray(array, spec.dtype.numpy)
    base = inputs[0]._cell if primitive.family == "movement" and array.base is not None else None
    return Cell(array, spec.dtype, base=base)


def no_memory(shape: Shape, dtype: DType) -> AllocationError:
    """The error for a tensor that is too large for the memory there is."""
    gibibytes = size_of(shape) * dtype.itemsize / 2**30
    return AllocationError(
        f"there is no memory for a tensor of shape {tuple(shape)}, {dtype.name}: it would take "
        f"{gibibytes:,.4g} GiB",
        "make it smaller, work on parts of it, or use a narrower dtype",
    )


def _compute_results(
    primitive: Primitive,
    inputs: Sequence[TensorCore],
    params: Mapping[str, Any],
    outputs: Sequence[int],
    all_of_them: bool,
) -> dict[int, Cell]:
    """Evaluate an operation with several results at once: those asked for, or all."""
    specs = [Spec(t._cell.shape, t._cell.dtype) for t in inputs]
    for k in outputs:
        primitive.infer(*specs, **params, output=k)
    if primitive.results is None:
        return {}
    is_heavy = HEAVY.get(primitive.name)
    if is_heavy is not None and state.eager_kernels and is_heavy(inputs, params):
        made = TensorCore.run_results(primitive, inputs, params, None if all_of_them else outputs)
        if made is not None:
            return made
    numbers = None if all_of_them else tuple(outputs)
    found = primitive.results(*[t.array() for t in inputs], outputs=numbers, **params)
    return {k: Cell(array) for k, array in found.items()}


_specs: dict[tuple[Any, ...], Spec] = {}
"""What shape rules gave before: operation, parameters, shapes and dtypes → shape and dtype."""
KNOWN_SPECS = 4096


def _result_spec(
    primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
) -> Spec:
    """Shape and dtype of the result, by the primitive's rule, which raises on bad input."""
    parts: list[Any] = [primitive]
    for tensor in inputs:
        cell = tensor._cell
        parts.append(cell.shape)
        parts.append(cell.dtype)
    if params:
        parts.append(tuple(params.items()))
    key = tuple(parts)
    found = _specs.get(key)
    if found is None:
        specs = [Spec(t._cell.shape, t._cell.dtype) for t in inputs]
        found = primitive.infer(*specs, **params)
        if len(_specs) >= KNOWN_SPECS:
            _specs.clear()
        _specs[key] = found
    return found


def lift(array: np.ndarray) -> Any:
    """A constant tensor, whether a program is being traced or not."""
    if state.trace is None:
        return TensorCore.make(Cell(array, as_dtype(array.dtype)))
    return TensorCore.make(Cell(None, node=constant(np.asarray(array)), trace=state.trace))


def initialize(tensor: TensorCore, cell: Cell) -> None:
    """Give a new tensor object its cell and an empty history."""
    tensor._cell = cell
    tensor._requires_grad = False
    tensor._grad = None
    tensor._record = None
    tensor._hooks = None
