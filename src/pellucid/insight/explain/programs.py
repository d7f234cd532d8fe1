"""Compiled programs that explanations run again and again, kept for the next explanation."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from pellucid.base.caches import register_cache
from pellucid.base.errors import TraceError
from pellucid.tensor.compile import compile
from pellucid.tensor.core import TensorCore
from pellucid.tensor.trees import LEAF, rebuild

KEPT_PROGRAMS = 64
Kept = TypeVar("Kept")

_kept: OrderedDict[Any, tuple[Any, Any]] = OrderedDict()
"""(model, what is computed) → the model, and what computes it; the oldest goes first."""
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
    return kept(model, key, lambda: _Program(make()))


def kept(model: Any, key: Hashable, make: Callable[[], Kept]) -> Kept:
    """What ``make()`` gives for this model, made at first use and kept for the next."""
    with _lock:
        found = _kept.get((id(model), key))
        if found is not None:
            _kept.move_to_end((id(model), key))
            return cast(Kept, found[1])
    made = make()
    with _lock:
        _kept[id(model), key] = (model, made)
        while len(_kept) > KEPT_PROGRAMS:
            _kept.popitem(last=False)
    return made


class _Program:
    """A function that is compiled if it can be, called with its tensors in one line: such calls are
    recognized quickly."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._compiled: dict[Any, Any] = {}
        self._can_be = True

    def __call__(self, *arguments: Any) -> Any:
        if not self._can_be:
            return self._function(*arguments)
        leaves: list[Any] = []
        tree = _frozen(arguments, leaves)
        found = self._compiled.get(tree)
        if found is None:
            found = self._compiled[tree] = self._flat(tree)
        try:
            return found(*leaves)
        except TraceError:
            self._can_be = False
            return self._function(*arguments)

    def _flat(self, tree: Any) -> Callable[..., Any]:
        function = self._function

        def flat(*leaves: Any) -> Any:
            return function(*rebuild(tree, iter(leaves)))

        return compile(flat)


def _frozen(tree: Any, leaves: list[Any]) -> Any:
    """A tree of tensors as tuples with a mark for each tensor, and the tensors."""
    if isinstance(tree, TensorCore):
        leaves.append(tree)
        return LEAF
    if isinstance(tree, tuple | list):
        return tuple(_frozen(part, leaves) for part in tree)
    return tree
