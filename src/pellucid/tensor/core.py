"""The tensor: a cell, a place on the tape, and the application of primitives.

The methods people call are in the mixins beside this file; :mod:`pellucid.tensor.tensor` puts
them together.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from pellucid.base.caches import register_cache
from pellucid.base.dtypes import DType, as_dtype, float32
from pellucid.base.errors import (
    AllocationError,
    ArgumentTypeError,
    AutogradError,
    PellucidError,
    TraceError,
)
from pellucid.base.shapes import Shape, Size, size_of
from pellucid.graph.node import Primitive, Spec, constant, current_layer
from pellucid.ops import elementwise
from pellucid.ops.views import AS_STRIDED, VIEWS, is_stretched_view, stretched
from pellucid.tensor.reads import rule_reads
from pellucid.tensor.state import Cell, state
from pellucid.tensor.validity import changed

HEAVY: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], bool]] = {}
"""Name of a primitive → whether these operands and settings are worth a native kernel."""


FORM_FREE = frozenset(VIEWS) | frozenset(
    "pad concatenate take gather copy detach cast after index_put_".split()
)
"""Operations that handle values of the narrow types as they are, without arithmetic.

All views are among them: a view of the values in float32 would show other memory.
"""


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


_new_tuple = tuple.__new__


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
        "line",
        "packed",
        "result_age",
        "spent",
        "_tensors",
        "_cells",
        "_records",
        "_ages",
        "_results",
        "_result_ages",
        "__weakref__",
    )

    hooks: list[Callable[[Any], Any]] | None
    owner: weakref.ref[TensorCore] | None
    """The tensor that collects its gradient although it is no leaf (retain_grad)."""

    kernel: Any
    """What computes value and gradient natively (:mod:`.eager`), or None."""
    line: str
    """The user's line, where someone wants to know it (:mod:`.anomaly`)."""
    packed: Any
    """What hooks made of the values that the gradient reads (:mod:`.saved`), or None."""
    result_age: tuple[int, int]
    """The age of the result, which the gradient may read."""
    spent: bool
    """Whether a backward pass has been here that was not told to keep what gradients read."""

    def __init__(
        self,
        op: Primitive,
        inputs: Sequence[TensorCore],
        settings: Mapping[str, Any],
        result: Cell,
        kernel: Any = None,
    ) -> None:
        self.op = op
        self.kernel = kernel
        self.result_age = (result.changes[0], result.runs[0])
        self.settings = settings
        self.layer = current_layer()
        self.line = "" if state.recorded_line is None else state.recorded_line()
        self.hooks = None
        self.owner = None
        self.spent = False
        self._tensors = tuple(inputs)
        self._cells = cells = [t._cell for t in inputs]
        self._records = [t._record for t in inputs]
        for position, cell in enumerate(cells):
            if cell.base is not None:  # a view, which changes with its base
                if state.trace is None:
                    cell.read_by(self)
                elif not (inputs[position]._requires_grad and inputs[position]._record is None):
                    # (A leaf stays itself: its gradient is looked up by it.)
                    cells[position] = state.trace.snapshot(inputs[position])
        self._ages = [(cell.changes[0], cell.runs[0]) for cell in cells]
        self._results: dict[int, Cell] | None = None
        self._result_ages: dict[int, tuple[int, int]] = {}
        self.packed = None
        if state.saved_hooks is not None and state.trace is None:
            self.packed = state.saved_hooks.packed(self, inputs, result)

    def replace_inputs(self, tensors: Sequence[TensorCore]) -> None:
        """Others stand for the inputs from now on, with their history and without their values."""
        self._tensors = tuple(tensors)
        self._cells = [t._cell for t in tensors]
        self._records = [t._record for t in tensors]
        self._ages = [(cell.changes[0], cell.runs[0]) for cell in self._cells]

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """What made each input, and which of its results that is: (None, 0) where no gradient
        flows, an :class:`AccumulateGrad` for a leaf."""
        found: list[tuple[Any, int]] = []
        for tensor in self.inputs:
            record = tensor._record
            if record is not None:
                found.append((record, record.settings.get("output", 0)))
            else:
                found.append((AccumulateGrad(tensor) if tensor._requires_grad else None, 0))
        return tuple(found)

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
        made: TensorCore = TensorCore.make(self._as_it_was(number, cells[number]))
        if made.dtype.is_differentiable:
            made._requires_grad = True
            made._record = Record(self.op, (), settings, made._cell)
            made._record.read_as(self)
            made._record.join(cells, self._result_ages)
        return made

    def read_as(self, other: Record) -> None:
        """The operation read what another result's record says, whichever trace runs now."""
        self.layer, self.line = other.layer, other.line
        self._tensors, self._cells = other._tensors, list(other._cells)
        self._records, self._ages = list(other._records), list(other._ages)

    def join(self, cells: dict[int, Cell], ages: dict[int, tuple[int, int]] | None = None) -> None:
        """These are all results of the operation (or those known), now or at these ages."""
        self._results = cells
        self._result_ages = {k: c.age for k, c in cells.items()} if ages is None else ages

    def _as_it_was(self, number: int, cell: Cell) -> Cell:
        age = self._result_ages.get(number, cell.age)
        if cell.age == age or self.op.family == "custom":  # whose rule looks at what it saved
            return cell
        past = cell.at(age)
        if past is None:
            raise changed_since(cell, self)
        return past

    @property
    def inputs(self) -> tuple[TensorCore, ...]:
        """The inputs as they were when the operation was recorded."""
        position = 0
        for tensor in self._tensors:
            cell = self._cells[position]
            if (
                tensor._cell is not cell
                or tensor._record is not self._records[position]
                or cell.changes[0] != self._ages[position][0]
            ):
                return self._remembered()
            position += 1
        return self._tensors

    def _remembered(self) -> tuple[TensorCore, ...]:
        """The inputs, other tensors in place of those that have changed since."""
        found = []
        for tensor, cell, record, age in zip(
            self._tensors, self._cells, self._records, self._ages, strict=True
        ):
            past = cell if cell.age == age else cell.at(age) or cell
            if tensor._cell is not past or tensor._record is not record:
                leaf = tensor._requires_grad and tensor._record is None
                tensor = TensorCore.make(past)
                tensor._record, tensor._requires_grad = record, leaf or record is not None
            found.append(tensor)
        return tuple(found)

    def keep(self, position: int, past: Cell) -> None:
        """An input is about to be overwritten; this is a copy of it."""
        self._cells[position] = past

    def reads(self, changes: list[Any]) -> list[tuple[int, Cell]]:
        """Positions and cells of inputs in the memory with these changes that are as they were."""
        return [
            (i, cell)
            for i, cell in enumerate(self._cells)
            if cell.changes is changes and cell.age == self._ages[i] and cell.array is not None
        ]

    def still_reads(self, position: int) -> None:
        """Another part of the memory was overwritten: this input is as it was."""
        self._ages[position] = self._cells[position].age

    def check_unchanged(self, value: TensorCore) -> None:
        """Raise if the gradient rule reads what was overwritten since: an input, or the value.

        A kernel and a function of the user's look at what they read themselves.
        """
        if self.kernel is None and self.op.family not in ("movement", "custom"):
            self.check_rule(value)

    def check_rule(self, value: TensorCore) -> None:
        """Raise if the gradient rule itself reads what was overwritten since."""
        changed = self._changed(self.inputs, value)
        if changed:
            read = rule_reads(self.op, self.settings, self.inputs, value, changed)
            if read is not None:
                raise changed_since((*self.inputs, value)[read]._cell, self)

    def check_read(
        self, inputs: Sequence[TensorCore], value: TensorCore, operands: Sequence[int]
    ) -> None:
        """Raise if one of ``operands`` (the inputs, then the value) was overwritten since."""
        for i in self._changed(inputs, value):
            if i in operands:
                raise changed_since((*inputs, value)[i]._cell, self)

    def check_inputs_unchanged(self, value: TensorCore) -> None:
        """Raise if an input was overwritten since: the whole function runs again."""
        inputs = self.inputs
        self.check_read(inputs, value, range(len(inputs)))

    def check_unspent(self, value: TensorCore) -> None:
        """Raise if a backward pass used up what the gradient rule reads.

        A rule that reads nothing but shapes, or a single number, may run as often as one likes;
        a function of the user's says itself what it saved.
        """
        if not self.spent or self.op.family == "custom" and self.op.name != "compiled function":
            return
        if self.kernel is None and self.op.family != "custom" and self.op.results is None:
            inputs = self.inputs
            saved = [i for i, t in enumerate(inputs) if t._cell.shape or t._requires_grad]
            saved.append(len(inputs))
            if rule_reads(self.op, self.settings, inputs, value, saved) is None:
                return
        raise second_time(self)

    def _changed(self, inputs: Sequence[TensorCore], value: TensorCore) -> list[int]:
        """Which of the inputs, and of the value after them, are not what they were."""
        changed = [i for i, t in enumerate(inputs) if t._cell.age != self._ages[i]]
        if value._cell.age != self.result_age:
            changed.append(len(inputs))
        return changed


