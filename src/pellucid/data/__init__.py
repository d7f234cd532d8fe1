"""Data: reading, splitting and preparing it, data sets and loaders.

Importing this package needs NumPy alone; readers import what they need when they run.
"""

from pellucid.data.dataset import (
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from pellucid.data.loader import DataLoader, default_collate

__all__ = [
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "Subset",
    "TensorDataset",
    "default_collate",
    "random_split",
]


def __dir__() -> list[str]:
    return sorted(__all__)
