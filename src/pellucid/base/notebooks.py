"""The notebook that a program runs in, if it runs in one."""

from __future__ import annotations

import sys


def shell() -> object | None:
    """IPython's shell, None where the program runs in none; IPython is not loaded for it."""
    found: object | None = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return found


def is_notebook() -> bool:
    """Whether what is displayed goes to a notebook rather than to a terminal."""
    return type(shell()).__name__ == "ZMQInteractiveShell"


def cell_of(file: str) -> str:
    """``In[3]`` where ``file`` is the name that stands for the code of a cell, else empty."""
    if "ipykernel_" not in file and not file.startswith("<ipython-input"):
        return ""
    named = getattr(getattr(shell(), "compile", None), "format_code_name", lambda name: None)
    found = named(file)
    return str(found[1]) if found else ""
