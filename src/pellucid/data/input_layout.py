"""What the entries of a table's rows of features mean: numbers, codes that are looked up, and the
pixels of pictures.

A row is one array of float32 whatever it holds.  Numbers come first; then, for each column with
many categories, the code of its category; then, for each column of prose, the codes of its words;
then, for each column of pictures, their pixels.  A network looks codes up in tables of vectors that
it learns, and sees pictures by convolutions; a linear model sees the most frequent codes as 0 and
1, and pictures in 8 × 8 fields.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PLAIN_CODES = 63
PLAIN_BUCKETS = 512
PLAIN_SIDE = 8


@dataclass(frozen=True)
class Lookup:
    """Entries of a row that are codes of one table of vectors.

    ``start`` is the first of ``slots`` entries, each a code from 0 to ``rows`` - 1; code 0 means
    nothing where there are several slots, and another category where there is one.  ``width`` is
    the length of a vector.  ``ordered`` codes stand in the order of a text's words.
    """

    start: int
    slots: int
    rows: int
    width: int
    ordered: bool = False


@dataclass(frozen=True)
class Picture:
    """Entries of a row that are the pixels of a picture, from ``start`` on in row-major order.

    ``shape`` is (height, width) or (height, width, channels).
    """

    start: int
    shape: tuple[int, ...]

    @property
    def pixels(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """1 for grey pictures."""
        return self.shape[2] if len(self.shape) == 3 else 1


class InputLayout(tuple[int, ...]):
    """The shape of a row, (entries,), and what the entries mean: ``numbers`` of them are numbers,
    then come codes, for which ``lookups`` says of what, and the pixels of ``pictures``."""

    numbers: int
    lookups: tuple[Lookup, ...]
    pictures: tuple[Picture, ...]

    def __new__(
        cls, numbers: int, lookups: Iterable[Lookup], pictures: Iterable[Picture] = ()
    ) -> InputLayout:
        """A layout of so many numbers, these codes after them, and these pictures."""
        codes, seen = tuple(lookups), tuple(pictures)
        entries = numbers + sum(one.slots for one in codes) + sum(one.pixels for one in seen)
        made = super().__new__(cls, (entries,))
        made.numbers, made.lookups, made.pictures = numbers, codes, seen
        return made

    def __repr__(self) -> str:
        return f"InputLayout({self.numbers}, {self.lookups}, {self.pictures})"

    @property
    def width(self) -> int:
        """How many numbers a row without its pictures is once its codes have been looked up."""
        return self.numbers + sum(lookup.width for lookup in self.lookups)


def vector_width(categories: int) -> int:
    """The length of the vectors for so many categories: 1.6 · n^0.56, at most 50, a rule of thumb
    of fastai's tabular models (Howard and Gugger, "Deep Learning for Coders", 2020)."""
    return min(50, int(1.6 * math.pow(categories, 0.56) + 0.5))


def plain_width(shape: tuple[int, ...]) -> int:
    """How many numbers ``plain_features`` makes of a row of this shape."""
    if not isinstance(shape, InputLayout):
        return math.prod(shape)
    widths = [
        min(PLAIN_CODES, lookup.rows - 1) + 1 if lookup.slots == 1 else PLAIN_BUCKETS
        for lookup in shape.lookups
    ]
    fields = [one.channels * math.prod(_fields(one)) for one in shape.pictures]
    return shape.numbers + sum(widths) + sum(fields)


def _fields(picture: Picture) -> tuple[int, int]:
    """How many fields a linear model sees a picture in, down and across."""
    return min(PLAIN_SIDE, picture.shape[0]), min(PLAIN_SIDE, picture.shape[1])


def _in_fields(
    picture: Picture, features: npt.NDArray[np.float32]
) -> list[npt.NDArray[np.float32]]:
    """The means of a picture's fields for each channel: float32 (rows, fields) each."""
    high, wide = picture.shape[:2]
    down, across = (
        np.arange(count) * side // count
        for count, side in zip(_fields(picture), (high, wide), strict=True)
    )
    areas = np.outer(np.diff(down, append=high), np.diff(across, append=wide)).reshape(-1)
    own = features[:, picture.start : picture.start + picture.pixels]
    images = own.reshape(len(features), high, wide, picture.channels)
    sums = np.add.reduceat(np.add.reduceat(images, down, axis=1), across, axis=2)
    means = sums.reshape(len(features), -1, picture.channels) / areas[:, None]
    return [means[:, :, channel].astype(np.float32) for channel in range(picture.channels)]


def plain_features(
    shape: tuple[int, ...], features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Rows of features as numbers alone: float32 (rows, numbers).

    In place of a code stand 0 and 1 for each of the 63 most frequent categories and for all
    others; in place of words their shares in 512 groups that words fall into by their codes; in
    place of a picture the means of its 8 × 8 fields.  Rows of numbers are returned as they are.
    """
    if not isinstance(shape, InputLayout):
        return features
    parts = [features[:, : shape.numbers]]
    for lookup in shape.lookups:
        codes = features[:, lookup.start : lookup.start + lookup.slots].astype(np.int64)
        if lookup.slots == 1:
            known = min(PLAIN_CODES, lookup.rows - 1)
            codes = np.where(codes > known, 0, codes)
            parts.append((codes == np.arange(known + 1)).astype(np.float32))
            continue
        groups = np.zeros((len(codes), PLAIN_BUCKETS), np.float32)
        rows, places = np.nonzero(codes)
        np.add.at(groups, (rows, codes[rows, places] % PLAIN_BUCKETS), 1.0)
        counts = np.maximum(np.count_nonzero(codes, axis=1), 1)[:, None]
        # Scaled so that a group has about the spread of a standardized number.
        parts.append(groups / np.sqrt(counts).astype(np.float32))
    for picture in shape.pictures:
        parts += _in_fields(picture, features)
    return np.ascontiguousarray(np.concatenate(parts, axis=1), np.float32)
