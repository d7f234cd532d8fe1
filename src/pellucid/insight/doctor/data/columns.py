"""Columns of numbers for the models that judge data: scaled alike, whatever they come from."""

from __future__ import annotations

import re
import zlib
from collections import Counter

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import Column, Table
from pellucid.data.word_features import terms_of
from pellucid.insight.doctor.data.held_out import Floats

MOST_CATEGORIES = 40
COMPONENTS = 48
_SIDE = 24
_TERMS = 1 << 13
_PROSE = re.compile(r"\S+\s+\S+\s+\S+|[\u3040-\u30ff\u3400-\u9fff]{5}")


def feature_columns(table: Table) -> tuple[Floats, dict[str, slice]]:
    """(rows, columns) of mean 0 and, for numbers, deviation near 1; and where each column of the
    table stands in them.  Names (texts with many values) have no columns; prose has those of its
    words."""
    made: list[Floats] = []
    places: dict[str, slice] = {}
    width = 0
    for column in table.columns.values():
        values = _of_column(column)
        if values is None:
            continue
        made.append(values)
        places[column.name] = slice(width, width + values.shape[1])
        width += values.shape[1]
    if not made:
        return np.zeros((len(table), 0), np.float32), {}
    return np.concatenate(made, axis=1), places


def _of_column(column: Column) -> Floats | None:
    if column.kind != "text":
        return scaled_numbers(column.values)
    used = np.flatnonzero(column.counts())
    if 2 <= len(used) <= MOST_CATEGORIES:
        chosen = (column.values[:, None] == used[None, :]).astype(np.float32)
        return np.asarray(chosen - chosen.mean(axis=0), np.float32)
    if is_prose(column):
        return word_columns([text or "" for text in column.texts()])
    return None


