"""From a name, file, folder or data frame to arrays that a network can be trained on.

``load_source`` puts the pieces of this folder together in the order that keeps the test part
honest: find the task, split the rows, then learn the preprocessing from the training rows alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Rows, Table, as_table, text_column
from pellucid.data.idx import read_idx, read_mnist_folder
from pellucid.data.leaks import find_leaks, find_row_counters
from pellucid.data.preprocessing import (
    Features,
    ImagePreprocessor,
    Preprocessor,
    TargetScaler,
    check_columns,
)
from pellucid.data.readings import MISSING_TEXTS
from pellucid.data.remarks import remarks
from pellucid.data.resemblance import near_copies, ordered_series, repeated_identifier
from pellucid.data.splits import (
    DEFAULT_FRACTIONS,
    check_fractions,
    split_groups,
    split_in_order,
    split_indices,
)
from pellucid.data.tables import read_table
from pellucid.data.tasks import Task, detect_task, distinct_values, encode_targets

# Where a data set brings its own test rows, this share of the others is for validation.
VALIDATION_SHARE = 1 / 12
_MAX_COMPARED_CELLS = 20_000_000


@dataclass(frozen=True, eq=False)
class Part:
    """One of the three parts.

    ``features`` is float32 (rows, features).  ``targets`` is what the loss takes: int64 class
    numbers (rows,) for binary and multi-class, float32 0/1 (rows, labels) for multi-label,
    float32 standardized (rows, targets) for regression.  ``raw_targets`` is what people read:
    the same for classes and labels, float64 in the units of the data for regression.
    ``indices`` are the positions of the rows in the source, counted from 0.  ``weights`` (rows,)
    says how much each row counts, None that all count the same.
    """

    features: Features
    targets: npt.NDArray[Any]
    raw_targets: npt.NDArray[Any]
    indices: Rows
    weights: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.features.shape[0])


@dataclass(frozen=True, eq=False)
class PreparedData:
    """Data ready for training.

    ``image_shape`` is the shape of one image, or None for tables; image features are the pixels
    in row-major order.  ``target_scaler`` turns outputs back into the units of the data and is
    None except for regression.  ``notes`` are sentences for the user.  ``fingerprint`` is the
    SHA-256 of the file's bytes, or of the content of data that are not one file.
    ``rows_dropped`` counts rows left out because a target was missing.
    """

    name: str
    task: Task
    train: Part
    validation: Part
    test: Part
    preprocessor: Preprocessor | ImagePreprocessor
    target_scaler: TargetScaler | None
    feature_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    notes: tuple[str, ...]
    fingerprint: str
    rows: int
    rows_dropped: int
    seed: int
    shown_rows: Table | None = None
    """Of a table: the rows of the part that reports show (test, or validation without one, or
    training) as they stand in the source."""

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of an image, or for tables the number of features."""
        return self.image_shape or (int(self.train.features.shape[1]),)


