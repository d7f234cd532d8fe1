"""The process group of one process: made, asked and ended under PyTorch's names."""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pellucid.base.errors import ArgumentError, UnsupportedError
from pellucid.tensor.tensor import Tensor

_BACKENDS = ("gloo", "nccl", "mpi", "ucc", "xccl", "fake")


class GroupError(ArgumentError, AssertionError):
    """There is no process group, or there is one already."""


class Backend(str):
    """The name of a backend, in small letters: ``gloo``, ``nccl``, …

    With one process they all do the same.  Raises ``ArgumentError`` for names that are none.
    """

    GLOO = "gloo"
    NCCL = "nccl"
    MPI = "mpi"
    UCC = "ucc"

    def __new__(cls, name: str) -> Backend:
        """The backend called ``name``; ``cpu:gloo,cuda:nccl`` names one for each device."""
        parts = [part.rpartition(":")[2] for part in str(name).lower().split(",")]
        if any(part not in _BACKENDS for part in parts):
            raise ArgumentError(
                f"{name!r} is no backend of process groups", f"Use one of {', '.join(_BACKENDS)}."
            )
        return super().__new__(cls, str(name).lower())


class ReduceOp(enum.Enum):
    """How the values of all members become one; of one member's value they all make itself."""

    SUM = "sum"
    AVG = "avg"
    PRODUCT = "product"
    MIN = "min"
    MAX = "max"
    BAND = "band"
    BOR = "bor"
    BXOR = "bxor"


class Work:
    """What an operation with ``async_op=True`` returns; it is done already."""

    def __init__(self, result: Sequence[Tensor] = ()) -> None:
        self._result = list(result)

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Wait until the operation is done; returns True."""
        return True

    def is_completed(self) -> bool:
        """Whether the operation is done: yes."""
        return True

    def is_success(self) -> bool:
        """Whether the operation went well: yes."""
        return True

    def result(self) -> list[Tensor]:
        """The tensors that the operation wrote."""
        return self._result


class ProcessGroup:
    """A group with this process as its only member."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def rank(self) -> int:
        """This process's place in the group: 0."""
        return 0

    def size(self) -> int:
        """Number of members: 1."""
        return 1

    def name(self) -> str:
        """The backend's name."""
        return str(self.backend)


_world: ProcessGroup | None = None


class _Group(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:  # noqa: N802
        """The group of all processes; None before ``init_process_group``."""
        return _world


class group(metaclass=_Group):  # noqa: N801
    """``group.WORLD`` is the group of all processes, None before ``init_process_group``."""


def _uninitialized() -> GroupError:
    return GroupError(
        "Default process group has not been initialized, please make sure to call "
        "init_process_group.",
        "Call distributed.init_process_group() first.",
    )


def member_of(group: ProcessGroup | None) -> ProcessGroup:
    """The group itself, or the default one; raises ``GroupError`` where there is none."""
    found = _world if group is None else group
    if found is None or _world is None:
        raise _uninitialized()
    return found


def is_available() -> bool:
    """Whether there is such a package: yes, for groups of one process."""
    return True


def is_initialized() -> bool:
    """Whether ``init_process_group`` was called."""
    return _world is not None


def is_backend_available(backend: str) -> bool:
    """Whether a group may have this backend: gloo, the one for CPUs."""
    return backend.lower() == Backend.GLOO


def is_gloo_available() -> bool:
    """Whether there are groups of processes on CPUs: yes, of one."""
    return True


def is_nccl_available() -> bool:
    """Whether there are groups of graphics processors: no."""
    return False


def is_mpi_available() -> bool:
    """Whether MPI is there: no."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether a launcher started this process as one of several: no."""
    return False


def _number(given: int, variable: str, default: int) -> int:
    """A number given, or else by the environment."""
    if given >= 0:
        return given
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise ArgumentError(
            f"the environment variable {variable} is {text!r}", "It holds a whole number."
        )
    return int(text)


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Make the default process group, whose only member is this process.

    ``world_size`` and ``rank`` are those of the environment (``WORLD_SIZE``, ``RANK``) unless
    given, 1 and 0 where it says nothing.  ``init_method``, ``store``, ``timeout`` and the others
    are for finding further processes: accepted, without effect.

    Raises ``UnsupportedError`` for more than one process, ``ArgumentError`` for a rank outside of
    the group and an unknown backend, ``GroupError`` where there is a group already.
    """
    global _world
    if _world is not None:
        raise GroupError(
            "trying to initialize the default process group twice!",
            "Call it once, or destroy_process_group() in between.",
        )
    size = _number(world_size, "WORLD_SIZE", 1)
    place = _number(rank, "RANK", 0)
    if size > 1:
        raise UnsupportedError(
            f"init_process_group got a world of {size} processes",
            "There are groups of one process here: start one program (world_size=1); compiled "
            "steps use all processors of the machine by threads.",
        )
    if size != 1 or place != 0:
        raise ArgumentError(
            f"init_process_group got rank {place} of {size} processes", "Use rank 0 of 1."
        )
    _world = ProcessGroup(Backend(backend or "gloo"))


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """End the default group (or forget another); a new one may be made afterwards."""
    global _world
    if member_of(group) is _world:
        _world = None


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
) -> ProcessGroup:
    """A group of the members ``ranks`` (None: all), which is [0]."""
    world = member_of(None)
    if ranks is not None and list(ranks) != [0]:
        raise ArgumentError(
            f"new_group got ranks {list(ranks)}: the new group's world size should be less or "
            "equal to the world size set by init_process_group",
            "The only member has rank 0.",
        )
    return ProcessGroup(Backend(backend) if backend else world.backend)


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process's place in the group: 0."""
    return member_of(group).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """Number of processes in the group: 1."""
    return member_of(group).size()


def get_backend(group: ProcessGroup | None = None) -> Backend:
    """The backend's name that the group was made with."""
    return member_of(group).backend


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """Places of a group's members among all processes: [0]."""
    member_of(group)
    return [0]


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """Place among all processes of the member ``group_rank``: 0."""
    return check_rank("get_global_rank", group_rank, group)


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """Place in the group of the process ``global_rank``: 0."""
    return check_rank("get_group_rank", global_rank, group)


def check_rank(owner: str, rank: int, group: ProcessGroup | None) -> int:
    """A place in the group, or ``ArgumentError``."""
    size = member_of(group).size()
    if not 0 <= rank < size:
        raise ArgumentError(f"{owner}: invalid rank {rank} of {size} processes", "Use rank 0.")
    return rank
