"""What all commands share: clean text, tables of metrics, errors as messages with exit codes."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import typer

import pellucid._starting as _starting
from pellucid._starting import SIGNALS
from pellucid.base.errors import FileError, PellucidError
from pellucid.base.language import Shown, language, padded, translated
from pellucid.base.phrases import option_words, worded
from pellucid.training.interrupts import Interrupted

DEFECT = 70
DEBUG = "PELLUCID_DEBUG"


def clean(text: object) -> str:
    """``text`` for a terminal: control characters, which could move the cursor or hide other
    text, become visible marks; settings are worded as options of the command line."""
    text = worded(text, option_words) if isinstance(text, str) else text
    return "".join(
        c
        if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
        else "\N{REPLACEMENT CHARACTER}"
        for c in str(text)
    )


def told(text: object) -> Shown:
    """``text`` in the user's language, clean, its settings worded as options."""
    text = text if isinstance(text, str) else str(text)
    return Shown(clean(translated(worded(text, option_words))))


def about(name: str, text: object) -> Shown:
    """What is told about a name of the user's, which stays as it is: ``name: text``."""
    return Shown(clean(name) + ("：" if language() == "zh" else ": ") + told(text))


def say(text: object = "", **style: Any) -> None:
    """A line on standard output."""
    typer.secho(told(text), **style)


def complain(text: object, **style: Any) -> None:
    """A line on standard error."""
    typer.secho(told(text), err=True, **style)


def say_json(value: object) -> None:
    """A JSON value on standard output; numbers that are not finite are texts."""
    from pellucid.training.run_folder import plain

    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def fact(name: str, text: object) -> None:
    """A named fact, its further lines indented."""
    lines = told(text).split("\n")
    head = padded(translated(name), 12)
    typer.echo(typer.style(head, bold=True) + ("\n" + " " * 12).join(lines))


def reported(command: Callable[..., Any]) -> Callable[..., Any]:
    """Errors and signals of a command become a message and an exit code, never a traceback
    (unless PELLUCID_DEBUG is set)."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _signals() as seen:
            try:
                return command(*args, **kwargs)
            except (typer.Exit, typer.Abort, SystemExit):
                raise
            except BaseException as error:
                # A library may have made another error of the interrupt.
                if isinstance(error, KeyboardInterrupt) or seen:
                    notes = getattr(error, "__notes__", ()) or ("nothing was written.",)
                    complain(f"\nInterrupted; {' '.join(notes)}", fg="yellow")
                    number = seen[0] if seen else getattr(error, "number", signal.SIGINT)
                    raise typer.Exit(128 + number) from None
                if os.environ.get(DEBUG):
                    raise
                raise typer.Exit(show_error(error)) from None

    return run


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Inside, SIGINT and SIGTERM raise ``Interrupted``; gives the numbers of those that came.

    One that is raised where Python cannot pass it on (in a destructor) is raised again.
    """
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        raise Interrupted(number)

    def unraisable(caught: sys.UnraisableHookArgs) -> None:
        if not isinstance(caught.exc_value, KeyboardInterrupt):
            told(caught)
        elif seen:
            threading.Timer(0.05, os.kill, (os.getpid(), seen[-1])).start()

    told, sys.unraisablehook = sys.unraisablehook, unraisable
    ignored = (signal.SIG_IGN, None)
    before = {n: signal.getsignal(n) for n in SIGNALS if signal.getsignal(n) not in ignored}
    try:
        for number in before:
            signal.signal(number, interrupt)
        yield seen
    finally:
        _starting.over = True
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = told


def show_error(error: BaseException) -> int:
    """Prints what went wrong and what to do; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        # The reader went away (as in ``| head``); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, OSError) and not isinstance(error, PellucidError):
        place = error.filename or "a file"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        text = "there is no space left on the disk" if full else error.strerror or str(error)
        error = FileError(f"{place}: {text}", "Check the path, its permissions and the disk.")
    if isinstance(error, MemoryError):
        error = PellucidError("There is not enough memory", "Use fewer rows or a smaller network.")
    if isinstance(error, PellucidError):
        complain(about(translated("Error"), error.message), fg="red")
        for text in (error.hint, *getattr(error, "__notes__", ())):
            if text:
                complain(text)
        return error.exit_code
    complain(about(translated("Error"), Shown(f"{type(error).__name__}: {error}")), fg="red")
    for text in getattr(error, "__notes__", ()):
        complain(text)
    complain(f"This is a defect of Pellucid. Please report it; {DEBUG}=1 shows where it happened.")
    return DEFECT


def figure_text(name: str, value: float | None) -> str:
    """A metric with four significant digits; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if 1e6 <= abs(value) < 1e12 else f"{value:.4g}"


def figures_table(columns: Mapping[str, Mapping[str, float]], headline: str) -> str:
    """Metrics by column (parts and simple models) as text, the headline metric first."""
    from pellucid.training.summary import text_table

    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    names.sort(key=lambda name: name != headline)
    rows: list[Sequence[str]] = [["", *map(translated, columns)]]
    for name in names:
        figures = (figure_text(name, values.get(name)) for values in columns.values())
        rows.append([translated(name), *figures])
    return text_table(rows)
