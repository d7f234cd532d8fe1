"""What scikit-learn's users pass as X, and the features that a network takes of it.

==========================================  =======================================================
X                                           becomes
==========================================  =======================================================
array, list or sparse matrix of numbers     columns of numbers; NaN is a missing value
data frame (pandas, polars)                 columns of numbers, truth values, times and categories
array of objects with texts in it           the same
array (rows, height, width[, channels])     images
list, array or series of texts              words and pairs of characters, weighted by their rarity
==========================================  =======================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.base.extras import needs
from pellucid.data.columns import Column, Table, as_table, text_column
from pellucid.data.image_preprocessing import Features, ImagePreprocessor
from pellucid.data.picture_columns import with_pictures
from pellucid.data.picture_sources import path_columns
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.prose import reads_in_order
from pellucid.data.word_features import TextPreprocessor

with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils.validation import validate_data

Kind: TypeAlias = Literal["numbers", "table", "images", "texts"]
AnyPreprocessor: TypeAlias = Preprocessor | ImagePreprocessor | TextPreprocessor

_TEXT = "the text"
"""The column of a table that is made of a list of texts."""
_WORDS = {"numbers": "numbers", "table": "a table", "images": "images", "texts": "texts"}


@dataclass(frozen=True)
class Input:
    """X, checked: ``data`` is float64 (rows, columns) for numbers, a ``Table``, images
    (rows, height, width[, channels]), or a list of texts."""

    kind: Kind
    data: Any

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: npt.NDArray[Any]) -> Input:
        """Only these rows, in this order."""
        if self.kind == "texts":
            return Input(self.kind, [self.data[row] for row in rows])
        if self.kind == "table":
            return Input(self.kind, self.data.take(rows))
        return Input(self.kind, self.data[rows])

    def values(self) -> list[npt.NDArray[Any]]:
        """The rows as arrays (rows, …) that are equal where the rows are: texts by a hash."""
        if self.kind == "texts":
            return [_hashed(self.data)]
        if self.kind == "table":
            return [_values_of(column) for column in self.data.columns.values()]
        return [self.data]

    def table(self) -> Table:
        """Numbers, texts or a table as a table; columns of numbers are named by their position."""
        if self.kind == "table":
            found: Table = self.data
            return found
        if self.kind == "texts":
            return Table("X", {_TEXT: text_column(_TEXT, self.data)}, fingerprint="")
        names = [f"x{position}" for position in range(self.data.shape[1])]
        columns = {
            name: Column(name, "number", self.data[:, position])
            for position, name in enumerate(names)
        }
        return Table("X", columns, fingerprint="")

    def preprocessor(self, text: str = "bag") -> AnyPreprocessor:
        """What turns such rows into features, learned from these; ``text`` is one of
        ``TEXT_MODELS``: a transformer reads texts as prose of a table is read."""
        if self.kind == "texts" and not reads_in_order(text):
            return TextPreprocessor.fit(self.data)
        if self.kind == "images":
            bytes_ = self.data.dtype == np.uint8
            highest = 255.0 if bytes_ else float(np.abs(self.data).max(initial=0.0)) or 1.0
            return ImagePreprocessor.fit(self.data, highest)
        table = self.table()
        return Preprocessor.fit(
            with_pictures(table, None, path_columns(table, None, ())), text=text
        )

    def features(self, preprocessor: AnyPreprocessor) -> Features:
        """float32 (rows, features); ``DataError`` for another kind of input than it knows."""
        kinds = _kinds_of(preprocessor)
        if self.kind not in kinds:
            wanted = _WORDS[kinds[0]]
            raise DataError(
                f"The network was fitted on {wanted} and is given {_WORDS[self.kind]}",
                f"Pass {wanted}, as in fit.",
            )
        if isinstance(preprocessor, Preprocessor):
            return preprocessor.transform(self.table())
        return preprocessor.transform(self.data)


def _kinds_of(preprocessor: AnyPreprocessor) -> tuple[Kind, ...]:
    """The kinds of input that it was fitted on."""
    if isinstance(preprocessor, ImagePreprocessor):
        return ("images",)
    if isinstance(preprocessor, TextPreprocessor) or preprocessor.plans[0].column == _TEXT:
        return ("texts",)
    return "numbers", "table"


def read_input(estimator: Any, data: Any, *, reset: bool) -> Input:
    """X in the form of :class:`Input`, checked as scikit-learn's validation does; ``reset`` notes
    the number and names of the features in the estimator, otherwise they are compared."""
    if _is_frame(data):
        validate_data(estimator, data, reset=reset, skip_check_array=True)
        _check_rows(len(data), "a frame")
        return Input("table", as_table(data, "X"))
    texts = _texts_of(data)
    if texts is not None:
        _check_rows(len(texts), "a list of texts")
        return Input("texts", texts)
    array = data if hasattr(data, "dtype") and hasattr(data, "ndim") else None
    if array is not None and array.ndim in (3, 4) and array.dtype.kind in "biuf":
        images = validate_data(
            estimator, data, reset=reset, allow_nd=True, dtype=None, ensure_all_finite=True
        )
        return Input("images", images)
    if array is not None and array.ndim == 2 and array.dtype.kind in "OU" and _has_texts(array):
        validate_data(estimator, data, reset=reset, skip_check_array=True)
        _check_rows(len(array), "an array")
        columns = {f"x{position}": list(array[:, position]) for position in range(array.shape[1])}
        return Input("table", as_table(columns, "X"))
    numbers = validate_data(
        estimator,
        data,
        reset=reset,
        accept_sparse="csr",
        dtype=np.float64,
        ensure_all_finite="allow-nan",
    )
    if hasattr(numbers, "toarray"):
        numbers = numbers.toarray()
    return Input("numbers", np.asarray(numbers))


def _values_of(column: Column) -> npt.NDArray[Any]:
    """Numbers as they are, categories by a hash of their texts."""
    if column.kind != "text":
        return column.values
    return np.asarray(np.append(_hashed(column.categories), np.int64(0))[column.values])


def _hashed(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """64 bits of BLAKE2 of each text."""
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(digests), np.int64)


def _check_rows(count: int, what: str) -> None:
    if not count:
        raise DataError(
            f"Found {what} with 0 sample(s) while a minimum of 1 is required", "Pass rows."
        )


def _is_frame(data: Any) -> bool:
    package = type(data).__module__.partition(".")[0]
    return package in ("pandas", "polars") and hasattr(data, "columns")


def _texts_of(data: Any) -> list[str] | None:
    """A list, array or series of texts as a list; None for anything else."""
    if isinstance(data, str | bytes) or not hasattr(data, "__len__") or hasattr(data, "columns"):
        return None
    if getattr(data, "ndim", 1) != 1 or not len(data):
        return None
    if not isinstance(data, list | tuple | np.ndarray) and not hasattr(data, "to_numpy"):
        return None
    listed = list(data)
    return [str(text) for text in listed] if all(isinstance(t, str) for t in listed) else None


def _has_texts(array: npt.NDArray[Any]) -> bool:
    """Whether an array of objects holds texts that are no numbers."""
    return any(isinstance(value, str) and not _is_number(value) for value in array.flat)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
