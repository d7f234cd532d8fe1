"""Batch normalization that needs no kernel made for its shape (see :mod:`.general`)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.shapes import Shape
from pellucid.tensor.general import NANOSECONDS, General, Program, chunks_of, new


class BatchNormalized:
    """Normalization by the statistics of the batch; inputs x and perhaps γ and β.

    Results: the normalized x, the mean and the variance of each channel.
    """

    def __init__(self, shape: Shape, dtype: np.dtype[Any], given: Sequence[bool], eps: float):
        self._shape, self._dtype, self._given, self._eps = shape, dtype, tuple(given), eps
        self._programs: dict[str, Program] = {}

    def _program(self, kind: str) -> Program:
        found = self._programs.get(kind)
        if found is None:
            images, channels, *spatial = self._shape
            extent = math.prod(spatial)
            together, chunks = chunks_of(channels)
            words = {
                "together": together,
                "images": images,
                "channels": channels,
                "extent": extent,
                "count": _bits(images * extent),
                "eps": _bits(self._eps),
            }
            cost = math.prod(self._shape) * NANOSECONDS * 5
            found = Program(kind, str(self._dtype), words, chunks, cost)
            self._programs[kind] = found
        return found

    def _vectors(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """γ and β, as far as they are given, else 1 and 0."""
        rest = iter(arrays[1:])
        channels = self._shape[1]
        return [
            np.ascontiguousarray(next(rest)) if given else np.full(channels, value, self._dtype)
            for given, value in zip(self._given, (1.0, 0.0), strict=True)
        ]

    def forward(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The normalized x, mean, variance."""
        channels = self._shape[1]
        result = new(self._shape, self._dtype)
        mean, variance = (np.empty(channels, self._dtype) for _ in range(2))
        x = np.ascontiguousarray(arrays[0])
        gamma, beta = self._vectors(arrays)
        self._program("batch_normalized")(x, gamma, beta, result, mean, variance)
        return result, mean, variance

    def backward(
        self, arrays: Sequence[np.ndarray], cotangent: np.ndarray, needs: Sequence[bool]
    ) -> list[np.ndarray | None]:
        """Cotangents of x, and of γ and β where they are given."""
        channels = self._shape[1]
        to_x = new(self._shape, self._dtype)
        to_gamma, to_beta = (np.empty(channels, self._dtype) for _ in range(2))
        x, g = np.ascontiguousarray(arrays[0]), np.ascontiguousarray(cotangent)
        gamma, _ = self._vectors(arrays)
        self._program("batch_pulled")(x, gamma, g, to_x, to_gamma, to_beta)
        vectors = [v for v, given in zip((to_gamma, to_beta), self._given, strict=True) if given]
        return [v if n else None for v, n in zip((to_x, *vectors), needs, strict=True)]

    def operands(self, needs: Sequence[bool]) -> list[int]:
        """x, and γ for the gradient of x; that for β alone reads nothing."""
        gamma = [1] if self._given[0] and needs[0] else []
        return [0] * any(needs[: 1 + self._given[0]]) + gamma


def _bits(value: float) -> int:
    """The bits of a double."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


LEAST_PLANE = 4
"""Elements of a plane from which on loops over planes are worth it."""


def general_batch_norm(
    shape: Shape, dtype: np.dtype[Any], given: Sequence[bool], eps: float
) -> General | None:
    """How a batch norm runs without a kernel of its own; None where it gets one."""
    if len(shape) < 3 or math.prod(shape[2:]) < LEAST_PLANE or not all(shape):
        return None
    return BatchNormalized(shape, dtype, given, eps)
