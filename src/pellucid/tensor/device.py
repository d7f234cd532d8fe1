"""Where tensors live: the CPU.  Other places are refused by name, wherever one can be given."""

from __future__ import annotations

from typing import TypeAlias

from pellucid.base.errors import DeviceError


class Device:
    """Where a tensor lives; here always the CPU.

    ``Device("cpu")``, ``Device("cpu:0")`` and ``Device("cpu", 0)`` are equal; any other name
    raises :class:`~pellucid.base.errors.DeviceError`, which is a ``RuntimeError``.
    """

    type = "cpu"
    index = None

    def __init__(self, type: str | Device = "cpu", index: int | None = None) -> None:
        check_device(type)
        if index not in (None, 0):
            raise DeviceError(
                f"there is no device 'cpu:{index}': tensors live on the CPU, which is one device",
                'use "cpu"',
            )

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"

    def __eq__(self, other: object) -> bool:
        return str(other) == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")


DeviceLike: TypeAlias = Device | str
"""A device, or its name."""


def check_device(device: object) -> None:
    """Raise :class:`DeviceError` for anything but None, "cpu", "cpu:0" and :class:`Device`."""
    if device is None or isinstance(device, Device):
        return
    if isinstance(device, str) and device in ("cpu", "cpu:0"):
        return
    raise DeviceError(
        f"there is no device {device!r}: only the CPU exists here",
        'tensors live on "cpu"; leave out device= or pass "cpu"',
    )
