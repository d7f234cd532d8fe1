"""Cutting rows into parts for training, validation and test, and into folds.

The three words mean: *training* rows set the weights, *validation* rows choose between models
(early stopping, hyper-parameters), *test* rows are looked at once, at the end.  A row belongs to
one part only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.columns import Rows

DEFAULT_FRACTIONS = (0.7, 0.15, 0.15)


def split_indices(
    n: int,
    fractions: Sequence[float] = DEFAULT_FRACTIONS,
    seed: int = 0,
    stratify: npt.ArrayLike | None = None,
) -> tuple[Rows, Rows, Rows]:
    """Row numbers of the training, validation and test part.

    ``fractions`` are the three shares; they are positive or zero and sum to 1, and the training
    share is positive.  ``stratify`` holds a class for each row (n,): every part then has each
    class in proportion, within one row, and every class has a row in training.

    Returns three sorted int64 arrays that are disjoint and together hold 0 … n-1.  Equal
    arguments give equal parts.

    Raises ``ArgumentError`` for senseless fractions, seeds or lengths, and ``DataError`` when
    there are fewer rows than parts.
    """
    shares = check_fractions(fractions)
    generator = _generator(seed)
    labels = _labels(n, stratify)
    wanted = int(np.count_nonzero(shares))
    if n < wanted:
        raise DataError(
            f"{n} rows cannot be cut into {wanted} parts",
            f"Give at least {wanted} rows, or set the other fractions to 0.",
        )
    groups = [generator.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    sizes = _allocate([len(group) for group in groups], shares)
    parts: list[list[Rows]] = [[], [], []]
    for group, size in zip(groups, sizes, strict=True):
        cuts = np.cumsum(size)[:-1]
        for part, piece in zip(parts, np.split(group, cuts), strict=True):
            part.append(piece)
    train, validation, test = (np.sort(np.concatenate(part)).astype(np.int64) for part in parts)
    return train, validation, test


def split_groups(
    groups: npt.ArrayLike, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: int = 0
) -> tuple[Rows, Rows, Rows]:
    """Row numbers of the three parts, with all rows of a group in one part.

    ``groups`` holds a group for each row (n,).  Groups are dealt in random order, each to the part
    that is furthest behind its share of the rows.  Raises ``DataError`` when there are fewer
    groups than parts.
    """
    shares = check_fractions(fractions)
    generator = _generator(seed)
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    wanted = int(np.count_nonzero(shares))
    if names.size < wanted:
        raise DataError(
            f"{names.size} groups cannot be cut into {wanted} parts",
            f"Choose a column with at least {wanted} groups, or set the other fractions to 0.",
        )
    sizes = np.bincount(codes)
    order = generator.permutation(names.size)
    part_of = np.full(names.size, -1, dtype=np.int64)
    filled = np.zeros(3)
    # The first groups give every part one; small ones, so that no part gets too much by it.
    starts = order[np.argsort(sizes[order], kind="stable")][:wanted]
    for part, group in zip(np.flatnonzero(shares > 0), starts, strict=True):
        part_of[group], filled[part] = part, sizes[group]
    for group in order[part_of[order] < 0]:
        behind = np.where(shares > 0, shares * len(codes) - filled, -np.inf)
        lowest = int(np.argmax(behind))
        part_of[group] = lowest
        filled[lowest] += sizes[group]
    train, validation, test = (np.flatnonzero(part_of[codes] == part) for part in range(3))
    return train, validation, test


def check_times(ranks: npt.NDArray[np.float64]) -> None:
    """``DataError`` where values by which rows are put in order are missing."""
    if bool(np.isnan(ranks).any()):
        raise DataError(
            f"{int(np.isnan(ranks).sum())} of {ranks.size} rows have no time",
            "Complete or remove these rows: without it they cannot be put in order.",
        )


def split_in_order(
    values: npt.ArrayLike, fractions: Sequence[float] = DEFAULT_FRACTIONS
) -> tuple[Rows, Rows, Rows]:
    """Row numbers of the three parts by rank: the least ``values`` (n,) are for training, the
    greatest for test, and rows of equal value stay in one part.

    Raises ``DataError`` where values are missing, or too few differ for the parts.
    """
    shares = check_fractions(fractions)
    ranks = np.asarray(values, dtype=np.float64)
    check_times(ranks)
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order]
    cuts = []
    for share in np.cumsum(shares)[:2]:
        cut = round(float(share) * ranks.size)
        if 0 < cut < ranks.size:  # to the nearer end of a run of equal values
            low, high = (
                np.searchsorted(ordered, ordered[cut - 1], "left"),
                np.searchsorted(ordered, ordered[cut - 1], "right"),
            )
            cut = int(high if low == 0 or high - cut <= cut - low else low)
        cuts.append(cut)
    parts = tuple(np.sort(part).astype(np.int64) for part in np.split(order, cuts))
    if any(share > 0 and not part.size for share, part in zip(shares, parts, strict=True)):
        raise DataError(
            f"{np.unique(ranks).size} different times in {ranks.size} rows cannot be cut into "
            f"{int(np.count_nonzero(shares))} parts",
            "Choose a column with more different times, or other fractions.",
        )
    return parts[0], parts[1], parts[2]


def kfold(
    n: int, k: int = 5, seed: int = 0, stratify: npt.ArrayLike | None = None
) -> Iterator[tuple[Rows, Rows]]:
    """``k`` pairs (training rows, validation rows): every row is in validation exactly once.

    ``stratify`` holds a class for each row (n,); each fold then has each class in proportion,
    within one row.  Folds differ in size by at most one row.

    Raises ``ArgumentError`` unless 2 ≤ k ≤ n.
    """
    labels = _labels(n, stratify)
    if not 2 <= k <= n:
        raise ArgumentError(
            f"k={k} folds of {n} rows", f"Choose k between 2 and the number of rows ({n})."
        )
    generator = _generator(seed)
    groups = [generator.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    # Dealing the rows class after class, as cards to k players, keeps both balances at once.
    dealt = np.concatenate(groups)
    fold = np.empty(n, dtype=np.int64)
    fold[dealt] = np.arange(n) % k
    return ((np.flatnonzero(fold != part), np.flatnonzero(fold == part)) for part in range(k))


def group_folds(groups: npt.ArrayLike, k: int = 5, seed: int = 0) -> Rows:
    """The fold of each row (n,), from 0 to k - 1, with all rows of a group in one fold.

    Groups are dealt from the largest to the smallest, equal ones in random order, each to the fold
    with the fewest rows.  Raises ``ArgumentError`` for fewer than 2 folds, and ``DataError`` for
    fewer groups than folds.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if k < 2:
        raise ArgumentError(f"k={k} folds", "Choose 2 or more.")
    if names.size < k:
        raise DataError(
            f"{names.size} groups cannot be cut into {k} folds",
            f"Choose a column with at least {k} groups, or fewer folds.",
        )
    sizes = np.bincount(codes)
    order = _generator(seed).permutation(names.size)
    fold_of, filled = np.empty(names.size, dtype=np.int64), np.zeros(k)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[group] = int(np.argmin(filled))
        filled[fold_of[group]] += sizes[group]
    return np.asarray(fold_of[codes])


