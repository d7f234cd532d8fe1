"""Methods that say where a tensor lives and how it lies there, and those that would move it."""

from __future__ import annotations

from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DeviceError
from pellucid.tensor.device import Device, DeviceLike, absent
from pellucid.tensor.interface import Tensor
from pellucid.tensor.layout import Layout, sparse_csc, sparse_csr, strided

_CPU = Device("cpu")


def _dense(name: str) -> ArgumentError:
    """The error for a question to sparse tensors."""
    return ArgumentError(
        f"{name} expected sparse coordinate tensor layout but got Strided",
        "convert first: x.to_sparse()",
    )


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

    def to_dense(
        self, dtype: DTypeLike | None = None, *, masked_grad: bool | None = None
    ) -> Tensor:
        """The tensor itself, for it is dense; in another dtype if one is given."""
        return self if dtype is None else self.to(dtype)

    def to_sparse(
        self,
        sparse_dim: int | None = None,
        *,
        layout: Layout | None = None,
        blocksize: object = None,
        dense_dim: int | None = None,
    ) -> Tensor:
        """The elements that are not zero, as a sparse tensor; ``sparse_dim`` axes get indices.

        See :func:`pellucid.sparse_coo_tensor`; ``layout`` may be ``sparse_csr`` or ``sparse_csc``.
        """
        return self.sparse_class.from_dense(self, layout, sparse_dim)

    def to_sparse_coo(self) -> Tensor:
        """The elements that are not zero, as a sparse tensor with indices of all axes."""
        return self.to_sparse()

    def to_sparse_csr(self, dense_dim: int | None = None) -> Tensor:
        """The elements of a matrix that are not zero, row by row."""
        return self.to_sparse(layout=sparse_csr)

    def to_sparse_csc(self, dense_dim: int | None = None) -> Tensor:
        """The elements of a matrix that are not zero, column by column."""
        return self.to_sparse(layout=sparse_csc)

    def sparse_mask(self, mask: Tensor) -> Tensor:
        """The elements at the places of the sparse tensor ``mask``, a sparse tensor."""
        if not mask.is_sparse:
            raise ArgumentTypeError("sparse_mask got a dense mask", "pass mask.to_sparse()")
        pattern: Any = mask
        return pattern._like(self[tuple(pattern._indices())])

    def sparse_dim(self) -> int:
        """Number of axes that have indices: 0, for the tensor is dense."""
        return 0

    def dense_dim(self) -> int:
        """Number of axes without indices: all."""
        return len(self.shape)

    def indices(self) -> Tensor:
        """The places of a sparse tensor; this one is dense and raises ``ArgumentError``."""
        raise _dense("indices")

    def values(self) -> Tensor:
        """The values of a sparse tensor; this one is dense and raises ``ArgumentError``."""
        raise _dense("values")

    def coalesce(self) -> Tensor:
        """A sparse tensor with one entry a place; this one is dense: ``ArgumentError``."""
        raise _dense("coalesce")

    def is_coalesced(self) -> bool:
        """Whether each place has one entry; this tensor is dense: ``ArgumentError``."""
        raise _dense("is_coalesced")

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
