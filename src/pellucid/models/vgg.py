"""VGG, with or without batch normalization: 3×3 convolutions and max pooling, over and over.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition"
(2014); batch norm after Ioffe and Szegedy (2015).  Layers have torchvision's names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid import Tensor, nn
from pellucid.models.untrained import untrained

VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
"""The convolutions' channels in order; ``"M"`` is max pooling, which halves the resolution."""

VGG13 = (64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
"""Ten convolutions."""

VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
"""Thirteen convolutions."""

VGG19 = (
    *(64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M"),
    *(512, 512, 512, 512, "M", 512, 512, 512, 512, "M"),
)
"""Sixteen convolutions."""


class VGG(nn.Module):
    """Convolutions by ``plan``, then three linear layers.

    Images (N, channels, H, W) → scores (N, num_classes).  What the convolutions leave is averaged
    to ``pooled`` × ``pooled`` places; ``hidden`` is the width of the two hidden linear layers.
    For 32×32 images ``pooled=1, hidden=512`` is enough.  Batch norm follows each convolution where
    ``batch_norm`` is set.

    >>> import pellucid
    >>> model = VGG((8, "M", 16, "M"), num_classes=10, pooled=1, hidden=32)
    >>> model(pellucid.zeros(2, 3, 32, 32)).shape
    pellucid.Size([2, 10])
    """

    def __init__(
        self,
        plan: Sequence[int | str] = VGG11,
        num_classes: int = 1000,
        channels: int = 3,
        pooled: int = 7,
        hidden: int = 4096,
        dropout: float = 0.5,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in plan:
            if isinstance(width, str):
                layers += [nn.MaxPool2d(2, stride=2)]
                continue
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            norm = [nn.BatchNorm2d(width)] if batch_norm else []
            layers += [convolution, *norm, nn.ReLU(inplace=True)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((pooled, pooled))
        self.classifier = nn.Sequential(
            nn.Linear(channels * pooled * pooled, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) → (N, num_classes)."""
        x = self.avgpool(self.features(x))  # (N, last of the plan, pooled, pooled)
        return self.classifier(x.flatten(1))


def vgg11(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-11 without batch norm: 132,863,336 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG11, **untrained("vgg11", options, num_classes), batch_norm=False)


def vgg11_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-11 with batch norm: 132,868,840 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG11, **untrained("vgg11_bn", options, num_classes), batch_norm=True)


def vgg13(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-13 without batch norm: 133,047,848 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG13, **untrained("vgg13", options, num_classes), batch_norm=False)


def vgg13_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-13 with batch norm: 133,053,736 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG13, **untrained("vgg13_bn", options, num_classes), batch_norm=True)


def vgg16(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-16 without batch norm: 138,357,544 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG16, **untrained("vgg16", options, num_classes), batch_norm=False)


def vgg16_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-16 with batch norm: 138,365,992 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG16, **untrained("vgg16_bn", options, num_classes), batch_norm=True)


def vgg19(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-19 without batch norm: 143,667,240 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG19, **untrained("vgg19", options, num_classes), batch_norm=False)


def vgg19_bn(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG-19 with batch norm: 143,678,248 parameters for 1000 classes; ``options`` are those of
    ``VGG``, and torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking
    for some raises :class:`ArgumentError`."""
    return VGG(VGG19, **untrained("vgg19_bn", options, num_classes), batch_norm=True)
