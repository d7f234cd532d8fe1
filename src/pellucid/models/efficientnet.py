"""EfficientNet: inverted residuals with gates, scaled together in width, depth and resolution.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019).
Layers have torchvision's names, so that its weights fit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pellucid import Tensor, nn
from pellucid.models.blocks import (
    SqueezeExcitation,
    divisible,
    normed,
    start_by_he,
)
from pellucid.models.untrained import refuse_weights


class Stage(NamedTuple):
    """A row of the table of EfficientNet-B0."""

    expand_ratio: int
    kernel: int
    stride: int
    inputs: int
    outputs: int
    layers: int


STAGES = (
    Stage(1, 3, 1, 32, 16, 1),
    Stage(6, 3, 2, 16, 24, 2),
    Stage(6, 5, 2, 24, 40, 2),
    Stage(6, 3, 2, 40, 80, 3),
    Stage(6, 5, 1, 80, 112, 3),
    Stage(6, 5, 2, 112, 192, 4),
    Stage(6, 3, 1, 192, 320, 1),
)


class Norm(NamedTuple):
    """Settings of batch norm."""

    eps: float = 1e-5
    momentum: float = 0.1


class MBConv(nn.Module):
    """More channels, a convolution of each channel alone, a gate, fewer channels; the input is
    added where shapes agree, the rest then skipped with probability ``skip`` while training.

    (N, inputs, H, W) → (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉).
    """

    def __init__(self, stage: Stage, skip: float, norm: Norm) -> None:
        super().__init__()
        self.use_res_connect = stage.stride == 1 and stage.inputs == stage.outputs
        hidden = divisible(stage.inputs * stage.expand_ratio)
        layers: list[nn.Module] = []
        if hidden != stage.inputs:
            layers.append(normed(stage.inputs, hidden, 1, 1, 1, nn.SiLU, *norm))
        layers += [
            normed(hidden, hidden, stage.kernel, stage.stride, hidden, nn.SiLU, *norm),
            SqueezeExcitation(hidden, max(1, stage.inputs // 4), activation=nn.SiLU),
            normed(hidden, stage.outputs, 1, 1, 1, None, *norm),
        ]
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = nn.StochasticDepth(skip, "row")

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        made = self.block(x)
        return x + self.stochastic_depth(made) if self.use_res_connect else made


class EfficientNet(nn.Module):
    """Images (N, 3, H, W) → scores (N, num_classes).

    ``width_mult`` scales the channels of B0, ``depth_mult`` its numbers of layers;
    ``stochastic_depth_prob`` is how often the last block is skipped, earlier ones less.
    """

    def __init__(
        self,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        dropout: float = 0.2,
        num_classes: int = 1000,
        stochastic_depth_prob: float = 0.2,
        norm: Norm = Norm(),  # noqa: B008  (it cannot change)
    ) -> None:
        super().__init__()
        wide = [
            s._replace(
                inputs=divisible(s.inputs * width_mult),
                outputs=divisible(s.outputs * width_mult),
                layers=math.ceil(s.layers * depth_mult),
            )
            for s in STAGES
        ]
        groups: list[nn.Module] = [normed(3, wide[0].inputs, 3, 2, 1, nn.SiLU, *norm)]
        total, done = sum(stage.layers for stage in wide), 0
        for stage in wide:
            blocks = []
            for i in range(stage.layers):
                row = stage if i == 0 else stage._replace(inputs=stage.outputs, stride=1)
                blocks.append(MBConv(row, stochastic_depth_prob * done / total, norm))
                done += 1
            groups.append(nn.Sequential(*blocks))
        last = wide[-1].outputs
        groups.append(normed(last, 4 * last, 1, 1, 1, nn.SiLU, *norm))
        self.features = nn.Sequential(*groups)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        linear = nn.Linear(4 * last, num_classes)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), linear)
        start_by_he(self, linear_std=None)
        bound = 1.0 / math.sqrt(num_classes)
        nn.init.uniform_(linear.weight, -bound, bound)
        nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, num_classes)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


_LATER = Norm(0.001, 0.01)
"""What B5 to B7 use."""


def efficientnet_b0(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.2,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B0: 5,288,548 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b0", weights)
    return EfficientNet(1.0, 1.0, dropout, num_classes, stochastic_depth_prob)


def efficientnet_b1(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.2,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B1: 7,794,184 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b1", weights)
    return EfficientNet(1.0, 1.1, dropout, num_classes, stochastic_depth_prob)


def efficientnet_b2(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.3,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B2: 9,109,994 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b2", weights)
    return EfficientNet(1.1, 1.2, dropout, num_classes, stochastic_depth_prob)


def efficientnet_b3(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.3,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B3: 12,233,232 parameters for 1000 classes.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b3", weights)
    return EfficientNet(1.2, 1.4, dropout, num_classes, stochastic_depth_prob)


def efficientnet_b4(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.4,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B4: 19,341,616 parameters for 1000 classes.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b4", weights)
    return EfficientNet(1.4, 1.8, dropout, num_classes, stochastic_depth_prob)


def efficientnet_b5(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.4,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B5: 30,389,784 parameters for 1000 classes.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b5", weights)
    return EfficientNet(1.6, 2.2, dropout, num_classes, stochastic_depth_prob, _LATER)


def efficientnet_b6(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.5,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B6: 43,040,704 parameters for 1000 classes.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b6", weights)
    return EfficientNet(1.8, 2.6, dropout, num_classes, stochastic_depth_prob, _LATER)


def efficientnet_b7(
    weights: object = None,
    progress: bool = True,
    *,
    num_classes: int = 1000,
    dropout: float = 0.5,
    stochastic_depth_prob: float = 0.2,
) -> EfficientNet:
    """EfficientNet-B7: 66,347,960 parameters for 1000 classes.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    refuse_weights("efficientnet_b7", weights)
    return EfficientNet(2.0, 3.1, dropout, num_classes, stochastic_depth_prob, _LATER)
