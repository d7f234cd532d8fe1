"""``pellucid lessons`` and ``pellucid lesson``: read the course, answer its exercises."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import typer

from pellucid.base.errors import FileError
from pellucid.base.language import Shown, columns_of, language, translated
from pellucid.cli.reporting import clean, say, say_json
from pellucid.course.checking import Outcome, check_file
from pellucid.course.graders import exercises_of
from pellucid.course.lessons import Lesson, lesson, lessons
from pellucid.course.progress import home, note_solved, solved
from pellucid.course.reading import page, terminal_text
from pellucid.course.starting import starting_file

UNSOLVED = 8
"""The exit code where exercises are not solved yet."""


def show_list(as_json: bool) -> None:
    """Lists the lessons by parts, with what is solved."""
    done = solved()
    entries = [(each, list(exercises_of(each.number))) for each in lessons()]
    if as_json:
        say_json([_record(each, numbers, done) for each, numbers in entries])
        return
    part = ""
    for each, numbers in entries:
        if each.part[language()] != part:
            part = each.part[language()]
            typer.secho(f"\n{part}", bold=True)
        right = sum(number in done for number in numbers)
        if not each.is_there:
            state = translated("not written yet")
        elif right == len(numbers):
            state = f"✓ {right}/{len(numbers)}"
        else:
            state = f"  {right}/{len(numbers)}"
        colour = "green" if state.startswith("✓") else None
        title = each.titles[language()]
        blanks = " " * max(1, 60 - columns_of(title))
        typer.echo(f"  {each.number:2}  {title}{blanks}" + typer.style(state, fg=colour))
    say()
    say("Read one: pellucid lessons open 1. Its exercises: pellucid lesson start 1.")


def _record(each: Lesson, numbers: list[str], done: set[str]) -> dict[str, object]:
    return {
        "lesson": each.number,
        "name": each.name,
        "title": each.titles,
        "part": each.part,
        "written": each.is_there,
        "exercises": {number: number in done for number in numbers},
    }


def open_lesson(number: int, browser: bool, solutions: bool) -> None:
    """Shows a lesson: in the terminal, or as a page in the browser."""
    each = lesson(number)
    if browser:
        place = home() / "pages" / f"{each.name}.{language()}.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(page(each, language()), "utf-8")
        opened = webbrowser.open(place.as_uri())
        say("The page is open." if opened else "No browser could be started; open this page:")
        typer.echo(place)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    width = min(console.width, 100)
    shown = Markdown(terminal_text(each.text(language()), width, solutions=solutions))
    console.print(shown, width=width)
    say()
    say(f"Answer the exercises: pellucid lesson start {number}")


def start(number: int, file: Path | None) -> None:
    """Writes the file in which the learner answers; never over one that is there."""
    each = lesson(number)
    text = starting_file(each, language())
    place = file or Path(_name(number))
    try:
        with open(place, "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise FileError(
            f"{place} is there already, and stays as it is",
            f"Go on with it, check it (pellucid lesson check {number}), or name another file.",
        ) from None
    say(f"Written: {clean(place)}. Fill in the answers, then: pellucid lesson check {number}")


def _name(number: int) -> str:
    return f"lesson_{number:02}.py"


def check(number: int, file: Path | None, as_json: bool) -> None:
    """Checks the answers, remembers what is solved; ends with ``UNSOLVED`` where some are not."""
    each = lesson(number)
    outcomes = check_file(number, file or Path(_name(number)))
    passed = [outcome.exercise for outcome in outcomes if outcome.passed]
    problem = ""
    try:
        note_solved(passed)
    except OSError as error:
        problem = error.strerror or str(error)
    if as_json:
        say_json({"lesson": number, "exercises": [outcome.record() for outcome in outcomes]})
    else:
        _show(each, outcomes)
        if problem:
            say(f"What is solved could not be noted in {clean(home())}: {problem}", fg="yellow")
    if len(passed) < len(outcomes):
        raise typer.Exit(UNSOLVED)


def _show(each: Lesson, outcomes: list[Outcome]) -> None:
    """What became of each exercise, for people."""
    titles = {task.number: task.title for task in each.text(language()).tasks}
    for outcome in outcomes:
        mark = typer.style("✓" if outcome.passed else "✗", fg="green" if outcome.passed else "red")
        typer.echo(f"{mark} {outcome.exercise} {titles.get(outcome.exercise, '')}")
        for told in outcome.lines():
            typer.echo(f"    {clean(told)}")
        if outcome.printed.strip() and not outcome.passed:
            say("    It printed:")
            for line in outcome.printed.rstrip().splitlines()[-10:]:
                typer.echo(f"      {clean(Shown(line))}")
    right = sum(outcome.passed for outcome in outcomes)
    say()
    if right == len(outcomes):
        say(f"All {right} exercises are solved.", fg="green")
    else:
        say(f"{right} of {len(outcomes)} exercises are solved.")
