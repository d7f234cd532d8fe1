"""Whether generated rows are as various as real ones, or a generator has collapsed to a few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.models.clustering import kmeans

Array = npt.NDArray[np.float64]
_ROWS = 3000
"""So many rows of each are looked at."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """How generated rows are spread over groups of real ones.

    ``real`` and ``made`` are the shares of rows in each group (bins,).  ``different`` is the share
    of the groups in which the two differ by more than chance lets expect (two proportions,
    z > 1.96; about 0.05 for other real rows).  ``missed`` is the share of the real rows that lie in
    groups of which the generated ones hold less than a tenth of what they ought to.  ``spread`` is
    the mean distance between generated rows as a multiple of that between real ones.
    """

    real: Array
    made: Array
    different: float
    missed: float
    spread: float

    @property
    def collapsed(self) -> bool:
        """Half of what is real is never made, or what is made is less than half as various."""
        return self.missed > 0.5 or self.spread < 0.5

    def __str__(self) -> str:
        state = "collapsed" if self.collapsed else "not collapsed"
        return (
            f"{state}: {self.missed:.0%} of the real rows lie where nothing is made, "
            f"{self.different:.0%} of {len(self.real)} groups differ, "
            f"spread {self.spread:.2f} of the real one"
        )


def mode_coverage(
    real: npt.ArrayLike, made: npt.ArrayLike, bins: int = 20, seed: int = 0
) -> Coverage:
    """Compares generated rows with real ones (N, …), of which neither needs labels.

    The real rows are divided into ``bins`` groups by :func:`kmeans`, and every row is counted in
    the group of the nearest centre: the number of statistically different bins (Richardson and
    Weiss, "On GANs and GMMs", 2018).  A generator whose discriminator it deceives with few images
    ("mode collapse") leaves most groups empty.  Of more than 3000 rows so many are drawn.
    """
    random = np.random.default_rng(seed)
    known, new = (_rows(rows, random) for rows in (real, made))
    if known.shape[1] != new.shape[1]:
        raise ShapeError(
            f"real rows have {known.shape[1]} numbers, the made ones {new.shape[1]}",
            "Give rows of one shape.",
        )
    if not 2 <= bins <= len(known) // 2:
        raise ArgumentError(
            f"bins={bins} for {len(known)} real rows", "Use from 2 to half as many as rows."
        )
    half = len(known) // 2  # groups are found in one half and counted in the other
    groups = kmeans(known[:half], bins, starts=2, rounds=50, seed=seed)
    counted = [np.bincount(groups.predict(rows), minlength=bins) for rows in (known[half:], new)]
    shares = [count / count.sum() for count in counted]
    sizes = [count.sum() for count in counted]
    pooled = (counted[0] + counted[1]) / sum(sizes)
    error = np.sqrt(pooled * (1 - pooled) * sum(1 / size for size in sizes))
    gap = np.abs(shares[0] - shares[1])
    return Coverage(
        shares[0],
        shares[1],
        float((gap > 1.96 * error).mean()),
        float(shares[0][shares[1] < 0.1 * shares[0]].sum()),
        _distance(new, random) / max(_distance(known, random), 1e-12),
    )


def _rows(rows: npt.ArrayLike, random: np.random.Generator) -> Array:
    found = np.asarray(rows, np.float64)
    if found.ndim < 2 or len(found) < 4:
        raise ShapeError(f"rows have shape {found.shape}", "Give (N, …) with at least 4 rows.")
    found = found.reshape(len(found), -1)
    if not np.isfinite(found).all():
        raise ArgumentError("rows hold NaN or infinity", "Leave such rows out.")
    return found[random.permutation(len(found))[:_ROWS]]


def _distance(rows: Array, random: np.random.Generator) -> float:
    """The mean distance of pairs of rows."""
    others = np.roll(random.permutation(len(rows)), 1)
    return float(np.linalg.norm(rows - rows[others], axis=1).mean())
