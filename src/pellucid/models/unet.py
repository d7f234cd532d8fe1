"""U-Net: says for every pixel what it belongs to.

Down: convolutions at ever lower resolution, which see ever more of the image.  Up again: each
level's features are joined with those that the way down had at the same resolution.
Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation"
(2015); here with padding, so that the answer has the image's size, and with batch norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError, ShapeError


class DoubleConvolution(nn.Sequential):
    """Twice 3×3 convolution, batch norm and ReLU: (N, inputs, H, W) → (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Up(nn.Module):
    """Doubles the resolution of ``x`` and joins it with ``skip`` from the way down.

    (N, inputs, H, W) and (N, outputs, 2H, 2W) → (N, outputs, 2H, 2W).  With ``bilinear`` pixels
    in between are mixed from their neighbours and a 1×1 convolution halves the channels; without,
    a transposed convolution does both.
    """

    def __init__(self, inputs: int, outputs: int, bilinear: bool) -> None:
        super().__init__()
        self.bilinear = bilinear
        self.up: nn.Module
        if bilinear:
            self.up = nn.Conv2d(inputs, outputs, 1)
        else:
            self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.conv = DoubleConvolution(2 * outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """See the class."""
        if self.bilinear:
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
        x = self.up(x)
        return self.conv(pellucid.cat([skip, x], dim=1))


class UNet(nn.Module):
    """One level for each entry of ``widths``, its number of channels.

    Images (N, channels, H, W) → scores (N, num_classes, H, W) for every pixel; H and W are
    multiples of 2 ** (levels − 1).  With one class the score is a logit: what belongs to the
    object has a positive one.

    >>> model = UNet(channels=1, num_classes=1, widths=(4, 8, 16))
    >>> model(pellucid.zeros(2, 1, 32, 24)).shape
    pellucid.Size([2, 1, 32, 24])
    """

    def __init__(
        self,
        channels: int = 3,
        num_classes: int = 1,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        bilinear: bool = False,
    ) -> None:
        super().__init__()
        levels = len(widths)
        if levels < 2:
            raise ArgumentError(
                f"UNet got widths={tuple(widths)}", "give at least two, one for each level"
            )
        before = [channels, *widths[:-1]]
        self.down = nn.ModuleList([DoubleConvolution(before[i], widths[i]) for i in range(levels)])
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            [Up(widths[i], widths[i - 1], bilinear) for i in range(levels - 1, 0, -1)]
        )
        self.out = nn.Conv2d(widths[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) → (N, num_classes, H, W)."""
        step = 2 ** (len(self.down) - 1)
        if x.shape[-1] % step or x.shape[-2] % step:
            raise ShapeError(
                f"UNet with {len(self.down)} levels got images of shape {tuple(x.shape)}",
                f"height and width must be multiples of {step}: pad the images",
            )
        skips = []
        for number, level in enumerate(self.down):
            x = level(self.pool(x) if number else x)
            skips.append(x)
        skips.pop()  # the lowest level has nothing to join with
        for up in self.up:
            x = up(x, skips.pop())
        return self.out(x)
