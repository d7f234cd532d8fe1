"""What the members of a group send to each other, for a group of one.

Each operation checks what it would check among several processes, and then does what is left:
a value that all members reduce, gather or broadcast is this process's own.  With
``async_op=True`` it returns a :class:`~pellucid.distributed.Work`, else None.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError
from pellucid.distributed.group import ProcessGroup, ReduceOp, Work, check_rank, member_of
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor


def _check_tensor(name: str, value: object) -> Any:
    if not isinstance(value, Tensor):
        raise ArgumentTypeError(
            f"Invalid function argument: {name} is a {type(value).__name__}",
            "Pass a tensor there.",
        )
    return value


def _check_list(name: str, values: object, entries: int = 1) -> list[Any]:
    """A list with one entry for each member."""
    if not isinstance(values, list | tuple):
        raise ArgumentTypeError(
            f"Invalid function argument: {name} is a {type(values).__name__}",
            "Pass a list with one entry for each process.",
        )
    if len(values) != entries:
        raise ArgumentError(
            f"{name} has {len(values)} entries for {entries} processes",
            "Pass one entry for each process.",
        )
    return list(values)


def _check_op(op: object) -> None:
    if not isinstance(op, ReduceOp):
        raise ArgumentTypeError(f"Invalid reduction {op!r}", "Use one of ReduceOp.")


def _write(target: Any, source: Any) -> None:
    """Write what a member has sent."""
    if tuple(target.shape) != tuple(source.shape) or target.dtype is not source.dtype:
        raise ShapeError(
            f"A tensor of shape {tuple(source.shape)}, {source.dtype.name} was sent to one of "
            f"shape {tuple(target.shape)}, {target.dtype.name}: invalid tensor size",
            "Make room of the same shape and dtype.",
        )
    with no_grad():
        target.copy_(source)


def _done(async_op: bool, *result: Any) -> Work | None:
    return Work(list(result)) if async_op else None


def barrier(
    group: ProcessGroup | None = None,
    async_op: bool = False,
    device_ids: Sequence[int] | None = None,
) -> Work | None:
    """Wait until all members are here, which they are."""
    member_of(group)
    return _done(async_op)


def monitored_barrier(
    group: ProcessGroup | None = None,
    timeout: timedelta | None = None,
    wait_all_ranks: bool = False,
) -> None:
    """Wait until all members are here, which they are."""
    member_of(group)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Give all members the value of member ``src``: 0, so the tensor stays."""
    _check_tensor("tensor", tensor)
    check_rank("broadcast", _given(src, group_src), group)
    return _done(async_op, tensor)


