"""Collective calls with gradients, as ``torch.distributed.nn``.

In a group of one member they give the tensor itself.
"""

from __future__ import annotations

from pellucid.distributed.group import ProcessGroup, ReduceOp, member_of
from pellucid.tensor.tensor import Tensor

__all__ = ["all_gather", "all_reduce", "broadcast"]


def all_reduce(
    tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: ProcessGroup | None = None
) -> Tensor:
    """The reduction over the members' tensors, with gradient 1."""
    member_of(group)
    return tensor


def all_gather(tensor: Tensor, group: ProcessGroup | None = None) -> tuple[Tensor, ...]:
    """The tensors of all members."""
    member_of(group)
    return (tensor,)


def broadcast(tensor: Tensor, src: int, group: ProcessGroup | None = None) -> Tensor:
    """The tensor of the member ``src``."""
    member_of(group)
    return tensor
