"""Small convolutional networks for small images."""

from __future__ import annotations

import pellucid.nn.functional as F
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError


class LeNet(nn.Module):
    """LeNet-5: two convolutions with pooling, three linear layers; 61,706 parameters.

    Images (N, 1, 28, 28) → scores (N, num_classes).  (LeCun, Bottou, Bengio and Haffner, 1998;
    with ReLU and max pooling, where theirs had tanh and sums.)

    >>> import pellucid
    >>> LeNet()(pellucid.zeros(3, 1, 28, 28)).shape
    pellucid.Size([3, 10])
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 28, 28) → (N, num_classes)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, 6, 14, 14)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 16, 5, 5)
        x = x.flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


class SimpleConvNet(nn.Module):
    """One convolution with pooling, two linear layers: the first network with convolutions of many
    courses (Saitoh, "Deep Learning from Scratch", 2016, chapter 7).

    Images (N, 1, size, size) → scores (N, num_classes).  Weights start from N(0, 0.01²), biases
    at 0.  433,890 parameters for images of 28×28.

    >>> import pellucid
    >>> SimpleConvNet()(pellucid.zeros(3, 1, 28, 28)).shape
    pellucid.Size([3, 10])
    """

    def __init__(self, num_classes: int = 10, size: int = 28) -> None:
        super().__init__()
        _check_size(size, 6)
        places = (size - 4) // 2
        self.conv1 = nn.Conv2d(1, 30, 5)
        self.fc1 = nn.Linear(30 * places**2, 100)
        self.fc2 = nn.Linear(100, num_classes)
        for layer in (self.conv1, self.fc1, self.fc2):
            nn.init.normal_(layer.weight, 0.0, 0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, size, size) → (N, num_classes)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, 30, places, places)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class DeepConvNet(nn.Module):
    """Six 3×3 convolutions with three poolings, two linear layers with dropout (chapter 8 of the
    book of ``SimpleConvNet``, where the scores pass a dropout as well).

    Images (N, 1, size, size) → scores (N, num_classes).  He's initial weights, biases at 0.

    >>> import pellucid
    >>> DeepConvNet()(pellucid.zeros(3, 1, 28, 28)).shape
    pellucid.Size([3, 10])
    """

    def __init__(self, num_classes: int = 10, size: int = 28) -> None:
        super().__init__()
        _check_size(size, 8)
        places = ((size // 2 + 2) // 2) // 2
        layers: list[nn.Module] = []
        before = 1
        for channels, padding in ((16, 1), (32, 2), (64, 1)):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(channels, channels, 3, padding=padding), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
            before = channels
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(64 * places**2, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, num_classes)
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, size, size) → (N, num_classes)."""
        return self.classifier(self.features(x).flatten(1))


def _check_size(size: int, least: int) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < least:
        raise ArgumentError(f"images of size {size!r}", f"Use a whole number from {least} up.")