class AccumulateGrad:
    """The end of a history: the leaf ``variable``, in which the gradient is collected."""

    __slots__ = ("variable",)

    next_functions: tuple[tuple[Any, int], ...] = ()

    def __init__(self, variable: TensorCore) -> None:
        self.variable = variable

    def name(self) -> str:
        """``AccumulateGrad``."""
        return "AccumulateGrad"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


def changed_since(cell: Cell, record: Record) -> AutogradError:
    """The error for a value that was overwritten although the gradient reads it."""
    return AutogradError(
        f"a tensor of shape {tuple(cell.shape)} that {record.op.name}"
        f"{' in ' + record.layer if record.layer else ''} needs for its gradient was "
        "modified in place after the forward pass",
        "call backward() before changing it, or change a copy: x.clone()",
    )


def second_time(record: Record) -> AutogradError:
    """The error for a second walk through an operation whose values were given up."""
    return AutogradError(
        f"{record.op.name}{' in ' + record.layer if record.layer else ''} was to be differentiated "
        "again, but the values that its gradient reads were given up: this goes backward through "
        "the graph a second time",
        "pass retain_graph=True to the first backward() or grad(), or compute the output again",
    )


class View:
    """How a tensor shows another one: by which operation, and which history it has seen.

    ``kind`` is "plain", or says why a view may not be part of changes that have a history:
    it is one of several results of a function ("several"), or was made under no_grad ("no_grad").
    """

    __slots__ = ("base", "cell", "op", "params", "kind", "rewrites")

    def __init__(
        self, base: TensorCore, op: Primitive, params: Mapping[str, Any], kind: str
    ) -> None:
        self.base = base
        self.cell = base._cell
        self.op = op
        self.params = params
        self.kind: str = "plain" if base._view is None else base._view.kind
        if self.kind == "plain":
            self.kind = kind
        self.rewrites = base._cell.changes[1]

    def owner(self) -> TensorCore:
        """The tensor that is shown, also if it has got another shape in place since."""
        base = self.base
        while base._cell is not self.cell and base._view is not None:
            base = base._view.base
        return base


