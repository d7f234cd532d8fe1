"""How shared tensors reach other processes, as far as programs may ask."""

from __future__ import annotations

from pellucid.base.errors import ArgumentError

_STRATEGIES = frozenset({"file_descriptor", "file_system"})
_chosen = "file_descriptor"


class StrategyError(ArgumentError, AssertionError):
    """There is no such strategy."""


def get_all_sharing_strategies() -> set[str]:
    """The names that :func:`set_sharing_strategy` takes."""
    return set(_STRATEGIES)


def get_sharing_strategy() -> str:
    """What :func:`set_sharing_strategy` was told; ``file_descriptor`` at first."""
    return _chosen


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted for programs written for PyTorch; shared memory has no names here whatever it is.

    A tensor keeps its file open only after ``share_memory_()``; batches of a loader do not, so
    that the limit of open files, for which programs choose ``file_system``, is not reached.
    Raises ``StrategyError`` (an ``ArgumentError``) for other names.
    """
    global _chosen
    if new_strategy not in _STRATEGIES:
        raise StrategyError(
            f"set_sharing_strategy got {new_strategy!r}", f"Use one of {sorted(_STRATEGIES)}."
        )
    _chosen = new_strategy
