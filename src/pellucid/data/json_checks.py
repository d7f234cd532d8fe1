"""Checks for JSON that comes from a file and may be damaged or hostile.

Each function returns the value with its type, or raises ``RunFolderError`` that names the place.
Sizes are bounded, so a file cannot make the program allocate more than it may.
"""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.errors import RunFolderError

MAX_LIST = 1_000_000
MAX_TEXT = 10_000
_HINT = "The file is damaged or was changed by hand: train again, or restore it."


def json_error(where: str, expected: str, received: object) -> RunFolderError:
    """The error for a value that is not what was expected."""
    shown = repr(received)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return RunFolderError(f"{where}: expected {expected}, received {shown}", _HINT)


def json_object(value: object, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """An object with exactly ``keys``."""
    if not isinstance(value, dict):
        raise json_error(where, "an object", value)
    if set(value) != set(keys):
        raise json_error(where, f"the keys {', '.join(keys)}", list(value))
    return value


def json_text(value: object, where: str, among: tuple[str, ...] = ()) -> str:
    """A text of at most 10,000 characters, one of ``among`` when given."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise json_error(where, "a text", value)
    if among and value not in among:
        raise json_error(where, "one of " + ", ".join(among), value)
    return value


def json_number(value: object, where: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise json_error(where, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise json_error(where, "a finite number", value)
    return number


def json_integer(value: object, where: str, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise json_error(where, f"a whole number from {low} to {high}", value)
    return value


def json_bool(value: object, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise json_error(where, "true or false", value)
    return value


def json_list(value: object, where: str, limit: int = MAX_LIST) -> list[Any]:
    """A list of at most ``limit`` entries."""
    if not isinstance(value, list):
        raise json_error(where, "a list", value)
    if len(value) > limit:
        raise json_error(where, f"at most {limit} entries", f"{len(value)} entries")
    return value


def json_names(value: object, where: str, limit: int = MAX_LIST) -> tuple[str, ...]:
    """Distinct texts."""
    names = tuple(json_text(name, where) for name in json_list(value, where, limit))
    if len(set(names)) != len(names):
        raise json_error(where, "distinct names", list(names))
    return names
