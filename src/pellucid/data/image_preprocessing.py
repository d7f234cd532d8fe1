"""From pictures to the numbers that a network takes: pixels, standardized."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_list,
    json_number,
    json_object,
    json_text,
)

Features: TypeAlias = npt.NDArray[np.float32]
MAX_FEATURES = 1_000_000
_VERSION = 1


@dataclass(frozen=True)
class ImagePreprocessor:
    """Turns images into features: pixels / ``maximum``, then (x - mean) / std, flattened.

    ``mean`` and ``std`` are two numbers over all pixels of the training images.  ``shape`` is
    that of one image, (height, width) or (height, width, channels).
    """

    shape: tuple[int, ...]
    maximum: float
    mean: float
    std: float

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return self.shape

    @property
    def feature_names(self) -> tuple[str, ...]:
        """``pixel row,column`` for each pixel, counted from 0, in row-major order."""
        return tuple(
            "pixel " + ",".join(str(int(i)) for i in place) for place in np.ndindex(*self.shape)
        )

    @classmethod
    def fit(cls, images: npt.NDArray[Any], maximum: float = 255.0) -> ImagePreprocessor:
        """Learns from training images (n, …); ``maximum`` is the largest value a pixel can have.

        Raises ``DataError`` for infinite or missing pixels and for images that are all one value.
        """
        _check_pixels(images)
        # Sums of float64 over blocks of images: no float64 copy of the whole set is made.
        count = images.size
        total = sum(float(block.sum(dtype=np.float64)) for block in _blocks(images))
        mean = total / count
        squares = sum(
            float(np.square(block.astype(np.float64) - mean).sum()) for block in _blocks(images)
        )
        std = float(np.sqrt(squares / count))
        if std == 0:
            raise DataError(
                f"All {count} pixels of the training images hold {mean:g}",
                "Check the files: there is nothing to learn from one value.",
            )
        return cls(tuple(images.shape[1:]), float(maximum), mean / maximum, std / maximum)

    def transform(self, images: npt.NDArray[Any]) -> Features:
        """Features of images (n, …): float32 (n, pixels).

        Raises ``DataError`` when the images have another shape than those of training.
        """
        if images.shape[1:] != self.shape:
            raise DataError(
                f"Images of shape {images.shape[1:]} were given, the network was trained on "
                f"{self.shape}",
                "Scale the images to that shape.",
            )
        _check_pixels(images)
        factor = np.float32(1.0 / (self.maximum * self.std))
        features = images.reshape(len(images), math.prod(self.shape)).astype(np.float32)
        features *= factor
        features -= np.float32(self.mean / self.std)
        return features

    def to_json(self) -> dict[str, object]:
        """The preprocessor as JSON values."""
        return {
            "kind": "images",
            "version": _VERSION,
            "shape": list(self.shape),
            "maximum": self.maximum,
            "mean": self.mean,
            "std": self.std,
        }

    @classmethod
    def from_json(cls, data: object) -> ImagePreprocessor:
        """The preprocessor from ``to_json``'s values; ``RunFolderError`` for anything else."""
        keys = ("kind", "version", "shape", "maximum", "mean", "std")
        fields = json_object(data, "preprocessing", keys)
        json_text(fields["kind"], "preprocessing kind", ("images",))
        json_integer(fields["version"], "preprocessing version", _VERSION, _VERSION)
        entries = json_list(fields["shape"], "image shape", 3)
        shape = tuple(json_integer(size, "image shape", 1, 65_536) for size in entries)
        if len(shape) < 1 or math.prod(shape) > MAX_FEATURES:
            raise json_error("image shape", f"at most {MAX_FEATURES} pixels", list(shape))
        numbers = [json_number(fields[key], f"image {key}") for key in keys[3:]]
        if numbers[0] <= 0 or numbers[2] <= 0:
            raise json_error("image maximum and std", "positive numbers", numbers)
        return cls(shape, *numbers)


def _check_pixels(images: npt.NDArray[Any]) -> None:
    if images.ndim < 2 or 0 in images.shape[1:]:
        raise DataError(
            f"Images of shape (n, height, width) were expected, {images.shape} was received",
            "Give an array with one image in each entry of its first dimension.",
        )
    if images.dtype.kind == "f" and not bool(np.isfinite(images).all()):
        raise DataError(
            "The images hold pixels that are NaN or infinite", "Correct or remove these images."
        )


def _blocks(images: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    return [images[start : start + 4096] for start in range(0, len(images), 4096)]
