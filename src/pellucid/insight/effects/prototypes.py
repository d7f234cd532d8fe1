"""Examples that stand for many, examples that nothing stands for, and the nearest ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.effects.subject import Floats, as_rows, block_of, row_count
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.verdicts import Verdict
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.training.batches import applied

_ROWS = 1024
_MOST = 4000


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Rows that stand for a data set.

    ``rows`` are positions, in the order of their choice; ``criticisms`` rows that these do not
    stand for; ``nearest`` (rows of the data,) says which prototype stands for each row.
    ``distance`` is the squared maximum mean discrepancy between the prototypes and the data,
    ``chance`` the same of as many rows drawn at random, (draws,).
    """

    rows: tuple[int, ...]
    criticisms: tuple[int, ...]
    nearest: npt.NDArray[np.int64]
    distance: float
    chance: Floats
    verdict: Verdict


def prototypes(
    data: Any,
    count: int = 5,
    *,
    criticisms: int = 0,
    model: Module | None = None,
    layer: str | None = None,
    width: float | None = None,
    seed: int = 0,
) -> Prototypes:
    """The ``count`` rows whose distribution is nearest to that of the data, chosen one by one and
    then exchanged, and ``criticisms`` rows where the two differ most.

    Rows are compared by exp(−‖a − b‖² / (2·width²)), of their numbers or, with ``model`` and
    ``layer`` (a path, such as that of the last hidden layer), of what the layer makes of them;
    ``width`` is by default the median distance.  At most 4,000 rows: more are thinned evenly.
    (Kim, Khanna and Koyejo, "Examples are not enough, learn to criticize!", 2016.)
    """
    points = representation(data, model, layer)
    if not 1 <= count <= len(points) or criticisms < 0:
        raise ArgumentError(
            f"count={count} prototypes of {len(points)} rows", "Ask for 1 up to all of them."
        )
    places = np.arange(len(points))
    if len(points) > _MOST:
        places = np.linspace(0, len(points) - 1, _MOST).astype(np.int64)
    squares = _squared_distances(points[places], points[places])
    if width is None:
        pairs = squares[np.triu_indices(len(squares), 1)]
        width = float(np.sqrt(np.median(pairs))) if len(pairs) else 1.0
    kernel = np.exp(-squares / (2 * max(width, 1e-12) ** 2))
    means = kernel.mean(axis=1)
    chosen = _greedy(kernel, means, count)
    distance = _discrepancy(kernel, means, chosen)
    random = np.random.default_rng(seed)
    draws = [random.choice(len(places), count, replace=False) for _ in range(100)]
    chance = np.array([_discrepancy(kernel, means, list(draw)) for draw in draws])
    critics = _critics(kernel, means, chosen, criticisms)
    own = points[places[chosen]]
    nearest = np.concatenate(
        [
            _squared_distances(part, own).argmin(axis=1)
            for part in np.array_split(points, _parts(points))
        ]
    )
    reasons = Reasons()
    better = float((distance < chance).mean())
    text = f"the prototypes are nearer to the data than {better:.0%} of as many rows at random"
    (reasons.support if better >= 0.95 else reasons.add)(text)
    return Prototypes(
        tuple(int(places[i]) for i in chosen), tuple(int(places[i]) for i in critics), nearest,
        distance, chance, reasons.verdict(),
    )  # fmt: skip


