"""Who has to look again when something changes.

A compiled program depends on parameters, modules, groups of an optimizer and the like.  It
*watches* them; whatever changes one of them says :func:`changed`, and only programs that watch it
look again before their next call.  A change of anything else costs them nothing.
"""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Iterable


class Validity:
    """Whether what one program was bound to is still so, as far as it was told of changes."""

    __slots__ = ("__weakref__", "_subjects", "fresh")

    def __init__(self) -> None:
        self.fresh = False
        """False: the program has to look at everything it depends on before it runs."""
        self._subjects: dict[int, object] = {}
        _everyone.add(self)

    def watch(self, subjects: Iterable[object]) -> None:
        """Look again after changes of these objects, which are kept alive as long as this is."""
        new = {id(s): s for s in subjects if id(s) not in self._subjects}
        self._subjects |= new
        own = weakref.ref(self, functools.partial(_forget, tuple(new)))
        with _lock:
            for number in new:
                known = _watchers.get(number, ())
                _watchers[number] = (*(r for r in known if r() is not None), own)


_watchers: dict[int, tuple[weakref.ref[Validity], ...]] = {}
"""id of a subject → who watches it.  A watcher keeps its subjects alive, so ids stay theirs."""
_everyone: weakref.WeakSet[Validity] = weakref.WeakSet()
_lock = threading.RLock()


def changed(subject: object) -> None:
    """Something that a program may depend on has changed in ``subject``."""
    found = _watchers.get(id(subject))
    if found is not None:
        for reference in found:
            watcher = reference()
            if watcher is not None:
                watcher.fresh = False


def everything_changed() -> None:
    """Something changed that nobody watches by itself: all programs look again."""
    for watcher in list(_everyone):
        watcher.fresh = False


def _forget(numbers: tuple[int, ...], _: weakref.ref[Validity]) -> None:
    """Take dead watchers of these subjects out."""
    with _lock:
        for number in numbers:
            left = tuple(r for r in _watchers.get(number, ()) if r() is not None)
            if left:
                _watchers[number] = left
            else:
                _watchers.pop(number, None)


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
