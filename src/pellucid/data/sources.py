"""From a name, file, folder or data frame to arrays that a network can be trained on.

``load_source`` puts the pieces of this folder together in the order that keeps the test part
honest: find the task, split the rows, then learn the preprocessing from the training rows alone.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.cells import CellRules
from pellucid.data.columns import Rows, Table, joined, text_column
from pellucid.data.cuts import FREE, UNUSED, Cut, Fixed
from pellucid.data.encodings import AUTO
from pellucid.data.idx import read_mnist_folder
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.input_layout import InputLayout
from pellucid.data.large_files import (
    header_of,
    is_large,
    open_large,
    picture_rows,
    prepare_large,
)
from pellucid.data.leaks import find_leaks, find_row_counters
from pellucid.data.memory import from_memory, is_frame
from pellucid.data.picture_columns import rebased, with_known_pictures, with_pictures
from pellucid.data.picture_sources import (
    LABEL,
    Pictures,
    check_is_pictures,
    form_of,
    join_pictures,
    path_columns,
    pictures_of,
    pictures_of_column,
)
from pellucid.data.prepared import Part, PredictionData, PreparedData
from pellucid.data.preprocessing import Preprocessor, TargetScaler, check_columns
from pellucid.data.readings import MISSING_TEXTS
from pellucid.data.remarks import remarks
from pellucid.data.resemblance import near_copies, ordered_series, repeated_identifier
from pellucid.data.streaming import Sizes, streaming_budget
from pellucid.data.tables import read_table, recognized
from pellucid.data.tasks import Task, detect_task, encode_targets
from pellucid.data.text_files import TEXT, text_folder

__all__ = ["Part", "PredictionData", "PreparedData", "load_for_prediction", "load_source"]

_MAX_COMPARED_CELLS = 20_000_000


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
    encoding: str = AUTO,
    separator: str | None = None,
    sheet: str = "",
    image_size: int | None = None,
    group: str | None = None,
    time: str | None = None,
    in_order: bool = False,
    split: str | None = None,
    validation: object = None,
    test: object = None,
    fold: tuple[int, int] | None = None,
    missing_values: Collection[str] | str = (),
    keep_texts: Collection[str] | str = (),
    date_formats: Mapping[str, str] | None = None,
    decimal: str = "",
    header: bool | None = None,
    memory: float | None = None,
    text: str = "bag",
) -> PreparedData:
    """Loads, checks, splits and preprocesses data.

    ``source`` is ``"digits"`` (1,797 handwritten ones of 8×8 pixels); a file that ``read_table``
    takes; a folder of pictures (a class a folder), of idx files, or of texts (a class a folder or
    a file); or data in memory, see ``from_memory``: data frames, arrays, rows of a generator, data
    sets.  ``targets`` names the columns to predict; pictures, pairs and texts need none.  ``task``
    overrides the task that follows from them; see ``detect_task``.
    ``fractions`` are the shares of training, validation and test, (0.7, 0.15, 0.15) unless
    given; data with test rows of their own keep these, and one twelfth of the others is for
    validation.  ``seed`` decides the split.  ``ignore`` names columns that are left out,
    ``text_columns`` columns that are categories though they look like numbers.  Columns that are
    the target under another name are left out unless ``keep_leaks``.

    ``group`` names a column whose rows of equal value stay in one part (it is no feature then).
    ``time`` names a column, and ``in_order`` says of the rows, that they are ordered: validation
    and test are then the last ones.  ``split`` names a column that says the part of each row;
    ``validation`` and ``test`` are sources of their own for these parts, read as the first one
    was.  ``fold`` (i, k) makes the i-th of k parts of the rows, from 1, the test part.

    A column of names of picture files stands for the pictures: those beside other columns are seen
    by one network with them, those alone by one for images.  Pictures in files are scaled to
    ``image_size`` pixels on each side.  ``encoding``,
    ``separator``, ``sheet``, ``missing_values``, ``keep_texts``, ``date_formats``, ``decimal`` and
    ``header`` are those of ``read_table``.

    A file of text, or a Parquet or Arrow file, that takes more than ``memory`` MiB while it is
    read (a quarter of what is available, unless given) is read in pieces; see ``streaming``.

    ``text="transformer"`` leaves the words of prose in their order, for networks that read it.

    Raises ``ArgumentError``, ``DataError`` or ``FileError`` with what is wrong and what to do.
    """
    names = _names(targets)
    cut = Cut(group, time, in_order, fractions, seed, split, fold)
    as_text = _names(text_columns)
    known: dict[str, Any] = {
        "missing_values": _names(missing_values),
        "keep_texts": _names(keep_texts),
    }
    known |= {"date_formats": date_formats, "decimal": decimal}
    known["targets"] = () if task == "regression" else names
    paired = not isinstance(source, str | os.PathLike | Table | Mapping) and not is_frame(source)
    source = source if isinstance(source, str | os.PathLike) else from_memory(source)
    if isinstance(source, str | os.PathLike) and is_large(Path(source), memory):
        _refuse_for_large(cut, validation, test)
        rules = replace(_rules({**known, "text_columns": as_text}), separator=separator or ",")
        sizes = Sizes.of(streaming_budget(memory))
        written = {"encoding": encoding, "separator": separator, "header": header}
        large = open_large(Path(source), rules, sizes, **written)  # type: ignore[arg-type]

        def prepare(sample: Table, fixed: Fixed) -> PreparedData:
            sample = with_text(sample, _known(sample, as_text))
            out = (*_names(ignore), *cut.columns)
            _check_left_out(sample, names, _names(ignore), cut.columns)
            kind = detect_task(sample, names or only_label(source, sample, False), task)
            plain = Cut(fractions=fractions, seed=seed)
            name = large.file.name.removesuffix(".gz").rpartition(".")[0]
            base = large.file.parent
            paths = path_columns(sample, base, (*names, *out, *as_text))
            if paths:
                sample, fixed = _with_some_pictures(
                    sample, fixed, base, paths, image_size, sizes, seed
                )
            return _prepare_table(sample, name, kind, plain, out, as_text, keep_leaks, fixed, text)

        return prepare_large(large, prepare, cut)
    found = pictures_of(source, image_size) if not isinstance(source, Table) else None
    if found is None:
        reading = {"encoding": encoding, "separator": separator, "sheet": sheet, "header": header}
        table, name, base = table_of(source, {**known, **reading, "text_columns": as_text})
        paths = path_columns(table, base, (*names, *_names(ignore), *cut.columns, *as_text))
        others = [n for n in table.columns if n not in (*paths, *names, *_names(ignore))]
        if len(paths) == 1 and not others:
            found = _from_paths(table, paths[0], base, names, image_size)
    if found is not None:
        cut.refuse_for(found.name)
        for part, own in ((1, validation), (2, test)):
            if own is not None:
                found = _joined_pictures(found, own, part)
        return _prepare_images(found, cut, targets, task)
    fixed = None
    for part, own in ((1, validation), (2, test)):
        if own is not None:
            more = table_like(table, own, {**known, **reading, "text_columns": as_text}, paths)
            before = np.full(len(table), FREE, np.int8) if fixed is None else fixed
            fixed = np.append(before, np.full(len(more), part, np.int8))
            table = joined(table, more)
    table = with_text(table, _known(table, as_text))
    left_out = _names(ignore)
    _check_left_out(table, names, left_out, cut.columns)
    kind = detect_task(table, names or only_label(source, table, paired), task)
    seen = with_pictures(table, base, paths, image_size) if paths else table
    ready = _prepare_table(seen, name, kind, cut, left_out, as_text, keep_leaks, fixed, text)
    only = {plan.kind for plan in cast(Preprocessor, ready.preprocessor).plans} == {"picture"}
    if only and len(paths) == len(names) == 1 and cut.at_random and fixed is None:
        found = _from_paths(table, paths[0], base, names, image_size)  # the others tell nothing
        return _prepare_images(found, cut, targets, task)
    return ready


def _with_some_pictures(
    sample: Table,
    parts: Fixed,
    base: Path,
    names: Sequence[str],
    side: int | None,
    sizes: Sizes,
    seed: int,
) -> tuple[Table, Fixed]:
    """So many rows of the sample of a large file, and their parts, that the pictures which the
    columns ``names`` name fit into the memory that reading may take; with these pictures."""
    few = with_pictures(sample.take(np.arange(min(len(sample), 64))), base, names, side)
    pictures = (few[name].pictures for name in names)
    pixels = sum(int(np.prod(found.images.shape[1:])) for found in pictures if found is not None)
    drawn = np.random.Generator(np.random.PCG64([seed, 4])).permutation(len(sample))
    kept = np.sort(drawn[: picture_rows(sizes, pixels)])
    return with_pictures(sample.take(kept), base, names, side), parts[kept]


def _refuse_for_large(cut: Cut, validation: object, test: object) -> None:
    """``ArgumentError`` for cuts that need all rows at a time."""
    needs: dict[str, object] = {
        "in_order": cut.in_order or None,
    }
    needs |= {"fold": cut.fold, "validation": validation, "test": test}
    for name, value in needs.items():
        if value is not None:
            raise ArgumentError(
                phrase(
                    "The file is read in pieces, which ", Setting(name, value), " does not allow"
                ),
                phrase(
                    "Leave it out, give fewer rows, or allow more memory (", Setting("memory"), ")."
                ),
            )


def _from_paths(
    table: Table, column: str, base: Path | None, targets: tuple[str, ...], side: int | None
) -> Pictures:
    """The pictures that a column of a table names; its other columns tell nothing."""
    if len(targets) != 1:
        raise ArgumentError(
            f"Column {column!r} of {table.name} names pictures, {len(targets)} targets were named",
            "Name the one column to predict.",
        )
    table[targets[0]]  # raises if it is not there
    found = pictures_of_column(table, column, base, targets[0], side)
    others = [name for name in table.columns if name not in (column, *targets)]
    notes = [f"Column {column!r} names pictures: they are what is learned from."]
    if others:
        shown = ", ".join(map(repr, others[:5])) + (" and more" if len(others) > 5 else "")
        notes.append(f"Beside the pictures these columns are not used: {shown}.")
    return replace(found, notes=(*notes, *found.notes))


def only_label(source: object, table: Table, paired: bool) -> tuple[str, ...]:
    """The target where none is named and only one column can be: the label of pairs and texts."""
    paired |= isinstance(source, str | os.PathLike) and Path(source).is_dir()
    texts = set(table.columns) == {LABEL, TEXT}
    return (LABEL,) if LABEL in table.columns and (paired or texts) else ()


def table_of(source: object, reading: dict[str, Any]) -> tuple[Table, str, Path | None]:
    """The table that ``source`` names or is, what to call it, and the folder that it lies in."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        name = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
        if not path.is_dir():
            return read_table(path, **reading), name, path.parent
        table = text_folder(path, reading["encoding"])
        if table is None:
            read_mnist_folder(path)  # says what a folder may hold
        return table or Table("", {}), path.resolve().name, path
    table = cast(Table, source)
    return recognized(table, _rules(reading)), "table", None


