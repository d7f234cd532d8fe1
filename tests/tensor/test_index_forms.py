"""What may stand between brackets: ranges, lists, masks of uint8, as PyTorch takes them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

KEYS: dict[str, Callable[[Any], Any]] = {
    "range": lambda t: range(2),
    "range and tensor": lambda t: (range(2), t.tensor([0, 2])),
    "range and list": lambda t: (range(1, 2), [1]),
    "no range": lambda t: range(0),
    "range behind": lambda t: (..., range(2)),
    "list of lists": lambda t: [[0, 1], [1, 0]],
    "lists": lambda t: ([0, 1], [1, 2]),
    "tuples": lambda t: ((0, 1), (1, 2)),
    "list of tensors": lambda t: [t.tensor(0), t.tensor(1)],
    "list with slice": lambda t: [slice(None), 1],
    "bytes": lambda t: t.tensor([1, 0], dtype=t.uint8),
    "bytes behind": lambda t: (slice(None), t.tensor([1, 0, 1], dtype=t.uint8)),
    "bytes of both axes": lambda t: t.tensor([[1, 0, 1], [0, 0, 1]], dtype=t.uint8),
    "bytes as array": lambda t: np.array([1, 0], np.uint8),
    "byte": lambda t: t.tensor(1, dtype=t.uint8),
    "bools": lambda t: [True, False],
    "bools behind": lambda t: (0, [True, False, True]),
    "True": lambda t: True,
    "False": lambda t: False,
    "True behind": lambda t: (None, t.tensor(True)),
    "int32": lambda t: t.tensor([1, 0], dtype=t.int32),
    "number as tensor": lambda t: t.tensor(1),
    "number of NumPy": lambda t: np.int64(1),
    "slice of tensors": lambda t: slice(t.tensor(0), t.tensor(1)),
    "empty list": lambda t: [],
}


def select(t: Any, name: str, x: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x[KEYS[name](t)]


@pytest.mark.parametrize("name", KEYS)
def test_reading(name: str) -> None:
    ours, theirs = (select(t, name, t.arange(6).reshape(2, 3)) for t in (pellucid, torch))
    assert tuple(ours.shape) == tuple(theirs.shape) and ours.tolist() == theirs.tolist()
    if not name.startswith(("number as tensor", "slice of")):
        x = pellucid.arange(6).reshape(2, 3)
        compiled = pellucid.compile(lambda x: select(pellucid, name, x))(x)
        assert compiled.tolist() == theirs.tolist()


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("name", KEYS)
def test_writing(name: str, recorded: bool) -> None:
    def write(t: Any, scalar: bool) -> Any:
        x = t.zeros(2, 3)
        x = x.requires_grad_() * 1 if recorded else x
        shape = select(t, name, t.zeros(2, 3)).shape
        x[KEYS[name](t)] = 7.0 if scalar else t.arange(1.0, 1 + shape.numel()).reshape(shape)
        return x.tolist()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for scalar in (False, True):
            if scalar and name.startswith("byte"):
                continue  # PyTorch itself has given this up; see below
            assert write(pellucid, scalar) == write(torch, scalar)


def test_masks_of_bytes_warn_where_they_are_used() -> None:
    mask = pellucid.tensor([1, 0, 1], dtype=pellucid.uint8)
    x = pellucid.arange(3.0)
    with pytest.warns(UserWarning, match="indexing with dtype uint8 is deprecated") as noted:
        assert x[mask].tolist() == [0.0, 2.0]
    assert noted[0].filename == __file__
    with pytest.warns(UserWarning, match="taken for a mask"):
        x[mask] = 5.0
    assert x.tolist() == [5.0, 1.0, 5.0]


def test_a_number_may_be_masked_by_itself() -> None:
    x = pellucid.tensor(float("nan"))
    x[x.isnan()] = 0.0
    assert x.item() == 0.0
    x[x.isnan()] = 3.0
    assert x.item() == 0.0
