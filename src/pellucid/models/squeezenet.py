"""SqueezeNet: few parameters, by 1×1 convolutions that squeeze the channels before 3×3 ones.

Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer, "SqueezeNet" (2016).  Layers have torchvision's
names, so that its weights fit.
"""

from __future__ import annotations

import pellucid
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.models.untrained import refuse_weights


class Fire(nn.Module):
    """A 1×1 convolution to few channels, then 1×1 and 3×3 ones side by side.

    (N, inputs, H, W) → (N, 2 · expand, H, W).
    """

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 2 · expand, H, W)."""
        x = self.squeeze_activation(self.squeeze(x))
        small = self.expand1x1_activation(self.expand1x1(x))
        wide = self.expand3x3_activation(self.expand3x3(x))
        return pellucid.cat([small, wide], 1)


_PLANS: dict[str, tuple[tuple[int, int], tuple[tuple[int, int] | None, ...]]] = {
    "1_0": (
        (96, 7),
        ((16, 64), (16, 64), (32, 128), None, (32, 128), (48, 192), (48, 192), (64, 256), None)
        + ((64, 256),),
    ),
    "1_1": (
        (64, 3),
        ((16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192))
        + ((64, 256), (64, 256)),
    ),
}
"""Version → channels and kernel of the first convolution; squeeze and expand of each
:class:`Fire`, None for max pooling."""


class SqueezeNet(nn.Module):
    """Images (N, 3, H, W) → scores (N, num_classes); ``version`` "1_0" or the cheaper "1_1"."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in _PLANS:
            raise ArgumentError(f"there is no SqueezeNet {version!r}", 'use "1_0" or "1_1"')
        self.num_classes = num_classes
        (channels, kernel), plan = _PLANS[version]
        pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels, kernel, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(**pool),  # type: ignore[arg-type]
        ]
        for entry in plan:
            if entry is None:
                layers.append(nn.MaxPool2d(**pool))  # type: ignore[arg-type]
            else:
                layers.append(Fire(channels, *entry))
                channels = 2 * entry[1]
        self.features = nn.Sequential(*layers)
        scores = nn.Conv2d(channels, num_classes, 1)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), scores, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is scores:
                    nn.init.normal_(module.weight, 0.0, 0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, num_classes)."""
        return self.classifier(self.features(x)).flatten(1)


def squeezenet1_0(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    dropout: float = 0.5,
) -> SqueezeNet:
    """SqueezeNet 1.0: 1,248,424 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("squeezenet1_0", weights, pretrained)
    return SqueezeNet("1_0", num_classes, dropout)


def squeezenet1_1(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    dropout: float = 0.5,
) -> SqueezeNet:
    """SqueezeNet 1.1: 1,235,496 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("squeezenet1_1", weights, pretrained)
    return SqueezeNet("1_1", num_classes, dropout)
