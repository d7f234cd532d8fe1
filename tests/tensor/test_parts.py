"""Methods that split, replace parts and answer small questions, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError

torch = pytest.importorskip("torch", reason="compares with PyTorch")
pytestmark = pytest.mark.parity

RNG = np.random.default_rng(6)
X = RNG.standard_normal((4, 6, 3)).astype(np.float32)
N = RNG.integers(0, 50, (4, 6))

REAL: dict[str, Callable[[Any, Any], Any]] = {
    "hsplit": lambda t, lib: t.hsplit(3),
    "vsplit": lambda t, lib: t.vsplit([1, 3]),
    "dsplit": lambda t, lib: t.dsplit(3),
    "split_with_sizes": lambda t, lib: t.split_with_sizes([1, 5], 1),
    "unsafe": lambda t, lib: (*t.unsafe_chunk(2), *t.unsafe_split(3, 1)),
    "narrow_copy": lambda t, lib: t.narrow_copy(1, 2, 3),
    "msort": lambda t, lib: t.msort(),
    "slice_scatter": lambda t, lib: t.slice_scatter(t[:, 0:3] * 2, 1, 0, 6, 2),
    "slice_scatter_end": lambda t, lib: t.slice_scatter(t[:1], 0, -1),
    "select_scatter": lambda t, lib: t.select_scatter(t[:, 0], 1, -2),
    "diagonal_scatter": lambda t, lib: t[0].diagonal_scatter(t[1, :3, 0] * 0 + 7, 0),
    "hardshrink": lambda t, lib: t.hardshrink(0.4),
    "prelu": lambda t, lib: t.prelu(lib.linspace(0, 1, 6)),
    "mvlgamma": lambda t, lib: (t.abs() + 3).mvlgamma(3),
    "eq_": lambda t, lib: t.clone().eq_(t[0]),
    "ge_": lambda t, lib: t.clone().ge_(0.1),
    "atan2_": lambda t, lib: t.clone().atan2_(t + 1),
    "multiply_": lambda t, lib: t.clone().multiply_(3).subtract_(1).true_divide_(2).negative_(),
    "sinc_": lambda t, lib: t.clone().sinc_().deg2rad_(),
    "isreal": lambda t, lib: t.isreal(),
}


def listed(result: Any) -> list[np.ndarray]:
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [np.asarray(p.detach().numpy()) for p in parts]


@pytest.mark.parametrize("name", REAL)
def test_results_are_pytorchs(name: str) -> None:
    mine = REAL[name](pellucid.tensor(X), pellucid)
    theirs = REAL[name](torch.tensor(X), torch)
    for one, other in zip(listed(mine), listed(theirs), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["bitwise_left_shift", "bitwise_right_shift"])
def test_shifts(name: str) -> None:
    for array in (N, -N, N.astype(np.int32)):
        one = getattr(pellucid.tensor(array), name)(3).numpy()
        np.testing.assert_array_equal(one, getattr(torch.tensor(array), name)(3).numpy())
    with pytest.raises(DTypeError, match="float32 and int64"):
        getattr(pellucid.tensor(X), name)(1)


def test_questions() -> None:
    x = pellucid.tensor(X)
    assert x.equal(pellucid.tensor(X)) and not x.equal(x + 1) and not x.equal(x[0])
    assert x.is_same_size(x + 1) and x.is_signed() and not x.is_complex()
    assert not pellucid.tensor([1], dtype=pellucid.uint8).is_signed()
    assert pellucid.tensor([2.0]).is_nonzero() and x.get_device() == -1 and not x.is_inference()


def test_gradients_of_scattered_parts() -> None:
    def function(a: Any, b: Any) -> Any:
        return a.slice_scatter(b, 1, 1, 5, 2).sin()

    a = pellucid.tensor(X[:, :, 0].astype(np.float64), requires_grad=True)
    b = pellucid.tensor(X[:, :2, 1].astype(np.float64), requires_grad=True)
    assert pellucid.gradcheck(function, (a, b))


def test_wrong_parts() -> None:
    x = pellucid.tensor(X)
    with pytest.raises(ShapeError, match=r"part of shape \(2,\) for a slice of shape \(2, 6, 3\)"):
        x.slice_scatter(pellucid.zeros(2), 0, 1, 3)
    with pytest.raises(ArgumentError, match="index=9 for an axis of 6"):
        x.select_scatter(x[:, 0], 1, 9)
    with pytest.raises(ShapeError, match="dsplit got a tensor of shape .4, 6."):
        x[:, :, 0].dsplit(2)
    with pytest.raises(ArgumentError, match="mvlgamma got p=0"):
        x.mvlgamma(0)


def test_pdist_and_pooling_with_indices() -> None:
    f, g = pellucid.nn.functional, torch.nn.functional
    for p in (1.0, 2.0, 3.0):
        one = f.pdist(pellucid.tensor(X[:, :, 0]), p).numpy()
        np.testing.assert_allclose(one, g.pdist(torch.tensor(X[:, :, 0]), p), rtol=1e-5)
    with pytest.raises(ShapeError, match="pdist expects a matrix"):
        f.pdist(pellucid.tensor(X))
    for name in ("max_pool1d_with_indices", "adaptive_max_pool2d_with_indices"):
        mine = getattr(f, name)(pellucid.tensor(X), 2)
        theirs = getattr(g, name)(torch.tensor(X), 2)
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
