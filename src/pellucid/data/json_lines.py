"""Tables in JSON: an object a line (JSON lines), an array of objects, or an object of arrays.

Objects inside of objects become columns of their own, ``address.city``.  What is absent or null in
a row is missing there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pellucid.base.errors import DataError
from pellucid.data.columns import Column, array_column

_DEPTH = 8
_ONE_EACH = 'Give a file with one object on each line, such as {"x": 1, "y": "a"}.'


def is_json(text: str, file: Path) -> bool:
    """Whether a text is a table in JSON rather than one of cells with separators."""
    start = text.lstrip()[:2]
    if not start or start[0] not in "{[":
        return False
    named = any(ending.startswith((".json", ".ndjson")) for ending in file.suffixes)
    return named or _is_object(text.lstrip().partition("\n")[0]) or start[0] == "["


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return line.strip() in ("{", "[")


def json_columns(text: str, file: Path) -> list[Column]:
    """The columns of a table in JSON, in the order in which they first appear.

    Raises ``DataError`` for text that is no JSON, with the line, for rows that are no objects, and
    for cells that hold lists.
    """
    body = text.strip()
    records: list[Any] | None = None
    try:
        whole = json.loads(body)
        records = _records_of(whole, file)
    except RecursionError:
        raise DataError(f"{file} is nested too deeply for a table", _ONE_EACH) from None
    except ValueError as error:
        if body.startswith("["):
            raise DataError(f"{file} is no readable JSON: {error}", _ONE_EACH) from None
    if records is None:
        records = list(_lines(text, file))
    return columns_of_records(records, str(file))


def _records_of(whole: object, file: Path) -> list[Any]:
    """The rows of a file that is one JSON value."""
    if isinstance(whole, list):
        return whole
    if not isinstance(whole, dict):
        raise DataError(f"{file} holds a single {type(whole).__name__}, no table", _ONE_EACH)
    lists = {name: value for name, value in whole.items() if isinstance(value, list)}
    if len(lists) == 1 and (rows := next(iter(lists.values()))) and isinstance(rows[0], dict):
        return list(rows)  # {"data": [ … ]} with facts about the table beside it
    if lists and len(lists) == len(whole) and len({len(v) for v in lists.values()}) == 1:
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return [whole]


def _lines(text: str, file: Path) -> Iterable[Any]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except RecursionError:
            raise DataError(f"{file}: line {number} is nested too deeply", _ONE_EACH) from None
        except ValueError as error:
            raise DataError(
                f"{file} is no readable JSON in line {number}: {error}", _ONE_EACH
            ) from None


def columns_of_records(records: Iterable[object], source: str) -> list[Column]:
    """Columns from rows that are mappings from names to values; see the module."""
    cells: dict[str, list[Any]] = {}
    count = 0
    for count, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise DataError(
                f"Row {count} of {source} is a {type(record).__name__}, not an object with names",
                _ONE_EACH,
            )
        for name, value in _flat(record, "", source, 0):
            known = cells.get(name)
            if known is None:
                known = cells[name] = []
            known.extend([None] * (count - 1 - len(known)))
            known.append(value)
    if not count:
        raise DataError(f"{source} holds no rows", _ONE_EACH)
    for known in cells.values():
        known.extend([None] * (count - len(known)))
    return [array_column(name, values) for name, values in cells.items()]


def _flat(
    record: Mapping[Any, Any], before: str, source: str, depth: int
) -> Iterable[tuple[str, Any]]:
    if depth > _DEPTH:
        raise DataError(f"{source} has objects nested more than {_DEPTH} deep", _ONE_EACH)
    for key, value in record.items():
        name = f"{before}{key}".encode("utf-8", "replace").decode()
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.", source, depth + 1)
        else:
            yield name, value
