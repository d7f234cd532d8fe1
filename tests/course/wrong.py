"""A wrong answer that learners give, and what must be said about it."""

from __future__ import annotations

from typing import NamedTuple


class Wrong(NamedTuple):
    """``code`` answers ``exercise`` wrongly; ``said`` is part of the English hint."""

    exercise: str
    code: str
    said: str
