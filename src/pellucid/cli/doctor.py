"""``pellucid doctor``: what is wrong with a program, a run, or data, and what helps."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from pellucid.base.errors import ArgumentError, FileError
from pellucid.base.language import Shown, columns_of, language, padded, translated
from pellucid.cli.reporting import clean, fact, say, say_json, told
from pellucid.insight.doctor import (
    Finding,
    Report,
    ScriptRun,
    examine_agent,
    examine_data,
    run_script,
)
from pellucid.insight.doctor.causes import CAUSES
from pellucid.insight.doctor.run_cases import examine_run
from pellucid.insight.doctor.treating import Treatment
from pellucid.rl.runs import AGENT, load_course
from pellucid.training.run_folder import MODEL

FOUND = 7
"""The exit code where something was found."""
_ROWS = 12


def doctor(
    what: str | None,
    args: Sequence[str],
    *,
    data: str | None,
    targets: Sequence[str],
    reading: Mapping[str, Any],
    treat: bool,
    seconds: float,
    max_steps: int,
    max_minutes: float,
    as_json: bool,
) -> None:
    """Examines what was named, prints the report, and ends with ``FOUND`` where it is not empty."""
    if (what is None) == (data is None):
        raise ArgumentError(
            "Nothing was named to examine" if what is None else "Two things were named to examine",
            "Give a program (train.py), a run (runs/NAME), or data: --data FILE --target COLUMN.",
        )
    code = 0
    if data is not None:
        if treat:
            raise ArgumentError(
                "--treat with --data", "Remedies are tried on runs and programs: leave it out."
            )
        report = examine_data(data, targets, **reading)
    elif _is_program(what or ""):
        run = run_script(
            what or "", args, max_steps=max_steps, max_seconds=60 * max_minutes,
            probe_seconds=seconds,
        )  # fmt: skip
        report, code = run.report, run.code
        if run.traceback:
            typer.echo(clean(run.traceback), err=True)
        if not as_json:
            _say_run(run)
    else:
        report = _of_run(Path(what or ""), args, seconds)
    treatment = _treated(report) if treat and not report.is_healthy else None
    if as_json:
        more = {} if treatment is None else {"treatment": treatment.to_json()}
        say_json({**report.to_json(), **more})
    else:
        show(report)
        if treatment is not None:
            say()
            for line in str(treatment).split("\n"):
                say(line)
            if treatment.diff:
                typer.echo(clean(treatment.diff))
    if not report.is_healthy:
        raise typer.Exit(FOUND)
    if code:
        raise typer.Exit(code if 0 < code < 256 else 1)


def _is_program(what: str) -> bool:
    return what.endswith(".py") or (Path(what).is_file() and not Path(what).is_dir())


def _of_run(folder: Path, args: Sequence[str], seconds: float) -> Report:
    if args:
        raise ArgumentError(
            f"{args[0]} beside a run", "Only programs take arguments: pellucid doctor train.py …"
        )
    if (folder / AGENT).is_file():
        return examine_agent(load_course(folder))
    if not (folder / MODEL).is_file():
        raise FileError(
            f"{folder} is no program and holds no run",
            "Give a file train.py, or a folder that pellucid train or pellucid rl train wrote.",
        )
    return examine_run(folder, seconds=seconds)


def _treated(report: Report) -> Treatment:
    """What a trial of the remedies says, where there is something to try them on."""
    case = report.case
    if case is None or case.model is None or case.train is None:
        raise ArgumentError(
            "There is nothing to try remedies on: the data of the run are not at hand",
            "Put them back where they were, or follow the advice by hand.",
        )
    return report.treat()


def _say_run(run: ScriptRun) -> None:
    sys.stdout.flush()
    say()
    text = {
        "finished": "the program ran to its end",
        "stopped": "the program was stopped: its steps or minutes were used up",
        "failed": "the program ended with an error",
        "exited": "the program ended itself with an error",
    }[run.status]
    fact("Program", f"{run.path}: {run.steps:,} steps in {run.seconds:.1f} s")
    fact("Ended", text)


# ---- what is printed ---------------------------------------------------------------------------


def show(report: Report) -> None:
    """Facts, then the findings in order; or that nothing is wrong."""
    facts = {translated(name[:1].upper() + name[1:]): _value(v) for name, v in report.facts.items()}
    _aligned(list(facts.items()), "")
    if report.facts:
        say()
    if report.is_healthy:
        say("Nothing is wrong as far as the doctor can see.", fg="green")
        return
    show_findings(report)
    say()
    found = "1 thing was found" if len(report) == 1 else f"{len(report)} things were found"
    say(f"{found}; the first one first.")


def show_findings(report: Report) -> None:
    """Each finding with its place, evidence and remedies."""
    for number, finding in enumerate(report, 1):
        _show(number, finding)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return translated("yes" if value else "no")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        shown = [f"{clean(name)} {count}" for name, count in list(value.items())[:8]]
        return ", ".join(shown) + (" …" if len(value) > 8 else "")
    if isinstance(value, list | tuple):
        return " / ".join(map(str, value))
    return str(told(str(value)))


def _show(number: int, finding: Finding) -> None:
    if number > 1:
        say()
    place = _place(finding)
    wide = language() == "zh"
    head = f"{number}. {translated(finding.title)}"
    head += f"（{finding.cause}）" if wide else f" ({finding.cause})"
    typer.secho(Shown(head), bold=True)
    lines = [("Where", place)] if place else []
    lines.append(("Meaning", told(CAUSES[finding.cause].means)))
    lines += [("Seen", _evidence(item)) for item in finding.evidence]
    lines += [("Tried", told(result.text or result.question)) for result in finding.probes]
    lines += [("Follows", told(symptom.title)) for symptom in finding.symptoms]
    lines += [("Do", told(patch.text)) for patch in finding.remedies]
    lines.append(("Certainty", Shown(f"{finding.confidence:.0%}")))
    labels = [name if not n or lines[n - 1][0] != name else "" for n, (name, _) in enumerate(lines)]
    _aligned(
        [(translated(name) if name else "", text)
         for name, (_, text) in zip(labels, lines, strict=True)], "   ",
    )  # fmt: skip


def _aligned(lines: Sequence[tuple[str, str]], before: str) -> None:
    """Names and texts, the texts below each other."""
    width = max((columns_of(name) for name, _ in lines), default=0) + 2
    for name, text in lines:
        head = typer.style(before + padded(name, width), bold=True)
        typer.echo(head + str(text).replace("\n", "\n" + " " * (len(before) + width)))


def _evidence(item: Any) -> str:
    wide = language() == "zh"
    text = str(told(item.text))
    if item.value is not None:
        text += f"{'：' if wide else ': '}{item.value:.4g}"
    if item.expected:
        expected = told(f"expected {item.expected}")
        text += f"（{expected}）" if wide else f" ({expected})"
    return text


def _place(finding: Finding) -> str:
    """Where a cause lies, in the user's language; rows and files as many as fit."""
    place = finding.place
    parts = []
    if place.layer:
        parts.append(f"{translated('layer')} {clean(place.layer)}")
    if place.setting:
        parts.append(clean(place.setting))
    if place.column:
        # A name of several words is one of ours: "targets of the validation rows".
        name = told(place.column) if " " in place.column else clean(place.column)
        parts.append(f"{translated('column')} {name}")
    if place.line:
        parts.append(clean(place.line))
    shown = [*place.files] or [str(row) for row in place.rows]
    if shown:
        part = f"{translated(place.part)} " if place.part else ""
        what = translated("files" if place.files else "rows")
        listed = ", ".join(map(clean, shown[:_ROWS]))
        more = len(shown) - _ROWS
        parts.append(f"{part}{what} {listed}" + (f", … (+{more:,})" if more > 0 else ""))
    return ("，" if language() == "zh" else ", ").join(parts)
