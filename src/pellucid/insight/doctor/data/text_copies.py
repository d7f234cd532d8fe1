"""Copies of texts: equal ones, and those that share nearly all of their pieces.

A text is the set of its pieces of five characters (of three where a script has no spaces), without
capitals and marks.  Candidates agree in a band of the least hashes of their sets (MinHash: Broder,
"On the resemblance and containment of documents", 1997); they are held against each other by the
share of pieces that they have in common.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.data.copies import NONE, Copies, merged, pairs_of
from pellucid.insight.doctor.data.held_out import Codes

_BANDS, _IN_BAND = 24, 2
_FEWEST = 12
"""Texts with fewer characters are equal by chance."""
_LONGEST = 4000
_MOST_IN_BUCKET = 40


def plain_text(text: str) -> str:
    """A text without capitals, marks and doubled blanks; wide characters are as narrow ones."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def text_copies(texts: list[str | None], part: npt.NDArray[np.int8]) -> Copies:
    """Equal texts, and nearly equal ones."""
    given = [text or "" for text in texts]
    plain = [plain_text(text) for text in given]
    long = np.array([len(text) >= _FEWEST for text in plain])
    places = np.flatnonzero(long)
    if len(places) < 2:
        return NONE
    part = part[places]
    kept = [plain[row] for row in places]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(kept))}
    same = np.array([numbers[text] for text in kept], np.uint64)
    rows, twins = pairs_of(same, part)
    pairs = zip(places[rows].tolist(), places[twins].tolist(), strict=True)
    equal = np.array([given[a] == given[b] for a, b in pairs], np.bool_)
    near = _alike(kept, part)
    found = merged(Copies(rows, twins, equal, float(len(rows))), near)
    return Copies(places[found.rows], places[found.twins], found.exact, found.pairs)


def _alike(texts: list[str], part: npt.NDArray[np.int8]) -> Copies:
    pieces, ends = _pieces(texts)
    pairs = _candidates(_least_hashes(pieces, ends), part)
    if not len(pairs):
        return NONE
    sets: dict[int, npt.NDArray[np.uint64]] = {}

    def pieces_of(row: int) -> npt.NDArray[np.uint64]:
        if row not in sets:
            sets[row] = np.unique(pieces[ends[row] : ends[row + 1]])
        return sets[row]

    best: dict[int, tuple[float, int]] = {}
    for first, second in pairs.tolist():
        one, two = pieces_of(first), pieces_of(second)
        shared = len(np.intersect1d(one, two, assume_unique=True))
        alike = shared / max(len(one) + len(two) - shared, 1)
        later, earlier = _ordered(first, second, part)
        least = 0.3 + 0.5 * np.exp(-min(len(one), len(two)) / 120)  # short ones meet by chance
        if alike >= least and alike > best.get(later, (0.0, 0))[0]:
            best[later] = alike, earlier
    rows = np.array(sorted(best), np.int64)
    twins = np.array([best[int(row)][1] for row in rows], np.int64)
    return Copies(rows, twins, np.zeros(len(rows), np.bool_))


def _ordered(first: int, second: int, part: npt.NDArray[np.int8]) -> tuple[int, int]:
    """The one that copies and the one that is copied."""
    if part[first] != part[second]:
        return (first, second) if part[first] > part[second] else (second, first)
    return max(first, second), min(first, second)


def _pieces(texts: list[str]) -> tuple[npt.NDArray[np.uint64], Codes]:
    """Hashes of the pieces of all texts, one after the other, and where those of a text begin."""
    lengths = np.array([len(text) for text in texts], np.int64)
    joined = "".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le"), "<u4").astype(np.uint64)
    wide = float((codes > 0x2E80).mean()) if len(codes) else 0.0
    size = 3 if wide > 0.3 else 5
    rolled = np.zeros(max(len(codes) - size + 1, 0), np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(size):
            rolled = rolled * np.uint64(1_000_003) + codes[offset : offset + len(rolled)]
        rolled = _mixed(rolled)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    counts = np.maximum(lengths - size + 1, 0)
    starts = np.repeat(ends[:-1], counts)
    inner = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return rolled[starts + inner], np.concatenate([[0], np.cumsum(counts)])


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Bits spread over the whole word (splitmix64; Steele et al., 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _least_hashes(pieces: npt.NDArray[np.uint64], ends: Codes) -> npt.NDArray[np.uint64]:
    """(texts, hashes): the least of each of several hashes over the pieces of a text."""
    count = _BANDS * _IN_BAND
    random = np.random.default_rng(2)
    keys = random.integers(1, 1 << 63, count, np.uint64) | np.uint64(1)
    filled = np.flatnonzero(ends[1:] > ends[:-1])
    least = np.full((len(ends) - 1, count), np.iinfo(np.uint64).max, np.uint64)
    with np.errstate(over="ignore"):
        for number in range(count):
            hashed = pieces * keys[number]
            least[filled, number] = np.minimum.reduceat(hashed ^ (hashed >> np.uint64(29)),
                                                        ends[filled])  # fmt: skip
    return least


def _candidates(least: npt.NDArray[np.uint64], part: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """(pairs, 2): texts that agree in a band, of different parts where there are some."""
    found = []
    has_parts = bool((part >= 0).any())
    with np.errstate(over="ignore"):
        for band in range(_BANDS):
            block = least[:, band * _IN_BAND : (band + 1) * _IN_BAND]
            keys = _mixed(block[:, 0] * np.uint64(31) + block[:, 1])
            order = np.argsort(keys, kind="stable")
            ordered = keys[order]
            for apart in range(1, _MOST_IN_BUCKET):
                same = np.flatnonzero(ordered[apart:] == ordered[:-apart])
                if not len(same):
                    break
                pairs = np.stack([order[same], order[same + apart]], axis=1)
                if has_parts:
                    pairs = pairs[part[pairs[:, 0]] != part[pairs[:, 1]]]
                found.append(np.sort(pairs, axis=1))
    if not found:
        return np.zeros((0, 2), np.int64)
    return np.unique(np.concatenate(found), axis=0)
