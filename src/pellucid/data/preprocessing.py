"""From columns and images to the numbers that a network takes.

Everything is learned from the training rows: means, deviations, medians, categories, which
columns are worth keeping.  The result is small, goes to JSON and back without loss, and turns
any later table into the same features.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError, RunFolderError
from pellucid.base.phrases import Setting, join, phrase
from pellucid.data.columns import Column, NamedPictures, Table, nearest_names
from pellucid.data.image_preprocessing import MAX_FEATURES, Features, ImagePreprocessor
from pellucid.data.input_layout import InputLayout, Lookup, Picture, vector_width
from pellucid.data.json_checks import (
    json_bool,
    json_error,
    json_integer,
    json_list,
    json_names,
    json_number,
    json_object,
    json_text,
)
from pellucid.data.number_text import STRAY_SHARE
from pellucid.data.picture_columns import with_known_pictures
from pellucid.data.picture_files import PictureForm
from pellucid.data.picture_sources import form_of
from pellucid.data.prose import (
    MAX_BUCKETS,
    MAX_SLOTS,
    READER_WIDTH,
    ProseRule,
    is_prose,
    prose_note,
    prose_rule,
    reads_in_order,
)
from pellucid.data.prose import WIDTH as PROSE_WIDTH
from pellucid.data.readings import (
    Kind,
    Reading,
    checked_date_format,
    readings_from_json,
    readings_to_json,
)
from pellucid.data.time_parts import FORMER_TIME_PARTS, TIME_PARTS, time_parts
from pellucid.data.time_text import example_of

Floats: TypeAlias = npt.NDArray[np.float64]
PlanKind: TypeAlias = Literal[
    "number", "boolean", "category", "embedding", "prose", "picture", "time"
]

TEXT_KINDS = ("category", "embedding", "prose", "picture")
"""Kinds of plans for columns of text."""

_LAST = ("embedding", "prose", "picture")
"""Kinds whose features come after all numbers, in their order."""
MAX_CATEGORIES = 64
MAX_EMBEDDED = 10_000
_PICTURE_BLOCK = 256
_VERSION = 1


@dataclass(frozen=True)
class Scale:
    """One number of a column: missing ones become ``fill``, then (x - mean) / std."""

    part: str
    fill: float
    mean: float
    std: float


@dataclass(frozen=True)
class ColumnPlan:
    """How one column becomes features.

    ``scales`` are its numeric parts (one for numbers and booleans, up to nine for times, none for
    categories and for numbers of which only the absence tells something).  ``categories`` get a
    0/1 feature each; ``other`` adds one for all remaining categories, ``indicator`` one for
    missing values.  ``date_format`` is how times were written in training, because 01/02/2020
    alone does not tell.  Of an ``embedding`` the one feature is the code of the category, 1 for
    the most frequent one and 0 for those that are not listed; of ``prose`` there are ``slots``
    features, codes of words below ``buckets``, in the order of the words where ``ordered``.  Of a
    ``picture`` there are its pixels, as ``picture`` standardizes them, 0 where there is none.
    """

    column: str
    kind: PlanKind
    scales: tuple[Scale, ...] = ()
    categories: tuple[str, ...] = ()
    other: bool = False
    indicator: bool = False
    date_format: str = ""
    slots: int = 0
    buckets: int = 0
    ordered: bool = False
    picture: ImagePreprocessor | None = None

    @property
    def is_coded(self) -> bool:
        """Whether the features are codes that a network looks up."""
        return self.kind in ("embedding", "prose")

    @property
    def is_wide(self) -> bool:
        """Whether the features are no numbers by themselves: codes, or the pixels of a picture."""
        return self.is_coded or self.picture is not None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        if self.kind == "embedding":
            return (f"{self.column} (code)",)
        if self.kind == "prose":
            return tuple(f"{self.column} (word {place + 1})" for place in range(self.slots))
        if self.picture is not None:
            return tuple(f"{self.column} ({name})" for name in self.picture.feature_names)
        names = [f"{self.column} ({s.part})" if s.part else self.column for s in self.scales]
        names += [f"{self.column} = {category}" for category in self.categories]
        if self.other:
            names.append(f"{self.column} is another")
        if self.indicator:
            names.append(f"{self.column} is missing")
        return tuple(names)

    @property
    def width(self) -> int:
        """The number of features."""
        if self.is_coded:
            return self.slots
        if self.picture is not None:
            return math.prod(self.picture.shape)
        return len(self.scales) + len(self.categories) + self.other + self.indicator


@dataclass(frozen=True)
class Preprocessor:
    """Turns tables into features; made by ``Preprocessor.fit``.

    - Numbers are standardized by the training mean and standard deviation (divisor n); missing
      ones become the training median, and "x is missing" is a feature of its own where values
      were missing in training.
    - Booleans are 0 and 1; missing ones become the more frequent value.
    - Text is one-hot.  Categories with one training row share the feature "x is another".
      Categories that training did not have go there too; if training had no such rows, they get
      zeros.  More than 64 categories are codes, for which a network learns vectors; those with
      one row, those beyond the most frequent 10,000 and unknown ones share code 0.
    - Prose becomes the codes of its words, pairs of words and runs of characters.
    - Names of pictures become the pixels of these, standardized by the mean and deviation of the
      training pixels.
    - Times become days (the trend) and sine and cosine of the time of the year, the day of the
      month, the weekday and the hour, standardized.
    - Constant columns, and names that are different in nearly every row, are left out.

    ``notes`` tells the user what was left out and why.  ``readings`` says how the cells of the
    training file were read (also of the targets), ``unused`` names its columns that are no
    features; both in the order of the file.
    """

    plans: tuple[ColumnPlan, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in the order of ``transform``'s columns."""
        return tuple(name for plan in self.ordered for name in plan.feature_names)

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """For each feature the column that it comes from."""
        return tuple(plan.column for plan in self.ordered for _ in range(plan.width))

    @property
    def ordered(self) -> list[ColumnPlan]:
        """The plans in the order of their features: numbers, then codes, then pixels."""
        return sorted(self.plans, key=lambda plan: _LAST.index(plan.kind) if plan.is_wide else -1)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a row of features; an ``InputLayout`` where some are codes or pixels."""
        numbers = sum(plan.width for plan in self.plans if not plan.is_wide)
        lookups: list[Lookup] = []
        pictures: list[Picture] = []
        start = numbers
        for plan in self.ordered:
            if plan.kind == "embedding":
                rows = len(plan.categories) + 1
                lookups.append(Lookup(start, 1, rows, vector_width(rows)))
            elif plan.kind == "prose":
                width = READER_WIDTH if plan.ordered else PROSE_WIDTH
                lookups.append(Lookup(start, plan.slots, plan.buckets, width, plan.ordered))
            elif plan.picture is not None:
                pictures.append(Picture(start, plan.picture.shape))
            start += plan.width if plan.is_wide else 0
        return InputLayout(numbers, lookups, pictures) if lookups or pictures else (numbers,)

    @property
    def picture_forms(self) -> dict[str, PictureForm]:
        """The form of the pictures that columns name, by column."""
        return {
            plan.column: form
            for plan in self.plans
            if plan.picture is not None and (form := form_of(plan.picture.shape)) is not None
        }

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns that must be read as text, whatever they look like in a new file."""
        return tuple(plan.column for plan in self.plans if plan.kind in TEXT_KINDS)

    @property
    def date_formats(self) -> dict[str, str]:
        """The format of the times in training, by column."""
        return {plan.column: plan.date_format for plan in self.plans if plan.date_format}

    def reading_of_columns(self) -> dict[str, Reading]:
        """How a new file is to be read: as training was, by column."""
        found = dict(self.readings)
        for plan in self.plans:
            known = found.get(plan.column)
            if known is None or known.kind != kind_of(plan):
                found[plan.column] = Reading(kind_of(plan), date_format=plan.date_format)
        return found

    def of_file(self, table: Table) -> Preprocessor:
        """The same with the readings and the other columns of the training file."""
        used = {plan.column for plan in self.plans}
        unused = tuple(name for name in table.columns if name not in used)
        return replace(self, readings=dict(table.readings), unused=unused)

    @classmethod
    def fit(
        cls,
        table: Table,
        *,
        exclude: Collection[str] = (),
        text_columns: Collection[str] = (),
        max_categories: int = MAX_CATEGORIES,
        text: str = "bag",
    ) -> Preprocessor:
        """Learns from the rows of ``table``, which are the training rows.

        ``exclude`` names columns that are no features (the targets).  ``text_columns`` are
        categories even when most of their values look like numbers.  ``max_categories`` is the
        greatest number of features that one text column gets; more categories are codes.
        ``text`` is one of ``TEXT_MODELS``: the codes of prose are in the order of its words for a
        transformer.

        Raises ``DataError`` for infinite values, for text in a column of numbers, and when no
        usable column is left; ``ArgumentError`` for an impossible ``max_categories``.
        """
        if not 2 <= max_categories <= 10_000:
            raise ArgumentError(
                f"max_categories={max_categories}", "Choose a whole number from 2 to 10000."
            )
        features = table.without(exclude)
        check_columns(features, text_columns)
        plans: list[ColumnPlan] = []
        notes: list[str] = []
        for column in features.columns.values():
            plan, note = _plan(column, max_categories, reads_in_order(text))
            if note:
                notes.append(note)
            if plan is not None:
                plans.append(plan)
        if not plans:
            raise DataError(
                f"{table.name} has no usable feature column" + (":" if notes else ""),
                join(" ", notes)
                if notes
                else "Add columns from which the target can be predicted.",
            )
        made = cls(tuple(plans), tuple(notes))
        made._check_width(table)
        return made

    def _check_width(self, table: Table) -> None:
        width = sum(plan.width for plan in self.plans)
        if self.picture_forms and width > MAX_FEATURES:
            raise DataError(
                f"A row of {table.name} has {width:,} features with the pixels of its pictures; "
                f"at most {MAX_FEATURES:,} are possible",
                phrase("Scale the pictures down (", Setting("image_size"), ")."),
            )

    def transform(self, table: Table) -> Features:
        """The features of a table: float32 (rows, features).

        Columns that training did not have are ignored.  Raises ``DataError`` when a column is
        absent, holds text where training had numbers, or holds infinite or too large values.
        Pictures that have not been read yet are, relative to the working folder.
        """
        table = with_known_pictures(table, None, self.picture_forms)
        width = sum(plan.width for plan in self.plans)
        features = np.zeros((len(table), width), dtype=np.float32)
        at = 0
        for plan in self.ordered:
            if plan.column not in table.columns:
                raise DataError(
                    f"{table.name} has no column {plan.column!r}, which the network was trained on",
                    nearest_names(plan.column, table.columns),
                )
            _fill(features[:, at : at + plan.width], plan, table)
            at += plan.width
        return features

    def to_json(self) -> dict[str, object]:
        """The preprocessor as JSON values; floats survive exactly."""
        columns: list[dict[str, object]] = [
            {
                "column": plan.column,
                "kind": plan.kind,
                "scales": [[s.part, s.fill, s.mean, s.std] for s in plan.scales],
                "categories": list(plan.categories),
                "other": plan.other,
                "indicator": plan.indicator,
                "date_format": plan.date_format,
                "slots": plan.slots,
                "buckets": plan.buckets,
                "ordered": plan.ordered,
                "picture": None if plan.picture is None else plan.picture.to_json(),
            }
            for plan in self.plans
        ]
        return {
            "kind": "table",
            "version": _VERSION,
            "columns": columns,
            "readings": readings_to_json(self.readings),
            "unused": list(self.unused),
        }

    @classmethod
    def from_json(cls, data: object) -> Preprocessor:
        """The preprocessor from ``to_json``'s values; ``RunFolderError`` for anything else."""
        if isinstance(data, dict):
            data = {"readings": [], "unused": []} | data  # folders of the first version lack them
        keys = ("kind", "version", "columns", "readings", "unused")
        fields = json_object(data, "preprocessing", keys)
        json_text(fields["kind"], "preprocessing kind", ("table",))
        json_integer(fields["version"], "preprocessing version", _VERSION, _VERSION)
        entries = json_list(fields["columns"], "preprocessing columns", MAX_FEATURES)
        plans = tuple(_plan_from_json(entry) for entry in entries)
        json_names([plan.column for plan in plans], "preprocessing columns")
        width = sum(plan.width for plan in plans)
        json_integer(width, "number of features", 1, MAX_FEATURES)
        readings = readings_from_json(fields["readings"], MAX_FEATURES)
        unused = json_names(fields["unused"], "columns that are no features", MAX_FEATURES)
        return cls(plans, (), readings, unused)


