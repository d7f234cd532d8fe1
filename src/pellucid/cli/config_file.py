"""Options in a file: TOML or YAML, with the names that they have at the command line.

    learning-rate = 0.003
    width = [256, 128]
    target = "survived"
    ignore = ["name", "ticket"]

An option given at the command line comes before the file's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.base.errors import ArgumentError, FileError
from pellucid.base.extras import needs

LARGEST_BYTES = 1 << 20


def read_options(file: Path) -> dict[str, Any]:
    """The options in a file, by their names without dashes in front.

    Raises ``FileError`` for a file that cannot be read, ``ArgumentError`` for one that is no
    table of options.
    """
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise FileError(f"{file} is larger than 1 MiB", "Give a file of options.")
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise FileError(f"{file}: {reason}", "Give a file of options in TOML or YAML.") from None
    found = _parsed(file, text)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ArgumentError(f"{file} is no table of options", "Write lines such as epochs = 20.")
    return {name.lstrip("-").replace("_", "-"): value for name, value in found.items()}


def _parsed(file: Path, text: str) -> Any:
    if file.suffix.lower() in (".yaml", ".yml"):
        with needs("train", "Reading YAML"):
            import yaml
        try:
            return yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise _malformed(file, "YAML", str(error).replace("\n", " ")) from None
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _malformed(file, "TOML", str(error)) from None


def _malformed(file: Path, kind: str, reason: str) -> ArgumentError:
    return ArgumentError(f"{file} is no {kind}: {reason}", "Write lines such as epochs = 20.")


def toml_text(options: Mapping[str, Any]) -> str:
    """Options as TOML; those that are None are left out."""
    lines = []
    for name, value in options.items():
        if value is None:
            continue
        listed = isinstance(value, list | tuple)
        text = "[" + ", ".join(map(_literal, value)) + "]" if listed else _literal(value)
        lines.append(f"{name.replace('_', '-')} = {text}\n")
    return "".join(lines)


def _literal(value: Any) -> str:
    # JSON's strings, booleans and whole numbers are TOML's; numbers need a point or an exponent.
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value if isinstance(value, bool | int | str) else str(value))
