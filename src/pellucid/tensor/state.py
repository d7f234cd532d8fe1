"""What the tensors of one thread share: gradient mode, the running trace; and their storage.

What a compiled program depends on beyond its arguments (training mode, which parameters require
gradients, which array a cell holds) is watched by it: see :mod:`.validity`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from pellucid.base.dtypes import DType, as_dtype
from pellucid.base.shapes import Shape
from pellucid.graph.node import Node
from pellucid.tensor.tracing import Tracing
from pellucid.tensor.validity import changed


class Follower(Protocol):
    """Who follows a training loop from outside: is told of it, and changes nothing."""

    holds_updates: bool
    """Whether optimizers are to leave everything as it is: somebody only looks at a step."""

    def entered(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is called that no other module calls."""

    def called(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Such a call is over."""

    def backward(self, outputs: Sequence[Any], cotangents: Sequence[Any]) -> None:
        """Gradients of these tensors, with these cotangents (None: 1), are about to be computed."""

    def differentiated(self) -> None:
        """They have been computed, and stand in ``.grad``."""

    def updating(self, optimizer: Any) -> None:
        """An optimizer is about to make a step."""

    def updated(self, optimizer: Any) -> None:
        """It has made it, or would have but for ``holds_updates``."""

    def ran(
        self,
        function: Any,
        program: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        steps: int = 0,
    ) -> None:
        """A compiled function ran; so many steps in one call (0: an ordinary call)."""


class ThreadState(threading.local):
    """Modes of one thread."""

    grad_enabled: bool = True
    autocast: DType | None = None
    """The narrow dtype that matrix products are computed in; see :mod:`.autocast`."""
    trace: Tracing | None = None
    eager_kernels: bool = os.environ.get("PELLUCID_EAGER_KERNELS", "1") not in ("0", "off", "")
    """Whether heavy operations outside of a trace may run natively; see :mod:`.eager`."""
    recorded_line: Callable[[], str] | None = None
    """Finds the user's line for a new record of the tape; see :mod:`.anomaly`."""
    saved_hooks: Any = None
    """Packs what a new record of the tape reads; see :mod:`.saved`."""
    anomaly: Any = None
    """Is shown what each gradient rule gave; see :mod:`.anomaly`."""
    inline: bool = False
    """Whether compiled functions run as plain Python; see :mod:`.differentials`."""
    uncompiled: bool = False
    """Whether they do so everywhere: set on the class alone, by ``compiler.set_stance``."""
    gradient_order: tuple[int, ...] = ()
    """ids of the leaves that the last backward on this thread reached, in the order it did."""
    devices: tuple[Any, ...] = ()
    """The default devices that were set, the innermost last; see :mod:`.device`."""
    watcher: Any = None
    """Is shown every operation and assignment outside of a trace; see :mod:`.nonfinite`."""
    follower: Follower | None = None
    """Is told what a training loop does, step by step; see :class:`Follower`."""


state = ThreadState()


def set_eager_kernels(enabled: bool) -> None:
    """Let heavy operations outside of ``compile`` run as native kernels, on all threads.

    On by default; the environment variable ``PELLUCID_EAGER_KERNELS=0`` starts with it off.  Off,
    every operation is its NumPy definition.  The two differ by rounding.  See
    :class:`eager_kernels` for a part of a program.
    """
    ThreadState.eager_kernels = bool(enabled)


class eager_kernels:  # noqa: N801  (a mode, as no_grad is)
    """Context manager: inside, on this thread, heavy operations may be native kernels, or not."""

    def __init__(self, enabled: bool = True) -> None:
        self._mode = bool(enabled)

    def __enter__(self) -> None:
        self._before = state.__dict__.get("eager_kernels")
        state.eager_kernels = self._mode

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is None:
            del state.__dict__["eager_kernels"]  # what is set for all threads counts again
        else:
            state.eager_kernels = self._before


def are_eager_kernels_enabled() -> bool:
    """Whether heavy operations outside of ``compile`` may run as native kernels."""
    return state.eager_kernels


_NO_RUNS = [0]
"""The counter of cells that no program writes."""


class Cell:
    """Storage of a tensor: an array or, while a program is traced, a node.

    Tensors that share a cell (``x`` and ``x.detach()``) see each other's changes.  Cells whose
    arrays share memory (a view and its base) share ``changes``, the counter by which backward
    notices that a value it needs was overwritten, the number of those changes that have a history
    of their own, and the records that read views of the memory (see :mod:`.inplace`); ``runs``
    counts the calls of the program that writes the cell, once for all its cells.  ``recipe`` makes
    a value again that was dropped (see :mod:`.rematerialize`), None for all others; ``past`` are
    copies of earlier values that a tape may still hold.
    """

    __slots__ = (
        "array",
        "node",
        "trace",
        "dtype",
        "shape",
        "changes",
        "runs",
        "base",
        "recipe",
        "past",
        "_pointer",
        "__weakref__",
    )

    def __init__(
        self,
        array: np.ndarray | None,
        dtype: DType | None = None,
        node: Node | None = None,
        trace: Tracing | None = None,
        base: Cell | None = None,
    ) -> None:
        self.array = array
        self.node = node
        self.trace = trace
        self.base = base
        self.recipe: Any = None
        self._pointer = 0
        self.past: list[weakref.ref[Cell]] | None = None
        self.changes: list[Any] = [0, 0, None] if base is None else base.changes
        self.runs: list[int] = _NO_RUNS if base is None else base.runs
        if array is not None:
            self.shape: Shape = array.shape
            self.dtype = dtype or as_dtype(array.dtype)
        elif node is not None:
            self.shape, self.dtype = node.shape, node.dtype

    @property
    def pointer(self) -> int:
        """Address of the first element; 0 while the value is traced or not C-contiguous."""
        if not self._pointer and self.array is not None and self.array.flags.c_contiguous:
            self._pointer = int(self.array.__array_interface__["data"][0])
        return self._pointer

    @property
    def age(self) -> tuple[int, int]:
        """Differs after every change of the value in place."""
        return self.changes[0], self.runs[0]

    def take_age(self, other: Cell) -> None:
        """Count as being of another cell's age, whatever happens to that one."""
        self.changes, self.runs = [*other.changes[:2], None], [*other.runs]

    def read_by(self, record: Any) -> None:
        """The record of an operation reads this view: it may need a copy of it later."""
        readers = self.changes[2]
        if readers is None or len(readers) >= 16 and not len(readers) & (len(readers) - 1):
            readers = self.changes[2] = [r for r in readers or () if r() is not None]
        readers.append(weakref.ref(record))

    def at(self, age: tuple[int, int]) -> Cell | None:
        """The value of an earlier age, if a tape still holds it."""
        for reference in self.past or ():
            cell = reference()
            if cell is not None and cell.age == age:
                return cell
        return None

    def written_by(self, runs: list[int]) -> None:
        """From now on the program with this counter of calls writes the cell."""
        if self.runs is not runs:
            self.runs = runs
            self.changes[0] += 1

    def replace(self, array: np.ndarray) -> None:
        """Hold another array; programs bound to the old one notice, and views show it no more."""
        self.changes = [*self.changes[:2], None]
        self.array = array
        self.shape = array.shape
        self.dtype = as_dtype(array.dtype)
        self._pointer = 0
        self.changes[0] += 1
        changed(self)


@contextmanager
def concrete() -> Iterator[None]:
    """Inside, tensors have values even while a program is being traced.

    For state that must exist before the program runs, such as an optimizer's slots.
    """
    before, state.trace = state.trace, None
    try:
        yield
    finally:
        state.trace = before


def is_tracing() -> bool:
    """Whether a program is being traced on this thread."""
    return state.trace is not None


def is_watched() -> bool:
    """Whether somebody wants to see every single operation of this thread."""
    return state.watcher is not None


def host_value(read: Callable[[], float]) -> Any:
    """A number that may change between steps, such as a learning rate.

    Outside a trace simply ``read()``.  While tracing, a 0-dimensional float64 tensor that
    becomes an input of the program; ``read`` is called again before a step whenever something
    that the program watches has changed (see :func:`watch`).
    """
    return read() if state.trace is None else state.trace.host_value(read)


def guard(read: Callable[[], object], name: str = "") -> None:
    """Tell the running trace that the program is only valid while ``read()`` stays the same.

    It is asked again when something that the program watches has changed.  ``name`` says for
    people what it reads.
    """
    if state.trace is not None:
        state.trace.guard(read, name)


def watch(subject: object) -> None:
    """Let the program that is being traced look again after a change of ``subject``.

    Whoever changes it says so by :func:`pellucid.tensor.validity.changed`.
    """
    if state.trace is not None:
        state.trace.watch(subject)
