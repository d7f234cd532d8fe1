"""The random generator by the names of ``torch.random``.

>>> import pellucid
>>> with pellucid.random.fork_rng():
...     _ = pellucid.manual_seed(0)  # the generator outside goes on as if nothing had been
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pellucid.tensor.device import DeviceLike
from pellucid.tensor.random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)


@contextmanager
def fork_rng(
    devices: object = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: DeviceLike = "cuda",
) -> Iterator[None]:
    """Context manager (or decorator) behind which the default generator goes on where it was.

    ``enabled=False`` changes nothing.  ``devices`` names graphics processors, of which there are
    none.
    """
    before = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if before is not None:
            set_rng_state(before)


__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


def __dir__() -> list[str]:
    return sorted(__all__)
