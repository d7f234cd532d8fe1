"""Small convolutional networks for small images."""

from __future__ import annotations

import pellucid.nn.functional as F
from pellucid import Tensor, nn


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
