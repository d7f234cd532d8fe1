"""Layers that change the size of images, or move elements between channels and positions."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.nn.functional.convolution import Sizes
from pellucid.nn.functional.resizing import (
    channel_shuffle,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
)
from pellucid.nn.module import Module
from pellucid.tensor.tensor import Tensor


class Upsample(Module):
    """Resampled to ``size`` or by ``scale_factor``: (N, C, *) → (N, C, *').

    ``mode``: ``"nearest"`` (default), ``"nearest-exact"``, ``"linear"`` for (N, C, L),
    ``"bilinear"`` and ``"bicubic"`` for (N, C, H, W), ``"trilinear"`` for (N, C, D, H, W),
    ``"area"``; see :func:`pellucid.nn.functional.interpolate`.
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, Sequence):
            self.scale_factor = tuple(float(f) for f in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The resampled input."""
        return interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """Size or factor, and the mode."""
        what = "size" if self.scale_factor is None else "scale_factor"
        return f"{what}={getattr(self, what)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Each element repeated: (N, C, H, W) → (N, C, H', W'); ``Upsample`` is the general form."""

    def __init__(
        self, size: Sizes | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Bilinear with agreeing corner centres (``align_corners=True``): (N, C, H, W)."""

    def __init__(
        self, size: Sizes | None = None, scale_factor: float | Sequence[float] | None = None
    ) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """(…, C r², H, W) → (…, C, H r, W r), r = ``upscale_factor``.  (Shi et al., 2016.)"""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The larger image with fewer channels."""
        return pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(…, C, H r, W r) → (…, C r², H, W), r = ``downscale_factor``: undoes PixelShuffle."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The smaller image with more channels."""
        return pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Channels of ``groups`` groups interleaved: (N, C, *) → the same.  (Zhang et al., 2018.)"""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """The input with its channels in another order."""
        return channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Number of groups."""
        return f"groups={self.groups}"