def table_like(
    table: Table, source: object, reading: dict[str, Any], paths: tuple[str, ...]
) -> Table:
    """Another table, read as the first one was; its columns ``paths`` name files."""
    reading = {**reading, "readings": table.readings}
    source = source if isinstance(source, str | os.PathLike) else from_memory(source)
    if isinstance(source, Pictures):
        raise ArgumentError("Images were given beside a table", "Give tables of one form.")
    found, _, base = table_of(source, reading)
    for name in table.columns:
        found[name]  # raises if it is not there
    return rebased(found, base, paths)


def _rules(reading: Mapping[str, Any]) -> CellRules:
    """How texts of a table in memory are to be read."""
    return CellRules(
        text_columns=reading.get("text_columns", ()),
        date_formats=reading.get("date_formats") or {},
        readings=reading.get("readings") or {},
        decimal=reading.get("decimal", ""),
        missing_values=reading.get("missing_values", ()),
        keep_texts=reading.get("keep_texts", ()),
        strict=reading.get("targets", ()),
        used=reading.get("used"),
    )


def _check_left_out(
    table: Table, targets: tuple[str, ...], left_out: tuple[str, ...], cut: tuple[str, ...]
) -> None:
    """Columns to leave out exist, and are no targets."""
    _known(table, left_out)
    if overlap := sorted(set(targets) & {*left_out, *cut}):
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
    encoding: str = AUTO,
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
        return _images_for_prediction(preprocessor, source, task, encoding)
    readings = preprocessor.reading_of_columns()
    used = [*(plan.column for plan in preprocessor.plans), *(task.targets if task else ())]
    named: dict[str, list[str | None]] = {}
    if isinstance(source, str | os.PathLike):
        table = _table_for_prediction(Path(source), preprocessor, encoding, readings, used)
        if ids and not Path(source).is_dir():
            _known(table, tuple(ids))
            plain = read_table(
                source,
                encoding=encoding,
                header=header_of(preprocessor),
                text_columns=ids,
                keep_texts=MISSING_TEXTS,
            )
            named = {name: plain[name].texts() for name in ids}
        elif ids:
            named = {name: table[name].texts() for name in ids}
    else:
        given = from_memory(source)
        if isinstance(given, Pictures):
            raise DataError(
                "The data hold images, the network was trained on a table",
                "Give a table with the columns of the training data.",
            )
        named = {name: given[name].texts() for name in ids}
        table = recognized(given, _rules({"readings": readings, "used": used}))
    base = Path(source).parent if isinstance(source, str | os.PathLike) else None
    table = with_known_pictures(table, base, preprocessor.picture_forms)
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


