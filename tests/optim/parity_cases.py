"""The same small problem trained by Pellucid and by PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import pellucid

SHAPES = ((4, 3), (4,), (2, 4))


def start_values(seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Weights, inputs (6, 3) and targets (6, 2) of a two-layer net, float64."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=shape) for shape in SHAPES]
    return weights, rng.normal(size=(6, 3)), rng.normal(size=(6, 2))


def train(
    library: Any,
    make: Callable[[list[Any]], Any],
    dtype: str = "float64",
    steps: int = 25,
    seed: int = 0,
    after_step: Callable[[Any, int], None] | None = None,
) -> list[np.ndarray]:
    """The parameters after each step, flat, as trained by ``library`` (pellucid or torch)."""
    weights, inputs, targets = start_values(seed)
    kind = getattr(library, dtype)
    parameters = [library.tensor(w, dtype=kind, requires_grad=True) for w in weights]
    x, y = library.tensor(inputs, dtype=kind), library.tensor(targets, dtype=kind)
    optimizer = make(parameters)

    def closure() -> Any:
        optimizer.zero_grad()
        first, bias, second = parameters
        hidden = (x @ first.T + bias).tanh()
        loss = ((hidden @ second.T - y) ** 2).mean()
        loss.backward()
        return loss

    trajectory = []
    for step in range(steps):
        optimizer.step(closure)
        if after_step is not None:
            after_step(optimizer, step)
        flat = [np.asarray(p.detach().numpy()).ravel().copy() for p in parameters]
        trajectory.append(np.concatenate(flat))
    return trajectory


def pellucid_run(name: str, options: dict[str, Any], **settings: Any) -> list[np.ndarray]:
    """Train with ``pellucid.optim.<name>(**options)``."""
    from pellucid import optim

    return train(pellucid, lambda p: getattr(optim, name)(p, **options), **settings)
