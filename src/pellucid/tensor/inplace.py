"""Changes in place: what happens to memory, to the tape, and to everything that shows the memory.

A tensor's *cell* is a place that never moves: a change writes into it, so everything that shares
the memory (views, their base, ``x.detach()``, NumPy arrays) has the new value.  The *history* of a
change goes three ways.  The tensor itself takes over the history of its new value; what it is a
view of, up to the first base, gets a record that says "the base, with that part replaced"
(:data:`~pellucid.ops.views.PUT_VIEW`); other views of the same base look up what they have
missed when they are used next (:meth:`TensorCore.follow`).  The value from before lives on as a
*shadow* for the operation that replaced it, and for older records that need it.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import DType
from pellucid.base.errors import AutogradError, InPlaceError
from pellucid.graph.node import Primitive
from pellucid.ops import structure
from pellucid.ops.registry import Value, scalar
from pellucid.ops.views import PUT_VIEW, is_stretched_view
from pellucid.tensor.core import Record, TensorCore, View, forbidden, set_history
from pellucid.tensor.state import Cell, state


def _replaced(*operands: Any, **params: Any) -> Any:
    raise InPlaceError("overwrite has no definition as a primitive", "use copy_()")


def _overwrite_gradient(g: Value, y: Value, before: Value, value: Value) -> tuple[Value, Value]:
    return structure.broadcast_to(scalar(g, 0.0), before.shape), g


def _overwrite_tangent(
    tangents: Sequence[Value | None], y: Value, before: Value, value: Value
) -> Value | None:
    return tangents[1]


OVERWRITE = Primitive(
    "overwrite",
    "movement",
    "the second",
    _replaced,
    _replaced,
    _overwrite_gradient,
    tuple,
    tangent=_overwrite_tangent,
)
"""Stands on the tape for a tensor that was overwritten by another: the old value has slope 0."""

_KINDS = {"bool": 0, "int": 1, "float": 2}
_TORCH_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
}


# ---- what is allowed ------------------------------------------------------------------------


def check_result_type(result: DType, target: DType) -> None:
    """Raise if an operation in place would squeeze its result into a lower kind of number."""
    if _KINDS[result.kind] > _KINDS[target.kind]:
        raise InPlaceError(
            f"result type {_TORCH_NAMES.get(result.name, result.name)} can't be cast to the "
            f"desired output type {_TORCH_NAMES.get(target.name, target.name)}: an operation in "
            f"place on {target.name} gave {result.name}",
            f"convert first: x = x.to({result.name}), or use the form that is not in place",
        )


def is_recorded(tensor: TensorCore, new: TensorCore) -> bool:
    """Whether a change of ``tensor`` to ``new`` is part of what gradients flow through."""
    if not state.grad_enabled:
        return False
    if tensor.requires_grad or new.requires_grad:
        return True
    view = tensor._view  # made under no_grad, of a base that requires gradients
    return view is not None and tensor._cell.dtype.kind == "float" and view.owner().requires_grad


def check_history_allowed(tensor: TensorCore) -> None:
    """Raise if a change of this tensor that has a history could not be told apart on the tape."""
    if tensor._view is not None:
        if tensor._view.kind != "plain":
            raise forbidden(tensor._view, "it is")
        root = tensor
        while root._view is not None:
            root = root._view.owner()
        if _is_leaf(root):
            raise AutogradError(
                "a view of a leaf that requires gradients cannot be changed in place while "
                "operations are recorded: a view of a leaf Variable that requires grad is being "
                "used in an in-place operation",
                "change a copy: x.clone(), or wrap the change in pellucid.no_grad()",
            )
    if _is_leaf(tensor):
        raise AutogradError(
            "a leaf that requires gradients cannot be changed in place while operations are "
            "recorded: a leaf Variable that requires grad is being used in an in-place operation",
            "wrap the change in pellucid.no_grad()",
        )


def _is_leaf(tensor: TensorCore) -> bool:
    """Whether gradients are collected in it; an argument may have a history outside."""
    if not tensor._requires_grad or tensor._record is not None:
        return False
    return state.trace is None or id(tensor) not in state.trace.inner


# ---- the value from before ------------------------------------------------------------------


def shadow_of(tensor: TensorCore) -> Any:
    """The value and history of now, to be an operand of what replaces them.

    Without it the tape of ``x += y`` would name ``x`` itself, which by then is the result.
    """
    if not state.grad_enabled:
        return tensor
    tensor.follow()
    made: TensorCore = TensorCore.make(_past_of(tensor))
    made._requires_grad, made._record = tensor._requires_grad, tensor._record
    return made


def _past_of(tensor: TensorCore) -> Cell:
    """A cell that keeps the value of now; it has its own memory from the next change on."""
    cell, trace = tensor._cell, state.trace
    if trace is None:
        past = Cell(tensor.array(), cell.dtype)
        past.take_age(cell)
    elif not trace.holds(tensor):
        return cell  # a constant of a loop
    else:
        past = trace.snapshot(tensor)
    known = [r for r in cell.past or () if r() is not None]
    cell.past = [*known, weakref.ref(past)]
    return past


class _Readers:
    """Around a change: records that read views of the memory keep what they read.

    Those whose part of the memory is overwritten get a copy; to the others nothing has happened.
    """

    def __init__(self, tensor: TensorCore) -> None:
        self._others: list[tuple[Record, int]] = []
        cell = tensor._cell
        if state.trace is not None or not cell.changes[2]:
            return
        written = tensor.array()
        copies: dict[Cell, Cell] = {}
        for record in [reference() for reference in cell.changes[2]]:
            for position, read in [] if record is None else record.reads(cell.changes):
                if not np.may_share_memory(read.array, written):
                    self._others.append((record, position))
                    continue
                if read not in copies:
                    copies[read] = past = Cell(np.array(read.array), read.dtype)
                    past.take_age(read)
                record.keep(position, copies[read])

    def close(self) -> None:
        """The change is done."""
        for record, position in self._others:
            record.still_reads(position)


def _write(tensor: TensorCore, new: TensorCore) -> None:
    """Write the value, after those who need the one from before have got it for themselves."""
    cell = tensor._cell
    if state.trace is not None:
        state.trace.assign(cell, new)
        return
    array = tensor.array()
    found = [reference() for reference in cell.past or ()]
    sharing = [past for past in found if past is not None and past.array is array]
    found.clear()
    if not array.flags.writeable or is_stretched_view(cell.base, array):
        tensor.assign(new)
        return
    if state.watcher is not None:
        state.watcher.assignment(cell, new)
    alone = new._record is None or new._record._results is None
    if alone and _can_move(cell, new._cell, len(sharing)):
        cell.array = new._cell.array  # the old array stays with the past
    else:
        if sharing:
            kept = array.copy()
            for past in sharing:
                past.array, past._pointer = kept, 0
        np.copyto(array, new.array())
    cell.changes[0] += 1


_references = getattr(sys, "getrefcount", None)


def _can_move(cell: Cell, new: Cell, sharing: int) -> bool:
    """Whether the new array can take the old one's place: nobody else knows either of them.

    Only saves a copy.  An array somebody shows, holds, or has the address of has more references
    than a fresh one, a base, or a pointer.
    """
    if _references is None or cell.base is not None or new.base is not None:
        return False
    old_array, new_array = cell.array, new.array
    if old_array is None or new_array is None or cell._pointer or new._pointer:
        return False
    fits = new_array.shape == old_array.shape and new_array.dtype == old_array.dtype
    owned = old_array.base is None and new_array.base is None and new_array.flags.writeable
    del old_array, new_array
    # One more reference in _write, which holds the old array.
    alone = _references_of_fresh()
    return (
        fits
        and owned
        and _references(cell.array) <= alone + 1 + sharing
        and _references(new.array) <= alone
    )


@functools.cache
def _references_of_fresh() -> int:
    """What this interpreter counts for an array that only its cell holds."""
    cell = Cell(np.zeros(1))
    return 0 if _references is None else int(_references(cell.array))


# ---- the change -----------------------------------------------------------------------------


def change(tensor: TensorCore, new: TensorCore) -> None:
    """``tensor`` becomes ``new``, of its shape and dtype: an operation's result nobody else has."""
    if not state.grad_enabled:
        tensor.assign(new)
        return
    tensor.follow()
    if not is_recorded(tensor, new):
        tensor.assign(new)
        return
    check_history_allowed(tensor)
    if any(reference() is new._cell for reference in tensor._cell.past or ()):
        return  # the operation gave its operand back
    if new._record is None:
        overwrite(tensor, new)
        return
    readers = _Readers(tensor)
    _write(tensor, new)
    readers.close()
    record, requires_grad = new._record, new._requires_grad
    record.result_age = tensor._cell.age
    _told(tensor, record, requires_grad)


