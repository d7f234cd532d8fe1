"""Nearest rows: all pairs where there are few, pairs within cells of space where there are many.

With many rows the space is cut into about √rows cells around drawn centres, and a row is compared
with those of the cells nearest to it (an inverted file; Sivic and Zisserman, "Video Google", 2003).
Copies of a row are in the same or a neighbouring cell, so that hardly one is missed.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Places: TypeAlias = npt.NDArray[np.int64]

MOST_PAIRS = 2.5e8
_BLOCK = 1 << 22
_PROBES = 6


def nearest(
    queries: Floats, base: Floats, k: int, *, own: bool = False
) -> tuple[npt.NDArray[np.float64], Places]:
    """Euclidean distances (queries, k), ascending, and the places of the rows of ``base``.

    ``queries`` (queries, columns), ``base`` (rows, columns), float32.  With ``own`` the two are
    the same rows, and a row is no neighbour of itself.  ``k`` is at most the number of rows there
    are; where a cell has fewer, distances are infinite and places -1.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    base = queries if own else np.ascontiguousarray(base, np.float32)
    k = max(1, min(k, len(base) - own))
    if len(queries) * len(base) <= MOST_PAIRS:
        places = _all_pairs(queries, base, k, own)
    else:
        places = _by_cells(queries, base, k, own)
    return _sorted(queries, base, places)


def _all_pairs(queries: Floats, base: Floats, k: int, own: bool) -> Places:
    squares = np.einsum("ij,ij->i", base, base)
    step = max(1, _BLOCK // max(len(base), 1))
    found = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        distances = squares - 2.0 * (block @ base.T)
        if own:
            here = np.arange(len(block))
            distances[here, start + here] = np.inf
        found[start : start + step] = _least(distances, k)
    return found


def _least(distances: Floats, k: int) -> Places:
    if k >= distances.shape[1]:
        return np.argsort(distances, axis=1)[:, :k]
    return np.argpartition(distances, k - 1, axis=1)[:, :k]


def _by_cells(queries: Floats, base: Floats, k: int, own: bool) -> Places:
    random = np.random.default_rng(0)
    centres = _centres(base, int(1.5 * np.sqrt(len(base))), random)
    home = _all_pairs(base, centres, 1, False)[:, 0]
    order = np.argsort(home, kind="stable")
    ends = np.searchsorted(home[order], np.arange(len(centres) + 1))
    probes = _all_pairs(queries, centres, min(_PROBES, len(centres)), False)
    best = np.full((len(queries), k), np.inf, np.float32)
    places = np.full((len(queries), k), -1, np.int64)
    flat = probes.reshape(-1)
    asking = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[asking], np.arange(len(centres) + 1))
    for cell in range(len(centres)):
        members = order[ends[cell] : ends[cell + 1]]
        rows = asking[starts[cell] : starts[cell + 1]] // probes.shape[1]
        if not len(members) or not len(rows):
            continue
        cut = base[members] - centres[cell]
        asked = queries[rows] - centres[cell]
        distances = np.einsum("ij,ij->i", cut, cut) - 2.0 * (asked @ cut.T)
        distances += np.einsum("ij,ij->i", asked, asked)[:, None]
        if own:
            distances[rows[:, None] == members[None, :]] = np.inf
        both = np.concatenate([best[rows], distances], axis=1)
        named = np.concatenate(
            [places[rows], np.broadcast_to(members, (len(rows), len(members)))], axis=1
        )
        chosen = _least(both, k)
        best[rows] = np.take_along_axis(both, chosen, 1)
        places[rows] = np.where(np.isfinite(best[rows]), np.take_along_axis(named, chosen, 1), -1)
    return places


def _centres(base: Floats, count: int, random: np.random.Generator) -> Floats:
    """Centres of cells: drawn rows, moved to the means of those nearest to them."""
    sample = base[random.choice(len(base), min(len(base), 20_000), replace=False)]
    centres: Floats = sample[:count].copy()
    for _ in range(2):
        home = _all_pairs(sample, centres, 1, False)[:, 0]
        counts = np.bincount(home, minlength=count)
        sums = np.zeros_like(centres)
        np.add.at(sums, home, sample)
        filled = counts > 0
        centres[filled] = sums[filled] / counts[filled, None]
    return centres


def _sorted(
    queries: Floats, base: Floats, places: Places
) -> tuple[npt.NDArray[np.float64], Places]:
    """Distances from differences: those of squares are too coarse for copies."""
    distances = np.full(places.shape, np.inf)
    step = max(1, _BLOCK // max(1, places.shape[1] * base.shape[1]))
    for start in range(0, len(queries), step):
        part = places[start : start + step]
        apart = base[np.maximum(part, 0)] - queries[start : start + step, None, :]
        length = np.sqrt(np.einsum("ijk,ijk->ij", apart, apart, dtype=np.float64))
        distances[start : start + step] = np.where(part >= 0, length, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(places, order, 1)


def dimension(distances: npt.NDArray[np.float64]) -> float:
    """The dimension of the rows around each other, from distances (rows, k) to their neighbours:
    the maximum-likelihood estimate of Levina and Bickel (2004), averaged as MacKay and Ghahramani
    propose (2005), over the rows whose neighbours are no copies."""
    known = np.isfinite(distances).all(axis=1) & (distances[:, 0] > 0.02 * distances[:, -1])
    if known.sum() < 10 or distances.shape[1] < 3:
        return 1.0
    logs = np.log(distances[known, -1:] / distances[known, :-1])
    return float(np.clip((distances.shape[1] - 1) / logs.sum(axis=1).mean(), 1.0, 64.0))