def _table_for_prediction(
    path: Path,
    preprocessor: Preprocessor,
    encoding: str,
    readings: Mapping[str, Any],
    used: Sequence[str],
) -> Table:
    """The table of a file or of a folder of texts, read as training was."""
    table = text_folder(path, encoding) if path.is_dir() else None
    if table is not None:
        return recognized(table, _rules({"readings": readings, "used": used}))
    if str(path) == "digits" or path.is_dir():
        raise DataError(
            f"{path} holds images, the network was trained on a table",
            "Give a CSV or Parquet file with the columns of the training data.",
        )
    header = header_of(preprocessor)
    return read_table(path, encoding=encoding, readings=readings, header=header, used=used)


# --- Tables ------------------------------------------------------------------------------------


def _known(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        table[name]  # raises if it is not there
    return names


def with_text(table: Table, names: tuple[str, ...]) -> Table:
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
    cut: Cut,
    ignore: tuple[str, ...],
    text_columns: tuple[str, ...],
    keep_leaks: bool,
    fixed: Fixed | None,
    text: str,
) -> PreparedData:
    values, present = encode_targets(table, task)
    kept = np.flatnonzero(present)
    notes = [*table.notes, *_dropped_note(len(table) - len(kept))]
    usable, values = table.take(kept), values[kept]
    own = None if fixed is None else fixed[kept]
    train, validation, test = cut.parts(usable, values, task, notes, own)
    features = usable.without((*task.targets, *ignore, *cut.columns))
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
    preprocessor = Preprocessor.fit(training, exclude=exclude, text_columns=text_columns, text=text)
    notes.extend(preprocessor.notes)
    matrix = preprocessor.transform(features)
    scaler = TargetScaler.fit(values[train]) if task.kind == "regression" else None
    scaled = values if scaler is None else scaler.transform(values)
    parts = [
        Part(matrix[rows], scaled[rows], values[rows], kept[rows])
        for rows in (train, validation, test)
    ]
    shape = preprocessor.row_shape
    notes.extend(note for note in _resembling(parts[0], parts[2], cut, shape) if note)
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


