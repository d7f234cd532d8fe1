"""``pellucid train``: from a file to a trained network, its figures and its report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from pellucid.base.errors import ArgumentError
from pellucid.base.phrases import option_words, worded
from pellucid.cli.progress import Progress, shown
from pellucid.cli.reporting import INTERRUPTED, complain, fact, figures_table, say, show_error
from pellucid.data.sources import PreparedData, load_source
from pellucid.data.tables import read_table
from pellucid.insight.report import render_report
from pellucid.training.config import TrainingConfig
from pellucid.training.history import Callback, Event
from pellucid.training.job import PARTS, RunResult, describe_run, measure, train_network
from pellucid.training.linear_start import starts_linear
from pellucid.training.metrics import HEADLINES
from pellucid.training.network import describe_layers, parameter_shapes
from pellucid.training.run_folder import (
    MODEL,
    REPORT,
    WEIGHTS,
    RunWriter,
    check_target,
    default_target,
    weights_to_bytes,
)

# The best weights are put on the disk at most this often while training goes on.
SAVE_SECONDS = 5.0


def make_config(settings: dict[str, Any], layers: int | None) -> TrainingConfig:
    """The settings that were given, the others as they are by default.

    ``layers`` hidden layers of one width, or of the given widths when their number agrees.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    widths = given.get("widths")
    if layers is not None:
        known = widths or TrainingConfig().widths
        if layers == 0:
            given["widths"] = ()
        elif not widths or len(widths) == 1:
            given["widths"] = (known[0],) * layers if 0 < layers <= 1000 else (0,)
        elif len(widths) != layers:
            raise ArgumentError(
                f"--layers {layers} and {len(widths)} widths do not fit together",
                "Give one width for all layers, or one for each.",
            )
    return TrainingConfig(**given)


def train(
    source: str,
    targets: Sequence[str],
    config: TrainingConfig,
    *,
    output: Path | None,
    overwrite: bool,
    quiet: bool,
    loading: dict[str, Any],
) -> None:
    """Runs the main job and prints what happens; ends the command with its exit code."""
    if output is not None:
        check_target(Path(os.path.abspath(output)), overwrite)
    start = time.perf_counter()
    prepared = load_source(source, targets, seed=config.seed, fractions=config.fractions, **loading)
    prepared = replace(prepared, notes=tuple(worded(n, option_words) for n in prepared.notes))
    loaded = time.perf_counter() - start
    config.loss_for(prepared.task.kind, prepared.task.loss)
    target = output if output is not None else default_target(prepared.name)
    with RunWriter(target, overwrite=overwrite) as writer:
        say_data(prepared)
        progress = Progress(HEADLINES[prepared.task.kind])
        say_plan(prepared, config)
        callbacks: list[Callback] = [progress, _Recorder(writer, prepared, config)]
        with shown(progress, quiet):
            result = train_network(prepared, config, callbacks)
        result.seconds["data"] = loaded
        _save(writer, result)
        say_end(result)
        try:
            measure(result)
            _save(writer, result)
            writer.record("figures", **result.saved_model().to_json()["figures"])
            writer.record("inside", before=result.before.to_json(), after=result.after.to_json())
            writer.record("time", seconds=result.seconds)
            writer.write(REPORT, render_report(result, _row_texts(source, loading)))
        except KeyboardInterrupt:
            result.history.status = "interrupted"
            complain("Interrupted: the weights are kept, figures and report are left out.")
        folder = writer.finish()
    say_figures(result)
    fact("Written", f"{_shown(folder)}{os.sep}  ({WEIGHTS}, {MODEL}, records.jsonl, {REPORT})")
    if result.failure is not None:
        complain("")
        raise typer.Exit(show_error(result.failure))
    if result.history.status == "interrupted":
        complain("Interrupted: what was learned up to then is kept.", fg="yellow")
        raise typer.Exit(INTERRUPTED)


# ---- what is printed -----------------------------------------------------------------------


