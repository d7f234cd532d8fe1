"""The memory of graphics processors: none, of which nothing is used.

Numbers are 0, so that programs which print them run; ``device`` is accepted and not looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pellucid.tensor.device import DeviceLike, absent


def empty_cache() -> None:
    """Give memory back that is held and not used; there is none."""


def ipc_collect() -> None:
    """Give memory back that other processes have used; there is none."""


def memory_allocated(device: DeviceLike | None = None) -> int:
    """Bytes that tensors occupy on a graphics processor: 0."""
    return 0


def max_memory_allocated(device: DeviceLike | None = None) -> int:
    """The most bytes that tensors have occupied on a graphics processor: 0."""
    return 0


def memory_reserved(device: DeviceLike | None = None) -> int:
    """Bytes held on a graphics processor: 0."""
    return 0


def max_memory_reserved(device: DeviceLike | None = None) -> int:
    """The most bytes that were held on a graphics processor: 0."""
    return 0


memory_cached = memory_reserved
max_memory_cached = max_memory_reserved


def reset_peak_memory_stats(device: DeviceLike | None = None) -> None:
    """Forget the largest numbers so far; all are 0."""


reset_max_memory_allocated = reset_peak_memory_stats
reset_max_memory_cached = reset_peak_memory_stats
reset_accumulated_memory_stats = reset_peak_memory_stats


def memory_stats(device: DeviceLike | None = None) -> OrderedDict[str, Any]:
    """Numbers about a graphics processor's memory: none."""
    return OrderedDict()


def memory_snapshot() -> list[Any]:
    """The blocks of memory that are held on graphics processors: none."""
    return []


def memory_summary(device: DeviceLike | None = None, abbreviated: bool = False) -> str:
    """A line that says that there is no graphics processor whose memory could be told about."""
    return "No graphics processor: tensors live in the memory of the CPU."


def mem_get_info(device: DeviceLike | None = None) -> tuple[int, int]:
    """Raises :class:`DeviceError`: free and whole memory of a processor that is not there."""
    raise absent("cuda" if device is None else device)


def memory_usage(device: DeviceLike | None = None) -> int:
    """Raises :class:`DeviceError`: how busy is the memory of a processor that is not there."""
    raise absent("cuda" if device is None else device)


def utilization(device: DeviceLike | None = None) -> int:
    """Raises :class:`DeviceError`: how busy is a processor that is not there."""
    raise absent("cuda" if device is None else device)


def set_per_process_memory_fraction(fraction: float, device: DeviceLike | None = None) -> None:
    """Raises :class:`DeviceError`: there is no memory to have a share of."""
    raise absent("cuda" if device is None else device)


def get_allocator_backend() -> str:
    """How memory of graphics processors would be shared out; PyTorch's name for it."""
    return "native"


def caching_allocator_alloc(
    size: int, device: DeviceLike | None = None, stream: object = None
) -> int:
    """Raises :class:`DeviceError`: there is no memory to be had."""
    raise absent("cuda" if device is None else device)


def caching_allocator_delete(mem_ptr: int) -> None:
    """Raises :class:`DeviceError`: no memory was given that could be taken back."""
    raise absent("cuda")
