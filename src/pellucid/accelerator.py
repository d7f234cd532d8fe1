"""The accelerator of this machine, by PyTorch's newer names: there is none.

>>> import pellucid
>>> device = pellucid.accelerator.current_accelerator() or pellucid.device("cpu")
>>> device
device(type='cpu')

Questions are answered; what needs an accelerator raises ``DeviceError`` (a ``RuntimeError``).
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, NoReturn

from pellucid.base.errors import DeviceError
from pellucid.cuda.memory import empty_cache
from pellucid.tensor.device import Device, DeviceLike


def is_available() -> bool:
    """Whether there is an accelerator: no."""
    return False


def device_count() -> int:
    """How many there are: 0."""
    return 0


def current_accelerator(check_available: bool = False) -> Device | None:
    """The device of the accelerator: None."""
    return None


def _none() -> DeviceError:
    return DeviceError("there is no accelerator: tensors live on the CPU", "ask is_available()")


def current_device_index() -> int:
    """Raises :class:`DeviceError`: there is no accelerator."""
    raise _none()


def set_device_index(device: DeviceLike) -> None:
    """Raises :class:`DeviceError`: there is no accelerator."""
    raise _none()


class device_index:  # noqa: N801  (PyTorch's name)
    """Context manager: the accelerator of that number is the current one inside.

    Entering raises :class:`DeviceError` unless ``device`` is None.
    """

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            raise _none()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


current_device_idx = current_device_index
set_device_idx = set_device_index


def current_stream(device: DeviceLike | None = None) -> NoReturn:
    """Raises :class:`DeviceError`: there is no accelerator with a queue of work."""
    raise _none()


def set_stream(stream: object) -> None:
    """Raises :class:`DeviceError`: there is no accelerator with a queue of work."""
    raise _none()


def get_device_capability(device: DeviceLike | None = None) -> NoReturn:
    """Raises :class:`DeviceError`: there is no accelerator."""
    raise _none()


def synchronize(device: DeviceLike | None = None) -> None:
    """Wait until all its work is done: it is, for there is none."""


def memory_allocated(device: DeviceLike | None = None) -> int:
    """Bytes that tensors occupy on it: 0."""
    return 0


def max_memory_allocated(device: DeviceLike | None = None) -> int:
    """The most bytes that tensors have occupied on it: 0."""
    return 0


def memory_reserved(device: DeviceLike | None = None) -> int:
    """Bytes held on it: 0."""
    return 0


def max_memory_reserved(device: DeviceLike | None = None) -> int:
    """The most bytes that were held on it: 0."""
    return 0


def memory_stats(device: DeviceLike | None = None) -> dict[str, Any]:
    """Numbers about its memory: none."""
    return {}


def reset_peak_memory_stats(device: DeviceLike | None = None) -> None:
    """Forget the largest numbers so far; all are 0."""


def reset_accumulated_memory_stats(device: DeviceLike | None = None) -> None:
    """Forget the sums so far; all are 0."""


__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "current_stream",
    "device_count",
    "device_index",
    "empty_cache",
    "get_device_capability",
    "is_available",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_accumulated_memory_stats",
    "reset_peak_memory_stats",
    "set_device_idx",
    "set_device_index",
    "set_stream",
    "synchronize",
]


def __dir__() -> list[str]:
    return sorted(__all__)
