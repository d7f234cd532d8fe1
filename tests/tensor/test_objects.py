"""Tensors as Python objects: NumPy beside them, conversion, display, shape changes in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close, assert_same
from pellucid.base.errors import AutogradError, DTypeError, PellucidError

NUMPY_FIRST: dict[str, Any] = {
    "array + tensor": lambda x: np.ones(2) + x,
    "array @ tensor": lambda x: np.ones((2, 2)) @ x,
    "array / tensor": lambda x: np.ones(2) / x,
    "array - tensor": lambda x: np.ones(2) - x,
    "array > tensor": lambda x: np.ones(2) > x,
    "number * tensor": lambda x: np.float32(3) * x,
    "number ** tensor": lambda x: np.float64(2) ** x,
    "number - tensor": lambda x: np.int64(2) - x,
}


@pytest.mark.parametrize("name", NUMPY_FIRST)
def test_numpy_on_the_left_leaves_the_operation_to_the_tensor(name: str) -> None:
    x = pellucid.tensor([1.0, 2.0], requires_grad=True)
    found = NUMPY_FIRST[name](x)
    assert isinstance(found, pellucid.Tensor)
    assert_close(found, NUMPY_FIRST[name](x.detach().numpy()))


def test_arrays_count_with_their_dtype() -> None:
    x, half = pellucid.tensor([1.5, -2.0]), np.array([1.5, -2.0])
    thirds = half / 3  # no float32 numbers
    assert_same(x * thirds, half * thirds, 0, 0)
    assert_same(x * np.float64(1 / 3), half.astype(np.float32) * np.float32(1 / 3), 0, 0)
    assert_same(x * np.array([2, 3]), np.array([3.0, -6.0], np.float32), 0, 0)


def test_memory_is_shared_with_numpy_both_ways() -> None:
    array = np.arange(3.0)
    x = pellucid.from_numpy(array)
    array[0] = 7
    assert x[0].item() == 7
    x[1] = 9.0
    assert array[1] == 9
    assert np.shares_memory(np.asarray(x), array)
    copied = pellucid.tensor(array)
    array[2] = -1
    assert copied[2].item() == 2
    assert np.shares_memory(pellucid.as_tensor(array).numpy(), array)
    with pytest.raises(DTypeError, match="there is no element type"):
        pellucid.from_numpy(np.zeros(2, np.uint32))


def test_a_read_only_array_is_not_overwritten() -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    x = pellucid.from_numpy(array)
    x[0] = 5.0
    x.add_(1)
    assert_close(array, [0.0, 1.0, 2.0])
    assert_close(x, [6.0, 2.0, 3.0])


def test_conversion_to_python() -> None:
    assert pellucid.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert pellucid.tensor(2.5).item() == 2.5 and isinstance(pellucid.tensor(3).item(), int)
    assert float(pellucid.tensor([1.5])) == 1.5 and int(pellucid.tensor(2.9)) == 2
    assert bool(pellucid.tensor(True)) and not bool(pellucid.tensor(0.0))
    assert [10, 20, 30][pellucid.tensor(1)] == 20
    assert f"{pellucid.tensor(2.0):.3f}" == "2.000"
    with pytest.raises(
        PellucidError, match=r"item\(\) needs exactly one element and got shape \(2,\)"
    ):
        pellucid.ones(2).item()
    with pytest.raises(DTypeError, match="a float tensor cannot be an index"):
        [1, 2][pellucid.tensor(1.0)]
    with pytest.raises(PellucidError, match="a 0-dimensional tensor has no length"):
        len(pellucid.tensor(1.0))


@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        ("float", "float32"),
        ("double", "float64"),
        ("long", "int64"),
        ("int", "int32"),
        ("short", "int16"),
        ("char", "int8"),
        ("byte", "uint8"),
        ("bool", "bool"),
    ],
)
def test_conversion_by_name(method: str, dtype: str) -> None:
    x = getattr(pellucid.tensor([0.0, 1.0, 2.7]), method)()
    assert x.dtype.name == dtype
    assert x.element_size() == np.dtype(dtype).itemsize and x.nbytes == 3 * x.element_size()


def test_to_understands_what_pytorch_does() -> None:
    x = pellucid.ones(2)
    assert x.to("cpu") is x and x.to(pellucid.device("cpu")) is x and x.cpu() is x
    assert x.to(pellucid.float64).dtype is pellucid.float64
    assert x.to("cpu", pellucid.int64).dtype is pellucid.int64
    assert x.to(dtype=pellucid.bool).dtype is pellucid.bool
    assert x.to(pellucid.zeros(1, dtype=pellucid.int32)).dtype is pellucid.int32
    assert x.type_as(pellucid.zeros(1, dtype=pellucid.float64)).dtype is pellucid.float64
    assert x.to(pellucid.float32, copy=True) is not x
    assert x.device == pellucid.device("cpu") and str(x.device) == "cpu" and not x.is_cuda
    for place in ("cuda", "cuda:0", "mps"):
        with pytest.raises(RuntimeError, match=f"there is no device '{place}'"):
            x.to(place)


def test_facts() -> None:
    x = pellucid.zeros(2, 3, 4)
    assert x.shape == (2, 3, 4) == x.size() and x.size(1) == 3 and x.dim() == x.ndim == 3
    assert x.numel() == x.nelement() == 24 and len(x) == 2
    assert x.stride() == (12, 4, 1) and x.stride(0) == 12
    assert x.is_contiguous() and x.is_floating_point() and not x.long().is_floating_point()
    assert x.data_ptr() == x.numpy().ctypes.data


def test_display() -> None:
    assert repr(pellucid.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert repr(pellucid.tensor([1, 2])) == "tensor([1, 2])"
    assert repr(pellucid.tensor(True)) == "tensor(True)"
    assert "dtype=pellucid.float64" in repr(pellucid.tensor([1.0], dtype=pellucid.float64))
    assert "..." in repr(pellucid.zeros(10_000)) and len(repr(pellucid.zeros(10_000))) < 200


def test_shape_changes_in_place() -> None:
    x = pellucid.arange(6).reshape(2, 3).clone()
    assert x.unsqueeze_(0) is x and tuple(x.shape) == (1, 2, 3)
    assert tuple(x.squeeze_().shape) == (2, 3) and tuple(x.t_().shape) == (3, 2)
    assert tuple(x.transpose_(0, 1).shape) == (2, 3)
    assert_close(x, np.arange(6).reshape(2, 3))
    w = pellucid.tensor([1.0, 2.0], requires_grad=True)
    y = w * 3
    y.unsqueeze_(1)
    (y * y).sum().backward()
    assert_close(w.grad, [18.0, 36.0])
    with pytest.raises(
        AutogradError, match="a leaf that requires gradients cannot change its shape"
    ):
        w.unsqueeze_(0)


def test_diagonal_in_place() -> None:
    x = pellucid.zeros(3, 4)
    x.fill_diagonal_(2.5)
    assert_close(x, np.eye(3, 4) * 2.5)


def test_constants_and_limits() -> None:
    assert (pellucid.pi, pellucid.e, pellucid.inf) == (math.pi, math.e, math.inf)
    assert math.isnan(pellucid.nan)
    assert pellucid.finfo(pellucid.float32).eps == 2.0**-23
    assert pellucid.finfo(pellucid.float64).max == np.finfo(np.float64).max
    assert pellucid.finfo().smallest_normal == 2.0**-126 and pellucid.finfo().bits == 32
    assert pellucid.iinfo(pellucid.int8)[:3] == (8, 127, -128)
    with pytest.raises(DTypeError, match="finfo got int64\n.*iinfo"):
        pellucid.finfo(pellucid.int64)
    with pytest.raises(DTypeError, match="iinfo got float32\n.*finfo"):
        pellucid.iinfo(pellucid.float32)


def test_trapezoids() -> None:
    y = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
    assert_close(pellucid.trapezoid(pellucid.tensor(y)), [4.5, 1.0])
    assert_close(pellucid.trapezoid(pellucid.tensor(y), dx=0.5), [2.25, 0.5])
    assert_close(
        pellucid.trapezoid(pellucid.tensor(y), pellucid.tensor([0.0, 1.0, 3.0])), [7.5, 1.5]
    )
    assert pellucid.result_type(pellucid.ones(2), 1) is pellucid.float32
    assert pellucid.scalar_tensor(2).dtype is pellucid.float32


def test_iteration_and_unpacking() -> None:
    a, b = pellucid.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert_close(a, [1.0, 2.0])
    assert_close(b, [3.0, 4.0])
    assert [t.item() for t in pellucid.arange(3)] == [0, 1, 2]
    with pytest.raises(PellucidError, match="0-dimensional tensor cannot be iterated"):
        iter(pellucid.tensor(1.0))


def test_is_tensor_and_equal() -> None:
    assert pellucid.is_tensor(pellucid.ones(1)) and not pellucid.is_tensor(np.ones(1))
    assert pellucid.equal(pellucid.ones(2), pellucid.ones(2))
    assert not pellucid.equal(pellucid.ones(2), pellucid.ones(1, 2))
    assert (pellucid.ones(2) == None) is False  # noqa: E711


def test_every_free_function_says_what_it_does() -> None:
    for name in dir(pellucid):
        value = getattr(pellucid, name)
        if callable(value) and not name.startswith("_") and not isinstance(value, type):
            assert value.__doc__, f"pellucid.{name} has no docstring"
    for name in dir(pellucid.Tensor):
        value = getattr(pellucid.Tensor, name)
        if callable(value) and not name.startswith("_"):
            assert value.__doc__, f"Tensor.{name} has no docstring"
