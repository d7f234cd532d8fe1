"""Masked reductions against NumPy on the elements let through."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import masked
from pellucid.base.errors import ArgumentTypeError, DTypeError, ShapeError

X = np.array([[1.5, -2.0, 0.5, 4.0], [3.0, 1.0, -1.0, 2.0], [0.0, 7.0, 5.0, -3.0]])
MASK = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1]], bool)


def _by_rows(function: Callable[[np.ndarray], Any]) -> np.ndarray:
    return np.array([function(row[m]) for row, m in zip(X, MASK, strict=True)])


CASES: dict[str, Callable[[np.ndarray], Any]] = {
    "sum": np.sum,
    "prod": np.prod,
    "mean": np.mean,
    "amax": np.max,
    "amin": np.min,
    "var": lambda v: v.var(ddof=1),
    "std": lambda v: v.std(ddof=1),
    "norm": lambda v: np.sqrt((v**2).sum()),
    "logsumexp": lambda v: np.log(np.exp(v).sum()),
    "median": lambda v: np.sort(v)[(len(v) - 1) // 2],
}


@pytest.mark.parametrize("name", CASES)
def test_reductions(name: str) -> None:
    x, mask = pellucid.tensor(X), pellucid.tensor(MASK)
    function = getattr(masked, name)
    expected = _by_rows(CASES[name])

    def reduced(t: Any, m: Any) -> Any:
        return function(t, dim=1, mask=m)

    assert_close(reduced(x, mask), expected, 1e-12)
    assert_close(pellucid.compile(reduced)(x, mask), expected, 1e-12)
    assert function(x, dim=1, mask=mask, keepdim=True).shape == (3, 1)
    if name != "median":
        assert_close(function(x, mask=mask), CASES[name](X[MASK]), 1e-12)
    leaf = pellucid.tensor(X, requires_grad=True)
    reduced(leaf, mask).sum().backward()
    assert (leaf.grad.numpy()[~MASK] == 0).all()
    assert pellucid.gradcheck(lambda t: reduced(t, mask), (pellucid.tensor(X, requires_grad=True),))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "cumsum", "cumprod"])
def test_along_an_axis(name: str) -> None:
    def expected(row: np.ndarray, m: np.ndarray) -> np.ndarray:
        if name == "cumsum":
            return np.cumsum(np.where(m, row, 0))
        if name == "cumprod":
            return np.cumprod(np.where(m, row, 1))
        weights = np.where(m, np.exp(-row if name == "softmin" else row), 0)
        share = weights / weights.sum()
        with np.errstate(divide="ignore"):
            return np.log(share) if name == "log_softmax" else share

    wanted = np.array([expected(*pair) for pair in zip(X, MASK, strict=True)])
    found = getattr(masked, name)(pellucid.tensor(X), 1, mask=pellucid.tensor(MASK))
    assert_close(found, wanted, 1e-12)


def test_places_normalizing_and_adding() -> None:
    x, mask = pellucid.tensor(X), pellucid.tensor(MASK)
    assert masked.argmax(x, 1, mask=mask).tolist() == [3, 1, 1]
    assert masked.argmin(x, 1, mask=mask).tolist() == [2, 2, 3]
    rows = masked.normalize(x, 2.0, 1, mask=mask)
    kept = np.where(MASK, X, 0)
    assert_close(rows, kept / np.sqrt((kept**2).sum(1, keepdims=True)), 1e-12)
    both = masked.logaddexp(x, x, input_mask=mask)
    assert_close(both, X + np.where(MASK, math.log(2), 0), 1e-12)


def test_nothing_let_through() -> None:
    x, none = pellucid.tensor([1.0, 2.0]), pellucid.tensor([False, False])
    assert masked.sum(x, mask=none) == 0 and masked.prod(x, mask=none) == 1
    assert masked.amax(x, mask=none) == -math.inf and masked.amin(x, mask=none) == math.inf
    assert math.isnan(float(masked.mean(x, mask=none)))
    ints = pellucid.tensor([1, 2])
    assert int(masked.amax(ints, mask=none)) == np.iinfo(np.int64).min
    assert masked.sum(ints, mask=None).dtype is pellucid.int64


def test_masks_broadcast_or_are_refused() -> None:
    x = pellucid.tensor(X)
    assert_close(masked.sum(x, 1, mask=pellucid.tensor(MASK[0])), X[:, MASK[0]].sum(1))
    with pytest.raises(ShapeError, match="broadcast"):
        masked.sum(x, 1, mask=pellucid.ones(3, 3).bool())
    with pytest.raises(IndexError, match="no more axes"):
        masked.sum(x, 1, mask=pellucid.ones(1, 3, 4).bool())
    with pytest.raises(ArgumentTypeError, match="bool tensor"):
        masked.sum(x, 1, mask=[True])  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="int64"):
        masked.mean(pellucid.tensor([1, 2]))


@pytest.mark.parity
def test_dtypes_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    for name in "sum prod cumsum cumprod amax amin argmax".split():
        for dtype in ("int32", "bool", "uint8", "float32"):
            ours = getattr(masked, name)(pellucid.ones(3, dtype=getattr(pellucid, dtype)), 0)
            data = torch.ones(3, dtype=getattr(torch, dtype))
            try:
                theirs = getattr(torch.masked, name)(data, 0)
            except (RuntimeError, TypeError):
                continue
            assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1], (name, dtype)
