"""Handles of registered hooks."""

from __future__ import annotations

from typing import Any

from pellucid.tensor.state import version


class HookHandle:
    """Takes a hook away again."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks = hooks
        self._hook = hook

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)
            version.bump()
