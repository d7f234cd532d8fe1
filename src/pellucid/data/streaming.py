"""Tables in files that are larger than the memory: read in pieces, shuffled on the disk.

The file is read twice, piece by piece, each a whole number of records.  From the first reading a
sample is kept, windows from all over the file; from it follow the kinds of the columns, the task
and what is learned before training, exactly as from a small file, and validation and test are parts
of it.  At the second reading every training row becomes numbers and goes to one of many files on
the disk, chosen at random.  An epoch reads these files in random order, two at a time, and mixes
their rows: each row of the training part once, in an order in which any two rows may be neighbours
(dealing into random piles and shuffling each: Rao, 1961; Sandelius, 1962).

The part of a row follows from a hash of its cells, or of its group: equal rows are in one part.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError, FileError
from pellucid.data.columns import Column, Table
from pellucid.data.encodings import AUTO, encoding_of
from pellucid.data.files import available_memory

Floats32 = npt.NDArray[np.float32]
MIB = 2**20
_LEAST, _MOST = 32 * MIB, 1024 * MIB
_HEAD = 1 << 16


def streaming_budget(memory: float | None) -> int:
    """Bytes that reading and shuffling may take: ``memory`` MiB, or a quarter of what is
    available, at most 1 GiB."""
    asked = available_memory() / 4 if memory is None else memory * MIB
    return int(min(_MOST, max(_LEAST, asked)))


@dataclass(frozen=True)
class Sizes:
    """How a budget of memory is spent: bytes of a piece of text (whose columns take about
    fifteen times as much), of the sample, and of rows that are mixed at a time."""

    piece: int
    sample: int
    mixed: int

    @classmethod
    def of(cls, budget: int) -> Sizes:
        """The sizes for a budget in bytes."""
        return cls(budget // 32, budget // 16, budget // 4)


# ---- pieces of text --------------------------------------------------------------------------


class TextPieces:
    """The text of a file, also a gzipped one, in pieces of whole records of about ``size`` bytes.
    Can be iterated over again."""

    def __init__(self, file: Path, encoding: str, size: int) -> None:
        self.file, self.size = file, size
        with self._open() as stream:
            start = stream.read(_HEAD)
        self.encoding = encoding
        if encoding == AUTO:
            self.encoding = encoding_if_not_utf8(start) or "utf-8-sig"

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        with contextlib.ExitStack() as stack:
            try:
                stream = stack.enter_context(self.file.open("rb"))
                packed = stream.read(2) == b"\x1f\x8b"
                stream.seek(0)
            except OSError as error:
                raise FileError(
                    f"{self.file} cannot be read: {error.strerror}", "Check the path and the disk."
                ) from None
            if packed:
                yield cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=stream)))
            else:
                yield stream

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """(line of the file at which the piece begins, its text)."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        rest, line, end = "", 1, False
        with self._open() as stream:
            while not end:
                try:
                    data = stream.read(self.size)
                    end = not data
                    text = rest + decoder.decode(data, end)
                except (UnicodeError, EOFError, OSError, zlib.error) as error:
                    raise DataError(
                        f"{self.file} cannot be read after line {line}: {error}",
                        "Correct that place, copy the file again, or name its encoding.",
                    ) from None
                cut = len(text) if end else _last_end(text)
                whole, rest = text[:cut], text[cut:]
                if whole.strip():
                    yield line, whole.replace("\r\n", "\n").replace("\r", "\n")
                line += whole.count("\n")


