"""The device that tensors live on, by the names that other devices have too."""

from __future__ import annotations

from pellucid.cuda.streams import StreamContext
from pellucid.tensor.device import DeviceLike


def is_available() -> bool:
    """Whether tensors can live on the CPU: yes."""
    return True


def device_count() -> int:
    """How many there are for tensors: one, with all its cores."""
    return 1


def is_initialized() -> bool:
    """Whether it is in use: yes."""
    return True


def current_device() -> str:
    """Its name: ``"cpu"``."""
    return "cpu"


def set_device(device: DeviceLike) -> None:
    """Accepted: there is one."""


def synchronize(device: DeviceLike | None = None) -> None:
    """Wait until all its work is done: it is, when a call has returned."""


def stream(stream: object) -> StreamContext:
    """A context manager that changes nothing: work is done in the order of the program."""
    return StreamContext(stream)


__all__ = [
    "current_device",
    "device_count",
    "is_available",
    "is_initialized",
    "set_device",
    "stream",
    "synchronize",
]


def __dir__() -> list[str]:
    return sorted(__all__)
