"""The dtype of numbers with a point, which people may set."""

from __future__ import annotations

from pellucid.base import dtypes
from pellucid.base.caches import clear_caches
from pellucid.base.dtypes import DTypeLike, as_dtype, get_default_dtype
from pellucid.base.errors import ArgumentTypeError


def set_default_dtype(d: DTypeLike) -> None:
    """Let numbers with a point, and tensors made without ``dtype``, be of this dtype from now on.

    It also is what integers become where an operation gives fractions, and what Python's floats
    count as.  Programs that were compiled before are forgotten.  Raises ``ArgumentTypeError`` (a
    ``TypeError``) for dtypes of whole numbers.
    """
    wanted = as_dtype(d)
    if not wanted.is_floating_point:
        raise ArgumentTypeError(
            f"set_default_dtype got {wanted.name}", "only floating-point types can be the default"
        )
    if wanted is not dtypes.get_default_dtype():
        dtypes.set_default_dtype(wanted)
        clear_caches()


__all__ = ["get_default_dtype", "set_default_dtype"]
