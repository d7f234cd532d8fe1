"""Names with an underscore that programs use although PyTorch calls them its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from pellucid.nn.calling import RemovableHandle
from pellucid.nn.saving import hooks_of
from pellucid.tensor.autograd import stored_gradient

Self = TypeVar("Self", bound="OlderNames")


class OlderNames:
    """Mixed into :class:`pellucid.nn.Module`."""

    _version: int = 1
    dump_patches = False

    if TYPE_CHECKING:

        def parameters(self, recurse: bool = True) -> Iterator[Any]:
            """The tensors that are learned."""

        def buffers(self, recurse: bool = True) -> Iterator[Any]:
            """The tensors that are state."""

    def _get_name(self) -> str:
        return type(self).__name__

    def _apply(self: Self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:
        """Each parameter, its gradient and each buffer replaced by ``fn`` of it."""
        for value in [*self.parameters(recurse), *self.buffers(recurse)]:
            gradient = stored_gradient(value)
            value.grad = None
            value.data = fn(value.detach())
            value.grad = None if gradient is None else fn(gradient)
        return self

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        return RemovableHandle(hooks_of(self, "state_dict_post"), hook)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        def call(module: Any, *given: Any) -> Any:
            return hook(module, *given) if with_module else hook(*given)

        return RemovableHandle(hooks_of(self, "load_state_dict_pre"), call)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """What a class adds to the state of its own; called behind what every module has."""

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """What a class does to a state, a copy, before parameters and buffers are read from it.

        Texts in ``error_msgs`` are raised as an error.
        """
