"""Copies of pictures: equal pixels, and pictures that look equal.

A picture is compared small, grey, and with its brightness and contrast taken off, so that another
size, compression, brightness or a little noise does not hide it; by the sizes of its frequencies,
which a shift leaves alone; and as its mirror image.  What is near in one of these is held against
the picture itself: the correlation of the two at the best shift, beside that of the pictures that
are merely like it.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.data.columns import principal, shrunk
from pellucid.insight.doctor.data.copies import (
    NEIGHBOURS,
    NONE,
    Copies,
    comparisons,
    merged,
    pairs_of,
    rare,
)
from pellucid.insight.doctor.data.held_out import Codes, Floats, Numbers
from pellucid.insight.doctor.data.neighbours import dimension, nearest

_SIDE = 32
_SMALL = 16
_LEAST = 0.85
"""Below this correlation two pictures are different ones, whatever their neighbours are."""
_LOOSE = 0.75
_BLOCK = 512
_COMPONENTS = 40


def picture_copies(pictures: npt.NDArray[np.generic], part: npt.NDArray[np.int8]) -> Copies:
    """Equal pictures and those that look equal: (pictures, height, width[, channels])."""
    plain = np.ascontiguousarray(pictures)
    hashes = np.array(
        [int.from_bytes(hashlib.blake2b(p, digest_size=8).digest(), "little") for p in plain],
        np.uint64,
    )
    blank = plain.reshape(len(plain), -1)
    blank_rows = np.flatnonzero((blank == blank[:, :1]).all(axis=1))
    rows, twins = pairs_of(hashes, part)
    kept = ~np.isin(rows, blank_rows)
    exact = Copies(rows[kept], twins[kept], np.ones(int(kept.sum()), np.bool_), float(kept.sum()))
    return merged(exact, looking_equal(plain, part, np.append(exact.rows, blank_rows)))


def looking_equal(
    pictures: npt.NDArray[np.generic], part: npt.NDArray[np.int8], known: Codes
) -> Copies:
    """Pictures that look as one of an earlier part does; ``known`` are left out."""
    if len(pictures) < 4 * NEIGHBOURS:
        return NONE
    sides = _soft(shrunk(pictures, _SIDE))
    views = _views(sides)
    found: dict[int, int] = {}
    for asked, base in comparisons(part):
        own = asked is base
        asked = np.setdiff1d(asked, known)
        base = np.setdiff1d(base, known) if own else base
        if len(base) < 2 * NEIGHBOURS or not len(asked):
            continue
        found.update(_of_parts(sides, views, asked, base, own))
    rows = np.array(sorted(found), np.int64)
    twins = np.array([found[int(row)] for row in rows], np.int64)
    if not (part >= 0).any():
        kept = (rows > twins) | ~np.isin(twins, rows)
        rows, twins = rows[kept], twins[kept]
    return Copies(rows, twins, np.zeros(len(rows), np.bool_))


def _soft(sides: Floats) -> Floats:
    """Pictures without their finest detail, in which sizes and compression differ."""
    for axis in (1, 2):
        sides = 0.5 * sides + 0.25 * (np.roll(sides, 1, axis) + np.roll(sides, -1, axis))
    return sides


def _views(sides: Floats) -> tuple[Floats, Floats, Floats]:
    """Rows by which like pictures are found: as they are, mirrored, and whatever their shift."""
    small = shrunk(sides, _SMALL)
    plain = _normal(small.reshape(len(small), -1))
    mirrored = _normal(small[:, :, ::-1].reshape(len(small), -1))
    both = principal(np.concatenate([plain, mirrored]), _COMPONENTS)
    waves = np.abs(np.fft.rfft2(sides - sides.mean(axis=(1, 2), keepdims=True)))
    height = min(8, sides.shape[1] // 2)
    low = np.concatenate([waves[:, :height, :8], waves[:, -height:, :8]], axis=1)
    shifted = principal(_normal(np.sqrt(low).reshape(len(sides), -1)), _COMPONENTS)
    return both[: len(small)], both[len(small) :], shifted


def _normal(rows: npt.NDArray[np.generic]) -> Floats:
    """Rows without their mean, of length 1."""
    centred = np.asarray(rows - rows.mean(axis=1, keepdims=True), np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    return np.asarray(centred / np.maximum(lengths, 1e-9)[:, None], np.float32)


def _of_parts(
    sides: Floats, views: tuple[Floats, Floats, Floats], asked: Codes, base: Codes, own: bool
) -> dict[int, int]:
    plain, mirrored, shifted = views
    usual, near = nearest(plain[asked], plain[base], NEIGHBOURS, own=own)
    others = nearest(mirrored[asked], plain[base], 1, own=own)
    moved = nearest(shifted[asked], shifted[base], NEIGHBOURS, own=own)
    tries = (
        (np.flatnonzero(usual[:, 0] < _LOOSE * usual[:, -1]), near, False),
        (np.flatnonzero(moved[0][:, 0] < _LOOSE * moved[0][:, -1]), moved[1], False),
        (np.flatnonzero(others[0][:, 0] < _LOOSE * usual[:, -1]), others[1], True),
    )
    ratios, twins = np.ones(len(asked)), np.full(len(asked), -1, np.int64)
    for rows, places, mirror in tries:
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            own_sides = sides[asked[block]]
            turned = own_sides[:, :, ::-1] if mirror else own_sides
            twin = base[places[block, 0]]
            apart = _apart(turned, sides[twin])
            # What is merely like it: the last of the nearest, at its best shift too.
            ratio = apart / np.maximum(_apart(own_sides, sides[base[near[block, -1]]]), 1e-9)
            better = (apart < np.sqrt(2 * (1 - _LEAST))) & (ratio < ratios[block])
            ratios[block[better]], twins[block[better]] = ratio[better], twin[better]
    told = np.flatnonzero(rare((NEIGHBOURS - 1) * ratios ** dimension(usual)) & (twins >= 0))
    return dict(zip(asked[told].tolist(), twins[told].tolist(), strict=True))


def _apart(first: Floats, second: Floats) -> Numbers:
    """√(2·(1 − c)) with the correlation c of pictures (n, height, width) at the best shift of up
    to an eighth of their size."""
    height, width = first.shape[1:]
    one, two = (_normal(x.reshape(len(x), -1)).reshape(x.shape) for x in (first, second))
    # Around the edges: a background that is moved in is like the one that is moved out.
    product = np.fft.irfft2(np.fft.rfft2(one) * np.conj(np.fft.rfft2(two)), (height, width))
    rows = np.r_[0 : height // 8 + 1, -(height // 8) : 0]
    columns = np.r_[0 : width // 8 + 1, -(width // 8) : 0]
    best = product[:, rows[:, None], columns[None, :]].max(axis=(1, 2))
    return np.asarray(np.sqrt(2 * np.maximum(1 - best, 0)), np.float64)
