"""Two spirals: hopeless for a linear model, easy for a network with two hidden layers.

    python examples/spiral.py

Prints the network's decision regions as text: what it answers at each place of the plane.
"""

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim
from pellucid.data.playground import playground


def train(model: nn.Module, x: pellucid.Tensor, y: pellucid.Tensor, steps: int) -> None:
    """Full-batch training with binary cross-entropy on scores."""
    optimizer = optim.AdamW(model.parameters(), lr=0.01)

    @pellucid.compile
    def step():
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x)[:, 0], y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(steps):
        step()


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """Share of points on the right arm."""
    with pellucid.no_grad():
        scores = model(pellucid.from_numpy(x)).numpy()[:, 0]
    return float(((scores > 0) == y).mean())


def picture(model: nn.Module, size: int = 31) -> str:
    """The answer at each place of [−6, 6]², # for one arm and · for the other."""
    ticks = np.linspace(-6, 6, size, dtype=np.float32)
    plane = np.stack(np.meshgrid(ticks, -ticks), axis=-1).reshape(-1, 2)  # (size², 2)
    with pellucid.no_grad():
        chosen = model(pellucid.from_numpy(plane)).numpy().reshape(size, size) > 0
    return "\n".join("".join("# " if c else "· " for c in line) for line in chosen)


def main() -> tuple[float, float]:
    """Train both; return the test accuracies of the linear model and of the network."""
    pellucid.manual_seed(0)
    points = playground("spiral", noise=5, train_percent=50, seed=0)
    inputs, targets = map(pellucid.from_numpy, points.train)  # (250, 2) and (250,)
    targets = targets.float()
    linear = nn.Linear(2, 1)
    network = nn.Sequential(
        nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
    )
    train(linear, inputs, targets, 500)
    train(network, inputs, targets, 2000)
    scores = accuracy(linear, *points.test), accuracy(network, *points.test)
    print(picture(network))
    print(f"test accuracy: linear {scores[0]:.3f}, network {scores[1]:.3f}")
    return scores


if __name__ == "__main__":
    main()
