"""The command line.  Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import typer

import pellucid._starting as _starting
from pellucid.cli.commands import Command, Commands, Lang, examples
from pellucid.cli.lesson_commands import lesson_app, lessons_app
from pellucid.cli.options import ENCODING, TEXT_OPTIONS, TEXT_PANEL, with_options
from pellucid.cli.reporting import reported
from pellucid.data.encodings import AUTO

EXIT_CODES = (
    "Exit codes: 0 done; 2 wrong arguments; 3 data that cannot be used; 4 files that cannot be "
    "read or written; 5 a damaged run folder; 6 NaN or infinity in training; 7 pellucid doctor has "
    "found something; 8 exercises that are not solved; 70 a defect; 128 + n ended by signal n "
    "(130: Ctrl-C)."
)

app = typer.Typer(
    name="pellucid",
    cls=Commands,
    help="Train a network on your data, natively compiled, and look inside.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
runs_app = typer.Typer(
    cls=Commands,
    help="List the runs there are; compare, delete, see how settings differ.",
    no_args_is_help=False,
    invoke_without_command=True,
    rich_markup_mode="rich",
)
rl_app = typer.Typer(
    cls=Commands,
    help="Learn from rewards: train agents in environments, and let them play.",
    epilog="Examples:\n\n  pellucid rl train CartPole-v1\n\n  pellucid rl play runs/cart",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
LEARN, USE, LOOK, COURSE = "Train", "Use what was trained", "Look", "Learn how it works"
app.add_typer(runs_app, name="runs", rich_help_panel=LOOK)
app.add_typer(rl_app, name="rl", rich_help_panel=LEARN)
app.add_typer(lessons_app, name="lessons", rich_help_panel=COURSE)
app.add_typer(lesson_app, name="lesson", rich_help_panel=COURSE)


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
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def _text(help: str) -> Any:
    """An option for texts and sequences."""
    return typer.Option(help=help, rich_help_panel=TEXT_PANEL, show_default=False)


@app.command(
    cls=Command,
    rich_help_panel=LEARN,
    epilog=examples(
        "train digits",
        "train houses.csv --target price",
        "train mnist/ --model cnn --epochs 10 --output runs/mnist",
        "train leaves/ --flip horizontal --rotate 15 --crop 0.7 --mixup 0.2",
        "train titanic.csv -t survived --width 64,32 --dropout 0.2 --lr 0.003",
        "train visits.csv -t returned --group patient --time date",
        "train few-flowers/ --from runs/many-flowers --freeze body",
        "train shakespeare.txt --model gpt --level char --steps 5000",
        "train dates.tsv --task seq2seq --attention bahdanau",
        "train --config runs/mnist/settings.toml --seed 1",
    ),
)
@reported
@with_options
def train(
    source: OptionalSource = None,
    target: Target = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=r"Folder to write \[runs/NAME-TIME].")
    ] = None,
    overwrite: Overwrite = False,
    folds: Annotated[
        int | None,
        typer.Option(help="Train so many networks, each tested on another part of the rows."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Run that was killed or interrupted, to go on with: from where it was, with its "
            "data and settings; --epochs, --patience and --threads may be others.",
        ),
    ] = None,
    find_lr: Annotated[
        bool,
        typer.Option(
            "--find-lr",
            help="Do not train: try learning rates, say which is good, and draw the trial into "
            r"--output \[NAME-learning-rates.svg].",
        ),
    ] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Also measure where the time of a step goes, layer by layer."
        ),
    ] = False,
    level: Annotated[
        str | None,
        _text("What a language model's tokens are: char, word, bpe or wordpiece."),
    ] = None,
    vocabulary: Annotated[int | None, _text("Most tokens.")] = None,
    chinese: Annotated[
        str | None, _text("How words of Chinese are cut: characters or words.")
    ] = None,
    lines: Annotated[bool, _text("Each line is a text of its own, such as a name.")] = False,
    context: Annotated[
        int | None, _text("Tokens that a gpt sees, or over which gradients of an lstm go back.")
    ] = None,
    heads: Annotated[int | None, _text("Attention heads of a gpt.")] = None,
    steps: Annotated[int | None, _text("Updates, in place of --epochs.")] = None,
    attention: Annotated[
        str | None,
        _text("What a decoder sees of the source: luong, bahdanau, peek or none."),
    ] = None,
    reverse: Annotated[
        bool | None,
        typer.Option(
            "--reverse/--no-reverse",
            help="Read sources backwards.",
            rich_help_panel=TEXT_PANEL,
            show_default=False,
        ),
    ] = None,
    loading: Annotated[dict[str, Any] | None, "options of the data"] = None,
    given: Annotated[dict[str, Any] | None, "options as a file holds them"] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    **settings: Any,
) -> None:
    """Train a network; write weights, everything to predict again, records and a report."""
    values = locals()
    own = {n: values[n] for n in TEXT_OPTIONS if values[n] or values[n] is False and n == "reverse"}
    from pellucid.cli import text

    kind = text.kind_asked(settings, loading or {}, resume)
    if kind:
        text.train(
            kind, source, settings, own, loading=loading or {}, given=given or {}, output=output,
            overwrite=overwrite, resume=resume, quiet=quiet, as_json=as_json,
        )  # fmt: skip
        return
    text.refuse(own)
    from pellucid.cli import train as job

    if find_lr:
        job.find_lr(
            source,
            target or [],
            settings,
            output=output,
            overwrite=overwrite,
            loading=loading or {},
        )
        return
    run: Any = job.train if folds is None else functools.partial(job.train_folds, folds)
    run(
        source,
        target or [],
        settings,
        output=output,
        overwrite=overwrite,
        quiet=quiet,
        loading=loading or {},
        given=given or {},
        as_json=as_json,
        resume=resume,
        profile=profile,
    )


@app.command(
    cls=Command,
    rich_help_panel=LEARN,
    epilog=examples(
        "search titanic.csv -t survived --trials 50 --minutes 10",
        "search mnist/ --model cnn --batch-size 128 --output searches/mnist",
        "train --config searches/titanic/best.toml",
    ),
)
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
        typer.Option("--output", "-o", help=r"Folder to write, or to go on in \[searches/NAME]."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help=r"URL of a database for the trials \[a journal in the folder]."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Train so many networks, each tested on another part of the rows."),
    ] = None,
    loading: Annotated[dict[str, Any] | None, "options of the data"] = None,
    given: Annotated[dict[str, Any] | None, "options as a file holds them"] = None,
    quiet: Quiet = False,
    as_json: Json = False,
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
        as_json=as_json,
    )


Run = Annotated[Path, typer.Argument(help="Folder that pellucid train has written.")]


@app.command(
    cls=Command,
    rich_help_panel=USE,
    epilog=examples(
        "predict runs/houses new.csv --output prices.csv --id house",
        "predict runs/houses new.csv --interval 0.9 --json | head",
    ),
)
@reported
def predict(
    run: Run,
    file: Annotated[str, typer.Argument(help="Data in the form of the training data.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=r"CSV or Parquet file \[print CSV].")
    ] = None,
    overwrite: Overwrite = False,
    id: Annotated[
        list[str] | None,
        typer.Option("--id", help="Column to write beside the predictions; may be repeated."),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            help="Also say between which numbers the truth is, or in which set of classes, in this "
            "share of cases: 0.9."
        ),
    ] = None,
    encoding: Encoding = AUTO,
    memory: Annotated[
        float | None,
        typer.Option(help="MiB that reading may take; a larger table is answered in pieces."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an object of JSON for each row, one a line.")
    ] = False,
) -> None:
    """Predict with a trained network."""
    from pellucid.cli import use

    use.predict(run, file, output, overwrite, encoding, id or (), as_json, memory, interval)


@app.command(
    cls=Command,
    rich_help_panel=USE,
    epilog=examples(
        'generate runs/shakespeare --prompt "ROMEO:" --temperature 0.8',
        "generate runs/names --count 10 --top-k 5",
        'generate runs/dates --prompt "May 3, 1999" --alignment dates.png',
    ),
)
@reported
def generate(
    run: Run,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="What the text begins with.")] = "",
    length: Annotated[int, typer.Option(help="Tokens to write, at most.")] = 500,
    temperature: Annotated[
        float, typer.Option(help="Below 1 likelier, above 1 wilder; 0 takes the likeliest.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(help="Draw among so many likeliest tokens only.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Draw among the likeliest tokens that have so much probability only."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    count: Annotated[int, typer.Option(help="Texts to write.")] = 1,
    beams: Annotated[
        int, typer.Option(help="Beginnings to keep in mind, for networks of --task seq2seq.")
    ] = 1,
    alignment: Annotated[
        Path | None,
        typer.Option(help="Picture to draw: at what the network looked, of --task seq2seq."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write text with a trained language model, or turn one sequence into another."""
    from pellucid.cli import text

    text.generate(
        run, prompt, length, temperature, top_k, top_p, seed=seed, count=count, beams=beams,
        alignment=alignment, as_json=as_json,
    )  # fmt: skip


