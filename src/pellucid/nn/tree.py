"""What the files around a module's ``forward`` need to know of a module: a tree with names.

:class:`pellucid.nn.Module` is one.  Calling, locating errors and observing stand below the class,
so they are written for this instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from pellucid.tensor.tensor import Tensor


class Removable(Protocol):
    """A registered hook, which can be taken away again."""

    def remove(self) -> None:
        """Take the hook away."""


class ModuleTree(Protocol):
    """A module with its parameters and the modules below it."""

    training: bool

    @property
    def _parameters(self) -> Mapping[str, Any]: ...

    @property
    def _modules(self) -> Mapping[str, Any]: ...

    @property
    def output_bounds(self) -> tuple[float, float] | None:
        """Bounds of a saturating layer's outputs."""

    def _facts(self) -> tuple[Any, ...]: ...

    def modules(self) -> Iterator[Any]:
        """The module itself and every module below it."""

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        """(path, module) of the module itself and everything below it."""

    def parameters(self) -> Iterator[Tensor]:
        """All parameters, shared ones once."""

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(path, parameter) of all parameters."""

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer) of all buffers."""

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """(name, module) of the direct children."""

    def extra_repr(self) -> str:
        """Settings of the module for its text."""

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Removable:
        """Call ``hook(module, args)`` before each forward pass."""

    def register_forward_hook(self, hook: Callable[..., Any]) -> Removable:
        """Call ``hook(module, args, output)`` after each forward pass."""
