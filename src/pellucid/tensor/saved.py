"""Hooks on what the tape keeps for the gradient: ``autograd.graph.saved_tensors_hooks``.

While they are set, a record of the tape does not hold the values that its gradient rule reads, but
what ``pack`` made of them; ``unpack`` gives them back in the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentTypeError, AutogradError, ShapeError
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.reads import rule_reads
from pellucid.tensor.state import Cell, eager_kernels, state
from pellucid.transforms.differentiate import apply_rule


class _Gone:
    """In the place of a value that is not kept as it was."""

    def restore(self, cell: Cell) -> np.ndarray:
        """Raises: the value was packed."""
        raise AutogradError(
            f"a value of shape {tuple(cell.shape)} on the tape was packed by saved_tensors_hooks",
            "forward mode reads values as they were: leave the hooks out there",
        )


_GONE = _Gone()


class _Packed:
    """What a record keeps: handles by position, the result's after those of the inputs."""

    def __init__(self, handles: dict[int, Any], unpack: Callable[[Any], Any]) -> None:
        self._handles = handles
        self._unpack = unpack

    def _value(self, position: int, like: TensorCore) -> TensorCore:
        """A tensor with the history of ``like`` and the value that comes out of the hook."""
        if position not in self._handles:
            return _nothing_like(like) if like._cell.recipe is _GONE else like
        found = self._unpack(self._handles[position])
        if not isinstance(found, TensorCore):
            raise ArgumentTypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                f"type {type(found).__name__}",
                "return a tensor of the shape that was packed",
            )
        if tuple(found.shape) != tuple(like.shape) or found.dtype is not like.dtype:
            raise ShapeError(
                f"unpack_hook returned {found.dtype.name}{list(found.shape)} for a value of "
                f"{like.dtype.name}{list(like.shape)}",
                "return what was packed",
            )
        is_leaf = like._requires_grad and like._record is None
        if is_leaf and state.grad_enabled:
            return like  # derivatives of derivatives are collected in the leaf itself
        made: TensorCore = TensorCore.make(found._cell)
        made._requires_grad, made._record = like._requires_grad, like._record
        return made

    def pull(self, record: Record, cotangent: TensorCore, value: TensorCore) -> Sequence[Any]:
        """Cotangents of the inputs, by the operation's rule on what is unpacked."""
        inputs = [self._value(i, t) for i, t in enumerate(record.inputs)]
        whole = self._value(len(inputs), value)
        return apply_rule(_Unpacked(record, inputs), cotangent, whole)


class _Unpacked:
    """A record with other inputs."""

    def __init__(self, record: Record, inputs: Sequence[TensorCore]) -> None:
        self.op, self.settings, self.layer = record.op, record.settings, record.layer
        self.group, self.result, self.inputs = None, record.result, inputs


class saved_tensors_hooks:  # noqa: N801  (PyTorch's name)
    """Context manager: what is saved for backward inside goes through two functions.

    ``pack_hook(tensor)`` is called, when an operation is recorded, for each value that its gradient
    needs, and returns anything; ``unpack_hook`` gets that in the backward pass and returns a
    tensor like the one that was packed.  Only the handle is kept: so values can be stored
    elsewhere, narrowed or computed again.

    Inside, every operation is recorded by itself.  Operations with several results (loops,
    functions of :class:`~pellucid.autograd.Function`) and compiled programs keep their values
    themselves.

    >>> import pellucid
    >>> from pellucid.autograd.graph import saved_tensors_hooks
    >>> x = pellucid.tensor([3.0], requires_grad=True)
    >>> with saved_tensors_hooks(lambda t: t.numpy().copy(), pellucid.from_numpy):
    ...     y = x * x
    >>> y.backward()
    >>> x.grad
    tensor([6.])
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if isinstance(state.saved_hooks, disable_saved_tensors_hooks):
            raise AutogradError(state.saved_hooks.message, "leave that context first")
        self._before, state.saved_hooks = state.saved_hooks, self
        self._kernels = eager_kernels(False)
        self._kernels.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kernels.__exit__(kind, error, trace)
        state.saved_hooks = self._before

    def packed(self, record: Record, inputs: Sequence[TensorCore], result: Cell) -> _Packed | None:
        """What a new record keeps instead of its values."""
        op = record.op
        if op.results is not None or op.gradient is None or op.family == "custom":
            return None
        values = [*inputs, TensorCore.make(result)]
        handles: dict[int, Any] = {}
        stand_ins = []
        state.saved_hooks = None  # what the hook does is not packed itself
        try:
            for position, tensor in enumerate(values):
                asked = [position]
                if rule_reads(op, record.settings, inputs, values[-1], asked) is not None:
                    shown: TensorCore = TensorCore.make(tensor._cell)
                    handles[position] = self.pack_hook(shown)
                is_leaf = tensor._record is None
                if position < len(inputs):
                    stand_ins.append(tensor if is_leaf else _without_value(tensor))
        finally:
            state.saved_hooks = self
        record.replace_inputs(stand_ins)
        return _Packed(handles, self.unpack_hook)


def _nothing_like(tensor: TensorCore) -> TensorCore:
    """Zeros in the place of a value that only cotangents nobody wants are made of."""
    zero = np.zeros((), tensor.dtype.numpy)
    made: TensorCore = TensorCore.make(Cell(np.broadcast_to(zero, tensor.shape), tensor.dtype))
    made._requires_grad, made._record = tensor._requires_grad, tensor._record
    return made


def _without_value(tensor: TensorCore) -> TensorCore:
    """A tensor with the history of another and no memory."""
    cell = Cell(None)
    cell.shape, cell.dtype, cell.recipe = tensor._cell.shape, tensor._cell.dtype, _GONE
    made: TensorCore = TensorCore.make(cell)
    made._requires_grad, made._record = tensor._requires_grad, tensor._record
    return made


class save_on_cpu(saved_tensors_hooks):  # noqa: N801  (PyTorch's name)
    """Context manager that keeps what is saved for backward in the processor's memory.

    All tensors are there already, so values are kept as they are; ``pin_memory`` and
    ``device_type`` are accepted as in PyTorch.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: tensor, lambda tensor: tensor)


class disable_saved_tensors_hooks:  # noqa: N801  (PyTorch's name)
    """Context manager: inside, :class:`saved_tensors_hooks` raises with this message."""

    def __init__(self, error_message: str) -> None:
        self.message = error_message

    def packed(self, record: Record, inputs: Sequence[TensorCore], result: Cell) -> None:
        """Nothing: records keep their values."""

    def __enter__(self) -> None:
        self._before, state.saved_hooks = state.saved_hooks, self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state.saved_hooks = self._before