def encoding_if_not_utf8(data: bytes) -> str:
    """The encoding of the beginning of a file; empty for UTF-8 (also one that is cut)."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return encoding_of(data) or "cp1252"
    return "" if 0 not in data else encoding_of(data)


def _last_end(text: str) -> int:
    """Where the last whole record of a text ends: behind a line end outside of quotes."""
    at = text.rfind("\n", 0, len(text) - 1 if text.endswith("\r") else len(text))
    if '"' not in text or at < 0:
        return at + 1
    behind = text.count('"', at)
    total = text.count('"')
    while at >= 0 and (total - behind) % 2:
        before = text.rfind("\n", 0, at)
        behind += text.count('"', before if before >= 0 else 0, at)
        at = before
    return at + 1


def window(text: str, size: int, random: np.random.Generator) -> str:
    """Whole records of about ``size`` characters from a random place of a piece."""
    if len(text) <= size:
        return text
    start = _last_end(text[: int(random.integers(0, len(text) - size))])
    return text[start : start + max(1, _last_end(text[start : start + size]))]


# ---- parts -----------------------------------------------------------------------------------


def hashes(columns: Sequence[Column], seed: int) -> npt.NDArray[np.uint64]:
    """A number for each row that follows from its cells alone: uint64 (rows,)."""
    state = np.full(len(columns[0]), np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15), np.uint64)
    for column in columns:
        if column.kind == "text":
            known = [zlib.crc32(text.encode()) for text in column.categories]
            values = np.array([*known, 0], np.uint64)[column.values]
        else:
            plain = np.where(np.isnan(column.values), 0.125, column.values + 0.0)
            values = plain.view(np.uint64)
        state = _mixed(state ^ values)
    return state


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele and others, 2014): every bit depends on all."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray((x ^ (x >> np.uint64(31))) + np.uint64(0x9E3779B97F4A7C15))


def parts_of(
    table: Table, shares: Sequence[float], seed: int, group: str | None
) -> npt.NDArray[np.int8]:
    """The part of each row, 0 to 2, in these shares, by the hash of its cells or of its group."""
    columns = [table[group]] if group else list(table.columns.values())
    places = hashes(columns, seed) / np.float64(2**64)
    return np.searchsorted(np.cumsum(shares)[:2], places, side="right").astype(np.int8)


# ---- rows on the disk ------------------------------------------------------------------------


class ShuffledRows:
    """Training rows on the disk, in files that random rows share; gives batches to a Trainer.

    Iterating gives (features, targets) batch by batch, float32 (rows, …) each, targets int64
    (rows,) for ``whole_numbers``; every row once, in an order that follows from ``seed`` and the
    passes before.  The files are removed with the object.
    """

    def __init__(
        self,
        width: int,
        targets: int,
        sizes: Sizes,
        expected_rows: int,
        *,
        whole_numbers: bool = False,
        seed: int = 0,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.width, self.targets, self.seed = width, targets, seed
        self.whole_numbers = whole_numbers
        self.rows, self.batch_size = 0, 64
        # Kept as it stands, so that a Trainer can go on in the middle of a pass.
        self.order = np.random.Generator(np.random.PCG64([seed, 2]))
        self._line = 4 * (width + targets)
        needed = expected_rows * self._line
        self.folder = Path(tempfile.mkdtemp(prefix="pellucid-rows-", dir=folder))
        self._clean = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        free = shutil.disk_usage(self.folder).free
        if needed > 0.9 * free:
            self.close()
            raise FileError(
                f"The rows need {needed / 2**30:.1f} GiB of disk in {self.folder.parent}, "
                f"{free / 2**30:.1f} GiB are free",
                "Set TMPDIR to a folder on a larger disk, or leave columns out.",
            )
        count = max(2, min(512, -(-needed // max(1, sizes.mixed // 2))))
        self._buffers: list[list[Floats32]] = [[] for _ in range(count)]
        self._buffered = 0
        self._limit = sizes.mixed // 2
        self._random = np.random.Generator(np.random.PCG64([seed, 1]))
        self.counts = np.zeros(count, np.int64)

    def add(self, features: Floats32, targets: npt.NDArray[Any]) -> None:
        """Rows with their targets, (rows, …) each."""
        lines = np.concatenate(
            [features, np.asarray(targets, np.float32).reshape(len(features), -1)], axis=1
        )
        place = self._random.integers(0, len(self._buffers), len(lines))
        order = np.argsort(place, kind="stable")
        cuts = np.searchsorted(place[order], np.arange(len(self._buffers) + 1))
        for shard, (start, end) in enumerate(zip(cuts, cuts[1:], strict=False)):
            if end > start:
                self._buffers[shard].append(lines[order[start:end]])
        self.rows += len(lines)
        self._buffered += lines.nbytes
        if self._buffered > self._limit:
            self.flush()

    def flush(self) -> None:
        """Writes what is held back."""
        try:
            for shard, pieces in enumerate(self._buffers):
                if pieces:
                    with self._path(shard).open("ab") as stream:
                        for piece in pieces:
                            stream.write(np.ascontiguousarray(piece).data)
                            self.counts[shard] += len(piece)
                    pieces.clear()
        except OSError as error:
            self.close()
            raise FileError(
                f"The rows could not be written to {self.folder}: {error.strerror}",
                "Set TMPDIR to a folder on a larger disk.",
            ) from None
        self._buffered = 0

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard}.rows"

    def _read(self, shards: Sequence[int], rest: Floats32) -> Floats32:
        """The rows of some files behind those that are left over."""
        total = len(rest) + int(self.counts[list(shards)].sum())
        lines = np.empty((total, self.width + self.targets), np.float32)
        lines[: len(rest)] = rest
        at = len(rest)
        for shard in shards:
            count = int(self.counts[shard])
            if count:
                with self._path(shard).open("rb") as stream:
                    stream.readinto(lines[at : at + count].view(np.uint8).data)
            at += count
        return lines

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Floats32, npt.NDArray[Any]]]:
        order = self.order.permutation(len(self.counts))
        rest = np.empty((0, self.width + self.targets), np.float32)
        for start in range(0, len(order), 2):
            lines = self._read([int(shard) for shard in order[start : start + 2]], rest)
            places = self.order.permutation(len(lines))
            last = start + 2 >= len(order)
            whole = len(lines) if last else len(lines) // self.batch_size * self.batch_size
            for at in range(0, whole, self.batch_size):
                yield self._batch(lines[places[at : min(at + self.batch_size, whole)]])
            rest = lines[places[whole:]]

    def _batch(self, lines: Floats32) -> tuple[Floats32, npt.NDArray[Any]]:
        features = np.ascontiguousarray(lines[:, : self.width])
        if self.whole_numbers:
            return features, lines[:, self.width].astype(np.int64)
        return features, np.ascontiguousarray(lines[:, self.width :])

    def close(self) -> None:
        """Removes the files."""
        self._clean()