@dataclass(frozen=True, eq=False)
class PredictionData:
    """New data in the form of the training data.

    ``targets`` is in the form of ``Part.raw_targets``, or None where the data have no target
    column.  ``present`` (rows,) says which rows have a target.  ``table`` is None for images.
    ``ids`` holds the texts of the columns that were asked for, by name.
    """

    features: Features
    targets: npt.NDArray[Any] | None
    present: npt.NDArray[np.bool_]
    table: Table | None
    fingerprint: str
    notes: tuple[str, ...]
    ids: Mapping[str, list[str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Cut:
    """How the rows are cut into parts."""

    group: str | None
    time: str | None
    in_order: bool
    fractions: Sequence[float] = DEFAULT_FRACTIONS
    seed: int = 0

    def __post_init__(self) -> None:
        asked = {"group": self.group, "time": self.time, "in_order": self.in_order or None}
        given = [Setting(name, value) for name, value in asked.items() if value is not None]
        if len(given) > 1:
            raise ArgumentError(
                phrase(given[0], " and ", given[1], " both say how to cut the rows"),
                "Choose one of them.",
            )

    @property
    def at_random(self) -> bool:
        """Whether neither groups nor order say which rows go together."""
        return not (self.group or self.time or self.in_order)

    def refuse_for(self, name: str) -> None:
        """``ArgumentError`` for images, which have no columns."""
        if self.group or self.time or self.in_order:
            raise ArgumentError(
                f"{name} holds images, which have no column to cut the rows by",
                phrase(
                    "Leave out ",
                    Setting("group"),
                    ", ",
                    Setting("time"),
                    " and ",
                    Setting("in_order"),
                    ".",
                ),
            )

    def parts(
        self, table: Table, values: npt.NDArray[Any], task: Task, notes: list[str]
    ) -> tuple[Rows, Rows, Rows]:
        """Rows of training, validation and test."""
        if self.group is not None:
            column = table[self.group]
            if empty := int(column.missing.sum()):
                notes.append(f"{empty:,} rows have no {self.group!r}: they are one group.")
            codes = distinct_values(column)[1]
            parts = split_groups(codes, self.fractions, self.seed)
            counts = " / ".join(str(np.unique(codes[part]).size) for part in parts)
            notes.append(
                f"Rows of one {self.group!r} stay in one part: groups in training / validation / "
                f"test {counts}. The column is no feature."
            )
            return parts
        if self.time is not None:
            column = table[self.time]
            if column.kind == "text":
                raise DataError(
                    f"Column {self.time!r} holds text, which has no order in time "
                    f"({column.text(0)!r})",
                    phrase(
                        "Choose a column of dates or numbers, or give its format with ",
                        Setting("date_formats", {self.time: "%d/%m/%Y"}),
                        ".",
                    ),
                )
            notes.append(f"Ordered by {self.time!r}: validation and test are the last rows.")
            return split_in_order(column.values, self.fractions)
        if self.in_order:
            notes.append("In the order of the file: validation and test are the last rows.")
            return split_in_order(np.arange(len(table)), self.fractions)
        stratify = values if task.kind in ("binary", "multiclass") else None
        return split_indices(len(table), self.fractions, self.seed, stratify)


def load_source(
    source: object,
    targets: Sequence[str] | str = (),
    *,
    task: str | None = None,
    seed: int = 0,
    fractions: Sequence[float] | None = None,
    ignore: Collection[str] | str = (),
    text_columns: Collection[str] | str = (),
    keep_leaks: bool = False,
    encoding: str = "utf-8",
    group: str | None = None,
    time: str | None = None,
    in_order: bool = False,
    missing_values: Collection[str] | str = (),
    keep_texts: Collection[str] | str = (),
    date_formats: Mapping[str, str] | None = None,
    decimal: str = "",
    header: bool | None = None,
) -> PreparedData:
    """Loads, checks, splits and preprocesses data.

    ``source`` is ``"digits"`` (1,797 handwritten ones of 8×8 pixels), a CSV or Parquet file, a
    folder of idx files, a data frame, or a dict of arrays.  ``targets`` names the columns to
    predict and ``task`` overrides the task that follows from them; see ``detect_task``.
    ``fractions`` are the shares of training, validation and test, (0.7, 0.15, 0.15) unless
    given; a folder with test files keeps these, and one twelfth of its training rows is for
    validation.  ``seed`` decides the split.  ``ignore`` names columns that are left out,
    ``text_columns`` columns that are categories though they look like numbers.  Columns that are
    the target under another name are left out unless ``keep_leaks``.

    ``group`` names a column whose rows of equal value stay in one part (it is no feature then).
    ``time`` names a column, and ``in_order`` says of the rows, that they are ordered: validation
    and test are then the last ones.  ``encoding``, ``missing_values``, ``keep_texts``,
    ``date_formats``, ``decimal`` and ``header`` are those of ``read_table`` and count for CSV.

    Raises ``ArgumentError``, ``DataError`` or ``FileError`` with what is wrong and what to do.
    """
    shares = DEFAULT_FRACTIONS if fractions is None else fractions
    names, cut = _names(targets), _Cut(group, time, in_order, shares, seed)
    pool = _image_pool(source)
    if pool is not None:
        cut.refuse_for(pool.name)
        return _prepare_images(pool, seed, fractions, targets, task)
    left_out, as_text = _names(ignore), _names(text_columns)
    read = partial(
        read_table,
        encoding=encoding,
        text_columns=as_text,
        missing_values=_names(missing_values),
        keep_texts=_names(keep_texts),
        date_formats=date_formats,
        decimal=decimal,
        header=header,
        targets=() if task == "regression" else names,
    )
    table, name = _table_of(source, read)
    table = _with_text(table, _known(table, as_text))
    _check_left_out(table, names, left_out, group)
    found = detect_task(table, names, task)
    return _prepare_table(table, name, found, cut, left_out, as_text, keep_leaks)


def _table_of(source: object, read: Callable[[Path], Table]) -> tuple[Table, str]:
    """The table that ``source`` names or is, and what to call it."""
    if not isinstance(source, str | os.PathLike):
        return as_table(source), "table"
    path = Path(source)
    return read(path), path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def _check_left_out(
    table: Table, targets: tuple[str, ...], left_out: tuple[str, ...], group: str | None
) -> None:
    """Columns to leave out exist, and are no targets."""
    _known(table, left_out)
    if overlap := sorted(set(targets) & {*left_out, *([group] if group else [])}):
        raise ArgumentError(
            f"Column {overlap[0]!r} is named as a target and as one to leave out", "Name it once."
        )


def _names(names: Collection[str] | str) -> tuple[str, ...]:
    """One name or several, as several."""
    return (names,) if isinstance(names, str) else tuple(names)


def load_for_prediction(
    preprocessor: Preprocessor | ImagePreprocessor,
    source: object,
    task: Task | None = None,
    *,
    encoding: str = "utf-8",
    ids: Collection[str] = (),
) -> PredictionData:
    """Loads data for a network that has been trained.

    ``source`` is what ``load_source`` takes, or an idx file of images.  Of a folder the test
    files are used where there are some.  Files are read as the training file was, and what is
    written in another way is told in the notes.  Targets are returned when ``task`` is given and
    the data have all of its target columns.  ``ids`` names columns to return as they are written.

    Raises ``DataError`` when the data do not have what training had.
    """
    if isinstance(preprocessor, ImagePreprocessor):
        return _images_for_prediction(preprocessor, source, task)
    named: dict[str, list[str | None]] = {}
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if str(source) == "digits" or path.is_dir():
            raise DataError(
                f"{source} holds images, the network was trained on a table",
                "Give a CSV or Parquet file with the columns of the training data.",
            )
        header = _header_of(preprocessor)
        readings = preprocessor.reading_of_columns()
        used = [*(plan.column for plan in preprocessor.plans), *(task.targets if task else ())]
        table = read_table(path, encoding=encoding, readings=readings, header=header, used=used)
        if ids:
            _known(table, tuple(ids))
            plain = read_table(
                path, encoding=encoding, header=header, text_columns=ids, keep_texts=MISSING_TEXTS
            )
            named = {name: plain[name].texts() for name in ids}
    else:
        table = as_table(source)
        named = {name: table[name].texts() for name in ids}
    features = preprocessor.transform(table)
    targets: npt.NDArray[Any] | None = None
    present = np.zeros(len(table), dtype=np.bool_)
    known = (*(task.targets if task is not None else ()), *ids)
    notes = [*table.notes, *remarks(preprocessor, table, known)]
    if task is not None:
        absent = [name for name in task.targets if name not in table.columns]
        if not absent:
            targets, present = encode_targets(table, task)
        elif len(absent) < len(task.targets):
            notes.append(f"There is no target column {absent[0]!r}: predictions only.")
    return PredictionData(features, targets, present, table, table.fingerprint, tuple(notes), named)


def _header_of(preprocessor: Preprocessor) -> bool | None:
    """Whether the training file had a line of column names, where its names tell."""
    names = [plan.column for plan in preprocessor.plans]
    if all(re.fullmatch(r"column \d+", name) for name in names):
        return False
    return True if all(re.fullmatch(r"[\d.]+", name) for name in names) else None


# --- Tables ------------------------------------------------------------------------------------


def _known(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        table[name]  # raises if it is not there
    return names


def _with_text(table: Table, names: tuple[str, ...]) -> Table:
    """The table with the columns ``names`` as text."""
    columns = dict(table.columns)
    for name in names:
        if columns[name].kind != "text":
            columns[name] = text_column(name, columns[name].texts())
    return replace(table, columns=columns)


def _prepare_table(
    table: Table,
    name: str,
    task: Task,
    cut: _Cut,
    ignore: tuple[str, ...],
    text_columns: tuple[str, ...],
    keep_leaks: bool,
) -> PreparedData:
    values, present = encode_targets(table, task)
    kept = np.flatnonzero(present)
    notes = [*table.notes, *_dropped_note(len(table) - len(kept))]
    usable, values = table.take(kept), values[kept]
    train, validation, test = cut.parts(usable, values, task, notes)
    features = usable.without((*task.targets, *ignore, *([cut.group] if cut.group else ())))
    if not features.columns:
        raise DataError(
            f"{table.name} has no column besides the target", "Add columns to predict it from."
        )
    check_columns(features, text_columns)
    _check_classes(values, train, task, cut)
    training = features.take(train)
    exclude = _exclude(training, values[train], kept[train], task, keep_leaks, notes)
    if cut.at_random and (note := ordered_series(usable, values, task)):
        notes.append(note)
    if cut.group is None:
        notes.extend(repeated_identifier(training.without(exclude), values[train], task))
    preprocessor = Preprocessor.fit(training, exclude=exclude, text_columns=text_columns)
    notes.extend(preprocessor.notes)
    matrix = preprocessor.transform(features)
    scaler = TargetScaler.fit(values[train]) if task.kind == "regression" else None
    scaled = values if scaler is None else scaler.transform(values)
    parts = [
        Part(matrix[rows], scaled[rows], values[rows], kept[rows])
        for rows in (train, validation, test)
    ]
    notes.extend(note for note in _resembling(parts[0], parts[2], cut) if note)
    return PreparedData(
        name=name,
        task=task,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        preprocessor=preprocessor.of_file(table),
        target_scaler=scaler,
        feature_names=preprocessor.feature_names,
        image_shape=None,
        notes=tuple(notes),
        fingerprint=table.fingerprint,
        rows=len(table),
        rows_dropped=len(table) - len(kept),
        seed=cut.seed,
        shown_rows=table.take(kept[next(rows for rows in (test, validation, train) if len(rows))]),
    )


def _dropped_note(dropped: int) -> list[str]:
    rows = "1 row was" if dropped == 1 else f"{dropped} rows were"
    return [f"{rows} left out because a target is missing."] if dropped else []


def _check_classes(values: npt.NDArray[Any], train: Rows, task: Task, cut: _Cut) -> None:
    """``DataError`` where a cut by groups or order leaves a class without training rows."""
    if task.kind not in ("binary", "multiclass"):
        return
    seen = np.unique(values[train])
    absent = [name for number, name in enumerate(task.class_names) if number not in seen]
    if absent:
        how = "groups" if cut.group else "order"
        raise DataError(
            f"Cut by {how}, the training part has no row of class {absent[0]!r}",
            phrase(
                "Choose another column to cut by, another ",
                Setting("seed"),
                ", or other ",
                Setting("fractions"),
                ".",
            ),
        )


def _resembling(train: Part, test: Part, cut: _Cut) -> list[str]:
    """Notes where test rows are equal to training rows or nearly so."""
    notes = [_repeated_rows(train, test)]
    if cut.at_random:
        notes.append(near_copies(train.features, test.features))
    return notes


def _exclude(
    training: Table,
    values: npt.NDArray[Any],
    rows: Rows,
    task: Task,
    keep_leaks: bool,
    notes: list[str],
) -> set[str]:
    """Columns to leave out because they leak or count; never all of them."""
    leaks = find_leaks(training, values, task)
    counters = find_row_counters(training, rows)
    if keep_leaks:
        notes.extend(f"{sentence}; it is kept, as asked." for sentence in leaks.values())
        leaks = {}
    found = counters | leaks
    if len(found) == len(training.columns):
        notes.extend(
            f"{sentence}; it is kept, because no other column is left."
            for sentence in found.values()
        )
        return set()
    for column, sentence in found.items():
        if column in leaks:
            notes.append(
                phrase(sentence, "; it is left out (", Setting("keep_leaks"), " uses it).")
            )
        else:
            notes.append(sentence + "; left out.")
    return set(found)


def _repeated_rows(train: Part, test: Part) -> str:
    """A note where test rows are equal to training rows, target included."""
    if train.features.size + test.features.size > _MAX_COMPARED_CELLS:
        return ""
    seen = {row.tobytes() for row in _rows_with_targets(train)}
    repeated = sum(row.tobytes() in seen for row in _rows_with_targets(test))
    if not repeated:
        return ""
    return (
        f"{repeated} of {len(test)} test rows are equal to a training row (features and target): "
        "test metrics may be a little too good."
    )


def _rows_with_targets(part: Part) -> npt.NDArray[np.float64]:
    targets = part.raw_targets
    if targets.ndim == 1:
        targets = targets[:, None]
    return np.concatenate([part.features.astype(np.float64), targets], axis=1)


# --- Images ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Images:
    """Images with labels, and a test set of their own where there is one."""

    name: str
    images: npt.NDArray[Any]
    labels: Rows
    test_images: npt.NDArray[Any] | None
    test_labels: Rows | None
    maximum: float


def _image_pool(source: object) -> _Images | None:
    """The images that ``source`` names, or None where it is a table."""
    if isinstance(source, str) and source == "digits":
        images, labels = _digits()
        return _Images("digits", images, labels, None, None, 16.0)
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        folder = read_mnist_folder(Path(source))
        return _Images(
            Path(source).resolve().name,
            folder.train_images,
            folder.train_labels,
            folder.test_images,
            folder.test_labels,
            _pixel_maximum(folder.train_images),
        )
    return None


def _digits() -> tuple[npt.NDArray[Any], Rows]:
    """1,797 handwritten digits: images float64 (n, 8, 8) from 0 to 16, labels (n,) int64.

    From the Optical Recognition of Handwritten Digits data (Alpaydin and Kaynak, 1998; UCI machine
    learning repository, CC BY 4.0): its test part, in the order in which scikit-learn carries it.
    """
    folder = Path(__file__).parent / "digits"
    images, labels = (read_idx(folder / f"{name}.idx.gz") for name in ("images", "labels"))
    return images.astype(np.float64), labels.astype(np.int64)


def _pixel_maximum(images: npt.NDArray[Any]) -> float:
    """255 for bytes; otherwise the greatest magnitude, because the format does not say."""
    if images.dtype == np.uint8:
        return 255.0
    return float(np.abs(images).max()) or 1.0


def _fingerprint(*arrays: npt.NDArray[Any] | None) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _prepare_images(
    pool: _Images,
    seed: int,
    fractions: Sequence[float] | None,
    targets: Sequence[str] | str,
    task: str | None,
) -> PreparedData:
    if targets and targets not in ("label", ["label"], ("label",)):
        raise ArgumentError(
            f"{pool.name} holds images with labels; there is no column to choose as a target",
            "Leave the target out.",
        )
    labels = pool.labels if pool.test_labels is None else np.append(pool.labels, pool.test_labels)
    found = detect_task(as_table({"label": labels}), "label", task or "classification")
    if found.kind not in ("binary", "multiclass"):
        raise ArgumentError(
            phrase(Setting("task", task), " does not fit images with class labels"),
            "Leave the task out.",
        )
    classes = np.array(found.classes, dtype=np.int64)
    numbers = np.searchsorted(classes, pool.labels)
    if pool.test_images is None or pool.test_labels is None:
        shares = DEFAULT_FRACTIONS if fractions is None else fractions
        rows = split_indices(len(numbers), shares, seed, numbers)
        images, targets_of = [pool.images[part] for part in rows], [numbers[part] for part in rows]
    else:
        share = VALIDATION_SHARE if fractions is None else _validation_share(fractions)
        train, validation, _ = split_indices(len(numbers), (1 - share, share, 0), seed, numbers)
        rows = train, validation, np.arange(len(pool.test_labels))
        images = [pool.images[train], pool.images[validation], pool.test_images]
        test_numbers = np.searchsorted(classes, pool.test_labels)
        targets_of = [numbers[train], numbers[validation], test_numbers]
    preprocessor = ImagePreprocessor.fit(images[0], pool.maximum)
    train_part, validation_part, test_part = (
        Part(preprocessor.transform(pixels), target, target, part)
        for pixels, target, part in zip(images, targets_of, rows, strict=True)
    )
    return PreparedData(
        name=pool.name,
        task=found,
        train=train_part,
        validation=validation_part,
        test=test_part,
        preprocessor=preprocessor,
        target_scaler=None,
        feature_names=preprocessor.feature_names,
        image_shape=preprocessor.shape,
        notes=_image_notes(pool),
        fingerprint=_fingerprint(pool.images, pool.labels, pool.test_images, pool.test_labels),
        rows=len(labels),
        rows_dropped=0,
        seed=seed,
    )


def _validation_share(fractions: Sequence[float]) -> float:
    """The share of validation among the rows that are not for test."""
    train, validation, _ = check_fractions(fractions)
    return float(validation / (train + validation))


def _image_notes(pool: _Images) -> tuple[str, ...]:
    if pool.test_labels is None:
        return ()
    return (
        f"The test part is the data set's own ({len(pool.test_labels)} images); "
        "validation is split off from its training images.",
    )


def _images_for_prediction(
    preprocessor: ImagePreprocessor, source: object, task: Task | None
) -> PredictionData:
    labels: Rows | None = None
    if isinstance(source, str) and source == "digits":
        images, labels = _digits()
    elif isinstance(source, str | os.PathLike) and Path(source).is_dir():
        folder = read_mnist_folder(source)
        images, labels = folder.train_images, folder.train_labels
        if folder.test_images is not None:
            images, labels = folder.test_images, folder.test_labels
    elif isinstance(source, str | os.PathLike):
        images = read_idx(source)
    elif isinstance(source, np.ndarray):
        images = source
    else:
        raise ArgumentError(
            f"Images were expected, {type(source).__name__} was received",
            "Give a folder of idx files, an idx file of images, or an array (n, height, width).",
        )
    features = preprocessor.transform(images)
    targets: npt.NDArray[Any] | None = None
    present = np.zeros(len(images), dtype=np.bool_)
    if task is not None and labels is not None:
        table = as_table({task.targets[0]: labels})
        targets, present = encode_targets(table, task)
    return PredictionData(features, targets, present, None, _fingerprint(images, labels), ())
