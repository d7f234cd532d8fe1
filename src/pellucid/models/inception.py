"""GoogLeNet and Inception v3: convolutions of several sizes side by side.

Szegedy et al., "Going Deeper with Convolutions" (2015) and "Rethinking the Inception Architecture
for Computer Vision" (2016).  Layers have torchvision's names, so that its weights fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pellucid
from pellucid import Tensor, nn
from pellucid.models.untrained import refuse_weights

F = nn.functional


class GoogLeNetOutputs(NamedTuple):
    """Scores while training: those of the network, and those of its two auxiliary ends."""

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


class InceptionOutputs(NamedTuple):
    """Scores while training: those of the network, and those of its auxiliary end."""

    logits: Tensor
    aux_logits: Tensor | None


class BasicConv2d(nn.Module):
    """A convolution without bias, batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, **settings: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, bias=False, **settings)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H′, W′)."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


def _start(module: nn.Module, std: float | None = None) -> None:
    """Normal weights, cut at two in absolute value; ``std`` 0.1 unless a layer says otherwise."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            spread = std or float(getattr(part, "stddev", 0.1))
            nn.init.trunc_normal_(part.weight, mean=0.0, std=spread, a=-2, b=2)


# ---- GoogLeNet -----------------------------------------------------------------------------------


class Inception(nn.Module):
    """Four branches side by side: 1×1, 3×3, another 3×3, pooling; sizes are their channels."""

    def __init__(self, inputs: int, *sizes: int) -> None:
        super().__init__()
        one, reduced3, three, reduced5, five, pooled = sizes
        self.branch1 = BasicConv2d(inputs, one, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(inputs, reduced3, kernel_size=1),
            BasicConv2d(reduced3, three, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(inputs, reduced5, kernel_size=1),
            BasicConv2d(reduced5, five, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(inputs, pooled, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, sum of the branches, H, W)."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return pellucid.cat([branch(x) for branch in branches], 1)


class AuxiliaryEnd(nn.Module):
    """Scores from the middle of GoogLeNet, for a loss of their own."""

    def __init__(self, inputs: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.conv = BasicConv2d(inputs, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, num_classes)."""
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


