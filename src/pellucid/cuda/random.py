"""Random numbers of graphics processors: seeds are accepted, for there is nothing to seed."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.tensor.device import DeviceLike, absent
from pellucid.tensor.random import Generator
from pellucid.tensor.tensor import Tensor

default_generators: tuple[Generator, ...] = ()
"""The generators of the graphics processors: one each."""


def manual_seed(seed: int) -> None:
    """Accepted: the random numbers of the CPU are seeded by :func:`pellucid.manual_seed`."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """Accepted: the random numbers of the CPU are seeded by :func:`pellucid.manual_seed`."""
    int(seed)


def seed() -> None:
    """Accepted: there is no graphics processor to be seeded from the clock."""


def seed_all() -> None:
    """Accepted: there is no graphics processor to be seeded from the clock."""


def initial_seed() -> int:
    """Raises :class:`DeviceError`: no generator has a seed."""
    raise absent("cuda")


def get_rng_state(device: DeviceLike = "cuda") -> Tensor:
    """Raises :class:`DeviceError`: there is no generator on that device."""
    raise absent(device)


def get_rng_state_all() -> list[Tensor]:
    """The states of the generators of all graphics processors: an empty list."""
    return []


def set_rng_state(new_state: Tensor, device: DeviceLike = "cuda") -> None:
    """Accepted, as PyTorch does: the state waits for a graphics processor that never comes."""


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Accepted for no states, as :func:`get_rng_state_all` gives them."""
