"""Functions that an optimizer calls before and after its steps, and around its state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pellucid.base.errors import ArgumentTypeError
from pellucid.nn.calling import RemovableHandle
from pellucid.tensor.state import state

Hook = Callable[..., Any]

_everywhere: dict[str, dict[int, Hook]] = {"step_pre": {}, "step_post": {}}
"""Hooks of all optimizers."""


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of every optimizer."""
    return RemovableHandle(_everywhere["step_pre"], hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimizer."""
    return RemovableHandle(_everywhere["step_post"], hook)


class Hooked:
    """Registers the hooks of one optimizer; each handle takes its hook away again."""

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step.

        It may return other arguments for the step, as a tuple ``(args, kwargs)``.
        """
        return RemovableHandle(self._hooks_at("step_pre"), hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return RemovableHandle(self._hooks_at("step_post"), hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict()``."""
        return RemovableHandle(self._hooks_at("save_pre"), hook, first=prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after ``state_dict()``; what it returns replaces
        the state, unless that is None."""
        return RemovableHandle(self._hooks_at("save_post"), hook, first=prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` with a copy before ``load_state_dict()``; what it
        returns replaces the state, unless that is None."""
        return RemovableHandle(self._hooks_at("load_pre"), hook, first=prepend)

    def register_load_state_dict_post_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after ``load_state_dict()``."""
        return RemovableHandle(self._hooks_at("load_post"), hook, first=prepend)

    def _hooks_at(self, stage: str) -> dict[int, Hook]:
        found: dict[int, Hook] = self.__dict__.setdefault(f"_{stage}_hooks", {})
        return found

    def _at(self, stage: str) -> tuple[Hook, ...]:
        return tuple(self.__dict__.get(f"_{stage}_hooks", {}).values())


def hooked_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer's ``step`` with its hooks, called once where a class calls its parent's step;
    the optimizer also counts as having made a step, which schedules ask for."""

    @functools.wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        follower = None if self.__dict__.get("_inside_step") else state.follower
        if follower is not None:
            if follower.holds_updates:
                follower.updated(self)
                return None
            follower.updating(self)
        self._stepped = True
        before = (*_everywhere["step_pre"].values(), *self._at("step_pre"))
        after = (*self._at("step_post"), *_everywhere["step_post"].values())
        if not (before or after or follower) or self.__dict__.get("_inside_step"):
            return step(self, *args, **kwargs)
        for hook in before:
            result = hook(self, args, kwargs)
            if result is not None:
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise ArgumentTypeError(
                        f"a hook before the step of {type(self).__name__} returned "
                        f"{type(result).__name__}",
                        "return None or the tuple (args, kwargs)",
                    )
                args, kwargs = result
        self.__dict__["_inside_step"] = True
        try:
            loss = step(self, *args, **kwargs)
        finally:
            self.__dict__["_inside_step"] = False
        for hook in after:
            hook(self, args, kwargs)
        if follower is not None:
            follower.updated(self)
        return loss

    return run


def hooked_state(read: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer's ``state_dict`` with its hooks."""

    @functools.wraps(read)
    def run(self: Any) -> Any:
        for hook in self._at("save_pre"):
            hook(self)
        state = read(self)
        for hook in self._at("save_post"):
            changed = hook(self, state)
            state = state if changed is None else changed
        return state

    return run


def hooked_load(load: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer's ``load_state_dict`` with its hooks."""

    @functools.wraps(load)
    def run(self: Any, state_dict: Any) -> Any:
        for hook in self._at("load_pre"):
            changed = hook(self, dict(state_dict))
            state_dict = state_dict if changed is None else changed
        load(self, state_dict)
        for hook in self._at("load_post"):
            hook(self)

    return run
