"""Memory that several processes see, without names: nothing is left behind when they end.

A block is a file without a name (Linux: ``memfd_create``; elsewhere a temporary file that is
removed at once), mapped into the processes that hold its descriptor.  The system frees it with
the last of them, also when they are killed.  Windows has no such files: :data:`AVAILABLE`.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import sys
import weakref
from collections.abc import Sequence
from typing import Any

from pellucid.base.errors import AllocationError

AVAILABLE = sys.platform != "win32" and ctypes.sizeof(ctypes.c_void_p) == 8
"""Whether there are such blocks here."""
ALIGNMENT = 64
"""Bytes to which parts of a block are aligned."""


def new_block(size: int) -> int:
    """The descriptor of a new block of ``size`` bytes, all 0."""
    try:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("pellucid", os.MFD_CLOEXEC)
        else:
            import tempfile  # late: it takes a while, and few systems need it

            descriptor, path = tempfile.mkstemp(prefix="pellucid-")
            os.unlink(path)
        try:
            os.ftruncate(descriptor, max(size, 1))
        except OSError:
            os.close(descriptor)
            raise
    except OSError as error:
        raise AllocationError(
            f"There is no shared memory of {size} bytes: {error.strerror}",
            "Make batches smaller, or allow more open files (ulimit -n).",
        ) from error
    return descriptor


class SharedBytes(ctypes.Array[Any]):
    """What :func:`map_block` maps; arrays that show it have it at the end of their bases."""

    _type_ = ctypes.c_char
    _length_ = 0

    descriptor = -1
    """The block, where it is kept open to be handed to further processes; else −1."""


def map_block(descriptor: int, size: int, keep: bool = False) -> memoryview:
    """The memory of a block, which may be written; mapped as long as something shows it.

    The descriptor may be closed afterwards; with ``keep`` it is closed with the mapping instead,
    and :func:`block_of` finds it.
    """
    library = _library()
    size = max(size, 1)
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    address = library.mmap(None, size, protection, mmap.MAP_SHARED, descriptor, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise AllocationError(
            f"Shared memory of {size} bytes cannot be mapped: {os.strerror(ctypes.get_errno())}",
            "Make batches smaller, or let go of some.",
        )
    kind: Any = type("SharedBytes", (SharedBytes,), {"_length_": size, "_type_": ctypes.c_char})
    memory = kind.from_address(address)
    if keep:
        memory.descriptor = descriptor
    freed = weakref.finalize(memory, _free, library, address, size, descriptor if keep else -1)
    freed.atexit = False
    return memoryview(memory).cast("B")


def _free(library: Any, address: int, size: int, descriptor: int) -> None:
    library.munmap(address, size)
    if descriptor >= 0:
        os.close(descriptor)


@functools.cache
def _library() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    )  # fmt: skip
    library.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return library


def block_of(array: Any) -> SharedBytes | None:
    """The mapped block that an array shows, or None for memory of this process alone."""
    holder = array
    while holder is not None and not isinstance(holder, SharedBytes):
        holder = holder.obj if isinstance(holder, memoryview) else getattr(holder, "base", None)
    return holder


def address_of(block: SharedBytes) -> int:
    """Where a block is mapped."""
    return ctypes.addressof(block)


def places_in_block(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Where parts of these sizes begin in one block, and the size of the block."""
    starts, end = [], 0
    for size in sizes:
        starts.append(end)
        end += -(-size // ALIGNMENT) * ALIGNMENT
    return starts, end


def write_at(descriptor: int, start: int, part: memoryview) -> None:
    """Write bytes into a block."""
    os.lseek(descriptor, start, os.SEEK_SET)
    left = part
    while left.nbytes:
        left = left[os.write(descriptor, left) :]
