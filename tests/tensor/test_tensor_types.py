"""Older constructors and types, sizes, and the default dtype, held against PyTorch."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pellucid

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

SIZES: dict[str, Callable[[Any], Any]] = {
    "one extent": lambda t: t.Tensor(3),
    "several": lambda t: t.Tensor(2, 3),
    "by NumPy": lambda t: t.Tensor(np.int64(3)),
    "of an array": lambda t: t.Tensor(np.array(3)),
    "a size": lambda t: t.Tensor(t.Size([2, 3])),
    "of a tensor": lambda t: t.Tensor(t.ones(4, 1).size()),
    "by keyword": lambda t: t.Tensor(size=(2, 3)),
    "long": lambda t: t.LongTensor(2, 3),
    "half": lambda t: t.HalfTensor(2),
    "new": lambda t: t.ones(1, dtype=t.float64).new(2, 3),
    "new of a size": lambda t: t.ones(1).new(t.Size([2, 3])),
}
DATA: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda t: t.Tensor(),
    "list": lambda t: t.Tensor([1, 2]),
    "tuple": lambda t: t.Tensor((2, 3)),
    "rows": lambda t: t.Tensor([[1, 2], [3, 4]]),
    "range": lambda t: t.Tensor(range(3)),
    "array": lambda t: t.Tensor(np.ones((2, 2))),
    "tensor": lambda t: t.Tensor(t.ones(2)),
    "tensor of another type": lambda t: t.Tensor(t.tensor([1])),
    "number as tensor": lambda t: t.Tensor(t.tensor(4)),
    "tensors": lambda t: t.Tensor([t.tensor(1.0), t.tensor(2.0)]),
    "empty list": lambda t: t.Tensor([]),
    "float": lambda t: t.FloatTensor([1, 2]),
    "float of integers": lambda t: t.FloatTensor(np.array([1, 2])),
    "long of fractions": lambda t: t.LongTensor([1.7, -1.7]),
    "byte": lambda t: t.ByteTensor([1, 0]),
    "bool": lambda t: t.BoolTensor([1, 0]),
    "double": lambda t: t.DoubleTensor([0.1]),
    "short": lambda t: t.ShortTensor([1]),
    "char": lambda t: t.CharTensor([-1]),
    "int": lambda t: t.IntTensor([1]),
    "no longs": lambda t: t.LongTensor(),
    "new data": lambda t: t.ones(2, dtype=t.float64).new([1, 2]),
    "new nothing": lambda t: t.ones(2).new(),
    "type": lambda t: t.tensor([1.5, 0.0]).type(t.LongTensor),
    "type by name": lambda t: t.tensor([1.5, 0.0]).type("torch.ByteTensor"),
    "type by dtype": lambda t: t.tensor([1.5, 0.0]).type(t.float64),
    "type of all": lambda t: t.tensor([1, 0]).type(t.Tensor),
    "in a list": lambda t: t.tensor([t.ones(1), t.ones(1)]),
    "in lists": lambda t: t.tensor([[t.ones(1)], [t.zeros(1, 1)]]),
    "among numbers": lambda t: t.tensor([t.tensor(2), 3, 1.5]),
    "of a narrow type": lambda t: t.tensor([t.tensor(1, dtype=t.int32)]),
}


def check(ours: Any, theirs: Any, values: bool = True) -> None:
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    assert ours.type() == theirs.type()
    if values:
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    ours = SIZES[name](pellucid)
    check(ours, SIZES[name](torch), values=False)
    assert not ours.numpy().any()  # defined, where PyTorch's memory is uninitialized


@pytest.mark.parametrize("name", DATA)
def test_data(name: str) -> None:
    check(DATA[name](pellucid), DATA[name](torch))


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.Tensor(3.0),
        lambda t: t.Tensor(True),
        lambda t: t.Tensor(None),
        lambda t: t.Tensor("a"),
        lambda t: t.FloatTensor(t.tensor([1])),
        lambda t: t.cuda.FloatTensor(2),
        lambda t: t.set_default_tensor_type(t.cuda.FloatTensor),
        lambda t: t.set_default_tensor_type(t.LongTensor),
        lambda t: t.set_default_dtype(t.int32),
        lambda t: t.autograd.Variable([1.0]),
        lambda t: t.tensor([t.ones(2), t.ones(2)]),
        lambda t: t.Tensor(-1),
        lambda t: t.ones(1).type("FloatTensor"),
        lambda t: t.ones(1).type("torch.cuda.FloatTensor"),
        lambda t: t.Size([1.5]),
    ],
)
def test_refusals_are_of_pytorchs_classes(call: Callable[[Any], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((TypeError, ValueError, RuntimeError)) as theirs:
            call(torch)
    with pytest.raises(theirs.type):
        call(pellucid)


def test_memory_is_shared_with_the_tensor() -> None:
    x = pellucid.ones(2)
    pellucid.Tensor(x)[0] = 5
    assert x.tolist() == [5, 1]


def test_types_recognize_their_tensors() -> None:
    for make in (lambda t: t.ones(2), lambda t: t.ones(2).long(), lambda t: t.ones(2).half()):
        ours, theirs = make(pellucid), make(torch)
        for name in ("FloatTensor", "LongTensor", "HalfTensor", "BoolTensor"):
            assert isinstance(ours, getattr(pellucid, name)) is isinstance(
                theirs, getattr(torch, name)
            )
    assert not isinstance(pellucid.ones(2), pellucid.cuda.FloatTensor)
    assert pellucid.FloatTensor.dtype is pellucid.float32 and not pellucid.FloatTensor.is_cuda
    kind = pellucid.cuda.FloatTensor if pellucid.cuda.is_available() else pellucid.FloatTensor
    assert kind(2, 3).shape == (2, 3)


def test_older_constructors_in_a_compiled_function() -> None:
    def f(x: Any) -> Any:
        return x + pellucid.Tensor([1, 2, 3]) + pellucid.FloatTensor(3) + x.new([1, 0, 0])

    x = pellucid.ones(3)
    assert pellucid.compile(f)(x).tolist() == f(x).tolist() == [3.0, 3.0, 4.0]


# ---- sizes -------------------------------------------------------------------------------------


def test_a_size_is_a_tuple() -> None:
    ours, theirs = pellucid.ones(2, 3, 4).shape, torch.ones(2, 3, 4).shape
    assert isinstance(ours, tuple) and isinstance(ours, pellucid.Size) and ours == (2, 3, 4)
    assert hash(ours) == hash((2, 3, 4)) and {(2, 3, 4): 1}[ours] == 1
    assert str(ours) == str(theirs).replace("torch", "pellucid") and repr(ours) == str(ours)
    calls: list[Callable[[Any], Any]] = [
        lambda s: s[1:],
        lambda s: s[-2:],
        lambda s: s + (5,),
        lambda s: (5,) + s,
        lambda s: s * 2,
        lambda s: s[::-1],
    ]
    for call in calls:
        assert type(call(ours)) is pellucid.Size and tuple(call(ours)) == tuple(call(theirs))
        assert call(ours).numel() == call(theirs).numel()
    assert ours[1] == 3 and type(ours[1]) is int and pellucid.Size().numel() == 1
    first, *rest = ours
    assert (first, rest) == (2, [3, 4])
    assert pickle.loads(pickle.dumps(ours)) == ours and type(copy.copy(ours)) is pellucid.Size
    x = pellucid.ones(2, 3, 4)
    assert type(x.size()) is pellucid.Size and x.size(1) == x.size(-2) == 3
    with pytest.raises(IndexError):
        x.size(3)


def test_sizes_serve_as_shapes() -> None:
    x = pellucid.rand(2, 3)
    for made in (pellucid.zeros(x.shape), x.new_zeros(x.size()), pellucid.randn(x.size())):
        assert made.shape == x.shape
    assert pellucid.zeros(4, *x.shape[1:]).shape == (4, 3)
    assert x.view(x.shape[:1] + (-1,)).shape == (2, 3)
    assert x.expand(x.size()).reshape(x.shape.numel()).shape == (6,)


# ---- the default dtype -------------------------------------------------------------------------


@pytest.fixture
def default_dtype() -> Iterator[None]:
    yield
    pellucid.set_default_dtype(pellucid.float32)
    torch.set_default_dtype(torch.float32)


DEFAULTS: dict[str, Callable[[Any], Any]] = {
    "tensor": lambda t: t.tensor([0.1, 0.2]),
    "number": lambda t: t.tensor(0.1),
    "zeros": lambda t: t.zeros(2),
    "ones": lambda t: t.ones(2),
    "full": lambda t: t.full((2,), 0.1),
    "arange": lambda t: t.arange(0, 1, 0.25),
    "integers": lambda t: t.arange(3),
    "linspace": lambda t: t.linspace(0, 1, 3),
    "eye": lambda t: t.eye(2),
    "empty": lambda t: t.empty(2).fill_(1),
    "Tensor": lambda t: t.Tensor([1, 2]),
    "quotient": lambda t: t.arange(3) / 3,
    "integer times fraction": lambda t: t.arange(3) * 0.1,
    "root": lambda t: t.arange(3).sqrt(),
    "mixed": lambda t: t.ones(2, dtype=t.float16) * 0.1,
    "one dimension": lambda t: t.arange(3) + t.tensor(0.5),
    "python float": lambda t: t.zeros(2, dtype=float),
}


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "float32"])
@pytest.mark.usefixtures("default_dtype")
def test_the_default_dtype_counts_everywhere(dtype: str) -> None:
    pellucid.set_default_dtype(getattr(pellucid, dtype))
    torch.set_default_dtype(getattr(torch, dtype))
    assert pellucid.get_default_dtype() is getattr(pellucid, dtype)
    for name, call in DEFAULTS.items():
        ours, theirs = call(pellucid), call(torch)
        assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1], name
        compiled = pellucid.compile(lambda call=call: call(pellucid))()
        assert compiled.dtype is ours.dtype, name
        close = 1e-2 if ours.dtype.is_narrow else 1e-6
        np.testing.assert_allclose(
            ours.double().numpy(), theirs.double().numpy(), rtol=close, err_msg=name
        )
        assert repr(ours.detach()).count("dtype") == repr(theirs).count("dtype"), name
    assert pellucid.rand(2).dtype is pellucid.nn.Linear(2, 2).weight.dtype
    assert pellucid.randn(2).dtype is pellucid.get_default_dtype()


@pytest.mark.usefixtures("default_dtype")
def test_compiled_functions_follow_the_default() -> None:
    f = pellucid.compile(lambda x: x + pellucid.zeros(2) + 0.5)
    x = pellucid.arange(2)
    assert f(x).dtype is pellucid.float32
    pellucid.set_default_dtype(pellucid.float64)
    assert f(x).dtype is pellucid.float64
    pellucid.set_default_tensor_type("torch.FloatTensor")
    assert f(x).dtype is pellucid.float32


def test_variables_are_tensors() -> None:
    from pellucid.autograd import Variable

    x = Variable(pellucid.ones(2), requires_grad=True)
    (x * 3).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [3, 3] and isinstance(x, Variable)
    assert isinstance(pellucid.ones(1), Variable) and not isinstance(3, Variable)
    y = pellucid.ones(2)
    assert not Variable(x * 2).requires_grad
    Variable(y)[0] = 4
    assert y[0] == 4
    with pytest.warns(UserWarning, match="volatile"):
        assert not Variable(pellucid.ones(2), volatile=True).requires_grad
