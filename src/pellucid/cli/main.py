"""The command line.  Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

import pellucid._starting as _starting
from pellucid.cli.options import with_settings
from pellucid.cli.reporting import reported

app = typer.Typer(
    name="pellucid",
    help="Train a network on your data, natively compiled, and look inside.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


Encoding = Annotated[str, typer.Option(help="Encoding of CSV files.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


@app.command()
@reported
@with_settings
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    **settings: Any,
) -> None:
    """Train a network; write weights, everything to predict again, records and a report."""
    from pellucid.cli import train as job

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
    job.train(
        source,
        target or [],
        settings,
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
    """Show a trained network: layers, shapes, parameters, metrics."""
    from pellucid.cli import use

    use.summary(run)


@app.command()
@reported
def report(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write [report.html in RUN].")
    ] = None,
) -> None:
    """Make the report of a run again, from its folder alone."""
    from pellucid.cli import use

    use.report(run, output)


@app.command()
@reported
def recover(
    place: Annotated[
        Path | None,
        typer.Argument(
            help="Folder in which runs were written [this one and runs].", metavar="PLACE"
        ),
    ] = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Delete what was left behind instead.")
    ] = False,
) -> None:
    """Find what killed runs left behind, and make run folders of it."""
    from pellucid.cli import use

    use.recover(place, discard)


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
    """Entry point of the command ``pellucid``.

    Exit codes: 0 done; 2 wrong arguments; 3 data that cannot be used; 4 files that cannot be read
    or written (a run may be kept all the same, which is told); 5 a damaged run folder; 6 NaN or
    infinity in training; 70 a defect; 128 + n ended by signal n: 130 by Ctrl-C, 143 by SIGTERM.
    """
    _starting.guard()
    try:
        app()
    finally:
        _starting.over = True


if __name__ == "__main__":
    main()
