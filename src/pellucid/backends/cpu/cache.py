"""Object code kept on disk, so that a second start of the same program compiles nothing.

One file holds the object code of one kernel under the SHA-256 of everything that went into it.
A file is trusted only after its length and checksum were verified, and only out of a folder that
belongs to this user and that nobody else can write: its content is executed.  Whatever goes
wrong (a read-only or full disk, a damaged file, a foreign owner) costs time, never correctness:
the entry is deleted or ignored and the kernel is compiled again.

Layout of an entry, little-endian::

    16 bytes  magic and format version
    32 bytes  key (SHA-256, also the file's name in hexadecimal)
     8 bytes  length of the object code
    32 bytes  SHA-256 of the object code
     n bytes  object code
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import struct
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT_NAME = "PELLUCID_CACHE"
"""Environment variable with the cache folder; empty or ``0`` switches the cache off."""

LIMIT_BYTES = 512 * 2**20
"""Largest total size of the cache; beyond it the least recently used entries are deleted."""

MAGIC = b"pellucid-object\x01"
_HEADER = struct.Struct("<16s32sQ32s")
_SUFFIX = ".object"
_TEMPORARY = ".writing-"
_LARGEST_ENTRY = 64 * 2**20
_TOUCH_SECONDS = 3600.0
_ABANDONED_SECONDS = 3600.0

_LOOK_BYTES = LIMIT_BYTES // 64
"""So much is written between two looks at the whole folder, which takes microseconds an entry."""

_warned: set[str] = set()


class _Written:
    """How much this process has written since it last looked at the whole folder."""

    def __init__(self) -> None:
        self._bytes = 0
        self._due = 1
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._bytes += count

    def is_due(self) -> bool:
        """Whether it is time to look; the count then begins again."""
        with self._lock:
            if self._bytes < self._due:
                return False
            self._bytes, self._due = 0, _LOOK_BYTES
            return True


_written = _Written()


class CacheState(NamedTuple):
    """What the code cache holds now.

    ``path`` is the folder, or None when the cache is off; ``entries`` the number of kernels;
    ``bytes`` their size on disk; ``limit`` the size in bytes that the cache keeps below.
    """

    path: Path | None
    entries: int
    bytes: int
    limit: int


def cache_directory() -> Path | None:
    """Folder of the cache, which need not exist yet; None when the cache is switched off.

    ``PELLUCID_CACHE`` if it is set, else ``$XDG_CACHE_HOME/pellucid`` or ``~/.cache/pellucid``
    (Linux), ``~/Library/Caches/pellucid`` (macOS), ``%LOCALAPPDATA%\\pellucid\\Cache`` (Windows).
    """
    chosen = os.environ.get(ENVIRONMENT_NAME)
    if chosen is not None:
        return Path(chosen).expanduser() if chosen not in ("", "0") else None
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / "pellucid" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "pellucid"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path there is to be ignored.
    return (Path(base) if os.path.isabs(base) else home / ".cache") / "pellucid"


def read_object(key: bytes) -> bytes | None:
    """Object code stored under the 32-byte ``key``, or None.

    A damaged, truncated, oversized or foreign entry is deleted and counts as absent.
    """
    folder = _usable_folder(create=False)
    if folder is None:
        return None
    path = folder / (key.hex() + _SUFFIX)
    try:
        entry, modified = _read_file(path)
    except FileNotFoundError:
        return None
    except OSError:
        entry, modified = b"", 0.0
    content = _checked(key, entry)
    if content is None:
        _delete(path)
    elif time.time() - modified > _TOUCH_SECONDS:
        with contextlib.suppress(OSError):
            os.utime(path)  # the order of use is the order of eviction
    return content


def write_object(key: bytes, content: bytes) -> bool:
    """Store ``content`` under the 32-byte ``key``; False when it could not be stored.

    Readers see the whole entry or none: it is written to a temporary file in the same folder and
    renamed.  It is not flushed to the disk, which would cost a compilation a tenth of its time:
    what a crash of the machine leaves of an entry is no entry by its length or checksum.
    """
    if len(content) > _LARGEST_ENTRY:
        return False
    folder = _usable_folder(create=True)
    if folder is None:
        return False
    temporary = folder / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
    header = _HEADER.pack(MAGIC, key, len(content), hashlib.sha256(content).digest())
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _open_flags()
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(header + content)
        os.replace(temporary, folder / (key.hex() + _SUFFIX))
        _written.add(len(content))
    except OSError as error:
        _delete(temporary)
        _warn(f"{folder} cannot be written ({error.strerror or error})")
        return False
    return True


def trim_cache_at_times() -> int:
    """:func:`trim_cache` after the first entries that a process writes, then every 8 MiB.

    The cache may be larger than its limit by that much for each process.
    """
    return trim_cache() if _written.is_due() else 0


def trim_cache(limit: int = LIMIT_BYTES) -> int:
    """Delete the least recently used entries until the cache is at most ``limit`` bytes large.

    Also deletes files that a killed process left half-written more than an hour ago.  Returns
    the number of deleted files.
    """
    folder = _usable_folder(create=False)
    if folder is None:
        return 0
    entries = sorted((s.st_mtime, s.st_size, path) for path, s in _files(folder, _SUFFIX))
    total = sum(size for _, size, _ in entries)
    doomed = []
    for _, size, path in entries:
        if total <= limit:
            break
        doomed.append(path)
        total -= size
    oldest = time.time() - _ABANDONED_SECONDS
    doomed += [path for path, s in _files(folder, "") if s.st_mtime < oldest]
    return sum(_delete(path) for path in doomed)


def cache_state() -> CacheState:
    """Folder, number of entries, size in bytes and size limit of the cache."""
    root = cache_directory()
    if root is None:
        return CacheState(None, 0, 0, LIMIT_BYTES)
    sizes = [s.st_size for _, s in _files(root / "objects", _SUFFIX)]
    return CacheState(root, len(sizes), sum(sizes), LIMIT_BYTES)


def clear_cache() -> int:
    """Delete every entry, also half-written ones; returns how many files were deleted."""
    root = cache_directory()
    if root is None:
        return 0
    found = [*_files(root / "objects", _SUFFIX), *_files(root / "objects", "")]
    return sum(_delete(path) for path, _ in found)


def _checked(key: bytes, data: bytes) -> bytes | None:
    """Object code out of an entry's bytes, or None unless every field is right."""
    if len(data) < _HEADER.size:
        return None
    magic, stored_key, length, checksum = _HEADER.unpack_from(data)
    content = data[_HEADER.size :]
    if magic != MAGIC or stored_key != key or length != len(content) or length > _LARGEST_ENTRY:
        return None
    return content if hashlib.sha256(content).digest() == checksum else None


