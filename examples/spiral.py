"""Two spirals: hopeless for a linear model, easy for a network with two hidden layers.

    python examples/spiral.py

Prints the network's decision regions as text: what it answers at each place of the plane.
"""

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim


def spirals(count: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (2·count, 2) on two arms of a spiral, and which arm (2·count, 1), float32."""
    random = np.random.default_rng(seed)
    points, arms = [], []
    for arm in (0, 1):
        radius = random.uniform(0.05, 1.0, count)
        angle = 1.75 * radius * 2 * np.pi + arm * np.pi
        arc = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)  # (count, 2)
        points.append(arc + noise * random.standard_normal((count, 2)))
        arms.append(np.full((count, 1), arm))
    return np.concatenate(points).astype(np.float32), np.concatenate(arms).astype(np.float32)


def train(model: nn.Module, x: pellucid.Tensor, y: pellucid.Tensor, steps: int) -> None:
    """Full-batch training with binary cross-entropy on scores."""
    optimizer = optim.AdamW(model.parameters(), lr=0.01)

    @pellucid.compile
    def step():
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(steps):
        step()


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """Share of points on the right arm."""
    with pellucid.no_grad():
        scores = model(pellucid.from_numpy(x)).numpy()
    return float(((scores > 0) == (y > 0.5)).mean())


def picture(model: nn.Module, size: int = 31) -> str:
    """The answer at each place of [−1, 1]², # for one arm and · for the other."""
    ticks = np.linspace(-1, 1, size, dtype=np.float32)
    plane = np.stack(np.meshgrid(ticks, -ticks), axis=-1).reshape(-1, 2)  # (size², 2)
    with pellucid.no_grad():
        chosen = model(pellucid.from_numpy(plane)).numpy().reshape(size, size) > 0
    return "\n".join("".join("# " if c else "· " for c in line) for line in chosen)


def main() -> tuple[float, float]:
    """Train both; return the test accuracies of the linear model and of the network."""
    pellucid.manual_seed(0)
    x, y = spirals(250, noise=0.01, seed=0)
    test = spirals(250, noise=0.01, seed=1)
    inputs, targets = pellucid.from_numpy(x), pellucid.from_numpy(y)
    linear = nn.Linear(2, 1)
    network = nn.Sequential(
        nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
    )
    train(linear, inputs, targets, 500)
    train(network, inputs, targets, 2000)
    scores = accuracy(linear, *test), accuracy(network, *test)
    print(picture(network))
    print(f"test accuracy: linear {scores[0]:.3f}, network {scores[1]:.3f}")
    return scores


if __name__ == "__main__":
    main()
