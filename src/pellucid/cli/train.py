"""``pellucid train``: the face of the training job at the command line."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from pellucid.base.errors import ArgumentError, FileError, PellucidError
from pellucid.base.extras import MissingPackageError
from pellucid.base.language import Shown, language, translated
from pellucid.base.phrases import option_words
from pellucid.cli.config_file import toml_text
from pellucid.cli.options import given_loading
from pellucid.cli.progress import Progress, shown
from pellucid.cli.reporting import (
    DEFECT,
    about,
    complain,
    fact,
    figure_text,
    figures_table,
    say,
    say_json,
    show_error,
    told,
)
from pellucid.data.sources import PreparedData
from pellucid.insight.finding import Finding
from pellucid.insight.pictures import draw_learning_rates
from pellucid.insight.report import report_files
from pellucid.insight.runs import run_findings
from pellucid.training.config import TrainingConfig
from pellucid.training.events import (
    DataLoaded,
    JobEvent,
    LeftBehind,
    Problem,
    Resumed,
    Trained,
    TrainerEvent,
)
from pellucid.training.folds import Folds, cross_validate
from pellucid.training.from_run import Taken, taken_layers
from pellucid.training.interrupts import Interrupts
from pellucid.training.job import RunResult
from pellucid.training.leftovers import Leftover
from pellucid.training.linear_start import starts_linear
from pellucid.training.metrics import HEADLINES
from pellucid.training.network import describe_layers, parameter_shapes
from pellucid.training.run import Job, Outcome
from pellucid.training.saved_model import PARTS
from pellucid.training.stored_run import read_run


def train(
    source: str | None,
    targets: Sequence[str],
    settings: dict[str, Any],
    *,
    output: Path | None,
    overwrite: bool,
    quiet: bool,
    loading: dict[str, Any],
    given: dict[str, Any],
    as_json: bool = False,
    resume: Path | None = None,
    profile: bool = False,
) -> None:
    """Runs the main job and prints what happens (``as_json`` prints what came out, as one value);
    ends the command with its exit code.

    The run folder holds the options, ``given``, as a file for ``--config``.
    """
    if resume is not None:  # what was not given is that of the run
        loading = given_loading(loading)
    with Interrupts(), _Face(quiet) as face:  # what a signal ends is up to the job
        job = Job(
            source,
            targets,
            output=output,
            overwrite=overwrite,
            loading=loading,
            listeners=[] if as_json else [face],
            report=report_files,
            word=option_words,
            settings_text=toml_text(given) if resume is None else "",
            resume=resume,
            settings=settings,
            profile=profile,
        )
        outcome = job.run()
        face.close()
        code = exit_code(outcome)
        if as_json:
            say_json(outcome_facts(outcome))
        else:
            say_outcome(outcome)
    if code:
        raise typer.Exit(code)


def train_folds(
    folds: int,
    source: str,
    targets: Sequence[str],
    settings: dict[str, Any],
    *,
    output: Path | None,
    overwrite: bool,
    quiet: bool,
    loading: dict[str, Any],
    given: dict[str, Any],
    as_json: bool = False,
    resume: Path | None = None,
    profile: bool = False,
) -> None:
    """Trains a network for each fold and prints means and deviations on the test rows."""
    if resume is not None:
        raise ArgumentError(
            "--resume goes on with one run, --folds makes several",
            "Go on with the fold that was interrupted: pellucid train --resume FOLDER/fold-N.",
        )
    if profile:
        raise ArgumentError(
            "--profile measures one network, --folds makes several", "Leave one of them out."
        )
    with Interrupts(), _Face(quiet) as face:
        found = cross_validate(
            source,
            targets,
            folds=folds,
            output=output,
            overwrite=overwrite,
            loading=loading,
            listeners=[] if as_json else [face],
            report=report_files,
            word=option_words,
            settings_text=toml_text(given),
            **settings,
        )
        face.close()
    if as_json:
        say_json(
            {
                "folder": str(found.outcomes[0].folder.parent),
                "folds": [outcome_facts(outcome) for outcome in found.outcomes],
                "summary": {
                    model: {n: {"mean": m, "deviation": d} for n, (m, d) in values.items()}
                    for model, values in found.summary().items()
                },
            }
        )
    else:
        _say_folds(found, folds)
    last = found.outcomes[-1]
    code = 128 + last.signal if last.signal else 0
    code = code or max((p.code for outcome in found.outcomes for p in outcome.problems), default=0)
    if code:
        raise typer.Exit(code)


def _say_folds(found: Folds, folds: int) -> None:
    """Means and deviations over the folds."""
    columns = {
        model: {name: f"{mean:.4g} ± {spread:.2g}" for name, (mean, spread) in values.items()}
        for model, values in found.summary().items()
    }
    done = len(found.outcomes)
    say()
    for name in next(iter(columns.values()), {}):
        listed = (f"{translated(model)} {values[name]}" for model, values in columns.items())
        fact(name, Shown(("；" if language() == "zh" else "; ").join(listed)))
    fact("Folds", f"{done} of {folds}, each tested on rows that it did not learn from")
    fact("Written", f"{_shown(found.outcomes[0].folder.parent)}{os.sep}")


def find_lr(
    source: str | None,
    targets: Sequence[str],
    settings: dict[str, Any],
    *,
    output: Path | None,
    overwrite: bool,
    loading: dict[str, Any],
) -> None:
    """Tries learning rates, says which is good, and draws the trial; trains nothing."""
    job = Job(source, targets, loading=loading, word=option_words, settings=settings)
    name, found = job.find_lr()
    place = output or Path(f"{name}-learning-rates.svg")
    if place.exists() and not overwrite:
        raise FileError(
            f"{place} exists already; nothing was changed",
            "Choose another file with --output, or replace this one with --overwrite.",
        )
    low, high, steps = found.rates[0], found.rates[-1], len(found.rates)
    fact("Tried", f"{steps} steps with learning rates from {low:.2g} to {high:.2g}")
    if found.suggestion is None:
        fact("Found", "the loss fell at none of them; look at the data and the network")
    else:
        fact("Found", f"--learning-rate {found.suggestion:.2g}: there the loss falls fastest")
    try:
        draw_learning_rates(found, place)
    except MissingPackageError as error:  # the trial is worth its answer without a picture
        complain(error.message, fg="yellow")
        complain(error.hint)
    else:
        fact("Written", str(place))


class _Face:
    """A listener that prints what a job tells, with a progress bar while it trains."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.progress: Progress | None = None
        self._bar = contextlib.ExitStack()

    def __enter__(self) -> _Face:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Takes the progress bar away."""
        self._bar.close()

    def __call__(self, event: JobEvent) -> None:
        if isinstance(event, TrainerEvent):
            if self.progress is not None:
                self.progress(event.event)
        elif isinstance(event, LeftBehind):
            say_leftovers(event.found)
        elif isinstance(event, DataLoaded):
            if event.resumed is not None:
                say_resumed(event.resumed)
            say_data(event.prepared)
            say_plan(event.prepared, event.config)
            self.progress = Progress(HEADLINES[event.prepared.task.kind])
            self._bar.enter_context(shown(self.progress, self.quiet))
        elif isinstance(event, Trained):
            self.close()
            say_end(event.result)
        elif isinstance(event, Problem):
            self.close()
            complain(f"{event.message}.", fg="yellow")
            if event.hint:
                complain(event.hint)


# ---- what is printed -----------------------------------------------------------------------


def exit_code(outcome: Outcome) -> int:
    """The exit code of a job."""
    failure = outcome.result.failure
    if failure is not None:
        return getattr(failure, "exit_code", DEFECT)
    if outcome.signal:
        return 128 + outcome.signal
    return max((problem.code for problem in outcome.problems), default=0)


def outcome_facts(outcome: Outcome) -> dict[str, Any]:
    """What came out of a job, as JSON values."""
    result, history = outcome.result, outcome.result.history
    better, text = result.verdict()
    failure = result.failure
    return {
        "folder": str(outcome.folder),
        "complete": outcome.complete,
        "status": history.status,
        "epochs": len(history),
        "best_epoch": history.best_epoch,
        "steps": history.steps,
        "seconds": result.seconds,
        "parameters": result.parameters(),
        "metrics": {part: dict(m.values) for part, m in result.figures.items()},
        "verdict": {"better": better, "text": text},
        "profile": None if result.profile is None else result.profile.to_json(),
        "temperature": None if result.calibration is None else result.calibration.temperature,
        "examination": None if result.examination is None else result.examination.to_json(),
        "failure": None if failure is None else str(failure),
        "problems": [{"message": p.message, "hint": p.hint} for p in outcome.problems],
    }


def say_outcome(outcome: Outcome) -> None:
    """Metrics, where the run is, and how it ended."""
    result, folder = outcome.result, outcome.folder
    if result.profile is not None:
        say()
        say(Shown(result.profile))
    say_figures(result)
    if result.examination is None:
        say_findings(folder)
    else:
        say_examination(result.examination)
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    fact("Written", Shown(f"{_shown(folder)}{os.sep}  ({files})"))
    if result.failure is not None:
        complain("")
        show_error(result.failure)
    elif outcome.signal:
        complain("Interrupted: what was learned up to then is kept.", fg="yellow")


def say_findings(folder: Path) -> None:
    """What is noticed about the run: its network and its curves, and what to do."""
    with contextlib.suppress(PellucidError):  # a run that could not be written whole
        for finding in run_findings(read_run(folder)):
            fact("Diagnosis", diagnosis(finding))


def say_examination(report: Any) -> None:
    """What the doctor found in the training: causes with their evidence, and what to do."""
    from pellucid.cli.doctor import show_findings

    if report.is_healthy:
        fact("Doctor", "nothing is wrong as far as the doctor can see")
        return
    say()
    show_findings(report)
    say()


def diagnosis(finding: Finding) -> str:
    """What was found, where, the evidence and the remedy, in the user's language."""
    place = f" in layer {finding.where}" if finding.where else ""
    if language() == "en":
        return f"{finding.what}{place}: {finding.evidence}. {finding.remedy}"
    what = told(finding.what) + (f"（{told(place.strip())}）" if place else "")
    return Shown(f"{what}：{told(finding.evidence)}。{told(finding.remedy)}")


