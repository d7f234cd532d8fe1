"""The command line.  Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import pellucid._starting as _starting
from pellucid.cli.options import ENCODING, with_options
from pellucid.cli.reporting import reported

app = typer.Typer(
    name="pellucid",
    help="Train a network on your data, natively compiled, and look inside.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


Encoding = Annotated[str, typer.Option(help=ENCODING)]
_SOURCE = (
    "digits; a table (CSV, JSON lines, Excel, Parquet, Arrow, NumPy); a folder of pictures or "
    "texts, a class a folder; or one with MNIST's idx files."
)
Source = Annotated[str, typer.Argument(help=_SOURCE)]
OptionalSource = Annotated[str | None, typer.Argument(help=_SOURCE, show_default=False)]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", "-t", help="Column to predict; several times for several."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


@app.command()
@reported
@with_options
def train(
    source: OptionalSource = None,
    target: Target = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write [runs/NAME-TIME].")
    ] = None,
    overwrite: Overwrite = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Run that was killed or interrupted, to go on with: from where it was, with its "
            "data and settings; --epochs, --patience and --threads may be others.",
        ),
    ] = None,
    loading: Annotated[dict[str, Any] | None, "options of the data"] = None,
    given: Annotated[dict[str, Any] | None, "options as a file holds them"] = None,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Train a network; write weights, everything to predict again, records and a report."""
    from pellucid.cli import train as job

    job.train(
        source,
        target or [],
        settings,
        output=output,
        overwrite=overwrite,
        quiet=quiet,
        loading=loading or {},
        given=given or {},
        resume=resume,
    )


@app.command()
@reported
@with_options
def search(
    source: Source,
    target: Target = None,
    trials: Annotated[int, typer.Option(help="Trials in all.")] = 30,
    minutes: Annotated[
        float | None, typer.Option(help="No trial begins after so many minutes.")
    ] = None,
    processes: Annotated[
        int, typer.Option(help="Trials at a time, each on one core; 0 is one for each core.")
    ] = 0,
    sampler: Annotated[str, typer.Option(help="How settings are proposed: tpe or random.")] = "tpe",
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="End hopeless trials early.")
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write, or to go on in [searches/NAME]."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="URL of a database for the trials [a journal in the folder]."),
    ] = None,
    loading: Annotated[dict[str, Any] | None, "options of the data"] = None,
    given: Annotated[dict[str, Any] | None, "options as a file holds them"] = None,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Search for good settings by validation rows; a search that was ended goes on.

    Settings given as options are fixed, the others are searched.
    """
    from pellucid.cli import search as searching

    searching.search(
        source,
        target or [],
        settings,
        trials=trials,
        minutes=minutes,
        processes=processes,
        sampler=sampler,
        prune=prune,
        output=output,
        storage=storage,
        loading=loading or {},
        given=given or {},
        quiet=quiet,
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
    encoding: Encoding = "auto",
) -> None:
    """Predict with a trained network."""
    from pellucid.cli import use

    use.predict(run, file, output, overwrite, encoding, id or ())


@app.command()
@reported
def evaluate(
    run: Run,
    file: Annotated[str, typer.Argument(help="Data with the target column.")],
    encoding: Encoding = "auto",
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
def weights(
    file: Annotated[
        Path,
        typer.Argument(
            help="Weights: .safetensors, PyTorch's .pt or .bin, .npz, a list of shards, a folder."
        ),
    ],
    match: Annotated[
        str | None, typer.Option("--match", "-m", help="Only names like this, e.g. 'layers.*'.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a file of weights: names, shapes, figures, suspicious values."""
    from pellucid.cli import weights as tensors

    tensors.show(file, match, as_json)


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
