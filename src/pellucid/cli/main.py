"""The command line.  Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli.reporting import INTERRUPTED, complain, reported

app = typer.Typer(
    name="pellucid",
    help="Train a network on your data, natively compiled, and look inside.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _setting(name: str, *flags: str) -> Any:
    """An option whose help is the setting's reason."""
    from pellucid.training.config import setting_reason

    return typer.Option(*flags, help=setting_reason(name), show_default=False)


Encoding = Annotated[str, typer.Option(help="Encoding of CSV files.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


@app.command()
@reported
def train(
    source: Annotated[
        str,
        typer.Argument(help="digits, a CSV or Parquet file, or a folder with MNIST's idx files."),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="Column to predict; several times for several."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write [runs/NAME-TIME].")
    ] = None,
    overwrite: Overwrite = False,
    task: Annotated[
        str | None,
        typer.Option(help="binary, multiclass, multilabel, regression or classification."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Column to leave out; may be repeated.")
    ] = None,
    text_column: Annotated[
        list[str] | None,
        typer.Option(help="Column of categories that look like numbers; may be repeated."),
    ] = None,
    keep_leaks: Annotated[
        bool, typer.Option("--keep-leaks", help="Use columns that give the target away.")
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(help="Column whose rows of equal value stay in one part, such as a patient."),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Column of time: the last rows are for test.")
    ] = None,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Rows are in order of time: the last are for test.")
    ] = False,
    missing_value: Annotated[
        list[str] | None,
        typer.Option(help="Text that means no value, such as -999; may be repeated."),
    ] = None,
    keep_text: Annotated[
        list[str] | None,
        typer.Option(help="Text that is a value, such as NA for Namibia; may be repeated."),
    ] = None,
    date_format: Annotated[
        list[str] | None,
        typer.Option(help="Format of a column's dates, such as born=%d/%m/%Y; may be repeated."),
    ] = None,
    decimal: Annotated[
        str, typer.Option(help="Decimal sign of CSV files, '.' or ','. [found out]")
    ] = "",
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line of a CSV file holds the column names.",
            show_default=False,
        ),
    ] = None,
    encoding: Encoding = "utf-8",
    model: Annotated[str | None, _setting("model")] = None,
    channels: Annotated[str | None, _setting("channels")] = None,
    layers: Annotated[
        int | None, typer.Option(help="Number of hidden layers; 0 is a linear model.")
    ] = None,
    width: Annotated[str | None, _setting("widths", "--width", "--widths")] = None,
    activation: Annotated[str | None, _setting("activation")] = None,
    initialization: Annotated[str | None, _setting("initialization", "--initialization")] = None,
    start: Annotated[str | None, _setting("start")] = None,
    loss: Annotated[str | None, _setting("loss")] = None,
    optimizer: Annotated[str | None, _setting("optimizer")] = None,
    learning_rate: Annotated[
        float | None, _setting("learning_rate", "--learning-rate", "--lr")
    ] = None,
    momentum: Annotated[float | None, _setting("momentum")] = None,
    schedule: Annotated[str | None, _setting("schedule")] = None,
    batch_size: Annotated[int | None, _setting("batch_size", "--batch-size", "--batch")] = None,
    epochs: Annotated[int | None, _setting("epochs")] = None,
    l1: Annotated[float | None, _setting("l1", "--l1")] = None,
    l2: Annotated[float | None, _setting("l2", "--l2")] = None,
    dropout: Annotated[float | None, _setting("dropout")] = None,
    clip_norm: Annotated[float | None, _setting("clip_norm")] = None,
    ema_decay: Annotated[float | None, _setting("ema_decay")] = None,
    accumulate: Annotated[int | None, _setting("accumulate")] = None,
    patience: Annotated[int | None, _setting("patience")] = None,
    seed: Annotated[int | None, _setting("seed")] = None,
    threads: Annotated[int | None, _setting("threads")] = None,
    fractions: Annotated[str | None, _setting("fractions")] = None,
    eager: Annotated[
        bool, typer.Option("--eager", help="Run with NumPy instead of native code.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Train a network; write weights, everything to predict again, records and a report."""
    from pellucid.cli import train as job

    settings = {
        "model": model,
        "channels": _numbers("--channels", channels, int),
        "widths": _numbers("--width", width, int),
        "activation": activation,
        "initialization": initialization,
        "start": start,
        "loss": loss,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "momentum": momentum,
        "schedule": schedule,
        "batch_size": batch_size,
        "epochs": epochs,
        "l1": l1,
        "l2": l2,
        "dropout": dropout,
        "clip_norm": clip_norm,
        "ema_decay": ema_decay,
        "accumulate": accumulate,
        "patience": patience,
        "seed": seed,
        "threads": threads,
        "fractions": _numbers("--fractions", fractions, float),
        "compile": False if eager else None,
    }
    loading = {
        "task": task,
        "ignore": ignore or (),
        "text_columns": text_column or (),
        "keep_leaks": keep_leaks,
        "encoding": encoding,
        "group": group,
        "time": time,
        "in_order": in_order,
        "missing_values": missing_value or (),
        "keep_texts": keep_text or (),
        "date_formats": _pairs("--date-format", date_format or ()),
        "decimal": decimal,
        "header": header,
    }
    config = job.make_config(settings, layers)
    job.train(
        source,
        target or [],
        config,
        output=output,
        overwrite=overwrite,
        quiet=quiet,
        loading=loading,
    )


Run = Annotated[Path, typer.Argument(help="Folder that pellucid train has written.")]


@app.command()
@reported
def predict(
    run: Run,
    file: Annotated[str, typer.Argument(help="Data in the form of the training data.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV or Parquet file [print CSV].")
    ] = None,
    overwrite: Overwrite = False,
    id: Annotated[
        list[str] | None,
        typer.Option("--id", help="Column to write beside the predictions; may be repeated."),
    ] = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Predict with a trained network."""
    from pellucid.cli import use

    use.predict(run, file, output, overwrite, encoding, id or ())


@app.command()
@reported
def evaluate(
    run: Run,
    file: Annotated[str, typer.Argument(help="Data with the target column.")],
    encoding: Encoding = "utf-8",
) -> None:
    """Measure a trained network on data with targets."""
    from pellucid.cli import use

    use.evaluate(run, file, encoding)


@app.command()
@reported
def summary(run: Run) -> None:
    """Show a trained network: layers, shapes, parameters, figures."""
    from pellucid.cli import use

    use.summary(run)


@app.command()
@reported
def doctor() -> None:
    """Show the machine: processor, threads, measured limits, versions, code cache."""
    from pellucid.cli import doctor as machine

    machine.doctor()


def _version(value: bool) -> None:
    if value:
        import pellucid

        typer.echo(f"pellucid {pellucid.__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Train a network on your data, natively compiled, and look inside."""


def _numbers(name: str, text: str | None, kind: Any) -> tuple[Any, ...] | None:
    """``128,64`` as numbers."""
    from pellucid.base.errors import ArgumentError

    if text is None:
        return None
    try:
        return tuple(kind(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ArgumentError(
            f"{name} {text!r} is no list of numbers", "Separate numbers by commas, such as 128,64."
        ) from None


def _pairs(name: str, texts: Iterable[str]) -> dict[str, str]:
    """``born=%d/%m/%Y`` and its like as a dictionary."""
    from pellucid.base.errors import ArgumentError

    found = {}
    for text in texts:
        column, sign, value = text.partition("=")
        if not column or not sign or not value:
            raise ArgumentError(
                f"{name} {text!r} does not say a column and its format",
                "Write it as COLUMN=FORMAT, such as born=%d/%m/%Y.",
            )
        found[column] = value
    return found


def main() -> None:
    """Entry point of the command ``pellucid``."""
    try:
        app()
    except KeyboardInterrupt:
        complain("\nInterrupted; nothing was written.", fg="yellow")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