def is_prose(column: Column) -> bool:
    """Whether a column holds texts of several words, most of them different."""
    if column.kind != "text" or len(column.categories) < 0.3 * len(column):
        return False
    sample = column.categories[:: max(1, len(column.categories) // 200)]
    return sum(_PROSE.search(text) is not None for text in sample) > 0.5 * len(sample)


def scaled_numbers(values: npt.NDArray[np.float64]) -> Floats | None:
    """One column (rows, 1) by median and quartiles, long tails pulled in; missing values are 0.
    None where all values are equal."""
    finite = np.isfinite(values)
    if not finite.any():
        return None
    present = values[finite]
    middle = float(np.median(present))
    low, high = np.quantile(present, (0.25, 0.75))
    spread = (high - low) / 1.349 or float(present.std())
    if not spread > 0:
        return None
    scaled = np.where(finite, (np.where(finite, values, 0.0) - middle) / spread, 0.0)
    # Linear up to 3 deviations, logarithmic beyond: one slip must not rule all distances.
    size = np.abs(scaled)
    pulled = np.sign(scaled) * np.where(size > 3, 3 + np.log1p(np.maximum(size - 3, 0)), size)
    return np.asarray(pulled / max(float(pulled.std()), 1e-9), np.float32)[:, None]


def word_columns(texts: list[str]) -> Floats:
    """(rows, components): words weighted by rarity, hashed, and turned to the directions in which
    the texts differ most (latent semantic analysis; Deerwester et al., 1990)."""
    rows: list[int] = []
    terms: list[int] = []
    counts: list[float] = []
    for row, text in enumerate(texts):
        for term, count in Counter(terms_of(text[:2000])).items():
            rows.append(row)
            terms.append(zlib.crc32(term.encode()) % _TERMS)
            counts.append(1.0 + np.log(count))
    if not terms:
        return np.zeros((len(texts), 1), np.float32)
    places, columns = np.array(rows), np.array(terms)
    seen = np.bincount(columns, minlength=_TERMS)
    values = np.array(counts) * (1.0 + np.log((1 + len(texts)) / (1 + seen[columns])))
    norms = np.sqrt(np.bincount(places, values**2, minlength=len(texts)))
    values /= norms[places]
    random = np.random.default_rng(0)
    width = min(COMPONENTS + 16, len(texts))
    basis = random.normal(size=(_TERMS, width))
    for _ in range(2):  # powers of the product with the transpose: the strongest directions
        down = _sparse(places, columns, values, basis, len(texts))
        basis = np.linalg.qr(_sparse(columns, places, values, down, _TERMS))[0]
    found = _sparse(places, columns, values, basis, len(texts))
    _, _, turn = np.linalg.svd(found, full_matrices=False)
    kept = found @ turn[:COMPONENTS].T
    return np.asarray((kept - kept.mean(axis=0)) / max(float(kept.std()), 1e-9), np.float32)


def _sparse(
    to: npt.NDArray[np.int64],
    come: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    matrix: npt.NDArray[np.float64],
    rows: int,
) -> npt.NDArray[np.float64]:
    """A sparse matrix, given by its entries, times a dense one."""
    order = np.argsort(to, kind="stable")
    to, come, values = to[order], come[order], values[order]
    starts = np.flatnonzero(np.append(True, to[1:] != to[:-1]))
    made = np.zeros((rows, matrix.shape[1]))
    step = 1 << 18
    for first in range(0, len(starts), max(1, step * len(starts) // max(len(to), 1))):
        last = min(first + max(1, step * len(starts) // max(len(to), 1)), len(starts))
        begin = starts[first]
        end = starts[last] if last < len(starts) else len(to)
        block = values[begin:end, None] * matrix[come[begin:end]]
        made[to[starts[first:last]]] = np.add.reduceat(block, starts[first:last] - begin, axis=0)
    return made


def picture_columns(pictures: npt.NDArray[np.generic]) -> Floats:
    """(pictures, components): small grey pictures in the directions in which they differ most."""
    small = shrunk(pictures, _SIDE).reshape(len(pictures), -1)
    return principal(small, COMPONENTS)


def principal(rows: Floats, most: int) -> Floats:
    """The strongest directions of rows (rows, columns), at most so many, of overall deviation 1."""
    centred = np.asarray(rows - rows.mean(axis=0), np.float32)
    if centred.shape[1] > most:
        sample = centred[:: max(1, len(centred) // 5000)]
        _, vectors = np.linalg.eigh((sample.T @ sample).astype(np.float64))
        centred = centred @ vectors[:, : -most - 1 : -1].astype(np.float32)
    return np.asarray(centred / max(float(centred.std()), 1e-9), np.float32)


def grey(pictures: npt.NDArray[np.generic]) -> Floats:
    """(pictures, height, width), the mean of the colours."""
    if pictures.ndim == 4:
        return np.asarray(pictures.mean(axis=3, dtype=np.float32), np.float32)
    return np.asarray(pictures, np.float32)


def shrunk(pictures: npt.NDArray[np.generic], side: int) -> Floats:
    """(pictures, side', side'), grey, by means over areas; those that are smaller stay."""
    plain = grey(pictures)
    for axis in (1, 2):
        size = plain.shape[axis]
        if size > side:
            edges = np.linspace(0, size, side + 1)
            weights = np.clip(
                np.minimum(edges[1:, None], np.arange(size) + 1)
                - np.maximum(edges[:-1, None], np.arange(size)),
                0,
                None,
            )
            weights /= weights.sum(axis=1, keepdims=True)
            plain = np.moveaxis(
                np.tensordot(plain, weights.astype(np.float32), axes=([axis], [1])), -1, axis
            )
    return np.asarray(plain, np.float32)


def homogeneous(table: Table) -> bool:
    """Whether columns are cells of one grid, as pixels in a row are: many of one range."""
    numbers = [c for c in table.columns.values() if c.kind == "number"]
    if len(numbers) < 16 or len(numbers) < 0.9 * len(table.columns):
        return False
    ends = np.array([np.nanmax(np.abs(c.values)) if len(c) else 0.0 for c in numbers])
    return bool((np.abs(ends - np.median(ends)) <= 0.35 * np.median(ends)).mean() > 0.4)
