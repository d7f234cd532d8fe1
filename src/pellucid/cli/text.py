"""``pellucid train FILE.txt --model lstm`` and ``pellucid generate``: language models."""

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


def is_text(settings: Mapping[str, Any], loading: Mapping[str, Any], resume: Path | None) -> bool:
    """Whether the options ask for a language model, or go on with one."""
    if resume is not None:
        with contextlib.suppress(Exception):
            return bool(kind_of_unfinished(resume))
        return False
    return settings.get("model") in LANGUAGE_MODELS


def refuse(own: Mapping[str, Any]) -> None:
    """``ArgumentError`` for an option of texts where something else is trained."""
    if own:
        name = "--" + next(iter(own)).replace("_", "-")
        raise ArgumentError(f"{name} is for texts", f"Add --model: {', '.join(LANGUAGE_MODELS)}.")


def settings_of(settings: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The options as settings of a language model; ``ArgumentError`` for others."""
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
            found["features"], found["layers"] = value[0], len(value)
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
            raise ArgumentError(f"{option_name(name)} is not for language models", "Leave it out.")
    return found


def train(
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
    from pellucid.text.language_run import LanguageSystem

    encoding = str(loading.get("encoding") or "auto")

    def make(file: Path, found: Mapping[str, Any]) -> Any:
        return LanguageSystem(file, found, encoding)

    face = _Face(quiet, as_json)
    with contextlib.ExitStack() as bar:
        face.bar = bar
        job = SystemJob(
            make,
            source,
            settings_of(settings, own),
            output=output,
            overwrite=overwrite,
            resume=resume,
            threads=int(settings.get("threads", 0)),
            listener=face,
            settings_text=toml_text(given) if resume is None else "",
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
    """The text, the network, and how it will be trained."""
    config, tokens = system.config, len(system.model.tokenizer)
    sizes = " / ".join(f"{count:,}" for count in system.characters.values())
    fact(
        "Text",
        f"{system.file.name}: {sum(system.characters.values()):,} characters, training / "
        f"validation / test {sizes}",
    )
    for note in system.notes:
        fact("Note", note)
    fact("Tokens", f"{tokens:,}, by {config.level}")
    count = sum(int(p.numel()) for p in system.network.parameters())
    fact(
        "Network",
        f"{config.model}, {config.layers} layers of {config.features}, context {config.context}; "
        f"{count:,} parameters",
    )
    fact(
        "Training",
        f"{config.optimizer}, learning rate {config.rate:g}, {config.schedule}, batches of "
        f"{config.batch_size}, seed {config.seed}",
    )


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
        rows = [["", *(_part_text(part) for part in figures)]]
        for name in names:
            values = (figure_text(name, figures[part].get(name)) for part in figures)
            rows.append([translated(name), *values])
        say()
        say(text_table(rows))
        say()
        _say_verdict(system, figures)
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


def _say_verdict(system: Any, figures: Mapping[str, Mapping[str, float]]) -> None:
    """How the network compares with the simple model."""
    part = "test" if "test" in figures else "validation"
    name = "bits per character"
    own, other = figures[part][name], figures[f"{system.simple}, {part}"][name]
    if own < other:
        text = f"The network beats the {system.simple}: {own:.3g} bits per character to {other:.3g}"
    else:
        text = (
            f"The {system.simple} is better: {other:.3g} bits per character, the network needs "
            f"{own:.3g}. Train longer, or with more text, or a larger network"
        )
    say(f"{text}.", fg="green" if own < other else "yellow", bold=True)


def _part_text(part: str) -> str:
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
    as_json: bool,
) -> None:
    """Writes texts with the language model of a run."""
    from pellucid.text.language_run import load_language_model

    if count < 1:
        raise ArgumentError(f"--count {count}", "Give a number from 1 up.")
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
