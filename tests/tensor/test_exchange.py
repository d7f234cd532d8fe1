"""Memory and values shared with NumPy, PyTorch, Polars, einops and others."""

from __future__ import annotations

import copy
import importlib
import math
import operator
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import (
    AutogradError,
    DTypeError,
    ExchangeError,
    NumberRangeError,
    PellucidError,
)
from pellucid.tensor import neighbours

DTYPES = "bool uint8 int8 int16 int32 int64 float16 float32 float64".split()


# ---- DLPack ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_and_a_tensor_share_memory_by_dlpack(name: str) -> None:
    tensor = pellucid.tensor([0, 1, 1]).to(getattr(pellucid, name))
    array = np.from_dlpack(tensor)
    assert array.dtype == np.dtype(name) and array.tolist() == [0, 1, 1]
    assert tensor.__dlpack_device__() == (1, 0)
    array = np.array([1, 0, 1], name)
    back = pellucid.from_dlpack(array)
    assert back.dtype.name == name
    array[1] = 1
    assert back.tolist() == [1, 1, 1]
    back[0] = 0
    assert array.tolist() == [0, 1, 1]


@pytest.mark.parity
@pytest.mark.parametrize("name", [*DTYPES, "bfloat16"])
def test_pytorch_and_a_tensor_share_memory_by_dlpack(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours = pellucid.tensor([0, 1, 1]).to(getattr(pellucid, name))
    theirs = torch.from_dlpack(ours)
    assert theirs.dtype == getattr(torch, name) and theirs.tolist() == [0, 1, 1]
    theirs[1] = 0
    assert ours.tolist() == [0, 0, 1]
    ours[0] = 1
    assert theirs.tolist() == [1, 0, 1]
    back = pellucid.from_dlpack(theirs)
    assert back.dtype is ours.dtype and back.data_ptr() == ours.data_ptr()
    assert pellucid.from_dlpack(theirs, copy=True).data_ptr() != ours.data_ptr()


@pytest.mark.parity
def test_pytorch_takes_tensors_by_its_own_functions() -> None:
    torch = pytest.importorskip("torch")
    for value in (pellucid.randn(2, 3), pellucid.tensor(2.5), pellucid.arange(3)):
        for made in (torch.as_tensor(value), torch.tensor(value)):
            assert made.tolist() == value.tolist() and str(made.dtype)[6:] == value.dtype.name
    theirs = torch.tensor([1.5, 2.5], dtype=torch.bfloat16, requires_grad=True)
    assert repr(pellucid.tensor(theirs)) == "tensor([1.5000, 2.5000], dtype=pellucid.bfloat16)"
    shared = torch.zeros(2)
    pellucid.as_tensor(shared)[0] = 5
    assert shared.tolist() == [5, 0]


def test_views_keep_their_strides_and_live_on_without_their_tensor() -> None:
    base = pellucid.arange(12).reshape(3, 4)
    view = np.from_dlpack(base.t()[1:, ::2])
    assert_close(view, np.arange(12).reshape(3, 4).T[1:, ::2])
    capsule = pellucid.arange(5).__dlpack__(max_version=(1, 0))
    del base
    assert pellucid.from_dlpack(capsule).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ExchangeError, match="no DLPack capsule, or was used already"):
        pellucid.from_dlpack(capsule)
    assert pellucid.from_dlpack(np.array(3.0)).shape == ()
    assert pellucid.from_dlpack(pellucid.zeros(0, 3)).shape == (0, 3)


def test_memory_that_runs_backwards_is_exported_as_a_copy() -> None:
    tensor = pellucid.from_numpy(np.arange(4.0)[::-1])
    assert np.from_dlpack(tensor).strides == (8,)
    assert np.from_dlpack(tensor).tolist() == [3, 2, 1, 0]
    with pytest.raises(BufferError, match="runs backwards"):
        tensor.__dlpack__(copy=False)
    assert pellucid.from_dlpack(np.arange(4.0)[::-1]).tolist() == [3, 2, 1, 0]


