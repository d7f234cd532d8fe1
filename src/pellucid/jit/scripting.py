"""Functions and modules that would be scripted or traced, returned as they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from pellucid.nn.module import Module

_Anything = TypeVar("_Anything")
_noted: set[str] = set()


def _note(name: str) -> None:
    if "jit" not in _noted:
        _noted.add("jit")
        warnings.warn(
            f"jit.{name} returns what it is given as it is: there is no TorchScript here. "
            "pellucid.compile makes native programs",
            stacklevel=3,
        )


class ScriptModule(Module):
    """A module; see :class:`pellucid.nn.Module`."""


def script(obj: _Anything, *args: Any, **kwargs: Any) -> _Anything:
    """The function, class or module itself; notes once that nothing is scripted."""
    _note("script")
    return obj


def trace(func: _Anything, example_inputs: Any = None, *args: Any, **kwargs: Any) -> _Anything:
    """The function or module itself; notes once that nothing is traced."""
    _note("trace")
    return func


def trace_module(mod: _Anything, inputs: Any = None, *args: Any, **kwargs: Any) -> _Anything:
    """The module itself; notes once that nothing is traced."""
    _note("trace_module")
    return mod


def freeze(mod: _Anything, *args: Any, **kwargs: Any) -> _Anything:
    """The module itself; notes once that nothing is frozen."""
    _note("freeze")
    return mod


def optimize_for_inference(mod: _Anything, *args: Any, **kwargs: Any) -> _Anything:
    """The module itself; notes once that nothing is changed."""
    _note("optimize_for_inference")
    return mod


def script_if_tracing(fn: _Anything) -> _Anything:
    """The function itself."""
    return fn


def script_method(fn: _Anything) -> _Anything:
    """The method itself."""
    return fn


def export(fn: _Anything) -> _Anything:
    """The method itself: all of them can be called."""
    return fn


def unused(fn: _Anything) -> _Anything:
    """The method itself."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Callable[..., Any]:
    """The function itself, as a decorator with or without parentheses."""
    return drop if callable(drop) else lambda fn: fn


def is_scripting() -> bool:
    """Whether TorchScript is running: no."""
    return False


def is_tracing() -> bool:
    """Whether TorchScript is being made by tracing: no; see ``pellucid.compiler``."""
    return False


def annotate(the_type: object, the_value: _Anything) -> _Anything:
    """The value itself."""
    return the_value


def fork(func: Callable[..., _Anything], *args: Any, **kwargs: Any) -> _Anything:
    """The result of the function, computed at once; :func:`wait` gives it."""
    return func(*args, **kwargs)


def wait(future: _Anything) -> _Anything:
    """What :func:`fork` computed."""
    return future
