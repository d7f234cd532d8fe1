"""What a process keeps to be fast, and how to forget it.

Each module that keeps something for later calls registers it here under a name for people; the
page "State of the process" of the architecture lists them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

_caches: dict[str, Callable[[], object]] = {}


def register_cache(name: str, clear: Callable[[], object]) -> None:
    """Let :func:`clear_caches` call ``clear()``; ``name`` says what it forgets."""
    _caches[name] = clear


def _clear_functions() -> None:
    """Forget what functions under ``functools.lru_cache`` remember."""
    for name, module in list(sys.modules.items()):
        if name == "pellucid" or name.startswith("pellucid."):
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


register_cache("results of pure functions", _clear_functions)


def cache_names() -> list[str]:
    """What is kept, in the order in which it was registered."""
    return list(_caches)


def clear_caches() -> None:
    """Forget every program, kernel and table that this process keeps to be faster next time.

    Compiled functions compile again at their next call, taking machine code from the cache on
    disk where it is there; results stay the same, and calls that are running on other threads
    finish as they are.  For tests, notebooks and servers that want the memory back.  Values that
    people made (tensors, models, optimizers, random states) are not touched, nor is the disk.
    """
    for clear in list(_caches.values()):
        clear()