def test_memory_that_may_only_be_read_stays_as_it_is() -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    tensor = pellucid.from_dlpack(array)
    tensor.add_(1)
    assert tensor.tolist() == [1, 2, 3] and array.tolist() == [0, 1, 2]
    assert not np.from_dlpack(pellucid.from_numpy(array)).flags.writeable
    with pytest.raises(BufferError, match="export a copy"):
        pellucid.from_numpy(array).__dlpack__()


def test_what_cannot_be_shared_says_so() -> None:
    with pytest.raises(BufferError, match="requires gradients cannot be exported") as caught:
        np.from_dlpack(pellucid.ones(2, requires_grad=True))
    assert isinstance(caught.value, PellucidError)
    for settings in ({"stream": 5}, {"dl_device": (2, 0)}):
        with pytest.raises(ExchangeError, match=r"device \(1, 0\), which has no streams"):
            pellucid.ones(2).__dlpack__(**settings)
    with pytest.raises(DTypeError, match="no element type dtype.*uint16"):
        pellucid.from_dlpack(np.ones(2, np.uint16))
    with pytest.raises(ExchangeError, match="int is no DLPack capsule"):
        pellucid.from_dlpack(5)
    with pytest.raises(RuntimeError, match="tensors live on"):
        pellucid.from_dlpack(np.ones(2), device="cuda")
    elsewhere = types.SimpleNamespace(__dlpack__=None, __dlpack_device__=lambda: (2, 0))
    with pytest.raises(ExchangeError, match="device of kind 2.*\n.*move it to the CPU"):
        pellucid.from_dlpack(elsewhere)


@pytest.mark.parity
def test_gradients_are_not_shared_in_either_direction() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(BufferError, match="Can't export tensors that require gradient"):
        pellucid.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(BufferError, match="requires gradients"):
        torch.from_dlpack(pellucid.ones(2, requires_grad=True))


# ---- NumPy -----------------------------------------------------------------------------------


def test_the_array_interface_shares_memory_and_keeps_it_alive() -> None:
    for tensor in (pellucid.arange(6), pellucid.arange(6).reshape(2, 3).t()[1:]):
        description = types.SimpleNamespace(__array_interface__=tensor.__array_interface__)
        array = np.asarray(description)
        assert array.tolist() == tensor.tolist()
        tensor.add_(10)
        assert array.tolist() == tensor.tolist()
    tensor = pellucid.ones(1000)
    array = np.asarray(tensor)
    tensor.data = pellucid.zeros(3)  # other memory
    assert array.sum() == 1000
    assert not hasattr(pellucid.ones(2, requires_grad=True), "__array_interface__")
    assert not hasattr(pellucid.ones(2, dtype=pellucid.bfloat16), "__array_interface__")
    with pytest.raises(AutogradError, match=r"use x\.detach\(\)\.numpy\(\)"):
        np.asarray(pellucid.ones(2, requires_grad=True))


def test_arrays_are_copied_when_asked_and_never_when_forbidden() -> None:
    tensor = pellucid.ones(3)
    assert tensor.__array__(copy=True).ctypes.data != tensor.data_ptr()
    assert tensor.__array__(copy=False).ctypes.data == tensor.data_ptr()
    assert tensor.__array__(np.float64).dtype == np.float64
    with pytest.raises(TypeError, match="without a copy"):
        tensor.__array__(np.float64, copy=False)
    with pytest.raises(ValueError, match="avoid copy"):
        np.array(tensor, np.float64, copy=False)


def test_numpy_functions_of_a_tensor_give_tensors() -> None:
    x = pellucid.tensor([1.0, 4.0])
    for made, values in (
        (np.sqrt(x), [1.0, 2.0]),
        (np.add(x, np.ones(2, np.float32)), [2.0, 5.0]),
        (np.clip(x, 2, 3), [2.0, 3.0]),
        (np.reshape(x, (2, 1)), [[1.0], [4.0]]),
        (np.isfinite(x), [True, True]),
    ):
        assert isinstance(made, pellucid.Tensor) and made.tolist() == values
    made = np.ones(2, np.float32) + pellucid.ones(2, requires_grad=True)
    assert isinstance(made, pellucid.Tensor) and made.requires_grad


