"""What ``to(...)`` of tensors and modules is asked for: one reading of PyTorch's three forms."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from pellucid.base.dtypes import DType, DTypeLike, as_dtype, bool_, is_foreign_dtype
from pellucid.base.errors import DeviceError, DTypeError
from pellucid.ops import elementwise
from pellucid.tensor.core import TensorCore
from pellucid.tensor.device import Device, DeviceLike, check_device
from pellucid.tensor.interface import Tensor


class Destination(NamedTuple):
    """Where ``to`` leads: a dtype (None: as it is), and whether a copy is asked for."""

    dtype: DType | None
    copy: bool


def converted(tensor: Tensor, dtype: DType) -> Tensor:
    """The tensor in another dtype; a ``UserWarning`` where it loses imaginary parts."""
    if tensor.dtype.is_complex and not dtype.is_complex and dtype is not bool_:
        warnings.warn(
            "Casting complex values to real discards the imaginary part: use x.real to say so",
            UserWarning,
            stacklevel=3,
        )
    result: Tensor = elementwise.cast(tensor, dtype)
    return result


def destination(
    target: tuple[object, ...],
    dtype: DTypeLike | None,
    device: DeviceLike | None,
    copy: bool = False,
) -> Destination:
    """Read ``to(dtype)``, ``to(device, dtype)`` or ``to(other)``, and the keywords beside them.

    After these PyTorch takes ``non_blocking`` and ``copy`` by position.  A string is the name of
    a device, never of a dtype.  Raises :class:`DeviceError` (a ``RuntimeError``) for any device
    but the CPU, and :class:`DTypeError` (a ``TypeError``) for what is none of the three.
    """
    flags = [v for v in target if isinstance(v, bool)]
    places = [v for v in target if not isinstance(v, bool)]
    if len(flags) > 2 or len(places) > 2:
        raise DTypeError(f"to() got {len(target)} arguments", "use to(device, dtype)")
    wanted = None if dtype is None else as_dtype(dtype)
    for value in places:
        if isinstance(value, TensorCore):
            wanted = value.dtype
        elif isinstance(value, (DType, type, np.dtype)) or is_foreign_dtype(value):
            wanted = as_dtype(value)
        elif value is None or isinstance(value, (str, Device, int)):
            _check_place(value)
        else:
            raise DTypeError(
                f"to() got {value!r}", "pass a dtype (pellucid.float64), a device or a tensor"
            )
    _check_place(device)
    return Destination(wanted, copy or (len(flags) == 2 and flags[1]))


def _check_place(device: object) -> None:
    """Refuse other devices; a dtype's name among them gets a hint of its own."""
    if device is None:
        return
    try:
        check_device(device)
    except DeviceError as error:
        try:
            kind = as_dtype(device) if isinstance(device, str) else None
        except DTypeError:
            kind = None
        if kind is None:
            raise
        raise DeviceError(error.message, f"for the dtype pass pellucid.{kind.name}") from None
