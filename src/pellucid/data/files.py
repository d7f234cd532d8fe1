"""Bytes of files that may be missing, damaged or made to exhaust the memory."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from pellucid.base.errors import DataError, FileError
from pellucid.data.columns import nearest_names

__all__ = ["available_memory", "read_bytes", "unpack_gzip"]

# Tables pack to a third or a thirtieth, seldom to a hundredth; gzip's own limit is a thousandth.
MAX_RATIO = 200
FREE_BYTES = 64 * 2**20
# A table takes about six times its text while it is read.
MEMORY_SHARE = 8
_BLOCK = 1 << 20


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file, with a ``FileError`` that says what is in the way."""
    file = Path(path)
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise FileError(f"There is no file {file}", _hint_for_missing(file)) from None
    except IsADirectoryError:
        raise FileError(
            f"{file} is a folder, a file was expected", "Name one file inside it."
        ) from None
    except PermissionError:
        raise FileError(
            f"{file} may not be read (permission denied)",
            "Change the file's permissions, or copy it to a place that you may read.",
        ) from None
    except (OSError, ValueError) as error:
        raise FileError(
            f"{str(file)!r} cannot be read: {error}", "Check the path and the disk."
        ) from None


def _hint_for_missing(file: Path) -> str:
    try:
        names = sorted(entry.name for entry in file.parent.iterdir())
    except OSError:
        return f"There is no folder {file.parent} either; check the path."
    return f"In {file.parent}: " + nearest_names(file.name, names)


def available_memory() -> int:
    """Bytes of memory that this process may still take: of the machine, its control group and
    its own limit, the least that can be found out; 8 GiB where nothing can."""
    found = [8 * 2**30]
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found = [int(line.split()[1]) * 1024]
    except (OSError, ValueError, IndexError):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        most = (group / "memory.max").read_text().strip()
        if most.isdecimal():
            used = int((group / "memory.current").read_text())
            found.append(max(0, int(most) - used))
    except (OSError, ValueError):
        pass
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            found.append(max(0, limit - pages * resource.getpagesize()))
    except (ImportError, OSError, ValueError, IndexError):
        pass
    return min(found)


def unpack_gzip(data: bytes, file: Path) -> bytes:
    """Unpacks gzip; ``DataError`` where it is truncated, damaged, or larger than it may be.

    The content may have 200 times the packed size (64 MiB in any case) and an eighth of the
    memory that is available.  Nothing larger is ever held.
    """
    by_memory = available_memory() // MEMORY_SHARE
    by_size = max(FREE_BYTES, MAX_RATIO * len(data))
    limit = min(by_memory, by_size)
    parts: list[bytes] = []
    total, rest = 0, data
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                block = member.decompress(rest, min(_BLOCK, limit - total + 1))
                rest = member.unconsumed_tail
                total += len(block)
                parts.append(block)
                if total > limit:
                    raise _too_large(file, len(data), limit, by_memory)
                if not block and not rest and not member.eof:
                    raise DataError(
                        f"{file} is a truncated gzip file: it ends after {len(data)} bytes, "
                        "before its end marker",
                        "Download or copy the file again.",
                    )
            rest = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise DataError(
            f"{file} is a damaged gzip file: {error}", "Download or copy the file again."
        ) from None
    return b"".join(parts)


def _too_large(file: Path, packed: int, limit: int, by_memory: int) -> DataError:
    why = (
        f"an eighth of the {by_memory * MEMORY_SHARE / 2**20:,.0f} MiB of memory available"
        if limit == by_memory
        else f"{MAX_RATIO} times its packed size of {packed:,} bytes, and at least 64 MiB"
    )
    return DataError(
        f"{file} unpacks to more than {limit / 2**20:,.0f} MiB, which is the most allowed ({why})",
        "If the file is what it should be, unpack it with gunzip and give the unpacked file, or "
        "fewer rows.",
    )
