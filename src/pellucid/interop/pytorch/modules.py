"""Whole modules in a file: put together from their attributes, without calling anything of theirs.

A pickle names the class of each object and gives it its attributes.  That needs no call, so that
not even here (``weights_only=False``) a file decides what is executed: the class must be one that
the program has imported already, it must be made and filled as plain Python objects are, and
functions that a file names are stored as attributes, never called.
"""

from __future__ import annotations

import enum
import functools
import importlib
import sys
import types
from typing import Any

from pellucid.base.errors import DataError
from pellucid.interop.pytorch.names import find, refused, set_state
from pellucid.interop.pytorch.pickles import Global, refuse
from pellucid.nn.module import Module

_MAIN = "__main__"
_OURS = "pellucid"


def find_with_modules(module: str, name: str) -> Global:
    """As ``find``, and classes and functions of Pellucid and of the program's own modules."""
    try:
        return find(module, name)
    except DataError:
        value = _own(module, name)
    if value is functools.partial:
        return Global(value, functools.partial, _empty_partial)
    if isinstance(value, type):
        if issubclass(value, enum.Enum):
            return Global(value, value)  # a member by its value
        if issubclass(value, tuple) and hasattr(value, "_fields"):
            return Global(value, value, functools.partial(tuple.__new__, value))
        if _is_plain(value):
            return Global(value, None, functools.partial(_made, value))
    elif isinstance(value, types.FunctionType | types.BuiltinFunctionType):
        if getattr(value, "__name__", "") == "_buffer":
            return Global(value, value)  # how our buffers are written
        return Global(value)
    raise refused(f"{module}.{name}")


def _own(module: str, name: str) -> Any:
    """What the program calls ``module.name``, if the module is imported and not Python's own."""
    full = f"{module}.{name}"
    if full == "functools.partial":
        return functools.partial
    if module.split(".")[0] == "torch":
        return _layer(module, name)
    if module.split(".")[0] == _OURS and ".nn" in module:
        importlib.import_module("pellucid.nn")
    found: Any = sys.modules.get(module)
    if found is None or module.split(".")[0] in sys.stdlib_module_names - {_MAIN}:
        raise refused(full)
    for part in name.split("."):
        if part.startswith("__") or not hasattr(found, part):
            raise refused(full)
        found = getattr(found, part)
    if not isinstance(found, type) and module.split(".")[0] not in (_OURS, _MAIN):
        raise refused(full)
    return found


_RENAMED = {"NonDynamicallyQuantizableLinear": "Linear"}


def _layer(module: str, name: str) -> Any:
    """Our class for a layer of PyTorch, our function for one of its functions."""
    layers = importlib.import_module("pellucid.nn")
    if module.startswith("torch.nn.modules."):
        found = getattr(layers, _RENAMED.get(name, name), None)
        if isinstance(found, type) and issubclass(found, Module):
            return found
    elif module in ("torch.nn.functional", "torch._C._nn", "torch"):
        found = getattr(layers.functional, name, None)
        if isinstance(found, types.FunctionType):
            return found
    raise refused(f"{module}.{name}")


def _is_plain(kind: type) -> bool:
    """Whether objects of a class are made by ``object.__new__`` and nothing of its own runs when
    they are made, filled or thrown away."""
    if issubclass(kind, Module):
        return not hasattr(kind, "__del__")
    own = ("__setstate__", "__del__", "__setattr__", "__getattr__", "__reduce__", "__slots__")
    return kind.__new__ is object.__new__ and not any(
        name in base.__dict__ for base in kind.__mro__[:-1] for name in own
    )


def _made(kind: type, *arguments: Any) -> Any:
    if arguments:
        refuse(f"a {kind.__name__} is made with arguments")
    made: Any = object.__new__(kind)
    if isinstance(made, Module):
        Module.__init__(made)
    return made


def _empty_partial(kind: Any = None, function: Any = None) -> Any:
    if not callable(function):
        refuse("a partial has no function")
    return functools.partial(function)


_ATTRIBUTES = {"_non_persistent_buffers_set": "_non_persistent"}
"""What PyTorch's modules call attributes that have another name here."""


def build_module(made: Any, state: Any) -> None:
    """Give a made object the attributes that the file holds."""
    if isinstance(made, functools.partial):
        made.__setstate__(state)  # type: ignore[attr-defined]
    elif isinstance(made, Module):
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            refuse(f"a {type(made).__name__} has no attributes")
        attributes: dict[str, Any] = made.__dict__
        attributes |= {
            _ATTRIBUTES.get(str(name), str(name)): value for name, value in state.items()
        }
    elif type(made).__module__.split(".")[0] in sys.stdlib_module_names - {_MAIN}:
        set_state(made, state)
    elif _is_plain(type(made)) and isinstance(state, dict):
        made.__dict__.update(state)
    else:
        set_state(made, state)
