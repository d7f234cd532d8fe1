"""Parquet, Arrow and Excel files, read in a process of their own.

A damaged length in such a file can make the reading library abort the process it runs in, which
no ``except`` catches.  So a child process reads the file, within a limit of time and memory, and
hands plain arrays over; whatever happens to it is an error here.  It is started as a program,
not forked, and works from threads, notebooks and services.
"""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError, FileError, PellucidError
from pellucid.base.extras import MissingPackageError, needs
from pellucid.data.columns import Column, Table, as_table, check_column_names
from pellucid.data.files import available_memory
from pellucid.data.sheets import sheet_columns

_SECONDS = 60.0
_BYTES_PER_SECOND = 2 * 2**20
_PATIENCE = 10  # times the seconds of computing: a busy machine, or a slow disk
_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
# Empty packages in place of the real ones: importing those takes longer than reading most files.
_PROGRAM = """
import importlib, json, sys, types
sys.path[:] = json.loads(sys.argv[1])
for name, folder in (("pellucid", sys.argv[3]), ("pellucid.data", sys.argv[3] + "/data")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
importlib.import_module("pellucid.data." + sys.argv[4]).child(**json.loads(sys.argv[2]))
"""
_UNUSABLE, _LACKS = 3, 4
_GAVE_UP = (_UNUSABLE, _LACKS)
AGAIN = "Write or copy the file again."
"""What to do with a damaged file."""


KINDS = {"parquet": "Parquet file", "arrow": "Arrow file", "excel": "spreadsheet"}
"""What this module reads, and what to call it."""


def frame_kind(data: bytes) -> str:
    """Which of ``KINDS`` the bytes of a file are, by their beginning; empty for none."""
    if data[:4] == b"PAR1":
        return "parquet"
    if data[:6] == b"ARROW1" or data[:4] == b"\xff\xff\xff\xff":
        return "arrow"
    if data[:4] == b"FEA1":
        raise DataError(
            "This is a Feather file of the first version, which nothing writes any more",
            "Read it with pandas 2 or older, and write it as Parquet.",
        )
    if data[:4] == b"\xd0\xcf\x11\xe0":
        return "excel"
    # A zip archive: names of its entries stand in its directory, at the end.
    sheet = any(mark in data for mark in (b"xl/workbook", b"opendocument.spreadsheet"))
    return "excel" if data[:4] == b"PK\x03\x04" and sheet else ""