def overwrite(tensor: TensorCore, source: TensorCore) -> None:
    """``tensor`` gets the value of ``source``, of its shape and dtype, that goes on as it is."""
    if not state.grad_enabled:
        tensor.assign(source)
        return
    tensor.follow()
    if not is_recorded(tensor, source):
        tensor.assign(source)
        return
    check_history_allowed(tensor)
    operands = (_stand_in(tensor), _stand_in(source))
    readers = _Readers(tensor)
    tensor.assign(source)
    readers.close()
    _told(tensor, Record(OVERWRITE, operands, {}, tensor._cell), True)


def _stand_in(tensor: TensorCore) -> TensorCore:
    """Another object with this place and history, which later changes of the tensor leave alone."""
    made: TensorCore = TensorCore.make(tensor._cell)
    if tensor._requires_grad and tensor._record is None:
        return tensor  # a leaf: gradients are collected in it
    made._requires_grad, made._record = tensor._requires_grad, tensor._record
    return made


def _told(tensor: TensorCore, record: Record, requires_grad: bool) -> None:
    """The tensor has this history now, and so has what it is a view of."""
    set_history(tensor, record, requires_grad)
    views: list[View] = []
    view, shown = tensor._view, tensor
    while view is not None:
        views.append(view)
        base = view.owner()
        base.follow()
        parts = (_stand_in(base), _stand_in(shown))
        settings = {"view": view.op, "params": view.params}
        set_history(base, Record(PUT_VIEW, parts, settings, base._cell), True)
        view, shown = base._view, base
    changes = tensor._cell.changes
    changes[1] += 1
    for view in views:
        view.rewrites = changes[1]