class TensorCore:
    """What every tensor has: value or node, dtype, shape, gradient, history."""

    __slots__ = ("_cell", "_requires_grad", "_grad", "_record", "_hooks", "_view", "__weakref__")

    make: ClassVar[Callable[[Cell], Any]]
    """Makes a plain tensor around a cell; set by the class that puts the mixins together."""

    kernel_of: ClassVar[Callable[[Primitive, Sequence[TensorCore], Mapping[str, Any]], Any]]
    """The native kernel for an application of a primitive, or None; set by :mod:`.eager`."""

    run_results: ClassVar[Callable[..., dict[int, Cell] | None]]
    """Those results (None: all) of a primitive with several, by a native kernel if there is one."""

    sparse_class: ClassVar[Any]
    """The class of sparse tensors; set by :mod:`.sparse`."""

    _cell: Cell
    _requires_grad: bool
    _grad: Any
    _record: Record | None
    _hooks: list[Callable[[Any], Any]] | None
    _view: View | None
    """What it is a view of; see :mod:`.inplace`."""

    answers_functions: ClassVar[bool] = False
    """Whether the class has methods of its own that ``pellucid.name(x)`` calls."""

    @property
    def identity(self) -> object:
        """What tells these values in memory from others."""
        return id(self._cell)

    # ---- application of primitives ---------------------------------------------------------

    def apply_primitive(
        self, primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
    ) -> Any:
        """The tensor ``primitive`` makes of ``inputs``, computed now or traced, and recorded."""
        if state.autocast is not None and primitive.family == "contraction":
            inputs = [narrowed(t, state.autocast) for t in inputs]
        if (
            inputs
            and (
                inputs[0]._cell.dtype.is_narrow
                or inputs[-1]._cell.dtype.is_narrow
                or (len(inputs) == 3 and inputs[1]._cell.dtype.is_narrow)
            )
            and primitive.name not in FORM_FREE
        ):
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
        if state.grad_enabled and primitive.gradient is not None and result.dtype.is_differentiable:
            for tensor in inputs:
                if tensor._view is not None:
                    tensor.follow()
            for tensor in inputs:
                if tensor._requires_grad:
                    result._requires_grad = True
                    result._record = Record(primitive, inputs, params, result._cell, kernel)
                    break
        if result._cell.base is not None:
            kind = "plain" if state.grad_enabled else "no_grad"
            result._view = View(inputs[0], primitive, params, kind)
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
        recorded = state.grad_enabled and any(t.requires_grad for t in inputs)
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
            if recorded and tensor.dtype.is_differentiable:
                tensor._requires_grad = True
                tensor._record = Record(primitive, inputs, own, tensor._cell)
                tensor._record.join(cells)
            if state.watcher is not None and trace is None:
                state.watcher.operation(primitive, inputs, own, tensor)
        return tensors

    def lift(self, array: np.ndarray) -> Any:
        """A constant tensor; part of the program while tracing."""
        return lift(array)

    def follow(self) -> None:
        """A view takes over what has happened to the history of its base since."""
        view = self._view
        if view is None or view.rewrites == self._cell.changes[1]:
            return
        base = view.owner()
        base.follow()
        is_leaf = self._requires_grad and self._record is None  # by requires_grad_()
        if not is_leaf:
            has_history = base._requires_grad and self._cell.dtype.is_differentiable
            if has_history and view.kind != "plain":  # and so at each further look
                raise forbidden(view, "its base or another view of its base has been")
            record = Record(view.op, (base,), view.params, self._cell) if has_history else None
            set_history(self, record, has_history)
        view.rewrites = self._cell.changes[1]

    def _has_lost_history(self) -> bool:
        """Whether it has a history that cannot be told, after :meth:`follow`."""
        if self._view is not None:
            try:
                self.follow()
            except AutogradError:
                return True
        return False

    # ---- facts -----------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """Extents of the axes: a tuple that is a :class:`~pellucid.Size`."""
        return _new_tuple(Size, self._cell.shape)

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
        return not self._has_lost_history() and self._record is None

    @property
    def grad_fn(self) -> Record | None:
        """The recorded operation that made it, None for a leaf."""
        self.follow()
        return self._record

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded for backward."""
        return self._has_lost_history() or self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` in place and return the tensor; float and complex leaves."""
        if requires_grad and not self.dtype.is_differentiable:
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
        cell, trace = self._cell, state.trace
        if trace is not None and cell.node is not None:
            known: np.ndarray | None = trace.constant(cell)
            if known is not None:
                return known
        found = cell.array
        if found is None and cell.recipe is not None and trace is None:
            restored: np.ndarray = cell.recipe.restore(cell)
            return restored
        if found is None or (trace is not None and not trace.knows(cell)):
            raise TraceError(
                f"the value of a tensor of shape {tuple(self.shape)} is not known while the "
                f"program is being compiled{trace.where() if trace else ''}",
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
        array = self.array() if cell.array is None else cell.array
        if is_stretched_view(cell.base, array):
            raise stretched(array.shape)
        if array.flags.writeable:
            np.copyto(array, value.array())
            cell.changes[0] += 1
        else:
            cell.replace(np.array(value.array(), order="C"))


def set_history(tensor: TensorCore, record: Record | None, requires_grad: bool) -> None:
    """Give a tensor another history; one from outside of the running trace only until its end."""
    if state.trace is not None:
        state.trace.borrow(tensor)
    tensor._record, tensor._requires_grad = record, requires_grad


def forbidden(view: View, what: str) -> AutogradError:
    """The error for a view whose history cannot be told after a change in place."""
    if view.kind == "several":
        return AutogradError(
            f"this tensor is one of several views that a function returned, and {what} modified "
            "in place",
            "index the base instead: x[i], or change a copy: x.clone()",
        )
    return AutogradError(
        f"a view was created in no_grad mode, and {what} modified in place with grad mode enabled",
        "make the view and the change both inside of no_grad, or both outside",
    )


def _compute(primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]) -> Cell:
    """Evaluate at once: the shape rule first, so that errors are ours, then NumPy."""
    spec = _result_spec(primitive, inputs, params)
    try:
        array = primitive.evaluate(*[t.array() for t in inputs], **params)
    except (MemoryError, OverflowError, ValueError) as error:
        if isinstance(error, PellucidError):
            raise
        most = 0 if isinstance(error, MemoryError) else MOST_BYTES
        check_size(spec.shape, spec.dtype, most)
        raise
    if array.__class__ is not np.ndarray or array.dtype != spec.dtype.numpy:
        array = np.asarray(array, spec.dtype.numpy)
    if primitive.name in VIEWS:
        shown = inputs[0].array()
        copied = array.base is not shown and (array.base is None or array.base is not shown.base)
        if primitive is AS_STRIDED:  # whose array has a base of its own
            copied = not np.may_share_memory(array, shown)
        if primitive.name not in MAY_COPY or not copied:
            return Cell(array, spec.dtype, base=inputs[0]._cell)
    return Cell(array, spec.dtype)


MAY_COPY = ("reshape", "as_strided", "view_as_complex")
"""Operations that make views where the order of elements in memory allows it, else copies."""
MOST_BYTES = 1 << 47
"""No tensor is larger: that is the address space of a process."""


def check_size(shape: Shape, dtype: DType, most: int = MOST_BYTES) -> None:
    """Raise ``AllocationError`` for a tensor of more than ``most`` bytes."""
    if size_of(shape) * dtype.itemsize > most:
        raise no_memory(shape, dtype) from None


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
register_cache("shape rules", _specs.clear)


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
    tensor._view = None