def test_dtypes_of_other_libraries() -> None:
    assert np.dtype(pellucid.float32) == np.float32 and np.zeros(1, pellucid.int8).dtype == np.int8
    for dtype in ("float64", np.float64, np.dtype("f8"), pellucid.float64):
        assert pellucid.tensor([1], dtype=dtype).dtype is pellucid.float64
    with pytest.raises(DTypeError, match="NumPy has no bfloat16"):
        np.dtype(pellucid.bfloat16)
    with pytest.raises(DTypeError, match="stored in another byte order"):
        pellucid.from_numpy(np.ones(2, ">f4"))
    assert pellucid.tensor(np.array([1.5, 2], ">f4")).tolist() == [1.5, 2]


@pytest.mark.parity
def test_dtypes_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for name in (*DTYPES, "bfloat16"):
        dtype = getattr(torch, name)
        assert pellucid.ones(1, dtype=dtype).dtype is pellucid.ones(1).to(dtype).dtype
        assert pellucid.ones(1, dtype=dtype).dtype.name == name
    with pytest.raises(DTypeError, match="no complex numbers of 16 bits"):
        pellucid.ones(1, dtype=torch.complex32)


def test_bfloat16_of_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, 2.25, -3.0], ml_dtypes.bfloat16)
    for made in (pellucid.tensor(array), pellucid.from_numpy(array), pellucid.as_tensor(array)):
        assert made.dtype is pellucid.bfloat16 and made.tolist() == [1.5, 2.25, -3.0]
    assert pellucid.tensor(array, dtype=pellucid.float32).tolist() == [1.5, 2.25, -3.0]
    assert pellucid.ones(1, dtype=ml_dtypes.bfloat16).dtype is pellucid.bfloat16
    shared = pellucid.from_numpy(array)
    array[0] = 7
    assert shared[0].item() == 7


def test_data_that_are_no_numbers_get_a_hint() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(DTypeError, match=r"not supported: pass data\.toarray\(\)"):
        pellucid.tensor(sparse.csr_matrix(np.eye(2)))
    for data, hint in (
        ({1, 2}, "a set has no order of rows"),
        ({"a": 1}, "a dict has no order of rows"),
        (iter([1]), r"tensor\(list\(data\)\)"),
        (None, "pass numbers"),
    ):
        with pytest.raises(DTypeError, match=hint):
            pellucid.tensor(data)
    with pytest.raises(ValueError, match="rows must have equal lengths"):
        pellucid.tensor([[1, 2], [3]])
    for big in ([2**70], [300]):
        with pytest.raises(NumberRangeError, match="too large for int64|does not fit uint8"):
            pellucid.tensor(big, dtype=pellucid.uint8 if big == [300] else None)


# ---- Python ----------------------------------------------------------------------------------


def test_a_tensor_with_one_element_is_a_number() -> None:
    x = pellucid.tensor(2.567)
    assert round(x) == 3 and math.isclose(float(round(x, 1)), 2.6, rel_tol=1e-6)
    assert (math.floor(x), math.ceil(x), math.trunc(-x)) == (2, 3, -2)
    assert math.floor(pellucid.tensor(2**62 + 1)) == 2**62 + 1
    assert divmod(pellucid.tensor(7), 2) == (3, 1) and divmod(-7, pellucid.tensor(2)) == (-4, 1)
    assert complex(pellucid.tensor([1.5])) == 1.5 and float(pellucid.tensor([[2.5]])) == 2.5
    assert operator.index(pellucid.tensor([3])) == 3
    assert round(pellucid.tensor([1.4, 2.6])).tolist() == [1, 3]
    assert sorted([pellucid.tensor(2), pellucid.tensor(1)])[0].item() == 1


