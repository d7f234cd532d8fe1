"""Handwritten digits with the Trainer: what `pellucid train digits` does, in a few lines.

python examples/digits.py
"""

import numpy as np
from sklearn.datasets import load_digits

import pellucid
from pellucid import Trainer, nn, optim


def accuracy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Share of rows whose largest score is that of the right class."""
    return float((scores.argmax(axis=1) == targets).mean())


def main() -> float:
    """Train; return the accuracy on the test part."""
    pellucid.manual_seed(0)
    images, classes = load_digits(return_X_y=True)  # (1797, 64) values 0 … 16, (1797,)
    order = np.random.default_rng(0).permutation(len(images))
    images, classes = (images[order] / 16).astype(np.float32), classes[order]
    train, validation, test = slice(0, 1200), slice(1200, 1500), slice(1500, None)

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    trainer = Trainer(
        model, "cross_entropy", optim.AdamW(model.parameters(), lr=3e-3), metric=accuracy
    )
    history = trainer.fit(
        (images[train], classes[train]),
        (images[validation], classes[validation]),
        epochs=60,
        patience=10,
    )
    for record in history.epochs[::5]:
        print(
            f"epoch {record.epoch:2d}  loss {record.loss:.4f}  validation loss "
            f"{record.validation_loss:.4f}  accuracy {record.metric:.3f}"
        )
    print(f"{history.status}; the weights of epoch {history.best_epoch} are kept")
    result = trainer.evaluate((images[test], classes[test]))["metric"]
    print(f"test accuracy {result:.3f}")
    return result


if __name__ == "__main__":
    main()