def _parts(points: Floats) -> int:
    return -(-len(points) // _ROWS)


def _greedy(kernel: Floats, means: Floats, count: int) -> list[int]:
    """Positions that make the discrepancy smallest, one after the other."""
    chosen: list[int] = []
    taken = np.zeros(len(means))  # Σ over the chosen of k(chosen, x)
    inside = 0.0
    for size in range(1, count + 1):
        total = inside + 2 * taken + np.diagonal(kernel)
        gain = 2 / size * (means[chosen].sum() + means) - total / size**2
        gain[chosen] = -np.inf
        best = int(gain.argmax())
        inside = float(total[best])
        taken += kernel[best]
        chosen.append(best)
    return _exchanged(kernel, means, chosen)


def _exchanged(kernel: Floats, means: Floats, chosen: list[int]) -> list[int]:
    """Each is exchanged for a better one as long as there is one."""
    size, best = len(chosen), _discrepancy(kernel, means, chosen)
    for _ in range(10):
        before = list(chosen)
        for place in range(size):
            rest = chosen[:place] + chosen[place + 1 :]
            inside = kernel[np.ix_(rest, rest)].sum() if rest else 0.0
            total = inside + 2 * kernel[rest].sum(axis=0) + np.diagonal(kernel)
            found = means.mean() - 2 / size * (means[rest].sum() + means) + total / size**2
            found[rest] = np.inf
            other = int(found.argmin())
            if found[other] < best - 1e-15:
                chosen[place], best = other, float(found[other])
        if chosen == before:
            break
    return chosen


def _discrepancy(kernel: Floats, means: Floats, chosen: Sequence[int]) -> float:
    places = np.asarray(chosen)
    inside = kernel[np.ix_(places, places)].mean()
    return float(means.mean() - 2 * means[places].mean() + inside)


def _critics(kernel: Floats, means: Floats, chosen: list[int], count: int) -> list[int]:
    """Rows where the two distributions differ most, unlike each other (log-determinant)."""
    witness = np.abs(means - kernel[:, chosen].mean(axis=1))
    found: list[int] = []
    for _ in range(min(count, len(means) - len(chosen))):
        gain = witness.copy()
        if found:
            inner = kernel[np.ix_(found, found)] + 1e-9 * np.eye(len(found))
            reached = np.linalg.solve(inner, kernel[found])
            rest = np.diagonal(kernel) - (kernel[found] * reached).sum(axis=0)
            gain += np.log(np.maximum(rest, 1e-12))
        gain[chosen + found] = -np.inf
        found.append(int(gain.argmax()))
    return found


@dataclass(frozen=True, eq=False)
class Nearest:
    """The rows that are nearest to each asked row: ``rows`` and ``distances`` (asked, count), the
    nearest first."""

    rows: npt.NDArray[np.int64]
    distances: Floats


def nearest_examples(
    data: Any,
    asked: Any,
    count: int = 5,
    *,
    model: Module | None = None,
    layer: str | None = None,
) -> Nearest:
    """The rows of ``data`` that are most like each row of ``asked``, by the Euclidean distance of
    their numbers or of what ``layer`` of ``model`` makes of them."""
    points, wanted = representation(data, model, layer), representation(asked, model, layer)
    if not 1 <= count <= len(points):
        raise ArgumentError(
            f"count={count} examples of {len(points)} rows", "Ask for 1 up to all of them."
        )
    rows, distances = [], []
    for part in np.array_split(wanted, _parts(wanted)):
        squares = _squared_distances(part, points)
        order = np.argsort(squares, axis=1, kind="stable")[:, :count]
        rows.append(order)
        distances.append(np.sqrt(np.take_along_axis(squares, order, axis=1)))
    return Nearest(np.concatenate(rows), np.concatenate(distances))


def representation(data: Any, model: Module | None, layer: str | None) -> Floats:
    """Rows as points: their numbers, or what a layer (or the whole model) makes of them."""
    rows = as_rows(data)
    if model is None:
        if layer is not None:
            raise ArgumentError(f"layer={layer!r} without a model", "Give the model too.")
        return np.asarray(rows, np.float64).reshape(row_count(rows), -1)
    known = dict(model.named_modules())
    if layer is not None and layer not in known:
        listed = ", ".join(name for name in known if name)
        raise ArgumentError(f"The model has no layer {layer!r}", f"It has {listed}.")
    kept: list[Any] = []
    module = model if layer is None else known[layer]
    handle = module.register_forward_hook(lambda m, args, output: kept.append(output))
    found = []
    try:
        with evaluation(model), no_grad():
            for start in range(0, row_count(rows), _ROWS):
                kept.clear()
                applied(model, block_of(rows, slice(start, start + _ROWS)))
                if not kept:
                    raise ArgumentError(f"The layer {layer!r} was not run", "Choose another.")
                value = kept[-1][0] if isinstance(kept[-1], tuple) else kept[-1]
                found.append(plain(value).astype(np.float64))
    finally:
        handle.remove()
    whole = np.concatenate(found)
    return whole.reshape(len(whole), -1)


def _squared_distances(a: Floats, b: Floats) -> Floats:
    found = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.maximum(found, 0))
