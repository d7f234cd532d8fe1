"""Every layer's shape errors: what happened, where, the shapes before it, and the likely fix."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import pellucid
from nn.shape_cases import CASES, Case
from nn.shape_cases_sequences import MORE
from pellucid import nn
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError

TABLE = {**CASES, **MORE}

EXEMPT = {
    "each element by itself, any shape": (
        "CELU ELU GELU SELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish "
        "ReLU ReLU6 RReLU Sigmoid SiLU Softplus Softshrink Softsign Tanh Tanhshrink Threshold "
        "Identity Dropout AlphaDropout"
    ),
    "a container: its layers speak": (
        "Sequential ModuleList ModuleDict ParameterList ParameterDict Container DataParallel"
    ),
    "a base class": "Module RNNBase RNNCellBase",
    "not a layer": "Parameter Buffer UninitializedParameter UninitializedBuffer",
    "another name": "NLLLoss2d",
    "BatchNorm of as many axes": "SyncBatchNorm",
}
"""Why a class of nn has no entry in the table → the classes."""

OURS = {
    "LearnedPositions": Case(
        lambda nn: nn.LearnedPositions(8, 4),
        lambda t: (t.ones(2, 5, 6),),
        "(2, 5, 6)",
        "d_model=6",
    ),
    "SinusoidalPositions": Case(
        lambda nn: nn.SinusoidalPositions(8),
        lambda t: (t.ones(2, 5, 6),),
        "(2, 5, 6)",
        "d_model=6",
    ),
    "RotaryPositions": Case(
        lambda nn: nn.RotaryPositions(8),
        lambda t: (t.ones(2, 5, 6),),
        "(2, 5, 6)",
        "(…, T, 8)",
    ),
    "StochasticDepth": Case(
        lambda nn: nn.StochasticDepth(0.5),
        lambda t: (t.ones(()),),
        "got a number, ()",
        "(N, *)",
    ),
}
"""Layers that PyTorch does not have."""


class Inner(nn.Module):
    """A layer after another one."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.before = nn.Identity()
        self.layer = layer

    def forward(self, *args: Any) -> Any:
        self.before(args[0])
        return self.layer(*args)


