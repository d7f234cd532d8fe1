"""From the cells of a CSV file, all text, to columns: what each column holds and how it is read.

A decision follows from all cells of a column, and where these do not tell, from the other columns
of the file, then from how training read the column.  Whatever is not the only possible reading is
said in a note with its count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.extras import needs
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Column, Rows, encode_text, number_text
from pellucid.data.number_text import (
    STRAY_SHARE,
    Evidence,
    NumberRule,
    decide_numbers,
    evidence_of,
    take_apart,
)
from pellucid.data.readings import MISSING_NUMBERS, MISSING_TEXTS, TRUTHS, Reading
from pellucid.data.time_text import TimeRule, day_order, decide_times, example_of

_LEADING_ZERO = r"^[+-]?0\d"
_EITHER_POINT = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_DISTINCT_CLASSES = 20
_SAMPLE = 200


@dataclass(frozen=True)
class CellRules:
    """What the user and the training say about a file's columns.

    ``text_columns`` stay text; ``date_formats`` gives formats by column; ``readings`` are those
    of training; ``decimal`` is ``.`` or ``,`` where the user names it; ``missing_values`` are
    further texts that mean "no value", ``keep_texts`` texts that are values though they look
    like none; ``strict`` names columns (targets) in which a text among few numbers is a class.
    Nothing is told about columns that are not ``used``, where that is given.  ``where`` is what
    the numbers of rows count: lines of the file, or rows.
    """

    text_columns: Collection[str] = ()
    date_formats: Mapping[str, str] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    decimal: str = ""
    missing_values: tuple[str, ...] = ()
    keep_texts: tuple[str, ...] = ()
    strict: Collection[str] = ()
    separator: str = ","
    used: Collection[str] | None = None
    where: str = "line"

    def notes_for(self, name: str, notes: list[str]) -> list[str]:
        """Where to write notes about a column."""
        return notes if self.used is None or name in self.used else []

    def markers(self, usual: Sequence[str], prior: Reading | None) -> list[str]:
        """The texts that mean "no value" in a column."""
        kept = {*self.keep_texts, *(prior.kept if prior else ())}
        more = (*self.missing_values, *(prior.missing if prior else ()))
        return [text for text in dict.fromkeys((*usual, *more)) if text not in kept or not text]


@dataclass(eq=False)
class Cells:
    """One column while it is being read: its stripped cells (a polars series, null where empty),
    and, once it was looked at, its plain numbers or distinct texts."""

    name: str
    series: Any
    lines: Rows
    prior: Reading | None
    markers: list[str]
    where: str = "line"
    plain: npt.NDArray[np.float64] | None = None
    evidence: Evidence = field(default_factory=Evidence)
    text: Column | None = None

    @property
    def distinct(self) -> Column:
        """The cells as a text column."""
        if self.text is None:
            self.text = encode_text(self.name, self.series)
        return self.text

    def counted(self, without: Collection[str] = ()) -> tuple[list[str], list[int]]:
        """Distinct texts, and how often each occurs."""
        out = set(without)
        pairs = zip(self.distinct.categories, self.distinct.counts().tolist(), strict=True)
        kept = [(text, count) for text, count in pairs if text not in out]
        return [text for text, _ in kept], [count for _, count in kept]

    def place(self, text: str) -> str:
        """The line of the first cell that holds ``text``."""
        code = self.distinct.categories.index(text)
        return f"{self.where} {int(self.lines[int(np.argmax(self.distinct.values == code))])}"

    def spread(self, values: Mapping[str, float]) -> npt.NDArray[np.float64]:
        """Values by text as values by row, NaN for texts that have none."""
        table = [values.get(text, np.nan) for text in self.distinct.categories]
        found: npt.NDArray[np.float64] = np.array([*table, np.nan])[self.distinct.values]
        return found


def read_columns(
    names: Sequence[str], frame: Sequence[Any], lines: Rows, rules: CellRules
) -> tuple[dict[str, Column], dict[str, Reading], list[str]]:
    """Columns, readings and notes from the cells of a file (polars series of strings)."""
    looked = [_look(name, cells, lines, rules) for name, cells in zip(names, frame, strict=True)]
    proofs = {cells.evidence.decimal for cells in looked} - {""}
    decimal = rules.decimal or (proofs.pop() if len(proofs) == 1 else "")
    notes: list[str] = []
    found: dict[str, tuple[Column, Reading]] = {}
    open_dates: list[tuple[Cells, TimeRule]] = []
    orders: set[str] = set()
    for cells in looked:
        made, told = None, rules.notes_for(cells.name, notes)
        if cells.name not in rules.text_columns and not _as_text(cells):
            made = (
                _numbers(cells, decimal, rules, told)
                or _truth(cells, rules, told)
                or _times(cells, rules, open_dates, orders, told)
            )
        found[cells.name] = made or _texts(cells, rules, told)
    for cells, rule in open_dates:
        told = rules.notes_for(cells.name, notes)
        found[cells.name] = _decide_order(cells, rule, orders, told)
    columns = {name: column for name, (column, _) in found.items()}
    return columns, {name: reading for name, (_, reading) in found.items()}, notes


def _as_text(cells: Cells) -> bool:
    return cells.prior is not None and cells.prior.kind == "text"


def _look(name: str, series: Any, lines: Rows, rules: CellRules) -> Cells:
    """The stripped cells, and what their numbers say about the decimal sign."""
    prior = rules.readings.get(name)
    cells = Cells(name, series.str.strip_chars(), lines, prior, [], rules.where)
    cells.markers = rules.markers(MISSING_TEXTS, prior)
    cells.series = without(cells.series, [""])
    if name in rules.text_columns or _as_text(cells):
        return cells
    missing = rules.markers(MISSING_NUMBERS, prior)
    cells.plain, evidence = _plain_numbers(without(cells.series, missing))
    if evidence is not None:
        cells.evidence = evidence
        return cells
    texts, counts = cells.counted(missing)
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    if sum(take_apart(text) is not None for text in sample) < 0.3 * max(1, len(sample)):
        return cells
    if decide_numbers(texts, counts, "", prior, rules.separator) is not None:
        parts = [(take_apart(t), count) for t, count in zip(texts, counts, strict=True)]
        cells.evidence = evidence_of((w, count) for w, count in parts if w is not None)
    return cells


def without(series: Any, markers: Sequence[str]) -> Any:
    """The series with null in place of the markers."""
    with needs("train", "Reading tables"):
        import polars

    return series.set(series.is_in(list(markers)), None).cast(polars.String)


def _plain_numbers(
    cells: Any,
) -> tuple[npt.NDArray[np.float64] | None, Evidence | None]:
    """Cells that are numbers without any dress as float64, NaN for null, with their evidence;
    two times None where some are something else."""
    with needs("train", "Reading tables"):
        import polars

    present = cells.drop_nulls()
    if not len(present) or present.str.contains(_LEADING_ZERO).any():
        return None, None
    numbers = cells.cast(polars.Float64, strict=False)
    if numbers.null_count() > cells.null_count() or present.str.contains(r"^[+-]?\.?$|_").any():
        return None, None
    points = int(present.str.contains(r"\.", literal=False).sum())
    either = int(present.str.contains(_EITHER_POINT).sum()) if points else 0
    large = int(present.str.contains(r"^[+-]?\d{4,}$").sum())
    evidence = Evidence(points - either, 0, either, 0, len(present) - points, large)
    values = np.array(numbers.fill_null(float("nan")).to_numpy(), dtype=np.float64)
    return values, evidence


# --- Numbers -----------------------------------------------------------------------------------


def _numbers(
    cells: Cells, decimal: str, rules: CellRules, notes: list[str]
) -> tuple[Column, Reading] | None:
    """The column as numbers, or None where it holds something else."""
    if cells.series.null_count() == len(cells.series) or not _has_values(cells):
        empty = Column(cells.name, "number", np.full(len(cells.series), np.nan))
        return empty, cells.prior or Reading("number", ".")
    prior = cells.prior if cells.prior is not None and cells.prior.kind == "number" else None
    missing = rules.markers(MISSING_NUMBERS, cells.prior)
    own = cells.evidence
    settled = own.decimal == "." or not own.either_point or (decimal or "") == "."
    settled = settled and not (prior is not None and (prior.units or prior.decimal == ","))
    if cells.plain is not None and settled:
        _tell_markers(cells, missing, notes, "number")
        return Column(cells.name, "number", cells.plain), _reading(cells, ".", (), missing)
    texts, counts = cells.counted(missing)
    rule = decide_numbers(texts, counts, decimal, prior, rules.separator)
    if rule is None:
        return None
    values = dict(zip(texts, rule.read(texts), strict=True))
    strays = [text for text, value in values.items() if value is None]
    numbers = {text: value for text, value in values.items() if value is not None}
    few = len(set(numbers.values())) <= _DISTINCT_CLASSES
    if strays and cells.name in rules.strict and few:
        return None
    _tell_markers(cells, missing, notes, "number")
    _tell_format(cells, numbers, rule, prior, notes)
    _tell_strays(cells, strays, counts, "number", notes)
    reading = _reading(cells, rule.decimal, rule.units, missing)
    return Column(cells.name, "number", cells.spread(numbers)), reading


def _has_values(cells: Cells) -> bool:
    """Whether a cell holds something else than the usual texts for a missing value."""
    if cells.plain is not None:
        return True
    return any(text not in cells.markers for text in cells.distinct.categories)


def _reading(
    cells: Cells, decimal: str, units: tuple[tuple[str, float], ...], missing: Sequence[str]
) -> Reading:
    used: tuple[str, ...] = cells.prior.missing if cells.prior is not None else ()
    if cells.plain is None or cells.text is not None:
        present = set(cells.distinct.categories)
        used = tuple(dict.fromkeys((*used, *(m for m in missing if m in present))))
    return Reading("number", decimal, units, missing=used)


def _tell_markers(cells: Cells, missing: Sequence[str], notes: list[str], what: str) -> None:
    """A note for texts that were taken as missing and usually are values."""
    if cells.plain is not None and cells.series.is_in(list(missing)).sum() == 0:
        return
    usual = {*MISSING_TEXTS, *(cells.prior.missing if cells.prior is not None else ())}
    texts, counts = cells.counted()
    total = sum(counts)
    found = {t: n for t, n in zip(texts, counts, strict=True) if t in missing and t not in usual}
    if found:
        shown = ", ".join(map(repr, found))
        many = "was" if len(found) == 1 else "were"
        notes.append(
            f"Column {cells.name!r}: {shown} {many} read as a missing {what} "
            f"({sum(found.values()):,} of {total:,} values)."
        )


def _tell_strays(
    cells: Cells, strays: list[str], counts: Sequence[int], what: str, notes: list[str]
) -> None:
    """A note for cells that are not what the others are."""
    if not strays:
        return
    texts, all_counts = cells.counted()
    by_text = dict(zip(texts, all_counts, strict=True))
    number = sum(by_text[text] for text in strays)
    first = min(strays, key=lambda t: int(np.argmax(cells.distinct.values == texts.index(t))))
    none = f"is no {what}" if number == 1 else f"are no {what}"
    notes.append(
        phrase(
            f"Column {cells.name!r}: {number:,} of {sum(counts):,} values {none} "
            f"({first!r} in {cells.place(first)}"
            + (" is the first" if len(strays) > 1 else "")
            + "): read as missing. To make the column categories, use ",
            Setting("text_columns", cells.name),
            ".",
        )
    )


def _dress(text: str, rule: NumberRule) -> str:
    """What about a number is not plain: separators, a unit, parentheses, a sign."""
    written = take_apart(text)
    if written is None:
        return ""
    whole = written.body.partition(rule.decimal)[0]
    if not whole.isdecimal() and whole:
        return "thousands separators"
    if written.unit:
        return "percent" if written.unit == "%" else f"with {written.unit!r}"
    return "negative in parentheses" if "(" in text or "\uff08" in text else ""


def _unit_of(text: str) -> str:
    written = take_apart(text)
    return "" if written is None else written.unit


def _tell_format(
    cells: Cells,
    numbers: Mapping[str, float],
    rule: NumberRule,
    prior: Reading | None,
    notes: list[str],
) -> None:
    """A note for each way of writing that is no plain number, and for guesses."""
    texts, counts = cells.counted()
    by_text = dict(zip(texts, counts, strict=True))
    total = sum(by_text[text] for text in numbers)
    kinds: dict[str, list[str]] = {}
    for text in numbers:
        kinds.setdefault(_dress(text, rule), []).append(text)
    plain = kinds.pop("", [])
    other = "," if rule.decimal == "." else "."
    for kind, examples in kinds.items():
        first = max(examples, key=lambda text: by_text[text])
        many = sum(by_text[text] for text in examples)
        parts: list[str | Setting] = [
            f"Column {cells.name!r}: {first!r} was read as {number_text(numbers[first])} "
            f"({kind}; {many:,} of {total:,} values)."
        ]
        if kind == "thousands separators" and not rule.known:
            parts += [" If the sign is the decimal sign, use ", Setting("decimal", other), "."]
        bare = sum(by_text[text] for text in numbers if not _unit_of(text))
        if kind.startswith("with") and bare:
            parts += [f" {bare:,} have no {kind[5:]}: read as the same unit."]
        notes.append(phrase(*parts))
    doubtful = [text for text in plain if rule.decimal in text]
    if not rule.known and doubtful and not kinds:
        text = doubtful[0]
        notes.append(
            phrase(
                f"Column {cells.name!r}: {text!r} was read as {number_text(numbers[text])} "
                f"({len(doubtful):,} distinct values). If the sign stands between thousands, use ",
                Setting("decimal", other),
                ".",
            )
        )
    if prior is not None:
        _tell_change(cells, rule, prior, notes)


def _tell_change(cells: Cells, rule: NumberRule, prior: Reading, notes: list[str]) -> None:
    names = {".": "a decimal point", ",": "a decimal comma"}
    if (
        prior.decimal
        and prior.decimal != rule.decimal
        and (
            cells.evidence.point
            or cells.evidence.comma
            or cells.evidence.either_comma
            or cells.evidence.either_point
        )
    ):
        notes.append(
            f"Column {cells.name!r} is written with {names[rule.decimal]} here, in training with "
            f"{names[prior.decimal]} (such as 0{prior.decimal}5 for one half): read as it is "
            "written here."
        )
    before, now = {u for u, _ in prior.units}, {u for u, _ in rule.units}
    if new := sorted(now - before):
        expected = ", ".join(map(repr, sorted(before))) or "none"
        notes.append(
            f"Column {cells.name!r} has {', '.join(map(repr, new))} beside its numbers, training "
            f"had {expected}: the numbers were not converted."
        )


# --- Truth values, times, text -----------------------------------------------------------------


def _truth(cells: Cells, rules: CellRules, notes: list[str]) -> tuple[Column, Reading] | None:
    """The column as truth values: texts of one pair such as yes and no.  Targets are read so for
    true and false only: other words are names of classes.  A column that held truth values in
    training may hold strays among them."""
    texts, counts = cells.counted(cells.markers)
    known = TRUTHS[:1] if cells.name in rules.strict else TRUTHS
    words = {text: text.lower() for text in texts}
    found = {word for word in words.values() if any(word in pair for pair in known)}
    pair = next((pair for pair in known if found and found <= set(pair)), None)
    if pair is None:
        return None
    strays = [text for text, word in words.items() if word not in pair]
    lost = sum(count for text, count in zip(texts, counts, strict=True) if text in strays)
    if strays and (not _was(cells, "boolean") or lost > 0.5 * sum(counts)):
        return None
    values = {text: float(word == pair[1]) for text, word in words.items() if word in pair}
    _tell_strays(cells, strays, counts, "truth value", notes)
    if pair not in TRUTHS[:1] and not _was(cells, "boolean"):
        shown = {value: text for text, value in values.items()}
        notes.append(
            phrase(
                f"Column {cells.name!r}: "
                + " and ".join(
                    f"{text!r} was read as {bool(value)}" for value, text in sorted(shown.items())
                )
                + f" ({sum(counts) - lost:,} values). To make the column categories, use ",
                Setting("text_columns", cells.name),
                ".",
            )
        )
    return Column(cells.name, "boolean", cells.spread(values)), Reading("boolean")


def _was(cells: Cells, kind: str) -> bool:
    """Whether the column was read as ``kind`` in training."""
    return cells.prior is not None and cells.prior.kind == kind


def _times(
    cells: Cells,
    rules: CellRules,
    open_dates: list[tuple[Cells, TimeRule]],
    orders: set[str],
    notes: list[str],
) -> tuple[Column, Reading] | None:
    """The column as times, or None.  A column whose order of day and month is open waits in
    ``open_dates`` for what the other columns show (``orders``)."""
    missing = rules.markers(MISSING_NUMBERS, cells.prior)
    texts, counts = cells.counted(missing)
    if not texts or sum(any(c.isdecimal() for c in t) for t in texts[:_SAMPLE]) * 2 < len(
        texts[:_SAMPLE]
    ):
        return None
    prior = cells.prior if cells.prior is not None and cells.prior.kind == "time" else None
    known = rules.date_formats.get(cells.name, "")
    formats = (known,) if known else (prior.date_format,) if prior and prior.date_format else ()
    order = day_order(prior.date_format) if prior is not None else ""
    rule = decide_times(
        texts, counts, formats, order, 0.5 if prior is not None or known else STRAY_SHARE
    )
    if rule is None or (known and rule.date_format != known):
        return None
    strays = [t for t, s in zip(texts, rule.seconds, strict=True) if np.isnan(s)]
    if strays and cells.name in rules.strict:
        return None
    _tell_markers(cells, missing, notes, "date")
    _tell_strays(cells, strays, counts, "date", notes)
    if rule.others and day_order(rule.date_format) and not order:
        open_dates.append((cells, rule))
    elif rule.order:
        orders.add(rule.order)
    if not (rule.others and rule.order):
        _tell_dates(cells, rule, prior, known, notes)
    return _time_column(cells, texts, rule)


def _time_column(cells: Cells, texts: Sequence[str], rule: TimeRule) -> tuple[Column, Reading]:
    seconds = dict(zip(texts, rule.seconds.tolist(), strict=True))
    column = Column(cells.name, "time", cells.spread(seconds), date_format=rule.date_format)
    return column, Reading("time", date_format=rule.date_format)


def _tell_dates(
    cells: Cells, rule: TimeRule, prior: Reading | None, known: str, notes: list[str]
) -> None:
    if known:
        return
    if prior is not None and prior.date_format != rule.date_format:
        notes.append(
            f"Column {cells.name!r}: dates are written as {example_of(rule.date_format)} "
            f"({rule.date_format}) here, in training as {example_of(prior.date_format)} "
            f"({prior.date_format}), which is expected: read as they are written here."
        )
    elif prior is None and "%y" in rule.date_format:
        texts, counts = cells.counted()
        notes.append(
            phrase(
                f"Column {cells.name!r}: dates such as {texts[0]} were read with two-digit years "
                f"of 1970 to 2069 ({rule.date_format}; {sum(counts):,} values). For another "
                "format, use ",
                Setting("date_formats", {cells.name: "…"}),
                ".",
            )
        )


def _decide_order(
    cells: Cells, rule: TimeRule, orders: set[str], notes: list[str]
) -> tuple[Column, Reading]:
    """Month/day or day/month, as the file's other columns have it; told as a guess."""
    texts = [t for t in cells.distinct.categories]
    counts = cells.distinct.counts().tolist()
    order = next(iter(orders)) if len(orders) == 1 else "month/day"
    fitting = [f for f in (rule.date_format, *rule.others) if day_order(f) == order]
    formats = (fitting[0],) if fitting else (rule.date_format,)
    chosen = decide_times(texts, counts, formats, wanted=0.0) or rule
    year = " with two-digit years of 1970 to 2069" if "%y" in chosen.date_format else ""
    reason = ", as the file's other dates" if len(orders) == 1 else ""
    other = next((f for f in (rule.date_format, *rule.others) if f != chosen.date_format), "")
    notes.append(
        phrase(
            f"Column {cells.name!r}: dates such as {texts[0]} were read as "
            f"{day_order(chosen.date_format) or chosen.date_format}/year{year}{reason} "
            f"({sum(counts):,} values). For another order, use ",
            Setting("date_formats", {cells.name: other}),
            ".",
        )
    )
    return _time_column(cells, texts, chosen)


