"""Options of commands that are declared elsewhere: the settings of a training run.

Each field of ``TrainingConfig`` becomes an option of its type, with its reason as help; nothing
about a setting is said twice.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from pellucid.base.errors import ArgumentError
from pellucid.training.config import TrainingConfig, setting_reason

Command = TypeVar("Command", bound=Callable[..., Any])

# A number of layers is no setting of its own: it says how many widths there are.
_LAYERS = "Number of hidden layers; 0 is a linear model."
_PLAIN = {"int": int, "float": float, "str": str}


def with_settings(command: Command) -> Command:
    """Gives ``command``, which ends in ``**settings``, an option for each setting.

    The settings that were given come in as ``settings``, as values of ``TrainingConfig``.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    names = {p.name for p in own}

    def run(**given: Any) -> Any:
        arguments = {name: value for name, value in given.items() if name in names}
        asked = {name: value for name, value in given.items() if name not in names}
        return command(**arguments, **_settings(asked))

    parameters = [*own, *_options()]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run  # type: ignore[return-value]


def _options() -> list[inspect.Parameter]:
    """A parameter for each setting."""
    made = [_parameter("layers", int | None, _LAYERS, ("--layers",))]
    for item in dataclasses.fields(TrainingConfig):
        name = item.name
        flags = item.metadata["flags"] or ("--" + name.replace("_", "-"),)
        if item.type == "bool":  # the option says the opposite of the default
            made.append(_parameter(name, bool, "Do not " + setting_reason(name), flags, False))
        else:
            plain = _PLAIN.get(str(item.type).partition(" ")[0], str)
            made.append(_parameter(name, plain | None, setting_reason(name), flags))
    return made


def _parameter(
    name: str, kind: Any, text: str, flags: tuple[str, ...], default: Any = None
) -> inspect.Parameter:
    option = typer.Option(*flags, help=text, show_default=False)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def _settings(asked: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, as ``TrainingConfig`` takes them."""
    found: dict[str, Any] = {}
    for item in dataclasses.fields(TrainingConfig):
        value, kind = asked[item.name], str(item.type)
        if kind == "bool":
            if value:
                found[item.name] = not item.default
        elif value is not None and kind.startswith("tuple"):
            flag = (item.metadata["flags"] or ("--" + item.name,))[0]
            found[item.name] = _numbers(flag, value, int if "int" in kind else float)
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
