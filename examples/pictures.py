"""A gallery: one picture of each kind, of things learned in seconds.

python examples/pictures.py [FOLDER]

Writes optimizers.svg (five optimizers in one valley), training.png (regions while a network learns
two moons), inside.png (values in its layers), around.svg (its loss around the weights it found),
confusion.svg, digits.png (vectors of digits on a map), graph.svg (a computation graph with values
and gradients) and looks_for.png (what excites the units of a convolutional network).
"""

import copy
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, make_moons

import pellucid
import pellucid.nn.functional as F
from pellucid import Trainer, nn, optim
from pellucid.insight import pictures


def optimizers(folder: Path) -> None:
    """The ways of five optimizers down one valley: across it SGD jumps from side to side."""

    def valley(x, y):
        return x**2 / 20 + y**2

    rules = {
        "SGD": lambda p: optim.SGD(p, lr=0.95),
        "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        "AdaGrad": lambda p: optim.Adagrad(p, lr=1.5),
        "RMSprop": lambda p: optim.RMSprop(p, lr=0.2),
        "Adam": lambda p: optim.Adam(p, lr=0.3),
    }
    ways = {name: pictures.descend(valley, (-7, 2), rule, 30) for name, rule in rules.items()}
    pictures.draw_descent(valley, ways, folder / "optimizers.svg", x=(-8, 3), y=(-2.5, 2.5))


def moons(folder: Path) -> None:
    """A network learns two moons: regions, values inside, the loss around its weights."""
    x, y = make_moons(300, noise=0.2, random_state=0)
    x = x.astype(np.float32)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.02), seed=0)
    seen = {"before": copy.deepcopy(model)}
    for epochs in (5, 95):
        trainer.fit((x, y), epochs=epochs)
        seen[f"epoch {trainer.epochs_trained}"] = copy.deepcopy(model)
    pictures.draw_decisions(seen, x, y, folder / "training.png")
    pictures.draw_values(pictures.layer_values(model, x), folder / "inside.png", kind="activation")
    features, classes = pellucid.tensor(x), pellucid.tensor(y)
    surface = pictures.loss_surface(model, lambda net: F.cross_entropy(net(features), classes))
    pictures.draw_loss_surface(surface, folder / "around.svg")


def digits(folder: Path) -> float:
    """A convolutional network learns digits: what it confuses, what it looks for, a map."""
    images, classes = load_digits(return_X_y=True)
    images = np.kron((images / 16).reshape(-1, 1, 8, 8), np.ones((2, 2))).astype(np.float32)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=3e-3), seed=0)
    trainer.fit((images[:1400], classes[:1400]), epochs=8, batch_size=50)
    predicted = trainer.predict_class(images[1400:])
    names = [str(i) for i in range(10)]
    pictures.draw_confusion(classes[1400:], predicted, names, folder / "confusion.svg")
    pictures.draw_what_it_looks_for(model, images[:500], folder / "looks_for.png")
    vectors = model[:7](pellucid.tensor(images[:400]))
    pictures.draw_embeddings(vectors, path=folder / "digits.png", groups=classes[:400])
    return float((predicted.numpy() == classes[1400:]).mean())


def main(folder: str | Path = ".") -> float:
    """Draw everything; return the accuracy of the network that reads digits."""
    pellucid.manual_seed(0)
    place = Path(folder)
    optimizers(place)
    moons(place)
    graph = pictures.draw_graph(lambda x, w, b: F.sigmoid(w * x + b), 2.0, -1.5, 0.5)
    graph.save(place / "graph.svg")
    accuracy = digits(place)
    print(f"accuracy {accuracy:.3f}; pictures in {place.resolve()}")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:2])