def all_reduce(
    tensor: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Reduce the tensors of all members into each: the tensor stays."""
    _check_tensor("tensor", tensor)
    _check_op(op)
    member_of(group)
    return _done(async_op, tensor)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Reduce the tensors of all members into that of ``dst``: the tensor stays."""
    check_rank("reduce", _given(dst, group_dst), group)
    return all_reduce(tensor, op, group, async_op)


def all_gather(
    tensor_list: list[Tensor],
    tensor: Tensor,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Write the tensors of all members into ``tensor_list``, which has one entry here."""
    member_of(group)
    (target,) = _check_list("tensor_list", tensor_list)
    _write(_check_tensor("tensor_list[0]", target), _check_tensor("tensor", tensor))
    return _done(async_op, target)


def all_gather_into_tensor(
    output_tensor: Tensor,
    input_tensor: Tensor,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Write the tensors of all members one after the other into ``output_tensor``.

    That has the shape of ``input_tensor``, (rows, …), or (1, rows, …).
    """
    member_of(group)
    source = _check_tensor("input_tensor", input_tensor)
    target = _check_tensor("output_tensor", output_tensor)
    if target.dim() == source.dim() + 1:
        source = source.unsqueeze(0)
    _write(target, source)
    return _done(async_op, target)


def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Write the tensors of all members into ``gather_list`` of member ``dst``."""
    check_rank("gather", _given(dst, group_dst, 0), group)
    if gather_list is None:
        raise ArgumentError(
            "Argument gather_list must be specified on destination rank",
            "Pass a list of one tensor.",
        )
    return all_gather(gather_list, tensor, group, async_op)


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Write each member's entry of ``scatter_list`` into its ``tensor``."""
    check_rank("scatter", _given(src, group_src, 0), group)
    if scatter_list is None:
        raise ArgumentError(
            "Argument scatter_list must be specified on source rank", "Pass a list of one tensor."
        )
    (source,) = _check_list("scatter_list", scatter_list)
    _write(_check_tensor("tensor", tensor), _check_tensor("scatter_list[0]", source))
    return _done(async_op, tensor)


def reduce_scatter(
    output: Tensor,
    input_list: list[Tensor],
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Reduce each entry of the members' lists into the ``output`` of that member."""
    _check_op(op)
    return scatter(output, input_list, 0, group, async_op)


def reduce_scatter_tensor(
    output: Tensor,
    input: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Reduce the members' tensors and write each member's part of the rows: here all of them."""
    _check_op(op)
    member_of(group)
    source, target = _check_tensor("input", input), _check_tensor("output", output)
    _write(target, source.reshape(target.shape) if source.numel() == target.numel() else source)
    return _done(async_op, target)


def all_to_all(
    output_tensor_list: list[Tensor],
    input_tensor_list: list[Tensor],
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Send entry j of the list to member j: the one entry comes back."""
    (source,) = _check_list("input_tensor_list", input_tensor_list)
    return all_gather(output_tensor_list, source, group, async_op)


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Send part j of the rows to member j: all rows come back."""
    member_of(group)
    _write(_check_tensor("output", output), _check_tensor("input", input))
    return _done(async_op, output)


def all_gather_object(object_list: list[Any], obj: Any, group: ProcessGroup | None = None) -> None:
    """Put copies of the members' objects into ``object_list``, which has one entry."""
    member_of(group)
    _check_list("object_list", object_list)
    object_list[0] = copy.deepcopy(obj)


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    group_dst: int | None = None,
) -> None:
    """Put copies of the members' objects into the list of member ``dst``."""
    check_rank("gather_object", _given(dst, group_dst, 0), group)
    if object_gather_list is None:
        raise ArgumentError(
            "Argument object_gather_list must be specified on destination rank",
            "Pass a list of one entry.",
        )
    all_gather_object(object_gather_list, obj, group)


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: ProcessGroup | None = None,
    device: Any = None,
    group_src: int | None = None,
) -> None:
    """Give all members the objects of member ``src``: 0, so the list stays."""
    check_rank("broadcast_object_list", _given(src, group_src, 0), group)
    _check_list("object_list", object_list, len(object_list))


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    group_src: int | None = None,
) -> None:
    """Give each member its entry of the input list, as first entry of the output list."""
    check_rank("scatter_object_list", _given(src, group_src, 0), group)
    (entry,) = _check_list("scatter_object_input_list", scatter_object_input_list)
    if not scatter_object_output_list:
        raise ArgumentError(
            "Expected argument scatter_object_output_list to be a list of size at least 1",
            "Pass [None].",
        )
    scatter_object_output_list[0] = copy.deepcopy(entry)


def send(
    tensor: Tensor,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> None:
    """Raises ``ArgumentError``: there is no other process to send to."""
    raise _alone("send", "destination", _given(dst, group_dst), group)


def recv(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_src: int | None = None,
) -> int:
    """Raises ``ArgumentError``: there is no other process to receive from."""
    raise _alone("recv", "source", _given(src, group_src, 0), group)


def isend(
    tensor: Tensor,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> Work | None:
    """Raises ``ArgumentError``: there is no other process to send to."""
    raise _alone("isend", "destination", _given(dst, group_dst), group)


def irecv(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_src: int | None = None,
) -> Work | None:
    """Raises ``ArgumentError``: there is no other process to receive from."""
    raise _alone("irecv", "source", _given(src, group_src, 0), group)


def _alone(owner: str, what: str, rank: int, group: ProcessGroup | None) -> ArgumentError:
    check_rank(owner, rank, group)
    return ArgumentError(
        f"{owner}: invalid {what} rank {rank}, which is the process itself",
        "There is no other process: keep the value.",
    )


def _given(rank: int | None, group_rank: int | None, default: int | None = None) -> int:
    """The member that is named, by its place among all processes or in the group."""
    found = rank if rank is not None else group_rank
    found = default if found is None else found
    if found is None:
        raise ArgumentTypeError("No rank was given", "Name a member of the group, 0.")
    return found