def say_leftovers(found: Sequence[Leftover]) -> None:
    """What killed runs left behind, and what to do about it."""
    usable = sum(one.usable for one in found)
    place = _shown(found[0].folder.parent)
    what = "a killed run" if len(found) == 1 else f"{len(found)} killed runs"
    text = f"{what} left unfinished folders in {place}, {usable} with weights"
    command = "pellucid recover" if place in (".", "runs") else f"pellucid recover {place}"
    fact("Note", f"{text}: {command} (--discard deletes them)")
    resumable = [one for one in found if one.resumable]
    if resumable:
        run = _shown(resumable[-1].folder.with_name(resumable[-1].name))
        fact("Note", f"to go on where it was: pellucid train --resume {run}")


def say_resumed(resumed: Resumed) -> None:
    """Where the run goes on."""
    if not resumed.steps:
        fact("Resumed", f"{_shown(resumed.folder)}: no checkpoint yet, it begins anew")
        return
    fact("Resumed", f"{_shown(resumed.folder)}, after {resumed.steps:,} steps")


def say_data(prepared: PreparedData) -> None:
    """The data, the task that was found, and what was noticed."""
    counts = [prepared.training_rows, len(prepared.validation), len(prepared.test)]
    sizes = " / ".join(f"{count:,}" for count in counts)
    fact(
        "Data",
        f"{prepared.name}: {prepared.rows:,} rows, {len(prepared.feature_names):,} features; "
        f"training / validation / test {sizes}",
    )
    fact("Task", about(", ".join(prepared.task.targets), prepared.task.reason))
    for note in prepared.notes:
        fact("Note", note)


