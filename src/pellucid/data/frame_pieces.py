"""Parquet and Arrow files in pieces, for tables that are larger than the memory.

A process of its own reads, as in ``frames``, and hands over one piece of rows after the other, so
that neither process holds more than a piece and the row groups or record batches it lies in.
While it works on a piece it tells every second how long it has computed.  So a reader on a busy
machine, or of a slow disk, has all the time it needs, and one that does nothing, or computes for
ever, is ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
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
    ended_in_child,
    limit_child,
    write_out,
)

_BEAT_SECONDS = 1.0
_SILENT_SECONDS = 300.0
_COMPUTED_SECONDS = 900.0
_LEAST = 0.01  # seconds of computing between two beats that are work on the piece
_LACKS = 4
_END, _ERROR, _BEAT = 0, 2**64 - 1, 2**64 - 2


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
        order |= {"memory": memory, "texts": list(self.texts), "beat": _BEAT_SECONDS}
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
        """The next message; None at the end.  A child that makes no progress is ended."""
        with _Watch(process) as watch:
            length = _number(stream)
            while length == _BEAT:
                watch.heard((_number(stream) or 0) / 1e6)
                length = _number(stream)
            if length == _END:
                return None
            size = _number(stream) if length == _ERROR else length
            content = stream.read(size or 0)
        if size is None or len(content) < size:
            if watch.finding:
                raise watch.error(self.file)
            raise ended_in_child(self.file, self.kind, process.wait(), memory)
        if length == _ERROR:
            status, message, hint = json.loads(content)
            made = MissingPackageError if status == _LACKS else DataError
            raise made(message.replace("the table", str(self.file), 1), hint)
        return content


def _number(stream: IO[bytes]) -> int | None:
    """Eight bytes as a number; None where the stream ends."""
    head = stream.read(8)
    return int.from_bytes(head, "little") if len(head) == 8 else None


class _Watch:
    """Ends a child that makes no progress while its next message is waited for: that has not
    computed, or that has computed longer than any piece takes.

    What counts are turns of a thread here, not the clock: while this process is stopped, or the
    machine sleeps, no time passes.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.silent = self.computed = 0.0
        self.finding = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        self._thread.join()

    def heard(self, computed: float) -> None:
        """The child has told for how many seconds it has computed since its last piece."""
        if computed - self.computed >= _LEAST:
            self.silent = 0.0
        self.computed = computed

    def _watch(self) -> None:
        while not self._over.wait(_BEAT_SECONDS):
            self.silent += _BEAT_SECONDS
            if self.silent >= _SILENT_SECONDS:
                self.finding = "silent"
            elif self.computed >= _COMPUTED_SECONDS:
                self.finding = "busy"
            if self.finding:
                self.process.kill()
                return

    def error(self, file: Path) -> PellucidError:
        """What has happened."""
        if self.finding == "silent":
            return FileError(
                f"{file} was not read to its end: for {_SILENT_SECONDS:.0f} seconds the process "
                "that reads it has neither computed nor sent any rows",
                "Look whether the disk on which it lies answers, and try again.",
            )
        return DataError(
            f"{file} was not read to its end: a piece of it has taken more than "
            f"{_COMPUTED_SECONDS:.0f} seconds of computing",
            "Write the table with smaller row groups or record batches; the file may be damaged.",
        )


# --- In the child ------------------------------------------------------------------------------


class _Sender:
    """Writes messages to standard output, and every ``beat`` seconds for how many microseconds
    this process has computed since the last piece."""

    def __init__(self, beat: float) -> None:
        self.beat = beat
        self.lock, self.begun = threading.Lock(), time.process_time()
        threading.Thread(target=self._beats, daemon=True).start()

    def _beats(self) -> None:
        while True:
            time.sleep(self.beat)
            with self.lock:
                computed = int((time.process_time() - self.begun) * 1e6)
                self._write(_BEAT, computed.to_bytes(8, "little"))

    def _write(self, length: int, content: bytes) -> None:
        write_out(length.to_bytes(8, "little"))
        write_out(content)

    def send(self, content: bytes) -> None:
        with self.lock:
            self._write(len(content), content)
            self.begun = time.process_time()

    def end(self) -> None:
        """The last message: the process ends."""
        with self.lock:
            self._write(_END, b"")
            os._exit(0)

    def give_up(self, status: int, message: str, hint: str) -> None:
        """The last message: what is wrong."""
        content = json.dumps([status, message, hint]).encode()
        with self.lock:
            self._write(_ERROR, len(content).to_bytes(8, "little") + content)
            os._exit(0)


def child(
    path: str, kind: str, size: int, memory: int, texts: Collection[str], beat: float
) -> None:
    """Reads the file of ``kind`` at ``path`` and writes its rows to standard output, piece by
    piece."""
    limit_child(memory + os.path.getsize(path))
    sender = _Sender(beat)
    try:
        with needs("train", "Reading tables"):
            import polars
        rows, piece, frames = _slices(path, kind, size)
        sender.send(json.dumps([rows, piece]).encode())
        for frame in frames:
            known = [name for name in texts if name in frame.columns]
            if known:
                frame = frame.with_columns(polars.col(known).cast(polars.String))
            sender.send(arrays_of(list(as_table(frame).columns.values()), []))
        sender.end()
    except MissingPackageError as error:
        sender.give_up(_LACKS, str(error.message), str(error.hint))
    except PellucidError as error:
        sender.give_up(3, str(error.message), str(error.hint))
    except MemoryError:
        what = "row groups" if kind == "parquet" else "record batches"
        sender.give_up(
            3, f"the table has {what} that are too large for the memory available",
            f"Write it with smaller {what}.",
        )  # fmt: skip
    except BaseException as error:  # panics of the reading library are no Exception
        what = (str(error).splitlines() or ["?"])[0][:200]
        sender.give_up(3, f"the table is a damaged {KINDS[kind]}: {what}", AGAIN)


def _rows_of_a_piece(size: int, rows: int, width: int, bytes_: int) -> int:
    """As many rows as take ``size`` bytes as numbers, or packed text of four times its length."""
    each = max(8 * width, 4 * bytes_ // max(1, rows), 1)
    return max(256, size // each)


def _slices(path: str, kind: str, size: int) -> tuple[int, int, Iterator[Any]]:
    """Rows, rows of a piece, and the pieces: Polars decodes the row groups of Parquet, and the
    record batches of Arrow, that hold them."""
    with needs("train", "Reading tables"):
        import polars

    if kind == "parquet":
        scan = polars.scan_parquet(path)
    else:
        _check_is_no_stream(path)
        scan = polars.scan_ipc(path)
    rows = int(scan.select(polars.len()).collect().item())
    piece = _rows_of_a_piece(size, rows, len(scan.collect_schema()), os.path.getsize(path))
    return rows, piece, (scan.slice(at, piece).collect() for at in range(0, rows, piece))


def _check_is_no_stream(path: str) -> None:
    with open(path, "rb") as stream:
        if stream.read(6) != b"ARROW1":
            raise DataError(
                "the table is an Arrow stream, which can only be read whole, and it is too large "
                "for that",
                "Write it in Arrow's format for files, as by Polars' write_ipc.",
            )
