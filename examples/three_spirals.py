"""Three spirals, three classes: 2-10-3 with sigmoid, as in chapter 1 of "Deep Learning from
Scratch 2" (Saitoh, 2018).

python examples/three_spirals.py
"""

import numpy as np

import pellucid
from pellucid import Trainer, nn, optim


def spirals(points=100, seed=1984):
    """Features (3·points, 2) and classes (3·points,): arms that turn by 4 radians."""
    random = np.random.default_rng(seed)
    classes = np.repeat(np.arange(3), points)
    radius = np.tile(np.arange(points) / points, 3)
    angle = 4.0 * classes + 4.0 * radius + 0.2 * random.normal(size=3 * points)
    place = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return place.astype(np.float32), classes


def main(epochs=300):
    """Train; return the loss of the last epoch and the share of points on the right arm."""
    pellucid.manual_seed(0)
    x, y = spirals()
    model = nn.Sequential(nn.Linear(2, 10), nn.Sigmoid(), nn.Linear(10, 3))
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight, 0.0, 0.01)
        nn.init.zeros_(layer.bias)
    trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=1.0))
    history = trainer.fit((x, y), epochs=epochs, batch_size=30)
    right = float((trainer.predict_class(x).numpy() == y).mean())
    print(f"loss {history.epochs[0].loss:.3f} → {history.epochs[-1].loss:.3f}, {right:.1%} right")
    return history.epochs[-1].loss, right


if __name__ == "__main__":
    main()
