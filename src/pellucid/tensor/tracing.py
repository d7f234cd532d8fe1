"""What tensors ask of the trace that is running: the seam between operations and programs.

:class:`pellucid.tensor.trace.Trace` records a program; whatever answers to this could stand in
its place.  Tensors and cells are ``Any`` here, because they stand above this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pellucid.graph.node import Node, Primitive


class Tracing(Protocol):
    """A running trace, as the operations on tensors see it."""

    current: dict[Any, Node]
    """Cells whose value was assigned → the node it is now."""
    views: dict[Any, Any]
    """Cells that show elements of another cell → how."""
    listeners: list[list[Any]]
    """Lists that every new cell is added to."""
    inner: set[int]
    """Identities of arguments that require gradients and are no leaves outside."""
    leaves: dict[int, Any]
    """Concrete tensors that took part."""
    consumed: dict[int, object]
    """Records that a backward pass of the traced function itself has walked."""
    modules: dict[int, object]
    """Modules whose settings and parts are guarded."""
    watched: dict[Any, list[tuple[bool, Any, Any]]]
    """What observations saw."""
    late: list[Any]
    """Checks of values that wait until the program runs."""
    kept: dict[Any, Any]
    """What objects outside remember only while this trace runs, by keys of their own."""
    cotangent: Node | None
    """During a backward pass, the last gradient that was complete."""

    @property
    def is_body(self) -> bool:
        """Whether it records one step of a loop."""

    def apply(self, primitive: Primitive, inputs: Sequence[Any], params: Mapping[str, Any]) -> Any:
        """A symbolic tensor for ``primitive`` applied to ``inputs``."""

    def assign(self, cell: Any, value: Any) -> None:
        """Overwrite a cell's value."""

    def node_of(self, cell: Any) -> Node:
        """The node that a cell holds at this point of the trace."""

    def constant(self, cell: Any) -> Any:
        """The value of a cell where it follows from constants alone, else None."""

    def strides_of(self, cell: Any) -> Any:
        """How a cell's elements would lie outside of the trace."""

    def snapshot(self, tensor: Any) -> Any:
        """A cell with the value that a tensor has now."""

    def borrow(self, tensor: Any) -> None:
        """Give a tensor's history back at the end."""

    def detached(self, tensor: Any) -> Any:
        """The tensor without history."""

    def holds(self, tensor: Any) -> bool:
        """Whether a tensor's value belongs to this trace."""

    def made(self, cell: Any) -> bool:
        """Whether a cell was made inside, so that nobody outside knows it."""

    def resize(self, cell: Any) -> bool:
        """Whether the tensor that holds a cell may get another shape here."""

    def knows(self, cell: Any) -> bool:
        """Whether Python may read a concrete cell's value here."""

    def has_changed(self, cell: Any) -> bool:
        """Whether a concrete cell was assigned."""

    def read_grad(self, tensor: Any) -> Any:
        """``tensor.grad`` at this point."""

    def write_grad(self, tensor: Any, value: Any) -> None:
        """Set ``tensor.grad``."""

    def host_value(self, read: Callable[[], float]) -> Any:
        """A number that is read before every run of the program."""

    def guard(self, read: Callable[[], object], name: str = "") -> None:
        """The program is valid only while ``read()`` stays what it is now."""

    def watch(self, subject: object) -> None:
        """Read guards and host values again when ``subject`` changes."""

    def where(self) -> str:
        """The line of the user's code, for messages."""
