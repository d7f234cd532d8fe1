"""Handles of registered hooks."""

from __future__ import annotations

from typing import Any

from pellucid.tensor.core import TensorCore
from pellucid.tensor.validity import changed


class HookHandle:
    """Takes a hook away again."""

    def __init__(self, hooks: list[Any], hook: Any, tensor: TensorCore) -> None:
        self._hooks = hooks
        self._hook = hook
        self._tensor = tensor

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)
            changed(self._tensor)
