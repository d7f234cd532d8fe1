"""Runs one expression in both libraries and compares what comes out, and the gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_close

torch = pytest.importorskip("torch")

RTOL = {"float32": 2e-5, "float64": 1e-10}
ATOL = {"float32": 2e-6, "float64": 1e-12}


def ours(array: Any, requires_grad: bool = False) -> Any:
    """A tensor of ours with the values of ``array``."""
    return pellucid.tensor(np.array(array), requires_grad=requires_grad)


def theirs(array: Any, requires_grad: bool = False) -> Any:
    """PyTorch's tensor with the values of ``array``."""
    return torch.tensor(np.array(array), requires_grad=requires_grad)


def flatten(result: Any) -> list[Any]:
    """The outputs of a function in a row."""
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in flatten(item)]
    return [result]


def dtype_name(value: Any) -> str:
    """Name of a tensor's dtype without the library's name."""
    return str(value.dtype).rpartition(".")[2]


def compare(left: Any, right: Any, what: str, rtol: float | None = None) -> None:
    """Same kind, dtype, shape and values."""
    if not hasattr(right, "dtype"):
        assert left == right or (left != left and right != right), f"{what}: {left} != {right}"
        return
    name = dtype_name(right)
    assert dtype_name(left) == name, f"{what}: dtype {dtype_name(left)}, PyTorch has {name}"
    assert_close(left, right, rtol or RTOL.get(name, 0), ATOL.get(name, 0), what)


def parity(
    function: Callable[..., Any],
    *arrays: Any,
    gradients: bool = True,
    rtol: float | None = None,
    what: str = "",
) -> None:
    """``function(library, *tensors)`` gives the same in both libraries, gradients too."""
    sides = []
    for library, make in ((pellucid, ours), (torch, theirs)):
        tensors = [make(a, gradients and np.asarray(a).dtype.kind == "f") for a in arrays]
        sides.append((flatten(function(library, *tensors)), tensors))
    (left, inputs), (right, wanted) = sides
    assert len(left) == len(right), f"{what}: {len(left)} results, PyTorch has {len(right)}"
    for position, (a, b) in enumerate(zip(left, right, strict=True)):
        compare(a, b, f"{what} result {position}", rtol)
    if gradients:
        _compare_gradients(left, right, inputs, wanted, what, rtol)


def _compare_gradients(
    left: Sequence[Any], right: Sequence[Any], inputs: Any, wanted: Any, what: str, rtol: Any
) -> None:
    places = [i for i, t in enumerate(right) if hasattr(t, "requires_grad") and t.requires_grad]
    if not places:
        return
    for outputs, make in ((left, ours), (right, theirs)):
        total: Any = 0
        for i in places:
            weights = np.cos(np.arange(as_array(right[i]).size)).reshape(right[i].shape)
            if outputs[i].requires_grad:
                weights = weights.astype(as_array(right[i]).dtype)
                total = total + (outputs[i] * make(weights)).sum()
        if not isinstance(total, int):
            total.backward()
    for position, (a, b) in enumerate(zip(inputs, wanted, strict=True)):
        if b.grad is None:
            assert a.grad is None or not as_array(a.grad).any(), f"{what}: input {position}"
            continue
        if a.grad is None and not as_array(b.grad).any():
            continue  # no influence: nothing here, zeros there
        assert a.grad is not None, f"{what}: input {position} got no gradient"
        compare(a.grad, b.grad, f"{what} gradient of input {position}", rtol)


def both_raise(function: Callable[..., Any], *arrays: Any) -> None:
    """Both libraries refuse, ours with one of our errors."""
    with pytest.raises(Exception):  # noqa: B017, PT011  (any error of PyTorch's)
        function(torch, *map(theirs, arrays))
    with pytest.raises(pellucid.PellucidError):
        function(pellucid, *map(ours, arrays))