def say_plan(prepared: PreparedData, config: TrainingConfig) -> None:
    """The network and how it will be trained."""
    row = prepared.row_shape
    shapes = parameter_shapes(row, config, prepared.task.output_units)
    count = sum(math.prod(shape) for shape in shapes.values())
    fact("Network", f"{describe_layers(row, config, prepared.task)}; {count:,} parameters")
    if config.base:
        say_taken(taken_layers(prepared, config), Path(config.base))
    loss = config.loss_for(prepared.task.kind, prepared.task.loss)
    epochs = config.for_rows(prepared.training_rows).epochs
    start = ", begins at the linear model" if starts_linear(prepared, config) else ""
    fact(
        "Training",
        f"{loss}, {config.optimizer}, learning rate {config.learning_rate:g}, batches of "
        f"{config.batch_size}, at most {epochs} epochs{start}, seed {config.seed}",
    )


def say_taken(found: Taken, folder: Path) -> None:
    """What the network takes from a run's."""
    count = len(found.layers)
    fact("From", f"{_shown(folder)}: {count} of {count + len(found.new)} layers taken")
    if found.frozen:
        fact("Frozen", Shown(", ".join(found.frozen)))
    if found.new:
        fact("New", Shown(", ".join(found.new)))


def say_end(result: RunResult) -> None:
    """How the training ended."""
    history = result.history
    text = {
        "finished": "all epochs done",
        "stopped": "stopped",
        "out of time": "the time is over",
        "failed": "ended by an error",
        "stopped early": f"stopped early, {result.config.patience} epochs without a better loss",
        "interrupted": "interrupted",
        "not finite": "NaN or infinity",
    }[history.status]
    best = f", kept epoch {history.best_epoch}" if history.best_epoch else ""
    if not history.best_epoch and starts_linear(result.prepared, result.config) and len(history):
        best = ", kept the linear model it began as: no epoch was better beyond chance"
    fact(
        "Trained",
        f"{len(history)} epochs, {history.steps:,} steps in {history.seconds:.2f} s "
        f"({history.compile_seconds:.2f} s compiling): {text}{best}",
    )