def preprocessor_from_json(data: object) -> Preprocessor | ImagePreprocessor:
    """Either preprocessor from its JSON values; ``RunFolderError`` for anything else."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == "images":
        return ImagePreprocessor.from_json(data)
    return Preprocessor.from_json(data)


@dataclass(frozen=True)
class TargetScaler:
    """Standardizes regression targets: (y - mean) / std for each target."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, targets: Floats) -> TargetScaler:
        """Learns from the training targets (rows, targets); a constant target keeps std 1."""
        moments = [_moments(targets[:, position]) for position in range(targets.shape[1])]
        return cls(tuple(m for m, _ in moments), tuple(s or 1.0 for _, s in moments))

    def transform(self, targets: npt.NDArray[Any]) -> Features:
        """Targets (rows, targets) as the network is to predict them, float32."""
        scaled = (targets - np.array(self.mean)) / np.array(self.std)
        return np.asarray(scaled, dtype=np.float32)

    def inverse(self, outputs: npt.NDArray[Any]) -> Floats:
        """The network's outputs (rows, targets) in the units of the data, float64."""
        values = np.asarray(outputs, dtype=np.float64) * np.array(self.std) + np.array(self.mean)
        return np.asarray(values)

    def to_json(self) -> dict[str, object]:
        """The scaler as JSON values."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, data: object) -> TargetScaler:
        """The scaler from ``to_json``'s values; ``RunFolderError`` for anything else."""
        fields = json_object(data, "target scaler", ("mean", "std"))
        mean, std = (
            tuple(json_number(v, f"target {key}") for v in json_list(fields[key], f"target {key}"))
            for key in ("mean", "std")
        )
        if not mean or len(mean) != len(std) or min(std) <= 0:
            raise json_error("target scaler", "a mean and a positive std for each target", fields)
        return cls(mean, std)


