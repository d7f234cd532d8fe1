"""Ctrl-C and SIGTERM while the command line starts: a line, an exit code, no traceback.

Importing takes a moment in which there is nothing to keep.  This module needs nothing but the
standard library, is the first that the package imports, and does something only in a process that
is the command line.  In a command the signals raise ``Interrupted`` instead; see ``cli/reporting``.
"""

import os
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NAMES = ("pellucid", "pellucid.exe", "pellucid-script.py", "pellucid-script.pyw")

over = False
"""Whether the command has done its work: signals then come too late to matter."""


def is_command() -> bool:
    """Whether this process is the command line, also as ``python -m pellucid``."""
    first = sys.argv[0] if getattr(sys, "argv", None) else ""
    if first != "-m":
        return os.path.basename(first) in _NAMES
    given = iter(getattr(sys, "orig_argv", ()))
    for argument in given:
        if argument.startswith("-m"):
            return (argument[2:] or next(given, "")).partition(".")[0] == "pellucid"
    return False


def guard() -> None:
    """Signals end the process quietly from here on, unless they are ignored."""
    try:
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                signal.signal(number, _leave)
    except ValueError:
        pass  # signals are the main thread's


def _leave(number: int, frame: object) -> None:
    if over:
        return
    # Not by an exception: the initialization of an extension module may swallow or rename it.
    os.write(2, b"\nInterrupted; nothing was written.\n")
    os._exit(128 + number)


if is_command():
    guard()