def _check_classes(values: npt.NDArray[Any], train: Rows, task: Task, cut: Cut) -> None:
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


def _resembling(train: Part, test: Part, cut: Cut, shape: tuple[int, ...]) -> list[str]:
    """Notes where test rows are equal to training rows or nearly so."""
    notes = [_repeated_rows(train, test)]
    if cut.at_random:
        numbers = shape.numbers if isinstance(shape, InputLayout) else None
        notes.append(near_copies(train.features[:, :numbers], test.features[:, :numbers]))
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


def _prepare_images(
    found: Pictures, cut: Cut, targets: Sequence[str] | str, task: str | None
) -> PreparedData:
    asked = _names(targets)
    labels = found.labels
    if labels is None:
        raise DataError(
            f"{found.name} holds images without labels",
            "Put the images of each class into a folder of its own, or give arrays of labels.",
        )
    if asked and asked != (labels.name,):
        raise ArgumentError(
            f"{found.name} holds images with labels; there is no column to choose as a target",
            "Leave the target out.",
        )
    table = Table(found.name, {labels.name: labels})
    kind = detect_task(table, labels.name, task or "classification" if not asked else task)
    if kind.kind == "multilabel":
        raise ArgumentError(
            phrase(Setting("task", task), " does not fit images with one label each"),
            "Leave the task out.",
        )
    values, present = encode_targets(table, kind)
    fixed = np.where(present, found.part, UNUSED).astype(np.int8)
    rows = cut.parts(table, values, kind, [], fixed)
    preprocessor = ImagePreprocessor.fit(found.images[rows[0]], found.maximum)
    scaler = TargetScaler.fit(values[rows[0]]) if kind.kind == "regression" else None
    scaled = values if scaler is None else scaler.transform(values)
    positions = found.positions()
    train, validation, test = (
        Part(preprocessor.transform(found.images[part]), scaled[part], values[part], where)
        for part in rows
        for where in (positions[part],)
    )
    dropped = int((~present).sum())
    return PreparedData(
        name=found.name,
        task=kind,
        train=train,
        validation=validation,
        test=test,
        preprocessor=preprocessor,
        target_scaler=scaler,
        feature_names=preprocessor.feature_names,
        image_shape=preprocessor.shape,
        notes=(*found.notes, *_dropped_note(dropped)),
        fingerprint=found.fingerprint,
        rows=len(found),
        rows_dropped=dropped,
        seed=cut.seed,
    )


