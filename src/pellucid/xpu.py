"""What programs ask about Intel's graphics processors, and tell them: there are none."""

from __future__ import annotations

from pellucid.cuda.memory import (
    empty_cache,
    max_memory_allocated,
    max_memory_reserved,
    memory_allocated,
    memory_reserved,
    memory_stats,
    reset_peak_memory_stats,
)
from pellucid.cuda.random import get_rng_state_all, manual_seed, manual_seed_all, seed, seed_all
from pellucid.cuda.streams import synchronize
from pellucid.tensor.device import DeviceLike, absent


def is_available() -> bool:
    """Whether tensors can live on one: no."""
    return False


def device_count() -> int:
    """How many there are: 0."""
    return 0


def is_initialized() -> bool:
    """Whether one is in use: no."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether one computes in bfloat16: there is none."""
    return False


def current_device() -> int:
    """Raises :class:`DeviceError`: none is the current one."""
    raise absent("xpu")


def set_device(device: DeviceLike) -> None:
    """Raises :class:`DeviceError`: there is none to choose."""
    raise absent(device if isinstance(device, str) else "xpu")


def get_device_name(device: DeviceLike | None = None) -> str:
    """Raises :class:`DeviceError`: there is none to name."""
    raise absent("xpu")


__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "get_rng_state_all",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "synchronize",
]


def __dir__() -> list[str]:
    return sorted(__all__)
