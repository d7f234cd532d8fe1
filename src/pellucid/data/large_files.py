"""Files that are larger than the memory, from their text to prepared data; see ``streaming``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.data.array_files import is_array_file
from pellucid.data.cells import CellRules
from pellucid.data.columns import Table
from pellucid.data.csv_text import lay_out
from pellucid.data.encodings import AUTO
from pellucid.data.files import MEMORY_SHARE, available_memory
from pellucid.data.frames import frame_kind
from pellucid.data.json_lines import is_json, json_columns
from pellucid.data.prepared import PredictionData, PreparedData
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.readings import MISSING_TEXTS
from pellucid.data.remarks import remarks
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


def is_large(file: Path, memory: float | None) -> bool:
    """Whether a file of text takes more than ``memory`` MiB while it is read as a whole, or more
    than a quarter of what is available."""
    with contextlib.suppress(OSError, DataError):
        with file.open("rb") as stream:
            head = stream.read(512)
        size = file.stat().st_size * (_PACKED if head[:2] == b"\x1f\x8b" else 1)
        if memory is None:
            limit = max(64 * MIB, available_memory() * 2 // MEMORY_SHARE)
        else:
            limit = int(memory * MIB) // MEMORY_SHARE
        binary = frame_kind(head) or is_array_file(head) or head[:4] == b"PK\x03\x04"
        return size > limit and not binary
    return False


class LargeTable:
    """A table in a file of text, read in pieces as ``rules`` say."""

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
        self.file, self.rules, self.sizes = file, rules, sizes
        self.separator, self.header = separator, header
        self.pieces = TextPieces(file, encoding, sizes.piece)
        self.notes: list[str] = []
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


def prepare_large(
    large: LargeTable,
    prepare: Prepare,
    shares: Sequence[float],
    seed: int,
    group: str | None,
) -> PreparedData:
    """Data that are ready for training, of which ``stream`` holds the training rows.

    What is learned beforehand follows from the training rows of a sample; validation and test are
    the other rows of that sample.
    """
    sample, expected = large.sample(seed)
    prepared = prepare(sample, parts_of(sample, shares, seed, group))
    preprocessor = prepared.preprocessor
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
        seed=seed,
    )
    rows = dropped = 0
    for line, body in large.bodies():
        table = large.read(body, line)
        values, present = encode_targets(table, task)
        keep = np.flatnonzero(present & (parts_of(table, shares, seed, group) == 0))
        rows, dropped = rows + len(table), dropped + int((~present).sum())
        chosen = values[keep] if scaler is None else scaler.transform(values[keep])
        stream.add(preprocessor.transform(table.take(keep)), chosen)
    stream.flush()
    where = f"the cells of {group!r}" if group else "its cells"
    note = (
        f"The file is read in pieces: {stream.rows:,} training rows lie shuffled on the disk. What "
        f"was found out, and validation and test, are of a sample of {len(sample):,} of {rows:,} "
        f"rows; the part of a row follows from {where}."
    )
    return replace(
        prepared,
        stream=stream,
        rows=rows,
        rows_dropped=dropped,
        notes=(*large.notes, note, *prepared.notes),
        fingerprint=large.pieces.fingerprint(),
    )


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
    large = LargeTable(
        file,
        rules,
        Sizes.of(streaming_budget(memory)),
        encoding=encoding,
        separator=None,
        header=header_of(preprocessor),
    )
    as_written = CellRules(text_columns=ids, keep_texts=MISSING_TEXTS, used=())
    for line, body in large.bodies():
        table = large.read(body, line)
        named: dict[str, list[str | None]] = {}
        if ids:
            for name in ids:
                table[name]  # raises if it is not there
            plain = large.read(body, line, as_written)
            named = {name: plain[name].texts() for name in ids}
        notes = (*table.notes, *remarks(preprocessor, table, tuple(ids)))
        features = preprocessor.transform(table)
        present = np.zeros(len(table), dtype=np.bool_)
        yield PredictionData(features, None, present, table, "", notes, named)


def header_of(preprocessor: Preprocessor) -> bool | None:
    """Whether the training file had a line of column names, where its names tell."""
    names = [plan.column for plan in preprocessor.plans]
    if all(re.fullmatch(r"column \d+", name) for name in names):
        return False
    return True if all(re.fullmatch(r"[\d.]+", name) for name in names) else None
