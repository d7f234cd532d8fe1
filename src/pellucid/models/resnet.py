"""ResNet: convolutions in blocks whose input is added to what they make of it.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (2015).  Layers have
torchvision's names, so that its weights fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.models.untrained import refuse_weights, untrained


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """What a block's input passes through before it is added; nothing where shapes agree."""
    if stride == 1 and inputs == outputs:
        return None
    convolution = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, each with batch norm; their input is added before the last ReLU.

    (N, C, H, W) → (N, channels, ⌈H / stride⌉, ⌈W / stride⌉).  Where the shape changes, the input
    passes through a 1×1 convolution and batch norm (``downsample``) before it is added.
    """

    expansion = 1
    """How many times ``channels`` the result has."""

    def __init__(
        self, inputs: int, channels: int, stride: int = 1, groups: int = 1, base_width: int = 64
    ) -> None:
        super().__init__()
        if (groups, base_width) != (1, 64):
            raise ArgumentError(
                f"BasicBlock got groups={groups} and base_width={base_width}",
                "use Bottleneck, whose convolution in the middle can have them",
            )
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(inputs, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + shortcut)


class Bottleneck(nn.Module):
    """A 1×1, a 3×3 and a 1×1 convolution, each with batch norm; the input is added before the last
    ReLU.

    (N, C, H, W) → (N, 4·channels, ⌈H / stride⌉, ⌈W / stride⌉): the 3×3 convolution works on
    ``channels`` only, which makes deep networks affordable.  It also has the stride.  With
    ``groups`` and ``base_width`` it has ``channels`` · ``base_width`` / 64 · ``groups`` channels in
    as many groups (Xie et al., "Aggregated Residual Transformations", 2017).
    """

    expansion = 4
    """How many times ``channels`` the result has."""

    def __init__(
        self, inputs: int, channels: int, stride: int = 1, groups: int = 1, base_width: int = 64
    ) -> None:
        super().__init__()
        outputs = self.expansion * channels
        width = int(channels * (base_width / 64)) * groups
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 4·channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + shortcut)


class ResNet(nn.Module):
    """A stem, four groups of blocks, each after the first at half the resolution, the mean over
    all places, and a linear layer.

    Images (N, channels, H, W) → scores (N, num_classes).  ``blocks`` and ``widths`` are the number
    of blocks and of channels of each group; (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) ResNet-34 and,
    with ``block=Bottleneck``, ResNet-50.
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
        block: type[BasicBlock] | type[Bottleneck] = BasicBlock,
        groups: int = 1,
        width_per_group: int = 64,
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
        split = (groups, width_per_group)
        wide = [block.expansion * width for width in widths]  # channels after each group
        self.layer1 = _group(block, first, widths[0], blocks[0], 1, split)
        self.layer2 = _group(block, wide[0], widths[1], blocks[1], 2, split)
        self.layer3 = _group(block, wide[1], widths[2], blocks[2], 2, split)
        self.layer4 = _group(block, wide[2], widths[3], blocks[3], 2, split)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(wide[3], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) → (N, num_classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer1(x)  # (N, widths[0], H, W), or a quarter of it each way
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        x = self.avgpool(x).flatten(1)  # (N, widths[3])
        return self.fc(x)


def _group(
    block: type[BasicBlock] | type[Bottleneck],
    inputs: int,
    width: int,
    count: int,
    stride: int,
    split: tuple[int, int],
) -> nn.Sequential:
    later = [block(block.expansion * width, width, 1, *split) for _ in range(count - 1)]
    return nn.Sequential(block(inputs, width, stride, *split), *later)


def resnet18(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet-18: 11,689,512 parameters for 1000 classes; ``options`` are those of ``ResNet``, and
    torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking for some
    raises :class:`ArgumentError`."""
    return ResNet((2, 2, 2, 2), **untrained("resnet18", options, num_classes))


def resnet34(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet-34: 21,797,672 parameters for 1000 classes; ``options`` are those of ``ResNet``, and
    torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking for some
    raises :class:`ArgumentError`."""
    return ResNet((3, 4, 6, 3), **untrained("resnet34", options, num_classes))


def resnet50(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet-50: 25,557,032 parameters for 1000 classes; ``options`` are those of ``ResNet``, and
    torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking for some
    raises :class:`ArgumentError`."""
    return ResNet((3, 4, 6, 3), **untrained("resnet50", options, num_classes), block=Bottleneck)


def resnet101(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet-101: 44,549,160 parameters for 1000 classes; ``options`` are those of ``ResNet``, and
    torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking for some
    raises :class:`ArgumentError`."""
    return ResNet((3, 4, 23, 3), **untrained("resnet101", options, num_classes), block=Bottleneck)


def resnet152(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet-152: 60,192,808 parameters for 1000 classes; ``options`` are those of ``ResNet``, and
    torchvision's ``weights=None`` and ``progress``.  Weights are not fetched: asking for some
    raises :class:`ArgumentError`."""
    return ResNet((3, 8, 36, 3), **untrained("resnet152", options, num_classes), block=Bottleneck)


def resnext50_32x4d(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
) -> ResNet:
    """ResNeXt-50 (32×4): 25,028,904 parameters for 1000 classes.  Weights are not fetched:
    asking for some raises :class:`ArgumentError`."""
    refuse_weights("resnext50_32x4d", weights, pretrained)
    return ResNet((3, 4, 6, 3), num_classes, block=Bottleneck, groups=32, width_per_group=4)


def resnext101_32x8d(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
) -> ResNet:
    """ResNeXt-101 (32×8): 88,791,336 parameters for 1000 classes.  Weights are not fetched:
    asking for some raises :class:`ArgumentError`."""
    refuse_weights("resnext101_32x8d", weights, pretrained)
    return ResNet((3, 4, 23, 3), num_classes, block=Bottleneck, groups=32, width_per_group=8)


def wide_resnet50_2(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
) -> ResNet:
    """Wide ResNet-50-2: 68,883,240 parameters for 1000 classes.  Weights are not fetched:
    asking for some raises :class:`ArgumentError`."""
    refuse_weights("wide_resnet50_2", weights, pretrained)
    return ResNet((3, 4, 6, 3), num_classes, block=Bottleneck, groups=1, width_per_group=128)


def wide_resnet101_2(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
) -> ResNet:
    """Wide ResNet-101-2: 126,886,696 parameters for 1000 classes.  Weights are not fetched:
    asking for some raises :class:`ArgumentError`."""
    refuse_weights("wide_resnet101_2", weights, pretrained)
    return ResNet((3, 4, 23, 3), num_classes, block=Bottleneck, groups=1, width_per_group=128)
