"""Tensors whose memory several processes see.

A tensor in shared memory is inherited by a forked process and travels to others as the descriptor
of its block (``multiprocessing``'s queues, pipes and arguments of spawned processes): all see and
write the same numbers.  Any other tensor travels as a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base import shared_memory
from pellucid.base.dtypes import as_dtype
from pellucid.base.errors import ExchangeError, InPlaceError, UnsupportedError
from pellucid.tensor.core import TensorCore, initialize
from pellucid.tensor.interface import Tensor
from pellucid.tensor.state import Cell


class SharingMethods(Tensor):
    """Mixed into :class:`pellucid.Tensor`."""

    __slots__ = ()

    def is_shared(self) -> bool:
        """Whether other processes can see the tensor's memory: after :meth:`share_memory_`, and
        for batches that the workers of a loader have made."""
        return shared_memory.block_of(self.array()) is not None

    def share_memory_(self) -> Tensor:
        """Move the values to shared memory, in place; returns the tensor.

        Processes that get the tensor afterwards, by fork or through ``multiprocessing``, see and
        write the same values; gradients stay each process's own.  Tensors with the same storage
        (``detach()``, a parameter made of it) move with it; views made before show the old
        memory, and a view itself cannot be moved (``InPlaceError``): share the tensor it shows.
        Raises ``UnsupportedError`` on Windows.
        """
        array = self.array()
        if shared_memory.block_of(array) is not None:
            return self
        if self._view is not None or self._cell.base is not None:
            raise InPlaceError(
                f"share_memory_() was called on a view of shape {tuple(self.shape)}",
                "Share the tensor that it shows, or a copy: x.clone().share_memory_().",
            )
        if not shared_memory.AVAILABLE:
            raise UnsupportedError(
                "share_memory_() needs memory without a name, which this system lacks",
                "Send tensors as copies: multiprocessing does so by itself.",
            )
        descriptor = shared_memory.new_block(array.nbytes)
        memory = shared_memory.map_block(descriptor, array.nbytes, keep=True)
        shared = np.ndarray(array.shape, array.dtype, memory)
        shared[...] = array
        self._cell.replace(shared)
        _let_travel(type(self))
        return self


def _let_travel(kind: type) -> None:
    """Let ``multiprocessing`` send shared tensors of this class by their block."""
    from multiprocessing.reduction import ForkingPickler  # loaded late: it takes a while

    ForkingPickler.register(kind, _sent)


def _sent(tensor: Any) -> tuple[Any, ...]:
    """How a tensor is pickled for another process of this machine."""
    array = tensor.array()
    block = shared_memory.block_of(array)
    if block is None or block.descriptor < 0:
        copied: tuple[Any, ...] = tensor.__reduce_ex__(4)
        return copied
    from multiprocessing.reduction import DupFd

    start = array.__array_interface__["data"][0] - shared_memory.address_of(block)
    facts = (len(block), start, array.shape, array.strides, as_dtype(array.dtype).name)
    return _received, (type(tensor), DupFd(block.descriptor), facts, tensor.requires_grad)


def _received(kind: Any, sent: Any, facts: tuple[Any, ...], requires_grad: bool) -> TensorCore:
    """The tensor that another process has sent, in the same memory."""
    size, start, shape, strides, dtype = facts
    try:
        descriptor = sent.detach()
    except (OSError, EOFError) as error:
        raise ExchangeError(
            f"the process that sent a shared tensor of shape {shape} ended before it was received",
            "let it wait until the tensor has arrived, or send a copy: x.clone()",
        ) from error
    memory = shared_memory.map_block(descriptor, size, keep=True)
    array: np.ndarray = np.ndarray(shape, as_dtype(dtype).numpy, memory, start, strides)
    tensor: TensorCore = kind.__new__(kind)
    initialize(tensor, Cell(array))
    tensor._requires_grad = requires_grad
    _let_travel(kind)
    return tensor