def _read_file(path: Path) -> tuple[bytes, float]:
    """Bytes (a little more than the largest entry at most) and change time of a regular file."""
    descriptor = os.open(path, os.O_RDONLY | _open_flags())
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(_HEADER.size + _LARGEST_ENTRY + 1), status.st_mtime
    finally:
        os.close(descriptor)


def _usable_folder(create: bool) -> Path | None:
    """Folder of the entries if it can be trusted, made when ``create`` says so; else None."""
    root = cache_directory()
    if root is None:
        return None
    folder = root / "objects"
    try:
        if create:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        # Private groups make 0775 a common mode for folders that users create themselves; the
        # folder inside it is ours, and a foreign one put in its place has another owner.
        problem = _distrust(root, stat.S_IWOTH) or _distrust(folder, stat.S_IWOTH | stat.S_IWGRP)
    except FileNotFoundError:
        return None
    except OSError as error:
        if create or not isinstance(error, NotADirectoryError):
            _warn(f"{folder} cannot be used ({error.strerror or error})")
        return None
    if problem:
        _warn(problem)
        return None
    return folder


def _distrust(folder: Path, forbidden: int) -> str:
    """Why code from ``folder`` must not be executed; empty when it may be.

    ``forbidden`` are the permission bits that must not be set.
    """
    status = os.stat(folder)
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is not a folder"
    if sys.platform == "win32":
        return ""  # the profile folder's access list already excludes other users
    if status.st_uid != os.getuid():
        return f"{folder} belongs to another user (id {status.st_uid})"
    if status.st_mode & forbidden:
        return f"{folder} can be written by other users (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""


def _files(folder: Path, suffix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Entries (``suffix`` given) or temporary files (empty ``suffix``) of ``folder``."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(suffix) if suffix else name.startswith(_TEMPORARY):
                with contextlib.suppress(OSError):  # another process may have deleted it meanwhile
                    yield entry.path, entry.stat(follow_symlinks=False)


def _open_flags() -> int:
    """Flags of ``open``: no symbolic links, no waiting for a pipe, no translation of bytes."""
    names = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")
    return sum(getattr(os, name, 0) for name in names)


def _delete(path: Path | str) -> bool:
    """Delete a file if that is possible; whether it was."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _warn(problem: str) -> None:
    """Say once per problem that kernels are not kept."""
    if problem in _warned:
        return
    _warned.add(problem)
    warnings.warn(
        f"Compiled kernels are not kept between runs: {problem}. Pellucid works without its "
        f"cache, but compiles at every start. Set {ENVIRONMENT_NAME} to a folder that only you "
        f"can write, or to 0 to switch the cache off.",
        RuntimeWarning,
        stacklevel=2,
    )
