"""Parquet files, read in a process of their own.

A damaged length in such a file can make the reading library abort the process it runs in, which
no ``except`` catches.  So a child process reads the file, within a limit of time and memory, and
hands plain arrays over; whatever happens to it is an error here.  It is started as a program,
not forked, and works from threads, notebooks and services.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError, FileError, PellucidError
from pellucid.base.extras import needs
from pellucid.data.columns import Column, Table, as_table, check_column_names
from pellucid.data.files import available_memory

_SECONDS = 60.0
_BYTES_PER_SECOND = 2 * 2**20
# Empty packages in place of the real ones: importing those takes longer than reading most files.
_PROGRAM = """
import json, sys, types
sys.path[:] = json.loads(sys.argv[1])
for name, folder in (("pellucid", sys.argv[3]), ("pellucid.data", sys.argv[3] + "/data")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from pellucid.data.parquet import child
child(int(sys.argv[2]))
"""
_GAVE_UP = 3
_AGAIN = "Write or copy the file again."


def read_parquet(file: Path, data: bytes, fingerprint: str) -> Table:
    """The table in the bytes of a Parquet file.

    Raises ``DataError`` for a damaged file, for columns that no network takes, and for one that
    needs more than half of the memory available or more time than a minute and half a second
    for each MiB.
    """
    # The footer's length stands in the last 8 bytes; a truncated file lacks them.
    footer = int.from_bytes(data[-8:-4], "little") if len(data) >= 12 else 0
    if len(data) < 12 or data[-4:] != b"PAR1" or footer > len(data) - 12:
        raise DataError(
            f"{file} is a damaged Parquet file: its end marker is missing "
            f"({len(data)} bytes, probably truncated)",
            _AGAIN,
        )
    memory = available_memory() // 2
    columns = _unpack(file, _run(file, data, memory))
    rows = len(columns[0]) if columns else 0
    if not rows:
        raise DataError(
            f"{file} has {len(columns)} columns and {rows} rows",
            "Give a table with at least one row.",
        )
    check_column_names([column.name for column in columns], str(file))
    return Table(str(file), {column.name: column for column in columns}, None, (), fingerprint)


def _run(file: Path, data: bytes, memory: int) -> bytes:
    """What the child wrote; errors of every kind as ``DataError``."""
    seconds = _SECONDS + len(data) / _BYTES_PER_SECOND
    path = [entry or os.getcwd() for entry in sys.path]
    package = str(Path(__file__).parents[1])
    command = [sys.executable, "-P", "-c", _PROGRAM, json.dumps(path), str(memory), package]
    try:
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "POLARS_MAX_THREADS": "2", "RUST_BACKTRACE": "0"},
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"{file} was not read within {seconds:.0f} seconds: it is damaged, or too large",
            _AGAIN,
        ) from None
    except OSError as error:
        raise FileError(
            f"{file} cannot be read: no process could be started to read it ({error})",
            "Write the table as CSV, or end other programs.",
        ) from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode == _GAVE_UP:
        message, hint = json.loads(done.stdout.decode("utf-8", "replace") or '["", ""]')
        raise DataError(message.replace("the table", str(file), 1), hint)
    why = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
    raise DataError(
        f"{file} is a damaged Parquet file: reading it ended in the middle ({why}), as a wrong "
        f"length or more than the {memory / 2**20:,.0f} MiB of memory allowed can cause",
        _AGAIN,
    )


def _unpack(file: Path, content: bytes) -> list[Column]:
    """The columns that the child sent: a header in JSON, then arrays of 8 bytes an entry."""
    at = 8 + int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8:at])
        columns = []
        for name, kind, rows, categories in header:
            dtype: npt.DTypeLike = "<i8" if kind == "text" else "<f8"
            values: npt.NDArray[Any] = np.frombuffer(content, dtype, rows, at)
            columns.append(Column(name, kind, values.copy(), tuple(categories)))
            at += 8 * rows
    except (ValueError, TypeError) as error:
        raise DataError(f"{file} could not be read: {error}", _AGAIN) from None
    return columns


# --- In the child ------------------------------------------------------------------------------


def child(memory: int) -> None:
    """Reads a Parquet file from standard input and writes its columns to standard output.

    ``memory`` bounds what the process may take, in bytes.  Ends with status 3 and a message for
    a file that cannot be used.
    """
    data = sys.stdin.buffer.read()
    _limit(memory)
    try:
        columns = _columns(data)
    except PellucidError as error:
        _give_up(str(error.message), str(error.hint))
    except MemoryError:
        _give_up("the table is too large for the memory available", "Give fewer rows.")
    except BaseException as error:  # panics of the reading library are no Exception
        first = (str(error).splitlines() or ["?"])[0][:200]
        _give_up(f"the table is a damaged Parquet file: {first}", _AGAIN)
    else:
        header = json.dumps(
            [(c.name, c.kind, len(c), list(c.categories)) for c in columns]
        ).encode()
        out = sys.stdout.buffer
        out.write(len(header).to_bytes(8, "little") + header)
        for column in columns:
            dtype = "<i8" if column.kind == "text" else "<f8"
            out.write(np.ascontiguousarray(column.values, dtype).tobytes())
        out.flush()
    os._exit(0)


def _columns(data: bytes) -> list[Column]:
    with needs("train", "Reading tables"):
        import polars

    frame = polars.read_parquet(io.BytesIO(data))
    return list(as_table(frame).columns.values())


def _give_up(message: str, hint: str) -> None:
    sys.stdout.buffer.write(json.dumps([message, hint]).encode())
    sys.stdout.flush()
    os._exit(_GAVE_UP)


def _limit(memory: int) -> None:
    """Bounds the memory of this process, where the system can, and leaves no core dump."""
    try:
        import resource
    except ImportError:
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.name == "posix" else 0
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory + pages * resource.getpagesize() + 2**30),
    ):
        try:
            hard = resource.getrlimit(kind)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (limit, hard))
        except (ValueError, OSError):
            continue
