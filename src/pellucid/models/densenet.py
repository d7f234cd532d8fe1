"""DenseNet: each layer reads what all before it in its block have made.

Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks" (2017).
Layers have torchvision's names, so that its weights fit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import pellucid
from pellucid import Tensor, nn
from pellucid.models.untrained import refuse_weights


class DenseLayer(nn.Module):
    """Norm, ReLU, 1×1 convolution to ``bn_size`` · ``growth`` channels, norm, ReLU, 3×3
    convolution to ``growth``: (N, inputs, H, W) → (N, growth, H, W)."""

    def __init__(self, inputs: int, growth: int, bn_size: int, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, bn_size * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth, growth, 3, padding=1, bias=False)
        self.drop_rate = drop_rate

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """What the layers before have made → (N, growth, H, W)."""
        x = self.conv1(self.relu1(self.norm1(pellucid.cat(list(features), 1))))
        x = self.conv2(self.relu2(self.norm2(x)))
        return nn.functional.dropout(x, self.drop_rate, self.training) if self.drop_rate else x


class DenseBlock(nn.ModuleDict):
    """``layers`` of them one after the other; all that was made, side by side, is the result."""

    def __init__(
        self, layers: int, inputs: int, bn_size: int, growth: int, drop_rate: float
    ) -> None:
        super().__init__()
        for i in range(layers):
            layer = DenseLayer(inputs + i * growth, growth, bn_size, drop_rate)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, inputs + layers · growth, H, W)."""
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return pellucid.cat(features, 1)


def _transition(inputs: int, outputs: int) -> nn.Sequential:
    """Half the channels, half the resolution."""
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            norm=nn.BatchNorm2d(inputs),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(inputs, outputs, 1, bias=False),
            pool=nn.AvgPool2d(2, stride=2),
        )
    )


class DenseNet(nn.Module):
    """Images (N, 3, H, W) → scores (N, num_classes).

    ``growth_rate`` channels are added by each layer, ``block_config`` says how many layers each
    block has, ``bn_size`` how many times ``growth_rate`` the channels between its convolutions are.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        channels = num_init_features
        self.features = nn.Sequential(
            OrderedDict[str, nn.Module](
                conv0=nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(3, stride=2, padding=1),
            )
        )
        for i, layers in enumerate(block_config):
            block = DenseBlock(layers, channels, bn_size, growth_rate, drop_rate)
            self.features.add_module(f"denseblock{i + 1}", block)
            channels += layers * growth_rate
            if i + 1 < len(block_config):
                self.features.add_module(f"transition{i + 1}", _transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, num_classes)."""
        x = nn.functional.relu(self.features(x), inplace=True)
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1)
        return self.classifier(x)


def densenet121(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    drop_rate: float = 0,
    num_classes: int = 1000,
) -> DenseNet:
    """DenseNet-121: 7,978,856 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("densenet121", weights, pretrained)
    return DenseNet(32, (6, 12, 24, 16), 64, drop_rate=drop_rate, num_classes=num_classes)


def densenet161(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    drop_rate: float = 0,
    num_classes: int = 1000,
) -> DenseNet:
    """DenseNet-161: 28,681,000 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("densenet161", weights, pretrained)
    return DenseNet(48, (6, 12, 36, 24), 96, drop_rate=drop_rate, num_classes=num_classes)


def densenet169(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    drop_rate: float = 0,
    num_classes: int = 1000,
) -> DenseNet:
    """DenseNet-169: 14,149,480 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("densenet169", weights, pretrained)
    return DenseNet(32, (6, 12, 32, 32), 64, drop_rate=drop_rate, num_classes=num_classes)


def densenet201(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    drop_rate: float = 0,
    num_classes: int = 1000,
) -> DenseNet:
    """DenseNet-201: 20,013,928 parameters for 1000 classes.  Weights are not fetched: asking for
    some raises :class:`ArgumentError`."""
    refuse_weights("densenet201", weights, pretrained)
    return DenseNet(32, (6, 12, 48, 32), 64, drop_rate=drop_rate, num_classes=num_classes)
