"""DLPack: tensors handed to and from other libraries without copying their memory.

The protocol (https://dmlc.github.io/dlpack) passes a capsule with a C record: address, shape,
strides and element type.  NumPy writes and reads these records, which owns and frees them
correctly; what NumPy lacks is bfloat16, so for that type one byte of the record, the code of the
element type, is exchanged on the way: 16 bits are 16 bits.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from pellucid.base.dtypes import DType, bfloat16
from pellucid.base.errors import ExchangeError

CPU = (1, 0)
"""Kind and number of the device (kDLCPU)."""
HOST_MEMORY = frozenset({1, 3, 11, 13})
"""Kinds of devices whose memory the CPU reads: CPU, CUDA's pinned and ROCm's, managed."""
UNSIGNED, BFLOAT = 1, 4
"""Codes of element types (kDLUInt, kDLBfloat)."""
# Place of the element type's code in a record: after the data's address (8 bytes), device (8) and
# number of axes (4); a record with versions has 32 bytes before (version, owner, deleter, flags).
_CODE = {b"dltensor": 20, b"dltensor_versioned": 52}
_VERSIONED = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
"""Whether NumPy reads and writes records with a version, which tell whether memory may be
written."""

_python = ctypes.pythonapi
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _python)
)
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _python)
)


def _type_code(capsule: object) -> ctypes.c_uint8:
    """The code of the element type inside of a record, to read or to change."""
    for name, offset in _CODE.items():
        if _is_valid(capsule, name):
            return ctypes.c_uint8.from_address(_pointer(capsule, name) + offset)
    raise ExchangeError(
        f"{type(capsule).__name__} is no DLPack capsule, or was used already",
        "give the tensor itself to from_dlpack, once for each import",
    )


def to_capsule(
    array: np.ndarray,
    dtype: DType,
    max_version: tuple[int, int] | None,
    copy: bool | None,
) -> object:
    """A capsule that shows ``array``, whose elements are of ``dtype``.

    ``max_version`` is the newest version that the receiver reads: from (1, 0) on it learns
    whether it may write.  Raises ``ExchangeError`` for memory that may only be read and a
    receiver that would not learn so.
    """
    if copy or min(array.strides, default=0) < 0:
        # Some receivers, PyTorch among them, end the process at strides below 0.
        if copy is False:
            raise ExchangeError(
                "the tensor runs backwards through its memory, which other libraries do not read",
                "allow a copy, or export x.clone()",
            )
        array = array.copy(order="C")
    shown = array.view(np.uint16) if dtype is bfloat16 else array
    asked = _VERSIONED and max_version is not None and max_version[0] >= 1
    try:
        capsule: object = shown.__dlpack__(max_version=(1, 0)) if asked else shown.__dlpack__()
    except (BufferError, RuntimeError) as error:
        raise ExchangeError(
            f"the tensor cannot be exported: {error}", "export a copy: x.clone()"
        ) from None
    if dtype is bfloat16:
        _type_code(capsule).value = BFLOAT
    return capsule


class _Carrier:
    """A capsule in the form in which NumPy asks for it."""

    def __init__(self, capsule: object) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: object) -> object:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU


def to_array(source: Any) -> tuple[np.ndarray, DType | None]:
    """The memory of another library's tensor as an array, and its dtype if NumPy has none.

    ``source`` has ``__dlpack__`` and ``__dlpack_device__``, or is a capsule.  Raises
    ``ExchangeError`` for other devices, element types NumPy lacks, and what its owner refuses.
    """
    if hasattr(source, "__dlpack__"):
        kind = int(source.__dlpack_device__()[0])
        if kind not in HOST_MEMORY:
            raise ExchangeError(
                f"from_dlpack got a tensor on a device of kind {kind}",
                "move it to the CPU in its own library first",
            )
        capsule = _ask(source)
    else:
        capsule = source
    code = _type_code(capsule)
    special = code.value == BFLOAT
    if special:
        code.value = UNSIGNED
    try:
        array: np.ndarray = np.from_dlpack(_Carrier(capsule))  # type: ignore[arg-type]
    except (BufferError, RuntimeError, ValueError) as error:
        raise ExchangeError(
            f"from_dlpack cannot read the tensor: {error}", "convert it in its own library first"
        ) from None
    return (array.view(bfloat16.numpy), bfloat16) if special else (array, None)


def _ask(source: Any) -> object:
    """The capsule, with a version where both sides know of versions."""
    try:
        if _VERSIONED:
            try:
                return source.__dlpack__(max_version=(1, 0))
            except TypeError:  # a library older than versions
                pass
        return source.__dlpack__()
    except (BufferError, RuntimeError) as error:
        raise ExchangeError(
            f"{type(source).__name__} does not export its memory: {error}",
            "export a copy without gradients, for PyTorch x.detach()",
        ) from error
