"""Files that are larger than the memory, from their rows to prepared data; see ``streaming``."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.data.array_files import is_array_file
from pellucid.data.cells import CellRules
from pellucid.data.columns import Column, Table, check_column_names, text_column
from pellucid.data.csv_text import lay_out
from pellucid.data.cuts import Cut, parts_of_column
from pellucid.data.encodings import AUTO
from pellucid.data.files import MEMORY_SHARE, available_memory
from pellucid.data.frame_pieces import FramePieces
from pellucid.data.frames import frame_kind
from pellucid.data.json_lines import is_json, json_columns
from pellucid.data.picture_columns import with_known_pictures
from pellucid.data.prepared import PredictionData, PreparedData
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.readings import MISSING_TEXTS
from pellucid.data.remarks import remarks
from pellucid.data.splits import check_times, split_in_order
from pellucid.data.streaming import (
    MIB,
    ShuffledRows,
    Sizes,
    TextPieces,
    parts_of,
    streaming_budget,
    window,
)
from pellucid.data.tables import recognized, table_of_text
from pellucid.data.tasks import encode_targets

Prepare = Callable[[Table, npt.NDArray[np.int8]], PreparedData]
"""A sample of the rows and their parts → prepared data."""

_PACKED = 5
_FEWEST_PICTURES = 256
_ARROW, _PARQUET = 0.5, 2.0


def is_large(file: Path, memory: float | None) -> bool:
    """Whether a file of text, or a Parquet or Arrow file, takes more than ``memory`` MiB while it
    is read as a whole, or more than a quarter of what is available."""
    with contextlib.suppress(OSError, DataError):
        with file.open("rb") as stream:
            head = stream.read(512)
        kind = frame_kind(head)
        weight = {"parquet": _PARQUET, "arrow": _ARROW}.get(kind, 1.0)
        size = file.stat().st_size * (_PACKED if head[:2] == b"\x1f\x8b" else weight)
        if memory is None:
            limit = max(64 * MIB, available_memory() * 2 // MEMORY_SHARE)
        else:
            limit = int(memory * MIB) // MEMORY_SHARE
        binary = kind == "excel" or is_array_file(head) or head[:4] == b"PK\x03\x04"
        return size > limit and not binary
    return False


class LargeTable:
    """A table in a large file, read in pieces as ``rules`` say: ``LargeText`` or ``LargeFrame``."""

    def __init__(self, file: Path, rules: CellRules, sizes: Sizes) -> None:
        self.file, self.rules, self.sizes = file, rules, sizes
        self.notes: list[str] = []

    def tables(self, rules: CellRules | None = None) -> Iterator[Table]:
        """The rows of each piece, as ``rules`` say (by default the table's)."""
        raise NotImplementedError

    def sample(self, seed: int) -> tuple[Table, int]:
        """Rows from windows all over the file, and about how many rows there are."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        digest = hashlib.sha256()
        with self.file.open("rb") as stream:
            while piece := stream.read(MIB):
                digest.update(piece)
        return digest.hexdigest()


def open_large(
    file: Path,
    rules: CellRules,
    sizes: Sizes,
    *,
    encoding: str,
    separator: str | None,
    header: bool | None,
) -> LargeTable:
    """The table in a large file of any kind."""
    with file.open("rb") as stream:
        kind = frame_kind(stream.read(512))
    if kind:
        return LargeFrame(file, kind, rules, sizes)
    return LargeText(file, rules, sizes, encoding=encoding, separator=separator, header=header)


class LargeFrame(LargeTable):
    """A table in a Parquet or Arrow file of ``kind``."""

    def __init__(self, file: Path, kind: str, rules: CellRules, sizes: Sizes) -> None:
        super().__init__(file, rules, sizes)
        self.kind = kind
        self.pieces = self._pieces(rules)

    def _pieces(self, rules: CellRules) -> FramePieces:
        # A piece is held by both processes, once as it was read and once as arrays.
        return FramePieces(self.file, self.kind, 2 * self.sizes.piece, rules.text_columns)

    def tables(self, rules: CellRules | None = None) -> Iterator[Table]:
        """The rows of each piece, as ``rules`` say (by default the table's)."""
        for columns in self._pieces(rules) if rules is not None else self.pieces:
            yield recognized(self._table(columns), self.rules if rules is None else rules)

    def _table(self, columns: list[Column]) -> Table:
        check_column_names([column.name for column in columns], str(self.file))
        return Table(str(self.file), {column.name: column for column in columns})

    def sample(self, seed: int) -> tuple[Table, int]:
        """Rows from windows all over the file, and how many rows there are."""
        random = np.random.Generator(np.random.PCG64([seed, 3]))
        found: list[Table] = []
        for columns in self.pieces:
            table, pieces = self._table(columns), -(-self.pieces.rows // self.pieces.piece)
            share = max(256, self.sizes.sample // (8 * len(columns) * pieces))
            start = int(random.integers(0, max(1, len(table) - share + 1)))
            found.append(table.take(np.arange(start, min(len(table), start + share))))
        if not found:
            raise DataError(f"{self.file} has no rows", "Give a table with at least one row.")
        columns = [_joined([table[name] for table in found]) for name in found[0].columns]
        return recognized(self._table(columns), self.rules), self.pieces.rows


def _joined(columns: list[Column]) -> Column:
    """The rows of all of them; text where one of them is text."""
    first = columns[0]
    if all(column.kind == first.kind != "text" for column in columns):
        return replace(first, values=np.concatenate([column.values for column in columns]))
    return text_column(first.name, [text for column in columns for text in column.texts()])


class LargeText(LargeTable):
    """A table in a file of text."""

    def __init__(
        self,
        file: Path,
        rules: CellRules,
        sizes: Sizes,
        *,
        encoding: str,
        separator: str | None,
        header: bool | None,
    ) -> None:
        super().__init__(file, rules, sizes)
        self.separator, self.header = separator, header
        self.pieces = TextPieces(file, encoding, sizes.piece)
        first = next(iter(self.pieces), (1, ""))[1]
        if not first:
            raise DataError(f"{file} is empty", "Give a file with column names and rows.")
        self.json = separator is None and is_json(first, file)
        self._head = ""
        if not self.json:
            layout = lay_out(file, first, separator, header, self.notes)
            self.separator = layout.written
            if layout.lines.size:
                self._head = "".join(first.splitlines(True)[: int(layout.lines[0]) - 1])

    def bodies(self) -> Iterator[tuple[int, str]]:
        """(first line, text of the rows) of each piece."""
        for number, (line, text) in enumerate(self.pieces):
            body = text if number or not self._head else text[len(self._head) :]
            if body.strip():
                yield line, body

    def tables(self, rules: CellRules | None = None) -> Iterator[Table]:
        """The rows of each piece, as ``rules`` say (by default the table's)."""
        for line, body in self.bodies():
            yield self.read(body, line, rules)

    def read(self, body: str, line: int = 0, rules: CellRules | None = None) -> Table:
        """The rows of a piece, or of a part of one, as ``rules`` say (by default the table's)."""
        rules = self.rules if rules is None else rules
        try:
            if self.json:
                columns = json_columns(body, self.file)
                table = Table(str(self.file), {column.name: column for column in columns})
                return recognized(table, rules)
            text = self._head + body
            return table_of_text(self.file, text, rules, self.separator, self.header, [])
        except DataError as error:
            if not line:
                raise
            where = f" (lines are counted from line {line} on)"
            raise DataError(f"{error.message}{where}", str(error.hint)) from None

    def sample(self, seed: int) -> tuple[Table, int]:
        """Rows from windows all over the file, and about how many rows there are."""
        random = np.random.Generator(np.random.PCG64([seed, 3]))
        count = max(1, self.file.stat().st_size // self.sizes.piece)
        share = max(1 << 14, self.sizes.sample // count)
        found, rows = [], 0
        for _, body in self.bodies():
            rows += body.count("\n") + 1
            found.append(window(body, share, random))
        text = "".join(part if part.endswith("\n") else part + "\n" for part in found)
        return self.read(text), rows


class LargeCut:
    """The part of each row of a large table, 0 to 2, as ``cut`` says: by a hash of its cells or of
    its group, by its time, or by the column that names it.  What has to be known beforehand, the
    times at which the parts begin and the parts that a column names, is that of a sample."""

    def __init__(self, cut: Cut, sample: Table) -> None:
        self.cut, self.shares = cut, cut.shares
        self.times: Sequence[float] = ()
        if cut.time is not None:
            parts = split_in_order(cut.times(sample[cut.time]), cut.shares)
            known = [sample[cut.time].values[rows] for rows in parts]
            ends = [part.min() if part.size else np.inf for part in known[1:]]
            self.times = (min(ends), ends[1])
            self.how = f"its {cut.time!r}: validation and test are the last rows"
        elif cut.split is not None:
            own = parts_of_column(sample[cut.split], sample, [])
            self.shares = cut.free_shares([np.flatnonzero(own == part) for part in range(3)])
            self.how = f"column {cut.split!r}, which is no feature"
        else:
            self.how = f"the cells of {cut.group!r}" if cut.group else "its cells"

    def __call__(self, table: Table) -> npt.NDArray[np.int8]:
        """The parts of a table's rows."""
        cut = self.cut
        if cut.time is not None:
            times = cut.times(table[cut.time])
            check_times(times)
            return np.searchsorted(self.times, times, side="right").astype(np.int8)
        dealt = parts_of(table, self.shares, cut.seed, cut.group)
        if cut.split is None:
            return dealt
        own = parts_of_column(table[cut.split], table, [])
        return np.where(own == 0, dealt, own).astype(np.int8)


def prepare_large(large: LargeTable, prepare: Prepare, cut: Cut) -> PreparedData:
    """Data that are ready for training, of which ``stream`` holds the training rows.

    What is learned beforehand follows from the training rows of a sample; validation and test are
    the other rows of that sample.
    """
    sample, expected = large.sample(cut.seed)
    parts = LargeCut(cut, sample)
    prepared = prepare(sample, parts(sample))
    preprocessor = prepared.preprocessor
    looked_at = len(sample)
    if isinstance(preprocessor, Preprocessor) and preprocessor.picture_forms:
        looked_at = sum(map(len, (prepared.train, prepared.validation, prepared.test)))
    if not isinstance(preprocessor, Preprocessor):
        raise DataError("A large file is a table", "Give pictures as a folder.")
    large.rules = replace(large.rules, readings=sample.readings, used=())
    task, scaler = prepared.task, prepared.target_scaler
    stream = ShuffledRows(
        len(preprocessor.feature_names),
        1 if task.kind in ("binary", "multiclass") else len(task.targets),
        large.sizes,
        expected,
        whole_numbers=task.kind == "multiclass",
        seed=cut.seed,
    )
    rows = dropped = 0
    for table in large.tables():
        values, present = encode_targets(table, task)
        keep = np.flatnonzero(present & (parts(table) == 0))
        rows, dropped = rows + len(table), dropped + int((~present).sum())
        chosen = values[keep] if scaler is None else scaler.transform(values[keep])
        for piece in _seen_pieces(large, preprocessor, len(keep)):
            rows_here = with_known_pictures(
                table.take(keep[piece]), large.file.parent, preprocessor.picture_forms
            )
            stream.add(preprocessor.transform(rows_here), chosen[piece])
    stream.flush()
    note = (
        f"The file is read in pieces: {stream.rows:,} training rows lie shuffled on the disk. What "
        f"was found out, and validation and test, are of a sample of {looked_at:,} of {rows:,} "
        f"rows; the part of a row follows from {parts.how}."
    )
    return replace(
        prepared,
        stream=stream,
        rows=rows,
        rows_dropped=dropped,
        notes=(*large.notes, note, *prepared.notes),
        fingerprint=large.fingerprint(),
    )


def _seen_pieces(large: LargeTable, preprocessor: Preprocessor, rows: int) -> Iterator[slice]:
    """So many ``rows`` in pieces whose pictures fit into the memory; all at once without any."""
    pixels = sum(math.prod(form.shape) for form in preprocessor.picture_forms.values())
    most = picture_rows(large.sizes, pixels) if pixels else max(rows, 1)
    yield from (slice(start, start + most) for start in range(0, rows, most))


def picture_rows(sizes: Sizes, pixels: int) -> int:
    """Rows with so many pixels each that are held at a time, as bytes and as numbers."""
    return max(_FEWEST_PICTURES, sizes.mixed // (9 * pixels))


def predict_large(
    preprocessor: Preprocessor,
    file: Path,
    *,
    encoding: str = AUTO,
    ids: Sequence[str] = (),
    memory: float | None = None,
) -> Iterator[PredictionData]:
    """The rows of a large file in the form of the training data, piece by piece, in order; see
    ``load_for_prediction``."""
    used = [plan.column for plan in preprocessor.plans]
    rules = CellRules(readings=preprocessor.reading_of_columns(), used=used)
    large = open_large(
        file,
        rules,
        Sizes.of(streaming_budget(memory)),
        encoding=encoding,
        separator=None,
        header=header_of(preprocessor),
    )
    as_written = CellRules(text_columns=ids, keep_texts=MISSING_TEXTS, used=())
    written = large.tables(as_written) if ids else itertools.repeat(None)
    for table, plain in zip(large.tables(), written, strict=False):
        for name in ids:
            table[name]  # raises if it is not there
        named = {} if plain is None else {name: plain[name].texts() for name in ids}
        for piece in _seen_pieces(large, preprocessor, len(table)):
            part = table.take(np.arange(len(table))[piece])
            part = with_known_pictures(part, file.parent, preprocessor.picture_forms)
            notes = (*part.notes, *remarks(preprocessor, part, tuple(ids)))
            own = {name: texts[piece] for name, texts in named.items()}
            present = np.zeros(len(part), dtype=np.bool_)
            features = preprocessor.transform(part)
            yield PredictionData(features, None, present, part, "", notes, own)


def header_of(preprocessor: Preprocessor) -> bool | None:
    """Whether the training file had a line of column names, where its names tell."""
    names = [plan.column for plan in preprocessor.plans]
    if all(re.fullmatch(r"column \d+", name) for name in names):
        return False
    return True if all(re.fullmatch(r"[\d.]+", name) for name in names) else None
