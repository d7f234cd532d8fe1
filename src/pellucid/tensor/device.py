"""Where tensors live: the CPU.  Other devices can be named, compared and asked about; whatever
would put a tensor there refuses, by name.
"""

from __future__ import annotations

import builtins
import re
from types import TracebackType
from typing import Any, TypeAlias

from pellucid.base.errors import ArgumentTypeError, DeviceError
from pellucid.tensor.state import state

KINDS = (
    "cpu cuda ipu xpu mkldnn opengl opencl ideep hip ve fpga maia xla lazy vulkan mps meta hpu "
    "mtia privateuseone"
).split()
"""The kinds of devices that PyTorch has names for."""


class Device:
    """The name of a device: ``Device("cuda:1")``, ``Device("cuda", 1)``, ``Device("cpu")``.

    ``type`` is the kind ("cpu", "cuda", "mps", ...), ``index`` its number or None.  Two are equal
    if both are, so "cpu" and "cpu:0" differ, as in PyTorch.  Naming a device that does not exist
    here is no mistake; putting a tensor there raises
    :class:`~pellucid.base.errors.DeviceError`, a ``RuntimeError`` and an ``AssertionError``.

    As a context manager (``with device:``) it is the device of all tensors that are made inside
    without one.
    """

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __init__(self, type: str | int | Device = "cpu", index: int | None = None) -> None:
        if isinstance(type, Device):
            self.type, self.index = type.type, type.index
            return
        if isinstance(type, int):
            raise DeviceError(
                f"device {type} names an accelerator by number, and there is none",
                'tensors live on "cpu"',
            )
        if not isinstance(type, str):
            raise ArgumentTypeError(f"a device was named by {type!r}", 'use a text such as "cpu"')
        found = re.fullmatch(r"([a-z]+)(?::(0|[1-9][0-9]*))?", type)
        if found is None or found[1] not in KINDS:
            raise absent(type, f"there are names for the devices {', '.join(KINDS)}")
        if found[2] is not None and index is not None:
            raise DeviceError(
                f"device {type!r} got an index beside it: {index}", "give one of them"
            )
        if index is not None and index < 0:
            raise DeviceError(f"device {type!r} got the index {index}", "indices start at 0")
        self.type = found[1]
        self.index = index if found[2] is None else int(found[2])

    def __repr__(self) -> str:
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Device):
            return NotImplemented
        return (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return Device, (self.type, self.index)

    def __enter__(self) -> Device:
        state.devices = (*state.devices, self)
        return self

    def __exit__(
        self,
        kind: builtins.type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state.devices = state.devices[:-1]


DeviceLike: TypeAlias = Device | str | int
"""A device, its name, or the number of an accelerator."""


def absent(
    device: object, hint: str = 'tensors live on "cpu"; leave out device= or pass "cpu"'
) -> DeviceError:
    """The error for the use of a device that is not there."""
    named = str(device) if isinstance(device, Device) else device
    return DeviceError(f"there is no device {named!r}: only the CPU exists here", hint)


def check_device(device: object) -> None:
    """Raise :class:`DeviceError` for anything but the CPU; None stands for the default device."""
    if device is None:
        if not state.devices:
            return
        device = state.devices[-1]
    elif device == "cpu":
        return
    elif isinstance(device, (str, int)):
        try:
            device = Device(device)
        except DeviceError as error:
            raise absent(device) from error
    if not isinstance(device, Device):
        raise ArgumentTypeError(f"device={device!r} is no device", 'pass "cpu", or leave it out')
    if device.type != "cpu":
        raise absent(device)


def set_default_device(device: DeviceLike | None) -> None:
    """Let tensors that are made without ``device=`` on this thread live there; None is the CPU.

    Any device can be named; while it is one that does not exist, making a tensor raises
    :class:`~pellucid.base.errors.DeviceError`.
    """
    state.devices = () if device is None else (Device(device),)


def get_default_device() -> Device:
    """The device of tensors that are made without ``device=``: the CPU unless another was set."""
    found: Device = state.devices[-1] if state.devices else Device("cpu")
    return found
