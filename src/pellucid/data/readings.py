"""How the cells of a column were read, kept with the model so that new files are read alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from pellucid.data.json_checks import (
    json_error,
    json_list,
    json_names,
    json_number,
    json_object,
    json_text,
)

Kind: TypeAlias = Literal["number", "boolean", "time", "text"]

KINDS: tuple[Kind, ...] = ("number", "boolean", "time", "text")
# Texts that mean "no value" in any column, unless a column shows that they are values.
MISSING_TEXTS = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")
# In a column that otherwise holds numbers or dates, these too mean "no value".
MISSING_NUMBERS = (*MISSING_TEXTS, "?", "-", "--", "–", "—", ".", "None", "none", "na", "unknown")
TRUTHS = (
    ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"),
    ("nein", "ja"), ("non", "oui"), ("no", "si"), ("no", "sí"), ("no", "sì"), ("não", "sim"),
    ("nee", "ja"), ("nej", "ja"), ("nie", "tak"), ("нет", "да"), ("ne", "da"),
    ("falsch", "wahr"), ("faux", "vrai"), ("falso", "verdadero"), ("falso", "verdadeiro"),
    ("falso", "vero"), ("否", "是"), ("无", "有"), ("假", "真"), ("错", "对"), ("いいえ", "はい"),
    ("아니오", "예"), ("아니요", "예"), (".f.", ".t."),
)  # fmt: skip
"""Pairs of words for false and true, in small letters; the first is the only one for targets."""
_DATE_FORMAT = re.compile(r"(?:%\.f|%[YmdyHMSbBpIaAzfj]|[ T,.:/年月日-])*")
_MAX_UNITS = 100


@dataclass(frozen=True)
class Reading:
    """How the cells of one column became values.

    ``decimal`` is the decimal sign of its numbers, ``.`` or ``,``, and empty elsewhere.
    ``units`` are texts beside the numbers (``kg``, ``$``, ``%``) with the factor that each
    multiplies by.  ``date_format`` is how its times were written.  ``missing`` are texts that
    were taken as missing besides the usual ones, ``kept`` texts that usually mean "no value" and
    are values here, such as ``NA`` for Namibia.
    """

    kind: Kind
    decimal: str = ""
    units: tuple[tuple[str, float], ...] = ()
    date_format: str = ""
    missing: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The reading as JSON values."""
        return {
            "kind": self.kind,
            "decimal": self.decimal,
            "units": [[text, factor] for text, factor in self.units],
            "date_format": self.date_format,
            "missing": list(self.missing),
            "kept": list(self.kept),
        }

    @classmethod
    def from_json(cls, data: object, where: str) -> Reading:
        """The reading from ``to_json``'s values; ``RunFolderError`` for anything else."""
        keys = ("kind", "decimal", "units", "date_format", "missing", "kept")
        fields = json_object(data, where, keys)
        units: list[tuple[str, float]] = []
        for entry in json_list(fields["units"], where, _MAX_UNITS):
            pair = json_list(entry, where, 2)
            if len(pair) != 2:
                raise json_error(where, "units with their factors", entry)
            units.append((json_text(pair[0], where), json_number(pair[1], where)))
        return cls(
            cast(Kind, json_text(fields["kind"], where, KINDS)),
            json_text(fields["decimal"], where, ("", ".", ",")),
            tuple(units),
            checked_date_format(json_text(fields["date_format"], where), where),
            json_names(fields["missing"], where, _MAX_UNITS),
            json_names(fields["kept"], where, _MAX_UNITS),
        )


def checked_date_format(text: str, where: str) -> str:
    """A date format of the known codes; ``RunFolderError`` for anything else."""
    if len(text) > 60 or not _DATE_FORMAT.fullmatch(text):
        raise json_error(where, "a date format such as %Y-%m-%d", text)
    return text


def is_date_format(text: str) -> bool:
    """Whether a text is a date format of the known codes, with at least one of them."""
    return len(text) <= 60 and "%" in text and _DATE_FORMAT.fullmatch(text) is not None


def readings_to_json(readings: Mapping[str, Reading]) -> list[list[object]]:
    """Pairs of column name and reading as JSON values."""
    return [[name, reading.to_json()] for name, reading in readings.items()]


def readings_from_json(data: object, limit: int) -> dict[str, Reading]:
    """The readings by column from ``readings_to_json``'s values."""
    found: dict[str, Reading] = {}
    for entry in json_list(data, "readings", limit):
        pair = json_list(entry, "readings", 2)
        if len(pair) != 2:
            raise json_error("readings", "pairs of column name and reading", entry)
        name = json_text(pair[0], "column name")
        if name in found:
            raise json_error("readings", "distinct columns", name)
        found[name] = Reading.from_json(pair[1], f"reading of column {name[:80]!r}")
    return found
