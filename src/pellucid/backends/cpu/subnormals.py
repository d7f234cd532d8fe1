"""Whether native code counts subnormal numbers as 0.

The probabilities of a classifier that has learned its data, and their gradients, become subnormal:
below 2⁻¹²⁶ = 1.2e-38 in float32.  Processors of several makes do such arithmetic in microcode, a
hundred times as slowly, for digits that nobody needs.  Native code therefore flushes: operands and
results of arithmetic that are subnormal count as 0 with their sign.  The driver sets the mode when
a run begins, on every thread, and puts the caller's own back (see
:mod:`pellucid.backends.cpu.runtime_ir`); kernels are the same in both modes.
"""

from __future__ import annotations

import platform

import numpy as np
import numpy.typing as npt

from pellucid.backends.cpu.runtime_ir import FLUSH_BITS, family_of
from pellucid.base.errors import ArgumentError

flush_word: npt.NDArray[np.int64] = np.ones(1, np.int64)
"""1 or 0, read by each run of a program when it begins."""


def can_flush_denormal() -> bool:
    """Whether this processor has a mode in which subnormal numbers count as 0."""
    return family_of(platform.machine().lower()) in FLUSH_BITS


def set_flush_denormal(mode: bool) -> bool:
    """Whether native code counts subnormal numbers as 0, from the next run of a program on.

    Subnormal are the numbers below 2⁻¹²⁶ = 1.2e-38 (float32) or 2⁻¹⁰²² = 2.2e-308 (float64).
    ``True``, as it is from the start, makes arithmetic of compiled programs and of eager mode's
    kernels take such operands as 0 and give 0 where a result would be one, with the same bits on
    any number of threads; moving and choosing values keeps them.  ``False`` computes with them as
    IEEE 754 says.  What NumPy computes (small operations outside of ``compile``, the reference
    backend) is not touched, nor is the caller's own mode.

    Returns whether this processor can flush (x86-64 and AArch64 can); on others nothing changes.
    PyTorch's function of this name sets the mode of the calling thread, ``False`` at the start.

    Raises :class:`~pellucid.base.errors.ArgumentError` if ``mode`` is not a bool.
    """
    if not isinstance(mode, bool):
        raise ArgumentError(
            f"set_flush_denormal takes True or False, got {mode!r}",
            "True counts subnormal numbers as 0, False computes with them",
        )
    flush_word[0] = mode
    return can_flush_denormal()
