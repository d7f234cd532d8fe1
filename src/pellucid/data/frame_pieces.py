"""Parquet and Arrow files in pieces, for tables that are larger than the memory.

A process of its own reads, as in ``frames``, and hands over one piece of rows after the other, so
that neither process holds more than a piece and the row groups or record batches it lies in.
"""

from __future__ import annotations

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
        rows, piece, frames = _slices(path, kind, size)
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
