"""Options of ``pellucid train`` that are many: how data are read, and the settings of a run.

Each field of ``TrainingConfig`` becomes an option of its type, with its reason as help; nothing
about a setting is said twice.  How data are read (the arguments of ``load_source``) is one table
here.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pellucid.base.errors import ArgumentError, PellucidError
from pellucid.data.encodings import AUTO
from pellucid.training.config import IMAGE_SETTINGS, TrainingConfig, setting_reason

Command = TypeVar("Command", bound=Callable[..., Any])

# A number of layers is no setting of its own: it says how many widths there are.
_LAYERS = "Number of hidden layers; 0 is a linear model."
_PLAIN = {"int": int, "float": float, "str": str}


DATA = "Data: how they are read and split"
PANELS = {
    "Network": "model channels normalization text widths layers activation initialization start "
    "dropout ensemble",
    "Fine-tuning: beginning with what was learned before": "base freeze taken_rate",
    "Goal": "loss class_weight l1 l2",
    "Training": "optimizer learning_rate momentum schedule clip_norm ema_decay accumulate "
    "batch_size epochs patience warmup max_minutes",
    "Augmentation: training rows that change in each step": "shift flip rotate scale crop colour "
    "cutout mixup cutmix noise",
    "Repeating and speed": "seed threads compile",
    DATA: "fractions",
}
"""Headings of the help → the settings below them."""


def plain_help(text: str) -> str:
    """A help text whose brackets are shown."""
    return text.replace("[", r"\[")


def panel_of(setting: str) -> str:
    """The heading of the help under which a setting stands."""
    return next((p for p, names in PANELS.items() if setting in names.split()), "Training")


ENCODING = "Encoding of texts; auto finds it out."


@dataclasses.dataclass(frozen=True)
class LoadingOption:
    """An argument ``name`` of ``load_source`` as an option of the type ``kind``."""

    name: str
    kind: Any
    text: str
    flags: tuple[str, ...]
    default: Any = None

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter of a command that stands for it."""
        kind, shown = self.kind, bool(self.default)
        option = typer.Option(*self.flags, help=self.text, show_default=shown, rich_help_panel=DATA)
        return inspect.Parameter(
            self.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=self.default,
            annotation=Annotated[kind, option],
        )

    def value(self, given: object) -> object:
        """What was given, as ``load_source`` takes it."""
        if self.name == "date_formats":
            return _pairs(self.flags[0], given if isinstance(given, (list, tuple)) else ())
        return given or () if self.kind == _TEXTS else given


_TEXTS = list[str] | None
LOADING = (
    LoadingOption(
        "task",
        str | None,
        "binary, multiclass, multilabel, regression, classification; seq2seq for pairs of texts.",
        ("--task",),
    ),
    LoadingOption("ignore", _TEXTS, "Column to leave out; may be repeated.", ("--ignore",)),
    LoadingOption(
        "text_columns",
        _TEXTS,
        "Column of categories that look like numbers; may be repeated.",
        ("--text-column",),
    ),
    LoadingOption(
        "keep_leaks", bool, "Use columns that give the target away.", ("--keep-leaks",), False
    ),
    LoadingOption(
        "group",
        str | None,
        "Column whose rows of equal value stay in one part, such as a patient.",
        ("--group",),
    ),
    LoadingOption("time", str | None, "Column of time: the last rows are for test.", ("--time",)),
    LoadingOption(
        "in_order",
        bool,
        "Rows are in order of time: the last are for test.",
        ("--in-order",),
        False,
    ),
    LoadingOption(
        "split",
        str | None,
        "Column that says the part of each row: train, validation or test.",
        ("--split",),
    ),
    LoadingOption("validation", str | None, "File of the validation part.", ("--validation",)),
    LoadingOption("test", str | None, "File of the test part.", ("--test",)),
    LoadingOption(
        "missing_values",
        _TEXTS,
        "Text that means no value, such as -999; may be repeated.",
        ("--missing-value",),
    ),
    LoadingOption(
        "keep_texts",
        _TEXTS,
        "Text that is a value, such as NA for Namibia; may be repeated.",
        ("--keep-text",),
    ),
    LoadingOption(
        "date_formats",
        _TEXTS,
        "Format of a column's dates, such as born=%d/%m/%Y; may be repeated.",
        ("--date-format",),
    ),
    LoadingOption(
        "decimal", str, r"Decimal sign of CSV files, '.' or ','. \[found out]", ("--decimal",), ""
    ),
    LoadingOption(
        "header",
        bool | None,
        "Whether the first line of a CSV file holds the column names.",
        ("--header/--no-header",),
    ),
    LoadingOption("encoding", str, ENCODING, ("--encoding",), AUTO),
    LoadingOption(
        "separator",
        str | None,
        r"What separates the cells of a CSV file, such as ';'. \[found out]",
        ("--separator",),
    ),
    LoadingOption("sheet", str, r"Sheet of a spreadsheet. \[the first]", ("--sheet",), ""),
    LoadingOption(
        "memory",
        float | None,
        "MiB that reading may take; a larger table is read in pieces. "
        r"\[a quarter of what is free]",
        ("--memory",),
    ),
    LoadingOption(
        "image_size",
        int | None,
        r"Pixels on each side that pictures in files are scaled to. \[64]",
        ("--image-size",),
    ),
)
"""The options of data, in the order of the help."""


