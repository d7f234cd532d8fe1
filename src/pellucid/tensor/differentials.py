"""Derivatives of functions of tensors: the tape of one call, walked backwards or forwards.

A function is called on *variables*: tensors that show the values of its arguments and begin a
history of their own.  What it returns is known by the tape from there: cotangents go back to the
variables (:func:`pull`), tangents forward from them (:func:`push`), as often as somebody asks.
Both are computed by tensor operations, so they are recorded themselves where that is wanted, and
traced where a trace runs; so transformations nest in any order.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.base.errors import AutogradError
from pellucid.ops.structure import RESHAPE
from pellucid.tensor.autograd import grad, key_of, set_grad_enabled
from pellucid.tensor.core import TensorCore, lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.state import eager_kernels, state
from pellucid.transforms.forward import forward

_private: weakref.WeakValueDictionary[int, TensorCore] = weakref.WeakValueDictionary()
"""Variables of calls that are over, on which nothing depends that the caller records."""


def as_outside(tensor: TensorCore) -> TensorCore:
    """A tensor as whoever stands outside of all transformations sees it: what depends on nothing
    but variables of theirs has no history there."""
    if not (_private and state.grad_enabled and tensor._requires_grad):
        return tensor
    if tensor._cell.array is None or reaches_others([tensor], set(_private)):
        return tensor
    made: TensorCore = TensorCore.make(tensor._cell)
    return made


class Variables:
    """The arguments of one call as variables, and what depends on them.

    ``recorded`` says whether the caller records operations: only then results keep a history of
    what else they depend on.
    """

    def __init__(self, tensors: Sequence[TensorCore]) -> None:
        self.recorded = state.grad_enabled
        self._inner = any(t.requires_grad for t in tensors) or in_body()
        with set_grad_enabled(True):
            self.tensors = [variable(t) for t in tensors]
        self._keys = {key_of(t) for t in self.tensors}

    def finish(self, keeps: bool) -> None:
        """The call is over; only if the results ``keep`` a history do others record its slopes."""
        if not keeps:
            for tensor in self.tensors:
                if tensor._record is None:
                    _private[id(tensor)] = tensor

    def others(self, results: Sequence[TensorCore]) -> bool:
        """Whether the results have a history beyond the variables that the caller records."""
        if not self.recorded:
            return False
        return self._inner or reaches_others(results, self._keys)

    def released(self, result: TensorCore, keeps: bool) -> TensorCore:
        """A result as the caller sees it: with a history only if it ``keeps`` one."""
        if keeps or not result.requires_grad:
            return result
        made: TensorCore = TensorCore.make(result._cell)
        return made

    def pull(
        self, outputs: Sequence[TensorCore], cotangents: Sequence[Any], keeps: bool
    ) -> list[Any]:
        """Cotangents of the variables; zeros where none arrives."""
        pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
        if not pairs:
            return [zeros_of(t) for t in self.tensors]
        ends, seeds = [y for y, _ in pairs], [g for _, g in pairs]
        again = keeps or (state.grad_enabled and any(_records(g) for g in seeds)) or in_body()
        found = grad(ends, self.tensors, seeds, True, again, materialize_grads=True)
        return list(found)

    def push(
        self, outputs: Sequence[TensorCore], tangents: Sequence[Any], keeps: bool
    ) -> list[Any]:
        """Tangents of the outputs, None where none arrives."""
        again = keeps or (state.grad_enabled and any(_records(t) for t in tangents)) or in_body()
        start = {key_of(x): t for x, t in zip(self.tensors, tangents, strict=True) if t is not None}
        with set_grad_enabled(again):
            return pushed(outputs, start)


def pushed(outputs: Sequence[TensorCore], start: dict[int, Any]) -> list[Any]:
    """Tangents of ``outputs`` along the tape, from those of tensors by :func:`key_of` these."""
    for tensor in outputs:
        tensor.follow()
    autocast, state.autocast = state.autocast, None
    try:
        return forward(outputs, start, lambda t: t._record, key_of, _check)
    finally:
        state.autocast = autocast


def _check(record: Any, value: TensorCore) -> None:
    record.check_unchanged(value)


def _records(tensor: Any) -> bool:
    return tensor is not None and bool(tensor.requires_grad)


def in_body() -> bool:
    """Whether the step of a loop or a row of ``vmap`` is being traced: what is recorded outside
    is not known there, so everything counts as recorded."""
    return state.trace is not None and state.trace.is_body


def variable(tensor: TensorCore) -> Tensor:
    """A tensor that shows the value of another and begins a history, after that one's own."""
    if not tensor.dtype.is_floating_point:
        raise AutogradError(
            f"a tensor of {tensor.dtype.name} has no derivatives: only Tensors of floating point "
            "dtype can require gradients",
            "convert with .float(), or leave the argument out of argnums",
        )
    if tensor.requires_grad:
        shown: Tensor = tensor.apply_primitive(RESHAPE, (tensor,), {"shape": tuple(tensor.shape)})
        return shown
    trace = state.trace
    # In a trace a place of its own: what is read from outside is the tensor as it is there.
    cell = tensor._cell if trace is None else trace.snapshot(tensor)
    made: Tensor = TensorCore.make(cell)
    made._requires_grad = True
    return made


def zeros_of(tensor: TensorCore) -> Tensor:
    """Zeros of a tensor's shape and dtype."""
    return lift(np.zeros(tensor.shape, tensor.dtype.numpy))


def ones_of(tensor: TensorCore) -> Tensor:
    """Ones of a tensor's shape and dtype."""
    return lift(tensor.dtype.array(np.ones(tensor.shape)))


def reaches_others(results: Sequence[TensorCore], own: set[int]) -> bool:
    """Whether the history of the results has a leaf that is none of ``own``."""
    stack: list[TensorCore] = [t for t in results if t.requires_grad]
    seen: set[int] = set()
    while stack:
        tensor = stack.pop()
        key = key_of(tensor)
        if key in seen or key in own:
            continue
        seen.add(key)
        if tensor._record is None:
            return True
        stack.extend(t for t in tensor._record.inputs if t._requires_grad)
    return False


@contextmanager
def recording(forwards: bool = False) -> Iterator[None]:
    """Inside, operations are recorded as derivatives need them.

    Compiled functions run as the Python they are, and so, for tangents, do functions that are one
    kernel otherwise.
    """
    before, state.inline = state.inline, True
    try:
        with set_grad_enabled(True):
            if forwards and state.trace is None:
                with eager_kernels(False):
                    yield
            else:
                yield
    finally:
        state.inline = before
