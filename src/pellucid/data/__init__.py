"""Data: reading, splitting and preparing it; also the data sets and loaders of ``utils.data``.

Importing this package needs NumPy alone; readers import what they need when they run.
"""

from pellucid.data.fetching import fetch
from pellucid.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)

__all__ = [
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "Subset",
    "TensorDataset",
    "default_collate",
    "fetch",
    "random_split",
]


def __dir__() -> list[str]:
    return sorted(__all__)
