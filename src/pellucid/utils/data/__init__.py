"""Data sets, the orders in which they are read, and loaders that make batches of them.

>>> from pellucid.utils.data import DataLoader, TensorDataset
>>> rows = TensorDataset(pellucid.arange(6.0), pellucid.arange(6))
>>> [y.tolist() for x, y in DataLoader(rows, batch_size=4)]
[[0, 1, 2, 3], [4, 5]]
"""

from pellucid.utils.data._utils.collate import default_collate, default_convert
from pellucid.utils.data._utils.worker import get_worker_info
from pellucid.utils.data.dataloader import DataLoader
from pellucid.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from pellucid.utils.data.distributed import DistributedSampler
from pellucid.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]


def __dir__() -> list[str]:
    return sorted(__all__)
