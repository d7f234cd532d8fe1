"""Connected patches of like colour in a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_ROUNDS = 8
_COMPACTNESS = 0.25


def segments(picture: npt.NDArray[Any], count: int = 50) -> npt.NDArray[np.int64]:
    """About ``count`` patches of a picture (channels, height, width): int64 (height, width).

    k-means of place and colour, begun on a grid, in which a pixel looks at the nine centres around
    it; colours are divided by their deviation and places by the grid's width times a compactness.
    Patches are connected: what is cut off joins the neighbour it touches most.  (Achanta and
    others, "SLIC superpixels", 2012.)
    """
    colours = np.asarray(picture, np.float64)
    _, height, width = colours.shape
    scale = colours.std() or 1.0
    step = max(1.0, np.sqrt(height * width / max(1, count)))
    lines, columns = max(1, round(height / step)), max(1, round(width / step))
    grid = np.mgrid[0:height, 0:width]
    y, x = (one.astype(np.float64) for one in grid)
    weight = 1 / (step * 2 * _COMPACTNESS)
    points = np.concatenate([colours / scale, [y * weight, x * weight]]).reshape(
        len(colours) + 2, -1
    )
    cell_y = np.minimum((y * lines // height).astype(int), lines - 1).ravel()
    cell_x = np.minimum((x * columns // width).astype(int), columns - 1).ravel()
    own = cell_y * columns + cell_x
    around = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    candidates = np.stack(
        [
            np.clip(cell_y + dy, 0, lines - 1) * columns + np.clip(cell_x + dx, 0, columns - 1)
            for dy, dx in around
        ]
    )
    for _ in range(_ROUNDS):
        sizes = np.bincount(own, minlength=lines * columns)
        sums = np.stack([np.bincount(own, p, lines * columns) for p in points])
        centres = sums / np.maximum(sizes, 1)
        distances = ((points[:, None] - centres[:, candidates]) ** 2).sum(axis=0)
        distances[sizes[candidates] == 0] = np.inf
        own = np.take_along_axis(candidates, distances.argmin(axis=0)[None], axis=0)[0]
    return _connected(own.reshape(height, width))


def _connected(own: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Patches numbered from 0; parts of a patch that are cut off join a neighbour."""
    parts = _components(own)
    sizes = np.bincount(parts.ravel())
    label_of = np.zeros(len(sizes), np.int64)
    label_of[parts.ravel()] = own.ravel()
    largest: dict[int, int] = {}
    for part, label in enumerate(label_of.tolist()):
        if label not in largest or sizes[part] > sizes[largest[label]]:
            largest[label] = part
    keep = {part: code for code, part in enumerate(sorted(largest.values()))}
    found = np.array([keep.get(p, -1) for p in range(len(sizes))])[parts]
    while (found < 0).any():
        grown = found.copy()
        for axis, shift in ((0, 1), (0, -1), (1, 1), (1, -1)):
            moved = np.roll(found, shift, axis)
            edge: list[Any] = [slice(None), slice(None)]
            edge[axis] = 0 if shift == 1 else -1
            moved[tuple(edge)] = -1
            grown = np.where((grown < 0) & (moved >= 0), moved, grown)
        found = grown
    return found.astype(np.int64)


def _components(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Connected parts (by edges) of equal labels, numbered from 0: the least position spreads."""
    height, width = labels.shape
    found = np.arange(labels.size).reshape(labels.shape)
    while True:
        before = found
        for axis in (0, 1):
            for order in (slice(None), slice(None, None, -1)):
                found = _swept(found, labels, axis, order)
        if (found == before).all():
            break
    return np.unique(found, return_inverse=True)[1].reshape(height, width).astype(np.int64)


def _swept(found: Any, labels: Any, axis: int, order: slice) -> Any:
    """The least position passes along one direction through equal labels."""
    moved = np.moveaxis(found, axis, 0)[order].copy()
    same = np.moveaxis(labels, axis, 0)[order]
    for line in range(1, len(moved)):
        joins = same[line] == same[line - 1]
        moved[line] = np.where(joins, np.minimum(moved[line], moved[line - 1]), moved[line])
    return np.moveaxis(moved[order], 0, axis)
