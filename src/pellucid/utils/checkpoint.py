"""Gradient checkpointing: less memory for more arithmetic, under PyTorch's names.

>>> import pellucid
>>> from pellucid import nn
>>> from pellucid.utils.checkpoint import checkpoint
>>> block = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 4))
>>> x = pellucid.randn(8, 4, requires_grad=True)
>>> checkpoint(block, x).sum().backward()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.tensor.device import absent
from pellucid.tensor.random import default_generator
from pellucid.tensor.rematerialize import Contexts, plain_contexts, run_checkpointed
from pellucid.tensor.tensor import Tensor

__all__ = ["checkpoint", "checkpoint_sequential", "get_device_states", "set_device_states"]

Returned = TypeVar("Returned")

CHECKS = ("default", "none")


def checkpoint(
    function: Callable[..., Returned],
    *args: Any,
    use_reentrant: bool = False,
    context_fn: Contexts = plain_contexts,
    determinism_check: str = "default",
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Returned:
    """``function(*args, **kwargs)``, whose intermediate values are not kept for backward but
    computed again when it needs them.

    Values and gradients are those of the plain call, dropout masks included.  Of the memory
    between forward and backward only the arguments and results stay; the price is one more
    forward pass.  In a compiled function the second computation is part of the program and waits
    for the gradient.  (Chen et al., 2016.)

    ``use_reentrant`` is accepted as in PyTorch; both values do the same here.  ``context_fn()``
    gives two context managers, for the first and for the later computations.
    ``determinism_check="none"`` lets an eager recomputation have other shapes than the first.
    ``preserve_rng_state=False`` lets an eager recomputation draw new random numbers.  Buffers
    that the function changes (running statistics) change once, not twice.  A checkpoint inside
    of another one is computed again with it.

    Raises :class:`AutogradError` in backward when the function does something else the second
    time, or when an argument was changed in place in between.
    """
    if determinism_check not in CHECKS:
        raise ArgumentError(
            f"checkpoint got determinism_check={determinism_check!r}",
            f"use one of {', '.join(map(repr, CHECKS))}",
        )
    if not callable(function):
        raise ArgumentTypeError(
            f"checkpoint got {type(function).__name__} as its function",
            "pass the function first, then its arguments: checkpoint(block, x)",
        )
    free = None if preserve_rng_state else default_generator.state._cell
    result: Returned = run_checkpointed(
        function, args, kwargs, context_fn, free, determinism_check == "default"
    )
    return result


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]],
    segments: int,
    input: Tensor,
    use_reentrant: bool = False,
    preserve_rng_state: bool = True,
) -> Tensor:
    """A chain of layers in ``segments`` parts, all but the last of them checkpointed.

    ``functions`` is a ``Sequential`` or a list of modules or functions, applied one after the
    other to ``input``.  With n layers, √n segments keep about 2√n intermediate values.
    """
    chain = list(functions)
    if not 1 <= segments <= max(len(chain), 1):
        raise ArgumentError(
            f"checkpoint_sequential got segments={segments} for {len(chain)} functions",
            f"use 1 to {len(chain)}",
        )
    size = len(chain) // segments

    def run(part: list[Callable[..., Any]]) -> Callable[[Any], Any]:
        def forward(value: Any) -> Any:
            for function in part:
                value = function(value)
            return value

        return forward

    for number in range(segments - 1):
        part = run(chain[number * size : (number + 1) * size])
        input = checkpoint(
            part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state
        )
    result: Tensor = run(chain[(segments - 1) * size :])(input)
    return result


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """The graphics processors that hold the arguments and the states of their random numbers.

    Two empty lists: there are none.  The state of the CPU is :func:`pellucid.get_rng_state`.
    """
    return [], []


def set_device_states(
    devices: Sequence[int], states: Sequence[Tensor], *, device_type: str | None = None
) -> None:
    """Give processors the states that :func:`get_device_states` returned for them.

    Raises :class:`DeviceError` for a processor, because there is none.
    """
    for device in devices:
        raise absent(f"{device_type or 'cuda'}:{device}")
