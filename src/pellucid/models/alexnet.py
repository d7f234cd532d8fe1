"""AlexNet: five convolutions and three linear layers.

Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014).  Layers have
torchvision's names, so that its weights fit.
"""

from __future__ import annotations

from pellucid import Tensor, nn
from pellucid.models.untrained import refuse_weights


class AlexNet(nn.Module):
    """Images (N, 3, H, W) of at least 63 × 63 → scores (N, num_classes)."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, num_classes)."""
        x = self.avgpool(self.features(x))  # (N, 256, 6, 6)
        return self.classifier(x.flatten(1))


def alexnet(
    weights: object = None,
    progress: bool = True,
    *,
    pretrained: bool = False,
    num_classes: int = 1000,
    dropout: float = 0.5,
) -> AlexNet:
    """AlexNet: 61,100,840 parameters for 1000 classes.  Weights are not fetched: asking for some
    raises :class:`ArgumentError`."""
    refuse_weights("alexnet", weights, pretrained)
    return AlexNet(num_classes, dropout)
