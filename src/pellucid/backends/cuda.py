"""Settings of products and attention on graphics processors, kept so that they can be read.

There is no graphics processor: no setting has an effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class _Products:
    """How products would be computed; attributes may be set and read."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction: bool = True
    allow_bf16_reduced_precision_reduction: bool = True
    allow_fp16_accumulation = False
    fp32_precision = "none"


class _PlanCache:
    """Plans of Fourier transforms that would be kept: none."""

    size = 0
    max_size = 4096

    def clear(self) -> None:
        """Forget them."""


matmul = _Products()
cufft_plan_cache = _PlanCache()
_enabled = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """Whether code for graphics processors is part of the package: no."""
    return False


def flash_sdp_enabled() -> bool:
    """What :func:`enable_flash_sdp` was last told; True at first."""
    return _enabled["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Allow a kind of attention kernel of graphics processors, or not."""
    _enabled["flash"] = bool(enabled)


def mem_efficient_sdp_enabled() -> bool:
    """What :func:`enable_mem_efficient_sdp` was last told; True at first."""
    return _enabled["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Allow a kind of attention kernel of graphics processors, or not."""
    _enabled["mem_efficient"] = bool(enabled)


def math_sdp_enabled() -> bool:
    """What :func:`enable_math_sdp` was last told; True at first."""
    return _enabled["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Allow attention by plain products on graphics processors, or not."""
    _enabled["math"] = bool(enabled)


def cudnn_sdp_enabled() -> bool:
    """What :func:`enable_cudnn_sdp` was last told; True at first."""
    return _enabled["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Allow a kind of attention kernel of graphics processors, or not."""
    _enabled["cudnn"] = bool(enabled)


def is_flash_attention_available() -> bool:
    """Whether there is that kind of kernel: no; attention of the CPU needs none."""
    return False


@contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:
    """Context manager that allows these kinds of attention kernels inside."""
    before = dict(_enabled)
    _enabled.update(
        flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn
    )
    try:
        yield
    finally:
        _enabled.update(before)