# --- Checks ------------------------------------------------------------------------------------


def check_columns(table: Table, text_columns: Collection[str] = ()) -> None:
    """Raises ``DataError`` for a column that cannot be a feature as it is: one of numbers with
    infinite values, and one with text in it (unless named in ``text_columns``)."""
    for column in table.columns.values():
        if column.kind == "number":
            _check_finite(column, table)
        elif column.kind == "text" and column.name not in text_columns:
            _check_stray(column, table)


def _check_finite(column: Column, table: Table) -> None:
    infinite = np.flatnonzero(np.isinf(column.values))
    if infinite.size:
        raise DataError(
            f"Column {column.name!r} of {table.name} holds infinite values: "
            f"{infinite.size} of {len(column)}, the first in {table.place(int(infinite[0]))}",
            "Correct these cells, or leave them empty: empty cells are filled in.",
        )


def _check_stray(column: Column, table: Table) -> None:
    """Text in a column that is otherwise numbers is a slip, not a category."""
    counts = column.counts()
    numeric = np.array([_is_number(category) for category in column.categories], dtype=bool)
    total, numbers = int(counts.sum()), int(counts[numeric].sum())
    if numbers == total or total == 0 or numbers < STRAY_SHARE * total:
        return
    strays = np.flatnonzero((column.values >= 0) & ~np.append(numeric, True)[column.values])
    row = int(strays[0])
    raise DataError(
        f"Column {column.name!r} of {table.name} holds text where numbers were expected: "
        f"{column.text(row)!r} in {table.place(row)} ({strays.size} of {total} values are text)",
        phrase(
            "Correct these cells or leave them empty, or say that the column is text (",
            Setting("text_columns", column.name),
            ").",
        ),
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


# --- Learning ----------------------------------------------------------------------------------


def _moments(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation (divisor n) of finite values; std 0 where all are equal.

    Dividing by the largest magnitude first keeps squares of huge values from overflowing.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0 or values.min() == values.max():
        return (float(values[0]) if values.size else 0.0), 0.0
    scaled = values / largest
    mean, std = float(scaled.mean()), float(scaled.std())
    return mean * largest, (std * largest if std > 1e-14 else 0.0)


def _plan(
    column: Column, max_categories: int, ordered: bool = False
) -> tuple[ColumnPlan | None, str]:
    """The plan of a column, or None, and a note for the user where there is one."""
    if bool(column.missing.all()):
        return None, f"Column {column.name!r} has no values in the training rows: left out."
    if column.pictures is not None:
        return _plan_picture(column, column.pictures)
    if column.kind == "text":
        return _plan_category(column, max_categories, ordered)
    indicator = bool(column.missing.any())
    if column.kind == "time":
        scales = tuple(
            scale
            for part, values in time_parts(column.values).items()
            if (scale := _scale(part, values)) is not None
        )
        kind: PlanKind = "time"
    else:
        present = column.values[~column.missing]
        kind = "boolean" if column.kind == "boolean" else "number"
        scale = _scale("", present)
        if scale is not None and kind == "boolean":
            scale = Scale("", float(present.mean() >= 0.5), 0.0, 1.0)
        scales = () if scale is None else (scale,)
    if scales or indicator:
        note = ""
        if not scales:
            value = column.text(int(np.argmin(column.missing)))
            note = (
                f"Column {column.name!r} holds {value!r} or nothing: only whether it is missing "
                "is used."
            )
        plan = ColumnPlan(
            column.name, kind, scales, indicator=indicator, date_format=column.date_format
        )
        return plan, note
    return None, f"Column {column.name!r} holds {column.text(0)!r} in every training row: left out."


def _scale(part: str, values: Floats) -> Scale | None:
    """The scale of one numeric part, NaN left out; None where it is constant."""
    present = values[~np.isnan(values)]
    mean, std = _moments(present)
    return None if std == 0 else Scale(part, float(np.median(present)), mean, std)


def _plan_category(
    column: Column, max_categories: int, ordered: bool
) -> tuple[ColumnPlan | None, str]:
    counts = column.counts()
    present = int(counts.sum())
    distinct = int(np.count_nonzero(counts))
    name = column.name
    if distinct > 20 and distinct > 0.3 * present and is_prose(column):
        return _plan_prose(column, counts, ordered)
    if (distinct > 20 and distinct > 0.5 * present) or (counts.max() < 2 and distinct > 1):
        return None, (
            f"Column {name!r} has {distinct} different texts in {present} training rows, like a "
            "name or an identifier: left out."
        )
    indicator = present < len(column)
    if distinct == 1 and not indicator:
        return None, f"Column {name!r} holds {column.text(0)!r} in every training row: left out."
    # Most frequent first; ties in alphabetical order, so that the plan follows from the data.
    order = np.argsort(-counts, kind="stable")
    repeated = order[counts[order] >= 2]
    if len(repeated) > max_categories - 1 and distinct > max_categories:
        return _plan_embedding(column, repeated, distinct)
    kept = tuple(column.categories[code] for code in sorted(repeated))
    other = len(kept) < distinct
    if distinct == 1:
        # A 0/1 feature for the single category would be the indicator once more.
        kept, other = (), False
    return ColumnPlan(name, "category", (), kept, other, indicator), ""


def _plan_embedding(
    column: Column, repeated: npt.NDArray[np.int64], distinct: int
) -> tuple[ColumnPlan, str]:
    """Codes for categories that are too many for a feature each; the most frequent come first."""
    kept = tuple(column.categories[code] for code in repeated[:MAX_EMBEDDED])
    width = vector_width(len(kept) + 1)
    others = distinct - len(kept)
    rest = f"; {others:,} rare ones share one" if others else ""
    note = (
        f"Column {column.name!r} has {distinct:,} categories: a network learns a vector of {width} "
        f"numbers for each{rest}."
    )
    return ColumnPlan(column.name, "embedding", (), kept, slots=1), note


def _plan_prose(
    column: Column, counts: npt.NDArray[np.int64], ordered: bool
) -> tuple[ColumnPlan, str]:
    """Codes for the words of a text; only those of training rows decide how many."""
    texts = tuple(column.categories[code] for code in np.flatnonzero(counts))
    rule = prose_rule(replace(column, categories=texts), ordered)
    plan = ColumnPlan(
        column.name, "prose", slots=rule.slots, buckets=rule.buckets, ordered=rule.ordered
    )
    return plan, prose_note(column.name, rule, texts)


def _plan_picture(column: Column, named: NamedPictures) -> tuple[ColumnPlan | None, str]:
    """The scale of the pixels of the training rows' pictures."""
    used = np.unique(named.places[column.values])
    images = named.images[used[used >= 0]]
    if not len(images) or bool((images == images.flat[0]).all()):
        return None, f"Column {column.name!r} names pictures that show nothing: left out."
    return ColumnPlan(column.name, "picture", picture=ImagePreprocessor.fit(images)), ""


# --- Applying ----------------------------------------------------------------------------------


def _fill(block: Features, plan: ColumnPlan, table: Table) -> None:
    """Writes the features of one column into ``block`` (rows, width), which holds zeros."""
    if plan.picture is not None:
        _fill_pictures(block, plan.picture, table[plan.column])
        return
    column = _as_kind(table[plan.column], plan, table)
    at = len(plan.scales)
    if plan.kind == "prose":
        ProseRule(plan.slots, plan.buckets, plan.ordered).fill(block, column)
    elif plan.kind == "embedding":
        code_of = {category: code for code, category in enumerate(plan.categories, 1)}
        codes = [code_of.get(category, 0) for category in column.categories]
        block[:, 0] = np.array([*codes, 0], dtype=np.float32)[column.values]
    elif plan.kind == "category":
        slot = {category: at + i for i, category in enumerate(plan.categories)}
        fallback = at + len(plan.categories) if plan.other else -1
        slots = [slot.get(category, fallback) for category in column.categories]
        places = np.array([*slots, -1], dtype=np.int64)[column.values]
        rows = np.flatnonzero(places >= 0)
        block[rows, places[rows]] = 1.0
    else:
        wanted = [scale.part for scale in plan.scales]
        is_time = plan.kind == "time"
        parts = time_parts(column.values, wanted) if is_time else {"": column.values}
        for position, scale in enumerate(plan.scales):
            values = parts[scale.part]
            filled = np.where(np.isnan(values), scale.fill, values)
            with np.errstate(over="ignore"):
                block[:, position] = (filled - scale.mean) / scale.std
        if not bool(np.isfinite(block[:, :at]).all()):
            row = int(np.argmin(np.isfinite(block[:, :at]).all(axis=1)))
            raise DataError(
                f"Column {plan.column!r} of {table.name} holds {column.text(row)} in "
                f"{table.place(row)}, too far from the training values to be represented",
                "Correct the cell, or leave it empty.",
            )
    if plan.indicator:
        block[:, -1] = column.missing


def _fill_pictures(block: Features, scale: ImagePreprocessor, column: Column) -> None:
    """Writes the standardized pixels of each row's picture; rows without one keep zeros."""
    if column.pictures is None:
        return
    places = column.pictures.places[column.values]
    rows = np.flatnonzero(places >= 0)
    for start in range(0, len(rows), _PICTURE_BLOCK):
        chosen = rows[start : start + _PICTURE_BLOCK]
        block[chosen] = scale.transform(column.pictures.images[places[chosen]])


def kind_of(plan: ColumnPlan) -> Kind:
    """The kind of column that a plan is for."""
    return "text" if plan.kind in TEXT_KINDS else cast(Kind, plan.kind)


def _as_kind(column: Column, plan: ColumnPlan, table: Table) -> Column:
    """The column in the kind that training had; ``DataError`` where it holds something else."""
    kind = kind_of(plan)
    if bool(column.missing.all()):
        empty = np.full(len(column), -1) if kind == "text" else np.full(len(column), np.nan)
        return Column(column.name, kind, empty)
    if kind == "text" and column.kind != "text":
        texts = column.texts()
        found = sorted({text for text in texts if text is not None})
        position: dict[str | None, int] = {text: code for code, text in enumerate(found)}
        position[None] = -1
        codes = np.array([position[text] for text in texts], dtype=np.int64)
        return Column(column.name, "text", codes, tuple(found))
    if kind in ("number", "boolean") and column.kind == "text":
        column = _parse_numbers(column, plan, table)
    if kind == "number" and column.kind in ("number", "boolean"):
        _check_finite(column, table)
        return column
    if kind == "boolean" and column.kind in ("number", "boolean"):
        wrong = np.flatnonzero(~np.isin(column.values, (0.0, 1.0)) & ~column.missing)
        if not wrong.size:
            return column
        raise _kind_error(column, int(wrong[0]), "true and false", table)
    if kind == column.kind:
        return column
    wanted = {"number": "numbers", "boolean": "true and false", "time": "dates"}[kind]
    raise _kind_error(column, int(np.argmin(column.missing)), wanted, table, plan.date_format)


def _parse_numbers(column: Column, plan: ColumnPlan, table: Table) -> Column:
    """Text that writes numbers (such as 007) as numbers; anything else is an error."""
    numbers = np.full(len(column.categories) + 1, np.nan)
    for code, category in enumerate(column.categories):
        if _is_number(category):
            numbers[code] = float(category)
    wrong = np.flatnonzero((column.values >= 0) & np.isnan(numbers[column.values]))
    if wrong.size:
        wanted = "numbers" if plan.kind == "number" else "true and false"
        raise _kind_error(column, int(wrong[0]), wanted, table)
    return Column(column.name, "number", numbers[column.values])


def _kind_error(
    column: Column, row: int, wanted: str, table: Table, date_format: str = ""
) -> DataError:
    expected = (
        f"Write the cells as in training, such as {example_of(date_format)} " if date_format else ""
    )
    hint = expected + f"({date_format}), or leave them empty: empty cells are filled in."
    return DataError(
        f"Column {column.name!r} of {table.name} held {wanted} in training and holds "
        f"{column.text(row)!r} in {table.place(row)}",
        hint if date_format else "Correct the cell, or leave it empty: empty cells are filled in.",
    )


# --- JSON --------------------------------------------------------------------------------------


def _plan_from_json(entry: object) -> ColumnPlan:
    keys = ("column", "kind", "scales", "categories", "other", "indicator", "date_format")
    if isinstance(entry, dict):
        # folders of earlier versions lack them
        entry = {"slots": 0, "buckets": 0, "ordered": False, "picture": None} | entry
    fields = json_object(entry, "column", (*keys, "slots", "buckets", "ordered", "picture"))
    name = json_text(fields["column"], "column name")
    where = f"column {name[:80]!r}"
    kinds = ("number", "boolean", "category", "embedding", "prose", "picture", "time")
    kind = cast(PlanKind, json_text(fields["kind"], where, kinds))
    entries = json_list(fields["scales"], where, len(TIME_PARTS) + len(FORMER_TIME_PARTS))
    scales = tuple(_scale_from_json(scale, where, kind) for scale in entries)
    json_names([scale.part for scale in scales], where)
    categories = json_names(fields["categories"], where, 10_000)
    other = json_bool(fields["other"], where)
    indicator = json_bool(fields["indicator"], where)
    date_format = checked_date_format(json_text(fields["date_format"], where), where)
    slots = json_integer(fields["slots"], where, 0, MAX_SLOTS)
    buckets = json_integer(fields["buckets"], where, 0, MAX_BUCKETS)
    ordered = json_bool(fields["ordered"], where)
    picture = None if fields["picture"] is None else ImagePreprocessor.from_json(fields["picture"])
    if (kind == "picture") != (picture is not None) or (
        picture is not None and (form_of(picture.shape) is None or other or indicator)
    ):
        raise json_error(where, f"the pixels of a column of kind {kind}", fields["picture"])
    plan = ColumnPlan(
        name,
        kind,
        scales,
        categories,
        other,
        indicator,
        date_format,
        slots,
        buckets,
        ordered,
        picture,
    )
    listed = kind in ("category", "embedding")
    coded = (slots, buckets) == {"embedding": (1, 0)}.get(kind, (0, 0))
    if kind == "prose":
        coded = slots > 0 and buckets > 1
    if not coded or (plan.is_coded and (other or indicator)) or (ordered and kind != "prose"):
        raise json_error(where, f"slots and buckets of a column of kind {kind}", fields)
    if (
        (kind in TEXT_KINDS and scales)
        or (not listed and categories)
        or (kind != "category" and other)
    ):
        raise RunFolderError(
            f"{where}: scales and categories do not fit a column of kind {kind}",
            "The file is damaged or was changed by hand: train again, or restore it.",
        )
    if plan.width == 0:
        raise json_error(where, "at least one feature", fields)
    return plan


def _scale_from_json(entry: object, where: str, kind: str) -> Scale:
    values = json_list(entry, where, 4)
    if len(values) != 4:
        raise json_error(where, "part, fill, mean and std", values)
    times = (*TIME_PARTS, *FORMER_TIME_PARTS)
    part = json_text(values[0], where, times if kind == "time" else ("",))
    fill, mean, std = (json_number(value, where) for value in values[1:])
    if std <= 0:
        raise json_error(where, "a positive std", std)
    return Scale(part, fill, mean, std)
