"""MobileNet, versions 2 and 3: convolutions of single channels between 1×1 ones.

Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks"
(2018); Howard et al., "Searching for MobileNetV3" (2019).  Layers have torchvision's names, so that
its weights fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pellucid import Tensor, nn
from pellucid.models.blocks import SqueezeExcitation, divisible, normed, start_by_he
from pellucid.models.untrained import refuse_weights


class InvertedResidual(nn.Module):
    """More channels, a convolution of each channel alone, fewer channels; the input is added where
    shapes agree: (N, inputs, H, W) → (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand_ratio: int) -> None:
        super().__init__()
        hidden = round(inputs * expand_ratio)
        self.use_res_connect = stride == 1 and inputs == outputs
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(normed(inputs, hidden, 1, activation=nn.ReLU6))
        layers += [
            normed(hidden, hidden, 3, stride, hidden, nn.ReLU6),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks and stride of each group of MobileNetV2."""


class MobileNetV2(nn.Module):
    """Images (N, 3, H, W) → scores (N, num_classes); ``width_mult`` scales all channels."""

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        channels = divisible(32 * width_mult, round_nearest)
        self.last_channel = divisible(1280 * max(1.0, width_mult), round_nearest)
        layers: list[nn.Module] = [normed(3, channels, 3, 2, activation=nn.ReLU6)]
        for expansion, width, count, stride in inverted_residual_setting or _V2:
            outputs = divisible(width * width_mult, round_nearest)
            for i in range(count):
                layers.append(
                    InvertedResidual(channels, outputs, stride if i == 0 else 1, expansion)
                )
                channels = outputs
        layers.append(normed(channels, self.last_channel, 1, activation=nn.ReLU6))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes)
        )
        start_by_he(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, num_classes)."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(x.flatten(1))


class Bneck(NamedTuple):
    """A row of the table of MobileNetV3."""

    inputs: int
    kernel: int
    expanded: int
    outputs: int
    gated: bool
    hard: bool
    """Whether the activation is hardswish; ReLU otherwise."""
    stride: int


class GatedResidual(nn.Module):
    """:class:`InvertedResidual` with a gate over channels: the block of MobileNetV3."""

    def __init__(self, row: Bneck, eps: float, momentum: float) -> None:
        super().__init__()
        self.use_res_connect = row.stride == 1 and row.inputs == row.outputs
        activation = nn.Hardswish if row.hard else nn.ReLU
        layers: list[nn.Module] = []
        if row.expanded != row.inputs:
            layers.append(normed(row.inputs, row.expanded, 1, 1, 1, activation, eps, momentum))
        layers.append(
            normed(
                row.expanded,
                row.expanded,
                row.kernel,
                row.stride,
                row.expanded,
                activation,
                eps,
                momentum,
            )
        )
        if row.gated:
            squeezed = divisible(row.expanded // 4)
            layers.append(
                SqueezeExcitation(row.expanded, squeezed, scale_activation=nn.Hardsigmoid)
            )
        layers.append(normed(row.expanded, row.outputs, 1, 1, 1, None, eps, momentum))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        return x + self.block(x) if self.use_res_connect else self.block(x)


_LARGE = (
    Bneck(16, 3, 16, 16, False, False, 1),
    Bneck(16, 3, 64, 24, False, False, 2),
    Bneck(24, 3, 72, 24, False, False, 1),
    Bneck(24, 5, 72, 40, True, False, 2),
    Bneck(40, 5, 120, 40, True, False, 1),
    Bneck(40, 5, 120, 40, True, False, 1),
    Bneck(40, 3, 240, 80, False, True, 2),
    Bneck(80, 3, 200, 80, False, True, 1),
    Bneck(80, 3, 184, 80, False, True, 1),
    Bneck(80, 3, 184, 80, False, True, 1),
    Bneck(80, 3, 480, 112, True, True, 1),
    Bneck(112, 3, 672, 112, True, True, 1),
    Bneck(112, 5, 672, 160, True, True, 2),
    Bneck(160, 5, 960, 160, True, True, 1),
    Bneck(160, 5, 960, 160, True, True, 1),
)
_SMALL = (
    Bneck(16, 3, 16, 16, True, False, 2),
    Bneck(16, 3, 72, 24, False, False, 2),
    Bneck(24, 3, 88, 24, False, False, 1),
    Bneck(24, 5, 96, 40, True, True, 2),
    Bneck(40, 5, 240, 40, True, True, 1),
    Bneck(40, 5, 240, 40, True, True, 1),
    Bneck(40, 5, 120, 48, True, True, 1),
    Bneck(48, 5, 144, 48, True, True, 1),
    Bneck(48, 5, 288, 96, True, True, 2),
    Bneck(96, 5, 576, 96, True, True, 1),
    Bneck(96, 5, 576, 96, True, True, 1),
)


class MobileNetV3(nn.Module):
    """Images (N, 3, H, W) → scores (N, num_classes), by the rows of a table of blocks."""

    def __init__(
        self,
        inverted_residual_setting: Sequence[Bneck],
        last_channel: int,
        num_classes: int = 1000,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        eps, momentum = 0.001, 0.01
        rows = inverted_residual_setting
        last = 6 * rows[-1].outputs
        self.features = nn.Sequential(
            normed(3, rows[0].inputs, 3, 2, 1, nn.Hardswish, eps, momentum),
            *(GatedResidual(row, eps, momentum) for row in rows),
            normed(rows[-1].outputs, last, 1, 1, 1, nn.Hardswish, eps, momentum),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(last, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        start_by_he(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, num_classes)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def mobilenet_v2(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    width_mult: float = 1.0,
    dropout: float = 0.2,
) -> MobileNetV2:
    """MobileNetV2: 3,504,872 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("mobilenet_v2", weights, pretrained)
    return MobileNetV2(num_classes, width_mult, dropout=dropout)


def mobilenet_v3_large(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    dropout: float = 0.2,
) -> MobileNetV3:
    """MobileNetV3-Large: 5,483,032 parameters for 1000 classes.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    refuse_weights("mobilenet_v3_large", weights, pretrained)
    return MobileNetV3(_LARGE, 1280, num_classes, dropout)


def mobilenet_v3_small(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    dropout: float = 0.2,
) -> MobileNetV3:
    """MobileNetV3-Small: 2,542,856 parameters for 1000 classes.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    refuse_weights("mobilenet_v3_small", weights, pretrained)
    return MobileNetV3(_SMALL, 1024, num_classes, dropout)