def read_frame(
    file: Path,
    data: bytes,
    kind: str,
    fingerprint: str,
    *,
    texts: Collection[str] = (),
    sheet: str = "",
    header: bool | None = None,
) -> Table:
    """The table in the bytes of a file of ``kind`` (see ``KINDS``).

    Columns named in ``texts`` are text as it is written, so that no digit of a long number is
    lost.  ``sheet`` is the sheet of a spreadsheet, the first one that is not empty unless given;
    ``header`` says whether its first row holds the column names.

    Raises ``DataError`` for a damaged file, for columns that no network takes, and for one that
    needs more than half of the memory available or more computing than a minute and half a second
    for each MiB, or ten times as long by the clock.
    """
    if kind == "parquet":
        _check_end(file, data)
    order: dict[str, Any] = {"kind": kind, "memory": available_memory() // 2}
    order |= {"texts": list(texts), "sheet": sheet, "header": header}
    columns, notes = columns_in(file, _run(file, data, order))
    rows = len(columns[0]) if columns else 0
    if not rows:
        raise DataError(
            f"{file} has {len(columns)} columns and {rows} rows",
            "Give a table with at least one row.",
        )
    check_column_names([column.name for column in columns], str(file))
    table = {column.name: column for column in columns}
    return Table(str(file), table, None, tuple(notes), fingerprint)


def _check_end(file: Path, data: bytes) -> None:
    """The footer's length stands in the last 8 bytes of Parquet; a truncated file lacks them."""
    footer = int.from_bytes(data[-8:-4], "little") if len(data) >= 12 else 0
    if len(data) < 12 or data[-4:] != b"PAR1" or footer > len(data) - 12:
        raise DataError(
            f"{file} is a damaged Parquet file: its end marker is missing "
            f"({len(data)} bytes, probably truncated)",
            AGAIN,
        )


def _run(file: Path, data: bytes, order: dict[str, Any]) -> bytes:
    """What the child wrote; errors of every kind as ``DataError``."""
    seconds = _SECONDS + len(data) / _BYTES_PER_SECOND
    order["seconds"] = math.ceil(seconds)
    try:
        done = subprocess.run(
            child_command("frames", order),
            input=data,
            capture_output=True,
            timeout=_PATIENCE * seconds,
            check=False,
            env=child_environment(),
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"{file} was not read within {_PATIENCE * seconds:.0f} seconds: the machine is too "
            "busy, or the file is damaged",
            "Try again when less runs beside; otherwise write the file again.",
        ) from None
    except OSError as error:
        raise FileError(
            f"{file} cannot be read: no process could be started to read it ({error})",
            "Write the table as CSV, or end other programs.",
        ) from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode in _GAVE_UP:
        message, hint = json.loads(done.stdout.decode("utf-8", "replace") or '["", ""]')
        made = MissingPackageError if done.returncode == _LACKS else DataError
        raise made(message.replace("the table", str(file), 1), hint)
    raise ended_in_child(file, order["kind"], done.returncode, order["memory"])


def child_command(module: str, order: dict[str, Any]) -> list[str]:
    """What starts a child that runs ``child(**order)`` of a module of this folder."""
    path = [entry or os.getcwd() for entry in sys.path]
    package = str(Path(__file__).parents[1])
    return [
        sys.executable, "-P", "-c", _PROGRAM, json.dumps(path), json.dumps(order), package, module,
    ]  # fmt: skip


def child_environment() -> dict[str, str]:
    """The environment of a child that reads."""
    return {**os.environ, "POLARS_MAX_THREADS": "2", "RUST_BACKTRACE": "0"}


def ended_in_child(file: Path, kind: str, status: int, memory: int) -> PellucidError:
    """The error for a file at which the child that read it ended."""
    name = _signal_name(-status)
    if name in _FROM_OUTSIDE:
        return FileError(
            f"{file} was not read to its end: the process that read it was ended from outside "
            f"({name}), as the system does when memory runs short",
            "Try again, with fewer programs beside.",
        )
    if name == "SIGXCPU":
        return DataError(
            f"{file} is a damaged {KINDS[kind]}, or too large to be read as a whole: more time was "
            "computed than its size explains",
            AGAIN,
        )
    why = f"signal {-status}" if status < 0 else f"status {status}"
    return DataError(
        f"{file} is a damaged {KINDS[kind]}: reading it ended in the middle ({why}), as a "
        f"wrong length or more than the {memory / 2**20:,.0f} MiB of memory allowed can cause",
        AGAIN,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def columns_in(file: Path, content: bytes) -> tuple[list[Column], list[str]]:
    """The columns and notes that the child sent: a header in JSON, then arrays of 8 bytes an
    entry."""
    at = 8 + int.from_bytes(content[:8], "little")
    try:
        header, notes = json.loads(content[8:at])
        columns = []
        for name, kind, rows, categories in header:
            dtype: npt.DTypeLike = "<i8" if kind == "text" else "<f8"
            values: npt.NDArray[Any] = np.frombuffer(content, dtype, rows, at)
            columns.append(Column(name, kind, values.copy(), tuple(categories)))
            at += 8 * rows
    except (ValueError, TypeError) as error:
        raise DataError(f"{file} could not be read: {error}", AGAIN) from None
    return columns, notes


# --- In the child ------------------------------------------------------------------------------


def child(
    kind: str,
    memory: int,
    seconds: int,
    texts: Collection[str],
    sheet: str,
    header: bool | None,
) -> None:
    """Reads a file of ``kind`` from standard input and writes its columns to standard output.

    ``memory`` bounds what the process may take, in bytes, and ``seconds`` what it may compute.
    Ends with status 3 and a message for a file that cannot be used, 4 where a package is missing.
    """
    data = sys.stdin.buffer.read()
    limit_child(memory, seconds)
    notes: list[str] = []
    try:
        if kind == "excel":
            columns = sheet_columns(data, sheet, header, notes)
        else:
            columns = _columns(kind, data, texts)
    except MissingPackageError as error:
        _give_up(str(error.message), str(error.hint), _LACKS)
    except PellucidError as error:
        _give_up(str(error.message), str(error.hint))
    except MemoryError:
        _give_up("the table is too large for the memory available", "Give fewer rows.")
    except BaseException as error:  # panics of the reading library are no Exception
        first = (str(error).splitlines() or ["?"])[0][:200]
        _give_up(f"the table is a damaged {KINDS[kind]}: {first}", AGAIN)
    else:
        write_out(arrays_of(columns, notes))
    os._exit(0)


def write_out(content: bytes) -> None:
    """Writes all of it to standard output.

    By calls of the system: of a large write of ``sys.stdout.buffer`` that is interrupted, because
    the process is stopped and goes on, the rest is lost (CPython 3.11).
    """
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(1, rest) :]


def arrays_of(columns: list[Column], notes: list[str]) -> bytes:
    """Columns and notes as :func:`columns_in` takes them."""
    shapes = [(c.name, c.kind, len(c), list(c.categories)) for c in columns]
    head = json.dumps([shapes, notes]).encode()
    parts = [len(head).to_bytes(8, "little"), head]
    for column in columns:
        dtype = "<i8" if column.kind == "text" else "<f8"
        parts.append(np.ascontiguousarray(column.values, dtype).tobytes())
    return b"".join(parts)


def _columns(kind: str, data: bytes, texts: Collection[str]) -> list[Column]:
    with needs("train", "Reading tables"):
        import polars

    file = io.BytesIO(data)
    if kind == "parquet":
        frame = polars.read_parquet(file)
    elif data[:6] == b"ARROW1":
        frame = polars.read_ipc(file)
    else:
        frame = polars.read_ipc_stream(file)
    known = [name for name in texts if name in frame.columns]
    frame = frame.with_columns(polars.col(known).cast(polars.String)) if known else frame
    return list(as_table(frame).columns.values())


def _give_up(message: str, hint: str, status: int = _UNUSABLE) -> None:
    write_out(json.dumps([message, hint]).encode())
    os._exit(status)


def limit_child(memory: int, seconds: int | None = None) -> None:
    """Bounds the memory of this process and its seconds of computing, where the system can, and
    leaves no core dump."""
    try:
        import resource
    except ImportError:
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.name == "posix" else 0
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: memory + pages * resource.getpagesize() + 2**30,
    }
    if seconds is not None:
        limits[resource.RLIMIT_CPU] = seconds
    for kind, value in limits.items():
        try:
            hard = resource.getrlimit(kind)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (limit, hard))
        except (ValueError, OSError):
            continue
