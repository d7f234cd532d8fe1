"""Order of work on graphics processors.  There is no such work, so that waiting ends at once."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from pellucid.tensor.device import DeviceLike, absent


class Stream:
    """A queue of work for a graphics processor; making one raises :class:`DeviceError`."""

    def __init__(self, device: DeviceLike | None = None, priority: int = 0) -> None:
        raise absent("cuda" if device is None else device)


class ExternalStream(Stream):
    """A queue that another library made; making one raises :class:`DeviceError`."""


class Event:
    """A moment in a queue of work; making one raises :class:`DeviceError`.

    Times are measured by ``time.perf_counter``: here, a result is there when the call returns.
    """

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        raise absent("cuda")


class StreamContext:
    """Context manager that puts the work inside into a queue; there is none, so nothing changes."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


def stream(stream: Any) -> StreamContext:
    """The context manager in which work goes to ``stream``; None leaves everything as it is."""
    return StreamContext(stream)


def set_stream(stream: Any) -> None:
    """Accepted for None, which leaves everything as it is."""
    if stream is not None:
        raise absent("cuda")


def current_stream(device: DeviceLike | None = None) -> Stream:
    """Raises :class:`DeviceError`: there is no queue of work."""
    raise absent("cuda" if device is None else device)


def default_stream(device: DeviceLike | None = None) -> Stream:
    """Raises :class:`DeviceError`: there is no queue of work."""
    raise absent("cuda" if device is None else device)


def synchronize(device: DeviceLike | None = None) -> None:
    """Wait until all work on graphics processors is done: it is, for there is none.

    PyTorch without CUDA raises here; waiting for nothing does no harm.
    """
