"""Settings that PyTorch's programs make and ask for, and that change no result here.

Results are deterministic on any number of threads, and products of float32 are computed in
float32 whatever is allowed; the settings are kept, so that they can be read back.
"""

from __future__ import annotations

from pellucid.base.errors import ArgumentError, ArgumentTypeError

_PRECISIONS = ("highest", "high", "medium")
_MODES = {"default": 0, "warn": 1, "error": 2}


class _Kept:
    """What was set last."""

    precision = "highest"
    deterministic = False
    warn_only = False
    warn_always = False
    interop_threads = 1


def set_float32_matmul_precision(precision: str) -> None:
    """Say how exact products of float32 must be: ``"highest"``, ``"high"`` or ``"medium"``.

    They are computed in float32, the highest, whatever is said.
    """
    if precision not in _PRECISIONS:
        raise ArgumentError(
            f"set_float32_matmul_precision got {precision!r}",
            f"use one of {', '.join(_PRECISIONS)}",
        )
    _Kept.precision = precision


def get_float32_matmul_precision() -> str:
    """What :func:`set_float32_matmul_precision` was last told; ``"highest"`` at first."""
    return _Kept.precision


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for the same bits from the same program each time; they always are the same."""
    _Kept.deterministic, _Kept.warn_only = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What :func:`use_deterministic_algorithms` was last told."""
    return _Kept.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether it was told that a warning is enough."""
    return _Kept.warn_only


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Ask for ``"default"`` (0), ``"warn"`` (1) or ``"error"`` (2); results are deterministic."""
    found = _MODES.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if found not in (0, 1, 2):
        raise ArgumentError(
            f"set_deterministic_debug_mode got {debug_mode!r}", 'use "default", "warn" or "error"'
        )
    use_deterministic_algorithms(found > 0, warn_only=found == 1)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: the mode that was set."""
    return 0 if not _Kept.deterministic else 1 if _Kept.warn_only else 2


def set_warn_always(b: bool, /) -> None:
    """Ask for warnings at each occasion; Python's ``warnings`` decide how often they are shown."""
    _Kept.warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """What :func:`set_warn_always` was last told."""
    return _Kept.warn_always


def set_num_interop_threads(num: int) -> None:
    """Ask for this many threads for independent operations; ``set_num_threads`` counts for all."""
    if not isinstance(num, int) or num < 1:
        kind = ArgumentError if isinstance(num, int) else ArgumentTypeError
        raise kind(f"set_num_interop_threads got {num!r}", "use a whole number from 1 on")
    _Kept.interop_threads = num


def get_num_interop_threads() -> int:
    """What :func:`set_num_interop_threads` was last told; 1 at first."""
    return _Kept.interop_threads
