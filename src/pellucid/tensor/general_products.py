"""Products of a weight with the images of a batch, at any extents (see :mod:`.general`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.backends import general_columns
from pellucid.tensor.general import NANOSECONDS, Program, chunks_of, new

SHORT = 32
"""Images of fewer positions are put side by side first, as one: vectors would be half empty."""
PACKED = 512
"""Positions that are packed at a time for a sum over images."""
LEAST_SUMMED = 128
"""Positions that a partial sum over images has at least."""
PARTS = 8
"""Into so many partial sums a sum over images is cut for the threads."""


class Products:
    """Of W (rows, depth) and images x (N, depth, length) and y (N, rows, length), all contiguous:
    y = W x, x = Wᵀ y, and W = Σ y xᵀ."""

    def __init__(
        self, images: int, rows: int, depth: int, length: int, dtype: np.dtype[Any]
    ) -> None:
        self._extents = images, rows, depth, length
        self._dtype = dtype
        self._joined = length < SHORT and images > 1
        """Whether the images are put side by side, which makes them one."""
        self._images, self._length = (1, images * length) if self._joined else (images, length)
        self._programs: dict[str, Program] = {}

    def _operand(self, x: np.ndarray, channels: int) -> np.ndarray:
        """x as the kernels read it."""
        if not self._joined:
            return x
        images, _, _, length = self._extents
        return np.ascontiguousarray(x.reshape(images, channels, length).transpose(1, 0, 2))

    def _multiply(
        self, name: str, w: np.ndarray, x: np.ndarray, out: np.ndarray, inner: int, outer: int
    ) -> None:
        program = self._programs.get(name)
        if program is None:
            program = self._programs[name] = self._product(outer, inner, name == "transposed")
        x = self._operand(x, inner)
        if not self._joined:
            program(w, x, out)
            return
        images, _, _, length = self._extents
        made = new((outer, images, length), self._dtype)
        program(w, x, made)
        np.copyto(out.reshape(images, outer, length), made.transpose(1, 0, 2))

    def multiply(self, w: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
        """y = W x."""
        _, rows, depth, _ = self._extents
        self._multiply("plain", w, x, out, depth, rows)

    def multiply_transposed(self, w: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
        """x = Wᵀ y."""
        _, rows, depth, _ = self._extents
        self._multiply("transposed", w, y, out, rows, depth)

    def _product(self, rows: int, depth: int, transposed: bool) -> Program:
        lanes, across = general_columns(self._dtype.name)
        vectors = -(-self._length // lanes)
        groups = -(-self._images * vectors // across)
        together, chunks = chunks_of(groups)
        words = {
            "together": together,
            "scratch": depth * across * lanes,
            "groups": groups,
            "images": self._images,
            "rows": rows,
            "depth": depth,
            "length": self._length,
            "vectors": vectors,
            "row_step": 1 if transposed else depth,
            "row_depth": rows if transposed else 1,
        }
        cost = self._images * self._length * rows * depth * NANOSECONDS / 4
        return Program("image_products", self._dtype.name, words, chunks, cost)

    def summed(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ over images of y xᵀ."""
        _, rows, depth, _ = self._extents
        swapped = rows < depth  # what is packed is the smaller one
        found = self._programs.get("summed")
        images, length = self._extents[0], self._extents[3]
        parts = -(-images * length // LEAST_SUMMED)
        together, chunks = chunks_of(images, min(parts, PARTS))
        if found is None:
            found = self._programs["summed"] = self._sum(swapped, together, chunks)
        shape = (chunks, depth, rows) if swapped else (chunks, rows, depth)
        partial = new(shape, self._dtype)
        partial.fill(0)
        found(*((x, y) if swapped else (y, x)), partial)
        total: np.ndarray = partial.sum(0)
        return np.ascontiguousarray(total.T) if swapped else total

    def _sum(self, swapped: bool, together: int, chunks: int) -> Program:
        lanes, across = general_columns(self._dtype.name)
        images, rows, columns, length = self._extents
        if swapped:
            rows, columns = columns, rows
        block = max(1, PACKED // length)
        words = {
            "together": together,
            "scratch": block * length * across * lanes,
            "block": block,
            "images": images,
            "rows": rows,
            "columns": columns,
            "length": length,
            "row_step": length,
            "row_depth": 1,
        }
        cost = images * length * rows * columns * NANOSECONDS / 4
        return Program("summed_products", self._dtype.name, words, chunks, cost)
