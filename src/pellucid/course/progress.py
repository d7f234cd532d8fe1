"""Which exercises the learner has solved, kept in the user's data folder.

Each solved exercise is a file of its own, so that checks at the same time, or one that is ended
halfway, lose nothing of what was there.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

__all__ = ["home", "note_solved", "solved"]

HOME = "PELLUCID_HOME"


def home() -> Path:
    """The user's data folder: ``PELLUCID_HOME`` if it is set, else where the system keeps such
    things: ``$XDG_DATA_HOME/pellucid`` or ``~/.local/share/pellucid``; on Windows and macOS the
    place of applications' data."""
    chosen = os.environ.get(HOME)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local or Path.home() / "AppData" / "Local") / "pellucid"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "pellucid"
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification says that a relative path there is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "pellucid"


def solved() -> set[str]:
    """The numbers of the exercises that were solved at some time."""
    try:
        names = [path.name for path in (home() / "lessons").iterdir()]
    except OSError:
        return set()
    return {
        name.removesuffix(".solved") for name in names if re.fullmatch(r"\d+\.\d+\.solved", name)
    }


def note_solved(numbers: Iterable[str]) -> None:
    """Remembers that exercises were solved; what was solved before keeps its date.

    Raises ``OSError`` where the folder cannot be written to.
    """
    folder = home() / "lessons"
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        try:
            with open(folder / f"{number}.solved", "x", encoding="utf-8") as file:
                file.write(datetime.now().astimezone().isoformat(timespec="seconds") + "\n")
        except FileExistsError:
            continue
