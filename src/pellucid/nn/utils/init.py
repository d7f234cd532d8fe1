"""Modules made without choosing their first values."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.nn.module import Module
from pellucid.tensor.random import get_rng_state, set_rng_state

Made = TypeVar("Made", bound=Module)


def skip_init(module_cls: type[Made], *args: Any, **kwargs: Any) -> Made:
    """``module_cls(*args, **kwargs)`` for a module whose values are loaded or set afterwards.

    They are not to be relied on, and no random numbers are used up.  Raises ``ArgumentTypeError``
    for what is no module class, ``ArgumentError`` for one whose constructor takes no ``device``.
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise ArgumentTypeError(f"skip_init got {module_cls!r}", "pass a class of modules")
    if "device" not in inspect.signature(module_cls).parameters:
        raise ArgumentError(
            f"skip_init got {module_cls.__name__}, which takes no device",
            "it is for modules that are made like nn.Linear(…, device=None, dtype=None)",
        )
    before = get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        set_rng_state(before)


__all__ = ["skip_init"]