def _texts(cells: Cells, rules: CellRules, notes: list[str]) -> tuple[Column, Reading]:
    """The column as text; markers of missing values that are like its other values stay."""
    texts, counts = cells.counted()
    by_text = dict(zip(texts, counts, strict=True))
    usual_markers = [m for m in cells.markers if m not in rules.missing_values]
    kept = [m for m in usual_markers if m in by_text and _is_like(m, texts, cells.markers)]
    if cells.prior is not None and cells.prior.kind == "text":
        kept = [m for m in kept if m in cells.prior.kept]
    lost = [m for m in cells.markers if m in by_text and m not in kept]
    total = sum(counts)
    usual = cells.prior is None or cells.prior.kind != "text"
    for text in kept if usual else []:
        others = ", ".join([t for t in texts if t not in cells.markers][:3])
        notes.append(
            phrase(
                f"Column {cells.name!r}: {text!r} ({by_text[text]:,} of {total:,} values) is "
                f"taken as a value like the others ({others}, …). If it means a missing value, "
                "use ",
                Setting("missing_values", text),
                ".",
            )
        )
    for text in [t for t in lost if t not in rules.missing_values] if usual else []:
        notes.append(
            phrase(
                f"Column {cells.name!r}: {text!r} ({by_text[text]:,} of {total:,} values) was "
                "read as missing. If it is a value, use ",
                Setting("keep_texts", text),
                ".",
            )
        )
    column = encode_text(cells.name, without(cells.series, lost))
    values = tuple(dict.fromkeys((*kept, *(t for t in rules.keep_texts if t in by_text))))
    if cells.prior is not None:
        values = tuple(dict.fromkeys((*cells.prior.kept, *values)))
    usual_lost = tuple(m for m in lost if m not in MISSING_TEXTS)
    return column, Reading("text", missing=usual_lost, kept=values)


def _is_like(marker: str, texts: Sequence[str], markers: Collection[str]) -> bool:
    """Whether a text such as NA is of the same make as a column's other texts: codes of two or
    three capitals, as countries, continents and airlines have them."""
    if not (marker.isalpha() and marker.isupper() and len(marker) <= 3):
        return False
    others = [text for text in texts if text not in markers]
    if len(others) < 2:
        return False
    alike = [t for t in others if len(t) == len(marker) and t.isalpha() and t.isupper()]
    lengths = Counter(map(len, others))
    return len(alike) >= STRAY_SHARE * len(others) and lengths[len(marker)] == len(alike)
