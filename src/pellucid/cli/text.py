"""``pellucid train FILE.txt --model lstm``, ``--task seq2seq``, and ``pellucid generate``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from pellucid.base.errors import ArgumentError
from pellucid.base.language import Shown, translated
from pellucid.cli.config_file import toml_text
from pellucid.cli.options import option_name
from pellucid.cli.progress import Progress, shown
from pellucid.cli.reporting import (
    DEFECT,
    complain,
    fact,
    figure_text,
    say,
    say_json,
    show_error,
)
from pellucid.insight.report.system_page import compared, render_system_report
from pellucid.training.summary import text_table
from pellucid.training.system_job import SystemJob, SystemOutcome, kind_of_unfinished

LANGUAGE_MODELS = ("lstm", "gru", "rnn", "gpt")
# Settings of tables that mean the same for texts, and their names there.
_SAME = {
    "model": "model",
    "dropout": "dropout",
    "optimizer": "optimizer",
    "learning_rate": "learning_rate",
    "schedule": "schedule",
    "clip_norm": "clip_norm",
    "batch_size": "batch_size",
    "epochs": "epochs",
    "patience": "patience",
    "max_minutes": "max_minutes",
    "seed": "seed",
    "l2": "weight_decay",
}


SEQUENCES = "seq2seq"
"""The task, as an option, of turning one sequence into another."""


def kind_asked(settings: Mapping[str, Any], loading: Mapping[str, Any], resume: Path | None) -> str:
    """The kind of system that the options ask for, or that the run to go on with is; empty for a
    network on rows."""
    if resume is not None:
        with contextlib.suppress(Exception):
            return kind_of_unfinished(resume)
        return ""
    if loading.get("task") == SEQUENCES:
        return "sequences"
    return "language model" if settings.get("model") in LANGUAGE_MODELS else ""


def refuse(own: Mapping[str, Any]) -> None:
    """``ArgumentError`` for an option of texts where something else is trained."""
    if own:
        name = "--" + next(iter(own)).replace("_", "-")
        raise ArgumentError(
            f"{name} is for texts",
            f"Add --model: {', '.join(LANGUAGE_MODELS)}; or --task {SEQUENCES}.",
        )


def settings_of(settings: Mapping[str, Any], own: Mapping[str, Any], width: str) -> dict[str, Any]:
    """The options as settings of a system for texts, ``width`` being what ``--width`` says there;
    ``ArgumentError`` for others."""
    found = dict(own)
    for name, value in settings.items():
        if name == "threads":
            continue
        if name == "widths":
            if not value or len(set(value)) > 1:
                raise ArgumentError(
                    f"{option_name(name)} {','.join(map(str, value))} does not fit a language "
                    "model",
                    "All its layers have one width: --width 256 --layers 2.",
                )
            found[width] = value[0]
            if len(value) > 1 or width == "features":
                found["layers"] = len(value)
        elif name == "fractions":
            if len(value) != 3:
                raise ArgumentError(
                    f"{option_name(name)} has {len(value)} shares",
                    "Give those of training, validation and test.",
                )
            found["train_share"], found["test_share"] = value[0], value[2]
        elif name in _SAME:
            found[_SAME[name]] = value
        else:
            raise ArgumentError(
                f"{option_name(name)} is not for texts and sequences", "Leave it out."
            )
    return found


def train(
    kind: str,
    source: str | None,
    settings: Mapping[str, Any],
    own: Mapping[str, Any],
    *,
    loading: Mapping[str, Any],
    given: dict[str, Any],
    output: Path | None,
    overwrite: bool,
    resume: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Trains, prints what happens, and ends the command with its exit code."""
    from pellucid.text.language_run import KIND, LanguageSystem
    from pellucid.text.sequence_run import SequenceSystem

    encoding = str(loading.get("encoding") or "auto")
    system: Any = LanguageSystem if kind == KIND else SequenceSystem
    width = "features" if kind == KIND or settings.get("model") == "transformer" else "hidden"

    def make(file: Path, found: Mapping[str, Any]) -> Any:
        return system(file, found, encoding)

    face = _Face(quiet, as_json)
    with contextlib.ExitStack() as bar:
        face.bar = bar
        job = SystemJob(
            make,
            source,
            settings_of(settings, own, width),
            output=output,
            overwrite=overwrite,
            resume=resume,
            threads=int(settings.get("threads", 0)),
            listener=face,
            settings_text=toml_text(given) if resume is None else "",
            report=lambda folder, system: page_of(folder, system.model),
        )
        outcome = job.run()
    if as_json:
        say_json(_facts(outcome))
    else:
        _say_outcome(outcome)
    if outcome.failure is not None:
        code = getattr(outcome.failure, "exit_code", DEFECT)
        raise typer.Exit(code)
    if outcome.signal:
        raise typer.Exit(128 + outcome.signal)


class _Face:
    """Prints what a job tells, with a progress bar while it trains."""

    def __init__(self, quiet: bool, silent: bool) -> None:
        self.quiet, self.silent = quiet, silent
        self.bar = contextlib.ExitStack()
        self.progress = Progress("loss")

    def __call__(self, kind: str, what: Any) -> None:
        if kind == "event":
            self.progress(what)
        elif kind == "problem":
            complain(f"{what}.", fg="yellow")
        elif self.silent:
            return
        elif kind == "loaded":
            _say_system(what)
            self.bar.enter_context(shown(self.progress, self.quiet))
        elif kind == "trained":
            self.bar.close()
            _say_end(what)


