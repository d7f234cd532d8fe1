"""Rows divided among several processes that train together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

from pellucid import distributed
from pellucid.base.errors import ArgumentError
from pellucid.tensor.random import Generator, shuffle_rows
from pellucid.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """The positions that process ``rank`` of ``num_replicas`` reads: every ``num_replicas``-th.

    Both are those of the process group unless given.  With ``shuffle`` the order follows from
    ``seed`` and the pass that :meth:`set_epoch` names, so it is the same in all processes.  All
    read equally many rows: some rows come twice, or with ``drop_last`` some not at all.

    Raises ``ArgumentError`` for a rank outside of the group, and where neither a group was made
    (``distributed.init_process_group``) nor both numbers are given.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
        self.rank = distributed.get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ArgumentError(
                f"DistributedSampler got the invalid rank {self.rank} of {self.num_replicas} "
                "processes",
                f"Ranks are 0 … {self.num_replicas - 1}.",
            )
        self.dataset = dataset
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.epoch = 0
        share = len(dataset) / self.num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        """Positions in one pass of one process."""
        self.total_size = self.num_samples * self.num_replicas
        """Positions in one pass of all processes."""

    def __iter__(self) -> Iterator[int]:
        rows = len(self.dataset)
        if self.shuffle:
            source = Generator().manual_seed(self.seed + self.epoch)
            order = shuffle_rows(rows, source).tolist()
        else:
            order = list(range(rows))
        if rows:
            order *= math.ceil(self.total_size / rows)
        return iter(order[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Say which pass comes next: each has an order of its own."""
        self.epoch = epoch