def order_folds(values: npt.ArrayLike, k: int = 5) -> Rows:
    """The block of each row (n,), from 0 to k, by rank: k + 1 blocks of about equal size, rows of
    equal value in one block.  Block i is tested by what was learned from the blocks before it.

    Raises as ``split_in_order``.
    """
    if k < 2:
        raise ArgumentError(f"k={k} folds", "Choose 2 or more.")
    ranks = np.asarray(values, dtype=np.float64)
    block = np.zeros(ranks.size, dtype=np.int64)
    rest = np.arange(ranks.size)
    for blocks in range(k + 1, 1, -1):
        share = 1 / blocks
        keep, _, last = split_in_order(ranks[rest], (1 - share, 0.0, share))
        block[rest[last]] = blocks - 1
        rest = rest[keep]
    return block


def check_fractions(fractions: Sequence[float]) -> npt.NDArray[np.float64]:
    """Three shares that sum to 1, as float64 (3,); ``ArgumentError`` for anything else."""
    try:
        shares = np.array([float(share) for share in fractions])
    except (TypeError, ValueError):
        shares = np.array([])
    if shares.shape != (3,) or not np.all(shares >= 0) or abs(float(shares.sum()) - 1) > 1e-6:
        raise ArgumentError(
            f"fractions={fractions!r} are not three shares that sum to 1",
            "Give the shares of training, validation and test, such as (0.7, 0.15, 0.15).",
        )
    if shares[0] == 0:
        raise ArgumentError(
            "The training share of the fractions is 0", "Give training a positive share."
        )
    return np.asarray(shares / shares.sum())


def _generator(seed: int) -> np.random.Generator:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"seed={seed!r} is no seed", "Give a whole number from 0 up.")
    return np.random.Generator(np.random.PCG64(int(seed)))


def _labels(n: int, stratify: npt.ArrayLike | None) -> npt.NDArray[np.int64]:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ArgumentError(f"n={n!r} rows cannot be split", "Give a whole number from 1 up.")
    if stratify is None:
        return np.zeros(int(n), dtype=np.int64)
    labels = np.asarray(stratify)
    if labels.shape != (n,):
        raise ArgumentError(
            f"stratify has shape {labels.shape}, expected ({n},)", "Give one class for each row."
        )
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _allocate(members: list[int], shares: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Rows of each group (axis 0) for each part (axis 1): largest remainders, group by group.

    Every entry is the exact share rounded down or up.  A leftover row goes to the part that is
    furthest behind its total; a class with no training row yet gives its first one to training.
    """
    exact = np.array(members, dtype=np.float64)[:, None] * shares
    sizes = np.floor(exact + 1e-9).astype(np.int64)
    goal = exact.sum(axis=0)
    for group, count in enumerate(members):
        open_parts = shares > 0
        while count > int(sizes[group].sum()):
            behind = np.where(open_parts, goal - sizes.sum(axis=0), -np.inf)
            part = 0 if sizes[group, 0] == 0 else int(np.argmax(behind))
            sizes[group, part] += 1
            open_parts[part] = False
    _fill_empty_parts(sizes, shares)
    return sizes


def _fill_empty_parts(sizes: npt.NDArray[np.int64], shares: npt.NDArray[np.float64]) -> None:
    """A part with a positive share gets at least one row, taken from the largest entry."""
    for part in np.flatnonzero((shares > 0) & (sizes.sum(axis=0) == 0)):
        group, giver = np.unravel_index(int(np.argmax(sizes)), sizes.shape)
        sizes[group, giver] -= 1
        sizes[group, part] += 1
