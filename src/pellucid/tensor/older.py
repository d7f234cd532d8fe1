"""Orders of arguments from before PyTorch 1.5, which it still takes, with a warning.

``x.add_(2, y)`` is ``x.add_(y, alpha=2)``; ``x.addmm(β, α, a, b)`` is ``x.addmm(a, b, beta=β,
alpha=α)``, and as functions ``addmm(β, x, α, a, b)``.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from pellucid.base.errors import ArgumentTypeError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import NUMBERS


def _warn(name: str, better: str) -> None:
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and "pellucid/tensor/" in frame.f_code.co_filename:
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"this order of arguments of {name} is deprecated: write {name}({better})",
        stacklevel=level,
    )


def scaled_first(name: str, keyword: str, given: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """The arguments of ``name(number, tensors...)``: the tensors, and the number.

    Raises ``ArgumentTypeError`` (a ``TypeError``) for anything else.
    """
    number, *tensors = given
    if len(tensors) != count or not isinstance(number, NUMBERS):
        raise ArgumentTypeError(
            f"{name} got {len(given)} arguments by position",
            f"it takes {count}, and the number by name: {keyword}=",
        )
    _warn(name, f"{', '.join(['tensor'] * count)}, {keyword}={number}")
    return (*tensors, number)


def weighted_first(name: str, owner: Any, given: tuple[Any, ...]) -> Tensor:
    """``name`` called with its weights β and α among the tensors, in one of the older orders."""
    listed = [owner, *given]
    if isinstance(given[0], TensorCore) and not owner.shape:  # a function: β, input, ...
        listed = [given[0], owner.item(), *given[1:]]
    numbers = [v for v in listed[1:] if not isinstance(v, TensorCore)]
    tensors = [v for v in listed[1:] if isinstance(v, TensorCore)]
    if len(tensors) != 2 or not 1 <= len(numbers) <= 2:
        raise ArgumentTypeError(
            f"{name} got {len(given)} arguments by position",
            "it takes two tensors, and the numbers by name: beta=, alpha=",
        )
    beta, alpha = (*numbers, 1)[:2]
    _warn(name, f"tensor, tensor, beta={beta}, alpha={alpha}")
    result: Tensor = getattr(listed[0], name)(*tensors, beta=beta, alpha=alpha)
    return result