def _say_system(system: Any) -> None:
    """The data, the network, and how it will be trained."""
    config, tokens = system.config, len(system.model.tokenizer)
    lines = hasattr(system, "pairs")
    parts = system.pairs if lines else system.characters
    sizes = " / ".join(f"{count:,}" for count in parts.values())
    total, what = f"{sum(parts.values()):,}", "pairs" if lines else "characters"
    fact("Text", f"{system.file.name}: {total} {what}, training / validation / test {sizes}")
    for note in system.notes:
        fact("Note", note)
    fact("Tokens", f"{tokens:,}, by {config.level}")
    count = sum(int(p.numel()) for p in system.network.parameters())
    fact("Network", f"{_network_text(config, lines)}; {count:,} parameters")
    rate = config.learning_rate if lines else config.rate
    optimizer, schedule = ("adamw", "one_cycle") if lines else (config.optimizer, config.schedule)
    fact(
        "Training",
        f"{optimizer}, learning rate {rate:g}, {schedule}, batches of {config.batch_size}, seed "
        f"{config.seed}",
    )


def _network_text(config: Any, lines: bool) -> str:
    """A network in a few words."""
    if not lines:
        return (
            f"{config.model}, {config.layers} layers of {config.features}, context {config.context}"
        )
    if config.model == "transformer":
        return f"transformer, {config.layers} layers of {config.features}"
    return f"{config.model} of {config.hidden} units, attention: {config.attention}"


def _say_end(history: Any) -> None:
    best = f", kept epoch {history.best_epoch}" if history.best_epoch else ""
    fact(
        "Trained",
        f"{len(history)} epochs, {history.steps:,} steps in {history.seconds:.2f} s "
        f"({history.compile_seconds:.2f} s compiling): {_STATUS[history.status]}{best}",
    )


_STATUS = {
    "finished": "all epochs done",
    "stopped": "stopped",
    "out of time": "the time is over",
    "failed": "ended by an error",
    "stopped early": "stopped early",
    "interrupted": "interrupted",
    "not finite": "NaN or infinity",
}


def _say_outcome(outcome: SystemOutcome) -> None:
    """The figures beside those of the simple model, a sample, and where the run is."""
    figures, system = outcome.figures, outcome.system
    if figures:
        names = list(next(iter(figures.values())))
        rows = [["", *(part_text(part) for part in figures)]]
        for name in names:
            values = (figure_text(name, figures[part].get(name)) for part in figures)
            rows.append([translated(name), *values])
        say()
        say(text_table(rows))
        say()
        found = compared(system.described(outcome.history.status, figures))
        if found is not None:
            say(f"{found[1]}.", fg="green" if found[0] else "yellow", bold=True)
        sample = system.sample()
        if sample:
            fact("Sample", Shown(sample))
    files = ", ".join(sorted(path.name for path in outcome.folder.iterdir()))
    fact("Written", Shown(f"{_short(outcome.folder)}{os.sep}  ({files})"))
    if outcome.failure is not None:
        complain("")
        show_error(outcome.failure)
    elif outcome.signal:
        complain("Interrupted: what was learned up to then is kept.", fg="yellow")


def part_text(part: str) -> str:
    """A part, or "6-gram model, test", in the user's language."""
    model, comma, name = part.partition(", ")
    return f"{translated(model)}{comma}{translated(name)}" if comma else translated(part)


def _facts(outcome: SystemOutcome) -> dict[str, Any]:
    """What came out, as JSON values."""
    history = outcome.history
    return {
        "folder": str(outcome.folder),
        "kind": outcome.system.kind,
        "status": history.status,
        "epochs": len(history),
        "best_epoch": history.best_epoch,
        "steps": history.steps,
        "seconds": outcome.seconds,
        "metrics": outcome.figures,
        "failure": None if outcome.failure is None else str(outcome.failure),
    }


def _short(folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(folder.relative_to(Path.cwd()))
    return str(folder)


def page_of(folder: Path, model: Any) -> str:
    """The page of a run, with texts that its network, if it is a language model, writes now."""
    samples = []
    if hasattr(model, "generate"):
        temperatures = (0.5, 0.8, 1.0)
        samples = [model.generate(length=300, temperature=t, seed=0).strip() for t in temperatures]
    return render_system_report(folder, samples)


def generate(
    run: Path,
    prompt: str,
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    *,
    seed: int,
    count: int,
    beams: int,
    alignment: Path | None,
    as_json: bool,
) -> None:
    """Writes texts with the language model of a run, or turns ``prompt`` into another sequence."""
    from pellucid.text.language_run import load_language_model
    from pellucid.text.sequence_run import KIND
    from pellucid.training.run_folder import load_description

    if count < 1:
        raise ArgumentError(f"--count {count}", "Give a number from 1 up.")
    if load_description(run).kind == KIND:
        _translate(run, prompt, beams, alignment, as_json)
        return
    model = load_language_model(run)
    texts = [
        model.generate(
            prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed + number
        )
        for number in range(count)
    ]
    if as_json:
        say_json([{"seed": seed + n, "text": text} for n, text in enumerate(texts)])
        return
    for number, text in enumerate(texts):
        if number and not model.config.lines:
            say("-" * 40)
        say(Shown(text))


def _translate(run: Path, prompt: str, beams: int, alignment: Path | None, as_json: bool) -> None:
    """Prints what the network writes for ``prompt``, and draws at what it looked."""
    from pellucid.insight.pictures import draw_attention
    from pellucid.text.sequence_run import load_sequences

    model = load_sequences(run)
    (text,) = model.translate([prompt], beams)
    if alignment is not None:
        weights, source, target = model.alignment(prompt)
        draw_attention(weights, source, target, path=alignment)
    if as_json:
        say_json({"source": prompt, "text": text})
    else:
        say(Shown(text))
    if alignment is not None:
        fact("Written", Shown(str(alignment)))