def test_a_tensor_with_several_is_not() -> None:
    x = pellucid.ones(3)
    for convert in (float, int, complex, math.floor):
        with pytest.raises(ValueError, match=r"one element converts to .*\(3,\)"):
            convert(x)
    with pytest.raises(RuntimeError, match="truth value of a tensor with more than one element"):
        bool(x)
    with pytest.raises(RuntimeError, match="truth value of a tensor with no elements"):
        bool(pellucid.zeros(0))
    with pytest.raises(TypeError, match="a float tensor cannot be an index"):
        operator.index(pellucid.tensor(1.0))
    with pytest.raises(TypeError, match=r"shape \(2,\) was used as one index"):
        operator.index(pellucid.tensor([1, 2]))


def test_a_tensor_without_axes_is_no_sequence() -> None:
    for ask in (len, iter, list):
        with pytest.raises(TypeError, match="a 0-dimensional tensor") as caught:
            ask(pellucid.tensor(1.0))
        assert isinstance(caught.value, PellucidError)


def test_a_copy_shares_memory_and_a_deep_one_does_not() -> None:
    x = pellucid.nn.Parameter(pellucid.ones(2))
    y = copy.copy(x)
    assert type(y) is type(x) and y.requires_grad and y.is_leaf and y.data_ptr() == x.data_ptr()
    with pellucid.no_grad():
        x.add_(1)
    assert y.tolist() == [2, 2]
    made = copy.copy(x * 2)
    assert made.is_leaf and made.requires_grad and made.tolist() == [4, 4]
    assert copy.deepcopy(x).data_ptr() != x.data_ptr()


# ---- other libraries -------------------------------------------------------------------------


def test_matplotlib_draws_tensors() -> None:
    figure = pytest.importorskip("matplotlib.figure")
    axes = figure.Figure().subplots()
    counts, _, _ = axes.hist(pellucid.arange(9).float(), bins=3)
    assert counts.tolist() == [3, 3, 3]
    assert axes.axhline(pellucid.tensor(0.5)).get_ydata() == [0.5, 0.5]
    median = axes.boxplot(pellucid.arange(9).float())["medians"][0]
    assert median.get_ydata().tolist() == [4, 4]
    axes.set_xlim(pellucid.tensor(0.0), pellucid.tensor(2.0))
    assert axes.get_xlim() == (0, 2)


def test_polars_and_pandas_make_columns_of_tensors() -> None:
    polars = pytest.importorskip("polars")
    assert polars.Series("a", pellucid.arange(3)).to_list() == [0, 1, 2]
    assert polars.Series(pellucid.tensor([True, False])).dtype == polars.Boolean
    assert polars.DataFrame({"a": pellucid.ones(2)})["a"].to_list() == [1, 1]
    table = polars.DataFrame(pellucid.arange(6).reshape(3, 2))
    assert table.rows() == [(0, 1), (2, 3), (4, 5)]
    with pytest.raises(ExchangeError, match="give a vector or a matrix"):
        pellucid.ones(1, 1, 1).__arrow_c_stream__()
    pandas = pytest.importorskip("pandas")
    assert pandas.Series(pellucid.arange(3)).tolist() == [0, 1, 2]


EINOPS = {
    "split and merge": lambda e, x: e.rearrange(x, "b c h w -> b (h w) c"),
    "list": lambda e, x: e.rearrange([x, x], "n b c h w -> b n c h w"),
    "mean": lambda e, x: e.reduce(x, "b c (h two) w -> b c h w", "mean", two=2),
    "max": lambda e, x: e.reduce(x, "b c h w -> b c", "max"),
    "prod": lambda e, x: e.reduce(x, "b c h w -> b", "prod"),
    "repeat": lambda e, x: e.repeat(x, "b c h w -> b c (h 2) w k", k=3),
    "einsum": lambda e, x: e.einsum(x, x, "b c h w, b d h w -> b c d"),
    "pack": lambda e, x: e.pack([x, x], "* c h w")[0],
}


