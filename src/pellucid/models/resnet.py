"""ResNet: convolutions in blocks whose input is added to what they make of it.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (2015).  Layers have
torchvision's names, so that its weights fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, each with batch norm; their input is added before the last ReLU.

    (N, C, H, W) → (N, channels, ⌈H / stride⌉, ⌈W / stride⌉).  Where the shape changes, the input
    passes through a 1×1 convolution and batch norm (``downsample``) before it is added.
    """

    def __init__(self, inputs: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + shortcut)


class ResNet(nn.Module):
    """A stem, four groups of blocks, each after the first at half the resolution, the mean over
    all places, and a linear layer.

    Images (N, channels, H, W) → scores (N, num_classes).  ``blocks`` and ``widths`` are the number
    of blocks and of channels of each group; (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) ResNet-34.
    With ``small_images`` the stem is a 3×3 convolution that keeps the resolution (for 32×32);
    without, a 7×7 one with stride 2 and max pooling, which leave a quarter of it (for 224×224).
    Convolutions start by He's normal initialization over the outputs.

    >>> import pellucid
    >>> model = ResNet(widths=(4, 8, 8, 16), num_classes=10, small_images=True)
    >>> model(pellucid.zeros(2, 3, 32, 32)).shape
    pellucid.Size([2, 10])
    """

    def __init__(
        self,
        blocks: Sequence[int] = (2, 2, 2, 2),
        num_classes: int = 1000,
        widths: Sequence[int] = (64, 128, 256, 512),
        channels: int = 3,
        small_images: bool = False,
    ) -> None:
        super().__init__()
        if len(blocks) != 4 or len(widths) != 4:
            raise ArgumentError(
                f"ResNet got blocks={tuple(blocks)}, widths={tuple(widths)}",
                "give four numbers of blocks and four of channels, one for each group",
            )
        first = widths[0]
        if small_images:
            self.conv1 = nn.Conv2d(channels, first, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, first, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._group(first, widths[0], blocks[0], stride=1)
        self.layer2 = self._group(widths[0], widths[1], blocks[1], stride=2)
        self.layer3 = self._group(widths[1], widths[2], blocks[2], stride=2)
        self.layer4 = self._group(widths[2], widths[3], blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(widths[3], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _group(inputs: int, channels: int, count: int, stride: int) -> nn.Sequential:
        later = [BasicBlock(channels, channels) for _ in range(count - 1)]
        return nn.Sequential(BasicBlock(inputs, channels, stride), *later)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) → (N, num_classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer1(x)  # (N, widths[0], H, W), or a quarter of it each way
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        x = self.avgpool(x).flatten(1)  # (N, widths[3])
        return self.fc(x)


def resnet18(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet-18: 11,689,512 parameters for 1000 classes; ``options`` are those of ``ResNet``."""
    return ResNet((2, 2, 2, 2), num_classes, **options)


def resnet34(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet-34: 21,797,672 parameters for 1000 classes; ``options`` are those of ``ResNet``."""
    return ResNet((3, 4, 6, 3), num_classes, **options)
