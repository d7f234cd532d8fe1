"""Which graphics processors there are: none.  Their types of tensors can be named."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn

from pellucid.base.errors import AllocationError
from pellucid.tensor.device import DeviceLike, absent
from pellucid.tensor.tensor_types import type_of_absent

OutOfMemoryError = AllocationError
"""What a tensor without memory for it raises, on any device."""

has_half = False
has_magma = False

BFloat16Tensor = type_of_absent("BFloat16Tensor")
BoolTensor = type_of_absent("BoolTensor")
ByteTensor = type_of_absent("ByteTensor")
CharTensor = type_of_absent("CharTensor")
DoubleTensor = type_of_absent("DoubleTensor")
FloatTensor = type_of_absent("FloatTensor")
HalfTensor = type_of_absent("HalfTensor")
IntTensor = type_of_absent("IntTensor")
LongTensor = type_of_absent("LongTensor")
ShortTensor = type_of_absent("ShortTensor")


def is_available() -> bool:
    """Whether tensors can live on a graphics processor: no."""
    return False


def device_count() -> int:
    """Number of graphics processors that can be used: 0."""
    return 0


def is_initialized() -> bool:
    """Whether a graphics processor is in use: no."""
    return False


def init() -> None:
    """Raises :class:`DeviceError`: there is no graphics processor to start."""
    raise absent("cuda")


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether a graphics processor computes in bfloat16: there is none."""
    return False


def is_tf32_supported() -> bool:
    """Whether a graphics processor computes in TensorFloat-32: there is none."""
    return False


def is_current_stream_capturing() -> bool:
    """Whether work for a graphics processor is being recorded: no."""
    return False


def can_device_access_peer(device: DeviceLike, peer_device: DeviceLike) -> bool:
    """Raises :class:`DeviceError`: there are no two graphics processors."""
    raise absent(device)


def current_device() -> int:
    """Raises :class:`DeviceError`: no graphics processor is the current one."""
    raise absent("cuda")


def set_device(device: DeviceLike) -> None:
    """Raises :class:`DeviceError` for a graphics processor; negative numbers mean none."""
    if not (isinstance(device, int) and device < 0):
        raise absent(device)


def get_device_name(device: DeviceLike | None = None) -> str:
    """Raises :class:`DeviceError`: there is no graphics processor to name."""
    raise absent("cuda" if device is None else device)


def get_device_capability(device: DeviceLike | None = None) -> tuple[int, int]:
    """Raises :class:`DeviceError`: there is no graphics processor."""
    raise absent("cuda" if device is None else device)


def get_device_properties(device: DeviceLike | None = None) -> NoReturn:
    """Raises :class:`DeviceError`: there is no graphics processor."""
    raise absent("cuda" if device is None else device)


def get_arch_list() -> list[str]:
    """The processors that kernels were built for: none."""
    return []


def get_gencode_flags() -> str:
    """What kernels were built with: nothing."""
    return ""


class device:  # noqa: N801  (PyTorch's name)
    """Context manager: the graphics processor of that number is the current one inside.

    Entering raises :class:`DeviceError` unless the number is negative, or None.
    """

    def __init__(self, device: DeviceLike | None) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            set_device(self.idx)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class device_of(device):  # noqa: N801  (PyTorch's name)
    """Context manager: inside, a tensor's graphics processor is the current one.

    Tensors live on the CPU, so nothing changes.
    """

    def __init__(self, obj: object) -> None:
        super().__init__(None)
