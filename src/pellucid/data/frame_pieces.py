"""Parquet and Arrow files in pieces, for tables that are larger than the memory.

A process of its own reads, as in ``frames``, and hands over one piece of rows after the other, so
that neither process holds more than a piece: of Parquet a slice of rows, for which Polars decodes
the row groups that hold them; of Arrow as many record batches as a piece takes, cut out of the
file as its format says (Apache Arrow's columnar format, "Serialization and Interprocess
Communication").
"""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from pellucid.base.errors import DataError, FileError, PellucidError
from pellucid.base.extras import MissingPackageError, needs
from pellucid.data.columns import Column, as_table
from pellucid.data.files import available_memory
from pellucid.data.frames import (
    AGAIN,
    KINDS,
    arrays_of,
    child_command,
    child_environment,
    columns_in,
    damaged_in_child,
    limit_child,
)

_SECONDS = 120.0
_LACKS = 4
_END, _ERROR = 0, 2**64 - 1
_ROWS = 3  # the kind of a message that is a record batch
_CONTINUES = b"\xff\xff\xff\xff"


class FramePieces:
    """The rows of a Parquet or Arrow file in pieces that take about ``size`` bytes as arrays.

    ``rows`` is how many there are, ``piece`` how many come at a time at most, both known from the
    first piece on; columns named in ``texts`` come as text as it is written.  Can be iterated over
    again; gives lists of columns.
    """

    def __init__(self, file: Path, kind: str, size: int, texts: Collection[str] = ()) -> None:
        self.file, self.kind, self.size, self.texts = file, kind, size, tuple(texts)
        self.rows, self.piece = 0, 1

    def __iter__(self) -> Iterator[list[Column]]:
        for reply in self._replies():
            columns, _ = columns_in(self.file, reply)
            yield columns

    def _replies(self) -> Iterator[bytes]:
        """What the child sends of each piece, after the numbers of rows."""
        memory = available_memory() // 2
        order = {"path": os.path.abspath(self.file), "kind": self.kind, "size": self.size}
        order |= {"memory": memory, "texts": list(self.texts)}
        try:
            process = subprocess.Popen(
                child_command("frame_pieces", order),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
            )
        except OSError as error:
            raise FileError(
                f"{self.file} cannot be read: no process could be started to read it ({error})",
                "Write the table as CSV, or end other programs.",
            ) from None
        try:
            stream = process.stdout
            if stream is not None:
                head = self._message(process, stream, memory)
                self.rows, self.piece = json.loads(head or b"[0, 1]")
                while head is not None and (reply := self._message(process, stream, memory)):
                    yield reply
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _message(
        self, process: subprocess.Popen[bytes], stream: IO[bytes], memory: int
    ) -> bytes | None:
        """The next message; None at the end.  A child that does not answer is ended."""
        watchdog = threading.Timer(_SECONDS, process.kill)
        watchdog.start()
        try:
            length = int.from_bytes(head := stream.read(8), "little")
            if len(head) == 8 and length == _END:
                return None
            size = int.from_bytes(stream.read(8), "little") if length == _ERROR else length
            content = stream.read(size) if len(head) == 8 else b""
        finally:
            watchdog.cancel()
        if len(head) < 8 or len(content) < size:
            raise damaged_in_child(self.file, self.kind, process.wait(), memory)
        if length == _ERROR:
            status, message, hint = json.loads(content)
            made = MissingPackageError if status == _LACKS else DataError
            raise made(message.replace("the table", str(self.file), 1), hint)
        return content


# --- In the child ------------------------------------------------------------------------------


def child(path: str, kind: str, size: int, memory: int, texts: Collection[str]) -> None:
    """Reads the file of ``kind`` at ``path`` and writes its rows to standard output, piece by
    piece."""
    limit_child(memory + os.path.getsize(path))
    out = sys.stdout.buffer
    try:
        with needs("train", "Reading tables"):
            import polars
        rows, piece, frames = (_parquet if kind == "parquet" else _arrow)(path, size)
        _send(out, json.dumps([rows, piece]).encode())
        for frame in frames:
            known = [name for name in texts if name in frame.columns]
            if known:
                frame = frame.with_columns(polars.col(known).cast(polars.String))
            _send(out, arrays_of(list(as_table(frame).columns.values()), []))
        out.write(_END.to_bytes(8, "little"))
    except MissingPackageError as error:
        _give_up(out, _LACKS, str(error.message), str(error.hint))
    except PellucidError as error:
        _give_up(out, 3, str(error.message), str(error.hint))
    except MemoryError:
        what = "row groups" if kind == "parquet" else "record batches"
        _give_up(
            out, 3, f"the table has {what} that are too large for the memory available",
            f"Write it with smaller {what}.",
        )  # fmt: skip
    except BaseException as error:  # panics of the reading library are no Exception
        what = (str(error).splitlines() or ["?"])[0][:200]
        _give_up(out, 3, f"the table is a damaged {KINDS[kind]}: {what}", AGAIN)
    out.flush()
    os._exit(0)


