"""Wrappers that train on several devices or in several processes; here they pass through."""

from pellucid.nn.parallel import distributed as distributed
from pellucid.nn.parallel.data_parallel import DataParallel as DataParallel
from pellucid.nn.parallel.data_parallel import data_parallel as data_parallel
from pellucid.nn.parallel.distributed import DistributedDataParallel as DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel", "distributed"]


def __dir__() -> list[str]:
    return sorted(__all__)
