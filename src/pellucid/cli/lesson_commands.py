"""The commands ``pellucid lessons`` and ``pellucid lesson``; what they do is in ``cli/lessons``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.base.language import in_language
from pellucid.cli.commands import Command, Commands, Lang, examples
from pellucid.cli.reporting import reported

_COURSE = "The course: list its lessons and what is solved; read one."

lessons_app = typer.Typer(
    cls=Commands,
    help=_COURSE,
    epilog="Examples:\n\n  pellucid lessons\n\n  pellucid lessons open 2 --browser",
    no_args_is_help=False,
    invoke_without_command=True,
    rich_markup_mode="rich",
)
lesson_app = typer.Typer(
    cls=Commands,
    help="The exercises of a lesson: begin, and have the answers checked.",
    epilog="Examples:\n\n  pellucid lesson start 2\n\n  pellucid lesson check 2",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(help="Number of the lesson.", metavar="N")]
Answers = Annotated[
    Path | None, typer.Argument(help=r"File with the answers \[lesson_N.py].", show_default=False)
]


@lessons_app.callback(help=_COURSE)
@reported
def show_lessons(context: typer.Context, as_json: Json = False) -> None:
    """The course: list its lessons and what is solved; read one."""
    if context.invoked_subcommand is None:
        from pellucid.cli import lessons

        lessons.show_list(as_json)


@lessons_app.command(
    "open",
    cls=Command,
    help="Read a lesson in the terminal, or as a page in the browser.",
    epilog=examples("lessons open 2", "lessons open 2 --browser --lang zh"),
)
@reported
def open_lesson(
    number: Number,
    browser: Annotated[
        bool, typer.Option("--browser", help="As a page in the browser; it works offline.")
    ] = False,
    solutions: Annotated[
        bool, typer.Option("--solutions", help="Also show the solutions of the exercises.")
    ] = False,
    lang: Annotated[
        Lang | None, typer.Option(help=r"Language of the lesson \[that of all texts].")
    ] = None,
) -> None:
    """Read a lesson in the terminal, or as a page in the browser."""
    from pellucid.cli import lessons

    with in_language(lang):
        lessons.open_lesson(number, browser, solutions)


@lesson_app.command(
    "start",
    cls=Command,
    help="Write a file with a lesson's exercises, to be filled in; never over one that is there.",
    epilog=examples("lesson start 2"),
)
@reported
def start_lesson(number: Number, file: Answers = None) -> None:
    """Write a file with a lesson's exercises, to be filled in; never over one that is there."""
    from pellucid.cli import lessons

    lessons.start(number, file)


@lesson_app.command(
    "check",
    cls=Command,
    help="Run the answers and say of each whether it is right; if not, give a hint.\n\n"
    "Exit codes: 0 all are solved, 8 some are not; others as everywhere.",
    epilog=examples("lesson check 2", "lesson check 2 mine.py --json"),
)
@reported
def check_lesson(number: Number, file: Answers = None, as_json: Json = False) -> None:
    """Run the answers and say of each whether it is right; if not, give a hint.

    Exit codes: 0 all are solved, 8 some are not; others as everywhere.
    """
    from pellucid.cli import lessons

    lessons.check(number, file, as_json)
