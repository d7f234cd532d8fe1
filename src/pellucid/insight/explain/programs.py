"""Compiled programs that explanations run again and again, kept for the next explanation."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from pellucid.base.caches import register_cache
from pellucid.base.errors import TraceError
from pellucid.tensor.compile import compile

KEPT_PROGRAMS = 64

_kept: OrderedDict[Any, tuple[Any, Callable[..., Any]]] = OrderedDict()
"""(model, what is computed) → the model, and the compiled function; the oldest goes first."""
_lock = threading.Lock()


def _clear() -> None:
    with _lock:
        _kept.clear()


register_cache("programs of explanations", _clear)


def program(
    model: Any, key: Hashable, make: Callable[[], Callable[..., Any]]
) -> Callable[..., Any]:
    """The compiled function ``make()`` for this model, made at first use.

    ``key`` says what is computed besides the model.  A function that asks for values of tensors,
    as ``if x > 0`` does, cannot be compiled and runs operation by operation.
    """
    with _lock:
        found = _kept.get((id(model), key))
        if found is not None:
            _kept.move_to_end((id(model), key))
            return found[1]
    made = _Program(make())
    with _lock:
        _kept[id(model), key] = (model, made)
        while len(_kept) > KEPT_PROGRAMS:
            _kept.popitem(last=False)
    return made


class _Program:
    """A function that is compiled if it can be."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._compiled: Any = compile(function)

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is not None:
            try:
                return self._compiled(*arguments)
            except TraceError:
                self._compiled = None
        return self._function(*arguments)
