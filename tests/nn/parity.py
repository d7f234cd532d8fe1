"""The same computation here and in PyTorch, values and gradients compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import pellucid
from helpers import as_array, assert_same


def both(arrays: Sequence[Any], frozen: Sequence[int] = ()) -> tuple[list[Any], list[Any]]:
    """Arrays as tensors of both libraries; float ones require gradients unless ``frozen``."""
    ours, theirs = [], []
    for position, array in enumerate(arrays):
        if not isinstance(array, np.ndarray):
            ours.append(array)
            theirs.append(array)
            continue
        learned = array.dtype.kind == "f" and position not in frozen
        ours.append(pellucid.tensor(array, requires_grad=learned))
        theirs.append(torch.tensor(array, requires_grad=learned))
    return ours, theirs


def compare(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    arrays: Sequence[Any],
    *,
    frozen: Sequence[int] = (),
    rtol: float = 2e-5,
    atol: float = 2e-6,
) -> None:
    """Outputs and all gradients (under a fixed random cotangent) agree, dtypes included."""
    mine, other = both(arrays, frozen)
    result, expected = ours(*mine), theirs(*other)
    assert_same(result, expected, rtol, atol, "value")
    cotangent = np.random.default_rng(7).uniform(0.5, 1.5, as_array(expected).shape)
    cotangent = cotangent.astype(as_array(expected).dtype)
    result.backward(pellucid.tensor(cotangent))
    expected.backward(torch.tensor(cotangent))
    for position, (a, b) in enumerate(zip(mine, other, strict=True)):
        if isinstance(b, torch.Tensor) and b.requires_grad:
            grad = np.zeros_like(arrays[position]) if b.grad is None else b.grad
            own = np.zeros_like(arrays[position]) if a.grad is None else a.grad
            assert_same(own, grad, rtol, atol, f"gradient of input {position}")