def with_options(command: Command) -> Command:
    """Gives ``command``, which takes ``loading`` and ``given`` and ends in ``**settings``, an
    option for each argument of ``load_source`` and for each setting, and ``--config``.

    What was given comes in as the dictionary ``loading``, as ``load_source`` takes it, as
    ``settings``, as values of ``TrainingConfig``, and all of it as ``given``: source, targets,
    data and settings by the names of their options, as a file for ``--config`` holds them.
    """
    signature = inspect.signature(command, eval_str=True)
    own: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name == "loading":
            own.extend(option.parameter for option in LOADING)
        elif parameter.name != "given" and parameter.kind is not parameter.VAR_KEYWORD:
            own.append(parameter)
    names = {p.name for p in own}

    def run(**values: Any) -> Any:
        del values[CONFIG.name]
        arguments = {name: value for name, value in values.items() if name in names}
        asked = {name: value for name, value in values.items() if name not in names}
        loading = {option.name: option.value(arguments.pop(option.name)) for option in LOADING}
        settings = _settings(asked)
        listed = ("source", "target", *TEXT_OPTIONS)
        given = {_named(name): arguments[name] for name in listed if arguments.get(name)}
        if arguments.get("reverse") is False:
            given["no-reverse"] = True
        for option in LOADING:
            if values[option.name] != option.default:
                given[_word(option.flags)] = values[option.name]
        for item in dataclasses.fields(TrainingConfig):
            if item.name in settings:
                value = settings[item.name]
                given[_word(_flags(item))] = value != item.default if item.type == "bool" else value
        return command(**arguments, loading=loading, given=given, **settings)

    parameters = [*own, CONFIG, *_options()]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run  # type: ignore[return-value]


TEXT_OPTIONS = (
    "level", "vocabulary", "chinese", "lines", "context", "heads", "steps", "attention", "reverse",
)  # fmt: skip
"""Options of ``pellucid train`` that are for texts and sequences alone."""
TEXT_PANEL = "Texts and sequences"


def _named(name: str) -> str:
    return name.replace("_", "-")


def given_loading(loading: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``load_source`` that are not what they are where nothing is given."""
    usual = {option.name: option.value(option.default) for option in LOADING}
    return {name: value for name, value in loading.items() if value != usual[name]}


def _word(flags: tuple[str, ...]) -> str:
    """The name of an option in a file."""
    return flags[0].partition("/")[0].removeprefix("--")


def _flags(item: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The names of a setting at the command line."""
    flags: tuple[str, ...] = item.metadata["flags"]
    return flags or ("--" + item.name.replace("_", "-"),)


def option_name(setting: str) -> str:
    """The option of a setting: ``--learning-rate``."""
    return next(_flags(f)[0] for f in dataclasses.fields(TrainingConfig) if f.name == setting)


def _use_file(context: typer.Context, file: Path | None) -> Path | None:
    """Makes a file's options the defaults of the command."""
    if file is None or context.resilient_parsing:
        return file
    from pellucid.cli.config_file import read_options
    from pellucid.cli.reporting import show_error

    try:
        context.default_map = _defaults(context.command.params, read_options(file), file)
    except PellucidError as error:
        raise typer.Exit(show_error(error)) from None
    return file


def _defaults(parameters: Iterable[Any], found: dict[str, Any], file: Path) -> dict[str, Any]:
    """Options of a file by the names of the parameters that they belong to."""
    places: dict[str, tuple[Any, bool]] = {}
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            places[parameter.name] = parameter, True
        for sign, names in ((True, parameter.opts), (False, parameter.secondary_opts)):
            places.update({n[2:]: (parameter, sign) for n in names if n.startswith("--")})
    made = {}
    for name, value in found.items():
        if name not in places or name in ("config", "help"):
            near = difflib.get_close_matches(name, places, n=1)
            raise ArgumentError(
                f"{file} sets {name}, which is no option of this command",
                f"Did you mean {near[0]}?" if near else "--help lists the options.",
            )
        parameter, sign = places[name]
        if parameter.param_type_name == "option" and parameter.is_flag:
            if not isinstance(value, bool):
                raise ArgumentError(f"{file} sets {name} to {value!r}", "Write true or false.")
            value = value == sign
        elif getattr(parameter, "multiple", False) or parameter.nargs == -1:
            value = value if isinstance(value, list) else [value]
        elif isinstance(value, list):
            value = ",".join(map(str, value))
        made[parameter.name] = value
    return made


CONFIG = inspect.Parameter(
    "config",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="TOML or YAML file of options, such as a run's settings.toml; options given here "
            "come before it.",
            is_eager=True,
            callback=_use_file,
        ),
    ],
)
"""The option that names a file of options."""