def _send(out: IO[bytes], content: bytes) -> None:
    out.write(len(content).to_bytes(8, "little"))
    out.write(content)
    out.flush()


def _give_up(out: IO[bytes], status: int, message: str, hint: str) -> None:
    out.write(_ERROR.to_bytes(8, "little"))
    _send(out, json.dumps([status, message, hint]).encode())


def _rows_of_a_piece(size: int, rows: int, width: int, bytes_: int) -> int:
    """As many rows as take ``size`` bytes as numbers, or packed text of four times its length."""
    each = max(8 * width, 4 * bytes_ // max(1, rows), 1)
    return max(256, size // each)


def _parquet(path: str, size: int) -> tuple[int, int, Iterator[Any]]:
    import polars

    scan = polars.scan_parquet(path)
    rows = int(scan.select(polars.len()).collect().item())
    piece = _rows_of_a_piece(size, rows, len(scan.collect_schema()), os.path.getsize(path))
    slices = (scan.slice(at, piece).collect() for at in range(0, rows, piece))
    return rows, piece, slices


def _arrow(path: str, size: int) -> tuple[int, int, Iterator[Any]]:
    with open(path, "rb") as stream:
        made = ArrowFile if stream.read(6) == b"ARROW1" else ArrowStream
    whole = made(path)
    rows = sum(whole.lengths)
    piece = _rows_of_a_piece(size, rows, whole.frame([]).width, os.path.getsize(path))
    return rows, piece, _arrow_frames(whole, piece)


def _arrow_frames(whole: ArrowStream | ArrowFile, piece: int) -> Iterator[Any]:
    """Frames of at most ``piece`` rows; small record batches are put together."""
    batches: list[bytes] = []
    held = 0
    for content, count in itertools.chain(whole.batches(), [(b"", piece + 1)]):
        if batches and held + count > piece:
            frame = whole.frame(batches)
            for at in range(0, frame.height, piece):
                yield frame.slice(at, piece)
            batches, held = [], 0
        batches.append(content)
        held += count


class ArrowStream:
    """Arrow's format for streams: messages one after the other, the first of them the schema.

    A message is a length, metadata of that length (a FlatBuffers table with its kind and the
    length of its body) and the body.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.start: list[bytes] = []
        """Schema and dictionaries, which come before the rows that need them."""
        self.lengths = [rows for kind, _, rows in self._messages(bodies=False) if kind == _ROWS]
        self.start = [content for _, content, _ in itertools.islice(self._messages(), 1)]

    def frame(self, batches: list[bytes]) -> Any:
        """The rows of these record batches."""
        import polars

        content = b"".join([*self.start, *batches, _CONTINUES, bytes(4)])
        return polars.read_ipc_stream(io.BytesIO(content))

    def batches(self) -> Iterator[tuple[bytes, int]]:
        """Each record batch with its rows."""
        for kind, content, rows in itertools.islice(self._messages(), 1, None):
            if kind == _ROWS:
                yield content, rows
            else:
                self.start.append(content)

    def _messages(self, bodies: bool = True) -> Iterator[tuple[int, bytes, int]]:
        with open(self.path, "rb") as stream:
            end = os.fstat(stream.fileno()).st_size
            while stream.tell() < end:
                head = stream.read(4)
                head += stream.read(4) if head == _CONTINUES else b""
                length = int.from_bytes(head[-4:], "little")
                if not length:
                    return
                metadata = _exactly(stream, length, end)
                kind, body, rows = _described(metadata)
                if not 0 <= body <= end - stream.tell():
                    raise _cut_off()
                content = b""
                if bodies:
                    content = b"".join([head, metadata, stream.read(body)])
                else:
                    stream.seek(body, os.SEEK_CUR)
                yield kind, content, rows


class ArrowFile:
    """Arrow's format for files: messages, and at the end a footer that says where they stand.

    A part of it is a file as well: the dictionaries, some record batches, and the footer with the
    places of these alone.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as stream:
            end = os.fstat(stream.fileno()).st_size
            stream.seek(max(8, end - 10))
            length = int.from_bytes(stream.read(4), "little")
            stream.seek(max(8, end - 10 - length))
            self.footer = _exactly(stream, length, end - 10)
            root = _number(self.footer, 0, 4)
            self.tables, self.rows = (self._blocks(root, position) for position in (2, 3))
            self.dictionaries = [self._read(stream, at, end) for at in self.tables[1]]
            self.lengths = [self._count(stream, at, end) for at in self.rows[1]]

    def _blocks(self, root: int, position: int) -> tuple[int, list[tuple[int, int, int]]]:
        """Where a list of places stands in the footer (0 without one), and (offset, length of the
        metadata, length of the body) of each."""
        footer = self.footer
        field = _field(footer, root, position)
        if not field:
            return 0, []
        start = field + _number(footer, field, 4)
        count = _number(footer, start, 4)
        if not 0 <= count <= len(footer) // 24:
            raise _cut_off()
        places = range(start + 4, start + 4 + 24 * count, 24)
        return start, [
            (_number(footer, at, 8), _number(footer, at + 8, 4), _number(footer, at + 16, 8))
            for at in places
        ]

    def _read(self, stream: IO[bytes], block: tuple[int, int, int], end: int) -> bytes:
        at, metadata, body = block
        if min(block) < 0 or at + metadata + body > end:
            raise _cut_off()
        stream.seek(at)
        return stream.read(metadata + body)

    def _count(self, stream: IO[bytes], block: tuple[int, int, int], end: int) -> int:
        metadata = self._read(stream, (block[0], block[1], 0), end)
        return _described(metadata[8 if metadata[:4] == _CONTINUES else 4 :])[2]

    def frame(self, batches: list[bytes]) -> Any:
        """The rows of these record batches; their metadata's length is their first number."""
        import polars

        parts, footer, at = [b"ARROW1\0\0"], bytearray(self.footer), 8
        for (start, known), contents in ((self.tables, self.dictionaries), (self.rows, batches)):
            if not start:
                continue
            footer[start : start + 4] = len(contents).to_bytes(4, "little")
            for number, content in enumerate(contents):
                metadata = known[number][1] if known is self.tables[1] else _metadata_of(content)
                place = start + 4 + 24 * number
                footer[place : place + 8] = at.to_bytes(8, "little")
                footer[place + 8 : place + 12] = metadata.to_bytes(4, "little")
                footer[place + 16 : place + 24] = (len(content) - metadata).to_bytes(8, "little")
                parts.append(content)
                at += len(content)
        parts += [_CONTINUES, bytes(4), bytes(footer), len(footer).to_bytes(4, "little"), b"ARROW1"]
        return polars.read_ipc(io.BytesIO(b"".join(parts)))

    def batches(self) -> Iterator[tuple[bytes, int]]:
        """Each record batch with its rows."""
        with open(self.path, "rb") as stream:
            end = os.fstat(stream.fileno()).st_size
            for block, rows in zip(self.rows[1], self.lengths, strict=True):
                yield self._read(stream, block, end), rows


def _metadata_of(message: bytes) -> int:
    """The length of a message's metadata with what stands before them."""
    head = 8 if message[:4] == _CONTINUES else 4
    return head + _number(message, head - 4, 4)


def _exactly(stream: IO[bytes], length: int, end: int) -> bytes:
    if not 0 <= length <= end - stream.tell():
        raise _cut_off()
    return stream.read(length)


def _cut_off() -> DataError:
    return DataError("the table is a damaged Arrow file: it is cut off", AGAIN)


def _described(metadata: bytes) -> tuple[int, int, int]:
    """Kind of a message, length of its body, and its rows, from its metadata."""
    message = _number(metadata, 0, 4)
    kind_at, content_at, body_at = (_field(metadata, message, place) for place in (1, 2, 3))
    kind = _number(metadata, kind_at, 1) if kind_at else 0
    rows = 0
    if kind == _ROWS and content_at:
        count = _field(metadata, content_at + _number(metadata, content_at, 4), 0)
        rows = max(0, _number(metadata, count, 8)) if count else 0
    return kind, _number(metadata, body_at, 8) if body_at else 0, rows


def _number(content: bytes, at: int, size: int) -> int:
    """The whole number of ``size`` bytes at a place; ``DataError`` outside of the content."""
    if not 0 <= at <= len(content) - size:
        raise DataError("the table is a damaged Arrow file: a place outside of it", AGAIN)
    return int.from_bytes(content[at : at + size], "little", signed=True)


def _field(content: bytes, table: int, position: int) -> int:
    """Where an entry of a FlatBuffers table stands, 0 where it has none."""
    fields = table - _number(content, table, 4)
    inside = 4 + 2 * position < _number(content, fields, 2)
    offset = _number(content, fields + 4 + 2 * position, 2) if inside else 0
    return table + offset if offset else 0
