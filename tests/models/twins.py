"""A model's source text run a second time, with PyTorch in place of Pellucid."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import pellucid
from helpers import as_array, assert_close

IMPORTS = [
    (r"^import pellucid$", "import torch as pellucid"),
    (r"^import pellucid\.nn\.functional as F", "import torch.nn.functional as F"),
    (r"^from pellucid import ", "from torch import "),
    (r"^from pellucid\.nn\.utils\.rnn import ", "from torch.nn.utils.rnn import "),
]
"""The lines that differ between a file for Pellucid and one for PyTorch, and how."""


def twin_of(module: types.ModuleType) -> types.ModuleType:
    """The module as PyTorch runs it: its text, the imports changed and nothing else."""
    text = inspect.getsource(module)
    for ours, theirs in IMPORTS:
        text = re.sub(ours, theirs, text, flags=re.MULTILINE)
    twin = types.ModuleType(module.__name__ + "_torch")
    sys.modules[twin.__name__] = twin  # where dataclasses look their annotations up
    exec(compile(text, f"{module.__file__} with torch", "exec"), twin.__dict__)
    return twin


def load_both_ways(ours: Any, theirs: Any) -> None:
    """The state dicts have the same keys in the same order, and each library loads the other's
    without losing a bit."""
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: pellucid.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    same_bits(ours, theirs)
    drawn = np.random.default_rng(5)
    with pellucid.no_grad():
        for p in ours.parameters():
            p += pellucid.tensor(drawn.normal(0, 0.05, p.shape).astype(np.float32))
    copied = {k: torch.tensor(v.detach().numpy()) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(copied)
    same_bits(ours, theirs)


def same_bits(ours: Any, theirs: Any) -> None:
    """Both hold the same numbers in the same element types."""
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        left, right = as_array(a), as_array(b)
        assert left.dtype == right.dtype and left.shape == right.shape, name
        assert left.tobytes() == right.tobytes(), f"{name} differs"


def compare_state(ours: Any, theirs: Any, rtol: float, atol: float) -> None:
    """Parameters and buffers agree."""
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert_close(a, b, rtol, atol, name)


def compare_gradients(ours: Any, theirs: Any, rtol: float, atol: float) -> None:
    """Every parameter's gradient agrees; ``atol`` is relative to its largest entry, or a hundredth
    of the largest of all (a bias before batch norm has none: what is there is rounding)."""
    most = max(float(p.grad.abs().max()) for p in theirs.parameters() if p.grad is not None)
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if b.grad is not None:
            largest = max(float(b.grad.abs().max()), 0.01 * most)
            assert_close(a.grad, b.grad, rtol, atol * largest, f"gradient of {name}")


def train_both(
    ours: Any,
    theirs: Any,
    loss: Callable[[Any, Any], Any],
    make_optimizer: Callable[[Any, Any], Any],
    steps: int,
) -> tuple[list[float], list[float]]:
    """Losses of some steps: ours compiled, theirs eager.  ``loss(library, model)`` makes the loss,
    ``make_optimizer(library, model)`` the optimizer."""
    mine, other = make_optimizer(pellucid, ours), make_optimizer(torch, theirs)

    @pellucid.compile
    def step() -> Any:
        mine.zero_grad()
        value = loss(pellucid, ours)
        value.backward()
        mine.step()
        return value.detach()

    found, expected = [], []
    for _ in range(steps):
        found.append(float(step()))
        other.zero_grad()
        value = loss(torch, theirs)
        value.backward()
        other.step()
        expected.append(float(value.detach()))
    return found, expected
