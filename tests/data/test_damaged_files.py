"""Damaged and hostile files end in an error: never in the death of the process or its memory."""

from __future__ import annotations

import datetime
import gzip
import io
import sys
import threading
from pathlib import Path

import numpy as np
import polars
import pytest

from pellucid.base.errors import DataError, FileError
from pellucid.data.files import unpack_gzip
from pellucid.data.tables import read_table


def parquet() -> bytes:
    """A small Parquet file with a column of each kind."""
    buffer = io.BytesIO()
    polars.DataFrame(
        {
            "a": [1.0, 2, None, 4] * 10,
            "b": list(range(40)),
            "s": ["x", "y", None, "zz"] * 10,
            "t": [datetime.date(2020, 1, 1)] * 40,
            "ok": [True, False] * 20,
            "y": [0, 1] * 20,
        }
    ).write_parquet(buffer, compression="uncompressed")
    return buffer.getvalue()


def test_a_length_that_would_abort_the_process_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every byte of the page headers once set to 59, which makes some lengths absurd."""
    data = parquet()
    file = tmp_path / "b.parquet"
    refused = 0
    for position in range(4, len(data) - 8, max(1, len(data) // 12)):
        damaged = bytearray(data)
        damaged[position] = 59
        file.write_bytes(damaged)
        try:
            assert len(read_table(file)) > 0
        except DataError as error:
            refused += 1
            assert error.hint
    captured = capfd.readouterr()
    assert "panicked" not in captured.err and "backtrace" not in captured.err


def test_the_child_that_dies_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.data.frames._PROGRAM", "import os; os.abort()")
    (tmp_path / "b.parquet").write_bytes(parquet())
    with pytest.raises(DataError, match=r"damaged Parquet file.*\(signal 6\)"):
        read_table(tmp_path / "b.parquet")


def test_a_child_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.data.frames._PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr("pellucid.data.frames._SECONDS", 0.02)
    (tmp_path / "b.parquet").write_bytes(parquet())
    with pytest.raises(DataError, match="was not read within 0 seconds: the machine is too busy"):
        read_table(tmp_path / "b.parquet")


@pytest.mark.skipif(sys.platform != "linux", reason="signals are Linux's")
def test_a_child_that_computes_for_ever_or_is_killed_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.parquet").write_bytes(parquet())
    for signal, error, said in (
        ("SIGXCPU", DataError, "more time was computed than its size explains"),
        ("SIGKILL", FileError, r"was ended from outside \(SIGKILL\)"),
    ):
        program = f"import os, signal; os.kill(os.getpid(), signal.{signal})"
        monkeypatch.setattr("pellucid.data.frames._PROGRAM", program)
        with pytest.raises(error, match=said):
            read_table(tmp_path / "b.parquet")


def test_parquet_is_read_in_a_thread(tmp_path: Path) -> None:
    (tmp_path / "b.parquet").write_bytes(parquet())
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(read_table(tmp_path / "b.parquet")))
    thread.start()
    thread.join()
    (table,) = found
    assert table["t"].kind == "time" and table["s"].texts()[:3] == ["x", "y", None]  # type: ignore[index]
    assert np.isnan(table["a"].values).sum() == 10  # type: ignore[index]


def test_nested_parquet_names_its_column(tmp_path: Path) -> None:
    polars.DataFrame({"n": [[1, 2], [3]]}).write_parquet(tmp_path / "n.parquet")
    with pytest.raises(DataError, match="'n' holds values of type List"):
        read_table(tmp_path / "n.parquet")


def test_gzip_bombs_are_refused_within_bounds(tmp_path: Path) -> None:
    bomb = gzip.compress(b"1,2\n" * 25_000_000)
    file = tmp_path / "bomb.csv.gz"
    file.write_bytes(b"a")
    with pytest.raises(
        DataError, match=r"unpacks to more than 64 MiB, which is the most allowed.*\n.*gunzip"
    ):
        unpack_gzip(bomb, file)


def test_the_bound_of_gzip_follows_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.data.files.available_memory", lambda: 8 * 2**20)
    packed = gzip.compress(np.random.default_rng(0).bytes(2**20 + 1))
    with pytest.raises(DataError, match="more than 1 MiB.*an eighth of the 8 MiB of memory"):
        unpack_gzip(packed, tmp_path / "x.gz")
    assert unpack_gzip(packed[:0] + gzip.compress(b"a" * 10), tmp_path / "x.gz") == b"a" * 10


def test_gzip_of_several_members_and_padding(tmp_path: Path) -> None:
    two = gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n") + b"\0" * 7
    assert unpack_gzip(two, tmp_path / "x.gz") == b"a,b\n1,2\n"


def test_a_file_larger_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.data.tables.available_memory", lambda: 2**20)
    file = tmp_path / "big.csv"
    file.write_bytes(b"a,b\n" + b"1,2\n" * (17 * 2**20))
    with pytest.raises(DataError, match="has 68 MiB, too many for the 1 MiB of memory"):
        read_table(file)