def _options() -> list[inspect.Parameter]:
    """A parameter for each setting."""
    made = [_parameter("layers", int | None, _LAYERS, ("--layers",))]
    for item in dataclasses.fields(TrainingConfig):
        name, flags = item.name, _flags(item)
        if item.type == "bool":  # the option says the opposite of the default
            made.append(_parameter(name, bool, "Do not " + setting_reason(name), flags, False))
        else:
            plain = _PLAIN.get(str(item.type).partition(" ")[0], str)
            made.append(_parameter(name, plain | None, setting_reason(name), flags, shown=item))
    return made


def _parameter(
    name: str,
    kind: Any,
    text: str,
    flags: tuple[str, ...],
    default: Any = None,
    shown: dataclasses.Field[Any] | None = None,
) -> inspect.Parameter:
    usual = False if shown is None else _usual(shown)
    option = typer.Option(
        *flags, help=plain_help(text), show_default=usual, rich_help_panel=panel_of(name)
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def _usual(item: dataclasses.Field[Any]) -> str | bool:
    """What a setting is unless given, for the help; False where its reason says so."""
    if item.default in (None, "") or item.name == "model":
        return False
    usual = _value_text(item.default)
    if (with_cnn := IMAGE_SETTINGS.get(item.name)) not in (None, item.default):
        usual += f"; cnn: {_value_text(with_cnn)}"
    return usual


def _value_text(value: object) -> str:
    """A value as it is written at the command line; no entries as ``-``."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _settings(asked: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, as ``TrainingConfig`` takes them."""
    found: dict[str, Any] = {}
    for item in dataclasses.fields(TrainingConfig):
        value, kind = asked[item.name], str(item.type)
        if kind == "bool":
            if value:
                found[item.name] = not item.default
        elif value is not None and kind.startswith("tuple"):
            found[item.name] = _numbers(_flags(item)[0], value, int if "int" in kind else float)
        elif value is not None:
            found[item.name] = value
    if asked["layers"] is not None:
        found["widths"] = _widths(asked["layers"], found.get("widths"))
    return found


def _numbers(name: str, text: str, kind: type) -> tuple[Any, ...]:
    """``128,64`` as numbers."""
    try:
        return tuple(kind(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ArgumentError(
            f"{name} {text!r} is no list of numbers", "Separate numbers by commas, such as 128,64."
        ) from None


def _widths(layers: int, widths: tuple[int, ...] | None) -> tuple[int, ...]:
    """``layers`` hidden layers of one width, or of the given widths when their number agrees."""
    known = widths or TrainingConfig().widths
    if layers == 0:
        return ()
    if not widths or len(widths) == 1:
        return (known[0],) * layers if 0 < layers <= 1000 else (0,)
    if len(widths) != layers:
        raise ArgumentError(
            f"--layers {layers} and {len(widths)} widths do not fit together",
            "Give one width for all layers, or one for each.",
        )
    return widths


def _pairs(name: str, texts: Iterable[str]) -> dict[str, str]:
    """``born=%d/%m/%Y`` and its like as a dictionary."""
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