def say_data(prepared: PreparedData) -> None:
    """The data, the task that was found, and what was noticed."""
    sizes = " / ".join(f"{len(getattr(prepared, part)):,}" for part in PARTS)
    fact(
        "Data",
        f"{prepared.name}: {prepared.rows:,} rows, {len(prepared.feature_names):,} features; "
        f"training / validation / test {sizes}",
    )
    fact("Task", f"{', '.join(prepared.task.targets)}: {prepared.task.reason}")
    for note in prepared.notes:
        fact("Note", note)


def say_plan(prepared: PreparedData, config: TrainingConfig) -> None:
    """The network and how it will be trained."""
    row = prepared.row_shape
    shapes = parameter_shapes(row, config, prepared.task.output_units)
    count = sum(_product(shape) for shape in shapes.values())
    fact("Network", f"{describe_layers(row, config, prepared.task)}; {count:,} parameters")
    loss = config.loss_for(prepared.task.kind, prepared.task.loss)
    epochs = config.for_rows(len(prepared.train)).epochs
    start = ", begins at the linear model" if starts_linear(prepared, config) else ""
    fact(
        "Training",
        f"{loss}, {config.optimizer}, learning rate {config.learning_rate:g}, batches of "
        f"{config.batch_size}, at most {epochs} epochs{start}, seed {config.seed}",
    )


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def say_end(result: RunResult) -> None:
    """How the training ended."""
    history = result.history
    text = {
        "finished": "all epochs done",
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
    """Figures of all parts beside those of the simple models, and what follows."""
    if not result.figures:
        return
    columns = {part: result.figures[part].values for part in PARTS if part in result.figures}
    headline = next(iter(result.figures.values())).headline
    if result.baselines is not None:
        for simple in (result.baselines.constant, result.baselines.linear):
            measured = simple.test or simple.validation
            if measured is not None:
                columns[simple.name] = measured.values
    say()
    say(figures_table(columns, headline))
    say()
    better, text = result.verdict()
    say(text, fg="green" if better else "yellow", bold=True)


# ---- what is written -----------------------------------------------------------------------


class _Recorder:
    """Writes each epoch into the records, and the best weights to the disk now and then."""

    def __init__(self, writer: RunWriter, prepared: PreparedData, config: TrainingConfig) -> None:
        self.writer, self.prepared, self.config = writer, prepared, config
        self.saved_at = time.perf_counter()
        writer.record("start", name=prepared.name, config=config.to_json())

    def __call__(self, event: Event) -> None:
        if event.kind == "epoch":
            self.writer.record("epoch", **event.facts["record"].to_json())
        elif event.kind == "stop":
            self.writer.record("stop", status=event.facts["status"], steps=event.step)
        elif event.kind == "best" and time.perf_counter() - self.saved_at > SAVE_SECONDS:
            model = event.facts["model"]
            weights = {n: p.detach().numpy() for n, p in model.named_parameters()}
            self.writer.write(WEIGHTS, weights_to_bytes(weights))
            saved = describe_run(self.prepared, self.config, "interrupted", {})
            self.writer.write(MODEL, _json(saved.to_json()))
            self.saved_at = time.perf_counter()


def _save(writer: RunWriter, result: RunResult) -> None:
    writer.write(WEIGHTS, weights_to_bytes(result.weights))
    writer.write(MODEL, _json(result.saved_model().to_json()))


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _row_texts(source: str, loading: dict[str, Any]) -> Callable[..., Any] | None:
    """The cells of rows of the source file, read again: training keeps features only."""
    if source == "digits" or Path(source).is_dir():
        return None

    def cells(rows: Any) -> tuple[list[str], list[list[str | None]]]:
        known = ("encoding", "missing_values", "keep_texts", "date_formats", "decimal", "header")
        table = read_table(source, **{name: loading[name] for name in known}).take(rows)
        names = list(table.columns)
        return names, [[table[name].text(i) for name in names] for i in range(len(table))]

    return cells


def _shown(folder: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
