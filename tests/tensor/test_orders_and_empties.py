"""Order statistics of NaN, reductions of nothing, and what is refused, eager and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F
from pellucid.base.errors import AllocationError, ArgumentError, OutOfRangeError, PellucidError

INF, NAN = math.inf, math.nan
ROWS = np.array(
    [[1, NAN, 3], [NAN, NAN, NAN], [3, 2, 1], [NAN, 0, NAN], [2, 2, INF]], dtype=np.float32
)
WAYS = pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])


def _parts(result: Any) -> list[np.ndarray]:
    listed = result if isinstance(result, (tuple, list)) else [result]
    return [np.asarray(part.detach().numpy()) for part in listed]


def _run(function: Callable[..., Any], compiled: bool, *arrays: Any) -> list[np.ndarray]:
    run = pellucid.compile(function) if compiled else function
    return _parts(run(*(pellucid.tensor(a) for a in arrays)))


# ---- NaN ------------------------------------------------------------------------------------

ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "median": lambda t, x: x.median(1),
    "median of all": lambda t, x: x.median(),
    "nanmedian": lambda t, x: x.nanmedian(1),
    "nanmedian of all": lambda t, x: x.nanmedian(),
    "mode": lambda t, x: x.mode(1),
    "max": lambda t, x: x.max(1),
    "min": lambda t, x: x.min(1),
    "argmax": lambda t, x: x.argmax(1),
    "argmin": lambda t, x: x.argmin(1),
    "aminmax": lambda t, x: x.aminmax(dim=1),
    "cummax": lambda t, x: x.cummax(1),
    "cummin": lambda t, x: x.cummin(1),
    "quantile": lambda t, x: x.quantile(0.5, 1),
    "nanquantile": lambda t, x: x.nanquantile(0.5, 1),
    "clamp by NaN": lambda t, x: x.clamp(min=NAN),
    "clamp by tensors": lambda t, x: x.clamp(x.flip(1), x.flip(0) + 1),
    "sign": lambda t, x: x.sign(),
    "heaviside": lambda t, x: t.heaviside(x, x * 0 + 0.5),
    "fmax": lambda t, x: t.fmax(x, x.flip(1)),
    "fmin": lambda t, x: t.fmin(x, x.flip(1)),
    "bucketize": lambda t, x: t.bucketize(x, t.tensor([1.0, 2.0])),
    "sort": lambda t, x: t.sort(x, dim=1, stable=True),
    "topk": lambda t, x: x.topk(2, 1)[0],
}


@pytest.mark.parity
@WAYS
@pytest.mark.parametrize("name", ORDERS)
def test_nan_among_the_elements(name: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    expected = ORDERS[name](torch, torch.tensor(ROWS))
    found = _run(lambda x: ORDERS[name](pellucid, x), compiled, ROWS)
    for got, want in zip(found, _parts(expected), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@WAYS
def test_a_median_is_nan_where_there_is_one(compiled: bool) -> None:
    value, place = _run(lambda x: x.median(1), compiled, ROWS)
    np.testing.assert_array_equal(value, [NAN, NAN, 2, NAN, 2])
    assert place[0] == 1 and place[1] == 0 and place[3] == 0


# ---- nothing --------------------------------------------------------------------------------

EMPTY = np.zeros((0, 3), np.float32)


@WAYS
def test_reductions_of_nothing(compiled: bool) -> None:
    cases: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "logsumexp": (lambda x: x.logsumexp(0), [-INF] * 3),
        "logsumexp of all": (lambda x: x.logsumexp((0, 1)), -INF),
        "logcumsumexp": (lambda x: x.logcumsumexp(0), EMPTY),
        "median": (lambda x: x.median(), NAN),
        "nanmedian": (lambda x: x.nanmedian(), NAN),
        "var": (lambda x: x.var(0), [NAN] * 3),
        "std": (lambda x: x.std(), NAN),
        "mean": (lambda x: x.mean(0), [NAN] * 3),
        "prod": (lambda x: x.prod(0), [1.0] * 3),
        "norm": (lambda x: x.norm(3, 0), [0.0] * 3),
        "mse_loss": (lambda x: F.mse_loss(x, x), NAN),
        "binary_cross_entropy": (lambda x: F.binary_cross_entropy(x, x), NAN),
    }
    for name, (function, expected) in cases.items():
        (found,) = _run(function, compiled, EMPTY)
        np.testing.assert_array_equal(found, expected, err_msg=name)


@WAYS
@pytest.mark.parametrize(
    "name", "max min argmax argmin amax amin aminmax median nanmedian mode kthvalue".split()
)
def test_no_element_to_choose_from(name: str, compiled: bool) -> None:
    arguments = {"k": 1} if name == "kthvalue" else {}
    with pytest.raises(OutOfRangeError, match=f"^{name} over axis 0 of shape") as caught:
        _run(lambda x: getattr(x, name)(dim=0, **arguments), compiled, EMPTY)
    assert isinstance(caught.value, (IndexError, RuntimeError))


# ---- refusals -------------------------------------------------------------------------------

HALF = np.full((3, 4), 0.5, np.float32)
REFUSED: dict[str, tuple[Callable[..., Any], list[Any], str]] = {
    "target above 1": (F.binary_cross_entropy, [HALF, HALF + 1], "targets from 1.5 to 1.5"),
    "target below 0": (F.binary_cross_entropy, [HALF, HALF - 1], "targets from -0.5 to -0.5"),
    "target NaN": (F.binary_cross_entropy, [HALF, HALF * NAN], "targets from nan"),
    "probability above 1": (F.binary_cross_entropy, [HALF + 1, HALF], "probabilities from 1.5"),
    "probability NaN": (F.binary_cross_entropy, [HALF * NAN, HALF], "probabilities from nan"),
    "one_hot": (lambda i: F.one_hot(i, 2), [[1, 2]], "the class id 2 for 2 classes"),
    "one_hot, negative": (lambda i: F.one_hot(i, 2), [[1, -1]], "the class id -1 for 2"),
    "one_hot, no classes": (lambda i: F.one_hot(i, 0), [[1, 2]], "num_classes=0"),
    "one_hot of floats": (lambda i: F.one_hot(i, 2), [[1.0, 0.0]], "class ids of float"),
    "cross_entropy": (F.cross_entropy, [HALF, [0, 4, 1]], "the class id 4 for 4 classes"),
    "multinomial, rows": (lambda x: x.reshape(1, 3, 4).multinomial(1), [HALF], "weights of shape"),
    "sub of bool": (lambda x: x.gt(0) - x.gt(0), [HALF], "sub got two bool tensors"),
    "renorm": (lambda x: x.renorm(2, 0, -1.0), [HALF], "maxnorm=-1"),
    "repeat": (lambda x: x.repeat(-1, 2), [HALF], "repeat got the counts"),
    "expand": (lambda x: x.expand(-1, -1, 4, 4), [HALF], "expand got the sizes"),
    "index_select": (lambda x: x.index_select(0, x.long()), [HALF], "positions of shape"),
    "kthvalue": (lambda x: x.kthvalue(5), [HALF], "kthvalue got k=5 for an axis of extent 4"),
}


@WAYS
@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_by_pytorch(name: str, compiled: bool) -> None:
    function, arrays, text = REFUSED[name]
    with pytest.raises(PellucidError, match=text) as caught:
        _run(function, compiled, *arrays)
    assert isinstance(caught.value, RuntimeError)


def test_a_compiled_step_refuses_probabilities_that_its_update_has_changed() -> None:
    """The parameters have moved on when the step is over; the text names loss and line."""
    layer = pellucid.nn.Linear(3, 1)
    optimizer = pellucid.optim.SGD(layer.parameters(), lr=0.1)

    @pellucid.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy(layer(x), y)
        loss.backward()
        optimizer.step()
        return loss

    with pytest.raises(ArgumentError, match="probabilities or targets outside of 0 to 1") as caught:
        step(pellucid.ones(4, 3) * 100, pellucid.ones(4, 1))
    assert "test_orders_and_empties.py" in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "text"),
    [([-1.0, 1.0], "weights from -1"), ([0.0, 0.0], "only weights of 0"), ([NAN, 1.0], "nan")],
)
def test_weights_that_are_no_probabilities(weights: list[float], text: str) -> None:
    for replacement in (False, True):
        with pytest.raises(ArgumentError, match=text):
            pellucid.multinomial(pellucid.tensor(weights), 1, replacement)


@pytest.mark.parametrize("p", [-0.1, 1.1, NAN])
def test_probabilities_outside_of_0_to_1(p: float) -> None:
    for draw in (
        lambda: pellucid.bernoulli(pellucid.tensor([p])),
        lambda: pellucid.zeros(2).bernoulli_(p),
        lambda: F.dropout(pellucid.ones(2), p),
        lambda: F.alpha_dropout(pellucid.ones(2), p, True),
    ):
        with pytest.raises(ArgumentError, match=r"bernoulli|dropout"):
            draw()


@pytest.mark.parametrize("shape", [(2**40, 2**40), (2**62,), (2**31, 2**31, 4)])
def test_sizes_that_no_memory_has(shape: tuple[int, ...]) -> None:
    for make in (pellucid.zeros, pellucid.ones, pellucid.rand, pellucid.randn):
        with pytest.raises(AllocationError, match="no memory for a tensor of shape") as caught:
            make(*shape)
        assert isinstance(caught.value, (MemoryError, RuntimeError))


@pytest.mark.parametrize(
    "make",
    [
        lambda: pellucid.ones(1).expand(2**62),
        lambda: pellucid.ones(1).expand(2**62, 2**62),
        lambda: pellucid.ones(1).repeat(2**50),
        lambda: pellucid.arange(2**60),
        lambda: pellucid.linspace(0, 1, 2**60),
        lambda: pellucid.eye(2**40),
    ],
)
def test_results_that_no_memory_has(make: Callable[[], Any]) -> None:
    with pytest.raises(AllocationError, match="no memory for a tensor of shape"):
        make()


@pytest.mark.parametrize("operator", ["//", "%"])
def test_integers_divided_by_zero(operator: str) -> None:
    x = pellucid.tensor([4, 5])
    for divisor in (0, pellucid.tensor([2, 0])):
        with pytest.raises(ArgumentError, match="to divide by 0"):
            _ = x // divisor if operator == "//" else x % divisor
    assert np.isinf((x.float() // 0).numpy()).all()


# ---- operators ------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_shifts(dtype: str, compiled: bool) -> None:
    bits = 8 * np.dtype(dtype).itemsize
    x = np.array([0, 1, 5, 100, 127, 250 if dtype == "uint8" else -3]).astype(dtype)
    for places in (0, 1, 3, bits // 2, bits - 1):
        left, right = _run(lambda t, p=places: (t << p, t >> p), compiled, x)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(left, np.left_shift(x, places).astype(dtype))
        np.testing.assert_array_equal(right, np.right_shift(x, places))
        assert left.dtype == right.dtype == dtype


def test_shifts_out_of_all_bits_and_from_the_left() -> None:
    x = pellucid.tensor([8, -8])
    for places in (64, 70, -1):
        assert (x << places).tolist() == [0, 0]
        assert (x >> places).tolist() == [0, -1]
    assert (2 << pellucid.tensor([1, 2])).tolist() == [4, 8]
    assert (1000 >> pellucid.tensor([1, 2])).tolist() == [500, 250]
    with pytest.raises(PellucidError, match="bitwise_left_shift got float32"):
        _ = pellucid.ones(2) << 1


@pytest.mark.parametrize("operator", ["//=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="])
def test_operators_that_change_a_tensor_change_its_memory(operator: str) -> None:
    names: dict[str, Any] = {"x": pellucid.tensor([5, 6, 7]), "a": np.array([5, 6, 7])}
    names["view"] = names["x"][1:]
    exec(f"before = x\nx {operator} 2\na {operator} 2", names)
    assert names["before"] is names["x"]
    assert names["x"].tolist() == names["a"].tolist()
    assert names["view"].tolist() == names["a"][1:].tolist()
