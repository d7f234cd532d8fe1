"""What data are when they are ready: three parts for training, and new rows for prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import Rows, Table
from pellucid.data.image_preprocessing import Features, ImagePreprocessor
from pellucid.data.preprocessing import Preprocessor, TargetScaler
from pellucid.data.streaming import ShuffledRows
from pellucid.data.tasks import Task


@dataclass(frozen=True, eq=False)
class Part:
    """One of the three parts.

    ``features`` is float32 (rows, features).  ``targets`` is what the loss takes: int64 class
    numbers (rows,) for binary and multi-class, float32 0/1 (rows, labels) for multi-label,
    float32 standardized (rows, targets) for regression.  ``raw_targets`` is what people read:
    the same for classes and labels, float64 in the units of the data for regression.
    ``indices`` are the positions of the rows in the source, counted from 0.  ``weights`` (rows,)
    says how much each row counts, None that all count the same.
    """

    features: Features
    targets: npt.NDArray[Any]
    raw_targets: npt.NDArray[Any]
    indices: Rows
    weights: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.features.shape[0])


@dataclass(frozen=True, eq=False)
class PreparedData:
    """Data ready for training.

    ``image_shape`` is the shape of one image, or None for tables; image features are the pixels
    in row-major order.  ``target_scaler`` turns outputs back into the units of the data and is
    None except for regression.  ``notes`` are sentences for the user.  ``fingerprint`` is the
    SHA-256 of the file's bytes, or of the content of data that are not one file.
    ``rows_dropped`` counts rows left out because a target was missing.
    """

    name: str
    task: Task
    train: Part
    validation: Part
    test: Part
    preprocessor: Preprocessor | ImagePreprocessor
    target_scaler: TargetScaler | None
    feature_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    notes: tuple[str, ...]
    fingerprint: str
    rows: int
    rows_dropped: int
    seed: int
    shown_rows: Table | None = None
    """Of a table: the rows of the part that reports show (test, or validation without one, or
    training) as they stand in the source."""
    stream: ShuffledRows | None = None
    """Of a file that is larger than the memory: its training rows.  The parts are then those of a
    sample of the file."""

    @property
    def training_rows(self) -> int:
        """The number of rows that a network learns from in an epoch."""
        return len(self.train) if self.stream is None else self.stream.rows

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of an image, or for tables (features,), an ``InputLayout`` where some of them
        are codes."""
        return self.preprocessor.row_shape


@dataclass(frozen=True, eq=False)
class PredictionData:
    """New data in the form of the training data.

    ``targets`` is in the form of ``Part.raw_targets``, or None where the data have no target
    column.  ``present`` (rows,) says which rows have a target.  ``table`` is None for images.
    ``ids`` holds the texts of the columns that were asked for, by name.
    """

    features: Features
    targets: npt.NDArray[Any] | None
    present: npt.NDArray[np.bool_]
    table: Table | None
    fingerprint: str
    notes: tuple[str, ...]
    ids: Mapping[str, list[str | None]] = field(default_factory=dict)
