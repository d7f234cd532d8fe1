"""Mixed precision under the older names: as :mod:`pellucid.amp`, for ``"cuda"``.

There is no graphics processor: :class:`autocast` warns and changes nothing, and
:class:`GradScaler` passes everything through, as in PyTorch.
"""

from __future__ import annotations

from pellucid import amp
from pellucid.amp import custom_bwd, custom_fwd
from pellucid.base.dtypes import DTypeLike, float16


class autocast(amp.autocast):  # noqa: N801  (PyTorch's name)
    """``pellucid.amp.autocast("cuda", ...)``."""

    def __init__(
        self, enabled: bool = True, dtype: DTypeLike = float16, cache_enabled: bool = True
    ) -> None:
        super().__init__("cuda", dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)


class GradScaler(amp.GradScaler):
    """``pellucid.amp.GradScaler("cuda", ...)``."""

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__(
            "cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )


__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


def __dir__() -> list[str]:
    return sorted(__all__)