@app.command(
    cls=Command, rich_help_panel=USE, epilog=examples("evaluate runs/houses sold-in-2025.csv")
)
@reported
def evaluate(
    run: Run,
    file: Annotated[str, typer.Argument(help="Data with the target column.")],
    encoding: Encoding = AUTO,
    as_json: Json = False,
) -> None:
    """Measure a trained network on data with targets."""
    from pellucid.cli import use

    use.evaluate(run, file, encoding, as_json)


@app.command(
    cls=Command,
    rich_help_panel=USE,
    epilog=examples(
        "explain runs/houses new.csv --row 12",
        "explain runs/titanic titanic.csv --row 3 --method integrated_gradients",
        "explain runs/digits digits --row 7 --picture seven.png",
        "explain runs/shakespeare lines.txt --row 0 --json",
    ),
)
@reported
def explain(
    run: Run,
    file: Annotated[str, typer.Argument(help="Data with the columns of the training data.")],
    row: Annotated[int, typer.Option(help="Row of the file, the first is 0.")] = 0,
    output: Annotated[
        str | None,
        typer.Option("--output", help=r"Class or target to explain \[the predicted one]."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="auto, exact_shapley, kernel_shap, shapley_sampling, feature_ablation, lime, "
            "or one that looks inside, such as integrated_gradients."
        ),
    ] = "auto",
    background: Annotated[
        str | None,
        typer.Option(help=r"Data whose rows stand for absent columns \[FILE]."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", "-p", help="Picture to draw: .svg or .png.")
    ] = None,
    encoding: Encoding = AUTO,
    seed: Annotated[int, typer.Option(help="The same seed draws the same samples.")] = 0,
    as_json: Json = False,
) -> None:
    """Say why a trained network says what it says of one row: shares of the columns, of the regions
    of a picture, of the words of a text, with their errors."""
    from pellucid.cli import explain

    explain.explain(run, file, row, output, method, background, picture, encoding, seed, as_json)


@app.command(cls=Command, rich_help_panel=LOOK, epilog=examples("summary runs/houses"))
@reported
def summary(run: Run, as_json: Json = False) -> None:
    """Show a trained network: layers, shapes, parameters, metrics."""
    from pellucid.cli import use

    use.summary(run, as_json)


@app.command(
    cls=Command,
    rich_help_panel=LOOK,
    epilog=examples("report runs/houses", "report runs/small runs/large -o sizes.html"),
)
@reported
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folder; several are compared on one page.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=r"File to write \[report.html in RUN, or comparison.html]."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the report of a run again, from its folder alone, or a page that compares runs."""
    from pellucid.cli import use

    use.report(runs, output, as_json)


@runs_app.callback()
@reported
def list_of_runs(
    context: typer.Context,
    place: Annotated[Path, typer.Option("--in", help="Folder in which runs were written.")] = Path(
        "runs"
    ),
    as_json: Json = False,
) -> None:
    """List the runs there are: target, headline metric by part, status."""
    if context.invoked_subcommand is None:
        from pellucid.cli import runs

        runs.show(place, as_json)


Folders = Annotated[list[Path], typer.Argument(help="Run folders.")]


@runs_app.command(cls=Command, epilog=examples("runs compare runs/small runs/large"))
@reported
def compare(folders: Folders, as_json: Json = False) -> None:
    """Show metrics of several runs, the best first, and the settings that differ."""
    from pellucid.cli import runs

    runs.compare(folders, as_json)


@runs_app.command(cls=Command, epilog=examples("runs diff runs/small runs/large"))
@reported
def diff(folders: Folders, as_json: Json = False) -> None:
    """Show the settings, data and versions in which runs differ."""
    from pellucid.cli import runs

    runs.diff(folders, as_json)


@runs_app.command(cls=Command, epilog=examples("runs delete runs/small --yes"))
@reported
def delete(
    folders: Folders,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs; folders that are no runs, or hold other files, are left alone."""
    from pellucid.cli import runs

    runs.delete(folders, yes)


@rl_app.command(
    "train",
    cls=Command,
    epilog=examples(
        "rl train CartPole-v1 --algorithm ppo",
        "rl train Pendulum-v1 --algorithm sac --steps 20000 --output runs/pendulum",
        "rl train LunarLander-v3 --set copies=16 --set entropy=0.01",
        "rl train --resume runs/pendulum --steps 40000",
    ),
)
@reported
def rl_train(
    environment: Annotated[
        str | None,
        typer.Argument(
            help="CartPole-v0, CartPole-v1, MountainCar-v0, MountainCarContinuous-v0, Pendulum-v1, "
            "Acrobot-v1, GridWorld, CliffWalking, or a name that Gymnasium knows.",
            show_default=False,
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option("--algorithm", "-a", help=r"ppo, a2c, reinforce, dqn, sac or td3 \[ppo]."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help=r"Steps of all environments \[as the recipe says].", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is random.")] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE for a setting of the algorithm; may be repeated."),
    ] = None,
    episodes: Annotated[
        int, typer.Option(help="Episodes of the evaluation at the end.", min=1)
    ] = 20,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=r"Folder to write \[runs/NAME-TIME].")
    ] = None,
    overwrite: Overwrite = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="Run of an agent to go on with.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train an agent; write its best weights, episodes and a state to go on from."""
    from pellucid.cli import rl

    rl.train(
        environment,
        algorithm=algorithm,
        steps=steps,
        seed=seed,
        changes=changes or [],
        output=output,
        overwrite=overwrite,
        resume=resume,
        episodes=episodes,
        quiet=quiet,
        as_json=as_json,
    )


@rl_app.command(
    "play",
    cls=Command,
    epilog=examples("rl play runs/pendulum", "rl play runs/pendulum --gif swing.gif"),
)
@reported
def rl_play(
    run: Annotated[Path, typer.Argument(help="Folder that pellucid rl train has written.")],
    episodes: Annotated[int, typer.Option(help="Episodes to play.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the environments.")] = 0,
    gif: Annotated[
        Path | None, typer.Option("--gif", help="Draw an episode as a moving picture.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a trained agent play whole episodes, without exploring; draw one as a GIF."""
    from pellucid.cli import rl

    rl.play(run, episodes, seed, gif, as_json)


@app.command(cls=Command, rich_help_panel=USE)
@reported
def recover(
    place: Annotated[
        Path | None,
        typer.Argument(
            help=r"Folder in which runs were written \[this one and runs].", metavar="PLACE"
        ),
    ] = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Delete what was left behind instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find what killed runs left behind, and make run folders of it."""
    from pellucid.cli import use

    use.recover(place, discard, as_json)


@app.command(
    cls=Command, rich_help_panel=LOOK, epilog=examples("weights model.pt --match 'layers.*'")
)
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
    as_json: Json = False,
) -> None:
    """Show what is in a file of weights: names, shapes, figures, suspicious values."""
    from pellucid.cli import weights as tensors

    tensors.show(file, match, as_json)


@app.command(
    cls=Command,
    rich_help_panel=LOOK,
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "doctor train.py --epochs 3",
        "doctor runs/houses",
        "doctor runs/houses --treat",
        "doctor --data houses.csv --target price",
        "doctor --data pictures/ --json",
        "doctor --data train.csv --validation holdout.csv -t label",
    ),
)
@reported
def doctor(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A program in Python, which is run under watch, or the folder of a run.",
            metavar="[SCRIPT.py | RUN]",
            show_default=False,
        ),
    ] = None,
    args: Annotated[
        list[str] | None,
        typer.Argument(help="Arguments of the program.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Examine these data alone: " + _SOURCE, show_default=False),
    ] = None,
    target: Target = None,
    validation: Annotated[
        str | None, typer.Option("--validation", help="Data of the validation part.")
    ] = None,
    test: Annotated[str | None, typer.Option("--test", help="Data of the test part.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Column that says the part of each row.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Column to leave out; may be repeated.")
    ] = None,
    treat: Annotated[
        bool, typer.Option("--treat", help="Try the remedies and keep what is proven to help.")
    ] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Seconds that experiments may take.", min=0)
    ] = 10.0,
    max_steps: Annotated[
        int, typer.Option("--max-steps", help="End the program after so many steps; 0: never.")
    ] = 0,
    max_minutes: Annotated[
        float, typer.Option("--max-minutes", help="End the program after so long; 0: never.")
    ] = 0.0,
    encoding: Encoding = AUTO,
    as_json: Json = False,
) -> None:
    """Find out what is wrong with a training, a finished run or data, and what helps.

    Exit codes: 0 nothing was found, 7 something was; others as everywhere.
    """
    from pellucid.cli import doctor as examination

    reading = {"validation": validation, "test": test, "split": split, "ignore": ignore or ()}
    examination.doctor(
        what,
        args or (),
        data=data,
        targets=target or (),
        reading={**reading, "encoding": encoding},
        treat=treat,
        seconds=seconds,
        max_steps=max_steps,
        max_minutes=max_minutes,
        as_json=as_json,
    )


@app.command(cls=Command, rich_help_panel=LOOK)
@reported
def machine(as_json: Json = False) -> None:
    """Show the machine: processor, threads, measured limits, versions, code cache."""
    from pellucid.cli import machine as here

    here.show(as_json)


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
    lang: Annotated[
        Lang | None, typer.Option(help=r"Language of all texts \[as the system's].")
    ] = None,  # Commands has read it, before the help was made
) -> None:
    """Train a network on your data, natively compiled, and look inside."""


def main() -> None:
    """Entry point of the command ``pellucid``.

    Exit codes: 0 done; 2 wrong arguments; 3 data that cannot be used; 4 files that cannot be read
    or written (a run may be kept all the same, which is told); 5 a damaged run folder; 6 NaN or
    infinity in training; 7 findings of the doctor; 8 exercises not solved; 70 a defect; 128 + n
    ended by signal n: 130 by Ctrl-C, 143 by SIGTERM.
    """
    _starting.guard()
    try:
        app()
    finally:
        _starting.over = True


if __name__ == "__main__":
    main()
