"""Sentences that name settings, worded for whoever reads them.

The same advice reads ``ignore='x'`` to a program in Python and ``--ignore x`` to somebody at the
command line.  A ``Phrase`` is the Python wording and carries its settings, so that the command
line can word them as its own options.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Phrase", "Setting", "join", "option_words", "phrase", "worded"]


@dataclass(frozen=True)
class Setting:
    """A setting by the name of its Python argument, with the value that is spoken of, if any."""

    name: str
    value: object = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value!r}"


class Phrase(str):
    """A text whose settings can be worded differently; as a ``str`` it has the Python wording.

    ``pieces`` are its parts in order: plain texts and settings.
    """

    pieces: tuple[str | Setting, ...]

    def __new__(cls, pieces: tuple[str | Setting, ...]) -> Phrase:
        """The phrase of these pieces."""
        made = super().__new__(cls, "".join(map(str, pieces)))
        made.pieces = pieces
        return made

    def __add__(self, other: str) -> Phrase:
        return Phrase((*self.pieces, *_pieces(other)))

    def __radd__(self, other: str) -> Phrase:
        return Phrase((*_pieces(other), *self.pieces))

    def __getnewargs__(self) -> tuple[tuple[str | Setting, ...]]:  # type: ignore[override]
        return (self.pieces,)

    def worded(self, word: Callable[[Setting], str]) -> str:
        """The text with each setting as ``word`` says it."""
        return "".join(p if isinstance(p, str) else word(p) for p in self.pieces)


def _pieces(text: str) -> tuple[str | Setting, ...]:
    return text.pieces if isinstance(text, Phrase) else (str(text),)


def phrase(*pieces: str | Setting) -> Phrase:
    """A phrase from texts (phrases too) and settings, in order."""
    flat: list[str | Setting] = []
    for piece in pieces:
        flat.extend((piece,) if isinstance(piece, Setting) else _pieces(piece))
    return Phrase(tuple(flat))


def join(separator: str, phrases: list[str]) -> Phrase:
    """The phrases, one after the other, with ``separator`` between them."""
    flat: list[str | Setting] = []
    for position, text in enumerate(phrases):
        flat.extend(([separator] if position else []) + list(_pieces(text)))
    return Phrase(tuple(flat))


def worded(text: str, word: Callable[[Setting], str]) -> str:
    """Any text with its settings, where it has some, as ``word`` says them."""
    return text.worded(word) if isinstance(text, Phrase) else text


# Options whose name does not follow from the argument's name.
_FLAGS = {
    "text_columns": "--text-column",
    "missing_values": "--missing-value",
    "keep_texts": "--keep-text",
    "widths": "--width",
    "targets": "--target",
    "compile": "--eager",
    "ids": "--id",
    "base": "--from",
    "date_formats": "--date-format",
}


def option_words(setting: Setting) -> str:
    """A setting as an option of the command line: ``--text-column m``, ``--keep-leaks``."""
    flag = _FLAGS.get(setting.name, "--" + setting.name.replace("_", "-"))
    value = setting.value
    if value is None or value is True:
        return flag
    if value is False:
        return flag if setting.name == "compile" else "--no-" + flag[2:]
    if isinstance(value, dict):
        return " ".join(f"{flag} {_quoted(f'{key}={entry}')}" for key, entry in value.items())
    if isinstance(value, tuple | list):
        return f"{flag} {','.join(map(str, value))}"
    return f"{flag} {_quoted(str(value))}"


def _quoted(text: str) -> str:
    """As a shell takes it."""
    plain = text and all(c.isalnum() or c in "-_./:+%@=," for c in text)
    return text if plain else "'" + text.replace("'", "'\"'\"'") + "'"