class Outer(nn.Module):
    """The same one floor deeper."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.net = Inner(layer)

    def forward(self, *args: Any) -> Any:
        return self.net(*args)


def all_cases() -> list[Any]:
    rows = [(name, case) for name, cases in TABLE.items() for case in cases]
    rows += OURS.items()
    return [pytest.param(n, c, id=f"{n}-{i}") for i, (n, c) in enumerate(rows)]


def error_of(function: Any, args: Any) -> Any:
    with pytest.raises((ShapeError, DTypeError, ArgumentError)) as caught:
        function(*args)
    return caught.value


@pytest.mark.parametrize(("name", "case"), all_cases())
def test_the_error_says_what_where_and_the_fix(name: str, case: Case) -> None:
    pellucid.manual_seed(0)
    model = Outer(case.make(nn))
    args = case.inputs(pellucid)
    error = error_of(model, args)
    compiled = error_of(pellucid.compile(lambda *a: model(*a), backend="reference"), args)
    assert type(error) is type(compiled)
    assert str(error) == str(compiled), "eager and compiled say the same"
    first, shapes, line, *fix = str(error).split("\n")
    assert case.says in first
    assert f", in layer {error.layer} (" in first and error.layer.startswith("net.layer")
    assert shapes.startswith("  shapes: input ") and " → net.before Identity " in shapes
    assert " → net.layer" in shapes and shapes.split(" → ")[-1].startswith("net.layer")
    assert line == f"  at {line[5:].split(': ')[0]}: return self.layer(*args)"
    assert case.fix in "\n".join(fix)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "case"), [row for row in all_cases() if row.values[0] not in OURS]
)
def test_pytorch_refuses_it_too(name: str, case: Case) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError, AssertionError)):
        case.make(torch.nn)(*case.inputs(torch))


def test_no_layer_is_forgotten() -> None:
    exempt = {name for names in EXEMPT.values() for name in names.split()}
    layers = {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value) and not name.startswith("_")
    }
    covered = set(TABLE) | set(OURS)
    assert layers - covered - exempt == set(), "give these an entry in tests/nn/shape_cases*.py"
    assert exempt & covered == set() and (exempt | covered) - layers == set()


def test_packed_sequences_are_told_by_their_features() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(10, 20)

        def forward(self, x: Any) -> Any:
            return self.lstm(nn.utils.rnn.pack_padded_sequence(x, [4, 3]))

    model, x = Reader(), (pellucid.ones(4, 2, 5),)
    error = error_of(model, x)
    assert str(error) == str(error_of(pellucid.compile(lambda x: model(x)), x))
    assert "expects a packed sequence of 10 features" in str(error)
    assert error.shapes == ["input (4, 2, 5)", "your code packed(5,)", "lstm LSTM"]
    assert error.hint == "pack a tensor (T, B, 10), or change input_size"


def test_a_lazy_layer_stays_lazy_after_an_input_that_does_not_fit() -> None:
    layer = nn.LazyBatchNorm1d()
    with pytest.raises(ShapeError, match="in layer LazyBatchNorm1d"):
        layer(pellucid.ones(2, 3, 4, 5))
    assert layer.has_uninitialized_params()
    assert tuple(layer(pellucid.ones(2, 7)).shape) == (2, 7) and layer.num_features == 7


ACCEPTED: dict[str, tuple[Any, Any]] = {
    "one sample without a batch": (lambda nn: nn.Conv2d(3, 4, 3), ((3, 9, 9),)),
    "an empty batch of images": (lambda nn: nn.BatchNorm2d(3), ((0, 3, 5, 5),)),
    "an empty batch in groups": (lambda nn: nn.GroupNorm(2, 4), ((0, 4, 5),)),
    "no classes": (lambda nn: nn.Softmax(1), ((2, 0),)),
    "no pixels": (lambda nn: nn.PixelShuffle(2), ((2, 8, 0, 5),)),
    "rows against one vector": (lambda nn: nn.CosineSimilarity(), ((2, 4), (4,))),
    "one variance for all rows": (lambda nn: nn.GaussianNLLLoss(), ((2, 3), (2, 3), (1, 3))),
    "an empty target sequence": (
        lambda nn: nn.Transformer(4, 2, 1, 1, 8, batch_first=True),
        ((2, 5, 4), (2, 0, 4)),
    ),
    "an attention without keys": (
        lambda nn: nn.MultiheadAttention(4, 2, batch_first=True),
        ((2, 5, 4), (2, 0, 4), (2, 0, 4)),
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_pytorch_takes_is_taken(name: str) -> None:
    torch = pytest.importorskip("torch")
    make, shapes = ACCEPTED[name]

    def shape(library: Any) -> tuple[int, ...]:
        found = make(library.nn)(*(library.ones(*s) for s in shapes))
        return tuple((found[0] if isinstance(found, tuple) else found).shape)

    assert shape(pellucid) == shape(torch)


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (lambda nn: nn.SoftMarginLoss(), ((4, 3), (1, 3))),
        (lambda nn: nn.MultiLabelSoftMarginLoss(), ((4, 3), (1, 3))),
        (lambda nn: nn.MSELoss(), ((4, 3), (4, 1))),
        (lambda nn: nn.Dropout2d(), ((4, 3),)),
        (lambda nn: nn.Dropout3d(), ((4, 3, 2),)),
    ],
)
def test_what_pytorch_takes_but_nobody_means_is_warned_of(make: Any, shapes: Any) -> None:
    with pytest.warns(UserWarning, match=r"shape \(4, "):
        make(nn)(*(pellucid.ones(*s) for s in shapes))


def test_a_native_program_tells_the_bad_id_and_stays_good() -> None:
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten())
    step = pellucid.compile(lambda ids: model(ids).sum())
    good = pellucid.tensor([[0, 1], [2, 4]])
    expected = model[0].weight.detach().numpy()[[0, 1, 2, 4]].sum()
    assert step(good).item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ArgumentError, match=r"id 9 for 5 rows, in layer 0 \(Embedding\(5, 3\)\)"):
        step(pellucid.tensor([[0, 1], [2, 9]]))
    assert step(good).item() == pytest.approx(expected, rel=1e-5), "the program is still good"


def test_an_index_that_no_layer_checks_is_placed_by_its_line() -> None:
    class Picker(nn.Module):
        def forward(self, x: Any, i: Any) -> Any:
            return x[i]

    model = Outer(Picker())
    program = pellucid.compile(lambda x, i: model(x, i))
    with pytest.raises(ArgumentError, match=r"out of range .*, in net.layer at .*test_shape_er"):
        program(pellucid.ones(4), pellucid.tensor([1, 4]))
