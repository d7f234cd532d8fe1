"""Commands whose help and errors are in the language of the user.

The language is known before help is made: ``--lang`` is looked for in front of the command, and
without it the environment decides (``pellucid.base.language``).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from pellucid.base.language import LANGUAGES, in_language, language, translated

UsageError: Any
ClickException: Any
UsageError, ClickException = typer.BadParameter.__mro__[1:3]

# What typer writes around help and errors; names of its module ``rich_utils``.
_FIXED = (
    "ARGUMENTS_PANEL_TITLE",
    "OPTIONS_PANEL_TITLE",
    "COMMANDS_PANEL_TITLE",
    "ERRORS_PANEL_TITLE",
    "ABORTED_TEXT",
    "RICH_HELP",
    "DEFAULT_STRING",
    "ENVVAR_STRING",
    "REQUIRED_LONG_STRING",
    "DEPRECATED_STRING",
)


class Lang(StrEnum):
    """The languages of the command line."""

    en = "en"
    zh = "zh"


def examples(*lines: str) -> str:
    """Examples at the end of a command's help."""
    return "Examples:\n\n" + "\n\n".join(f"  pellucid {line}" for line in lines)


class _Worded:
    """What commands and groups of commands have in common."""

    def get_usage(self, ctx: Any) -> str:
        """The usage line."""
        text: str = super().get_usage(ctx)  # type: ignore[misc]
        head, sign, rest = text.partition(": ")
        return translated(head + sign.strip()) + rest if language() != "en" else text

    def get_help_option(self, ctx: Any) -> Any:
        """The option ``--help``."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None and option.help:
            option.help = translated(option.help)
        return option


class Command(_Worded, TyperCommand):
    """A command."""


class Commands(_Worded, TyperGroup):
    """A group of commands."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> object:
        """Runs the command that ``args`` names, in the language that they ask for."""
        args = list(sys.argv[1:] if args is None else args)
        with in_language(asked_language(args)):
            if language() == "en":
                return super().main(args, *rest, **extra)
            _translate(self)
            with _fixed_texts():
                return super().main(args, *rest, **extra)

    def make_context(self, *args: Any, **extra: Any) -> typer.Context:
        """Reads the arguments."""
        with _translated_errors():
            return cast(typer.Context, super().make_context(*args, **extra))

    def invoke(self, ctx: Any) -> object:
        """Runs the command."""
        with _translated_errors():
            return super().invoke(ctx)


def asked_language(args: Sequence[str]) -> str | None:
    """The language that ``--lang`` names among the options in front of the command."""
    for position, text in enumerate(args):
        if not text.startswith("-"):
            return None
        name, sign, value = text.partition("=")
        if name == "--lang":
            value = value if sign else "".join(args[position + 1 : position + 2])
            return value if value in LANGUAGES else None
    return None


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Wrong arguments are told in the language of the user."""
    try:
        yield
    except UsageError as error:
        # The help that is shown where nothing is asked for is an error, too.
        if language() == "en" or type(error).__name__ == "NoArgsIsHelpError":
            raise
        told = UsageError(translated(error.format_message()), ctx=error.ctx)
        told.exit_code = error.exit_code
        raise told from None


def _translate(command: Any) -> None:
    """Puts the help of a command and of those below it into the language of the user."""
    for name in ("help", "epilog", "short_help"):
        if text := getattr(command, name, None):
            setattr(command, name, _paragraphs(text))
    for name in ("rich_help_panel", "options_metavar", "subcommand_metavar"):
        if isinstance(text := getattr(command, name, None), str):
            setattr(command, name, translated(text))
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = _paragraphs(parameter.help)
        if isinstance(panel := getattr(parameter, "rich_help_panel", None), str):
            parameter.rich_help_panel = translated(panel)
    for below in getattr(command, "commands", {}).values():
        _translate(below)


def _paragraphs(text: str) -> str:
    """A help text, each paragraph translated; lines of code, which are indented, stay."""
    made = []
    for part in text.split("\n\n"):
        made.append(part if part.startswith(" ") else translated(" ".join(part.split())))
    return "\n\n".join(made)


@contextlib.contextmanager
def _fixed_texts() -> Iterator[None]:
    """Inside, the headings of help and errors are in the language of the user."""
    try:
        from typer import rich_utils
    except ImportError:  # typer without rich
        yield
        return
    before = {n: getattr(rich_utils, n) for n in _FIXED if hasattr(rich_utils, n)}
    try:
        for name, text in before.items():
            setattr(rich_utils, name, translated(text))
        yield
    finally:
        for name, text in before.items():
            setattr(rich_utils, name, text)
