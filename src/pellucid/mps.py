"""What programs tell Apple's graphics processors: there is nobody to listen.

Questions have their answers, seeds and waiting are accepted, the rest raises ``DeviceError``.
"""

from __future__ import annotations

from pellucid.cuda.memory import empty_cache
from pellucid.cuda.random import manual_seed, seed
from pellucid.cuda.streams import synchronize
from pellucid.tensor.device import absent
from pellucid.tensor.tensor import Tensor


def is_available() -> bool:
    """Whether tensors can live there: no."""
    return False


def device_count() -> int:
    """How many there are: 0."""
    return 0


def current_allocated_memory() -> int:
    """Bytes that tensors occupy there: 0."""
    return 0


def driver_allocated_memory() -> int:
    """Bytes held there: 0."""
    return 0


def recommended_max_memory() -> int:
    """Bytes that could be used there: 0."""
    return 0


def set_per_process_memory_fraction(fraction: float) -> None:
    """Raises :class:`DeviceError`: there is no memory to have a share of."""
    raise absent("mps")


def get_rng_state() -> Tensor:
    """Raises :class:`DeviceError`: there is no generator."""
    raise absent("mps")


def set_rng_state(new_state: Tensor) -> None:
    """Raises :class:`DeviceError`: there is no generator."""
    raise absent("mps")


__all__ = [
    "current_allocated_memory",
    "device_count",
    "driver_allocated_memory",
    "empty_cache",
    "get_rng_state",
    "is_available",
    "manual_seed",
    "recommended_max_memory",
    "seed",
    "set_per_process_memory_fraction",
    "set_rng_state",
    "synchronize",
]


def __dir__() -> list[str]:
    return sorted(__all__)