class GoogLeNet(nn.Module):
    """Images (N, 3, H, W) → scores (N, num_classes); :class:`GoogLeNetOutputs` while training with
    ``aux_logits``."""

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        init_weights: bool = True,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ) -> None:
        super().__init__()
        self.aux_logits = aux_logits
        self.conv1 = BasicConv2d(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, kernel_size=1)
        self.conv3 = BasicConv2d(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = AuxiliaryEnd(512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = AuxiliaryEnd(528, num_classes, dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights:
            _start(self, 0.01)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        """(N, 3, H, W) → (N, num_classes), and the auxiliary scores while training."""
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        ends = self.training and self.aux1 is not None and self.aux2 is not None
        first = self.aux1(x) if ends and self.aux1 is not None else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        second = self.aux2(x) if ends and self.aux2 is not None else None
        x = self.maxpool4(self.inception4e(x))
        x = self.avgpool(self.inception5b(self.inception5a(x))).flatten(1)
        scores = self.fc(self.dropout(x))
        return GoogLeNetOutputs(scores, second, first) if ends else scores


def googlenet(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    aux_logits: bool = True,
    init_weights: bool = True,
    dropout: float = 0.2,
    dropout_aux: float = 0.7,
) -> GoogLeNet:
    """GoogLeNet: 13,004,888 parameters for 1000 classes, 6,624,904 without auxiliary ends.
    Weights are not fetched: asking for some raises :class:`ArgumentError`."""
    refuse_weights("googlenet", weights, pretrained)
    return GoogLeNet(num_classes, aux_logits, init_weights, dropout, dropout_aux)


# ---- Inception v3 --------------------------------------------------------------------------------


class _Branches(nn.Module):
    """Convolutions by name, each as (inputs, outputs, kernel, stride, padding)."""

    def __init__(self, **parts: tuple[int, int, Any, int, Any]) -> None:
        super().__init__()
        for name, (inputs, outputs, kernel, stride, padding) in parts.items():
            made = BasicConv2d(inputs, outputs, kernel_size=kernel, stride=stride, padding=padding)
            self.add_module(name, made)

    def _through(self, x: Tensor, names: str) -> Tensor:
        """One convolution after the other."""
        for name in names.split():
            x = getattr(self, name)(x)
        return x

    def _pooled(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, stride=1, padding=1)


class InceptionA(_Branches):
    """1×1, 5×5, two 3×3 and pooling side by side: (N, inputs, H, W) → (N, 224 + pool, H, W)."""

    def __init__(self, inputs: int, pool_features: int) -> None:
        super().__init__(
            branch1x1=(inputs, 64, 1, 1, 0),
            branch5x5_1=(inputs, 48, 1, 1, 0),
            branch5x5_2=(48, 64, 5, 1, 2),
            branch3x3dbl_1=(inputs, 64, 1, 1, 0),
            branch3x3dbl_2=(64, 96, 3, 1, 1),
            branch3x3dbl_3=(96, 96, 3, 1, 1),
            branch_pool=(inputs, pool_features, 1, 1, 0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 224 + pool_features, H, W)."""
        parts = [
            self._through(x, "branch1x1"),
            self._through(x, "branch5x5_1 branch5x5_2"),
            self._through(x, "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
            self._through(self._pooled(x), "branch_pool"),
        ]
        return pellucid.cat(parts, 1)


class InceptionB(_Branches):
    """Half the resolution: (N, inputs, H, W) → (N, inputs + 480, ⌊(H − 1) / 2⌋, …)."""

    def __init__(self, inputs: int) -> None:
        super().__init__(
            branch3x3=(inputs, 384, 3, 2, 0),
            branch3x3dbl_1=(inputs, 64, 1, 1, 0),
            branch3x3dbl_2=(64, 96, 3, 1, 1),
            branch3x3dbl_3=(96, 96, 3, 2, 0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, inputs + 480, half of H, half of W)."""
        parts = [
            self._through(x, "branch3x3"),
            self._through(x, "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
            F.max_pool2d(x, 3, stride=2),
        ]
        return pellucid.cat(parts, 1)


_FLAT: tuple[Any, Any] = ((1, 7), (0, 3))
_TALL: tuple[Any, Any] = ((7, 1), (3, 0))


class InceptionC(_Branches):
    """7×7 as 1×7 and 7×1: (N, inputs, H, W) → (N, 768, H, W)."""

    def __init__(self, inputs: int, channels_7x7: int) -> None:
        c = channels_7x7
        super().__init__(
            branch1x1=(inputs, 192, 1, 1, 0),
            branch7x7_1=(inputs, c, 1, 1, 0),
            branch7x7_2=(c, c, _FLAT[0], 1, _FLAT[1]),
            branch7x7_3=(c, 192, _TALL[0], 1, _TALL[1]),
            branch7x7dbl_1=(inputs, c, 1, 1, 0),
            branch7x7dbl_2=(c, c, _TALL[0], 1, _TALL[1]),
            branch7x7dbl_3=(c, c, _FLAT[0], 1, _FLAT[1]),
            branch7x7dbl_4=(c, c, _TALL[0], 1, _TALL[1]),
            branch7x7dbl_5=(c, 192, _FLAT[0], 1, _FLAT[1]),
            branch_pool=(inputs, 192, 1, 1, 0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 768, H, W)."""
        parts = [
            self._through(x, "branch1x1"),
            self._through(x, "branch7x7_1 branch7x7_2 branch7x7_3"),
            self._through(x, " ".join(f"branch7x7dbl_{i}" for i in range(1, 6))),
            self._through(self._pooled(x), "branch_pool"),
        ]
        return pellucid.cat(parts, 1)


class InceptionD(_Branches):
    """Half the resolution: (N, inputs, H, W) → (N, inputs + 512, ⌊(H − 1) / 2⌋, …)."""

    def __init__(self, inputs: int) -> None:
        super().__init__(
            branch3x3_1=(inputs, 192, 1, 1, 0),
            branch3x3_2=(192, 320, 3, 2, 0),
            branch7x7x3_1=(inputs, 192, 1, 1, 0),
            branch7x7x3_2=(192, 192, _FLAT[0], 1, _FLAT[1]),
            branch7x7x3_3=(192, 192, _TALL[0], 1, _TALL[1]),
            branch7x7x3_4=(192, 192, 3, 2, 0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, inputs + 512, half of H, half of W)."""
        parts = [
            self._through(x, "branch3x3_1 branch3x3_2"),
            self._through(x, "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"),
            F.max_pool2d(x, 3, stride=2),
        ]
        return pellucid.cat(parts, 1)


class InceptionE(_Branches):
    """3×3 as 1×3 and 3×1 side by side: (N, inputs, H, W) → (N, 2048, H, W)."""

    def __init__(self, inputs: int) -> None:
        super().__init__(
            branch1x1=(inputs, 320, 1, 1, 0),
            branch3x3_1=(inputs, 384, 1, 1, 0),
            branch3x3_2a=(384, 384, (1, 3), 1, (0, 1)),
            branch3x3_2b=(384, 384, (3, 1), 1, (1, 0)),
            branch3x3dbl_1=(inputs, 448, 1, 1, 0),
            branch3x3dbl_2=(448, 384, 3, 1, 1),
            branch3x3dbl_3a=(384, 384, (1, 3), 1, (0, 1)),
            branch3x3dbl_3b=(384, 384, (3, 1), 1, (1, 0)),
            branch_pool=(inputs, 192, 1, 1, 0),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 2048, H, W)."""
        small = self._through(x, "branch3x3_1")
        large = self._through(x, "branch3x3dbl_1 branch3x3dbl_2")
        parts = [
            self._through(x, "branch1x1"),
            self._through(small, "branch3x3_2a"),
            self._through(small, "branch3x3_2b"),
            self._through(large, "branch3x3dbl_3a"),
            self._through(large, "branch3x3dbl_3b"),
            self._through(self._pooled(x), "branch_pool"),
        ]
        return pellucid.cat(parts, 1)


class InceptionAux(nn.Module):
    """Scores from the middle of Inception v3, for a loss of their own."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = BasicConv2d(inputs, 128, kernel_size=1)
        self.conv1 = BasicConv2d(128, 768, kernel_size=5)
        self.conv1.conv.stddev = 0.01
        self.fc = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, num_classes)."""
        x = self.conv1(self.conv0(F.avg_pool2d(x, 5, stride=3)))
        return self.fc(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


_MIXED: Sequence[tuple[str, type[nn.Module], tuple[int, ...]]] = (
    ("Mixed_5b", InceptionA, (192, 32)),
    ("Mixed_5c", InceptionA, (256, 64)),
    ("Mixed_5d", InceptionA, (288, 64)),
    ("Mixed_6a", InceptionB, (288,)),
    ("Mixed_6b", InceptionC, (768, 128)),
    ("Mixed_6c", InceptionC, (768, 160)),
    ("Mixed_6d", InceptionC, (768, 160)),
    ("Mixed_6e", InceptionC, (768, 192)),
    ("Mixed_7a", InceptionD, (768,)),
    ("Mixed_7b", InceptionE, (1280,)),
    ("Mixed_7c", InceptionE, (2048,)),
)


class Inception3(nn.Module):
    """Images (N, 3, H, W), 299 × 299 in the paper and at least 75 × 75, → scores (N, num_classes);
    :class:`InceptionOutputs` while training with ``aux_logits``."""

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.aux_logits = aux_logits
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        for name, block, sizes in _MIXED:
            self.add_module(name, block(*sizes))
            if name == "Mixed_6e":
                self.AuxLogits = InceptionAux(768, num_classes) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights:
            _start(self)

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        """(N, 3, H, W) → (N, num_classes), and the auxiliary scores while training."""
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        auxiliary = None
        for name, _, _ in _MIXED:
            x = getattr(self, name)(x)
            if name == "Mixed_6e" and self.training and self.AuxLogits is not None:
                auxiliary = self.AuxLogits(x)
        scores = self.fc(self.dropout(self.avgpool(x)).flatten(1))
        return scores if auxiliary is None else InceptionOutputs(scores, auxiliary)


def inception_v3(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    aux_logits: bool = True,
    init_weights: bool = True,
    dropout: float = 0.5,
) -> Inception3:
    """Inception v3: 27,161,264 parameters for 1000 classes, 23,834,568 without the auxiliary end.
    Weights are not fetched: asking for some raises :class:`ArgumentError`."""
    refuse_weights("inception_v3", weights, pretrained)
    return Inception3(num_classes, aux_logits, init_weights, dropout)
