"""Methods that say where a tensor lives and how it lies there, and those that would move it."""

from __future__ import annotations

from pellucid.base.errors import DeviceError
from pellucid.tensor.device import Device, DeviceLike, absent
from pellucid.tensor.interface import Tensor
from pellucid.tensor.layout import Layout, strided

_CPU = Device("cpu")


class PlacingMethods(Tensor):
    """Mixed into :class:`pellucid.Tensor`."""

    __slots__ = ()

    is_cuda = is_sparse = is_quantized = is_meta = is_xpu = is_mps = is_xla = False
    is_sparse_csr = is_mkldnn = is_nested = is_vulkan = is_ipu = is_mtia = is_maia = False
    is_cpu = True

    @property
    def device(self) -> Device:
        """Where the tensor lives: the CPU."""
        return _CPU

    @property
    def layout(self) -> Layout:
        """How the elements lie in memory: :data:`pellucid.strided`, for tensors are dense."""
        return strided

    def pin_memory(self, device: DeviceLike | None = None) -> Tensor:
        """The tensor itself: its memory is that of the only device."""
        return self

    def is_pinned(self, device: DeviceLike | None = None) -> bool:
        """Whether its memory is held in place for another device: no."""
        return False

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def name(self) -> str | None:
        """A name that was given to it: None."""
        return None

    @property
    def output_nr(self) -> int:
        """Which of the results of its operation it is; 0 for the first, and for leaves."""
        record = self._record
        return 0 if record is None else int(record.settings.get("output", 0))

    def cpu(self, memory_format: object = None) -> Tensor:
        """The tensor itself: every tensor lives on the CPU."""
        return self

    def cuda(self, device: DeviceLike | None = None, non_blocking: bool = False) -> Tensor:
        """Raises :class:`~pellucid.base.errors.DeviceError`: tensors live on the CPU."""
        if str(device).partition(":")[0] == "cpu":
            raise DeviceError("cuda() got the CPU as device", "use x.to(device) or x.cpu()")
        raise absent("cuda" if device is None else device)

    def xpu(self, device: DeviceLike | None = None, non_blocking: bool = False) -> Tensor:
        """Raises :class:`~pellucid.base.errors.DeviceError`: tensors live on the CPU."""
        raise absent("xpu" if device is None else device)
