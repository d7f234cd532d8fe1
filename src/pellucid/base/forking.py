"""What has to settle before a process is copied (``os.fork``), so that the copy can work.

The copy has one thread.  What other threads were in the middle of never ends there, and whoever
waits for it in the copy waits forever.
"""

from __future__ import annotations

import importlib
import threading
import time

PATIENCE = 10.0
"""Seconds to wait at most; a process may be copied all the same then."""


def wait_for_imports() -> None:
    """Wait until no other thread is in the middle of an import.

    A module that another thread was importing stays locked in the copy: the interpreter renews
    one lock of imports there, not those of single modules.  These have no public name, so where
    an interpreter keeps them otherwise, nothing is waited for.
    """
    own, deadline = threading.get_ident(), time.monotonic() + PATIENCE
    bootstrap = getattr(importlib, "_bootstrap", None)
    while time.monotonic() < deadline:
        locks = [ref() for ref in list(getattr(bootstrap, "_module_locks", {}).values())]
        if all(getattr(lock, "owner", None) in (None, own) for lock in locks):
            return
        time.sleep(0.001)
