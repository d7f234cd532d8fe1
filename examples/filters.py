"""What a convolutional network looks for in digits, and where it finds it.

python examples/filters.py

Writes two pictures: filters.png, the patterns of the first layer, and maps.png, what both layers
find in a digit: strokes and edges first, then parts of digits.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.insight.features import feature_maps
from pellucid.insight.pictures import draw_feature_maps, draw_filters


def accuracy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Share of rows whose largest score is that of the right class."""
    return float((scores.argmax(axis=1) == targets).mean())


def main(folder: str | Path = ".") -> float:
    """Train, draw; return the accuracy on digits that were held back."""
    pellucid.manual_seed(0)
    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images = (images[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8)  # (N, C, H, W)
    classes = classes[order]

    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 2 * 2, 10),
    )
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    trainer = Trainer(model, "cross_entropy", optimizer, metric=accuracy)
    trainer.fit((images[:1400], classes[:1400]), epochs=10, batch_size=50)

    draw_filters(model, Path(folder) / "filters.png")
    draw_feature_maps(model, images[-1], Path(folder) / "maps.png")
    for layer, maps in feature_maps(model, images[-1]).items():
        print(f"layer {layer}: {len(maps)} maps of {maps.shape[1]}×{maps.shape[2]}")
    result = trainer.evaluate((images[1400:], classes[1400:]))["metric"]
    print(f"accuracy {result:.3f}; see filters.png and maps.png")
    return result


if __name__ == "__main__":
    main()