def say_figures(result: RunResult) -> None:
    """Metrics of all parts beside those of the simple models, and what follows."""
    if not result.figures:
        return
    columns = {part: result.figures[part].values for part in PARTS if part in result.figures}
    headline = next(iter(result.figures.values())).headline
    if result.baselines is not None:
        for simple in (result.baselines.constant, result.baselines.linear):
            measured = simple.test or simple.validation
            if measured is not None:
                columns[simple.name] = measured.values
    say_calibration(result)
    say_ensemble(result)
    say()
    say(figures_table(columns, headline))
    say()
    better, text = result.verdict()
    say(text, fg="green" if better else "yellow", bold=True)


def say_ensemble(result: RunResult) -> None:
    """How far the networks of an ensemble are from each other, and from their mean."""
    part = next((p for p in PARTS[::-1] if p in result.single), None)
    if part is None:
        return
    mean, deviation = result.single[part]
    name, count = result.figures[part].headline, result.config.ensemble
    together = figure_text(name, result.figures[part].values[name])
    alone = f"{figure_text(name, mean)} ± {deviation:.2g}"
    fact(
        "Ensemble",
        f"{count} networks; one by one {translated(name)} {alone}, together {together} ({part})",
    )


def say_calibration(result: RunResult) -> None:
    """What the validation rows say of how sure the network is."""
    known = result.calibration
    if known is None or known.temperature == 1.0:
        return
    sure = "too sure" if known.temperature > 1 else "not sure enough"
    text = f"the network was {sure}: scores are divided by {known.temperature:.3g}"
    fact("Calibrated", f"by the validation rows {text}")


def _shown(folder: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
