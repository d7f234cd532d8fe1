"""The code cache on disk: what is stored comes back whole or not at all."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from pellucid.backends.cpu import cache

KEY = hashlib.sha256(b"some kernel").digest()
CONTENT = bytes(range(256)) * 20
HEADER_BYTES = 16 + 32 + 8 + 32

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
not_root = pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() == 0, reason="root may write everywhere"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the answer is the folder its entries go to."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", set())
    return tmp_path / "cache" / "objects"


def only_entry(folder: Path) -> Path:
    (path,) = folder.glob("*.object")
    return path


def test_what_is_written_is_read(folder: Path) -> None:
    assert cache.read_object(KEY) is None
    assert cache.write_object(KEY, CONTENT)
    assert cache.read_object(KEY) == CONTENT
    assert cache.read_object(hashlib.sha256(b"other").digest()) is None
    assert cache.write_object(KEY, b"")
    assert cache.read_object(KEY) == b""


def test_layout_is_the_documented_one(folder: Path) -> None:
    cache.write_object(KEY, CONTENT)
    path = only_entry(folder)
    assert path.name == KEY.hex() + ".object"
    expected = struct.pack("<16s32sQ", b"pellucid-object\x01", KEY, len(CONTENT))
    assert path.read_bytes() == expected + hashlib.sha256(CONTENT).digest() + CONTENT


@posix
def test_only_the_owner_may_enter(folder: Path) -> None:
    cache.write_object(KEY, CONTENT)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(only_entry(folder).stat().st_mode) == 0o600


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


DAMAGE = {
    "magic": lambda d: flip(d, 0),
    "format version": lambda d: flip(d, 15),
    "key": lambda d: flip(d, 16),
    "length": lambda d: flip(d, 48),
    "checksum": lambda d: flip(d, 56),
    "first byte of the code": lambda d: flip(d, HEADER_BYTES),
    "last byte of the code": lambda d: flip(d, len(d) - 1),
    "truncated code": lambda d: d[:-1],
    "truncated header": lambda d: d[: HEADER_BYTES - 1],
    "empty file": lambda d: b"",
    "trailing byte": lambda d: d + b"\0",
    "huge declared length": lambda d: d[:48] + struct.pack("<Q", 2**63) + d[56:],
    "another kernel's entry": lambda d: d[:16] + hashlib.sha256(b"x").digest() + d[48:],
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_entry_is_deleted_and_rebuilt(folder: Path, name: str) -> None:
    cache.write_object(KEY, CONTENT)
    path = only_entry(folder)
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    assert cache.read_object(KEY) is None
    assert not path.exists()
    assert cache.write_object(KEY, CONTENT)
    assert cache.read_object(KEY) == CONTENT


@posix
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_not_a_file_is_not_read(folder: Path, tmp_path: Path, kind: str) -> None:
    cache.write_object(KEY, CONTENT)
    path = only_entry(folder)
    target = tmp_path / "elsewhere"
    path.rename(target)
    if kind == "link":
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert cache.read_object(KEY) is None


def test_too_large_an_object_is_not_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_LARGEST_ENTRY", 100)
    assert not cache.write_object(KEY, bytes(101))
    assert cache.write_object(KEY, bytes(100))


@pytest.mark.parametrize("value", ["", "0"])
def test_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PELLUCID_CACHE", value)
    assert cache.cache_directory() is None
    assert not cache.write_object(KEY, CONTENT)
    assert cache.read_object(KEY) is None
    assert cache.cache_state() == (None, 0, 0, cache.LIMIT_BYTES)
    assert cache.clear_cache() == 0
    assert cache.trim_cache() == 0
    assert list(tmp_path.iterdir()) == []


def test_default_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PELLUCID_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    expected = {
        "linux": tmp_path / ".cache" / "pellucid",
        "darwin": tmp_path / "Library" / "Caches" / "pellucid",
        "win32": tmp_path / "Local" / "pellucid" / "Cache",
    }
    for platform, path in expected.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache.cache_directory() == path
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache.cache_directory() == expected["linux"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_directory() == tmp_path / "xdg" / "pellucid"


def test_state_and_clear(folder: Path) -> None:
    assert cache.cache_state() == (folder.parent, 0, 0, cache.LIMIT_BYTES)
    keys = [hashlib.sha256(bytes([i])).digest() for i in range(3)]
    for key in keys:
        cache.write_object(key, CONTENT)
    (folder / "notes.txt").write_text("not ours")
    size = 3 * (HEADER_BYTES + len(CONTENT))
    assert cache.cache_state() == (folder.parent, 3, size, cache.LIMIT_BYTES)
    assert cache.clear_cache() == 3
    assert cache.cache_state().entries == 0
    assert (folder / "notes.txt").exists()


def test_least_recently_used_entries_go_first(folder: Path) -> None:
    keys = [hashlib.sha256(bytes([i])).digest() for i in range(4)]
    now = time.time()
    for age, key in zip((50_000, 40_000, 30_000, 20_000), keys, strict=True):
        cache.write_object(key, CONTENT)
        os.utime(folder / f"{key.hex()}.object", (now - age, now - age))
    assert cache.read_object(keys[0]) == CONTENT  # the oldest becomes the youngest
    entry = HEADER_BYTES + len(CONTENT)
    assert cache.trim_cache(limit=2 * entry) == 2
    kept = [cache.read_object(key) is not None for key in keys]
    assert kept == [True, False, False, True]
    assert cache.trim_cache(limit=2 * entry) == 0


def test_the_folder_is_looked_at_first_and_then_at_times(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(cache, "_written", cache._Written())
    monkeypatch.setattr(cache, "_LOOK_BYTES", 5000)
    monkeypatch.setattr(cache, "trim_cache", lambda: looks.append(step) or 0)
    for step in range(20):
        cache.trim_cache_at_times()
        cache.write_object(hashlib.sha256(bytes([step])).digest(), bytes(1000))
    assert looks == [1, 6, 11, 16]


def test_killed_writer_leaves_nothing_for_long(folder: Path) -> None:
    script = (
        "import os, signal\n"
        "from pellucid.backends.cpu import cache\n"
        "os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"cache.write_object({KEY!r}, bytes(1000))\n"
    )
    if sys.platform == "win32":
        pytest.skip("needs SIGKILL")
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    (left,) = folder.iterdir()
    assert cache.read_object(KEY) is None
    assert cache.trim_cache() == 0, "it could belong to a process that still writes"
    assert left.exists()
    old = time.time() - 4000
    os.utime(left, (old, old))
    assert cache.trim_cache() == 1
    assert list(folder.iterdir()) == []


def test_many_processes_write_the_same_key(folder: Path) -> None:
    script = (
        "from pellucid.backends.cpu import cache\n"
        f"key, content = {KEY!r}, bytes(range(256)) * 400\n"
        "for _ in range(60):\n"
        "    assert cache.write_object(key, content)\n"
        "    assert cache.read_object(key) in (content, None)\n"
        "    assert cache.trim_cache() == 0\n"
    )
    processes = [subprocess.Popen([sys.executable, "-W", "error", "-c", script]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert cache.read_object(KEY) == bytes(range(256)) * 400
    assert len(list(folder.iterdir())) == 1


@posix
def test_folder_that_others_can_write_is_refused(folder: Path) -> None:
    cache.write_object(KEY, CONTENT)
    folder.parent.chmod(0o777)
    with pytest.warns(RuntimeWarning, match=r"can be written by other users \(mode 0777\)"):
        assert cache.read_object(KEY) is None
    assert not cache.write_object(KEY, CONTENT)
    folder.parent.chmod(0o775)
    assert cache.read_object(KEY) == CONTENT
    folder.chmod(0o770)
    with pytest.warns(RuntimeWarning, match="Set PELLUCID_CACHE to a folder that only you"):
        assert cache.read_object(KEY) is None


@posix
def test_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_object(KEY, CONTENT)
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert cache.read_object(KEY) is None


def test_full_disk_costs_one_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(RuntimeWarning, match="cannot be written .No space left on device"):
        assert not cache.write_object(KEY, CONTENT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not cache.write_object(KEY, CONTENT)
    assert list(folder.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(cache, "_warned", set())
    assert cache.read_object(KEY) is None
    with pytest.warns(RuntimeWarning, match="Pellucid works without its cache"):
        assert not cache.write_object(KEY, CONTENT)


@not_root
def test_read_only_folder_still_serves(folder: Path) -> None:
    cache.write_object(KEY, CONTENT)
    folder.chmod(0o500)
    try:
        assert cache.read_object(KEY) == CONTENT
        with pytest.warns(RuntimeWarning, match="cannot be written"):
            assert not cache.write_object(hashlib.sha256(b"new").digest(), CONTENT)
    finally:
        folder.chmod(0o700)