@pytest.mark.parametrize("name", EINOPS)
def test_einops_takes_tensors_also_in_compiled_functions(name: str) -> None:
    einops = pytest.importorskip("einops")
    array = np.random.default_rng(3).uniform(0.5, 1.5, (2, 3, 4, 5)).astype(np.float32)
    if name == "einsum":
        expected = np.einsum("bchw,bdhw->bcd", array, array)
    else:
        expected = EINOPS[name](einops, array)
    x = pellucid.tensor(array, requires_grad=True)
    made = EINOPS[name](einops, x)
    assert_close(made, expected, 1e-5, 1e-6)
    made.sum().backward()
    assert x.grad is not None and x.grad.shape == (2, 3, 4, 5)
    compiled = pellucid.compile(lambda x: EINOPS[name](einops, x))
    assert_close(compiled(pellucid.tensor(array)), expected, 1e-5, 1e-6)


@pytest.mark.parametrize("first", ["einops", "pellucid"])
def test_einops_knows_tensors_whichever_is_imported_first(first: str) -> None:
    pytest.importorskip("einops")
    code = (
        f"import {first}, sys\n"
        "import pellucid\n"
        f"print('einops' in sys.modules)\n"
        "import einops\n"
        "print(tuple(einops.rearrange(pellucid.zeros(2, 3), 'a b -> b a').shape))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == [str(first == "einops"), "(3, 2)"]


def test_tensorboard_writers_get_arrays() -> None:
    seen = []
    module = types.ModuleType("writers_of_a_test.x2num")
    module.make_np = seen.append  # type: ignore[attr-defined]
    user = types.ModuleType("writers_of_a_test.summary")
    user.make_np = module.make_np  # type: ignore[attr-defined]
    sys.modules.update({module.__name__: module, user.__name__: user})
    try:
        neighbours.to_writers(module)
        user.make_np(pellucid.tensor(2.5, requires_grad=True))  # type: ignore[attr-defined]
        user.make_np(pellucid.ones(2).bfloat16())  # type: ignore[attr-defined]
        user.make_np("other")  # type: ignore[attr-defined]
    finally:
        del sys.modules[module.__name__], sys.modules[user.__name__]
    assert seen[0] == 2.5 and seen[0].dtype == np.float32
    assert seen[1].tolist() == [1, 1] and seen[2] == "other"


def test_tensorboardx_writes_scalars_and_histograms(tmp_path: Any) -> None:
    tensorboard = pytest.importorskip("tensorboardX")
    convert = importlib.import_module("tensorboardX.x2num").make_np
    assert convert(pellucid.tensor([1.0, 2.0])).tolist() == [1, 2]
    writer = tensorboard.SummaryWriter(str(tmp_path))
    writer.add_scalar("loss", pellucid.tensor(2.5), 1)
    writer.add_histogram("weights", pellucid.randn(50, requires_grad=True), 1)
    writer.add_image("picture", pellucid.rand(3, 4, 4), 1)
    writer.close()
    written = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"loss" in written and b"weights" in written and b"picture" in written


def test_contractions_by_the_names_opt_einsum_calls() -> None:
    a, b = pellucid.randn(2, 3, 4), pellucid.randn(4, 3, 5)
    expected = np.tensordot(a.numpy(), b.numpy(), axes=((1, 2), (1, 0)))
    assert_close(pellucid.tensordot(a, b, axes=((1, 2), (1, 0))), expected, 1e-5, 1e-6)
    assert_close(pellucid.transpose(a, (2, 0, 1)), a.numpy().transpose(2, 0, 1))
    opt_einsum = pytest.importorskip("opt_einsum")
    made = opt_einsum.contract("abc,cbd->ad", a, b)
    assert isinstance(made, pellucid.Tensor)
    assert_close(made, expected, 1e-5, 1e-6)


def test_reductions_of_numpy_take_tensors() -> None:
    """NumPy's functions call the method of what is no array, with its own keywords."""
    values = np.arange(6.0).reshape(2, 3)
    x = pellucid.tensor(values)
    for function in (np.mean, np.sum):
        np.testing.assert_allclose(np.asarray(function(x)), function(values))
        np.testing.assert_allclose(np.asarray(function(x, axis=1)), function(values, axis=1))
