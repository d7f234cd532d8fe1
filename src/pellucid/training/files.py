"""Files that are either complete or absent, whenever the process is killed.

A file is written under another name, flushed to the disk and renamed; a folder is filled beside
its place and renamed when everything is in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from pellucid.base.errors import FileError, RunFolderError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux's renameat2


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns the operating system's errors while writing ``path`` into ``FileError``."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise explain(path, error) from error


def explain(path: Path, error: OSError) -> FileError:
    """The ``FileError`` that says what an error of the operating system means for ``path``."""
    if error.errno in _NO_SPACE:
        return FileError(
            f"There is no space left on the disk for {path}",
            "Free some space, or choose another place with --output.",
        )
    if error.errno in _FORBIDDEN:
        return FileError(
            f"{path} cannot be written: {error.strerror}",
            "The folder is read-only for you: choose another place with --output.",
        )
    return FileError(
        f"{path} cannot be written: {error.strerror or error}",
        "Check the path, or choose another place with --output.",
    )


def no_space(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, says that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return True
        error = error.__cause__
    return False


def hold(handle: int) -> None:
    """Locks a file that this process writes, where the system can; :func:`held` asks for it."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def held(path: Path) -> bool | None:
    """Whether a process that lives holds the file; None where the system cannot say."""
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False


def write_file(path: Path, *parts: bytes | memoryview) -> None:
    """Puts ``parts``, one after the other, at ``path`` in one step: readers see the old file or the
    new one, whole.

    Raises ``FileError`` when it cannot be written; the old file then stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with explained(path):
        try:
            with open(temporary, "xb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Makes renames inside ``folder`` durable where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_limited(path: Path, limit: int, exactly: int | None = None) -> bytes:
    """The content of a regular file of at most ``limit`` bytes (and of ``exactly`` so many).

    Links, devices and pipes are refused, so that a folder from elsewhere cannot make the program
    read other files or wait for ever.  Raises ``RunFolderError``.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise RunFolderError(
            f"{path.parent} holds no {path.name}", "A run folder is made by: pellucid train"
        ) from None
    except OSError as error:
        what = "is a link" if error.errno in (errno.ELOOP, errno.EMLINK) else "cannot be opened"
        raise RunFolderError(
            f"{path} {what}", "A run folder holds plain files only: train again, or copy them."
        ) from None
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise RunFolderError(f"{path} is not a plain file", "Train again, or restore it.")
    with open(handle, "rb") as file:
        if facts.st_size > limit or (exactly is not None and facts.st_size != exactly):
            wanted = f"at most {limit:,}" if exactly is None else f"{exactly:,}"
            raise RunFolderError(
                f"{path} has {facts.st_size:,} bytes, {wanted} were expected",
                "The file is damaged or does not belong to this run: train again, or restore it.",
            )
        content = file.read(facts.st_size + 1)
    if len(content) != facts.st_size:
        raise RunFolderError(f"{path} changed while it was read", "Try again.")
    return content


def exchange(first: Path, second: Path) -> bool:
    """Swaps two folders in one step where the system can (Linux); says whether it did."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here = -100  # AT_FDCWD
    result = rename(here, os.fsencode(first), here, os.fsencode(second), _EXCHANGE)
    return bool(result == 0)