def _joined_pictures(found: Pictures, source: object, part: int) -> Pictures:
    """The pictures with those of another source, which are for ``part``."""
    form = form_of(found.images.shape[1:])
    if not isinstance(source, str | os.PathLike):
        source = from_memory(source)
    more = None if isinstance(source, Table) else pictures_of(source, None, form)
    return join_pictures(found, check_is_pictures(more, source), part)


def _images_for_prediction(
    preprocessor: ImagePreprocessor, source: object, task: Task | None, encoding: str
) -> PredictionData:
    form = form_of(preprocessor.shape)
    if not isinstance(source, str | os.PathLike):
        given = from_memory(source)
        source = given if isinstance(given, Pictures) else "a table"
    found = pictures_of(source, None, form)
    if found is None and isinstance(source, str | os.PathLike) and form is not None:
        table = read_table(Path(source), encoding=encoding)
        target = task.targets[0] if task is not None else ""
        if names := path_columns(table, Path(source).parent, (target,)):
            found = pictures_of_column(table, names[0], Path(source).parent, target, None, form)
    found = check_is_pictures(found, source)
    keep = np.arange(len(found))
    if task is not None and found.labels is None:
        task = None
    if isinstance(source, str | os.PathLike) and (found.part == 2).any():
        keep = np.flatnonzero(found.part == 2)  # the test files, where there are some
    features = preprocessor.transform(found.images[keep])
    targets: npt.NDArray[Any] | None = None
    present = np.zeros(len(keep), dtype=np.bool_)
    if task is not None and found.labels is not None:
        column = replace(found.labels.take(keep), name=task.targets[0])
        targets, present = encode_targets(Table(found.name, {column.name: column}), task)
    written: dict[str, list[str | None]] = {}
    if found.names:
        written["file"] = [found.names[row] for row in keep]
    return PredictionData(features, targets, present, None, found.fingerprint, (), written)
